/* Batch: NAME_run() of a model whose runs take as many samples as the caller says: one after the other, each in the
 * same workspace. */
#include "emit/emitter.h"

#include <inttypes.h>

static const Batch *batch_of(const Emitter *emitter) { return emitter->model->batch; }

const char *samples_macros_text(Emitter *emitter) {
    const Batch *batch = batch_of(emitter);
    const char *macro = emitter->model->macro;
    if (batch == NULL) return "";
    return arena_printf(emitter->arena,
                        "#define %s_LEAST_SAMPLES %" PRId64 " /* that a run takes */\n"
                        "#define %s_MOST_SAMPLES %" PRId64 "\n",
                        macro, batch->least, macro, batch->most);
}

const char *samples_status_text(Emitter *emitter) {
    if (batch_of(emitter) == NULL) return "";
    return arena_printf(emitter->arena, ",\n    %s_WRONG_SAMPLES", emitter->model->macro);
}

const char *samples_comment_text(Emitter *emitter) {
    const EmittedModel *model = emitter->model;
    if (model->batch == NULL) return "/* Runs the model.";
    return arena_printf(emitter->arena,
                        "/* Runs the model on `%s` samples, one after the other, and calls on_probe for each in turn.\n"
                        " * Arrays of samples hold them in a row, and their sizes are those of one.\n *",
                        model->samples);
}

static void add_parameters(Words *parameters, Arena *arena, const EmittedTensor *tensors, int count,
                           const char *qualifier) {
    for (int i = 0; i < count; i++) {
        const EmittedTensor *tensor = &tensors[i];
        list_add(arena, parameters,
                 tensor->value->is_batched
                     ? (const char *)arena_printf(arena, "%s%s *%s", qualifier, tensor->c_type, tensor->identifier)
                     : parameter_text(arena, tensor, qualifier));
    }
}

const char *outer_prototype_text(Emitter *emitter) {
    Arena *arena = emitter->arena;
    const EmittedModel *model = emitter->model;
    const char *name = arena_printf(arena, "%s_run", model->name);
    if (model->batch == NULL) return prototype_text(emitter, name);
    Text out = text_new(arena);
    Words parameters = {0};
    list_add(arena, &parameters, (const char *)arena_printf(arena, "const %s_context *context", model->name));
    list_add(arena, &parameters, (const char *)arena_printf(arena, "int32_t %s", model->samples));
    add_parameters(&parameters, arena, model->inputs.items, model->inputs.count, "const ");
    add_parameters(&parameters, arena, model->outputs.items, model->outputs.count, "");
    add_list(&out, arena_printf(arena, "%s_status %s(", model->name, name), &parameters, ")");
    return out.data;
}

const char *entry_name(const Emitter *emitter) {
    return arena_printf(emitter->arena, "%s_run%s", emitter->model->name, batch_of(emitter) == NULL ? "" : "_sample");
}

static void add_arguments(Words *arguments, Arena *arena, const EmittedTensor *tensors, int count) {
    for (int i = 0; i < count; i++) {
        const EmittedTensor *tensor = &tensors[i];
        list_add(arena, arguments,
                 !tensor->value->is_batched
                     ? tensor->identifier
                     : (const char *)arena_printf(arena, "%s + at * %s", tensor->identifier, tensor->size_macro));
    }
}

const char *outer_run_text(Emitter *emitter) {
    Arena *arena = emitter->arena;
    const EmittedModel *model = emitter->model;
    if (model->batch == NULL) return "";
    Text out = text_new(arena);
    Words arguments = {0};
    list_add(arena, &arguments, (const char *)"context");
    add_arguments(&arguments, arena, model->inputs.items, model->inputs.count);
    add_arguments(&arguments, arena, model->outputs.items, model->outputs.count);
    text_printf(&out,
                "\n%s {\n"
                "    if (%s < %s_LEAST_SAMPLES || %s > %s_MOST_SAMPLES) return %s_WRONG_SAMPLES;\n"
                "    for (size_t at = 0; at < (size_t)%s; at++) {\n",
                outer_prototype_text(emitter), model->samples, model->macro, model->samples, model->macro, model->macro,
                model->samples);
    add_list(&out, arena_printf(arena, "        const %s_status status = %s(", model->name, entry_name(emitter)),
             &arguments, ");\n");
    text_printf(&out,
                "        if (status != %s_OK) return status;\n"
                "    }\n"
                "    return %s_OK;\n"
                "}\n",
                model->macro, model->macro);
    return out.data;
}
