/* Products of matrices, as several operators lower to them.
 * The kernel is chosen in one place, product_emit(). */
#ifndef FOVEA_OPS_PRODUCT_H
#define FOVEA_OPS_PRODUCT_H

#include "ops/op.h"
#include "program/tile.h"

/* y [batch][m][n] = alpha * a b + beta * c, where element (m, k) of a is at a_offset + m * a_m + k * a_k, the next
 * matrix a_batch later, and so on: runtime/gemm.c says the same of its kernels. c may be NULL. */
typedef struct {
    const Value *a, *b, *c, *y;
    int64_t a_offset, b_offset, y_offset;
    int64_t batch, m, k, n;
    int64_t a_batch, a_m, a_k, b_batch, b_k, b_n, c_m, c_n;
    double alpha, beta;
} Product;

/* Appends the step that computes it. */
void product_emit(Program *program, Product product);

/* The same of a linear layer: a product with constant weights, and a bias that is a constant row or not there. */
void linear_emit(Program *program, const Product *product);

/* ROWS and VECTORS of a kernel, how many tiles of rows there are and groups of columns, and panels of a group. */
typedef struct {
    int rows[TARGET_COUNT], vectors[TARGET_COUNT], tiles[TARGET_COUNT], groups[TARGET_COUNT], panels[TARGET_COUNT];
} Tiles;

/* What the cost model weighs. */
TileProduct product_tile(const Product *product, TileRest rest);
/* What follows from rows and vectors. */
void product_count_tiles(const Product *product, Tiles *tiles);

/* More batch dimensions, outermost first, with the strides of a and b: 0 where one is broadcast. y has all of them. */
typedef struct {
    int rank;
    int64_t extent[MAX_RANK], a[MAX_RANK], b[MAX_RANK];
} ProductBatch;

/* Adds a dimension inside those that are there; it becomes one with the last where the strides allow it. */
void batch_add(ProductBatch *batch, int64_t extent, int64_t a, int64_t b);
/* Appends steps for all of them. */
void product_emit_batches(Program *program, Product product, const ProductBatch *batch);

#endif
