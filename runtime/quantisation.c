/* Products and convolutions of 8-bit integers, whose sums are 32-bit integers, or scaled back to 8 bits.
 * Signed bytes are read as unsigned ones with their highest bit flipped, and so are their zero points: the differences
 * are the same. */
#include "runtime/kernel.h"

/* MatMulInteger and QLinearMatMul, for BATCH pairs of matrices: s = (a - a_zero) (b - b_zero), and y = s, or where
 * there is a factor y = s * factor + y_zero, rounded to nearest, ties to even, and kept to what T holds.
 * a [M][K], the next matrix AB later (0: the same one); b [K][N], the next matrix BB later   y [BATCH][M][N]
 * a_zero: one, or one for each row (AZ = 1); b_zero: one, or one for each column (BZ = 1)   y_zero: one; NULL: 0
 * factor: element (m, n) is at m * FM + n * FN   scratch [K][16]
 * AFLIP, BFLIP and YFLIP are 128 where a, b and y are signed, else 0. 16 columns of b at a time become floats.
 * name: product_bytes_{M}x{K}x{N}
 * items: BATCH * ((N + 15) / 16)
 * scratch: K * 16
 * types: int8 uint8 int32 */
KERNEL void product_bytes(const void *restrict a, const void *restrict b, const void *restrict a_zero,
                          const void *restrict b_zero, const float *restrict factor, const void *restrict y_zero,
                          float *restrict scratch, T *restrict y, const int first, const int last, const int BATCH,
                          const int M, const int K, const int N, const int AB, const int BB, const int AZ, const int BZ,
                          const int FM, const int FN, const int AFLIP, const int BFLIP, const int YFLIP) {
    const uint8_t *const left = a, *const right = b, *const left_zero = a_zero, *const right_zero = b_zero;
    const int after = y_zero == NULL ? YFLIP : *(const uint8_t *)y_zero ^ YFLIP, panels = (N + 15) / 16;
    for (int item = first; item < last; item++) {
        const int batch = item / panels, at = item % panels * 16, width = N - at < 16 ? N - at : 16;
        int from[16]; /* the columns' zero points */
        for (int j = 0; j < 16; j++)
            from[j] = b_zero == NULL ? BFLIP : right_zero[j < width ? (at + j) * BZ : 0] ^ BFLIP;
        for (int k = 0; k < K; k++) {
            const uint8_t *const row = right + batch * BB + k * N + at;
            if (width == 16)
                for (int j = 0; j < 16; j++) scratch[k * 16 + j] = (float)((row[j] ^ BFLIP) - from[j]);
            else
                for (int j = 0; j < 16; j++) scratch[k * 16 + j] = j < width ? (float)((row[j] ^ BFLIP) - from[j]) : 0;
        }
        for (int m = 0; m < M; m += 4) { /* rows after the last repeat it, and are not stored */
            const uint8_t *rows[4];
            int zeros[4];
            uint32_t sums[4][16] = {{0}};
            for (int r = 0; r < 4; r++) {
                const int row = m + r < M ? m + r : M - 1;
                rows[r] = left + batch * AB + row * K;
                zeros[r] = a_zero == NULL ? AFLIP : left_zero[row * AZ] ^ AFLIP;
            }
            bytes_multiply(sums, rows, zeros, AFLIP, scratch, K);
            for (int r = 0; r < 4 && m + r < M; r++)
                for (int j = 0; j < width; j++) {
                    const int32_t sum = (int32_t)sums[r][j];
                    T *const to = y + (batch * M + m + r) * N + at + j;
                    if (factor == NULL) *to = (T)sum;
                    else *to = (T)(byte_from_sum(sum, factor[(m + r) * FM + (at + j) * FN], after) - YFLIP);
                }
        }
    }
}

/* The same with few rows, 64 columns at a time: b is read once for each row, in its order, and stays integers.
 * a [M][K], the next matrix AB later (0: the same one); b [K][N], the next matrix BB later   y [BATCH][M][N]
 * name: product_bytes_row_{M}x{K}x{N}
 * items: BATCH * M * ((N + 63) / 64)
 * types: int8 uint8 int32 */
KERNEL void product_bytes_row(const void *restrict a, const void *restrict b, const void *restrict a_zero,
                              const void *restrict b_zero, const float *restrict factor, const void *restrict y_zero,
                              T *restrict y, const int first, const int last, const int BATCH, const int M, const int K,
                              const int N, const int AB, const int BB, const int AZ, const int BZ, const int FM,
                              const int FN, const int AFLIP, const int BFLIP, const int YFLIP) {
    const uint8_t *const left_zero = a_zero, *const right_zero = b_zero;
    const int after = y_zero == NULL ? YFLIP : *(const uint8_t *)y_zero ^ YFLIP, groups = (N + 63) / 64;
    for (int item = first; item < last; item++) {
        const int bm = item / groups, m = bm % M, at = item % groups * 64, width = N - at < 64 ? N - at : 64;
        const uint8_t *const row = (const uint8_t *)a + bm / M * AB + m * K;
        const uint8_t *const columns = (const uint8_t *)b + bm / M * BB + at;
        const int before = a_zero == NULL ? AFLIP : left_zero[m * AZ] ^ AFLIP;
        int zeros[64];
        uint32_t sum[64] = {0};
        for (int j = 0; j < width; j++) zeros[j] = b_zero == NULL ? BFLIP : right_zero[(at + j) * BZ] ^ BFLIP;
        for (int k = 0; k < K; k++) {
            const int v = (row[k] ^ AFLIP) - before;
            for (int j = 0; j < width; j++) sum[j] += (uint32_t)(v * ((columns[k * N + j] ^ BFLIP) - zeros[j]));
        }
        for (int j = 0; j < width; j++) {
            T *const to = y + bm * N + at + j;
            if (factor == NULL) *to = (T)(int32_t)sum[j];
            else *to = (T)(byte_from_sum((int32_t)sum[j], factor[m * FM + (at + j) * FN], after) - YFLIP);
        }
    }
}

/* ConvInteger and QLinearConv in three dimensions (fewer: D = 1, H = 1), in G groups: each output is the sum s of a
 * window of x - x_zero times w - w_zero, plus a bias, and y = s, or where there is a factor y = s * factor + y_zero,
 * rounded to nearest, ties to even, and kept to what T holds.
 * x [N][C][D][H][W]   w [K][C/G][KD][KH][KW]   bias [K] or NULL   y [N][K][OD][OH][OW]
 * x_zero and y_zero: one; w_zero: one, or one for each k (WZ = 1); NULL: 0   factor: one, one for each k (FK = 1), or
 * NULL   scratch [C/G*KD*KH*KW][16]
 * Strides SD, SH, SW; dilations DD, DH, DW; PD, PH and PW zeros in front of the first plane, row and column.
 * XFLIP, WFLIP and YFLIP are 128 where x, w and y are signed, else 0. What 16 neighbouring outputs read becomes floats.
 * name: conv_bytes{KD}x{KH}x{KW}_{C}_{K}_{OD}x{OH}x{OW}
 * items: N * G * ((OD * OH * OW + 15) / 16)
 * scratch: C / G * KD * KH * KW * 16
 * types: int8 uint8 int32 */
KERNEL void conv_bytes(const void *restrict x, const void *restrict w, const int32_t *restrict bias,
                       const void *restrict x_zero, const void *restrict w_zero, const float *restrict factor,
                       const void *restrict y_zero, float *restrict scratch, T *restrict y, const int first,
                       const int last, const int N, const int C, const int D, const int H, const int W, const int K,
                       const int OD, const int OH, const int OW, const int G, const int KD, const int KH, const int KW,
                       const int SD, const int SH, const int SW, const int DD, const int DH, const int DW, const int PD,
                       const int PH, const int PW, const int WZ, const int FK, const int XFLIP, const int WFLIP,
                       const int YFLIP) {
    const uint8_t *const weights = w, *const weights_zero = w_zero;
    const int channels = C / G, rows = K / G, taps = KD * KH * KW, outputs = OD * OH * OW, groups = (outputs + 15) / 16;
    const int before = x_zero == NULL ? XFLIP : *(const uint8_t *)x_zero ^ XFLIP;
    const int after = y_zero == NULL ? YFLIP : *(const uint8_t *)y_zero ^ YFLIP;
    for (int item = first; item < last; item++) {
        const int n = item / groups / G, g = item / groups % G, at = item % groups * 16;
        const uint8_t *const in = (const uint8_t *)x + (n * C + g * channels) * D * H * W;
        const int width = outputs - at < 16 ? outputs - at : 16;
        int front[16], top[16], left[16];
        for (int j = 0; j < 16; j++) {
            front[j] = (at + j) / (OH * OW) * SD - PD;
            top[j] = (at + j) / OW % OH * SH - PH;
            left[j] = (at + j) % OW * SW - PW;
        }
        for (int tap = 0; tap < taps; tap++) {
            const int kd = tap / (KH * KW) * DD, kh = tap / KW % KH * DH, kw = tap % KW * DW;
            int from[16], adjacent = 1; /* from: within a channel; -1: a zero */
            for (int j = 0; j < 16; j++) {
                const int d = front[j] + kd, h = top[j] + kh, v = left[j] + kw;
                const int inside = d >= 0 && d < D && h >= 0 && h < H && v >= 0 && v < W;
                from[j] = j < width && inside ? (d * H + h) * W + v : -1;
                adjacent &= from[0] >= 0 && from[j] == from[0] + j;
            }
            for (int c = 0; c < channels; c++) {
                const uint8_t *const map = in + c * D * H * W;
                float *const to = scratch + (c * taps + tap) * 16;
                if (adjacent)
                    for (int j = 0; j < 16; j++) to[j] = (float)((map[from[0] + j] ^ XFLIP) - before);
                else
                    for (int j = 0; j < 16; j++) to[j] = from[j] < 0 ? 0 : (float)((map[from[j]] ^ XFLIP) - before);
            }
        }
        for (int k = g * rows; k < (g + 1) * rows; k += 4) {
            const int end = (g + 1) * rows - 1; /* rows after it repeat it, and are not stored */
            const uint8_t *row[4];
            int zeros[4];
            uint32_t sums[4][16] = {{0}};
            for (int r = 0; r < 4; r++) {
                const int of = k + r < end ? k + r : end;
                row[r] = weights + of * channels * taps;
                zeros[r] = w_zero == NULL ? WFLIP : weights_zero[of * WZ] ^ WFLIP;
            }
            if (rows == 1) bytes_multiply_row(sums[0], row[0], zeros[0], WFLIP, scratch, channels * taps);
            else bytes_multiply(sums, row, zeros, WFLIP, scratch, channels * taps);
            for (int r = 0; r < 4 && k + r <= end; r++)
                for (int j = 0; j < width; j++) {
                    const uint32_t shift = bias == NULL ? 0 : (uint32_t)bias[k + r];
                    const int32_t sum = (int32_t)(sums[r][j] + shift);
                    T *const to = y + (n * K + k + r) * outputs + at + j;
                    if (factor == NULL) *to = (T)sum;
                    else *to = (T)(byte_from_sum(sum, factor[(k + r) * FK], after) - YFLIP);
                }
        }
    }
}
