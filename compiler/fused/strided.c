/* Strided views. See strided.h. */
#include "fused/strided.h"

#include "fused/fuser.h"
#include "patterns/view.h"

#include <string.h>

static bool add_axis(StridedDim *dim, int64_t extent, int64_t stride) {
    if (extent == 1) return true;
    if (dim->count == MAX_AXES) return false;
    dim->extent[dim->count] = extent;
    dim->stride[dim->count++] = stride;
    return true;
}

Strided strided_plain(Value *value) {
    Strided view = {.base = value, .rank = value->shape.rank};
    int64_t stride = 1;
    for (int d = view.rank - 1; d >= 0; d--) {
        add_axis(&view.dims[d], value->shape.dims[d].size, stride);
        stride *= value->shape.dims[d].size;
    }
    return view;
}

int64_t strided_extent(const StridedDim *dim) {
    int64_t extent = 1;
    for (int i = 0; i < dim->count; i++) extent *= dim->extent[i];
    return extent;
}

bool strided_stride(const StridedDim *dim, int64_t *stride) {
    *stride = dim->count == 0 ? 0 : dim->stride[dim->count - 1];
    for (int i = dim->count - 2; i >= 0; i--)
        if (dim->stride[i] != dim->stride[i + 1] * dim->extent[i + 1]) return false;
    if (dim->count > 1) *stride = dim->stride[dim->count - 1];
    return true;
}

/* Axes that are still to be given to dimensions, the next one first. */
typedef struct {
    int count, at;
    int64_t extent[MAX_RANK * MAX_AXES], stride[MAX_RANK * MAX_AXES];
} AxisQueue;

/* Moves axes of a product of `size` to a dimension, and splits the last one where it is larger. */
static bool take_axes(AxisQueue *queue, int64_t size, StridedDim *dim) {
    while (size > 1) {
        if (queue->at == queue->count) return false;
        int64_t extent = queue->extent[queue->at], stride = queue->stride[queue->at];
        if (size % extent == 0) {
            queue->at++;
            size /= extent;
        } else if (extent % size == 0) {
            queue->extent[queue->at] = extent / size;
            stride *= extent / size, extent = size, size = 1;
        } else return false;
        if (!add_axis(dim, extent, stride)) return false;
    }
    return true;
}

bool strided_reshape(Strided *view, int rank, const Dim *dims) {
    AxisQueue queue = {0};
    Strided reshaped = {.base = view->base, .offset = view->offset, .rank = rank};
    for (int d = 0; d < view->rank; d++)
        for (int i = 0; i < view->dims[d].count; i++) {
            queue.extent[queue.count] = view->dims[d].extent[i];
            queue.stride[queue.count++] = view->dims[d].stride[i];
        }
    for (int d = 0; d < rank; d++)
        if (!take_axes(&queue, dims[d].size, &reshaped.dims[d])) return false;
    if (queue.at < queue.count) return false;
    *view = reshaped;
    return true;
}

static int source_dim(const Node *transpose, int rank, int d) {
    int count;
    const int64_t *perm = attr_ints(transpose, "perm", &count);
    return perm == NULL ? rank - 1 - d : (int)perm[d];
}

void strided_transpose(Strided *view, const Node *transpose) {
    const Strided from = *view;
    for (int d = 0; d < view->rank; d++) view->dims[d] = from.dims[source_dim(transpose, view->rank, d)];
}

void strided_untranspose(Strided *view, const Node *transpose) {
    const Strided from = *view;
    for (int d = 0; d < view->rank; d++) view->dims[source_dim(transpose, view->rank, d)] = from.dims[d];
}

bool strided_broadcast(Strided *view, int rank, const Dim *dims) {
    Strided broadcast = {.base = view->base, .offset = view->offset, .rank = rank};
    int lead = rank - view->rank;
    if (lead < 0) return false;
    for (int d = 0; d < rank; d++) {
        StridedDim *dim = &broadcast.dims[d];
        if (d >= lead) *dim = view->dims[d - lead];
        if (strided_extent(dim) != dims[d].size && (dim->count > 0 || !add_axis(dim, dims[d].size, 0))) return false;
    }
    *view = broadcast;
    return true;
}

/* Through nodes. */

/* Lets a dimension begin `first` elements later, `step` apart, with as many as the output has. */
static bool cut(Strided *view, int d, int64_t first, int64_t step, int64_t extent) {
    StridedDim *dim = &view->dims[d];
    if (strided_extent(dim) == 1) return first == 0 && extent == 1;
    int64_t stride;
    if (!strided_stride(dim, &stride)) return false;
    view->offset += first * stride;
    *dim = (StridedDim){0};
    return add_axis(dim, extent, stride * step);
}

static bool through_split(const Node *node, const Value *value, Strided *view) {
    int axis = node_axis(node, attr_int(node, "axis"), view->rank);
    int64_t first = 0;
    for (int i = 0; i < node->outputs.count; i++) {
        const Value *output = node->outputs.items[i];
        if (output == value) return cut(view, axis, first, 1, value->shape.dims[axis].size);
        if (output == NULL || !shape_is_known(&output->shape)) return false;
        first += output->shape.dims[axis].size;
    }
    return false;
}

/* Whether all inputs from the second on, and there are any, are constants. */
static bool has_constants(const Node *node) {
    for (int i = 1; i < node->inputs.count; i++)
        if (node->inputs.items[i] != NULL && node->inputs.items[i]->constant == NULL) return false;
    return true;
}

static bool through_slice(const Node *node, const Value *value, Strided *view) {
    const int64_t *starts, *axes, *steps;
    int count, axis_count, step_count;
    const Shape *from = &node->inputs.items[0]->shape;
    if (!has_constants(node) || !node_ints(node, "starts", 1, &starts, &count)) return false;
    node_ints(node, "axes", 3, &axes, &axis_count);
    node_ints(node, NULL, 4, &steps, &step_count);
    for (int i = 0; i < count; i++) {
        int d = axis_count > 0 ? node_axis(node, axes[i], from->rank) : i;
        int64_t size = from->dims[d].size, start = starts[i] < 0 ? starts[i] + size : starts[i];
        int64_t step = step_count > 0 ? steps[i] : 1;
        if (start < 0) start = 0;
        if (start > size || step < 1 || !cut(view, d, start, step, value->shape.dims[d].size)) return false;
    }
    return true;
}

/* One element of an axis, which goes, or stays as 1. */
static bool through_gather(const Node *node, const Value *value, Strided *view) {
    const Value *indices = node->inputs.items[1];
    if (indices->constant == NULL || tensor_count(indices->constant) != 1) return false;
    int axis = node_axis(node, attr_int(node, "axis"), view->rank);
    int64_t index = tensor_int(indices->constant, 0), size = strided_extent(&view->dims[axis]);
    if (index < 0) index += size;
    return index >= 0 && index < size && cut(view, axis, index, 1, 1) &&
           strided_reshape(view, value->shape.rank, value->shape.dims);
}

bool is_reshaping(const Node *node) {
    static const char *const names[] = {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (is_node(node, names[i])) return true;
    return false;
}

static bool step(const Node *node, Value *value, Strided *view) {
    if (is_node(node, "Split")) return through_split(node, value, view);
    if (node->outputs.items[0] != value) return false;
    if (is_node(node, "Transpose")) {
        strided_transpose(view, node);
        return true;
    }
    if (is_reshaping(node) || view_source(value) != NULL)
        return strided_reshape(view, value->shape.rank, value->shape.dims);
    if (is_node(node, "Expand")) return strided_broadcast(view, value->shape.rank, value->shape.dims);
    if (is_node(node, "Slice")) return through_slice(node, value, view);
    return is_node(node, "Gather") && through_gather(node, value, view);
}

/* The factor by which a node multiplies its input `*input`; 0 where it does not. */
static double factor_of(const Node *node, int *input) {
    bool product = is_node(node, "Mul"), quotient = is_node(node, "Div");
    if (!product && !quotient) return 0;
    *input = product && node->inputs.items[0]->constant != NULL ? 1 : 0;
    const Value *other = node->inputs.items[1 - *input];
    if (other->constant == NULL || tensor_count(other->constant) != 1) return 0;
    double number = tensor_number(other->constant, 0);
    return product ? number : 1 / number;
}

Strided strided_trace(Value *value, const Value *stop, int most, double *factor) {
    const Node *node = value->producer;
    bool ends = value == stop || most == 0 || node == NULL || node->domain[0] != '\0' || value->constant != NULL;
    if (ends || node->inputs.count == 0 || node->op == NULL) return strided_plain(value);
    int input = 0;
    double scale = factor == NULL ? 0 : factor_of(node, &input);
    Value *from = node->inputs.items[input];
    if (from == NULL || !is_fusible_shape(&from->shape)) return strided_plain(value);
    if (scale != 0 && shape_equal(&from->shape, &value->shape)) {
        *factor *= scale;
        return strided_trace(from, stop, most - 1, factor);
    }
    double before = factor == NULL ? 1 : *factor;
    Strided view = strided_trace(from, stop, most - 1, factor);
    if (step(node, value, &view)) return view;
    if (factor != NULL) *factor = before;
    return strided_plain(value);
}

bool strided_refine(StridedDim *const *dims, int count) {
    StridedDim refined[16] = {0}, rest[16];
    fovea_assert(count <= 16);
    int64_t extent = 1;
    for (int i = 0; i < count; i++) {
        rest[i] = *dims[i];
        extent = strided_extent(dims[i]);
    }
    while (extent > 1) { /* from the axes that run fastest on */
        int64_t least = extent;
        for (int i = 0; i < count; i++) {
            int64_t last = rest[i].extent[rest[i].count - 1];
            if (last < least) least = last;
        }
        for (int i = 0; i < count; i++) {
            int last = rest[i].count - 1;
            if (rest[i].extent[last] % least != 0 || !add_axis(&refined[i], least, rest[i].stride[last])) return false;
            rest[i].extent[last] /= least, rest[i].stride[last] *= least;
            if (rest[i].extent[last] == 1) rest[i].count--;
        }
        extent /= least;
    }
    for (int i = 0; i < count; i++) { /* the other way round again */
        dims[i]->count = refined[i].count;
        for (int k = 0; k < refined[i].count; k++) {
            dims[i]->extent[k] = refined[i].extent[refined[i].count - 1 - k];
            dims[i]->stride[k] = refined[i].stride[refined[i].count - 1 - k];
        }
    }
    return true;
}
