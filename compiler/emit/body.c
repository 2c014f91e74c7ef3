/* Body: the formulas of a loop's body as C, short ones nested into one expression, longer ones as one `const` a line.
 * Each formula is one operation of the model, so its result is rounded to its type before the next one sees it. */
#include "emit/function.h"
#include "emit/literal.h"
#include "emit/vectorise.h"
#include "program/cast.h"
#include "program/specialise.h"

#include <ctype.h>
#include <string.h>

enum { LONGEST_NESTED = 48, LONGEST_REPEATED = 16 };

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

static bool is_cast(const Scalar *scalar) {
    return scalar->formula != NULL && strcmp(scalar->formula->name, "cast") == 0;
}

/* A formula's text before its arguments are put in, and the names that stand for them. */
static const char *formula_text(Arena *arena, const Loop *body, const Scalar *scalar, bool is_vector) {
    if (is_vector) {
        const char *text = vectorised(arena, body, scalar);
        fovea_assert(text != NULL);
        return text;
    }
    if (!is_cast(scalar)) {
        Text text = text_new(arena);
        specialise(&text, scalar->formula->texts[scalar->operand_type], scalar->operand_type, NULL);
        bool is_float = type_info(scalar->operand_type)->compute == TYPE_FLOAT;
        return is_float ? unbranched(arena, text.data) : text.data;
    }
    const char *text = cast_text(arena, scalar->operand_type, scalar->type);
    if (text == NULL)
        fail(STATUS_UNSUPPORTED, "a conversion from %s to %s is not supported", type_info(scalar->operand_type)->name,
             type_info(scalar->type)->name);
    return text;
}

/* Which parameter the identifier [p, p + length) is; -1: none. */
static int parameter_at(const Scalar *scalar, const char *p, size_t length) {
    const char *name = is_cast(scalar) ? "x" : scalar->formula->parameters;
    for (int i = 0; *name != '\0'; i++) {
        size_t own = strcspn(name, " ");
        if (own == length && memcmp(name, p, own) == 0) return i;
        name += own + strspn(name + own, " ");
    }
    return -1;
}

/* The length of the identifier or number at p; 0: there is none. */
static size_t word_length(const char *p) {
    size_t length = 0;
    while (is_word(p[length]) || (p[length] == '.' && isdigit((unsigned char)p[0]))) length++;
    return length;
}

/* How often the formula's text mentions its k-th argument. */
static int mentions(const char *text, const Scalar *scalar, int k) {
    int count = 0;
    for (const char *p = text; *p != '\0';) {
        size_t length = word_length(p);
        if (length > 0 && parameter_at(scalar, p, length) == k) count++;
        p += length > 0 ? length : 1;
    }
    return count;
}

/* p is at an opening parenthesis or bracket; what follows its closing one. */
static const char *after_group(const char *p) {
    int depth = 0;
    for (; *p != '\0'; p++) {
        if (*p == '(' || *p == '[') depth++;
        if ((*p == ')' || *p == ']') && --depth == 0) return p + 1;
    }
    return p;
}

/* Whether expression is a name, number, call, element, cast of such, or parenthesised; with *is_product, whether it is
 * at most a product of such. */
static bool is_primary(const char *expression, bool *is_product) {
    bool primary = *expression != '-' && *expression != '!' && *expression != '~';
    *is_product = primary;
    for (const char *p = expression; *p != '\0';) {
        if (*p == '(' || *p == '[') {
            p = after_group(p);
            continue;
        }
        if (*p == ' ') primary = false;
        if (!is_word(*p) && strchr(" .*/", *p) == NULL) *is_product = false;
        p++;
    }
    return primary;
}

/* An argument as it stands between `left` and `right`, the characters next to it in a formula (0: none). */
static const char *placed(Arena *arena, const char *argument, char left, char right) {
    bool is_product, primary = is_primary(argument, &is_product);
    bool alone = (left == '\0' || left == '(' || left == ',') && (right == '\0' || right == ')' || right == ',');
    bool in_sum = (left == '\0' || left == '+' || left == '-') && (right == '\0' || right == '+' || right == '-');
    if (primary || alone || (is_product && in_sum)) return argument;
    return arena_printf(arena, "(%s)", argument);
}

static char before(const char *text, const char *p) {
    while (p > text && p[-1] == ' ') p--;
    return p > text ? p[-1] : '\0';
}

static const char *substitute(Arena *arena, const char *text, const Scalar *scalar, const char *const *values) {
    Text out = text_new(arena);
    for (const char *p = text; *p != '\0';) {
        size_t length = word_length(p);
        int k = length > 0 ? parameter_at(scalar, p, length) : -1;
        if (length == 0) length = 1;
        if (k < 0) text_add_bytes(&out, p, length);
        else
            text_add(&out,
                     placed(arena, values[scalar->arguments[k]], before(text, p), p[length + strspn(p + length, " ")]));
        p += length;
    }
    return out.data;
}

const char *loaded(Arena *arena, Type type, const char *expression) {
    const char *function = load_function(type);
    return function == NULL ? expression : arena_printf(arena, "%s(%s)", function, expression);
}

const char *stored(Arena *arena, Type type, const char *expression) {
    const char *function = store_function(type);
    return function == NULL ? expression : arena_printf(arena, "%s(%s)", function, expression);
}

/* Whether a formula only chooses among its operands, so that its result needs no rounding. */
static bool is_choice(const Loop *body, const Scalar *scalar, const char *text) {
    for (int k = 0; k < scalar->argument_count; k++) {
        Type type = body->scalars[scalar->arguments[k]].type;
        if (type != scalar->type && type != TYPE_BOOL) return false;
    }
    return strpbrk(text, "+-*/(") == NULL;
}

/* Whether C gives the formula's result a wider type than it has: integer promotion, which is undone by a cast. */
static bool is_promoted(const Scalar *scalar, const char *text) {
    const TypeInfo *info = type_info(type_info(scalar->type)->compute);
    if (is_cast(scalar) || scalar->formula->is_predicate || info->class == CLASS_FLOAT || info->bytes >= 4)
        return false;
    if (word_length(text) == strlen(text)) return false;
    size_t length = strlen(info->c_name);
    bool has_cast = text[0] == '(' && strncmp(text + 1, info->c_name, length) == 0 && text[length + 1] == ')';
    return !(has_cast && text[length + 2] == '(' && *after_group(text + length + 2) == '\0');
}

static const char *scalar_expression(Arena *arena, const Loop *body, int i, const char *const *values, bool is_vector) {
    const Scalar *scalar = &body->scalars[i];
    if (scalar->formula == NULL) return literal_text(arena, scalar->type, scalar->number, scalar->integer);
    const char *text = formula_text(arena, body, scalar, is_vector);
    const char *expression = substitute(arena, text, scalar, values);
    if (is_vector) return expression;
    if (is_promoted(scalar, text))
        expression = arena_printf(arena, "(%s)(%s)", type_info(scalar->type)->c_name, expression);
    bool last = i + 1 == body->scalar_count; /* its result is rounded when it is stored */
    if (last || store_function(scalar->type) == NULL || is_choice(body, scalar, text)) return expression;
    return loaded(arena, scalar->type, stored(arena, scalar->type, expression));
}

/* How often each scalar is mentioned by those on which the result depends. */
static void count_uses(Arena *arena, const Loop *body, int *uses, bool is_vector) {
    if (body->scalar_count == 0) return;
    uses[body->scalar_count - 1] = 1;
    for (int i = body->scalar_count - 1; i >= body->input_count; i--) {
        const Scalar *scalar = &body->scalars[i];
        if (scalar->formula == NULL || uses[i] == 0) continue;
        const char *text = formula_text(arena, body, scalar, is_vector);
        for (int k = 0; k < scalar->argument_count; k++) uses[scalar->arguments[k]] += mentions(text, scalar, k);
    }
}

void body_uses(const Loop *body, bool *used) {
    Arena *arena = arena_new();
    int uses[MAX_SCALARS] = {0};
    count_uses(arena, body, uses, false);
    for (int i = 0; i < body->input_count; i++) used[i] = uses[i] > 0;
    arena_free(arena);
}

/* The type of a scalar's variable. */
static const char *variable_type(const Scalar *scalar, bool is_vector) {
    if (is_vector) return scalar->type == TYPE_BOOL ? "vi" : "vf";
    return type_info(type_info(scalar->type)->compute)->c_name;
}

static const char *statements(Text *out, const char *indent, const Loop *body, const char *const *inputs,
                              const char *prefix, bool is_vector) {
    Arena *arena = out->arena;
    const char *values[MAX_SCALARS] = {0};
    int uses[MAX_SCALARS] = {0};
    count_uses(arena, body, uses, is_vector);
    for (int i = 0; i < body->scalar_count; i++) {
        if (uses[i] == 0) continue;
        const Scalar *scalar = &body->scalars[i];
        values[i] = i < body->input_count ? inputs[i] : scalar_expression(arena, body, i, values, is_vector);
        bool unused, is_short = strlen(values[i]) <= LONGEST_REPEATED && strchr(values[i], '(') == NULL &&
                                is_primary(values[i], &unused);
        bool is_literal = i >= body->input_count && scalar->formula == NULL;
        if (i + 1 == body->scalar_count || is_literal || is_short) continue;
        if (uses[i] == 1 && strlen(values[i]) <= LONGEST_NESTED) continue;
        const char *name = arena_printf(arena, "%s%d", prefix, i);
        text_printf(out, "%sconst %s %s = %s;\n", indent, variable_type(scalar, is_vector), name, values[i]);
        values[i] = name;
    }
    return values[body->scalar_count - 1];
}

const char *body_statements(Text *out, const char *indent, const Loop *body, const char *const *inputs,
                            const char *prefix) {
    return statements(out, indent, body, inputs, prefix, false);
}

bool body_is_vector(const Loop *body) {
    Arena *arena = arena_new();
    bool is_vector = body->scalar_count > 0 && body->scalars[body->scalar_count - 1].type == TYPE_FLOAT;
    for (int i = 0; i < body->scalar_count && is_vector; i++) {
        const Scalar *scalar = &body->scalars[i];
        is_vector = scalar->formula == NULL ? scalar->type == TYPE_FLOAT : vectorised(arena, body, scalar) != NULL;
    }
    arena_free(arena);
    return is_vector;
}

const char *body_vector_statements(Text *out, const char *indent, const Loop *body, const char *const *inputs,
                                   const char *prefix) {
    const char *result = statements(out, indent, body, inputs, prefix, true);
    const Scalar *last = &body->scalars[body->scalar_count - 1];
    bool is_literal = body->scalar_count > body->input_count && last->formula == NULL;
    return is_literal ? arena_printf(out->arena, "vf_all(%s)", result) : result;
}

const char *body_words(Arena *arena, const Loop *body, const char *separator) {
    enum { LONGEST = 40 };
    Text out = text_new(arena);
    for (int i = body->input_count; i < body->scalar_count; i++) {
        const Scalar *scalar = &body->scalars[i];
        if (scalar->formula == NULL || strcmp(scalar->formula->name, "identity") == 0) continue;
        const char *word = scalar->formula->name;
        if (is_cast(scalar)) word = arena_printf(arena, "to_%s", type_info(scalar->type)->suffix);
        if (out.length + strlen(word) > LONGEST) {
            text_printf(&out, "%setc", separator);
            break;
        }
        text_printf(&out, "%s%s", out.length > 0 ? separator : "", word);
    }
    return out.data;
}
