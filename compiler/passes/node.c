/* Nodes that passes put in the place of the model's. */
#include "ops/op.h"
#include "ops/window.h"
#include "passes/pass.h"

Node *pass_node(Graph *graph, const char *domain, const char *op_type, const Node *original) {
    Node *node = node_new(graph, op_type, original->name);
    node->stands_for = original->stands_for != NULL ? original->stands_for : original->op_type;
    node->domain = domain;
    node->op = op_find(domain, op_type);
    node->version = op_newest(node->op);
    node_absorb(node, original);
    return node;
}

static Value *integers(Graph *graph, const char *name, const int64_t *numbers, int count) {
    return graph_constant(graph, name, tensor_ints(graph->arena, numbers, count));
}

Node *pass_slice(Graph *graph, const Node *original, Value *x, const int64_t *ends, const int64_t *steps) {
    const int64_t starts[MAX_SPATIAL] = {0}, axes[MAX_SPATIAL] = {2, 3, 4};
    const int rank = x->shape.rank - 2;
    Node *slice = pass_node(graph, "", "Slice", original);
    list_add(graph->arena, &slice->inputs, x);
    list_add(graph->arena, &slice->inputs, integers(graph, "starts", starts, rank));
    list_add(graph->arena, &slice->inputs, integers(graph, "ends", ends, rank));
    list_add(graph->arena, &slice->inputs, integers(graph, "axes", axes, rank));
    list_add(graph->arena, &slice->inputs, integers(graph, "steps", steps, rank));
    return slice;
}
