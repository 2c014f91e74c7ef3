/* Checked integers: sizes come from hostile files, so every product and sum of them is checked.
 * The functions return false where the result does not fit, and leave *result alone. */
#ifndef FOVEA_BASE_CHECKED_H
#define FOVEA_BASE_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

static inline bool checked_add(int64_t a, int64_t b, int64_t *result) {
    if ((b > 0 && a > INT64_MAX - b) || (b < 0 && a < INT64_MIN - b)) return false;
    *result = a + b;
    return true;
}

static inline bool checked_multiply(int64_t a, int64_t b, int64_t *result) {
    if (a != 0 && b != 0) {
        if ((a == -1 && b == INT64_MIN) || (b == -1 && a == INT64_MIN)) return false;
        if (a > 0 ? (b > 0 ? a > INT64_MAX / b : b < INT64_MIN / a) : (b > 0 ? a < INT64_MIN / b : b < INT64_MAX / a))
            return false;
    }
    *result = a * b;
    return true;
}

#endif
