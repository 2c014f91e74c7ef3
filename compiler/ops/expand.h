/* Expansion: an operator that is a graph of simpler ones is replaced by their nodes, so that patterns, fusion and
 * kernels see one spelling. Its row has .expand, which builds the nodes with the functions below. */
#ifndef FOVEA_OPS_EXPAND_H
#define FOVEA_OPS_EXPAND_H

#include "ops/op.h"

/* The nodes that are being built in place of one. Shapes are inferred as they are built. */
typedef struct Expansion {
    const Node *node; /* that is replaced */
    NodeList nodes;
} Expansion;

/* Builds what stands for a node on which op_infer() ran: nodes that make its outputs, in order, to be inferred like any
 * other. Returns false where the row has no .expand, or it built nothing since .lower does better, or the shapes of
 * inputs are not known: all of them but for the batch, the first of several dimensions. */
bool op_expand(Node *node, NodeList *nodes);

/* Adds a node of ONNX's own operator op_type in its newest version, named after the original. Inputs may be NULL. */
#define expand_node(e, op_type, ...)                                                                                   \
    expand_node_of(e, op_type, (int)(sizeof((Value *[]){__VA_ARGS__}) / sizeof(Value *)), (Value *[]){__VA_ARGS__})
Node *expand_node_of(Expansion *e, const char *op_type, int count, Value *const *inputs);
/* The same of an operator of fovea's own (ops/fused.h); outputs NULL: it has one, else those are its. */
Node *expand_own_node(Expansion *e, const char *op_type, int count, Value *const *inputs, const ValueList *outputs);
/* Its first output, once its attributes are set: infers the shape. */
Value *expand_value(Node *node);
/* Both in one, for an operator without attributes. */
#define expand_op(e, op_type, ...) expand_value(expand_node(e, op_type, __VA_ARGS__))

Value *expand_ints(Expansion *e, int count, const int64_t *values);
/* A scalar of a float type. The same of int64 is an expand_range() of rank 0. */
Value *expand_number(Expansion *e, Type type, double number);
/* first, first + 1, ...: count numbers of type int64, with that shape. */
Value *expand_range(Expansion *e, int64_t first, int64_t count, int rank, const int64_t *dims);
/* x * factor; x itself where factor is 1. */
Value *expand_scale(Expansion *e, Value *x, double factor);
/* x as a type; x itself where it has that. */
Value *expand_cast(Expansion *e, Value *x, Type type);
/* A size of -1 is what is left, 0 that of x in the same place. */
#define expand_reshape(e, x, ...)                                                                                      \
    expand_reshape_to(e, x, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})
Value *expand_reshape_to(Expansion *e, Value *x, int rank, const int64_t *sizes);
#define expand_transpose(e, x, ...)                                                                                    \
    expand_transpose_to(e, x, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})
Value *expand_transpose_to(Expansion *e, Value *x, int rank, const int64_t *perm);
Value *expand_unsqueeze(Expansion *e, Value *x, int64_t axis);
/* x without an axis, where its place is index. */
Value *expand_pick(Expansion *e, Value *x, int64_t axis, int64_t index);
Value *expand_concat(Expansion *e, Value *a, Value *b, int64_t axis);
/* x[from:to:step] along an axis. */
Value *expand_slice(Expansion *e, Value *x, int64_t axis, int64_t from, int64_t to, int64_t step);

/* Gives a node the original's attributes of these names, NULL behind the last; those that it has. */
void expand_inherit(Expansion *e, Node *node, const char *const *names);

/* What a graph that the original holds as an attribute makes of x: its nodes, moved here. It has one input and one
 * output, and is not to be used again. attribute: its name; x itself where the original has no such graph. */
Value *expand_graph(Expansion *e, const char *attribute, Value *x);

/* Lets output i of the original, where it has one, be this value. Each output once; last of all. */
void expand_output(Expansion *e, int i, Value *value);

/* The same for a value whose shape is not inferred yet, as of nodes that were moved here. */
void expand_later(Expansion *e, int i, Value *value);
/* The same for a sequence of such values, or of known ones; type: theirs, where there are none. */
void expand_sequence_later(Expansion *e, int i, const ValueList *elements, Type type);

/* Counts nodes that a loop, a gradient, or what is done for each element of a sequence, is written out as. Fails where
 * a model is made of more than fits. To be called before they are made. */
void expand_charge(Expansion *e, int64_t nodes);

/* Fails where input i is there, or an attribute is not 0: options that an expansion cannot do. */
void refuse_input(const Node *node, int i, const char *name);
void refuse_attribute(const Node *node, const char *name);

/* The size of a dimension, -1 where it is not known. */
static inline int64_t size_of(const Value *value, int d) { return value->shape.dims[d].size; }

#endif
