/* Comparison: how far a tensor is from what it should be, in the numbers that people look at. */
#ifndef FOVEA_COMMANDS_COMPARE_H
#define FOVEA_COMMANDS_COMPARE_H

#include "graph/tensor.h"

/* Of two tensors of one shape. NaN and NaN are equal, and an infinity equals itself; next to anything else they make an
 * infinite error. Elements of complex tensors count as two numbers, strings differ infinitely or not at all. */
typedef struct {
    int64_t count;            /* of the numbers that are compared */
    int64_t beyond;           /* of those that are not within the tolerance */
    double max_abs, mean_abs; /* of |actual - expected| */
    double max_rel; /* of |actual - expected| / max(|expected|, floor); floor: RELATIVE_FLOOR times the largest
                       |expected| */
    double
        cosine; /* of the angle between the two as vectors, over the positions where both are finite; 1 for two zeros */
    int64_t argmax_expected, argmax_actual; /* where the first largest element is, in row-major order; -1: nowhere */
    bool is_probability; /* expected's rows (along the last axis) are not negative and sum to 1, or are all zero */
    double row_sum; /* the largest difference between an actual and an expected row's sum; 0 if not probabilities */
} Comparison;

#define RELATIVE_FLOOR 1e-3

/* What makes a tensor agree. */
typedef struct Statistic Statistic;
typedef struct {
    double atol, rtol;
    /* NULL: every element is within atol + rtol * |expected|, or atol if both tensors are of integers or booleans. Else
     * this statistic alone decides. */
    const Statistic *statistic;
} Tolerance;

/* What is left to the order of float32 sums. */
#define TOLERANCE_USUAL ((Tolerance){.atol = 1e-5, .rtol = 1e-4})

struct Statistic {
    const char *name;
    /* What the table shows. */
    const char *(*text)(Arena *arena, const Comparison *comparison);
    bool (*agrees)(const Comparison *comparison, const Tolerance *tolerance);
};

extern const Statistic STATISTICS[]; /* ended by a NULL name */

/* The shapes have to be equal. */
Comparison compare_tensors(const Tensor *expected, const Tensor *actual, const Tolerance *tolerance);
bool comparison_agrees(const Comparison *comparison, const Tolerance *tolerance);

#endif
