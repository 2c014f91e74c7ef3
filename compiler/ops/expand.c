/* Expansion: making nodes in place of one, and giving them its outputs. */
#include "ops/expand.h"

#include "base/checked.h"
#include "ops/fused.h"
#include "ops/legacy.h"

#include <string.h>

static Node *add_node(Expansion *e, const Op *op, int count, Value *const *inputs) {
    const Node *original = e->node;
    Graph *graph = original->graph;
    const char *of = original->name[0] != '\0' ? original->name : original->op_type;
    Node *node = node_new(graph, op->name, arena_printf(graph->arena, "%s/%s", of, op->name));
    node->scope = original->scope;
    node->index = original->index;
    node->op = op;
    node->version = op_newest(op);
    for (int i = 0; i < count; i++) list_add(graph->arena, &node->inputs, inputs[i]);
    const char *base = original->outputs.count > 0 && original->outputs.items[0] != NULL
                           ? original->outputs.items[0]->name
                           : original->name;
    Value *output = graph_value(graph, arena_printf(graph->arena, "%s/%s_%d", base, op->name, e->nodes.count));
    output->producer = node;
    list_add(graph->arena, &node->outputs, output);
    list_add(graph->arena, &e->nodes, node);
    return node;
}

Node *expand_node_of(Expansion *e, const char *op_type, int count, Value *const *inputs) {
    return add_node(e, op_find("", op_type), count, inputs);
}

Node *expand_own_node(Expansion *e, const char *op_type, int count, Value *const *inputs, const ValueList *outputs) {
    Node *node = add_node(e, op_find(FUSED_DOMAIN, op_type), count, inputs);
    node->domain = FUSED_DOMAIN;
    node->opset = node->version;
    if (outputs == NULL) return node;
    node->outputs = *outputs;
    for (int i = 0; i < outputs->count; i++)
        if (outputs->items[i] != NULL) outputs->items[i]->producer = node;
    return node;
}

Value *expand_value(Node *node) {
    op_infer(node);
    return node->outputs.items[0];
}

static Value *constant(Expansion *e, Tensor *tensor) {
    Graph *graph = e->node->graph;
    return graph_constant(graph, arena_printf(graph->arena, "%s/constant", e->node->name), tensor);
}

Value *expand_ints(Expansion *e, int count, const int64_t *values) {
    return constant(e, tensor_ints(e->node->graph->arena, values, count));
}

Value *expand_number(Expansion *e, Type type, double number) {
    return constant(e, tensor_scalar(e->node->graph->arena, type, number));
}

Value *expand_range(Expansion *e, int64_t first, int64_t count, int rank, const int64_t *dims) {
    Shape shape = shape_of(rank, dims);
    Tensor *tensor = tensor_new(e->node->graph->arena, TYPE_INT64, &shape);
    fovea_assert(tensor_count(tensor) == count);
    for (int64_t i = 0; i < count; i++) ((int64_t *)tensor->data)[i] = first + i;
    return constant(e, tensor);
}

Value *expand_scale(Expansion *e, Value *x, double factor) {
    return factor == 1 ? x : expand_op(e, "Mul", x, expand_number(e, x->type, factor));
}

Value *expand_cast(Expansion *e, Value *x, Type type) {
    if (x->type == type) return x;
    Node *node = expand_node(e, "Cast", x);
    node_set_int(node, "to", type);
    return expand_value(node);
}

Value *expand_reshape_to(Expansion *e, Value *x, int rank, const int64_t *sizes) {
    return expand_op(e, "Reshape", x, expand_ints(e, rank, sizes));
}

Value *expand_transpose_to(Expansion *e, Value *x, int rank, const int64_t *perm) {
    Node *node = expand_node(e, "Transpose", x);
    node_set_ints(node, "perm", perm, rank);
    return expand_value(node);
}

Value *expand_unsqueeze(Expansion *e, Value *x, int64_t axis) {
    return expand_op(e, "Unsqueeze", x, expand_ints(e, 1, &axis));
}

Value *expand_pick(Expansion *e, Value *x, int64_t axis, int64_t index) {
    Node *node = expand_node(e, "Gather", x, expand_range(e, index, 1, 0, NULL));
    node_set_int(node, "axis", axis);
    return expand_value(node);
}

Value *expand_concat(Expansion *e, Value *a, Value *b, int64_t axis) {
    Node *node = expand_node(e, "Concat", a, b);
    node_set_int(node, "axis", axis);
    return expand_value(node);
}

Value *expand_slice(Expansion *e, Value *x, int64_t axis, int64_t from, int64_t to, int64_t step) {
    return expand_op(e, "Slice", x, expand_ints(e, 1, &from), expand_ints(e, 1, &to), expand_ints(e, 1, &axis),
                     expand_ints(e, 1, &step));
}

void expand_inherit(Expansion *e, Node *node, const char *const *names) {
    for (; *names != NULL; names++) {
        const Attribute *attribute = node_attribute(e->node, *names);
        if (attribute != NULL) list_add(node->graph->arena, &node->attributes, *attribute);
    }
}

void refuse_input(const Node *node, int i, const char *name) {
    if (node_input(node, i) != NULL)
        node_fail(node, STATUS_UNSUPPORTED, "input %d (%s) is not supported; export the model without it", i, name);
}

void refuse_attribute(const Node *node, const char *name) {
    int64_t value = attr_int(node, name);
    if (value != 0)
        node_fail(node, STATUS_UNSUPPORTED, "%s=%lld is not supported; export the model without it", name,
                  (long long)value);
}

Value *expand_graph(Expansion *e, const char *attribute, Value *x) {
    const Attribute *held = node_attribute(e->node, attribute);
    if (held == NULL) return x;
    Graph *graph = e->node->graph, *inner = held->graph;
    if (inner->inputs.count != 1 || inner->outputs.count != 1)
        node_fail(e->node, STATUS_INVALID, "the graph %s has %d inputs and %d outputs, expected one of each", attribute,
                  inner->inputs.count, inner->outputs.count);
    Value *input = inner->inputs.items[0];
    if (inner->outputs.items[0] == input) return x;
    for (int i = 0; i < inner->values.count; i++) list_add(graph->arena, &graph->values, inner->values.items[i]);
    for (int i = 0; i < inner->nodes.count; i++) {
        Node *node = inner->nodes.items[i];
        for (int k = 0; k < node->inputs.count; k++)
            if (node->inputs.items[k] == input) node->inputs.items[k] = x;
        node->graph = graph;
        list_add(graph->arena, &e->nodes, node);
        op_infer(node);
    }
    return inner->outputs.items[0];
}

static bool made_here(const Expansion *e, const Value *value) {
    for (int i = 0; i < e->nodes.count; i++)
        if (e->nodes.items[i] == value->producer) return true;
    return false;
}

static bool is_original_output(const Expansion *e, const Value *value) {
    for (int i = 0; i < e->node->outputs.count; i++)
        if (e->node->outputs.items[i] == value) return true;
    return false;
}

void expand_output(Expansion *e, int i, Value *value) {
    Value *output = node_output(e->node, i);
    if (output == NULL) return;
    if (!made_here(e, value) || is_original_output(e, value)) value = expand_op(e, "Identity", value);
    ValueList *outputs = &value->producer->outputs;
    for (int k = 0; k < outputs->count; k++)
        if (outputs->items[k] == value) outputs->items[k] = output;
    for (int n = 0; n < e->nodes.count; n++) {
        ValueList *inputs = &e->nodes.items[n]->inputs;
        for (int k = 0; k < inputs->count; k++)
            if (inputs->items[k] == value) inputs->items[k] = output;
    }
    output->producer = value->producer;
    output->type = value->type;
    output->shape = value->shape;
}

/* Lets output i be the first of a node that is inferred later. */
static void make_later(Expansion *e, int i, Node *node) {
    Value *output = e->node->outputs.items[i];
    output->producer = node;
    node->outputs.items[0] = output;
}

void expand_later(Expansion *e, int i, Value *value) {
    if (node_output(e->node, i) != NULL) make_later(e, i, expand_node(e, "Identity", value));
}

void expand_sequence_later(Expansion *e, int i, const ValueList *elements, Type type) {
    if (node_output(e->node, i) == NULL) return;
    if (elements->count == 0 && type == TYPE_NONE)
        node_fail(e->node, STATUS_UNSUPPORTED,
                  "its output %s is an empty sequence of an unknown type; state the types of its body's outputs",
                  quoted(e->node->outputs.items[i]->name));
    Node *sequence = expand_own_node(e, "Sequence", elements->count, elements->items, NULL);
    node_set_int(sequence, "dtype", type);
    make_later(e, i, sequence);
}

void expand_charge(Expansion *e, int64_t nodes) {
    enum { MOST_UNROLLED = 1 << 17 };
    Graph *graph = e->node->graph;
    if (!checked_add(graph->unrolled, nodes, &graph->unrolled) || graph->unrolled > MOST_UNROLLED)
        node_fail(e->node, STATUS_UNSUPPORTED,
                  "loops, sequences and gradients are written out, one iteration, element or node after the other, "
                  "which makes more than %d nodes",
                  MOST_UNROLLED);
}

static bool is_known_but_for_the_batch(const Shape *shape) {
    for (int d = 0; d < shape->rank; d++)
        if (shape->dims[d].size < 0 && (d > 0 || shape->rank == 1)) return false;
    return shape->rank >= 0;
}

bool op_expand(Node *node, NodeList *nodes) {
    bool is_legacy = legacy_broadcasts(node);
    if (node->op->expand == NULL && !is_legacy) return false;
    for (int i = 0; i < node->inputs.count; i++) {
        const Value *input = node->inputs.items[i];
        const bool is_asked = input != NULL && input->kind == VALUE_TENSOR && !op_makes_sequences(node->op);
        if (is_asked && !is_known_but_for_the_batch(&input->shape)) return false;
    }
    Expansion e = {.node = node};
    if (is_legacy) legacy_expand(&e);
    else node->op->expand(&e);
    if (e.nodes.count == 0 && node->op->lower != NULL) return false;
    for (int i = 0; i < node->outputs.count; i++)
        if (node->outputs.items[i] != NULL && node->outputs.items[i]->producer == node &&
            node->outputs.items[i]->kind == VALUE_TENSOR)
            node_fail(node, STATUS_BUG, "its expansion does not make output %d", i);
    *nodes = e.nodes;
    return true;
}
