/* DeformConv in two dimensions, with groups, groups of offsets, and a mask.
 * The kernel is runtime/deformable.c. */
#include "ops/conv.h"
#include "ops/movement.h"

enum { WEIGHTS = 1, OFFSET, BIAS, MASK };

/* Fails where the offsets, or the mask, are not [batch][channels][the output's rows and columns]. */
static void check_moved(const Node *node, int input, const char *what, int64_t channels, const Shape *y) {
    const Value *value = node_input(node, input);
    if (value == NULL || value->shape.rank < 0) return;
    const Shape *shape = &value->shape;
    if (shape->rank != 4) node_fail(node, STATUS_INVALID, "%s has %d dimensions, expected 4", what, shape->rank);
    const Dim expected[] = {y->dims[0], dim_known(channels), y->dims[2], y->dims[3]};
    for (int d = 0; d < 4; d++) dim_unify(node, shape->dims[d], expected[d], what);
}

static int64_t offset_groups(const Node *node, Dim channels) {
    const int64_t groups = attr_int(node, "offset_group");
    if (groups < 1 || groups > INT32_MAX || (channels.size >= 0 && channels.size % groups != 0))
        node_fail(node, STATUS_INVALID, "%lld channels do not divide into an offset_group of %lld",
                  (long long)channels.size, (long long)groups);
    return groups;
}

static void infer_deform(Node *node) {
    const Shape *x = &node->inputs.items[0]->shape;
    const Value *weights = node->inputs.items[WEIGHTS];
    Shape *y = &node->outputs.items[0]->shape;
    int64_t sizes[MAX_SPATIAL];
    if (x->rank < 0) return;
    if (x->rank != 4)
        node_fail(node, STATUS_UNSUPPORTED, "the input has %d dimensions; 4 are supported: two of them spatial",
                  x->rank);
    const Dim outputs = conv_outputs(node, weights, x->dims[1], false);
    conv_check_bias(node, node_input(node, BIAS), outputs);
    *y = (Shape){.rank = 4, .dims = {x->dims[0], outputs, {-1, NULL}, {-1, NULL}}};
    if (!conv_kernel(node, weights, 2, sizes)) return;
    const Window window = window_read(node, x, sizes);
    *y = window_shape(&window, x->dims[0], outputs);
    int64_t moved = offset_groups(node, x->dims[1]);
    for (int i = 0; i < 2; i++)
        if (sizes[i] > INT32_MAX / 2 / moved) node_fail(node, STATUS_UNSUPPORTED, "the kernel is too large");
        else moved *= sizes[i];
    check_moved(node, OFFSET, "the offset", moved * 2, y);
    check_moved(node, MASK, "the mask", moved, y);
}

static int64_t macs_deform(const Node *node) {
    const Shape *w = &node->inputs.items[WEIGHTS]->shape, *y = &node->outputs.items[0]->shape;
    if (!shape_is_known(w) || !shape_is_known(y)) return -1;
    return shape_count(y) * shape_product(w, 1, w->rank);
}

static void lower_deform(Program *program, Node *node) {
    const Value *x = node->inputs.items[0], *y = node->outputs.items[0];
    const Shape *weights = &node->inputs.items[WEIGHTS]->shape;
    if (is_empty(y)) return;
    const Window window = conv_window(node, x, node->inputs.items[WEIGHTS]);
    const WindowDim *h = &window.dims[0], *w = &window.dims[1];
    if (x->shape.dims[1].size > INT32_MAX / 16 / (h->kernel * w->kernel))
        node_fail(node, STATUS_UNSUPPORTED, "a window is too large");
    Step *step = step_kernel(program, "deform_conv", x->type);
    step_value(program, step, "x", x);
    step_value(program, step, "w", node->inputs.items[WEIGHTS]);
    step_value(program, step, "offset", node->inputs.items[OFFSET]);
    step_value(program, step, "bias", node_input(node, BIAS));
    step_value(program, step, "mask", node_input(node, MASK));
    step_value(program, step, "y", y);
    step_size(step, "N", x->shape.dims[0].size), step_size(step, "C", x->shape.dims[1].size);
    step_size(step, "K", weights->dims[0].size), step_size(step, "G", attr_int(node, "group"));
    step_size(step, "R", attr_int(node, "offset_group"));
    window_sizes(step, h, w);
}

const Op OPS_deformable[] = {
    {.name = "DeformConv",
     .versions = {19, 22},
     .inputs = "X:T W:T offset:T B:T? mask:T?",
     .outputs = "Y:T",
     .types = "T: floats",
     .attributes = "dilations:ints group:int=1 kernel_shape:ints offset_group:int=1 pads:ints strides:ints",
     .infer = infer_deform,
     .macs = macs_deform,
     .lower = lower_deform},
    {0},
};
