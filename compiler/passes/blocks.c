/* The pass `blocks`: finds the attention in a graph and opens the probes that were asked for.
 * It runs before anything that rewrites the nodes of a block, and keeps later passes from swallowing its maps. */
#include "passes/pass.h"
#include "patterns/probes.h"

void pass_blocks(Graph *graph, const PassOptions *options) {
    const PatternSet *patterns = graph_patterns(graph, options);
    blocks_find(graph, patterns);
    places_find(graph);
    if (options->explain != NULL) blocks_explain(graph, patterns, options->explain, stdout);
    probes_open(graph, options->probes);
}
