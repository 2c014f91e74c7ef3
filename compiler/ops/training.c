/* Training (ai.onnx.preview.training): one step of an optimiser, expanded.
 * Inputs are the rate R, the number T of steps done, and then lists of the tensors X that are trained, of their
 * gradients, and of what the optimiser keeps of each; outputs are the new X and the new of what is kept. */
#include "ops/expand.h"

#include <string.h>

#define TRAINING "ai.onnx.preview.training"

enum { RATE, COUNT, FIRST_LIST, MOST_KEPT = 2 };

/* One tensor's part of the work. */
typedef struct {
    Value *x, *gradient, *kept[MOST_KEPT];
} Tensors;

static void check_lists(const Node *node, int lists) {
    int given = node->inputs.count - FIRST_LIST, count = given / lists;
    if (given % lists != 0 || node->outputs.count > count * (lists - 1))
        node_fail(node, STATUS_INVALID,
                  "%d tensors and %d outputs, expected %d of the one and %d of the other for each "
                  "tensor that is trained",
                  given, node->outputs.count, lists, lists - 1);
    for (int i = RATE; i <= COUNT; i++)
        if (shape_count(&node->inputs.items[i]->shape) != 1)
            node_fail(node, STATUS_INVALID, "input %d has %lld elements, expected 1", i,
                      (long long)shape_count(&node->inputs.items[i]->shape));
    for (int i = 0; i < given; i++) {
        const Shape *x = &node->inputs.items[FIRST_LIST + i % count]->shape;
        const Shape *other = &node->inputs.items[FIRST_LIST + i]->shape;
        if (!shape_equal(x, other))
            node_fail(node, STATUS_INVALID, "tensor %d has the shape %s, what belongs to it %s", i % count,
                      shape_text(node->graph->arena, x), shape_text(node->graph->arena, other));
    }
}

static Value *constant(Expansion *e, Value *like, double number) { return expand_number(e, like->type, number); }

/* A scalar input as a number of x's type. */
static Value *scalar(Expansion *e, int input, const Value *x) {
    return expand_cast(e, expand_reshape_to(e, e->node->inputs.items[input], 0, NULL), x->type);
}

static Value *mix(Expansion *e, Value *a, double of_a, Value *b, double of_b) {
    return expand_op(e, "Add", expand_scale(e, a, of_a), expand_scale(e, b, of_b));
}

static Value *squared(Expansion *e, Value *x) { return expand_op(e, "Mul", x, x); }

/* The gradient of the loss and of norm_coefficient / 2 times the sum of squares of X. */
static Value *regularised(Expansion *e, const Tensors *t) {
    const double factor = (double)attr_float(e->node, "norm_coefficient");
    return factor == 0 ? t->gradient : mix(e, t->x, factor, t->gradient, 1);
}

/* Whether steps have been done before. */
static Value *has_begun(Expansion *e, const Value *x) {
    Value *count = scalar(e, COUNT, x);
    return expand_op(e, "Greater", count, constant(e, count, 0));
}

/* Step by step what Duchi, Hazan and Singer 2011 and the standard say: the rate falls with all squared gradients. */
static void adagrad(Expansion *e, Tensors *t) {
    const double decay = (double)attr_float(e->node, "decay_factor"), epsilon = (double)attr_float(e->node, "epsilon");
    Value *one = constant(e, t->x, 1), *gradient = regularised(e, t);
    Value *slowed = expand_op(e, "Add", one, expand_scale(e, scalar(e, COUNT, t->x), decay));
    Value *rate = expand_op(e, "Div", scalar(e, RATE, t->x), slowed);
    t->kept[0] = expand_op(e, "Add", t->kept[0], squared(e, gradient));
    Value *root = expand_op(e, "Add", expand_op(e, "Sqrt", t->kept[0]), constant(e, t->x, epsilon));
    t->x = expand_op(e, "Sub", t->x, expand_op(e, "Div", expand_op(e, "Mul", rate, gradient), root));
}

/* The rate, freed of the zeros that both averages begin with (Kingma and Ba 2015, section 3). */
static Value *adam_rate(Expansion *e, Value *x, double alpha, double beta) {
    Value *rate = scalar(e, RATE, x), *count = scalar(e, COUNT, x), *one = constant(e, x, 1);
    Value *left = expand_op(e, "Sub", one, expand_op(e, "Pow", constant(e, x, alpha), count));
    Value *left_of_squares = expand_op(e, "Sub", one, expand_op(e, "Pow", constant(e, x, beta), count));
    Value *adjusted = expand_op(e, "Div", expand_op(e, "Mul", rate, expand_op(e, "Sqrt", left_of_squares)), left);
    return expand_op(e, "Where", has_begun(e, x), adjusted, rate);
}

static void adam(Expansion *e, Tensors *t) {
    const double alpha = (double)attr_float(e->node, "alpha"), beta = (double)attr_float(e->node, "beta");
    const double shrink = 1 - (double)attr_float(e->node, "norm_coefficient_post");
    Value *gradient = regularised(e, t), *rate = adam_rate(e, t->x, alpha, beta);
    t->kept[0] = mix(e, t->kept[0], alpha, gradient, 1 - alpha);
    t->kept[1] = mix(e, t->kept[1], beta, squared(e, gradient), 1 - beta);
    Value *root = expand_op(e, "Add", expand_op(e, "Sqrt", t->kept[1]),
                            constant(e, t->x, (double)attr_float(e->node, "epsilon")));
    Value *change = expand_op(e, "Div", expand_op(e, "Mul", rate, t->kept[0]), root);
    t->x = expand_scale(e, expand_op(e, "Sub", t->x, change), shrink);
}

static void momentum(Expansion *e, Tensors *t) {
    const double alpha = (double)attr_float(e->node, "alpha"), beta = (double)attr_float(e->node, "beta");
    const char *mode = attr_string(e->node, "mode");
    bool is_nesterov = strcmp(mode, "nesterov") == 0;
    if (!is_nesterov && strcmp(mode, "standard") != 0)
        node_fail(e->node, STATUS_INVALID, "mode is %s, expected standard or nesterov", quoted(mode));
    Value *gradient = regularised(e, t);
    Value *share = expand_op(e, "Where", has_begun(e, t->x), constant(e, t->x, beta), constant(e, t->x, 1));
    t->kept[0] = expand_op(e, "Add", expand_scale(e, t->kept[0], alpha), expand_op(e, "Mul", share, gradient));
    Value *direction = is_nesterov ? mix(e, gradient, 1, t->kept[0], alpha) : t->kept[0];
    t->x = expand_op(e, "Sub", t->x, expand_op(e, "Mul", scalar(e, RATE, t->x), direction));
}

/* Each tensor by itself; `kept` of what the optimiser keeps. */
static void expand_step(Expansion *e, int kept, void (*step)(Expansion *e, Tensors *t)) {
    const Node *node = e->node;
    check_lists(node, 2 + kept);
    const int count = (node->inputs.count - FIRST_LIST) / (2 + kept);
    for (int i = 0; i < count; i++) {
        Value **list = node->inputs.items + FIRST_LIST + i;
        Tensors t = {list[0], list[count], {list[2 * count]}};
        if (kept > 1) t.kept[1] = list[3 * count];
        step(e, &t);
        expand_output(e, i, t.x);
        for (int k = 0; k < kept; k++) expand_output(e, (k + 1) * count + i, t.kept[k]);
    }
}

static void expand_adagrad(Expansion *e) { expand_step(e, 1, adagrad); }
static void expand_adam(Expansion *e) { expand_step(e, 2, adam); }
static void expand_momentum(Expansion *e) { expand_step(e, 1, momentum); }

#define STEP_INPUTS "R:T1 T:int64 inputs:T3*"
#define STEP_TYPES "T1: float double; T3: float double"

const Op OPS_training[] = {
    {.name = "Adagrad",
     .domain = TRAINING,
     .versions = {1},
     .inputs = STEP_INPUTS,
     .outputs = "outputs:T3*",
     .types = STEP_TYPES,
     .attributes = "decay_factor:float=0 epsilon:float=1e-6 norm_coefficient:float=0",
     .expand = expand_adagrad},
    {.name = "Adam",
     .domain = TRAINING,
     .versions = {1},
     .inputs = STEP_INPUTS,
     .outputs = "outputs:T3*",
     .types = STEP_TYPES,
     .attributes = "alpha:float=0.9 beta:float=0.999 epsilon:float=1e-6 norm_coefficient:float=0 "
                   "norm_coefficient_post:float=0",
     .expand = expand_adam},
    {.name = "Momentum",
     .domain = TRAINING,
     .versions = {1},
     .inputs = STEP_INPUTS,
     .outputs = "outputs:T3*",
     .types = STEP_TYPES,
     .attributes = "alpha:float! beta:float! mode:string! norm_coefficient:float!",
     .expand = expand_momentum},
    {0},
};
