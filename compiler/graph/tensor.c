/* Shapes and tensors: counting, comparing, printing, reading elements as numbers.
 * Element conversions are those of runtime/support.h, which generated code uses too. */
#include "graph/tensor.h"

#include "base/checked.h"
#include "base/text.h"
#include "runtime/support.h"

#include <inttypes.h>
#include <string.h>

Shape shape_of(int rank, const int64_t *dims) {
    fovea_assert(rank >= 0 && rank <= MAX_RANK);
    Shape shape = {.rank = rank};
    for (int i = 0; i < rank; i++) shape.dims[i] = dim_known(dims[i]);
    return shape;
}

bool shape_is_known(const Shape *shape) {
    for (int i = 0; i < shape->rank; i++)
        if (shape->dims[i].size < 0) return false;
    return shape->rank >= 0;
}

bool shape_equal(const Shape *a, const Shape *b) {
    if (a->rank != b->rank || a->rank < 0) return false;
    for (int i = 0; i < a->rank; i++)
        if (!dim_equal(a->dims[i], b->dims[i])) return false;
    return true;
}

bool shape_may_equal(const Shape *a, const Shape *b) {
    if (a->rank != b->rank || a->rank < 0) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dims[i].size >= 0 && b->dims[i].size >= 0 && a->dims[i].size != b->dims[i].size) return false;
    return true;
}

int64_t shape_product(const Shape *shape, int from, int to) {
    int64_t product = 1;
    bool zero = false;
    for (int i = from; i < to; i++) {
        fovea_assert(shape->dims[i].size >= 0);
        if (shape->dims[i].size == 0) zero = true;
        else if (!checked_multiply(product, shape->dims[i].size, &product) || product > INT32_MAX)
            fail(STATUS_UNSUPPORTED, "a tensor has more than %d elements, which is more than generated code can count",
                 INT32_MAX);
    }
    return zero ? 0 : product;
}

bool shape_has_layout(const Shape *shape) {
    return shape->rank >= 3 && shape_is_known(shape) && shape->dims[1].size > 1 &&
           shape_product(shape, 2, shape->rank) > 1;
}

int64_t shape_count(const Shape *shape) {
    fovea_assert(shape->rank >= 0);
    return shape_product(shape, 0, shape->rank);
}

const char *shape_text(Arena *arena, const Shape *shape) {
    if (shape->rank < 0) return "[...]";
    Text text = text_new(arena);
    text_add(&text, "[");
    for (int i = 0; i < shape->rank; i++) {
        if (i > 0) text_add(&text, ",");
        if (shape->dims[i].size >= 0) text_printf(&text, "%" PRId64, shape->dims[i].size);
        else if (shape->dims[i].symbol == NULL) text_add(&text, "?");
        else { /* a symbol is a name from the model */ const char *safe = quoted(shape->dims[i].symbol);
            text_add_bytes(&text, safe + 1, strlen(safe) - 2);
        }
    }
    text_add(&text, "]");
    return text.data;
}

Tensor *tensor_new(Arena *arena, Type type, const Shape *shape) {
    Tensor *tensor = arena_new_object(arena, Tensor);
    *tensor = (Tensor){.type = type, .shape = *shape};
    tensor->data = arena_alloc(arena, tensor_bytes(tensor));
    return tensor;
}

int64_t tensor_count(const Tensor *tensor) { return shape_count(&tensor->shape); }

size_t tensor_bytes(const Tensor *tensor) {
    return checked_product((size_t)tensor_count(tensor), (size_t)type_info(tensor->type)->bytes);
}

double tensor_number(const Tensor *tensor, int64_t i) {
    switch (tensor->type) {
    case TYPE_FLOAT: return ((const float *)tensor->data)[i];
    case TYPE_DOUBLE: return ((const double *)tensor->data)[i];
    case TYPE_UINT64: return (double)((const uint64_t *)tensor->data)[i];
    case TYPE_FLOAT16: return f32_from_f16(((const uint16_t *)tensor->data)[i]);
    case TYPE_BFLOAT16: return f32_from_bf16(((const uint16_t *)tensor->data)[i]);
    case TYPE_FLOAT8E4M3FN: return f32_from_f8e4m3fn(((const uint8_t *)tensor->data)[i]);
    case TYPE_FLOAT8E4M3FNUZ: return f32_from_f8e4m3fnuz(((const uint8_t *)tensor->data)[i]);
    case TYPE_FLOAT8E5M2: return f32_from_f8e5m2(((const uint8_t *)tensor->data)[i]);
    case TYPE_FLOAT8E5M2FNUZ: return f32_from_f8e5m2fnuz(((const uint8_t *)tensor->data)[i]);
    case TYPE_FLOAT8E8M0: return f32_from_f8e8m0(((const uint8_t *)tensor->data)[i]);
    case TYPE_FLOAT4E2M1: return f32_from_f4e2m1(((const uint8_t *)tensor->data)[i]);
    default: return (double)tensor_int(tensor, i);
    }
}

int64_t tensor_int(const Tensor *tensor, int64_t i) {
    switch (tensor->type) {
    case TYPE_INT4:
    case TYPE_INT2:
    case TYPE_INT8: return ((const int8_t *)tensor->data)[i];
    case TYPE_INT16: return ((const int16_t *)tensor->data)[i];
    case TYPE_INT32: return ((const int32_t *)tensor->data)[i];
    case TYPE_INT64: return ((const int64_t *)tensor->data)[i];
    case TYPE_BOOL:
    case TYPE_UINT4:
    case TYPE_UINT2:
    case TYPE_UINT8: return ((const uint8_t *)tensor->data)[i];
    case TYPE_UINT16: return ((const uint16_t *)tensor->data)[i];
    case TYPE_UINT32: return ((const uint32_t *)tensor->data)[i];
    case TYPE_UINT64: return (int64_t)((const uint64_t *)tensor->data)[i];
    default: fail(STATUS_BUG, "a %s tensor has no integers to read", type_info(tensor->type)->name);
    }
}

void tensor_set(Tensor *tensor, int64_t i, double number) {
    switch (tensor->type) {
    case TYPE_FLOAT: ((float *)tensor->data)[i] = (float)number; break;
    case TYPE_DOUBLE: ((double *)tensor->data)[i] = number; break;
    case TYPE_FLOAT16: ((uint16_t *)tensor->data)[i] = f16_from_f32((float)number); break;
    case TYPE_BFLOAT16: ((uint16_t *)tensor->data)[i] = bf16_from_f32((float)number); break;
    default: fail(STATUS_BUG, "an element of a %s tensor is to be set", type_info(tensor->type)->name);
    }
}

Tensor *tensor_scalar(Arena *arena, Type type, double number) {
    Shape scalar = {0};
    Tensor *tensor = tensor_new(arena, type, &scalar);
    tensor_set(tensor, 0, number);
    return tensor;
}

Tensor *tensor_ints(Arena *arena, const int64_t *values, int count) {
    Shape shape = shape_of(1, (int64_t[]){count});
    Tensor *tensor = tensor_new(arena, TYPE_INT64, &shape);
    if (count > 0) memcpy(tensor->data, values, (size_t)count * sizeof *values);
    return tensor;
}
