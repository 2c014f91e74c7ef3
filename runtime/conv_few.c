/* Convolutions to few channels, as networks end in that paint a map: a mask, a picture, depths.
 * A panel of 16 outputs would be zeros for the most part, so vectors have what is added up. */
#include "runtime/kernel.h"

/* Conv in up to three dimensions, from channels-last maps to K < 8 channels, which lie last, too.
 * x [N][D][H][W][C]   w [K][KD][KH][KW][C]   bias [K] or NULL   y [N][OD][OH][OW][K]
 * Strides SD, SH, SW; dilations DD, DH, DW; PD, PH and PW zeros in front of the first plane, row and column. What a row
 * of a window reads lies in a row, of which what is in the map is taken.
 * items: N * OD * OH
 * name: conv{KD}x{KH}x{KW}_few_{C}_{K}_{OD}x{OH}x{OW}
 * types: float */
KERNEL void conv_few(const float *restrict x, const float *restrict w, const float *restrict bias, float *restrict y,
                     const int first, const int last, const int N, const int C, const int D, const int H, const int W,
                     const int K, const int OD, const int OH, const int OW, const int KD, const int KH, const int KW,
                     const int SD, const int SH, const int SW, const int DD, const int DH, const int DW, const int PD,
                     const int PH, const int PW) {
    const int depth = KD * KH * KW * C, taps = DW == 1 ? KW : 1; /* taps: that are read as one run */
    for (int item = first; item < last; item++) {
        const int top = item % OH * SH - PH, above = window_first(top, DH), below = window_end(top, DH, KH, H);
        const int front = item / OH % OD * SD - PD, n = item / OH / OD % N;
        const int first_plane = window_first(front, DD), end_plane = window_end(front, DD, KD, D);
        for (int ow = 0; ow < OW; ow++) {
            const int left = ow * SW - PW, before = window_first(left, DW), behind = window_end(left, DW, KW, W);
            vf sum[8];
            UNROLL
            for (int k = 0; k < K; k++) sum[k] = vf_all(0);
            for (int kd = first_plane; kd < end_plane; kd++)
                for (int kh = above; kh < below; kh++)
                    for (int kw = before; kw < behind; kw += taps) {
                        const int pixel = ((n * D + front + kd * DD) * H + top + kh * DH) * W + left + kw * DW;
                        row_products(sum, x + pixel * C, w + ((kd * KH + kh) * KW + kw) * C,
                                     (taps == 1 ? 1 : behind - before) * C, K, depth);
                    }
            UNROLL
            for (int k = 0; k < K; k++) {
                const float made = vf_sum(sum[k]) + (bias == NULL ? 0 : bias[k]);
                OUT(y, (item * OW + ow) * K + k, made);
            }
        }
    }
}
