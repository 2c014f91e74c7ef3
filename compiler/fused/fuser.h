/* Fusers: each takes a block that a pattern found, reads its form off the nodes, and puts an operator of fovea's own
 * (ops/fused.h) in their place. A fuser that does not know a form declines it: the block then stays as it is.
 * A file of compiler/fused/ that has any defines `const Fuser FUSERS_<file>[]`, ended by an empty row; the build
 * collects the files. A pattern names its fuser in a line "fuse NAME". */
#ifndef FOVEA_FUSED_FUSER_H
#define FOVEA_FUSED_FUSER_H

#include "ops/fused.h"
#include "patterns/block.h"

typedef struct {
    const char *name;
    bool (*fuse)(Graph *graph, Block *block); /* false: declined, and nothing is changed */
} Fuser;

/* The fuser of a name, NULL where there is none. */
const Fuser *fuser_find(const char *name);

/* What a fuser wants: an operator of FUSED_DOMAIN, its inputs (NULL for one that is left out), its first output, and
 * values that it can make besides, in the order of its further outputs; NULL for one that the block does not have. */
enum { MAX_FUSED_INPUTS = 8, MAX_FUSED_EXTRAS = 2 };
typedef struct {
    const char *op;
    Value *inputs[MAX_FUSED_INPUTS];
    int input_count;
    Value *output;
    Value *extras[MAX_FUSED_EXTRAS];
    int extra_count;
} Fusion;

/* Puts the operator in the place of the nodes between the inputs and the outputs. Extras that the operator may leave
 * out are made only where somebody looks at them; other values in between that a probe shows are made beside it.
 * Returns the node, whose attributes are to be set; NULL, with nothing changed, where a value in between is the model's
 * output and the operator does not make it, where a node in between needs what the inputs do not hold, or where an
 * input depends on an extra, or is one. */
Node *fusion_apply(Graph *graph, const Block *block, const Fusion *fusion);

/* What a fuser reads off nodes. All of these look through views (patterns/view.h). */

/* The operators that end in `value` and are formulas of one computed operand: their text, as ops/fused.h has it, and
 * in *from the value that the first of them is applied to. "" where there is none. */
const char *read_formula(Graph *graph, Value *value, Value **from);

/* y = w x + b over vectors: the constants, w with a row for each output, and the value x. */
typedef struct {
    Value *x, *weight, *bias; /* bias may be NULL */
    int64_t inputs, outputs;
} Linear;

/* Reads a Gemm, a MatMul, one of these and an Add, or a pointwise Conv on a map of one pixel. Makes new constants where
 * theirs are in another order. */
bool read_linear(Graph *graph, Value *value, Linear *linear);

/* Whether a value holds the mean, or the maximum, of each channel of x [N C ..] over all places. */
bool is_channel_mean(Value *value, Value *x);
bool is_channel_max(Value *value, Value *x);

/* Whether out is the product of x and a gate that is broadcast to it, be it through an Expand. */
bool is_gated(const Value *out, Value *x, Value *gate);

/* Whether a type is computed with as it is stored: what rounds after each operator stays unfused. */
bool is_fusible_type(Type type);
/* Whether all of a shape is known, not empty, and small enough to be counted by generated code. */
bool is_fusible_shape(const Shape *shape);
bool is_node(const Node *node, const char *op_type);

#endif
