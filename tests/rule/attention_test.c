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

static void scores_that_are_an_output_are_kept(void **state) {
    (void)state;
    Heads h = begin();
    Value *s = scores(h);
    make_output(h.graph, s);
    assert_blocks(h.graph, weighted(h, softmax(h.graph, s)), FOUND);
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
    assert_no_block(h.graph, softmax(h.graph, scores(h)), "attention",
                    "2 operators match, then: expected Softmax, found 'k', an input");
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
        cmocka_unit_test(guard_with_another_number),
        cmocka_unit_test(softmax_over_the_queries),
        cmocka_unit_test(softmax_over_a_default_axis),
        cmocka_unit_test(scores_that_are_an_output_are_kept),
        cmocka_unit_test(logits_are_used_elsewhere),
        cmocka_unit_test(keys_are_constant),
        cmocka_unit_test(softmax_of_no_product),
        cmocka_unit_test(probabilities_that_weigh_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
