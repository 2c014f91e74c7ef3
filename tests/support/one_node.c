/* One operator in a graph of its own.
 * See one_node.h. */
#include "support/test.h"

#include "ops/op.h"
#include "passes/lower.h"
#include "runtime/support.h"
#include "support/one_node.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define FAIL_TEST(...) (print_error(__VA_ARGS__), print_error("\n"), _fail(__FILE__, __LINE__))

OneNode *one_node(const char *op, int opset, int outputs) {
    Arena *arena = arena_new();
    OneNode *one = arena_new_object(arena, OneNode);
    one->arena = arena;
    Graph *graph = graph_new(arena, "test");
    graph->opset = opset;
    one->node = graph_node(graph, op, "tested");
    for (int i = 0; i < outputs; i++) {
        Value *output = graph_value(graph, arena_printf(arena, "output%d", i));
        output->is_output = true;
        output->producer = one->node;
        list_add(arena, &one->node->outputs, output);
        list_add(arena, &graph->outputs, output);
    }
    return one;
}

void one_node_free(OneNode *one) { arena_free(one->arena); }

/* Symbols are equal where their pointers are. */
static const char *symbol(char letter) {
    static const char names[26][2] = {"A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M",
                                      "N", "O", "P", "Q", "R", "S", "T", "U", "V", "W", "X", "Y", "Z"};
    return names[letter - 'A'];
}

static Shape parse_shape(const char *text) {
    if (strcmp(text, "*") == 0) return SHAPE_UNKNOWN;
    Shape shape = {0};
    while (*text != '\0') {
        char *end = (char *)(uintptr_t)text + 1;
        Dim dim = {-1, NULL};
        if (isdigit((unsigned char)*text)) dim = dim_known(strtoll(text, &end, 10));
        else if (*text != '?') dim.symbol = symbol(*text);
        assert_true(shape.rank < MAX_RANK);
        shape.dims[shape.rank++] = dim;
        text = *end == 'x' ? end + 1 : end;
    }
    return shape;
}

Value *one_input(OneNode *one, Type type, const char *shape) {
    Graph *graph = one->node->graph;
    Value *value = graph_value(graph, arena_printf(one->arena, "input%d", one->node->inputs.count));
    value->type = type;
    value->shape = parse_shape(shape);
    value->is_input = true;
    list_add(one->arena, &one->node->inputs, value);
    list_add(one->arena, &graph->inputs, value);
    return value;
}

Tensor *one_constant(OneNode *one, Type type, const char *shape_text) {
    Shape shape = parse_shape(shape_text);
    Tensor *tensor = tensor_new(one->arena, type, &shape);
    const char *name = arena_printf(one->arena, "constant%d", one->node->inputs.count);
    list_add(one->arena, &one->node->inputs, graph_constant(one->node->graph, name, tensor));
    return tensor;
}

void one_ints(OneNode *one, int count, const int64_t *values) {
    Tensor *tensor = tensor_ints(one->arena, values, count);
    const char *name = arena_printf(one->arena, "constant%d", one->node->inputs.count);
    list_add(one->arena, &one->node->inputs, graph_constant(one->node->graph, name, tensor));
}

void one_left_out(OneNode *one) { list_add(one->arena, &one->node->inputs, NULL); }

static void infer(void *argument) {
    OneNode *one = argument;
    ops_resolve(one->node->graph);
    op_infer(one->node);
}

static void guarded(OneNode *one, void (*body)(void *argument), void *argument) {
    diag_capture(one->messages, sizeof one->messages);
    one->status = guard(body, argument);
    diag_capture(NULL, 0);
}

void one_node_infer(OneNode *one) { guarded(one, infer, one); }

static void set_element(Type type, void *data, int64_t i, int64_t number) {
    switch (type) {
    case TYPE_FLOAT: ((float *)data)[i] = (float)number; break;
    case TYPE_DOUBLE: ((double *)data)[i] = (double)number; break;
    case TYPE_FLOAT16: ((uint16_t *)data)[i] = f16_from_f32((float)number); break;
    case TYPE_BFLOAT16: ((uint16_t *)data)[i] = bf16_from_f32((float)number); break;
    default: { /* as the bits of an integer; little endian */
        int bytes = type_info(type)->bytes;
        memcpy((char *)data + i * bytes, &number, (size_t)bytes);
    }
    }
}

typedef struct {
    OneNode *one;
    const Tensor *const *given;
    void **memory;
    int buffers; /* that have memory; each its own, so that a sanitizer sees where it ends */
} Run;

static void *input_memory(const Run *run, const Buffer *buffer, size_t bytes) {
    void *data = malloc(bytes == 0 ? 1 : bytes);
    const ValueList *inputs = &run->one->node->inputs;
    memset(data, 0xA5, bytes);
    for (int i = 0; i < inputs->count && buffer->kind == BUFFER_INPUT; i++) {
        if (inputs->items[i] != buffer->value) continue;
        if (run->given != NULL && run->given[i] != NULL) memcpy(data, run->given[i]->data, bytes);
        else
            for (int64_t k = 0; k < buffer->count; k++) set_element(buffer->type, data, k, k);
    }
    return data;
}

static void keep_outputs(Program *program, const Run *run) {
    for (int i = 0; i < run->one->node->outputs.count; i++) {
        Value *output = run->one->node->outputs.items[i];
        const Buffer *buffer = program_buffer(program, output);
        Tensor *tensor = tensor_new(run->one->arena, output->type, &output->shape);
        const void *data = buffer->kind == BUFFER_CONSTANT ? buffer->constant->data : run->memory[buffer->number];
        memcpy(tensor->data, data, tensor_bytes(tensor));
        output->constant = tensor;
    }
}

static void infer_and_run(void *argument) {
    Run *run = argument;
    OneNode *one = run->one;
    infer(one);
    if (one->node->outputs.items[0]->constant != NULL) return;
    Program *program = lower_graph(one->node->graph, &(PassOptions){0});
    for (int i = 0; i < one->node->outputs.count; i++) program_buffer(program, one->node->outputs.items[i]);
    run->memory = arena_new_array(one->arena, void *, (size_t)program->buffers.count);
    for (int i = 0; i < program->buffers.count; i++) {
        const Buffer *buffer = program->buffers.items[i];
        size_t bytes = (size_t)buffer->count * (size_t)type_info(buffer->type)->bytes;
        if (buffer->kind != BUFFER_CONSTANT) run->memory[i] = input_memory(run, buffer, bytes);
        run->buffers = i + 1;
    }
    program_run(program, run->memory);
    keep_outputs(program, run);
}

void one_node_run(OneNode *one, const Tensor *const *given) {
    Run run = {.one = one, .given = given};
    guarded(one, infer_and_run, &run);
    for (int i = 0; i < run.buffers; i++) free(run.memory[i]);
}

void assert_shape(const OneNode *one, int output, const char *shape) {
    Shape expected = parse_shape(shape);
    const Shape *found = &one->node->outputs.items[output]->shape;
    if (one->status != STATUS_OK) FAIL_TEST("%s", one->messages);
    bool equal = found->rank == expected.rank;
    for (int i = 0; equal && i < found->rank; i++)
        equal = found->dims[i].size == expected.dims[i].size && found->dims[i].symbol == expected.dims[i].symbol;
    if (!equal)
        FAIL_TEST("%s: the shape is %s, expected %s", one->node->op_type, shape_text(one->arena, found),
                  shape_text(one->arena, &expected));
}

void assert_runs(OneNode *one, const char *shape, const int64_t *expected) {
    one_node_run(one, NULL);
    assert_shape(one, 0, shape);
    const Tensor *result = one->node->outputs.items[0]->constant;
    for (int64_t i = 0; i < tensor_count(result); i++)
        if (tensor_number(result, i) != (double)expected[i])
            FAIL_TEST("%s: element %d is %g, expected %g", one->node->op_type, (int)i, tensor_number(result, i),
                      (double)expected[i]);
    one_node_free(one);
}

void assert_node_fails(OneNode *one, Status status, const char *text) {
    one_node_run(one, NULL);
    if (one->status != status || strstr(one->messages, text) == NULL)
        FAIL_TEST("status %d, expected %d with \"%s\": %s", (int)one->status, (int)status, text, one->messages);
    one_node_free(one);
}
