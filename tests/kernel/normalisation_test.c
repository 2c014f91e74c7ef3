/* Normalisations against the textbook's two passes in double, in all float types; rows longer and shorter than the 16
 * partial sums, and large means, which a one-pass variance would lose. */
#include "support/folding.h"
#include "support/numbers.h"

#include <math.h>
#include <string.h>

/* ONNX's default for epsilon is a float. */
static const double EPSILON = (double)1e-5F;

/* A row to zero mean and unit variance. */
static void whiten(const double *x, double *y, int64_t count) {
    double mean = 0, square = 0;
    for (int64_t i = 0; i < count; i++) mean += x[i] / (double)count;
    for (int64_t i = 0; i < count; i++) square += (x[i] - mean) * (x[i] - mean) / (double)count;
    for (int64_t i = 0; i < count; i++) y[i] = (x[i] - mean) / sqrt(square + EPSILON);
}

typedef struct {
    Folding *folding;
    Type type;
    int rank;
    int64_t dims[4], count;
    double *x, *y;
} Case;

static Case begin(Random *random, const char *op, int opset) {
    Case c = {
        .folding = folding_begin(op, opset), .type = random_float_type(random), .rank = random_between(random, 2, 4)};
    for (int i = 0; i < c.rank; i++) c.dims[i] = random_between(random, 1, i == 1 ? 12 : i == c.rank - 1 ? 20 : 3);
    if (random_below(random, 2)) c.dims[1] = 4;
    c.count = dims_count(c.rank, c.dims);
    c.x = random_numbers(random, c.folding->arena, c.count);
    c.y = arena_new_array(c.folding->arena, double, (size_t)c.count);
    folding_input(c.folding, c.type, dims_text(c.folding->arena, c.rank, c.dims), c.x);
    return c;
}

static double *add_vector(Case *c, Random *random, int rank, const int64_t *dims, double offset) {
    double *numbers = random_numbers(random, c->folding->arena, dims_count(rank, dims));
    for (int64_t i = 0; i < dims_count(rank, dims); i++) numbers[i] += offset;
    folding_input(c->folding, c->type, dims_text(c->folding->arena, rank, dims), numbers);
    return numbers;
}

static void end(Case *c) {
    double tolerance = 4 * type_tolerance(c->type);
    assert_folds(c->folding, c->type, dims_text(c->folding->arena, c->rank, c->dims), c->y, tolerance);
}

static void check_batch(Random *random) {
    Case c = begin(random, "BatchNormalization", 15);
    const double *vectors[4];
    int64_t channels = c.dims[1], size = dims_count(c.rank - 2, c.dims + 2);
    for (int i = 0; i < 4; i++) vectors[i] = add_vector(&c, random, 1, &channels, i == 3 ? 3 : 0);
    node_set_float(c.folding->node, "epsilon", 0.5F);
    for (int64_t i = 0; i < c.count; i++) {
        int64_t k = i / size % channels;
        c.y[i] = (c.x[i] - vectors[2][k]) / sqrt(vectors[3][k] + 0.5) * vectors[0][k] + vectors[1][k];
    }
    end(&c);
}

static void check_group(Random *random, bool instance, int opset) {
    Case c = begin(random, instance ? "InstanceNormalization" : "GroupNormalization", opset);
    int64_t channels = c.dims[1], size = dims_count(c.rank - 2, c.dims + 2), groups = instance ? channels : 1;
    if (!instance && channels % 2 == 0) groups = 2;
    int64_t length = !instance && opset < 21 ? groups : channels, per = channels / groups;
    const double *scale = add_vector(&c, random, 1, &length, 0), *bias = add_vector(&c, random, 1, &length, 0);
    if (!instance) node_set_int(c.folding->node, "num_groups", groups);
    for (int64_t g = 0; g < c.dims[0] * groups; g++) whiten(c.x + g * per * size, c.y + g * per * size, per * size);
    for (int64_t i = 0; i < c.count; i++) {
        int64_t k = i / size % channels, at = length == channels ? k : k / per;
        c.y[i] = c.y[i] * scale[at] + bias[at];
    }
    end(&c);
}

static void check_rows(Random *random, bool layer) {
    Case c = begin(random, layer ? "LayerNormalization" : "RMSNormalization", layer ? 17 : 23);
    int axis = random_between(random, 0, c.rank - 1);
    bool biased = layer && random_below(random, 2);
    int64_t length = dims_count(c.rank - axis, c.dims + axis);
    const double *scale = add_vector(&c, random, c.rank - axis, c.dims + axis, 0);
    const double *bias = biased ? add_vector(&c, random, c.rank - axis, c.dims + axis, 0) : NULL;
    node_set_int(c.folding->node, "axis", random_below(random, 2) ? axis : axis - c.rank);
    for (int64_t from = 0; from < c.count; from += length) {
        double square = 0;
        for (int64_t i = 0; i < length; i++) square += c.x[from + i] * c.x[from + i] / (double)length;
        whiten(c.x + from, c.y + from, length);
        for (int64_t i = 0; i < length; i++) {
            double value = layer ? c.y[from + i] : c.x[from + i] / sqrt(square + EPSILON);
            c.y[from + i] = value * scale[i] + (bias == NULL ? 0 : bias[i]);
        }
    }
    end(&c);
}

static void test_random(void **state) {
    (void)state;
    Random random = random_new();
    for (int i = 0; i < 100; i++) {
        check_batch(&random);
        check_group(&random, true, 22);
        check_group(&random, false, 18);
        check_group(&random, false, 21);
        check_rows(&random, true);
        check_rows(&random, false);
    }
}

/* A mean of a million with a deviation of one. */
static void test_large_mean(void **state) {
    (void)state;
    Folding *folding = folding_begin("LayerNormalization", 17);
    double x[64], y[64], ones[64];
    for (int i = 0; i < 64; i++) x[i] = 1e6 + (i % 2 ? 1 : -1), y[i] = i % 2 ? 1 : -1, ones[i] = 1;
    folding_input(folding, TYPE_FLOAT, "1x64", x);
    folding_input(folding, TYPE_FLOAT, "64", ones);
    assert_folds(folding, TYPE_FLOAT, "1x64", y, 1e-4);
}

static void test_statistics(void **state) {
    (void)state;
    Folding *folding = folding_begin("LayerNormalization", 17);
    for (int i = 0; i < 2; i++)
        list_add(folding->arena, &folding->node->outputs,
                 graph_value(folding->node->graph, i == 0 ? "mean" : "deviation"));
    folding_input(folding, TYPE_FLOAT16, "2x2", (double[]){1, 3, 5, 5});
    folding_input(folding, TYPE_FLOAT16, "2", (double[]){1, 1});
    node_set_float(folding->node, "epsilon", 0.25F);
    folding_end(folding);
    const Value *mean = folding->node->outputs.items[1], *deviation = folding->node->outputs.items[2];
    assert_int_equal(mean->type, TYPE_FLOAT);
    assert_string_equal(shape_text(folding->arena, &mean->shape), "[2,1]");
    assert_true(tensor_number(mean->constant, 0) == 2 && tensor_number(mean->constant, 1) == 5);
    assert_true(fabs(tensor_number(deviation->constant, 0) - 1 / sqrt(1.25)) < 1e-6);
    assert_true(tensor_number(deviation->constant, 1) == 2);
    folding_free(folding);
}

/* Scale and bias that are broadcast along the row, or of another type. */
static void test_mixed(void **state) {
    (void)state;
    Folding *folding = folding_begin("LayerNormalization", 17);
    folding_input(folding, TYPE_FLOAT, "1x2x2", (double[]){-1, 1, -1, 1});
    folding_input(folding, TYPE_FLOAT, "2x1", (double[]){1, 10});
    folding_input(folding, TYPE_FLOAT, "1", (double[]){3});
    node_set_int(folding->node, "axis", 1);
    node_set_float(folding->node, "epsilon", 0);
    assert_folds(folding, TYPE_FLOAT, "1x2x2", (double[]){2, 4, -7, 13}, 1e-6);
    folding = folding_begin("RMSNormalization", 23);
    folding_input(folding, TYPE_FLOAT, "2", (double[]){7, -1});
    folding_input(folding, TYPE_FLOAT16, "2", (double[]){1, 2});
    node_set_float(folding->node, "epsilon", 0);
    assert_folds(folding, TYPE_FLOAT16, "2", (double[]){1.4, -0.4}, 1e-3);
    folding = folding_begin("BatchNormalization", 15);
    folding_input(folding, TYPE_FLOAT16, "1x2", (double[]){3, 5});
    for (int i = 0; i < 4; i++) folding_input(folding, TYPE_FLOAT, "2", (double[]){2, 1});
    node_set_float(folding->node, "epsilon", 0);
    assert_folds(folding, TYPE_FLOAT16, "1x2", (double[]){1 * 2 / sqrt(2) + 2, 4 + 1}, 1e-3);
}

static void test_lp(void **state) {
    (void)state;
    Folding *folding = folding_begin("LpNormalization", 22);
    folding_input(folding, TYPE_FLOAT, "2x2", (double[]){3, 0, 4, 0});
    node_set_int(folding->node, "axis", 0);
    assert_folds(folding, TYPE_FLOAT, "2x2", (double[]){0.6, 0, 0.8, 0}, 1e-6);
    folding = folding_begin("LpNormalization", 22);
    folding_input(folding, TYPE_DOUBLE, "2x2", (double[]){3, -1, 0, 0});
    node_set_int(folding->node, "p", 1);
    assert_folds(folding, TYPE_DOUBLE, "2x2", (double[]){0.75, -0.25, 0, 0}, 1e-12);
}

/* The same numbers, normalised over axes that leave one, two or three places to merge. */
static void test_mean_variance(void **state) {
    (void)state;
    const double x[] = {1, 3, 5, 7, 9, 13, 2, 4};
    const struct {
        int64_t axes[3];
        int count;
        double y[8];
    } cases[] = {
        {{2}, 1, {-1, 1, -1, 1, -1, 1, -1, 1}},
        {{1}, 1, {-1, -1, 1, 1, 1, 1, -1, -1}},
        {{0}, 1, {-1, -1, 1, 1, 1, 1, -1, -1}},
    };
    for (int i = 0; i < 3; i++) {
        Folding *folding = folding_begin("MeanVarianceNormalization", 13);
        folding_input(folding, TYPE_FLOAT, "2x2x2", x);
        node_set_ints(folding->node, "axes", cases[i].axes, cases[i].count);
        assert_folds(folding, TYPE_FLOAT, "2x2x2", cases[i].y, 1e-6);
    }
    Folding *folding = folding_begin("MeanVarianceNormalization", 9);
    folding_input(folding, TYPE_FLOAT, "2x1x1x2", (double[]){1, 1, 3, 3});
    assert_folds(folding, TYPE_FLOAT, "2x1x1x2", (double[]){-1, -1, 1, 1}, 1e-6);
}

static void test_lrn(void **state) {
    (void)state;
    Folding *folding = folding_begin("LRN", 13);
    folding_input(folding, TYPE_FLOAT, "1x4x1", (double[]){1, 2, 3, 4});
    node_set_int(folding->node, "size", 2); /* a channel and the next one */
    node_set_float(folding->node, "alpha", 2);
    node_set_float(folding->node, "beta", 0.5F);
    double y[] = {1 / sqrt(1 + 5), 2 / sqrt(1 + 13), 3 / sqrt(1 + 25), 4 / sqrt(1 + 16)};
    assert_folds(folding, TYPE_FLOAT, "1x4x1", y, 1e-6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random), cmocka_unit_test(test_large_mean), cmocka_unit_test(test_statistics),
        cmocka_unit_test(test_mixed),  cmocka_unit_test(test_lp),         cmocka_unit_test(test_mean_variance),
        cmocka_unit_test(test_lrn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
