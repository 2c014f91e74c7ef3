/* Selection: TopK, and the operators whose result's size depends on what is in the data.
 * Unique is computed while compiling, where its input is known, and cannot be at run time; for NonZero see ops/found.h.
 */
#include "ops/carry.h"
#include "ops/found.h"
#include "ops/gather.h"
#include "ops/movement.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* TopK */

/* How many are asked for; -1 where that is not known. */
static int64_t top_count(const Node *node) {
    if (node->version < 10) return attr_int(node, "k");
    return input_is_readable(node, 1) ? input_int(node, 1) : -1;
}

static void infer_top_k(Node *node) {
    Shape shape = node->inputs.items[0]->shape;
    int64_t k = top_count(node);
    if (k < 0 && (node->version < 10 || input_is_readable(node, 1)))
        node_fail(node, STATUS_INVALID, "K is %lld, expected 0 or more", (long long)k);
    if (shape.rank >= 0) {
        int axis = node_axis(node, attr_int(node, "axis"), shape.rank);
        if (shape.dims[axis].size >= 0 && k > shape.dims[axis].size)
            node_fail(node, STATUS_INVALID, "K is %lld, but the axis has %lld elements", (long long)k,
                      (long long)shape.dims[axis].size);
        shape.dims[axis] = (Dim){k, NULL};
    }
    for (int i = 0; i < node->outputs.count; i++)
        if (node->outputs.items[i] != NULL) node->outputs.items[i]->shape = shape;
}

/* The buffer of an output, or scratch where the node has none. */
static Buffer *output_or_scratch(Program *program, const Value *output, Type type, int64_t count) {
    return output != NULL ? program_buffer(program, output) : program_scratch(program, type, count);
}

static void lower_top_k(Program *program, Node *node) {
    const Value *x = node->inputs.items[0];
    Axis axis = axis_of(&x->shape, node_axis(node, attr_int(node, "axis"), x->shape.rank));
    int64_t k = top_count(node), count = axis.outer * k * axis.inner;
    Buffer *values = output_or_scratch(program, node_output(node, 0), x->type, count);
    Buffer *indices = output_or_scratch(program, node_output(node, 1), TYPE_INT64, count);
    if (count == 0) return;
    bool largest = node->version < 11 || attr_int(node, "largest") != 0;
    Step *step = step_kernel(program, largest ? "top_k_largest" : "top_k_smallest", x->type);
    step_value(program, step, "x", x);
    step_buffer(step, "values", values, 0);
    step_buffer(step, "indices", indices, 0);
    step_size(step, "OUTER", axis.outer);
    step_size(step, "AXIS", axis.size);
    step_size(step, "INNER", axis.inner);
    step_size(step, "K", k);
}

/* NonZero */

static void set_ints(Node *node, int output, Tensor *tensor) {
    Value *value = node_output(node, output);
    if (value == NULL) return;
    value->constant = tensor;
    value->shape = tensor->shape;
}

/* The data of an input where it is known, can be compared, and is small enough to be searched while compiling; else
 * NULL. */
static const Tensor *known_numbers(const Value *value) {
    enum { MOST = 1 << 22 };
    TypeClass class = type_info(value->type)->class;
    if (value->constant == NULL || class == CLASS_STRING || class == CLASS_COMPLEX) return NULL;
    return tensor_count(value->constant) <= MOST ? value->constant : NULL;
}

static void infer_non_zero(Node *node) {
    const Value *x = node->inputs.items[0];
    const Tensor *known = known_numbers(x);
    node->outputs.items[0]->shape = shape_open(2);
    if (x->shape.rank >= 0) node->outputs.items[0]->shape.dims[0] = dim_known(x->shape.rank);
    if (known == NULL) return;
    if (x->shape.rank > 0) fold_found(node, 1);
    else
        set_ints(node, 0,
                 tensor_new(node->graph->arena, TYPE_INT64,
                            &(Shape){.rank = 2, .dims = {{0, NULL}, dim_known(tensor_number(known, 0) != 0)}}));
}

static void bound_non_zero(Node *node) {
    const Shape *x = &node->inputs.items[0]->shape;
    if (x->rank > 0) node->outputs.items[0]->shape.dims[1] = dim_known(shape_count(x));
}

static void lower_non_zero(Program *program, Node *node) {
    const Value *x = node->inputs.items[0], *y = node->outputs.items[0];
    int64_t sizes[MAX_RANK];
    if (is_empty(y)) return;
    for (int d = 0; d < x->shape.rank; d++) sizes[d] = x->shape.dims[d].size;
    Step *step = step_kernel(program, "non_zero", x->type);
    step_value(program, step, "x", x);
    step_value(program, step, "y", y);
    step_size(step, "COUNT", shape_count(&x->shape));
    step_size(step, "RANK", x->shape.rank);
    step_sizes(program, step, "SHAPE", sizes, x->shape.rank);
}

/* Unique */

/* Slice i of a tensor along an axis, or element i where there is no axis. */
typedef struct {
    const Tensor *tensor;
    Axis axis;
    int64_t index;
} Item;

static int compare_elements(const Tensor *tensor, int64_t i, int64_t k) {
    if (type_is_float(tensor->type)) { /* NaN is above all else, and equal to itself, as in numpy */
        double a = tensor_number(tensor, i), b = tensor_number(tensor, k);
        if (isnan(a) || isnan(b)) return (isnan(a) != 0) - (isnan(b) != 0);
        return (a > b) - (a < b);
    }
    int64_t a = tensor_int(tensor, i), b = tensor_int(tensor, k);
    if (tensor->type == TYPE_UINT64) return ((uint64_t)a > (uint64_t)b) - ((uint64_t)a < (uint64_t)b);
    return (a > b) - (a < b);
}

static int compare_contents(const Item *a, const Item *b) {
    for (int64_t o = 0; o < a->axis.outer; o++)
        for (int64_t i = 0; i < a->axis.inner; i++) {
            int64_t row = o * a->axis.size;
            int order =
                compare_elements(a->tensor, (row + a->index) * a->axis.inner + i, (row + b->index) * a->axis.inner + i);
            if (order != 0) return order;
        }
    return 0;
}

static int compare_items(const void *a, const void *b) {
    const Item *x = a, *y = b;
    int order = compare_contents(x, y);
    return order != 0 ? order : (x->index > y->index) - (x->index < y->index);
}

/* One group of equal items. */
typedef struct {
    int64_t first; /* the index of the first of them */
    int64_t count;
    int64_t sorted; /* its place among the groups in ascending order */
} Group;

static int compare_first(const void *a, const void *b) {
    int64_t x = ((const Group *)a)->first, y = ((const Group *)b)->first;
    return (x > y) - (x < y);
}

/* Groups items, which it sorts; group_of[index] is an item's group in ascending order. Returns the number of groups. */
static int64_t group_items(Item *items, int64_t count, Group *groups, int64_t *group_of) {
    int64_t found = 0;
    qsort(items, (size_t)count, sizeof *items, compare_items);
    for (int64_t i = 0; i < count; i++) {
        if (i == 0 || compare_contents(&items[i - 1], &items[i]) != 0) {
            groups[found] = (Group){items[i].index, 0, found};
            found++;
        }
        groups[found - 1].count++;
        group_of[items[i].index] = found - 1;
    }
    return found;
}

/* The tensor with only the first item of each group. */
static Tensor *first_items(const Node *node, Axis axis, const Group *groups, int64_t count) {
    const Tensor *x = node->inputs.items[0]->constant;
    Shape shape = shape_of(1, (int64_t[]){count});
    if (node_attribute(node, "axis") != NULL) {
        shape = x->shape;
        shape.dims[node_axis(node, attr_int(node, "axis"), shape.rank)] = dim_known(count);
    }
    Tensor *y = tensor_new(node->graph->arena, x->type, &shape);
    size_t bytes = (size_t)axis.inner * (size_t)type_info(x->type)->bytes;
    for (int64_t o = 0; o < axis.outer; o++)
        for (int64_t g = 0; g < count; g++)
            memcpy((char *)y->data + (size_t)(o * count + g) * bytes,
                   (const char *)x->data + (size_t)(o * axis.size + groups[g].first) * bytes, bytes);
    return y;
}

static void fold_unique(Node *node) {
    Arena *arena = node->graph->arena;
    const Tensor *x = node->inputs.items[0]->constant;
    Axis axis = {1, tensor_count(x), 1};
    if (node_attribute(node, "axis") != NULL)
        axis = axis_of(&x->shape, node_axis(node, attr_int(node, "axis"), x->shape.rank));
    int64_t count = axis.size;
    Item *items = arena_new_array(arena, Item, (size_t)count);
    Group *groups = arena_new_array(arena, Group, (size_t)count);
    int64_t *group_of = arena_new_array(arena, int64_t, (size_t)count);
    for (int64_t i = 0; i < count; i++) items[i] = (Item){x, axis, i};
    int64_t found = group_items(items, count, groups, group_of);
    if (attr_int(node, "sorted") == 0) qsort(groups, (size_t)found, sizeof *groups, compare_first);
    int64_t *first = arena_new_array(arena, int64_t, (size_t)found),
            *counts = arena_new_array(arena, int64_t, (size_t)found);
    int64_t *place = arena_new_array(arena, int64_t, (size_t)found);
    for (int64_t g = 0; g < found; g++) {
        first[g] = groups[g].first, counts[g] = groups[g].count;
        place[groups[g].sorted] = g;
    }
    for (int64_t i = 0; i < count; i++) group_of[i] = place[group_of[i]];
    set_ints(node, 0, first_items(node, axis, groups, found));
    set_ints(node, 1, tensor_ints(arena, first, (int)found));
    set_ints(node, 2, tensor_ints(arena, group_of, (int)count));
    set_ints(node, 3, tensor_ints(arena, counts, (int)found));
}

static void infer_unique(Node *node) {
    const Value *x = node->inputs.items[0];
    if (known_numbers(x) != NULL) {
        fold_unique(node);
        return;
    }
    bool has_axis = node_attribute(node, "axis") != NULL;
    for (int i = 0; i < node->outputs.count; i++) {
        Value *output = node->outputs.items[i];
        if (output == NULL) continue;
        output->shape = shape_open(1);
        if (i > 0 || !has_axis) continue;
        output->shape = x->shape;
        if (x->shape.rank >= 0)
            output->shape.dims[node_axis(node, attr_int(node, "axis"), x->shape.rank)] = (Dim){-1, NULL};
    }
}

const Op OPS_selection[] = {
    {.name = "TopK",
     .versions = {1, 10, 11, 24},
     .inputs = "X:T K:int64@10",
     .outputs = "Values:T Indices:int64",
     .types = "T: numeric",
     .attributes = "axis:int=-1 k:int!@<10 largest:int@11=1 sorted:int@11=1",
     .infer = infer_top_k,
     .carry = carry_other_axes,
     .lower = lower_top_k},
    {.name = "NonZero",
     .versions = {9, 13},
     .inputs = "X:T",
     .outputs = "Y:int64",
     .types = "T: numeric bool string complex",
     .infer = infer_non_zero,
     .bound = bound_non_zero,
     .lower = lower_non_zero},
    {.name = "Unique",
     .versions = {11, 28},
     .inputs = "X:T",
     .outputs = "Y:T indices:int64? inverse_indices:int64? counts:int64?",
     .types = "T: numeric bool string complex",
     .attributes = "axis:int sorted:int=1",
     .infer = infer_unique},
    {0},
};
