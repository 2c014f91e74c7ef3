/* Bias: a sum with a constant row that follows a product with a constant matrix rides in the product, as Gemm's does.
 * This is how exporters write a Linear layer over more than two dimensions; ONNX has no operator for it. */
#include "ops/op.h"
#include "passes/fuse.h"

#include <string.h>

/* MatMul with a matrix of weights and no bias yet, whose output only an Add reads. */
static bool can_take(const Node *node) {
    if (node->domain[0] != '\0' || strcmp(node->op_type, "MatMul") != 0 || node->inputs.count != 2) return false;
    const Value *weights = node->inputs.items[1], *output = node->outputs.items[0];
    if (weights->constant == NULL || weights->shape.rank != 2 || node->inputs.items[0]->shape.rank < 2) return false;
    return output->consumers.count == 1 && !output->is_output && !output->is_probed;
}

/* The constant that an Add adds to x, if it is one row. */
static Value *row_added(const Node *node, const Value *x, int64_t columns) {
    if (node->domain[0] != '\0' || strcmp(node->op_type, "Add") != 0) return NULL;
    Value *row = node->inputs.items[node->inputs.items[0] == x ? 1 : 0];
    if (row->constant == NULL || tensor_count(row->constant) != columns || row->shape.rank > x->shape.rank) return NULL;
    return row->shape.rank > 0 && row->shape.dims[row->shape.rank - 1].size == columns ? row : NULL;
}

void pass_bias(Graph *graph, const PassOptions *options) {
    if (!fuse_allows(options, "bias")) return;
    for (int i = 0; i < graph->nodes.count; i++) {
        Node *node = graph->nodes.items[i];
        if (!can_take(node)) continue;
        Value *product = node->outputs.items[0];
        Node *add = product->consumers.items[0];
        Value *row = row_added(add, product, node->inputs.items[1]->shape.dims[1].size);
        if (row == NULL) continue;
        list_add(graph->arena, &node->inputs, row);
        node->outputs.items[0] = add->outputs.items[0];
        add->outputs.items[0] = product, add->inputs.count = 0; /* without a reader, it goes with the pruning */
        node_absorb(node, add);
    }
    graph_prune(graph);
}
