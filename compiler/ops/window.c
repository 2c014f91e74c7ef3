/* Windows: reading the attributes of convolutions and pools, and the arithmetic of their output sizes.
 * Their bounds keep every position that a kernel computes, be it past the last output, within an int. */
#include "ops/window.h"

#include <string.h>

static const int64_t MOST_NUMBER = 1 << 24; /* of a stride, dilation or pad */
static const int64_t MOST_EXTENT = 1 << 30; /* of a kernel with its dilation, or an input with its pads */

static _Noreturn void fail_large(const Node *node, const char *what, int64_t size) {
    node_fail(node, STATUS_UNSUPPORTED, "%s of %lld is more than generated code can count", what, (long long)size);
}

void window_check_rank(const Node *node, const Shape *input) {
    if (input->rank < 3)
        node_fail(node, STATUS_INVALID, "the input has %d dimension%s, expected at least 3", input->rank,
                  input->rank == 1 ? "" : "s");
    if (input->rank > 2 + MAX_SPATIAL)
        node_fail(node, STATUS_UNSUPPORTED, "%d spatial dimensions; at most %d are supported", input->rank - 2,
                  MAX_SPATIAL);
}

void window_numbers(const Node *node, const char *attribute, int rank, int64_t *numbers) {
    int count;
    const int64_t *given = attr_ints(node, attribute, &count);
    if (given != NULL && count != rank)
        node_fail(node, STATUS_INVALID, "attribute %s has %d numbers for %d spatial dimension%s", attribute, count,
                  rank, rank == 1 ? "" : "s");
    for (int i = 0; i < rank; i++) {
        numbers[i] = given == NULL ? 1 : given[i];
        if (numbers[i] < 1)
            node_fail(node, STATUS_INVALID, "attribute %s holds %lld", attribute, (long long)numbers[i]);
        if (numbers[i] > MOST_NUMBER) fail_large(node, attribute, numbers[i]);
    }
}

static void read_pads(const Node *node, Window *window) {
    int count;
    const int64_t *pads = attr_ints(node, "pads", &count);
    if (pads == NULL) return;
    if (count != 2 * window->rank)
        node_fail(node, STATUS_INVALID, "attribute pads has %d numbers, expected %d", count, 2 * window->rank);
    for (int i = 0; i < count; i++) {
        if (pads[i] < 0) node_fail(node, STATUS_INVALID, "attribute pads holds %lld", (long long)pads[i]);
        if (pads[i] > MOST_NUMBER) fail_large(node, "a pad", pads[i]);
        WindowDim *dim = &window->dims[i % window->rank];
        if (i < window->rank) dim->before = pads[i];
        else dim->after = pads[i];
    }
}

/* How much of the input one output reads, from its first to its last element. */
static int64_t extent(const Node *node, const WindowDim *dim) {
    if (dim->kernel > MOST_NUMBER) fail_large(node, "a kernel", dim->kernel);
    int64_t span = (dim->kernel - 1) * dim->dilation + 1;
    if (span > MOST_EXTENT) fail_large(node, "a dilated kernel", span);
    if (dim->input > MOST_EXTENT) fail_large(node, "a dimension", dim->input);
    return span;
}

/* SAME_UPPER and SAME_LOWER: as many outputs as strides begin in the input; an odd pad is at the end, or the start. */
static void pad_same(const Node *node, WindowDim *dim, bool upper) {
    if (dim->input < 0) return;
    dim->output = (dim->input + dim->stride - 1) / dim->stride;
    int64_t pad = (dim->output - 1) * dim->stride + extent(node, dim) - dim->input;
    if (pad < 0) pad = 0;
    dim->before = upper ? pad / 2 : pad - pad / 2;
    dim->after = pad - dim->before;
}

/* Explicit pads. With ceil_mode a last window may hang over, the only one too, but by less than a stride, and has to
 * begin in the input or the pads before it. */
static void count_outputs(const Node *node, WindowDim *dim, bool ceil_mode) {
    if (dim->input < 0) return;
    int64_t slack = dim->input + dim->before + dim->after - extent(node, dim);
    bool hangs_over = ceil_mode && slack < 0 && slack > -dim->stride && dim->input > 0;
    if (slack < 0 && !hangs_over)
        node_fail(node, STATUS_INVALID, "the kernel spans %lld, more than the input of %lld with its pads",
                  (long long)extent(node, dim), (long long)dim->input);
    dim->output = slack / dim->stride + 1;
    if (ceil_mode && slack > 0 && slack % dim->stride != 0 && dim->output * dim->stride < dim->input + dim->before)
        dim->output++;
}

static bool has_ceil_mode(const Node *node) {
    const Attribute *attribute = node_attribute(node, "ceil_mode");
    return attribute != NULL && attribute->integer != 0;
}

/* What auto_pad says, of operators that have it. */
typedef enum { PAD_EXPLICIT, PAD_NONE, PAD_SAME_UPPER, PAD_SAME_LOWER } AutoPad;

static AutoPad read_auto_pad(const Node *node) {
    const char *auto_pad = node_attribute(node, "auto_pad") == NULL ? "" : attr_string(node, "auto_pad");
    if (strcmp(auto_pad, "NOTSET") == 0 || auto_pad[0] == '\0') return PAD_EXPLICIT;
    if (strcmp(auto_pad, "VALID") == 0) return PAD_NONE;
    if (strcmp(auto_pad, "SAME_UPPER") == 0) return PAD_SAME_UPPER;
    if (strcmp(auto_pad, "SAME_LOWER") == 0) return PAD_SAME_LOWER;
    node_fail(node, STATUS_INVALID, "auto_pad is %s", quoted(auto_pad));
}

/* A window with its numbers, but without outputs and what auto_pad asks for. */
static Window read_window(const Node *node, const Shape *input, const int64_t *kernel) {
    window_check_rank(node, input);
    Window window = {.rank = input->rank - 2};
    int64_t strides[MAX_SPATIAL], dilations[MAX_SPATIAL];
    window_numbers(node, "strides", window.rank, strides);
    window_numbers(node, "dilations", window.rank, dilations);
    for (int i = 0; i < window.rank; i++)
        window.dims[i] = (WindowDim){.input = input->dims[i + 2].size,
                                     .output = -1,
                                     .kernel = kernel[i],
                                     .stride = strides[i],
                                     .dilation = dilations[i]};
    if (read_auto_pad(node) == PAD_EXPLICIT) read_pads(node, &window);
    return window;
}

Window window_read(const Node *node, const Shape *input, const int64_t *kernel) {
    Window window = read_window(node, input, kernel);
    AutoPad pad = read_auto_pad(node);
    for (int i = 0; i < window.rank; i++) {
        if (pad == PAD_SAME_UPPER || pad == PAD_SAME_LOWER) pad_same(node, &window.dims[i], pad == PAD_SAME_UPPER);
        else count_outputs(node, &window.dims[i], has_ceil_mode(node));
    }
    return window;
}

/* Inputs lie a stride apart in the output, each spread over a kernel; pads cut off at both ends what is too much for
 * the output_shape that is asked for. */
static void count_transposed(const Node *node, WindowDim *dim, AutoPad pad, int64_t output_padding, int64_t asked) {
    if (dim->input < 0) {
        dim->output = asked;
        return;
    }
    int64_t whole = dim->stride * (dim->input - 1) + output_padding + extent(node, dim);
    bool same = pad == PAD_SAME_UPPER || pad == PAD_SAME_LOWER;
    if (asked < 0 && same) asked = dim->input * dim->stride;
    if (asked >= 0) {
        int64_t cut = whole > asked ? whole - asked : 0;
        dim->before = pad == PAD_SAME_UPPER ? cut / 2 : cut - cut / 2;
        dim->after = cut - dim->before;
        dim->output = asked;
    } else dim->output = whole - dim->before - dim->after;
    if (dim->output < 0) node_fail(node, STATUS_INVALID, "the pads are larger than the output");
    if (whole > MOST_EXTENT || dim->output > MOST_EXTENT) fail_large(node, "a dimension", whole);
}

Window window_read_transposed(const Node *node, const Shape *input, const int64_t *kernel) {
    Window window = read_window(node, input, kernel);
    AutoPad pad = read_auto_pad(node);
    int count, asked_count;
    const int64_t *padding = attr_ints(node, "output_padding", &count);
    const int64_t *asked = attr_ints(node, "output_shape", &asked_count);
    if (padding != NULL && count != window.rank)
        node_fail(node, STATUS_INVALID, "attribute output_padding has %d numbers, expected %d", count, window.rank);
    if (asked != NULL && asked_count != window.rank && asked_count != input->rank)
        node_fail(node, STATUS_INVALID, "attribute output_shape has %d numbers, expected %d", asked_count, window.rank);
    for (int i = 0; i < window.rank; i++) {
        int64_t more = padding == NULL ? 0 : padding[i];
        int64_t size = asked == NULL ? -1 : asked[i + asked_count - window.rank];
        if (more < 0 || (asked != NULL && size < 0))
            node_fail(node, STATUS_INVALID, "output_padding or output_shape is negative");
        if (more > MOST_NUMBER || size > MOST_EXTENT) fail_large(node, "an output", more > size ? more : size);
        count_transposed(node, &window.dims[i], pad, more, size);
    }
    return window;
}

Shape window_shape(const Window *window, Dim batch, Dim channels) {
    Shape shape = {.rank = window->rank + 2, .dims = {batch, channels}};
    for (int i = 0; i < window->rank; i++) shape.dims[i + 2] = dim_known(window->dims[i].output);
    return shape;
}

WindowDim window_dim(const Window *window, int rank, int i) {
    int lead = rank - window->rank;
    if (i >= lead) return window->dims[i - lead];
    return (WindowDim){.input = 1, .output = 1, .kernel = 1, .stride = 1, .dilation = 1};
}

void window_sizes(Step *step, const WindowDim *h, const WindowDim *w) {
    step_size(step, "H", h->input), step_size(step, "W", w->input);
    step_size(step, "OH", h->output), step_size(step, "OW", w->output);
    step_size(step, "KH", h->kernel), step_size(step, "KW", w->kernel);
    step_size(step, "SH", h->stride), step_size(step, "SW", w->stride);
    step_size(step, "DH", h->dilation), step_size(step, "DW", w->dilation);
    step_size(step, "PH", h->before), step_size(step, "PW", w->before);
}

void window_planes(Step *step, const WindowDim *d) {
    step_size(step, "D", d->input), step_size(step, "OD", d->output), step_size(step, "KD", d->kernel);
    step_size(step, "SD", d->stride), step_size(step, "DD", d->dilation), step_size(step, "PD", d->before);
}
