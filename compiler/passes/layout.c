/* Layout: a Transpose that puts the channels of a map last moves behind what commutes with it (elementwise operators,
 * Concat, reductions), until it meets its inverse and both go. TensorFlow's exporter leaves such pairs around products
 * with a gate; patterns and kernels then see maps as [N C H W] only. */
#include "ops/op.h"
#include "passes/pass.h"

#include <string.h>

static bool is_op(const Node *node, const char *op_type) {
    return node != NULL && node->domain[0] == '\0' && strcmp(node->op_type, op_type) == 0;
}

/* The dimension of [N C H W] that is dimension d of [N H W C], and the other way round. */
static int channels_first(int d, int rank) { return d == 0 ? 0 : d == rank - 1 ? 1 : d + 1; }
static int channels_last(int d, int rank) { return d == 0 ? 0 : d == 1 ? rank - 1 : d - 1; }

/* Whether a node is a Transpose of a map by one of those two. */
static bool transposes_by(const Node *node, int (*from)(int d, int rank)) {
    const Attribute *perm = is_op(node, "Transpose") ? node_attribute(node, "perm") : NULL;
    if (perm == NULL || perm->count < 4) return false;
    for (int d = 0; d < perm->count; d++)
        if (perm->integers[d] != from(d, perm->count)) return false;
    return true;
}

/* The map [N C H W] of which a value is the form [N H W C]; NULL where it is no such. What a Reshape made is more
 * likely split into heads than a map, and is left alone. */
static Value *map_behind(const Value *value) {
    if (!transposes_by(value->producer, channels_first)) return NULL;
    Value *map = value->producer->inputs.items[0];
    return is_op(map->producer, "Reshape") ? NULL : map;
}

/* Whether a shape, aligned at its end with [N H W C], has only ones in H and W, or a one in C: then putting its
 * channels first leaves its elements in their order. */
static bool moves_ones_only(const Shape *shape, int rank) {
    bool flat = true;
    for (int d = 0; d < shape->rank - 1; d++) flat &= d + rank - shape->rank == 0 || shape->dims[d].size == 1;
    return flat || shape->dims[shape->rank - 1].size == 1;
}

/* Whether an input of a node over [N H W C] can be had for [N C H W] for nothing. */
static bool can_follow(const Value *value, int rank) {
    if (map_behind(value) != NULL) return value->shape.rank == rank;
    if (value->shape.rank < 0 || value->shape.rank > rank || !moves_ones_only(&value->shape, rank)) return false;
    return value->shape.rank == rank || value->constant != NULL;
}

static Node *transpose(Graph *graph, NodeList *nodes, Value *from, Value *to, int (*dimension)(int d, int rank)) {
    int64_t perm[MAX_RANK];
    for (int d = 0; d < from->shape.rank; d++) perm[d] = dimension(d, from->shape.rank);
    Node *node = graph_node(graph, "Transpose", "");
    node->op = op_find("", "Transpose");
    node->version = node->op->versions[0];
    node_set_ints(node, "perm", perm, from->shape.rank);
    list_add(graph->arena, &node->inputs, from);
    list_add(graph->arena, &node->outputs, to);
    list_add(graph->arena, nodes, node);
    to->producer = node;
    op_infer(node);
    return node;
}

static Value *value_named_after(Graph *graph, const Value *value) {
    const char *name = arena_printf(graph->arena, "%s_channels_first", value->name);
    return graph_value(graph, graph_free_name(graph, name));
}

/* A constant of which only ones move. */
static Value *reshaped(Graph *graph, const Value *value, int rank) {
    const Tensor *constant = value->constant;
    Tensor *tensor = arena_new_object(graph->arena, Tensor);
    *tensor = *constant;
    tensor->shape.rank = rank;
    for (int d = 0; d < rank; d++) {
        int from = d + constant->shape.rank - rank;
        tensor->shape.dims[channels_first(d, rank)] = from < 0 ? dim_known(1) : constant->shape.dims[from];
    }
    Value *result = value_named_after(graph, value);
    result->type = tensor->type, result->shape = tensor->shape, result->constant = tensor;
    return result;
}

/* An input that can follow, for [N C H W]. */
static Value *follow(Graph *graph, NodeList *nodes, Value *value, int rank) {
    Value *map = map_behind(value);
    if (map != NULL) return map;
    if (value->constant != NULL) return value->shape.rank == 0 ? value : reshaped(graph, value, rank);
    Value *result = value_named_after(graph, value);
    transpose(graph, nodes, value, result, channels_last);
    return result;
}

/* The node makes a new value with channels first, and a Transpose behind it what it made before. */
static void put_before_transpose(Graph *graph, NodeList *nodes, Node *node) {
    Value *old = node->outputs.items[0], *made = value_named_after(graph, old);
    node->outputs.items[0] = made;
    made->producer = node;
    op_infer(node);
    list_add(graph->arena, nodes, node);
    transpose(graph, nodes, made, old, channels_first)->scope = node->scope;
}

/* Elementwise operators, and Concat along any axis. */
static bool sink_elementwise(Graph *graph, NodeList *nodes, Node *node) {
    bool concat = is_op(node, "Concat"), any = false;
    if ((node->op->formula == NULL && !concat) || node->outputs.count != 1) return false;
    int rank = node->outputs.items[0]->shape.rank;
    if (rank < 4) return false;
    for (int i = 0; i < node->inputs.count; i++) {
        const Value *input = node->inputs.items[i];
        if (input == NULL) continue;
        if (!can_follow(input, rank)) return false;
        any |= map_behind(input) != NULL;
    }
    if (!any) return false;
    for (int i = 0; i < node->inputs.count; i++)
        if (node->inputs.items[i] != NULL) node->inputs.items[i] = follow(graph, nodes, node->inputs.items[i], rank);
    if (concat) node_set_int(node, "axis", channels_first(node_axis(node, attr_int(node, "axis"), rank), rank));
    put_before_transpose(graph, nodes, node);
    return true;
}

/* The axes that a reduction is along, for [N C H W], in place of those for [N H W C]. */
static void set_axes(Node *node, const int64_t *axes, int count) {
    if (node_input(node, 1) == NULL) {
        node_set_ints(node, "axes", axes, count);
        return;
    }
    Graph *graph = node->graph;
    Value *old = node->inputs.items[1];
    node->inputs.items[1] =
        graph_constant(graph, graph_free_name(graph, old->name), tensor_ints(graph->arena, axes, count));
}

/* Reductions along the channels, or along all of a map: then also those that leave nothing where they reduced. */
static bool sink_reduction(Graph *graph, NodeList *nodes, Node *node) {
    if (node->domain[0] != '\0' || strncmp(node->op_type, "Reduce", 6) != 0) return false;
    Value *map = map_behind(node->inputs.items[0]);
    const Value *given = node_input(node, 1);
    if (map == NULL || map->shape.rank < 4 || (given != NULL && given->constant == NULL)) return false;
    const int64_t *axes;
    int count, rank = map->shape.rank;
    if (!node_ints(node, "axes", 1, &axes, &count) || count == 0 || count > rank) return false;
    int64_t moved[MAX_RANK];
    bool channels = false, spatial = count == rank - 2;
    for (int i = 0; i < count; i++) {
        int axis = node_axis(node, axes[i], rank);
        channels |= axis == rank - 1;
        spatial &= axis > 0 && axis < rank - 1;
        moved[i] = channels_first(axis, rank);
    }
    bool keep = attr_int(node, "keepdims") != 0;
    if (!keep && !channels && !spatial) return false;
    node->inputs.items[0] = map;
    set_axes(node, moved, count);
    if (keep) put_before_transpose(graph, nodes, node);
    else list_add(graph->arena, nodes, node);
    return true;
}

/* A Transpose that meets its inverse. What is known by its name stays. */
static bool cancel(Graph *graph, Node *node) {
    Value *map = transposes_by(node, channels_last) ? map_behind(node->inputs.items[0]) : NULL;
    if (map == NULL || node->outputs.items[0]->is_output || node->outputs.items[0]->is_probed) return false;
    graph_replace(graph, node->outputs.items[0], map);
    return true;
}

void pass_layout(Graph *graph, const PassOptions *options) {
    NodeList nodes = {0};
    bool changed = false;
    for (int i = 0, count = graph->nodes.count; i < count; i++) {
        Node *node = graph->nodes.items[i];
        if (cancel(graph, node) || sink_elementwise(graph, &nodes, node) || sink_reduction(graph, &nodes, node))
            changed = true;
        else list_add(graph->arena, &nodes, node);
    }
    graph->nodes = nodes;
    graph_prune(graph);
    if (changed) pass_normalise(graph, options); /* a mean over axes 1 and 2 is one over 2 and 3 now */
}
