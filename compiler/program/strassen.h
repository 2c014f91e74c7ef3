/* Strassen: what the compiler knows of the kernel in runtime/strassen.c: when it pays, its sizes and its weights. */
#ifndef FOVEA_PROGRAM_STRASSEN_H
#define FOVEA_PROGRAM_STRASSEN_H

#include "program/target.h"
#include "program/tile.h"

#include <stdbool.h>

/* Rows times a constant matrix of depth x columns. */
typedef struct {
    int64_t rows, depth, columns;
    int threads; /* that share the work; 0: one */
    bool halves; /* as in TileProduct */
} StrassenShape;

typedef struct {
    int rows[TARGET_COUNT], vectors[TARGET_COUNT]; /* of a tile */
    int chunk[TARGET_COUNT];                       /* tiles of rows that are taken at once */
    int splits[TARGET_COUNT];                      /* items that share a chunk */
    int block[TARGET_COUNT];                       /* tiles that go through a right factor together */
} StrassenPlan;

/* Whether the kernel can compute it: there are quarters, no shorter than a vector, and generated code can count in
 * them. */
bool strassen_is_possible(const StrassenShape *shape);

/* The sizes with which the kernel takes least time. */
StrassenPlan strassen_plan(const StrassenShape *shape);
/* The same where the tile is given for one target. */
StrassenPlan strassen_plan_tile(const StrassenShape *shape, int target, Tile tile);

/* The tiles with which it takes least time on a target, the best first; returns how many, at most `most`. */
int strassen_best(const StrassenShape *shape, int target, Tile *best, int most);

/* Whether it takes less time than the kernel linear with this tile, on this machine. */
bool strassen_pays(const StrassenShape *shape, const Machine *machine, const TileProduct *product, Tile tile);

/* Floats of the right factors. */
int64_t strassen_weights_count(int64_t depth, int64_t columns);
/* The right factors [(columns/2+15)/16][7][depth/2][16] of a matrix in panels [(columns+15)/16][depth][16], summed in
 * double and rounded once; runtime/strassen.h says what they are. depth and columns are even; what is behind the last
 * column is left as it is. */
void strassen_factor(const float *panels, int64_t depth, int64_t columns, float *factors);

#endif
