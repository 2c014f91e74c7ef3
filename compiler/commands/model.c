/* The way of a model, in the order of the folders.
 * Everything here is a call; the work is in the stages. */
#include "commands/model.h"

#include "base/text.h"
#include "load/load.h"
#include "passes/aside.h"
#include "passes/fuse.h"
#include "passes/lower.h"
#include "passes/split.h"
#include "patterns/probes.h"
#include "plan/plan.h"

#include <inttypes.h>
#include <string.h>

Graph *model_load(Arena *arena, const char *path) {
    progress("load");
    Graph *graph = load_model(arena, path, NULL);
    progress(NULL);
    return graph;
}

static bool is_given(const PassOptions *options, const char *input) {
    size_t length = strlen(input);
    for (int i = 0; i < options->shapes.count; i++)
        if (strncmp(options->shapes.items[i], input, length) == 0 && options->shapes.items[i][length] == '=')
            return true;
    return false;
}

void model_shapes_from(const Graph *graph, const Npz *inputs, PassOptions *options) {
    for (int i = 0; i < graph->inputs.count; i++) {
        const Value *input = graph->inputs.items[i];
        const Tensor *array = npz_find(inputs, input->name);
        if (array == NULL || shape_is_known(&input->shape) || is_given(options, input->name)) continue;
        Text shape = text_new(graph->arena);
        text_printf(&shape, "%s=", input->name);
        for (int d = 0; d < array->shape.rank; d++)
            text_printf(&shape, "%s%" PRId64, d > 0 ? "x" : "", array->shape.dims[d].size);
        list_add(graph->arena, &options->shapes, shape.data);
    }
}

void model_check_inputs(const Graph *graph, const Npz *inputs) {
    for (int i = 0; i < graph->inputs.count; i++) {
        const Value *wanted = graph->inputs.items[i];
        const Tensor *given = npz_find(inputs, wanted->name);
        const char *expected =
            arena_printf(graph->arena, "%s%s", type_info(wanted->type)->name, shape_text(graph->arena, &wanted->shape));
        if (given == NULL) report(STATUS_INVALID, "input %s is missing, expected %s", quoted(wanted->name), expected);
        else if (given->type != wanted->type || !shape_equal(&given->shape, &wanted->shape))
            report(STATUS_INVALID, "input %s is %s%s, expected %s", quoted(wanted->name), type_info(given->type)->name,
                   shape_text(graph->arena, &given->shape), expected);
    }
    fail_if_reported();
}

static bool dumped(const Program *program, const PassOptions *options, const char *stage) {
    if (!dumps_after(options, stage)) return false;
    program_print(program, stdout);
    return true;
}

Program *model_steps(Graph *graph, const PassOptions *options) {
    Program *program = lower_graph(graph, options);
    if (dumped(program, options, "lower")) return NULL;
    fuse_program(program, options);
    if (dumped(program, options, "fuse")) return NULL;
    aside_mark(program);
    probes_collect(graph, program);
    program->is_profiled = options->profile;
    split_program(program);
    plan_memory(program);
    return dumped(program, options, "plan") ? NULL : program;
}

Program *model_program(Graph *graph, const PassOptions *options) {
    return passes_run(graph, options) ? model_steps(graph, options) : NULL;
}
