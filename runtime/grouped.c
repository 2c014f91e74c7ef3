/* Convolution in groups of few channels, over channels-last maps.
 * A vector has the channels of several groups, or a part of one's; a tile is some neighbouring output pixels of it. */
#include "runtime/kernel.h"

/* Conv in groups of few channels, channels last: each makes OUTPUTS channels of its INPUTS, which are no more; both are
 * powers of two up to 16.
 * x [N][H][W][C / OUTPUTS * INPUTS]   w [KH][KW][INPUTS][C, rounded up to 16]   bias [C] or NULL   y [N][OH][OW][C]
 * w has for each output the weight of the i-th input of its group.
 * Strides SH, SW; dilations DH, DW; PH and PW zeros in front of the first row and column. COLUMNS pixels make a tile,
 * at most OW and 16. The last tile of a row and the last vector of channels are moved back to end with it, and store
 * what is new. Blocks of BLOCK channels, a multiple of 16, are computed one after another, so that the rows of x that
 * one row of y reads stay in the first cache for the next one. Rows come in SHARES, a divisor of OH, so that who does
 * one has the same rows in the layers around.
 * sums [N][OH][C] or NULL: what the pixels of each row of y add up to, for a mean
 * items: (C + BLOCK - 1) / BLOCK * N * OH
 * name: conv{KH}x{KW}_groups_of_{OUTPUTS}_{C}_{OH}x{OW}
 * types: float */
KERNEL void grouped_last(const float *restrict x, const float *restrict w, const float *restrict bias,
                         float *restrict y, float *restrict sums, const int first, const int last, const int N,
                         const int C, const int H, const int W, const int OH, const int OW, const int KH, const int KW,
                         const int SH, const int SW, const int DH, const int DW, const int PH, const int PW,
                         const int INPUTS, const int OUTPUTS, const int BLOCK, const int COLUMNS, const int SHARES) {
    const int WIDTH = C < LANES ? C : LANES, PADDED = (C + 15) / 16 * 16, READ = C / OUTPUTS * INPUTS;
    const int SPAN = (COLUMNS - 1) * SW + (KW - 1) * DW + 1;
    const int blocks = (C + BLOCK - 1) / BLOCK, high = OH / SHARES; /* rows of a share */
    for (int item = first; item < last; item++) {
        const int share = item / (high * blocks), part = item % (high * blocks);
        const int oh = share % SHARES * high + part % high, n = share / SHARES;
        const int block = part / high * BLOCK, end = block + BLOCK < C ? block + BLOCK : C, top = oh * SH - PH;
        const int above = window_first(top, DH), rows = window_end(top, DH, KH, H) - above;
        const float *const in = x + (n * H + top + above * DH) * W * READ;
        const float *const taps = w + above * KW * INPUTS * PADDED;
        for (int column = 0; column < OW; column += COLUMNS) {
            const int ow = column + COLUMNS < OW ? column : OW - COLUMNS, left = ow * SW - PW;
            for (int next = block; next < end; next += LANES) {
                const int c = next + LANES <= C || C < LANES ? next : C - LANES;
                const float *const of_group = in + c / OUTPUTS * INPUTS;
                vf sum[16];
                UNROLL
                for (int o = 0; o < COLUMNS; o++) sum[o] = bias == NULL ? (vf){0} : vf_load_part(bias + c, WIDTH);
                if (left >= 0 && left + SPAN <= W)
                    tile_slide(sum, of_group + left * READ, taps + c, rows, 0, COLUMNS, KW, SW, DW, SPAN, READ,
                               DH * W * READ, PADDED, INPUTS, OUTPUTS, WIDTH);
                else
                    tile_slide(sum, of_group, taps + c, rows, left, COLUMNS, KW, SW, DW, W, READ, DH * W * READ, PADDED,
                               INPUTS, OUTPUTS, WIDTH);
                UNROLL
                for (int o = 0; o < COLUMNS; o++) {
                    if (OW % COLUMNS != 0 && ow + o < column) continue;
                    const int pixel = (n * OH + oh) * OW + ow + o;
                    if (C % LANES == 0 || c == next) {
                        OUT_VECTOR(y, pixel * C + c, sum[o], WIDTH);
                    } else {
                        OUT_VECTOR(y, pixel * C + next, vf_lanes_from(sum[o], LANES - C % LANES), C % LANES);
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
