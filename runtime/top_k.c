/* TopK: the K largest or smallest elements along an axis, in order.
 * A sorted list is kept in the outputs and elements are inserted from the back: AXIS comparisons where few get in, and
 * AXIS * K at worst. */
#include "runtime/kernel.h"

/* TopK: the K largest elements along an axis, largest first; of equal ones the first comes first. NaN is above all.
 * x [OUTER][AXIS][INNER], values and indices [OUTER][K][INNER].
 * name: top_k_largest_{OUTER}x{AXIS}x{INNER}_{K}
 * types: numeric */
KERNEL void top_k_largest(const T *restrict x, T *restrict values, int64_t *restrict indices, const int OUTER,
                          const int AXIS, const int INNER, const int K) {
    for (int o = 0; o < OUTER; o++)
        for (int n = 0; n < INNER; n++) {
            const T *from = x + o * AXIS * INNER + n;
            T *value = values + o * K * INNER + n;
            int64_t *index = indices + o * K * INNER + n;
            for (int i = 0; i < AXIS; i++) {
                const A candidate = LOAD(from[i * INNER]);
                const int is_above = is_nan((double)candidate);
                int place = i < K ? i : K; /* behind the last one kept */
                while (place > 0) {
                    const A other = LOAD(value[(place - 1) * INNER]);
                    if (!(candidate > other || (is_above && !is_nan((double)other)))) break;
                    if (place < K) {
                        value[place * INNER] = value[(place - 1) * INNER];
                        index[place * INNER] = index[(place - 1) * INNER];
                    }
                    place--;
                }
                if (place < K) {
                    value[place * INNER] = from[i * INNER];
                    index[place * INNER] = i;
                }
            }
        }
}

/* TopK: the K smallest elements along an axis, smallest first; of equal ones the first comes first. NaN is above all.
 * x [OUTER][AXIS][INNER], values and indices [OUTER][K][INNER].
 * name: top_k_smallest_{OUTER}x{AXIS}x{INNER}_{K}
 * types: numeric */
KERNEL void top_k_smallest(const T *restrict x, T *restrict values, int64_t *restrict indices, const int OUTER,
                           const int AXIS, const int INNER, const int K) {
    for (int o = 0; o < OUTER; o++)
        for (int n = 0; n < INNER; n++) {
            const T *from = x + o * AXIS * INNER + n;
            T *value = values + o * K * INNER + n;
            int64_t *index = indices + o * K * INNER + n;
            for (int i = 0; i < AXIS; i++) {
                const A candidate = LOAD(from[i * INNER]);
                const int is_above = is_nan((double)candidate);
                int place = i < K ? i : K; /* behind the last one kept */
                while (place > 0) {
                    const A other = LOAD(value[(place - 1) * INNER]);
                    if (!(candidate < other || (is_nan((double)other) && !is_above))) break;
                    if (place < K) {
                        value[place * INNER] = value[(place - 1) * INNER];
                        index[place * INNER] = index[(place - 1) * INNER];
                    }
                    place--;
                }
                if (place < K) {
                    value[place * INNER] = from[i * INNER];
                    index[place * INNER] = i;
                }
            }
        }
}
