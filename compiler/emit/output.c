/* Output: a set of files under one folder.
 * Everything that can go wrong with them is dealt with in base/file.c. */
#include "emit/output.h"

#include "base/file.h"

#include <string.h>

struct Output {
    const char *directory;
    FileSet files;
};

Output *output_new(Arena *arena, const char *directory) {
    Output *output = arena_new_object(arena, Output);
    *output = (Output){arena_copy(arena, directory), file_set_new(arena)};
    return output;
}

void output_keep(Output *output, const char *path) { file_set_protect(&output->files, path); }

void output_begin(Output *output, const char *name) {
    file_set_add(&output->files, arena_printf(output->files.arena, "%s/%s", output->directory, name), NULL, 0);
}

void output_refer(Output *output, const void *bytes, size_t count) { file_set_append(&output->files, bytes, count); }

void output_write(Output *output, const void *bytes, size_t count) {
    void *copy = arena_alloc(output->files.arena, count);
    if (count > 0) memcpy(copy, bytes, count);
    output_refer(output, copy, count);
}

void output_text(Output *output, const char *name, const char *text) {
    output_begin(output, name);
    output_write(output, text, strlen(text));
}

void output_commit(Output *output) {
    directory_make(output->directory);
    file_set_commit(&output->files);
}
