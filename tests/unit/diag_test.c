/* Tests of base/diag.h: messages, unwinding, and names that try to do harm when they are printed. */
#include "support/test.h"

#include <stdio.h>
#include <string.h>

static void fail_with(void *status) { fail(*(Status *)status, "number %d", 7); }

static void failures_become_statuses(void **state) {
    (void)state;
    for (Status status = STATUS_INVALID; status <= STATUS_SYSTEM; status++)
        expect_failure(status, "fovea: error: number 7\n", fail_with, &status);
    Status bug = STATUS_BUG;
    expect_failure(STATUS_BUG, "bug in fovea, please report it: number 7", fail_with, &bug);
}

static void messages_name_the_file(void **state) {
    (void)state;
    Status status = STATUS_INVALID;
    diag_file("model.onnx");
    expect_failure(STATUS_INVALID, "model.onnx: error: number 7\n", fail_with, &status);
    diag_file(NULL);
}

static void report_three(void *unused) {
    (void)unused;
    report(STATUS_INVALID, "first");
    report(STATUS_UNSUPPORTED, "second");
    note("what to do");
    report(STATUS_INVALID, "third");
    fail_if_reported();
}

static void warn_only(void *unused) {
    (void)unused;
    warn("careful");
    fail_if_reported();
}

static void the_gravest_report_counts(void **state) {
    (void)state;
    expect_failure(STATUS_UNSUPPORTED,
                   "error: first\nfovea: error: second\nfovea: note: what to do\nfovea: error: third\n", report_three,
                   NULL);
    assert_int_equal(run_quietly(warn_only, NULL), STATUS_OK);
    assert_string_equal(last_messages(), "fovea: warning: careful\n");
}

static void warn_again(void *unused) {
    warn_only(unused);
    warn("of another thing");
    warn_only(unused);
}

static void a_warning_is_said_once(void **state) {
    (void)state;
    assert_int_equal(run_quietly(warn_again, NULL), STATUS_OK);
    assert_string_equal(last_messages(), "fovea: warning: careful\nfovea: warning: of another thing\n");
}

static void report_one(void *unused) {
    (void)unused;
    report(STATUS_INVALID, "inner");
}
static void report_in_inner_guard(void *unused) {
    (void)unused;
    assert_int_equal(guard(report_one, NULL), STATUS_OK);
    fail_if_reported();
}
static void survive_inner_failure(void *unused) {
    Status status = STATUS_SYSTEM;
    assert_int_equal(guard(fail_with, &status), STATUS_SYSTEM);
    assert_int_equal(guard(report_three, unused), STATUS_UNSUPPORTED);
    fail_if_reported(); /* those failures were dealt with */
}

static void guards_nest(void **state) {
    (void)state;
    expect_failure(STATUS_INVALID, "inner", report_in_inner_guard, NULL);
    assert_int_equal(run_quietly(survive_inner_failure, NULL), STATUS_OK);
}

static void a_full_capture_is_cut(void **state) {
    (void)state;
    char small[16];
    diag_capture(small, sizeof small);
    warn("0123456789");
    warn("0123456780");
    diag_capture(NULL, 0);
    assert_string_equal(small, "fovea: warning:");
}

static void check_quoted(const char *name, const char *expected) { assert_string_equal(quoted(name), expected); }

static void names_are_quoted(void **state) {
    (void)state;
    check_quoted("", "''");
    check_quoted(NULL, "''");
    check_quoted("enc/MatMul_3", "'enc/MatMul_3'");
    check_quoted("Größe 重み 🙂", "'Größe 重み 🙂'");
    check_quoted("it's", "'it\\x27s'");
    check_quoted("a\\", "'a\\x5c'");
    check_quoted("%s%n", "'%s%n'");
    check_quoted("*/ system();//", "'*/ system();//'");
    check_quoted("a\nb\tc\r\x1b[31m\x7f", "'a\\x0ab\\x09c\\x0d\\x1b[31m\\x7f'");
}

static void bad_utf8_is_escaped(void **state) {
    (void)state;
    check_quoted("\xff\xfe", "'\\xff\\xfe'");
    check_quoted("\xc3", "'\\xc3'");                            /* cut off */
    check_quoted("\xc3(", "'\\xc3('");                          /* not continued */
    check_quoted("\x80\xbf", "'\\x80\\xbf'");                   /* continuation without a start */
    check_quoted("\xc0\xaf", "'\\xc0\\xaf'");                   /* overlong / */
    check_quoted("\xe0\x80\xaf", "'\\xe0\\x80\\xaf'");          /* overlong / */
    check_quoted("\xf0\x82\x82\xac", "'\\xf0\\x82\\x82\\xac'"); /* overlong euro */
    check_quoted("\xed\xa0\x80", "'\\xed\\xa0\\x80'");          /* a surrogate */
    check_quoted("\xf4\x90\x80\x80", "'\\xf4\\x90\\x80\\x80'"); /* above U+10FFFF */
    check_quoted("\xf5\x80\x80\x80", "'\\xf5\\x80\\x80\\x80'");
    check_quoted("\xf8\x88\x80\x80\x80", "'\\xf8\\x88\\x80\\x80\\x80'");
    check_quoted("\xf0\x9f\x99", "'\\xf0\\x9f\\x99'"); /* cut off */
    check_quoted("\xef\xbf\xbd", "'\xef\xbf\xbd'");    /* the replacement character is one like others */
    check_quoted("\xf4\x8f\xbf\xbf", "'\xf4\x8f\xbf\xbf'");
}

static void invisible_and_bidirectional_characters_are_escaped(void **state) {
    (void)state;
    static const char *const characters[] = {
        "\u202A", "\u202B", "\u202C", "\u202D", "\u202E",   "\u2066",   "\u2067",     "\u2068",
        "\u2069", "\u200E", "\u200F", "\u061C", "\u200B",   "\u200D",   "\u2028",     "\u2029",
        "\u2060", "\uFEFF", "\u00AD", "\u180E", "\xc2\x9b", "\xc2\x80", "\U000E0041", "\uFFF9",
    };
    for (size_t i = 0; i < sizeof characters / sizeof *characters; i++) {
        const char *text = quoted(characters[i]);
        for (const char *at = text; *at != '\0'; at++) assert_in_range(*at, 0x20, 0x7E);
        assert_int_equal(strlen(text), 2 + 4 * strlen(characters[i]));
    }
}

static void long_names_are_shortened(void **state) {
    (void)state;
    static const char *const units[] = {"a",  "\xc3\xa4", "\xe9\x87\x8d", "\xf0\x9f\x99\x82",
                                        "\n", "\xff",     "\u202E",       "\U000E0041"};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        for (int count = 1; count < 200; count++) {
            char name[2000] = "";
            for (int k = 0; k < count; k++) strcat(name, units[i]);
            const char *text = quoted(name);
            size_t length = strlen(text);
            assert_in_range(length, 3, 504);
            assert_int_equal(text[length - 1], '\'');
            bool is_cut = length > 5 && memcmp(text + length - 4, "...", 3) == 0;
            size_t whole = 2 + strlen(name) * (i < 4 ? 1 : 4);
            if (is_cut) assert_true(length < whole + 3);
            else assert_int_equal(length, whole); /* never cut in silence */
            if (count <= 30) assert_false(is_cut);
        }
    static char huge[1 << 20];
    memset(huge, 'x', sizeof huge - 1);
    assert_int_equal(strlen(quoted(huge)), 1 + 120 + 3 + 1);
}

/* Undoes the escapes. */
static size_t unquote(const char *text, unsigned char *out) {
    size_t length = 0;
    for (const char *at = text + 1; at[1] != '\0'; at++) {
        if (*at != '\\') out[length++] = (unsigned char)*at;
        else {
            unsigned byte;
            assert_int_equal(sscanf(at, "\\x%2x", &byte), 1);
            out[length++] = (unsigned char)byte;
            at += 3;
        }
    }
    return length;
}

static void random_names_come_back(void **state) {
    (void)state;
    Random random = random_new();
    for (int round = 0; round < 50000; round++) {
        unsigned char name[32], back[64];
        size_t length = (size_t)random_below(&random, 28);
        for (size_t i = 0; i < length; i++) {
            name[i] = (unsigned char)(random_next(&random) >> 20);
            if (round % 2 == 0 && i > 0) name[i] = (unsigned char)(0x80 | (name[i] & 0x3F)); /* nearly UTF-8 */
            if (name[i] == '\0') name[i] = 0xE2;
        }
        name[length] = '\0';
        const char *text = quoted((const char *)name);
        for (const char *at = text; *at != '\0'; at++) assert_true((unsigned char)*at >= 0x20 && *at != 0x7F);
        assert_int_equal(unquote(text, back), length);
        assert_memory_equal(back, name, length);
        assert_null(memchr(text + 1, '\'', strlen(text) - 2));
    }
}

static void eight_results_live_at_once(void **state) {
    (void)state;
    const char *results[8];
    char name[2] = "a";
    for (int i = 0; i < 8; i++, name[0]++) results[i] = quoted(name);
    for (int i = 0; i < 8; i++) assert_int_equal(results[i][1], 'a' + i);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_become_statuses),
        cmocka_unit_test(messages_name_the_file),
        cmocka_unit_test(the_gravest_report_counts),
        cmocka_unit_test(a_warning_is_said_once),
        cmocka_unit_test(guards_nest),
        cmocka_unit_test(a_full_capture_is_cut),
        cmocka_unit_test(names_are_quoted),
        cmocka_unit_test(bad_utf8_is_escaped),
        cmocka_unit_test(invisible_and_bidirectional_characters_are_escaped),
        cmocka_unit_test(long_names_are_shortened),
        cmocka_unit_test(random_names_come_back),
        cmocka_unit_test(eight_results_live_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
