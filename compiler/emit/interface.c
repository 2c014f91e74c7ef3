/* Interface: what NAME.h says of a model: its inputs and outputs, memory, blocks and probes.
 * Names from the model appear in comments only, through comment_text(). */
#include "emit/emitter.h"

#include <inttypes.h>
#include <string.h>

const char *emitted_type(Type type) {
    return type == TYPE_FLOAT ? "float32" : type == TYPE_DOUBLE ? "float64" : type_info(type)->name;
}

/* 602240 as "602,240". */
static const char *grouped(Arena *arena, int64_t number) {
    const char *digits = arena_printf(arena, "%" PRId64, number);
    Text out = text_new(arena);
    for (size_t left = strlen(digits); left > 0; left--, digits++) {
        text_add_bytes(&out, digits, 1);
        if (left > 1 && left % 3 == 1) text_add(&out, ",");
    }
    return out.data;
}

/* "float32 [1,3,224,224]" */
static const char *kind_text(const Graph *graph, const EmittedTensor *tensor) {
    const Shape shape = graph_outer_shape(graph, tensor->value);
    const char *dims = comment_text(graph->arena, shape_text(graph->arena, &shape));
    return arena_printf(graph->arena, "%s %s", emitted_type(tensor->value->type), dims);
}

static void add_tensor(Text *out, const Graph *graph, const EmittedTensor *tensor, const char *role, int name_width,
                       int shape_width) {
    const char *kind = kind_text(graph, tensor), *safe = comment_text(out->arena, tensor->value->name);
    text_printf(out, " *   %-*s  %-*s  %s", name_width, tensor->identifier, shape_width, kind, role);
    if (tensor->value->is_padded) text_add(out, ", -1 behind what was found");
    if (strcmp(safe, tensor->identifier) != 0) text_printf(out, ", in the model: %s", safe);
    text_add(out, "\n");
}

static void measure(const Graph *graph, const EmittedTensor *tensor, int *name_width, int *shape_width) {
    int name = (int)strlen(tensor->identifier), shape = (int)strlen(kind_text(graph, tensor));
    if (name > *name_width) *name_width = name;
    if (shape > *shape_width) *shape_width = shape;
}

static void add_tensors(Text *out, const Graph *graph, const EmittedModel *model) {
    int name_width = 0, shape_width = 0;
    for (int i = 0; i < model->inputs.count; i++) measure(graph, &model->inputs.items[i], &name_width, &shape_width);
    for (int i = 0; i < model->outputs.count; i++) measure(graph, &model->outputs.items[i], &name_width, &shape_width);
    for (int i = 0; i < model->inputs.count; i++)
        add_tensor(out, graph, &model->inputs.items[i], "input", name_width, shape_width);
    for (int i = 0; i < model->outputs.count; i++)
        add_tensor(out, graph, &model->outputs.items[i], "output", name_width, shape_width);
}

/* " *   title: word, word, ...", broken where a line is full; a long list is cut. */
static void add_words(Text *out, const char *title, const Words *words) {
    enum { SHOWN = 32 };
    if (words->count == 0) return;
    Words shown = {0};
    for (int i = 0; i < words->count && i < SHOWN; i++) list_add(out->arena, &shown, words->items[i]);
    if (words->count > SHOWN)
        list_add(out->arena, &shown, (const char *)arena_printf(out->arena, "... (%d in all)", words->count));
    size_t column = LINE_WIDTH;
    text_printf(out, " *   %s:", title);
    column = 6 + strlen(title);
    for (int i = 0; i < shown.count; i++) {
        size_t length = strlen(shown.items[i]) + 2;
        bool fits = column + length <= LINE_WIDTH || i == 0;
        text_printf(out, "%s%s%s", fits ? " " : "\n *     ", shown.items[i], i + 1 < shown.count ? "," : "\n");
        column = fits ? column + length : 6 + length;
    }
}

static void add_blocks(Text *out, const Program *program) {
    Words blocks = {0};
    for (int i = 0; i < program->steps.count; i++) {
        const char *block = program->steps.items[i]->block;
        bool known = block == NULL;
        for (int k = 0; k < blocks.count && !known; k++) known = strcmp(blocks.items[k], block) == 0;
        if (!known) list_add(out->arena, &blocks, block);
    }
    for (int i = 0; i < blocks.count; i++) blocks.items[i] = comment_text(out->arena, blocks.items[i]);
    add_words(out, arena_printf(out->arena, "attention, %d block%s", blocks.count, blocks.count == 1 ? "" : "s"),
              &blocks);
}

static void add_probes(Text *out, const Program *program) {
    Words probes = {0};
    for (int i = 0; i < program->probes.count; i++) {
        const Probe *probe = program->probes.items[i];
        Shape shape = shape_of(probe->rank, probe->dims);
        const char *id = comment_text(out->arena, probe->id), *dims = shape_text(out->arena, &shape);
        list_add(out->arena, &probes, (const char *)arena_printf(out->arena, "%s %s", id, dims));
    }
    add_words(out, "probes", &probes);
}

const char *summary_text(Emitter *emitter) {
    Text out = text_new(emitter->arena);
    const Program *program = emitter->program;
    add_tensors(&out, program->graph, emitter->model);
    text_printf(&out, " *\n *   workspace %s bytes (lower bound %s), weights %s bytes\n",
                grouped(emitter->arena, program->workspace_bytes), grouped(emitter->arena, program->lower_bound_bytes),
                grouped(emitter->arena, emitter->model->weights_bytes));
    if (*program->target->flags != '\0')
        text_printf(&out, " *   for the target %s: compile with %s\n", program->target->name, program->target->flags);
    add_blocks(&out, program);
    add_probes(&out, program);
    return out.data;
}

/* Code for a target that says which registers there are is for these alone: its tiles are, and so is its workspace. */
const char *target_text(Emitter *emitter) {
    const Target *target = emitter->program->target;
    if (target->registers == TARGET_COUNT) return "";
    return arena_printf(emitter->arena,
                        "#if LANES != %d\n"
                        "#error \"%s is made for the target %s: compile it with %s\"\n"
                        "#endif\n",
                        TARGET_LANES[target->registers], emitter->model->name, target->name, target->flags);
}

static void add_size(Text *out, const EmittedTensor *tensor) {
    text_printf(out, "#define %s %" PRId64 "\n", tensor->size_macro, tensor->count);
}

const char *sizes_text(Emitter *emitter) {
    Text out = text_new(emitter->arena);
    const EmittedModel *model = emitter->model;
    for (int i = 0; i < model->inputs.count; i++) add_size(&out, &model->inputs.items[i]);
    for (int i = 0; i < model->outputs.count; i++) add_size(&out, &model->outputs.items[i]);
    return out.data;
}

const char *workspace_text(Emitter *emitter) {
    const Program *program = emitter->program;
    if (program->workspace_bytes == program->unprobed_bytes)
        return arena_printf(emitter->arena, "%" PRId64, program->workspace_bytes);
    return arena_printf(emitter->arena, "(%s_PROBES ? %" PRId64 " : %" PRId64 ")", emitter->model->macro,
                        program->workspace_bytes, program->unprobed_bytes);
}

/* "const float image[SENET_IMAGE_SIZE]"; C has no empty arrays, so an empty one is a pointer. */
const char *parameter_text(Arena *arena, const EmittedTensor *tensor, const char *qualifier) {
    if (tensor->count == 0) return arena_printf(arena, "%s%s *%s", qualifier, tensor->c_type, tensor->identifier);
    return arena_printf(arena, "%s%s %s[%s]", qualifier, tensor->c_type, tensor->identifier, tensor->size_macro);
}

const char *prototype_text(Emitter *emitter, const char *function) {
    Arena *arena = emitter->arena;
    const EmittedModel *model = emitter->model;
    Text out = text_new(arena);
    Words parameters = {0};
    list_add(arena, &parameters, (const char *)arena_printf(arena, "const %s_context *context", model->name));
    for (int i = 0; i < model->inputs.count; i++)
        list_add(arena, &parameters, parameter_text(arena, &model->inputs.items[i], "const "));
    for (int i = 0; i < model->outputs.count; i++)
        list_add(arena, &parameters, parameter_text(arena, &model->outputs.items[i], ""));
    add_list(&out, arena_printf(arena, "%s_status %s(", model->name, function), &parameters, ")");
    return out.data;
}

const char *threads_macro_text(Emitter *emitter) {
    int threads = emitter->program->threads;
    if (threads == 1) return "";
    return arena_printf(emitter->arena, "#define %s_THREADS %d /* as many as a run can make use of */\n",
                        emitter->model->macro, threads);
}

const char *threads_members_text(Emitter *emitter) {
    if (emitter->program->threads == 1) return "";
    return "    /* Calls task(arg, i) for 0 <= i < n, on any threads, and returns when all are done. NULL: one thread. "
           "*/\n"
           "    void (*parallel_for)(void *user, int32_t n, void (*task)(void *arg, int32_t i), void *arg);\n"
           "    void *parallel_user;\n";
}

const char *profile_macro_text(Emitter *emitter) {
    if (!emitter->program->is_profiled) return "";
    return arena_printf(emitter->arena,
                        "#ifndef %s_PROFILE\n#define %s_PROFILE 1 /* 0: nobody is told of steps */\n#endif\n",
                        emitter->model->macro, emitter->model->macro);
}

const char *profile_members_text(Emitter *emitter) {
    if (!emitter->program->is_profiled) return "";
    return "    /* Called when a step is done; they are counted from 0 by their headings in the C file. NULL: nobody. "
           "*/\n"
           "    void (*on_step)(void *user, int32_t step);\n"
           "    void *on_step_user;\n";
}
