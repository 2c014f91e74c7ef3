/* ONNX's fused layers of recurrent language models, expanded: LinearAttention, CausalConvWithState, SwiGLU. */
#include "ops/expand.h"

#include <math.h>
#include <string.h>

static void expand_swiglu(Expansion *e) {
    Node *swish = expand_node(e, "Swish", e->node->inputs.items[0]);
    node_set_float(swish, "alpha", attr_float(e->node, "alpha"));
    expand_output(e, 0, expand_op(e, "Mul", expand_value(swish), e->node->inputs.items[1]));
}

static void infer_causal_conv(Node *node) {
    infer_same(node);
    const Shape *x = &node->inputs.items[0]->shape, *w = &node->inputs.items[1]->shape;
    if (x->rank < 0 || w->rank < 0) return;
    if (x->rank != 3 || w->rank != 3)
        node_fail(node, STATUS_INVALID, "input and weight have %d and %d dimensions, expected 3", x->rank, w->rank);
    dim_unify(node, x->dims[1], w->dims[0], "the number of channels");
    node->outputs.items[1]->shape = *x;
    node->outputs.items[1]->shape.dims[2] = dim_add(node, w->dims[2], -1);
}

/* Zeros or what was before, then the input; a convolution of that without padding sees no future. */
static void expand_causal_conv(Expansion *e) {
    const Node *node = e->node;
    Value *x = node->inputs.items[0], *weight = node->inputs.items[1], *past = node_input(node, 3);
    int64_t channels = size_of(x, 1), length = size_of(x, 2), before = size_of(weight, 2) - 1;
    Value *whole = past != NULL ? expand_concat(e, past, x, 2)
                                : expand_op(e, "Pad", x, expand_ints(e, 6, (int64_t[]){0, 0, before, 0, 0, 0}));
    Node *conv = expand_node(e, "Conv", whole, weight, node_input(node, 2));
    node_set_int(conv, "group", channels);
    const char *activation = attr_string(node, "activation");
    bool swish = strcmp(activation, "silu") == 0 || strcmp(activation, "swish") == 0;
    if (!swish && strcmp(activation, "none") != 0)
        node_fail(node, STATUS_INVALID, "the activation is %s, expected silu, swish or none", quoted(activation));
    Value *y = expand_value(conv);
    expand_output(e, 0, swish ? expand_op(e, "Swish", y) : y);
    expand_output(e, 1, expand_slice(e, whole, 2, length, length + before, 1));
}

/* LinearAttention's inputs as one step needs them: [N L ...], of which step t takes [N ...]. All are computed in float.
 * H heads of q in G groups, each of which has a head of k and v and a state. */
typedef struct {
    Value *q;       /* [N L G H/G Dk] */
    Value *k, *k_t; /* [N L G Dk 1], [N L G 1 Dk] */
    Value *v;       /* [N L G 1 Dv] */
    Value *decay;   /* [N L G Dk 1] or [N L G 1 1], or NULL */
    Value *beta;    /* [N L G 1 1] or [N L 1 1 1], or NULL */
} Recurrence;

enum { QUERY, KEY, VALUE, PAST, DECAY, BETA };

static int64_t groups_of(const Node *node) {
    int64_t heads = attr_int(node, "q_num_heads"), groups = attr_int(node, "kv_num_heads");
    if (heads < 1 || groups < 1 || heads % groups != 0)
        node_fail(node, STATUS_INVALID, "q_num_heads=%lld is no multiple of kv_num_heads=%lld", (long long)heads,
                  (long long)groups);
    return groups;
}

/* What each of so many heads has of the last axis of input i, [N L heads*D]. */
static int64_t size_each(const Node *node, int i, int64_t heads) {
    const Shape *shape = &node->inputs.items[i]->shape;
    if (shape->rank != 3) node_fail(node, STATUS_INVALID, "input %d has %d dimensions, expected 3", i, shape->rank);
    if (shape->dims[2].size % heads != 0)
        node_fail(node, STATUS_INVALID, "input %d has %lld channels, which do not divide into %lld heads", i,
                  (long long)shape->dims[2].size, (long long)heads);
    return shape->dims[2].size / heads;
}

static void infer_linear(Node *node) {
    const Value *past = node_input(node, PAST), *q = node->inputs.items[QUERY];
    node->outputs.items[1]->type = past != NULL ? past->type : q->type;
    int64_t groups = groups_of(node);
    for (int i = 0; i < 3; i++)
        if (!shape_is_known(&node->inputs.items[i]->shape)) return;
    int64_t heads = attr_int(node, "q_num_heads"), v_size = size_each(node, VALUE, groups);
    Dim size = dim_known(size_each(node, QUERY, heads));
    dim_unify(node, size, dim_known(size_each(node, KEY, groups)), "the head size of query and key");
    node->outputs.items[0]->shape =
        (Shape){.rank = 3, .dims = {q->shape.dims[0], q->shape.dims[1], dim_known(heads * v_size)}};
    node->outputs.items[1]->shape =
        (Shape){.rank = 4, .dims = {q->shape.dims[0], dim_known(groups), size, dim_known(v_size)}};
}

/* Input i as floats of the shape [N L a b c]; NULL where it is left out. */
static Value *steps(Expansion *e, int i, int64_t a, int64_t b, int64_t c) {
    Value *x = node_input(e->node, i);
    return x == NULL ? NULL : expand_reshape(e, expand_cast(e, x, TYPE_FLOAT), 0, size_of(x, 1), a, b, c);
}

static Recurrence recurrence(Expansion *e) {
    const Node *node = e->node;
    int64_t groups = groups_of(node), heads = attr_int(node, "q_num_heads");
    int64_t size = size_each(node, QUERY, heads), v_size = size_each(node, VALUE, groups);
    const char *rule = attr_string(node, "update_rule");
    bool decays = strncmp(rule, "gated", 5) == 0, corrects = strstr(rule, "delta") != NULL;
    const Value *beta = node_input(node, BETA);
    if (!decays && !corrects && strcmp(rule, "linear") != 0)
        node_fail(node, STATUS_INVALID, "the update_rule is %s", quoted(rule));
    if ((node_input(node, DECAY) != NULL) != decays || (beta != NULL) != corrects)
        node_fail(node, STATUS_INVALID, "the inputs decay and beta do not fit the update_rule %s", quoted(rule));
    return (Recurrence){
        .q = steps(e, QUERY, groups, heads / groups, size),
        .k = steps(e, KEY, groups, size, 1),
        .k_t = steps(e, KEY, groups, 1, size),
        .v = steps(e, VALUE, groups, 1, v_size),
        .decay = decays ? steps(e, DECAY, groups, size_each(node, DECAY, groups), 1) : NULL,
        .beta = corrects ? steps(e, BETA, size_of(beta, 2), 1, 1) : NULL,
    };
}

/* The state [N G Dk Dv] after step t. */
static Value *advance(Expansion *e, const Recurrence *r, Value *state, int64_t t) {
    if (r->decay != NULL) state = expand_op(e, "Mul", state, expand_op(e, "Exp", expand_pick(e, r->decay, 1, t)));
    Value *v = expand_pick(e, r->v, 1, t);
    if (r->beta != NULL) {
        Value *retrieved = expand_op(e, "MatMul", expand_pick(e, r->k_t, 1, t), state);
        v = expand_op(e, "Mul", expand_pick(e, r->beta, 1, t), expand_op(e, "Sub", v, retrieved));
    }
    return expand_op(e, "Add", state, expand_op(e, "Mul", expand_pick(e, r->k, 1, t), v));
}

static Value *first_state(Expansion *e, const Recurrence *r) {
    Value *past = node_input(e->node, PAST);
    if (past != NULL) return expand_cast(e, past, TYPE_FLOAT);
    Value *like = expand_op(e, "Mul", expand_pick(e, r->k, 1, 0), expand_pick(e, r->v, 1, 0));
    return expand_op(e, "Sub", like, like);
}

static void expand_linear(Expansion *e) {
    enum { LONGEST = 256 };
    const Node *node = e->node;
    Recurrence r = recurrence(e);
    int64_t length = size_of(r.q, 1), hidden = size_of(r.v, 4) * attr_int(node, "q_num_heads");
    if (length < 1 || length > LONGEST)
        node_fail(node, STATUS_UNSUPPORTED,
                  "a sequence of %lld tokens is not supported, as each is a step of its own: export the model for 1 to "
                  "%d tokens, and give present_state to the next call",
                  (long long)length, LONGEST);
    double scale = (double)attr_float(node, "scale");
    Value **outputs = arena_new_array(node->graph->arena, Value *, (size_t)length), *state = first_state(e, &r);
    for (int64_t t = 0; t < length; t++) {
        state = advance(e, &r, state, t);
        Value *read = expand_op(e, "MatMul", expand_pick(e, r.q, 1, t), state);
        outputs[t] = expand_reshape(e, read, -1, 1, hidden);
    }
    Node *all = expand_node_of(e, "Concat", (int)length, outputs);
    node_set_int(all, "axis", 1);
    Value *out = expand_scale(e, expand_value(all), scale != 0 ? scale : 1 / sqrt((double)size_of(r.q, 4)));
    expand_output(e, 0, expand_cast(e, out, node->inputs.items[QUERY]->type));
    expand_output(e, 1, expand_cast(e, state, node->outputs.items[1]->type));
}

const Op OPS_decoder[] = {
    {.name = "LinearAttention",
     .versions = {27},
     .inputs = "query:T key:T value:T past_state:S? decay:T? beta:T?",
     .outputs = "output:T present_state:S",
     .types = "T: float float16 bfloat16; S: float float16 bfloat16",
     .attributes = "q_num_heads:int! kv_num_heads:int! update_rule:string=gated_delta scale:float=0 chunk_size:int=64",
     .infer = infer_linear,
     .expand = expand_linear},
    {.name = "CausalConvWithState",
     .versions = {27},
     .inputs = "input:T weight:T bias:T? past_state:T?",
     .outputs = "output:T present_state:T",
     .types = "T: float float16 bfloat16",
     .attributes = "activation:string=none",
     .infer = infer_causal_conv,
     .expand = expand_causal_conv},
    {.name = "SwiGLU",
     .versions = {28},
     .inputs = "A:T B:T",
     .outputs = "Y:T",
     .types = "T: floats",
     .attributes = "alpha:float=1",
     .infer = infer_same,
     .expand = expand_swiglu},
    {0},
};
