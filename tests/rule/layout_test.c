/* The pass `layout`: transposes between channels first and last move behind what commutes with them, and cancel; what
 * does not commute, and what is no map, stays. Maps are [1 4 6 5], [N C H W]. */
#include "ops/op.h"
#include "passes/pass.h"
#include "support/making.h"
#include "support/test.h"

#include "base/text.h"

#include <string.h>

typedef struct {
    Graph *graph;
    Value *map, *last; /* the map, and the same with channels last */
} Net;

static Value *to_last(Graph *graph, Value *x) { return with_ints(make(graph, "Transpose", x), "perm", 0, 2, 3, 1); }
static Value *to_first(Graph *graph, Value *x) { return with_ints(make(graph, "Transpose", x), "perm", 0, 3, 1, 2); }

static Net begin(int opset) {
    Net m = {.graph = make_graph(arena_new(), opset)};
    m.map = make_input(m.graph, "x", "1x4x6x5");
    m.last = to_last(m.graph, make(m.graph, "Relu", m.map));
    return m;
}

/* The operators that the pass leaves behind the first Relu, in order, each with its output's shape: "Neg[1,4,6,5]". */
static void assert_left(Net m, Value *output, const char *expected) {
    make_output(m.graph, output);
    graph_index(m.graph);
    pass_infer(m.graph, &(PassOptions){0});
    pass_layout(m.graph, &(PassOptions){0});
    graph_check(m.graph, "layout");
    Text text = text_new(m.graph->arena);
    for (int i = 1; i < m.graph->nodes.count; i++) {
        const Node *node = m.graph->nodes.items[i];
        text_printf(&text, "%s%s%s", i == 1 ? "" : " ", node->op_type,
                    shape_text(m.graph->arena, &node->outputs.items[0]->shape));
    }
    assert_string_equal(text.data, expected);
    arena_free(m.graph->arena);
}

static void pair_cancels(void **state) {
    (void)state;
    Net m = begin(17);
    assert_left(m, make(m.graph, "Neg", to_first(m.graph, m.last)), "Neg[1,4,6,5]");
}

static void elementwise_between(void **state) {
    (void)state;
    Net m = begin(17);
    Value *y = make(m.graph, "Add", make(m.graph, "Exp", m.last), make(m.graph, "Neg", m.last));
    assert_left(m, make(m.graph, "Abs", to_first(m.graph, y)), "Exp[1,4,6,5] Neg[1,4,6,5] Add[1,4,6,5] Abs[1,4,6,5]");
}

static void constants_follow(void **state) {
    (void)state;
    static const char *const shapes[] = {"", "4", "1x1x4", "1x1x1x4", "6x5x1", "1x6x1x1"};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        Net m = begin(17);
        Value *y = make(m.graph, "Mul", make_weight(m.graph, shapes[i]), m.last);
        assert_left(m, make(m.graph, "Abs", to_first(m.graph, y)), "Mul[1,4,6,5] Abs[1,4,6,5]");
    }
}

static void table_over_places_and_channels_does_not(void **state) {
    (void)state;
    Net m = begin(17);
    Value *y = make(m.graph, "Add", m.last, make_weight(m.graph, "6x5x4"));
    assert_left(m, y, "Transpose[1,6,5,4] Add[1,6,5,4]");
}

static void gate_follows(void **state) {
    (void)state;
    Net m = begin(17);
    Value *gate = make_input(m.graph, "gate", "1x1x1x4");
    Value *y = to_first(m.graph, make(m.graph, "Mul", m.last, gate));
    assert_left(m, make(m.graph, "Abs", y), "Transpose[1,4,1,1] Mul[1,4,6,5] Abs[1,4,6,5]");
}

static void output_keeps_its_name_and_layout(void **state) {
    (void)state;
    Net m = begin(17);
    assert_left(m, make(m.graph, "Neg", m.last), "Neg[1,4,6,5] Transpose[1,6,5,4]");
}

static void mean_and_maximum_over_channels(void **state) {
    (void)state;
    Net m = begin(17);
    Value *both = make(m.graph, "Concat", make_reduced(m.graph, "ReduceMean", m.last, 3),
                       make_reduced(m.graph, "ReduceMax", m.last, -1));
    assert_left(m, make(m.graph, "Abs", to_first(m.graph, with_int(both, "axis", -1))),
                "ReduceMean[1,1,6,5] ReduceMax[1,1,6,5] Concat[1,2,6,5] Abs[1,2,6,5]");
}

static void axes_that_are_an_input(void **state) {
    (void)state;
    Net m = begin(18);
    Value *mean = make(m.graph, "ReduceMean", m.last, make_list(m.graph, -1));
    assert_left(m, make(m.graph, "Abs", to_first(m.graph, mean)), "ReduceMean[1,1,6,5] Abs[1,1,6,5]");
}

static void reductions_that_keep_nothing(void **state) {
    (void)state;
    Net m = begin(13);
    Value *mean = with_int(with_ints(make(m.graph, "ReduceMean", m.last), "axes", 2, 1), "keepdims", 0);
    assert_left(m, mean, "GlobalAveragePool[1,4,1,1] Reshape[1,4]");
    m = begin(13);
    mean = with_int(with_ints(make(m.graph, "ReduceMean", m.last), "axes", 3), "keepdims", 0);
    assert_left(m, mean, "ReduceMean[1,6,5]");
    m = begin(13);
    mean = with_int(with_ints(make(m.graph, "ReduceMean", m.last), "axes", 1), "keepdims", 0);
    assert_left(m, mean, "Transpose[1,6,5,4] ReduceMean[1,5,4]");
}

static void softmax_does_not_commute(void **state) {
    (void)state;
    Net m = begin(17);
    Value *y = to_first(m.graph, make(m.graph, "Softmax", m.last));
    assert_left(m, y, "Transpose[1,6,5,4] Softmax[1,6,5,4] Transpose[1,4,6,5]");
}

static void heads_are_no_map(void **state) {
    (void)state;
    Net m = begin(17);
    Value *heads = make(m.graph, "Reshape", m.map, make_list(m.graph, 1, 6, 4, 5));
    Value *y = make(m.graph, "Mul", to_last(m.graph, heads), make_number(m.graph, 0.5));
    assert_left(m, y, "Transpose[1,4,5,6] Mul[1,4,5,6]");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pair_cancels),
        cmocka_unit_test(elementwise_between),
        cmocka_unit_test(constants_follow),
        cmocka_unit_test(table_over_places_and_channels_does_not),
        cmocka_unit_test(gate_follows),
        cmocka_unit_test(output_keeps_its_name_and_layout),
        cmocka_unit_test(mean_and_maximum_over_channels),
        cmocka_unit_test(axes_that_are_an_input),
        cmocka_unit_test(reductions_that_keep_nothing),
        cmocka_unit_test(softmax_does_not_commute),
        cmocka_unit_test(heads_are_no_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
