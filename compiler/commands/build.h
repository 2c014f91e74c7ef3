/* Build: a planned program made into an executable by the machine's C compiler.
 * For the commands that run what they compile. */
#ifndef FOVEA_COMMANDS_BUILD_H
#define FOVEA_COMMANDS_BUILD_H

#include "emit/emit.h"

/* The C compiler: CC, or cc, clang or gcc, whichever is there first; NULL where none is. CC may hold options. */
const char *build_compiler(Arena *arena);

/* What the compiler says of itself: the first line of --version, or else its name. There has to be one. */
const char *build_compiler_version(Arena *arena);

/* Writes a program with its testbench, and builds it for its target as `binary`, with all optimisation. What lies
 * beside it goes: the binary is all that a run needs. There has to be a compiler. progressed follows in the line of
 * progress: ", 2 of 8", or "". */
const EmittedModel *build_program(Program *program, const char *binary, const char *progressed);

/* The registers that the compiler's code for a target has, TARGET_AVX512 and so on (program/target.h). It has to run on
 * this machine. */
int build_registers(const Target *target);

#endif
