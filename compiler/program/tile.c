/* Tile: the cost model behind ROWS and VECTORS of every product.
 * It weighs the work that is done in vain at the edges against how well a tile fills the machine. */
#include "program/tile.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

static const int REGISTERS[TARGET_COUNT] = {32, 16, 32, 16, 16};

/* Instructions of a multiply-add by an element of x, and of bringing that into all lanes. */
static const int MULTIPLY[TARGET_COUNT] = {1, 1, 1, 3, 3}, SPREAD[TARGET_COUNT] = {0, 1, 0, 2, 1};

/* The sums, one step's weights, one element of x and what lies between the instructions have to fit beside what is kept
 * for others, or they are spilled at every step. */
static bool fits(int target, int rows, int vectors, int kept) {
    const int between = target == TARGET_SSE ? 2 : target == TARGET_SCALAR ? 1 : 0;
    return rows * vectors + vectors + 1 + between + kept <= REGISTERS[target];
}

/* Whether tiles of so many vectors begin where panels or equal parts of them do. */
static bool divides(int vectors, int in_panel) { return vectors % in_panel == 0 || in_panel % vectors == 0; }

/* Half cycles of a core that starts two multiply-adds, two loads and six instructions a cycle and gives a sum back
 * after four cycles. A step of a tile is bound by its rows * vectors multiply-adds, by its rows + vectors loads (which
 * do not come quite as fast with AVX2, where those of x are instructions of their own), by its instructions, or, where
 * it has few sums, by the wait for them. Loads cost a little even where they are hidden, those of weights more than
 * those of x, which lies in the first-level cache: so of tiles that waste the same at the edges, the one that uses each
 * weight longer wins. */
static double step_cost(int target, int rows, double vectors) {
    const int wait = 8, lanes = TARGET_LANES[target] < 8 ? TARGET_LANES[target] : 8;
    const double sums = rows * vectors, loads = (rows + vectors) * (target == TARGET_AVX2 ? 1.1 : 1);
    const double instructions = (MULTIPLY[target] * sums + SPREAD[target] * rows + vectors) / 3.0;
    return fmax(fmax(sums, wait), fmax(loads, instructions)) + (rows + lanes * vectors) / 16.0;
}

/* How often the elements that a tile reads of x meet in one set of the first-level cache, of 64 lines of 16 floats. */
static int most_in_a_set(int rows, int64_t stride) {
    enum { SETS = 64, LINE = 16 };
    int count[SETS] = {0}, most = 1;
    for (int r = 0; r < rows; r++) {
        int *set = &count[r * stride / LINE % SETS];
        if (++*set > most) most = *set;
    }
    return most;
}

/* What a step costs beyond its work: rows that drive each other out of the first-level cache, of 8 ways, weights of a
 * group that the second one cannot keep for all tiles, and, with AVX2 after few steps, results of which less than two
 * cache lines of a row are written together. */
static double waiting(int target, const TileProduct *product, int rows, int vectors) {
    enum { WAYS = 7, CACHED_WEIGHTS = 160 << 10, FEW_STEPS = 32, WRITTEN = 32 };
    double factor = 1;
    const bool is_written_soon = target == TARGET_AVX2 && product->depth <= FEW_STEPS;
    if (is_written_soon && vectors * TARGET_LANES[target] < WRITTEN) factor += 0.2;
    if (most_in_a_set(rows, product->stride) > WAYS && product->stride != 0) factor += 0.25;
    if (vectors * TARGET_LANES[target] * product->depth > CACHED_WEIGHTS) factor += 0.3;
    return factor;
}

/* Vectors that so many columns take; where it gains, half of one does for at most half. */
static double vectors_for(int target, int64_t columns, bool halves) {
    const int64_t lanes = TARGET_LANES[target], part = columns % lanes;
    const bool is_halved = halves && target == TARGET_AVX512 && part > 0 && part <= lanes / 2;
    return (double)divide_up(columns, lanes) - (is_halved ? 0.5 : 0);
}

/* Half cycles for each row of a tile, where some do not end where the rows do: whether it is to be written is asked. */
static const double ASKING = 0.5;

double tile_cost(int target, const TileProduct *product, int tile_rows, int tile_vectors) {
    const int64_t lanes = TARGET_LANES[target], width = lanes * tile_vectors;
    const bool is_smaller = product->rest == REST_IS_SMALLER;
    const int64_t columns = is_smaller ? product->columns : divide_up(product->columns, PANEL_WIDTH) * PANEL_WIDTH;
    const int64_t left = columns % width, depth = product->depth > 0 ? product->depth : 1;
    double step = (double)(columns / width) * step_cost(target, tile_rows, tile_vectors);
    const double last = is_smaller ? vectors_for(target, left, product->halves) : tile_vectors;
    if (left > 0) step += step_cost(target, tile_rows, last);
    if (is_smaller && product->rows % tile_rows != 0)
        step += ASKING * (double)(tile_rows * divide_up(columns, width)) / (double)depth;
    return (double)(divide_up(product->rows, tile_rows) * lanes) * step *
           waiting(target, product, tile_rows, tile_vectors);
}

static int64_t most_vectors(int target, const TileProduct *product) {
    return divide_up(product->columns, PANEL_WIDTH) * PANEL_WIDTH / TARGET_LANES[target];
}

/* The cost of one tile of rows after another through all panels, with the vectors for which it is least. */
static double least_cost(int target, const TileProduct *product, int r, int kept, int *vectors) {
    const int in_panel = PANEL_WIDTH / TARGET_LANES[target];
    double least = INFINITY;
    for (int v = 1; fits(target, r, v, kept) && v <= most_vectors(target, product); v++) {
        const double cost = tile_cost(target, product, r, v);
        if (!divides(v, in_panel) || cost >= least) continue;
        least = cost;
        *vectors = v;
    }
    return least;
}

/* Between the two products exponentials are taken, whose constants GCC keeps in registers throughout, where there are
 * 32, and rather spills sums. */
static int kept_between(int target) { return REGISTERS[target] == 32 ? 7 : 0; }

void tile_choose_both(int64_t rows, const int64_t columns[2], const int64_t depths[2], int rows_out[TARGET_COUNT],
                      int vectors_out[2][TARGET_COUNT]) {
    for (int target = 0; target < TARGET_COUNT; target++) {
        const int kept = kept_between(target);
        double least = INFINITY;
        for (int r = 1; fits(target, r, 1, kept) && r <= rows; r++) {
            int vectors[2] = {1, 1};
            double cost = 0;
            for (int i = 0; i < 2; i++) {
                const TileProduct product = {
                    .rows = rows, .columns = columns[i], .depth = depths[i], .rest = REST_IS_REPEATED};
                cost += (double)depths[i] * least_cost(target, &product, r, kept, &vectors[i]);
            }
            if (cost >= least) continue;
            least = cost;
            rows_out[target] = r;
            for (int i = 0; i < 2; i++) vectors_out[i][target] = vectors[i];
        }
    }
}

/* Where a cost belongs among those before it, which are sorted; equal ones keep their order. Makes room there. */
static int place_cost(double *costs, int count, double cost) {
    int at = count;
    for (; at > 0 && cost < costs[at - 1]; at--) costs[at] = costs[at - 1];
    costs[at] = cost;
    return at;
}

/* An activation takes constants and values of its own: with 14 registers for them, where there are 32, tiles have 12 to
 * 16 sums, which is best (Zen 5). */
static int kept_meanwhile(int target) { return REGISTERS[target] == 32 ? 14 : 0; }

/* Whether a tile has a step for each of its sums, and no rows or columns are left. */
static bool is_for_pipeline(int target, const TileProduct *product, int rows, int vectors) {
    return rows * vectors <= product->depth && product->rows % rows == 0 &&
           product->columns % (vectors * TARGET_LANES[target]) == 0;
}

enum { MOST_BEST = 16 };

int tile_best(int target, const TileProduct *product, Tile *best, int most) {
    const int in_panel = PANEL_WIDTH / TARGET_LANES[target];
    double costs[MOST_BEST + 1];
    Tile tiles[MOST_BEST + 1];
    int count = 0;
    const int kept = product->pipelined ? kept_meanwhile(target) : 0;
    const int64_t most_rows = product->most > 0 && product->most < product->rows ? product->most : product->rows;
    for (int r = 1; fits(target, r, 1, kept) && r <= most_rows; r++)
        for (int v = 1; fits(target, r, v, kept) && v <= most_vectors(target, product); v++) {
            if (!divides(v, in_panel) || (product->pipelined && !is_for_pipeline(target, product, r, v))) continue;
            const int at = place_cost(costs, count, tile_cost(target, product, r, v));
            memmove(tiles + at + 1, tiles + at, (size_t)(count - at) * sizeof *tiles);
            tiles[at] = (Tile){r, v};
            if (count < MOST_BEST) count++;
        }
    if (count > most) count = most;
    memcpy(best, tiles, (size_t)count * sizeof *best);
    return count;
}

void tile_choose(const TileProduct *product, int rows_out[TARGET_COUNT], int vectors_out[TARGET_COUNT]) {
    for (int target = 0; target < TARGET_COUNT; target++) {
        Tile best;
        tile_best(target, product, &best, 1);
        rows_out[target] = best.rows;
        vectors_out[target] = best.vectors;
    }
}

/* Weights come the sooner the more panels are read at once, as hardware fetches ahead in each by itself: what a panel
 * takes among so many, measured on Zen 3 with weights from the third-level cache and from memory. The last group is
 * moved back and reads some again. */
void tile_choose_panels(int64_t rows, int64_t columns, int panels[TARGET_COUNT], int split[TARGET_COUNT]) {
    enum { MOST_PANELS = 4, SUMS = 8 };
    static const double PANEL_COST[MOST_PANELS] = {1.4, 1.2, 1.05, 1};
    const int64_t all = divide_up(columns, PANEL_WIDTH);
    for (int target = 0; target < TARGET_COUNT; target++) {
        const int64_t sums = rows * (PANEL_WIDTH / TARGET_LANES[target]), room = REGISTERS[target] / 2;
        double least = INFINITY;
        for (int count = 1; count <= MOST_PANELS && count <= all && (count == 1 || count * sums <= room); count++) {
            const double cost = PANEL_COST[count - 1] * (double)(divide_up(all, count) * count);
            if (cost > least) continue;
            least = cost;
            panels[target] = count;
        }
        split[target] = (int)(panels[target] * sums < SUMS ? SUMS / (panels[target] * sums) : 1);
    }
}

/* Whether a tile of so many columns stays in registers and is short enough to be unrolled; a single one has to do. */
static bool slides(int columns, int64_t taps, int64_t inputs, int registers) {
    enum { MOST_UNROLLED = 32 };
    return columns == 1 || (inputs <= MOST_UNROLLED && columns + taps + 1 <= registers);
}

/* A step of a tile loads each input and each tap of a row once; a load costs half as much as a multiply-add. Of numbers
 * that cost the same the largest is best. */
int tile_best_columns(int target, int64_t outputs, int64_t kernel, int64_t stride, int64_t dilation, int *best,
                      int most) {
    enum { MOST_COLUMNS = 16, MOST_TAPS = 8 };
    const int widest = target == TARGET_AVX512 ? MOST_COLUMNS : 8; /* elsewhere more gain nothing */
    const int64_t taps = kernel < MOST_TAPS ? kernel : MOST_TAPS;
    double costs[MOST_COLUMNS];
    int sorted[MOST_COLUMNS], count = 0;
    for (int columns = widest; columns >= 1; columns--) {
        const bool apart = dilation > (columns - 1) * stride; /* taps share no input */
        const int64_t inputs = apart ? columns * taps : (columns - 1) * stride + (taps - 1) * dilation + 1;
        if (columns > outputs || !slides(columns, taps, inputs, REGISTERS[target])) continue;
        const double loads = 0.5 * (double)(inputs + taps);
        const double cost = (double)divide_up(outputs, columns) * ((double)(columns * taps) + loads);
        const int at = place_cost(costs, count, cost);
        memmove(sorted + at + 1, sorted + at, (size_t)(count - at) * sizeof *sorted);
        sorted[at] = columns;
        count++;
    }
    if (count > most) count = most;
    memcpy(best, sorted, (size_t)count * sizeof *best);
    return count;
}

void tile_choose_columns(int64_t outputs, int64_t kernel, int64_t stride, int64_t dilation,
                         int columns_out[TARGET_COUNT]) {
    for (int target = 0; target < TARGET_COUNT; target++)
        tile_best_columns(target, outputs, kernel, stride, dilation, &columns_out[target], 1);
}

int64_t tile_enough_items(int threads) {
    enum { FEW_THREADS = 8 }; /* for so many it is cut in any case */
    return 2 * (threads > FEW_THREADS ? threads : FEW_THREADS);
}
