/* The graph: values and the nodes that make them, as ONNX has them, in an order in which producers come first.
 * Passes change it; graph_check() says whether it is still whole. */
#ifndef FOVEA_GRAPH_GRAPH_H
#define FOVEA_GRAPH_GRAPH_H

#include "base/map.h"
#include "graph/tensor.h"

#include <stdio.h>

typedef struct Graph Graph;
typedef struct Node Node;
typedef struct Value Value;
struct Op;         /* ops/op.h */
struct Block;      /* patterns/block.h */
struct PatternSet; /* patterns/pattern.h */
struct BlockProbe; /* patterns/block.h */

typedef LIST(Node *) NodeList;
typedef LIST(Value *) ValueList;

/* What a value is. While types and shapes are inferred, lists and what is left out are resolved: the passes behind it
 * see tensors only. */
typedef enum {
    VALUE_TENSOR,
    VALUE_SEQUENCE, /* .elements, which are tensors */
    VALUE_NOTHING,  /* an optional value that is left out; one that is there is that itself */
} ValueKind;

/* A value: a model input, an initializer, or an output of a node. */
struct Value {
    const char *name;   /* unique in its graph; may hold anything, so print it with quoted() */
    Type type;          /* of a sequence: that of all its elements */
    Shape shape;        /* of a tensor; of a sequence that is an input, what is said of its elements' */
    Tensor *constant;   /* the data, where it is known at compile time */
    Node *producer;     /* NULL for inputs, initializers and constants */
    NodeList consumers; /* once per use; kept by graph_index() */
    bool is_input, is_output;
    bool is_optional;   /* of inputs: the model can be run without it */
    bool is_padded;     /* its shape is what it can be at most; -1 is behind what was found */
    bool is_probed;     /* has to exist in memory, whole, under its name */
    bool is_batched;    /* of inputs and outputs: the caller has one for each sample of a batch, in a row */
    int samples_axis;   /* which then is along this axis */
    Value *replacement; /* what graph_replace() put in its place, or NULL */
    int mark;           /* scratch for whichever pass runs */
    ValueKind kind;
    ValueList elements;
};

typedef enum {
    ATTRIBUTE_INT,
    ATTRIBUTE_FLOAT,
    ATTRIBUTE_STRING,
    ATTRIBUTE_TENSOR,
    ATTRIBUTE_GRAPH,
    ATTRIBUTE_INTS,
    ATTRIBUTE_FLOATS,
    ATTRIBUTE_STRINGS,
    ATTRIBUTE_TENSORS,
    ATTRIBUTE_GRAPHS,
    ATTRIBUTE_TYPE_PROTO, /* of an empty optional value; what it says is not kept, as nothing depends on it */
} AttributeKind;

typedef struct {
    const char *name;
    AttributeKind kind;
    int count; /* elements of a list; 1 for single values */
    union {
        int64_t integer;
        float number;
        const char *string;
        Tensor *tensor;
        Graph *graph;
        int64_t *integers;
        float *numbers;
        const char **strings;
        Tensor **tensors;
        Graph **graphs;
    };
} Attribute;
typedef LIST(Attribute) AttributeList;

struct Node {
    const char *name;    /* as in the model; "" where it has none */
    const char *op_type; /* "Conv" */
    const char
        *stands_for;     /* the operator of the model's node that a pass put this in the place of; NULL: it is that */
    const char *domain;  /* "" is ONNX's own; "ai.onnx" is spelt "" too */
    const char *scope;   /* the exporter's module path ("layer1.0.se"), "" where unknown */
    int index;           /* position in the file, for messages; -1 for nodes that passes made */
    int ordinal;         /* among the file's nodes of its operator and scope, from 0; -1 for those that passes made */
    int opset;           /* the version of its domain that the model imports */
    int version;         /* the version of the operator that this means: its newest that is <= opset */
    const struct Op *op; /* set by ops_resolve() */
    ValueList inputs;    /* NULL for one that is left out */
    ValueList outputs;   /* NULL for one that is left out */
    AttributeList attributes;
    LIST(const char *) sources; /* "/conv1/Conv", ...: the model's nodes that this does the work of */
    const struct Block *block;  /* the attention block that it is part of, or NULL */
    Graph *graph;
    const Node *part_of; /* the node that made the whole of the map whose rows it makes some of; NULL: it is whole */
    int mark;            /* scratch for whichever pass runs */
};

/* How many samples one run may take, where that is left to the caller: --dim NAME=LEAST..MOST. The graph is that of one
 * sample. */
typedef struct {
    const char *name; /* of the dimension; NULL: there is none, and the graph is the whole */
    int64_t least, most;
} Batch;

/* What Resize takes for the length of a resized axis in its formulas (ops/resize.c): that of the output or, where it is
 * a scale that is given, the input's times the scale. The same unless that is no whole number. */
typedef enum { LENGTHS_UNSAID /* whole, with a warning where it matters */, LENGTHS_WHOLE, LENGTHS_FRACTIONAL } Lengths;

struct Graph {
    Arena *arena;
    const char *name;
    const char *path; /* the file that it was read from; NULL: none */
    Batch batch;
    int *samples_axes; /* with a batch: the axis of each output that samples lie along; -1: none. NULL: not known yet */
    Graph *outer;      /* the graph whose node holds this one as an attribute; NULL for the model's */
    ValueList inputs, outputs;
    ValueList values; /* all of them */
    NodeList nodes;
    LIST(struct Block *) blocks;       /* attention, in order of execution */
    const struct PatternSet *patterns; /* what blocks and rewrite rules are found with; NULL: not read yet */
    LIST(struct BlockProbe *) probes;  /* those that are open: of blocks, and of single values */
    int64_t unrolled;                  /* nodes that loops and sequences were written out as: expand_charge() */
    int64_t listed;                    /* elements of the sequences so far: ops/sequence.c */
    Lengths resize_lengths;            /* as the user wants them, of the model's graph */
    int ir_version;
    int opset;                               /* of ONNX's own domain */
    const char *producer, *producer_version; /* the exporter */
};

Graph *graph_new(Arena *arena, const char *name);
/* The shape that an input or output has for the caller: "[batch,3,8,8]" where the graph is of one sample of a batch. */
Shape graph_outer_shape(const Graph *graph, const Value *value);
/* In how many pieces a sample of a batch lies apart in what the caller has: 1 where samples lie along the first axis.
 */
int64_t sample_pieces(const Value *value);
Value *graph_value(Graph *graph, const char *name); /* a new value; the name is not checked to be unique */
Value *graph_constant(Graph *graph, const char *name, Tensor *tensor);
/* A new node that is in no list yet; the texts are not copied. */
Node *node_new(Graph *graph, const char *op_type, const char *name);
/* A new node, appended; inputs and outputs are added with list_add. */
Node *graph_node(Graph *graph, const char *op_type, const char *name);

/* A name that no value of the graph has: base, or base with a number behind it. */
const char *graph_free_name(const Graph *graph, const char *base);
/* Adds the sources of a node whose work another one takes over (one without any stands for itself), and its block. */
void node_absorb(Node *node, const Node *other);

/* Calls visit for each graph that a node holds. */
void node_each_graph(const Node *node, void (*visit)(Graph *inner, void *argument), void *argument);
/* Calls visit for each value that a node reads, as often as it does, those that graphs within it read too. */
void node_each_read(const Node *node, void (*visit)(Value *value, void *argument), void *argument);

/* Rebuilds consumers and producers and removes values that nothing refers to; to be called after a change. */
void graph_index(Graph *graph);
/* Lets all uses of a value (graph outputs included) read another one instead. */
void graph_replace(Graph *graph, Value *old, Value *new);
/* Removes nodes without an effect on the outputs or probes, then graph_index(). */
void graph_prune(Graph *graph);
/* Brings nodes in order, inner graphs too. Fails with the cycle, printed, where there is one. */
void graph_sort(Graph *graph);
/* Fails with STATUS_BUG where links, order or types contradict each other. after: the pass to blame. */
void graph_check(const Graph *graph, const char *after);
/* One line a node, with types and shapes, as --dump-after shows it. */
void graph_print(const Graph *graph, FILE *out);

/* An attribute that is present, or NULL. Values with the schema's default are read with ops/op.h. */
const Attribute *node_attribute(const Node *node, const char *name);
void node_set_int(Node *node, const char *name, int64_t value);
void node_set_ints(Node *node, const char *name, const int64_t *values, int count);
void node_set_float(Node *node, const char *name, float value);
void node_set_string(Node *node, const char *name, const char *value);
static inline Value *node_input(const Node *node, int i) {
    return i < node->inputs.count ? node->inputs.items[i] : NULL;
}
static inline Value *node_output(const Node *node, int i) {
    return i < node->outputs.count ? node->outputs.items[i] : NULL;
}

/* "node 17 'enc/MatMul_3' (MatMul)" */
const char *node_text(const Node *node);
/* fail(), report() and warn() about a node: "node 17 'enc/MatMul_3' (MatMul): MESSAGE". */
_Noreturn void node_fail(const Node *node, Status status, const char *format, ...) PRINTF_LIKE(3, 4);
void node_report(const Node *node, Status status, const char *format, ...) PRINTF_LIKE(3, 4);
void node_warn(const Node *node, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
