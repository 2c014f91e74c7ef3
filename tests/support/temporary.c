/* Temporary directories and files for tests. */
#include "support/temporary.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at) {
    (void)info, (void)kind, (void)at;
    return remove(path);
}

static void remove_all(void *path) { nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS); }

const char *temporary_directory(Arena *arena) {
    const char *base = getenv("TMPDIR");
    char *path = arena_printf(arena, "%s/fovea_test_XXXXXX", base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(path));
    arena_defer(arena, remove_all, path);
    return path;
}

const char *write_file(Arena *arena, const char *directory, const char *name, const void *bytes, size_t size) {
    const char *path = arena_printf(arena, "%s/%s", directory, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    return path;
}
