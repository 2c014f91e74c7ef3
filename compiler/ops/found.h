/* Found: operators that find places, how many of which only the data say.
 * Where the data are known so is the number. Else the result has room for all that there can be, and is -1 behind what
 * was found, which is no place; that serves the caller, but no other operator (Op.bound). */
#ifndef FOVEA_OPS_FOUND_H
#define FOVEA_OPS_FOUND_H

#include "ops/op.h"

/* Computes output 0 of a node whose inputs are constant, by .bound and .lower, and cuts what is -1 off an axis. */
void fold_found(Node *node, int axis);

#endif
