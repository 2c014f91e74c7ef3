/* Lowering: nodes become steps.
 * An operator's row says how; elementwise ones have a formula and are lowered here. */
#ifndef FOVEA_PASSES_LOWER_H
#define FOVEA_PASSES_LOWER_H

#include "passes/pass.h"
#include "program/program.h"

/* Lowers every node of a graph. Reports all values whose shape is not known, with what to give, and fails if there are
 * any. */
Program *lower_graph(Graph *graph, const PassOptions *options);

/* Whether all that a node reads has a known shape: an unknown one of its outputs is of its own making. */
bool reads_known_shapes(const Node *node);

/* What may still be computed while compiling, so that a small model neither grows without bound nor takes forever. */
typedef struct {
    int64_t bytes; /* of constants made */
    int64_t work;  /* multiply-adds, or elements touched */
} FoldBudget;

/* For a whole model: 64 MiB and 16 times its constants; a few seconds of work. */
FoldBudget fold_budget(const Graph *graph);

/* Computes a node whose inputs are all constant, setting its outputs' .constant. Returns false where it cannot, or
 * where that is beyond the budget: generated code computes it then. */
bool fold_node(Node *node, FoldBudget *budget);

#endif
