/* Convolutions over channels-last maps, in one to three dimensions.
 * x is [N][C][spatial...], w [K][C/G][kernel...], bias [K] or NULL; weights and bias are constants. */
#ifndef FOVEA_OPS_CONV_LAST_H
#define FOVEA_OPS_CONV_LAST_H

#include "ops/conv.h"

/* Op.layout of Conv: channels last where a kernel on vectors can have it so. */
MapLayout conv_layout(const Node *node);
/* Whether a Conv makes so few channels that a panel of 16 is not worth it. */
bool conv_has_few_outputs(const Node *node);
/* Whether a Conv is to make its output channels last. */
bool conv_is_last(const Node *node);
/* Op.lower of such a one. */
void conv_lower_last(Program *program, const Node *node);

#endif
