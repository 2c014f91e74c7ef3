/* Random numbers: RandomUniform, RandomNormal, RandomUniformLike, RandomNormalLike, Bernoulli, Multinomial, Dropout.
 * A run of generated code gives the same numbers each time: they follow from the attribute seed or, without it, from
 * the name of what is made, so that two nodes differ. */
#include "ops/carry.h"
#include "ops/expand.h"
#include "ops/movement.h"

#include <math.h>
#include <string.h>

/* FNV-1a (Fowler, Noll and Vo), folded to the seed of runtime/random.c: a number of 31 bits. */
static int64_t folded(const void *bytes, size_t count) {
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < count; i++) hash = (hash ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001B3);
    return (int64_t)((hash ^ hash >> 32) & INT32_MAX);
}

static int64_t seed_of(const Node *node) {
    const Attribute *seed = node_attribute(node, "seed");
    const char *made = node->outputs.items[0]->name;
    return seed != NULL ? folded(&seed->number, sizeof seed->number) : folded(made, strlen(made));
}

/* Gives a node the original's seed. One of Dropout's, an integer, is folded to the 24 bits that a float holds. */
static void inherit_seed(Expansion *e, Node *node) {
    const Attribute *seed = node_attribute(e->node, "seed");
    if (seed == NULL) return;
    if (seed->kind == ATTRIBUTE_FLOAT) node_set_float(node, "seed", seed->number);
    else node_set_float(node, "seed", (float)(folded(&seed->integer, sizeof seed->integer) & 0xFFFFFF));
}

/* As many as a number of the type holds. */
static int64_t bits_of(Type type) { return type_info(type)->compute == TYPE_DOUBLE ? 53 : 24; }

static double finite_number(const Node *node, const char *name) {
    float number = attr_float(node, name);
    if (!isfinite(number)) node_fail(node, STATUS_INVALID, "%s is %g", name, (double)number);
    return (double)number;
}

/* The type of dtype or, where that is not given, of the input. */
static void infer_type(Node *node, const char *types) {
    Value *output = node->outputs.items[0];
    bool is_given = node_attribute(node, "dtype") != NULL || node->inputs.count == 0;
    output->type = is_given ? attr_type(node, "dtype", types) : node->inputs.items[0]->type;
    if (!(TYPE_BIT(output->type) & type_set_parse(types)))
        node_fail(node, STATUS_INVALID, "the input is of type %s; give the type of the output as dtype",
                  type_info(output->type)->name);
}

static void infer_of_shape(Node *node) {
    int count;
    const int64_t *sizes = attr_ints(node, "shape", &count);
    Shape *shape = &node->outputs.items[0]->shape;
    infer_type(node, "floats");
    if (count > MAX_RANK) node_fail(node, STATUS_UNSUPPORTED, "shape has %d dimensions", count);
    for (int i = 0; i < count; i++)
        if (sizes[i] < 0) node_fail(node, STATUS_INVALID, "size %lld of shape is negative", (long long)sizes[i]);
    *shape = shape_of(count, sizes);
}

static void infer_like(Node *node) {
    infer_type(node, "floats");
    infer_same(node);
}

static Step *random_step(Program *program, Node *node, const char *kernel, int64_t bits) {
    const Value *y = node->outputs.items[0];
    Step *step = step_kernel(program, kernel, y->type);
    step_value(program, step, "y", y);
    step_size(step, "COUNT", shape_count(&y->shape));
    step_size(step, "SEED", seed_of(node));
    step_size(step, "BITS", bits);
    return step;
}

/* Of a short type as many bits as it has, so that rounding does not make the higher bound of numbers below it. */
static void lower_uniform(Program *program, Node *node) {
    Type type = node->outputs.items[0]->type;
    if (is_empty(node->outputs.items[0])) return;
    int64_t bits = type == TYPE_FLOAT16 ? 11 : type == TYPE_BFLOAT16 ? 8 : bits_of(type);
    Step *step = random_step(program, node, "random_uniform", bits);
    step_number(step, "low", finite_number(node, "low"));
    step_number(step, "high", finite_number(node, "high"));
}

static void lower_normal(Program *program, Node *node) {
    if (is_empty(node->outputs.items[0])) return;
    Step *step = random_step(program, node, "random_normal", bits_of(node->outputs.items[0]->type));
    step_number(step, "mean", finite_number(node, "mean"));
    step_number(step, "deviation", finite_number(node, "scale"));
}

static void infer_bernoulli(Node *node) {
    infer_type(node, "numeric bool");
    infer_same(node);
}

/* 1 where a number drawn between 0 and 1 is below the probability. */
static void expand_bernoulli(Expansion *e) {
    Value *x = e->node->inputs.items[0], *probability = expand_cast(e, x, type_info(x->type)->compute);
    Node *uniform = expand_node(e, "RandomUniformLike", probability);
    inherit_seed(e, uniform);
    Value *is_one = expand_op(e, "Less", expand_value(uniform), probability);
    expand_output(e, 0, expand_cast(e, is_one, e->node->outputs.items[0]->type));
}

static void infer_multinomial(Node *node) {
    const Shape *x = &node->inputs.items[0]->shape;
    Value *y = node->outputs.items[0];
    int64_t count = attr_int(node, "sample_size");
    y->type = attr_type(node, "dtype", "int32 int64");
    y->shape = (Shape){.rank = 2, .dims = {{-1, NULL}, dim_known(count)}};
    if (count < 0) node_fail(node, STATUS_INVALID, "sample_size is %lld", (long long)count);
    if (x->rank < 0) return;
    if (x->rank != 2) node_fail(node, STATUS_INVALID, "the input has %d dimensions, expected 2", x->rank);
    if (x->dims[1].size == 0) node_fail(node, STATUS_INVALID, "there is no class to draw");
    y->shape.dims[0] = x->dims[0];
}

/* The kernel draws int64s. */
static void expand_multinomial(Expansion *e) {
    const Node *node = e->node;
    if (node->outputs.items[0]->type == TYPE_INT64) return;
    Node *drawn = expand_node(e, "Multinomial", node->inputs.items[0]);
    node_set_int(drawn, "dtype", TYPE_INT64);
    node_set_int(drawn, "sample_size", attr_int(node, "sample_size"));
    inherit_seed(e, drawn);
    expand_output(e, 0, expand_cast(e, expand_value(drawn), TYPE_INT32));
}

static void lower_multinomial(Program *program, Node *node) {
    const Value *x = node->inputs.items[0], *y = node->outputs.items[0];
    if (is_empty(y)) return;
    Step *step = step_kernel(program, "random_classes", x->type);
    step_value(program, step, "x", x);
    step_value(program, step, "y", y);
    step_size(step, "BATCH", x->shape.dims[0].size);
    step_size(step, "CLASSES", x->shape.dims[1].size);
    step_size(step, "COUNT", y->shape.dims[1].size);
    step_size(step, "SEED", seed_of(node));
    step_size(step, "BITS", bits_of(x->type));
}

/* Dropout, which lets everything through when it does not train. */

static void check_scalar(const Node *node, int input, const char *name) {
    const Value *value = node_input(node, input);
    if (value != NULL && shape_is_known(&value->shape) && shape_count(&value->shape) != 1)
        node_fail(node, STATUS_INVALID, "%s has %lld elements, expected one", name,
                  (long long)shape_count(&value->shape));
}

/* Whether a scalar is left out, or constant and 0. */
static bool is_zero(const Value *value) {
    return value == NULL || (value->constant != NULL && tensor_number(value->constant, 0) == 0);
}

static void infer_dropout(Node *node) {
    const Value *ratio = node_input(node, 1);
    Value *mask = node_output(node, 1);
    infer_same(node);
    check_scalar(node, 1, "ratio");
    check_scalar(node, 2, "training_mode");
    if (ratio != NULL && ratio->constant != NULL && !is_zero(node_input(node, 2))) {
        double number = tensor_number(ratio->constant, 0);
        if (!(number >= 0 && number < 1))
            node_fail(node, STATUS_INVALID, "ratio is %g, expected one from 0 to below 1", number);
    }
    if (mask == NULL) return;
    mask->shape = node->inputs.items[0]->shape;
    mask->type = node->version < 10 ? node->inputs.items[0]->type : TYPE_BOOL;
}

static bool drops_nothing(const Node *node) {
    const Value *ratio = node_input(node, 1);
    return is_zero(node_input(node, 2)) || (ratio != NULL && is_zero(ratio));
}

/* The part that is dropped, a scalar: 0 where training_mode turns out to be false at run time. */
static Value *part_dropped(Expansion *e, Type type) {
    Value *ratio = node_input(e->node, 1), *training = node_input(e->node, 2);
    Value *part =
        ratio == NULL ? expand_number(e, type, 0.5) : expand_reshape_to(e, expand_cast(e, ratio, type), 0, NULL);
    if (training->constant != NULL) return part;
    return expand_op(e, "Where", expand_reshape_to(e, training, 0, NULL), part, expand_number(e, type, 0));
}

/* scale * x * mask with scale = 1 / (1 - ratio); the mask is 1 where a number drawn between 0 and 1 is not below the
 * ratio. */
static void expand_dropout(Expansion *e) {
    if (drops_nothing(e->node)) return;
    Value *given = e->node->inputs.items[0], *x = expand_cast(e, given, type_info(given->type)->compute);
    Value *part = part_dropped(e, x->type), *one = expand_number(e, x->type, 1);
    Node *uniform = expand_node(e, "RandomUniformLike", x);
    inherit_seed(e, uniform);
    Value *mask = expand_op(e, "GreaterOrEqual", expand_value(uniform), part);
    Value *scale = expand_op(e, "Div", one, expand_op(e, "Sub", one, part));
    Value *scaled = expand_op(e, "Mul", x, scale);
    Value *kept = expand_op(e, "Mul", scaled, expand_cast(e, mask, x->type));
    expand_output(e, 0, expand_cast(e, kept, given->type));
    expand_output(e, 1, mask);
}

static void lower_dropout(Program *program, Node *node) {
    if (node->version < 7 && attr_int(node, "is_test") == 0)
        node_fail(node, STATUS_UNSUPPORTED,
                  "it drops elements at random (is_test=0); export the model for inference, or in opset 12 or later");
    program_view(program, node->outputs.items[0], node->inputs.items[0]);
    if (node_output(node, 1) != NULL) fill_number(program, node_output(node, 1), 1);
}

#define OF_SHAPE "dtype:int=1 seed:float shape:ints! "
#define LIKE "dtype:int seed:float "
#define ANY "T1: numeric bool string complex"

const Op OPS_random[] = {
    {.name = "RandomUniform",
     .versions = {1, 22},
     .inputs = "",
     .outputs = "output:T",
     .types = "T: floats",
     .attributes = OF_SHAPE "high:float=1 low:float=0",
     .infer = infer_of_shape,
     .lower = lower_uniform,
     .is_random = true},
    {.name = "RandomNormal",
     .versions = {1, 22},
     .inputs = "",
     .outputs = "output:T",
     .types = "T: floats",
     .attributes = OF_SHAPE "mean:float=0 scale:float=1",
     .infer = infer_of_shape,
     .lower = lower_normal,
     .is_random = true},
    {.name = "RandomUniformLike",
     .versions = {1, 22},
     .inputs = "input:T1",
     .outputs = "output:T2",
     .types = ANY "; T2: floats",
     .attributes = LIKE "high:float=1 low:float=0",
     .infer = infer_like,
     .lower = lower_uniform,
     .is_random = true},
    {.name = "RandomNormalLike",
     .versions = {1, 22},
     .inputs = "input:T1",
     .outputs = "output:T2",
     .types = ANY "; T2: floats",
     .attributes = LIKE "mean:float=0 scale:float=1",
     .infer = infer_like,
     .lower = lower_normal,
     .is_random = true},
    {.name = "Bernoulli",
     .versions = {15, 22},
     .inputs = "input:T1",
     .outputs = "output:T2",
     .types = "T1: floats; T2: numeric bool",
     .attributes = LIKE,
     .infer = infer_bernoulli,
     .expand = expand_bernoulli,
     .is_random = true},
    {.name = "Multinomial",
     .versions = {7, 22},
     .inputs = "input:T1",
     .outputs = "output:T2",
     .types = "T1: floats; T2: int32 int64",
     .attributes = "dtype:int=6 sample_size:int=1 seed:float",
     .infer = infer_multinomial,
     .expand = expand_multinomial,
     .lower = lower_multinomial,
     .is_random = true},
    {.name = "Dropout",
     .versions = {1, 6, 7, 10, 12, 13, 22},
     .inputs = "data:T ratio:T1?@12 training_mode:bool?@12",
     .outputs = "output:T mask:M?",
     .types = "T: floats float8s; T1: floats float8s; M: bool float16 float double",
     .attributes = "consumed_inputs:ints@<6 is_test:int@<7=0 ratio:float@<12=0.5 seed:int@12",
     .infer = infer_dropout,
     .carry = carry_broadcast,
     .layout = layout_any,
     .expand = expand_dropout,
     .lower = lower_dropout,
     .gradient = "dy"},
    {0},
};
