/* view: one HTML file in which a model runs and shows what it attends to.
 * Modules are built by commands/wasm.c, the file by commands/page.c; what the page is told beside the manifest is
 * commands/page_details.c. */
#include "base/file.h"
#include "commands/model.h"
#include "commands/model_options.h"
#include "commands/page.h"
#include "commands/page_details.h"
#include "commands/wasm.h"
#include "program/target.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void check_can_build(Arena *arena) {
    if (!page_is_built())
        fail(STATUS_UNSUPPORTED, "this fovea was built without the page: install Node.js and npm, and build it anew");
    const char *hindrance = wasm_hindrance(arena);
    if (hindrance != NULL)
        fail(STATUS_SYSTEM, "%s: a model in a page is built by clang for wasm32, and linked by wasm-ld", hindrance);
}

static void print_summary(const char *path, const Program *program, const WasmModel *wasm) {
    printf("%s: %zu bytes of WebAssembly (%zu without vectors), %zu of weights, %d probes\n", path, wasm->vector.size,
           wasm->plain.size, wasm->weights.size, program->probes.count);
}

static void run(Arena *arena, int argc, char **argv) {
    ModelOptions model = {.target = "wasm32"};
    PageDetails details = {0};
    const char *path = NULL;
    Option rows[1 + PAGE_DETAILS_ROWS + MODEL_OPTION_ROWS] = {
        {OPTION_TEXT, 'o', "output", "PAGE.html", "the page to write", &path},
    };
    const int own = page_details_rows(&details, rows, 1);
    if (!options_parse(arena, &COMMAND_VIEW, rows, model_option_rows(&model, rows, own), argc, argv)) return;
    if (path == NULL || *path == '\0') fail(STATUS_USAGE, "where to? give -o PAGE.html");
    model_options_finish(arena, &model);
    check_can_build(arena);

    Graph *graph = model_load(arena, model.path);
    Program *program = model_program(graph, &model.pass);
    if (program == NULL) return; /* --dump-after */
    const char *given = page_details_json(arena, &details, graph);
    const WasmModel wasm = wasm_build(arena, program, "model");
    const PagePart parts[] = {
        {.id = "manifest", .json = wasm.manifest},
        {.id = "details", .json = given},
        {.id = "module", .bytes = wasm.vector.bytes, .size = wasm.vector.size},
        {.id = "plain-module", .bytes = wasm.plain.bytes, .size = wasm.plain.size},
        {.id = "weights", .bytes = wasm.weights.bytes, .size = wasm.weights.size},
    };
    page_write(path, path_stem(arena, model.path), parts, sizeof parts / sizeof *parts);
    print_summary(path, program, &wasm);
}

const Command COMMAND_VIEW = {"view", "write a web page in which a model runs and shows what it attends to", "", run};
