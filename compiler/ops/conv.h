/* Convolutions whose operands are not the first inputs of their node.
 * Shape rule and window are those of Conv. */
#ifndef FOVEA_OPS_CONV_H
#define FOVEA_OPS_CONV_H

#include "ops/window.h"

/* Checks x [N][C][spatial...], w [K][C/G][kernel...] and bias [K] (or NULL) against each other and the attributes, and
 * sets the shape of output 0. */
void conv_infer(Node *node, const Value *x, const Value *w, const Value *bias);

/* The window of such a node, once shapes are known. */
Window conv_window(const Node *node, const Value *x, const Value *w);

#endif
