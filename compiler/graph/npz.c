/* npz: libzip for the archive, graph/npy.h for the arrays in it.
 * Sizes that an archive claims are held against a budget before they are believed. */
#include "graph/npz.h"

#include "base/file.h"
#include "base/map.h"
#include "graph/npy.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

/* What an archive may unpack to: a constant, and a multiple of what the file holds. */
enum { BUDGET_CONSTANT = 1 << 30, BUDGET_FACTOR = 16 };

static const char suffix[] = ".npy";

typedef struct {
    Arena *arena; /* for the result */
    const char *path;
    zip_t *archive;
    zip_uint64_t index, budget;
    Map keys;
    Npz npz;
} Reader;

static void discard_archive(void *archive) { zip_discard(archive); }
static void close_entry(void *file) { zip_fclose(file); }

static Status status_of(const zip_error_t *error) {
    int code = zip_error_code_zip(error);
    return code == ZIP_ER_MEMORY || zip_error_system_type(error) == ZIP_ET_SYS ? STATUS_SYSTEM : STATUS_INVALID;
}

/* name: what it is about, safe to print. */
static _Noreturn void fail_zip(zip_error_t *error, const char *name) {
    fail(status_of(error), "%s: %s", name, zip_error_strerror(error));
}

/* The same for an error that no archive owns. */
static _Noreturn void fail_zip_open(Arena *scratch, zip_error_t *error, const char *name) {
    Status status = status_of(error);
    const char *reason = arena_copy(scratch, zip_error_strerror(error));
    zip_error_fini(error);
    fail(status, "%s: %s", name, reason);
}

/* The bytes of the entry that the reader is at, into scratch memory. */
static void *read_entry(Arena *scratch, const Reader *reader, const char *name, size_t size) {
    zip_file_t *file = zip_fopen_index(reader->archive, reader->index, 0);
    if (file == NULL) fail_zip(zip_get_error(reader->archive), name);
    arena_defer(scratch, close_entry, file);
    char *bytes = arena_alloc(scratch, size);
    for (size_t done = 0; done < size;) {
        zip_int64_t got = zip_fread(file, bytes + done, size - done);
        if (got < 0) fail_zip(zip_file_get_error(file), name);
        if (got == 0) fail(STATUS_INVALID, "%s ends before the %zu bytes that are claimed", name, size);
        done += (size_t)got;
    }
    char more;
    zip_int64_t got = zip_fread(file, &more, 1); /* the checksum is compared at the end */
    if (got < 0) fail_zip(zip_file_get_error(file), name);
    if (got > 0) fail(STATUS_INVALID, "%s has more than the %zu bytes that are claimed", name, size);
    return bytes;
}

/* Allows an entry its claimed size, if what the file may unpack to is not used up by it. */
static void spend(Reader *reader, const char *name, zip_uint64_t size) {
    if (size > reader->budget)
        fail(STATUS_INVALID, "%s claims %" PRIu64 " bytes, which a file of this size is not trusted with", name, size);
    reader->budget -= size;
}

static void add_entry(Arena *scratch, void *argument) {
    Reader *reader = argument;
    const char *file = quoted(reader->path);
    zip_stat_t info;
    if (zip_stat_index(reader->archive, reader->index, 0, &info) != 0) fail_zip(zip_get_error(reader->archive), file);
    if ((info.valid & (ZIP_STAT_NAME | ZIP_STAT_SIZE)) != (ZIP_STAT_NAME | ZIP_STAT_SIZE))
        fail(STATUS_INVALID, "%s: entry %" PRIu64 " has no name or size", file, reader->index);
    size_t length = strlen(info.name), tail = sizeof suffix - 1;
    if (length < tail || strcmp(info.name + length - tail, suffix) != 0)
        fail(STATUS_INVALID, "%s is no npz file: entry %s is not an array (.npy)", file, quoted(info.name));
    char *key = arena_copy(reader->arena, info.name);
    key[length - tail] = '\0';
    if (map_get(&reader->keys, key) != NULL) fail(STATUS_INVALID, "%s holds array %s twice", file, quoted(key));
    const char *name = arena_printf(scratch, "array %s of %s", quoted(key), file);
    spend(reader, name, info.size);
    const void *bytes = read_entry(scratch, reader, name, (size_t)info.size);
    Tensor *tensor = npy_decode(reader->arena, name, bytes, (size_t)info.size);
    map_set(&reader->keys, key, tensor);
    list_add(reader->arena, &reader->npz, ((NpzEntry){key, tensor}));
}

static void read_archive(Arena *scratch, void *argument) {
    Reader *reader = argument;
    int descriptor = file_open(reader->path), code = 0;
    struct stat status;
    if (fstat(descriptor, &status) == 0)
        reader->budget = BUDGET_CONSTANT + (zip_uint64_t)status.st_size * BUDGET_FACTOR;
    reader->archive = zip_fdopen(descriptor, ZIP_CHECKCONS, &code);
    if (reader->archive == NULL) {
        close(descriptor);
        zip_error_t error;
        zip_error_init_with_code(&error, code);
        fail_zip_open(scratch, &error, arena_printf(scratch, "cannot read %s as npz", quoted(reader->path)));
    }
    arena_defer(scratch, discard_archive, reader->archive);
    reader->keys = map_new(scratch);
    zip_int64_t count = zip_get_num_entries(reader->archive, 0);
    for (zip_int64_t i = 0; i < count; i++) {
        reader->index = (zip_uint64_t)i;
        arena_scope(add_entry, reader);
    }
}

Npz npz_read(Arena *arena, const char *path) {
    Reader reader = {.arena = arena, .path = path};
    arena_scope(read_archive, &reader);
    return reader.npz;
}

Tensor *npz_find(const Npz *npz, const char *key) {
    for (int i = 0; i < npz->count; i++)
        if (strcmp(npz->items[i].key, key) == 0) return npz->items[i].tensor;
    return NULL;
}

typedef struct {
    Arena *arena; /* for the result */
    const Npz *npz;
    void *bytes;
    size_t size;
} Writer;

/* One array, stored. MS-DOS time begins in 1980; every entry has that date, as numpy's have. */
static void write_entry(Arena *scratch, zip_t *archive, const NpzEntry *entry) {
    enum { FIRST_DAY = 1 << 5 | 1, NO_TIME = 0 };
    const char *name = arena_printf(scratch, "array %s", quoted(entry->key));
    Npy npy = npy_encode(scratch, name, entry->tensor);
    zip_buffer_fragment_t parts[] = {{(zip_uint8_t *)npy.header, npy.header_size},
                                     {(zip_uint8_t *)npy.data, npy.data_size}};
    zip_source_t *source = zip_source_buffer_fragment(archive, parts, npy.data_size > 0 ? 2 : 1, 0);
    const char *file_name = arena_printf(scratch, "%s%s", entry->key, suffix);
    zip_int64_t index = source == NULL ? -1 : zip_file_add(archive, file_name, source, ZIP_FL_ENC_UTF_8);
    if (index < 0 && source != NULL) zip_source_free(source);
    if (index < 0 || zip_set_file_compression(archive, (zip_uint64_t)index, ZIP_CM_STORE, 0) != 0 ||
        zip_file_set_dostime(archive, (zip_uint64_t)index, NO_TIME, FIRST_DAY, 0) != 0)
        fail_zip(zip_get_error(archive), name);
}

static void release_source(void *source) { zip_source_free(source); }

/* What libzip wrote into a source in memory. */
static void take_bytes(Writer *writer, zip_source_t *source) {
    zip_stat_t info;
    if (zip_source_stat(source, &info) != 0 || zip_source_open(source) != 0)
        fail_zip(zip_source_error(source), "cannot write npz");
    writer->size = (size_t)info.size;
    writer->bytes = arena_alloc(writer->arena, writer->size);
    zip_int64_t got = zip_source_read(source, writer->bytes, info.size);
    zip_source_close(source);
    if (got != (zip_int64_t)info.size) fail_zip(zip_source_error(source), "cannot write npz");
}

/* An archive without entries, which libzip does not write: the end of a central directory that is empty. */
static void write_empty(Writer *writer) {
    enum { END_RECORD = 22 };
    writer->size = END_RECORD;
    writer->bytes = arena_alloc(writer->arena, END_RECORD);
    memcpy(writer->bytes, "PK\5\6", 4);
}

typedef struct {
    zip_t *archive; /* NULL when it is closed */
} OpenArchive;

static void discard_open(void *open) {
    if (((OpenArchive *)open)->archive != NULL) zip_discard(((OpenArchive *)open)->archive);
}

static void write_archive(Arena *scratch, void *argument) {
    Writer *writer = argument;
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *source = zip_source_buffer_create(NULL, 0, 0, &error);
    if (source == NULL) fail_zip_open(scratch, &error, "cannot write npz");
    arena_defer(scratch, release_source, source);
    OpenArchive *open = arena_new_object(scratch, OpenArchive);
    arena_defer(scratch, discard_open, open);
    zip_source_keep(source); /* one reference is ours, the other the archive's */
    open->archive = zip_open_from_source(source, ZIP_TRUNCATE, &error);
    if (open->archive == NULL) {
        zip_source_free(source);
        fail_zip_open(scratch, &error, "cannot write npz");
    }
    for (int i = 0; i < writer->npz->count; i++) write_entry(scratch, open->archive, &writer->npz->items[i]);
    if (zip_close(open->archive) != 0) fail_zip(zip_get_error(open->archive), "cannot write npz");
    open->archive = NULL;
    take_bytes(writer, source);
}

void *npz_encode(Arena *arena, const Npz *npz, size_t *size) {
    Writer writer = {.arena = arena, .npz = npz};
    if (npz->count == 0) write_empty(&writer);
    else arena_scope(write_archive, &writer);
    *size = writer.size;
    return writer.bytes;
}

typedef struct {
    const char *path;
    const Npz *npz;
} WriteRequest;

static void write_file(Arena *scratch, void *argument) {
    const WriteRequest *request = argument;
    size_t size;
    const void *bytes = npz_encode(scratch, request->npz, &size);
    file_write_atomic(request->path, bytes, size);
}

void npz_write(const char *path, const Npz *npz) { arena_scope(write_file, &(WriteRequest){path, npz}); }
