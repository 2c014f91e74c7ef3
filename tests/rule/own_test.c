/* Patterns of the user's own: a block that fovea does not know is found and probed from a file, before fovea's own. */
#include "passes/pass.h"
#include "patterns/block.h"
#include "support/making.h"
#include "support/test.h"

#include <string.h>

typedef struct {
    Graph *graph;
    PassOptions options;
} Finding;

static void find_body(void *argument) {
    const Finding *finding = argument;
    graph_sort(finding->graph);
    pass_infer(finding->graph, &finding->options);
    pass_normalise(finding->graph, &finding->options);
    pass_blocks(finding->graph, &finding->options);
}

/* Finds blocks with a file of this text. The graph's output is value. */
static Status find_with(Graph *graph, Value *value, const char *text) {
    const char *path = test_path(graph->arena, test_folder(graph->arena), "mine.pattern");
    Finding finding = {.graph = graph};
    write_bytes(path, text, strlen(text));
    list_add(graph->arena, &finding.options.patterns, path);
    make_output(graph, value);
    return run_quietly(find_body, &finding);
}

/* x of 9 columns times a gate that is made of the maxima of its thirds. */
static Value *gated_thirds(Graph *graph) {
    Value *x = make_input(graph, "x", "1x4x5x9");
    Value *thirds = with_ints(with_ints(make(graph, "MaxPool", x), "kernel_shape", 5, 3), "strides", 5, 3);
    Value *layer = make(graph, "Conv", thirds, make_weight(graph, "4x4x1x3"));
    return in_scope(make(graph, "Mul", make(graph, "Sigmoid", layer), x), "neck.thirds");
}

static void block_that_fovea_does_not_know(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Status status = find_with(graph, gated_thirds(graph),
                              "# Squeeze by maxima of thirds.\n"
                              "block thirds\n"
                              "  squeeze[N C 1 3] = MaxPool(x[N C H W]){kernel_shape=[H _]}\n"
                              "  gate             = Gate(Conv(squeeze, w[_ C 1 3]{constant}))\n"
                              "  out              = Mul(x, gate[N C 1 1])\n"
                              "probe gate channel [N C]\n");
    assert_int_equal(status, STATUS_OK);
    assert_string_equal(blocks_text(graph), "thirds neck.thirds: gate[1,4]");
    assert_string_equal(graph->probes.items[0]->id, "neck.thirds.gate");
    arena_free(graph->arena);
}

static void condition_that_does_not_hold(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Status status = find_with(graph, gated_thirds(graph),
                              "block thirds\n"
                              "  out = Mul(x, Sigmoid(Conv(MaxPool(x[_ _ H W]){kernel_shape=[H W]}, _)))\n");
    assert_int_equal(status, STATUS_OK);
    assert_string_equal(blocks_text(graph), "");
    arena_free(graph->arena);
}

static void own_family_comes_first(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *x = make_input(graph, "x", "1x4x5x5");
    Value *gate = make(graph, "Sigmoid", make(graph, "Conv", make_mean(graph, x), make_weight(graph, "4x4x1x1")));
    Status status = find_with(graph, make(graph, "Relu", make(graph, "Mul", x, gate)),
                              "block mine\n"
                              "  out = Relu(Mul(x, Gate(Pointwise(GlobalMean(x)))))\n"
                              "probe out [N C H W]\n");
    assert_int_equal(status, STATUS_OK);
    assert_string_equal(blocks_text(graph), "mine mine_0: out[1,4,5,5]");
    arena_free(graph->arena);
}

/* Scores of two heads that were merged with the batch: the probe has its axes back. */
static void sizes_that_are_products(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *heads = make(graph, "Reshape", make_input(graph, "q", "3x2x4x8"), make_list(graph, 6, 4, 8));
    Value *scores = make(graph, "MatMul", heads, make_input(graph, "k", "6x8x5"));
    Status status = find_with(graph, make(graph, "Softmax", scores),
                              "block merged\n"
                              "  scores = MatMul(Reshape(q[N H Lq D], _)[N*H Lq D], k[N*H D Lk])\n"
                              "  probs  = Softmax(scores)\n"
                              "probe probs [N H Lq Lk]\n");
    assert_int_equal(status, STATUS_OK);
    assert_string_equal(blocks_text(graph), "merged merged_0: probs[3,2,4,5]");
    arena_free(graph->arena);
}

static void map_that_is_computed(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *x = make_input(graph, "x", "1x4x5x6");
    Status status = find_with(graph, make(graph, "Relu", x),
                              "block mine\n"
                              "  out = Relu(x[N C H W])\n"
                              "probe map spatial [N H W] = ReduceSum(Abs(x), [1]){keepdims=0}\n");
    assert_int_equal(status, STATUS_OK);
    assert_string_equal(blocks_text(graph), "mine mine_0: map[1,5,6]");
    assert_string_equal(graph->probes.items[0]->value->producer->op_type, "ReduceSum");
    arena_free(graph->arena);
}

static void the_larger_match_is_taken(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *x = make(graph, "Exp", make(graph, "Neg", make_input(graph, "x", "2x3")));
    Status status = find_with(graph, make(graph, "Relu", x),
                              "block small\n  out = Relu(x)\n"
                              "block large\n  out = Exp(Neg(x))\n"
                              "block larger\n  out = Relu(Exp(Neg(x)))\n");
    assert_int_equal(status, STATUS_OK);
    assert_string_equal(blocks_text(graph), "larger larger_0:");
    arena_free(graph->arena);
}

/* What a tensor is made by can be looked at without being part of the block, and may be used elsewhere. */
static void maker_that_is_seen(void **state) {
    (void)state;
    static const char text[] = "block gated\n"
                               "  x[N C H W] see Relu(Conv(_, _[C _ 1 1]))\n"
                               "  out = Tanh(Neg(x))\n"
                               "probe out [N C H W]\n";
    for (int padding = 0; padding < 2; padding++) { /* a kernel of 1, and one of 3, which is another block */
        Graph *graph = make_graph(arena_new(), 17);
        Value *kernel = make_weight(graph, padding == 0 ? "4x3x1x1" : "4x3x3x3");
        Value *x = make(graph, "Relu", make(graph, "Conv", make_input(graph, "image", "1x3x5x5"), kernel));
        Value *gated = make(graph, "Tanh", make(graph, "Neg", x));
        make_output(graph, x);
        assert_int_equal(find_with(graph, gated, text), STATUS_OK);
        assert_string_equal(blocks_text(graph), padding == 0 ? "gated gated_0: out[1,4,5,5]" : "");
        if (padding == 0) assert_int_equal(graph->blocks.items[0]->nodes.count, 2);
        arena_free(graph->arena);
    }
}

static void error_in_the_file(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    assert_int_equal(find_with(graph, gated_thirds(graph), "block mine\n  out = Relu(x y)\n"), STATUS_USAGE);
    assert_non_null(strstr(last_messages(), "mine.pattern:2:16: expected ',', found 'y'"));
    arena_free(graph->arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(block_that_fovea_does_not_know),
        cmocka_unit_test(condition_that_does_not_hold),
        cmocka_unit_test(own_family_comes_first),
        cmocka_unit_test(sizes_that_are_products),
        cmocka_unit_test(map_that_is_computed),
        cmocka_unit_test(the_larger_match_is_taken),
        cmocka_unit_test(maker_that_is_seen),
        cmocka_unit_test(error_in_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
