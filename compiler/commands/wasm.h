/* WebAssembly: a planned program made into modules by clang, for a page that runs it.
 * What the modules export is said in templates/wasm/page.c. */
#ifndef FOVEA_COMMANDS_WASM_H
#define FOVEA_COMMANDS_WASM_H

#include "base/file.h"
#include "emit/emit.h"

typedef struct {
    const EmittedModel *model;
    FilePiece vector, plain; /* the module, with vectors of 128 bits and without */
    FilePiece weights;       /* which the page puts where the module has room for them; empty where there are none */
} WasmModel;

/* Why no module can be made on this machine, with what to do about it; NULL where one can. */
const char *wasm_hindrance(Arena *arena);

/* Builds a program whose target is wasm32. Everything is kept by the arena. */
WasmModel wasm_build(Arena *arena, Program *program);

#endif
