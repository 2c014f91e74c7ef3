/* Expansion: fused attention is the block that its primitives are, with a batch that is not known too; what stays as it
 * is; masks that do not fit; what is written over all of a tensor. */
#include "support/making.h"
#include "support/test.h"

#include <string.h>

/* Attention of q [1,4,5,8], k [1,2,7,8] and v [1,2,7,6]. */
static Value *attention(Graph *graph, Value *mask) {
    Value *q = make_input(graph, "q", "1x4x5x8"), *k = make_input(graph, "k", "1x2x7x8");
    return make(graph, "Attention", q, k, make_input(graph, "v", "1x2x7x6"), mask);
}

static Graph *begin(void) { return make_graph(arena_new(), 24); }

#define FOUND "attention attention_0: probs[1,4,5,7] logits[1,4,5,7]"

static void plain(void **state) {
    (void)state;
    Graph *graph = begin();
    assert_blocks(graph, attention(graph, NULL), FOUND);
}

static void causal(void **state) {
    (void)state;
    Graph *graph = begin();
    assert_blocks(graph, with_int(attention(graph, NULL), "is_causal", 1), FOUND);
}

static void with_a_bias(void **state) {
    (void)state;
    Graph *graph = begin();
    assert_blocks(graph, attention(graph, make_input(graph, "mask", "4x5x7")), FOUND);
}

static void with_a_mask(void **state) {
    (void)state;
    Graph *graph = begin();
    Value *mask = make_input(graph, "mask", "5x7");
    mask->type = TYPE_BOOL;
    assert_blocks(graph, with_int(attention(graph, mask), "is_causal", 1), FOUND);
}

static void named_after_its_module(void **state) {
    (void)state;
    Graph *graph = begin();
    assert_blocks(graph, in_scope(attention(graph, NULL), "layer.0"),
                  "attention layer.0: probs[1,4,5,7] logits[1,4,5,7]");
}

/* The map is given out as the operator's own fourth output. */
static void with_its_map(void **state) {
    (void)state;
    Graph *graph = begin();
    Value *y = with_int(attention(graph, NULL), "qk_matmul_output_mode", 3), *map = graph_value(graph, "map");
    Node *node = y->producer;
    list_add(graph->arena, &node->outputs, (Value *)NULL);
    list_add(graph->arena, &node->outputs, (Value *)NULL);
    list_add(graph->arena, &node->outputs, map);
    map->producer = node;
    make_output(graph, map);
    assert_blocks(graph, y, FOUND);
}

static Value *open_attention(Graph *graph, int dimension) {
    Value *y = attention(graph, NULL);
    for (int i = 0; i < graph->inputs.count; i++)
        graph->inputs.items[i]->shape.dims[dimension] = (Dim){-1, dimension == 0 ? "batch" : "length"};
    return y;
}

static void of_an_unknown_batch(void **state) {
    (void)state;
    Graph *graph = begin();
    assert_blocks(graph, open_attention(graph, 0), "attention attention_0: probs[batch,4,5,7] logits[batch,4,5,7]");
}

/* It stays one node; what follows it has a shape nevertheless. */
static void of_an_unknown_length(void **state) {
    (void)state;
    Graph *graph = begin();
    Value *y = open_attention(graph, 2);
    make_output(graph, y);
    assert_int_equal(find_blocks(graph, NULL), STATUS_OK);
    assert_string_equal(blocks_text(graph), "");
    assert_int_equal(graph->nodes.count, 1);
    assert_string_equal(shape_text(graph->arena, &y->shape), "[1,4,length,6]");
    arena_free(graph->arena);
}

static void refused(Graph *graph, Value *y, const char *words) {
    make_output(graph, y);
    assert_int_equal(find_blocks(graph, NULL), STATUS_INVALID);
    if (strstr(last_messages(), words) == NULL) fail_test("said %s", last_messages());
    arena_free(graph->arena);
}

static void mask_that_does_not_fit(void **state) {
    (void)state;
    Graph *graph = begin();
    refused(graph, attention(graph, make_input(graph, "mask", "5x4x5x7")), "does not broadcast");
}

static void heads_that_do_not_divide(void **state) {
    (void)state;
    Graph *graph = begin();
    Value *q = make_input(graph, "q", "1x5x8"), *k = make_input(graph, "k", "1x7x8");
    Value *y = make(graph, "Attention", q, k, make_input(graph, "v", "1x7x8"));
    refused(graph, with_int(with_int(y, "q_num_heads", 3), "kv_num_heads", 3), "do not divide into 3 heads");
}

/* The operator that is left of writing rows over these two. */
static const char *left_of_writing(int64_t first, int64_t second) {
    Graph *graph = make_graph(arena_new(), 17);
    Value *x = make_input(graph, "x", "2x3"), *rows = make_input(graph, "rows", "2x3");
    Value *indices = make_list(graph, first, second);
    indices->shape = indices->constant->shape = shape_of(2, (int64_t[]){2, 1});
    make_output(graph, make(graph, "ScatterND", x, indices, rows));
    assert_int_equal(find_blocks(graph, NULL), STATUS_OK);
    assert_int_equal(graph->nodes.count, 1);
    bool reshapes = strcmp(graph->nodes.items[0]->op_type, "Reshape") == 0;
    arena_free(graph->arena);
    return reshapes ? "Reshape" : "ScatterND";
}

/* Where all is written over, what is written is all that is left; in another order it is not. */
static void written_over(void **state) {
    (void)state;
    assert_string_equal(left_of_writing(0, 1), "Reshape");
    assert_string_equal(left_of_writing(-2, -1), "Reshape");
    assert_string_equal(left_of_writing(1, 0), "ScatterND");
    assert_string_equal(left_of_writing(0, 0), "ScatterND");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain),
        cmocka_unit_test(causal),
        cmocka_unit_test(with_a_bias),
        cmocka_unit_test(with_a_mask),
        cmocka_unit_test(named_after_its_module),
        cmocka_unit_test(with_its_map),
        cmocka_unit_test(of_an_unknown_batch),
        cmocka_unit_test(of_an_unknown_length),
        cmocka_unit_test(mask_that_does_not_fit),
        cmocka_unit_test(heads_that_do_not_divide),
        cmocka_unit_test(written_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
