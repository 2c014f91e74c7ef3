/* Channels last: decides which maps lie in memory with their channels innermost, as the vector kernels read them. A
 * value's shape stays [N C H W] all the while; only the edges of such a region are copied into the other order. */
#include "ops/op.h"
#include "passes/pass.h"
#include "patterns/block.h"

#include <string.h>

static MapLayout layout_of(const Node *node) {
    if (node->op->layout != NULL) return node->op->layout(node);
    if (node->op->lower == NULL && node->op->formula != NULL) return layout_any(node);
    return (MapLayout){READS_ROWS, false};
}

/* A copy of a value that lies the other way, made just before `nodes` goes on. The readers of one that has been made
 * before share it: its number is kept in from->mark. */
static Value *reordered(Graph *graph, NodeList *nodes, Value *from, bool channels_last) {
    for (int i = 0; i < from->consumers.count; i++) {
        Node *reader = from->consumers.items[i];
        if (reader->mark == 1 && reader->outputs.items[0]->shape.channels_last == channels_last)
            return reader->outputs.items[0];
    }
    Value *to = graph_value(graph, from->name);
    to->type = from->type;
    to->shape = from->shape;
    to->shape.channels_last = channels_last;
    Node *node = node_new(graph, "Identity", "");
    node->op = op_find("", "Identity");
    node->version = node->op->versions[0];
    node->mark = 1;
    if (from->producer != NULL) node->block = from->producer->block;
    list_add(graph->arena, &node->inputs, from);
    list_add(graph->arena, &node->outputs, to);
    list_add(graph->arena, &from->consumers, node);
    list_add(graph->arena, nodes, node);
    to->producer = node;
    return to;
}

static void give_inputs(Graph *graph, NodeList *nodes, Node *node, Reads reads) {
    int count = reads == READS_CHANNELS_LAST ? 1 : node->inputs.count;
    bool channels_last = reads == READS_CHANNELS_LAST;
    for (int i = 0; i < count && reads != READS_ANY; i++) {
        Value *input = node->inputs.items[i];
        if (input == NULL || input->shape.channels_last == channels_last || !shape_has_layout(&input->shape)) continue;
        if (input->constant == NULL || channels_last)
            node->inputs.items[i] = reordered(graph, nodes, input, channels_last);
    }
}

/* Callers and probes look at rows. */
static void give_outside(Graph *graph, NodeList *nodes) {
    for (int i = 0; i < graph->outputs.count; i++)
        if (graph->outputs.items[i]->shape.channels_last)
            graph->outputs.items[i] = reordered(graph, nodes, graph->outputs.items[i], false);
    for (int i = 0; i < graph->probes.count; i++) {
        BlockProbe *probe = graph->probes.items[i];
        Value *value = probe->value;
        if (!value->shape.channels_last) continue;
        Value *rows = reordered(graph, nodes, value, false);
        value->is_probed = false;
        rows->is_probed = true;
        probe->value = rows;
    }
}

void pass_channels_last(Graph *graph, const PassOptions *options) {
    (void)options;
    NodeList nodes = {0};
    for (int i = 0; i < graph->nodes.count; i++) graph->nodes.items[i]->mark = 0;
    for (int i = 0; i < graph->nodes.count; i++) {
        Node *node = graph->nodes.items[i];
        MapLayout layout = layout_of(node);
        give_inputs(graph, &nodes, node, layout.reads);
        const int makes = !layout.makes_channels_last ? 0 : node->op->only_first_lies ? 1 : node->outputs.count;
        for (int k = 0; k < makes; k++) {
            Value *output = node->outputs.items[k];
            if (output != NULL) output->shape.channels_last = shape_has_layout(&output->shape);
        }
        list_add(graph->arena, &nodes, node);
    }
    give_outside(graph, &nodes);
    graph->nodes = nodes;
    graph_index(graph);
}
