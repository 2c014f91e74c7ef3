/* Build: terms become nodes, the innermost first.
 * The pattern's reader has made sure of operators, attributes and tensors; shapes and types are the rule's affair. */
#include "patterns/build.h"

#include "ops/op.h"

#include <string.h>

typedef struct {
    Graph *graph;
    const BlockPattern *pattern;
    const Match *match;
    Node *behind;
} Building;

/* The common beginning of two dotted paths, by whole components: a's length of it. */
static size_t common_components(const char *a, size_t length, const char *b) {
    size_t common = 0;
    for (size_t i = 0; i <= length; i++) {
        bool a_ends = i == length || a[i] == '.', b_ends = b[i] == '\0' || b[i] == '.';
        if (a_ends && b_ends) common = i;
        if (i == length || b[i] == '\0' || a[i] != b[i]) break;
    }
    return common;
}

/* The common beginning of two components of paths by whole words: of "se_pool" and "se_reduce" it is "se". */
static size_t common_words(const char *a, size_t length, const char *b) {
    size_t common = 0;
    for (size_t i = 0; i <= length; i++) {
        bool a_ends = i == length || a[i] == '_', b_ends = b[i] == '_' || b[i] == '.' || b[i] == '\0';
        if (a_ends && b_ends) common = i;
        if (i == length || b[i] == '\0' || a[i] != b[i]) break;
    }
    return common;
}

/* What is common, by whole words, to the names of the modules that the nodes are in, within the one of which the path
 * is `scope`, `length` long, and of which no node is itself. 0 where one is. */
static size_t words_within(const NodeList *nodes, const char *scope, size_t length) {
    size_t from = length > 0 ? length + 1 : 0;
    if (scope[length] == '\0') return 0;
    size_t common = strcspn(scope + from, ".");
    for (int i = 0; i < nodes->count; i++) {
        const char *of_node = nodes->items[i]->scope;
        if (of_node[0] == '\0') continue;
        common = of_node[length] == '\0' ? 0 : common_words(scope + from, common, of_node + from);
    }
    return common;
}

const char *common_scope(Arena *arena, const NodeList *nodes) {
    const char *scope = NULL;
    size_t length = 0;
    for (int i = 0; i < nodes->count; i++) {
        const char *of_node = nodes->items[i]->scope;
        if (of_node[0] == '\0') continue;
        if (scope == NULL) scope = of_node, length = strlen(of_node);
        else length = common_components(scope, length, of_node);
    }
    if (scope == NULL) return "";
    size_t words = words_within(nodes, scope, length);
    if (words > 0) length += words + (length > 0 ? 1 : 0);
    return arena_printf(arena, "%.*s", (int)length, scope);
}

/* A new node of the newest version, without attributes and not yet inferred. */
static Node *new_node(Graph *graph, const char *op, const char *name, const Node *behind) {
    Node *node = graph_node(graph, op, behind->name);
    node->op = op_find("", op);
    node->version = op_newest(node->op);
    if (node->opset < node->version) node->opset = node->version;
    node->scope = behind->scope;
    node->block = behind->block;
    Value *output = graph_value(graph, graph_free_name(graph, name));
    output->producer = node;
    list_add(graph->arena, &node->outputs, output);
    return node;
}

static Value *new_constant(Graph *graph, const char *name, Tensor *tensor) {
    return graph_constant(graph, graph_free_name(graph, name), tensor);
}

static Value *build(Building *building, const Term *term);

/* A number of the type of what the pattern matched. */
static Value *build_number(Building *building, double number) {
    Arena *arena = building->graph->arena;
    Type type = building->match->tensors[building->pattern->root]->type;
    return new_constant(building->graph, building->pattern->family, tensor_scalar(arena, type, number));
}

/* A size that the match has bound. */
static int64_t bound_size(const Building *building, int name, const char *text) {
    const Dim size = building->match->dims[name];
    if (size.size < 0) fail(STATUS_USAGE, "%s: %s is no known size", building->pattern->family, text);
    return size.size;
}

/* The numbers of a list; returns how many. */
static int read_numbers(const Building *building, const ShapePattern *list, int64_t *values) {
    int count = 0;
    for (; count < list->dims.count && count < MAX_RANK; count++) {
        const DimPattern *dim = &list->dims.items[count];
        values[count] = dim->kind == DIM_NAME ? bound_size(building, dim->name, dim->text) : dim->size;
    }
    return count;
}

static Value *build_list(Building *building, const ShapePattern *list) {
    int64_t values[MAX_RANK];
    const int count = read_numbers(building, list, values);
    Arena *arena = building->graph->arena;
    return new_constant(building->graph, building->pattern->family, tensor_ints(arena, values, count));
}

static void set_number(Node *node, const char *name, double number) {
    const char *kind = op_attribute_kind(node->op, node->version, name);
    if (strcmp(kind, "float") == 0) node_set_float(node, name, (float)number);
    else node_set_int(node, name, (int64_t)number);
}

static void set_attribute(const Building *building, Node *node, const Condition *attribute) {
    int64_t values[MAX_RANK];
    switch (attribute->kind) {
    case CONDITION_VALUE: set_number(node, attribute->attribute, attribute->number); return;
    case CONDITION_STRING: node_set_string(node, attribute->attribute, attribute->string); return;
    case CONDITION_TENSOR: {
        const Value *value = building->match->tensors[attribute->tensor];
        if (value == NULL || value->constant == NULL || tensor_count(value->constant) != 1)
            fail(STATUS_USAGE, "%s: %s of %s is no single constant", building->pattern->family, attribute->attribute,
                 node->op_type);
        set_number(node, attribute->attribute, tensor_number(value->constant, 0));
        return;
    }
    case CONDITION_DIM:
        node_set_int(node, attribute->attribute, bound_size(building, attribute->tensor, attribute->attribute));
        return;
    default: break;
    }
    const int count = read_numbers(building, &attribute->list, values);
    node_set_ints(node, attribute->attribute, values, count);
}

static Value *build_node(Building *building, const Term *term) {
    Graph *graph = building->graph;
    ValueList inputs = {0};
    for (int i = 0; i < term->arguments.count; i++) {
        Value *input = build(building, term->arguments.items[i]);
        list_add(graph->arena, &inputs, input);
    }
    while (inputs.count > 0 && inputs.items[inputs.count - 1] == NULL) inputs.count--;
    Node *node = new_node(graph, term->name, building->pattern->family, building->behind);
    node->inputs = inputs;
    node->scope = common_scope(graph->arena, &building->match->nodes);
    for (int i = 0; i < term->conditions.count; i++) set_attribute(building, node, &term->conditions.items[i]);
    op_infer(node);
    return node->outputs.items[0];
}

static Value *build(Building *building, const Term *term) {
    switch (term->kind) {
    case TERM_TENSOR: return building->match->tensors[term->tensor];
    case TERM_NUMBER: return build_number(building, term->number);
    case TERM_LIST: return build_list(building, &term->list);
    case TERM_NODE: return build_node(building, term);
    case TERM_CHOICE: break;
    }
    fail(STATUS_BUG, "a term that cannot be built");
}

/* Moves the nodes from `first` on, which are the last ones, behind a node. */
static void move_behind(Graph *graph, int first, const Node *behind) {
    Node **nodes = graph->nodes.items;
    int at = first - 1, made = graph->nodes.count - first;
    while (at >= 0 && nodes[at] != behind) at--;
    Node **kept = arena_new_array(graph->arena, Node *, (size_t)made + 1);
    memcpy(kept, &nodes[first], (size_t)made * sizeof *kept);
    memmove(&nodes[at + 1 + made], &nodes[at + 1], (size_t)(first - at - 1) * sizeof *nodes);
    memcpy(&nodes[at + 1], kept, (size_t)made * sizeof *kept);
}

static bool has_known_sizes(const ShapePattern *list, const Match *match) {
    for (int i = 0; i < list->dims.count; i++)
        if (list->dims.items[i].kind == DIM_NAME && match->dims[list->dims.items[i].name].size < 0) return false;
    return true;
}

bool can_build(const Term *term, const Match *match) {
    bool can = has_known_sizes(&term->list, match);
    for (int i = 0; i < term->conditions.count; i++) {
        const Condition *attribute = &term->conditions.items[i];
        can = can && has_known_sizes(&attribute->list, match);
        if (attribute->kind == CONDITION_DIM) can = can && match->dims[attribute->tensor].size >= 0;
    }
    for (int i = 0; i < term->arguments.count; i++) can = can && can_build(term->arguments.items[i], match);
    return can;
}

Value *build_term(const BlockPattern *pattern, const Term *term, const Match *match, Node *behind) {
    Building building = {behind->graph, pattern, match, behind};
    int first = behind->graph->nodes.count;
    Value *value = build(&building, term);
    move_behind(behind->graph, first, behind);
    return value;
}

Value *build_reshape(Value *value, const Shape *shape) {
    Node *behind = value->producer;
    Graph *graph = behind->graph;
    int64_t sizes[MAX_RANK];
    int first = graph->nodes.count, open = 0;
    for (int d = 0; d < shape->rank; d++) {
        open += shape->dims[d].size < 0;
        sizes[d] = shape->dims[d].size < 0 ? -1 : shape->dims[d].size;
    }
    if (shape->rank < 0 || open > 1) return NULL;
    Node *node = new_node(graph, "Reshape", value->name, behind);
    Value *list = new_constant(graph, value->name, tensor_ints(graph->arena, sizes, shape->rank));
    list_add(graph->arena, &node->inputs, value);
    list_add(graph->arena, &node->inputs, list);
    op_infer(node);
    move_behind(graph, first, behind);
    return node->outputs.items[0];
}
