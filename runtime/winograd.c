/* Convolutions of 3 and 5 taps by Winograd's method, along rows, columns or both, over channels-last maps.
 * Tiles of the map and of the weights are turned into values at TH * TW points, where a convolution is a product. */
#include "runtime/winograd.h"
#include "runtime/kernel.h"

/* Conv with KH x KW taps of 1, 3 or 5 and no strides along rows and columns, in G groups. A tile has TH rows and TW
 * columns: 4 for F(2, 3), 6 for F(4, 3) and F(2, 5), 1 where there is a single tap.
 * x [N][D][H][W][C]   w [TH*TW][G][K/G/16, rounded up][KD*C/G][16], transformed
 * bias [G][K/G, with zeros up to a multiple of 16] or NULL   y [N][OD][OH][OW][K]
 * PH and PW zeros in front of the first row and column. With dilations DH and DW the outputs that are so far apart make
 * a map of their own. Of KD planes with stride SD, dilation DD and PD zeros in front each has values of its own, over
 * which products go on; in two dimensions there is one.
 * The TILES of all maps in a row are cut into chunks of CHUNK <= their number, and the last one begins early enough to
 * be whole. values [TH*TW][CHUNK][KD][C, padded] holds what becomes of a chunk's inputs, products
 * [CHUNK][TH*TW][VECTORS * LANES] what is made of them for a few output channels: SPLITS items share a chunk, each of
 * which makes a part of the output channels. Rows of values are padded so that those of a tile do not all fall into the
 * same sets of the cache.
 * name: winograd{TH}x{TW}_{C}_{K}_{OH}x{OW}
 * items: (TILES + CHUNK - 1) / CHUNK * SPLITS
 * scratch: TH * TW * CHUNK * (KD * ((C + 15) / 16 * 16) + 16 + VECTORS * LANES)
 * types: float */
KERNEL void winograd(const float *restrict x, const float *restrict w, const float *restrict bias,
                     float *restrict scratch, float *restrict y, const int first, const int last, const int fresh,
                     const int C, const int D, const int H, const int W, const int K, const int OD, const int OH,
                     const int OW, const int G, const int KD, const int KH, const int KW, const int SD, const int DD,
                     const int DH, const int DW, const int PD, const int PH, const int PW, const int TH, const int TW,
                     const int TILES, const int CHUNK, const int SPLITS, const int ROWS, const int VECTORS) {
    const int down = TH - KH + 1, right = TW - KW + 1, points = TH * TW; /* outputs of a tile */
    const int high = ((OH + DH - 1) / DH + down - 1) / down, wide = ((OW + DW - 1) / DW + right - 1) / right;
    const int of_map = high * wide * DH * DW;                                    /* tiles */
    const int depth = C / G, outputs = K / G, filled = (outputs + 15) / 16 * 16; /* of a group */
    const int vectors = filled / LANES, blocks = (vectors + VECTORS - 1) / VECTORS;
    const int width = VECTORS * LANES, across = (C + 15) / 16 * 16, row = KD * across + 16;
    const int apart = CHUNK * row, point = filled * KD * C; /* floats of a point: values, weights */
    const int fetch = (width * ROWS + CHUNK - 1) / CHUNK;   /* of the next point's weights that a block fetches */
    float *const values = scratch, *const products = scratch + points * apart;
    for (int item = first; item < last; item++) {
        const int behind = (item / SPLITS + 1) * CHUNK, split = item % SPLITS;
        const int end = behind < TILES ? behind : TILES, begin = end - CHUNK;
        const int is_one = begin / of_map == (end - 1) / of_map, front = begin / of_map % OD * SD - PD; /* map */
        const int first_plane = is_one ? window_first(front, DD) : 0;
        const int end_plane = is_one ? window_end(front, DD, KD, D) : KD;
        for (int t = begin; t < end && (item == fresh || split == 0); t++) {
            for (int kd = first_plane; kd < end_plane; kd++) {
                const int d = t / of_map % OD * SD - PD + kd * DD, is_there = d >= 0 && d < D;
                const float *const map = x + (t / of_map / OD * D + (is_there ? d : 0)) * H * W * C;
                const int top = is_there ? t / (high * wide * DW) % DH + t / wide % high * down * DH - PH : H;
                const int left = t / (high * wide) % DW + t % wide * right * DW - PW;
                const int inside = top >= 0 && left >= 0 && top + (TH - 1) * DH < H && left + (TW - 1) * DW < W;
                for (int c = 0; c < C; c += LANES) {
                    float *const to = values + (t - begin) * row + kd * across + c, edge[36 * LANES];
                    const int count = C % LANES != 0 && C - c < LANES ? C % LANES : LANES;
                    if (inside && count == LANES) {
                        winograd_tile_values(to, map + (top * W + left) * C + c, DH * W * C, DW * C, apart, TH, TW);
                    } else {
                        winograd_tile_copy(edge, map + c, top, left, H, W, DH, DW, C, count, TH, TW);
                        winograd_tile_values(to, edge, TW * LANES, LANES, apart, TH, TW);
                    }
                }
            }
        }
        for (int part = G * blocks * split / SPLITS; part < G * blocks * (split + 1) / SPLITS; part++) {
            const int g = part / blocks, block = part % blocks * VECTORS;
            const int from = block + VECTORS < vectors ? block : vectors - VECTORS;
            const float *const weights = w + (g * filled + from * LANES / 16 * 16) * KD * depth + from * LANES % 16;
            for (int p = 0; p < points; p++)
                for (int some = 0; some < CHUNK; some += ROWS) {
                    const int t = some + ROWS < CHUNK ? some : CHUNK - ROWS;
                    const float *const of = weights + p * point;
                    const float *const ahead = of + point + some / ROWS * fetch * KD * depth;
                    const float *const from_values = values + p * apart + t * row + g * depth;
                    vf sum[32] = {vf_all(0)};
                    for (int kd = first_plane; kd < end_plane; kd++)
                        tile_multiply_ahead(sum, from_values + kd * across, of + kd * depth * 16, ROWS, VECTORS, row,
                                            depth, KD * depth * 16, ahead + kd * depth * fetch, fetch);
                    UNROLL
                    for (int r = 0; r < ROWS; r++) {
                        UNROLL
                        for (int v = 0; v < VECTORS; v++)
                            vf_store(products + ((t + r) * points + p) * width + v * LANES, sum[r * VECTORS + v]);
                    }
                }
            for (int t = behind - CHUNK; t < end; t++) /* those before are another chunk's */
                for (int v = block - from; v < VECTORS && (from + v) * LANES < outputs; v++) { /* another block's */
                    const int top = t / (high * wide * DW) % DH + t / wide % high * down * DH;
                    const int left = t / (high * wide) % DW + t % wide * right * DW, k = (from + v) * LANES;
                    const int count = outputs % LANES != 0 && outputs - k < LANES ? outputs % LANES : LANES;
                    vf out[16];
                    winograd_tile_outputs(out, products + (t - begin) * points * width + v * LANES, width,
                                          bias == NULL ? vf_all(0) : vf_load(bias + g * filled + k), TH, TW, down,
                                          right);
                    for (int i = 0; i < down && top + i * DH < OH; i++)
                        for (int j = 0; j < right && left + j * DW < OW; j++) {
                            const int line = t / of_map * OH + top + i * DH;
                            const int at = (line * OW + left + j * DW) * K + g * outputs + k;
                            OUT_VECTOR(y, at, out[i * right + j], count);
                        }
                }
        }
    }
}
