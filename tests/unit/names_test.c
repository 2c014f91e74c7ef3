/* names: identifiers, comments and strings made from arbitrary bytes. */
#include "emit/literal.h"
#include "emit/names.h"

#include <ctype.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static Arena *arena;

static int setup(void **state) {
    (void)state;
    arena = arena_new();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    arena_free(arena);
    return 0;
}

static void assert_identifier(const char *name) {
    assert_true(isalpha((unsigned char)*name) && islower((unsigned char)*name));
    for (const char *p = name; *p != '\0'; p++)
        assert_true((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '_');
    assert_null(strstr(name, "__")); /* reserved in C++ */
    assert_true(strlen(name) < 64);
}

static void identifiers_are_like_the_names(void **state) {
    (void)state;
    static const struct {
        const char *wish, *expected;
    } cases[] = {
        {"conv1.weight", "conv1_weight"},
        {"/layer1/layer1.0/se/Sigmoid_output_0", "layer1_0_se_sigmoid"},
        {"/se/sigmoid/Sigmoid_output_0", "se_sigmoid"},
        {"/se/sigmoid/Sigmoid_output_0", "se_sigmoid_2"},
        {"/a/ab/Add", "a_ab_add"},
        {"conv1.weight", "conv1_weight_2"},
        {"conv1_weight_2", "conv1_weight_2_2"},
        {"conv1-weight", "conv1_weight_3"},
        {"123", "v123"},
        {"", "value"},
        {"\xe6\xb3\xa8\xe6\x84\x8f", "value_2"},
        {"_output_0", "output_0"},
        {"int", "int_2"},
        {"class", "class_2"},
        {"Main", "main_2"},
        {"errno", "errno_2"},
        {"linux", "linux_2"},
        {"gamma", "gamma_2"},
        {"expf", "expf_2"},
        {"__x__", "x"},
    };
    Names names = names_new(arena);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(names_take(&names, cases[i].wish), cases[i].expected);
}

static unsigned next_random(unsigned *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Bytes that matter to C more often than chance would have it; an empty name now and then. */
static const char *random_name(unsigned *seed) {
    static const char spice[] = "*//\\?\"'%\n\r\t_aZ09.#{}()\xe2\x80\xae\xff";
    size_t length = next_random(seed) % (next_random(seed) % 50 == 0 ? 5000 : 24);
    char *name = arena_alloc(arena, length + 1);
    for (size_t i = 0; i < length; i++)
        name[i] = next_random(seed) % 2 == 0 ? spice[next_random(seed) % (sizeof spice - 1)]
                                             : (char)(1 + next_random(seed) % 255);
    return name;
}

static void random_names_give_unique_identifiers(void **state) {
    (void)state;
    unsigned seed = 20240611;
    printf("seed %u\n", seed);
    Names names = names_new(arena);
    Map seen = map_new(arena);
    for (int i = 0; i < 5000; i++) {
        const char *name = names_take(&names, random_name(&seed));
        assert_identifier(name);
        assert_null(map_get(&seen, name));
        map_set(&seen, name, &seen);
    }
}

static void comments_hold_whatever_they_are_given(void **state) {
    (void)state;
    unsigned seed = 20240612;
    printf("seed %u\n", seed);
    assert_string_equal(comment_text(arena, "/conv1/Conv"), "/conv1/Conv");
    assert_string_equal(comment_text(arena, "*/ x /*"), "*%2f x /%2a");
    assert_string_equal(comment_text(arena, "a\nb\\"), "a%0ab%5c");
    for (int i = 0; i < 20000; i++) {
        const char *text = comment_text(arena, random_name(&seed));
        size_t length = strlen(text);
        assert_true(length <= 320);
        for (const char *p = text; *p != '\0'; p++) assert_true(*p >= ' ' && *p <= '~' && *p != '\\');
        assert_null(strstr(text, "*/"));
        assert_null(strstr(text, "/*"));
        assert_null(strstr(text, "??"));
        assert_true(length == 0 || text[length - 1] != '*');
    }
}

/* What a string literal means, read as a C compiler does after trigraphs. */
static void assert_means(const char *literal, const char *expected) {
    assert_int_equal(literal[0], '"');
    const char *p = literal + 1;
    for (; *p != '"'; expected++) {
        assert_true(*p >= ' ' && *p <= '~' && *p != '?');
        int value = (unsigned char)*p++;
        if (value == '\\') {
            assert_true(p[0] >= '0' && p[0] <= '3' && p[1] >= '0' && p[1] <= '7' && p[2] >= '0' && p[2] <= '7');
            value = (p[0] - '0') * 64 + (p[1] - '0') * 8 + (p[2] - '0');
            p += 3;
        }
        assert_int_equal(value, (unsigned char)*expected);
    }
    assert_int_equal(p[1], '\0');
}

static void strings_mean_the_name(void **state) {
    (void)state;
    unsigned seed = 20240613;
    printf("seed %u\n", seed);
    assert_string_equal(string_literal(arena, "se.gate"), "\"se.gate\"");
    for (int i = 0; i < 5000; i++) {
        const char *name = random_name(&seed);
        assert_means(string_literal(arena, name), name);
    }
}

static void model_names_are_no_headers(void **state) {
    (void)state;
    assert_string_equal(model_name(arena, "SE-ResNet.50"), "SE_ResNet_50");
    assert_string_equal(model_name(arena, "math"), "math_model");
    assert_string_equal(model_name(arena, "npz"), "npz_model");
    assert_string_equal(model_name(arena, "3dnet"), "model_3dnet");
    assert_string_equal(model_name(arena, "../.."), "model");
}

static void literals_read_back(void **state) {
    (void)state;
    setlocale(LC_ALL, ""); /* whatever it is, the text is C's */
    assert_string_equal(literal_text(arena, TYPE_FLOAT, 0.1, 0), "0.1f");
    assert_string_equal(literal_text(arena, TYPE_DOUBLE, 0.1, 0), "0.1");
    assert_string_equal(literal_text(arena, TYPE_FLOAT, -1e-5, 0), "-1e-05f");
    assert_string_equal(literal_text(arena, TYPE_FLOAT, 784, 0), "784.0f");
    assert_string_equal(literal_text(arena, TYPE_FLOAT, -20, 0), "-20.0f");
    assert_string_equal(literal_text(arena, TYPE_DOUBLE, -0.0, 0), "-0.0");
    assert_string_equal(literal_text(arena, TYPE_FLOAT, -INFINITY, 0), "-INFINITY");
    assert_string_equal(literal_text(arena, TYPE_FLOAT16, 0.1, 0), "0.099975586f");
    assert_string_equal(literal_text(arena, TYPE_INT64, 0, INT64_MIN), "INT64_MIN");
    assert_string_equal(literal_text(arena, TYPE_UINT64, 0, -1), "18446744073709551615u");
    unsigned seed = 20240614;
    printf("seed %u\n", seed);
    Shape shape = shape_of(1, (int64_t[]){1});
    Tensor *tensor = tensor_new(arena, TYPE_FLOAT, &shape);
    for (int i = 0; i < 20000; i++) {
        uint32_t bits = next_random(&seed) ^ next_random(&seed) << 12;
        float value, back;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value)) continue;
        setlocale(LC_ALL, "");
        const char *decimal = literal_text(arena, TYPE_FLOAT, (double)value, 0);
        setlocale(LC_ALL, "C");
        back = strtof(decimal, NULL);
        assert_memory_equal(&back, &value, sizeof value);
        memcpy(tensor->data, &value, sizeof value);
        Text text = text_new(arena);
        literal_element(&text, tensor, 0);
        back = strtof(text.data, NULL);
        assert_memory_equal(&back, &value, sizeof value);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(identifiers_are_like_the_names, setup, teardown),
        cmocka_unit_test_setup_teardown(random_names_give_unique_identifiers, setup, teardown),
        cmocka_unit_test_setup_teardown(comments_hold_whatever_they_are_given, setup, teardown),
        cmocka_unit_test_setup_teardown(strings_mean_the_name, setup, teardown),
        cmocka_unit_test_setup_teardown(model_names_are_no_headers, setup, teardown),
        cmocka_unit_test_setup_teardown(literals_read_back, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
