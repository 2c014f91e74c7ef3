/* Convolutions of 3 x 3 taps by Winograd's method, over channels-last maps.
 * Tiles of the map and of the weights are turned into values at TILE * TILE points, where a convolution is a product.
 */
#include "runtime/winograd.h"
#include "runtime/kernel.h"

/* Conv with 3 x 3 taps and no strides or groups: F(2, 3) where TILE is 4, F(4, 3) where it is 6.
 * x [N][H][W][C]   w [TILE*TILE][K/16][C][16], transformed   bias [K], zeros behind, or NULL   y [N][OH][OW][K]
 * PH and PW zeros in front of the first row and column. With dilations DH and DW the outputs that are so far apart make
 * a map of their own.
 * The TILES of all maps in a row are cut into chunks of CHUNK <= their number, and the last one begins early enough to
 * be whole. values [TILE*TILE][CHUNK][C, padded] holds what becomes of a chunk's inputs, products
 * [CHUNK][TILE*TILE][VECTORS * LANES] what is made of them for a few output channels: SPLITS items share a chunk, each
 * of which makes a part of the output channels. Rows of values are padded so that those of a tile do not all fall into
 * the same sets of the cache.
 * name: winograd{TILE}_{C}_{K}_{OH}x{OW}
 * items: (TILES + CHUNK - 1) / CHUNK * SPLITS
 * scratch: TILE * TILE * CHUNK * ((C + 15) / 16 * 16 + 16 + VECTORS * LANES)
 * types: float */
KERNEL void winograd(const float *restrict x, const float *restrict w, const float *restrict bias,
                     float *restrict scratch, float *restrict y, const int first, const int last, const int fresh,
                     const int C, const int H, const int W, const int K, const int OH, const int OW, const int DH,
                     const int DW, const int PH, const int PW, const int TILE, const int TILES, const int CHUNK,
                     const int SPLITS, const int ROWS, const int VECTORS) {
    const int side = TILE - 2, points = TILE * TILE;
    const int high = ((OH + DH - 1) / DH + side - 1) / side, wide = ((OW + DW - 1) / DW + side - 1) / side;
    const int width = VECTORS * LANES, vectors = (K + 15) / 16 * 16 / LANES, groups = (vectors + VECTORS - 1) / VECTORS;
    const int row = (C + 15) / 16 * 16 + 16, plane = CHUNK * row, point = vectors * LANES * C;
    const int fetch = (width * ROWS + CHUNK - 1) / CHUNK; /* of the next point's weights that a block fetches */
    float *const values = scratch, *const products = scratch + points * plane;
    for (int item = first; item < last; item++) {
        const int behind = (item / SPLITS + 1) * CHUNK, split = item % SPLITS;
        const int end = behind < TILES ? behind : TILES, begin = end - CHUNK;
        for (int t = begin; t < end && (item == fresh || split == 0); t++) {
            const float *const map = x + t / (high * wide * DH * DW) * H * W * C;
            const int top = t / (high * wide * DW) % DH + t / wide % high * side * DH - PH;
            const int left = t / (high * wide) % DW + t % wide * side * DW - PW;
            const int inside = top >= 0 && left >= 0 && top + (TILE - 1) * DH < H && left + (TILE - 1) * DW < W;
            for (int c = 0; c < C; c += LANES) {
                float *const to = values + (t - begin) * row + c, edge[36 * LANES];
                const int count = C % LANES != 0 && C - c < LANES ? C % LANES : LANES;
                if (inside && count == LANES) {
                    winograd_tile_values(to, map + (top * W + left) * C + c, DH * W * C, DW * C, plane, TILE);
                } else {
                    winograd_tile_copy(edge, map + c, top, left, H, W, DH, DW, C, count, TILE);
                    winograd_tile_values(to, edge, TILE * LANES, LANES, plane, TILE);
                }
            }
        }
        for (int group = groups * split / SPLITS; group < groups * (split + 1) / SPLITS; group++) {
            const int from = (group + 1) * VECTORS < vectors ? group * VECTORS : vectors - VECTORS;
            const float *const weights = w + from * LANES / 16 * 16 * C + from * LANES % 16;
            for (int p = 0; p < points; p++)
                for (int block = 0; block < CHUNK; block += ROWS) {
                    const int t = block + ROWS < CHUNK ? block : CHUNK - ROWS;
                    const float *const of = weights + p * point, *const ahead = of + point + block / ROWS * fetch * C;
                    vf sum[32] = {vf_all(0)};
                    tile_multiply_ahead(sum, values + p * plane + t * row, of, ROWS, VECTORS, row, C, C * 16, ahead,
                                        fetch);
                    UNROLL
                    for (int r = 0; r < ROWS; r++) {
                        UNROLL
                        for (int v = 0; v < VECTORS; v++)
                            vf_store(products + ((t + r) * points + p) * width + v * LANES, sum[r * VECTORS + v]);
                    }
                }
            for (int t = behind - CHUNK; t < end; t++) /* those before are another chunk's */
                for (int v = group * VECTORS - from; v < VECTORS && (from + v) * LANES < K; v++) { /* another group's */
                    const int top = t / (high * wide * DW) % DH + t / wide % high * side * DH;
                    const int left = t / (high * wide) % DW + t % wide * side * DW, k = (from + v) * LANES;
                    const int count = K % LANES != 0 && K - k < LANES ? K % LANES : LANES;
                    vf out[16];
                    winograd_tile_outputs(out, products + (t - begin) * points * width + v * LANES, width,
                                          bias == NULL ? vf_all(0) : vf_load(bias + k), TILE);
                    for (int i = 0; i < side && top + i * DH < OH; i++)
                        for (int j = 0; j < side && left + j * DW < OW; j++) {
                            const int line = t / (high * wide * DH * DW) * OH + top + i * DH;
                            const int at = (line * OW + left + j * DW) * K + k;
                            OUT_VECTOR(y, at, out[i * side + j], count);
                        }
                }
        }
    }
}
