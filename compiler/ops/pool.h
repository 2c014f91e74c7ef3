/* Pools over whole maps, for operators that need one among other steps. */
#ifndef FOVEA_OPS_POOL_H
#define FOVEA_OPS_POOL_H

#include "ops/op.h"

/* Appends the step that reduces each channel of x [N C ..], as it lies (channels last: floats only), to an element of
 * [N C], which is in y from an offset on. The kernel is global_average_pool or global_max_pool. */
Step *global_pool_step(Program *program, const char *kernel, const Value *x, Buffer *y, int64_t offset);

/* Appends the step that reduces the rows of a map x [N C H W], its columns, or both; x is of floats and lies with its
 * channels last, as y then does. how: "average" or "max". */
void map_pool_step(Program *program, const char *how, const Value *x, bool rows, bool columns, Buffer *y);

#endif
