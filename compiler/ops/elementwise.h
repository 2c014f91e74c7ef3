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

/* Converts a scalar to a float8 type, where what is too large becomes an infinity or, if that type has none, NaN: ONNX
 * Cast with saturate=0. False for float8e5m2, whose infinities no loop can make: there it is converted to float, and
 * elementwise_infinities() is to follow. */
bool elementwise_unsaturated(Loop *loop, int scalar, Type to);
/* Appends the step that converts floats, count of them in a buffer, to a value of type float8e5m2 with infinities. */
void elementwise_infinities(Program *program, Buffer *from, int64_t count, const Value *to);
/* Whether a type is a float8 that conversions with saturate=0 treat otherwise. */
bool type_saturates(Type type);

/* The whole: a formula of runtime/formulas.txt over all inputs and the attributes that the row names. T in it is the
 * type of the last input. */
void lower_formula(Program *program, Node *node, const char *formula);

#endif
