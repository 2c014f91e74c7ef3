/* ONNX Runtime's fused attention (domain com.microsoft; docs/ContribOperators.md in microsoft/onnxruntime), expanded:
 * Attention, MultiHeadAttention, GroupQueryAttention and RotaryEmbedding, as its CPU kernels compute them. */
#include "ops/sdpa.h"

#include <math.h>

#define MICROSOFT "com.microsoft"

static Value *input(const Expansion *e, int i) { return node_input(e->node, i); }

static void check_rank(const Node *node, int i, int rank) {
    const Value *value = node_input(node, i);
    if (value != NULL && value->shape.rank != rank)
        node_fail(node, STATUS_INVALID, "input %d has %d dimensions, expected %d", i, value->shape.rank, rank);
}

/* The number of heads that an attribute gives, which channels have to divide into. */
static int64_t heads_of(const Node *node, const char *name, int64_t channels) {
    int64_t heads = attr_int(node, name);
    if (heads < 1 || channels % heads != 0)
        node_fail(node, STATUS_INVALID, "%lld channels do not divide into %s=%lld", (long long)channels, name,
                  (long long)heads);
    return heads;
}

/* The scale of the scores; 0 stands for the usual one. */
static double scale_of(const Node *node, const Value *q) {
    double scale = (double)attr_float(node, "scale");
    return scale != 0 ? scale : 1 / sqrt((double)size_of(q, 3));
}

/* Whether the places before the ends, and from the starts on, that a mask of one dimension gives, hold a key. */
static Value *keep_ends(Expansion *e, Value *mask, int64_t batch, int64_t keys) {
    int64_t count = size_of(mask, 0);
    if (batch < 1 || (count != batch && count != 2 * batch))
        node_fail(e->node, STATUS_UNSUPPORTED,
                  "a mask of the shape [%lld] is not supported for a batch of %lld; give it as [batch, length]",
                  (long long)count, (long long)batch);
    Value *bounds = expand_reshape(e, expand_cast(e, mask, TYPE_INT64), count / batch, batch, 1, 1, 1);
    Value *places = expand_range(e, 0, keys, 1, &keys);
    Value *keep = expand_op(e, "Less", places, expand_pick(e, bounds, 0, 0));
    if (count == batch) return keep;
    return sdpa_both(e, keep, expand_op(e, "GreaterOrEqual", places, expand_pick(e, bounds, 0, 1)));
}

/* A mask of ones and zeros, or of lengths, as what is added: 0, or mask_filter_value. */
static Value *filter(Expansion *e, Value *mask, const Value *q, int64_t keys) {
    int rank = mask->shape.rank;
    if (rank == 4)
        node_fail(e->node, STATUS_UNSUPPORTED, "a mask of 4 dimensions is not supported; give it as [batch, length]");
    Value *keep;
    if (rank == 1) {
        keep = keep_ends(e, mask, size_of(q, 0), keys);
    } else {
        Value *zero = expand_cast(e, expand_range(e, 0, 1, 0, NULL), mask->type);
        dim_unify(e->node, mask->shape.dims[rank - 1], dim_known(keys), "the length of mask and keys");
        keep = expand_op(e, "Greater", mask, zero);
        keep = rank == 2 ? expand_reshape(e, keep, -1, 1, 1, keys) : expand_unsqueeze(e, keep, 1);
    }
    Value *value = expand_number(e, q->type, (double)attr_float(e->node, "mask_filter_value"));
    return expand_op(e, "Where", keep, expand_number(e, q->type, 0), value);
}

/* Lets the attention heed a mask, a bias and `unidirectional`; `past` keys come before those of the queries. */
static void give_masks(Expansion *e, Sdpa *s, Value *mask, Value *bias, int64_t past) {
    int64_t keys = size_of(s->k, 2);
    Sight sight = {.queries = size_of(s->q, 2), .keys = keys, .left = -1, .right = -1, .offset = past};
    if (attr_int(e->node, "unidirectional") != 0) sight.right = 0;
    s->keep = sdpa_sight(e, &sight);
    s->bias = bias;
    if (mask == NULL) return;
    mask = filter(e, mask, s->q, keys);
    s->bias = bias == NULL ? mask : expand_op(e, "Add", bias, mask);
}

/* Elements [from, from + count) of what the last axis holds. */
static Value *columns(Expansion *e, Value *x, int64_t from, int64_t count) {
    return expand_slice(e, x, x->shape.rank - 1, from, from + count, 1);
}

/* [1 N H P D] twice, one behind the other, from or to the state that Attention keeps. */
static Value *stack(Expansion *e, Value *k, Value *v) {
    return expand_concat(e, expand_unsqueeze(e, k, 0), expand_unsqueeze(e, v, 0), 0);
}

/* The channels of q, k and v in the packed product. */
static void packed_sizes(const Node *node, int64_t channels, int64_t sizes[3]) {
    int count;
    const int64_t *given = attr_ints(node, "qkv_hidden_sizes", &count);
    for (int i = 0; i < 3; i++) sizes[i] = count == 3 ? given[i] : channels / 3;
    bool fits = (count == 3 || count == 0) && sizes[0] == sizes[1] && sizes[0] > 0 && sizes[2] > 0;
    if (!fits || sizes[0] > channels || sizes[2] > channels || sizes[0] + sizes[1] + sizes[2] != channels)
        node_fail(node, STATUS_INVALID, "the weights have %lld columns, which are not those of q, k and v",
                  (long long)channels);
}

static void expand_attention(Expansion *e) {
    enum { X, WEIGHTS, BIAS, MASK, PAST, ATTENTION_BIAS, PAST_LENGTH };
    const Node *node = e->node;
    refuse_attribute(node, "do_rotary");
    refuse_attribute(node, "past_present_share_buffer");
    refuse_input(node, PAST_LENGTH, "past_sequence_length");
    check_rank(node, X, 3), check_rank(node, WEIGHTS, 2), check_rank(node, PAST, 5);
    int64_t sizes[3];
    packed_sizes(node, size_of(input(e, WEIGHTS), 1), sizes);
    int64_t heads = heads_of(node, "num_heads", sizes[0]);
    heads_of(node, "num_heads", sizes[2]);
    Value *qkv = expand_op(e, "MatMul", input(e, X), input(e, WEIGHTS)), *past = input(e, PAST);
    if (input(e, BIAS) != NULL) qkv = expand_op(e, "Add", qkv, input(e, BIAS));
    Sdpa s = {.q = sdpa_split_heads(e, columns(e, qkv, 0, sizes[0]), heads),
              .k = sdpa_split_heads(e, columns(e, qkv, sizes[0], sizes[1]), heads),
              .v = sdpa_split_heads(e, columns(e, qkv, sizes[0] + sizes[1], sizes[2]), heads)};
    s.scale = scale_of(node, s.q);
    if (past != NULL) {
        s.k = expand_concat(e, expand_pick(e, past, 0, 0), s.k, 2);
        s.v = expand_concat(e, expand_pick(e, past, 0, 1), s.v, 2);
    }
    give_masks(e, &s, input(e, MASK), input(e, ATTENTION_BIAS), past == NULL ? 0 : size_of(past, 3));
    sdpa_build(e, &s);
    expand_output(e, 0, sdpa_merge_heads(e, s.out));
    if (node_output(node, 1) != NULL) expand_output(e, 1, stack(e, s.k, s.v));
}

enum { QUERY, KEY, VALUE, BIAS };

/* Query, key or value as [N H L D], from whichever place and form it is in: one [N L H 3 D] with all three, a key
 * [N L H 2 D] with two of them, [N H L D], or [N L H*D], to which a part of the bias is added. */
static Value *heads_from(Expansion *e, int which, int64_t from) {
    const Node *node = e->node;
    Value *x = input(e, which), *bias = input(e, BIAS);
    int packed = 0;
    for (; x == NULL && which - ++packed >= 0;) x = input(e, which - packed);
    bool all = x == input(e, QUERY) && x->shape.rank == 5, both = x == input(e, KEY) && x->shape.rank == 5;
    if (all || both) {
        dim_unify(node, x->shape.dims[3], dim_known(all ? 3 : 2), "the number of packed tensors");
        return expand_transpose(e, expand_pick(e, x, 3, all ? which : which - 1), 0, 2, 1, 3);
    }
    if (packed != 0) node_fail(node, STATUS_INVALID, "input %d is left out, and no other one holds it", which);
    if (x->shape.rank == 4) return x;
    check_rank(node, which, 3);
    if (bias != NULL) x = expand_op(e, "Add", x, columns(e, bias, from, size_of(x, 2)));
    return sdpa_split_heads(e, x, heads_of(node, "num_heads", size_of(x, 2)));
}

static void expand_multi_head(Expansion *e) {
    enum { MASK = BIAS + 1, ATTENTION_BIAS, PAST_KEY, PAST_VALUE, PAST_LENGTH, BEAMS };
    const Node *node = e->node;
    refuse_input(node, PAST_LENGTH, "past_sequence_length");
    refuse_input(node, BEAMS, "cache_indirection");
    Value *past_key = input(e, PAST_KEY), *past_value = input(e, PAST_VALUE);
    if (input(e, BIAS) != NULL && input(e, QUERY)->shape.rank != 3)
        node_fail(node, STATUS_UNSUPPORTED, "a bias of packed inputs is not supported; add it before this node");
    Sdpa s = {.q = heads_from(e, QUERY, 0)};
    int64_t hidden = size_of(s.q, 1) * size_of(s.q, 3);
    s.k = heads_from(e, KEY, hidden);
    s.v = heads_from(e, VALUE, 2 * hidden);
    check_rank(node, BIAS, 1);
    if (input(e, BIAS) != NULL)
        dim_unify(node, input(e, BIAS)->shape.dims[0], dim_known(2 * hidden + size_of(s.v, 1) * size_of(s.v, 3)),
                  "the length of the bias");
    s.scale = scale_of(node, s.q);
    if ((past_key == NULL) != (past_value == NULL))
        node_fail(node, STATUS_INVALID, "past_key and past_value go together, and one is missing");
    if (past_key != NULL) {
        check_rank(node, PAST_KEY, 4), check_rank(node, PAST_VALUE, 4);
        s.k = expand_concat(e, past_key, s.k, 2), s.v = expand_concat(e, past_value, s.v, 2);
    }
    give_masks(e, &s, input(e, MASK), input(e, ATTENTION_BIAS), past_key == NULL ? 0 : size_of(past_key, 2));
    sdpa_build(e, &s);
    expand_output(e, 0, sdpa_merge_heads(e, s.out));
    expand_output(e, 1, s.k);
    expand_output(e, 2, s.v);
    expand_output(e, 3, s.logits);
}

/* Turns [N H L D] by the angles at each place of the sequence. positions: [N L] or [1 L]. */
static Value *rotated(Expansion *e, Value *x, Value *cosines, Value *sines, Value *positions, const char *interleaved) {
    Node *node = expand_node(e, "RotaryEmbedding", x, cosines, sines, positions);
    node_set_int(node, "interleaved", attr_int(e->node, interleaved));
    node_set_int(node, "rotary_embedding_dim", 2 * size_of(cosines, 1));
    return expand_value(node);
}

/* The positions of a sequence that begins at the first element of what is given; NULL: at `first`. */
static Value *positions_from(Expansion *e, Value *start, int64_t first, int64_t length) {
    Value *places = expand_range(e, first, length, 2, (int64_t[]){1, length});
    return start == NULL ? places : expand_op(e, "Add", places, start);
}

static void expand_rotary(Expansion *e) {
    enum { X, POSITIONS, COSINES, SINES };
    const Node *node = e->node;
    refuse_attribute(node, "is_packed_batching");
    if (attr_float(node, "scale") != 1) node_fail(node, STATUS_UNSUPPORTED, "scale is not supported");
    check_rank(node, COSINES, 2), check_rank(node, SINES, 2);
    Value *x = input(e, X), *split = x, *positions = input(e, POSITIONS);
    if (x->shape.rank != 4) {
        check_rank(node, X, 3);
        int64_t heads = attr_int(node, "num_heads"), size = 2 * size_of(input(e, COSINES), 1);
        if (heads == 0 && (size == 0 || size_of(x, 2) % size != 0))
            node_fail(node, STATUS_INVALID, "num_heads is missing");
        split = sdpa_split_heads(e, x, heads == 0 ? size_of(x, 2) / size : heads_of(node, "num_heads", size_of(x, 2)));
    }
    if (positions->shape.rank < 2) positions = positions_from(e, positions, 0, size_of(split, 2));
    Value *turned = rotated(e, split, input(e, COSINES), input(e, SINES), positions, "interleaved");
    expand_output(e, 0, split == x ? turned : sdpa_merge_heads(e, turned));
}

enum {
    PAST_KEY = VALUE + 1,
    PAST_VALUE,
    LENGTHS,
    TOTAL_LENGTH,
    COSINES,
    SINES,
    POSITIONS,
    ATTENTION_BIAS,
    SINK,
    K_SCALE,
    V_SCALE,
    Q_NORM,
    K_NORM,
    QUERY_LENGTHS
};

static void refuse_grouped_options(const Node *node) {
    refuse_attribute(node, "kv_cache_bit_width");
    refuse_attribute(node, "sliding_window_cache");
    if (attr_int(node, "smooth_softmax") > 0)
        node_fail(node, STATUS_UNSUPPORTED, "smooth_softmax is not supported; export the model without it");
    refuse_input(node, SINK, "head_sink");
    refuse_input(node, K_SCALE, "k_scale");
    refuse_input(node, V_SCALE, "v_scale");
    refuse_input(node, QUERY_LENGTHS, "query_seqlens");
    if (node_output(node, 3) != NULL && attr_int(node, "qk_output") != 2)
        node_fail(node, STATUS_UNSUPPORTED, "output 3 is supported for qk_output=2 alone");
}

/* Whether every element of a constant is a number. */
static bool is_all(const Value *value, int64_t number) {
    if (value == NULL || value->constant == NULL) return false;
    for (int64_t i = 0; i < tensor_count(value->constant); i++)
        if (tensor_int(value->constant, i) != number) return false;
    return true;
}

/* The length of the past. New keys follow it directly where no sequence of the batch is shorter than another, and the
 * cache is no longer than what it holds; the lengths say so, and have to be known. */
static int64_t grouped_past(const Node *node, int64_t length) {
    const Value *past = node_input(node, PAST_KEY);
    check_rank(node, PAST_KEY, 4), check_rank(node, PAST_VALUE, 4);
    int64_t before = past == NULL ? 0 : size_of(past, 2);
    const Value *total = node_input(node, TOTAL_LENGTH);
    bool known = is_all(total, before + length) && is_all(node_input(node, LENGTHS), before + length - 1);
    if (before > 0 && !known)
        node_fail(node, STATUS_UNSUPPORTED,
                  "with a past of %lld tokens, seqlens_k and total_sequence_length have to be known when compiling, as "
                  "%lld and %lld; export the model with them as constants, or without a cache",
                  (long long)before, (long long)(before + length - 1), (long long)(before + length));
    if (before == 0 && total->constant != NULL && !is_all(total, length))
        node_fail(node, STATUS_UNSUPPORTED,
                  "total_sequence_length is not the length of the sequence, and there is no "
                  "past; export the model without a cache");
    return before;
}

/* Query, key and value, which may be packed in the first, as [N H L D]. */
static void grouped_heads(Expansion *e, Sdpa *s) {
    const Node *node = e->node;
    Value *q = input(e, QUERY), *k = input(e, KEY), *v = input(e, VALUE);
    check_rank(node, QUERY, 3), check_rank(node, KEY, 3), check_rank(node, VALUE, 3);
    int64_t heads = attr_int(node, "num_heads"), groups = attr_int(node, "kv_num_heads");
    if (heads < 1 || groups < 1 || heads % groups != 0 || (k == NULL) != (v == NULL))
        node_fail(node, STATUS_INVALID, "num_heads=%lld and kv_num_heads=%lld do not fit the inputs", (long long)heads,
                  (long long)groups);
    if (k == NULL) {
        int64_t size = size_of(q, 2) / (heads + 2 * groups);
        k = columns(e, q, heads * size, groups * size);
        v = columns(e, q, (heads + groups) * size, groups * size);
        q = columns(e, q, 0, heads * size);
    }
    s->q = sdpa_split_heads(e, q, heads_of(node, "num_heads", size_of(q, 2)));
    s->k = sdpa_split_heads(e, k, heads_of(node, "kv_num_heads", size_of(k, 2)));
    s->v = sdpa_split_heads(e, v, heads_of(node, "kv_num_heads", size_of(v, 2)));
}

/* Each head of q or k, divided by its root mean square; x itself where there is no weight for it. */
static Value *normalised(Expansion *e, Value *x, int weight, const char *epsilon) {
    if (input(e, weight) == NULL) return x;
    const Attribute *own = node_attribute(e->node, epsilon);
    Node *node = expand_node(e, "RMSNormalization", x, input(e, weight));
    node_set_float(node, "epsilon", own != NULL ? own->number : attr_float(e->node, "qk_norm_epsilon"));
    return expand_value(node);
}

static void rotate_grouped(Expansion *e, Sdpa *s, int64_t past) {
    Value *positions = input(e, POSITIONS), *cosines = input(e, COSINES), *sines = input(e, SINES);
    if (cosines == NULL || sines == NULL)
        node_fail(e->node, STATUS_INVALID, "do_rotary is set, and cos_cache or sin_cache is missing");
    check_rank(e->node, COSINES, 2), check_rank(e->node, SINES, 2);
    if (positions != NULL && past == 0) { /* the first token says where the prompt begins */
        Value *first = expand_slice(e, expand_slice(e, positions, 0, 0, 1, 1), 1, 0, 1, 1);
        positions = positions_from(e, first, 0, size_of(s->q, 2));
    } else if (positions == NULL) {
        positions = positions_from(e, NULL, past, size_of(s->q, 2));
    }
    s->q = rotated(e, s->q, cosines, sines, positions, "rotary_interleaved");
    s->k = rotated(e, s->k, cosines, sines, positions, "rotary_interleaved");
}

static void expand_grouped(Expansion *e) {
    const Node *node = e->node;
    refuse_grouped_options(node);
    Sdpa s = {.softcap = (double)attr_float(node, "softcap"), .bias = input(e, ATTENTION_BIAS)};
    grouped_heads(e, &s);
    int64_t past = grouped_past(node, size_of(s.q, 2));
    s.q = normalised(e, s.q, Q_NORM, "q_norm_epsilon"), s.k = normalised(e, s.k, K_NORM, "k_norm_epsilon");
    if (attr_int(node, "do_rotary") != 0) rotate_grouped(e, &s, past);
    if (input(e, PAST_KEY) != NULL && input(e, PAST_VALUE) != NULL) {
        s.k = expand_concat(e, input(e, PAST_KEY), s.k, 2);
        s.v = expand_concat(e, input(e, PAST_VALUE), s.v, 2);
    }
    Sight sight = {.queries = size_of(s.q, 2), .keys = size_of(s.k, 2), .left = -1, .right = -1, .offset = past};
    if (attr_int(node, "causal") != 0) sight.right = 0;
    if (attr_int(node, "local_window_size") > 0) sight.left = attr_int(node, "local_window_size") - 1;
    s.keep = sdpa_sight(e, &sight);
    s.scale = scale_of(node, s.q);
    sdpa_build(e, &s);
    expand_output(e, 0, sdpa_merge_heads(e, s.out));
    expand_output(e, 1, s.k);
    expand_output(e, 2, s.v);
    expand_output(e, 3, s.probs);
}

const Op OPS_microsoft_attention[] = {
    {.name = "Attention",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = "input:T weights:T bias:T? mask_index:int32? past:T? attention_bias:T? past_sequence_length:int32?",
     .outputs = "output:T present:T?",
     .types = "T: float float16 bfloat16",
     .attributes = "num_heads:int! unidirectional:int=0 qkv_hidden_sizes:ints mask_filter_value:float=-10000 "
                   "scale:float=0 do_rotary:int=0 rotary_embedding_dim:int past_present_share_buffer:int=0",
     .expand = expand_attention},
    {.name = "MultiHeadAttention",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = "query:T key:T? value:T? bias:T? key_padding_mask:int32? attention_bias:T? past_key:T? past_value:T? "
               "past_sequence_length:int32? cache_indirection:int32?",
     .outputs = "output:T present_key:T? present_value:T? qk:T?",
     .types = "T: float float16 bfloat16",
     .attributes = "num_heads:int! unidirectional:int=0 mask_filter_value:float=-10000 scale:float=0",
     .expand = expand_multi_head},
    {.name = "GroupQueryAttention",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = "query:T key:T? value:T? past_key:T? past_value:T? seqlens_k:int32 total_sequence_length:int32 "
               "cos_cache:T? sin_cache:T? position_ids:int64? attention_bias:T? head_sink:T? k_scale:float? "
               "v_scale:float? q_norm_weight:T? k_norm_weight:T? query_seqlens:int32?",
     .outputs = "output:T present_key:T? present_value:T? output_qk:T?",
     .types = "T: float float16 bfloat16",
     .attributes = "num_heads:int! kv_num_heads:int! scale:float=0 softcap:float=0 causal:int=1 do_rotary:int=0 "
                   "rotary_interleaved:int=0 local_window_size:int=-1 smooth_softmax:int=-1 qk_output:int=0 "
                   "kv_cache_bit_width:int=0 sliding_window_cache:int=0 k_quant_type:string=NONE "
                   "v_quant_type:string=NONE qk_norm_epsilon:float=1e-6 q_norm_epsilon:float k_norm_epsilon:float",
     .expand = expand_grouped},
    {.name = "RotaryEmbedding",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = "input:T position_ids:int64 cos_cache:T sin_cache:T",
     .outputs = "output:T",
     .types = "T: float float16 bfloat16",
     .attributes = "interleaved:int=0 num_heads:int=0 rotary_embedding_dim:int=0 is_packed_batching:int=0 "
                   "scale:float=1",
     .infer = infer_same,
     .expand = expand_rotary},
    {0},
};
