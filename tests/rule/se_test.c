/* se and ese: the spellings of a channel gate that are recognised, and what only looks like one. */
#include "support/making.h"
#include "support/test.h"

/* A graph with a map of 8 channels. */
typedef struct {
    Graph *graph;
    Value *x;
} Map8;

static Map8 begin(int opset) {
    Graph *graph = make_graph(arena_new(), opset);
    return (Map8){graph, make_input(graph, "x", "1x8x6x6")};
}

/* gemm, relu, gemm: the bottleneck behind a squeeze of 8 channels. */
static Value *bottleneck(Graph *graph, Value *squeeze) {
    return make_gemm(graph, make(graph, "Relu", make_gemm(graph, squeeze, 8, 2)), 2, 8);
}

static Value *sigmoid(Graph *graph, Value *x) { return make(graph, "Sigmoid", x); }

static void dense_layers(void **state) {
    (void)state;
    Map8 m = begin(17);
    Value *gate = sigmoid(m.graph, bottleneck(m.graph, make_flat(m.graph, make_mean(m.graph, m.x))));
    assert_blocks(m.graph, make(m.graph, "Mul", m.x, make_map(m.graph, gate)),
                  "se se_0: gate[1,8] squeeze[1,8] x[1,8,6,6]");
}

static void product_in_the_other_order(void **state) {
    (void)state;
    Map8 m = begin(17);
    Value *gate = sigmoid(m.graph, bottleneck(m.graph, make_flat(m.graph, make_mean(m.graph, m.x))));
    assert_blocks(m.graph, make(m.graph, "Mul", make_map(m.graph, gate), m.x),
                  "se se_0: gate[1,8] squeeze[1,8] x[1,8,6,6]");
}

static void pointwise_convolutions(void **state) {
    (void)state;
    Map8 m = begin(17);
    Value *hidden =
        make(m.graph, "Conv", make_mean(m.graph, m.x), make_weight(m.graph, "2x8x1x1"), make_weight(m.graph, "2"));
    Value *raised = make(m.graph, "Conv", make(m.graph, "HardSwish", hidden), make_weight(m.graph, "8x2x1x1"));
    Value *gate = make(m.graph, "HardSigmoid", raised);
    assert_blocks(m.graph, make(m.graph, "Mul", gate, m.x), "se se_0: gate[1,8] squeeze[1,8] x[1,8,6,6]");
}

static void products_with_weights(void **state) {
    (void)state;
    Map8 m = begin(17);
    Value *hidden = make(m.graph, "MatMul", make_flat(m.graph, make_mean(m.graph, m.x)), make_weight(m.graph, "8x2"));
    hidden = make(m.graph, "Add", make_weight(m.graph, "2"), hidden);
    Value *raised = make(m.graph, "MatMul", make(m.graph, "Relu", hidden), make_weight(m.graph, "2x8"));
    assert_blocks(m.graph, make(m.graph, "Mul", m.x, make_map(m.graph, sigmoid(m.graph, raised))),
                  "se se_0: gate[1,8] squeeze[1,8] x[1,8,6,6]");
}

static void silu_in_the_bottleneck(void **state) {
    (void)state;
    Map8 m = begin(17);
    Value *hidden = make_gemm(m.graph, make_flat(m.graph, make_mean(m.graph, m.x)), 8, 2);
    Value *silu = make(m.graph, "Mul", sigmoid(m.graph, hidden), hidden);
    Value *gate = sigmoid(m.graph, make_gemm(m.graph, silu, 2, 8));
    assert_blocks(m.graph, make(m.graph, "Mul", m.x, make_map(m.graph, gate)),
                  "se se_0: gate[1,8] squeeze[1,8] x[1,8,6,6]");
}

static void silu_before_the_squeeze(void **state) {
    (void)state;
    Map8 m = begin(17);
    Value *silu = make(m.graph, "Mul", m.x, sigmoid(m.graph, m.x));
    Value *gate = sigmoid(m.graph, bottleneck(m.graph, make_flat(m.graph, make_mean(m.graph, silu))));
    assert_blocks(m.graph, make(m.graph, "Mul", silu, make_map(m.graph, gate)),
                  "se se_0: gate[1,8] squeeze[1,8] x[1,8,6,6]");
}

static void means_by_reduction(void **state) {
    (void)state;
    for (int form = 0; form < 4; form++) {
        Map8 m = begin(form == 1 ? 18 : 17);
        Value *mean = NULL;
        if (form == 0) mean = with_ints(make(m.graph, "ReduceMean", m.x), "axes", -1, 2);
        if (form == 1) mean = make(m.graph, "ReduceMean", m.x, make_list(m.graph, 2, 3));
        if (form == 2) mean = with_int(with_ints(make(m.graph, "ReduceMean", m.x), "axes", 2, 3), "keepdims", 0);
        if (form == 3)
            mean = with_int(make_reduced(m.graph, "ReduceMean", make_reduced(m.graph, "ReduceMean", m.x, -1), -2),
                            "keepdims", 0);
        if (form == 3) mean = make(m.graph, "Squeeze", mean, make_list(m.graph, 2));
        Value *gate = sigmoid(m.graph, bottleneck(m.graph, form < 2 ? make_flat(m.graph, mean) : mean));
        assert_blocks(m.graph, make(m.graph, "Mul", m.x, make_map(m.graph, gate)),
                      "se se_0: gate[1,8] squeeze[1,8] x[1,8,6,6]");
    }
}

static void gate_by_clip(void **state) {
    (void)state;
    Map8 m = begin(17);
    Value *raised = bottleneck(m.graph, make_flat(m.graph, make_mean(m.graph, m.x)));
    Value *clip = make(m.graph, "Clip", make(m.graph, "Add", raised, make_number(m.graph, 3)), make_number(m.graph, 0),
                       make_number(m.graph, 6));
    Value *gate = make(m.graph, "Div", clip, make_number(m.graph, 6));
    assert_blocks(m.graph, make(m.graph, "Mul", m.x, make_map(m.graph, gate)),
                  "se se_0: gate[1,8] squeeze[1,8] x[1,8,6,6]");
}

static void clip_at_another_place_is_no_gate(void **state) {
    (void)state;
    Map8 m = begin(17);
    Value *raised = bottleneck(m.graph, make_flat(m.graph, make_mean(m.graph, m.x)));
    Value *clip = make(m.graph, "Clip", make(m.graph, "Add", raised, make_number(m.graph, 3)), make_number(m.graph, 0),
                       make_number(m.graph, 4));
    Value *gate = make(m.graph, "Div", clip, make_number(m.graph, 6));
    assert_no_block(m.graph, make(m.graph, "Mul", m.x, make_map(m.graph, gate)), "se", "0 other candidates");
}

static void gate_that_is_expanded(void **state) {
    (void)state;
    Map8 m = begin(17);
    Value *gate = sigmoid(m.graph, bottleneck(m.graph, make_flat(m.graph, make_mean(m.graph, m.x))));
    Value *wide = make(m.graph, "Expand", make_map(m.graph, gate), make(m.graph, "Shape", m.x));
    assert_blocks(m.graph, make(m.graph, "Mul", m.x, wide), "se se_0: gate[1,8] squeeze[1,8] x[1,8,6,6]");
}

static void no_operations_between(void **state) {
    (void)state;
    Map8 m = begin(17);
    Value *squeeze = make(m.graph, "Identity", make_flat(m.graph, make_mean(m.graph, m.x)));
    Value *dropped = make(m.graph, "Dropout", bottleneck(m.graph, squeeze));
    Value *gate = make(m.graph, "Identity", make_map(m.graph, sigmoid(m.graph, dropped)));
    assert_blocks(m.graph, make(m.graph, "Mul", make(m.graph, "Identity", m.x), gate),
                  "se se_0: gate[1,8] squeeze[1,8] x[1,8,6,6]");
}

static void one_dense_layer(void **state) {
    (void)state;
    Map8 m = begin(17);
    Value *gate = sigmoid(m.graph, make_gemm(m.graph, make_flat(m.graph, make_mean(m.graph, m.x)), 8, 8));
    assert_blocks(m.graph, make(m.graph, "Mul", m.x, make_map(m.graph, gate)),
                  "se se_0: gate[1,8] squeeze[1,8] x[1,8,6,6]");
}

static void one_convolution_is_ese(void **state) {
    (void)state;
    Map8 m = begin(17);
    Value *layer = make(m.graph, "Conv", make_mean(m.graph, m.x), make_weight(m.graph, "8x8x1x1"));
    assert_blocks(m.graph, make(m.graph, "Mul", m.x, make(m.graph, "HardSigmoid", layer)),
                  "ese ese_0: gate[1,8] squeeze[1,8] x[1,8,6,6]");
}

static void gate_may_be_used_elsewhere(void **state) {
    (void)state;
    Map8 m = begin(17);
    Value *gate = sigmoid(m.graph, bottleneck(m.graph, make_flat(m.graph, make_mean(m.graph, m.x))));
    make_output(m.graph, gate);
    assert_blocks(m.graph, make(m.graph, "Mul", m.x, make_map(m.graph, gate)),
                  "se se_0: gate[1,8] squeeze[1,8] x[1,8,6,6]");
}

static void other_factor_has_to_be_what_was_pooled(void **state) {
    (void)state;
    Map8 m = begin(17);
    Value *gate = sigmoid(m.graph, bottleneck(m.graph, make_flat(m.graph, make_mean(m.graph, m.x))));
    Value *other = make(m.graph, "Relu", m.x);
    assert_no_block(m.graph, make(m.graph, "Mul", other, make_map(m.graph, gate)), "se", "x is 'value_");
}

static void inner_value_is_used_elsewhere(void **state) {
    (void)state;
    Map8 m = begin(17);
    Value *raised = bottleneck(m.graph, make_flat(m.graph, make_mean(m.graph, m.x)));
    make_output(m.graph, make(m.graph, "Neg", raised));
    assert_no_block(m.graph, make(m.graph, "Mul", m.x, make_map(m.graph, sigmoid(m.graph, raised))), "se",
                    "inside the block, is used outside too, by node 'Neg_");
}

static void inner_value_is_an_output(void **state) {
    (void)state;
    Map8 m = begin(17);
    Value *raised = bottleneck(m.graph, make_flat(m.graph, make_mean(m.graph, m.x)));
    make_output(m.graph, raised);
    assert_no_block(m.graph, make(m.graph, "Mul", m.x, make_map(m.graph, sigmoid(m.graph, raised))), "se",
                    "inside the block, is an output of the model");
}

static void map_on_request_that_is_an_output_is_kept(void **state) {
    (void)state;
    Map8 m = begin(17);
    Value *squeeze = make_flat(m.graph, make_mean(m.graph, m.x));
    make_output(m.graph, squeeze);
    Value *gate = sigmoid(m.graph, bottleneck(m.graph, squeeze));
    assert_blocks(m.graph, make(m.graph, "Mul", m.x, make_map(m.graph, gate)),
                  "se se_0: gate[1,8] squeeze[1,8] x[1,8,6,6]");
}

/* [1,6] times [1,6,6,6] weighs columns, not channels. */
static void gate_over_the_wrong_axis(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *x = make_input(graph, "x", "1x6x6x6");
    Value *hidden = make(graph, "Relu", make_gemm(graph, make_flat(graph, make_mean(graph, x)), 6, 2));
    Value *gate = sigmoid(graph, make_gemm(graph, hidden, 2, 6));
    assert_no_block(graph, make(graph, "Mul", x, gate), "se", "0 other candidates");
}

static void mean_over_the_wrong_axes(void **state) {
    (void)state;
    Map8 m = begin(17);
    Value *mean = with_int(with_ints(make(m.graph, "ReduceMean", m.x), "axes", 0, 3), "keepdims", 0);
    Value *gate = sigmoid(m.graph, make_gemm(m.graph, make(m.graph, "Relu", make_gemm(m.graph, mean, 6, 2)), 2, 1));
    Value *wide = make(m.graph, "Reshape", gate, make_list(m.graph, 1, 8, 1, 1));
    assert_no_block(m.graph, make(m.graph, "Mul", m.x, wide), "se", "expected Pooled (GlobalAveragePool), found");
}

static void silu_is_no_block(void **state) {
    (void)state;
    Map8 m = begin(17);
    assert_no_block(m.graph, make(m.graph, "Mul", m.x, sigmoid(m.graph, m.x)), "se", "se: 0 found");
}

static void head_is_no_block(void **state) {
    (void)state;
    Map8 m = begin(17);
    Value *pooled = make_flat(m.graph, make_mean(m.graph, m.x));
    assert_no_block(m.graph, sigmoid(m.graph, bottleneck(m.graph, pooled)), "se", "0 other candidates");
}

static void grouped_convolution_is_no_layer(void **state) {
    (void)state;
    Map8 m = begin(17);
    Value *layer = make(m.graph, "Conv", make_mean(m.graph, m.x), make_weight(m.graph, "8x1x1x1"));
    Value *gate = sigmoid(m.graph, with_int(layer, "group", 8));
    assert_no_block(m.graph, make(m.graph, "Mul", m.x, gate), "ese", "group 8");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dense_layers),
        cmocka_unit_test(product_in_the_other_order),
        cmocka_unit_test(pointwise_convolutions),
        cmocka_unit_test(products_with_weights),
        cmocka_unit_test(silu_in_the_bottleneck),
        cmocka_unit_test(silu_before_the_squeeze),
        cmocka_unit_test(means_by_reduction),
        cmocka_unit_test(gate_by_clip),
        cmocka_unit_test(clip_at_another_place_is_no_gate),
        cmocka_unit_test(gate_that_is_expanded),
        cmocka_unit_test(no_operations_between),
        cmocka_unit_test(one_dense_layer),
        cmocka_unit_test(one_convolution_is_ese),
        cmocka_unit_test(gate_may_be_used_elsewhere),
        cmocka_unit_test(other_factor_has_to_be_what_was_pooled),
        cmocka_unit_test(inner_value_is_used_elsewhere),
        cmocka_unit_test(inner_value_is_an_output),
        cmocka_unit_test(map_on_request_that_is_an_output_is_kept),
        cmocka_unit_test(gate_over_the_wrong_axis),
        cmocka_unit_test(mean_over_the_wrong_axes),
        cmocka_unit_test(silu_is_no_block),
        cmocka_unit_test(head_is_no_block),
        cmocka_unit_test(grouped_convolution_is_no_layer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
