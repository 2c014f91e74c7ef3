/* Maths: functions of floats, written once for scalars and for vectors, without a branch and without the C library.
 * The words are those of compiler/program/specialise.h; included once for each form, so there is no guard.
 * Errors are in units in the last place (ULP) of the exact result, the largest over all floats; a NaN gives a NaN. */

/* x without its sign. */
MATHS A M(fabs)(A x) { return M(of_bits)(M(bits)(x) & 0x7FFFFFFFu); }

/* x with the sign of y. */
MATHS A M(copysign)(A x, A y) {
    const U size = M(bits)(x) & 0x7FFFFFFFu, sign = M(bits)(y) & 0x80000000u;
    return M(of_bits)(size | sign);
}

/* To the nearest whole number, ties to even: what adding 2^23 rounds to, below which a float has a fraction. */
MATHS A M(rint)(A x) {
    const A size = M(fabs)(x), whole = size + 8388608.0f - 8388608.0f;
    return M(select)(size < 8388608.0f, M(copysign)(whole, x), x);
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

/* x between -104, where e^x is below half the smallest float, and 89, where it is beyond the largest. */
MATHS A M(exp_range)(A x) {
    const A above = M(select)(x < -104.0f, ALL(-104.0f), x);
    return M(select)(above > 89.0f, ALL(89.0f), above);
}

/* The nearest whole number n to x / ln 2, as a float whose last bits are n + 254: adding 1.5 * 2^23 rounds. */
MATHS A M(exp_steps)(A x) { return x * 1.44269504f + 12583166.0f; }

/* e^r - 1 for the r = x - n ln 2 that is left; ln 2 is in two parts, of which n times the first is exact. */
MATHS A M(exp_rest)(A x, A steps) {
    const A n = steps - 12583166.0f, r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    A p = r * 1.39467209e-3f + 8.36674310e-3f;
    p = p * r + 4.16662768e-2f;
    p = p * r + 0.166665420f;
    p = p * r + 0.5f;
    return p * (r * r) + r;
}

/* e^x; 1.1 ULP. 2^n is multiplied in two halves, so that large and subnormal results are rounded once. */
MATHS A M(exp)(A x) {
    const A within = M(exp_range)(x), steps = M(exp_steps)(within);
    const U bits = M(bits)(steps), half = bits >> 1;
    const A first = M(of_bits)(half << 23), second = M(of_bits)((bits - half) << 23);
    return (M(exp_rest)(within, steps) + 1.0f) * first * second;
}

/* 2^x for -126 <= x <= 126; 2.3 ULP. */
MATHS A M(exp2_normal)(A x) {
    const A steps = x + 12583039.0f, r = x - (steps - 12583039.0f); /* rounded to n, whose last bits are n + 127 */
    A p = r * 1.32646458e-3f + 9.67157632e-3f;
    p = p * r + 5.55073470e-2f;
    p = p * r + 0.240222409f;
    p = p * r + 0.693147004f;
    return (p * r + 1.0f) * M(of_bits)(M(bits)(steps) << 23);
}

/* 2^x for x <= 0: 0 below x = -126, so that no result is subnormal; 2.3 ULP. */
MATHS A M(exp2_fall)(A x) { return M(select)(x < -126.0f, ALL(0.0f), M(exp2_normal)(x)); }

/* e^x - 1; 2 ULP. */
MATHS A M(expm1)(A x) {
    const A within = M(exp_range)(x), steps = M(exp_steps)(within);
    const U bits = M(bits)(steps), half = bits >> 1;
    const A first = M(of_bits)(half << 23), second = M(of_bits)((bits - half) << 23);
    const A one = M(of_bits)((half + 254u - bits) << 23); /* over second */
    return (M(exp_rest)(within, steps) * first + (first - one)) * second;
}

/* e^x - 1 for -20 <= x <= 0, where 2^n is a float as it is; 2 ULP. */
MATHS A M(fall)(A x) {
    const A steps = M(exp_steps)(x), scale = M(of_bits)((M(bits)(steps) - 127u) << 23);
    return M(exp_rest)(x, steps) * scale + (scale - 1.0f);
}

/* tanh x, from e^-2|x| - 1; from 10 on it is 1. 3 ULP. */
MATHS A M(tanh)(A x) {
    const A size = M(fabs)(x), fall = M(fall)(M(select)(size > 10.0f, ALL(10.0f), size) * -2.0f);
    return M(copysign)(fall / (fall + 2.0f), x);
}

/* erf x = 1 - e^-y with y = -log(1 - erf |x|), which is |x| times a polynomial; from 3.95 on it is 1. 3.2 ULP. */
MATHS A M(erf)(A x) {
    const A size = M(fabs)(x), s = M(select)(size > 3.95f, ALL(3.95f), size);
    A p = s * -5.88701187e-6f + 8.75387486e-5f;
    p = p * s - 5.27960015e-4f;
    p = p * s + 1.48451421e-3f;
    p = p * s + 8.18636727e-6f;
    p = p * s - 1.92339271e-2f;
    p = p * s + 0.102795996f;
    p = p * s + 0.636617899f;
    p = p * s + 3.37919029e-3f; /* and 1.125, which is exact */
    return M(copysign)(M(fall)(-(p * s + s * 1.125f)), x);
}

/* The natural logarithm; 1 ULP. x = 2^n (1 + r) with 1 + r from sqrt(1/2) to sqrt(2). */
MATHS A M(log)(A x) {
    const A normal = M(select)(x < 1.17549435e-38f, x * 8388608.0f, x);
    const A shift = M(select)(x < 1.17549435e-38f, ALL(-8388758.0f), ALL(-8388735.0f)); /* 2^23 + 127, and 23 more */
    const U bits = M(bits)(normal) + 0x004AFB0Du; /* of 1 less those of sqrt(1/2) */
    const A n = M(of_bits)(bits >> 23 | 0x4B000000u) + shift;
    const A r = M(of_bits)((bits & 0x007FFFFFu) + 0x3F3504F3u) - 1.0f;
    A p = r * -7.86014125e-2f + 0.128813803f;
    p = p * r - 0.131284162f;
    p = p * r + 0.141812176f;
    p = p * r - 0.166245952f;
    p = p * r + 0.200022861f;
    p = p * r - 0.250008076f;
    p = p * r + 0.333333164f;
    const A square = r * r, y = p * (square * r) - n * 2.12194440e-4f;
    const A finite = ((y - square * 0.5f) + r) + n * 0.693359375f;
    return M(select)(x > 0.0f, M(select)(x < INFINITY, finite, x), M(select)(x == 0.0f, ALL(-INFINITY), ALL(NAN)));
}

/* log(1 + x), with what 1 + x loses made good; 2 ULP. */
MATHS A M(log1p)(A x) {
    const A sum = x + 1.0f, lost = (x - (sum - 1.0f)) / sum;
    return M(log)(sum) + M(select)(lost == lost, lost, ALL(0.0f)); /* not where sum is 0 or infinite */
}
