/* Convolutions over maps whose channels lie last, or that they put last: which of them have kernels on vectors, and the
 * steps with those. Maps in one and in three dimensions are brought to two where they can be. */
#include "ops/conv_last.h"
#include "ops/conv_ways.h"
#include "program/pack.h"

#include <string.h>

/* Whether windows see nothing but what lies in the map. */
static bool is_inside(const WindowDim *dim) {
    return dim->before == 0 && (dim->output - 1) * dim->stride + (dim->kernel - 1) * dim->dilation < dim->input;
}

/* Whether along a dimension each output is made of the input in its place. */
static bool is_still(const WindowDim *dim) { return dim->kernel == 1 && dim->stride == 1 && dim->output == dim->input; }

/* Whether each output pixel is made of the input pixel in its place. */
static bool is_pointwise(const Planar *conv) { return !conv->is_deep && is_still(&conv->h) && is_still(&conv->w); }

/* A group's channels. */
typedef struct {
    int64_t inputs, outputs;
} Group;

static Group group_of(const Node *node) {
    const Shape *w = &node->inputs.items[1]->shape;
    return (Group){w->dims[1].size, w->dims[0].size / attr_int(node, "group")};
}

static bool is_power_of_two(int64_t number) { return number > 0 && (number & (number - 1)) == 0; }

/* Whether groups have few outputs, and no more inputs: a vector then has those of several. */
static bool has_small_groups(const Node *node) {
    enum { MOST = 8 };
    const Group group = group_of(node);
    return attr_int(node, "group") > 1 && is_power_of_two(group.outputs) && is_power_of_two(group.inputs) &&
           group.outputs <= MOST && group.inputs <= group.outputs;
}

/* How three dimensions become two. */
typedef enum {
    FOLD_NONE,   /* there are no more */
    FOLD_PLANES, /* windows are still from plane to plane: these are maps of a batch */
    FOLD_ROWS,   /* windows are still along a row: rows of a plane lie one after another, as one */
    FOLD_DEEP    /* they do not: windows see several planes, for which there is a kernel */
} Fold;

/* Whether rows, with their pads, make a line whose positions a kernel can count. */
static bool can_merge(const WindowDim *rows, const WindowDim *columns) {
    enum { MOST = 1 << 28 };
    return rows->stride == 1 && is_still(columns) && columns->input > 0 &&
           rows->input + rows->before + rows->after < MOST / columns->input;
}

static Fold fold_of(const Window *window) {
    const WindowDim *dims = window->dims;
    if (window->rank < 3) return FOLD_NONE;
    if (is_still(&dims[0])) return FOLD_PLANES;
    return can_merge(&dims[1], &dims[2]) ? FOLD_ROWS : FOLD_DEEP;
}

static Window window_of(const Node *node) { return conv_window(node, node->inputs.items[0], node->inputs.items[1]); }

static bool has_few_channels(const Node *node) {
    enum { MOST_CHANNELS = 4 };
    return node->inputs.items[0]->shape.dims[1].size <= MOST_CHANNELS && attr_int(node, "group") == 1;
}

/* Whether the input is an image or the like: few channels, which lie one after another. */
static bool reads_image(const Node *node) {
    const Window window = window_of(node);
    const Fold fold = fold_of(&window);
    return !node->inputs.items[0]->shape.channels_last && has_few_channels(node) &&
           (fold == FOLD_NONE || fold == FOLD_ROWS);
}

/* How many groups have to be joined so that their outputs fill panels, which small ones need not; 0: too many of them
 * would, or they do not. */
static int64_t joined_groups(const Node *node) {
    enum { MOST_JOINED = 4 };
    const int64_t groups = attr_int(node, "group"), outputs = group_of(node).outputs;
    if (groups == 1 || outputs % PANEL_WIDTH == 0 || has_small_groups(node)) return 1;
    const int64_t joined = PANEL_WIDTH / outputs;
    if (PANEL_WIDTH % outputs == 0 && groups % joined == 0 && joined <= MOST_JOINED) return joined;
    return outputs >= PANEL_WIDTH / 2 ? 1 : 0; /* with panels that end in zeros */
}

static WindowDim merged(const WindowDim *rows, const WindowDim *columns) {
    const int64_t size = columns->input;
    return (WindowDim){.input = rows->input * size,
                       .output = rows->output * size,
                       .kernel = rows->kernel,
                       .stride = 1,
                       .dilation = rows->kernel == 1 ? 1 : rows->dilation * size,
                       .before = rows->before * size,
                       .after = rows->after * size};
}

/* A dimension that is not there. */
static const WindowDim ALONE = {.input = 1, .output = 1, .kernel = 1, .stride = 1, .dilation = 1};

/* A convolution as kernels take it; d is for deep ones. */
typedef struct {
    Planar planar;
    WindowDim d;
} Folded;

static Folded folded(const Node *node) {
    const Shape *x = &node->inputs.items[0]->shape, *w = &node->inputs.items[1]->shape;
    const Window window = window_of(node);
    const Fold fold = fold_of(&window);
    const WindowDim d = window_dim(&window, 3, 0), rows = window_dim(&window, 3, 1);
    const WindowDim columns = window_dim(&window, 3, 2);
    const int64_t joined = joined_groups(node);
    Planar planar = {.batch = x->dims[0].size,
                     .channels = x->dims[1].size,
                     .outputs = w->dims[0].size,
                     .groups = joined == 0 ? 1 : attr_int(node, "group") / joined,
                     .planes = 1,
                     .h = rows,
                     .w = columns};
    /* Of few channels the deep kernel takes those of a row of the window at once. */
    planar.is_deep = fold == FOLD_DEEP || (fold == FOLD_PLANES && has_few_channels(node));
    if (fold == FOLD_PLANES || planar.is_deep)
        planar.batch *= d.output, planar.planes = d.kernel, planar.dead_planes = conv_dead_taps(&d);
    else if (fold == FOLD_ROWS) planar.h = d, planar.w = merged(&rows, &columns);
    else if (window.rank == 1 && !reads_image(node) && !has_small_groups(node)) /* which can be cut into bands */
        planar.h = columns, planar.w = ALONE;
    return (Folded){planar, d};
}

/* Whether windows along a single line see what lies in a row: then they are rows of a matrix, which may overlap. Of a
 * line that is made in stripes the whole decides, as a product adds up in another order. */
static bool is_line(const Node *node) {
    const Planar conv = folded(node->part_of != NULL ? node->part_of : node).planar;
    const WindowDim *h = &conv.h;
    const bool is_single = conv.batch == 1 && conv.w.input == 1 && conv.w.output == 1 && conv.w.kernel == 1;
    return is_single && !conv.is_deep && conv.groups == 1 && h->dilation == 1 && is_inside(h);
}

/* Then vectors have what is added up, if that makes some. */
bool conv_has_few_outputs(const Node *node) {
    enum { FEWEST_OUTPUTS = 8 };
    return node->inputs.items[1]->shape.dims[0].size < FEWEST_OUTPUTS;
}

static bool has_kernel(const Node *node) {
    enum { FEWEST_INPUTS = 8 };
    const Shape *x = &node->inputs.items[0]->shape;
    if (conv_has_few_outputs(node)) return attr_int(node, "group") == 1 && x->dims[1].size >= FEWEST_INPUTS;
    return joined_groups(node) > 0;
}

MapLayout conv_layout(const Node *node) {
    const MapLayout rows = {READS_ROWS, false};
    const Value *x = node->inputs.items[0], *w = node->inputs.items[1], *bias = node_input(node, 2);
    const Shape *y = &node->outputs.items[0]->shape;
    if (!can_pack(w) || (bias != NULL && !can_pack(bias)) || !shape_is_known(&x->shape)) return rows;
    if (shape_product(y, 2, y->rank) <= 1 || y->dims[1].size == 0 || !has_kernel(node)) return rows;
    return (MapLayout){reads_image(node) ? READS_ROWS : READS_CHANNELS_LAST, true};
}

/* A constant that has what another one has, in another order: it keeps its name, and who reads it. */
static const Value *rearranged(Program *program, const Value *value, Tensor *tensor) {
    Value *made = graph_constant(program->graph, value->name, tensor);
    made->consumers = value->consumers;
    return made;
}

/* The weights [K][C/G][kernel], where groups are joined as those of larger ones, with zeros between one's channels and
 * another's outputs. */
static const Value *joined_weights(Program *program, const Node *node) {
    const Value *weights = node->inputs.items[1];
    const int64_t joined = joined_groups(node);
    if (joined <= 1) return weights;
    Shape shape = weights->shape;
    const int64_t outputs = shape.dims[0].size / attr_int(node, "group");
    const int64_t inner = shape_product(&shape, 1, shape.rank);
    shape.dims[1].size *= joined;
    Tensor *wide = tensor_new(program->arena, TYPE_FLOAT, &shape);
    for (int64_t k = 0; k < shape.dims[0].size; k++)
        memcpy((float *)wide->data + (k * joined + k / outputs % joined) * inner,
               (const float *)weights->constant->data + k * inner, sizeof(float) * (size_t)inner);
    return rearranged(program, weights, wide);
}

/* A constant with so many rows for each group, with zeros behind those of each up to whole panels. */
static const Value *padded_rows(Program *program, const Value *value, int64_t groups) {
    if (value == NULL) return NULL;
    Shape shape = value->shape;
    const int64_t rows = shape.dims[0].size / groups, padded = divide_up(rows, PANEL_WIDTH) * PANEL_WIDTH;
    if (groups == 1 || rows == padded) return value;
    const int64_t inner = shape_product(&shape, 1, shape.rank);
    shape.dims[0].size = groups * padded;
    Tensor *wide = tensor_new(program->arena, TYPE_FLOAT, &shape);
    for (int64_t g = 0; g < groups; g++)
        memcpy((float *)wide->data + g * padded * inner, (const float *)value->constant->data + g * rows * inner,
               sizeof(float) * (size_t)(rows * inner));
    return rearranged(program, value, wide);
}

/* A step over channels-last maps, whose weights and bias are packed. */
static Step *packed_step(Program *program, const Node *node, const char *kernel, Packing weights, const Value *bias) {
    Step *step = step_kernel(program, kernel, TYPE_FLOAT);
    step_value(program, step, "x", node->inputs.items[0]);
    step_buffer(step, "w", pack_panels(program, weights), 0);
    step_buffer(step, "bias", pack_bias(program, bias, weights.columns), 0);
    step_value(program, step, "y", node->outputs.items[0]);
    return step;
}

/* The numbers of the maps, of so many samples, and of the window. */
static void give_sizes(Step *step, const Planar *conv, int64_t batch) {
    step_size(step, "N", batch), step_size(step, "C", conv->channels);
    window_sizes(step, &conv->h, &conv->w);
}

static Step *lower_window(Program *program, const Node *node, const Folded *conv, const ConvWay *way) {
    const Planar *planar = &conv->planar;
    const int64_t taps = planar->planes * planar->h.kernel * planar->w.kernel;
    const int64_t depth = planar->channels / planar->groups;
    const Value *weights = padded_rows(program, joined_weights(program, node), planar->groups);
    const Packing packing = {.weights = weights,
                             .depth = depth,
                             .columns = weights->shape.dims[0].size,
                             .row = taps,
                             .column = depth * taps,
                             .factor = 1,
                             .taps = taps,
                             .tap = 1};
    Step *step = packed_step(program, node, planar->is_deep ? "conv3d_last" : "conv_last", packing,
                             padded_rows(program, node_input(node, 2), planar->groups));
    if (planar->is_deep) {
        give_sizes(step, planar, planar->batch / conv->d.output);
        window_planes(step, &conv->d);
    } else {
        give_sizes(step, planar, planar->batch);
        step_size(step, "PADDED", !is_inside(&planar->h) || !is_inside(&planar->w));
        step_pick(program, step, "JOINED", way->joined);
    }
    step_size(step, "K", planar->outputs), step_size(step, "G", planar->groups);
    step_pick(program, step, "BAND", way->band);
    step_pick(program, step, "SPLITS", way->splits);
    step_pick(program, step, "ROWS", way->rows);
    step_pick(program, step, "VECTORS", way->vectors);
    return step;
}

static void lower_image(Program *program, const Node *node, const Planar *conv) {
    const int64_t depth = conv->channels * conv->h.kernel * conv->w.kernel;
    int tile_rows[TARGET_COUNT], tile_vectors[TARGET_COUNT];
    const Choice *choice = conv_choose_image(program, conv, tile_rows, tile_vectors);
    const Packing packing = {.weights = node->inputs.items[1],
                             .depth = depth,
                             .columns = conv->outputs,
                             .row = 1,
                             .column = depth,
                             .factor = 1};
    Step *step = packed_step(program, node, "conv_first", packing, node_input(node, 2));
    give_sizes(step, conv, conv->batch);
    step_size(step, "K", conv->outputs);
    step_pick(program, step, "ROWS", tile_rows);
    step_pick(program, step, "VECTORS", tile_vectors);
    step->choice = choice;
}

/* As many channels, in whole vectors, as one row of y reads from the first cache, with their taps; but two cache lines
 * of each pixel, as they come together. */
static int64_t block_of(const Planar *conv) {
    enum { FLOATS = 5 << 10, LEAST = 2 };
    const int64_t all = divide_up(conv->outputs, PANEL_WIDTH);
    int64_t block = FLOATS / (conv->planes * conv->h.kernel * (conv->w.input + conv->w.kernel)) / PANEL_WIDTH;
    if (block < LEAST) block = LEAST;
    return (block < all ? block : all) * PANEL_WIDTH;
}

/* In small groups, of which those of one channel make a depthwise convolution. */
static void lower_grouped_last(Program *program, const Node *node, const Folded *folded) {
    const Planar *conv = &folded->planar;
    const int64_t taps = conv->planes * conv->h.kernel * conv->w.kernel, all = divide_up(conv->outputs, PANEL_WIDTH);
    const Group group = group_of(node);
    const bool is_depthwise = group.outputs == 1 && !conv->is_deep;
    int columns[TARGET_COUNT];
    const Choice *choice = conv_choose_columns(program, conv, columns);
    const Packing packing = {.weights = node->inputs.items[1],
                             .depth = group.inputs,
                             .columns = conv->outputs,
                             .row = taps,
                             .column = group.inputs * taps,
                             .factor = 1,
                             .taps = taps,
                             .tap = 1,
                             .panel = all * PANEL_WIDTH};
    Step *step =
        packed_step(program, node, is_depthwise ? "depthwise_last" : "grouped_last", packing, node_input(node, 2));
    step_buffer(step, "sums", NULL, 0);
    window_sizes(step, &conv->h, &conv->w);
    step_size(step, "N", conv->is_deep ? conv->batch / folded->d.output : conv->batch);
    step_size(step, "C", conv->outputs), step_size(step, "BLOCK", block_of(conv));
    if (!is_depthwise) {
        window_planes(step, conv->is_deep ? &folded->d : &ALONE);
        step_size(step, "INPUTS", group.inputs), step_size(step, "OUTPUTS", group.outputs);
    }
    step_pick(program, step, "COLUMNS", columns);
    step_size(step, "SHARES", conv->h.output % program->threads == 0 ? program->threads : 1);
    step->choice = choice;
}

static Step *lower_winograd(Program *program, const Node *node, const Folded *folded, const WinogradPlan *plan) {
    const Planar *conv = &folded->planar;
    const WindowDim *h = &conv->h, *w = &conv->w;
    const WinogradForm down = winograd_along(plan->form, h->kernel), right = winograd_along(plan->form, w->kernel);
    const Value *weights = padded_rows(program, joined_weights(program, node), conv->groups);
    const Packing packing = {.weights = weights,
                             .depth = conv->channels / conv->groups,
                             .columns = weights->shape.dims[0].size,
                             .winograd = plan->form,
                             .window = {conv->planes, h->kernel, w->kernel}};
    Step *step =
        packed_step(program, node, "winograd", packing, padded_rows(program, node_input(node, 2), conv->groups));
    step_size(step, "C", conv->channels), step_size(step, "K", conv->outputs);
    window_planes(step, conv->is_deep ? &folded->d : &ALONE);
    step_size(step, "H", h->input), step_size(step, "W", w->input);
    step_size(step, "OH", h->output), step_size(step, "OW", w->output), step_size(step, "G", conv->groups);
    step_size(step, "DH", h->dilation), step_size(step, "DW", w->dilation);
    step_size(step, "PH", h->before), step_size(step, "PW", w->before);
    step_size(step, "NH", winograd_parts(plan->form, h->kernel));
    step_size(step, "NW", winograd_parts(plan->form, w->kernel));
    step_size(step, "RH", down.taps), step_size(step, "RW", right.taps);
    step_size(step, "TH", down.tile), step_size(step, "TW", right.tile), step_size(step, "TILES", plan->tiles);
    step_size(step, "CHUNK", plan->chunk), step_size(step, "SPLITS", plan->splits);
    step_pick(program, step, "ROWS", plan->rows);
    step_pick(program, step, "VECTORS", plan->vectors);
    return step;
}

/* Weights [K][C][kernel] as [K][kernel][C]. */
static const Value *channels_innermost(Program *program, const Value *weights) {
    const Shape *shape = &weights->shape;
    const int64_t channels = shape->dims[1].size, taps = shape_product(shape, 2, shape->rank);
    Tensor *tensor = tensor_new(program->arena, TYPE_FLOAT, shape);
    const float *from = weights->constant->data;
    for (int64_t i = 0; i < tensor_count(tensor); i++) {
        const int64_t k = i / (channels * taps), c = i / taps % channels, tap = i % taps;
        ((float *)tensor->data)[(k * taps + tap) * channels + c] = from[i];
    }
    return rearranged(program, weights, tensor);
}

static void lower_few(Program *program, const Node *node) {
    const Value *weights = node->inputs.items[1];
    const Window window = window_of(node);
    const WindowDim d = window_dim(&window, 3, 0), h = window_dim(&window, 3, 1), w = window_dim(&window, 3, 2);
    Step *step = step_kernel(program, "conv_few", TYPE_FLOAT);
    step_value(program, step, "x", node->inputs.items[0]);
    step_value(program, step, "w", channels_innermost(program, weights));
    step_value(program, step, "bias", node_input(node, 2));
    step_value(program, step, "y", node->outputs.items[0]);
    step_size(step, "N", node->inputs.items[0]->shape.dims[0].size);
    step_size(step, "C", weights->shape.dims[1].size), step_size(step, "K", weights->shape.dims[0].size);
    window_planes(step, &d);
    window_sizes(step, &h, &w);
}

bool conv_is_last(const Node *node) {
    const Shape *x = &node->inputs.items[0]->shape, *y = &node->outputs.items[0]->shape;
    return y->channels_last || (x->channels_last && y->dims[1].size == 1); /* which lies either way */
}

void conv_lower_last(Program *program, const Node *node) {
    const Folded conv = folded(node);
    const Planar *planar = &conv.planar;
    if (conv_has_few_outputs(node)) lower_few(program, node);
    else if (reads_image(node)) lower_image(program, node, planar);
    else if (has_small_groups(node)) lower_grouped_last(program, node, &conv);
    else if (planar->groups == 1 && is_pointwise(planar))
        conv_product(program, node, joined_weights(program, node), planar->batch * planar->h.output * planar->w.output,
                     planar->channels);
    else if (is_line(node) && !conv_gains_by_winograd(program, planar))
        conv_product(program, node, channels_innermost(program, node->inputs.items[1]), planar->h.output,
                     planar->h.stride * planar->channels);
    else {
        const Choice *choice;
        const ConvWay way = conv_choose(program, planar, &choice);
        Step *step = way.winograd.form.tile != 0 ? lower_winograd(program, node, &conv, &way.winograd)
                                                 : lower_window(program, node, &conv, &way);
        step->choice = choice;
    }
}
