/* Gradient (ai.onnx.preview.training): reverse-mode differentiation, written out. From y backwards each node between xs
 * and y gives what its operator's row says, and what comes to a tensor by several ways is added up. Inputs are the
 * tensors of xs, those of zs, and y, which is computed from them (load/gradients.c). */
#include "ops/gradient.h"

#include "graph/part.h"

#include <stdlib.h>
#include <string.h>

/* Vocabulary */

static Value *sizes(const Backward *b, const Shape *shape) {
    int64_t dims[MAX_RANK];
    for (int d = 0; d < shape->rank; d++) dims[d] = shape->dims[d].size;
    return expand_ints(b->e, shape->rank, dims);
}

Value *gradient_reshape(const Backward *b, Value *x, const Shape *shape) {
    if (shape_equal(&x->shape, shape)) return x;
    Node *node = expand_node(b->e, "Reshape", x, sizes(b, shape));
    node_set_int(node, "allowzero", 1);
    return expand_value(node);
}

Value *gradient_expand(const Backward *b, Value *x, const Shape *shape) {
    return shape_equal(&x->shape, shape) ? x : expand_op(b->e, "Expand", x, sizes(b, shape));
}

Value *gradient_sum(const Backward *b, Value *x, const bool *summed) {
    int64_t axes[MAX_RANK];
    int count = 0;
    for (int d = 0; d < x->shape.rank; d++)
        if (summed[d]) axes[count++] = d;
    return count == 0 ? x : expand_op(b->e, "ReduceSum", x, expand_ints(b->e, count, axes));
}

Value *gradient_same(const Backward *b) { return b->dy; }

Value *gradient_reshaped(const Backward *b) { return gradient_reshape(b, b->dy, &b->x[b->input]->shape); }

/* Terms */

/* An input; where it is of another type than the gradient, as an exponent may be, as a number of that type. */
static Value *operand(const Backward *b, int input) {
    Value *x = b->x[input];
    return x->type == TYPE_BOOL ? x : expand_cast(b->e, x, b->dy->type);
}

/* What a term, from *at on, stands for; *at is then behind it. */
static Value *term(const Backward *b, const char **at) {
    enum { MOST_OPERANDS = 3 };
    *at += strspn(*at, " ");
    const int length = (int)strcspn(*at, "(), ;");
    const char *word = arena_printf(b->node->graph->arena, "%.*s", length, *at);
    *at += length;
    if (**at == '(') {
        Value *operands[MOST_OPERANDS];
        int count = 0;
        while (*(*at)++ != ')') {
            fovea_assert(count < MOST_OPERANDS);
            operands[count++] = term(b, at);
        }
        return expand_value(expand_node_of(b->e, word, count, operands));
    }
    if (strcmp(word, "dy") == 0) return b->dy;
    if (strcmp(word, "y") == 0) return b->y;
    if (word[0] == 'x') return operand(b, atoi(word + 1));
    const bool is_number = strspn(word, ".0123456789") == strlen(word);
    return expand_number(b->e, b->dy->type, is_number ? strtod(word, NULL) : (double)attr_float(b->node, word));
}

Value *gradient_by_term(const Backward *b) {
    const char *at = b->node->op->gradient;
    for (int i = 0; i < b->input && at != NULL; i++) {
        at = strchr(at, ';');
        if (at != NULL) at++;
    }
    return at == NULL ? NULL : term(b, &at);
}

/* The walk */

/* The tensors that gradients may be asked for: those of xs and of zs, then what depends on xs. */
typedef struct {
    Expansion *e;
    int first_fixed, first_between; /* the first of zs, and the first behind it */
    ValueList values, gradients;    /* gradients: of y with respect to each, as far as is known; NULL: none */
} Tape;

/* The place of a value that depends on xs, or is of xs; -1: gradients do not go there. */
static int tape_place(const Tape *tape, const Value *value) {
    const int place = value == NULL ? -1 : marked_place(&tape->values, value);
    return place < tape->first_fixed || place >= tape->first_between ? place : -1;
}

static void tape_add(Tape *tape, Value *value) {
    Arena *arena = tape->e->node->graph->arena;
    mark_place(arena, &tape->values, value);
    list_add(arena, &tape->gradients, NULL);
}

/* What is whole or boolean is constant wherever it can be differentiated. */
static void add_dependents(Tape *tape, const Node *node) {
    bool depends = false;
    for (int i = 0; i < node->inputs.count; i++) depends |= tape_place(tape, node->inputs.items[i]) >= 0;
    for (int k = 0; depends && k < node->outputs.count; k++) {
        Value *output = node->outputs.items[k];
        if (output != NULL && (type_is_float(output->type) || type_info(output->type)->class == CLASS_COMPLEX))
            tape_add(tape, output);
    }
}

static void check_known(const Tape *tape, const ValueList *values) {
    for (int i = 0; i < values->count; i++)
        if (values->items[i] != NULL && !shape_is_known(&values->items[i]->shape))
            node_fail(tape->e->node, STATUS_UNSUPPORTED,
                      "the shape of %s, between xs and y, is not known when compiling; give sizes by --dim or --shape",
                      quoted(values->items[i]->name));
}

/* Sums a gradient over the axes along which x was broadcast. */
static Value *unbroadcast(const Backward *b, Value *gradient, const Shape *shape) {
    const int lead = gradient->shape.rank - shape->rank;
    bool summed[MAX_RANK];
    for (int d = 0; d < gradient->shape.rank; d++)
        summed[d] = d < lead || (shape->dims[d - lead].size == 1 && size_of(gradient, d) != 1);
    return gradient_reshape(b, gradient_sum(b, gradient, summed), shape);
}

static void accumulate(const Tape *tape, int place, Value *gradient) {
    Value **sum = &tape->gradients.items[place];
    *sum = *sum == NULL ? gradient : expand_op(tape->e, "Add", *sum, gradient);
}

/* The gradient with respect to output 0 of a node, NULL where y does not depend on that. */
static Value *gradient_of_output(const Tape *tape, const Node *node) {
    Value *first = NULL;
    for (int k = 0; k < node->outputs.count; k++) {
        const int place = tape_place(tape, node->outputs.items[k]);
        Value *gradient = place < 0 ? NULL : tape->gradients.items[place];
        if (k > 0 && gradient != NULL)
            node_fail(
                node, STATUS_UNSUPPORTED,
                "Gradient goes through its output %d, and has rules of first outputs alone; let y not depend on it", k);
        if (k == 0) first = gradient;
    }
    return first;
}

static void go_through(const Tape *tape, const Node *node) {
    Value *dy = gradient_of_output(tape, node);
    if (dy == NULL) return;
    check_known(tape, &node->inputs);
    Backward b = {tape->e, node, node->inputs.items, node->outputs.items[0], dy, 0};
    for (; b.input < node->inputs.count; b.input++) {
        const Value *x = b.x[b.input];
        const int place = tape_place(tape, x);
        if (place < 0) continue;
        Value *gradient = (node->op->gradient_of != NULL ? node->op->gradient_of : gradient_by_term)(&b);
        if (gradient == NULL)
            node_fail(node, STATUS_UNSUPPORTED,
                      "Gradient goes through its input %d, and has no rule for that; spell it by operators that have "
                      "one, or hold it fixed (zs)",
                      b.input);
        accumulate(tape, place, unbroadcast(&b, gradient, &x->shape));
    }
}

/* Gradient */

static int count_of(const Node *node, const char *attribute) {
    const Attribute *names = node_attribute(node, attribute);
    return names == NULL ? 0 : names->count;
}

static void check_differentiable(const Node *node, const char *what, int index) {
    const Value *value = node->inputs.items[index];
    if (!type_is_float(value->type))
        node_fail(node, STATUS_INVALID, "%s is %s, of type %s; only what is made of floats has derivatives", what,
                  quoted(value->name), type_info(value->type)->name);
}

static void infer_gradient(Node *node) {
    const int xs = count_of(node, "xs"), last = node->inputs.count - 1;
    const Shape *y = &node->inputs.items[last]->shape;
    check_differentiable(node, "y", last);
    if (node->outputs.count > xs)
        node_fail(node, STATUS_INVALID, "%d outputs, expected at most %d: one for each tensor of xs",
                  node->outputs.count, xs);
    if (shape_is_known(y) && shape_count(y) != 1)
        node_fail(
            node, STATUS_UNSUPPORTED,
            "y has the shape %s, and ONNX defines no gradient of several elements; let y be their sum (ReduceSum)",
            shape_text(node->graph->arena, y));
    for (int i = 0; i < node->outputs.count; i++) {
        check_differentiable(node, "one of xs", i);
        if (node->outputs.items[i] == NULL) continue;
        node->outputs.items[i]->type = node->inputs.items[i]->type;
        node->outputs.items[i]->shape = node->inputs.items[i]->shape;
    }
}

static Value *filled(const Tape *tape, const Value *like, double number) {
    const Backward b = {.e = tape->e};
    return gradient_expand(&b, expand_number(tape->e, like->type, number), &like->shape);
}

static void expand_gradient(Expansion *e) {
    const Node *node = e->node;
    const int last = node->inputs.count - 1;
    Value *y = node->inputs.items[last];
    Tape tape = {.e = e, .first_fixed = count_of(node, "xs"), .first_between = last};
    check_known(&tape, &node->inputs);
    for (int i = 0; i < last; i++) tape_add(&tape, node->inputs.items[i]);
    const NodeList between = nodes_between(node->graph, &tape.values, y);
    expand_charge(e, between.count + node->outputs.count);
    for (int i = 0; i < between.count; i++) add_dependents(&tape, between.items[i]);
    if (tape_place(&tape, y) >= 0) accumulate(&tape, tape_place(&tape, y), filled(&tape, y, 1));
    for (int i = between.count - 1; i >= 0; i--) go_through(&tape, between.items[i]);
    for (int i = 0; i < node->outputs.count; i++) {
        Value *gradient = tape.gradients.items[i];
        expand_later(e, i, gradient != NULL ? gradient : filled(&tape, node->inputs.items[i], 0));
    }
}

const Op OPS_gradient[] = {
    {.name = "Gradient",
     .domain = "ai.onnx.preview.training",
     .versions = {1},
     .inputs = "Inputs:V*",
     .outputs = "Outputs:T2*",
     .types = "V: integers float16 float double bool string complex; T2: float16 float double",
     .attributes = "xs:strings! zs:strings y:string!",
     .infer = infer_gradient,
     .expand = expand_gradient},
    {0},
};
