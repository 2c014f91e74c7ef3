/* Bind: inputs that the user gives once and for all become constants, and the others' open dimensions get their sizes.
 * What stays open is open for `inspect`, and is an error for everything else, naming the dimension to give. */
#include "passes/pass.h"

#include "graph/npz.h"
#include "ops/movement.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Splits "NAME=REST" at its last "=", as names may hold one. */
static const char *split_assignment(Arena *arena, const char *text, const char **rest) {
    const char *equals = strrchr(text, '=');
    if (equals == NULL || equals == text) fail(STATUS_USAGE, "expected NAME=VALUE, not %s", quoted(text));
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

/* Constants */

/* Element i from one number of a list; *at moves behind it. */
static void parse_element(const char *name, Tensor *tensor, int64_t i, const char **at) {
    const TypeInfo *info = type_info(tensor->type);
    char *end;
    bool fits = true;
    if (type_is_float(tensor->type) && info->bytes > 1) tensor_set(tensor, i, strtod(*at, &end));
    else {
        const int64_t number = strtoll(*at, &end, 10);
        memcpy((char *)tensor->data + i * info->bytes, &number, (size_t)info->bytes);
        fits = tensor_int(tensor, i) == number;
    }
    if (end == *at || (*end != ',' && *end != '\0') || !fits)
        fail(STATUS_USAGE, "--constant %s: expected numbers of type %s with commas between, or FILE.npz, not %s",
             quoted(name), info->name, quoted(*at));
    *at = *end == ',' ? end + 1 : end;
}

static int64_t count_numbers(const char *text) {
    int64_t count = 1;
    for (; *text != '\0'; text++) count += *text == ',';
    return count;
}

/* "16000" or "0,2,3": as many numbers as the input has elements, or the one dimension of a vector is open. */
static Tensor *parse_numbers(Arena *arena, const Value *input, const char *text) {
    const int64_t count = count_numbers(text);
    Shape shape = input->shape;
    if (shape.rank == 1 && shape.dims[0].size < 0) shape.dims[0] = dim_known(count);
    if (!shape_is_known(&shape) || shape_count(&shape) != count)
        fail(STATUS_USAGE, "--constant %s: %lld number%s, but the input is %s; give FILE.npz for an array",
             quoted(input->name), (long long)count, count == 1 ? "" : "s", shape_text(arena, &input->shape));
    Tensor *tensor = tensor_new(arena, input->type, &shape);
    const char *at = text;
    for (int64_t i = 0; i < count; i++) parse_element(input->name, tensor, i, &at);
    return tensor;
}

/* The array of the input's name in a file. */
static Tensor *read_constant(Arena *arena, const Value *input, const char *path) {
    const Npz arrays = npz_read(arena, path);
    Tensor *tensor = npz_find(&arrays, input->name);
    if (tensor == NULL)
        fail(STATUS_USAGE, "--constant %s: %s has no array of that name", quoted(input->name), quoted(path));
    bool fits = tensor->type == input->type && (input->shape.rank < 0 || input->shape.rank == tensor->shape.rank);
    for (int d = 0; fits && d < input->shape.rank; d++)
        fits = input->shape.dims[d].size < 0 || input->shape.dims[d].size == tensor->shape.dims[d].size;
    if (!fits)
        fail(STATUS_USAGE, "--constant %s: the array is %s%s, the input %s%s", quoted(input->name),
             type_info(tensor->type)->name, shape_text(arena, &tensor->shape), type_info(input->type)->name,
             shape_text(arena, &input->shape));
    return tensor;
}

/* Where an input of that name is among the graph's. */
static int place_of_input(const Graph *graph, const char *option, const char *name) {
    for (int i = 0; i < graph->inputs.count; i++)
        if (strcmp(graph->inputs.items[i]->name, name) == 0) return i;
    fail(STATUS_USAGE, "--%s %s: the model has no input of that name", option, quoted(name));
}

static void remove_input(Graph *graph, int place) {
    graph->inputs.items[place]->is_input = false;
    for (int k = place; k + 1 < graph->inputs.count; k++) graph->inputs.items[k] = graph->inputs.items[k + 1];
    graph->inputs.count--;
}

static void bind_constants(Graph *graph, const PassOptions *options) {
    for (int i = 0; i < options->constants.count; i++) {
        const char *text, *name = split_assignment(graph->arena, options->constants.items[i], &text);
        const int place = place_of_input(graph, "constant", name);
        Value *input = graph->inputs.items[place];
        const size_t length = strlen(text);
        const bool is_file = length > 4 && strcmp(text + length - 4, ".npz") == 0;
        if (input->kind == VALUE_SEQUENCE)
            fail(STATUS_UNSUPPORTED, "--constant %s: it is a sequence; give the shapes of its tensors with --shape",
                 quoted(name));
        if (type_info(input->type)->bytes > 8 || input->type == TYPE_STRING)
            fail(STATUS_UNSUPPORTED, "--constant %s: it is of type %s", quoted(name), type_info(input->type)->name);
        input->constant = is_file ? read_constant(graph->arena, input, text) : parse_numbers(graph->arena, input, text);
        input->shape = input->constant->shape;
        remove_input(graph, place);
    }
}

/* Dimensions */

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

static void bind_shape(Graph *graph, Value *input, const char *text) {
    const char *name = input->name;
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

/* Sequences and optional values */

static void bind_absent(Graph *graph, const PassOptions *options) {
    for (int i = 0; i < options->absent.count; i++) {
        const char *name = options->absent.items[i];
        const int place = place_of_input(graph, "absent", name);
        Value *input = graph->inputs.items[place];
        if (!input->is_optional) fail(STATUS_USAGE, "--absent %s: the input is not optional", quoted(name));
        input->kind = VALUE_NOTHING;
        remove_input(graph, place);
    }
}

/* "[2x3],[4x5]", or "none" of them. */
static StringList parse_shapes(Arena *arena, const char *name, const char *text) {
    StringList shapes = {0};
    if (strcmp(text, "none") == 0) return shapes;
    const bool has_range = strstr(text, "..") != NULL;
    for (const char *at = text, *end;; at = end + 2) {
        end = *at == '[' ? strchr(at, ']') : NULL;
        const bool ends = end != NULL && (end[1] == '\0' || end[1] == ',');
        if (!ends || has_range)
            fail(
                STATUS_USAGE,
                "--shape %s: it is a sequence: expected the shape of each of its tensors, such as [2x3],[4x5], or none",
                quoted(name));
        list_add(arena, &shapes, (const char *)arena_printf(arena, "%.*s", (int)(end - at - 1), at + 1));
        if (end[1] == '\0') return shapes;
    }
}

static void bind_sequence(Graph *graph, int place, const char *text) {
    const StringList shapes = parse_shapes(graph->arena, graph->inputs.items[place]->name, text);
    split_input(graph, place, shapes.count);
    for (int i = 0; i < shapes.count; i++) bind_shape(graph, graph->inputs.items[place + i], shapes.items[i]);
}

StringList bind_inputs(Graph *graph, const PassOptions *options) {
    bind_constants(graph, options);
    bind_absent(graph, options);
    StringList left = {0};
    for (int i = 0; i < options->shapes.count; i++) {
        const char *text, *name = split_assignment(graph->arena, options->shapes.items[i], &text);
        const int place = place_of_input(graph, "shape", name);
        if (graph->inputs.items[place]->kind == VALUE_SEQUENCE) bind_sequence(graph, place, text);
        else list_add(graph->arena, &left, options->shapes.items[i]);
    }
    return left;
}

static void report_sequence(const Value *input) {
    report(STATUS_UNSUPPORTED, "input %s is a sequence: how many tensors it holds is not known", quoted(input->name));
    note("give the shape of each, such as --shape %s=[2x3],[4x5], or --shape %s=none", quoted(input->name),
         quoted(input->name));
    if (input->is_optional) note("or --absent %s", quoted(input->name));
}

static void note_optional(const Graph *graph) {
    for (int i = 0; i < graph->inputs.count; i++)
        if (graph->inputs.items[i]->is_optional)
            note("input %s is optional, and is taken as given; --absent %s compiles the model without it",
                 quoted(graph->inputs.items[i]->name), quoted(graph->inputs.items[i]->name));
}

/* Every open dimension of the inputs, each with what to give. How long a sequence is cannot stay open. */
static void report_open(const Graph *graph, bool may_stay) {
    bool any = false;
    for (int i = 0; i < graph->inputs.count; i++) {
        const Value *input = graph->inputs.items[i];
        if (input->kind == VALUE_SEQUENCE) {
            report_sequence(input);
            any = true;
            continue;
        }
        if (may_stay || shape_is_known(&input->shape)) continue;
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
    const StringList shapes = bind_inputs(graph, options);
    for (int i = 0; i < options->dims.count; i++) {
        const char *name = split_assignment(graph->arena, options->dims.items[i], &rest);
        bind_symbol(graph, name, rest);
    }
    for (int i = 0; i < shapes.count; i++) {
        const char *name = split_assignment(graph->arena, shapes.items[i], &rest);
        bind_shape(graph, graph->inputs.items[place_of_input(graph, "shape", name)], rest);
    }
    report_open(graph, options->open_dimensions);
    note_optional(graph);
}
