/* Fused gates: squeeze and excitation and its kin, and the two halves of CBAM.
 * Weights have a row for each output; formulas are texts, as fused.h has them. Pools and linear layers make the gates,
 * and a loop the product, so that it can be written over x and takes in what follows. */
#include "ops/fused.h"
#include "ops/pool.h"
#include "ops/product.h"

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

/* The product lies as x does; there are kernels for floats. */
static MapLayout layout_gate(const Node *node) {
    const Value *x = node->inputs.items[0];
    const bool any = x->type == TYPE_FLOAT;
    return (MapLayout){any ? READS_ANY : READS_ROWS, any && x->shape.channels_last};
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
    return program_scratch(program, node->inputs.items[0]->type, count);
}

/* Vectors that one step of the node makes for another one. */
static const Value *vectors(Program *program, const Node *node, const char *name, int64_t count, int64_t length) {
    Value *value = arena_new_object(program->arena, Value);
    value->name = arena_printf(program->arena, "%s of %s", name, node->outputs.items[0]->name);
    value->type = node->inputs.items[0]->type;
    value->shape = shape_of(2, (int64_t[]){count, length});
    return value;
}

/* The gates are written whole be they probed or not, so that the product does not depend on it. */
static Buffer *gates_of(Program *program, const Node *node) {
    Buffer *gates = program_buffer(program, node->outputs.items[1]);
    gates->is_probed = true;
    return gates;
}

typedef enum { OF_CHANNELS, OF_PLACES } Gates;

/* Strides of a map as [N][C][SIZE]. */
static void strides_of_map(const Shape *shape, int64_t *strides) {
    int64_t all[MAX_RANK];
    strides_of(shape, all);
    strides[0] = all[0], strides[1] = all[1], strides[2] = all[shape->rank - 1];
}

/* Appends y = x * gates, over all elements as they lie. */
static void append_product(Program *program, const Node *node, Gates kind) {
    const Value *x = node->inputs.items[0], *y = node->outputs.items[0];
    Sizes sizes = sizes_of(node);
    const int64_t extents[] = {sizes.n, sizes.c, sizes.size};
    const int64_t channels[] = {sizes.c, 1, 0}, places[] = {sizes.size, 0, 1};
    int64_t map[3];
    int factors[2];
    Loop *loop = step_loop(program, 3, extents);
    strides_of_map(&x->shape, map);
    factors[0] = loop_input(loop, program_buffer(program, x), 0, map);
    factors[1] = loop_input(loop, gates_of(program, node), 0, kind == OF_CHANNELS ? channels : places);
    loop_apply(loop, "multiply", x->type, y->type, 2, factors);
    strides_of_map(&y->shape, map);
    loop_output(loop, program_buffer(program, y), 0, map);
    loop_simplify(loop);
}

/* Appends y = formula(w x + biases * b) for each vector of x, w and b being inputs of the node from `weights` on: a
 * linear layer, whose epilogue the formula becomes. */
static void append_layer(Program *program, const Node *node, const Value *x, int weights, double biases,
                         const char *formula, const Value *y) {
    const Value *w = node->inputs.items[weights];
    const int64_t rows = y->shape.dims[0].size, inputs = w->shape.dims[1].size, outputs = w->shape.dims[0].size;
    const Value *sums = *formula == '\0' ? y : vectors(program, node, "sums", rows, outputs);
    product_emit(program, (Product){.a = x,
                                    .b = w,
                                    .c = node_input(node, weights + 1),
                                    .y = sums,
                                    .batch = 1,
                                    .m = rows,
                                    .k = inputs,
                                    .n = outputs,
                                    .a_m = inputs,
                                    .a_k = 1,
                                    .b_k = 1,
                                    .b_n = inputs,
                                    .c_n = 1,
                                    .alpha = 1,
                                    .beta = biases});
    if (sums == y) return;
    const int64_t count = rows * outputs, along[] = {1};
    Loop *loop = step_loop(program, 1, &count);
    loop_input(loop, program_buffer(program, sums), 0, along);
    loop_formula(program, loop, formula);
    loop_output(loop, program_buffer(program, y), 0, along);
    loop_simplify(loop);
}

/* Appends the mean of each channel, which a probe may show. */
static const Value *append_mean(Program *program, const Node *node) {
    Sizes sizes = sizes_of(node);
    const Value *mean = node_output(node, 2);
    if (mean == NULL) mean = vectors(program, node, "squeeze", sizes.n, sizes.c);
    global_pool_step(program, "global_average_pool", node->inputs.items[0], program_buffer(program, mean), 0);
    return mean;
}

static void lower_squeeze_excitation(Program *program, Node *node) {
    Sizes sizes = sizes_of(node);
    const Value *hidden = vectors(program, node, "hidden", sizes.n, sizes.r);
    append_layer(program, node, append_mean(program, node), 1, 1, attr_string(node, "act"), hidden);
    append_layer(program, node, hidden, 3, 1, attr_string(node, "gate"), node->outputs.items[1]);
    append_product(program, node, OF_CHANNELS);
}

static void lower_channel_gate(Program *program, Node *node) {
    append_layer(program, node, append_mean(program, node), 1, 1, attr_string(node, "gate"), node->outputs.items[1]);
    append_product(program, node, OF_CHANNELS);
}

static void lower_channel_gate_conv(Program *program, Node *node) {
    Sizes sizes = sizes_of(node);
    const int64_t taps = shape_count(&node->inputs.items[1]->shape);
    const Value *mean = append_mean(program, node);
    Step *step = step_kernel(program, "channel_gate_conv", mean->type);
    step_value(program, step, "mean", mean);
    step_value(program, step, "w", node->inputs.items[1]);
    step_value(program, step, "b", node_input(node, 2));
    step_buffer(step, "padded", scratch(program, node, sizes.c + taps - 1), 0);
    step_buffer(step, "gates", gates_of(program, node), 0);
    give_formula(program, step, "gate", attr_string(node, "gate"));
    step_size(step, "N", sizes.n), step_size(step, "C", sizes.c);
    step_size(step, "K", taps), step_size(step, "PAD", attr_int(node, "pad"));
    append_product(program, node, OF_CHANNELS);
}

/* Appends to[i] = from[i] + from[count + i]. */
static void append_sum_of_halves(Program *program, const Value *from, const Value *to) {
    const int64_t count = shape_count(&to->shape), along[] = {1};
    Loop *loop = step_loop(program, 1, &count);
    int halves[2];
    for (int i = 0; i < 2; i++) halves[i] = loop_input(loop, program_buffer(program, from), i * count, along);
    loop_apply(loop, "add", to->type, to->type, 2, halves);
    loop_output(loop, program_buffer(program, to), 0, along);
    loop_simplify(loop);
}

/* gate(f(mean) + f(max)), where f(p) = w2 act(w1 p + b1) + b2: the second layer is linear, so it is applied once, to
 * the sum. */
static void lower_cbam_channel(Program *program, Node *node) {
    Sizes sizes = sizes_of(node);
    const Value *x = node->inputs.items[0], *pooled = vectors(program, node, "mean and max", 2 * sizes.n, sizes.c);
    const Value *halves = vectors(program, node, "halves", 2 * sizes.n, sizes.r);
    const Value *hidden = vectors(program, node, "hidden", sizes.n, sizes.r);
    global_pool_step(program, "global_average_pool", x, program_buffer(program, pooled), 0);
    global_pool_step(program, "global_max_pool", x, program_buffer(program, pooled), sizes.n * sizes.c);
    append_layer(program, node, pooled, 1, 1, attr_string(node, "act"), halves);
    append_sum_of_halves(program, halves, hidden);
    append_layer(program, node, hidden, 3, 2, attr_string(node, "gate"), node->outputs.items[1]);
    append_product(program, node, OF_CHANNELS);
}

static Buffer *append_channel_pool(Program *program, const Node *node) {
    Sizes sizes = sizes_of(node);
    const Value *x = node->inputs.items[0];
    Buffer *planes = scratch(program, node, sizes.n * 2 * sizes.size);
    Step *step = step_kernel(program, x->shape.channels_last ? "pool_channels_last" : "pool_channels", x->type);
    step_value(program, step, "x", x), step_buffer(step, "planes", planes, 0);
    step_size(step, "N", sizes.n), step_size(step, "C", sizes.c), step_size(step, "SIZE", sizes.size);
    step_size(step, "MEAN", attr_int(node, "mean"));
    return planes;
}

static void lower_cbam_spatial(Program *program, Node *node) {
    const Shape *x = &node->inputs.items[0]->shape, *w = &node->inputs.items[1]->shape;
    int count;
    const int64_t *dilations = attr_ints(node, "dilations", &count), *pads = attr_ints(node, "pads", &count);
    int64_t height = x->dims[2].size, width = x->dims[3].size, kh = w->dims[2].size, kw = w->dims[3].size;
    int64_t beside = (kw - 1) * dilations[1], pitch = width + beside;
    int64_t padded = 2 * (height + (kh - 1) * dilations[0]) * pitch + beside;
    Buffer *planes = append_channel_pool(program, node);
    Step *step = step_kernel(program, "cbam_spatial", node->inputs.items[0]->type);
    step_buffer(step, "planes", planes, 0);
    step_value(program, step, "w", node->inputs.items[1]);
    step_value(program, step, "b", node_input(node, 2));
    step_buffer(step, "padded", scratch(program, node, padded), 0);
    step_buffer(step, "sums", scratch(program, node, height * pitch), 0);
    step_buffer(step, "gates", gates_of(program, node), 0);
    give_formula(program, step, "gate", attr_string(node, "gate"));
    step_size(step, "N", x->dims[0].size);
    step_size(step, "H", height), step_size(step, "W", width);
    step_size(step, "KH", kh), step_size(step, "KW", kw);
    step_size(step, "DH", dilations[0]), step_size(step, "DW", dilations[1]);
    step_size(step, "PT", pads[0]), step_size(step, "PL", pads[1]);
    append_product(program, node, OF_PLACES);
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
     .types = "T: float double",
     .attributes = "act:string! gate:string!",
     .infer = infer_gate,
     .layout = layout_gate,
     .macs = macs_squeeze_excitation,
     .lower = lower_squeeze_excitation},
    {.name = "ChannelGate",
     .domain = FUSED_DOMAIN,
     .versions = {1},
     .inputs = "X:T W:T B:T?",
     .outputs = "Y:T Gate:T Squeeze:T?",
     .types = "T: float double",
     .attributes = "gate:string!",
     .infer = infer_gate,
     .layout = layout_gate,
     .macs = macs_channel_gate,
     .lower = lower_channel_gate},
    {.name = "ChannelGateConv",
     .domain = FUSED_DOMAIN,
     .versions = {1},
     .inputs = "X:T W:T B:T?",
     .outputs = "Y:T Gate:T Squeeze:T?",
     .types = "T: float double",
     .attributes = "gate:string! pad:int!",
     .infer = infer_gate,
     .layout = layout_gate,
     .macs = macs_channel_gate_conv,
     .lower = lower_channel_gate_conv},
    {.name = "CbamChannel",
     .domain = FUSED_DOMAIN,
     .versions = {1},
     .inputs = "X:T W1:T B1:T? W2:T B2:T?",
     .outputs = "Y:T Gate:T",
     .types = "T: float double",
     .attributes = "act:string! gate:string!",
     .infer = infer_gate,
     .layout = layout_gate,
     .macs = macs_cbam_channel,
     .lower = lower_cbam_channel},
    {.name = "CbamSpatial",
     .domain = FUSED_DOMAIN,
     .versions = {1},
     .inputs = "X:T W:T B:T?",
     .outputs = "Y:T Gate:T",
     .types = "T: float double",
     .attributes = "gate:string! mean:int! dilations:ints=1,1 pads:ints=0,0",
     .infer = infer_spatial,
     .layout = layout_gate,
     .macs = macs_cbam_spatial,
     .lower = lower_cbam_spatial},
    {0},
};
