/* Tests of base/arena.h: alignment, zeroing, release order, scopes, lists.
 * Leaks show under AddressSanitizer. */
#include "support/test.h"

#include <string.h>

static void memory_is_zeroed_and_aligned(void **state) {
    (void)state;
    Arena *arena = arena_new();
    for (size_t size = 0; size < 3000000; size = size * 5 / 3 + 1) {
        unsigned char *memory = arena_alloc(arena, size);
        assert_int_equal((uintptr_t)memory % (size < 256 ? 16 : 64), 0);
        for (size_t i = 0; i < size; i++) assert_int_equal(memory[i], 0);
        memset(memory, 0xFF, size); /* what comes next must not overlap */
    }
    arena_free(arena);
}

static void allocations_do_not_overlap(void **state) {
    (void)state;
    enum { COUNT = 2000 };
    Random random = random_new();
    Arena *arena = arena_new();
    unsigned char *blocks[COUNT];
    size_t sizes[COUNT];
    for (int i = 0; i < COUNT; i++) {
        sizes[i] = (size_t)random_below(&random, i % 100 == 0 ? 100000 : 400);
        blocks[i] = arena_alloc(arena, sizes[i]);
        memset(blocks[i], i & 255, sizes[i]);
    }
    for (int i = 0; i < COUNT; i++)
        for (size_t k = 0; k < sizes[i]; k++) assert_int_equal(blocks[i][k], i & 255);
    arena_free(arena);
}

static char released[8];
static void release(void *letter) { strncat(released, letter, 1); }

static void releases_run_last_first(void **state) {
    (void)state;
    released[0] = '\0';
    Arena *arena = arena_new();
    arena_defer(arena, release, "a");
    arena_defer(arena, release, "b");
    arena_defer(arena, release, "c");
    arena_free(arena);
    assert_string_equal(released, "cba");
    arena_free(NULL);
}

static void text_is_copied_and_formatted(void **state) {
    (void)state;
    Arena *arena = arena_new();
    char original[] = "Conv";
    char *copy = arena_copy(arena, original);
    original[0] = 'x';
    assert_string_equal(copy, "Conv");
    assert_string_equal(arena_printf(arena, "%s_%d", copy, 3), "Conv_3");
    assert_int_equal(strlen(arena_printf(arena, "%5000s", "x")), 5000);
    arena_free(arena);
}

static void multiply_too_far(void *unused) {
    (void)unused;
    checked_product(SIZE_MAX / 2, 3);
}

static void allocate_too_much(void *arena) { arena_alloc(arena, SIZE_MAX - 8); }
static void allocate_what_is_not_there(void *arena) { arena_alloc(arena, SIZE_MAX / 4); }

static void too_much_memory_is_an_error(void **state) {
    (void)state;
    Arena *arena = arena_new();
    assert_int_equal(checked_product(SIZE_MAX, 1), SIZE_MAX);
    assert_int_equal(checked_product(SIZE_MAX, 0), 0);
    expect_failure(STATUS_SYSTEM, "out of memory", multiply_too_far, NULL);
    expect_failure(STATUS_SYSTEM, "out of memory", allocate_too_much, arena);
#if !defined(__SANITIZE_ADDRESS__) /* which ends the program instead */
    expect_failure(STATUS_SYSTEM, "out of memory", allocate_what_is_not_there, arena);
#else
    (void)allocate_what_is_not_there;
#endif
    arena_free(arena);
}

static void lists_grow(void **state) {
    (void)state;
    Arena *arena = arena_new();
    LIST(int) list = {0};
    for (int i = 0; i < 1000; i++) list_add(arena, &list, i * i);
    assert_int_equal(list.count, 1000);
    for (int i = 0; i < 1000; i++) assert_int_equal(list.items[i], i * i);
    arena_free(arena);
}

static void work_in_scope(Arena *scratch, void *status) {
    arena_alloc(scratch, 100000);
    arena_defer(scratch, release, "s");
    if (*(Status *)status != STATUS_OK) fail(*(Status *)status, "from inside");
}
static void run_scope(void *status) { arena_scope(work_in_scope, status); }

static void scopes_release_and_pass_failures_on(void **state) {
    (void)state;
    released[0] = '\0';
    Status ok = STATUS_OK, unsupported = STATUS_UNSUPPORTED;
    assert_int_equal(run_quietly(run_scope, &ok), STATUS_OK);
    assert_string_equal(released, "s");
    expect_failure(STATUS_UNSUPPORTED, "from inside", run_scope, &unsupported);
    assert_string_equal(released, "ss");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_aligned),
        cmocka_unit_test(allocations_do_not_overlap),
        cmocka_unit_test(releases_run_last_first),
        cmocka_unit_test(text_is_copied_and_formatted),
        cmocka_unit_test(too_much_memory_is_an_error),
        cmocka_unit_test(lists_grow),
        cmocka_unit_test(scopes_release_and_pass_failures_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
