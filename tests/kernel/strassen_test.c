/* Strassen's algorithm against sums over all indices: odd rows, strided rows, tiles that begin earlier, quarters that
 * end within a vector, chunks of every length, and the same bits however the items are split; and the sizes that the
 * compiler chooses for it. */
#define UNROLL /* sizes are no constants here */
#include "program/strassen.h"
#include "runtime/strassen.c"
#include "support/numbers.h"

#include <math.h>
#include <string.h>

typedef struct {
    int M, K, N, X, ROWS, VECTORS, CHUNK, SPLITS, BLOCK;
    int items, scratch_count;
    const float *x, *factors, *bias;
    float *scratch;
} Problem;

/* A tile of registers that the kernel takes: whole panels or an even part of one. */
static void choose_tile(Random *random, Problem *p) {
    const int in_panel = 16 / LANES, panels = (p->N / 2 + 15) / 16, high = (p->M + 1) / 2;
    p->VECTORS = in_panel * random_between(random, 1, panels);
    if (random_below(random, 2) == 0) p->VECTORS = in_panel > 1 ? in_panel / 2 : 1;
    while (p->VECTORS > 16) p->VECTORS -= in_panel;
    const int most = 32 / p->VECTORS < high ? 32 / p->VECTORS : high;
    p->ROWS = random_between(random, 1, most);
    const int tiles = (high + p->ROWS - 1) / p->ROWS;
    p->CHUNK = random_between(random, 1, tiles), p->SPLITS = random_between(random, 1, 4);
    p->BLOCK = random_between(random, 1, 96 / (p->ROWS * p->VECTORS));
    p->items = (tiles + p->CHUNK - 1) / p->CHUNK * p->SPLITS;
}

static Problem random_problem(Random *random, Arena *arena) {
    Problem p = {.M = random_between(random, 2, 40)};
    p.K = 2 * random_between(random, 16, 48), p.N = 2 * random_between(random, 1, 64);
    if (random_below(random, 3) == 0) p.K = p.K / 32 * 32, p.N = (p.N + 31) / 32 * 32;
    p.X = p.K + random_between(random, 0, 3);
    choose_tile(random, &p);
    p.x = random_floats(random, arena, p.M * p.X);
    p.bias = random_below(random, 3) == 0 ? NULL : random_floats(random, arena, p.N);
    p.scratch_count = 4 * p.CHUNK * p.ROWS * ((p.K / 2 + 15) / 16 * 16 + 16);
    p.scratch = arena_new_array(arena, float, (size_t)p.scratch_count);
    return p;
}

/* fresh: where the calls in a row began that keep the scratch. */
static void multiply(const Problem *p, int first, int last, int fresh, float *y) {
    for (int i = 0; i < p->scratch_count && fresh == first; i++) p->scratch[i] = NAN;
    strassen(p->x, p->factors, p->bias, p->scratch, y, first, last, fresh, p->M, p->K, p->N, p->X, p->ROWS, p->VECTORS,
             p->CHUNK, p->SPLITS, p->BLOCK);
}

static void check_sums(const Problem *p, const float *w, const float *y) {
    for (int i = 0; i < p->M * p->N; i++) {
        double sum = p->bias == NULL ? 0 : (double)p->bias[i % p->N], size = 1;
        for (int k = 0; k < p->K; k++) {
            const double term = (double)p->x[i / p->N * p->X + k] * (double)w[k * p->N + i % p->N];
            sum += term, size += fabs(term);
        }
        if (!(fabs((double)y[i] - sum) <= 2e-6 * size))
            fail_test("%dx%dx%d: element %d is %.9g, expected %.9g", p->M, p->K, p->N, i, (double)y[i], sum);
    }
}

static void check(Random *random) {
    Arena *arena = arena_new();
    Problem p = random_problem(random, arena);
    const float *w = random_floats(random, arena, p.K * p.N);
    float *panels = arena_new_array(arena, float, (size_t)(p.K * (p.N + 15)));
    float *factors = arena_new_array(arena, float, (size_t)strassen_weights_count(p.K, p.N));
    for (int left = 0; left < p.N; left += 16)
        panel_pack(panels + left * p.K, w + left, p.K, p.N - left < 16 ? p.N - left : 16, p.N, 1);
    strassen_factor(panels, p.K, p.N, factors);
    p.factors = factors;
    float *y = arena_new_array(arena, float, (size_t)(p.M * p.N)),
          *split = arena_new_array(arena, float, (size_t)(p.M * p.N));
    for (int i = 0; i < p.M * p.N; i++) y[i] = split[i] = NAN;
    const int middle = random_between(random, 0, p.items);
    multiply(&p, 0, p.items, 0, y);
    multiply(&p, 0, middle, 0, split);
    multiply(&p, middle, p.items, random_below(random, 2) == 0 ? 0 : middle, split);
    assert_memory_equal(y, split, sizeof(float) * (size_t)(p.M * p.N));
    check_sums(&p, w, y);
    arena_free(arena);
}

static void test_sums(void **state) {
    (void)state;
    Random random = random_new();
    for (int i = 0; i < 200; i++) check(&random);
}

/* The plan keeps to what the kernel asks for, whatever the shape. */
static void test_plan(void **state) {
    (void)state;
    Random random = random_new();
    for (int i = 0; i < 100; i++) {
        const StrassenShape shape = {random_between(&random, 2, 5000), 2 * random_between(&random, 16, 1600),
                                     2 * random_between(&random, 1, 1600), random_between(&random, 0, 64), false};
        const StrassenPlan plan = strassen_plan(&shape);
        for (int target = 0; target < TARGET_COUNT; target++) {
            const int64_t high = (shape.rows + 1) / 2, tiles = (high + plan.rows[target] - 1) / plan.rows[target];
            const int width = plan.vectors[target] * TARGET_LANES[target];
            assert_in_range(plan.rows[target], 1, high);
            assert_in_range(plan.rows[target] * plan.vectors[target], 1, 32);
            assert_true(width % 16 == 0 ? width <= (shape.columns / 2 + 15) / 16 * 16 : 16 % width == 0);
            assert_in_range(plan.chunk[target], 1, tiles);
            assert_in_range(plan.splits[target], 1, (shape.columns / 2 + width - 1) / width);
            assert_in_range(plan.block[target] * plan.rows[target] * plan.vectors[target], 1, 96);
        }
    }
}

static int64_t items(const StrassenShape *shape, const StrassenPlan *plan, int target) {
    const int64_t rows = plan->chunk[target] * plan->rows[target];
    return ((shape->rows + 1) / 2 + rows - 1) / rows * plan->splits[target];
}

/* Every thread has something to do, also where a product has few columns. */
static void test_items(void **state) {
    (void)state;
    const StrassenShape narrow[] = {
        {197, 768, 192, 8, false}, {128, 1536, 384, 16, false}, {784, 512, 128, 16, false}, {784, 512, 256, 8, false}};
    for (size_t i = 0; i < sizeof narrow / sizeof *narrow; i++) {
        const StrassenPlan plan = strassen_plan(&narrow[i]);
        assert_in_range(items(&narrow[i], &plan, TARGET_AVX512), narrow[i].threads, 8 * narrow[i].threads);
    }
}

static bool pays_on(const Machine *machine, int64_t rows, int64_t depth, int64_t columns) {
    const StrassenShape shape = {rows, depth, columns, 1, machine->halves};
    const TileProduct product = {
        .rows = rows, .columns = columns, .depth = depth, .stride = depth, .halves = machine->halves};
    Tile tile;
    tile_best(machine->registers, &product, &tile, 1);
    return strassen_pays(&shape, machine, &product, tile);
}

static bool pays(int64_t rows, int64_t depth, int64_t columns) {
    const Machine zen4 = {
        .registers = TARGET_AVX512, .farthest_weight = 6, .left_factor = 8, .result = 6, .halves = true};
    return pays_on(&zen4, rows, depth, columns);
}

/* Weights that may come slowly have to be used by more rows, and with AVX2 nothing is gained. Nor is it where quarters
 * have two and a half panels and half a vector takes as long as one. */
static void test_machines(void **state) {
    (void)state;
    const Machine unknown = target_machine(&TARGETS[0]);
    const Machine avx2 = {.registers = TARGET_AVX2, .farthest_weight = 6};
    assert_false(pays_on(&unknown, 128, 384, 1536));
    assert_true(pays_on(&unknown, 784, 384, 1536));
    assert_false(pays_on(&avx2, 784, 384, 1536));
    const Machine zen5 = {.registers = TARGET_AVX512, .farthest_weight = 14, .left_factor = 24, .result = 4};
    assert_true(pays(196, 480, 80) && !pays_on(&zen5, 196, 480, 80));
    assert_true(pays_on(&zen5, 196, 112, 672) && pays_on(&zen5, 784, 512, 128));
    assert_true(!pays_on(&zen5, 128, 384, 384) && !pays_on(&zen5, 198, 192, 192));
}

/* It pays with many rows and columns and sums that are long enough for their quarters. */
static void test_choice(void **state) {
    (void)state;
    assert_true(pays(128, 384, 1536));
    assert_true(pays(197, 768, 192));
    assert_true(pays(196, 112, 672));  /* quarters of three and a half panels */
    assert_false(pays(49, 512, 2048)); /* few rows: weights are read from memory */
    assert_false(pays(3136, 64, 256)); /* short sums */
    assert_false(pays(784, 40, 240));
    assert_true(strassen_is_possible(&(StrassenShape){128, 384, 80, 1, false}));
    assert_false(strassen_is_possible(&(StrassenShape){128, 384, 81, 1, false}));
    assert_false(strassen_is_possible(&(StrassenShape){128, 81, 384, 1, false}));
    /* quarters shorter than the longest vector */
    assert_false(strassen_is_possible(&(StrassenShape){128, 30, 384, 1, false}));
    assert_false(strassen_is_possible(&(StrassenShape){1, 384, 384, 1, false}));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),     cmocka_unit_test(test_plan),  cmocka_unit_test(test_choice),
        cmocka_unit_test(test_machines), cmocka_unit_test(test_items),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
