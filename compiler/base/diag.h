/* Diagnostics: how fovea speaks and how it gives up. A failure says one thing, unwinds to the nearest guard and
 * becomes the exit status, so that no pass has to hand an error upwards. */
#ifndef FOVEA_BASE_DIAG_H
#define FOVEA_BASE_DIAG_H

#include <stdarg.h>
#include <stdbool.h>

/* The exit statuses of the program (docs/cli.md). */
typedef enum {
    STATUS_OK = 0,
    STATUS_INVALID = 1,     /* the model is invalid, or results differ */
    STATUS_USAGE = 2,       /* the command line is wrong */
    STATUS_UNSUPPORTED = 3, /* valid, but not something fovea can do; all such things are listed */
    STATUS_SYSTEM = 4,      /* files, memory, the C compiler */
    STATUS_BUG = 5,         /* fovea contradicts itself */
} Status;

#if defined(__GNUC__)
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
#else
#define PRINTF_LIKE(text, first)
#endif

/* Names the file that messages begin with ("model.onnx: error: ..."); NULL for none. The string is not copied. */
void diag_file(const char *path);

/* Writes "FILE: error: MESSAGE" to stderr and unwinds to the innermost guard(). Never returns. */
_Noreturn void fail(Status status, const char *format, ...) PRINTF_LIKE(2, 3);

/* Writes an error and goes on: for lists of faults, ended by fail_if_reported(). */
void report(Status status, const char *format, ...) PRINTF_LIKE(2, 3);
void vreport(Status status, const char *format, va_list args);

/* Unwinds with the gravest status reported since the guard was entered, if there was any report. */
void fail_if_reported(void);

/* Unwinds for a failure whose message has been written already: after guard() returned its status. */
_Noreturn void unwind(Status status);

/* A warning is said once, however often a command goes through a model. */
void warn(const char *format, ...) PRINTF_LIKE(1, 2);
void note(const char *format, ...) PRINTF_LIKE(1, 2); /* what to do about the error just written */

/* Progress on a terminal: one line on stderr, rewritten in place; silent in a pipe. NULL ends and clears it. */
void progress(const char *format, ...) PRINTF_LIKE(1, 2);

/* Runs body(argument); returns STATUS_OK, or the status of the failure that ended it. Guards nest; reports made in a
 * body that returned count as made in the guard around it. */
Status guard(void (*body)(void *argument), void *argument);

/* Sends messages to buffer (size bytes, always terminated) in place of stderr; NULL restores stderr. For tests. */
void diag_capture(char *buffer, int size);

/* name, quoted and safe to print: control characters, line separators, invisible characters, bidirectional controls,
 * bad UTF-8, quotes and backslashes as \xNN, long names shortened. NULL reads as "". The result lives until 8 more
 * calls were made. */
const char *quoted(const char *name);

#define fovea_assert(condition)                                                                                        \
    ((condition) ? (void)0 : fail(STATUS_BUG, "%s:%d: internal check failed: %s", __FILE__, __LINE__, #condition))

#endif
