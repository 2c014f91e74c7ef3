/* Features (ai.onnx.ml): operators that scale, pick and encode columns of numbers, expanded.
 * Their results are floats, whatever the input's type is. */
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
     .types = "T: float double int32 int64",
     .attributes = "threshold:float=0",
     .infer = infer_same,
     .expand = expand_binarizer},
    {0},
};
