/* Outputs that are constants, inputs, or listed twice get an Identity of their own: the caller's memory has to be
 * filled. It comes last, as other passes remove nodes that change nothing. */
#include "passes/pass.h"

#include "ops/op.h"

static bool has_own_memory(const Graph *graph, int output) {
    const Value *value = graph->outputs.items[output];
    for (int i = 0; i < output; i++)
        if (graph->outputs.items[i] == value) return false;
    return value->constant == NULL && !value->is_input;
}

Node *copying_node(Graph *graph, Value *from, Value *to) {
    Node *node = node_new(graph, "Identity", "");
    node->op = op_find("", "Identity");
    node->version = node->op->versions[0];
    list_add(graph->arena, &node->inputs, from);
    list_add(graph->arena, &node->outputs, to);
    to->producer = node;
    return node;
}

void pass_own_outputs(Graph *graph, const PassOptions *options) {
    (void)options;
    for (int i = 0; i < graph->outputs.count; i++) {
        if (has_own_memory(graph, i)) continue;
        Value *from = graph->outputs.items[i], *to = graph_value(graph, from->name);
        to->type = from->type;
        to->shape = from->shape;
        list_add(graph->arena, &graph->nodes, copying_node(graph, from, to));
        graph->outputs.items[i] = to;
    }
    graph_index(graph);
}
