/* Execution: running a planned program on given arrays, compiled by the machine's C compiler or interpreted.
 * For the commands run and verify. */
#ifndef FOVEA_COMMANDS_EXECUTE_H
#define FOVEA_COMMANDS_EXECUTE_H

#include "graph/npz.h"
#include "program/program.h"

typedef struct Execution Execution;

/* Makes a program ready to run. Unless interpret is asked for, its C is built with CC, cc, clang or gcc, whichever is
 * there first, for the program's target, in a temporary folder that goes with the arena; without one it says so and
 * interprets. fovea's own kernels are for registers of their own, so that programs for others are not interpreted. */
Execution *execution_new(Arena *arena, Program *program, bool interpret);

/* Runs once. inputs: by ONNX name, of the model's types and shapes; a missing or unfit one is an error. Returns the
 * outputs by name; probes, if not NULL, are added in the order in which they were made. */
Npz execution_run(Execution *execution, const Npz *inputs, Npz *probes);

#endif
