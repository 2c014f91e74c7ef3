/* Sampling: GridSample, over one to three spatial dimensions, and AffineGrid, which makes the grids that it takes.
 * The kernels are in runtime/sampling.c. */
#include "ops/carry.h"
#include "ops/movement.h"
#include "ops/window.h"

#include <string.h>

/* GridSample */

/* An option by its name: its number among names, which NULL ends. */
static int option(const Node *node, const char *attribute, const char *const *names) {
    const char *given = attr_string(node, attribute);
    for (int i = 0; names[i] != NULL; i++)
        if (strcmp(given, names[i]) == 0) return i;
    node_fail(node, STATUS_INVALID, "%s is %s", attribute, quoted(given));
}

/* How many elements along a dimension make one of the output. */
static int taps_of(const Node *node) {
    const bool old = node->version == 1 || node->version == 16; /* ONNX Runtime's, and the first of ONNX */
    const char *const names[] = {"nearest", old ? "bilinear" : "linear", old ? "bicubic" : "cubic", NULL};
    static const int taps[] = {1, 2, 4};
    return taps[option(node, "mode", names)];
}

static int pads_of(const Node *node) {
    return option(node, "padding_mode", (const char *const[]){"zeros", "border", "reflection", NULL});
}

static void infer_grid_sample(Node *node) {
    const Value *x = node->inputs.items[0], *grid = node->inputs.items[1];
    Shape *y = &node->outputs.items[0]->shape;
    const int rank = x->shape.rank >= 0 ? x->shape.rank : grid->shape.rank;
    const TypeClass class = type_info(x->type)->class;
    if (class == CLASS_STRING || class == CLASS_COMPLEX)
        node_fail(node, STATUS_UNSUPPORTED, "type %s is not supported", type_info(x->type)->name);
    if (taps_of(node) > 1 && class != CLASS_FLOAT)
        node_fail(node, STATUS_UNSUPPORTED, "%s is interpolated in mode nearest only; cast it to float before",
                  type_info(x->type)->name);
    (void)pads_of(node);
    if (rank < 0) return;
    window_check_rank(node, &(Shape){.rank = rank});
    *y = shape_open(rank);
    if (x->shape.rank >= 0) y->dims[0] = x->shape.dims[0], y->dims[1] = x->shape.dims[1];
    if (grid->shape.rank < 0) return;
    if (grid->shape.rank != rank)
        node_fail(node, STATUS_INVALID, "the grid has %d dimensions, expected %d", grid->shape.rank, rank);
    y->dims[0] = dim_unify(node, y->dims[0], grid->shape.dims[0], "the batch of the input and of the grid");
    dim_unify(node, grid->shape.dims[rank - 1], dim_known(rank - 2), "the number of a place's coordinates");
    for (int d = 2; d < rank; d++) y->dims[d] = grid->shape.dims[d - 1];
}

/* The grid's coordinates in a type: its own buffer where it has that. */
static Buffer *grid_in(Program *program, const Value *grid, Type type) {
    Buffer *buffer = program_buffer(program, grid);
    if (grid->type == type) return buffer;
    Buffer *cast = program_scratch(program, type, buffer->count);
    Loop *loop = step_loop(program, 1, &buffer->count);
    loop_cast(loop, loop_input(loop, buffer, 0, (int64_t[]){1}), type);
    loop_output(loop, cast, 0, (int64_t[]){1});
    return cast;
}

static void give_grid(Program *program, Step *step, const Node *node, Buffer *grid) {
    const Shape *x = &node->inputs.items[0]->shape;
    int64_t sizes[MAX_SPATIAL];
    for (int d = 2; d < x->rank; d++) sizes[d - 2] = x->dims[d].size;
    step_buffer(step, "grid", grid, 0);
    step_size(step, "N", x->dims[0].size);
    step_size(step, "POINTS", shape_product(&node->inputs.items[1]->shape, 1, x->rank - 1));
    step_size(step, "RANK", x->rank - 2);
    step_sizes(program, step, "SIZES", sizes, x->rank - 2);
    step_size(step, "PADS", pads_of(node));
    step_size(step, "ALIGNED", attr_int(node, "align_corners") != 0);
}

static void lower_nearest(Program *program, const Node *node) {
    const Value *x = node->inputs.items[0], *grid = node->inputs.items[1];
    const int64_t points = shape_product(&grid->shape, 1, x->shape.rank - 1), batch = x->shape.dims[0].size;
    const Type type = type_info(grid->type)->compute;
    Buffer *offsets = program_scratch(program, TYPE_INT32, batch * points);
    Buffer *places = grid_in(program, grid, type);
    Step *step = step_kernel(program, "grid_nearest", type);
    give_grid(program, step, node, places);
    step_buffer(step, "offsets", offsets, 0);
    step = step_kernel(program, "grid_pick", x->type);
    step_value(program, step, "x", x);
    step_buffer(step, "offsets", offsets, 0);
    step_value(program, step, "y", node->outputs.items[0]);
    step_size(step, "N", batch), step_size(step, "C", x->shape.dims[1].size);
    step_size(step, "SIZE", shape_product(&x->shape, 2, x->shape.rank));
    step_size(step, "POINTS", points);
}

static void lower_grid_sample(Program *program, Node *node) {
    const Value *x = node->inputs.items[0], *y = node->outputs.items[0];
    const int64_t size = shape_product(&x->shape, 2, x->shape.rank);
    if (is_empty(y)) return;
    if (size == 0) node_fail(node, STATUS_INVALID, "the input's maps are empty");
    if (taps_of(node) == 1) {
        lower_nearest(program, node);
        return;
    }
    Buffer *grid = grid_in(program, node->inputs.items[1], type_info(x->type)->compute);
    Step *step = step_kernel(program, "grid_sample", x->type);
    give_grid(program, step, node, grid);
    step_value(program, step, "x", x);
    step_value(program, step, "y", y);
    step_size(step, "C", x->shape.dims[1].size);
    step_size(step, "SIZE", size);
    step_size(step, "TAPS", taps_of(node));
}

/* AffineGrid */

static void infer_affine_grid(Node *node) {
    const Value *theta = node->inputs.items[0];
    const int length = input_length(node, 1);
    Shape *grid = &node->outputs.items[0]->shape;
    if (length >= 0 && length != 4 && length != 5)
        node_fail(node, STATUS_INVALID, "the size has %d numbers, expected 4 or 5", length);
    if (theta->shape.rank >= 0 && theta->shape.rank != 3)
        node_fail(node, STATUS_INVALID, "theta has %d dimensions, expected 3", theta->shape.rank);
    if (length < 0) return;
    *grid = shape_open(length);
    grid->dims[length - 1] = dim_known(length - 2);
    if (theta->shape.rank == 3) {
        grid->dims[0] = theta->shape.dims[0];
        dim_unify(node, theta->shape.dims[1], dim_known(length - 2), "the number of rows of theta");
        dim_unify(node, theta->shape.dims[2], dim_known(length - 1), "the number of columns of theta");
    }
    int count;
    const int64_t *sizes;
    if (!input_is_readable(node, 1) || !node_ints(node, NULL, 1, &sizes, &count)) return;
    for (int d = 0; d < count; d++)
        if (sizes[d] < 0) node_fail(node, STATUS_INVALID, "a size of %lld", (long long)sizes[d]);
    grid->dims[0] = dim_unify(node, grid->dims[0], dim_known(sizes[0]), "the batch of theta and of the size");
    for (int d = 2; d < count; d++) grid->dims[d - 1] = dim_known(sizes[d]);
}

static void lower_affine_grid(Program *program, Node *node) {
    const Value *grid = node->outputs.items[0];
    const Shape *shape = &grid->shape;
    if (is_empty(grid)) return;
    Step *step = step_kernel(program, "affine_grid", grid->type);
    step_value(program, step, "theta", node->inputs.items[0]);
    step_value(program, step, "grid", grid);
    step_size(step, "N", shape->dims[0].size);
    step_size(step, "RANK", shape->rank - 2);
    step_size(step, "D", shape->rank == 5 ? shape->dims[1].size : 1);
    step_size(step, "H", shape->dims[shape->rank - 3].size);
    step_size(step, "W", shape->dims[shape->rank - 2].size);
    step_size(step, "ALIGNED", attr_int(node, "align_corners") != 0);
}

/* Each map has a grid of its own. */
static int carry_grid_sample(const Node *node, int input, int axis, int output) {
    (void)node, (void)input, (void)output;
    return axis == 0 ? 0 : -1;
}

#define GRID_SAMPLE                                                                                                    \
    .name = "GridSample", .inputs = "X:T grid:G", .outputs = "Y:T",                                                    \
    .types = "T: numeric bool string complex; G: floats", .infer = infer_grid_sample, .carry = carry_grid_sample,      \
    .lower = lower_grid_sample

const Op OPS_sampling[] = {
    {GRID_SAMPLE, .versions = {16, 20, 22},
     .attributes = "align_corners:int=0 mode:string@<20=bilinear mode:string@20=linear padding_mode:string=zeros"},
    {GRID_SAMPLE, .domain = "com.microsoft", .versions = {1},
     .attributes = "align_corners:int=0 mode:string=bilinear padding_mode:string=zeros"},
    {.name = "AffineGrid",
     .versions = {20},
     .inputs = "theta:T size:int64",
     .outputs = "grid:T",
     .types = "T: floats",
     .attributes = "align_corners:int=0",
     .infer = infer_affine_grid,
     .carry = carry_first,
     .shape_input = 1,
     .lower = lower_affine_grid},
    {0},
};
