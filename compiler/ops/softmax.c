/* Softmax, LogSoftmax, Hardmax.
 * Up to opset 12 the input is taken for a matrix: all dimensions from axis on are one. */
#include "ops/carry.h"
#include "ops/gradient.h"

/* The axis, checked; before opset 13 it may be the rank, and 0 in a scalar is taken as it is. */
static int softmax_axis(const Node *node, int rank) {
    int64_t axis = attr_int(node, "axis");
    if (rank == 0 || (node->version < 13 && axis == rank)) return rank;
    return node_axis(node, axis, rank);
}

static void infer_softmax(Node *node) {
    infer_same(node);
    int rank = node->inputs.items[0]->shape.rank;
    if (rank >= 0) softmax_axis(node, rank);
}

/* x as the kernels see it: the axis, of so many elements, and what is before and behind it. */
typedef struct {
    int64_t outer, length, inner;
} Parts;

static Parts parts_of(const Node *node) {
    const Shape *x = &node->inputs.items[0]->shape;
    int rank = x->rank, axis = softmax_axis(node, rank);
    int end = node->version < 13 || axis == rank ? rank : axis + 1;
    return (Parts){shape_product(x, 0, axis), shape_product(x, axis, end), shape_product(x, end, rank)};
}

static Step *softmax_step(Program *program, const Node *node, const char *kernel) {
    Step *step = step_kernel(program, kernel, node->inputs.items[0]->type);
    step_value(program, step, "x", node->inputs.items[0]);
    step_value(program, step, "y", node->outputs.items[0]);
    step_size(step, "N", parts_of(node).length);
    return step;
}

static Step *strided_step(Program *program, const Node *node, const char *kernel) {
    Step *step = softmax_step(program, node, kernel);
    step_size(step, "OUTER", parts_of(node).outer);
    step_size(step, "INNER", parts_of(node).inner);
    return step;
}

static void lower_softmax(Program *program, Node *node) {
    const Parts parts = parts_of(node);
    Type type = node->inputs.items[0]->type;
    if (type == TYPE_FLOAT && parts.inner == 1 && parts.outer > 0 && parts.length > 0) {
        step_size(softmax_step(program, node, "softmax_rows"), "ROWS", parts.outer);
        return;
    }
    Step *step = strided_step(program, node, "softmax");
    step_buffer(step, "row", program_scratch(program, type_info(type)->compute, parts.length), 0);
}

static void lower_log_softmax(Program *program, Node *node) { strided_step(program, node, "log_softmax"); }

static void lower_hardmax(Program *program, Node *node) { strided_step(program, node, "hardmax"); }

/* Before opset 13 what is behind the axis is taken as one. */
static int carry_softmax(const Node *node, int input, int axis, int output) {
    return (node->version < 13 ? carry_outer_axes : carry_other_axes)(node, input, axis, output);
}

/* The sum along the axis. */
static Value *sum_along(const Backward *b, Value *x) {
    const int rank = x->shape.rank, axis = softmax_axis(b->node, rank);
    bool summed[MAX_RANK];
    for (int d = 0; d < rank; d++) summed[d] = b->node->version < 13 ? d >= axis : d == axis;
    return gradient_sum(b, x, summed);
}

static Value *gradient_of_softmax(const Backward *b) {
    Value *sum = sum_along(b, expand_op(b->e, "Mul", b->dy, b->y));
    return expand_op(b->e, "Mul", b->y, expand_op(b->e, "Sub", b->dy, sum));
}

static Value *gradient_of_log_softmax(const Backward *b) {
    Value *shares = expand_op(b->e, "Exp", b->y);
    return expand_op(b->e, "Sub", b->dy, expand_op(b->e, "Mul", shares, sum_along(b, b->dy)));
}

const Op OPS_softmax[] = {
    {.name = "Softmax",
     .versions = {1, 11, 13},
     .inputs = "input:T",
     .outputs = "output:T",
     .types = "T: floats",
     .attributes = "axis:int@<13=1 axis:int@13=-1",
     .infer = infer_softmax,
     .carry = carry_softmax,
     .lower = lower_softmax,
     .gradient_of = gradient_of_softmax},
    {.name = "LogSoftmax",
     .versions = {1, 11, 13},
     .inputs = "input:T",
     .outputs = "output:T",
     .types = "T: floats",
     .attributes = "axis:int@<13=1 axis:int@13=-1",
     .infer = infer_softmax,
     .carry = carry_softmax,
     .lower = lower_log_softmax,
     .gradient_of = gradient_of_log_softmax},
    {.name = "Hardmax",
     .versions = {1, 11, 13},
     .inputs = "input:T",
     .outputs = "output:T",
     .types = "T: floats",
     .attributes = "axis:int@<13=1 axis:int@13=-1",
     .infer = infer_softmax,
     .carry = carry_softmax,
     .lower = lower_hardmax},
    {0},
};
