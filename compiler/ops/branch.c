/* If, where its condition is known when compiling, as where an exporter asks for a shape: the branch that is taken
 * stands in its place, and the other is gone. */
#include "ops/expand.h"

static const Graph *taken_branch(const Node *node) {
    const Tensor *condition = node->inputs.items[0]->constant;
    if (condition == NULL)
        node_fail(
            node, STATUS_UNSUPPORTED,
            "which branch is taken is not known when compiling; export the model with fixed shapes, or without the "
            "condition");
    if (tensor_count(condition) != 1)
        node_fail(node, STATUS_INVALID, "the condition has %lld elements, expected 1",
                  (long long)tensor_count(condition));
    return node_attribute(node, tensor_number(condition, 0) != 0 ? "then_branch" : "else_branch")->graph;
}

static void expand_if(Expansion *e) {
    const Graph *branch = taken_branch(e->node);
    Graph *graph = e->node->graph;
    if (branch->outputs.count != e->node->outputs.count)
        node_fail(e->node, STATUS_INVALID, "it has %d outputs, and the branch that is taken %d", e->node->outputs.count,
                  branch->outputs.count);
    for (int i = 0; i < branch->values.count; i++) list_add(graph->arena, &graph->values, branch->values.items[i]);
    for (int i = 0; i < branch->nodes.count; i++) {
        branch->nodes.items[i]->graph = graph;
        list_add(graph->arena, &e->nodes, branch->nodes.items[i]);
    }
    for (int i = 0; i < branch->outputs.count; i++) {
        Value *output = node_output(e->node, i);
        if (output == NULL) continue;
        output->producer = expand_node(e, "Identity", branch->outputs.items[i]);
        output->producer->outputs.items[0] = output;
    }
}

const Op OPS_branch[] = {
    {.name = "If",
     .versions = {1, 11, 13, 16, 19, 21, 23, 24, 25},
     .inputs = "cond:bool",
     .outputs = "outputs:V*",
     .types = "V: all",
     .attributes = "then_branch:graph! else_branch:graph!",
     .expand = expand_if},
    {0},
};
