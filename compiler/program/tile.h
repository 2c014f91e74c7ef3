/* Tile: how many rows and vectors a product keeps in registers at once, for each target that generated code may meet.
 * Every kernel built on tile_multiply() (runtime/vector.h) is given its ROWS and VECTORS from here. */
#ifndef FOVEA_PROGRAM_TILE_H
#define FOVEA_PROGRAM_TILE_H

#include "program/target.h"

#include <stdbool.h>
#include <stdint.h>

enum { PANEL_WIDTH = 16 };

/* How many parts of at most `by` it takes. */
static inline int64_t divide_up(int64_t count, int64_t by) { return (count + by - 1) / by; }

/* What a kernel does where groups of vectors do not make up all columns: the last group is smaller, or it is moved back
 * and repeats some, of whole panels. */
typedef enum { REST_IS_SMALLER, REST_IS_REPEATED } TileRest;

/* A product of rows of x by columns, which lie in panels of 16. rows and columns >= 1. */
typedef struct {
    int64_t rows, columns;
    int64_t depth;  /* elements of a row of x: how long each column is */
    int64_t stride; /* floats from one row of a tile to the next; 0: they do not get in each other's way */
    TileRest rest;
    int64_t most; /* rows of a tile at most; 0: as many as registers have room for */
    bool halves;  /* with AVX-512: half of a vector takes half of the time, where the rest is smaller */
    /* What is done with a tile's sums comes between the steps of the next one's product, one sum a step, and has
     * registers of its own; tiles make up all rows and columns. */
    bool pipelined;
} TileProduct;

/* The tiles with which a product takes least time, by target. rows_out[i] <= rows, and the last tile of a kernel may
 * begin earlier than its place, so as to end at the last row. vectors_out[i] is a multiple of the vectors that make a
 * panel (1, 2, 4, 4, 16) and at most the panels, or a divisor of them: a panel is then gone through in parts. */
void tile_choose(const TileProduct *product, int rows_out[TARGET_COUNT], int vectors_out[TARGET_COUNT]);

typedef struct {
    int rows, vectors;
} Tile;

/* The tiles with which such a product takes least time on one target, the best first: that is tile_choose()'s. Returns
 * how many there are, at most `most`. */
int tile_best(int target, const TileProduct *product, Tile *best, int most);

/* How many of `outputs` neighbouring pixels of a convolution in small groups make a tile: tile_slide() of
 * runtime/vector.h, with a row of the kernel. At most `outputs`, and 16 with AVX-512, where 14 take 0.8 to 0.95 of the
 * time of 7 or 8 (Zen 5), 8 elsewhere. As few as can be where such a tile would not be unrolled. */
void tile_choose_columns(int64_t outputs, int64_t kernel, int64_t stride, int64_t dilation,
                         int columns_out[TARGET_COUNT]);

/* Such numbers for one target, the best first: that is tile_choose_columns()'s. Returns how many there are, at most
 * `most`. */
int tile_best_columns(int target, int64_t outputs, int64_t kernel, int64_t stride, int64_t dilation, int *best,
                      int most);

/* tile_choose() for two products that take the same rows, one after the other, as scores and values of attention do: by
 * `columns` columns each, with sums over `depths` elements, where the rest is repeated. vectors_out[i] is the i-th
 * one's.
 */
void tile_choose_both(int64_t rows, const int64_t columns[2], const int64_t depths[2], int rows_out[TARGET_COUNT],
                      int vectors_out[2][TARGET_COUNT]);

/* For a product of few rows, which takes as long as its weights take to come: how many panels are read side by side, at
 * most as many as there are, and how many partial sums each result has, so that none waits for the one before. */
void tile_choose_panels(int64_t rows, int64_t columns, int panels[TARGET_COUNT], int split[TARGET_COUNT]);

/* How long a target takes for one step of a product (an element of each row, times a row of weights) with tiles of
 * this size: in multiply-adds of a core that never waits. */
double tile_cost(int target, const TileProduct *product, int tile_rows, int tile_vectors);

/* Items into which the work of a kernel is cut that prepares a chunk for many products, so that threads end at about
 * the same time: for few of them as many as for eight. */
int64_t tile_enough_items(int threads);

#endif
