/* Tests of program/tile.h: the lists of the best tiles begin with the one that is chosen, are sorted, and hold each
 * once; tiles of a pipeline make up all rows and columns. */
#include "support/test.h"

#include "program/tile.h"

enum { MOST = 8, TIMES = 300 };

static void tiles_are_sorted(void **state) {
    (void)state;
    Random random = random_new();
    for (int i = 0; i < TIMES; i++) {
        const int64_t rows = 1 + (int64_t)random_below(&random, 300), columns = 1 + (int64_t)random_below(&random, 600);
        const TileProduct product = {.rows = rows,
                                     .columns = columns,
                                     .depth = 1 + (int64_t)random_below(&random, 3000),
                                     .stride = (int64_t)random_below(&random, 3000),
                                     .rest = i % 2 == 0 ? REST_IS_SMALLER : REST_IS_REPEATED};
        int chosen_rows[TARGET_COUNT], chosen_vectors[TARGET_COUNT];
        tile_choose(&product, chosen_rows, chosen_vectors);
        for (int target = 0; target < TARGET_COUNT; target++) {
            Tile best[MOST];
            const int count = tile_best(target, &product, best, MOST);
            assert_in_range(count, 1, MOST);
            assert_int_equal(best[0].rows, chosen_rows[target]);
            assert_int_equal(best[0].vectors, chosen_vectors[target]);
            for (int k = 1; k < count; k++) {
                assert_in_range(best[k].rows, 1, rows);
                assert_true(tile_cost(target, &product, best[k - 1].rows, best[k - 1].vectors) <=
                            tile_cost(target, &product, best[k].rows, best[k].vectors));
                for (int j = 0; j < k; j++)
                    assert_false(best[j].rows == best[k].rows && best[j].vectors == best[k].vectors);
            }
        }
    }
}

static void pipelined_tiles_have_no_rest(void **state) {
    (void)state;
    Random random = random_new();
    for (int i = 0; i < TIMES; i++) {
        const TileProduct product = {.rows = 1 + (int64_t)random_below(&random, 100),
                                     .columns = PANEL_WIDTH * (1 + (int64_t)random_below(&random, 8)),
                                     .depth = 1 + (int64_t)random_below(&random, 40),
                                     .pipelined = true};
        int rows[TARGET_COUNT], vectors[TARGET_COUNT];
        tile_choose(&product, rows, vectors);
        for (int target = 0; target < TARGET_COUNT; target++) {
            assert_int_equal(product.rows % rows[target], 0);
            assert_int_equal(product.columns % (vectors[target] * TARGET_LANES[target]), 0);
            assert_true(rows[target] * vectors[target] <= product.depth);
        }
    }
}

static void columns_are_distinct(void **state) {
    (void)state;
    enum { WIDEST = 16 };
    Random random = random_new();
    for (int i = 0; i < TIMES; i++) {
        const int64_t outputs = 1 + (int64_t)random_below(&random, 30), kernel = 1 + (int64_t)random_below(&random, 9);
        const int64_t stride = 1 + (int64_t)random_below(&random, 3), dilation = 1 + (int64_t)random_below(&random, 4);
        int chosen[TARGET_COUNT];
        tile_choose_columns(outputs, kernel, stride, dilation, chosen);
        for (int target = 0; target < TARGET_COUNT; target++) {
            int best[WIDEST], seen[WIDEST + 1] = {0};
            const int count = tile_best_columns(target, outputs, kernel, stride, dilation, best, WIDEST);
            assert_in_range(count, 1, WIDEST);
            assert_int_equal(best[0], chosen[target]);
            for (int k = 0; k < count; k++) {
                assert_in_range(best[k], 1, outputs < WIDEST ? outputs : WIDEST);
                assert_int_equal(seen[best[k]]++, 0);
            }
            assert_int_equal(seen[1], 1); /* a tile of one is always possible */
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiles_are_sorted),
        cmocka_unit_test(pipelined_tiles_have_no_rest),
        cmocka_unit_test(columns_are_distinct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
