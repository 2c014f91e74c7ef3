/* The pass `bias`: a constant row added to a product with weights rides in the product, and nothing else does.
 * The graph is y = x W + b over [2,3,4] x [4,5]. */
#include "ops/op.h"
#include "passes/pass.h"
#include "support/test.h"

#include <string.h>

typedef struct {
    Graph *graph;
    Value *product;
} Linear;

static Value *constant(Graph *graph, const char *name, int rank, const int64_t *dims) {
    Shape shape = shape_of(rank, dims);
    return graph_constant(graph, name, tensor_new(graph->arena, TYPE_FLOAT, &shape));
}

static Node *binary(Graph *graph, const char *op_type, const char *name, Value *a, Value *b) {
    Node *node = graph_node(graph, op_type, name);
    list_add(graph->arena, &node->inputs, a);
    list_add(graph->arena, &node->inputs, b);
    list_add(graph->arena, &node->outputs, graph_value(graph, name));
    return node;
}

static Linear linear(Arena *arena, int rank, const int64_t *row) {
    Linear made = {.graph = graph_new(arena, "linear")};
    made.graph->opset = 17;
    Value *x = graph_value(made.graph, "x");
    x->type = TYPE_FLOAT, x->shape = shape_of(3, (int64_t[]){2, 3, 4}), x->is_input = true;
    list_add(arena, &made.graph->inputs, x);
    Node *product = binary(made.graph, "MatMul", "product", x, constant(made.graph, "W", 2, (int64_t[]){4, 5}));
    Node *sum = binary(made.graph, "Add", "sum", constant(made.graph, "b", rank, row), product->outputs.items[0]);
    list_add(arena, &made.graph->outputs, sum->outputs.items[0]);
    made.product = product->outputs.items[0];
    graph_index(made.graph);
    pass_infer(made.graph, &(PassOptions){0});
    return made;
}

static int nodes_after(Linear made) {
    pass_bias(made.graph, &(PassOptions){0});
    graph_check(made.graph, "bias");
    return made.graph->nodes.count;
}

static void row_is_taken_in(void **state) {
    Arena *arena = *state;
    Linear made = linear(arena, 1, (int64_t[]){5});
    assert_int_equal(nodes_after(made), 1);
    const Node *node = made.graph->nodes.items[0];
    assert_string_equal(node->op_type, "MatMul");
    assert_string_equal(node->inputs.items[2]->name, "b");
    assert_string_equal(made.graph->outputs.items[0]->name, "sum");
    assert_int_equal(node->sources.count, 2);
}

static void column_is_not(void **state) { assert_int_equal(nodes_after(linear(*state, 2, (int64_t[]){3, 1})), 2); }

static void single_number_is_not(void **state) { assert_int_equal(nodes_after(linear(*state, 1, (int64_t[]){1})), 2); }

static void probed_product_stays(void **state) {
    Linear made = linear(*state, 1, (int64_t[]){5});
    made.product->is_probed = true;
    assert_int_equal(nodes_after(made), 2);
}

static void product_with_two_readers_stays(void **state) {
    Arena *arena = *state;
    Linear made = linear(arena, 1, (int64_t[]){5});
    list_add(arena, &made.graph->outputs, made.product);
    graph_index(made.graph);
    assert_int_equal(nodes_after(made), 2);
}

static void can_be_switched_off(void **state) {
    Linear made = linear(*state, 1, (int64_t[]){5});
    const char *none = "none";
    pass_bias(made.graph, &(PassOptions){.fuse = {&none, 1, 1}});
    assert_int_equal(made.graph->nodes.count, 2);
}

static int make_arena(void **state) {
    *state = arena_new();
    return 0;
}

static int free_arena(void **state) {
    arena_free(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_is_taken_in),
        cmocka_unit_test(column_is_not),
        cmocka_unit_test(single_number_is_not),
        cmocka_unit_test(probed_product_stays),
        cmocka_unit_test(product_with_two_readers_stays),
        cmocka_unit_test(can_be_switched_off),
    };
    return cmocka_run_group_tests(tests, make_arena, free_arena);
}
