/* Thin: a convolution of one pixel with strides skips most of its map. It reads a copy of what it needs instead, and is
 * then a product of that copy's pixels, one after the other, with the weights. */
#include "ops/op.h"
#include "passes/pass.h"

#include <string.h>

static bool all_are(const Node *node, const char *attribute, int64_t number) {
    int count;
    const int64_t *values = attr_ints(node, attribute, &count);
    for (int i = 0; i < count; i++)
        if (values[i] != number) return false;
    return true;
}

/* Whether a node is such a convolution, whose map will lie with its channels last. Of one pixel no auto_pad pads. */
static bool skips_pixels(const Node *node) {
    if (node->domain[0] != '\0' || strcmp(node->op_type, "Conv") != 0) return false;
    const Shape *x = &node->inputs.items[0]->shape, *w = &node->inputs.items[1]->shape;
    const bool one = x->rank == 4 && w->dims[2].size == 1 && w->dims[3].size == 1;
    const bool pads = strcmp(attr_string(node, "auto_pad"), "NOTSET") == 0 && !all_are(node, "pads", 0);
    return one && !all_are(node, "strides", 1) && !pads && node->op->layout(node).reads == READS_CHANNELS_LAST;
}

/* A Slice of every so many rows and columns, made before the convolution. */
static void thin_out(Graph *graph, NodeList *nodes, Node *conv) {
    Value *x = conv->inputs.items[0], *thinned = graph_value(graph, x->name);
    int count;
    const int64_t *strides = attr_ints(conv, "strides", &count);
    const int64_t ends[] = {x->shape.dims[2].size, x->shape.dims[3].size};
    Node *slice = pass_slice(graph, conv, x, ends, strides);
    list_add(graph->arena, &slice->outputs, thinned);
    list_add(graph->arena, nodes, slice);
    thinned->producer = slice;
    op_infer(slice);
    conv->inputs.items[0] = thinned;
    node_set_ints(conv, "strides", (int64_t[]){1, 1}, 2);
}

void pass_thin(Graph *graph, const PassOptions *options) {
    (void)options;
    NodeList nodes = {0};
    for (int i = 0; i < graph->nodes.count; i++) {
        Node *node = graph->nodes.items[i];
        if (skips_pixels(node)) thin_out(graph, &nodes, node);
        list_add(graph->arena, &nodes, node);
    }
    graph->nodes = nodes;
    graph_index(graph);
}
