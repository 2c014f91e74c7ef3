/* What spectra are weighted with: HannWindow, HammingWindow, BlackmanWindow, MelWeightMatrix.
 * All are expanded, in double, so that they become constants of the model. */
#include "ops/expand.h"
#include "ops/movement.h"

#include <math.h>

#define WEIGHTS "integers floats"

static const double pi = 3.14159265358979323846;

/* The size in an input, -1 where it is not known yet. */
static int64_t size_in(const Node *node, int input) {
    if (!input_is_readable(node, input)) return -1;
    int64_t size = input_int(node, input);
    if (size < 0) node_fail(node, STATUS_INVALID, "input %d, a size, is %lld", input, (long long)size);
    return size;
}

static Dim dim_of(int64_t size) { return size < 0 ? (Dim){-1, NULL} : dim_known(size); }

static void infer_window(Node *node) {
    Value *output = node->outputs.items[0];
    output->type = attr_type(node, "output_datatype", WEIGHTS);
    output->shape = (Shape){.rank = 1, .dims = {dim_of(size_in(node, 0))}};
}

/* 0, 1, ...: count numbers. */
static Value *counted(Expansion *e, int64_t count) {
    return expand_op(e, "Range", expand_number(e, TYPE_DOUBLE, 0), expand_number(e, TYPE_DOUBLE, (double)count),
                     expand_number(e, TYPE_DOUBLE, 1));
}

/* constant + first cos(2 pi i / N) + second cos(4 pi i / N), where N is the size or, not periodic, one less. */
static void expand_cosines(Expansion *e, double constant, double first, double second) {
    int64_t size = input_int(e->node, 0);
    double period = (double)(attr_int(e->node, "periodic") != 0 ? size : size - 1);
    Value *angle = expand_scale(e, counted(e, size), 2 * pi / period);
    Value *sum = expand_scale(e, expand_op(e, "Cos", angle), first);
    if (second != 0) {
        Value *wave = expand_op(e, "Cos", expand_scale(e, angle, 2));
        sum = expand_op(e, "Add", sum, expand_scale(e, wave, second));
    }
    sum = expand_op(e, "Add", sum, expand_number(e, TYPE_DOUBLE, constant));
    expand_output(e, 0, expand_cast(e, sum, e->node->outputs.items[0]->type));
}

static void expand_hann(Expansion *e) { expand_cosines(e, 0.5, -0.5, 0); }
static void expand_hamming(Expansion *e) { expand_cosines(e, 25.0 / 46, -21.0 / 46, 0); }
static void expand_blackman(Expansion *e) { expand_cosines(e, 0.42, -0.5, 0.08); }

enum { BINS, LENGTH, RATE, LOWEST, HIGHEST, MOST_BINS = 1 << 16 };

static void infer_mel(Node *node) {
    Value *output = node->outputs.items[0];
    int64_t bins = size_in(node, BINS), length = size_in(node, LENGTH);
    output->type = attr_type(node, "output_datatype", WEIGHTS);
    output->shape = (Shape){.rank = 2, .dims = {dim_of(length < 0 ? -1 : length / 2 + 1), dim_of(bins)}};
    if (bins > MOST_BINS)
        node_fail(node, STATUS_UNSUPPORTED, "%lld mel bins; at most %d are supported", (long long)bins, MOST_BINS);
}

static double number_in(const Node *node, int input) {
    const Tensor *tensor = node->inputs.items[input]->constant;
    if (tensor == NULL || tensor_count(tensor) != 1)
        node_fail(node, STATUS_UNSUPPORTED, "input %d has to be one number that is known when compiling", input);
    return tensor_number(tensor, 0);
}

static double mel_of(double hertz) { return 2595 * log1p(hertz / 700) / log(10); }

/* Where the triangles begin, peak and end, as bins of the spectrum: bin b's are edges b, b + 1 and b + 2. */
static Tensor *mel_edges(const Node *node) {
    int64_t count = input_int(node, BINS) + 2;
    double rate = number_in(node, RATE), length = number_in(node, LENGTH);
    double low = mel_of(number_in(node, LOWEST)), high = mel_of(number_in(node, HIGHEST));
    if (!(rate > 0)) node_fail(node, STATUS_INVALID, "sample_rate is %g", rate);
    if (!(isfinite(low) && low <= high && isfinite(high)))
        node_fail(node, STATUS_INVALID, "the edges, %g and %g Hz, are no range", number_in(node, LOWEST),
                  number_in(node, HIGHEST));
    Shape shape = shape_of(1, &count);
    Tensor *edges = tensor_new(node->graph->arena, TYPE_DOUBLE, &shape);
    for (int64_t i = 0; i < count; i++) {
        double hertz = 700 * expm1((low + (double)i * ((high - low) / (double)count)) / 2595 * log(10));
        tensor_set(edges, i, floor((length + 1) * hertz / rate));
    }
    return edges;
}

/* A slope from 0 to 1 between two edges, from which distance and width are counted; a step where they are one. */
static Value *slope(Expansion *e, Value *distance, Value *width) {
    Value *zero = expand_number(e, TYPE_DOUBLE, 0), *one = expand_number(e, TYPE_DOUBLE, 1);
    Value *is_step = expand_op(e, "Equal", width, zero);
    Value *step = expand_cast(e, expand_op(e, "GreaterOrEqual", distance, zero), TYPE_DOUBLE);
    return expand_op(e, "Where", is_step, step,
                     expand_op(e, "Div", distance, expand_op(e, "Where", is_step, one, width)));
}

/* Triangles, as ONNX's reference has them: the lesser of two slopes, where that is above 0. */
static void expand_mel(Expansion *e) {
    const Node *node = e->node;
    int64_t bins = input_int(node, BINS), length = input_int(node, LENGTH);
    Value *edges = graph_constant(node->graph, node->name, mel_edges(node)), *edge[3];
    for (int i = 0; i < 3; i++) edge[i] = expand_slice(e, edges, 0, i, i + bins, 1);
    Value *place = expand_unsqueeze(e, counted(e, length / 2 + 1), 1);
    Value *up = slope(e, expand_op(e, "Sub", place, edge[0]), expand_op(e, "Sub", edge[1], edge[0]));
    Value *down = slope(e, expand_op(e, "Sub", edge[2], place), expand_op(e, "Sub", edge[2], edge[1]));
    Value *weights = expand_op(e, "Max", expand_op(e, "Min", up, down), expand_number(e, TYPE_DOUBLE, 0));
    expand_output(e, 0, expand_cast(e, weights, node->outputs.items[0]->type));
}

#define WINDOW_ROW(window, build)                                                                                      \
    {                                                                                                                  \
        .name = window, .versions = {17}, .inputs = "size:T1", .outputs = "output:T2",                                 \
        .types = "T1: int32 int64; T2: " WEIGHTS, .attributes = "periodic:int=1 output_datatype:int=1",                \
        .infer = infer_window, .expand = build                                                                         \
    }

const Op OPS_taper[] = {
    WINDOW_ROW("HannWindow", expand_hann),
    WINDOW_ROW("HammingWindow", expand_hamming),
    WINDOW_ROW("BlackmanWindow", expand_blackman),
    {.name = "MelWeightMatrix",
     .versions = {17},
     .inputs = "num_mel_bins:T1 dft_length:T1 sample_rate:T1 lower_edge_hertz:T2 upper_edge_hertz:T2",
     .outputs = "output:T3",
     .types = "T1: int32 int64; T2: floats; T3: " WEIGHTS,
     .attributes = "output_datatype:int=1",
     .infer = infer_mel,
     .expand = expand_mel},
    {0},
};
