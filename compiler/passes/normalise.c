/* The pass `normalise`: brings the spellings that exporters have for one idea to one form, by the rewrite rules of the
 * pattern files. Values that were asked for by name stay, and are computed beside the new form. */
#include "passes/pass.h"
#include "patterns/build.h"
#include "patterns/probes.h"
#include "patterns/view.h"

#include <string.h>

const PatternSet *graph_patterns(Graph *graph, const PassOptions *options) {
    if (graph->patterns == NULL) {
        PatternSet *patterns = arena_new_object(graph->arena, PatternSet);
        *patterns = patterns_load(graph->arena, options->patterns.items, options->patterns.count);
        graph->patterns = patterns;
    }
    return graph->patterns;
}

/* Lets a node make a value in the place of the one that did. */
static void take_over(Graph *graph, Node *node, Value *value) {
    Node *former = value->producer;
    for (int i = 0; i < former->outputs.count; i++)
        if (former->outputs.items[i] == value) {
            Value *dead = graph_value(graph, graph_free_name(graph, value->name));
            dead->type = value->type;
            dead->shape = value->shape;
            former->outputs.items[i] = dead;
        }
    node->outputs.items[0] = value;
}

/* Applies a rule that matched; false where the shapes are not known well enough. */
static bool rewrite(Graph *graph, const BlockPattern *rule, const Match *match, Value *root) {
    if (!can_build(rule->becomes, match)) return false;
    Value *made = build_term(rule, rule->becomes, match, root->producer);
    Node *node = made->producer;
    if (!shape_may_equal(&made->shape, &root->shape)) {
        if (!shapes_differ_in_ones_only(&made->shape, &root->shape))
            fail(STATUS_USAGE, "%s: the rule %s makes a tensor %s in the place of %s, which is %s", rule->file,
                 rule->family, shape_text(graph->arena, &made->shape), quoted(root->name),
                 shape_text(graph->arena, &root->shape));
        const Value *reshaped = build_reshape(made, &root->shape);
        if (reshaped == NULL) return false; /* what was made is pruned */
        node = reshaped->producer;
    }
    for (int i = 0; i < match->nodes.count; i++) node_absorb(made->producer, match->nodes.items[i]);
    take_over(graph, node, root);
    graph_index(graph);
    return true;
}

/* Applies a rule wherever it matches, the last node first; returns how often. */
static int apply(Graph *graph, const BlockPattern *rule) {
    int applied = 0;
    for (int i = graph->nodes.count - 1; i >= 0; i--) {
        Value *root = node_output(graph->nodes.items[i], 0);
        Match match;
        if (root == NULL || !match_pattern(graph, rule, root, false, &match)) continue;
        applied += rewrite(graph, rule, &match, root);
    }
    return applied;
}

void pass_normalise(Graph *graph, const PassOptions *options) {
    enum { MOST_ROUNDS = 16 };
    const PatternSet *patterns = graph_patterns(graph, options);
    probes_keep(graph, options->probes);
    for (int round = 0, applied = 1; applied > 0; round++) {
        applied = 0;
        for (int r = 0; r < patterns->rules.count; r++) applied += apply(graph, patterns->rules.items[r]);
        graph_prune(graph); /* also what was made for nothing, where shapes are not known well enough */
        if (applied > 0 && round == MOST_ROUNDS)
            fail(STATUS_USAGE, "the rewrite rules of the pattern files undo each other: no end after %d rounds", round);
    }
}
