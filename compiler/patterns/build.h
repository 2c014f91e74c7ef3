/* Build: what a pattern says is to be computed (the right side of a rewrite rule, a probe that is made), as new nodes.
 * Operators are of their newest version, whatever the model's opset is. */
#ifndef FOVEA_PATTERNS_BUILD_H
#define FOVEA_PATTERNS_BUILD_H

#include "patterns/match.h"

/* Builds a term of the tensors of a match, and returns its value. The nodes stand right behind `behind` in the graph,
 * with its name and the module that all nodes of the match are in; they are inferred. */
Value *build_term(const BlockPattern *pattern, const Term *term, const Match *match, Node *behind);

/* Whether all sizes that a term names are known in a match; build_term() fails where one is not. */
bool can_build(const Term *term, const Match *match);

/* A value that a node makes, with another shape of as many elements: a Reshape right behind that node. NULL where more
 * than one dimension of the shape is not known. */
Value *build_reshape(Value *value, const Shape *shape);

/* The module that all of some nodes are in; nodes that do not say theirs are passed over. "" where there is none. Where
 * each step has a module of its own there, as in Keras' functional models, the words that their names begin with are
 * part of it: "stage.se" of "stage.se_pool", "stage.se_reduce" and "stage.se_excite". */
const char *common_scope(Arena *arena, const NodeList *nodes);

#endif
