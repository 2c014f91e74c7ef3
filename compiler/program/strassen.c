/* Strassen: the choice between seven products of quarters and one of the whole, and the factors of the weights.
 * The costs are fitted to measurements of both kernels, with weights in the caches and in memory. */
#include "program/strassen.h"

#include <limits.h>

enum { FACTORS = 7 };

static int64_t divide_up(int64_t count, int64_t by) { return (count + by - 1) / by; }

int64_t strassen_weights_count(int64_t depth, int64_t columns) { return FACTORS * depth * columns / 4; }

bool strassen_is_possible(const StrassenShape *shape) {
    const bool whole = shape->depth % (2 * PANEL_WIDTH) == 0 && shape->columns % (2 * PANEL_WIDTH) == 0;
    return whole && shape->rows > 1 && strassen_weights_count(shape->depth, shape->columns) <= INT_MAX;
}

/* One of the seven, of pairs of rows. */
static TileProduct quarter(const StrassenShape *shape) {
    return (TileProduct){.rows = divide_up(shape->rows, 2),
                         .columns = shape->columns / 2,
                         .depth = shape->depth / 2,
                         .stride = shape->depth / 2 + PANEL_WIDTH,
                         .rest = REST_IS_REPEATED};
}

int strassen_best(const StrassenShape *shape, int target, Tile *best, int most) {
    const TileProduct product = quarter(shape);
    return tile_best(target, &product, best, most);
}

/* Left factors of a chunk lie in the second-level cache, or not far from it; where there are few chunks, several items
 * share each, so that eight threads end at about the same time. */
static void plan_chunks(const StrassenShape *shape, StrassenPlan *plan, int target) {
    enum { MOST_FLOATS = 3 << 17, ENOUGH_ITEMS = 16 };
    const TileProduct product = quarter(shape);
    const int64_t tiles = divide_up(product.rows, plan->rows[target]);
    const int64_t most = MOST_FLOATS / (FACTORS * plan->rows[target] * product.stride);
    const int64_t chunks = divide_up(tiles, most < 1 ? 1 : most);
    const int64_t vectors = product.columns / TARGET_LANES[target];
    const int64_t groups = divide_up(vectors, plan->vectors[target]);
    const int64_t splits = divide_up(ENOUGH_ITEMS, chunks);
    plan->chunk[target] = (int)divide_up(tiles, chunks);
    plan->splits[target] = (int)(splits < groups ? splits : groups);
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
 * memory once more; it reads seven quarters of weights where the other reads four. */
bool strassen_pays(const StrassenShape *shape, int target, const TileProduct *whole, Tile tile) {
    static const double FROM_MEMORY = 6, LEFT = 14, RESULT = 10, WORTH = 0.985; /* larger weights */
    Tile best;
    const TileProduct product = quarter(shape);
    tile_best(target, &product, &best, 1);
    const double weights = (double)(shape->depth * shape->columns), rows = (double)shape->rows;
    const double products = FACTORS * (double)product.depth * tile_cost(target, &product, best.rows, best.vectors);
    const double around = rows * (LEFT * (double)product.depth + RESULT * (double)shape->columns);
    const double plain = (double)shape->depth * tile_cost(target, whole, tile.rows, tile.vectors);
    return products + around + 0.75 * FROM_MEMORY * weights < WORTH * plain;
}

/* Seven factors of the quarters b11, b12, b21, b22 of an element. */
static void factor(const double b[4], float *factors, int64_t apart) {
    const double made[FACTORS] = {b[0],        b[2], b[3] - b[1] + b[0], b[3] - b[1], b[2] - b[3] + b[1] - b[0],
                                  b[1] - b[0], b[3]};
    for (int i = 0; i < FACTORS; i++) factors[i * apart] = (float)made[i];
}

void strassen_factor(const float *panels, int64_t depth, int64_t columns, float *factors) {
    const int64_t block = depth / 2 * PANEL_WIDTH,
                  right = columns / 2 * depth; /* floats to the lower, the right half */
    for (int64_t panel = 0; panel < columns / (2 * PANEL_WIDTH); panel++)
        for (int64_t i = 0; i < block; i++) {
            const float *const from = panels + panel * 2 * block + i;
            const double quarters[] = {from[0], from[right], from[block], from[right + block]};
            factor(quarters, factors + panel * FACTORS * block + i, block);
        }
}
