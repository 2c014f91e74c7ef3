/* Bind: the inputs' open dimensions get the sizes that the user gives. What stays open is open for `inspect`, and is an
 * error for everything else, naming the dimension to give. */
#include "passes/pass.h"

#include "ops/movement.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Splits "NAME=REST" at its last "=", as names may hold one. */
static const char *split_assignment(Arena *arena, const char *text, const char **rest) {
    const char *equals = strrchr(text, '=');
    if (equals == NULL || equals == text) fail(STATUS_USAGE, "expected NAME=SIZE, not %s", quoted(text));
    *rest = equals + 1;
    return arena_printf(arena, "%.*s", (int)(equals - text), text);
}

static int64_t parse_size(const char **at) {
    char *end;
    long long size = strtoll(*at, &end, 10);
    if (end == *at || size < 0) fail(STATUS_USAGE, "%s is no size", quoted(*at));
    *at = end;
    return size;
}

/* What a dimension is given: a size, or a range. */
typedef struct {
    int64_t least, most;
    bool is_range;
} Sizes;

/* "3" or "1..64" */
static Sizes parse_sizes(const char **at) {
    Sizes sizes = {.least = parse_size(at)};
    sizes.most = sizes.least;
    if (strncmp(*at, "..", 2) != 0) return sizes;
    *at += 2;
    sizes.most = parse_size(at);
    sizes.is_range = true;
    if (sizes.least < 1 || sizes.most < sizes.least || sizes.most > INT32_MAX)
        fail(STATUS_USAGE, "%" PRId64 "..%" PRId64 ": expected a range of numbers of samples, such as 1..64",
             sizes.least, sizes.most);
    return sizes;
}

/* Leaves how many samples there are along an axis to each run: the graph is of one of them. */
static void leave_open(Graph *graph, Value *input, int axis, const char *name, Sizes sizes) {
    Batch *batch = &graph->batch;
    const bool is_first = batch->name == NULL;
    if (!is_first && (strcmp(batch->name, name) != 0 || batch->least != sizes.least || batch->most != sizes.most))
        fail(STATUS_USAGE, "one dimension can have a range, and %s has %" PRId64 "..%" PRId64, quoted(batch->name),
             batch->least, batch->most);
    if (input->is_batched) {
        report(STATUS_UNSUPPORTED, "input %s has samples along two of its dimensions", quoted(input->name));
        note("for a fixed number give --dim %s=N", quoted(name));
        unwind(STATUS_UNSUPPORTED);
    }
    *batch = (Batch){name, sizes.least, sizes.most};
    input->is_batched = true;
    input->samples_axis = axis;
    input->shape.dims[axis] = dim_known(1);
}

static void bind_symbol(Graph *graph, const char *name, const char *text) {
    const char *at = text;
    const Sizes sizes = parse_sizes(&at);
    if (*at != '\0') fail(STATUS_USAGE, "--dim %s: expected one size, or a range such as 1..64", quoted(name));
    bool found = false;
    for (int i = 0; i < graph->inputs.count; i++) {
        Value *input = graph->inputs.items[i];
        for (int d = 0; d < input->shape.rank; d++) {
            const char *symbol = input->shape.dims[d].symbol;
            if (symbol == NULL || strcmp(symbol, name) != 0) continue;
            if (sizes.is_range) leave_open(graph, input, d, name, sizes);
            else input->shape.dims[d] = dim_known(sizes.least);
            found = true;
        }
    }
    if (!found) fail(STATUS_USAGE, "--dim %s=%s: no input has a dimension of that name", quoted(name), text);
}

/* "1x3x224x224" or "1..64x3x224x224". */
static int parse_shape(const char *name, const char *text, Sizes *sizes) {
    int rank = 0;
    for (const char *at = text; *at != '\0'; at += *at == 'x') {
        if (rank == MAX_RANK) fail(STATUS_USAGE, "--shape %s: more than %d dimensions", quoted(name), MAX_RANK);
        sizes[rank++] = parse_sizes(&at);
        const bool ends = *at == '\0' || (*at == 'x' && at[1] != '\0');
        if (!ends) fail(STATUS_USAGE, "--shape %s: expected 1x3x224x224", quoted(name));
    }
    return rank;
}

/* Only what the model leaves open can have a range. */
static bool size_fits(Dim dim, Sizes sizes) { return dim.size < 0 || (dim.size == sizes.least && !sizes.is_range); }

static void bind_shape(Graph *graph, const char *name, const char *text) {
    Value *input = NULL;
    for (int i = 0; i < graph->inputs.count && input == NULL; i++)
        if (strcmp(graph->inputs.items[i]->name, name) == 0) input = graph->inputs.items[i];
    if (input == NULL) fail(STATUS_USAGE, "--shape %s: the model has no input of that name", quoted(name));
    Sizes sizes[MAX_RANK];
    const int rank = parse_shape(name, text, sizes);
    bool fits = input->shape.rank < 0 || input->shape.rank == rank;
    for (int d = 0; fits && d < input->shape.rank; d++) fits = size_fits(input->shape.dims[d], sizes[d]);
    if (!fits)
        fail(STATUS_USAGE, "--shape %s=%s does not fit the model's %s", quoted(name), text,
             shape_text(graph->arena, &input->shape));
    if (input->shape.rank < 0) input->shape = shape_open(rank);
    for (int d = 0; d < rank; d++) {
        const char *symbol = input->shape.dims[d].symbol;
        if (sizes[d].is_range) leave_open(graph, input, d, symbol == NULL ? "batch" : symbol, sizes[d]);
        else input->shape.dims[d] = dim_known(sizes[d].least);
    }
}

/* Every open dimension of the inputs, each with what to give. */
static void report_open(const Graph *graph) {
    bool any = false;
    for (int i = 0; i < graph->inputs.count; i++) {
        const Value *input = graph->inputs.items[i];
        if (shape_is_known(&input->shape)) continue;
        report(STATUS_UNSUPPORTED, "input %s has the shape %s, which is not wholly known", quoted(input->name),
               shape_text(graph->arena, &input->shape));
        any = true;
        for (int d = 0; d < input->shape.rank; d++)
            if (input->shape.dims[d].symbol != NULL) note("give --dim %s=N", quoted(input->shape.dims[d].symbol));
            else if (input->shape.dims[d].size < 0)
                note("give --shape %s=... for dimension %d", quoted(input->name), d);
        if (input->shape.rank < 0) note("give --shape %s=AxBxC", quoted(input->name));
    }
    if (any) fail_if_reported();
}

void pass_bind_dimensions(Graph *graph, const PassOptions *options) {
    const char *rest;
    for (int i = 0; i < options->dims.count; i++) {
        const char *name = split_assignment(graph->arena, options->dims.items[i], &rest);
        bind_symbol(graph, name, rest);
    }
    for (int i = 0; i < options->shapes.count; i++) {
        const char *name = split_assignment(graph->arena, options->shapes.items[i], &rest);
        bind_shape(graph, name, rest);
    }
    if (!options->open_dimensions) report_open(graph);
}
