/* Unpooling: kernels that put back into a map what a window has taken from it. */
#include "runtime/kernel.h"

/* MaxUnpool: each element at its index, zeros elsewhere; of several the last one stays. An index that is out of range
 * is passed over.
 * x, indices [COUNT]   y [SIZE]
 * name: max_unpool_{COUNT}_{SIZE}
 * types: floats */
KERNEL void max_unpool(const T *restrict x, const int64_t *restrict indices, T *restrict y, const int COUNT,
                       const int SIZE) {
    for (int i = 0; i < SIZE; i++) y[i] = 0;
    for (int i = 0; i < COUNT; i++)
        if (indices[i] >= 0 && indices[i] < SIZE) y[indices[i]] = x[i];
}

/* Col2Im: each element of a map is the sum of what the blocks that it is in hold of it, BD x BH x BW of them.
 * x [C][KD][KH][KW][BD][BH][BW]   y [C][D][H][W]; fewer dimensions have D = 1, and H = 1
 * Strides SD, SH, SW; dilations DD, DH, DW; PD planes, PH rows and PW columns lie in front of the map.
 * name: col2im{KD}x{KH}x{KW}_{C}_{D}x{H}x{W}
 * items: C
 * types: floats */
KERNEL void col2im(const T *restrict x, T *restrict y, const int first, const int last, const int C, const int D,
                   const int H, const int W, const int BD, const int BH, const int BW, const int KD, const int KH,
                   const int KW, const int SD, const int SH, const int SW, const int DD, const int DH, const int DW,
                   const int PD, const int PH, const int PW) {
    for (int i = first * D * H * W; i < last * D * H * W; i++) {
        const int d = i / (H * W) % D + PD, h = i / W % H + PH, v = i % W + PW;
        const T *const blocks = x + i / (D * H * W) * KD * KH * KW * BD * BH * BW;
        A sum = 0;
        for (int tap = 0; tap < KD * KH * KW; tap++) {
            const int back = d - tap / (KH * KW) * DD, down = h - tap / KW % KH * DH, right = v - tap % KW * DW;
            if (back < 0 || down < 0 || right < 0 || back % SD != 0 || down % SH != 0 || right % SW != 0) continue;
            if (back / SD >= BD || down / SH >= BH || right / SW >= BW) continue;
            sum += LOAD(blocks[((tap * BD + back / SD) * BH + down / SH) * BW + right / SW]);
        }
        OUT(y, i, sum);
    }
}
