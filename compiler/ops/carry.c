/* Carries: which axis of an output goes with an axis of an input, for operators that are alike in this.
 * A rule says less rather than too much: -1 costs a refusal, a wrong axis a wrong result. */
#include "ops/carry.h"

int op_carry(const Node *node, int input, int axis, int output) {
    const Op *op = node->op;
    if (op->carry != NULL) return op->carry(node, input, axis, output);
    if (op->formula != NULL && op->lower == NULL) return carry_broadcast(node, input, axis, output);
    return op->window != NULL ? carry_first(node, input, axis, output) : -1;
}

int carry_same(const Node *node, int input, int axis, int output) {
    (void)node, (void)output;
    return input == 0 ? axis : -1;
}

int carry_first(const Node *node, int input, int axis, int output) {
    (void)node;
    return input == 0 && axis == 0 && output == 0 ? 0 : -1;
}

int carry_broadcast(const Node *node, int input, int axis, int output) {
    const int from = node->inputs.items[input]->shape.rank, to = node->outputs.items[output]->shape.rank;
    return from <= to ? axis + to - from : -1;
}

int carry_other_axes(const Node *node, int input, int axis, int output) {
    (void)output;
    const int own = node_axis(node, attr_int(node, "axis"), node->inputs.items[input]->shape.rank);
    return axis != own ? axis : -1;
}

int carry_outer_axes(const Node *node, int input, int axis, int output) {
    (void)output;
    const int first = node_axis(node, attr_int(node, "axis"), node->inputs.items[0]->shape.rank);
    return input == 0 && axis < first ? axis : -1;
}

int carry_product(const Shape *a, const Shape *b, bool is_left, int axis) {
    if (a->rank < 2 || b->rank < 2) return -1;
    const int rank = a->rank > b->rank ? a->rank : b->rank, own = is_left ? a->rank : b->rank;
    if (axis == (is_left ? own - 1 : own - 2)) return -1; /* what is summed over */
    return axis + rank - own;
}

int carry_matmul(const Node *node, int input, int axis, int output) {
    (void)output;
    if (input > 1) return -1;
    return carry_product(&node->inputs.items[0]->shape, &node->inputs.items[1]->shape, input == 0, axis);
}
