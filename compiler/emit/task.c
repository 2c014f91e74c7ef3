/* Task: the functions around one whose work is shared out among threads.
 * Its arguments travel in a struct, since a pool of threads knows only of one pointer. */
#include "emit/function.h"

#include <inttypes.h>
#include <string.h>

/* "x" of "const float *restrict x". */
static const char *name_of(const char *parameter) {
    const char *name = parameter + strlen(parameter);
    while (name > parameter && name[-1] != ' ' && name[-1] != '*') name--;
    return name;
}

/* The parameter as a member of a struct, or of a function that only hands it on. */
static const char *plain(Arena *arena, const char *parameter) {
    static const char word[] = "restrict ";
    const char *at = strstr(parameter, word);
    if (at == NULL) return parameter;
    return arena_printf(arena, "%.*s%s", (int)(at - parameter), parameter, at + sizeof word - 1);
}

void add_range_of_items(Text *out, const char *items, int ranges) {
    text_printf(out,
                "    %s\n"
                "    const int first = share_start(items, range, %d), last = share_start(items, range + 1, %d);\n",
                assignment(out->arena, "    ", "const int items", items), ranges, ranges);
}

typedef const char *Form(Arena *arena, const char *parameter, const FunctionDraft *draft);

static const char *as_member(Arena *arena, const char *parameter, const FunctionDraft *draft) {
    (void)draft;
    return plain(arena, parameter);
}

static const char *as_value(Arena *arena, const char *parameter, const FunctionDraft *draft) {
    (void)arena, (void)draft;
    return name_of(parameter);
}

/* What a task hands to the function, which gets scratch of its own. */
static const char *as_given(Arena *arena, const char *parameter, const FunctionDraft *draft) {
    const char *name = name_of(parameter);
    bool is_scratch = draft->scratch > 0 && strcmp(name, "scratch") == 0;
    return is_scratch ? arena_printf(arena, "given->%s + %" PRId64 " * task", name, draft->scratch)
                      : arena_printf(arena, "given->%s", name);
}

/* All parameters in a form, those that are there with probes only at the end. */
static Words in_form(Arena *arena, const FunctionDraft *draft, const char *macro, Form *form) {
    Words words = {0}, shown = {0};
    for (int i = 0; i < draft->parameters.count; i++)
        list_add(arena, &words, form(arena, draft->parameters.items[i], draft));
    for (int i = 0; i < draft->shown.count; i++) list_add(arena, &shown, form(arena, draft->shown.items[i], draft));
    add_shown(&words, &shown, arena, macro);
    return words;
}

static void add_struct(Text *out, const char *type, const FunctionDraft *draft, const char *macro) {
    Arena *arena = out->arena;
    text_add(out, "\ntypedef struct {\n");
    for (int i = 0; i < draft->parameters.count; i++)
        text_printf(out, "    %s;\n", plain(arena, draft->parameters.items[i]));
    if (draft->shown.count > 0) text_printf(out, "#if %s_PROBES\n", macro);
    for (int i = 0; i < draft->shown.count; i++) text_printf(out, "    %s;\n", plain(arena, draft->shown.items[i]));
    if (draft->shown.count > 0) text_add(out, "#endif\n");
    text_printf(out, "    int32_t taken[%d][16];\n} %s;\n", draft->tasks, type);
}

void add_tasks(Text *out, const Functions *functions, const char *name, const char *part, const FunctionDraft *draft) {
    Arena *arena = out->arena;
    const char *type = names_take(functions->names, arena_printf(arena, "%s_arguments", name));
    const char *task = names_take(functions->names, arena_printf(arena, "%s_task", name));
    add_struct(out, type, draft, functions->macro);
    Words given = in_form(arena, draft, functions->macro, as_given);
    list_add(arena, &given, (const char *)"range");
    if (draft->takes_since) list_add(arena, &given, (const char *)"since");
    text_printf(out, "\nstatic void %s(void *arguments, int32_t task) {\n    %s *const given = arguments;\n", task,
                type);
    const char *next =
        arena_printf(arena, "(range = next_range(given->taken, task, %d, %d)) >= 0;", draft->tasks, draft->ranges);
    if (draft->takes_since)
        text_printf(out,
                    "    for (int range, since = 0, next = -1; %s next = range + 1) {\n"
                    "        if (range != next) since = range;\n",
                    next);
    else text_printf(out, "    for (int range; %s)\n", next);
    add_list(out, arena_printf(arena, "        %s(", part), &given,
             draft->takes_since ? ");\n    }\n}\n\n" : ");\n}\n\n");
    Words parameters = {0}, members = in_form(arena, draft, functions->macro, as_member);
    Words values = in_form(arena, draft, functions->macro, as_value);
    list_add(arena, &values, (const char *)"{{0}}");
    list_add(arena, &parameters, (const char *)arena_printf(arena, "const %s_context *context", functions->model));
    for (int i = 0; i < members.count; i++) list_add(arena, &parameters, members.items[i]);
    add_list(out, arena_printf(arena, "static void %s(", name), &parameters, ") {\n");
    add_list(out, arena_printf(arena, "    %s arguments = {", type), &values, "};\n");
    text_printf(out, "    in_parallel(context, %d, %s, &arguments);\n}\n", draft->tasks, task);
}

void add_in_parallel(Text *out, const char *model) {
    text_printf(
        out,
        "/* Does the tasks 0 to n - 1: with the context's threads, or one after the other. */\n"
        "static void in_parallel(const %s_context *context, int32_t n, void (*task)(void *, int32_t),\n"
        "                        void *arguments) {\n"
        "    if (context->parallel_for == NULL)\n"
        "        for (int32_t i = 0; i < n; i++) task(arguments, i);\n"
        "    else context->parallel_for(context->parallel_user, n, task, arguments);\n"
        "}\n\n"
        "/* The next range of a step's work for a task, or -1. Each task has `count` of them, and `taken` says how\n"
        " * many were begun, in a cache line of its own. A task does its own, then what others have not begun: a\n"
        " * slow thread holds up nobody else. */\n"
        "static int next_range(int32_t (*taken)[16], int task, int tasks, int count) {\n"
        "#if defined(__GNUC__)\n"
        "    for (int i = 0; i < tasks; i++) {\n"
        "        const int of = (task + i) %% tasks;\n"
        "        if (__atomic_load_n(taken[of], __ATOMIC_RELAXED) >= count) continue;\n"
        "        const int range = __atomic_fetch_add(taken[of], 1, __ATOMIC_RELAXED);\n"
        "        if (range < count) return of * count + range;\n"
        "    }\n"
        "#else /* no counters that threads can share */\n"
        "    if (taken[task][0] < count) return task * count + taken[task][0]++;\n"
        "#endif\n"
        "    return -1;\n"
        "}\n\n",
        model);
}
