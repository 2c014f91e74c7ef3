/* Parts of graphs: the nodes that lie between values, and copies of nodes.
 * A list of values is searched by Value.mark, which is the place in the list; other marks are no harm. */
#ifndef FOVEA_GRAPH_PART_H
#define FOVEA_GRAPH_PART_H

#include "graph/graph.h"

/* What values become in a copy: from, and in the same place to. */
typedef struct {
    const char *prefix; /* of names */
    Arena *arena;
    ValueList from, to;
} Copy;

/* The place of a value in a list whose values have theirs as .mark; -1: it is not there. */
int marked_place(const ValueList *list, const Value *value);
/* Appends a value to such a list. */
void mark_place(Arena *arena, ValueList *list, Value *value);

/* Lets what is copied from now on read another value in the place of one. */
void copy_put(Copy *copy, Value *from, Value *to);
/* What a value is in the copy; one of the graph outside, and a constant, is itself. */
Value *copy_of(const Copy *copy, Value *value);
/* A copy of a node, the graphs that it holds included, which is in no list yet. */
Node *copy_node(Copy *copy, const Node *from, Graph *graph);

/* Whether a value is data of the model's. */
static inline bool is_initializer(const Value *value) { return value->constant != NULL && value->producer == NULL; }

/* The nodes that a value is made by from sources (and from what has no producer), producers first: of the graph and of
 * those around it, not of graphs within nodes. sources: as for marked_place(). Uses Node.mark. */
NodeList nodes_between(const Graph *graph, const ValueList *sources, Value *value);

#endif
