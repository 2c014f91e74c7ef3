/* Strassen's algorithm for products of matrices, in Winograd's form: seven products of quarters instead of eight.
 * The right factors are made at compile time: compiler/program/strassen.c. */
#ifndef FOVEA_RUNTIME_STRASSEN_H
#define FOVEA_RUNTIME_STRASSEN_H

#include "runtime/vector.h"

/* The four left factors that are sums, of `count` pairs of rows, one pair from upper and lower on and X floats between
 * them, in the order in which they are used: factor i of row r at to + i * PLANE + r * ROW. DEEP: a quarter's columns,
 * at least LANES; where they are no multiple, the last vector begins earlier. */
INLINE void strassen_factors(float *to, const float *upper, const float *lower, const int count, const int DEEP,
                             const int X, const int ROW, const int PLANE) {
    for (int r = 0; r < count; r++, to += ROW, upper += X, lower += X)
        for (int step = 0; step < DEEP; step += LANES) {
            const int k = step + LANES <= DEEP ? step : DEEP - LANES;
            const vf a11 = vf_load(upper + k), a12 = vf_load(upper + DEEP + k);
            const vf a21 = vf_load(lower + k), a22 = vf_load(lower + DEEP + k);
            const vf below = a21 + a22, last = below - a11;
            vf_store(to + k, last);
            vf_store(to + PLANE + k, a11 - a21);
            vf_store(to + 2 * PLANE + k, below);
            vf_store(to + 3 * PLANE + k, a12 - last);
        }
}

/* sum += the product of a left factor, whose rows are ROW floats apart, and the right one of that number, as
 * strassen_tile() takes them. */
INLINE void strassen_product(vf *sum, const float *left, const int ROW, const float *right, const float *ahead,
                             const int NUMBER, const int ROWS, const int VECTORS, const int COLUMNS, const int DEEP) {
    const int skipped = NUMBER * DEEP * 16;
    tile_multiply_part(sum, left, NULL, right + skipped, ROWS, VECTORS, COLUMNS, ROW, DEEP, 7 * DEEP * 16,
                       ahead + skipped, 16);
}

/* A tile of ROWS rows by VECTORS vectors of all quarters of a product: tile[0] of the first, upper left one, tile[1]
 * of the upper right, then of the lower ones. With a = [a11 a12; a21 a22], likewise b:
 *   p = a11 b11                         q = p + (a21 + a22 - a11) (b22 - b12 + b11)
 *   r = q + (a11 - a21) (b22 - b12)     s = (a21 + a22) (b12 - b11)
 *   a b = [p + a12 b21                  q + s + (a12 - a21 - a22 + a11) b22;
 *          r + a22 (b21 - b22 + b12 - b11)                                r + s]
 * a11 and a12 lie at upper, a21 and a22 at lower, X floats between rows; left factors that are sums at sums, as above.
 * The right ones of a panel of 16 columns lie one after another, [7][DEEP][16]. Only the first COLUMNS columns of the
 * vectors are computed. Meanwhile it fetches the right factors of a panel that will be used next, at ahead.
 * Source: Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, section 23.1. */
INLINE void strassen_tile(vf tile[4][32], const float *upper, const float *lower, const int X, const float *sums,
                          const int ROW, const int PLANE, const float *right, const float *ahead, const int ROWS,
                          const int VECTORS, const int COLUMNS, const int DEEP) {
    const int SIZE = ROWS * VECTORS;
    vf sum[32], p[32], q[32];
    UNROLL
    for (int i = 0; i < SIZE; i++) sum[i] = vf_all(0);
    strassen_product(sum, upper, X, right, ahead, 0, ROWS, VECTORS, COLUMNS, DEEP);
    UNROLL
    for (int i = 0; i < SIZE; i++) p[i] = sum[i];
    strassen_product(sum, upper + DEEP, X, right, ahead, 1, ROWS, VECTORS, COLUMNS, DEEP);
    UNROLL
    for (int i = 0; i < SIZE; i++) tile[0][i] = sum[i], sum[i] = p[i];
    strassen_product(sum, sums, ROW, right, ahead, 2, ROWS, VECTORS, COLUMNS, DEEP);
    UNROLL
    for (int i = 0; i < SIZE; i++) q[i] = sum[i];
    strassen_product(sum, sums + PLANE, ROW, right, ahead, 3, ROWS, VECTORS, COLUMNS, DEEP);
    UNROLL
    for (int i = 0; i < SIZE; i++) tile[3][i] = sum[i];
    strassen_product(sum, lower + DEEP, X, right, ahead, 4, ROWS, VECTORS, COLUMNS, DEEP);
    UNROLL
    for (int i = 0; i < SIZE; i++) tile[2][i] = sum[i], sum[i] = vf_all(0);
    strassen_product(sum, sums + 2 * PLANE, ROW, right, ahead, 5, ROWS, VECTORS, COLUMNS, DEEP);
    UNROLL
    for (int i = 0; i < SIZE; i++) tile[3][i] += sum[i], sum[i] += q[i];
    strassen_product(sum, sums + 3 * PLANE, ROW, right, ahead, 6, ROWS, VECTORS, COLUMNS, DEEP);
    UNROLL
    for (int i = 0; i < SIZE; i++) tile[1][i] = sum[i];
}

#endif
