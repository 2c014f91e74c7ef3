/* Linear layers and products on vectors against sums over all indices: every tile that the cost model knows for this
 * target, tails of rows and columns, strided operands, few rows, and work that is cut in two. */
#define UNROLL /* sizes are no constants here */
#include "program/tile.h"
#include "support/numbers.h"

#include "runtime/kernel.h"
#include "runtime/linear.c"

#include <math.h>

enum { OWN_TARGET = PICK(TARGET_AVX512, TARGET_AVX2, TARGET_NEON, TARGET_SSE, TARGET_SCALAR), MOST = 1 << 15 };

static void fill(Random *random, float *numbers, int count) {
    for (int i = 0; i < count; i++) numbers[i] = (float)random_between(random, -100, 100) / 64;
}

static void check(const char *kernel, const float *y, int place, double expected) {
    if (!(fabs((double)y[place] - expected) <= 1e-4))
        fail_test("%s: element %d is %.9g, expected %.9g", kernel, place, (double)y[place], expected);
}

typedef struct {
    int rows, vectors, tiles, panels, groups;
} LinearTile;

static LinearTile random_tile(Random *random, int m, int n) {
    int rows[TARGET_COUNT], vectors[TARGET_COUNT];
    const TileProduct product = {.rows = random_between(random, 1, m), .columns = random_between(random, 1, n)};
    tile_choose(&product, rows, vectors);
    const int width = vectors[OWN_TARGET] * LANES;
    return (LinearTile){rows[OWN_TARGET], vectors[OWN_TARGET], (m + rows[OWN_TARGET] - 1) / rows[OWN_TARGET],
                        width < 16 ? 1 : width / 16, (n + width - 1) / width};
}

static float x[MOST], w[MOST], packed[MOST], bias[256], y[MOST], scratch[MOST];

/* The last panel, as tile_multiply_pairs() has it. */
static void pair_rows(float *panel, int depth, int columns) {
    for (int row = 0; columns <= 8 && depth % 2 == 0 && row < depth; row += 2)
        memcpy(panel + row * 16 + 8, panel + (row + 1) * 16, 8 * sizeof(float));
}

static void check_linear(Random *random) {
    const int m = random_between(random, 1, 40), k = random_between(random, 1, 50), n = random_between(random, 1, 120);
    const int stride = k + random_between(random, 0, 3);
    const float *added = random_below(random, 3) ? bias : NULL;
    fill(random, x, m * stride), fill(random, w, k * n), fill(random, bias, n);
    for (int i = n; i < 256; i++) bias[i] = 0;
    for (int left = 0; left < n; left += 16)
        panel_pack(packed + left * k, w + left, k, n - left < 16 ? n - left : 16, n, 1);
    pair_rows(packed + (n - 1) / 16 * 16 * k, k, (n - 1) % 16 + 1);
    for (int i = 0; i < m * n; i++) y[i] = NAN;
    if (m <= 3) {
        int panels[TARGET_COUNT], split[TARGET_COUNT];
        tile_choose_panels(m, n, panels, split);
        const int of = panels[OWN_TARGET], parts = split[OWN_TARGET], items = ((n + 15) / 16 + of - 1) / of;
        const int middle = random_between(random, 0, items);
        linear_row(x, packed, added, y, 0, middle, m, k, n, stride, of, parts);
        linear_row(x, packed, added, y, middle, items, m, k, n, stride, of, parts);
    } else {
        const LinearTile t = random_tile(random, m, n);
        const int items = t.tiles * t.groups, middle = random_between(random, 0, items);
        const int band = random_between(random, 1, t.tiles);
        linear(x, packed, added, y, 0, middle, m, k, n, stride, t.rows, t.vectors, t.tiles, t.groups, band);
        linear(x, packed, added, y, middle, items, m, k, n, stride, t.rows, t.vectors, t.tiles, t.groups, band);
    }
    for (int i = 0; i < m * n; i++) {
        double sum = added == NULL ? 0 : (double)added[i % n];
        for (int j = 0; j < k; j++) sum += (double)x[i / n * stride + j] * (double)w[j * n + i % n];
        check("linear", y, i, sum);
    }
}

/* Tiles of all sizes, each with a term for each of its sums at least. */
static void check_pipelined(Random *random) {
    enum { MOST_SUMS = 32 };
    const int rows = random_between(random, 1, 16), vectors = random_between(random, 1, 2) * PANEL_WIDTH / LANES;
    if (rows * vectors > MOST_SUMS) return;
    const int m = rows * random_between(random, 1, 6), n = vectors * LANES * random_between(random, 1, 3);
    const int k = rows * vectors + random_between(random, 0, 20), stride = k + random_between(random, 0, 3);
    const float *added = random_below(random, 3) ? bias : NULL;
    fill(random, x, m * stride), fill(random, w, k * n), fill(random, bias, n);
    for (int left = 0; left < n; left += PANEL_WIDTH) panel_pack(packed + left * k, w + left, k, PANEL_WIDTH, n, 1);
    for (int i = 0; i < m * n; i++) y[i] = NAN;
    const int groups = n / (vectors * LANES), items = m / rows * groups, middle = random_between(random, 0, items);
    linear_pipelined(x, packed, added, y, 0, middle, m, k, n, stride, rows, vectors, groups);
    linear_pipelined(x, packed, added, y, middle, items, m, k, n, stride, rows, vectors, groups);
    for (int i = 0; i < m * n; i++) {
        double sum = added == NULL ? 0 : (double)added[i % n];
        for (int j = 0; j < k; j++) sum += (double)x[i / n * stride + j] * (double)w[j * n + i % n];
        check("linear_pipelined", y, i, sum);
    }
}

static void check_product(Random *random) {
    const int batch = random_between(random, 1, 3), m = random_between(random, 1, 30);
    const int k = random_between(random, 1, 30), n = random_between(random, 1, 60);
    const bool across = random_below(random, 2), shared = random_below(random, 2);
    const int row = across ? 1 : n, column = across ? k : 1, next = shared ? 0 : k * n;
    const int added_row = (int)random_below(random, 2), added_column = (int)random_below(random, 2);
    const float *added = random_below(random, 2) ? bias : NULL;
    const LinearTile t = random_tile(random, m, n);
    const int groups = ((n + 15) / 16 + t.panels - 1) / t.panels;
    const int items = batch * groups, middle = random_between(random, 0, items);
    fill(random, x, batch * m * k), fill(random, w, batch * k * n), fill(random, bias, 256);
    for (int i = 0; i < batch * m * n; i++) y[i] = NAN;
    product(x, w, added, scratch, y, 0.5f, -2, 0, middle, batch, m, k, n, m * k, k, next, row, column, added_row,
            added_column, t.rows, t.vectors, t.panels, groups);
    product(x, w, added, scratch, y, 0.5f, -2, middle, items, batch, m, k, n, m * k, k, next, row, column, added_row,
            added_column, t.rows, t.vectors, t.panels, groups);
    for (int i = 0; i < batch * m * n; i++) {
        const int of = i / n / m, at = i / n % m;
        double sum = 0;
        for (int j = 0; j < k; j++)
            sum += (double)x[(of * m + at) * k + j] * (double)w[of * next + j * row + i % n * column];
        check("product", y, i,
              0.5 * sum - (added == NULL ? 0 : 2 * (double)added[at * added_row + i % n * added_column]));
    }
}

static void test_random(void **state) {
    (void)state;
    Random random = random_new();
    for (int i = 0; i < 300; i++) check_linear(&random), check_pipelined(&random), check_product(&random);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
