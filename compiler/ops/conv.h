/* What convolutions share, wherever their node has the operands: the shape rule of Conv, its window, and its parts.
 * x is [N][C][spatial...], w [K][C/G][kernel...], bias [K] or NULL. */
#ifndef FOVEA_OPS_CONV_H
#define FOVEA_OPS_CONV_H

#include "ops/window.h"

/* Checks the operands against each other and the attributes, and sets the shape of output 0. */
void conv_infer(Node *node, const Value *x, const Value *w, const Value *bias);

/* The window of such a node, once shapes are known. */
Window conv_window(const Node *node, const Value *x, const Value *w);

/* The sizes of the kernel, from the shape of the weights where it is known, and checked against kernel_shape. Returns
 * false where they cannot be said. rank: spatial dimensions. */
bool conv_kernel(const Node *node, const Value *w, int rank, int64_t *sizes);
/* Checks the channels of the input and of the weights, which are [K][C/G]..., or [C][K/G]... of a transposed
 * convolution, and returns the number of output channels K. */
Dim conv_outputs(const Node *node, const Value *w, Dim channels, bool transposed);
void conv_check_bias(const Node *node, const Value *bias, Dim outputs);

/* Appends the product of so many rows of x, `stride` elements apart, with weights w [K][...] in place of its own, which
 * say how long rows are. */
void conv_product(Program *program, const Node *node, const Value *w, int64_t rows, int64_t stride);

#endif
