/* Conv and ConvTranspose against sums over all indices: one to three dimensions, groups, depthwise, strides, dilations,
 * pads of every kind, with and without bias, in all float types. */
#include "support/folding.h"
#include "support/numbers.h"

#include <string.h>

typedef struct {
    int rank; /* spatial dimensions */
    Type type;
    bool biased;
    int64_t batch, groups, channels, outputs; /* channels and outputs of a group */
    int64_t input[3], kernel[3], stride[3], dilation[3], before[3], after[3], output[3];
    const char *auto_pad;
} Problem;

static int64_t span(const Problem *p, int i) { return (p->kernel[i] - 1) * p->dilation[i] + 1; }

/* The pads and sizes that ONNX defines for auto_pad. */
static void settle(Problem *p, int i) {
    int64_t total = 0;
    if (strncmp(p->auto_pad, "SAME", 4) == 0) {
        p->output[i] = (p->input[i] + p->stride[i] - 1) / p->stride[i];
        total = (p->output[i] - 1) * p->stride[i] + span(p, i) - p->input[i];
        if (total < 0) total = 0;
        p->before[i] = strcmp(p->auto_pad, "SAME_UPPER") == 0 ? total / 2 : (total + 1) / 2;
        p->after[i] = total - p->before[i];
        return;
    }
    if (strcmp(p->auto_pad, "VALID") == 0) p->before[i] = p->after[i] = 0;
    p->output[i] = (p->input[i] + p->before[i] + p->after[i] - span(p, i)) / p->stride[i] + 1;
}

static Problem random_problem(Random *random, int rank, bool depthwise) {
    static const char *const auto_pads[] = {"NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"};
    Problem p = {.rank = rank, .type = random_float_type(random), .biased = random_below(random, 2) != 0};
    p.auto_pad = auto_pads[random_below(random, 5)];
    p.batch = random_between(random, 1, 2);
    p.groups = depthwise ? random_between(random, 2, 5) : random_between(random, 1, 3);
    p.channels = depthwise ? 1 : random_between(random, 1, 4);
    p.outputs = random_between(random, 1, depthwise ? 2 : 6);
    for (int i = 0; i < rank; i++) {
        p.kernel[i] = random_between(random, 1, 4);
        p.stride[i] = random_between(random, 1, 3);
        p.dilation[i] = random_between(random, 1, 2);
        p.before[i] = random_between(random, 0, 3), p.after[i] = random_between(random, 0, 3);
        p.input[i] = span(&p, i) + random_between(random, 0, rank == 1 ? 40 : rank == 2 ? 15 : 4);
        settle(&p, i);
    }
    return p;
}

/* The element of x that a tap reads, 0 on pads; position is per dimension, in three dimensions. */
static double tap(const Problem *p, const double *x, int64_t map, const int64_t *position) {
    int64_t at = map;
    for (int i = 0; i < p->rank; i++) {
        if (position[i] < 0 || position[i] >= p->input[i]) return 0;
        at = at * p->input[i] + position[i];
    }
    return x[at];
}

/* The digits of a number in a mixed base. */
static void split(int64_t number, int rank, const int64_t *base, int64_t *digits) {
    for (int i = rank - 1; i >= 0; i--) {
        digits[i] = number % base[i];
        number /= base[i];
    }
}

static double output_at(const Problem *p, const double *x, const double *w, int64_t n, int64_t k, int64_t pixel) {
    int64_t at[3], taps[3], position[3], window = dims_count(p->rank, p->kernel), group = k / p->outputs;
    double sum = 0;
    split(pixel, p->rank, p->output, at);
    for (int64_t c = 0; c < p->channels; c++)
        for (int64_t t = 0; t < window; t++) {
            split(t, p->rank, p->kernel, taps);
            for (int i = 0; i < p->rank; i++)
                position[i] = at[i] * p->stride[i] - p->before[i] + taps[i] * p->dilation[i];
            int64_t map = (n * p->groups + group) * p->channels + c;
            sum += tap(p, x, map, position) * w[(k * p->channels + c) * window + t];
        }
    return sum;
}

static void set_attributes(Folding *folding, const Problem *p) {
    int64_t pads[6];
    for (int i = 0; i < p->rank; i++) pads[i] = p->before[i], pads[i + p->rank] = p->after[i];
    node_set_int(folding->node, "group", p->groups);
    node_set_ints(folding->node, "strides", p->stride, p->rank);
    node_set_ints(folding->node, "dilations", p->dilation, p->rank);
    node_set_string(folding->node, "auto_pad", p->auto_pad);
    if (strcmp(p->auto_pad, "NOTSET") == 0) node_set_ints(folding->node, "pads", pads, 2 * p->rank);
}

static void check(Random *random, const Problem *p) {
    Folding *folding = folding_begin("Conv", 22);
    Arena *arena = folding->arena;
    int64_t all = p->groups * p->outputs, pixels = dims_count(p->rank, p->output);
    int64_t x_dims[5] = {p->batch, p->groups * p->channels}, w_dims[5] = {all, p->channels},
            y_dims[5] = {p->batch, all};
    for (int i = 0; i < p->rank; i++)
        x_dims[i + 2] = p->input[i], w_dims[i + 2] = p->kernel[i], y_dims[i + 2] = p->output[i];
    double *x = random_numbers(random, arena, dims_count(p->rank + 2, x_dims));
    double *w = random_numbers(random, arena, dims_count(p->rank + 2, w_dims));
    double *bias = random_numbers(random, arena, all);
    folding_input(folding, p->type, dims_text(arena, p->rank + 2, x_dims), x);
    folding_input(folding, p->type, dims_text(arena, p->rank + 2, w_dims), w);
    if (p->biased) folding_input(folding, p->type, dims_text(arena, 1, &all), bias);
    set_attributes(folding, p);
    double *y = arena_new_array(arena, double, (size_t)(p->batch * all * pixels));
    for (int64_t i = 0; i < p->batch * all * pixels; i++) {
        int64_t k = i / pixels % all;
        y[i] = output_at(p, x, w, i / pixels / all, k, i % pixels) + (p->biased ? bias[k] : 0);
    }
    const char *shape = dims_text(arena, p->rank + 2, y_dims);
    assert_folds(folding, p->type, shape, y, type_tolerance(p->type));
}

/* A transposed convolution: every input element is added to the outputs that it is spread over. */
static void spread(const Problem *p, const double *x, const double *w, double *y) {
    int64_t from[3], taps[3], size = dims_count(p->rank, p->input), window = dims_count(p->rank, p->kernel);
    int64_t inputs = p->groups * p->channels, pixels = dims_count(p->rank, p->output);
    for (int64_t i = 0; i < p->batch * inputs * size * window * p->outputs; i++) {
        int64_t k = i % p->outputs, t = i / p->outputs % window, element = i / p->outputs / window, at = 0;
        int64_t c = element / size % inputs, n = element / size / inputs, group = c / p->channels;
        bool inside = true;
        split(element % size, p->rank, p->input, from);
        split(t, p->rank, p->kernel, taps);
        for (int d = 0; d < p->rank; d++) {
            int64_t position = from[d] * p->stride[d] - p->before[d] + taps[d] * p->dilation[d];
            inside = inside && position >= 0 && position < p->output[d];
            at = at * p->output[d] + position;
        }
        int64_t map = (n * p->groups + group) * p->outputs + k;
        if (inside) y[map * pixels + at] += x[element] * w[(c * p->outputs + k) * window + t];
    }
}

static void check_transposed(Random *random, int rank) {
    Problem p = random_problem(random, rank, random_below(random, 4) == 0);
    Folding *folding = folding_begin("ConvTranspose", 22);
    Arena *arena = folding->arena;
    int64_t all = p.groups * p.outputs, pads[6], more[3];
    int64_t x_dims[5] = {p.batch, p.groups * p.channels}, w_dims[5] = {p.groups * p.channels, p.outputs};
    int64_t y_dims[5] = {p.batch, all};
    for (int i = 0; i < rank; i++) {
        p.input[i] = random_between(random, 1, rank == 1 ? 30 : rank == 2 ? 8 : 5);
        more[i] = random_between(random, 0, (int)p.stride[i] - 1);
        int64_t whole = (p.input[i] - 1) * p.stride[i] + span(&p, i) + more[i];
        p.before[i] = random_below(random, (uint64_t)(whole < 4 ? whole : 4));
        p.after[i] = random_below(random, (uint64_t)(whole - p.before[i] < 4 ? whole - p.before[i] : 4));
        p.output[i] = whole - p.before[i] - p.after[i];
        pads[i] = p.before[i], pads[i + rank] = p.after[i];
        x_dims[i + 2] = p.input[i], w_dims[i + 2] = p.kernel[i], y_dims[i + 2] = p.output[i];
    }
    double *x = random_numbers(random, arena, dims_count(rank + 2, x_dims));
    double *w = random_numbers(random, arena, dims_count(rank + 2, w_dims));
    double *bias = random_numbers(random, arena, all);
    folding_input(folding, p.type, dims_text(arena, rank + 2, x_dims), x);
    folding_input(folding, p.type, dims_text(arena, rank + 2, w_dims), w);
    if (p.biased) folding_input(folding, p.type, dims_text(arena, 1, &all), bias);
    node_set_int(folding->node, "group", p.groups);
    node_set_ints(folding->node, "strides", p.stride, rank);
    node_set_ints(folding->node, "dilations", p.dilation, rank);
    node_set_ints(folding->node, "output_padding", more, rank);
    node_set_ints(folding->node, "pads", pads, 2 * rank);
    int64_t count = dims_count(rank + 2, y_dims), pixels = dims_count(rank, p.output);
    double *y = arena_new_array(arena, double, (size_t)count);
    for (int64_t i = 0; i < count; i++) y[i] = p.biased ? bias[i / pixels % all] : 0;
    spread(&p, x, w, y);
    assert_folds(folding, p.type, dims_text(arena, rank + 2, y_dims), y, type_tolerance(p.type));
}

static void test_transposed(void **state) {
    (void)state;
    Random random = random_new();
    for (int i = 0; i < 400; i++) check_transposed(&random, 1 + i % 3);
}

/* The sizes and pads that auto_pad and output_shape lead to. */
static void test_transposed_shapes(void **state) {
    (void)state;
    const struct {
        const char *auto_pad;
        int64_t asked; /* 0: output_shape is not given */
        double y[7];
        const char *shape;
    } cases[] = {
        {"NOTSET", 0, {1, 10, 102, 20, 200}, "1x1x5"},       {"VALID", 0, {1, 10, 102, 20, 200}, "1x1x5"},
        {"SAME_UPPER", 0, {1, 10, 102, 20}, "1x1x4"},        {"SAME_LOWER", 0, {10, 102, 20, 200}, "1x1x4"},
        {"SAME_UPPER", 3, {10, 102, 20}, "1x1x3"},           {"NOTSET", 4, {10, 102, 20, 200}, "1x1x4"},
        {"NOTSET", 7, {1, 10, 102, 20, 200, 0, 0}, "1x1x7"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Folding *folding = folding_begin("ConvTranspose", 11);
        folding_input(folding, TYPE_FLOAT, "1x1x2", (double[]){1, 2});
        folding_input(folding, TYPE_FLOAT, "1x1x3", (double[]){1, 10, 100});
        node_set_ints(folding->node, "strides", (int64_t[]){2}, 1);
        node_set_string(folding->node, "auto_pad", cases[i].auto_pad);
        if (cases[i].asked > 0) node_set_ints(folding->node, "output_shape", &cases[i].asked, 1);
        assert_folds(folding, TYPE_FLOAT, cases[i].shape, cases[i].y, 0);
    }
}

static void test_random(void **state) {
    (void)state;
    Random random = random_new();
    for (int i = 0; i < 400; i++) {
        Problem problem = random_problem(&random, 1 + i % 3, false);
        check(&random, &problem);
    }
}

static void test_depthwise(void **state) {
    (void)state;
    Random random = random_new();
    for (int i = 0; i < 200; i++) {
        Problem problem = random_problem(&random, 1 + i % 2, true);
        check(&random, &problem);
    }
}

/* Windows that see nothing but pads give the bias. */
static void test_all_pads(void **state) {
    (void)state;
    Folding *folding = folding_begin("Conv", 11);
    double x[] = {3}, w[] = {2}, bias[] = {0.5};
    folding_input(folding, TYPE_FLOAT, "1x1x1x1", x);
    folding_input(folding, TYPE_FLOAT, "1x1x1x1", w);
    folding_input(folding, TYPE_FLOAT, "1", bias);
    node_set_ints(folding->node, "pads", (int64_t[]){1, 0, 0, 2}, 4);
    assert_folds(folding, TYPE_FLOAT, "1x1x2x3", (double[]){0.5, 0.5, 0.5, 6.5, 0.5, 0.5}, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),    cmocka_unit_test(test_transposed), cmocka_unit_test(test_transposed_shapes),
        cmocka_unit_test(test_depthwise), cmocka_unit_test(test_all_pads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
