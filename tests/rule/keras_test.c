/* How TensorFlow's exporter spells Keras' attention: keys times queries, turned; masks as products and sums; heads
 * merged with the batch. And the rules that bring it to its normal form: what they match, and what is near and not the
 * same. */
#include "passes/pass.h"
#include "support/making.h"
#include "support/test.h"

#include "base/text.h"

#include <string.h>

typedef struct {
    Graph *graph;
    Value *q, *k, *v; /* [1 2 7 4], [1 2 5 4], [1 2 5 3] */
} Heads;

static Value *split(Graph *graph, const char *name, const char *shape) {
    return with_ints(make(graph, "Transpose", make_input(graph, name, shape)), "perm", 0, 2, 1, 3);
}

static Heads begin(int opset) {
    Graph *graph = make_graph(arena_new(), opset);
    Value *q = with_ints(make(graph, "Transpose", make_input(graph, "q", "1x7x2x4")), "perm", 0, 2, 3, 1);
    return (Heads){graph, q, split(graph, "k", "1x5x2x4"), split(graph, "v", "1x5x2x3")};
}

static Value *turned(Graph *graph, Value *x) { return with_ints(make(graph, "Transpose", x), "perm", 0, 1, 3, 2); }

/* x where condition, else other, as tf2onnx writes it, with the two conditions as numbers. */
static Value *choose(Graph *graph, Value *keep, Value *x, Value *drop, Value *other) {
    return make(graph, "Add", make(graph, "Mul", keep, x), make(graph, "Mul", other, drop));
}

static Value *as_float(Graph *graph, Value *condition) {
    return with_int(make(graph, "Cast", condition), "to", TYPE_FLOAT);
}

static Value *condition(Graph *graph, const char *name, const char *shape) {
    return make(graph, "Greater", make_input(graph, name, shape), make_number(graph, 0));
}

static const char FOUND[] = "attention attention_0: probs[1,2,7,5] logits[1,2,7,5]";

static void turned_probabilities(void **state) {
    (void)state;
    Heads h = begin(17);
    Value *probs = with_int(make(h.graph, "Softmax", make(h.graph, "MatMul", h.k, h.q)), "axis", 2);
    assert_blocks(h.graph, make(h.graph, "MatMul", turned(h.graph, probs), h.v), FOUND);
}

/* Before opset 13 that softmax is over two dimensions at once. */
static void turned_probabilities_of_an_old_softmax(void **state) {
    (void)state;
    Heads h = begin(12);
    Value *probs = with_int(make(h.graph, "Softmax", make(h.graph, "MatMul", h.k, h.q)), "axis", 2);
    assert_no_block(h.graph, make(h.graph, "MatMul", turned(h.graph, probs), h.v), "attention", "attention: 0 found");
}

static Value *masked(Heads h, Value *keep, Value *drop) {
    Value *scores = turned(h.graph, make(h.graph, "MatMul", h.k, h.q));
    Value *logits = choose(h.graph, keep, scores, drop, make_number(h.graph, -1e9));
    Value *probs = with_int(make(h.graph, "Softmax", logits), "axis", -1);
    return make(h.graph, "MatMul", choose(h.graph, keep, probs, drop, make_number(h.graph, 0)), h.v);
}

static void mask_that_selects(void **state) {
    (void)state;
    Heads h = begin(17);
    Value *mask = condition(h.graph, "mask", "1x1x7x5"), *dropped = make(h.graph, "Not", mask);
    assert_blocks(h.graph, masked(h, as_float(h.graph, mask), as_float(h.graph, dropped)), FOUND);
}

static void mask_that_is_known(void **state) {
    (void)state;
    Heads h = begin(17);
    Value *numbers = make_weight(h.graph, "1x1x7x5");
    Value *mask = make(h.graph, "Greater", numbers, make_number(h.graph, 0)), *dropped = make(h.graph, "Not", mask);
    assert_blocks(h.graph, masked(h, as_float(h.graph, mask), as_float(h.graph, dropped)), FOUND);
}

/* Attention of which each product is taken for all heads of a batch at once. */
static Value *merged_attention(Graph *graph, int64_t batch) {
    const char *names[] = {"q", "k", "v"};
    const int64_t dims[][5] = {{batch, 2, 7, 1, 4}, {batch, 2, 1, 5, 4}, {batch, 2, 1, 3, 5}};
    Value *merged[3];
    for (int i = 0; i < 3; i++) {
        const int64_t *d = dims[i];
        Shape shape = shape_of(5, d);
        Value *x = make_input(graph, names[i], "1x1x1x1x1");
        x->shape = shape;
        merged[i] = make(graph, "Reshape", x, make_list(graph, d[0] * d[1], d[2] * d[3], d[4]));
        if (i > 0) with_ints(merged[i] = make(graph, "Transpose", merged[i]), "perm", 0, 2, 1);
    }
    Value *scores = make(graph, "MatMul", merged[0], merged[1]);
    scores = make(graph, "Reshape", scores, make_list(graph, batch, 2, 7, 5, 1));
    Value *logits = make(graph, "Mul", make(graph, "Squeeze", scores, make_list(graph, 4)), make_number(graph, 0.5));
    Value *probs = with_int(make(graph, "Softmax", logits), "axis", -1);
    probs =
        make(graph, "Reshape", make(graph, "Unsqueeze", probs, make_list(graph, 3)), make_list(graph, batch * 2, 7, 5));
    return make(graph, "Reshape", make(graph, "MatMul", probs, merged[2]), make_list(graph, batch, 2, 7, 3, 1));
}

static void heads_merged_with_the_batch(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    assert_blocks(graph, merged_attention(graph, 1), FOUND);
    graph = make_graph(arena_new(), 17);
    assert_blocks(graph, merged_attention(graph, 3), "attention attention_0: probs[3,2,7,5] logits[3,2,7,5]");
}

/* The operators that are left of a graph after the rules, "Relu Mul". */
static void assert_rewritten(Graph *graph, Value *output, const char *expected) {
    make_output(graph, output);
    graph_sort(graph);
    pass_infer(graph, &(PassOptions){0});
    pass_normalise(graph, &(PassOptions){0});
    graph_check(graph, "normalise");
    Text text = text_new(graph->arena);
    for (int i = 0; i < graph->nodes.count; i++)
        text_printf(&text, "%s%s", i == 0 ? "" : " ", graph->nodes.items[i]->op_type);
    assert_string_equal(text.data, expected);
    arena_free(graph->arena);
}

static void select_by_products(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *x = make_input(graph, "x", "3x4"), *mask = condition(graph, "mask", "4");
    Value *drop = as_float(graph, make(graph, "Not", mask));
    Value *y = choose(graph, as_float(graph, mask), x, drop, make_number(graph, 5));
    assert_rewritten(graph, make(graph, "Max", y, drop), "Greater Not Cast Where Max");
}

static void no_select(void **state) {
    (void)state;
    for (int form = 0; form < 3; form++) {
        Graph *graph = make_graph(arena_new(), 17);
        Value *x = make_input(graph, "x", "3x4"), *mask = condition(graph, "mask", "4");
        Value *dropped = make(graph, "Not", form == 0 ? condition(graph, "another", "4") : mask);
        Value *other = form == 1 ? make_weight(graph, "4") : make_number(graph, 5);
        Value *y = choose(graph, as_float(graph, form == 2 ? dropped : mask), x, as_float(graph, dropped), other);
        make_output(graph, y);
        graph_sort(graph);
        pass_infer(graph, &(PassOptions){0});
        pass_normalise(graph, &(PassOptions){0});
        assert_string_equal(y->producer->op_type, "Add");
        arena_free(graph->arena);
    }
}

/* Layer normalisation of x over its last dimension, as tf2onnx writes it, with the mean of another tensor. */
static Value *normalised(Graph *graph, Value *x, Value *of) {
    Value *mean = make_reduced(graph, "ReduceMean", of, -1), *centred = make(graph, "Sub", x, mean);
    Value *variance = make_reduced(graph, "ReduceMean", make(graph, "Mul", centred, centred), -1);
    Value *root = make(graph, "Sqrt", make(graph, "Add", variance, make_number(graph, 1e-3)));
    Value *factor = make(graph, "Mul", make(graph, "Reciprocal", root), make_weight(graph, "1x1x6"));
    Value *shift = make(graph, "Mul", make(graph, "Neg", mean), factor);
    return make(graph, "Add", make(graph, "Mul", x, factor), make(graph, "Add", shift, make_weight(graph, "1x1x6")));
}

static void layer_norm_of_keras(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *x = make_input(graph, "x", "2x5x6"), *y = normalised(graph, x, x);
    assert_rewritten(graph, y, "Reshape Reshape LayerNormalization");
}

static void mean_of_another_tensor_is_no_layer_norm(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *y = normalised(graph, make_input(graph, "x", "2x5x6"), make_input(graph, "z", "2x5x6"));
    assert_rewritten(graph, y,
                     "GlobalAveragePool Sub Mul GlobalAveragePool Add Sqrt Reciprocal Mul Neg Mul Mul Add Add");
}

/* The mean over the last of three dimensions is a mean over the whole map, too. */
static void layer_norm_over_three_dimensions(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 13);
    Value *x = make_input(graph, "x", "2x5x6");
    Value *centred = make(graph, "Sub", x, make_reduced(graph, "ReduceMean", x, -1));
    Value *square = make(graph, "Pow", centred, make_number(graph, 2));
    Value *variance = make_reduced(graph, "ReduceMean", square, -1);
    Value *root = make(graph, "Sqrt", make(graph, "Add", variance, make_number(graph, 1e-5)));
    Value *scaled = make(graph, "Mul", make(graph, "Div", centred, root), make_weight(graph, "6"));
    assert_rewritten(graph, make(graph, "Add", scaled, make_weight(graph, "6")), "LayerNormalization");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turned_probabilities),
        cmocka_unit_test(turned_probabilities_of_an_old_softmax),
        cmocka_unit_test(mask_that_selects),
        cmocka_unit_test(mask_that_is_known),
        cmocka_unit_test(heads_merged_with_the_batch),
        cmocka_unit_test(select_by_products),
        cmocka_unit_test(no_select),
        cmocka_unit_test(layer_norm_of_keras),
        cmocka_unit_test(mean_of_another_tensor_is_no_layer_norm),
        cmocka_unit_test(layer_norm_over_three_dimensions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
