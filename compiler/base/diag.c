/* Diagnostics: messages on stderr, and the unwinding that a failure causes.
 * The state is one per process: fovea is a program, and a message belongs to the command that runs. */
#include "base/diag.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct Guard {
    jmp_buf jump;
    Status reported;
    struct Guard *outer;
} Guard;

static Guard *innermost;
static const char *file_path;
static char *capture;
static int capture_size, capture_used;
static bool progress_shown;

void diag_file(const char *path) { file_path = path; }

void diag_capture(char *buffer, int size) {
    capture = buffer;
    capture_size = size;
    capture_used = 0;
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

static void message(const char *kind, const char *format, va_list args) {
    progress(NULL);
    if (file_path != NULL) putf("%s: ", file_path);
    else putf("fovea: ");
    putf("%s: ", kind);
    put(format, args);
    putf("\n");
}

static _Noreturn void unwind(Status status) {
    if (innermost == NULL) _Exit(status);
    longjmp(innermost->jump, status);
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

void warn(const char *format, ...) {
    va_list args;
    va_start(args, format);
    message("warning", format, args);
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
    int status = setjmp(here.jump);
    if (status == 0) body(argument);
    innermost = here.outer;
    return (Status)status;
}

/* The length of the well-formed UTF-8 sequence at text (RFC 3629), or 0. */
static int utf8_length(const unsigned char *text) {
    if (text[0] < 0x80) return 1;
    int length = text[0] >= 0xF0 && text[0] <= 0xF4 ? 4 : text[0] >= 0xE0 ? 3 : text[0] >= 0xC2 ? 2 : 0;
    if (text[0] > 0xF4) return 0;
    for (int i = 1; i < length; i++)
        if ((text[i] & 0xC0) != 0x80) return 0;
    if (text[0] == 0xE0 && text[1] < 0xA0) return 0;
    if (text[0] == 0xED && text[1] > 0x9F) return 0;
    if (text[0] == 0xF0 && text[1] < 0x90) return 0;
    if (text[0] == 0xF4 && text[1] > 0x8F) return 0;
    return length;
}

/* Bidirectional controls can make a message read as what it is not (CVE-2021-42574). */
static bool is_bidi_control(const unsigned char *text, int length) {
    if (length != 3 || text[0] != 0xE2) return false;
    if (text[1] == 0x80) return (text[2] >= 0xAA && text[2] <= 0xAE) || text[2] == 0x8E || text[2] == 0x8F;
    return text[1] == 0x81 && text[2] >= 0xA6 && text[2] <= 0xA9;
}

const char *quoted(const char *name) {
    enum { BUFFERS = 8, SHOWN = 120 };
    static char buffers[BUFFERS][SHOWN * 4 + 16];
    static int next;
    char *out = buffers[next = (next + 1) % BUFFERS], *at = out;
    *at++ = '\'';
    const unsigned char *text = (const unsigned char *)(name != NULL ? name : "");
    for (int shown = 0; *text != '\0'; shown++) {
        if (shown == SHOWN) {
            at += sprintf(at, "...");
            break;
        }
        int length = utf8_length(text);
        if (length == 0 || *text < 0x20 || *text == 0x7F || *text == '\'' || *text == '\\' ||
            (length == 2 && text[0] == 0xC2 && text[1] < 0xA0) || is_bidi_control(text, length)) {
            int bytes = length == 0 ? 1 : length;
            if (bytes * 4 + (at - out) > SHOWN * 4) bytes = 1;
            for (int i = 0; i < bytes; i++) at += sprintf(at, "\\x%02x", *text++);
            if (at - out > SHOWN * 4 - 16) shown = SHOWN - 1;
            continue;
        }
        if (at - out + length > SHOWN * 4) break;
        memcpy(at, text, (size_t)length);
        at += length;
        text += length;
    }
    *at++ = '\'';
    *at = '\0';
    return out;
}
