/* Testbench: tables of a model's inputs and outputs, put into a template.
 * NAME_main.c also offers NAME_testbench(), so that many models can stand in one program. */
#include "emit/testbench.h"

#include "base/assets.h"
#include "emit/names.h"
#include "emit/template.h"

#include <inttypes.h>
#include <string.h>

/* numpy's name for a type, or for the unsigned integer of its width where numpy has none. */
static const char *npy_type(Type type) {
    const TypeInfo *info = type_info(type);
    return info->npy != NULL ? info->npy : info->bytes == 2 ? "<u2" : info->class == CLASS_SIGNED ? "|i1" : "|u1";
}

static const char *table(Arena *arena, const EmittedTensor *tensors, int count) {
    Text text = text_new(arena);
    for (int i = 0; i < count; i++) {
        const Value *value = tensors[i].value;
        text_printf(&text, "    {%s, \"%s\", %d, {", string_literal(arena, value->name), npy_type(value->type),
                    value->shape.rank);
        for (int d = 0; d < value->shape.rank; d++)
            text_printf(&text, "%s%" PRId64, d > 0 ? ", " : "", value->shape.dims[d].size);
        text_printf(&text, "%s}, %s * sizeof(%s), %d},\n", value->shape.rank == 0 ? "0" : "", tensors[i].size_macro,
                    tensors[i].c_type, value->is_batched ? value->samples_axis : -1);
    }
    return text.data;
}

static const char *arguments(Arena *arena, const EmittedModel *model) {
    Text text = text_new(arena);
    if (model->batch != NULL) text_add(&text, ", (int32_t)b->samples");
    for (int i = 0; i < model->inputs.count; i++)
        text_printf(&text, ", (const %s *)b->in[%d]", model->inputs.items[i].c_type, i);
    for (int i = 0; i < model->outputs.count; i++)
        text_printf(&text, ", (%s *)b->out[%d]", model->outputs.items[i].c_type, i);
    return text.data;
}

static const char *probe_types(Arena *arena) {
    Text text = text_new(arena);
    for (int type = TYPE_NONE + 1; type < TYPE_COUNT; type++)
        if (type_info((Type)type)->bytes <= 8 && type != TYPE_STRING)
            text_printf(&text, "        {\"%s\", \"%s\"},\n", emitted_type((Type)type), npy_type((Type)type));
    return text.data;
}

/* What --profile prints of each step. */
static const char *profiled_steps(Arena *arena, const EmittedModel *model) {
    Text text = text_new(arena);
    for (int i = 0; i < model->steps.count; i++) {
        const EmittedStep *step = &model->steps.items[i];
        const char *number = step->first == step->last ? arena_printf(arena, "%d", step->first)
                                                       : arena_printf(arena, "%d-%d", step->first, step->last);
        text_printf(&text, "    {\"%s\", %s, %" PRId64 "e0},\n", number, string_literal(arena, step->nodes),
                    step->macs);
    }
    return text.data;
}

/* The template's parts for --profile, where the model was compiled with it. */
static const char *profile(Arena *arena, const EmittedModel *model) {
    if (!model->is_profiled) return "";
    const Placeholder values[] = {
        {"name", model->name},
        {"NAME", model->macro},
        {"step_count", arena_printf(arena, "%d", model->steps.count)},
        {"steps", profiled_steps(arena, model)},
    };
    Text text = text_new(arena);
    template_fill(&text, "templates/profile.c", values, sizeof values / sizeof *values);
    return text.data;
}

/* What the C compiler is told. Portable code is compiled for any machine of the host's kind unless one asks for more;
 * files of --dispatch say it themselves. */
static const char *target_flags(Arena *arena, const EmittedModel *model) {
    const char *name = model->name, *macro = model->macro;
    if (model->is_dispatched) return "";
    if (*model->target->flags != '\0')
        return arena_printf(arena, "target_compile_options(%s PRIVATE %s) # target %s\n", name, model->target->flags,
                            model->target->name);
    return arena_printf(arena,
                        "\n# cmake -D%s_NATIVE=ON: as fast as this machine can, and for machines like it alone.\n"
                        "option(%s_NATIVE \"Compile %s with -march=native\" OFF)\n"
                        "if(%s_NATIVE)\n"
                        "  target_compile_options(%s PRIVATE -march=native)\n"
                        "endif()\n",
                        macro, macro, name, macro, name);
}

void emit_testbench(const EmittedModel *model, Output *output) {
    Arena *arena = arena_new();
    bool has_threads = model->threads > 1;
    const Placeholder main_values[] = {
        {"name", model->name},
        {"NAME", model->macro},
        {"input_count", arena_printf(arena, "%d", model->inputs.count)},
        {"output_count", arena_printf(arena, "%d", model->outputs.count)},
        {"inputs", table(arena, model->inputs.items, model->inputs.count)},
        {"outputs", table(arena, model->outputs.items, model->outputs.count)},
        {"arguments", arguments(arena, model)},
        {"probe_types", probe_types(arena)},
        {"further_usage",
         arena_printf(arena, "%s%s", has_threads ? " [--threads N]" : "", model->is_profiled ? " [--profile N]" : "")},
        {"profile", profile(arena, model)},
        {"pool_include", has_threads ? "#include \"pool.h\"\n" : ""},
    };
    Text main_text = text_new(arena);
    template_fill(&main_text, "templates/testbench.c", main_values, sizeof main_values / sizeof *main_values);
    output_text(output, arena_printf(arena, "%s_main.c", model->name), main_text.data);
    output_text(output, "npz.h", asset_text("templates/npz.h"));
    if (has_threads) output_text(output, "pool.h", asset_text("templates/pool.h"));

    Text sources = text_new(arena);
    for (int i = 0; i < model->files.count; i++) {
        const char *dot = strrchr(model->files.items[i], '.');
        if (strcmp(dot, ".c") == 0 || strcmp(dot, ".S") == 0)
            text_printf(&sources, "%s%s", sources.length > 0 ? " " : "", model->files.items[i]);
    }
    const Placeholder build_values[] = {
        {"name", model->name},
        {"languages", model->weights == WEIGHTS_OBJECT ? "C ASM" : "C"},
        {"sources", sources.data},
        {"target", target_flags(arena, model)},
        {"threads", !has_threads ? ""
                                 : arena_printf(arena,
                                                "find_package(Threads REQUIRED)\n"
                                                "target_link_libraries(%s_main PRIVATE Threads::Threads)\n",
                                                model->name)},
    };
    Text build = text_new(arena);
    template_fill(&build, "templates/testbench.cmake", build_values, sizeof build_values / sizeof *build_values);
    output_text(output, "CMakeLists.txt", build.data);
    arena_free(arena);
}
