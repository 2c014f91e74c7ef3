/* Tests of graph/npz.h and graph/npy.h: what numpy writes is read, what is written comes back, always as the same
 * bytes. tests/reject/npz_reject_test.c has the files that are no such thing. */
#include "support/test.h"

#include "base/file.h"
#include "graph/npy.h"
#include "graph/npz.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zip.h>

/* The bytes of an array: a header of the given version, padded or not as it comes, then the elements. */
static Tensor *decode(Arena *arena, int version, const char *dictionary, const void *data, size_t size) {
    size_t length = strlen(dictionary), prefix = version == 1 ? 10 : 12;
    unsigned char *bytes = arena_alloc(arena, prefix + length + size);
    memcpy(bytes, "\x93NUMPY", 6);
    bytes[6] = (unsigned char)version;
    bytes[8] = (unsigned char)length;
    memcpy(bytes + prefix, dictionary, length);
    memcpy(bytes + prefix + length, data, size);
    return npy_decode(arena, "array 'x'", bytes, prefix + length + size);
}

static void all_versions_of_npy_are_read(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const float values[] = {1.5f, -2};
    for (int version = 1; version <= 3; version++) {
        Tensor *tensor =
            decode(arena, version, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }      \n", values, 8);
        assert_int_equal(tensor->type, TYPE_FLOAT);
        assert_int_equal(tensor->shape.rank, 1);
        assert_int_equal(tensor->shape.dims[0].size, 2);
        assert_memory_equal(tensor->data, values, sizeof values);
    }
    arena_free(arena);
}

static void headers_may_be_spelt_otherwise(void **state) {
    (void)state;
    static const char *const dictionaries[] = {
        "{'shape': (2, 1), 'fortran_order': False, 'descr': '<f4'}",
        "{\"descr\":\"<f4\",\"fortran_order\":False,\"shape\":(2,1)}",
        "{ 'descr' : '<f4' , 'fortran_order' : False , 'shape' : ( 2L , 1L , ) , }", /* Python 2 */
    };
    Arena *arena = arena_new();
    const float values[] = {1.5f, -2};
    for (int i = 0; i < 3; i++) {
        Tensor *tensor = decode(arena, 1, dictionaries[i], values, 8);
        assert_int_equal(tensor->shape.rank, 2);
        assert_memory_equal(tensor->data, values, sizeof values);
    }
    arena_free(arena);
}

static void fortran_order_is_transposed(void **state) {
    (void)state;
    Arena *arena = arena_new();
    int16_t columns[24];
    for (int i = 0; i < 24; i++) columns[i] = (int16_t)i;
    Tensor *tensor =
        decode(arena, 1, "{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3, 4), }", columns, sizeof columns);
    for (int a = 0; a < 2; a++)
        for (int b = 0; b < 3; b++)
            for (int c = 0; c < 4; c++) assert_int_equal(tensor_int(tensor, (a * 3 + b) * 4 + c), a + 2 * b + 6 * c);
    tensor = decode(arena, 1, "{'descr': '<i2', 'fortran_order': True, 'shape': (24,), }", columns, sizeof columns);
    assert_memory_equal(tensor->data, columns, sizeof columns);
    tensor = decode(arena, 1, "{'descr': '<i2', 'fortran_order': True, 'shape': (0, 3), }", columns, 0);
    assert_int_equal(tensor_count(tensor), 0);
    tensor = decode(arena, 1, "{'descr': '<i2', 'fortran_order': True, 'shape': (), }", columns + 5, 2);
    assert_int_equal(tensor->shape.rank, 0);
    assert_int_equal(tensor_int(tensor, 0), 5);
    arena_free(arena);
}

static void big_endian_is_swapped(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Tensor *tensor =
        decode(arena, 1, "{'descr': '>i4', 'fortran_order': False, 'shape': (2,), }", "\0\0\1\2\xff\xff\xff\xfe", 8);
    assert_int_equal(tensor_int(tensor, 0), 258);
    assert_int_equal(tensor_int(tensor, 1), -2);
    tensor = decode(arena, 1, "{'descr': '>f8', 'fortran_order': False, 'shape': (), }", "\x3f\xf8\0\0\0\0\0\0", 8);
    assert_true(tensor_number(tensor, 0) == 1.5);
    tensor = decode(arena, 1, "{'descr': '>c8', 'fortran_order': False, 'shape': (1,), }", "\x3f\x80\0\0\x40\0\0\0", 8);
    assert_true(((float *)tensor->data)[0] == 1 && ((float *)tensor->data)[1] == 2); /* the parts stay in their order */
    tensor = decode(arena, 1, "{'descr': '>i2', 'fortran_order': True, 'shape': (1, 2), }", "\0\1\0\2", 4);
    assert_int_equal(tensor_int(tensor, 1), 2);
    arena_free(arena);
}

static void truth_is_one(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Tensor *tensor = decode(arena, 1, "{'descr': '|b1', 'fortran_order': False, 'shape': (4,), }", "\0\1\2\xff", 4);
    assert_memory_equal(tensor->data, "\0\1\1\1", 4);
    arena_free(arena);
}

/* An array with some pattern of bytes in it. */
static Tensor *patterned(Arena *arena, Type type, int rank, const int64_t *dims) {
    Shape shape = shape_of(rank, dims);
    Tensor *tensor = tensor_new(arena, type, &shape);
    for (size_t i = 0; i < tensor_bytes(tensor); i++)
        ((unsigned char *)tensor->data)[i] = (unsigned char)(type == TYPE_BOOL ? i & 1 : i * 37 + 11);
    return tensor;
}

static Npz all_types(Arena *arena) {
    Npz npz = {0};
    for (int type = TYPE_COUNT - 1; type > TYPE_NONE; type--) {
        if (type == TYPE_STRING) continue;
        NpzEntry entry = {type_info((Type)type)->name, patterned(arena, (Type)type, 3, (int64_t[]){2, 3, 5})};
        list_add(arena, &npz, entry);
    }
    return npz;
}

/* The type in which one that numpy lacks comes back. */
static Type read_type(Type type) {
    const TypeInfo *info = type_info(type);
    if (info->npy != NULL) return type;
    return info->bytes == 2 ? TYPE_UINT16 : info->class == CLASS_SIGNED ? TYPE_INT8 : TYPE_UINT8;
}

static void assert_same(const Npz *got, const Npz *expected) {
    assert_int_equal(got->count, expected->count);
    for (int i = 0; i < got->count; i++) {
        const Tensor *a = got->items[i].tensor, *b = expected->items[i].tensor;
        assert_string_equal(got->items[i].key, expected->items[i].key);
        assert_int_equal(a->type, read_type(b->type));
        assert_true(shape_equal(&a->shape, &b->shape));
        assert_memory_equal(a->data, b->data, tensor_bytes(b));
        assert_ptr_equal(npz_find(got, got->items[i].key), a);
    }
}

static void all_types_come_back_in_order(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const char *path = test_path(arena, test_folder(arena), "all.npz");
    Npz npz = all_types(arena);
    npz_write(path, &npz);
    Npz got = npz_read(arena, path);
    assert_same(&got, &npz);
    assert_null(npz_find(&got, "nothing"));
    arena_free(arena);
}

static void all_names_and_shapes_come_back(void **state) {
    (void)state;
    static const char *const names[] = {"/layer1/Conv_output_0", "../../etc/x",      "Größe", "",    ".npy", "a.npy",
                                        "a*/b\\c:d\n",           "layer1.0.se.gate", "%s%n",  "🙂"};
    static const int64_t dims[] = {1, 2, 1, 3, 1, 1, 2, 1};
    Arena *arena = arena_new();
    const char *path = test_path(arena, test_folder(arena), "names.npz");
    Npz npz = {0};
    for (int i = 0; i < 10; i++) {
        NpzEntry entry = {names[i], patterned(arena, TYPE_FLOAT, i < 8 ? i + 1 : 0, dims)};
        list_add(arena, &npz, entry);
    }
    NpzEntry empty = {"empty", patterned(arena, TYPE_INT64, 3, (int64_t[]){2, 0, 3})};
    list_add(arena, &npz, empty);
    npz_write(path, &npz);
    Npz got = npz_read(arena, path);
    assert_same(&got, &npz);
    arena_free(arena);
}

static void no_arrays_are_an_archive_too(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const char *path = test_path(arena, test_folder(arena), "none.npz");
    Npz none = {0};
    npz_write(path, &none);
    assert_int_equal(npz_read(arena, path).count, 0);
    arena_free(arena);
}

static void the_bytes_are_always_the_same(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Npz npz = all_types(arena);
    size_t first_size, second_size;
    const void *first = npz_encode(arena, &npz, &first_size);
    setenv("TZ", "Pacific/Chatham", 1);
    tzset();
    const void *second = npz_encode(arena, &npz, &second_size);
    unsetenv("TZ");
    tzset();
    assert_int_equal(first_size, second_size);
    assert_memory_equal(first, second, first_size);
    arena_free(arena);
}

static unsigned at(const unsigned char *bytes, int offset, int count) {
    unsigned value = 0;
    for (int i = count - 1; i >= 0; i--) value = value << 8 | bytes[offset + i];
    return value;
}

/* Local file headers (PKWARE APPNOTE 4.3.7), one behind the other, as a reader that knows nothing else walks them. */
static void the_simplest_reader_can_read_it(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Npz npz = {0};
    NpzEntry entries[] = {{"a", patterned(arena, TYPE_FLOAT, 2, (int64_t[]){3, 5})},
                          {"bb", patterned(arena, TYPE_UINT8, 1, (int64_t[]){7})}};
    for (int i = 0; i < 2; i++) list_add(arena, &npz, entries[i]);
    size_t size;
    const unsigned char *bytes = npz_encode(arena, &npz, &size);
    for (int i = 0; i < 2; i++) {
        unsigned name = at(bytes, 26, 2), extra = at(bytes, 28, 2), stored = at(bytes, 18, 4);
        assert_int_equal(at(bytes, 0, 4), 0x04034B50);
        assert_int_equal(at(bytes, 6, 2) & ~0x800u, 0); /* no encryption, no sizes behind the data; names in UTF-8 */
        assert_int_equal(at(bytes, 8, 2), 0);           /* stored */
        assert_int_equal(at(bytes, 10, 2), 0);          /* midnight */
        assert_int_equal(at(bytes, 12, 2), 1 << 5 | 1); /* 1 January 1980 */
        assert_int_equal(at(bytes, 22, 4), stored);
        assert_int_equal(name, strlen(entries[i].key) + 4);
        assert_memory_equal(bytes + 30, entries[i].key, name - 4);
        const unsigned char *npy = bytes + 30 + name + extra;
        assert_memory_equal(npy, "\x93NUMPY\1\0", 8);
        unsigned header = 10 + at(npy, 8, 2);
        assert_int_equal(header % 64, 0);
        assert_int_equal(npy[header - 1], '\n');
        assert_memory_equal(npy + header, entries[i].tensor->data, tensor_bytes(entries[i].tensor));
        bytes = npy + stored;
    }
    assert_int_equal(at(bytes, 0, 4), 0x02014B50); /* the central directory */
    arena_free(arena);
}

static void headers_are_numpys(void **state) {
    (void)state;
    Arena *arena = arena_new();
    static const char *const expected[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 3), }",
    };
    for (int rank = 0; rank < 4; rank++) {
        Npy npy = npy_encode(arena, "x", patterned(arena, TYPE_FLOAT, rank, (int64_t[]){1, 2, 3}));
        assert_memory_equal((const char *)npy.header + 10, expected[rank], strlen(expected[rank]));
        assert_int_equal(npy.header_size % 64, 0);
    }
    arena_free(arena);
}

/* Rewrites an archive with its entries deflated, as numpy.savez_compressed makes them. */
static void deflate(const char *path) {
    zip_t *archive = zip_open(path, 0, NULL);
    assert_non_null(archive);
    for (zip_int64_t i = 0; i < zip_get_num_entries(archive, 0); i++)
        assert_int_equal(zip_set_file_compression(archive, (zip_uint64_t)i, ZIP_CM_DEFLATE, 9), 0);
    assert_int_equal(zip_close(archive), 0);
}

static void compressed_archives_are_read(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const char *path = test_path(arena, test_folder(arena), "deflated.npz");
    Npz npz = all_types(arena);
    NpzEntry zeros = {"zeros", tensor_new(arena, TYPE_DOUBLE, &(Shape){.rank = 1, .dims = {{300000, NULL}}})};
    list_add(arena, &npz, zeros);
    npz_write(path, &npz);
    deflate(path);
    size_t size;
    file_read(arena, path, 1 << 20, &size);
    assert_in_range(size, 1, 100000);
    Npz got = npz_read(arena, path);
    assert_same(&got, &npz);
    arena_free(arena);
}

typedef struct {
    Arena *arena;
    Npz npz;
    const char *path;
} WriteRequest;

static void write_it(void *request) { npz_write(((WriteRequest *)request)->path, &((WriteRequest *)request)->npz); }

static void what_cannot_be_written_leaves_nothing(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const char *folder = test_folder(arena);
    WriteRequest strings = {.path = test_path(arena, folder, "a.npz")}, bad_name = strings, twice = strings;
    NpzEntry entry = {"x", patterned(arena, TYPE_FLOAT, 0, NULL)}, not_utf8 = {"\xff\xfe", entry.tensor};
    NpzEntry text = {"text", tensor_new(arena, TYPE_STRING, &(Shape){.rank = 0, .dims = {{0, NULL}}})};
    list_add(arena, &strings.npz, entry);
    list_add(arena, &strings.npz, text);
    list_add(arena, &bad_name.npz, not_utf8);
    list_add(arena, &twice.npz, entry);
    list_add(arena, &twice.npz, entry);
    expect_failure(STATUS_UNSUPPORTED, "array 'text': strings cannot be written", write_it, &strings);
    expect_failure(STATUS_INVALID, "array '\\xff\\xfe'", write_it, &bad_name);
    expect_failure(STATUS_INVALID, "array 'x'", write_it, &twice);
    assert_int_equal(count_files(folder), 0);
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_versions_of_npy_are_read),
        cmocka_unit_test(headers_may_be_spelt_otherwise),
        cmocka_unit_test(fortran_order_is_transposed),
        cmocka_unit_test(big_endian_is_swapped),
        cmocka_unit_test(truth_is_one),
        cmocka_unit_test(all_types_come_back_in_order),
        cmocka_unit_test(all_names_and_shapes_come_back),
        cmocka_unit_test(no_arrays_are_an_archive_too),
        cmocka_unit_test(the_bytes_are_always_the_same),
        cmocka_unit_test(the_simplest_reader_can_read_it),
        cmocka_unit_test(headers_are_numpys),
        cmocka_unit_test(compressed_archives_are_read),
        cmocka_unit_test(what_cannot_be_written_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
