/* The pattern language: what is read, and errors that point at line and column. */
#include "patterns/pattern.h"
#include "support/test.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    PatternSet *set;
    const char *text;
} Reading;

static void read_body(void *argument) {
    const Reading *reading = argument;
    patterns_parse(reading->set, "mine.pattern", reading->text);
}

/* The message, which has to be "mine.pattern:LINE:COLUMN: ...". */
static void assert_wrong(const char *text, const char *message) {
    Arena *arena = arena_new();
    PatternSet set = patterns_new(arena);
    expect_failure(STATUS_USAGE, message, read_body, &(Reading){&set, text});
    arena_free(arena);
}

static BlockPattern *read_block(Arena *arena, const char *text) {
    PatternSet set = patterns_new(arena);
    patterns_parse(&set, "mine.pattern", text);
    assert_int_equal(set.blocks.count, 1);
    return set.blocks.items[0];
}

/* A term as it was put in place: names of tensors with their numbers, choices in parentheses. */
static void write_term(Text *text, const Term *term) {
    if (term->kind == TERM_NUMBER) text_printf(text, "%g", term->number);
    if (term->kind == TERM_TENSOR && term->tensor < 0) text_add(text, "_");
    if (term->kind == TERM_TENSOR && term->tensor >= 0) text_printf(text, "%s#%d", term->name, term->tensor);
    if (term->kind == TERM_NODE) text_add(text, term->name);
    if (term->output > 0) text_printf(text, ".%d", term->output);
    if (term->kind == TERM_NODE || term->kind == TERM_CHOICE) {
        text_add(text, "(");
        for (int i = 0; i < term->arguments.count; i++) {
            if (i > 0) text_add(text, term->kind == TERM_CHOICE ? " | " : ", ");
            write_term(text, term->arguments.items[i]);
        }
        text_add(text, term->is_open ? ", ..)" : ")");
    }
    if (term->is_optional) text_add(text, "?");
    if (term->shape != NULL) text_add(text, term->shape->text);
    for (int i = 0; i < term->conditions.count; i++) text_printf(text, "{%s}", term->conditions.items[i].text);
}

/* The equations of a block as they were put in place, "x#0 = ...; " each. */
static const char *equations(Arena *arena, const BlockPattern *block) {
    Text text = text_new(arena);
    for (int i = 0; i < block->tensors.count; i++) {
        const PatternTensor *tensor = &block->tensors.items[i];
        if (tensor->equation == NULL) continue;
        text_printf(&text, "%s#%d = ", tensor->name, i);
        write_term(&text, tensor->equation);
        text_add(&text, "; ");
    }
    return text.data;
}

static void assert_read(const char *text, const char *expected) {
    Arena *arena = arena_new();
    assert_string_equal(equations(arena, read_block(arena, text)), expected);
    arena_free(arena);
}

static void equations_and_probes(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const BlockPattern *block = read_block(arena, "# A gate.\n"
                                                  "block se\n"
                                                  "  gate[N C] = Sigmoid(Gemm(x, w{constant}, b?)) # dense\n"
                                                  "  out = Mul(x[N C 1..], gate)\n"
                                                  "probe gate channel [N C]\n"
                                                  "probe x [N 1 H W] on request\n");
    assert_string_equal(equations(arena, block), "gate#3 = Sigmoid(Gemm(x#0, w#1{constant}, b#2?)); "
                                                 "out#4 = Mul(x#0[N C 1..], gate#3); ");
    assert_string_equal(block->family, "se");
    assert_int_equal(block->root, 4);
    assert_string_equal(block->tensors.items[3].shape->text, "[N C]");
    assert_int_equal(block->probes.count, 2);
    assert_string_equal(block->probes.items[0].kind, "channel");
    assert_string_equal(block->probes.items[0].axes, "N C");
    assert_false(block->probes.items[0].on_request);
    assert_int_equal(block->probes.items[1].tensor, 0);
    assert_string_equal(block->probes.items[1].axes, "N 1 H W");
    assert_int_equal(block->probes.items[1].shape.dims.count, 4);
    assert_true(block->probes.items[1].on_request);
    arena_free(arena);
}

static void numbers_outputs_and_conditions(void **state) {
    (void)state;
    assert_read("block b\n out = Clip(Split.1(x, ..){axis=-1, axes=[1 2]}, -1e-3, 6)[_ ..]",
                "out#1 = Clip(Split.1(x#0, ..){axis=-1}{axes=[1 2]}, -0.001, 6)[_ ..]; ");
}

/* A definition's own names are new in each use; what is handed over is one tensor, however often it occurs. */
static void definitions(void **state) {
    (void)state;
    assert_read("define Layer(x, w) = MatMul(x, w) | Add(MatMul(x, w), b)\n"
                "define Silu(x) = Mul(x, Sigmoid(x))\n"
                "block b\n out = Layer(Silu(Layer(y)), v)",
                "x#3 = (MatMul(x#0, w#1) | Add(MatMul(x#0, w#1), b#2)); "
                "x#4 = Mul(x#3, Sigmoid(x#3)); "
                "out#7 = (MatMul(x#4, w#5) | Add(MatMul(x#4, w#5), b#6)); ");
}

static void optional_steps(void **state) {
    (void)state;
    assert_read("block b\n out = Relu(Add?(MatMul(x, w), b))",
                "x#2 = MatMul(x#0, w#1); out#4 = Relu((Add(x#2, b#3) | x#2)); ");
}

static void wrong_tokens(void **state) {
    (void)state;
    assert_wrong("block se\n  out = Mul(x; y)", "mine.pattern:2:14: a character that means nothing here: ';'");
    assert_wrong("block se\n  out = Mul(x y)", "mine.pattern:2:15: expected ',', found 'y'");
    assert_wrong("block se\n  out = Mul(x, y", "mine.pattern:2:17: expected ',', found the end of the file");
    assert_wrong("blok se", "mine.pattern:1:1: expected 'define', 'block' or 'rewrite', found 'blok'");
    assert_wrong("block se\n\n", "mine.pattern:3:1: expected an equation (NAME = ...), found the end of the file");
    assert_wrong("block se\n  out Mul(x)", "mine.pattern:2:7: expected '=', found 'Mul'");
    assert_wrong("block se\n  out = | Mul(x)",
                 "mine.pattern:2:9: expected a tensor, an operator or a number, found '|'");
    assert_wrong("block block\n  out = Mul(x)", "mine.pattern:1:7: expected the family's name, found 'block'");
}

static void wrong_shapes_and_conditions(void **state) {
    (void)state;
    assert_wrong("block b\n out = Relu(x[N .. C ..])", "mine.pattern:2:24: a shape has one '..' or '1..'");
    assert_wrong("block b\n out = Relu(x[N 1.5])", "mine.pattern:2:17: expected a whole number, found '1.5'");
    assert_wrong("block b\n out = Relu(x{scaler})", "mine.pattern:2:15: expected 'constant', 'computed', 'scalar', "
                                                    "'varied', 'unmasked' or 'output', found 'scaler'");
    assert_wrong("block b\n out = Relu(x){axis}", "mine.pattern:2:20: expected '=', found '}'");
    assert_wrong("block b\n out = Relu(x){axis=|}",
                 "mine.pattern:2:21: expected a number, a list, a string, a name or 'spatial', found '|'");
    assert_wrong("block b\n out = Split.x(y)", "mine.pattern:2:14: expected the number of an output, found 'x'");
}

static void wrong_definitions(void **state) {
    (void)state;
    assert_wrong("define F(x) = Relu(x)\ndefine F(x) = Tanh(x)", "mine.pattern:2:8: F is defined already");
    assert_wrong("define F(x) = Relu(x)\n            | F(x)", "mine.pattern:2:15: F is made of itself");
    assert_wrong("define F(x) = Relu(x)\nblock b\n out = F(x, y)", "mine.pattern:3:8: F takes 1 argument, not 2");
    assert_wrong("define F(x) = Relu(x)\nblock b\n out = F(x){axis=1}", "mine.pattern:3:8: F is a definition");
    assert_wrong("block b\n out = Relu?()", "mine.pattern:2:8: 'Relu?' needs an argument");
}

static void wrong_blocks(void **state) {
    (void)state;
    assert_wrong("block b\n y = Relu(x)\n out = Neg(x)", "mine.pattern:2:2: no equation below makes use of y");
    assert_wrong("block b\n y = Relu(x)\n y = Neg(y)", "mine.pattern:3:2: y stands above already");
    assert_wrong("block b\n y = Relu(x)\n x = Neg(y)", "mine.pattern:3:2: x stands above already");
    assert_wrong("block b\n y = Relu(y)", "mine.pattern:2:2: y is made of itself");
    assert_wrong("block b\n y = Relu(x)\nprobe z [N]", "mine.pattern:3:7: the block has no tensor z");
    assert_wrong("block b\n y = Relu(x)\nprobe y map [N]",
                 "mine.pattern:3:9: expected 'define', 'block' or 'rewrite', found 'map'");
    assert_wrong("block b\n y = Relu(x)\nprobe y [N] on demand",
                 "mine.pattern:3:16: expected 'request', found 'demand'");
}

/* Neither depth nor size can be driven up without bound. */
static void limits(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Text deep = text_new(arena), large = text_new(arena);
    text_add(&deep, "block b\n y = ");
    for (int i = 0; i < 1000; i++) text_add(&deep, "Relu(");
    assert_wrong(deep.data, "expected less nesting");
    text_add(&large, "define F0(x) = Add(x, y)\n");
    for (int i = 1; i < 40; i++) text_printf(&large, "define F%d(x) = Add(F%d(y), F%d(z))\n", i, i - 1, i - 1);
    assert_wrong(large.data, "the block is too large");
    arena_free(arena);
}

static void patterns_of_fovea(void **state) {
    (void)state;
    Arena *arena = arena_new();
    PatternSet set = patterns_load(arena, NULL, 0);
    assert_true(set.blocks.count >= 4);
    arena_free(arena);
}

/* A user's file can use the definitions of common.pattern, and comes first. */
static void files_of_the_user(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const char *path = test_path(arena, test_folder(arena), "mine.pattern");
    static const char text[] = "block mine\n out = Mul(x, Gate(GlobalMax(x)))\nprobe out [N C]\n";
    write_bytes(path, text, sizeof text - 1);
    PatternSet set = patterns_load(arena, &path, 1);
    assert_string_equal(set.blocks.items[0]->family, "mine");
    assert_true(set.blocks.count >= 5);
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equations_and_probes),
        cmocka_unit_test(numbers_outputs_and_conditions),
        cmocka_unit_test(definitions),
        cmocka_unit_test(optional_steps),
        cmocka_unit_test(wrong_tokens),
        cmocka_unit_test(wrong_shapes_and_conditions),
        cmocka_unit_test(wrong_definitions),
        cmocka_unit_test(wrong_blocks),
        cmocka_unit_test(limits),
        cmocka_unit_test(patterns_of_fovea),
        cmocka_unit_test(files_of_the_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
