/* ONNX Runtime's own fused layers (domain com.microsoft; docs/ContribOperators.md in microsoft/onnxruntime), expanded:
 * products, activations, normalisation and embeddings. Attention is in microsoft_attention.c. */
#include "ops/expand.h"

#include <string.h>

#define MICROSOFT "com.microsoft"

/* Adds what is there: either may be NULL. */
static Value *add(Expansion *e, Value *a, Value *b) {
    return a == NULL || b == NULL ? (a == NULL ? b : a) : expand_op(e, "Add", a, b);
}

static Value *input(const Expansion *e, int i) { return node_input(e->node, i); }

/* An operand of a product, its axes as the flags say: the first one goes last but one, then the last two change. */
static Value *operand(Expansion *e, int i, const char *trans, const char *trans_batch) {
    Value *x = input(e, i);
    bool swaps = attr_int(e->node, trans) != 0, turns = attr_int(e->node, trans_batch) != 0;
    int rank = x->shape.rank;
    if (rank < 2 || !(swaps || turns)) return x;
    int64_t perm[MAX_RANK];
    for (int d = 0; d < rank; d++) perm[d] = d;
    if (turns) {
        for (int d = 0; d < rank - 2; d++) perm[d] = d + 1;
        perm[rank - 2] = 0;
    }
    int64_t last = perm[rank - 1];
    if (swaps) perm[rank - 1] = perm[rank - 2], perm[rank - 2] = last;
    return expand_transpose_to(e, x, rank, perm);
}

static void expand_matmul(Expansion *e) {
    Value *a = operand(e, 0, "transA", "transBatchA"), *b = operand(e, 1, "transB", "transBatchB");
    expand_output(e, 0, expand_scale(e, expand_op(e, "MatMul", a, b), (double)attr_float(e->node, "alpha")));
}

static Value *gelu(Expansion *e, Value *x, const char *approximate) {
    Node *node = expand_node(e, "Gelu", x);
    node_set_string(node, "approximate", approximate);
    return expand_value(node);
}

static void expand_gelu(Expansion *e) { expand_output(e, 0, gelu(e, add(e, input(e, 0), input(e, 1)), "none")); }

static void expand_fast_gelu(Expansion *e) { expand_output(e, 0, gelu(e, add(e, input(e, 0), input(e, 1)), "tanh")); }

static void expand_quick_gelu(Expansion *e) {
    Node *node = expand_node(e, "Swish", input(e, 0));
    node_set_float(node, "alpha", attr_float(e->node, "alpha"));
    expand_output(e, 0, expand_value(node));
}

static Value *normalise(Expansion *e, Value *x, Value *scale, Value *shift) {
    Node *node = expand_node(e, "LayerNormalization", x, scale, shift);
    node_set_float(node, "epsilon", attr_float(e->node, "epsilon"));
    return expand_value(node);
}

static Value *normalise_rms(Expansion *e, Value *x, Value *scale, int64_t axis) {
    Node *node = expand_node(e, "RMSNormalization", x, scale);
    node_set_float(node, "epsilon", attr_float(e->node, "epsilon"));
    node_set_int(node, "axis", axis);
    return expand_value(node);
}

/* ONNX Runtime computes these for training. */
static void refuse_statistics(const Node *node, int from, int to) {
    for (int i = from; i < to; i++)
        if (node_output(node, i) != NULL)
            node_fail(node, STATUS_UNSUPPORTED, "output %d, a statistic for training, is not supported", i);
}

static void expand_skip_layer(Expansion *e) {
    refuse_statistics(e->node, 1, 3);
    Value *sum = add(e, add(e, input(e, 0), input(e, 1)), input(e, 4));
    expand_output(e, 0, normalise(e, sum, input(e, 2), input(e, 3)));
    expand_output(e, 3, sum);
}

static void expand_skip_simplified(Expansion *e) {
    refuse_statistics(e->node, 1, 3);
    Value *sum = add(e, add(e, input(e, 0), input(e, 1)), input(e, 3));
    expand_output(e, 0, normalise_rms(e, sum, input(e, 2), -1));
    expand_output(e, 3, sum);
}

static void expand_simplified(Expansion *e) {
    refuse_statistics(e->node, 1, 2);
    expand_output(e, 0, normalise_rms(e, input(e, 0), input(e, 1), attr_int(e->node, "axis")));
}

/* How many tokens of each sequence are marked 1. */
static Value *count_tokens(Expansion *e, Value *ids, Value *mask) {
    if (mask == NULL) mask = expand_op(e, "Sub", ids, ids); /* none is marked */
    Value *one = expand_cast(e, expand_number(e, TYPE_FLOAT, 1), mask->type);
    Value *marked = expand_cast(e, expand_op(e, "Equal", mask, one), TYPE_INT32);
    Node *sum = expand_node(e, "ReduceSum", marked, expand_ints(e, 1, (int64_t[]){1}));
    node_set_int(sum, "keepdims", 0);
    return expand_value(sum);
}

static void expand_embedding(Expansion *e) {
    enum { IDS, SEGMENT_IDS, WORDS, POSITIONS, SEGMENTS, SCALE, SHIFT, MASK, POSITION_IDS };
    Value *ids = input(e, IDS), *positions = input(e, POSITIONS), *segment_ids = input(e, SEGMENT_IDS);
    if (ids->shape.rank != 2) node_fail(e->node, STATUS_INVALID, "input 0 has %d dimensions", ids->shape.rank);
    positions = input(e, POSITION_IDS) != NULL ? expand_op(e, "Gather", positions, input(e, POSITION_IDS))
                                               : expand_slice(e, positions, 0, 0, size_of(ids, 1), 1);
    Value *sum = expand_op(e, "Add", expand_op(e, "Gather", input(e, WORDS), ids), positions);
    if (segment_ids != NULL && input(e, SEGMENTS) != NULL)
        sum = expand_op(e, "Add", sum, expand_op(e, "Gather", input(e, SEGMENTS), segment_ids));
    expand_output(e, 0, normalise(e, sum, input(e, SCALE), input(e, SHIFT)));
    if (node_output(e->node, 1) != NULL) expand_output(e, 1, count_tokens(e, ids, input(e, MASK)));
    expand_output(e, 2, sum);
}

/* A parameter of an activation, in the order in which ONNX Runtime lists them. */
static float parameter(const Node *node, int i) {
    static const char *const names[] = {"activation_alpha", "activation_beta"};
    const Attribute *list = node_attribute(node, "activation_params"), *single = node_attribute(node, names[i]);
    if (single != NULL) return single->number;
    if (list == NULL || list->count <= i)
        node_fail(node, STATUS_INVALID, "parameter %d of the activation is missing", i);
    return list->numbers[i];
}

static Value *activate(Expansion *e, Value *x) {
    const Node *node = e->node;
    const char *name = attr_string(node, "activation");
    if (name[0] == '\0') return x;
    if (strcmp(name, "Silu") == 0) name = "Swish";
    const char *known[] = {"Relu", "Tanh", "Sigmoid", "Swish", "LeakyRelu", "HardSigmoid"};
    if (strcmp(name, "Clip") == 0)
        return expand_op(e, "Clip", x, expand_number(e, x->type, (double)parameter(node, 0)),
                         expand_number(e, x->type, (double)parameter(node, 1)));
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(name, known[i]) != 0) continue;
        Node *activation = expand_node(e, known[i], x);
        if (i >= 4) node_set_float(activation, "alpha", parameter(node, 0));
        if (i >= 5) node_set_float(activation, "beta", parameter(node, 1));
        return expand_value(activation);
    }
    node_fail(node, STATUS_UNSUPPORTED, "the activation %s is not supported", quoted(name));
}

static void expand_conv(Expansion *e) {
    static const char *const names[] = {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides", NULL};
    Node *conv = expand_node(e, "Conv", input(e, 0), input(e, 1), input(e, 2));
    expand_inherit(e, conv, names);
    expand_output(e, 0, activate(e, add(e, expand_value(conv), input(e, 3))));
}

static void expand_gemm(Expansion *e) {
    static const char *const names[] = {"alpha", "beta", "transA", "transB", NULL};
    Node *gemm = expand_node(e, "Gemm", input(e, 0), input(e, 1), input(e, 2));
    expand_inherit(e, gemm, names);
    expand_output(e, 0, activate(e, expand_value(gemm)));
}

const Op OPS_microsoft[] = {
    {.name = "FusedMatMul",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = "A:T B:T",
     .outputs = "Y:T",
     .types = "T: floats",
     .attributes = "alpha:float=1 transA:int=0 transB:int=0 transBatchA:int=0 transBatchB:int=0",
     .expand = expand_matmul},
    {.name = "Gelu",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = "T: floats",
     .infer = infer_same,
     .expand = expand_gelu},
    {.name = "BiasGelu",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = "A:T B:T",
     .outputs = "C:T",
     .types = "T: floats",
     .infer = infer_same,
     .expand = expand_gelu},
    {.name = "FastGelu",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = "X:T bias:T?",
     .outputs = "Y:T",
     .types = "T: floats",
     .infer = infer_same,
     .expand = expand_fast_gelu},
    {.name = "QuickGelu",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = "T: floats",
     .attributes = "alpha:float=1.702",
     .infer = infer_same,
     .expand = expand_quick_gelu},
    {.name = "SkipLayerNormalization",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = "input:T skip:T gamma:T beta:T? bias:T?",
     .outputs = "output:T mean:U? inv_std_var:U? input_skip_bias_sum:T?",
     .types = "T: float float16 bfloat16; U: float",
     .attributes = "epsilon:float=1e-12",
     .infer = infer_same,
     .expand = expand_skip_layer},
    {.name = "SkipSimplifiedLayerNormalization",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = "input:T skip:T gamma:T bias:T?",
     .outputs = "output:T mean:U? inv_std_var:U? input_skip_bias_sum:T?",
     .types = "T: float float16 bfloat16; U: float",
     .attributes = "epsilon:float=1e-12",
     .infer = infer_same,
     .expand = expand_skip_simplified},
    {.name = "SimplifiedLayerNormalization", /* ONNX Runtime has it in ONNX's domain */
     .versions = {1},
     .inputs = "X:T scale:V",
     .outputs = "Y:V inv_std_var:U?",
     .types = "T: floats; V: floats; U: float double",
     .attributes = "axis:int=-1 epsilon:float=1e-5 stash_type:int=1",
     .infer = infer_same,
     .expand = expand_simplified},
    {.name = "EmbedLayerNormalization",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = "input_ids:int32 segment_ids:int32? word_embedding:T position_embedding:T segment_embedding:T? gamma:T "
               "beta:T mask:int32? position_ids:int32?",
     .outputs = "output:T mask_index:int32? embedding_sum:T?",
     .types = "T: float float16",
     .attributes = "epsilon:float=1e-12 mask_index_type:int=1",
     .expand = expand_embedding},
    {.name = "FusedConv",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = "X:T W:T B:T? Z:T?",
     .outputs = "Y:T",
     .types = "T: float float16 double",
     .attributes = "auto_pad:string=NOTSET dilations:ints group:int=1 kernel_shape:ints pads:ints strides:ints "
                   "activation:string= activation_params:floats",
     .expand = expand_conv},
    {.name = "FusedGemm",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = "A:T B:T C:T?",
     .outputs = "Y:T",
     .types = "T: float float16 double",
     .attributes = "alpha:float=1 beta:float=1 transA:int=0 transB:int=0 activation:string= activation_alpha:float "
                   "activation_beta:float activation_gamma:float",
     .expand = expand_gemm},
    {0},
};
