/* Pools against windows walked index by index: one to three dimensions, strides, dilations, pads, ceil_mode, pads that
 * count and pads that do not, indices of maxima, and global pools. */
#include "support/folding.h"
#include "support/numbers.h"

#include <math.h>
#include <string.h>

typedef enum { MAXIMUM, MEAN, NORM } Kind;

typedef struct {
    Kind kind;
    int rank;
    Type type;
    bool ceil_mode, count_pads;
    int64_t p, maps; /* p: of a norm */
    int64_t input[3], kernel[3], stride[3], dilation[3], before[3], after[3], output[3];
} Problem;

static Problem random_problem(Random *random, Kind kind, int rank) {
    Problem p = {.kind = kind, .rank = rank, .type = random_float_type(random), .ceil_mode = random_below(random, 2)};
    p.count_pads = kind == MEAN && random_below(random, 2);
    p.p = random_between(random, 1, 3), p.maps = random_between(random, 1, 3);
    for (int i = 0; i < rank; i++) {
        p.kernel[i] = random_between(random, 1, 4);
        p.stride[i] = random_between(random, 1, 3);
        p.dilation[i] = random_between(random, 1, 2);
        p.before[i] = random_between(random, 0, (int)p.kernel[i] - 1); /* so that each window sees the input */
        p.after[i] = random_between(random, 0, (int)p.kernel[i] - 1);
        int64_t span = (p.kernel[i] - 1) * p.dilation[i] + 1;
        p.input[i] = span + random_between(random, 0, 8);
        if (p.ceil_mode && p.dilation[i] == 1 && random_below(random, 4) == 0) /* one window, larger than its input */
            p.input[i] = random_between(random, 1, (int)span);
        int64_t slack = p.input[i] + p.before[i] + p.after[i] - span;
        if (slack <= -p.stride[i]) p.after[i] += 1 - p.stride[i] - slack, slack = 1 - p.stride[i];
        p.output[i] = slack / p.stride[i] + 1;
        if (p.ceil_mode && slack > 0 && slack % p.stride[i] != 0 &&
            p.output[i] * p.stride[i] < p.input[i] + p.before[i])
            p.output[i]++;
    }
    return p;
}

static void split(int64_t number, int rank, const int64_t *base, int64_t *digits) {
    for (int i = rank - 1; i >= 0; i--) {
        digits[i] = number % base[i];
        number /= base[i];
    }
}

typedef struct {
    double result;
    int64_t index; /* of the maximum, in a map */
} Reduced;

/* The window of output `pixel` in a map, walked tap by tap. */
static Reduced reduce(const Problem *p, const double *map, int64_t pixel) {
    int64_t at[3], taps[3], counted = 0;
    double largest = -INFINITY, sum = 0, powers = 0;
    Reduced reduced = {.index = -1};
    split(pixel, p->rank, p->output, at);
    for (int64_t t = 0; t < dims_count(p->rank, p->kernel); t++) {
        int64_t index = 0;
        bool inside = true, on_pads = true;
        split(t, p->rank, p->kernel, taps);
        for (int i = 0; i < p->rank; i++) {
            int64_t position = at[i] * p->stride[i] - p->before[i] + taps[i] * p->dilation[i];
            if (position < 0 || position >= p->input[i]) inside = false;
            if (position >= p->input[i] + p->after[i]) on_pads = false;
            index = index * p->input[i] + position;
        }
        if (p->count_pads ? on_pads : inside) counted++;
        if (!inside) continue;
        if (map[index] > largest) largest = map[index], reduced.index = index;
        sum += map[index];
        powers += pow(fabs(map[index]), (double)p->p);
    }
    reduced.result = p->kind == MAXIMUM ? largest
                     : p->kind == MEAN  ? sum / (double)counted
                                        : pow(powers, 1 / (double)p->p);
    return reduced;
}

static Folding *begin(const Problem *p, Random *random, double **x) {
    static const char *const names[] = {"MaxPool", "AveragePool", "LpPool"};
    Folding *folding = folding_begin(names[p->kind], 22);
    int64_t dims[5] = {p->maps, 2}, pads[6];
    for (int i = 0; i < p->rank; i++) {
        dims[i + 2] = p->input[i];
        pads[i] = p->before[i], pads[i + p->rank] = p->after[i];
    }
    *x = random_numbers(random, folding->arena, dims_count(p->rank + 2, dims));
    folding_input(folding, p->type, dims_text(folding->arena, p->rank + 2, dims), *x);
    node_set_ints(folding->node, "kernel_shape", p->kernel, p->rank);
    node_set_ints(folding->node, "strides", p->stride, p->rank);
    node_set_ints(folding->node, "dilations", p->dilation, p->rank);
    node_set_ints(folding->node, "pads", pads, 2 * p->rank);
    node_set_int(folding->node, "ceil_mode", p->ceil_mode);
    if (p->kind == MEAN) node_set_int(folding->node, "count_include_pad", p->count_pads);
    if (p->kind == NORM) node_set_int(folding->node, "p", p->p);
    return folding;
}

static void check(Random *random, const Problem *p, bool indices) {
    double *x;
    Folding *folding = begin(p, random, &x);
    Graph *graph = folding->node->graph;
    Value *places = indices ? graph_value(graph, "indices") : NULL;
    if (indices) list_add(folding->arena, &folding->node->outputs, places);
    int64_t dims[5] = {p->maps, 2}, size = dims_count(p->rank, p->input), pixels = dims_count(p->rank, p->output);
    for (int i = 0; i < p->rank; i++) dims[i + 2] = p->output[i];
    double *y = arena_new_array(folding->arena, double, (size_t)(p->maps * 2 * pixels));
    int64_t *expected = arena_new_array(folding->arena, int64_t, (size_t)(p->maps * 2 * pixels));
    for (int64_t i = 0; i < p->maps * 2 * pixels; i++) {
        Reduced reduced = reduce(p, x + i / pixels * size, i % pixels);
        y[i] = reduced.result;
        expected[i] = i / pixels * size + reduced.index;
    }
    if (indices) {
        folding_end(folding);
        assert_non_null(places->constant);
        for (int64_t i = 0; i < p->maps * 2 * pixels; i++)
            assert_int_equal(tensor_int(places->constant, i), expected[i]);
    }
    assert_folds(folding, p->type, dims_text(folding->arena, p->rank + 2, dims), y, 2 * type_tolerance(p->type));
}

static void test_windows(void **state) {
    (void)state;
    Random random = random_new();
    for (int i = 0; i < 600; i++) {
        Problem problem = random_problem(&random, (Kind)(i % 3), 1 + i / 3 % 3);
        check(&random, &problem, false);
    }
}

static void test_indices(void **state) {
    (void)state;
    Random random = random_new();
    for (int i = 0; i < 100; i++) {
        Problem problem = random_problem(&random, MAXIMUM, 1 + i % 3);
        check(&random, &problem, true);
    }
}

/* NaN is the maximum wherever it is; integers have their own least value. */
static void test_special_maxima(void **state) {
    (void)state;
    Folding *folding = folding_begin("MaxPool", 12);
    folding_input(folding, TYPE_FLOAT, "1x1x6", (double[]){NAN, 1, 2, NAN, -INFINITY, -INFINITY});
    node_set_ints(folding->node, "kernel_shape", (int64_t[]){2}, 1);
    assert_folds(folding, TYPE_FLOAT, "1x1x5", (double[]){NAN, 2, NAN, NAN, -INFINITY}, 0);
    folding = folding_begin("MaxPool", 12);
    folding_input(folding, TYPE_INT8, "1x1x3", (double[]){-128, -127, -128});
    node_set_ints(folding->node, "kernel_shape", (int64_t[]){3}, 1);
    node_set_ints(folding->node, "pads", (int64_t[]){2, 0}, 2);
    assert_folds(folding, TYPE_INT8, "1x1x3", (double[]){-128, -127, -127}, 0);
    folding = folding_begin("MaxPool", 12);
    folding_input(folding, TYPE_UINT8, "1x1x3", (double[]){0, 255, 7});
    node_set_ints(folding->node, "kernel_shape", (int64_t[]){2}, 1);
    assert_folds(folding, TYPE_UINT8, "1x1x2", (double[]){255, 255}, 0);
}

static void check_global(Random *random, Kind kind) {
    static const char *const names[] = {"GlobalMaxPool", "GlobalAveragePool", "GlobalLpPool"};
    Folding *folding = folding_begin(names[kind], 22);
    Type type = random_float_type(random);
    int64_t dims[] = {random_between(random, 1, 3), random_between(random, 1, 3), random_between(random, 1, 9),
                      random_between(random, 1, 9)};
    int64_t maps = dims[0] * dims[1], size = dims[2] * dims[3];
    double *x = random_numbers(random, folding->arena, maps * size),
           *y = arena_new_array(folding->arena, double, (size_t)maps);
    folding_input(folding, type, dims_text(folding->arena, 4, dims), x);
    if (kind == NORM) node_set_int(folding->node, "p", 3);
    for (int64_t i = 0; i < maps; i++) {
        y[i] = kind == MAXIMUM ? -INFINITY : 0;
        for (int64_t k = i * size; k < (i + 1) * size; k++)
            y[i] = kind == MAXIMUM ? fmax(y[i], x[k])
                   : kind == MEAN  ? y[i] + x[k] / (double)size
                                   : y[i] + pow(fabs(x[k]), 3);
        if (kind == NORM) y[i] = cbrt(y[i]);
    }
    dims[2] = dims[3] = 1;
    assert_folds(folding, type, dims_text(folding->arena, 4, dims), y, 2 * type_tolerance(type));
}

static void test_global(void **state) {
    (void)state;
    Random random = random_new();
    for (int i = 0; i < 150; i++) check_global(&random, (Kind)(i % 3));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_indices),
        cmocka_unit_test(test_special_maxima),
        cmocka_unit_test(test_global),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
