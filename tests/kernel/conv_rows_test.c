/* Convolutions between few channels that lie in rows against the plain kernel: sizes, strides, dilations and pads of
 * all kinds, also windows that see nothing but pads, and the same however the items are split. */
#define UNROLL /* sizes are no constants here */
#include "runtime/conv.c"
#include "runtime/conv_rows.c"
#include "support/numbers.h"

typedef struct {
    int input, output, kernel, stride, dilation, before;
} Line;

static Line random_line(Random *random, int stride) {
    Line line = {.kernel = random_between(random, 1, 7), .stride = stride, .dilation = random_between(random, 1, 3)};
    line.input = random_between(random, 1, 20), line.before = random_between(random, 0, 2 * line.kernel);
    line.output = random_between(random, 1, (line.input + line.before + line.kernel) / stride + 1);
    return line;
}

static float *result(Arena *arena, int count) {
    float *values = arena_new_array(arena, float, (size_t)count);
    for (int i = 0; i < count; i++) values[i] = NAN;
    return values;
}

static void check(Random *random) {
    Arena *arena = arena_new();
    const Line h = random_line(random, random_between(random, 1, 3)), w = random_line(random, 1);
    Line d = {.input = 1, .output = 1, .kernel = 1, .stride = 1, .dilation = 1};
    if (random_below(random, 2)) d = random_line(random, random_between(random, 1, 3));
    const int N = random_between(random, 1, 2), C = random_between(random, 1, 5), K = random_between(random, 1, 7);
    const int depth = C * d.kernel * h.kernel * w.kernel, pixels = d.output * h.output * w.output;
    const int count = N * K * pixels;
    const float *x = random_floats(random, arena, N * C * d.input * h.input * w.input);
    const float *weights = random_floats(random, arena, K * depth);
    const float *bias = random_below(random, 2) ? random_floats(random, arena, K) : NULL;
    float *y = result(arena, count), *expected = result(arena, count);
    conv3d(x, weights, bias, result(arena, depth * 16), expected, 0, N * ((pixels + 15) / 16), N, C, d.input, h.input,
           w.input, K, d.output, h.output, w.output, 1, d.kernel, h.kernel, w.kernel, d.stride, h.stride, 1, d.dilation,
           h.dilation, w.dilation, d.before, h.before, w.before);
    const int wide = (w.output + 15) / 16 * 16 + (w.kernel - 1) * w.dilation;
    float *scratch = result(arena, C * d.kernel * ((h.kernel - 1) * h.dilation + 1) * wide);
    const int items = N * d.output * h.output, part = random_between(random, 0, items);
    for (int half = 0; half < 2; half++)
        conv_rows(x, weights, bias, scratch, y, half == 0 ? part : 0, half == 0 ? items : part, N, C, d.input, h.input,
                  w.input, K, d.output, h.output, w.output, d.kernel, h.kernel, w.kernel, d.stride, h.stride,
                  d.dilation, h.dilation, w.dilation, d.before, h.before, w.before);
    for (int i = 0; i < count; i++)
        if (!(fabsf(y[i] - expected[i]) <= 1e-5f * (float)depth))
            fail_test("%dx%dx%d of %d to %dx%dx%d of %d, taps %dx%dx%d: y[%d] is %g, not %g", d.input, h.input, w.input,
                      C, d.output, h.output, w.output, K, d.kernel, h.kernel, w.kernel, i, (double)y[i],
                      (double)expected[i]);
    arena_free(arena);
}

static void test_rows(void **state) {
    (void)state;
    Random random = random_new();
    for (int i = 0; i < 300; i++) check(&random);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
