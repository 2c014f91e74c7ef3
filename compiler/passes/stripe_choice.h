/* Which layers are striped, and how: a model of the memory that nodes need, and of the work that stripes repeat.
 * A segment is a run of nodes of which one map alone is seen outside; it is made some rows of that map at a time. */
#ifndef FOVEA_PASSES_STRIPE_CHOICE_H
#define FOVEA_PASSES_STRIPE_CHOICE_H

#include "graph/graph.h"

/* Rows [first, end) of a map. */
typedef struct {
    int64_t first, end;
} Rows;

typedef struct {
    int from, to; /* nodes [from, to) of the graph */
    int64_t rows; /* of the last one's output in a stripe; the last stripe may have fewer */
} Segment;
typedef LIST(Segment) SegmentList;

/* How output rows of a node come from rows of its inputs. */
typedef struct {
    bool has_window; /* it is over input 0; otherwise each row is made of the same row of all maps among the inputs */
    int64_t before, stride, span; /* output row i reads input rows from i * stride - before, `span` of them */
} RowWindow;

/* Whether a node can be made some rows at a time. Such a one has one output, [N C H W], and known shapes. */
bool node_stripes(const Node *node, RowWindow *window);
/* Whether input k of such a node is a map, of which it reads as many rows as it makes or its window says; all of any
 * other input is read by every stripe. */
bool reads_rows(const Node *node, const RowWindow *window, int k);
/* The rows of the input that these output rows are made of, cut to those that are there: input_rows of them. */
Rows rows_behind(const RowWindow *window, Rows output, int64_t input_rows);

/* The segments, in order and apart, with which the largest sum of live maps is least, and of such the ones with the
 * least work. stripes 0: each segment is cut into as many as do best, for at most a quarter more multiply-adds in it;
 * otherwise into so many, at any price. Empty where nothing gains. Uses the marks of nodes and values. */
SegmentList stripe_choose(const Graph *graph, int stripes);

/* needs[value->mark] for each value that nodes of the segment make: the rows that the stripe `last` of the segment's
 * output needs of it. Returns false where it needs none of a map, or a single pixel, which other kernels compute than
 * those for maps, with sums in another order. Marks are as stripe_choose() leaves them: numbers. */
bool stripe_needs(const Graph *graph, const Segment *segment, Rows last, Rows *needs);

#endif
