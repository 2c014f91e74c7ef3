/* Diagnostics: messages on stderr, and the unwinding that a failure causes.
 * The state is one per process: fovea is a program, and a message belongs to the command that runs. */
#include "base/diag.h"

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Guard {
    jmp_buf jump;
    volatile Status status, reported; /* volatile: they change between setjmp and longjmp */
    struct Guard *outer;
} Guard;

static Guard *innermost;
static const char *file_path;
static char *capture;
static int capture_size, capture_used;
static bool progress_shown;
enum { WARNINGS = 64 };
static uint64_t warned[WARNINGS];
static int warned_count;

void diag_file(const char *path) { file_path = path; }

void diag_capture(char *buffer, int size) {
    capture = buffer;
    capture_size = size;
    capture_used = warned_count = 0;
    if (buffer != NULL) buffer[0] = '\0';
}

static void put(const char *format, va_list args) {
    if (capture == NULL) {
        vfprintf(stderr, format, args);
        return;
    }
    int room = capture_size - capture_used;
    int wrote = vsnprintf(capture + capture_used, (size_t)room, format, args);
    capture_used += wrote < room ? wrote : room - 1;
}

static void PRINTF_LIKE(1, 2) putf(const char *format, ...) {
    va_list args;
    va_start(args, format);
    put(format, args);
    va_end(args);
}

static bool is_printable(const char *text);

static void message(const char *kind, const char *format, va_list args) {
    progress(NULL);
    if (file_path != NULL) putf("%s: ", is_printable(file_path) ? file_path : quoted(file_path));
    else putf("fovea: ");
    putf("%s: ", kind);
    put(format, args);
    putf("\n");
}

void unwind(Status status) {
    if (innermost == NULL) _Exit(status);
    innermost->status = status;
    longjmp(innermost->jump, 1);
}

void fail(Status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    message(status == STATUS_BUG ? "bug in fovea, please report it" : "error", format, args);
    va_end(args);
    unwind(status);
}

void vreport(Status status, const char *format, va_list args) {
    message("error", format, args);
    if (innermost != NULL && status > innermost->reported) innermost->reported = status;
}

void report(Status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vreport(status, format, args);
    va_end(args);
}

void fail_if_reported(void) {
    if (innermost != NULL && innermost->reported != STATUS_OK) unwind(innermost->reported);
}

/* Whether this was said before. Of messages their hashes are kept (FNV-1a, Fowler, Noll and Vo), as many as fit. */
static bool is_repeated(const char *format, va_list args) {
    char text[1024];
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    vsnprintf(text, sizeof text, format, args);
    for (const char *at = text; *at != '\0'; at++) hash = (hash ^ (unsigned char)*at) * UINT64_C(0x100000001B3);
    for (int i = 0; i < warned_count; i++)
        if (warned[i] == hash) return true;
    if (warned_count < WARNINGS) warned[warned_count++] = hash;
    return false;
}

void warn(const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    if (!is_repeated(format, again)) message("warning", format, args);
    va_end(again);
    va_end(args);
}

void note(const char *format, ...) {
    va_list args;
    va_start(args, format);
    message("note", format, args);
    va_end(args);
}

void progress(const char *format, ...) {
    if (progress_shown) fprintf(stderr, "\r\033[K");
    progress_shown = false;
    if (format == NULL || capture != NULL || !isatty(STDERR_FILENO)) return;
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fflush(stderr);
    progress_shown = true;
}

Status guard(void (*body)(void *argument), void *argument) {
    Guard here = {.outer = innermost};
    innermost = &here;
    if (setjmp(here.jump) == 0) {
        body(argument);
        if (here.outer != NULL && here.reported > here.outer->reported) here.outer->reported = here.reported;
    }
    innermost = here.outer;
    return here.status;
}

/* The length of the well-formed UTF-8 sequence at text (RFC 3629), or 0; its character goes to *character. */
static int utf8_length(const unsigned char *text, uint32_t *character) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}; /* by length: what is below is an overlong form */
    int length = text[0] < 0x80   ? 1
                 : text[0] < 0xC0 ? 0
                 : text[0] < 0xE0 ? 2
                 : text[0] < 0xF0 ? 3
                 : text[0] < 0xF8 ? 4
                                  : 0;
    uint32_t c = length <= 1 ? text[0] : text[0] & (0x7Fu >> length);
    for (int i = 1; i < length; i++) {
        if ((text[i] & 0xC0) != 0x80) return 0;
        c = c << 6 | (text[i] & 0x3Fu);
    }
    if (length == 0 || c < least[length] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) return 0;
    *character = c;
    return length;
}

/* Characters that steer the terminal or that cannot be seen, and bidirectional controls, which can make a message read
 * as what it is not (CVE-2021-42574). */
static bool is_unsafe(uint32_t c) {
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xAD || c == 0x61C || c == 0x180E ||
           (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) ||
           c == 0xFEFF || (c >= 0xFFF0 && c <= 0xFFFB) || (c >= 0xE0000 && c <= 0xE0FFF);
}

static bool is_printable(const char *text) {
    uint32_t character = 0;
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0';) {
        int length = utf8_length(at, &character);
        if (length == 0 || is_unsafe(character)) return false;
        at += length;
    }
    return true;
}

/* Writes one character of a name, or one byte that is none, to out (at most 16 bytes); returns how much it read. */
static int quote_character(const unsigned char *text, char *out) {
    uint32_t character;
    int length = utf8_length(text, &character);
    if (length != 0 && !is_unsafe(character) && character != '\'' && character != '\\') {
        memcpy(out, text, (size_t)length);
        out[length] = '\0';
        return length;
    }
    int bytes = length == 0 ? 1 : length;
    for (int i = 0; i < bytes; i++) out += sprintf(out, "\\x%02x", text[i]);
    return bytes;
}

const char *quoted(const char *name) {
    enum { BUFFERS = 8, CHARACTERS = 120, LONGEST = 17 };
    static char buffers[BUFFERS][CHARACTERS * 4 + LONGEST + 8];
    static int next;
    char *out = buffers[next = (next + 1) % BUFFERS], *at = out;
    *at++ = '\'';
    const unsigned char *text = (const unsigned char *)(name != NULL ? name : "");
    for (int shown = 0; *text != '\0'; shown++) {
        if (shown == CHARACTERS || at - out > CHARACTERS * 4) {
            at = stpcpy(at, "...");
            break;
        }
        text += quote_character(text, at);
        at += strlen(at);
    }
    strcpy(at, "'");
    return out;
}
