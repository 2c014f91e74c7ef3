/* The graph: making, linking, sorting, checking.
 * Links (consumers, producers) are rebuilt rather than kept in step by hand: see graph_index(). */
#include "graph/graph.h"

#include "base/text.h"

#include <string.h>

Graph *graph_new(Arena *arena, const char *name) {
    Graph *graph = arena_new_object(arena, Graph);
    graph->arena = arena;
    graph->name = arena_copy(arena, name);
    graph->producer = graph->producer_version = "";
    return graph;
}

Shape graph_outer_shape(const Graph *graph, const Value *value) {
    Shape shape = value->shape;
    if (!value->is_batched) return shape;
    Dim *samples = &shape.dims[value->samples_axis];
    const char *name = graph->batch.name;
    if (samples->size > 1) name = arena_printf(graph->arena, "%lld*%s", (long long)samples->size, name);
    *samples = (Dim){-1, name};
    return shape;
}

int64_t sample_pieces(const Value *value) {
    return value->is_batched ? shape_product(&value->shape, 0, value->samples_axis) : 1;
}

Value *graph_value(Graph *graph, const char *name) {
    Value *value = arena_new_object(graph->arena, Value);
    value->name = arena_copy(graph->arena, name);
    value->shape = SHAPE_UNKNOWN;
    list_add(graph->arena, &graph->values, value);
    return value;
}

Value *graph_constant(Graph *graph, const char *name, Tensor *tensor) {
    Value *value = graph_value(graph, name);
    value->type = tensor->type;
    value->shape = tensor->shape;
    value->constant = tensor;
    return value;
}

Node *node_new(Graph *graph, const char *op_type, const char *name) {
    Node *node = arena_new_object(graph->arena, Node);
    node->name = name;
    node->op_type = op_type;
    node->domain = node->scope = "";
    node->ordinal = -1;
    node->index = -1;
    node->opset = graph->opset;
    node->graph = graph;
    return node;
}

Node *graph_node(Graph *graph, const char *op_type, const char *name) {
    Node *node = node_new(graph, arena_copy(graph->arena, op_type), arena_copy(graph->arena, name));
    list_add(graph->arena, &graph->nodes, node);
    return node;
}

static bool has_value(const Graph *graph, const char *name) {
    for (int i = 0; i < graph->values.count; i++)
        if (strcmp(graph->values.items[i]->name, name) == 0) return true;
    return false;
}

const char *graph_free_name(const Graph *graph, const char *base) {
    const char *name = base;
    for (int number = 2; has_value(graph, name); number++) name = arena_printf(graph->arena, "%s_%d", base, number);
    return name;
}

/* A node that a pass makes has the name of one that it takes over: each is said once. */
static void add_source(Node *node, const char *source) {
    for (int i = 0; i < node->sources.count; i++)
        if (strcmp(node->sources.items[i], source) == 0) return;
    if (source[0] != '\0') list_add(node->graph->arena, &node->sources, source);
}

void node_absorb(Node *node, const Node *other) {
    if (node->sources.count == 0) add_source(node, node->name);
    if (other->sources.count == 0) add_source(node, other->name);
    for (int i = 0; i < other->sources.count; i++) add_source(node, other->sources.items[i]);
    if (node->block == NULL) node->block = other->block;
}

void node_each_graph(const Node *node, void (*visit)(Graph *inner, void *argument), void *argument) {
    for (int i = 0; i < node->attributes.count; i++) {
        const Attribute *attribute = &node->attributes.items[i];
        if (attribute->kind == ATTRIBUTE_GRAPH) visit(attribute->graph, argument);
        for (int k = 0; attribute->kind == ATTRIBUTE_GRAPHS && k < attribute->count; k++)
            visit(attribute->graphs[k], argument);
    }
}

static void clear_links(Graph *graph, void *unused) {
    (void)unused;
    for (int i = 0; i < graph->values.count; i++) {
        graph->values.items[i]->consumers.count = 0;
        graph->values.items[i]->producer = NULL;
        graph->values.items[i]->is_output = false;
    }
    for (int i = 0; i < graph->nodes.count; i++) node_each_graph(graph->nodes.items[i], clear_links, NULL);
}

static void link_nodes(Graph *graph, void *unused) {
    (void)unused;
    for (int i = 0; i < graph->nodes.count; i++) {
        Node *node = graph->nodes.items[i];
        for (int k = 0; k < node->inputs.count; k++)
            if (node->inputs.items[k] != NULL) list_add(graph->arena, &node->inputs.items[k]->consumers, node);
        for (int k = 0; k < node->outputs.count; k++)
            if (node->outputs.items[k] != NULL) node->outputs.items[k]->producer = node;
        node_each_graph(node, link_nodes, NULL);
    }
    for (int i = 0; i < graph->outputs.count; i++) graph->outputs.items[i]->is_output = true;
}

static bool is_referred_to(const Value *value) {
    return value->consumers.count > 0 || value->producer != NULL || value->is_input || value->is_output;
}

static void drop_values(Graph *graph, void *unused) {
    (void)unused;
    int kept = 0;
    for (int i = 0; i < graph->values.count; i++)
        if (is_referred_to(graph->values.items[i])) graph->values.items[kept++] = graph->values.items[i];
    graph->values.count = kept;
    for (int i = 0; i < graph->nodes.count; i++) node_each_graph(graph->nodes.items[i], drop_values, NULL);
}

static Graph *outermost(Graph *graph) {
    while (graph->outer != NULL) graph = graph->outer;
    return graph;
}

void graph_index(Graph *graph) {
    graph = outermost(graph); /* inner graphs use outer values */
    clear_links(graph, NULL);
    link_nodes(graph, NULL);
    drop_values(graph, NULL);
}

typedef struct {
    Value *old, *new;
} Replacement;

static void replace(Graph *graph, void *argument) {
    const Replacement *r = argument;
    for (int i = 0; i < graph->nodes.count; i++) {
        Node *node = graph->nodes.items[i];
        for (int k = 0; k < node->inputs.count; k++)
            if (node->inputs.items[k] == r->old) node->inputs.items[k] = r->new;
        node_each_graph(node, replace, argument);
    }
    for (int i = 0; i < graph->outputs.count; i++)
        if (graph->outputs.items[i] == r->old) graph->outputs.items[i] = r->new;
}

void graph_replace(Graph *graph, Value *old, Value *new) {
    Replacement r = {old, new};
    replace(graph, &r);
    new->is_probed |= old->is_probed;
    new->is_padded |= old->is_padded;
    old->replacement = new;
    if (old->is_output) new->is_output = true, old->is_output = false;
    for (int i = 0; i < old->consumers.count; i++) list_add(graph->arena, &new->consumers, old->consumers.items[i]);
    old->consumers.count = 0;
}

static bool has_effect(const Node *node) {
    for (int i = 0; i < node->outputs.count; i++) {
        const Value *value = node->outputs.items[i];
        if (value != NULL && (value->is_output || value->is_probed || value->consumers.count > 0)) return true;
    }
    return false;
}

/* Lets a node that goes be no consumer of what it reads; which ones are left is set right by graph_index(). */
static void stop_reading(const Node *node) {
    for (int i = 0; i < node->inputs.count; i++)
        if (node->inputs.items[i] != NULL) node->inputs.items[i]->consumers.count--;
}

void graph_prune(Graph *graph) {
    for (bool changed = true; changed;) { /* once, but for what graphs within nodes read */
        changed = false;
        graph_index(graph);
        int from = graph->nodes.count;
        for (int i = graph->nodes.count - 1; i >= 0; i--) {
            Node *node = graph->nodes.items[i];
            changed |= !has_effect(node);
            if (has_effect(node)) graph->nodes.items[--from] = node;
            else stop_reading(node);
        }
        graph->nodes.count -= from;
        for (int i = 0; i < graph->nodes.count; i++) graph->nodes.items[i] = graph->nodes.items[from + i];
    }
}

typedef struct {
    void (*visit)(Value *value, void *argument);
    void *argument;
} Visitor;

static void visit_graph(Graph *graph, void *argument) {
    const Visitor *visitor = argument;
    for (int i = 0; i < graph->nodes.count; i++)
        node_each_read(graph->nodes.items[i], visitor->visit, visitor->argument);
    for (int i = 0; i < graph->outputs.count; i++) visitor->visit(graph->outputs.items[i], visitor->argument);
}

void node_each_read(const Node *node, void (*visit)(Value *value, void *argument), void *argument) {
    for (int i = 0; i < node->inputs.count; i++)
        if (node->inputs.items[i] != NULL) visit(node->inputs.items[i], argument);
    node_each_graph(node, visit_graph, &(Visitor){visit, argument});
}

/* The nodes of a graph that are read from. */
typedef struct {
    const Graph *graph;
    NodeList nodes;
} Producers;

static void collect_producer(Value *value, void *argument) {
    Producers *producers = argument;
    Node *producer = value->producer;
    if (producer != NULL && producer->graph == producers->graph)
        list_add(producers->graph->arena, &producers->nodes, producer);
}

/* Reports the cycle that ends a stack of nodes, each needing the one above it; of a long one both ends. */
static _Noreturn void fail_cycle(Node *const *stack, int depth, const Node *again) {
    enum { SHOWN = 16 };
    int from = 0;
    while (stack[from] != again) from++;
    report(STATUS_INVALID, "the graph has a cycle of %d node%s:", depth - from, depth - from == 1 ? "" : "s");
    for (int i = from; i < depth; i++)
        if (i - from < SHOWN || depth - i <= SHOWN) note("%s needs", node_text(stack[i]));
        else if (i - from == SHOWN) note("... %d more, each needed by the one before, and", depth - from - 2 * SHOWN);
    note("%s", node_text(again));
    fail_if_reported();
    fail(STATUS_INVALID, "the graph has a cycle");
}

/* Depth first with a stack of its own: a hostile chain of nodes must not overflow the C stack. */
static void sort_nodes(Graph *graph, void *unused) {
    (void)unused;
    enum { WAITING, ENTERED, DONE };
    int count = graph->nodes.count, done = 0;
    Arena *arena = graph->arena;
    unsigned char *state = arena_new_array(arena, unsigned char, (size_t)count);
    Node **order = arena_new_array(arena, Node *, (size_t)count);
    Node **stack = arena_new_array(arena, Node *, (size_t)count + 1);
    NodeList *needs = arena_new_array(arena, NodeList, (size_t)count);
    int *next = arena_new_array(arena, int, (size_t)count);
    for (int i = 0; i < count; i++) {
        graph->nodes.items[i]->mark = i;
        Producers producers = {.graph = graph};
        node_each_read(graph->nodes.items[i], collect_producer, &producers);
        needs[i] = producers.nodes;
    }
    for (int root = 0; root < count; root++) {
        if (state[root] != WAITING) continue;
        int depth = 0;
        stack[depth++] = graph->nodes.items[root];
        state[root] = ENTERED;
        while (depth > 0) {
            int at = stack[depth - 1]->mark;
            if (next[at] == needs[at].count) {
                state[at] = DONE;
                order[done++] = stack[--depth];
                continue;
            }
            Node *need = needs[at].items[next[at]++];
            if (state[need->mark] == ENTERED) fail_cycle(stack, depth, need);
            if (state[need->mark] == WAITING) state[need->mark] = ENTERED, stack[depth++] = need;
        }
    }
    graph->nodes.items = order;
    graph->nodes.capacity = count;
    for (int i = 0; i < count; i++) node_each_graph(order[i], sort_nodes, NULL);
}

void graph_sort(Graph *graph) {
    graph_index(graph);
    sort_nodes(graph, NULL);
}

void graph_check(const Graph *graph, const char *after) {
    enum { UNMADE, MADE };
    for (int i = 0; i < graph->values.count; i++)
        graph->values.items[i]->mark = graph->values.items[i]->producer == NULL ? MADE : UNMADE;
    for (int i = 0; i < graph->nodes.count; i++) {
        const Node *node = graph->nodes.items[i];
        if (node->graph != graph) node_fail(node, STATUS_BUG, "belongs to another graph, after pass %s", after);
        for (int k = 0; k < node->inputs.count; k++) {
            const Value *input = node->inputs.items[k];
            if (input == NULL || (input->producer != NULL && input->producer->graph != graph)) continue;
            if (input->mark != MADE)
                node_fail(node, STATUS_BUG, "reads %s before it is made, after pass %s", quoted(input->name), after);
        }
        for (int k = 0; k < node->outputs.count; k++) {
            Value *output = node->outputs.items[k];
            if (output == NULL) continue;
            if (output->producer != node) node_fail(node, STATUS_BUG, "does not own its output, after pass %s", after);
            output->mark = MADE;
        }
    }
}

static void print_value(Text *text, const Value *value) {
    if (value == NULL) {
        text_add(text, "none");
        return;
    }
    text_printf(text, "%s %s%s", quoted(value->name), type_info(value->type)->name,
                shape_text(text->arena, &value->shape));
    if (value->shape.channels_last) text_add(text, " channels last");
    if (value->constant != NULL) text_add(text, " constant");
    if (value->is_probed) text_add(text, " probed");
}

void graph_print(const Graph *graph, FILE *out) {
    Text text = text_new(arena_new());
    text_printf(&text, "graph %s, opset %d\n", quoted(graph->name), graph->opset);
    for (int i = 0; i < graph->inputs.count; i++) {
        text_add(&text, "  input  ");
        print_value(&text, graph->inputs.items[i]);
        text_add(&text, "\n");
    }
    for (int i = 0; i < graph->nodes.count; i++) {
        const Node *node = graph->nodes.items[i];
        text_printf(&text, "  %3d  %s%s%s", i, node->domain, node->domain[0] != '\0' ? "::" : "", node->op_type);
        for (int k = 0; k < node->inputs.count; k++) {
            text_add(&text, k == 0 ? "(" : ", ");
            print_value(&text, node->inputs.items[k]);
        }
        text_add(&text, node->inputs.count == 0 ? "() -> " : ") -> ");
        for (int k = 0; k < node->outputs.count; k++) {
            if (k > 0) text_add(&text, ", ");
            print_value(&text, node->outputs.items[k]);
        }
        text_add(&text, "\n");
    }
    for (int i = 0; i < graph->outputs.count; i++) {
        text_add(&text, "  output ");
        print_value(&text, graph->outputs.items[i]);
        text_add(&text, "\n");
    }
    fwrite(text.data, 1, text.length, out);
    arena_free(text.arena);
}

const Attribute *node_attribute(const Node *node, const char *name) {
    for (int i = 0; i < node->attributes.count; i++)
        if (strcmp(node->attributes.items[i].name, name) == 0) return &node->attributes.items[i];
    return NULL;
}

/* The attribute of that name, made where it is missing. */
static Attribute *attribute_slot(Node *node, const char *name) {
    Attribute *found = (Attribute *)node_attribute(node, name);
    if (found != NULL) return found;
    list_add(node->graph->arena, &node->attributes, (Attribute){.name = arena_copy(node->graph->arena, name)});
    return &node->attributes.items[node->attributes.count - 1];
}

void node_set_int(Node *node, const char *name, int64_t value) {
    Attribute *slot = attribute_slot(node, name);
    slot->kind = ATTRIBUTE_INT, slot->count = 1, slot->integer = value;
}

void node_set_ints(Node *node, const char *name, const int64_t *values, int count) {
    Attribute *slot = attribute_slot(node, name);
    slot->kind = ATTRIBUTE_INTS, slot->count = count;
    slot->integers = arena_new_array(node->graph->arena, int64_t, (size_t)count);
    if (count > 0) memcpy(slot->integers, values, (size_t)count * sizeof *values);
}

void node_set_float(Node *node, const char *name, float value) {
    Attribute *slot = attribute_slot(node, name);
    slot->kind = ATTRIBUTE_FLOAT, slot->count = 1, slot->number = value;
}

void node_set_string(Node *node, const char *name, const char *value) {
    Attribute *slot = attribute_slot(node, name);
    slot->kind = ATTRIBUTE_STRING, slot->count = 1, slot->string = arena_copy(node->graph->arena, value);
}

const char *node_text(const Node *node) {
    Arena *arena = node->graph->arena;
    const char *type = quoted(node->op_type);
    const char *place = node->index < 0 ? "" : arena_printf(arena, "%d ", node->index);
    return arena_printf(arena, "node %s%s (%.*s)", place, quoted(node->name), (int)strlen(type) - 2, type + 1);
}

void node_report(const Node *node, Status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const char *message = arena_vprintf(node->graph->arena, format, args);
    va_end(args);
    report(status, "%s: %s", node_text(node), message);
}

void node_warn(const Node *node, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const char *message = arena_vprintf(node->graph->arena, format, args);
    va_end(args);
    warn("%s: %s", node_text(node), message);
}

void node_fail(const Node *node, Status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const char *message = arena_vprintf(node->graph->arena, format, args);
    va_end(args);
    fail(status, "%s: %s", node_text(node), message);
}
