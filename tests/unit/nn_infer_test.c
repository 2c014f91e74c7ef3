/* Shape rules of convolutions, products, pools and normalisations: dimensions that stay open, and numbers that a model
 * has no right to. */
#include "ops/op.h"
#include "support/test.h"

#include <string.h>

typedef struct {
    Arena *arena;
    Graph *graph;
    Node *node;
} Given;

static Given given(const char *op, int opset) {
    Arena *arena = arena_new();
    Graph *graph = graph_new(arena, "test");
    graph->opset = opset;
    Node *node = graph_node(graph, op, "tested");
    list_add(arena, &node->outputs, graph_value(graph, "output"));
    return (Given){arena, graph, node};
}

/* Adds a float input. A negative size is unknown; -2 has the symbol "batch"; rank -1 is an unknown shape. */
static void add(Given *g, int rank, const int64_t *dims) {
    static const char symbol[] = "batch";
    Value *input = graph_value(g->graph, arena_printf(g->arena, "input%d", g->node->inputs.count));
    input->type = TYPE_FLOAT;
    input->shape.rank = rank;
    for (int i = 0; i < rank; i++) {
        input->shape.dims[i] = dim_known(dims[i]);
        if (dims[i] < 0) input->shape.dims[i] = (Dim){-1, dims[i] == -2 ? symbol : NULL};
    }
    list_add(g->arena, &g->node->inputs, input);
}

#define ADD(g, ...) add(g, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (int64_t[]){__VA_ARGS__})
#define SET(g, name, ...)                                                                                              \
    node_set_ints((g)->node, name, (int64_t[]){__VA_ARGS__}, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

static void infer(void *argument) {
    Given *g = argument;
    ops_resolve(g->graph);
    op_infer(g->node);
}

static void expect_shape(Given *g, const char *expected) {
    Status status = run_quietly(infer, g);
    if (status != STATUS_OK) fail_test("%s", last_messages());
    assert_string_equal(shape_text(g->arena, &g->node->outputs.items[0]->shape), expected);
    arena_free(g->arena);
}

static void expect_error(Given *g, Status status, const char *text) {
    expect_failure(status, text, infer, g);
    arena_free(g->arena);
}

static Given conv(void) {
    Given g = given("Conv", 22);
    ADD(&g, 1, 6, 10, 10);
    ADD(&g, 4, 3, 3, 3);
    node_set_int(g.node, "group", 2);
    return g;
}

static void test_open_dimensions(void **state) {
    (void)state;
    Given g = given("Conv", 22);
    ADD(&g, -2, 3, -1, 224);
    ADD(&g, 64, 3, 7, 7);
    SET(&g, "strides", 2, 2);
    SET(&g, "pads", 3, 3, 3, 3);
    expect_shape(&g, "[batch,64,?,112]");
    g = given("Conv", 22); /* the rank of x is known from that of w */
    add(&g, -1, NULL);
    ADD(&g, 64, 3, 7);
    expect_shape(&g, "[?,64,?]");
    g = given("Conv", 22);
    add(&g, -1, NULL);
    add(&g, -1, NULL);
    expect_shape(&g, "[...]");
    g = given("Conv", 22); /* kernel_shape speaks for weights that do not */
    ADD(&g, 1, 3, 8);
    add(&g, -1, NULL);
    SET(&g, "kernel_shape", 3);
    expect_shape(&g, "[1,?,6]");
    g = given("MatMul", 13);
    ADD(&g, -2, 1, 5, 7);
    ADD(&g, 4, 7, -1);
    expect_shape(&g, "[batch,4,5,?]");
    g = given("Gemm", 13);
    ADD(&g, 7, -2);
    ADD(&g, 3, 7);
    node_set_int(g.node, "transA", 1);
    node_set_int(g.node, "transB", 1);
    expect_shape(&g, "[batch,3]");
    g = given("MaxPool", 12);
    ADD(&g, -2, -1, 7, -1);
    SET(&g, "kernel_shape", 2, 2);
    node_set_int(g.node, "ceil_mode", 1);
    expect_shape(&g, "[batch,?,6,?]");
    g = given("GlobalAveragePool", 1);
    ADD(&g, -2, 5, -1, -1);
    expect_shape(&g, "[batch,5,1,1]");
}

static void test_ceil_mode(void **state) {
    (void)state;
    Given g = given("MaxPool", 12); /* the last window hangs over */
    ADD(&g, 1, 1, 6);
    SET(&g, "kernel_shape", 3);
    SET(&g, "strides", 2);
    node_set_int(g.node, "ceil_mode", 1);
    expect_shape(&g, "[1,1,3]");
    g = given("MaxPool", 12); /* it may not begin on the pads behind */
    ADD(&g, 1, 1, 2);
    SET(&g, "kernel_shape", 1);
    SET(&g, "strides", 2);
    SET(&g, "pads", 0, 1);
    node_set_int(g.node, "ceil_mode", 1);
    expect_shape(&g, "[1,1,2]");
    g = given("AveragePool", 11); /* the only window may hang over too */
    ADD(&g, 1, 1, 2);
    SET(&g, "kernel_shape", 5);
    SET(&g, "strides", 4);
    node_set_int(g.node, "ceil_mode", 1);
    expect_shape(&g, "[1,1,1]");
    g = given("AveragePool", 11); /* but by less than a stride */
    ADD(&g, 1, 1, 2);
    SET(&g, "kernel_shape", 5);
    SET(&g, "strides", 3);
    node_set_int(g.node, "ceil_mode", 1);
    expect_error(&g, STATUS_INVALID, "the kernel spans 5, more than the input of 2 with its pads");
}

static void test_matmul_vectors(void **state) {
    (void)state;
    Given g = given("MatMul", 13);
    ADD(&g, 7);
    ADD(&g, 7);
    expect_shape(&g, "[]");
    g = given("MatMul", 13);
    ADD(&g, 7);
    ADD(&g, 2, 7, 3);
    expect_shape(&g, "[2,3]");
    g = given("MatMul", 13);
    ADD(&g, 2, 3, 7);
    ADD(&g, 7);
    expect_shape(&g, "[2,3]");
    g = given("MatMul", 13);
    add(&g, 0, NULL);
    ADD(&g, 7);
    expect_error(&g, STATUS_INVALID, "scalar");
    g = given("MatMul", 13);
    ADD(&g, 3, 7);
    ADD(&g, 8, 3);
    expect_error(&g, STATUS_INVALID, "the inner dimension is 7 and 8");
    g = given("MatMul", 13);
    ADD(&g, 2, 3, 7);
    ADD(&g, 3, 7, 3);
    expect_error(&g, STATUS_INVALID, "do not broadcast");
}

static void test_conv_contradictions(void **state) {
    (void)state;
    const struct {
        const char *attribute;
        int count;
        int64_t values[4];
        Status status;
        const char *text;
    } cases[] = {
        {"strides", 2, {0, 1}, STATUS_INVALID, "strides holds 0"},
        {"strides", 2, {-1, 1}, STATUS_INVALID, "strides holds -1"},
        {"strides", 1, {1}, STATUS_INVALID, "strides has 1 numbers for 2 spatial dimensions"},
        {"strides", 2, {INT64_MAX, 1}, STATUS_UNSUPPORTED, "more than generated code can count"},
        {"dilations", 2, {INT64_MIN, 1}, STATUS_INVALID, "dilations holds"},
        {"dilations", 2, {1, 1 << 24}, STATUS_INVALID, "the kernel spans 33554433, more than the input of 10"},
        {"pads", 4, {-1, 0, 0, 0}, STATUS_INVALID, "pads holds -1"},
        {"pads", 4, {0, 0, INT64_MAX, 0}, STATUS_UNSUPPORTED, "a pad of"},
        {"pads", 3, {0, 0, 0}, STATUS_INVALID, "pads has 3 numbers, expected 4"},
        {"kernel_shape", 2, {3, 4}, STATUS_INVALID, "kernel_shape says 4, the weights' shape 3"},
        {"kernel_shape", 3, {3, 3, 3}, STATUS_INVALID, "kernel_shape has 3 numbers"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Given g = conv();
        node_set_ints(g.node, cases[i].attribute, cases[i].values, cases[i].count);
        expect_error(&g, cases[i].status, cases[i].text);
    }
    Given g = conv();
    node_set_int(g.node, "group", 0);
    expect_error(&g, STATUS_INVALID, "group is 0");
    g = conv();
    node_set_int(g.node, "group", 3);
    expect_error(&g, STATUS_INVALID, "the input has 6 channels, the weights are for 9");
    g = conv();
    node_set_int(g.node, "group", INT64_MAX);
    expect_error(&g, STATUS_INVALID, "overflows");
    g = conv();
    node_set_string(g.node, "auto_pad", "SAME\n");
    expect_error(&g, STATUS_INVALID, "auto_pad is 'SAME\\x0a'");
}

static void test_conv_shapes(void **state) {
    (void)state;
    Given g = given("Conv", 22);
    ADD(&g, 1, 6, 10, 10);
    ADD(&g, 5, 3, 3, 3);
    node_set_int(g.node, "group", 2);
    expect_error(&g, STATUS_INVALID, "5 output channels do not divide into 2 groups");
    g = conv();
    ADD(&g, 5);
    expect_error(&g, STATUS_INVALID, "the number of output channels is 5 and 4");
    g = conv();
    ADD(&g, 4, 1);
    expect_error(&g, STATUS_INVALID, "the bias has 2 dimensions");
    g = given("Conv", 22);
    ADD(&g, 1, 6, 10, 10);
    ADD(&g, 4, 6, 3);
    expect_error(&g, STATUS_INVALID, "the weights have 3 dimensions, expected 4");
    g = given("Conv", 22);
    ADD(&g, 1, 6);
    ADD(&g, 4, 6);
    expect_error(&g, STATUS_INVALID, "expected at least 3");
    g = given("Conv", 22);
    ADD(&g, 1, 1, 2, 2, 2, 2);
    ADD(&g, 1, 1, 1, 1, 1, 1);
    expect_error(&g, STATUS_UNSUPPORTED, "4 spatial dimensions");
    g = given("Conv", 22);
    ADD(&g, 1, 6, 2, 2);
    ADD(&g, 4, 6, 3, 3);
    expect_error(&g, STATUS_INVALID, "the kernel spans 3, more than the input of 2 with its pads");
    g = given("Conv", 22);
    ADD(&g, 1, 6, 2, 2);
    ADD(&g, 4, 6, 0, 1);
    expect_error(&g, STATUS_INVALID, "the kernel is empty");
    g = given("Conv", 22);
    ADD(&g, 0, 6, 5, 5);
    ADD(&g, 4, 6, 3, 3);
    expect_shape(&g, "[0,4,3,3]");
}

static Given conv_transpose(void) {
    Given g = given("ConvTranspose", 22);
    ADD(&g, 1, 6, 5);
    ADD(&g, 6, 4, 3);
    node_set_int(g.node, "group", 2);
    SET(&g, "strides", 2);
    return g;
}

static void test_conv_transpose(void **state) {
    (void)state;
    Given g = conv_transpose();
    expect_shape(&g, "[1,8,11]");
    g = conv_transpose();
    SET(&g, "output_padding", 1);
    SET(&g, "pads", 1, 1);
    expect_shape(&g, "[1,8,10]");
    g = conv_transpose();
    node_set_string(g.node, "auto_pad", "SAME_UPPER");
    expect_shape(&g, "[1,8,10]");
    g = conv_transpose();
    SET(&g, "output_shape", 1, 8, 9); /* some exporters write all dimensions */
    expect_shape(&g, "[1,8,9]");
    g = conv_transpose();
    SET(&g, "pads", 6, 6);
    expect_error(&g, STATUS_INVALID, "the pads are larger than the output");
    g = conv_transpose();
    SET(&g, "output_padding", -1);
    expect_error(&g, STATUS_INVALID, "negative");
    g = conv_transpose();
    SET(&g, "output_shape", INT64_MAX);
    expect_error(&g, STATUS_UNSUPPORTED, "more than generated code can count");
    g = conv_transpose();
    node_set_int(g.node, "group", 4);
    expect_error(&g, STATUS_INVALID, "6 input channels do not divide into 4 groups");
    g = conv_transpose();
    ADD(&g, 4);
    expect_error(&g, STATUS_INVALID, "the number of output channels is 4 and 8");
}

static void test_gemm_contradictions(void **state) {
    (void)state;
    Given g = given("Gemm", 13);
    ADD(&g, 2, 3);
    ADD(&g, 4, 5);
    expect_error(&g, STATUS_INVALID, "the inner dimension is 3 and 4");
    g = given("Gemm", 13);
    ADD(&g, 2, 3, 1);
    ADD(&g, 3, 5);
    expect_error(&g, STATUS_INVALID, "input 0 has 3 dimensions, expected 2");
    g = given("Gemm", 13);
    ADD(&g, 1, 3);
    ADD(&g, 3, 5);
    ADD(&g, 2, 5); /* C may be broadcast, not Y */
    expect_error(&g, STATUS_INVALID, "C has the shape [2,5], which does not broadcast to [1,5]");
    g = given("Gemm", 13);
    ADD(&g, 2, 3);
    ADD(&g, 3, 5);
    ADD(&g, 1, 1, 5);
    expect_error(&g, STATUS_INVALID, "does not broadcast");
}

static void test_normalisation_contradictions(void **state) {
    (void)state;
    Given g = given("BatchNormalization", 15);
    ADD(&g, 1, 3, 4);
    for (int i = 0; i < 4; i++) ADD(&g, i == 2 ? 4 : 3);
    expect_error(&g, STATUS_INVALID, "the number of channels is 4 and 3");
    g = given("BatchNormalization", 15);
    for (int i = 0; i < 5; i++) ADD(&g, 3);
    node_set_int(g.node, "training_mode", 1);
    expect_error(&g, STATUS_INVALID, "the input has 1 dimension, expected at least 2");
    g = given("GroupNormalization", 21);
    ADD(&g, 1, 6, 4);
    ADD(&g, 6);
    ADD(&g, 6);
    node_set_int(g.node, "num_groups", 4);
    expect_error(&g, STATUS_INVALID, "6 channels do not divide into 4 groups");
    g = given("LayerNormalization", 17);
    ADD(&g, 2, 3, 4);
    ADD(&g, 3);
    expect_error(&g, STATUS_INVALID, "input 1 has the shape [3], which does not broadcast to [2,3,4]");
    g = given("LayerNormalization", 17);
    ADD(&g, 2, 3, 4);
    ADD(&g, 4);
    node_set_int(g.node, "axis", 3);
    expect_error(&g, STATUS_INVALID, "axis 3 is out of range");
    g = given("LpNormalization", 22);
    ADD(&g, 2, 3);
    node_set_int(g.node, "p", 3);
    expect_error(&g, STATUS_INVALID, "p is 3, expected 1 or 2");
    g = given("Softmax", 13);
    ADD(&g, 2, 3);
    node_set_int(g.node, "axis", -3);
    expect_error(&g, STATUS_INVALID, "axis -3 is out of range");
    g = given("LRN", 13);
    ADD(&g, 2, 3);
    node_set_int(g.node, "size", 0);
    expect_error(&g, STATUS_INVALID, "size is 0");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_dimensions),     cmocka_unit_test(test_ceil_mode),
        cmocka_unit_test(test_matmul_vectors),      cmocka_unit_test(test_conv_contradictions),
        cmocka_unit_test(test_conv_shapes),         cmocka_unit_test(test_conv_transpose),
        cmocka_unit_test(test_gemm_contradictions), cmocka_unit_test(test_normalisation_contradictions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
