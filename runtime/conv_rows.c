/* Convolutions between few channels that lie in rows, as the spatial gates of attention have them: from a mean and a
 * maximum to one map. Neither inputs nor outputs would fill a vector, so vectors have neighbouring pixels of a row. */
#include "runtime/kernel.h"

/* Conv in up to three dimensions to K < 8 channels, without strides along rows.
 * x [N][C][D][H][W]   w [K][C][KD][KH][KW]   bias [K] or NULL   y [N][K][OD][OH][OW]
 * Strides SD and SH from plane to plane and row to row; dilations DD, DH, DW; PD, PH and PW zeros in front of the first
 * plane, row and column. What a row of y reads is copied to scratch [C][KD][rows of a window], each row with its zeros
 * and as many behind as vectors read.
 * items: N * OD * OH
 * scratch: C * KD * ((KH - 1) * DH + 1) * ((OW + 15) / 16 * 16 + (KW - 1) * DW)
 * name: conv{KD}x{KH}x{KW}_rows_{C}_{K}_{OD}x{OH}x{OW}
 * types: float */
KERNEL void conv_rows(const float *restrict x, const float *restrict w, const float *restrict bias,
                      float *restrict scratch, float *restrict y, const int first, const int last, const int N,
                      const int C, const int D, const int H, const int W, const int K, const int OD, const int OH,
                      const int OW, const int KD, const int KH, const int KW, const int SD, const int SH, const int DD,
                      const int DH, const int DW, const int PD, const int PH, const int PW) {
    const int span = (KH - 1) * DH + 1, wide = (OW + 15) / 16 * 16 + (KW - 1) * DW, map = span * wide;
    const int vectors = (OW + LANES - 1) / LANES, most = K <= 2 ? 4 : K <= 4 ? 2 : 1;
    const int MANY = vectors < most ? vectors : most; /* of each output channel at once */
    for (int item = first; item < last; item++) {
        const int oh = item % OH, od = item / OH % OD, n = item / OH / OD % N;
        const int front = od * SD - PD, first_plane = window_first(front, DD), end_plane = window_end(front, DD, KD, D);
        for (int c = 0; c < C; c++)
            for (int kd = first_plane; kd < end_plane; kd++)
                copy_padded(scratch + (c * KD + kd) * map, x + ((n * C + c) * D + front + kd * DD) * H * W,
                            oh * SH - PH, span, H, PW, W, wide, 1);
        for (int vector = 0; vector < vectors; vector += MANY) {
            const int from = vector + MANY <= vectors ? vector : vectors - MANY;
            vf sum[8];
            UNROLL
            for (int i = 0; i < K * MANY; i++) sum[i] = vf_all(bias == NULL ? 0 : bias[i / MANY]);
            for (int c = 0; c < C; c++)
                for (int kd = first_plane; kd < end_plane; kd++)
                    for (int kh = 0; kh < KH; kh++)
                        row_windows(sum, scratch + (c * KD + kd) * map + kh * DH * wide + from * LANES,
                                    w + ((c * KD + kd) * KH + kh) * KW, K, MANY, KW, DW, C * KD * KH * KW);
            UNROLL
            for (int u = 0; u < MANY; u++) {
                if (vectors % MANY != 0 && u < vector - from) continue; /* which is stored */
                const int ow = (from + u) * LANES, count = OW % LANES != 0 && OW - ow < LANES ? OW % LANES : LANES;
                UNROLL
                for (int k = 0; k < K; k++) {
                    const int at = (((n * K + k) * OD + od) * OH + oh) * OW + ow;
                    OUT_VECTOR(y, at, sum[k * MANY + u], count);
                }
            }
        }
    }
}
