/* Winograd: the choice between F(2, 3), F(4, 3) and direct convolution, and the transform of the weights.
 * The costs are fitted to measurements of both kernels, with weights in the caches and in memory. */
#include "program/winograd.h"

#include "program/tile.h"

#include <math.h>
#include <string.h>

enum { LARGEST_TILE = 6, MOST_TAPS = 5 };

static int64_t panels_of(int64_t channels) { return divide_up(channels, PANEL_WIDTH); }
static int64_t padded(int64_t channels) { return panels_of(channels) * PANEL_WIDTH; }

int winograd_along(int tile, int64_t taps) { return taps == 1 ? 1 : tile; }

static int points_of(const WinogradTaps *taps, int tile) {
    return winograd_along(tile, taps->high) * winograd_along(tile, taps->wide);
}

static int64_t tiles_of(const WinogradShape *shape, int tile) {
    const WinogradTaps *taps = &shape->taps;
    return shape->batch * divide_up(shape->high, winograd_along(tile, taps->high) - taps->high + 1) *
           divide_up(shape->wide, winograd_along(tile, taps->wide) - taps->wide + 1);
}

int64_t winograd_weights_count(int64_t outputs, int64_t channels, const WinogradTaps *taps, int tile) {
    return points_of(taps, tile) * padded(outputs) * taps->planes * channels;
}

/* Output channels of all groups, each of which fills panels. */
static int64_t filled(const WinogradShape *shape) { return shape->groups * padded(shape->outputs / shape->groups); }

/* Of a group, in all planes that a window sees. */
static int64_t depth_of(const WinogradShape *shape) { return shape->taps.planes * shape->channels / shape->groups; }

/* At one point, of a chunk of tiles and a group. */
static TileProduct product_of(const WinogradShape *shape, int64_t chunk) {
    return (TileProduct){
        .rows = chunk, .columns = shape->outputs / shape->groups, .depth = depth_of(shape), .rest = REST_IS_REPEATED};
}

/* Multiply-adds that take as long as a tile of one channel takes to be transformed: a line at a time, along each
 * dimension with taps, and through memory. */
static double transform_cost(const WinogradTaps *taps, int tile) {
    const int high = winograd_along(tile, taps->high), wide = winograd_along(tile, taps->wide);
    const int lines = (high > 1 ? wide : 0) + (wide > 1 ? high : 0);
    return 1.7 * high * wide + (tile == LARGEST_TILE ? 13.2 : 4.1) * lines;
}

/* The work, in which weights come from the third-level cache or from memory meanwhile, so many times; but memory takes
 * its time for each, and those that the cache cannot hold come from there every time. */
static double with_weights(const Machine *machine, double work, double weights, double times) {
    enum { MEMORY = 22, THIRD = 1 << 23 }; /* multiply-adds for a float from there, floats in the cache (Zen 5) */
    const double far = work + machine->far_weight * weights, least = MEMORY * weights * (weights > THIRD ? times : 1);
    return far > least ? far : least;
}

/* Multiply-adds that take as long as the kernel, on the target with the widest registers. Chunks are transformed anew
 * where they overlap, their last blocks of rows overlap as well, and weights which the second-level cache
 * cannot keep beside the scratch come from the third for each chunk; with 512 KB (Zen 3) as with 1 MB: chunks of half
 * as many tiles took 1.3 to 1.8 times as long. Threads that share a chunk transform it each for itself, and wait for
 * the last. */
static double cost_of(const WinogradShape *shape, const WinogradPlan *plan) {
    enum { LEAST_SECOND = 1 << 18 };
    const int points = points_of(&shape->taps, plan->tile), vectors = plan->vectors[TARGET_AVX512];
    const double chunks = (double)divide_up(tiles_of(shape, plan->tile), plan->chunk);
    const double outputs = (double)filled(shape);
    const double weights = outputs * (double)depth_of(shape) * points;
    const double transforms = transform_cost(&shape->taps, plan->tile);
    const int64_t across = shape->taps.planes * padded(shape->channels);
    const int64_t width = across + 16 + vectors * TARGET_LANES[TARGET_AVX512];
    const double scratch = (double)(points * plan->chunk) * (double)width; /* floats */
    const double second = (double)(shape->machine.second > LEAST_SECOND ? shape->machine.second : LEAST_SECOND);
    const bool keeps_weights = weights + scratch < 0.8 * second, keeps_scratch = scratch < 0.69 * second;
    const TileProduct product = product_of(shape, plan->chunk);
    const double products = (double)(points * shape->groups * depth_of(shape)) *
                            tile_cost(TARGET_AVX512, &product, plan->rows[TARGET_AVX512], vectors);
    const double threads = shape->threads > 1 ? shape->threads : 1, items = chunks * plan->splits;
    const double again = threads > chunks ? threads / chunks : 1, waiting = ceil(items / threads) * threads / items;
    const double transformed = plan->chunk * transforms * (again * (double)across + outputs);
    const double work = (products + transformed) * (keeps_scratch ? 1 : 1.15);
    const double all = waiting * chunks * (work + (keeps_weights ? 0 : 2 * weights));
    return with_weights(&shape->machine, all, weights, chunks);
}

/* The same of a direct convolution, row by row; of a single column all of it. */
static double direct_cost(const WinogradShape *shape) {
    int rows[TARGET_COUNT], vectors[TARGET_COUNT];
    const int64_t depth = shape->taps.high * shape->taps.wide * depth_of(shape);
    const int64_t line = shape->wide == 1 ? shape->high : shape->wide;
    const TileProduct product = {.rows = line, .columns = shape->outputs / shape->groups, .depth = depth};
    tile_choose(&product, rows, vectors);
    const double row = tile_cost(TARGET_AVX512, &product, rows[TARGET_AVX512], vectors[TARGET_AVX512]);
    const double weights = (double)depth * (double)filled(shape);
    const double lines = (double)(shape->batch * shape->high * shape->wide / line * shape->groups);
    return with_weights(&shape->machine, (1 - shape->dead) * (double)depth * lines * row, weights, 1);
}

WinogradPlan winograd_plan_chunk(const WinogradShape *shape, int tile, int64_t chunk) {
    const int64_t enough = tile_enough_items(shape->threads);
    if (chunk < 1) chunk = 1;
    if (chunk > tiles_of(shape, tile)) chunk = tiles_of(shape, tile);
    WinogradPlan plan = {.tile = tile, .tiles = tiles_of(shape, tile), .chunk = (int)chunk};
    const int64_t chunks = divide_up(tiles_of(shape, tile), chunk), splits = divide_up(enough, chunks);
    plan.splits = (int)(splits < filled(shape) / PANEL_WIDTH ? splits : filled(shape) / PANEL_WIDTH);
    const TileProduct product = product_of(shape, chunk);
    tile_choose(&product, plan.rows, plan.vectors);
    return plan;
}

/* Of chunks that share the tiles evenly, the one that takes least time. */
WinogradPlan winograd_plan_tile(const WinogradShape *shape, int tile) {
    enum { MOST = 64 }; /* more tiles in a chunk never fit into the second-level cache, or gain nothing */
    const int64_t tiles = tiles_of(shape, tile);
    WinogradPlan best = winograd_plan_chunk(shape, tile, 1);
    for (int64_t chunk = 2; chunk <= tiles && chunk <= MOST; chunk++) {
        const WinogradPlan plan = winograd_plan_chunk(shape, tile, chunk);
        if (cost_of(shape, &plan) < cost_of(shape, &best)) best = plan;
    }
    return best;
}

bool winograd_is_possible(const WinogradShape *shape, int tile) {
    const WinogradTaps *taps = &shape->taps;
    const int64_t least = taps->high > taps->wide ? taps->high : taps->wide;
    return tile > least &&
           winograd_weights_count(filled(shape), shape->channels / shape->groups, taps, tile) <= INT32_MAX;
}

/* The tile is that of one thread, so that results are the same bits for all numbers of threads. */
WinogradPlan winograd_plan(const WinogradShape *shape) {
    WinogradShape alone = *shape;
    alone.threads = 1;
    int best = 0;
    double least = direct_cost(shape);
    for (int tile = 4; tile <= LARGEST_TILE; tile += 2) {
        if (!winograd_is_possible(shape, tile)) continue;
        const WinogradPlan plan = winograd_plan_tile(&alone, tile);
        const double cost = cost_of(&alone, &plan);
        if (cost <= least) best = tile, least = cost;
    }
    return best == 0 ? (WinogradPlan){0} : winograd_plan_tile(shape, best);
}

/* G of Winograd's method: a line's weights as a polynomial at the finite points, over the product of a point's
 * differences from the others, and its highest coefficient, which is its value at infinity. runtime/winograd.h has the
 * same points. */
static void transform_matrix(int tile, int64_t taps, double matrix[LARGEST_TILE][MOST_TAPS]) {
    static const double SMALL[] = {0, 1, -1}, LARGE[] = {0, 0.75, -0.75, 1.5, -1.5};
    const double *const points = tile == LARGEST_TILE ? LARGE : SMALL;
    for (int i = 0; i < tile - 1; i++) {
        double product = 1;
        for (int j = 0; j < tile - 1; j++)
            if (j != i) product *= points[i] - points[j];
        matrix[i][0] = 1 / product;
        for (int64_t power = 1; power < taps; power++) matrix[i][power] = matrix[i][power - 1] * points[i];
    }
    for (int64_t tap = 0; tap < taps; tap++) matrix[tile - 1][tap] = tap == taps - 1;
}

void winograd_transform(const float *weights, int64_t outputs, int64_t channels, const WinogradTaps *taps, int tile,
                        float *transformed) {
    const int64_t depth = taps->planes * channels, window = taps->high * taps->wide;
    const int right = winograd_along(tile, taps->wide), points = points_of(taps, tile);
    double high[LARGEST_TILE][MOST_TAPS], wide[LARGEST_TILE][MOST_TAPS];
    transform_matrix(winograd_along(tile, taps->high), taps->high, high);
    transform_matrix(right, taps->wide, wide);
    memset(transformed, 0, sizeof(float) * (size_t)winograd_weights_count(outputs, channels, taps, tile));
    for (int64_t k = 0; k < outputs; k++)
        for (int64_t row = 0; row < depth; row++) {
            const int64_t plane = (k * channels + row % channels) * taps->planes + row / channels;
            for (int point = 0; point < points; point++) {
                double sum = 0;
                for (int64_t tap = 0; tap < window; tap++)
                    sum += high[point / right][tap / taps->wide] * wide[point % right][tap % taps->wide] *
                           weights[plane * window + tap];
                const int64_t panel = point * panels_of(outputs) + k / PANEL_WIDTH;
                transformed[(panel * depth + row) * PANEL_WIDTH + k % PANEL_WIDTH] = (float)sum;
            }
        }
}
