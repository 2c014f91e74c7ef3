/* Inference: types and shapes in one walk, and constants on the way, since shapes depend on them. Fused operators are
 * expanded on the way too, since what they stand for depends on shapes. */
#include "passes/lower.h"
#include "passes/pass.h"

#include "ops/expand.h"

#include <string.h>

/* What the model says of an output's shape, where inference found less. */
static void complete_outputs(Graph *graph, const Shape *declared) {
    for (int i = 0; i < graph->outputs.count; i++) {
        Shape *inferred = &graph->outputs.items[i]->shape;
        if (inferred->rank < 0) *inferred = declared[i];
        if (inferred->rank != declared[i].rank) continue;
        for (int d = 0; d < inferred->rank; d++)
            if (inferred->dims[d].size < 0 && inferred->dims[d].symbol == NULL) inferred->dims[d] = declared[i].dims[d];
    }
}

/* So that a small model does not grow without bound. */
enum { MOST_NODES = 1 << 19 };

/* What is constant, or a sequence or an optional value, is not computed. */
static bool is_resolved(const Node *node) {
    bool resolved = node->outputs.count > 0;
    for (int i = 0; i < node->outputs.count; i++) {
        const Value *output = node->outputs.items[i];
        resolved &= output == NULL || output->constant != NULL || output->kind != VALUE_TENSOR;
    }
    return resolved;
}

/* Infers a node and adds it to those that are kept, or the nodes that it expands to, which may expand in their turn.
 * What is resolved needs no node. */
static void infer_node(Node *node, FoldBudget *budget, NodeList *kept) {
    op_infer(node);
    NodeList parts;
    if (op_expand(node, &parts)) {
        if (kept->count > MOST_NODES)
            node_fail(node, STATUS_UNSUPPORTED, "operators that expand to others make more than %d nodes", MOST_NODES);
        for (int i = 0; i < parts.count; i++) infer_node(parts.items[i], budget, kept);
        return;
    }
    fold_node(node, budget);
    if (!is_resolved(node)) list_add(node->graph->arena, kept, node);
}

static bool is_unread(const Value *value) { return value->is_output && value->consumers.count == 0; }

/* Whether a value is for the caller alone, be it transposed. */
static bool is_for_caller(const Value *value) {
    for (int i = 0; i < value->consumers.count; i++) {
        const Node *reader = value->consumers.items[i];
        if (reader->graph != value->producer->graph || reader->domain[0] != '\0' ||
            strcmp(reader->op_type, "Transpose") != 0 || !is_unread(reader->outputs.items[0]))
            return false;
    }
    return value->is_output || value->consumers.count > 0;
}

/* Gives what is found at run time as much room as it may need, where the caller will see how much was found. */
static void bound_outputs(Graph *graph) {
    for (int i = 0; i < graph->nodes.count; i++) {
        Node *node = graph->nodes.items[i];
        if (node->op->bound == NULL || !reads_known_shapes(node) || shape_is_known(&node->outputs.items[0]->shape))
            continue;
        Value *found = node->outputs.items[0];
        if (!is_for_caller(found)) continue;
        node->op->bound(node);
        found->is_padded = true;
        for (int k = 0; k < found->consumers.count; k++) {
            op_infer(found->consumers.items[k]);
            found->consumers.items[k]->outputs.items[0]->is_padded = true;
        }
    }
}

void pass_infer(Graph *graph, const PassOptions *options) {
    ops_resolve(graph);
    graph->resize_lengths = options->resize_lengths;
    Shape *declared = arena_new_array(graph->arena, Shape, (size_t)graph->outputs.count);
    for (int i = 0; i < graph->outputs.count; i++) declared[i] = graph->outputs.items[i]->shape;
    FoldBudget budget = fold_budget(graph);
    NodeList nodes = graph->nodes;
    graph->nodes = (NodeList){0};
    for (int i = 0; i < nodes.count; i++) infer_node(nodes.items[i], &budget, &graph->nodes);
    if (options->open_dimensions) complete_outputs(graph, declared);
    const NodeList copies = split_outputs(graph);
    for (int i = 0; i < copies.count; i++) infer_node(copies.items[i], &budget, &graph->nodes);
    graph_prune(graph);
    bound_outputs(graph);
}
