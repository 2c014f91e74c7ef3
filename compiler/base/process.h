/* Processes: running another program, and a temporary folder for what it works on.
 * No shell is involved, so names need no quoting. */
#ifndef FOVEA_BASE_PROCESS_H
#define FOVEA_BASE_PROCESS_H

#include "base/arena.h"

/* Runs argv[0] (found on PATH) with these arguments, ended by NULL, and waits. Returns its exit status, 128 + the
 * signal that ended it, or -1 where it could not be started. */
int process_run(const char *const *argv);
/* The same, with its stdout written to a file, which is made or emptied. */
int process_run_to(const char *const *argv, const char *path);

/* The same, with nothing of what it writes. */
int process_run_quietly(const char *const *argv);

/* Whether a program of this name can be started: a path, or a name on PATH. */
bool process_exists(Arena *arena, const char *program);

/* A new folder in $TMPDIR or /tmp, which is removed, with its files, when the arena is freed. */
const char *temporary_folder(Arena *arena);

#endif
