/* Scatter: operators that write elements to places given by indices.
 * The output begins as a copy of the data; where two updates meet in one place they are applied in order. */
#include "ops/expand.h"
#include "ops/gather.h"
#include "ops/movement.h"

#include <string.h>

/* The reductions and their kernels; those of integers wrap. */
static const struct {
    const char *reduction, *floats, *integers;
    int version; /* of ScatterElements and ScatterND, that brought it */
} reductions[] = {
    {"none", "scatter_blocks", "scatter_blocks", 0},
    {"add", "scatter_add", "scatter_add_integers", 16},
    {"mul", "scatter_multiply", "scatter_multiply_integers", 16},
    {"max", "scatter_max", "scatter_max", 18},
    {"min", "scatter_min", "scatter_min", 18},
};

/* The kernel for the node's reduction. */
static const char *scatter_kernel(const Node *node) {
    const char *reduction = node->version < 16 ? "none" : attr_string(node, "reduction");
    for (size_t i = 0; i < sizeof reductions / sizeof *reductions; i++)
        if (strcmp(reduction, reductions[i].reduction) == 0 && node->version >= reductions[i].version)
            return type_is_float(node->inputs.items[0]->type) ? reductions[i].floats : reductions[i].integers;
    node_fail(node, STATUS_INVALID, "reduction is %s, expected none, add, mul, max or min", quoted(reduction));
}

/* y = data, and then the updates: a block of elements at each offset. */
static void scatter_blocks(Program *program, const Node *node, Buffer *offsets, int64_t count, int64_t block) {
    const Value *y = node->outputs.items[0];
    Step *step = step_kernel(program, scatter_kernel(node), y->type);
    step_value(program, step, "updates", node->inputs.items[2]);
    step_buffer(step, "offsets", offsets, 0);
    step_value(program, step, "y", y);
    step_size(step, "COUNT", count);
    step_size(step, "BLOCK", block);
}

static void infer_scatter_elements(Node *node) {
    const Shape *indices = &node->inputs.items[1]->shape, *updates = &node->inputs.items[2]->shape;
    scatter_kernel(node);
    check_element_indices(node);
    if (indices->rank >= 0 && updates->rank >= 0) {
        check_length(node, "dimensions of the updates", updates->rank, indices->rank);
        for (int d = 0; d < indices->rank; d++)
            dim_unify(node, indices->dims[d], updates->dims[d], "a dimension, of indices and updates,");
    }
    infer_same(node);
}

static void lower_scatter_elements(Program *program, Node *node) {
    int64_t count = shape_count(&node->inputs.items[1]->shape);
    move_all(program, node->inputs.items[0], node->outputs.items[0]);
    if (count > 0) scatter_blocks(program, node, element_offsets(program, node), count, 1);
}

/* Updates have the shape of the indices without their last dimension, and of the part of the data that each names. */
static void check_nd_updates(const Node *node) {
    const Shape *x = &node->inputs.items[0]->shape, *i = &node->inputs.items[1]->shape;
    const Shape *updates = &node->inputs.items[2]->shape;
    if (x->rank < 0 || i->rank < 0 || updates->rank < 0 || i->dims[i->rank - 1].size < 0) return;
    int depth = (int)i->dims[i->rank - 1].size, places = i->rank - 1;
    check_length(node, "dimensions of the updates", updates->rank, places + x->rank - depth);
    for (int d = 0; d < updates->rank; d++)
        dim_unify(node, updates->dims[d], d < places ? i->dims[d] : x->dims[d - places + depth],
                  "a dimension of the updates, as given and as expected,");
}

static void infer_scatter_nd(Node *node) {
    scatter_kernel(node);
    check_nd_indices(node, 0);
    check_nd_updates(node);
    infer_same(node);
}

/* Whether the updates are put one behind the other from the first place on, as many as there are. */
static bool writes_all_in_order(const Node *node) {
    const Shape *data = &node->inputs.items[0]->shape;
    const Tensor *indices = node->inputs.items[1]->constant;
    if (indices == NULL || !shape_is_known(data) || shape_count(data) == 0) return false;
    int depth = (int)node->inputs.items[1]->shape.dims[node->inputs.items[1]->shape.rank - 1].size;
    int64_t places = shape_product(data, 0, depth);
    if (tensor_count(indices) != places * depth) return false;
    for (int64_t i = 0; i < places; i++) {
        int64_t place = 0;
        for (int d = 0; d < depth; d++) {
            int64_t index = tensor_int(indices, i * depth + d), size = data->dims[d].size;
            place = place * size + (index < 0 ? index + size : index);
        }
        if (place != i) return false;
    }
    return true;
}

/* PyTorch's x[:, :] = y, of which nothing is left but y. */
static void expand_scatter_nd(Expansion *e) {
    bool plain = strcmp(scatter_kernel(e->node), "scatter_blocks") == 0;
    if (!plain || !writes_all_in_order(e->node)) return;
    int64_t sizes[MAX_RANK];
    const Shape *data = &e->node->inputs.items[0]->shape;
    for (int d = 0; d < data->rank; d++) sizes[d] = data->dims[d].size;
    expand_output(e, 0, expand_reshape_to(e, e->node->inputs.items[2], data->rank, sizes));
}

static void lower_scatter_nd(Program *program, Node *node) {
    const Shape *updates = &node->inputs.items[2]->shape;
    int places = node->inputs.items[1]->shape.rank - 1;
    move_all(program, node->inputs.items[0], node->outputs.items[0]);
    if (shape_count(updates) == 0) return;
    scatter_blocks(program, node, nd_offsets(program, node, 0), shape_product(updates, 0, places),
                   shape_product(updates, places, updates->rank));
}

/* TensorScatter: the keys or values of new tokens go to their places in a cache. */

static bool is_circular(const Node *node) {
    const char *mode = attr_string(node, "mode");
    bool circular = strcmp(mode, "circular") == 0;
    if (!circular && strcmp(mode, "linear") != 0)
        node_fail(node, STATUS_INVALID, "mode is %s, expected linear or circular", quoted(mode));
    return circular;
}

static void infer_tensor_scatter(Node *node) {
    const Shape *cache = &node->inputs.items[0]->shape, *update = &node->inputs.items[1]->shape;
    is_circular(node);
    if (cache->rank >= 0) {
        int axis = node_axis(node, attr_int(node, "axis"), cache->rank);
        if (axis == 0) node_fail(node, STATUS_INVALID, "axis is 0, the batch's");
        if (update->rank >= 0) check_length(node, "dimensions of the update", update->rank, cache->rank);
        for (int d = 0; d < update->rank; d++) {
            Dim a = cache->dims[d], b = update->dims[d];
            if (d != axis) dim_unify(node, a, b, "a dimension, of cache and update,");
            else if (a.size >= 0 && b.size > a.size)
                node_fail(node, STATUS_INVALID, "an update of %lld does not fit a cache of %lld", (long long)b.size,
                          (long long)a.size);
        }
        const Value *places = node_input(node, 2);
        if (places != NULL && places->shape.rank >= 0) {
            check_length(node, "dimensions of write_indices", places->shape.rank, 1);
            dim_unify(node, places->shape.dims[0], cache->dims[0], "the batch's size, in inputs 2 and 0,");
        }
    }
    infer_same(node);
}

static void lower_tensor_scatter(Program *program, Node *node) {
    const Value *cache = node->inputs.items[0], *update = node->inputs.items[1], *y = node->outputs.items[0];
    int axis = node_axis(node, attr_int(node, "axis"), cache->shape.rank);
    move_all(program, cache, y);
    if (shape_count(&update->shape) == 0) return;
    Step *step = step_kernel(program, "cache_update", y->type);
    step_value(program, step, "update", update);
    step_value(program, step, "starts", node_input(node, 2));
    step_value(program, step, "y", y);
    step_size(step, "BATCH", cache->shape.dims[0].size);
    step_size(step, "OUTER", shape_product(&cache->shape, 1, axis));
    step_size(step, "CAPACITY", cache->shape.dims[axis].size);
    step_size(step, "LENGTH", update->shape.dims[axis].size);
    step_size(step, "INNER", shape_product(&cache->shape, axis + 1, cache->shape.rank));
    step_size(step, "CIRCULAR", is_circular(node));
}

const Op OPS_scatter[] = {
    {.name = "Scatter",
     .versions = {9, 11},
     .inputs = "data:T indices:I updates:T",
     .outputs = "output:T",
     .types = "T: integers float16 float double bool string complex; I: int32 int64",
     .attributes = "axis:int=0",
     .infer = infer_scatter_elements,
     .lower = lower_scatter_elements},
    {.name = "ScatterElements",
     .versions = {11, 13, 16, 18},
     .inputs = "data:T indices:I updates:T",
     .outputs = "output:T",
     .types = "T: numeric bool string complex; I: int32 int64",
     .attributes = "axis:int=0 reduction:string@16=none",
     .infer = infer_scatter_elements,
     .lower = lower_scatter_elements},
    {.name = "ScatterND",
     .versions = {11, 13, 16, 18},
     .inputs = "data:T indices:int64 updates:T",
     .outputs = "output:T",
     .types = "T: numeric bool string complex",
     .attributes = "reduction:string@16=none",
     .infer = infer_scatter_nd,
     .expand = expand_scatter_nd,
     .lower = lower_scatter_nd},
    {.name = "TensorScatter",
     .versions = {24},
     .inputs = "past_cache:T update:T write_indices:int64?",
     .outputs = "present_cache:T",
     .types = "T: numeric bool string complex float8s float8e8m0 int4 uint4 float4e2m1",
     .attributes = "axis:int=-2 mode:string=linear",
     .infer = infer_tensor_scatter,
     .lower = lower_tensor_scatter},
    {0},
};
