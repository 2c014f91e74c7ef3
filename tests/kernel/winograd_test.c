/* Winograd's convolution against the plain one: odd sizes, pads, dilations, planes, channels that fill no vector,
 * chunks that overlap, and the same bits however the items are split; and the sizes that the compiler chooses for it.
 */
#define UNROLL /* sizes are no constants here */
#include "program/tile.h"
#include "program/winograd.h"
#include "runtime/conv.c"
#include "runtime/winograd.c"
#include "support/numbers.h"

#include <string.h>

typedef struct {
    int N, C, D, H, W, K, G, KD, KH, KW, SD, DD, DH, DW, PD, PH, PW, OD, OH, OW;
    WinogradForm form;
    int TILES, CHUNK, SPLITS, ROWS, VECTORS;
    int items;
    const float *x, *w, *bias;
    float *scratch;
} Problem;

/* Channels of a group as they lie in weights and bias, with zeros that fill panels. */
static int filled(const Problem *p) { return (p->K / p->G + 15) / 16 * 16; }

static WinogradForm along(const Problem *p, int taps) { return winograd_along(p->form, taps); }

static int parts(const Problem *p, int taps) { return (int)winograd_parts(p->form, taps); }

/* fresh: where the calls in a row began that keep the scratch. */
static void convolve(const Problem *p, const float *weights, const float *bias, int first, int last, int fresh,
                     float *y) {
    const WinogradForm down = along(p, p->KH), right = along(p, p->KW);
    winograd(p->x, weights, bias, p->scratch, y, first, last, fresh, p->C, p->D, p->H, p->W, p->K, p->OD, p->OH, p->OW,
             p->G, p->KD, p->SD, p->DD, p->DH, p->DW, p->PD, p->PH, p->PW, parts(p, p->KH), parts(p, p->KW), down.taps,
             right.taps, down.tile, right.tile, p->TILES, p->CHUNK, p->SPLITS, p->ROWS, p->VECTORS);
}

/* Of a tile. */
static int outputs_of(WinogradForm form) { return form.tile - form.taps + 1; }

/* A tile of registers that the kernel takes: whole panels or an even part of one. */
static void choose_registers(Random *random, Problem *p) {
    const int in_panel = 16 / LANES, panels = filled(p) / 16;
    p->VECTORS = in_panel * random_between(random, 1, panels);
    if (random_below(random, 2) == 0) p->VECTORS = in_panel > 1 ? in_panel / 2 : 1;
    while (p->VECTORS > 16) p->VECTORS -= in_panel;
    const int most = 32 / p->VECTORS < p->CHUNK ? 32 / p->VECTORS : p->CHUNK;
    p->ROWS = random_between(random, 1, most);
}

/* Input, pad in front, and outputs, of which the pad behind is what makes so many. */
static void choose_line(Random *random, int taps, int dilation, int *size, int *before, int *outputs) {
    const int span = (taps - 1) * dilation, most = span > 0 ? span : 1;
    *size = random_between(random, 1, 17);
    *before = random_between(random, *size <= span ? (span + 1) / 2 : 0, most);
    *outputs = *size + *before + random_between(random, *size <= span ? (span + 1) / 2 : 0, *before) - span;
}

/* One plane, or some of which a window may see none. */
static void choose_planes(Random *random, Problem *p) {
    p->D = p->OD = p->KD = p->SD = p->DD = 1, p->PD = 0;
    if (random_below(random, 2) == 0) return;
    p->D = random_between(random, 1, 5), p->KD = random_between(random, 1, 4), p->OD = random_between(random, 1, 5);
    p->SD = random_between(random, 1, 2), p->DD = random_between(random, 1, 2), p->PD = random_between(random, 0, 5);
}

/* Taps along rows, columns or both. */
static void choose_window(Random *random, Problem *p) {
    do p->KH = random_between(random, 1, 7), p->KW = random_between(random, 1, 7);
    while (p->KH == 1 && p->KW == 1);
}

static Problem random_problem(Random *random, Arena *arena) {
    Problem p = {.N = random_between(random, 1, 2), .form = WINOGRAD_FORMS[random_below(random, WINOGRAD_FORMS_COUNT)]};
    p.G = random_below(random, 2) ? 1 : random_between(random, 2, 4);
    p.C = p.G * random_between(random, 1, 40 / p.G), p.K = p.G * random_between(random, 1, 50 / p.G);
    p.DH = random_below(random, 2) ? 1 : random_between(random, 2, 5);
    p.DW = random_below(random, 2) ? 1 : random_between(random, 2, 5);
    choose_planes(random, &p);
    choose_window(random, &p);
    choose_line(random, p.KH, p.DH, &p.H, &p.PH, &p.OH), choose_line(random, p.KW, p.DW, &p.W, &p.PW, &p.OW);
    const int down = outputs_of(along(&p, p.KH)), right = outputs_of(along(&p, p.KW)); /* outputs of a tile */
    const int high = (p.OH + p.DH - 1) / p.DH, wide = (p.OW + p.DW - 1) / p.DW;        /* of a phase */
    const int tiles = p.N * p.OD * p.DH * p.DW * ((high + down - 1) / down) * ((wide + right - 1) / right);
    p.TILES = tiles;
    p.CHUNK = random_between(random, 1, tiles < 20 ? tiles : 20), p.SPLITS = random_between(random, 1, 4);
    choose_registers(random, &p);
    p.items = (tiles + p.CHUNK - 1) / p.CHUNK * p.SPLITS;
    p.x = random_floats(random, arena, p.N * p.D * p.C * p.H * p.W);
    p.w = random_floats(random, arena, p.K * p.C / p.G * p.KD * p.KH * p.KW);
    p.bias = random_below(random, 3) == 0 ? NULL : random_floats(random, arena, p.K);
    const int row = p.KD * parts(&p, p.KH) * parts(&p, p.KW) * ((p.C + 15) / 16 * 16) + 16 + p.VECTORS * LANES;
    const int scratch = along(&p, p.KH).tile * along(&p, p.KW).tile * (p.CHUNK * row + 16);
    p.scratch = arena_new_array(arena, float, (size_t)scratch);
    for (int i = 0; i < scratch; i++) p.scratch[i] = NAN;
    return p;
}

/* [N][pixels][channels] to [N][channels][pixels], or back where the two numbers are exchanged. */
static float *transposed(Arena *arena, const float *from, int n, int pixels, int channels) {
    float *to = arena_new_array(arena, float, (size_t)(n * pixels * channels));
    for (int i = 0; i < n * pixels * channels; i++) {
        const int c = i % channels, pixel = i / channels % pixels, map = i / channels / pixels;
        to[(map * channels + c) * pixels + pixel] = from[i];
    }
    return to;
}

static float *absolute(Arena *arena, const float *from, int count) {
    float *to = arena_new_array(arena, float, (size_t)count);
    for (int i = 0; i < count; i++) to[i] = fabsf(from[i]);
    return to;
}

/* What the plain kernel makes of channels-last x, channels-last as well. */
static float *expected(Arena *arena, const Problem *p, const float *x, const float *w, const float *bias) {
    const int voxels = p->OD * p->OH * p->OW;
    float *y = arena_new_array(arena, float, (size_t)(p->N * p->K * voxels));
    float *panel = arena_new_array(arena, float, (size_t)(p->C * p->KD * p->KH * p->KW * 16));
    float *maps = transposed(arena, x, p->N, p->D * p->H * p->W, p->C);
    conv3d(maps, w, bias, panel, y, 0, p->N * p->G * ((voxels + 15) / 16), p->N, p->C, p->D, p->H, p->W, p->K, p->OD,
           p->OH, p->OW, p->G, p->KD, p->KH, p->KW, p->SD, 1, 1, p->DD, p->DH, p->DW, p->PD, p->PH, p->PW);
    return transposed(arena, y, p->N, p->K, voxels);
}

/* So many floats for each output channel, with zeros behind those of a group. */
static float *filled_rows(Arena *arena, const Problem *p, const float *from, int inner) {
    const int outputs = p->K / p->G;
    float *to = arena_new_array(arena, float, (size_t)(p->G * filled(p) * inner));
    memset(to, 0, sizeof(float) * (size_t)(p->G * filled(p) * inner));
    for (int g = 0; g < p->G; g++)
        memcpy(to + g * filled(p) * inner, from + g * outputs * inner, sizeof(float) * (size_t)(outputs * inner));
    return to;
}

static void check(Random *random) {
    Arena *arena = arena_new();
    Problem p = random_problem(random, arena);
    const int count = p.N * p.K * p.OD * p.OH * p.OW, depth = p.KD * p.KH * p.KW * p.C / p.G, rows = p.G * filled(&p);
    const WinogradTaps taps = {p.KD, p.KH, p.KW};
    float *weights = arena_new_array(arena, float, (size_t)winograd_weights_count(rows, p.C / p.G, &taps, p.form));
    winograd_transform(filled_rows(arena, &p, p.w, depth), rows, p.C / p.G, &taps, p.form, weights);
    const float *bias = p.bias == NULL ? NULL : filled_rows(arena, &p, p.bias, 1);
    float *y = arena_new_array(arena, float, (size_t)count + 1), *again = arena_new_array(arena, float, (size_t)count);
    for (int i = 0; i <= count; i++) y[i] = NAN;
    convolve(&p, weights, bias, 0, p.items, 0, y);
    assert_true(isnan(y[count]));
    for (int first = 0, last; first < p.items; first = last) {
        last = random_between(random, first + 1, p.items);
        convolve(&p, weights, bias, first, last, random_below(random, 2) == 0 ? 0 : first, again);
    }
    assert_memory_equal(y, again, sizeof(float) * (size_t)count);
    const float *reference = expected(arena, &p, p.x, p.w, p.bias);
    const float *sizes =
        expected(arena, &p, absolute(arena, p.x, p.N * p.C * p.D * p.H * p.W), absolute(arena, p.w, p.K * depth), NULL);
    float size = 0;
    for (int i = 0; i < count; i++) size = sizes[i] > size ? sizes[i] : size;
    for (int i = 0; i < count; i++)
        if (!(fabsf(y[i] - reference[i]) <= 2e-6f * size))
            fail_test("tile %d, %dx%dx%d taps, %d channels of %dx%dx%d to %d of %dx%dx%d, %d groups, chunk %d, rows "
                      "%d, vectors %d: "
                      "y[%d] is "
                      "%g, not %g",
                      p.form.tile, p.KD, p.KH, p.KW, p.C, p.D, p.H, p.W, p.K, p.OD, p.OH, p.OW, p.G, p.CHUNK, p.ROWS,
                      p.VECTORS, i, (double)y[i], (double)reference[i]);
    arena_free(arena);
}

static void test_convolution(void **state) {
    (void)state;
    Random random = random_new();
    for (int i = 0; i < 300; i++) check(&random);
}

static const WinogradTaps TAPS[] = {{1, 3, 3}, {4, 3, 3}, {1, 3, 1}, {1, 5, 5}};

/* The plan keeps to what the kernel asks for, whatever the shape. */
static void test_plan(void **state) {
    (void)state;
    Random random = random_new();
    for (int i = 0; i < 100; i++) {
        const int groups = random_below(&random, 2) ? 1 : random_between(&random, 2, 8);
        const WinogradShape shape = {.batch = random_between(&random, 1, 3),
                                     .channels = groups * random_between(&random, 1, 600 / groups),
                                     .outputs = groups * random_between(&random, 1, 600 / groups),
                                     .groups = groups,
                                     .taps = TAPS[random_below(&random, 4)],
                                     .high = random_between(&random, 1, 70),
                                     .wide = random_between(&random, 1, 70),
                                     .threads = random_between(&random, 0, 64),
                                     .machine = target_machine(&TARGETS[0])};
        const WinogradForm form = WINOGRAD_FORMS[random_below(&random, WINOGRAD_FORMS_COUNT)];
        const WinogradTaps *taps = &shape.taps;
        const int down = outputs_of(winograd_along(form, taps->high));
        const int right = outputs_of(winograd_along(form, taps->wide));
        const WinogradPlan plan = winograd_plan_form(&shape, form);
        const int64_t panels = (shape.outputs / groups + 15) / 16; /* of a group */
        assert_int_equal(plan.form.tile, form.tile);
        assert_in_range(plan.chunk, 1,
                        shape.batch * ((shape.high + down - 1) / down) * ((shape.wide + right - 1) / right));
        assert_in_range(plan.splits, 1, groups * panels);
        for (int target = 0; target < TARGET_COUNT; target++) {
            const int rows = plan.rows[target], width = plan.vectors[target] * TARGET_LANES[target];
            assert_in_range(rows, 1, plan.chunk);
            assert_in_range(rows * plan.vectors[target], 1, 32);
            assert_true(width % 16 == 0 ? width / 16 <= panels : 16 % width == 0);
        }
    }
}

/* A larger chunk that is asked for is cut to what the scratch memory has place for, and to the tiles that there are. */
static void test_chunk_fits(void **state) {
    (void)state;
    const WinogradForm form = WINOGRAD_FORMS[1];
    const WinogradShape deep = {
        .batch = 1, .channels = 2048, .outputs = 64, .groups = 1, .taps = {1, 3, 3}, .high = 64, .wide = 64};
    const WinogradPlan cut = winograd_plan_chunk(&deep, form, 1000);
    assert_int_equal(cut.tiles, 16 * 16);
    assert_in_range(cut.chunk, 20, (1 << 21) / 36 / 2048);
    WinogradShape small = deep;
    small.channels = 16;
    assert_int_equal(winograd_plan_chunk(&small, form, 1000).chunk, 16 * 16);
}

static WinogradPlan plan_on(Machine machine, int channels, int outputs, int side) {
    const WinogradShape shape = {.batch = 1,
                                 .channels = channels,
                                 .outputs = outputs,
                                 .groups = 1,
                                 .taps = {1, 3, 3},
                                 .high = side,
                                 .wide = side,
                                 .threads = 1,
                                 .machine = machine};
    return winograd_plan(&shape);
}

/* Large maps take F(4, 3), small ones of many channels F(2, 3), whose weights are fewer; of few channels none. */
static void test_choice(void **state) {
    (void)state;
    const Machine machine = target_machine(&TARGETS[0]);
    assert_int_equal(plan_on(machine, 64, 64, 56).form.tile, 6);
    assert_int_equal(plan_on(machine, 256, 256, 14).form.tile, 6);
    assert_int_equal(plan_on(machine, 512, 512, 7).form.tile, 4);
    assert_int_equal(plan_on(machine, 1, 16, 64).form.tile, 0);
    assert_int_equal(plan_on(machine, 512, 512, 1).form.tile, 0);
}

/* Where weights come slowly fewer are better, and a larger cache takes more tiles; a smaller one no fewer. */
static void test_machines(void **state) {
    (void)state;
    const Machine near = {.second = 1 << 18, .far_weight = 6}, far = {.second = 1 << 18, .far_weight = 24};
    const Machine large = {.second = 1 << 19, .far_weight = 6}, small = {.second = 1 << 17, .far_weight = 6};
    assert_int_equal(plan_on(near, 256, 256, 14).form.tile, 6);
    assert_int_equal(plan_on(far, 256, 256, 14).form.tile, 4);
    assert_true(plan_on(large, 128, 128, 28).chunk > plan_on(near, 128, 128, 28).chunk);
    assert_int_equal(plan_on(small, 128, 128, 28).chunk, plan_on(near, 128, 128, 28).chunk);
}

/* Taps that see nothing but pads cost a direct convolution nothing. */
static void test_dead_taps(void **state) {
    (void)state;
    WinogradShape shape = {.batch = 144, .channels = 512, .outputs = 256, .groups = 1, .high = 3, .wide = 3};
    shape.taps = (WinogradTaps){1, 3, 3}, shape.threads = 1, shape.machine = target_machine(&TARGETS[0]);
    assert_int_not_equal(winograd_plan(&shape).form.tile, 0);
    shape.dead = 0.85;
    assert_int_equal(winograd_plan(&shape).form.tile, 0);
}

/* Threads change how the work is cut, never what is computed. */
static void test_threads(void **state) {
    (void)state;
    Random random = random_new();
    for (int i = 0; i < 100; i++) {
        WinogradShape shape = {.batch = 1,
                               .channels = random_between(&random, 1, 600),
                               .outputs = random_between(&random, 1, 600),
                               .groups = 1,
                               .taps = TAPS[random_below(&random, 4)],
                               .high = random_between(&random, 1, 70),
                               .wide = random_between(&random, 1, 70),
                               .threads = 1,
                               .machine = target_machine(&TARGETS[0])};
        const int alone = winograd_plan(&shape).form.tile;
        shape.threads = random_between(&random, 2, 64);
        assert_int_equal(winograd_plan(&shape).form.tile, alone);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_convolution), cmocka_unit_test(test_plan),     cmocka_unit_test(test_chunk_fits),
        cmocka_unit_test(test_choice),      cmocka_unit_test(test_machines), cmocka_unit_test(test_threads),
        cmocka_unit_test(test_dead_taps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
