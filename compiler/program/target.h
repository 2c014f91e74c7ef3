/* Target: what generated code is compiled for.
 * One table: what --target takes, what the C compiler is told, and which registers there are. */
#ifndef FOVEA_PROGRAM_TARGET_H
#define FOVEA_PROGRAM_TARGET_H

#include <stdbool.h>
#include <stdint.h>

/* The registers that kernels have tiles for, in the order of PICK() in runtime/vector.h. */
enum { TARGET_AVX512, TARGET_AVX2, TARGET_NEON, TARGET_SSE, TARGET_SCALAR, TARGET_COUNT };

/* "avx512", ... */
extern const char *const TARGET_NAMES[TARGET_COUNT];
/* Floats in a vector: LANES there. */
extern const int TARGET_LANES[TARGET_COUNT];

typedef struct Target {
    const char *name;     /* "x86-64-v3" */
    const char *flags;    /* what GCC and Clang are told, with spaces between; "": nothing */
    int registers;        /* TARGET_AVX2; TARGET_COUNT: the C compiler's macros say which there are */
    bool is_small;        /* weights that are made larger to save time would not fit */
    const char *features; /* where --dispatch has a variant: what it needs beyond the one before, with commas between */
} Target;

extern const Target TARGETS[]; /* ended by a NULL name; the first is portable, for any compiler and machine */

/* What the cost model supposes of a machine. */
typedef struct {
    int registers;
    int64_t second; /* floats that the second-level cache of a core holds */
    /* What a weight takes that comes from behind it, in multiply-adds; and at worst, as far as the machine is known. */
    double far_weight, farthest_weight;
    /* What Strassen's algorithm takes for each element of a left factor, and to bring together one of the result. */
    double left_factor, result;
    bool halves; /* half of a vector takes half of the time that a whole one takes */
} Machine;

/* Where code for a target is supposed to run: this machine for native; else one with a second-level cache of 1 MB, and
 * for portable with AVX-512. */
Machine target_machine(const Target *target);

/* The target of a name; NULL: there is none. */
const Target *target_find(const char *name);

/* The target of the first variant of --dispatch, or of the next one; NULL: there is none. */
const Target *target_variant(const Target *before);
/* "v3", of one of these. */
const char *target_level(const Target *target);

#endif
