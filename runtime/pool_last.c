/* Pools over channels-last maps: windows reduced to their largest element or their mean, a vector of channels at a
 * time. SH, SW are strides, DH, DW dilations, and PH and PW the pads in front of the first row and column. */
#include "runtime/kernel.h"

/* MaxPool: the largest element of each window. A NaN in it is the result; a window of nothing but pads gives `lowest`.
 * x [N][H][W][C]   y [N][OH][OW][C]
 * items: N * OH
 * name: max_pool{KH}x{KW}_last_{C}_{OH}x{OW}
 * types: float */
KERNEL void max_pool_last(const float *restrict x, float *restrict y, const float lowest, const int first,
                          const int last, const int N, const int C, const int H, const int W, const int OH,
                          const int OW, const int KH, const int KW, const int SH, const int SW, const int DH,
                          const int DW, const int PH, const int PW) {
    const int VECTORS = C % (4 * LANES) == 0 ? 4 : C % (2 * LANES) == 0 ? 2 : 1;
    for (int pixel = first * OW; pixel < last * OW; pixel++) {
        const int n = pixel / OW % N, oh = pixel / OW / N, ow = pixel % OW, top = oh * SH - PH, left = ow * SW - PW;
        const int above = window_first(top, DH), rows = window_end(top, DH, KH, H) - above;
        const int before = window_first(left, DW), columns = window_end(left, DW, KW, W) - before;
        const float *const from = x + ((n * H + top + above * DH) * W + left + before * DW) * C;
        for (int c = 0; c < C; c += VECTORS * LANES) {
            vf best[4];
            UNROLL
            for (int v = 0; v < VECTORS; v++) best[v] = vf_all(lowest);
            if (C % LANES == 0 || c + LANES <= C) {
                window_max(best, from + c, rows, columns, DH * W * C, DW * C, VECTORS, LANES);
                UNROLL
                for (int v = 0; v < VECTORS; v++) {
                    OUT_VECTOR(y, ((n * OH + oh) * OW + ow) * C + c + v * LANES, best[v], LANES);
                }
            } else {
                window_max(best, from + c, rows, columns, DH * W * C, DW * C, 1, C % LANES);
                OUT_VECTOR(y, ((n * OH + oh) * OW + ow) * C + c, best[0], C % LANES);
            }
        }
    }
}

/* AveragePool: the mean of each window. Pads count as zeros where COUNT_PADS is 1, up to EH rows and EW columns behind
 * the first of the input, and are left out where it is 0.
 * x [N][H][W][C]   y [N][OH][OW][C]
 * items: N * OH
 * name: average_pool{KH}x{KW}_last_{C}_{OH}x{OW}
 * types: float */
KERNEL void average_pool_last(const float *restrict x, float *restrict y, const int first, const int last, const int N,
                              const int C, const int H, const int W, const int OH, const int OW, const int KH,
                              const int KW, const int SH, const int SW, const int DH, const int DW, const int PH,
                              const int PW, const int COUNT_PADS, const int EH, const int EW) {
    const int VECTORS = C % (4 * LANES) == 0 ? 4 : C % (2 * LANES) == 0 ? 2 : 1;
    for (int pixel = first * OW; pixel < last * OW; pixel++) {
        const int n = pixel / OW % N, oh = pixel / OW / N, ow = pixel % OW, top = oh * SH - PH, left = ow * SW - PW;
        const int above = window_first(top, DH), rows = window_end(top, DH, KH, H) - above;
        const int before = window_first(left, DW), columns = window_end(left, DW, KW, W) - before;
        const float *const from = x + ((n * H + top + above * DH) * W + left + before * DW) * C;
        const int high = COUNT_PADS ? window_end(top, DH, KH, EH) : rows > 0 ? rows : 0;
        const int wide = COUNT_PADS ? window_end(left, DW, KW, EW) : columns > 0 ? columns : 0;
        const vf count = vf_all((float)(high * wide));
        for (int c = 0; c < C; c += VECTORS * LANES) {
            vf sum[4];
            UNROLL
            for (int v = 0; v < VECTORS; v++) sum[v] = vf_all(0);
            if (C % LANES == 0 || c + LANES <= C) {
                window_sum(sum, from + c, rows, columns, DH * W * C, DW * C, VECTORS, LANES);
                UNROLL
                for (int v = 0; v < VECTORS; v++) {
                    OUT_VECTOR(y, ((n * OH + oh) * OW + ow) * C + c + v * LANES, sum[v] / count, LANES);
                }
            } else {
                window_sum(sum, from + c, rows, columns, DH * W * C, DW * C, 1, C % LANES);
                OUT_VECTOR(y, ((n * OH + oh) * OW + ow) * C + c, sum[0] / count, C % LANES);
            }
        }
    }
}

/* GlobalAveragePool: the mean of each channel, whose COUNT elements are added up PART by PART. What made the map may
 * have added up each part on the way: then x has these sums, and PART is 1.
 * x [N][SIZE][C]   y [N][C]
 * A block of channels that lie side by side makes an item.
 * items: N * ((C + 63) / 64)
 * name: global_average_pool_last_{C}_{SIZE}
 * types: float */
KERNEL void global_average_pool_last(const float *restrict x, float *restrict y, const int first, const int last,
                                     const int N, const int C, const int SIZE, const int PART, const int COUNT) {
    const int VECTORS = C % (4 * LANES) == 0 ? 4 : C % (2 * LANES) == 0 ? 2 : 1;
    for (int item = first; item < last; item++) {
        const int n = item % N, block = item / N * 64, end = block + 64 < C ? block + 64 : C;
        for (int c = block; c < end; c += VECTORS * LANES) {
            const int whole = C % LANES == 0 || c + LANES <= C;
            vf sum[4];
            UNROLL
            for (int v = 0; v < VECTORS; v++) sum[v] = vf_all(0);
            for (int start = 0; start < SIZE; start += PART) {
                const int size = SIZE - start < PART ? SIZE - start : PART;
                const float *const from = x + (n * SIZE + start) * C + c;
                vf part[4];
                if (whole) pixel_sum(part, from, size, C, VECTORS, LANES);
                else pixel_sum(part, from, size, C, 1, C % LANES);
                UNROLL
                for (int v = 0; v < VECTORS; v++) sum[v] += part[v];
            }
            if (whole) {
                UNROLL
                for (int v = 0; v < VECTORS; v++) {
                    OUT_VECTOR(y, n * C + c + v * LANES, sum[v] / vf_all((float)COUNT), LANES);
                }
            } else {
                OUT_VECTOR(y, n * C + c, sum[0] / vf_all((float)COUNT), C % LANES);
            }
        }
    }
}

/* GlobalMaxPool: the largest element of each channel. A NaN in it is the result.
 * x [N][SIZE][C]   y [N][C]
 * A block of channels that lie side by side makes an item.
 * items: N * ((C + 63) / 64)
 * name: global_max_pool_last_{C}_{SIZE}
 * types: float */
KERNEL void global_max_pool_last(const float *restrict x, float *restrict y, const int first, const int last,
                                 const int N, const int C, const int SIZE) {
    const int VECTORS = C % (4 * LANES) == 0 ? 4 : C % (2 * LANES) == 0 ? 2 : 1;
    for (int item = first; item < last; item++) {
        const int n = item % N, block = item / N * 64, end = block + 64 < C ? block + 64 : C;
        for (int c = block; c < end; c += VECTORS * LANES) {
            vf best[4];
            UNROLL
            for (int v = 0; v < VECTORS; v++) best[v] = vf_all(-INFINITY);
            if (C % LANES == 0 || c + LANES <= C) {
                window_max(best, x + n * SIZE * C + c, 1, SIZE, 0, C, VECTORS, LANES);
                UNROLL
                for (int v = 0; v < VECTORS; v++) {
                    OUT_VECTOR(y, n * C + c + v * LANES, best[v], LANES);
                }
            } else {
                window_max(best, x + n * SIZE * C + c, 1, SIZE, 0, C, 1, C % LANES);
                OUT_VECTOR(y, n * C + c, best[0], C % LANES);
            }
        }
    }
}
