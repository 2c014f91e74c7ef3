/* Einsum: a product of tensors, summed over the labels that the result does not have.
 * Two operands of which a MatMul can be made become one, with its Transposes, so that patterns see one spelling. Others
 * that amount to a product of matrices lower to one; everything else is a loop over all labels. */
#include "ops/carry.h"
#include "ops/expand.h"
#include "ops/product.h"

#include "base/checked.h"

#include <ctype.h>
#include <string.h>

/* Labels: letters by their code; the dimensions that "..." stands for, counted from the right, from ELLIPSIS down. */
enum { ELLIPSIS = 127 + MAX_RANK, LABELS = ELLIPSIS + 1, MOST_TERMS = 8 };

typedef struct {
    int count;
    int labels[MAX_RANK];
    int ellipsis; /* dimensions that "..." stands for; -1: there is none */
} Term;

typedef struct {
    int count; /* of inputs */
    Term inputs[MOST_TERMS], output;
    Dim sizes[LABELS];
} Equation;

static _Noreturn void fail_equation(const Node *node, const char *why) {
    node_fail(node, STATUS_INVALID, "equation %s: %s", quoted(attr_string(node, "equation")), why);
}

static void add_label(const Node *node, Term *term, int label) {
    if (term->count == MAX_RANK) fail_equation(node, "a term has more labels than a tensor has dimensions");
    term->labels[term->count++] = label;
}

/* Reads the labels in [at, end). ellipsis: what "..." stands for; -1: as many dimensions as are left of `rank`. */
static Term read_term(const Node *node, const char *at, const char *end, int rank, int ellipsis) {
    Term term = {.ellipsis = -1};
    int letters = 0;
    for (const char *p = at; p < end; p++) letters += isalpha((unsigned char)*p) != 0;
    for (const char *p = at; p < end; p++) {
        if (*p == ' ') continue;
        if (isalpha((unsigned char)*p)) {
            add_label(node, &term, *p);
            continue;
        }
        if (end - p < 3 || strncmp(p, "...", 3) != 0 || term.ellipsis >= 0)
            fail_equation(node, "it is not well formed");
        term.ellipsis = ellipsis >= 0 ? ellipsis : rank - letters;
        for (int i = term.ellipsis; i > 0; i--) add_label(node, &term, ELLIPSIS - i + 1);
        p += 2;
    }
    if (rank >= 0 && term.count != rank)
        fail_equation(node, "a term's labels are not as many as its input's dimensions");
    return term;
}

/* A label is of one size everywhere; a dimension of 1 is broadcast. */
static void note_sizes(const Node *node, Equation *equation, const Term *term, const Shape *shape) {
    for (int i = 0; i < term->count; i++) {
        Dim *size = &equation->sizes[term->labels[i]];
        if (size->size == 1) *size = shape->dims[i];
        else if (shape->dims[i].size != 1) *size = dim_unify(node, *size, shape->dims[i], "a label's dimension");
    }
}

static int uses(const Equation *equation, int label) {
    int count = 0;
    for (int i = 0; i < equation->count; i++)
        for (int k = 0; k < equation->inputs[i].count; k++) count += equation->inputs[i].labels[k] == label;
    return count;
}

/* Without "->" the result has the broadcast dimensions, then all letters that occur once, in their order. */
static void imply_output(const Node *node, Equation *equation, int ellipsis) {
    for (int i = ellipsis; i > 0; i--) add_label(node, &equation->output, ELLIPSIS - i + 1);
    for (int label = 'A'; label <= 'z'; label++)
        if (uses(equation, label) == 1) add_label(node, &equation->output, label);
}

static void check_output(const Node *node, const Equation *equation, int ellipsis) {
    const Term *output = &equation->output;
    if (ellipsis > 0 && output->ellipsis < 0) fail_equation(node, "the result lacks the \"...\" of the inputs");
    for (int i = 0; i < output->count; i++) {
        if (output->labels[i] < 128 && uses(equation, output->labels[i]) == 0)
            fail_equation(node, "the result has a label that no input has");
        for (int k = 0; k < i; k++)
            if (output->labels[k] == output->labels[i]) fail_equation(node, "the result has a label twice");
    }
}

/* Reads the equation. Returns false where the rank of an input is not known. */
static bool read_equation(const Node *node, Equation *equation) {
    const char *text = attr_string(node, "equation"), *arrow = strstr(text, "->");
    const char *end = arrow == NULL ? text + strlen(text) : arrow, *at = text;
    int ellipsis = 0;
    *equation = (Equation){.count = node->inputs.count};
    if (equation->count > MOST_TERMS)
        node_fail(node, STATUS_UNSUPPORTED, "more than %d inputs are not supported", MOST_TERMS);
    for (int i = 0; i < LABELS; i++) equation->sizes[i] = dim_known(1);
    for (int i = 0; i < equation->count; i++) {
        const Shape *shape = &node->inputs.items[i]->shape;
        const char *comma = memchr(at, ',', (size_t)(end - at)), *stop = comma == NULL ? end : comma;
        if ((comma == NULL) != (i == equation->count - 1))
            fail_equation(node, "its terms are not as many as the inputs");
        if (shape->rank < 0) return false;
        equation->inputs[i] = read_term(node, at, stop, shape->rank, -1);
        if (equation->inputs[i].ellipsis > ellipsis) ellipsis = equation->inputs[i].ellipsis;
        note_sizes(node, equation, &equation->inputs[i], shape);
        at = stop + 1;
    }
    if (arrow == NULL) imply_output(node, equation, ellipsis);
    else {
        equation->output = read_term(node, arrow + 2, text + strlen(text), -1, ellipsis);
        check_output(node, equation, ellipsis);
    }
    return true;
}

static void infer_einsum(Node *node) {
    Equation equation;
    if (!read_equation(node, &equation)) return;
    Shape *shape = &node->outputs.items[0]->shape;
    shape->rank = equation.output.count;
    for (int i = 0; i < shape->rank; i++) shape->dims[i] = equation.sizes[equation.output.labels[i]];
}

/* The stride of a label in an operand: of a label that it has twice, the diagonal's; 0 where it is broadcast. */
static int64_t stride_of(const Term *term, const Shape *shape, int label) {
    int64_t strides[MAX_RANK] = {0}, stride = 0;
    strides_of(shape, strides);
    for (int i = 0; i < term->count; i++)
        if (term->labels[i] == label && shape->dims[i].size != 1) stride += strides[i];
    return stride;
}

static bool is_in_output(const Equation *equation, int label) {
    for (int i = 0; i < equation->output.count; i++)
        if (equation->output.labels[i] == label) return true;
    return false;
}

/* Labels that are one dimension of a matrix, outermost first. */
typedef struct {
    int count;
    int labels[MAX_RANK];
} Group;

/* The labels of an einsum of two operands by what they are in a product of matrices. */
typedef struct {
    Group batch, rows, columns, inner;
    int64_t a[LABELS], b[LABELS]; /* strides */
} Contraction;

/* Sorts the labels. Returns false where one is in a single operand only and summed, or the result is not in the order
 * batch, rows, columns. */
static bool sort_labels(const Equation *equation, Contraction *c) {
    for (int i = 0; i < equation->output.count; i++) {
        int label = equation->output.labels[i];
        if (equation->sizes[label].size == 1) continue;
        bool in_a = c->a[label] != 0, in_b = c->b[label] != 0;
        if ((in_a && c->columns.count > 0) || (in_a && in_b && c->rows.count > 0)) return false;
        Group *group = in_a && in_b ? &c->batch : in_a ? &c->rows : &c->columns;
        group->labels[group->count++] = label;
    }
    for (int label = 0; label < LABELS; label++) {
        if (equation->sizes[label].size == 1 || is_in_output(equation, label)) continue;
        if (c->a[label] == 0 || c->b[label] == 0 || c->inner.count == MAX_RANK) return false;
        int at = c->inner.count++;
        for (; at > 0 && c->a[c->inner.labels[at - 1]] < c->a[label]; at--)
            c->inner.labels[at] = c->inner.labels[at - 1];
        c->inner.labels[at] = label; /* by falling stride in a */
    }
    return true;
}

/* Whether a group's labels are one dimension of an operand; its stride and size. */
static bool is_one_dimension(const Equation *equation, const Group *group, const int64_t *strides, int64_t *stride,
                             int64_t *size) {
    *stride = *size = 1;
    for (int i = group->count - 1; i >= 0; i--) {
        int label = group->labels[i];
        if (i == group->count - 1) *stride = strides[label];
        else if (strides[label] != *stride * *size) return false;
        *size *= equation->sizes[label].size;
    }
    return true;
}

static bool has_kernel(Type type) {
    return type_is_float(type) || type == TYPE_INT32 || type == TYPE_INT64 || type == TYPE_UINT32 ||
           type == TYPE_UINT64;
}

/* Lowers to a product of input `left` and the other one, if it is that. */
static bool lower_product(Program *program, const Node *node, const Equation *equation, int left) {
    const Value *a = node->inputs.items[left], *b = node->inputs.items[1 - left];
    Contraction c = {0};
    for (int label = 0; label < LABELS; label++) {
        c.a[label] = stride_of(&equation->inputs[left], &a->shape, label);
        c.b[label] = stride_of(&equation->inputs[1 - left], &b->shape, label);
    }
    Product p = {.a = a, .b = b, .y = node->outputs.items[0], .batch = 1, .alpha = 1};
    int64_t inner;
    if (!sort_labels(equation, &c)) return false;
    if (!is_one_dimension(equation, &c.rows, c.a, &p.a_m, &p.m)) return false;
    if (!is_one_dimension(equation, &c.columns, c.b, &p.b_n, &p.n)) return false;
    if (!is_one_dimension(equation, &c.inner, c.a, &p.a_k, &p.k)) return false;
    if (!is_one_dimension(equation, &c.inner, c.b, &p.b_k, &inner)) return false;
    ProductBatch batch = {0};
    for (int i = 0; i < c.batch.count; i++) {
        int label = c.batch.labels[i];
        batch_add(&batch, equation->sizes[label].size, c.a[label], c.b[label]);
    }
    product_emit_batches(program, p, &batch);
    return true;
}

/* As a MatMul. */

/* The labels of an einsum of two operands, as MatMul has them: left [batch row inner], right [batch inner column]. */
typedef struct {
    Group batch; /* of the result, in its order; an operand that lacks one is broadcast */
    int row, column, inner;
    int left; /* which operand has the row */
} Matrices;

static int place_of(const Term *term, int label) {
    for (int i = 0; i < term->count; i++)
        if (term->labels[i] == label) return i;
    return -1;
}

/* Whether no label is in an operand twice, and none has different sizes. */
static bool is_plain(const Node *node, const Equation *equation, int operand) {
    const Term *term = &equation->inputs[operand];
    for (int i = 0; i < term->count; i++) {
        Dim size = node->inputs.items[operand]->shape.dims[i];
        if (place_of(term, term->labels[i]) != i) return false;
        if (!dim_equal(size, equation->sizes[term->labels[i]])) return false;
    }
    return true;
}

/* The label that both operands have and the result lacks, if there is one of these, and if it is the only one that the
 * result lacks. */
static bool find_inner(const Equation *equation, Matrices *m) {
    int count = 0;
    for (int operand = 0; operand < 2; operand++)
        for (int i = 0; i < equation->inputs[operand].count; i++) {
            int label = equation->inputs[operand].labels[i];
            if (is_in_output(equation, label)) continue;
            if (place_of(&equation->inputs[1 - operand], label) < 0) return false;
            if (count++ > 0 && m->inner != label) return false;
            m->inner = label;
        }
    return count > 0;
}

/* The column is the result's last label that one operand alone has, the row the last one that the other alone has. */
static bool find_matrices(const Equation *equation, Matrices *m) {
    int own[2] = {-1, -1}, last = -1;
    if (!find_inner(equation, m)) return false;
    for (int i = 0; i < equation->output.count; i++) {
        int label = equation->output.labels[i];
        int a = place_of(&equation->inputs[0], label), b = place_of(&equation->inputs[1], label);
        if (a >= 0 && b >= 0) continue;
        last = a >= 0 ? 0 : 1;
        own[last] = label;
    }
    if (own[0] < 0 || own[1] < 0) return false;
    m->left = 1 - last, m->row = own[1 - last], m->column = own[last];
    for (int i = 0; i < equation->output.count; i++) {
        int label = equation->output.labels[i];
        if (label != m->row && label != m->column) m->batch.labels[m->batch.count++] = label;
    }
    return true;
}

/* x, whose labels are those of a term, with its dimensions in the order of other labels, of which it has all. */
static Value *in_order(Expansion *e, Value *x, const Term *term, const Group *order) {
    int64_t perm[MAX_RANK];
    bool moves = false;
    for (int i = 0; i < order->count; i++) {
        perm[i] = place_of(term, order->labels[i]);
        moves |= perm[i] != i;
    }
    return moves ? expand_transpose_to(e, x, order->count, perm) : x;
}

/* An operand as [batch, first, second]. Where it lacks one of the batch it gets a 1, but not before all others. */
static Value *as_matrices(Expansion *e, const Equation *equation, const Matrices *m, int operand, int first,
                          int second) {
    const Term *term = &equation->inputs[operand];
    Group order = {0};
    for (int i = 0; i < m->batch.count; i++)
        if (place_of(term, m->batch.labels[i]) >= 0) order.labels[order.count++] = m->batch.labels[i];
    int shared = order.count, missing = 0;
    order.labels[order.count++] = first;
    order.labels[order.count++] = second;
    Value *x = in_order(e, e->node->inputs.items[operand], term, &order);
    for (int i = m->batch.count - 1; i >= 0 && missing < m->batch.count - shared; i--) {
        if (place_of(term, m->batch.labels[i]) >= 0) continue;
        int before = i - (m->batch.count - shared - ++missing); /* of the batch that it has */
        if (before > 0) x = expand_unsqueeze(e, x, before);
    }
    return x;
}

static void expand_einsum(Expansion *e) {
    Equation equation;
    Matrices m = {0};
    if (e->node->inputs.count != 2 || !has_kernel(e->node->inputs.items[0]->type)) return;
    if (!read_equation(e->node, &equation) || !is_plain(e->node, &equation, 0) || !is_plain(e->node, &equation, 1))
        return;
    if (!find_matrices(&equation, &m)) return;
    Value *a = as_matrices(e, &equation, &m, m.left, m.row, m.inner);
    Value *b = as_matrices(e, &equation, &m, 1 - m.left, m.inner, m.column);
    Term made = {.count = m.batch.count};
    memcpy(made.labels, m.batch.labels, sizeof made.labels);
    made.labels[made.count++] = m.row;
    made.labels[made.count++] = m.column;
    Group order = {.count = made.count};
    memcpy(order.labels, equation.output.labels, sizeof order.labels);
    expand_output(e, 0, in_order(e, expand_op(e, "MatMul", a, b), &made, &order));
}

/* Lets a loop sum what its body computes in type `wide`; the sums are converted to `type`. */
static void sum_up(Program *program, Loop *loop, Type wide, Type type) {
    loop->combine = formula_find("add");
    loop->combine_type = wide;
    loop->initial = (Scalar){.type = wide};
    if (wide == type) return;
    Loop *finish = arena_new_object(program->arena, Loop);
    finish->input_count = finish->scalar_count = 1;
    finish->scalars[0].type = wide;
    loop_cast(finish, 0, type);
    loop->finish = finish;
}

/* A loop over the result's labels and, inside, over those that are summed. */
static void lower_loop(Program *program, const Node *node, const Equation *equation) {
    int64_t extents[MAX_RANK], strides[MAX_RANK] = {0}, out[MAX_RANK] = {0};
    int labels[LABELS], rank = 0, kept, product = 0;
    for (int i = 0; i < equation->output.count; i++) labels[rank++] = equation->output.labels[i];
    kept = rank;
    for (int label = 0; label < LABELS; label++)
        if (equation->sizes[label].size != 1 && !is_in_output(equation, label)) labels[rank++] = label;
    if (rank > MAX_RANK) node_fail(node, STATUS_UNSUPPORTED, "more than %d different labels", MAX_RANK);
    for (int d = 0; d < rank; d++) extents[d] = equation->sizes[labels[d]].size;
    Type type = node->outputs.items[0]->type, wide = type_is_float(type) ? type_info(type)->compute : type;
    Loop *loop = step_loop(program, rank, extents);
    for (int i = 0; i < equation->count; i++) {
        const Value *input = node->inputs.items[i];
        for (int d = 0; d < rank; d++) strides[d] = stride_of(&equation->inputs[i], &input->shape, labels[d]);
        loop_input(loop, program_buffer(program, input), 0, strides);
    }
    for (int i = 0; i < equation->count; i++) {
        int factor = loop_cast(loop, i, wide);
        product = i == 0 ? factor : loop_apply(loop, "multiply", wide, wide, 2, (int[]){product, factor});
    }
    loop->reduced = rank - kept;
    if (loop->reduced == 0) loop_cast(loop, product, type);
    else sum_up(program, loop, wide, type);
    strides_of(&node->outputs.items[0]->shape, out);
    loop_output(loop, program_buffer(program, node->outputs.items[0]), 0, out);
    loop_simplify(loop);
}

/* One for each value of all labels, where operands are multiplied. */
static int64_t macs_einsum(const Node *node) {
    Equation equation;
    int64_t count = 1;
    if (!read_equation(node, &equation)) return -1;
    if (equation.count < 2) return 0;
    for (int label = 0; label < LABELS; label++)
        if (equation.sizes[label].size < 0 || !checked_multiply(count, equation.sizes[label].size, &count)) return -1;
    return count;
}

static void lower_einsum(Program *program, Node *node) {
    Equation equation;
    read_equation(node, &equation);
    if (equation.count == 2 && has_kernel(node->outputs.items[0]->type))
        for (int left = 0; left < 2; left++)
            if (lower_product(program, node, &equation, left)) return;
    lower_loop(program, node, &equation);
}

/* A label that the result has too. */
static int carry_einsum(const Node *node, int input, int axis, int output) {
    (void)output;
    Equation equation;
    if (!read_equation(node, &equation)) return -1;
    const Term *term = &equation.inputs[input];
    int times = 0;
    for (int i = 0; i < term->count; i++) times += term->labels[i] == term->labels[axis];
    return times == 1 ? place_of(&equation.output, term->labels[axis]) : -1;
}

const Op OPS_einsum[] = {
    {.name = "Einsum",
     .versions = {12, 28},
     .inputs = "Inputs:T*",
     .outputs = "Output:T",
     .types = "T: numeric",
     .attributes = "equation:string!",
     .infer = infer_einsum,
     .carry = carry_einsum,
     .macs = macs_einsum,
     .expand = expand_einsum,
     .lower = lower_einsum},
    {0},
};
