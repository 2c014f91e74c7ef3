/* Output: temporary files, fsync, rename.
 * Every write and close is checked, so that a full disk is noticed. */
#include "emit/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    const char *path, *temporary;
    FILE *file; /* NULL once closed */
    bool is_placed;
} OutputFile;

struct Output {
    Arena *arena;
    const char *directory;
    LIST(OutputFile *) files;
};

static void discard(void *object) {
    Output *output = object;
    for (int i = 0; i < output->files.count; i++) {
        OutputFile *file = output->files.items[i];
        if (file->file != NULL) fclose(file->file);
        if (!file->is_placed) unlink(file->temporary);
    }
}

Output *output_new(Arena *arena, const char *directory) {
    Output *output = arena_new_object(arena, Output);
    output->arena = arena;
    output->directory = arena_copy(arena, directory);
    if (mkdir(directory, 0777) != 0 && errno != EEXIST)
        fail(STATUS_SYSTEM, "cannot make the folder %s: %s", quoted(directory), strerror(errno));
    arena_defer(arena, discard, output);
    return output;
}

static _Noreturn void write_failed(const OutputFile *file) {
    fail(STATUS_SYSTEM, "cannot write %s: %s", quoted(file->path), strerror(errno));
}

void output_begin(Output *output, const char *name) {
    OutputFile *file = arena_new_object(output->arena, OutputFile);
    file->path = arena_printf(output->arena, "%s/%s", output->directory, name);
    file->temporary = arena_printf(output->arena, "%s/.%s.%ld.tmp", output->directory, name, (long)getpid());
    file->file = fopen(file->temporary, "wbx");
    if (file->file == NULL) write_failed(file);
    list_add(output->arena, &output->files, file);
}

void output_write(Output *output, const void *bytes, size_t count) {
    const OutputFile *file = output->files.items[output->files.count - 1];
    if (fwrite(bytes, 1, count, file->file) != count) write_failed(file);
}

void output_commit(Output *output) {
    for (int i = 0; i < output->files.count; i++) {
        OutputFile *file = output->files.items[i];
        if (fflush(file->file) != 0 || fsync(fileno(file->file)) != 0) write_failed(file);
        int closed = fclose(file->file);
        file->file = NULL;
        if (closed != 0) write_failed(file);
    }
    for (int i = 0; i < output->files.count; i++) {
        OutputFile *file = output->files.items[i];
        if (rename(file->temporary, file->path) != 0) write_failed(file);
        file->is_placed = true;
    }
}
