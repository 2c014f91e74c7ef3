/* Helper functions of the kernels: conversions of small float types, and C arithmetic made total.
 * Each is written into generated code only where its name occurs. A helper may use those above it. */
#ifndef FOVEA_RUNTIME_SUPPORT_H
#define FOVEA_RUNTIME_SUPPORT_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* An index into size elements: a negative one counts from the back, one that is out of range becomes the nearest end.
 */
static inline int bounded_index(int64_t index, int size) {
    const int64_t forward = index < 0 ? index + size : index;
    return forward < 0 ? 0 : forward >= size ? size - 1 : (int)forward;
}

/* The position among size elements that a grid's coordinate means: -1 and 1 are the elements at the ends where aligned
 * is 1, and their outer edges where it is 0. What is far away, or no number, is brought to where an int can count. */
static inline float grid_positionf(float x, int size, int aligned) {
    const float at = aligned ? (x + 1.0f) * 0.5f * (float)(size - 1) : ((x + 1.0f) * (float)size - 1.0f) * 0.5f;
    return !(at > -1.0e9f) ? -1.0e9f : at > 1.0e9f ? 1.0e9f : at;
}

/* The same of doubles. */
static inline double grid_position(double x, int size, int aligned) {
    const double at = aligned ? (x + 1.0) * 0.5 * (size - 1) : ((x + 1.0) * size - 1.0) * 0.5;
    return !(at > -1.0e9) ? -1.0e9 : at > 1.0e9 ? 1.0e9 : at;
}

/* The element of size that stands for position `at`, up to 2^30 from 0: outside of them none, -1, where pads is 0; the
 * nearest end where it is 1; where it is 2 the mirror image, about the end or, unless aligned, its outer edge. */
static inline int padded_place(int at, int size, int pads, int aligned) {
    if (at >= 0 && at < size) return at;
    if (pads == 0) return -1;
    if (pads == 1 || size == 1) return at < 0 ? 0 : size - 1;
    const int last = aligned ? size - 1 : size; /* from one mirror to the other */
    const int from = (at >= 0 ? at : aligned ? -at : -1 - at) % (2 * last);
    return from < size ? from : aligned ? 2 * last - from : 2 * last - 1 - from;
}

/* Which taps of a window are inside, of `count` taps at start, start + step, ... and `size` elements: those from
 * window_first() on and before window_end(), which may be less. */
static inline int window_first(int start, int step) { return start < 0 ? (step - 1 - start) / step : 0; }

static inline int window_end(int start, int step, int count, int size) {
    const int inside = start < size ? (size - 1 - start) / step + 1 : 0;
    return inside < count ? inside : count;
}

/* Where share i of n equal shares of some items begins; where share n would, they end. */
static inline int share_start(int items, int i, int n) { return (int)((int64_t)items * i / n); }

/* Whether a value is NaN; for kernels whose elements may be integers, which never are. */
static inline int is_nan(double value) { return value != value; }

/* The random bits that belong to a seed and a counter: SplitMix64's (Steele, Lea and Flood 2014), whose state is its
 * start plus the counter times an odd number. The start is itself made so from the seed, so that streams are apart. */
static inline uint64_t random_bits(int seed, int64_t counter) {
    uint64_t bits = (uint64_t)seed;
    for (int round = 0; round < 2; round++) {
        bits += (round == 0 ? 1 : (uint64_t)counter + 1) * UINT64_C(0x9E3779B97F4A7C15);
        bits = (bits ^ bits >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
        bits = (bits ^ bits >> 27) * UINT64_C(0x94D049BB133111EB);
        bits ^= bits >> 31;
    }
    return bits;
}

/* The sum of 16 partial sums, by halves. */
static inline double sum16(const double *part) {
    double sum[8];
    for (int i = 0; i < 8; i++) sum[i] = part[i] + part[i + 8];
    return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}

/* The sum of 16 partial sums of floats, by halves. */
static inline float sum16f(const float *part) {
    float sum[8];
    for (int i = 0; i < 8; i++) sum[i] = part[i] + part[i + 8];
    return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}

/* IEEE 754 binary16 to binary32, exact; NaN payloads are kept. */
static inline float f32_from_f16(uint16_t half) {
    const uint32_t sign = (uint32_t)(half & 0x8000u) << 16, exponent = half >> 10 & 31u, fraction = half & 0x3FFu;
    uint32_t bits;
    float value;
    if (exponent == 31) bits = sign | 0x7F800000u | fraction << 13;
    else if (exponent != 0) bits = sign | (exponent + 112u) << 23 | fraction << 13;
    else {
        value = (float)fraction * 5.9604644775390625e-8f; /* zero or subnormal: fraction * 2^-24 */
        memcpy(&bits, &value, sizeof bits);
        bits |= sign;
    }
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* binary32 to binary16, to nearest, ties to even; 65520 and more become infinity. */
static inline uint16_t f16_from_f32(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7FFFFFFFu;
    if (magnitude > 0x7F800000u) { /* NaN: the payload is kept, and a quiet bit stands in for one that does not fit */
        const uint32_t payload = magnitude >> 13 & 0x3FFu;
        return (uint16_t)(sign | 0x7C00u | (payload != 0 ? payload : 0x200u));
    }
    if (magnitude >= 0x477FF000u) return (uint16_t)(sign | 0x7C00u);
    if (magnitude < 0x38800000u) { /* subnormal in binary16: let the addition round */
        float shifted;
        uint32_t rounded;
        memcpy(&shifted, &magnitude, sizeof shifted);
        shifted += 0.5f;
        memcpy(&rounded, &shifted, sizeof rounded);
        return (uint16_t)(sign | (rounded - 0x3F000000u));
    }
    const uint32_t odd = magnitude >> 13 & 1u;
    return (uint16_t)(sign | (magnitude - 0x38000000u + 0xFFFu + odd) >> 13);
}

/* bfloat16 to binary32, exact. */
static inline float f32_from_bf16(uint16_t brain) {
    const uint32_t bits = (uint32_t)brain << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* binary32 to bfloat16, to nearest, ties to even. */
static inline uint16_t bf16_from_f32(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return (uint16_t)(bits >> 16 | ((bits & 0x7F0000u) == 0 ? 0x40u : 0u));
    return (uint16_t)((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

/* The value of a small float's code without its sign: exponent above `fraction_bits` bits of fraction. */
static inline float f32_from_minifloat(uint32_t code, int fraction_bits, int bias) {
    const uint32_t exponent = code >> fraction_bits, fraction = code & ((1u << fraction_bits) - 1u);
    const uint32_t offset = (uint32_t)(127 - bias);
    const uint32_t bits = exponent != 0 ? (exponent + offset) << 23 | fraction << (23 - fraction_bits)
                                        : (offset + 1u - (uint32_t)fraction_bits) << 23; /* of a subnormal: its unit */
    float value;
    memcpy(&value, &bits, sizeof value);
    return exponent != 0 ? value : value * (float)fraction;
}

/* The code, without its sign, of the small float nearest to a binary32 whose bits without their sign are `magnitude`;
 * ties to even. Larger values give larger codes, beyond the format's largest where they do not fit. */
static inline uint32_t minifloat_from_bits(uint32_t magnitude, int fraction_bits, int bias) {
    int exponent = (int)(magnitude >> 23) - 127 + bias, dropped = 23 - fraction_bits;
    if (exponent < 1) { /* subnormal: the fraction has fewer bits */
        dropped += 1 - exponent;
        exponent = 1;
    }
    if (dropped > 24) return 0; /* less than half of the smallest */
    const uint32_t significand = (magnitude & 0x7FFFFFu) | 0x800000u;
    const uint32_t odd = significand >> dropped & 1u, half = (1u << (dropped - 1)) - 1u;
    return ((uint32_t)(exponent - 1) << fraction_bits) + ((significand + half + odd) >> dropped);
}

/* float8 e4m3fn (OCP 8-bit floating point): no infinities, 0x7F and 0xFF are NaN. */
static inline float f32_from_f8e4m3fn(uint8_t code) {
    const float magnitude = (code & 0x7F) == 0x7F ? NAN : f32_from_minifloat(code & 0x7Fu, 3, 7);
    return code & 0x80 ? -magnitude : magnitude;
}

/* binary32 to float8 e4m3fn, to nearest, ties to even; what is above 448 becomes 448 (ONNX Cast with saturate=1). */
static inline uint8_t f8e4m3fn_from_f32(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = bits >> 24 & 0x80u, magnitude = bits & 0x7FFFFFFFu;
    const uint32_t code = minifloat_from_bits(magnitude, 3, 7);
    return (uint8_t)(sign | (magnitude > 0x7F800000u ? 0x7Fu : code > 0x7Eu ? 0x7Eu : code));
}

/* float8 e4m3fnuz: bias 8, no infinities and no negative zero, 0x80 is NaN. */
static inline float f32_from_f8e4m3fnuz(uint8_t code) {
    const float magnitude = code == 0x80 ? NAN : f32_from_minifloat(code & 0x7Fu, 3, 8);
    return code & 0x80 ? -magnitude : magnitude;
}

/* binary32 to float8 e4m3fnuz, to nearest, ties to even; what is above 240 becomes 240. */
static inline uint8_t f8e4m3fnuz_from_f32(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = bits >> 24 & 0x80u, magnitude = bits & 0x7FFFFFFFu;
    const uint32_t code = minifloat_from_bits(magnitude, 3, 8);
    if (magnitude > 0x7F800000u) return 0x80;
    return (uint8_t)(code == 0 ? 0u : sign | (code > 0x7Fu ? 0x7Fu : code));
}

/* float8 e5m2: as binary16, with two bits of fraction. */
static inline float f32_from_f8e5m2(uint8_t code) { return f32_from_f16((uint16_t)(code << 8)); }

/* binary32 to float8 e5m2, to nearest, ties to even; what is above 57344 becomes 57344, also infinity. */
static inline uint8_t f8e5m2_from_f32(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = bits >> 24 & 0x80u, magnitude = bits & 0x7FFFFFFFu;
    const uint32_t code = minifloat_from_bits(magnitude, 2, 15);
    return (uint8_t)(sign | (magnitude > 0x7F800000u ? 0x7Eu : code > 0x7Bu ? 0x7Bu : code));
}

/* float8 e5m2fnuz: bias 16, no infinities and no negative zero, 0x80 is NaN. */
static inline float f32_from_f8e5m2fnuz(uint8_t code) {
    const float magnitude = code == 0x80 ? NAN : f32_from_minifloat(code & 0x7Fu, 2, 16);
    return code & 0x80 ? -magnitude : magnitude;
}

/* binary32 to float8 e5m2fnuz, to nearest, ties to even; what is above 57344 becomes 57344. */
static inline uint8_t f8e5m2fnuz_from_f32(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = bits >> 24 & 0x80u, magnitude = bits & 0x7FFFFFFFu;
    const uint32_t code = minifloat_from_bits(magnitude, 2, 16);
    if (magnitude > 0x7F800000u) return 0x80;
    return (uint8_t)(code == 0 ? 0u : sign | (code > 0x7Fu ? 0x7Fu : code));
}

/* float8 e8m0 (OCP microscaling): a power of two, from 2^-127, which is subnormal in binary32; 0xFF is NaN. */
static inline float f32_from_f8e8m0(uint8_t code) {
    const uint32_t bits = code == 0xFF ? 0x7FC00000u : code == 0 ? 0x400000u : (uint32_t)code << 23;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* binary32 to float8 e8m0: the sign is dropped, the rest rounded up to a power of two but to 2^127 at most, as ONNX
 * Cast does by default (round_mode "up"); zero becomes 2^-127, infinity NaN. */
static inline uint8_t f8e8m0_from_f32(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t exponent = bits >> 23 & 0xFFu;
    return (uint8_t)(exponent + ((bits & 0x7FFFFFu) != 0 && exponent < 0xFEu ? 1u : 0u));
}

/* float4 e2m1: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives. */
static inline float f32_from_f4e2m1(uint8_t code) {
    const float magnitude = f32_from_minifloat(code & 7u, 1, 1);
    return code & 8 ? -magnitude : magnitude;
}

/* The float that a double is between or equal to, with the last bit set where it is not exact ("round to odd"): a
 * second rounding, to a smaller type, is then as good as one rounding of the double (Boldo and Melquiond, 2008). */
static inline float f32_odd_from_f64(double value) {
    const float nearest = (float)value;
    uint32_t bits;
    float odd;
    memcpy(&bits, &nearest, sizeof bits);
    if ((double)nearest == value || nearest != nearest || (bits & 1u) != 0) return nearest;
    bits = fabs((double)nearest) < fabs(value) ? bits + 1u : bits - 1u;
    memcpy(&odd, &bits, sizeof odd);
    return odd;
}

/* To int8: towards zero; out of range saturates, NaN gives 0. */
static inline int8_t i8_from_f32(float x) {
    return (int8_t)(x != x ? 0.0f : x <= -128.0f ? -128.0f : x >= 127.0f ? 127.0f : x);
}

/* To uint8: towards zero; out of range saturates, NaN gives 0. */
static inline uint8_t u8_from_f32(float x) { return (uint8_t)(!(x > 0.0f) ? 0.0f : x >= 255.0f ? 255.0f : x); }

/* To int16: towards zero; out of range saturates, NaN gives 0. */
static inline int16_t i16_from_f32(float x) {
    return (int16_t)(x != x ? 0.0f : x <= -32768.0f ? -32768.0f : x >= 32767.0f ? 32767.0f : x);
}

/* To uint16: towards zero; out of range saturates, NaN gives 0. */
static inline uint16_t u16_from_f32(float x) { return (uint16_t)(!(x > 0.0f) ? 0.0f : x >= 65535.0f ? 65535.0f : x); }

/* To int32: towards zero; out of range saturates, NaN gives 0. */
static inline int32_t i32_from_f32(float x) {
    return x != x ? 0 : x <= -2147483648.0f ? INT32_MIN : x >= 2147483648.0f ? INT32_MAX : (int32_t)x;
}

/* To uint32: towards zero; out of range saturates, NaN gives 0. */
static inline uint32_t u32_from_f32(float x) { return !(x > 0.0f) ? 0 : x >= 4294967296.0f ? UINT32_MAX : (uint32_t)x; }

/* To int64: towards zero; out of range saturates, NaN gives 0. */
static inline int64_t i64_from_f32(float x) {
    return x != x ? 0 : x <= -9223372036854775808.0f ? INT64_MIN : x >= 9223372036854775808.0f ? INT64_MAX : (int64_t)x;
}

/* To uint64: towards zero; out of range saturates, NaN gives 0. */
static inline uint64_t u64_from_f32(float x) {
    return !(x > 0.0f) ? 0 : x >= 18446744073709551616.0f ? UINT64_MAX : (uint64_t)x;
}

/* To int8: towards zero; out of range saturates, NaN gives 0. */
static inline int8_t i8_from_f64(double x) {
    return (int8_t)(x != x ? 0.0 : x <= -128.0 ? -128.0 : x >= 127.0 ? 127.0 : x);
}

/* To uint8: towards zero; out of range saturates, NaN gives 0. */
static inline uint8_t u8_from_f64(double x) { return (uint8_t)(!(x > 0.0) ? 0.0 : x >= 255.0 ? 255.0 : x); }

/* To int16: towards zero; out of range saturates, NaN gives 0. */
static inline int16_t i16_from_f64(double x) {
    return (int16_t)(x != x ? 0.0 : x <= -32768.0 ? -32768.0 : x >= 32767.0 ? 32767.0 : x);
}

/* To uint16: towards zero; out of range saturates, NaN gives 0. */
static inline uint16_t u16_from_f64(double x) { return (uint16_t)(!(x > 0.0) ? 0.0 : x >= 65535.0 ? 65535.0 : x); }

/* To int32: towards zero; out of range saturates, NaN gives 0. */
static inline int32_t i32_from_f64(double x) {
    return x != x ? 0 : x <= -2147483648.0 ? INT32_MIN : x >= 2147483648.0 ? INT32_MAX : (int32_t)x;
}

/* To uint32: towards zero; out of range saturates, NaN gives 0. */
static inline uint32_t u32_from_f64(double x) { return !(x > 0.0) ? 0 : x >= 4294967296.0 ? UINT32_MAX : (uint32_t)x; }

/* To int64: towards zero; out of range saturates, NaN gives 0. */
static inline int64_t i64_from_f64(double x) {
    return x != x ? 0 : x <= -9223372036854775808.0 ? INT64_MIN : x >= 9223372036854775808.0 ? INT64_MAX : (int64_t)x;
}

/* To uint64: towards zero; out of range saturates, NaN gives 0. */
static inline uint64_t u64_from_f64(double x) {
    return !(x > 0.0) ? 0 : x >= 18446744073709551616.0 ? UINT64_MAX : (uint64_t)x;
}

/* x to the power y modulo 2^64; where y is negative the quotient towards zero, and 0 where x is 0. */
static inline int64_t i64_power(int64_t x, int64_t y) {
    uint64_t power = 1, square = (uint64_t)x;
    if (y < 0) return x == 1 ? 1 : x == -1 ? 1 - 2 * (y & 1) : 0;
    for (; y > 0; y >>= 1) {
        if ((y & 1) != 0) power *= square;
        square *= square;
    }
    return (int64_t)power;
}

/* sums[j] += the sum over d < depth of (row[d] ^ flip) - zero, a byte, times panel[d][j], which is one too. Floats add
 * 256 such products without an error, since those are below 2^24; then integers take over, which wrap. */
static inline void bytes_multiply_row(uint32_t sums[16], const uint8_t *row, int zero, int flip, const float *panel,
                                      int depth) {
    for (int from = 0; from < depth; from += 256) {
        const int end = depth - from < 256 ? depth : from + 256;
        float sum[16] = {0};
        for (int d = from; d < end; d++) {
            const float v = (float)((row[d] ^ flip) - zero);
            for (int j = 0; j < 16; j++) sum[j] += v * panel[d * 16 + j];
        }
        for (int j = 0; j < 16; j++) sums[j] += (uint32_t)(int32_t)sum[j];
    }
}

/* The same for four rows. */
static inline void bytes_multiply(uint32_t sums[4][16], const uint8_t *const rows[4], const int zeros[4], int flip,
                                  const float *panel, int depth) {
    const uint8_t *const a0 = rows[0], *const a1 = rows[1], *const a2 = rows[2], *const a3 = rows[3];
    for (int from = 0; from < depth; from += 256) {
        const int end = depth - from < 256 ? depth : from + 256;
        float sum[4][16] = {{0}};
        for (int d = from; d < end; d++) {
            const float v0 = (float)((a0[d] ^ flip) - zeros[0]), v1 = (float)((a1[d] ^ flip) - zeros[1]);
            const float v2 = (float)((a2[d] ^ flip) - zeros[2]), v3 = (float)((a3[d] ^ flip) - zeros[3]);
            for (int j = 0; j < 16; j++) {
                const float b = panel[d * 16 + j];
                sum[0][j] += v0 * b;
                sum[1][j] += v1 * b;
                sum[2][j] += v2 * b;
                sum[3][j] += v3 * b;
            }
        }
        for (int r = 0; r < 4; r++)
            for (int j = 0; j < 16; j++) sums[r][j] += (uint32_t)(int32_t)sum[r][j];
    }
}

/* sum * factor to the nearest whole number, ties to even, plus zero; but no less than 0 and no more than 255. */
static inline int byte_from_sum(int32_t sum, float factor, int zero) {
    const float scaled = (float)sum * factor, low = (float)-zero, high = (float)(255 - zero);
    const float kept = scaled > low ? scaled < high ? scaled : high : low;
    return (int)(kept + 12582912.0f - 12582912.0f) + zero; /* 1.5 * 2^23: beyond it floats have no fraction */
}

/* The bits of a float. */
static inline uint32_t f32_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The float of these bits. */
static inline float f32_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Either of two floats that are both computed, held being 0 or 1; by their bits, so that there is no branch which would
 * keep a loop from being vectorised; in plain C, where none is, as the compiler likes. */
static inline float f32_select(int held, float a, float b) {
#if defined(LANES) && LANES == 1
    (void)f32_bits, (void)f32_of_bits; /* which are here for the other form */
    return held ? a : b;
#else
    const uint32_t mask = 0u - (uint32_t)held;
    return f32_of_bits((f32_bits(a) & mask) | (f32_bits(b) & ~mask));
#endif
}

/* The same where it nearly always holds: in plain C by a branch, which is guessed right, and b is computed only then.
 */
#if defined(LANES) && LANES == 1 && defined(__GNUC__)
#define f32_mostly(held, a, b) (__builtin_expect(held, 1) ? (a) : (b))
#else
static inline float f32_mostly(int held, float a, float b) { return f32_select(held, a, b); }
#endif

/* a < b, one of them not negative: in plain C by their bits, whose order is the same, a NaN being beyond the
 * infinities. */
static inline int f32_less(float a, float b) {
#if defined(LANES) && LANES == 1
    return (int32_t)f32_bits(a) < (int32_t)f32_bits(b);
#else
    return a < b;
#endif
}

/* As vf_keep(), for plain C alone. */
static inline float f32_keep(float value) {
#if defined(LANES) && LANES == 1 && defined(__SSE2__) && defined(__GNUC__) && !defined(__clang__)
    __asm__("" : "+x"(value));
#endif
    return value;
}

/* A NaN in a gives b. Of a constant a GCC would make branches. */
static inline float f32_max(float a, float b) {
    const float kept = f32_keep(a);
    return f32_select(kept > b, kept, b);
}

static inline float f32_min(float a, float b) {
    const float kept = f32_keep(a);
    return f32_select(kept < b, kept, b);
}

/* binary32 to float4 e2m1, to nearest, ties to even; what is above 6 becomes 6. There is no NaN: it becomes a zero of
 * the other sign, as in ONNX's reference. */
static inline uint8_t f4e2m1_from_f32(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = bits >> 28 & 8u, magnitude = bits & 0x7FFFFFFFu;
    if (magnitude > 0x7F800000u) return (uint8_t)(sign ^ 8u);
    const uint32_t code = minifloat_from_bits(magnitude, 1, 1);
    return (uint8_t)(sign | (code > 7u ? 7u : code));
}

#endif
