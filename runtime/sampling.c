/* Sampling: reading maps between their elements, at places that a grid names; and the grids of affine maps.
 * A place that is outside of a map, or no number, is never read. */
#include "runtime/kernel.h"

/* GridSample, nearest: which element of a map each place of the grid names, -1 where that is a zero of the pads.
 * Grid and maps as grid_sample has them; offsets [N][POINTS] into a map of SIZES.
 * name: grid_nearest_{N}x{POINTS}
 * items: N * POINTS
 * types: float double */
KERNEL void grid_nearest(const T *restrict grid, int32_t *restrict offsets, const int first, const int last,
                         const int N, const int POINTS, const int RANK, const int *SIZES, const int PADS,
                         const int ALIGNED) {
    for (int i = first; i < last; i++) {
        int offset = 0;
        for (int d = 0; d < RANK; d++) {
            const A at = F(grid_position)(grid[i * RANK + RANK - 1 - d], SIZES[d], ALIGNED);
            const int place = padded_place((int)F(nearbyint)(at), SIZES[d], PADS, ALIGNED);
            offset = offset < 0 || place < 0 ? -1 : offset * SIZES[d] + place;
        }
        offsets[i] = offset;
    }
}

/* GridSample, nearest: the elements at those offsets, of each channel.
 * x [N][C][SIZE]   offsets [N][POINTS]   y [N][C][POINTS]
 * name: grid_pick_{N}x{C}x{SIZE}_{POINTS}
 * items: N * C
 * types: plain */
KERNEL void grid_pick(const T *restrict x, const int32_t *restrict offsets, T *restrict y, const int first,
                      const int last, const int N, const int C, const int SIZE, const int POINTS) {
    for (int nc = first; nc < last; nc++)
        for (int i = 0; i < POINTS; i++) {
            const int offset = offsets[nc / C * POINTS + i];
            y[nc * POINTS + i] = offset < 0 ? (T)0 : x[nc * SIZE + offset];
        }
}

/* GridSample: each place of the grid is a weighted sum of the TAPS elements around it along each dimension. Of two the
 * weights are linear, of four those of Keys' cubic convolution with a = -3/4 (IEEE ASSP 29, 1981). 16 places at a time.
 * x [N][C][SIZES]   grid [N][POINTS][RANK], the last dimension's coordinate first, from -1 to 1   y [N][C][POINTS]
 * -1 and 1 are the middle of the elements at the ends where ALIGNED is 1, and their outer edges where it is 0. Beyond
 * them are zeros where PADS is 0, the element at the end where it is 1, and the map's mirror image where it is 2.
 * name: grid_sample{TAPS}_{N}x{C}_{POINTS}
 * items: N * ((POINTS + 15) / 16)
 * types: floats */
KERNEL void grid_sample(const T *restrict x, const A *restrict grid, T *restrict y, const int first, const int last,
                        const int N, const int C, const int POINTS, const int RANK, const int *SIZES, const int SIZE,
                        const int TAPS, const int PADS, const int ALIGNED) {
    for (int item = first; item < last; item++) {
        const int n = item / ((POINTS + 15) / 16), start = item % ((POINTS + 15) / 16) * 16;
        const int width = POINTS - start < 16 ? POINTS - start : 16;
        int offset[64][16] = {{0}}, count = 1; /* of each tap, within a map; -1: a zero */
        A weight[64][16];
        for (int j = 0; j < 16; j++) weight[0][j] = 1;
        for (int d = 0; d < RANK; d++) {
            for (int j = 0; j < width; j++) {
                const int coordinate = (n * POINTS + start + j) * RANK + RANK - 1 - d;
                const A at = F(grid_position)(grid[coordinate], SIZES[d], ALIGNED);
                const int low = (int)F(floor)(at);
                const A u = at - (A)low, v = 1 - u;
                const A share[4] = {TAPS == 4 ? -0.75 * u * v * v : v, TAPS == 4 ? (1.25 * u - 2.25) * u * u + 1 : u,
                                    (1.25 * v - 2.25) * v * v + 1, -0.75 * v * u * u};
                for (int k = count * TAPS - 1; k >= 0; k--) { /* from behind: what is read is not yet written */
                    const int before = offset[k / TAPS][j];
                    const int place = padded_place(low + k % TAPS - (TAPS == 4), SIZES[d], PADS, ALIGNED);
                    weight[k][j] = weight[k / TAPS][j] * share[k % TAPS];
                    offset[k][j] = before < 0 || place < 0 ? -1 : before * SIZES[d] + place;
                }
            }
            count *= TAPS;
        }
        for (int c = 0; c < C; c++) {
            const T *const map = x + (n * C + c) * SIZE;
            A sum[16] = {0};
            for (int k = 0; k < count; k++)
                for (int j = 0; j < width; j++) sum[j] += offset[k][j] < 0 ? 0 : weight[k][j] * LOAD(map[offset[k][j]]);
            for (int j = 0; j < width; j++) {
                OUT(y, (n * C + c) * POINTS + start + j, sum[j]);
            }
        }
    }
}

/* AffineGrid: where each theta sends the places of a map, W x H, or W x H x D where RANK is 3; D is 1 where it is 2.
 * theta [N][RANK][RANK + 1]   grid [N][D][H][W][RANK], the last dimension's coordinate first
 * Places go from -1 to 1: the middle of the elements at the ends where ALIGNED is 1, their outer edges where it is 0.
 * name: affine_grid_{N}_{D}x{H}x{W}
 * types: floats */
KERNEL void affine_grid(const T *restrict theta, T *restrict grid, const int N, const int RANK, const int D,
                        const int H, const int W, const int ALIGNED) {
    for (int i = 0; i < N * D * H * W; i++) {
        const int index[3] = {i % W, i / W % H, i / (W * H) % D}, size[3] = {W, H, D};
        for (int r = 0; r < RANK; r++) {
            const T *const row = theta + (i / (W * H * D) * RANK + r) * (RANK + 1);
            A sum = LOAD(row[RANK]);
            for (int d = 0; d < RANK; d++) {
                const int steps = ALIGNED ? size[d] - 1 : size[d]; /* from -1 to 1 */
                sum += LOAD(row[d]) * (steps == 0 ? 0 : (A)(2 * index[d] + 1 - ALIGNED) / (A)steps - 1);
            }
            OUT(grid, i * RANK + r, sum);
        }
    }
}
