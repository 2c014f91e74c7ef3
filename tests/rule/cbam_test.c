/* cbam: both halves as one block, either half alone, and what only looks like one. */
#include "support/making.h"
#include "support/test.h"

#include "patterns/block.h"

typedef struct {
    Value *down, *bias, *up; /* the bias may be NULL */
} Mlp;

static Mlp mlp_new(Graph *graph) { return (Mlp){make_weight(graph, "2x8x1x1"), NULL, make_weight(graph, "8x2x1x1")}; }

static Value *mlp(Graph *graph, Mlp layers, Value *x) {
    Value *hidden = make(graph, "Conv", x, layers.down, layers.bias);
    return make(graph, "Conv", make(graph, "Relu", hidden), layers.up);
}

static Value *spatial_maximum(Graph *graph, Value *x) { return with_ints(make(graph, "ReduceMax", x), "axes", 2, 3); }

/* x times its channel gate, with an MLP for the mean and one for the maximum. */
static Value *channel_half(Graph *graph, Value *x, Mlp of_mean, Mlp of_max) {
    Value *mean = mlp(graph, of_mean, make_mean(graph, x)), *max = mlp(graph, of_max, spatial_maximum(graph, x));
    return make(graph, "Mul", x, make(graph, "Sigmoid", make(graph, "Add", mean, max)));
}

static Value *joined(Graph *graph, Value *first, Value *second) {
    return with_int(make(graph, "Concat", first, second), "axis", 1);
}

static Value *wide_convolution(Graph *graph, Value *x) {
    return with_ints(make(graph, "Conv", x, make_weight(graph, "1x2x7x7")), "pads", 3, 3, 3, 3);
}

static Value *spatial_half(Graph *graph, Value *x) {
    Value *both = joined(graph, make_reduced(graph, "ReduceMean", x, 1), make_reduced(graph, "ReduceMax", x, 1));
    return make(graph, "Mul", x, make(graph, "Sigmoid", wide_convolution(graph, both)));
}

static Graph *begin(Value **x) {
    Graph *graph = make_graph(arena_new(), 17);
    *x = make_input(graph, "x", "1x8x6x5");
    return graph;
}

static void both_halves(void **state) {
    (void)state;
    Value *x;
    Graph *graph = begin(&x);
    Mlp shared = mlp_new(graph);
    assert_blocks(graph, spatial_half(graph, channel_half(graph, x, shared, shared)),
                  "cbam cbam_0: channel[1,8] spatial[1,1,6,5] x[1,8,6,5]");
}

static void maximum_first_and_batch_norm(void **state) {
    (void)state;
    Value *x;
    Graph *graph = begin(&x);
    Mlp shared = mlp_new(graph);
    Value *refined = channel_half(graph, x, shared, shared);
    Value *both =
        joined(graph, make_reduced(graph, "ReduceMax", refined, 1), make_reduced(graph, "ReduceMean", refined, 1));
    Value *normal = make(graph, "BatchNormalization", wide_convolution(graph, both), make_weight(graph, "1"),
                         make_weight(graph, "1"), make_weight(graph, "1"), make_weight(graph, "1"));
    assert_blocks(graph, make(graph, "Mul", make(graph, "Sigmoid", normal), refined),
                  "cbam cbam_0: channel[1,8] spatial[1,1,6,5] x[1,8,6,5]");
}

static void dense_mlp(void **state) {
    (void)state;
    Value *x;
    Graph *graph = begin(&x);
    Value *w1 = make_weight(graph, "8x2"), *b1 = make_weight(graph, "2"), *w2 = make_weight(graph, "2x8");
    Value *sum[2] = {make_mean(graph, x), make(graph, "GlobalMaxPool", x)};
    for (int i = 0; i < 2; i++) {
        Value *hidden = make(graph, "Relu", make(graph, "Gemm", make_flat(graph, sum[i]), w1, b1));
        sum[i] = make(graph, "Gemm", hidden, w2);
    }
    Value *gate = make(graph, "Sigmoid", make(graph, "Add", sum[1], sum[0]));
    assert_blocks(graph, make(graph, "Mul", x, make_map(graph, gate)), "cbam cbam_0: channel[1,8] x[1,8,6,5]");
}

/* Folding a transposed weight twice leaves two constants with the same elements: still one MLP. */
static void weights_that_are_equal_are_shared(void **state) {
    (void)state;
    Value *x;
    Graph *graph = begin(&x);
    Mlp first = mlp_new(graph), second = first;
    second.down = graph_constant(graph, "copy", first.down->constant);
    assert_blocks(graph, channel_half(graph, x, first, second), "cbam cbam_0: channel[1,8] x[1,8,6,5]");
}

static void channel_half_alone(void **state) {
    (void)state;
    Value *x;
    Graph *graph = begin(&x);
    Mlp shared = mlp_new(graph);
    assert_blocks(graph, make(graph, "Relu", channel_half(graph, x, shared, shared)),
                  "cbam cbam_0: channel[1,8] x[1,8,6,5]");
}

static void spatial_half_alone(void **state) {
    (void)state;
    Value *x;
    Graph *graph = begin(&x);
    assert_blocks(graph, spatial_half(graph, x), "cbam cbam_0: spatial[1,1,6,5] x[1,8,6,5]");
}

/* What lies between the halves makes two blocks of them. */
static void halves_apart(void **state) {
    (void)state;
    Value *x;
    Graph *graph = begin(&x);
    Mlp shared = mlp_new(graph);
    Value *between = make(graph, "Relu", channel_half(graph, x, shared, shared));
    assert_blocks(graph, spatial_half(graph, between),
                  "cbam cbam_0: channel[1,8] x[1,8,6,5]; cbam cbam_1: spatial[1,1,6,5] x[1,8,6,5]");
}

static void mlp_is_not_shared(void **state) {
    (void)state;
    Value *x;
    Graph *graph = begin(&x);
    Value *out = channel_half(graph, x, mlp_new(graph), mlp_new(graph));
    assert_no_block(graph, out, "cbam", "is 'weight_");
}

static void bias_is_not_shared(void **state) {
    (void)state;
    Value *x;
    Graph *graph = begin(&x);
    Mlp plain = mlp_new(graph), biased = plain;
    biased.bias = make_weight(graph, "2");
    assert_no_block(graph, channel_half(graph, x, biased, plain), "cbam", "b1 is ");
}

static void means_of_different_maps(void **state) {
    (void)state;
    Value *x;
    Graph *graph = begin(&x);
    Mlp shared = mlp_new(graph);
    Value *mean = mlp(graph, shared, make_mean(graph, x));
    Value *max = mlp(graph, shared, spatial_maximum(graph, make(graph, "Relu", x)));
    assert_no_block(graph, make(graph, "Mul", x, make(graph, "Sigmoid", make(graph, "Add", mean, max))), "cbam",
                    "x is ");
}

static void two_means_are_no_mean_and_maximum(void **state) {
    (void)state;
    Value *x;
    Graph *graph = begin(&x);
    Value *both = joined(graph, make_reduced(graph, "ReduceMean", x, 1), make_reduced(graph, "ReduceMean", x, 1));
    assert_no_block(graph, make(graph, "Mul", x, make(graph, "Sigmoid", wide_convolution(graph, both))), "cbam",
                    "expected ChannelMax (ReduceMax), found");
}

static void refined_map_is_used_elsewhere(void **state) {
    (void)state;
    Value *x;
    Graph *graph = begin(&x);
    Mlp shared = mlp_new(graph);
    Value *refined = channel_half(graph, x, shared, shared);
    make_output(graph, refined);
    assert_blocks(
        graph, spatial_half(graph, refined),
        "cbam cbam_0: channel[1,8] x[1,8,6,5]; cbam cbam_1: spatial[1,1,6,5] x[1,8,6,5]"); /* not as one, but each by
                                                                                              itself */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_halves),
        cmocka_unit_test(maximum_first_and_batch_norm),
        cmocka_unit_test(dense_mlp),
        cmocka_unit_test(weights_that_are_equal_are_shared),
        cmocka_unit_test(channel_half_alone),
        cmocka_unit_test(spatial_half_alone),
        cmocka_unit_test(halves_apart),
        cmocka_unit_test(mlp_is_not_shared),
        cmocka_unit_test(bias_is_not_shared),
        cmocka_unit_test(means_of_different_maps),
        cmocka_unit_test(two_means_are_no_mean_and_maximum),
        cmocka_unit_test(refined_map_is_used_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
