/* The gates of the spatial half of the Convolutional Block Attention Module: Woo et al. 2018. Those of the channel half
 * are made by pools and linear layers. The maximum passes over a NaN, which the mean has then anyway. */
#include "runtime/kernel.h"

/* The mean and the maximum over the channels at each place, the mean in plane MEAN and the maximum in the other one.
 * x [N][C][SIZE]   planes [N][2][SIZE]
 * name: pool_channels_{C}_{SIZE}
 * types: float double */
KERNEL void pool_channels(const T *restrict x, T *restrict planes, const int N, const int C, const int SIZE,
                          const int MEAN) {
    for (int n = 0; n < N; n++) {
        const T *const maps = x + n * C * SIZE;
        T *const mean = planes + (2 * n + MEAN) * SIZE, *const most = planes + (2 * n + 1 - MEAN) * SIZE;
        for (int i = 0; i < SIZE; i++) mean[i] = most[i] = maps[i];
        for (int c = 1; c < C; c++)
            for (int i = 0; i < SIZE; i++) {
                const T value = maps[c * SIZE + i];
                mean[i] += value;
                most[i] = value > most[i] ? value : most[i];
            }
        for (int i = 0; i < SIZE; i++) mean[i] /= (T)C;
    }
}

/* The same of a map that lies with its channels last.
 * x [N][SIZE][C]   planes [N][2][SIZE]
 * items: N * SIZE
 * name: pool_channels_last_{C}_{SIZE}
 * types: float */
KERNEL void pool_channels_last(const float *restrict x, float *restrict planes, const int first, const int last,
                               const int N, const int C, const int SIZE, const int MEAN) {
    for (int place = first; place < last; place++) {
        const int n = place / SIZE % N, i = place % SIZE;
        const float *const from = x + place * C;
        vf sums = vf_all(0), best = vf_all(-INFINITY);
        for (int c = 0; c < C / LANES * LANES; c += LANES) {
            const vf value = vf_load(from + c);
            sums += value;
            best = vf_max(value, best);
        }
        float sum = vf_sum(sums), most = vf_largest(best);
        for (int c = C / LANES * LANES; c < C; c++) {
            sum += from[c];
            most = from[c] > most ? from[c] : most;
        }
        planes[(2 * n + MEAN) * SIZE + i] = sum / (float)C;
        planes[(2 * n + 1 - MEAN) * SIZE + i] = most;
    }
}

/* gate(conv(planes)), with a stride of 1.
 * planes [N][2][H][W]   w [2][KH][KW]   b [1] or NULL
 * padded [2][H + (KH-1) * DH][PITCH] and (KW-1) * DW more, PITCH being W + (KW-1) * DW: the planes with PT and PL zeros
 * above and to the left and as many as it takes on the other sides   sums [H][PITCH]
 * gates [N][H][W]: the factors of the places
 * name: cbam_spatial{KH}x{KW}_{gate}_{H}x{W}
 * types: float double */
KERNEL void cbam_spatial(const T *restrict planes, const T *restrict w, const T *restrict b, A *restrict padded,
                         A *restrict sums, T *restrict gates, FORMULA gate, const int N, const int H, const int W,
                         const int KH, const int KW, const int DH, const int DW, const int PT, const int PL) {
    const int pitch = W + (KW - 1) * DW, plane = (H + (KH - 1) * DH) * pitch;
    for (int i = 0; i < 2 * plane + (KW - 1) * DW; i++) padded[i] = 0;
    for (int n = 0; n < N; n++) {
        for (int k = 0; k < 2; k++)
            for (int h = 0; h < H; h++)
                for (int v = 0; v < W; v++)
                    padded[k * plane + (h + PT) * pitch + v + PL] = LOAD(planes[((2 * n + k) * H + h) * W + v]);
        /* All rows in one run, with the columns of their pads, which are computed in vain. */
        for (int i = 0; i < H * pitch; i++) sums[i] = b == NULL ? 0 : LOAD(b[0]);
        for (int k = 0; k < 2; k++)
            for (int kh = 0; kh < KH; kh++)
                for (int kw = 0; kw < KW; kw++) {
                    const A weight = LOAD(w[(k * KH + kh) * KW + kw]);
                    const A *const from = padded + k * plane + kh * DH * pitch + kw * DW;
                    for (int i = 0; i < H * pitch; i++) sums[i] += weight * from[i];
                }
        for (int i = 0; i < H * W; i++) {
            A factor;
            APPLY(gate, factor, sums[i / W * pitch + i % W]);
            gates[n * H * W + i] = STORE(factor);
        }
    }
}
