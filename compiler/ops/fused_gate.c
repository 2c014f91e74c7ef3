/* Fused gates: squeeze and excitation and its kin, and the two halves of CBAM.
 * Weights are [R][C], and [C][C] with a row for each output; formulas are texts, as fused.h has them. A kernel makes
 * the gates, and a loop the product, so that it can be written over x and takes in what follows. */
#include "ops/fused.h"

static void infer_gate(Node *node) {
    const Shape *x = &node->inputs.items[0]->shape;
    infer_same(node);
    for (int i = 1; i < node->outputs.count; i++) {
        node->outputs.items[i]->shape = *x;
        node->outputs.items[i]->shape.rank = 2;
    }
}

/* The spatial gates are a map of one channel. */
static void infer_spatial(Node *node) {
    infer_same(node);
    node->outputs.items[1]->shape = node->inputs.items[0]->shape;
    node->outputs.items[1]->shape.dims[1] = dim_known(1);
}

typedef struct {
    int64_t n, c, r, size; /* r: rows of the first weights */
} Sizes;

static Sizes sizes_of(const Node *node) {
    const Shape *x = &node->inputs.items[0]->shape;
    return (Sizes){x->dims[0].size, x->dims[1].size, node->inputs.items[1]->shape.dims[0].size,
                   shape_product(x, 2, x->rank)};
}

static Buffer *scratch(Program *program, const Node *node, int64_t count) {
    return program_scratch(program, type_info(node->inputs.items[0]->type)->compute, count);
}

/* Appends y = x * gates, over [N][C][SIZE], with the strides of the gates. */
static void append_product(Program *program, const Node *node, Buffer *gates, const int64_t *strides) {
    const Value *x = node->inputs.items[0], *y = node->outputs.items[0];
    Sizes sizes = sizes_of(node);
    const int64_t extents[] = {sizes.n, sizes.c, sizes.size}, whole[] = {sizes.c * sizes.size, sizes.size, 1};
    Loop *loop = step_loop(program, 3, extents);
    int factors[2];
    factors[0] = loop_input(loop, program_buffer(program, x), 0, whole);
    factors[1] = loop_input(loop, gates, 0, strides);
    loop_apply(loop, "multiply", x->type, y->type, 2, factors);
    loop_output(loop, program_buffer(program, y), 0, whole);
    loop_simplify(loop);
}

typedef enum { OF_CHANNELS, OF_PLACES } Gates;

/* Appends a kernel, which is returned with what all kernels of gates have, and the product. */
static Step *gate_steps(Program *program, const Node *node, const char *kernel, Gates kind) {
    Sizes sizes = sizes_of(node);
    const Value *x = node->inputs.items[0];
    int64_t each = kind == OF_CHANNELS ? sizes.c : sizes.size;
    Buffer *gates = program_buffer(program, node->outputs.items[1]);
    Step *step = step_kernel(program, kernel, x->type);
    step_value(program, step, "x", x);
    step_buffer(step, "gates", gates, 0);
    give_formula(program, step, "gate", attr_string(node, "gate"));
    step_size(step, "N", sizes.n), step_size(step, "C", sizes.c);
    append_product(program, node, gates, (int64_t[]){each, kind == OF_CHANNELS, kind == OF_PLACES});
    return step;
}

static void give_two_layers(Program *program, Step *step, const Node *node) {
    static const char *const names[] = {NULL, "w1", "b1", "w2", "b2"};
    Sizes sizes = sizes_of(node);
    for (int i = 1; i < 5; i++) step_value(program, step, names[i], node_input(node, i));
    give_formula(program, step, "act", attr_string(node, "act"));
    step_buffer(step, "sums", scratch(program, node, sizes.c), 0);
    step_size(step, "R", sizes.r), step_size(step, "SIZE", sizes.size);
}

static void lower_squeeze_excitation(Program *program, Node *node) {
    Step *step = gate_steps(program, node, "squeeze_excitation", OF_CHANNELS);
    give_two_layers(program, step, node);
    step_buffer(step, "mean", scratch(program, node, sizes_of(node).c), 0);
    step_value(program, step, "squeeze", node_output(node, 2));
}

static void lower_cbam_channel(Program *program, Node *node) {
    Step *step = gate_steps(program, node, "cbam_channel", OF_CHANNELS);
    give_two_layers(program, step, node);
    step_buffer(step, "pooled", scratch(program, node, 2 * sizes_of(node).c), 0);
}

static Step *one_layer_step(Program *program, const Node *node, const char *kernel) {
    Step *step = gate_steps(program, node, kernel, OF_CHANNELS);
    step_value(program, step, "w", node->inputs.items[1]);
    step_value(program, step, "b", node_input(node, 2));
    step_buffer(step, "mean", scratch(program, node, sizes_of(node).c), 0);
    step_value(program, step, "squeeze", node_output(node, 2));
    step_size(step, "SIZE", sizes_of(node).size);
    return step;
}

static void lower_channel_gate(Program *program, Node *node) { one_layer_step(program, node, "channel_gate"); }

static void lower_channel_gate_conv(Program *program, Node *node) {
    Step *step = one_layer_step(program, node, "channel_gate_conv");
    step_size(step, "K", shape_count(&node->inputs.items[1]->shape));
    step_size(step, "PAD", attr_int(node, "pad"));
}

static void lower_cbam_spatial(Program *program, Node *node) {
    const Shape *x = &node->inputs.items[0]->shape, *w = &node->inputs.items[1]->shape;
    int count;
    const int64_t *dilations = attr_ints(node, "dilations", &count), *pads = attr_ints(node, "pads", &count);
    int64_t height = x->dims[2].size, width = x->dims[3].size, kh = w->dims[2].size, kw = w->dims[3].size;
    int64_t beside = (kw - 1) * dilations[1], pitch = width + beside;
    Step *step = gate_steps(program, node, "cbam_spatial", OF_PLACES);
    step_value(program, step, "w", node->inputs.items[1]);
    step_value(program, step, "b", node_input(node, 2));
    step_size(step, "H", height), step_size(step, "W", width);
    step_size(step, "KH", kh), step_size(step, "KW", kw);
    step_size(step, "DH", dilations[0]), step_size(step, "DW", dilations[1]);
    step_size(step, "PT", pads[0]), step_size(step, "PL", pads[1]);
    step_size(step, "MEAN", attr_int(node, "mean"));
    int64_t padded = 2 * (height + (kh - 1) * dilations[0]) * pitch + beside;
    step_buffer(step, "pooled", scratch(program, node, 2 * height * width), 0);
    step_buffer(step, "padded", scratch(program, node, padded), 0);
    step_buffer(step, "sums", scratch(program, node, height * pitch), 0);
}

/* Of the layers; CBAM's second one is counted as often as the model has it. */
static int64_t macs_squeeze_excitation(const Node *node) {
    Sizes sizes = sizes_of(node);
    return 2 * sizes.n * sizes.c * sizes.r;
}

static int64_t macs_cbam_channel(const Node *node) { return 2 * macs_squeeze_excitation(node); }

static int64_t macs_channel_gate(const Node *node) {
    Sizes sizes = sizes_of(node);
    return sizes.n * sizes.c * sizes.c;
}

static int64_t macs_channel_gate_conv(const Node *node) {
    Sizes sizes = sizes_of(node);
    return sizes.n * sizes.c * shape_count(&node->inputs.items[1]->shape);
}

static int64_t macs_cbam_spatial(const Node *node) {
    Sizes sizes = sizes_of(node);
    return sizes.n * sizes.size * shape_count(&node->inputs.items[1]->shape);
}

const Op OPS_fused_gate[] = {
    {.name = "SqueezeExcitation",
     .domain = FUSED_DOMAIN,
     .versions = {1},
     .inputs = "X:T W1:T B1:T? W2:T B2:T?",
     .outputs = "Y:T Gate:T Squeeze:T?",
     .types = "T: floats",
     .attributes = "act:string! gate:string!",
     .infer = infer_gate,
     .macs = macs_squeeze_excitation,
     .lower = lower_squeeze_excitation},
    {.name = "ChannelGate",
     .domain = FUSED_DOMAIN,
     .versions = {1},
     .inputs = "X:T W:T B:T?",
     .outputs = "Y:T Gate:T Squeeze:T?",
     .types = "T: floats",
     .attributes = "gate:string!",
     .infer = infer_gate,
     .macs = macs_channel_gate,
     .lower = lower_channel_gate},
    {.name = "ChannelGateConv",
     .domain = FUSED_DOMAIN,
     .versions = {1},
     .inputs = "X:T W:T B:T?",
     .outputs = "Y:T Gate:T Squeeze:T?",
     .types = "T: floats",
     .attributes = "gate:string! pad:int!",
     .infer = infer_gate,
     .macs = macs_channel_gate_conv,
     .lower = lower_channel_gate_conv},
    {.name = "CbamChannel",
     .domain = FUSED_DOMAIN,
     .versions = {1},
     .inputs = "X:T W1:T B1:T? W2:T B2:T?",
     .outputs = "Y:T Gate:T",
     .types = "T: floats",
     .attributes = "act:string! gate:string!",
     .infer = infer_gate,
     .macs = macs_cbam_channel,
     .lower = lower_cbam_channel},
    {.name = "CbamSpatial",
     .domain = FUSED_DOMAIN,
     .versions = {1},
     .inputs = "X:T W:T B:T?",
     .outputs = "Y:T Gate:T",
     .types = "T: floats",
     .attributes = "gate:string! mean:int! dilations:ints=1,1 pads:ints=0,0",
     .infer = infer_spatial,
     .macs = macs_cbam_spatial,
     .lower = lower_cbam_spatial},
    {0},
};
