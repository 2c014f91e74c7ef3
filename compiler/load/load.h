/* Load: ONNX files to graphs and tensors. The input is hostile until shown otherwise.
 * Only compiler/load sees protobuf. */
#ifndef FOVEA_LOAD_LOAD_H
#define FOVEA_LOAD_LOAD_H

#include "graph/graph.h"

enum {
    OLDEST_IR_VERSION = 3,
    NEWEST_IR_VERSION = 14,
    NEWEST_OPSET = 28,
};

/* What a file may make fovea allocate: multiple times its size, plus a constant, for each of unpacking, importing, and
 * reading external data. 0 stands for the default. */
typedef struct {
    int budget_multiple;    /* 16 */
    size_t budget_constant; /* 64 MiB */
} LoadOptions;

/* Reads a model: checked, with model-local functions inlined, its nodes in order, and indexed (graph_index). Operators
 * are not looked at. Names, symbols and large tensors' data point into what was unpacked, which lives in the arena.
 * Values that are neither inputs nor constants have no types; outputs have the shapes that the model claims for them.
 * options may be NULL. Fails with STATUS_INVALID; with STATUS_UNSUPPORTED for versions, types and attributes that fovea
 * does not have, after all of them have been reported; with STATUS_SYSTEM where a file cannot be read. */
Graph *load_model(Arena *arena, const char *path, const LoadOptions *options);

/* The same for a model in memory. directory is where its external data lies; NULL refuses external data. */
Graph *load_model_bytes(Arena *arena, const void *bytes, size_t size, const char *directory,
                        const LoadOptions *options);

/* Reads one tensor from a file that holds a TensorProto (input_0.pb of ONNX's test data). *name is what the file calls
 * it, "" where it has no name; name may be NULL. Sequences and optionals are refused with STATUS_UNSUPPORTED. */
Tensor *load_tensor_file(Arena *arena, const char *path, const char **name);

#endif
