/* Elementwise operators: most are a formula of runtime/formulas.txt over broadcast inputs, a row here and a line there.
 * The rest choose their formula by an attribute, take inputs of several types, or have as many as the model gives. */
#include "ops/elementwise.h"

#include "ops/carry.h"
#include "ops/fused.h"
#include "ops/gradient.h"

#include <math.h>
#include <string.h>

Loop *elementwise_loop(Program *program, const Node *node) {
    const Shape *shape = &node->outputs.items[0]->shape;
    int64_t extents[MAX_RANK] = {0};
    for (int i = 0; i < shape->rank; i++) extents[i] = shape->dims[i].size;
    return step_loop(program, shape->rank, extents);
}

/* A constant of one element, which is written into the formula. */
static bool is_literal(const Value *value) {
    return value->constant != NULL && tensor_count(value->constant) == 1 &&
           type_info(value->type)->class != CLASS_STRING;
}

static int literal(Loop *loop, const Tensor *tensor) {
    if (type_is_float(tensor->type)) return loop_literal(loop, tensor->type, tensor_number(tensor, 0));
    return loop_literal_int(loop, tensor->type, tensor_int(tensor, 0));
}

void elementwise_inputs(Program *program, Loop *loop, const Node *node, int from, int to, int *scalars) {
    int64_t strides[MAX_RANK];
    for (int i = from; i < to; i++) { /* what is read comes before what is not */
        const Value *input = node_input(node, i);
        scalars[i - from] = -1;
        if (input == NULL || is_literal(input)) continue;
        strides_broadcast(&input->shape, loop->rank, strides);
        scalars[i - from] = loop_input(loop, program_buffer(program, input), 0, strides);
    }
    for (int i = from; i < to; i++) {
        const Value *input = node_input(node, i);
        if (input != NULL && is_literal(input)) scalars[i - from] = literal(loop, input->constant);
    }
}

void elementwise_result(Program *program, const Node *node, Loop *loop) {
    const Value *output = node->outputs.items[0];
    int64_t strides[MAX_RANK];
    strides_of(&output->shape, strides);
    loop_output(loop, program_buffer(program, output), 0, strides);
    loop_simplify(loop);
}

/* Appends the literals that a formula takes from attributes: "alpha beta". */
static int attribute_literals(Loop *loop, const Node *node, Type type, int *arguments, int count) {
    const char *names = node->op->formula_attributes == NULL ? "" : node->op->formula_attributes;
    while (*names != '\0') {
        size_t length = strcspn(names, " ");
        const char *name = arena_printf(node->graph->arena, "%.*s", (int)length, names);
        arguments[count++] = loop_literal(loop, type, (double)attr_float(node, name));
        names += length + (names[length] == ' ');
    }
    return count;
}

static void check_formula_type(const Node *node, const char *formula, Type type) {
    const Formula *found = formula_find(formula);
    if (found != NULL && found->texts[type] == NULL)
        node_fail(node, STATUS_UNSUPPORTED, "type %s is not supported", type_info(type)->name);
}

void lower_formula(Program *program, Node *node, const char *formula) {
    Type type = node->inputs.items[node->inputs.count - 1]->type;
    int arguments[8];
    check_formula_type(node, formula, type);
    Loop *loop = elementwise_loop(program, node);
    elementwise_inputs(program, loop, node, 0, node->inputs.count, arguments);
    int count = attribute_literals(loop, node, type, arguments, node->inputs.count);
    loop_apply(loop, formula, type, node->outputs.items[0]->type, count, arguments);
    elementwise_result(program, node, loop);
}

static void infer_prelu(Node *node) {
    const Shape *x = &node->inputs.items[0]->shape, *slope = &node->inputs.items[1]->shape;
    Shape both = shape_broadcast(node, x, slope);
    if (shape_is_known(x) && shape_is_known(&both) && !shape_equal(x, &both))
        node_fail(node, STATUS_INVALID, "slope has the shape %s, which does not broadcast to the input's %s",
                  shape_text(node->graph->arena, slope), shape_text(node->graph->arena, x));
    infer_same(node);
}

static bool is_string_attribute(const Node *node, const char *attribute, const char *value) {
    return strcmp(attr_string(node, attribute), value) == 0;
}

/* Fails unless a string attribute is one of two values. */
static void check_choice(const Node *node, const char *attribute, const char *one, const char *other) {
    if (!is_string_attribute(node, attribute, one) && !is_string_attribute(node, attribute, other))
        node_fail(node, STATUS_INVALID, "attribute %s is %s, expected '%s' or '%s'", attribute,
                  quoted(attr_string(node, attribute)), one, other);
}

static void infer_gelu(Node *node) {
    check_choice(node, "approximate", "none", "tanh");
    infer_same(node);
}

static void lower_gelu(Program *program, Node *node) {
    lower_formula(program, node, is_string_attribute(node, "approximate", "tanh") ? "gelu_tanh" : "gelu");
}

static void infer_bit_shift(Node *node) {
    check_choice(node, "direction", "LEFT", "RIGHT");
    infer_broadcast(node);
}

static void lower_bit_shift(Program *program, Node *node) {
    lower_formula(program, node, is_string_attribute(node, "direction", "LEFT") ? "shift_left" : "shift_right");
}

/* x == inf, x == -inf, either, or neither. */
static void lower_is_inf(Program *program, Node *node) {
    bool positive = attr_int(node, "detect_positive") != 0, negative = attr_int(node, "detect_negative") != 0;
    if (positive && negative) {
        lower_formula(program, node, "is_infinite");
        return;
    }
    Type type = node->inputs.items[0]->type;
    Loop *loop = elementwise_loop(program, node);
    int arguments[2];
    elementwise_inputs(program, loop, node, 0, 1, arguments);
    if (positive || negative) {
        arguments[1] = loop_literal(loop, type, positive ? INFINITY : -INFINITY);
        loop_apply(loop, "equal", type, TYPE_BOOL, 2, arguments);
    } else {
        loop_literal_int(loop, TYPE_BOOL, 0);
    }
    elementwise_result(program, node, loop);
}

/* Integers are compared and shifted as numpy does it with the attributes, which are floats. */
static void lower_shrink(Program *program, Node *node) {
    Type type = node->inputs.items[0]->type, wide = type_is_float(type) ? type : TYPE_DOUBLE;
    int arguments[3];
    Loop *loop = elementwise_loop(program, node);
    elementwise_inputs(program, loop, node, 0, 1, arguments);
    arguments[0] = loop_cast(loop, arguments[0], wide);
    arguments[1] = loop_literal(loop, wide, (double)attr_float(node, "lambd"));
    arguments[2] = loop_literal(loop, wide, (double)attr_float(node, "bias"));
    loop_cast(loop, loop_apply(loop, "shrink", wide, wide, 3, arguments), type);
    elementwise_result(program, node, loop);
}

/* Appends x with a bound put to it: known ones are compared once. */
static int bounded(Loop *loop, int x, int bound, const char *known, const char *any) {
    const Scalar *scalar = &loop->scalars[bound];
    bool is_known = bound >= loop->input_count && scalar->formula == NULL && !isnan(scalar->number);
    return loop_apply(loop, is_known ? known : any, scalar->type, scalar->type, 2, (int[]){x, bound});
}

/* min(max(x, low), high): where they cross, high wins. */
static void lower_clip(Program *program, Node *node) {
    Type type = node->outputs.items[0]->type;
    bool by_attributes = node->version < 11;
    if (!by_attributes && node_input(node, 1) == NULL && node_input(node, 2) == NULL) {
        program_view(program, node->outputs.items[0], node->inputs.items[0]);
        return;
    }
    Loop *loop = elementwise_loop(program, node);
    int scalars[3];
    elementwise_inputs(program, loop, node, 0, 3, scalars);
    if (by_attributes) {
        scalars[1] = loop_literal(loop, type, (double)attr_float(node, "min"));
        scalars[2] = loop_literal(loop, type, (double)attr_float(node, "max"));
    }
    int result = scalars[0];
    if (scalars[1] >= 0) result = bounded(loop, result, scalars[1], "at_least", "maximum");
    if (scalars[2] >= 0) bounded(loop, result, scalars[2], "at_most", "minimum");
    elementwise_result(program, node, loop);
}

static void infer_clip(Node *node) {
    for (int i = 1; i < node->inputs.count; i++) {
        const Value *bound = node_input(node, i);
        if (bound != NULL && shape_is_known(&bound->shape) && shape_count(&bound->shape) != 1)
            node_fail(node, STATUS_INVALID, "input %d (%s) has the shape %s, expected a scalar", i,
                      i == 1 ? "min" : "max", shape_text(node->graph->arena, &bound->shape));
    }
    infer_same(node);
}

/* With fmod = 0 the result has the sign of the divisor, else that of the dividend. */
static void lower_mod(Program *program, Node *node) {
    Type type = node->outputs.items[0]->type;
    int arguments[2];
    Loop *loop = elementwise_loop(program, node);
    elementwise_inputs(program, loop, node, 0, 2, arguments);
    arguments[0] = loop_apply(loop, "remainder", type, type, 2, arguments);
    if (attr_int(node, "fmod") == 0) loop_apply(loop, "floor_remainder", type, type, 2, arguments);
    elementwise_result(program, node, loop);
}

/* Whether a float holds whatever the value may be. */
static bool fits_float(const Value *value) {
    const TypeInfo *info = type_info(value->type);
    if (info->compute == TYPE_FLOAT || info->bits <= 16) return true;
    return is_literal(value) && (double)(float)tensor_number(value->constant, 0) == tensor_number(value->constant, 0);
}

/* The type in which powers are computed, so that neither the base nor the exponent loses digits. */
static Type power_type(Type base, const Value *exponent) {
    if (!type_is_float(base) && !type_is_float(exponent->type)) return TYPE_INT64;
    return type_info(base)->compute == TYPE_FLOAT && fits_float(exponent) ? TYPE_FLOAT : TYPE_DOUBLE;
}

static bool is_two(const Value *value) { return is_literal(value) && tensor_number(value->constant, 0) == 2; }

static void lower_pow(Program *program, Node *node) {
    Type type = node->outputs.items[0]->type;
    Type wide = power_type(type, node->inputs.items[1]);
    int arguments[2];
    Loop *loop = elementwise_loop(program, node);
    elementwise_inputs(program, loop, node, 0, 2, arguments);
    if (is_two(node->inputs.items[1])) {
        loop_apply(loop, "square", type, type, 1, arguments);
    } else {
        for (int i = 0; i < 2; i++) arguments[i] = loop_cast(loop, arguments[i], wide);
        loop_cast(loop, loop_apply(loop, "power", wide, wide, 2, arguments), type);
    }
    elementwise_result(program, node, loop);
}

/* One more input for a loop: scalar = formula(scalar, input), where there is a scalar. */
static int chain(Loop *loop, const char *formula, Type type, int scalar, int input) {
    return scalar < 0 ? input : loop_apply(loop, formula, type, type, 2, (int[]){scalar, input});
}

/* formula(formula(a, b), c) ..., and for a mean the division: in loops of not too many operands, one after the other.
 */
static void lower_chain(Program *program, Node *node, const char *formula, bool is_mean) {
    enum { AT_ONCE = 16 };
    const Value *output = node->outputs.items[0];
    int64_t strides[MAX_RANK];
    int numbers[AT_ONCE], inputs = node->inputs.count;
    strides_of(&output->shape, strides);
    Buffer *partial = NULL;
    for (int from = 0; from < inputs; from += AT_ONCE) {
        int to = from + AT_ONCE < inputs ? from + AT_ONCE : inputs;
        Loop *loop = elementwise_loop(program, node);
        int scalar = partial == NULL ? -1 : loop_input(loop, partial, 0, strides);
        elementwise_inputs(program, loop, node, from, to, numbers);
        for (int i = 0; i < to - from; i++) scalar = chain(loop, formula, output->type, scalar, numbers[i]);
        if (to < inputs) {
            partial = program_scratch(program, output->type, shape_count(&output->shape));
            loop_output(loop, partial, 0, strides);
            loop_simplify(loop);
            continue;
        }
        if (is_mean) {
            int divisor = loop_literal(loop, output->type, inputs);
            loop_apply(loop, "divide", output->type, output->type, 2, (int[]){scalar, divisor});
        }
        elementwise_result(program, node, loop);
    }
}

static void lower_variadic(Program *program, Node *node, const char *formula, bool is_mean) {
    if (node->inputs.count == 1) program_view(program, node->outputs.items[0], node->inputs.items[0]);
    else lower_chain(program, node, formula, is_mean);
}

static void lower_sum(Program *program, Node *node) { lower_variadic(program, node, "add", false); }
static void lower_mean(Program *program, Node *node) { lower_variadic(program, node, "add", true); }
static void lower_max(Program *program, Node *node) { lower_variadic(program, node, "maximum", false); }
static void lower_min(Program *program, Node *node) { lower_variadic(program, node, "minimum", false); }

static void check_plain(const Node *node, Type type) {
    if (!(type_set_parse("plain") & TYPE_BIT(type)))
        node_fail(node, STATUS_UNSUPPORTED, "type %s is not supported", type_info(type)->name);
}

/* Sets the output's type from attribute to. */
static void infer_to(Node *node) {
    int64_t to = attr_int(node, "to");
    if (to <= TYPE_NONE || to >= TYPE_COUNT) node_fail(node, STATUS_INVALID, "to=%lld is no type", (long long)to);
    node->outputs.items[0]->type = (Type)to;
    infer_same(node);
}

/* What is too large for a float8, by the type in which it is compared: from here on it is rounded beyond the largest
 * number (ONNX, float8.md: to nearest, ties to even); 0 for other types. */
static double float8_limit(Type type, Type compared) {
    switch (type) {
    case TYPE_FLOAT8E4M3FN: /* 464 itself is a tie that goes down */
        return compared == TYPE_DOUBLE ? nextafter(464, 465) : (double)nextafterf(464, 465);
    case TYPE_FLOAT8E4M3FNUZ: return 248;
    case TYPE_FLOAT8E5M2:
    case TYPE_FLOAT8E5M2FNUZ: return 61440;
    default: return 0;
    }
}

bool type_saturates(Type type) { return float8_limit(type, TYPE_FLOAT) != 0; }

void elementwise_infinities(Program *program, Buffer *from, int64_t count, const Value *to) {
    Step *step = step_kernel(program, "cast_f8e5m2_with_infinities", from->type);
    step_buffer(step, "x", from, 0);
    step_value(program, step, "y", to);
    step_size(step, "N", count);
}

bool elementwise_unsaturated(Loop *loop, int scalar, Type to) {
    Type wide = loop->scalars[scalar].type == TYPE_DOUBLE ? TYPE_DOUBLE : TYPE_FLOAT;
    scalar = loop_cast(loop, scalar, wide);
    if (to == TYPE_FLOAT8E5M2) return false;
    int limit = loop_literal(loop, wide, float8_limit(to, wide)), nan = loop_literal(loop, wide, NAN);
    loop_cast(loop, loop_apply(loop, "limited", wide, wide, 3, (int[]){scalar, limit, nan}), to);
    return true;
}

/* float8e5m2 alone has infinities, and conversions do not make them. */
static void lower_cast_with_infinities(Program *program, Node *node) {
    const Value *input = node->inputs.items[0], *output = node->outputs.items[0];
    const int64_t count = shape_count(&input->shape);
    Buffer *from = program_buffer(program, input);
    if (type_info(input->type)->class != CLASS_FLOAT || type_info(input->type)->bits < 16) {
        from = program_scratch(program, TYPE_FLOAT, count);
        Loop *loop = elementwise_loop(program, node);
        int scalar;
        elementwise_inputs(program, loop, node, 0, 1, &scalar);
        elementwise_unsaturated(loop, scalar, output->type);
        int64_t strides[MAX_RANK];
        strides_of(&output->shape, strides);
        loop_output(loop, from, 0, strides);
        loop_simplify(loop);
    }
    elementwise_infinities(program, from, count, output);
}

/* A conversion as a loop. */
static void lower_conversion(Program *program, Node *node, bool saturate) {
    Type to = node->outputs.items[0]->type;
    Loop *loop = elementwise_loop(program, node);
    int scalar;
    elementwise_inputs(program, loop, node, 0, 1, &scalar);
    if (saturate) loop_cast(loop, scalar, to);
    else elementwise_unsaturated(loop, scalar, to);
    elementwise_result(program, node, loop);
}

static void lower_cast(Program *program, Node *node) {
    const Value *input = node->inputs.items[0], *output = node->outputs.items[0];
    check_plain(node, input->type);
    check_plain(node, output->type);
    if (output->type == TYPE_FLOAT8E8M0 && !is_string_attribute(node, "round_mode", "up"))
        node_fail(node, STATUS_UNSUPPORTED, "round_mode %s is not supported", quoted(attr_string(node, "round_mode")));
    bool saturate = node->version < 19 || attr_int(node, "saturate") != 0 || !type_saturates(output->type);
    if (input->type == output->type) program_view(program, output, input);
    else if (!saturate && output->type == TYPE_FLOAT8E5M2) lower_cast_with_infinities(program, node);
    else lower_conversion(program, node, saturate);
}

static void infer_bit_cast(Node *node) {
    infer_to(node);
    const TypeInfo *from = type_info(node->inputs.items[0]->type), *to = type_info(node->outputs.items[0]->type);
    if (from->bits != to->bits || to->class == CLASS_STRING)
        node_fail(node, STATUS_INVALID, "a %s cannot be read as a %s", from->name, to->name);
}

/* Kept a byte each, int4 and int2 are sign-extended and their fellows are not: those are converted. */
static void lower_bit_cast(Program *program, Node *node) {
    const Value *input = node->inputs.items[0], *output = node->outputs.items[0];
    Type from = input->type, to = output->type;
    check_plain(node, from);
    check_plain(node, to);
    if (from == to) {
        program_view(program, output, input);
        return;
    }
    if (type_info(from)->bits < 8 && !type_is_float(from) && !type_is_float(to)) {
        lower_conversion(program, node, true);
        return;
    }
    if (from == TYPE_INT4 || to == TYPE_INT4)
        node_fail(node, STATUS_UNSUPPORTED, "reading a %s as a %s is not supported", type_info(from)->name,
                  type_info(to)->name);
    Step *step = step_kernel(program, "copy_bytes", TYPE_UINT8);
    step_value(program, step, "x", input);
    step_value(program, step, "y", output);
    step_size(step, "BYTES", shape_count(&output->shape) * type_info(to)->bytes);
}

static Value *gradient_of_mean(const Backward *b) { return expand_scale(b->e, b->dy, 1.0 / b->node->inputs.count); }

static Value *gradient_of_cast(const Backward *b) { return expand_cast(b->e, b->dy, b->x[0]->type); }

/* Types of all versions. */
#define NUMBERS "T: numeric"
#define FLOATS "T: floats"
#define WHOLE "T: integers"

const Op OPS_elementwise[] = {
    /* Arithmetic */
    {.name = "Add",
     .versions = {1, 6, 7, 13, 14},
     .inputs = "A:T B:T",
     .outputs = "C:T",
     .types = NUMBERS,
     .attributes = "axis:int@<7 broadcast:int@<7=0 consumed_inputs:ints@<6",
     .formula = "add",
     .gradient = "dy; dy"},
    {.name = "Sub",
     .versions = {1, 6, 7, 13, 14},
     .inputs = "A:T B:T",
     .outputs = "C:T",
     .types = NUMBERS,
     .attributes = "axis:int@<7 broadcast:int@<7=0 consumed_inputs:ints@<6",
     .formula = "subtract",
     .gradient = "dy; Neg(dy)"},
    {.name = "Mul",
     .versions = {1, 6, 7, 13, 14},
     .inputs = "A:T B:T",
     .outputs = "C:T",
     .types = NUMBERS,
     .attributes = "axis:int@<7 broadcast:int@<7=0 consumed_inputs:ints@<6",
     .formula = "multiply",
     .gradient = "Mul(dy, x1); Mul(dy, x0)"},
    {.name = "Div",
     .versions = {1, 6, 7, 13, 14},
     .inputs = "A:T B:T",
     .outputs = "C:T",
     .types = NUMBERS,
     .attributes = "axis:int@<7 broadcast:int@<7=0 consumed_inputs:ints@<6",
     .formula = "divide",
     .gradient = "Div(dy, x1); Neg(Mul(dy, Div(y, x1)))"},
    {.name = "Mod",
     .versions = {10, 13, 28},
     .inputs = "A:T B:T",
     .outputs = "C:T",
     .types = NUMBERS,
     .attributes = "fmod:int=0",
     .carry = carry_broadcast,
     .layout = layout_any,
     .lower = lower_mod},
    {.name = "Pow",
     .versions = {1, 7, 12, 13, 15},
     .inputs = "X:T Y:T1",
     .outputs = "Z:T",
     .types = "T: floats int32 int64; T1: numeric",
     .attributes = "axis:int@<7 broadcast:int@<7=0",
     .carry = carry_broadcast,
     .layout = layout_any,
     .lower = lower_pow,
     .gradient = "Mul(dy, Mul(x1, Pow(x0, Where(Equal(x1, 0), 0, Sub(x1, 1))))); "
                 "Mul(dy, Mul(y, Log(Where(Equal(y, 0), 1, x0))))"},
    {.name = "Neg",
     .versions = {1, 6, 13},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = "T: floats signed",
     .attributes = "consumed_inputs:ints@<6",
     .formula = "negate",
     .gradient = "Neg(dy)"},
    {.name = "Abs",
     .versions = {1, 6, 13},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = NUMBERS,
     .attributes = "consumed_inputs:ints@<6",
     .formula = "absolute",
     .gradient = "Mul(dy, Sign(x0))"},
    {.name = "Sign",
     .versions = {9, 13},
     .inputs = "input:T",
     .outputs = "output:T",
     .types = NUMBERS,
     .formula = "sign",
     .gradient = "Mul(dy, 0)"},
    {.name = "Reciprocal",
     .versions = {1, 6, 13},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = FLOATS,
     .attributes = "consumed_inputs:ints@<6",
     .formula = "reciprocal",
     .gradient = "Neg(Mul(dy, Mul(y, y)))"},
    {.name = "Sum",
     .versions = {1, 6, 8, 13},
     .inputs = "data_0:T*",
     .outputs = "sum:T",
     .types = FLOATS,
     .attributes = "consumed_inputs:ints@<6",
     .infer = infer_broadcast,
     .carry = carry_broadcast,
     .layout = layout_any,
     .lower = lower_sum,
     .gradient_of = gradient_same},
    {.name = "Mean",
     .versions = {1, 6, 8, 13},
     .inputs = "data_0:T*",
     .outputs = "mean:T",
     .types = FLOATS,
     .attributes = "consumed_inputs:ints@<6",
     .infer = infer_broadcast,
     .carry = carry_broadcast,
     .layout = layout_any,
     .lower = lower_mean,
     .gradient_of = gradient_of_mean},
    {.name = "Max",
     .versions = {1, 6, 8, 12, 13},
     .inputs = "data_0:T*",
     .outputs = "max:T",
     .types = NUMBERS,
     .attributes = "consumed_inputs:ints@<6",
     .infer = infer_broadcast,
     .carry = carry_broadcast,
     .layout = layout_any,
     .lower = lower_max},
    {.name = "Min",
     .versions = {1, 6, 8, 12, 13},
     .inputs = "data_0:T*",
     .outputs = "min:T",
     .types = NUMBERS,
     .attributes = "consumed_inputs:ints@<6",
     .infer = infer_broadcast,
     .carry = carry_broadcast,
     .layout = layout_any,
     .lower = lower_min},
    {.name = "Clip",
     .versions = {6, 11, 12, 13},
     .inputs = "input:T min:T?@11 max:T?@11",
     .outputs = "output:T",
     .types = NUMBERS,
     .attributes = "min:float@<11=-3.4028234663852886e+38 max:float@<11=3.4028234663852886e+38",
     .infer = infer_clip,
     .carry = carry_broadcast,
     .layout = layout_any,
     .lower = lower_clip,
     .gradient = "Where(Equal(x0, y), dy, 0)"},

    /* Rounding */
    {.name = "Ceil",
     .versions = {1, 6, 13},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = FLOATS,
     .attributes = "consumed_inputs:ints@<6",
     .formula = "ceil",
     .gradient = "Mul(dy, 0)"},
    {.name = "Floor",
     .versions = {1, 6, 13},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = FLOATS,
     .attributes = "consumed_inputs:ints@<6",
     .formula = "floor",
     .gradient = "Mul(dy, 0)"},
    {.name = "Round",
     .versions = {11, 22},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = FLOATS,
     .formula = "round",
     .gradient = "Mul(dy, 0)"},

    /* Functions */
    {.name = "Sqrt",
     .versions = {1, 6, 13},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = FLOATS,
     .attributes = "consumed_inputs:ints@<6",
     .formula = "sqrt",
     .gradient = "Div(dy, Add(y, y))"},
    {.name = "Exp",
     .versions = {1, 6, 13},
     .inputs = "input:T",
     .outputs = "output:T",
     .types = FLOATS,
     .attributes = "consumed_inputs:ints@<6",
     .formula = "exp",
     .gradient = "Mul(dy, y)"},
    {.name = "Log",
     .versions = {1, 6, 13},
     .inputs = "input:T",
     .outputs = "output:T",
     .types = FLOATS,
     .attributes = "consumed_inputs:ints@<6",
     .formula = "log",
     .gradient = "Div(dy, x0)"},
    {.name = "Sin",
     .versions = {7, 22},
     .inputs = "input:T",
     .outputs = "output:T",
     .types = FLOATS,
     .formula = "sin",
     .gradient = "Mul(dy, Cos(x0))"},
    {.name = "Cos",
     .versions = {7, 22},
     .inputs = "input:T",
     .outputs = "output:T",
     .types = FLOATS,
     .formula = "cos",
     .gradient = "Neg(Mul(dy, Sin(x0)))"},
    {.name = "Tan", .versions = {7, 22}, .inputs = "input:T", .outputs = "output:T", .types = FLOATS, .formula = "tan"},
    {.name = "Asin",
     .versions = {7, 22},
     .inputs = "input:T",
     .outputs = "output:T",
     .types = FLOATS,
     .formula = "asin"},
    {.name = "Acos",
     .versions = {7, 22},
     .inputs = "input:T",
     .outputs = "output:T",
     .types = FLOATS,
     .formula = "acos"},
    {.name = "Atan",
     .versions = {7, 22},
     .inputs = "input:T",
     .outputs = "output:T",
     .types = FLOATS,
     .formula = "atan"},
    {.name = "Sinh",
     .versions = {9, 22},
     .inputs = "input:T",
     .outputs = "output:T",
     .types = FLOATS,
     .formula = "sinh"},
    {.name = "Cosh",
     .versions = {9, 22},
     .inputs = "input:T",
     .outputs = "output:T",
     .types = FLOATS,
     .formula = "cosh"},
    {.name = "Tanh",
     .versions = {1, 6, 13},
     .inputs = "input:T",
     .outputs = "output:T",
     .types = FLOATS,
     .attributes = "consumed_inputs:ints@<6",
     .formula = "tanh",
     .gradient = "Mul(dy, Sub(1, Mul(y, y)))"},
    {.name = "Asinh",
     .versions = {9, 22},
     .inputs = "input:T",
     .outputs = "output:T",
     .types = FLOATS,
     .formula = "asinh"},
    {.name = "Acosh",
     .versions = {9, 22},
     .inputs = "input:T",
     .outputs = "output:T",
     .types = FLOATS,
     .formula = "acosh"},
    {.name = "Atanh",
     .versions = {9, 22},
     .inputs = "input:T",
     .outputs = "output:T",
     .types = FLOATS,
     .formula = "atanh"},
    {.name = "Erf",
     .versions = {9, 13},
     .inputs = "input:T",
     .outputs = "output:T",
     .types = NUMBERS,
     .formula = "erf",
     .gradient = "Mul(dy, Mul(1.1283791670955126, Exp(Neg(Mul(x0, x0)))))"},

    /* Activations */
    {.name = "Relu",
     .versions = {1, 6, 13, 14},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = "T: floats signed",
     .attributes = "consumed_inputs:ints@<6",
     .formula = "relu",
     .gradient = "Where(Greater(x0, 0), dy, 0)"},
    {.name = "LeakyRelu",
     .versions = {1, 6, 16},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = FLOATS,
     .attributes = "consumed_inputs:ints@<6 alpha:float=0.01",
     .formula = "leaky_relu",
     .formula_attributes = "alpha",
     .gradient = "Where(Greater(x0, 0), dy, Mul(alpha, dy))"},
    {.name = "PRelu",
     .versions = {1, 6, 7, 9, 16},
     .inputs = "X:T slope:T",
     .outputs = "Y:T",
     .types = "T: floats int32 int64 uint32 uint64",
     .attributes = "consumed_inputs:ints@<6",
     .infer = infer_prelu,
     .formula = "prelu"},
    {.name = "ThresholdedRelu",
     .versions = {10, 22},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = FLOATS,
     .attributes = "alpha:float=1",
     .formula = "thresholded_relu",
     .formula_attributes = "alpha"},
    {.name = "Elu",
     .versions = {1, 6, 22},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = FLOATS,
     .attributes = "consumed_inputs:ints@<6 alpha:float=1",
     .formula = "elu",
     .formula_attributes = "alpha"},
    {.name = "Celu",
     .versions = {12, 28},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = FLOATS,
     .attributes = "alpha:float=1",
     .formula = "celu",
     .formula_attributes = "alpha"},
    {.name = "Selu",
     .versions = {1, 6, 22},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = FLOATS,
     .attributes = "consumed_inputs:ints@<6 alpha:float@<6=1.6732 alpha:float@6=1.67326319217681884765625 "
                   "gamma:float@<6=1.0507 gamma:float@6=1.05070102214813232421875",
     .formula = "selu",
     .formula_attributes = "alpha gamma"},
    {.name = "Sigmoid",
     .versions = {1, 6, 13},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = FLOATS,
     .attributes = "consumed_inputs:ints@<6",
     .formula = "sigmoid",
     .gradient = "Mul(dy, Mul(y, Sub(1, y)))"},
    {.name = "HardSigmoid",
     .versions = {1, 6, 22},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = FLOATS,
     .attributes = "consumed_inputs:ints@<6 alpha:float=0.2 beta:float=0.5",
     .formula = "hard_sigmoid",
     .formula_attributes = "alpha beta"},
    {.name = "HardSwish",
     .versions = {14, 22},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = FLOATS,
     .formula = "hard_swish"},
    {.name = "Softplus",
     .versions = {1, 22},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = FLOATS,
     .formula = "softplus"},
    {.name = "Softsign",
     .versions = {1, 22},
     .inputs = "input:T",
     .outputs = "output:T",
     .types = FLOATS,
     .formula = "softsign"},
    {.name = "Mish", .versions = {18, 22}, .inputs = "X:T", .outputs = "Y:T", .types = FLOATS, .formula = "mish"},
    {.name = "Swish",
     .versions = {24},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = FLOATS,
     .attributes = "alpha:float=1",
     .formula = "swish",
     .formula_attributes = "alpha"},
    {.name = "PowerSwish", /* Swish of x, of -log2(e) x */
     .domain = FUSED_DOMAIN,
     .versions = {1},
     .inputs = "Z:T",
     .outputs = "Y:T",
     .types = "T: float",
     .formula = "power_swish"},
    {.name = "Gelu",
     .versions = {20},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = FLOATS,
     .attributes = "approximate:string=none",
     .infer = infer_gelu,
     .carry = carry_broadcast,
     .layout = layout_any,
     .lower = lower_gelu},
    {.name = "Shrink",
     .versions = {9},
     .inputs = "input:T",
     .outputs = "output:T",
     .types = "T: integers float float16 double",
     .attributes = "bias:float=0 lambd:float=0.5",
     .infer = infer_same,
     .carry = carry_broadcast,
     .layout = layout_any,
     .lower = lower_shrink},

    /* Comparisons */
    {.name = "Equal",
     .versions = {1, 7, 11, 13, 19},
     .inputs = "A:T B:T",
     .outputs = "C:bool",
     .types = "T: numeric bool string",
     .attributes = "axis:int@<7 broadcast:int@<7=0",
     .formula = "equal"},
    {.name = "Less",
     .versions = {1, 7, 9, 13},
     .inputs = "A:T B:T",
     .outputs = "C:bool",
     .types = NUMBERS,
     .attributes = "axis:int@<7 broadcast:int@<7=0",
     .formula = "less"},
    {.name = "LessOrEqual",
     .versions = {12, 16},
     .inputs = "A:T B:T",
     .outputs = "C:bool",
     .types = NUMBERS,
     .formula = "less_or_equal"},
    {.name = "Greater",
     .versions = {1, 7, 9, 13},
     .inputs = "A:T B:T",
     .outputs = "C:bool",
     .types = NUMBERS,
     .attributes = "axis:int@<7 broadcast:int@<7=0",
     .formula = "greater"},
    {.name = "GreaterOrEqual",
     .versions = {12, 16},
     .inputs = "A:T B:T",
     .outputs = "C:bool",
     .types = NUMBERS,
     .formula = "greater_or_equal"},
    {.name = "IsNaN",
     .versions = {9, 13, 20},
     .inputs = "X:T1",
     .outputs = "Y:bool",
     .types = "T1: floats float8s",
     .formula = "is_nan"},
    {.name = "IsInf",
     .versions = {10, 20},
     .inputs = "X:T1",
     .outputs = "Y:bool",
     .types = "T1: floats float8s",
     .attributes = "detect_negative:int=1 detect_positive:int=1",
     .infer = infer_same,
     .carry = carry_broadcast,
     .layout = layout_any,
     .lower = lower_is_inf},

    /* Logic */
    {.name = "And",
     .versions = {1, 7},
     .inputs = "A:bool B:bool",
     .outputs = "C:bool",
     .attributes = "axis:int@<7 broadcast:int@<7=0",
     .formula = "and"},
    {.name = "Or",
     .versions = {1, 7},
     .inputs = "A:bool B:bool",
     .outputs = "C:bool",
     .attributes = "axis:int@<7 broadcast:int@<7=0",
     .formula = "or"},
    {.name = "Xor",
     .versions = {1, 7},
     .inputs = "A:bool B:bool",
     .outputs = "C:bool",
     .attributes = "axis:int@<7 broadcast:int@<7=0",
     .formula = "xor"},
    {.name = "Not", .versions = {1}, .inputs = "X:bool", .outputs = "Y:bool", .formula = "not"},
    {.name = "BitwiseAnd",
     .versions = {18},
     .inputs = "A:T B:T",
     .outputs = "C:T",
     .types = WHOLE,
     .formula = "bits_and"},
    {.name = "BitwiseOr",
     .versions = {18},
     .inputs = "A:T B:T",
     .outputs = "C:T",
     .types = WHOLE,
     .formula = "bits_or"},
    {.name = "BitwiseXor",
     .versions = {18},
     .inputs = "A:T B:T",
     .outputs = "C:T",
     .types = WHOLE,
     .formula = "bits_xor"},
    {.name = "BitwiseNot", .versions = {18}, .inputs = "X:T", .outputs = "Y:T", .types = WHOLE, .formula = "bits_not"},
    {.name = "BitShift",
     .versions = {11, 28},
     .inputs = "X:T Y:T",
     .outputs = "Z:T",
     .types = WHOLE,
     .attributes = "direction:string!",
     .infer = infer_bit_shift,
     .carry = carry_broadcast,
     .layout = layout_any,
     .lower = lower_bit_shift},

    /* Choice and conversion */
    {.name = "Where",
     .versions = {9, 16},
     .inputs = "condition:bool X:T Y:T",
     .outputs = "output:T",
     .types = "T: numeric bool string complex",
     .formula = "where",
     .gradient = "; Where(x0, dy, 0); Where(x0, 0, dy)"},
    {.name = "Cast",
     .versions = {6, 9, 13, 19, 21, 23, 24, 25, 28},
     .inputs = "input:T1",
     .outputs = "output:T2",
     .types = "T1: plain string; T2: plain string",
     .attributes = "to:int! saturate:int@19=1 round_mode:string@24=up",
     .infer = infer_to,
     .carry = carry_broadcast,
     .layout = layout_any,
     .lower = lower_cast,
     .gradient_of = gradient_of_cast},
    {.name = "CastLike",
     .versions = {15, 19, 21, 23, 24, 25},
     .inputs = "input:T1 target_type:T2",
     .outputs = "output:T2",
     .types = "T1: plain string; T2: plain string",
     .attributes = "saturate:int@19=1 round_mode:string@24=up",
     .infer = infer_same,
     .carry = carry_broadcast,
     .layout = layout_any,
     .lower = lower_cast},
    {.name = "BitCast",
     .versions = {26},
     .inputs = "input:T1",
     .outputs = "output:T2",
     .types = "T1: plain complex; T2: plain complex",
     .attributes = "to:int!",
     .infer = infer_bit_cast,
     .lower = lower_bit_cast},
    {0},
};
