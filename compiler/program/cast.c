/* Cast: a plain C cast where C defines one, else a helper of runtime/support.h.
 * Sub-byte integers wrap, as their numpy types (ml_dtypes) do. */
#include "program/cast.h"

static bool is_number(const TypeInfo *info) {
    return info->class == CLASS_FLOAT || info->class == CLASS_SIGNED || info->class == CLASS_UNSIGNED ||
           info->class == CLASS_BOOL;
}

const char *cast_text(Arena *arena, Type from, Type to) {
    const TypeInfo *source = type_info(from), *target = type_info(to);
    const TypeInfo *wide = type_info(source->compute), *result = type_info(target->compute);
    if (!is_number(source) || !is_number(target)) return NULL;
    bool real = source->class == CLASS_FLOAT;
    if (target->class == CLASS_BOOL) return "x != 0";
    if (target->class == CLASS_FLOAT) {
        if (wide == result) return "x";
        if (wide->compute == TYPE_DOUBLE && target->bits < 32) return "f32_odd_from_f64(x)";
        return arena_printf(arena, "(%s)x", result->c_name);
    }
    if (target->bits < 8) {
        const char *whole = real ? arena_printf(arena, "i8_from_%s(x)", wide->suffix) : "(int)x";
        int mask = (1 << target->bits) - 1, sign = 1 << (target->bits - 1);
        if (target->class == CLASS_UNSIGNED) return arena_printf(arena, "(uint8_t)(%s & %d)", whole, mask);
        return arena_printf(arena, "(int8_t)(((%s & %d) ^ %d) - %d)", whole, mask, sign, sign);
    }
    if (real) return arena_printf(arena, "%s_from_%s(x)", target->suffix, wide->suffix);
    return wide == result ? "x" : arena_printf(arena, "(%s)x", target->c_name);
}
