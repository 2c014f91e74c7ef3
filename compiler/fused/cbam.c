/* The fuser of CBAM: each half becomes an operator of its own, where it has a form that is known. */
#include "fused/fuser.h"
#include "patterns/view.h"
#include "runtime/support.h"

#include <math.h>
#include <string.h>

/* w2 act(w1 p + b1) + b2 for a vector p. */
typedef struct {
    Linear first, second;
    const char *act;
} Mlp;

static bool read_mlp(Graph *graph, Value *value, Mlp *mlp) {
    Value *hidden;
    if (!read_linear(graph, value, &mlp->second)) return false;
    mlp->act = read_formula(graph, mlp->second.x, &hidden);
    return read_linear(graph, hidden, &mlp->first) && mlp->first.outputs == mlp->second.inputs;
}

static bool is_same_constant(Value *a, Value *b) { return a == b || (a != NULL && b != NULL && is_same_tensor(a, b)); }

static bool is_same_layer(const Linear *a, const Linear *b) {
    return is_same_constant(a->weight, b->weight) && is_same_constant(a->bias, b->bias);
}

/* Of the two vectors that an MLP is applied to, one is the mean and the other one the maximum of x. */
static bool are_pools(Value *a, Value *b, Value *x) {
    return (is_channel_mean(a, x) && is_channel_max(b, x)) || (is_channel_mean(b, x) && is_channel_max(a, x));
}

static bool fuse_channel(Graph *graph, const Block *block, Value *x, Value *gate, Value *out) {
    Value *sum;
    Mlp a, b;
    if (!is_fusible_type(x->type) || !is_fusible_shape(&x->shape) || !is_gated(out, x, gate)) return false;
    int64_t channels = x->shape.dims[1].size;
    const char *formula = read_formula(graph, gate, &sum);
    if (*formula == '\0' || !is_node(sum->producer, "Add") || sum->producer->graph != graph) return false;
    if (shape_count(&gate->shape) != x->shape.dims[0].size * channels) return false;
    if (!read_mlp(graph, sum->producer->inputs.items[0], &a) || !read_mlp(graph, sum->producer->inputs.items[1], &b))
        return false;
    if (!is_same_layer(&a.first, &b.first) || !is_same_layer(&a.second, &b.second) || strcmp(a.act, b.act) != 0)
        return false;
    if (a.first.inputs != channels || a.second.outputs != channels || !are_pools(a.first.x, b.first.x, x)) return false;
    Fusion fusion = {
        .op = "CbamChannel",
        .inputs = {x, a.first.weight, a.first.bias, a.second.weight, a.second.bias},
        .input_count = 5,
        .output = out,
        .extras = {view_root(gate)},
        .extra_count = 1,
    };
    Node *node = fusion_apply(graph, block, &fusion);
    if (node == NULL) return false;
    node_set_string(node, "act", a.act);
    node_set_string(node, "gate", formula);
    return true;
}

/* The spatial half. */

typedef struct {
    const char *formula;
    const Node *conv;
    Value *weight, *bias;
    int mean; /* which plane of the convolution's input is the mean */
} Spatial;

static Value *number_constant(Graph *graph, const char *name, Type type, double number) {
    Shape shape = shape_of(1, (int64_t[]){1});
    Tensor *tensor = tensor_new(graph->arena, type, &shape);
    if (type == TYPE_DOUBLE) *(double *)tensor->data = number;
    else *(float *)tensor->data = (float)number;
    return graph_constant(graph, graph_free_name(graph, name), tensor);
}

static Value *scaled_constant(Graph *graph, const Value *value, double factor) {
    Tensor *tensor = tensor_new(graph->arena, value->type, &value->shape);
    for (int64_t i = 0; i < tensor_count(tensor); i++) {
        double number = tensor_number(value->constant, i) * factor;
        if (value->type == TYPE_DOUBLE) ((double *)tensor->data)[i] = number;
        else ((float *)tensor->data)[i] = (float)number;
    }
    return graph_constant(graph, graph_free_name(graph, value->name), tensor);
}

/* Lets weights and bias of the one channel take in a BatchNormalization behind them. */
static bool take_batchnorm(Graph *graph, const Node *norm, Spatial *spatial) {
    double constants[5] = {0}; /* scale, bias, mean, variance from 1 on */
    for (int i = 1; i < 5; i++) {
        const Value *value = norm->inputs.items[i];
        if (value->constant == NULL || tensor_count(value->constant) != 1) return false;
        constants[i] = tensor_number(value->constant, 0);
    }
    double factor = constants[1] / sqrt(constants[4] + (double)attr_float(norm, "epsilon"));
    double bias = spatial->bias == NULL ? 0 : tensor_number(spatial->bias->constant, 0);
    bias = (bias - constants[3]) * factor + constants[2];
    spatial->bias = number_constant(graph, norm->inputs.items[2]->name, spatial->weight->type, bias);
    spatial->weight = scaled_constant(graph, spatial->weight, factor);
    return true;
}

/* Whether a value is the mean, or the maximum, over the channels of x. */
static bool is_over_channels(Value *value, Value *x, const char *op_type) {
    const Node *node = view_root(value)->producer;
    if (!is_node(node, op_type) || view_root(node->inputs.items[0]) != view_root(x)) return false;
    const Value *given = node_input(node, 1);
    if (given != NULL && given->constant == NULL) return false;
    int count;
    const int64_t *axes;
    bool fits = node_ints(node, "axes", 1, &axes, &count) && count == 1;
    return fits && node->inputs.items[0]->shape.rank == 4 && node_axis(node, axes[0], 4) == 1;
}

static bool read_planes(Value *planes, Value *x, Spatial *spatial) {
    const Node *concat = view_root(planes)->producer;
    if (!is_node(concat, "Concat") || concat->inputs.count != 2) return false;
    if (node_axis(concat, attr_int(concat, "axis"), 4) != 1) return false;
    Value *a = concat->inputs.items[0], *b = concat->inputs.items[1];
    spatial->mean = is_over_channels(a, x, "ReduceMean") ? 0 : 1;
    return is_over_channels(spatial->mean == 0 ? a : b, x, "ReduceMean") &&
           is_over_channels(spatial->mean == 0 ? b : a, x, "ReduceMax");
}

/* A convolution of two planes to one of the same size, with a stride of 1. */
static bool read_conv(const Graph *graph, const Node *conv, Value *x, Spatial *spatial) {
    if (!is_node(conv, "Conv") || conv->graph != graph) return false;
    const Shape *shape = &x->shape, *planes = &conv->inputs.items[0]->shape, *made = &conv->outputs.items[0]->shape;
    spatial->conv = conv, spatial->weight = conv->inputs.items[1], spatial->bias = node_input(conv, 2);
    if (spatial->weight->constant == NULL || (spatial->bias != NULL && spatial->bias->constant == NULL)) return false;
    if (planes->rank != 4 || planes->dims[1].size != 2 || made->dims[1].size != 1 || attr_int(conv, "group") != 1)
        return false;
    for (int d = 2; d < 4; d++)
        if (made->dims[d].size != shape->dims[d].size || planes->dims[d].size != shape->dims[d].size) return false;
    int count;
    const int64_t *strides = attr_ints(conv, "strides", &count);
    for (int i = 0; i < count; i++)
        if (strides[i] != 1) return false;
    return *attr_string(conv, "auto_pad") == 'N' && read_planes(conv->inputs.items[0], x, spatial); /* NOTSET */
}

static bool read_spatial(Graph *graph, Value *gate, Value *x, Spatial *spatial) {
    Value *map;
    spatial->formula = read_formula(graph, gate, &map);
    const Node *norm = is_node(map->producer, "BatchNormalization") ? map->producer : NULL;
    if (norm != NULL) map = view_root(norm->inputs.items[0]);
    if (*spatial->formula == '\0' || !read_conv(graph, map->producer, x, spatial)) return false;
    return norm == NULL || take_batchnorm(graph, norm, spatial);
}

static void copy_ints(Node *node, const char *attribute, const Node *from) {
    int count;
    const int64_t *values = attr_ints(from, attribute, &count);
    if (count > 0) node_set_ints(node, attribute, values, count);
}

static bool fuse_spatial(Graph *graph, const Block *block, Value *x, Value *gate, Value *out) {
    Spatial spatial;
    const Shape *shape = &x->shape;
    if (!is_fusible_type(x->type) || !is_fusible_shape(shape) || shape->rank != 4 || !is_gated(out, x, gate))
        return false;
    if (shape_count(&gate->shape) != shape_count(shape) / shape->dims[1].size) return false;
    if (!read_spatial(graph, gate, x, &spatial)) return false;
    Fusion fusion = {.op = "CbamSpatial",
                     .inputs = {x, spatial.weight, spatial.bias},
                     .input_count = 3,
                     .output = out,
                     .extras = {view_root(gate)},
                     .extra_count = 1};
    const Node *conv = spatial.conv;
    Node *node = fusion_apply(graph, block, &fusion);
    if (node == NULL) return false;
    node_set_string(node, "gate", spatial.formula);
    node_set_int(node, "mean", spatial.mean);
    copy_ints(node, "dilations", conv);
    copy_ints(node, "pads", conv);
    return true;
}

static bool fuse_cbam(Graph *graph, Block *block) {
    Value *x = block_tensor(block, "x"), *channel = block_tensor(block, "channel"), *out = block_tensor(block, "out");
    Value *refined = block_tensor(block, "refined"), *spatial = block_tensor(block, "spatial");
    bool fused = false;
    if (x == NULL || out == NULL) return false;
    if (channel != NULL) fused = fuse_channel(graph, block, x, channel, spatial != NULL ? refined : out);
    if (spatial != NULL) fused |= fuse_spatial(graph, block, refined != NULL ? refined : x, spatial, out);
    return fused;
}

const Fuser FUSERS_cbam[] = {{"cbam", fuse_cbam}, {0}};
