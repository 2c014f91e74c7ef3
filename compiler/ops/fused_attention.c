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

/* Where the elements of an operand lie, which attributes say for a base in rows. */
typedef struct {
    int rank;                     /* of the pairs; rows and columns follow */
    int64_t extent[MAX_RANK + 2]; /* of y and of operands alike; but columns of a mask are as many as there are keys */
    int64_t strides[MAX_RANK + 2];
    int64_t offset;
} Place;

/* The same of a base whose channels lie last: dimensions of its map go on from pixel to pixel, those of its channels
 * from one float to the next. False where a dimension goes from one to the other. */
static bool put_channels_last(const Shape *base, Place *place) {
    const int64_t channels = base->dims[1].size, pixels = shape_product(base, 2, base->rank), all = channels * pixels;
    for (int i = 0; i < place->rank + 2; i++) {
        int64_t *stride = &place->strides[i];
        const int64_t reach = (place->extent[i] - 1) * *stride;
        if (reach == 0 || *stride % all == 0) continue;
        if (*stride % pixels == 0 && reach < all) *stride /= pixels;
        else if (reach < pixels) *stride *= channels;
        else return false;
    }
    const int64_t at = place->offset % all;
    place->offset += at / pixels + at % pixels * channels - at;
    return true;
}

enum { OPERANDS = 7, Y = 6 };
static const char *const ATTRIBUTES[OPERANDS] = {"q", "k", "v", "mask", "bias", "keep", "y"};

/* As an operand would lie in memory, with the base's channels last or not; false where that cannot be said. */
static bool place_of(const Node *node, int operand, bool channels_last, Place *place) {
    int count;
    const int64_t *sizes = attr_ints(node, "sizes", &count), *offsets = attr_ints(node, "offsets", &(int){0});
    const Value *base = operand == Y ? node->outputs.items[0] : node_input(node, operand);
    const int rank = count - 4;
    const int64_t queries = sizes[rank], keys = sizes[rank + 1], depth = sizes[rank + 2], values = sizes[rank + 3];
    const int64_t rows[OPERANDS] = {queries, keys, keys, queries, queries, queries, queries};
    const int64_t columns[OPERANDS] = {depth, depth, values, keys, keys, keys, values};
    *place = (Place){.rank = rank, .offset = operand == Y ? 0 : offsets[operand]};
    for (int i = 0; i < rank; i++) place->extent[i] = sizes[i];
    place->extent[rank] = rows[operand], place->extent[rank + 1] = columns[operand];
    const int64_t *strides = attr_ints(node, ATTRIBUTES[operand], &count);
    for (int i = 0; i < count; i++) place->strides[i] = strides[i];
    return base == NULL || !channels_last || put_channels_last(&base->shape, place);
}

/* Maps are read as they lie, where that can be said by strides; one is made with channels last where the columns of y
 * then lie next to each other, as tokens' features do in rows. */
static MapLayout layout_attention(const Node *node) {
    MapLayout layout = {.reads = READS_ANY};
    Place place;
    for (int i = 0; i < node->inputs.count; i++) {
        const Value *input = node->inputs.items[i];
        if (input != NULL && !place_of(node, i, input->shape.channels_last, &place)) layout.reads = READS_ROWS;
    }
    place_of(node, Y, false, &place);
    const bool has_columns = place.strides[place.rank + 1] == 1;
    if (!has_columns && shape_has_layout(&node->outputs.items[0]->shape) && place_of(node, Y, true, &place))
        layout.makes_channels_last = place.strides[place.rank + 1] == 1;
    return layout;
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
static bool takes_vectors(const Node *node, const int64_t *sizes, const Place *y) {
    const bool empty = product(sizes, y->rank + 4) == 0;
    return node->inputs.items[0]->type == TYPE_FLOAT && !empty &&
           (y->strides[y->rank + 1] == 1 || y->extent[y->rank + 1] == 1);
}

static void lower_attention(Program *program, Node *node) {
    static const char *const strides[OPERANDS] = {"Q", "K", "V", "MASK", "BIAS", "KEEP", "Y"};
    int count;
    const int64_t *sizes = attr_ints(node, "sizes", &count);
    int rank = count - 4;
    Type type = node->inputs.items[0]->type;
    Place places[OPERANDS];
    for (int i = 0; i < OPERANDS; i++) {
        const Value *base = i == Y ? node->outputs.items[0] : node_input(node, i);
        fovea_assert(place_of(node, i, base != NULL && base->shape.channels_last, &places[i]));
    }
    bool vectors = takes_vectors(node, sizes, &places[Y]);
    Step *step = step_kernel(program, vectors ? "attention_tiled" : "attention", type);
    for (int i = 0; i < OPERANDS; i++) {
        const Value *input = i == Y ? NULL : node_input(node, i);
        if (i != Y)
            step_buffer(step, ATTRIBUTES[i], input == NULL ? NULL : program_buffer(program, input), places[i].offset);
        step_sizes(program, step, strides[i], places[i].strides, rank + 2);
    }
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
     .layout = layout_attention,
     .only_first_lies = true,
     .macs = macs_attention,
     .lower = lower_attention},
    {0},
};
