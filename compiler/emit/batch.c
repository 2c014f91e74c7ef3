/* Batch: NAME_run() of a model whose runs take as many samples as the caller says: one after the other, each in the
 * same workspace. */
#include "emit/emitter.h"
#include "plan/plan.h"

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
                        " * Arrays have the shapes above; their sizes are those of one sample.\n *",
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

static void add_arguments(Words *arguments, Emitter *emitter, const EmittedTensor *tensors, int count) {
    for (int i = 0; i < count; i++) {
        const EmittedTensor *tensor = &tensors[i];
        const char *argument = tensor->identifier;
        if (tensor->staged != NULL) argument = tensor->staged;
        else if (tensor->value->is_batched)
            argument = arena_printf(emitter->arena, "%s + at * %s", tensor->identifier, tensor->size_macro);
        list_add(emitter->arena, arguments, argument);
    }
}

/* "float *const state_of_one = (float *)(base + 4096);" */
static void add_staged_pointers(Text *out, Emitter *emitter, const EmittedTensor *tensors, int count) {
    for (int i = 0; i < count; i++)
        if (tensors[i].staged != NULL)
            text_printf(out, "    %s *const %s = (%s *)(base + %" PRId64 ");\n", tensors[i].c_type, tensors[i].staged,
                        tensors[i].c_type, plan_staged(emitter->program, tensors[i].value));
}

/* Copies between an array of all samples and what is of one. */
static void add_copies(Text *out, Emitter *emitter, const EmittedTensor *tensors, int count, bool is_input) {
    for (int i = 0; i < count; i++) {
        const EmittedTensor *tensor = &tensors[i];
        if (tensor->staged == NULL) continue;
        const int64_t pieces = sample_pieces(tensor->value), piece = tensor->count / pieces;
        const char *one = arena_printf(out->arena, "%s + i * %" PRId64, tensor->staged, piece);
        const char *all = arena_printf(out->arena, "%s + (i * (size_t)%s + at) * %" PRId64, tensor->identifier,
                                       emitter->model->samples, piece);
        text_printf(out,
                    "        for (size_t i = 0; i < %" PRId64 "; i++)\n"
                    "            memcpy(%s, %s, %" PRId64 " * sizeof(%s));\n",
                    pieces, is_input ? one : all, is_input ? all : one, piece, tensor->c_type);
    }
}

static bool any_staged(const EmittedModel *model) {
    bool any = false;
    for (int i = 0; i < model->inputs.count; i++) any |= model->inputs.items[i].staged != NULL;
    for (int i = 0; i < model->outputs.count; i++) any |= model->outputs.items[i].staged != NULL;
    return any;
}

const char *outer_run_text(Emitter *emitter) {
    Arena *arena = emitter->arena;
    const EmittedModel *model = emitter->model;
    if (model->batch == NULL) return "";
    Text out = text_new(arena);
    Words arguments = {0};
    list_add(arena, &arguments, (const char *)"context");
    add_arguments(&arguments, emitter, model->inputs.items, model->inputs.count);
    add_arguments(&arguments, emitter, model->outputs.items, model->outputs.count);
    text_printf(&out,
                "\n%s {\n"
                "    if (%s < %s_LEAST_SAMPLES || %s > %s_MOST_SAMPLES) return %s_WRONG_SAMPLES;\n",
                outer_prototype_text(emitter), model->samples, model->macro, model->samples, model->macro,
                model->macro);
    if (any_staged(model))
        text_printf(&out,
                    "    unsigned char *const base = context->workspace;\n"
                    "    if (base == NULL) return %s_NO_WORKSPACE;\n"
                    "    if ((uintptr_t)base %% %s_ALIGNMENT != 0) return %s_UNALIGNED_WORKSPACE;\n",
                    model->macro, model->macro, model->macro);
    add_staged_pointers(&out, emitter, model->inputs.items, model->inputs.count);
    add_staged_pointers(&out, emitter, model->outputs.items, model->outputs.count);
    text_printf(&out, "    for (size_t at = 0; at < (size_t)%s; at++) {\n", model->samples);
    add_copies(&out, emitter, model->inputs.items, model->inputs.count, true);
    add_list(&out, arena_printf(arena, "        const %s_status status = %s(", model->name, entry_name(emitter)),
             &arguments, ");\n");
    text_printf(&out, "        if (status != %s_OK) return status;\n", model->macro);
    add_copies(&out, emitter, model->outputs.items, model->outputs.count, false);
    text_printf(&out,
                "    }\n"
                "    return %s_OK;\n"
                "}\n",
                model->macro);
    return out.data;
}
