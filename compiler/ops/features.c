/* Features (ai.onnx.ml): operators that scale, pick and encode columns of numbers, and linear models of them, expanded.
 * Most give floats, whatever the input's type is. */
#include "ops/scores.h"

#include <math.h>
#include <string.h>

static void refuse_strings(const Node *node) {
    if (node->inputs.items[0]->type == TYPE_STRING)
        node_fail(node, STATUS_UNSUPPORTED,
                  "the input is strings, which fovea does not compute on; do that before the model");
}

/* ArrayFeatureExtractor: places in the last dimension; a vector is a matrix of one row. */
static void expand_extractor(Expansion *e) {
    Value *x = e->node->inputs.items[0], *places = e->node->inputs.items[1];
    refuse_strings(e->node);
    if (x->shape.rank == 0) node_fail(e->node, STATUS_INVALID, "the input has no dimension to pick from");
    if (x->shape.rank == 1) x = expand_reshape(e, x, 1, -1);
    if (places->shape.rank != 1) places = expand_reshape(e, places, -1);
    Node *gather = expand_node(e, "Gather", x, places);
    node_set_int(gather, "axis", x->shape.rank - 1);
    expand_output(e, 0, expand_value(gather));
}

/* Binarizer: 1 where an element is above the threshold, else 0. Integers are compared with the threshold rounded down,
 * as a float does not hold them all. */
static void expand_binarizer(Expansion *e) {
    Value *x = e->node->inputs.items[0];
    const double threshold = (double)attr_float(e->node, "threshold");
    Value *limit;
    if (type_is_float(x->type)) limit = expand_number(e, x->type, threshold);
    else if (fabs(threshold) < ldexp(1, 63)) limit = expand_range(e, (int64_t)floor(threshold), 1, 0, NULL);
    else node_fail(e->node, STATUS_INVALID, "threshold %g is out of range for integers", threshold);
    Value *compared = type_is_float(x->type) ? x : expand_cast(e, x, TYPE_INT64);
    expand_output(e, 0, expand_cast(e, expand_op(e, "Greater", compared, limit), x->type));
}

/* The input in the type in which it is computed on: doubles stay, all else are floats. */
static Value *as_numbers(Expansion *e) {
    Value *x = e->node->inputs.items[0];
    return expand_cast(e, x, x->type == TYPE_DOUBLE ? TYPE_DOUBLE : TYPE_FLOAT);
}

static void give_floats(Expansion *e, int i, Value *y) { expand_output(e, i, expand_cast(e, y, TYPE_FLOAT)); }

/* Fails unless a list has a number for all features, or one for each. */
static void check_features(const Node *node, const char *name, int64_t count) {
    const Shape *x = &node->inputs.items[0]->shape;
    if (count != 1 && (x->rank < 1 || count != x->dims[x->rank - 1].size))
        node_fail(node, STATUS_INVALID, "%s has %lld elements, expected one, or as many as there are features", name,
                  (long long)count);
}

/* Scaler: (x - offset) * scale. */
static void expand_scaler(Expansion *e) {
    const Attribute *offset = node_attribute(e->node, "offset"), *scale = node_attribute(e->node, "scale");
    if (offset == NULL || scale == NULL || offset->count != scale->count)
        node_fail(e->node, STATUS_INVALID, "offset and scale have to be there, with as many elements");
    check_features(e->node, "offset", offset->count);
    const int64_t count = offset->count;
    Value *x = as_numbers(e);
    Value *moved = expand_op(e, "Sub", x, expand_numbers(e, x->type, offset->numbers, 1, &count));
    give_floats(e, 0, expand_op(e, "Mul", moved, expand_numbers(e, x->type, scale->numbers, 1, &count)));
}

/* Normalizer: each row divided by its maximum, its sum of magnitudes or its length, where that is not 0. */
static void expand_normalizer(Expansion *e) {
    static const char *const names[] = {"MAX", "L1", "L2"}, *const reductions[] = {"ReduceMax", "ReduceL1", "ReduceL2"};
    const char *norm = attr_string(e->node, "norm");
    int i = 0;
    while (i < 3 && strcmp(norm, names[i]) != 0) i++;
    if (i == 3) node_fail(e->node, STATUS_INVALID, "norm is %s, expected MAX, L1 or L2", quoted(norm));
    Value *x = as_numbers(e);
    if (x->shape.rank != 1 && x->shape.rank != 2)
        node_fail(e->node, STATUS_INVALID, "the input has %d dimensions, expected 1 or 2", x->shape.rank);
    Value *size = expand_op(e, reductions[i], x, expand_ints(e, 1, (int64_t[]){-1}));
    Value *is_zero = expand_op(e, "Equal", size, expand_number(e, x->type, 0));
    size = expand_op(e, "Where", is_zero, expand_number(e, x->type, 1), size);
    give_floats(e, 0, expand_op(e, "Div", x, size));
}

/* Imputer: one value, which may be NaN, replaced by one for all features, or one for each. */
static void expand_imputer(Expansion *e) {
    Value *x = e->node->inputs.items[0], *is_missing, *others;
    const bool is_float = type_is_float(x->type);
    const char *name = is_float ? "imputed_value_floats" : "imputed_value_int64s";
    const Attribute *imputed = node_attribute(e->node, name);
    if (imputed == NULL || imputed->count == 0) node_fail(e->node, STATUS_INVALID, "%s is missing", name);
    check_features(e->node, name, imputed->count);
    if (is_float) {
        const double replaced = (double)attr_float(e->node, "replaced_value_float");
        is_missing =
            isnan(replaced) ? expand_op(e, "IsNaN", x) : expand_op(e, "Equal", x, expand_number(e, x->type, replaced));
        others = expand_numbers(e, x->type, imputed->numbers, 1, (int64_t[]){imputed->count});
    } else {
        Value *replaced = expand_range(e, attr_int(e->node, "replaced_value_int64"), 1, 0, NULL);
        is_missing = expand_op(e, "Equal", expand_cast(e, x, TYPE_INT64), replaced);
        others = expand_cast(e, expand_ints(e, imputed->count, imputed->integers), x->type);
    }
    expand_output(e, 0, expand_op(e, "Where", is_missing, others, x));
}

/* OneHotEncoder: a 1 in the place of each element's category. What is none of them has zeros only, also where attribute
 * zeros says that a model should fail then: what is generated cannot. */
static void expand_one_hot(Expansion *e) {
    const Attribute *categories = node_attribute(e->node, "cats_int64s"),
                    *strings = node_attribute(e->node, "cats_strings");
    Value *x = e->node->inputs.items[0];
    refuse_strings(e->node);
    if (categories == NULL || strings != NULL)
        node_fail(e->node, STATUS_INVALID, "it needs cats_int64s, and no others");
    x = expand_unsqueeze(e, expand_cast(e, x, TYPE_INT64), -1);
    give_floats(e, 0, expand_op(e, "Equal", x, expand_ints(e, categories->count, categories->integers)));
}

/* The input [N F] times the rows of attribute coefficients, of which there are `rows`, and attribute intercepts. */
static Value *linear_scores(Expansion *e, int64_t rows) {
    const Node *node = e->node;
    const Attribute *coefficients = node_attribute(node, "coefficients"), *shifts = node_attribute(node, "intercepts");
    Value *x = as_numbers(e);
    if (x->shape.rank == 1) x = expand_reshape(e, x, 1, -1);
    if (x->shape.rank != 2)
        node_fail(node, STATUS_INVALID, "the input has %d dimensions, expected 1 or 2", x->shape.rank);
    const int64_t given = coefficients == NULL ? 0 : coefficients->count, features = size_of(x, 1);
    if (rows < 1 || features < 1 || given % features != 0 || given / features != rows)
        node_fail(node, STATUS_INVALID, "%lld coefficients for %lld features and %lld targets", (long long)given,
                  (long long)features, (long long)rows);
    if (shifts != NULL && shifts->count > 0 && shifts->count != rows)
        node_fail(node, STATUS_INVALID, "%d intercepts for %lld targets", shifts->count, (long long)rows);
    Value *weights = expand_numbers(e, x->type, coefficients->numbers, 2, (int64_t[]){rows, features});
    const bool is_shifted = shifts != NULL && shifts->count > 0;
    Node *gemm =
        expand_node(e, "Gemm", x, weights, is_shifted ? expand_numbers(e, x->type, shifts->numbers, 1, &rows) : NULL);
    node_set_int(gemm, "transB", 1);
    return expand_value(gemm);
}

static void expand_linear_regressor(Expansion *e) {
    Value *scores = linear_scores(e, attr_int(e->node, "targets"));
    give_floats(e, 0, expand_transform(e, scores, scores_transform(e->node)));
}

/* Two classes may have one row, the second's. */
static void expand_linear_classifier(Expansion *e) {
    static const char labels[] = "classlabels_ints";
    const int64_t classes = label_count(e->node, labels, "classlabels_strings");
    const Shape *x = &e->node->inputs.items[0]->shape;
    const ScoresTransform transform = scores_transform(e->node);
    const int64_t given = node_attribute(e->node, "coefficients")->count;
    if (classes == 2 && x->rank > 0 && given == x->dims[x->rank - 1].size) {
        Value *score = linear_scores(e, 1);
        expand_output(e, 0, expand_two_labels(e, labels, score, 0));
        give_floats(e, 1, expand_two_scores(e, score, true, transform));
        return;
    }
    Value *scores = linear_scores(e, classes);
    expand_output(e, 0, expand_labels(e, labels, scores));
    give_floats(e, 1, expand_transform(e, scores, transform));
}

#define NUMBERS "T: float double int32 int64"

const Op OPS_features[] = {
    {.name = "ArrayFeatureExtractor",
     .domain = MACHINE_LEARNING,
     .versions = {1},
     .inputs = "X:T Y:int64",
     .outputs = "Z:T",
     .types = "T: string float double int32 int64",
     .expand = expand_extractor},
    {.name = "Binarizer",
     .domain = MACHINE_LEARNING,
     .versions = {1},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = NUMBERS,
     .attributes = "threshold:float=0",
     .infer = infer_same,
     .expand = expand_binarizer},
    {.name = "Scaler",
     .domain = MACHINE_LEARNING,
     .versions = {1},
     .inputs = "X:T",
     .outputs = "Y:float",
     .types = NUMBERS,
     .attributes = "offset:floats scale:floats",
     .expand = expand_scaler},
    {.name = "Normalizer",
     .domain = MACHINE_LEARNING,
     .versions = {1},
     .inputs = "X:T",
     .outputs = "Y:float",
     .types = NUMBERS,
     .attributes = "norm:string=MAX",
     .expand = expand_normalizer},
    {.name = "Imputer",
     .domain = MACHINE_LEARNING,
     .versions = {1},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = NUMBERS,
     .attributes = "imputed_value_floats:floats imputed_value_int64s:ints replaced_value_float:float=0 "
                   "replaced_value_int64:int=0",
     .expand = expand_imputer},
    {.name = "OneHotEncoder",
     .domain = MACHINE_LEARNING,
     .versions = {1},
     .inputs = "X:T",
     .outputs = "Y:float",
     .types = "T: string float double int32 int64",
     .attributes = "cats_int64s:ints cats_strings:strings zeros:int=1",
     .expand = expand_one_hot},
    {.name = "LinearRegressor",
     .domain = MACHINE_LEARNING,
     .versions = {1},
     .inputs = "X:T",
     .outputs = "Y:float",
     .types = NUMBERS,
     .attributes = "coefficients:floats intercepts:floats post_transform:string=NONE targets:int=1",
     .expand = expand_linear_regressor},
    {.name = "LinearClassifier",
     .domain = MACHINE_LEARNING,
     .versions = {1},
     .inputs = "X:T1",
     .outputs = "Y:T2 Z:float",
     .types = "T1: float double int32 int64; T2: int64 string",
     .attributes = "classlabels_ints:ints classlabels_strings:strings coefficients:floats! intercepts:floats "
                   "multi_class:int=0 post_transform:string=NONE",
     .expand = expand_linear_classifier},
    {0},
};
