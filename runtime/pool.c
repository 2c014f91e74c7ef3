/* Pools over channels-first maps: windows reduced to their largest element, their mean or their norm.
 * In all of them C counts the channels of the whole batch; SH, SW are strides, DH, DW dilations, and PH and PW the pads
 * in front of the first row and column. Windows without pads have loops of their own, which become vectors. */
#include "runtime/kernel.h"

/* MaxPool: the largest element of each window. A NaN in it is the result; a window of nothing but pads gives `lowest`.
 * x [C][H][W]   y [C][OH][OW]
 * name: max_pool{KH}x{KW}_{C}_{OH}x{OW}
 * types: floats int8 uint8 */
KERNEL void max_pool(const T *restrict x, T *restrict y, const A lowest, const int C, const int H, const int W,
                     const int OH, const int OW, const int KH, const int KW, const int SH, const int SW, const int DH,
                     const int DW, const int PH, const int PW) {
    const int inner = window_first(-PW, SW), outer = window_end((KW - 1) * DW - PW, SW, OW, W); /* without pads */
    for (int c = 0; c < C; c++)
        for (int oh = 0; oh < OH; oh++) {
            const int top = oh * SH - PH, above = window_first(top, DH), below = window_end(top, DH, KH, H);
            for (int ow = 0; ow < OW; ow++) {
                const int end = ow >= inner && above == 0 && below == KH ? outer : ow;
                for (; ow < end; ow++) {
                    A best = lowest;
                    for (int kh = 0; kh < KH; kh++)
                        for (int kw = 0; kw < KW; kw++) {
                            const A value = LOAD(x[(c * H + top + kh * DH) * W + ow * SW - PW + kw * DW]);
                            best = value > best || is_nan(value) ? value : best;
                        }
                    OUT(y, (c * OH + oh) * OW + ow, best);
                }
                if (ow == OW) break;
                const int left = ow * SW - PW, behind = window_end(left, DW, KW, W);
                A best = lowest;
                for (int kh = above; kh < below; kh++)
                    for (int kw = window_first(left, DW); kw < behind; kw++) {
                        const A value = LOAD(x[(c * H + top + kh * DH) * W + left + kw * DW]);
                        best = value > best || is_nan(value) ? value : best;
                    }
                OUT(y, (c * OH + oh) * OW + ow, best);
            }
        }
}

/* MaxPool with the place of each maximum, the first one of equal ones: an index into x, which is column-major within a
 * map where COLUMN_MAJOR is 1. Maps of fewer dimensions have D = 1, and H = 1.
 * x [C][D][H][W]   y, indices [C][OD][OH][OW]
 * name: max_pool_indices{KD}x{KH}x{KW}_{C}_{OD}x{OH}x{OW}
 * types: floats int8 uint8 */
KERNEL void max_pool_indices(const T *restrict x, T *restrict y, int64_t *restrict indices, const A lowest, const int C,
                             const int D, const int H, const int W, const int OD, const int OH, const int OW,
                             const int KD, const int KH, const int KW, const int SD, const int SH, const int SW,
                             const int DD, const int DH, const int DW, const int PD, const int PH, const int PW,
                             const int COLUMN_MAJOR) {
    for (int i = 0; i < C * OD * OH * OW; i++) {
        const int c = i / (OD * OH * OW), od = i / (OH * OW) % OD, oh = i / OW % OH, ow = i % OW;
        A best = lowest;
        int at = -1;
        for (int tap = 0; tap < KD * KH * KW; tap++) {
            const int d = od * SD - PD + tap / (KH * KW) * DD, h = oh * SH - PH + tap / KW % KH * DH;
            const int v = ow * SW - PW + tap % KW * DW;
            if (d < 0 || d >= D || h < 0 || h >= H || v < 0 || v >= W) continue;
            const A value = LOAD(x[((c * D + d) * H + h) * W + v]);
            if (at >= 0 && !(value > best || is_nan(value))) continue;
            best = value;
            at = COLUMN_MAJOR ? (v * H + h) * D + d : (d * H + h) * W + v;
        }
        indices[i] = at < 0 ? -1 : (int64_t)c * D * H * W + at;
        OUT(y, i, best);
    }
}

/* AveragePool: the mean of each window. Pads count as zeros where COUNT_PADS is 1, up to EH rows and EW columns behind
 * the first of the input, and are left out where it is 0.
 * x [C][H][W]   y [C][OH][OW]
 * name: average_pool{KH}x{KW}_{C}_{OH}x{OW}
 * types: floats */
KERNEL void average_pool(const T *restrict x, T *restrict y, const int C, const int H, const int W, const int OH,
                         const int OW, const int KH, const int KW, const int SH, const int SW, const int DH,
                         const int DW, const int PH, const int PW, const int COUNT_PADS, const int EH, const int EW) {
    const int inner = window_first(-PW, SW), outer = window_end((KW - 1) * DW - PW, SW, OW, W); /* without pads */
    for (int c = 0; c < C; c++)
        for (int oh = 0; oh < OH; oh++) {
            const int top = oh * SH - PH, above = window_first(top, DH), below = window_end(top, DH, KH, H);
            const int rows = COUNT_PADS ? window_end(top, DH, KH, EH) : below - above;
            for (int ow = 0; ow < OW; ow++) {
                const int end = ow >= inner && above == 0 && below == KH ? outer : ow;
                for (; ow < end; ow++) {
                    A sum = 0;
                    for (int kh = 0; kh < KH; kh++)
                        for (int kw = 0; kw < KW; kw++)
                            sum += LOAD(x[(c * H + top + kh * DH) * W + ow * SW - PW + kw * DW]);
                    OUT(y, (c * OH + oh) * OW + ow, sum / (A)(KH * KW));
                }
                if (ow == OW) break;
                const int left = ow * SW - PW, before = window_first(left, DW), behind = window_end(left, DW, KW, W);
                const int columns = COUNT_PADS ? window_end(left, DW, KW, EW) : behind - before;
                A sum = 0;
                for (int kh = above; kh < below; kh++)
                    for (int kw = before; kw < behind; kw++)
                        sum += LOAD(x[(c * H + top + kh * DH) * W + left + kw * DW]);
                OUT(y, (c * OH + oh) * OW + ow, sum / (A)(rows > 0 && columns > 0 ? rows * columns : 0));
            }
        }
}

/* LpPool: the P-norm of each window, (sum |x|^P)^(1/P).
 * x [C][H][W]   y [C][OH][OW]
 * name: norm_pool{KH}x{KW}_{C}_{OH}x{OW}
 * types: floats */
KERNEL void norm_pool(const T *restrict x, T *restrict y, const int P, const int C, const int H, const int W,
                      const int OH, const int OW, const int KH, const int KW, const int SH, const int SW, const int DH,
                      const int DW, const int PH, const int PW) {
    for (int c = 0; c < C; c++)
        for (int oh = 0; oh < OH; oh++)
            for (int ow = 0; ow < OW; ow++) {
                const int top = oh * SH - PH, below = window_end(top, DH, KH, H);
                const int left = ow * SW - PW, behind = window_end(left, DW, KW, W);
                A sum = 0;
                for (int kh = window_first(top, DH); kh < below; kh++)
                    for (int kw = window_first(left, DW); kw < behind; kw++) {
                        const A size = F(fabs)(LOAD(x[(c * H + top + kh * DH) * W + left + kw * DW]));
                        sum += P == 1 ? size : P == 2 ? size * size : F(pow)(size, (A)P);
                    }
                OUT(y, (c * OH + oh) * OW + ow, P == 1 ? sum : P == 2 ? F(sqrt)(sum) : F(pow)(sum, 1.0 / (A)P));
            }
}

/* GlobalAveragePool: the mean of each channel, in 16 partial sums.
 * x [C][SIZE]   y [C]
 * name: global_average_pool_{C}_{SIZE}
 * types: floats */
KERNEL void global_average_pool(const T *restrict x, T *restrict y, const int C, const int SIZE) {
    for (int c = 0; c < C; c++) {
        const T *const map = x + c * SIZE;
        A sum[16] = {0};
        for (int i = 0; i < SIZE / 16 * 16; i += 16)
            for (int j = 0; j < 16; j++) sum[j] += LOAD(map[i + j]);
        for (int i = SIZE / 16 * 16; i < SIZE; i++) sum[i % 16] += LOAD(map[i]);
        OUT(y, c, F(sum16)(sum) / (A)SIZE);
    }
}

/* GlobalMaxPool: the largest element of each channel, of 16 partial ones. A NaN in it is the result.
 * x [C][SIZE]   y [C]
 * name: global_max_pool_{C}_{SIZE}
 * types: floats */
KERNEL void global_max_pool(const T *restrict x, T *restrict y, const int C, const int SIZE) {
    for (int c = 0; c < C; c++) {
        const T *const map = x + c * SIZE;
        A most[16], best = -INFINITY;
        for (int j = 0; j < 16; j++) most[j] = -INFINITY;
        for (int i = 0; i < SIZE / 16 * 16; i += 16)
            for (int j = 0; j < 16; j++) {
                const A value = LOAD(map[i + j]);
                most[j] = value > most[j] || is_nan(value) ? value : most[j];
            }
        for (int i = SIZE / 16 * 16; i < SIZE; i++) {
            const A value = LOAD(map[i]);
            most[i % 16] = value > most[i % 16] || is_nan(value) ? value : most[i % 16];
        }
        for (int j = 0; j < 16; j++) best = most[j] > best || is_nan(most[j]) ? most[j] : best;
        OUT(y, c, best);
    }
}

/* GlobalLpPool: the P-norm of each channel, (sum |x|^P)^(1/P).
 * x [C][SIZE]   y [C]
 * name: global_norm_pool_{C}_{SIZE}
 * types: floats */
KERNEL void global_norm_pool(const T *restrict x, T *restrict y, const int P, const int C, const int SIZE) {
    for (int c = 0; c < C; c++) {
        A sum = 0;
        for (int i = 0; i < SIZE; i++) {
            const A size = F(fabs)(LOAD(x[c * SIZE + i]));
            sum += P == 1 ? size : P == 2 ? size * size : F(pow)(size, (A)P);
        }
        OUT(y, c, P == 1 ? sum : P == 2 ? F(sqrt)(sum) : F(pow)(sum, 1.0 / (A)P));
    }
}
