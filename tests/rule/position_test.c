/* position: tables that are added to tokens or maps, rotary ones, and what is added but is no table. */
#include "support/making.h"
#include "support/test.h"

static Value *tokens(Graph *graph) { return make(graph, "Relu", make_input(graph, "x", "2x5x8")); }

/* A constant whose rows differ. */
static Value *make_table(Graph *graph, const char *shape) {
    Value *table = make_weight(graph, shape);
    for (int64_t i = 0; i < tensor_count(table->constant); i++) ((float *)table->constant->data)[i] += (float)i;
    return table;
}

static void table_of_tokens(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *sum = make(graph, "Add", make_table(graph, "1x5x8"), tokens(graph));
    assert_blocks(graph, sum, "position position_0: table[1,5,8]");
}

static void table_as_it_is_stored(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *sum = make(graph, "Add", tokens(graph), make_table(graph, "5x8"));
    assert_blocks(graph, sum, "position position_0: table[5,8]");
}

static void table_of_a_map(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *map = make(graph, "Conv", make_input(graph, "x", "2x3x4x4"), make_weight(graph, "8x3x2x2"));
    assert_blocks(graph, make(graph, "Add", map, make_table(graph, "1x8x3x3")), "position position_0: table[1,8,3,3]");
}

/* One row for all places is a bias. */
static void one_row(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    assert_no_block(graph, make(graph, "Add", tokens(graph), make_table(graph, "1x1x8")), "position", "0 found");
}

/* A map of one place has a number for each channel: a bias. */
static void map_of_one_place(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *map = make(graph, "Conv", make_input(graph, "x", "2x3x1x1"), make_weight(graph, "8x3x1x1"));
    assert_no_block(graph, make(graph, "Add", map, make_table(graph, "1x8x1x1")), "position", "0 found");
}

static void rows_that_are_the_same(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *rows = make(graph, "Expand", make_weight(graph, "1x1x8"), make_list(graph, 1, 5, 8));
    assert_no_block(graph, make(graph, "Add", tokens(graph), rows), "position", "0 found");
}

/* What differs from sample to sample is no table. */
static void sum_that_is_computed(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    Value *sum = make(graph, "Add", tokens(graph), make_input(graph, "y", "1x5x8"));
    assert_no_block(graph, sum, "position", "0 found");
}

/* Halves exchanged and one of them negative, as Llama turns its queries: x cos + turned sin. */
static Value *rotated(Graph *graph, const char *negated) {
    Value *x = make(graph, "Relu", make_input(graph, "x", "2x3x5x8"));
    Value *first = make(graph, "Slice", x, make_list(graph, 0), make_list(graph, 4), make_list(graph, 3));
    Value *second = make(graph, "Slice", x, make_list(graph, 4), make_list(graph, 8), make_list(graph, 3));
    Value *turned = with_int(make(graph, "Concat", make(graph, negated, second), first), "axis", -1);
    return make(graph, "Add", make(graph, "Mul", x, make_weight(graph, "5x8")),
                make(graph, "Mul", turned, make_weight(graph, "1x1x5x8")));
}

static void rotary_tables(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    assert_blocks(graph, rotated(graph, "Neg"), "position position_0: table[5,8] sines[1,1,5,8]");
}

static void halves_that_are_not_turned(void **state) {
    (void)state;
    Graph *graph = make_graph(arena_new(), 17);
    assert_no_block(graph, rotated(graph, "Abs"), "position", "expected Neg");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_of_tokens),
        cmocka_unit_test(table_as_it_is_stored),
        cmocka_unit_test(table_of_a_map),
        cmocka_unit_test(one_row),
        cmocka_unit_test(rows_that_are_the_same),
        cmocka_unit_test(sum_that_is_computed),
        cmocka_unit_test(map_of_one_place),
        cmocka_unit_test(rotary_tables),
        cmocka_unit_test(halves_that_are_not_turned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
