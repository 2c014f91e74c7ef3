/* Pack: see pack.h.
 * A program remembers what it has packed, so that tied weights are stored once. */
#include "program/pack.h"

#include "program/strassen.h"

#include <string.h>

struct Packed {
    Packing packing;
    Buffer *buffer;
    const struct Packed *next;
};

static bool same(const Packing *a, const Packing *b) {
    return a->weights->constant == b->weights->constant && a->offset == b->offset && a->depth == b->depth &&
           a->columns == b->columns && a->row == b->row && a->column == b->column && a->factor == b->factor &&
           a->taps == b->taps && a->tap == b->tap && a->panel == b->panel && a->winograd.tile == b->winograd.tile &&
           a->winograd.taps == b->winograd.taps && a->window.planes == b->window.planes &&
           a->window.high == b->window.high && a->window.wide == b->window.wide && a->strassen == b->strassen &&
           a->paired == b->paired;
}

static Tensor *panels(Arena *arena, const Packing *packing) {
    const int64_t taps = packing->taps == 0 ? 1 : packing->taps, depth = packing->depth * taps;
    const int64_t width = packing->panel == 0 ? PANEL_WIDTH : packing->panel;
    const int64_t count = (packing->columns + width - 1) / width;
    const Shape shape = {.rank = 3, .dims = {dim_known(count), dim_known(depth), dim_known(width)}};
    Tensor *packed = tensor_new(arena, TYPE_FLOAT, &shape);
    const float *from = (const float *)packing->weights->constant->data + packing->offset;
    float *to = packed->data;
    for (int64_t n = 0; n < packing->columns; n++)
        for (int64_t t = 0; t < taps; t++)
            for (int64_t k = 0; k < packing->depth; k++) {
                const int64_t row = t * packing->depth + k;
                to[(n / width * depth + row) * width + n % width] =
                    (float)packing->factor * from[t * packing->tap + k * packing->row + n * packing->column];
            }
    for (int64_t row = 0; packing->paired && row + 1 < depth; row += 2) {
        float *pair = to + ((count - 1) * depth + row) * width;
        memcpy(pair + width / 2, pair + width, sizeof(float) * (size_t)(width / 2));
    }
    return packed;
}

static Tensor *transformed(Arena *arena, const Packing *packing) {
    const int64_t columns = packing->columns, depth = packing->depth;
    const int64_t count = winograd_weights_count(columns, depth, &packing->window, packing->winograd);
    Tensor *weights = tensor_new(arena, TYPE_FLOAT, &(Shape){.rank = 1, .dims = {dim_known(count)}});
    winograd_transform(packing->weights->constant->data, columns, depth, &packing->window, packing->winograd,
                       weights->data);
    return weights;
}

static Tensor *factors(Arena *arena, const Packing *packing) {
    const int64_t count = strassen_weights_count(packing->depth, packing->columns);
    Tensor *weights = tensor_new(arena, TYPE_FLOAT, &(Shape){.rank = 1, .dims = {dim_known(count)}});
    strassen_factor(panels(arena, packing)->data, packing->depth, packing->columns, weights->data);
    return weights;
}

static Tensor *packed_tensor(Arena *arena, const Packing *packing) {
    if (packing->winograd.tile != 0) return transformed(arena, packing);
    return packing->strassen ? factors(arena, packing) : panels(arena, packing);
}

bool can_pack(const Value *weights) { return weights->constant != NULL && weights->type == TYPE_FLOAT; }

Buffer *pack_panels(Program *program, Packing packing) {
    for (const struct Packed *packed = program->packed; packed != NULL; packed = packed->next)
        if (same(&packed->packing, &packing)) return packed->buffer;
    Tensor *tensor = packed_tensor(program->arena, &packing);
    Buffer *buffer = program_constant(program, packing.weights, tensor);
    struct Packed *packed = arena_new_object(program->arena, struct Packed);
    *packed = (struct Packed){packing, buffer, program->packed};
    program->packed = packed;
    return buffer;
}

Buffer *pack_bias(Program *program, const Value *bias, int64_t columns) {
    if (bias == NULL) return NULL;
    return pack_panels(program, (Packing){.weights = bias, .depth = 1, .columns = columns, .column = 1, .factor = 1});
}
