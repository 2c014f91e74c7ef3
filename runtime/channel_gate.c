/* Gates for channels: the mean of each channel goes through a layer or two, and what comes out is the channel's factor.
 * The product is a loop behind the kernel. In all of them x is [N][C][SIZE], and the means are copied out where there
 * is a place for them. */
#include "runtime/kernel.h"

/* The gates of squeeze and excitation: gate(w2 act(w1 m + b1) + b2), m being the means of the channels.
 * x [N][C][SIZE]   w1, w2 [R][C]   b1 [R] or NULL   b2 [C] or NULL   mean, sums [C]
 * gates [N][C]: the factors of the channels   squeeze [N][C] or NULL: the means
 * name: squeeze_excitation_{act}_{gate}_{C}_{R}_{SIZE}
 * types: floats */
KERNEL void squeeze_excitation(const T *restrict x, const T *restrict w1, const T *restrict b1, const T *restrict w2,
                               const T *restrict b2, A *restrict mean, A *restrict sums, T *restrict gates,
                               T *restrict squeeze, FORMULA act, FORMULA gate, const int N, const int C, const int R,
                               const int SIZE) {
    for (int n = 0; n < N; n++) {
        for (int c = 0; c < C; c++) {
            const T *const map = x + (n * C + c) * SIZE;
            A sum[16] = {0};
            for (int i = 0; i < SIZE / 16 * 16; i += 16)
                for (int j = 0; j < 16; j++) sum[j] += LOAD(map[i + j]);
            for (int i = SIZE / 16 * 16; i < SIZE; i++) sum[i % 16] += LOAD(map[i]);
            mean[c] = F(sum16)(sum) / (A)SIZE;
            sums[c] = b2 == NULL ? 0 : LOAD(b2[c]);
            if (squeeze != NULL) squeeze[n * C + c] = STORE(mean[c]);
        }
        for (int r = 0; r < R; r++) {
            A sum[16] = {0}, hidden;
            for (int c = 0; c < C / 16 * 16; c += 16)
                for (int j = 0; j < 16; j++) sum[j] += LOAD(w1[r * C + c + j]) * mean[c + j];
            for (int c = C / 16 * 16; c < C; c++) sum[c % 16] += LOAD(w1[r * C + c]) * mean[c];
            APPLY(act, hidden, F(sum16)(sum) + (b1 == NULL ? 0 : LOAD(b1[r])));
            for (int c = 0; c < C; c++) sums[c] += LOAD(w2[r * C + c]) * hidden;
        }
        for (int c = 0; c < C; c++) {
            A factor;
            APPLY(gate, factor, sums[c]);
            gates[n * C + c] = STORE(factor);
        }
    }
}

/* The gates of effective squeeze and excitation, with one layer: gate(w m + b), m being the means of the channels.
 * x [N][C][SIZE]   w [C][C]   b [C] or NULL   mean [C]
 * gates [N][C]: the factors of the channels   squeeze [N][C] or NULL: the means
 * name: channel_gate_{gate}_{C}_{SIZE}
 * types: floats */
KERNEL void channel_gate(const T *restrict x, const T *restrict w, const T *restrict b, A *restrict mean,
                         T *restrict gates, T *restrict squeeze, FORMULA gate, const int N, const int C,
                         const int SIZE) {
    for (int n = 0; n < N; n++) {
        for (int c = 0; c < C; c++) {
            const T *const map = x + (n * C + c) * SIZE;
            A sum[16] = {0};
            for (int i = 0; i < SIZE / 16 * 16; i += 16)
                for (int j = 0; j < 16; j++) sum[j] += LOAD(map[i + j]);
            for (int i = SIZE / 16 * 16; i < SIZE; i++) sum[i % 16] += LOAD(map[i]);
            mean[c] = F(sum16)(sum) / (A)SIZE;
            if (squeeze != NULL) squeeze[n * C + c] = STORE(mean[c]);
        }
        for (int c = 0; c < C; c++) {
            A sum[16] = {0}, factor;
            for (int k = 0; k < C / 16 * 16; k += 16)
                for (int j = 0; j < 16; j++) sum[j] += LOAD(w[c * C + k + j]) * mean[k + j];
            for (int k = C / 16 * 16; k < C; k++) sum[k % 16] += LOAD(w[c * C + k]) * mean[k];
            APPLY(gate, factor, F(sum16)(sum) + (b == NULL ? 0 : LOAD(b[c])));
            gates[n * C + c] = STORE(factor);
        }
    }
}

/* The gates of efficient channel attention: gate(v), where v is the convolution of the channels' means with K weights
 * along the channels, PAD zeros being in front of the first and as many as it takes behind the last.
 * x [N][C][SIZE]   w [K]   b [1] or NULL   mean [C]
 * gates [N][C]: the factors of the channels   squeeze [N][C] or NULL: the means
 * name: channel_gate_conv{K}_{gate}_{C}_{SIZE}
 * types: floats */
KERNEL void channel_gate_conv(const T *restrict x, const T *restrict w, const T *restrict b, A *restrict mean,
                              T *restrict gates, T *restrict squeeze, FORMULA gate, const int N, const int C,
                              const int SIZE, const int K, const int PAD) {
    for (int n = 0; n < N; n++) {
        for (int c = 0; c < C; c++) {
            const T *const map = x + (n * C + c) * SIZE;
            A sum[16] = {0};
            for (int i = 0; i < SIZE / 16 * 16; i += 16)
                for (int j = 0; j < 16; j++) sum[j] += LOAD(map[i + j]);
            for (int i = SIZE / 16 * 16; i < SIZE; i++) sum[i % 16] += LOAD(map[i]);
            mean[c] = F(sum16)(sum) / (A)SIZE;
            if (squeeze != NULL) squeeze[n * C + c] = STORE(mean[c]);
        }
        for (int c = 0; c < C; c++) {
            A sum = b == NULL ? 0 : LOAD(b[0]), factor;
            for (int k = 0; k < K; k++)
                if (c + k >= PAD && c + k < C + PAD) sum += LOAD(w[k]) * mean[c + k - PAD];
            APPLY(gate, factor, sum);
            gates[n * C + c] = STORE(factor);
        }
    }
}
