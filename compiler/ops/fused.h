/* Operators of fovea's own: what attention blocks are fused into by compiler/fused/. They stand in no model file; a
 * model that names their domain is refused. */
#ifndef FOVEA_OPS_FUSED_H
#define FOVEA_OPS_FUSED_H

#include "ops/op.h"

#define FUSED_DOMAIN "fovea"

/* Gives a kernel's formula from a text, which is how a node carries one: names of runtime/formulas.txt, applied one
 * after the other, each with its further operands behind it: "add 3 maximum 0 minimum 6 divide 6". */
void give_formula(Program *program, Step *step, const char *parameter, const char *text);
/* Appends the same to the body of a loop, applied to its scalar 0. */
void loop_formula(Program *program, Loop *loop, const char *text);

/* How many operands a formula has. */
int formula_operands(const Formula *formula);

#endif
