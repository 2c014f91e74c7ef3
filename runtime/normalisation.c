/* Normalisation: maps and rows brought to zero mean and unit variance, or to unit norm, then scaled and shifted.
 * Means and variances are taken in two passes over 16 partial sums: no cancellation, and little rounding. */
#include "runtime/kernel.h"

/* BatchNormalization with the statistics of training: y = (x - mean) / sqrt(variance + epsilon) * scale + bias.
 * x, y [N][C][SIZE]   scale, bias, mean, variance [C]
 * name: batch_normalization_{C}_{SIZE}
 * types: floats */
KERNEL void batch_normalization(const T *restrict x, const T *restrict scale, const T *restrict bias,
                                const T *restrict mean, const T *restrict variance, T *restrict y, const A epsilon,
                                const int N, const int C, const int SIZE) {
    for (int n = 0; n < N; n++)
        for (int c = 0; c < C; c++) {
            const A factor = LOAD(scale[c]) / F(sqrt)(LOAD(variance[c]) + epsilon);
            const A middle = LOAD(mean[c]), shift = LOAD(bias[c]);
            for (int i = 0; i < SIZE; i++) {
                OUT(y, (n * C + c) * SIZE + i, (LOAD(x[(n * C + c) * SIZE + i]) - middle) * factor + shift);
            }
        }
}

/* LayerNormalization: each row to zero mean and unit variance, then scaled and shifted element by element.
 * x, y [ROWS][N]   scale [N]   bias [N] or NULL
 * mean, deviation [ROWS] or NULL: the means and 1 / sqrt(variance + epsilon)
 * name: layer_normalization_{ROWS}_{N}
 * items: ROWS
 * types: floats */
KERNEL void layer_normalization(const T *restrict x, const T *restrict scale, const T *restrict bias, T *restrict y,
                                float *restrict mean, float *restrict deviation, const A epsilon, const int first,
                                const int last, const int ROWS, const int N) {
    for (int r = first; r < last; r++) {
        const T *const row = x + r * N;
        A sum[16] = {0}, square[16] = {0};
        for (int i = 0; i < N / 16 * 16; i += 16)
            for (int j = 0; j < 16; j++) sum[j] += LOAD(row[i + j]);
        for (int i = N / 16 * 16; i < N; i++) sum[i % 16] += LOAD(row[i]);
        const A middle = F(sum16)(sum) / (A)N;
        for (int i = 0; i < N / 16 * 16; i += 16)
            for (int j = 0; j < 16; j++) {
                const A distance = LOAD(row[i + j]) - middle;
                square[j] += distance * distance;
            }
        for (int i = N / 16 * 16; i < N; i++) square[i % 16] += (LOAD(row[i]) - middle) * (LOAD(row[i]) - middle);
        const A inverse = 1 / F(sqrt)(F(sum16)(square) / (A)N + epsilon);
        for (int i = 0; i < N; i++) {
            const A shift = bias == NULL ? 0 : LOAD(bias[i]);
            OUT(y, r * N + i, (LOAD(row[i]) - middle) * inverse * LOAD(scale[i]) + shift);
        }
        if (mean != NULL) mean[r] = (float)middle;
        if (deviation != NULL) deviation[r] = (float)inverse;
    }
}

/* LayerNormalization on vectors.
 * x, y [ROWS][N]   scale [N]   bias [N] or NULL
 * mean, deviation [ROWS] or NULL: the means and 1 / sqrt(variance + epsilon)
 * name: layer_normalization_{ROWS}_{N}
 * items: ROWS
 * types: float */
KERNEL void layer_normalization_rows(const float *restrict x, const float *restrict scale, const float *restrict bias,
                                     float *restrict y, float *restrict mean, float *restrict deviation,
                                     const float epsilon, const int first, const int last, const int ROWS,
                                     const int N) {
    enum { AT_ONCE = 4 }; /* rows, which do not wait for one another's sums */
    const int full = N / LANES * LANES;
    for (int top = first; top < last; top += AT_ONCE) {
        const int rows = last - top < AT_ONCE ? last - top : AT_ONCE;
        float middle[AT_ONCE], inverse[AT_ONCE];
        for (int r = 0; r < rows; r++) middle[r] = vf_sum(row_power(x + (top + r) * N, 0, N, 1)) / (float)N;
        for (int r = 0; r < rows; r++) {
            const float variance = vf_sum(row_power(x + (top + r) * N, middle[r], N, 2)) / (float)N;
            inverse[r] = 1 / sqrtf(variance + epsilon);
        }
        for (int r = 0; r < rows; r++) {
            const int at = (top + r) * N;
            for (int i = 0; i < full; i += LANES) {
                const vf shift = bias == NULL ? vf_all(0) : vf_load(bias + i);
                const vf centred = vf_load(x + at + i) - middle[r];
                OUT_VECTOR(y, at + i, centred * inverse[r] * vf_load(scale + i) + shift, LANES);
            }
            if (full < N) {
                const vf shift = bias == NULL ? vf_all(0) : vf_load_part(bias + full, N % LANES);
                const vf factor = inverse[r] * vf_load_part(scale + full, N % LANES);
                const vf centred = vf_load_part(x + at + full, N % LANES) - middle[r];
                OUT_VECTOR(y, at + full, centred * factor + shift, N % LANES);
            }
            if (mean != NULL) mean[top + r] = middle[r];
            if (deviation != NULL) deviation[top + r] = inverse[r];
        }
    }
}

/* GroupNormalization, and InstanceNormalization with G = C: the channels of each group together to zero mean and unit
 * variance, then scaled and shifted. PER channels share a scale and a bias: 1, or all C / G of a group.
 * x, y [N][C][SIZE]   scale, bias [C/PER]
 * name: group_normalization_{G}_{C}_{SIZE}
 * items: N * G
 * types: floats */
KERNEL void group_normalization(const T *restrict x, const T *restrict scale, const T *restrict bias, T *restrict y,
                                const A epsilon, const int first, const int last, const int N, const int C,
                                const int SIZE, const int G, const int PER) {
    const int count = C / G * SIZE;
    for (int ng = first; ng < last; ng++) {
        const T *const group = x + ng * count;
        A sum[16] = {0}, square[16] = {0};
        for (int i = 0; i < count / 16 * 16; i += 16)
            for (int j = 0; j < 16; j++) sum[j] += LOAD(group[i + j]);
        for (int i = count / 16 * 16; i < count; i++) sum[i % 16] += LOAD(group[i]);
        const A middle = F(sum16)(sum) / (A)count;
        for (int i = 0; i < count / 16 * 16; i += 16)
            for (int j = 0; j < 16; j++) {
                const A distance = LOAD(group[i + j]) - middle;
                square[j] += distance * distance;
            }
        for (int i = count / 16 * 16; i < count; i++)
            square[i % 16] += (LOAD(group[i]) - middle) * (LOAD(group[i]) - middle);
        const A inverse = 1 / F(sqrt)(F(sum16)(square) / (A)count + epsilon);
        for (int c = 0; c < C / G; c++) {
            const int at = (ng % G * (C / G) + c) / PER;
            const A factor = inverse * LOAD(scale[at]), shift = LOAD(bias[at]);
            for (int i = 0; i < SIZE; i++) {
                OUT(y, ng * count + c * SIZE + i, (LOAD(group[c * SIZE + i]) - middle) * factor + shift);
            }
        }
    }
}

/* GroupNormalization and InstanceNormalization of channels-last maps, on vectors.
 * x, y [N][SIZE][C]   scale, bias [C]
 * BLOCK channels are done at once, which are whole groups; scratch holds a mean and a factor for each.
 * name: group_normalization_last_{G}_{C}_{SIZE}
 * items: N * (C / BLOCK)
 * scratch: 2 * BLOCK
 * types: float */
KERNEL void group_normalization_last(const float *restrict x, const float *restrict scale, const float *restrict bias,
                                     float *restrict scratch, float *restrict y, const float epsilon, const int first,
                                     const int last, const int N, const int C, const int SIZE, const int G,
                                     const int BLOCK) {
    const int group = C / G, blocks = C / BLOCK;
    const float count = (float)group * (float)SIZE;
    float *const mean = scratch, *const factor = scratch + BLOCK;
    for (int item = first; item < last; item++) {
        const int from = item % blocks * BLOCK, map = item / blocks % N * SIZE * C + from;
        channel_powers(mean, x + map, NULL, BLOCK, SIZE, C, 1);
        for (int c = 0; c < BLOCK; c += group) {
            float sum = 0;
            for (int i = 0; i < group; i++) sum += mean[c + i];
            for (int i = 0; i < group; i++) mean[c + i] = sum / count;
        }
        channel_powers(factor, x + map, mean, BLOCK, SIZE, C, 2);
        for (int c = 0; c < BLOCK; c += group) {
            float sum = 0;
            for (int i = 0; i < group; i++) sum += factor[c + i];
            const float inverse = 1 / sqrtf(sum / count + epsilon);
            for (int i = 0; i < group; i++) factor[c + i] = inverse * scale[from + c + i];
        }
        for (int pixel = 0; pixel < SIZE; pixel++)
            for (int c = 0; c < BLOCK; c += LANES) {
                const int at = map + pixel * C + c;
                if (BLOCK % LANES == 0 || c + LANES <= BLOCK) {
                    const vf centred = vf_load(x + at) - vf_load(mean + c);
                    OUT_VECTOR(y, at, centred * vf_load(factor + c) + vf_load(bias + from + c), LANES);
                } else {
                    const vf centred = vf_load_part(x + at, BLOCK % LANES) - vf_load_part(mean + c, BLOCK % LANES);
                    const vf shift = vf_load_part(bias + from + c, BLOCK % LANES);
                    OUT_VECTOR(y, at, centred * vf_load_part(factor + c, BLOCK % LANES) + shift, BLOCK % LANES);
                }
            }
    }
}

/* RMSNormalization: each row divided by its root mean square, then scaled element by element.
 * x, y [ROWS][N]   scale [N]
 * name: rms_normalization_{ROWS}_{N}
 * items: ROWS
 * types: floats */
KERNEL void rms_normalization(const T *restrict x, const T *restrict scale, T *restrict y, const A epsilon,
                              const int first, const int last, const int ROWS, const int N) {
    for (int r = first; r < last; r++) {
        const T *const row = x + r * N;
        A square[16] = {0};
        for (int i = 0; i < N / 16 * 16; i += 16)
            for (int j = 0; j < 16; j++) square[j] += LOAD(row[i + j]) * LOAD(row[i + j]);
        for (int i = N / 16 * 16; i < N; i++) square[i % 16] += LOAD(row[i]) * LOAD(row[i]);
        const A inverse = 1 / F(sqrt)(F(sum16)(square) / (A)N + epsilon);
        for (int i = 0; i < N; i++) {
            OUT(y, r * N + i, LOAD(row[i]) * inverse * LOAD(scale[i]));
        }
    }
}

/* LpNormalization: divided by the P-norm (P is 1 or 2) over the axis of N. What has the norm 0 stays 0.
 * x, y [OUTER][N][INNER]
 * name: lp_normalization{P}_{OUTER}_{N}_{INNER}
 * types: floats */
KERNEL void lp_normalization(const T *restrict x, T *restrict y, const int P, const int OUTER, const int N,
                             const int INNER) {
    for (int o = 0; o < OUTER; o++)
        for (int i = 0; i < INNER; i++) {
            const int at = o * N * INNER + i;
            A sum = 0;
            for (int n = 0; n < N; n++) {
                const A value = LOAD(x[at + n * INNER]);
                sum += P == 1 ? F(fabs)(value) : value * value;
            }
            const A norm = P == 1 ? sum : F(sqrt)(sum);
            for (int n = 0; n < N; n++) {
                OUT(y, at + n * INNER, norm == 0 ? 0 : LOAD(x[at + n * INNER]) / norm);
            }
        }
}

/* MeanVarianceNormalization: zero mean and unit deviation over the dimensions A0 and A1, for each of the others.
 * x, y [K0][A0][K1][A1][K2]
 * name: mean_variance_normalization_{K0}_{A0}_{K1}_{A1}_{K2}
 * types: floats */
KERNEL void mean_variance_normalization(const T *restrict x, T *restrict y, const int K0, const int A0, const int K1,
                                        const int A1, const int K2) {
    for (int k0 = 0; k0 < K0; k0++)
        for (int k1 = 0; k1 < K1; k1++)
            for (int k2 = 0; k2 < K2; k2++) {
                A sum = 0, square = 0;
                for (int a0 = 0; a0 < A0; a0++)
                    for (int a1 = 0; a1 < A1; a1++) sum += LOAD(x[(((k0 * A0 + a0) * K1 + k1) * A1 + a1) * K2 + k2]);
                const A middle = sum / (A)(A0 * A1);
                for (int a0 = 0; a0 < A0; a0++)
                    for (int a1 = 0; a1 < A1; a1++) {
                        const A distance = LOAD(x[(((k0 * A0 + a0) * K1 + k1) * A1 + a1) * K2 + k2]) - middle;
                        square += distance * distance;
                    }
                const A deviation = F(sqrt)(square / (A)(A0 * A1)) + 1e-9;
                for (int a0 = 0; a0 < A0; a0++)
                    for (int a1 = 0; a1 < A1; a1++) {
                        const int at = (((k0 * A0 + a0) * K1 + k1) * A1 + a1) * K2 + k2;
                        OUT(y, at, (LOAD(x[at]) - middle) / deviation);
                    }
            }
}

/* LRN: y = x / (bias + alpha / WIDTH * the sum of squares over WIDTH neighbouring channels) ^ beta.
 * x, y [N][C][SIZE]
 * name: local_response_normalization_{C}_{SIZE}
 * types: floats */
KERNEL void local_response_normalization(const T *restrict x, T *restrict y, const A alpha, const A beta, const A bias,
                                         const int WIDTH, const int N, const int C, const int SIZE) {
    for (int n = 0; n < N; n++)
        for (int c = 0; c < C; c++) {
            const int before = (WIDTH - 1) / 2, after = WIDTH / 2;
            const int from = c < before ? 0 : c - before, to = C - 1 - c < after ? C - 1 : c + after;
            for (int i = 0; i < SIZE; i++) {
                A square = 0;
                for (int k = from; k <= to; k++)
                    square += LOAD(x[(n * C + k) * SIZE + i]) * LOAD(x[(n * C + k) * SIZE + i]);
                const A scale = F(pow)(bias + alpha / (A)WIDTH * square, beta);
                OUT(y, (n * C + c) * SIZE + i, LOAD(x[(n * C + c) * SIZE + i]) / scale);
            }
        }
}
