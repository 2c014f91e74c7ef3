/* Softmax, LogSoftmax and Hardmax against sums over all indices, with the axes of both sorts of opset, and rows that
 * overflow, underflow or hold infinities. */
#include "support/folding.h"
#include "support/numbers.h"

#include <math.h>
#include <string.h>

typedef enum { SOFTMAX, LOG_SOFTMAX, HARDMAX } Kind;

static const char *const names[] = {"Softmax", "LogSoftmax", "Hardmax"};

/* One row of `count` elements, `step` apart. */
static void row(Kind kind, const double *x, double *y, int64_t count, int64_t step) {
    double largest = -INFINITY, sum = 0;
    int64_t first = 0;
    for (int64_t i = 0; i < count; i++)
        if (x[i * step] > largest) largest = x[i * step], first = i;
    for (int64_t i = 0; i < count; i++) sum += exp(x[i * step] - largest);
    for (int64_t i = 0; i < count; i++) {
        double logarithm = x[i * step] - largest - log(sum);
        y[i * step] = kind == HARDMAX ? i == first : kind == SOFTMAX ? exp(logarithm) : logarithm;
    }
}

static void check(Random *random, Kind kind) {
    int opset = random_below(random, 2) ? 11 : 13, rank = random_between(random, 1, 4);
    Folding *folding = folding_begin(names[kind], opset);
    Type type = random_float_type(random);
    int64_t dims[4];
    for (int i = 0; i < rank; i++) dims[i] = random_between(random, 1, i == rank - 1 ? 40 : 4);
    int64_t count = dims_count(rank, dims);
    int axis = random_between(random, -rank, rank - 1), from = axis < 0 ? axis + rank : axis;
    bool given = random_below(random, 4) > 0;
    if (!given) from = opset < 13 ? (rank > 1 ? 1 : rank) : rank - 1; /* axis 1 of one dimension: nothing in a row */
    double *x = random_numbers(random, folding->arena, count),
           *y = arena_new_array(folding->arena, double, (size_t)count);
    folding_input(folding, type, dims_text(folding->arena, rank, dims), x);
    if (given) node_set_int(folding->node, "axis", axis);
    int64_t inner = opset < 13 || from == rank ? 1 : dims_count(rank - from - 1, dims + from + 1);
    int64_t length = dims_count(rank - from, dims + from) / inner;
    for (int64_t i = 0; i < count / length; i++) {
        int64_t at = i / inner * length * inner + i % inner;
        row(kind, x + at, y + at, length, inner);
    }
    assert_folds(folding, type, dims_text(folding->arena, rank, dims), y, type_tolerance(type));
}

static void test_random(void **state) {
    (void)state;
    Random random = random_new();
    for (int i = 0; i < 450; i++) check(&random, (Kind)(i % 3));
}

static void check_row(Kind kind, const double *x, const double *expected) {
    Folding *folding = folding_begin(names[kind], 13);
    folding_input(folding, TYPE_FLOAT, "3", x);
    assert_folds(folding, TYPE_FLOAT, "3", expected, 1e-6);
}

static void test_extremes(void **state) {
    (void)state;
    check_row(SOFTMAX, (double[]){1e30, 1e30, -1e30}, (double[]){0.5, 0.5, 0});
    check_row(SOFTMAX, (double[]){-1e30, -1e30, -1e30}, (double[]){1 / 3.0, 1 / 3.0, 1 / 3.0});
    check_row(SOFTMAX, (double[]){-INFINITY, 0, -INFINITY}, (double[]){0, 1, 0});
    check_row(SOFTMAX, (double[]){-INFINITY, -INFINITY, -INFINITY}, (double[]){NAN, NAN, NAN});
    check_row(SOFTMAX, (double[]){1, NAN, 2}, (double[]){NAN, NAN, NAN});
    check_row(LOG_SOFTMAX, (double[]){1000, 0, 0}, (double[]){0, -1000, -1000});
    check_row(LOG_SOFTMAX, (double[]){0, -INFINITY, -INFINITY}, (double[]){0, -INFINITY, -INFINITY});
    check_row(HARDMAX, (double[]){2, 3, 3}, (double[]){0, 1, 0});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
