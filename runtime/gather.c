/* Gather: kernels that pick elements by index, and those that turn indices into offsets.
 * An index that is out of range is brought to the nearest end; nothing outside the data is ever read or written. */
#include "runtime/kernel.h"

/* Gather: blocks of x at indices along an axis. A negative index counts from the back, one that is out of range is
 * brought to the nearest end.
 * x [OUTER][AXIS][INNER], indices [COUNT], y [OUTER][COUNT][INNER].
 * name: gather_{OUTER}x{AXIS}x{INNER}_{COUNT}
 * types: plain */
KERNEL void gather(const T *restrict x, const int64_t *restrict indices, T *restrict y, const int OUTER, const int AXIS,
                   const int INNER, const int COUNT) {
    for (int o = 0; o < OUTER; o++)
        for (int i = 0; i < COUNT; i++) {
            const T *from = x + (o * AXIS + bounded_index(indices[i], AXIS)) * INNER;
            T *to = y + (o * COUNT + i) * INNER;
            for (int k = 0; k < INNER; k++) to[k] = from[k];
        }
}

/* GatherElements and ScatterElements: where each index points to, as an offset into the data. A negative index counts
 * from the back, one that is out of range is brought to the nearest end.
 * indices, offsets [COUNT], COUNT in all of shape SHAPE; STRIDES are the data's, but 0 along the axis that the indices
 * count, which has AXIS elements AXIS_STRIDE apart.
 * name: element_offsets_{COUNT}
 * types: int32 int64 */
KERNEL void element_offsets(const T *restrict indices, int32_t *restrict offsets, const int COUNT, const int RANK,
                            const int *SHAPE, const int *STRIDES, const int AXIS, const int AXIS_STRIDE) {
    for (int i = 0; i < COUNT; i++) {
        int offset = bounded_index(indices[i], AXIS) * AXIS_STRIDE;
        int rest = i;
        for (int d = RANK - 1; d >= 0; d--) {
            offset += rest % SHAPE[d] * STRIDES[d];
            rest /= SHAPE[d];
        }
        offsets[i] = offset;
    }
}

/* GatherND and ScatterND: where each tuple of indices points to, as an offset into the data. A negative index counts
 * from the back, one that is out of range is brought to the nearest end.
 * indices [BATCH][COUNT][DEPTH], offsets [BATCH][COUNT]; SHAPE and STRIDES are those of the DEPTH indexed dimensions of
 * the data, which has BATCH_STRIDE elements for each of the batch.
 * name: nd_offsets_{BATCH}x{COUNT}x{DEPTH}
 * types: int64 */
KERNEL void nd_offsets(const T *restrict indices, int32_t *restrict offsets, const int BATCH, const int COUNT,
                       const int DEPTH, const int *SHAPE, const int *STRIDES, const int BATCH_STRIDE) {
    for (int b = 0; b < BATCH; b++)
        for (int i = b * COUNT; i < (b + 1) * COUNT; i++) {
            int offset = b * BATCH_STRIDE;
            for (int d = 0; d < DEPTH; d++) offset += bounded_index(indices[i * DEPTH + d], SHAPE[d]) * STRIDES[d];
            offsets[i] = offset;
        }
}

/* GatherElements and GatherND: the block of x at each offset.
 * offsets [COUNT], y [COUNT][BLOCK].
 * name: gather_blocks_{COUNT}x{BLOCK}
 * types: plain */
KERNEL void gather_blocks(const T *restrict x, const int32_t *restrict offsets, T *restrict y, const int COUNT,
                          const int BLOCK) {
    for (int i = 0; i < COUNT; i++)
        for (int k = 0; k < BLOCK; k++) y[i * BLOCK + k] = x[offsets[i] + k];
}

/* OneHot: values[1] where a class is the index, values[0] elsewhere. A negative index counts from the back; one that
 * is out of range is no class.
 * indices [OUTER][INNER], values [2], y [OUTER][DEPTH][INNER].
 * name: one_hot_{OUTER}x{DEPTH}x{INNER}
 * types: plain */
KERNEL void one_hot(const int64_t *restrict indices, const T *restrict values, T *restrict y, const int OUTER,
                    const int DEPTH, const int INNER) {
    for (int o = 0; o < OUTER; o++)
        for (int d = 0; d < DEPTH; d++)
            for (int i = 0; i < INNER; i++) {
                const int64_t index = indices[o * INNER + i];
                y[(o * DEPTH + d) * INNER + i] = values[index == d || index == d - DEPTH];
            }
}
