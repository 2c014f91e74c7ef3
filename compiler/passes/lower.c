/* Lowering: nodes become steps, and a node alone becomes a constant when all that it reads is known.
 * Folding runs the same steps in the interpreter that generated code would run. */
#include "passes/lower.h"

#include "base/checked.h"
#include "ops/elementwise.h"
#include "patterns/block.h"

#include <string.h>

/* Nothing has to be computed for tensors without elements, and kernels need not mind them. */
static bool is_empty(const Node *node) {
    bool empty = true;
    for (int i = 0; i < node->outputs.count; i++)
        if (node->outputs.items[i] != NULL) empty &= shape_count(&node->outputs.items[i]->shape) == 0;
    return empty;
}

static void lower_node(Program *program, Node *node) {
    if (is_empty(node)) return;
    int from = program->steps.count;
    program->current = node;
    if (node->op->lower != NULL) node->op->lower(program, node);
    else if (node->op->formula != NULL) lower_formula(program, node, node->op->formula);
    else node_fail(node, STATUS_UNSUPPORTED, "can be evaluated only when all its inputs are known while compiling");
    for (int i = from; i < program->steps.count; i++) {
        Step *step = program->steps.items[i];
        step_check(program, step);
        if (node->block != NULL) step->block = node->block->name;
    }
    program->current = NULL;
}

bool reads_known_shapes(const Node *node) {
    for (int i = 0; i < node->inputs.count; i++)
        if (node->inputs.items[i] != NULL && !shape_is_known(&node->inputs.items[i]->shape)) return false;
    return true;
}

/* Every node at which shapes cease to be known; what follows from them is not repeated. */
static void report_unknown_shapes(const Graph *graph) {
    for (int i = 0; i < graph->nodes.count; i++) {
        const Node *node = graph->nodes.items[i];
        for (int k = 0; k < node->outputs.count; k++) {
            const Value *output = node->outputs.items[k];
            if (output == NULL || shape_is_known(&output->shape) || !reads_known_shapes(node)) continue;
            node_report(node, STATUS_UNSUPPORTED, "the shape of output %s is not known when compiling: %s",
                        quoted(output->name), shape_text(graph->arena, &output->shape));
            if (node->op->bound != NULL)
                note(
                    "how much is found is known at run time; fovea takes that as an output, which no other node reads");
            else
                note("it depends on what the node computes or is given at run time; export the model with a fixed "
                     "shape");
        }
    }
    fail_if_reported();
}

Program *lower_graph(Graph *graph, const PassOptions *options) {
    report_unknown_shapes(graph);
    Program *program = program_new(graph->arena, graph);
    if (options->target != NULL) program->target = options->target;
    program->is_direct = options->winograd == METHOD_OFF || program->target->is_small;
    program->is_plain = options->strassen == METHOD_OFF || program->target->is_small;
    program->threads = options->threads > 0 ? options->threads : 1;
    program->tuning = options->tuning;
    for (int i = 0; i < graph->nodes.count; i++) lower_node(program, graph->nodes.items[i]);
    return program;
}

/* A softmax that weighs rows in a product is a map of attention, which is to be seen, be it the same for every input,
 * as between learned queries: so it stays, and blocks are found among what stays. */
static bool is_attention_map(const Node *node) {
    if (node->domain[0] != '\0' || strcmp(node->op_type, "Softmax") != 0) return false;
    const Value *map = node->outputs.items[0];
    for (int i = 0; i < map->consumers.count; i++) {
        const Node *reader = map->consumers.items[i];
        if (strcmp(reader->op_type, "MatMul") != 0 || reader->inputs.items[0] != map) return false;
    }
    return map->shape.rank > 2 && map->consumers.count > 0;
}

static bool can_fold(const Node *node) {
    if (is_attention_map(node)) return false;
    if (node->op->is_random || (node->op->lower == NULL && node->op->formula == NULL)) return false;
    for (int i = 0; i < node->inputs.count; i++)
        if (node->inputs.items[i] != NULL && node->inputs.items[i]->constant == NULL) return false;
    for (int i = 0; i < node->outputs.count; i++) {
        const Value *output = node->outputs.items[i];
        if (output != NULL && (!shape_is_known(&output->shape) || output->type == TYPE_STRING)) return false;
    }
    return true;
}

/* The tensor that output i of a folded node becomes, and where the interpreter is to write it. */
static Tensor *give_memory(Program *program, const Value *output, void **memory) {
    Tensor *tensor = tensor_new(program->arena, output->type, &output->shape);
    const Buffer *buffer = program_buffer(program, output);
    if (buffer->constant == NULL && memory[buffer->number] == NULL) memory[buffer->number] = tensor->data;
    return tensor;
}

FoldBudget fold_budget(const Graph *graph) {
    enum { MULTIPLE = 16, CONSTANT = 64 << 20 };
    const int64_t most_work = INT64_C(1) << 31;
    int64_t constants = 0; /* they are in memory, so the sum of their sizes is no large number */
    for (int i = 0; i < graph->values.count; i++)
        if (graph->values.items[i]->constant != NULL)
            constants += (int64_t)tensor_bytes(graph->values.items[i]->constant);
    return (FoldBudget){constants * MULTIPLE + CONSTANT, most_work};
}

/* What computing a node takes: its multiply-adds, or each element once, or once for each place of a window. */
static int64_t work_of(const Node *node) {
    if (node->op->macs != NULL) return node->op->macs(node);
    int64_t work = 0;
    for (int i = 0; i < node->inputs.count; i++)
        if (node->inputs.items[i] != NULL) work += shape_count(&node->inputs.items[i]->shape);
    for (int i = 0; i < node->outputs.count; i++)
        if (node->outputs.items[i] != NULL) work += shape_count(&node->outputs.items[i]->shape);
    const Attribute *window = node_attribute(node, "kernel_shape"), *size = node_attribute(node, "size");
    bool fits = true;
    for (int i = 0; window != NULL && i < window->count; i++)
        fits &= checked_multiply(work, window->integers[i], &work);
    if (size != NULL && size->kind == ATTRIBUTE_INT) fits &= checked_multiply(work, size->integer, &work);
    return fits ? work : INT64_MAX;
}

/* Takes a node's outputs and its work from the budget; false where it does not have them. */
static bool spend(FoldBudget *budget, const Node *node) {
    int64_t bytes = 0, work = work_of(node);
    for (int i = 0; i < node->outputs.count; i++) {
        const Value *output = node->outputs.items[i];
        if (output != NULL) bytes += shape_count(&output->shape) * type_info(output->type)->bytes;
    }
    if (bytes > budget->bytes || work > budget->work) return false;
    budget->bytes -= bytes;
    budget->work -= work;
    return true;
}

bool fold_node(Node *node, FoldBudget *budget) {
    if (!can_fold(node) || !spend(budget, node)) return false;
    Arena *arena = node->graph->arena;
    Program *program = program_new(arena, node->graph);
    lower_node(program, node);
    for (int i = 0; i < node->outputs.count; i++) /* each has a buffer, be it written or not */
        if (node->outputs.items[i] != NULL) program_buffer(program, node->outputs.items[i]);
    void **memory = arena_new_array(arena, void *, (size_t)program->buffers.count);
    Tensor **made = arena_new_array(arena, Tensor *, (size_t)node->outputs.count);
    for (int i = 0; i < node->outputs.count; i++)
        if (node->outputs.items[i] != NULL) made[i] = give_memory(program, node->outputs.items[i], memory);
    for (int i = 0; i < program->buffers.count; i++) {
        const Buffer *buffer = program->buffers.items[i];
        size_t bytes = checked_product((size_t)buffer->count, (size_t)type_info(buffer->type)->bytes);
        if (buffer->constant == NULL && memory[i] == NULL) memory[i] = arena_alloc(arena, bytes);
    }
    program_run(program, memory);
    for (int i = 0; i < node->outputs.count; i++) {
        if (made[i] == NULL) continue;
        const Buffer *buffer = program_buffer(program, node->outputs.items[i]); /* of a view: the constant it views */
        const void *from = buffer->constant != NULL ? buffer->constant->data : memory[buffer->number];
        if (from != made[i]->data) memcpy(made[i]->data, from, tensor_bytes(made[i]));
        node->outputs.items[i]->constant = made[i];
    }
    return true;
}
