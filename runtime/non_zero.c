/* NonZero: where elements are that are not 0. */
#include "runtime/kernel.h"

/* NonZero: the place of each element that is not 0, in order: a row for each dimension; -1 behind the last.
 * x: COUNT elements of shape SHAPE   y [RANK][COUNT]
 * name: non_zero_{RANK}_{COUNT}
 * types: numeric bool */
KERNEL void non_zero(const T *restrict x, int64_t *restrict y, const int COUNT, const int RANK, const int *SHAPE) {
    int found = 0;
    for (int i = 0; i < COUNT; i++) {
        if (!(LOAD(x[i]) != 0)) continue;
        int rest = i;
        for (int d = RANK - 1; d >= 0; d--) {
            y[d * COUNT + found] = rest % SHAPE[d];
            rest /= SHAPE[d];
        }
        found++;
    }
    for (int d = 0; d < RANK; d++)
        for (int i = found; i < COUNT; i++) y[d * COUNT + i] = -1;
}
