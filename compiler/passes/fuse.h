/* Fusion of steps: what is computed for one consumer alone is computed inside it.
 * Each fusion, here and among the passes over the graph, has a name for --fuse. */
#ifndef FOVEA_PASSES_FUSE_H
#define FOVEA_PASSES_FUSE_H

#include "passes/pass.h"
#include "program/program.h"

/* The names that --fuse takes: "batchnorm", "bias", "loops", "epilogue"; ended by NULL. */
extern const char *const FUSION_RULES[];

/* Whether --fuse allows a rule. */
bool fuse_allows(const PassOptions *options, const char *rule);

/* Chains of elementwise loops become one loop ("loops"), and a loop over what a kernel has just made becomes the
 * kernel's epilogue ("epilogue"). Results do not change by a bit: each operation is rounded as before. Values that are
 * probed, or that the caller sees, stay in memory. */
void fuse_program(Program *program, const PassOptions *options);

#endif
