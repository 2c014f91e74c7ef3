/* Small graphs made by hand for the tests of patterns: values are applied to operators, inference gives the shapes.
 * Shapes are written "1x64x8x8", "" is a scalar. */
#ifndef FOVEA_TESTS_SUPPORT_MAKING_H
#define FOVEA_TESTS_SUPPORT_MAKING_H

#include "graph/graph.h"

Graph *make_graph(Arena *arena, int opset);
Value *make_input(Graph *graph, const char *name, const char *shape);
/* A constant whose elements no other constant has. */
Value *make_weight(Graph *graph, const char *shape);
Value *make_number(Graph *graph, double number);
Value *make_ints(Graph *graph, int count, const int64_t *values);
#define make_list(graph, ...)                                                                                          \
    make_ints(graph, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})

/* The output of a new node. An input of NULL ends the list; give_input() adds what comes after one left out. */
#define make(graph, op, ...) make_node(graph, op, (Value *[]){__VA_ARGS__, NULL})
Value *make_node(Graph *graph, const char *op, Value *const *inputs);
Value *give_input(Value *value, Value *input);

/* Attributes and scope of the node that makes a value; they return the value. */
Value *with_int(Value *value, const char *name, int64_t number);
Value *with_list(Value *value, const char *name, int count, const int64_t *values);
#define with_ints(value, name, ...)                                                                                    \
    with_list(value, name, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})
Value *in_scope(Value *value, const char *scope);

/* Idioms of the families. */
Value *make_mean(Graph *graph, Value *x);                                  /* GlobalAveragePool */
Value *make_reduced(Graph *graph, const char *op, Value *x, int64_t axis); /* over one axis, which stays as 1 */
Value *make_flat(Graph *graph, Value *x);                                  /* Flatten */
Value *make_gemm(Graph *graph, Value *x, int64_t from, int64_t to);
Value *make_map(Graph *graph, Value *x);        /* [N,C] to [N,C,1,1] */
Value *make_transposed(Graph *graph, Value *x); /* the last two of four dimensions */

void make_output(Graph *graph, Value *value);

/* Runs inference and the pass `blocks`. probes: as --probes; NULL for auto. The status, as guard() gives it; messages
 * are in last_messages(). */
Status find_blocks(Graph *graph, const char *probes);

/* Makes a value the graph's output, finds the blocks, and checks them: "FAMILY NAME: PROBE[SHAPE] PROBE[SHAPE]", those
 * of all blocks with "; " between them, open or not; "" where there is none. Frees the graph's arena. */
void assert_blocks(Graph *graph, Value *output, const char *expected);
/* The same where there is no block at all, and --why FAMILY gives a reason with these words. */
void assert_no_block(Graph *graph, Value *output, const char *family, const char *reason);
/* What is found in a graph on which find_blocks() ran, as assert_blocks() writes it, and what --why says of it. */
const char *blocks_text(const Graph *graph);
const char *why_text(Graph *graph, const char *family);

#endif
