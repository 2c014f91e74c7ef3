/* Probes: which maps are opened, by --probes, and the list of them that a program carries.
 * An opened value is kept whole in memory, so that no fusion takes it in. */
#ifndef FOVEA_PATTERNS_PROBES_H
#define FOVEA_PATTERNS_PROBES_H

#include "patterns/block.h"
#include "program/program.h"

/* Marks the values that --probes asks for by their names as probed, so that no rewriting does away with them. Called
 * before anything rewrites the graph. */
void probes_keep(Graph *graph, const char *wanted);

/* Opens probes: sets graph->probes, and value->is_probed. wanted is a list with commas of
 *   auto   the maps of all blocks (NULL means this)
 *   inputs the maps whose channels blocks have gates for
 *   all    those, and the ones that are made on request only
 *   none   nothing
 *   GLOB   the probe ids and the names of computed values that it fits; every value can be had by its name
 * Fails with STATUS_USAGE, and with what may have been meant, where a glob fits nothing. */
void probes_open(Graph *graph, const char *wanted);

/* Fills program->probes from graph->probes, in order of execution. Called when all passes have run. */
void probes_collect(Graph *graph, Program *program);

#endif
