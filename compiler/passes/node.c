/* Nodes that passes put in the place of the model's. */
#include "ops/op.h"
#include "passes/pass.h"

Node *pass_node(Graph *graph, const char *op_type, const Node *original) {
    Node *node = node_new(graph, op_type, original->name);
    node->stands_for = original->stands_for != NULL ? original->stands_for : original->op_type;
    node->op = op_find("", op_type);
    node->version = op_newest(node->op);
    node_absorb(node, original);
    return node;
}

static Value *integers(Graph *graph, const char *name, const int64_t pair[2]) {
    return graph_constant(graph, name, tensor_ints(graph->arena, pair, 2));
}

Node *pass_slice(Graph *graph, const Node *original, Value *x, const int64_t ends[2], const int64_t steps[2]) {
    Node *slice = pass_node(graph, "Slice", original);
    list_add(graph->arena, &slice->inputs, x);
    list_add(graph->arena, &slice->inputs, integers(graph, "starts", (int64_t[]){0, 0}));
    list_add(graph->arena, &slice->inputs, integers(graph, "ends", ends));
    list_add(graph->arena, &slice->inputs, integers(graph, "axes", (int64_t[]){2, 3}));
    list_add(graph->arena, &slice->inputs, integers(graph, "steps", steps));
    return slice;
}
