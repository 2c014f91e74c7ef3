/* Tests of the small float types of runtime/support.h: every code, every boundary between two codes.
 * Values are computed here from the formats' definitions (IEEE 754 binary16, OCP 8-bit floating point and
 * microscaling, bfloat16), rounding is checked at the midpoint of each pair of neighbours and right beside it. */
#include "support/test.h"

#include "runtime/support.h"

typedef struct {
    const char *name;
    int bits, fraction_bits, bias;
    bool has_infinity;      /* the top exponent is infinities and NaN, as in IEEE 754 */
    bool has_negative_zero; /* else its code is the only NaN */
    uint32_t largest;       /* the code of the largest finite value */
    float (*load)(uint16_t code);
    uint16_t (*store)(float value);
} Format;

#define LOAD_AND_STORE(name, code_type)                                                                                \
    static float load_##name(uint16_t code) { return f32_from_##name((code_type)code); }                               \
    static uint16_t store_##name(float value) { return name##_from_f32(value); }
LOAD_AND_STORE(f16, uint16_t)
LOAD_AND_STORE(bf16, uint16_t)
LOAD_AND_STORE(f8e4m3fn, uint8_t)
LOAD_AND_STORE(f8e4m3fnuz, uint8_t)
LOAD_AND_STORE(f8e5m2, uint8_t)
LOAD_AND_STORE(f8e5m2fnuz, uint8_t)
LOAD_AND_STORE(f4e2m1, uint8_t)

static const Format formats[] = {
    {"float16", 16, 10, 15, true, true, 0x7BFF, load_f16, store_f16},
    {"bfloat16", 16, 7, 127, true, true, 0x7F7F, load_bf16, store_bf16},
    {"float8e4m3fn", 8, 3, 7, false, true, 0x7E, load_f8e4m3fn, store_f8e4m3fn},
    {"float8e4m3fnuz", 8, 3, 8, false, false, 0x7F, load_f8e4m3fnuz, store_f8e4m3fnuz},
    {"float8e5m2", 8, 2, 15, true, true, 0x7B, load_f8e5m2, store_f8e5m2},
    {"float8e5m2fnuz", 8, 2, 16, false, false, 0x7F, load_f8e5m2fnuz, store_f8e5m2fnuz},
    {"float4e2m1", 4, 1, 1, false, true, 0x7, load_f4e2m1, store_f4e2m1},
};
enum { FORMATS = sizeof formats / sizeof *formats };

static bool saturates(const Format *format) { return format->bits < 16; } /* as ONNX Cast does by default */
static uint32_t sign_of(const Format *format) { return 1u << (format->bits - 1); }

/* The value of a finite code without its sign. */
static double value_of(const Format *format, uint32_t code) {
    int exponent = (int)(code >> format->fraction_bits);
    double fraction = code & ((1u << format->fraction_bits) - 1), unit = ldexp(1, -format->fraction_bits);
    return exponent == 0 ? ldexp(fraction * unit, 1 - format->bias)
                         : ldexp(1 + fraction * unit, exponent - format->bias);
}

static void every_code_has_its_value(void **state) {
    (void)state;
    for (int f = 0; f < FORMATS; f++) {
        const Format *format = &formats[f];
        for (uint32_t code = 0; code <= format->largest; code++) {
            assert_true((double)format->load((uint16_t)code) == value_of(format, code));
            if (code == 0 && !format->has_negative_zero) continue;
            float negative = format->load((uint16_t)(code | sign_of(format)));
            assert_true((double)negative == -value_of(format, code) && signbit(negative));
        }
        if (!format->has_infinity) continue;
        assert_true(format->load((uint16_t)(format->largest + 1)) == INFINITY);
        assert_true(format->load((uint16_t)((format->largest + 1) | sign_of(format))) == -INFINITY);
    }
}

static void every_code_comes_back(void **state) {
    (void)state;
    for (int f = 0; f < FORMATS; f++) {
        const Format *format = &formats[f];
        for (uint32_t code = 0; code < 1u << format->bits; code++) {
            float value = format->load((uint16_t)code);
            if (isnan(value) && format->bits < 16) assert_true(isnan(format->load(format->store(value))));
            else if (isinf(value) && saturates(format))
                assert_int_equal(format->store(value), (code & sign_of(format)) | format->largest);
            else assert_int_equal(format->store(value), code); /* 16 bits: NaN payloads too */
        }
    }
}

static void check_both_signs(const Format *format, float value, uint32_t code) {
    assert_int_equal(format->store(value), code);
    uint32_t negative = code == 0 && !format->has_negative_zero ? 0 : code | sign_of(format);
    assert_int_equal(format->store(-value), negative);
}

static void rounding_is_to_nearest_even(void **state) {
    (void)state;
    for (int f = 0; f < FORMATS; f++) {
        const Format *format = &formats[f];
        for (uint32_t code = 0; code < format->largest; code++) {
            float low = (float)value_of(format, code), high = (float)value_of(format, code + 1);
            float middle = low + (high - low) / 2; /* exact: float has more bits than any of these */
            check_both_signs(format, low, code);
            check_both_signs(format, nextafterf(low, INFINITY), code);
            check_both_signs(format, nextafterf(middle, 0), code);
            check_both_signs(format, middle, code + (code & 1));
            check_both_signs(format, nextafterf(middle, INFINITY), code + 1);
            check_both_signs(format, nextafterf(high, 0), code + 1);
        }
    }
}

static void what_is_too_large_saturates_or_becomes_infinity(void **state) {
    (void)state;
    for (int f = 0; f < FORMATS; f++) {
        const Format *format = &formats[f];
        double largest = value_of(format, format->largest), step = largest - value_of(format, format->largest - 1);
        uint32_t beyond = saturates(format) ? format->largest : format->largest + 1;
        check_both_signs(format, nextafterf((float)(largest + step / 2), 0), format->largest);
        check_both_signs(format, (float)(largest + step / 2), beyond);
        check_both_signs(format, 3.4028234664e38f, beyond);
        check_both_signs(format, INFINITY, beyond);
    }
}

static void tiny_values_become_zero(void **state) {
    (void)state;
    for (int f = 0; f < FORMATS; f++)
        if (formats[f].bias < 127) { /* bfloat16 has float's own range */
            check_both_signs(&formats[f], 1.4e-45f, 0);
            check_both_signs(&formats[f], 1.17549435e-38f, 0);
            check_both_signs(&formats[f], 1e-20f, 0);
        }
}

static float from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void nan_stays_nan(void **state) {
    (void)state;
    static const uint32_t nans[] = {0x7FC00000, 0xFFC00000, 0x7F800001, 0xFF800001, 0x7FFFFFFF, 0x7FA00000};
    for (size_t i = 0; i < sizeof nans / sizeof *nans; i++)
        for (int f = 0; f < FORMATS - 1; f++) assert_true(isnan(formats[f].load(formats[f].store(from_bits(nans[i])))));
    assert_int_equal(f8e4m3fn_from_f32(from_bits(0x7FC00000)), 0x7F);
    assert_int_equal(f8e4m3fn_from_f32(from_bits(0xFFC00000)), 0xFF);
    assert_int_equal(f8e4m3fnuz_from_f32(from_bits(0x7FC00000)), 0x80);
    assert_int_equal(f8e5m2_from_f32(from_bits(0x7FC00000)), 0x7E);
    assert_int_equal(f8e5m2fnuz_from_f32(from_bits(0xFFC00000)), 0x80);
    assert_int_equal(f4e2m1_from_f32(from_bits(0x7FC00000)), 8); /* it has none: onnx.reference gives these */
    assert_int_equal(f4e2m1_from_f32(from_bits(0xFFC00000)), 0);
}

static void e8m0_is_a_power_of_two(void **state) {
    (void)state;
    for (int code = 0; code < 255; code++) {
        float value = f32_from_f8e8m0((uint8_t)code);
        assert_true((double)value == ldexp(1, code - 127));
        if (code == 0) continue; /* ONNX rounds every subnormal up to 2^-126 */
        assert_int_equal(f8e8m0_from_f32(value), code);
        assert_int_equal(f8e8m0_from_f32(-value), code);
        assert_int_equal(f8e8m0_from_f32(nextafterf(value, 0)), code);
        assert_int_equal(f8e8m0_from_f32(nextafterf(value, INFINITY)), code < 254 ? code + 1 : 254);
    }
    assert_true(isnan(f32_from_f8e8m0(0xFF)));
    assert_int_equal(f8e8m0_from_f32(0), 0);
    assert_int_equal(f8e8m0_from_f32(1.4e-45f), 1);
    assert_int_equal(f8e8m0_from_f32(INFINITY), 0xFF);
    assert_int_equal(f8e8m0_from_f32(from_bits(0x7FC00000)), 0xFF);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_its_value),
        cmocka_unit_test(every_code_comes_back),
        cmocka_unit_test(rounding_is_to_nearest_even),
        cmocka_unit_test(what_is_too_large_saturates_or_becomes_infinity),
        cmocka_unit_test(tiny_values_become_zero),
        cmocka_unit_test(nan_stays_nan),
        cmocka_unit_test(e8m0_is_a_power_of_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
