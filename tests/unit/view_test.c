/* Views: which nodes patterns look through, and which only resemble them. */
#include "patterns/view.h"
#include "support/making.h"
#include "support/test.h"

#include "passes/pass.h"

typedef struct {
    Graph *graph;
    Value *x;
} Input;

static Input begin(const char *shape) {
    Graph *graph = make_graph(arena_new(), 17);
    return (Input){graph, make_input(graph, "x", shape)};
}

/* Infers shapes, and checks whether a value is a view of the input. Frees the graph. */
static void assert_view(Input input, Value *value, bool expected) {
    const PassOptions options = {0};
    make_output(input.graph, value);
    graph_sort(input.graph);
    pass_infer(input.graph, &options);
    assert_int_equal(view_root(value) == input.x, expected);
    assert_int_equal(is_same_tensor(value, input.x), expected);
    arena_free(input.graph->arena);
}

static Value *reshaped(Input input, Value *shape) { return make(input.graph, "Reshape", input.x, shape); }

static void ones_are_added_and_dropped(void **state) {
    (void)state;
    Input i = begin("2x8x1x1");
    assert_view(i, reshaped(i, make_list(i.graph, 2, 8)), true);
    i = begin("2x8x1x1");
    assert_view(i, make(i.graph, "Flatten", i.x), true);
    i = begin("2x8");
    assert_view(i, make(i.graph, "Unsqueeze", i.x, make_list(i.graph, 2, 3)), true);
    i = begin("2x1x8");
    assert_view(i, make(i.graph, "Squeeze", make(i.graph, "Identity", i.x), make_list(i.graph, 1)), true);
}

static void dimensions_are_split_or_merged(void **state) {
    (void)state;
    Input i = begin("2x8x3x1");
    assert_view(i, make(i.graph, "Flatten", i.x), false);
    i = begin("2x8");
    assert_view(i, reshaped(i, make_list(i.graph, 2, 4, 2)), false);
    i = begin("2x8");
    assert_view(i, reshaped(i, make_list(i.graph, 8, 2)), false);
}

/* Equal sizes must not hide that a Transpose swaps them. */
static void transposes(void **state) {
    (void)state;
    Input i = begin("1x8x1x1");
    assert_view(i, with_ints(make(i.graph, "Transpose", i.x), "perm", 0, 2, 3, 1), true);
    i = begin("1x4x4x1");
    assert_view(i, with_ints(make(i.graph, "Transpose", i.x), "perm", 0, 2, 1, 3), false);
    i = begin("1x6x1");
    assert_view(i, make(i.graph, "Transpose", i.x), true);
    i = begin("4x4");
    assert_view(i, make(i.graph, "Transpose", i.x), false);
}

static void casts_and_expansions(void **state) {
    (void)state;
    Input i = begin("2x8");
    assert_view(i, with_int(make(i.graph, "Cast", i.x), "to", TYPE_FLOAT), true);
    i = begin("2x8");
    assert_view(i, with_int(make(i.graph, "Cast", i.x), "to", TYPE_DOUBLE), false);
    i = begin("2x8");
    assert_view(i, make(i.graph, "Expand", i.x, make_list(i.graph, 2, 1)), true);
    i = begin("1x8");
    assert_view(i, make(i.graph, "Expand", i.x, make_list(i.graph, 2, 8)), false);
}

static void dropouts(void **state) {
    (void)state;
    Input i = begin("2x8");
    assert_view(i, make(i.graph, "Dropout", i.x), true);
    i = begin("2x8");
    Tensor *training = tensor_new(i.graph->arena, TYPE_BOOL, &(Shape){0});
    *(bool *)training->data = true;
    Value *is_training = graph_constant(i.graph, "training", training);
    Value *dropped = make(i.graph, "Dropout", i.x, make_number(i.graph, 0.5), is_training);
    assert_null(view_source(dropped));
    arena_free(i.graph->arena);
}

static void constants_of_equal_contents(void **state) {
    (void)state;
    Input i = begin("2x8");
    Value *a = make_number(i.graph, 0.5), *b = make_number(i.graph, 0.5), *c = make_number(i.graph, 0.25);
    assert_true(is_same_tensor(a, b));
    assert_false(is_same_tensor(a, c));
    assert_false(is_same_tensor(a, i.x));
    arena_free(i.graph->arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ones_are_added_and_dropped),
        cmocka_unit_test(dimensions_are_split_or_merged),
        cmocka_unit_test(transposes),
        cmocka_unit_test(casts_and_expansions),
        cmocka_unit_test(dropouts),
        cmocka_unit_test(constants_of_equal_contents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
