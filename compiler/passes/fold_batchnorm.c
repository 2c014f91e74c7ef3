/* Fold: a BatchNormalization, or a product with or sum with a constant for each channel, that follows a Conv,
 * ConvTranspose or Gemm goes into its weights and bias, which become new constants: computed in double, rounded once.
 * Jacob et al., Quantization and Training of Neural Networks, 2018, section 3.2, has the formulas.
 * What is left of BatchNormalization is taken apart into a product and a sum. And where SiLU follows, weights multiply
 * by what its exponential would begin with. */
#include "ops/fused.h"
#include "ops/op.h"
#include "passes/fuse.h"

#include <math.h>
#include <string.h>

#define LOG2_E 1.4426950408889634

/* y = x * factor[c] + shift[c] for every channel c. */
typedef struct {
    int64_t channels;
    double *factor, *shift;
    bool scales, shifts; /* whether any factor is not 1, any shift not 0 */
} Affine;

/* Where output channels are in weights: element ((g * outer + o) * per + k) * inner + i is of channel g * per + k. */
typedef struct {
    int64_t groups, outer, per, inner;
} Layout;

static bool is_op(const Node *node, const char *op_type) {
    return node->domain[0] == '\0' && strcmp(node->op_type, op_type) == 0;
}

/* The constants of a BatchNormalization. */
static bool compose_batchnorm(const Node *node, Affine *affine) {
    const Tensor *vectors[5] = {NULL};
    for (int i = 1; i < 5; i++) {
        vectors[i] = node->inputs.items[i]->constant;
        if (vectors[i] == NULL || tensor_count(vectors[i]) != affine->channels) return false;
    }
    double epsilon = (double)attr_float(node, "epsilon");
    for (int64_t c = 0; c < affine->channels; c++) {
        double factor = tensor_number(vectors[1], c) / sqrt(tensor_number(vectors[4], c) + epsilon);
        affine->factor[c] *= factor;
        affine->shift[c] = (affine->shift[c] - tensor_number(vectors[3], c)) * factor + tensor_number(vectors[2], c);
    }
    affine->scales = affine->shifts = true;
    return true;
}

/* Whether a constant has one element, or one for each channel of a value of the given rank, and broadcasts to it. */
static bool is_per_channel(const Tensor *constant, int rank, int64_t channels) {
    const Shape *shape = &constant->shape;
    if (shape->rank > rank) return false;
    for (int i = 0; i < shape->rank; i++) {
        bool at_channels = i + rank - shape->rank == 1;
        if (shape->dims[i].size != 1 && !(at_channels && shape->dims[i].size == channels)) return false;
    }
    return true;
}

/* Add, Sub, Mul or Div of x, which is input `side`, and a constant. */
static bool compose_arithmetic(const Node *node, const Value *x, Affine *affine) {
    int side = node->inputs.items[0] == x ? 0 : 1;
    const Tensor *other = node->inputs.items[1 - side]->constant;
    bool add = is_op(node, "Add"), subtract = is_op(node, "Sub"), multiply = is_op(node, "Mul");
    bool divide = is_op(node, "Div") && side == 0;
    if (!(add || subtract || multiply || divide) || other == NULL) return false;
    if (!is_per_channel(other, x->shape.rank, affine->channels)) return false;
    int64_t step = tensor_count(other) == 1 ? 0 : 1;
    for (int64_t c = 0; c < affine->channels; c++) {
        double number = tensor_number(other, c * step);
        double factor = multiply ? number : divide ? 1 / number : subtract && side == 1 ? -1 : 1;
        double shift = add ? number : !subtract ? 0 : side == 1 ? number : -number;
        affine->factor[c] *= factor;
        affine->shift[c] = affine->shift[c] * factor + shift;
        if (factor != 1) affine->scales = true;
        if (shift != 0) affine->shifts = true;
    }
    return true;
}

/* The one node that reads a value which nobody else sees; NULL where there is none. */
static Node *sole_consumer(const Value *value) {
    bool seen = value->is_output || value->is_probed || value->consumers.count != 1;
    return seen ? NULL : value->consumers.items[0];
}

/* Adds what a node does with x to the affine map, if it is one. */
static bool compose(const Node *node, const Value *x, Affine *affine) {
    if (node->graph != x->producer->graph || node->outputs.items[0]->type != x->type) return false;
    if (is_op(node, "BatchNormalization")) return node->inputs.items[0] == x && compose_batchnorm(node, affine);
    return node->inputs.count == 2 && compose_arithmetic(node, x, affine);
}

static bool conv_layout(const Node *node, Layout *layout) {
    const Shape *w = &node->inputs.items[1]->shape;
    *layout = (Layout){1, 1, w->dims[0].size, shape_product(w, 1, w->rank)};
    return true;
}

static bool transposed_layout(const Node *node, Layout *layout) {
    const Shape *w = &node->inputs.items[1]->shape;
    int64_t groups = attr_int(node, "group");
    *layout = (Layout){groups, w->dims[0].size / groups, w->dims[1].size, shape_product(w, 2, w->rank)};
    return true;
}

/* C is left alone but where it is a row, which a bias is. */
static bool gemm_layout(const Node *node, Layout *layout) {
    const Shape *w = &node->inputs.items[1]->shape;
    const Value *c = node_input(node, 2);
    bool across = attr_int(node, "transB") != 0;
    int64_t columns = w->dims[!across].size;
    bool row = c == NULL || (shape_is_known(&c->shape) && c->shape.rank > 0 && shape_count(&c->shape) == columns &&
                             c->shape.dims[c->shape.rank - 1].size == columns);
    *layout = across ? (Layout){1, 1, columns, w->dims[1].size} : (Layout){1, w->dims[0].size, columns, 1};
    return row && attr_float(node, "beta") == 1;
}

static const struct {
    const char *op_type;
    bool (*layout)(const Node *node, Layout *layout);
} producers[] = {{"Conv", conv_layout}, {"ConvTranspose", transposed_layout}, {"Gemm", gemm_layout}};

/* Whether a node has constant weights and bias that an affine map may go into. */
static bool can_take(const Node *node, Layout *layout) {
    for (size_t i = 0; i < sizeof producers / sizeof *producers; i++) {
        if (!is_op(node, producers[i].op_type)) continue;
        const Value *weights = node->inputs.items[1], *bias = node_input(node, 2);
        bool constant = weights->constant != NULL && (bias == NULL || bias->constant != NULL);
        return constant && type_is_float(weights->type) && producers[i].layout(node, layout);
    }
    return false;
}

static Tensor *scaled_weights(Arena *arena, const Tensor *weights, const Layout *layout, const double *factor) {
    Tensor *scaled = tensor_new(arena, weights->type, &weights->shape);
    int64_t run = layout->per * layout->inner;
    for (int64_t row = 0; row < layout->groups * layout->outer; row++) {
        const double *of_group = factor + row / layout->outer * layout->per;
        for (int64_t k = 0; k < layout->per; k++)
            for (int64_t i = row * run + k * layout->inner; i < row * run + (k + 1) * layout->inner; i++)
                tensor_set(scaled, i, tensor_number(weights, i) * of_group[k]);
    }
    return scaled;
}

static Tensor *shifted_bias(Arena *arena, const Tensor *bias, Type type, const Affine *affine) {
    Shape shape = shape_of(1, &affine->channels);
    Tensor *shifted = tensor_new(arena, type, &shape);
    for (int64_t c = 0; c < affine->channels; c++)
        tensor_set(shifted, c, (bias == NULL ? 0 : tensor_number(bias, c)) * affine->factor[c] + affine->shift[c]);
    return shifted;
}

/* Gives input i other data: in its own value, where nobody else reads that, else in a new one. */
static void set_constant(Node *node, int i, const char *name, Tensor *tensor) {
    Value *old = node_input(node, i);
    if (i == node->inputs.count) list_add(node->graph->arena, &node->inputs, (Value *)NULL);
    if (old != NULL && old->consumers.count == 1 && !old->is_output && !old->is_probed)
        old->constant = tensor, old->shape = tensor->shape;
    else node->inputs.items[i] = graph_constant(node->graph, graph_free_name(node->graph, name), tensor);
}

/* "conv1.weight" has a "conv1.bias"; other names get one behind them. */
static const char *name_bias(Arena *arena, const char *weights) {
    static const char ending[] = "weight";
    size_t stem = strlen(weights), cut = sizeof ending - 1;
    if (stem > cut && strcmp(weights + stem - cut, ending) == 0)
        return arena_printf(arena, "%.*sbias", (int)(stem - cut), weights);
    return arena_printf(arena, "%s_bias", weights);
}

/* Gives a node new constants and lets it make `output`. */
static void take(Node *node, const Layout *layout, const Affine *affine, Value *output) {
    Arena *arena = node->graph->arena;
    const Value *weights = node->inputs.items[1], *bias = node_input(node, 2);
    const char *bias_name = bias != NULL ? bias->name : name_bias(arena, weights->name);
    Tensor *shifted = shifted_bias(arena, bias == NULL ? NULL : bias->constant, weights->type, affine);
    if (bias != NULL || affine->shifts) set_constant(node, 2, bias_name, shifted);
    if (affine->scales)
        set_constant(node, 1, weights->name, scaled_weights(arena, weights->constant, layout, affine->factor));
    node->outputs.items[0] = output;
    output->producer = node;
}

static Affine affine_new(Arena *arena, int64_t channels) {
    Affine affine = {channels, arena_new_array(arena, double, (size_t)channels),
                     arena_new_array(arena, double, (size_t)channels), false, false};
    for (int64_t c = 0; c < channels; c++) affine.factor[c] = 1;
    return affine;
}

/* A node of two operands whose work is that of another. */
static Node *arithmetic_node(Graph *graph, const Node *node, const char *op_type, Value *x, Value *operand, Value *y) {
    Node *made = pass_node(graph, "", op_type, node);
    list_add(graph->arena, &made->inputs, x);
    list_add(graph->arena, &made->inputs, operand);
    list_add(graph->arena, &made->outputs, y);
    y->producer = made;
    return made;
}

/* A value like another, which takes its name with a number behind it. */
static Value *value_like(Graph *graph, const Value *other) {
    Value *value = graph_value(graph, other->name);
    value->type = other->type, value->shape = other->shape;
    return value;
}

/* x sigmoid x is a function of z = -log2(e) x that takes fewer steps: where that is all that reads x, weights multiply
 * by so much. A probe may still show x: what is decided does not depend on probes, so that outputs keep their bits. */
static bool scale_for_swish(const Value *x, Affine *affine) {
    const Node *swish = x->consumers.count == 1 && !x->is_output ? x->consumers.items[0] : NULL;
    if (swish == NULL || !is_op(swish, "Swish") || swish->graph != x->producer->graph) return false;
    if (x->type != TYPE_FLOAT || attr_float(swish, "alpha") != 1) return false;
    for (int64_t c = 0; c < affine->channels; c++) affine->factor[c] *= -LOG2_E, affine->shift[c] *= -LOG2_E;
    affine->scales = true;
    return true;
}

static void make_power_swish(Node *swish) {
    swish->stands_for = swish->op_type;
    swish->op_type = "PowerSwish", swish->domain = FUSED_DOMAIN;
    swish->op = op_find(FUSED_DOMAIN, swish->op_type);
    swish->version = op_newest(swish->op);
    swish->attributes.count = 0;
}

/* Lets the Swish of x, which is probed, read z = -log2(e) x. Adds the node that makes x of it. */
static Value *remake_probed(Graph *graph, const Node *node, Value *x, NodeList *nodes) {
    Tensor *tensor = tensor_new(graph->arena, TYPE_FLOAT, &(Shape){.rank = 0});
    tensor_set(tensor, 0, -1 / LOG2_E);
    Value *z = value_like(graph, x), *factor = graph_constant(graph, graph_free_name(graph, x->name), tensor);
    x->consumers.items[0]->inputs.items[0] = z;
    list_add(graph->arena, nodes, arithmetic_node(graph, node, "Mul", z, factor, x));
    return z;
}

/* Collects the affine nodes after a node, marks them and gives their work to it, which comes last in the list. */
static void fold_after(Graph *graph, Node *node, NodeList *nodes) {
    Layout layout;
    if (!can_take(node, &layout)) return;
    Affine affine = affine_new(graph->arena, layout.groups * layout.per);
    Value *output = node->outputs.items[0], *last = output;
    for (Node *next; (next = sole_consumer(last)) != NULL && compose(next, last, &affine);) {
        next->mark = true;
        node_absorb(node, next);
        last = next->outputs.items[0];
    }
    if (scale_for_swish(last, &affine)) {
        make_power_swish(last->consumers.items[0]);
        if (last->is_probed) last = remake_probed(graph, node, last, nodes);
    }
    if (last != output || affine.scales) take(node, &layout, &affine, last);
}

/* A constant for each channel of x, named like another. */
static Value *channel_constant(Graph *graph, const Value *x, const Value *named, const double *numbers) {
    Shape column = shape_of(1, &x->shape.dims[1].size);
    for (int d = 2; d < x->shape.rank; d++) column.dims[column.rank++] = dim_known(1);
    Tensor *tensor = tensor_new(graph->arena, x->type, &column);
    for (int64_t c = 0; c < x->shape.dims[1].size; c++) tensor_set(tensor, c, numbers[c]);
    return graph_constant(graph, graph_free_name(graph, named->name), tensor);
}

/* What is left of BatchNormalization becomes a product and a sum, added to the list, which fuse with what is around
 * them and take maps as they lie. Returns false where it is to stay: with types that are rounded after each operator.
 */
static bool take_apart(Graph *graph, const Node *node, NodeList *nodes) {
    if (!is_op(node, "BatchNormalization")) return false;
    Value *x = node->inputs.items[0], *output = node->outputs.items[0];
    if (type_info(x->type)->compute != x->type || x->shape.rank < 2 || x->shape.dims[1].size < 0) return false;
    Affine affine = affine_new(graph->arena, x->shape.dims[1].size);
    if (!compose_batchnorm(node, &affine)) return false;
    Value *scaled = value_like(graph, output);
    Value *factor = channel_constant(graph, x, node->inputs.items[1], affine.factor);
    Value *shift = channel_constant(graph, x, node->inputs.items[2], affine.shift);
    list_add(graph->arena, nodes, arithmetic_node(graph, node, "Mul", x, factor, scaled));
    list_add(graph->arena, nodes, arithmetic_node(graph, node, "Add", scaled, shift, output));
    return true;
}

void pass_fold_batchnorm(Graph *graph, const PassOptions *options) {
    if (!fuse_allows(options, "batchnorm")) return;
    NodeList nodes = {0};
    for (int i = 0; i < graph->nodes.count; i++) graph->nodes.items[i]->mark = false;
    for (int i = 0; i < graph->nodes.count; i++) {
        Node *node = graph->nodes.items[i];
        if (node->mark || take_apart(graph, node, &nodes)) continue;
        list_add(graph->arena, &nodes, node);
        fold_after(graph, node, &nodes);
    }
    graph->nodes = nodes;
    graph_index(graph);
}
