/* Temporary directories and files for tests. */
#ifndef FOVEA_TESTS_SUPPORT_TEMPORARY_H
#define FOVEA_TESTS_SUPPORT_TEMPORARY_H

#include "base/arena.h"

/* A new directory, which is removed, with all that is in it, when the arena is freed. */
const char *temporary_directory(Arena *arena);
/* Writes directory/name and returns its path. */
const char *write_file(Arena *arena, const char *directory, const char *name, const void *bytes, size_t size);

#endif
