/* Trees: TreeEnsemble, and the classifier and the regressor before it, as one operator of fovea's own whose kernel is
 * runtime/trees.c, and what becomes of its scores. */
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

static void check_features(const Node *node, const int64_t *features, int64_t count) {
    const Shape *x = &node->inputs.items[0]->shape;
    if (x->rank < 0) return;
    if (x->rank != 2) node_fail(node, STATUS_INVALID, "the input has %d dimensions, expected 2", x->rank);
    for (int64_t i = 0; i < count; i++)
        if (features[i] < 0 || (x->dims[1].size >= 0 && features[i] >= x->dims[1].size))
            node_fail(node, STATUS_INVALID, "node %lld asks for feature %lld of %lld", (long long)i,
                      (long long)features[i], (long long)x->dims[1].size);
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
    check_features(node, features, count);
    for (int64_t i = 0; i < count; i++) {
        bool is_member = tensor_int(modes, i) == MODE_MEMBER;
        int32_t otherwise = branch_of(node, on_false[i], false_leafs[i], places, count, forest->leaf_count);
        int32_t fields[NODE_FIELDS] = {(int32_t)features[i], is_member ? MODE_EQUAL : (int32_t)tensor_int(modes, i),
                                       missing != NULL && missing[i] != 0,
                                       branch_of(node, on_true[i], true_leafs[i], places, count, forest->leaf_count),
                                       otherwise};
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

const Op OPS_trees[] = {
    {.name = "Trees",
     .domain = FUSED_DOMAIN,
     .versions = {1},
     .inputs = "X:T nodes:int32 thresholds:T roots:int32 leaves:int32 leaf_targets:int32 weights:T",
     .outputs = "Y:T",
     .types = "T: floats",
     .attributes = "targets:int! aggregate:int!",
     .infer = infer_trees,
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
    {0},
};
