/* Bad npz files: each is refused with a clear message and the right status, and nothing worse happens.
 * Run it with sanitizers to see that nothing does. */
#include "support/test.h"

#include "graph/npy.h"
#include "graph/npz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

typedef struct {
    Arena *arena;
    const void *bytes;
    size_t size;
} Array;

static void decode(void *argument) {
    const Array *array = argument;
    npy_decode(array->arena, "array 'x'", array->bytes, array->size);
}

/* The array with that header and 8 bytes of elements has to be refused. */
static void refuse(Arena *arena, Status status, const char *part, const char *header) {
    size_t length = strlen(header);
    char *bytes = arena_printf(arena, "\x93NUMPY\1%c%c%c%s", 'v', 'l', 'h', header);
    bytes[7] = 0;
    bytes[8] = (char)(length & 255);
    bytes[9] = (char)(length >> 8);
    char *whole = arena_alloc(arena, 10 + length + 8);
    memcpy(whole, bytes, 10 + length);
    expect_failure(status, part, decode, &(Array){arena, whole, 10 + length + 8});
}

static void bad_headers(void **state) {
    (void)state;
    static const struct {
        Status status;
        const char *part, *header;
    } cases[] = {
        {STATUS_INVALID, "lacks a \"{\"", ""},
        {STATUS_INVALID, "lacks a \"{\"", "__import__('os').system('true')"},
        {STATUS_INVALID, "lacks descr, fortran_order or shape", "{}"},
        {STATUS_INVALID, "lacks descr, fortran_order or shape", "{'descr': '<f8', 'shape': (1,)}"},
        {STATUS_INVALID, "lacks a \"}\"", "{'descr': '<f8' 'shape': (1,)}"},
        {STATUS_INVALID, "lacks a \":\"", "{'descr' '<f8'}"},
        {STATUS_INVALID, "lacks a \"\"\"", "{descr: '<f8'}"},
        {STATUS_INVALID, "does not end", "{'descr': '<f8"},
        {STATUS_INVALID, "has an escape", "{'descr': '<f8\\x00'}"},
        {STATUS_INVALID, "is there twice", "{'descr': '<f8', 'descr': '<f4'}"},
        {STATUS_INVALID, "unknown key 'order'", "{'order': False}"},
        {STATUS_INVALID, "unknown key 'descr\\x0a'", "{'descr\n': '<f8'}"},
        {STATUS_INVALID, "lacks a \"False\"", "{'fortran_order': 0}"},
        {STATUS_INVALID, "lacks a \"(\"", "{'shape': 3}"},
        {STATUS_INVALID, "not a tuple of sizes", "{'shape': (-1,)}"},
        {STATUS_INVALID, "not a tuple of sizes", "{'shape': (,)}"},
        {STATUS_INVALID, "not a tuple of sizes", "{'shape': (None,)}"},
        {STATUS_INVALID, "lacks a \")\"", "{'shape': (1"},
        {STATUS_INVALID, "lacks a \")\"", "{'shape': (1 2)}"},
        {STATUS_INVALID, "too large", "{'shape': (99999999999999999999,)}"},
        {STATUS_UNSUPPORTED, "more than 8 dimensions", "{'shape': (1,1,1,1,1,1,1,1,1)}"},
        {STATUS_INVALID, "goes on after", "{'descr': '<f8', 'fortran_order': False, 'shape': (1,)} x"},
        {STATUS_INVALID, "need 16 bytes, 8 are there", "{'descr': '<f8', 'fortran_order': False, 'shape': (2,)}"},
        {STATUS_INVALID, "need 0 bytes, 8 are there", "{'descr': '<f8', 'fortran_order': False, 'shape': (0,)}"},
        {STATUS_INVALID, "need 4 bytes, 8 are there", "{'descr': '<f4', 'fortran_order': True, 'shape': ()}"},
        {STATUS_INVALID, "more elements than can be counted",
         "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296)}"},
        {STATUS_INVALID, "more elements than can be counted",
         "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 9223372036854775807, 2)}"},
        {STATUS_UNSUPPORTED, "elements are structures",
         "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}"},
        {STATUS_UNSUPPORTED, "dtype '|O'", "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}"},
        {STATUS_UNSUPPORTED, "dtype '<U2'", "{'descr': '<U2', 'fortran_order': False, 'shape': (1,)}"},
        {STATUS_UNSUPPORTED, "dtype '<M8[ns]'", "{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (1,)}"},
        {STATUS_UNSUPPORTED, "dtype '|f8'", "{'descr': '|f8', 'fortran_order': False, 'shape': (1,)}"},
        {STATUS_UNSUPPORTED, "dtype 'f8'", "{'descr': 'f8', 'fortran_order': False, 'shape': (1,)}"},
        {STATUS_UNSUPPORTED, "dtype ''", "{'descr': '', 'fortran_order': False, 'shape': (1,)}"},
        {STATUS_UNSUPPORTED, "save x.astype(numpy.float32)", "{'descr': '<V2', 'fortran_order': False, 'shape': (4,)}"},
        {STATUS_UNSUPPORTED, "dtype", "{'descr': '<f8<f8<f8<f8<f8<f8<f8<f8', 'fortran_order': False, 'shape': (1,)}"},
    };
    Arena *arena = arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuse(arena, cases[i].status, cases[i].part, cases[i].header);
    arena_free(arena);
}

static void too_many_elements(void **state) {
    (void)state;
    Arena *arena = arena_new();
    size_t size = ((size_t)INT32_MAX + 1) + 128; /* reserved, never touched */
    char *bytes = arena_alloc(arena, size);
    memcpy(bytes, "\x93NUMPY\1\0\x76\0", 10);
    memset(bytes + 10, ' ', 118);
    static const char header[] = "{'descr': '|u1', 'fortran_order': False, 'shape': (2147483648,)}";
    memcpy(bytes + 10, header, sizeof header - 1);
    expect_failure(STATUS_UNSUPPORTED, "more than 2147483647 elements", decode, &(Array){arena, bytes, size});
    arena_free(arena);
}

static void bad_beginnings(void **state) {
    (void)state;
    static const struct {
        Status status;
        const char *part, *bytes;
        size_t size;
    } cases[] = {
        {STATUS_INVALID, "not in .npy format", "", 0},
        {STATUS_INVALID, "not in .npy format", "\x93NUMPY\1\0", 8},
        {STATUS_INVALID, "not in .npy format", "\x93NUMPZ\1\0\1\0{}", 12},
        {STATUS_UNSUPPORTED, "version 4.0", "\x93NUMPY\4\0\1\0\0\0{}", 14},
        {STATUS_UNSUPPORTED, "version 0.0", "\x93NUMPY\0\0\1\0\0\0{}", 14},
        {STATUS_UNSUPPORTED, "version 1.1", "\x93NUMPY\1\1\1\0\0\0{}", 14},
        {STATUS_INVALID, "cut off", "\x93NUMPY\1\0\xff\0{}", 12},
        {STATUS_INVALID, "cut off", "\x93NUMPY\2\0\xff\0\0\0{}", 14},
        {STATUS_INVALID, "longer than any", "\x93NUMPY\2\0\xff\xff\xff\xff{}", 14},
        {STATUS_INVALID, "longer than any", "\x93NUMPY\3\0\0\0\1\0{}", 14},
    };
    Arena *arena = arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_failure(cases[i].status, cases[i].part, decode, &(Array){arena, cases[i].bytes, cases[i].size});
    arena_free(arena);
}

/* A file to read, and what has been read of it. */
typedef struct {
    Arena *arena;
    const char *path;
} File;

static void read_npz(void *file) { npz_read(((File *)file)->arena, ((File *)file)->path); }

static void add(zip_t *archive, const char *name, const void *bytes, size_t size, int method) {
    zip_source_t *source = zip_source_buffer(archive, bytes, size, 0);
    zip_int64_t index = zip_file_add(archive, name, source, ZIP_FL_ENC_UTF_8);
    assert_true(index >= 0);
    assert_int_equal(zip_set_file_compression(archive, (zip_uint64_t)index, method, 9), 0);
}

static const char array[] = "\x93NUMPY\1\0\x3a\0{'descr': '<f4', 'fortran_order': False, 'shape': (3,), } abcdefghijkl";
enum { ARRAY = sizeof array - 1 };

/* An archive of one stored and one deflated array; name is the second one's. */
static void write_archive(const char *path, const char *name) {
    zip_t *archive = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, NULL);
    assert_non_null(archive);
    add(archive, "x.npy", array, ARRAY, ZIP_CM_STORE);
    add(archive, name, array, ARRAY, ZIP_CM_DEFLATE);
    assert_int_equal(zip_close(archive), 0);
}

static size_t load(const char *path, unsigned char *bytes, size_t room) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, room, file);
    fclose(file);
    return size;
}

static void entries_have_to_be_arrays(void **state) {
    (void)state;
    Arena *arena = arena_new();
    File file = {arena, test_path(arena, test_folder(arena), "a.npz")};
    write_archive(file.path, "y.npy");
    assert_int_equal(npz_read(arena, file.path).count, 2);
    write_archive(file.path, "readme\n.txt");
    expect_failure(STATUS_INVALID, "entry 'readme\\x0a.txt' is not an array", read_npz, &file);
    write_archive(file.path, "folder/");
    expect_failure(STATUS_INVALID, "entry 'folder/' is not an array", read_npz, &file);
    write_bytes(file.path, array, ARRAY);
    expect_failure(STATUS_INVALID, "Not a zip archive", read_npz, &file);
    write_bytes(file.path, "", 0);
    expect_failure(STATUS_INVALID, "Not a zip archive", read_npz, &file);
    arena_free(arena);
}

/* Puts a number where a record of a zip file has it: in the n-th record that begins with that signature. */
static void patch(unsigned char *bytes, size_t size, const char *signature, int n, int offset, const void *number,
                  size_t width) {
    for (size_t i = 0; i + 46 < size; i++)
        if (memcmp(bytes + i, signature, 4) == 0 && n-- == 0) {
            memcpy(bytes + i + offset, number, width);
            return;
        }
    assert_true(false);
}

/* The archive, changed in the local header of its n-th array and in the central directory alike. */
static void refuse_patched(Status status, const char *part, int n, int local, int central, const char *number,
                           size_t width) {
    Arena *arena = arena_new();
    File file = {arena, test_path(arena, test_folder(arena), "a.npz")};
    unsigned char bytes[2000];
    write_archive(file.path, "y.npy");
    size_t size = load(file.path, bytes, sizeof bytes);
    patch(bytes, size, "PK\3\4", n, local, number, width);
    patch(bytes, size, "PK\1\2", n, central, number, width);
    write_bytes(file.path, bytes, size);
    expect_failure(status, part, read_npz, &file);
    arena_free(arena);
}

/* Which of them libzip finds itself, and in what words, depends on its version. */
static void lies_about_entries(void **state) {
    (void)state;
    refuse_patched(STATUS_INVALID, "not trusted with", 1, 22, 24, "\xff\xff\xff\xf0", 4);
    refuse_patched(STATUS_INVALID, "a.npz", 1, 22, 24, "\xff\xff\xff\0", 4); /* claims more than there is */
    refuse_patched(STATUS_INVALID, "a.npz", 1, 22, 24, "\x20\0\0\0", 4);     /* and less */
    refuse_patched(STATUS_INVALID, "a.npz", 0, 14, 16, "abcd", 4);           /* the checksum */
    refuse_patched(STATUS_INVALID, "a.npz", 1, 8, 10, "\x63\0", 2);          /* an unknown compression */
    refuse_patched(STATUS_INVALID, "a.npz", 1, 6, 8, "\1\0", 2);             /* encrypted */
    refuse_patched(STATUS_INVALID, "a.npz", 1, 30, 46, "x", 1);              /* the other's name */
}

static void truncated_at_every_byte(void **state) {
    (void)state;
    Arena *arena = arena_new();
    File file = {arena, test_path(arena, test_folder(arena), "a.npz")};
    unsigned char bytes[2000];
    write_archive(file.path, "y.npy");
    size_t size = load(file.path, bytes, sizeof bytes);
    for (size_t length = 0; length < size; length++) {
        write_bytes(file.path, bytes, length);
        expect_failure(STATUS_INVALID, "a.npz", read_npz, &file);
    }
    arena_free(arena);
}

/* Whatever comes of it, it is a result, or one line and a status that a file can cause. */
static void read_changed(const File *file, const unsigned char *bytes, size_t size) {
    write_bytes(file->path, bytes, size);
    Status status = run_quietly(read_npz, (void *)file);
    assert_true(status == STATUS_OK || status == STATUS_INVALID || status == STATUS_UNSUPPORTED);
    assert_true((status == STATUS_OK) == (last_messages()[0] == '\0'));
}

static void every_bit_flipped(void **state) {
    (void)state;
    Arena *arena = arena_new();
    File file = {arena, test_path(arena, test_folder(arena), "a.npz")};
    unsigned char bytes[2000];
    write_archive(file.path, "y.npy");
    size_t size = load(file.path, bytes, sizeof bytes);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        read_changed(&file, bytes, size);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    arena_free(arena);
}

static void random_damage(void **state) {
    (void)state;
    Random random = random_new();
    Arena *arena = arena_new();
    File file = {arena, test_path(arena, test_folder(arena), "a.npz")};
    unsigned char bytes[2000], damaged[2000];
    write_archive(file.path, "y.npy");
    size_t size = load(file.path, bytes, sizeof bytes);
    for (int round = 0; round < 3000; round++) {
        memcpy(damaged, bytes, size);
        for (uint64_t n = 1 + random_below(&random, 8); n > 0; n--)
            damaged[random_below(&random, size)] = (unsigned char)(random_next(&random) >> 40);
        read_changed(&file, damaged, size);
    }
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_headers),        cmocka_unit_test(too_many_elements),
        cmocka_unit_test(bad_beginnings),     cmocka_unit_test(entries_have_to_be_arrays),
        cmocka_unit_test(lies_about_entries), cmocka_unit_test(truncated_at_every_byte),
        cmocka_unit_test(every_bit_flipped),  cmocka_unit_test(random_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
