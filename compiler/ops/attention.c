/* ONNX's fused attention operators, expanded: Attention, FlexAttention, RotaryEmbedding. */
#include "ops/sdpa.h"

#include <math.h>

enum { QUERY, KEY, VALUE, MASK, PAST_KEY, PAST_VALUE, NONPAD };

/* A whole number that has no default; 0 where it is not given. */
static int64_t given_int(const Node *node, const char *name) {
    const Attribute *attribute = node_attribute(node, name);
    return attribute == NULL ? 0 : attribute->integer;
}

/* The shape of input i as [N H L D], whichever of the two forms it has. */
static Shape heads_of(const Node *node, int i, int64_t heads) {
    Shape shape = node->inputs.items[i]->shape;
    if (shape.rank < 0 || shape.rank == 4) return shape;
    if (shape.rank != 3) node_fail(node, STATUS_INVALID, "input %d has %d dimensions, expected 3 or 4", i, shape.rank);
    if (heads < 1)
        node_fail(node, STATUS_INVALID,
                  "input %d has 3 dimensions; q_num_heads and kv_num_heads say how "
                  "many heads it has, and are missing",
                  i);
    Dim hidden = shape.dims[2];
    if (hidden.size >= 0 && hidden.size % heads != 0)
        node_fail(node, STATUS_INVALID, "input %d has %lld channels, which do not divide into %lld heads", i,
                  (long long)hidden.size, (long long)heads);
    Dim each = hidden.size < 0 ? (Dim){-1, NULL} : dim_known(hidden.size / heads);
    return (Shape){.rank = 4, .dims = {shape.dims[0], dim_known(heads), shape.dims[1], each}};
}

typedef struct {
    Shape q, k, v; /* [N H L D], without what is past */
    Dim keys;      /* with it */
} AttentionShapes;

static void check_attention(const Node *node) {
    int64_t mode = attr_int(node, "qk_matmul_output_mode");
    if (mode < 0 || mode > 3) node_fail(node, STATUS_INVALID, "qk_matmul_output_mode is %lld", (long long)mode);
    if (attr_int(node, "left_window_size") < -1 || attr_int(node, "right_window_size") < -1)
        node_fail(node, STATUS_INVALID, "the size of a window is less than -1");
    if ((node_input(node, PAST_KEY) == NULL) != (node_input(node, PAST_VALUE) == NULL))
        node_fail(node, STATUS_INVALID, "past_key and past_value go together, and one is missing");
    if (node_input(node, PAST_KEY) != NULL && node_input(node, NONPAD) != NULL)
        node_fail(node, STATUS_INVALID, "past_key and nonpad_kv_seqlen exclude each other");
}

/* Checks how the inputs fit together, of which FlexAttention has three; false where one has an unknown rank. */
static bool attention_shapes(const Node *node, AttentionShapes *shapes) {
    shapes->q = heads_of(node, QUERY, given_int(node, "q_num_heads"));
    shapes->k = heads_of(node, KEY, given_int(node, "kv_num_heads"));
    shapes->v = heads_of(node, VALUE, given_int(node, "kv_num_heads"));
    const Shape *q = &shapes->q, *k = &shapes->k, *v = &shapes->v;
    if (q->rank < 0 || k->rank < 0 || v->rank < 0) return false;
    dim_unify(node, q->dims[0], dim_unify(node, k->dims[0], v->dims[0], "the batch of K and V"),
              "the batch of Q and K");
    Dim groups = dim_unify(node, k->dims[1], v->dims[1], "the number of heads of K and V");
    dim_unify(node, q->dims[3], k->dims[3], "the head size of Q and K");
    dim_unify(node, k->dims[2], v->dims[2], "the length of K and V");
    int64_t heads = q->dims[1].size;
    if (heads >= 0 && groups.size >= 0 && (groups.size == 0 || heads % groups.size != 0))
        node_fail(node, STATUS_INVALID, "%lld heads of Q do not divide into %lld of K and V", (long long)heads,
                  (long long)groups.size);
    shapes->keys = k->dims[2];
    const Value *past = node_input(node, PAST_KEY);
    if (past == NULL) return true;
    if (past->shape.rank < 0) return false;
    if (past->shape.rank != 4) node_fail(node, STATUS_INVALID, "past_key has %d dimensions", past->shape.rank);
    Dim length = past->shape.dims[2];
    shapes->keys = length.size < 0 ? length : dim_add(node, shapes->keys, length.size);
    return true;
}

static void give_shape(const Node *node, int i, Dim a, Dim b, Dim c, Dim d) {
    Value *output = node_output(node, i);
    if (output != NULL) output->shape = (Shape){.rank = 4, .dims = {a, b, c, d}};
}

static void infer_shapes(Node *node) {
    AttentionShapes shapes;
    if (!attention_shapes(node, &shapes)) return;
    const Dim *q = shapes.q.dims, *k = shapes.k.dims, *v = shapes.v.dims;
    give_shape(node, 0, q[0], q[1], q[2], v[3]);
    give_shape(node, 1, k[0], k[1], shapes.keys, k[3]);
    give_shape(node, 2, v[0], v[1], shapes.keys, v[3]);
    give_shape(node, 3, q[0], q[1], q[2], shapes.keys);
    if (node->inputs.items[QUERY]->shape.rank == 3)
        node->outputs.items[0]->shape = (Shape){.rank = 3, .dims = {q[0], q[2], dim_multiply(node, q[1], v[3])}};
}

static void infer_attention(Node *node) {
    check_attention(node);
    infer_shapes(node);
}

/* Input i as [N H L D], behind what is past. */
static Value *with_past(Expansion *e, int i, int past, const char *heads) {
    Value *x = e->node->inputs.items[i], *before = past < 0 ? NULL : node_input(e->node, past);
    if (x->shape.rank == 3) x = sdpa_split_heads(e, x, given_int(e->node, heads));
    return before == NULL ? x : expand_concat(e, before, x, 2);
}

/* A mask that is shorter than the keys: what it does not speak of does not take part. */
static Value *pad_mask(Expansion *e, Value *mask, int64_t keys) {
    int rank = mask->shape.rank;
    if (rank == 0) return mask;
    int64_t length = size_of(mask, rank - 1), pads[2 * MAX_RANK] = {0};
    if (length >= keys || (length == 1 && e->node->version < 24)) return mask;
    pads[2 * rank - 1] = keys - length;
    Value *fill = mask->type == TYPE_BOOL ? NULL : expand_number(e, mask->type, -INFINITY);
    return expand_op(e, "Pad", mask, expand_ints(e, 2 * rank, pads), fill);
}

/* Lets the attention heed the node's mask, is_causal, windows, and the keys that are padding. */
static void give_masks(Expansion *e, Sdpa *s) {
    const Node *node = e->node;
    Value *mask = node_input(node, MASK), *valid = node_input(node, NONPAD);
    Sight sight = {.queries = size_of(s->q, 2),
                   .keys = size_of(s->k, 2),
                   .left = attr_int(node, "left_window_size"),
                   .right = attr_int(node, "right_window_size")};
    if (attr_int(node, "is_causal") != 0) sight.right = 0;
    if (node_input(node, PAST_KEY) != NULL) sight.offset = size_of(node_input(node, PAST_KEY), 2);
    if (valid != NULL) {
        valid = expand_reshape(e, valid, -1, 1, 1, 1);
        sight.offsets = expand_op(e, "Sub", valid, expand_ints(e, 1, &sight.queries));
        Value *places = expand_range(e, 0, sight.keys, 1, &sight.keys);
        s->keep = expand_op(e, "Less", places, valid);
    }
    s->keep = sdpa_both(e, s->keep, sdpa_sight(e, &sight));
    s->guarded = mask != NULL || valid != NULL || !sdpa_sees_something(&sight);
    if (mask == NULL) return;
    if (mask->type != TYPE_BOOL) mask = expand_cast(e, mask, s->q->type);
    mask = pad_mask(e, mask, sight.keys);
    if (mask->type == TYPE_BOOL) s->keep = sdpa_both(e, mask, s->keep);
    else s->bias = mask;
}

static Type softmax_type(const Node *node) {
    int64_t type = given_int(node, "softmax_precision");
    if (type != TYPE_NONE && !(type > 0 && type < TYPE_COUNT && (TYPE_BIT(type) & type_set_parse("floats")) != 0))
        node_fail(node, STATUS_INVALID, "softmax_precision is %lld, which is no type of floats", (long long)type);
    return (Type)type;
}

static double scale_of(const Node *node, const Value *q) {
    const Attribute *scale = node_attribute(node, "scale");
    return scale != NULL ? (double)scale->number : 1 / sqrt((double)size_of(q, 3));
}

static void expand_attention(Expansion *e) {
    const Node *node = e->node;
    Sdpa s = {.q = with_past(e, QUERY, -1, "q_num_heads"),
              .k = with_past(e, KEY, PAST_KEY, "kv_num_heads"),
              .v = with_past(e, VALUE, PAST_VALUE, "kv_num_heads"),
              .softcap = (double)attr_float(node, "softcap"),
              .softmax = softmax_type(node)};
    s.scale = scale_of(node, s.q);
    give_masks(e, &s);
    sdpa_build(e, &s);
    Value *const products[] = {s.scores, s.capped, s.logits, s.probs};
    expand_output(e, 0, node->inputs.items[QUERY]->shape.rank == 3 ? sdpa_merge_heads(e, s.out) : s.out);
    expand_output(e, 1, s.k);
    expand_output(e, 2, s.v);
    expand_output(e, 3, products[attr_int(node, "qk_matmul_output_mode")]);
}

/* FlexAttention has the first three inputs and the first output of Attention, and graphs in place of masks. */
static void infer_flex(Node *node) {
    for (int i = 0; i < 3; i++)
        if (node->inputs.items[i]->shape.rank >= 0 && node->inputs.items[i]->shape.rank != 4)
            node_fail(node, STATUS_INVALID, "input %d has %d dimensions, expected 4", i,
                      node->inputs.items[i]->shape.rank);
    infer_shapes(node);
}

static void expand_flex(Expansion *e) {
    const Node *node = e->node;
    Value *const *inputs = node->inputs.items;
    Type type = inputs[0]->type == TYPE_DOUBLE ? TYPE_DOUBLE : TYPE_FLOAT;
    Sdpa s = {.q = inputs[0], .k = inputs[1], .v = inputs[2], .modified = true, .softmax = softmax_type(node)};
    if (s.softmax == TYPE_NONE) s.softmax = type;
    s.scale = scale_of(node, s.q);
    sdpa_build(e, &s);
    expand_output(e, 0, s.out);
}

static void infer_rotary(Node *node) {
    infer_same(node);
    const Value *x = node->inputs.items[0];
    if (x->shape.rank >= 0) heads_of(node, 0, given_int(node, "num_heads"));
}

/* A table of cosines or sines as [N L 1 R/2] or [N 1 L R/2]: where there are positions, its rows at these. */
static Value *rotary_table(Expansion *e, int i, int64_t axis_of_heads) {
    Value *table = e->node->inputs.items[i], *positions = node_input(e->node, 3);
    if (positions != NULL) table = expand_op(e, "Gather", table, positions);
    if (table->shape.rank != 3)
        node_fail(e->node, STATUS_INVALID, "input %d has the shape %s, which does not fit the positions", i,
                  shape_text(e->node->graph->arena, &e->node->inputs.items[i]->shape));
    return expand_unsqueeze(e, table, axis_of_heads);
}

/* The two halves of the rotated part, or its even and odd elements, turned: [x0 x1] times [cos sin; -sin cos]. */
static Value *rotate(Expansion *e, Value *x, Value *cosines, Value *sines, bool interleaved) {
    int64_t size = size_of(x, 3), half = size / 2;
    Value *a = interleaved ? expand_slice(e, x, 3, 0, size, 2) : expand_slice(e, x, 3, 0, half, 1);
    Value *b = interleaved ? expand_slice(e, x, 3, 1, size, 2) : expand_slice(e, x, 3, half, size, 1);
    Value *real = expand_op(e, "Sub", expand_op(e, "Mul", cosines, a), expand_op(e, "Mul", sines, b));
    Value *imaginary = expand_op(e, "Add", expand_op(e, "Mul", sines, a), expand_op(e, "Mul", cosines, b));
    if (!interleaved) return expand_concat(e, real, imaginary, 3);
    Value *pairs = expand_concat(e, expand_unsqueeze(e, real, 4), expand_unsqueeze(e, imaginary, 4), 4);
    return expand_reshape(e, pairs, 0, size_of(x, 1), size_of(x, 2), size);
}

static void expand_rotary(Expansion *e) {
    const Node *node = e->node;
    Value *x = node->inputs.items[0], *split = x;
    bool flat = x->shape.rank == 3;
    int64_t heads = given_int(node, "num_heads");
    if (flat) split = expand_reshape(e, x, 0, size_of(x, 1), heads, size_of(x, 2) / heads);
    int64_t size = size_of(split, 3), part = attr_int(node, "rotary_embedding_dim");
    if (part == 0) part = size;
    Value *cosines = rotary_table(e, 1, flat ? 2 : 1), *sines = rotary_table(e, 2, flat ? 2 : 1);
    if (part < 0 || part > size || part % 2 != 0)
        node_fail(node, STATUS_INVALID, "%lld elements of a head of %lld are to be rotated", (long long)part,
                  (long long)size);
    for (int i = 1; i < 3; i++)
        dim_unify(node, (i == 1 ? cosines : sines)->shape.dims[3], dim_known(part / 2), "half of what is rotated");
    Value *turned = part == size ? split : expand_slice(e, split, 3, 0, part, 1);
    turned = rotate(e, turned, cosines, sines, attr_int(node, "interleaved") != 0);
    if (part < size) turned = expand_concat(e, turned, expand_slice(e, split, 3, part, size, 1), 3);
    expand_output(e, 0, flat ? expand_reshape(e, turned, 0, size_of(x, 1), size_of(x, 2)) : turned);
}

const Op OPS_attention[] = {
    {.name = "Attention",
     .versions = {23, 24, 25},
     .inputs = "Q:T1 K:T1 V:T2 attn_mask:U? past_key:T1? past_value:T2? nonpad_kv_seqlen:int64?@24",
     .outputs = "Y:T1 present_key:T1? present_value:T2? qk_matmul_output:T1?",
     .types = "T1: floats; T2: floats; U: numeric bool",
     .attributes = "is_causal:int=0 q_num_heads:int kv_num_heads:int scale:float softcap:float=0 "
                   "softmax_precision:int qk_matmul_output_mode:int=0 left_window_size:int@25=-1 "
                   "right_window_size:int@25=-1",
     .infer = infer_attention,
     .expand = expand_attention},
    {.name = "FlexAttention",
     .domain = "ai.onnx.preview",
     .versions = {1},
     .inputs = "Q:T1 K:T1 V:T1",
     .outputs = "Y:T1",
     .types = "T1: floats",
     .attributes = "scale:float softmax_precision:int score_mod:graph prob_mod:graph",
     .infer = infer_flex,
     .expand = expand_flex},
    {.name = "RotaryEmbedding",
     .versions = {23},
     .inputs = "X:T cos_cache:T sin_cache:T position_ids:int64?",
     .outputs = "Y:T",
     .types = "T: float float16 bfloat16",
     .attributes = "interleaved:int=0 num_heads:int rotary_embedding_dim:int=0",
     .infer = infer_rotary,
     .expand = expand_rotary},
    {0},
};
