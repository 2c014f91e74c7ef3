/* What the rows of fused operators share: formulas carried as text.
 * See fused.h. */
#include "ops/fused.h"

#include <stdlib.h>
#include <string.h>

int formula_operands(const Formula *formula) {
    int count = 1;
    for (const char *p = formula->parameters; *p != '\0'; p++) count += *p == ' ';
    return count;
}

/* The word at *at, and what follows it. */
static const char *take_word(Arena *arena, const char **at) {
    size_t length = strcspn(*at, " ");
    const char *word = arena_printf(arena, "%.*s", (int)length, *at);
    *at += length + strspn(*at + length, " ");
    return word;
}

void loop_formula(Program *program, Loop *loop, const char *text) {
    Type type = loop->scalars[0].type;
    for (int result = 0; *text != '\0';) {
        const char *name = take_word(program->arena, &text);
        const Formula *formula = formula_find(name);
        if (formula == NULL) fail(STATUS_BUG, "no formula %s in runtime/formulas.txt", name);
        int arguments[4] = {result}, count = formula_operands(formula);
        for (int i = 1; i < count; i++)
            arguments[i] = loop_literal(loop, type, strtod(take_word(program->arena, &text), NULL));
        result = loop_apply(loop, name, type, type, count, arguments);
    }
}

void give_formula(Program *program, Step *step, const char *parameter, const char *text) {
    loop_formula(program, step_formula(program, step, parameter), text);
}
