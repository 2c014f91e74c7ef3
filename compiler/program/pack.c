/* Pack: see pack.h.
 * A program remembers what it has packed, so that tied weights are stored once. */
#include "program/pack.h"

struct Packed {
    Packing packing;
    Buffer *buffer;
    const struct Packed *next;
};

static bool same(const Packing *a, const Packing *b) {
    return a->weights->constant == b->weights->constant && a->offset == b->offset && a->depth == b->depth &&
           a->columns == b->columns && a->row == b->row && a->column == b->column && a->factor == b->factor;
}

static Tensor *panels(Arena *arena, const Packing *packing) {
    const int64_t count = (packing->columns + PANEL_WIDTH - 1) / PANEL_WIDTH;
    const Shape shape = {.rank = 3, .dims = {dim_known(count), dim_known(packing->depth), dim_known(PANEL_WIDTH)}};
    Tensor *packed = tensor_new(arena, TYPE_FLOAT, &shape);
    const float *from = (const float *)packing->weights->constant->data + packing->offset;
    float *to = packed->data;
    for (int64_t n = 0; n < packing->columns; n++)
        for (int64_t k = 0; k < packing->depth; k++)
            to[n / PANEL_WIDTH * packing->depth * PANEL_WIDTH + k * PANEL_WIDTH + n % PANEL_WIDTH] =
                (float)packing->factor * from[k * packing->row + n * packing->column];
    return packed;
}

Buffer *pack_panels(Program *program, Packing packing) {
    for (const struct Packed *packed = program->packed; packed != NULL; packed = packed->next)
        if (same(&packed->packing, &packing)) return packed->buffer;
    Buffer *buffer = program_constant(program, packing.weights, panels(program->arena, &packing));
    struct Packed *packed = arena_new_object(program->arena, struct Packed);
    *packed = (struct Packed){packing, buffer, program->packed};
    program->packed = packed;
    return buffer;
}
