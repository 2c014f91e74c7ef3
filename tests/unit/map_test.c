/* Tests of base/map.h. */
#include "support/test.h"

#include "base/map.h"

#include <stdio.h>
#include <string.h>

static void values_are_found_and_replaced(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Map map = map_new(arena);
    assert_null(map_get(&map, "x"));
    int first = 1, second = 2;
    char name[] = "x";
    map_set(&map, name, &first);
    name[0] = 'y'; /* the map has its own copy */
    assert_ptr_equal(map_get(&map, "x"), &first);
    assert_null(map_get(&map, "y"));
    map_set(&map, "x", &second);
    assert_ptr_equal(map_get(&map, "x"), &second);
    map_set(&map, "", &first);
    assert_ptr_equal(map_get(&map, ""), &first);
    arena_free(arena);
}

static void check_order(const char *name, void *value, void *next) {
    char expected[16];
    snprintf(expected, sizeof expected, "name%d", *(int *)next);
    assert_string_equal(name, expected);
    assert_int_equal((intptr_t)value, ++*(int *)next);
}

static void many_names_keep_their_order(void **state) {
    (void)state;
    enum { COUNT = 20000 };
    Arena *arena = arena_new();
    Map map = map_new(arena);
    for (int i = 0; i < COUNT; i++) map_set(&map, arena_printf(arena, "name%d", i), (void *)(intptr_t)(i + 1));
    for (int i = 0; i < COUNT; i++) assert_int_equal((intptr_t)map_get(&map, arena_printf(arena, "name%d", i)), i + 1);
    map_set(&map, "name0", (void *)(intptr_t)1); /* setting again does not move it */
    int next = 0;
    map_each(&map, check_order, &next);
    assert_int_equal(next, COUNT);
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_found_and_replaced),
        cmocka_unit_test(many_names_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
