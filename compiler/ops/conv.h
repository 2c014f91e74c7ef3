/* What convolutions share, whatever it is that they read: the checks of their weights. */
#ifndef FOVEA_OPS_CONV_H
#define FOVEA_OPS_CONV_H

#include "ops/window.h"

/* The sizes of the kernel, from the shape of the weights (input 1) where it is known, and checked against kernel_shape.
 * Returns false where they cannot be said. rank: spatial dimensions. */
bool conv_kernel(const Node *node, int rank, int64_t *sizes);
/* Checks the channels of the input and of the weights, which are [K][C/G]..., or [C][K/G]... of a transposed
 * convolution, and returns the number of output channels K. */
Dim conv_outputs(const Node *node, Dim channels, bool transposed);
/* Checks the bias, which may be left out. */
void conv_check_bias(const Node *node, int input, Dim outputs);

#endif
