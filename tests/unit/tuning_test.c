/* Tests of commands/tuning.h and program/choice.h: tuning files survive a round trip, bad ones are refused with a clear
 * message, and a choice is the cost model's unless it was tuned. */
#include "support/test.h"

#include "commands/tuning.h"

#include <string.h>

typedef struct {
    Arena *arena;
    const char *path;
} File;

static void read_file(void *argument) {
    const File *file = argument;
    tuning_read(file->arena, file->path);
}

static void files_are_read_as_they_were_written(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const char *path = test_path(arena, test_folder(arena), "tuning.json");
    Tuning tuning = {.target = TARGET_NEON, .names = map_new(arena)};
    map_set(&tuning.names, "linear 8x32x48", "4x2 rows first");
    map_set(&tuning.names, "a", "b");
    tuning_write(arena, path, &tuning, "a \xff CPU", "cc");
    const Tuning *read = tuning_read(arena, path);
    assert_int_equal(read->target, TARGET_NEON);
    assert_int_equal(read->candidate, 0);
    assert_string_equal(map_get(&read->names, "linear 8x32x48"), "4x2 rows first");
    assert_string_equal(map_get(&read->names, "a"), "b");
    assert_null(map_get(&read->names, "c"));
    arena_free(arena);
}

#define HEAD "{\"format\": \"fovea tuning 1\", \"target\": \"avx2\""

static void bad_files_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *part, *text;
    } cases[] = {
        {"is no JSON", ""},
        {"is no JSON", "{"},
        {"is no JSON", "\x7f"
                       "ELF"},
        {"line 2 is no JSON", "{\n'a'}"},
        {"is no JSON", HEAD ", \"choices\": {\"a\": \"b\", \"a\": \"c\"}}"},
        {"is no JSON", HEAD ", \"choices\": {\"a\\u0000b\": \"c\"}}"},
        {"is no JSON", HEAD ", \"choices\": {\"a\": \"\xff\"}}"},
        {"is no JSON", HEAD ", \"choices\": {}} {}"},
        {"no \"format\"", "[]"},
        {"no \"format\"", "{}"},
        {"no \"format\"", "{\"format\": 1}"},
        {"format is not \"fovea tuning 1\"", "{\"format\": \"fovea tuning 2\"}"},
        {"no \"choices\"", "{\"format\": \"fovea tuning 1\", \"target\": \"avx2\"}"},
        {"no \"choices\"", HEAD ", \"choices\": []}"},
        {"no \"target\"", "{\"format\": \"fovea tuning 1\", \"choices\": {}}"},
        {"no target '\\x1b[2J'", "{\"format\": \"fovea tuning 1\", \"target\": \"\\u001b[2J\", \"choices\": {}}"},
        {"choice for 'a\\x0ab' is no string", HEAD ", \"choices\": {\"a\\nb\": 3}}"},
    };
    Arena *arena = arena_new();
    File file = {arena, test_path(arena, test_folder(arena), "tuning.json")};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_bytes(file.path, cases[i].text, strlen(cases[i].text));
        expect_failure(STATUS_INVALID, cases[i].part, read_file, &file);
    }
    char deep[100000];
    memset(deep, '[', sizeof deep);
    write_bytes(file.path, deep, sizeof deep);
    expect_failure(STATUS_INVALID, "is no JSON", read_file, &file);
    char *large = arena_alloc(arena, (1 << 24) + 1);
    write_bytes(file.path, large, (1 << 24) + 1);
    expect_failure(STATUS_INVALID, "", read_file, &file);
    file.path = test_path(arena, test_folder(arena), "none.json");
    expect_failure(STATUS_SYSTEM, "none.json", read_file, &file);
    arena_free(arena);
}

static const char *const WAYS[] = {"first", "second", "third"};

static int taken(Arena *arena, const Tuning *tuning, int threads, const char *key) {
    Program *program = program_new(arena, NULL);
    program->tuning = tuning;
    program->threads = threads;
    const Choice *choice = choice_take(program, key, WAYS, 3);
    assert_ptr_equal(choice_take(program, key, WAYS, 3), choice);
    assert_int_equal(program->choices.count, 1);
    return choice->taken;
}

static void the_cost_model_is_overruled(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Tuning tuning = {.target = TARGET_SSE, .names = map_new(arena)};
    map_set(&tuning.names, "a", "third");
    map_set(&tuning.names, "b threads 2", "second");
    assert_int_equal(taken(arena, NULL, 1, "a"), 0);
    assert_int_equal(taken(arena, &tuning, 1, "a"), 2);
    assert_int_equal(taken(arena, &tuning, 2, "a"), 0);
    assert_int_equal(taken(arena, &tuning, 2, "b"), 1);
    assert_int_equal(taken(arena, &tuning, 1, "b"), 0);
    tuning.candidate = 1;
    assert_int_equal(taken(arena, &tuning, 1, "b"), 1);
    tuning.candidate = 3; /* more than there are */
    assert_int_equal(taken(arena, &tuning, 1, "b"), 0);
    arena_free(arena);
}

static void take_unknown(void *argument) {
    Arena *arena = argument;
    Tuning tuning = {.names = map_new(arena)};
    map_set(&tuning.names, "a", "fo\nurth");
    taken(arena, &tuning, 1, "a");
}

static void unknown_candidates_are_refused(void **state) {
    (void)state;
    Arena *arena = arena_new();
    expect_failure(STATUS_INVALID, "'fo\\x0aurth' for 'a'", take_unknown, arena);
    expect_failure(STATUS_INVALID, "there is third", take_unknown, arena);
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_read_as_they_were_written),
        cmocka_unit_test(bad_files_are_refused),
        cmocka_unit_test(the_cost_model_is_overruled),
        cmocka_unit_test(unknown_candidates_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
