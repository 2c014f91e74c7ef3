/* Softmax, LogSoftmax, Hardmax.
 * Up to opset 12 the input is taken for a matrix: all dimensions from axis on are one. */
#include "ops/op.h"

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

static Step *softmax_step(Program *program, const Node *node, const char *kernel, int64_t *length) {
    const Value *x = node->inputs.items[0];
    int rank = x->shape.rank, axis = softmax_axis(node, rank);
    int end = node->version < 13 || axis == rank ? rank : axis + 1;
    *length = shape_product(&x->shape, axis, end);
    Step *step = step_kernel(program, kernel, x->type);
    step_value(program, step, "x", x);
    step_value(program, step, "y", node->outputs.items[0]);
    step_size(step, "OUTER", shape_product(&x->shape, 0, axis));
    step_size(step, "N", *length);
    step_size(step, "INNER", shape_product(&x->shape, end, rank));
    return step;
}

static void lower_softmax(Program *program, Node *node) {
    int64_t length;
    Step *step = softmax_step(program, node, "softmax", &length);
    Type compute = type_info(node->inputs.items[0]->type)->compute;
    step_buffer(step, "row", program_scratch(program, compute, length), 0);
}

static void lower_log_softmax(Program *program, Node *node) {
    int64_t length;
    softmax_step(program, node, "log_softmax", &length);
}

static void lower_hardmax(Program *program, Node *node) {
    int64_t length;
    softmax_step(program, node, "hardmax", &length);
}

const Op OPS_softmax[] = {
    {.name = "Softmax",
     .versions = {1, 11, 13},
     .inputs = "input:T",
     .outputs = "output:T",
     .types = "T: floats",
     .attributes = "axis:int@<13=1 axis:int@13=-1",
     .infer = infer_softmax,
     .lower = lower_softmax},
    {.name = "LogSoftmax",
     .versions = {1, 11, 13},
     .inputs = "input:T",
     .outputs = "output:T",
     .types = "T: floats",
     .attributes = "axis:int@<13=1 axis:int@13=-1",
     .infer = infer_softmax,
     .lower = lower_log_softmax},
    {.name = "Hardmax",
     .versions = {1, 11, 13},
     .inputs = "input:T",
     .outputs = "output:T",
     .types = "T: floats",
     .attributes = "axis:int@<13=1 axis:int@13=-1",
     .infer = infer_softmax,
     .lower = lower_hardmax},
    {0},
};
