/* Names of blocks and probes, from the exporter's scopes; and what --probes opens by them. */
#include "patterns/probes.h"
#include "support/making.h"
#include "support/test.h"

#include "base/text.h"

#include <string.h>

/* x times a gate of one layer, with the scopes of pool, layer, sigmoid and product. */
static Value *gated(Graph *graph, Value *x, const char *const scopes[4]) {
    Value *mean = in_scope(make_mean(graph, x), scopes[0]);
    Value *layer = in_scope(make_gemm(graph, in_scope(make_flat(graph, mean), scopes[1]), 8, 8), scopes[1]);
    Value *gate = in_scope(make(graph, "Sigmoid", layer), scopes[2]);
    return in_scope(make(graph, "Mul", x, in_scope(make_map(graph, gate), scopes[3])), scopes[3]);
}

static Graph *begin(Value **x) {
    Graph *graph = make_graph(arena_new(), 17);
    *x = make_input(graph, "x", "1x8x6x6");
    return graph;
}

static const char *const IN_LAYER[] = {"layer1.0.se.pool", "layer1.0.se.fc.0", "layer1.0.se.fc.1", "layer1.0.se"};
static const char *const NOWHERE[] = {"", "", "", ""};

static void common_scope(void **state) {
    (void)state;
    Value *x;
    Graph *graph = begin(&x);
    assert_blocks(graph, gated(graph, x, IN_LAYER), "se layer1.0.se: gate[1,8] squeeze[1,8] x[1,8,6,6]");
}

/* A Keras functional model has a layer for each step, in no layer of its own. */
static void layers_of_common_words(void **state) {
    (void)state;
    static const char *const names[][5] = {
        {"se_squeeze", "se_reduce", "se_gate.Tensordot", "se_excite", "se"},
        {"b1.se_1_squeeze", "b1.se_1_reduce", "b1.se_1", "b1.se_1_excite", "b1.se_1"},
        {"net.pool", "net.dense", "net.dense_1", "net.multiply", "net"},
        {"net.se_pool", "net.se_dense", "net.second", "net.se_mul", "net"},
        {"net.se_pool", "net.se_dense", "net.se_gate", "net", "net"},
        {"pool", "dense", "dense_1", "multiply", "se_0"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        Value *x;
        Graph *graph = begin(&x);
        const char *expected = arena_printf(graph->arena, "se %s: gate[1,8] squeeze[1,8] x[1,8,6,6]", names[i][4]);
        assert_blocks(graph, gated(graph, x, names[i]), expected);
    }
}

/* "layer1" and "layer10" have no module in common, whatever their letters. */
static void components_not_letters(void **state) {
    (void)state;
    Value *x;
    Graph *graph = begin(&x);
    static const char *const scopes[] = {"net.layer1.se", "net.layer10.se", "net.layer10.se", "net.layer10.se"};
    assert_blocks(graph, gated(graph, x, scopes), "se net: gate[1,8] squeeze[1,8] x[1,8,6,6]");
}

static void nodes_without_a_scope_are_passed_over(void **state) {
    (void)state;
    Value *x;
    Graph *graph = begin(&x);
    static const char *const scopes[] = {"se.pool", "", "se.act", ""};
    assert_blocks(graph, gated(graph, x, scopes), "se se: gate[1,8] squeeze[1,8] x[1,8,6,6]");
}

static void without_scopes(void **state) {
    (void)state;
    Value *x;
    Graph *graph = begin(&x);
    Value *first = gated(graph, x, NOWHERE);
    assert_blocks(graph, gated(graph, first, NOWHERE),
                  "se se_0: gate[1,8] squeeze[1,8] x[1,8,6,6]; se se_1: gate[1,8] squeeze[1,8] x[1,8,6,6]");
}

static void one_module_used_twice(void **state) {
    (void)state;
    Value *x;
    Graph *graph = begin(&x);
    Value *first = gated(graph, x, IN_LAYER);
    assert_blocks(
        graph, gated(graph, first, IN_LAYER),
        "se layer1.0.se_0: gate[1,8] squeeze[1,8] x[1,8,6,6]; se layer1.0.se_1: gate[1,8] squeeze[1,8] x[1,8,6,6]");
}

/* An index never makes a name that another block has. */
static void index_that_is_a_module(void **state) {
    (void)state;
    Value *x;
    Graph *graph = begin(&x);
    static const char *const named_se_0[] = {"se_0", "se_0", "se_0", "se_0"};
    Value *first = gated(graph, x, NOWHERE);
    assert_blocks(graph, gated(graph, first, named_se_0),
                  "se se_1: gate[1,8] squeeze[1,8] x[1,8,6,6]; se se_0: gate[1,8] squeeze[1,8] x[1,8,6,6]");
}

/* A module that is named as its probe does not say it twice. */
static void module_named_as_its_probe(void **state) {
    (void)state;
    Value *x;
    Graph *graph = begin(&x);
    static const char *const scopes[] = {"net.gate", "net.gate.fc", "net.gate", "net.gate"};
    make_output(graph, gated(graph, x, scopes));
    assert_int_equal(find_blocks(graph, NULL), STATUS_OK);
    assert_string_equal(graph->probes.items[0]->id, "net.gate");
    arena_free(graph->arena);
}

/* The ids of the open probes, with their families. */
static const char *open_text(const Graph *graph) {
    Text text = text_new(graph->arena);
    for (int i = 0; i < graph->probes.count; i++)
        text_printf(&text, "%s%s:%s", i == 0 ? "" : " ", graph->probes.items[i]->family, graph->probes.items[i]->id);
    return text.data;
}

/* --probes wanted, on a graph with one block "layer1.0.se" and the values x, a, b. */
static void assert_opens(const char *wanted, const char *expected) {
    Value *x;
    Graph *graph = begin(&x);
    Value *a = make(graph, "Relu", x), *b = gated(graph, a, IN_LAYER);
    a->name = "/act/Relu_output_0";
    b->name = "b*";
    make_output(graph, b);
    Status status = find_blocks(graph, wanted);
    if (status != STATUS_OK) print_error("%s", last_messages());
    assert_int_equal(status, STATUS_OK);
    assert_string_equal(open_text(graph), expected);
    for (int i = 0; i < graph->probes.count; i++) assert_true(graph->probes.items[i]->value->is_probed);
    arena_free(graph->arena);
}

static void what_is_opened(void **state) {
    (void)state;
    assert_opens(NULL, "se:layer1.0.se.gate");
    assert_opens("auto", "se:layer1.0.se.gate");
    assert_opens("all", "se:layer1.0.se.gate se:layer1.0.se.squeeze se:layer1.0.se.x");
    assert_opens("none", "");
    assert_opens("*.squeeze", "se:layer1.0.se.squeeze");
    assert_opens("inputs", "se:layer1.0.se.x");
    assert_opens("/act/*", "tensor:/act/Relu_output_0");
    assert_opens("b[*]", "tensor:b*");
    assert_opens("b*", "tensor:b*");
    assert_opens("auto,/act/Relu_output_0,*.gate", "se:layer1.0.se.gate tensor:/act/Relu_output_0");
}

static void assert_opens_nothing(const char *wanted, const char *message, const char *suggestion) {
    Value *x;
    Graph *graph = begin(&x);
    make_output(graph, gated(graph, x, IN_LAYER));
    assert_int_equal(find_blocks(graph, wanted), STATUS_USAGE);
    assert_non_null(strstr(last_messages(), message));
    assert_non_null(strstr(last_messages(), suggestion));
    arena_free(graph->arena);
}

static void what_fits_nothing(void **state) {
    (void)state;
    assert_opens_nothing("layer1.0.se.gte", "--probes 'layer1.0.se.gte': no attention map",
                         "there is 'layer1.0.se.gate'");
    assert_opens_nothing("squeeze", "--probes 'squeeze'", "there is 'layer1.0.se.squeeze'");
    assert_opens_nothing("auto,x", "--probes 'x'", "note"); /* an input is not computed */
    assert_opens_nothing("qqqqqqqqqqqq", "'qqqqqqqqqqqq'", "fovea inspect lists the maps");
}

/* The program's list is in order of execution, and follows values that passes have replaced. */
static void collected(void **state) {
    (void)state;
    Value *x;
    Graph *graph = begin(&x);
    Value *a = make(graph, "Relu", x), *copy = make(graph, "Identity", a), *b = gated(graph, copy, IN_LAYER);
    copy->name = "copy";
    b->name = "b";
    make_output(graph, b);
    assert_int_equal(find_blocks(graph, "b,auto,copy"), STATUS_OK);
    graph_replace(graph, copy, a);
    Program *program = program_new(graph->arena, graph);
    probes_collect(graph, program);
    assert_int_equal(program->probes.count, 3);
    const Probe *first = program->probes.items[0], *second = program->probes.items[1];
    assert_string_equal(first->id, "copy");
    assert_string_equal(first->family, "tensor");
    assert_string_equal(first->axes, "");
    assert_ptr_equal(first->value, a);
    assert_int_equal(first->rank, 4);
    assert_string_equal(second->id, "layer1.0.se.gate");
    assert_string_equal(second->axes, "N C");
    assert_int_equal(second->rank, 2);
    assert_int_equal(second->dims[1], 8);
    assert_string_equal(program->probes.items[2]->id, "b");
    arena_free(graph->arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(common_scope),
        cmocka_unit_test(layers_of_common_words),
        cmocka_unit_test(components_not_letters),
        cmocka_unit_test(nodes_without_a_scope_are_passed_over),
        cmocka_unit_test(without_scopes),
        cmocka_unit_test(one_module_used_twice),
        cmocka_unit_test(index_that_is_a_module),
        cmocka_unit_test(module_named_as_its_probe),
        cmocka_unit_test(what_is_opened),
        cmocka_unit_test(what_fits_nothing),
        cmocka_unit_test(collected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
