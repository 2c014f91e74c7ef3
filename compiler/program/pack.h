/* Pack: constant weights in the order in which vector kernels read them, made when a step is lowered.
 * Panels of 16 columns, the same for every target. */
#ifndef FOVEA_PROGRAM_PACK_H
#define FOVEA_PROGRAM_PACK_H

#include "program/winograd.h"

/* Where a matrix of weights lies in a constant tensor of floats, and a factor for all of it: element (k, n), k < depth,
 * n < columns, is at offset + k * row + n * column. With taps the rows are those of a window: tap by tap, `tap`
 * elements apart, depth of each. */
typedef struct {
    const Value *weights;
    int64_t offset, depth, columns, row, column;
    double factor;
    int64_t taps, tap;     /* taps 0: one */
    int64_t panel;         /* columns of a panel; 0: 16 */
    WinogradForm winograd; /* with a tile: weights [columns][depth][window], by winograd_transform() for this form */
    WinogradTaps window;
    bool strassen; /* the right factors of strassen_factor() */
    bool paired;   /* the last panel's columns, at most half of it, have those of the next row behind them in each
                    * even row, for tile_multiply_pairs() */
} Packing;

/* Whether a value's data can be packed: a constant of floats. */
bool can_pack(const Value *weights);

/* The matrix as panels [columns/16][taps*depth][16], zeros behind the last column: a constant, the same one where the
 * same weights are packed in the same way again. */
Buffer *pack_panels(Program *program, Packing packing);

/* A bias of `columns` elements, with zeros up to a multiple of 16; NULL where it is. */
Buffer *pack_bias(Program *program, const Value *bias, int64_t columns);

#endif
