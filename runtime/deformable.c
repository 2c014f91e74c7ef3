/* Deformable convolution: a convolution whose taps are moved by offsets that come with the data, and read between the
 * elements of the map. */
#include "runtime/kernel.h"

/* DeformConv in two dimensions (Dai et al., 2017; with a mask Zhu et al., 2019), in G groups. Each tap is moved by its
 * offset, interpolated between four elements, and multiplied by its mask; what is outside of the map is zero.
 * x [N][C][H][W]   w [K][C/G][KH][KW]   offset [N][R][KH][KW][2][OH][OW], rows first   bias [K] or NULL
 * mask [N][R][KH][KW][OH][OW] or NULL   y [N][K][OH][OW]   scratch [C][KH][KW][16]: the taps of 16 pixels
 * C/R channels share offsets. Strides SH, SW; dilations DH, DW; PH and PW zeros in front of the first row and column.
 * name: deform_conv{KH}x{KW}_{C}_{K}_{OH}x{OW}
 * items: N * ((OH * OW + 15) / 16)
 * scratch: C * KH * KW * 16
 * types: floats */
KERNEL void deform_conv(const T *restrict x, const T *restrict w, const T *restrict offset, const T *restrict bias,
                        const T *restrict mask, A *restrict scratch, T *restrict y, const int first, const int last,
                        const int N, const int C, const int H, const int W, const int K, const int OH, const int OW,
                        const int G, const int R, const int KH, const int KW, const int SH, const int SW, const int DH,
                        const int DW, const int PH, const int PW) {
    const int taps = KH * KW, pixels = OH * OW, blocks = (pixels + 15) / 16, depth = C / G * taps;
    for (int item = first; item < last; item++) {
        const int n = item / blocks, start = item % blocks * 16;
        const int width = pixels - start < 16 ? pixels - start : 16;
        for (int tap = 0; tap < R * taps; tap++)
            for (int j = 0; j < 16; j++) {
                const int pixel = j < width ? start + j : start, moved = n * R * taps + tap;
                const int h = pixel / OW * SH - PH + tap / KW % KH * DH, v = pixel % OW * SW - PW + tap % KW * DW;
                const A down = (A)h + LOAD(offset[moved * 2 * pixels + pixel]);
                const A right = (A)v + LOAD(offset[(moved * 2 + 1) * pixels + pixel]);
                const A scale = mask == NULL ? 1 : LOAD(mask[moved * pixels + pixel]);
                const int inside = down > -1 && down < (A)H && right > -1 && right < (A)W;
                const int top = inside ? (int)F(floor)(down) : 0, left = inside ? (int)F(floor)(right) : 0;
                const A below = inside ? down - (A)top : 0, beside = inside ? right - (A)left : 0;
                const A rows[2] = {inside && top >= 0 ? scale * (1 - below) : 0,
                                   inside && top + 1 < H ? scale * below : 0};
                const A columns[2] = {left >= 0 ? 1 - beside : 0, left + 1 < W ? beside : 0};
                const int high[2] = {top < 0 ? 0 : top, top + 1 < H ? top + 1 : H - 1};
                const int wide[2] = {left < 0 ? 0 : left, left + 1 < W ? left + 1 : W - 1};
                for (int c = tap / taps * (C / R); c < (tap / taps + 1) * (C / R); c++) {
                    const T *const map = x + (n * C + c) * H * W;
                    A sum = 0;
                    for (int k = 0; k < 4; k++)
                        sum += rows[k / 2] * columns[k % 2] * LOAD(map[high[k / 2] * W + wide[k % 2]]);
                    scratch[(c * taps + tap % taps) * 16 + j] = sum;
                }
            }
        for (int k = 0; k < K; k++) {
            const T *const row = w + k * depth;
            const A *const in = scratch + k / (K / G) * depth * 16;
            const A shift = bias == NULL ? 0 : LOAD(bias[k]);
            A sum[16] = {0};
            for (int t = 0; t < depth; t++) {
                const A a = LOAD(row[t]);
                for (int j = 0; j < 16; j++) sum[j] += a * in[t * 16 + j];
            }
            for (int j = 0; j < width; j++) {
                OUT(y, (n * K + k) * pixels + start + j, sum[j] + shift);
            }
        }
    }
}
