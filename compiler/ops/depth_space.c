/* DepthToSpace and SpaceToDepth, and what deals out the phases of a transposed convolution: a block of the map is the
 * depth of one of its places, in any number of dimensions. */
#include "base/checked.h"
#include "ops/carry.h"
#include "ops/fused.h"
#include "ops/movement.h"
#include "ops/window.h"

#include <string.h>

/* The sizes of a block along the dimensions of a map. */
typedef struct {
    int rank;
    int64_t sizes[MAX_SPATIAL], count; /* count: places of a block */
} Block;

static Block block_of(const Node *node) {
    Block block = {.rank = 2, .count = 1};
    const int64_t *const given = node->domain[0] != '\0' ? attr_ints(node, "blocks", &block.rank) : NULL;
    for (int i = 0; i < block.rank; i++) block.sizes[i] = given != NULL ? given[i] : attr_int(node, "blocksize");
    for (int i = 0; i < block.rank; i++) {
        const int64_t size = block.sizes[i];
        if (size < 1) node_fail(node, STATUS_INVALID, "blocksize is %lld, expected at least 1", (long long)size);
        if (!checked_multiply(block.count, size, &block.count))
            node_fail(node, STATUS_INVALID, "a blocksize of %lld is too large", (long long)size);
    }
    return block;
}

static bool is_spread(const Node *node) { return strcmp(node->op_type, "SpaceToDepth") != 0; }

/* Whether the block's place is the outer part of the depth (DCR) or the inner one (CRD). */
static bool depth_first(const Node *node) {
    if (node->domain[0] == '\0' && node->version < (is_spread(node) ? 11 : 28)) return true;
    const char *mode = attr_string(node, "mode");
    if (strcmp(mode, "DCR") != 0 && strcmp(mode, "CRD") != 0)
        node_fail(node, STATUS_INVALID, "mode is %s, expected DCR or CRD", quoted(mode));
    return strcmp(mode, "DCR") == 0;
}

static Dim divide(const Node *node, const Shape *shape, int d, int64_t divisor) {
    int64_t size = shape->dims[d].size;
    if (size >= 0 && size % divisor != 0)
        node_fail(node, STATUS_INVALID, "dimension %d of input 0 is %lld, expected a multiple of %lld", d,
                  (long long)size, (long long)divisor);
    if (divisor == 1) return shape->dims[d];
    return size < 0 ? (Dim){-1, NULL} : dim_known(size / divisor);
}

static void infer_blocks(Node *node) {
    const Shape *from = &node->inputs.items[0]->shape;
    const Block block = block_of(node);
    if (from->rank >= 0 && from->rank != block.rank + 2)
        node_fail(node, STATUS_INVALID, "input 0 has %d dimensions, expected 4: [N,C,H,W]", from->rank);
    depth_first(node);
    Shape shape = shape_open(block.rank + 2);
    for (int d = 0; d < shape.rank && from->rank >= 0; d++) {
        const int64_t size = d == 0 ? 1 : d == 1 ? block.count : block.sizes[d - 2];
        const bool grows = is_spread(node) == (d > 1);
        shape.dims[d] = grows ? dim_multiply(node, from->dims[d], dim_known(size)) : divide(node, from, d, size);
    }
    node->outputs.items[0]->shape = shape;
}

/* A move between the two tensors, of which one has its blocks as depth and the other as pixels. */
typedef struct {
    Move move;
    bool spreads; /* from the deep one to the wide one */
} Walk;

static void walk_dimension(Walk *walk, int64_t extent, int64_t deep, int64_t wide) {
    move_dimension(&walk->move, extent, walk->spreads ? deep : wide, walk->spreads ? wide : deep);
}

/* Goes through both in the order n, c, and for each dimension place of the block in the map, place in it. */
static void lower_blocks(Program *program, Node *node) {
    const Value *from = node->inputs.items[0], *to = node->outputs.items[0];
    const bool spread = is_spread(node), dcr = depth_first(node);
    const Shape *deep = spread ? &from->shape : &to->shape, *wide = spread ? &to->shape : &from->shape;
    const Block block = block_of(node);
    const int64_t channels = wide->dims[1].size;
    int64_t in_deep[MAX_RANK], in_wide[MAX_RANK];
    strides_of(deep, in_deep), strides_of(wide, in_wide);
    Walk walk = {.spreads = spread};
    walk_dimension(&walk, deep->dims[0].size, in_deep[0], in_wide[0]);
    walk_dimension(&walk, channels, in_deep[1] * (dcr ? 1 : block.count), in_wide[1]);
    int64_t apart = in_deep[1] * (dcr ? channels * block.count : block.count); /* places of a block, in the depth */
    for (int i = 0; i < block.rank; i++) {
        const int64_t size = block.sizes[i], along = in_wide[i + 2];
        apart /= size;
        walk_dimension(&walk, deep->dims[i + 2].size, in_deep[i + 2], along * size);
        walk_dimension(&walk, size, apart, along);
    }
    move_value(program, &walk.move, from, to);
}

const Op OPS_depth_space[] = {
    {.name = "DepthToSpace",
     .versions = {1, 11, 13, 28},
     .inputs = "input:T",
     .outputs = "output:T",
     .types = "T: numeric bool string complex",
     .attributes = "blocksize:int! mode:string@11=DCR",
     .infer = infer_blocks,
     .carry = carry_first,
     .layout = layout_any,
     .lower = lower_blocks},
    {.name = "SpaceToDepth",
     .versions = {1, 13, 28},
     .inputs = "input:T",
     .outputs = "output:T",
     .types = "T: numeric bool string complex",
     .attributes = "blocksize:int! mode:string@28=DCR",
     .infer = infer_blocks,
     .carry = carry_first,
     .layout = layout_any,
     .lower = lower_blocks},
    /* DepthToSpace with a size of the block for each dimension: for compiler/passes/phases.c. */
    {.name = "PhasesToSpace",
     .domain = FUSED_DOMAIN,
     .versions = {1},
     .inputs = "input:T",
     .outputs = "output:T",
     .types = "T: float",
     .attributes = "blocks:ints! mode:string=DCR",
     .infer = infer_blocks,
     .carry = carry_first,
     .layout = layout_any,
     .lower = lower_blocks},
    {0},
};
