/* Conversions that no formula can say: of bytes as they are, and to infinities that a conversion does not make.
 * All others are casts in loops (compiler/program/cast.h). */
#include "runtime/kernel.h"

/* The same bytes under another type: ONNX BitCast.
 * types: uint8 */
KERNEL void copy_bytes(const void *restrict x, void *restrict y, const int BYTES) { memcpy(y, x, (size_t)BYTES); }

/* To float8 e5m2, where what is beyond the largest number becomes infinity: ONNX Cast with saturate=0.
 * x [N]   y [N]
 * types: floats */
KERNEL void cast_f8e5m2_with_infinities(const T *restrict x, uint8_t *restrict y, const int N) {
    for (int i = 0; i < N; i++) {
        const A value = LOAD(x[i]);
        const int infinite = value >= 61440 || value <= -61440; /* between the largest, 57344, and the next, 65536 */
        y[i] = infinite ? (value < 0 ? 0xFC : 0x7C) : f8e5m2_from_f32((float)value);
    }
}
