/* Sequences and optional values that are a model's own inputs and outputs: the tensors that they hold take their place,
 * so that what is behind inference, and the caller, has tensors only. */
#include "passes/pass.h"

#include "base/map.h"

/* An input or output more is a parameter more of the function that is generated. */
enum { MOST_TENSORS = 1024 };

static Map taken_names(const Graph *graph) {
    Map names = map_new(graph->arena);
    for (int i = 0; i < graph->values.count; i++) map_set(&names, graph->values.items[i]->name, graph->values.items[i]);
    return names;
}

/* Element i of a sequence, as a value of its own: NAME_0, with a number behind it where that is taken. */
static Value *element_value(Graph *graph, Map *names, const Value *sequence, int i) {
    const char *base = arena_printf(graph->arena, "%s_%d", sequence->name, i), *name = base;
    for (int number = 2; map_get(names, name) != NULL; number++)
        name = arena_printf(graph->arena, "%s_%d", base, number);
    Value *element = graph_value(graph, name);
    element->type = sequence->type;
    map_set(names, name, element);
    return element;
}

static void check_count(const Value *sequence, const char *what, int count) {
    if (count > MOST_TENSORS)
        fail(STATUS_UNSUPPORTED, "with the tensors that %s %s holds, there are %d; at most %d %ss are supported", what,
             quoted(sequence->name), count, MOST_TENSORS, what);
}

void split_input(Graph *graph, int place, int count) {
    Value *sequence = graph->inputs.items[place];
    ValueList inputs = {0};
    check_count(sequence, "input", graph->inputs.count - 1 + count);
    Map names = taken_names(graph);
    for (int i = 0; i < place; i++) list_add(graph->arena, &inputs, graph->inputs.items[i]);
    for (int i = 0; i < count; i++) {
        Value *element = element_value(graph, &names, sequence, i);
        element->shape = sequence->shape;
        element->is_input = true;
        list_add(graph->arena, &sequence->elements, element);
        list_add(graph->arena, &inputs, element);
    }
    for (int i = place + 1; i < graph->inputs.count; i++) list_add(graph->arena, &inputs, graph->inputs.items[i]);
    sequence->is_input = false;
    graph->inputs = inputs;
}

static bool has_tensors_only(const Graph *graph) {
    for (int i = 0; i < graph->outputs.count; i++)
        if (graph->outputs.items[i]->kind != VALUE_TENSOR) return false;
    return true;
}

NodeList split_outputs(Graph *graph) {
    NodeList copies = {0};
    ValueList outputs = {0};
    if (has_tensors_only(graph)) return copies;
    Map names = taken_names(graph);
    for (int i = 0; i < graph->outputs.count; i++) {
        Value *output = graph->outputs.items[i];
        if (output->kind == VALUE_TENSOR) list_add(graph->arena, &outputs, output);
        if (output->kind != VALUE_SEQUENCE) continue;
        check_count(output, "output", outputs.count + output->elements.count);
        for (int k = 0; k < output->elements.count; k++) {
            Value *own = element_value(graph, &names, output, k);
            list_add(graph->arena, &copies, copying_node(graph, output->elements.items[k], own));
            list_add(graph->arena, &outputs, own);
        }
    }
    if (outputs.count == 0)
        fail(STATUS_UNSUPPORTED,
             "nothing is left of the outputs: %s, as the others, is an empty sequence or an optional value that is "
             "left out",
             quoted(graph->outputs.items[0]->name));
    graph->outputs = outputs;
    return copies;
}
