/* Gradient: what the rules of operators, .gradient_of in their rows, are written with, beside ops/expand.h.
 * A rule is the vector-Jacobian product of one operator, spelt in others that have rules too, for higher derivatives.
 */
#ifndef FOVEA_OPS_GRADIENT_H
#define FOVEA_OPS_GRADIENT_H

#include "ops/expand.h"

/* A node that is gone through backwards. All shapes are known, of its inputs and its outputs. */
typedef struct Backward {
    Expansion *e;
    const Node *node;
    Value *const *x; /* its inputs */
    Value *y, *dy;   /* its output 0, and the gradient with respect to it, of the same type and shape */
    int input;       /* that the gradient with respect to is asked for; a rule may fail */
} Backward;

/* x in another shape of as many elements, and broadcast to another shape. */
Value *gradient_reshape(const Backward *b, Value *x, const Shape *shape);
Value *gradient_expand(const Backward *b, Value *x, const Shape *shape);
/* The sum over axes that are flagged, which stay with size 1. */
Value *gradient_sum(const Backward *b, Value *x, const bool *summed);

/* What the row's .gradient gives, as for rows without .gradient_of; NULL where it has no term for the input. */
Value *gradient_by_term(const Backward *b);

/* Rules that several operators have: */
Value *gradient_same(const Backward *b);     /* dy */
Value *gradient_reshaped(const Backward *b); /* dy in the shape of the input, which has the same elements in order */

#endif
