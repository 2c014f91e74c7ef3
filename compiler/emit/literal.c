/* Literals: decimal ones by trying precisions, hexadecimal ones digit by digit.
 * Nothing here depends on the locale's decimal point. */
#include "emit/literal.h"

#include "runtime/support.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* number rounded to what its type can hold, as the float (or double) that arithmetic sees. */
static double rounded(Type type, double number) {
    float single = (float)number;
    switch (type) {
    case TYPE_DOUBLE: return number;
    case TYPE_FLOAT16: return (double)f32_from_f16(f16_from_f32(single));
    case TYPE_BFLOAT16: return (double)f32_from_bf16(bf16_from_f32(single));
    default: return (double)single;
    }
}

static const char *real_text(Arena *arena, double value, bool is_single) {
    if (isnan(value)) return "NAN";
    if (isinf(value)) return value > 0 ? "INFINITY" : "-INFINITY";
    if (value != 0 && fabs(value) < 1e6 && value == (double)(int)value)
        return arena_printf(arena, "%d.0%s", (int)value, is_single ? "f" : "");
    char digits[40] = "";
    for (int precision = 1; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, value);
        double back = is_single ? (double)strtof(digits, NULL) : strtod(digits, NULL);
        if (back == value) break;
    }
    Text out = text_new(arena);
    bool is_whole = true;
    for (const char *p = digits; *p != '\0'; p++) {
        bool known = strchr("0123456789-+e", *p) != NULL;
        if (known) text_add_bytes(&out, p, 1);
        else if (is_whole) text_add(&out, "."); /* whatever the locale's decimal point is, perhaps of several bytes */
        if (!known || *p == 'e') is_whole = false;
    }
    return arena_printf(arena, "%s%s%s", out.data, is_whole ? ".0" : "", is_single ? "f" : "");
}

const char *literal_text(Arena *arena, Type type, double number, int64_t integer) {
    const TypeInfo *info = type_info(type);
    if (info->class == CLASS_FLOAT) return real_text(arena, rounded(type, number), info->compute == TYPE_FLOAT);
    if (integer == INT64_MIN && type == TYPE_INT64) return "INT64_MIN";
    if (integer == INT32_MIN && type == TYPE_INT32) return "INT32_MIN";
    if (type == TYPE_UINT64 || type == TYPE_UINT32) return arena_printf(arena, "%" PRIu64 "u", (uint64_t)integer);
    return arena_printf(arena, "%" PRId64, integer);
}

/* sign, magnitude (fraction_bits below the point, with the implied bit) and exponent as 0x1.8p-3. */
static void add_hex_float(Text *out, bool negative, uint64_t fraction, int fraction_bits, int exponent,
                          bool is_normal) {
    char text[40], *at = text;
    if (negative) *at++ = '-';
    *at++ = '0', *at++ = 'x', *at++ = is_normal ? '1' : '0';
    fraction <<= 64 - fraction_bits;
    if (fraction != 0) *at++ = '.';
    for (; fraction != 0; fraction <<= 4) *at++ = "0123456789abcdef"[fraction >> 60];
    *at++ = 'p';
    if (exponent < 0) *at++ = '-', exponent = -exponent;
    if (exponent >= 1000) *at++ = (char)('0' + exponent / 1000);
    if (exponent >= 100) *at++ = (char)('0' + exponent / 100 % 10);
    if (exponent >= 10) *at++ = (char)('0' + exponent / 10 % 10);
    *at++ = (char)('0' + exponent % 10);
    text_add_bytes(out, text, (size_t)(at - text));
}

/* Whole numbers that people count with are written as such; -0 is none. */
static bool add_whole(Text *out, double value) {
    if (value == 0 || !(fabs(value) < 1e6) || value != (double)(int)value) return false;
    text_printf(out, "%d.0", (int)value);
    return true;
}

static void add_single(Text *out, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    int exponent = (int)(bits >> 23 & 255u);
    bool negative = bits >> 31 != 0, is_normal = exponent != 0;
    if ((bits & 0x7FFFFFFFu) == 0) text_add(out, negative ? "-0.0f" : "0.0f");
    else if (add_whole(out, (double)value)) text_add(out, "f");
    else {
        add_hex_float(out, negative, bits & 0x7FFFFFu, 23, is_normal ? exponent - 127 : -126, is_normal);
        text_add(out, "f");
    }
}

static void add_double(Text *out, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    int exponent = (int)(bits >> 52 & 2047u);
    bool negative = bits >> 63 != 0, is_normal = exponent != 0;
    if ((bits & INT64_MAX) == 0) text_add(out, negative ? "-0.0" : "0.0");
    else if (!add_whole(out, value))
        add_hex_float(out, negative, bits & 0xFFFFFFFFFFFFFu, 52, is_normal ? exponent - 1023 : -1022, is_normal);
}

void literal_element(Text *out, const Tensor *tensor, int64_t i) {
    switch (tensor->type) {
    case TYPE_FLOAT: add_single(out, ((const float *)tensor->data)[i]); break;
    case TYPE_DOUBLE: add_double(out, ((const double *)tensor->data)[i]); break;
    case TYPE_FLOAT16:
    case TYPE_BFLOAT16: text_printf(out, "0x%04x", ((const uint16_t *)tensor->data)[i]); break;
    case TYPE_UINT32:
    case TYPE_UINT64:
    case TYPE_INT32:
    case TYPE_INT64: text_add(out, literal_text(out->arena, tensor->type, 0, tensor_int(tensor, i))); break;
    default:
        if (type_info(tensor->type)->class == CLASS_FLOAT)
            text_printf(out, "0x%02x", ((const uint8_t *)tensor->data)[i]);
        else text_printf(out, "%" PRId64, tensor_int(tensor, i));
    }
}
