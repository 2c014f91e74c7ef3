/* The first convolution of a network: from few channels, channels first as images come, to many, channels last.
 * Its product reads the image's rows as they are; a tile that reaches beyond their ends, from a copy with the pads. */
#include "runtime/kernel.h"

/* Conv with x channels first and y channels last.
 * x [N][C][H][W]   w [K/16, rounded up][C*KH*KW][16], zeros behind K   bias [K], zeros behind, or NULL   y
 * [N][OH][OW][K]   scratch [C][KH][SPAN], SPAN = (ROWS - 1) * SW + (KW - 1) * DW + 1: what a tile reads of a line
 * Strides SH, SW; dilations DH, DW; PH and PW zeros in front of the first row and column. A tile is ROWS <= OW pixels
 * and VECTORS vectors of channels, as tile_choose() gives them. The last tile of either is moved back to end with the
 * row or the panels, and stores what is new. What the tile below will read is fetched meanwhile: an image is seldom in
 * the cache.
 * items: N * OH
 * scratch: C * KH * ((ROWS - 1) * SW + (KW - 1) * DW + 1)
 * name: conv{KH}x{KW}_first_{C}_{K}_{OH}x{OW}
 * types: float */
KERNEL void conv_first(const float *restrict x, const float *restrict w, const float *restrict bias,
                       float *restrict scratch, float *restrict y, const int first, const int last, const int N,
                       const int C, const int H, const int W, const int K, const int OH, const int OW, const int KH,
                       const int KW, const int SH, const int SW, const int DH, const int DW, const int PH, const int PW,
                       const int ROWS, const int VECTORS) {
    const int SPAN = (ROWS - 1) * SW + (KW - 1) * DW + 1, PANEL = C * KH * KW * 16;
    const int ALL = (K + 15) / 16 * 16 / LANES, TAIL = K % LANES;
    for (int item = first; item < last; item++) {
        const int n = item % N, oh = item / N, top = oh * SH - PH;
        const int above = window_first(top, DH), below = window_end(top, DH, KH, H);
        for (int next = 0; next < ALL; next += VECTORS) {
            const int vector = next + VECTORS < ALL ? next : ALL - VECTORS;
            const float *const panel = w + vector * LANES / 16 * PANEL + vector * LANES % 16;
            for (int column = 0; column < OW; column += ROWS) {
                const int ow = column + ROWS < OW ? column : OW - ROWS, left = ow * SW - PW;
                const int is_inside = left >= 0 && left + SPAN <= W;
                const int map = (n * C * H + top) * W;
                for (int c = 0; c < C && !is_inside; c++)
                    for (int kh = above; kh < below; kh++)
                        copy_span(scratch + (c * KH + kh) * SPAN, x + (map + (c * H + kh * DH) * W), left, SPAN, W);
                for (int c = 0; c < C && next == 0; c++)
                    for (int kh = above > KH - SH ? above : KH - SH; kh < below && top + kh * DH + SH < H; kh++)
                        for (int i = left > 0 ? left : 0; i < left + SPAN && i < W; i += 16)
                            PREFETCH(x + (map + (c * H + kh * DH + SH) * W + i));
                const float *const in = is_inside ? x : scratch;
                const int from = is_inside ? map + left : 0;
                const int plane = is_inside ? H * W : KH * SPAN, line = is_inside ? DH * W : SPAN;
                vf sum[32];
                UNROLL
                for (int i = 0; i < ROWS * VECTORS; i++)
                    sum[i] = bias == NULL ? vf_all(0) : vf_load(bias + (vector + i % VECTORS) * LANES);
                for (int c = 0; c < C; c++)
                    for (int kh = above; kh < below; kh++) {
                        ROLLED
                        for (int kw = 0; kw < KW; kw++)
                            tile_multiply(sum, vf_anew(in + (from + c * plane + kh * line + kw * DW)),
                                          panel + ((c * KH + kh) * KW + kw) * 16, ROWS, VECTORS, SW, 1, PANEL);
                    }
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
