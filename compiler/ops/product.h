/* Products of matrices, as several operators lower to them.
 * The kernel is chosen in one place, product_emit(). */
#ifndef FOVEA_OPS_PRODUCT_H
#define FOVEA_OPS_PRODUCT_H

#include "ops/op.h"

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

#endif
