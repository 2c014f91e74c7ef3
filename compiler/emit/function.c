/* Function: one function for each distinct text, and the layout of signatures, calls and comments.
 * Lines are broken as clang-format would, so that generated code can be formatted without a change. */
#include "emit/function.h"

#include <string.h>

Functions functions_new(Arena *arena, Names *names, const char *model, const char *macro) {
    return (Functions){.arena = arena,
                       .names = names,
                       .model = model,
                       .macro = macro,
                       .shown = map_new(arena),
                       .by_text = map_new(arena)};
}

const char *shown_key(Arena *arena, const Kernel *kernel, int parameter) {
    return arena_printf(arena, "%s.%s", kernel->name, kernel->parameters[parameter].name);
}

void functions_note_shown(Functions *functions, const Program *program) {
    for (int i = 0; i < program->steps.count; i++) {
        const Step *step = program->steps.items[i];
        if (step->kind != STEP_KERNEL || step->is_aside) continue; /* what is aside is so as a whole */
        for (int k = 0; k < step->kernel->parameter_count; k++)
            if (step->arguments[k].buffer != NULL && step->arguments[k].buffer->is_shown)
                map_set(&functions->shown, shown_key(functions->arena, step->kernel, k), functions);
    }
}

void add_shown(Words *words, const Words *shown, Arena *arena, const char *macro) {
    fovea_assert(shown->count == 0 || words->count > 0);
    for (int i = 0; i < shown->count; i++) {
        const char **last = &words->items[words->count - 1];
        *last = arena_printf(arena, "%s %s_SHOWN(%s)", *last, macro, shown->items[i]);
    }
}

void add_comment(Text *out, const char *indent, const char *text) {
    text_printf(out, "%s/* ", indent);
    for (const char *p = text; *p != '\0'; p++) {
        if (*p != '\n') text_add_bytes(out, p, 1);
        else text_printf(out, "\n%s *%s", indent, p[1] == '\n' ? "" : " ");
    }
    text_add(out, " */\n");
}

const char *assignment(Arena *arena, const char *indent, const char *place, const char *value) {
    bool fits = strlen(indent) + strlen(place) + strlen(" = ;") + strlen(value) <= LINE_WIDTH;
    return fits ? arena_printf(arena, "%s = %s;", place, value)
                : arena_printf(arena, "%s =\n%s    %s;", place, indent, value);
}

void add_list(Text *out, const char *prefix, const Words *words, const char *suffix) {
    text_add(out, prefix);
    size_t indent = strlen(prefix), column = indent;
    for (int i = 0; i < words->count; i++) {
        bool last = i + 1 == words->count;
        size_t length = strlen(words->items[i]) + (last ? strlen(suffix) : 1);
        if (i > 0 && column + 1 + length > LINE_WIDTH) {
            text_printf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (i > 0) {
            text_add(out, " ");
            column++;
        }
        text_printf(out, "%s%s", words->items[i], last ? "" : ",");
        column += length;
    }
    text_add(out, suffix);
}

/* The function itself; where its work is shared out, the one that does a range, and those around it. */
static const char *function_text(const Functions *functions, const char *name, const FunctionDraft *draft) {
    Arena *arena = functions->arena;
    Text text = text_new(arena);
    bool is_shared = draft->tasks > 1;
    const char *own = is_shared ? names_take(functions->names, arena_printf(arena, "%s_range", name)) : name;
    Words parameters = {0};
    for (int i = 0; i < draft->parameters.count; i++) list_add(arena, &parameters, draft->parameters.items[i]);
    add_shown(&parameters, &draft->shown, arena, functions->macro);
    if (is_shared) list_add(arena, &parameters, (const char *)"int range");
    if (is_shared && draft->takes_since) list_add(arena, &parameters, (const char *)"int since");
    const char *wide = mentions_identifier(draft->body, "vf") ? "WIDE " : "";
    add_list(&text, arena_printf(arena, "%sstatic void %s(", wide, own), &parameters, ") {\n");
    text_printf(&text, "%s}\n", draft->body);
    if (is_shared) add_tasks(&text, functions, name, own, draft);
    return text.data;
}

const Function *functions_add(Functions *functions, const FunctionDraft *draft) {
    Text key = text_new(functions->arena);
    text_printf(&key, "%d %d %s\n", draft->tasks, draft->ranges, draft->comment);
    for (int i = 0; i < draft->parameters.count; i++) text_printf(&key, "%s\n", draft->parameters.items[i]);
    for (int i = 0; i < draft->shown.count; i++) text_printf(&key, "%s\n", draft->shown.items[i]);
    text_add(&key, draft->body);
    Function *function = map_get(&functions->by_text, key.data);
    if (function != NULL) return function;
    function = arena_new_object(functions->arena, Function);
    function->name = names_take(functions->names, draft->wish);
    function->comment = draft->comment;
    function->tasks = draft->tasks;
    function->text = function_text(functions, function->name, draft);
    map_set(&functions->by_text, key.data, function);
    list_add(functions->arena, &functions->items, function);
    return function;
}

void functions_need(const Functions *functions, const Function *function) {
    for (int i = 0; i < functions->items.count; i++)
        if (functions->items.items[i] == function) functions->items.items[i]->is_needed = true;
}

void functions_write(const Functions *functions, Text *out) {
    bool in_tasks = false;
    for (int i = 0; i < functions->items.count; i++) in_tasks |= functions->items.items[i]->tasks > 1;
    if (in_tasks) add_in_parallel(out, functions->model);
    Map explained = map_new(out->arena); /* by comment -> the first function with it */
    for (int i = 0; i < functions->items.count; i++) {
        const Function *function = functions->items.items[i], *first = map_get(&explained, function->comment);
        if (!function->is_needed) text_printf(out, "#if %s_PROBES\n", functions->macro);
        if (first == NULL || strchr(function->comment, '\n') == NULL) {
            add_comment(out, "", function->comment);
            map_set(&explained, function->comment, functions->items.items[i]);
        } else add_comment(out, "", arena_printf(out->arena, "As %s(), in another form.", first->name));
        text_printf(out, "%s%s", function->text, function->is_needed ? "\n" : "#endif\n\n");
    }
}

static void reserve_numbered(Names *names, const char *prefix, int count) {
    for (int i = 0; i < count; i++) names_reserve(names, arena_printf(names->arena, "%s%d", prefix, i));
}

void reserve_locals(Names *names, const Program *program) {
    names_reserve_all_in(
        names,
        "a b c d e f g h x y i j k m n p q r s part result first last fresh task range since items given arguments "
        "taken next");
    reserve_numbered(names, "x", MAX_OPERANDS);
    reserve_numbered(names, "v", MAX_SCALARS);
    reserve_numbered(names, "final", MAX_SCALARS);
    reserve_numbered(names, "term", 3);
    reserve_numbered(names, "made", MAX_SCALARS);
    reserve_numbered(names, "other_", MAX_OPERANDS);
    for (const Support *support = SUPPORTS; support->name != NULL; support++)
        names_reserve_all_in(names, support->text);
    for (int i = 0; i < program->steps.count; i++) {
        const Step *step = program->steps.items[i];
        if (step->kind != STEP_KERNEL) continue;
        names_reserve_all_in(names, step->kernel->body);
        for (int k = 0; k < step->kernel->parameter_count; k++) {
            names_reserve(names, step->kernel->parameters[k].name);
            if (step->kernel->parameters[k].kind == PARAMETER_FORMULA)
                reserve_numbered(names, step->kernel->parameters[k].name, MAX_SCALARS);
        }
    }
}

/* needed: by position in SUPPORTS. */
static void mark_needed(const char *identifier, void *needed) {
    for (int i = 0; SUPPORTS[i].name != NULL; i++)
        if (strcmp(SUPPORTS[i].name, identifier) == 0) ((bool *)needed)[i] = true;
}

void add_support(Text *out, const char *code) {
    int count = 0;
    while (SUPPORTS[count].name != NULL) count++;
    bool *needed = arena_new_array(out->arena, bool, (size_t)count);
    each_identifier(code, mark_needed, needed);
    for (int i = count - 1; i >= 0; i--) /* a helper uses only those above it */
        if (needed[i]) each_identifier(SUPPORTS[i].text, mark_needed, needed);
    for (int i = 0; i < count; i++)
        if (needed[i]) text_printf(out, "%s\n\n", SUPPORTS[i].text);
}
