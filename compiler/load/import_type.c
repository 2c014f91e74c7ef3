/* Import of types and shapes: what the model says of its values, and of its tensors' dimensions.
 * All arithmetic on dimensions is checked here, before anything is allocated by them. */
#include "load/import.h"

#include "base/checked.h"

#include <inttypes.h>
#include <string.h>

Type import_element_type(Import *import, int32_t number) {
    if (number > TYPE_NONE && number < TYPE_COUNT) return (Type)number;
    if (number == TYPE_NONE) import_fail(import, STATUS_INVALID, "it has no element type");
    import_unsupported(import, "its element type has the number %" PRId32 ", which fovea does not know", number);
    return TYPE_NONE;
}

/* Multiplies *product, that of the known dimensions other than 0, by one more. */
static void count_dim(Import *import, size_t axis, int64_t size, int64_t *product) {
    if (size < 0)
        import_fail(import, STATUS_INVALID,
                    "dimension %zu is %" PRId64 "; it has to be 0 or more, or a name (dim_param) where it is open",
                    axis, size);
    if (size > 0 && !checked_multiply(*product, size, product))
        import_fail(import, STATUS_INVALID, "the product of its dimensions is more than 64 bits can hold");
}

static void check_count(Import *import, int64_t product) {
    if (product > INT32_MAX)
        import_fail(import, STATUS_UNSUPPORTED, "it has %" PRId64 " elements; generated code can count to %d", product,
                    INT32_MAX);
}

static void check_rank(Import *import, size_t rank) {
    if (rank > MAX_RANK)
        import_fail(import, STATUS_UNSUPPORTED, "it has %zu dimensions; fovea supports %d", rank, MAX_RANK);
}

Shape import_known_shape(Import *import, const int64_t *dims, size_t rank) {
    check_rank(import, rank);
    int64_t product = 1;
    for (size_t i = 0; i < rank; i++) count_dim(import, i, dims[i], &product);
    check_count(import, product);
    return shape_of((int)rank, dims);
}

/* The one copy of a symbol's text. */
static const char *symbol(Import *import, const char *text) {
    const char *found = map_get(&import->symbols, text);
    if (found != NULL) return found;
    map_set(&import->symbols, text, (void *)text);
    return text;
}

/* A size of -1 is what Paddle2ONNX, among others, writes for an open dimension. */
static Dim import_dim(Import *import, const Onnx__TensorShapeProto__Dimension *dim) {
    if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE)
        return dim->dim_value == -1 ? (Dim){-1, NULL} : dim_known(dim->dim_value);
    bool named = dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM && dim->dim_param[0] != '\0';
    return (Dim){-1, named ? symbol(import, dim->dim_param) : NULL};
}

static Shape import_shape(Import *import, const Onnx__TensorShapeProto *proto) {
    if (proto == NULL) return SHAPE_UNKNOWN;
    check_rank(import, proto->n_dim);
    Shape shape = {.rank = (int)proto->n_dim};
    int64_t product = 1;
    for (size_t i = 0; i < proto->n_dim; i++) {
        shape.dims[i] = import_dim(import, proto->dim[i]);
        if (shape.dims[i].size != -1) count_dim(import, i, shape.dims[i].size, &product);
    }
    check_count(import, product);
    return shape;
}

/* Only tensors and, of sequences, those of tensors: the others are said. */
static void import_held_type(Import *import, const Onnx__TypeProto *type, Value *value) {
    if (type != NULL && type->value_case == ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE) {
        type = type->sequence_type->elem_type;
        value->kind = VALUE_SEQUENCE;
    }
    if (type == NULL || type->value_case == ONNX__TYPE_PROTO__VALUE__NOT_SET)
        import_fail(import, STATUS_INVALID, "it does not say the type of what it holds");
    if (type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE) {
        import_unsupported(import, "it holds what are no tensors; fovea has tensors, sequences of them, and optional "
                                   "values of both");
        return;
    }
    value->type = import_element_type(import, type->tensor_type->elem_type);
    value->shape = import_shape(import, type->tensor_type->shape);
}

void import_type(Import *import, const Onnx__TypeProto *type, Value *value) {
    const char *other = NULL;
    /* Within branches and bodies the type is inferred: PyTorch leaves it out, and of lists it does not say enough. */
    const bool is_within = import->scope->parent != NULL;
    switch (type->value_case) {
    case ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE: import_held_type(import, type, value); return;
    case ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE:
        if (!is_within) import_held_type(import, type, value);
        return;
    case ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE:
        if (is_within) return;
        import_held_type(import, type->optional_type->elem_type, value);
        value->is_optional = true;
        return;
    case ONNX__TYPE_PROTO__VALUE_MAP_TYPE: other = "a map"; break;
    case ONNX__TYPE_PROTO__VALUE_OPAQUE_TYPE: other = "of an opaque type"; break;
    case ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE: other = "a sparse tensor"; break;
    default:
        if (is_within) return;
        import_fail(import, STATUS_INVALID, "it has no type");
    }
    import_unsupported(
        import, "it is %s; fovea's inputs and outputs are tensors: export the model with the tensors in it", other);
}
