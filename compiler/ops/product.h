/* Products of matrices, as several operators lower to them.
 * The kernel is chosen in one place, product_emit(). */
#ifndef FOVEA_OPS_PRODUCT_H
#define FOVEA_OPS_PRODUCT_H

#include "ops/op.h"
#include "program/tile.h"

/* Of a product of 8-bit integers: zero points, which are subtracted first (NULL: 0), of a one or one for each row, of b
 * one or one for each column; and where y has 8 bits too, its zero point and what sums are multiplied by, an element
 * for row m and column n being at m * factor_m + n * factor_n. */
typedef struct {
    const Value *a_zero, *b_zero, *y_zero;
    Buffer *factor; /* NULL: y is the sums, int32 */
    int64_t factor_m, factor_n;
} ByteScales;

/* The bit that makes an unsigned byte of a signed one, and 0 for other types: what runtime/quantisation.c calls FLIP.
 */
int64_t byte_flip(Type type);

/* y [batch][m][n] = alpha * a b + beta * c, where element (m, k) of a is at a_offset + m * a_m + k * a_k, the next
 * matrix a_batch later, and so on: runtime/gemm.c says the same of its kernels. c may be NULL. */
typedef struct {
    const Value *a, *b, *c, *y;
    int64_t a_offset, b_offset, y_offset;
    int64_t batch, m, k, n;
    int64_t a_batch, a_m, a_k, b_batch, b_k, b_n, c_m, c_n;
    double alpha, beta;
    const ByteScales *scales; /* a and b are contiguous 8-bit integers, there is no c, and alpha is 1 */
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
/* The shape of a b, as MatMul has it, with all its checks; the product of the two, and its batch dimensions. */
Shape matmul_shape(const Node *node, const Value *a, const Value *b);
Product matmul_product(const Node *node, const Value *a, const Value *b, ProductBatch *batch);

/* Appends steps for all of them. */
void product_emit_batches(Program *program, Product product, const ProductBatch *batch);

#endif
