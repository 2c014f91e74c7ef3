/* Rewrite rules: what becomes of a graph, and what the engine sees to: shapes, names, what is used elsewhere. */
#include "passes/pass.h"
#include "patterns/block.h"
#include "support/making.h"
#include "support/test.h"

#include <string.h>

typedef struct {
    Graph *graph;
    PassOptions options;
} Rewriting;

static void rewrite_body(void *argument) {
    const Rewriting *rewriting = argument;
    graph_sort(rewriting->graph);
    pass_infer(rewriting->graph, &rewriting->options);
    pass_normalise(rewriting->graph, &rewriting->options);
}

/* Rewrites a graph whose output is value, with the rules of a file of this text and those of fovea. */
static Status rewrite(Graph *graph, Value *value, const char *rules, const char *probes) {
    Rewriting rewriting = {.graph = graph, .options = {.probes = probes}};
    const char *path = test_path(graph->arena, test_folder(graph->arena), "mine.pattern");
    write_bytes(path, rules, strlen(rules));
    list_add(graph->arena, &rewriting.options.patterns, path);
    make_output(graph, value);
    return run_quietly(rewrite_body, &rewriting);
}

/* The operators of a graph, "Relu Mul". */
static void assert_operators(const Graph *graph, const char *expected) {
    char found[200] = "";
    for (int i = 0; i < graph->nodes.count; i++)
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s%s", i > 0 ? " " : "",
                 graph->nodes.items[i]->op_type);
    assert_string_equal(found, expected);
}

static const char RELU_OF_NEGATIVE[] = "rewrite turned\n  y = Relu(Neg(x))\nbecomes Max(Neg(x), 0)\n";

static void new_nodes_take_the_place_of_the_old(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *y = make(graph, "Relu", make(graph, "Neg", make_input(graph, "x", "2x3")));
    assert_int_equal(rewrite(graph, make(graph, "Exp", y), RELU_OF_NEGATIVE, NULL), STATUS_OK);
    assert_operators(graph, "Neg Max Exp");
    assert_string_equal(y->producer->op_type, "Max");
    arena_free(graph->arena);
}

static void a_value_used_elsewhere_stays(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *negative = make(graph, "Neg", make_input(graph, "x", "2x3"));
    Value *sum = make(graph, "Add", make(graph, "Relu", negative), negative);
    assert_int_equal(rewrite(graph, sum, RELU_OF_NEGATIVE, NULL), STATUS_OK);
    assert_operators(graph, "Neg Relu Add");
    arena_free(graph->arena);
}

static void a_value_asked_for_by_name_is_computed_beside(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *negative = make(graph, "Neg", make_input(graph, "x", "2x3"));
    assert_int_equal(rewrite(graph, make(graph, "Relu", negative), RELU_OF_NEGATIVE, negative->name), STATUS_OK);
    assert_operators(graph, "Neg Neg Max");
    assert_true(negative->is_probed);
    arena_free(graph->arena);
}

static void a_shape_that_differs_in_ones_is_restored(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *mean = with_ints(make(graph, "ReduceMean", make_input(graph, "x", "2x3x4x5")), "axes", 2, 3);
    with_int(mean, "keepdims", 0);
    assert_int_equal(rewrite(graph, mean, "", NULL), STATUS_OK);
    assert_operators(graph, "GlobalAveragePool Reshape");
    assert_int_equal(mean->shape.rank, 2);
    arena_free(graph->arena);
}

static void lists_hold_sizes_that_have_names(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *y = make(graph, "Abs", make_input(graph, "x", "2x6"));
    assert_int_equal(
        rewrite(graph, y, "rewrite flat\n  y = Abs(x[M N])\nbecomes Reshape(Relu(Reshape(x, [N M])), [M N])\n", NULL),
        STATUS_OK);
    assert_operators(graph, "Reshape Relu Reshape");
    arena_free(graph->arena);
    graph = make_graph(arena_new(), 17);
    y = make(graph, "Abs", make_input(graph, "x", "2x6"));
    assert_int_equal(rewrite(graph, y, "rewrite r\n  y = Abs(x[M N])\nbecomes Reshape(x, [N K])\n", NULL),
                     STATUS_USAGE);
    assert_non_null(strstr(last_messages(), "mine.pattern:3:20: K is no number and no size's name"));
    arena_free(graph->arena);
}

/* Two sizes are open, so that no Reshape can be written: the model's own nodes stay, and nothing besides. */
static void a_shape_that_is_open_stays_as_it_is(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *x = make_input(graph, "x", "1x1x4x5");
    x->shape.dims[0] = (Dim){-1, "n"};
    x->shape.dims[1] = (Dim){-1, "c"};
    Value *mean = with_ints(make(graph, "ReduceMean", x), "axes", 2, 3);
    with_int(mean, "keepdims", 0);
    assert_int_equal(rewrite(graph, mean, "", NULL), STATUS_OK);
    assert_operators(graph, "ReduceMean");
    arena_free(graph->arena);
}

static void a_size_in_a_list_that_is_open_stays_so(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *x = make_input(graph, "x", "1x6");
    x->shape.dims[0] = (Dim){-1, "n"};
    assert_int_equal(
        rewrite(graph, make(graph, "Abs", x), "rewrite r\n  y = Abs(x[M N])\nbecomes Reshape(x, [M N])\n", NULL),
        STATUS_OK);
    assert_operators(graph, "Abs");
    arena_free(graph->arena);
}

static void another_shape_is_an_error_of_the_rule(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *y = make(graph, "Relu", make_input(graph, "x", "2x3"));
    assert_int_equal(rewrite(graph, y, "rewrite bad\n  y = Relu(x)\nbecomes Transpose(x){perm=[1 0]}\n", NULL),
                     STATUS_USAGE);
    assert_non_null(strstr(last_messages(), "the rule bad makes a tensor [3,2] in the place of"));
    arena_free(graph->arena);
}

/* Not x * sigmoid(x), which has the shape of x, though a pattern looks through views: a table of products. */
static void a_tensor_spread_over_itself_is_left(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 11);
    Value *x = make_input(graph, "x", "3x5"), *rows = with_ints(make(graph, "Unsqueeze", x), "axes", 1);
    Value *gate = with_ints(make(graph, "Unsqueeze", make(graph, "Sigmoid", x)), "axes", 0);
    assert_int_equal(rewrite(graph, make(graph, "Mul", rows, gate), "", NULL), STATUS_OK);
    assert_operators(graph, "Unsqueeze Sigmoid Unsqueeze Mul");
    arena_free(graph->arena);
}

/* A number may be written as a tensor of as many elements as there are, but one of more makes a table. */
static void a_number_that_spreads_is_left(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *x = make_input(graph, "x", "1x5"), *threes = make_weight(graph, "3x1");
    for (int i = 0; i < 3; i++) ((float *)threes->constant->data)[i] = 3;
    Value *sixth = make(graph, "Div", make(graph, "Add", x, threes), make_number(graph, 6));
    Value *y = make(graph, "Clip", sixth, make_number(graph, 0), make_number(graph, 1));
    assert_int_equal(rewrite(graph, y, "", NULL), STATUS_OK);
    assert_operators(graph, "Add Div Clip");
    arena_free(graph->arena);
}

/* The mean over an axis of size 1 that a view has put last is no mean of x. */
static void a_tensor_seen_along_other_axes_is_left(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 11);
    Value *x = make_input(graph, "x", "3x5");
    Value *mean = with_ints(make(graph, "ReduceMean", with_ints(make(graph, "Unsqueeze", x), "axes", 2)), "axes", 2);
    Value *y = make(graph, "Sub", x, with_ints(make(graph, "Squeeze", mean), "axes", 2));
    assert_int_equal(
        rewrite(graph, y, "rewrite centred\n  y = Sub(x, ReduceMean(x){axes=[-1]})\nbecomes Neg(x)\n", NULL),
        STATUS_OK);
    assert_operators(graph, "Unsqueeze GlobalAveragePool Squeeze Sub");
    arena_free(graph->arena);
}

static void rules_that_undo_each_other_come_to_an_end(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *y = make(graph, "Abs", make_input(graph, "x", "2x3"));
    assert_int_equal(
        rewrite(graph, y, "rewrite there\n  y = Abs(x)\nbecomes Neg(x)\nrewrite back\n  y = Neg(x)\nbecomes Abs(x)\n",
                NULL),
        STATUS_USAGE);
    assert_non_null(strstr(last_messages(), "undo each other"));
    arena_free(graph->arena);
}

static void unknown_operators_and_attributes(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *y = make(graph, "Abs", make_input(graph, "x", "2x3"));
    assert_int_equal(rewrite(graph, y, "rewrite r\n  y = Abs(x)\nbecomes Foo(x)\n", NULL), STATUS_USAGE);
    assert_non_null(strstr(last_messages(), "mine.pattern:3:9: there is no operator Foo"));
    assert_int_equal(rewrite(graph, y, "rewrite r\n  y = Abs(x)\nbecomes Relu(x){axis=1}\n", NULL), STATUS_USAGE);
    assert_non_null(strstr(last_messages(), "mine.pattern:3:17: Relu has no attribute axis"));
    arena_free(graph->arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_nodes_take_the_place_of_the_old),
        cmocka_unit_test(a_value_used_elsewhere_stays),
        cmocka_unit_test(a_value_asked_for_by_name_is_computed_beside),
        cmocka_unit_test(a_shape_that_differs_in_ones_is_restored),
        cmocka_unit_test(lists_hold_sizes_that_have_names),
        cmocka_unit_test(a_shape_that_is_open_stays_as_it_is),
        cmocka_unit_test(a_size_in_a_list_that_is_open_stays_so),
        cmocka_unit_test(another_shape_is_an_error_of_the_rule),
        cmocka_unit_test(a_tensor_spread_over_itself_is_left),
        cmocka_unit_test(a_number_that_spreads_is_left),
        cmocka_unit_test(a_tensor_seen_along_other_axes_is_left),
        cmocka_unit_test(rules_that_undo_each_other_come_to_an_end),
        cmocka_unit_test(unknown_operators_and_attributes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
