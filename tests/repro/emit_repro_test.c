/* emit: the same program gives the same bytes, whatever the folder, the locale and the addresses in memory. */
#include "tests/exec/generated.h"

#include <locale.h>

static void fill(Generated *generated, WeightMode mode) {
    static const char *const NAMES[] = {"conv.weight", "conv.bias", "w", "w", "\xe6\xb3\xa8"};
    float data[5][40];
    Buffer *x = input_make(generated, "x", TYPE_FLOAT, 40);
    for (int i = 0; i < 5; i++) {
        for (int k = 0; k < 40; k++) data[i][k] = (float)(i * 40 + k) / 7;
        Buffer *weight = constant_make(generated, NAMES[i], TYPE_FLOAT, 40, data[i]);
        Buffer *y =
            i == 4 ? output_make(generated, "y", TYPE_FLOAT, 40) : work_make(generated, NAMES[i], TYPE_FLOAT, 40);
        generated->program->current = graph_node(generated->program->graph, "Mul", NAMES[i]);
        Loop *loop = flat_loop(generated, 40, 2, (Buffer *[]){x, weight}, y);
        int product = loop_apply(loop, "multiply", TYPE_FLOAT, TYPE_FLOAT, 2, (int[]){0, 1});
        int half = loop_literal(loop, TYPE_FLOAT, 0.5);
        loop_apply(loop, "add", TYPE_FLOAT, TYPE_FLOAT, 2, (int[]){product, half});
        if (i == 2) probe_make(generated, "two", y);
        x = y;
    }
    generated_emit(generated, "repro", mode);
}

static void same_bytes_twice(void **state) {
    (void)state;
    static const WeightMode MODES[] = {WEIGHTS_INLINE, WEIGHTS_OBJECT, WEIGHTS_FILE};
    for (size_t i = 0; i < sizeof MODES / sizeof *MODES; i++) {
        Generated first = generated_new(), second = generated_new();
        arena_alloc(second.arena, 12345); /* other addresses */
        fill(&first, MODES[i]);
        char *used = setlocale(LC_ALL, "de_DE.UTF-8"); /* a decimal comma, where the system has this locale */
        printf("locale: %s\n", used != NULL ? used : "de_DE.UTF-8 is not installed");
        fill(&second, MODES[i]);
        setlocale(LC_ALL, "C");
        run_or_fail(arena_printf(first.arena, "diff -r %s %s", first.folder, second.folder));
        generated_free(&first);
        generated_free(&second);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_bytes_twice)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
