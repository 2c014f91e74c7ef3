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

/* INLINE: a function whose constant arguments have to be seen. UNROLL: before a loop over registers; defined as nothing
 * where sizes are no constants, or each access is checked and code gets too long. UNROLL_4: before a loop over many
 * steps, four of which take fewer instructions together; Clang sees to it itself. ROLLED: before a loop whose body is
 * long enough; compilers would unroll it. WIDE: before a function that computes with vectors (Clang would halve those
 * of 64 bytes). */
#if defined(__SANITIZE_ADDRESS__)
#define UNROLL
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define UNROLL
#endif
#endif
#if defined(UNROLL)
#define UNROLL_4
#elif defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#define UNROLL_4
#elif defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 32")
#define UNROLL_4 _Pragma("GCC unroll 4")
#else
#define UNROLL
#define UNROLL_4
#endif
#if defined(__clang__)
#define ROLLED _Pragma("clang loop unroll(disable)")
#elif defined(__GNUC__)
#define ROLLED _Pragma("GCC unroll 1")
#else
#define ROLLED
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

/* A product and a sum in one instruction: GCC makes it of a * b + c in its own dialect alone, not with -std=c99. And
 * what an epilogue needs would take registers from the loops before it, which then have too few: elimination of common
 * subexpressions and moving of invariants keep it there, and so does allocation that takes a loop and what is around it
 * together. FUSED: that there is such an instruction. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("fp-contract=fast", "no-gcse", "no-move-loop-invariants", "ira-region=all")
#endif
#if defined(__GNUC__) && (defined(__FMA__) || defined(__ARM_FEATURE_FMA))
#define FUSED
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

/* vh: half a vector, where the machine computes with it in half the time (HALVES), elsewhere a whole one. */
#if LANES == 16 && (defined(__clang__) || __GNUC__ >= 12)
#define HALVES 1
typedef float vh __attribute__((vector_size(2 * LANES)));
typedef float vh_anywhere __attribute__((vector_size(2 * LANES), aligned(4), may_alias));
#else
#define HALVES 0
typedef vf vh;
#endif

/* POWERS: 1 where each lane can choose among 32 in one instruction, and does so for 2^(j/32), which saves
 * multiplications. -DPOWERS=0 asks for the formulas that all other targets have. */
#ifndef POWERS
#if LANES == 16 && defined(__AVX512F__)
#define POWERS 1
#else
#define POWERS 0
#endif
#endif

/* VF_MAX(a, b), VF_MIN(a, b): a > b ? a : b and a < b ? a : b of each lane, by the instruction for it, where GCC has a
 * name for that. It would compare first, and choose then; Clang knows. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__has_builtin)
#if LANES == 16 && __has_builtin(__builtin_ia32_maxps512_mask)
#define VF_MAX(a, b) __builtin_ia32_maxps512_mask(a, b, a, -1, 4) /* all lanes, rounded as ever */
#define VF_MIN(a, b) __builtin_ia32_minps512_mask(a, b, a, -1, 4)
#elif LANES == 8 && __has_builtin(__builtin_ia32_maxps256)
#define VF_MAX(a, b) __builtin_ia32_maxps256(a, b)
#define VF_MIN(a, b) __builtin_ia32_minps256(a, b)
#elif LANES == 4 && __has_builtin(__builtin_ia32_maxps)
#define VF_MAX(a, b) __builtin_ia32_maxps(a, b)
#define VF_MIN(a, b) __builtin_ia32_minps(a, b)
#endif
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

INLINE vh vh_load(const float *from) {
#if HALVES
    return *(const vh_anywhere *)from;
#else
    return vf_load(from);
#endif
}

/* The first half of a vector. */
INLINE vh vh_of(vf value) {
#if HALVES
    return __builtin_shufflevector(value, value, 0, 1, 2, 3, 4, 5, 6, 7);
#else
    return value;
#endif
}

/* A vector whose second half is of no use. */
INLINE vf vh_whole(vh value) {
#if HALVES
    return __builtin_shufflevector(value, value, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7);
#else
    return value;
#endif
}

/* A vector whose second half is zeros. */
INLINE vf vh_above_zeros(vh value) {
#if HALVES
    return __builtin_shufflevector(value, (vh){0}, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#else
    return value;
#endif
}

INLINE void vh_store(float *to, vh value) {
#if HALVES
    *(vh_anywhere *)to = value;
#else
    vf_store(to, value);
#endif
}

/* The first count lanes alone, 0 <= count <= LANES; the others are 0. */
INLINE vf vf_load_part(const float *from, const int count) {
    float lane[LANES] = {0};
    unsigned at = 0;
    if (count == LANES) return vf_load(from);
    if (HALVES && count == LANES / 2) return vh_above_zeros(vh_load(from)); /* not through memory */
    UNROLL
    for (unsigned half = 1; half < LANES; half *= 2) {
        const unsigned size = LANES / 2 / half;
        if (((unsigned)count & size) != 0) {
            memcpy(lane + at, from + at, sizeof(float) * size);
            at += size;
        }
    }
    return vf_load(lane);
}

INLINE void vf_store_part(float *to, vf value, const int count) {
    float lane[LANES];
    unsigned at = 0;
    if (count == LANES) {
        vf_store(to, value);
        return;
    }
    if (HALVES && count == LANES / 2) {
        vh_store(to, vh_of(value));
        return;
    }
    vf_store(lane, value);
    UNROLL
    for (unsigned half = 1; half < LANES; half *= 2) {
        const unsigned size = LANES / 2 / half;
        if (((unsigned)count & size) != 0) {
            memcpy(to + at, lane + at, sizeof(float) * size);
            at += size;
        }
    }
}

/* The lanes from first on, a constant, moved to the front. */
INLINE vf vf_lanes_from(vf value, const int first) {
#if LANES == 1
    (void)first;
    return value;
#elif defined(__clang__)
    vf moved = {0};
    UNROLL
    for (int i = 0; i < LANES - first; i++) moved[i] = value[i + first];
    return moved;
#else
    vi from = {0};
    UNROLL
    for (int i = 0; i < LANES - first; i++) from[i] = i + first;
    return __builtin_shuffle(value, from);
#endif
}

/* The lanes of a and b from first on, a constant, in turns: half of each. */
INLINE vf vf_zip(vf a, vf b, const int first) {
#if LANES == 1
    (void)b, (void)first;
    return a;
#elif defined(__clang__)
    vf zipped = {0};
    UNROLL
    for (int i = 0; i < LANES; i++) zipped[i] = i % 2 == 0 ? a[first + i / 2] : b[first + i / 2];
    return zipped;
#else
    vi from = {0};
    UNROLL
    for (int i = 0; i < LANES; i++) from[i] = i % 2 * LANES + first + i / 2;
    return __builtin_shuffle(a, b, from);
#endif
}

/* Lanes in groups of OUTPUTS, a divisor of their number: all of the g-th get lane g * INPUTS + i. All are constants. */
INLINE vf vf_spread(vf value, const int INPUTS, const int OUTPUTS, const int i) {
#if LANES == 1
    (void)INPUTS, (void)OUTPUTS, (void)i;
    return value;
#elif defined(__clang__)
    vf spread = {0};
    UNROLL
    for (int lane = 0; lane < LANES; lane++) spread[lane] = value[lane / OUTPUTS * INPUTS + i];
    return spread;
#else
    vi from = {0};
    UNROLL
    for (int lane = 0; lane < LANES; lane++) from[lane] = lane / OUTPUTS * INPUTS + i;
    return __builtin_shuffle(value, from);
#endif
}

/* Transposes LANES vectors: each round puts a bit of a lane's number into that of its vector. */
INLINE void vf_transpose(vf *rows) {
    vf zipped[LANES];
    UNROLL
    for (int round = 1; round < LANES; round *= 2) {
        UNROLL
        for (int i = 0; i < LANES; i++) zipped[i] = vf_zip(rows[i / 2], rows[i / 2 + LANES / 2], i % 2 * (LANES / 2));
        UNROLL
        for (int i = 0; i < LANES; i++) rows[i] = zipped[i];
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

/* With AVX-512 Clang 18 and 19, and later ones before LLVM's issue 157929 was solved, confuse the operands of a logical
 * operation of three values that vf_select() takes for some lanes: they are not told that these bits come of one. */
INLINE vf vf_of_bits(vu bits) {
#if LANES == 1
    vf value;
    memcpy(&value, &bits, sizeof value);
    return value;
#else
#if defined(__clang__) && (defined(__AVX512F__) || (LANES == 16 && defined(VARIANT)))
    __asm__("" : "+v"(bits));
#endif
    return (vf)bits;
#endif
}

/* With j the last five of these bits, those of 2^(j/32), less an exponent of 0 and what j << 18 adds to them: bits <<
 * 18 and this make 2^(n/32) for the bits of 12582912.0f + 127 * 32 + n. Where there are POWERS. */
INLINE vu vf_thirty_second(vu bits) {
#if POWERS
    const vi low = {0,       -78457,  -152893, -223217, -289342, -351174, -408621, -461584,
                    -509968, -553670, -592590, -626621, -655657, -679589, -698305, -711690};
    const vi high = {-719629, -722001, -718684, -709555, -694486, -673346, -646004, -612322,
                     -572163, -525384, -471841, -411385, -343865, -269126, -187011, -97357};
#if defined(__clang__)
    typedef int lanes __attribute__((vector_size(64)));
    return (vu)__builtin_ia32_vpermi2vard512((lanes)low, (lanes)bits, (lanes)high);
#else
    return (vu)__builtin_shuffle(low, high, (vi)bits);
#endif
#else
    return bits;
#endif
}

/* The value in a register. GCC would load what several products share anew for each of them. */
INLINE vf vf_keep(vf value) {
#if defined(__clang__)
#elif (LANES == 16 && defined(__AVX512F__)) || (LANES == 8 && defined(__AVX__)) ||                                     \
    (LANES <= 4 && defined(__SSE2__) && defined(__GNUC__))
    __asm__("" : "+v"(value));
#endif
    return value;
}

/* The address, as one that nothing is known of. Compilers would keep what overlapping rows have in common for the next
 * step of a loop, which is more than there are registers. */
INLINE const float *vf_anew(const float *address) {
#if defined(__GNUC__)
    __asm__("" : "+r"(address));
#endif
    return address;
}

/* Lane by lane: where the comparison held, a, elsewhere b. Not by a branch, which would be guessed wrong half of the
 * time; and by ^, which GCC makes a blend of, as it does not of |. */
INLINE vf vf_select(vi held, vf a, vf b) {
#if LANES == 1
    const vu mask = 0u - (vu)held;
    return vf_of_bits((mask & vf_bits(a)) | (~mask & vf_bits(b)));
#else
    return (vf)((held & (vi)a) ^ (~held & (vi)b));
#endif
}

/* The same where it nearly always holds: in plain C by a branch, which is guessed right, and b is computed only then.
 */
#if LANES == 1 && defined(__GNUC__)
#define vf_mostly(held, a, b) (__builtin_expect(held, 1) ? (a) : (b))
#else
INLINE vf vf_mostly(vi held, vf a, vf b) { return vf_select(held, a, b); }
#endif

/* a < b, one of them not negative: in plain C by their bits, whose order is the same, a NaN being beyond the
 * infinities. */
INLINE vi vf_less(vf a, vf b) {
#if LANES == 1
    return (vi)vf_bits(a) < (vi)vf_bits(b);
#else
    return a < b;
#endif
}

/* A NaN in a gives b. In plain C one instruction, if of a constant a GCC makes no branches. */
INLINE vf vf_max(vf a, vf b) {
#if LANES == 1
    const vf kept = vf_keep(a);
    return kept > b ? kept : b;
#elif defined(VF_MAX)
    return VF_MAX(a, b);
#else
    return vf_select(a > b, a, b);
#endif
}

INLINE vf vf_min(vf a, vf b) {
#if LANES == 1
    const vf kept = vf_keep(a);
    return kept < b ? kept : b;
#elif defined(VF_MIN)
    return VF_MIN(a, b);
#else
    return vf_select(a < b, a, b);
#endif
}

/* The first count lanes of value, the others from rest. */
INLINE vf vf_first(vf value, const int count, vf rest) {
#if LANES == 1
    return count > 0 ? value : rest;
#else
    vi first;
    UNROLL
    for (int i = 0; i < LANES; i++) first[i] = i < count ? -1 : 0;
    return vf_select(first, value, rest);
#endif
}

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

/* The largest of all lanes, halves first; as with vf_max a NaN may be left out. */
INLINE float vf_largest(vf value) {
#if LANES == 1
    return value;
#else
    float lane[LANES];
    vf_store(lane, value);
    UNROLL
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++) lane[i] = lane[i] > lane[i + half] ? lane[i] : lane[i + half];
    return lane[0];
#endif
}

/* Copies rows [top, top + high) of a map [H][W][C] to `to` [high][wide][C], where each begins with LEFT zeros and ends
 * with as many as fit; rows that the map does not have are zeros. */
INLINE void copy_padded(float *to, const float *map, const int top, const int high, const int H, const int LEFT,
                        const int W, const int wide, const int C) {
    const int left = LEFT < wide ? LEFT : wide, inside = wide - left < W ? wide - left : W;
    for (int row = 0; row < high; row++, to += wide * C) {
        const int from = top + row;
        if (from < 0 || from >= H) {
            memset(to, 0, sizeof(float) * (unsigned)(wide * C));
            continue;
        }
        memset(to, 0, sizeof(float) * (unsigned)(left * C));
        memcpy(to + left * C, map + from * W * C, sizeof(float) * (unsigned)(inside * C));
        memset(to + (left + inside) * C, 0, sizeof(float) * (unsigned)((wide - left - inside) * C));
    }
}

/* Copies elements [left, left + COUNT) of a row of W; those that it does not have are zeros. */
INLINE void copy_span(float *to, const float *row, const int left, const int COUNT, const int W) {
    const int end = left + COUNT <= W ? COUNT : left < W ? W - left : 0;
    const int begin = left >= 0 ? 0 : -left < end ? -left : end;
    for (int i = 0; i < begin; i++) to[i] = 0;
    for (int i = begin; i < end; i++) to[i] = row[left + i];
    for (int i = end; i < COUNT; i++) to[i] = 0;
}

/* The heart of every product: sum[r][v] += x[r][k] * w[k][v] for k < DEPTH, over a tile of ROWS rows and VECTORS
 * vectors, which stay in registers. Row r of x begins at x + r * X, or at x + place[r] where there are places. w is
 * packed in panels of 16 columns, [panel][...][16], PANEL floats from one to the next. sum is [ROWS][VECTORS], of which
 * the first COLUMNS floats of each row are made. Meanwhile it fetches what will be read next: AHEAD floats from ahead
 * on for each k (0: none). */
INLINE void tile_multiply_part(vf *sum, const float *x, const int *place, const float *w, const int ROWS,
                               const int VECTORS, const int COLUMNS, const int X, const int DEPTH, const int PANEL,
                               const float *ahead, const int AHEAD) {
    const int part = COLUMNS % LANES, used = (COLUMNS + LANES - 1) / LANES;
    const int halved = HALVES && part > 0 && part <= LANES / 2, whole = used - halved, halves = halved ? ROWS : 0;
    vh last[32];
    UNROLL
    for (int r = 0; r < halves; r++) last[r] = vh_of(sum[r * VECTORS + whole]);
    UNROLL_4
    for (int k = 0; k < DEPTH; k++) {
        vf column[16];
        vh half;
        if (AHEAD != 0) PREFETCH(ahead + k * AHEAD);
        UNROLL
        for (int v = 0; v < whole; v++) {
            column[v] = vf_load(w + v * LANES / 16 * PANEL + v * LANES % 16 + k * 16);
            if (ROWS > 1) column[v] = vf_keep(column[v]);
        }
        if (halved) half = vh_load(w + whole * PANEL + k * 16);
        UNROLL
        for (int r = 0; r < ROWS; r++) {
            const float *const in =
                (x + (place == NULL ? r * X : place[r])) + k; /* not one sum of ints: Clang gathers */
            if (halved && whole > 1) {                        /* in all lanes once, not once for each length */
                const vf all = vf_keep(vf_all(*in));
                UNROLL
                for (int v = 0; v < whole; v++) sum[r * VECTORS + v] += all * column[v];
                last[r] += vh_of(all) * half;
            } else {
                UNROLL
                for (int v = 0; v < whole; v++) sum[r * VECTORS + v] += *in * column[v];
                if (halved) last[r] += *in * half;
            }
        }
    }
    UNROLL
    for (int r = 0; r < halves; r++) sum[r * VECTORS + whole] = vh_whole(last[r]);
}

/* Two floats in turns in all lanes; LANES == 1: the first. */
INLINE vf vf_pair(const float *from) {
#if LANES == 1
    return *from;
#else
    typedef uint64_t pairs __attribute__((vector_size(4 * LANES)));
    uint64_t both;
    memcpy(&both, from, sizeof both);
    return (vf)(both + (pairs){0});
#endif
}

/* The halves of a vector in turns. */
INLINE vf vf_in_turns(vf value) {
#if HALVES
    return __builtin_shufflevector(value, value, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
#else
    return value;
#endif
}

/* In the first half, the sums of two lanes each. */
INLINE vf vf_pair_sums(vf value) {
#if HALVES
    return __builtin_shufflevector(value, value, 0, 2, 4, 6, 8, 10, 12, 14, 0, 2, 4, 6, 8, 10, 12, 14) +
           __builtin_shufflevector(value, value, 1, 3, 5, 7, 9, 11, 13, 15, 1, 3, 5, 7, 9, 11, 13, 15);
#else
    return value;
#endif
}

/* tile_multiply_part() without places, for whole rows. Where a panel of 16 columns is at most half full and DEPTH is
 * even, those of each odd row have a copy behind those of the row before: with AVX-512 one multiply-add then does for
 * two rows of these columns, half of which would take most processors as long as all. */
INLINE void tile_multiply_pairs(vf *sum, const float *x, const float *w, const int ROWS, const int VECTORS,
                                const int COLUMNS, const int X, const int DEPTH, const int PANEL) {
    const int part = COLUMNS % LANES, whole = COLUMNS / LANES;
    if (!HALVES || part == 0 || part > LANES / 2 || DEPTH % 2 != 0) {
        tile_multiply_part(sum, x, NULL, w, ROWS, VECTORS, COLUMNS, X, DEPTH, PANEL, NULL, 0);
        return;
    }
    vf last[32];
    UNROLL
    for (int r = 0; r < ROWS; r++) last[r] = vf_all(0);
    ROLLED
    for (int k = 0; k < DEPTH; k += 2) {
        const vf pair = vf_keep(vf_in_turns(vf_load(w + whole * PANEL + k * 16)));
        UNROLL
        for (int next = 0; next < 2; next++) {
            vf column[16];
            UNROLL
            for (int v = 0; v < whole; v++) column[v] = vf_keep(vf_load(w + v * PANEL + (k + next) * 16));
            UNROLL
            for (int r = 0; r < ROWS; r++) {
                const float *const in = x + r * X + k;
                UNROLL
                for (int v = 0; v < whole; v++) sum[r * VECTORS + v] += in[next] * column[v];
                if (next == 0) last[r] += vf_pair(in) * pair;
            }
        }
    }
    UNROLL
    for (int r = 0; r < ROWS; r++) sum[r * VECTORS + whole] = vf_pair_sums(last[r]);
}

/* tile_multiply_part() with all vectors and no places. */
INLINE void tile_multiply_ahead(vf *sum, const float *x, const float *w, const int ROWS, const int VECTORS, const int X,
                                const int DEPTH, const int PANEL, const float *ahead, const int AHEAD) {
    tile_multiply_part(sum, x, NULL, w, ROWS, VECTORS, VECTORS * LANES, X, DEPTH, PANEL, ahead, AHEAD);
}

/* The same without fetching ahead. */
INLINE void tile_multiply(vf *sum, const float *x, const float *w, const int ROWS, const int VECTORS, const int X,
                          const int DEPTH, const int PANEL) {
    tile_multiply_ahead(sum, x, w, ROWS, VECTORS, X, DEPTH, PANEL, NULL, 0);
}

/* For WIDTH outputs in groups of OUTPUTS, the i-th of the INPUTS channels that each one's group has: at most as many. x
 * is where the first one's group begins. */
INLINE vf vf_of_groups(const float *x, const int INPUTS, const int OUTPUTS, const int i, const int WIDTH) {
    if (OUTPUTS == 1) return vf_load_part(x, WIDTH);
    if (OUTPUTS >= LANES) return vf_all(x[i]);
    return vf_spread(vf_load_part(x, WIDTH / OUTPUTS * INPUTS), INPUTS, OUTPUTS, i);
}

/* The heart of every convolution in groups of few channels, and of one, which is depthwise: sum[o] += x[row][left + o *
 * STRIDE + k * DILATION] * w[row][k] for LANES channels, for ROWS rows of KERNEL taps and a tile of COLUMNS outputs,
 * which stay in registers; and that for each of INPUTS channels of groups with OUTPUTS. Each element of x is loaded
 * once for all taps of a row. Columns lie X floats apart, those outside of 0..W-1 are zeros; one row of x, one of w,
 * one tap of w and one input's part of that lie XX, KERNEL * INPUTS * TAP, INPUTS * TAP and TAP floats before the next.
 * WIDTH: the channels, where less than LANES. */
INLINE void tile_slide(vf *sum, const float *x, const float *w, const int rows, const int left, const int COLUMNS,
                       const int KERNEL, const int STRIDE, const int DILATION, const int W, const int X, const int XX,
                       const int TAP, const int INPUTS, const int OUTPUTS, const int WIDTH) {
    const int apart = DILATION > (COLUMNS - 1) * STRIDE; /* taps then share no column */
    ROLLED
    for (int row = 0; row < rows; row++) {
        UNROLL
        for (int part = 0; part < (KERNEL + 7) / 8 * INPUTS; part++) { /* of a wider kernel 8 taps at a time */
            const int k = part / INPUTS * 8, channel = part % INPUTS;
            const int TAPS = KERNEL - k < 8 ? KERNEL - k : 8;
            const int READ = apart ? TAPS * COLUMNS : (COLUMNS - 1) * STRIDE + (TAPS - 1) * DILATION + 1;
            vf tap[8];
            UNROLL
            for (int j = 0; j < 8; j++)
                tap[j] = j < TAPS ? vf_load(w + ((row * KERNEL + k + j) * INPUTS + channel) * TAP) : vf_all(0);
            UNROLL
            for (int n = 0; n < READ; n++) {
                const int i = apart ? n / COLUMNS * DILATION + n % COLUMNS * STRIDE : n;
                const int column = left + k * DILATION + i;
                if (column < 0 || column >= W) continue;
                const vf in = vf_keep(vf_of_groups(x + row * XX + column * X, INPUTS, OUTPUTS, channel, WIDTH));
                UNROLL
                for (int j = 0; j < TAPS; j++) {
                    const int offset = i - j * DILATION;
                    if (offset >= 0 && offset % STRIDE == 0 && offset / STRIDE < COLUMNS)
                        sum[offset / STRIDE] += in * tap[j];
                }
            }
        }
    }
}

/* best[v] = the largest elements, or sum[v] += the elements, in a window of rows and columns that lie XX and X floats
 * apart, for VECTORS vectors side by side; WIDTH: lanes, where there is one vector of less than LANES. A NaN is larger
 * than every number. */
INLINE void window_max(vf *best, const float *x, int rows, int columns, const int XX, const int X, const int VECTORS,
                       const int WIDTH) {
    for (int row = 0; row < rows; row++) {
        ROLLED
        for (int column = 0; column < columns; column++) {
            UNROLL
            for (int v = 0; v < VECTORS; v++) {
                const vf value = vf_load_part(x + row * XX + column * X + v * LANES, WIDTH);
                best[v] = vf_select((value > best[v]) | (value != value), value, best[v]);
            }
        }
    }
}

INLINE void window_sum(vf *sum, const float *x, int rows, int columns, const int XX, const int X, const int VECTORS,
                       const int WIDTH) {
    for (int row = 0; row < rows; row++) {
        ROLLED
        for (int column = 0; column < columns; column++) {
            UNROLL
            for (int v = 0; v < VECTORS; v++) sum[v] += vf_load_part(x + row * XX + column * X + v * LANES, WIDTH);
        }
    }
}

/* Lane by lane, the sum of the N elements of a row less a centre, or of their squares (POWER 1 or 2), in parts that do
 * not wait for one another. */
INLINE vf row_power(const float *row, const float centre, const int N, const int POWER) {
    enum { PARTS = LANES < 4 ? 16 : 4 };
    vf part[16];
    UNROLL
    for (int p = 0; p < PARTS; p++) part[p] = vf_all(0);
    int i = 0;
    for (; i + PARTS * LANES <= N; i += PARTS * LANES) {
        UNROLL
        for (int p = 0; p < PARTS; p++) {
            const vf distance = vf_load(row + i + p * LANES) - centre;
            part[p] += POWER == 1 ? distance : distance * distance;
        }
    }
    for (; i + LANES <= N; i += LANES) {
        const vf distance = vf_load(row + i) - centre;
        part[i / LANES % PARTS] += POWER == 1 ? distance : distance * distance;
    }
    if (N % LANES != 0) {
        const vf distance = vf_first(vf_load_part(row + i, N % LANES) - centre, N % LANES, vf_all(0));
        part[PARTS - 1] += POWER == 1 ? distance : distance * distance;
    }
    UNROLL
    for (int half = PARTS / 2; half > 0; half /= 2)
        for (int p = 0; p < half; p++) part[p] += part[p + half];
    return part[0];
}

/* sum[v] = what up to four vectors add up to over pixels that lie X floats apart; WIDTH as above. Every fourth pixel
 * goes to the same sum, so that additions need not wait for one another. */
INLINE void pixel_sum(vf *sum, const float *x, const int pixels, const int X, const int VECTORS, const int WIDTH) {
    vf part[16];
    UNROLL
    for (int i = 0; i < 4 * VECTORS; i++) part[i] = vf_all(0);
    ROLLED
    for (int p = 0; p < pixels / 4 * 4; p += 4) {
        UNROLL
        for (int i = 0; i < 4 * VECTORS; i++) part[i] += vf_load_part(x + (p + i % 4) * X + i / 4 * LANES, WIDTH);
    }
    for (int v = 0; v < VECTORS; v++) {
        for (int p = 0; p < pixels % 4; p++)
            part[4 * v] += vf_load_part(x + (pixels / 4 * 4 + p) * X + v * LANES, WIDTH);
        sum[v] = (part[4 * v] + part[4 * v + 1]) + (part[4 * v + 2] + part[4 * v + 3]);
    }
}

/* What (x - centre) ^ POWER, 1 or 2, adds up to over pixels that lie X floats apart, for WIDTH channels of each. */
INLINE vf pixel_power(const float *x, vf centre, const int pixels, const int X, const int WIDTH, const int POWER) {
    vf part[4];
    UNROLL
    for (int i = 0; i < 4; i++) part[i] = vf_all(0);
    int p = 0;
    ROLLED
    for (; p < pixels / 4 * 4; p += 4) {
        UNROLL
        for (int i = 0; i < 4; i++) {
            const vf distance = vf_load_part(x + (p + i) * X, WIDTH) - centre;
            part[i] += POWER == 1 ? distance : distance * distance;
        }
    }
    for (; p < pixels; p++) {
        const vf distance = vf_load_part(x + p * X, WIDTH) - centre;
        part[0] += POWER == 1 ? distance : distance * distance;
    }
    return (part[0] + part[1]) + (part[2] + part[3]);
}

/* sums[c] = what (x[c] - centre[c]) ^ POWER of all pixels adds up to, some pixels first, for CHANNELS of each. */
INLINE void channel_powers(float *sums, const float *x, const float *centre, const int CHANNELS, const int pixels,
                           const int X, const int POWER) {
    enum { PART = 256 };
    for (int c = 0; c < CHANNELS; c += LANES) {
        const int whole = CHANNELS % LANES == 0 || c + LANES <= CHANNELS, rest = CHANNELS % LANES;
        const vf of = POWER == 1 ? vf_all(0) : whole ? vf_load(centre + c) : vf_load_part(centre + c, rest);
        vf sum = vf_all(0);
        for (int p = 0; p < pixels; p += PART) {
            const int count = pixels - p < PART ? pixels - p : PART;
            if (whole) sum += pixel_power(x + p * X + c, of, count, X, LANES, POWER);
            else sum += pixel_power(x + p * X + c, of, count, X, rest, POWER);
        }
        vf_store_part(sums + c, sum, whole ? LANES : rest);
    }
}

/* sum[k] += what the products of `count` numbers x with row k of w add up to, lane by lane; rows of w lie ROW floats
 * apart, and there are ROWS. */
INLINE void row_products(vf *sum, const float *x, const float *w, const int count, const int ROWS, const int ROW) {
    int i = 0;
    for (; i + LANES <= count; i += LANES) {
        UNROLL
        for (int k = 0; k < ROWS; k++) sum[k] += vf_load(x + i) * vf_load(w + k * ROW + i);
    }
    if (i < count) {
        UNROLL
        for (int k = 0; k < ROWS; k++)
            sum[k] += vf_load_part(x + i, count - i) * vf_load_part(w + k * ROW + i, count - i);
    }
}

/* sum[k * MANY + u] += what a row of KW taps, DW floats apart, makes of vector u behind `from` with row k of w; rows of
 * w lie ROW floats apart, and there are ROWS. */
INLINE void row_windows(vf *sum, const float *from, const float *w, const int ROWS, const int MANY, const int KW,
                        const int DW, const int ROW) {
    for (int kw = 0; kw < KW; kw++) {
        UNROLL
        for (int u = 0; u < MANY; u++) {
            const vf x = vf_load(from + kw * DW + u * LANES);
            UNROLL
            for (int k = 0; k < ROWS; k++) sum[k * MANY + u] += w[k * ROW + kw] * x;
        }
    }
}

/* sums[c] = what element c of all pixels adds up to, for a number of channels that is a multiple of LANES but for REST
 * of them. Pixels lie X floats apart. */
INLINE void sum_pixels(float *sums, const float *x, int channels, const int pixels, const int X, const int REST) {
    vf sum[2];
    int c = 0;
    for (; c + 2 * LANES <= channels; c += 2 * LANES) {
        pixel_sum(sum, x + c, pixels, X, 2, LANES);
        vf_store(sums + c, sum[0]), vf_store(sums + c + LANES, sum[1]);
    }
    for (; c + LANES <= channels; c += LANES) {
        pixel_sum(sum, x + c, pixels, X, 1, LANES);
        vf_store(sums + c, sum[0]);
    }
    if (REST != 0 && c < channels) {
        pixel_sum(sum, x + c, pixels, X, 1, REST);
        vf_store_part(sums + c, sum[0], REST);
    }
}

/* A product's tile that goes to memory: row r begins at to + r * TO, and of each row the first COLUMNS floats are made
 * and those behind them in the same vector are of no use. Row r of x begins at x + r * X. */
INLINE void tile_store(float *to, const float *x, const float *w, const int TO, const int ROWS, const int VECTORS,
                       const int COLUMNS, const int X, const int DEPTH, const int PANEL) {
    vf sum[32];
    UNROLL
    for (int i = 0; i < ROWS * VECTORS; i++) sum[i] = vf_all(0);
    tile_multiply_part(sum, x, NULL, w, ROWS, VECTORS, COLUMNS, X, DEPTH, PANEL, NULL, 0);
    UNROLL
    for (int i = 0; i < ROWS * VECTORS; i++) vf_store(to + i / VECTORS * TO + i % VECTORS * LANES, sum[i]);
}

/* Packs COLUMNS columns of a matrix as one panel [DEPTH][16], zeros behind the last: element (k, n) of it is at
 * k * ROW + n * COLUMN. */
INLINE void panel_pack(float *panel, const float *from, const int DEPTH, const int COLUMNS, const int ROW,
                       const int COLUMN) {
    int done = 0;
    if (COLUMN == 1 && COLUMNS == 16) {
        for (; done < DEPTH; done++)
            for (int n = 0; n < 16; n += LANES) vf_store(panel + done * 16 + n, vf_load(from + done * ROW + n));
    } else if (ROW == 1 && LANES > 1) {
        for (; done + LANES <= DEPTH; done += LANES)
            for (int left = 0; left < 16; left += LANES) {
                vf block[LANES];
                UNROLL
                for (int n = 0; n < LANES; n++)
                    block[n] = left + n < COLUMNS ? vf_load(from + (left + n) * COLUMN + done) : vf_all(0);
                vf_transpose(block);
                UNROLL
                for (int k = 0; k < LANES; k++) vf_store(panel + (done + k) * 16 + left, block[k]);
            }
    }
    for (int n = 0; n < COLUMNS; n++)
        for (int k = done; k < DEPTH; k++) panel[k * 16 + n] = (from + n * COLUMN)[k * ROW];
    for (int k = done; k < DEPTH; k++)
        for (int n = COLUMNS; n < 16; n++) panel[k * 16 + n] = 0;
}

#endif
