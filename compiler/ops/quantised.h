/* Quantisation by the range that values turn out to have, for expansions.
 * Operators that are given scales use QuantizeLinear and DequantizeLinear themselves. */
#ifndef FOVEA_OPS_QUANTISED_H
#define FOVEA_OPS_QUANTISED_H

#include "ops/expand.h"

/* A tensor of uint8, and the scale and zero point that it was made with. */
typedef struct {
    Value *y, *scale, *zero;
} Dynamic;

/* DynamicQuantizeLinear of floats: their range, with 0 in it, becomes 0 to 255. Where all of x is 0, the scale is
 * 1 / 255, as in ONNX's reference implementation. */
Dynamic quantise_dynamically(Expansion *e, Value *x);

#endif
