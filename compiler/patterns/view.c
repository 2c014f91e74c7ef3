/* Views: which nodes only rename a tensor.
 * Where shapes are not wholly known, a dimension without a size is never taken for a 1. */
#include "patterns/view.h"

#include <stdint.h>
#include <string.h>

static bool is_one(Dim dim) { return dim.size == 1; }

bool shapes_differ_in_ones_only(const Shape *a, const Shape *b) {
    if (a->rank < 0 || b->rank < 0) return false;
    int i = 0, k = 0, open = 0;
    for (;;) {
        while (i < a->rank && is_one(a->dims[i])) i++;
        while (k < b->rank && is_one(b->dims[k])) k++;
        if (i == a->rank || k == b->rank) return i == a->rank && k == b->rank;
        Dim x = a->dims[i++], y = b->dims[k++];
        if (!dim_equal(x, y) && (x.size >= 0 || y.size >= 0 || ++open > 1)) return false;
    }
}

/* Whether a Transpose leaves all dimensions other than 1 in their order. */
static bool moves_ones_only(const Node *node, const Shape *shape) {
    const Attribute *perm = node_attribute(node, "perm");
    if (shape->rank < 0) return false;
    int64_t last = -1;
    for (int d = 0; d < shape->rank; d++) {
        int64_t from = perm == NULL ? shape->rank - 1 - d : d < perm->count ? perm->integers[d] : -1;
        if (from < 0 || from >= shape->rank) return false;
        if (is_one(shape->dims[from])) continue;
        if (from < last) return false;
        last = from;
    }
    return true;
}

/* Dropout hands its input on unless training_mode, an input from opset 12 on, is true. */
static bool is_inference_dropout(const Node *node) {
    const Value *training = node_input(node, 2);
    return training == NULL || (training->constant != NULL && tensor_int(training->constant, 0) == 0);
}

/* A slice of the same size takes all of its input, in order unless it runs backwards. */
static bool is_whole_slice(const Node *node, const Shape *from, const Shape *to) {
    const Value *steps = node_input(node, 4);
    if (!shape_is_known(from) || !shape_equal(from, to) || (steps != NULL && steps->constant == NULL)) return false;
    for (int64_t i = 0; steps != NULL && i < tensor_count(steps->constant); i++)
        if (tensor_int(steps->constant, i) < 1) return false;
    return true;
}

/* Whether a Gather takes all elements of a vector in their order, as PyTorch's as_strided does of a contiguous one. */
static bool gathers_all(const Node *node, const Value *input) {
    const Value *indices = node_input(node, 1);
    const Attribute *axis = node_attribute(node, "axis");
    if (input->shape.rank != 1 || indices == NULL || indices->constant == NULL) return false;
    int64_t count = tensor_count(indices->constant);
    if (input->shape.dims[0].size != count || (axis != NULL && axis->integer != 0 && axis->integer != -1)) return false;
    for (int64_t i = 0; i < count; i++)
        if (tensor_int(indices->constant, i) != i) return false;
    return true;
}

static bool is_view(const Node *node, const Value *input, const Value *output) {
    const char *type = node->op_type;
    if (strcmp(type, "Identity") == 0) return true;
    if (strcmp(type, "Dropout") == 0) return is_inference_dropout(node);
    if (strcmp(type, "Cast") == 0) return input->type != TYPE_NONE && input->type == output->type;
    if (strcmp(type, "Expand") == 0) return input->shape.rank >= 0 && shape_equal(&input->shape, &output->shape);
    if (strcmp(type, "Slice") == 0) return is_whole_slice(node, &input->shape, &output->shape);
    if (strcmp(type, "Squeeze") == 0 || strcmp(type, "Unsqueeze") == 0) return true;
    if (strcmp(type, "Transpose") == 0) return moves_ones_only(node, &input->shape);
    if (strcmp(type, "Reshape") == 0 || strcmp(type, "Flatten") == 0)
        return shapes_differ_in_ones_only(&input->shape, &output->shape);
    if (strcmp(type, "Gather") == 0)
        return gathers_all(node, input) && shapes_differ_in_ones_only(&input->shape, &output->shape);
    return false;
}

Value *view_source(const Value *value) {
    const Node *node = value->producer;
    if (node == NULL || node->domain[0] != '\0' || node_output(node, 0) != value) return NULL;
    Value *input = node_input(node, 0);
    return input != NULL && is_view(node, input, value) ? input : NULL;
}

Value *rounded_source(const Value *value) {
    const Node *out = value->producer, *in = out == NULL || out->inputs.count == 0 || out->inputs.items[0] == NULL
                                                 ? NULL
                                                 : out->inputs.items[0]->producer;
    if (in == NULL || strcmp(out->op_type, "DequantizeLinear") != 0 || strcmp(in->op_type, "QuantizeLinear") != 0)
        return NULL;
    for (int i = 1; i <= 2; i++) {
        Value *scale = node_input(in, i), *other = node_input(out, i);
        if ((scale == NULL) != (other == NULL) || (scale != NULL && !is_same_tensor(scale, other))) return NULL;
    }
    return in->inputs.items[0];
}

bool rounding_is_relu(const Value *value) {
    if (rounded_source(value) == NULL) return false;
    const Node *out = value->producer;
    const Type type = out->inputs.items[0]->type;
    const Value *zero = node_input(out, 2);
    if ((type != TYPE_UINT8 && type != TYPE_INT8) || (zero != NULL && zero->constant == NULL)) return false;
    if (zero == NULL) return type == TYPE_UINT8;
    for (int64_t i = 0; i < tensor_count(zero->constant); i++)
        if (tensor_int(zero->constant, i) != (type == TYPE_UINT8 ? 0 : INT8_MIN)) return false;
    return true;
}

Value *view_root(Value *value) {
    for (Value *source; (source = view_source(value)) != NULL;) value = source;
    return value;
}

bool is_same_tensor(Value *a, Value *b) {
    a = view_root(a);
    b = view_root(b);
    if (a == b) return true;
    const Tensor *x = a->constant, *y = b->constant;
    if (x == NULL || y == NULL || x->type != y->type || !shape_equal(&x->shape, &y->shape)) return false;
    return x->type != TYPE_STRING && memcmp(x->data, y->data, tensor_bytes(x)) == 0;
}
