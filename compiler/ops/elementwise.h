/* Elementwise loops: what operators are lowered with whose result depends, element by element, on inputs broadcast to
 * it (ONNX, Broadcasting.md). */
#ifndef FOVEA_OPS_ELEMENTWISE_H
#define FOVEA_OPS_ELEMENTWISE_H

#include "ops/op.h"

/* Appends a loop over the shape of output 0. */
Loop *elementwise_loop(Program *program, const Node *node);
/* Reads inputs [from, to) of the node, broadcast to the loop; scalars gets their numbers, -1 for one that is left out.
 * A constant of one element is a literal. To be called once, or with all other operands added before it. */
void elementwise_inputs(Program *program, Loop *loop, const Node *node, int from, int to, int *scalars);
/* Lets the loop write its last scalar to output 0. */
void elementwise_result(Program *program, const Node *node, Loop *loop);

/* The whole: a formula of runtime/formulas.txt over all inputs and the attributes that the row names. T in it is the
 * type of the last input. */
void lower_formula(Program *program, Node *node, const char *formula);

#endif
