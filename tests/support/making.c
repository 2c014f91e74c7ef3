/* Small graphs made by hand, and what the pass `blocks` finds in them. */
#include "support/making.h"

#include "base/text.h"
#include "passes/pass.h"
#include "patterns/block.h"
#include "support/test.h"

#include <stdlib.h>
#include <string.h>

Graph *make_graph(Arena *arena, int opset) {
    Graph *graph = graph_new(arena, "test");
    graph->opset = opset;
    return graph;
}

static Shape shape_from(const char *text) {
    Shape shape = {0};
    char *end;
    for (const char *at = text; *at != '\0'; at = *end == 'x' ? end + 1 : end)
        shape.dims[shape.rank++] = dim_known(strtoll(at, &end, 10));
    return shape;
}

static const char *next_name(const Graph *graph, const char *stem) {
    return arena_printf(graph->arena, "%s_%d", stem, graph->values.count);
}

Value *make_input(Graph *graph, const char *name, const char *shape) {
    Value *input = graph_value(graph, name);
    input->type = TYPE_FLOAT;
    input->shape = shape_from(shape);
    input->is_input = true;
    list_add(graph->arena, &graph->inputs, input);
    return input;
}

Value *make_weight(Graph *graph, const char *shape) {
    Shape dims = shape_from(shape);
    Tensor *tensor = tensor_new(graph->arena, TYPE_FLOAT, &dims);
    float *elements = tensor->data;
    for (int64_t i = 0; i < tensor_count(tensor); i++) elements[i] = (float)(graph->values.count + 1);
    return graph_constant(graph, next_name(graph, "weight"), tensor);
}

Value *make_number(Graph *graph, double number) {
    Shape scalar = {0};
    Tensor *tensor = tensor_new(graph->arena, TYPE_FLOAT, &scalar);
    *(float *)tensor->data = (float)number;
    return graph_constant(graph, next_name(graph, "number"), tensor);
}

Value *make_ints(Graph *graph, int count, const int64_t *values) {
    return graph_constant(graph, next_name(graph, "ints"), tensor_ints(graph->arena, values, count));
}

Value *make_node(Graph *graph, const char *op, Value *const *inputs) {
    Node *node = graph_node(graph, op, next_name(graph, op));
    for (; *inputs != NULL; inputs++) list_add(graph->arena, &node->inputs, *inputs);
    Value *output = graph_value(graph, next_name(graph, "value"));
    output->producer = node;
    list_add(graph->arena, &node->outputs, output);
    return output;
}

Value *give_input(Value *value, Value *input) {
    list_add(value->producer->graph->arena, &value->producer->inputs, input);
    return value;
}

Value *with_int(Value *value, const char *name, int64_t number) {
    node_set_int(value->producer, name, number);
    return value;
}

Value *with_list(Value *value, const char *name, int count, const int64_t *values) {
    node_set_ints(value->producer, name, values, count);
    return value;
}

Value *in_scope(Value *value, const char *scope) {
    value->producer->scope = scope;
    return value;
}

Value *make_mean(Graph *graph, Value *x) { return make(graph, "GlobalAveragePool", x); }

Value *make_reduced(Graph *graph, const char *op, Value *x, int64_t axis) {
    return with_ints(make(graph, op, x), "axes", axis);
}

Value *make_flat(Graph *graph, Value *x) { return make(graph, "Flatten", x); }

Value *make_gemm(Graph *graph, Value *x, int64_t from, int64_t to) {
    Value *weight = make_weight(graph, arena_printf(graph->arena, "%dx%d", (int)from, (int)to));
    return make(graph, "Gemm", x, weight, make_weight(graph, arena_printf(graph->arena, "%d", (int)to)));
}

Value *make_map(Graph *graph, Value *x) { return make(graph, "Unsqueeze", x, make_list(graph, 2, 3)); }

Value *make_transposed(Graph *graph, Value *x) { return with_ints(make(graph, "Transpose", x), "perm", 0, 1, 3, 2); }

void make_output(Graph *graph, Value *value) { list_add(graph->arena, &graph->outputs, value); }

typedef struct {
    Graph *graph;
    const char *probes;
} Finding;

static void find_body(void *argument) {
    const Finding *finding = argument;
    PassOptions options = {.probes = finding->probes};
    graph_sort(finding->graph);
    pass_infer(finding->graph, &options);
    pass_normalise(finding->graph, &options);
    pass_blocks(finding->graph, &options);
}

Status find_blocks(Graph *graph, const char *probes) { return run_quietly(find_body, &(Finding){graph, probes}); }

const char *blocks_text(const Graph *graph) {
    Text text = text_new(graph->arena);
    for (int i = 0; i < graph->blocks.count; i++) {
        const Block *block = graph->blocks.items[i];
        text_printf(&text, "%s%s %s:", i == 0 ? "" : "; ", block->family, block->name);
        for (int k = 0; k < block->probes.count; k++) {
            const BlockProbe *probe = block->probes.items[k];
            text_printf(&text, " %s%s", probe->name, shape_text(graph->arena, &probe->shape));
        }
    }
    return text.data;
}

const char *why_text(Graph *graph, const char *family) {
    PatternSet patterns = patterns_load(graph->arena, NULL, 0);
    char *written = NULL;
    size_t size;
    FILE *out = open_memstream(&written, &size);
    assert_non_null(out);
    blocks_explain(graph, &patterns, family, out);
    fclose(out);
    const char *text = arena_copy(graph->arena, written);
    free(written);
    return text;
}

static void find_in(Graph *graph, Value *output) {
    make_output(graph, output);
    Status status = find_blocks(graph, NULL);
    if (status != STATUS_OK) print_error("%s", last_messages());
    assert_int_equal(status, STATUS_OK);
}

void assert_blocks(Graph *graph, Value *output, const char *expected) {
    find_in(graph, output);
    assert_string_equal(blocks_text(graph), expected);
    arena_free(graph->arena);
}

void assert_no_block(Graph *graph, Value *output, const char *family, const char *reason) {
    find_in(graph, output);
    assert_string_equal(blocks_text(graph), "");
    const char *why = why_text(graph, family);
    if (strstr(why, reason) == NULL) print_error("'%s' is not in:\n%s\n", reason, why);
    assert_non_null(strstr(why, reason));
    arena_free(graph->arena);
}
