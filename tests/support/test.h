/* What every C test includes first: cmocka, and the helpers that the tests share.
 * cmocka's fail() makes way for the one of base/diag.h. */
#ifndef FOVEA_TESTS_SUPPORT_TEST_H
#define FOVEA_TESTS_SUPPORT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#undef fail

#include "base/arena.h"

/* In place of cmocka's fail_msg(), which needs its fail(). */
#define fail_test(...) (print_error(__VA_ARGS__), print_error("\n"), _fail(__FILE__, __LINE__))

/* Runs body, which has to fail with that status and with a message that has part in it. */
void expect_failure(Status status, const char *part, void (*body)(void *argument), void *argument);
/* Runs body, which may fail; returns the status. The messages are in last_messages(). */
Status run_quietly(void (*body)(void *argument), void *argument);
const char *last_messages(void);

/* What body writes to stdout, in memory of the arena. */
char *captured_stdout(Arena *arena, void (*body)(void *argument), void *argument);

/* An empty folder for the running test, and a path in it. */
const char *test_folder(Arena *arena);
const char *test_path(Arena *arena, const char *folder, const char *name);
void write_bytes(const char *path, const void *bytes, size_t size);
/* How many files and folders are in a folder. */
int count_files(const char *folder);

/* Random numbers for tests: xorshift64*. The seed is FOVEA_SEED from the environment, else the time; it is printed. */
typedef struct {
    uint64_t state;
} Random;
Random random_new(void);
uint64_t random_next(Random *random);
uint64_t random_below(Random *random, uint64_t limit);

#endif
