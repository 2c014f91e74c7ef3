/* Pools: MaxPool, AveragePool and LpPool in one to three dimensions, and their global forms.
 * A window is a box, so that a pool in three dimensions is one over rows and columns, then one over planes. */
#include "ops/pool.h"
#include "ops/carry.h"
#include "ops/window.h"

#include <math.h>
#include <string.h>

static Window pool_window(const Node *node) {
    const Shape *input = &node->inputs.items[0]->shape;
    int64_t kernel[MAX_SPATIAL];
    window_check_rank(node, input);
    window_numbers(node, "kernel_shape", input->rank - 2, kernel);
    return window_read(node, input, kernel);
}

static void infer_pool(Node *node) {
    const Shape *input = &node->inputs.items[0]->shape;
    if (input->rank < 0) return;
    Window window = pool_window(node);
    for (int i = 0; i < node->outputs.count; i++)
        if (node->outputs.items[i] != NULL)
            node->outputs.items[i]->shape = window_shape(&window, input->dims[0], input->dims[1]);
}

static bool window_of_pool(const Node *node, Window *window) {
    *window = pool_window(node);
    return true;
}

/* A window that hangs over the end of the pads counts those places only that are in them. */
static bool window_of_average(const Node *node, Window *window) {
    *window = pool_window(node);
    return attr_int(node, "ceil_mode") == 0 || attr_int(node, "count_include_pad") == 0;
}

/* One call of a pool's kernel, on maps of two dimensions. */
typedef struct {
    const char *kernel;
    Buffer *x, *y;
    int64_t batch, channels; /* batch 0: channels of all of it */
    WindowDim h, w;
} Planar;

static Step *pool_step(Program *program, Type type, const Planar *pool) {
    Step *step = step_kernel(program, pool->kernel, type);
    step_buffer(step, "x", pool->x, 0), step_buffer(step, "y", pool->y, 0);
    if (pool->batch > 0) step_size(step, "N", pool->batch);
    step_size(step, "C", pool->channels);
    window_sizes(step, &pool->h, &pool->w);
    return step;
}

/* Whether there is a kernel for maps as these lie: of floats, channels last. */
static bool reads_channels_last(const Node *node) {
    const Value *x = node->inputs.items[0];
    return x->shape.channels_last && x->type == TYPE_FLOAT && node_output(node, 1) == NULL;
}

static MapLayout layout_pool(const Node *node) {
    return reads_channels_last(node) ? (MapLayout){READS_CHANNELS_LAST, true} : (MapLayout){READS_ROWS, false};
}

/* A pool as its kernel for such maps, or the one for rows, takes it; h and w are to be set. */
static Planar planar_of(Program *program, const Node *node, const char *kernel) {
    const Value *x = node->inputs.items[0], *y = node->outputs.items[0];
    const int64_t batch = x->shape.dims[0].size, channels = x->shape.dims[1].size;
    Planar pool = {.x = program_buffer(program, x), .y = program_buffer(program, y)};
    const bool last = reads_channels_last(node);
    pool.kernel = last ? arena_printf(program->arena, "%s_last", kernel) : kernel;
    pool.batch = last ? batch : 0;
    pool.channels = last ? channels : batch * channels;
    return pool;
}

/* Lowers a pool with one or two such calls; finish() gives the parameters that only its kernel has. */
static void lower_windows(Program *program, const Node *node, const char *kernel,
                          void (*finish)(Program *program, Step *step, const Node *node, const Planar *pool)) {
    const Type type = node->inputs.items[0]->type;
    Window window = pool_window(node);
    Planar pool = planar_of(program, node, kernel);
    pool.h = window_dim(&window, 2, 0), pool.w = window_dim(&window, 2, 1);
    if (window.rank == 3) {
        const WindowDim *d = &window.dims[0], *h = &window.dims[1], *w = &window.dims[2];
        int64_t between[] = {pool.batch > 0 ? pool.batch : 1, pool.channels, d->input, h->output, w->output};
        Shape shape = shape_of(5, between);
        Planar inside = pool;
        inside.y = program_scratch(program, type, shape_count(&shape));
        *(pool.batch > 0 ? &inside.batch : &inside.channels) *= d->input;
        inside.h = *h, inside.w = *w;
        finish(program, pool_step(program, type, &inside), node, &inside);
        int64_t size = h->output * w->output;
        pool.x = inside.y, pool.h = *d;
        pool.w = (WindowDim){.input = size, .output = size, .kernel = 1, .stride = 1, .dilation = 1};
    }
    finish(program, pool_step(program, type, &pool), node, &pool);
}

static double lowest(Type type) { return type_is_float(type) ? -INFINITY : type == TYPE_INT8 ? -128 : 0; }

static void finish_max(Program *program, Step *step, const Node *node, const Planar *pool) {
    (void)program, (void)pool;
    step_number(step, "lowest", lowest(node->inputs.items[0]->type));
}

/* With indices, whatever the dimensions, in one call. */
static void lower_max_indices(Program *program, const Node *node) {
    const Window window = pool_window(node);
    const WindowDim d = window_dim(&window, 3, 0);
    Planar pool = planar_of(program, node, "max_pool_indices");
    pool.h = window_dim(&window, 3, 1), pool.w = window_dim(&window, 3, 2);
    Step *step = pool_step(program, node->inputs.items[0]->type, &pool);
    finish_max(program, step, node, &pool);
    window_planes(step, &d);
    step_value(program, step, "indices", node_output(node, 1));
    step_size(step, "COLUMN_MAJOR", attr_int(node, "storage_order") != 0);
}

static void lower_max_pool(Program *program, Node *node) {
    if (node_output(node, 1) != NULL) lower_max_indices(program, node);
    else lower_windows(program, node, "max_pool", finish_max);
}

static void give_counted(Step *step, const Planar *pool, bool pads) {
    step_size(step, "COUNT_PADS", pads);
    step_size(step, "EH", pool->h.input + pool->h.after);
    step_size(step, "EW", pool->w.input + pool->w.after);
}

static void finish_average(Program *program, Step *step, const Node *node, const Planar *pool) {
    (void)program;
    give_counted(step, pool, attr_int(node, "count_include_pad") != 0);
}

static void lower_average_pool(Program *program, Node *node) {
    lower_windows(program, node, "average_pool", finish_average);
}

/* The p of a norm. */
static int64_t norm_of(const Node *node) {
    int64_t p = attr_int(node, "p");
    if (p < 1) node_fail(node, STATUS_INVALID, "p is %lld", (long long)p);
    return p;
}

static void finish_norm(Program *program, Step *step, const Node *node, const Planar *pool) {
    (void)program, (void)pool;
    step_size(step, "P", norm_of(node));
}

static void lower_norm_pool(Program *program, Node *node) { lower_windows(program, node, "norm_pool", finish_norm); }

static void infer_global(Node *node) {
    const Shape *input = &node->inputs.items[0]->shape;
    if (input->rank < 0) return;
    if (input->rank < 2)
        node_fail(node, STATUS_INVALID, "the input has %d dimensions, expected at least 2", input->rank);
    Shape *output = &node->outputs.items[0]->shape;
    *output = *input;
    for (int i = 2; i < output->rank; i++) output->dims[i] = dim_known(1);
}

/* All of a channel is read, so that any number of dimensions will do. */
static MapLayout layout_global(const Node *node) {
    return (MapLayout){node->inputs.items[0]->type == TYPE_FLOAT ? READS_ANY : READS_ROWS, false};
}

Step *global_pool_step(Program *program, const char *kernel, const Value *x, Buffer *y, int64_t offset) {
    /* By rows, where these are neither so short nor so long that sums suffer. */
    enum { LEAST_PART = 4, MOST_PART = 256 };
    const bool last = x->shape.channels_last;
    const int64_t batch = x->shape.dims[0].size, channels = x->shape.dims[1].size;
    const int64_t size = shape_product(&x->shape, 2, x->shape.rank);
    Step *step = step_kernel(program, last ? arena_printf(program->arena, "%s_last", kernel) : kernel, x->type);
    step_value(program, step, "x", x), step_buffer(step, "y", y, offset);
    if (last) step_size(step, "N", batch);
    step_size(step, "C", last ? channels : batch * channels);
    step_size(step, "SIZE", size);
    if (last && strcmp(kernel, "global_average_pool") == 0) {
        const int64_t row = x->shape.dims[x->shape.rank - 1].size;
        step_size(step, "PART", row >= LEAST_PART && row <= MOST_PART ? row : MOST_PART);
        step_size(step, "COUNT", size);
    }
    return step;
}

/* One of the kernels of windows, with one that is as high or as wide as the map. */
void map_pool_step(Program *program, const char *how, const Value *x, bool rows, bool columns, Buffer *y) {
    const int64_t *const size = (int64_t[]){x->shape.dims[2].size, x->shape.dims[3].size};
    WindowDim dims[2];
    if (rows && columns) {
        global_pool_step(program, arena_printf(program->arena, "global_%s_pool", how), x, y, 0);
        return;
    }
    for (int i = 0; i < 2; i++) {
        const bool whole = i == 0 ? rows : columns;
        dims[i] = (WindowDim){.input = size[i], .stride = 1, .dilation = 1};
        dims[i].output = whole ? 1 : size[i], dims[i].kernel = whole ? size[i] : 1;
    }
    const Planar pool = {.kernel = arena_printf(program->arena, "%s_pool_last", how),
                         .x = program_buffer(program, x),
                         .y = y,
                         .batch = x->shape.dims[0].size,
                         .channels = x->shape.dims[1].size,
                         .h = dims[0],
                         .w = dims[1]};
    Step *step = pool_step(program, x->type, &pool);
    if (strcmp(how, "max") == 0) step_number(step, "lowest", lowest(x->type));
    else give_counted(step, &pool, false);
}

static Step *global_step(Program *program, const Node *node, const char *kernel) {
    return global_pool_step(program, kernel, node->inputs.items[0], program_buffer(program, node->outputs.items[0]), 0);
}

static void lower_global_average(Program *program, Node *node) { global_step(program, node, "global_average_pool"); }
static void lower_global_max(Program *program, Node *node) { global_step(program, node, "global_max_pool"); }
static void lower_global_norm(Program *program, Node *node) {
    step_size(global_step(program, node, "global_norm_pool"), "P", norm_of(node));
}

const Op OPS_pool[] = {
    {.name = "MaxPool",
     .versions = {1, 8, 10, 11, 12, 22},
     .inputs = "X:T",
     .outputs = "Y:T Indices:int64?@8",
     .types = "T: floats int8 uint8",
     .attributes = "auto_pad:string=NOTSET ceil_mode:int@10=0 dilations:ints@10 kernel_shape:ints! pads:ints "
                   "storage_order:int@8=0 strides:ints",
     .infer = infer_pool,
     .layout = layout_pool,
     .window = window_of_pool,
     .lower = lower_max_pool},
    {.name = "AveragePool",
     .versions = {1, 7, 10, 11, 19, 22},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = "T: floats",
     .attributes = "auto_pad:string=NOTSET ceil_mode:int@10=0 count_include_pad:int@7=0 dilations:ints@19 "
                   "kernel_shape:ints! pads:ints strides:ints",
     .infer = infer_pool,
     .layout = layout_pool,
     .window = window_of_average,
     .lower = lower_average_pool},
    {.name = "LpPool",
     .versions = {2, 11, 18, 22},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = "T: floats",
     .attributes = "auto_pad:string=NOTSET ceil_mode:int@18=0 dilations:ints@18 kernel_shape:ints! p:int=2 pads:ints "
                   "strides:ints",
     .infer = infer_pool,
     .window = window_of_pool,
     .lower = lower_norm_pool},
    {.name = "GlobalAveragePool",
     .versions = {1, 22},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = "T: floats",
     .infer = infer_global,
     .carry = carry_first,
     .layout = layout_global,
     .lower = lower_global_average},
    {.name = "GlobalMaxPool",
     .versions = {1, 22},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = "T: floats",
     .infer = infer_global,
     .carry = carry_first,
     .layout = layout_global,
     .lower = lower_global_max},
    {.name = "GlobalLpPool",
     .versions = {2, 22},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = "T: floats",
     .attributes = "p:int=2",
     .infer = infer_global,
     .carry = carry_first,
     .lower = lower_global_norm},
    {0},
};
