/* One operator in a graph of its own: what is inferred of it, and what it computes at run time, in the interpreter.
 * Run-time inputs count up from 0, so that a result of an operator that moves elements says where each came from. */
#ifndef FOVEA_TESTS_SUPPORT_ONE_NODE_H
#define FOVEA_TESTS_SUPPORT_ONE_NODE_H

#include "graph/graph.h"

typedef struct {
    Arena *arena;
    Node *node;
    Status status; /* of one_node_infer() and one_node_run() */
    char messages[4096];
} OneNode;

OneNode *one_node(const char *op, int opset, int outputs);
void one_node_free(OneNode *one);

/* Inputs known at run time only. shape is "2x?xN": ? is unknown, a letter an unknown dimension of that name, "" a
 * scalar, "*" an unknown rank. */
Value *one_input(OneNode *one, Type type, const char *shape);
/* Constant inputs: one-dimensional int64, and any tensor. */
void one_ints(OneNode *one, int count, const int64_t *values);
Tensor *one_constant(OneNode *one, Type type, const char *shape); /* zeros, to be filled */
void one_left_out(OneNode *one);
#define ONE_INTS(one, ...)                                                                                             \
    one_ints(one, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})
#define ONE_ATTRIBUTE(one, name, ...)                                                                                  \
    node_set_ints((one)->node, name, (int64_t[]){__VA_ARGS__},                                                         \
                  (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)))

/* Sets .status and .messages. */
void one_node_infer(OneNode *one);
/* Infers and runs: outputs' .constant are their elements. given holds inputs by position, NULL where they count up;
 * it may be NULL. */
void one_node_run(OneNode *one, const Tensor *const *given);

/* Checks the shape that is inferred of output i: "2x?xN", as above. */
void assert_shape(const OneNode *one, int output, const char *shape);
/* Runs, and checks shape and elements of output 0; frees. */
void assert_runs(OneNode *one, const char *shape, const int64_t *expected);
/* Checks that inference or lowering fails with this status and words that have this text in them; frees. */
void assert_node_fails(OneNode *one, Status status, const char *text);

#endif
