/* Products of matrices: Gemm, MatMul, and what is written with them.
 * Operands are read with strides, so that a transposed one needs no copy. */
#include "runtime/kernel.h"

/* Gemm and MatMul: y = alpha * a b + beta * c, for BATCH pairs of matrices.
 * a [M][K]: element (m, k) is at m * AM + k * AK, the next matrix AB later (0: the same one)
 * b [K][N]: element (k, n) is at k * BK + n * BN, the next matrix BB later
 * c: element (m, n) is at m * CM + n * CN, or c is NULL   y [BATCH][M][N]   scratch [K][16]
 * 16 columns of b at a time are copied to a panel, and multiplied by four rows of a, whose 64 sums stay in registers.
 * name: gemm_{M}x{K}x{N}
 * items: BATCH * ((N + 15) / 16)
 * scratch: K * 16
 * types: floats */
KERNEL void gemm(const T *restrict a, const T *restrict b, const T *restrict c, A *restrict scratch, T *restrict y,
                 const A alpha, const A beta, const int first, const int last, const int BATCH, const int M,
                 const int K, const int N, const int AB, const int AM, const int AK, const int BB, const int BK,
                 const int BN, const int CM, const int CN) {
    const int panels = (N + 15) / 16;
    for (int item = first; item < last; item++) {
        const int batch = item / panels, left = item % panels * 16, width = N - left < 16 ? N - left : 16;
        const T *const columns = b + batch * BB + left * BN;
        for (int k = 0; k < K; k++) {
            A *const to = scratch + k * 16;
            if (width == 16)
                for (int j = 0; j < 16; j++) to[j] = LOAD(columns[k * BK + j * BN]);
            else
                for (int j = 0; j < width; j++) to[j] = LOAD(columns[k * BK + j * BN]);
            for (int j = width; j < 16; j++) to[j] = 0;
        }
        for (int m = 0; m < M; m += 4) { /* rows after the last repeat it, and are not stored */
            const T *const a0 = a + batch * AB + m * AM, *const a1 = a0 + (m + 1 < M ? AM : 0);
            const T *const a2 = a1 + (m + 2 < M ? AM : 0), *const a3 = a2 + (m + 3 < M ? AM : 0);
            A sum[4][16] = {{0}};
            for (int k = 0; k < K; k++) {
                const A v0 = LOAD(a0[k * AK]), v1 = LOAD(a1[k * AK]), v2 = LOAD(a2[k * AK]), v3 = LOAD(a3[k * AK]);
                for (int j = 0; j < 16; j++) {
                    const A v = scratch[k * 16 + j];
                    sum[0][j] += v0 * v;
                    sum[1][j] += v1 * v;
                    sum[2][j] += v2 * v;
                    sum[3][j] += v3 * v;
                }
            }
            for (int r = 0; r < 4 && m + r < M; r++)
                for (int j = 0; j < width; j++) {
                    const A added = c == NULL ? 0 : beta * LOAD(c[(m + r) * CM + (left + j) * CN]);
                    OUT(y, (batch * M + m + r) * N + left + j, alpha * sum[r][j] + added);
                }
        }
    }
}

/* Gemm and MatMul with few rows: as gemm, but b, whose rows are contiguous (BN = 1), is read once, in its order.
 * a [M][K]: element (m, k) is at m * AM + k * AK, the next matrix AB later (0: the same one)
 * b [K][N]: element (k, n) is at k * BK + n, the next matrix BB later
 * c: element (m, n) is at m * CM + n * CN, or c is NULL   y [BATCH][M][N]
 * name: gemm_row_{M}x{K}x{N}
 * items: BATCH * M * ((N + 63) / 64)
 * types: floats */
KERNEL void gemm_row(const T *restrict a, const T *restrict b, const T *restrict c, T *restrict y, const A alpha,
                     const A beta, const int first, const int last, const int BATCH, const int M, const int K,
                     const int N, const int AB, const int AM, const int AK, const int BB, const int BK, const int CM,
                     const int CN) {
    const int parts = (N + 63) / 64;
    for (int item = first; item < last; item++) {
        const int bm = item / parts, left = item % parts * 64, width = N - left < 64 ? N - left : 64;
        const int batch = bm / M, m = bm % M;
        A sum[64] = {0};
        for (int k = 0; k < K; k++) {
            const A v = LOAD(a[batch * AB + m * AM + k * AK]);
            const T *const row = b + batch * BB + k * BK + left;
            if (width == 64)
                for (int j = 0; j < 64; j++) sum[j] += v * LOAD(row[j]);
            else
                for (int j = 0; j < width; j++) sum[j] += v * LOAD(row[j]);
        }
        for (int j = 0; j < width; j++) {
            const A added = c == NULL ? 0 : beta * LOAD(c[m * CM + (left + j) * CN]);
            OUT(y, bm * N + left + j, alpha * sum[j] + added);
        }
    }
}

/* Gemm and MatMul with few rows or columns, where a's rows and b's columns are contiguous (AK = BK = 1): an inner
 * product each, in 16 partial sums.
 * a [M][K]: element (m, k) is at m * AM + k, the next matrix AB later (0: the same one)
 * b [K][N]: element (k, n) is at k + n * BN, the next matrix BB later
 * c: element (m, n) is at m * CM + n * CN, or c is NULL   y [BATCH][M][N]
 * name: gemm_inner_{M}x{K}x{N}
 * items: BATCH * M * N
 * types: floats */
KERNEL void gemm_inner(const T *restrict a, const T *restrict b, const T *restrict c, T *restrict y, const A alpha,
                       const A beta, const int first, const int last, const int BATCH, const int M, const int K,
                       const int N, const int AB, const int AM, const int BB, const int BN, const int CM,
                       const int CN) {
    for (int item = first; item < last; item++) {
        const int batch = item / N / M, m = item / N % M, n = item % N;
        const T *const row = a + batch * AB + m * AM, *const column = b + batch * BB + n * BN;
        A sum[16] = {0};
        for (int k = 0; k < K / 16 * 16; k += 16)
            for (int j = 0; j < 16; j++) sum[j] += LOAD(row[k + j]) * LOAD(column[k + j]);
        for (int k = K / 16 * 16; k < K; k++) sum[k % 16] += LOAD(row[k]) * LOAD(column[k]);
        const A added = c == NULL ? 0 : beta * LOAD(c[m * CM + n * CN]);
        OUT(y, item, alpha * F(sum16)(sum) + added);
    }
}

/* Gemm with alpha = beta = 1, and MatMul, of integers: y = a b + c, where sums wrap around.
 * a [M][K]: element (m, k) is at m * AM + k * AK, the next matrix AB later (0: the same one)
 * b [K][N]: element (k, n) is at k * BK + n * BN, the next matrix BB later
 * c: element (m, n) is at m * CM + n * CN, or c is NULL   y [BATCH][M][N]
 * name: gemm_integer_{M}x{K}x{N}
 * types: int32 int64 uint32 uint64 */
KERNEL void gemm_integer(const T *restrict a, const T *restrict b, const T *restrict c, T *restrict y, const int BATCH,
                         const int M, const int K, const int N, const int AB, const int AM, const int AK, const int BB,
                         const int BK, const int BN, const int CM, const int CN) {
    for (int bm = 0; bm < BATCH * M; bm++)
        for (int n = 0; n < N; n++) {
            const int m = bm % M;
            const T *const row = a + bm / M * AB + m * AM, *const column = b + bm / M * BB + n * BN;
            U sum = c == NULL ? 0 : (U)c[m * CM + n * CN];
            for (int k = 0; k < K; k++) sum += (U)row[k * AK] * (U)column[k * BK];
            OUT(y, bm * N + n, (A)sum);
        }
}
