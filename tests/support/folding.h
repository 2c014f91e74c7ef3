/* Evaluates one operator over constants, as constant folding does: the same steps that generated code runs, in the
 * interpreter. A test begins, adds inputs and attributes (to .node), and ends. */
#ifndef FOVEA_TESTS_SUPPORT_FOLDING_H
#define FOVEA_TESTS_SUPPORT_FOLDING_H

#include "graph/graph.h"

typedef struct {
    Arena *arena;
    Node *node;
    const Tensor *result; /* output 0; NULL where status is not STATUS_OK */
    Status status;
    char messages[4096];
} Folding;

/* A node of ONNX's own domain. */
Folding *folding_begin(const char *op, int opset);
/* Adds a constant input. shape is "2x3", or "" for a scalar; values are converted to the type. */
void folding_input(Folding *folding, Type type, const char *shape, const double *values);
/* The same of integers, all 64 bits of them. */
void folding_input_ints(Folding *folding, Type type, const char *shape, const int64_t *values);
void folding_left_out(Folding *folding);
/* Infers and folds; folding->result or folding->status says what came of it. */
void folding_end(Folding *folding);
void folding_free(Folding *folding);

/* Checks type, shape and elements, and frees. NaN equals NaN; relative and absolute tolerance. */
void assert_folds(Folding *folding, Type type, const char *shape, const double *expected, double tolerance);
void assert_folds_ints(Folding *folding, Type type, const char *shape, const int64_t *expected);
/* Checks that it fails with this status and words that have this text in them, and frees. */
void assert_folding_fails(Folding *folding, Status status, const char *text);

#endif
