/* Text: a growing string in an arena.
 * It doubles, so that writing piece by piece stays linear. */
#include "base/text.h"

#include <fnmatch.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

Text text_new(Arena *arena) {
    enum { FIRST = 256 };
    return (Text){arena, arena_alloc(arena, FIRST), 0, FIRST};
}

static void reserve(Text *text, size_t more) {
    size_t needed = text->length + more + 1;
    if (needed <= text->capacity) return;
    size_t capacity = text->capacity * 2 > needed ? text->capacity * 2 : needed;
    char *bigger = arena_alloc(text->arena, capacity);
    memcpy(bigger, text->data, text->length + 1);
    text->data = bigger;
    text->capacity = capacity;
}

void text_add_bytes(Text *text, const void *bytes, size_t count) {
    reserve(text, count);
    if (count > 0) memcpy(text->data + text->length, bytes, count);
    text->length += count;
    text->data[text->length] = '\0';
}

void text_add(Text *text, const char *piece) { text_add_bytes(text, piece, strlen(piece)); }

void text_printf(Text *text, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    fovea_assert(length >= 0);
    reserve(text, (size_t)length);
    vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
    va_end(again);
    text->length += (size_t)length;
}

void text_add_base64(Text *text, const void *bytes, size_t count) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *const from = bytes;
    reserve(text, (count + 2) / 3 * 4);
    char *to = text->data + text->length;
    for (size_t i = 0; i < count; i += 3) {
        const unsigned second = i + 1 < count ? from[i + 1] : 0, third = i + 2 < count ? from[i + 2] : 0;
        const unsigned bits = (unsigned)from[i] << 16 | second << 8 | third;
        *to++ = digits[bits >> 18];
        *to++ = digits[bits >> 12 & 63];
        *to++ = i + 1 < count ? digits[bits >> 6 & 63] : '=';
        *to++ = i + 2 < count ? digits[bits & 63] : '=';
    }
    *to = '\0';
    text->length = (size_t)(to - text->data);
}

bool glob_fits(const char *glob, const char *name) {
    return strcmp(glob, name) == 0 || fnmatch(glob, name, FNM_NOESCAPE) == 0;
}
