/* How opsets before 7 broadcast: two inputs have one shape, or an attribute says where the second lies along the first.
 * Here alone is this known: such a node becomes a view of it and the operator as it is today. */
#ifndef FOVEA_OPS_LEGACY_H
#define FOVEA_OPS_LEGACY_H

#include "ops/expand.h"

/* Whether a node's second input is broadcast so: of an operator of two inputs that has attributes broadcast and axis in
 * the node's version, and the slope of PRelu. */
bool legacy_broadcasts(const Node *node);
/* The shape rule of such a node: the output has the shape of the first input. Fails where the second does not fit. */
void legacy_infer(Node *node);
/* Builds what stands for such a node. */
void legacy_expand(Expansion *expansion);

#endif
