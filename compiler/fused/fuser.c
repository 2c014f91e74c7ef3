/* Fusers: finding one, and the change of the graph that all of them make.
 * See fuser.h. */
#include "fused/fuser.h"

#include "patterns/view.h"

#include <stdlib.h>
#include <string.h>

#define FUSER(name) extern const Fuser FUSERS_##name[];
#include "fusers.inc"
#undef FUSER

static const Fuser *const files[] = {
#define FUSER(name) FUSERS_##name,
#include "fusers.inc"
#undef FUSER
};

const Fuser *fuser_find(const char *name) {
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        for (const Fuser *fuser = files[i]; fuser->name != NULL; fuser++)
            if (strcmp(fuser->name, name) == 0) return fuser;
    return NULL;
}

bool is_node(const Node *node, const char *op_type) {
    return node != NULL && node->domain[0] == '\0' && strcmp(node->op_type, op_type) == 0;
}

bool is_fusible_type(Type type) { return type == TYPE_FLOAT || type == TYPE_DOUBLE; }

bool is_fusible_shape(const Shape *shape) {
    if (!shape_is_known(shape)) return false;
    int64_t count = shape_count(shape);
    return count > 0 && count <= INT32_MAX;
}

/* The nodes that a fusion takes the place of. */

enum { OUTSIDE, INSIDE, AFTER };

static bool is_made(const Fusion *fusion, const Value *value) {
    bool made = value == fusion->output;
    for (int i = 0; i < fusion->extra_count; i++) made |= value == fusion->extras[i];
    return made;
}

static bool is_given(const Fusion *fusion, const Value *value) {
    bool given = value->constant != NULL;
    for (int i = 0; i < fusion->input_count; i++) given |= value == fusion->inputs[i];
    return given;
}

/* Marks what makes a value from the inputs, and lists it; false where that needs anything else. */
static bool collect(Graph *graph, const Fusion *fusion, Value *value, NodeList *inside) {
    LIST(Value *) open = {0};
    list_add(graph->arena, &open, value);
    while (open.count > 0) {
        Value *next = open.items[--open.count];
        if (next == NULL || is_given(fusion, next)) continue;
        Node *node = next->producer;
        if (node == NULL || node->graph != graph) return false;
        if (node->mark == INSIDE) continue;
        node->mark = INSIDE;
        list_add(graph->arena, inside, node);
        for (int i = 0; i < node->inputs.count; i++) list_add(graph->arena, &open, node->inputs.items[i]);
    }
    return true;
}

/* Whether a value of the nodes inside is the model's output, and neither made by the fusion nor a view of what is.
 * Those that are only looked at do not matter: they are made beside it, so that what is fused does not depend on
 * probes. */
static bool has_output_inside(const Fusion *fusion, const NodeList *inside) {
    for (int i = 0; i < inside->count; i++)
        for (int k = 0; k < inside->items[i]->outputs.count; k++) {
            Value *value = inside->items[i]->outputs.items[k];
            if (value == NULL || !value->is_output) continue;
            if (!is_made(fusion, value) && !is_made(fusion, view_root(value))) return true;
        }
    return false;
}

static bool holds_graph(const Node *node) {
    for (int i = 0; i < node->attributes.count; i++)
        if (node->attributes.items[i].kind == ATTRIBUTE_GRAPH || node->attributes.items[i].kind == ATTRIBUTE_GRAPHS)
            return true;
    return false;
}

/* Marks the nodes that depend on those inside; one behind them with a graph in it may. Whether an input is made by such
 * a node, or by the fusion itself. */
static bool is_circular(const Graph *graph, const Fusion *fusion) {
    bool behind = false;
    for (int i = 0; i < graph->nodes.count; i++) {
        Node *node = graph->nodes.items[i];
        behind |= node->mark == INSIDE;
        if (node->mark == INSIDE) continue;
        if (behind && holds_graph(node)) node->mark = AFTER;
        for (int k = 0; k < node->inputs.count; k++) {
            const Node *producer = node->inputs.items[k] == NULL ? NULL : node->inputs.items[k]->producer;
            if (producer != NULL && producer->graph == graph && producer->mark != OUTSIDE) node->mark = AFTER;
        }
    }
    for (int i = 0; i < fusion->input_count; i++) {
        const Value *input = fusion->inputs[i];
        if (input == NULL || input->producer == NULL || input->producer->graph != graph) continue;
        if (input->producer->mark != OUTSIDE || is_made(fusion, input)) return true;
    }
    return false;
}

/* Lets a node make a value; what made it before makes another one, which nobody reads. */
static void make_instead(Node *node, Value *value) {
    list_add(node->graph->arena, &node->outputs, value);
    if (value == NULL) return;
    Node *before = value->producer;
    for (int i = 0; i < before->outputs.count; i++) {
        if (before->outputs.items[i] != value) continue;
        Value *unused = graph_value(node->graph, graph_free_name(node->graph, value->name));
        unused->type = value->type, unused->shape = value->shape, unused->producer = before;
        before->outputs.items[i] = unused;
    }
    value->producer = node;
}

static bool is_wanted(const Value *value) { return value->is_probed || value->is_output || value->consumers.count > 0; }

static int by_index(const void *a, const void *b) {
    const Node *x = *(Node *const *)a, *y = *(Node *const *)b;
    return (x->index > y->index) - (x->index < y->index);
}

/* Moves the last node of a graph in front of another one, so that the order of execution stays what it was. */
static void move_before(Graph *graph, const Node *other) {
    int at = graph->nodes.count - 1;
    Node *node = graph->nodes.items[at];
    do graph->nodes.items[at] = graph->nodes.items[at - 1];
    while (graph->nodes.items[at--] != other);
    graph->nodes.items[at] = node;
}

static Node *make_node(Graph *graph, const Block *block, const Fusion *fusion, const NodeList *inside) {
    Node *node = graph_node(graph, fusion->op, "");
    node->domain = FUSED_DOMAIN;
    node->op = op_find(FUSED_DOMAIN, fusion->op);
    node->version = node->opset = 1;
    for (int i = 0; i < fusion->input_count; i++) list_add(graph->arena, &node->inputs, fusion->inputs[i]);
    qsort(inside->items, (size_t)inside->count, sizeof(Node *), by_index);
    for (int i = 0; i < inside->count; i++) node_absorb(node, inside->items[i]);
    node->name = block->name;
    node->block = block;
    move_before(graph, fusion->output->producer);
    make_instead(node, fusion->output);
    for (int i = 0; i < fusion->extra_count; i++) make_instead(node, fusion->extras[i]);
    return node;
}

Node *fusion_apply(Graph *graph, const Block *block, const Fusion *fusion) {
    NodeList inside = {0};
    for (int i = 0; i < graph->nodes.count; i++) graph->nodes.items[i]->mark = OUTSIDE;
    if (!collect(graph, fusion, fusion->output, &inside)) return NULL;
    for (int i = 0; i < fusion->extra_count; i++)
        if (fusion->extras[i] != NULL && !collect(graph, fusion, fusion->extras[i], &inside)) return NULL;
    if (has_output_inside(fusion, &inside) || is_circular(graph, fusion)) return NULL;
    Node *node = make_node(graph, block, fusion, &inside);
    graph_prune(graph);
    for (int i = op_least_outputs(node->op, node->version); i < node->outputs.count; i++)
        if (node->outputs.items[i] != NULL && !is_wanted(node->outputs.items[i])) node->outputs.items[i] = NULL;
    while (node->outputs.count > 1 && node->outputs.items[node->outputs.count - 1] == NULL) node->outputs.count--;
    graph_sort(graph);
    return node;
}
