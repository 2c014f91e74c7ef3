/* Det: one number for each square matrix in the last two dimensions.
 * The kernel is runtime/determinant.c. */
#include "ops/op.h"

static void infer_det(Node *node) {
    const Shape *x = &node->inputs.items[0]->shape;
    Shape *y = &node->outputs.items[0]->shape;
    *y = *x;
    if (x->rank < 0) return;
    if (x->rank < 2) node_fail(node, STATUS_INVALID, "the input has %d dimensions, expected at least 2", x->rank);
    dim_unify(node, x->dims[x->rank - 2], x->dims[x->rank - 1], "the size of a square matrix");
    y->rank -= 2;
}

static void lower_det(Program *program, Node *node) {
    const Value *x = node->inputs.items[0], *y = node->outputs.items[0];
    int64_t size = x->shape.dims[x->shape.rank - 1].size;
    Step *step = step_kernel(program, "determinant", x->type);
    step_value(program, step, "x", x);
    step_buffer(step, "work", program_scratch(program, type_info(x->type)->compute, size * size), 0);
    step_value(program, step, "y", y);
    step_size(step, "BATCH", shape_count(&y->shape));
    step_size(step, "N", size);
}

const Op OPS_determinant[] = {
    {.name = "Det",
     .versions = {11, 22},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = "T: floats",
     .infer = infer_det,
     .lower = lower_det},
    {0},
};
