/* If: where its condition is known when compiling, as where an exporter asks for a shape, the branch that is taken
 * stands in its place, and the other is gone; where it is not, both are computed, and each output is chosen from two.
 */
#include "ops/expand.h"
#include "ops/fused.h"

/* Moves the nodes of a branch here. */
static Graph *move_branch(Expansion *e, const char *attribute) {
    Graph *branch = node_attribute(e->node, attribute)->graph, *graph = e->node->graph;
    if (branch->outputs.count != e->node->outputs.count)
        node_fail(e->node, STATUS_INVALID, "it has %d outputs, and its %s %d", e->node->outputs.count, attribute,
                  branch->outputs.count);
    for (int i = 0; i < branch->values.count; i++) list_add(graph->arena, &graph->values, branch->values.items[i]);
    for (int i = 0; i < branch->nodes.count; i++) {
        branch->nodes.items[i]->graph = graph;
        list_add(graph->arena, &e->nodes, branch->nodes.items[i]);
    }
    return branch;
}

static void expand_if(Expansion *e) {
    Value *condition = e->node->inputs.items[0];
    Arena *arena = e->node->graph->arena;
    if (shape_is_known(&condition->shape) && shape_count(&condition->shape) != 1)
        node_fail(e->node, STATUS_INVALID, "the condition has %lld elements, expected 1",
                  (long long)shape_count(&condition->shape));
    if (condition->constant != NULL) {
        const bool holds = tensor_number(condition->constant, 0) != 0;
        const Graph *branch = move_branch(e, holds ? "then_branch" : "else_branch");
        for (int i = 0; i < branch->outputs.count; i++) expand_later(e, i, branch->outputs.items[i]);
        return;
    }
    const Graph *then_branch = move_branch(e, "then_branch"), *else_branch = move_branch(e, "else_branch");
    for (int i = 0; i < then_branch->outputs.count; i++) {
        ValueList inputs = {0};
        list_add(arena, &inputs, condition);
        list_add(arena, &inputs, then_branch->outputs.items[i]);
        list_add(arena, &inputs, else_branch->outputs.items[i]);
        expand_later(e, i, expand_own_node(e, "Choice", inputs.count, inputs.items, NULL)->outputs.items[0]);
    }
}

/* Where would broadcast. */
static void infer_choice(Node *node) {
    for (int i = 1; i < 3; i++)
        if (node->inputs.items[i]->kind != VALUE_TENSOR)
            node_fail(node, STATUS_UNSUPPORTED,
                      "which branch is taken is not known when compiling, and they give a sequence or an optional "
                      "value; export the model with fixed shapes, or with tensors as the branches' outputs");
    const Shape *a = &node->inputs.items[1]->shape, *b = &node->inputs.items[2]->shape;
    node->outputs.items[0]->shape = *a;
    if (shape_is_known(a) && shape_is_known(b) && !shape_equal(a, b))
        node_fail(node, STATUS_UNSUPPORTED,
                  "which branch is taken is not known when compiling, and they give the shapes %s and %s; export the "
                  "model with fixed shapes, or without the condition",
                  shape_text(node->graph->arena, a), shape_text(node->graph->arena, b));
}

static void expand_choice(Expansion *e) {
    Value *const *inputs = e->node->inputs.items;
    Value *condition = expand_reshape_to(e, inputs[0], 0, NULL);
    expand_output(e, 0, expand_op(e, "Where", condition, inputs[1], inputs[2]));
}

const Op OPS_branch[] = {
    {.name = "If",
     .versions = {1, 11, 13, 16, 19, 21, 23, 24, 25},
     .inputs = "cond:bool",
     .outputs = "outputs:any(V)*",
     .types = "V: all",
     .attributes = "then_branch:graph! else_branch:graph!",
     .expand = expand_if},
    {.name = "Choice",
     .domain = FUSED_DOMAIN,
     .versions = {1},
     .inputs = "cond:bool then:any(T) else:any(T)",
     .outputs = "output:T",
     .types = "T: all",
     .infer = infer_choice,
     .expand = expand_choice},
    {0},
};
