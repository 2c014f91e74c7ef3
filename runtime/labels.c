/* Labels: looking up values in a list of keys. */
#include "runtime/kernel.h"

/* LabelEncoder: where each element is among the keys; KEYS for a NaN, KEYS + 1 for what is no key.
 * x, places [COUNT]   keys [KEYS], in ascending order, without NaN
 * name: label_places_{COUNT}_{KEYS}
 * types: float double int16 int32 int64 */
KERNEL void label_places(const T *restrict x, const T *restrict keys, int64_t *restrict places, const int COUNT,
                         const int KEYS) {
    for (int i = 0; i < COUNT; i++) {
        const A value = LOAD(x[i]);
        int low = 0, high = KEYS; /* the first key that is not below lies from low to high */
        while (low < high) {
            const int middle = low + (high - low) / 2;
            if (LOAD(keys[middle]) < value) low = middle + 1;
            else high = middle;
        }
        places[i] = is_nan((double)value) ? KEYS : low < KEYS && LOAD(keys[low]) == value ? low : KEYS + 1;
    }
}
