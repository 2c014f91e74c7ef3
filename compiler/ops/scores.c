/* Scores: transforms of scores, and the labels of classes (ai.onnx.ml). */
#include "ops/scores.h"

#include <string.h>

ScoresTransform scores_transform(const Node *node) {
    static const char *const names[] = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"};
    const char *given = attr_string(node, "post_transform");
    for (int i = 0; i < (int)(sizeof names / sizeof *names); i++)
        if (strcmp(given, names[i]) == 0) return (ScoresTransform)i;
    node_fail(node, STATUS_INVALID, "post_transform is %s, which is none", quoted(given));
}

static Value *along_classes(Expansion *e, const char *op_type, Value *x) {
    return expand_value(expand_node(e, op_type, x, expand_ints(e, 1, (int64_t[]){1})));
}

/* The softmax over those scores that are not 0; these stay 0. */
static Value *softmax_of_others(Expansion *e, Value *scores) {
    Value *zero = expand_number(e, scores->type, 0);
    Value *shifted = expand_op(e, "Sub", scores, along_classes(e, "ReduceMax", scores));
    Value *part = expand_op(e, "Where", expand_op(e, "Equal", scores, zero), zero, expand_op(e, "Exp", shifted));
    Value *sum = along_classes(e, "ReduceSum", part);
    Value *is_none = expand_op(e, "Equal", sum, zero);
    return expand_op(e, "Div", part, expand_op(e, "Where", is_none, expand_number(e, scores->type, 1), sum));
}

Value *expand_transform(Expansion *e, Value *scores, ScoresTransform transform) {
    switch (transform) {
    case SCORES_NONE: return scores;
    case SCORES_SOFTMAX: return expand_op(e, "Softmax", scores);
    case SCORES_LOGISTIC: return expand_op(e, "Sigmoid", scores);
    case SCORES_SOFTMAX_ZERO: return softmax_of_others(e, scores);
    case SCORES_PROBIT: break;
    }
    node_fail(e->node, STATUS_UNSUPPORTED, "post_transform PROBIT is not supported; export the model without it");
}

int64_t label_count(const Node *node, const char *name, const char *strings) {
    const Attribute *labels = node_attribute(node, name), *texts = node_attribute(node, strings);
    if (texts != NULL && texts->count > 0)
        node_fail(node, STATUS_UNSUPPORTED,
                  "its labels are strings, which fovea does not compute on; train it on classes that are integers");
    if (labels == NULL || labels->count == 0) node_fail(node, STATUS_INVALID, "it has no labels (%s)", name);
    return labels->count;
}

Value *expand_labels(Expansion *e, const char *name, Value *scores) {
    const Attribute *labels = node_attribute(e->node, name);
    Node *best = expand_node(e, "ArgMax", scores);
    node_set_int(best, "axis", 1);
    node_set_int(best, "keepdims", 0);
    return expand_op(e, "Gather", expand_ints(e, labels->count, labels->integers), expand_value(best));
}

Value *expand_two_scores(Expansion *e, Value *score, bool is_probability, ScoresTransform transform) {
    if (transform != SCORES_NONE && transform != SCORES_LOGISTIC)
        node_fail(e->node, STATUS_UNSUPPORTED, "post_transform %s of one score for two classes is not supported",
                  attr_string(e->node, "post_transform"));
    Value *other = is_probability && transform == SCORES_NONE
                       ? expand_op(e, "Sub", expand_number(e, score->type, 1), score)
                       : expand_op(e, "Neg", score);
    return expand_transform(e, expand_concat(e, other, score, 1), transform);
}

Value *expand_two_labels(Expansion *e, const char *name, Value *score, double limit) {
    const Attribute *labels = node_attribute(e->node, name);
    Value *is_second = expand_op(e, "Greater", score, expand_number(e, score->type, limit));
    Value *place = expand_op(e, "Squeeze", expand_cast(e, is_second, TYPE_INT64), expand_ints(e, 1, (int64_t[]){1}));
    return expand_op(e, "Gather", expand_ints(e, labels->count, labels->integers), place);
}

Value *expand_numbers(Expansion *e, Type type, const float *numbers, int rank, const int64_t *dims) {
    Graph *graph = e->node->graph;
    Shape shape = shape_of(rank, dims);
    Tensor *tensor = tensor_new(graph->arena, type, &shape);
    for (int64_t i = tensor_count(tensor) - 1; i >= 0; i--) tensor_set(tensor, i, (double)numbers[i]);
    return graph_constant(graph, arena_printf(graph->arena, "%s/numbers", e->node->name), tensor);
}
