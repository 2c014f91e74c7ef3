/* Shape values: operators whose result follows from shapes, attributes and constants alone.
 * Small ones are constants as soon as inference knows what they depend on: they are set here, or folded. */
#include "ops/movement.h"

#include <math.h>
#include <string.h>

static void set_constant(Value *value, Tensor *tensor) {
    value->constant = tensor;
    value->type = tensor->type;
    value->shape = tensor->shape;
}

static Arena *arena_of(const Node *node) { return node->graph->arena; }

/* Shape and Size */

/* Part of a shape: start and end count from the back where negative, and are clamped. */
static int clamp_axis(int64_t axis, int rank) {
    if (axis < 0) axis = axis < -rank ? 0 : axis + rank;
    return axis > rank ? rank : (int)axis;
}

static void infer_shape(Node *node) {
    const Shape *from = &node->inputs.items[0]->shape;
    Value *output = node->outputs.items[0];
    output->shape = shape_open(1);
    if (from->rank < 0) return;
    int start = node->version < 15 ? 0 : clamp_axis(attr_int(node, "start"), from->rank);
    int end = node_attribute(node, "end") == NULL ? from->rank : clamp_axis(attr_int(node, "end"), from->rank);
    int count = end > start ? end - start : 0;
    int64_t sizes[MAX_RANK];
    output->shape.dims[0] = dim_known(count);
    for (int i = 0; i < count; i++) {
        sizes[i] = from->dims[start + i].size;
        if (sizes[i] < 0) return;
    }
    set_constant(output, tensor_ints(arena_of(node), sizes, count));
}

static void infer_size(Node *node) {
    const Shape *from = &node->inputs.items[0]->shape;
    Value *output = node->outputs.items[0];
    output->shape = shape_of(0, NULL);
    if (!shape_is_known(from)) return;
    Tensor *size = tensor_new(arena_of(node), TYPE_INT64, &output->shape);
    *(int64_t *)size->data = shape_count(from);
    set_constant(output, size);
}

/* Constant */

static Tensor *tensor_of(const Node *node, Type type, const void *data, int count, bool is_list) {
    Shape shape = is_list ? shape_of(1, (int64_t[]){count}) : shape_of(0, NULL);
    Tensor *tensor = tensor_new(arena_of(node), type, &shape);
    if (count > 0) memcpy(tensor->data, data, tensor_bytes(tensor));
    return tensor;
}

static Tensor *attribute_tensor(const Node *node, const Attribute *attribute) {
    switch (attribute->kind) {
    case ATTRIBUTE_TENSOR: return attribute->tensor;
    case ATTRIBUTE_INT: return tensor_of(node, TYPE_INT64, &attribute->integer, 1, false);
    case ATTRIBUTE_INTS: return tensor_of(node, TYPE_INT64, attribute->integers, attribute->count, true);
    case ATTRIBUTE_FLOAT: return tensor_of(node, TYPE_FLOAT, &attribute->number, 1, false);
    case ATTRIBUTE_FLOATS: return tensor_of(node, TYPE_FLOAT, attribute->numbers, attribute->count, true);
    case ATTRIBUTE_STRING: return tensor_of(node, TYPE_STRING, &attribute->string, 1, false);
    case ATTRIBUTE_STRINGS: return tensor_of(node, TYPE_STRING, attribute->strings, attribute->count, true);
    default: fail(STATUS_BUG, "the schema of Constant has let through another attribute");
    }
}

static void infer_constant(Node *node) {
    if (node->attributes.count != 1)
        node_fail(node, STATUS_INVALID, "%d attributes, expected one that gives the value", node->attributes.count);
    set_constant(node->outputs.items[0], attribute_tensor(node, &node->attributes.items[0]));
}

/* ConstantOfShape */

static Tensor *fill_tensor(const Node *node) {
    const Attribute *value = node_attribute(node, "value");
    if (value == NULL) return NULL;
    if (tensor_count(value->tensor) != 1)
        node_fail(node, STATUS_INVALID, "attribute value has %lld elements, expected 1",
                  (long long)tensor_count(value->tensor));
    return value->tensor;
}

static void infer_constant_of_shape(Node *node) {
    Value *output = node->outputs.items[0];
    const Tensor *value = fill_tensor(node);
    int length = input_length(node, 0), count;
    const int64_t *sizes;
    output->type = value == NULL ? TYPE_FLOAT : value->type;
    output->shape = shape_open(length);
    if (!input_is_readable(node, 0)) return;
    node_ints(node, NULL, 0, &sizes, &count);
    for (int i = 0; i < count; i++) {
        if (sizes[i] < 0)
            node_fail(node, STATUS_INVALID, "size %lld of dimension %d is negative", (long long)sizes[i], i);
        output->shape.dims[i] = dim_known(sizes[i]);
    }
}

static void lower_constant_of_shape(Program *program, Node *node) {
    Tensor *value = fill_tensor(node);
    if (value == NULL) fill_number(program, node->outputs.items[0], 0);
    else fill_value(program, node->outputs.items[0], graph_constant(program->graph, "value", value));
}

/* Range */

/* The number of elements, max(ceil((limit - start) / delta), 0), of integers: nothing overflows. */
static uint64_t count_integers(int64_t start, int64_t limit, int64_t delta) {
    if (delta > 0 ? limit <= start : limit >= start) return 0;
    uint64_t span = delta > 0 ? (uint64_t)limit - (uint64_t)start : (uint64_t)start - (uint64_t)limit;
    uint64_t step = delta > 0 ? (uint64_t)delta : 0 - (uint64_t)delta;
    return (span - 1) / step + 1;
}

static double count_reals(Type type, double start, double limit, double delta) {
    double span = type == TYPE_DOUBLE ? limit - start : (double)((float)limit - (float)start);
    double count = ceil(span / delta);
    return count > 0 ? count : 0; /* a NaN makes it empty */
}

static int64_t range_count(const Node *node, const Tensor *start, const Tensor *limit, const Tensor *delta) {
    if (tensor_number(delta, 0) == 0) node_fail(node, STATUS_INVALID, "delta is 0");
    double count =
        type_is_float(start->type)
            ? count_reals(start->type, tensor_number(start, 0), tensor_number(limit, 0), tensor_number(delta, 0))
            : (double)count_integers(tensor_int(start, 0), tensor_int(limit, 0), tensor_int(delta, 0));
    if (count > INT32_MAX)
        node_fail(node, STATUS_UNSUPPORTED, "the range has %.0f elements, at most %d are supported", count, INT32_MAX);
    return (int64_t)count;
}

static void infer_range(Node *node) {
    Value *output = node->outputs.items[0];
    const Tensor *scalars[3];
    output->shape = shape_open(1);
    for (int i = 0; i < 3; i++) {
        scalars[i] = node->inputs.items[i]->constant;
        if (scalars[i] == NULL) return;
        if (tensor_count(scalars[i]) != 1)
            node_fail(node, STATUS_INVALID, "input %d has %lld elements, expected 1", i,
                      (long long)tensor_count(scalars[i]));
    }
    output->shape.dims[0] = dim_known(range_count(node, scalars[0], scalars[1], scalars[2]));
}

static void lower_range(Program *program, Node *node) {
    const Value *output = node->outputs.items[0];
    if (is_empty(output)) return;
    Step *step = step_kernel(program, type_is_float(output->type) ? "range" : "range_integers", output->type);
    step_value(program, step, "start", node->inputs.items[0]);
    step_value(program, step, "delta", node->inputs.items[2]);
    step_value(program, step, "y", output);
    step_size(step, "COUNT", output->shape.dims[0].size);
}

/* EyeLike */

static void infer_eye_like(Node *node) {
    const Shape *from = &node->inputs.items[0]->shape;
    Value *output = node->outputs.items[0];
    if (from->rank >= 0 && from->rank != 2)
        node_fail(node, STATUS_INVALID, "input 0 has %d dimensions, expected 2", from->rank);
    output->type = node->inputs.items[0]->type;
    if (node_attribute(node, "dtype") != NULL) {
        int64_t type = attr_int(node, "dtype");
        if (type <= TYPE_NONE || type >= TYPE_COUNT)
            node_fail(node, STATUS_INVALID, "dtype %lld is no type of ONNX's", (long long)type);
        output->type = (Type)type;
    }
    output->shape = from->rank < 0 ? shape_open(2) : *from;
}

static void lower_eye_like(Program *program, Node *node) {
    const Value *output = node->outputs.items[0];
    int64_t rows = output->shape.dims[0].size, columns = output->shape.dims[1].size, k = attr_int(node, "k");
    fill_number(program, output, 0);
    if (k >= columns || k <= -rows) return;
    int64_t row = k < 0 ? -k : 0, column = k < 0 ? 0 : k;
    int64_t count = rows - row < columns - column ? rows - row : columns - column;
    Loop *loop = step_loop(program, 1, &count);
    if (type_is_float(output->type)) loop_literal(loop, output->type, 1);
    else loop_literal_int(loop, output->type, 1);
    loop_output(loop, program_buffer(program, output), row * columns + column, (int64_t[]){columns + 1});
}

const Op OPS_shape_values[] = {
    {.name = "Shape",
     .versions = {1, 13, 15, 19, 21, 23, 24, 25},
     .inputs = "data:T",
     .outputs = "shape:int64",
     .types = "T: all",
     .attributes = "start:int@15=0 end:int@15",
     .infer = infer_shape},
    {.name = "Size",
     .versions = {1, 13, 19, 21, 23, 24, 25},
     .inputs = "data:T",
     .outputs = "size:int64",
     .types = "T: all",
     .infer = infer_size},
    {.name = "Constant",
     .versions = {1, 9, 11, 12, 13, 19, 21, 23, 24, 25},
     .inputs = "",
     .outputs = "output:T",
     .types = "T: all",
     .attributes =
         "value:tensor!@<11 value:tensor@11 sparse_value:sparse_tensor@11 value_int:int@12 value_ints:ints@12 "
         "value_float:float@12 value_floats:floats@12 value_string:string@12 value_strings:strings@12",
     .infer = infer_constant},
    {.name = "ConstantOfShape",
     .versions = {9, 20, 21, 23, 24, 25},
     .inputs = "input:int64",
     .outputs = "output:T",
     .types = "T: plain",
     .attributes = "value:tensor",
     .infer = infer_constant_of_shape,
     .lower = lower_constant_of_shape},
    {.name = "Range",
     .versions = {11, 27},
     .inputs = "start:T limit:T delta:T",
     .outputs = "output:T",
     .types = "T: floats int16 int32 int64",
     .attributes = "stash_type:int@27=1",
     .infer = infer_range,
     .lower = lower_range},
    {.name = "EyeLike",
     .versions = {9, 22},
     .inputs = "input:T",
     .outputs = "output:U",
     .types = "T: numeric bool; U: numeric bool",
     .attributes = "dtype:int k:int=0",
     .infer = infer_eye_like,
     .lower = lower_eye_like},
    {0},
};
