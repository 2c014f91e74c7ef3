/* attention: where exporters put scale, mask and guard, and what only looks like it. */
#include "support/making.h"
#include "support/test.h"

typedef struct {
    Graph *graph;
    Value *q, *keys, *v; /* [1,4,5,8], [1,4,8,7], [1,4,7,6] */
} Heads;

static Heads begin(void) {
    Graph *graph = make_graph(arena_new(), 17);
    Value *k = make_input(graph, "k", "1x4x7x8");
    return (Heads){graph, make_input(graph, "q", "1x4x5x8"), make_transposed(graph, k),
                   make_input(graph, "v", "1x4x7x6")};
}

#define FOUND "attention attention_0: probs[1,4,5,7] logits[1,4,5,7]"

static Value *softmax(Graph *graph, Value *x) { return with_int(make(graph, "Softmax", x), "axis", -1); }

static Value *scores(Heads h) { return make(h.graph, "MatMul", h.q, h.keys); }

static Value *weighted(Heads h, Value *probs) { return make(h.graph, "MatMul", probs, h.v); }

static Value *factor(Heads h) { return make_number(h.graph, 0.35355339); }

static void scale_on_the_scores(void **state) {
    (void)state;
    Heads h = begin();
    Value *logits = make(h.graph, "Mul", scores(h), factor(h));
    assert_blocks(h.graph, weighted(h, softmax(h.graph, logits)), FOUND);
}

static void scale_by_division(void **state) {
    (void)state;
    Heads h = begin();
    Value *logits = make(h.graph, "Div", scores(h), make_number(h.graph, 2.828427));
    assert_blocks(h.graph, weighted(h, softmax(h.graph, logits)), FOUND);
}

static void scale_on_the_queries(void **state) {
    (void)state;
    Heads h = begin();
    h.q = make(h.graph, "Mul", factor(h), h.q);
    assert_blocks(h.graph, weighted(h, softmax(h.graph, scores(h))), FOUND);
}

static void scale_on_both(void **state) {
    (void)state;
    Heads h = begin();
    h.q = make(h.graph, "Mul", h.q, factor(h));
    h.keys = make(h.graph, "Mul", h.keys, factor(h));
    assert_blocks(h.graph, weighted(h, softmax(h.graph, scores(h))), FOUND);
}

/* The scaled queries serve two products: the scale stays outside, and both are attention. */
static void scaled_queries_that_are_shared(void **state) {
    (void)state;
    Heads h = begin();
    h.q = make(h.graph, "Mul", h.q, factor(h));
    Value *first = weighted(h, softmax(h.graph, scores(h)));
    h.keys = make_transposed(h.graph, make_input(h.graph, "k2", "1x4x7x8"));
    Value *second = weighted(h, softmax(h.graph, scores(h)));
    assert_blocks(h.graph, make(h.graph, "Add", first, second),
                  FOUND "; attention attention_1: probs[1,4,5,7] logits[1,4,5,7]");
}

static void no_scale(void **state) {
    (void)state;
    Heads h = begin();
    assert_blocks(h.graph, weighted(h, softmax(h.graph, scores(h))), FOUND);
}

static void mask_that_is_added(void **state) {
    (void)state;
    Heads h = begin();
    Value *logits = make(h.graph, "Add", make_weight(h.graph, "5x7"), make(h.graph, "Mul", scores(h), factor(h)));
    assert_blocks(h.graph, weighted(h, softmax(h.graph, logits)), FOUND);
}

static void mask_that_selects(void **state) {
    (void)state;
    Heads h = begin();
    Value *mask = make(h.graph, "Greater", make_input(h.graph, "mask", "5x7"), make_number(h.graph, 0));
    Value *logits = make(h.graph, "Where", mask, make_number(h.graph, -1e9), scores(h));
    assert_blocks(h.graph, weighted(h, softmax(h.graph, logits)), FOUND);
}

/* torch's scaled_dot_product_attention: the map is what the guard gives, not the softmax. */
static void guard_against_rows_that_are_masked_whole(void **state) {
    (void)state;
    Heads h = begin();
    Value *probs = softmax(h.graph, make(h.graph, "Add", scores(h), make_weight(h.graph, "1x1x5x7")));
    Value *guarded = make(h.graph, "Where", make(h.graph, "IsNaN", probs), make_number(h.graph, 0), probs);
    make_output(h.graph, guarded); /* a map may be */
    assert_blocks(h.graph, weighted(h, guarded), FOUND);
}

static void dropout_behind_the_softmax(void **state) {
    (void)state;
    Heads h = begin();
    assert_blocks(h.graph, weighted(h, make(h.graph, "Dropout", softmax(h.graph, scores(h)))), FOUND);
}

/* torch's multi_head_attention_forward: [N*H,L,D], of [L,N,H*D]. How many heads there are is seen by how q was made. */
static void heads_merged_with_the_batch(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *rows = make_input(graph, "q", "5x2x24"), *q, *keys;
    q = with_ints(make(graph, "Transpose", make(graph, "Reshape", rows, make_list(graph, 5, 6, 8))), "perm", 1, 0, 2);
    keys = with_ints(make(graph, "Transpose", make_input(graph, "k", "6x7x8")), "perm", 0, 2, 1);
    Value *probs = softmax(graph, make(graph, "MatMul", q, keys));
    assert_blocks(graph, make(graph, "MatMul", probs, make_input(graph, "v", "6x7x4")),
                  "attention attention_0: probs[2,3,5,7] logits[2,3,5,7]");
}

/* Without any sign of heads there is one. */
static void one_head_without_a_dimension(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *keys = with_ints(make(graph, "Transpose", make_input(graph, "k", "6x7x8")), "perm", 0, 2, 1);
    Value *probs = softmax(graph, make(graph, "MatMul", make_input(graph, "q", "6x5x8"), keys));
    assert_blocks(graph, make(graph, "MatMul", probs, make_input(graph, "v", "6x7x4")),
                  "attention attention_0: probs[6,1,5,7] logits[6,1,5,7]");
}

static void values_on_the_left(void **state) {
    (void)state;
    Heads h = begin();
    Value *turned = make_transposed(h.graph, softmax(h.graph, scores(h)));
    assert_blocks(h.graph, make(h.graph, "MatMul", make_transposed(h.graph, h.v), turned), FOUND);
}

/* Not turned, the map is summed over its queries. */
static void values_on_the_left_of_the_map_itself(void **state) {
    (void)state;
    Heads h = begin();
    Value *v = make_input(h.graph, "w", "1x4x6x5");
    assert_no_block(h.graph, make(h.graph, "MatMul", v, softmax(h.graph, scores(h))), "attention", "0 found");
}

static void a_mask_that_is_known_is_no_bias(void **state) {
    (void)state;
    Heads h = begin();
    Value *mask = make(h.graph, "Mul", make_weight(h.graph, "1x4x5x7"), make_number(h.graph, -1e9));
    assert_blocks(h.graph, weighted(h, softmax(h.graph, make(h.graph, "Add", scores(h), mask))), FOUND);
}

static void bias_of_each_head_and_mask(void **state) {
    (void)state;
    Heads h = begin();
    Value *biased = make(h.graph, "Add", scores(h), make_weight(h.graph, "4x5x7"));
    Value *logits = make(h.graph, "Add", biased, make_input(h.graph, "mask", "1x1x5x7"));
    assert_blocks(h.graph, weighted(h, softmax(h.graph, logits)), FOUND " bias[4,5,7]");
}

/* The mask is added where windows have a dimension of their own. */
static void mask_added_in_another_shape(void **state) {
    (void)state;
    Heads h = begin();
    Value *apart = make(h.graph, "Reshape", scores(h), make_list(h.graph, 2, 2, 5, 7));
    Value *masked = make(h.graph, "Add", apart, make_input(h.graph, "mask", "2x1x5x7"));
    Value *logits = make(h.graph, "Reshape", masked, make_list(h.graph, 1, 4, 5, 7));
    assert_blocks(h.graph, weighted(h, softmax(h.graph, logits)), FOUND);
}

/* Probabilities that are given out in another shape are the map all the same. */
static void map_given_out_in_another_shape(void **state) {
    (void)state;
    Heads h = begin();
    Value *probs = softmax(h.graph, scores(h));
    make_output(h.graph, make(h.graph, "Reshape", probs, make_list(h.graph, 2, 2, 5, 7)));
    assert_blocks(h.graph, weighted(h, probs), FOUND);
}

/* Talking heads: what weighs v is mixed of several maps. */
static void heads_mixed_behind_the_softmax(void **state) {
    (void)state;
    Heads h = begin();
    Value *mixed = make(h.graph, "Conv", softmax(h.graph, scores(h)), make_weight(h.graph, "4x4x1x1"));
    assert_no_block(h.graph, weighted(h, mixed), "attention", "0 found");
}

static void guard_with_another_number(void **state) {
    (void)state;
    Heads h = begin();
    Value *probs = softmax(h.graph, scores(h));
    Value *guarded = make(h.graph, "Where", make(h.graph, "IsNaN", probs), make_number(h.graph, 1), probs);
    assert_no_block(h.graph, weighted(h, guarded), "attention", "expected 0, found");
}

static void softmax_over_the_queries(void **state) {
    (void)state;
    Heads h = begin();
    Value *probs = with_int(make(h.graph, "Softmax", scores(h)), "axis", 2);
    assert_no_block(h.graph, weighted(h, probs), "attention", "expected Softmax{axis=-1}, found node 'Softmax_");
}

/* Before opset 13 the axis is 1 where it is not given. */
static void softmax_over_a_default_axis(void **state) {
    (void)state;
    Heads h = begin();
    assert_blocks(h.graph, weighted(h, make(h.graph, "Softmax", scores(h))), FOUND);
    h = begin();
    h.graph->opset = 12;
    Value *probs = make(h.graph, "Softmax", scores(h));
    assert_no_block(h.graph, weighted(h, probs), "attention", "with axis 1");
}

static void scores_are_used_elsewhere(void **state) {
    (void)state;
    Heads h = begin();
    Value *s = scores(h);
    make_output(h.graph, s);
    Value *logits = make(h.graph, "Mul", s, factor(h));
    assert_no_block(h.graph, weighted(h, softmax(h.graph, logits)), "attention", "is an output of the model");
}

static void logits_are_used_elsewhere(void **state) {
    (void)state;
    Heads h = begin();
    Value *logits = make(h.graph, "Mul", scores(h), factor(h));
    make_output(h.graph, make(h.graph, "Neg", logits));
    assert_no_block(h.graph, weighted(h, softmax(h.graph, logits)), "attention", "is used outside too, by node 'Neg_");
}

/* A learned table in the place of keys makes two layers with a softmax between them. */
static void keys_are_constant(void **state) {
    (void)state;
    Heads h = begin();
    h.keys = make_weight(h.graph, "1x4x8x7");
    assert_no_block(h.graph, weighted(h, softmax(h.graph, scores(h))), "attention", "to be computed, found");
}

static void softmax_of_no_product(void **state) {
    (void)state;
    Heads h = begin();
    Value *logits = make(h.graph, "Relu", make_input(h.graph, "s", "1x4x5x7"));
    assert_no_block(h.graph, weighted(h, softmax(h.graph, logits)), "attention", "expected MatMul, found 'value_");
}

static void probabilities_that_weigh_nothing(void **state) {
    (void)state;
    Heads h = begin();
    assert_no_block(h.graph, softmax(h.graph, scores(h)), "attention", "0 found");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scale_on_the_scores),
        cmocka_unit_test(scale_by_division),
        cmocka_unit_test(scale_on_the_queries),
        cmocka_unit_test(scale_on_both),
        cmocka_unit_test(scaled_queries_that_are_shared),
        cmocka_unit_test(no_scale),
        cmocka_unit_test(mask_that_is_added),
        cmocka_unit_test(mask_that_selects),
        cmocka_unit_test(guard_against_rows_that_are_masked_whole),
        cmocka_unit_test(dropout_behind_the_softmax),
        cmocka_unit_test(heads_merged_with_the_batch),
        cmocka_unit_test(one_head_without_a_dimension),
        cmocka_unit_test(values_on_the_left),
        cmocka_unit_test(values_on_the_left_of_the_map_itself),
        cmocka_unit_test(a_mask_that_is_known_is_no_bias),
        cmocka_unit_test(bias_of_each_head_and_mask),
        cmocka_unit_test(mask_added_in_another_shape),
        cmocka_unit_test(map_given_out_in_another_shape),
        cmocka_unit_test(heads_mixed_behind_the_softmax),
        cmocka_unit_test(guard_with_another_number),
        cmocka_unit_test(softmax_over_the_queries),
        cmocka_unit_test(softmax_over_a_default_axis),
        cmocka_unit_test(scores_are_used_elsewhere),
        cmocka_unit_test(logits_are_used_elsewhere),
        cmocka_unit_test(keys_are_constant),
        cmocka_unit_test(softmax_of_no_product),
        cmocka_unit_test(probabilities_that_weigh_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
