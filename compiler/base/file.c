/* Files: temporary files that take their final name when all of them are complete.
 * The temporary ones are kept in a list, so that a failure or a signal can remove them. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file that is removed when its arena is freed, or by a signal, unless it got its final name. */
typedef struct Temporary {
    struct Temporary *volatile next;
    const char *path;
} Temporary;

/* Read by the signal handler: it changes by single stores, each of which leaves a whole list. */
static Temporary *volatile temporaries;

static void forget(Temporary *temporary) {
    Temporary *volatile *link = &temporaries;
    while (*link != NULL && *link != temporary) link = &(*link)->next;
    if (*link != NULL) *link = temporary->next;
}

static void discard(void *object) {
    Temporary *temporary = object;
    unlink(temporary->path);
    forget(temporary);
}

/* A name beside path for a file that is not there yet, to be removed with the arena. */
static Temporary *temporary_beside(Arena *arena, const char *path) {
    static int serial;
    const char *slash = strrchr(path, '/');
    int folder = slash == NULL ? 0 : (int)(slash + 1 - path);
    Temporary *temporary = arena_new_object(arena, Temporary);
    temporary->path = arena_printf(arena, "%.*s.fovea-%ld-%d.tmp", folder, path, (long)getpid(), serial++);
    temporary->next = temporaries;
    temporaries = temporary;
    arena_defer(arena, discard, temporary);
    return temporary;
}

static void remove_temporaries(int signal_number) {
    for (const Temporary *temporary = temporaries; temporary != NULL; temporary = temporary->next)
        unlink(temporary->path);
    raise(signal_number); /* its default action, as soon as this handler has returned */
}

static const int ending_signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { ENDING_SIGNALS = sizeof ending_signals / sizeof *ending_signals };

void file_install_signal_cleanup(void) {
    for (int i = 0; i < ENDING_SIGNALS; i++) {
        struct sigaction old, action = {.sa_handler = remove_temporaries, .sa_flags = (int)SA_RESETHAND};
        sigemptyset(&action.sa_mask);
        if (sigaction(ending_signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) /* nohup has them ignored */
            sigaction(ending_signals[i], &action, NULL);
    }
}

static const char *kind_of(mode_t mode) {
    return S_ISDIR(mode)    ? "a folder"
           : S_ISLNK(mode)  ? "a symbolic link"
           : S_ISFIFO(mode) ? "a pipe"
           : S_ISSOCK(mode) ? "a socket"
                            : "a device";
}

bool file_exists(const char *path) {
    struct stat status;
    return stat(path, &status) == 0;
}

const char *path_stem(Arena *arena, const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1, *dot = strrchr(name, '.');
    return dot == NULL || dot == name ? name : arena_printf(arena, "%.*s", (int)(dot - name), name);
}

int file_open(const char *path) {
    int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0) fail(STATUS_SYSTEM, "cannot open %s: %s", quoted(path), strerror(errno));
    struct stat status;
    int error = fstat(descriptor, &status) != 0 ? errno : 0;
    if (error == 0 && S_ISREG(status.st_mode)) return descriptor;
    close(descriptor);
    if (error != 0) fail(STATUS_SYSTEM, "cannot read %s: %s", quoted(path), strerror(error));
    fail(STATUS_SYSTEM, "cannot read %s: it is %s", quoted(path), kind_of(status.st_mode));
}

typedef struct {
    Arena *arena; /* for the result */
    const char *path;
    int descriptor;
    size_t limit, size;
    char *bytes;
} Reading;

static void close_descriptor(void *reading) { close(((Reading *)reading)->descriptor); }

static void read_whole(Arena *scratch, void *argument) {
    Reading *reading = argument;
    reading->descriptor = file_open(reading->path);
    arena_defer(scratch, close_descriptor, reading);
    struct stat status;
    if (fstat(reading->descriptor, &status) != 0)
        fail(STATUS_SYSTEM, "cannot read %s: %s", quoted(reading->path), strerror(errno));
    if (status.st_size < 0 || (uintmax_t)status.st_size > reading->limit)
        fail(STATUS_INVALID, "%s holds %lld bytes, which is more than the %zu that can be read", quoted(reading->path),
             (long long)status.st_size, reading->limit);
    reading->size = (size_t)status.st_size;
    reading->bytes = arena_alloc(reading->arena, reading->size + 1);
    for (size_t done = 0; done < reading->size;) {
        ssize_t got = read(reading->descriptor, reading->bytes + done, reading->size - done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) fail(STATUS_SYSTEM, "cannot read %s: %s", quoted(reading->path), strerror(errno));
        if (got == 0) fail(STATUS_SYSTEM, "%s became shorter while it was read", quoted(reading->path));
        done += (size_t)got;
    }
}

char *file_read(Arena *arena, const char *path, size_t limit, size_t *size) {
    Reading reading = {.arena = arena, .path = path, .limit = limit < SIZE_MAX ? limit : SIZE_MAX - 1};
    arena_scope(read_whole, &reading);
    *size = reading.size;
    return reading.bytes;
}

static void make_directories(Arena *scratch, void *argument) {
    const char *path = argument;
    char *part = arena_copy(scratch, path);
    for (char *at = part;; at++) { /* each prefix that ends before a slash, then the whole */
        char end = *at;
        if ((end != '/' && end != '\0') || at == part) {
            if (end == '\0') return;
            continue;
        }
        *at = '\0';
        struct stat status;
        if (mkdir(part, 0777) != 0 && !(errno == EEXIST && stat(part, &status) == 0 && S_ISDIR(status.st_mode)))
            fail(STATUS_SYSTEM, "cannot make the folder %s: %s", quoted(part),
                 errno == EEXIST ? "there is a file of that name" : strerror(errno));
        if (end == '\0') return;
        *at = end;
    }
}

void directory_make(const char *path) { arena_scope(make_directories, (void *)path); }

FileSet file_set_new(Arena *arena) { return (FileSet){.arena = arena}; }

void file_set_protect(FileSet *set, const char *path) {
    list_add(set->arena, &set->inputs, arena_copy(set->arena, path));
}

void file_set_add(FileSet *set, const char *path, const void *bytes, size_t size) {
    for (int i = 0; i < set->files.count; i++) fovea_assert(strcmp(set->files.items[i].path, path) != 0);
    list_add(set->arena, &set->files, ((OutputFile){.path = arena_copy(set->arena, path)}));
    file_set_append(set, bytes, size);
}

void file_set_append(FileSet *set, const void *bytes, size_t size) {
    fovea_assert(set->files.count > 0);
    list_add(set->arena, &set->files.items[set->files.count - 1].pieces, ((FilePiece){bytes, size}));
}

/* Whether there is a file of that name; fails where it must not be replaced. */
static bool check_target(const FileSet *set, const char *path) {
    struct stat target, input;
    if (lstat(path, &target) != 0) {
        if (errno == ENOENT) return false;
        fail(STATUS_SYSTEM, "cannot write %s: %s", quoted(path), strerror(errno));
    }
    if (!S_ISREG(target.st_mode))
        fail(STATUS_SYSTEM, "cannot write %s: it is %s", quoted(path), kind_of(target.st_mode));
    for (int i = 0; i < set->inputs.count; i++)
        if (stat(set->inputs.items[i], &input) == 0 && input.st_dev == target.st_dev && input.st_ino == target.st_ino)
            fail(STATUS_USAGE, "%s would be written over the input %s", quoted(path), quoted(set->inputs.items[i]));
    if ((target.st_mode & (S_IWUSR | S_IWGRP | S_IWOTH)) == 0)
        fail(STATUS_SYSTEM, "cannot write %s: it is read-only", quoted(path));
    return true;
}

/* Writes all bytes; 0, or an errno. */
static int write_all(int descriptor, const char *bytes, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t wrote = write(descriptor, bytes + done, size - done);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return errno;
        done += (size_t)wrote;
    }
    return 0;
}

/* Writes a file's pieces to a temporary one, and brings them to the disk. */
static Temporary *write_temporary(Arena *scratch, const OutputFile *file) {
    Temporary *temporary = temporary_beside(scratch, file->path);
    int descriptor = open(temporary->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666), error = 0;
    if (descriptor < 0) fail(STATUS_SYSTEM, "cannot write %s: %s", quoted(file->path), strerror(errno));
    for (int i = 0; i < file->pieces.count && error == 0; i++)
        error = write_all(descriptor, file->pieces.items[i].bytes, file->pieces.items[i].size);
    if (error == 0 && fsync(descriptor) != 0 && errno != EINVAL) error = errno; /* EINVAL: a file system without it */
    if (close(descriptor) != 0 && error == 0) error = errno;
    if (error != 0) fail(STATUS_SYSTEM, "cannot write %s: %s", quoted(file->path), strerror(error));
    return temporary;
}

/* A file on its way to its final name. */
typedef struct {
    const char *path;
    Temporary *written;
    Temporary *old; /* a second name of the file that is replaced, to bring it back; NULL where there is none */
    bool replaces;
} Move;

/* Gives all files their names; on a failure takes the names back. Returns 0 or an errno, and the file that failed. */
static int move_all(Move *moves, int count, int *failed) {
    for (int i = 0; i < count; i++) {
        if (rename(moves[i].written->path, moves[i].path) == 0) continue;
        int error = errno;
        *failed = i;
        while (--i >= 0)
            if (moves[i].old != NULL) rename(moves[i].old->path, moves[i].path);
            else if (!moves[i].replaces) unlink(moves[i].path);
        return error;
    }
    return 0;
}

static void commit(Arena *scratch, void *argument) {
    const FileSet *set = argument;
    int count = set->files.count, failed = 0;
    Move *moves = arena_new_array(scratch, Move, (size_t)count);
    for (int i = 0; i < count; i++) {
        moves[i].path = set->files.items[i].path;
        moves[i].replaces = check_target(set, moves[i].path);
    }
    for (int i = 0; i < count; i++) moves[i].written = write_temporary(scratch, &set->files.items[i]);
    for (int i = 0; count > 1 && i < count; i++) { /* a single rename needs no way back */
        if (!moves[i].replaces) continue;
        Temporary *old = temporary_beside(scratch, moves[i].path);
        if (link(moves[i].path, old->path) == 0) moves[i].old = old; /* else the file system has no hard links */
    }
    sigset_t ending, before;
    sigemptyset(&ending);
    for (int i = 0; i < ENDING_SIGNALS; i++) sigaddset(&ending, ending_signals[i]);
    sigprocmask(SIG_BLOCK, &ending, &before);
    int error = move_all(moves, count, &failed);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (error != 0) fail(STATUS_SYSTEM, "cannot write %s: %s", quoted(moves[failed].path), strerror(error));
}

void file_set_commit(const FileSet *set) { arena_scope(commit, (void *)set); }

void file_write_atomic(const char *path, const void *bytes, size_t size) {
    FilePiece piece = {bytes, size};
    OutputFile file = {path, {&piece, 1, 1}};
    FileSet set = {.files = {&file, 1, 1}};
    file_set_commit(&set);
}
