/* Winograd's transforms of lines of numbers, for convolutions with three or five taps.
 * F(2, 3) makes 2 outputs of 4 inputs and takes the points 0, 1, -1 and infinity; F(4, 3) makes 4 of 6, as F(2, 5)
 * makes 2, and takes 0, a, -a, b, -b and infinity with a = 3/4, b = 3/2, which have exact squares and err half as much
 * as the usual 1 and 2. */
#ifndef FOVEA_RUNTIME_WINOGRAD_H
#define FOVEA_RUNTIME_WINOGRAD_H

#include "runtime/vector.h"

/* In both transforms each sum has at most one product, and ends in a sum: then there is one way of fusing them, and the
 * same bits wherever they are inlined. */

/* The values of TILE inputs at the points, in their place: what lies behind line[0], STEP vectors apart. One is its own
 * value. */
INLINE void winograd_input(vf *line, const int STEP, const int TILE) {
    if (TILE == 1) return;
    const vf d0 = line[0], d1 = line[STEP], d2 = line[2 * STEP], d3 = line[3 * STEP];
    if (TILE == 4) {
        line[0] = d2 - d0;
        line[STEP] = d2 + d1;
        line[2 * STEP] = d2 - d1;
        line[3 * STEP] = d3 - d1;
    } else {
        const vf d4 = line[4 * STEP], d5 = line[5 * STEP];
        const vf even_a = d4 - 2.25f * d2, odd_a = d3 - 2.25f * d1;
        const vf even_b = d4 - 0.5625f * d2, odd_b = d3 - 0.5625f * d1;
        const vf first = d4 - 2.8125f * d2, last = d5 - 2.8125f * d3;
        line[0] = first + 1.265625f * d0;
        line[STEP] = even_a + 0.75f * odd_a;
        line[2 * STEP] = even_a - 0.75f * odd_a;
        line[3 * STEP] = even_b + 1.5f * odd_b;
        line[4 * STEP] = even_b - 1.5f * odd_b;
        line[5 * STEP] = last + 1.265625f * d1;
    }
}

/* The COUNT outputs of TILE products, in the place of the first of them. */
INLINE void winograd_output(vf *line, const int STEP, const int TILE, const int COUNT) {
    if (TILE == 1) return;
    const vf even_a = line[STEP] + line[2 * STEP], odd_a = line[STEP] - line[2 * STEP];
    if (TILE == 4) {
        line[0] += even_a;
        line[STEP] = odd_a + line[3 * STEP];
    } else {
        const vf even_b = line[3 * STEP] + line[4 * STEP], odd_b = line[3 * STEP] - line[4 * STEP];
        line[0] += even_a + even_b;
        if (COUNT == 2) {
            const vf odd = line[5 * STEP] + 1.5f * odd_b;
            line[STEP] = odd + 0.75f * odd_a;
        } else {
            const vf once = odd_b + 0.5f * odd_b, twice = even_b + 1.25f * even_b; /* 1.5 and 2.25 times, as sums */
            const vf thrice = line[5 * STEP] + 3.375f * odd_b;
            line[STEP] = once + 0.75f * odd_a;
            line[2 * STEP] = twice + 0.5625f * even_a;
            line[3 * STEP] = thrice + 0.421875f * odd_a;
        }
    }
}

/* Takes LANES channels of a tile to its values at TH * TW points, which lie APART floats apart. Rows of the tile
 * lie DOWN floats apart, pixels RIGHT. */
INLINE void winograd_tile_values(float *to, const float *from, const int DOWN, const int RIGHT, const int APART,
                                 const int TH, const int TW) {
    vf tile[36];
    UNROLL
    for (int j = 0; j < TW; j++) {
        UNROLL
        for (int i = 0; i < TH; i++) tile[i * TW + j] = vf_load(from + i * DOWN + j * RIGHT);
        winograd_input(tile + j, TW, TH);
    }
    UNROLL
    for (int i = 0; i < TH; i++) {
        winograd_input(tile + i * TW, 1, TW);
        UNROLL
        for (int j = 0; j < TW; j++) vf_store(to + (i * TW + j) * APART, tile[i * TW + j]);
    }
}

/* Copies count channels of those pixels of a tile that a map has, from and up to a row and a column, to
 * [TH][TW][LANES]. The tile's corner is a place in the map or before it, rows lie DOWN floats apart, pixels RIGHT.
 * Unrolled, GCC would make products of what is copied and of zeros, and fuse them with no sum. */
INLINE void winograd_tile_copy(float *to, const float *map, const int corner, const int above, const int below,
                               const int before, const int beyond, const int DOWN, const int RIGHT, const int count,
                               const int TW) {
    ROLLED
    for (int i = above; i < below; i++) {
        ROLLED
        for (int j = before; j < beyond; j++)
            vf_store(to + (i * TW + j) * LANES, vf_load_part(map + (corner + i * DOWN + j * RIGHT), count));
    }
}

/* Takes products at TH * TW points, WIDTH floats apart, to ROWS * COLUMNS outputs, plus shift. */
INLINE void winograd_tile_outputs(vf *out, const float *products, const int WIDTH, const vf shift, const int TH,
                                  const int TW, const int ROWS, const int COLUMNS) {
    vf tile[36];
    UNROLL
    for (int j = 0; j < TW; j++) {
        UNROLL
        for (int i = 0; i < TH; i++) tile[i * TW + j] = vf_load(products + (i * TW + j) * WIDTH);
        winograd_output(tile + j, TW, TH, ROWS);
    }
    UNROLL
    for (int i = 0; i < ROWS; i++) {
        winograd_output(tile + i * TW, 1, TW, COLUMNS);
        UNROLL
        for (int j = 0; j < COLUMNS; j++) out[i * COLUMNS + j] = tile[i * TW + j] + shift;
    }
}

#endif
