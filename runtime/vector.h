/* Vectors: what kernels compute with, as long as the registers that the C compiler's target has.
 * Everything between the first #ifndef and the last #endif is copied into generated code that uses it. */
#ifndef FOVEA_RUNTIME_VECTOR_H
#define FOVEA_RUNTIME_VECTOR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* LANES: floats in a vector. PICK(avx512, avx2, neon, sse, scalar): the number for the target. Kernels choose their
 * tiles by it: the registers are 32 of 16 floats, 16 of 8, 32 of 4, 16 of 4, or none of use. -DLANES=1 asks for plain
 * C. */
#ifndef LANES
#if !defined(__GNUC__)
#define LANES 1
#elif defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX__)
#define LANES 8
#elif defined(__SSE2__) || defined(__ARM_NEON) || defined(__wasm_simd128__)
#define LANES 4
#else
#define LANES 1
#endif
#endif
#if LANES == 16
#define PICK(avx512, avx2, neon, sse, scalar) (avx512)
#elif LANES == 8
#define PICK(avx512, avx2, neon, sse, scalar) (avx2)
#elif LANES == 4 && defined(__ARM_NEON)
#define PICK(avx512, avx2, neon, sse, scalar) (neon)
#elif LANES == 4
#define PICK(avx512, avx2, neon, sse, scalar) (sse)
#else
#define PICK(avx512, avx2, neon, sse, scalar) (scalar)
#endif

/* INLINE: a function whose constant arguments have to be seen. UNROLL: before a loop over registers. WIDE: before a
 * function that computes with vectors (Clang would halve those of 64 bytes). */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 32")
#else
#define UNROLL
#endif
#if defined(__clang__) && LANES == 16
#define WIDE __attribute__((min_vector_width(512)))
#else
#define WIDE
#endif
#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline, unused)) WIDE
#define PREFETCH(address) __builtin_prefetch(address, 0, 2)
#else
#define INLINE static inline
#define PREFETCH(address) ((void)(address))
#endif

/* vf: floats; vu: as many uint32_t; vi: int32_t. A comparison of two vf is a vi, all bits of a lane set where it holds
 * (LANES == 1: 1). */
#if LANES == 1
typedef float vf;
typedef uint32_t vu;
typedef int32_t vi;
#else
typedef float vf __attribute__((vector_size(4 * LANES)));
typedef uint32_t vu __attribute__((vector_size(4 * LANES)));
typedef int32_t vi __attribute__((vector_size(4 * LANES)));
typedef float vf_anywhere __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
#endif

/* LANES floats from anywhere. */
INLINE vf vf_load(const float *from) {
#if LANES == 1
    return *from;
#else
    return *(const vf_anywhere *)from;
#endif
}

INLINE void vf_store(float *to, vf value) {
#if LANES == 1
    *to = value;
#else
    *(vf_anywhere *)to = value;
#endif
}

/* The first count lanes alone, 0 <= count <= LANES; the others are 0. */
INLINE vf vf_load_part(const float *from, const int count) {
    float lane[LANES] = {0};
    int at = 0;
    if (count == LANES) return vf_load(from);
    UNROLL
    for (int size = LANES / 2; size > 0; size /= 2)
        if ((count & size) != 0) {
            memcpy(lane + at, from + at, sizeof(float) * (unsigned)size);
            at += size;
        }
    return vf_load(lane);
}

INLINE void vf_store_part(float *to, vf value, const int count) {
    float lane[LANES];
    int at = 0;
    if (count == LANES) {
        vf_store(to, value);
        return;
    }
    vf_store(lane, value);
    UNROLL
    for (int size = LANES / 2; size > 0; size /= 2)
        if ((count & size) != 0) {
            memcpy(to + at, lane + at, sizeof(float) * (unsigned)size);
            at += size;
        }
}

/* The same value in every lane. */
INLINE vf vf_all(float value) { return value - (vf){0}; }

INLINE vu vf_bits(vf value) {
#if LANES == 1
    vu bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
#else
    return (vu)value;
#endif
}

INLINE vf vf_of_bits(vu bits) {
#if LANES == 1
    vf value;
    memcpy(&value, &bits, sizeof value);
    return value;
#else
    return (vf)bits;
#endif
}

/* Lane by lane: where the comparison held, a, elsewhere b. */
INLINE vf vf_select(vi held, vf a, vf b) {
#if LANES == 1
    return held ? a : b;
#else
    return (vf)((held & (vi)a) | (~held & (vi)b));
#endif
}

INLINE vf vf_max(vf a, vf b) { return vf_select(a > b, a, b); } /* a NaN in a gives b */
INLINE vf vf_min(vf a, vf b) { return vf_select(a < b, a, b); }

/* The sum of all lanes, halves first. */
INLINE float vf_sum(vf value) {
#if LANES == 1
    return value;
#else
    float lane[LANES];
    vf_store(lane, value);
    UNROLL
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++) lane[i] += lane[i + half];
    return lane[0];
#endif
}

/* The heart of every product: sum[r][v] += x[r][k] * w[k][v] for k < DEPTH, over a tile of ROWS rows and VECTORS
 * vectors, which stay in registers. Row r of x begins at x + r / WIDTH * XX + r % WIDTH * X. w is packed in panels of
 * 16 columns, [panel][...][16], PANEL floats from one to the next. sum is [ROWS][VECTORS]. Meanwhile it fetches what
 * will be read next: AHEAD floats from ahead on for each k (0: none). */
INLINE void tile_multiply_ahead(vf *sum, const float *x, const float *w, const int ROWS, const int VECTORS,
                                const int WIDTH, const int XX, const int X, const int DEPTH, const int PANEL,
                                const float *ahead, const int AHEAD) {
    for (int k = 0; k < DEPTH; k++) {
        vf column[16];
        if (AHEAD != 0) PREFETCH(ahead + k * AHEAD);
        UNROLL
        for (int v = 0; v < VECTORS; v++) column[v] = vf_load(w + v * LANES / 16 * PANEL + v * LANES % 16 + k * 16);
        UNROLL
        for (int r = 0; r < ROWS; r++) {
            const float in = (x + r / WIDTH * XX + r % WIDTH * X)[k]; /* not one sum of ints: Clang gathers */
            UNROLL
            for (int v = 0; v < VECTORS; v++) sum[r * VECTORS + v] += in * column[v];
        }
    }
}

/* The same without fetching ahead. */
INLINE void tile_multiply(vf *sum, const float *x, const float *w, const int ROWS, const int VECTORS, const int WIDTH,
                          const int XX, const int X, const int DEPTH, const int PANEL) {
    tile_multiply_ahead(sum, x, w, ROWS, VECTORS, WIDTH, XX, X, DEPTH, PANEL, NULL, 0);
}

/* Packs COLUMNS columns of a matrix as one panel [DEPTH][16], zeros behind the last: element (k, n) of it is at
 * k * ROW + n * COLUMN. */
INLINE void panel_pack(float *panel, const float *from, const int DEPTH, const int COLUMNS, const int ROW,
                       const int COLUMN) {
    for (int k = 0; k < DEPTH; k++)
        if (COLUMNS == 16)
            for (int n = 0; n < 16; n++) panel[k * 16 + n] = (from + n * COLUMN)[k * ROW];
        else
            for (int n = 0; n < 16; n++) panel[k * 16 + n] = n < COLUMNS ? from[k * ROW + n * COLUMN] : 0;
}

#endif
