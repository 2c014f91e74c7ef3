/* Scores: what the models of ai.onnx.ml have in common that give numbers for classes or targets. */
#ifndef FOVEA_OPS_SCORES_H
#define FOVEA_OPS_SCORES_H

#include "ops/expand.h"

#define MACHINE_LEARNING "ai.onnx.ml"

/* The transforms of scores, as the standard numbers and names them. */
typedef enum { SCORES_NONE, SCORES_SOFTMAX, SCORES_LOGISTIC, SCORES_SOFTMAX_ZERO, SCORES_PROBIT } ScoresTransform;

/* Attribute post_transform, given as a string. Fails where it is none of these. */
ScoresTransform scores_transform(const Node *node);
/* Scores [N E] after a transform over E; refuses PROBIT. */
Value *expand_transform(Expansion *e, Value *scores, ScoresTransform transform);
/* The labels that attribute `name` lists, at the places of the largest scores [N E]: int64 [N]. */
Value *expand_labels(Expansion *e, const char *name, Value *scores);
/* How many labels of integers attribute `name` lists; refuses those of `strings`. */
int64_t label_count(const Node *node, const char *name, const char *strings);
/* Numbers of a type as a constant of these dimensions. */
Value *expand_numbers(Expansion *e, Type type, const float *numbers, int rank, const int64_t *dims);

#endif
