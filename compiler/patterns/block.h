/* Blocks: the attention of a graph, each block with its nodes, its name and its probes.
 * The pass `blocks` finds them, before anything rewrites their nodes. */
#ifndef FOVEA_PATTERNS_BLOCK_H
#define FOVEA_PATTERNS_BLOCK_H

#include "patterns/match.h"
#include "patterns/places.h"

/* A map that can be looked at: a block's, or any value that was asked for by its name. */
typedef struct BlockProbe {
    const char *id;            /* "layer1.0.se.gate"; of a single value its ONNX name */
    const char *name;          /* "gate" */
    const char *family;        /* "se"; of a single value "tensor" */
    const char *kind;          /* what the map weighs: "channel", "spatial", "tokens"; "" where it is not said */
    const char *axes;          /* "N C", one word for each dimension of shape; "" of a single value */
    Value *value;              /* NULL: it is made when it is opened */
    const Node *maker;         /* of the value, in the model; NULL of an input, and of what is made when it is opened */
    const Term *made;          /* how, or NULL */
    const struct Block *block; /* NULL: a single value */
    Shape shape;          /* as the axes see it: the value's, without some dimensions of size 1, or with more of them */
    Places keys, queries; /* what the last axis counts, and the one before it */
    bool on_request;      /* not among those that --probes auto opens */
} BlockProbe;

typedef struct Block {
    const char *family; /* "se" */
    const char *name;   /* "layer1.0.se": from the exporter's scopes, or "se_0" where there are none */
    NodeList nodes;     /* in order of execution */
    const char *scope;  /* the module that all nodes are in, "" where there is none */
    int layer;          /* its place among the graph's blocks, in order of execution */
    LIST(BlockProbe *) probes;
    int64_t macs; /* multiply-adds of its nodes; -1 where a shape is open */
    const BlockPattern *pattern;
    Match match;
} Block;

/* Finds all blocks: graph->blocks in order of execution, and each of their nodes' .block. */
void blocks_find(Graph *graph, const PatternSet *patterns);

/* The value that a name of a block's pattern stands for; NULL where there is no such name, or it was left out. */
Value *block_tensor(const Block *block, const char *name);

/* Writes why what looks like a block of a family is none: the deepest mismatch of every node that could be the last one
 * of such a block and of which at least one other node matched. Called after blocks_find(). Fails with STATUS_USAGE
 * where there is no such family. */
void blocks_explain(Graph *graph, const PatternSet *patterns, const char *family, FILE *out);

#endif
