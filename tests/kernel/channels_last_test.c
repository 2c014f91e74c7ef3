/* Kernels over channels-last maps against those over channels-first maps, on random shapes: convolutions, depthwise,
 * first and deep ones too, pools of windows and maps, pools over channels, and the norms of groups. */
#define UNROLL /* sizes are no constants here */
#include "runtime/cbam.c"
#include "runtime/conv.c"
#include "runtime/conv_few.c"
#include "runtime/conv_last.c"
#include "runtime/depthwise.c"
#include "runtime/first.c"
#include "runtime/grouped.c"
#include "runtime/normalisation.c"
#include "runtime/pool.c"
#include "runtime/pool_last.c"
#include "support/numbers.h"

#include <string.h>

typedef struct {
    int N, C, K; /* K: output channels of a first convolution */
    int H, W, OH, OW, KH, KW, SH, SW, DH, DW, PH, PW;
} Problem;

/* The pads behind the last row and column are whatever makes so many outputs. */
static Problem random_problem(Random *random) {
    Problem p = {.N = random_between(random, 1, 2), .C = random_between(random, 1, 50)};
    p.K = random_between(random, 1, 70);
    p.KH = random_between(random, 1, 7), p.KW = random_between(random, 1, 10);
    p.SH = random_between(random, 1, 3), p.SW = random_between(random, 1, 3);
    p.DH = random_between(random, 1, 2), p.DW = random_between(random, 1, 3);
    p.PH = random_between(random, 0, 3), p.PW = random_between(random, 0, 12);
    p.OH = random_between(random, 1, 6), p.OW = random_between(random, 1, 30);
    p.H = random_between(random, 1, 12), p.W = random_between(random, 1, 40);
    return p;
}

/* Three dimensions, as a problem in two has not. */
typedef struct {
    int D, OD, KD, SD, DD, PD;
} Depth;

static Depth random_depth(Random *random) {
    Depth d = {.D = random_between(random, 1, 6), .OD = random_between(random, 1, 4)};
    d.KD = random_between(random, 1, 4), d.SD = random_between(random, 1, 2);
    d.DD = random_between(random, 1, 2), d.PD = random_between(random, 0, 2);
    return d;
}

/* [A][B][C] to [A][C][B] */
static float *swapped(Arena *arena, const float *x, int A_, int B, int C) {
    float *y = arena_new_array(arena, float, (size_t)(A_ * B * C));
    for (int i = 0; i < A_ * B * C; i++) y[(i / (B * C) * C + i % C) * B + i / C % B] = x[i];
    return y;
}

/* y is channels last. Its numbers are multiples of 1/64 and small, so that sums are exact in any order. */
static void assert_same(Arena *arena, const float *y, const float *expected, int N, int K, int pixels) {
    const float *rows = swapped(arena, expected, N, K, pixels);
    for (int i = 0; i < N * K * pixels; i++)
        if (!(y[i] == rows[i] || (isnan(y[i]) && isnan(rows[i]))))
            fail_test("pixel %d, channel %d: %g, expected %g", i / K, i % K, (double)y[i], (double)rows[i]);
}

/* Filled with something that is to be overwritten. */
static float *result(Arena *arena, int count) {
    float *y = arena_new_array(arena, float, (size_t)count);
    for (int i = 0; i < count; i++) y[i] = 12345;
    return y;
}

/* Those of the rows of y, exact in any order. */
static void assert_row_sums(const float *sums, const float *y, int rows, int width, int channels) {
    for (int i = 0; i < rows * channels; i++) {
        float sum = 0;
        for (int p = 0; p < width; p++) sum += y[(i / channels * width + p) * channels + i % channels];
        if (sums[i] != sum)
            fail_test("row %d, channel %d: sum %g, expected %g", i / channels, i % channels, (double)sums[i],
                      (double)sum);
    }
}

/* In groups of 1 to 8 outputs, and at most as many inputs; depthwise: by the kernel for groups of one channel. */
static void check_grouped(Random *random, int inputs, int outputs, bool is_depthwise) {
    Problem p = random_problem(random);
    Arena *arena = arena_new();
    const Depth one = {1, 1, 1, 1, 1, 0}, d = is_depthwise || random_below(random, 2) ? one : random_depth(random);
    const int G = (p.C + outputs - 1) / outputs, read = G * inputs;
    p.C = G * outputs;
    if (d.D > 1) p.KH = random_between(random, 1, 3), p.KW = random_between(random, 1, 4);
    const int pixels = d.OD * p.OH * p.OW, taps = d.KD * p.KH * p.KW, inner = inputs * taps, size = d.D * p.H * p.W;
    const int blocks = random_between(random, 1, 4), columns = random_between(random, 1, p.OW < 16 ? p.OW : 16);
    const int padded = (p.C + 15) / 16 * 16;
    float *x = random_floats(random, arena, p.N * read * size), *w = random_floats(random, arena, p.C * inner);
    float *bias = random_below(random, 2) ? random_floats(random, arena, p.C) : NULL;
    float *y = result(arena, p.N * p.C * pixels), *expected = result(arena, p.N * p.C * pixels);
    float *packed = arena_new_array(arena, float, (size_t)(inner * padded));
    for (int i = 0; i < p.C * inner; i++) {
        const int channel = i % inner / taps, tap = i % taps;
        packed[(tap * inputs + channel) * padded + i / inner] = w[i];
    }
    float *sums = random_below(random, 2) ? result(arena, p.N * d.OD * p.OH * p.C) : NULL;
    const float *last = swapped(arena, x, p.N, read, size);
    conv3d(x, w, bias, result(arena, inner * 16), expected, 0, p.N * G * ((pixels + 15) / 16), p.N, read, d.D, p.H, p.W,
           p.C, d.OD, p.OH, p.OW, G, d.KD, p.KH, p.KW, d.SD, p.SH, p.SW, d.DD, p.DH, p.DW, d.PD, p.PH, p.PW);
    const int items = (p.C + 16 * blocks - 1) / (16 * blocks) * p.N * d.OD * p.OH;
    const int part = random_between(random, 0, items);
    int shares = random_between(random, 1, p.OH);
    while (p.OH % shares != 0) shares--;
    for (int half = 0; half < 2; half++) {
        const int from = half == 0 ? part : 0, to = half == 0 ? items : part;
        if (is_depthwise)
            depthwise_last(last, packed, bias, y, sums, from, to, p.N, p.C, p.H, p.W, p.OH, p.OW, p.KH, p.KW, p.SH,
                           p.SW, p.DH, p.DW, p.PH, p.PW, 16 * blocks, columns, shares);
        else
            grouped_last(last, packed, bias, y, sums, from, to, p.N, p.C, d.D, p.H, p.W, d.OD, p.OH, p.OW, d.KD, p.KH,
                         p.KW, d.SD, p.SH, p.SW, d.DD, p.DH, p.DW, d.PD, p.PH, p.PW, inputs, outputs, 16 * blocks,
                         columns, shares);
    }
    assert_same(arena, y, expected, p.N, p.C, pixels);
    if (sums != NULL) assert_row_sums(sums, y, p.N * d.OD * p.OH, p.OW, p.C);
    arena_free(arena);
}

static void check_depthwise(Random *random) { check_grouped(random, 1, 1, true); }

static void check_groups(Random *random) {
    const int outputs = random_between(random, 0, 3), inputs = random_between(random, 0, outputs);
    check_grouped(random, 1 << inputs, 1 << outputs, false);
}

/* A number of vectors as tile_choose() gives them: a multiple of those that make a panel, or a divisor. */
static int random_vectors(Random *random, int panels) {
    const int in_panel = 16 / LANES;
    int divisor = in_panel;
    while (divisor > 1 && random_below(random, 2)) divisor /= 2;
    return divisor < in_panel ? divisor : in_panel * random_between(random, 1, panels > 1 && in_panel < 16 ? 2 : 1);
}

static void check_first(Random *random) {
    Problem p = random_problem(random);
    Arena *arena = arena_new();
    p.C = 1 + p.C % 4;
    const int pixels = p.OH * p.OW, depth = p.C * p.KH * p.KW, panels = (p.K + 15) / 16;
    const int vectors = random_vectors(random, panels), most = p.OW < 32 / vectors ? p.OW : 32 / vectors;
    const int rows = random_between(random, 1, most), span = (rows - 1) * p.SW + (p.KW - 1) * p.DW + 1;
    float *x = random_floats(random, arena, p.N * p.C * p.H * p.W), *w = random_floats(random, arena, p.K * depth);
    float *bias = random_below(random, 2) ? random_floats(random, arena, p.K) : NULL;
    float *y = result(arena, p.N * p.K * pixels), *expected = result(arena, p.N * p.K * pixels);
    float *packed = arena_new_array(arena, float, (size_t)(panels * depth * 16));
    for (int i = 0; i < p.K * depth; i++) packed[(i / depth / 16 * depth + i % depth) * 16 + i / depth % 16] = w[i];
    float *panel = arena_new_array(arena, float, (size_t)depth * 16);
    conv2d(x, w, bias, panel, expected, 0, p.N * ((pixels + 15) / 16), p.N, p.C, p.H, p.W, p.K, p.OH, p.OW, 1, p.KH,
           p.KW, p.SH, p.SW, p.DH, p.DW, p.PH, p.PW);
    float *padded = bias == NULL
                        ? NULL
                        : memcpy(arena_new_array(arena, float, (size_t)panels * 16), bias, sizeof(float) * (size_t)p.K);
    conv_first(x, packed, padded, result(arena, p.C * p.KH * span), y, 0, p.N * p.OH, p.N, p.C, p.H, p.W, p.K, p.OH,
               p.OW, p.KH, p.KW, p.SH, p.SW, p.DH, p.DW, p.PH, p.PW, rows, vectors);
    assert_same(arena, y, expected, p.N, p.K, pixels);
    arena_free(arena);
}

/* Weights [G][outputs][C/G][taps] in panels of 16 outputs of a group, taps outermost in them. */
static float *pack(Arena *arena, const float *w, int G, int outputs, int channels, int taps) {
    const int depth = channels * taps, padded = (outputs + 15) / 16 * 16;
    float *packed = arena_new_array(arena, float, (size_t)(G * padded * depth));
    for (int i = 0; i < G * outputs * depth; i++) {
        const int k = i / depth / outputs * padded + i / depth % outputs, c = i / taps % channels, tap = i % taps;
        packed[(k / 16 * depth + tap * channels + c) * 16 + k % 16] = w[i];
    }
    return packed;
}

/* With windows that lie inside the map, or with pads. */
static void check_conv(Random *random) {
    Problem p = random_problem(random);
    Arena *arena = arena_new();
    const int G = random_below(random, 2) ? 1 : random_between(random, 2, 3), padded = random_below(random, 3) > 0;
    p.C = random_between(random, 1, 12) * G;
    if (G > 1) p.K = random_between(random, 1, 40) * G;
    if (!padded) {
        p.PH = p.PW = 0;
        p.H = (p.OH - 1) * p.SH + (p.KH - 1) * p.DH + 1, p.W = (p.OW - 1) * p.SW + (p.KW - 1) * p.DW + 1;
    }
    const int pixels = p.OH * p.OW, taps = p.KH * p.KW, depth = p.C / G * taps;
    const int vectors = random_vectors(random, (p.K / G + 15) / 16);
    const int band = random_between(random, 1, p.OH), splits = random_between(random, 1, 3);
    const int joined = random_between(random, 0, 1), line = joined ? ((p.OH - 1) % band + 1) * p.OW : p.OW;
    const int rows = random_between(random, 1, line < 32 / vectors ? line : 32 / vectors);
    const int wide = (p.OW - 1) * p.SW + (p.KW - 1) * p.DW + 1, high = (band - 1) * p.SH + (p.KH - 1) * p.DH + 1;
    float *x = random_floats(random, arena, p.N * p.C * p.H * p.W), *w = random_floats(random, arena, p.K * depth);
    float *bias = random_below(random, 2) ? random_floats(random, arena, p.K) : NULL;
    float *y = result(arena, p.N * p.K * pixels), *expected = result(arena, p.N * p.K * pixels);
    float *panel = arena_new_array(arena, float, (size_t)depth * 16);
    conv2d(x, w, bias, panel, expected, 0, p.N * G * ((pixels + 15) / 16), p.N, p.C, p.H, p.W, p.K, p.OH, p.OW, G, p.KH,
           p.KW, p.SH, p.SW, p.DH, p.DW, p.PH, p.PW);
    const int items = p.N * ((p.OH + band - 1) / band) * splits, part = random_between(random, 0, items);
    const float *swapped_x = swapped(arena, x, p.N, p.C, p.H * p.W);
    const float *packed = pack(arena, w, G, p.K / G, p.C / G, taps);
    const float *biases = bias == NULL ? NULL : pack(arena, bias, G, p.K / G, 1, 1);
    for (int half = 0; half < 2; half++) {
        const int fresh = half == 0 ? part : 0, end = half == 0 ? items : part;
        const int middle = random_between(random, fresh, end); /* the second call in a row keeps the scratch */
        float *scratch = padded ? result(arena, high * wide * p.C) : NULL;
        for (int again = 0; again < 2; again++)
            conv_last(swapped_x, packed, biases, scratch, y, again ? middle : fresh, again ? end : middle, fresh, p.N,
                      p.C, p.H, p.W, p.K, p.OH, p.OW, G, p.KH, p.KW, p.SH, p.SW, p.DH, p.DW, p.PH, p.PW, padded, band,
                      joined, splits, rows, vectors);
    }
    assert_same(arena, y, expected, p.N, p.K, pixels);
    arena_free(arena);
}

/* To at most 7 channels. */
static void check_few(Random *random) {
    Problem p = random_problem(random);
    const Depth d = random_depth(random);
    Arena *arena = arena_new();
    p.KH = random_between(random, 1, 3), p.KW = random_between(random, 1, 4);
    p.C = random_between(random, 1, 40), p.K = random_between(random, 1, 7);
    const int voxels = d.OD * p.OH * p.OW, taps = d.KD * p.KH * p.KW, depth = p.C * taps, size = d.D * p.H * p.W;
    float *x = random_floats(random, arena, p.N * p.C * size), *w = random_floats(random, arena, p.K * depth);
    float *bias = random_below(random, 2) ? random_floats(random, arena, p.K) : NULL;
    float *y = result(arena, p.N * p.K * voxels), *expected = result(arena, p.N * p.K * voxels);
    conv3d(x, w, bias, result(arena, depth * 16), expected, 0, p.N * ((voxels + 15) / 16), p.N, p.C, d.D, p.H, p.W, p.K,
           d.OD, p.OH, p.OW, 1, d.KD, p.KH, p.KW, d.SD, p.SH, p.SW, d.DD, p.DH, p.DW, d.PD, p.PH, p.PW);
    const int items = p.N * d.OD * p.OH, part = random_between(random, 0, items);
    const float *last = swapped(arena, x, p.N, p.C, size), *innermost = swapped(arena, w, p.K, p.C, taps);
    for (int half = 0; half < 2; half++)
        conv_few(last, innermost, bias, y, half == 0 ? part : 0, half == 0 ? items : part, p.N, p.C, d.D, p.H, p.W, p.K,
                 d.OD, p.OH, p.OW, d.KD, p.KH, p.KW, d.SD, p.SH, p.SW, d.DD, p.DH, p.DW, d.PD, p.PH, p.PW);
    assert_same(arena, y, expected, p.N, p.K, voxels);
    arena_free(arena);
}

/* In three dimensions. */
static void check_deep(Random *random) {
    Problem p = random_problem(random);
    const Depth d = random_depth(random);
    Arena *arena = arena_new();
    const int G = random_below(random, 2) ? 1 : random_between(random, 2, 3);
    p.KH = random_between(random, 1, 3), p.KW = random_between(random, 1, 4);
    p.C = random_between(random, 1, 6) * G, p.K = random_between(random, 1, 40) * G;
    const int voxels = d.OD * p.OH * p.OW, taps = d.KD * p.KH * p.KW, depth = p.C / G * taps, size = d.D * p.H * p.W;
    const int vectors = random_vectors(random, (p.K / G + 15) / 16), most = 32 / vectors;
    const int rows = random_between(random, 1, p.OW < most ? p.OW : most);
    const int band = random_between(random, 1, p.OH), splits = random_between(random, 1, 3);
    const int wide = (p.OW - 1) * p.SW + (p.KW - 1) * p.DW + 1, high = (band - 1) * p.SH + (p.KH - 1) * p.DH + 1;
    float *x = random_floats(random, arena, p.N * p.C * size), *w = random_floats(random, arena, p.K * depth);
    float *bias = random_below(random, 2) ? random_floats(random, arena, p.K) : NULL;
    float *y = result(arena, p.N * p.K * voxels), *expected = result(arena, p.N * p.K * voxels);
    conv3d(x, w, bias, arena_new_array(arena, float, (size_t)depth * 16), expected, 0, p.N * G * ((voxels + 15) / 16),
           p.N, p.C, d.D, p.H, p.W, p.K, d.OD, p.OH, p.OW, G, d.KD, p.KH, p.KW, d.SD, p.SH, p.SW, d.DD, p.DH, p.DW,
           d.PD, p.PH, p.PW);
    const int items = p.N * d.OD * ((p.OH + band - 1) / band) * splits, part = random_between(random, 0, items);
    const float *swapped_x = swapped(arena, x, p.N, p.C, size), *packed = pack(arena, w, G, p.K / G, p.C / G, taps);
    const float *biases = bias == NULL ? NULL : pack(arena, bias, G, p.K / G, 1, 1);
    for (int half = 0; half < 2; half++) {
        const int fresh = half == 0 ? part : 0, end = half == 0 ? items : part;
        const int middle = random_between(random, fresh, end); /* the second call in a row keeps the scratch */
        float *scratch = result(arena, d.KD * high * wide * p.C);
        for (int again = 0; again < 2; again++)
            conv3d_last(swapped_x, packed, biases, scratch, y, again ? middle : fresh, again ? end : middle, fresh, p.N,
                        p.C, d.D, p.H, p.W, p.K, d.OD, p.OH, p.OW, G, d.KD, p.KH, p.KW, d.SD, p.SH, p.SW, d.DD, p.DH,
                        p.DW, d.PD, p.PH, p.PW, band, splits, rows, vectors);
    }
    assert_same(arena, y, expected, p.N, p.K, voxels);
    arena_free(arena);
}

/* Blocks of channels are whole groups. What is not exact comes as close as the order of sums allows. */
static void check_groups_norm(Random *random) {
    Arena *arena = arena_new();
    const int N = random_between(random, 1, 2), group = random_between(random, 1, 5),
              size = random_between(random, 1, 600);
    const int blocks = random_between(random, 1, 4), block = group * random_between(random, 1, 9), C = blocks * block;
    float *x = random_floats(random, arena, N * C * size), *expected = result(arena, N * C * size);
    float *scale = random_floats(random, arena, C), *bias = random_floats(random, arena, C);
    float *y = result(arena, N * C * size), *scratch = result(arena, 2 * block);
    const int items = N * blocks, part = random_between(random, 0, items);
    group_normalization(x, scale, bias, expected, 0.01F, 0, N * C / group, N, C, size, C / group, 1);
    for (int half = 0; half < 2; half++)
        group_normalization_last(swapped(arena, x, N, C, size), scale, bias, scratch, y, 0.01F, half == 0 ? part : 0,
                                 half == 0 ? items : part, N, C, size, C / group, block);
    const float *rows = swapped(arena, expected, N, C, size);
    for (int i = 0; i < N * C * size; i++)
        if (!(fabsf(y[i] - rows[i]) <= 1e-5F * (1 + fabsf(rows[i]))))
            fail_test("pixel %d, channel %d: %g, expected %g", i / C, i % C, (double)y[i], (double)rows[i]);
    arena_free(arena);
}

static void check_max(Random *random) {
    Problem p = random_problem(random);
    Arena *arena = arena_new();
    const int size = p.N * p.C * p.H * p.W, pixels = p.OH * p.OW;
    float *x = random_floats(random, arena, size);
    float *y = result(arena, p.N * p.C * pixels), *expected = result(arena, p.N * p.C * pixels);
    for (int i = 0; i < size; i++)
        if (random_below(random, 50) == 0) x[i] = random_below(random, 2) ? NAN : -INFINITY;
    max_pool(x, expected, -INFINITY, p.N * p.C, p.H, p.W, p.OH, p.OW, p.KH, p.KW, p.SH, p.SW, p.DH, p.DW, p.PH, p.PW);
    max_pool_last(swapped(arena, x, p.N, p.C, p.H * p.W), y, -INFINITY, 0, p.N * p.OH, p.N, p.C, p.H, p.W, p.OH, p.OW,
                  p.KH, p.KW, p.SH, p.SW, p.DH, p.DW, p.PH, p.PW);
    assert_same(arena, y, expected, p.N, p.C, pixels);
    arena_free(arena);
}

static void check_average(Random *random) {
    Problem p = random_problem(random);
    Arena *arena = arena_new();
    const int pixels = p.OH * p.OW, counted = random_below(random, 2) != 0;
    const int high = p.H + random_between(random, 0, 3), wide = p.W + random_between(random, 0, 3);
    float *x = random_floats(random, arena, p.N * p.C * p.H * p.W);
    float *y = result(arena, p.N * p.C * pixels), *expected = result(arena, p.N * p.C * pixels);
    average_pool(x, expected, p.N * p.C, p.H, p.W, p.OH, p.OW, p.KH, p.KW, p.SH, p.SW, p.DH, p.DW, p.PH, p.PW, counted,
                 high, wide);
    average_pool_last(swapped(arena, x, p.N, p.C, p.H * p.W), y, 0, p.N * p.OH, p.N, p.C, p.H, p.W, p.OH, p.OW, p.KH,
                      p.KW, p.SH, p.SW, p.DH, p.DW, p.PH, p.PW, counted, high, wide);
    assert_same(arena, y, expected, p.N, p.C, pixels);
    arena_free(arena);
}

static void check_global(Random *random) {
    Problem p = random_problem(random);
    Arena *arena = arena_new();
    p.C = random_between(random, 1, 200);
    const int size = p.N * p.C * p.H * p.W, items = p.N * ((p.C + 63) / 64), part = random_between(random, 0, items);
    float *x = random_floats(random, arena, size);
    float *y = result(arena, p.N * p.C), *expected = result(arena, p.N * p.C);
    global_average_pool(x, expected, p.N * p.C, p.H * p.W);
    global_average_pool_last(swapped(arena, x, p.N, p.C, p.H * p.W), y, 0, items, p.N, p.C, p.H * p.W,
                             random_between(random, 1, 300), p.H * p.W);
    assert_same(arena, y, expected, p.N, p.C, 1);
    for (int i = 0; i < size; i++)
        if (random_below(random, 50) == 0) x[i] = random_below(random, 2) ? NAN : -INFINITY;
    global_max_pool(x, expected, p.N * p.C, p.H * p.W);
    for (int half = 0; half < 2; half++)
        global_max_pool_last(swapped(arena, x, p.N, p.C, p.H * p.W), y, half == 0 ? part : 0, half == 0 ? items : part,
                             p.N, p.C, p.H * p.W);
    assert_same(arena, y, expected, p.N, p.C, 1);
    arena_free(arena);
}

/* The mean and the maximum over the channels at each place. */
static void check_channels(Random *random) {
    Problem p = random_problem(random);
    Arena *arena = arena_new();
    p.C = random_between(random, 1, 70);
    const int size = p.H * p.W, mean = random_between(random, 0, 1), part = random_between(random, 0, p.N * size);
    float *x = random_floats(random, arena, p.N * p.C * size);
    float *y = result(arena, p.N * 2 * size), *expected = result(arena, p.N * 2 * size);
    pool_channels(x, expected, p.N, p.C, size, mean);
    for (int half = 0; half < 2; half++)
        pool_channels_last(swapped(arena, x, p.N, p.C, size), y, half == 0 ? part : 0, half == 0 ? p.N * size : part,
                           p.N, p.C, size, mean);
    for (int i = 0; i < p.N * 2 * size; i++)
        if (y[i] != expected[i]) fail_test("place %d: %g, expected %g", i, (double)y[i], (double)expected[i]);
    arena_free(arena);
}

static void repeat(int count, void (*check)(Random *random)) {
    Random random = random_new();
    for (int i = 0; i < count; i++) check(&random);
}

static void test_conv(void **state) { (void)state, repeat(200, check_conv); }
static void test_depthwise(void **state) { (void)state, repeat(200, check_depthwise); }
static void test_groups(void **state) { (void)state, repeat(200, check_groups); }
static void test_first(void **state) { (void)state, repeat(100, check_first); }
static void test_few(void **state) { (void)state, repeat(200, check_few); }
static void test_deep(void **state) { (void)state, repeat(200, check_deep); }
static void test_groups_norm(void **state) { (void)state, repeat(100, check_groups_norm); }
static void test_max(void **state) { (void)state, repeat(100, check_max); }
static void test_average(void **state) { (void)state, repeat(100, check_average); }
static void test_global(void **state) { (void)state, repeat(100, check_global); }
static void test_channels(void **state) { (void)state, repeat(100, check_channels); }

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv),        cmocka_unit_test(test_depthwise), cmocka_unit_test(test_groups),
        cmocka_unit_test(test_first),       cmocka_unit_test(test_max),       cmocka_unit_test(test_average),
        cmocka_unit_test(test_global),      cmocka_unit_test(test_channels),  cmocka_unit_test(test_deep),
        cmocka_unit_test(test_groups_norm), cmocka_unit_test(test_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
