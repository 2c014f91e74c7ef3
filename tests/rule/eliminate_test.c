/* Removal of idle nodes: which go, and which names survive. */
#include "ops/op.h"
#include "passes/pass.h"
#include "support/test.h"

#include <string.h>

typedef struct {
    Arena *arena;
    Graph *graph;
    Value *last;
} Net;

static Net net_new(void) {
    Net net = {.arena = arena_new()};
    net.graph = graph_new(net.arena, "test");
    net.graph->opset = 17;
    net.last = graph_value(net.graph, "x");
    net.last->type = TYPE_FLOAT;
    net.last->shape = shape_of(2, (int64_t[]){3, 4});
    net.last->is_input = true;
    list_add(net.arena, &net.graph->inputs, net.last);
    return net;
}

/* Appends a node that reads the last value and makes one of that name. */
static Node *node(Net *net, const char *op, const char *output) {
    Node *made = graph_node(net->graph, op, output);
    list_add(net->arena, &made->inputs, net->last);
    net->last = graph_value(net->graph, output);
    list_add(net->arena, &made->outputs, net->last);
    return made;
}

static void ints(Net *net, Node *to, const char *name, int count, const int64_t *values) {
    list_add(net->arena, &to->inputs, graph_constant(net->graph, name, tensor_ints(net->arena, values, count)));
}

#define INTS(net, to, name, ...) ints(net, to, name, sizeof((int64_t[]){__VA_ARGS__}) / 8, (int64_t[]){__VA_ARGS__})

/* The operators that are left, with the names of their outputs: "Relu:y Exp:z". */
static const char *left_over(Net *net) {
    if (net->graph->outputs.count == 0) list_add(net->arena, &net->graph->outputs, net->last);
    ops_resolve(net->graph);
    for (int i = 0; i < net->graph->nodes.count; i++) op_infer(net->graph->nodes.items[i]);
    graph_index(net->graph);
    pass_eliminate(net->graph, &(PassOptions){0});
    graph_check(net->graph, "eliminate");
    const char *text = "";
    for (int i = 0; i < net->graph->nodes.count; i++) {
        const Node *one = net->graph->nodes.items[i];
        text =
            arena_printf(net->arena, "%s%s%s:%s", text, i == 0 ? "" : " ", one->op_type, one->outputs.items[0]->name);
    }
    return text;
}

static void test_idle(void **state) {
    (void)state;
    Net net = net_new();
    node(&net, "Relu", "a");
    node(&net, "Identity", "b");
    node(&net, "Dropout", "c");
    node_set_int(node(&net, "Cast", "d"), "to", TYPE_FLOAT);
    INTS(&net, node(&net, "Reshape", "e"), "shape", 3, -1);
    INTS(&net, node(&net, "Expand", "f"), "wide", 1, 4);
    INTS(&net, node(&net, "Pad", "g"), "pads", 0, 0, 0, 0);
    node_set_ints(node(&net, "Transpose", "h"), "perm", (int64_t[]){0, 1}, 2);
    node_set_int(node(&net, "Concat", "i"), "axis", 0);
    Node *slice = node(&net, "Slice", "j");
    INTS(&net, slice, "starts", 0);
    INTS(&net, slice, "ends", INT64_MAX);
    node(&net, "Exp", "k");
    assert_string_equal(left_over(&net), "Relu:a Exp:k");
    arena_free(net.arena);
}

/* Near misses: each changes something. */
static void test_busy(void **state) {
    (void)state;
    Net net = net_new();
    node(&net, "Relu", "a");
    node_set_ints(node(&net, "Transpose", "b"), "perm", (int64_t[]){1, 0}, 2);
    node(&net, "Transpose", "c");
    INTS(&net, node(&net, "Reshape", "d"), "shape", 4, 3);
    INTS(&net, node(&net, "Pad", "e"), "pads", 1, 0, -1, 0); /* as large as before, but moved */
    Node *slice = node(&net, "Slice", "f");                  /* backwards */
    INTS(&net, slice, "starts", -1);
    INTS(&net, slice, "ends", INT64_MIN);
    INTS(&net, slice, "axes", 0);
    INTS(&net, slice, "steps", -1);
    node_set_int(node(&net, "Cast", "g"), "to", TYPE_DOUBLE);
    assert_string_equal(left_over(&net), "Relu:a Transpose:b Transpose:c Reshape:d Pad:e Slice:f Cast:g");
    arena_free(net.arena);
}

/* The output's name survives, and the producer takes it over, for its other readers as well. */
static void test_output_name(void **state) {
    (void)state;
    Net net = net_new();
    node(&net, "Relu", "a");
    Value *a = net.last;
    node(&net, "Identity", "b");
    list_add(net.arena, &net.graph->outputs, net.last);
    net.last = a;
    node(&net, "Exp", "c");
    list_add(net.arena, &net.graph->outputs, net.last);
    assert_string_equal(left_over(&net), "Relu:b Exp:c");
    assert_string_equal(net.graph->nodes.items[1]->inputs.items[0]->name, "b");
    arena_free(net.arena);
}

/* An input that is an output, a value with two names, and a probe all need their node. */
static void test_kept(void **state) {
    (void)state;
    Net net = net_new();
    node(&net, "Identity", "a");
    assert_string_equal(left_over(&net), "Identity:a");
    arena_free(net.arena);
    net = net_new();
    node(&net, "Relu", "a");
    list_add(net.arena, &net.graph->outputs, net.last);
    node(&net, "Identity", "b");
    list_add(net.arena, &net.graph->outputs, net.last);
    assert_string_equal(left_over(&net), "Relu:a Identity:b");
    arena_free(net.arena);
    net = net_new();
    node(&net, "Relu", "a");
    net.last->is_probed = true;
    node(&net, "Identity", "b");
    node(&net, "Exp", "c");
    assert_string_equal(left_over(&net), "Relu:a Exp:c");
    assert_true(net.graph->nodes.items[0]->outputs.items[0]->is_probed);
    arena_free(net.arena);
}

static void test_mask(void **state) {
    (void)state;
    Net net = net_new();
    node(&net, "Relu", "a");
    Node *dropout = node(&net, "Dropout", "b");
    Value *mask = graph_value(net.graph, "mask");
    list_add(net.arena, &dropout->outputs, mask);
    list_add(net.arena, &net.graph->outputs, net.last);
    list_add(net.arena, &net.graph->outputs, mask);
    assert_string_equal(left_over(&net), "Relu:a Dropout:b");
    arena_free(net.arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle), cmocka_unit_test(test_busy), cmocka_unit_test(test_output_name),
        cmocka_unit_test(test_kept), cmocka_unit_test(test_mask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
