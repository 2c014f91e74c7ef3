/* Ways of computing a convolution: see conv_ways.h.
 * A candidate differs from the cost model's in what is worth a measurement: the kernel, its tile, how much it does at
 * once. */
#include "ops/conv_ways.h"

#include <inttypes.h>
#include <string.h>

typedef struct {
    Program *program;
    const Planar *conv;
    ConvWay ways[MOST_CANDIDATES];
    const char *names[MOST_CANDIDATES];
    int count;
} Ways;

static void add(Ways *ways, const char *name, const ConvWay *way) {
    for (int i = 0; i < ways->count; i++)
        if (strcmp(ways->names[i], name) == 0) return;
    if (ways->count == MOST_CANDIDATES) return;
    ways->names[ways->count] = name;
    ways->ways[ways->count++] = *way;
}

static int64_t divide_up(int64_t count, int64_t by) { return (count + by - 1) / by; }

/* Of a group. */
static int64_t panels_of(const Planar *conv) { return divide_up(conv->outputs / conv->groups, PANEL_WIDTH); }

static TileProduct tile_product(const Planar *conv) {
    return (TileProduct){.rows = conv->w.output,
                         .panels = panels_of(conv),
                         .depth = conv->h.kernel * conv->w.kernel * conv->channels / conv->groups,
                         .stride = conv->w.stride * conv->channels,
                         .rest = REST_IS_SMALLER};
}

/* Output rows that are made at once: what they read lies in the second cache, but the weights should be worth it. */
static int64_t band_of(const Planar *conv) {
    enum { FLOATS = 1 << 16, FEWEST_PIXELS = 28 };
    const WindowDim *h = &conv->h, *w = &conv->w;
    const int64_t row = ((w->output - 1) * w->stride + (w->kernel - 1) * w->dilation + 1) * conv->channels;
    int64_t band = (FLOATS / row - (h->kernel - 1) * h->dilation) / h->stride;
    if (band * w->output < FEWEST_PIXELS) band = divide_up(FEWEST_PIXELS, w->output);
    return divide_up(h->output, divide_up(h->output, band));
}

static void set_band(ConvWay *way, const Planar *conv, int target, int64_t band) {
    enum { ENOUGH_ITEMS = 4 };
    const int64_t panels = conv->groups * panels_of(conv), bands = conv->batch * divide_up(conv->h.output, band);
    const int64_t splits = divide_up(ENOUGH_ITEMS, bands);
    way->band[target] = (int)band;
    way->splits[target] = (int)(splits < panels ? splits : panels);
}

/* The direct kernel with the cost model's numbers on all targets but one. */
static void add_direct(Ways *ways, Tile tile, int64_t band) {
    const Planar *conv = ways->conv;
    const int target = choice_target(ways->program);
    ConvWay way = {0};
    const TileProduct product = tile_product(conv);
    tile_choose(&product, way.rows, way.vectors);
    for (int i = 0; i < TARGET_COUNT; i++) set_band(&way, conv, i, band_of(conv));
    way.rows[target] = tile.rows, way.vectors[target] = tile.vectors;
    set_band(&way, conv, target, band < 1 ? 1 : band < conv->h.output ? band : conv->h.output);
    add(ways, arena_printf(ways->program->arena, "%dx%d band %d", tile.rows, tile.vectors, way.band[target]), &way);
}

static void add_winograd(Ways *ways, const WinogradPlan *plan) {
    const ConvWay way = {.winograd = *plan};
    add(ways, arena_printf(ways->program->arena, "winograd%d chunk %d", plan->tile, plan->chunk), &way);
}

/* Half and twice as many tiles at once. */
static void add_chunks(Ways *ways, const WinogradShape *shape, const WinogradPlan *plan) {
    const int chunks[] = {plan->chunk / 2, plan->chunk * 2};
    for (int i = 0; i < 2; i++) {
        const WinogradPlan other = winograd_plan_chunk(shape, plan->tile, chunks[i]);
        add_winograd(ways, &other);
    }
}

static bool winograd_applies(const Planar *conv) {
    const WindowDim *dims[] = {&conv->h, &conv->w};
    bool applies = conv->groups == 1;
    for (int i = 0; i < 2; i++)
        applies = applies && dims[i]->kernel == 3 && dims[i]->stride == 1 && dims[i]->dilation == 1;
    return applies;
}

static void list_ways(Ways *ways) {
    enum { TILES = 5 };
    const Planar *conv = ways->conv;
    const WinogradShape shape = {conv->batch, conv->channels, conv->outputs, conv->h.output, conv->w.output};
    const int64_t band = band_of(conv);
    Tile tiles[TILES];
    const TileProduct product = tile_product(conv);
    const int count = tile_best(choice_target(ways->program), &product, tiles, TILES);
    const bool applies = !ways->program->is_direct && winograd_applies(conv) && winograd_is_possible(&shape);
    const WinogradPlan best = applies ? winograd_plan(&shape) : (WinogradPlan){0};
    if (best.tile != 0) add_winograd(ways, &best);
    add_direct(ways, tiles[0], band);
    for (int tile = 4; applies && tile <= 6; tile += 2) {
        const WinogradPlan plan = winograd_plan_tile(&shape, tile);
        add_winograd(ways, &plan);
    }
    if (best.tile != 0) add_chunks(ways, &shape, &best);
    for (int i = 1; i < count; i++) {
        add_direct(ways, tiles[i], band);
        if (i > 1) continue;
        add_direct(ways, tiles[0], band / 2);
        add_direct(ways, tiles[0], band * 2);
    }
}

/* "conv 3x3 64 128/1 28x28 stride 2x2 dilation 1x1": taps, channels, output channels/groups, output map. */
static const char *key_of(const Program *program, const Planar *conv, const char *kernel) {
    const WindowDim *h = &conv->h, *w = &conv->w;
    return arena_printf(program->arena,
                        "%s %" PRId64 "x%" PRId64 " %" PRId64 " %" PRId64 "/%" PRId64 " %" PRId64 "x%" PRId64
                        " stride %" PRId64 "x%" PRId64 " dilation %" PRId64 "x%" PRId64 " batch %" PRId64,
                        kernel, h->kernel, w->kernel, conv->channels, conv->outputs, conv->groups, h->output, w->output,
                        h->stride, w->stride, h->dilation, w->dilation, conv->batch);
}

ConvWay conv_choose(Program *program, const Planar *conv, const Choice **choice) {
    Ways ways = {.program = program, .conv = conv};
    const bool is_forbidden = program->is_direct && winograd_applies(conv);
    list_ways(&ways);
    const char *key = key_of(program, conv, is_forbidden ? "direct conv" : "conv");
    *choice = choice_take(program, key, ways.names, ways.count);
    return ways.ways[(*choice)->taken];
}

const Choice *conv_choose_image(Program *program, const Planar *conv, int rows[TARGET_COUNT],
                                int vectors[TARGET_COUNT]) {
    const int target = choice_target(program);
    const TileProduct product = {.rows = conv->w.output,
                                 .panels = divide_up(conv->outputs, PANEL_WIDTH),
                                 .depth = conv->channels * conv->h.kernel * conv->w.kernel,
                                 .rest = REST_IS_REPEATED};
    Tile best[MOST_CANDIDATES];
    const char *names[MOST_CANDIDATES];
    const int count = tile_best(target, &product, best, MOST_CANDIDATES);
    for (int i = 0; i < count; i++) names[i] = arena_printf(program->arena, "%dx%d", best[i].rows, best[i].vectors);
    const Choice *choice = choice_take(program, key_of(program, conv, "image conv"), names, count);
    tile_choose(&product, rows, vectors);
    rows[target] = best[choice->taken].rows, vectors[target] = best[choice->taken].vectors;
    return choice;
}

const Choice *conv_choose_columns(Program *program, const Planar *conv, int columns[TARGET_COUNT]) {
    const WindowDim *w = &conv->w;
    const int target = choice_target(program);
    int best[MOST_CANDIDATES];
    const char *names[MOST_CANDIDATES];
    const int count = tile_best_columns(target, w->output, w->kernel, w->stride, w->dilation, best, MOST_CANDIDATES);
    for (int i = 0; i < count; i++) names[i] = arena_printf(program->arena, "%d columns", best[i]);
    const Choice *choice = choice_take(program, key_of(program, conv, "depthwise"), names, count);
    tile_choose_columns(w->output, w->kernel, w->stride, w->dilation, columns);
    columns[target] = best[choice->taken];
    return choice;
}
