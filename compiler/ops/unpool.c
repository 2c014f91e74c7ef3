/* Unpooling: MaxUnpool, which undoes a MaxPool, and Col2Im, which adds up blocks that overlap.
 * The kernels are in runtime/unpool.c. */
#include "ops/expand.h"
#include "ops/movement.h"
#include "ops/window.h"

/* MaxUnpool */

/* The shape that the window gives; indices are into that. */
static Shape unpooled(const Node *node) {
    const Shape *x = &node->inputs.items[0]->shape;
    int64_t kernel[MAX_SPATIAL];
    window_check_rank(node, x);
    window_numbers(node, "kernel_shape", x->rank - 2, kernel);
    const Window window = window_read_transposed(node, x, kernel);
    return window_shape(&window, x->dims[0], x->dims[1]);
}

/* An output_shape may be larger: what it has more is zero. */
static Shape asked_shape(const Node *node, const Shape *least) {
    int count;
    const int64_t *sizes;
    if (!input_is_readable(node, 2) || !node_ints(node, NULL, 2, &sizes, &count)) return shape_open(least->rank);
    check_length(node, "sizes in output_shape", count, least->rank);
    Shape shape = shape_of(count, sizes);
    for (int d = 0; d < count; d++) {
        const int64_t size = least->dims[d].size;
        if (sizes[d] < 0 || sizes[d] < size || (d < 2 && size >= 0 && sizes[d] != size))
            node_fail(node, STATUS_INVALID, "output_shape says %lld in dimension %d, where the window makes %lld",
                      (long long)sizes[d], d, (long long)size);
    }
    return shape;
}

static void infer_unpool(Node *node) {
    const Shape *x = &node->inputs.items[0]->shape, *indices = &node->inputs.items[1]->shape;
    if (x->rank < 0) return;
    if (indices->rank >= 0 && indices->rank != x->rank)
        node_fail(node, STATUS_INVALID, "the indices have %d dimensions, expected %d", indices->rank, x->rank);
    for (int d = 0; d < indices->rank; d++)
        dim_unify(node, x->dims[d], indices->dims[d], "a dimension of the input and of the indices");
    const Shape least = unpooled(node);
    node->outputs.items[0]->shape = node_input(node, 2) == NULL ? least : asked_shape(node, &least);
}

static void expand_unpool(Expansion *e) {
    const Node *node = e->node;
    if (node_input(node, 2) == NULL) return;
    const Shape least = unpooled(node), asked = asked_shape(node, &least);
    int64_t pads[2 * MAX_RANK] = {0};
    if (!shape_is_known(&least) || !shape_is_known(&asked)) return;
    Node *whole = expand_node(e, "MaxUnpool", node->inputs.items[0], node->inputs.items[1]);
    whole->attributes = node->attributes;
    for (int d = 0; d < least.rank; d++) pads[least.rank + d] = asked.dims[d].size - least.dims[d].size;
    expand_output(e, 0, expand_op(e, "Pad", expand_value(whole), expand_ints(e, 2 * least.rank, pads)));
}

static void lower_unpool(Program *program, Node *node) {
    const Value *x = node->inputs.items[0], *y = node->outputs.items[0];
    if (is_empty(y)) return;
    Step *step = step_kernel(program, "max_unpool", x->type);
    step_value(program, step, "x", x);
    step_value(program, step, "indices", node->inputs.items[1]);
    step_value(program, step, "y", y);
    step_size(step, "COUNT", shape_count(&x->shape));
    step_size(step, "SIZE", shape_count(&y->shape));
}

/* Col2Im */

/* The integers of input i, each at least 1, and as many as the map has dimensions. */
static const int64_t *read_sizes(const Node *node, int input, const char *what, int rank) {
    enum { MOST = 1 << 24 };
    int count;
    const int64_t *sizes;
    node_ints(node, NULL, input, &sizes, &count);
    check_length(node, what, count, rank);
    for (int i = 0; i < count; i++)
        if (sizes[i] < 1 || sizes[i] > MOST)
            node_fail(node, STATUS_INVALID, "%s: %lld is out of range", what, (long long)sizes[i]);
    return sizes;
}

/* The window that slides over the image; its outputs are the blocks. */
static Window image_window(const Node *node) {
    int64_t dims[2 + MAX_SPATIAL] = {1, 1};
    const int rank = input_length(node, 1);
    window_check_rank(node, &(Shape){.rank = rank + 2});
    const int64_t *image = read_sizes(node, 1, "numbers in image_shape", rank);
    for (int i = 0; i < rank; i++) dims[i + 2] = image[i];
    const Shape shape = shape_of(rank + 2, dims);
    return window_read(node, &shape, read_sizes(node, 2, "numbers in block_shape", rank));
}

static void infer_col2im(Node *node) {
    const Shape *x = &node->inputs.items[0]->shape;
    const Type type = node->inputs.items[0]->type;
    Shape *y = &node->outputs.items[0]->shape;
    if (!type_is_float(type))
        node_fail(node, STATUS_UNSUPPORTED, "type %s is not supported; cast it to float before", type_info(type)->name);
    if (x->rank >= 0 && x->rank != 3)
        node_fail(node, STATUS_INVALID, "the input has %d dimensions, expected 3", x->rank);
    const int rank = input_length(node, 1);
    *y = rank < 0 ? SHAPE_UNKNOWN : shape_open(rank + 2 > MAX_RANK ? -1 : rank + 2);
    if (x->rank < 0 || !input_is_readable(node, 1) || !input_is_readable(node, 2)) return;
    const Window window = image_window(node);
    Dim blocks = dim_known(1), taps = dim_known(1), channels = x->dims[1];
    for (int i = 0; i < window.rank; i++) {
        blocks = dim_multiply(node, blocks, dim_known(window.dims[i].output));
        taps = dim_multiply(node, taps, dim_known(window.dims[i].kernel));
    }
    dim_unify(node, x->dims[2], blocks, "the number of blocks");
    if (channels.size % taps.size != 0 && channels.size >= 0)
        node_fail(node, STATUS_INVALID, "%lld channels do not divide into blocks of %lld elements",
                  (long long)channels.size, (long long)taps.size);
    *y = (Shape){.rank = window.rank + 2, .dims = {x->dims[0], {-1, NULL}}};
    if (channels.size >= 0) y->dims[1] = dim_known(channels.size / taps.size);
    for (int i = 0; i < window.rank; i++) y->dims[i + 2] = dim_known(window.dims[i].input);
}

static void lower_col2im(Program *program, Node *node) {
    const Value *x = node->inputs.items[0], *y = node->outputs.items[0];
    if (is_empty(y)) return;
    const Window window = image_window(node);
    const WindowDim d = window_dim(&window, 3, 0), h = window_dim(&window, 3, 1), w = window_dim(&window, 3, 2);
    Step *step = step_kernel(program, "col2im", x->type);
    step_value(program, step, "x", x);
    step_value(program, step, "y", y);
    step_size(step, "C", y->shape.dims[0].size * y->shape.dims[1].size);
    step_size(step, "D", d.input), step_size(step, "H", h.input), step_size(step, "W", w.input);
    step_size(step, "BD", d.output), step_size(step, "BH", h.output), step_size(step, "BW", w.output);
    step_size(step, "KD", d.kernel), step_size(step, "KH", h.kernel), step_size(step, "KW", w.kernel);
    step_size(step, "SD", d.stride), step_size(step, "SH", h.stride), step_size(step, "SW", w.stride);
    step_size(step, "DD", d.dilation), step_size(step, "DH", h.dilation), step_size(step, "DW", w.dilation);
    step_size(step, "PD", d.before), step_size(step, "PH", h.before), step_size(step, "PW", w.before);
}

const Op OPS_unpool[] = {
    {.name = "MaxUnpool",
     .versions = {9, 11, 22},
     .inputs = "X:T I:int64 output_shape:int64?",
     .outputs = "output:T",
     .types = "T: floats",
     .attributes = "kernel_shape:ints! pads:ints strides:ints",
     .infer = infer_unpool,
     .expand = expand_unpool,
     .lower = lower_unpool},
    {.name = "Col2Im",
     .versions = {18},
     .inputs = "input:T image_shape:int64 block_shape:int64",
     .outputs = "output:T",
     .types = "T: numeric bool string complex",
     .attributes = "dilations:ints pads:ints strides:ints",
     .infer = infer_col2im,
     .lower = lower_col2im},
    {0},
};
