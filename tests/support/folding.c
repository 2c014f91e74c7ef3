/* One operator over constants: a graph of one node, inferred, lowered and interpreted.
 * See folding.h. */
#include "support/folding.h"

#include "ops/op.h"
#include "passes/lower.h"
#include "runtime/support.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

Folding *folding_begin(const char *op, int opset) {
    Arena *arena = arena_new();
    Folding *folding = arena_new_object(arena, Folding);
    folding->arena = arena;
    Graph *graph = graph_new(arena, "test");
    graph->opset = opset;
    folding->node = graph_node(graph, op, "tested");
    Value *output = graph_value(graph, "output");
    list_add(arena, &folding->node->outputs, output);
    list_add(arena, &graph->outputs, output);
    return folding;
}

static Shape parse_shape(const char *text) {
    Shape shape = {0};
    while (*text != '\0') {
        char *end;
        shape.dims[shape.rank++] = dim_known(strtoll(text, &end, 10));
        text = *end == 'x' ? end + 1 : end;
    }
    return shape;
}

static void set_number(Tensor *tensor, int64_t i, double value) {
    switch (tensor->type) {
    case TYPE_FLOAT: ((float *)tensor->data)[i] = (float)value; break;
    case TYPE_DOUBLE: ((double *)tensor->data)[i] = value; break;
    case TYPE_FLOAT16: ((uint16_t *)tensor->data)[i] = f16_from_f32((float)value); break;
    case TYPE_BFLOAT16: ((uint16_t *)tensor->data)[i] = bf16_from_f32((float)value); break;
    default: fail_msg("no such test input: %s", type_info(tensor->type)->name);
    }
}

static void set_int(Tensor *tensor, int64_t i, int64_t value) {
    int bytes = type_info(tensor->type)->bytes; /* little endian */
    memcpy((char *)tensor->data + i * bytes, &value, (size_t)bytes);
}

static Tensor *add_input(Folding *folding, Type type, const char *shape_text) {
    Graph *graph = folding->node->graph;
    Shape shape = parse_shape(shape_text);
    Tensor *tensor = tensor_new(folding->arena, type, &shape);
    Value *input = graph_constant(graph, arena_printf(folding->arena, "input%d", folding->node->inputs.count), tensor);
    list_add(folding->arena, &folding->node->inputs, input);
    return tensor;
}

void folding_input(Folding *folding, Type type, const char *shape, const double *values) {
    Tensor *tensor = add_input(folding, type, shape);
    for (int64_t i = 0; i < tensor_count(tensor); i++)
        if (type_is_float(type)) set_number(tensor, i, values[i]);
        else set_int(tensor, i, (int64_t)values[i]);
}

void folding_input_ints(Folding *folding, Type type, const char *shape, const int64_t *values) {
    Tensor *tensor = add_input(folding, type, shape);
    for (int64_t i = 0; i < tensor_count(tensor); i++) set_int(tensor, i, values[i]);
}

void folding_left_out(Folding *folding) { list_add(folding->arena, &folding->node->inputs, NULL); }

static void run(void *argument) {
    Folding *folding = argument;
    ops_resolve(folding->node->graph);
    op_infer(folding->node);
    FoldBudget budget = fold_budget(folding->node->graph);
    if (fold_node(folding->node, &budget)) folding->result = folding->node->outputs.items[0]->constant;
}

void folding_end(Folding *folding) {
    diag_capture(folding->messages, sizeof folding->messages);
    folding->status = guard(run, folding);
    diag_capture(NULL, 0);
}

void folding_free(Folding *folding) { arena_free(folding->arena); }

static void check_form(const Folding *folding, Type type, const char *expected) {
    if (folding->status != STATUS_OK) fail_msg("%s", folding->messages);
    if (folding->result == NULL) fail_msg("%s is not folded", folding->node->op_type);
    Shape shape = parse_shape(expected);
    assert_string_equal(type_info(folding->result->type)->name, type_info(type)->name);
    assert_string_equal(shape_text(folding->arena, &folding->result->shape), shape_text(folding->arena, &shape));
}

void assert_folds(Folding *folding, Type type, const char *shape, const double *expected, double tolerance) {
    folding_end(folding);
    check_form(folding, type, shape);
    for (int64_t i = 0; i < tensor_count(folding->result); i++) {
        double got = tensor_number(folding->result, i), want = expected[i];
        bool same = (isnan(got) && isnan(want)) || got == want || fabs(got - want) <= tolerance * fmax(1, fabs(want));
        if (!same)
            fail_msg("%s of %s: element %d is %.17g, expected %.17g", folding->node->op_type, type_info(type)->name,
                     (int)i, got, want);
    }
    folding_free(folding);
}

void assert_folds_ints(Folding *folding, Type type, const char *shape, const int64_t *expected) {
    folding_end(folding);
    check_form(folding, type, shape);
    for (int64_t i = 0; i < tensor_count(folding->result); i++) {
        int64_t got = tensor_int(folding->result, i);
        if (got != expected[i])
            fail_msg("%s of %s: element %d is %lld, expected %lld", folding->node->op_type, type_info(type)->name,
                     (int)i, (long long)got, (long long)expected[i]);
    }
    folding_free(folding);
}

void assert_folding_fails(Folding *folding, Status status, const char *text) {
    folding_end(folding);
    assert_int_equal(folding->status, status);
    if (strstr(folding->messages, text) == NULL) fail_msg("'%s' is not in: %s", text, folding->messages);
    folding_free(folding);
}
