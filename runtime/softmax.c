/* Softmax and its kin along one axis: x and y are [OUTER][N][INNER], the axis is the one of N.
 * The largest element is subtracted first, so that no exponential overflows. */
#include "runtime/kernel.h"

/* Softmax: y = exp(x) / sum exp(x) over N.
 * x, y [OUTER][N][INNER]   row [N]
 * name: softmax_{OUTER}_{N}_{INNER}
 * types: floats */
KERNEL void softmax(const T *restrict x, A *restrict row, T *restrict y, const int OUTER, const int N,
                    const int INNER) {
    for (int o = 0; o < OUTER; o++)
        for (int i = 0; i < INNER; i++) {
            const int at = o * N * INNER + i;
            A largest = -INFINITY, sum = 0;
            for (int n = 0; n < N; n++) {
                row[n] = LOAD(x[at + n * INNER]);
                if (row[n] > largest) largest = row[n];
            }
            for (int n = 0; n < N; n++) {
                row[n] = M(exp)(row[n] - largest);
                sum += row[n];
            }
            for (int n = 0; n < N; n++) {
                OUT(y, at + n * INNER, row[n] / sum);
            }
        }
}

/* Softmax over the last axis on vectors: y = exp(x) / sum exp(x), by powers of two.
 * x, y [ROWS][N]   scratch [N, to a whole vector]
 * name: softmax_{ROWS}_{N}
 * items: ROWS
 * scratch: (N + 15) / 16 * 16
 * types: float */
KERNEL void softmax_rows(const float *restrict x, float *restrict scratch, float *restrict y, const int first,
                         const int last, const int ROWS, const int N) {
    const int pitch = (N + LANES - 1) / LANES * LANES, full = N / LANES * LANES;
    for (int r = first; r < last; r++) {
        vf most = vf_all(-INFINITY), total = vf_all(0);
        for (int i = 0; i < N; i++) scratch[i] = x[r * N + i];
        for (int i = N; i < pitch; i++) scratch[i] = -INFINITY;
        for (int i = 0; i < pitch; i += LANES) most = vf_max(vf_load(scratch + i), most);
        const float largest = vf_largest(most);
        for (int i = 0; i < pitch; i += LANES) {
            const vf power = vf_exp2_fall((vf_load(scratch + i) - largest) * 1.44269504f); /* 1 / ln 2 */
            vf_store(scratch + i, power);
            total += power;
        }
        const float inverse = 1.0f / vf_sum(total);
        for (int i = 0; i < full; i += LANES) {
            OUT_VECTOR(y, r * N + i, vf_load(scratch + i) * inverse, LANES);
        }
        if (full < N) {
            OUT_VECTOR(y, r * N + full, vf_load(scratch + full) * inverse, N % LANES);
        }
    }
}

/* LogSoftmax: y = x - log(sum exp(x)) over N.
 * x, y [OUTER][N][INNER]
 * name: log_softmax_{OUTER}_{N}_{INNER}
 * types: floats */
KERNEL void log_softmax(const T *restrict x, T *restrict y, const int OUTER, const int N, const int INNER) {
    for (int o = 0; o < OUTER; o++)
        for (int i = 0; i < INNER; i++) {
            const int at = o * N * INNER + i;
            A largest = -INFINITY, sum = 0;
            for (int n = 0; n < N; n++) {
                const A value = LOAD(x[at + n * INNER]);
                if (value > largest) largest = value;
            }
            for (int n = 0; n < N; n++) sum += M(exp)(LOAD(x[at + n * INNER]) - largest);
            const A logarithm = M(log)(sum);
            for (int n = 0; n < N; n++) {
                OUT(y, at + n * INNER, LOAD(x[at + n * INNER]) - largest - logarithm);
            }
        }
}

/* Hardmax: 1 for the first of the largest elements over N, 0 for the others.
 * x, y [OUTER][N][INNER]
 * name: hardmax_{OUTER}_{N}_{INNER}
 * types: floats */
KERNEL void hardmax(const T *restrict x, T *restrict y, const int OUTER, const int N, const int INNER) {
    for (int o = 0; o < OUTER; o++)
        for (int i = 0; i < INNER; i++) {
            const int at = o * N * INNER + i;
            int best = 0;
            for (int n = 1; n < N; n++)
                if (LOAD(x[at + n * INNER]) > LOAD(x[at + best * INNER])) best = n;
            for (int n = 0; n < N; n++) {
                OUT(y, at + n * INNER, n == best ? 1 : 0);
            }
        }
}
