/* N-grams: counting sequences of integers in rows. */
#include "runtime/kernel.h"

/* TfIdfVectorizer: how often each known n-gram of MIN to MAX integers is found in a row, with 0 to SKIPS integers left
 * out between any two of its own; a single integer has none between. Each time its weight is added to y in its column,
 * or, where SUM is 0, becomes the element.
 * x [BATCH][LENGTH]   y [BATCH][COLUMNS]
 * grams: those of MIN integers, COUNTS[0] of them in ascending order, which begin at STARTS[0]; then those of MIN + 1.
 * ORDERS[0] is how many are in front of them. columns, weights: of each n-gram.
 * items: BATCH
 * name: ngrams_{BATCH}x{LENGTH}_{COLUMNS}
 * types: int32 int64 */
KERNEL void ngrams(const T *restrict x, const int64_t *restrict grams, const int64_t *restrict columns,
                   const float *restrict weights, float *restrict y, const int first, const int last, const int BATCH,
                   const int LENGTH, const int COLUMNS, const int MIN, const int MAX, const int SKIPS, const int SUM,
                   const int *STARTS, const int *COUNTS, const int *ORDERS) {
    for (int b = first; b < last; b++) {
        for (int c = 0; c < COLUMNS; c++) y[b * COLUMNS + c] = 0;
        for (int step = 1; step <= SKIPS + 1; step++)
            for (int start = 0; start < LENGTH; start++)
                for (int size = MIN == 1 && step > 1 ? 2 : MIN; size <= MAX; size++) {
                    if (size - 1 > (LENGTH - 1 - start) / step) break;
                    const T *const item = x + b * LENGTH + start;
                    const int64_t *const known = grams + STARTS[size - MIN];
                    int low = 0, high = COUNTS[size - MIN]; /* the first that is not below lies from low to high */
                    while (low < high) {
                        const int middle = low + (high - low) / 2;
                        int k = 0;
                        while (k < size - 1 && known[middle * size + k] == item[k * step]) k++;
                        if (known[middle * size + k] < item[k * step]) low = middle + 1;
                        else high = middle;
                    }
                    int same = 0;
                    while (low < COUNTS[size - MIN] && same < size && known[low * size + same] == item[same * step])
                        same++;
                    if (same < size) continue;
                    const int found = ORDERS[size - MIN] + low;
                    float *const at = y + b * COLUMNS + columns[found];
                    *at = SUM ? *at + weights[found] : weights[found];
                }
    }
}
