/* Tests of base/checked.h against the compiler's own overflow checks. */
#include "support/test.h"

#include "base/checked.h"

static void check(int64_t a, int64_t b) {
    int64_t result = 42, expected;
    bool fits = !__builtin_add_overflow(a, b, &expected);
    assert_int_equal(checked_add(a, b, &result), fits);
    assert_true(result == (fits ? expected : 42));
    result = 42;
    fits = !__builtin_mul_overflow(a, b, &expected);
    assert_int_equal(checked_multiply(a, b, &result), fits);
    assert_true(result == (fits ? expected : 42));
}

static void corners(void **state) {
    (void)state;
    static const int64_t values[] = {0,
                                     1,
                                     -1,
                                     2,
                                     -2,
                                     3,
                                     INT64_MAX,
                                     INT64_MIN,
                                     INT32_MAX,
                                     INT32_MIN,
                                     UINT32_MAX,
                                     INT64_MAX - 1,
                                     INT64_MIN + 1,
                                     INT64_MAX / 2,
                                     INT64_MIN / 2,
                                     INT64_MAX / 3,
                                     3037000499,
                                     3037000500,
                                     -3037000499,
                                     -3037000500};
    enum { COUNT = sizeof values / sizeof *values };
    for (int i = 0; i < COUNT; i++)
        for (int k = 0; k < COUNT; k++) check(values[i], values[k]);
}

static void random_numbers(void **state) {
    (void)state;
    Random random = random_new();
    for (int i = 0; i < 300000; i++) {
        int64_t a = (int64_t)random_next(&random) >> random_below(&random, 64);
        int64_t b = (int64_t)random_next(&random) >> random_below(&random, 64);
        check(a, b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(corners), cmocka_unit_test(random_numbers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
