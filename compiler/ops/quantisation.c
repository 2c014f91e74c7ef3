/* Quantisation: from floats to few bits and back, QuantizeLinear and DequantizeLinear, by tensor, axis or block.
 * Both are elementwise, so that a pair of them, and what is between two pairs, becomes one loop. */
#include "ops/carry.h"
#include "ops/elementwise.h"

/* Along which axis scale and zero point vary, and of how many neighbours one stands for all; by tensor: axis -1. */
typedef struct {
    int axis;
    int64_t block;
} Granularity;

/* An infer rule may ask for it as soon as the ranks are known; sizes are checked by check_sizes(). */
static Granularity granularity_of(const Node *node) {
    const Shape *x = &node->inputs.items[0]->shape, *scale = &node->inputs.items[1]->shape;
    int64_t block = attr_int(node, "block_size");
    if (block < 0) node_fail(node, STATUS_INVALID, "block_size is %lld", (long long)block);
    bool one = scale->rank == 0 || (scale->rank == 1 && scale->dims[0].size == 1);
    if (block == 0 && one) return (Granularity){.axis = -1};
    if (node->version < 13)
        node_fail(node, STATUS_INVALID, "the scale has the shape %s; before opset 13 it is one number",
                  shape_text(node->graph->arena, scale));
    return (Granularity){node_axis(node, attr_int(node, "axis"), x->rank), block == 0 ? 1 : block};
}

static bool is_blocked(const Node *node) { return attr_int(node, "block_size") != 0; }

/* That input i has one element for each of the axis, or for each block, or is a scalar. */
static void check_shape(const Node *node, int i, Granularity by) {
    const Shape *x = &node->inputs.items[0]->shape, *shape = &node->inputs.items[i]->shape;
    Shape expected = {.rank = is_blocked(node) ? x->rank : 1};
    for (int d = 0; d < expected.rank; d++) {
        Dim size = x->dims[is_blocked(node) ? d : by.axis];
        if (d == by.axis && is_blocked(node) && size.size >= 0)
            size = dim_known(size.size / by.block + (size.size % by.block != 0));
        expected.dims[d] = size;
    }
    if (shape->rank < 0) return;
    bool fits = shape->rank == expected.rank;
    for (int d = 0; fits && d < expected.rank; d++)
        fits = shape->dims[d].size < 0 || expected.dims[d].size < 0 || shape->dims[d].size == expected.dims[d].size;
    if (!fits)
        node_fail(node, STATUS_INVALID, "input %d has the shape %s, expected %s", i,
                  shape_text(node->graph->arena, shape), shape_text(node->graph->arena, &expected));
}

static void check_one(const Node *node, int i) {
    const Shape *shape = &node->inputs.items[i]->shape;
    if (shape_is_known(shape) && shape_count(shape) != 1)
        node_fail(node, STATUS_INVALID, "input %d has the shape %s, and the scale is one number", i,
                  shape_text(node->graph->arena, shape));
}

static void infer_shapes(Node *node) {
    infer_same(node);
    if (node->inputs.items[0]->shape.rank < 0 || node->inputs.items[1]->shape.rank < 0) return;
    Granularity by = granularity_of(node);
    for (int i = 1; i < node->inputs.count; i++) {
        if (node_input(node, i) == NULL) continue;
        if (by.axis < 0) check_one(node, i);
        else check_shape(node, i, by);
    }
}

/* The type that an attribute names; TYPE_NONE where it is 0. Fails where it is none of a set. */
static Type type_of(const Node *node, const char *attribute, const char *set) {
    int64_t number = attr_int(node, attribute);
    if (number < 0 || number >= TYPE_COUNT || (number != 0 && !(type_set_parse(set) & TYPE_BIT(number))))
        node_fail(node, STATUS_INVALID, "%s=%lld is no type that this operator has", attribute, (long long)number);
    return (Type)number;
}

#define QUANTISED "int8 uint8 int16 uint16 subbytes float8s"

static void infer_quantize(Node *node) {
    const Value *zero = node_input(node, 2);
    Type asked = type_of(node, "output_dtype", QUANTISED);
    if (zero != NULL && asked != TYPE_NONE && asked != zero->type)
        node_fail(node, STATUS_INVALID, "output_dtype says %s, the zero point is %s", type_info(asked)->name,
                  type_info(zero->type)->name);
    node->outputs.items[0]->type = zero != NULL ? zero->type : asked != TYPE_NONE ? asked : TYPE_UINT8;
    type_of(node, "precision", "floats");
    infer_shapes(node);
}

static void infer_dequantize(Node *node) {
    Type asked = type_of(node, "output_dtype", "floats"), scale = node->inputs.items[1]->type;
    if (asked == TYPE_NONE && scale == TYPE_FLOAT8E8M0)
        node_fail(node, STATUS_INVALID, "the scale is %s; output_dtype has to say what the result is",
                  type_info(scale)->name);
    node->outputs.items[0]->type = asked != TYPE_NONE ? asked : scale;
    infer_shapes(node);
}

/* By blocks an axis is cut, which goes along rows alone. */
static MapLayout layout_quantisation(const Node *node) {
    return is_blocked(node) ? (MapLayout){READS_ROWS, false} : layout_any(node);
}

/* Operands of a loop over x or a part of it. */
typedef struct {
    Loop *loop;
    int x, scale, zero; /* scalars; zero: -1 where there is none */
    Granularity by;
    int64_t offset, strides[MAX_RANK]; /* of x and of the result */
} Part;

static bool is_zero(const Value *value) {
    if (value == NULL) return true;
    for (int64_t i = 0; value->constant != NULL && i < tensor_count(value->constant); i++)
        if (tensor_number(value->constant, i) != 0) return false;
    return value->constant != NULL;
}

/* Reads x, scale and zero point, those two with strides and an offset of their own. Zero points of floats are zero. */
static void read_operands(Program *program, const Node *node, Part *part, int64_t offset, const int64_t *strides) {
    const Value *x = node->inputs.items[0], *scale = node->inputs.items[1], *zero = node_input(node, 2);
    part->x = loop_input(part->loop, program_buffer(program, x), part->offset, part->strides);
    bool has_zero = !is_zero(zero) && !type_is_float(zero->type);
    part->scale = part->zero = -1;
    bool is_literal = part->by.axis < 0 && scale->constant != NULL;
    if (!is_literal) part->scale = loop_input(part->loop, program_buffer(program, scale), offset, strides);
    if (has_zero && !(part->by.axis < 0 && zero->constant != NULL))
        part->zero = loop_input(part->loop, program_buffer(program, zero), offset, strides);
    if (is_literal) part->scale = loop_literal(part->loop, scale->type, tensor_number(scale->constant, 0));
    if (has_zero && part->zero < 0) part->zero = loop_literal(part->loop, TYPE_FLOAT, tensor_number(zero->constant, 0));
}

/* All of x, where a scale stands for all, or for one place of the axis. */
static Part whole(Program *program, const Node *node, Granularity by) {
    Part part = {.loop = elementwise_loop(program, node), .by = by};
    int64_t strides[MAX_RANK] = {0};
    strides_of(&node->inputs.items[0]->shape, part.strides);
    if (by.axis >= 0) strides[by.axis] = 1;
    read_operands(program, node, &part, 0, strides);
    return part;
}

/* From `first` on, count neighbouring blocks of a size: [outer][count][size][inner] of x. */
static Part blocks(Program *program, const Node *node, Granularity by, int64_t first, int64_t count, int64_t size) {
    const Shape *x = &node->inputs.items[0]->shape, *scale = &node->inputs.items[1]->shape;
    const int64_t outer = shape_product(x, 0, by.axis), inner = shape_product(x, by.axis + 1, x->rank);
    const int64_t extents[] = {outer, count, size, inner};
    const int64_t strides[] = {scale->dims[by.axis].size * inner, inner, 0, 1};
    Part part = {.loop = step_loop(program, 4, extents), .by = by, .offset = first * by.block * inner};
    part.strides[0] = x->dims[by.axis].size * inner, part.strides[1] = by.block * inner;
    part.strides[2] = inner, part.strides[3] = 1;
    read_operands(program, node, &part, first * inner, strides);
    return part;
}

typedef void Body(Program *program, const Node *node, const Part *part, Buffer *to);

static void write_result(const Part *part, Buffer *to) {
    loop_output(part->loop, to, part->offset, part->strides);
    loop_simplify(part->loop);
}

/* One loop; two where the last block is shorter than the others. */
static void lower_parts(Program *program, const Node *node, Body *body, Buffer *to) {
    Granularity by = granularity_of(node);
    if (!is_blocked(node)) {
        Part part = whole(program, node, by);
        body(program, node, &part, to);
        return;
    }
    int64_t size = node->inputs.items[0]->shape.dims[by.axis].size, full = size / by.block, rest = size % by.block;
    for (int i = 0; i < 2; i++) {
        if (i == 0 ? full == 0 && rest > 0 : rest == 0) continue;
        Part part = i == 0 ? blocks(program, node, by, 0, full, by.block) : blocks(program, node, by, full, 1, rest);
        body(program, node, &part, to);
    }
}

/* (x - zero) * scale. */
static void dequantize(Program *program, const Node *node, const Part *part, Buffer *to) {
    (void)program;
    Loop *loop = part->loop;
    Type result = node->outputs.items[0]->type, wide = result == TYPE_DOUBLE ? TYPE_DOUBLE : TYPE_FLOAT;
    int x = loop_cast(loop, part->x, wide);
    if (part->zero >= 0) x = loop_apply(loop, "subtract", wide, wide, 2, (int[]){x, loop_cast(loop, part->zero, wide)});
    x = loop_apply(loop, "multiply", wide, wide, 2, (int[]){x, loop_cast(loop, part->scale, wide)});
    loop_cast(loop, x, result);
    write_result(part, to);
}

static void lower_dequantize(Program *program, Node *node) {
    lower_parts(program, node, dequantize, program_buffer(program, node->outputs.items[0]));
}

/* In which type x is divided by the scale: `precision`, else that of the scale where it is a float. */
static Type precision_of(const Node *node) {
    Type asked = (Type)attr_int(node, "precision"),
         floats[] = {asked, node->inputs.items[1]->type, node->inputs.items[0]->type};
    for (int i = 0; i < 3; i++)
        if (type_set_parse("floats") & TYPE_BIT(floats[i])) return floats[i];
    return TYPE_FLOAT;
}

/* Rounds a quotient to nearest, ties to even, adds the zero point, and keeps to what the type holds. */
static void to_integer(Loop *loop, int quotient, int zero, Type precision, Type to) {
    const TypeInfo *info = type_info(to);
    Type wide = precision == TYPE_DOUBLE ? TYPE_DOUBLE : TYPE_FLOAT; /* half floats do not hold all sums */
    int x = loop_cast(loop, loop_apply(loop, "round", precision, precision, 1, &quotient), wide);
    bool is_signed = info->class == CLASS_SIGNED;
    if (zero < 0 && is_signed) zero = loop_literal(loop, wide, 0); /* so that there is no negative zero */
    if (zero >= 0) x = loop_apply(loop, "add", wide, wide, 2, (int[]){x, loop_cast(loop, zero, wide)});
    int low = loop_literal(loop, wide, is_signed ? -(1 << (info->bits - 1)) : 0);
    int high = loop_literal(loop, wide, (1 << (info->bits - is_signed)) - 1);
    loop_cast(loop, loop_apply(loop, "saturate", wide, wide, 3, (int[]){x, low, high}), to);
}

/* x / scale + zero, rounded. */
static void quantize(Program *program, const Node *node, const Part *part, Buffer *to) {
    (void)program;
    Loop *loop = part->loop;
    Type type = node->outputs.items[0]->type, precision = precision_of(node);
    int x = loop_cast(loop, part->x, precision), scale = loop_cast(loop, part->scale, precision);
    int quotient = loop_apply(loop, "divide", precision, precision, 2, (int[]){x, scale});
    if (!type_is_float(type)) to_integer(loop, quotient, part->zero, precision, type);
    else if (type_saturates(type) && attr_int(node, "saturate") == 0) elementwise_unsaturated(loop, quotient, type);
    else loop_cast(loop, quotient, type);
    write_result(part, to);
}

static void lower_quantize(Program *program, Node *node) {
    const Value *y = node->outputs.items[0];
    const int64_t count = shape_count(&y->shape);
    bool has_infinities = y->type == TYPE_FLOAT8E5M2 && attr_int(node, "saturate") == 0;
    Type wide = precision_of(node) == TYPE_DOUBLE ? TYPE_DOUBLE : TYPE_FLOAT;
    Buffer *to = has_infinities ? program_scratch(program, wide, count) : program_buffer(program, y);
    lower_parts(program, node, quantize, to);
    if (has_infinities) elementwise_infinities(program, to, count, y);
}

const Op OPS_quantisation[] = {
    {.name = "QuantizeLinear",
     .versions = {10, 13, 19, 21, 23, 24, 25, 28},
     .inputs = "x:T1 y_scale:T2 y_zero_point:T3?",
     .outputs = "y:T3",
     .types = "T1: float float16 bfloat16 int32; T2: float float16 bfloat16 int32 float8e8m0; T3: " QUANTISED,
     .attributes = "axis:int@13=1 saturate:int@19=1 block_size:int@21=0 output_dtype:int@21=0 precision:int@23=0",
     .infer = infer_quantize,
     .carry = carry_same,
     .layout = layout_quantisation,
     .lower = lower_quantize},
    {.name = "DequantizeLinear",
     .versions = {10, 13, 19, 21, 23, 24, 25, 28},
     .inputs = "x:T1 x_scale:T2 x_zero_point:T1?",
     .outputs = "y:T3",
     .types = "T1: int32 " QUANTISED "; T2: float float16 bfloat16 float8e8m0; T3: float float16 bfloat16",
     .attributes = "axis:int@13=1 block_size:int@21=0 output_dtype:int@23=0",
     .infer = infer_dequantize,
     .carry = carry_same,
     .layout = layout_quantisation,
     .lower = lower_dequantize},
    {0},
};
