/* Import of attributes: one of the fields of AttributeProto, the one that its type names.
 * In a function's body an attribute may stand for an argument of the call. */
#include "load/import.h"

#include <stdlib.h>
#include <string.h>

#define TYPE(name) ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__##name

static const char *const type_names[] = {
    [TYPE(UNDEFINED)] = "none",
    [TYPE(FLOAT)] = "FLOAT",
    [TYPE(INT)] = "INT",
    [TYPE(STRING)] = "STRING",
    [TYPE(TENSOR)] = "TENSOR",
    [TYPE(GRAPH)] = "GRAPH",
    [TYPE(FLOATS)] = "FLOATS",
    [TYPE(INTS)] = "INTS",
    [TYPE(STRINGS)] = "STRINGS",
    [TYPE(TENSORS)] = "TENSORS",
    [TYPE(GRAPHS)] = "GRAPHS",
    [TYPE(SPARSE_TENSOR)] = "SPARSE_TENSOR",
    [TYPE(TYPE_PROTO)] = "TYPE_PROTO",
    [TYPE(SPARSE_TENSORS)] = "SPARSE_TENSORS",
    [TYPE(TYPE_PROTOS)] = "TYPE_PROTOS",
};
enum { TYPES = sizeof type_names / sizeof *type_names };

/* How many values the field for a type holds. */
static size_t value_count(const Onnx__AttributeProto *proto, int type) {
    switch (type) {
    case TYPE(FLOAT): return (size_t)proto->has_f;
    case TYPE(INT): return (size_t)proto->has_i;
    case TYPE(STRING): return (size_t)proto->has_s;
    case TYPE(TENSOR): return proto->t != NULL;
    case TYPE(GRAPH): return proto->g != NULL;
    case TYPE(FLOATS): return proto->n_floats;
    case TYPE(INTS): return proto->n_ints;
    case TYPE(STRINGS): return proto->n_strings;
    case TYPE(TENSORS): return proto->n_tensors;
    case TYPE(GRAPHS): return proto->n_graphs;
    case TYPE(SPARSE_TENSOR): return proto->sparse_tensor != NULL;
    case TYPE(SPARSE_TENSORS): return proto->n_sparse_tensors;
    case TYPE(TYPE_PROTO): return proto->tp != NULL;
    case TYPE(TYPE_PROTOS): return proto->n_type_protos;
    default: return 0;
    }
}

/* The type that an attribute has: what it says, and what it holds does not contradict. Writers that leave out zeros
 * (proto3) give nothing for 0, 0.0 and "". */
static int attribute_type(Import *import, const Onnx__AttributeProto *proto) {
    int type = proto->has_type ? (int)proto->type : TYPE(UNDEFINED), holds = TYPE(UNDEFINED);
    if (type < 0 || type >= TYPES) import_fail(import, STATUS_INVALID, "there is no attribute type %d", type);
    for (int i = 0; i < TYPES; i++) {
        if (value_count(proto, i) == 0) continue;
        if (holds != TYPE(UNDEFINED))
            import_fail(import, STATUS_INVALID, "it has two values, %s and %s", type_names[holds], type_names[i]);
        holds = i;
    }
    if (type == TYPE(UNDEFINED)) type = holds;
    if (type == TYPE(UNDEFINED)) import_fail(import, STATUS_INVALID, "it has no type and no value");
    if (holds != TYPE(UNDEFINED) && holds != type)
        import_fail(import, STATUS_INVALID, "its type is %s, but it holds %s", type_names[type], type_names[holds]);
    if (holds == TYPE(UNDEFINED) && (type == TYPE(TENSOR) || type == TYPE(GRAPH)))
        import_fail(import, STATUS_INVALID, "its type is %s, but it holds none", type_names[type]);
    return type;
}

Argument resolve_attribute(Import *import, const Onnx__AttributeProto *proto) {
    const char *reference = text_or_empty(proto->ref_attr_name);
    Scope *scope = import->scope;
    if (reference[0] == '\0') return (Argument){proto, scope};
    if (scope->frame == NULL)
        import_fail(import, STATUS_INVALID, "it refers to a function's attribute %s, but is in no function",
                    quoted(reference));
    for (int i = 0; i < TYPES; i++)
        if (value_count(proto, i) > 0)
            import_fail(import, STATUS_INVALID, "it has a value, and refers to another attribute");
    const Argument *argument = map_get(&scope->frame->arguments, reference);
    if (argument == NULL) return (Argument){NULL, NULL};
    if (proto->has_type && proto->type != TYPE(UNDEFINED) &&
        (int)proto->type != attribute_type(import, argument->proto))
        import_fail(import, STATUS_INVALID, "its type is %s, but it refers to %s, which is %s",
                    (int)proto->type < TYPES ? type_names[proto->type] : "unknown", quoted(reference),
                    type_names[attribute_type(import, argument->proto)]);
    return *argument;
}

static void *allocate(Import *import, size_t count, size_t width) {
    size_t size = checked_product(count, width);
    import_charge(import, size);
    return arena_alloc(import->arena, size);
}

/* Bytes as a terminated text; "" where there is a NUL in them, which is reported. */
static const char *import_string(Import *import, ProtobufCBinaryData bytes) {
    if (bytes.len == 0) return "";
    if (memchr(bytes.data, 0, bytes.len) != NULL) {
        import_unsupported(import, "its string has a NUL in it");
        return "";
    }
    char *text = allocate(import, bytes.len + 1, 1);
    return memcpy(text, bytes.data, bytes.len);
}

static const char **import_strings(Import *import, const ProtobufCBinaryData *strings, size_t count) {
    const char **texts = allocate(import, count, sizeof *texts);
    for (size_t i = 0; i < count; i++) texts[i] = import_string(import, strings[i]);
    return texts;
}

static Tensor **import_tensors(Import *import, Onnx__TensorProto **protos, size_t count) {
    Tensor **tensors = allocate(import, count, sizeof *tensors);
    for (size_t i = 0; i < count; i++) tensors[i] = import_tensor(import, protos[i]);
    return tensors;
}

/* A graph that a node holds: the names of scope are visible in it. */
static Graph *import_inner(Import *import, const Onnx__GraphProto *proto, Scope *scope) {
    return import_graph(import, proto, scope, scope->opsets);
}

static Graph **import_graphs(Import *import, Onnx__GraphProto **protos, size_t count, Scope *scope) {
    Graph **graphs = allocate(import, count, sizeof *graphs);
    for (size_t i = 0; i < count; i++) graphs[i] = import_inner(import, protos[i], scope);
    return graphs;
}

/* Fills *attribute from an argument; false where fovea does not support it, which is reported. */
static bool import_value(Import *import, Argument argument, Attribute *attribute) {
    const Onnx__AttributeProto *proto = argument.proto;
    int type = attribute_type(import, proto);
    attribute->count = type < TYPE(FLOATS) ? 1 : (int)value_count(proto, type);
    switch (type) {
    case TYPE(FLOAT): attribute->kind = ATTRIBUTE_FLOAT, attribute->number = proto->f; return true;
    case TYPE(INT): attribute->kind = ATTRIBUTE_INT, attribute->integer = proto->i; return true;
    case TYPE(STRING):
        attribute->kind = ATTRIBUTE_STRING, attribute->string = import_string(import, proto->s);
        return true;
    case TYPE(TENSOR):
        attribute->kind = ATTRIBUTE_TENSOR, attribute->tensor = import_tensor(import, proto->t);
        return attribute->tensor != NULL;
    case TYPE(GRAPH):
        attribute->kind = ATTRIBUTE_GRAPH, attribute->graph = import_inner(import, proto->g, argument.scope);
        return true;
    case TYPE(FLOATS): attribute->kind = ATTRIBUTE_FLOATS, attribute->numbers = proto->floats; return true;
    case TYPE(INTS): attribute->kind = ATTRIBUTE_INTS, attribute->integers = proto->ints; return true;
    case TYPE(STRINGS):
        attribute->kind = ATTRIBUTE_STRINGS;
        attribute->strings = import_strings(import, proto->strings, proto->n_strings);
        return true;
    case TYPE(TENSORS):
        attribute->kind = ATTRIBUTE_TENSORS;
        attribute->tensors = import_tensors(import, proto->tensors, proto->n_tensors);
        return true;
    case TYPE(GRAPHS):
        attribute->kind = ATTRIBUTE_GRAPHS;
        attribute->graphs = import_graphs(import, proto->graphs, proto->n_graphs, argument.scope);
        return true;
    case TYPE(TYPE_PROTO): attribute->kind = ATTRIBUTE_TYPE_PROTO; return true;
    default: import_unsupported(import, "it holds %s, which fovea does not support", type_names[type]); return false;
    }
}

static int compare_names(const void *a, const void *b) {
    const Onnx__AttributeProto *const *left = a, *const *right = b;
    return strcmp(text_or_empty((*left)->name), text_or_empty((*right)->name));
}

static int position(Onnx__AttributeProto *const *attributes, const Onnx__AttributeProto *attribute) {
    int i = 0;
    while (attributes[i] != attribute) i++;
    return i;
}

void check_attribute_names(Import *import, Onnx__AttributeProto *const *attributes, size_t count) {
    if (count == 0) return;
    Onnx__AttributeProto **sorted = allocate(import, count, sizeof *sorted);
    memcpy(sorted, attributes, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_names);
    if (text_or_empty(sorted[0]->name)[0] == '\0') import_fail(import, STATUS_INVALID, "an attribute has no name");
    for (size_t i = 1; i < count; i++) {
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) != 0) continue;
        int a = position(attributes, sorted[i - 1]), b = position(attributes, sorted[i]);
        import_fail(import, STATUS_INVALID, "the attribute %s is there twice, as attribute %d and as attribute %d",
                    quoted(sorted[i]->name), a < b ? a : b, a < b ? b : a);
    }
}

void import_attributes(Import *import, const Onnx__NodeProto *proto, Node *node) {
    check_attribute_names(import, proto->attribute, proto->n_attribute);
    for (size_t i = 0; i < proto->n_attribute; i++) {
        import->place.kind = "attribute";
        import->place.name = proto->attribute[i]->name;
        Argument argument = resolve_attribute(import, proto->attribute[i]);
        Attribute attribute = {.name = proto->attribute[i]->name};
        import_charge(import, 2 * sizeof attribute);
        /* An argument that the call leaves out, and that has no default, leaves the attribute out. */
        if (argument.proto != NULL && import_value(import, argument, &attribute))
            list_add(import->arena, &node->attributes, attribute);
    }
    import->place.kind = NULL;
}
