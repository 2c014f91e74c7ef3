/* The gates of the two halves of the Convolutional Block Attention Module: Woo et al. 2018. The products are loops
 * behind. The maximum passes over a NaN, which the mean has then anyway. */
#include "runtime/kernel.h"

/* The channel half: gate(f(mean) + f(max)), where f(p) = w2 act(w1 p + b1) + b2 and mean and max are those of
 * each channel. The second layer is linear, so it is applied once, to the sum.
 * x [N][C][SIZE]   w1, w2 [R][C]   b1 [R] or NULL   b2 [C] or NULL   pooled [2][C]   sums [C]
 * gates [N][C]: the factors of the channels
 * name: cbam_channel_{act}_{gate}_{C}_{R}_{SIZE}
 * types: floats */
KERNEL void cbam_channel(const T *restrict x, const T *restrict w1, const T *restrict b1, const T *restrict w2,
                         const T *restrict b2, A *restrict pooled, A *restrict sums, T *restrict gates, FORMULA act,
                         FORMULA gate, const int N, const int C, const int R, const int SIZE) {
    for (int n = 0; n < N; n++) {
        for (int c = 0; c < C; c++) {
            const T *const map = x + (n * C + c) * SIZE;
            A sum[16] = {0}, most[16], largest = -INFINITY;
            for (int j = 0; j < 16; j++) most[j] = -INFINITY;
            for (int i = 0; i < SIZE / 16 * 16; i += 16)
                for (int j = 0; j < 16; j++) {
                    const A value = LOAD(map[i + j]);
                    sum[j] += value;
                    most[j] = value > most[j] ? value : most[j];
                }
            for (int i = SIZE / 16 * 16; i < SIZE; i++) {
                const A value = LOAD(map[i]);
                sum[i % 16] += value;
                most[i % 16] = value > most[i % 16] ? value : most[i % 16];
            }
            for (int j = 0; j < 16; j++) largest = most[j] > largest ? most[j] : largest;
            pooled[c] = F(sum16)(sum) / (A)SIZE;
            pooled[C + c] = largest;
            sums[c] = b2 == NULL ? 0 : 2 * LOAD(b2[c]);
        }
        for (int r = 0; r < R; r++) {
            A hidden = 0;
            for (int k = 0; k < 2; k++) {
                A sum[16] = {0}, half;
                for (int c = 0; c < C / 16 * 16; c += 16)
                    for (int j = 0; j < 16; j++) sum[j] += LOAD(w1[r * C + c + j]) * pooled[k * C + c + j];
                for (int c = C / 16 * 16; c < C; c++) sum[c % 16] += LOAD(w1[r * C + c]) * pooled[k * C + c];
                APPLY(act, half, F(sum16)(sum) + (b1 == NULL ? 0 : LOAD(b1[r])));
                hidden += half;
            }
            for (int c = 0; c < C; c++) sums[c] += LOAD(w2[r * C + c]) * hidden;
        }
        for (int c = 0; c < C; c++) {
            A factor;
            APPLY(gate, factor, sums[c]);
            gates[n * C + c] = STORE(factor);
        }
    }
}

/* The spatial half: gate(conv(s)), where s has the mean and the maximum over the channels at each place, the
 * mean in plane MEAN and the maximum in the other one.
 * x [N][C][H][W]   w [2][KH][KW]   b [1] or NULL   pooled [2][H][W]
 * padded [2][H + (KH-1) * DH][PITCH] and (KW-1) * DW more, PITCH being W + (KW-1) * DW: s with PT and PL zeros above
 * and to the left and as many as it takes on the other sides   sums [H][PITCH]   gates [N][H][W]: the factors
 * of the places
 * name: cbam_spatial{KH}x{KW}_{gate}_{C}_{H}x{W}
 * types: floats */
KERNEL void cbam_spatial(const T *restrict x, const T *restrict w, const T *restrict b, A *restrict pooled,
                         A *restrict padded, A *restrict sums, T *restrict gates, FORMULA gate, const int N,
                         const int C, const int H, const int W, const int KH, const int KW, const int DH, const int DW,
                         const int PT, const int PL, const int MEAN) {
    const int size = H * W, pitch = W + (KW - 1) * DW, plane = (H + (KH - 1) * DH) * pitch;
    for (int n = 0; n < N; n++) {
        const T *const maps = x + n * C * size;
        A *const mean = pooled + MEAN * size, *const most = pooled + (1 - MEAN) * size;
        for (int i = 0; i < size; i++) {
            mean[i] = LOAD(maps[i]);
            most[i] = LOAD(maps[i]);
        }
        for (int c = 1; c < C; c++)
            for (int i = 0; i < size; i++) {
                const A value = LOAD(maps[c * size + i]);
                mean[i] += value;
                most[i] = value > most[i] ? value : most[i];
            }
        for (int i = 0; i < size; i++) mean[i] /= (A)C;
        for (int i = 0; i < 2 * plane + (KW - 1) * DW; i++) padded[i] = 0;
        for (int k = 0; k < 2; k++)
            for (int h = 0; h < H; h++)
                for (int v = 0; v < W; v++)
                    padded[k * plane + (h + PT) * pitch + v + PL] = pooled[k * size + h * W + v];
        /* All rows in one run, with the columns of their pads, which are computed in vain. */
        for (int i = 0; i < H * pitch; i++) sums[i] = b == NULL ? 0 : LOAD(b[0]);
        for (int k = 0; k < 2; k++)
            for (int kh = 0; kh < KH; kh++)
                for (int kw = 0; kw < KW; kw++) {
                    const A weight = LOAD(w[(k * KH + kh) * KW + kw]);
                    const A *const from = padded + k * plane + kh * DH * pitch + kw * DW;
                    for (int i = 0; i < H * pitch; i++) sums[i] += weight * from[i];
                }
        for (int i = 0; i < size; i++) {
            A factor;
            APPLY(gate, factor, sums[i / W * pitch + i % W]);
            gates[n * size + i] = STORE(factor);
        }
    }
}
