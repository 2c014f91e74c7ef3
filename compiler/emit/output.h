/* Output: the files of one compilation, none of which appears before all are whole.
 * Each is written under a temporary name beside its place, and output_commit() renames them. */
#ifndef FOVEA_EMIT_OUTPUT_H
#define FOVEA_EMIT_OUTPUT_H

#include "base/arena.h"

typedef struct Output Output;

/* Files in a folder, which is made where it is missing. Unless committed they vanish with the arena, and also when
 * SIGINT, SIGTERM or SIGHUP ends the program. */
Output *output_new(Arena *arena, const char *directory);
/* Names a file that must not be replaced: the model that is being read. */
void output_keep(Output *output, const char *path);
/* Begins a file; what is written next goes there. */
void output_begin(Output *output, const char *name);
void output_write(Output *output, const void *bytes, size_t count);
/* Flushes, syncs and renames all. Fails with STATUS_SYSTEM, and leaves nothing behind, where that is not possible. */
void output_commit(Output *output);

#endif
