/* Recurrent layers: LSTM, GRU, RNN. Each expands to one product of the inputs of all steps with the weights, and to a
 * node of fovea's own which goes from step to step; the kernels of that are in runtime/recurrent.c. */
#include "base/checked.h"
#include "ops/carry.h"
#include "ops/expand.h"
#include "ops/fused.h"

#include <math.h>
#include <string.h>

/* Inputs as ONNX has them, but that only LSTM has the last two. */
enum { X, W, R, BIASES, LENGTHS, INITIAL_H, INITIAL_C, PEEPHOLES };
/* Inputs of a Recurrence: the product, R with each matrix transposed, GRU's bias that stands apart, and the last four.
 */
enum { SUMS, STATE_WEIGHTS, BIAS, STATE_LENGTHS, STATE_H, STATE_C, STATE_PEEPHOLES };

typedef struct {
    const char *name, *kernel;
    int gates, formulas;
    const char *activations[3]; /* what f, g and h are by default */
} Cell;

static const Cell CELLS[] = {
    {"LSTM", "lstm", 4, 3, {"Sigmoid", "Tanh", "Tanh"}},
    {"GRU", "gru", 3, 2, {"Sigmoid", "Tanh"}},
    {"RNN", "rnn", 1, 1, {"Tanh"}},
};

static const Cell *cell_of(const char *name) {
    const Cell *cell = CELLS;
    while (strcmp(cell->name, name) != 0) cell++;
    return cell;
}

/* Activations as give_formula() takes them, with the defaults of their parameters; NAN: ONNX has none. */
typedef struct {
    const char *name, *formula;
    double alpha, beta;
} Activation;

static const Activation ACTIVATIONS[] = {
    {"Relu", "relu", 0, 0},
    {"Tanh", "tanh", 0, 0},
    {"Sigmoid", "sigmoid", 0, 0},
    {"Affine", "multiply alpha add beta", NAN, NAN},
    {"LeakyRelu", "leaky_relu alpha", 0.01, 0},
    {"ThresholdedRelu", "thresholded_relu alpha", 1, 0},
    {"ScaledTanh", "multiply beta tanh multiply alpha", NAN, NAN},
    {"HardSigmoid", "hard_sigmoid alpha beta", 0.2, 0.5},
    {"Elu", "elu alpha", 1, 0},
    {"Softsign", "softsign", 0, 0},
    {"Softplus", "softplus", 0, 0},
};

/* Directions */

static int direction_count(const Node *node) {
    return strcmp(attr_string(node, "direction"), "bidirectional") == 0 ? 2 : 1;
}

static bool is_reverse(const Node *node, int direction) {
    return direction == 1 || strcmp(attr_string(node, "direction"), "reverse") == 0;
}

static bool batch_first(const Node *node) { return attr_int(node, "layout") != 0; }

/* Activations */

/* The text for name; fails where it is none. */
static const Activation *find_activation(const Node *node, const char *name) {
    for (size_t i = 0; i < sizeof ACTIVATIONS / sizeof *ACTIVATIONS; i++)
        if (strcmp(ACTIVATIONS[i].name, name) == 0) return &ACTIVATIONS[i];
    node_fail(node, STATUS_INVALID, "%s is no activation of a recurrent layer", quoted(name));
}

/* A number for `word`, alpha or beta, in an activation's formula: element *at of the list, and the next place, where
 * it has such a parameter; its default where the list is too short. */
static double take_parameter(const Node *node, const Activation *activation, const char *word, int *at) {
    const char *list = arena_printf(node->graph->arena, "activation_%s", word);
    const Attribute *given = node_attribute(node, list);
    const double preset = word[0] == 'a' ? activation->alpha : activation->beta;
    if (strstr(activation->formula, word) == NULL) return 0;
    if (given != NULL && *at < given->count) return (double)given->numbers[(*at)++];
    if (isnan(preset))
        node_fail(node, STATUS_INVALID, "%s has no value for %s, which has no default", list, activation->name);
    return preset;
}

static const char *with_number(Arena *arena, const char *text, const char *word, double number) {
    const char *at = strstr(text, word);
    if (at == NULL) return text;
    return arena_printf(arena, "%.*s%.9g%s", (int)(at - text), text, number, at + strlen(word));
}

/* The formula of activation i of all, from those of direction 0 on. Parameters are in the order of the activations that
 * have some (ONNX: "the values are consumed in the order of activation functions"). */
static const char *activation_text(const Node *node, const Cell *cell, int i) {
    const Attribute *given = node_attribute(node, "activations");
    Arena *arena = node->graph->arena;
    const char *text = "";
    for (int k = 0, alphas = 0, betas = 0; k <= i; k++) {
        const char *name = given == NULL ? cell->activations[k % cell->formulas] : given->strings[k];
        const Activation *activation = find_activation(node, name);
        const double alpha = take_parameter(node, activation, "alpha", &alphas);
        const double beta = take_parameter(node, activation, "beta", &betas);
        text = with_number(arena, with_number(arena, activation->formula, "alpha", alpha), "beta", beta);
    }
    return text;
}

/* Formula i of a direction: the activation, of a sum of a gate that is clipped. LSTM's h is of no such sum: as ONNX
 * Runtime has it, the memory is not clipped. */
static const char *formula_text(const Node *node, const Cell *cell, int direction, int i) {
    const char *text = activation_text(node, cell, direction * cell->formulas + i);
    const Attribute *clip = node_attribute(node, "clip");
    if (clip == NULL || i == 2) return text;
    double bound = (double)clip->number;
    return arena_printf(node->graph->arena, "at_least %.9g at_most %.9g %s", -bound, bound, text);
}

static void check_attributes(const Node *node, const Cell *cell) {
    const char *direction = attr_string(node, "direction");
    const Attribute *activations = node_attribute(node, "activations"), *clip = node_attribute(node, "clip");
    const int count = direction_count(node) * cell->formulas;
    if (strcmp(direction, "forward") != 0 && strcmp(direction, "reverse") != 0 && direction_count(node) == 1)
        node_fail(node, STATUS_INVALID, "direction is %s, expected 'forward', 'reverse' or 'bidirectional'",
                  quoted(direction));
    if (activations != NULL && activations->count != count)
        node_fail(node, STATUS_INVALID, "%d activations, expected %d", activations->count, count);
    if (clip != NULL && !(clip->number > 0))
        node_fail(node, STATUS_INVALID, "clip is %g, expected a number above 0", (double)clip->number);
    for (int i = 0; i < count; i++) activation_text(node, cell, i);
}

/* Shapes */

typedef struct {
    Dim steps, batch, directions, hidden;
} Sizes;

/* An input has to have these dimensions, the first `rank` of them. Those that are not known yet are learnt. */
static void check_shape(const Node *node, int i, int rank, Dim *dims) {
    static const char *const names[] = {"X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P"};
    const Value *input = node_input(node, i);
    if (input == NULL || input->shape.rank < 0) return;
    if (input->shape.rank != rank)
        node_fail(node, STATUS_INVALID, "input %d (%s) has %d dimensions, expected %d", i, names[i], input->shape.rank,
                  rank);
    const char *what = arena_printf(node->graph->arena, "a dimension of input %d (%s)", i, names[i]);
    for (int d = 0; d < rank; d++) dims[d] = dim_unify(node, dims[d], input->shape.dims[d], what);
}

static Dim unknown(void) { return (Dim){-1, NULL}; }

/* The hidden size as the node states it or R has it. */
static Dim hidden_of(const Node *node) {
    const Attribute *stated = node_attribute(node, "hidden_size");
    const Shape *r = &node->inputs.items[R]->shape;
    Dim hidden = r->rank == 3 ? r->dims[2] : unknown();
    if (stated != NULL && (stated->integer < 1 || stated->integer > INT32_MAX))
        node_fail(node, STATUS_INVALID, "hidden_size is %lld", (long long)stated->integer);
    if (stated != NULL) hidden = dim_unify(node, hidden, dim_known(stated->integer), "hidden_size");
    if (hidden.size == 0) node_fail(node, STATUS_INVALID, "the hidden size is 0");
    return hidden;
}

static Sizes check_inputs(const Node *node, const Cell *cell) {
    Sizes s = {unknown(), unknown(), dim_known(direction_count(node)), hidden_of(node)};
    const bool first = batch_first(node);
    Dim gates = dim_multiply(node, s.hidden, dim_known(cell->gates)), width;
    Dim x[] = {unknown(), unknown(), unknown()};
    check_shape(node, X, 3, x);
    s.steps = x[first], s.batch = x[!first], width = x[2];
    if (width.size == 0) node_fail(node, STATUS_INVALID, "a step of its input has no elements");
    check_shape(node, W, 3, (Dim[]){s.directions, gates, width});
    check_shape(node, R, 3, (Dim[]){s.directions, gates, s.hidden});
    check_shape(node, BIASES, 2, (Dim[]){s.directions, dim_multiply(node, gates, dim_known(2))});
    check_shape(node, LENGTHS, 1, (Dim[]){s.batch});
    for (int i = INITIAL_H; i <= INITIAL_C; i++)
        check_shape(node, i, 3, (Dim[]){first ? s.batch : s.directions, first ? s.directions : s.batch, s.hidden});
    check_shape(node, PEEPHOLES, 2, (Dim[]){s.directions, dim_multiply(node, s.hidden, dim_known(3))});
    return s;
}

static void give_shapes(Node *node, const Sizes *s) {
    const bool first = batch_first(node);
    Shape all = {.rank = 4, .dims = {s->steps, s->directions, s->batch, s->hidden}};
    Shape end = {.rank = 3, .dims = {s->directions, s->batch, s->hidden}};
    if (first) {
        all = (Shape){.rank = 4, .dims = {s->batch, s->steps, s->directions, s->hidden}};
        end = (Shape){.rank = 3, .dims = {s->batch, s->directions, s->hidden}};
    }
    for (int i = 0; i < node->outputs.count; i++)
        if (node->outputs.items[i] != NULL) node->outputs.items[i]->shape = i == 0 ? all : end;
}

/* Lengths that are known have to be between 0 and the number of steps; the kernels see to it where they are not. */
static void check_lengths(const Node *node, Dim steps) {
    const Value *lengths = node_input(node, LENGTHS);
    if (lengths == NULL || lengths->constant == NULL || steps.size < 0) return;
    for (int64_t i = 0; i < tensor_count(lengths->constant); i++) {
        const int64_t length = tensor_int(lengths->constant, i);
        if (length < 0 || length > steps.size)
            node_fail(node, STATUS_INVALID, "sequence %lld has %lld steps, expected 0 to %lld", (long long)i,
                      (long long)length, (long long)steps.size);
    }
}

static void infer_layer(Node *node) {
    const Cell *cell = cell_of(node->op->name);
    check_attributes(node, cell);
    Sizes sizes = check_inputs(node, cell);
    check_lengths(node, sizes.steps);
    give_shapes(node, &sizes);
}

/* Where shapes are known it has been expanded. */
static int64_t macs_layer(const Node *node) {
    (void)node;
    return -1;
}

/* Expansion */

static Value *columns(Expansion *e, Value *matrix, int64_t from, int64_t to) {
    return expand_slice(e, matrix, 1, from, to, 1);
}

/* What is added to each gate's sum, [D][gates * hidden]: both biases, but of GRU's last gate with linear_before_reset
 * only that of W; that of R is *apart. */
static Value *sum_biases(Expansion *e, int64_t gates, int64_t hidden, Value **apart) {
    Value *biases = node_input(e->node, BIASES);
    *apart = NULL;
    if (biases == NULL) return NULL;
    const bool linear = strcmp(e->node->op->name, "GRU") == 0 && attr_int(e->node, "linear_before_reset") != 0;
    const int64_t all = gates * hidden, summed = linear ? all - hidden : all;
    Value *sum = expand_op(e, "Add", columns(e, biases, 0, summed), columns(e, biases, all, all + summed));
    if (!linear) return sum;
    *apart = columns(e, biases, all + summed, 2 * all);
    return expand_concat(e, sum, columns(e, biases, summed, all), 1);
}

/* The sums of all gates as far as they depend on the inputs, of both directions in one product. */
static Value *input_sums(Expansion *e, Value *bias, int64_t rows) {
    Value *w = e->node->inputs.items[W];
    w = expand_transpose(e, expand_reshape(e, w, rows, size_of(w, 2)), 1, 0);
    Value *sums = expand_op(e, "MatMul", e->node->inputs.items[X], w);
    return bias == NULL ? sums : expand_op(e, "Add", sums, expand_reshape(e, bias, rows));
}

static void expand_layer(Expansion *e) {
    const Node *node = e->node;
    const Cell *cell = cell_of(node->op->name);
    Value *r = node->inputs.items[R], *apart;
    const int64_t hidden = size_of(r, 2), rows = direction_count(node) * cell->gates * hidden;
    Value *bias = sum_biases(e, cell->gates, hidden, &apart);
    Value *const given[] = {input_sums(e, bias, rows),  expand_transpose(e, r, 0, 2, 1), apart,
                            node_input(node, LENGTHS),  node_input(node, INITIAL_H),     node_input(node, INITIAL_C),
                            node_input(node, PEEPHOLES)};
    ValueList inputs = {0};
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) list_add(node->graph->arena, &inputs, given[i]);
    Node *steps = expand_own_node(e, "Recurrence", inputs.count, inputs.items, &node->outputs);
    for (int i = 0; i < node->attributes.count; i++)
        list_add(node->graph->arena, &steps->attributes, node->attributes.items[i]);
    node_set_string(steps, "cell", cell->name);
}

/* The steps */

static Sizes sizes_of(const Node *node) {
    const Shape *sums = &node->inputs.items[SUMS]->shape, *w = &node->inputs.items[STATE_WEIGHTS]->shape;
    const bool first = batch_first(node);
    return (Sizes){sums->dims[first], sums->dims[!first], w->dims[0], w->dims[1]};
}

static void infer_steps(Node *node) {
    Sizes sizes = sizes_of(node);
    give_shapes(node, &sizes);
}

static int64_t macs_steps(const Node *node) {
    const Shape *sums = &node->inputs.items[SUMS]->shape;
    int64_t count;
    bool known = shape_is_known(sums) && checked_multiply(shape_count(sums), sizes_of(node).hidden.size, &count);
    return known ? count : -1;
}

/* A value from an element on, or NULL. */
static void give(Program *program, Step *step, const char *parameter, const Value *value, int64_t offset) {
    step_buffer(step, parameter, value == NULL ? NULL : program_buffer(program, value), value == NULL ? 0 : offset);
}

/* Where the states of a direction begin, and how far those of two sequences are apart. */
typedef struct {
    int64_t offset, stride;
} States;

static States states_of(const Node *node, int64_t direction) {
    Sizes s = sizes_of(node);
    if (batch_first(node)) return (States){direction * s.hidden.size, s.directions.size * s.hidden.size};
    return (States){direction * s.batch.size * s.hidden.size, s.hidden.size};
}

static void give_sizes(Step *step, const Node *node, const Cell *cell) {
    Sizes s = sizes_of(node);
    const int64_t row = s.directions.size * cell->gates * s.hidden.size, all = s.directions.size * s.hidden.size;
    const bool first = batch_first(node);
    step_size(step, "STEPS", s.steps.size), step_size(step, "N", s.batch.size);
    step_size(step, "HIDDEN", s.hidden.size);
    step_size(step, "XT", first ? row : s.batch.size * row), step_size(step, "XN", first ? s.steps.size * row : row);
    step_size(step, "YT", first ? all : s.batch.size * all);
    step_size(step, "YN", first ? s.steps.size * all : s.hidden.size);
    step_size(step, "STATE", states_of(node, 0).stride);
}

/* What only one kind of cell has. */
static void give_rest(Program *program, Step *step, const Node *node, const Cell *cell, int direction) {
    const int64_t hidden = sizes_of(node).hidden.size, offset = states_of(node, direction).offset;
    if (strcmp(cell->name, "LSTM") == 0) {
        give(program, step, "peephole", node_input(node, STATE_PEEPHOLES), direction * 3 * hidden);
        give(program, step, "c0", node_input(node, STATE_C), offset);
        give(program, step, "cell", node_output(node, 2), offset);
        step_size(step, "COUPLED", attr_int(node, "input_forget") != 0);
    } else if (strcmp(cell->name, "GRU") == 0) {
        give(program, step, "bias", node_input(node, BIAS), direction * hidden);
        step_size(step, "LINEAR", attr_int(node, "linear_before_reset") != 0);
    }
}

static void lower_direction(Program *program, const Node *node, const Cell *cell, int direction) {
    static const char *const formulas[] = {"f", "g", "h"};
    const int64_t hidden = sizes_of(node).hidden.size, offset = states_of(node, direction).offset;
    Step *step = step_kernel(program, cell->kernel, node->inputs.items[SUMS]->type);
    give(program, step, "x", node->inputs.items[SUMS], direction * cell->gates * hidden);
    give(program, step, "w", node->inputs.items[STATE_WEIGHTS], direction * cell->gates * hidden * hidden);
    step_value(program, step, "lengths", node_input(node, STATE_LENGTHS));
    give(program, step, "h0", node_input(node, STATE_H), offset);
    give(program, step, "y", node_output(node, 0), offset);
    give(program, step, "hidden", node_output(node, 1), offset);
    for (int i = 0; i < cell->formulas; i++)
        give_formula(program, step, formulas[i], formula_text(node, cell, direction, i));
    step_size(step, "REVERSE", is_reverse(node, direction));
    give_sizes(step, node, cell);
    give_rest(program, step, node, cell, direction);
}

static void lower_steps(Program *program, Node *node) {
    for (int i = 0; i < node->outputs.count; i++)
        if (node->outputs.items[i] != NULL) program_buffer(program, node->outputs.items[i]);
    Sizes sizes = sizes_of(node);
    for (int d = 0; sizes.batch.size > 0 && d < sizes.directions.size; d++)
        lower_direction(program, node, cell_of(attr_string(node, "cell")), d);
}

/* Sequences of a batch, wherever the layout has them. */
static int carry_steps(const Node *node, int input, int axis, int output) {
    const int batch = batch_first(node) ? 0 : 1; /* of [steps batch gates] and of [directions batch hidden] */
    if (input != SUMS && input != STATE_LENGTHS && input != STATE_H && input != STATE_C) return -1;
    if (axis != (input == STATE_LENGTHS ? 0 : batch)) return -1;
    return output == 0 && !batch_first(node) ? 2 : batch;
}

#define ATTRIBUTES "activation_alpha:floats activation_beta:floats clip:float direction:string=forward hidden_size:int "

const Op OPS_recurrent[] = {
    {.name = "LSTM",
     .versions = {7, 14, 22},
     .inputs = "X:T W:T R:T B:T? sequence_lens:int32? initial_h:T? initial_c:T? P:T?",
     .outputs = "Y:T? Y_h:T? Y_c:T?",
     .types = "T: floats",
     .attributes = ATTRIBUTES "activations:strings input_forget:int=0 layout:int@14=0",
     .infer = infer_layer,
     .macs = macs_layer,
     .expand = expand_layer},
    {.name = "GRU",
     .versions = {7, 14, 22},
     .inputs = "X:T W:T R:T B:T? sequence_lens:int32? initial_h:T?",
     .outputs = "Y:T? Y_h:T?",
     .types = "T: floats",
     .attributes = ATTRIBUTES "activations:strings layout:int@14=0 linear_before_reset:int=0",
     .infer = infer_layer,
     .macs = macs_layer,
     .expand = expand_layer},
    {.name = "RNN",
     .versions = {7, 14, 22},
     .inputs = "X:T W:T R:T B:T? sequence_lens:int32? initial_h:T?",
     .outputs = "Y:T? Y_h:T?",
     .types = "T: floats",
     .attributes = ATTRIBUTES "activations:strings=Tanh,Tanh layout:int@14=0",
     .infer = infer_layer,
     .macs = macs_layer,
     .expand = expand_layer},
    {.name = "Recurrence",
     .domain = FUSED_DOMAIN,
     .versions = {1},
     .inputs = "sums:T R:T bias:T? sequence_lens:int32? initial_h:T? initial_c:T? P:T?",
     .outputs = "Y:T? Y_h:T? Y_c:T?",
     .types = "T: floats",
     .attributes =
         ATTRIBUTES "activations:strings cell:string! input_forget:int=0 layout:int=0 linear_before_reset:int=0",
     .infer = infer_steps,
     .carry = carry_steps,
     .macs = macs_steps,
     .lower = lower_steps},
    {0},
};
