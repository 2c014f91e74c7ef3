/* Lowering: nodes become steps.
 * An operator's row says how; elementwise ones have a formula and are lowered here. */
#ifndef FOVEA_PASSES_LOWER_H
#define FOVEA_PASSES_LOWER_H

#include "program/program.h"

/* Lowers every node of a graph. Reports all values whose shape is not known, with what to give, and fails if there are
 * any. */
Program *lower_graph(Graph *graph);

/* Computes a node whose inputs are all constant, setting its outputs' .constant. Returns false where it cannot. */
bool fold_node(Node *node);

#endif
