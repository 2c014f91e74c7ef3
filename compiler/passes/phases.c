/* Phases: a transposed convolution with strides becomes a plain one, which has the kernels that are fast. The outputs
 * of each phase, those that are a stride apart, are a convolution of the map with some of the taps: all phases together
 * are one with as many times the channels, whose map DepthToSpace deals out (Shi et al., Is the deconvolution layer the
 * same as a convolutional layer?, 2016). */
#include "ops/op.h"
#include "ops/window.h"
#include "passes/pass.h"

#include <string.h>

/* One dimension: output i * stride + phase reads input i + first + k by the k-th tap of the phase, 0 <= k < taps. */
typedef struct {
    int64_t first, taps; /* of all phases */
    int64_t outputs;     /* of a phase */
    int64_t after;       /* pads behind the input; in front there are -first */
} PhaseDim;

/* Where a tap reads from: as an output's index less its phase, over the stride, is 0. */
static bool reads_from(const WindowDim *dim, int64_t phase, int64_t tap, int64_t *from) {
    const int64_t at = phase + dim->before - tap * dim->dilation;
    *from = at / dim->stride;
    return at % dim->stride == 0;
}

static PhaseDim phase_dim(const WindowDim *dim) {
    int64_t first = INT64_MAX, last = INT64_MIN, from;
    for (int64_t phase = 0; phase < dim->stride; phase++)
        for (int64_t tap = 0; tap < dim->kernel; tap++) {
            if (!reads_from(dim, phase, tap, &from)) continue;
            if (from < first) first = from;
            if (from > last) last = from;
        }
    const int64_t outputs = (dim->output + dim->stride - 1) / dim->stride, taps = last - first + 1;
    return (PhaseDim){first, taps, outputs, outputs - 1 + taps - dim->input + first};
}

/* Whether so much is known of a node that it can be taken apart. */
static bool is_known(const Node *node) {
    if (node->domain[0] != '\0' || strcmp(node->op_type, "ConvTranspose") != 0) return false;
    const Value *x = node->inputs.items[0], *w = node->inputs.items[1], *bias = node_input(node, 2);
    const Shape *y = &node->outputs.items[0]->shape;
    return x->shape.rank == 4 && shape_is_known(&x->shape) && shape_is_known(y) && shape_count(y) > 0 &&
           w->constant != NULL && w->type == TYPE_FLOAT && tensor_count(w->constant) > 0 &&
           (bias == NULL || bias->constant != NULL);
}

/* Few zeros may come in where a phase has no tap, or the sums over them cost more than is gained. */
static bool pays(const WindowDim *h, const WindowDim *w, const PhaseDim *down, const PhaseDim *right) {
    enum { TIMES = 4 };
    const int64_t most = TIMES * h->kernel * w->kernel;
    return down->first <= 0 && right->first <= 0 && down->after >= 0 && right->after >= 0 && down->taps <= most &&
           right->taps <= most / down->taps && down->taps * right->taps <= most / (h->stride * w->stride);
}

/* The order of the outputs k of all phases. Those of a group have to stay together (DepthToSpace's mode CRD); in one
 * group, those of a phase do (DCR), which lie side by side then. */
typedef struct {
    int64_t groups, phases, outputs; /* outputs of the transposed convolution */
} Order;

static int64_t place_of(const Order *order, int64_t phase, int64_t k) {
    return order->groups > 1 ? k * order->phases + phase : phase * order->outputs + k;
}

/* From weights [C][K/G][kernel] those of all phases, [phases * K][C/G][taps]. */
static Tensor *phase_weights(Arena *arena, const Tensor *weights, const Order *order, const WindowDim *h,
                             const WindowDim *w, const PhaseDim *down, const PhaseDim *right) {
    const int64_t channels = weights->shape.dims[0].size / order->groups, of_group = weights->shape.dims[1].size;
    const int64_t kernel = h->kernel * w->kernel, taps = down->taps * right->taps;
    const int64_t sizes[] = {order->phases * order->outputs, channels, down->taps, right->taps};
    const Shape shape = shape_of(4, sizes);
    Tensor *made = tensor_new(arena, TYPE_FLOAT, &shape);
    const float *from = weights->data;
    float *to = made->data;
    int64_t y, x;
    for (int64_t phase = 0; phase < order->phases; phase++)
        for (int64_t tap = 0; tap < kernel; tap++) {
            if (!reads_from(h, phase / w->stride, tap / w->kernel, &y)) continue;
            if (!reads_from(w, phase % w->stride, tap % w->kernel, &x)) continue;
            const int64_t at = (y - down->first) * right->taps + x - right->first;
            for (int64_t k = 0; k < order->outputs; k++)
                for (int64_t c = 0; c < channels; c++)
                    to[(place_of(order, phase, k) * channels + c) * taps + at] =
                        from[((k / of_group * channels + c) * of_group + k % of_group) * kernel + tap];
        }
    return made;
}

static Tensor *phase_bias(Arena *arena, const Tensor *bias, const Order *order) {
    const int64_t count = order->phases * order->outputs;
    const Shape shape = shape_of(1, &count);
    Tensor *made = tensor_new(arena, TYPE_FLOAT, &shape);
    for (int64_t phase = 0; phase < order->phases; phase++)
        for (int64_t k = 0; k < order->outputs; k++)
            ((float *)made->data)[place_of(order, phase, k)] = ((const float *)bias->data)[k];
    return made;
}

/* Lets a node make a new value, and infers what. */
static Value *made_by(Graph *graph, Node *node, const Value *named) {
    Value *value = graph_value(graph, named->name);
    list_add(graph->arena, &node->outputs, value);
    value->producer = node;
    op_infer(node);
    return value;
}

/* The nodes that stand for a transposed convolution, added to the list. Returns false where it is to stay. */
static bool take_apart(Graph *graph, Node *node, NodeList *nodes) {
    enum { MOST_STRIDE = 64 }; /* a hostile one would take long */
    if (!is_known(node)) return false;
    const Value *weights = node->inputs.items[1], *bias = node_input(node, 2);
    const int64_t kernel[] = {weights->shape.dims[2].size, weights->shape.dims[3].size};
    const Window window = window_read_transposed(node, &node->inputs.items[0]->shape, kernel);
    const WindowDim h = window_dim(&window, 2, 0), w = window_dim(&window, 2, 1);
    if (h.stride != w.stride || h.stride > MOST_STRIDE) return false;
    const PhaseDim down = phase_dim(&h), right = phase_dim(&w);
    if (!pays(&h, &w, &down, &right)) return false;
    const int64_t stride = h.stride, groups = attr_int(node, "group");
    const Order order = {groups, stride * stride, weights->shape.dims[1].size * groups};
    Value *output = node->outputs.items[0];
    Node *conv = pass_node(graph, "Conv", node);
    list_add(graph->arena, &conv->inputs, node->inputs.items[0]);
    Tensor *all = phase_weights(graph->arena, weights->constant, &order, &h, &w, &down, &right);
    list_add(graph->arena, &conv->inputs, graph_constant(graph, graph_free_name(graph, weights->name), all));
    if (bias != NULL) {
        Tensor *biases = phase_bias(graph->arena, bias->constant, &order);
        list_add(graph->arena, &conv->inputs, graph_constant(graph, graph_free_name(graph, bias->name), biases));
    }
    node_set_int(conv, "group", groups);
    node_set_ints(conv, "pads", (int64_t[]){-down.first, -right.first, down.after, right.after}, 4);
    Value *made = made_by(graph, conv, output);
    if (!conv->op->layout(conv).makes_channels_last) return false;
    list_add(graph->arena, nodes, conv);
    if (stride > 1) {
        Node *deal = pass_node(graph, "DepthToSpace", node);
        list_add(graph->arena, &deal->inputs, made);
        node_set_int(deal, "blocksize", stride);
        node_set_string(deal, "mode", groups > 1 ? "CRD" : "DCR");
        made = made_by(graph, deal, output);
        list_add(graph->arena, nodes, deal);
    }
    if (down.outputs * stride != h.output || right.outputs * stride != w.output) {
        Node *crop = pass_slice(graph, node, made, (int64_t[]){h.output, w.output}, (int64_t[]){1, 1});
        made = made_by(graph, crop, output);
        list_add(graph->arena, nodes, crop);
    }
    made->producer->outputs.items[0] = output;
    output->producer = made->producer;
    return true;
}

void pass_phases(Graph *graph, const PassOptions *options) {
    if (options->target != NULL && options->target->is_small) return; /* the map would be there twice */
    NodeList nodes = {0};
    for (int i = 0; i < graph->nodes.count; i++) {
        Node *node = graph->nodes.items[i];
        if (!take_apart(graph, node, &nodes)) list_add(graph->arena, &nodes, node);
    }
    graph->nodes = nodes;
    graph_index(graph);
}
