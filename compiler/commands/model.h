/* The way of a model, from its file to a planned program: what every command that takes a model does first.
 * Each line of model_program() is a stage of docs/design.md. */
#ifndef FOVEA_COMMANDS_MODEL_H
#define FOVEA_COMMANDS_MODEL_H

#include "passes/pass.h"
#include "program/program.h"

/* Loads a model and brings it through the passes. */
Graph *model_graph(Arena *arena, const char *path, const PassOptions *options);

/* The same, then steps, fused and placed in the workspace. */
Program *model_program(Arena *arena, const char *path, const PassOptions *options);

#endif
