/* Carries: rules for .carry of an operator's row, of which axis of an output goes with an axis of an input.
 * Those that fit one operator alone stand in its family's file. */
#ifndef FOVEA_OPS_CARRY_H
#define FOVEA_OPS_CARRY_H

#include "ops/op.h"

/* The rule of a node's row, and what holds where it has none: see .carry in op.h. */
int op_carry(const Node *node, int input, int axis, int output);

int carry_same(const Node *node, int input, int axis, int output);       /* all axes of input 0 */
int carry_first(const Node *node, int input, int axis, int output);      /* the first axis of input 0; to output 0 */
int carry_broadcast(const Node *node, int input, int axis, int output);  /* all axes, counted from the last */
int carry_other_axes(const Node *node, int input, int axis, int output); /* all but attribute `axis`, of all inputs */
int carry_outer_axes(const Node *node, int input, int axis, int output); /* those before attribute `axis` */
/* Axes of a product of matrices as MatMul has it, of operands a and b: those before the last two by broadcasting, rows
 * of a, columns of b. */
int carry_product(const Shape *a, const Shape *b, bool is_left, int axis);
int carry_matmul(const Node *node, int input, int axis, int output);

#endif
