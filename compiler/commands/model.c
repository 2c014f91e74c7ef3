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

/* Whether --dim gives a symbol a range: the graph is of one. */
static bool has_range(const PassOptions *options, const char *symbol) {
    const size_t length = symbol == NULL ? 0 : strlen(symbol);
    for (int i = 0; i < options->dims.count && symbol != NULL; i++) {
        const char *dim = options->dims.items[i];
        if (strncmp(dim, symbol, length) == 0 && dim[length] == '=' && strstr(dim + length, "..") != NULL) return true;
    }
    return false;
}

/* The tensors of a sequence, by the names that they get: NAME_0, NAME_1 and so on. Where there are none nothing is
 * said: whether it is empty, the user knows. */
static void sequence_shapes_from(Arena *arena, const Value *input, const Npz *inputs, PassOptions *options) {
    Text shapes = text_new(arena);
    text_printf(&shapes, "%s=", input->name);
    const Tensor *array = npz_find(inputs, arena_printf(arena, "%s_0", input->name));
    if (array == NULL) return;
    for (int i = 1; array != NULL; i++) {
        text_add(&shapes, i > 1 ? ",[" : "[");
        for (int d = 0; d < array->shape.rank; d++)
            text_printf(&shapes, "%s%" PRId64, d > 0 ? "x" : "", array->shape.dims[d].size);
        text_add(&shapes, "]");
        array = npz_find(inputs, arena_printf(arena, "%s_%d", input->name, i));
    }
    list_add(arena, &options->shapes, shapes.data);
}

static bool is_absent(const PassOptions *options, const char *input) {
    for (int i = 0; i < options->absent.count; i++)
        if (strcmp(options->absent.items[i], input) == 0) return true;
    return false;
}

void model_shapes_from(const Graph *graph, const Npz *inputs, PassOptions *options) {
    for (int i = 0; i < graph->inputs.count; i++) {
        const Value *input = graph->inputs.items[i];
        if (is_given(options, input->name) || is_absent(options, input->name)) continue;
        if (input->kind == VALUE_SEQUENCE) {
            sequence_shapes_from(graph->arena, input, inputs, options);
            continue;
        }
        const Tensor *array = npz_find(inputs, input->name);
        if (array == NULL || shape_is_known(&input->shape)) continue;
        Text shape = text_new(graph->arena);
        text_printf(&shape, "%s=", input->name);
        for (int d = 0; d < array->shape.rank; d++) {
            const bool is_open = d < input->shape.rank && has_range(options, input->shape.dims[d].symbol);
            text_printf(&shape, "%s%" PRId64, d > 0 ? "x" : "", is_open ? 1 : array->shape.dims[d].size);
        }
        list_add(graph->arena, &options->shapes, shape.data);
    }
}

/* The shape of what the caller has of an input or output, with so many samples. */
static Shape with_samples(const Value *value, int64_t samples) {
    Shape shape = value->shape;
    if (value->is_batched) shape.dims[value->samples_axis].size *= samples;
    return shape;
}

/* How many samples an array has; 0 where it has not the dimension. */
static int64_t samples_in(const Value *wanted, const Tensor *given) {
    const int axis = wanted->samples_axis;
    return given->shape.rank <= axis ? 0 : given->shape.dims[axis].size / wanted->shape.dims[axis].size;
}

int64_t model_check_inputs(const Graph *graph, const Npz *inputs) {
    int64_t samples = graph->batch.name == NULL ? 1 : 0;
    for (int i = 0; i < graph->inputs.count; i++) {
        const Value *wanted = graph->inputs.items[i];
        const Tensor *given = npz_find(inputs, wanted->name);
        const Shape outer = graph_outer_shape(graph, wanted);
        const char *expected =
            arena_printf(graph->arena, "%s%s", type_info(wanted->type)->name, shape_text(graph->arena, &outer));
        if (given != NULL && wanted->is_batched && samples == 0) samples = samples_in(wanted, given);
        const Shape shape = with_samples(wanted, samples);
        if (given == NULL) report(STATUS_INVALID, "input %s is missing, expected %s", quoted(wanted->name), expected);
        else if (given->type != wanted->type || !shape_equal(&given->shape, &shape))
            report(STATUS_INVALID, "input %s is %s%s, expected %s", quoted(wanted->name), type_info(given->type)->name,
                   shape_text(graph->arena, &given->shape), expected);
    }
    fail_if_reported();
    const Batch *batch = &graph->batch;
    if (batch->name != NULL && (samples < batch->least || samples > batch->most))
        fail(STATUS_INVALID, "the inputs have %" PRId64 " samples (%s), expected %" PRId64 " to %" PRId64, samples,
             quoted(batch->name), batch->least, batch->most);
    return samples;
}

static bool dumped(const Program *program, const PassOptions *options, const char *stage) {
    if (!dumps_after(options, stage)) return false;
    program_print(program, stdout);
    return true;
}

Program *model_steps(Graph *graph, const PassOptions *options) {
    mark_batched_outputs(graph);
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
