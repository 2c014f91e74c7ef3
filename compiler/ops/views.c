/* Views: operators that give the same elements, in the same order, another shape.
 * None of them moves anything: the output shares the input's buffer. */
#include "ops/carry.h"
#include "ops/gradient.h"
#include "ops/movement.h"

#include "base/checked.h"

#include <string.h>

static void lower_view(Program *program, Node *node) {
    program_view(program, node->outputs.items[0], node->inputs.items[0]);
}

/* A sequence, too: its elements are what they were. */
static void infer_identity(Node *node) {
    const Value *input = node->inputs.items[0];
    Value *output = node->outputs.items[0];
    infer_same(node);
    output->kind = input->kind, output->elements = input->elements;
}

static void lower_identity(Program *program, Node *node) {
    program_identity(program, node->outputs.items[0], node->inputs.items[0]);
}

/* Reshape */

/* What is left of the input's elements for the dimension that is written -1. */
typedef struct {
    Dim open[MAX_RANK]; /* the input's unknown dimensions that no output dimension has yet taken */
    int open_count;
    int64_t known; /* the product of the input's known dimensions */
} Elements;

static int64_t multiply(const Node *node, int64_t a, int64_t b) {
    int64_t product;
    if (!checked_multiply(a, b, &product)) node_fail(node, STATUS_INVALID, "the number of elements overflows");
    return product;
}

static Elements elements_of(const Node *node, const Shape *shape) {
    Elements elements = {.known = 1};
    for (int i = 0; i < shape->rank; i++)
        if (shape->dims[i].size < 0) elements.open[elements.open_count++] = shape->dims[i];
        else elements.known = multiply(node, elements.known, shape->dims[i].size);
    return elements;
}

/* Strikes out an unknown dimension that the output repeats; false where it is none of the input's. */
static bool take_open(Elements *elements, Dim dim) {
    for (int i = 0; i < elements->open_count; i++) {
        if (elements->open[i].symbol != dim.symbol) continue;
        elements->open[i] = elements->open[--elements->open_count];
        return true;
    }
    return false;
}

/* The size of the dimension that is written -1, from what the other ones leave. */
static Dim remaining(const Node *node, Elements elements, const Shape *shape, int inferred) {
    int64_t taken = 1;
    for (int i = 0; i < shape->rank; i++) {
        if (i == inferred) continue;
        if (shape->dims[i].size >= 0) taken = multiply(node, taken, shape->dims[i].size);
        else if (!take_open(&elements, shape->dims[i])) return (Dim){-1, NULL};
    }
    if (elements.open_count == 1 && elements.known == taken && taken > 0) return elements.open[0];
    if (elements.open_count > 0) return (Dim){-1, NULL};
    if (taken == 0 || elements.known % taken != 0)
        node_fail(node, STATUS_INVALID, "no size fits the -1 of %s: the input has the shape %s",
                  shape_text(node->graph->arena, shape), shape_text(node->graph->arena, &node->inputs.items[0]->shape));
    return dim_known(elements.known / taken);
}

/* One entry of Reshape's shape input. */
static Dim requested_dim(const Node *node, const Shape *from, int64_t size, int i, bool zero_copies) {
    if (size < -1) node_fail(node, STATUS_INVALID, "size %lld of dimension %d is negative", (long long)size, i);
    if (size != 0 || !zero_copies) return dim_known(size);
    if (from->rank < 0) return (Dim){-1, NULL};
    if (i >= from->rank)
        node_fail(node, STATUS_INVALID, "size 0 copies dimension %d, but the input has %d dimensions", i, from->rank);
    return from->dims[i];
}

/* The shape that constant sizes ask for. */
static Shape requested_shape(const Node *node, const Shape *from, const int64_t *sizes, int count) {
    bool zero_copies = node->version < 14 || attr_int(node, "allowzero") == 0, has_zero = false;
    int inferred = -1;
    Shape shape = shape_open(count);
    for (int i = 0; i < count; i++) {
        has_zero |= sizes[i] == 0;
        if (sizes[i] == -1 && inferred >= 0)
            node_fail(node, STATUS_INVALID, "dimensions %d and %d are both -1", inferred, i);
        if (sizes[i] == -1) inferred = i;
        else shape.dims[i] = requested_dim(node, from, sizes[i], i, zero_copies);
    }
    if (inferred >= 0 && has_zero && !zero_copies)
        node_fail(node, STATUS_INVALID, "with allowzero a size of 0 and one of -1 exclude each other");
    if (inferred >= 0 && from->rank >= 0)
        shape.dims[inferred] = remaining(node, elements_of(node, from), &shape, inferred);
    return shape;
}

static void infer_reshape(Node *node) {
    const Shape *from = &node->inputs.items[0]->shape;
    int length = input_length(node, 1), count;
    const int64_t *sizes;
    Shape shape = shape_open(length);
    if (input_is_readable(node, 1)) {
        node_ints(node, NULL, 1, &sizes, &count);
        shape = requested_shape(node, from, sizes, count);
    }
    if (shape_is_known(from) && shape_is_known(&shape) &&
        elements_of(node, from).known != elements_of(node, &shape).known)
        node_fail(node, STATUS_INVALID, "the shape %s does not hold the elements of %s",
                  shape_text(node->graph->arena, &shape), shape_text(node->graph->arena, from));
    node->outputs.items[0]->shape = shape;
}

/* Flatten */

static void infer_flatten(Node *node) {
    const Shape *from = &node->inputs.items[0]->shape;
    Shape shape = shape_open(2);
    int64_t axis = attr_int(node, "axis");
    if (from->rank >= 0) {
        if (axis != from->rank) axis = from->rank == 0 && axis == 0 ? 0 : node_axis(node, axis, from->rank);
        shape = shape_of(2, (int64_t[]){1, 1});
        for (int i = 0; i < from->rank; i++) {
            Dim *dim = &shape.dims[i < axis ? 0 : 1];
            *dim = dim_multiply(node, *dim, from->dims[i]);
        }
    }
    node->outputs.items[0]->shape = shape;
}

/* Squeeze and Unsqueeze */

static bool squeezes_all(const Node *node) {
    return node_attribute(node, "axes") == NULL && node_input(node, 1) == NULL;
}

/* Without axes, every dimension of size 1 goes; with an unknown one among them even the rank is unknown. */
static Shape squeeze_all(const Shape *from) {
    Shape shape = {0};
    for (int i = 0; i < from->rank; i++) {
        if (from->dims[i].size < 0) return SHAPE_UNKNOWN;
        if (from->dims[i].size != 1) shape.dims[shape.rank++] = from->dims[i];
    }
    return shape;
}

static Shape squeeze_axes(const Node *node, const Shape *from) {
    int axes[MAX_RANK], count = node_axes(node, "axes", 1, from->rank, axes);
    unsigned gone = 0;
    for (int i = 0; i < count; i++) {
        int64_t size = from->dims[axes[i]].size;
        if (size >= 0 && size != 1)
            node_fail(node, STATUS_INVALID, "axis %d has the size %lld, expected 1", axes[i], (long long)size);
        gone |= 1u << axes[i];
    }
    Shape shape = {0};
    for (int i = 0; i < from->rank; i++)
        if (!(gone & 1u << i)) shape.dims[shape.rank++] = from->dims[i];
    return shape;
}

static void infer_squeeze(Node *node) {
    const Shape *from = &node->inputs.items[0]->shape;
    Shape shape = SHAPE_UNKNOWN;
    if (from->rank >= 0 && squeezes_all(node)) shape = squeeze_all(from);
    else if (from->rank >= 0 && input_is_readable(node, 1)) shape = squeeze_axes(node, from);
    node->outputs.items[0]->shape = shape;
}

static void infer_unsqueeze(Node *node) {
    const Shape *from = &node->inputs.items[0]->shape;
    Value *output = node->outputs.items[0];
    output->shape = SHAPE_UNKNOWN;
    const int64_t *given;
    int count, axes[MAX_RANK];
    if (from->rank < 0 || !input_is_readable(node, 1)) return;
    node_ints(node, "axes", 1, &given, &count);
    if (count > MAX_RANK - from->rank)
        node_fail(node, STATUS_UNSUPPORTED, "the result has more than %d dimensions", MAX_RANK);
    Shape shape = shape_open(from->rank + count);
    node_axes(node, "axes", 1, shape.rank, axes);
    unsigned inserted = 0;
    for (int i = 0; i < count; i++) inserted |= 1u << axes[i];
    for (int i = 0, next = 0; i < shape.rank; i++)
        shape.dims[i] = inserted & 1u << i ? dim_known(1) : from->dims[next++];
    output->shape = shape;
}

/* What leaves the batch and the channels alone can lie as its input does. */
static MapLayout layout_view(const Node *node) {
    const Shape *from = &node->inputs.items[0]->shape, *to = &node->outputs.items[0]->shape;
    bool same = from->channels_last && to->rank >= 3 && dim_equal(from->dims[0], to->dims[0]) &&
                dim_equal(from->dims[1], to->dims[1]);
    return (MapLayout){same ? READS_ANY : READS_ROWS, same};
}

const Op OPS_views[] = {
    {.name = "Identity",
     .versions = {1, 13, 14, 16, 19, 21, 23, 24, 25},
     .inputs = "input:any(T)",
     .outputs = "output:any(T)",
     .types = "T: all",
     .infer = infer_identity,
     .keeps_order = true,
     .layout = layout_any,
     .lower = lower_identity,
     .gradient_of = gradient_same},
    {.name = "Reshape",
     .versions = {5, 13, 14, 19, 21, 23, 24, 25},
     .inputs = "data:T shape:int64",
     .outputs = "reshaped:T",
     .types = "T: all",
     .attributes = "allowzero:int@14=0",
     .infer = infer_reshape,
     .keeps_order = true,
     .shape_input = 1,
     .layout = layout_view,
     .lower = lower_view,
     .gradient_of = gradient_reshaped},
    {.name = "Flatten",
     .versions = {1, 9, 11, 13, 21, 23, 24, 25},
     .inputs = "input:T",
     .outputs = "output:T",
     .types = "T: all",
     .attributes = "axis:int=1",
     .infer = infer_flatten,
     .keeps_order = true,
     .layout = layout_view,
     .lower = lower_view,
     .gradient_of = gradient_reshaped},
    {.name = "Squeeze",
     .versions = {1, 11, 13, 21, 23, 24, 25},
     .inputs = "data:T axes:int64?@13",
     .outputs = "squeezed:T",
     .types = "T: all",
     .attributes = "axes:ints@<13",
     .infer = infer_squeeze,
     .keeps_order = true,
     .layout = layout_view,
     .lower = lower_view,
     .gradient_of = gradient_reshaped},
    {.name = "Unsqueeze",
     .versions = {1, 11, 13, 21, 23, 24, 25},
     .inputs = "data:T axes:int64@13",
     .outputs = "expanded:T",
     .types = "T: all",
     .attributes = "axes:ints!@<13",
     .infer = infer_unsqueeze,
     .keeps_order = true,
     .layout = layout_view,
     .lower = lower_view,
     .gradient_of = gradient_reshaped},
    {0},
};
