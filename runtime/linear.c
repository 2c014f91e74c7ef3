/* Linear layers: rows times a constant matrix, which was packed at compile time in panels of 16 columns.
 * A tile of ROWS rows by VECTORS vectors stays in registers; compiler/program/tile.h chooses it. */
#include "runtime/kernel.h"

/* Linear layer: y = x w + bias, which is added last, in TILES tiles of rows by GROUPS of columns. Where rows are no
 * multiple of a tile, the last one begins earlier, and what was stored before is not stored again; where columns are
 * none, the last group is smaller. x: row m begins at m * X   w [N/16][K][16], as tile_multiply_pairs() has it, and
 * bias [N] or NULL: zeros behind the last column   y [M][N] BAND tiles go through all weights before the next ones,
 * group by group, of which the next one is fetched meanwhile, unless tiles go one by one.
 * name: linear_{M}x{K}x{N}
 * items: TILES * GROUPS
 * types: float */
KERNEL void linear(const float *restrict x, const float *restrict w, const float *restrict bias, float *restrict y,
                   const int first, const int last, const int M, const int K, const int N, const int X, const int ROWS,
                   const int VECTORS, const int TILES, const int GROUPS, const int BAND) {
    const int width = VECTORS * LANES, rest = N % width; /* columns of the last group, where it is smaller */
    const int lines = (width + BAND - 1) / BAND; /* to fetch in 16 steps, so that a tile does its part of a panel */
    for (int item = first; item < last; item++) {
        const int top = BAND < TILES ? item / (BAND * GROUPS) * BAND : 0, place = item - top * GROUPS;
        const int tiles = TILES % BAND == 0 || TILES - top > BAND ? BAND : TILES - top; /* of the band */
        const int group = place / tiles, tile = top + place % tiles;
        const int m = (tile + 1) * ROWS <= M ? tile * ROWS : M - ROWS;
        const int n = group * width, full = rest == 0 || group < GROUPS - 1;
        const float *const row = x + m * X, *const panel = w + n / 16 * 16 * K + n % 16;
        const float *ahead = panel + width * K + (tile - top) * (K / 16) * lines * 16;
        vf sum[32];
        UNROLL
        for (int i = 0; i < ROWS * VECTORS; i++) sum[i] = vf_all(0);
        if (full && (GROUPS == 1 || (BAND == 1 && TILES > 1))) {
            tile_multiply(sum, row, panel, ROWS, VECTORS, X, K, 16 * K);
        } else if (full) {
            ROLLED
            for (int k = 0; k < K; k += 16) {
                const int depth = K - k < 16 ? K - k : 16;
                for (int i = 0; i < lines; i++, ahead += 16) PREFETCH(ahead);
                tile_multiply(sum, row + k, panel + k * 16, ROWS, VECTORS, X, depth, 16 * K);
            }
        } else {
            tile_multiply_pairs(sum, row, panel, ROWS, VECTORS, rest, X, K, 16 * K);
        }
        UNROLL
        for (int r = 0; r < ROWS; r++) {
            if (M % ROWS != 0 && m + r < tile * ROWS) continue;
            UNROLL
            for (int v = 0; v < VECTORS; v++) {
                const int column = n + v * LANES, i = r * VECTORS + v;
                const int left = N % LANES == 0 || column + LANES <= N ? LANES : N % LANES;
                if (column >= N) continue;
                const vf result = bias == NULL ? sum[i] : sum[i] + vf_load(bias + column);
                OUT_VECTOR(y, (m + r) * N + column, result, left);
            }
        }
    }
}

/* The weights of a linear layer whose inputs are each to be multiplied by a gate first: (x gate) w = x (gate w).
 * w and y [N/16][K][16], as tile_multiply_pairs() has them   gate [K]
 * name: gated_weights_{K}x{N}
 * items: (N + 15) / 16
 * types: float */
KERNEL void gated_weights(const float *restrict w, const float *restrict gate, float *restrict y, const int first,
                          const int last, const int K, const int N) {
    for (int panel = first; panel < last; panel++) {
        const float *const from = w + panel * K * 16;
        float *const to = y + panel * K * 16;
        for (int k = 0; k < K; k++) {
            UNROLL
            for (int v = 0; v < 16; v += LANES) vf_store(to + k * 16 + v, vf_load(from + k * 16 + v) * vf_all(gate[k]));
        }
        const int paired = panel == N / 16 && N % 16 <= 8 && K % 2 == 0;
        for (int k = 0; paired && k < K; k += 2) memcpy(to + k * 16 + 8, to + k * 16 + 16, 8 * sizeof(float));
    }
}

/* Linear layer of few terms: as linear, but what becomes of a tile's sums, one vector for each term, comes between the
 * steps of the next tile's product, so that neither waits for the other. M is a multiple of ROWS, N of a tile's
 * columns, and K at least as many as a tile has vectors. The last tile is multiplied once more in vain. x: row m begins
 * at m * X   w [N/16][K][16]   bias [N] or NULL   y [M][N]
 * name: linear_{M}x{K}x{N}
 * items: M / ROWS * GROUPS
 * types: float */
KERNEL void linear_pipelined(const float *restrict x, const float *restrict w, const float *restrict bias,
                             float *restrict y, const int first, const int last, const int M, const int K, const int N,
                             const int X, const int ROWS, const int VECTORS, const int GROUPS) {
    const int SIZE = ROWS * VECTORS;
    int before = 0; /* where the tile before lies in y */
    vf kept[32];
    for (int item = first; first < last && item <= last; item++) {
        const int tile = item < last ? item : last - 1, m = tile / GROUPS * ROWS, n = tile % GROUPS * VECTORS * LANES;
        const float *const row = x + m * X, *const panel = w + n / 16 * 16 * K + n % 16;
        vf sum[32];
        UNROLL
        for (int i = 0; i < SIZE; i++) sum[i] = vf_all(0);
        if (item == first) {
            tile_multiply(sum, row, panel, ROWS, VECTORS, X, K, 16 * K);
        } else {
            ROLLED
            for (int r = 0; r < ROWS; r++) {
                UNROLL
                for (int v = 0; v < VECTORS; v++) {
                    const int i = r * VECTORS + v;
                    tile_multiply(sum, row + i, panel + i * 16, ROWS, VECTORS, X, 1, 16 * K);
                    const vf result = kept[i];
                    OUT_VECTOR(y, before + r * N + v * LANES, result, LANES);
                }
            }
            tile_multiply(sum, row + SIZE, panel + SIZE * 16, ROWS, VECTORS, X, K - SIZE, 16 * K);
        }
        UNROLL
        for (int i = 0; i < SIZE; i++)
            kept[i] = bias == NULL ? sum[i] : sum[i] + vf_load(bias + n + i % VECTORS * LANES);
        before = m * N + n;
    }
}

/* Linear layer of at most three rows: as linear, but each weight is read once, at the speed of the memory, which brings
 * several panels sooner than one; SPLIT partial sums of a result do not wait for each other. Of the last PANELS panels
 * only those are stored that the group before does not have.
 * x: row m begins at m * X   w [N/16][K][16] and bias [N] or NULL: zeros behind the last column   y [M][N]
 * name: linear_row_{M}x{K}x{N}
 * items: ((N + 15) / 16 + PANELS - 1) / PANELS
 * types: float */
KERNEL void linear_row(const float *restrict x, const float *restrict w, const float *restrict bias, float *restrict y,
                       const int first, const int last, const int M, const int K, const int N, const int X,
                       const int PANELS, const int SPLIT) {
    const int all = (N + 15) / 16, vectors = PANELS * 16 / LANES, sums = M * vectors;
    for (int item = first; item < last; item++) {
        const int from = (item + 1) * PANELS < all ? item * PANELS : all - PANELS;
        const float *const panel = w + from * 16 * K;
        vf sum[64];
        UNROLL
        for (int i = 0; i < SPLIT * sums; i++) sum[i] = vf_all(0);
        for (int k = 0; k < K / SPLIT * SPLIT; k += SPLIT) {
            UNROLL
            for (int s = 0; s < SPLIT; s++)
                tile_multiply(sum + s * sums, x + k + s, panel + (k + s) * 16, M, vectors, X, 1, 16 * K);
        }
        tile_multiply(sum, x + K / SPLIT * SPLIT, panel + K / SPLIT * SPLIT * 16, M, vectors, X, K % SPLIT, 16 * K);
        UNROLL
        for (int i = sums; i < SPLIT * sums; i++) sum[i % sums] += sum[i];
        UNROLL
        for (int i = 0; i < sums; i++) {
            const int column = from * 16 + i % vectors * LANES;
            const int left = N % LANES == 0 || column + LANES <= N ? LANES : N % LANES;
            if (column >= N || (all % PANELS != 0 && column < item * PANELS * 16)) continue;
            const vf result = bias == NULL ? sum[i] : sum[i] + vf_load(bias + column);
            OUT_VECTOR(y, i / vectors * N + column, result, left);
        }
    }
}

/* Product of two matrices that are made at run time: y = alpha * a b + beta * c, for BATCH pairs of matrices. PANELS
 * panels of 16 columns of b at a time are packed, and go through all rows of a, tile by tile as in linear.
 * a [M][K]: row m begins at m * AM, the next matrix AB later (0: the same one)
 * b [K][N]: element (k, n) is at k * BK + n * BN, the next matrix BB later
 * c: element (m, n) is at m * CM + n * CN, CN is 0 or 1, or c is NULL   y [BATCH][M][N]   scratch [PANELS][K][16]
 * name: product_{M}x{K}x{N}
 * items: BATCH * GROUPS
 * scratch: PANELS * K * 16
 * types: float */
KERNEL void product(const float *restrict a, const float *restrict b, const float *restrict c, float *restrict scratch,
                    float *restrict y, const float alpha, const float beta, const int first, const int last,
                    const int BATCH, const int M, const int K, const int N, const int AB, const int AM, const int BB,
                    const int BK, const int BN, const int CM, const int CN, const int ROWS, const int VECTORS,
                    const int PANELS, const int GROUPS) {
    const int width = PANELS * 16, columns = (N + 15) / 16 * 16;
    for (int item = first; item < last; item++) {
        const int batch = item / GROUPS, group = item % GROUPS;
        const int left = (group + 1) * width <= columns ? group * width : columns - width;
        for (int n = left; n < left + width; n += 16)
            panel_pack(scratch + (n - left) * K, b + batch * BB + n * BN, K, N - n < 16 ? N - n : 16, BK, BN);
        for (int top = 0; top < M; top += ROWS) {
            const int m = top + ROWS <= M ? top : M - ROWS;
            for (int n = left; n < left + width; n += VECTORS * LANES) {
                const float *const panel = scratch + (n - left) / 16 * 16 * K + n % 16;
                vf sum[32];
                UNROLL
                for (int i = 0; i < ROWS * VECTORS; i++) sum[i] = vf_all(0);
                tile_multiply(sum, a + batch * AB + m * AM, panel, ROWS, VECTORS, AM, K, 16 * K);
                UNROLL
                for (int r = 0; r < ROWS; r++) {
                    if (M % ROWS != 0 && m + r < top) continue;
                    UNROLL
                    for (int v = 0; v < VECTORS; v++) {
                        const int column = n + v * LANES, at = (m + r) * CM + column * CN;
                        const int count = N % 16 == 0 || column + LANES <= N ? LANES : N - column;
                        vf result = alpha * sum[r * VECTORS + v];
                        if (count <= 0 || (columns % width != 0 && column < group * width)) continue;
                        if (c != NULL) result += beta * (CN == 0 ? vf_all(c[at]) : vf_load_part(c + at, count));
                        if (count == LANES) {
                            OUT_VECTOR(y, (batch * M + m + r) * N + column, result, LANES);
                        } else {
                            OUT_VECTOR(y, (batch * M + m + r) * N + column, result, N % LANES);
                        }
                    }
                }
            }
        }
    }
}
