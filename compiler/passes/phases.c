/* Phases: a transposed convolution with strides becomes a plain one, which has the kernels that are fast. The outputs
 * of each phase, those that are a stride apart, are a convolution of the map with some of the taps: all phases together
 * are one with as many times the channels, which are dealt out as the pixels of a block (Shi et al., Is the
 * deconvolution layer the same as a convolutional layer?, 2016). */
#include "base/checked.h"
#include "ops/fused.h"
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
    return shape_is_known(&x->shape) && shape_is_known(y) && shape_count(y) > 0 && w->constant != NULL &&
           w->type == TYPE_FLOAT && tensor_count(w->constant) > 0 && (bias == NULL || bias->constant != NULL);
}

/* A transposed convolution's window, and what becomes of each dimension. */
typedef struct {
    Window window;
    PhaseDim dims[MAX_SPATIAL];
    int64_t kernel, taps, phases; /* taps of the window, of all phases, and how many phases there are */
} Phases;

/* Sets *phases. Few zeros may come in where a phase has no tap, or the sums over them cost more than is gained. */
static bool pays(const Window *window, Phases *phases) {
    enum { TIMES = 4, MOST_STRIDE = 64, MOST_PAIRS = 1 << 24 }; /* hostile ones would take long */
    *phases = (Phases){.window = *window, .kernel = 1, .taps = 1, .phases = 1};
    for (int i = 0; i < window->rank; i++) {
        const WindowDim *dim = &window->dims[i];
        if (dim->stride > MOST_STRIDE || dim->kernel > MOST_PAIRS / dim->stride) return false;
        PhaseDim *phase = &phases->dims[i];
        *phase = phase_dim(dim);
        if (phase->first > 0 || phase->after < 0) return false;
        if (!checked_multiply(phases->kernel, dim->kernel, &phases->kernel)) return false;
        if (!checked_multiply(phases->taps, phase->taps, &phases->taps)) return false;
        phases->phases *= dim->stride;
    }
    if (phases->kernel > MOST_PAIRS / phases->phases) return false;
    return phases->taps <= TIMES * phases->kernel / phases->phases;
}

/* An index into some dimensions, the innermost one last. */
static void indices_of(int64_t index, int rank, const int64_t *sizes, int64_t *indices) {
    for (int i = rank - 1; i >= 0; i--) {
        indices[i] = index % sizes[i];
        index /= sizes[i];
    }
}

/* Which tap of all phases does what a tap of the window does for a phase; -1 where it does nothing. */
static int64_t tap_of(const Phases *phases, int64_t phase, int64_t tap) {
    const Window *window = &phases->window;
    int64_t strides[MAX_SPATIAL], kernel[MAX_SPATIAL], at_phase[MAX_SPATIAL], at_tap[MAX_SPATIAL], place = 0, from;
    for (int i = 0; i < window->rank; i++) strides[i] = window->dims[i].stride, kernel[i] = window->dims[i].kernel;
    indices_of(phase, window->rank, strides, at_phase);
    indices_of(tap, window->rank, kernel, at_tap);
    for (int i = 0; i < window->rank; i++) {
        if (!reads_from(&window->dims[i], at_phase[i], at_tap[i], &from)) return -1;
        place = place * phases->dims[i].taps + from - phases->dims[i].first;
    }
    return place;
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
static Tensor *phase_weights(Arena *arena, const Tensor *weights, const Order *order, const Phases *phases) {
    const int64_t channels = weights->shape.dims[0].size / order->groups, of_group = weights->shape.dims[1].size;
    int64_t sizes[MAX_RANK] = {order->phases * order->outputs, channels};
    for (int i = 0; i < phases->window.rank; i++) sizes[i + 2] = phases->dims[i].taps;
    const Shape shape = shape_of(phases->window.rank + 2, sizes);
    Tensor *made = tensor_new(arena, TYPE_FLOAT, &shape);
    const float *from = weights->data;
    float *to = made->data;
    for (int64_t phase = 0; phase < order->phases; phase++)
        for (int64_t tap = 0; tap < phases->kernel; tap++) {
            const int64_t at = tap_of(phases, phase, tap);
            for (int64_t i = 0; i < order->outputs * channels && at >= 0; i++) {
                const int64_t k = i / channels, c = i % channels;
                to[(place_of(order, phase, k) * channels + c) * phases->taps + at] =
                    from[((k / of_group * channels + c) * of_group + k % of_group) * phases->kernel + tap];
            }
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

/* The plain convolution. */
static Node *plain_node(Graph *graph, const Node *node, const Phases *phases, const Order *order) {
    const Value *weights = node->inputs.items[1], *bias = node_input(node, 2);
    const int rank = phases->window.rank;
    Node *conv = pass_node(graph, "", "Conv", node);
    list_add(graph->arena, &conv->inputs, node->inputs.items[0]);
    Tensor *all = phase_weights(graph->arena, weights->constant, order, phases);
    list_add(graph->arena, &conv->inputs, graph_constant(graph, graph_free_name(graph, weights->name), all));
    if (bias != NULL) {
        Tensor *biases = phase_bias(graph->arena, bias->constant, order);
        list_add(graph->arena, &conv->inputs, graph_constant(graph, graph_free_name(graph, bias->name), biases));
    }
    int64_t pads[2 * MAX_SPATIAL];
    for (int i = 0; i < rank; i++) pads[i] = -phases->dims[i].first, pads[rank + i] = phases->dims[i].after;
    node_set_int(conv, "group", order->groups);
    node_set_ints(conv, "pads", pads, 2 * rank);
    return conv;
}

/* The nodes that stand for a transposed convolution, added to the list. Returns false where it is to stay. */
static bool take_apart(Graph *graph, Node *node, NodeList *nodes) {
    if (!is_known(node)) return false;
    const Value *weights = node->inputs.items[1];
    const int rank = weights->shape.rank - 2;
    int64_t kernel[MAX_SPATIAL], blocks[MAX_SPATIAL], ends[MAX_SPATIAL], ones[MAX_SPATIAL];
    for (int i = 0; i < rank; i++) kernel[i] = weights->shape.dims[i + 2].size;
    const Window window = window_read_transposed(node, &node->inputs.items[0]->shape, kernel);
    Phases phases;
    if (!pays(&window, &phases)) return false;
    const int64_t groups = attr_int(node, "group");
    const Order order = {groups, phases.phases, weights->shape.dims[1].size * groups};
    Value *output = node->outputs.items[0];
    Node *conv = plain_node(graph, node, &phases, &order);
    Value *made = made_by(graph, conv, output);
    if (!conv->op->layout(conv).makes_channels_last) return false;
    list_add(graph->arena, nodes, conv);
    bool is_larger = false;
    for (int i = 0; i < rank; i++) {
        blocks[i] = window.dims[i].stride, ends[i] = window.dims[i].output, ones[i] = 1;
        is_larger = is_larger || phases.dims[i].outputs * blocks[i] != ends[i];
    }
    if (phases.phases > 1) {
        Node *deal = pass_node(graph, FUSED_DOMAIN, "PhasesToSpace", node);
        list_add(graph->arena, &deal->inputs, made);
        node_set_ints(deal, "blocks", blocks, rank);
        node_set_string(deal, "mode", groups > 1 ? "CRD" : "DCR");
        made = made_by(graph, deal, output);
        list_add(graph->arena, nodes, deal);
    }
    if (is_larger) {
        Node *crop = pass_slice(graph, node, made, ends, ones);
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
