/* Patterns, reading them: tokens, trees as written, and those trees with definitions put in place.
 * A definition can only use what stands above it, so nothing is recursive and blocks stay small. */
#include "patterns/pattern.h"

#include "base/assets.h"
#include "base/file.h"
#include "base/text.h"
#include "ops/op.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NESTING = 32, MAX_TERMS = 1024 };

typedef enum { TOKEN_NAME, TOKEN_NUMBER, TOKEN_STRING, TOKEN_MARK, TOKEN_END } TokenKind;

typedef struct {
    TokenKind kind;
    const char *text; /* of a mark: "(", "..", "1.." */
    int line, column;
    const char *from, *to;
} Token;

typedef struct {
    Arena *arena;
    PatternSet *set;
    const char *file;
    const char *at, *line_start;
    int line;
    Token token;       /* the next one, not yet taken */
    const char *taken; /* where the one before it ends */
    int nesting;
    const char *defining; /* the definition being read, or NULL */
} Reader;

typedef struct {
    const char *name;
    LIST(const char *) parameters;
    Term *body;
} Definition;

/* What names mean while a term is put in place: a block, and in a definition its parameters and own names. */
typedef struct {
    Reader *reader;
    BlockPattern *block;
    Map tensors; /* to int: number in the block */
    Map dims;
    int *terms; /* made so far in this block */
    bool in_definition;
} Scope;

static _Noreturn void PRINTF_LIKE(4, 5) fail_at(const Reader *reader, int line, int column, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const char *message = arena_vprintf(reader->arena, format, args);
    va_end(args);
    fail(STATUS_USAGE, "%s:%d:%d: %s", reader->file, line, column, message);
}

/* The same about a term, which may be of a definition in another file. */
static _Noreturn void PRINTF_LIKE(3, 4) fail_about(const Reader *reader, const Term *term, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const char *message = arena_vprintf(reader->arena, format, args);
    va_end(args);
    fail(STATUS_USAGE, "%s:%d:%d: %s", term->file, term->line, term->column, message);
}

/* Tokens. */

static void skip_blank(Reader *reader) {
    for (;; reader->at++) {
        if (*reader->at == '#')
            while (*reader->at != '\0' && *reader->at != '\n') reader->at++;
        if (*reader->at == '\n') reader->line++, reader->line_start = reader->at + 1;
        else if (!isspace((unsigned char)*reader->at)) return;
    }
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

/* The end of a number at p: -1, 0.5, 1e-3; p itself where there is none. */
static const char *number_end(const char *p) {
    const char *from = p;
    if (*p == '-') p++;
    if (!is_digit(*p)) return from;
    while (is_digit(*p)) p++;
    if (p[0] == '.' && is_digit(p[1]))
        for (p++; is_digit(*p);) p++;
    if (*p == 'e' && (is_digit(p[1]) || ((p[1] == '-' || p[1] == '+') && is_digit(p[2]))))
        for (p += 2; is_digit(*p);) p++;
    return p;
}

static void advance(Reader *reader) {
    reader->taken = reader->at;
    skip_blank(reader);
    const char *p = reader->at;
    Token token = {.kind = TOKEN_MARK, .line = reader->line, .column = (int)(p - reader->line_start) + 1, .from = p};
    if (*p == '\0') {
        token.kind = TOKEN_END;
    } else if (strncmp(p, "1..", 3) == 0 || strncmp(p, "..", 2) == 0) {
        p += *p == '1' ? 3 : 2;
    } else if (number_end(p) > p) {
        token.kind = TOKEN_NUMBER;
        p = number_end(p);
    } else if (is_name_start(*p)) {
        token.kind = TOKEN_NAME;
        while (is_name_start(*p) || is_digit(*p)) p++;
    } else if (*p == '"') {
        token.kind = TOKEN_STRING;
        for (p++; *p != '"'; p++)
            if (*p == '\0' || *p == '\n') fail_at(reader, token.line, token.column, "a string without an end");
        p++;
    } else if (strchr("()[]{},=|?.*", *p) != NULL) {
        p++;
    } else {
        fail_at(reader, token.line, token.column, "a character that means nothing here: %s",
                quoted(arena_printf(reader->arena, "%.1s", p)));
    }
    token.to = reader->at = p;
    token.text = arena_printf(reader->arena, "%.*s", (int)(p - token.from), token.from);
    reader->token = token;
}

static bool next_is(const Reader *reader, const char *text) {
    return reader->token.kind != TOKEN_END && strcmp(reader->token.text, text) == 0;
}

static bool next_is_keyword(const Reader *reader) {
    static const char *const words[] = {"define", "block", "probe", "fuse", "rewrite", "becomes", "see"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (next_is(reader, words[i])) return true;
    return false;
}

static _Noreturn void fail_expected(const Reader *reader, const char *what) {
    const Token *token = &reader->token;
    fail_at(reader, token->line, token->column, "expected %s, found %s", what,
            token->kind == TOKEN_END ? "the end of the file" : quoted(token->text));
}

static Token take(Reader *reader) {
    Token token = reader->token;
    advance(reader);
    return token;
}

static bool take_if(Reader *reader, const char *text) {
    if (!next_is(reader, text)) return false;
    advance(reader);
    return true;
}

/* What was taken since from, as written. */
static const char *written_since(const Reader *reader, const char *from) {
    return arena_printf(reader->arena, "%.*s", (int)(reader->taken - from), from);
}

static void expect(Reader *reader, const char *text) {
    if (!take_if(reader, text)) fail_expected(reader, quoted(text));
}

static Token expect_name(Reader *reader, const char *what) {
    if (reader->token.kind != TOKEN_NAME || next_is_keyword(reader)) fail_expected(reader, what);
    return take(reader);
}

/* Terms as written: tensors have no number yet, and uses of definitions look like operators. */

enum { NOT_PUT = -2 }; /* Term.tensor and DimPattern.name before they are put in place */

/* The rest of "N*H", whose first factor is read. */
static void read_factors(Reader *reader, DimPattern *dim, const char *from) {
    if (dim->kind != DIM_NAME) fail_expected(reader, "a name before '*'");
    dim->factor_texts[dim->factor_count++] = dim->text;
    while (take_if(reader, "*")) {
        if (dim->factor_count == MAX_FACTORS) fail_expected(reader, "fewer factors");
        dim->factor_texts[dim->factor_count++] = expect_name(reader, "the name of a size").text;
    }
    dim->kind = DIM_PRODUCT;
    dim->text = written_since(reader, from);
}

static DimPattern read_dim(Reader *reader) {
    Token token = reader->token;
    DimPattern dim = {.text = token.text, .name = NOT_PUT};
    if (token.kind == TOKEN_NUMBER) {
        char *end;
        dim.kind = DIM_SIZE;
        dim.size = strtoll(token.text, &end, 10);
        if (*end != '\0') fail_expected(reader, "a whole number");
    } else if (next_is(reader, "..")) {
        dim.kind = DIM_REST;
    } else if (next_is(reader, "1..")) {
        dim.kind = DIM_ONES;
    } else if (next_is(reader, "_")) {
        dim.kind = DIM_ANY;
    } else if (token.kind == TOKEN_NAME) {
        dim.kind = DIM_NAME;
    } else {
        fail_expected(reader, "a dimension or ']'");
    }
    advance(reader);
    if (next_is(reader, "*")) read_factors(reader, &dim, token.from);
    return dim;
}

/* "[N C 1..]" */
static ShapePattern read_list(Reader *reader) {
    ShapePattern list = {0};
    bool has_rest = false;
    const char *from = reader->token.from;
    expect(reader, "[");
    while (!next_is(reader, "]")) {
        DimPattern dim = read_dim(reader);
        list_add(reader->arena, &list.dims, dim);
        if (dim.kind != DIM_REST && dim.kind != DIM_ONES) continue;
        if (has_rest) fail_at(reader, reader->token.line, reader->token.column, "a shape has one '..' or '1..'");
        has_rest = true;
    }
    advance(reader);
    list.text = written_since(reader, from);
    return list;
}

static const ShapePattern *read_shape(Reader *reader) {
    if (!next_is(reader, "[")) return NULL;
    ShapePattern *shape = arena_new_object(reader->arena, ShapePattern);
    *shape = read_list(reader);
    return shape;
}

/* What stands between the quotes. */
static const char *take_string(Reader *reader) {
    const char *text = take(reader).text;
    return arena_printf(reader->arena, "%.*s", (int)strlen(text) - 2, text + 1);
}

/* "axis=-1", "alpha=0.2", "kernel_shape=[H W]", "axes=spatial", "approximate=\"tanh\"" */
static Condition read_attribute_condition(Reader *reader) {
    Condition condition = {.attribute = expect_name(reader, "an attribute").text};
    expect(reader, "=");
    if (next_is(reader, "[")) {
        condition.kind = CONDITION_LIST;
        condition.list = read_list(reader);
    } else if (take_if(reader, "spatial")) {
        condition.kind = CONDITION_SPATIAL;
    } else if (reader->token.kind == TOKEN_NAME) {
        condition.kind = CONDITION_TENSOR;
        condition.string = take(reader).text;
    } else if (reader->token.kind == TOKEN_STRING) {
        condition.kind = CONDITION_STRING;
        condition.string = take_string(reader);
    } else if (reader->token.kind == TOKEN_NUMBER) {
        condition.kind = CONDITION_VALUE;
        condition.number = strtod(reader->token.text, NULL);
        DimPattern value = {.kind = DIM_SIZE, .text = reader->token.text, .size = (int64_t)condition.number};
        list_add(reader->arena, &condition.list.dims, value);
        advance(reader);
    } else {
        fail_expected(reader, "a number, a list, a string, a name or 'spatial'");
    }
    return condition;
}

static Condition read_tensor_condition(Reader *reader) {
    if (take_if(reader, "constant")) return (Condition){.kind = CONDITION_CONSTANT};
    if (take_if(reader, "computed")) return (Condition){.kind = CONDITION_COMPUTED};
    if (take_if(reader, "scalar")) return (Condition){.kind = CONDITION_SCALAR};
    if (take_if(reader, "varied")) return (Condition){.kind = CONDITION_VARIED};
    if (take_if(reader, "unmasked")) return (Condition){.kind = CONDITION_UNMASKED};
    if (take_if(reader, "output")) return (Condition){.kind = CONDITION_OUTPUT};
    fail_expected(reader, "'constant', 'computed', 'scalar', 'varied', 'unmasked' or 'output'");
}

static void read_conditions(Reader *reader, Term *term) {
    if (!take_if(reader, "{")) return;
    do {
        const char *from = reader->token.from;
        Condition condition =
            term->kind == TERM_NODE ? read_attribute_condition(reader) : read_tensor_condition(reader);
        condition.text = written_since(reader, from);
        list_add(reader->arena, &term->conditions, condition);
    } while (take_if(reader, ","));
    expect(reader, "}");
}

static Term *read_choice(Reader *reader);

static void read_arguments(Reader *reader, Term *term) {
    while (!next_is(reader, ")")) {
        if (take_if(reader, "..")) {
            term->is_open = true;
            break;
        }
        if (term->arguments.count == MAX_TERM_ARGUMENTS) fail_expected(reader, "fewer arguments");
        Term *argument = read_choice(reader);
        list_add(reader->arena, &term->arguments, argument);
        if (!next_is(reader, ")")) expect(reader, ",");
    }
    expect(reader, ")");
}

static Term *read_term(Reader *reader) {
    Token token = reader->token;
    Term *term = arena_new_object(reader->arena, Term);
    *term = (Term){.file = reader->file, .line = token.line, .column = token.column, .tensor = NOT_PUT};
    if (token.kind == TOKEN_NUMBER) {
        term->kind = TERM_NUMBER;
        term->number = strtod(take(reader).text, NULL);
        return term;
    }
    term->name = expect_name(reader, "a tensor, an operator or a number").text;
    term->is_optional = take_if(reader, "?");
    if (take_if(reader, ".")) {
        if (reader->token.kind != TOKEN_NUMBER) fail_expected(reader, "the number of an output");
        term->output = (int)read_dim(reader).size;
        if (!next_is(reader, "(")) fail_expected(reader, "'('");
    }
    if (take_if(reader, "(")) {
        term->kind = TERM_NODE;
        read_arguments(reader, term);
        if (term->is_optional && term->arguments.count == 0)
            fail_about(reader, term, "'%s?' needs an argument, which stands in its place", term->name);
    }
    term->shape = read_shape(reader);
    read_conditions(reader, term);
    return term;
}

/* Terms, with '|' between them. */
static Term *read_choice(Reader *reader) {
    if (++reader->nesting > MAX_NESTING) fail_expected(reader, "less nesting");
    Term *first = read_term(reader);
    if (next_is(reader, "|")) {
        Term *choice = arena_new_object(reader->arena, Term);
        *choice = (Term){.kind = TERM_CHOICE, .file = first->file, .line = first->line, .column = first->column};
        list_add(reader->arena, &choice->arguments, first);
        while (take_if(reader, "|")) {
            Term *other = read_term(reader);
            list_add(reader->arena, &choice->arguments, other);
        }
        first = choice;
    }
    reader->nesting--;
    return first;
}

/* Putting terms in place: tensors and dimensions get their numbers in the block, definitions their meaning. */

static int *boxed(Arena *arena, int number) {
    int *box = arena_new_object(arena, int);
    *box = number;
    return box;
}

static int new_tensor(Scope *scope, const char *name, const Term *equation) {
    BlockPattern *block = scope->block;
    PatternTensor tensor = {.name = name, .equation = equation};
    list_add(scope->reader->arena, &block->tensors, tensor);
    return block->tensors.count - 1;
}

static int tensor_of(Scope *scope, const char *name) {
    if (strcmp(name, "_") == 0) return -1;
    int *number = map_get(&scope->tensors, name);
    if (number == NULL) {
        number = boxed(scope->reader->arena, new_tensor(scope, name, NULL));
        scope->block->tensors.items[*number].is_named = !scope->in_definition;
        map_set(&scope->tensors, name, number);
    }
    scope->block->tensors.items[*number].is_used = true;
    return *number;
}

static int dim_of(Scope *scope, const char *name) {
    int *number = map_get(&scope->dims, name);
    if (number == NULL) {
        list_add(scope->reader->arena, &scope->block->dims, name);
        number = boxed(scope->reader->arena, scope->block->dims.count - 1);
        map_set(&scope->dims, name, number);
    }
    return *number;
}

static ShapePattern put_list(Scope *scope, const ShapePattern *written) {
    ShapePattern list = {.text = written->text};
    for (int i = 0; i < written->dims.count; i++) {
        DimPattern dim = written->dims.items[i];
        if (dim.kind == DIM_NAME) dim.name = dim_of(scope, dim.text);
        for (int k = 0; k < dim.factor_count; k++) dim.factors[k] = dim_of(scope, dim.factor_texts[k]);
        if (dim.kind == DIM_REST || dim.kind == DIM_ONES) dim.name = dim_of(scope, "..");
        list_add(scope->reader->arena, &list.dims, dim);
    }
    return list;
}

static const ShapePattern *put_shape(Scope *scope, const ShapePattern *written) {
    if (written == NULL) return NULL;
    ShapePattern *shape = arena_new_object(scope->reader->arena, ShapePattern);
    *shape = put_list(scope, written);
    return shape;
}

static Term *put(Scope *scope, const Term *written, const char *role);

static Term *copy_term(Scope *scope, const Term *written) {
    Term *term = arena_new_object(scope->reader->arena, Term);
    *term = *written;
    term->arguments = (TermList){0};
    return term;
}

/* The tensor that an argument of a definition stands for. */
static int put_argument(Scope *scope, const Term *written, const char *parameter) {
    bool is_plain = written->kind == TERM_TENSOR && written->shape == NULL && written->conditions.count == 0 &&
                    !written->is_optional && strcmp(written->name, "_") != 0;
    if (is_plain && written->tensor == NOT_PUT) return tensor_of(scope, written->name);
    if (is_plain) return written->tensor;
    return new_tensor(scope, parameter, put(scope, written, NULL));
}

static Term *put_definition(Scope *scope, const Term *written, const Definition *definition, const char *role) {
    const Reader *reader = scope->reader;
    if (written->arguments.count > definition->parameters.count)
        fail_about(reader, written, "%s takes %d argument%s, not %d", definition->name, definition->parameters.count,
                   definition->parameters.count == 1 ? "" : "s", written->arguments.count);
    if (written->conditions.count > 0 || written->is_open || written->output != 0)
        fail_about(reader, written, "%s is a definition: conditions on attributes, '..' and outputs are for operators",
                   definition->name);
    Scope inner = *scope;
    inner.tensors = map_new(reader->arena);
    inner.dims = map_new(reader->arena);
    inner.in_definition = true;
    for (int i = 0; i < definition->parameters.count; i++) {
        const char *parameter = definition->parameters.items[i];
        int tensor = i < written->arguments.count ? put_argument(scope, written->arguments.items[i], parameter)
                                                  : new_tensor(scope, parameter, NULL);
        map_set(&inner.tensors, parameter, boxed(reader->arena, tensor));
    }
    Term *body = put(&inner, definition->body, role != NULL ? role : definition->name);
    if (written->shape == NULL) return body;
    Term *shaped = copy_term(scope, written);
    shaped->kind = TERM_CHOICE;
    shaped->shape = put_shape(scope, written->shape);
    list_add(reader->arena, &shaped->arguments, body);
    return shaped;
}

/* Op?(x, ...) is Op(x, ...) | x, with one x. */
static Term *put_optional(Scope *scope, const Term *written, const char *role) {
    Arena *arena = scope->reader->arena;
    const Term *first = written->arguments.items[0];
    Term *argument = arena_new_object(arena, Term);
    *argument = (Term){.kind = TERM_TENSOR, .file = first->file, .line = first->line, .column = first->column};
    argument->tensor = put_argument(scope, first, "x");
    argument->name = scope->block->tensors.items[argument->tensor].name;
    Term *present = copy_term(scope, written);
    present->is_optional = false;
    present->shape = NULL; /* it is the choice's: it holds for x too */
    list_add(arena, &present->arguments, argument);
    for (int i = 1; i < written->arguments.count; i++) {
        Term *other = written->arguments.items[i];
        list_add(arena, &present->arguments, other);
    }
    Term *choice = copy_term(scope, written);
    choice->kind = TERM_CHOICE;
    choice->is_optional = false;
    choice->conditions.count = 0;
    list_add(arena, &choice->arguments, present);
    list_add(arena, &choice->arguments, argument);
    return put(scope, choice, role);
}

static Term *put(Scope *scope, const Term *written, const char *role) {
    const Reader *reader = scope->reader;
    if (++*scope->terms > MAX_TERMS)
        fail_about(reader, written, "the block is too large: more than %d terms", MAX_TERMS);
    if (written->kind == TERM_NODE && written->is_optional) return put_optional(scope, written, role);
    if (written->kind == TERM_NODE && reader->defining != NULL && strcmp(written->name, reader->defining) == 0)
        fail_about(reader, written, "%s is made of itself", written->name);
    const Definition *definition =
        written->kind == TERM_NODE ? map_get(&reader->set->definitions, written->name) : NULL;
    if (definition != NULL) return put_definition(scope, written, definition, role);

    Term *term = copy_term(scope, written);
    if (term->kind == TERM_TENSOR && term->tensor == NOT_PUT) term->tensor = tensor_of(scope, term->name);
    if (term->kind == TERM_NODE) term->role = role;
    for (int i = 0; i < written->arguments.count; i++) {
        Term *argument = put(scope, written->arguments.items[i], term->kind == TERM_CHOICE ? role : NULL);
        list_add(reader->arena, &term->arguments, argument);
    }
    term->shape = put_shape(scope, written->shape);
    term->conditions.items = NULL;
    term->conditions.count = term->conditions.capacity = 0;
    for (int i = 0; i < written->conditions.count; i++) {
        Condition condition = written->conditions.items[i];
        condition.list = put_list(scope, &condition.list);
        if (condition.kind == CONDITION_TENSOR) condition.tensor = tensor_of(scope, condition.string);
        list_add(reader->arena, &term->conditions, condition);
    }
    return term;
}

/* Statements. */

/* define Gate(x) = Sigmoid(x) | HardSigmoid(x) */
static void read_definition(Reader *reader) {
    expect(reader, "define");
    Token name = expect_name(reader, "the definition's name");
    Definition *definition = arena_new_object(reader->arena, Definition);
    definition->name = name.text;
    expect(reader, "(");
    do {
        Token parameter = expect_name(reader, "a parameter");
        list_add(reader->arena, &definition->parameters, parameter.text);
    } while (take_if(reader, ","));
    expect(reader, ")");
    expect(reader, "=");
    definition->body = read_choice(reader);
    if (map_get(&reader->set->definitions, name.text) != NULL)
        fail_at(reader, name.line, name.column, "%s is defined already", name.text);

    /* Put in place once for nothing, so that its faults are found even where no block uses it. */
    BlockPattern nowhere = {0};
    int terms = 0;
    Scope scope = {reader, &nowhere, map_new(reader->arena), map_new(reader->arena), &terms, false};
    reader->defining = definition->name;
    put(&scope, definition->body, NULL);
    reader->defining = NULL;
    map_set(&reader->set->definitions, name.text, definition);
}

/* gate[N C] = Gate(Linear(squeeze)), or q[B L D] see Reshape(_[N H L D], _) */
static void read_equation(Reader *reader, Scope *scope) {
    BlockPattern *block = scope->block;
    Token name = expect_name(reader, "an equation (NAME = ...)");
    const ShapePattern *shape = put_shape(scope, read_shape(reader));
    bool is_seen = take_if(reader, "see");
    if (!is_seen) expect(reader, "=");
    if (map_get(&scope->tensors, name.text) != NULL)
        fail_at(reader, name.line, name.column, "%s stands above already; its equation has to come first, and once",
                name.text);
    const Term *equation = put(scope, read_choice(reader), NULL);
    if (map_get(&scope->tensors, name.text) != NULL)
        fail_at(reader, name.line, name.column, "%s is made of itself", name.text);
    block->root = new_tensor(scope, name.text, equation);
    block->tensors.items[block->root].shape = shape;
    block->tensors.items[block->root].is_named = true;
    block->tensors.items[block->root].is_seen = is_seen;
    map_set(&scope->tensors, name.text, boxed(reader->arena, block->root));
}

/* What is built: of operators, tensors of the match, and constants. Its terms need no putting in place. */

static int known_tensor(const Reader *reader, const Scope *scope, const Token *name) {
    const int *tensor = map_get(&scope->tensors, name->text);
    if (tensor == NULL) fail_at(reader, name->line, name->column, "the block has no tensor %s", name->text);
    scope->block->tensors.items[*tensor].is_used = true;
    return *tensor;
}

/* "[0 -1 C]": numbers, and names of sizes that the pattern has. */
static ShapePattern read_built_list(Reader *reader, const Scope *scope) {
    const Token token = reader->token;
    ShapePattern list = read_list(reader);
    for (int i = 0; i < list.dims.count; i++) {
        DimPattern *dim = &list.dims.items[i];
        if (dim->kind == DIM_SIZE) continue;
        const int *size = dim->kind == DIM_NAME ? map_get(&scope->dims, dim->text) : NULL;
        if (size == NULL) fail_at(reader, token.line, token.column, "%s is no number and no size's name", dim->text);
        dim->name = *size;
    }
    return list;
}

/* "axis=-1", "alpha=0.5", "axes=[2 3]", "approximate=\"tanh\"", "epsilon=e" */
static void read_built_attribute(Reader *reader, const Scope *scope, Term *term) {
    Token name = expect_name(reader, "an attribute");
    Condition attribute = {.attribute = name.text};
    const Op *op = op_find("", term->name);
    if (op_attribute_kind(op, op_newest(op), name.text) == NULL)
        fail_at(reader, name.line, name.column, "%s has no attribute %s", term->name, name.text);
    expect(reader, "=");
    Token token = reader->token;
    if (next_is(reader, "[")) {
        attribute.kind = CONDITION_LIST;
        attribute.list = read_built_list(reader, scope);
    } else if (token.kind == TOKEN_NUMBER) {
        attribute.kind = CONDITION_VALUE;
        attribute.number = strtod(take(reader).text, NULL);
    } else if (token.kind == TOKEN_STRING) {
        attribute.kind = CONDITION_STRING;
        attribute.string = take_string(reader);
    } else {
        expect_name(reader, "a number, a list, a string, a tensor or a size");
        const int *size = map_get(&scope->dims, token.text);
        attribute.kind = size != NULL ? CONDITION_DIM : CONDITION_TENSOR;
        attribute.tensor = size != NULL ? *size : known_tensor(reader, scope, &token);
    }
    list_add(reader->arena, &term->conditions, attribute);
}

static Term *read_built(Reader *reader, const Scope *scope);

static void read_built_node(Reader *reader, const Scope *scope, Term *term) {
    term->kind = TERM_NODE;
    if (op_find("", term->name) == NULL)
        fail_at(reader, term->line, term->column, "there is no operator %s", term->name);
    while (!take_if(reader, ")")) {
        Term *argument = read_built(reader, scope);
        list_add(reader->arena, &term->arguments, argument);
        if (!next_is(reader, ")")) expect(reader, ",");
    }
    if (!take_if(reader, "{")) return;
    do read_built_attribute(reader, scope, term);
    while (take_if(reader, ","));
    expect(reader, "}");
}

/* "Gelu(x){approximate=\"tanh\"}" */
static Term *read_built(Reader *reader, const Scope *scope) {
    if (++reader->nesting > MAX_NESTING) fail_expected(reader, "less nesting");
    Token token = reader->token;
    Term *term = arena_new_object(reader->arena, Term);
    *term = (Term){.file = reader->file, .line = token.line, .column = token.column};
    if (token.kind == TOKEN_NUMBER) {
        term->kind = TERM_NUMBER;
        term->number = strtod(take(reader).text, NULL);
    } else if (next_is(reader, "[")) {
        term->kind = TERM_LIST;
        term->list = read_built_list(reader, scope);
    } else {
        term->name = expect_name(reader, "an operator, a tensor, a number or a list").text;
        if (take_if(reader, "(")) read_built_node(reader, scope, term);
        else term->tensor = known_tensor(reader, scope, &token);
    }
    reader->nesting--;
    return term;
}

/* The sizes that a probe's axes name, as far as the block knows them. */
static ShapePattern read_axes(Reader *reader, const Scope *scope) {
    ShapePattern shape = {0};
    expect(reader, "[");
    while (!next_is(reader, "]")) {
        if (reader->token.kind != TOKEN_NAME && reader->token.kind != TOKEN_NUMBER) fail_expected(reader, "an axis");
        DimPattern axis = read_dim(reader);
        const int *name = axis.kind == DIM_NAME ? map_get(&scope->dims, axis.text) : NULL;
        if (name != NULL) axis.name = *name;
        else if (axis.kind != DIM_SIZE) axis.kind = DIM_ANY;
        list_add(reader->arena, &shape.dims, axis);
    }
    expect(reader, "]");
    return shape;
}

/* probe gate channel [N C] on request;  probe map spatial [N H W] = ReduceSum(...) */
static void read_probe(Reader *reader, const Scope *scope) {
    expect(reader, "probe");
    Token name = expect_name(reader, "the name of a tensor");
    PatternProbe probe = {.tensor = -1, .name = name.text, .kind = ""};
    if (next_is(reader, "channel") || next_is(reader, "spatial") || next_is(reader, "tokens"))
        probe.kind = take(reader).text;
    if (next_is(reader, "[")) probe.shape = read_axes(reader, scope);
    Text axes = text_new(reader->arena);
    for (int i = 0; i < probe.shape.dims.count; i++)
        text_printf(&axes, "%s%s", i > 0 ? " " : "", probe.shape.dims.items[i].text);
    probe.axes = axes.data;
    probe.on_request = take_if(reader, "on");
    if (probe.on_request) expect(reader, "request");
    if (take_if(reader, "=")) probe.made = read_built(reader, scope);
    else probe.tensor = known_tensor(reader, scope, &name);
    list_add(reader->arena, &scope->block->probes, probe);
}

/* Blocks and rules: equations, and what is made of them. */
static void read_pattern(Reader *reader, bool is_rule) {
    Arena *arena = reader->arena;
    advance(reader);
    BlockPattern *block = arena_new_object(arena, BlockPattern);
    block->family = expect_name(reader, is_rule ? "the rule's name" : "the family's name").text;
    block->file = reader->file;
    int terms = 0;
    Scope scope = {reader, block, map_new(arena), map_new(arena), &terms, false};
    LIST(Token) names = {0};
    do {
        list_add(arena, &names, reader->token);
        read_equation(reader, &scope);
    } while (reader->token.kind == TOKEN_NAME && !next_is_keyword(reader));
    for (int i = 0; i < names.count - 1; i++) {
        const Token *name = &names.items[i];
        const int *tensor = map_get(&scope.tensors, name->text);
        if (!block->tensors.items[*tensor].is_used)
            fail_at(reader, name->line, name->column, "no equation below makes use of %s", name->text);
    }
    if (is_rule) {
        expect(reader, "becomes");
        block->becomes = read_built(reader, &scope);
        list_add(arena, &reader->set->rules, block);
        return;
    }
    while (next_is(reader, "probe")) read_probe(reader, &scope);
    if (take_if(reader, "fuse")) block->fuse = expect_name(reader, "the name of a fused operator").text;
    list_add(arena, &reader->set->blocks, block);
}

PatternSet patterns_new(Arena *arena) { return (PatternSet){.arena = arena, .definitions = map_new(arena)}; }

void patterns_parse(PatternSet *set, const char *file, const char *text) {
    Reader reader = {.arena = set->arena, .set = set, .at = text, .line_start = text, .line = 1};
    reader.file = arena_copy(set->arena, file);
    advance(&reader);
    while (reader.token.kind != TOKEN_END)
        if (next_is(&reader, "define")) read_definition(&reader);
        else if (next_is(&reader, "block") || next_is(&reader, "rewrite"))
            read_pattern(&reader, next_is(&reader, "rewrite"));
        else fail_expected(&reader, "'define', 'block' or 'rewrite'");
}

static void parse_builtin(PatternSet *set) {
    static const char folder[] = "compiler/patterns/", common[] = "compiler/patterns/common.pattern";
    patterns_parse(set, common, asset_text(common));
    for (const Asset *asset = ASSETS; asset->path != NULL; asset++)
        if (strncmp(asset->path, folder, strlen(folder)) == 0 && strcmp(asset->path, common) != 0)
            patterns_parse(set, asset->path, asset->text);
}

static void parse_file(PatternSet *set, const char *path) {
    enum { LARGEST = 1 << 20 };
    size_t size;
    const char *text = file_read(set->arena, path, LARGEST, &size);
    if (strlen(text) != size) fail(STATUS_USAGE, "%s: is no text: it has a NUL byte", quoted(path));
    patterns_parse(set, path, text);
}

PatternSet patterns_load(Arena *arena, const char *const *files, int count) {
    PatternSet builtin = patterns_new(arena);
    parse_builtin(&builtin);
    PatternSet all = {.arena = arena, .definitions = builtin.definitions};
    for (int i = 0; i < count; i++) parse_file(&all, files[i]);
    for (int i = 0; i < all.blocks.count; i++) all.blocks.items[i]->is_own = true;
    for (int i = 0; i < builtin.blocks.count; i++) list_add(arena, &all.blocks, builtin.blocks.items[i]);
    for (int i = 0; i < builtin.rules.count; i++) list_add(arena, &all.rules, builtin.rules.items[i]);
    return all;
}
