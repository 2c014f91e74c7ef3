/* Output: temporary files, fsync, rename.
 * Every write and close is checked, so that a full disk is noticed. */
#include "emit/output.h"

#include "base/file.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct EmittedFile {
    const char *path, *temporary;
    FILE *file; /* NULL once closed */
    bool is_placed;
    struct EmittedFile *next; /* in the list of temporary files */
} EmittedFile;

struct Output {
    Arena *arena;
    const char *directory;
    LIST(EmittedFile *) files;
    bool keeps; /* a file that must not be replaced is known: */
    struct stat kept;
};

/* The temporary files that there are now, for the signal handler; changed with the signals blocked. */
static EmittedFile *temporaries;

static const int SIGNALS[] = {SIGINT, SIGTERM, SIGHUP};
enum { SIGNALS_COUNT = sizeof SIGNALS / sizeof *SIGNALS };

static void remove_and_die(int number) {
    for (const EmittedFile *file = temporaries; file != NULL; file = file->next)
        if (!file->is_placed) unlink(file->temporary);
    signal(number, SIG_DFL);
    raise(number);
}

static void block_signals(sigset_t *before) {
    sigset_t blocked;
    sigemptyset(&blocked);
    for (int i = 0; i < SIGNALS_COUNT; i++) sigaddset(&blocked, SIGNALS[i]);
    sigprocmask(SIG_BLOCK, &blocked, before);
}

static void remember(EmittedFile *file) {
    sigset_t before;
    block_signals(&before);
    file->next = temporaries;
    temporaries = file;
    sigprocmask(SIG_SETMASK, &before, NULL);
}

static void forget(const EmittedFile *file) {
    sigset_t before;
    block_signals(&before);
    for (EmittedFile **at = &temporaries; *at != NULL;)
        if (*at == file) *at = file->next;
        else at = &(*at)->next;
    sigprocmask(SIG_SETMASK, &before, NULL);
}

/* Signals that are ignored stay so (nohup). */
static void catch_signals(void) {
    struct sigaction old, action = {.sa_handler = remove_and_die};
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < SIGNALS_COUNT; i++)
        if (sigaction(SIGNALS[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL) sigaction(SIGNALS[i], &action, NULL);
}

static void discard(void *object) {
    Output *output = object;
    for (int i = 0; i < output->files.count; i++) {
        EmittedFile *file = output->files.items[i];
        if (file->file != NULL) fclose(file->file);
        if (!file->is_placed) unlink(file->temporary);
        forget(file);
    }
}

Output *output_new(Arena *arena, const char *directory) {
    Output *output = arena_new_object(arena, Output);
    output->arena = arena;
    output->directory = arena_copy(arena, directory);
    directory_make(directory);
    arena_defer(arena, discard, output);
    catch_signals();
    return output;
}

void output_keep(Output *output, const char *path) { output->keeps = stat(path, &output->kept) == 0; }

static _Noreturn void write_failed(const EmittedFile *file) {
    fail(STATUS_SYSTEM, "cannot write %s: %s", quoted(file->path), strerror(errno));
}

/* Fails where the path is taken by something that must not be replaced. */
static void check_place(const Output *output, const char *path) {
    struct stat there;
    if (lstat(path, &there) != 0) return;
    if (S_ISDIR(there.st_mode)) fail(STATUS_SYSTEM, "cannot write %s: it is a folder", quoted(path));
    if (stat(path, &there) == 0 && output->keeps && there.st_dev == output->kept.st_dev &&
        there.st_ino == output->kept.st_ino)
        fail(STATUS_SYSTEM, "cannot write %s: it is the model itself", quoted(path));
}

void output_begin(Output *output, const char *name) {
    EmittedFile *file = arena_new_object(output->arena, EmittedFile);
    file->path = arena_printf(output->arena, "%s/%s", output->directory, name);
    file->temporary = arena_printf(output->arena, "%s/.%s.%ld.tmp", output->directory, name, (long)getpid());
    check_place(output, file->path);
    file->file = fopen(file->temporary, "wbx");
    if (file->file == NULL) write_failed(file);
    list_add(output->arena, &output->files, file);
    remember(file);
}

void output_write(Output *output, const void *bytes, size_t count) {
    const EmittedFile *file = output->files.items[output->files.count - 1];
    if (fwrite(bytes, 1, count, file->file) != count) write_failed(file);
}

void output_commit(Output *output) {
    for (int i = 0; i < output->files.count; i++) {
        EmittedFile *file = output->files.items[i];
        if (fflush(file->file) != 0 || fsync(fileno(file->file)) != 0) write_failed(file);
        int closed = fclose(file->file);
        file->file = NULL;
        if (closed != 0) write_failed(file);
    }
    for (int i = 0; i < output->files.count; i++) {
        EmittedFile *file = output->files.items[i];
        if (rename(file->temporary, file->path) != 0) write_failed(file);
        file->is_placed = true;
        forget(file);
    }
}
