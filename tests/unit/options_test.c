/* Tests of commands/options.h: every kind of option, every mistake, and the help. */
#include "support/test.h"

#include "commands/options.h"

#include <string.h>

/* A command with one of each. */
typedef struct {
    const char *model, *image, *output, *words[12];
    bool json, fail_fast;
    double atol;
    int threads;
    StringList dims;
    bool goes_on;
    Arena *arena;
} Arguments;

static const Command command = {"try", "try all kinds of options", "More is said here.", NULL};

enum { TABLE = 8 };
#define TABLE_OF(a)                                                                                                    \
    {                                                                                                                  \
        {OPTION_ARGUMENT, 0, "MODEL.onnx", NULL, "the model", &(a)->model},                                            \
            {OPTION_ARGUMENT, 0, "IMAGE", NULL, "an image", &(a)->image},                                              \
            {OPTION_TEXT,                                                                                              \
             'o',                                                                                                      \
             "output",                                                                                                 \
             "DIR",                                                                                                    \
             "where it goes, in words of which there are more than a line of help may have\n(the current folder)",     \
             &(a)->output},                                                                                            \
            {OPTION_FLAG, 0, "json", NULL, "write JSON", &(a)->json},                                                  \
            {OPTION_FLAG, 'f', "fail-fast", NULL, "stop early", &(a)->fail_fast},                                      \
            {OPTION_NUMBER, 0, "atol", "X", "tolerance", &(a)->atol},                                                  \
            {OPTION_COUNT, 0, "threads", "N", "how many threads", &(a)->threads},                                      \
            {OPTION_LIST, 0, "dim-with-a-long-name", "NAME=N", "a dimension", &(a)->dims},                             \
    }

static void parse(void *argument) {
    Arguments *arguments = argument;
    const Option table[TABLE] = TABLE_OF(arguments);
    int count = 0;
    while (arguments->words[count] != NULL) count++;
    arguments->goes_on = options_parse(arguments->arena, &command, table, TABLE, count, (char **)arguments->words);
}

static void all_kinds_are_parsed(void **state) {
    (void)state;
    Arguments a = {.arena = arena_new(),
                   .words = {"m.onnx", "--json", "-o", "out", "--atol=1e-3", "i.png", "--threads", "4",
                             "--dim-with-a-long-name=n=1", "--dim-with-a-long-name", "t=2", NULL}};
    assert_int_equal(run_quietly(parse, &a), STATUS_OK);
    assert_true(a.goes_on && a.json && !a.fail_fast);
    assert_string_equal(a.model, "m.onnx");
    assert_string_equal(a.image, "i.png");
    assert_string_equal(a.output, "out");
    assert_true(a.atol == 1e-3);
    assert_int_equal(a.threads, 4);
    assert_int_equal(a.dims.count, 2);
    assert_string_equal(a.dims.items[0], "n=1");
    assert_string_equal(a.dims.items[1], "t=2");
    arena_free(a.arena);
}

static void other_spellings_are_parsed(void **state) {
    (void)state;
    Arguments a = {.arena = arena_new(),
                   .output = "default",
                   .threads = 3,
                   .words = {"-oa", "--output=b", "-f", "--atol", "-1", "--", "--json", "-", NULL}};
    assert_int_equal(run_quietly(parse, &a), STATUS_OK);
    assert_string_equal(a.output, "b"); /* the last one counts */
    assert_string_equal(a.model, "--json");
    assert_string_equal(a.image, "-");
    assert_true(a.fail_fast && !a.json && a.atol == -1);
    assert_int_equal(a.threads, 3); /* what is not given keeps its default */
    Arguments b = {.arena = a.arena, .output = "default", .words = {"--output=", "a", "b", NULL}};
    assert_int_equal(run_quietly(parse, &b), STATUS_OK);
    assert_string_equal(b.output, "");
    arena_free(a.arena);
}

static void mistakes_are_usage_errors(void **state) {
    (void)state;
    static const struct {
        const char *part, *words[4];
    } cases[] = {
        {"MODEL.onnx is missing", {NULL}},
        {"IMAGE is missing", {"a", "--json"}},
        {"unexpected argument 'c'", {"a", "b", "c"}},
        {"unknown option '--jsn'; did you mean --json?", {"--jsn"}},
        {"unknown option '--outptu=x'; did you mean --output?", {"--outptu=x"}},
        {"unknown option '--fail'; did you mean --fail-fast?", {"--fail"}},
        {"unknown option '--hlep'; did you mean --help?", {"--hlep"}},
        {"unknown option '-json'; did you mean --json?", {"-json"}},
        {"unknown option '--quux'\n", {"--quux"}},
        {"unknown option '-x'\n", {"-x"}},
        {"unknown option '--='\n", {"--="}},
        {"unknown option '---json'; did you mean --json?", {"---json"}},
        {"unknown option '--\\x1b[2J'\n", {"--\x1b[2J"}},
        {"--json takes no value", {"--json=yes"}},
        {"--output needs a value: --output DIR", {"a", "b", "--output"}},
        {"--output needs a value: --output DIR", {"a", "-o", "--json"}},
        {"--atol takes a number, not '1e-3x'", {"--atol", "1e-3x"}},
        {"--atol takes a number, not ''", {"--atol="}},
        {"--atol takes a number, not 'inf'", {"--atol=inf"}},
        {"--atol takes a number, not 'nan'", {"--atol=nan"}},
        {"--atol takes a number, not '1e999'", {"--atol=1e999"}},
        {"--threads takes a whole number of at least 1, not '0'", {"--threads=0"}},
        {"--threads takes a whole number of at least 1, not '2.5'", {"--threads=2.5"}},
        {"--threads takes a whole number of at least 1, not '99999999999'", {"--threads=99999999999"}},
    };
    Arena *arena = arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Arguments a = {.arena = arena};
        memcpy(a.words, cases[i].words, sizeof cases[i].words);
        expect_failure(STATUS_USAGE, cases[i].part, parse, &a);
        assert_non_null(strstr(last_messages(), "note: `fovea try --help` lists what can be given"));
    }
    arena_free(arena);
}

static void help_comes_from_the_table(void **state) {
    (void)state;
    Arena *arena = arena_new();
    static const char expected[] =
        "usage: fovea try MODEL.onnx IMAGE [OPTION]...\n"
        "try all kinds of options\n"
        "\n"
        "  MODEL.onnx                the model\n"
        "  IMAGE                     an image\n"
        "  -o, --output DIR          where it goes, in words of which there are more than a line of help may\n"
        "                            have\n"
        "                            (the current folder)\n"
        "      --json                write JSON\n"
        "  -f, --fail-fast           stop early\n"
        "      --atol X              tolerance\n"
        "      --threads N           how many threads\n"
        "      --dim-with-a-long-name NAME=N\n"
        "                            a dimension\n"
        "      --help                show this\n"
        "\n"
        "More is said here.\n";
    Arguments a = {.arena = arena, .words = {"--help"}}, b = {.arena = arena, .words = {"a", "--nonsense", "-h"}};
    assert_string_equal(captured_stdout(arena, parse, &a), expected);
    assert_false(a.goes_on);
    assert_string_equal(captured_stdout(arena, parse, &b), expected);
    assert_string_equal(last_messages(), "");
    Arguments c = {.arena = arena, .words = {"--", "--help", "x"}}; /* an argument */
    assert_string_equal(captured_stdout(arena, parse, &c), "");
    assert_string_equal(c.model, "--help");
    arena_free(arena);
}

static void the_nearest_name_is_near(void **state) {
    (void)state;
    static const char *const names[] = {"compile", "run", "inspect", "verify", "diff", NULL};
    static const struct {
        const char *word, *nearest;
    } cases[] = {{"compil", "compile"}, {"complie", "compile"}, {"rum", "run"}, {"insp", "inspect"},
                 {"verfy", "verify"},   {"dif", "diff"},        {"x", NULL},    {"", NULL},
                 {"frobnicate", NULL}};
    Arena *arena = arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *nearest = nearest_name(arena, cases[i].word, names);
        if (cases[i].nearest == NULL) assert_null(nearest);
        else assert_string_equal(nearest, cases[i].nearest);
    }
    char *huge = arena_alloc(arena, 1 << 20);
    memset(huge, 'd', (1 << 20) - 1);
    assert_null(nearest_name(arena, huge, names));
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_kinds_are_parsed),      cmocka_unit_test(other_spellings_are_parsed),
        cmocka_unit_test(mistakes_are_usage_errors), cmocka_unit_test(help_comes_from_the_table),
        cmocka_unit_test(the_nearest_name_is_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
