/* Tests of graph/types.h: the table is consistent, words mean the sets they say. */
#include "support/test.h"

#include "graph/types.h"

#include <stdlib.h>
#include <string.h>

static void every_type_is_described(void **state) {
    (void)state;
    for (int i = TYPE_NONE + 1; i < TYPE_COUNT; i++) {
        const TypeInfo *info = type_info((Type)i);
        assert_int_equal(type_from_name(info->name), i);
        assert_true(info->class != CLASS_NONE && info->bits > 0);
        assert_int_equal(info->bytes, (info->bits + 7) / 8); /* less than a byte is kept in one */
        assert_int_equal(type_info(info->compute)->compute, info->compute);
        if (info->npy != NULL) assert_int_equal(atoi(info->npy + 2), info->bytes);
        if (info->npy != NULL) assert_int_equal(info->npy[0], info->bytes == 1 ? '|' : '<');
        for (int k = TYPE_NONE + 1; k < i; k++) assert_string_not_equal(type_info((Type)k)->suffix, info->suffix);
    }
}

static void what_is_no_type_is_none(void **state) {
    (void)state;
    assert_ptr_equal(type_info((Type)-1), type_info(TYPE_NONE));
    assert_ptr_equal(type_info(TYPE_COUNT), type_info(TYPE_NONE));
    assert_int_equal(type_from_name("none"), TYPE_NONE);
    assert_int_equal(type_from_name("float33"), TYPE_NONE);
    assert_int_equal(type_from_name(""), TYPE_NONE);
}

static void words_are_sets(void **state) {
    (void)state;
    assert_int_equal(type_set_parse("float"), TYPE_BIT(TYPE_FLOAT));
    assert_int_equal(type_set_parse("float int32|int64"),
                     TYPE_BIT(TYPE_FLOAT) | TYPE_BIT(TYPE_INT32) | TYPE_BIT(TYPE_INT64));
    assert_int_equal(type_set_parse("integers"), type_set_parse("signed unsigned"));
    assert_int_equal(type_set_parse("numeric"), type_set_parse("integers|floats"));
    assert_int_equal(type_set_parse("all"), type_set_parse("plain complex string"));
    assert_int_equal(type_set_parse("all") & TYPE_BIT(TYPE_NONE), 0);
    assert_int_equal(type_set_parse("  bool  "), TYPE_BIT(TYPE_BOOL));
    for (int i = TYPE_NONE + 1; i < TYPE_COUNT; i++) assert_true(type_set_parse("all") & TYPE_BIT(i));
}

static void unknown_words_are_no_set(void **state) {
    (void)state;
    assert_int_equal(type_set_parse(""), 0);
    assert_int_equal(type_set_parse("floot"), 0);
    assert_int_equal(type_set_parse("float floot"), 0);
    assert_int_equal(type_set_parse("none"), 0);
    assert_int_equal(type_set_parse("a_word_that_is_longer_than_any_that_is_known"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_described),
        cmocka_unit_test(what_is_no_type_is_none),
        cmocka_unit_test(words_are_sets),
        cmocka_unit_test(unknown_words_are_no_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
