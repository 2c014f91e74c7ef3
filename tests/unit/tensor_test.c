/* Tests of graph/tensor.h: counting, comparing and printing shapes, reading elements. */
#include "support/test.h"

#include "graph/tensor.h"

#include <math.h>
#include <string.h>

static Shape shape3(int64_t a, int64_t b, int64_t c) { return shape_of(3, (int64_t[]){a, b, c}); }

static void shapes_are_counted(void **state) {
    (void)state;
    Shape scalar = shape_of(0, NULL), plain = shape3(2, 3, 4), empty = shape3(2, 0, 4);
    assert_int_equal(shape_count(&scalar), 1);
    assert_int_equal(shape_count(&plain), 24);
    assert_int_equal(shape_product(&plain, 1, 3), 12);
    assert_int_equal(shape_product(&plain, 1, 1), 1);
    assert_int_equal(shape_count(&empty), 0);
    Shape largest = shape_of(1, (int64_t[]){INT32_MAX});
    assert_int_equal(shape_count(&largest), INT32_MAX);
}

static void count(void *shape) { shape_count(shape); }

static void make_of_rank_9(void *unused) {
    (void)unused;
    shape_of(MAX_RANK + 1, (int64_t[MAX_RANK + 1]){0});
}

static void what_cannot_be_counted_fails(void **state) {
    (void)state;
    Shape many = shape3(1 << 16, 1 << 15, 1), huge = shape3(INT64_MAX, INT64_MAX, 2), unknown = SHAPE_UNKNOWN;
    expect_failure(STATUS_UNSUPPORTED, "more than 2147483647 elements", count, &many);
    expect_failure(STATUS_UNSUPPORTED, "more than 2147483647 elements", count, &huge);
    expect_failure(STATUS_BUG, "internal check failed", count, &unknown);
    expect_failure(STATUS_BUG, "internal check failed", make_of_rank_9, NULL);
}

static void unknown_dimensions_are_equal_by_symbol(void **state) {
    (void)state;
    const char *batch = "batch", *time = "time";
    Shape a = shape3(2, 3, 4), b = a;
    assert_true(shape_equal(&a, &b) && shape_is_known(&a));
    b.dims[0] = (Dim){-1, batch};
    assert_false(shape_equal(&a, &b) || shape_is_known(&b));
    a.dims[0] = (Dim){-1, batch};
    assert_true(shape_equal(&a, &b));
    a.dims[0].symbol = time;
    assert_false(shape_equal(&a, &b));
    a.dims[0].symbol = b.dims[0].symbol = NULL;
    assert_false(shape_equal(&a, &b)); /* two anonymous ones */
    assert_false(shape_equal(&SHAPE_UNKNOWN, &SHAPE_UNKNOWN) || shape_is_known(&SHAPE_UNKNOWN));
}

static void shapes_are_printed_safely(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Shape shape = shape3(1, 3, 224);
    assert_string_equal(shape_text(arena, &shape), "[1,3,224]");
    shape.dims[0] = (Dim){-1, "batch\n\x1b[2J"};
    shape.dims[1] = (Dim){-1, NULL};
    assert_string_equal(shape_text(arena, &shape), "[batch\\x0a\\x1b[2J,?,224]");
    assert_string_equal(shape_text(arena, &SHAPE_UNKNOWN), "[...]");
    Shape scalar = shape_of(0, NULL);
    assert_string_equal(shape_text(arena, &scalar), "[]");
    arena_free(arena);
}

static Tensor *filled(Arena *arena, Type type, const void *element) {
    Shape shape = shape_of(1, (int64_t[]){2});
    Tensor *tensor = tensor_new(arena, type, &shape);
    memcpy((char *)tensor->data + type_info(type)->bytes, element, (size_t)type_info(type)->bytes);
    assert_true(tensor_number(tensor, 0) == 0 || type == TYPE_FLOAT8E8M0);
    return tensor;
}

#define FILLED(type, c_type, value) filled(arena, type, &(c_type){value})

static void elements_are_read_as_numbers(void **state) {
    (void)state;
    Arena *arena = arena_new();
    assert_true(tensor_number(FILLED(TYPE_FLOAT, float, 1.5f), 1) == 1.5);
    assert_true(tensor_number(FILLED(TYPE_DOUBLE, double, 1e300), 1) == 1e300);
    assert_true(tensor_number(FILLED(TYPE_FLOAT16, uint16_t, 0x3C00), 1) == 1);
    assert_true(tensor_number(FILLED(TYPE_BFLOAT16, uint16_t, 0x3F80), 1) == 1);
    assert_true(tensor_number(FILLED(TYPE_FLOAT8E4M3FN, uint8_t, 0x7E), 1) == 448);
    assert_true(tensor_number(FILLED(TYPE_FLOAT8E4M3FNUZ, uint8_t, 0x7F), 1) == 240);
    assert_true(tensor_number(FILLED(TYPE_FLOAT8E5M2, uint8_t, 0xFB), 1) == -57344);
    assert_true(tensor_number(FILLED(TYPE_FLOAT8E5M2FNUZ, uint8_t, 0x7F), 1) == 57344);
    assert_true(tensor_number(FILLED(TYPE_FLOAT8E8M0, uint8_t, 128), 1) == 2);
    assert_true(tensor_number(FILLED(TYPE_FLOAT4E2M1, uint8_t, 15), 1) == -6);
    assert_true(tensor_number(FILLED(TYPE_UINT64, uint64_t, UINT64_MAX), 1) == 18446744073709551615.0);
    assert_true(tensor_int(FILLED(TYPE_INT64, int64_t, INT64_MIN), 1) == INT64_MIN);
    assert_int_equal(tensor_int(FILLED(TYPE_INT32, int32_t, -7), 1), -7);
    assert_int_equal(tensor_int(FILLED(TYPE_UINT32, uint32_t, UINT32_MAX), 1), UINT32_MAX);
    assert_int_equal(tensor_int(FILLED(TYPE_INT16, int16_t, -7), 1), -7);
    assert_int_equal(tensor_int(FILLED(TYPE_UINT16, uint16_t, 65535), 1), 65535);
    assert_int_equal(tensor_int(FILLED(TYPE_INT8, int8_t, -7), 1), -7);
    assert_int_equal(tensor_int(FILLED(TYPE_UINT8, uint8_t, 255), 1), 255);
    assert_int_equal(tensor_int(FILLED(TYPE_INT4, int8_t, -8), 1), -8);
    assert_int_equal(tensor_int(FILLED(TYPE_UINT2, uint8_t, 3), 1), 3);
    assert_int_equal(tensor_int(FILLED(TYPE_BOOL, uint8_t, 1), 1), 1);
    arena_free(arena);
}

static void read_int(void *tensor) { tensor_int(tensor, 0); }

static void floats_are_no_integers(void **state) {
    (void)state;
    Arena *arena = arena_new();
    expect_failure(STATUS_BUG, "a float tensor has no integers", read_int, FILLED(TYPE_FLOAT, float, 1));
    int64_t values[] = {3, -1};
    Tensor *tensor = tensor_ints(arena, values, 2);
    assert_int_equal(tensor->type, TYPE_INT64);
    assert_int_equal(tensor_count(tensor), 2);
    assert_int_equal(tensor_bytes(tensor), 16);
    assert_int_equal(tensor_int(tensor, 1), -1);
    assert_int_equal(tensor_count(tensor_ints(arena, NULL, 0)), 0);
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_are_counted),
        cmocka_unit_test(what_cannot_be_counted_fails),
        cmocka_unit_test(unknown_dimensions_are_equal_by_symbol),
        cmocka_unit_test(shapes_are_printed_safely),
        cmocka_unit_test(elements_are_read_as_numbers),
        cmocka_unit_test(floats_are_no_integers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
