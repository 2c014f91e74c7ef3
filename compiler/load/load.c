/* Load: files to bytes, bytes to messages, messages to graphs and tensors; the outermost steps.
 * A file's bytes are given back as soon as they are unpacked, so that a large model is in memory twice for an instant
 * only. */
#include "load/load.h"

#include "load/import.h"
#include "load/prescan.h"
#include "load/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    uint8_t *bytes;
    size_t size;
} FileBytes;

static void file_bytes_release(void *object) {
    FileBytes *file = object;
    free(file->bytes);
    file->bytes = NULL;
}

/* Reads count bytes from fd; returns how many there were, or -1 with errno set. */
static ssize_t read_fully(int fd, uint8_t *bytes, size_t count) {
    size_t done = 0;
    while (done < count) {
        ssize_t got = read(fd, bytes + done, count - done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

/* Fills file from an open file; returns what is wrong, or NULL. */
static const char *read_open_file(int fd, FileBytes *file, Status *status) {
    struct stat info;
    *status = STATUS_SYSTEM;
    if (fstat(fd, &info) != 0) return strerror(errno);
    if (!S_ISREG(info.st_mode)) return S_ISDIR(info.st_mode) ? "it is a directory" : "it is not a regular file";
    if (info.st_size > INT_MAX) {
        *status = STATUS_INVALID;
        return "it has 2 GiB or more, where protobuf ends; keep the weights as external data, in a file of their own";
    }
    file->size = (size_t)info.st_size;
    file->bytes = malloc(file->size + 1); /* an empty file has an address too */
    if (file->bytes == NULL) return "out of memory";
    ssize_t got = read_fully(fd, file->bytes, file->size);
    if (got < 0) return strerror(errno);
    return (size_t)got < file->size ? "it became shorter while it was read" : NULL;
}

static FileBytes *read_file(Arena *arena, const char *path) {
    FileBytes *file = arena_new_object(arena, FileBytes);
    arena_defer(arena, file_bytes_release, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* does not wait for the writer of a FIFO */
    if (fd < 0) fail(STATUS_SYSTEM, "cannot open %s: %s", quoted(path), strerror(errno));
    Status status;
    const char *fault = read_open_file(fd, file, &status);
    close(fd);
    if (fault != NULL) fail(status, "cannot read %s: %s", quoted(path), fault);
    return file;
}

static const char *directory_of(Arena *arena, const char *path) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL) return ".";
    return slash == path ? "/" : arena_printf(arena, "%.*s", (int)(slash - path), path);
}

static Graph *import_bytes(Arena *arena, const ProtobufCMessage *message, size_t size, const char *directory,
                           const LoadOptions *options) {
    External *external = external_new(arena, directory, options);
    Graph *graph = import_model(arena, (const Onnx__ModelProto *)message, size, external, load_budget(options, size));
    external_close(external);
    return graph;
}

Graph *load_model_bytes(Arena *arena, const void *bytes, size_t size, const char *directory,
                        const LoadOptions *options) {
    ProtobufCMessage *message = unpack(arena, bytes, size, &onnx__model_proto__descriptor, options);
    return import_bytes(arena, message, size, directory, options);
}

Graph *load_model(Arena *arena, const char *path, const LoadOptions *options) {
    FileBytes *file = read_file(arena, path);
    ProtobufCMessage *message = unpack(arena, file->bytes, file->size, &onnx__model_proto__descriptor, options);
    file_bytes_release(file);
    Graph *graph = import_bytes(arena, message, file->size, directory_of(arena, path), options);
    graph->path = path;
    return graph;
}

/* SequenceProto and OptionalProto begin with their name where a tensor has its dimensions, and have no field above 7;
 * a tensor that packs its dimensions so has its name (8) or its data (9 and above) there. */
static bool is_sequence(const uint8_t *bytes, size_t size) {
    enum { FIELD_1_LENGTH = 1 << 3 | 2, LAST_SEQUENCE_FIELD = 7 };
    return size > 0 && bytes[0] == FIELD_1_LENGTH &&
           prescan_top_fields(bytes, size, &onnx__tensor_proto__descriptor) >> (LAST_SEQUENCE_FIELD + 1) == 0;
}

Tensor *load_tensor_file(Arena *arena, const char *path, const char **name) {
    FileBytes *file = read_file(arena, path);
    if (is_sequence(file->bytes, file->size))
        fail(STATUS_UNSUPPORTED,
             "%s holds a sequence or an optional value; give its tensors in an .npz, as NAME_0, NAME_1 and so on",
             quoted(path));
    ProtobufCMessage *message = unpack(arena, file->bytes, file->size, &onnx__tensor_proto__descriptor, NULL);
    file_bytes_release(file);
    const Onnx__TensorProto *proto = (const Onnx__TensorProto *)message;
    External *external = external_new(arena, directory_of(arena, path), NULL);
    Tensor *tensor = import_single_tensor(arena, proto, external, load_budget(NULL, file->size));
    external_close(external);
    if (name != NULL) *name = text_or_empty(proto->name);
    return tensor;
}
