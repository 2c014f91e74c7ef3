/* Discrete Fourier transforms of any length by Stockham's algorithm (Van Loan, Computational Frameworks for the Fast
 * Fourier Transform, section 1.7): a pass for each factor of the length, and no reordering. */
#include "runtime/kernel.h"

/* y[k] = sum over n of x[n] * window[n] * table[k * n mod LENGTH], divided by DIVISOR, for the first COUNT of LENGTH.
 * An item is one transform. Of its input the first READ elements are read, of PARTS numbers each: real, or real and
 * imaginary; the rest is 0, or with MIRRORED the conjugate of what is read, backwards. Of y RESULTS parts are kept.
 * table [LENGTH][2]: cosines and sines of the direction wanted   window [READ] or NULL   scratch [2][LENGTH][2]
 * Item (o, i) of [OUTER][INNER] lies at o * X_OUTER + i * X_INNER of x, its elements X_STEP apart; y alike.
 * FACTORS has the FACTOR_COUNT factors of LENGTH.
 * name: fourier_{OUTER}x{INNER}_{LENGTH}
 * items: OUTER * INNER
 * scratch: 4 * LENGTH
 * types: floats */
KERNEL void fourier(const T *restrict x, const A *restrict table, const T *restrict window, A *restrict scratch,
                    T *restrict y, const int first, const int last, const int OUTER, const int INNER, const int LENGTH,
                    const int READ, const int PARTS, const int MIRRORED, const int COUNT, const int RESULTS,
                    const int DIVISOR, const int FACTOR_COUNT, const int *FACTORS, const int X_OUTER, const int X_INNER,
                    const int X_STEP, const int Y_OUTER, const int Y_INNER, const int Y_STEP) {
    for (int item = first; item < last; item++) {
        const T *in = x + item / INNER * X_OUTER + item % INNER * X_INNER;
        const int out = item / INNER * Y_OUTER + item % INNER * Y_INNER;
        A *from = scratch, *to = scratch + 2 * LENGTH;
        for (int n = 0; n < 2 * LENGTH; n++) from[n] = 0;
        for (int n = 0; n < READ; n++)
            for (int part = 0; part < PARTS; part++)
                from[2 * n + part] = LOAD(in[n * X_STEP + part]) * (window == NULL ? 1 : LOAD(window[n]));
        for (int n = 1; MIRRORED && 2 * n < LENGTH; n++) {
            from[2 * (LENGTH - n)] = from[2 * n];
            from[2 * (LENGTH - n) + 1] = -from[2 * n + 1];
        }
        int stride = 1, size = LENGTH;
        for (int f = 0; f < FACTOR_COUNT; f++) {
            const int factor = FACTORS[f], part = size / factor; /* part transforms of factor elements, stride times */
            for (int p = 0; p < part && factor == 4; p++)
                for (int q = 0; q < stride; q++) {
                    const A *a = from + 2 * (q + stride * p), *b = a + 2 * stride * part, *c = b + 2 * stride * part,
                            *d = c + 2 * stride * part;
                    const A side = table[2 * (LENGTH / 4) + 1]; /* the fourth root is this times i */
                    const A sum[2] = {a[0] + c[0], a[1] + c[1]}, difference[2] = {a[0] - c[0], a[1] - c[1]};
                    const A other[2] = {b[0] + d[0], b[1] + d[1]};
                    const A turned[2] = {(d[1] - b[1]) * side, (b[0] - d[0]) * side};
                    const A real[4] = {sum[0] + other[0], difference[0] + turned[0], sum[0] - other[0],
                                       difference[0] - turned[0]};
                    const A imaginary[4] = {sum[1] + other[1], difference[1] + turned[1], sum[1] - other[1],
                                            difference[1] - turned[1]};
                    for (int k = 0; k < 4; k++) {
                        const A *turn = table + 2 * (p * k * stride);
                        A *result = to + 2 * (q + stride * (4 * p + k));
                        result[0] = real[k] * turn[0] - imaginary[k] * turn[1];
                        result[1] = real[k] * turn[1] + imaginary[k] * turn[0];
                    }
                }
            for (int p = 0; p < part && factor != 4; p++)
                for (int k = 0; k < factor; k++)
                    for (int q = 0; q < stride; q++) {
                        const A *turn = table + 2 * (p * k * stride);
                        A *result = to + 2 * (q + stride * (factor * p + k));
                        A real = 0, imaginary = 0;
                        for (int j = 0, power = 0; j < factor; j++) {
                            const A *value = from + 2 * (q + stride * (p + part * j));
                            const A *root = table + 2 * (power * (LENGTH / factor));
                            real += value[0] * root[0] - value[1] * root[1];
                            imaginary += value[0] * root[1] + value[1] * root[0];
                            power = power + k < factor ? power + k : power + k - factor;
                        }
                        result[0] = real * turn[0] - imaginary * turn[1];
                        result[1] = real * turn[1] + imaginary * turn[0];
                    }
            A *const made = to;
            to = from;
            from = made;
            size = part;
            stride *= factor;
        }
        if (PARTS == 1) { /* the sum of real numbers, and that with alternating signs, are real without an error */
            from[1] = 0;
            if (LENGTH % 2 == 0) from[LENGTH + 1] = 0;
        }
        for (int k = 0; k < COUNT; k++)
            for (int part = 0; part < RESULTS; part++) {
                OUT(y, out + k * Y_STEP + part, from[2 * k + part] / (A)DIVISOR);
            }
    }
}
