/* Normal forms: each spelling of an idea becomes its operator, with the right attributes; what is nearly one stays. */
#include "passes/pass.h"
#include "support/making.h"
#include "support/test.h"

#include <string.h>

typedef struct {
    Graph *graph;
    Value *x; /* [2,8,6,5] */
} Map8;

static Map8 begin(int opset) {
    Graph *graph = make_graph(arena_new(), opset);
    return (Map8){graph, make_input(graph, "x", "2x8x6x5")};
}

/* The operators that are left, "Relu Mul". */
static const char *operators_of(Graph *graph, Value *y) {
    make_output(graph, y);
    graph_sort(graph);
    pass_infer(graph, &(PassOptions){0});
    pass_normalise(graph, &(PassOptions){0});
    const char *text = "";
    for (int i = 0; i < graph->nodes.count; i++)
        text = arena_printf(graph->arena, "%s%s%s", text, i > 0 ? " " : "", graph->nodes.items[i]->op_type);
    return text;
}

static void assert_becomes(Map8 m, Value *y, const char *expected) {
    assert_string_equal(operators_of(m.graph, y), expected);
    arena_free(m.graph->arena);
}

static Value *number(Map8 m, double value) { return make_number(m.graph, value); }
static Value *op(Map8 m, const char *name, Value *a) { return make(m.graph, name, a); }
static Value *op2(Map8 m, const char *name, Value *a, Value *b) { return make(m.graph, name, a, b); }
static Value *mul(Map8 m, Value *a, double b) { return op2(m, "Mul", a, number(m, b)); }
static Value *divided(Map8 m, Value *a, double b) { return op2(m, "Div", a, number(m, b)); }
static Value *plus(Map8 m, Value *a, double b) { return op2(m, "Add", a, number(m, b)); }
static Value *clip(Map8 m, Value *a, double least, double most) {
    return make(m.graph, "Clip", a, number(m, least), number(m, most));
}

/* Means and maxima. */

static Value *pool(Map8 m, const char *name, int64_t rows, int64_t columns) {
    return with_ints(op(m, name, m.x), "kernel_shape", rows, columns);
}

static void whole_pools(void **state) {
    (void)state;
    Map8 m = begin(17);
    assert_becomes(m, pool(m, "AveragePool", 6, 5), "GlobalAveragePool");
    m = begin(17);
    assert_becomes(m, pool(m, "MaxPool", 6, 5), "GlobalMaxPool");
    m = begin(17);
    assert_becomes(m, pool(m, "AveragePool", 6, 4), "AveragePool");
    m = begin(17);
    assert_becomes(m, with_ints(pool(m, "AveragePool", 6, 5), "pads", 1, 1, 1, 1), "AveragePool");
}

static void pools_of_rows_and_columns(void **state) {
    (void)state;
    Map8 m = begin(17);
    assert_becomes(m, pool(m, "AveragePool", 1, 5), "ReduceMean");
    m = begin(17);
    assert_becomes(m, pool(m, "AveragePool", 6, 1), "ReduceMean");
    m = begin(17);
    assert_becomes(m, with_ints(pool(m, "AveragePool", 1, 5), "strides", 2, 1), "AveragePool");
}

static void pool_behind_a_pad_of_zero(void **state) {
    (void)state;
    Map8 m = begin(17);
    Value *padded = make(m.graph, "Pad", m.x, make_list(m.graph, 0, 0, 0, 0, 0, 0, 0, 0));
    Value *mean = with_ints(op(m, "AveragePool", padded), "kernel_shape", 6, 5);
    assert_becomes(m, mean, "Identity GlobalAveragePool");
}

static void reductions(void **state) {
    (void)state;
    static const struct {
        const char *reduce, *global;
    } kinds[] = {{"ReduceMean", "GlobalAveragePool"}, {"ReduceMax", "GlobalMaxPool"}};
    for (int k = 0; k < 2; k++) {
        Map8 m = begin(17);
        assert_becomes(m, with_ints(op(m, kinds[k].reduce, m.x), "axes", -1, 2), kinds[k].global);
        m = begin(17);
        Value *steps = make_reduced(m.graph, kinds[k].reduce, make_reduced(m.graph, kinds[k].reduce, m.x, 3), 2);
        assert_becomes(m, steps, kinds[k].global);
        m = begin(17);
        Value *flat = make(m.graph, "Reshape", m.x, make_list(m.graph, 2, 8, -1));
        Value *last = with_int(with_ints(op(m, kinds[k].reduce, flat), "axes", 2), "keepdims", 0);
        assert_becomes(m, last, arena_printf(m.graph->arena, "%s Reshape", kinds[k].global));
        m = begin(17);
        assert_becomes(m, with_ints(op(m, kinds[k].reduce, m.x), "axes", 1, 2), kinds[k].reduce);
    }
}

/* Gates. */

static void hard_sigmoids(void **state) {
    (void)state;
    for (int form = 0; form < 6; form++) {
        Map8 m = begin(17);
        Value *up = plus(m, m.x, 3), *y = NULL;
        if (form == 0) y = divided(m, clip(m, up, 0, 6), 6);
        if (form == 1) y = mul(m, clip(m, up, 0, 6), 1.0 / 6);
        if (form == 2) y = divided(m, clip(m, op(m, "Relu", up), 0, 6), 6);
        if (form == 3) y = divided(m, op2(m, "Min", op(m, "Relu", up), number(m, 6)), 6);
        if (form == 4) y = clip(m, plus(m, divided(m, m.x, 6), 0.5), 0, 1);
        if (form == 5) y = clip(m, plus(m, mul(m, m.x, 0.2), 0.5), 0, 1);
        assert_becomes(m, y, "HardSigmoid");
    }
    Map8 m = begin(17);
    assert_becomes(m, divided(m, clip(m, plus(m, m.x, 3), 0, 5), 6), "Add Clip Div");
    m = begin(17);
    assert_becomes(m, divided(m, clip(m, plus(m, m.x, 2), 0, 6), 6), "Add Clip Div");
}

/* Activations. */

static void hard_swishes(void **state) {
    (void)state;
    for (int form = 0; form < 4; form++) {
        Map8 m = begin(11);
        Value *part = clip(m, plus(m, m.x, 3), 0, 6), *y = NULL;
        if (form == 0) y = divided(m, op2(m, "Mul", m.x, part), 6);
        if (form == 1) y = op2(m, "Mul", divided(m, part, 6), m.x);
        if (form == 2) y = mul(m, op2(m, "Mul", part, m.x), 1.0 / 6);
        if (form == 3) y = op2(m, "Mul", mul(m, m.x, 1.0 / 6), part);
        assert_becomes(m, y, "HardSwish");
    }
    Map8 m = begin(11);
    Value *other = clip(m, plus(m, op(m, "Neg", m.x), 3), 0, 6);
    assert_becomes(m, divided(m, op2(m, "Mul", m.x, other), 6), "Neg Add Clip Mul Div");
}

static void swishes(void **state) {
    (void)state;
    Map8 m = begin(11);
    assert_becomes(m, op2(m, "Mul", op(m, "Sigmoid", m.x), m.x), "Swish");
    m = begin(11);
    assert_becomes(m, op2(m, "Mul", m.x, op(m, "Sigmoid", mul(m, m.x, 1.702))), "Swish");
    m = begin(11);
    assert_becomes(m, op2(m, "Mul", m.x, op(m, "Sigmoid", op(m, "Abs", m.x))), "Abs Sigmoid Mul");
}

static void mishes(void **state) {
    (void)state;
    Map8 m = begin(11);
    assert_becomes(m, op2(m, "Mul", m.x, op(m, "Tanh", op(m, "Softplus", m.x))), "Mish");
    m = begin(11);
    assert_becomes(m, op2(m, "Mul", m.x, op(m, "Tanh", op(m, "Softsign", m.x))), "Softsign Tanh Mul");
}

static void gelus(void **state) {
    (void)state;
    for (int form = 0; form < 5; form++) {
        Map8 m = begin(11);
        Value *inner = form == 4 ? mul(m, m.x, 0.70710678) : divided(m, m.x, 1.41421356);
        Value *part = plus(m, op(m, "Erf", inner), 1), *y = NULL;
        if (form == 0 || form == 4) y = mul(m, op2(m, "Mul", m.x, part), 0.5);
        if (form == 1) y = op2(m, "Mul", mul(m, m.x, 0.5), part);
        if (form == 2) y = op2(m, "Mul", m.x, mul(m, part, 0.5));
        if (form == 3) y = divided(m, op2(m, "Mul", part, m.x), 2);
        assert_becomes(m, y, "Gelu");
    }
    Map8 m = begin(11);
    Value *part = plus(m, op(m, "Erf", divided(m, m.x, 1.5)), 1);
    assert_becomes(m, mul(m, op2(m, "Mul", m.x, part), 0.5), "Div Erf Add Mul Mul");
}

static void gelus_by_tanh(void **state) {
    (void)state;
    for (int form = 0; form < 4; form++) {
        Map8 m = begin(11);
        Value *square = op2(m, "Mul", m.x, m.x);
        Value *cube = form == 0 ? op2(m, "Pow", m.x, number(m, 3)) : op2(m, "Mul", square, m.x);
        Value *inner = mul(m, op2(m, "Add", m.x, mul(m, cube, 0.044715)), form == 3 ? 0.9 : 0.79788456);
        if (form == 2)
            inner = op2(m, "Mul", mul(m, m.x, 0.79788456), plus(m, op2(m, "Mul", mul(m, m.x, 0.044715), m.x), 1));
        Value *y = op2(m, "Mul", mul(m, m.x, 0.5), plus(m, op(m, "Tanh", inner), 1));
        assert_becomes(m, y, form == 3 ? "Mul Mul Mul Add Mul Tanh Add Mul Mul" : "Gelu");
    }
}

/* Norms. */

static Value *mean_square(Map8 m, Value *x, double epsilon) {
    return plus(m, make_reduced(m.graph, "ReduceMean", op2(m, "Pow", x, number(m, 2)), -1), epsilon);
}

/* Without the mean of the same tensor it is an RMS norm of the difference. */
static void layer_norms(void **state) {
    (void)state;
    for (int form = 0; form < 4; form++) {
        Map8 m = begin(13);
        Value *centred =
            op2(m, "Sub", m.x, make_reduced(m.graph, "ReduceMean", form == 3 ? op(m, "Abs", m.x) : m.x, -1));
        Value *root = op(m, "Sqrt", mean_square(m, centred, 1e-5)), *scaled = NULL;
        if (form == 1) scaled = op2(m, "Mul", centred, op(m, "Reciprocal", root));
        else if (form == 2) scaled = op2(m, "Mul", centred, op2(m, "Div", number(m, 1), root));
        else scaled = op2(m, "Div", centred, root);
        Value *y = op2(m, "Add", op2(m, "Mul", scaled, make_weight(m.graph, "5")), make_weight(m.graph, "5"));
        assert_becomes(m, y, form == 3 ? "Abs ReduceMean Sub RMSNormalization Add" : "LayerNormalization");
    }
}

static void rms_norms(void **state) {
    (void)state;
    for (int form = 0; form < 3; form++) {
        Map8 m = begin(13);
        Value *root = op(m, "Sqrt", mean_square(m, form == 2 ? op(m, "Relu", m.x) : m.x, 1e-6));
        Value *scaled = form == 0 ? op2(m, "Div", m.x, root) : op2(m, "Mul", m.x, op(m, "Reciprocal", root));
        Value *y = op2(m, "Mul", make_weight(m.graph, "5"), scaled);
        assert_becomes(m, y, form == 2 ? "Relu Pow ReduceMean Add Sqrt Reciprocal Mul Mul" : "RMSNormalization");
    }
}

/* The number of groups is that of the Reshape before the norm; another shape behind it is another operator. */
static void group_norms(void **state) {
    (void)state;
    for (int form = 0; form < 2; form++) {
        Map8 m = begin(17);
        Value *groups = make(m.graph, "Reshape", m.x, make_list(m.graph, 2, 4, -1));
        Value *ones = make(m.graph, "Exp", make(m.graph, "ConstantOfShape", make_list(m.graph, 4)));
        Value *zeros = make(m.graph, "ConstantOfShape", make_list(m.graph, 4));
        Value *normal = make(m.graph, "InstanceNormalization", groups, ones, zeros);
        Value *back = make(m.graph, "Reshape", normal, make_list(m.graph, 2, 8, 6, 5));
        Value *scaled = op2(m, "Mul", back, make_weight(m.graph, form == 0 ? "8x1x1" : "6x1"));
        Value *y = op2(m, "Add", scaled, make_weight(m.graph, "8x1x1"));
        const char *found = operators_of(m.graph, y);
        assert_int_equal(strstr(found, "GroupNormalization") != NULL, form == 0);
        if (form == 0) assert_int_equal(node_attribute(y->producer, "num_groups")->integer, 4);
        arena_free(m.graph->arena);
    }
}

/* Softmax below opset 13, and what broadcasting does. */

static Value *turned(Map8 m, Value *x) { return with_ints(op(m, "Transpose", x), "perm", 0, 3, 2, 1); }

static void softmax_between_transposes(void **state) {
    (void)state;
    Map8 m = begin(11);
    Value *probs = with_int(op(m, "Softmax", turned(m, m.x)), "axis", 3);
    assert_becomes(m, turned(m, probs), "Softmax");
    m = begin(11);
    probs = with_int(op(m, "Softmax", turned(m, m.x)), "axis", 3);
    assert_becomes(m, with_ints(op(m, "Transpose", probs), "perm", 0, 2, 3, 1), "Transpose Softmax Transpose");
}

static void factors_that_are_expanded(void **state) {
    (void)state;
    Map8 m = begin(17);
    Value *gate = make_input(m.graph, "gate", "2x8x1x1");
    assert_becomes(m, op2(m, "Mul", m.x, op2(m, "Expand", gate, make_list(m.graph, 2, 8, 6, 5))), "Mul");
    m = begin(17);
    gate = make_input(m.graph, "gate", "1x1x1x1");
    assert_becomes(
        m, op2(m, "Mul", make_input(m.graph, "y", "1x8x6x1"), op2(m, "Expand", gate, make_list(m.graph, 2, 8, 6, 5))),
        "Expand Mul");
}

/* Sums of branches. */

static Value *sum_over(Map8 m, Value *branches) {
    return with_int(with_ints(op(m, "ReduceSum", branches), "axes", 1), "keepdims", 0);
}

static Value *stacked(Map8 m, const char *second) {
    Value *other = make_input(m.graph, "other", second);
    Value *maps[] = {with_ints(op(m, "Unsqueeze", m.x), "axes", 1), with_ints(op(m, "Unsqueeze", other), "axes", 1)};
    return with_int(op2(m, "Concat", maps[0], maps[1]), "axis", 1);
}

static void sums_of_stacked_maps(void **state) {
    (void)state;
    Map8 m = begin(11);
    assert_becomes(m, sum_over(m, stacked(m, "2x8x6x5")), "Add");
    m = begin(11);
    Value *weights = make_input(m.graph, "weights", "2x2x8x1x1");
    assert_becomes(m, sum_over(m, op2(m, "Mul", stacked(m, "2x8x6x5"), weights)),
                   "Gather Squeeze Mul Gather Squeeze Mul Add");
    m = begin(11); /* of places, and not of channels */
    weights = make_input(m.graph, "weights", "2x2x1x6x5");
    assert_becomes(m, sum_over(m, op2(m, "Mul", stacked(m, "2x8x6x5"), weights)),
                   "Unsqueeze Unsqueeze Concat Mul ReduceSum");
}

static void sums_of_halves(void **state) {
    (void)state;
    Map8 m = begin(11);
    Value *y = sum_over(m, op2(m, "Reshape", m.x, make_list(m.graph, 2, 2, 4, 6, 5)));
    assert_becomes(m, y, "Slice Slice Add");
    m = begin(11);
    y = sum_over(m, op2(m, "Reshape", m.x, make_list(m.graph, 2, 4, 2, 6, 5)));
    assert_becomes(m, y, "Reshape ReduceSum");
}

static void weighted_means(void **state) {
    (void)state;
    Map8 m = begin(11);
    Value *map = with_ints(op(m, "Unsqueeze", make_input(m.graph, "map", "2x8x30")), "axes", 1);
    Value *weights = with_ints(op(m, "Unsqueeze", make_input(m.graph, "weights", "2x1x30")), "axes", 3);
    assert_becomes(m, op2(m, "MatMul", map, weights), "Reshape MatMul Reshape");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_pools),
        cmocka_unit_test(pools_of_rows_and_columns),
        cmocka_unit_test(pool_behind_a_pad_of_zero),
        cmocka_unit_test(reductions),
        cmocka_unit_test(hard_sigmoids),
        cmocka_unit_test(hard_swishes),
        cmocka_unit_test(swishes),
        cmocka_unit_test(mishes),
        cmocka_unit_test(gelus),
        cmocka_unit_test(gelus_by_tanh),
        cmocka_unit_test(layer_norms),
        cmocka_unit_test(rms_norms),
        cmocka_unit_test(group_norms),
        cmocka_unit_test(softmax_between_transposes),
        cmocka_unit_test(factors_that_are_expanded),
        cmocka_unit_test(sums_of_stacked_maps),
        cmocka_unit_test(sums_of_halves),
        cmocka_unit_test(weighted_means),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
