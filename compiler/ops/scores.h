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
/* Of two classes with one score [N 1], which is the second's: both scores [N 2] after a transform, NONE or LOGISTIC.
 * The first one's is 1 - score where that is a probability and stays as it is, else -score. */
Value *expand_two_scores(Expansion *e, Value *score, bool is_probability, ScoresTransform transform);
/* Their labels, as attribute `name` lists them: the second's where the score is above a limit. */
Value *expand_two_labels(Expansion *e, const char *name, Value *score, double limit);
/* Numbers of a type as a constant of these dimensions. */
Value *expand_numbers(Expansion *e, Type type, const float *numbers, int rank, const int64_t *dims);

#endif
