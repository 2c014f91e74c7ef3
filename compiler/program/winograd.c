/* Winograd: the choice between F(2, 3), F(4, 3), F(2, 5) and direct convolution, and the transform of the weights.
 * The costs are fitted to measurements of both kernels, with weights in the caches and in memory. */
#include "program/winograd.h"

#include "program/tile.h"

#include <math.h>
#include <string.h>

enum { LARGEST_TILE = 6, MOST_TAPS = 5 };
enum { MOST_SCRATCH = 1 << 21 }; /* floats, several times a second-level cache */

const WinogradForm WINOGRAD_FORMS[] = {{4, 3}, {6, 3}, {6, 5}};

static int64_t panels_of(int64_t channels) { return divide_up(channels, PANEL_WIDTH); }
static int64_t padded(int64_t channels) { return panels_of(channels) * PANEL_WIDTH; }

WinogradForm winograd_along(WinogradForm form, int64_t taps) { return taps == 1 ? (WinogradForm){1, 1} : form; }

int64_t winograd_parts(WinogradForm form, int64_t taps) { return divide_up(taps, winograd_along(form, taps).taps); }

/* Of a window, in all planes. */
static int64_t parts_of(const WinogradTaps *taps, WinogradForm form) {
    return taps->planes * winograd_parts(form, taps->high) * winograd_parts(form, taps->wide);
}

static int points_of(const WinogradTaps *taps, WinogradForm form) {
    return winograd_along(form, taps->high).tile * winograd_along(form, taps->wide).tile;
}

static int64_t tiles_along(int64_t outputs, WinogradForm form) { return divide_up(outputs, form.tile - form.taps + 1); }

static int64_t tiles_of(const WinogradShape *shape, WinogradForm form) {
    return shape->batch * tiles_along(shape->high, winograd_along(form, shape->taps.high)) *
           tiles_along(shape->wide, winograd_along(form, shape->taps.wide));
}

int64_t winograd_weights_count(int64_t outputs, int64_t channels, const WinogradTaps *taps, WinogradForm form) {
    return points_of(taps, form) * padded(outputs) * parts_of(taps, form) * channels;
}

/* Output channels of all groups, each of which fills panels. */
static int64_t filled(const WinogradShape *shape) { return shape->groups * padded(shape->outputs / shape->groups); }

/* Of a group, in all parts. */
static int64_t depth_of(const WinogradShape *shape, WinogradForm form) {
    return parts_of(&shape->taps, form) * shape->channels / shape->groups;
}

/* At one point, of a chunk of tiles and a group. */
static TileProduct product_of(const WinogradShape *shape, WinogradForm form, int64_t chunk) {
    return (TileProduct){.rows = chunk,
                         .columns = shape->outputs / shape->groups,
                         .depth = depth_of(shape, form),
                         .rest = REST_IS_REPEATED};
}

/* Multiply-adds that take as long as a tile of one channel takes to be transformed: a line at a time, along each
 * dimension with taps, and through memory. */
static double transform_cost(const WinogradTaps *taps, WinogradForm form) {
    const int high = winograd_along(form, taps->high).tile, wide = winograd_along(form, taps->wide).tile;
    const int lines = (high > 1 ? wide : 0) + (wide > 1 ? high : 0);
    return 1.7 * high * wide + (form.tile == LARGEST_TILE ? 13.2 : 4.1) * lines;
}

/* Floats of the kernel's, with so many outputs at once. */
static double scratch_of(const WinogradShape *shape, WinogradForm form, int64_t chunk, int64_t width) {
    const int64_t row = parts_of(&shape->taps, form) * padded(shape->channels) + 16 + width;
    return (double)points_of(&shape->taps, form) * (double)(chunk * row);
}

/* The work, in which weights come from the third-level cache or from memory meanwhile, so many times; but memory takes
 * its time for each, and those that the cache cannot hold come from there every time. */
static double with_weights(const Machine *machine, double work, double weights, double times) {
    enum { FROM_MEMORY = 22, HELD = 1 << 23 }; /* multiply-adds for a float, floats in the cache (Zen 5) */
    const double far = work + machine->far_weight * weights, read = weights > HELD ? times : 1;
    return fmax(far, FROM_MEMORY * weights * read);
}

/* Multiply-adds that take as long as the kernel, on the target with the widest registers. Chunks are transformed anew
 * where they overlap, their last blocks of rows overlap as well, and weights which the second-level cache
 * cannot keep beside the scratch come from the third for each chunk, which takes its time; with 512 KB (Zen 3) as with
 * 1 MB: chunks of half as many tiles took 1.3 to 1.8 times as long. Threads that share a chunk transform it each for
 * itself, and wait for the last. */
static double cost_of(const WinogradShape *shape, const WinogradPlan *plan) {
    enum { LEAST_SECOND = 1 << 18, FROM_THIRD = 14 }; /* multiply-adds for a float (Zen 5) */
    const WinogradForm form = plan->form;
    const int points = points_of(&shape->taps, form), vectors = plan->vectors[TARGET_AVX512];
    const double chunks = (double)divide_up(plan->tiles, plan->chunk);
    const double outputs = (double)filled(shape);
    const double weights = outputs * (double)depth_of(shape, form) * points;
    const double transforms = transform_cost(&shape->taps, form);
    const double across = (double)(parts_of(&shape->taps, form) * padded(shape->channels));
    const double scratch = scratch_of(shape, form, plan->chunk, vectors * TARGET_LANES[TARGET_AVX512]);
    const double second = (double)(shape->machine.second > LEAST_SECOND ? shape->machine.second : LEAST_SECOND);
    const bool keeps_weights = weights + scratch < 0.8 * second, keeps_scratch = scratch < 0.69 * second;
    const TileProduct product = product_of(shape, form, plan->chunk);
    const bool is_one = tiles_of(shape, form) / shape->batch % plan->chunk == 0; /* each chunk of one map */
    const double live = is_one ? 1 - shape->dead_planes : 1;
    const double products = live * (double)(points * shape->groups * depth_of(shape, form)) *
                            tile_cost(TARGET_AVX512, &product, plan->rows[TARGET_AVX512], vectors);
    const double threads = shape->threads > 1 ? shape->threads : 1, items = chunks * plan->splits;
    const double again = threads > chunks ? threads / chunks : 1, waiting = ceil(items / threads) * threads / items;
    const double transformed = plan->chunk * transforms * (again * live * across + outputs);
    const double work = (products + transformed) * (keeps_scratch ? 1 : 1.15);
    const double chunk = keeps_weights ? work : fmax(work + 2 * weights, FROM_THIRD * weights);
    return with_weights(&shape->machine, waiting * chunks * chunk, weights, chunks);
}

/* The same of a direct convolution, row by row; of a single column all of it. */
static double direct_cost(const WinogradShape *shape) {
    int rows[TARGET_COUNT], vectors[TARGET_COUNT];
    const WinogradTaps *taps = &shape->taps;
    const int64_t depth = taps->planes * taps->high * taps->wide * shape->channels / shape->groups;
    const int64_t line = shape->wide == 1 ? shape->high : shape->wide;
    const TileProduct product = {.rows = line, .columns = shape->outputs / shape->groups, .depth = depth};
    tile_choose(&product, rows, vectors);
    const double row = tile_cost(TARGET_AVX512, &product, rows[TARGET_AVX512], vectors[TARGET_AVX512]);
    const double weights = (double)depth * (double)filled(shape);
    const double lines = (double)(shape->batch * shape->high * shape->wide / line * shape->groups);
    return with_weights(&shape->machine, (1 - shape->dead) * (1 - shape->dead_planes) * (double)depth * lines * row,
                        weights, 1);
}

/* Tiles that a chunk can have. */
static int64_t most_chunk(const WinogradShape *shape, WinogradForm form) {
    const int64_t most = MOST_SCRATCH / (int64_t)scratch_of(shape, form, 1, 0), tiles = tiles_of(shape, form);
    return most < tiles ? most : tiles;
}

WinogradPlan winograd_plan_chunk(const WinogradShape *shape, WinogradForm form, int64_t chunk) {
    const int64_t enough = tile_enough_items(shape->threads), tiles = tiles_of(shape, form);
    if (chunk > most_chunk(shape, form)) chunk = most_chunk(shape, form);
    if (chunk < 1) chunk = 1;
    WinogradPlan plan = {.form = form, .tiles = tiles, .chunk = (int)chunk};
    const int64_t chunks = divide_up(tiles, chunk), splits = divide_up(enough, chunks);
    plan.splits = (int)(splits < filled(shape) / PANEL_WIDTH ? splits : filled(shape) / PANEL_WIDTH);
    const TileProduct product = product_of(shape, form, chunk);
    tile_choose(&product, plan.rows, plan.vectors);
    return plan;
}

/* Of chunks that share the tiles evenly, the one that takes least time. */
WinogradPlan winograd_plan_form(const WinogradShape *shape, WinogradForm form) {
    enum { MOST = 64 }; /* more tiles in a chunk never fit into the second-level cache, or gain nothing */
    const int64_t most = most_chunk(shape, form);
    WinogradPlan best = winograd_plan_chunk(shape, form, 1);
    for (int64_t chunk = 2; chunk <= most && chunk <= MOST; chunk++) {
        const WinogradPlan plan = winograd_plan_chunk(shape, form, chunk);
        if (cost_of(shape, &plan) < cost_of(shape, &best)) best = plan;
    }
    return best;
}

bool winograd_is_possible(const WinogradShape *shape, WinogradForm form) {
    const WinogradTaps *taps = &shape->taps;
    const int64_t most = taps->high > taps->wide ? taps->high : taps->wide, part = form.taps == 3 ? 2 : form.taps;
    const int64_t channels = shape->channels / shape->groups;
    return most >= part && most_chunk(shape, form) > 0 &&
           winograd_weights_count(filled(shape), channels, taps, form) <= INT32_MAX;
}

/* The form is that of one thread, so that results are the same bits for all numbers of threads. */
WinogradPlan winograd_plan(const WinogradShape *shape) {
    WinogradShape alone = *shape;
    alone.threads = 1;
    WinogradForm best = {0};
    double least = direct_cost(shape);
    for (int i = 0; i < WINOGRAD_FORMS_COUNT; i++) {
        if (!winograd_is_possible(shape, WINOGRAD_FORMS[i])) continue;
        const WinogradPlan plan = winograd_plan_form(&alone, WINOGRAD_FORMS[i]);
        const double cost = cost_of(&alone, &plan);
        if (cost <= least) best = plan.form, least = cost;
    }
    return best.tile == 0 ? (WinogradPlan){0} : winograd_plan_form(shape, best);
}

/* G of Winograd's method: a line's weights as a polynomial at the finite points, over the product of a point's
 * differences from the others, and its highest coefficient, which is its value at infinity. runtime/winograd.h has the
 * same points. */
static void transform_matrix(WinogradForm form, double matrix[LARGEST_TILE][MOST_TAPS]) {
    static const double SMALL[] = {0, 1, -1}, LARGE[] = {0, 0.75, -0.75, 1.5, -1.5};
    const double *const points = form.tile == LARGEST_TILE ? LARGE : SMALL;
    for (int i = 0; i < form.tile - 1; i++) {
        double product = 1;
        for (int j = 0; j < form.tile - 1; j++)
            if (j != i) product *= points[i] - points[j];
        matrix[i][0] = 1 / product;
        for (int power = 1; power < form.taps; power++) matrix[i][power] = matrix[i][power - 1] * points[i];
    }
    for (int tap = 0; tap < form.taps; tap++) matrix[form.tile - 1][tap] = tap == form.taps - 1;
}

void winograd_transform(const float *weights, int64_t outputs, int64_t channels, const WinogradTaps *taps,
                        WinogradForm form, float *transformed) {
    const WinogradForm high = winograd_along(form, taps->high), wide = winograd_along(form, taps->wide);
    const int64_t beside = winograd_parts(form, taps->wide), above = winograd_parts(form, taps->high);
    const int64_t depth = parts_of(taps, form) * channels, window = taps->high * taps->wide;
    double down[LARGEST_TILE][MOST_TAPS], right[LARGEST_TILE][MOST_TAPS];
    transform_matrix(high, down), transform_matrix(wide, right);
    memset(transformed, 0, sizeof(float) * (size_t)winograd_weights_count(outputs, channels, taps, form));
    for (int64_t k = 0; k < outputs; k++)
        for (int64_t row = 0; row < depth; row++) {
            const int64_t part = row / channels, top = part / beside % above * high.taps;
            const int64_t left = part % beside * wide.taps, plane = part / beside / above;
            const float *const from = weights + ((k * channels + row % channels) * taps->planes + plane) * window;
            for (int point = 0; point < high.tile * wide.tile; point++) {
                double sum = 0;
                for (int64_t i = 0; i < high.taps && top + i < taps->high; i++)
                    for (int64_t j = 0; j < wide.taps && left + j < taps->wide; j++)
                        sum += down[point / wide.tile][i] * right[point % wide.tile][j] *
                               from[(top + i) * taps->wide + left + j];
                const int64_t panel = point * panels_of(outputs) + k / PANEL_WIDTH;
                transformed[(panel * depth + row) * PANEL_WIDTH + k % PANEL_WIDTH] = (float)sum;
            }
        }
}
