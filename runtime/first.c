/* The first convolution of a network: from few channels, channels first as images come, to many, channels last.
 * Its product reads the image's rows as they are, from a copy with the pads around it. */
#include "runtime/kernel.h"

/* Conv with x channels first and y channels last.
 * x [N][C][H][W]   w [K/16, rounded up][C*KH*KW][16], zeros behind K   bias [K], zeros behind, or NULL   y
 * [N][OH][OW][K] scratch [C*KH][LINE], LINE = (OW - 1) * SW + (KW - 1) * DW + 1: what one row of y reads Strides SH,
 * SW; dilations DH, DW; PH and PW zeros in front of the first row and column. A tile is ROWS <= OW pixels and VECTORS
 * vectors of channels, as tile_choose() gives them. The last tile of either is moved back to end with the row or the
 * panels, and stores what is new.
 * items: N * OH
 * scratch: C * KH * ((OW - 1) * SW + (KW - 1) * DW + 1)
 * name: conv{KH}x{KW}_first_{C}_{K}_{OH}x{OW}
 * types: float */
KERNEL void conv_first(const float *restrict x, const float *restrict w, const float *restrict bias,
                       float *restrict scratch, float *restrict y, const int first, const int last, const int N,
                       const int C, const int H, const int W, const int K, const int OH, const int OW, const int KH,
                       const int KW, const int SH, const int SW, const int DH, const int DW, const int PH, const int PW,
                       const int ROWS, const int VECTORS) {
    const int LINE = (OW - 1) * SW + (KW - 1) * DW + 1, PANEL = C * KH * KW * 16;
    const int READ = PW >= LINE ? 0 : LINE - PW < W ? LINE - PW : W; /* columns of x */
    const int ALL = (K + 15) / 16 * 16 / LANES, TAIL = K % LANES;
    for (int item = first; item < last; item++) {
        const int n = item % N, oh = item / N;
        for (int line = 0; line < C * KH; line++) {
            const int h = oh * SH - PH + line % KH * DH, read = h >= 0 && h < H ? READ : 0;
            float *const to = scratch + line * LINE;
            for (int i = 0; i < PW && i < LINE; i++) to[i] = 0;
            if (read > 0) memcpy(to + PW, x + ((n * C + line / KH) * H + h) * W, sizeof(float) * (unsigned)read);
            for (int i = PW + read; i < LINE; i++) to[i] = 0;
        }
        for (int next = 0; next < ALL; next += VECTORS) {
            const int vector = next + VECTORS < ALL ? next : ALL - VECTORS;
            const float *const panel = w + vector * LANES / 16 * PANEL + vector * LANES % 16;
            for (int column = 0; column < OW; column += ROWS) {
                const int ow = column + ROWS < OW ? column : OW - ROWS;
                vf sum[32];
                UNROLL
                for (int i = 0; i < ROWS * VECTORS; i++)
                    sum[i] = bias == NULL ? vf_all(0) : vf_load(bias + (vector + i % VECTORS) * LANES);
                for (int line = 0; line < C * KH; line++)
                    for (int kw = 0; kw < KW; kw++)
                        tile_multiply(sum, vf_anew(scratch + line * LINE + ow * SW + kw * DW),
                                      panel + (line * KW + kw) * 16, ROWS, VECTORS, ROWS, 0, SW, 1, PANEL);
                UNROLL
                for (int v = 0; v < VECTORS; v++) {
                    const int k = (vector + v) * LANES;
                    if (ALL % VECTORS != 0 && vector + v < next) continue;
                    UNROLL
                    for (int r = 0; r < ROWS; r++) {
                        const int pixel = (n * OH + oh) * OW + ow + r;
                        if (OW % ROWS != 0 && ow + r < column) continue;
                        if (k + LANES <= K) {
                            OUT_VECTOR(y, pixel * K + k, sum[r * VECTORS + v], LANES);
                        } else if (TAIL != 0 && k < K) {
                            OUT_VECTOR(y, pixel * K + k, sum[r * VECTORS + v], TAIL);
                        }
                    }
                }
            }
        }
    }
}
