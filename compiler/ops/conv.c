/* Convolutions: Conv and ConvTranspose in one to three dimensions, with groups, strides, dilations and every form of
 * pads. lower_conv() chooses the kernel; those over channels-last maps are conv_last.c's. */
#include "ops/conv.h"
#include "base/checked.h"
#include "ops/carry.h"
#include "ops/conv_last.h"
#include "ops/product.h"

bool conv_kernel(const Node *node, const Value *w, int rank, int64_t *sizes) {
    const Shape *weights = &w->shape;
    if (weights->rank >= 0 && weights->rank != rank + 2)
        node_fail(node, STATUS_INVALID, "the weights have %d dimensions, expected %d", weights->rank, rank + 2);
    bool given = node_attribute(node, "kernel_shape") != NULL;
    window_numbers(node, "kernel_shape", rank, sizes);
    for (int i = 0; i < rank; i++) {
        int64_t size = weights->rank < 0 ? -1 : weights->dims[i + 2].size;
        if (!given && size < 0) return false;
        if (given && size >= 0 && size != sizes[i])
            node_fail(node, STATUS_INVALID, "kernel_shape says %lld, the weights' shape %lld", (long long)sizes[i],
                      (long long)size);
        if (size == 0) node_fail(node, STATUS_INVALID, "the kernel is empty");
        if (!given) sizes[i] = size;
    }
    return true;
}

Dim conv_outputs(const Node *node, const Value *w, Dim channels, bool transposed) {
    const Shape *weights = &w->shape;
    int64_t groups = attr_int(node, "group");
    if (groups < 1) node_fail(node, STATUS_INVALID, "group is %lld", (long long)groups);
    if (weights->rank < 2) return (Dim){-1, NULL};
    Dim whole = weights->dims[0], wide = dim_multiply(node, weights->dims[1], dim_known(groups));
    Dim expected = transposed ? whole : wide;
    if (channels.size >= 0 && expected.size >= 0 && channels.size != expected.size)
        node_fail(node, STATUS_INVALID, "the input has %lld channels, the weights are for %lld",
                  (long long)channels.size, (long long)expected.size);
    if (whole.size >= 0 && whole.size % groups != 0)
        node_fail(node, STATUS_INVALID, "%lld %s channels do not divide into %lld groups", (long long)whole.size,
                  transposed ? "input" : "output", (long long)groups);
    return transposed ? wide : whole;
}

void conv_check_bias(const Node *node, const Value *bias, Dim outputs) {
    if (bias == NULL || bias->shape.rank < 0) return;
    if (bias->shape.rank != 1) node_fail(node, STATUS_INVALID, "the bias has %d dimensions", bias->shape.rank);
    dim_unify(node, bias->shape.dims[0], outputs, "the number of output channels");
}

/* The rank may be known from the weights alone. */
static void infer(Node *node, const Value *x, const Value *w, const Value *bias, bool transposed) {
    Value *y = node->outputs.items[0];
    int rank = x->shape.rank >= 0 ? x->shape.rank : w->shape.rank;
    if (rank < 0) return;
    Shape input = {.rank = rank};
    for (int i = 0; i < rank; i++) input.dims[i] = x->shape.rank < 0 ? (Dim){-1, NULL} : x->shape.dims[i];
    window_check_rank(node, &input);
    Dim outputs = conv_outputs(node, w, input.dims[1], transposed);
    conv_check_bias(node, bias, outputs);
    int64_t sizes[MAX_SPATIAL];
    y->shape = (Shape){.rank = rank, .dims = {input.dims[0], outputs}};
    for (int i = 2; i < rank; i++) y->shape.dims[i] = (Dim){-1, NULL};
    if (!conv_kernel(node, w, rank - 2, sizes)) return;
    Window window = transposed ? window_read_transposed(node, &input, sizes) : window_read(node, &input, sizes);
    y->shape = window_shape(&window, input.dims[0], outputs);
}

void conv_infer(Node *node, const Value *x, const Value *w, const Value *bias) { infer(node, x, w, bias, false); }

static void infer_conv(Node *node) {
    conv_infer(node, node->inputs.items[0], node->inputs.items[1], node_input(node, 2));
}

static void infer_conv_transpose(Node *node) {
    infer(node, node->inputs.items[0], node->inputs.items[1], node_input(node, 2), true);
}

Window conv_window(const Node *node, const Value *x, const Value *w) {
    int64_t sizes[MAX_SPATIAL];
    conv_kernel(node, w, x->shape.rank - 2, sizes);
    return window_read(node, &x->shape, sizes);
}

/* What every kernel over channels-first maps takes. */
static void give_sizes(Step *step, const Node *node, const WindowDim *h, const WindowDim *w) {
    const Shape *x = &node->inputs.items[0]->shape;
    window_sizes(step, h, w);
    step_size(step, "N", x->dims[0].size), step_size(step, "C", x->dims[1].size);
}

static Step *conv_step(Program *program, const Node *node, const char *kernel) {
    Step *step = step_kernel(program, kernel, node->inputs.items[0]->type);
    step_value(program, step, "x", node->inputs.items[0]);
    step_value(program, step, "w", node->inputs.items[1]);
    step_value(program, step, "bias", node_input(node, 2));
    step_value(program, step, "y", node->outputs.items[0]);
    return step;
}

/* Scratch memory in the type that sums are made in. Its size comes from the model and may be absurd. */
static Buffer *scratch(Program *program, const Node *node, const int64_t *factors, int count) {
    int64_t size = 1;
    for (int i = 0; i < count; i++) {
        if (factors[i] > 0 && size > INT32_MAX / factors[i])
            node_fail(node, STATUS_UNSUPPORTED, "a window is too large");
        size *= factors[i];
    }
    return program_scratch(program, type_info(node->inputs.items[0]->type)->compute, size);
}

static void lower_depthwise(Program *program, const Node *node, const WindowDim *h, const WindowDim *w) {
    int64_t channels = node->inputs.items[0]->shape.dims[1].size;
    int64_t reach = (h->output - 1) * h->stride + (h->kernel - 1) * h->dilation + 1; /* the rows that are read */
    int64_t rows = reach > h->input + h->before ? reach : h->input + h->before;
    int64_t read = (w->output + 15) / 16 * 16 + (w->kernel - 1) * w->dilation / w->stride;
    int64_t filled = (w->input + w->before + w->stride - 1) / w->stride;
    int64_t columns = read > filled ? read : filled;
    Step *step = conv_step(program, node, "conv_depthwise");
    give_sizes(step, node, h, w);
    step_size(step, "M", node->outputs.items[0]->shape.dims[1].size / channels);
    step_size(step, "ROWS", rows);
    step_size(step, "COLUMNS", columns);
}

static void lower_planar(Program *program, const Node *node, const WindowDim *h, const WindowDim *w) {
    const Shape *weights = &node->inputs.items[1]->shape;
    Step *step = conv_step(program, node, "conv2d");
    give_sizes(step, node, h, w);
    step_size(step, "K", weights->dims[0].size);
    step_size(step, "G", attr_int(node, "group"));
}

/* Whether there are few outputs, and windows see pixels of a row next to each other: then vectors have these. What they
 * read is copied, which is a few rows. */
static bool takes_rows(const Node *node, const Window *window) {
    enum { MOST_COPIED = 1 << 16 };
    const WindowDim d = window_dim(window, 3, 0), h = window_dim(window, 3, 1), w = window_dim(window, 3, 2);
    if (node->inputs.items[0]->type != TYPE_FLOAT || attr_int(node, "group") != 1 || w.stride != 1) return false;
    const int64_t factors[] = {node->inputs.items[0]->shape.dims[1].size, d.kernel, (h.kernel - 1) * h.dilation + 1,
                               w.output + 16 + (w.kernel - 1) * w.dilation};
    int64_t copied = 1;
    for (int i = 0; i < 4; i++)
        if (!checked_multiply(copied, factors[i], &copied) || copied > MOST_COPIED) return false;
    return conv_has_few_outputs(node);
}

static void lower_rows(Program *program, const Node *node, const Window *window) {
    const Shape *x = &node->inputs.items[0]->shape, *weights = &node->inputs.items[1]->shape;
    const WindowDim d = window_dim(window, 3, 0), h = window_dim(window, 3, 1), w = window_dim(window, 3, 2);
    Step *step = conv_step(program, node, "conv_rows");
    step_size(step, "N", x->dims[0].size), step_size(step, "C", x->dims[1].size);
    window_planes(step, &d);
    step_size(step, "H", h.input), step_size(step, "W", w.input), step_size(step, "K", weights->dims[0].size);
    step_size(step, "OH", h.output), step_size(step, "OW", w.output);
    step_size(step, "KH", h.kernel), step_size(step, "KW", w.kernel), step_size(step, "SH", h.stride);
    step_size(step, "DH", h.dilation), step_size(step, "DW", w.dilation);
    step_size(step, "PH", h.before), step_size(step, "PW", w.before);
}

static void lower_spatial(Program *program, const Node *node, const Window *window) {
    const Shape *weights = &node->inputs.items[1]->shape;
    const WindowDim *d = &window->dims[0];
    Step *step = conv_step(program, node, "conv3d");
    give_sizes(step, node, &window->dims[1], &window->dims[2]);
    window_planes(step, d);
    step_size(step, "K", weights->dims[0].size);
    step_size(step, "G", attr_int(node, "group"));
}

/* Whether the one window of each map is the map, so that the convolution is a product of matrices. */
static bool sees_all(const Node *node, const Window *window) {
    bool all = attr_int(node, "group") == 1;
    for (int i = 0; i < window->rank; i++) {
        const WindowDim *dim = &window->dims[i];
        all = all && dim->output == 1 && dim->before == 0 && dim->kernel == dim->input;
        all = all && (dim->kernel == 1 || dim->dilation == 1);
    }
    return all;
}

void conv_product(Program *program, const Node *node, const Value *w, int64_t rows, int64_t stride) {
    const Value *x = node->inputs.items[0];
    int64_t depth = shape_product(&w->shape, 1, w->shape.rank);
    product_emit(program, (Product){.a = x,
                                    .b = w,
                                    .c = node_input(node, 2),
                                    .y = node->outputs.items[0],
                                    .batch = 1,
                                    .m = rows,
                                    .k = depth,
                                    .n = w->shape.dims[0].size,
                                    .a_m = stride,
                                    .a_k = 1,
                                    .b_k = 1,
                                    .b_n = depth,
                                    .c_n = 1,
                                    .alpha = 1,
                                    .beta = 1});
}

/* Each output element is a sum over the channels of its group and the kernel. */
static int64_t macs_conv(const Node *node) {
    const Shape *w = &node->inputs.items[1]->shape, *y = &node->outputs.items[0]->shape;
    if (!shape_is_known(w) || !shape_is_known(y)) return -1;
    return shape_count(y) * shape_product(w, 1, w->rank);
}

static bool window_of_conv(const Node *node, Window *window) {
    int64_t sizes[MAX_SPATIAL];
    const Shape *x = &node->inputs.items[0]->shape;
    if (!conv_kernel(node, node->inputs.items[1], x->rank - 2, sizes)) return false;
    *window = window_read(node, x, sizes);
    return true;
}

/* Chooses the kernel. */
static void lower_conv(Program *program, Node *node) {
    const Shape *x = &node->inputs.items[0]->shape, *weights = &node->inputs.items[1]->shape;
    Window window = conv_window(node, node->inputs.items[0], node->inputs.items[1]);
    WindowDim h = window_dim(&window, 2, 0), w = window_dim(&window, 2, 1);
    if (conv_is_last(node)) conv_lower_last(program, node);
    else if (sees_all(node, &window))
        conv_product(program, node, node->inputs.items[1], x->dims[0].size, shape_product(x, 1, x->rank));
    else if (takes_rows(node, &window)) lower_rows(program, node, &window);
    else if (window.rank == 3) lower_spatial(program, node, &window);
    else if (weights->dims[1].size == 1 && attr_int(node, "group") == x->dims[1].size && x->dims[1].size > 1)
        lower_depthwise(program, node, &h, &w);
    else lower_planar(program, node, &h, &w);
}

/* Each input element is spread over the output channels of its group and the kernel. */
static int64_t macs_conv_transpose(const Node *node) {
    const Shape *x = &node->inputs.items[0]->shape, *w = &node->inputs.items[1]->shape;
    if (!shape_is_known(w) || !shape_is_known(x)) return -1;
    return shape_count(x) * shape_product(w, 1, w->rank);
}

static void lower_conv_transpose(Program *program, Node *node) {
    const Shape *x = &node->inputs.items[0]->shape, *weights = &node->inputs.items[1]->shape;
    int64_t sizes[MAX_SPATIAL], groups = attr_int(node, "group");
    conv_kernel(node, node->inputs.items[1], x->rank - 2, sizes);
    Window window = window_read_transposed(node, x, sizes);
    WindowDim d = window_dim(&window, 3, 0), h = window_dim(&window, 3, 1), w = window_dim(&window, 3, 2);
    int64_t phases[] = {x->dims[0].size, groups, d.stride, h.stride, w.stride}, count = 1;
    for (int i = 0; i < 5; i++)
        if (!checked_multiply(count, phases[i], &count) || count > INT32_MAX)
            node_fail(node, STATUS_UNSUPPORTED, "strides of %lld, %lld and %lld are too large", (long long)d.stride,
                      (long long)h.stride, (long long)w.stride);
    Step *step = conv_step(program, node, "conv_transpose");
    give_sizes(step, node, &h, &w);
    window_planes(step, &d);
    step_size(step, "K", weights->dims[1].size * groups);
    step_size(step, "G", groups);
    int64_t panel[] = {x->dims[1].size / groups, d.kernel, h.kernel, w.kernel, 16};
    step_buffer(step, "panel", scratch(program, node, panel, 5), 0);
}

const Op OPS_conv[] = {
    {.name = "Conv",
     .versions = {1, 11, 22},
     .inputs = "X:T W:T B:T?",
     .outputs = "Y:T",
     .types = "T: floats",
     .attributes = "auto_pad:string=NOTSET dilations:ints group:int=1 kernel_shape:ints pads:ints strides:ints",
     .infer = infer_conv,
     .window = window_of_conv,
     .macs = macs_conv,
     .layout = conv_layout,
     .lower = lower_conv},
    {.name = "ConvTranspose",
     .versions = {1, 11, 22},
     .inputs = "X:T W:T B:T?",
     .outputs = "Y:T",
     .types = "T: floats",
     .attributes = "auto_pad:string=NOTSET dilations:ints group:int=1 kernel_shape:ints output_padding:ints "
                   "output_shape:ints pads:ints strides:ints",
     .infer = infer_conv_transpose,
     .carry = carry_first,
     .macs = macs_conv_transpose,
     .lower = lower_conv_transpose},
    {0},
};
