/* Folding of normalisation into weights: what folds computes the same, what does not is left alone. */
#include "ops/op.h"
#include "passes/lower.h"
#include "passes/pass.h"
#include "support/test.h"

#include <math.h>
#include <string.h>

/* A graph that grows by a node at a time, from one input of float. */
typedef struct {
    Arena *arena;
    Graph *graph;
    Value *last;
    int made;
    Random random;
} Net;

static Value *new_value(Net *net, const char *stem) {
    return graph_value(net->graph, arena_printf(net->arena, "%s%d", stem, net->made++));
}

static Net net_new(uint64_t seed, int rank, const int64_t *dims) {
    Net net = {.arena = arena_new(), .random = {seed}};
    net.graph = graph_new(net.arena, "test");
    net.graph->opset = 17;
    net.last = new_value(&net, "x");
    net.last->type = TYPE_FLOAT;
    net.last->shape = shape_of(rank, dims);
    net.last->is_input = true;
    list_add(net.arena, &net.graph->inputs, net.last);
    return net;
}

/* A constant of random numbers in [0.5, 1.5). */
static Value *constant(Net *net, int rank, const int64_t *dims) {
    Shape shape = shape_of(rank, dims);
    Tensor *tensor = tensor_new(net->arena, TYPE_FLOAT, &shape);
    for (int64_t i = 0; i < tensor_count(tensor); i++)
        ((float *)tensor->data)[i] = 0.5F + (float)random_below(&net->random, 1024) / 1024;
    return graph_constant(net->graph, arena_printf(net->arena, "c%d", net->made++), tensor);
}

/* Appends a node that reads the last value; constants are added with operand(). */
static Node *node(Net *net, const char *op) {
    Node *made = graph_node(net->graph, op, arena_printf(net->arena, "/%s%d", op, net->made));
    list_add(net->arena, &made->inputs, net->last);
    net->last = new_value(net, "v");
    list_add(net->arena, &made->outputs, net->last);
    return made;
}

static void operand(Net *net, Node *to, int rank, const int64_t *dims) {
    list_add(net->arena, &to->inputs, constant(net, rank, dims));
}

#define OPERAND(net, to, ...) operand(net, to, sizeof((int64_t[]){__VA_ARGS__}) / 8, (int64_t[]){__VA_ARGS__})

static Node *batchnorm(Net *net, int64_t channels) {
    Node *made = node(net, "BatchNormalization");
    for (int i = 0; i < 4; i++) OPERAND(net, made, channels);
    return made;
}

/* The last value becomes the output; types and shapes are inferred. */
static void finish(Net *net) {
    list_add(net->arena, &net->graph->outputs, net->last);
    ops_resolve(net->graph);
    for (int i = 0; i < net->graph->nodes.count; i++) op_infer(net->graph->nodes.items[i]);
    graph_index(net->graph);
}

static const float *evaluate(Net *net) {
    Program *program = lower_graph(net->graph, &(PassOptions){0});
    Buffer *from = program_buffer(program, net->graph->inputs.items[0]);
    Buffer *to = program_buffer(program, net->graph->outputs.items[0]);
    void **memory = arena_new_array(net->arena, void *, (size_t)program->buffers.count);
    for (int i = 0; i < program->buffers.count; i++)
        if (program->buffers.items[i]->constant == NULL)
            memory[i] = arena_alloc(net->arena, (size_t)program->buffers.items[i]->count * sizeof(double));
    for (int64_t i = 0; i < from->count; i++) ((float *)memory[from->number])[i] = (float)(i % 11) / 8 - 0.5F;
    program_run(program, memory);
    return memory[to->number];
}

static void fold(Net *net) {
    pass_fold_batchnorm(net->graph, &(PassOptions){0});
    graph_check(net->graph, "fold_batchnorm");
}

/* Builds, evaluates, folds and evaluates again; the number of nodes that are left has to be that. */
static void check(Net *net, int nodes_left) {
    finish(net);
    const float *before = evaluate(net);
    const char *name = net->graph->outputs.items[0]->name;
    fold(net);
    assert_int_equal(net->graph->nodes.count, nodes_left);
    assert_string_equal(net->graph->outputs.items[0]->name, name);
    const float *after = evaluate(net);
    for (int64_t i = 0; i < shape_count(&net->graph->outputs.items[0]->shape); i++)
        if (!(fabsf(before[i] - after[i]) <= 2e-5F * fmaxf(1, fabsf(before[i]))))
            fail_test("element %d was %.9g and is %.9g", (int)i, (double)before[i], (double)after[i]);
}

static Net images(void) { return net_new(random_new().state, 4, (int64_t[]){2, 4, 5, 6}); }

static Node *conv(Net *net, int64_t outputs, bool biased) {
    Node *made = node(net, "Conv");
    OPERAND(net, made, outputs, 4, 3, 3);
    if (biased) OPERAND(net, made, outputs);
    return made;
}

static void test_conv(void **state) {
    (void)state;
    for (int biased = 0; biased < 2; biased++) {
        Net net = images();
        Node *first = conv(&net, 6, biased);
        batchnorm(&net, 6);
        node(&net, "Relu");
        check(&net, 2);
        assert_int_equal(first->sources.count, 2);
        assert_string_equal(first->sources.items[0], first->name);
        assert_string_equal(first->inputs.items[1]->name, "c2"); /* the weights keep their name */
        arena_free(net.arena);
    }
}

static void test_groups(void **state) {
    (void)state;
    Net net = images();
    Node *made = node(&net, "Conv");
    OPERAND(&net, made, 8, 1, 3, 3);
    node_set_int(made, "group", 4);
    batchnorm(&net, 8);
    check(&net, 1);
    arena_free(net.arena);
}

static void test_conv_transpose(void **state) {
    (void)state;
    Net net = images();
    Node *made = node(&net, "ConvTranspose");
    OPERAND(&net, made, 4, 3, 2, 2);
    node_set_int(made, "group", 2);
    node_set_ints(made, "strides", (int64_t[]){2, 1}, 2);
    batchnorm(&net, 6);
    check(&net, 1);
    arena_free(net.arena);
}

static void test_gemm(void **state) {
    (void)state;
    for (int across = 0; across < 2; across++)
        for (int bias = 0; bias < 3; bias++) {
            Net net = net_new(random_new().state, 2, (int64_t[]){3, 4});
            Node *made = node(&net, "Gemm");
            node_set_int(made, "transB", across);
            node_set_float(made, "alpha", 0.5F);
            if (across) OPERAND(&net, made, 5, 4);
            else OPERAND(&net, made, 4, 5);
            if (bias == 1) OPERAND(&net, made, 5);
            if (bias == 2) OPERAND(&net, made, 1, 5);
            batchnorm(&net, 5);
            check(&net, 1);
            arena_free(net.arena);
        }
}

/* A chain of everything that is affine, in every shape that a constant for each channel may have. */
static void test_arithmetic(void **state) {
    (void)state;
    Net net = images();
    conv(&net, 6, false);
    OPERAND(&net, node(&net, "Mul"), 6, 1, 1);
    OPERAND(&net, node(&net, "Add"), 1, 6, 1, 1);
    operand(&net, node(&net, "Sub"), 0, NULL);
    batchnorm(&net, 6);
    OPERAND(&net, node(&net, "Div"), 1, 1, 1);
    Node *last = node(&net, "Sub"); /* constant - x */
    OPERAND(&net, last, 1, 6, 1, 1);
    Value *x = last->inputs.items[0];
    last->inputs.items[0] = last->inputs.items[1], last->inputs.items[1] = x;
    check(&net, 1);
    arena_free(net.arena);
}

/* What adds only leaves the weights as they are. */
static void test_sum_shares_weights(void **state) {
    (void)state;
    Net net = images();
    Node *first = conv(&net, 6, false);
    const Tensor *weights = first->inputs.items[1]->constant;
    OPERAND(&net, node(&net, "Add"), 6, 1, 1);
    check(&net, 1);
    assert_ptr_equal(first->inputs.items[1]->constant, weights);
    arena_free(net.arena);
}

/* Two convolutions with the same weights: each gets its own, and neither the other's. */
static void test_shared_weights(void **state) {
    (void)state;
    Net net = net_new(random_new().state, 4, (int64_t[]){1, 4, 6, 6});
    Node *first = node(&net, "Conv");
    OPERAND(&net, first, 4, 4, 3, 3);
    batchnorm(&net, 4);
    Node *second = node(&net, "Conv");
    list_add(net.arena, &second->inputs, first->inputs.items[1]);
    batchnorm(&net, 4);
    check(&net, 2);
    assert_ptr_not_equal(first->inputs.items[1], second->inputs.items[1]);
    arena_free(net.arena);
}

/* Where no weights can take it, a normalisation is a product and a sum. */
static void test_behind_activation(void **state) {
    (void)state;
    Net net = images();
    conv(&net, 6, true);
    node(&net, "Relu");
    batchnorm(&net, 6);
    check(&net, 4);
    assert_string_equal(net.graph->nodes.items[2]->op_type, "Mul");
    assert_string_equal(net.graph->nodes.items[3]->op_type, "Add");
    arena_free(net.arena);
}

/* Weights multiply by -log2(e) for SiLU, whether there is a normalisation between or not. */
static void test_swish(void **state) {
    (void)state;
    for (int normalised = 0; normalised < 2; normalised++) {
        Net net = images();
        const Node *first = conv(&net, 6, normalised);
        if (normalised) batchnorm(&net, 6);
        node(&net, "Swish");
        net.graph->opset = 24;
        check(&net, 2);
        assert_string_equal(net.graph->nodes.items[1]->op_type, "PowerSwish");
        assert_int_equal(first->inputs.count, normalised ? 3 : 2);
        arena_free(net.arena);
    }
}

typedef enum { AS_OUTPUT, AS_PROBE, TWICE, OTHER_SHAPE, NOT_CONSTANT, INVERSE, WEIGHTS_COMPUTED } Obstacle;

/* A convolution and a product that must not be folded. */
static Net near_miss(Obstacle obstacle) {
    Net net = images();
    Node *first = conv(&net, 6, false);
    Value *between = net.last;
    Node *second = node(&net, obstacle == INVERSE ? "Div" : "Mul");
    if (obstacle == OTHER_SHAPE) OPERAND(&net, second, 6, 3, 4); /* for each pixel */
    else OPERAND(&net, second, 6, 1, 1);
    if (obstacle == AS_OUTPUT) list_add(net.arena, &net.graph->outputs, between);
    if (obstacle == AS_PROBE) between->is_probed = true;
    if (obstacle == TWICE) {
        Node *sum = node(&net, "Add");
        list_add(net.arena, &sum->inputs, between);
    }
    if (obstacle == NOT_CONSTANT || obstacle == WEIGHTS_COMPUTED) {
        Value *value = (obstacle == NOT_CONSTANT ? second : first)->inputs.items[1];
        value->constant = NULL, value->is_input = true;
        list_add(net.arena, &net.graph->inputs, value);
    }
    if (obstacle == INVERSE) { /* constant / x */
        second->inputs.items[0] = second->inputs.items[1];
        second->inputs.items[1] = between;
    }
    return net;
}

static void test_near_misses(void **state) {
    (void)state;
    for (Obstacle obstacle = AS_OUTPUT; obstacle <= WEIGHTS_COMPUTED; obstacle++) {
        Net net = near_miss(obstacle);
        finish(&net);
        int count = net.graph->nodes.count;
        fold(&net);
        assert_int_equal(net.graph->nodes.count, count);
        assert_int_equal(net.graph->nodes.items[0]->inputs.count, 2);
        arena_free(net.arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_conv_transpose),
        cmocka_unit_test(test_gemm),
        cmocka_unit_test(test_arithmetic),
        cmocka_unit_test(test_sum_shares_weights),
        cmocka_unit_test(test_shared_weights),
        cmocka_unit_test(test_near_misses),
        cmocka_unit_test(test_behind_activation),
        cmocka_unit_test(test_swish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
