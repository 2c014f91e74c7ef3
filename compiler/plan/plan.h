/* Plan: where in the workspace each buffer lives. Buffers that are never alive at the same step share memory.
 * A second walk over the program, which knows nothing of how the plan was made, checks that no data is overwritten. */
#ifndef FOVEA_PLAN_PLAN_H
#define FOVEA_PLAN_PLAN_H

#include "program/program.h"

enum { WORKSPACE_ALIGNMENT = 64 };

/* Sets lifetimes, offsets and in-place pairs of all BUFFER_WORK buffers, and the program's workspace_bytes and
 * lower_bound_bytes (the largest sum of the sizes of buffers alive at one step; an in-place pair counts once).
 * Ends with plan_check(). */
void plan_memory(Program *program);

/* Where in the workspace an input or output of one sample is put together, or is made before it is taken apart; -1 where
 * it lies in one piece in the caller's array. */
int64_t plan_staged(const Program *program, const Value *value);

/* Fails with STATUS_BUG where a step would read what another one has overwritten or nobody has written, where a
 * kernel's arguments overlap, or where a buffer lies outside the workspace or unaligned. */
void plan_check(const Program *program);

#endif
