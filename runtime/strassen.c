/* Linear layers by Strassen's algorithm: an eighth fewer multiplications than in linear, for sums rounded differently.
 * A tile of all quarters of the result is made before the next, so that partial products never leave the core. */
#include "runtime/strassen.h"
#include "runtime/kernel.h"

/* Linear layer by Strassen's algorithm, in Winograd's form: y = x w + bias, which is added last, from seven products of
 * quarters of x and w instead of eight. K is a multiple of 32, and so is N.
 * x: row m begins at m * X   w [N/32][7][K/2][16], right factors   bias [N] or NULL   y [M][N]
 * Rows are made in pairs, one of each half; with an odd M the row in the middle belongs to both, and is stored once.
 * Tiles of ROWS pairs are taken CHUNK at a time, whose left factors, [7][CHUNK * ROWS][K/2, padded], are in scratch:
 * padded so that a tile's rows do not fall into the same sets of the cache. SPLITS items share a chunk, each of which
 * makes a part of the columns. The tiles of a group of columns fetch the right factors of the next one. The last tile
 * and the last group of columns begin earlier where they have to, and what was stored before is not stored again.
 * name: strassen_{M}x{K}x{N}
 * items: ((M + 1) / 2 + CHUNK * ROWS - 1) / (CHUNK * ROWS) * SPLITS
 * scratch: 7 * CHUNK * ROWS * (K / 2 + 16)
 * types: float */
KERNEL void strassen(const float *restrict x, const float *restrict w, const float *restrict bias,
                     float *restrict scratch, float *restrict y, const int first, const int last, const int fresh,
                     const int M, const int K, const int N, const int X, const int ROWS, const int VECTORS,
                     const int CHUNK, const int SPLITS) {
    const int high = (M + 1) / 2, deep = K / 2, vectors = N / 2 / LANES, groups = (vectors + VECTORS - 1) / VECTORS;
    const int row = deep + 16, plane = CHUNK * ROWS * row;
    for (int item = first; item < last; item++) {
        const int begin = item / SPLITS * CHUNK * ROWS, split = item % SPLITS;
        const int end = begin + CHUNK * ROWS < high ? begin + CHUNK * ROWS : high;
        const int top = begin + ROWS < high ? begin : high - ROWS;
        if (item == fresh || split == 0)
            strassen_factors(scratch, x + top * X, x + (top + M - high) * X, end - top, deep, X, row, plane);
        for (int group = groups * split / SPLITS; group < groups * (split + 1) / SPLITS; group++) {
            const int furthest = (vectors - VECTORS) * LANES, width = VECTORS * LANES, panels = (width + 15) / 16;
            const int left = group * width < furthest ? group * width : furthest;
            const int next = left + width < furthest ? left + width : furthest;
            for (int start = begin; start < end; start += ROWS) {
                const int m = start + ROWS < high ? start : high - ROWS;
                vf tile[4][32];
                const int ahead = next / 16 + (start - begin) / ROWS % panels; /* each tile fetches one */
                strassen_tile(tile, scratch + (m - top) * row, w + left / 16 * 16 * 7 * deep + left % 16,
                              w + ahead * 16 * 7 * deep, ROWS, VECTORS, deep, row, plane);
                for (int quarter = 0; quarter < 4; quarter++)
                    for (int r = start - m; r < ROWS; r++) {
                        const int lower = quarter / 2, right = quarter % 2 * (N / 2);
                        const int line = m + r + lower * (M - high);
                        if (M % 2 != 0 && lower && line == M - high) continue;
                        UNROLL
                        for (int v = 0; v < VECTORS; v++) {
                            const int column = left + v * LANES;
                            if (vectors % VECTORS != 0 && column < group * VECTORS * LANES) continue;
                            vf result = tile[quarter][r * VECTORS + v];
                            if (bias != NULL) result += vf_load(bias + right + column);
                            OUT_VECTOR(y, line * N + right + column, result, LANES);
                        }
                    }
            }
        }
    }
}
