/* Parts of graphs: copies, and what lies between values.
 * Lists of values are searched by the place that a value has as its mark, so nothing is to be cleaned up. */
#include "graph/part.h"

int marked_place(const ValueList *list, const Value *value) {
    const bool is_there = value->mark >= 0 && value->mark < list->count && list->items[value->mark] == value;
    return is_there ? value->mark : -1;
}

void mark_place(Arena *arena, ValueList *list, Value *value) {
    value->mark = list->count;
    list_add(arena, list, value);
}

/* Copies */

void copy_put(Copy *copy, Value *from, Value *to) {
    mark_place(copy->arena, &copy->from, from);
    list_add(copy->arena, &copy->to, to);
}

Value *copy_of(const Copy *copy, Value *value) {
    const int place = value == NULL ? -1 : marked_place(&copy->from, value);
    return place < 0 ? value : copy->to.items[place];
}

static Value *copy_value(Copy *copy, Graph *graph, Value *from) {
    Value *value = graph_value(graph, arena_printf(copy->arena, "%s/%s", copy->prefix, from->name));
    value->type = from->type, value->shape = from->shape, value->constant = from->constant;
    copy_put(copy, from, value);
    return value;
}

static Graph *copy_graph(Copy *copy, const Graph *from, Graph *outer);

static Attribute copy_attribute(Copy *copy, Attribute attribute, Graph *graph) {
    if (attribute.kind == ATTRIBUTE_GRAPH) attribute.graph = copy_graph(copy, attribute.graph, graph);
    if (attribute.kind != ATTRIBUTE_GRAPHS) return attribute;
    Graph **graphs = arena_new_array(copy->arena, Graph *, (size_t)attribute.count);
    for (int i = 0; i < attribute.count; i++) graphs[i] = copy_graph(copy, attribute.graphs[i], graph);
    attribute.graphs = graphs;
    return attribute;
}

Node *copy_node(Copy *copy, const Node *from, Graph *graph) {
    Arena *arena = copy->arena;
    const char *name = from->name[0] != '\0' ? from->name : from->op_type;
    Node *node = node_new(graph, from->op_type, arena_printf(arena, "%s/%s", copy->prefix, name));
    node->domain = from->domain, node->scope = from->scope, node->index = from->index;
    node->opset = from->opset, node->version = from->version, node->op = from->op;
    for (int i = 0; i < from->inputs.count; i++) list_add(arena, &node->inputs, copy_of(copy, from->inputs.items[i]));
    for (int i = 0; i < from->outputs.count; i++) {
        Value *output = from->outputs.items[i];
        if (output != NULL) output = copy_value(copy, graph, output), output->producer = node;
        list_add(arena, &node->outputs, output);
    }
    for (int i = 0; i < from->attributes.count; i++)
        list_add(arena, &node->attributes, copy_attribute(copy, from->attributes.items[i], graph));
    for (int i = 0; i < from->sources.count; i++) list_add(arena, &node->sources, from->sources.items[i]);
    return node;
}

static Graph *copy_graph(Copy *copy, const Graph *from, Graph *outer) {
    Graph *graph = graph_new(copy->arena, from->name);
    graph->outer = outer, graph->ir_version = from->ir_version, graph->opset = from->opset;
    for (int i = 0; i < from->inputs.count; i++) {
        Value *input = copy_value(copy, graph, from->inputs.items[i]);
        input->is_input = true;
        list_add(copy->arena, &graph->inputs, input);
    }
    for (int i = 0; i < from->values.count; i++)
        if (is_initializer(from->values.items[i])) copy_value(copy, graph, from->values.items[i]);
    for (int i = 0; i < from->nodes.count; i++)
        list_add(copy->arena, &graph->nodes, copy_node(copy, from->nodes.items[i], graph));
    for (int i = 0; i < from->outputs.count; i++)
        list_add(copy->arena, &graph->outputs, copy_of(copy, from->outputs.items[i]));
    return graph;
}

/* What lies between values */

/* A walk from a value to what it is made of, by a stack of its own: a hostile chain must not overflow the C stack. */
typedef struct {
    const Graph *graph;
    const ValueList *sources;
    NodeList waiting, entered, done; /* .mark of a node: its place among those entered; when it is done, -1 - place */
} Walk;

static bool is_at(const NodeList *list, int place, const Node *node) {
    return place >= 0 && place < list->count && list->items[place] == node;
}

static bool is_around(const Graph *outer, const Graph *graph) {
    while (graph != NULL && graph != outer) graph = graph->outer;
    return graph == outer;
}

static void visit(Value *value, void *argument) {
    Walk *walk = argument;
    Node *node = value->producer;
    if (node == NULL || marked_place(walk->sources, value) >= 0 || !is_around(node->graph, walk->graph)) return;
    if (!is_at(&walk->entered, node->mark, node) && !is_at(&walk->done, -1 - node->mark, node))
        list_add(walk->graph->arena, &walk->waiting, node);
}

NodeList nodes_between(const Graph *graph, const ValueList *sources, Value *value) {
    Walk walk = {.graph = graph, .sources = sources};
    visit(value, &walk);
    while (walk.waiting.count > 0) {
        Node *node = walk.waiting.items[walk.waiting.count - 1];
        const bool is_entered = is_at(&walk.entered, node->mark, node);
        if (!is_entered && !is_at(&walk.done, -1 - node->mark, node)) {
            node->mark = walk.entered.count;
            list_add(graph->arena, &walk.entered, node);
            node_each_read(node, visit, &walk);
            continue;
        }
        walk.waiting.count--;
        if (!is_entered) continue;
        node->mark = -1 - walk.done.count;
        list_add(graph->arena, &walk.done, node);
    }
    return walk.done;
}
