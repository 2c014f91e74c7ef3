/* Expression: recursive descent, one function a level of precedence.
 * Each takes the place in the text and moves it on. */
#include "program/expression.h"

#include "base/checked.h"
#include "base/diag.h"

#include <ctype.h>
#include <stdlib.h>

typedef struct {
    const char *text, *at;
    ExpressionName *value_of;
    const void *argument;
} Parser;

static char next(Parser *parser) {
    while (*parser->at == ' ') parser->at++;
    return *parser->at;
}

static int64_t sum(Parser *parser);

/* A number, a name or something in parentheses. */
static int64_t term(Parser *parser) {
    char c = next(parser);
    if (isdigit((unsigned char)c)) {
        char *end;
        int64_t number = strtoll(parser->at, &end, 10);
        parser->at = end;
        return number;
    }
    if (isalpha((unsigned char)c)) {
        const char *name = parser->at;
        while (isalnum((unsigned char)*parser->at) || *parser->at == '_') parser->at++;
        return parser->value_of(name, (size_t)(parser->at - name), parser->argument);
    }
    if (c == '(') {
        parser->at++;
        int64_t value = sum(parser);
        if (next(parser) == ')') {
            parser->at++;
            return value;
        }
    }
    fail(STATUS_BUG, "\"%s\" is no expression", parser->text);
}

static int64_t product(Parser *parser) {
    int64_t value = term(parser);
    for (char c; (c = next(parser)) == '*' || c == '/' || c == '%';) {
        parser->at++;
        int64_t right = term(parser);
        if (c != '*' && right == 0) fail(STATUS_BUG, "\"%s\" divides by zero", parser->text);
        if (c == '/') value /= right;
        else if (c == '%') value %= right;
        else if (!checked_multiply(value, right, &value)) fail(STATUS_UNSUPPORTED, "%s is too large", parser->text);
    }
    return value;
}

static int64_t sum(Parser *parser) {
    int64_t value = product(parser);
    for (char c; (c = next(parser)) == '+' || c == '-';) {
        parser->at++;
        int64_t right = product(parser);
        if (!checked_multiply(right, c == '+' ? 1 : -1, &right) || !checked_add(value, right, &value))
            fail(STATUS_UNSUPPORTED, "%s is too large", parser->text);
    }
    return value;
}

int64_t expression_value(const char *text, ExpressionName *value_of, const void *argument) {
    Parser parser = {text, text, value_of, argument};
    int64_t value = sum(&parser);
    if (next(&parser) != '\0') fail(STATUS_BUG, "\"%s\" is no expression", text);
    return value;
}
