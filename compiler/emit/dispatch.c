/* Dispatch: the choice between variants of a run, by what the processor can do.
 * Each is compiled with the features that it is chosen by, and with those of the variants before it. */
#include "emit/emitter.h"

#include <string.h>

/* "senet_run_v3" */
static const char *variant_name(const Emitter *emitter, const Target *variant) {
    return arena_printf(emitter->arena, "%s_run_%s", emitter->model->name, target_level(variant));
}

const char *variant_prototypes_text(Emitter *emitter) {
    Text out = text_new(emitter->arena);
    for (const Target *variant = target_variant(NULL); variant != NULL; variant = target_variant(variant))
        text_printf(&out, "%s;\n", prototype_text(emitter, variant_name(emitter, variant)));
    return out.data;
}

/* "const int v3 = v2 && __builtin_cpu_supports("avx2") && ..."; before: "v2 && ". */
static void add_questions(Text *out, const char *level, const char *before, const char *features) {
    const char *head = arena_printf(out->arena, "    const int %s = ", level);
    size_t column = strlen(head) + strlen(before);
    text_printf(out, "%s%s", head, before);
    for (const char *at = features; *at != '\0';) {
        size_t length = strcspn(at, ",");
        bool is_last = at[length] == '\0';
        const char *question = arena_printf(out->arena, "__builtin_cpu_supports(\"%.*s\")%s", (int)length, at,
                                            is_last ? ";" : " &&");
        bool fits = column + 1 + strlen(question) <= LINE_WIDTH;
        if (!fits) column = strlen(head);
        if (!fits) text_printf(out, "\n%*s", (int)column, "");
        else if (at > features) text_add(out, " ");
        text_add(out, question);
        column += 1 + strlen(question);
        at += length + !is_last;
    }
    text_add(out, "\n");
}

static void add_return(Text *out, const Emitter *emitter, const char *condition, const Target *variant) {
    const EmittedModel *model = emitter->model;
    Words arguments = {0};
    list_add(out->arena, &arguments, (const char *)"context");
    for (int i = 0; i < model->inputs.count; i++) list_add(out->arena, &arguments, model->inputs.items[i].identifier);
    for (int i = 0; i < model->outputs.count; i++) list_add(out->arena, &arguments, model->outputs.items[i].identifier);
    add_list(out, arena_printf(out->arena, "    %sreturn %s(", condition, variant_name(emitter, variant)), &arguments,
             ");\n");
}

const char *choice_text(Emitter *emitter) {
    Arena *arena = emitter->arena;
    const Target *const first = target_variant(NULL);
    Text questions = text_new(arena);
    const char *answers = "";
    for (const Target *variant = first, *before; before = variant, (variant = target_variant(variant)) != NULL;) {
        const char *level = target_level(variant);
        add_questions(&questions, level, before == first ? "" : arena_printf(arena, "%s && ", target_level(before)),
                      variant->features);
        Text answer = text_new(arena); /* the last variant is to be tried first */
        add_return(&answer, emitter, arena_printf(arena, "if (%s) ", level), variant);
        answers = arena_printf(arena, "%s%s", answer.data, answers);
    }
    text_add(&questions, answers);
    add_return(&questions, emitter, "", first);
    return questions.data;
}

const char *features_text(Arena *arena, const Target *variant) {
    Text out = text_new(arena);
    for (const Target *at = target_variant(NULL);; at = target_variant(at)) {
        text_printf(&out, "%s%s", out.length > 0 ? "," : "", at->features);
        if (at == variant) return out.data;
    }
}
