/* Specialise: a small tokeniser that knows identifiers, numbers, comments, strings and matching parentheses.
 * Everything it does not know it copies. */
#include "program/specialise.h"

#include <ctype.h>
#include <string.h>

const char *load_function(Type type) {
    switch (type) {
    case TYPE_FLOAT16: return "f32_from_f16";
    case TYPE_BFLOAT16: return "f32_from_bf16";
    case TYPE_FLOAT8E4M3FN: return "f32_from_f8e4m3fn";
    case TYPE_FLOAT8E4M3FNUZ: return "f32_from_f8e4m3fnuz";
    case TYPE_FLOAT8E5M2: return "f32_from_f8e5m2";
    case TYPE_FLOAT8E5M2FNUZ: return "f32_from_f8e5m2fnuz";
    case TYPE_FLOAT8E8M0: return "f32_from_f8e8m0";
    case TYPE_FLOAT4E2M1: return "f32_from_f4e2m1";
    default: return NULL;
    }
}

const char *store_function(Type type) {
    switch (type) {
    case TYPE_FLOAT16: return "f16_from_f32";
    case TYPE_BFLOAT16: return "bf16_from_f32";
    case TYPE_FLOAT8E4M3FN: return "f8e4m3fn_from_f32";
    case TYPE_FLOAT8E4M3FNUZ: return "f8e4m3fnuz_from_f32";
    case TYPE_FLOAT8E5M2: return "f8e5m2_from_f32";
    case TYPE_FLOAT8E5M2FNUZ: return "f8e5m2fnuz_from_f32";
    case TYPE_FLOAT8E8M0: return "f8e8m0_from_f32";
    case TYPE_FLOAT4E2M1: return "f4e2m1_from_f32";
    default: return NULL;
    }
}

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

const char *skip_opaque(const char *p) {
    if (p[0] == '/' && p[1] == '*') {
        const char *end = strstr(p + 2, "*/");
        return end == NULL ? p + strlen(p) : end + 2;
    }
    if (*p != '"' && *p != '\'') return p;
    const char *q = p + 1;
    while (*q != '\0' && *q != *p) q += *q == '\\' && q[1] != '\0' ? 2 : 1;
    return *q == '\0' ? q : q + 1;
}

/* p is at "("; the matching ")". */
static const char *matching(const char *p) {
    int depth = 0;
    for (;; p++) {
        const char *skipped = skip_opaque(p);
        if (skipped != p) p = skipped;
        if (*p == '(') depth++;
        if (*p == ')' && --depth == 0) return p;
        if (*p == '\0') fail(STATUS_BUG, "a kernel's parentheses do not match");
    }
}

/* The text in [from, to), specialised, without outer blanks. */
static char *inner(Text *out, const char *from, const char *to, Type type, const SpecialiseHooks *hooks) {
    while (from < to && isspace((unsigned char)*from)) from++;
    while (to > from && isspace((unsigned char)to[-1])) to--;
    char *source = arena_printf(out->arena, "%.*s", (int)(to - from), from);
    Text text = text_new(out->arena);
    specialise(&text, source, type, hooks);
    return text.data;
}

/* Splits "(a, b, c)" at its top-level commas; p is at "(". Returns the end. */
static const char *split(Text *out, const char *p, Type type, const SpecialiseHooks *hooks, char **parts, int count) {
    const char *end = matching(p), *from = p + 1;
    int depth = 0, part = 0;
    for (const char *q = p + 1; q <= end; q++) {
        if (*q == '(' || *q == '[') depth++;
        if ((*q == ')' && q != end) || *q == ']') depth--;
        if (q == end || (*q == ',' && depth == 0 && part < count - 1)) {
            fovea_assert(part < count);
            parts[part++] = inner(out, from, q, type, hooks);
            from = q + 1;
        }
    }
    fovea_assert(part == count);
    return end + 1;
}

/* A function's name for one form of A. */
static void add_function(Text *text, const char *name, Type compute, bool is_own, bool is_vector) {
    if (is_vector) text_printf(text, "vf_%s", name);
    else if (compute == TYPE_DOUBLE) text_add(text, name);
    else text_printf(text, is_own ? "f32_%s" : "%sf", name);
}

static void add_call(Text *text, const char *function, const char *argument) {
    if (function == NULL) text_add(text, argument);
    else text_printf(text, "%s(%s)", function, argument);
}

/* Handles the identifier [p, end); returns where to go on. */
static const char *identifier(Text *text, const char *p, const char *end, Type type, const SpecialiseHooks *hooks) {
    const TypeInfo *info = type_info(type), *compute = type_info(info->compute);
    size_t length = (size_t)(end - p);
    bool is_vector = hooks != NULL && hooks->is_vector;
    char *parts[4];
#define IS(word) (length == sizeof(word) - 1 && memcmp(p, word, length) == 0)
    if (IS("T")) text_add(text, info->c_name);
    else if (IS("A")) text_add(text, is_vector ? "vf" : compute->c_name);
    else if (IS("U")) text_add(text, is_vector ? "vu" : compute->bytes == 8 ? "uint64_t" : "uint32_t");
    else if (IS("MATHS")) text_add(text, is_vector ? "INLINE" : "static inline");
    else if ((IS("F") || IS("M")) && *end == '(') {
        end = split(text, end, type, hooks, parts, 1);
        add_function(text, parts[0], info->compute, IS("M"), is_vector);
    } else if (IS("ALL") && *end == '(') {
        end = split(text, end, type, hooks, parts, 1);
        add_call(text, is_vector ? "vf_all" : NULL, parts[0]);
    } else if (IS("LOAD") && *end == '(') {
        end = split(text, end, type, hooks, parts, 1);
        add_call(text, load_function(type), parts[0]);
    } else if (IS("STORE") && *end == '(') {
        end = split(text, end, type, hooks, parts, 1);
        add_call(text, store_function(type), parts[0]);
    } else if (IS("OUT") && *end == '(') {
        end = split(text, end, type, hooks, parts, 3);
        fovea_assert(*end == ';');
        end++;
        if (hooks != NULL && hooks->out != NULL) hooks->out(text, parts[0], parts[1], parts[2], hooks->argument);
        else {
            text_printf(text, "%s[%s] = ", parts[0], parts[1]);
            add_call(text, store_function(type), parts[2]);
            text_add(text, ";");
        }
    } else if (IS("OUT_VECTOR") && *end == '(') {
        end = split(text, end, type, hooks, parts, 4);
        fovea_assert(*end == ';');
        end++;
        if (hooks != NULL && hooks->out_vector != NULL)
            hooks->out_vector(text, parts[0], parts[1], parts[2], parts[3], hooks->argument);
        else text_printf(text, "vf_store_part(%s + %s, %s, %s);", parts[0], parts[1], parts[2], parts[3]);
    } else if (IS("FORMULA")) text_add(text, "const FormulaArgument");
    else if (IS("APPLY") && *end == '(') {
        end = split(text, end, type, hooks, parts, 3);
        fovea_assert(*end == ';');
        end++;
        if (hooks != NULL && hooks->apply != NULL) hooks->apply(text, parts[0], parts[1], parts[2], hooks->argument);
        else text_printf(text, "%s = apply_%s(&%s, %s);", parts[1], compute->suffix, parts[0], parts[2]);
    } else if (IS("APPLY_VECTOR") && *end == '(') {
        end = split(text, end, type, hooks, parts, 3);
        fovea_assert(*end == ';');
        end++;
        if (hooks != NULL && hooks->apply_vector != NULL)
            hooks->apply_vector(text, parts[0], parts[1], parts[2], hooks->argument);
        else text_printf(text, "%s = apply_vector(&%s, %s);", parts[1], parts[0], parts[2]);
    } else text_add_bytes(text, p, length);
#undef IS
    return end;
}

/* Copies the number at p, giving a floating literal the suffix of A; returns its end. */
static const char *number(Text *text, const char *p, Type type) {
    bool hex = p[0] == '0' && (p[1] == 'x' || p[1] == 'X'), floating = false;
    const char *q = p;
    while (is_word(*q) || *q == '.' || ((*q == '+' || *q == '-') && strchr(hex ? "pP" : "eE", q[-1]) != NULL)) {
        if (*q == '.' || (!hex && (*q == 'e' || *q == 'E')) || (hex && (*q == 'p' || *q == 'P'))) floating = true;
        q++;
    }
    text_add_bytes(text, p, (size_t)(q - p));
    if (floating && type_info(type)->compute == TYPE_FLOAT && q[-1] != 'f') text_add(text, "f");
    return q;
}

static bool begins(const char *p, const char *word) { return strncmp(p, word, strlen(word)) == 0; }

/* p is at "#if POWERS": adds what is for scalars, and returns the end of all of it. */
static const char *scalar_lines(Text *text, const char *p, Type type, const SpecialiseHooks *hooks) {
    const char *from = strstr(p, "#else\n"), *to = from == NULL ? NULL : strstr(from, "#endif\n");
    if (to == NULL) fail(STATUS_BUG, "an #if POWERS does not end");
    from += strlen("#else\n");
    specialise(text, arena_printf(text->arena, "%.*s", (int)(to - from), from), type, hooks);
    return to + strlen("#endif\n");
}

void specialise(Text *text, const char *source, Type type, const SpecialiseHooks *hooks) {
    const bool is_vector = hooks != NULL && hooks->is_vector;
    for (const char *p = source; *p != '\0';) {
        const char *end = skip_opaque(p);
        if (!is_vector && begins(p, "#if POWERS")) {
            end = scalar_lines(text, p, type, hooks);
        } else if (end != p) {
            text_add_bytes(text, p, (size_t)(end - p));
        } else if (isdigit((unsigned char)*p)) {
            end = number(text, p, type);
        } else if (is_word(*p)) {
            while (is_word(*end)) end++;
            end = identifier(text, p, end, type, hooks);
        } else {
            end = p + 1;
            text_add_bytes(text, p, 1);
        }
        p = end;
    }
}
