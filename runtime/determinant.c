/* Determinants by Gaussian elimination with partial pivoting (Golub and Van Loan, Matrix Computations, section 3.4).
 * The largest element of a column becomes its pivot, so that no multiplier is above one. */
#include "runtime/kernel.h"

/* Det: the determinant of each matrix.
 * x [BATCH][N][N]   work [N][N]   y [BATCH]
 * name: determinant_{BATCH}x{N}
 * types: floats */
KERNEL void determinant(const T *restrict x, A *restrict work, T *restrict y, const int BATCH, const int N) {
    for (int b = 0; b < BATCH; b++) {
        A product = 1;
        for (int i = 0; i < N * N; i++) work[i] = LOAD(x[b * N * N + i]);
        for (int k = 0; k < N; k++) {
            int pivot = k;
            for (int i = k + 1; i < N; i++)
                if (F(fabs)(work[i * N + k]) > F(fabs)(work[pivot * N + k])) pivot = i;
            for (int j = k; j < N && pivot != k; j++) {
                const A swapped = work[k * N + j];
                work[k * N + j] = work[pivot * N + j];
                work[pivot * N + j] = swapped;
            }
            if (pivot != k) product = -product;
            product *= work[k * N + k];
            for (int i = k + 1; i < N && work[k * N + k] != 0; i++) {
                const A factor = work[i * N + k] / work[k * N + k];
                for (int j = k + 1; j < N; j++) work[i * N + j] -= factor * work[k * N + j];
            }
        }
        OUT(y, b, product);
    }
}
