/* Execution: the compiled way runs what commands/build.c makes as a process, so that a fault in generated code does not
 * end fovea; the interpreted way runs the same steps here. */
#include "commands/execute.h"

#include "base/process.h"
#include "commands/build.h"
#include "commands/model.h"

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

Execution *execution_new(Arena *arena, Program *program, bool interpret) {
    Execution *execution = arena_new_object(arena, Execution);
    *execution = (Execution){.arena = arena, .program = program};
    const char *compiler = interpret ? NULL : build_compiler(arena);
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
    build_program(program, execution->binary, "");
    return execution;
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
    int64_t sample, samples; /* the one at hand, of so many */
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

/* Takes one of the samples out of an array of all, or puts it there. It has so many bytes, in so many pieces there. */
static void move_sample(char *all, char *one, size_t bytes, int64_t pieces, int64_t sample, int64_t samples,
                        bool is_taken) {
    const size_t piece = bytes / (size_t)pieces;
    for (int64_t i = 0; i < pieces; i++) {
        char *there = all + (size_t)(i * samples + sample) * piece, *here = one + (size_t)i * piece;
        memcpy(is_taken ? here : there, is_taken ? there : here, piece);
    }
}

/* Puts what one sample has made into the array of all. The first of them makes it, with samples along `axis`. */
static void keep(const Run *run, Npz *arrays, const char *key, Type type, Shape shape, int axis, const void *data) {
    const size_t bytes = checked_product((size_t)shape_count(&shape), (size_t)type_info(type)->bytes);
    const int64_t pieces = axis > 0 ? shape_product(&shape, 0, axis) : 1;
    if (run->sample == 0) {
        if (axis >= 0 && shape.rank > axis) shape.dims[axis].size *= run->samples;
        else if (axis >= 0 && run->samples > 1) shape = shape_of(1, &run->samples);
        NpzEntry entry = {key, tensor_new(run->execution->arena, type, &shape)};
        list_add(run->execution->arena, arrays, entry);
    }
    const int64_t sample = axis < 0 ? 0 : run->sample, samples = axis < 0 ? 1 : run->samples;
    if (bytes > 0) move_sample(npz_find(arrays, key)->data, (void *)data, bytes, pieces, sample, samples, false);
}

static void collect_probes(int step, void *argument) {
    const Run *run = argument;
    Program *program = run->execution->program;
    for (int i = 0; i < program->probes.count; i++) {
        const Probe *probe = program->probes.items[i];
        const Buffer *buffer = program_buffer(program, probe->value);
        if (made_at(program, buffer) != step) continue;
        keep(run, run->probes, probe->id, buffer->type, shape_of(probe->rank, probe->dims), 0,
             run->memory[buffer->number]);
    }
}

/* Runs the steps on one sample. */
static void run_sample(Run *run, const Npz *inputs, Npz *outputs) {
    Program *program = run->execution->program;
    const Graph *graph = program->graph;
    for (int i = 0; i < graph->inputs.count; i++) {
        const Value *value = graph->inputs.items[i];
        const Buffer *buffer = program_buffer(program, value);
        const size_t bytes = checked_product((size_t)buffer->count, (size_t)type_info(buffer->type)->bytes);
        char *array = npz_find(inputs, value->name)->data;
        if (!value->is_batched) run->memory[buffer->number] = array;
        else
            move_sample(array, run->memory[buffer->number], bytes, sample_pieces(value), run->sample, run->samples,
                        true);
    }
    if (run->probes != NULL) collect_probes(-1, run); /* what is there from the start */
    program_run_steps(program, run->memory, run->probes == NULL ? NULL : collect_probes, run);
    for (int i = 0; i < graph->outputs.count; i++) {
        const Value *value = graph->outputs.items[i];
        keep(run, outputs, value->name, value->type, value->shape, value->is_batched ? value->samples_axis : -1,
             run->memory[program_buffer(program, value)->number]);
    }
}

static Npz run_interpreted(Execution *execution, const Npz *inputs, int64_t samples, Npz *probes) {
    Arena *arena = execution->arena;
    Program *program = execution->program;
    for (int i = 0; i < program->graph->inputs.count; i++) /* those that no step reads have none yet */
        program_buffer(program, program->graph->inputs.items[i]);
    char *workspace = arena_alloc(arena, (size_t)program->workspace_bytes);
    void **memory = arena_new_array(arena, void *, (size_t)program->buffers.count);
    for (int i = 0; i < program->buffers.count; i++) {
        const Buffer *buffer = program->buffers.items[i];
        size_t bytes = checked_product((size_t)buffer->count, (size_t)type_info(buffer->type)->bytes);
        if (buffer->kind == BUFFER_WORK) memory[i] = workspace + buffer->offset;
        else if (buffer->kind != BUFFER_CONSTANT) memory[i] = arena_alloc(arena, bytes);
        else memory[i] = buffer->constant->data;
    }
    Npz outputs = {0};
    Run run = {execution, memory, probes, 0, samples};
    for (; run.sample < samples; run.sample++) run_sample(&run, inputs, &outputs);
    return outputs;
}

Npz execution_run(Execution *execution, const Npz *inputs, Npz *probes) {
    const int64_t samples = model_check_inputs(execution->program->graph, inputs);
    return execution->folder == NULL ? run_interpreted(execution, inputs, samples, probes)
                                     : run_compiled(execution, inputs, probes);
}
