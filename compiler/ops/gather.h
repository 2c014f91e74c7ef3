/* Picking by index: what operators that gather and operators that scatter share.
 * Both turn indices into offsets into the data first, and then move blocks of elements. */
#ifndef FOVEA_OPS_GATHER_H
#define FOVEA_OPS_GATHER_H

#include "ops/op.h"

/* Fails where constant indices are out of [-size, size), or where there are indices but nothing to pick from. */
void check_indices(const Node *node, const Value *indices, Dim size);

/* A tensor seen along one axis, as it lies in memory: [outer][size][inner]. */
typedef struct {
    int64_t outer, size, inner;
} Axis;
Axis axis_of(const Shape *shape, int axis);

/* Appends y [outer][count][inner] = x at int64 indices along an axis. */
void gather_buffers(Program *program, Buffer *x, Axis axis, Buffer *indices, int64_t count, Buffer *y);
/* Appends y = x at known indices along an axis, each in [0, size). */
void gather_known(Program *program, const Value *x, Axis axis, const int64_t *indices, int64_t count, const Value *y);

/* Input 1 of GatherElements and ScatterElements: one index for each element that is picked from input 0, along
 * attribute axis. The offsets are int32, as many as there are indices. */
void check_element_indices(const Node *node);
Buffer *element_offsets(Program *program, const Node *node);

/* Input 1 of GatherND and ScatterND: its last dimension names a place in the dimensions of input 0 that follow `batch`
 * shared ones. The offsets are int32, as many as there are places named. */
void check_nd_indices(const Node *node, int batch);
Buffer *nd_offsets(Program *program, const Node *node, int batch);

#endif
