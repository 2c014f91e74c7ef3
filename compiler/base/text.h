/* Text: a growing string in an arena, for everything that is written piece by piece. */
#ifndef FOVEA_BASE_TEXT_H
#define FOVEA_BASE_TEXT_H

#include "base/arena.h"

typedef struct {
    Arena *arena;
    char *data; /* always terminated; never NULL after text_new */
    size_t length, capacity;
} Text;

Text text_new(Arena *arena);
void text_add(Text *text, const char *piece);
void text_add_bytes(Text *text, const void *bytes, size_t count);
void text_printf(Text *text, const char *format, ...) PRINTF_LIKE(2, 3);

/* Bytes as base64 (RFC 4648, section 4). */
void text_add_base64(Text *text, const void *bytes, size_t count);

/* Whether a glob of the command line fits a name; the name itself does, whatever is in it. */
bool glob_fits(const char *glob, const char *name);

#endif
