/* Import of graphs: names and where they come from, nodes, and graphs within nodes.
 * All names of a graph are entered before its nodes are read, so that nodes may come in any order. */
#include "load/import.h"

#include <string.h>

/* Rough sizes in memory of what is made, for the budget. */
enum { NODE_COST = 768, VALUE_COST = 512, NAME_COST = 192, SCOPE_COST = 2048 };

Scope *enter_scope(Import *import) {
    import_charge(import, SCOPE_COST);
    Scope *scope = arena_new_object(import->arena, Scope), *parent = import->scope;
    *scope = (Scope){.parent = parent, .holder = import->place};
    scope->names = map_new(import->arena);
    scope->made_names = map_new(import->arena);
    if (parent != NULL) {
        scope->graph_depth = parent->graph_depth;
        scope->call_depth = parent->call_depth;
        scope->frame = parent->frame;
    }
    import->scope = scope;
    import->place = (Place){0};
    return scope;
}

void leave_scope(Import *import) {
    import->place = import->scope->holder;
    import->scope = import->scope->parent;
}

Name *find_name(const Scope *scope, const char *name) {
    Name *found = NULL;
    for (; scope != NULL && found == NULL; scope = scope->outer) found = map_get(&scope->names, name);
    return found;
}

static const char *name_text(Import *import, const Name *name) {
    switch (name->kind) {
    case NAME_INPUT: return arena_printf(import->arena, "input %d", name->index);
    case NAME_INITIALIZER: return arena_printf(import->arena, "initializer %d", name->index);
    default: return place_node_text(import->arena, name->node, name->index);
    }
}

/* Visible outside are inputs, initializers, and what nodes before the one that holds this scope have made. */
static const Name *hidden_name(const Scope *scope, const char *name) {
    const Name *outer = scope->outer == NULL ? NULL : find_name(scope->outer, name);
    return outer != NULL && outer->made ? outer : NULL;
}

Name *declare_name(Import *import, Name name) {
    Scope *scope = import->scope;
    const Name *before = map_get(&scope->names, name.name);
    if (before != NULL)
        import_fail(import, STATUS_INVALID, "%s comes from two places: %s, and %s", quoted(name.name),
                    name_text(import, before), name_text(import, &name));
    const Name *hidden = hidden_name(scope, name.name);
    if (hidden != NULL)
        import_fail(import, STATUS_INVALID,
                    "%s comes from %s, but hides the one of the graph outside, which comes from %s", quoted(name.name),
                    name_text(import, &name), name_text(import, hidden));
    import_charge(import, NAME_COST + strlen(name.name));
    Name *entry = arena_new_object(import->arena, Name);
    *entry = name;
    entry->input_index = entry->output_index = -1;
    map_set(&scope->names, name.name, entry);
    return entry;
}

/* prefix and name, with a number where that is taken in the graph that nodes are added to. */
static const char *unique_name(Import *import, const char *prefix, const char *name) {
    Scope *owner = import->scope->owner;
    size_t length = strlen(prefix) + strlen(name);
    import_charge(import, NAME_COST + 2 * length);
    const char *unique = arena_printf(import->arena, "%s%s", prefix, name);
    while (map_get(&owner->names, unique) != NULL || map_get(&owner->made_names, unique) != NULL) {
        import_charge(import, length + 24);
        unique = arena_printf(import->arena, "%s%s_%lld", prefix, name, (long long)++import->numbered_names);
    }
    map_set(&owner->made_names, unique, owner);
    return unique;
}

/* A value's name in its graph: what a function's body makes gets the call's name before its own. */
static const char *graph_name(Import *import, const char *name) {
    return import->scope->is_body ? unique_name(import, import->scope->frame->prefix, name) : name;
}

static Value *new_value(Import *import, const char *name) {
    import_charge(import, VALUE_COST + strlen(name));
    return graph_value(import->scope->graph, graph_name(import, name));
}

static void import_initializers(Import *import, const Onnx__GraphProto *proto) {
    for (size_t i = 0; i < proto->n_sparse_initializer; i++) {
        const Onnx__TensorProto *values = proto->sparse_initializer[i]->values;
        import->place =
            (Place){.kind = "sparse_initializer", .name = values == NULL ? "" : text_or_empty(values->name)};
        import_unsupported(import, "fovea has no sparse tensors");
    }
    for (size_t i = 0; i < proto->n_initializer; i++) {
        const char *name = text_or_empty(proto->initializer[i]->name);
        import->place = (Place){.kind = "initializer", .name = name};
        if (name[0] == '\0') import_fail(import, STATUS_INVALID, "initializer %zu has no name", i);
        Name entry = {.name = name, .kind = NAME_INITIALIZER, .index = (int)i, .made = true};
        Name *declared = declare_name(import, entry);
        declared->value = new_value(import, name);
        Tensor *tensor = import_tensor(import, proto->initializer[i]);
        if (tensor == NULL) continue; /* not supported: reported */
        declared->value->type = tensor->type;
        declared->value->shape = tensor->shape;
        declared->value->constant = tensor;
    }
    import->place = (Place){0};
}

static bool dims_agree(const Shape *stated, const Shape *shape) {
    if (stated->rank < 0) return true;
    if (stated->rank != shape->rank) return false;
    for (int i = 0; i < shape->rank; i++)
        if (stated->dims[i].size >= 0 && stated->dims[i].size != shape->dims[i].size) return false;
    return true;
}

/* Up to IR version 3 every initializer is an input too; later this gives the input a default. It is a constant. */
static void input_with_initializer(Import *import, const Onnx__ValueInfoProto *info, const Value *constant) {
    Value stated = {.shape = SHAPE_UNKNOWN};
    if (info->type != NULL) import_type(import, info->type, &stated);
    if (import->scope->parent != NULL)
        import_unsupported(import, "the input of a graph within a node has an initializer");
    if (stated.kind == VALUE_SEQUENCE)
        import_fail(import, STATUS_INVALID, "it is stated as a sequence, but its initializer is a tensor");
    if (constant->constant == NULL || stated.type == TYPE_NONE) return;
    if (stated.type != constant->type || !dims_agree(&stated.shape, &constant->shape))
        import_fail(import, STATUS_INVALID, "it is stated as %s%s, but its initializer is %s%s",
                    type_info(stated.type)->name, shape_text(import->arena, &stated.shape),
                    type_info(constant->type)->name, shape_text(import->arena, &constant->shape));
}

static void import_input(Import *import, const Onnx__ValueInfoProto *info, int index) {
    Scope *scope = import->scope;
    const char *name = text_or_empty(info->name);
    import->place = (Place){.kind = "input", .name = name};
    if (name[0] == '\0') import_fail(import, STATUS_INVALID, "input %d has no name", index);
    Name *entry = map_get(&scope->names, name);
    if (entry != NULL && entry->kind == NAME_INITIALIZER && entry->input_index < 0) {
        entry->input_index = index;
        input_with_initializer(import, info, entry->value);
        return;
    }
    entry = declare_name(import, (Name){.name = name, .kind = NAME_INPUT, .index = index, .made = true});
    entry->input_index = index;
    Value *value = entry->value = new_value(import, name);
    value->is_input = true;
    if (info->type != NULL) import_type(import, info->type, value);
    else if (scope->parent == NULL) import_fail(import, STATUS_INVALID, "it has no type");
    list_add(import->arena, &scope->graph->inputs, value);
}

Value *import_use(Import *import, const char *name, const char *what, size_t index) {
    if (name[0] == '\0') return NULL;
    const Name *found = find_name(import->scope, name);
    if (found == NULL)
        import_fail(import, STATUS_INVALID,
                    "%s %zu is %s, which nothing makes: no input, initializer or node has this name", what, index,
                    quoted(name));
    if (!found->made) import->out_of_order = true;
    return found->value;
}

void import_copy(Import *import, Value *from, Value *to) {
    import_charge(import, NODE_COST);
    Node *node = graph_node(import->scope->graph, "Identity", "");
    node->opset = opset_version(import->opsets, "");
    if (node->opset == 0) node->opset = NEWEST_OPSET;
    list_add(import->arena, &node->inputs, from);
    list_add(import->arena, &node->outputs, to);
}

/* The outputs of a graph within a node go by their position: there, values of the graph outside, and one value twice,
 * are as good as any. They are copied, so that each output is a value of the graph's own. */
static Value *own_output(Import *import, const char *name, Value *value) {
    Value *own = graph_value(import->scope->graph, unique_name(import, "", name));
    import_charge(import, VALUE_COST + strlen(name));
    own->type = value->type;
    own->shape = value->shape;
    import_copy(import, value, own);
    return own;
}

static void import_output(Import *import, const Onnx__ValueInfoProto *info, int index) {
    Scope *scope = import->scope;
    const char *name = text_or_empty(info->name);
    import->place = (Place){.kind = "output", .name = name};
    if (name[0] == '\0') import_fail(import, STATUS_INVALID, "output %d has no name", index);
    Value *value = import_use(import, name, "output", (size_t)index);
    Name *own = map_get(&scope->names, name);
    bool twice = own != NULL && own->output_index >= 0;
    if (twice && scope->parent == NULL)
        import_fail(import, STATUS_INVALID, "it is there twice, as output %d and as output %d", own->output_index,
                    index);
    if (own == NULL || twice) value = own_output(import, name, value);
    else own->output_index = index;
    if (value->type == TYPE_NONE && info->type != NULL) {
        import_type(import, info->type, value);
        value->kind = VALUE_TENSOR, value->is_optional = false; /* what it is, is inferred */
    }
    list_add(import->arena, &scope->graph->outputs, value);
}

void declare_outputs(Import *import, Onnx__NodeProto **nodes, size_t count) {
    Scope *scope = import->scope;
    Place outside = import->place;
    for (size_t i = 0; i < count; i++) {
        import->place = (Place){.node = nodes[i], .node_index = (int)i};
        for (size_t k = 0; k < nodes[i]->n_output; k++) {
            const char *name = nodes[i]->output[k];
            if (name[0] == '\0') continue;
            Name entry = {.name = name, .kind = NAME_NODE_OUTPUT, .index = (int)i, .node = nodes[i]};
            Name *declared = declare_name(import, entry);
            Value *outputs_value = scope->is_body ? map_get(&scope->frame->outputs, name) : NULL;
            declared->value = outputs_value != NULL ? outputs_value : new_value(import, name);
        }
    }
    import->place = outside;
}

/* What an imported node is called: in a function's body, by the call first. */
static const char *node_name(Import *import, const Onnx__NodeProto *proto, int index) {
    if (!import->scope->is_body) return text_or_empty(proto->name);
    const char *prefix = import->scope->frame->prefix, *label = node_label(import->arena, proto, index);
    import_charge(import, strlen(prefix) + strlen(label));
    return arena_printf(import->arena, "%s%s", prefix, label);
}

static int node_opset(Import *import, const char *domain) {
    int version = opset_version(import->scope->opsets, domain);
    if (version == 0)
        import_fail(import, STATUS_INVALID,
                    "its domain %s is not imported: the model does not say which version it means",
                    quoted(domain[0] != '\0' ? domain : "ai.onnx"));
    return version;
}

/* How many nodes of its operator came before it in its module. */
static int next_ordinal(Import *import, const Node *node) {
    size_t length = strlen(node->op_type) + strlen(node->scope);
    import_charge(import, length + 2);
    const char *key = arena_printf(import->arena, "%s %s", node->op_type, node->scope);
    int *count = map_get(&import->ordinals, key);
    if (count == NULL) {
        import_charge(import, NAME_COST + length);
        map_set(&import->ordinals, key, count = arena_new_object(import->arena, int));
    }
    return (*count)++;
}

static void import_operator(Import *import, const Onnx__NodeProto *proto, int index) {
    const Frame *frame = import->scope->frame;
    const char *domain = import_domain(proto->domain);
    import_charge(import,
                  NODE_COST + 4 * sizeof(Value *) * (proto->n_input + proto->n_output) + strlen(proto->op_type));
    Node *node = graph_node(import->scope->graph, proto->op_type, node_name(import, proto, index));
    node->domain = domain;
    node->index = frame != NULL ? frame->call_index : index;
    node->opset = node_opset(import, domain);
    node->scope = module_path(import, proto);
    if (node->scope[0] == '\0' && frame != NULL) node->scope = frame->module;
    node->ordinal = next_ordinal(import, node);
    list_add(import->arena, &node->sources,
             node->name[0] != '\0' ? node->name : node_label(import->arena, proto, index));
    for (size_t i = 0; i < proto->n_input; i++)
        list_add(import->arena, &node->inputs, import_use(import, proto->input[i], "input", i));
    for (size_t i = 0; i < proto->n_output; i++) {
        Name *name = map_get(&import->scope->names, proto->output[i]);
        list_add(import->arena, &node->outputs, name == NULL ? NULL : name->value);
    }
    import_attributes(import, proto, node);
    import_gradient(import, node);
}

void import_nodes(Import *import, Onnx__NodeProto **nodes, size_t count) {
    Place outside = import->place;
    for (size_t i = 0; i < count; i++) {
        import->place = (Place){.node = nodes[i], .node_index = (int)i};
        if (text_or_empty(nodes[i]->op_type)[0] == '\0') import_fail(import, STATUS_INVALID, "it has no op_type");
        const Function *function = find_function(import, nodes[i]);
        if (function != NULL) import_call(import, nodes[i], (int)i, function);
        else import_operator(import, nodes[i], (int)i);
        for (size_t k = 0; k < nodes[i]->n_output; k++) {
            Name *name = map_get(&import->scope->names, nodes[i]->output[k]);
            if (name != NULL) name->made = true;
        }
    }
    import->place = outside;
}

Graph *import_graph(Import *import, const Onnx__GraphProto *proto, Scope *outer, const Opsets *opsets) {
    Scope *scope = enter_scope(import);
    if (++scope->graph_depth > MAX_GRAPH_DEPTH)
        import_fail(import, STATUS_INVALID, "graphs are nested more than %d deep", MAX_GRAPH_DEPTH);
    scope->outer = outer;
    if (outer != NULL) scope->frame = outer->frame;
    scope->owner = scope;
    scope->opsets = opsets;
    Graph *graph = scope->graph = graph_new(import->arena, text_or_empty(proto->name));
    graph->outer = scope->parent == NULL ? NULL : scope->parent->graph;
    graph->opset = opset_version(opsets, "");
    import_initializers(import, proto);
    for (size_t i = 0; i < proto->n_input; i++) import_input(import, proto->input[i], (int)i);
    declare_outputs(import, proto->node, proto->n_node);
    import_nodes(import, proto->node, proto->n_node);
    for (size_t i = 0; i < proto->n_output; i++) import_output(import, proto->output[i], (int)i);
    import->place = (Place){0};
    if (graph->outputs.count == 0 && graph->outer == NULL)
        import_fail(import, STATUS_INVALID, "the model has no outputs: there is nothing to compute");
    leave_scope(import);
    return graph;
}
