/* Fuzz target: the loader, on a model in memory. A small budget, so that what is found is found soon.
 * Run it on a folder of small models: fuzz_load CORPUS. */
#include "load/load.h"

#include <stddef.h>
#include <stdint.h>

typedef struct {
    Arena *arena;
    const uint8_t *bytes;
    size_t size;
} Input;

static void load_input(void *argument) {
    const Input *input = argument;
    const LoadOptions options = {.budget_multiple = 16, .budget_constant = 1 << 20};
    Graph *graph = load_model_bytes(input->arena, input->bytes, input->size, NULL, &options);
    graph_check(graph, "load");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static char messages[4096];
    Input input = {arena_new(), bytes, size};
    diag_capture(messages, sizeof messages);
    Status status = guard(load_input, &input);
    diag_capture(NULL, 0);
    arena_free(input.arena);
    if (status != STATUS_OK && status != STATUS_INVALID && status != STATUS_UNSUPPORTED) __builtin_trap();
    return 0;
}
