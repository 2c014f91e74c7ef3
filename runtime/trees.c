/* Trees: sums over the leaves that rows of features come to. */
#include "runtime/kernel.h"

/* Tree ensembles: each of TREES decision trees is walked down from its root, and what its leaf gives is gathered for
 * each target. A node is the number of its feature, its comparison (0 to 5: <=, <, >=, >, ==, !=), whether NaN goes the
 * true branch, and the nodes of the true and the false branch; one that is below 0 is leaf -1 - node. A leaf gives the
 * weights from leaves[leaf] on, before leaves[leaf + 1]. AGGREGATE is 0 for the mean over all trees, 1 for the sum, 2
 * for the least and 3 for the largest; a target that no leaf gives anything is 0.
 * x [BATCH][FEATURES]   nodes [][5]   thresholds: of each node   roots [TREES]   targets, weights: of what leaves give
 * scratch [TARGETS]   y [BATCH][TARGETS]
 * items: BATCH
 * scratch: TARGETS
 * name: trees_{BATCH}x{FEATURES}_{TREES}_{TARGETS}
 * types: floats */
KERNEL void trees(const T *restrict x, const int32_t *restrict nodes, const T *restrict thresholds,
                  const int32_t *restrict roots, const int32_t *restrict leaves, const int32_t *restrict targets,
                  const T *restrict weights, A *restrict scratch, T *restrict y, const int first, const int last,
                  const int BATCH, const int FEATURES, const int TREES, const int TARGETS, const int AGGREGATE) {
    for (int b = first; b < last; b++) {
        for (int t = 0; t < TARGETS; t++) scratch[t] = AGGREGATE < 2 ? 0 : NAN; /* NaN: nothing yet */
        for (int t = 0; t < TREES; t++) {
            int at = roots[t];
            while (at >= 0) {
                const int32_t *node = nodes + at * 5;
                const A value = LOAD(x[b * FEATURES + node[0]]), threshold = LOAD(thresholds[at]);
                const int holds = node[1] == 0   ? value <= threshold
                                  : node[1] == 1 ? value < threshold
                                  : node[1] == 2 ? value >= threshold
                                  : node[1] == 3 ? value > threshold
                                  : node[1] == 4 ? value == threshold
                                                 : value != threshold;
                at = holds || (node[2] && is_nan((double)value)) ? node[3] : node[4];
            }
            for (int i = leaves[-1 - at]; i < leaves[-at]; i++) {
                A *const gathered = scratch + targets[i];
                const A weight = LOAD(weights[i]);
                if (AGGREGATE < 2) *gathered += weight;
                else if (is_nan((double)*gathered) || (AGGREGATE == 2 ? weight < *gathered : weight > *gathered))
                    *gathered = weight;
            }
        }
        for (int t = 0; t < TARGETS; t++) {
            const A gathered = AGGREGATE == 0 ? scratch[t] / (A)TREES : scratch[t];
            OUT(y, b * TARGETS + t, AGGREGATE >= 2 && is_nan((double)gathered) ? 0 : gathered);
        }
    }
}
