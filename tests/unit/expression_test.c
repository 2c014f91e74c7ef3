/* Tests of program/expression.h: precedence, division as C has it, names, and what is refused. */
#include "support/test.h"

#include "program/expression.h"

#include <string.h>

/* N is 70, ROWS is 6. */
static int64_t value_of(const char *name, size_t length, const void *argument) {
    (void)argument;
    if (length == 1 && *name == 'N') return 70;
    assert_true(length == strlen("ROWS") && memcmp(name, "ROWS", length) == 0);
    return 6;
}

static int64_t value(const char *text) { return expression_value(text, value_of, NULL); }

static void values(void **state) {
    (void)state;
    enum { N = 70, ROWS = 6 };
#define CHECK(expression) assert_true(value(#expression) == (expression))
    CHECK(7);
    CHECK(N);
    CHECK(N + 2 * ROWS);
    CHECK((N + 2) * ROWS);
    CHECK((N + 15) / 16 * 16);
    CHECK(N / ROWS * ROWS);
    CHECK(N % ROWS * 2);
    CHECK(N - 1 - 2);
    CHECK(3 - N / 4);
    CHECK(((N)) / (ROWS - 4));
#undef CHECK
}

static void parse(void *text) { value(text); }

static void refusals(void **state) {
    (void)state;
    static const char *const wrong[] = {"", "N +", "(N", "N)", "N N", "* N", "N ? 1 : 2"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        expect_failure(STATUS_BUG, "is no expression", parse, (void *)(uintptr_t)wrong[i]);
    expect_failure(STATUS_BUG, "divides by zero", parse, "N / (ROWS - 6)");
    expect_failure(STATUS_UNSUPPORTED, "too large", parse, "9223372036854775807 + N");
    expect_failure(STATUS_UNSUPPORTED, "too large", parse, "9223372036854775807 * N");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(values), cmocka_unit_test(refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
