/* Convolutions by Winograd's method, along rows, columns or both, over channels-last maps.
 * Tiles of the map and of the weights are turned into values at TH * TW points, where a convolution is a product. */
#include "runtime/winograd.h"
#include "runtime/kernel.h"

/* Conv without strides along rows and columns, in G groups, by F(TH - RH + 1, RH) along rows and F(TW - RW + 1, RW)
 * along columns: a tile has 4 inputs for F(2, 3), 6 for F(4, 3) and F(2, 5), 1 for F(1, 1).
 * x [N][D][H][W][C]   w [TH*TW][G][K/G/16, rounded up][KD*NH*NW*C/G][16], transformed
 * bias [G][K/G, with zeros up to a multiple of 16] or NULL   y [N][OD][OH][OW][K]
 * PH and PW zeros in front of the first row and column. With dilations DH and DW the outputs that are so far apart make
 * a map of their own. The window sees KD planes, with stride SD, dilation DD and PD zeros in front, and in each NH x NW
 * parts of RH x RW taps; each part has values of its own, and products go on from one to the next.
 * The TILES of all maps in a row are cut into chunks of CHUNK <= their number, and the last one begins early enough to
 * be whole. values [TH*TW][CHUNK][KD*NH*NW][C, padded] holds what becomes of a chunk's inputs, products
 * [CHUNK][TH*TW][VECTORS * LANES] what is made of them for a few output channels: SPLITS items share a chunk, each of
 * which makes a part of the output channels. Rows of values are padded, and those of a point, so that a tile's do not
 * fall into the same sets of the cache.
 * name: winograd{TH}x{TW}_{C}_{K}_{OH}x{OW}
 * items: (TILES + CHUNK - 1) / CHUNK * SPLITS
 * scratch: TH * TW * (CHUNK * (KD * NH * NW * ((C + 15) / 16 * 16) + 16 + VECTORS * LANES) + 16)
 * types: float */
KERNEL void winograd(const float *restrict x, const float *restrict w, const float *restrict bias,
                     float *restrict scratch, float *restrict y, const int first, const int last, const int fresh,
                     const int C, const int D, const int H, const int W, const int K, const int OD, const int OH,
                     const int OW, const int G, const int KD, const int SD, const int DD, const int DH, const int DW,
                     const int PD, const int PH, const int PW, const int NH, const int NW, const int RH, const int RW,
                     const int TH, const int TW, const int TILES, const int CHUNK, const int SPLITS, const int ROWS,
                     const int VECTORS) {
    const int down = TH - RH + 1, right = TW - RW + 1, points = TH * TW; /* outputs of a tile */
    const int parts = KD * NH * NW;
    const int high = ((OH + DH - 1) / DH + down - 1) / down, wide = ((OW + DW - 1) / DW + right - 1) / right;
    const int of_map = high * wide * DH * DW;                                    /* tiles */
    const int depth = C / G, outputs = K / G, filled = (outputs + 15) / 16 * 16; /* of a group */
    const int vectors = filled / LANES, blocks = (vectors + VECTORS - 1) / VECTORS;
    const int width = VECTORS * LANES, across = (C + 15) / 16 * 16, row = parts * across + 16;
    const int apart = (CHUNK * row / 16 | 1) * 16, point = filled * parts * C; /* floats of a point: values, weights */
    const int fetch = (width * ROWS + CHUNK - 1) / CHUNK; /* of the next point's weights that a block fetches */
    float *const values = scratch, *const products = scratch + points * apart;
    for (int item = first; item < last; item++) {
        const int behind = (item / SPLITS + 1) * CHUNK, split = item % SPLITS;
        const int end = behind < TILES ? behind : TILES, begin = end - CHUNK;
        const int is_one = begin / of_map == (end - 1) / of_map, front = begin / of_map % OD * SD - PD; /* map */
        const int first_part = (is_one ? window_first(front, DD) : 0) * NH * NW;
        const int end_part = (is_one ? window_end(front, DD, KD, D) : KD) * NH * NW;
        for (int t = begin; t < end && (item == fresh || split == 0); t++) {
            for (int part = first_part; part < end_part; part++) {
                const int d = t / of_map % OD * SD - PD + part / NW / NH * DD, is_there = d >= 0 && d < D;
                const float *const map = x + (t / of_map / OD * D + (is_there ? d : 0)) * H * W * C;
                const int down_to = t / wide % high * down + part / NW % NH * RH; /* of a phase */
                const int right_to = t % wide * right + part % NW * RW;
                const int top = is_there ? t / (high * wide * DW) % DH + down_to * DH - PH : H;
                const int left = t / (high * wide) % DW + right_to * DW - PW;
                const int above = window_first(top, DH), below = window_end(top, DH, TH, H);
                const int before = window_first(left, DW), beyond = window_end(left, DW, TW, W);
                const int inside = above == 0 && below == TH && before == 0 && beyond == TW;
                const int corner = (top * W + left) * C; /* of the tile in the map, or before it */
                float edge[36 * LANES];
                if (!inside) {
                    ROLLED
                    for (int i = 0; i < points; i++) vf_store(edge + i * LANES, vf_all(0));
                }
                for (int c = 0; c < C; c += LANES) {
                    float *const to = values + (t - begin) * row + part * across + c;
                    const int count = C % LANES != 0 && C - c < LANES ? C % LANES : LANES;
                    if (inside && count == LANES) {
                        winograd_tile_values(to, map + corner + c, DH * W * C, DW * C, apart, TH, TW);
                    } else {
                        winograd_tile_copy(edge, map, corner + c, above, below, before, beyond, DH * W * C, DW * C,
                                           count, TW);
                        winograd_tile_values(to, edge, TW * LANES, LANES, apart, TH, TW);
                    }
                }
            }
        }
        for (int share = G * blocks * split / SPLITS; share < G * blocks * (split + 1) / SPLITS; share++) {
            const int g = share / blocks, block = share % blocks * VECTORS;
            const int from = block + VECTORS < vectors ? block : vectors - VECTORS;
            const float *const weights = w + (g * filled + from * LANES / 16 * 16) * parts * depth + from * LANES % 16;
            for (int p = 0; p < points; p++)
                for (int some = 0; some < CHUNK; some += ROWS) {
                    const int t = some + ROWS < CHUNK ? some : CHUNK - ROWS;
                    const float *const of = weights + p * point;
                    const float *const ahead = of + point + some / ROWS * fetch * parts * depth;
                    const float *const from_values = values + p * apart + t * row + g * depth;
                    vf sum[32] = {vf_all(0)};
                    for (int part = first_part; part < end_part; part++)
                        tile_multiply_ahead(sum, from_values + part * across, of + part * depth * 16, ROWS, VECTORS,
                                            row, depth, parts * depth * 16, ahead + part * depth * fetch, fetch);
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
