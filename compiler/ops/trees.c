/* Trees: TreeEnsemble, and the classifier and the regressor before it, as one operator of fovea's own whose kernel is
 * runtime/trees.c, and what becomes of its scores. */
#include "ops/carry.h"
#include "ops/fused.h"
#include "ops/movement.h"
#include "ops/scores.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NODE_FIELDS = 5, FEATURE = 0, MODE, NAN_IS_TRUE, ON_TRUE, ON_FALSE }; /* of a node, as the kernel reads it */
enum { MODE_EQUAL = 4, MODE_MEMBER = 6 };
enum { AVERAGE, SUM, MIN, MAX };

/* Trees as they are read, in the kernel's form. */
typedef struct {
    const Node *node;
    Type type; /* of thresholds and weights */
    int64_t node_count, root_count, leaf_count, gift_count;
    Tensor *nodes, *thresholds, *roots;
    Tensor *leaves, *targets, *weights;
} Forest;

static int32_t *int32s(Tensor *tensor) { return tensor->data; }

static Tensor *new_list(const Node *node, Type type, int64_t count, int64_t width) {
    const Shape shape = shape_of(width > 1 ? 2 : 1, (int64_t[]){count, width});
    return tensor_new(node->graph->arena, type, &shape);
}

static Forest new_forest(const Node *node, Type type, int64_t nodes, int64_t roots, int64_t leaves, int64_t gifts) {
    Forest forest = {.node = node, .type = type, .node_count = nodes, .root_count = roots};
    forest.leaf_count = leaves, forest.gift_count = gifts;
    forest.nodes = new_list(node, TYPE_INT32, nodes, NODE_FIELDS);
    forest.thresholds = new_list(node, type, nodes, 1);
    forest.roots = new_list(node, TYPE_INT32, roots, 1);
    forest.leaves = new_list(node, TYPE_INT32, leaves + 1, 1);
    forest.targets = new_list(node, TYPE_INT32, gifts, 1);
    forest.weights = new_list(node, type, gifts, 1);
    return forest;
}

static void set_node(Forest *forest, int64_t i, const int32_t *fields, double threshold) {
    memcpy(int32s(forest->nodes) + i * NODE_FIELDS, fields, NODE_FIELDS * sizeof *fields);
    tensor_set(forest->thresholds, i, threshold);
}

/* That no walk goes around for ever: nodes that no branch leads to are taken away until none is left. */
static void check_ends(const Forest *forest) {
    Arena *arena = forest->node->graph->arena;
    const int32_t *nodes = int32s(forest->nodes);
    int32_t *parents = arena_new_array(arena, int32_t, (size_t)forest->node_count);
    int32_t *free = arena_new_array(arena, int32_t, (size_t)forest->node_count);
    int64_t found = 0;
    memset(parents, 0, (size_t)forest->node_count * sizeof *parents);
    for (int64_t i = 0; i < forest->node_count; i++)
        for (int k = ON_TRUE; k <= ON_FALSE; k++)
            if (nodes[i * NODE_FIELDS + k] >= 0) parents[nodes[i * NODE_FIELDS + k]]++;
    for (int64_t i = 0; i < forest->node_count; i++)
        if (parents[i] == 0) free[found++] = (int32_t)i;
    for (int64_t i = 0; i < found; i++)
        for (int k = ON_TRUE; k <= ON_FALSE; k++) {
            int32_t child = nodes[free[i] * NODE_FIELDS + k];
            if (child >= 0 && --parents[child] == 0) free[found++] = child;
        }
    if (found < forest->node_count) node_fail(forest->node, STATUS_INVALID, "its nodes lead around in a circle");
}

static void check_rank(const Node *node) {
    const Shape *x = &node->inputs.items[0]->shape;
    if (x->rank != 2) node_fail(node, STATUS_INVALID, "the input has %d dimensions, expected 2", x->rank);
}

static int32_t check_feature(const Node *node, int64_t i, int64_t feature) {
    const int64_t features = node->inputs.items[0]->shape.dims[1].size;
    if (feature < 0 || feature >= features)
        node_fail(node, STATUS_INVALID, "node %lld asks for feature %lld of %lld", (long long)i, (long long)feature,
                  (long long)features);
    return (int32_t)feature;
}

/* A list attribute of integers with so many elements; NULL where it is left out, which is wrong if it is required. */
static const int64_t *ints_of(const Node *node, const char *name, int64_t count, bool required) {
    const Attribute *list = node_attribute(node, name);
    if (list == NULL && !required) return NULL;
    int64_t given = list == NULL ? 0 : list->count;
    if (given != count)
        node_fail(node, STATUS_INVALID, "%s has %lld elements, expected %lld", name, (long long)given,
                  (long long)count);
    return list == NULL ? NULL : list->integers;
}

static int64_t list_length(const Node *node, const char *name) {
    const Attribute *list = node_attribute(node, name);
    return list == NULL ? 0 : list->count;
}

/* An index below count. */
static int32_t index_of(const Node *node, int64_t index, int64_t count, const char *what) {
    if (index < 0 || index >= count)
        node_fail(node, STATUS_INVALID, "there is no %s %lld: it has %lld", what, (long long)index, (long long)count);
    return (int32_t)index;
}

/* Fovea's own operator over a forest, for x [N F]: scores [N targets]. */
static Value *expand_forest(Expansion *e, Value *x, const Forest *forest, int64_t targets, int64_t aggregate) {
    Tensor *const tables[] = {forest->nodes,  forest->thresholds, forest->roots,
                              forest->leaves, forest->targets,    forest->weights};
    Value *inputs[7] = {x};
    check_ends(forest);
    for (int i = 0; i < 6; i++)
        inputs[i + 1] =
            graph_constant(e->node->graph, arena_printf(e->node->graph->arena, "%s/trees", e->node->name), tables[i]);
    Node *node = expand_own_node(e, "Trees", 7, inputs, NULL);
    node_set_int(node, "targets", targets);
    node_set_int(node, "aggregate", aggregate);
    return expand_value(node);
}

static void infer_trees(Node *node) {
    node->outputs.items[0]->shape = shape_open(2);
    node->outputs.items[0]->shape.dims[0] = node->inputs.items[0]->shape.dims[0];
    node->outputs.items[0]->shape.dims[1] = dim_known(attr_int(node, "targets"));
}

static void lower_trees(Program *program, Node *node) {
    static const char *const names[] = {"x", "nodes", "thresholds", "roots", "leaves", "targets", "weights"};
    const Value *x = node->inputs.items[0], *y = node->outputs.items[0];
    if (is_empty(y)) return;
    Step *step = step_kernel(program, "trees", x->type);
    for (int i = 0; i < 7; i++) step_value(program, step, names[i], node->inputs.items[i]);
    step_value(program, step, "y", y);
    step_size(step, "BATCH", x->shape.dims[0].size);
    step_size(step, "FEATURES", x->shape.dims[1].size);
    step_size(step, "TREES", node->inputs.items[3]->shape.dims[0].size);
    step_size(step, "TARGETS", y->shape.dims[1].size);
    step_size(step, "AGGREGATE", attr_int(node, "aggregate"));
}

/* TreeEnsemble */

/* A tensor attribute of a type, with so many elements. */
static const Tensor *tensor_of(const Node *node, const char *name, Type type, int64_t count) {
    const Tensor *tensor = node_attribute(node, name)->tensor;
    if (tensor->type != type || tensor_count(tensor) != count)
        node_fail(node, STATUS_INVALID, "%s has %lld elements of type %s, expected %lld of type %s", name,
                  (long long)tensor_count(tensor), type_info(tensor->type)->name, (long long)count,
                  type_info(type)->name);
    return tensor;
}

/* Where each node stands in the forest, and behind all of them how many there are: a test of membership is a row of
 * comparisons, one for each member and at least one. members[i] is where the members of node i begin. */
static int64_t *place_nodes(const Node *node, const Tensor *modes, int64_t count, int64_t *members) {
    const Attribute *attribute = node_attribute(node, "membership_values");
    const Tensor *values = attribute == NULL ? NULL : attribute->tensor;
    const int64_t listed = values == NULL ? 0 : tensor_count(values);
    int64_t *places = arena_new_array(node->graph->arena, int64_t, (size_t)count + 1), at = 0, place = 0;
    if (values != NULL && values->type != node->inputs.items[0]->type)
        node_fail(node, STATUS_INVALID, "membership_values has type %s", type_info(values->type)->name);
    for (int64_t i = 0; i < count; i++) {
        places[i] = place++;
        members[i] = at;
        if (tensor_int(modes, i) > MODE_MEMBER)
            node_fail(node, STATUS_INVALID, "node %lld has mode %lld", (long long)i, (long long)tensor_int(modes, i));
        if (tensor_int(modes, i) != MODE_MEMBER) continue;
        if (at >= listed) node_fail(node, STATUS_INVALID, "membership_values has no set for node %lld", (long long)i);
        while (at < listed && !isnan(tensor_number(values, at))) at++;
        place += at - members[i] > 1 ? at - members[i] - 1 : 0;
        at++; /* the NaN behind a set */
    }
    if (at < listed) node_fail(node, STATUS_INVALID, "membership_values has more sets than nodes that test for one");
    places[count] = place;
    return places;
}

/* Where a branch of node i leads: a node's place, or -1 - leaf. */
static int32_t branch_of(const Node *node, int64_t id, int64_t is_leaf, const int64_t *places, int64_t nodes,
                         int64_t leaves) {
    return is_leaf != 0 ? -1 - index_of(node, id, leaves, "leaf") : (int32_t)places[index_of(node, id, nodes, "node")];
}

static void read_nodes(Forest *forest, const int64_t *places, const int64_t *members, int64_t count) {
    const Node *node = forest->node;
    const Tensor *modes = node_attribute(node, "nodes_modes")->tensor;
    const Tensor *splits = tensor_of(node, "nodes_splits", forest->type, count);
    const Attribute *sets = node_attribute(node, "membership_values");
    const int64_t *features = ints_of(node, "nodes_featureids", count, true);
    const int64_t *on_true = ints_of(node, "nodes_truenodeids", count, true);
    const int64_t *on_false = ints_of(node, "nodes_falsenodeids", count, true);
    const int64_t *true_leafs = ints_of(node, "nodes_trueleafs", count, true);
    const int64_t *false_leafs = ints_of(node, "nodes_falseleafs", count, true);
    const int64_t *missing = ints_of(node, "nodes_missing_value_tracks_true", count, false);
    for (int64_t i = 0; i < count; i++) {
        bool is_member = tensor_int(modes, i) == MODE_MEMBER;
        int32_t otherwise = branch_of(node, on_false[i], false_leafs[i], places, count, forest->leaf_count);
        int32_t fields[NODE_FIELDS] = {
            check_feature(node, i, features[i]), is_member ? MODE_EQUAL : (int32_t)tensor_int(modes, i),
            missing != NULL && missing[i] != 0,
            branch_of(node, on_true[i], true_leafs[i], places, count, forest->leaf_count), otherwise};
        for (int64_t place = places[i]; place < places[i + 1]; place++) {
            fields[ON_FALSE] = place + 1 < places[i + 1] ? (int32_t)(place + 1) : otherwise;
            int64_t member = members[i] + place - places[i];
            double threshold = !is_member                            ? tensor_number(splits, i)
                               : member < tensor_count(sets->tensor) ? tensor_number(sets->tensor, member)
                                                                     : (double)NAN;
            set_node(forest, place, fields, threshold);
        }
    }
}

static void expand_tree_ensemble(Expansion *e) {
    const Node *node = e->node;
    Value *x = node->inputs.items[0];
    const int64_t nodes = list_length(node, "nodes_featureids"), leaves = list_length(node, "leaf_targetids");
    const int64_t roots = list_length(node, "tree_roots"), aggregate = attr_int(node, "aggregate_function");
    const int64_t transform = attr_int(node, "post_transform");
    const Attribute *targets = node_attribute(node, "n_targets");
    check_rank(node);
    if (aggregate < AVERAGE || aggregate > MAX || transform < SCORES_NONE || transform > SCORES_PROBIT)
        node_fail(node, STATUS_INVALID, "aggregate_function is %lld and post_transform %lld", (long long)aggregate,
                  (long long)transform);
    if (targets == NULL || targets->integer < 1 || targets->integer > INT32_MAX || nodes < 1 || roots < 1)
        node_fail(node, STATUS_INVALID, "it needs n_targets, a tree and a node");
    int64_t *members = arena_new_array(node->graph->arena, int64_t, (size_t)nodes);
    const Tensor *modes = tensor_of(node, "nodes_modes", TYPE_UINT8, nodes);
    const int64_t *places = place_nodes(node, modes, nodes, members);
    Forest forest = new_forest(node, x->type, places[nodes], roots, leaves, leaves);
    read_nodes(&forest, places, members, nodes);
    const Tensor *weights = tensor_of(node, "leaf_weights", x->type, leaves);
    for (int64_t i = 0; i < leaves; i++) {
        int64_t target = node_attribute(node, "leaf_targetids")->integers[i];
        int32s(forest.leaves)[i + 1] = (int32_t)(i + 1);
        int32s(forest.targets)[i] = index_of(node, target, targets->integer, "target");
        tensor_set(forest.weights, i, tensor_number(weights, i));
    }
    for (int64_t i = 0; i < roots; i++)
        int32s(forest.roots)[i] =
            (int32_t)places[index_of(node, node_attribute(node, "tree_roots")->integers[i], nodes, "node")];
    Value *scores = expand_forest(e, x, &forest, targets->integer, aggregate);
    expand_output(e, 0, expand_transform(e, scores, (ScoresTransform)transform));
}

/* TreeEnsembleClassifier and TreeEnsembleRegressor: nodes are named by their trees and by numbers in these. */

/* Numbers that are given as floats, or from version 3 on as a tensor of a name that ends in _as_tensor. */
typedef struct {
    int64_t count;
    const float *floats;
    const Tensor *tensor;
} Numbers;

static Numbers numbers_of(const Node *node, const char *name) {
    const Attribute *floats = node_attribute(node, name);
    const Attribute *tensor = node_attribute(node, arena_printf(node->graph->arena, "%s_as_tensor", name));
    if (floats != NULL && floats->count > 0) return (Numbers){floats->count, floats->numbers, NULL};
    if (tensor == NULL) return (Numbers){0, NULL, NULL};
    if (tensor->tensor->type != TYPE_FLOAT && tensor->tensor->type != TYPE_DOUBLE)
        node_fail(node, STATUS_INVALID, "%s_as_tensor has type %s", name, type_info(tensor->tensor->type)->name);
    return (Numbers){tensor_count(tensor->tensor), NULL, tensor->tensor};
}

static double number_at(const Numbers *numbers, int64_t i) {
    return numbers->tensor != NULL ? tensor_number(numbers->tensor, i) : (double)numbers->floats[i];
}

static Numbers exactly(const Node *node, const char *name, int64_t count) {
    Numbers numbers = numbers_of(node, name);
    if (numbers.count != count)
        node_fail(node, STATUS_INVALID, "%s has %lld elements, expected %lld", name, (long long)numbers.count,
                  (long long)count);
    return numbers;
}

/* A node by its name, and where it stands in the lists. */
typedef struct {
    int64_t tree, number, index;
} Named;

static int compare_named(const void *a, const void *b) {
    const Named *x = a, *y = b;
    if (x->tree != y->tree) return x->tree < y->tree ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

/* The nodes as they are listed, which are looked up by their names. */
typedef struct {
    const Node *node;
    int64_t count, trees, inner; /* nodes, trees, and nodes that are no leaves */
    const int64_t *tree_ids;
    const char **modes;
    Named *sorted;
    int32_t *places; /* of each: its place among those that are no leaves, or -1 - its place among the leaves */
} Listing;

static int64_t find_named(const Listing *listing, int64_t tree, int64_t number) {
    const Named wanted = {tree, number, 0};
    const Named *found = bsearch(&wanted, listing->sorted, (size_t)listing->count, sizeof wanted, compare_named);
    if (found == NULL)
        node_fail(listing->node, STATUS_INVALID, "tree %lld has no node %lld", (long long)tree, (long long)number);
    return found->index;
}

static bool is_leaf(const Listing *listing, int64_t i) { return strcmp(listing->modes[i], "LEAF") == 0; }

static Listing list_nodes(const Node *node) {
    Arena *arena = node->graph->arena;
    const Attribute *modes = node_attribute(node, "nodes_modes");
    Listing listing = {.node = node, .count = list_length(node, "nodes_nodeids")};
    const int64_t *numbers = ints_of(node, "nodes_nodeids", listing.count, true);
    listing.tree_ids = ints_of(node, "nodes_treeids", listing.count, true);
    if (listing.count == 0 || modes == NULL || modes->count != listing.count)
        node_fail(node, STATUS_INVALID, "%lld nodes and %d modes", (long long)listing.count,
                  modes == NULL ? 0 : modes->count);
    listing.modes = modes->strings;
    listing.sorted = arena_new_array(arena, Named, (size_t)listing.count);
    listing.places = arena_new_array(arena, int32_t, (size_t)listing.count);
    int32_t leaves = 0, inner = 0;
    for (int64_t i = 0; i < listing.count; i++) {
        listing.sorted[i] = (Named){listing.tree_ids[i], numbers[i], i};
        listing.places[i] = is_leaf(&listing, i) ? -1 - leaves++ : inner++;
    }
    listing.inner = inner;
    qsort(listing.sorted, (size_t)listing.count, sizeof *listing.sorted, compare_named);
    for (int64_t i = 0; i < listing.count; i++) {
        listing.trees += i == 0 || listing.sorted[i].tree != listing.sorted[i - 1].tree;
        if (i > 0 && compare_named(&listing.sorted[i - 1], &listing.sorted[i]) == 0)
            node_fail(node, STATUS_INVALID, "tree %lld has two nodes %lld", (long long)listing.sorted[i].tree,
                      (long long)listing.sorted[i].number);
    }
    return listing;
}

/* A comparison by its name. */
static int32_t mode_of(const Node *node, const char *name) {
    static const char *const names[] = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE",
                                        "BRANCH_GT",  "BRANCH_EQ", "BRANCH_NEQ"};
    for (int i = 0; i < (int)(sizeof names / sizeof *names); i++)
        if (strcmp(name, names[i]) == 0) return i;
    node_fail(node, STATUS_INVALID, "%s is no mode of a node", quoted(name));
}

static void read_listed_nodes(Forest *forest, const Listing *listing) {
    const Node *node = listing->node;
    const Numbers values = exactly(node, "nodes_values", listing->count);
    const int64_t *features = ints_of(node, "nodes_featureids", listing->count, true);
    const int64_t *on_true = ints_of(node, "nodes_truenodeids", listing->count, true);
    const int64_t *on_false = ints_of(node, "nodes_falsenodeids", listing->count, true);
    const int64_t *missing = ints_of(node, "nodes_missing_value_tracks_true", listing->count, false);
    for (int64_t i = 0; i < listing->count; i++) {
        if (is_leaf(listing, i)) continue;
        const int64_t tree = listing->tree_ids[i];
        const int32_t fields[NODE_FIELDS] = {check_feature(node, i, features[i]), mode_of(node, listing->modes[i]),
                                             missing != NULL && missing[i] != 0,
                                             listing->places[find_named(listing, tree, on_true[i])],
                                             listing->places[find_named(listing, tree, on_false[i])]};
        set_node(forest, listing->places[i], fields, number_at(&values, i));
    }
}

/* The root of a tree is the node that is listed first. */
static void read_roots(Forest *forest, const Listing *listing) {
    int64_t tree = -1, first = 0;
    for (int64_t i = 0; i < listing->count; i++) {
        const Named *named = &listing->sorted[i];
        const bool is_new = i == 0 || named->tree != named[-1].tree;
        if (is_new || named->index < first) first = named->index;
        tree += is_new;
        int32s(forest->roots)[tree] = listing->places[first];
    }
}

/* What leaves give, sorted by leaves. kind: "class" or "target", as attributes' names begin. */
static void read_gifts(Forest *forest, const Listing *listing, const char *kind, int64_t targets) {
    const Node *node = listing->node;
    Arena *arena = node->graph->arena;
    const int64_t count = list_length(node, arena_printf(arena, "%s_nodeids", kind));
    const int64_t *trees = ints_of(node, arena_printf(arena, "%s_treeids", kind), count, true);
    const int64_t *numbers = ints_of(node, arena_printf(arena, "%s_nodeids", kind), count, true);
    const int64_t *ids = ints_of(node, arena_printf(arena, "%s_ids", kind), count, true);
    const Numbers weights = exactly(node, arena_printf(arena, "%s_weights", kind), count);
    int32_t *leaf_of = arena_new_array(arena, int32_t, (size_t)count), *starts = int32s(forest->leaves);
    for (int64_t i = 0; i < count; i++) {
        const int64_t at = find_named(listing, trees[i], numbers[i]);
        if (!is_leaf(listing, at))
            node_fail(node, STATUS_INVALID, "node %lld of tree %lld has a weight, and is no leaf",
                      (long long)numbers[i], (long long)trees[i]);
        leaf_of[i] = -1 - listing->places[at];
        starts[leaf_of[i] + 1]++;
    }
    for (int64_t i = 0; i < forest->leaf_count; i++) starts[i + 1] += starts[i];
    for (int64_t i = count - 1; i >= 0; i--) { /* each leaf from behind: starts of leaf + 1 go down to its own */
        const int32_t to = --starts[leaf_of[i] + 1];
        int32s(forest->targets)[to] = index_of(node, ids[i], targets, kind);
        tensor_set(forest->weights, to, number_at(&weights, i));
    }
    memmove(starts, starts + 1, (size_t)forest->leaf_count * sizeof *starts);
    starts[forest->leaf_count] = (int32_t)count;
}

/* Scores [N targets] in the type in which trees are computed: double where anything is, else float. */
static Value *expand_listed(Expansion *e, const char *kind, int64_t targets, int64_t aggregate) {
    const Node *node = e->node;
    Arena *arena = node->graph->arena;
    Value *x = node->inputs.items[0];
    check_rank(node);
    const Numbers values = numbers_of(node, "nodes_values");
    const Numbers weights = numbers_of(node, arena_printf(arena, "%s_weights", kind));
    const bool is_double = x->type == TYPE_DOUBLE || (values.tensor != NULL && values.tensor->type == TYPE_DOUBLE) ||
                           (weights.tensor != NULL && weights.tensor->type == TYPE_DOUBLE);
    const Type type = is_double ? TYPE_DOUBLE : TYPE_FLOAT;
    const Listing listing = list_nodes(node);
    const int64_t leaves = listing.count - listing.inner;
    if (leaves == 0) node_fail(node, STATUS_INVALID, "its trees have no leaves");
    /* One node at least, and one weight, so that no table is empty. */
    Forest forest = new_forest(node, type, listing.inner > 0 ? listing.inner : 1, listing.trees, leaves,
                               weights.count > 0 ? weights.count : 1);
    if (listing.inner == 0) set_node(&forest, 0, (int32_t[NODE_FIELDS]){0, 0, 0, -1, -1}, 0);
    read_listed_nodes(&forest, &listing);
    read_roots(&forest, &listing);
    read_gifts(&forest, &listing, kind, targets);
    return expand_forest(e, expand_cast(e, x, type), &forest, targets, aggregate);
}

/* Scores and what attribute base_values adds to each. */
static Value *add_base(Expansion *e, Value *scores, int64_t count) {
    const Numbers base = numbers_of(e->node, "base_values");
    if (base.count == 0) return scores;
    const Numbers numbers = exactly(e->node, "base_values", count);
    Tensor *tensor = new_list(e->node, scores->type, count, 1);
    for (int64_t i = 0; i < count; i++) tensor_set(tensor, i, number_at(&numbers, i));
    return expand_op(e, "Add", scores, graph_constant(e->node->graph, "base_values", tensor));
}

static void expand_regressor(Expansion *e) {
    static const char *const names[] = {"AVERAGE", "SUM", "MIN", "MAX"};
    const char *given = attr_string(e->node, "aggregate_function");
    const Attribute *targets = node_attribute(e->node, "n_targets");
    int aggregate = 0;
    while (aggregate <= MAX && strcmp(given, names[aggregate]) != 0) aggregate++;
    if (aggregate > MAX) node_fail(e->node, STATUS_INVALID, "aggregate_function is %s, which is none", quoted(given));
    if (targets == NULL || targets->integer < 1 || targets->integer > INT32_MAX)
        node_fail(e->node, STATUS_INVALID, "it needs n_targets");
    Value *scores = add_base(e, expand_listed(e, "target", targets->integer, aggregate), targets->integer);
    expand_output(e, 0, expand_cast(e, expand_transform(e, scores, scores_transform(e->node)), TYPE_FLOAT));
}

/* The one class that all weights are for, of two; -1 where they are for more. *positive: whether no weight is below 0.
 */
static int64_t only_class(const Node *node, int64_t classes, bool *positive) {
    const Attribute *ids = node_attribute(node, "class_ids");
    const Numbers weights = numbers_of(node, "class_weights");
    *positive = true;
    if (classes != 2 || ids == NULL || ids->count == 0 || weights.count != ids->count) return -1;
    for (int i = 0; i < ids->count; i++) {
        if (ids->integers[i] != ids->integers[0]) return -1;
        *positive &= number_at(&weights, i) >= 0;
    }
    return ids->integers[0];
}

/* Two classes of which the trees give one score, as ONNX Runtime reads it: where no weight is below 0 a probability. */
static void expand_binary(Expansion *e, Value *scores, int64_t class, bool positive) {
    const ScoresTransform transform = scores_transform(e->node);
    Value *score = expand_slice(e, scores, 1, class, class + 1, 1);
    if (class == 0) {
        score = add_base(e, score, 1);
        scores = expand_two_scores(e, score, positive, transform);
    } else {
        if (numbers_of(e->node, "base_values").count > 0)
            node_fail(e->node, STATUS_UNSUPPORTED, "base_values of two classes with one score are not supported");
        scores = expand_transform(e, scores, transform);
    }
    expand_output(e, 0, expand_two_labels(e, "classlabels_int64s", score, positive ? 0.5 : 0));
    expand_output(e, 1, expand_cast(e, scores, TYPE_FLOAT));
}

static void expand_classifier(Expansion *e) {
    const int64_t classes = label_count(e->node, "classlabels_int64s", "classlabels_strings");
    bool positive;
    const int64_t class = only_class(e->node, classes, &positive);
    Value *scores = expand_listed(e, "class", classes, SUM);
    if (class >= 0) {
        expand_binary(e, scores, class, positive);
        return;
    }
    scores = add_base(e, scores, classes);
    expand_output(e, 0, expand_labels(e, "classlabels_int64s", scores));
    expand_output(e, 1, expand_cast(e, expand_transform(e, scores, scores_transform(e->node)), TYPE_FLOAT));
}

#define LISTED                                                                                                         \
    "base_values:floats base_values_as_tensor:tensor@3 nodes_falsenodeids:ints nodes_featureids:ints "                 \
    "nodes_hitrates:floats nodes_hitrates_as_tensor:tensor@3 nodes_missing_value_tracks_true:ints "                    \
    "nodes_modes:strings "                                                                                             \
    "nodes_nodeids:ints nodes_treeids:ints nodes_truenodeids:ints nodes_values:floats "                                \
    "nodes_values_as_tensor:tensor@3 "                                                                                 \
    "post_transform:string=NONE "

const Op OPS_trees[] = {
    {.name = "Trees",
     .domain = FUSED_DOMAIN,
     .versions = {1},
     .inputs = "X:T nodes:int32 thresholds:T roots:int32 leaves:int32 leaf_targets:int32 weights:T",
     .outputs = "Y:T",
     .types = "T: floats",
     .attributes = "targets:int! aggregate:int!",
     .infer = infer_trees,
     .carry = carry_first,
     .lower = lower_trees},
    {.name = "TreeEnsemble",
     .domain = MACHINE_LEARNING,
     .versions = {5},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = "T: float double float16",
     .attributes = "aggregate_function:int=1 leaf_targetids:ints! leaf_weights:tensor! membership_values:tensor "
                   "n_targets:int nodes_falseleafs:ints! nodes_falsenodeids:ints! nodes_featureids:ints! "
                   "nodes_hitrates:tensor nodes_missing_value_tracks_true:ints nodes_modes:tensor! "
                   "nodes_splits:tensor! nodes_trueleafs:ints! nodes_truenodeids:ints! post_transform:int=0 "
                   "tree_roots:ints!",
     .expand = expand_tree_ensemble},
    {.name = "TreeEnsembleRegressor",
     .domain = MACHINE_LEARNING,
     .versions = {1, 3},
     .inputs = "X:T",
     .outputs = "Y:float",
     .types = "T: float double int32 int64",
     .attributes = LISTED "aggregate_function:string=SUM n_targets:int target_ids:ints target_nodeids:ints "
                          "target_treeids:ints target_weights:floats target_weights_as_tensor:tensor@3",
     .expand = expand_regressor},
    {.name = "TreeEnsembleClassifier",
     .domain = MACHINE_LEARNING,
     .versions = {1, 3},
     .inputs = "X:T1",
     .outputs = "Y:T2 Z:float",
     .types = "T1: float double int32 int64; T2: int64 string",
     .attributes = LISTED "class_ids:ints class_nodeids:ints class_treeids:ints class_weights:floats "
                          "class_weights_as_tensor:tensor@3 classlabels_int64s:ints classlabels_strings:strings",
     .expand = expand_classifier},
    {0},
};
