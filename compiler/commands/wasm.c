/* WebAssembly: a model's C with its page side (templates/wasm/), compiled and linked in a folder that goes at once.
 * There is no C library: the headers are fovea's, and what they lack the host's JavaScript has. */
#include "commands/wasm.h"

#include "base/assets.h"
#include "base/process.h"
#include "emit/template.h"

#include <stdlib.h>
#include <string.h>

static const char *clang(void) {
    const char *chosen = getenv("FOVEA_CLANG");
    return chosen != NULL && *chosen != '\0' ? chosen : "clang";
}

static const char *linker(void) {
    const char *chosen = getenv("FOVEA_WASM_LD");
    return chosen != NULL && *chosen != '\0' ? chosen : "wasm-ld";
}

const char *wasm_hindrance(Arena *arena) {
    if (!process_exists(arena, clang())) return arena_printf(arena, "there is no %s", clang());
    if (!process_exists(arena, linker())) return arena_printf(arena, "there is no %s (Debian: package lld)", linker());
    const char *source = arena_printf(arena, "%s/empty.c", temporary_folder(arena));
    file_write_atomic(source, "\n", 1);
    const char *const command[] = {clang(), "--target=wasm32", "-c", source, "-o", "/dev/null", NULL};
    return process_run_quietly(command) == 0 ? NULL : arena_printf(arena, "%s does not know wasm32", clang());
}

static void add_array(Text *arrays, Text *places, Text *arguments, const EmittedTensor *tensor, const char *name) {
    text_printf(arrays, "static _Alignas(64) %s %s[%s + 1];\n", tensor->c_type, name, tensor->size_macro);
    text_printf(places, ", %s", name);
    text_printf(arguments, ", %s", name);
}

/* The page's side: a static array for each input and output, in this order. */
static void write_side(Arena *arena, const EmittedModel *model, Output *output) {
    const bool has_weights = model->weights == WEIGHTS_FILE;
    Text arrays = text_new(arena), places = text_new(arena), arguments = text_new(arena);
    if (has_weights)
        text_printf(&arrays, "static _Alignas(%s_ALIGNMENT) unsigned char weights[%s_WEIGHTS];\n", model->macro,
                    model->macro);
    text_add(&places, has_weights ? "weights" : "NULL");
    for (int i = 0; i < model->inputs.count; i++)
        add_array(&arrays, &places, &arguments, &model->inputs.items[i], arena_printf(arena, "input_%d", i));
    for (int i = 0; i < model->outputs.count; i++)
        add_array(&arrays, &places, &arguments, &model->outputs.items[i], arena_printf(arena, "output_%d", i));
    const Placeholder values[] = {
        {"name", model->name},         {"NAME", model->macro},
        {"arrays", arrays.data},       {"places", places.data},
        {"arguments", arguments.data}, {"weights", has_weights ? "        .weights = weights,\n" : ""},
    };
    Text side = text_new(arena);
    template_fill(&side, "templates/wasm/page.c", values, sizeof values / sizeof *values);
    output_text(output, "page.c", side.data);
    output_text(output, "math.h", asset_text("templates/wasm/math.h"));
    output_text(output, "string.h", asset_text("templates/wasm/string.h"));
}

static void run(const char *const *command, const char *what) {
    const int status = process_run(command);
    if (status != 0) fail(STATUS_SYSTEM, "%s failed on %s (status %d)", command[0], what, status);
}

/* Compiles one file; vectors: "-msimd128", or the macro that keeps their length without them. */
static void compile(const char *folder, const char *source, const char *object, const char *vectors, bool builtins) {
    const char *const command[] = {clang(),
                                   "--target=wasm32",
                                   vectors,
                                   "-std=gnu11",
                                   builtins ? "-fbuiltin" : "-fno-builtin",
                                   "-O3",
                                   "-w",
                                   "-I",
                                   folder,
                                   "-nostdlibinc",
                                   "-mbulk-memory",
                                   "-c",
                                   source,
                                   "-o",
                                   object,
                                   NULL};
    run(command, "the generated code");
}

static FilePiece read_bytes(Arena *arena, const char *path) {
    enum { LARGEST = INT32_MAX };
    FilePiece bytes;
    bytes.bytes = file_read(arena, path, LARGEST, &bytes.size);
    return bytes;
}

static FilePiece build(Arena *arena, const char *folder, const EmittedModel *model, const char *vectors) {
    const char *object = arena_printf(arena, "%s/model.o", folder), *side = arena_printf(arena, "%s/page.o", folder);
    const char *module = arena_printf(arena, "%s/model.wasm", folder);
    compile(folder, arena_printf(arena, "%s/%s.c", folder, model->name), object, vectors, true);
    compile(folder, arena_printf(arena, "%s/page.c", folder), side, vectors, false);
    const char *const command[] = {
        linker(), "--no-entry", "--strip-all", "-z", "stack-size=1048576", "--stack-first", object,
        side,     "-o",         module,        NULL};
    run(command, "the compiled model");
    return read_bytes(arena, module);
}

WasmModel wasm_build(Arena *arena, Program *program) {
    WasmModel wasm = {0};
    const char *folder = temporary_folder(arena);
    Output *output = output_new(arena, folder);
    const EmitOptions options = {.name = "model", .weights = WEIGHTS_FILE};
    wasm.model = emit_model(program, &options, output);
    write_side(arena, wasm.model, output);
    output_commit(output);
    if (wasm.model->weights == WEIGHTS_FILE)
        wasm.weights = read_bytes(arena, arena_printf(arena, "%s/%s.weights", folder, wasm.model->name));
    progress("compiling to WebAssembly with %s", clang());
    wasm.vector = build(arena, folder, wasm.model, "-msimd128");
    wasm.plain = build(arena, folder, wasm.model, "-DLANES=4");
    progress(NULL);
    return wasm;
}
