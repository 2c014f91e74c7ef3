/* Strided views: where the elements of a value lie in the memory of another one, before what only moves, repeats or
 * picks them. So an operator can read heads that are split off, transposed, repeated or packed, without a copy. */
#ifndef FOVEA_FUSED_STRIDED_H
#define FOVEA_FUSED_STRIDED_H

#include "graph/graph.h"

enum { MAX_AXES = 8 };

/* One dimension: element i of it is at the sum over its axes, of which the last runs fastest, of index * stride. A
 * dimension of size 1 has none. */
typedef struct {
    int count;
    int64_t extent[MAX_AXES], stride[MAX_AXES];
} StridedDim;

typedef struct {
    Value *base;
    int64_t offset;
    int rank;
    StridedDim dims[MAX_RANK];
} Strided;

/* A value as it lies in memory itself. Its shape is known. */
Strided strided_plain(Value *value);

/* A value as a view of the first one on the way up, at most `most` nodes away, through which that can be said, and not
 * beyond `stop` (NULL: none). factor: products and quotients with a number count as views as well, and *factor is
 * multiplied with it; NULL: they do not. */
Strided strided_trace(Value *value, const Value *stop, int most, double *factor);

/* The view through a Reshape to another shape; false where it is none. */
bool strided_reshape(Strided *view, int rank, const Dim *dims);
/* The view through a Transpose, and the other way: from what it makes to what it reads. */
void strided_transpose(Strided *view, const Node *transpose);
void strided_untranspose(Strided *view, const Node *transpose);
/* Whether a node changes its first input's shape, or nothing, and moves no element. */
bool is_reshaping(const Node *node);

/* Broadcasts to other dimensions, aligned at the end, as ONNX's elementwise operators do. */
bool strided_broadcast(Strided *view, int rank, const Dim *dims);

/* The number of elements that a dimension has, and its only stride; false where it has more than one. */
int64_t strided_extent(const StridedDim *dim);
bool strided_stride(const StridedDim *dim, int64_t *stride);

/* Splits the axes of a dimension, which has the same extent in all views, until they are the same in all. False
 * where that cannot be. */
bool strided_refine(StridedDim *const *dims, int count);

#endif
