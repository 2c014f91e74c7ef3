/* The committed digit networks: each probe that PyTorch's maps are stored for is found, under that name, in that order
 * and shape, and nothing else is. */
#include "graph/npz.h"
#include "load/load.h"
#include "passes/pass.h"
#include "patterns/block.h"
#include "support/test.h"

#include <stdlib.h>
#include <string.h>

static void assert_probes(const char *network, const char *families) {
    Arena *arena = arena_new();
    const char *folder = getenv("FOVEA_SOURCE_DIR");
    assert_non_null(folder);
    const char *stem = arena_printf(arena, "%s/examples/digits/%s", folder, network);
    Npz maps = npz_read(arena, arena_printf(arena, "%s_probes.npz", stem));
    Graph *graph = load_model(arena, arena_printf(arena, "%s.onnx", stem), NULL);
    PassOptions options = {.probes = "auto"};
    pass_infer(graph, &options);
    pass_normalise(graph, &options);
    pass_blocks(graph, &options);
    assert_int_equal(graph->probes.count, maps.count);
    for (int i = 0; i < maps.count; i++) {
        const BlockProbe *probe = graph->probes.items[i];
        assert_string_equal(probe->id, maps.items[i].key);
        assert_non_null(strstr(families, probe->family));
        assert_true(shape_equal(&probe->shape, &maps.items[i].tensor->shape));
    }
    arena_free(arena);
}

static void senet(void **state) {
    (void)state;
    assert_probes("senet", "se, cam");
}

static void cbam(void **state) {
    (void)state;
    assert_probes("cbam", "cbam, cam");
}

static void vit(void **state) {
    (void)state;
    assert_probes("vit", "position, attention");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(senet),
        cmocka_unit_test(cbam),
        cmocka_unit_test(vit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
