/* Resize: interpolation along one axis; several axes are resized one after the other.
 * Which elements weigh how much is worked out while compiling (compiler/ops/resize.c). */
#include "runtime/kernel.h"

/* Resize: along one axis, each element is a weighted sum of TAPS elements.
 * x [OUTER][LENGTH][INNER], indices and weights [RESIZED][TAPS], y [OUTER][RESIZED][INNER].
 * name: resample_{OUTER}x{LENGTH}x{INNER}_{RESIZED}
 * types: float double */
KERNEL void resample(const T *restrict x, const int32_t *restrict indices, const T *restrict weights, T *restrict y,
                     const int OUTER, const int LENGTH, const int INNER, const int RESIZED, const int TAPS) {
    for (int o = 0; o < OUTER; o++)
        for (int j = 0; j < RESIZED; j++)
            for (int i = 0; i < INNER; i++) {
                A sum = 0;
                for (int t = 0; t < TAPS; t++)
                    sum += weights[j * TAPS + t] * x[(o * LENGTH + indices[j * TAPS + t]) * INNER + i];
                OUT(y, (o * RESIZED + j) * INNER + i, sum);
            }
}
