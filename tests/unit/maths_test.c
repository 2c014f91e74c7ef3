/* The functions of runtime/maths.h, as scalars and as vectors, against the C library's in double: the error that each
 * one's comment states, over floats of all sizes, and what is exact. */
#include "support/test.h"
#include "support/vector_maths.h"

#include <stdio.h>

#if POWERS
#define SIGMOID_ULP 4.3
#else
#define SIGMOID_ULP 3.6
#endif

typedef struct {
    const char *name;
    double ulp; /* as its comment in runtime/maths.h says */
    float (*scalar)(float x);
    void (*vector)(const float *x, float *y); /* LANES of them */
    double (*exact)(double x);
} Function;

#define FORMS(name)                                                                                                    \
    static float scalar_##name(float x) { return f32_##name(x); }                                                      \
    static void vector_##name(const float *x, float *y) { vf_store(y, vf_##name(vf_load(x))); }
FORMS(exp)
FORMS(expm1)
FORMS(tanh)
FORMS(erf)
FORMS(log)
FORMS(softplus)
FORMS(fabs)
FORMS(rint)
FORMS(floor)
FORMS(ceil)

/* Those of which the error holds within bounds alone, or that take two arguments. A bound is hidden from the compiler,
 * which computes with a constant in steps of its own. */
#define HIDDEN __attribute__((noinline)) static
HIDDEN float at_most_0(float x) { return x > 0 ? -x : x; }
HIDDEN float within_126(float x) { return x > 126 ? 126 : x < -126 ? -126 : x; }
HIDDEN float from_minus_1(float x) { return x < -1 ? -1 : x; }
HIDDEN float from_minus_20(float x) { return x < -20 ? -20 : x; }
HIDDEN float from_minus_86(float x) { return x < -86 ? -86 : x; }

#define FORMS_OF(name, within, call, vector_call, function)                                                            \
    static float scalar_##name(float from) {                                                                           \
        const float x = within(from);                                                                                  \
        return call;                                                                                                   \
    }                                                                                                                  \
    static void vector_##name(const float *from, float *y) {                                                           \
        for (int i = 0; i < LANES; i++) y[i] = within(from[i]);                                                        \
        const vf x = vf_load(y);                                                                                       \
        vf_store(y, vector_call);                                                                                      \
    }                                                                                                                  \
    static double name(double from) {                                                                                  \
        const double x = (double)within((float)from);                                                                  \
        return function;                                                                                               \
    }
FORMS_OF(exp2_fall, at_most_0, f32_exp2_fall(x), vf_exp2_fall(x), x < -126 ? 0 : exp2(x))
FORMS_OF(exp2_biased, within_126, f32_exp2_biased(x, 127), vf_exp2_biased(x, 127), exp2(x))
FORMS_OF(sigmoid, from_minus_20, f32_gate(1, x), vf_gate(vf_all(1), x), 1 / (1 + exp(-x)))
FORMS_OF(far_sigmoid, from_minus_86, f32_gate(1, x), vf_gate(vf_all(1), x), 1 / (1 + exp(-x)))
FORMS_OF(power_swish, within_126, f32_power_swish(x), vf_power_swish(x), -log(2) * x / (1 + exp2(x)))
FORMS_OF(gelu, from_minus_1, f32_gelu(x), vf_gelu(x), x / 2 * erfc(-x / sqrt(2)))
/* Without the overflow of its exponential. */
static double softplus(double x) { return (x > 0 ? x : 0) + log1p(exp(-fabs(x))); }
FORMS_OF(mish, from_minus_86, f32_mish(x), vf_mish(x), x *tanh(log1p(exp(x))))

#define ROW(name, ulp)                                                                                                 \
    { #name, ulp, scalar_##name, vector_##name, name }
static const Function functions[] = {
    ROW(exp, 1.1),         ROW(expm1, 2),
    ROW(tanh, 3),          ROW(erf, 3.2),
    ROW(log, 1),           ROW(fabs, 0),
    ROW(rint, 0),          ROW(floor, 0),
    ROW(ceil, 0),          ROW(gelu, 4.5),
    ROW(mish, 5),          ROW(exp2_fall, 2.3),
    ROW(exp2_biased, 2.3), ROW(sigmoid, SIGMOID_ULP),
    ROW(far_sigmoid, 7),   ROW(softplus, 3),
    ROW(power_swish, 4.2),
};
enum { FUNCTIONS = sizeof functions / sizeof *functions };

/* How far got is from exact, in units of the float nearest to that; infinite where one is a NaN or infinity alone. */
static double ulps(float got, double exact) {
    const float nearest = (float)exact;
    if (isnan(exact) || isnan(got)) return isnan(exact) && isnan(got) ? 0 : INFINITY;
    if (isinf(nearest) || isinf(got)) return nearest == got ? 0 : INFINITY;
    const int exponent = nearest == 0 ? -126 : ilogb((double)nearest);
    return fabs((double)got - exact) / ldexp(1, (exponent < -126 ? -126 : exponent) - 23);
}

static void check(const Function *function, const char *form, float x, float got) {
    const double exact = function->exact((double)x), error = ulps(got, exact);
    if (!(error <= function->ulp))
        fail_test("%s of %.9g, as a %s: %.9g is %.3g ULP from %.9g", function->name, (double)x, form, (double)got,
                  error, exact);
    if (got == 0 && exact == 0 && !signbit(exact) != !signbit(got) && function->ulp == 0)
        fail_test("%s of %.9g, as a %s: a zero of the wrong sign", function->name, (double)x, form);
}

static void check_lanes(const Function *function, const float *x) {
    float y[LANES];
    function->vector(x, y);
    for (int i = 0; i < LANES; i++) {
        check(function, "vector", x[i], y[i]);
        check(function, "scalar", x[i], function->scalar(x[i]));
    }
}

/* One in 4099 of all floats, NaNs and infinities among them, from a random one on. */
static void errors_are_as_stated(void **state) {
    (void)state;
    Random random = random_new();
    const uint32_t first = (uint32_t)random_below(&random, 4099);
    for (int f = 0; f < FUNCTIONS; f++) {
        uint64_t bits = first;
        while (bits <= UINT32_MAX) {
            float x[LANES];
            for (int i = 0; i < LANES; i++, bits += 4099) x[i] = f32_of_bits((uint32_t)bits);
            check_lanes(&functions[f], x);
        }
    }
}

/* Where results begin to be infinite, subnormal or 0, a polynomial ends, or ties are rounded, and the floats beside. */
static void edges_are_as_stated(void **state) {
    (void)state;
    static const float edges[] = {0,           87,          88.72284f,   89,         -87.33655f, 126,
                                  -103.97208f, -104,        10,          3.95f,      -1,         -17.32868f,
                                  0.5f,        1.5f,        2.5f,        8388607.5f, 8388608,    1.17549435e-38f,
                                  1.0f,        0.70710678f, 1.41421356f, INFINITY,   -INFINITY,  NAN};
    for (int f = 0; f < FUNCTIONS; f++)
        for (size_t e = 0; e < sizeof edges / sizeof *edges; e++)
            for (int sign = -1; sign <= 1; sign += 2) {
                const float middle = (float)sign * edges[e];
                float x[LANES] = {middle};
                check_lanes(&functions[f], x);
                x[0] = nextafterf(middle, INFINITY);
                check_lanes(&functions[f], x);
                x[0] = nextafterf(middle, -INFINITY);
                check_lanes(&functions[f], x);
            }
}

/* What gelu's comment says of x < -1. */
static void tail_of_gelu_is_as_stated(void **state) {
    (void)state;
    for (uint32_t bits = 0x3F800000u; bits < 0x7F800000u; bits += 509) {
        const double x = -(double)f32_of_bits(bits), exact = x / 2 * erfc(-x / sqrt(2)); /* from -1 down */
        const double error = fabs((double)f32_gelu((float)x) - exact);
        if (!(error <= 7e-8 * -x && (x < -5.6 || error <= 5e-5 * -exact)))
            fail_test("gelu of %.9g is off by %.3g from %.9g", x, error, exact);
    }
}

static void gates_close_and_open(void **state) {
    (void)state;
    assert_true(f32_gate(1, -89) == 0 && f32_gate(1, -INFINITY) == 0 && f32_gate(1, INFINITY) == 1);
    assert_true(f32_gate(-3e38f, -3e38f) == 0 && f32_gate(3e38f, 3e38f) == 3e38f && f32_gate(1, 0) == 0.5f);
    assert_true(f32_gate(INFINITY, INFINITY) == INFINITY && isnan(f32_gate(1, NAN)) && isnan(f32_gate(NAN, 1)));
    assert_true(f32_power_swish(128) == 0 && f32_power_swish(3e38f) == 0 && isnan(f32_power_swish(NAN)));
    assert_true(f32_power_swish(-INFINITY) == INFINITY && f32_power_swish(0) == 0 && f32_power_swish(-3e38f) > 2e38f);
    assert_true(f32_gelu(INFINITY) == INFINITY && f32_mish(INFINITY) == INFINITY && f32_gelu(0) == 0);
}

static void bounds_are_kept(void **state) {
    (void)state;
    for (uint32_t bits = 0; bits < 0x7F800000u; bits += 509) {
        const float x = f32_of_bits(bits);
        assert_true(f32_erf(x) <= 1 && f32_tanh(x) <= 1 && f32_exp(-x) <= 1 && f32_expm1(-x) >= -1);
        assert_true(f32_erf(-x) == -f32_erf(x) && f32_tanh(-x) == -f32_tanh(x));
    }
    assert_true(f32_erf(4) == 1 && f32_tanh(10) == 1 && f32_exp(0) == 1 && f32_log(1) == 0);
    assert_true(signbit(f32_tanh(-0.0f)) && signbit(f32_erf(-0.0f)));
}

static void signs_are_copied(void **state) {
    (void)state;
    static const float sizes[] = {0, 1, -1, -0.0f, INFINITY, -INFINITY};
    for (int i = 0; i < 6; i++)
        for (int k = 0; k < 6; k++) {
            const float expected = copysignf(sizes[i], sizes[k]);
            float lane[LANES];
            vf_store(lane, vf_copysign(vf_all(sizes[i]), vf_all(sizes[k])));
            assert_true(f32_bits(f32_copysign(sizes[i], sizes[k])) == f32_bits(expected));
            assert_true(f32_bits(lane[LANES - 1]) == f32_bits(expected));
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_as_stated),      cmocka_unit_test(edges_are_as_stated),
        cmocka_unit_test(tail_of_gelu_is_as_stated), cmocka_unit_test(gates_close_and_open),
        cmocka_unit_test(bounds_are_kept),           cmocka_unit_test(signs_are_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
