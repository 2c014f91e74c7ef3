/* Stripe: large maps are made some rows at a time, depth first, so that of the maps between only stripes are in memory.
 * For each stripe of a segment's last map the segment's nodes are there once, on the rows that they need: windows reach
 * over a stripe's border, so neighbours make some rows twice. stripe_choice.c says what is worth that. */
#include "ops/fused.h"
#include "ops/window.h"
#include "passes/pass.h"
#include "passes/stripe_choice.h"

#include <inttypes.h>
#include <string.h>

/* One stripe while it is built: the rows of each value that are there, and the values that hold them, by mark. */
typedef struct {
    Graph *graph;
    const Segment *segment;
    Rows *rows;
    Value **pieces;
    NodeList *nodes;
} Stripe;

static Value *piece_of(Graph *graph, const Value *whole, Rows rows) {
    Value *piece = graph_value(
        graph, arena_printf(graph->arena, "%s, rows %" PRId64 " to %" PRId64, whole->name, rows.first, rows.end - 1));
    piece->type = whole->type;
    return piece;
}

static Value *ints(Graph *graph, const char *name, const int64_t *values, int count) {
    return graph_constant(graph, name, tensor_ints(graph->arena, values, count));
}

/* Adds a node of the stripe, which makes these rows of a value. */
static Value *add_node(const Stripe *stripe, Node *node, const Value *whole, Rows rows) {
    Value *piece = piece_of(stripe->graph, whole, rows);
    piece->producer = node;
    list_add(stripe->graph->arena, &node->outputs, piece);
    list_add(stripe->graph->arena, stripe->nodes, node);
    op_infer(node);
    fovea_assert(piece->shape.dims[2].size == rows.end - rows.first);
    return piece;
}

/* A node of an operator that the pass brings in. */
static Node *node_of(Graph *graph, const char *domain, const char *op_type) {
    Node *node = node_new(graph, op_type, "");
    node->domain = domain;
    node->op = op_find(domain, op_type);
    node->version = op_newest(node->op);
    return node;
}

/* Rows of a value, out of those that are there. */
static Value *cut(const Stripe *stripe, Value *value, Rows rows) {
    const bool is_piece = value->producer != NULL && value->producer->mark >= stripe->segment->from;
    const Rows there = is_piece ? stripe->rows[value->mark] : (Rows){0, value->shape.dims[2].size};
    Value *from = is_piece ? stripe->pieces[value->mark] : value;
    if (rows.first == there.first && rows.end == there.end) return from;
    Graph *graph = stripe->graph;
    Node *node = node_of(graph, "", "Slice");
    Value *const inputs[] = {from, ints(graph, "first", (int64_t[]){rows.first - there.first}, 1),
                             ints(graph, "end", (int64_t[]){rows.end - there.first}, 1),
                             ints(graph, "axis", (int64_t[]){2}, 1)};
    for (int i = 0; i < 4; i++) list_add(graph->arena, &node->inputs, inputs[i]);
    return add_node(stripe, node, value, rows);
}

/* A node with the operator and attributes of another one, but no inputs and outputs. */
static Node *node_like(const Node *original) {
    Graph *graph = original->graph;
    Node *node = arena_new_object(graph->arena, Node);
    *node = *original;
    node->part_of = original;
    memset(&node->inputs, 0, sizeof node->inputs);
    memset(&node->outputs, 0, sizeof node->outputs);
    memset(&node->sources, 0, sizeof node->sources);
    memset(&node->attributes, 0, sizeof node->attributes);
    for (int i = 0; i < original->attributes.count; i++)
        list_add(graph->arena, &node->attributes, original->attributes.items[i]);
    node_absorb(node, original);
    return node;
}

/* The pad behind the last of the windows along a dimension. */
static int64_t pad_after(const WindowDim *dim) {
    const int64_t end = (dim->output - 1) * dim->stride - dim->before + (dim->kernel - 1) * dim->dilation + 1;
    return end > dim->input ? end - dim->input : 0;
}

/* Gives the node of a stripe the pads that its windows need, which are those of the whole at the map's borders alone.
 * h is as if the input were the rows that the stripe has. */
static void set_pads(const Node *original, Node *node, const WindowDim *h, const WindowDim *w) {
    if (strcmp(node->op_type, "Pad") == 0) {
        const int64_t *margins;
        int count;
        node_ints(original, "pads", 1, &margins, &count);
        int64_t pads[8];
        memcpy(pads, margins, sizeof pads);
        pads[2] = h->before, pads[6] = pad_after(h);
        if (original->version < 11) node_set_ints(node, "pads", pads, 8);
        else node->inputs.items[1] = ints(node->graph, "pads", pads, 8);
        return;
    }
    node_set_ints(node, "pads", (int64_t[]){h->before, w->before, pad_after(h), pad_after(w)}, 4);
    if (node_attribute(node, "auto_pad") != NULL) node_set_string(node, "auto_pad", "NOTSET");
    if (node_attribute(node, "ceil_mode") != NULL) node_set_int(node, "ceil_mode", 0);
}

/* Adds what makes the stripe's rows of a node's output. */
static void add_layer(const Stripe *stripe, const Node *original) {
    Value *output = original->outputs.items[0];
    const Rows made = stripe->rows[output->mark];
    RowWindow window;
    fovea_assert(node_stripes(original, &window));
    Node *node = node_like(original);
    Rows read = made;
    for (int k = 0; k < original->inputs.count; k++) {
        Value *input = original->inputs.items[k];
        if (reads_rows(original, &window, k)) {
            read = rows_behind(&window, made, input->shape.dims[2].size);
            input = cut(stripe, input, read);
        }
        list_add(stripe->graph->arena, &node->inputs, input);
    }
    if (window.has_window) {
        Window whole;
        original->op->window(original, &whole);
        WindowDim *h = &whole.dims[0];
        h->before += read.first - made.first * h->stride;
        h->input = read.end - read.first, h->output = made.end - made.first;
        set_pads(original, node, h, &whole.dims[1]);
    }
    stripe->pieces[output->mark] = add_node(stripe, node, output, made);
}

/* Adds the nodes of a segment, for one stripe after the other, and the one that joins them. */
static void add_segment(Graph *graph, const Segment *segment, NodeList *nodes) {
    Value *output = graph->nodes.items[segment->to - 1]->outputs.items[0];
    const size_t values = (size_t)graph->values.count;
    Stripe stripe = {.graph = graph, .segment = segment, .nodes = nodes};
    stripe.rows = arena_new_array(graph->arena, Rows, values);
    stripe.pieces = arena_new_array(graph->arena, Value *, values);
    Node *join = node_of(graph, FUSED_DOMAIN, "JoinRows");
    const int64_t all = output->shape.dims[2].size;
    for (int64_t first = 0; first < all; first += segment->rows) {
        const Rows rows = {first, first + segment->rows < all ? first + segment->rows : all};
        fovea_assert(stripe_needs(graph, segment, rows, stripe.rows));
        for (int i = segment->from; i < segment->to; i++) add_layer(&stripe, graph->nodes.items[i]);
        list_add(graph->arena, &join->inputs, stripe.pieces[output->mark]);
    }
    node_absorb(join, graph->nodes.items[segment->to - 1]);
    list_add(graph->arena, &join->outputs, output);
    list_add(graph->arena, nodes, join);
    op_infer(join);
}

static bool has_known_shapes(const Graph *graph) {
    for (int i = 0; i < graph->values.count; i++)
        if (!shape_is_known(&graph->values.items[i]->shape)) return false;
    return true;
}

void pass_stripe(Graph *graph, const PassOptions *options) {
    if (options->stripes == 0 || !has_known_shapes(graph)) return;
    const SegmentList segments = stripe_choose(graph, options->stripes == STRIPES_AUTO ? 0 : options->stripes);
    NodeList nodes = {0};
    int at = 0;
    for (int i = 0; i < segments.count; i++) {
        for (; at < segments.items[i].from; at++) list_add(graph->arena, &nodes, graph->nodes.items[at]);
        add_segment(graph, &segments.items[i], &nodes);
        at = segments.items[i].to;
    }
    for (; at < graph->nodes.count; at++) list_add(graph->arena, &nodes, graph->nodes.items[at]);
    graph->nodes = nodes;
    graph_index(graph);
}
