/* Pack: constant weights in the order in which vector kernels read them, made when a step is lowered.
 * Panels of 16 columns, the same for every target. */
#ifndef FOVEA_PROGRAM_PACK_H
#define FOVEA_PROGRAM_PACK_H

#include "program/program.h"

/* Where a matrix of weights lies in a constant tensor of floats, and a factor for all of it: element (k, n), k < depth,
 * n < columns, is at offset + k * row + n * column. */
typedef struct {
    const Value *weights;
    int64_t offset, depth, columns, row, column;
    double factor;
} Packing;

/* The matrix as panels [columns/16][depth][16], zeros behind the last column: a constant, the same one where the same
 * weights are packed in the same way again. */
Buffer *pack_panels(Program *program, Packing packing);

#endif
