/* The way of a model, from its file to a planned program: what every command that takes a model does first.
 * Each line of model_steps() is a stage of docs/design.md. */
#ifndef FOVEA_COMMANDS_MODEL_H
#define FOVEA_COMMANDS_MODEL_H

#include "graph/npz.h"
#include "passes/pass.h"
#include "program/program.h"

/* The model as it stands in the file, checked. */
Graph *model_load(Arena *arena, const char *path);

/* Gives inputs whose shape the model leaves open that of the array of their name, and sequences those of the arrays
 * NAME_0, NAME_1 and so on, unless --shape has. */
void model_shapes_from(const Graph *graph, const Npz *inputs, PassOptions *options);

/* That each input of a graph is there, of its type and shape. Reports all that does not fit before it fails. Returns
 * how many samples they hold: 1 unless --dim leaves that open. */
int64_t model_check_inputs(const Graph *graph, const Npz *inputs);

/* When all passes have run: steps, fused and placed in the workspace. NULL where --dump-after ended the way. */
Program *model_steps(Graph *graph, const PassOptions *options);
/* All passes, and then those. */
Program *model_program(Graph *graph, const PassOptions *options);

#endif
