/* Convolution in groups of few channels, over channels-last maps.
 * A vector has the channels of several groups, or a part of one's; a tile is some neighbouring output pixels of it. */
#include "runtime/kernel.h"

/* Conv in groups of few channels, in up to three dimensions, channels last: each group makes OUTPUTS channels of its
 * INPUTS, which are no more; both are powers of two up to 16.
 * x [N][D][H][W][C / OUTPUTS * INPUTS]   w [KD][KH][KW][INPUTS][C, rounded up to 16]   bias [C] or NULL
 * y [N][OD][OH][OW][C]
 * w has for each output the weight of the i-th input of its group.
 * Strides SD, SH, SW; dilations DD, DH, DW; PD, PH and PW zeros in front of the first plane, row and column. COLUMNS
 * pixels make a tile, at most OW and 16. The last tile of a row and the last vector of channels are moved back to end
 * with it, and store what is new. Blocks of BLOCK channels, a multiple of 16, are computed one after another, so that
 * the rows of x that one row of y reads stay in the first cache for the next one. Rows come in SHARES, a divisor of OH,
 * so that who does one has the same rows in the layers around.
 * sums [N][OD][OH][C] or NULL: what the pixels of each row of y add up to, for a mean
 * items: (C + BLOCK - 1) / BLOCK * N * OD * OH
 * name: conv{KD}x{KH}x{KW}_groups_of_{OUTPUTS}_{C}_{OD}x{OH}x{OW}
 * types: float */
KERNEL void grouped_last(const float *restrict x, const float *restrict w, const float *restrict bias,
                         float *restrict y, float *restrict sums, const int first, const int last, const int N,
                         const int C, const int D, const int H, const int W, const int OD, const int OH, const int OW,
                         const int KD, const int KH, const int KW, const int SD, const int SH, const int SW,
                         const int DD, const int DH, const int DW, const int PD, const int PH, const int PW,
                         const int INPUTS, const int OUTPUTS, const int BLOCK, const int COLUMNS, const int SHARES) {
    const int WIDTH = C < LANES ? C : LANES, PADDED = (C + 15) / 16 * 16, READ = C / OUTPUTS * INPUTS;
    const int SPAN = (COLUMNS - 1) * SW + (KW - 1) * DW + 1;
    const int blocks = (C + BLOCK - 1) / BLOCK, high = OH / SHARES; /* rows of a share */
    for (int item = first; item < last; item++) {
        const int share = item / (high * blocks), part = item % (high * blocks), map = share / SHARES;
        const int oh = share % SHARES * high + part % high, front = map % OD * SD - PD, n = map / OD % N;
        const int block = part / high * BLOCK, end = block + BLOCK < C ? block + BLOCK : C, top = oh * SH - PH;
        const int above = window_first(top, DH), rows = window_end(top, DH, KH, H) - above;
        const int first_plane = window_first(front, DD), end_plane = window_end(front, DD, KD, D);
        for (int column = 0; column < OW; column += COLUMNS) {
            const int ow = column + COLUMNS < OW ? column : OW - COLUMNS, left = ow * SW - PW;
            for (int next = block; next < end; next += LANES) {
                const int c = next + LANES <= C || C < LANES ? next : C - LANES;
                vf sum[16];
                UNROLL
                for (int o = 0; o < COLUMNS; o++) sum[o] = bias == NULL ? (vf){0} : vf_load_part(bias + c, WIDTH);
                for (int kd = first_plane; kd < end_plane; kd++) {
                    const int row = (n * D + front + kd * DD) * H + top + above * DH;
                    const float *const of_group = x + row * W * READ + c / OUTPUTS * INPUTS;
                    const float *const taps = w + (kd * KH + above) * KW * INPUTS * PADDED + c;
                    if (left >= 0 && left + SPAN <= W)
                        tile_slide(sum, of_group + left * READ, taps, rows, 0, COLUMNS, KW, SW, DW, SPAN, READ,
                                   DH * W * READ, PADDED, INPUTS, OUTPUTS, WIDTH);
                    else
                        tile_slide(sum, of_group, taps, rows, left, COLUMNS, KW, SW, DW, W, READ, DH * W * READ, PADDED,
                                   INPUTS, OUTPUTS, WIDTH);
                }
                UNROLL
                for (int o = 0; o < COLUMNS; o++) {
                    if (OW % COLUMNS != 0 && ow + o < column) continue;
                    const int pixel = (map * OH + oh) * OW + ow + o;
                    if (C % LANES == 0 || c == next) {
                        OUT_VECTOR(y, pixel * C + c, sum[o], WIDTH);
                    } else {
                        OUT_VECTOR(y, pixel * C + next, vf_lanes_from(sum[o], LANES - C % LANES), C % LANES);
                    }
                }
            }
        }
        if (sums != NULL) {
            const int row = map * OH + oh;
            sum_pixels(sums + row * C + block, y + row * OW * C + block, end - block, OW, C, C % LANES);
        }
    }
}
