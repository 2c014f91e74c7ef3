/* Round trips: conversions of whole numbers to a small integer type and back, which change nothing.
 * Quantising and dequantising leave them in a loop that does both; without them it is floats throughout, as vectors
 * are.
 */
#include "program/program.h"

#include <math.h>
#include <string.h>

static bool is_formula(const Scalar *scalar, const char *name) {
    return scalar->formula != NULL && strcmp(scalar->formula->name, name) == 0;
}

static bool is_integer(Type type) {
    TypeClass class = type_info(type)->class;
    return class == CLASS_SIGNED || class == CLASS_UNSIGNED;
}

/* Whether a scalar is a whole number, be it by rounding. */
static bool is_whole(const Loop *loop, int i) {
    const Scalar *scalar = &loop->scalars[i];
    if (is_integer(scalar->type)) return true;
    if (scalar->type != TYPE_FLOAT && scalar->type != TYPE_DOUBLE) return false;
    if (i < loop->input_count) return false;
    if (scalar->formula == NULL) return scalar->number == floor(scalar->number);
    if (is_formula(scalar, "round")) return true;
    bool keeps = is_formula(scalar, "add") || is_formula(scalar, "subtract") || is_formula(scalar, "saturate") ||
                 is_formula(scalar, "cast");
    for (int k = 0; keeps && k < scalar->argument_count; k++) keeps = is_whole(loop, scalar->arguments[k]);
    return keeps;
}

static bool is_literal_in(const Loop *loop, int i, double low, double high) {
    const Scalar *scalar = &loop->scalars[i];
    return i >= loop->input_count && scalar->formula == NULL && scalar->number >= low && scalar->number <= high;
}

/* Whether a scalar has been kept within what an integer type of few bits holds. */
static bool is_kept_within(const Loop *loop, int i, Type type) {
    const TypeInfo *info = type_info(type);
    const Scalar *scalar = &loop->scalars[i];
    if (!is_integer(type) || info->bits > 16 || !is_formula(scalar, "saturate")) return false;
    bool is_signed = info->class == CLASS_SIGNED;
    double low = is_signed ? -ldexp(1, info->bits - 1) : 0, high = ldexp(1, info->bits - is_signed) - 1;
    return is_literal_in(loop, scalar->arguments[1], low, high) && is_literal_in(loop, scalar->arguments[2], low, high);
}

/* What a scalar is without the conversions that made it of another one; the scalar itself where there are none. */
static int origin(const Loop *loop, int i) {
    const Scalar *back = &loop->scalars[i];
    if (!is_formula(back, "cast") || back->arguments[0] < loop->input_count) return i;
    const Scalar *there = &loop->scalars[back->arguments[0]];
    if (!is_formula(there, "cast") || there->operand_type != back->type) return i;
    int from = there->arguments[0];
    return is_kept_within(loop, from, there->type) && is_whole(loop, from) ? from : i;
}

static bool is_used(const Loop *loop, int i) {
    for (int k = i + 1; k < loop->scalar_count; k++)
        for (int a = 0; a < loop->scalars[k].argument_count; a++)
            if (loop->scalars[k].arguments[a] == i) return true;
    return i == loop->scalar_count - 1;
}

static void remove_scalar(Loop *loop, int i) {
    for (int k = i; k + 1 < loop->scalar_count; k++) loop->scalars[k] = loop->scalars[k + 1];
    loop->scalar_count--;
    for (int k = i; k < loop->scalar_count; k++)
        for (int a = 0; a < loop->scalars[k].argument_count; a++)
            loop->scalars[k].arguments[a] -= loop->scalars[k].arguments[a] > i;
}

void loop_drop_round_trips(Loop *loop) {
    bool any = false;
    for (int i = loop->input_count; i < loop->scalar_count; i++) {
        int from = origin(loop, i);
        if (from == i) continue;
        Scalar *scalar = &loop->scalars[i];
        *scalar = (Scalar){.formula = formula_find("identity"),
                           .type = scalar->type,
                           .operand_type = scalar->type,
                           .argument_count = 1,
                           .arguments = {from}};
        any = true;
    }
    for (int i = loop->scalar_count - 1; any && i >= loop->input_count; i--)
        if (!is_used(loop, i)) remove_scalar(loop, i);
}
