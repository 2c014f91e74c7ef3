/* Manifest: NAME.json, which tells programs what an emitted model is: inputs, outputs, blocks, probes, memory.
 * `fovea inspect --json` describes a model in the same words. */
#ifndef FOVEA_EMIT_MANIFEST_H
#define FOVEA_EMIT_MANIFEST_H

#include "emit/emit.h"

#include <jansson.h>

/* Pieces, as new references. Names that are not UTF-8 are given as quoted() shows them. */
json_t *manifest_shape(const Shape *shape); /* unknown dimensions as their symbol, or null */
json_t *manifest_name(const char *name);
json_t *manifest_blocks(const Graph *graph); /* [{family, name, nodes, probes: [{id, tensor, axes, shape}]}] */

/* JSON as text, kept by the arena; takes the reference. */
const char *manifest_text(Arena *arena, json_t *json);

/* A model as NAME.json has it, kept by the program's arena. */
const char *manifest_of(const Program *program, const EmittedModel *model);
/* Adds NAME.json to the files of a model. */
void emit_manifest(const Program *program, const EmittedModel *model, Output *output);

#endif
