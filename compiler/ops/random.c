/* Random numbers: RandomUniform, RandomNormal, RandomUniformLike, RandomNormalLike, Bernoulli, Multinomial.
 * A run of generated code gives the same numbers each time: they follow from the attribute seed or, without it, from
 * the name of what is made, so that two nodes differ. */
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
    const Attribute *seed = node_attribute(e->node, "seed");
    Value *x = e->node->inputs.items[0], *probability = expand_cast(e, x, type_info(x->type)->compute);
    Node *uniform = expand_node(e, "RandomUniformLike", probability);
    if (seed != NULL) node_set_float(uniform, "seed", seed->number);
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
    const Attribute *seed = node_attribute(node, "seed");
    if (node->outputs.items[0]->type == TYPE_INT64) return;
    Node *drawn = expand_node(e, "Multinomial", node->inputs.items[0]);
    node_set_int(drawn, "dtype", TYPE_INT64);
    node_set_int(drawn, "sample_size", attr_int(node, "sample_size"));
    if (seed != NULL) node_set_float(drawn, "seed", seed->number);
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
    {0},
};
