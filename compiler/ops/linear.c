/* Linear layers: products with constant weights, which are packed when a step is lowered.
 * Kernels are in runtime/linear.c and runtime/strassen.c; a choice is made among tiles and orders of both. */
#include "ops/product.h"

#include "program/choice.h"
#include "program/pack.h"
#include "program/strassen.h"

/* One way of computing a linear layer on one target. */
typedef struct {
    Tile tile;
    bool strassen, pipelined; /* or neither */
    int band;                 /* of neither: tiles that go through all weights before the next ones */
} LinearWay;

typedef struct {
    LinearWay ways[MOST_CANDIDATES];
    const char *names[MOST_CANDIDATES];
    int count;
} LinearWays;

static int64_t tiles_of(const Product *p, int rows) { return divide_up(p->m, rows); }

static void add(Program *program, LinearWays *ways, const Product *p, LinearWay way) {
    const char *how = "rows first";
    if (way.strassen) how = "strassen";
    else if (way.pipelined) how = "pipelined";
    else if (way.band == tiles_of(p, way.tile.rows)) how = "weights first";
    else if (way.band > 1) how = arena_printf(program->arena, "band %d", way.band);
    ways->names[ways->count] = arena_printf(program->arena, "%dx%d %s", way.tile.rows, way.tile.vectors, how);
    ways->ways[ways->count++] = way;
}

static StrassenShape strassen_shape(const Program *program, const Product *p) {
    return (StrassenShape){p->m, p->k, p->n, program->threads, target_machine(program->target).halves};
}

/* Whether the last panel is at most half full and rows of weights come in pairs, for tile_multiply_pairs(). */
static bool is_paired(const Product *p) {
    const int64_t part = p->n % PANEL_WIDTH;
    return part > 0 && part <= PANEL_WIDTH / 2 && p->k % 2 == 0;
}

static TileProduct linear_tile(const Program *program, const Product *p) {
    TileProduct product = product_tile(p, REST_IS_SMALLER);
    product.halves = is_paired(p) || target_machine(program->target).halves;
    return product;
}

/* The best tiles of Strassen's algorithm, where it may be taken; returns how many. */
static int list_strassen(const Program *program, const Product *p, Tile *tiles, int most) {
    const StrassenShape shape = strassen_shape(program, p);
    const bool possible = !program->is_plain && strassen_is_possible(&shape);
    return possible ? strassen_best(&shape, choice_target(program), tiles, most) : 0;
}

/* Whether what becomes of a tile's sums may come between the steps of the next one: with few terms it is much of the
 * work. On Zen 5 layers of 16 and 24 terms take 0.85 to 0.91 of their time then, of 40 0.9 to 0.97, and of 80, whose
 * weights are better gone through first, 0.98 to 1.02. With AVX2 there are registers for less: 0.91 with 16 terms, 1.03
 * with 24. */
static bool is_for_pipeline(const Product *p, int target) {
    enum { FEWEST_TERMS = 16, MANY_ROWS = 256 };
    static const int most_terms[TARGET_COUNT] = {[TARGET_AVX512] = 64, [TARGET_AVX2] = 16};
    return p->k >= FEWEST_TERMS && p->k <= most_terms[target] && p->n % PANEL_WIDTH == 0 && p->m >= MANY_ROWS;
}

static TileProduct pipelined_tile(const Program *program, const Product *p) {
    TileProduct product = linear_tile(program, p);
    product.pipelined = true;
    return product;
}

/* How many tiles go through the weights together. One where the second cache holds the weights, but not all rows or
 * results. Else as many as it holds rows of beside some weights, in bands of about the same size; but all where weights
 * come from memory, which is best once, or where it does not hold even one tile's. */
static int band_of(const Program *program, const Product *p, int rows) {
    enum { THIRD = 1 << 20, MANY_ROWS = 1 << 18, MANY_RESULTS = 3 << 17 }; /* floats */
    const int64_t held = target_machine(program->target).second / 2;
    const int64_t weights = p->k * p->n, tiles = tiles_of(p, rows), most = held / (rows * p->k);
    if (weights <= held && (p->m * p->k >= MANY_ROWS || p->m * p->n >= MANY_RESULTS)) return 1;
    return (int)(weights > THIRD || most < 1 ? tiles : divide_up(tiles, divide_up(tiles, most)));
}

enum { PIPELINED = 2 };

/* At most so many tiles that go on while the sums of the one before are dealt with. */
static void add_pipelined(Program *program, const Product *p, LinearWays *ways) {
    enum { FEWEST_SUMS = 8 };
    const TileProduct product = pipelined_tile(program, p);
    Tile tiles[PIPELINED];
    const int count = tile_best(choice_target(program), &product, tiles, PIPELINED);
    for (int i = 0; i < count; i++)
        if (tiles[i].rows * tiles[i].vectors >= FEWEST_SUMS)
            add(program, ways, p, (LinearWay){tiles[i], .pipelined = true});
}

/* The cost model's first; the tiles next to its, for the best one other bands, and the other methods. Portable code
 * does without pipelines unless it is told: with SSE layers take 1.02 to 1.06 of their time. */
static void list_ways(Program *program, const Product *p, LinearWays *ways) {
    enum { PLAIN = 4, BANDS = 2, STRASSEN = 2 };
    _Static_assert(PLAIN + BANDS + STRASSEN <= MOST_CANDIDATES, "there is room for all");
    Tile plain[PLAIN], strassen[STRASSEN];
    const int target = choice_target(program);
    Machine machine = target_machine(program->target);
    const bool pipelines = *program->target->flags != '\0' && is_for_pipeline(p, machine.registers);
    const bool may_pipeline = pipelines || is_for_pipeline(p, target);
    machine.registers = target;
    const TileProduct product = linear_tile(program, p);
    const StrassenShape shape = strassen_shape(program, p);
    const int found = tile_best(target, &product, plain, may_pipeline ? PLAIN - PIPELINED : PLAIN);
    const int others = list_strassen(program, p, strassen, STRASSEN);
    const bool pays = others > 0 && strassen_pays(&shape, &machine, &product, plain[0]);
    for (int i = 0; pays && i < others; i++) add(program, ways, p, (LinearWay){strassen[i], .strassen = true});
    if (pipelines) add_pipelined(program, p, ways);
    for (int i = 0; i < found; i++) {
        const int tiles = (int)tiles_of(p, plain[i].rows), band = band_of(program, p, plain[i].rows);
        add(program, ways, p, (LinearWay){plain[i], .band = band});
        if (i == 0 && band != 1) add(program, ways, p, (LinearWay){plain[i], .band = 1});
        if (i == 0 && band != tiles) add(program, ways, p, (LinearWay){plain[i], .band = tiles});
    }
    if (may_pipeline && !pipelines) add_pipelined(program, p, ways);
    for (int i = 0; !pays && i < others; i++) add(program, ways, p, (LinearWay){strassen[i], .strassen = true});
}

/* "linear 197x192x576": rows, depth and columns. */
static const char *key_of(const Program *program, const Product *p) {
    const StrassenShape shape = strassen_shape(program, p);
    const bool is_forbidden = program->is_plain && strassen_is_possible(&shape);
    const char *key = arena_printf(program->arena, "%slinear %lldx%lldx%lld", is_forbidden ? "plain " : "",
                                   (long long)p->m, (long long)p->k, (long long)p->n);
    return p->a_m == p->k ? key : arena_printf(program->arena, "%s stride %lld", key, (long long)p->a_m);
}

/* On the other targets the way is the cost model's with the same kernel. */
static void give_strassen(Program *program, Step *step, const Product *p, const LinearWay *way) {
    const StrassenShape shape = strassen_shape(program, p);
    const StrassenPlan plan = strassen_plan_tile(&shape, choice_target(program), way->tile);
    step_pick(program, step, "ROWS", plan.rows), step_pick(program, step, "VECTORS", plan.vectors);
    step_pick(program, step, "CHUNK", plan.chunk), step_pick(program, step, "SPLITS", plan.splits);
    step_pick(program, step, "BLOCK", plan.block);
}

static void give_tiles(Program *program, Step *step, const Product *p, const LinearWay *way) {
    const TileProduct product = way->pipelined ? pipelined_tile(program, p) : linear_tile(program, p);
    const int target = choice_target(program);
    Tiles tiles;
    int band[TARGET_COUNT];
    tile_choose(&product, tiles.rows, tiles.vectors);
    for (int i = 0; i < TARGET_COUNT; i++) band[i] = band_of(program, p, tiles.rows[i]);
    tiles.rows[target] = way->tile.rows, tiles.vectors[target] = way->tile.vectors;
    band[target] = way->band;
    product_count_tiles(p, &tiles);
    step_pick(program, step, "ROWS", tiles.rows), step_pick(program, step, "VECTORS", tiles.vectors);
    step_pick(program, step, "GROUPS", tiles.groups);
    if (!way->pipelined) step_pick(program, step, "TILES", tiles.tiles), step_pick(program, step, "BAND", band);
}

static Step *linear_step(Program *program, const Product *p, const char *kernel, bool strassen) {
    const Packing weights = {.weights = p->b,
                             .offset = p->b_offset,
                             .depth = p->k,
                             .columns = p->n,
                             .row = p->b_k,
                             .column = p->b_n,
                             .factor = p->alpha,
                             .strassen = strassen,
                             .paired = !strassen && is_paired(p)};
    const Packing bias = {.weights = p->c, .depth = 1, .columns = p->n, .column = p->c_n, .factor = p->beta};
    Step *step = step_kernel(program, kernel, TYPE_FLOAT);
    step_buffer(step, "x", program_buffer(program, p->a), p->a_offset);
    step_buffer(step, "w", pack_panels(program, weights), 0);
    step_buffer(step, "bias", p->c == NULL ? NULL : pack_panels(program, bias), 0);
    step_buffer(step, "y", program_buffer(program, p->y), p->y_offset);
    step_size(step, "M", p->m), step_size(step, "K", p->k), step_size(step, "N", p->n), step_size(step, "X", p->a_m);
    return step;
}

/* Up to FEW_ROWS weights are read from memory more slowly than they are used. */
void linear_emit(Program *program, const Product *p) {
    enum { FEW_ROWS = 3 };
    if (p->m <= FEW_ROWS) {
        int panels[TARGET_COUNT], split[TARGET_COUNT];
        Step *step = linear_step(program, p, "linear_row", false);
        tile_choose_panels(p->m, p->n, panels, split);
        step_pick(program, step, "PANELS", panels), step_pick(program, step, "SPLIT", split);
        return;
    }
    LinearWays ways = {.count = 0};
    list_ways(program, p, &ways);
    const Choice *choice = choice_take(program, key_of(program, p), ways.names, ways.count);
    const LinearWay *way = &ways.ways[choice->taken];
    const char *kernel = way->strassen ? "strassen" : way->pipelined ? "linear_pipelined" : "linear";
    Step *step = linear_step(program, p, kernel, way->strassen);
    (way->strassen ? give_strassen : give_tiles)(program, step, p, way);
    step->choice = choice;
}
