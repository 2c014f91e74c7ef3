/* Linear layers by Strassen's algorithm: an eighth fewer multiplications than in linear, for sums rounded differently.
 * Tiles of all quarters of the result are made before the next, so that partial products never leave the first-level
 * cache. */
#include "runtime/strassen.h"
#include "runtime/kernel.h"

/* Linear layer by Strassen's algorithm, in Winograd's form: y = x w + bias, which is added last, from seven products of
 * quarters of x and w instead of eight. K and N are even, and K / 2 is at least 16.
 * x: row m begins at m * X   w [(N/2+15)/16][7][K/2][16], right factors   bias [N] or NULL   y [M][N]
 * Rows are made in pairs, one of each half; with an odd M the row in the middle belongs to both, and is stored once.
 * Tiles of ROWS pairs are taken CHUNK at a time, whose left factors that are sums, [4][CHUNK * ROWS][K/2, padded], are
 * in scratch: padded so that a tile's rows do not fall into the same sets of the cache. SPLITS items share a chunk,
 * each of which makes a part of the columns. BLOCK tiles of a group of columns, of at most 96 vectors a quarter, use a
 * right factor one after another, and fetch those of the next group.
 * The last tile begins earlier where it has to, and what was stored before is not stored again; the last group of
 * columns is smaller.
 * name: strassen_{M}x{K}x{N}
 * items: ((M + 1) / 2 + CHUNK * ROWS - 1) / (CHUNK * ROWS) * SPLITS
 * scratch: 4 * CHUNK * ROWS * ((K / 2 + 15) / 16 * 16 + 16)
 * types: float */
KERNEL void strassen(const float *restrict x, const float *restrict w, const float *restrict bias,
                     float *restrict scratch, float *restrict y, const int first, const int last, const int fresh,
                     const int M, const int K, const int N, const int X, const int ROWS, const int VECTORS,
                     const int CHUNK, const int SPLITS, const int BLOCK) {
    const int high = (M + 1) / 2, deep = K / 2, half = N / 2, width = VECTORS * LANES, rest = half % width;
    const int groups = (half + width - 1) / width, row = (deep + 15) / 16 * 16 + 16, plane = CHUNK * ROWS * row;
    for (int item = first; item < last; item++) {
        const int begin = item / SPLITS * CHUNK * ROWS, split = item % SPLITS;
        const int end = begin + CHUNK * ROWS < high ? begin + CHUNK * ROWS : high;
        const int top = begin + ROWS < high ? begin : high - ROWS;
        if (item == fresh || split == 0)
            strassen_factors(scratch, x + top * X, x + (top + M - high) * X, end - top, deep, X, row, plane);
        for (int group = groups * split / SPLITS; group < groups * (split + 1) / SPLITS; group++) {
            const int left = group * width, next = left + width < half ? left + width : left;
            const float *const right = w + left / 16 * 16 * 7 * deep + left % 16;
            for (int start = begin; start < end; start += BLOCK * ROWS) {
                const int tiles = (end - start + ROWS - 1) / ROWS, count = tiles < BLOCK ? tiles : BLOCK;
                const int m = start + ROWS < high ? start : high - ROWS, most = high - ROWS - m;
                const int later = next + (start - begin) / (BLOCK * ROWS) * 16 % width; /* each block fetches a panel */
                const float *const upper = x + m * X, *const lower = x + (m + M - high) * X;
                const float *const sums = scratch + (m - top) * row;
                const float *const ahead = w + (later < half ? later : next) / 16 * 16 * 7 * deep;
                vf tile[4 * 96];
                if (rest == 0 || group < groups - 1)
                    strassen_tiles(tile, upper, lower, X, sums, row, plane, right, ahead, count, most, ROWS, VECTORS,
                                   width, deep);
                else
                    strassen_tiles(tile, upper, lower, X, sums, row, plane, right, ahead, count, most, ROWS, VECTORS,
                                   rest, deep);
                for (int part = 0; part < 4 * count; part++) {
                    const int from = left + part % 2 * half, is_lower = part % 4 / 2, below = is_lower * (M - high);
                    const int place = start + part / 4 * ROWS, at = place + ROWS < high ? place : high - ROWS;
                    vf added[32];
                    UNROLL
                    for (int v = 0; v < VECTORS; v++) {
                        const int more = half - left - v * LANES, some = more < 0 ? 0 : more;
                        if (bias == NULL) continue;
                        added[v] = vf_load_part(bias + from + v * LANES, some < LANES ? some : LANES);
                    }
                    for (int r = place - at; r < ROWS; r++) {
                        if (M % 2 != 0 && is_lower && at + r == 0) continue;
                        UNROLL
                        for (int v = 0; v < VECTORS; v++) {
                            const int column = left + v * LANES;
                            const int used = half % LANES == 0 || column + LANES <= half ? LANES : half % LANES;
                            if (column >= half) continue;
                            vf result = tile[(part * ROWS + r) * VECTORS + v];
                            if (bias != NULL) result += added[v];
                            OUT_VECTOR(y, (at + r + below) * N + from + v * LANES, result, used);
                        }
                    }
                }
            }
        }
    }
}
