/* Operators that read maps between elements, pool boxes, or put windows back: the shapes that follow, unknown ones
 * among them, and what is refused. */
#include "support/one_node.h"
#include "support/test.h"

static const int NEWEST = 22;

/* A node with inputs of floats, by their shapes, which "" ends; int64 where a shape is headed by "i". */
static OneNode *node_of(const char *op, const char *const *shapes) {
    OneNode *one = one_node(op, NEWEST, 1);
    for (; shapes[0][0] != '\0'; shapes++)
        one_input(one, shapes[0][0] == 'i' ? TYPE_INT64 : TYPE_FLOAT, shapes[0][0] == 'i' ? *shapes + 1 : *shapes);
    return one;
}
#define NODE(op, ...) node_of(op, (const char *const[]){__VA_ARGS__, ""})

static void check_shape(OneNode *one, const char *shape) {
    one_node_infer(one);
    assert_string_equal(one->messages, "");
    assert_shape(one, 0, shape);
    one_node_free(one);
}

static void grids(void **state) {
    (void)state;
    check_shape(NODE("GridSample", "Nx3x5x6", "2x7x8x2"), "2x3x7x8");
    check_shape(NODE("GridSample", "2x3x4x5x6", "2x?x7x8x3"), "2x3x?x7x8");
    check_shape(NODE("GridSample", "*", "*"), "*");
    check_shape(NODE("GridSample", "1x3x4x5", "1x0x7x2"), "1x3x0x7");
    assert_node_fails(NODE("GridSample", "2x3x5x6", "1x7x8x2"), STATUS_INVALID,
                      "the batch of the input and of the grid");
    assert_node_fails(NODE("GridSample", "2x3x5x6", "2x7x8x3"), STATUS_INVALID, "coordinates");
    assert_node_fails(NODE("GridSample", "2x3x5x6", "2x7x8x9x3"), STATUS_INVALID, "the grid has 5 dimensions");
    assert_node_fails(NODE("GridSample", "2x3", "2x3"), STATUS_INVALID, "expected at least 3");
    assert_node_fails(NODE("GridSample", "2x3x2x2x2x2", "2x2x2x2x2x4"), STATUS_UNSUPPORTED, "4 spatial dimensions");
    assert_node_fails(NODE("GridSample", "2x3x0x6", "2x7x8x2"), STATUS_INVALID, "empty");
    assert_node_fails(NODE("GridSample", "i2x3x5x6", "2x7x8x2"), STATUS_UNSUPPORTED, "mode nearest only");
    OneNode *one = NODE("GridSample", "2x3x5x6", "2x7x8x2");
    node_set_string(one->node, "mode", "bilinear"); /* as it was called before version 20 */
    assert_node_fails(one, STATUS_INVALID, "mode is 'bilinear'");
    one = NODE("GridSample", "2x3x5x6", "2x7x8x2");
    node_set_string(one->node, "padding_mode", "wrap");
    assert_node_fails(one, STATUS_INVALID, "padding_mode is 'wrap'");
}

static void affine_grids(void **state) {
    (void)state;
    OneNode *one = NODE("AffineGrid", "Nx2x3");
    ONE_INTS(one, 2, 3, 5, 6);
    check_shape(one, "2x5x6x2");
    one = NODE("AffineGrid", "2x3x4");
    ONE_INTS(one, 2, 1, 4, 5, 6);
    check_shape(one, "2x4x5x6x3");
    check_shape(NODE("AffineGrid", "2x2x3", "i4"), "2x?x?x2");
    one = NODE("AffineGrid", "2x2x3");
    ONE_INTS(one, 2, 3, -1, 6);
    assert_node_fails(one, STATUS_INVALID, "a size of -1");
    one = NODE("AffineGrid", "2x3x4");
    ONE_INTS(one, 2, 3, 5, 6);
    assert_node_fails(one, STATUS_INVALID, "the number of rows of theta");
    one = NODE("AffineGrid", "2x2x3");
    ONE_INTS(one, 2, 3, 5);
    assert_node_fails(one, STATUS_INVALID, "3 numbers, expected 4 or 5");
}

static void boxes(void **state) {
    (void)state;
    OneNode *one = NODE("RoiAlign", "2x3x8x8", "Rx4", "i5");
    node_set_int(one->node, "output_height", 2);
    check_shape(one, "5x3x2x1");
    assert_node_fails(NODE("RoiAlign", "2x3x8x8", "6x4", "i5"), STATUS_INVALID, "the number of boxes");
    assert_node_fails(NODE("RoiAlign", "2x3x8x8", "6x5", "i6"), STATUS_INVALID, "the number of a box's columns");
    one = NODE("RoiAlign", "2x3x8x8", "6x4", "i6");
    node_set_int(one->node, "output_width", -3);
    assert_node_fails(one, STATUS_INVALID, "an output of 1 x -3");
    one = NODE("RoiAlign", "2x3x8x8", "6x4", "i6");
    node_set_int(one->node, "sampling_ratio", INT64_MAX);
    assert_node_fails(one, STATUS_INVALID, "sampling_ratio");
    assert_node_fails(NODE("RoiAlign", "0x3x8x8", "6x4", "i6"), STATUS_INVALID, "the input is empty");
    one = NODE("MaxRoiPool", "2x3x8x8", "6x5");
    ONE_ATTRIBUTE(one, "pooled_shape", 2, 7);
    check_shape(one, "6x3x2x7");
    one = NODE("MaxRoiPool", "2x3x8x8", "6x5");
    ONE_ATTRIBUTE(one, "pooled_shape", 2);
    assert_node_fails(one, STATUS_INVALID, "1 numbers in pooled_shape");
    check_shape(NODE("NonMaxSuppression", "1x9x4", "1x2x9"), "?x3");
    assert_node_fails(NODE("NonMaxSuppression", "1x9x4", "1x2x8"), STATUS_INVALID, "the number of boxes");
}

static OneNode *blocks(const int64_t *image) {
    OneNode *one = NODE("Col2Im", "2x12x20");
    one_ints(one, 2, image);
    ONE_INTS(one, 2, 2);
    return one;
}

static void windows_put_back(void **state) {
    (void)state;
    OneNode *one = NODE("MaxUnpool", "1x2x3x4", "i1x2x3x4");
    ONE_ATTRIBUTE(one, "kernel_shape", 2, 2);
    ONE_ATTRIBUTE(one, "strides", 2, 2);
    check_shape(one, "1x2x6x8");
    one = NODE("MaxUnpool", "1x2x3x4", "i1x2x3x4");
    ONE_ATTRIBUTE(one, "kernel_shape", 2, 2);
    ONE_INTS(one, 1, 2, 9, 4);
    assert_node_fails(one, STATUS_INVALID, "output_shape says 4 in dimension 3, where the window makes 5");
    one = NODE("MaxUnpool", "1x2x3x4", "i1x2x3x5");
    ONE_ATTRIBUTE(one, "kernel_shape", 2, 2);
    assert_node_fails(one, STATUS_INVALID, "a dimension of the input and of the indices");
    check_shape(blocks((int64_t[]){5, 6}), "2x3x5x6");
    assert_node_fails(blocks((int64_t[]){5, 7}), STATUS_INVALID, "the number of blocks");
    assert_node_fails(blocks((int64_t[]){5, -6}), STATUS_INVALID, "-6 is out of range");
    check_shape(NODE("Col2Im", "2x12x20", "i2", "i2"), "?x?x?x?");
    assert_node_fails(NODE("Col2Im", "i2x12x20", "i2", "i2"), STATUS_UNSUPPORTED, "cast it to float");
}

static void deformed(void **state) {
    (void)state;
    check_shape(NODE("DeformConv", "1x4x6x7", "5x4x3x3", "1x18x4x5"), "1x5x4x5");
    assert_node_fails(NODE("DeformConv", "1x4x6x7", "5x4x3x3", "1x18x5x5"), STATUS_INVALID, "the offset is 5 and 4");
    assert_node_fails(NODE("DeformConv", "1x4x6x7", "5x4x3x3", "1x18x4x5", "6"), STATUS_INVALID, "output channels");
    assert_node_fails(NODE("DeformConv", "1x4x6x7x8", "5x4x3x3x3", "1x18x4x5x6"), STATUS_UNSUPPORTED, "5 dimensions");
    OneNode *one = NODE("DeformConv", "1x4x6x7", "5x4x3x3", "1x54x4x5");
    node_set_int(one->node, "offset_group", 3);
    assert_node_fails(one, STATUS_INVALID, "offset_group of 3");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grids),    cmocka_unit_test(affine_grids),
        cmocka_unit_test(boxes),    cmocka_unit_test(windows_put_back),
        cmocka_unit_test(deformed),
    };
    return cmocka_run_group_tests_name("sampling", tests, NULL, NULL);
}
