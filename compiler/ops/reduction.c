/* Reductions: loops that combine elements along axes, the position of an extreme, and cumulative sums.
 * Of maps that lie channels last the means and maxima over places are pools, a vector of channels at a time. A
 * reduction of nothing gives the identity of what it combines with (0, 1, or the end of the type's range). */
#include "ops/carry.h"
#include "ops/gradient.h"
#include "ops/op.h"
#include "ops/pool.h"

#include <math.h>
#include <string.h>

/* What one of the Reduce operators computes: finish(combine(... prepare(x) ...)). */
typedef struct {
    const char *op;
    const char *prepare, *combine, *finish; /* formulas; NULL: nothing is done */
    double initial;                         /* what combine starts with; infinities: the end of the type's range */
    bool divided;                           /* by the number of elements, at the end */
    const char *pool;                       /* what map_pool_step() calls it; NULL: there is none */
} Reduction;

static const Reduction reductions[] = {
    {"ReduceSum", NULL, "add", NULL, 0, false, NULL},
    {"ReduceMean", NULL, "add", NULL, 0, true, "average"},
    {"ReduceMax", NULL, "maximum", NULL, -INFINITY, false, "max"},
    {"ReduceMin", NULL, "minimum", NULL, INFINITY, false, NULL},
    {"ReduceProd", NULL, "multiply", NULL, 1, false, NULL},
    {"ReduceL1", "absolute", "add", NULL, 0, false, NULL},
    {"ReduceL2", "square", "add", "sqrt", 0, false, NULL},
    {"ReduceSumSquare", "square", "add", NULL, 0, false, NULL},
    {"ReduceLogSum", NULL, "add", "log", 0, false, NULL},
};

/* The axes that a node reduces, as flags. Returns false where they are computed at run time. */
static bool reduced_axes(const Node *node, int rank, bool *reduced) {
    const int64_t *axes = NULL;
    int count = 0;
    const Value *input = node_input(node, 1);
    if (input != NULL && input->constant == NULL) return false;
    node_ints(node, "axes", 1, &axes, &count);
    bool all = count == 0 && attr_int(node, "noop_with_empty_axes") == 0;
    for (int d = 0; d < rank; d++) reduced[d] = all;
    for (int i = 0; i < count; i++) {
        int axis = node_axis(node, axes[i], rank);
        if (reduced[axis]) node_fail(node, STATUS_INVALID, "axis %d is given twice", axis);
        reduced[axis] = true;
    }
    return true;
}

/* The shape that is left when axes are reduced. */
static Shape reduced_shape(const Shape *shape, const bool *reduced, bool keep) {
    Shape left = {0};
    for (int d = 0; d < shape->rank; d++)
        if (!reduced[d]) left.dims[left.rank++] = shape->dims[d];
        else if (keep) left.dims[left.rank++] = dim_known(1);
    return left;
}

static void infer_reduce(Node *node) {
    const Shape *shape = &node->inputs.items[0]->shape;
    Shape *out = &node->outputs.items[0]->shape;
    bool reduced[MAX_RANK], keep = attr_int(node, "keepdims") != 0;
    *out = SHAPE_UNKNOWN;
    if (shape->rank < 0) return;
    if (reduced_axes(node, shape->rank, reduced)) {
        *out = reduced_shape(shape, reduced, keep);
    } else if (keep) { /* only the rank is known */
        out->rank = shape->rank;
        for (int d = 0; d < out->rank; d++) out->dims[d] = (Dim){-1, NULL};
    }
}

/* How a loop walks over an input: first the dimensions that are kept, then those that are reduced. */
typedef struct {
    int rank, reduced;
    int64_t extents[MAX_RANK], in[MAX_RANK], out[MAX_RANK];
    int64_t kept_count, reduced_count;
} Walk;

/* With nothing to reduce, one reduced dimension of one element. */
static Walk walk_of(const Node *node) {
    const Shape *shape = &node->inputs.items[0]->shape;
    int64_t strides[MAX_RANK], stride = 1;
    bool reduced[MAX_RANK];
    strides_of(shape, strides);
    if (!reduced_axes(node, shape->rank, reduced)) {
        const int64_t *axes;
        int count;
        node_ints(node, NULL, 1, &axes, &count); /* fails, and says what to do */
    }
    Walk walk = {.kept_count = 1, .reduced_count = 1};
    for (int pass = 0; pass < 2; pass++) /* 0: what is kept */
        for (int d = 0; d < shape->rank; d++) {
            if (reduced[d] != (pass == 1)) continue;
            walk.extents[walk.rank] = shape->dims[d].size;
            walk.in[walk.rank++] = strides[d];
            *(pass == 1 ? &walk.reduced_count : &walk.kept_count) *= shape->dims[d].size;
            walk.reduced += pass;
        }
    for (int d = walk.rank - walk.reduced - 1; d >= 0; d--) {
        walk.out[d] = stride;
        stride *= walk.extents[d];
    }
    if (walk.reduced == 0) {
        if (walk.rank == MAX_RANK) /* contiguous, since nothing is missing */
            walk = (Walk){.rank = 1,
                          .extents = {walk.kept_count},
                          .in = {1},
                          .out = {1},
                          .kept_count = walk.kept_count,
                          .reduced_count = 1};
        walk.extents[walk.rank++] = 1;
        walk.reduced = 1;
    }
    return walk;
}

/* NULL for ReduceLogSumExp, which takes several loops. */
static const Reduction *reduction_of(const Node *node) {
    for (size_t i = 0; i < sizeof reductions / sizeof *reductions; i++)
        if (strcmp(reductions[i].op, node->op->name) == 0) return &reductions[i];
    return NULL;
}

/* Whether a node reduces rows, columns or both of a map that lies channels last, in a way that pools do. */
static bool is_pool(const Node *node, bool *reduced) {
    const Value *x = node->inputs.items[0];
    const Reduction *reduction = reduction_of(node);
    if (reduction == NULL || reduction->pool == NULL || x->type != TYPE_FLOAT) return false;
    if (!x->shape.channels_last || x->shape.rank != 4 || !reduced_axes(node, 4, reduced)) return false;
    return !reduced[0] && !reduced[1] && (reduced[2] || reduced[3]);
}

/* Read by strides; pools leave what is left of a map as it lies, others make rows. */
static MapLayout layout_reduce(const Node *node) {
    bool reduced[MAX_RANK];
    return (MapLayout){READS_ANY, is_pool(node, reduced)};
}

static Loop *reduction_loop(Program *program, const Walk *walk) {
    Loop *loop = step_loop(program, walk->rank, walk->extents);
    loop->reduced = walk->reduced;
    return loop;
}

/* The type in which elements are combined: that of small floats is float. */
static Type accumulator(Type type) { return type_is_float(type) ? type_info(type)->compute : type; }

/* The smallest or largest value of an integer type, or of bool. */
static int64_t range_end(Type type, bool largest) {
    const TypeInfo *info = type_info(type);
    if (info->class == CLASS_BOOL) return largest;
    if (info->class == CLASS_UNSIGNED)
        return !largest ? 0 : info->bits == 64 ? -1 : (int64_t)(((uint64_t)1 << info->bits) - 1);
    int64_t end = (int64_t)(((uint64_t)1 << (info->bits - 1)) - 1);
    return largest ? end : -end - 1;
}

static void set_combine(Loop *loop, const char *formula, Type type, double initial) {
    loop->combine = formula_find(formula);
    fovea_assert(loop->combine != NULL && loop->combine->texts[type] != NULL);
    loop->combine_type = type;
    loop->initial = (Scalar){.type = type, .number = initial};
    if (!type_is_float(type)) loop->initial.integer = isinf(initial) ? range_end(type, initial > 0) : (int64_t)initial;
}

/* A body for what has been combined: its scalar 0. */
static Loop *finish_new(Program *program, Loop *loop) {
    Loop *finish = arena_new_object(program->arena, Loop);
    finish->input_count = finish->scalar_count = 1;
    finish->scalars[0].type = loop->combine_type;
    loop->finish = finish;
    return finish;
}

/* Appends a formula of one operand, in double where the type is an integer's. */
static int apply_function(Loop *loop, const char *formula, int scalar) {
    Type type = loop->scalars[scalar].type;
    bool integer = !type_is_float(type);
    Type wide = integer ? TYPE_DOUBLE : type;
    scalar = loop_cast(loop, scalar, wide);
    return loop_cast(loop, loop_apply(loop, formula, wide, wide, 1, &scalar), type);
}

/* What is done with the combined value before it is stored. */
static void add_finish(Program *program, Loop *loop, const Reduction *reduction, const Walk *walk, Type type) {
    if (reduction->finish == NULL && !reduction->divided && loop->combine_type == type) return;
    Loop *finish = finish_new(program, loop);
    Type wide = loop->combine_type;
    int scalar = 0;
    if (reduction->divided) {
        int count = type_is_float(wide) ? loop_literal(finish, wide, (double)walk->reduced_count)
                                        : loop_literal_int(finish, wide, walk->reduced_count);
        scalar = loop_apply(finish, "divide", wide, wide, 2, (int[]){scalar, count});
    }
    if (reduction->finish != NULL) scalar = apply_function(finish, reduction->finish, scalar);
    loop_cast(finish, scalar, type);
}

static void lower_reduce(Program *program, Node *node) {
    const Reduction *reduction = reduction_of(node);
    Type type = node->inputs.items[0]->type, wide = accumulator(type);
    bool reduced[MAX_RANK];
    if (is_pool(node, reduced)) {
        map_pool_step(program, reduction->pool, node->inputs.items[0], reduced[2], reduced[3],
                      program_buffer(program, node->outputs.items[0]));
        return;
    }
    Walk walk = walk_of(node);
    Loop *loop = reduction_loop(program, &walk);
    int scalar = loop_input(loop, program_buffer(program, node->inputs.items[0]), 0, walk.in);
    scalar = loop_cast(loop, scalar, wide);
    if (reduction->prepare != NULL) loop_apply(loop, reduction->prepare, wide, wide, 1, &scalar);
    set_combine(loop, reduction->combine, wide, reduction->initial);
    add_finish(program, loop, reduction, &walk, type);
    loop_output(loop, program_buffer(program, node->outputs.items[0]), 0, walk.out);
    loop_simplify(loop);
}

/* log(sum(exp(x))) = m + log(sum(exp(x - m))), m the largest x, so that no exp overflows. m is 0 where it is infinite:
 * the sum is right then as it is. Integers are summed up in double. */
static void lower_log_sum_exp(Program *program, Node *node) {
    Type type = node->inputs.items[0]->type, wide = type_is_float(type) ? accumulator(type) : TYPE_DOUBLE;
    Walk walk = walk_of(node);
    Buffer *input = program_buffer(program, node->inputs.items[0]);
    Buffer *largest = program_scratch(program, wide, walk.kept_count);
    Buffer *sum = program_scratch(program, wide, walk.kept_count);

    Loop *loop = reduction_loop(program, &walk);
    loop_cast(loop, loop_input(loop, input, 0, walk.in), wide);
    set_combine(loop, "maximum", wide, -INFINITY);
    loop_apply(finish_new(program, loop), "finite_or_zero", wide, wide, 1, (int[]){0});
    loop_output(loop, largest, 0, walk.out);
    loop_simplify(loop);

    loop = reduction_loop(program, &walk);
    int x = loop_input(loop, input, 0, walk.in), m = loop_input(loop, largest, 0, walk.out);
    x = loop_cast(loop, x, wide);
    int difference = loop_apply(loop, "subtract", wide, wide, 2, (int[]){x, m});
    loop_apply(loop, "exp", wide, wide, 1, &difference);
    set_combine(loop, "add", wide, 0);
    loop_output(loop, sum, 0, walk.out);
    loop_simplify(loop);

    loop = step_loop(program, 1, &walk.kept_count);
    int s = loop_input(loop, sum, 0, (int64_t[]){1});
    m = loop_input(loop, largest, 0, (int64_t[]){1});
    s = loop_apply(loop, "log", wide, wide, 1, &s);
    loop_cast(loop, loop_apply(loop, "add", wide, wide, 2, (int[]){s, m}), type);
    loop_output(loop, program_buffer(program, node->outputs.items[0]), 0, (int64_t[]){1});
    loop_simplify(loop);
}

static void infer_arg(Node *node) {
    const Shape *shape = &node->inputs.items[0]->shape;
    bool reduced[MAX_RANK] = {false};
    node->outputs.items[0]->shape = SHAPE_UNKNOWN;
    if (shape->rank < 0) return;
    int axis = node_axis(node, attr_int(node, "axis"), shape->rank);
    if (shape->dims[axis].size == 0) node_fail(node, STATUS_INVALID, "there is no element along axis %d", axis);
    reduced[axis] = true;
    node->outputs.items[0]->shape = reduced_shape(shape, reduced, attr_int(node, "keepdims") != 0);
}

/* Gives a kernel the three sizes of a shape around an axis. */
static void step_axis(Step *step, const Shape *shape, int axis) {
    step_size(step, "OUTER", shape_product(shape, 0, axis));
    step_size(step, "AXIS", shape->dims[axis].size);
    step_size(step, "INNER", shape_product(shape, axis + 1, shape->rank));
}

static void lower_arg(Program *program, Node *node) {
    const Value *data = node->inputs.items[0];
    Step *step = step_kernel(program, type_is_float(data->type) ? "arg_extreme" : "arg_extreme_integer", data->type);
    step_value(program, step, "x", data);
    step_value(program, step, "y", node->outputs.items[0]);
    step_axis(step, &data->shape, node_axis(node, attr_int(node, "axis"), data->shape.rank));
    step_size(step, "LARGEST", strcmp(node->op->name, "ArgMax") == 0);
    step_size(step, "LAST", attr_int(node, "select_last_index") != 0);
}

static void lower_cumulative(Program *program, Node *node, const char *kernel, const char *integer_kernel) {
    const Value *x = node->inputs.items[0];
    const int64_t *axes;
    int count;
    node_ints(node, NULL, 1, &axes, &count);
    if (count != 1) node_fail(node, STATUS_INVALID, "input 1 (axis) has %d elements, expected 1", count);
    Step *step = step_kernel(program, type_is_float(x->type) ? kernel : integer_kernel, x->type);
    step_value(program, step, "x", x);
    step_value(program, step, "y", node->outputs.items[0]);
    step_axis(step, &x->shape, node_axis(node, axes[0], x->shape.rank));
    step_size(step, "EXCLUSIVE", attr_int(node, "exclusive") != 0);
    step_size(step, "REVERSE", attr_int(node, "reverse") != 0);
}

static void lower_cum_sum(Program *program, Node *node) {
    lower_cumulative(program, node, "cumulative_sum", "cumulative_sum_integer");
}

static void lower_cum_prod(Program *program, Node *node) {
    lower_cumulative(program, node, "cumulative_product", "cumulative_product_integer");
}

/* Where an axis that is not reduced comes to lie. */
static int carry_past(const Node *node, const bool *reduced, int axis) {
    if (reduced[axis]) return -1;
    int gone = 0;
    for (int d = 0; d < axis && attr_int(node, "keepdims") == 0; d++) gone += reduced[d];
    return axis - gone;
}

static int carry_reduce(const Node *node, int input, int axis, int output) {
    (void)output;
    bool reduced[MAX_RANK];
    if (input != 0 || !reduced_axes(node, node->inputs.items[0]->shape.rank, reduced)) return -1;
    return carry_past(node, reduced, axis);
}

static int carry_arg(const Node *node, int input, int axis, int output) {
    (void)input, (void)output;
    bool reduced[MAX_RANK] = {false};
    reduced[node_axis(node, attr_int(node, "axis"), node->inputs.items[0]->shape.rank)] = true;
    return carry_past(node, reduced, axis);
}

static int carry_cumulative(const Node *node, int input, int axis, int output) {
    (void)output;
    const Value *along = node->inputs.items[1];
    if (input != 0 || along->constant == NULL) return -1;
    return node_axis(node, tensor_int(along->constant, 0), node->inputs.items[0]->shape.rank) != axis ? axis : -1;
}

/* The row's term, of dy and y as they are spread over what was reduced. */
static Value *gradient_of_reduce(const Backward *b) {
    const Shape *shape = &b->x[0]->shape;
    bool reduced[MAX_RANK];
    Backward spread = *b;
    if (!reduced_axes(b->node, shape->rank, reduced)) return NULL;
    const Shape kept = reduced_shape(shape, reduced, true);
    spread.dy = gradient_expand(b, gradient_reshape(b, b->dy, &kept), shape);
    spread.y = gradient_reshape(b, b->y, &kept);
    const int64_t count = shape_count(shape), left = shape_count(&kept);
    const bool is_divided = reduction_of(b->node) != NULL && reduction_of(b->node)->divided && count > 0;
    if (is_divided) spread.dy = expand_scale(b->e, spread.dy, (double)left / (double)count);
    return gradient_by_term(&spread);
}

/* Since when axes are an input and no longer an attribute: 13 or 18. */
#define REDUCTION(name_, since, types_, lower_, gradient_, ...)                                                        \
    {                                                                                                                  \
        .name = name_, .versions = {1, 11, 13, __VA_ARGS__}, .inputs = "data:T axes:int64?@" #since,                   \
        .outputs = "reduced:T", .types = "T: int32 int64 uint32 uint64 floats " types_,                                \
        .attributes = "axes:ints@<" #since " keepdims:int=1 noop_with_empty_axes:int@" #since "=0",                    \
        .infer = infer_reduce, .carry = carry_reduce, .layout = layout_reduce, .lower = lower_, .gradient = gradient_, \
        .gradient_of = gradient_of_reduce                                                                              \
    }

const Op OPS_reduction[] = {
    REDUCTION("ReduceSum", 13, "", lower_reduce, "dy", 0),
    REDUCTION("ReduceMean", 18, "", lower_reduce, "dy", 18),
    REDUCTION("ReduceProd", 18, "", lower_reduce, NULL, 18),
    REDUCTION("ReduceL1", 18, "", lower_reduce, "Mul(dy, Sign(x0))", 18),
    REDUCTION("ReduceL2", 18, "", lower_reduce, "Mul(dy, Div(x0, y))", 18),
    REDUCTION("ReduceSumSquare", 18, "", lower_reduce, "Mul(dy, Add(x0, x0))", 18),
    REDUCTION("ReduceLogSum", 18, "", lower_reduce, "Div(dy, Exp(y))", 18, 28),
    REDUCTION("ReduceLogSumExp", 18, "", lower_log_sum_exp, "Mul(dy, Exp(Sub(x0, y)))", 18, 28),
    {.name = "ReduceMax",
     .versions = {1, 11, 12, 13, 18, 20},
     .inputs = "data:T axes:int64?@18",
     .outputs = "reduced:T",
     .types = "T: int32 int64 uint32 uint64 floats int8 uint8 bool",
     .attributes = "axes:ints@<18 keepdims:int=1 noop_with_empty_axes:int@18=0",
     .infer = infer_reduce,
     .carry = carry_reduce,
     .layout = layout_reduce,
     .lower = lower_reduce},
    {.name = "ReduceMin",
     .versions = {1, 11, 12, 13, 18, 20},
     .inputs = "data:T axes:int64?@18",
     .outputs = "reduced:T",
     .types = "T: int32 int64 uint32 uint64 floats int8 uint8 bool",
     .attributes = "axes:ints@<18 keepdims:int=1 noop_with_empty_axes:int@18=0",
     .infer = infer_reduce,
     .carry = carry_reduce,
     .layout = layout_reduce,
     .lower = lower_reduce},
    {.name = "ArgMax",
     .versions = {1, 11, 12, 13},
     .inputs = "data:T",
     .outputs = "reduced:int64",
     .types = "T: numeric",
     .attributes = "axis:int=0 keepdims:int=1 select_last_index:int@12=0",
     .infer = infer_arg,
     .carry = carry_arg,
     .lower = lower_arg},
    {.name = "ArgMin",
     .versions = {1, 11, 12, 13},
     .inputs = "data:T",
     .outputs = "reduced:int64",
     .types = "T: numeric",
     .attributes = "axis:int=0 keepdims:int=1 select_last_index:int@12=0",
     .infer = infer_arg,
     .carry = carry_arg,
     .lower = lower_arg},
    {.name = "CumSum",
     .versions = {11, 14},
     .inputs = "x:T axis:T2",
     .outputs = "y:T",
     .types = "T: int32 int64 uint32 uint64 floats; T2: int32 int64",
     .attributes = "exclusive:int=0 reverse:int=0",
     .infer = infer_same,
     .carry = carry_cumulative,
     .lower = lower_cum_sum},
    {.name = "CumProd",
     .versions = {26},
     .inputs = "x:T axis:T2",
     .outputs = "y:T",
     .types = "T: int32 int64 uint32 uint64 floats; T2: int32 int64",
     .attributes = "exclusive:int=0 reverse:int=0",
     .infer = infer_same,
     .carry = carry_cumulative,
     .lower = lower_cum_prod},
    {0},
};
