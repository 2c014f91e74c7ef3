/* Random numbers: each is made of the step's seed and its own place, so that a run gives what every run gives, with any
 * number of threads, and nothing is remembered. The generator is random_bits() of runtime/support.h. */
#include "runtime/kernel.h"

/* Numbers between low, which may occur, and high, which does not but by rounding; of BITS random bits.
 * y [COUNT]
 * name: random_uniform_{COUNT}
 * items: COUNT
 * types: floats */
KERNEL void random_uniform(T *restrict y, const float low, const float high, const int first, const int last,
                           const int COUNT, const int SEED, const int BITS) {
    for (int i = first; i < last; i++) {
        const A part = (A)(random_bits(SEED, i) >> (64 - BITS)) / (A)(INT64_C(1) << BITS);
        OUT(y, i, (A)low + ((A)high - (A)low) * part);
    }
}

/* Normally distributed numbers by Box and Muller's method (1958), each of two uniform ones of BITS random bits.
 * y [COUNT]
 * name: random_normal_{COUNT}
 * items: COUNT
 * types: floats */
KERNEL void random_normal(T *restrict y, const float mean, const float deviation, const int first, const int last,
                          const int COUNT, const int SEED, const int BITS) {
    for (int i = first; i < last; i++) {
        const A unit = (A)(INT64_C(1) << BITS);
        const A above_zero = ((A)(random_bits(SEED, 2 * (int64_t)i) >> (64 - BITS)) + 1) / unit;
        const A turn = (A)(random_bits(SEED, 2 * (int64_t)i + 1) >> (64 - BITS)) / unit;
        const A radius = F(sqrt)(-2 * F(log)(above_zero));
        OUT(y, i, (A)mean + (A)deviation * radius * F(cos)(6.28318530717958648 * turn));
    }
}

/* Multinomial: classes drawn with the probabilities whose logarithms, but for a constant, are x.
 * x [BATCH][CLASSES]   scratch [CLASSES]: sums of the probabilities up to each class   y [BATCH][COUNT]
 * name: random_classes_{BATCH}x{CLASSES}_{COUNT}
 * items: BATCH
 * scratch: CLASSES
 * types: floats */
KERNEL void random_classes(const T *restrict x, A *restrict scratch, int64_t *restrict y, const int first,
                           const int last, const int BATCH, const int CLASSES, const int COUNT, const int SEED,
                           const int BITS) {
    for (int b = first; b < last; b++) {
        const T *row = x + b * CLASSES;
        A most = LOAD(row[0]), sum = 0;
        for (int c = 1; c < CLASSES; c++) most = LOAD(row[c]) > most ? LOAD(row[c]) : most;
        for (int c = 0; c < CLASSES; c++) scratch[c] = sum += F(exp)(LOAD(row[c]) - most);
        for (int i = 0; i < COUNT; i++) {
            const uint64_t bits = random_bits(SEED, (int64_t)b * COUNT + i) >> (64 - BITS);
            const A drawn = (A)bits / (A)(INT64_C(1) << BITS) * sum;
            int low = 0, high = CLASSES - 1; /* the first class whose sum is above what was drawn is among these */
            while (low < high) {
                const int middle = (low + high) / 2;
                if (scratch[middle] > drawn) high = middle;
                else low = middle + 1;
            }
            y[b * COUNT + i] = low;
        }
    }
}
