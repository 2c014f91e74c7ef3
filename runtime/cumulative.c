/* Cumulative sums and products along one axis (ONNX CumSum, CumProd).
 * Of floats and of integers, whose arithmetic is that of unsigned numbers, so that it wraps around. */
#include "runtime/kernel.h"

/* Each element gets the sum up to it, itself included or, with EXCLUSIVE, not; with REVERSE it is summed from the end.
 * x and y [OUTER][AXIS][INNER]
 * types: floats */
KERNEL void cumulative_sum(const T *restrict x, T *restrict y, const int OUTER, const int AXIS, const int INNER,
                           const int EXCLUSIVE, const int REVERSE) {
    for (int o = 0; o < OUTER; o++)
        for (int i = 0; i < INNER; i++) {
            A sum = 0;
            for (int a = 0; a < AXIS; a++) {
                const int at = (o * AXIS + (REVERSE ? AXIS - 1 - a : a)) * INNER + i;
                const A before = sum;
                sum += LOAD(x[at]);
                y[at] = STORE(EXCLUSIVE ? before : sum);
            }
        }
}

/* Each element gets the sum up to it, itself included or, with EXCLUSIVE, not; with REVERSE it is summed from the end.
 * x and y [OUTER][AXIS][INNER]
 * types: integers */
KERNEL void cumulative_sum_integer(const T *restrict x, T *restrict y, const int OUTER, const int AXIS, const int INNER,
                                   const int EXCLUSIVE, const int REVERSE) {
    for (int o = 0; o < OUTER; o++)
        for (int i = 0; i < INNER; i++) {
            U sum = 0;
            for (int a = 0; a < AXIS; a++) {
                const int at = (o * AXIS + (REVERSE ? AXIS - 1 - a : a)) * INNER + i;
                const U before = sum;
                sum += (U)x[at];
                y[at] = (T)(EXCLUSIVE ? before : sum);
            }
        }
}

/* Each element gets the product up to it, itself included or, with EXCLUSIVE, not; with REVERSE from the end.
 * x and y [OUTER][AXIS][INNER]
 * types: floats */
KERNEL void cumulative_product(const T *restrict x, T *restrict y, const int OUTER, const int AXIS, const int INNER,
                               const int EXCLUSIVE, const int REVERSE) {
    for (int o = 0; o < OUTER; o++)
        for (int i = 0; i < INNER; i++) {
            A product = 1;
            for (int a = 0; a < AXIS; a++) {
                const int at = (o * AXIS + (REVERSE ? AXIS - 1 - a : a)) * INNER + i;
                const A before = product;
                product *= LOAD(x[at]);
                y[at] = STORE(EXCLUSIVE ? before : product);
            }
        }
}

/* Each element gets the product up to it, itself included or, with EXCLUSIVE, not; with REVERSE from the end.
 * x and y [OUTER][AXIS][INNER]
 * types: integers */
KERNEL void cumulative_product_integer(const T *restrict x, T *restrict y, const int OUTER, const int AXIS,
                                       const int INNER, const int EXCLUSIVE, const int REVERSE) {
    for (int o = 0; o < OUTER; o++)
        for (int i = 0; i < INNER; i++) {
            U product = 1;
            for (int a = 0; a < AXIS; a++) {
                const int at = (o * AXIS + (REVERSE ? AXIS - 1 - a : a)) * INNER + i;
                const U before = product;
                product *= (U)x[at];
                y[at] = (T)(EXCLUSIVE ? before : product);
            }
        }
}
