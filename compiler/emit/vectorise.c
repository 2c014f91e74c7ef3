/* Vectorise: a walk down a formula's text, splitting it at ? :, || and && and into parentheses.
 * Formulas are short and ours, so what it does not know it copies. */
#include "emit/vectorise.h"

#include "program/specialise.h"

#include <ctype.h>
#include <string.h>

typedef struct {
    Text *out;
    bool is_vector;
    const Loop *body; /* where the formula is used; for vectors alone, as what follows */
    const Scalar *scalar;
    bool has_failed;
} Walk;

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_' || c == '.'; }

static bool is_text(const char *from, const char *to, const char *text) {
    return (size_t)(to - from) == strlen(text) && memcmp(from, text, strlen(text)) == 0;
}

/* The first `wanted` in [from, to) outside parentheses; NULL: none. */
static const char *find(const char *from, const char *to, const char *wanted) {
    int depth = 0;
    for (const char *p = from; p < to; p++) {
        if (*p == '(') depth++;
        if (*p == ')') depth--;
        if (depth == 0 && strncmp(p, wanted, strlen(wanted)) == 0) return p;
    }
    return NULL;
}

/* The ":" that belongs to the "?" at p. */
static const char *otherwise(const char *p, const char *to) {
    int depth = 0;
    for (; p < to; p++) {
        if (*p == '(' || *p == '?') depth++;
        if (*p == ')' || *p == ':') depth--;
        if (*p == ':' && depth == 0) return p;
    }
    return to;
}

/* p is at "("; the matching ")". */
static const char *closing(const char *p) {
    for (int depth = 0;; p++) {
        if (*p == '(') depth++;
        if (*p == ')' && --depth == 0) return p;
    }
}

/* Whether the word [from, to) is the same in every lane: a number, or an operand that is a literal. */
static bool is_uniform_word(const Walk *walk, const char *from, const char *to) {
    if (isdigit((unsigned char)*from) || is_text(from, to, "INFINITY") || is_text(from, to, "NAN")) return true;
    const char *name = walk->scalar->formula->parameters;
    for (int k = 0; k < walk->scalar->argument_count; k++) {
        size_t length = strcspn(name, " ");
        int argument = walk->scalar->arguments[k];
        if (is_text(from, to, arena_printf(walk->out->arena, "%.*s", (int)length, name)))
            return argument >= walk->body->input_count && walk->body->scalars[argument].formula == NULL;
        name += length + strspn(name + length, " ");
    }
    return false;
}

static bool is_uniform(const Walk *walk, const char *from, const char *to) {
    for (const char *p = from; p < to;) {
        const char *end = p;
        while (end < to && is_word(*end)) end++;
        if (end > p && !is_uniform_word(walk, p, end)) return false;
        p = end > p ? end : p + 1;
    }
    return true;
}

static void walk_down(Walk *walk, const char *from, const char *to);

/* [from, to) where C wants a vector, if it is for vectors. */
static void add_vector(Walk *walk, const char *from, const char *to) {
    bool is_same = walk->is_vector && is_uniform(walk, from, to);
    if (is_same) text_add(walk->out, "vf_all(");
    walk_down(walk, from, to);
    if (is_same) text_add(walk->out, ")");
}

/* The arguments of a function between its parentheses. */
static void add_arguments(Walk *walk, const char *from, const char *to) {
    for (const char *comma; (comma = find(from, to, ",")) != NULL; from = comma + 1) {
        add_vector(walk, from, comma);
        text_add(walk->out, ", ");
    }
    add_vector(walk, from, to);
}

/* Whether nothing is computed in [from, to): a word, a sign, choices among such. */
static bool is_at_hand(const char *from, const char *to) {
    for (const char *p = from; p < to; p++)
        if (strchr("+*/(", *p) != NULL || (p > from && *p == '-' && p[1] == ' ')) return false;
    return true;
}

static void add_choice(Walk *walk, const char *from, const char *question, const char *to) {
    const char *colon = otherwise(question, to);
    if (!walk->is_vector && is_at_hand(question, to)) {
        text_add_bytes(walk->out, from, (size_t)(to - from));
        return;
    }
    text_add(walk->out, walk->is_vector ? "vf_select(" : "f32_select(");
    walk_down(walk, from, question);
    text_add(walk->out, ", ");
    add_vector(walk, question + 1, colon);
    text_add(walk->out, ", ");
    add_vector(walk, colon + 1, to);
    text_add(walk->out, ")");
}

/* Two conditions, each a mask. */
static void add_both(Walk *walk, const char *from, const char *operator, const char * to) {
    text_add(walk->out, "(");
    walk_down(walk, from, operator);
    text_printf(walk->out, ") %c (", *operator);
    walk_down(walk, operator+ 2, to);
    text_add(walk->out, ")");
}

/* A condition that is the same in every lane is an int and no mask. */
static void check_comparison(Walk *walk, const char *from, const char *to) {
    static const char *const signs[] = {"<", ">", "==", "!="};
    for (int i = 0; i < 4; i++)
        if (find(from, to, signs[i]) != NULL && is_uniform(walk, from, to)) walk->has_failed = true;
}

/* A word, with ".0f" behind a whole number; a function must have a vector form. */
static void add_word(Walk *walk, const char *from, const char *to, bool is_function) {
    bool is_whole = isdigit((unsigned char)*from);
    for (const char *p = from; p < to; p++) is_whole = is_whole && isdigit((unsigned char)*p);
    is_whole = is_whole && walk->is_vector;
    const char *word = arena_printf(walk->out->arena, "%.*s", (int)(to - from), from);
    text_printf(walk->out, "%s%s", word, is_whole ? ".0f" : "");
    if (is_function && support_find(word) == NULL) walk->has_failed = true;
}

static void copy(Walk *walk, const char *from, const char *to) {
    for (const char *p = from; p < to;) {
        const char *end = p;
        while (end < to && is_word(*end)) end++;
        bool is_function = end > p && *end == '(' && end < to;
        if (end > p) add_word(walk, p, end, is_function);
        else if (*p != '(') text_add_bytes(walk->out, end++, 1);
        p = end;
        if (p == to || *p != '(') continue;
        const char *close = closing(p);
        const char *question = is_function ? NULL : find(p + 1, close, "?");
        bool is_bare = question != NULL && (walk->is_vector || !is_at_hand(question, close));
        if (!is_bare) text_add(walk->out, "(");
        if (is_function) add_arguments(walk, p + 1, close);
        else walk_down(walk, p + 1, close);
        if (!is_bare) text_add(walk->out, ")");
        p = close + 1;
    }
}

static void walk_down(Walk *walk, const char *from, const char *to) {
    while (from < to && *from == ' ') from++;
    while (to > from && to[-1] == ' ') to--;
    const char *question = find(from, to, "?"), * or = find(from, to, "||"), *and = find(from, to, "&&");
    if (question != NULL) add_choice(walk, from, question, to);
    else if (!walk->is_vector) copy(walk, from, to);
    else if (or != NULL) add_both(walk, from, or, to);
    else if (and != NULL) add_both(walk, from, and, to);
    else {
        check_comparison(walk, from, to);
        copy(walk, from, to);
    }
}

/* The text to walk down: over floats, or over masks. */
static const char *source_of(Arena *arena, const Scalar *scalar) {
    if (strcmp(scalar->formula->name, "cast") == 0)
        return scalar->operand_type == TYPE_BOOL ? "x ? 1 : 0" : scalar->type == TYPE_BOOL ? "x != 0" : "x";
    const char *source = scalar->formula->texts[scalar->operand_type];
    if (scalar->operand_type == TYPE_BOOL) {
        bool is_plain = strchr(source, '?') == NULL && source[0] != '!'; /* vf_select is for floats; !mask is no mask */
        return is_plain ? source : NULL;
    }
    Text text = text_new(arena);
    specialise(&text, source, TYPE_FLOAT, &(SpecialiseHooks){.is_vector = true});
    return text.data;
}

static bool has_lanes(Type type) { return type == TYPE_FLOAT || type == TYPE_BOOL; }

const char *vectorised(Arena *arena, const Loop *body, const Scalar *scalar) {
    if (!has_lanes(scalar->type) || !has_lanes(scalar->operand_type)) return NULL;
    const char *source = source_of(arena, scalar);
    if (source == NULL) return NULL;
    Text out = text_new(arena);
    Walk walk = {.out = &out, .is_vector = true, .body = body, .scalar = scalar};
    const char *end = source + strlen(source);
    if (scalar->type == TYPE_FLOAT) add_vector(&walk, source, end);
    else walk_down(&walk, source, end);
    return walk.has_failed ? NULL : out.data;
}

const char *unbranched(Arena *arena, const char *text) {
    Text out = text_new(arena);
    Walk walk = {.out = &out};
    walk_down(&walk, text, text + strlen(text));
    return out.data;
}
