/* Elementwise operators and casts, one at a time: arithmetic that C leaves open, NaN, ties, broadcasting, and every
 * function against the maths library. */
#include "support/folding.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum { NEWEST = 28 };

static void check_binary(const char *op, Type type, int64_t a, int64_t b, int64_t expected) {
    Folding *folding = folding_begin(op, NEWEST);
    folding_input_ints(folding, type, "", &a);
    folding_input_ints(folding, type, "", &b);
    assert_folds_ints(folding, type, "", &expected);
}

static void check_unary(const char *op, Type type, int64_t a, int64_t expected) {
    Folding *folding = folding_begin(op, NEWEST);
    folding_input_ints(folding, type, "", &a);
    assert_folds_ints(folding, type, "", &expected);
}

static void integers_wrap_around(void **state) {
    (void)state;
    check_binary("Add", TYPE_INT8, 127, 1, -128);
    check_binary("Add", TYPE_INT64, INT64_MAX, 1, INT64_MIN);
    check_binary("Sub", TYPE_UINT8, 0, 1, 255);
    check_binary("Sub", TYPE_INT32, INT32_MIN, 1, INT32_MAX);
    check_binary("Mul", TYPE_UINT16, 65535, 65535, 1); /* overflows int in plain C */
    check_binary("Mul", TYPE_INT16, -32768, -1, -32768);
    check_binary("Mul", TYPE_INT64, INT64_MIN, -1, INT64_MIN);
    check_unary("Neg", TYPE_INT8, -128, -128);
    check_unary("Neg", TYPE_INT64, INT64_MIN, INT64_MIN);
    check_unary("Abs", TYPE_INT32, INT32_MIN, INT32_MIN);
    check_unary("Abs", TYPE_INT16, -7, 7);
    check_unary("Abs", TYPE_UINT64, -1, -1);
    check_unary("Sign", TYPE_INT8, -128, -1);
    check_unary("Sign", TYPE_UINT8, 200, 1);
}

static void integer_division_is_total(void **state) {
    (void)state;
    check_binary("Div", TYPE_INT32, -7, 2, -3);
    check_binary("Div", TYPE_INT8, -128, -1, -128);
    check_binary("Div", TYPE_INT32, INT32_MIN, -1, INT32_MIN);
    check_binary("Div", TYPE_INT64, INT64_MIN, -1, INT64_MIN);
    check_binary("Div", TYPE_INT64, 5, 0, 0);
    check_binary("Div", TYPE_UINT8, 5, 0, 0);
    check_binary("Mod", TYPE_INT32, -7, 3, 2);
    check_binary("Mod", TYPE_INT32, 7, -3, -2);
    check_binary("Mod", TYPE_INT64, INT64_MIN, -1, 0);
    check_binary("Mod", TYPE_INT8, 5, 0, 0);
    check_binary("Mod", TYPE_UINT16, 7, 0, 0);
}

static void fmod_has_the_sign_of_the_dividend(void **state) {
    (void)state;
    Folding *folding = folding_begin("Mod", 13);
    node_set_int(folding->node, "fmod", 1);
    folding_input_ints(folding, TYPE_INT16, "2", (int64_t[]){-7, 7});
    folding_input_ints(folding, TYPE_INT16, "2", (int64_t[]){3, -3});
    assert_folds_ints(folding, TYPE_INT16, "2", (int64_t[]){-1, 1});

    folding = folding_begin("Mod", NEWEST);
    folding_input(folding, TYPE_DOUBLE, "5", (double[]){-5.5, 5.5, INFINITY, -1, 3});
    folding_input(folding, TYPE_DOUBLE, "5", (double[]){2, -2, 2, INFINITY, 0});
    assert_folds(folding, TYPE_DOUBLE, "5", (double[]){0.5, -0.5, NAN, INFINITY, NAN}, 0);
}

static void shifts_are_total(void **state) {
    (void)state;
    static const struct {
        const char *direction;
        Type type;
        int64_t x, y, expected;
    } cases[] = {
        {"LEFT", TYPE_UINT8, 0x81, 1, 2},
        {"LEFT", TYPE_UINT8, 1, 8, 0},
        {"LEFT", TYPE_INT32, 1, 31, INT32_MIN},
        {"LEFT", TYPE_INT32, 1, 32, 0},
        {"LEFT", TYPE_INT8, -1, -1, 0},
        {"LEFT", TYPE_UINT64, 3, 63, INT64_MIN},
        {"LEFT", TYPE_UINT64, 3, 64, 0},
        {"RIGHT", TYPE_UINT32, 0x80000000, 31, 1},
        {"RIGHT", TYPE_UINT32, 0x80000000, 32, 0},
        {"RIGHT", TYPE_INT8, -128, 1, -64},
        {"RIGHT", TYPE_INT8, -128, 8, -1},
        {"RIGHT", TYPE_INT64, INT64_MIN, 63, -1},
        {"RIGHT", TYPE_INT64, INT64_MAX, 64, 0},
        {"RIGHT", TYPE_INT16, -5, -1, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Folding *folding = folding_begin("BitShift", NEWEST);
        node_set_string(folding->node, "direction", cases[i].direction);
        folding_input_ints(folding, cases[i].type, "", &cases[i].x);
        folding_input_ints(folding, cases[i].type, "", &cases[i].y);
        assert_folds_ints(folding, cases[i].type, "", &cases[i].expected);
    }
    Folding *folding = folding_begin("BitShift", NEWEST);
    node_set_string(folding->node, "direction", "UP");
    folding_input_ints(folding, TYPE_UINT8, "", (int64_t[]){1});
    folding_input_ints(folding, TYPE_UINT8, "", (int64_t[]){1});
    assert_folding_fails(folding, STATUS_INVALID, "attribute direction is 'UP', expected 'LEFT' or 'RIGHT'");
}

static void bits_and_logic(void **state) {
    (void)state;
    check_binary("BitwiseAnd", TYPE_INT8, -2, 7, 6);
    check_binary("BitwiseOr", TYPE_UINT64, INT64_MIN, 1, INT64_MIN + 1);
    check_binary("BitwiseXor", TYPE_INT16, -1, 1, -2);
    check_unary("BitwiseNot", TYPE_UINT8, 1, 254);
    check_unary("BitwiseNot", TYPE_INT32, 0, -1);
    for (int i = 0; i < 4; i++) {
        int a = i & 1, b = i >> 1;
        check_binary("And", TYPE_BOOL, a, b, a && b);
        check_binary("Or", TYPE_BOOL, a, b, a || b);
        check_binary("Xor", TYPE_BOOL, a, b, a != b);
    }
    check_unary("Not", TYPE_BOOL, 1, 0);
}

static void powers_mix_types(void **state) {
    (void)state;
    static const struct {
        Type base, exponent;
        double x, y, expected;
    } cases[] = {
        {TYPE_INT32, TYPE_INT32, -3, 3, -27},       {TYPE_INT32, TYPE_INT64, 2, -1, 0},
        {TYPE_INT64, TYPE_INT8, -1, -3, -1},        {TYPE_INT32, TYPE_UINT8, 2, 31, -2147483648.0},
        {TYPE_INT32, TYPE_FLOAT, 9, 0.5, 3},        {TYPE_INT64, TYPE_INT32, 0, -1, 0},
        {TYPE_FLOAT, TYPE_INT64, 2, -2, 0.25},      {TYPE_FLOAT, TYPE_FLOAT, -1.5, 2, 2.25},
        {TYPE_FLOAT, TYPE_INT16, -2, 3, -8},        {TYPE_DOUBLE, TYPE_FLOAT, 2, 0.5, 1.4142135623730951},
        {TYPE_FLOAT16, TYPE_FLOAT, 2, 3, 8},        {TYPE_BFLOAT16, TYPE_DOUBLE, 4, 0.5, 2},
        {TYPE_FLOAT, TYPE_INT32, -1, 16777217, -1}, /* an exponent that no float holds */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Folding *folding = folding_begin("Pow", NEWEST);
        folding_input(folding, cases[i].base, "", &cases[i].x);
        folding_input(folding, cases[i].exponent, "", &cases[i].y);
        assert_folds(folding, cases[i].base, "", &cases[i].expected, 1e-15);
    }
}

static void nan_goes_through(void **state) {
    (void)state;
    static const Type types[] = {TYPE_FLOAT, TYPE_DOUBLE, TYPE_FLOAT16, TYPE_BFLOAT16};
    for (int t = 0; t < 4; t++) {
        for (int k = 0; k < 2; k++) {
            Folding *folding = folding_begin(k == 0 ? "Max" : "Min", NEWEST);
            folding_input(folding, types[t], "3", (double[]){NAN, 1, 2});
            folding_input(folding, types[t], "3", (double[]){1, NAN, 3});
            assert_folds(folding, types[t], "3", (double[]){NAN, NAN, k == 0 ? 3 : 2}, 0);
        }
        static const char *const ops[] = {"Relu",        "LeakyRelu", "Elu",  "Selu", "Sign", "Softplus", "HardSwish",
                                          "HardSigmoid", "Abs",       "Celu", "Clip", "Mish", "Gelu",     "Round"};
        for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
            Folding *folding = folding_begin(ops[i], NEWEST);
            folding_input(folding, types[t], "", (double[]){NAN});
            assert_folds(folding, types[t], "", (double[]){NAN}, 0);
        }
    }
}

static void ties_are_rounded_to_even(void **state) {
    (void)state;
    Folding *folding = folding_begin("Round", NEWEST);
    folding_input(folding, TYPE_FLOAT, "6", (double[]){0.5, 1.5, 2.5, -0.5, -1.5, 2.6});
    assert_folds(folding, TYPE_FLOAT, "6", (double[]){0, 2, 2, 0, -2, 3}, 0);
}

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double softplus(double x) { return log1p(exp(x)); }
static double softsign(double x) { return x / (1 + fabs(x)); }
static double hard_sigmoid(double x) { return fmax(0, fmin(1, (double)0.2f * x + 0.5)); }
static double hard_swish(double x) { return x * fmax(0, fmin(1, x / 6 + 0.5)); }
static double mish(double x) { return x * tanh(log1p(exp(x))); }
static double gelu(double x) { return x / 2 * (1 + erf(x / sqrt(2))); }
static double swish(double x) { return x * sigmoid(x); }
static double elu(double x) { return x < 0 ? exp(x) - 1 : x; }
static double selu(double x) { return 1.0507009873554805 * (x < 0 ? 1.6732632423543772 * (exp(x) - 1) : x); }
static double leaky_relu(double x) { return x < 0 ? (double)0.01f * x : x; }
static double relu(double x) { return x < 0 ? 0 : x; }
static double thresholded_relu(double x) { return x > 1 ? x : 0; }
static double shrink(double x) { return fabs(x) > 0.5 ? x : 0; }
static double reciprocal(double x) { return 1 / x; }
static double sign(double x) { return (x > 0) - (x < 0); }
static double negative(double x) { return -x; }

/* Random numbers from a generator of our own, so that a seed means the same everywhere. */
static uint64_t seed;

static double uniform(double from, double to) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return from + (to - from) * (double)(seed >> 11) * 0x1p-53;
}

static void functions_agree_with_libm(void **state) {
    (void)state;
    static const struct {
        const char *op;
        double (*function)(double);
        double from, to;
    } cases[] = {
        {"Sqrt", sqrt, 0, 1e6},
        {"Exp", exp, -20, 10},
        {"Log", log, 1e-3, 1e6},
        {"Sin", sin, -10, 10},
        {"Cos", cos, -10, 10},
        {"Tan", tan, -1.5, 1.5},
        {"Asin", asin, -1, 1},
        {"Acos", acos, -1, 1},
        {"Atan", atan, -10, 10},
        {"Sinh", sinh, -5, 5},
        {"Cosh", cosh, -5, 5},
        {"Tanh", tanh, -5, 5},
        {"Asinh", asinh, -10, 10},
        {"Acosh", acosh, 1, 10},
        {"Atanh", atanh, -0.99, 0.99},
        {"Erf", erf, -3, 3},
        {"Sigmoid", sigmoid, -90, 90},
        {"Softplus", softplus, -50, 50},
        {"Softsign", softsign, -9, 9},
        {"HardSwish", hard_swish, -5, 5},
        {"HardSigmoid", hard_sigmoid, -5, 5},
        {"Mish", mish, -20, 20},
        {"Gelu", gelu, -5, 5},
        {"Swish", swish, -20, 20},
        {"Elu", elu, -5, 5},
        {"Celu", elu, -5, 5},
        {"Selu", selu, -5, 5},
        {"Relu", relu, -5, 5},
        {"LeakyRelu", leaky_relu, -5, 5},
        {"ThresholdedRelu", thresholded_relu, -5, 5},
        {"Shrink", shrink, -2, 2},
        {"Reciprocal", reciprocal, 0.1, 9},
        {"Sign", sign, -1, 1},
        {"Neg", negative, -9, 9},
        {"Abs", fabs, -9, 9},
        {"Ceil", ceil, -9, 9},
        {"Floor", floor, -9, 9},
        {"Round", rint, -9, 9},
    };
    static const struct {
        Type type;
        double tolerance;
    } types[] = {{TYPE_DOUBLE, 2e-7}, {TYPE_FLOAT, 2e-6}};
    seed = (uint64_t)time(NULL);
    print_message("seed %llu\n", (unsigned long long)seed);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int t = 0; t < 2; t++) {
            double x[300], expected[300];
            for (int k = 0; k < 300; k++) {
                x[k] = (double)(float)uniform(cases[i].from, cases[i].to);
                expected[k] = cases[i].function(x[k]);
            }
            Folding *folding = folding_begin(cases[i].op, NEWEST);
            folding_input(folding, types[t].type, "3x100", x);
            assert_folds(folding, types[t].type, "3x100", expected, types[t].tolerance);
        }
}

static void attributes_reach_formulas(void **state) {
    (void)state;
    Folding *folding = folding_begin("Gelu", 20);
    node_set_string(folding->node, "approximate", "tanh");
    folding_input(folding, TYPE_FLOAT, "", (double[]){1});
    assert_folds(folding, TYPE_FLOAT, "", (double[]){0.8411919906082768}, 1e-6);

    folding = folding_begin("Selu", 6);
    node_set_float(folding->node, "alpha", 2);
    node_set_float(folding->node, "gamma", 3);
    folding_input(folding, TYPE_FLOAT, "2", (double[]){-1, 1});
    assert_folds(folding, TYPE_FLOAT, "2", (double[]){6 * (exp(-1) - 1), 3}, 1e-6);

    folding = folding_begin("Shrink", 9);
    node_set_float(folding->node, "lambd", 1.5f);
    node_set_float(folding->node, "bias", 1.5f);
    folding_input_ints(folding, TYPE_INT8, "5", (int64_t[]){-2, -1, 0, 1, 2});
    assert_folds_ints(folding, TYPE_INT8, "5", (int64_t[]){0, 0, 0, 0, 0});

    folding = folding_begin("Gelu", 20);
    node_set_string(folding->node, "approximate", "sine");
    folding_input(folding, TYPE_FLOAT, "", (double[]){1});
    assert_folding_fails(folding, STATUS_INVALID, "attribute approximate is 'sine'");
}

static void clip_has_three_forms(void **state) {
    (void)state;
    static const double x[] = {-5, 0, 5};
    Folding *folding = folding_begin("Clip", 6);
    node_set_float(folding->node, "max", 2);
    folding_input(folding, TYPE_FLOAT, "3", x);
    assert_folds(folding, TYPE_FLOAT, "3", (double[]){-5, 0, 2}, 0);

    folding = folding_begin("Clip", 13);
    folding_input_ints(folding, TYPE_INT8, "3", (int64_t[]){-5, 0, 5});
    folding_left_out(folding);
    folding_input_ints(folding, TYPE_INT8, "", (int64_t[]){3});
    assert_folds_ints(folding, TYPE_INT8, "3", (int64_t[]){-5, 0, 3});

    folding = folding_begin("Clip", 13); /* where they cross, max wins */
    folding_input(folding, TYPE_FLOAT, "3", x);
    folding_input(folding, TYPE_FLOAT, "", (double[]){2});
    folding_input(folding, TYPE_FLOAT, "", (double[]){1});
    assert_folds(folding, TYPE_FLOAT, "3", (double[]){1, 1, 1}, 0);

    folding = folding_begin("Clip", 13);
    folding_input(folding, TYPE_FLOAT, "3", x);
    assert_folds(folding, TYPE_FLOAT, "3", x, 0);

    folding = folding_begin("Clip", 6); /* a NaN goes through */
    node_set_float(folding->node, "min", -1);
    node_set_float(folding->node, "max", 2);
    folding_input(folding, TYPE_FLOAT, "3", (double[]){-5, NAN, 5});
    assert_folds(folding, TYPE_FLOAT, "3", (double[]){-1, NAN, 2}, 0);

    folding = folding_begin("Clip", 13); /* also one that is a bound */
    folding_input(folding, TYPE_FLOAT, "3", x);
    folding_input(folding, TYPE_FLOAT, "", (double[]){NAN});
    assert_folds(folding, TYPE_FLOAT, "3", (double[]){NAN, NAN, NAN}, 0);

    folding = folding_begin("Clip", 13);
    node_set_float(folding->node, "min", 0);
    folding_input(folding, TYPE_FLOAT, "3", x);
    assert_folding_fails(folding, STATUS_INVALID, "attribute 'min' is not one of this operator in version 13");

    folding = folding_begin("Clip", 6);
    folding_input(folding, TYPE_FLOAT, "3", x);
    folding_input(folding, TYPE_FLOAT, "", x);
    assert_folding_fails(folding, STATUS_INVALID, "2 inputs, expected 1");

    folding = folding_begin("Clip", 13);
    folding_input(folding, TYPE_FLOAT, "3", x);
    folding_input(folding, TYPE_FLOAT, "3", x);
    assert_folding_fails(folding, STATUS_INVALID, "input 1 (min) has the shape [3], expected a scalar");
}

static void inputs_are_broadcast(void **state) {
    (void)state;
    Folding *folding = folding_begin("Sub", 14);
    folding_input(folding, TYPE_FLOAT, "2x1x2", (double[]){1, 2, 3, 4});
    folding_input(folding, TYPE_FLOAT, "3x1", (double[]){10, 20, 30});
    assert_folds(folding, TYPE_FLOAT, "2x3x2", (double[]){-9, -8, -19, -18, -29, -28, -7, -6, -17, -16, -27, -26}, 0);

    folding = folding_begin("Where", 16);
    folding_input_ints(folding, TYPE_BOOL, "2x1", (int64_t[]){1, 0});
    folding_input(folding, TYPE_DOUBLE, "3", (double[]){1, 2, 3});
    folding_input(folding, TYPE_DOUBLE, "", (double[]){-1});
    assert_folds(folding, TYPE_DOUBLE, "2x3", (double[]){1, 2, 3, -1, -1, -1}, 0);

    folding = folding_begin("Add", 14);
    folding_input(folding, TYPE_FLOAT, "0x3", NULL);
    folding_input(folding, TYPE_FLOAT, "1x1", (double[]){1});
    assert_folds(folding, TYPE_FLOAT, "0x3", NULL, 0);

    folding = folding_begin("Add", 14);
    folding_input(folding, TYPE_FLOAT, "2", (double[]){1, 2});
    folding_input(folding, TYPE_FLOAT, "3", (double[]){1, 2, 3});
    assert_folding_fails(folding, STATUS_INVALID, "shapes [2] and [3] do not broadcast");

    folding = folding_begin("PRelu", 16);
    folding_input(folding, TYPE_FLOAT, "2x2", (double[]){-1, 2, -3, 4});
    folding_input(folding, TYPE_FLOAT, "2x1", (double[]){0.5, 2});
    assert_folds(folding, TYPE_FLOAT, "2x2", (double[]){-0.5, 2, -6, 4}, 0);

    folding = folding_begin("PRelu", 16);
    folding_input(folding, TYPE_FLOAT, "2", (double[]){-1, 2});
    folding_input(folding, TYPE_FLOAT, "2x2", (double[]){1, 2, 3, 4});
    assert_folding_fails(folding, STATUS_INVALID, "does not broadcast to the input's [2]");
}

/* More inputs than one loop has operands. */
static void variadic_operators_take_any_number(void **state) {
    (void)state;
    static const struct {
        const char *op;
        double expected[2];
    } cases[] = {{"Sum", {780, 1560}}, {"Mean", {19.5, 39}}, {"Max", {39, 78}}, {"Min", {0, 0}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Folding *folding = folding_begin(cases[i].op, 13);
        for (int k = 0; k < 40; k++) folding_input(folding, TYPE_FLOAT, "2", (double[]){k, 2 * k});
        assert_folds(folding, TYPE_FLOAT, "2", cases[i].expected, 0);
    }
    Folding *folding = folding_begin("Sum", 13);
    folding_input(folding, TYPE_FLOAT, "2", (double[]){1, 2});
    assert_folds(folding, TYPE_FLOAT, "2", (double[]){1, 2}, 0);
    assert_folding_fails(folding_begin("Sum", 13), STATUS_INVALID, "0 inputs");
}

static void check_is_inf(int negative_too, int positive_too, const int64_t *expected) {
    Folding *folding = folding_begin("IsInf", 20);
    node_set_int(folding->node, "detect_negative", negative_too);
    node_set_int(folding->node, "detect_positive", positive_too);
    folding_input(folding, TYPE_FLOAT16, "4", (double[]){1, INFINITY, -INFINITY, NAN});
    assert_folds_ints(folding, TYPE_BOOL, "4", expected);
}

static void infinities_and_nan_are_found(void **state) {
    (void)state;
    check_is_inf(1, 1, (int64_t[]){0, 1, 1, 0});
    check_is_inf(0, 1, (int64_t[]){0, 1, 0, 0});
    check_is_inf(1, 0, (int64_t[]){0, 0, 1, 0});
    check_is_inf(0, 0, (int64_t[]){0, 0, 0, 0});
    Folding *folding = folding_begin("IsNaN", 20);
    folding_input(folding, TYPE_DOUBLE, "3", (double[]){NAN, INFINITY, 0});
    assert_folds_ints(folding, TYPE_BOOL, "3", (int64_t[]){1, 0, 0});
}

static void comparisons(void **state) {
    (void)state;
    static const struct {
        const char *op;
        int64_t expected[4];
    } cases[] = {{"Less", {1, 0, 0, 0}},
                 {"LessOrEqual", {1, 1, 0, 0}},
                 {"Greater", {0, 0, 1, 0}},
                 {"GreaterOrEqual", {0, 1, 1, 0}},
                 {"Equal", {0, 1, 0, 0}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Folding *folding = folding_begin(cases[i].op, NEWEST);
        folding_input(folding, TYPE_FLOAT, "4", (double[]){1, 2, 3, NAN});
        folding_input(folding, TYPE_FLOAT, "4", (double[]){2, 2, 2, NAN});
        assert_folds_ints(folding, TYPE_BOOL, "4", cases[i].expected);
    }
    Folding *folding = folding_begin("Less", NEWEST); /* as unsigned numbers */
    folding_input_ints(folding, TYPE_UINT64, "", (int64_t[]){1});
    folding_input_ints(folding, TYPE_UINT64, "", (int64_t[]){-1});
    assert_folds_ints(folding, TYPE_BOOL, "", (int64_t[]){1});
}

static Folding *cast_begin(Type to, int saturate) {
    Folding *folding = folding_begin("Cast", 19);
    node_set_int(folding->node, "to", to);
    if (saturate >= 0) node_set_int(folding->node, "saturate", saturate);
    return folding;
}

static void casts_out_of_range_saturate(void **state) {
    (void)state;
    static const struct {
        Type to;
        int64_t expected[6];
    } cases[] = {
        {TYPE_INT8, {2, -2, 127, -128, 0, 127}},
        {TYPE_UINT8, {2, 0, 255, 0, 0, 255}},
        {TYPE_INT32, {2, -2, INT32_MAX, INT32_MIN, 0, INT32_MAX}},
        {TYPE_UINT32, {2, 0, UINT32_MAX, 0, 0, UINT32_MAX}},
        {TYPE_INT64, {2, -2, INT64_MAX, INT64_MIN, 0, INT64_MAX}},
        {TYPE_BOOL, {1, 1, 1, 1, 1, 1}},
    };
    static const Type from[] = {TYPE_FLOAT, TYPE_DOUBLE};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int k = 0; k < 2; k++) {
            Folding *folding = cast_begin(cases[i].to, -1);
            folding_input(folding, from[k], "6", (double[]){2.9, -2.9, 1e30, -1e30, NAN, INFINITY});
            assert_folds_ints(folding, cases[i].to, "6", cases[i].expected);
        }
}

static void casts_of_integers_wrap(void **state) {
    (void)state;
    Folding *folding = cast_begin(TYPE_INT8, -1);
    folding_input_ints(folding, TYPE_INT16, "3", (int64_t[]){200, -129, 256});
    assert_folds_ints(folding, TYPE_INT8, "3", (int64_t[]){-56, 127, 0});
    folding = cast_begin(TYPE_BOOL, -1);
    folding_input_ints(folding, TYPE_INT64, "3", (int64_t[]){0, 256, (int64_t)1 << 40});
    assert_folds_ints(folding, TYPE_BOOL, "3", (int64_t[]){0, 1, 1});
    folding = cast_begin(TYPE_DOUBLE, -1);
    folding_input_ints(folding, TYPE_UINT64, "", (int64_t[]){-1});
    assert_folds(folding, TYPE_DOUBLE, "", (double[]){18446744073709551616.0}, 0);
}

static void casts_to_float8_saturate_or_not(void **state) {
    (void)state;
    static const struct {
        Type to;
        double largest, beyond;
    } cases[] = {
        {TYPE_FLOAT8E4M3FN, 448, NAN},
        {TYPE_FLOAT8E4M3FNUZ, 240, NAN},
        {TYPE_FLOAT8E5M2, 57344, INFINITY},
        {TYPE_FLOAT8E5M2FNUZ, 57344, NAN},
    };
    static const Type from[] = {TYPE_FLOAT, TYPE_DOUBLE};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int k = 0; k < 4; k++) {
            bool saturate = k >= 2;
            double far = saturate ? cases[i].largest : cases[i].beyond;
            Folding *folding = cast_begin(cases[i].to, saturate);
            folding_input(folding, from[k % 2], "6",
                          (double[]){1.06, cases[i].largest * 1.02, 1e9, INFINITY, -1e9, NAN});
            assert_folds(folding, cases[i].to, "6", (double[]){1, cases[i].largest, far, far, -far, NAN}, 0);
        }
}

static void bits_are_read_as_another_type(void **state) {
    (void)state;
    Folding *folding = folding_begin("BitCast", 26);
    node_set_int(folding->node, "to", TYPE_UINT32);
    folding_input(folding, TYPE_FLOAT, "2", (double[]){1, -0.0});
    assert_folds_ints(folding, TYPE_UINT32, "2", (int64_t[]){0x3F800000, 0x80000000});
    folding = folding_begin("BitCast", 26);
    node_set_int(folding->node, "to", TYPE_UINT4);
    folding_input_ints(folding, TYPE_INT4, "2", (int64_t[]){-1, 7});
    assert_folds_ints(folding, TYPE_UINT4, "2", (int64_t[]){15, 7});
    folding = folding_begin("BitCast", 26);
    node_set_int(folding->node, "to", TYPE_INT64);
    folding_input(folding, TYPE_FLOAT, "", (double[]){1});
    assert_folding_fails(folding, STATUS_INVALID, "a float cannot be read as a int64");
    folding = cast_begin(99, -1);
    folding_input(folding, TYPE_FLOAT, "", (double[]){1});
    assert_folding_fails(folding, STATUS_INVALID, "to=99 is no type");
}

/* Each operation on small floats is rounded, as numpy does it. */
static void small_floats_are_rounded(void **state) {
    (void)state;
    Folding *folding = folding_begin("Sum", 13);
    for (int i = 0; i < 3; i++) folding_input(folding, TYPE_FLOAT16, "2", (double[]){i == 0 ? 2048 : 1, 1});
    assert_folds(folding, TYPE_FLOAT16, "2", (double[]){2048, 3}, 0);
    folding = folding_begin("Add", 14);
    folding_input(folding, TYPE_BFLOAT16, "", (double[]){256});
    folding_input(folding, TYPE_BFLOAT16, "", (double[]){1});
    assert_folds(folding, TYPE_BFLOAT16, "", (double[]){256}, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_wrap_around),
        cmocka_unit_test(integer_division_is_total),
        cmocka_unit_test(fmod_has_the_sign_of_the_dividend),
        cmocka_unit_test(shifts_are_total),
        cmocka_unit_test(bits_and_logic),
        cmocka_unit_test(powers_mix_types),
        cmocka_unit_test(nan_goes_through),
        cmocka_unit_test(ties_are_rounded_to_even),
        cmocka_unit_test(functions_agree_with_libm),
        cmocka_unit_test(attributes_reach_formulas),
        cmocka_unit_test(clip_has_three_forms),
        cmocka_unit_test(inputs_are_broadcast),
        cmocka_unit_test(variadic_operators_take_any_number),
        cmocka_unit_test(infinities_and_nan_are_found),
        cmocka_unit_test(comparisons),
        cmocka_unit_test(casts_out_of_range_saturate),
        cmocka_unit_test(casts_of_integers_wrap),
        cmocka_unit_test(casts_to_float8_saturate_or_not),
        cmocka_unit_test(bits_are_read_as_another_type),
        cmocka_unit_test(small_floats_are_rounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
