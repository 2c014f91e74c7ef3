/* Scaled dot-product attention in one piece: the scores of a few queries at a time stay in the cache.
 * Operands are read with strides, so that heads split off, transposed, repeated or packed together need no copy. */
#include "runtime/kernel.h"

/* Attention: y = softmax(scale * q k^T + mask + bias) v, for each of COUNT pairs of matrices. Where keep (as a bool) is
 * not KEPT the score is fill instead; where GUARDED is 1 a NaN among the probabilities becomes 0.
 * q [LQ][D]   k [LK][D]   v [LK][DV]   y [LQ][DV]   mask, bias, keep [LQ][LK] or NULL
 * The pairs have the dimensions BATCH[RANK]. Q, K, V, Y, MASK, BIAS and KEEP are the strides of q, k, ...: of the RANK
 * dimensions of the pairs, of a matrix's rows, and of its columns.
 * keys: k, and values: v, in panels of 16 keys or columns, zeros behind the last   scores [16][LK, up to a whole panel]
 * probs, logits [COUNT][LQ][LK] or NULL: the probabilities, and what the softmax is taken of
 * name: attention_{COUNT}x{LQ}x{LK}_{D}_{DV}
 * types: floats */
KERNEL void attention(const T *restrict q, const T *restrict k, const T *restrict v, const T *restrict mask,
                      const T *restrict bias, const uint8_t *restrict keep, A *restrict keys, A *restrict values,
                      A *restrict scores, T *restrict y, T *restrict probs, T *restrict logits, const A scale,
                      const A fill, const int COUNT, const int RANK, const int *BATCH, const int LQ, const int LK,
                      const int D, const int DV, const int *Q, const int *K, const int *V, const int *Y,
                      const int *MASK, const int *BIAS, const int *KEEP, const int KEPT, const int GUARDED) {
    const int pitch = (LK + 15) / 16 * 16;
    for (int pair = 0; pair < COUNT; pair++) {
        int at_q = 0, at_k = 0, at_v = 0, at_y = 0, at_mask = 0, at_bias = 0, at_keep = 0;
        for (int d = RANK - 1, rest = pair; d >= 0; d--) {
            const int i = rest % BATCH[d];
            rest /= BATCH[d];
            at_q += i * Q[d], at_k += i * K[d], at_v += i * V[d], at_y += i * Y[d];
            at_mask += i * MASK[d], at_bias += i * BIAS[d], at_keep += i * KEEP[d];
        }
        for (int j = 0; j < LK; j++)
            for (int d = 0; d < D; d++)
                keys[j / 16 * 16 * D + d * 16 + j % 16] = LOAD(k[at_k + j * K[RANK] + d * K[RANK + 1]]);
        for (int j = LK; j < pitch; j++)
            for (int d = 0; d < D; d++) keys[j / 16 * 16 * D + d * 16 + j % 16] = 0;
        for (int first = 0; first < DV; first += 16) {
            const int width = DV - first < 16 ? DV - first : 16;
            for (int l = 0; l < LK; l++) {
                A *const to = values + first * LK + l * 16;
                const T *const from = v + at_v + l * V[RANK] + first * V[RANK + 1];
                for (int j = 0; j < width; j++) to[j] = LOAD(from[j * V[RANK + 1]]);
                for (int j = width; j < 16; j++) to[j] = 0;
            }
        }
        for (int top = 0; top < LQ; top += 16) {
            const int rows = LQ - top < 16 ? LQ - top : 16;
            for (int first = 0; first < LK; first += 16)
                for (int m = 0; m < rows; m += 4) { /* rows after the last repeat it */
                    const T *const q0 = q + at_q + (top + m) * Q[RANK], *const q1 = q0 + (m + 1 < rows ? Q[RANK] : 0);
                    const T *const q2 = q1 + (m + 2 < rows ? Q[RANK] : 0), *const q3 =
                                                                               q2 + (m + 3 < rows ? Q[RANK] : 0);
                    A sum[4][16] = {{0}};
                    for (int d = 0; d < D; d++) {
                        const A v0 = LOAD(q0[d * Q[RANK + 1]]), v1 = LOAD(q1[d * Q[RANK + 1]]);
                        const A v2 = LOAD(q2[d * Q[RANK + 1]]), v3 = LOAD(q3[d * Q[RANK + 1]]);
                        for (int j = 0; j < 16; j++) {
                            const A key = keys[first * D + d * 16 + j];
                            sum[0][j] += v0 * key;
                            sum[1][j] += v1 * key;
                            sum[2][j] += v2 * key;
                            sum[3][j] += v3 * key;
                        }
                    }
                    for (int r = 0; r < 4; r++)
                        for (int j = 0; j < 16; j++) scores[(m + r) * pitch + first + j] = scale * sum[r][j];
                }
            for (int r = 0; r < rows; r++) {
                A *const row = scores + r * pitch;
                const int i = top + r;
                A lane[16], largest = -INFINITY;
                if (mask != NULL)
                    for (int j = 0; j < LK; j++) row[j] += LOAD(mask[at_mask + i * MASK[RANK] + j * MASK[RANK + 1]]);
                if (bias != NULL)
                    for (int j = 0; j < LK; j++) row[j] += LOAD(bias[at_bias + i * BIAS[RANK] + j * BIAS[RANK + 1]]);
                if (keep != NULL)
                    for (int j = 0; j < LK; j++)
                        if ((keep[at_keep + i * KEEP[RANK] + j * KEEP[RANK + 1]] != 0) != KEPT) row[j] = fill;
                if (logits != NULL)
                    for (int j = 0; j < LK; j++) logits[(pair * LQ + i) * LK + j] = STORE(row[j]);
                for (int j = LK; j < pitch; j++) row[j] = -INFINITY;
                for (int j = 0; j < 16; j++) lane[j] = -INFINITY;
                for (int first = 0; first < pitch; first += 16)
                    for (int j = 0; j < 16; j++) lane[j] = row[first + j] > lane[j] ? row[first + j] : lane[j];
                for (int j = 0; j < 16; j++) largest = lane[j] > largest ? lane[j] : largest;
                for (int j = 0; j < LK; j++) row[j] = M(exp)(row[j] - largest);
                for (int j = LK; j < pitch; j++) row[j] = 0;
                for (int j = 0; j < 16; j++) lane[j] = 0;
                for (int first = 0; first < pitch; first += 16)
                    for (int j = 0; j < 16; j++) lane[j] += row[first + j];
                const A sum = F(sum16)(lane);
                for (int j = 0; j < LK; j++) row[j] = row[j] / sum;
                if (GUARDED)
                    for (int j = 0; j < LK; j++) row[j] = is_nan(row[j]) ? 0 : row[j];
                if (probs != NULL)
                    for (int j = 0; j < LK; j++) probs[(pair * LQ + i) * LK + j] = STORE(row[j]);
            }
            for (int first = 0; first < DV; first += 16)
                for (int m = 0; m < rows; m += 4) {
                    const A *const row = scores + m * pitch;
                    const int width = DV - first < 16 ? DV - first : 16;
                    A sum[4][16] = {{0}};
                    for (int l = 0; l < LK; l++) {
                        const A p0 = row[l], p1 = row[pitch + l], p2 = row[2 * pitch + l], p3 = row[3 * pitch + l];
                        for (int j = 0; j < 16; j++) {
                            const A value = values[first * LK + l * 16 + j];
                            sum[0][j] += p0 * value;
                            sum[1][j] += p1 * value;
                            sum[2][j] += p2 * value;
                            sum[3][j] += p3 * value;
                        }
                    }
                    for (int r = 0; r < 4 && m + r < rows; r++)
                        for (int j = 0; j < width; j++) {
                            OUT(y, at_y + (top + m + r) * Y[RANK] + (first + j) * Y[RANK + 1], sum[r][j]);
                        }
                }
        }
    }
}

/* Attention on vectors, with what attention() takes: ROWS queries at a time, in BLOCKS blocks of which the last begins
 * earlier where they do not divide LQ, and does not store again what was stored before. The scores are divided by their
 * sum where they are stored, or in the result. Columns of y are contiguous.
 * q [LQ][D]   k [LK][D]   v [LK][DV]   y [LQ][DV]   mask, bias, keep [LQ][LK] or NULL
 * The pairs have the dimensions BATCH[RANK]. Q, K, V, Y, MASK, BIAS and KEEP are the strides of q, k, ...: of the RANK
 * dimensions of the pairs, of a matrix's rows, and of its columns.
 * In scratch: k and v of a pair in panels of 16 keys or columns, queries [ROWS][D], scores [ROWS][LK, to whole vectors]
 * probs, logits [COUNT][LQ][LK] or NULL: the probabilities, and what the softmax is taken of
 * name: attention_{COUNT}x{LQ}x{LK}_{D}_{DV}
 * items: COUNT * BLOCKS
 * scratch: (LK + 15) / 16 * 16 * (D + ROWS) + (DV + 15) / 16 * 16 * LK + ROWS * D
 * types: float */
KERNEL void attention_tiled(const float *restrict q, const float *restrict k, const float *restrict v,
                            const float *restrict mask, const float *restrict bias, const uint8_t *restrict keep,
                            float *restrict scratch, float *restrict y, float *restrict probs, float *restrict logits,
                            const float scale, const float fill, const int first, const int last, const int fresh,
                            const int COUNT, const int RANK, const int *BATCH, const int LQ, const int LK, const int D,
                            const int DV, const int *Q, const int *K, const int *V, const int *Y, const int *MASK,
                            const int *BIAS, const int *KEEP, const int KEPT, const int GUARDED, const int ROWS,
                            const int SCORES, const int VALUES, const int BLOCKS) {
    const int pitch = (LK + LANES - 1) / LANES * LANES, columns = (DV + 15) / 16 * 16, width = VALUES * LANES;
    float *const keys = scratch, *const values = keys + (LK + 15) / 16 * 16 * D, *const queries = values + columns * LK;
    float *const scores = queries + ROWS * D;
    const float per_octave = 1.44269504f; /* 1 / ln 2: e^x is 2^(x / ln 2) */
    /* scores that nothing is added to are in octaves from the start; -FLT_MAX of a mask would be infinite then */
    const float unit = mask == NULL && bias == NULL && keep == NULL ? per_octave : 1;
    for (int item = first; item < last; item++) {
        const int pair = item / BLOCKS, begin = item % BLOCKS * ROWS, top = begin + ROWS <= LQ ? begin : LQ - ROWS;
        int at_q = 0, at_k = 0, at_v = 0, at_y = 0, at_mask = 0, at_bias = 0, at_keep = 0;
        float largest[32], inverse[32];
        for (int d = RANK - 1, rest = pair; d >= 0; d--) {
            const int i = rest % BATCH[d];
            rest /= BATCH[d];
            at_q += i * Q[d], at_k += i * K[d], at_v += i * V[d], at_y += i * Y[d];
            at_mask += i * MASK[d], at_bias += i * BIAS[d], at_keep += i * KEEP[d];
        }
        if (item == fresh || begin == 0) {
            for (int j = 0; j < LK; j += 16)
                panel_pack(keys + j * D, k + at_k + j * K[RANK], D, LK - j < 16 ? LK - j : 16, K[RANK + 1], K[RANK]);
            for (int j = 0; j < DV; j += 16)
                panel_pack(values + j * LK, v + at_v + j * V[RANK + 1], LK, DV - j < 16 ? DV - j : 16, V[RANK],
                           V[RANK + 1]);
        }
        for (int r = 0; r < ROWS; r++) {
            const float *const from = q + at_q + (top + r) * Q[RANK];
            const int full = Q[RANK + 1] == 1 ? D / LANES * LANES : 0; /* Clang would scatter these */
            for (int d = 0; d < full; d += LANES) vf_store(queries + r * D + d, scale * unit * vf_load(from + d));
            for (int d = full; d < D; d++) queries[r * D + d] = scale * unit * from[d * Q[RANK + 1]];
        }
        int key = 0;
        for (; key + SCORES * LANES <= LK; key += SCORES * LANES)
            tile_store(scores + key, queries, keys + key / 16 * 16 * D + key % 16, pitch, ROWS, SCORES, SCORES * LANES,
                       D, D, 16 * D);
        for (; key + LANES <= LK; key += LANES)
            tile_store(scores + key, queries, keys + key / 16 * 16 * D + key % 16, pitch, ROWS, 1, LANES, D, D, 16 * D);
        if (LK % LANES != 0)
            tile_store(scores + key, queries, keys + key / 16 * 16 * D + key % 16, pitch, ROWS, 1, LK % LANES, D, D,
                       16 * D);
        for (int r = 0; r < ROWS; r++) {
            float *const row = scores + r * pitch;
            const int i = top + r;
            vf most = vf_all(-INFINITY);
            if (mask != NULL)
                for (int j = 0; j < LK; j++) row[j] += mask[at_mask + i * MASK[RANK] + j * MASK[RANK + 1]];
            if (bias != NULL)
                for (int j = 0; j < LK; j++) row[j] += bias[at_bias + i * BIAS[RANK] + j * BIAS[RANK + 1]];
            if (keep != NULL)
                for (int j = 0; j < LK; j++)
                    if ((keep[at_keep + i * KEEP[RANK] + j * KEEP[RANK + 1]] != 0) != KEPT) row[j] = fill;
            if (logits != NULL && i >= begin)
                for (int j = 0; j < LK; j++) logits[(pair * LQ + i) * LK + j] = row[j] / unit;
            if (LK % LANES != 0) {
                float *const end = row + LK / LANES * LANES;
                vf_store(end, vf_first(vf_load(end), LK % LANES, vf_all(-INFINITY)));
            }
            for (int j = 0; j < pitch; j += LANES) most = vf_max(vf_load(row + j), most);
            largest[r] = vf_largest(most);
        }
        for (int r = 0; r < ROWS; r++) {
            float *const row = scores + r * pitch;
            const int i = top + r;
            vf total = vf_all(0);
            for (int j = 0; j < pitch; j += LANES) {
                const vf power = vf_exp2_fall((vf_load(row + j) - largest[r]) * (per_octave / unit));
                vf_store(row + j, power);
                total += power;
            }
            inverse[r] = 1.0f / vf_sum(total);
            if (GUARDED && is_nan(inverse[r])) {
                inverse[r] = 0;
                for (int j = 0; j < LK; j++) row[j] = 0;
            }
            if (probs != NULL && i >= begin)
                for (int j = 0; j < LK; j++) probs[(pair * LQ + i) * LK + j] = row[j] * inverse[r];
        }
        for (int left = 0; left < columns; left += width) {
            const int n = left + width <= columns ? left : columns - width;
            vf sum[32];
            UNROLL
            for (int i = 0; i < ROWS * VALUES; i++) sum[i] = vf_all(0);
            tile_multiply(sum, scores, values + n / 16 * 16 * LK + n % 16, ROWS, VALUES, pitch, LK, 16 * LK);
            const float *const factors = vf_anew(inverse); /* or they would be kept where the values belong */
            UNROLL
            for (int r = 0; r < ROWS; r++) {
                const int i = top + r;
                if (LQ % ROWS != 0 && i < begin) continue;
                UNROLL
                for (int u = 0; u < VALUES; u++) {
                    const int column = n + u * LANES;
                    if (columns % width != 0 && column < left) continue;
                    if (DV % 16 == 0 || column + LANES <= DV) {
                        OUT_VECTOR(y, at_y + i * Y[RANK] + column, factors[r] * sum[r * VALUES + u], LANES);
                    } else if (column < DV) {
                        OUT_VECTOR(y, at_y + i * Y[RANK] + column, factors[r] * sum[r * VALUES + u], DV % LANES);
                    }
                }
            }
        }
    }
}
