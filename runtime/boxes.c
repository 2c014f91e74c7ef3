/* Boxes: pooling the regions of a map that boxes name, which come with the data: what a box has outside of the map, or
 * that is no number, is never read. */
#include "runtime/kernel.h"

/* RoiAlign (He et al., Mask R-CNN, 2017): each box is cut into OH x OW bins, a bin is the mean, or where MAX is 1 the
 * largest, of RATIO x RATIO samples; where RATIO is 0 of one for about each element, but at most 4096 a side. A sample
 * is interpolated between four elements; of those the largest takes the largest weighted one. x [N][C][H][W]   boxes
 * [R][4], x and y of two corners, times `scale` in elements, less `shift`   batch [R], which map y [R][C][OH][OW] Boxes
 * are as large as they say where HALF is 1, and at least 1 where it is 0.
 * name: roi_align_{R}x{C}_{OH}x{OW}
 * items: R * OH * OW
 * types: floats */
KERNEL void roi_align(const T *restrict x, const T *restrict boxes, const int64_t *restrict batch, T *restrict y,
                      const A scale, const A shift, const int first, const int last, const int N, const int C,
                      const int H, const int W, const int R, const int OH, const int OW, const int RATIO,
                      const int HALF, const int MAX) {
    for (int bin = first; bin < last; bin++) {
        const int r = bin / (OH * OW), oh = bin / OW % OH, ow = bin % OW, n = bounded_index(batch[r], N);
        const A left = LOAD(boxes[r * 4]) * scale - shift, top = LOAD(boxes[r * 4 + 1]) * scale - shift;
        const A across = LOAD(boxes[r * 4 + 2]) * scale - shift - left;
        const A down = LOAD(boxes[r * 4 + 3]) * scale - shift - top;
        const A wide = (HALF || across > 1 ? across : 1) / (A)OW, high = (HALF || down > 1 ? down : 1) / (A)OH;
        const int columns = RATIO > 0 ? RATIO : !(wide > 0) ? 0 : wide < 4096 ? (int)F(ceil)(wide) : 4096;
        const int rows = RATIO > 0 ? RATIO : !(high > 0) ? 0 : high < 4096 ? (int)F(ceil)(high) : 4096;
        for (int c = 0; c < C; c += 16) {
            const int count = C - c < 16 ? C - c : 16;
            const T *const map = x + (n * C + c) * H * W;
            A sum[16] = {0}, most[16];
            for (int j = 0; j < 16; j++) most[j] = rows * columns == 0 ? 0 : -INFINITY;
            for (int i = 0; i < rows * columns; i++) {
                A v = top + ((A)oh + ((A)(i / columns) + 0.5) / (A)rows) * high;
                A u = left + ((A)ow + ((A)(i % columns) + 0.5) / (A)columns) * wide;
                const int inside = v >= -1 && v <= (A)H && u >= -1 && u <= (A)W;
                v = !inside || v < 0 ? 0 : v > (A)(H - 1) ? (A)(H - 1) : v;
                u = !inside || u < 0 ? 0 : u > (A)(W - 1) ? (A)(W - 1) : u;
                const int h = (int)v, w = (int)u, below = h + 1 < H ? W : 0, beside = w + 1 < W;
                const A b = v - (A)h, a = inside ? 1 - b : 0, d = u - (A)w, e = 1 - d;
                for (int j = 0; j < count; j++) {
                    const T *const at = map + j * H * W + h * W + w;
                    const A p = a * e * LOAD(at[0]), q = a * d * LOAD(at[beside]);
                    const A s = b * e * LOAD(at[below]), t = b * d * LOAD(at[below + beside]);
                    const A pq = p > q ? p : q, st = s > t ? s : t, largest = pq > st ? pq : st;
                    sum[j] += p + q + s + t;
                    if (largest > most[j]) most[j] = largest;
                }
            }
            for (int j = 0; j < count; j++) {
                const A mean = rows * columns == 0 ? 0 : sum[j] / (A)(rows * columns);
                OUT(y, ((r * C + c + j) * OH + oh) * OW + ow, MAX ? most[j] : mean);
            }
        }
    }
}

/* MaxRoiPool (Girshick, Fast R-CNN, 2015): the largest element of each of OH x OW bins of a box, 0 of an empty one.
 * x [N][C][H][W]   boxes [R][5]: which map, then x and y of two corners, times `scale` in elements   y [R][C][OH][OW]
 * name: max_roi_pool_{R}x{C}_{OH}x{OW}
 * items: R * OH * OW
 * types: floats */
KERNEL void max_roi_pool(const T *restrict x, const T *restrict boxes, T *restrict y, const A scale, const int first,
                         const int last, const int N, const int C, const int H, const int W, const int R, const int OH,
                         const int OW) {
    for (int bin = first; bin < last; bin++) {
        const int r = bin / (OH * OW), index[2] = {bin / OW % OH, bin % OW}, bins[2] = {OH, OW}, size[2] = {H, W};
        const A map = LOAD(boxes[r * 5]);
        const int n = !(map > 0) ? 0 : map < (A)N ? (int)map : N - 1;
        int from[2], to[2];
        for (int d = 0; d < 2; d++) {
            const A low = F(round)(LOAD(boxes[r * 5 + 2 - d]) * scale),
                    high = F(round)(LOAD(boxes[r * 5 + 4 - d]) * scale);
            const A length = (high - low + 1 > 1 ? high - low + 1 : 1) / (A)bins[d];
            const A start = low + F(floor)((A)index[d] * length), end = low + F(ceil)((A)(index[d] + 1) * length);
            from[d] = !(start > 0) ? 0 : start < (A)size[d] ? (int)start : size[d];
            to[d] = !(end > 0) ? 0 : end < (A)size[d] ? (int)end : size[d];
        }
        const int is_empty = to[0] <= from[0] || to[1] <= from[1];
        for (int c = 0; c < C; c++) {
            A most = is_empty ? 0 : -INFINITY;
            for (int h = from[0]; h < to[0]; h++)
                for (int w = from[1]; w < to[1]; w++) {
                    const A value = LOAD(x[((n * C + c) * H + h) * W + w]);
                    if (value > most || is_nan(value)) most = value;
                }
            OUT(y, ((r * C + c) * OH + index[0]) * OW + index[1], most);
        }
    }
}

/* NonMaxSuppression: for each class of each of the batch the boxes with the largest scores, `most` of them at most
 * (NULL: none), of which no two overlap by more than `overlap` of the area that either has (NULL: 0). Scores are above
 * `score`, or any number where that is NULL. Boxes are two corners in any order, or middle and size where CENTER is 1.
 * boxes [BATCH][BOXES][4]   scores [BATCH][CLASSES][BOXES]   work [BOXES]   y [ROWS][3]: batch, class and box; -1
 * behind the last
 * name: suppress_{BATCH}x{CLASSES}x{BOXES}
 * types: float */
KERNEL void suppress(const T *restrict boxes, const T *restrict scores, const int64_t *restrict most,
                     const T *restrict overlap, const T *restrict score, int32_t *restrict work, int64_t *restrict y,
                     const int BATCH, const int CLASSES, const int BOXES, const int CENTER, const int ROWS) {
    const A threshold = overlap == NULL ? 0 : LOAD(overlap[0]);
    int row = 0;
    for (int list = 0; list < BATCH * CLASSES; list++) {
        const T *const of_class = scores + list * BOXES;
        const int64_t limit = most == NULL ? 0 : most[0];
        int count = 0;
        for (int i = 0; i < BOXES; i++)
            if (score == NULL ? !is_nan((double)of_class[i]) : of_class[i] > score[0]) work[count++] = i;
        for (int64_t taken = 0; taken < limit && count > 0; taken++) {
            A low[2][2], high[2][2]; /* of the box that is taken, and of another */
            int best = work[0], kept = 0;
            for (int k = 1; k < count; k++)
                if (of_class[work[k]] > of_class[best]) best = work[k];
            for (int k = -1; k < count; k++) {
                const int box = k < 0 ? best : work[k], slot = k >= 0;
                const T *const at = boxes + (list / CLASSES * BOXES + box) * 4;
                A common = 1, area[2] = {1, 1};
                for (int d = 0; d < 2; d++) {
                    const A a = CENTER ? at[d] - at[d + 2] / 2 : at[d], b = CENTER ? at[d] + at[d + 2] / 2 : at[d + 2];
                    low[slot][d] = CENTER || a < b ? a : b;
                    high[slot][d] = CENTER || a < b ? b : a;
                    if (slot == 0) continue;
                    const A from = low[0][d] > low[1][d] ? low[0][d] : low[1][d];
                    const A to = high[0][d] < high[1][d] ? high[0][d] : high[1][d];
                    common *= to > from ? to - from : 0;
                    for (int i = 0; i < 2; i++) area[i] *= high[i][d] - low[i][d];
                }
                if (k < 0 || box == best) continue;
                const A either = area[0] + area[1] - common;
                const int is_shared = common > 0 && area[0] > 0 && area[1] > 0 && either > 0;
                if (!((is_shared ? common / either : 0) > threshold)) work[kept++] = box;
            }
            y[row * 3] = list / CLASSES;
            y[row * 3 + 1] = list % CLASSES;
            y[row++ * 3 + 2] = best;
            count = kept;
        }
    }
    for (int i = row * 3; i < ROWS * 3; i++) y[i] = -1;
}
