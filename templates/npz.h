/* npz.h: reads and writes NumPy's .npz files, with stored (not deflated) entries, as numpy.savez writes them.
 * Strict C99 and nothing but the standard library. Formats: PKWARE APPNOTE 6.3 (zip), numpy.lib.format (npy). */
#ifndef NPZ_H
#define NPZ_H

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NPZ_MAX_RANK = 8, NPZ_MAX_NAME = 1024, NPZ_ALIGNMENT = 64 };

typedef struct {
    char name[NPZ_MAX_NAME]; /* without ".npy" */
    char type[8];            /* numpy's descr: "<f4" */
    int rank;
    int64_t dims[NPZ_MAX_RANK];
    int64_t count; /* elements */
    size_t bytes;
    const unsigned char *data; /* row-major, inside the file's memory; aligned if the entries are in order */
} npz_array;

typedef struct {
    unsigned char *memory;
    npz_array *arrays;
    int count;
} npz_file;

static uint32_t npz_get(const unsigned char *p, int bytes) {
    uint32_t value = 0;
    for (int i = bytes - 1; i >= 0; i--) value = value << 8 | p[i];
    return value;
}

/* Reads one array from the npy file of `size` bytes at p. Returns NULL, or what is wrong. */
static const char *npz_parse_array(const unsigned char *p, size_t size, npz_array *array) {
    if (size < 10 || memcmp(p, "\x93NUMPY", 6) != 0) return "an entry is no npy file";
    const size_t prefix = p[6] == 1 ? 10 : 12;
    if (size < prefix) return "an npy header is cut off";
    const size_t length = npz_get(p + 8, p[6] == 1 ? 2 : 4);
    if (length > size - prefix || length > 65535) return "an npy header is cut off";
    char header[65536];
    memcpy(header, p + prefix, length);
    header[length] = '\0';
    const char *type = strstr(header, "'descr': '"), *shape = strstr(header, "'shape': (");
    if (type == NULL || shape == NULL || strstr(header, "'fortran_order': False") == NULL)
        return "an npy header is not understood (only plain types in row-major order are)";
    type += strlen("'descr': '");
    const size_t type_length = strcspn(type, "'");
    if (type_length == 0 || type_length >= sizeof array->type) return "an array's type is not understood";
    memcpy(array->type, type, type_length);
    array->type[type_length] = '\0';
    array->rank = 0;
    array->count = 1;
    const char *at = shape + strlen("'shape': (");
    while (*at != ')' && *at != '\0') {
        char *end;
        const long long dim = strtoll(at, &end, 10);
        if (end == at || dim < 0 || array->rank == NPZ_MAX_RANK) return "an array's shape is not understood";
        if (dim > 0 && array->count > INT64_MAX / 16 / dim) return "an array is too large";
        array->dims[array->rank++] = dim;
        array->count *= dim;
        at = end + strspn(end, ", ");
    }
    const long long item = strtoll(array->type + 2, NULL, 10);
    if (item < 1 || item > 16) return "an array's type is not understood";
    array->bytes = (size_t)array->count * (size_t)item;
    array->data = p + prefix + length;
    return array->bytes == size - prefix - length ? NULL : "an array's data does not fit its shape";
}

static const char *npz_parse(unsigned char *memory, size_t size, npz_file *file) {
    if (size < 22) return "it is no zip file";
    size_t end = size - 22; /* of the central directory, behind which a comment may stand */
    while (memcmp(memory + end, "PK\5\6", 4) != 0)
        if (end-- == 0) return "it is no zip file";
    const int entries = (int)npz_get(memory + end + 10, 2);
    size_t at = npz_get(memory + end + 16, 4);
    file->arrays = (npz_array *)calloc((size_t)entries + 1, sizeof *file->arrays);
    if (file->arrays == NULL) return "out of memory";
    for (int i = 0; i < entries; i++) {
        if (at + 46 > end || memcmp(memory + at, "PK\1\2", 4) != 0) return "its directory is damaged";
        const size_t bytes = npz_get(memory + at + 20, 4), name = npz_get(memory + at + 28, 2);
        const size_t skip = npz_get(memory + at + 30, 2) + npz_get(memory + at + 32, 2);
        const size_t local = npz_get(memory + at + 42, 4);
        if (npz_get(memory + at + 10, 2) != 0) return "it is compressed; write it with numpy.savez";
        if (at + 46 + name > end || local + 30 > end) return "its directory is damaged";
        const size_t data = local + 30 + npz_get(memory + local + 26, 2) + npz_get(memory + local + 28, 2);
        if (data > end || bytes > end - data) return "an entry is cut off";
        const char *const text = (const char *)memory + at + 46;
        const size_t stem = name > 4 && memcmp(text + name - 4, ".npy", 4) == 0 ? name - 4 : name;
        if (stem >= NPZ_MAX_NAME) return "a name is too long";
        npz_array *const array = &file->arrays[file->count];
        memcpy(array->name, text, stem);
        const char *const wrong = npz_parse_array(memory + data, bytes, array);
        if (wrong != NULL) return wrong;
        file->count++;
        at += 46 + name + skip;
    }
    return NULL;
}

/* Moves the arrays to aligned addresses: each over its own header, which has been read. None where entries overlap or are
 * in another order than in the directory. */
static void npz_align(npz_file *file) {
    const unsigned char *end = file->memory;
    for (int i = 0; i < file->count; i++) {
        if (file->arrays[i].data < end + NPZ_ALIGNMENT) return;
        end = file->arrays[i].data + file->arrays[i].bytes;
    }
    for (int i = 0; i < file->count; i++) {
        npz_array *const array = &file->arrays[i];
        unsigned char *const from = file->memory + (array->data - file->memory);
        array->data = from - (uintptr_t)from % NPZ_ALIGNMENT;
        memmove(from - (uintptr_t)from % NPZ_ALIGNMENT, from, array->bytes);
    }
}

/* What to read a file into: as many bytes as it has and one, if that is known beforehand, as it is not of a pipe. */
static size_t npz_room(FILE *in) {
    const long size = fseek(in, 0, SEEK_END) == 0 ? ftell(in) : -1;
    rewind(in);
    return size < 0 || size > LONG_MAX / 2 ? 1 << 16 : (size_t)size + 1;
}

/* Reads a file. Returns NULL, or what is wrong; npz_free() in either case. */
static const char *npz_read(const char *path, npz_file *file) {
    memset(file, 0, sizeof *file);
    FILE *const in = fopen(path, "rb");
    if (in == NULL) return "it cannot be opened";
    size_t size = 0, room = npz_room(in);
    const char *wrong = NULL;
    while (wrong == NULL) {
        unsigned char *const grown = (unsigned char *)realloc(file->memory, room);
        if (grown == NULL) wrong = "out of memory";
        else file->memory = grown;
        if (wrong != NULL) break;
        size += fread(file->memory + size, 1, room - size, in);
        if (size < room) break;
        room *= 2;
    }
    if (wrong == NULL && ferror(in)) wrong = "it cannot be read";
    fclose(in);
    if (wrong == NULL) wrong = npz_parse(file->memory, size, file);
    if (wrong == NULL) npz_align(file);
    return wrong;
}

static void npz_free(npz_file *file) {
    free(file->memory);
    free(file->arrays);
    memset(file, 0, sizeof *file);
}

static const npz_array *npz_find(const npz_file *file, const char *name) {
    for (int i = 0; i < file->count; i++)
        if (strcmp(file->arrays[i].name, name) == 0) return &file->arrays[i];
    return NULL;
}

/* A file being written, entry by entry. */
typedef struct {
    FILE *out;
    unsigned char *directory;
    size_t directory_size;
    uint32_t offset;
    int count, failed;
} npz_writer;

static void npz_put(unsigned char *p, int bytes, uint32_t value) {
    for (int i = 0; i < bytes; i++) p[i] = (unsigned char)(value >> 8 * i);
}

/* The remainders of single bytes. */
static void npz_crc_table(uint32_t table[256]) {
    for (uint32_t i = 0; i < 256; i++) {
        table[i] = i;
        for (int bit = 0; bit < 8; bit++) table[i] = table[i] >> 1 ^ (table[i] & 1u ? 0xEDB88320u : 0u);
    }
}

static uint32_t npz_crc(const uint32_t table[256], uint32_t crc, const void *data, size_t size) {
    const unsigned char *p = (const unsigned char *)data;
    for (size_t i = 0; i < size; i++) crc = crc >> 8 ^ table[(crc ^ p[i]) & 0xFFu];
    return crc;
}

static void npz_emit(npz_writer *writer, const void *data, size_t size) {
    if (writer->failed || (size > 0 && fwrite(data, 1, size, writer->out) != size)) writer->failed = 1;
    writer->offset += (uint32_t)size;
}

static int npz_create(npz_writer *writer, const char *path) {
    memset(writer, 0, sizeof *writer);
    writer->out = fopen(path, "wb");
    writer->failed = writer->out == NULL;
    return !writer->failed;
}

/* Adds an array: `type` as numpy's descr, data row-major. Faults show in npz_close(). */
static void npz_add(npz_writer *writer, const char *name, const char *type, int rank, const int64_t *dims,
                    const void *data) {
    char header[512];
    const size_t length = strlen(name) + 4;
    size_t bytes = (size_t)strtoll(type + 2, NULL, 10);
    int used = snprintf(header + 10, 300, "{'descr': '%s', 'fortran_order': False, 'shape': (", type);
    for (int i = 0; i < rank; i++) {
        used += snprintf(header + 10 + used, 30, "%lld,", (long long)dims[i]);
        bytes *= (size_t)dims[i];
    }
    used += snprintf(header + 10 + used, 8, "), }");
    while ((10 + used + 1) % 64 != 0) header[10 + used++] = ' ';
    header[10 + used++] = '\n';
    memcpy(header, "\x93NUMPY\1", 8);
    npz_put((unsigned char *)header + 8, 2, (uint32_t)used);
    const size_t size = 10 + (size_t)used + bytes;
    unsigned char *const grown = (unsigned char *)realloc(writer->directory, writer->directory_size + 46 + length);
    if (grown == NULL || length >= NPZ_MAX_NAME || size > 0xFFFFFFFEu - 1024 - length - writer->offset) {
        writer->failed = 1;
        return;
    }
    writer->directory = grown;
    uint32_t table[256];
    npz_crc_table(table);
    uint32_t crc = npz_crc(table, 0xFFFFFFFFu, header, 10 + (size_t)used);
    crc = npz_crc(table, crc, data, bytes) ^ 0xFFFFFFFFu;
    unsigned char local[30] = "PK\3\4", *const entry = grown + writer->directory_size;
    memset(entry, 0, 46);
    memcpy(entry, "PK\1\2", 4);
    npz_put(local + 4, 2, 20);
    npz_put(local + 12, 2, 0x21); /* 1 January 1980: the same bytes whenever it is written */
    npz_put(local + 14, 4, crc);
    npz_put(local + 18, 4, (uint32_t)size);
    npz_put(local + 22, 4, (uint32_t)size);
    npz_put(local + 26, 2, (uint32_t)length);
    npz_put(entry + 4, 2, 20);
    memcpy(entry + 6, local + 4, 26);
    npz_put(entry + 42, 4, writer->offset);
    memcpy(entry + 46, name, length - 4);
    memcpy(entry + 46 + length - 4, ".npy", 4);
    writer->directory_size += 46 + length;
    writer->count++;
    npz_emit(writer, local, sizeof local);
    npz_emit(writer, name, length - 4);
    npz_emit(writer, ".npy", 4);
    npz_emit(writer, header, 10 + (size_t)used);
    npz_emit(writer, data, bytes);
}

/* Ends the file. Returns whether all of it was written. */
static int npz_close(npz_writer *writer) {
    unsigned char tail[22] = "PK\5\6";
    npz_put(tail + 8, 2, (uint32_t)writer->count);
    npz_put(tail + 10, 2, (uint32_t)writer->count);
    npz_put(tail + 12, 4, (uint32_t)writer->directory_size);
    npz_put(tail + 16, 4, writer->offset);
    if (writer->out != NULL) {
        npz_emit(writer, writer->directory, writer->directory_size);
        npz_emit(writer, tail, sizeof tail);
        if (fclose(writer->out) != 0) writer->failed = 1;
    }
    free(writer->directory);
    return !writer->failed;
}

#endif
