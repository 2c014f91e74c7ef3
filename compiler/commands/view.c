/* view: one HTML file in which a model runs and shows what it attends to, or in which a recording of it stands.
 * Modules are built by commands/wasm.c, the file is written by commands/page.c; what the page is told beside the
 * manifest is commands/page_details.c. */
#include "base/file.h"
#include "commands/execute.h"
#include "commands/model.h"
#include "commands/model_options.h"
#include "commands/page.h"
#include "commands/page_details.h"
#include "commands/wasm.h"
#include "emit/manifest.h"
#include "program/target.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    const char *path;  /* of the page */
    const char *title; /* the model's name */
    bool weights_beside;
    const char *record; /* samples that are run now; NULL: the page runs the model */
    PageDetails details;
} ViewOptions;

static void check_can_build(Arena *arena) {
    const char *hindrance = wasm_hindrance(arena);
    if (hindrance == NULL) return;
    report(STATUS_SYSTEM, "%s: a model in a page is built by clang for wasm32, and linked by wasm-ld", hindrance);
    note("--record IN.npz makes a page without: with the maps of these inputs");
    unwind(STATUS_SYSTEM);
}

static bool read_weights_word(Arena *arena, const char *word) {
    static const char *const words[] = {"inline", "file", NULL};
    if (strcmp(word, "inline") == 0) return false;
    if (strcmp(word, "file") == 0) return true;
    const char *meant = nearest_name(arena, word, words);
    fail(STATUS_USAGE, "--weights %s: expected inline or file%s%s", quoted(word),
         meant == NULL ? "" : "; did you mean ", meant == NULL ? "" : meant);
}

/* "out/page.html" becomes "out/page.weights". */
static const char *weights_path(Arena *arena, const char *page) {
    const char *slash = strrchr(page, '/');
    const int folder = slash == NULL ? 0 : (int)(slash + 1 - page);
    return arena_printf(arena, "%.*s%s.weights", folder, page, path_stem(arena, page));
}

/* A page in which the model runs. */
static void write_running(Arena *arena, const ViewOptions *options, const Graph *graph, Program *program) {
    check_can_build(arena);
    const char *beside = options->weights_beside ? weights_path(arena, options->path) : NULL;
    json_t *details = page_details(arena, &options->details, graph);
    if (beside != NULL) page_details_name_weights(details, arena_printf(arena, "%s.weights", path_stem(arena, beside)));
    const WasmModel wasm = wasm_build(arena, program);
    const PagePart parts[] = {
        {.id = "manifest", .json = manifest_of(program, wasm.model)},
        {.id = "details", .json = manifest_text(arena, details)},
        {.id = "module", .bytes = wasm.vector.bytes, .size = wasm.vector.size},
        {.id = "plain-module", .bytes = wasm.plain.bytes, .size = wasm.plain.size},
        {.id = "weights", .bytes = wasm.weights.bytes, .size = wasm.weights.size},
    };
    const int count = (int)(sizeof parts / sizeof *parts) - (beside != NULL);
    page_write(options->path, options->title, parts, count, beside != NULL);
    if (beside != NULL) file_write_atomic(beside, wasm.weights.bytes, wasm.weights.size);
    printf("%s: %zu bytes of WebAssembly (%zu without vectors), %zu of weights%s%s, %d probes\n", options->path,
           wasm.vector.size, wasm.plain.size, wasm.weights.size, beside != NULL ? " in " : "",
           beside != NULL ? beside : "", program->probes.count);
}

/* A page with what the model makes of some inputs, here and now. */
static void write_recording(Arena *arena, const ViewOptions *options, Graph *graph, Program *program) {
    const EmitOptions emit = {.name = "model", .weights = WEIGHTS_FILE};
    Output *output = output_new(arena, "unused"); /* never committed: the manifest is what is wanted */
    const EmittedModel *model = emit_model(program, &emit, output);
    Execution *execution = execution_new(arena, program, false);
    json_t *details = page_details(arena, &options->details, graph);
    const int samples = page_details_record(arena, details, &options->details, graph, execution);
    const PagePart parts[] = {
        {.id = "manifest", .json = manifest_of(program, model)},
        {.id = "details", .json = manifest_text(arena, details)},
    };
    page_write(options->path, options->title, parts, sizeof parts / sizeof *parts, false);
    printf("%s: a recording of %d inputs, %d probes\n", options->path, samples, program->probes.count);
}

static void run(Arena *arena, int argc, char **argv) {
    ModelOptions model = {.target = "wasm32", .pass.probes = "auto,inputs"};
    ViewOptions options = {0};
    const char *weights = "inline";
    Option rows[3 + PAGE_DETAILS_ROWS + MODEL_OPTION_ROWS] = {
        {OPTION_TEXT, 'o', "output", "PAGE.html", "the page to write", &options.path},
        {OPTION_TEXT, '\0', "weights", "HOW",
         "inline: in the page (default); file: in PAGE.weights beside it, which takes a web server", &weights},
        {OPTION_TEXT, '\0', "record", "IN.npz",
         "a page that does not run the model: it has the maps of these inputs, made now", &options.record},
    };
    const int own = page_details_rows(&options.details, rows, 3);
    if (!options_parse(arena, &COMMAND_VIEW, rows, model_option_rows(arena, &model, rows, own), argc, argv)) return;
    if (options.path == NULL || *options.path == '\0') fail(STATUS_USAGE, "where to? give -o PAGE.html");
    if (options.record != NULL && options.details.samples != NULL)
        fail(STATUS_USAGE, "--record has its own samples; give no --samples");
    if (options.record != NULL) model.target = "native", options.details.samples = options.record;
    options.weights_beside = read_weights_word(arena, weights);
    options.title = path_stem(arena, model.path);
    model_options_finish(arena, &model);
    if (!page_is_built())
        fail(STATUS_UNSUPPORTED, "this fovea was built without the page: install Node.js and npm, and build it anew");

    Graph *graph = model_load(arena, model.path);
    Program *program = model_program(graph, &model.pass);
    if (program == NULL) return; /* --dump-after */
    if (graph->batch.name != NULL)
        fail(STATUS_USAGE, "a page runs one sample at a time: give --dim %s=1", quoted(graph->batch.name));
    if (options.record != NULL) write_recording(arena, &options, graph, program);
    else write_running(arena, &options, graph, program);
}

const Command COMMAND_VIEW = {
    "view", "write a web page in which a model runs and shows what it attends to",
    "\nA file for --preprocess: {\"mean\": [0.485, 0.456, 0.406], \"std\": [0.229, 0.224, 0.225],\n"
    "\"colour\": \"rgb\", \"fit\": \"crop\", \"white\": 1}. A pixel becomes (value / 255 * white - mean) / std.\n",
    run};
