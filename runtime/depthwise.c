/* Depthwise convolution over channels-last maps.
 * A tile is some neighbouring output pixels of one vector of channels; what a row of the kernel needs is in registers.
 */
#include "runtime/kernel.h"

/* Conv where every channel is a group of its own, channels last.
 * x [N][H][W][C]   w [KH][KW][C, rounded up to 16]   bias [C] or NULL   y [N][OH][OW][C]
 * Strides SH, SW; dilations DH, DW; PH and PW zeros in front of the first row and column. COLUMNS pixels make a
 * tile, at most OW and 16. The last tile of a row and the last vector of channels are moved back to end with it, and
 * store what is new. Blocks of BLOCK channels, a multiple of 16, are computed one after another, so that the rows of x
 * that one row of y reads stay in the first cache for the next one. Of small maps the weights of the next block are
 * fetched meanwhile, as there is little else to hide the wait for them. Rows come in SHARES, a divisor of OH, so that
 * who does one has the same rows in the layers around.
 * sums [N][OH][C] or NULL: what the pixels of each row of y add up to, for a mean
 * items: (C + BLOCK - 1) / BLOCK * N * OH
 * name: depthwise{KH}x{KW}_last_{C}_{OH}x{OW}
 * types: float */
KERNEL void depthwise_last(const float *restrict x, const float *restrict w, const float *restrict bias,
                           float *restrict y, float *restrict sums, const int first, const int last, const int N,
                           const int C, const int H, const int W, const int OH, const int OW, const int KH,
                           const int KW, const int SH, const int SW, const int DH, const int DW, const int PH,
                           const int PW, const int BLOCK, const int COLUMNS, const int SHARES) {
    const int WIDTH = C < LANES ? C : LANES, PADDED = (C + 15) / 16 * 16;
    const int TILES = (OW + COLUMNS - 1) / COLUMNS, SPAN = (COLUMNS - 1) * SW + (KW - 1) * DW + 1;
    const int LEFT = -PW, RIGHT = (OW - COLUMNS) * SW - PW;
    /* Whether only the first and the last tile reach beyond a row. */
    const int PLAIN = COLUMNS * SW >= PW && RIGHT - SW + SPAN <= W;
    const int high = OH / SHARES,
              share = high * ((C + BLOCK - 1) / BLOCK); /* rows of a share, and what it has of work */
    for (int item = first; item < last; item++) {
        const int oh = item / share % SHARES * high + item % high, n = item / share / SHARES;
        const int block = item % share / high * BLOCK;
        const int end = block + BLOCK < C ? block + BLOCK : C, top = oh * SH - PH;
        const int above = window_first(top, DH), rows = window_end(top, DH, KH, H) - above;
        const float *const in = x + (n * H + top + above * DH) * W * C, *const taps = w + above * KW * PADDED;
        for (int tile = 0; tile < TILES; tile++) {
            const int ow = (tile + 1) * COLUMNS < OW ? tile * COLUMNS : OW - COLUMNS, skip = tile * COLUMNS - ow;
            for (int next = block; next < end; next += LANES) {
                const int c = next + LANES <= C || C < LANES ? next : C - LANES;
                if (OH <= KH * KW && tile == 0 && next + BLOCK < C) /* each row fetches its share */
                    for (int tap = oh; tap < KH * KW; tap += OH) PREFETCH(w + tap * PADDED + next + BLOCK);
                vf sum[16];
                UNROLL
                for (int o = 0; o < COLUMNS; o++) sum[o] = bias == NULL ? (vf){0} : vf_load_part(bias + c, WIDTH);
                if (tile == 0)
                    tile_slide(sum, in + c, taps + c, rows, LEFT, COLUMNS, KW, SW, DW, W, C, DH * W * C, PADDED, 1, 1,
                               WIDTH);
                else if (tile == TILES - 1)
                    tile_slide(sum, in + c, taps + c, rows, RIGHT, COLUMNS, KW, SW, DW, W, C, DH * W * C, PADDED, 1, 1,
                               WIDTH);
                else if (PLAIN)
                    tile_slide(sum, in + (ow * SW - PW) * C + c, taps + c, rows, 0, COLUMNS, KW, SW, DW, SPAN, C,
                               DH * W * C, PADDED, 1, 1, WIDTH);
                else
                    tile_slide(sum, in + c, taps + c, rows, ow * SW - PW, COLUMNS, KW, SW, DW, W, C, DH * W * C, PADDED,
                               1, 1, WIDTH);
                const int pixel = (n * OH + oh) * OW + ow;
                UNROLL
                for (int o = 0; o < COLUMNS; o++) {
                    if (OW % COLUMNS != 0 && o < skip) continue;
                    if (C % LANES == 0 || c == next) {
                        OUT_VECTOR(y, (pixel + o) * C + c, sum[o], WIDTH);
                    } else {
                        OUT_VECTOR(y, (pixel + o) * C + next, vf_lanes_from(sum[o], LANES - C % LANES), C % LANES);
                    }
                }
            }
        }
        if (sums != NULL) {
            const int row = n * OH + oh;
            sum_pixels(sums + row * C + block, y + row * OW * C + block, end - block, OW, C, C % LANES);
        }
    }
}
