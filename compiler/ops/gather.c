/* Gather: operators that pick elements by index.
 * Indices that are known while compiling and lie in a row need no index at all: they are a strided copy. */
#include "ops/gather.h"

#include "ops/carry.h"
#include "ops/movement.h"

/* The shape of x with dimension `axis` replaced by those of `middle`. */
static Shape replace_axis(const Node *node, const Shape *x, int axis, const Shape *middle) {
    Shape shape = {0};
    for (int d = 0; d < axis; d++) shape_append(node, &shape, x->dims[d]);
    for (int d = 0; d < middle->rank; d++) shape_append(node, &shape, middle->dims[d]);
    for (int d = axis + 1; d < x->rank; d++) shape_append(node, &shape, x->dims[d]);
    return shape;
}

static void check_index(const Node *node, const Tensor *indices, int64_t i, Dim size) {
    int64_t index = tensor_int(indices, i);
    if (size.size >= 0 && (index < -size.size || index >= size.size))
        node_fail(node, STATUS_INVALID, "index %lld is out of range for a dimension of %lld", (long long)index,
                  (long long)size.size);
}

void check_indices(const Node *node, const Value *indices, Dim size) {
    if (size.size == 0 && shape_is_known(&indices->shape) && shape_count(&indices->shape) > 0)
        node_fail(node, STATUS_INVALID, "indices into a dimension of 0 elements");
    if (indices->constant == NULL) return;
    int64_t count = tensor_count(indices->constant);
    for (int64_t i = 0; i < count; i++) check_index(node, indices->constant, i, size);
}

Axis axis_of(const Shape *shape, int axis) {
    const int64_t size = shape->dims[axis].size, inside = shape_product(shape, axis + 1, shape->rank);
    if (!shape->channels_last || axis == 0) return (Axis){shape_product(shape, 0, axis), size, inside};
    const int64_t channels = shape->dims[1].size, outside = shape->dims[0].size * shape_product(shape, 2, shape->rank);
    if (axis == 1) return (Axis){outside, size, 1};
    return (Axis){shape->dims[0].size * shape_product(shape, 2, axis), size, inside * channels};
}

void gather_buffers(Program *program, Buffer *x, Axis axis, Buffer *indices, int64_t count, Buffer *y) {
    Step *step = step_kernel(program, "gather", x->type);
    step_buffer(step, "x", x, 0);
    step_buffer(step, "indices", indices, 0);
    step_buffer(step, "y", y, 0);
    step_size(step, "OUTER", axis.outer);
    step_size(step, "AXIS", axis.size);
    step_size(step, "INNER", axis.inner);
    step_size(step, "COUNT", count);
}

static bool in_a_row(const int64_t *indices, int64_t count) {
    for (int64_t i = 2; i < count; i++)
        if (indices[i] - indices[i - 1] != indices[1] - indices[0]) return false;
    return true;
}

void gather_known(Program *program, const Value *x, Axis axis, const int64_t *indices, int64_t count, const Value *y) {
    if (!in_a_row(indices, count)) {
        Buffer *buffer = constant_ints(program, "indices", indices, (int)count);
        gather_buffers(program, program_buffer(program, x), axis, buffer, count, program_buffer(program, y));
        return;
    }
    Move move = {.from_offset = count > 0 ? indices[0] * axis.inner : 0};
    move_dimension(&move, axis.outer, axis.size * axis.inner, count * axis.inner);
    move_dimension(&move, count, count > 1 ? (indices[1] - indices[0]) * axis.inner : 0, axis.inner);
    move_dimension(&move, axis.inner, 1, 1);
    move_value(program, &move, x, y);
}

/* Gather */

static void infer_gather(Node *node) {
    const Value *x = node->inputs.items[0], *indices = node->inputs.items[1];
    Value *output = node->outputs.items[0];
    output->shape = SHAPE_UNKNOWN;
    if (x->shape.rank < 0) return;
    int axis = node_axis(node, attr_int(node, "axis"), x->shape.rank);
    check_indices(node, indices, x->shape.dims[axis]);
    if (indices->shape.rank >= 0) output->shape = replace_axis(node, &x->shape, axis, &indices->shape);
}

static void lower_gather(Program *program, Node *node) {
    const Value *x = node->inputs.items[0], *indices = node->inputs.items[1], *y = node->outputs.items[0];
    int axis = node_axis(node, attr_int(node, "axis"), x->shape.rank);
    int64_t count = shape_count(&indices->shape);
    if (is_empty(y)) return;
    if (indices->constant == NULL) {
        gather_buffers(program, program_buffer(program, x), axis_of(&x->shape, axis), index_buffer(program, indices),
                       count, program_buffer(program, y));
        return;
    }
    int64_t *known = arena_new_array(program->arena, int64_t, (size_t)count);
    for (int64_t i = 0; i < count; i++) {
        int64_t index = tensor_int(indices->constant, i);
        known[i] = index < 0 ? index + x->shape.dims[axis].size : index;
    }
    gather_known(program, x, axis_of(&x->shape, axis), known, count, y);
}

/* Compress: a Gather whose indices are where a condition holds. */

static bool has_axis(const Node *node) { return node_attribute(node, "axis") != NULL; }

/* The indices below `size` at which the condition holds; *count is how many. */
static int64_t *chosen(const Node *node, const Tensor *condition, int64_t size, int64_t *count) {
    int64_t length = tensor_count(condition), found = 0;
    int64_t *indices = arena_new_array(node->graph->arena, int64_t, (size_t)length);
    for (int64_t i = 0; i < length && i < size; i++)
        if (tensor_int(condition, i) != 0) indices[found++] = i;
    *count = found;
    return indices;
}

/* What Compress sees: with no axis a flat tensor. */
static Shape compressed_from(const Node *node) {
    const Shape *shape = &node->inputs.items[0]->shape;
    if (has_axis(node) || shape->rank < 0) return *shape;
    Dim whole = dim_known(1);
    for (int d = 0; d < shape->rank; d++) whole = dim_multiply(node, whole, shape->dims[d]);
    return (Shape){.rank = 1, .dims = {whole}};
}

static void infer_compress(Node *node) {
    Shape shape = compressed_from(node);
    const Tensor *condition = node->inputs.items[1]->constant;
    int rank = node->inputs.items[1]->shape.rank;
    if (rank >= 0 && rank != 1) node_fail(node, STATUS_INVALID, "input 1 has %d dimensions, expected 1", rank);
    if (shape.rank >= 0) {
        int axis = has_axis(node) ? node_axis(node, attr_int(node, "axis"), shape.rank) : 0;
        int64_t count = -1;
        if (condition != NULL && shape.dims[axis].size >= 0) chosen(node, condition, shape.dims[axis].size, &count);
        shape.dims[axis] = (Dim){count, NULL};
    }
    node->outputs.items[0]->shape = has_axis(node) || shape.rank >= 0 ? shape : shape_open(1);
}

static void lower_compress(Program *program, Node *node) {
    const Value *output = node->outputs.items[0];
    Shape shape = compressed_from(node);
    int along = has_axis(node) ? node_axis(node, attr_int(node, "axis"), shape.rank) : 0;
    Axis axis = axis_of(&shape, along);
    int64_t count;
    const int64_t *indices = chosen(node, node->inputs.items[1]->constant, axis.size, &count);
    if (!is_empty(output)) gather_known(program, node->inputs.items[0], axis, indices, count, output);
}

/* GatherElements */

void check_element_indices(const Node *node) {
    const Value *data = node->inputs.items[0], *indices = node->inputs.items[1];
    const Shape *x = &data->shape, *i = &indices->shape;
    if (x->rank < 0) return;
    int axis = node_axis(node, attr_int(node, "axis"), x->rank);
    check_indices(node, indices, x->dims[axis]);
    if (i->rank < 0) return;
    if (i->rank != x->rank)
        node_fail(node, STATUS_INVALID, "indices have %d dimensions, expected %d as the data", i->rank, x->rank);
    for (int d = 0; d < x->rank; d++)
        if (d != axis && x->dims[d].size >= 0 && i->dims[d].size > x->dims[d].size)
            node_fail(node, STATUS_INVALID, "dimension %d of the indices is %lld, expected at most the data's %lld", d,
                      (long long)i->dims[d].size, (long long)x->dims[d].size);
}

Buffer *element_offsets(Program *program, const Node *node) {
    const Value *data = node->inputs.items[0], *indices = node->inputs.items[1];
    int axis = node_axis(node, attr_int(node, "axis"), data->shape.rank);
    int64_t strides[MAX_RANK], count = shape_count(&indices->shape), along;
    strides_of(&data->shape, strides);
    along = strides[axis];
    strides[axis] = 0;
    Move walk = {0}; /* merges dimensions: indices in order, data by its strides */
    int64_t own[MAX_RANK];
    strides_of(&indices->shape, own);
    for (int d = 0; d < data->shape.rank; d++) move_dimension(&walk, indices->shape.dims[d].size, strides[d], own[d]);
    if (walk.rank == 0) walk = (Move){.rank = 1, .extent = {1}};
    Buffer *offsets = program_scratch(program, TYPE_INT32, count);
    Step *step = step_kernel(program, "element_offsets", indices->type);
    step_value(program, step, "indices", indices);
    step_buffer(step, "offsets", offsets, 0);
    step_size(step, "COUNT", count);
    step_size(step, "RANK", walk.rank);
    step_sizes(program, step, "SHAPE", walk.extent, walk.rank);
    step_sizes(program, step, "STRIDES", walk.from, walk.rank);
    step_size(step, "AXIS", data->shape.dims[axis].size);
    step_size(step, "AXIS_STRIDE", along);
    return offsets;
}

static void gather_blocks(Program *program, const Value *x, Buffer *offsets, int64_t count, int64_t block,
                          const Value *y) {
    Step *step = step_kernel(program, "gather_blocks", x->type);
    step_value(program, step, "x", x);
    step_buffer(step, "offsets", offsets, 0);
    step_value(program, step, "y", y);
    step_size(step, "COUNT", count);
    step_size(step, "BLOCK", block);
}

static void infer_gather_elements(Node *node) {
    check_element_indices(node);
    node->outputs.items[0]->shape = node->inputs.items[1]->shape;
}

static void lower_gather_elements(Program *program, Node *node) {
    const Value *y = node->outputs.items[0];
    if (is_empty(y)) return;
    gather_blocks(program, node->inputs.items[0], element_offsets(program, node), shape_count(&y->shape), 1, y);
}

/* GatherND */

void check_nd_indices(const Node *node, int batch) {
    const Shape *x = &node->inputs.items[0]->shape, *i = &node->inputs.items[1]->shape;
    if (i->rank == 0 || x->rank == 0) node_fail(node, STATUS_INVALID, "data and indices need at least 1 dimension");
    if (i->rank < 0 || x->rank < 0) return;
    if (batch >= i->rank || batch >= x->rank)
        node_fail(node, STATUS_INVALID,
                  "batch_dims is %d, expected less than the %d dimensions of the data and the %d "
                  "of the indices",
                  batch, x->rank, i->rank);
    for (int d = 0; d < batch; d++) dim_unify(node, x->dims[d], i->dims[d], "a batch dimension, in data and indices,");
    int64_t depth = i->dims[i->rank - 1].size;
    if (depth == 0 || depth > x->rank - batch)
        node_fail(node, STATUS_INVALID, "each index names %lld dimensions, expected 1 to %d", (long long)depth,
                  x->rank - batch);
    bool any = shape_is_known(i) && shape_count(i) > 0;
    const Tensor *known = node->inputs.items[1]->constant;
    for (int d = 0; d < depth && any; d++) {
        Dim size = x->dims[batch + d];
        if (size.size == 0) node_fail(node, STATUS_INVALID, "indices into a dimension of 0 elements");
        for (int64_t k = d; known != NULL && k < tensor_count(known); k += depth) check_index(node, known, k, size);
    }
}

Buffer *nd_offsets(Program *program, const Node *node, int batch) {
    const Shape *x = &node->inputs.items[0]->shape, *i = &node->inputs.items[1]->shape;
    int64_t depth = i->dims[i->rank - 1].size, strides[MAX_RANK], sizes[MAX_RANK];
    int64_t batches = shape_product(i, 0, batch), count = shape_product(i, batch, i->rank - 1);
    strides_of(x, strides);
    for (int d = 0; d < x->rank; d++) sizes[d] = x->dims[d].size;
    Buffer *offsets = program_scratch(program, TYPE_INT32, batches * count);
    Step *step = step_kernel(program, "nd_offsets", TYPE_INT64);
    step_value(program, step, "indices", node->inputs.items[1]);
    step_buffer(step, "offsets", offsets, 0);
    step_size(step, "BATCH", batches);
    step_size(step, "COUNT", count);
    step_size(step, "DEPTH", depth);
    step_sizes(program, step, "SHAPE", sizes + batch, (int)depth);
    step_sizes(program, step, "STRIDES", strides + batch, (int)depth);
    step_size(step, "BATCH_STRIDE", shape_product(x, batch, x->rank));
    return offsets;
}

static int batch_dims(const Node *node) {
    int64_t batch = node->version < 12 ? 0 : attr_int(node, "batch_dims");
    if (batch < 0 || batch > MAX_RANK)
        node_fail(node, STATUS_INVALID, "batch_dims is %lld, expected 0 to the number of dimensions", (long long)batch);
    return (int)batch;
}

static void infer_gather_nd(Node *node) {
    const Shape *x = &node->inputs.items[0]->shape, *i = &node->inputs.items[1]->shape;
    Value *output = node->outputs.items[0];
    int batch = batch_dims(node);
    check_nd_indices(node, batch);
    output->shape = SHAPE_UNKNOWN;
    if (i->rank < 0 || x->rank < 0 || i->dims[i->rank - 1].size < 0) return;
    Shape shape = {0};
    for (int d = 0; d < i->rank - 1; d++) shape_append(node, &shape, i->dims[d]);
    for (int d = batch + (int)i->dims[i->rank - 1].size; d < x->rank; d++) shape_append(node, &shape, x->dims[d]);
    output->shape = shape;
}

static void lower_gather_nd(Program *program, Node *node) {
    const Value *x = node->inputs.items[0], *y = node->outputs.items[0];
    const Shape *i = &node->inputs.items[1]->shape;
    int batch = batch_dims(node);
    int64_t count = shape_product(i, 0, i->rank - 1);
    if (is_empty(y)) return;
    gather_blocks(program, x, nd_offsets(program, node, batch), count, shape_count(&y->shape) / count, y);
}

/* OneHot */

/* The number of classes; -1 where it is not known. */
static int64_t one_hot_depth(const Node *node) {
    const Tensor *tensor = node->inputs.items[1]->constant;
    if (tensor == NULL) return -1;
    if (tensor_count(tensor) != 1)
        node_fail(node, STATUS_INVALID, "input 1 (depth) has %lld elements, expected 1",
                  (long long)tensor_count(tensor));
    double depth = tensor_number(tensor, 0);
    if (!(depth >= 0 && depth <= INT32_MAX)) node_fail(node, STATUS_INVALID, "a depth of %g is out of range", depth);
    return (int64_t)depth;
}

static int one_hot_axis(const Node *node) {
    return node_axis(node, attr_int(node, "axis"), node->inputs.items[0]->shape.rank + 1);
}

static void infer_one_hot(Node *node) {
    const Shape *indices = &node->inputs.items[0]->shape, *values = &node->inputs.items[2]->shape;
    if (shape_is_known(values) && shape_count(values) != 2)
        node_fail(node, STATUS_INVALID, "input 2 (values) has %lld elements, expected 2",
                  (long long)shape_count(values));
    int64_t depth = one_hot_depth(node);
    Shape shape = SHAPE_UNKNOWN;
    if (indices->rank >= 0) {
        int axis = one_hot_axis(node);
        shape.rank = 0;
        for (int d = 0; d <= indices->rank; d++)
            shape_append(node, &shape, d == axis ? (Dim){depth, NULL} : indices->dims[d < axis ? d : d - 1]);
    }
    node->outputs.items[0]->shape = shape;
}

static void lower_one_hot(Program *program, Node *node) {
    const Value *indices = node->inputs.items[0], *y = node->outputs.items[0];
    int axis = one_hot_axis(node);
    if (is_empty(y)) return;
    Buffer *buffer = index_buffer(program, indices);
    Step *step = step_kernel(program, "one_hot", y->type);
    step_buffer(step, "indices", buffer, 0);
    step_value(program, step, "values", node->inputs.items[2]);
    step_value(program, step, "y", y);
    step_size(step, "OUTER", shape_product(&indices->shape, 0, axis));
    step_size(step, "DEPTH", y->shape.dims[axis].size);
    step_size(step, "INNER", shape_product(&indices->shape, axis, indices->shape.rank));
}

/* Axes of the data that nothing is picked along, and all axes of the indices. */
static int carry_gather(const Node *node, int input, int axis, int output) {
    (void)output;
    const int picked = node_axis(node, attr_int(node, "axis"), node->inputs.items[0]->shape.rank);
    if (input == 1) return picked + axis;
    if (axis == picked) return -1;
    return axis < picked ? axis : axis + node->inputs.items[1]->shape.rank - 1;
}

static int carry_one_hot(const Node *node, int input, int axis, int output) {
    (void)output;
    if (input != 0) return -1;
    return axis < one_hot_axis(node) ? axis : axis + 1;
}

const Op OPS_gather[] = {
    {.name = "Gather",
     .versions = {1, 11, 13},
     .inputs = "data:T indices:I",
     .outputs = "output:T",
     .types = "T: numeric bool string complex; I: int32 int64",
     .attributes = "axis:int=0",
     .infer = infer_gather,
     .carry = carry_gather,
     .lower = lower_gather},
    {.name = "GatherElements",
     .versions = {11, 13},
     .inputs = "data:T indices:I",
     .outputs = "output:T",
     .types = "T: numeric bool string complex; I: int32 int64",
     .attributes = "axis:int=0",
     .infer = infer_gather_elements,
     .carry = carry_other_axes,
     .lower = lower_gather_elements},
    {.name = "GatherND",
     .versions = {11, 12, 13},
     .inputs = "data:T indices:int64",
     .outputs = "output:T",
     .types = "T: numeric bool string complex",
     .attributes = "batch_dims:int@12=0",
     .infer = infer_gather_nd,
     .lower = lower_gather_nd},
    {.name = "Compress",
     .versions = {9, 11, 28},
     .inputs = "input:T condition:bool",
     .outputs = "output:T",
     .types = "T: numeric bool string complex",
     .attributes = "axis:int",
     .infer = infer_compress,
     .lower = lower_compress},
    {.name = "OneHot",
     .versions = {9, 11, 28},
     .inputs = "indices:I depth:D values:T",
     .outputs = "output:T",
     .types = "T: numeric bool string complex; I: integers float16 float double; D: integers float16 float double",
     .attributes = "axis:int=-1",
     .infer = infer_one_hot,
     .carry = carry_one_hot,
     .lower = lower_one_hot},
    {0},
};
