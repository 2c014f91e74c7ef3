/* Rows on vectors: panels packed of them against the plain order, softmax and layers against sums in double, with
 * infinities among the numbers, in two parts at a random place. */
#define UNROLL /* sizes are no constants here */
#include "support/numbers.h"
#include "support/vector_maths.h"

#include "runtime/normalisation.c"
#include "runtime/softmax.c"

#include <math.h>

enum { MOST = 1 << 13 };
static float x[MOST], y[MOST], scratch[MOST];

static void fill(Random *random) {
    for (int i = 0; i < MOST; i++) x[i] = (float)random_between(random, -1000, 1000) / 64, y[i] = NAN;
}

/* Columns of contiguous rows, of contiguous columns, or of neither. */
static void check_panel(Random *random) {
    const int depth = random_between(random, 1, 70),
              columns = random_between(random, 1, 3) == 1 ? 16 : random_between(random, 1, 16);
    const int sort = random_between(random, 0, 2);
    const int row = sort == 0 ? 1 : random_between(random, 16, 20),
              column = sort == 1 ? 1 : random_between(random, 70, 75);
    fill(random);
    panel_pack(y, x, depth, columns, row, column);
    for (int k = 0; k < depth; k++)
        for (int n = 0; n < 16; n++) {
            const float expected = n < columns ? x[k * row + n * column] : 0;
            if (y[k * 16 + n] != expected)
                fail_test("%d by %d, %d and %d apart: element (%d, %d) is %g, expected %g", depth, columns, row, column,
                          k, n, (double)y[k * 16 + n], (double)expected);
        }
    assert_true(isnan(y[depth * 16]));
}

static void check_row(const float *from, const float *to, int count) {
    double largest = -INFINITY, sum = 0;
    for (int i = 0; i < count; i++) largest = fmax(largest, (double)from[i]);
    for (int i = 0; i < count; i++) sum += exp((double)from[i] - largest);
    for (int i = 0; i < count; i++) {
        const double below = (double)from[i] - largest, expected = exp(below) / sum;
        const double tolerance = isinf(below) ? 0 : (1e-6 - 1e-7 * below) * expected; /* x / ln 2 is rounded */
        if (isnan(expected) ? !isnan(to[i]) : !(fabs((double)to[i] - expected) <= tolerance))
            fail_test("%d elements: %d is %.9g, expected %.9g", count, i, (double)to[i], expected);
    }
}

static void check_softmax(Random *random) {
    const int rows = random_between(random, 1, 6), count = random_between(random, 1, 100);
    const int middle = random_between(random, 0, rows);
    fill(random);
    for (int i = random_between(random, 0, 20); i > 0; i--) x[random_below(random, MOST)] = -INFINITY;
    for (int i = 0; random_below(random, 4) == 0 && i < count; i++) x[i] = -INFINITY;
    softmax_rows(x, scratch, y, middle, rows, rows, count);
    softmax_rows(x, scratch, y, 0, middle, rows, count);
    for (int r = 0; r < rows; r++) check_row(x + r * count, y + r * count, count);
    assert_true(isnan(y[rows * count]));
}

/* A row, its mean and deviation, whether asked for or not. */
static void check_layer(Random *random) {
    const int rows = random_between(random, 1, 6), count = random_between(random, 1, 100);
    const int middle = random_between(random, 0, rows), asked = random_between(random, 0, 1);
    float means[6], deviations[6];
    fill(random);
    const float *const scale = x + MOST / 2, *const bias = random_below(random, 2) ? scale + count : NULL;
    for (int half = 0; half < 2; half++)
        layer_normalization_rows(x, scale, bias, y, asked ? means : NULL, asked ? deviations : NULL, 0.25f,
                                 half ? 0 : middle, half ? middle : rows, rows, count);
    for (int r = 0; r < rows; r++) {
        const float *const row = x + r * count;
        double mean = 0, square = 0;
        for (int i = 0; i < count; i++) mean += (double)row[i] / count;
        for (int i = 0; i < count; i++) square += ((double)row[i] - mean) * ((double)row[i] - mean) / count;
        const double deviation = 1 / sqrt(square + 0.25);
        for (int i = 0; i < count; i++) {
            const double shift = bias == NULL ? 0 : (double)bias[i];
            const double expected = ((double)row[i] - mean) * deviation * (double)scale[i] + shift;
            const double tolerance = 1e-6 * (fabs((double)scale[i]) * (1 + fabs(mean * deviation)) + fabs(shift));
            if (!(fabs((double)y[r * count + i] - expected) <= 2 * tolerance))
                fail_test("%d elements: %d is %.9g, expected %.9g", count, i, (double)y[r * count + i], expected);
        }
        if (!asked) continue;
        assert_true(fabs((double)means[r] - mean) <= 1e-5);
        assert_true(fabs((double)deviations[r] - deviation) <= 1e-5 * deviation);
    }
    assert_true(isnan(y[rows * count]));
}

static void panels_are_in_order(void **state) {
    (void)state;
    Random random = random_new();
    for (int i = 0; i < 300; i++) check_panel(&random);
}

static void softmax_is_right(void **state) {
    (void)state;
    Random random = random_new();
    for (int i = 0; i < 300; i++) check_softmax(&random);
}

static void layers_are_normal(void **state) {
    (void)state;
    Random random = random_new();
    for (int i = 0; i < 300; i++) check_layer(&random);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(panels_are_in_order), cmocka_unit_test(softmax_is_right),
                                       cmocka_unit_test(layers_are_normal)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
