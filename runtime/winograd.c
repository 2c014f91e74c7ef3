/* Convolutions of 3 x 3 taps by Winograd's method, over channels-last maps.
 * Tiles of the map and of the weights are turned into values at TILE * TILE points, where a convolution is a product.
 */
#include "runtime/winograd.h"
#include "runtime/kernel.h"

/* Conv with 3 x 3 taps and no strides, dilations or groups: F(2, 3) where TILE is 4, F(4, 3) where it is 6.
 * x [N][H][W][C]   w [TILE*TILE][K/16][C][16], transformed   bias [K], zeros behind, or NULL   y [N][OH][OW][K]
 * PH and PW zeros in front of the first row and column.
 * The tiles of all maps in a row are cut into chunks of CHUNK <= their number, and the last one begins early enough to
 * be whole. values [TILE*TILE][CHUNK][C, padded] holds what becomes of a chunk's inputs, products
 * [CHUNK][TILE*TILE][VECTORS * LANES] what is made of them for a few output channels: SPLITS items share a chunk, each
 * of which makes a part of the output channels. Rows of values are padded so that those of a tile do not all fall into
 * the same sets of the cache.
 * name: winograd{TILE}_{C}_{K}_{OH}x{OW}
 * items: (N * ((OH + TILE - 3) / (TILE - 2)) * ((OW + TILE - 3) / (TILE - 2)) + CHUNK - 1) / CHUNK * SPLITS
 * scratch: TILE * TILE * CHUNK * ((C + 15) / 16 * 16 + 16 + VECTORS * LANES)
 * types: float */
KERNEL void winograd(const float *restrict x, const float *restrict w, const float *restrict bias,
                     float *restrict scratch, float *restrict y, const int N, const int C, const int H, const int W,
                     const int K, const int OH, const int OW, const int PH, const int PW, const int TILE,
                     const int CHUNK, const int SPLITS, const int ROWS, const int VECTORS, const int first,
                     const int last) {
    const int side = TILE - 2, points = TILE * TILE, high = (OH + side - 1) / side, wide = (OW + side - 1) / side;
    const int row = (C + 15) / 16 * 16 + 16, plane = CHUNK * row, width = VECTORS * LANES,
              point = (K + 15) / 16 * 16 * C;
    const int vectors = (K + 15) / 16 * 16 / LANES, groups = (vectors + VECTORS - 1) / VECTORS;
    const int share = (width * ROWS + CHUNK - 1) / CHUNK; /* of the next point's weights that a block fetches */
    float *const values = scratch, *const products = scratch + points * plane;
    int chunk = -1, begin = 0, skip = 0; /* tiles before skip are another chunk's */
    for (int item = first; item < last; item++) {
        if (item / SPLITS != chunk) {
            chunk = item / SPLITS;
            begin = chunk * CHUNK;
            skip = begin + CHUNK - N * high * wide > 0 ? begin + CHUNK - N * high * wide : 0;
            begin -= skip;
            for (int t = 0; t < CHUNK; t++) {
                const int n = (begin + t) / (high * wide);
                const int top = (begin + t) / wide % high * side - PH, left = (begin + t) % wide * side - PW;
                const int inside = top >= 0 && left >= 0 && top + TILE <= H && left + TILE <= W;
                for (int c = 0; c < C; c += LANES) {
                    const int at = ((n * H + top) * W + left) * C + c,
                              count = C % LANES != 0 && C - c < LANES ? C % LANES : LANES;
                    float edge[36 * LANES]; /* a tile that is not whole, with zeros */
                    if (!inside || count < LANES)
                        for (int i = 0; i < points; i++) {
                            const int h = top + i / TILE, v = left + i % TILE;
                            vf in = {0};
                            if (h >= 0 && h < H && v >= 0 && v < W) {
                                const float *const from = x + at + (i / TILE * W + i % TILE) * C;
                                in = vf_load_part(from, count);
                            }
                            vf_store(edge + i * LANES, in);
                        }
                    const int whole = inside && count == LANES;
                    const float *const from = whole ? x + at : edge;
                    const int down = whole ? W * C : TILE * LANES, right = whole ? C : LANES;
                    vf tile[36];
                    UNROLL
                    for (int j = 0; j < TILE; j++) {
                        UNROLL
                        for (int i = 0; i < TILE; i++) tile[i * TILE + j] = vf_load(from + i * down + j * right);
                        winograd_input(tile + j, TILE, TILE);
                    }
                    UNROLL
                    for (int i = 0; i < TILE; i++) {
                        winograd_input(tile + i * TILE, 1, TILE);
                        UNROLL
                        for (int j = 0; j < TILE; j++)
                            vf_store(values + (i * TILE + j) * plane + t * row + c, tile[i * TILE + j]);
                    }
                }
            }
        }
        const int split = item % SPLITS;
        for (int group = groups * split / SPLITS; group < groups * (split + 1) / SPLITS; group++) {
            const int end = (group + 1) * VECTORS < vectors ? (group + 1) * VECTORS : vectors;
            const int from = end - VECTORS, done = group * VECTORS - from; /* the first vectors, done already */
            const float *const weights = w + from * LANES / 16 * 16 * C + from * LANES % 16;
            for (int p = 0; p < points; p++)
                for (int block = 0; block < CHUNK; block += ROWS) {
                    const int t = block + ROWS < CHUNK ? block : CHUNK - ROWS;
                    const float *const of = weights + p * point;
                    vf sum[32] = {vf_all(0)};
                    tile_multiply_ahead(sum, values + p * plane + t * row, of, ROWS, VECTORS, ROWS, 0, row, C, C * 16,
                                        of + point + block / ROWS * share * C, share);
                    UNROLL
                    for (int r = 0; r < ROWS; r++) {
                        UNROLL
                        for (int v = 0; v < VECTORS; v++)
                            vf_store(products + ((t + r) * points + p) * width + v * LANES, sum[r * VECTORS + v]);
                    }
                }
            for (int t = skip; t < CHUNK; t++) {
                const int n = (begin + t) / (high * wide);
                const int top = (begin + t) / wide % high * side, left = (begin + t) % wide * side;
                const int rows = OH - top < side ? OH - top : side, columns = OW - left < side ? OW - left : side;
                for (int v = done; v < VECTORS && (from + v) * LANES < K; v++) {
                    const int k = (from + v) * LANES, count = K % LANES != 0 && K - k < LANES ? K % LANES : LANES;
                    const float *const made = products + t * points * width + v * LANES;
                    const vf shift = bias == NULL ? vf_all(0) : vf_load(bias + k);
                    vf tile[36], out[16];
                    UNROLL
                    for (int j = 0; j < TILE; j++) {
                        UNROLL
                        for (int i = 0; i < TILE; i++) tile[i * TILE + j] = vf_load(made + (i * TILE + j) * width);
                        winograd_output(tile + j, TILE, TILE);
                    }
                    UNROLL
                    for (int i = 0; i < side; i++) {
                        winograd_output(tile + i * TILE, 1, TILE);
                        UNROLL
                        for (int j = 0; j < side; j++) out[i * side + j] = tile[i * TILE + j] + shift;
                    }
                    for (int i = 0; i < rows; i++)
                        for (int j = 0; j < columns; j++) {
                            const int at = ((n * OH + top + i) * OW + left + j) * K + k;
                            OUT_VECTOR(y, at, out[i * side + j], count);
                        }
                }
            }
        }
    }
}
