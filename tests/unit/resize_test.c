/* Resize and Upsample: sizes from scales, sizes and aspect policies, what is refused, and small results by hand.
 * Inputs count up from 0. */
#include "support/test.h"

#include "support/one_node.h"

#include <math.h>
#include <string.h>

enum { NEWEST = 28 };

#define RUNS(one, shape, ...) assert_runs(one, shape, (int64_t[]){__VA_ARGS__})

static void scales_input(OneNode *one, int count, const float *scales) {
    Tensor *tensor = one_constant(one, TYPE_FLOAT, arena_printf(one->arena, "%d", count));
    if (count > 0) memcpy(tensor->data, scales, tensor_bytes(tensor));
}

static OneNode *scaled(const char *shape, const char *mode, int count, const float *scales) {
    OneNode *one = one_node("Resize", NEWEST, 1);
    one_input(one, TYPE_FLOAT, shape);
    one_left_out(one);
    scales_input(one, count, scales);
    node_set_string(one->node, "mode", mode);
    return one;
}
#define SCALED(shape, mode, ...)                                                                                       \
    scaled(shape, mode, (int)(sizeof((float[]){__VA_ARGS__}) / sizeof(float)), (float[]){__VA_ARGS__})

static OneNode *resized(const char *shape, const char *policy, int count, const int64_t *sizes) {
    OneNode *one = one_node("Resize", NEWEST, 1);
    one_input(one, TYPE_FLOAT, shape);
    one_left_out(one);
    one_left_out(one);
    one_ints(one, count, sizes);
    node_set_string(one->node, "keep_aspect_ratio_policy", policy);
    return one;
}
#define RESIZED(shape, policy, ...)                                                                                    \
    resized(shape, policy, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})

static void expect_shape(OneNode *one, const char *shape) {
    one_node_infer(one);
    assert_shape(one, 0, shape);
    one_node_free(one);
}

static void sizes_follow(void **state) {
    (void)state;
    expect_shape(SCALED("1x3x10x10", "linear", 1, 1, 0.7f, 1.55f), "1x3x7x15");
    expect_shape(SCALED("Nx3xHx4", "nearest", 1, 1, 2, 2), "Nx3x?x8");
    expect_shape(RESIZED("Nx3x4", "stretch", 1, 3, 9), "1x3x9");
    expect_shape(RESIZED("4x6", "not_larger", 8, 9), "6x9");
    expect_shape(RESIZED("4x6", "not_smaller", 8, 9), "8x12");
    expect_shape(RESIZED("Hx6", "not_smaller", 8, 9), "?x?");
    OneNode *one = RESIZED("2xHx4x5", "not_larger", 10, 10);
    node_set_ints(one->node, "axes", (int64_t[]){-1, 2}, 2);
    expect_shape(one, "2xHx8x10");
    one = one_node("Resize", NEWEST, 1);
    one_input(one, TYPE_FLOAT, "1x3x4x4");
    one_left_out(one);
    one_input(one, TYPE_FLOAT, "4");
    expect_shape(one, "?x?x?x?");
    one = one_node("Resize", 11, 1); /* empty scales give way to sizes */
    one_input(one, TYPE_FLOAT, "1x4");
    one_constant(one, TYPE_FLOAT, "0");
    one_constant(one, TYPE_FLOAT, "0");
    one_ints(one, 2, (int64_t[]){1, 2});
    expect_shape(one, "1x2");
}

static void what_makes_no_sense_is_refused(void **state) {
    (void)state;
    assert_node_fails(SCALED("2x2", "linear", 1), STATUS_INVALID, "1 scales, expected 2");
    assert_node_fails(SCALED("2", "linear", 0), STATUS_INVALID, "scale 0 is out of range");
    assert_node_fails(SCALED("2", "linear", -1), STATUS_INVALID, "scale -1 is out of range");
    assert_node_fails(SCALED("2", "linear", NAN), STATUS_INVALID, "is out of range");
    assert_node_fails(SCALED("2", "linear", INFINITY), STATUS_INVALID, "is out of range");
    assert_node_fails(SCALED("4", "linear", 1e9f), STATUS_UNSUPPORTED, "4000000000 elements");
    assert_node_fails(SCALED("2", "nearest", 1e9f), STATUS_UNSUPPORTED, "a table of 2000000000 entries");
    assert_node_fails(SCALED("2", "cubic", 1e9f), STATUS_UNSUPPORTED, "a table of 8000000000 entries");
    assert_node_fails(SCALED("2", "quadratic", 2), STATUS_INVALID, "'quadratic'");
    assert_node_fails(RESIZED("2", "stretch", -1), STATUS_INVALID, "size -1 of axis 0 is negative");
    assert_node_fails(RESIZED("0", "stretch", 3), STATUS_INVALID, "no elements to make 3 of");
    assert_node_fails(RESIZED("2", "stretch", INT64_MAX), STATUS_UNSUPPORTED, "at most 2147483647");
    assert_node_fails(RESIZED("2x2", "not_larger", INT64_MAX, INT64_MAX), STATUS_UNSUPPORTED, "is too large");
    assert_node_fails(RESIZED("2", "crop", 2), STATUS_INVALID, "'crop'");
    OneNode *one = SCALED("2", "linear", 2);
    one_ints(one, 1, (int64_t[]){4});
    assert_node_fails(one, STATUS_INVALID, "both scales and sizes");
    one = one_node("Resize", NEWEST, 1);
    one_input(one, TYPE_FLOAT, "2");
    assert_node_fails(one, STATUS_INVALID, "neither scales nor sizes");
    one = SCALED("2", "nearest", 2);
    node_set_int(one->node, "antialias", 1);
    assert_node_fails(one, STATUS_INVALID, "antialias");
    one = SCALED("2", "linear", 2);
    node_set_string(one->node, "coordinate_transformation_mode", "tf_crop_and_resize");
    assert_node_fails(one, STATUS_UNSUPPORTED, "input 1 (roi)");
}

static void nearest_repeats(void **state) {
    (void)state;
    RUNS(SCALED("1x2x2", "nearest", 1, 2, 2), "1x4x4", 0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3);
    RUNS(SCALED("5", "nearest", 0.6f), "3", 0, 2, 4); /* x = 1/3, 2, 11/3: to the nearest */
    RUNS(SCALED("2x3", "nearest", 1, 1), "2x3", 0, 1, 2, 3, 4, 5);
    RUNS(SCALED("0x2", "nearest", 1, 2), "0x4", 0);
    OneNode *one = one_node("Upsample", 7, 1);
    one_input(one, TYPE_FLOAT, "1x2");
    float scales[] = {2, 2.5f};
    Attribute attribute = {.name = "scales", .kind = ATTRIBUTE_FLOATS, .count = 2, .numbers = scales};
    list_add(one->arena, &one->node->attributes, attribute);
    RUNS(one, "2x5", 0, 0, 0, 1, 1, 0, 0, 0, 1, 1);
    one = one_node("Upsample", 9, 1);
    one_input(one, TYPE_INT32, "2");
    scales_input(one, 1, (float[]){3});
    RUNS(one, "6", 0, 0, 0, 1, 1, 1);
    one = one_node("Resize", 10, 1); /* smaller: up, as of old */
    one_input(one, TYPE_FLOAT, "4");
    scales_input(one, 1, (float[]){0.6f});
    RUNS(one, "2", 0, 2);
    one = SCALED("9", "nearest", 0.6f); /* 3 / 0.6f is 5 in single precision, and just below it in double */
    node_set_string(one->node, "coordinate_transformation_mode", "asymmetric");
    node_set_string(one->node, "nearest_mode", "floor");
    RUNS(one, "5", 0, 1, 3, 5, 6);
}

static void whole_numbers_are_rounded(void **state) {
    (void)state;
    OneNode *one = one_node("Resize", NEWEST, 1);
    one_input(one, TYPE_UINT8, "4"); /* 0 1 2 3 */
    one_left_out(one);
    one_left_out(one);
    one_ints(one, 1, (int64_t[]){7});
    node_set_string(one->node, "mode", "linear");
    node_set_string(one->node, "coordinate_transformation_mode", "align_corners");
    RUNS(one, "7", 0, 0, 1, 2, 2, 2, 3); /* 0.5 and 2.5 to even; 1.5 too */
}

/* PyTorch exports interpolate(scale_factor=1.2, align_corners=True) with scales; corners stay where they are. */
static void corners_are_aligned(void **state) {
    (void)state;
    OneNode *one = SCALED("2", "linear", 1.2f);
    node_set_string(one->node, "coordinate_transformation_mode", "align_corners");
    RUNS(one, "2", 0, 1);
    one = SCALED("3", "cubic", 0.4f);
    node_set_string(one->node, "coordinate_transformation_mode", "align_corners");
    RUNS(one, "1", 0);
}

static void outside_of_the_region_is_extrapolated(void **state) {
    (void)state;
    OneNode *one = one_node("Resize", NEWEST, 1);
    one_input(one, TYPE_FLOAT, "3");
    float *region = one_constant(one, TYPE_FLOAT, "2")->data;
    region[0] = -0.5f, region[1] = 1.5f;
    one_left_out(one);
    one_ints(one, 1, (int64_t[]){5});
    node_set_string(one->node, "mode", "linear");
    node_set_string(one->node, "coordinate_transformation_mode", "tf_crop_and_resize");
    node_set_float(one->node, "extrapolation_value", 9);
    RUNS(one, "5", 9, 0, 1, 2, 9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_follow),        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(nearest_repeats),     cmocka_unit_test(whole_numbers_are_rounded),
        cmocka_unit_test(corners_are_aligned), cmocka_unit_test(outside_of_the_region_is_extrapolated),
    };
    return cmocka_run_group_tests_name("resize", tests, NULL, NULL);
}
