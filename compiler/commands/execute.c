/* Execution: the compiled way writes the model with its testbench, builds it and runs it as a process, so that a fault
 * in generated code does not end fovea; the interpreted way runs the same steps here. */
#include "commands/execute.h"

#include "base/file.h"
#include "base/process.h"
#include "emit/emit.h"
#include "emit/testbench.h"

#include <stdlib.h>
#include <string.h>

typedef LIST(const char *) Words;

/* With --profile the fastest of so many runs counts. */
static const char *const PROFILED_RUNS = "20";

struct Execution {
    Arena *arena;
    Program *program;
    const char *folder; /* NULL: interpreted */
    const char *binary;
};

static const char *find_compiler(Arena *arena) {
    const char *chosen = getenv("CC");
    if (chosen != NULL && *chosen != '\0') return chosen;
    const char *const usual[] = {"cc", "clang", "gcc"};
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (process_exists(arena, usual[i])) return usual[i];
    return NULL;
}

/* Splits CC, which may hold options ("ccache gcc"), into words. */
static void add_words(Arena *arena, Words *words, const char *text) {
    while (*text != '\0') {
        size_t length = strcspn(text, " ");
        if (length > 0) list_add(arena, words, arena_printf(arena, "%.*s", (int)length, text));
        text += length + (text[length] == ' ');
    }
}

/* Whether a compiler takes a target's flags: not all of them know -march=native. */
static bool takes_flags(Arena *arena, const char *folder, const char *compiler, const char *flags) {
    const char *source = arena_printf(arena, "%s/empty.c", folder);
    file_write_atomic(source, "\n", 1);
    Words command = {0};
    add_words(arena, &command, compiler);
    add_words(arena, &command, flags);
    const char *const rest[] = {"-w", "-c", source, "-o", arena_printf(arena, "%s/empty.o", folder), NULL};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) list_add(arena, &command, rest[i]);
    return process_run_quietly(command.items) == 0;
}

static void add_target_flags(const Execution *execution, const char *compiler, Words *command) {
    const Target *target = execution->program->target;
    const bool may_lack = target->registers == TARGET_COUNT; /* where it is not, the code insists */
    if (!may_lack || takes_flags(execution->arena, execution->folder, compiler, target->flags))
        add_words(execution->arena, command, target->flags);
}

static void build(Execution *execution, const char *compiler) {
    Arena *arena = execution->arena;
    const char *folder = execution->folder;
    Output *output = output_new(arena, folder);
    const EmitOptions options = {.name = "model", .weights = WEIGHTS_AUTO};
    const EmittedModel *model = emit_model(execution->program, &options, output);
    emit_testbench(model, output);
    output_commit(output);
    progress("compiling with %s", compiler);
    Words command = {0};
    add_words(arena, &command, compiler);
    /* In strict C99 GCC would not compute a multiply-add as one. */
    const char *const flags[] = {"-std=gnu99", "-O3", "-w", "-I", folder, "-o", execution->binary};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) list_add(arena, &command, flags[i]);
    add_target_flags(execution, compiler, &command);
    for (int i = 0; i < model->files.count; i++) {
        const char *file = model->files.items[i], *dot = strrchr(file, '.');
        if (dot != NULL && (strcmp(dot, ".c") == 0 || strcmp(dot, ".S") == 0))
            list_add(arena, &command, arena_printf(arena, "%s/%s", folder, file));
    }
    list_add(arena, &command, arena_printf(arena, "%s/model_main.c", folder));
    list_add(arena, &command, "-lm");
    if (model->threads > 1) list_add(arena, &command, "-pthread");
    list_add(arena, &command, NULL);
    int status = process_run(command.items);
    progress(NULL);
    if (status != 0) fail(STATUS_SYSTEM, "%s failed on the generated code (status %d)", compiler, status);
}

Execution *execution_new(Arena *arena, Program *program, bool interpret) {
    Execution *execution = arena_new_object(arena, Execution);
    *execution = (Execution){.arena = arena, .program = program};
    const char *compiler = interpret ? NULL : find_compiler(arena);
    if (compiler == NULL && program->target->registers != TARGET_COUNT)
        fail(STATUS_USAGE, "--target %s: that takes a C compiler; fovea itself interprets on this machine alone",
             program->target->name);
    if (interpret) return execution;
    if (compiler == NULL) {
        warn("no C compiler was found (CC, cc, clang, gcc): the model is interpreted, which is slow");
        return execution;
    }
    execution->folder = temporary_folder(arena);
    execution->binary = arena_printf(arena, "%s/model", execution->folder);
    build(execution, compiler);
    return execution;
}

/* Reports all that does not fit before it fails. */
static void check_inputs(const Execution *execution, const Npz *inputs) {
    const Graph *graph = execution->program->graph;
    for (int i = 0; i < graph->inputs.count; i++) {
        const Value *wanted = graph->inputs.items[i];
        const Tensor *given = npz_find(inputs, wanted->name);
        const char *expected = arena_printf(execution->arena, "%s%s", type_info(wanted->type)->name,
                                            shape_text(execution->arena, &wanted->shape));
        if (given == NULL) report(STATUS_INVALID, "input %s is missing, expected %s", quoted(wanted->name), expected);
        else if (given->type != wanted->type || !shape_equal(&given->shape, &wanted->shape))
            report(STATUS_INVALID, "input %s is %s%s, expected %s", quoted(wanted->name), type_info(given->type)->name,
                   shape_text(execution->arena, &given->shape), expected);
    }
    fail_if_reported();
}

/* Outputs and probes come back with numpy's types: bfloat16 and its like as the unsigned integers that they are. */
static void restore_type(Tensor *tensor, Type type) {
    if (tensor->type != type && type_info(tensor->type)->bytes == type_info(type)->bytes) tensor->type = type;
}

static Npz run_compiled(Execution *execution, const Npz *inputs, Npz *probes) {
    Arena *arena = execution->arena;
    const char *in = arena_printf(arena, "%s/in.npz", execution->folder);
    const char *out = arena_printf(arena, "%s/out.npz", execution->folder);
    const char *maps = arena_printf(arena, "%s/probes.npz", execution->folder);
    npz_write(in, inputs);
    Words command = {0};
    const char *const always[] = {execution->binary, "--input", in, "--output", out};
    for (size_t i = 0; i < sizeof always / sizeof *always; i++) list_add(arena, &command, always[i]);
    if (probes != NULL) {
        list_add(arena, &command, (const char *)"--probes");
        list_add(arena, &command, maps);
    }
    if (execution->program->is_profiled) {
        list_add(arena, &command, (const char *)"--profile");
        list_add(arena, &command, PROFILED_RUNS);
    }
    list_add(arena, &command, NULL);
    progress("running");
    int status = process_run(command.items);
    progress(NULL);
    if (status != 0) fail(STATUS_SYSTEM, "the compiled model ended with status %d", status);
    if (probes != NULL) *probes = npz_read(arena, maps);
    Npz outputs = npz_read(arena, out);
    const Graph *graph = execution->program->graph;
    for (int i = 0; i < outputs.count; i++) restore_type(outputs.items[i].tensor, graph->outputs.items[i]->type);
    return outputs;
}

/* What the interpreter's run collects as it goes. */
typedef struct {
    Execution *execution;
    void **memory;
    Npz *probes;
} Run;

static bool writes(const Step *step, const Buffer *buffer) {
    if (step->kind == STEP_LOOP) return step->loop->output.buffer == buffer;
    for (int i = 0; i < step->kernel->parameter_count; i++)
        if (step->kernel->parameters[i].kind == PARAMETER_OUTPUT && step->arguments[i].buffer == buffer) return true;
    return false;
}

/* The last step that writes a buffer: when it is done the buffer is whole. */
static int made_at(const Program *program, const Buffer *buffer) {
    int at = -1;
    for (int i = 0; i < program->steps.count; i++)
        if (writes(program->steps.items[i], buffer)) at = i;
    return at;
}

static Tensor *copy_of(Arena *arena, Type type, const Shape *shape, const void *data) {
    Tensor *tensor = tensor_new(arena, type, shape);
    if (tensor_bytes(tensor) > 0) memcpy(tensor->data, data, tensor_bytes(tensor)); /* data may be NULL else */
    return tensor;
}

static void collect_probes(int step, void *argument) {
    const Run *run = argument;
    Program *program = run->execution->program;
    for (int i = 0; i < program->probes.count; i++) {
        const Probe *probe = program->probes.items[i];
        const Buffer *buffer = program_buffer(program, probe->value);
        if (made_at(program, buffer) != step) continue;
        Shape shape = shape_of(probe->rank, probe->dims);
        NpzEntry entry = {probe->id, copy_of(run->execution->arena, buffer->type, &shape, run->memory[buffer->number])};
        list_add(run->execution->arena, run->probes, entry);
    }
}

static Npz run_interpreted(Execution *execution, const Npz *inputs, Npz *probes) {
    Arena *arena = execution->arena;
    Program *program = execution->program;
    const Graph *graph = program->graph;
    char *workspace = arena_alloc(arena, (size_t)program->workspace_bytes);
    void **memory = arena_new_array(arena, void *, (size_t)program->buffers.count);
    for (int i = 0; i < program->buffers.count; i++) {
        const Buffer *buffer = program->buffers.items[i];
        size_t bytes = checked_product((size_t)buffer->count, (size_t)type_info(buffer->type)->bytes);
        if (buffer->kind == BUFFER_WORK) memory[i] = workspace + buffer->offset;
        else if (buffer->kind == BUFFER_INPUT) memory[i] = npz_find(inputs, buffer->value->name)->data;
        else if (buffer->kind == BUFFER_OUTPUT) memory[i] = arena_alloc(arena, bytes);
        else memory[i] = buffer->constant->data;
    }
    Run run = {execution, memory, probes};
    if (probes != NULL) collect_probes(-1, &run); /* what is there from the start */
    program_run_steps(program, memory, probes == NULL ? NULL : collect_probes, &run);
    Npz outputs = {0};
    for (int i = 0; i < graph->outputs.count; i++) {
        const Value *value = graph->outputs.items[i];
        const Buffer *buffer = program_buffer(program, value);
        NpzEntry entry = {value->name, copy_of(arena, value->type, &value->shape, memory[buffer->number])};
        list_add(arena, &outputs, entry);
    }
    return outputs;
}

Npz execution_run(Execution *execution, const Npz *inputs, Npz *probes) {
    check_inputs(execution, inputs);
    return execution->folder == NULL ? run_interpreted(execution, inputs, probes)
                                     : run_compiled(execution, inputs, probes);
}
