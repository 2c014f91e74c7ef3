/* Resize: interpolation along one axis; several axes are resized one after the other.
 * Which elements weigh how much is worked out while compiling (compiler/ops/resize.c). */
#include "runtime/kernel.h"

/* Resize: along one axis, each element is a weighted sum of TAPS elements.
 * x [OUTER][LENGTH][INNER], indices and weights [RESIZED][TAPS], y [OUTER][RESIZED][INNER].
 * name: resample_{OUTER}x{LENGTH}x{INNER}_{RESIZED}
 * items: OUTER
 * types: float double */
KERNEL void resample(const T *restrict x, const int32_t *restrict indices, const T *restrict weights, T *restrict y,
                     const int first, const int last, const int OUTER, const int LENGTH, const int INNER,
                     const int RESIZED, const int TAPS) {
    for (int o = first; o < last; o++)
        for (int j = 0; j < RESIZED; j++)
            for (int i = 0; i < INNER; i++) {
                A sum = 0;
                for (int t = 0; t < TAPS; t++)
                    sum += weights[j * TAPS + t] * x[(o * LENGTH + indices[j * TAPS + t]) * INNER + i];
                OUT(y, (o * RESIZED + j) * INNER + i, sum);
            }
}

/* The same on vectors, of neighbours that lie one after another.
 * x [OUTER][LENGTH][INNER], indices and weights [RESIZED][TAPS], y [OUTER][RESIZED][INNER].
 * name: resample_{OUTER}x{LENGTH}x{INNER}_{RESIZED}
 * items: OUTER * RESIZED
 * types: float */
KERNEL void resample_rows(const float *restrict x, const int32_t *restrict indices, const float *restrict weights,
                          float *restrict y, const int first, const int last, const int OUTER, const int LENGTH,
                          const int INNER, const int RESIZED, const int TAPS) {
    for (int item = first; item < last; item++) {
        const int o = item / RESIZED % OUTER, taps = item % RESIZED * TAPS;
        for (int i = 0; i < INNER; i += LANES) {
            vf sum = vf_all(0);
            if (INNER % LANES == 0 || i + LANES <= INNER) {
                for (int t = taps; t < taps + TAPS; t++)
                    sum += weights[t] * vf_load(x + (o * LENGTH + indices[t]) * INNER + i);
                OUT_VECTOR(y, item * INNER + i, sum, LANES);
            } else {
                for (int t = taps; t < taps + TAPS; t++)
                    sum += weights[t] * vf_load_part(x + (o * LENGTH + indices[t]) * INNER + i, INNER % LANES);
                OUT_VECTOR(y, item * INNER + i, sum, INNER % LANES);
            }
        }
    }
}
