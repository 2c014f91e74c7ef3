/* Linear layers: rows times a constant matrix, which was packed at compile time in panels of 16 columns.
 * A tile of ROWS rows by VECTORS vectors stays in registers; compiler/program/tile.h chooses it. */
#include "runtime/kernel.h"

/* Linear layer: y = x w + bias, tile by tile. Where rows or columns are no multiple of a tile, the last one begins
 * earlier, and what was stored before is not stored again. While a tile is multiplied, a part of the weights that the
 * next tiles need is fetched.
 * x: row m begins at m * X   w [N/16][K][16] and bias [N], or NULL: zeros behind the last column   y [M][N]
 * WEIGHTS_FIRST: the weights of a few columns go through all rows before the next ones, not a few rows through all
 * weights.
 * items: (M + ROWS - 1) / ROWS * (((N + 15) / 16 * 16 + VECTORS * LANES - 1) / (VECTORS * LANES))
 * name: linear_{M}x{K}x{N}
 * types: float */
KERNEL void linear(const float *restrict x, const float *restrict w, const float *restrict bias, float *restrict y,
                   const int first, const int last, const int M, const int K, const int N, const int X, const int ROWS,
                   const int VECTORS, const int WEIGHTS_FIRST) {
    const int width = VECTORS * LANES, columns = (N + 15) / 16 * 16;
    const int tiles = (M + ROWS - 1) / ROWS, groups = (columns + width - 1) / width;
    const int lines = (16 * VECTORS * LANES / 16 + tiles - 1) / tiles; /* to fetch for 16 rows of weights */
    for (int item = first; item < last; item++) {
        const int tile = WEIGHTS_FIRST ? item % tiles : item / groups;
        const int group = WEIGHTS_FIRST ? item / tiles : item % groups;
        const int m = tile < M / ROWS ? tile * ROWS : M - ROWS, n = group < columns / width ? group * width : columns - width;
        const float *const row = x + m * X, *const panel = w + n / 16 * 16 * K + n % 16;
        const float *ahead = panel + width * K + tile * (K / 16) * lines * 16;
        vf sum[32];
        UNROLL
        for (int i = 0; i < ROWS * VECTORS; i++)
            sum[i] = bias == NULL ? vf_all(0) : vf_load(bias + n + i % VECTORS * LANES);
        for (int k = 0; k < K / 16 * 16; k += 16) {
            for (int i = 0; WEIGHTS_FIRST && i < lines; i++, ahead += 16) PREFETCH(ahead);
            tile_multiply(sum, row + k, panel + k * 16, ROWS, VECTORS, ROWS, 0, X, 16, 16 * K);
        }
        tile_multiply(sum, row + K / 16 * 16, panel + K / 16 * 256, ROWS, VECTORS, ROWS, 0, X, K % 16, 16 * K);
        UNROLL
        for (int r = 0; r < ROWS; r++) {
            if (M % ROWS != 0 && m + r < tile * ROWS) continue;
            UNROLL
            for (int v = 0; v < VECTORS; v++) {
                const int column = n + v * LANES;
                if (columns % width != 0 && column < group * width) continue;
                if (N % 16 == 0 || column + LANES <= N) {
                    OUT_VECTOR(y, (m + r) * N + column, sum[r * VECTORS + v], LANES);
                } else if (column < N) {
                    OUT_VECTOR(y, (m + r) * N + column, sum[r * VECTORS + v], N % LANES);
                }
            }
        }
    }
}
