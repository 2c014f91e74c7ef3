/* Strassen: the choice between seven products of quarters and one of the whole, and the factors of the weights.
 * The costs are fitted to measurements of both kernels, with weights in the caches and in memory. */
#include "program/strassen.h"

#include <limits.h>

enum { FACTORS = 7 };

int64_t strassen_weights_count(int64_t depth, int64_t columns) {
    return divide_up(columns / 2, PANEL_WIDTH) * FACTORS * (depth / 2) * PANEL_WIDTH;
}

bool strassen_is_possible(const StrassenShape *shape) {
    const bool even = shape->depth % 2 == 0 && shape->columns % 2 == 0;
    return even && shape->depth >= 2 * PANEL_WIDTH && shape->columns >= 2 && shape->rows > 1 &&
           strassen_weights_count(shape->depth, shape->columns) <= INT_MAX;
}

/* One of the seven, of pairs of rows. */
static TileProduct quarter(const StrassenShape *shape) {
    return (TileProduct){.rows = divide_up(shape->rows, 2),
                         .columns = shape->columns / 2,
                         .depth = shape->depth / 2,
                         .stride = shape->depth,
                         .rest = REST_IS_SMALLER,
                         .halves = shape->halves};
}

int strassen_best(const StrassenShape *shape, int target, Tile *best, int most) {
    const TileProduct product = quarter(shape);
    return tile_best(target, &product, best, most);
}

/* What a chunk takes of x, and the sums of it, lie in the second-level cache, or not far from it. Where there are few
 * chunks, several items share each, and where these would still be few, chunks are smaller: so that threads end at
 * about the same time. A tile of AVX-512 reads weights slowly enough for the second-level cache, others do not. */
static void plan_chunks(const StrassenShape *shape, StrassenPlan *plan, int target) {
    enum { MOST_SUMS = 96 };
    const int64_t most_floats = target == TARGET_AVX2 ? 3 << 15 : 3 << 17;
    const int64_t enough = tile_enough_items(shape->threads);
    const TileProduct product = quarter(shape);
    const int64_t tiles = divide_up(product.rows, plan->rows[target]);
    const int64_t groups = divide_up(product.columns, plan->vectors[target] * TARGET_LANES[target]);
    const int64_t most = most_floats / (plan->rows[target] * 4 * (shape->depth + PANEL_WIDTH));
    const int64_t fewest = divide_up(tiles, most < 1 ? 1 : most);
    const int64_t wanted = groups < enough / 2 ? divide_up(enough, groups) : 1;
    const int64_t size = divide_up(tiles, wanted > fewest ? wanted : fewest);
    const int64_t splits = divide_up(enough, divide_up(tiles, size));
    plan->chunk[target] = (int)size;
    plan->splits[target] = (int)(splits < groups ? splits : groups);
    const int block = target == TARGET_AVX512 ? 1 : MOST_SUMS / (plan->rows[target] * plan->vectors[target]);
    plan->block[target] = block < plan->chunk[target] ? block : plan->chunk[target];
}

StrassenPlan strassen_plan(const StrassenShape *shape) {
    StrassenPlan plan;
    const TileProduct product = quarter(shape);
    tile_choose(&product, plan.rows, plan.vectors);
    for (int i = 0; i < TARGET_COUNT; i++) plan_chunks(shape, &plan, i);
    return plan;
}

StrassenPlan strassen_plan_tile(const StrassenShape *shape, int target, Tile tile) {
    StrassenPlan plan = strassen_plan(shape);
    plan.rows[target] = tile.rows, plan.vectors[target] = tile.vectors;
    plan_chunks(shape, &plan, target);
    return plan;
}

/* In multiply-adds, as tile_cost(). Beside its products the kernel makes the left factors, and takes results through
 * the cache once more, which is slower where these do not stay in it; it reads seven quarters of weights where the
 * other reads four. With AVX2 both took as long on an EPYC (Zen 3) and a Xeon, for larger weights. */
bool strassen_pays(const StrassenShape *shape, const Machine *machine, const TileProduct *whole, Tile tile) {
    static const double FAR_RESULT = 2, WORTH = 0.985; /* larger weights */
    const int target = machine->registers;
    enum { CACHED_RESULTS = 1 << 19 };
    Tile best;
    const TileProduct product = quarter(shape);
    tile_best(target, &product, &best, 1);
    const double weights = (double)(shape->depth * shape->columns), results = (double)(shape->rows * shape->columns);
    const double products = FACTORS * (double)product.depth * tile_cost(target, &product, best.rows, best.vectors);
    const double around = machine->left_factor * (double)(shape->rows * product.depth) +
                          (machine->result + (results > CACHED_RESULTS ? FAR_RESULT : 0)) * results;
    const double plain = (double)shape->depth * tile_cost(target, whole, tile.rows, tile.vectors);
    if (target == TARGET_AVX2) return false;
    return products + around + 0.75 * machine->farthest_weight * weights < WORTH * plain;
}

/* Seven factors of the quarters b11, b12, b21, b22 of an element. */
static void factor(const double b[4], float *factors, int64_t apart) {
    const double made[FACTORS] = {b[0],        b[2], b[3] - b[1] + b[0], b[3] - b[1], b[2] - b[3] + b[1] - b[0],
                                  b[1] - b[0], b[3]};
    for (int i = 0; i < FACTORS; i++) factors[i * apart] = (float)made[i];
}

void strassen_factor(const float *panels, int64_t depth, int64_t columns, float *factors) {
    const int64_t deep = depth / 2, half = columns / 2;
    for (int64_t n = 0; n < half; n++)
        for (int64_t k = 0; k < deep; k++) {
            double quarters[4];
            for (int i = 0; i < 4; i++) {
                const int64_t row = k + i / 2 * deep, column = n + i % 2 * half;
                quarters[i] = panels[(column / PANEL_WIDTH * depth + row) * PANEL_WIDTH + column % PANEL_WIDTH];
            }
            const int64_t panel = n / PANEL_WIDTH * FACTORS * deep + k;
            factor(quarters, factors + panel * PANEL_WIDTH + n % PANEL_WIDTH, deep * PANEL_WIDTH);
        }
}
