/* diff: two npz files, array by array, in the order of the first: where do they part? */
#ifndef FOVEA_COMMANDS_DIFF_H
#define FOVEA_COMMANDS_DIFF_H

#include "commands/compare.h"
#include "graph/npz.h"

#include <stdio.h>

typedef enum { VERDICT_AGREES, VERDICT_DIVERGES, VERDICT_MISSHAPEN, VERDICT_MISSING, VERDICT_EXTRA } Verdict;

typedef struct {
    const char *key;
    const Tensor *expected, *actual; /* NULL where it is extra or missing */
    Verdict verdict;
    Tolerance tolerance;   /* with which they were compared */
    bool has_own;          /* it is one of DiffOptions.own */
    Comparison comparison; /* where the shapes are the same */
} DiffEntry;
typedef LIST(DiffEntry) Diff;

/* A tolerance for the arrays whose keys a glob fits: |actual - expected| <= bound, or the bound of the statistic. */
typedef struct {
    const char *glob;
    double bound;
} OwnTolerance;

typedef struct {
    Tolerance tolerance;
    LIST(OwnTolerance) own; /* of those that fit a key the last one counts */
    bool fail_fast;         /* end with the first that does not agree */
} DiffOptions;

/* Compares all arrays: first those of expected in its order, then what actual has besides. */
Diff diff_npz(Arena *arena, const Npz *expected, const Npz *actual, const DiffOptions *options);

/* The first entry that does not agree, or NULL. */
const DiffEntry *diff_first(const Diff *diff);

/* A table, then "first diverging: KEY" or "all N agree". */
void diff_print(Arena *arena, const Diff *diff, FILE *out);

#endif
