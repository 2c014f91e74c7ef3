/* Inference: types and shapes in one walk, and constants on the way, since shapes depend on them. Fused operators are
 * expanded on the way too, since what they stand for depends on shapes.
 * What cannot be known stays open for `inspect` and is an error, naming the dimension to give, for everything else. */
#include "passes/lower.h"
#include "passes/pass.h"

#include "ops/expand.h"

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

static void bind_symbol(Graph *graph, const char *name, int64_t size) {
    bool found = false;
    for (int i = 0; i < graph->inputs.count; i++) {
        Shape *shape = &graph->inputs.items[i]->shape;
        for (int d = 0; d < shape->rank; d++) {
            if (shape->dims[d].symbol == NULL || strcmp(shape->dims[d].symbol, name) != 0) continue;
            shape->dims[d] = dim_known(size);
            found = true;
        }
    }
    if (!found) fail(STATUS_USAGE, "--dim %s=%" PRId64 ": no input has a dimension of that name", quoted(name), size);
}

static void bind_shape(Graph *graph, const char *name, const char *text) {
    for (int i = 0; i < graph->inputs.count; i++) {
        Value *input = graph->inputs.items[i];
        if (strcmp(input->name, name) != 0) continue;
        Shape shape = {0};
        for (const char *at = text; *at != '\0'; at += *at == 'x') {
            if (shape.rank == MAX_RANK)
                fail(STATUS_USAGE, "--shape %s: more than %d dimensions", quoted(name), MAX_RANK);
            shape.dims[shape.rank++] = dim_known(parse_size(&at));
            bool ends = *at == '\0' || (*at == 'x' && at[1] != '\0');
            if (!ends) fail(STATUS_USAGE, "--shape %s: expected 1x3x224x224", quoted(name));
        }
        bool fits = input->shape.rank < 0 || input->shape.rank == shape.rank;
        for (int d = 0; fits && d < input->shape.rank; d++)
            fits = input->shape.dims[d].size < 0 || input->shape.dims[d].size == shape.dims[d].size;
        if (!fits)
            fail(STATUS_USAGE, "--shape %s=%s does not fit the model's %s", quoted(name), text,
                 shape_text(graph->arena, &input->shape));
        input->shape = shape;
        return;
    }
    fail(STATUS_USAGE, "--shape %s: the model has no input of that name", quoted(name));
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
        int64_t size = parse_size(&rest);
        if (*rest != '\0') fail(STATUS_USAGE, "--dim %s: expected one size", quoted(name));
        bind_symbol(graph, name, size);
    }
    for (int i = 0; i < options->shapes.count; i++) {
        const char *name = split_assignment(graph->arena, options->shapes.items[i], &rest);
        bind_shape(graph, name, rest);
    }
    if (!options->open_dimensions) report_open(graph);
}

/* What the model says of an output's shape, where inference found less. */
static void complete_outputs(Graph *graph, const Shape *declared) {
    for (int i = 0; i < graph->outputs.count; i++) {
        Shape *inferred = &graph->outputs.items[i]->shape;
        if (inferred->rank < 0) *inferred = declared[i];
        if (inferred->rank != declared[i].rank) continue;
        for (int d = 0; d < inferred->rank; d++)
            if (inferred->dims[d].size < 0 && inferred->dims[d].symbol == NULL) inferred->dims[d] = declared[i].dims[d];
    }
}

/* So that a small model does not grow without bound. */
enum { MOST_NODES = 1 << 19 };

static bool is_constant(const Node *node) {
    bool known = node->outputs.count > 0;
    for (int i = 0; i < node->outputs.count; i++)
        known &= node->outputs.items[i] == NULL || node->outputs.items[i]->constant != NULL;
    return known;
}

/* Infers a node and adds it to those that are kept, or the nodes that it expands to, which may expand in their turn.
 * What became constant needs no node. */
static void infer_node(Node *node, FoldBudget *budget, NodeList *kept) {
    op_infer(node);
    NodeList parts;
    if (op_expand(node, &parts)) {
        if (kept->count > MOST_NODES)
            node_fail(node, STATUS_UNSUPPORTED, "operators that expand to others make more than %d nodes", MOST_NODES);
        for (int i = 0; i < parts.count; i++) infer_node(parts.items[i], budget, kept);
        return;
    }
    fold_node(node, budget);
    if (!is_constant(node)) list_add(node->graph->arena, kept, node);
}

void pass_infer(Graph *graph, const PassOptions *options) {
    ops_resolve(graph);
    Shape *declared = arena_new_array(graph->arena, Shape, (size_t)graph->outputs.count);
    for (int i = 0; i < graph->outputs.count; i++) declared[i] = graph->outputs.items[i]->shape;
    FoldBudget budget = fold_budget(graph);
    NodeList nodes = graph->nodes;
    graph->nodes = (NodeList){0};
    for (int i = 0; i < nodes.count; i++) infer_node(nodes.items[i], &budget, &graph->nodes);
    if (options->open_dimensions) complete_outputs(graph, declared);
    graph_prune(graph);
}
