/* Maths: functions of floats, written once for scalars and for vectors, without a branch and without the C library.
 * The words are those of compiler/program/specialise.h; included once for each form, so there is no guard.
 * Lines between #if POWERS and #else are for vectors alone.
 * Errors are in units in the last place (ULP) of the exact result, the largest over all floats; a NaN gives a NaN. */

/* x without its sign. */
MATHS A M(fabs)(A x) { return M(of_bits)(M(bits)(x) & 0x7FFFFFFFu); }

/* x with the sign of y. */
MATHS A M(copysign)(A x, A y) { return M(of_bits)(((M(bits)(x) ^ M(bits)(y)) & 0x7FFFFFFFu) ^ M(bits)(y)); }

/* To the nearest whole number, ties to even: what adding 2^23 rounds to, below which a float has a fraction. */
MATHS A M(rint)(A x) {
    const A size = M(fabs)(x), whole = size + 8388608.0f - 8388608.0f;
    return M(copysign)(M(mostly)(M(less)(size, ALL(8388608.0f)), whole, size), x);
}

/* The largest whole number that is not above x. */
MATHS A M(floor)(A x) {
    const A near = M(rint)(x);
    return M(select)(near > x, near - 1.0f, near);
}

/* The smallest whole number that is not below x. */
MATHS A M(ceil)(A x) {
    const A near = M(rint)(x);
    return M(copysign)(M(select)(near < x, near + 1.0f, near), x);
}

/* x, but no less than low < 0 and no more than high > 0; a NaN stays one. In plain C by a branch, which is guessed
 * right. */
MATHS A M(clamp)(A x, float low, float high) {
#if defined(LANES) && LANES == 1 && defined(__GNUC__)
    const A nearest = ALL(-low < high ? -low : high);
    if (__builtin_expect((M(bits)(x) & 0x7FFFFFFFu) < M(bits)(nearest), 1)) return x;
#endif
    return M(min)(ALL(high), M(max)(ALL(low), x));
}

/* x between -104, where e^x is below half the smallest float, and 89, where it is beyond the largest. */
MATHS A M(exp_range)(A x) { return M(clamp)(x, -104.0f, 89.0f); }

/* The nearest whole number n to x / ln 2, as a float whose last bits are n + bias: adding 1.5 * 2^23 rounds. */
MATHS A M(exp_steps)(A x, float bias) { return x * 1.44269504f + (12582912.0f + bias); }

/* x - n ln 2 for those steps. ln 2 is in two parts, of which n times the first is exact; where the product is not
 * rounded, it is in one, which is off by 2e-9 n, unless asked for exactly. */
MATHS A M(exp_left)(A x, A steps, float bias, int exactly) {
    const A n = steps - (12582912.0f + bias);
#ifdef FUSED
    if (!exactly) return x - n * 0.693147182f;
#else
    (void)exactly;
#endif
    return (x - n * 0.693359375f) + n * 2.12194440e-4f;
}

/* Two steps of Horner's scheme for a polynomial of r: (p r + a) r + b. In plain C, where one multiplication has to wait
 * for another more than there are many, in a form that waits less. */
MATHS A M(two_steps)(A p, A r, float a, float b) {
#if defined(LANES) && LANES == 1
    return p * (r * r) + (r * a + b);
#else
    return (p * r + a) * r + b;
#endif
}

/* Four steps. */
MATHS A M(four_steps)(A p, A r, float a, float b, float c, float d) {
#if defined(LANES) && LANES == 1
    const A square = r * r;
    return p * (square * square) + M(two_steps)(r * a + b, r, c, d);
#else
    return M(two_steps)(M(two_steps)(p, r, a, b), r, c, d);
#endif
}

/* e^r - 1 for what is left. */
MATHS A M(exp_rest)(A r) {
    A p = M(two_steps)(ALL(1.39467209e-3f), r, 8.36674310e-3f, 4.16662768e-2f);
    p = M(two_steps)(p, r, 0.166665420f, 0.5f);
    return p * (r * r) + r;
}

/* y 2^n for the bits of those steps + 254. It is multiplied in two halves, so that large and subnormal results are
 * rounded once; in plain C only where there may be such. */
MATHS A M(exp_scale)(A y, U bits) {
#if defined(LANES) && LANES == 1
    if (bits - 0x4B400080u < 254u) return y * M(of_bits)((bits - 127u) << 23);
#endif
    const U half = bits >> 1;
    return y * M(of_bits)(half << 23) * M(of_bits)((bits - half) << 23);
}

/* e^x; 1.1 ULP. */
MATHS A M(exp)(A x) {
    const A within = M(exp_range)(x), steps = M(exp_steps)(within, 254.0f);
    return M(exp_scale)(M(exp_rest)(M(exp_left)(within, steps, 254.0f, 1)) + 1.0f, M(bits)(steps));
}

/* 2^(x + bias - 127), of which the exponent is from -126 to 126; 2.3 ULP. */
MATHS A M(exp2_biased)(A x, float bias) {
#if POWERS
    const A steps = x + (393216.0f + bias), r = x - (steps - (393216.0f + bias)); /* by thirty-seconds */
    const U bits = M(bits)(steps);
    const A power = M(of_bits)((bits << 18) + M(thirty_second)(bits));
    return (r * 0.240226507f + 0.693157342f) * r * power + power;
#else
    const A steps = x + (12582912.0f + bias), r = x - (steps - (12582912.0f + bias)); /* as exp_steps() has it */
    A p = r * 1.32646458e-3f + 9.67157632e-3f;
    p = p * r + 5.55073470e-2f;
    p = p * r + 0.240222409f;
    p = p * r + 0.693147004f;
    return (p * r + 1.0f) * M(of_bits)(M(bits)(steps) << 23);
#endif
}

/* 2^x for x <= 0: 0 below x = -126, so that no result is subnormal; as exp2_biased(). */
MATHS A M(exp2_fall)(A x) { return M(select)(x < -126.0f, ALL(0.0f), M(exp2_biased)(x, 127.0f)); }

/* e^x - 1; 2 ULP. */
MATHS A M(expm1)(A x) {
    const A within = M(exp_range)(x), steps = M(exp_steps)(within, 254.0f);
    const U bits = M(bits)(steps), half = bits >> 1;
    const A first = M(of_bits)(half << 23), second = M(of_bits)((bits - half) << 23);
    const A one = M(of_bits)((half + 254u - bits) << 23); /* over second */
    return (M(exp_rest)(M(exp_left)(within, steps, 254.0f, 1)) * first + (first - one)) * second;
}

/* y / (1 + e^-x), which is y times sigmoid x; for y = 1 3.6 ULP down to x = -20 (with POWERS 4.3), 7 down to -86, and 0
 * below -88.8; where it is less than 3.4e-38, it may be 0 before. With e^-x = 2^n e^r and e^r = (even + odd) / (even -
 * odd), Pade's approximant of order 3, one quotient does; where r is small, a polynomial of e^r takes less. */
MATHS A M(gate)(A y, A x) {
#if POWERS
    const A rise = M(min)(ALL(87.0f), x);
    const A steps = M(max)(ALL(-88.0f), rise) * -46.1662413f + (12582912.0f + 4064.0f);
    const A r = -rise - (steps - (12582912.0f + 4064.0f)) * 2.16608494e-2f; /* far below -88 it is infinite */
    const U bits = M(bits)(steps);
    const A power = M(of_bits)((bits << 18) + M(thirty_second)(bits));
    return y / (((r * 0.5f + 1.00001466f) * r + 1.0f) * power + 1.0f);
#else
    const A fall = -M(clamp)(x, -88.0f, 88.0f);
    const A steps = M(exp_steps)(fall, 127.0f), r = M(exp_left)(fall, steps, 127.0f, 0), square = r * r;
    const A even = square + 10.0f, odd = (square * 8.33333333e-2f + 5.0f) * r, below = even - odd;
    return y * (below / ((even + odd) * M(of_bits)(M(bits)(steps) << 23) + below));
#endif
}

/* x times sigmoid x of z = -log2(e) x, by which weights multiply: x / (1 + 2^z), without the steps of e^-x that gate()
 * has; 4.2 ULP from z = -126 to 126. */
MATHS A M(power_swish)(A z) {
    const A rise = M(max)(ALL(-126.0f), z); /* far above 127, 2^z is infinite */
#if POWERS
    const A steps = M(min)(ALL(127.0f), rise) + (393216.0f + 127.0f), r = rise - (steps - (393216.0f + 127.0f));
    const U bits = M(bits)(steps);
    const A power = M(of_bits)((bits << 18) + M(thirty_second)(bits));
    return z / (((r * -0.346573591f - 1.00001466f) * r - 1.44269502f) * power - 1.44269502f);
#else
    const A steps = M(min)(ALL(127.0f), rise) + (12582912.0f + 127.0f), r = rise - (steps - (12582912.0f + 127.0f));
    A p = r * -0.00191368384f - 0.0139531353f;
    p = p * r - 0.0800801739f;
    p = p * r - 0.34656769f;
    p = p * r - 0.999999762f;
    return z / ((p * r - 1.44269502f) * M(of_bits)(M(bits)(steps) << 23) - 1.44269502f);
#endif
}

/* tanh x = (1 - e^-2x) / (1 + e^-2x), with e^-2x as in gate(); from 10 on it is 1. 3 ULP. The divisor is made from the
 * dividend: of large x, both have the same error. */
MATHS A M(tanh)(A x) {
    const A fall = M(min)(ALL(10.0f), M(fabs)(x)) * -2.0f;
    const A steps = M(exp_steps)(fall, 127.0f), r = M(exp_left)(fall, steps, 127.0f, 0), square = r * r;
    const A even = square + 10.0f, odd = (square * 8.33333333e-2f + 5.0f) * r;
    const A scale = M(of_bits)(M(bits)(steps) << 23), twice = scale + scale;
    const A dividend = even * (1.0f - scale) - odd * (1.0f + scale);
    return M(copysign)(dividend / (even * twice + (odd * twice + dividend)), x);
}

/* erf x = 1 - e^-y with y = -log(1 - erf |x|), which is |x| times a polynomial; from 3.95 on it is 1. 3.2 ULP. */
MATHS A M(erf)(A x) {
    const A s = M(min)(ALL(3.95f), M(fabs)(x));
    A p = s * -5.88701187e-6f + 8.75387486e-5f;
    p = p * s - 5.27960015e-4f;
    p = p * s + 1.48451421e-3f;
    p = p * s + 8.18636727e-6f;
    p = p * s - 1.92339271e-2f;
    p = p * s + 0.102795996f;
    p = p * s + 0.636617899f;
    p = p * s + 3.37919029e-3f; /* and 1.125, which is exact */
    const A fall = -(p * s + s * 1.125f), steps = M(exp_steps)(fall, 127.0f);
    const A scale = M(of_bits)(M(bits)(steps) << 23), rest = M(exp_rest)(M(exp_left)(fall, steps, 127.0f, 0));
    return M(copysign)(rest * scale + (scale - 1.0f), x);
}

/* x times the normal distribution function of x, which for -|x| is 2^y / 2 with y a polynomial of |x|. 4.5 ULP for
 * x > -1; below, 7e-8 |x| and, down to x = -5.6, 5e-5 of the result; -7e-15 for all x < -8. */
MATHS A M(gelu)(A x) {
    const A s = M(min)(ALL(8.0f), M(fabs)(x));
    const A square = s * s; /* even and odd powers apart do not wait for each other */
    A even = square * 1.83057063e-7f + 4.18179712e-5f, odd = square * -4.38133147e-6f - 1.72861815e-4f;
    even = even * square - 1.96428183e-4f, odd = odd * square + 7.15693092e-3f;
    even = even * square - 5.25627965e-2f, odd = odd * square - 0.459188055f;
    even = even * square - 1.15110707f;
    return M(max)(x, ALL(0.0f)) - s * M(exp2_biased)((odd * s + even) * s, 126.0f);
}

/* log(1 + e^x), which is max(x, 0) + log(1 + e^-|x|), with log(1 + e) = 2 artanh(e / (e + 2)); 3 ULP. */
MATHS A M(softplus)(A x) {
    const A e = M(exp)(-M(fabs)(x)), s = e / (e + 2.0f), square = s * s, twice = s + s;
    A p = M(two_steps)(ALL(0.134338051f), square, 0.141169727f, 0.200038359f);
    p = p * square + 0.333333194f;
    return M(max)(x, ALL(0.0f)) + (twice * (p * square) + twice);
}

/* x tanh(log(1 + e^x)), which is x n / (n + 2) with n = e^x (e^x + 2); from 20 on it is x. 5 ULP for x > -87. */
MATHS A M(mish)(A x) {
    const A e = M(exp)(M(min)(ALL(20.0f), x)), n = e * (e + 2.0f);
    return x * (n / (n + 2.0f));
}

/* The natural logarithm; 1 ULP. x = 2^n (1 + r) with 1 + r from sqrt(1/2) to sqrt(2). */
MATHS A M(log)(A x) {
    /* Subnormals take 2^23; the shift is by 2^23 + 127, and 23 more. */
    const A normal = M(mostly)(M(less)(ALL(1.17549421e-38f), x), x, x * 8388608.0f);
    const A shift = M(mostly)(M(less)(ALL(1.17549421e-38f), x), ALL(-8388735.0f), ALL(-8388758.0f));
    const U bits = M(bits)(normal) + 0x004AFB0Du; /* of 1 less those of sqrt(1/2) */
    const A n = M(of_bits)(bits >> 23 | 0x4B000000u) + shift;
    const A r = M(of_bits)((bits & 0x007FFFFFu) + 0x3F3504F3u) - 1.0f;
    A p = M(two_steps)(r * -7.86014125e-2f + 0.128813803f, r, -0.131284162f, 0.141812176f);
    p = M(four_steps)(p, r, -0.166245952f, 0.200022861f, -0.250008076f, 0.333333164f);
    const A square = r * r, y = p * (square * r) - n * 2.12194440e-4f;
    const A finite = ((y - square * 0.5f) + r) + n * 0.693359375f;
    return M(mostly)(M(less)(ALL(0.0f), x), M(mostly)(M(less)(x, ALL(INFINITY)), finite, x),
                     M(select)(x == 0.0f, ALL(-INFINITY), ALL(NAN)));
}
