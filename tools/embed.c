/* embed: turns the sources of runtime/ into the tables of compiler/program/kernel.h (text, parameters, linked code for
 * each element type), and the templates and patterns into those of compiler/base/assets.h.
 *   embed OUTPUT_FOLDER FILE... */
#include "base/text.h"
#include "program/cast.h"
#include "program/expression.h"
#include "program/kernel.h"
#include "program/specialise.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    const char *name, *file, *comment, *label, *items, *scratch, *signature, *body;
    int line;
    TypeSet types;
    LIST(Parameter) parameters;
    LIST(const char *) declarations; /* each parameter as written */
} ParsedKernel;

typedef struct {
    const char *name, *parameters, *place;
    const char *texts[TYPE_COUNT];
    bool is_predicate;
    bool is_bool[4]; /* parameters that are bools, whatever T is */
} ParsedFormula;

typedef struct {
    const char *name, *text;
} Named;

static Arena *arena;
static LIST(ParsedKernel *) kernels;
static LIST(ParsedFormula *) formulas;
static LIST(Named) supports, maths;
static LIST(Named) assets;

static char *read_file(const char *path) {
    FILE *in = fopen(path, "rb");
    if (in == NULL) fail(STATUS_SYSTEM, "cannot read %s: %s", path, strerror(errno));
    Text text = text_new(arena);
    char block[4096];
    for (size_t got; (got = fread(block, 1, sizeof block, in)) > 0;) text_add_bytes(&text, block, got);
    fclose(in);
    return text.data;
}

static char *slice(const char *from, const char *to) { return arena_printf(arena, "%.*s", (int)(to - from), from); }

static char *trimmed(const char *from, const char *to) {
    while (from < to && isspace((unsigned char)*from)) from++;
    while (to > from && isspace((unsigned char)to[-1])) to--;
    return slice(from, to);
}

static int line_of(const char *text, const char *at) {
    int line = 1;
    for (; text < at; text++) line += *text == '\n';
    return line;
}

/* The end of the block that opens at p, which is "{". */
static const char *block_end(const char *p) {
    int depth = 0;
    for (; *p != '\0'; p++) {
        if (*p == '{') depth++;
        if (*p == '}' && --depth == 0) return p + 1;
    }
    fail(STATUS_INVALID, "braces do not match");
}

/* The comment that ends right above p, without its marks and without the lines that speak to this tool. */
static void parse_comment(ParsedKernel *kernel, const char *text, const char *p) {
    const char *end = p;
    while (end > text && isspace((unsigned char)end[-1])) end--;
    if (end - text < 4 || end[-1] != '/' || end[-2] != '*') fail(STATUS_INVALID, "%s needs a comment", kernel->name);
    const char *from = end - 2;
    while (from > text && !(from[0] == '/' && from[1] == '*')) from--;
    Text comment = text_new(arena);
    kernel->label = kernel->name;
    for (const char *line = from + 2; line < end - 2;) {
        const char *stop = line;
        while (stop < end - 2 && *stop != '\n') stop++;
        while (line < stop && (*line == ' ' || (*line == '*' && line[1] == ' '))) line++;
        char *words = trimmed(line, stop);
        if (strncmp(words, "types: ", 7) == 0) kernel->types = type_set_parse(words + 7);
        else if (strncmp(words, "name: ", 6) == 0) kernel->label = words + 6;
        else if (strncmp(words, "items: ", 7) == 0) kernel->items = words + 7;
        else if (strncmp(words, "scratch: ", 9) == 0) kernel->scratch = words + 9;
        else text_printf(&comment, "%s%s", comment.length > 0 ? "\n" : "", words);
        line = stop + 1;
    }
    while (comment.length > 0 && comment.data[comment.length - 1] == '\n') comment.data[--comment.length] = '\0';
    kernel->comment = comment.data;
    if (kernel->types == 0) fail(STATUS_INVALID, "%s: its comment needs a line \"types: ...\"", kernel->name);
}

/* One parameter, as "const T *restrict x". */
static void parse_parameter(ParsedKernel *kernel, const char *declaration) {
    const char *end = declaration + strlen(declaration), *name = end;
    while (name > declaration && (isalnum((unsigned char)name[-1]) || name[-1] == '_')) name--;
    bool pointer = strchr(declaration, '*') != NULL, constant = strncmp(declaration, "const ", 6) == 0;
    bool upper = isupper((unsigned char)*name) != 0;
    const char *type = constant ? declaration + 6 : declaration;
    const char *type_end = type;
    while (*type_end != ' ' && *type_end != '*' && *type_end != '\0') type_end++;
    Parameter parameter = {.name = slice(name, end), .type = slice(type, type_end)};
    bool formula = strcmp(parameter.type, "FORMULA") == 0;
    if (!constant && !pointer && !formula)
        fail(STATUS_INVALID, "%s: parameter %s is not const", kernel->name, parameter.name);
    if (formula) parameter.kind = PARAMETER_FORMULA;
    else if (pointer) parameter.kind = upper ? PARAMETER_SIZES : constant ? PARAMETER_INPUT : PARAMETER_OUTPUT;
    else parameter.kind = upper ? PARAMETER_SIZE : PARAMETER_NUMBER;
    list_add(arena, &kernel->parameters, parameter);
    list_add(arena, &kernel->declarations, declaration);
}

static Parameter *find_parameter(const ParsedKernel *kernel, const char *name, size_t length, ParameterKind kind) {
    for (int i = 0; i < kernel->parameters.count; i++) {
        Parameter *parameter = &kernel->parameters.items[i];
        if (strlen(parameter->name) == length && memcmp(parameter->name, name, length) == 0 && parameter->kind == kind)
            return parameter;
    }
    fail(STATUS_INVALID, "%s: its comment needs a parameter %.*s", kernel->name, (int)length, name);
}

static int64_t any_size(const char *name, size_t length, const void *kernel) {
    enum { ANY = 64 };
    if (length != strlen("LANES") || memcmp(name, "LANES", length) != 0)
        find_parameter(kernel, name, length, PARAMETER_SIZE);
    return ANY;
}

static bool mentions(const char *code, const char *word) {
    size_t length = strlen(word);
    for (const char *at = code; (at = strstr(at, word)) != NULL; at += length)
        if (!isalnum((unsigned char)at[-1]) && at[-1] != '_' && !isalnum((unsigned char)at[length]) &&
            at[length] != '_')
            return true;
    return false;
}

/* What the lines "items: ..." and "scratch: ..." ask for. */
static void check_counts(const ParsedKernel *kernel) {
    if (kernel->items != NULL) {
        static const char *const own[] = {"task", "items", "range", "since"};
        for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
            if (mentions(kernel->body, own[i]))
                fail(STATUS_INVALID, "%s: %s is a name of generated code", kernel->name, own[i]);
        expression_value(kernel->items, any_size, kernel);
        find_parameter(kernel, "first", strlen("first"), PARAMETER_NUMBER)->kind = PARAMETER_FIRST;
        find_parameter(kernel, "last", strlen("last"), PARAMETER_NUMBER)->kind = PARAMETER_LAST;
        if (mentions(kernel->body, "fresh"))
            find_parameter(kernel, "fresh", strlen("fresh"), PARAMETER_NUMBER)->kind = PARAMETER_FRESH;
    }
    if (kernel->scratch != NULL) {
        expression_value(kernel->scratch, any_size, kernel);
        find_parameter(kernel, "scratch", strlen("scratch"), PARAMETER_OUTPUT);
    }
}

static void parse_kernels(const char *path, const char *text) {
    static const char mark[] = "\nKERNEL void ";
    for (const char *at = text; (at = strstr(at, mark)) != NULL;) {
        ParsedKernel *kernel = arena_new_object(arena, ParsedKernel);
        const char *name = at + sizeof mark - 1, *open = strchr(name, '('), *close = open;
        kernel->name = slice(name, open);
        kernel->file = path;
        kernel->line = line_of(text, name);
        for (const char *from = open + 1; *close != ')'; from = close + 1) {
            close = from;
            while (*close != ',' && *close != ')') close++;
            parse_parameter(kernel, trimmed(from, close));
        }
        parse_comment(kernel, text, at + 1);
        const char *body = strchr(close, '{');
        kernel->body = slice(body, block_end(body));
        check_counts(kernel);
        list_add(arena, &kernels, kernel);
        at = body;
    }
}

/* Functions of support.h and vector.h, which begin with mark: each with the comment above it, if there is one, and
 * where it stands behind an #else with all from the #if to the #endif. Returns where the first of them begins. */
static const char *parse_support(const char *text, const char *mark) {
    const char *first = NULL;
    for (const char *at = text; (at = strstr(at, mark)) != NULL; at++) {
        const char *open = strchr(at, '('), *name = open, *from = at;
        while (isalnum((unsigned char)name[-1]) || name[-1] == '_') name--;
        const bool is_other = strncmp(at - strlen("#else"), "#else", strlen("#else")) == 0;
        while (is_other && strncmp(from, "\n#if", 4) != 0) from--;
        if (from[-1] == '/' && from[-2] == '*')
            while (from > text && !(from[0] == '/' && from[1] == '*')) from--;
        const char *end = block_end(strchr(open, '{'));
        end += strcspn(end, "\n"); /* a comment behind it */
        if (is_other) end = strstr(end, "#endif") + strlen("#endif");
        list_add(arena, &supports, ((Named){slice(name, open), trimmed(from, end)}));
        if (first == NULL) first = from;
    }
    return first;
}

/* What stands in vector.h between its includes and its first function: one text, wanted where code mentions vf. It goes
 * above everything else, since it has a pragma for what follows, and then the functions: others are made of them. */
static void parse_vector(const char *text) {
    const char *from = text;
    for (const char *at = text; (at = strstr(at, "#include ")) != NULL; at++) from = at + strcspn(at, "\n");
    const int others = supports.count;
    const char *first = parse_support(text, "\nINLINE ");
    const int own = supports.count - others;
    list_add(arena, &supports, ((Named){"vf", trimmed(from, first)}));
    Named *moved = arena_new_array(arena, Named, (size_t)supports.count);
    moved[0] = supports.items[supports.count - 1];
    memcpy(moved + 1, supports.items + others, (size_t)own * sizeof *moved);
    memcpy(moved + 1 + own, supports.items, (size_t)others * sizeof *moved);
    memcpy(supports.items, moved, (size_t)supports.count * sizeof *moved);
}

/* Functions of maths.h, for scalars and for vectors: the comment stands above the first form. */
static void parse_maths(const char *text) {
    static const char mark[] = "\nMATHS A M(";
    for (const char *at = text; (at = strstr(at, mark)) != NULL; at++) {
        const char *name = at + sizeof mark - 1, *comment = at;
        while (comment > text && !(comment[0] == '/' && comment[1] == '*')) comment--;
        const char *source = slice(comment, block_end(strchr(at, '{')));
        for (int is_vector = 0; is_vector < 2; is_vector++) {
            Text form = text_new(arena);
            specialise(&form, source, TYPE_FLOAT, &(SpecialiseHooks){.is_vector = is_vector});
            const char *whole = arena_printf(arena, "%s_%s", is_vector ? "vf" : "f32", slice(name, strchr(name, ')')));
            list_add(arena, &maths, ((Named){whole, form.data}));
        }
    }
}

/* "bool c, x, y" to "c x y". */
static void parse_formula_parameters(ParsedFormula *formula, const char *from, const char *to) {
    Text parameters = text_new(arena);
    for (int i = 0; from < to; i++) {
        if (i == 4) fail(STATUS_INVALID, "formula %s has more than 4 parameters", formula->name);
        const char *end = from;
        while (end < to && *end != ',') end++;
        const char *name = trimmed(from, end);
        formula->is_bool[i] = strncmp(name, "bool ", 5) == 0;
        text_printf(&parameters, "%s%s", i > 0 ? " " : "", formula->is_bool[i] ? name + 5 : name);
        from = end + 1;
    }
    formula->parameters = parameters.data;
}

/* A line of formulas.txt: "name(x, y): types [-> bool] = expression". */
static void parse_formula(const char *path, int line_number, const char *line) {
    const char *open = strchr(line, '('), *close = strchr(line, ')'), *colon = strchr(line, ':');
    const char *equals = colon == NULL ? NULL : strstr(colon, " = ");
    if (open == NULL || close == NULL || equals == NULL || close > colon)
        fail(STATUS_INVALID, "%s:%d: expected \"name(x, y): types = expression\"", path, line_number);
    const char *name = trimmed(line, open), *arrow = strstr(colon, " -> bool");
    bool is_predicate = arrow != NULL && arrow < equals;
    TypeSet types = type_set_parse(trimmed(colon + 1, is_predicate ? arrow : equals));
    if (types == 0) fail(STATUS_INVALID, "%s:%d: unknown types", path, line_number);
    ParsedFormula *formula = NULL;
    for (int i = 0; i < formulas.count; i++)
        if (strcmp(formulas.items[i]->name, name) == 0) formula = formulas.items[i];
    if (formula == NULL) {
        formula = arena_new_object(arena, ParsedFormula);
        *formula = (ParsedFormula){.name = name, .is_predicate = is_predicate};
        parse_formula_parameters(formula, open + 1, close);
        list_add(arena, &formulas, formula);
    }
    const char *expression = trimmed(equals + 3, line + strlen(line));
    for (int type = 0; type < TYPE_COUNT; type++)
        if (types & TYPE_BIT(type)) formula->texts[type] = expression;
}

static void parse_formulas(const char *path, const char *text) {
    int number = 1;
    for (const char *line = text; *line != '\0'; number++) {
        const char *end = strchr(line, '\n');
        if (end == NULL) end = line + strlen(line);
        char *words = trimmed(line, end);
        if (*words != '\0' && *words != '#') parse_formula(path, number, words);
        line = *end == '\0' ? end : end + 1;
    }
}

/* A name in C for a text too long for a string literal in strict C. */
static void write_text(Text *out, const char *name, const char *text) {
    text_printf(out, "static const char %s[] = {", name);
    for (size_t i = 0; text[i] != '\0'; i++) text_printf(out, "%s%d,", i % 24 == 0 ? "\n    " : "", text[i]);
    text_add(out, "0};\n");
}

static void write_formula(Text *out, const ParsedFormula *formula) {
    for (int type = 0; type < TYPE_COUNT; type++) {
        const TypeInfo *info = type_info((Type)type);
        if (formula->texts[type] == NULL || info->compute != (Type)type) continue;
        const char *result = formula->is_predicate ? "uint8_t" : info->c_name;
        text_printf(out,
                    "static void formula_%s_%s(void *result, const void *const *arguments, int count) {\n"
                    "    %s *restrict const to = result;\n    for (int i = 0; i < count; i++) {\n",
                    formula->name, info->suffix, result);
        const char *p = formula->parameters;
        for (int i = 0; *p != '\0'; i++) {
            int length = (int)strcspn(p, " ");
            const char *parameter = formula->is_bool[i] ? "uint8_t" : info->c_name;
            text_printf(out, "        const %s %.*s = ((const %s *)arguments[%d])[i];\n", parameter, length, p,
                        parameter, i);
            p += length + (p[length] == ' ');
        }
        text_printf(out, "        to[i] = (%s)(", result);
        specialise(out, formula->texts[type], (Type)type, NULL);
        text_add(out, ");\n    }\n}\n");
    }
}

static void write_formula_row(Text *out, const ParsedFormula *formula) {
    text_printf(out, "    {.name = \"%s\", .parameters = \"%s\", .is_predicate = %d,\n     .texts = {", formula->name,
                formula->parameters, formula->is_predicate);
    for (int type = 0; type < TYPE_COUNT; type++)
        if (formula->texts[type] != NULL) text_printf(out, "[%d] = \"%s\", ", type, formula->texts[type]);
    text_add(out, "},\n     .calls = {");
    for (int type = 0; type < TYPE_COUNT; type++)
        if (formula->texts[type] != NULL && type_info((Type)type)->compute == (Type)type)
            text_printf(out, "[%d] = formula_%s_%s, ", type, formula->name, type_info((Type)type)->suffix);
    text_add(out, "}},\n");
}

static void write_argument(Text *out, const Parameter *parameter, int i, Type type) {
    switch (parameter->kind) {
    case PARAMETER_INPUT:
    case PARAMETER_OUTPUT: text_printf(out, "a[%d].pointer", i); break;
    case PARAMETER_SIZES: text_printf(out, "a[%d].sizes", i); break;
    case PARAMETER_SIZE:
    case PARAMETER_FIRST:
    case PARAMETER_LAST:
    case PARAMETER_FRESH: text_printf(out, "(int)a[%d].size", i); break;
    case PARAMETER_FORMULA: text_printf(out, "a[%d].formula", i); break;
    case PARAMETER_NUMBER:
        text_add(out, "(");
        specialise(out, parameter->type, type, NULL);
        text_printf(out, ")a[%d].number", i);
    }
}

static void write_kernel(Text *out, const ParsedKernel *kernel, Type type) {
    const char *suffix = type_info(type)->suffix;
    text_printf(out, "#line %d \"%s\"\nstatic void %s_%s(", kernel->line, kernel->file, kernel->name, suffix);
    for (int i = 0; i < kernel->declarations.count; i++) {
        if (i > 0) text_add(out, ", ");
        specialise(out, kernel->declarations.items[i], type, NULL);
    }
    text_add(out, ") ");
    specialise(out, kernel->body, type, NULL);
    text_printf(out, "\nstatic void call_%s_%s(const KernelArgument *a) {\n    %s_%s(", kernel->name, suffix,
                kernel->name, suffix);
    for (int i = 0; i < kernel->parameters.count; i++) {
        if (i > 0) text_add(out, ", ");
        write_argument(out, &kernel->parameters.items[i], i, type);
    }
    text_add(out, ");\n}\n");
}

static const char *quoted_or_null(const char *text) {
    return text == NULL ? "NULL" : arena_printf(arena, "\"%s\"", text);
}

static void write_kernel_row(Text *out, const ParsedKernel *kernel, int number) {
    text_printf(out,
                "    {.name = \"%s\", .file = \"%s\", .label = \"%s\", .comment = comment_%d, .body = body_%d,\n"
                "     .items = %s, .scratch = %s,\n"
                "     .parameters = parameters_%d, .parameter_count = %d,\n     .calls = {",
                kernel->name, kernel->file, kernel->label, number, number, quoted_or_null(kernel->items),
                quoted_or_null(kernel->scratch), number, kernel->parameters.count);
    for (int type = 0; type < TYPE_COUNT; type++)
        if (kernel->types & TYPE_BIT(type))
            text_printf(out, "[%d] = call_%s_%s, ", type, kernel->name, type_info((Type)type)->suffix);
    text_add(out, "}},\n");
}

/* The conversions of program/cast.h as code, so that the interpreter runs the text that is emitted. */
static void write_cast(Text *out, Type from, Type to) {
    const TypeInfo *source = type_info(from), *result = type_info(type_info(to)->compute);
    text_printf(out,
                "static void cast_%s_%s(void *result, const void *const *arguments, int count) {\n"
                "    for (int i = 0; i < count; i++) {\n"
                "        const %s x = ((const %s *)arguments[0])[i];\n"
                "        ((%s *)result)[i] = (%s)(%s);\n    }\n}\n",
                source->suffix, type_info(to)->suffix, source->c_name, source->c_name, result->c_name, result->c_name,
                cast_text(arena, from, to));
}

static void write_casts(Text *out) {
    Text table = text_new(arena);
    for (int from = 0; from < TYPE_COUNT; from++)
        for (int to = 0; to < TYPE_COUNT; to++) {
            const TypeInfo *source = type_info((Type)from);
            if (cast_text(arena, (Type)from, (Type)to) == NULL) continue;
            if (source->compute == (Type)from) write_cast(out, (Type)from, (Type)to);
            text_printf(&table, "    [%d][%d] = cast_%s_%s,\n", from, to, type_info(source->compute)->suffix,
                        type_info((Type)to)->suffix);
        }
    text_printf(out, "FormulaCall *const CASTS[TYPE_COUNT][TYPE_COUNT] = {\n%s};\n", table.data);
}

/* What APPLY(f, place, e) calls in linked kernels. */
static void write_apply(Text *out, Type type) {
    const char *c_type = type_info(type)->c_name;
    text_printf(out,
                "static inline %s apply_%s(const FormulaArgument *f, %s x) {\n    f->apply(f->body, &x);\n"
                "    return x;\n}\n",
                c_type, type_info(type)->suffix, c_type);
}

/* What APPLY_VECTOR(f, place, e) calls there: the formula of scalars for each lane. */
static void write_apply_vector(Text *out) {
    text_add(out, "INLINE vf apply_vector(const FormulaArgument *f, vf x) {\n    float lane[LANES];\n"
                  "    vf_store(lane, x);\n    for (int i = 0; i < LANES; i++) f->apply(f->body, &lane[i]);\n"
                  "    return vf_load(lane);\n}\n");
}

static void write_kernels(Text *out) {
    text_add(out,
             "/* Made by tools/embed.c from runtime/. */\n"
             "#include \"program/kernel.h\"\n#include \"runtime/support.h\"\n"
             "#define UNROLL /* what is linked has its sizes at run time */\n"
             "#include \"runtime/vector.h\"\n#include \"runtime/winograd.h\"\n#include "
             "\"runtime/strassen.h\"\n#include <string.h>\n"
             "#pragma GCC diagnostic ignored \"-Wunused-parameter\" /* sizes that count items */\n"
             "#pragma GCC diagnostic ignored \"-Wmaybe-uninitialized\" /* registers, of which sizes say how many */\n"
             "#pragma GCC diagnostic ignored \"-Warray-bounds\"        /* the same */\n");
    for (int i = 0; i < maths.count; i++) text_printf(out, "%s\n", maths.items[i].text);
    write_apply_vector(out);
    write_apply(out, TYPE_FLOAT);
    write_apply(out, TYPE_DOUBLE);
    for (int i = 0; i < kernels.count; i++) {
        const ParsedKernel *kernel = kernels.items[i];
        for (int type = 0; type < TYPE_COUNT; type++)
            if (kernel->types & TYPE_BIT(type)) write_kernel(out, kernel, (Type)type);
        text_printf(out, "static const Parameter parameters_%d[] = {", i);
        for (int k = 0; k < kernel->parameters.count; k++)
            text_printf(out, "{\"%s\", %d, \"%s\"}, ", kernel->parameters.items[k].name,
                        kernel->parameters.items[k].kind, kernel->parameters.items[k].type);
        text_add(out, "};\n");
        write_text(out, arena_printf(arena, "comment_%d", i), kernel->comment);
        write_text(out, arena_printf(arena, "body_%d", i), kernel->body);
    }
    for (int i = 0; i < formulas.count; i++) write_formula(out, formulas.items[i]);
    write_casts(out);
    for (int i = 0; i < maths.count; i++) list_add(arena, &supports, maths.items[i]);
    for (int i = 0; i < supports.count; i++)
        write_text(out, arena_printf(arena, "support_%d", i), supports.items[i].text);
    text_add(out, "const Kernel KERNELS[] = {\n");
    for (int i = 0; i < kernels.count; i++) write_kernel_row(out, kernels.items[i], i);
    text_add(out, "    {.name = NULL}};\nconst Formula FORMULAS[] = {\n");
    for (int i = 0; i < formulas.count; i++) write_formula_row(out, formulas.items[i]);
    text_add(out, "    {.name = NULL}};\nconst Support SUPPORTS[] = {\n");
    for (int i = 0; i < supports.count; i++) text_printf(out, "    {\"%s\", support_%d},\n", supports.items[i].name, i);
    text_add(out, "    {NULL, NULL}};\n");
}

static void write_assets(Text *out) {
    text_add(out, "/* Made by tools/embed.c from templates/ and compiler/patterns/. */\n#include \"base/assets.h\"\n"
                  "#include <stddef.h>\n");
    for (int i = 0; i < assets.count; i++) write_text(out, arena_printf(arena, "asset_%d", i), assets.items[i].text);
    text_add(out, "const Asset ASSETS[] = {\n");
    for (int i = 0; i < assets.count; i++) text_printf(out, "    {\"%s\", asset_%d},\n", assets.items[i].name, i);
    text_add(out, "    {NULL, NULL}};\n");
}

static void save(const char *folder, const char *name, const Text *text) {
    const char *path = arena_printf(arena, "%s/%s", folder, name);
    FILE *out = fopen(path, "wb");
    if (out == NULL || fwrite(text->data, 1, text->length, out) != text->length || fclose(out) != 0)
        fail(STATUS_SYSTEM, "cannot write %s: %s", path, strerror(errno));
}

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static int compare_strings(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int main(int argc, char **argv) {
    if (argc < 2) fail(STATUS_USAGE, "usage: embed OUTPUT_FOLDER FILE...");
    arena = arena_new();
    char here[4096];
    size_t root = getcwd(here, sizeof here) == NULL ? 0 : strlen(here) + 1;
    qsort(argv + 2, (size_t)argc - 2, sizeof *argv, compare_strings);
    for (int i = 2; i < argc; i++) {
        const char *path = strncmp(argv[i], here, root - 1) == 0 ? argv[i] + root : argv[i];
        const char *text = read_file(argv[i]);
        if (ends_with(path, "/generated/page.html")) path = "page.html"; /* wherever it was built */
        if (strncmp(path, "runtime/", 8) != 0) list_add(arena, &assets, ((Named){path, text}));
        else if (ends_with(path, "support.h")) parse_support(text, "\nstatic inline ");
        else if (ends_with(path, "vector.h")) parse_vector(text);
        else if (ends_with(path, "maths.h")) parse_maths(text);
        else if (ends_with(path, "winograd.h") || ends_with(path, "strassen.h")) parse_support(text, "\nINLINE ");
        else if (ends_with(path, ".txt")) parse_formulas(path, text);
        else parse_kernels(path, text);
    }
    Text code = text_new(arena), asset_code = text_new(arena);
    write_kernels(&code);
    write_assets(&asset_code);
    save(argv[1], "kernels.c", &code);
    save(argv[1], "assets.c", &asset_code);
    arena_free(arena);
    return 0;
}
