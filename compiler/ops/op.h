/* Operators: the row that says everything about one, and what rows are written with.
 * A family of operators is one file in compiler/ops that defines `const Op OPS_<file>[]`, ended by an empty row; the
 * build collects the files. An operator is one row: its schema as ONNX states it, its shape rule, and how it becomes
 * steps. */
#ifndef FOVEA_OPS_OP_H
#define FOVEA_OPS_OP_H

#include "graph/graph.h"
#include "program/program.h"

struct Backward;  /* ops/gradient.h */
struct Expansion; /* ops/expand.h */
struct Window;    /* ops/window.h */

/* How the maps that a node reads and makes lie in memory: Shape.channels_last. */
typedef enum { READS_ROWS, READS_ANY, READS_CHANNELS_LAST /* input 0 */ } Reads;
typedef struct {
    Reads reads;
    bool makes_channels_last; /* all outputs that can */
} MapLayout;

typedef struct Op {
    const char *name;
    const char *domain; /* NULL: ONNX's own */
    /* Versions of the operator, oldest first, ended by 0: node->version is the newest that is <= the model's opset. */
    int versions[12];

    /* The schema. Inputs and outputs: "X:T W:T B:T?" (name:type; ? optional, * one or more from here on, ?* none or
     * more). A type is a variable (T) constrained in .types, or a set written out ("int64", "int32|int64"). An output
     * whose type is a variable gets its type from the inputs (a variable that no input has: from .infer). A sequence of
     * tensors is "seq(T)"; what may be a tensor, a sequence or an optional value is "any(T)". Types: "T: floats int32;
     * I: int32 int64". The words floats, integers, signed, unsigned, numeric, all and bool stand for sets; see
     * type_set_parse(). "@13" behind an input or the kind of an attribute: it is there from version 13 on
     * ("axes:int64?@13"); "@<13": before it ("axes:ints@<13"); "@11@<13": both. Types are those of all versions. */
    const char *inputs, *outputs, *types;
    /* "kernel_shape:ints group:int=1 auto_pad:string=NOTSET alpha:float=0.01 to:int! body:graph!" (! required) */
    const char *attributes;

    /* Sets the outputs' shapes, and their types where .outputs does not say. Inputs' types and count are checked
     * already, and known. Shapes may be unknown, wholly or in part: use the dim_ functions, and leave unknown what
     * cannot be said. Constant inputs have value->constant. */
    void (*infer)(Node *node);
    /* Appends the steps that compute the node. All shapes are known. */
    void (*lower)(Program *program, Node *node);
    /* Of operators that find places, how many of which is known at run time only: sets the shape of output 0, an int64,
     * to what it can be at most; .lower fills what is behind those found with -1. Called where inputs' shapes are known
     * and nothing but the caller reads the result. */
    void (*bound)(Node *node);
    /* For an operator that is a graph of simpler ones, always or at times, in place of .lower: builds their nodes, see
     * ops/expand.h. The inputs' shapes are known but for the batch; the outputs' are those that the nodes give, so that
     * .infer may be left out where nothing has to be known before. */
    void (*expand)(struct Expansion *expansion);

    /* For elementwise operators, in place of .infer and .lower: the formula of runtime/formulas.def that computes one
     * element from one element of each input (broadcast) and from these attributes, in order: "x alpha beta". */
    const char *formula;
    const char *formula_attributes;

    /* For Gradient, the gradient with respect to each input, ";" between them, where dy is the one with respect to
     * output 0: "Mul(dy, x1); Mul(dy, x0)". In these terms are operators, x0, x1, ..., y, numbers, and attributes that
     * are floats. Sums over what was broadcast follow by themselves. */
    const char *gradient;
    /* The same where terms cannot say it: see ops/gradient.h. Neither: Gradient refuses the operator. */
    Value *(*gradient_of)(const struct Backward *backward);

    /* The layouts that .lower takes and makes, given those of the inputs. NULL: rows, and for a .formula any. */
    MapLayout (*layout)(const Node *node);
    bool only_first_lies; /* so: outputs behind the first are always rows */

    /* Of operators that slide a window over the spatial dimensions of input 0, and nothing else: the window of a node
     * whose shapes are known, for passes that cut maps. Its pads may be given as attribute or input `pads` instead.
     * Returns false for a node that cannot be cut so. NULL: no such operator. */
    bool (*window)(const Node *node, struct Window *window);

    /* Which axis of an output goes with an axis of an input: each index along it is computed from that index alone of
     * every input that has the axis, and in the same way as any other. -1: indices mix, or the axis is gone. Shapes are
     * known. NULL: of a .formula all axes by broadcasting, of a .window the first, of others none. See ops/carry.h. */
    int (*carry)(const Node *node, int input, int axis, int output);
    bool keeps_order; /* the output has the elements of input 0 in their order, whatever its shape */
    int shape_input;  /* the input that says the output's shape, and nothing beyond it; 0: none does */

    /* Multiply-adds, once shapes are known; -1 where they are not. NULL: none. */
    int64_t (*macs)(const Node *node);

    bool is_random; /* never folded */
} Op;

/* The row of an operator, NULL where there is none. */
const Op *op_find(const char *domain, const char *name);
/* All rows, for tests and listings: calls visit(row, argument) for each. */
void op_each(void (*visit)(const Op *op, void *argument), void *argument);

/* The newest version of an operator. */
int op_newest(const Op *op);
/* How many outputs a node has at least: those behind them may be left out. */
int op_least_outputs(const Op *op, int version);
/* Whether its outputs are sequences: what they hold does not depend on more than .infer asks for. */
bool op_makes_sequences(const Op *op);
/* The kind of an attribute in a version of an operator ("int", "floats"), NULL where it has none of that name. */
const char *op_attribute_kind(const Op *op, int version, const char *name);
/* The text of an attribute's default ("0.01", "NOTSET"), NULL where it has none, or there is no such attribute. */
const char *op_attribute_default(Arena *arena, const Op *op, int version, const char *name);

/* Sets node->op and node->version in a graph and its subgraphs. Reports every operator, domain and version that fovea
 * does not have (STATUS_UNSUPPORTED), each once with a count, and fails if there was any. */
void ops_resolve(Graph *graph);

/* Checks a node against its schema (inputs, outputs, attributes, types), sets output types that follow from it, and
 * calls .infer. Fails with the node's name. */
void op_infer(Node *node);

/* Attributes by name, with the schema's default where the node has none, be it that its version has no such attribute;
 * it is a bug to ask for one without either. */
int64_t attr_int(const Node *node, const char *name);
float attr_float(const Node *node, const char *name);
const char *attr_string(const Node *node, const char *name);
/* An element type, one of a set in the schema's words ("floats int32"); fails where it is another. */
Type attr_type(const Node *node, const char *name, const char *set);
/* A list, NULL with *count = 0 where neither the node nor the schema ("axes:ints=0,2,3") has one. */
const int64_t *attr_ints(const Node *node, const char *name, int *count);

/* Integers that became an input in later versions (axes, pads, ...): from attribute or from constant input i. Returns
 * false, with *count = 0, where the node has neither, and fails where the input is not constant: it says so in words
 * fit for the user. When infer may live without them, ask value->constant first. */
bool node_ints(const Node *node, const char *attribute, int input, const int64_t **values, int *count);
/* An axis in [0, rank), from one that may be negative; fails where it is out of range. */
int node_axis(const Node *node, int64_t axis, int rank);

/* Shape rules' tools: unknown stays unknown, contradictions fail with the node's name. */
Dim dim_add(const Node *node, Dim a, int64_t b);
Dim dim_multiply(const Node *node, Dim a, Dim b);
Dim dim_unify(const Node *node, Dim a, Dim b, const char *what); /* the same dimension seen twice */
Shape shape_broadcast(const Node *node, const Shape *a, const Shape *b);
void infer_same(Node *node);      /* output 0 has the shape of input 0 */
void infer_broadcast(Node *node); /* output 0 has the broadcast shape of all inputs */

/* For operators that reach all elements by strides: outputs lie as the input of their rank does. */
MapLayout layout_any(const Node *node);

#endif
