/* Eliminate: nodes whose output is their input are removed, and what reads the one reads the other.
 * A value that the caller or a probe knows by its name keeps it. */
#include "passes/pass.h"

#include "ops/op.h"

#include <string.h>

static bool same_shape(const Node *node) {
    const Shape *from = &node->inputs.items[0]->shape;
    return shape_is_known(from) && shape_equal(from, &node->outputs.items[0]->shape);
}

static bool always(const Node *node) {
    (void)node;
    return true;
}

static bool one_input(const Node *node) { return node->inputs.count == 1; }

static bool one_output(const Node *node) { return node->outputs.count == 1; }

static bool same_type(const Node *node) { return node->inputs.items[0]->type == node->outputs.items[0]->type; }

/* Whether all of an input's numbers are the given one; an input that is left out has none that is not. */
static bool holds_only(const Node *node, int input, double number) {
    const Value *value = node_input(node, input);
    if (value == NULL) return true;
    if (value->constant == NULL) return false;
    for (int64_t i = 0; i < tensor_count(value->constant); i++)
        if (tensor_number(value->constant, i) != number) return false;
    return true;
}

/* Dropout, where it is not trained (ONNX's training_mode is false unless given), and nobody asks for the mask. */
static bool drops_nothing(const Node *node) {
    const Value *mask = node_output(node, 1);
    bool masked = mask != NULL && (mask->is_output || mask->is_probed || mask->consumers.count > 0);
    return !masked && holds_only(node, 2, 0);
}

static bool orders_nothing(const Node *node) {
    int count;
    const int64_t *perm = attr_ints(node, "perm", &count);
    if (perm == NULL) return node->inputs.items[0]->shape.rank == 1;
    for (int i = 0; i < count; i++)
        if (perm[i] != i) return false;
    return true;
}

static bool pads_nothing(const Node *node) {
    int count;
    const int64_t *pads = attr_ints(node, "pads", &count);
    if (pads == NULL) return node_input(node, 1) != NULL && holds_only(node, 1, 0);
    for (int i = 0; i < count; i++)
        if (pads[i] != 0) return false;
    return true;
}

/* A slice as large as its input, that does not run backwards, is the input. */
static bool slices_nothing(const Node *node) { return same_shape(node) && holds_only(node, 4, 1); }

static const struct {
    const char *op_type;
    bool (*is_idle)(const Node *node);
} rules[] = {
    {"Identity", always},    {"Dropout", drops_nothing}, {"Cast", same_type},    {"CastLike", same_type},
    {"Reshape", same_shape}, {"Flatten", same_shape},    {"Expand", same_shape}, {"Tile", same_shape},
    {"Squeeze", same_shape}, {"Slice", slices_nothing},  {"Pad", pads_nothing},  {"Transpose", orders_nothing},
    {"Concat", one_input},   {"Split", one_output},      {"Sum", one_input},     {"Mean", one_input},
    {"Max", one_input},      {"Min", one_input},
};

static bool is_idle(const Node *node) {
    if (node->domain[0] != '\0' || node->inputs.count == 0 || node->inputs.items[0] == NULL) return false;
    if (node->outputs.count == 0 || node->outputs.items[0] == NULL) return false;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (strcmp(rules[i].op_type, node->op_type) == 0) return rules[i].is_idle(node);
    return false;
}

static bool is_known_by_name(const Value *value) { return value->is_output || value->is_probed; }

/* Lets the producer of a value make another one in its place. */
static void make_instead(Graph *graph, Value *value, Value *instead) {
    Node *producer = value->producer;
    graph_replace(graph, value, instead);
    for (int i = 0; i < producer->outputs.count; i++)
        if (producer->outputs.items[i] == value) producer->outputs.items[i] = instead;
    instead->producer = producer;
}

/* Links around an idle node; false where two names have to stay, or a constant or an input is an output. */
static bool bypass(Graph *graph, Node *node) {
    Value *from = node->inputs.items[0], *to = node->outputs.items[0];
    if (!is_known_by_name(to)) {
        graph_replace(graph, to, from);
        return true;
    }
    if (is_known_by_name(from) || from->producer == NULL || from->producer->graph != graph) return false;
    make_instead(graph, from, to);
    return true;
}

void pass_eliminate(Graph *graph, const PassOptions *options) {
    (void)options;
    int kept = 0;
    for (int i = 0; i < graph->nodes.count; i++) {
        Node *node = graph->nodes.items[i];
        if (!is_idle(node) || !bypass(graph, node)) graph->nodes.items[kept++] = node;
    }
    graph->nodes.count = kept;
    graph_prune(graph);
}
