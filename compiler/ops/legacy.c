/* Broadcasting before opset 7, said as it is said today.
 * ONNX's changelog of operators, versions 1 and 6 of Add, Equal, PRelu and their like. */
#include "ops/legacy.h"

#include <string.h>

static bool is_prelu(const Node *node) { return strcmp(node->op->name, "PRelu") == 0; }

bool legacy_broadcasts(const Node *node) {
    if (node->version >= 7 || node->op->domain != NULL) return false;
    return is_prelu(node) || (op_attribute_kind(node->op, node->version, "axis") != NULL &&
                              op_attribute_kind(node->op, node->version, "broadcast") != NULL);
}

static bool is_one_element(const Shape *shape) {
    for (int d = 0; d < shape->rank; d++)
        if (shape->dims[d].size != 1) return false;
    return shape->rank >= 0;
}

/* The axis of the first input that dimension 0 of the second lies along. */
static int axis_of(const Node *node) {
    const Shape *a = &node->inputs.items[0]->shape, *b = &node->inputs.items[1]->shape;
    const Attribute *given = is_prelu(node) ? NULL : node_attribute(node, "axis");
    int last = a->rank - b->rank; /* where it ends with the first input */
    int64_t axis = given != NULL ? given->integer : is_prelu(node) && b->rank == 1 && a->rank > 1 ? 1 : last;
    if (axis < 0 && given != NULL) axis += a->rank;
    if (axis < 0 || axis > last)
        node_fail(node, STATUS_INVALID, "the second input, %s, does not lie along the first, %s, from axis %lld on",
                  shape_text(node->graph->arena, b), shape_text(node->graph->arena, a), (long long)axis);
    return (int)axis;
}

/* The shape of the second input with ones behind, so that it broadcasts to the first. */
static Shape laid_along(const Node *node) {
    const Shape *a = &node->inputs.items[0]->shape;
    Shape shape = node->inputs.items[1]->shape;
    if (is_one_element(&shape)) return shape_of(0, NULL);
    int rank = a->rank - axis_of(node);
    while (shape.rank < rank) shape.dims[shape.rank++] = dim_known(1);
    return shape;
}

void legacy_infer(Node *node) {
    const Shape *a = &node->inputs.items[0]->shape, *b = &node->inputs.items[1]->shape;
    infer_same(node);
    if (a->rank < 0 || b->rank < 0) return;
    bool is_allowed = is_prelu(node) || attr_int(node, "broadcast") != 0;
    if (!is_allowed && shape_is_known(a) && shape_is_known(b) && !shape_equal(a, b))
        node_fail(node, STATUS_INVALID, "the inputs have shapes %s and %s; without broadcast=1 they have to be equal",
                  shape_text(node->graph->arena, a), shape_text(node->graph->arena, b));
    Shape laid = laid_along(node), both = shape_broadcast(node, a, &laid);
    if (shape_is_known(a) && shape_is_known(&both) && !shape_equal(a, &both))
        node_fail(node, STATUS_INVALID, "the second input, %s, does not broadcast to the first, %s",
                  shape_text(node->graph->arena, b), shape_text(node->graph->arena, a));
}

void legacy_expand(Expansion *e) {
    Value *a = e->node->inputs.items[0], *b = e->node->inputs.items[1];
    Shape laid = laid_along(e->node);
    int64_t axes[MAX_RANK];
    int more = laid.rank - b->shape.rank;
    for (int i = 0; i < more; i++) axes[i] = b->shape.rank + i;
    if (more > 0) b = expand_op(e, "Unsqueeze", b, expand_ints(e, more, axes));
    if (more < 0) b = expand_reshape_to(e, b, 0, NULL);
    expand_output(e, 0, expand_op(e, e->node->op_type, a, b));
}
