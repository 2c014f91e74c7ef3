/* Kernel: a kernel's source as a function for one type and one set of sizes.
 * The sizes become enum constants, so that the C compiler sees numbers and a reader sees names; the epilogue is written
 * where the kernel says OUT. A pointer that is NULL at compile time becomes a local constant, not a parameter. */
#include "emit/function.h"
#include "emit/literal.h"
#include "program/specialise.h"
#include "runtime/support.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

typedef struct {
    const Step *step;
    Names locals;                     /* names in the kernel's source */
    const char *prefix;               /* of the epilogue's intermediate values */
    const char *lane, *index;         /* where it goes through the lanes of a vector */
    const char *others[MAX_OPERANDS]; /* the parameters for the epilogue's further inputs */
} Epilogue;

static const char *specialised(Arena *arena, const char *source, Type type) {
    Text text = text_new(arena);
    specialise(&text, source, type, NULL);
    return text.data;
}

/* Where an input of the epilogue is read when the kernel writes element i of its output (row-major). */
static const char *epilogue_index(Arena *arena, const Loop *loop, const Operand *operand, const char *i) {
    if (loop->rank == 1 && operand->stride[0] == 1) return i;
    Text out = text_new(arena);
    int64_t inner = 1;
    for (int d = loop->rank - 1; d >= 0; inner *= loop->extent[d--]) {
        if (operand->stride[d] == 0 || loop->extent[d] == 1) continue;
        if (out.length > 0) text_add(&out, " + ");
        if (operand->stride[d] != 1) text_printf(&out, "%" PRId64 " * (", operand->stride[d]);
        text_printf(&out, "(%s)", i);
        if (inner != 1) text_printf(&out, " / %" PRId64, inner);
        if (d > 0) text_printf(&out, " %% %" PRId64, loop->extent[d]);
        if (operand->stride[d] != 1) text_add(&out, ")");
    }
    return out.length > 0 ? out.data : "0";
}

/* Blanks that begin the line which text ends in; *is_blank: there is nothing else on it. */
static const char *line_indent(const Text *text, bool *is_blank) {
    const char *end = text->data + text->length, *line = end;
    while (line > text->data && line[-1] != '\n') line--;
    const char *word = line;
    while (*word == ' ') word++;
    *is_blank = word == end;
    return arena_printf(text->arena, "%.*s", (int)(word - line), line);
}

/* Whether text ends where a block has just been opened, so that declarations may follow. */
static bool opens_block(const Text *text) {
    const char *end = text->data + text->length;
    while (end > text->data && isspace((unsigned char)end[-1])) end--;
    return end > text->data && end[-1] == '{';
}

/* Writes `place = formula;`, with the formula's intermediate values before it, in a block of their own unless one has
 * just been opened. type: what the result is stored as. */
static void write_applied(Text *text, const Loop *formula, const char *const *inputs, const char *prefix,
                          const char *place, Type type, bool is_vector) {
    Arena *arena = text->arena;
    bool is_blank;
    const char *indent = line_indent(text, &is_blank), *deeper = arena_printf(arena, "%s    ", indent);
    Text before = text_new(arena);
    bool in_block = is_blank && opens_block(text);
    const char *result = (is_vector ? body_vector_statements : body_statements)(&before, in_block ? indent : deeper,
                                                                                formula, inputs, prefix);
    const char *value = is_vector ? result : stored(arena, type, result);
    const char *store = assignment(arena, before.length == 0 || in_block ? indent : deeper, place, value);
    if (before.length == 0) text_add(text, store);
    else if (in_block) text_printf(text, "%s%s%s", before.data + strlen(indent), indent, store);
    else text_printf(text, "{\n%s%s%s\n%s}", before.data, deeper, store, indent);
}

static const Loop *formula_of(const Step *step, const char *parameter) {
    for (int i = 0; i < step->kernel->parameter_count; i++)
        if (strcmp(step->kernel->parameters[i].name, parameter) == 0) return step->arguments[i].formula;
    fail(STATUS_BUG, "kernel %s has no formula %s", step->kernel->name, parameter);
}

/* Replaces APPLY(f, place, e); */
static void write_apply(Text *text, const char *f, const char *place, const char *e, void *argument) {
    const Step *step = ((const Epilogue *)argument)->step;
    write_applied(text, formula_of(step, f), &e, f, place, type_info(step->type)->compute, false);
}

/* Replaces APPLY_VECTOR(f, place, e); lane by lane where the formula has no vector form. */
static void write_apply_vector(Text *text, const char *f, const char *place, const char *e, void *argument) {
    const Epilogue *epilogue = argument;
    const Loop *formula = formula_of(epilogue->step, f);
    if (body_is_vector(formula)) {
        write_applied(text, formula, &e, f, place, TYPE_FLOAT, true);
        return;
    }
    bool is_blank;
    const char *lane = epilogue->lane, *index = epilogue->index, *indent = line_indent(text, &is_blank);
    const char *element = arena_printf(text->arena, "%s[%s]", lane, index);
    text_printf(text, "{\n%s    float %s[LANES];\n%s    vf_store(%s, %s);\n", indent, lane, indent, lane, e);
    text_printf(text, "%s    for (int %s = 0; %s < LANES; %s++) {\n%s        ", indent, index, index, index, indent);
    write_applied(text, formula, &element, f, element, TYPE_FLOAT, false);
    text_printf(text, "\n%s    }\n%s    %s = vf_load(%s);\n%s}", indent, indent, place, lane, indent);
}

/* The value which stands in for the one that the epilogue begins with, and for those that it reads at the index. */
static void epilogue_inputs(Arena *arena, const Epilogue *epilogue, const char *first, const char *index,
                            const char **inputs) {
    const Loop *loop = epilogue->step->epilogue;
    inputs[0] = first;
    for (int k = 1; k < loop->input_count; k++) {
        const Operand *input = &loop->inputs[k];
        const char *at = epilogue_index(arena, loop, input, index);
        inputs[k] = loaded(arena, input->buffer->type, arena_printf(arena, "%s[%s]", epilogue->others[k], at));
    }
}

/* Replaces OUT(y, i, e); */
static void write_out(Text *text, const char *y, const char *i, const char *e, void *argument) {
    const Epilogue *epilogue = argument;
    const Step *step = epilogue->step;
    Arena *arena = text->arena;
    const char *inputs[MAX_OPERANDS];
    const char *rounded = loaded(arena, step->type, stored(arena, step->type, e)); /* as between any two operations */
    epilogue_inputs(arena, epilogue, rounded, i, inputs);
    write_applied(text, step->epilogue, inputs, epilogue->prefix, arena_printf(arena, "%s[%s]", y, i), step->type,
                  false);
}

static const char *size_text(Arena *arena, int64_t size) {
    return size < 0 ? arena_printf(arena, "m%" PRId64, -size) : arena_printf(arena, "%" PRId64, size);
}

/* Whether the epilogue can be computed on vectors: its formulas have that form, and so do its inputs. */
static bool epilogue_is_vector(const Loop *loop) {
    for (int k = 1; k < loop->input_count; k++)
        if (loop->inputs[k].buffer->type != TYPE_FLOAT || loop->inputs[k].stride[loop->rank - 1] > 1) return false;
    return body_is_vector(loop);
}

/* Replaces OUT_VECTOR(y, i, e, n); by statements over vectors. */
static void write_vectors(Text *text, const char *y, const char *i, const char *e, const char *n,
                          const Epilogue *epilogue) {
    const Loop *loop = epilogue->step->epilogue;
    Arena *arena = text->arena;
    bool is_blank;
    const char *indent = line_indent(text, &is_blank), *deeper = arena_printf(arena, "%s    ", indent);
    const char *inputs[MAX_OPERANDS] = {e};
    for (int k = 1; k < loop->input_count; k++) {
        const char *other = epilogue->others[k], *at = epilogue_index(arena, loop, &loop->inputs[k], i);
        bool is_one = loop->inputs[k].stride[loop->rank - 1] == 0;
        inputs[k] = is_one ? arena_printf(arena, "vf_all(%s[%s])", other, at)
                           : arena_printf(arena, "vf_load_part(%s + %s, %s)", other, at, n);
    }
    Text before = text_new(arena);
    bool in_block = is_blank && opens_block(text);
    const char *inside = in_block ? indent : deeper;
    const char *result = body_vector_statements(&before, inside, loop, inputs, epilogue->prefix);
    const char *store = arena_printf(arena, "vf_store_part(%s + %s, %s, %s);", y, i, result, n);
    if (before.length == 0) text_add(text, store);
    else if (in_block) text_printf(text, "%s%s%s", before.data + strlen(indent), indent, store);
    else text_printf(text, "{\n%s%s%s\n%s}", before.data, deeper, store, indent);
}

/* The same lane by lane. */
static void write_lanes(Text *text, const char *y, const char *i, const char *e, const char *n,
                        const Epilogue *epilogue) {
    Arena *arena = text->arena;
    bool is_blank;
    const char *indent = line_indent(text, &is_blank), *inputs[MAX_OPERANDS];
    const char *lane = epilogue->lane, *index = epilogue->index, *deeper = arena_printf(arena, "%s        ", indent);
    const char *at = arena_printf(arena, "%s + %s", i, index);
    epilogue_inputs(arena, epilogue, arena_printf(arena, "%s[%s]", lane, index), at, inputs);
    Text body = text_new(arena);
    const char *result = body_statements(&body, deeper, epilogue->step->epilogue, inputs, epilogue->prefix);
    const char *store = assignment(arena, deeper, arena_printf(arena, "%s[%s]", y, at), result);
    text_printf(text,
                "{\n%s    float %s[LANES];\n%s    vf_store(%s, %s);\n%s    for (int %s = 0; %s < %s; %s++) {\n%s%s%s\n"
                "%s    }\n%s}",
                indent, lane, indent, lane, e, indent, index, index, n, index, body.data, deeper, store, indent,
                indent);
}

static void write_out_vector(Text *text, const char *y, const char *i, const char *e, const char *n, void *argument) {
    const Epilogue *epilogue = argument;
    const char *count = strchr(n, ' ') != NULL ? arena_printf(text->arena, "(%s)", n) : n;
    if (epilogue_is_vector(epilogue->step->epilogue)) write_vectors(text, y, i, e, count, epilogue);
    else write_lanes(text, y, i, e, count, epilogue);
}

/* "conv_{KH}x{KW}_{C}" with sizes filled in, the type where it is not float, and the epilogue. */
static const char *wish_of(Arena *arena, const Step *step) {
    Text out = text_new(arena);
    for (const char *p = step->kernel->label; *p != '\0';) {
        const char *end = *p == '{' ? strchr(p, '}') : NULL;
        if (end == NULL) {
            text_add_bytes(&out, p++, 1);
            continue;
        }
        size_t length = (size_t)(end - p - 1);
        const char *value = NULL;
        for (int i = 0; i < step->kernel->parameter_count; i++) {
            const Parameter *parameter = &step->kernel->parameters[i];
            if (strlen(parameter->name) == length && memcmp(parameter->name, p + 1, length) == 0)
                value = parameter->kind == PARAMETER_FORMULA ? body_words(arena, step->arguments[i].formula, "_")
                                                             : size_text(arena, step->arguments[i].size);
        }
        if (value == NULL) fail(STATUS_BUG, "kernel %s has no size for %s", step->kernel->name, step->kernel->label);
        text_add(&out, value);
        p = end + 1;
    }
    if (step->type != TYPE_FLOAT) text_printf(&out, "_%s", type_info(step->type)->suffix);
    const char *epilogue = step->epilogue == NULL ? "" : body_words(arena, step->epilogue, "_");
    if (*epilogue != '\0') text_printf(&out, "_%s", epilogue);
    return out.data;
}

/* A size; where it depends on the target the C compiler picks it. */
static const char *constant_text(Arena *arena, const Argument *size) {
    const int *picks = size->picks;
    if (picks == NULL) return arena_printf(arena, "%" PRId64, size->size);
    bool same = true;
    for (int i = 1; i < TARGET_COUNT; i++) same = same && picks[i] == picks[0];
    return same ? arena_printf(arena, "%d", picks[0])
                : arena_printf(arena, "PICK(%d, %d, %d, %d, %d)", picks[TARGET_AVX512], picks[TARGET_AVX2],
                               picks[TARGET_NEON], picks[TARGET_SSE], picks[TARGET_SCALAR]);
}

/* Whether the function needs a size: its body mentions it, or its number of items. */
static bool needs_size(const Kernel *kernel, const char *size) {
    return mentions_identifier(kernel->body, size) ||
           (kernel->items != NULL && mentions_identifier(kernel->items, size));
}

/* The sizes that the function needs, as constants: "enum { H = 28, W = 28 };" and arrays. */
static void add_constants(Text *out, const Step *step) {
    Words sizes = {0};
    const Kernel *kernel = step->kernel;
    for (int i = 0; i < kernel->parameter_count; i++)
        if (kernel->parameters[i].kind == PARAMETER_SIZE && needs_size(kernel, kernel->parameters[i].name))
            list_add(out->arena, &sizes,
                     (const char *)arena_printf(out->arena, "%s = %s", kernel->parameters[i].name,
                                                constant_text(out->arena, &step->arguments[i])));
    if (sizes.count > 0) add_list(out, "    enum { ", &sizes, " };\n");
    for (int i = 0; i < kernel->parameter_count; i++) {
        const Argument *given = &step->arguments[i];
        if (kernel->parameters[i].kind != PARAMETER_SIZES ||
            !mentions_identifier(kernel->body, kernel->parameters[i].name))
            continue;
        Words values = {0};
        for (int k = 0; k < given->size_count; k++)
            list_add(out->arena, &values, (const char *)arena_printf(out->arena, "%" PRId64, given->sizes[k]));
        if (values.count == 0) list_add(out->arena, &values, (const char *)"0"); /* C has no empty arrays */
        const char *head =
            arena_printf(out->arena, "    static const int %s[%d] = {", kernel->parameters[i].name, values.count);
        add_list(out, head, &values, "};\n");
    }
}

/* Which items the function does: all, or those of a range. */
static void add_range(Text *out, const Step *step) {
    const char *items = step->kernel->items;
    if (items == NULL) return;
    if (step->tasks <= 1) {
        const char *place =
            kernel_keeps_scratch(step->kernel) ? "const int first = 0, fresh = 0, last" : "const int first = 0, last";
        text_printf(out, "    %s\n", assignment(out->arena, "    ", place, items));
        return;
    }
    const int ranges = step->tasks * step->ranges;
    add_range_of_items(out, items, ranges);
    if (kernel_keeps_scratch(step->kernel)) text_printf(out, "    const int fresh = share_start(items, since, %d);\n", ranges);
}

static bool is_pointer(const Parameter *parameter) {
    return parameter->kind == PARAMETER_INPUT || parameter->kind == PARAMETER_OUTPUT;
}

/* A pointer to what is made for a probe alone: a parameter with probes, NULL without. */
static void add_shown_parameter(const Functions *functions, Call *call, Words *shown, Text *constants, const Step *step,
                                int i, const char *c_type) {
    const char *name = step->kernel->parameters[i].name;
    Buffer *buffer = step->arguments[i].buffer;
    list_add(constants->arena, shown, (const char *)arena_printf(constants->arena, "%s *restrict %s", c_type, name));
    list_add(constants->arena, &call->shown, ((CallArgument){buffer, 0, c_type, "NULL"}));
    text_printf(constants, "#if !%s_PROBES\n    %s *const %s = NULL;\n#endif\n", functions->macro, c_type, name);
}

/* A pointer or number: a parameter and its argument; a NULL pointer: a constant in the body. */
static void add_parameter(const Functions *functions, Call *call, FunctionDraft *draft, Text *constants,
                          const Step *step, int i) {
    Arena *arena = constants->arena;
    const Parameter *parameter = &step->kernel->parameters[i];
    const Argument *given = &step->arguments[i];
    const char *c_type = specialised(arena, parameter->type, step->type);
    if (!mentions_identifier(step->kernel->body, parameter->name)) return;
    if (parameter->kind == PARAMETER_NUMBER) {
        Type type = strcmp(c_type, "double") == 0 ? TYPE_DOUBLE : TYPE_FLOAT;
        bool is_real = type == TYPE_DOUBLE || strcmp(c_type, "float") == 0;
        const char *literal =
            literal_text(arena, is_real ? type : TYPE_INT64, given->number, i64_from_f64(given->number));
        list_add(arena, &draft->parameters, (const char *)arena_printf(arena, "%s %s", c_type, parameter->name));
        list_add(arena, &call->arguments, ((CallArgument){NULL, 0, NULL, literal}));
        return;
    }
    if (!is_pointer(parameter)) return;
    if (!step->is_aside && (given->buffer == NULL || given->buffer->is_shown) &&
        map_get(&functions->shown, shown_key(arena, step->kernel, i)) != NULL) {
        add_shown_parameter(functions, call, &draft->shown, constants, step, i, c_type);
        return;
    }
    const char *qualified = arena_printf(arena, "%s%s", parameter->kind == PARAMETER_INPUT ? "const " : "", c_type);
    if (given->buffer == NULL) {
        text_printf(constants, "    %s *const %s = NULL;\n", qualified, parameter->name);
        return;
    }
    list_add(arena, &draft->parameters,
             (const char *)arena_printf(arena, "%s *restrict %s", qualified, parameter->name));
    list_add(arena, &call->arguments, ((CallArgument){given->buffer, given->offset, c_type, NULL}));
}

static void add_epilogue_inputs(Call *call, Words *parameters, Epilogue *epilogue) {
    const Loop *loop = epilogue->step->epilogue;
    Arena *arena = epilogue->locals.arena;
    for (int k = 1; k < loop->input_count; k++) {
        const Operand *input = &loop->inputs[k];
        const char *c_type = type_info(input->buffer->type)->c_name;
        epilogue->others[k] = names_take(&epilogue->locals, "other");
        list_add(arena, parameters,
                 (const char *)arena_printf(arena, "const %s *restrict %s", c_type, epilogue->others[k]));
        list_add(arena, &call->arguments, ((CallArgument){input->buffer, input->offset, c_type, NULL}));
    }
}

/* Whether all that the kernel writes is empty. */
static bool makes_nothing(const Step *step) {
    for (int i = 0; i < step->kernel->parameter_count; i++)
        if (step->kernel->parameters[i].kind == PARAMETER_OUTPUT && step->arguments[i].buffer != NULL &&
            step->arguments[i].buffer->count > 0)
            return false;
    return true;
}

Call kernel_call(Functions *functions, const Step *step) {
    Arena *arena = functions->arena;
    Call call = {0};
    if (makes_nothing(step)) return call;
    const Kernel *kernel = step->kernel;
    FunctionDraft draft = {
        .comment = kernel->comment, .tasks = step->tasks, .ranges = step->ranges, .takes_since = kernel_keeps_scratch(kernel)};
    Text body = text_new(arena);
    Epilogue epilogue = {.step = step, .locals = names_new(arena)};
    add_constants(&body, step);
    add_range(&body, step);
    for (int i = 0; i < kernel->parameter_count; i++) {
        names_reserve(&epilogue.locals, kernel->parameters[i].name);
        add_parameter(functions, &call, &draft, &body, step, i);
    }
    SpecialiseHooks hooks = {.apply = write_apply, .apply_vector = write_apply_vector, .argument = &epilogue};
    names_reserve_all_in(&epilogue.locals, kernel->body);
    epilogue.lane = names_take(&epilogue.locals, "lane");
    epilogue.index = names_take(&epilogue.locals, "j");
    if (step->epilogue != NULL) {
        epilogue.prefix = names_take(&epilogue.locals, "made");
        hooks.out = write_out;
        hooks.out_vector = write_out_vector;
        add_epilogue_inputs(&call, &draft.parameters, &epilogue);
    }
    const char *inside = arena_printf(arena, "%.*s", (int)strlen(kernel->body) - 2, kernel->body + 1);
    while (*inside == ' ' || *inside == '\n') inside++;
    text_add(&body, "    ");
    specialise(&body, inside, step->type, &hooks);
    while (isspace((unsigned char)body.data[body.length - 1])) body.data[--body.length] = '\0';
    text_add(&body, "\n");
    draft.wish = wish_of(arena, step);
    draft.body = body.data;
    if (step->tasks > 1 && step_scratch(step) != NULL) draft.scratch = step_scratch(step)->count / step->tasks;
    call.function = functions_add(functions, &draft);
    return call;
}
