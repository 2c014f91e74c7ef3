/* Gates for channels that a convolution makes of their means. Those that layers make are pools and linear layers. */
#include "runtime/kernel.h"

/* The gates of efficient channel attention: gate(v), where v is the convolution of the channels' means with K weights
 * along the channels, PAD zeros being in front of the first and as many as it takes behind the last.
 * mean [N][C]   w [K]   b [1] or NULL   padded [C + K - 1]: the means with their zeros
 * gates [N][C]: the factors of the channels
 * name: channel_gate_conv{K}_{gate}_{C}
 * types: float double */
KERNEL void channel_gate_conv(const T *restrict mean, const T *restrict w, const T *restrict b, A *restrict padded,
                              T *restrict gates, FORMULA gate, const int N, const int C, const int K, const int PAD) {
    for (int i = 0; i < C + K - 1; i++) padded[i] = 0;
    for (int n = 0; n < N; n++) {
        for (int c = 0; c < C; c++) padded[PAD + c] = LOAD(mean[n * C + c]);
        for (int c = 0; c < C; c++) {
            A sum = b == NULL ? 0 : LOAD(b[0]), factor;
            for (int k = 0; k < K; k++) sum += LOAD(w[k]) * padded[c + k];
            APPLY(gate, factor, sum);
            gates[n * C + c] = STORE(factor);
        }
    }
}
