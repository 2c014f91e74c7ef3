/* Thin: a convolution of one pixel with strides skips most of its map. It reads a copy of what it needs instead, and is
 * then a product of that copy's pixels, one after the other, with the weights. */
#include "ops/op.h"
#include "ops/window.h"
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
    if (!shape_is_known(x) || !shape_is_known(w)) return false;
    const bool one = shape_product(w, 2, w->rank) == 1;
    const bool pads = strcmp(attr_string(node, "auto_pad"), "NOTSET") == 0 && !all_are(node, "pads", 0);
    return one && !all_are(node, "strides", 1) && !pads && node->op->layout(node).reads == READS_CHANNELS_LAST;
}

/* A Slice of every so many rows and columns, made before the convolution. */
static void thin_out(Graph *graph, NodeList *nodes, Node *conv) {
    Value *x = conv->inputs.items[0], *thinned = graph_value(graph, x->name);
    int rank;
    const int64_t *strides = attr_ints(conv, "strides", &rank);
    int64_t ends[MAX_SPATIAL], ones[MAX_SPATIAL];
    for (int i = 0; i < rank; i++) ends[i] = x->shape.dims[i + 2].size, ones[i] = 1;
    Node *slice = pass_slice(graph, conv, x, ends, strides);
    list_add(graph->arena, &slice->outputs, thinned);
    list_add(graph->arena, nodes, slice);
    thinned->producer = slice;
    op_infer(slice);
    conv->inputs.items[0] = thinned;
    node_set_ints(conv, "strides", ones, rank);
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
