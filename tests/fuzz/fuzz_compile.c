/* Fuzz target: any bytes as a model, compiled to C in memory: load, passes, lowering, plan, emit. Nothing is written.
 * Run it on a folder of small models: fuzz_compile CORPUS. */
#include "commands/model.h"
#include "emit/emit.h"
#include "emit/manifest.h"
#include "emit/testbench.h"
#include "load/load.h"

#include <stddef.h>
#include <stdint.h>

typedef struct {
    Arena *arena;
    const uint8_t *bytes;
    size_t size;
} Input;

/* Sizes that a person would be asked for, so that symbolic models get beyond the first pass. */
static void close_dimensions(Graph *graph) {
    for (int i = 0; i < graph->inputs.count; i++) {
        Shape *shape = &graph->inputs.items[i]->shape;
        for (int d = 0; d < shape->rank; d++)
            if (shape->dims[d].size < 0) shape->dims[d] = dim_known(2);
    }
}

static void compile_input(void *argument) {
    const Input *input = argument;
    const LoadOptions limits = {.budget_multiple = 16, .budget_constant = 1 << 20};
    Graph *graph = load_model_bytes(input->arena, input->bytes, input->size, NULL, &limits);
    close_dimensions(graph);
    const PassOptions options = {.probes = "all"};
    Program *program = model_program(graph, &options);
    Output *output = output_new(input->arena, "nowhere");
    const EmittedModel *emitted = emit_model(program, &(EmitOptions){.name = "model"}, output);
    emit_manifest(program, emitted, output);
    emit_testbench(emitted, output);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static char messages[4096];
    Input input = {arena_new(), bytes, size};
    diag_capture(messages, sizeof messages);
    Status status = guard(compile_input, &input);
    diag_capture(NULL, 0);
    arena_free(input.arena);
    if (status != STATUS_OK && status != STATUS_INVALID && status != STATUS_UNSUPPORTED) {
        fprintf(stderr, "status %d: %s\n", (int)status, messages);
        __builtin_trap();
    }
    return 0;
}
