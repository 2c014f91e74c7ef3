/* Places: which places of a feature map the tokens of an attention map are, as far as the graph tells.
 * Where it does not, nothing is said. */
#ifndef FOVEA_PATTERNS_PLACES_H
#define FOVEA_PATTERNS_PLACES_H

#include "graph/graph.h"

/* What one axis of a map counts: `prefix` tokens of another kind, the places of a map of rows x columns, row by row,
 * and `suffix` more tokens. With windows, the axis counts the places in one window, the map is cut into windows of
 * window[0] x window[1] without a rest, which the first axis counts, row by row, inside each batch element, and a place
 * of the cut map is the place (row + shift[0], column + shift[1]) of the map, modulo its size. */
typedef struct {
    bool is_known, has_windows;
    int64_t rows, columns, prefix, suffix;
    int64_t window[2], shift[2];
} Places;

bool places_equal(const Places *a, const Places *b);

/* Fills .keys and .queries of the probes of all blocks. */
void places_find(Graph *graph);

#endif
