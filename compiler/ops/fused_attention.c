/* Fused attention: softmax(scale * q k^T + mask + bias) v over operands that are read with strides.
 * Attributes say where each is: an offset and the strides of the batch dimensions, of the rows and of the columns. */
#include "ops/fused.h"

#include <stdlib.h>

enum { QUERIES = 16 }; /* runtime/attention.c works on so many at a time */

static int64_t product(const int64_t *factors, int count) {
    int64_t result = 1;
    for (int i = 0; i < count; i++) result *= factors[i];
    return result;
}

/* sizes: the batch dimensions, LQ, LK, D, DV. */
static void infer_attention(Node *node) {
    int count, rank;
    const int64_t *shape = attr_ints(node, "shape", &rank), *sizes = attr_ints(node, "sizes", &count);
    node->outputs.items[0]->shape = shape_of(rank, shape);
    for (int i = 1; i < node->outputs.count; i++)
        if (node->outputs.items[i] != NULL) node->outputs.items[i]->shape = shape_of(count - 2, sizes);
}

static void give_strides(Program *program, Step *step, const Node *node, const char *attribute, const char *parameter,
                         int rank) {
    static const int64_t none[MAX_RANK + 2] = {0};
    int count;
    const int64_t *strides = attr_ints(node, attribute, &count);
    step_sizes(program, step, parameter, count == 0 ? none : strides, rank + 2);
}

/* The sizes of a kernel's tiles, as the cost model chooses them. */
static void give_tiles(Program *program, Step *step, const int64_t *sizes) {
    const int64_t queries = sizes[0], keys = sizes[1], width = sizes[2], values = sizes[3];
    const int64_t columns[2] = {keys, values};
    int rows[TARGET_COUNT], vectors[2][TARGET_COUNT], blocks[TARGET_COUNT];
    tile_choose_both(queries, columns, (int64_t[]){width, keys}, rows, vectors);
    for (int i = 0; i < TARGET_COUNT; i++) blocks[i] = (int)((queries + rows[i] - 1) / rows[i]);
    step_pick(program, step, "ROWS", rows), step_pick(program, step, "BLOCKS", blocks);
    step_pick(program, step, "SCORES", vectors[0]), step_pick(program, step, "VALUES", vectors[1]);
}

static void give_scratch(Program *program, Step *step, const int64_t *sizes, Type type) {
    const int64_t keys = sizes[1], width = sizes[2], values = sizes[3];
    const int64_t keys_up = (keys + PANEL_WIDTH - 1) / PANEL_WIDTH * PANEL_WIDTH;
    const int64_t values_up = (values + PANEL_WIDTH - 1) / PANEL_WIDTH * PANEL_WIDTH;
    step_buffer(step, "keys", program_scratch(program, type, keys_up * width), 0);
    step_buffer(step, "values", program_scratch(program, type, values_up * keys), 0);
    step_buffer(step, "scores", program_scratch(program, type, QUERIES * keys_up), 0);
}

/* On vectors where the columns of the result lie next to each other. */
static bool takes_vectors(const Node *node, const int64_t *sizes, int rank) {
    int count;
    const int64_t *y = attr_ints(node, "y", &count);
    bool empty = product(sizes, rank + 4) == 0;
    return node->inputs.items[0]->type == TYPE_FLOAT && !empty && (y[rank + 1] == 1 || sizes[rank + 3] == 1);
}

static void lower_attention(Program *program, Node *node) {
    static const char *const pointers[] = {"q", "k", "v", "mask", "bias", "keep"};
    static const char *const strides[] = {"Q", "K", "V", "MASK", "BIAS", "KEEP"};
    int count;
    const int64_t *sizes = attr_ints(node, "sizes", &count), *offsets = attr_ints(node, "offsets", &(int){0});
    int rank = count - 4;
    Type type = node->inputs.items[0]->type;
    bool vectors = takes_vectors(node, sizes, rank);
    Step *step = step_kernel(program, vectors ? "attention_tiled" : "attention", type);
    for (int i = 0; i < 6; i++) {
        const Value *input = node_input(node, i);
        step_buffer(step, pointers[i], input == NULL ? NULL : program_buffer(program, input), offsets[i]);
        give_strides(program, step, node, pointers[i], strides[i], rank);
    }
    give_strides(program, step, node, "y", "Y", rank);
    step_value(program, step, "y", node->outputs.items[0]);
    step_value(program, step, "probs", node_output(node, 1));
    step_value(program, step, "logits", node_output(node, 2));
    if (vectors) give_tiles(program, step, sizes + rank);
    else give_scratch(program, step, sizes + rank, type_info(type)->compute);
    step_number(step, "scale", strtod(attr_string(node, "scale"), NULL));
    step_number(step, "fill", strtod(attr_string(node, "fill"), NULL));
    step_size(step, "COUNT", product(sizes, rank)), step_size(step, "RANK", rank);
    step_sizes(program, step, "BATCH", sizes, rank);
    step_size(step, "LQ", sizes[rank]), step_size(step, "LK", sizes[rank + 1]);
    step_size(step, "D", sizes[rank + 2]), step_size(step, "DV", sizes[rank + 3]);
    step_size(step, "KEPT", attr_int(node, "kept")), step_size(step, "GUARDED", attr_int(node, "guarded"));
}

static int64_t macs_attention(const Node *node) {
    int count;
    const int64_t *sizes = attr_ints(node, "sizes", &count);
    return product(sizes, count - 2) * (sizes[count - 2] + sizes[count - 1]);
}

const Op OPS_fused_attention[] = {
    {.name = "Attention",
     .domain = FUSED_DOMAIN,
     .versions = {1},
     .inputs = "Q:T K:T V:T Mask:T? Bias:T? Keep:bool?",
     .outputs = "Y:T Probs:T? Logits:T?",
     .types = "T: floats",
     .attributes = "shape:ints! sizes:ints! q:ints! k:ints! v:ints! y:ints! mask:ints bias:ints keep:ints "
                   "offsets:ints=0,0,0,0,0,0 scale:string=1 fill:string=0 kept:int=1 guarded:int=0",
     .infer = infer_attention,
     .macs = macs_attention,
     .lower = lower_attention},
    {0},
};
