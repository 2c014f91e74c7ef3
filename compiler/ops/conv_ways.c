/* Ways of computing a convolution: see conv_ways.h.
 * A candidate differs from the cost model's in what is worth a measurement: the kernel, its tile, how much it does at
 * once. */
#include "ops/conv_ways.h"

#include "program/tile.h"

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

/* Of a group. */
static int64_t panels_of(const Planar *conv) { return divide_up(conv->outputs / conv->groups, PANEL_WIDTH); }

/* Of tiles that follow each other along so many pixels. */
static TileProduct tile_product(const Planar *conv, int64_t pixels) {
    return (TileProduct){.rows = pixels,
                         .columns = conv->outputs / conv->groups,
                         .depth = conv->planes * conv->h.kernel * conv->w.kernel * conv->channels / conv->groups,
                         .stride = conv->w.stride * conv->channels,
                         .rest = REST_IS_SMALLER};
}

/* Output rows that are made at once: what they read takes half of the second cache, but the weights should be worth
 * it. */
static int64_t band_of(const Ways *ways) {
    enum { FEWEST_PIXELS = 28 };
    const int64_t held = target_machine(ways->program->target).second / 2;
    const Planar *conv = ways->conv;
    const WindowDim *h = &conv->h, *w = &conv->w;
    const int64_t wide = (w->output - 1) * w->stride + (w->kernel - 1) * w->dilation + 1;
    const int64_t row = wide * conv->channels * conv->planes;
    int64_t band = (held / row - (h->kernel - 1) * h->dilation) / h->stride;
    if (band * w->output < FEWEST_PIXELS) band = divide_up(FEWEST_PIXELS, w->output);
    return divide_up(h->output, divide_up(h->output, band));
}

/* The direct kernel's numbers on one target. */
typedef struct {
    Tile tile;
    int64_t band;
    bool is_joined; /* tiles go on in the next row of the band */
    double cost;
} Direct;

/* Output rows of the last band. */
static int64_t last_band(const Planar *conv, int64_t band) {
    const int64_t left = conv->h.output % band;
    return left > 0 ? left : band;
}

double conv_dead_taps(const WindowDim *dim) {
    int64_t live = 0;
    for (int64_t tap = 0; tap < dim->kernel; tap++) { /* outputs i with 0 <= i * stride - from < input */
        const int64_t from = dim->before - tap * dim->dilation, end = dim->input + from;
        const int64_t first = from > 0 ? divide_up(from, dim->stride) : 0;
        const int64_t behind = end > 0 ? divide_up(end, dim->stride) : 0;
        const int64_t last = behind < dim->output ? behind : dim->output;
        if (first < last) live += last - first;
    }
    return 1 - (double)live / (double)(dim->kernel * dim->output);
}

/* Of a dilated window's rows: the direct kernel leaves them out, where its tiles are not joined. Of plain windows they
 * are too few to count. */
static double dead_rows(const WindowDim *h) { return h->dilation == 1 ? 0 : conv_dead_taps(h); }

/* Tiles that are joined are placed anew each time, and reading more at once takes a little longer. */
static double direct_cost(const Ways *ways, int target, const Direct *direct) {
    const Planar *conv = ways->conv;
    const double joined = 1.02, larger = direct->band > band_of(ways) ? 1.03 : 1;
    const int64_t lines[] = {direct->band, last_band(conv, direct->band)};
    const int64_t bands = divide_up(conv->h.output, direct->band);
    double cost[2];
    for (int i = 0; i < 2; i++) {
        const TileProduct product = tile_product(conv, (direct->is_joined ? lines[i] : 1) * conv->w.output);
        cost[i] = tile_cost(target, &product, direct->tile.rows, direct->tile.vectors);
    }
    if (!direct->is_joined) return (1 - dead_rows(&conv->h)) * (double)conv->h.output * cost[0];
    return joined * larger * ((double)(bands - 1) * cost[0] + cost[1]);
}

enum { MOST_DIRECT = 5 };

static void sort_in(Direct *best, int *count, Direct direct) {
    int at = *count;
    for (; at > 0 && direct.cost < best[at - 1].cost; at--)
        if (at < MOST_DIRECT) best[at] = best[at - 1];
    if (at < MOST_DIRECT) best[at] = direct;
    if (*count < MOST_DIRECT) (*count)++;
}

/* Rows of a tile that is joined: each has an address of its own, for which there are few registers. */
enum { MOST_JOINED = 9 };

/* Whether such tiles gain by being joined, as they do not divide a row, and the last band has room for one. */
static bool can_join(const Planar *conv, int64_t rows, int64_t band) {
    return band > 1 && rows <= MOST_JOINED && conv->w.output % rows != 0 &&
           rows <= last_band(conv, band) * conv->w.output;
}

/* The numbers with which the direct kernel takes least time on a target, the best first. Returns how many. */
static int best_direct(const Ways *ways, int target, Direct best[MOST_DIRECT]) {
    enum { TILES = 16 };
    const Planar *conv = ways->conv;
    const int64_t band = band_of(ways), twice = 2 * band < conv->h.output ? 2 * band : conv->h.output;
    const int64_t lines[] = {1, band, twice};
    const int line_count = conv->is_deep ? 1 : twice > band ? 3 : 2;
    int count = 0;
    for (int i = 0; i < line_count; i++) {
        Tile tiles[TILES];
        TileProduct product = tile_product(conv, lines[i] * conv->w.output);
        if (i > 0) product.most = MOST_JOINED;
        const int found = tile_best(target, &product, tiles, TILES);
        for (int k = 0; k < found; k++) {
            Direct direct = {.tile = tiles[k], .band = i == 0 ? band : lines[i], .is_joined = i > 0};
            if (direct.is_joined && !can_join(conv, direct.tile.rows, direct.band)) continue;
            direct.cost = direct_cost(ways, target, &direct);
            sort_in(best, &count, direct);
        }
    }
    return count;
}

/* Items for threads to end at about the same time: bands, which are smaller where these are few, and parts of the
 * channels, for which each thread copies the band. Tiles that are joined need the band that was chosen for them. */
static void set_direct(ConvWay *way, const Planar *conv, int target, Direct *direct, int threads) {
    enum { FEW_SPLITS = 4 };
    const int64_t enough = threads > 2 ? 2 * threads : 4, panels = conv->groups * panels_of(conv);
    const int64_t most = conv->batch * conv->h.output * FEW_SPLITS / enough;
    if (!direct->is_joined && direct->band > most) direct->band = most < 1 ? 1 : most;
    const int64_t bands = conv->batch * divide_up(conv->h.output, direct->band);
    const int64_t splits = divide_up(enough, bands);
    way->rows[target] = direct->tile.rows, way->vectors[target] = direct->tile.vectors;
    way->band[target] = (int)direct->band, way->joined[target] = direct->is_joined;
    way->splits[target] = (int)(splits < panels ? splits : panels);
}

/* The direct kernel with the cost model's numbers on all targets but one, and there with another band. */
static void add_direct(Ways *ways, Direct direct, int64_t band) {
    const Planar *conv = ways->conv;
    const int target = choice_target(ways->program);
    ConvWay way = {0};
    direct.band = band < 1 ? 1 : band < conv->h.output ? band : conv->h.output;
    if (direct.is_joined && !can_join(conv, direct.tile.rows, direct.band)) return;
    for (int i = 0; i < TARGET_COUNT; i++) {
        Direct best[MOST_DIRECT];
        best_direct(ways, i, best);
        set_direct(&way, conv, i, i == target ? &direct : &best[0], ways->program->threads);
    }
    add(ways,
        arena_printf(ways->program->arena, "%dx%d %sband %d", direct.tile.rows, direct.tile.vectors,
                     direct.is_joined ? "joined " : "", way.band[target]),
        &way);
}

static void add_winograd(Ways *ways, const WinogradPlan *plan) {
    const ConvWay way = {.winograd = *plan};
    const char *five = plan->form.taps == 5 ? "five taps " : "";
    add(ways, arena_printf(ways->program->arena, "winograd%d %schunk %d", plan->form.tile, five, plan->chunk), &way);
}

/* Half and twice as many tiles at once. */
static void add_chunks(Ways *ways, const WinogradShape *shape, const WinogradPlan *plan) {
    const int chunks[] = {plan->chunk / 2, plan->chunk * 2};
    for (int i = 0; i < 2; i++) {
        const WinogradPlan other = winograd_plan_chunk(shape, plan->form, chunks[i]);
        add_winograd(ways, &other);
    }
}

static bool winograd_applies(const Planar *conv) {
    const WindowDim *dims[] = {&conv->h, &conv->w};
    bool applies = conv->h.kernel > 1 || conv->w.kernel > 1;
    for (int i = 0; i < 2; i++) applies = applies && dims[i]->stride == 1 && dims[i]->dilation <= dims[i]->output;
    return applies;
}

static WinogradShape winograd_shape(const Program *program, const Planar *conv) {
    return (WinogradShape){.batch = conv->batch * conv->h.dilation * conv->w.dilation,
                           .channels = conv->channels,
                           .outputs = conv->outputs,
                           .groups = conv->groups,
                           .taps = {conv->planes, conv->h.kernel, conv->w.kernel},
                           .high = divide_up(conv->h.output, conv->h.dilation),
                           .wide = divide_up(conv->w.output, conv->w.dilation),
                           .dead = dead_rows(&conv->h),
                           .dead_planes = conv->dead_planes,
                           .threads = program->threads,
                           .machine = target_machine(program->target)};
}

bool conv_gains_by_winograd(const Program *program, const Planar *conv) {
    const WinogradShape shape = winograd_shape(program, conv);
    return !program->is_direct && winograd_applies(conv) && winograd_plan(&shape).form.tile != 0;
}

static void list_ways(Ways *ways) {
    const Planar *conv = ways->conv;
    const WinogradShape shape = winograd_shape(ways->program, conv);
    Direct direct[MOST_DIRECT];
    const int count = best_direct(ways, choice_target(ways->program), direct);
    const bool applies = !ways->program->is_direct && winograd_applies(conv);
    const WinogradPlan best = applies ? winograd_plan(&shape) : (WinogradPlan){0};
    if (best.form.tile != 0) add_winograd(ways, &best);
    add_direct(ways, direct[0], direct[0].band);
    for (int i = 0; applies && i < WINOGRAD_FORMS_COUNT; i++) {
        if (!winograd_is_possible(&shape, WINOGRAD_FORMS[i])) continue;
        const WinogradPlan plan = winograd_plan_form(&shape, WINOGRAD_FORMS[i]);
        add_winograd(ways, &plan);
    }
    if (best.form.tile != 0) add_chunks(ways, &shape, &best);
    for (int i = 1; i < count; i++) {
        add_direct(ways, direct[i], direct[i].band);
        if (i > 1) continue;
        add_direct(ways, direct[0], direct[0].band / 2);
        add_direct(ways, direct[0], direct[0].band * 2);
    }
}

/* "conv 3x3 64 128/1 28x28 stride 2x2 dilation 1x1 batch 1": taps, channels, output channels/groups, output map. Of a
 * dilated one also how many rows there are, and are pads in front: what windows see goes by these. */
static const char *key_of(const Program *program, const Planar *conv, const char *kernel) {
    const WindowDim *h = &conv->h, *w = &conv->w;
    const char *key = arena_printf(program->arena,
                                   "%s %" PRId64 "x%" PRId64 " %" PRId64 " %" PRId64 "/%" PRId64 " %" PRId64 "x%" PRId64
                                   " stride %" PRId64 "x%" PRId64 " dilation %" PRId64 "x%" PRId64 " batch %" PRId64,
                                   kernel, h->kernel, w->kernel, conv->channels, conv->outputs, conv->groups, h->output,
                                   w->output, h->stride, w->stride, h->dilation, w->dilation, conv->batch);
    if (h->dilation == 1) return key;
    return arena_printf(program->arena, "%s rows %" PRId64 " pad %" PRId64, key, h->input, h->before);
}

ConvWay conv_choose(Program *program, const Planar *conv, const Choice **choice) {
    Ways ways = {.program = program, .conv = conv};
    const bool is_forbidden = program->is_direct && winograd_applies(conv);
    list_ways(&ways);
    const char *kernel = is_forbidden ? "direct conv" : "conv";
    if (conv->is_deep) kernel = arena_printf(program->arena, "%s of %" PRId64 " planes", kernel, conv->planes);
    const char *key = key_of(program, conv, kernel);
    *choice = choice_take(program, key, ways.names, ways.count);
    return ways.ways[(*choice)->taken];
}

const Choice *conv_choose_image(Program *program, const Planar *conv, int rows[TARGET_COUNT],
                                int vectors[TARGET_COUNT]) {
    const int target = choice_target(program);
    const TileProduct product = {.rows = conv->w.output,
                                 .columns = conv->outputs,
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
    const Choice *choice = choice_take(
        program, key_of(program, conv, conv->groups == conv->channels ? "depthwise" : "grouped"), names, count);
    tile_choose_columns(w->output, w->kernel, w->stride, w->dilation, columns);
    columns[target] = best[choice->taken];
    return choice;
}
