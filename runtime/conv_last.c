/* Convolutions over channels-last maps, with weights that were packed at compile time.
 * A tile of ROWS pixels by VECTORS vectors of channels stays in registers; compiler/program/tile.h chooses it. */
#include "runtime/kernel.h"

/* Conv over channels-last maps, in G groups: for each place of the window a product of pixels and weights.
 * x [N][H][W][C]   w [G][K/G/16, rounded up][KH*KW*C/G][16]   bias [G][K/G, with zeros up to a multiple of 16] or NULL
 * y [N][OH][OW][K]
 * Strides SH, SW; dilations DH, DW; PH and PW zeros in front of the first row and column. BAND output rows at a time
 * are made, of channels that are dealt out in SPLITS shares, block by block of VECTORS vectors. Where windows reach
 * beyond the map, what the band reads is copied into scratch first, with its zeros, for all shares that follow each
 * other. Tiles follow each other along a row, or, where they are JOINED, along all rows of the band, of which each then
 * has at least ROWS pixels. Where the last one would not be full it begins earlier, and what was stored before is not
 * stored again; the last block of channels is smaller. While a tile is multiplied, a part of the weights of the next
 * channels is fetched.
 * items: N * ((OH + BAND - 1) / BAND) * SPLITS
 * scratch: ((BAND - 1) * SH + (KH - 1) * DH + 1) * ((OW - 1) * SW + (KW - 1) * DW + 1) * C * PADDED
 * name: conv{KH}x{KW}_last_{C}_{K}_{OH}x{OW}
 * types: float */
KERNEL void conv_last(const float *restrict x, const float *restrict w, const float *restrict bias,
                      float *restrict scratch, float *restrict y, const int first, const int last, const int fresh,
                      const int N, const int C, const int H, const int W, const int K, const int OH, const int OW,
                      const int G, const int KH, const int KW, const int SH, const int SW, const int DH, const int DW,
                      const int PH, const int PW, const int PADDED, const int BAND, const int JOINED, const int SPLITS,
                      const int ROWS, const int VECTORS) {
    const int bands = (OH + BAND - 1) / BAND, depth = KH * KW * C / G;
    const int width = VECTORS * LANES, blocks = (K / G + width - 1) / width; /* of a group */
    const int filled = (K / G + 15) / 16 * 16; /* channels of a group, with zeros that fill panels */
    const int rest = K / G % width;            /* channels of the last, where it is smaller */
    const int wide = PADDED ? (OW - 1) * SW + (KW - 1) * DW + 1 : W; /* pixels of a row that is read */
    const int most = JOINED ? (BAND * OW + ROWS - 1) / ROWS : BAND * ((OW + ROWS - 1) / ROWS); /* tiles of a band */
    const int fetch = depth * K < 200000 ? 0 : (width + most - 1) / most;
    for (int item = first; item < last; item++) {
        const int split = item % SPLITS, top = item / SPLITS % bands * BAND, n = item / SPLITS / bands;
        const int high = OH - top < BAND ? OH - top : BAND;
        const int line = JOINED ? high * OW : OW, tiles = (line + ROWS - 1) / ROWS; /* tiles of a line of pixels */
        const float *in = x + (n * H + top * SH) * W * C;
        if (PADDED && (item == fresh || split == 0))
            copy_padded(scratch, x + n * H * W * C, top * SH - PH, (high - 1) * SH + (KH - 1) * DH + 1, H, PW, W, wide,
                        C);
        if (PADDED) in = scratch;
        for (int block = G * blocks * split / SPLITS; block < G * blocks * (split + 1) / SPLITS; block++) {
            const int g = block / blocks, end = (g + 1) * (K / G), full = rest == 0 || block % blocks < blocks - 1;
            const int from = g * (K / G) + block % blocks * width, at_weights = g * filled + block % blocks * width;
            const float *const panel = w + at_weights / 16 * 16 * depth + at_weights % 16;
            for (int tile = 0; tile < (JOINED ? tiles : high * tiles); tile++) {
                const int want = tile % tiles * ROWS, at = want + ROWS <= line ? want : line - ROWS;
                const int pixel = tile / tiles * line + at; /* of the band */
                const float *const ahead = panel + (width + tile * fetch) * depth;
                const float *corner = in + g * (C / G);
                int place[32];
                vf sum[32];
                if (!JOINED) corner += (pixel / OW * SH * wide + pixel % OW * SW) * C;
                UNROLL
                for (int r = 0; JOINED && r < ROWS; r++)
                    place[r] = ((pixel + r) / OW * SH * wide + (pixel + r) % OW * SW) * C;
                UNROLL
                for (int i = 0; i < ROWS * VECTORS; i++) {
                    const int none = bias == NULL || (!full && i % VECTORS * LANES >= rest);
                    sum[i] = none ? vf_all(0) : vf_load(bias + at_weights + i % VECTORS * LANES);
                }
                for (int tap = 0; tap < KH * KW; tap++) {
                    const int row = (top + tile / tiles) * SH - PH + tap / KW * DH,
                              column = at * SW - PW + tap % KW * DW;
                    if (PADDED && !JOINED && (row < 0 || row >= H || column + (ROWS - 1) * SW < 0 || column >= W))
                        continue; /* zeros alone */
                    const float *const pixels = corner + (tap / KW * DH * wide + tap % KW * DW) * C;
                    if (full)
                        tile_multiply_part(sum, pixels, JOINED ? place : NULL, panel + tap * (C / G) * 16, ROWS,
                                           VECTORS, width, SW * C, C / G, depth * 16, ahead + tap * (C / G) * fetch,
                                           fetch);
                    else
                        tile_multiply_part(sum, pixels, JOINED ? place : NULL, panel + tap * (C / G) * 16, ROWS,
                                           VECTORS, rest, SW * C, C / G, depth * 16, NULL, 0);
                }
                UNROLL
                for (int r = 0; r < ROWS; r++) {
                    if (line % ROWS != 0 && at + r < want) continue;
                    UNROLL
                    for (int v = 0; v < VECTORS; v++) {
                        const int k = from + v * LANES, left = end - k < LANES ? end - k : LANES;
                        if (k >= end) continue;
                        OUT_VECTOR(y, ((n * OH + top) * OW + pixel + r) * K + k, sum[r * VECTORS + v], left);
                    }
                }
            }
        }
    }
}

/* Conv in three dimensions over channels-last maps, in G groups.
 * x [N][D][H][W][C]   w [G][K/G/16, rounded up][KD*KH*KW*C/G][16]   y [N][OD][OH][OW][K]
 * bias [G][K/G, with zeros up to a multiple of 16] or NULL
 * Strides SD, SH, SW; dilations DD, DH, DW; PD, PH and PW zeros in front of the first plane, row and column. BAND
 * output rows of a plane at a time are made, of channels that are dealt out in SPLITS shares, as conv_last() does it:
 * what they read of each plane is copied into scratch first, with its zeros. Where channels that a row of the window
 * reads lie one after another, they are one run of the product.
 * items: N * OD * ((OH + BAND - 1) / BAND) * SPLITS
 * scratch: KD * ((BAND - 1) * SH + (KH - 1) * DH + 1) * ((OW - 1) * SW + (KW - 1) * DW + 1) * C
 * name: conv{KD}x{KH}x{KW}_last_{C}_{K}_{OD}x{OH}x{OW}
 * types: float */
KERNEL void conv3d_last(const float *restrict x, const float *restrict w, const float *restrict bias,
                        float *restrict scratch, float *restrict y, const int first, const int last, const int fresh,
                        const int N, const int C, const int D, const int H, const int W, const int K, const int OD,
                        const int OH, const int OW, const int G, const int KD, const int KH, const int KW, const int SD,
                        const int SH, const int SW, const int DD, const int DH, const int DW, const int PD,
                        const int PH, const int PW, const int BAND, const int SPLITS, const int ROWS,
                        const int VECTORS) {
    const int bands = (OH + BAND - 1) / BAND, depth = KD * KH * KW * C / G;
    const int wide = (OW - 1) * SW + (KW - 1) * DW + 1, plane = ((BAND - 1) * SH + (KH - 1) * DH + 1) * wide * C;
    const int width = VECTORS * LANES, blocks = (K / G + width - 1) / width, rest = K / G % width; /* of a group */
    const int filled = (K / G + 15) / 16 * 16; /* channels of a group, with zeros that fill panels */
    const int run = G == 1 && DW == 1 ? KW * C : C / G, runs = KW * C / G / run, tiles = (OW + ROWS - 1) / ROWS;
    for (int item = first; item < last; item++) {
        const int split = item % SPLITS, top = item / SPLITS % bands * BAND, map = item / SPLITS / bands;
        const int high = OH - top < BAND ? OH - top : BAND, front = map % OD * SD - PD;
        const int first_plane = window_first(front, DD), end_plane = window_end(front, DD, KD, D);
        for (int kd = first_plane; kd < end_plane && (item == fresh || split == 0); kd++)
            copy_padded(scratch + kd * plane, x + (map / OD * D + front + kd * DD) * H * W * C, top * SH - PH,
                        (high - 1) * SH + (KH - 1) * DH + 1, H, PW, W, wide, C);
        for (int block = G * blocks * split / SPLITS; block < G * blocks * (split + 1) / SPLITS; block++) {
            const int g = block / blocks, end = (g + 1) * (K / G), full = rest == 0 || block % blocks < blocks - 1;
            const int from = g * (K / G) + block % blocks * width, at_weights = g * filled + block % blocks * width;
            const float *const panel = w + at_weights / 16 * 16 * depth + at_weights % 16;
            for (int tile = 0; tile < high * tiles; tile++) {
                const int want = tile % tiles * ROWS, at = want + ROWS <= OW ? want : OW - ROWS;
                vf sum[32];
                UNROLL
                for (int i = 0; i < ROWS * VECTORS; i++) {
                    const int none = bias == NULL || (!full && i % VECTORS * LANES >= rest);
                    sum[i] = none ? vf_all(0) : vf_load(bias + at_weights + i % VECTORS * LANES);
                }
                for (int line = first_plane * KH; line < end_plane * KH; line++)
                    for (int i = 0; i < runs; i++) {
                        const int row = tile / tiles * SH + line % KH * DH, column = at * SW + i * DW;
                        const float *const in = scratch + line / KH * plane + (row * wide + column) * C + g * (C / G);
                        const float *const of = panel + (line * runs + i) * run * 16;
                        if (full)
                            tile_multiply_part(sum, in, NULL, of, ROWS, VECTORS, width, SW * C, run, depth * 16, NULL,
                                               0);
                        else
                            tile_multiply_part(sum, in, NULL, of, ROWS, VECTORS, rest, SW * C, run, depth * 16, NULL,
                                               0);
                    }
                UNROLL
                for (int r = 0; r < ROWS; r++) {
                    if (OW % ROWS != 0 && at + r < want) continue;
                    UNROLL
                    for (int v = 0; v < VECTORS; v++) {
                        const int k = from + v * LANES, left = end - k < LANES ? end - k : LANES;
                        const int pixel = (map * OH + top + tile / tiles) * OW + at + r;
                        if (k >= end) continue;
                        OUT_VECTOR(y, pixel * K + k, sum[r * VECTORS + v], left);
                    }
                }
            }
        }
    }
}
