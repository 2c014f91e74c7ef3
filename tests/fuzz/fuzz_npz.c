/* Fuzz target: any bytes as an npz file, and as a .npy array.
 * They are refused, or read and written back. */
#include "graph/npy.h"
#include "graph/npz.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct {
    const uint8_t *bytes;
    size_t size;
    const char *path;
} Input;

static void read_array(Arena *arena, void *argument) {
    const Input *input = argument;
    npy_encode(arena, "array", npy_decode(arena, "array", input->bytes, input->size));
}

static void read_archive(Arena *arena, void *argument) {
    const Input *input = argument;
    const Npz npz = npz_read(arena, input->path);
    size_t size;
    npz_encode(arena, &npz, &size);
}

static void as_array(void *input) { arena_scope(read_array, input); }
static void as_archive(void *input) { arena_scope(read_archive, input); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char messages[4096], path[64];
    int file = memfd_create("input", 0);
    if (file < 0 || write(file, data, size) != (ssize_t)size) return 0;
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    Input input = {data, size, path};
    diag_capture(messages, sizeof messages);
    guard(as_array, &input);
    guard(as_archive, &input);
    diag_capture(NULL, 0);
    close(file);
    return 0;
}
