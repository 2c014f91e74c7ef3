/* Emit: settles names and functions, then fills the templates.
 * The way of a name: inputs and outputs choose first, then functions, weights and the buffers of the workspace. */
#include "emit/emit.h"

#include "emit/emitter.h"
#include "emit/template.h"
#include "plan/plan.h"

#include <inttypes.h>
#include <string.h>

/* A name in run()'s scope. */
static const char *local_name(Emitter *emitter, const char *wish) {
    const char *name = names_take(&emitter->run, wish);
    names_reserve(&emitter->file, name);
    return name;
}

static void reserve_in_both(Emitter *emitter, const char *name) {
    names_reserve(&emitter->run, name);
    names_reserve(&emitter->file, name);
}

/* What the templates and helpers define. */
static void reserve_own_names(Emitter *emitter) {
    for (const Target *variant = target_variant(NULL); variant != NULL; variant = target_variant(variant))
        reserve_in_both(emitter, arena_printf(emitter->arena, "%s_run_%s", emitter->model->name, target_level(variant)));
    static const char *const SUFFIXES[] = {"run", "status", "probe", "probes", "context", "weights", "check_weights"};
    static const char *const WORDS[] = {"base", "context", "weights", "in_parallel"};
    for (size_t i = 0; i < sizeof SUFFIXES / sizeof *SUFFIXES; i++)
        reserve_in_both(emitter, arena_printf(emitter->arena, "%s_%s", emitter->model->name, SUFFIXES[i]));
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) reserve_in_both(emitter, WORDS[i]);
    for (const Support *support = SUPPORTS; support->name != NULL; support++) reserve_in_both(emitter, support->name);
    reserve_locals(&emitter->file, emitter->program);
    EmittedModel *model = emitter->model;
    if (model->batch == NULL) return;
    reserve_in_both(emitter, entry_name(emitter));
    reserve_in_both(emitter, "at");
    reserve_in_both(emitter, "status");
    reserve_in_both(emitter, "i");
    model->samples = local_name(emitter, model->batch->name);
}

static bool is_supported(Type type) {
    TypeClass class = type_info(type)->class;
    return class != CLASS_STRING && class != CLASS_COMPLEX && class != CLASS_NONE;
}

static EmittedTensor tensor_interface(Emitter *emitter, const Value *value, Buffer *buffer) {
    Arena *arena = emitter->arena;
    if (!is_supported(value->type))
        fail(STATUS_UNSUPPORTED, "%s has type %s, which generated code cannot hold", quoted(value->name),
             type_info(value->type)->name);
    const char *identifier = local_name(emitter, value->name);
    const char *macro = arena_printf(arena, "%s_%s_SIZE", emitter->model->macro, upper_case(arena, identifier));
    emitter->expressions[buffer->number] = identifier;
    const bool is_apart = sample_pieces(value) > 1;
    return (EmittedTensor){.value = value,
                           .buffer = buffer,
                           .identifier = identifier,
                           .staged = is_apart ? local_name(emitter, arena_printf(arena, "%s_of_one", identifier)) : NULL,
                           .size_macro = macro,
                           .c_type = type_info(value->type)->c_name,
                           .count = buffer->count};
}

/* The caller's buffer for an output. */
static Buffer *output_buffer(Program *program, const Value *value) {
    Buffer *buffer = program_buffer(program, value);
    for (int i = 0; i < program->buffers.count && buffer->kind != BUFFER_OUTPUT; i++)
        if (program->buffers.items[i]->kind == BUFFER_OUTPUT && program->buffers.items[i]->value == value)
            buffer = program->buffers.items[i];
    if (buffer->kind != BUFFER_OUTPUT) fail(STATUS_BUG, "output %s has no memory of its own", quoted(value->name));
    return buffer;
}

/* The last step that writes each buffer, by number; -1: none. */
static int *last_writes(const Program *program) {
    int *last = arena_new_array(program->arena, int, (size_t)program->buffers.count);
    for (int i = 0; i < program->buffers.count; i++) last[i] = -1;
    for (int i = 0; i < program->steps.count; i++) {
        const Step *step = program->steps.items[i];
        if (step->kind == STEP_LOOP) last[step->loop->output.buffer->number] = i;
        for (int k = 0; step->kind == STEP_KERNEL && k < step->kernel->parameter_count; k++)
            if (step->kernel->parameters[k].kind == PARAMETER_OUTPUT && step->arguments[k].buffer != NULL)
                last[step->arguments[k].buffer->number] = i;
    }
    return last;
}

static void settle_probes(Emitter *emitter) {
    const Program *program = emitter->program;
    int count = program->probes.count, *last = last_writes(program);
    emitter->probe_steps = arena_new_array(emitter->arena, int, (size_t)count);
    for (int i = 0; i < count; i++) {
        const Buffer *buffer = emitter->probed[i];
        emitter->probe_steps[i] = last[buffer->number];
        bool is_made = buffer->kind == BUFFER_WORK || buffer->kind == BUFFER_OUTPUT;
        if (is_made && last[buffer->number] < 0)
            fail(STATUS_BUG, "probe %s shows a buffer that no step writes", quoted(program->probes.items[i]->id));
    }
}

/* Buffers of all inputs, outputs and probes, so that their number is known before arrays are made by it. */
static void find_buffers(Emitter *emitter, Buffer **inputs, Buffer **outputs) {
    Program *program = emitter->program;
    const Graph *graph = program->graph;
    for (int i = 0; i < graph->inputs.count; i++) inputs[i] = program_buffer(program, graph->inputs.items[i]);
    for (int i = 0; i < graph->outputs.count; i++) outputs[i] = output_buffer(program, graph->outputs.items[i]);
    emitter->probed = arena_new_array(emitter->arena, Buffer *, (size_t)program->probes.count);
    for (int i = 0; i < program->probes.count; i++)
        emitter->probed[i] = program_buffer(program, program->probes.items[i]->value);
}

static void settle_interface(Emitter *emitter) {
    const Graph *graph = emitter->program->graph;
    EmittedModel *model = emitter->model;
    Buffer **inputs = arena_new_array(emitter->arena, Buffer *, (size_t)graph->inputs.count);
    Buffer **outputs = arena_new_array(emitter->arena, Buffer *, (size_t)graph->outputs.count);
    find_buffers(emitter, inputs, outputs);
    size_t buffers = (size_t)emitter->program->buffers.count;
    emitter->expressions = arena_new_array(emitter->arena, const char *, buffers);
    emitter->used = arena_new_array(emitter->arena, bool, buffers);
    emitter->needed = arena_new_array(emitter->arena, bool, buffers);
    for (int i = 0; i < graph->inputs.count; i++)
        list_add(emitter->arena, &model->inputs, tensor_interface(emitter, graph->inputs.items[i], inputs[i]));
    for (int i = 0; i < graph->outputs.count; i++)
        list_add(emitter->arena, &model->outputs, tensor_interface(emitter, graph->outputs.items[i], outputs[i]));
}

static void settle_calls(Emitter *emitter) {
    const Program *program = emitter->program;
    emitter->functions = functions_new(emitter->arena, &emitter->file, emitter->model->name, emitter->model->macro);
    functions_note_shown(&emitter->functions, program);
    emitter->calls = arena_new_array(emitter->arena, Call, (size_t)program->steps.count);
    for (int i = 0; i < program->steps.count; i++) {
        const Step *step = program->steps.items[i];
        Call *call = &emitter->calls[i];
        *call = step->kind == STEP_LOOP ? loop_call(&emitter->functions, step) : kernel_call(&emitter->functions, step);
        if (!step->is_aside) functions_need(&emitter->functions, call->function);
        for (int k = 0; k < call->arguments.count; k++) {
            const Buffer *buffer = call->arguments.items[k].buffer;
            if (buffer == NULL) continue;
            emitter->used[buffer->number] = true;
            if (!step->is_aside) emitter->needed[buffer->number] = true;
        }
    }
    for (int i = 0; i < program->probes.count; i++) emitter->used[emitter->probed[i]->number] = true;
    for (int i = 0; i < emitter->functions.items.count; i++)
        names_reserve(&emitter->run, emitter->functions.items.items[i]->name);
}

/* torch names transposed weights by a counter ("onnx::MatMul_285"), and a folded bias: the path of the node that reads
 * them says more. */
static const char *wish_for_counted(Arena *arena, const Value *value) {
    const Node *reader = value->consumers.count > 0 ? value->consumers.items[0] : NULL;
    const char *path = reader == NULL ? "" : reader->name, *slash = strrchr(path, '/');
    if (slash == NULL || slash == path) return value->name;
    const Value *third = node_input(reader, 2);
    const char *part = third != NULL && strcmp(third->name, value->name) == 0 ? "bias" : "weight";
    return arena_printf(arena, "%.*s/%s", (int)(slash - path), path, part);
}

static const char *wish_for(Arena *arena, const Buffer *buffer) {
    if (buffer->value == NULL) return "constant";
    bool counted = strncmp(buffer->value->name, "onnx::", strlen("onnx::")) == 0;
    return counted ? wish_for_counted(arena, buffer->value) : buffer->value->name;
}

static void settle_weights(Emitter *emitter, WeightMode mode) {
    const Program *program = emitter->program;
    emitter->weights = weights_collect(program, emitter->used, mode);
    emitter->model->weights = emitter->weights.mode;
    emitter->model->weights_bytes = emitter->weights.data_bytes;
    bool is_inline = emitter->weights.mode == WEIGHTS_INLINE, is_shared = emitter->model->is_dispatched;
    for (int i = 0; i < emitter->weights.items.count; i++) {
        Weight *weight = emitter->weights.items.items[i];
        const char *wish = wish_for(emitter->arena, weight->first);
        if (is_inline && is_shared) wish = arena_printf(emitter->arena, "%s_%s", emitter->model->name, wish);
        if (!is_inline) weight->name = local_name(emitter, wish);
        else names_reserve(&emitter->run, weight->name = names_take(&emitter->file, wish));
    }
    for (int i = 0; i < program->buffers.count; i++) {
        const Weight *weight = emitter->weights.by_buffer[i];
        if (weight == NULL) continue;
        emitter->expressions[i] =
            weight->as_bits ? arena_printf(emitter->arena, "%s.values", weight->name) : weight->name;
    }
}

/* A value has a pointer of its own; scratch memory of one step is named where it is used. */
static const char *work_expression(Emitter *emitter, const Buffer *buffer) {
    if (buffer->value != NULL) return local_name(emitter, wish_for(emitter->arena, buffer));
    return arena_printf(emitter->arena, "(%s *)(base + %" PRId64 ")", type_info(buffer->type)->c_name, buffer->offset);
}

static void settle_work(Emitter *emitter) {
    EmittedModel *model = emitter->model;
    for (int i = 0; i < emitter->program->buffers.count; i++) {
        const Buffer *buffer = emitter->program->buffers.items[i];
        if (!emitter->used[i]) continue;
        if (!is_supported(buffer->type))
            fail(STATUS_UNSUPPORTED, "type %s cannot be held by generated code", type_info(buffer->type)->name);
        if (buffer->kind == BUFFER_WORK) emitter->expressions[i] = work_expression(emitter, buffer);
    }
    for (int i = 0; i < model->inputs.count; i++)
        model->inputs.items[i].is_used = emitter->needed[model->inputs.items[i].buffer->number];
    for (int i = 0; i < model->outputs.count; i++)
        model->outputs.items[i].is_used = emitter->needed[model->outputs.items[i].buffer->number];
}

typedef struct {
    bool math, string;
} Headers;

static void find_header(const char *identifier, void *argument) {
    Headers *headers = argument;
    if (is_of_math(identifier)) headers->math = true;
    if (is_of_string(identifier)) headers->string = true;
}

static const char *includes_text(const char *functions, const char *support, const char *steps, bool checks_weights) {
    Headers headers = {.string = checks_weights};
    each_identifier(functions, find_header, &headers);
    each_identifier(support, find_header, &headers);
    each_identifier(steps, find_header, &headers); /* an infinity may be an argument */
    if (headers.math && headers.string) return "#include <math.h>\n#include <string.h>\n";
    return headers.math ? "#include <math.h>\n" : headers.string ? "#include <string.h>\n" : "";
}

typedef struct {
    Placeholder items[64];
    int count;
} Placeholders;

static void place(Placeholders *placeholders, const char *name, const char *text) {
    fovea_assert(placeholders->count < (int)(sizeof placeholders->items / sizeof *placeholders->items));
    placeholders->items[placeholders->count++] = (Placeholder){name, text};
}

/* What depends on how the weights reach the program. For large pages their place in the program's file and in memory
 * has to be aligned, which can make the file 4 MB longer. */
static void place_weights(Emitter *emitter, Placeholders *placeholders) {
    enum { WORTH_LARGE_PAGES = 16 << 20 };
    Arena *arena = emitter->arena;
    const char *name = emitter->model->name, *macro = emitter->model->macro;
    bool is_inline = emitter->weights.mode == WEIGHTS_INLINE, is_file = emitter->weights.mode == WEIGHTS_FILE;
    Text declarations = text_new(arena);
    if (is_inline) weights_declare(&emitter->weights, emitter->model->is_dispatched, &declarations);
    else if (!is_file)
        text_printf(&declarations,
                    "/* The contents of %s.weights: %s_weights.S brings them in. */\n"
                    "extern const unsigned char %s_weights[];\n",
                    name, name, name);
    const char *blob_bytes = arena_printf(arena, "%" PRId64, emitter->weights.blob_bytes);
    place(placeholders, "weights_declarations", declarations.data);
    place(placeholders, "aligned_too", is_file ? " and the weights" : "");
    place(placeholders, "weights_macro",
          !is_file ? ""
                   : arena_printf(arena, "#define %s_WEIGHTS %s /* bytes of %s.weights */\n", macro, blob_bytes, name));
    place(placeholders, "large_pages",
          emitter->weights.blob_bytes < WORTH_LARGE_PAGES ? ""
                                                          : "#if defined(__linux__) && defined(__LP64__)\n"
                                                            "    .balign 2097152 /* to be mapped by large pages */\n"
                                                            "#endif\n");
    place(placeholders, "weights_statuses",
          !is_file ? ""
                   : arena_printf(arena, ",\n    %s_NO_WEIGHTS,\n    %s_UNALIGNED_WEIGHTS,\n    %s_WRONG_WEIGHTS",
                                  macro, macro, macro));
    place(placeholders, "weights_member",
          !is_file
              ? ""
              : arena_printf(
                    arena,
                    "    const void *weights; /* the contents of %s.weights, aligned to %s_ALIGNMENT; only read */\n",
                    name, macro));
    place(placeholders, "weights_prototype",
          !is_file ? ""
                   : arena_printf(
                         arena,
                         "\n/* Whether weights are those that belong to this code: FNV-1a over their 64-bit words. */\n"
                         "%s_status %s_check_weights(const void *weights);\n",
                         name, name));
    Text check = text_new(arena);
    if (is_file) {
        Placeholders own = {0};
        place(&own, "name", name);
        place(&own, "NAME", macro);
        place(&own, "checksum", arena_printf(arena, "0x%016" PRIx64 "u", weights_checksum(&emitter->weights)));
        template_fill(&check, "templates/check_weights.c", own.items, own.count);
    }
    const bool is_dispatched = emitter->model->is_dispatched;
    place(placeholders, "weights_check", is_dispatched ? "" : check.data);
    place(placeholders, "shared_check", is_dispatched ? check.data : "");
    const bool copies = mentions_identifier(outer_run_text(emitter), "memcpy");
    place(placeholders, "check_includes", is_file || copies ? "#include <string.h>\n" : "");
}

/* What stands above NAME_run(), or above what takes its place in each variant. */
static const char *guide_text(const Emitter *emitter) {
    Arena *arena = emitter->arena;
    const char *below = "is below, the functions that its steps call are above it";
    if (emitter->model->is_dispatched)
        return arena_printf(arena, "%s_RUN() %s. Those that include this give it a name.",
                            emitter->model->macro, below);
    bool weights_follow = emitter->weights.mode == WEIGHTS_INLINE && emitter->weights.items.count > 0;
    return arena_printf(arena, "%s() %s%s.", entry_name(emitter), below,
                        weights_follow ? ", the weights at the end" : "");
}

/* The head of NAME_run(), or of what takes its place in each variant. */
static void place_run(Emitter *emitter, Placeholders *placeholders) {
    Arena *arena = emitter->arena;
    const char *entry = prototype_text(emitter, entry_name(emitter));
    const bool is_inner = emitter->model->batch != NULL, is_dispatched = emitter->model->is_dispatched;
    if (is_inner) entry = arena_printf(arena, "static %s", entry);
    place(placeholders, "prototype", outer_prototype_text(emitter));
    place(placeholders, "entry", entry_name(emitter));
    place(placeholders, "entry_prototype", entry);
    place(placeholders, "outer_run", is_dispatched ? "" : outer_run_text(emitter));
    place(placeholders, "shared_run", is_dispatched ? outer_run_text(emitter) : "");
    place(placeholders, "samples_macros", samples_macros_text(emitter));
    place(placeholders, "of_one", is_inner ? ", of one sample" : "");
    place(placeholders, "samples_status", samples_status_text(emitter));
    place(placeholders, "run_comment", samples_comment_text(emitter));
    if (!is_dispatched) {
        place(placeholders, "definition", entry);
        return;
    }
    const char *named = prototype_text(emitter, arena_printf(arena, "%s_RUN", emitter->model->macro));
    place(placeholders, "definition", arena_printf(arena, "%s;\n\n%s", named, named));
    place(placeholders, "variant_prototypes", variant_prototypes_text(emitter));
    place(placeholders, "choice", choice_text(emitter));
}

static Placeholders all_placeholders(Emitter *emitter, const char *origin) {
    Arena *arena = emitter->arena;
    Placeholders all = {0};
    Text code = text_new(arena), support = text_new(arena);
    functions_write(&emitter->functions, &code);
    const char *functions = code.data;
    add_support(&support, functions);
    place(&all, "name", emitter->model->name);
    place(&all, "NAME", emitter->model->macro);
    place(&all, "version", FOVEA_VERSION);
    place(&all, "origin", comment_text(arena, origin));
    place(&all, "summary", summary_text(emitter));
    place(&all, "sizes", sizes_text(emitter));
    place(&all, "workspace", workspace_text(emitter));
    place(&all, "alignment", arena_printf(arena, "%d", WORKSPACE_ALIGNMENT));
    place(&all, "guide", guide_text(emitter));
    const char *steps = steps_text(emitter);
    const bool checks_weights = emitter->weights.mode == WEIGHTS_FILE && !emitter->model->is_dispatched;
    const char *run = emitter->model->is_dispatched ? steps : arena_printf(arena, "%s%s", steps, outer_run_text(emitter));
    place(&all, "includes", includes_text(functions, support.data, run, checks_weights));
    place(&all, "probes", probes_text(emitter));
    place(&all, "support", support.data);
    place(&all, "target", mentions_identifier(support.data, "PICK") ? target_text(emitter) : "");
    place(&all, "functions", functions);
    place(&all, "checks", checks_text(emitter));
    place(&all, "pointers", pointers_text(emitter));
    place(&all, "steps", steps);
    place(&all, "threads_macro", threads_macro_text(emitter));
    place(&all, "profile_macro", profile_macro_text(emitter));
    place(&all, "profile_members", profile_members_text(emitter));
    place(&all, "profile", profile_text(emitter));
    place(&all, "threads_members", threads_members_text(emitter));
    place_run(emitter, &all);
    place_weights(emitter, &all);
    return all;
}

static void begin_file(Emitter *emitter, Output *output, const char *suffix) {
    const char *name = arena_printf(emitter->arena, "%s%s", emitter->model->name, suffix);
    output_begin(output, name);
    list_add(emitter->arena, &emitter->model->files, name);
}

static void write_template(Emitter *emitter, Output *output, const char *suffix, const char *path,
                           const Placeholders *all) {
    Text text = text_new(emitter->arena);
    template_fill(&text, path, all->items, all->count);
    begin_file(emitter, output, suffix);
    output_write(output, text.data, text.length);
}

/* NAME.c, or with --dispatch what it becomes: a choice, and for each variant a file around the same kernels. */
static void write_code(Emitter *emitter, Output *output, const Placeholders *all) {
    const bool is_inline = emitter->weights.mode == WEIGHTS_INLINE, is_dispatched = emitter->model->is_dispatched;
    if (is_dispatched) write_template(emitter, output, "_kernels.h", "templates/model.c", all);
    for (const Target *at = target_variant(NULL); is_dispatched && at != NULL; at = target_variant(at)) {
        Placeholders own = *all;
        place(&own, "variant", at->name);
        place(&own, "level", target_level(at));
        place(&own, "features", features_text(emitter->arena, at));
        place(&own, "lanes", arena_printf(emitter->arena, "%d", TARGET_LANES[at->registers]));
        write_template(emitter, output, arena_printf(emitter->arena, "_%s.c", target_level(at)), "templates/variant.c",
                       &own);
    }
    write_template(emitter, output, ".c", is_dispatched ? "templates/dispatch.c" : "templates/model.c", all);
    if (is_dispatched && is_inline) write_template(emitter, output, "_weights.c", "templates/weights.c", all);
    if (is_inline) weights_write_definitions(&emitter->weights, is_dispatched, emitter->arena, output);
}

const EmittedModel *emit_model(Program *program, const EmitOptions *options, Output *output) {
    Arena *arena = program->arena;
    Emitter emitter = {.arena = arena, .program = program, .file = names_new(arena), .run = names_new(arena)};
    emitter.model = arena_new_object(arena, EmittedModel);
    emitter.model->name = model_name(arena, options->name);
    emitter.model->target = program->target;
    emitter.model->is_dispatched = options->dispatch;
    emitter.model->threads = program->threads;
    emitter.model->batch = program->graph->batch.name == NULL ? NULL : &program->graph->batch;
    emitter.model->is_profiled = program->is_profiled;
    emitter.model->macro = upper_case(arena, emitter.model->name);
    reserve_own_names(&emitter);
    settle_interface(&emitter);
    settle_probes(&emitter);
    settle_calls(&emitter);
    settle_weights(&emitter, options->weights);
    settle_work(&emitter);

    Placeholders all = all_placeholders(&emitter, options->origin != NULL ? options->origin : "an ONNX model");
    write_template(&emitter, output, ".h", "templates/model.h", &all);
    write_code(&emitter, output, &all);
    if (emitter.weights.mode != WEIGHTS_INLINE) {
        begin_file(&emitter, output, ".weights");
        weights_write_blob(&emitter.weights, output);
    }
    if (emitter.weights.mode == WEIGHTS_OBJECT)
        write_template(&emitter, output, "_weights.S", "templates/weights.S", &all);
    return emitter.model;
}
