/* Attention that is the same for every input: its map is found though it is known when compiling, and what only looks
 * like it is computed then and gone. */
#include "support/making.h"
#include "support/test.h"

static Value *known_map(Graph *graph) {
    Value *queries = make_weight(graph, "1x4x6x8"), *keys = make_weight(graph, "1x4x8x6");
    Value *logits = make(graph, "Mul", make(graph, "MatMul", queries, keys), make_number(graph, 0.35355339));
    return with_int(make(graph, "Softmax", logits), "axis", -1);
}

#define FOUND "attention attention_0: probs[1,4,6,6]"

static void values_are_computed(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *values = make_input(graph, "v", "1x4x6x8");
    assert_blocks(graph, make(graph, "MatMul", known_map(graph), values), FOUND);
}

/* The first decoder layer of DETR: zeros and learned queries go in. */
static void values_are_known_too(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *weighted = make(graph, "MatMul", known_map(graph), make_weight(graph, "1x4x6x8"));
    assert_blocks(graph, make(graph, "Add", weighted, make_input(graph, "x", "1x4x6x8")), FOUND);
}

/* The scores are computed: this is plain attention over learned values, and not matched from its softmax on. */
static void logits_are_computed(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *probs = with_int(make(graph, "Softmax", make_input(graph, "x", "1x4x6x6")), "axis", -1);
    assert_no_block(graph, make(graph, "MatMul", probs, make_weight(graph, "1x4x6x8")), "attention",
                    "2 operators match");
}

/* Weights made by a softmax are weights. */
static void map_is_used_as_a_weight(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *x = make_input(graph, "x", "1x4x6x6");
    Value *product = make(graph, "MatMul", x, known_map(graph));
    make_output(graph, product);
    assert_int_equal(find_blocks(graph, NULL), STATUS_OK);
    assert_string_equal(blocks_text(graph), "");
    assert_int_equal(graph->nodes.count, 1);
    arena_free(graph->arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_computed),
        cmocka_unit_test(values_are_known_too),
        cmocka_unit_test(logits_are_computed),
        cmocka_unit_test(map_is_used_as_a_weight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
