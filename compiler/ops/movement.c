/* Movement: operators that give each element another place, and the moves that they and other families are made of.
 * Where all strides of input and output are known it is a loop nest; Trilu and ReverseSequence are kernels. */
#include "ops/movement.h"

#include "base/checked.h"
#include "ops/carry.h"
#include "ops/gradient.h"

#include <string.h>

void move_dimension(Move *move, int64_t extent, int64_t from, int64_t to) {
    if (extent == 1) return;
    int last = move->rank - 1;
    if (last >= 0 && extent > 0 && move->from[last] == from * extent && move->to[last] == to * extent) {
        move->extent[last] *= extent;
        move->from[last] = from, move->to[last] = to;
        return;
    }
    fovea_assert(move->rank < MOVE_RANK);
    move->extent[move->rank] = extent;
    move->from[move->rank] = from, move->to[move->rank] = to;
    move->rank++;
}

static int64_t move_count(const Move *move) {
    int64_t count = 1;
    for (int d = 0; d < move->rank; d++) count *= move->extent[d];
    return count;
}

/* Loops know neither strings nor complex numbers; views do. */
static void check_type(const Program *program, Type type) {
    TypeClass class = type_info(type)->class;
    if (class == CLASS_STRING || class == CLASS_COMPLEX)
        node_fail(program->current, STATUS_UNSUPPORTED, "type %s is not supported", type_info(type)->name);
}

/* The same move, its dimensions in the order in which the output's elements lie in memory. */
static Move in_memory_order(const Move *move) {
    int order[MOVE_RANK];
    Move sorted = {.from_offset = move->from_offset, .to_offset = move->to_offset};
    for (int d = 0; d < move->rank; d++) {
        int at = d;
        for (; at > 0 && move->to[order[at - 1]] < move->to[d]; at--) order[at] = order[at - 1];
        order[at] = d;
    }
    for (int i = 0; i < move->rank; i++)
        move_dimension(&sorted, move->extent[order[i]], move->from[order[i]], move->to[order[i]]);
    return sorted;
}

void move_buffers(Program *program, const Move *move, Buffer *from, Buffer *to) {
    check_type(program, from->type);
    if (move_count(move) == 0) return;
    if (move->rank > MAX_RANK)
        node_fail(program->current, STATUS_UNSUPPORTED,
                  "moving these elements needs %d nested loops, at most %d can be", move->rank, MAX_RANK);
    Move forward = *move;
    for (int d = 0; d < forward.rank; d++) { /* what is written is written in order */
        if (forward.to[d] >= 0) continue;
        forward.from_offset += (forward.extent[d] - 1) * forward.from[d];
        forward.to_offset += (forward.extent[d] - 1) * forward.to[d];
        forward.from[d] = -forward.from[d], forward.to[d] = -forward.to[d];
    }
    forward = in_memory_order(&forward);
    Loop *loop = step_loop(program, forward.rank, forward.extent);
    loop_input(loop, from, forward.from_offset, forward.from);
    loop_output(loop, to, forward.to_offset, forward.to);
}

static bool moves_nothing(const Move *move) {
    bool in_line = move->rank == 0 || (move->rank == 1 && move->from[0] == 1 && move->to[0] == 1);
    return in_line && move->from_offset == 0 && move->to_offset == 0;
}

void move_value(Program *program, const Move *move, const Value *from, const Value *to) {
    int64_t count = shape_count(&to->shape);
    bool whole = shape_count(&from->shape) == count && move_count(move) == count;
    Move sorted = in_memory_order(move);
    if (whole && (count == 0 || moves_nothing(&sorted))) program_view(program, to, from);
    else move_buffers(program, move, program_buffer(program, from), program_buffer(program, to));
}

void move_all(Program *program, const Value *from, const Value *to) {
    Move move = {0};
    move_dimension(&move, shape_count(&from->shape), 1, 1);
    move_buffers(program, &move, program_buffer(program, from), program_buffer(program, to));
}

static Loop *fill_loop(Program *program, const Value *to) {
    int64_t count = shape_count(&to->shape);
    Buffer *buffer = program_buffer(program, to);
    check_type(program, to->type);
    if (count == 0) return NULL;
    Loop *loop = step_loop(program, 1, &count);
    loop_output(loop, buffer, 0, (int64_t[]){1});
    return loop;
}

void fill_value(Program *program, const Value *to, const Value *scalar) {
    Loop *loop = fill_loop(program, to);
    if (loop != NULL) loop_input(loop, program_buffer(program, scalar), 0, (int64_t[]){0});
}

void fill_number(Program *program, const Value *to, double number) {
    Loop *loop = fill_loop(program, to);
    if (loop == NULL) return;
    if (type_is_float(to->type)) loop_literal(loop, to->type, number);
    else loop_literal_int(loop, to->type, (int64_t)number);
}

bool is_empty(const Value *output) { return shape_count(&output->shape) == 0; }

bool input_is_readable(const Node *node, int input) {
    const Value *value = node_input(node, input);
    return value == NULL || value->constant != NULL;
}

int input_length(const Node *node, int input) {
    const Shape *shape = &node_input(node, input)->shape;
    if (shape->rank < 0) return -1;
    if (shape->rank != 1) node_fail(node, STATUS_INVALID, "input %d has %d dimensions, expected 1", input, shape->rank);
    if (shape->dims[0].size > MAX_RANK)
        node_fail(node, STATUS_UNSUPPORTED, "input %d asks for %lld dimensions, more than %d are not supported", input,
                  (long long)shape->dims[0].size, MAX_RANK);
    return (int)shape->dims[0].size;
}

int64_t input_int(const Node *node, int input) {
    const int64_t *values;
    int count;
    node_ints(node, NULL, input, &values, &count);
    if (count != 1) node_fail(node, STATUS_INVALID, "input %d has %d elements, expected 1", input, count);
    return values[0];
}

Shape shape_open(int rank) {
    Shape shape = {.rank = rank};
    for (int i = 0; i < rank; i++) shape.dims[i] = (Dim){-1, NULL};
    return shape;
}

void shape_append(const Node *node, Shape *shape, Dim dim) {
    if (shape->rank == MAX_RANK)
        node_fail(node, STATUS_UNSUPPORTED, "the result has more than %d dimensions", MAX_RANK);
    shape->dims[shape->rank++] = dim;
}

int node_axes(const Node *node, const char *attribute, int input, int rank, int *axes) {
    const int64_t *values;
    int count;
    if (!node_ints(node, attribute, input, &values, &count)) {
        for (int i = 0; i < rank; i++) axes[i] = i;
        return rank;
    }
    unsigned seen = 0;
    for (int i = 0; i < count; i++) {
        int axis = node_axis(node, values[i], rank);
        if (seen & 1u << axis) node_fail(node, STATUS_INVALID, "axis %d is named twice", axis);
        seen |= 1u << axis;
        axes[i] = axis; /* none twice, so there are at most rank of them */
    }
    return count;
}

void check_length(const Node *node, const char *what, int count, int expected) {
    if (count != expected) node_fail(node, STATUS_INVALID, "%d %s, expected %d", count, what, expected);
}

Buffer *constant_ints(Program *program, const char *name, const int64_t *values, int count) {
    Tensor *tensor = tensor_ints(program->arena, values, count);
    return program_buffer(program, graph_constant(program->graph, name, tensor));
}

Buffer *constant_numbers(Program *program, const char *name, Type type, const double *values, int64_t count) {
    const Shape shape = shape_of(1, &count);
    Tensor *tensor = tensor_new(program->arena, type, &shape);
    for (int64_t i = 0; i < count; i++) tensor_set(tensor, i, values[i]);
    return program_buffer(program, graph_constant(program->graph, name, tensor));
}

Buffer *index_buffer(Program *program, const Value *indices) {
    if (indices->type == TYPE_INT64) return program_buffer(program, indices);
    int64_t count = shape_count(&indices->shape);
    if (indices->constant != NULL && !type_is_float(indices->type)) {
        int64_t *values = arena_new_array(program->arena, int64_t, (size_t)count);
        for (int64_t i = 0; i < count; i++) values[i] = tensor_int(indices->constant, i);
        return constant_ints(program, indices->name, values, (int)count);
    }
    Buffer *scratch = program_scratch(program, TYPE_INT64, count);
    if (count == 0) return scratch;
    Loop *loop = step_loop(program, 1, &count);
    int element = loop_input(loop, program_buffer(program, indices), 0, (int64_t[]){1});
    loop_cast(loop, element, TYPE_INT64);
    loop_output(loop, scratch, 0, (int64_t[]){1});
    return scratch;
}

/* Transpose */

/* The permutation: the attribute's, or the reverse order. */
static void read_permutation(const Node *node, int rank, int *permutation) {
    int count;
    const int64_t *given = attr_ints(node, "perm", &count);
    if (given == NULL) {
        for (int i = 0; i < rank; i++) permutation[i] = rank - 1 - i;
        return;
    }
    check_length(node, "entries in perm", count, rank);
    unsigned seen = 0;
    for (int i = 0; i < rank; i++) {
        if (given[i] < 0 || given[i] >= rank || seen & 1u << given[i])
            node_fail(node, STATUS_INVALID, "perm is no permutation of %d dimensions: entry %d is %lld", rank, i,
                      (long long)given[i]);
        seen |= 1u << given[i];
        permutation[i] = (int)given[i];
    }
}

static void infer_transpose(Node *node) {
    const Shape *from = &node->inputs.items[0]->shape;
    int permutation[MAX_RANK];
    Shape shape = shape_open(from->rank);
    if (from->rank >= 0) read_permutation(node, from->rank, permutation);
    for (int i = 0; i < from->rank; i++) shape.dims[i] = from->dims[permutation[i]];
    node->outputs.items[0]->shape = shape;
}

/* The dimensions of a shape, outermost in memory first. */
static void dimensions_in_memory(const Shape *shape, int *order) {
    for (int i = 0, at = 0; i < shape->rank; i++)
        if (!shape->channels_last || i != 1) order[at++] = i;
    if (shape->channels_last) order[shape->rank - 1] = 1;
}

static void lower_transpose(Program *program, Node *node) {
    const Value *from = node->inputs.items[0], *to = node->outputs.items[0];
    int permutation[MAX_RANK];
    int64_t from_strides[MAX_RANK], to_strides[MAX_RANK];
    read_permutation(node, from->shape.rank, permutation);
    strides_of(&from->shape, from_strides);
    strides_of(&to->shape, to_strides);
    Move move = {0};
    for (int i = 0; i < to->shape.rank; i++)
        move_dimension(&move, to->shape.dims[i].size, from_strides[permutation[i]], to_strides[i]);
    move_value(program, &move, from, to);
}

/* From a map whose channels lie last to rows, or the other way round, so that nothing has to be moved where the
 * permutation is just that. */
static MapLayout layout_transpose(const Node *node) {
    const Shape *from = &node->inputs.items[0]->shape;
    int permutation[MAX_RANK], order[MAX_RANK];
    Shape last = node->outputs.items[0]->shape;
    last.channels_last = true;
    if (from->rank < 0) return (MapLayout){READS_ANY, false}; /* lowering says so */
    read_permutation(node, from->rank, permutation);
    dimensions_in_memory(&last, order);
    bool in_place = !from->channels_last && shape_has_layout(&last);
    for (int i = 0; i < last.rank && in_place; i++) in_place = permutation[order[i]] == i;
    return (MapLayout){READS_ANY, in_place};
}

/* Expand */

static void infer_expand(Node *node) {
    const Shape *from = &node->inputs.items[0]->shape;
    Value *output = node->outputs.items[0];
    int length = input_length(node, 1), count;
    Shape target = shape_open(length);
    const int64_t *sizes;
    if (input_is_readable(node, 1)) {
        node_ints(node, NULL, 1, &sizes, &count);
        for (int i = 0; i < count; i++) {
            if (sizes[i] < 0)
                node_fail(node, STATUS_INVALID, "size %lld of dimension %d is negative", (long long)sizes[i], i);
            target.dims[i] = dim_known(sizes[i]);
        }
    }
    output->shape = shape_broadcast(node, from, &target);
}

static void lower_expand(Program *program, Node *node) {
    const Value *from = node->inputs.items[0], *to = node->outputs.items[0];
    int64_t from_strides[MAX_RANK], to_strides[MAX_RANK];
    strides_broadcast(&from->shape, to->shape.rank, from_strides);
    strides_of(&to->shape, to_strides);
    Move move = {0};
    for (int i = 0; i < to->shape.rank; i++)
        move_dimension(&move, to->shape.dims[i].size, from_strides[i], to_strides[i]);
    move_value(program, &move, from, to);
}

/* Tile */

static void infer_tile(Node *node) {
    const Shape *from = &node->inputs.items[0]->shape;
    Value *output = node->outputs.items[0];
    int length = input_length(node, 1), count;
    if (from->rank >= 0 && length >= 0) check_length(node, "repeats", length, from->rank);
    output->shape = shape_open(from->rank >= 0 ? from->rank : length);
    if (from->rank < 0 || !input_is_readable(node, 1)) return;
    const int64_t *repeats;
    node_ints(node, NULL, 1, &repeats, &count);
    for (int i = 0; i < from->rank; i++) {
        if (repeats[i] < 0) node_fail(node, STATUS_INVALID, "%lld repeats of dimension %d", (long long)repeats[i], i);
        output->shape.dims[i] = dim_multiply(node, from->dims[i], dim_known(repeats[i]));
    }
}

static void lower_tile(Program *program, Node *node) {
    const Value *from = node->inputs.items[0], *to = node->outputs.items[0];
    int64_t from_strides[MAX_RANK], to_strides[MAX_RANK];
    strides_of(&from->shape, from_strides);
    strides_of(&to->shape, to_strides);
    Move move = {0};
    for (int i = 0; i < to->shape.rank; i++) {
        int64_t extent = from->shape.dims[i].size, whole = to->shape.dims[i].size;
        move_dimension(&move, extent == 0 ? 0 : whole / extent, 0, to_strides[i] * extent);
        move_dimension(&move, extent, from_strides[i], to_strides[i]);
    }
    move_value(program, &move, from, to);
}

/* Trilu */

static void infer_trilu(Node *node) {
    int rank = node->inputs.items[0]->shape.rank;
    if (rank == 0 || rank == 1)
        node_fail(node, STATUS_INVALID, "input 0 has %d dimension%s, expected at least 2", rank, rank == 1 ? "" : "s");
    infer_same(node);
}

static void lower_trilu(Program *program, Node *node) {
    const Shape *shape = &node->inputs.items[0]->shape;
    const Value *k = node_input(node, 1);
    if (is_empty(node->outputs.items[0])) return;
    if (k != NULL && shape_count(&k->shape) != 1)
        node_fail(node, STATUS_INVALID, "input 1 (k) has %lld elements, expected 1", (long long)shape_count(&k->shape));
    Step *step = step_kernel(program, attr_int(node, "upper") != 0 ? "upper_triangle" : "lower_triangle",
                             node->inputs.items[0]->type);
    step_value(program, step, "x", node->inputs.items[0]);
    step_value(program, step, "k", k);
    step_value(program, step, "y", node->outputs.items[0]);
    step_size(step, "OUTER", shape_product(shape, 0, shape->rank - 2));
    step_size(step, "ROWS", shape->dims[shape->rank - 2].size);
    step_size(step, "COLUMNS", shape->dims[shape->rank - 1].size);
}

/* ReverseSequence */

static void infer_reverse_sequence(Node *node) {
    const Shape *shape = &node->inputs.items[0]->shape, *lengths = &node->inputs.items[1]->shape;
    int64_t batch = attr_int(node, "batch_axis"), time = attr_int(node, "time_axis");
    if (shape->rank == 0 || shape->rank == 1)
        node_fail(node, STATUS_INVALID, "input 0 has %d dimension%s, expected at least 2", shape->rank,
                  shape->rank == 1 ? "" : "s");
    if (batch < 0 || batch > 1 || time < 0 || time > 1 || batch == time)
        node_fail(node, STATUS_INVALID, "batch_axis is %lld and time_axis %lld, expected 0 and 1 or 1 and 0",
                  (long long)batch, (long long)time);
    if (lengths->rank >= 0 && lengths->rank != 1)
        node_fail(node, STATUS_INVALID, "input 1 has %d dimensions, expected 1", lengths->rank);
    if (shape->rank >= 0 && lengths->rank == 1)
        dim_unify(node, shape->dims[batch], lengths->dims[0], "the batch's size, in inputs 0 and 1,");
    infer_same(node);
}

static void lower_reverse_sequence(Program *program, Node *node) {
    const Shape *shape = &node->inputs.items[0]->shape;
    int batch = (int)attr_int(node, "batch_axis"), time = 1 - batch;
    int64_t strides[MAX_RANK];
    if (is_empty(node->outputs.items[0])) return;
    strides_of(shape, strides);
    Step *step = step_kernel(program, "reverse_sequence", node->inputs.items[0]->type);
    step_value(program, step, "x", node->inputs.items[0]);
    step_value(program, step, "lengths", node->inputs.items[1]);
    step_value(program, step, "y", node->outputs.items[0]);
    step_size(step, "BATCH", shape->dims[batch].size);
    step_size(step, "TIME", shape->dims[time].size);
    step_size(step, "INNER", shape_product(shape, 2, shape->rank));
    step_size(step, "BATCH_STRIDE", strides[batch]);
    step_size(step, "TIME_STRIDE", strides[time]);
}

static int carry_transpose(const Node *node, int input, int axis, int output) {
    (void)input, (void)output;
    int permutation[MAX_RANK];
    const int rank = node->inputs.items[0]->shape.rank;
    read_permutation(node, rank, permutation);
    for (int i = 0; i < rank; i++)
        if (permutation[i] == axis) return i;
    return -1;
}

/* Axes that are not repeated. */
static int carry_tile(const Node *node, int input, int axis, int output) {
    const Shape *from = &node->inputs.items[0]->shape, *to = &node->outputs.items[output]->shape;
    return input == 0 && from->dims[axis].size == to->dims[axis].size ? axis : -1;
}

/* What is kept of a matrix is told by its rows and columns alone. */
static int carry_trilu(const Node *node, int input, int axis, int output) {
    (void)output;
    return input == 0 && axis < node->inputs.items[0]->shape.rank - 2 ? axis : -1;
}

static Value *gradient_of_transpose(const Backward *b) {
    const int rank = b->dy->shape.rank;
    int permutation[MAX_RANK];
    int64_t inverse[MAX_RANK];
    read_permutation(b->node, rank, permutation);
    for (int i = 0; i < rank; i++) inverse[permutation[i]] = i;
    return expand_transpose_to(b->e, b->dy, rank, inverse);
}

const Op OPS_movement[] = {
    {.name = "Transpose",
     .versions = {1, 13, 21, 23, 24, 25},
     .inputs = "data:T",
     .outputs = "transposed:T",
     .types = "T: all",
     .attributes = "perm:ints",
     .infer = infer_transpose,
     .carry = carry_transpose,
     .layout = layout_transpose,
     .lower = lower_transpose,
     .gradient_of = gradient_of_transpose},
    {.name = "Expand",
     .versions = {8, 13},
     .inputs = "input:T shape:int64",
     .outputs = "output:T",
     .types = "T: numeric bool string complex",
     .infer = infer_expand,
     .carry = carry_broadcast,
     .shape_input = 1,
     .layout = layout_any,
     .lower = lower_expand,
     .gradient_of = gradient_same},
    {.name = "Tile",
     .versions = {6, 13},
     .inputs = "input:T repeats:int64",
     .outputs = "output:T",
     .types = "T: numeric bool string complex",
     .infer = infer_tile,
     .carry = carry_tile,
     .shape_input = 1,
     .lower = lower_tile},
    {.name = "Trilu",
     .versions = {14},
     .inputs = "input:T k:int64?",
     .outputs = "output:T",
     .types = "T: numeric bool string complex",
     .attributes = "upper:int=1",
     .infer = infer_trilu,
     .carry = carry_trilu,
     .lower = lower_trilu},
    {.name = "ReverseSequence",
     .versions = {10, 28},
     .inputs = "input:T sequence_lens:int64",
     .outputs = "Y:T",
     .types = "T: numeric bool string complex",
     .attributes = "batch_axis:int=1 time_axis:int=0",
     .infer = infer_reverse_sequence,
     .lower = lower_reverse_sequence},
    {0},
};
