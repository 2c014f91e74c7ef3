/* Convolutions over channels-first maps.
 * Each is a product of matrices in disguise: the weights times a panel of what some output pixels read. */
#include "runtime/kernel.h"

/* Conv in two dimensions (one dimension is H = 1), in G groups: each output pixel is the sum of a KH x KW window of the
 * input times the weights, plus a bias.
 * x [N][C][H][W]   w [K][C/G][KH][KW]   bias [K] or NULL   y [N][K][OH][OW]   scratch [C/G*KH*KW][16]
 * Strides SH, SW; dilations DH, DW; PH and PW zeros in front of the first row and column.
 * The scratch holds what 16 neighbouring output pixels read. Four rows of weights at a time are multiplied by it,
 * whose 64 sums stay in registers.
 * name: conv{KH}x{KW}_{C}_{K}_{OH}x{OW}
 * items: N * G * ((OH * OW + 15) / 16)
 * scratch: C / G * KH * KW * 16
 * types: floats */
KERNEL void conv2d(const T *restrict x, const T *restrict w, const T *restrict bias, A *restrict scratch, T *restrict y,
                   const int first, const int last, const int N, const int C, const int H, const int W, const int K,
                   const int OH, const int OW, const int G, const int KH, const int KW, const int SH, const int SW,
                   const int DH, const int DW, const int PH, const int PW) {
    const int channels = C / G, rows = K / G, depth = channels * KH * KW, pixels = OH * OW;
    const int groups = (pixels + 15) / 16;
    for (int item = first; item < last; item++) {
        const int n = item / groups / G, g = item / groups % G, at = item % groups * 16;
        const T *const in = x + (n * C + g * channels) * H * W;
        const int width = pixels - at < 16 ? pixels - at : 16;
        int top[16], left[16];
        for (int j = 0; j < 16; j++) {
            top[j] = (at + j) / OW * SH - PH;
            left[j] = (at + j) % OW * SW - PW;
        }
        for (int kh = 0; kh < KH; kh++)
            for (int kw = 0; kw < KW; kw++) {
                int from[16], adjacent = 1; /* from: within a channel; -1: a zero */
                for (int j = 0; j < 16; j++) {
                    const int h = top[j] + kh * DH, v = left[j] + kw * DW;
                    from[j] = j < width && h >= 0 && h < H && v >= 0 && v < W ? h * W + v : -1;
                    adjacent &= from[0] >= 0 && from[j] == from[0] + j;
                }
                for (int c = 0; c < channels; c++) {
                    const T *const plane = in + c * H * W;
                    A *const to = scratch + ((c * KH + kh) * KW + kw) * 16;
                    if (adjacent)
                        for (int j = 0; j < 16; j++) to[j] = LOAD(plane[from[0] + j]);
                    else
                        for (int j = 0; j < 16; j++) to[j] = from[j] < 0 ? 0 : LOAD(plane[from[j]]);
                }
            }
        for (int k = g * rows; k < (g + 1) * rows; k += 4) {
            const int end = (g + 1) * rows - 1; /* rows after it repeat it, and are not stored */
            const T *const w0 = w + k * depth, *const w1 = w + (k + 1 < end ? k + 1 : end) * depth;
            const T *const w2 = w + (k + 2 < end ? k + 2 : end) * depth;
            const T *const w3 = w + (k + 3 < end ? k + 3 : end) * depth;
            A sum[4][16] = {{0}};
            for (int d = 0; d < depth; d++) {
                const A a0 = LOAD(w0[d]), a1 = LOAD(w1[d]), a2 = LOAD(w2[d]), a3 = LOAD(w3[d]);
                for (int j = 0; j < 16; j++) {
                    const A b = scratch[d * 16 + j];
                    sum[0][j] += a0 * b;
                    sum[1][j] += a1 * b;
                    sum[2][j] += a2 * b;
                    sum[3][j] += a3 * b;
                }
            }
            for (int r = 0; r < 4 && k + r <= end; r++) {
                const A b = bias == NULL ? 0 : LOAD(bias[k + r]);
                for (int j = 0; j < width; j++) {
                    OUT(y, (n * K + k + r) * pixels + at + j, sum[r][j] + b);
                }
            }
        }
    }
}

/* Conv where every input channel is a group of its own, with M outputs each (a depthwise convolution).
 * x [N][C][H][W]   w [C*M][KH][KW]   bias [C*M] or NULL   y [N][C*M][OH][OW]
 * Strides SH, SW; dilations DH, DW; PH and PW zeros in front of the first row and column.
 * scratch [ROWS][SW][COLUMNS] holds one channel with its pads; column v of it is at [v % SW][v / SW], so that
 * neighbouring outputs read neighbours. It has room for all of the input, and for reading 16 columns at a time.
 * name: depthwise{KH}x{KW}_{C}_{OH}x{OW}
 * items: N * C
 * scratch: ROWS * SW * COLUMNS
 * types: floats */
KERNEL void conv_depthwise(const T *restrict x, const T *restrict w, const T *restrict bias, A *restrict scratch,
                           T *restrict y, const int first, const int last, const int N, const int C, const int M,
                           const int H, const int W, const int OH, const int OW, const int KH, const int KW,
                           const int SH, const int SW, const int DH, const int DW, const int PH, const int PW,
                           const int ROWS, const int COLUMNS) {
    for (int i = 0; i < ROWS * SW * COLUMNS; i++) scratch[i] = 0;
    for (int nc = first; nc < last; nc++) {
        for (int h = 0; h < H; h++)
            for (int s = 0; s < SW; s++) {
                const T *const row = x + (nc * H + h) * W;
                A *const line = scratch + ((h + PH) * SW + s) * COLUMNS;
                for (int i = (PW - s + SW - 1) / SW; i * SW + s - PW < W; i++) line[i] = LOAD(row[i * SW + s - PW]);
            }
        for (int m = 0; m < M; m++) {
            const int k = nc % C * M + m;
            const A b = bias == NULL ? 0 : LOAD(bias[k]);
            for (int oh = 0; oh < OH; oh++)
                for (int ow = 0; ow < OW; ow += 16) {
                    const int width = OW - ow < 16 ? OW - ow : 16;
                    A sum[16] = {0};
                    for (int kh = 0; kh < KH; kh++)
                        for (int kw = 0; kw < KW; kw++) {
                            const A a = LOAD(w[(k * KH + kh) * KW + kw]);
                            const A *const in =
                                scratch + ((oh * SH + kh * DH) * SW + kw * DW % SW) * COLUMNS + kw * DW / SW + ow;
                            for (int j = 0; j < 16; j++) sum[j] += a * in[j];
                        }
                    for (int j = 0; j < width; j++) {
                        OUT(y, ((nc * M + m) * OH + oh) * OW + ow + j, sum[j] + b);
                    }
                }
        }
    }
}

/* Conv in three dimensions, in G groups, as conv2d does it in two.
 * x [N][C][D][H][W]   w [K][C/G][KD][KH][KW]   bias [K] or NULL   y [N][K][OD][OH][OW]   scratch [C/G*KD*KH*KW][16]
 * Strides SD, SH, SW; dilations DD, DH, DW; PD, PH and PW zeros in front of the first plane, row and column.
 * name: conv{KD}x{KH}x{KW}_{C}_{K}_{OD}x{OH}x{OW}
 * items: N * G * ((OD * OH * OW + 15) / 16)
 * scratch: C / G * KD * KH * KW * 16
 * types: floats */
KERNEL void conv3d(const T *restrict x, const T *restrict w, const T *restrict bias, A *restrict scratch, T *restrict y,
                   const int first, const int last, const int N, const int C, const int D, const int H, const int W,
                   const int K, const int OD, const int OH, const int OW, const int G, const int KD, const int KH,
                   const int KW, const int SD, const int SH, const int SW, const int DD, const int DH, const int DW,
                   const int PD, const int PH, const int PW) {
    const int channels = C / G, rows = K / G, taps = KD * KH * KW, depth = channels * taps, voxels = OD * OH * OW;
    const int parts = (voxels + 15) / 16;
    for (int item = first; item < last; item++) {
        const int ng = item / parts % (N * G), at = item % parts * 16;
        const T *const in = x + ng * channels * D * H * W;
        const int width = voxels - at < 16 ? voxels - at : 16;
        for (int tap = 0; tap < taps; tap++) {
            int from[16]; /* within a channel; -1: a zero */
            for (int j = 0; j < 16; j++) {
                const int d = (at + j) / (OH * OW) * SD - PD + tap / (KH * KW) * DD;
                const int h = (at + j) / OW % OH * SH - PH + tap / KW % KH * DH;
                const int v = (at + j) % OW * SW - PW + tap % KW * DW;
                const int inside = d >= 0 && d < D && h >= 0 && h < H && v >= 0 && v < W;
                from[j] = j < width && inside ? (d * H + h) * W + v : -1;
            }
            for (int c = 0; c < channels; c++) {
                const T *const map = in + c * D * H * W;
                A *const to = scratch + (c * taps + tap) * 16;
                for (int j = 0; j < 16; j++) to[j] = from[j] < 0 ? 0 : LOAD(map[from[j]]);
            }
        }
        for (int k = 0; k < rows; k++) {
            const T *const row = w + (ng % G * rows + k) * depth;
            A sum[16] = {0};
            for (int t = 0; t < depth; t++) {
                const A a = LOAD(row[t]);
                for (int j = 0; j < 16; j++) sum[j] += a * scratch[t * 16 + j];
            }
            const A b = bias == NULL ? 0 : LOAD(bias[ng % G * rows + k]);
            for (int j = 0; j < width; j++) {
                OUT(y, (ng * rows + k) * voxels + at + j, sum[j] + b);
            }
        }
    }
}

/* ConvTranspose in three dimensions (fewer have D = 1, and H = 1), in G groups: each input voxel is spread over a
 * window of the output, and windows lie SD planes, SH rows and SW columns apart.
 * x [N][C][D][H][W]   w [C][K/G][KD][KH][KW]   bias [K] or NULL   y [N][K][OD][OH][OW]   panel [C/G*KD*KH*KW][16]
 * Strides SD, SH, SW; dilations DD, DH, DW; PD planes, PH rows and PW columns are cut off in front. Output voxels that
 * leave the same over when divided by the strides, a, b and e, read by the same taps. So each such phase is a
 * convolution: as in conv2d, 16 of its voxels and four output channels at a time.
 * name: conv_transpose{KD}x{KH}x{KW}_{C}_{K}_{OD}x{OH}x{OW}
 * types: floats */
KERNEL void conv_transpose(const T *restrict x, const T *restrict w, const T *restrict bias, A *restrict panel,
                           T *restrict y, const int N, const int C, const int D, const int H, const int W, const int K,
                           const int OD, const int OH, const int OW, const int G, const int KD, const int KH,
                           const int KW, const int SD, const int SH, const int SW, const int DD, const int DH,
                           const int DW, const int PD, const int PH, const int PW) {
    const int channels = C / G, rows = K / G, taps = KD * KH * KW;
    for (int phase = 0; phase < N * G * SD * SH * SW; phase++) {
        const int ng = phase / (SD * SH * SW), a = phase / (SH * SW) % SD, b = phase / SW % SH, e = phase % SW;
        const int deep = (OD - a + SD - 1) / SD, high = (OH - b + SH - 1) / SH, wide = (OW - e + SW - 1) / SW;
        const int voxels = deep * high * wide;
        for (int first = 0; first < voxels; first += 16) {
            const int width = voxels - first < 16 ? voxels - first : 16;
            int depth = 0;
            for (int tap = 0; tap < taps; tap++) {
                const int back = a + PD - tap / (KH * KW) * DD, down = b + PH - tap / KW % KH * DH;
                const int right = e + PW - tap % KW * DW;
                if (back % SD != 0 || down % SH != 0 || right % SW != 0) continue;
                int from[16]; /* within a channel; -1: a zero */
                for (int j = 0; j < 16; j++) {
                    const int d = (first + j) / (wide * high) + back / SD, h = (first + j) / wide % high + down / SH;
                    const int v = (first + j) % wide + right / SW;
                    const int inside = d >= 0 && d < D && h >= 0 && h < H && v >= 0 && v < W;
                    from[j] = j < width && inside ? (d * H + h) * W + v : -1;
                }
                for (int c = 0; c < channels; c++, depth++) {
                    const T *const map = x + (ng * channels + c) * D * H * W;
                    for (int j = 0; j < 16; j++) panel[depth * 16 + j] = from[j] < 0 ? 0 : LOAD(map[from[j]]);
                }
            }
            for (int k = 0; k < rows; k += 4) { /* rows after the last repeat it, and are not stored */
                const int k1 = k + 1 < rows ? taps : 0, k2 = k + 2 < rows ? k1 + taps : k1;
                const int k3 = k + 3 < rows ? k2 + taps : k2;
                A sum[4][16] = {{0}};
                const A *in = panel;
                for (int tap = 0; tap < taps; tap++) {
                    const int back = a + PD - tap / (KH * KW) * DD, down = b + PH - tap / KW % KH * DH;
                    if (back % SD != 0 || down % SH != 0 || (e + PW - tap % KW * DW) % SW != 0) continue;
                    for (int c = 0; c < channels; c++, in += 16) {
                        const T *const at = w + ((ng % G * channels + c) * rows + k) * taps + tap;
                        const A v0 = LOAD(at[0]), v1 = LOAD(at[k1]), v2 = LOAD(at[k2]), v3 = LOAD(at[k3]);
                        for (int j = 0; j < 16; j++) {
                            sum[0][j] += v0 * in[j];
                            sum[1][j] += v1 * in[j];
                            sum[2][j] += v2 * in[j];
                            sum[3][j] += v3 * in[j];
                        }
                    }
                }
                for (int r = 0; r < 4 && k + r < rows; r++) {
                    const A shift = bias == NULL ? 0 : LOAD(bias[ng % G * rows + k + r]);
                    for (int j = 0; j < width; j++) {
                        const int d = (first + j) / (wide * high) * SD + a, h = (first + j) / wide % high * SH + b;
                        const int v = (first + j) % wide * SW + e;
                        OUT(y, (((ng * rows + k + r) * OD + d) * OH + h) * OW + v, sum[r][j] + shift);
                    }
                }
            }
        }
    }
}
