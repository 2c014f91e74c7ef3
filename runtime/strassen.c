/* Linear layers by Strassen's algorithm: an eighth fewer multiplications than in linear, for sums rounded differently.
 * A tile of all quarters of the result is made before the next, so that partial products never leave the core. */
#include "runtime/strassen.h"
#include "runtime/kernel.h"

/* Linear layer by Strassen's algorithm, in Winograd's form: y = x w + bias, which is added last, from seven products of
 * quarters of x and w instead of eight. K and N are even, and K / 2 is at least 16.
 * x: row m begins at m * X   w [(N/2+15)/16][7][K/2][16], right factors   bias [N] or NULL   y [M][N]
 * Rows are made in pairs, one of each half; with an odd M the row in the middle belongs to both, and is stored once.
 * Tiles of ROWS pairs are taken CHUNK at a time, whose left factors that are sums, [4][CHUNK * ROWS][K/2, padded], are
 * in scratch: padded so that a tile's rows do not fall into the same sets of the cache. SPLITS items share a chunk,
 * each of which makes a part of the columns. The tiles of a group of columns fetch the right factors of the next one.
 * The last tile begins earlier where it has to, and what was stored before is not stored again; the last group of
 * columns is smaller.
 * name: strassen_{M}x{K}x{N}
 * items: ((M + 1) / 2 + CHUNK * ROWS - 1) / (CHUNK * ROWS) * SPLITS
 * scratch: 4 * CHUNK * ROWS * ((K / 2 + 15) / 16 * 16 + 16)
 * types: float */
KERNEL void strassen(const float *restrict x, const float *restrict w, const float *restrict bias,
                     float *restrict scratch, float *restrict y, const int first, const int last, const int fresh,
                     const int M, const int K, const int N, const int X, const int ROWS, const int VECTORS,
                     const int CHUNK, const int SPLITS) {
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
            for (int start = begin; start < end; start += ROWS) {
                const int m = start + ROWS < high ? start : high - ROWS;
                const int later = next + (start - begin) / ROWS * 16 % width; /* each tile fetches a panel */
                const float *const upper = x + m * X, *const lower = x + (m + M - high) * X;
                const float *const sums = scratch + (m - top) * row;
                const float *const ahead = w + (later < half ? later : next) / 16 * 16 * 7 * deep;
                vf tile[4][32];
                if (rest == 0 || group < groups - 1)
                    strassen_tile(tile, upper, lower, X, sums, row, plane, right, ahead, ROWS, VECTORS, width, deep);
                else strassen_tile(tile, upper, lower, X, sums, row, plane, right, ahead, ROWS, VECTORS, rest, deep);
                for (int quarter = 0; quarter < 4; quarter++) {
                    const int from = left + quarter % 2 * half, below = quarter / 2 * (M - high);
                    vf added[32];
                    UNROLL
                    for (int v = 0; v < VECTORS; v++) {
                        const int more = half - left - v * LANES, part = more < 0 ? 0 : more;
                        if (bias == NULL) continue;
                        added[v] = vf_load_part(bias + from + v * LANES, part < LANES ? part : LANES);
                    }
                    for (int r = start - m; r < ROWS; r++) {
                        if (M % 2 != 0 && quarter / 2 == 1 && m + r == 0) continue;
                        UNROLL
                        for (int v = 0; v < VECTORS; v++) {
                            const int place = left + v * LANES;
                            const int count = half % LANES == 0 || place + LANES <= half ? LANES : half % LANES;
                            if (place >= half) continue;
                            vf result = tile[quarter][r * VECTORS + v];
                            if (bias != NULL) result += added[v];
                            OUT_VECTOR(y, (m + r + below) * N + from + v * LANES, result, count);
                        }
                    }
                }
            }
        }
    }
}
