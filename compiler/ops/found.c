/* Found: what is found in data that are known. */
#include "ops/found.h"
#include "ops/gather.h"
#include "ops/movement.h"

#include <string.h>

/* The tensor up to the first -1 along an axis. */
static Tensor *cut(Arena *arena, const Tensor *padded, int axis) {
    const Axis from = axis_of(&padded->shape, axis);
    const int64_t *all = padded->data;
    Shape shape = padded->shape;
    int64_t found = 0;
    while (found < from.size && from.outer * from.inner > 0 && all[found * from.inner] != -1) found++;
    shape.dims[axis] = dim_known(found);
    Tensor *tensor = tensor_new(arena, TYPE_INT64, &shape);
    for (int64_t o = 0; o < from.outer && found > 0; o++)
        memcpy((int64_t *)tensor->data + o * found * from.inner, all + o * from.size * from.inner,
               (size_t)(found * from.inner) * sizeof *all);
    return tensor;
}

void fold_found(Node *node, int axis) {
    Arena *arena = node->graph->arena;
    Value *output = node->outputs.items[0];
    node->op->bound(node);
    Tensor *padded = tensor_new(arena, TYPE_INT64, &output->shape);
    if (!is_empty(output)) {
        Program *program = program_new(arena, node->graph);
        node->op->lower(program, node);
        for (int i = 0; i < program->steps.count; i++) step_check(program, program->steps.items[i]);
        void **memory = arena_new_array(arena, void *, (size_t)program->buffers.count);
        for (int i = 0; i < program->buffers.count; i++) {
            const Buffer *buffer = program->buffers.items[i];
            size_t bytes = (size_t)buffer->count * (size_t)type_info(buffer->type)->bytes;
            memory[i] = buffer->value == output    ? padded->data
                        : buffer->constant == NULL ? arena_alloc(arena, bytes)
                                                   : NULL;
        }
        program_run(program, memory);
    }
    output->constant = cut(arena, padded, axis);
    output->shape = output->constant->shape;
}
