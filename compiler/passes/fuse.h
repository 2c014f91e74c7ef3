/* Fusion of steps: what is computed for one consumer alone is computed inside it.
 * Here are the names of all rules of fusion, for --fuse, also of those that are passes of their own. */
#ifndef FOVEA_PASSES_FUSE_H
#define FOVEA_PASSES_FUSE_H

#include "passes/pass.h"
#include "program/program.h"

extern const char *const FUSE_RULES[]; /* ended by NULL */

/* Whether --fuse allows a rule, one of FUSE_RULES. */
bool fuse_allows(const PassOptions *options, const char *rule);

/* Chains of elementwise loops become one loop ("loops"), and a loop over what a kernel has just made becomes the
 * kernel's epilogue ("epilogue"). Values that are probed, or that the caller sees, stay in memory. A convolution adds
 * up the rows of a map that a mean is made of
 * ("means"). All this changes no result by a bit: each operation is rounded as before. Gates of a map that a linear
 * layer reads go into its weights, where these are fewer ("gates"): (x gate) w becomes x (gate w), and is rounded so.
 */
void fuse_program(Program *program, const PassOptions *options);

#endif
