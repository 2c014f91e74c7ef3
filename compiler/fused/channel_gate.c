/* The fuser of squeeze-and-excitation and its kin: of two layers, of one, and of a convolution along the channels. */
#include "fused/fuser.h"
#include "patterns/view.h"

/* x times a gate of one number for each image and channel. */
typedef struct {
    Value *x, *squeeze, *gate, *out;
    const char *formula; /* of the gate */
    Value *sums;         /* what it is applied to */
    int64_t channels;
} Gate;

static bool read_gate(Graph *graph, const Block *block, Gate *gate) {
    *gate = (Gate){.x = block_tensor(block, "x"),
                   .squeeze = block_tensor(block, "squeeze"),
                   .gate = block_tensor(block, "gate"),
                   .out = block_tensor(block, "out")};
    if (gate->x == NULL || gate->squeeze == NULL || gate->gate == NULL || gate->out == NULL) return false;
    gate->squeeze = view_root(gate->squeeze), gate->gate = view_root(gate->gate);
    const Shape *shape = &gate->x->shape;
    if (!is_fusible_type(gate->x->type) || !is_fusible_shape(shape) || !is_channel_mean(gate->squeeze, gate->x))
        return false;
    gate->channels = shape->dims[1].size;
    gate->formula = read_formula(graph, gate->gate, &gate->sums);
    return *gate->formula != '\0' && shape_equal(&gate->out->shape, shape) &&
           shape_count(&gate->gate->shape) == shape->dims[0].size * gate->channels &&
           is_gated(gate->out, gate->x, gate->gate);
}

static Fusion fusion_of(const Gate *gate, const char *op) {
    return (Fusion){
        .op = op, .inputs = {gate->x}, .output = gate->out, .extras = {gate->gate, gate->squeeze}, .extra_count = 2};
}

static bool fuse_two_layers(Graph *graph, const Block *block, const Gate *gate) {
    Linear first, second;
    Value *hidden;
    if (!read_linear(graph, gate->sums, &second) || second.outputs != gate->channels) return false;
    const char *act = read_formula(graph, second.x, &hidden);
    if (!read_linear(graph, hidden, &first) || first.inputs != gate->channels) return false;
    if (first.x != gate->squeeze || first.outputs != second.inputs) return false;
    Fusion fusion = fusion_of(gate, "SqueezeExcitation");
    Value *const inputs[] = {first.weight, first.bias, second.weight, second.bias};
    fusion.input_count = 5;
    for (int i = 0; i < 4; i++) fusion.inputs[i + 1] = inputs[i];
    Node *node = fusion_apply(graph, block, &fusion);
    if (node == NULL) return false;
    node_set_string(node, "act", act);
    node_set_string(node, "gate", gate->formula);
    return true;
}

static bool fuse_one_layer(Graph *graph, const Block *block, const Gate *gate) {
    Linear layer;
    if (!read_linear(graph, gate->sums, &layer) || layer.x != gate->squeeze) return false;
    if (layer.inputs != gate->channels || layer.outputs != gate->channels) return false;
    Fusion fusion = fusion_of(gate, "ChannelGate");
    fusion.inputs[1] = layer.weight, fusion.inputs[2] = layer.bias, fusion.input_count = 3;
    Node *node = fusion_apply(graph, block, &fusion);
    if (node != NULL) node_set_string(node, "gate", gate->formula);
    return node != NULL;
}

/* All numbers of a list are one; a list that is not given is. */
static bool all_ones(const Node *node, const char *attribute) {
    int count;
    const int64_t *values = attr_ints(node, attribute, &count);
    for (int i = 0; i < count; i++)
        if (values[i] != 1) return false;
    return true;
}

/* A convolution over [N][1][C] that keeps C. */
static bool fuse_conv(Graph *graph, const Block *block, const Gate *gate) {
    const Node *conv = gate->sums->producer;
    if (!is_node(conv, "Conv") || conv->graph != graph) return false;
    const Value *x = conv->inputs.items[0], *weight = conv->inputs.items[1];
    const Shape *shape = &x->shape;
    bool fits = shape->rank == 3 && shape->dims[1].size == 1 && shape->dims[2].size == gate->channels;
    fits = fits && view_root(conv->inputs.items[0]) == gate->squeeze && weight->constant != NULL;
    fits = fits && weight->shape.dims[0].size == 1 && shape_equal(&conv->outputs.items[0]->shape, shape);
    Value *bias = node_input(conv, 2);
    if (!fits || (bias != NULL && bias->constant == NULL)) return false;
    if (!all_ones(conv, "strides") || !all_ones(conv, "dilations")) return false;
    if (*attr_string(conv, "auto_pad") != 'N') return false; /* NOTSET */
    int count;
    const int64_t *pads = attr_ints(conv, "pads", &count);
    Fusion fusion = fusion_of(gate, "ChannelGateConv");
    fusion.inputs[1] = conv->inputs.items[1], fusion.inputs[2] = bias, fusion.input_count = 3;
    Node *node = fusion_apply(graph, block, &fusion);
    if (node == NULL) return false;
    node_set_int(node, "pad", count > 0 ? pads[0] : 0);
    node_set_string(node, "gate", gate->formula);
    return true;
}

static bool fuse_channel_gate(Graph *graph, Block *block) {
    Gate gate;
    if (!read_gate(graph, block, &gate)) return false;
    return fuse_two_layers(graph, block, &gate) || fuse_one_layer(graph, block, &gate) ||
           fuse_conv(graph, block, &gate);
}

const Fuser FUSERS_channel_gate[] = {{"channel_gate", fuse_channel_gate}, {0}};
