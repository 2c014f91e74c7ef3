/* Losses: NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss, expanded.
 * Classes are in dimension 1 of the scores; the targets have all others. */
#include "ops/expand.h"

#include <string.h>

enum { SCORES, LABELS, WEIGHTS };

static bool reduces(const Node *node) {
    const char *reduction = attr_string(node, "reduction");
    if (strcmp(reduction, "none") != 0 && strcmp(reduction, "sum") != 0 && strcmp(reduction, "mean") != 0)
        node_fail(node, STATUS_INVALID, "reduction=%s is none of none, sum and mean", quoted(reduction));
    return strcmp(reduction, "none") != 0;
}

static void infer_loss(Node *node) {
    const Shape *scores = &node->inputs.items[SCORES]->shape, *targets = &node->inputs.items[LABELS]->shape;
    const Value *weights = node_input(node, WEIGHTS);
    node->outputs.items[0]->shape = reduces(node) ? shape_of(0, NULL) : *targets;
    if (node_output(node, 1) != NULL) node->outputs.items[1]->shape = *scores;
    if (scores->rank < 0 || targets->rank < 0) return;
    if (scores->rank < 2 || targets->rank != scores->rank - 1)
        node_fail(node, STATUS_INVALID, "scores of shape %s do not go with targets of shape %s",
                  shape_text(node->graph->arena, scores), shape_text(node->graph->arena, targets));
    for (int d = 0; d < targets->rank; d++)
        dim_unify(node, targets->dims[d], scores->dims[d == 0 ? 0 : d + 1], "a dimension of scores and targets");
    if (weights == NULL || weights->shape.rank < 0) return;
    if (weights->shape.rank != 1)
        node_fail(node, STATUS_INVALID, "the weights have %d dimensions, expected 1", weights->shape.rank);
    dim_unify(node, weights->shape.dims[0], scores->dims[1], "the number of classes");
}

static Value *sum_of(Expansion *e, Value *x) {
    Node *node = expand_node(e, "ReduceSum", x);
    node_set_int(node, "keepdims", 0);
    return expand_value(node);
}

/* The loss of each target: minus the logarithm of its class's probability, times the weight of its class; 0 where the
 * target is ignore_index. The mean is over the weights. */
static Value *loss_of(Expansion *e, Value *log_probabilities) {
    const Node *node = e->node;
    const Attribute *ignore = node_attribute(node, "ignore_index");
    Value *targets = expand_cast(e, node->inputs.items[LABELS], TYPE_INT64), *weights = node_input(node, WEIGHTS);
    Type type = log_probabilities->type;
    Value *zero = expand_number(e, type, 0), *ignored = NULL;
    if (ignore != NULL) {
        ignored = expand_op(e, "Equal", targets, expand_range(e, ignore->integer, 1, 0, NULL));
        targets = expand_op(e, "Where", ignored, expand_range(e, 0, 1, 0, NULL), targets);
    }
    Node *pick = expand_node(e, "GatherElements", log_probabilities, expand_unsqueeze(e, targets, 1));
    node_set_int(pick, "axis", 1);
    int64_t classes = 1;
    Value *loss = expand_op(e, "Neg", expand_op(e, "Squeeze", expand_value(pick), expand_ints(e, 1, &classes)));
    Value *each = weights != NULL ? expand_op(e, "Gather", weights, targets) : NULL;
    if (each != NULL) loss = expand_op(e, "Mul", loss, each);
    if (ignored != NULL) {
        loss = expand_op(e, "Where", ignored, zero, loss);
        each = expand_op(e, "Where", ignored, zero, each != NULL ? each : expand_number(e, type, 1));
    }
    if (!reduces(node)) return loss;
    if (strcmp(attr_string(node, "reduction"), "sum") == 0) return sum_of(e, loss);
    if (each != NULL) return expand_op(e, "Div", sum_of(e, loss), sum_of(e, each));
    Node *mean = expand_node(e, "ReduceMean", loss);
    node_set_int(mean, "keepdims", 0);
    return expand_value(mean);
}

static void expand_likelihood(Expansion *e) { expand_output(e, 0, loss_of(e, e->node->inputs.items[SCORES])); }

static void expand_cross_entropy(Expansion *e) {
    Node *softmax = expand_node(e, "LogSoftmax", e->node->inputs.items[SCORES]);
    node_set_int(softmax, "axis", 1);
    Value *log_probabilities = expand_value(softmax);
    expand_output(e, 0, loss_of(e, log_probabilities));
    expand_output(e, 1, log_probabilities);
}

const Op OPS_loss[] = {
    {.name = "NegativeLogLikelihoodLoss",
     .versions = {12, 13, 22},
     .inputs = "input:T target:Tind weight:T?",
     .outputs = "loss:T",
     .types = "T: floats; Tind: int32 int64",
     .attributes = "ignore_index:int reduction:string=mean",
     .infer = infer_loss,
     .expand = expand_likelihood},
    {.name = "SoftmaxCrossEntropyLoss",
     .versions = {12, 13},
     .inputs = "scores:T labels:Tind weights:T?",
     .outputs = "output:T log_prob:T?",
     .types = "T: floats; Tind: int32 int64",
     .attributes = "ignore_index:int reduction:string=mean",
     .infer = infer_loss,
     .expand = expand_cross_entropy},
    {0},
};
