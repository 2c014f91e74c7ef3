/* Scaled dot-product attention as nodes, for every operator that holds one: softmax(scale * q k^T + bias) v, for each
 * head (Vaswani et al. 2017; ONNX, Attention). It is spelt as compiler/patterns/attention.pattern has it. */
#ifndef FOVEA_OPS_SDPA_H
#define FOVEA_OPS_SDPA_H

#include "ops/expand.h"

typedef struct {
    Value *q, *k, *v; /* [N H Lq D], [N G Lk D], [N G Lk Dv]: each head of k and v serves H / G of q */
    double scale;     /* of the scores */
    double softcap;   /* c * tanh(scores / c); 0: none */
    Value *keep;      /* bool, broadcast to the scores: what takes part; NULL: all of it */
    Value *bias;      /* of q's type, broadcast to the scores and added to them; NULL: none */
    Type softmax;     /* in which the softmax is computed; TYPE_NONE: q's */
    bool modified;    /* by the graphs score_mod and prob_mod, before and after the softmax, in its type */
    bool guarded;     /* a row of which nothing takes part gives zeros, not NaN; costs a step where there is none */

    Value *scores, *capped, *logits, *probs; /* [N H Lq Lk]: what is made of them on the way */
    Value *out;                              /* [N H Lq Dv] */
} Sdpa;

void sdpa_build(Expansion *e, Sdpa *s);

/* [N L H*D] as [N H L D], and back. */
Value *sdpa_split_heads(Expansion *e, Value *x, int64_t heads);
Value *sdpa_merge_heads(Expansion *e, Value *x);

/* Which keys a query may see by where it stands. Query i has the place i + offset, key j the place j; it sees those
 * from left before it to right behind it. */
typedef struct {
    int64_t queries, keys;
    int64_t left, right; /* -1: all */
    int64_t offset;      /* of all queries; or, where that depends on the batch: */
    Value *offsets;      /* int64 [N 1 1 1], or NULL */
} Sight;

/* bool [Lq Lk], or [N 1 Lq Lk]; NULL where all is seen. */
Value *sdpa_sight(Expansion *e, const Sight *sight);
/* Whether every query sees a key. False where that depends on the batch. */
bool sdpa_sees_something(const Sight *sight);
/* What takes part by both; either may be NULL. */
Value *sdpa_both(Expansion *e, Value *keep, Value *other);

#endif
