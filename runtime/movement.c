/* Movement: kernels that move elements in ways that no loop over strides can say; and Range, which counts. */
#include "runtime/kernel.h"

/* Trilu: the upper triangle, from the diagonal that is k to the right of the main one; zero below.
 * x, y [OUTER][ROWS][COLUMNS], k a scalar, NULL for 0.
 * name: upper_triangle_{OUTER}x{ROWS}x{COLUMNS}
 * types: plain */
KERNEL void upper_triangle(const T *restrict x, const int64_t *restrict k, T *restrict y, const int OUTER,
                           const int ROWS, const int COLUMNS) {
    const int64_t diagonal = k == NULL ? 0 : *k;
    for (int o = 0; o < OUTER; o++)
        for (int r = 0; r < ROWS; r++)
            for (int c = 0; c < COLUMNS; c++) {
                const int i = (o * ROWS + r) * COLUMNS + c;
                y[i] = c - r >= diagonal ? x[i] : (T)0;
            }
}

/* Trilu: the lower triangle, up to the diagonal that is k to the right of the main one; zero above.
 * x, y [OUTER][ROWS][COLUMNS], k a scalar, NULL for 0.
 * name: lower_triangle_{OUTER}x{ROWS}x{COLUMNS}
 * types: plain */
KERNEL void lower_triangle(const T *restrict x, const int64_t *restrict k, T *restrict y, const int OUTER,
                           const int ROWS, const int COLUMNS) {
    const int64_t diagonal = k == NULL ? 0 : *k;
    for (int o = 0; o < OUTER; o++)
        for (int r = 0; r < ROWS; r++)
            for (int c = 0; c < COLUMNS; c++) {
                const int i = (o * ROWS + r) * COLUMNS + c;
                y[i] = c - r <= diagonal ? x[i] : (T)0;
            }
}

/* ReverseSequence: the first lengths[b] steps of each sequence in reverse order, the others as they are. A length that
 * is out of range is brought into [0, TIME].
 * x, y [BATCH][TIME][INNER] or [TIME][BATCH][INNER], lengths [BATCH]; strides in elements.
 * name: reverse_sequence_{BATCH}x{TIME}x{INNER}
 * types: plain */
KERNEL void reverse_sequence(const T *restrict x, const int64_t *restrict lengths, T *restrict y, const int BATCH,
                             const int TIME, const int INNER, const int BATCH_STRIDE, const int TIME_STRIDE) {
    for (int b = 0; b < BATCH; b++) {
        const int length = lengths[b] < 0 ? 0 : lengths[b] > TIME ? TIME : (int)lengths[b];
        for (int t = 0; t < TIME; t++) {
            const int source = t < length ? length - 1 - t : t;
            const T *from = x + b * BATCH_STRIDE + source * TIME_STRIDE;
            T *to = y + b * BATCH_STRIDE + t * TIME_STRIDE;
            for (int i = 0; i < INNER; i++) to[i] = from[i];
        }
    }
}

/* Range: start, start + delta, start + 2 * delta, ...
 * start and delta scalars, y [COUNT].
 * name: range_{COUNT}
 * types: floats */
KERNEL void range(const T *restrict start, const T *restrict delta, T *restrict y, const int COUNT) {
    for (int i = 0; i < COUNT; i++) y[i] = STORE(LOAD(*start) + (A)i * LOAD(*delta));
}

/* Range: start, start + delta, start + 2 * delta, ...
 * start and delta scalars, y [COUNT].
 * name: range_{COUNT}
 * types: int16 int32 int64 */
KERNEL void range_integers(const T *restrict start, const T *restrict delta, T *restrict y, const int COUNT) {
    for (int i = 0; i < COUNT; i++) y[i] = (T)((U)*start + (U)i * (U)*delta);
}
