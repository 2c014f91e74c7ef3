/* Helpers that the tests share: failures that are expected, temporary folders, seeded random numbers.
 * They end the test, by cmocka, where they cannot do their work. */
#include "support/test.h"

#include <dirent.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char messages[1 << 16];

Status run_quietly(void (*body)(void *argument), void *argument) {
    diag_capture(messages, sizeof messages);
    Status status = guard(body, argument);
    diag_capture(NULL, 0);
    return status;
}

const char *last_messages(void) { return messages; }

void expect_failure(Status status, const char *part, void (*body)(void *argument), void *argument) {
    Status got = run_quietly(body, argument);
    if (got != status) print_error("status %d in place of %d: %s", got, status, messages);
    assert_int_equal(got, status);
    if (strstr(messages, part) == NULL) print_error("\"%s\" is not in: %s", part, messages);
    assert_non_null(strstr(messages, part));
}

char *captured_stdout(Arena *arena, void (*body)(void *argument), void *argument) {
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    assert_true(saved >= 0 && dup2(fileno(file), STDOUT_FILENO) >= 0);
    run_quietly(body, argument);
    fflush(stdout);
    assert_true(dup2(saved, STDOUT_FILENO) >= 0);
    close(saved);
    long size = lseek(fileno(file), 0, SEEK_END);
    char *text = arena_alloc(arena, (size_t)size + 1);
    assert_int_equal(pread(fileno(file), text, (size_t)size, 0), size);
    fclose(file);
    return text;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status, (void)kind, (void)place;
    return remove(path);
}

static void remove_folder(void *path) { nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS); }

const char *test_folder(Arena *arena) {
    const char *parent = getenv("TMPDIR");
    char *folder = arena_printf(arena, "%s/fovea-test-XXXXXX", parent != NULL ? parent : "/tmp");
    assert_non_null(mkdtemp(folder));
    arena_defer(arena, remove_folder, folder);
    return folder;
}

const char *test_path(Arena *arena, const char *folder, const char *name) {
    return arena_printf(arena, "%s/%s", folder, name);
}

void write_bytes(const char *path, const void *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

int count_files(const char *folder) {
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    int count = 0;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) count++;
    closedir(directory);
    return count;
}

Random random_new(void) {
    const char *given = getenv("FOVEA_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    print_message("FOVEA_SEED=%" PRIu64 "\n", seed);
    return (Random){seed * 0x9E3779B97F4A7C15u + 1};
}

uint64_t random_next(Random *random) {
    random->state ^= random->state >> 12;
    random->state ^= random->state << 25;
    random->state ^= random->state >> 27;
    return random->state * 0x2545F4914F6CDD1Du;
}

uint64_t random_below(Random *random, uint64_t limit) { return random_next(random) % limit; }
