/* Weights: collected by content, written without a copy.
 * Float arrays that hold NaN or infinities are written as bits, so that payloads are kept and math.h is not needed. */
#include "emit/weights.h"

#include "emit/literal.h"

#include <math.h>
#include <string.h>

/* FNV-1a taken a word at a time; state goes in and out, so that pieces can be chained at multiples of 8 bytes. */
static uint64_t fnv1a_words(uint64_t state, const void *data, size_t bytes) {
    const unsigned char *at = data;
    for (size_t i = 0; i < bytes; i += 8) {
        uint64_t word = 0;
        memcpy(&word, at + i, bytes - i < 8 ? bytes - i : 8);
        state = (state ^ word) * 0x100000001b3u;
    }
    return state;
}

static const uint64_t FNV1A_START = 0xcbf29ce484222325u;

static bool same_content(const Tensor *a, const Tensor *b) {
    if (strcmp(type_info(a->type)->c_name, type_info(b->type)->c_name) != 0) return false;
    return tensor_bytes(a) == tensor_bytes(b) && memcmp(a->data, b->data, tensor_bytes(a)) == 0;
}

/* The item with this tensor's content, from those that share its hash, or a new one. */
static Weight *weight_for(Arena *arena, Weights *weights, Map *by_hash, const Buffer *buffer) {
    const Tensor *tensor = buffer->constant;
    typedef LIST(Weight *) Bucket;
    const char *key = arena_printf(arena, "%016llx",
                                   (unsigned long long)fnv1a_words(FNV1A_START, tensor->data, tensor_bytes(tensor)));
    Bucket *bucket = map_get(by_hash, key);
    if (bucket == NULL) map_set(by_hash, key, bucket = arena_new_object(arena, Bucket));
    for (int i = 0; i < bucket->count; i++)
        if (same_content(bucket->items[i]->tensor, tensor)) return bucket->items[i];
    Weight *weight = arena_new_object(arena, Weight);
    *weight = (Weight){.tensor = tensor, .first = buffer, .offset = weights->blob_bytes};
    int64_t bytes = (int64_t)tensor_bytes(tensor);
    weights->data_bytes += bytes;
    weights->blob_bytes += (bytes + WEIGHTS_ALIGNMENT - 1) / WEIGHTS_ALIGNMENT * WEIGHTS_ALIGNMENT;
    list_add(arena, bucket, weight);
    list_add(arena, &weights->items, weight);
    return weight;
}

static bool is_finite(const Tensor *tensor) {
    int64_t count = tensor_count(tensor);
    if (tensor->type != TYPE_FLOAT && tensor->type != TYPE_DOUBLE) return true;
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(tensor_number(tensor, i))) return false;
    return true;
}

Weights weights_collect(const Program *program, const bool *used, WeightMode mode) {
    Weights weights = {.mode = mode};
    Map by_hash = map_new(program->arena);
    weights.by_buffer = arena_new_array(program->arena, Weight *, (size_t)program->buffers.count);
    for (int i = 0; i < program->buffers.count; i++) {
        const Buffer *buffer = program->buffers.items[i];
        if (used[i] && buffer->kind == BUFFER_CONSTANT)
            weights.by_buffer[i] = weight_for(program->arena, &weights, &by_hash, buffer);
    }
    if (mode == WEIGHTS_AUTO)
        weights.mode = weights.data_bytes <= WEIGHTS_INLINE_LIMIT ? WEIGHTS_INLINE : WEIGHTS_OBJECT;
    if (weights.data_bytes == 0) weights.mode = WEIGHTS_INLINE;
    for (int i = 0; weights.mode == WEIGHTS_INLINE && i < weights.items.count; i++)
        weights.items.items[i]->as_bits = !is_finite(weights.items.items[i]->tensor);
    return weights;
}

/* Calls write for the blob's pieces, in order; every piece but the gaps begins at a multiple of WEIGHTS_ALIGNMENT. */
static void each_piece(const Weights *weights, void (*write)(void *argument, const void *bytes, size_t count),
                       void *argument) {
    static const unsigned char zeros[WEIGHTS_ALIGNMENT];
    for (int i = 0; i < weights->items.count; i++) {
        size_t bytes = tensor_bytes(weights->items.items[i]->tensor), beyond = bytes % WEIGHTS_ALIGNMENT;
        write(argument, weights->items.items[i]->tensor->data, bytes);
        if (beyond != 0) write(argument, zeros, WEIGHTS_ALIGNMENT - beyond);
    }
}

typedef struct {
    uint64_t state;
    size_t beyond; /* bytes by which what was seen goes beyond a multiple of 8 */
} Checksum;

static void checksum_piece(void *argument, const void *bytes, size_t count) {
    Checksum *checksum = argument;
    size_t filled = (8 - checksum->beyond) % 8; /* zeros that the last word had already */
    checksum->state = fnv1a_words(checksum->state, (const char *)bytes + filled, count - filled);
    checksum->beyond = (count - filled) % 8;
}

uint64_t weights_checksum(const Weights *weights) {
    Checksum checksum = {FNV1A_START, 0};
    each_piece(weights, checksum_piece, &checksum);
    return checksum.state;
}

static void write_piece(void *argument, const void *bytes, size_t count) { output_refer(argument, bytes, count); }

void weights_write_blob(const Weights *weights, Output *output) { each_piece(weights, write_piece, output); }

/* "static const float conv1_weight[576]", after "static " or another class; C has no empty arrays. */
static void add_declaration(Text *out, const char *class, const Weight *weight) {
    long long count = (long long)tensor_count(weight->tensor);
    const TypeInfo *info = type_info(weight->tensor->type);
    if (weight->as_bits)
        text_printf(out, "%sconst union %s {\n    %s bits[%lld];\n    %s values[%lld];\n} %s", class, weight->name,
                    info->bytes == 8 ? "uint64_t" : "uint32_t", count, info->c_name, count, weight->name);
    else text_printf(out, "%sconst %s %s[%lld]", class, info->c_name, weight->name, count > 0 ? count : 1);
}

void weights_declare(const Weights *weights, bool is_shared, Text *out) {
    for (int i = 0; i < weights->items.count; i++) {
        add_declaration(out, is_shared ? "extern " : "static ", weights->items.items[i]);
        text_add(out, ";\n");
    }
}

static void add_bits(Text *out, const Tensor *tensor, int64_t i) {
    if (type_info(tensor->type)->bytes == 8)
        text_printf(out, "0x%016llxu", (unsigned long long)((const uint64_t *)tensor->data)[i]);
    else text_printf(out, "0x%08xu", ((const uint32_t *)tensor->data)[i]);
}

/* The elements, as many as fit on a line; text goes out in pieces, so that its size does not matter. */
static void write_elements(const Weight *weight, Text *text, Output *output) {
    enum { WIDTH = 118, PIECE = 1 << 16 };
    int64_t count = tensor_count(weight->tensor);
    Text element = text_new(text->arena);
    size_t column = WIDTH;
    for (int64_t i = 0; i < count; i++) {
        element.length = 0;
        if (weight->as_bits) add_bits(&element, weight->tensor, i);
        else literal_element(&element, weight->tensor, i);
        bool fits = column + element.length + 2 <= WIDTH;
        column = fits ? column + element.length + 2 : 4 + element.length + 1;
        text_add(text, fits ? " " : "\n    ");
        text_add_bytes(text, element.data, element.length);
        text_add(text, ",");
        if (text->length < PIECE) continue;
        output_write(output, text->data, text->length);
        text->length = 0;
    }
    text_add(text, count > 0 ? "\n" : "0");
}

void weights_write_definitions(const Weights *weights, bool is_shared, Arena *arena, Output *output) {
    const char *class = is_shared ? "" : "static ";
    Text text = text_new(arena);
    if (weights->items.count > 0) text_add(&text, "\n/* The weights. */\n");
    for (int i = 0; i < weights->items.count; i++) {
        const Weight *weight = weights->items.items[i];
        text_add(&text, "\n");
        if (weight->as_bits) text_printf(&text, "%sconst union %s %s = {{", class, weight->name, weight->name);
        else {
            add_declaration(&text, class, weight);
            text_add(&text, " = {");
        }
        write_elements(weight, &text, output);
        text_add(&text, weight->as_bits ? "}};\n" : "};\n");
    }
    output_write(output, text.data, text.length);
}
