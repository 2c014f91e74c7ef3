/* Gradient (ai.onnx.preview.training) names tensors of its graph, where other operators read them: here names become
 * values. Behind the import such a node reads those that are differentiated by (xs), those held fixed (zs), and y,
 * which the graph computes from them. What lies between is copied where the node gives values of its own for xs and zs,
 * and in graphs within nodes, as in a loop several of these values may be one. */
#include "load/import.h"

#include "graph/part.h"

#include <string.h>

/* Rough sizes in memory, for the budget: of a node or value that is copied, of a name or input, of a node on the way.
 */
enum { COPY_COST = 768, READ_COST = 256, WALK_COST = 64 };

static bool has_names(const Node *node, const char *attribute, AttributeKind kind) {
    const Attribute *given = node_attribute(node, attribute);
    return given == NULL ? strcmp(attribute, "zs") == 0 : given->kind == kind;
}

/* Whether it says what it names; one that does not is refused when it is inferred. */
static bool is_gradient(const Node *node) {
    return strcmp(node->op_type, "Gradient") == 0 && strcmp(node->domain, "ai.onnx.preview.training") == 0 &&
           has_names(node, "xs", ATTRIBUTE_STRINGS) && has_names(node, "zs", ATTRIBUTE_STRINGS) &&
           has_names(node, "y", ATTRIBUTE_STRING);
}

static Value *named_value(Import *import, const char *attribute, int index, const char *name) {
    import_charge(import, READ_COST + strlen(name));
    Value *value = import_use(import, name, attribute, (size_t)index);
    if (value == NULL)
        import_fail(import, STATUS_INVALID, "%s %d is %s, an input that is left out", attribute, index, quoted(name));
    return value;
}

static void read_named(Import *import, Node *node, const char *attribute, Map *named) {
    const Attribute *names = node_attribute(node, attribute);
    for (int i = 0; names != NULL && i < names->count; i++) {
        Value *value = named_value(import, attribute, i, names->strings[i]);
        if (map_get(named, value->name) != NULL)
            import_fail(import, STATUS_INVALID, "xs and zs have the tensor %s twice", quoted(value->name));
        map_set(named, value->name, value);
        list_add(import->arena, &node->inputs, value);
    }
}

void import_gradient(Import *import, Node *node) {
    if (!is_gradient(node)) return;
    const int given = node->inputs.count;
    for (int i = 0; i < given; i++)
        if (node->inputs.items[i] == NULL) import_fail(import, STATUS_INVALID, "input %d is left out", i);
    Map named = map_new(import->arena);
    read_named(import, node, "xs", &named);
    read_named(import, node, "zs", &named);
    if (node->inputs.count != 2 * given)
        import_fail(import, STATUS_INVALID, "%d inputs, expected %d: one for each tensor of xs and zs", given,
                    node->inputs.count - given);
    list_add(import->arena, &node->inputs, named_value(import, "y", 0, node_attribute(node, "y")->string));
    import->has_gradients = true;
}

/* The copy of what one node differentiates. */
typedef struct {
    Import *import;
    Copy copy;
    bool depends; /* the node that was looked at last, on what is copied */
} Part;

static void look_at(Value *value, void *argument) {
    Part *part = argument;
    part->depends |= copy_of(&part->copy, value) != value;
}

static void charge_node(Import *import, const Node *node);

static void charge_graph(Graph *graph, void *import) {
    import_charge(import, COPY_COST + (size_t)graph->values.count * COPY_COST);
    for (int i = 0; i < graph->nodes.count; i++) charge_node(import, graph->nodes.items[i]);
}

static void charge_node(Import *import, const Node *node) {
    import_charge(import, COPY_COST * (size_t)(1 + node->outputs.count) + READ_COST * (size_t)node->inputs.count);
    node_each_graph(node, charge_graph, import);
}

static void copy_between(Part *part, Graph *graph, const NodeList *between) {
    for (int i = 0; i < between->count; i++) {
        part->depends = false;
        node_each_read(between->items[i], look_at, part);
        if (!part->depends) continue;
        charge_node(part->import, between->items[i]);
        list_add(graph->arena, &graph->nodes, copy_node(&part->copy, between->items[i], graph));
    }
}

/* A value of the node's own that is the one given. */
static Value *own_value(const Part *part, Graph *graph, Value *given) {
    Node *node = graph_node(graph, "Identity", "");
    node->opset = graph->opset != 0 ? graph->opset : NEWEST_OPSET;
    Value *value = graph_value(graph, arena_printf(graph->arena, "%s/%s", part->copy.prefix, given->name));
    value->producer = node;
    list_add(graph->arena, &node->inputs, given);
    list_add(graph->arena, &node->outputs, value);
    return value;
}

/* Inputs are as many values, as many that these stand for, and y. */
static void separate(Import *import, Graph *graph, Node *node) {
    const int count = node->inputs.count / 2;
    Value **given = node->inputs.items, **named = given + count, *y = given[2 * count];
    bool is_in_place = graph->outer == NULL;
    for (int i = 0; i < count; i++) is_in_place &= given[i] == named[i];
    const char *label = node->name[0] != '\0' ? node->name : node->op_type;
    Part part = {.import = import, .copy = {.prefix = label, .arena = graph->arena}};
    node->inputs = (ValueList){0};
    for (int i = 0; i < count; i++) mark_place(graph->arena, &part.copy.from, named[i]);
    const NodeList between = is_in_place ? (NodeList){0} : nodes_between(graph, &part.copy.from, y);
    import_charge(import, WALK_COST * (size_t)between.count);
    for (int i = 0; i < count; i++) {
        Value *own = is_in_place ? named[i] : own_value(&part, graph, given[i]);
        list_add(graph->arena, &part.copy.to, own);
        list_add(graph->arena, &node->inputs, own);
    }
    copy_between(&part, graph, &between);
    list_add(graph->arena, &node->inputs, copy_of(&part.copy, y));
}

static void separate_inner(Graph *graph, void *import) { separate_gradients(import, graph); }

void separate_gradients(Import *import, Graph *graph) {
    const NodeList nodes = graph->nodes;
    graph->nodes = (NodeList){0};
    for (int i = 0; i < nodes.count; i++) {
        node_each_graph(nodes.items[i], separate_inner, import);
        if (is_gradient(nodes.items[i])) separate(import, graph, nodes.items[i]);
        list_add(graph->arena, &graph->nodes, nodes.items[i]);
    }
}
