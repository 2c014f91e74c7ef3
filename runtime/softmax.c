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
