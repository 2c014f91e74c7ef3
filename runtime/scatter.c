/* Scatter: kernels that write blocks of elements to offsets that they are given, in order. */
#include "runtime/kernel.h"

/* ScatterElements and ScatterND: y at each offset becomes an update; the last one wins.
 * updates [COUNT][BLOCK], offsets [COUNT] into y.
 * name: scatter_blocks_{COUNT}x{BLOCK}
 * types: plain */
KERNEL void scatter_blocks(const T *restrict updates, const int32_t *restrict offsets, T *restrict y, const int COUNT,
                           const int BLOCK) {
    for (int i = 0; i < COUNT; i++)
        for (int k = 0; k < BLOCK; k++) y[offsets[i] + k] = updates[i * BLOCK + k];
}

/* ScatterElements and ScatterND, reduction add: updates are added to y at their offsets.
 * updates [COUNT][BLOCK], offsets [COUNT] into y.
 * name: scatter_add_{COUNT}x{BLOCK}
 * types: floats */
KERNEL void scatter_add(const T *restrict updates, const int32_t *restrict offsets, T *restrict y, const int COUNT,
                        const int BLOCK) {
    for (int i = 0; i < COUNT; i++)
        for (int k = 0; k < BLOCK; k++) {
            T *at = &y[offsets[i] + k];
            *at = STORE(LOAD(*at) + LOAD(updates[i * BLOCK + k]));
        }
}

/* ScatterElements and ScatterND, reduction add: updates are added to y at their offsets; sums wrap.
 * updates [COUNT][BLOCK], offsets [COUNT] into y.
 * name: scatter_add_{COUNT}x{BLOCK}
 * types: integers */
KERNEL void scatter_add_integers(const T *restrict updates, const int32_t *restrict offsets, T *restrict y,
                                 const int COUNT, const int BLOCK) {
    for (int i = 0; i < COUNT; i++)
        for (int k = 0; k < BLOCK; k++) {
            T *at = &y[offsets[i] + k];
            *at = (T)((U)*at + (U)updates[i * BLOCK + k]);
        }
}

/* ScatterElements and ScatterND, reduction mul: y at each offset is multiplied by its updates.
 * updates [COUNT][BLOCK], offsets [COUNT] into y.
 * name: scatter_multiply_{COUNT}x{BLOCK}
 * types: floats */
KERNEL void scatter_multiply(const T *restrict updates, const int32_t *restrict offsets, T *restrict y, const int COUNT,
                             const int BLOCK) {
    for (int i = 0; i < COUNT; i++)
        for (int k = 0; k < BLOCK; k++) {
            T *at = &y[offsets[i] + k];
            *at = STORE(LOAD(*at) * LOAD(updates[i * BLOCK + k]));
        }
}

/* ScatterElements and ScatterND, reduction mul: y at each offset is multiplied by its updates; products wrap.
 * updates [COUNT][BLOCK], offsets [COUNT] into y.
 * name: scatter_multiply_{COUNT}x{BLOCK}
 * types: integers */
KERNEL void scatter_multiply_integers(const T *restrict updates, const int32_t *restrict offsets, T *restrict y,
                                      const int COUNT, const int BLOCK) {
    for (int i = 0; i < COUNT; i++)
        for (int k = 0; k < BLOCK; k++) {
            T *at = &y[offsets[i] + k];
            *at = (T)((U)*at * (U)updates[i * BLOCK + k]);
        }
}

/* ScatterElements and ScatterND, reduction max: y at each offset becomes the largest of itself and its updates. A NaN
 * stays.
 * updates [COUNT][BLOCK], offsets [COUNT] into y.
 * name: scatter_max_{COUNT}x{BLOCK}
 * types: numeric bool */
KERNEL void scatter_max(const T *restrict updates, const int32_t *restrict offsets, T *restrict y, const int COUNT,
                        const int BLOCK) {
    for (int i = 0; i < COUNT; i++)
        for (int k = 0; k < BLOCK; k++) {
            const T update = updates[i * BLOCK + k];
            T *at = &y[offsets[i] + k];
            if (LOAD(update) > LOAD(*at) || is_nan((double)LOAD(update))) *at = update;
        }
}

/* ScatterElements and ScatterND, reduction min: y at each offset becomes the smallest of itself and its updates. A NaN
 * stays.
 * updates [COUNT][BLOCK], offsets [COUNT] into y.
 * name: scatter_min_{COUNT}x{BLOCK}
 * types: numeric bool */
KERNEL void scatter_min(const T *restrict updates, const int32_t *restrict offsets, T *restrict y, const int COUNT,
                        const int BLOCK) {
    for (int i = 0; i < COUNT; i++)
        for (int k = 0; k < BLOCK; k++) {
            const T update = updates[i * BLOCK + k];
            T *at = &y[offsets[i] + k];
            if (LOAD(update) < LOAD(*at) || is_nan((double)LOAD(update))) *at = update;
        }
}

/* TensorScatter: the update of each of the batch goes into y from step starts[b] on. A start that leaves no room is
 * brought to the nearest that does; in a circular cache it counts around.
 * update [BATCH][OUTER][LENGTH][INNER], starts [BATCH], NULL for zeros, y [BATCH][OUTER][CAPACITY][INNER].
 * name: cache_update_{BATCH}x{OUTER}x{LENGTH}x{INNER}_{CAPACITY}
 * types: plain */
KERNEL void cache_update(const T *restrict update, const int64_t *restrict starts, T *restrict y, const int BATCH,
                         const int OUTER, const int CAPACITY, const int LENGTH, const int INNER, const int CIRCULAR) {
    const int room = CAPACITY - LENGTH;
    for (int b = 0; b < BATCH; b++) {
        const int64_t asked = starts == NULL ? 0 : starts[b];
        const int around = (int)(asked % CAPACITY), bounded = asked < 0 ? 0 : asked > room ? room : (int)asked;
        const int start = !CIRCULAR ? bounded : around < 0 ? around + CAPACITY : around;
        for (int o = b * OUTER; o < (b + 1) * OUTER; o++)
            for (int s = 0; s < LENGTH; s++) {
                const int place = start < CAPACITY - s ? start + s : start + s - CAPACITY;
                const T *from = update + (o * LENGTH + s) * INNER;
                T *to = y + (o * CAPACITY + place) * INNER;
                for (int i = 0; i < INNER; i++) to[i] = from[i];
            }
    }
}
