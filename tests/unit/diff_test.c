/* Tests of commands/compare.h and commands/diff.h: what the statistics say, what diverges, what is printed. */
#include "support/test.h"

#include "commands/command.h"
#include "commands/diff.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

static const Tolerance usual = {.atol = 1e-5, .rtol = 1e-4};

static Tensor *floats(Arena *arena, int rank, const int64_t *dims, const float *values) {
    Shape shape = shape_of(rank, dims);
    Tensor *tensor = tensor_new(arena, TYPE_FLOAT, &shape);
    if (tensor_bytes(tensor) > 0) memcpy(tensor->data, values, tensor_bytes(tensor));
    return tensor;
}

#define VECTOR(arena, ...)                                                                                             \
    floats(arena, 1, (int64_t[]){sizeof((float[]){__VA_ARGS__}) / sizeof(float)}, (float[]){__VA_ARGS__})

static bool near(double a, double b) { return fabs(a - b) < 1e-6 * (fabs(b) + 1e-3); }

static void errors_are_measured(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Comparison c = compare_tensors(VECTOR(arena, 1, -2, 4, 0), VECTOR(arena, 1, -2.5f, 4.25f, 0), &usual);
    assert_int_equal(c.count, 4);
    assert_int_equal(c.beyond, 2);
    assert_true(near(c.max_abs, 0.5) && near(c.mean_abs, 0.75 / 4) && near(c.max_rel, 0.25));
    assert_true(near(c.cosine, (1 + 5 + 17) / sqrt(21 * (1 + 6.25 + 18.0625))));
    assert_int_equal(c.argmax_expected, 2);
    assert_int_equal(c.argmax_actual, 2);
    assert_false(c.is_probability || comparison_agrees(&c, &usual));
    arena_free(arena);
}

static void the_relative_error_has_a_floor(void **state) {
    (void)state;
    Arena *arena = arena_new();
    /* beside 100 the floor is 0.1: a zero that becomes 0.01 is off by a tenth, not infinitely */
    Comparison c = compare_tensors(VECTOR(arena, 0, 100), VECTOR(arena, 0.01f, 100), &usual);
    assert_true(near(c.max_rel, 0.1));
    c = compare_tensors(VECTOR(arena, 0, 0), VECTOR(arena, 0.01f, 0), &usual);
    assert_true(isinf(c.max_rel));
    arena_free(arena);
}

static void tolerances_are_absolute_and_relative(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const Tolerance exact = {0}, absolute = {.atol = 0.125}, relative = {.rtol = 0.125};
    Tensor *expected = VECTOR(arena, 1, 8), *actual = VECTOR(arena, 1.125f, 9);
    Comparison c = compare_tensors(expected, actual, &absolute);
    assert_int_equal(c.beyond, 1);
    c = compare_tensors(expected, actual, &relative);
    assert_int_equal(c.beyond, 0); /* the bound itself is within */
    c = compare_tensors(expected, actual, &exact);
    assert_int_equal(c.beyond, 2);
    c = compare_tensors(expected, expected, &exact);
    assert_true(comparison_agrees(&c, &exact));
    assert_true(c.max_abs == 0 && c.max_rel == 0 && near(c.cosine, 1));
    arena_free(arena);
}

static void nan_and_infinity_equal_themselves(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const Tolerance wide = {.atol = 1e30, .rtol = 1e30};
    Tensor *strange = VECTOR(arena, NAN, INFINITY, -INFINITY, 1);
    Comparison c = compare_tensors(strange, VECTOR(arena, NAN, INFINITY, -INFINITY, 1), &usual);
    assert_true(comparison_agrees(&c, &usual));
    assert_true(c.max_abs == 0 && c.cosine == 1);
    assert_int_equal(c.argmax_expected, 1);
    Tensor *others[] = {VECTOR(arena, 0, INFINITY, -INFINITY, 1), VECTOR(arena, NAN, 1, -INFINITY, 1),
                        VECTOR(arena, NAN, INFINITY, INFINITY, 1), VECTOR(arena, NAN, INFINITY, -INFINITY, NAN)};
    for (int i = 0; i < 4; i++) {
        c = compare_tensors(strange, others[i], &wide);
        assert_int_equal(c.beyond, 1);
        assert_true(isinf(c.max_abs) && isinf(c.mean_abs) && isinf(c.max_rel));
        c = compare_tensors(others[i], strange, &wide);
        assert_int_equal(c.beyond, 1);
    }
    arena_free(arena);
}

static void zeros_and_nothing_are_equal(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Comparison c = compare_tensors(VECTOR(arena, 0, -0.0f), VECTOR(arena, -0.0f, 0), &(Tolerance){0});
    assert_true(c.beyond == 0 && c.cosine == 1 && c.max_rel == 0);
    c = compare_tensors(VECTOR(arena, 0, 0), VECTOR(arena, 0, 1), &usual);
    assert_true(c.cosine == 0);
    Tensor *nothing = floats(arena, 2, (int64_t[]){0, 3}, (float[]){0});
    c = compare_tensors(nothing, nothing, &usual);
    assert_true(c.count == 0 && c.beyond == 0 && c.cosine == 1 && c.mean_abs == 0 && c.argmax_expected == -1);
    Tensor *scalar = floats(arena, 0, NULL, (float[]){3});
    c = compare_tensors(scalar, scalar, &usual);
    assert_true(c.count == 1 && c.beyond == 0 && c.argmax_expected == 0 && !c.is_probability);
    arena_free(arena);
}

static void cosine_does_not_overflow(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Shape shape = shape_of(1, (int64_t[]){2});
    Tensor *huge = tensor_new(arena, TYPE_DOUBLE, &shape), *tiny = tensor_new(arena, TYPE_DOUBLE, &shape);
    memcpy(huge->data, (double[]){1e300, 1e300}, 16);
    memcpy(tiny->data, (double[]){1e-300, -1e-300}, 16);
    Comparison c = compare_tensors(huge, huge, &usual);
    assert_true(near(c.cosine, 1));
    c = compare_tensors(huge, tiny, &usual);
    assert_true(fabs(c.cosine) < 1e-12);
    arena_free(arena);
}

static void integers_are_compared_exactly(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Shape shape = shape_of(1, (int64_t[]){2});
    Tensor *a = tensor_new(arena, TYPE_INT64, &shape), *b = tensor_new(arena, TYPE_INT64, &shape);
    memcpy(a->data, (int64_t[]){(INT64_C(1) << 53) + 1, 100000}, 16);
    memcpy(b->data, (int64_t[]){INT64_C(1) << 53, 100001}, 16); /* within rtol, were they floats */
    Comparison c = compare_tensors(a, b, &usual);
    assert_int_equal(c.beyond, 2);
    assert_true(c.max_abs == 1);
    c = compare_tensors(a, b, &(Tolerance){.atol = 1});
    assert_int_equal(c.beyond, 0);
    memcpy(a->data, (int64_t[]){INT64_MIN, 0}, 16);
    memcpy(b->data, (int64_t[]){INT64_MAX, 0}, 16);
    c = compare_tensors(a, b, &usual);
    assert_true(c.max_abs == 18446744073709551615.0);
    a->type = b->type = TYPE_UINT64;
    memcpy(a->data, (uint64_t[]){UINT64_MAX, 0}, 16);
    memcpy(b->data, (uint64_t[]){UINT64_MAX - 1, 0}, 16);
    c = compare_tensors(a, b, &usual);
    assert_true(c.max_abs == 1 && c.beyond == 1);
    arena_free(arena);
}

static void complex_and_text_are_compared(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Shape shape = shape_of(1, (int64_t[]){2});
    Tensor *a = tensor_new(arena, TYPE_COMPLEX64, &shape), *b = tensor_new(arena, TYPE_COMPLEX128, &shape);
    memcpy(a->data, (float[]){1, 2, 3, 4}, 16);
    memcpy(b->data, (double[]){1, 2, 3, 5}, 32);
    Comparison c = compare_tensors(a, b, &usual);
    assert_true(c.count == 4 && c.beyond == 1 && c.max_abs == 1 && c.argmax_expected == -1);
    c = compare_tensors(a, VECTOR(arena, 1, 2), &usual);
    assert_int_equal(c.beyond, 2);
    Tensor *x = tensor_new(arena, TYPE_STRING, &shape), *y = tensor_new(arena, TYPE_STRING, &shape);
    memcpy(x->data, (const char *[]){"cat", "dog"}, 16);
    memcpy(y->data, (const char *[]){"cat", "cow"}, 16);
    c = compare_tensors(x, y, &usual);
    assert_true(c.beyond == 1 && isinf(c.max_abs));
    arena_free(arena);
}

static void rows_of_probabilities_are_summed(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const int64_t dims[] = {2, 2};
    Tensor *softmax = floats(arena, 2, dims, (float[]){0.25f, 0.75f, 1, 0});
    Comparison c = compare_tensors(softmax, floats(arena, 2, dims, (float[]){0.25f, 0.75f, 1, 0.125f}), &usual);
    assert_true(c.is_probability && c.row_sum == 0.125);
    c = compare_tensors(floats(arena, 2, dims, (float[]){0.5f, 0.5f, 0, 0}), softmax, &usual); /* a masked row */
    assert_true(c.is_probability && c.row_sum == 1);
    c = compare_tensors(floats(arena, 2, dims, (float[]){0, 0, 0, 0}), softmax, &usual);
    assert_false(c.is_probability);
    c = compare_tensors(floats(arena, 2, dims, (float[]){1.5f, -0.5f, 1, 0}), softmax, &usual);
    assert_false(c.is_probability);
    c = compare_tensors(floats(arena, 2, dims, (float[]){0.5f, 0.25f, 1, 0}), softmax, &usual);
    assert_false(c.is_probability);
    c = compare_tensors(softmax, floats(arena, 2, dims, (float[]){NAN, 0.75f, 1, 0}), &usual);
    assert_true(isinf(c.row_sum));
    arena_free(arena);
}

static const Statistic *statistic(const char *name) {
    for (const Statistic *s = STATISTICS; s->name != NULL; s++)
        if (strcmp(s->name, name) == 0) return s;
    assert_true(false);
    return NULL;
}

static bool agrees_by(const char *name, double atol, double rtol, const Tensor *expected, const Tensor *actual) {
    Tolerance tolerance = {.atol = atol, .rtol = rtol, .statistic = statistic(name)};
    Comparison c = compare_tensors(expected, actual, &tolerance);
    return comparison_agrees(&c, &tolerance);
}

static void one_statistic_can_decide(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Tensor *expected = VECTOR(arena, 0.25f, 0.75f), *actual = VECTOR(arena, 0.75f, 0.5f);
    assert_true(agrees_by("max_abs", 0.5, 0, expected, actual) && !agrees_by("max_abs", 0.49, 9, expected, actual));
    assert_true(agrees_by("mean_abs", 0.375, 0, expected, actual) && !agrees_by("mean_abs", 0.37, 9, expected, actual));
    assert_true(agrees_by("max_rel", 0, 2, expected, actual) && !agrees_by("max_rel", 9, 1.9, expected, actual));
    assert_true(agrees_by("cosine", 0, 0.3, expected, actual) && !agrees_by("cosine", 9, 0.1, expected, actual));
    assert_true(agrees_by("row_sum", 0.25, 0, expected, actual) && !agrees_by("row_sum", 0.2, 9, expected, actual));
    assert_true(agrees_by("argmax", 0, 0, expected, expected) && !agrees_by("argmax", 9, 9, expected, actual));
    assert_false(agrees_by("max_abs", 9, 9, expected, VECTOR(arena, NAN, 1)));
    arena_free(arena);
}

static void put(Arena *arena, Npz *npz, const char *key, Tensor *tensor) {
    list_add(arena, npz, ((NpzEntry){key, tensor}));
}

/* Two files that differ in every way. */
static void make_files(Arena *arena, Npz *expected, Npz *actual) {
    Tensor *half = tensor_new(arena, TYPE_FLOAT16, &(Shape){.rank = 1, .dims = {{1, NULL}}});
    *(uint16_t *)half->data = 0x3C00;
    put(arena, expected, "same", VECTOR(arena, 1, 2));
    put(arena, expected, "half", VECTOR(arena, 1));
    put(arena, expected, "se.gate", VECTOR(arena, 1, 2));
    put(arena, expected, "gone", VECTOR(arena, 1));
    put(arena, expected, "other\nshape", VECTOR(arena, 1, 2));
    put(arena, actual, "new", VECTOR(arena, 1));
    put(arena, actual, "other\nshape", VECTOR(arena, 1));
    put(arena, actual, "se.gate", VECTOR(arena, 1, 2.5f));
    put(arena, actual, "half", half);
    put(arena, actual, "same", VECTOR(arena, 1, 2));
}

static void all_differences_are_found_in_order(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Npz expected = {0}, actual = {0};
    make_files(arena, &expected, &actual);
    Diff diff = diff_npz(arena, &expected, &actual, &(DiffOptions){.tolerance = usual});
    static const char *const keys[] = {"same", "half", "se.gate", "gone", "other\nshape", "new"};
    static const Verdict verdicts[] = {VERDICT_AGREES,  VERDICT_AGREES,    VERDICT_DIVERGES,
                                       VERDICT_MISSING, VERDICT_MISSHAPEN, VERDICT_EXTRA};
    assert_int_equal(diff.count, 6);
    for (int i = 0; i < 6; i++) {
        assert_string_equal(diff.items[i].key, keys[i]);
        assert_int_equal(diff.items[i].verdict, verdicts[i]);
    }
    assert_string_equal(diff_first(&diff)->key, "se.gate");
    diff = diff_npz(arena, &expected, &actual, &(DiffOptions){.tolerance = usual, .fail_fast = true});
    assert_int_equal(diff.count, 3);
    diff = diff_npz(arena, &actual, &actual, &(DiffOptions){.tolerance = usual, .fail_fast = true});
    assert_null(diff_first(&diff));
    arena_free(arena);
}

/* `fovea diff` with files in a folder. */
typedef struct {
    Arena *arena;
    char *words[8];
} CommandLine;

static void run_diff(void *argument) {
    CommandLine *line = argument;
    int count = 0;
    while (line->words[count] != NULL) count++;
    COMMAND_DIFF.run(line->arena, count, line->words);
}

static CommandLine with_files(Arena *arena) {
    Npz expected = {0}, actual = {0};
    make_files(arena, &expected, &actual);
    const char *folder = test_folder(arena);
    CommandLine line = {arena,
                        {(char *)test_path(arena, folder, "ref.npz"), (char *)test_path(arena, folder, "got.npz")}};
    npz_write(line.words[0], &expected);
    npz_write(line.words[1], &actual);
    return line;
}

static void the_table_is_aligned(void **state) {
    (void)state;
    Arena *arena = arena_new();
    CommandLine line = with_files(arena);
    assert_string_equal(
        captured_stdout(arena, run_diff, &line),
        "key             tensor    max_abs  mean_abs  max_rel     cosine  argmax  row_sum  verdict\n"
        "same            float[2]        0         0        0  1.0000000    same        -  ok\n"
        "half            float[1]        0         0        0  1.0000000    same        -  ok, got float16\n"
        "se.gate         float[2]      0.5      0.25     0.25  0.9965458    same        -  DIVERGES: 1 of 2\n"
        "gone            float[1]        -         -        -          -       -        -  MISSING\n"
        "other\\x0ashape  float[2]        -         -        -          -       -        -  MISSHAPEN: got float[1]\n"
        "new             float[1]        -         -        -          -       -        -  EXTRA\n"
        "first diverging: se.gate\n");
    assert_non_null(strstr(last_messages(), "got.npz: error: 4 of 6 arrays differ from"));
    assert_non_null(strstr(last_messages(), "first 'se.gate'"));
    diag_file(NULL);
    line.words[1] = line.words[0];
    char *text = captured_stdout(arena, run_diff, &line);
    assert_non_null(strstr(text, "\nall 5 agree\n"));
    assert_string_equal(last_messages(), "");
    arena_free(arena);
}

static void json_has_the_same(void **state) {
    (void)state;
    Arena *arena = arena_new();
    CommandLine line = with_files(arena);
    line.words[2] = "--json";
    line.words[3] = "--atol=0.25";
    json_t *root = json_loads(captured_stdout(arena, run_diff, &line), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    const char *first, *verdict, *type, *key;
    double atol, max_abs;
    int agrees, beyond, size, position;
    assert_int_equal(json_unpack(root,
                                 "{s:f, s:b, s:s, s:n, s:[{}, {}, {s:s, s:s, s:{s:s, s:[i]}, s:i, s:f, s:[i], s:n}]}",
                                 "atol", &atol, "agrees", &agrees, "first_diverging", &first, "stat", "arrays", "key",
                                 &key, "verdict", &verdict, "expected", "type", &type, "shape", &size, "beyond",
                                 &beyond, "max_abs", &max_abs, "argmax_actual", &position, "row_sum"),
                     0);
    assert_true(atol == 0.25 && !agrees && max_abs == 0.5);
    assert_string_equal(first, "se.gate");
    assert_string_equal(key, "se.gate");
    assert_string_equal(verdict, "diverges");
    assert_string_equal(type, "float");
    assert_true(size == 2 && beyond == 1 && position == 1);
    assert_int_equal(json_array_size(json_object_get(root, "arrays")), 6);
    json_decref(root);
    diag_file(NULL);
    arena_free(arena);
}

static void arrays_can_have_their_own_tolerance(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Npz expected = {0}, actual = {0};
    put(arena, &expected, "a:0.gate", VECTOR(arena, 100));
    put(arena, &expected, "a:1.gate", VECTOR(arena, 100));
    put(arena, &actual, "a:0.gate", VECTOR(arena, 100.25f));
    put(arena, &actual, "a:1.gate", VECTOR(arena, 100.25f));
    DiffOptions options = {.tolerance = {.atol = 1e-5, .rtol = 1e-2}}; /* looser than what follows */
    list_add(arena, &options.own, ((OwnTolerance){"*.gate", 0.25}));
    list_add(arena, &options.own, ((OwnTolerance){"a:1.gate", 0.125}));
    Diff diff = diff_npz(arena, &expected, &actual, &options);
    assert_int_equal(diff.items[0].verdict, VERDICT_AGREES);
    assert_int_equal(diff.items[1].verdict, VERDICT_DIVERGES);
    options.tolerance.statistic = statistic("max_rel"); /* 0.0025 */
    options.own.items[1].bound = 0.001;
    diff = diff_npz(arena, &expected, &actual, &options);
    assert_int_equal(diff.items[0].verdict, VERDICT_AGREES);
    assert_int_equal(diff.items[1].verdict, VERDICT_DIVERGES);
    arena_free(arena);
}

static void own_tolerances_are_shown(void **state) {
    (void)state;
    Arena *arena = arena_new();
    CommandLine line = with_files(arena);
    line.words[2] = "--tol=s*.gate:0.5";
    line.words[3] = "--tol=half:0";
    const char *text = captured_stdout(arena, run_diff, &line);
    assert_non_null(strstr(text, "ok, got float16, tolerance 0\n"));
    assert_non_null(strstr(text, "same        -  ok, tolerance 0.5\n"));
    assert_non_null(strstr(text, "first diverging: gone\n"));
    diag_file(NULL);
    arena_free(arena);
}

static void wrong_command_lines_are_refused(void **state) {
    (void)state;
    Arena *arena = arena_new();
    CommandLine line = with_files(arena), stat = line, negative = line, missing = {arena, {line.words[0]}};
    line.words[2] = "--stats=cosine";
    stat.words[2] = "--stat=cosin";
    negative.words[2] = "--atol=-1";
    expect_failure(STATUS_USAGE, "did you mean --stat?", run_diff, &line);
    expect_failure(STATUS_USAGE, "no statistic 'cosin'; did you mean cosine?", run_diff, &stat);
    expect_failure(STATUS_USAGE, "cannot be negative", run_diff, &negative);
    expect_failure(STATUS_USAGE, "GOT.npz is missing", run_diff, &missing);
    static const struct {
        char *word;
        const char *message;
    } wrong[] = {
        {"--tol=se.gate", "takes KEY:X, a key or glob and a number, not 'se.gate'"},
        {"--tol=se.gate:", "takes KEY:X"},
        {"--tol=:1", "takes KEY:X"},
        {"--tol=se.gate:1x", "takes KEY:X"},
        {"--tol=se.gate:nan", "takes KEY:X"},
        {"--tol=se.gate:-1", "cannot be negative"},
        {"--tol=se.gat:1", "no array is called 'se.gat'; did you mean 'se.gate'?"},
        {"--tol=attention*:1", "no array is called 'attention*'"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        line.words[2] = wrong[i].word;
        expect_failure(STATUS_USAGE, wrong[i].message, run_diff, &line);
    }
    const Npz nothing = {0};
    npz_write(line.words[0], &nothing);
    line.words[2] = NULL;
    expect_failure(STATUS_INVALID, "holds no arrays to compare with", run_diff, &line);
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_measured),
        cmocka_unit_test(the_relative_error_has_a_floor),
        cmocka_unit_test(tolerances_are_absolute_and_relative),
        cmocka_unit_test(nan_and_infinity_equal_themselves),
        cmocka_unit_test(zeros_and_nothing_are_equal),
        cmocka_unit_test(cosine_does_not_overflow),
        cmocka_unit_test(integers_are_compared_exactly),
        cmocka_unit_test(complex_and_text_are_compared),
        cmocka_unit_test(rows_of_probabilities_are_summed),
        cmocka_unit_test(one_statistic_can_decide),
        cmocka_unit_test(all_differences_are_found_in_order),
        cmocka_unit_test(the_table_is_aligned),
        cmocka_unit_test(json_has_the_same),
        cmocka_unit_test(arrays_can_have_their_own_tolerance),
        cmocka_unit_test(own_tolerances_are_shown),
        cmocka_unit_test(wrong_command_lines_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
