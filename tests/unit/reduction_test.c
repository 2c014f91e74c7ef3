/* Reductions, positions of extremes and cumulative sums: every form against loops that only use indices, and the cases
 * in which there is nothing, infinity, or NaN to reduce. */
#include "support/folding.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static uint64_t seed;

static int below(int limit) { /* a random number in [0, limit) */
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (int)((seed >> 33) % (uint64_t)limit);
}

typedef struct {
    const char *op;
    double (*add)(double sum, double x);
    double (*finish)(double sum, int count);
    double initial;
    int axes_input_since; /* the opset in which axes became an input */
} Case;

static double plus(double sum, double x) { return sum + x; }
static double times(double product, double x) { return product * x; }
static double plus_square(double sum, double x) { return sum + x * x; }
static double plus_absolute(double sum, double x) { return sum + fabs(x); }
static double plus_exp(double sum, double x) { return sum + exp(x); }
static double same(double sum, int count) { return (void)count, sum; }
static double mean(double sum, int count) { return sum / count; }
static double root(double sum, int count) { return (void)count, sqrt(sum); }
static double logarithm(double sum, int count) { return (void)count, log(sum); }

static const Case cases[] = {
    {"ReduceSum", plus, same, 0, 13},         {"ReduceMean", plus, mean, 0, 18},
    {"ReduceMax", fmax, same, -INFINITY, 18}, {"ReduceMin", fmin, same, INFINITY, 18},
    {"ReduceProd", times, same, 1, 18},       {"ReduceL1", plus_absolute, same, 0, 18},
    {"ReduceL2", plus_square, root, 0, 18},   {"ReduceSumSquare", plus_square, same, 0, 18},
    {"ReduceLogSum", plus, logarithm, 0, 18}, {"ReduceLogSumExp", plus_exp, logarithm, 0, 18},
};

enum { CASES = sizeof cases / sizeof *cases };

/* A random tensor and which of its axes to reduce. */
typedef struct {
    int rank, dims[4], count;
    bool reduced[4], keep;
    double data[625];
} Problem;

static Problem random_problem(void) {
    Problem p = {.rank = 1 + below(4), .count = 1, .keep = below(2)};
    for (int d = 0; d < p.rank; d++) {
        p.dims[d] = 1 + below(5);
        p.reduced[d] = below(2);
        p.count *= p.dims[d];
    }
    for (int i = 0; i < p.count; i++) p.data[i] = (1 + below(15)) / 8.0; /* exact, and no sum is negative */
    return p;
}

/* The place in the result, where every reduced axis has one element, of element i. */
static int place(const Problem *p, int i) {
    int index[4], at = 0;
    for (int d = p->rank - 1; d >= 0; d--) {
        index[d] = i % p->dims[d];
        i /= p->dims[d];
    }
    for (int d = 0; d < p->rank; d++)
        if (!p->reduced[d]) at = at * p->dims[d] + index[d];
    return at;
}

/* The result of a case, elements in order. */
static void solve(const Problem *p, const Case *c, double *result) {
    int kept = 1;
    for (int d = 0; d < p->rank; d++) kept *= p->reduced[d] ? 1 : p->dims[d];
    for (int k = 0; k < kept; k++) result[k] = c->initial;
    for (int i = 0; i < p->count; i++) result[place(p, i)] = c->add(result[place(p, i)], p->data[i]);
    for (int k = 0; k < kept; k++) result[k] = c->finish(result[k], p->count / kept);
}

/* "2x3", of the input or of the result. */
static void write_shape(const Problem *p, bool of_result, char *text) {
    const char *separator = "";
    *text = '\0';
    for (int d = 0; d < p->rank; d++) {
        bool reduced = of_result && p->reduced[d];
        if (reduced && !p->keep) continue;
        text += sprintf(text, "%s%d", separator, reduced ? 1 : p->dims[d]);
        separator = "x";
    }
}

static int reduced_axes(const Problem *p, int64_t *axes) {
    int count = 0;
    for (int d = 0; d < p->rank; d++)
        if (p->reduced[d]) axes[count++] = below(2) ? d : d - p->rank; /* negative ones count from the end */
    return count;
}

static Folding *reduction(const Problem *p, const Case *c, Type type, int opset) {
    char shape[64], count[12];
    int64_t axes[4];
    int reduced = reduced_axes(p, axes);
    write_shape(p, false, shape);
    Folding *folding = folding_begin(c->op, opset);
    folding_input(folding, type, shape, p->data);
    node_set_int(folding->node, "keepdims", p->keep);
    if (opset >= c->axes_input_since) {
        sprintf(count, "%d", reduced);
        node_set_int(folding->node, "noop_with_empty_axes", 1);
        folding_input_ints(folding, TYPE_INT64, count, axes);
    } else if (reduced > 0) {
        node_set_ints(folding->node, "axes", axes, reduced);
    }
    return folding;
}

static void every_form_agrees_with_plain_loops(void **state) {
    (void)state;
    static const int opsets[] = {7, 11, 13, 18, 28};
    static const struct {
        Type type;
        double tolerance;
    } types[] = {{TYPE_DOUBLE, 1e-12}, {TYPE_FLOAT, 1e-5}, {TYPE_FLOAT16, 2e-3}, {TYPE_BFLOAT16, 1e-2}};
    seed = (uint64_t)time(NULL);
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int i = 0; i < 2000; i++) {
        Problem p = random_problem();
        const Case *c = &cases[i % CASES];
        int opset = opsets[below(5)], t = below(opset < 13 ? 3 : 4);
        double expected[625];
        char shape[64];
        bool any = false;
        for (int d = 0; d < p.rank; d++) any |= p.reduced[d];
        if (!any && opset < c->axes_input_since) /* no attribute means all */
            for (int d = 0; d < p.rank; d++) p.reduced[d] = true;
        solve(&p, c, expected);
        if (types[t].type == TYPE_FLOAT16 && strcmp(c->op, "ReduceProd") == 0) continue; /* overflows */
        write_shape(&p, true, shape);
        assert_folds(reduction(&p, c, types[t].type, opset), types[t].type, shape, expected, types[t].tolerance);
    }
}

static void integers_are_reduced_as_integers(void **state) {
    (void)state;
    static const struct {
        const char *op;
        Type type;
        int64_t expected;
    } integer_cases[] = {
        {"ReduceSum", TYPE_INT32, INT32_MIN + 1},
        {"ReduceProd", TYPE_INT32, 8},
        {"ReduceMax", TYPE_INT32, INT32_MAX},
        {"ReduceMin", TYPE_INT32, -2},
        {"ReduceSumSquare", TYPE_INT64, 4611686014132420621},
        {"ReduceL1", TYPE_INT64, 2147483653},
    };
    static const int64_t x[] = {INT32_MAX, 2, 2, -2};
    for (size_t i = 0; i < sizeof integer_cases / sizeof *integer_cases; i++) {
        Folding *folding = folding_begin(integer_cases[i].op, 18);
        node_set_int(folding->node, "keepdims", 0);
        folding_input_ints(folding, integer_cases[i].type, "4", x);
        assert_folds_ints(folding, integer_cases[i].type, "", &integer_cases[i].expected);
    }
    Folding *folding = folding_begin("ReduceMean", 18);
    folding_input_ints(folding, TYPE_INT32, "2", (int64_t[]){-3, -4});
    assert_folds_ints(folding, TYPE_INT32, "1", (int64_t[]){-3});
    folding = folding_begin("ReduceL2", 18);
    folding_input_ints(folding, TYPE_UINT32, "2", (int64_t[]){3, 4});
    assert_folds_ints(folding, TYPE_UINT32, "1", (int64_t[]){5});
    folding = folding_begin("ReduceMax", 20);
    folding_input_ints(folding, TYPE_BOOL, "3", (int64_t[]){0, 1, 0});
    assert_folds_ints(folding, TYPE_BOOL, "1", (int64_t[]){1});
}

static void nothing_gives_the_identity(void **state) {
    (void)state;
    static const double expected[CASES] = {0, NAN, -INFINITY, INFINITY, 1, 0, 0, 0, -INFINITY, -INFINITY};
    for (int i = 0; i < CASES; i++) {
        Folding *folding = folding_begin(cases[i].op, 18);
        folding_input(folding, TYPE_FLOAT, "2x0", NULL);
        folding_input_ints(folding, TYPE_INT64, "1", (int64_t[]){1});
        assert_folds(folding, TYPE_FLOAT, "2x1", (double[]){expected[i], expected[i]}, 0);
    }
    Folding *folding = folding_begin("ReduceMax", 18);
    folding_input_ints(folding, TYPE_INT8, "0", NULL);
    assert_folds_ints(folding, TYPE_INT8, "1", (int64_t[]){-128});
    folding = folding_begin("ReduceMin", 18);
    folding_input_ints(folding, TYPE_UINT64, "0", NULL);
    assert_folds_ints(folding, TYPE_UINT64, "1", (int64_t[]){-1});
    folding = folding_begin("ReduceSum", 13); /* no result either */
    folding_input(folding, TYPE_FLOAT, "0x2", NULL);
    folding_input_ints(folding, TYPE_INT64, "1", (int64_t[]){1});
    assert_folds(folding, TYPE_FLOAT, "0x1", NULL, 0);
}

static void nan_and_infinity(void **state) {
    (void)state;
    static const double rows[] = {NAN, 1, 1, NAN, -INFINITY, -INFINITY, INFINITY, 1, 1000, 1000, -1000, -1000};
    Folding *folding = folding_begin("ReduceLogSumExp", 18);
    folding_input(folding, TYPE_FLOAT, "6x2", rows);
    folding_input_ints(folding, TYPE_INT64, "1", (int64_t[]){-1});
    assert_folds(folding, TYPE_FLOAT, "6x1", (double[]){NAN, NAN, -INFINITY, INFINITY, 1000 + log(2), -1000 + log(2)},
                 1e-6);
    for (int k = 0; k < 2; k++) {
        folding = folding_begin(k == 0 ? "ReduceMax" : "ReduceMin", 18);
        folding_input(folding, TYPE_FLOAT, "6x2", rows);
        folding_input_ints(folding, TYPE_INT64, "1", (int64_t[]){-1});
        assert_folds(folding, TYPE_FLOAT, "6x1", (double[]){NAN, NAN, -INFINITY, k == 0 ? INFINITY : 1, 1000, -1000},
                     0);
    }
}

static void scalars_and_eight_dimensions(void **state) {
    (void)state;
    Folding *folding = folding_begin("ReduceSumSquare", 18);
    folding_input(folding, TYPE_FLOAT, "", (double[]){3});
    assert_folds(folding, TYPE_FLOAT, "", (double[]){9}, 0);
    folding = folding_begin("ReduceSumSquare", 18);
    node_set_int(folding->node, "noop_with_empty_axes", 1);
    folding_input(folding, TYPE_FLOAT, "1x1x2x1x1x1x1x2", (double[]){1, 2, 3, 4});
    assert_folds(folding, TYPE_FLOAT, "1x1x2x1x1x1x1x2", (double[]){1, 4, 9, 16}, 0);
}

static void wrong_axes_are_refused(void **state) {
    (void)state;
    Folding *folding = folding_begin("ReduceSum", 13);
    folding_input(folding, TYPE_FLOAT, "2x2", (double[]){1, 2, 3, 4});
    folding_input_ints(folding, TYPE_INT64, "1", (int64_t[]){2});
    assert_folding_fails(folding, STATUS_INVALID, "axis 2 is out of range for 2 dimensions");
    folding = folding_begin("ReduceSum", 13);
    folding_input(folding, TYPE_FLOAT, "2x2", (double[]){1, 2, 3, 4});
    folding_input_ints(folding, TYPE_INT64, "2", (int64_t[]){0, -2});
    assert_folding_fails(folding, STATUS_INVALID, "axis 0 is given twice");
    folding = folding_begin("ReduceSum", 13);
    node_set_ints(folding->node, "axes", (int64_t[]){0}, 1);
    folding_input(folding, TYPE_FLOAT, "2", (double[]){1, 2});
    assert_folding_fails(folding, STATUS_INVALID, "attribute 'axes' is not one of this operator in version 13");
}

static void check_arg(const char *op, int last, Type type, const double *x, const int64_t *expected) {
    Folding *folding = folding_begin(op, 13);
    node_set_int(folding->node, "axis", -1);
    node_set_int(folding->node, "keepdims", 0);
    node_set_int(folding->node, "select_last_index", last);
    folding_input(folding, type, "4x3", x);
    assert_folds_ints(folding, TYPE_INT64, "4", expected);
}

static void positions_of_extremes(void **state) {
    (void)state;
    static const double x[] = {1, 3, 3, 2, 2, 5, -1, -1, -1, 4, 0, 0};
    static const Type types[] = {TYPE_FLOAT, TYPE_DOUBLE, TYPE_FLOAT16, TYPE_BFLOAT16, TYPE_INT8, TYPE_INT64};
    for (int t = 0; t < 6; t++) {
        check_arg("ArgMax", 0, types[t], x, (int64_t[]){1, 2, 0, 0});
        check_arg("ArgMax", 1, types[t], x, (int64_t[]){2, 2, 2, 0});
        check_arg("ArgMin", 0, types[t], x, (int64_t[]){0, 0, 0, 1});
        check_arg("ArgMin", 1, types[t], x, (int64_t[]){0, 1, 2, 2});
    }
    static const double with_nan[] = {1, NAN, 3, NAN, NAN, 5, 7, 8, NAN, NAN, 0, 0};
    for (int k = 0; k < 2; k++) {
        check_arg(k == 0 ? "ArgMax" : "ArgMin", 0, TYPE_FLOAT, with_nan, (int64_t[]){1, 0, 2, 0});
        check_arg(k == 0 ? "ArgMax" : "ArgMin", 1, TYPE_FLOAT, with_nan, (int64_t[]){1, 1, 2, 0});
    }
    Folding *folding = folding_begin("ArgMax", 13); /* axis 0, kept */
    folding_input(folding, TYPE_FLOAT, "2x2", (double[]){1, 4, 3, 2});
    assert_folds_ints(folding, TYPE_INT64, "1x2", (int64_t[]){1, 0});
    folding = folding_begin("ArgMax", 13);
    folding_input(folding, TYPE_FLOAT, "0x2", NULL);
    assert_folding_fails(folding, STATUS_INVALID, "there is no element along axis 0");
}

static void cumulative_sums_and_products(void **state) {
    (void)state;
    static const double x[] = {1, 2, 3, 4, 5, 6};
    static const struct {
        int64_t axis;
        int exclusive, reverse;
        double sum[6], product[6];
    } forms[] = {
        {1, 0, 0, {1, 3, 6, 4, 9, 15}, {1, 2, 6, 4, 20, 120}},  {-1, 1, 0, {0, 1, 3, 0, 4, 9}, {1, 1, 2, 1, 4, 20}},
        {1, 0, 1, {6, 5, 3, 15, 11, 6}, {6, 6, 3, 120, 30, 6}}, {1, 1, 1, {5, 3, 0, 11, 6, 0}, {6, 3, 1, 30, 6, 1}},
        {0, 0, 0, {1, 2, 3, 5, 7, 9}, {1, 2, 3, 4, 10, 18}},
    };
    static const Type types[] = {TYPE_FLOAT, TYPE_FLOAT16, TYPE_INT32, TYPE_UINT64};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        for (int t = 0; t < 4; t++)
            for (int product = 0; product < 2; product++) {
                Folding *folding = folding_begin(product ? "CumProd" : "CumSum", 26);
                node_set_int(folding->node, "exclusive", forms[i].exclusive);
                node_set_int(folding->node, "reverse", forms[i].reverse);
                folding_input(folding, types[t], "2x3", x);
                folding_input_ints(folding, TYPE_INT64, "", &forms[i].axis);
                assert_folds(folding, types[t], "2x3", product ? forms[i].product : forms[i].sum, 0);
            }
    Folding *folding = folding_begin("CumSum", 14);
    folding_input_ints(folding, TYPE_INT32, "2", (int64_t[]){INT32_MAX, 1});
    folding_input_ints(folding, TYPE_INT32, "", (int64_t[]){0});
    assert_folds_ints(folding, TYPE_INT32, "2", (int64_t[]){INT32_MAX, INT32_MIN});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_agrees_with_plain_loops),
        cmocka_unit_test(integers_are_reduced_as_integers),
        cmocka_unit_test(nothing_gives_the_identity),
        cmocka_unit_test(nan_and_infinity),
        cmocka_unit_test(scalars_and_eight_dimensions),
        cmocka_unit_test(wrong_axes_are_refused),
        cmocka_unit_test(positions_of_extremes),
        cmocka_unit_test(cumulative_sums_and_products),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
