/* Scaled dot-product attention: the nodes of which the fused operators are made. */
#include "ops/sdpa.h"

#include <math.h>

/* Each head count times, one behind the other: [N G L D] to [N H L D]. */
static Value *repeat_heads(Expansion *e, Value *x, int64_t heads) {
    int64_t groups = size_of(x, 1), times = heads / groups;
    if (times == 1) return x;
    const int64_t expanded[] = {1, 1, times, 1, 1};
    Value *each = expand_op(e, "Expand", expand_unsqueeze(e, x, 2), expand_ints(e, 5, expanded));
    return expand_reshape(e, each, 0, heads, size_of(x, 2), size_of(x, 3));
}

/* Masks and biases broadcast to the scores, and not the other way round. */
static void check_mask(const Expansion *e, const Value *logits, const Value *scores) {
    bool fits = logits->shape.rank == scores->shape.rank;
    for (int d = 0; fits && d < scores->shape.rank; d++) {
        int64_t size = size_of(logits, d), of_scores = size_of(scores, d);
        fits = size < 0 || of_scores < 0 || size == of_scores;
    }
    if (!fits)
        node_fail(e->node, STATUS_INVALID, "a mask or bias does not broadcast to scores of the shape %s",
                  shape_text(e->node->graph->arena, &scores->shape));
}

/* A mask and a bias are one thing that is added; a mask alone is a choice. */
static Value *masked(Expansion *e, const Sdpa *s, Value *x) {
    Value *never = s->keep == NULL ? NULL : expand_number(e, x->type, -INFINITY);
    if (s->bias == NULL) return s->keep == NULL ? x : expand_op(e, "Where", s->keep, x, never);
    return expand_op(e, "Add", x, s->keep == NULL ? s->bias : expand_op(e, "Where", s->keep, s->bias, never));
}

static Value *softmax(Expansion *e, const Sdpa *s, Value *logits) {
    Value *x = expand_cast(e, logits, s->softmax == TYPE_NONE ? logits->type : s->softmax);
    Node *node = expand_node(e, "Softmax", s->modified ? expand_graph(e, "score_mod", x) : x);
    node_set_int(node, "axis", -1);
    Value *probs = expand_value(node);
    if (s->guarded)
        probs = expand_op(e, "Where", expand_op(e, "IsNaN", probs), expand_number(e, probs->type, 0), probs);
    if (s->modified) probs = expand_graph(e, "prob_mod", probs);
    return expand_cast(e, probs, logits->type);
}

void sdpa_build(Expansion *e, Sdpa *s) {
    int64_t heads = size_of(s->q, 1);
    Value *k = repeat_heads(e, s->k, heads), *v = repeat_heads(e, s->v, heads);
    Value *product = expand_op(e, "MatMul", s->q, expand_transpose(e, k, 0, 1, 3, 2));
    s->scores = s->capped = expand_scale(e, product, s->scale);
    if (s->softcap != 0) {
        Value *cap = expand_number(e, s->scores->type, s->softcap);
        s->capped = expand_op(e, "Mul", expand_op(e, "Tanh", expand_op(e, "Div", s->scores, cap)), cap);
    }
    s->logits = masked(e, s, s->capped);
    check_mask(e, s->logits, s->scores);
    s->probs = softmax(e, s, s->logits);
    s->out = expand_op(e, "MatMul", s->probs, expand_cast(e, v, s->probs->type));
}

Value *sdpa_split_heads(Expansion *e, Value *x, int64_t heads) {
    Value *split = expand_reshape(e, x, 0, size_of(x, 1), heads, size_of(x, 2) / heads);
    return expand_transpose(e, split, 0, 2, 1, 3);
}

Value *sdpa_merge_heads(Expansion *e, Value *x) {
    int64_t hidden = size_of(x, 1) * size_of(x, 3);
    return expand_reshape(e, expand_transpose(e, x, 0, 2, 1, 3), 0, size_of(x, 2), hidden);
}

Value *sdpa_both(Expansion *e, Value *keep, Value *other) {
    if (keep == NULL || other == NULL) return keep == NULL ? other : keep;
    return expand_op(e, "And", keep, other);
}

/* The places of the queries, moved: [Lq 1], or [N 1 Lq 1]. */
static Value *places(Expansion *e, const Sight *sight, int64_t moved) {
    int64_t first = (sight->offsets == NULL ? sight->offset : 0) + moved;
    Value *places = expand_range(e, first, sight->queries, 2, (int64_t[]){sight->queries, 1});
    return sight->offsets == NULL ? places : expand_op(e, "Add", places, sight->offsets);
}

Value *sdpa_sight(Expansion *e, const Sight *sight) {
    Value *keep = NULL;
    Value *keys = expand_range(e, 0, sight->keys, 2, (int64_t[]){1, sight->keys});
    if (sight->right >= 0) keep = expand_op(e, "LessOrEqual", keys, places(e, sight, sight->right));
    if (sight->left >= 0)
        keep = sdpa_both(e, keep, expand_op(e, "GreaterOrEqual", keys, places(e, sight, -sight->left)));
    return keep;
}

bool sdpa_sees_something(const Sight *sight) {
    bool all = true;
    for (int64_t i = 0; i < sight->queries; i++) {
        int64_t place = i + sight->offset, last = sight->keys - 1;
        bool ends = sight->right >= 0 && place + sight->right < last;
        bool begins = sight->left >= 0 && place - sight->left > 0;
        all &= (begins ? place - sight->left : 0) <= (ends ? place + sight->right : last);
    }
    return all && sight->offsets == NULL;
}
