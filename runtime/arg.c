/* Positions of extremes along one axis (ONNX ArgMax, ArgMin).
 * Integers have a kernel of their own, since they cannot be NaN and compilers warn where they are asked. */
#include "runtime/kernel.h"

/* Where the largest (or smallest) element along an axis is: of equal ones the first or, with LAST, the last. A NaN is
 * beyond everything, as numpy has it.
 * x [OUTER][AXIS][INNER]   y [OUTER][INNER]
 * types: floats */
KERNEL void arg_extreme(const T *restrict x, int64_t *restrict y, const int OUTER, const int AXIS, const int INNER,
                        const int LARGEST, const int LAST) {
    for (int o = 0; o < OUTER; o++)
        for (int i = 0; i < INNER; i++) {
            const T *const row = x + o * AXIS * INNER + i;
            A best = LOAD(row[0]);
            int at = 0;
            for (int a = 1; a < AXIS; a++) {
                const A value = LOAD(row[a * INNER]);
                int better = LARGEST ? value > best : value < best;
                if (value != value) better = best == best || LAST;
                else if (value == best) better = LAST;
                if (better) {
                    best = value;
                    at = a;
                }
            }
            y[o * INNER + i] = at;
        }
}

/* Where the largest (or smallest) element along an axis is: of equal ones the first or, with LAST, the last.
 * x [OUTER][AXIS][INNER]   y [OUTER][INNER]
 * types: integers */
KERNEL void arg_extreme_integer(const T *restrict x, int64_t *restrict y, const int OUTER, const int AXIS,
                                const int INNER, const int LARGEST, const int LAST) {
    for (int o = 0; o < OUTER; o++)
        for (int i = 0; i < INNER; i++) {
            const T *const row = x + o * AXIS * INNER + i;
            T best = row[0];
            int at = 0;
            for (int a = 1; a < AXIS; a++) {
                const T value = row[a * INNER];
                if ((LARGEST ? value > best : value < best) || (LAST && value == best)) {
                    best = value;
                    at = a;
                }
            }
            y[o * INNER + i] = at;
        }
}
