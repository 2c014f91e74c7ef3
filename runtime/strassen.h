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

/* Of count tiles as strassen_tiles() takes them: quarter TO = quarter FROM (-1: zeros) + a left factor, whose rows are
 * ROW floats apart, times the right one of that number, which is added to quarter ALSO as well (-1: to none). */
INLINE void strassen_product(vf *tile, const int TO, const int FROM, const int ALSO, const float *left, const int ROW,
                             const float *right, const float *ahead, const int NUMBER, const int count, const int most,
                             const int ROWS, const int VECTORS, const int COLUMNS, const int DEEP) {
    const int skipped = NUMBER * DEEP * 16, SIZE = ROWS * VECTORS;
    for (int t = 0; t < count; t++, tile += 4 * SIZE) {
        const int row = t * ROWS < most ? t * ROWS : most;
        vf sum[32];
        UNROLL
        for (int i = 0; i < SIZE; i++) sum[i] = FROM < 0 ? vf_all(0) : tile[FROM * SIZE + i];
        tile_multiply_part(sum, left + row * ROW, NULL, right + skipped, ROWS, VECTORS, COLUMNS, ROW, DEEP,
                           7 * DEEP * 16, ahead + skipped, 16);
        UNROLL
        for (int i = 0; i < SIZE; i++) {
            if (ALSO >= 0) tile[TO * SIZE + i] += sum[i], tile[ALSO * SIZE + i] += sum[i];
            else tile[TO * SIZE + i] = sum[i];
        }
    }
}

/* `count` tiles of ROWS rows by VECTORS vectors of all quarters of a product, [count][4][ROWS][VECTORS], each of which
 * begins ROWS rows after the one before, and at most `most` rows after the first. The quarters are the upper left one,
 * the upper right, then the lower ones. With a = [a11 a12; a21 a22], likewise b:
 *   p = a11 b11                         q = p + (a21 + a22 - a11) (b22 - b12 + b11)
 *   r = q + (a11 - a21) (b22 - b12)     s = (a21 + a22) (b12 - b11)
 *   a b = [p + a12 b21                  q + s + (a12 - a21 - a22 + a11) b22;
 *          r + a22 (b21 - b22 + b12 - b11)                                r + s]
 * a11 and a12 lie at upper, a21 and a22 at lower, X floats between rows; left factors that are sums at sums, as above.
 * The right ones of a panel of 16 columns lie one after another, [7][DEEP][16]: each stays in the first-level cache
 * while all tiles are multiplied by it. Only the first COLUMNS columns of the vectors are computed. Meanwhile it
 * fetches the right factors of a panel that will be used next, at ahead.
 * Source: Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, section 23.1. */
INLINE void strassen_tiles(vf *tile, const float *upper, const float *lower, const int X, const float *sums,
                           const int ROW, const int PLANE, const float *right, const float *ahead, const int count,
                           const int most, const int ROWS, const int VECTORS, const int COLUMNS, const int DEEP) {
    strassen_product(tile, 1, -1, -1, upper, X, right, ahead, 0, count, most, ROWS, VECTORS, COLUMNS, DEEP); /* p */
    strassen_product(tile, 0, 1, -1, upper + DEEP, X, right, ahead, 1, count, most, ROWS, VECTORS, COLUMNS, DEEP);
    strassen_product(tile, 1, 1, -1, sums, ROW, right, ahead, 2, count, most, ROWS, VECTORS, COLUMNS, DEEP); /* q */
    strassen_product(tile, 3, 1, -1, sums + PLANE, ROW, right, ahead, 3, count, most, ROWS, VECTORS, COLUMNS,
                     DEEP); /* r */
    strassen_product(tile, 2, 3, -1, lower + DEEP, X, right, ahead, 4, count, most, ROWS, VECTORS, COLUMNS, DEEP);
    strassen_product(tile, 3, -1, 1, sums + 2 * PLANE, ROW, right, ahead, 5, count, most, ROWS, VECTORS, COLUMNS,
                     DEEP); /* s */
    strassen_product(tile, 1, 1, -1, sums + 3 * PLANE, ROW, right, ahead, 6, count, most, ROWS, VECTORS, COLUMNS, DEEP);
}

#endif
