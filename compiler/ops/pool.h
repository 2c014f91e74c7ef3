/* Pools over whole maps, for operators that need one among other steps. */
#ifndef FOVEA_OPS_POOL_H
#define FOVEA_OPS_POOL_H

#include "ops/op.h"

/* Appends the step that reduces each channel of x [N C ..], as it lies (channels last: floats only), to an element of
 * [N C], which is in y from an offset on. The kernel is global_average_pool or global_max_pool. */
Step *global_pool_step(Program *program, const char *kernel, const Value *x, Buffer *y, int64_t offset);

#endif
