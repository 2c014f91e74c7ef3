/* Choice: which of several ways a step is computed. Lowering lists them, the cost model's own first; what `fovea tune`
 * has measured overrules it. */
#ifndef FOVEA_PROGRAM_CHOICE_H
#define FOVEA_PROGRAM_CHOICE_H

#include "base/map.h"
#include "program/program.h"

enum { MOST_CANDIDATES = 8 };

/* One decision of a program, for all steps of the same key. */
typedef struct Choice {
    const char *key;                         /* what it depends on: "linear 197x192x576", "... threads 2" */
    const char *candidates[MOST_CANDIDATES]; /* "14x2 weights first" */
    int count, taken;
} Choice;

/* What was measured, or is to be. */
typedef struct Tuning {
    int target;    /* on which; numbers that depend on the target are another's for all others */
    Map names;     /* of candidates (const char *), by key */
    int candidate; /* that is taken for keys which have no name; where there are fewer, the first */
} Tuning;

/* The target for which candidates are to be listed. */
int choice_target(const Program *program);

/* Takes one of count candidates, 1 to MOST_CANDIDATES, and remembers it in program->choices; a key that was there
 * before has the same candidates again. The program's threads become part of the key. Without a tuning the first is
 * taken. Fails with STATUS_INVALID where the tuning names none of them. Both strings are kept. */
const Choice *choice_take(Program *program, const char *key, const char *const *candidates, int count);

#endif
