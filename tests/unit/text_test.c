/* Tests of base/text.h. */
#include "support/test.h"

#include "base/text.h"

#include <string.h>

static void pieces_are_joined(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Text text = text_new(arena);
    assert_string_equal(text.data, "");
    text_add(&text, "y[");
    text_printf(&text, "%d", 12);
    text_add_bytes(&text, "] = 0;zzz", 6);
    text_add_bytes(&text, NULL, 0);
    assert_string_equal(text.data, "y[12] = 0;");
    assert_int_equal(text.length, 10);
    arena_free(arena);
}

/* The examples of RFC 4648, section 10, and bytes with their highest bit. */
static void bytes_become_base64(void **state) {
    (void)state;
    const char *const examples[][2] = {{"", ""},
                                       {"f", "Zg=="},
                                       {"fo", "Zm8="},
                                       {"foo", "Zm9v"},
                                       {"foob", "Zm9vYg=="},
                                       {"fooba", "Zm9vYmE="},
                                       {"foobar", "Zm9vYmFy"},
                                       {"\xff\xfe\xfd", "//79"}};
    Arena *arena = arena_new();
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        Text text = text_new(arena);
        text_add_base64(&text, examples[i][0], strlen(examples[i][0]));
        assert_string_equal(text.data, examples[i][1]);
        assert_int_equal(text.length, strlen(examples[i][1]));
    }
    arena_free(arena);
}

static void long_texts_grow(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Text text = text_new(arena);
    for (int i = 0; i < 10000; i++) text_printf(&text, "%05d", i);
    assert_int_equal(text.length, 50000);
    assert_int_equal(strlen(text.data), 50000);
    assert_memory_equal(text.data + 49995, "09999", 5);
    text_add(&text, text.data); /* its own text, which moves while it is added */
    assert_int_equal(text.length, 100000);
    assert_memory_equal(text.data, text.data + 50000, 50000);
    arena_free(arena);
}

static void sizes_around_the_capacity_fit(void **state) {
    (void)state;
    Arena *arena = arena_new();
    for (int length = 250; length < 262; length++) {
        Text text = text_new(arena);
        text_printf(&text, "%*s", length, "x");
        assert_int_equal(strlen(text.data), length);
        text_add(&text, "y");
        assert_int_equal(strlen(text.data), length + 1);
    }
    arena_free(arena);
}

static void bytes_may_be_zero(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Text text = text_new(arena);
    text_add_bytes(&text, "a\0b", 3);
    assert_int_equal(text.length, 3);
    assert_memory_equal(text.data, "a\0b", 4);
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_joined), cmocka_unit_test(bytes_become_base64),
        cmocka_unit_test(long_texts_grow),   cmocka_unit_test(sizes_around_the_capacity_fit),
        cmocka_unit_test(bytes_may_be_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
