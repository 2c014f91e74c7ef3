/* ONNX Runtime's operators on quantised tensors (domain com.microsoft; docs/ContribOperators.md in
 * microsoft/onnxruntime), expanded: elementwise ones and pools by way of floats, products by MatMulInteger. */
#include "ops/quantised.h"

#define MICROSOFT "com.microsoft"
#define BYTES "int8 uint8"

static Value *input(const Expansion *e, int i) { return node_input(e->node, i); }

/* What inputs i, its scale and its zero point behind it stand for. */
static Value *real(Expansion *e, int i) {
    return expand_op(e, "DequantizeLinear", input(e, i), input(e, i + 1), input(e, i + 2));
}

/* Output 0, quantised to a type with input i as scale and the zero point behind it. */
static void give(Expansion *e, Value *y, int i, Type type) {
    Node *node = expand_node(e, "QuantizeLinear", y, input(e, i), input(e, i + 1));
    node_set_int(node, "output_dtype", type);
    expand_output(e, 0, expand_value(node));
}

static void expand_add(Expansion *e) { give(e, expand_op(e, "Add", real(e, 0), real(e, 3)), 6, input(e, 0)->type); }

static void expand_mul(Expansion *e) { give(e, expand_op(e, "Mul", real(e, 0), real(e, 3)), 6, input(e, 0)->type); }

static void expand_sigmoid(Expansion *e) { give(e, expand_op(e, "Sigmoid", real(e, 0)), 3, input(e, 0)->type); }

static void expand_leaky_relu(Expansion *e) {
    Node *node = expand_node(e, "LeakyRelu", real(e, 0));
    node_set_float(node, "alpha", attr_float(e->node, "alpha"));
    give(e, expand_value(node), 3, input(e, 0)->type);
}

static void expand_where(Expansion *e) {
    give(e, expand_op(e, "Where", input(e, 0), real(e, 1), real(e, 4)), 7, input(e, 1)->type);
}

static void expand_concat_quantised(Expansion *e) {
    int count = e->node->inputs.count - 2;
    if (count % 3 != 0)
        node_fail(e->node, STATUS_INVALID, "%d inputs behind the zero point, expected three for each tensor", count);
    Value **parts = arena_new_array(e->node->graph->arena, Value *, (size_t)count / 3);
    for (int i = 0; i < count / 3; i++) parts[i] = real(e, 2 + 3 * i);
    Node *node = expand_node_of(e, "Concat", count / 3, parts);
    node_set_int(node, "axis", attr_int(e->node, "axis"));
    give(e, expand_value(node), 0, input(e, 1)->type);
}

/* Before opset 13 the dimensions from the axis on are one. */
static void expand_softmax(Expansion *e) {
    Value *x = real(e, 0);
    int axis = node_axis(e->node, attr_int(e->node, "axis"), x->shape.rank);
    bool is_flat = attr_int(e->node, "opset") < 13;
    if (is_flat && !shape_is_known(&x->shape))
        node_fail(e->node, STATUS_UNSUPPORTED, "the shape of the input is not known");
    int64_t sizes[MAX_RANK];
    for (int d = 0; d < x->shape.rank; d++) sizes[d] = size_of(x, d);
    Value *flat =
        is_flat ? expand_reshape(e, x, shape_product(&x->shape, 0, axis), shape_product(&x->shape, axis, x->shape.rank))
                : x;
    Node *node = expand_node(e, "Softmax", flat);
    node_set_int(node, "axis", is_flat ? 1 : axis);
    Value *y = expand_value(node);
    give(e, is_flat ? expand_reshape_to(e, y, x->shape.rank, sizes) : y, 3, input(e, 0)->type);
}

/* Moves channels from the last dimension to the second, or back, where the node has them last. */
static Value *move_channels(Expansion *e, Value *x, bool back) {
    int rank = x->shape.rank;
    int64_t perm[MAX_RANK];
    if (attr_int(e->node, "channels_last") == 0) return x;
    if (rank < 3) node_fail(e->node, STATUS_INVALID, "the input has %d dimensions, expected at least 3", rank);
    for (int d = 0; d < rank; d++) perm[d] = d < 2 ? 0 : d - 1;
    perm[1] = rank - 1;
    for (int d = 1; back && d < rank; d++) perm[d] = d == rank - 1 ? 1 : d + 1;
    return expand_transpose_to(e, x, rank, perm);
}

static void expand_average_pool(Expansion *e) {
    static const char *const names[] = {"auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads",
                                        "strides",  NULL};
    Node *pool = expand_node(e, "AveragePool", move_channels(e, real(e, 0), false));
    expand_inherit(e, pool, names);
    give(e, move_channels(e, expand_value(pool), true), 3, input(e, 0)->type);
}

static void expand_global_average_pool(Expansion *e) {
    Value *y = expand_op(e, "GlobalAveragePool", move_channels(e, real(e, 0), false));
    give(e, move_channels(e, y, true), 3, input(e, 0)->type);
}

static void expand_reduce_mean(Expansion *e) {
    int count;
    const int64_t *axes = attr_ints(e->node, "axes", &count);
    Node *mean = expand_node(e, "ReduceMean", real(e, 0), expand_ints(e, count, axes));
    node_set_int(mean, "keepdims", attr_int(e->node, "keepdims"));
    give(e, expand_value(mean), 3, input(e, 0)->type);
}

static void expand_conv(Expansion *e) {
    static const char *const names[] = {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides", NULL};
    Value *inputs[9] = {move_channels(e, input(e, 0), false)};
    for (int i = 1; i < 9; i++) inputs[i] = input(e, i);
    Node *conv = expand_node_of(e, "QLinearConv", 9, inputs);
    expand_inherit(e, conv, names);
    expand_output(e, 0, move_channels(e, expand_value(conv), true));
}

static void expand_to_own(Expansion *e, const char *op_type) {
    static const char *const names[] = {"axis", NULL};
    Node *node = expand_node(e, op_type, input(e, 0), input(e, 1), input(e, 2));
    expand_inherit(e, node, names);
    expand_output(e, 0, expand_value(node));
}

static void expand_quantize(Expansion *e) { expand_to_own(e, "QuantizeLinear"); }
static void expand_dequantize(Expansion *e) { expand_to_own(e, "DequantizeLinear"); }

/* Sums of products as floats, in what a step of both means. */
static Value *scaled(Expansion *e, Value *sums, Value *a_scale, Value *b_scale) {
    if (shape_is_known(&a_scale->shape) && shape_count(&a_scale->shape) != 1)
        node_fail(e->node, STATUS_UNSUPPORTED, "the scale of a has the shape %s; one number is supported",
                  shape_text(e->node->graph->arena, &a_scale->shape));
    Value *factor = expand_op(e, "Mul", expand_cast(e, a_scale, TYPE_FLOAT), expand_cast(e, b_scale, TYPE_FLOAT));
    return expand_op(e, "Mul", expand_cast(e, sums, TYPE_FLOAT), factor);
}

static Value *biased(Expansion *e, Value *product, Value *bias) {
    Value *y = bias == NULL ? product : expand_op(e, "Add", product, expand_cast(e, bias, TYPE_FLOAT));
    return expand_cast(e, y, node_output(e->node, 0)->type);
}

static void expand_matmul_to_float(Expansion *e) {
    Value *sums = expand_op(e, "MatMulInteger", input(e, 0), input(e, 1), input(e, 4), input(e, 5));
    expand_output(e, 0, biased(e, scaled(e, sums, input(e, 2), input(e, 3)), input(e, 6)));
}

static void expand_dynamic_matmul(Expansion *e) {
    const Dynamic a = quantise_dynamically(e, input(e, 0));
    Value *sums = expand_op(e, "MatMulInteger", a.y, input(e, 1), a.zero, input(e, 3));
    expand_output(e, 0, biased(e, scaled(e, sums, a.scale, input(e, 2)), input(e, 4)));
}

static void expand_matmul16(Expansion *e) {
    Type type = node_output(e->node, 0)->type;
    Value *a = expand_cast(e, input(e, 0), type), *b = expand_cast(e, input(e, 1), type);
    expand_output(e, 0, expand_op(e, "MatMul", a, b));
}

/* Of two unsigned ones ONNX Runtime's result is unsigned. */
static void infer_matmul16(Node *node) {
    bool is_unsigned = node->inputs.items[0]->type == TYPE_UINT16 && node->inputs.items[1]->type == TYPE_UINT16;
    node->outputs.items[0]->type = is_unsigned ? TYPE_UINT32 : TYPE_INT32;
}

enum { QA, QA_SCALE, QA_ZERO, QB, QB_SCALE, QB_ZERO, QC, QY_SCALE, QY_ZERO };

static Value *transposed(Expansion *e, int i, const char *attribute) {
    Value *x = input(e, i);
    return attr_int(e->node, attribute) == 0 ? x : expand_transpose(e, x, 1, 0);
}

/* The scale of the result goes into the factor, as in ONNX Runtime: rounded once, it is what remains. */
static void expand_qgemm(Expansion *e) {
    for (int i = QA; i <= QB; i += QB)
        if (input(e, i)->shape.rank != 2)
            node_fail(e->node, STATUS_INVALID, "input %d has %d dimensions, expected 2", i, input(e, i)->shape.rank);
    Value *sums = expand_op(e, "MatMulInteger", transposed(e, QA, "transA"), transposed(e, QB, "transB"),
                            input(e, QA_ZERO), input(e, QB_ZERO));
    if (input(e, QC) != NULL) sums = expand_op(e, "Add", sums, input(e, QC));
    Value *a_scale = expand_scale(e, input(e, QA_SCALE), (double)attr_float(e->node, "alpha"));
    if (input(e, QY_SCALE) == NULL) {
        expand_output(e, 0, scaled(e, sums, a_scale, input(e, QB_SCALE)));
        return;
    }
    Value *b_scale = expand_op(e, "Div", input(e, QB_SCALE), input(e, QY_SCALE));
    Value *y = scaled(e, sums, a_scale, b_scale);
    expand_output(e, 0, expand_op(e, "QuantizeLinear", y, expand_number(e, TYPE_FLOAT, 1), input(e, QY_ZERO)));
}

static void infer_qgemm(Node *node) {
    const Value *scale = node_input(node, QY_SCALE), *zero = node_input(node, QY_ZERO);
    if (scale != NULL && zero == NULL)
        node_fail(node, STATUS_INVALID, "y_scale is there without y_zero_point, which gives the type of the result");
    node->outputs.items[0]->type = scale == NULL ? TYPE_FLOAT : zero->type;
}

#define TWO "A:T A_scale:float A_zero_point:T? B:T B_scale:float B_zero_point:T? C_scale:float C_zero_point:T?"
#define ONE "X:T X_scale:float X_zero_point:T? Y_scale:float Y_zero_point:T?"

const Op OPS_microsoft_quantisation[] = {
    {.name = "QLinearAdd",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = TWO,
     .outputs = "C:T",
     .types = "T: " BYTES,
     .expand = expand_add},
    {.name = "QLinearMul",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = TWO,
     .outputs = "C:T",
     .types = "T: " BYTES,
     .expand = expand_mul},
    {.name = "QLinearSigmoid",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = ONE,
     .outputs = "Y:T",
     .types = "T: " BYTES,
     .infer = infer_same,
     .expand = expand_sigmoid},
    {.name = "QLinearLeakyRelu",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = ONE,
     .outputs = "Y:T",
     .types = "T: " BYTES,
     .attributes = "alpha:float=0.01",
     .infer = infer_same,
     .expand = expand_leaky_relu},
    {.name = "QLinearWhere",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = "condition:bool X:T x_scale:float x_zero_point:T Y:T y_scale:float y_zero_point:T z_scale:float "
               "z_zero_point:T",
     .outputs = "Z:T",
     .types = "T: " BYTES,
     .expand = expand_where},
    {.name = "QLinearConcat",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = "Y_scale:float Y_zero_point:T inputs:V*",
     .outputs = "Y:T",
     .types = "T: " BYTES "; V: float " BYTES,
     .attributes = "axis:int!",
     .expand = expand_concat_quantised},
    {.name = "QLinearSoftmax",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = "X:T X_scale:float x_zero_point:T? y_scale:float y_zero_point:T",
     .outputs = "Y:T",
     .types = "T: " BYTES,
     .attributes = "axis:int=-1 opset:int!",
     .infer = infer_same,
     .expand = expand_softmax},
    {.name = "QLinearAveragePool",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = "X:T x_scale:float x_zero_point:T? y_scale:float y_zero_point:T?",
     .outputs = "Y:T",
     .types = "T: " BYTES,
     .attributes = "auto_pad:string=NOTSET ceil_mode:int=0 channels_last:int=0 count_include_pad:int=0 "
                   "kernel_shape:ints! pads:ints strides:ints",
     .expand = expand_average_pool},
    {.name = "QLinearGlobalAveragePool",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = "X:T x_scale:float x_zero_point:T y_scale:float y_zero_point:T",
     .outputs = "Y:T",
     .types = "T: " BYTES,
     .attributes = "channels_last:int=0",
     .expand = expand_global_average_pool},
    {.name = "QLinearReduceMean",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = "data:T data_scale:float data_zero_point:T? reduced_scale:float reduced_zero_point:T?",
     .outputs = "reduced:T",
     .types = "T: " BYTES,
     .attributes = "axes:ints! keepdims:int!",
     .expand = expand_reduce_mean},
    {.name = "QLinearConv",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = "x:T1 x_scale:float x_zero_point:T1 w:T2 w_scale:float w_zero_point:T2 y_scale:float y_zero_point:T3 "
               "B:int32?",
     .outputs = "y:T3",
     .types = "T1: " BYTES "; T2: " BYTES "; T3: " BYTES,
     .attributes = "auto_pad:string=NOTSET channels_last:int=0 dilations:ints group:int=1 kernel_shape:ints pads:ints "
                   "strides:ints",
     .expand = expand_conv},
    {.name = "QuantizeLinear",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = "x:T1 y_scale:T1 y_zero_point:T2?",
     .outputs = "y:T2",
     .types = "T1: float float16; T2: int8 uint8 int16 uint16 int4 uint4",
     .attributes = "axis:int",
     .expand = expand_quantize},
    {.name = "DequantizeLinear",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = "x:T1 x_scale:T2 x_zero_point:T1?",
     .outputs = "y:T2",
     .types = "T1: int8 uint8 int16 uint16 int32 int4 uint4; T2: float float16",
     .attributes = "axis:int",
     .infer = infer_same,
     .expand = expand_dequantize},
    {.name = "MatMulIntegerToFloat",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = "A:T1 B:T2 a_scale:T3 b_scale:T3 a_zero_point:T1? b_zero_point:T2? bias:T3?",
     .outputs = "Y:T3",
     .types = "T1: " BYTES "; T2: " BYTES "; T3: float float16",
     .expand = expand_matmul_to_float},
    {.name = "DynamicQuantizeMatMul",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = "A:T1 B:T2 b_scale:T1 b_zero_point:T2? bias:T1?",
     .outputs = "Y:T1",
     .types = "T1: float; T2: " BYTES,
     .expand = expand_dynamic_matmul},
    {.name = "MatMulInteger16",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = "A:T1 B:T2",
     .outputs = "Y:T3",
     .types = "T1: int16 uint16; T2: int16 uint16; T3: int32 uint32",
     .infer = infer_matmul16,
     .expand = expand_matmul16},
    {.name = "QGemm",
     .domain = MICROSOFT,
     .versions = {1},
     .inputs = "A:TA a_scale:float a_zero_point:TA B:TB b_scale:float b_zero_point:TB C:int32? y_scale:float? "
               "y_zero_point:TZ?",
     .outputs = "Y:TY",
     .types = "TA: " BYTES "; TB: " BYTES "; TZ: " BYTES,
     .attributes = "alpha:float=1 transA:int=0 transB:int=0",
     .infer = infer_qgemm,
     .expand = expand_qgemm},
    {0},
};
