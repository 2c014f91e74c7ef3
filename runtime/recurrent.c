/* Recurrent layers: what LSTM, GRU and RNN do from one step of a sequence to the next (ONNX, of the same names).
 * What the inputs add to the gates comes as x, computed for all steps before; here are the products with the state. A
 * sequence of no steps ends with states of zeros, as in ONNX Runtime. What is in scratch begins at whole vectors: GCC
 * 12 with -O3 gives wrong sums where it finds two such arrays side by side and makes one vector of both. */
#include "runtime/kernel.h"

/* One direction of an LSTM with peepholes (Gers and Schmidhuber 2000): with the gates' sums i, o, f and c,
 *   C = f(f) C + f(i) g(c), H = f(o) h(C); peephole has rows for i and f, times the C before, and for o, times the new.
 * x: four rows [HIDDEN] i, o, f, c of step t and sequence n, at t * XT + n * XN, biases added
 * w [HIDDEN][4 HIDDEN]: what each element of H adds to them   peephole [3][HIDDEN] or NULL
 * lengths [N]: steps of each sequence, or NULL: STEPS   h0, c0, hidden, cell: before and after, at n * STATE, or NULL
 * y: H after step t at t * YT + n * YN, zeros behind the end of a sequence, or NULL   scratch: gates [4], H, C
 * REVERSE: from the last step to the first   COUPLED: 1 - f(i) in place of f(f)
 * name: lstm_{STEPS}x{HIDDEN}
 * items: N
 * scratch: (HIDDEN + 15) / 16 * 96
 * types: floats */
KERNEL void lstm(const T *restrict x, const T *restrict w, const T *restrict peephole, const int32_t *restrict lengths,
                 const T *restrict h0, const T *restrict c0, A *restrict scratch, T *restrict y, T *restrict hidden,
                 T *restrict cell, FORMULA f, FORMULA g, FORMULA h, const int first, const int last, const int STEPS,
                 const int N, const int HIDDEN, const int XT, const int XN, const int YT, const int YN, const int STATE,
                 const int REVERSE, const int COUPLED) {
    const int room = (HIDDEN + 15) / 16 * 16;
    A *const gates = scratch, *const state = gates + 4 * room, *const memory = state + room;
    for (int n = first; n < last; n++) {
        const int length = lengths == NULL || lengths[n] > STEPS ? STEPS : lengths[n] < 0 ? 0 : lengths[n];
        for (int j = 0; j < HIDDEN; j++) {
            state[j] = h0 == NULL || length == 0 ? 0 : LOAD(h0[n * STATE + j]);
            memory[j] = c0 == NULL || length == 0 ? 0 : LOAD(c0[n * STATE + j]);
        }
        for (int s = 0; s < length; s++) {
            const int t = REVERSE ? length - 1 - s : s;
            for (int i = 0; i < 4 * HIDDEN; i++) gates[i] = LOAD(x[t * XT + n * XN + i]);
            for (int k = 0; k < HIDDEN; k++) {
                const A before = state[k];
                for (int i = 0; i < 4 * HIDDEN; i++) gates[i] += before * LOAD(w[k * 4 * HIDDEN + i]);
            }
            for (int j = 0; j < HIDDEN; j++) {
                A in = gates[j], out = gates[HIDDEN + j], keep = gates[2 * HIDDEN + j], update, seen;
                if (peephole != NULL) in += LOAD(peephole[j]) * memory[j];
                if (peephole != NULL) keep += LOAD(peephole[2 * HIDDEN + j]) * memory[j];
                APPLY(f, in, in);
                APPLY(f, keep, keep);
                APPLY(g, update, gates[3 * HIDDEN + j]);
                memory[j] = (COUPLED ? 1 - in : keep) * memory[j] + in * update;
                if (peephole != NULL) out += LOAD(peephole[HIDDEN + j]) * memory[j];
                APPLY(f, out, out);
                APPLY(h, seen, memory[j]);
                state[j] = out * seen;
            }
            for (int j = 0; y != NULL && j < HIDDEN; j++) y[t * YT + n * YN + j] = STORE(state[j]);
        }
        for (int t = length; y != NULL && t < STEPS; t++)
            for (int j = 0; j < HIDDEN; j++) y[t * YT + n * YN + j] = STORE(0);
        for (int j = 0; hidden != NULL && j < HIDDEN; j++) hidden[n * STATE + j] = STORE(state[j]);
        for (int j = 0; cell != NULL && j < HIDDEN; j++) cell[n * STATE + j] = STORE(memory[j]);
    }
}

/* One direction of a GRU (Cho et al. 2014): with the gates' sums z, r and h, of which h sees f(r) H in place of H,
 *   H = (1 - f(z)) g(h) + f(z) H. LINEAR: f(r) is multiplied by what H adds to h, and by bias, instead.
 * x: three rows [HIDDEN] z, r, h of step t and sequence n, at t * XT + n * XN, biases added but for `bias`
 * w [HIDDEN][3 HIDDEN]: what each element of H adds to them   bias [HIDDEN] or NULL
 * lengths [N]: steps of each sequence, or NULL: STEPS   h0, hidden: H before and after, at n * STATE, or NULL
 * y: H after step t at t * YT + n * YN, zeros behind the end of a sequence, or NULL   scratch: gates [3], H, f(r) H
 * REVERSE: from the last step to the first
 * name: gru_{STEPS}x{HIDDEN}
 * items: N
 * scratch: (HIDDEN + 15) / 16 * 80
 * types: floats */
KERNEL void gru(const T *restrict x, const T *restrict w, const T *restrict bias, const int32_t *restrict lengths,
                const T *restrict h0, A *restrict scratch, T *restrict y, T *restrict hidden, FORMULA f, FORMULA g,
                const int first, const int last, const int STEPS, const int N, const int HIDDEN, const int XT,
                const int XN, const int YT, const int YN, const int STATE, const int REVERSE, const int LINEAR) {
    const int room = (HIDDEN + 15) / 16 * 16;
    A *const gates = scratch, *const news = gates + 2 * room, *const state = news + room, *const heard = state + room;
    for (int n = first; n < last; n++) {
        const int length = lengths == NULL || lengths[n] > STEPS ? STEPS : lengths[n] < 0 ? 0 : lengths[n];
        for (int j = 0; j < HIDDEN; j++) state[j] = h0 == NULL || length == 0 ? 0 : LOAD(h0[n * STATE + j]);
        for (int s = 0; s < length; s++) {
            const int t = REVERSE ? length - 1 - s : s;
            const T *const row = x + t * XT + n * XN;
            for (int i = 0; i < 2 * HIDDEN; i++) gates[i] = LOAD(row[i]);
            for (int k = 0; k < HIDDEN; k++) {
                const A before = state[k];
                for (int i = 0; i < 2 * HIDDEN; i++) gates[i] += before * LOAD(w[k * 3 * HIDDEN + i]);
            }
            for (int j = 0; j < HIDDEN; j++) {
                APPLY(f, gates[j], gates[j]);
                APPLY(f, gates[HIDDEN + j], gates[HIDDEN + j]);
                heard[j] = LINEAR ? state[j] : gates[HIDDEN + j] * state[j];
                news[j] = LINEAR ? 0 : LOAD(row[2 * HIDDEN + j]);
                if (bias != NULL) news[j] += LOAD(bias[j]);
            }
            for (int k = 0; k < HIDDEN; k++) {
                const A before = heard[k];
                for (int j = 0; j < HIDDEN; j++) news[j] += before * LOAD(w[(k * 3 + 2) * HIDDEN + j]);
            }
            for (int j = 0; j < HIDDEN; j++) {
                A new = LINEAR ? LOAD(row[2 * HIDDEN + j]) + gates[HIDDEN + j] * news[j] : news[j];
                APPLY(g, new, new);
                state[j] = (1 - gates[j]) * new + gates[j] * state[j];
            }
            for (int j = 0; y != NULL && j < HIDDEN; j++) y[t * YT + n * YN + j] = STORE(state[j]);
        }
        for (int t = length; y != NULL && t < STEPS; t++)
            for (int j = 0; j < HIDDEN; j++) y[t * YT + n * YN + j] = STORE(0);
        for (int j = 0; hidden != NULL && j < HIDDEN; j++) hidden[n * STATE + j] = STORE(state[j]);
    }
}

/* One direction of a simple recurrent layer (Elman 1990): H = f(x + H w).
 * x: the sums [HIDDEN] of step t and sequence n, at t * XT + n * XN, biases added
 * w [HIDDEN][HIDDEN]: what each element of H adds to them
 * lengths [N]: steps of each sequence, or NULL: STEPS   h0, hidden: H before and after, at n * STATE, or NULL
 * y: H after step t at t * YT + n * YN, zeros behind the end of a sequence, or NULL   scratch: sums, H
 * REVERSE: from the last step to the first
 * name: rnn_{STEPS}x{HIDDEN}
 * items: N
 * scratch: (HIDDEN + 15) / 16 * 32
 * types: floats */
KERNEL void rnn(const T *restrict x, const T *restrict w, const int32_t *restrict lengths, const T *restrict h0,
                A *restrict scratch, T *restrict y, T *restrict hidden, FORMULA f, const int first, const int last,
                const int STEPS, const int N, const int HIDDEN, const int XT, const int XN, const int YT, const int YN,
                const int STATE, const int REVERSE) {
    A *const sums = scratch, *const state = scratch + (HIDDEN + 15) / 16 * 16;
    for (int n = first; n < last; n++) {
        const int length = lengths == NULL || lengths[n] > STEPS ? STEPS : lengths[n] < 0 ? 0 : lengths[n];
        for (int j = 0; j < HIDDEN; j++) state[j] = h0 == NULL || length == 0 ? 0 : LOAD(h0[n * STATE + j]);
        for (int s = 0; s < length; s++) {
            const int t = REVERSE ? length - 1 - s : s;
            for (int j = 0; j < HIDDEN; j++) sums[j] = LOAD(x[t * XT + n * XN + j]);
            for (int k = 0; k < HIDDEN; k++) {
                const A before = state[k];
                for (int j = 0; j < HIDDEN; j++) sums[j] += before * LOAD(w[k * HIDDEN + j]);
            }
            for (int j = 0; j < HIDDEN; j++) {
                APPLY(f, state[j], sums[j]);
            }
            for (int j = 0; y != NULL && j < HIDDEN; j++) y[t * YT + n * YN + j] = STORE(state[j]);
        }
        for (int t = length; y != NULL && t < STEPS; t++)
            for (int j = 0; j < HIDDEN; j++) y[t * YT + n * YN + j] = STORE(0);
        for (int j = 0; hidden != NULL && j < HIDDEN; j++) hidden[n * STATE + j] = STORE(state[j]);
    }
}
