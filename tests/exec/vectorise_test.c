/* Formulas over vectors: each formula of runtime/formulas.txt, alone and in random chains, is written for scalars and
 * for vectors as the emitter does it, compiled for several targets, and has to give the same bits. */
#include "emit/function.h"
#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const Formula FORMULAS[];

typedef struct {
    Text code, calls;
    int count;
} Writer;

/* A body as two functions of 4 values, and their call in main(). */
static void write_body(Writer *writer, const Loop *body, const char *name) {
    static const char *const scalars[] = {"x[0]", "x[1]", "x[2]", "x[3]"};
    static const char *const vectors[] = {"x0", "x1", "x2", "x3"};
    Arena *arena = writer->code.arena;
    Text scalar = text_new(arena), vector = text_new(arena);
    const char *one = body_statements(&scalar, "    ", body, scalars, "v");
    const char *all = body_vector_statements(&vector, "    ", body, vectors, "v");
    text_printf(&writer->code, "static float scalar_%d(const float *x) {\n    (void)x;\n%s    return %s;\n}\n\n",
                writer->count, scalar.data, one);
    text_printf(&writer->code, "WIDE static void vector_%d(const float *from, float *to) {\n", writer->count);
    bool used[MAX_OPERANDS];
    body_uses(body, used);
    text_add(&writer->code, "    (void)from;\n");
    for (int i = 0; i < 4; i++)
        if (used[i]) text_printf(&writer->code, "    const vf %s = vf_load(from + %d * LANES);\n", vectors[i], i);
    text_printf(&writer->code, "%s    vf_store(to, %s);\n}\n\n", vector.data, all);
    text_printf(&writer->calls, "    bad += compare(\"%s\", scalar_%d, vector_%d, %d);\n", name, writer->count,
                writer->count, strstr(vector.data, "copysign") != NULL || strstr(all, "copysign") != NULL);
    writer->count++;
}

/* What operand() takes for the four inputs, and for a literal. */
static const uint64_t INPUTS[] = {2, 5, 8, 11};
enum { MINUS_HALF = 3 };

/* An operand of a formula: an input, a literal, or an earlier result; a bool is made of a comparison. */
static int operand(Loop *body, const Formula *formula, int k, uint64_t choice) {
    static const double literals[] = {0, -0.5, 1, 2.75, 6};
    if (strcmp(formula->name, "where") == 0 && k == 0)
        return loop_apply(body, "less", TYPE_FLOAT, TYPE_BOOL, 2, (int[]){0, 1});
    if (choice % 3 == 0) return loop_literal(body, TYPE_FLOAT, literals[choice / 3 % 5]);
    int last = body->scalar_count - 1;
    if (choice % 3 == 1 && body->scalars[last].type == TYPE_FLOAT) return last;
    return (int)(choice / 3 % 4);
}

static int parameter_count(const Formula *formula) {
    int count = 1;
    for (const char *p = formula->parameters; *p != '\0'; p++) count += *p == ' ';
    return count;
}

/* Appends a formula; choices[k] picks its k-th operand. */
static void append(Loop *body, const Formula *formula, const uint64_t *choices) {
    int arguments[4], count = parameter_count(formula);
    for (int k = 0; k < count; k++) arguments[k] = operand(body, formula, k, choices[k]);
    int made =
        loop_apply(body, formula->name, TYPE_FLOAT, formula->is_predicate ? TYPE_BOOL : TYPE_FLOAT, count, arguments);
    if (formula->is_predicate) loop_cast(body, made, TYPE_FLOAT);
}

static Loop *body_new(Arena *arena) {
    Loop *body = arena_new_object(arena, Loop);
    body->input_count = body->scalar_count = 4;
    for (int i = 0; i < 4; i++) body->scalars[i].type = TYPE_FLOAT;
    return body;
}

/* Each formula of inputs alone, and with a literal in each place. */
static void write_formulas(Writer *writer) {
    for (const Formula *formula = FORMULAS; formula->name != NULL; formula++) {
        if (formula->texts[TYPE_FLOAT] == NULL || strcmp(formula->name, "cast") == 0) continue;
        for (int literal = -1; literal < parameter_count(formula); literal++) {
            uint64_t choices[4];
            memcpy(choices, INPUTS, sizeof choices);
            if (literal >= 0) choices[literal] = MINUS_HALF;
            Loop *body = body_new(writer->code.arena);
            append(body, formula, choices);
            if (body_is_vector(body)) write_body(writer, body, formula->name);
        }
    }
}

/* Whether a formula appended last has one operand twice: C compilers warn of `x < x`. */
static bool compares_with_itself(const Loop *body, int from) {
    for (int i = from; i < body->scalar_count; i++)
        for (int k = 1; k < body->scalars[i].argument_count; k++)
            for (int j = 0; j < k; j++)
                if (body->scalars[i].arguments[j] == body->scalars[i].arguments[k]) return true;
    return false;
}

/* Some formulas, one after the other. */
static void write_chain(Writer *writer, Random *random) {
    int formula_count = 0;
    while (FORMULAS[formula_count].name != NULL) formula_count++;
    Loop *body = body_new(writer->code.arena);
    for (int left = 2 + (int)random_below(random, 5); left > 0;) {
        const Formula *formula = &FORMULAS[random_below(random, (uint64_t)formula_count)];
        if (formula->texts[TYPE_FLOAT] == NULL || strcmp(formula->name, "cast") == 0) continue;
        Loop longer = *body;
        append(&longer, formula,
               (uint64_t[]){random_next(random) >> 8, random_next(random) >> 8, random_next(random) >> 8,
                            random_next(random) >> 8});
        if (!body_is_vector(&longer) || compares_with_itself(&longer, body->scalar_count)) continue;
        *body = longer;
        left--;
    }
    write_body(writer, body, "a chain");
}

/* Compares a formula's two forms over all quadruples of special values, and random ones. */
static const char *const COMPARE =
    "typedef float Scalar(const float *x);\ntypedef void Vector(const float *from, float *to);\n\n"
    "static float value(uint32_t *state) {\n"
    "    static const float special[] = {0, -0.0f, 1, -1, 3, -3, 1e-40f, 1e30f, -1e30f, INFINITY, -INFINITY, NAN};\n"
    "    *state = *state * 1664525u + 1013904223u;\n"
    "    const uint32_t pick = *state >> 24;\n"
    "    return pick < 48 ? special[pick % 12] : (float)(int32_t)*state * (pick < 128 ? 4e-9f : 4e-8f);\n}\n\n"
    "static int compare(const char *name, Scalar *scalar, Vector *vector, int copies_sign) {\n"
    "    uint32_t state = 1;\n"
    "    for (int run = 0; run < 1500; run++) {\n"
    "        float from[4 * LANES], to[LANES];\n"
    "        for (int i = 0; i < 4 * LANES; i++) from[i] = value(&state);\n"
    "        vector(from, to);\n"
    "        for (int i = 0; i < LANES; i++) {\n"
    "            const float x[4] = {from[i], from[LANES + i], from[2 * LANES + i], from[3 * LANES + i]};\n"
    "            const float y = scalar(x);\n"
    "            if (y != y ? to[i] != to[i] : memcmp(&y, &to[i], sizeof y) == 0) continue;\n"
    "            if ((CONFUSES_ZEROS || copies_sign) && y == 0 && to[i] == 0) continue;\n"
    "            printf(\"%s of %g %g %g %g: %.9g, as a vector %.9g\\n\", name, (double)x[0], (double)x[1],\n"
    "                   (double)x[2], (double)x[3], (double)y, (double)to[i]);\n"
    "            return 1;\n        }\n    }\n    return 0;\n}\n\n";

static void write_program(const Writer *writer, const char *path) {
    Arena *arena = writer->code.arena;
    Text support = text_new(arena), whole = text_new(arena);
    add_support(&support, arena_printf(arena, "vf %s", writer->code.data));
    text_printf(&whole,
                "#include <math.h>\n#include <stdint.h>\n#include <stdio.h>\n#include <string.h>\n\n"
                "#ifdef __clang__\n#define CONFUSES_ZEROS 1\n#else\n#define CONFUSES_ZEROS 0\n#endif\n\n%s%s%s",
                support.data, writer->code.data, COMPARE);
    text_printf(&whole, "int main(void) {\n    int bad = 0;\n%s    return bad != 0;\n}\n", writer->calls.data);
    write_bytes(path, whole.data, whole.length);
}

/* With -ffp-contract=off, since the compiler is free to round a product and a sum once in one form and twice in the
 * other. Clang 14 makes x >= 0 ? -0 : x of -0 < x ? -0 : x in vectors, where -0 is a constant; and a NaN has no sign
 * that a zero could be given. -march=native is the widest vector that can be run here, without the powers from a table
 * that only vectors have; tests/unit/maths_wide_test.c is of these. */
static void compile_and_run(Arena *arena, const char *folder, const char *source) {
    static const char *const builds[] = {"gcc", "gcc -march=native -DPOWERS=0", "gcc -DLANES=1", "clang",
                                         "clang -march=native -DPOWERS=0"};
    for (size_t i = 0; i < sizeof builds / sizeof *builds; i++) {
        const char *command = arena_printf(arena,
                                           "%s -std=c99 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -O1 "
                                           "-ffp-contract=off %s -o %s/program -lm && %s/program",
                                           builds[i], source, folder, folder);
        if (system(command) != 0) fail_test("failed: %s", command);
    }
}

static void both_forms_give_the_same(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Writer writer = {.code = text_new(arena), .calls = text_new(arena)};
    Random random = random_new();
    write_formulas(&writer);
    for (int i = 0; i < 40; i++) write_chain(&writer, &random);
    const char *folder = test_folder(arena), *source = test_path(arena, folder, "formulas.c");
    write_program(&writer, source);
    compile_and_run(arena, folder, source);
    arena_free(arena);
}

/* A body of one formula of inputs. */
static Loop *body_of(Arena *arena, const char *formula) {
    Loop *body = body_new(arena);
    append(body, formula_find(formula), INPUTS);
    return body;
}

/* What a compiler says of the loops that it has made vectors of. */
static const char *const REPORTS[] = {"gcc -fopt-info-vec-optimized", "clang -Rpass=loop-vectorize"};

static void loops_over_scalars_become_vectors(void **state) {
    (void)state;
    static const char *const names[] = {"exp",       "log",     "tanh",  "erf",  "sigmoid",    "gelu",
                                        "gelu_tanh", "swish",   "elu",   "selu", "hard_swish", "leaky_relu",
                                        "softplus",  "at_most", "floor", "mish"};
    enum { NAMES = sizeof names / sizeof *names };
    static const char *const inputs[] = {"x[i]", "0.5f", "0.25f", "0.125f"};
    Arena *arena = arena_new();
    Text code = text_new(arena), support = text_new(arena);
    for (int i = 0; i < NAMES; i++) {
        Text before = text_new(arena);
        const char *result = body_statements(&before, "", body_of(arena, names[i]), inputs, "v");
        text_printf(&code, "void loop_%d(const float *restrict x, float *restrict y);\n", i);
        text_printf(&code, "void loop_%d(const float *restrict x, float *restrict y) {\n", i);
        text_printf(&code, "    for (int i = 0; i < 4096; i++) {\n%s        y[i] = %s;\n    }\n}\n\n", before.data,
                    result);
    }
    add_support(&support, code.data);
    const char *head = "#include <math.h>\n#include <stdint.h>\n#include <string.h>\n\n";
    const char *whole = arena_printf(arena, "%s%s%s", head, support.data, code.data);
    const char *folder = test_folder(arena), *source = test_path(arena, folder, "loops.c");
    write_bytes(source, whole, strlen(whole));
    for (int i = 0; i < 2; i++) {
        const char *command = arena_printf(
            arena, "%s -std=c99 -O3 -c %s -o %s/loops.o 2>&1 | grep -cE '(loop vectorized|vectorized loop)'",
            REPORTS[i], source, folder);
        FILE *said = popen(command, "r");
        int count = 0;
        assert_non_null(said);
        assert_int_equal(fscanf(said, "%d", &count), 1);
        pclose(said);
        if (count != NAMES) fail_test("%d of %d loops: %s", count, NAMES, command);
    }
    arena_free(arena);
}

static void what_networks_use_has_a_vector_form(void **state) {
    (void)state;
    static const char *const names[] = {
        "add",       "subtract", "multiply",     "divide",     "maximum", "minimum",    "relu",   "leaky_relu",
        "prelu",     "sigmoid",  "hard_sigmoid", "hard_swish", "swish",   "gelu",       "tanh",   "erf",
        "gelu_tanh", "elu",      "softplus",     "mish",       "selu",    "reciprocal", "square", "negate",
        "where",     "absolute", "exp",          "log",        "floor",   "limited",    "less",   "softsign"};
    Arena *arena = arena_new();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!body_is_vector(body_of(arena, names[i]))) fail_test("%s has no vector form", names[i]);
    arena_free(arena);
}

static void the_rest_has_none(void **state) {
    (void)state;
    Arena *arena = arena_new();
    assert_false(body_is_vector(body_of(arena, "sin"))); /* the C library's */
    Loop *body = body_new(arena);
    int whole = loop_cast(body, 0, TYPE_INT32);
    loop_cast(body, whole, TYPE_FLOAT);
    assert_false(body_is_vector(body));
    body = body_new(arena);
    loop_apply(body, "less", TYPE_FLOAT, TYPE_BOOL, 2, (int[]){0, 1});
    assert_false(body_is_vector(body)); /* a mask is no result */
    body = body_new(arena);
    body->scalars[0].type = TYPE_DOUBLE;
    append(body, formula_find("relu"), INPUTS);
    assert_false(body_is_vector(body));
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_forms_give_the_same),
        cmocka_unit_test(loops_over_scalars_become_vectors),
        cmocka_unit_test(what_networks_use_has_a_vector_form),
        cmocka_unit_test(the_rest_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
