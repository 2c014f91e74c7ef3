/* Products and convolutions of quantised tensors: MatMulInteger, ConvInteger, QLinearMatMul, QLinearConv; and
 * DynamicQuantizeLinear. Their kernels take bytes as they are; runtime/quantisation.c. */
#include "ops/carry.h"
#include "ops/conv.h"
#include "ops/expand.h"
#include "ops/product.h"
#include "ops/quantised.h"

/* One factor for a scale, or for each of several: how they are counted. */
static int64_t count_of(const Value *value) { return value == NULL ? 1 : shape_count(&value->shape); }

/* Fails unless a scale or zero point is one number or, where `many` is above 1, as many. */
static void check_count(const Node *node, int i, int64_t many, const char *what) {
    const Value *value = node_input(node, i);
    if (value == NULL || count_of(value) == 1 || count_of(value) == many) return;
    if (many > 1)
        node_fail(node, STATUS_UNSUPPORTED, "input %d has the shape %s; one number is supported, or one for each %s", i,
                  shape_text(node->graph->arena, &value->shape), what);
    node_fail(node, STATUS_UNSUPPORTED, "input %d has the shape %s; one number is supported", i,
              shape_text(node->graph->arena, &value->shape));
}

/* What sums are multiplied by, left * right / result in floats: [rows][columns], as many as there are scales; of scales
 * that are known. */
static Buffer *known_factor(Program *program, const Value *left, const Value *right, const Value *result) {
    const int64_t columns = count_of(right), count = count_of(left) * columns;
    const Shape shape = shape_of(1, &count);
    Tensor *tensor = tensor_new(program->arena, TYPE_FLOAT, &shape);
    for (int64_t i = 0; i < count; i++) {
        const float one = (float)tensor_number(left->constant, i / columns);
        const float other = (float)tensor_number(right->constant, i % columns);
        ((float *)tensor->data)[i] = one * other / (float)tensor_number(result->constant, 0);
    }
    return program_constant(program, right, tensor);
}

/* The same of any. */
static Buffer *factor_of(Program *program, const Value *left, const Value *right, const Value *result) {
    if (left->constant != NULL && right->constant != NULL && result->constant != NULL)
        return known_factor(program, left, right, result);
    const Value *scales[] = {left, right, result};
    const int64_t extents[] = {count_of(left), count_of(right)};
    const int64_t strides[][2] = {{count_of(left) > 1, 0}, {0, count_of(right) > 1}, {0, 0}};
    const int64_t out[] = {count_of(right), 1};
    Buffer *factor = program_scratch(program, TYPE_FLOAT, extents[0] * extents[1]);
    Loop *loop = step_loop(program, 2, extents);
    int numbers[3];
    for (int i = 0; i < 3; i++) numbers[i] = loop_input(loop, program_buffer(program, scales[i]), 0, strides[i]);
    for (int i = 0; i < 3; i++) numbers[i] = loop_cast(loop, numbers[i], TYPE_FLOAT);
    numbers[1] = loop_apply(loop, "multiply", TYPE_FLOAT, TYPE_FLOAT, 2, numbers);
    loop_apply(loop, "divide", TYPE_FLOAT, TYPE_FLOAT, 2, numbers + 1);
    loop_output(loop, factor, 0, out);
    loop_simplify(loop);
    return factor;
}

/* Multiply-adds of sums over `inner` elements. */
static int64_t macs_of(const Value *y, int64_t inner) {
    return !shape_is_known(&y->shape) || inner < 0 ? -1 : shape_count(&y->shape) * inner;
}

/* MatMulInteger and QLinearMatMul: the places of their inputs. */
enum { QA, QA_SCALE, QA_ZERO, QB, QB_SCALE, QB_ZERO, QY_SCALE, QY_ZERO };

static void infer_matmul_integer(Node *node) {
    node->outputs.items[0]->shape = matmul_shape(node, node->inputs.items[0], node->inputs.items[1]);
}

static void infer_qlinear_matmul(Node *node) {
    node->outputs.items[0]->shape = matmul_shape(node, node->inputs.items[QA], node->inputs.items[QB]);
}

/* Rows may differ where a is one matrix. */
static void check_rows(const Node *node, int i, const Value *a, const Product *product) {
    check_count(node, i, a->shape.rank == 2 ? product->m : 1, "row");
}

static void lower_matmul_integer(Program *program, Node *node) {
    ProductBatch batch;
    const Value *a = node->inputs.items[0];
    Product product = matmul_product(node, a, node->inputs.items[1], &batch);
    check_rows(node, 2, a, &product);
    check_count(node, 3, product.n, "column");
    product.scales = &(ByteScales){.a_zero = node_input(node, 2), .b_zero = node_input(node, 3)};
    product_emit_batches(program, product, &batch);
}

static void lower_qlinear_matmul(Program *program, Node *node) {
    ProductBatch batch;
    Value *const *in = node->inputs.items;
    Product product = matmul_product(node, in[QA], in[QB], &batch);
    check_rows(node, QA_SCALE, in[QA], &product), check_rows(node, QA_ZERO, in[QA], &product);
    check_count(node, QB_SCALE, product.n, "column"), check_count(node, QB_ZERO, product.n, "column");
    check_count(node, QY_SCALE, 1, ""), check_count(node, QY_ZERO, 1, "");
    const int64_t columns = count_of(in[QB_SCALE]);
    product.scales = &(ByteScales){.a_zero = in[QA_ZERO],
                                   .b_zero = in[QB_ZERO],
                                   .y_zero = in[QY_ZERO],
                                   .factor = factor_of(program, in[QA_SCALE], in[QB_SCALE], in[QY_SCALE]),
                                   .factor_m = count_of(in[QA_SCALE]) > 1 ? columns : 0,
                                   .factor_n = columns > 1};
    product_emit_batches(program, product, &batch);
}

/* Of float8s, which no kernel takes: by way of floats. */
static void expand_qlinear_matmul(Expansion *e) {
    Value *const *in = e->node->inputs.items;
    if (!type_is_float(in[QA]->type) && !type_is_float(in[QB]->type) && !type_is_float(in[QY_ZERO]->type)) return;
    for (int i = QA_SCALE; i <= QY_ZERO; i++)
        if (i != QB) check_count(e->node, i, 1, "");
    Value *a = expand_op(e, "DequantizeLinear", in[QA], in[QA_SCALE], in[QA_ZERO]);
    Value *b = expand_op(e, "DequantizeLinear", in[QB], in[QB_SCALE], in[QB_ZERO]);
    expand_output(e, 0, expand_op(e, "QuantizeLinear", expand_op(e, "MatMul", a, b), in[QY_SCALE], in[QY_ZERO]));
}

static int64_t macs_of_product(const Node *node, const Value *a) {
    return macs_of(node->outputs.items[0], a->shape.rank < 1 ? -1 : size_of(a, a->shape.rank - 1));
}

static int64_t macs_matmul_integer(const Node *node) { return macs_of_product(node, node->inputs.items[0]); }
static int64_t macs_qlinear_matmul(const Node *node) { return macs_of_product(node, node->inputs.items[QA]); }

/* The operands of a convolution, wherever the operator has them; NULL for what it has not. */
typedef struct {
    const Value *x, *w, *bias, *x_zero, *w_zero, *y_zero;
    Buffer *factor; /* one number, or one for each output channel; NULL: the sums are the result */
} ByteConv;

static ByteConv conv_integer(const Node *node) {
    return (ByteConv){.x = node->inputs.items[0],
                      .w = node->inputs.items[1],
                      .x_zero = node_input(node, 2),
                      .w_zero = node_input(node, 3)};
}

/* QLinearConv: the places of its inputs. */
enum { QX, QX_SCALE, QX_ZERO, QW, QW_SCALE, QW_ZERO, Q_SCALE, Q_ZERO, Q_BIAS };

static ByteConv qlinear_conv(const Node *node) {
    return (ByteConv){.x = node->inputs.items[QX],
                      .w = node->inputs.items[QW],
                      .bias = node_input(node, Q_BIAS),
                      .x_zero = node->inputs.items[QX_ZERO],
                      .w_zero = node->inputs.items[QW_ZERO],
                      .y_zero = node->inputs.items[Q_ZERO]};
}

static void emit_conv(Program *program, const Node *node, const ByteConv *conv) {
    const Value *y = node->outputs.items[0];
    const Window window = conv_window(node, conv->x, conv->w);
    const WindowDim d = window_dim(&window, 3, 0), h = window_dim(&window, 3, 1), w = window_dim(&window, 3, 2);
    Step *step = step_kernel(program, "conv_bytes", y->type);
    step_value(program, step, "x", conv->x), step_value(program, step, "w", conv->w);
    step_value(program, step, "bias", conv->bias), step_value(program, step, "y", y);
    step_value(program, step, "x_zero", conv->x_zero), step_value(program, step, "w_zero", conv->w_zero);
    step_value(program, step, "y_zero", conv->y_zero), step_buffer(step, "factor", conv->factor, 0);
    step_size(step, "N", size_of(conv->x, 0)), step_size(step, "C", size_of(conv->x, 1));
    step_size(step, "K", size_of(conv->w, 0)), step_size(step, "G", attr_int(node, "group"));
    window_planes(step, &d);
    window_sizes(step, &h, &w);
    step_size(step, "WZ", conv->w_zero != NULL && count_of(conv->w_zero) > 1);
    step_size(step, "FK", conv->factor != NULL && conv->factor->count > 1);
    step_size(step, "XFLIP", byte_flip(conv->x->type)), step_size(step, "WFLIP", byte_flip(conv->w->type));
    step_size(step, "YFLIP", byte_flip(y->type));
}

static void infer_conv_integer(Node *node) { conv_infer(node, node->inputs.items[0], node->inputs.items[1], NULL); }

static void infer_qlinear_conv(Node *node) {
    conv_infer(node, node->inputs.items[QX], node->inputs.items[QW], node_input(node, Q_BIAS));
}

static void lower_conv_integer(Program *program, Node *node) {
    const ByteConv conv = conv_integer(node);
    check_count(node, 2, 1, ""), check_count(node, 3, size_of(conv.w, 0), "output channel");
    emit_conv(program, node, &conv);
}

static void lower_qlinear_conv(Program *program, Node *node) {
    static const int ones[] = {QX_SCALE, QX_ZERO, Q_SCALE, Q_ZERO};
    ByteConv conv = qlinear_conv(node);
    for (int i = 0; i < 4; i++) check_count(node, ones[i], 1, "");
    check_count(node, QW_SCALE, size_of(conv.w, 0), "output channel");
    check_count(node, QW_ZERO, size_of(conv.w, 0), "output channel");
    conv.factor =
        factor_of(program, node->inputs.items[QX_SCALE], node->inputs.items[QW_SCALE], node->inputs.items[Q_SCALE]);
    emit_conv(program, node, &conv);
}

static int64_t macs_of_conv(const Node *node, const Value *w) {
    return macs_of(node->outputs.items[0], shape_is_known(&w->shape) ? shape_product(&w->shape, 1, w->shape.rank) : -1);
}

static int64_t macs_conv_integer(const Node *node) { return macs_of_conv(node, node->inputs.items[1]); }
static int64_t macs_qlinear_conv(const Node *node) { return macs_of_conv(node, node->inputs.items[QW]); }

/* The largest or smallest element, or 0 where that is beyond it. */
static Value *bound(Expansion *e, Value *x, const char *reduce, const char *choose) {
    Node *all = expand_node(e, reduce, x);
    node_set_int(all, "keepdims", 0);
    return expand_op(e, choose, expand_value(all), expand_number(e, TYPE_FLOAT, 0));
}

Dynamic quantise_dynamically(Expansion *e, Value *x) {
    Value *low = bound(e, x, "ReduceMin", "Min"), *high = bound(e, x, "ReduceMax", "Max");
    Value *zero = expand_number(e, TYPE_FLOAT, 0), *one = expand_number(e, TYPE_FLOAT, 1);
    Value *steps = expand_number(e, TYPE_FLOAT, 255), *range = expand_op(e, "Sub", high, low);
    range = expand_op(e, "Where", expand_op(e, "Equal", range, zero), one, range);
    Value *scale = expand_op(e, "Div", range, steps);
    Value *start = expand_op(e, "Sub", zero, expand_op(e, "Div", low, scale));
    Value *rounded = expand_op(e, "Round", expand_op(e, "Clip", start, zero, steps));
    Value *zero_point = expand_cast(e, rounded, TYPE_UINT8);
    return (Dynamic){expand_op(e, "QuantizeLinear", x, scale, zero_point), scale, zero_point};
}

static void infer_dynamic(Node *node) {
    infer_same(node);
    for (int i = 1; i < node->outputs.count; i++)
        if (node_output(node, i) != NULL) node_output(node, i)->shape = shape_of(0, NULL);
}

static void expand_dynamic(Expansion *e) {
    const Dynamic quantised = quantise_dynamically(e, node_input(e->node, 0));
    expand_output(e, 0, quantised.y);
    expand_output(e, 1, quantised.scale);
    expand_output(e, 2, quantised.zero);
}

static int carry_qlinear_matmul(const Node *node, int input, int axis, int output) {
    (void)output;
    Value *const *in = node->inputs.items;
    return input == QA || input == QB ? carry_product(&in[QA]->shape, &in[QB]->shape, input == QA, axis) : -1;
}

#define BYTES "int8 uint8"
#define WINDOW "auto_pad:string=NOTSET dilations:ints group:int=1 kernel_shape:ints pads:ints strides:ints"

const Op OPS_quantised_product[] = {
    {.name = "MatMulInteger",
     .versions = {10},
     .inputs = "A:T1 B:T2 a_zero_point:T1? b_zero_point:T2?",
     .outputs = "Y:int32",
     .types = "T1: " BYTES "; T2: " BYTES,
     .infer = infer_matmul_integer,
     .carry = carry_matmul,
     .macs = macs_matmul_integer,
     .lower = lower_matmul_integer},
    {.name = "ConvInteger",
     .versions = {10},
     .inputs = "x:T1 w:T2 x_zero_point:T1? w_zero_point:T2?",
     .outputs = "y:int32",
     .types = "T1: " BYTES "; T2: " BYTES,
     .attributes = WINDOW,
     .infer = infer_conv_integer,
     .carry = carry_first,
     .macs = macs_conv_integer,
     .lower = lower_conv_integer},
    {.name = "QLinearMatMul",
     .versions = {10, 21},
     .inputs = "a:T1 a_scale:TS a_zero_point:T1 b:T2 b_scale:TS b_zero_point:T2 y_scale:TS y_zero_point:T3",
     .outputs = "y:T3",
     .types = "TS: float float16 bfloat16; T1: " BYTES " float8s; T2: " BYTES " float8s; T3: " BYTES " float8s",
     .infer = infer_qlinear_matmul,
     .carry = carry_qlinear_matmul,
     .macs = macs_qlinear_matmul,
     .lower = lower_qlinear_matmul,
     .expand = expand_qlinear_matmul},
    {.name = "QLinearConv",
     .versions = {10},
     .inputs = "x:T1 x_scale:float x_zero_point:T1 w:T2 w_scale:float w_zero_point:T2 y_scale:float y_zero_point:T3 "
               "B:int32?",
     .outputs = "y:T3",
     .types = "T1: " BYTES "; T2: " BYTES "; T3: " BYTES,
     .attributes = WINDOW,
     .infer = infer_qlinear_conv,
     .carry = carry_first,
     .macs = macs_qlinear_conv,
     .lower = lower_qlinear_conv},
    {.name = "DynamicQuantizeLinear",
     .versions = {11},
     .inputs = "x:float",
     .outputs = "y:uint8 y_scale:float y_zero_point:uint8",
     .infer = infer_dynamic,
     .expand = expand_dynamic},
    {0},
};
