/* The program that runs generated models on the official cases: what an entry of its table says of a model.
 * The table and the adapters behind it are written by conformance_test.py. */
#ifndef FOVEA_TESTS_CONFORMANCE_RUNNER_H
#define FOVEA_TESTS_CONFORMANCE_RUNNER_H

#include <stddef.h>

typedef struct {
    const char *name;
    size_t input_bytes, output_bytes; /* of all of them */
    size_t workspace_bytes, alignment;
    /* Runs the model on inputs and outputs that lie one after the other, each at a multiple of 64. 0: fine. */
    int (*run)(void *workspace, char *inputs, char *outputs);
} RunnerModel;

extern const RunnerModel RUNNER_MODELS[]; /* ended by a NULL name */

#endif
