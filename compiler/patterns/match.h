/* Match: whether a part of a graph is a block, found by trying a pattern backwards from its last value.
 * What no pattern has to say is enforced here: inner values are used nowhere else, and no node is in two blocks. */
#ifndef FOVEA_PATTERNS_MATCH_H
#define FOVEA_PATTERNS_MATCH_H

#include "graph/graph.h"
#include "patterns/pattern.h"

typedef struct {
    Value **tensors; /* by the pattern's number; NULL where it has none or was left out */
    const Dim *dims; /* by the pattern's number, where has_dim */
    const bool *has_dim;
    NodeList nodes; /* those of the block, each once, in no order */
    /* Where it did not match: the mismatch that was found after matching the most operators of the pattern. */
    int matched;        /* how many they are */
    const char *reason; /* in words; NULL where match_pattern() was not asked for it */
} Match;

/* Tries to match a pattern whose last tensor is `root`. explain: whether to say why not, at a cost in memory. */
bool match_pattern(Graph *graph, const BlockPattern *pattern, Value *root, bool explain, Match *match);

#endif
