/* Data-movement and shape operators: the shapes that follow from known, unknown and hostile inputs, and where each
 * element comes from. Inputs count up from 0, so a result is a list of the places that its elements had. */
#include "support/test.h"

#include "support/one_node.h"

#include <string.h>

enum { NEWEST = 28 };

/* A node with one float input of that shape. */
static OneNode *over(const char *op, int opset, const char *shape) {
    OneNode *one = one_node(op, opset, 1);
    one_input(one, TYPE_FLOAT, shape);
    return one;
}

static void expect_shape(OneNode *one, const char *shape) {
    one_node_infer(one);
    assert_shape(one, 0, shape);
    one_node_free(one);
}

#define RUNS(one, shape, ...) assert_runs(one, shape, (int64_t[]){__VA_ARGS__})
#define INTS(...)                                                                                                      \
    (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]) { __VA_ARGS__ }

/* Views */

static OneNode *reshape(const char *from, int count, const int64_t *sizes) {
    OneNode *one = over("Reshape", NEWEST, from);
    one_ints(one, count, sizes);
    return one;
}

static OneNode *reshape_zero(const char *from, int count, const int64_t *sizes) {
    OneNode *one = reshape(from, count, sizes);
    node_set_int(one->node, "allowzero", 1);
    return one;
}

static void reshape_finds_what_is_left(void **state) {
    (void)state;
    expect_shape(reshape("2x3x4", INTS(4, -1)), "4x6");
    expect_shape(reshape("2x3x4", INTS(0, 0, 1, -1)), "2x3x1x4");
    expect_shape(reshape("2x3x4", INTS(-1)), "24");
    expect_shape(reshape("1x1", 0, NULL), "");
    expect_shape(reshape("2x0x3", INTS(6, 0)), "6x0");
    expect_shape(reshape_zero("0x3", INTS(3, 0)), "3x0");
    RUNS(reshape("2x3", INTS(3, 2)), "3x2", 0, 1, 2, 3, 4, 5);
}

static void reshape_keeps_what_is_unknown(void **state) {
    (void)state;
    expect_shape(reshape("Nx3x4", INTS(0, -1)), "Nx12");
    expect_shape(reshape("Nx3x4", INTS(-1, 12)), "Nx12");
    expect_shape(reshape("Nx3x4", INTS(-1, 6)), "?x6");
    expect_shape(reshape("NxMx4", INTS(0, 0, 2, -1)), "NxMx2x2");
    expect_shape(reshape("NxMx4", INTS(0, -1, 4)), "NxMx4");
    expect_shape(reshape("NxMx4", INTS(0, -1)), "Nx?");
    expect_shape(reshape("NxMx4", INTS(-1, 0, 2)), "?xMx2");
    expect_shape(reshape("?x?x4", INTS(0, 0, -1)), "?x?x4");
    expect_shape(reshape("*", INTS(0, 3, -1)), "?x3x?");
    OneNode *one = over("Reshape", NEWEST, "2x3x4");
    one_input(one, TYPE_INT64, "2");
    expect_shape(one, "?x?");
    one = over("Reshape", NEWEST, "2x3x4");
    one_input(one, TYPE_INT64, "N");
    expect_shape(one, "*");
}

static void reshape_refuses_what_does_not_fit(void **state) {
    (void)state;
    assert_node_fails(reshape("2x3", INTS(-1, -1)), STATUS_INVALID, "dimensions 0 and 1 are both -1");
    assert_node_fails(reshape("2x3", INTS(4, -1)), STATUS_INVALID, "no size fits the -1 of [4,?]");
    assert_node_fails(reshape("2x3", INTS(7)), STATUS_INVALID, "the shape [7] does not hold the elements of [2,3]");
    assert_node_fails(reshape("2x3", INTS(-2)), STATUS_INVALID, "size -2 of dimension 0 is negative");
    assert_node_fails(reshape("2x3", INTS(2, 3, 0)), STATUS_INVALID, "size 0 copies dimension 2");
    assert_node_fails(reshape("0x3", INTS(0, -1)), STATUS_INVALID, "no size fits the -1");
    assert_node_fails(reshape_zero("0x3", INTS(0, -1)), STATUS_INVALID, "exclude each other");
    assert_node_fails(reshape("2", INTS(INT64_MAX, INT64_MAX, -1)), STATUS_INVALID, "overflows");
    assert_node_fails(reshape("2", INTS(INT64_MIN)), STATUS_INVALID, "is negative");
    assert_node_fails(reshape("1", INTS(1, 1, 1, 1, 1, 1, 1, 1, 1)), STATUS_UNSUPPORTED, "more than 8");
    OneNode *one = over("Reshape", 13, "2");
    ONE_INTS(one, 2);
    node_set_int(one->node, "allowzero", 1);
    assert_node_fails(one, STATUS_INVALID, "'allowzero'");
}

static OneNode *flatten(const char *shape, int64_t axis) {
    OneNode *one = over("Flatten", NEWEST, shape);
    node_set_int(one->node, "axis", axis);
    return one;
}

static void flatten_has_two_dimensions(void **state) {
    (void)state;
    expect_shape(flatten("2x3x4", 0), "1x24");
    expect_shape(flatten("2x3x4", 3), "24x1");
    expect_shape(flatten("2x3x4", -1), "6x4");
    expect_shape(flatten("Nx3x4", 1), "Nx12");
    expect_shape(flatten("NxMx4", 1), "Nx?");
    expect_shape(flatten("", 0), "1x1");
    expect_shape(flatten("*", 7), "?x?");
    assert_node_fails(flatten("2x3", 4), STATUS_INVALID, "axis 4 is out of range");
}

static OneNode *squeeze(const char *op, int opset, const char *shape, int count, const int64_t *axes) {
    OneNode *one = over(op, opset, shape);
    if (opset < 13) node_set_ints(one->node, "axes", axes, count);
    else one_ints(one, count, axes);
    return one;
}

static void squeeze_and_unsqueeze_take_axes_both_ways(void **state) {
    (void)state;
    for (int opset = 11; opset <= 13; opset += 2) {
        expect_shape(squeeze("Squeeze", opset, "1x3x1x4", INTS(0, -2)), "3x4");
        expect_shape(squeeze("Squeeze", opset, "Nx3", INTS(0)), "3");
        expect_shape(squeeze("Unsqueeze", opset, "3xN", INTS(-1, 0)), "1x3xNx1");
        assert_node_fails(squeeze("Squeeze", opset, "2x3", INTS(1)), STATUS_INVALID, "axis 1 has the size 3");
        assert_node_fails(squeeze("Squeeze", opset, "1x1", INTS(0, -2)), STATUS_INVALID, "axis 0 is named twice");
        assert_node_fails(squeeze("Unsqueeze", opset, "3", INTS(2)), STATUS_INVALID, "axis 2 is out of range");
        assert_node_fails(squeeze("Unsqueeze", opset, "3", INTS(INT64_MIN)), STATUS_INVALID, "out of range");
        assert_node_fails(squeeze("Unsqueeze", opset, "3", INTS(0, 1, 2, 3, 4, 5, 6, 7)), STATUS_UNSUPPORTED,
                          "more than 8 dimensions");
    }
    expect_shape(over("Squeeze", NEWEST, "1x3x1"), "3");
    expect_shape(over("Squeeze", NEWEST, "1xN"), "*");
    OneNode *one = over("Squeeze", NEWEST, "1x3");
    one_input(one, TYPE_INT64, "1");
    expect_shape(one, "*");
    one = over("Squeeze", 13, "1x3");
    ONE_ATTRIBUTE(one, "axes", 0);
    assert_node_fails(one, STATUS_INVALID, "'axes'");
}

static void dropout_lets_through(void **state) {
    (void)state;
    OneNode *one = one_node("Dropout", 12, 2);
    one_input(one, TYPE_FLOAT, "2x2");
    one_node_run(one, NULL);
    assert_shape(one, 1, "2x2");
    const Tensor *mask = one->node->outputs.items[1]->constant;
    assert_int_equal(mask->type, TYPE_BOOL);
    for (int i = 0; i < 4; i++) assert_int_equal(tensor_int(mask, i), 1);
    one_node_free(one);
    one = over("Dropout", 12, "2x2");
    *(float *)one_constant(one, TYPE_FLOAT, "")->data = 1; /* a ratio that is none, and not asked for */
    RUNS(one, "2x2", 0, 1, 2, 3);
    one = over("Dropout", 12, "2x2");
    one_left_out(one);
    one_constant(one, TYPE_BOOL, "2");
    assert_node_fails(one, STATUS_INVALID, "training_mode has 2 elements");
    one = over("Dropout", 7, "3");
    RUNS(one, "3", 0, 1, 2);
}

/* Shape values */

static void expect_values(OneNode *one, int count, const int64_t *expected) {
    one_node_run(one, NULL);
    assert_string_equal(one->messages, "");
    const Tensor *constant = one->node->outputs.items[0]->constant;
    assert_non_null(constant);
    assert_int_equal(tensor_count(constant), count);
    for (int i = 0; i < count; i++) assert_int_equal(tensor_int(constant, i), expected[i]);
    one_node_free(one);
}

static OneNode *shape_part(const char *shape, int64_t start, int64_t end) {
    OneNode *one = over("Shape", NEWEST, shape);
    node_set_int(one->node, "start", start);
    node_set_int(one->node, "end", end);
    return one;
}

static void shapes_are_constants_as_soon_as_known(void **state) {
    (void)state;
    expect_values(over("Shape", 7, "2x3"), INTS(2, 3));
    expect_values(shape_part("Nx3x4", 1, INT64_MAX), INTS(3, 4));
    expect_values(shape_part("Nx3x4", -2, -1), INTS(3));
    expect_values(shape_part("2x3", 1, 0), 0, NULL);
    expect_values(shape_part("2x3", INT64_MIN, INT64_MAX), INTS(2, 3));
    expect_values(over("Size", NEWEST, "2x3x4"), INTS(24));
    OneNode *one = over("Shape", NEWEST, "Nx3");
    one_node_infer(one);
    assert_shape(one, 0, "2");
    assert_null(one->node->outputs.items[0]->constant);
    one_node_free(one);
    expect_shape(over("Shape", NEWEST, "*"), "?");
    expect_shape(over("Size", NEWEST, "Nx3"), "");
}

static OneNode *range(int64_t start, int64_t limit, int64_t delta) {
    OneNode *one = one_node("Range", NEWEST, 1);
    *(int64_t *)one_constant(one, TYPE_INT64, "")->data = start;
    *(int64_t *)one_constant(one, TYPE_INT64, "")->data = limit;
    *(int64_t *)one_constant(one, TYPE_INT64, "")->data = delta;
    return one;
}

static void ranges_count_without_overflow(void **state) {
    (void)state;
    expect_values(range(3, 9, 3), INTS(3, 6));
    expect_values(range(10, 4, -4), INTS(10, 6));
    expect_values(range(4, 4, 1), 0, NULL);
    expect_values(range(4, 10, -1), 0, NULL);
    expect_values(range(INT64_MIN, INT64_MAX, INT64_MAX), INTS(INT64_MIN, -1, INT64_MAX - 1));
    expect_values(range(INT64_MAX, INT64_MIN, INT64_MIN), INTS(INT64_MAX, -1));
    assert_node_fails(range(0, 1, 0), STATUS_INVALID, "delta is 0");
    assert_node_fails(range(INT64_MIN, INT64_MAX, 1), STATUS_UNSUPPORTED, "at most 2147483647");
    OneNode *one = one_node("Range", NEWEST, 1);
    for (int i = 0; i < 3; i++) one_input(one, TYPE_FLOAT, "");
    expect_shape(one, "?");
}

static OneNode *constant_of_shape(int count, const int64_t *sizes) {
    OneNode *one = one_node("ConstantOfShape", NEWEST, 1);
    one_ints(one, count, sizes);
    return one;
}

static void constant_of_shape_fills(void **state) {
    (void)state;
    RUNS(constant_of_shape(INTS(2, 2)), "2x2", 0, 0, 0, 0);
    RUNS(constant_of_shape(0, NULL), "", 0);
    RUNS(constant_of_shape(INTS(0, 5)), "0x5", 0);
    assert_node_fails(constant_of_shape(INTS(2, -1)), STATUS_INVALID, "size -1 of dimension 1 is negative");
    assert_node_fails(constant_of_shape(INTS(INT64_MAX, INT64_MAX)), STATUS_UNSUPPORTED, "at most 2147483647 elements");
    assert_node_fails(constant_of_shape(INTS(0, INT64_MAX, INT64_MAX)), STATUS_UNSUPPORTED, "at most 2147483647");
}

static OneNode *eye(const char *shape, int64_t k) {
    OneNode *one = over("EyeLike", NEWEST, shape);
    node_set_int(one->node, "k", k);
    return one;
}

static void eye_like_has_one_diagonal(void **state) {
    (void)state;
    RUNS(eye("2x3", 0), "2x3", 1, 0, 0, 0, 1, 0);
    RUNS(eye("2x3", 2), "2x3", 0, 0, 1, 0, 0, 0);
    RUNS(eye("2x3", -1), "2x3", 0, 0, 0, 1, 0, 0);
    RUNS(eye("2x3", INT64_MIN), "2x3", 0, 0, 0, 0, 0, 0);
    RUNS(eye("2x3", INT64_MAX), "2x3", 0, 0, 0, 0, 0, 0);
}

/* Movement */

static OneNode *transpose(const char *shape, int count, const int64_t *permutation) {
    OneNode *one = over("Transpose", NEWEST, shape);
    if (count > 0) node_set_ints(one->node, "perm", permutation, count);
    return one;
}

static void transpose_permutes(void **state) {
    (void)state;
    RUNS(transpose("2x3", 0, NULL), "3x2", 0, 3, 1, 4, 2, 5);
    RUNS(transpose("2x1x2x2", INTS(3, 1, 2, 0)), "2x1x2x2", 0, 4, 2, 6, 1, 5, 3, 7);
    RUNS(transpose("2x0x3", INTS(2, 1, 0)), "3x0x2", 0);
    expect_shape(transpose("NxM", INTS(1, 0)), "MxN");
    assert_node_fails(transpose("2x3", INTS(0, 0)), STATUS_INVALID, "entry 1 is 0");
    assert_node_fails(transpose("2x3", INTS(0, 2)), STATUS_INVALID, "entry 1 is 2");
    assert_node_fails(transpose("2x3", INTS(0)), STATUS_INVALID, "1 entries in perm, expected 2");
    assert_node_fails(transpose("2x3", INTS(INT64_MIN, INT64_MAX)), STATUS_INVALID, "no permutation");
}

static OneNode *sized(const char *op, const char *shape, int count, const int64_t *sizes) {
    OneNode *one = over(op, NEWEST, shape);
    one_ints(one, count, sizes);
    return one;
}

static void expand_and_tile_repeat(void **state) {
    (void)state;
    RUNS(sized("Expand", "2x1", INTS(2, 2, 3)), "2x2x3", 0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1);
    RUNS(sized("Expand", "2x3", INTS(1)), "2x3", 0, 1, 2, 3, 4, 5);
    expect_shape(sized("Expand", "Nx1", INTS(1, 4)), "Nx4");
    assert_node_fails(sized("Expand", "2x3", INTS(2, 4)), STATUS_INVALID, "do not broadcast");
    assert_node_fails(sized("Expand", "1", INTS(-1)), STATUS_INVALID, "size -1 of dimension 0");
    assert_node_fails(sized("Expand", "1", INTS(1LL << 20, 1LL << 20)), STATUS_UNSUPPORTED, "at most 2147483647");
    RUNS(sized("Tile", "2x2", INTS(2, 2)), "4x4", 0, 1, 0, 1, 2, 3, 2, 3, 0, 1, 0, 1, 2, 3, 2, 3);
    RUNS(sized("Tile", "2", INTS(0)), "0", 0);
    expect_shape(sized("Tile", "Nx2", INTS(1, 3)), "Nx6");
    assert_node_fails(sized("Tile", "2", INTS(2, 2)), STATUS_INVALID, "2 repeats, expected 1");
    assert_node_fails(sized("Tile", "2", INTS(-2)), STATUS_INVALID, "-2 repeats of dimension 0");
    assert_node_fails(sized("Tile", "2", INTS(INT64_MAX)), STATUS_INVALID, "a dimension overflows");
    assert_node_fails(sized("Tile", "2x2x2x2x2", INTS(2, 2, 2, 2, 2)), STATUS_UNSUPPORTED, "10 nested loops");
    OneNode *one = sized("Tile", "0x2", INTS(INT64_MAX, 3));
    RUNS(one, "0x6", 0);
}

static OneNode *block_move(const char *op, int opset, const char *shape, int64_t block, const char *mode) {
    OneNode *one = over(op, opset, shape);
    node_set_int(one->node, "blocksize", block);
    if (mode != NULL) node_set_string(one->node, "mode", mode);
    return one;
}

static void depth_and_space_are_exchanged(void **state) {
    (void)state;
    RUNS(block_move("DepthToSpace", NEWEST, "1x8x1x1", 2, "DCR"), "1x2x2x2", 0, 2, 4, 6, 1, 3, 5, 7);
    RUNS(block_move("DepthToSpace", NEWEST, "1x8x1x1", 2, "CRD"), "1x2x2x2", 0, 1, 2, 3, 4, 5, 6, 7);
    RUNS(block_move("DepthToSpace", 7, "1x4x1x2", 2, NULL), "1x1x2x4", 0, 2, 1, 3, 4, 6, 5, 7);
    RUNS(block_move("SpaceToDepth", 13, "1x1x2x4", 2, NULL), "1x4x1x2", 0, 2, 1, 3, 4, 6, 5, 7);
    RUNS(block_move("SpaceToDepth", NEWEST, "1x2x2x2", 2, "CRD"), "1x8x1x1", 0, 1, 2, 3, 4, 5, 6, 7);
    expect_shape(block_move("DepthToSpace", NEWEST, "Nx8xHx2", 2, NULL), "Nx2x?x4");
    expect_shape(block_move("SpaceToDepth", NEWEST, "Nx2xHx4", 2, NULL), "Nx8x?x2");
    assert_node_fails(block_move("DepthToSpace", NEWEST, "1x6x2x2", 2, NULL), STATUS_INVALID, "a multiple of 4");
    assert_node_fails(block_move("SpaceToDepth", NEWEST, "1x1x3x2", 2, NULL), STATUS_INVALID, "a multiple of 2");
    assert_node_fails(block_move("SpaceToDepth", NEWEST, "1x1x3x2", 0, NULL), STATUS_INVALID, "blocksize is 0");
    assert_node_fails(block_move("SpaceToDepth", NEWEST, "1x1x2x2", INT64_MAX, NULL), STATUS_INVALID, "too large");
    assert_node_fails(block_move("DepthToSpace", NEWEST, "8x1x1", 2, NULL), STATUS_INVALID, "expected 4");
    assert_node_fails(block_move("DepthToSpace", NEWEST, "1x8x1x1", 2, "dcr"), STATUS_INVALID, "'dcr'");
}

static void triangles_and_sequences_are_checked(void **state) {
    (void)state;
    RUNS(over("Trilu", NEWEST, "2x3"), "2x3", 0, 1, 2, 0, 4, 5);
    OneNode *one = over("Trilu", NEWEST, "2x3");
    ONE_INTS(one, INT64_MIN);
    node_set_int(one->node, "upper", 0);
    RUNS(one, "2x3", 0, 0, 0, 0, 0, 0);
    assert_node_fails(over("Trilu", NEWEST, "3"), STATUS_INVALID, "1 dimension, expected at least 2");
    one = over("ReverseSequence", NEWEST, "3x2");
    ONE_INTS(one, 2, INT64_MAX); /* one out of range is the whole sequence */
    RUNS(one, "3x2", 2, 5, 0, 3, 4, 1);
    one = over("ReverseSequence", NEWEST, "3x2");
    ONE_INTS(one, 1, 2, 3);
    assert_node_fails(one, STATUS_INVALID, "the batch's size");
    one = over("ReverseSequence", NEWEST, "3x2");
    ONE_INTS(one, 1, 2);
    node_set_int(one->node, "batch_axis", 2);
    assert_node_fails(one, STATUS_INVALID, "batch_axis is 2");
}

/* Slices */

typedef struct {
    int64_t start, end, step;
} Cut;

static OneNode *slice(const char *shape, Cut cut, int64_t axis) {
    OneNode *one = over("Slice", NEWEST, shape);
    ONE_INTS(one, cut.start);
    ONE_INTS(one, cut.end);
    ONE_INTS(one, axis);
    ONE_INTS(one, cut.step);
    return one;
}

static void slice_clamps(void **state) {
    (void)state;
    RUNS(slice("5", (Cut){1, 4, 1}, 0), "3", 1, 2, 3);
    RUNS(slice("5", (Cut){-2, INT64_MAX, 1}, 0), "2", 3, 4);
    RUNS(slice("5", (Cut){0, INT64_MAX, INT64_MAX}, 0), "1", 0);
    RUNS(slice("5", (Cut){INT64_MIN, INT64_MAX, 2}, 0), "3", 0, 2, 4);
    RUNS(slice("5", (Cut){INT64_MAX, INT64_MIN, -2}, -1), "3", 4, 2, 0);
    RUNS(slice("5", (Cut){-1, INT64_MIN, INT64_MIN}, 0), "1", 4);
    RUNS(slice("5", (Cut){3, 0, -1}, 0), "3", 3, 2, 1);
    RUNS(slice("5", (Cut){4, 2, 1}, 0), "0", 0);
    RUNS(slice("0x2", (Cut){-1, INT64_MIN, -1}, 0), "0x2", 0);
    RUNS(slice("2x3", (Cut){2, 0, -1}, 1), "2x2", 2, 1, 5, 4);
    assert_node_fails(slice("5", (Cut){0, 5, 0}, 0), STATUS_INVALID, "the step along axis 0 is 0");
    assert_node_fails(slice("5", (Cut){0, 5, 1}, 1), STATUS_INVALID, "axis 1 is out of range");
}

static void slice_keeps_what_it_can(void **state) {
    (void)state;
    expect_shape(slice("NxM", (Cut){0, INT64_MAX, 1}, 0), "NxM");
    expect_shape(slice("NxM", (Cut){-1, INT64_MIN, -1}, 0), "NxM");
    expect_shape(slice("NxM", (Cut){1, INT64_MAX, 1}, 0), "?xM");
    OneNode *one = over("Slice", NEWEST, "4x5x6");
    one_input(one, TYPE_INT64, "1");
    ONE_INTS(one, 3);
    ONE_INTS(one, 1);
    expect_shape(one, "4x?x6");
    one = over("Slice", NEWEST, "4x5x6");
    one_input(one, TYPE_INT64, "1");
    ONE_INTS(one, 3);
    expect_shape(one, "?x5x6");
    one = over("Slice", NEWEST, "4x5x6");
    ONE_INTS(one, 0);
    ONE_INTS(one, 3);
    one_input(one, TYPE_INT64, "1");
    expect_shape(one, "?x?x?");
    one = over("Slice", 9, "3x4"); /* attributes */
    ONE_ATTRIBUTE(one, "starts", 1, -2);
    ONE_ATTRIBUTE(one, "ends", 2, 1000);
    RUNS(one, "1x2", 6, 7);
    one = over("Slice", NEWEST, "3");
    ONE_INTS(one, 1);
    ONE_INTS(one, 2, 3);
    assert_node_fails(one, STATUS_INVALID, "2 ends, expected 1");
}

static OneNode *concat(int64_t axis, const char *a, const char *b) {
    OneNode *one = over("Concat", NEWEST, a);
    one_input(one, TYPE_FLOAT, b);
    node_set_int(one->node, "axis", axis);
    return one;
}

static void concat_joins(void **state) {
    (void)state;
    RUNS(concat(-1, "2x1", "2x2"), "2x3", 0, 0, 1, 1, 2, 3);
    RUNS(concat(0, "0x2", "1x2"), "1x2", 0, 1);
    expect_shape(concat(0, "NxM", "2x3"), "?x3");
    expect_shape(concat(1, "NxM", "Nx0"), "NxM");
    expect_shape(concat(0, "*", "2x3"), "*");
    assert_node_fails(concat(0, "2x3", "2x4"), STATUS_INVALID, "a dimension off the axis is 3 and 4");
    assert_node_fails(concat(0, "2x3", "2"), STATUS_INVALID, "2 and of 1 dimensions");
    assert_node_fails(concat(2, "2x3", "2x3"), STATUS_INVALID, "axis 2 is out of range");
    assert_node_fails(concat(0, "9223372036854775807x0", "1x0"), STATUS_UNSUPPORTED, "at most 2147483647");
    OneNode *one = one_node("Concat", NEWEST, 1);
    node_set_int(one->node, "axis", 0);
    assert_node_fails(one, STATUS_INVALID, "0 inputs");
    one = over("Concat", NEWEST, "2");
    one_left_out(one);
    node_set_int(one->node, "axis", 0);
    assert_node_fails(one, STATUS_INVALID, "input 1 (inputs) is left out");
}

static OneNode *split(int opset, const char *shape, int outputs) {
    OneNode *one = one_node("Split", opset, outputs);
    one_input(one, TYPE_FLOAT, shape);
    return one;
}

static void split_divides(void **state) {
    (void)state;
    OneNode *one = split(NEWEST, "7x2", 3);
    node_set_int(one->node, "num_outputs", 3);
    one_node_run(one, NULL);
    assert_shape(one, 0, "3x2");
    assert_shape(one, 2, "1x2");
    assert_true(tensor_number(one->node->outputs.items[2]->constant, 1) == 13);
    one_node_free(one);
    one = split(NEWEST, "2xN", 2);
    ONE_INTS(one, 1, 3);
    node_set_int(one->node, "axis", 1);
    expect_shape(one, "2x1");
    expect_shape(split(13, "6", 3), "2");
    expect_shape(split(13, "N", 1), "N");
    expect_shape(split(13, "N", 2), "?");
    assert_node_fails(split(13, "7", 3), STATUS_INVALID, "cannot be split into 3 equal parts");
    one = split(NEWEST, "5", 4); /* three of 2 and one of -1 */
    node_set_int(one->node, "num_outputs", 4);
    assert_node_fails(one, STATUS_INVALID, "cannot be split");
    one = split(NEWEST, "5", 2);
    node_set_int(one->node, "num_outputs", 3);
    assert_node_fails(one, STATUS_INVALID, "num_outputs is 3");
    one = split(NEWEST, "5", 2);
    ONE_INTS(one, 2, 2);
    assert_node_fails(one, STATUS_INVALID, "add up to 4");
    one = split(NEWEST, "5", 3);
    ONE_INTS(one, INT64_MAX, INT64_MAX, 7);
    assert_node_fails(one, STATUS_INVALID, "size 9223372036854775807 of output 1");
}

/* Pads */

static OneNode *pad(const char *mode, const char *shape, int count, const int64_t *pads) {
    OneNode *one = over("Pad", NEWEST, shape);
    one_ints(one, count, pads);
    node_set_string(one->node, "mode", mode);
    return one;
}

static void pad_frames(void **state) {
    (void)state;
    RUNS(pad("constant", "3", INTS(1, 2)), "6", 0, 0, 1, 2, 0, 0);
    RUNS(pad("edge", "3", INTS(2, 1)), "6", 0, 0, 0, 1, 2, 2);
    RUNS(pad("reflect", "3", INTS(2, 5)), "10", 2, 1, 0, 1, 2, 1, 0, 1, 2, 1);
    RUNS(pad("wrap", "3", INTS(4, 4)), "11", 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0);
    RUNS(pad("reflect", "1", INTS(1, 2)), "4", 0, 0, 0, 0);
    RUNS(pad("constant", "4", INTS(-1, -2)), "1", 1);
    RUNS(pad("constant", "4", INTS(-6, 5)), "3", 0, 0, 0);
    RUNS(pad("edge", "4", INTS(-2, 2)), "4", 2, 3, 3, 3);
    RUNS(pad("reflect", "2x2", INTS(1, 0, 0, 1)), "3x3", 2, 3, 2, 0, 1, 0, 2, 3, 2);
    RUNS(pad("constant", "0", INTS(1, 1)), "2", 0, 0);
    OneNode *one = over("Pad", NEWEST, "2x2");
    ONE_INTS(one, 1, 0);
    one_input(one, TYPE_FLOAT, ""); /* 0 */
    ONE_INTS(one, -1);
    RUNS(one, "2x3", 0, 0, 1, 0, 2, 3);
    one = over("Pad", 7, "2");
    ONE_ATTRIBUTE(one, "pads", 0, 1);
    node_set_float(one->node, "value", 7);
    RUNS(one, "3", 0, 1, 7);
}

static void pad_refuses_what_leaves_nothing(void **state) {
    (void)state;
    expect_shape(pad("constant", "Nx2", INTS(0, 1, 0, 1)), "Nx4");
    expect_shape(pad("constant", "Nx2", INTS(1, 0, 0, 0)), "?x2");
    assert_node_fails(pad("constant", "3", INTS(-2, -2)), STATUS_INVALID, "leave nothing of a dimension of 3");
    assert_node_fails(pad("edge", "0", INTS(1, 0)), STATUS_INVALID, "nothing is left of a dimension of 0");
    assert_node_fails(pad("wrap", "4", INTS(-6, 5)), STATUS_INVALID, "nothing is left");
    assert_node_fails(pad("constant", "3", INTS(INT64_MAX, 1)), STATUS_INVALID, "a dimension overflows");
    assert_node_fails(pad("constant", "3", INTS(INT64_MIN, INT64_MAX)), STATUS_INVALID, "a dimension overflows");
    assert_node_fails(pad("reflect", "3", INTS(1LL << 40, 0)), STATUS_UNSUPPORTED, "at most 2147483647");
    assert_node_fails(pad("constant", "3", INTS(1)), STATUS_INVALID, "1 pads, expected 2");
    assert_node_fails(pad("symmetric", "3", INTS(1, 1)), STATUS_INVALID, "'symmetric'");
    OneNode *one = over("Pad", 18, "3");
    ONE_INTS(one, 1, 1);
    node_set_string(one->node, "mode", "wrap"); /* from 19 on */
    assert_node_fails(one, STATUS_INVALID, "'wrap'");
}

/* Element i of a frame around n elements of a line; -1 stands for the constant. */
static int64_t framed(const char *mode, int64_t i, int64_t n) {
    if (i >= 0 && i < n) return i;
    if (strcmp(mode, "constant") == 0) return -1;
    if (strcmp(mode, "edge") == 0 || n == 1) return i < 0 ? 0 : n - 1;
    if (strcmp(mode, "wrap") == 0) return (i % n + n) % n;
    int64_t period = 2 * (n - 1), at = (i % period + period) % period;
    return at < n ? at : period - at;
}

/* Pads of three dimensions in every mode, cuts among them, against that line taken for each dimension. */
static void pads_agree_with_their_definition(void **state) {
    (void)state;
    static const char *const modes[] = {"constant", "edge", "reflect", "wrap"};
    Random random = random_new();
    for (int round = 0; round < 400; round++) {
        int64_t n[3], pads[6], out[3], cut[3], kept[3], expected[8000];
        const char *mode = modes[round % 4];
        for (int d = 0; d < 3; d++) {
            n[d] = 1 + (int64_t)random_below(&random, 4);
            for (int side = 0; side < 2; side++) pads[d + 3 * side] = (int64_t)random_below(&random, 9) - 1;
            if (n[d] < 3 && pads[d] < 0) pads[d] = 0;
            if (n[d] < 3 && pads[d + 3] < 0) pads[d + 3] = 0;
            out[d] = n[d] + pads[d] + pads[d + 3];
            cut[d] = pads[d] < 0 ? -pads[d] : 0;
            kept[d] = n[d] - cut[d] + (pads[d + 3] < 0 ? pads[d + 3] : 0);
        }
        OneNode *one = pad(mode, "*", 6, pads);
        one->node->inputs.items[0]->shape = shape_of(3, n);
        for (int64_t i = 0; i < out[0] * out[1] * out[2]; i++) {
            int64_t at[3] = {i / (out[1] * out[2]), i / out[2] % out[1], i % out[2]}, from = 0;
            bool outside = false;
            for (int d = 0; d < 3; d++) {
                int64_t k = framed(mode, at[d] - (pads[d] > 0 ? pads[d] : 0), kept[d]);
                outside |= k < 0;
                from = from * n[d] + k + cut[d];
            }
            expected[i] = outside ? 0 : from;
        }
        assert_runs(one, arena_printf(one->arena, "%dx%dx%d", (int)out[0], (int)out[1], (int)out[2]), expected);
    }
}

static void center_crop_pad_cuts_and_frames(void **state) {
    (void)state;
    RUNS(sized("CenterCropPad", "4x1", INTS(2, 4)), "2x4", 0, 1, 0, 0, 0, 2, 0, 0);
    RUNS(sized("CenterCropPad", "5", INTS(2)), "2", 1, 2);
    RUNS(sized("CenterCropPad", "3", INTS(0)), "0", 0);
    assert_node_fails(sized("CenterCropPad", "3", INTS(-1)), STATUS_INVALID, "size -1 of axis 0 is negative");
    assert_node_fails(sized("CenterCropPad", "3", INTS(3, 3)), STATUS_INVALID, "2 sizes, expected 1");
}

/* Picking by index */

static OneNode *pick(const char *op, const char *shape, const char *indices_shape, int64_t axis,
                     const int64_t *indices) {
    OneNode *one = over(op, NEWEST, shape);
    Tensor *tensor = one_constant(one, TYPE_INT64, indices_shape);
    memcpy(tensor->data, indices, tensor_bytes(tensor));
    node_set_int(one->node, strcmp(op, "GatherND") == 0 ? "batch_dims" : "axis", axis);
    return one;
}
#define PICK(op, shape, indices_shape, axis, ...) pick(op, shape, indices_shape, axis, (int64_t[]){__VA_ARGS__})

static void gather_picks(void **state) {
    (void)state;
    RUNS(PICK("Gather", "2x3", "", 1, -1), "2", 2, 5);
    RUNS(PICK("Gather", "2x3", "3", 1, 2, 1, 0), "2x3", 2, 1, 0, 5, 4, 3);
    RUNS(PICK("Gather", "2x3", "2x2", 1, 0, 2, 2, 1), "2x2x2", 0, 2, 2, 1, 3, 5, 5, 4);
    RUNS(PICK("Gather", "3x0", "2", 0, 0, 1), "2x0", 0);
    expect_shape(PICK("Gather", "NxMx4", "2", 1, 0, 7), "Nx2x4");
    assert_node_fails(PICK("Gather", "2x3", "1", 1, 3), STATUS_INVALID, "index 3 is out of range for a dimension of 3");
    assert_node_fails(PICK("Gather", "2x3", "1", 1, INT64_MIN), STATUS_INVALID, "is out of range");
    assert_node_fails(PICK("Gather", "2x0", "1", 1, 0), STATUS_INVALID, "a dimension of 0 elements");
    assert_node_fails(PICK("Gather", "2x2x2x2x2x2x2", "1x1x1", 0, 0), STATUS_UNSUPPORTED, "more than 8 dimensions");
    RUNS(PICK("GatherElements", "2x2", "2x2", 1, 0, 0, -1, 0), "2x2", 0, 0, 3, 2);
    RUNS(PICK("GatherElements", "3x3", "2x1", 0, 2, 1), "2x1", 6, 3);
    assert_node_fails(PICK("GatherElements", "2x2", "2x3", 0, 0, 0, 0, 0, 0, 0), STATUS_INVALID,
                      "dimension 1 of the indices is 3");
    assert_node_fails(PICK("GatherElements", "2x2", "2", 0, 0, 0), STATUS_INVALID, "1 dimensions, expected 2");
    RUNS(PICK("GatherND", "2x3", "2x2", 0, 0, 0, 1, -1), "2", 0, 5);
    RUNS(PICK("GatherND", "2x3", "1x1", 0, 1), "1x3", 3, 4, 5);
    RUNS(PICK("GatherND", "2x3", "2x1", 1, 1, 0), "2", 1, 3);
    assert_node_fails(PICK("GatherND", "2x3", "1x3", 0, 0, 0, 0), STATUS_INVALID,
                      "names 3 dimensions, expected 1 to 2");
    assert_node_fails(PICK("GatherND", "2x3", "1x2", 0, 0, 3), STATUS_INVALID, "index 3 is out of range");
    assert_node_fails(PICK("GatherND", "2x3", "2x1", 2, 0, 0), STATUS_INVALID, "batch_dims is 2");
}

/* Indices that are known at run time only: the same kernels, any index. */
static void indices_at_run_time_are_bounded(void **state) {
    (void)state;
    static const char *const ops[] = {"Gather", "GatherElements"};
    for (int i = 0; i < 2; i++)
        for (Type type = TYPE_INT32; type <= TYPE_INT64; type++) {
            OneNode *one = over(ops[i], NEWEST, "5");
            one_input(one, type, "4");
            Shape four = shape_of(1, (int64_t[]){4});
            Tensor *indices = tensor_new(one->arena, type, &four);
            int64_t least = type == TYPE_INT32 ? INT32_MIN : INT64_MIN,
                    most = type == TYPE_INT32 ? INT32_MAX : INT64_MAX;
            int64_t values[] = {least, -2, 1, most};
            for (int k = 0; k < 4; k++)
                if (type == TYPE_INT32) ((int32_t *)indices->data)[k] = (int32_t)values[k];
                else ((int64_t *)indices->data)[k] = values[k];
            one_node_run(one, (const Tensor *[]){NULL, indices});
            assert_shape(one, 0, "4");
            static const double expected[] = {0, 3, 1, 4};
            for (int k = 0; k < 4; k++)
                assert_true(tensor_number(one->node->outputs.items[0]->constant, k) == expected[k]);
            one_node_free(one);
        }
}

static OneNode *scatter(const char *op, const char *shape, const char *indices_shape, const char *updates,
                        const int64_t *indices, const char *reduction) {
    OneNode *one = over(op, NEWEST, shape);
    Tensor *tensor = one_constant(one, TYPE_INT64, indices_shape);
    memcpy(tensor->data, indices, tensor_bytes(tensor));
    one_input(one, TYPE_FLOAT, updates);
    node_set_string(one->node, "reduction", reduction);
    return one;
}
#define SCATTER(op, shape, indices_shape, updates, reduction, ...)                                                     \
    scatter(op, shape, indices_shape, updates, (int64_t[]){__VA_ARGS__}, reduction)

static void scatter_writes_in_order(void **state) {
    (void)state;
    RUNS(SCATTER("ScatterElements", "5", "3", "3", "none", 4, -1, 0), "5", 2, 1, 2, 3, 1);
    RUNS(SCATTER("ScatterElements", "5", "3", "3", "add", 4, -1, 0), "5", 2, 1, 2, 3, 5);
    RUNS(SCATTER("ScatterND", "2x2", "1x1", "1x2", "mul", 1), "2x2", 0, 1, 0, 3);
    RUNS(SCATTER("ScatterND", "4", "2x1", "2", "max", 0, 3), "4", 0, 1, 2, 3);
    RUNS(SCATTER("ScatterND", "4", "2x1", "2", "min", 2, 3), "4", 0, 1, 0, 1);
    RUNS(SCATTER("ScatterND", "4", "0x1", "0", "none", 0), "4", 0, 1, 2, 3);
    assert_node_fails(SCATTER("ScatterElements", "5", "3", "2", "none", 0, 1, 2), STATUS_INVALID, "is 3 and 2");
    assert_node_fails(SCATTER("ScatterElements", "5", "1", "1", "xor", 0), STATUS_INVALID, "'xor'");
    assert_node_fails(SCATTER("ScatterND", "2x2", "1x1", "1x3", "none", 0), STATUS_INVALID, "of the updates");
    assert_node_fails(SCATTER("ScatterND", "2x2", "1x1", "2", "none", 0), STATUS_INVALID, "expected 2");
    OneNode *one = SCATTER("ScatterND", "4", "1x1", "1", "max", 0);
    one->node->graph->opset = one->node->opset = 16; /* max came with 18 */
    assert_node_fails(one, STATUS_INVALID, "'max'");
}

static OneNode *one_hot(const char *indices, double depth, int64_t axis) {
    OneNode *one = one_node("OneHot", NEWEST, 1);
    one_input(one, TYPE_INT64, indices);
    *(double *)one_constant(one, TYPE_DOUBLE, "1")->data = depth;
    one_input(one, TYPE_FLOAT, "2"); /* 0, 1 */
    node_set_int(one->node, "axis", axis);
    return one;
}

static void one_hot_marks_classes(void **state) {
    (void)state;
    RUNS(one_hot("3", 2, -1), "3x2", 1, 0, 0, 1, 0, 0);
    RUNS(one_hot("3", 2, 0), "2x3", 1, 0, 0, 0, 1, 0);
    expect_shape(one_hot("NxM", 4, 1), "Nx4xM");
    assert_node_fails(one_hot("3", -1, 0), STATUS_INVALID, "a depth of -1");
    assert_node_fails(one_hot("3", 1e300, 0), STATUS_INVALID, "is out of range");
    assert_node_fails(one_hot("3", 2, 2), STATUS_INVALID, "axis 2 is out of range");
    assert_node_fails(one_hot("65536", 65536, 0), STATUS_UNSUPPORTED, "at most 2147483647");
}

/* Selection */

static OneNode *top(const char *shape, int64_t k, int64_t axis) {
    OneNode *one = one_node("TopK", NEWEST, 2);
    one_input(one, TYPE_FLOAT, shape);
    ONE_INTS(one, k);
    node_set_int(one->node, "axis", axis);
    return one;
}

static void top_k_keeps_within_the_axis(void **state) {
    (void)state;
    RUNS(top("2x3", 2, 1), "2x2", 2, 1, 5, 4);
    RUNS(top("2x3", 1, 0), "1x3", 3, 4, 5);
    RUNS(top("2x3", 0, 0), "0x3", 0);
    expect_shape(top("NxM", 3, 0), "3xM");
    assert_node_fails(top("2x3", 4, 1), STATUS_INVALID, "K is 4, but the axis has 3");
    assert_node_fails(top("2x3", -1, 1), STATUS_INVALID, "K is -1");
    OneNode *one = one_node("TopK", NEWEST, 2);
    one_input(one, TYPE_FLOAT, "2x3");
    one_input(one, TYPE_INT64, "1");
    expect_shape(one, "2x?");
}

static void what_depends_on_data_is_only_folded(void **state) {
    (void)state;
    OneNode *one = one_node("NonZero", NEWEST, 1);
    ONE_INTS(one, 0, 3, 0, 5);
    RUNS(one, "1x2", 1, 3);
    expect_shape(over("NonZero", NEWEST, "2x3"), "2x?");
    assert_node_fails(over("NonZero", NEWEST, "2x3"), STATUS_UNSUPPORTED, "is not known when compiling");
    one = one_node("Unique", NEWEST, 1);
    ONE_INTS(one, 2, 1, 1, -3, 2);
    RUNS(one, "3", -3, 1, 2);
    one = one_node("Unique", NEWEST, 1);
    ONE_INTS(one, 2, 1, 1, -3, 2);
    node_set_int(one->node, "sorted", 0);
    RUNS(one, "3", 2, 1, -3);
    assert_node_fails(over("Unique", NEWEST, "2x3"), STATUS_UNSUPPORTED, "is not known when compiling");
    one = over("Compress", NEWEST, "2x3"); /* the condition is known, the data is not */
    uint8_t *condition = one_constant(one, TYPE_BOOL, "3")->data;
    condition[0] = condition[2] = 1;
    node_set_int(one->node, "axis", 1);
    RUNS(one, "2x2", 0, 2, 3, 5);
    one = over("Compress", NEWEST, "2x3");
    one_input(one, TYPE_BOOL, "3");
    assert_node_fails(one, STATUS_UNSUPPORTED, "is not known when compiling");
}

/* Every bit of every element is kept, signalling NaNs too. */
static void copies_keep_every_bit(void **state) {
    (void)state;
    OneNode *one = one_node("Transpose", NEWEST, 1);
    one_input(one, TYPE_FLOAT16, "256x256");
    Shape shape = shape_of(2, (int64_t[]){256, 256});
    Tensor *every = tensor_new(one->arena, TYPE_FLOAT16, &shape);
    for (int i = 0; i < 65536; i++) ((uint16_t *)every->data)[i] = (uint16_t)i;
    one_node_run(one, (const Tensor *[]){every});
    assert_shape(one, 0, "256x256");
    const uint16_t *found = one->node->outputs.items[0]->constant->data;
    for (int i = 0; i < 65536; i++) assert_int_equal(found[i], i % 256 * 256 + i / 256);
    one_node_free(one);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reshape_finds_what_is_left),
        cmocka_unit_test(reshape_keeps_what_is_unknown),
        cmocka_unit_test(reshape_refuses_what_does_not_fit),
        cmocka_unit_test(flatten_has_two_dimensions),
        cmocka_unit_test(squeeze_and_unsqueeze_take_axes_both_ways),
        cmocka_unit_test(dropout_lets_through),
        cmocka_unit_test(shapes_are_constants_as_soon_as_known),
        cmocka_unit_test(ranges_count_without_overflow),
        cmocka_unit_test(constant_of_shape_fills),
        cmocka_unit_test(eye_like_has_one_diagonal),
        cmocka_unit_test(transpose_permutes),
        cmocka_unit_test(expand_and_tile_repeat),
        cmocka_unit_test(depth_and_space_are_exchanged),
        cmocka_unit_test(triangles_and_sequences_are_checked),
        cmocka_unit_test(slice_clamps),
        cmocka_unit_test(slice_keeps_what_it_can),
        cmocka_unit_test(concat_joins),
        cmocka_unit_test(split_divides),
        cmocka_unit_test(pad_frames),
        cmocka_unit_test(pad_refuses_what_leaves_nothing),
        cmocka_unit_test(pads_agree_with_their_definition),
        cmocka_unit_test(center_crop_pad_cuts_and_frames),
        cmocka_unit_test(gather_picks),
        cmocka_unit_test(indices_at_run_time_are_bounded),
        cmocka_unit_test(scatter_writes_in_order),
        cmocka_unit_test(one_hot_marks_classes),
        cmocka_unit_test(top_k_keeps_within_the_axis),
        cmocka_unit_test(what_depends_on_data_is_only_folded),
        cmocka_unit_test(copies_keep_every_bit),
    };
    return cmocka_run_group_tests_name("movement", tests, NULL, NULL);
}
