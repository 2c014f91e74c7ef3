/* Names: how a model's names enter generated code. This is the only place that escapes.
 * Names in models are arbitrary bytes. In code they become identifiers, comments and string literals through these
 * functions, so that what the C compiler sees as tokens does not depend on them. */
#ifndef FOVEA_EMIT_NAMES_H
#define FOVEA_EMIT_NAMES_H

#include "base/map.h"

/* The identifiers taken in a scope. */
typedef struct {
    Arena *arena;
    Map taken;
    Map numbers; /* by stem: the last number that was tried behind it, 1 being none */
} Names;

/* A scope in which keywords of C and C++, and names that standard headers or compilers define, are taken. */
Names names_new(Arena *arena);
void names_reserve(Names *names, const char *identifier);
/* Takes every identifier in a piece of C. */
void names_reserve_all_in(Names *names, const char *code);
bool names_has(const Names *names, const char *identifier);
/* An identifier like wish, lower-case, that is not taken ("conv1_weight", "conv1_weight_2"), and takes it. */
const char *names_take(Names *names, const char *wish);

/* The model's name, for files and as a prefix: an identifier, in its own case, that is no standard header's name. */
const char *model_name(Arena *arena, const char *wish);
const char *upper_case(Arena *arena, const char *text);

/* text for the inside of a block comment: printable ASCII, nothing that ends or begins a comment, continues a line or
 * is a trigraph; longer names are shortened in the middle. */
const char *comment_text(Arena *arena, const char *text);
/* A string literal, quotes included, for text's bytes (the first 1000 of them: C99 promises room for 4095). */
const char *string_literal(Arena *arena, const char *text);

/* Calls visit for every identifier in a piece of C, comments and strings left out. */
void each_identifier(const char *code, void (*visit)(const char *identifier, void *argument), void *argument);
bool mentions_identifier(const char *code, const char *identifier);
/* Whether an identifier is a function or macro of math.h, and whether it is a memory function of string.h. */
bool is_of_math(const char *identifier);
bool is_of_string(const char *identifier);

#endif
