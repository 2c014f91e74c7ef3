/* Function: the static functions of generated code, one for each distinct text, and the layout of C lines.
 * A step becomes a call of one of them; kernel.c and loop.c make their texts. */
#ifndef FOVEA_EMIT_FUNCTION_H
#define FOVEA_EMIT_FUNCTION_H

#include "base/text.h"
#include "emit/names.h"
#include "program/program.h"

enum { LINE_WIDTH = 120 };

typedef LIST(const char *) Words;

typedef struct {
    const char *name;
    const char *comment; /* lines, without marks */
    const char *text;    /* signature and body */
    bool is_needed;      /* called for more than probes */
    int tasks;           /* above 1: it takes the context, and shares its work out */
} Function;

/* What a function is made of. */
typedef struct {
    const char *wish;    /* for its name */
    const char *comment; /* lines, without marks */
    Words parameters;    /* "const float *restrict x" */
    Words shown;         /* further ones, which are there with probes only */
    const char *body;    /* the lines between its braces */
    int tasks, ranges;   /* tasks above 1: the body does one range of the work, of `ranges` that each task has */
    bool takes_since;    /* the body looks at `since`: the first of the ranges in a row that use the same scratch */
    int64_t scratch;     /* elements of the parameter `scratch` that belong to one task; 0: there is none */
} FunctionDraft;

typedef struct {
    Arena *arena;
    Names *names;      /* of file scope */
    const char *model; /* the prefix of the context's type */
    const char *macro; /* the prefix of macros */
    Map shown;         /* "kernel.parameter" of what some step makes for a probe alone */
    Map by_text;       /* -> Function */
    LIST(Function *) items;
} Functions;

/* An argument in a call: a place in a buffer, or a literal. */
typedef struct {
    Buffer *buffer;     /* NULL: the literal */
    int64_t offset;     /* elements */
    const char *c_type; /* of the elements that the parameter points to */
    const char *literal;
} CallArgument;

/* A step as C: which function is called with what. function NULL: there is nothing to do, all it makes is empty. */
typedef struct {
    const Function *function;
    LIST(CallArgument) arguments;
    LIST(CallArgument) shown; /* behind the others, and not there where probes are compiled out */
} Call;

Functions functions_new(Arena *arena, Names *names, const char *model, const char *macro);
/* Notes what the steps of a program make for probes alone; before their calls are made. */
const char *shown_key(Arena *arena, const Kernel *kernel, int parameter);
void functions_note_shown(Functions *functions, const Program *program);
/* The function that a draft describes: an earlier one with the same text, else a new one. */
const Function *functions_add(Functions *functions, const FunctionDraft *draft);

/* Notes that a function is called for more than probes. */
void functions_need(const Functions *functions, const Function *function);

/* Appends all functions, in the order in which they were added. A comment of several lines stands once: above a further
 * function with the same one there is a reference to the first. */
void functions_write(const Functions *functions, Text *out);

/* Appends the declaration of first and last for the parameter range, which is one of so many. */
void add_range_of_items(Text *out, const char *items, int ranges);
/* Appends what shares out the work of the function `part`, of a draft with several tasks, under the name of the whole:
 * a struct for its arguments, a task, and the function that has the tasks done. */
void add_tasks(Text *out, const Functions *functions, const char *name, const char *part, const FunctionDraft *draft);
/* Appends the functions through which tasks reach the context's threads and their share of a step. */
void add_in_parallel(Text *out, const char *model);

/* Takes all names that occur inside the functions of these steps, so that nothing of file scope is shadowed. */
void reserve_locals(Names *names, const Program *program);

/* The calls that steps become; their functions are added. */
Call kernel_call(Functions *functions, const Step *step);
Call loop_call(Functions *functions, const Step *step);

/* Which inputs the result of a loop's body depends on. */
void body_uses(const Loop *body, bool *used);
/* Appends declarations of a body's intermediate values, named prefix and a number, and returns the expression of its
 * result, in compute type. inputs: an expression for each input that is used. */
const char *body_statements(Text *out, const char *indent, const Loop *body, const char *const *inputs,
                            const char *prefix);
/* Whether a body exists for vectors: float in, float out, and in between formulas that have a vector form. */
bool body_is_vector(const Loop *body);
/* body_statements() over vectors (runtime/vector.h): each input is a vf, and so is the result. */
const char *body_vector_statements(Text *out, const char *indent, const Loop *body, const char *const *inputs,
                                   const char *prefix);
/* "multiply_add_relu": what a body does, in order; "" for a plain copy. */
const char *body_words(Arena *arena, const Loop *body, const char *separator);
/* expression as it is loaded from, or stored to, memory of a type. */
const char *loaded(Arena *arena, Type type, const char *expression);
const char *stored(Arena *arena, Type type, const char *expression);

/* "place = value;", with value on a line of its own where both do not fit after indent. */
const char *assignment(Arena *arena, const char *indent, const char *place, const char *value);
/* Adds to the last of the words those that are there with probes only: "y NAME_SHOWN(probs)". */
void add_shown(Words *words, const Words *shown, Arena *arena, const char *macro);
/* Appends prefix, the words with commas between them, and suffix, broken at LINE_WIDTH and aligned after prefix. */
void add_list(Text *out, const char *prefix, const Words *words, const char *suffix);
/* Appends a block comment, in which text (already safe) may have several lines. */
void add_comment(Text *out, const char *indent, const char *text);

/* Appends the helper functions of runtime/support.h that code calls, and those that they call. */
void add_support(Text *out, const char *code);

#endif
