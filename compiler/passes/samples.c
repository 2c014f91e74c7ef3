/* Samples: whether a model computes each sample of a batch as if it was alone. Then the code for one sample, run for
 * one after the other, does what the model says of any number of them, in the memory of one. The graph is of one
 * sample. It is held against the same model with other numbers of them: node by node, which axis of each value the
 * samples lie along, and that the operator keeps them apart there, by the rule of its row (.carry). */
#include "ops/carry.h"
#include "passes/pass.h"

#include "base/text.h"
#include "load/load.h"

#include <inttypes.h>
#include <string.h>

/* How a value depends on the number of samples. Along `axis` there are `outer` groups, in each of them the samples one
 * behind the other, as where [tokens samples features] has become [tokens*samples features]. */
typedef struct {
    bool is_batched;
    bool varies; /* a constant that is another for another number */
    int axis;
    int64_t outer; /* a divisor of what one sample has along the axis */
} Spread;

typedef struct {
    const Graph *one, *many;
    int64_t count;   /* of samples in `many` */
    Spread *spreads; /* by value->mark in `one` */
} Comparison;

/* The advice that goes with every refusal. */
static _Noreturn void give_up(const Comparison *c) {
    note("for a fixed number give --dim %s=N", quoted(c->one->batch.name));
    unwind(STATUS_UNSUPPORTED);
}

/* The one axis along which `many` is so many times as long as `one`; -1: all are as long. Returns false where they
 * differ in another way. */
static bool find_axis(const Comparison *c, const Shape *one, const Shape *many, int *axis) {
    *axis = -1;
    if (one->rank != many->rank) return false;
    for (int d = 0; d < one->rank; d++) {
        if (one->dims[d].size == many->dims[d].size) continue;
        if (*axis >= 0 || many->dims[d].size != one->dims[d].size * c->count) return false;
        *axis = d;
    }
    return true;
}

/* Constants */

/* Whether a constant of all samples is that of one sample, for each of them. */
static bool repeats(const Comparison *c, const Tensor *one, const Tensor *many, int axis) {
    const int64_t outer = shape_product(&one->shape, 0, axis);
    const size_t block = outer == 0 ? 0 : tensor_bytes(one) / (size_t)outer;
    for (int64_t i = 0; i < outer; i++)
        for (int64_t n = 0; n < c->count; n++)
            if (memcmp((const char *)one->data + (size_t)i * block,
                       (const char *)many->data + (size_t)(i * c->count + n) * block, block) != 0)
                return false;
    return true;
}

static bool are_equal(const Tensor *one, const Tensor *many) {
    return one->type == many->type && one->type != TYPE_STRING && shape_equal(&one->shape, &many->shape) &&
           memcmp(one->data, many->data, tensor_bytes(one)) == 0;
}

static Spread spread_of_constant(const Comparison *c, const Value *one, const Value *many) {
    Spread spread = {.axis = -1, .outer = 1};
    if (are_equal(one->constant, many->constant)) return spread;
    spread.is_batched = one->type == many->type && one->type != TYPE_STRING &&
                        find_axis(c, &one->shape, &many->shape, &spread.axis) && spread.axis >= 0 &&
                        repeats(c, one->constant, many->constant, spread.axis);
    spread.varies = !spread.is_batched;
    return spread;
}

static Spread spread_of(const Comparison *c, const Value *one, const Value *many) {
    return one->constant != NULL ? spread_of_constant(c, one, many) : c->spreads[one->mark];
}

/* Nodes */

/* What a node of the model says is the same in both; of one that an expansion has made it need not be. */
static bool same_attribute(const Attribute *a, const Attribute *b) {
    if (strcmp(a->name, b->name) != 0 || a->kind != b->kind || a->count != b->count) return false;
    const size_t count = (size_t)a->count;
    switch (a->kind) {
    case ATTRIBUTE_INT: return a->integer == b->integer;
    case ATTRIBUTE_FLOAT: return memcmp(&a->number, &b->number, sizeof a->number) == 0;
    case ATTRIBUTE_STRING: return strcmp(a->string, b->string) == 0;
    case ATTRIBUTE_INTS: return count == 0 || memcmp(a->integers, b->integers, count * sizeof *a->integers) == 0;
    case ATTRIBUTE_FLOATS: return count == 0 || memcmp(a->numbers, b->numbers, count * sizeof *a->numbers) == 0;
    default: return true; /* expansions make none of the others */
    }
}

/* Whether two are one node, in what both graphs are built of. */
static bool are_alike(const Node *one, const Node *many) {
    bool alike = one->op == many->op && one->inputs.count == many->inputs.count &&
                 one->outputs.count == many->outputs.count && one->attributes.count == many->attributes.count;
    for (int i = 0; alike && i < one->attributes.count; i++)
        alike = same_attribute(&one->attributes.items[i], &many->attributes.items[i]);
    for (int i = 0; alike && i < one->inputs.count; i++) {
        const Value *a = one->inputs.items[i], *b = many->inputs.items[i];
        alike = (a == NULL) == (b == NULL) && (a == NULL || (a->constant == NULL) == (b->constant == NULL));
    }
    for (int i = 0; alike && i < one->outputs.count; i++)
        alike = (one->outputs.items[i] == NULL) == (many->outputs.items[i] == NULL);
    return alike;
}

/* Of an operator that keeps the order of elements, where the output has samples along `axis`: in how many groups. 0:
 * there are none that hold one sample each. */
static int64_t regrouped(const Value *from, const Spread *spread, const Value *to, int axis) {
    const int64_t groups = shape_product(&from->shape, 0, spread->axis) * spread->outer;
    const int64_t before = shape_product(&to->shape, 0, axis), along = to->shape.dims[axis].size;
    if (before == 0 || along == 0 || groups % before != 0 || along % (groups / before) != 0) return 0;
    return groups / before;
}

/* Where input i of a node takes its samples in output k; -1: it mixes them. Both graphs have to agree. */
static int carried(const Node *one, const Node *many, int i, int axis, int k) {
    const int to = op_carry(one, i, axis, k);
    return op_carry(many, i, axis, k) == to ? to : -1;
}

/* Whether input 0 has no samples, and is the same for each in an output that has them. */
static bool spreads_out(const Node *one, int axis) {
    const Shape *from = &one->inputs.items[0]->shape, *to = &one->outputs.items[0]->shape;
    const int own = axis - (to->rank - from->rank);
    return one->op->shape_input == 1 && !one->op->keeps_order && (own < 0 || from->dims[own].size == 1);
}

/* In how many groups an output has its samples along an axis; 0 where they are not each computed of the inputs' alone.
 */
static int64_t groups_of(const Comparison *c, const Node *one, const Node *many, int k, int axis) {
    int64_t groups = 0;
    for (int i = 0; i < one->inputs.count; i++) {
        const Value *input = one->inputs.items[i];
        if (input == NULL) continue;
        const Spread spread = spread_of(c, input, many->inputs.items[i]);
        if (!spread.is_batched) continue;
        int64_t own = carried(one, many, i, spread.axis, k) == axis ? spread.outer : 0;
        if (one->op->keeps_order) own = i == 0 ? regrouped(input, &spread, one->outputs.items[k], axis) : 0;
        if (own == 0 || (groups != 0 && groups != own)) return 0;
        groups = own;
    }
    return groups == 0 && spreads_out(one, axis) ? 1 : groups;
}

/* What of the inputs keeps a node from being the same for any number of samples: a number that says how many. */
static void check_constants(const Comparison *c, const Node *one, const Node *many) {
    for (int i = 0; i < one->inputs.count; i++) {
        if (one->inputs.items[i] == NULL || (i > 0 && i == one->op->shape_input)) continue;
        if (!spread_of(c, one->inputs.items[i], many->inputs.items[i]).varies) continue;
        node_report(one, STATUS_UNSUPPORTED, "input %d depends on how many samples (%s) there are", i,
                    quoted(c->one->batch.name));
        give_up(c);
    }
}

static bool reads_samples(const Comparison *c, const Node *one, const Node *many) {
    for (int i = 0; i < one->inputs.count; i++)
        if (one->inputs.items[i] != NULL && spread_of(c, one->inputs.items[i], many->inputs.items[i]).is_batched)
            return true;
    return false;
}

static void compare_nodes(const Comparison *c, const Node *one, const Node *many) {
    Arena *arena = c->one->arena;
    check_constants(c, one, many);
    const bool reads = reads_samples(c, one, many);
    for (int k = 0; k < one->outputs.count; k++) {
        const Value *output = one->outputs.items[k];
        if (output == NULL) continue;
        int axis;
        const bool fits = find_axis(c, &output->shape, &many->outputs.items[k]->shape, &axis);
        const int64_t groups = fits && axis >= 0 ? groups_of(c, one, many, k, axis) : 0;
        if (!fits || (axis >= 0 ? groups == 0 : reads)) {
            node_report(
                one, STATUS_UNSUPPORTED,
                "it does not keep the samples of %s apart; output %d has the shape %s with one, %s with %" PRId64,
                quoted(c->one->batch.name), k, shape_text(arena, &output->shape),
                shape_text(arena, &many->outputs.items[k]->shape), c->count);
            give_up(c);
        }
        c->spreads[output->mark] = (Spread){.is_batched = axis >= 0, .axis = axis, .outer = groups};
    }
}

static void compare_graphs(const Comparison *c) {
    const NodeList *ones = &c->one->nodes, *manys = &c->many->nodes;
    for (int i = 0; i < ones->count; i++) {
        const Node *one = ones->items[i];
        if (i < manys->count && are_alike(one, manys->items[i])) {
            compare_nodes(c, one, manys->items[i]);
            continue;
        }
        node_report(one, STATUS_UNSUPPORTED, "it is there with one sample, and is not, or is another, with %" PRId64,
                    c->count);
        give_up(c);
    }
    if (manys->count == ones->count) return;
    node_report(manys->items[ones->count], STATUS_UNSUPPORTED, "it is there with %" PRId64 " samples, not with one",
                c->count);
    give_up(c);
}

/* Inputs and outputs */

/* Samples have to lie one behind the other along an axis of what the caller gives and gets. */
static void check_order(const Comparison *c, const Value *value, const char *what, const Spread *spread) {
    if (!spread->is_batched || spread->outer == 1) return;
    report(STATUS_UNSUPPORTED, "%s %s has its samples along axis %d in %" PRId64 " groups; they can lie in one only",
           what, quoted(value->name), spread->axis, spread->outer);
    note("a Reshape in the model would give each group a dimension of its own");
    give_up(c);
}

static void compare_inputs(const Comparison *c) {
    for (int i = 0; i < c->one->inputs.count; i++) {
        const Value *input = c->one->inputs.items[i];
        if (!input->is_batched) continue;
        const Spread spread = {.is_batched = true, .axis = input->samples_axis, .outer = 1};
        check_order(c, input, "input", &spread);
        c->spreads[input->mark] = spread;
    }
}

static void compare_outputs(const Comparison *c) {
    if (c->one->outputs.count != c->many->outputs.count) {
        report(STATUS_UNSUPPORTED, "how many tensors the outputs are depends on how many samples (%s) there are",
               quoted(c->one->batch.name));
        give_up(c);
    }
    for (int i = 0; i < c->one->outputs.count; i++) {
        const Value *output = c->one->outputs.items[i];
        const Spread spread = spread_of(c, output, c->many->outputs.items[i]);
        if (spread.varies) {
            report(STATUS_UNSUPPORTED, "output %s depends on how many samples (%s) there are", quoted(output->name),
                   quoted(c->one->batch.name));
            give_up(c);
        }
        check_order(c, output, "output", &spread);
        c->one->samples_axes[i] = spread.is_batched ? spread.axis : -1;
    }
}

/* The model with so many samples, as far as inference. */
static Graph *with_samples(const Graph *one, const PassOptions *options, int64_t count) {
    Graph *many = load_model(one->arena, one->path, NULL);
    bind_inputs(many, options);
    for (int i = 0; i < many->inputs.count; i++) {
        const Value *input = one->inputs.items[i];
        Shape *shape = &many->inputs.items[i]->shape;
        *shape = input->shape;
        if (input->is_batched) shape->dims[input->samples_axis] = dim_known(count);
    }
    pass_infer(many, options);
    return many;
}

static void compare_with(Graph *graph, const PassOptions *options, int64_t count) {
    Comparison comparison = {.one = graph, .many = with_samples(graph, options, count), .count = count};
    comparison.spreads = arena_new_array(graph->arena, Spread, (size_t)graph->values.count);
    for (int i = 0; i < graph->values.count; i++) {
        graph->values.items[i]->mark = i;
        comparison.spreads[i] = (Spread){.axis = -1, .outer = 1};
    }
    compare_inputs(&comparison);
    compare_graphs(&comparison);
    compare_outputs(&comparison);
}

/* Two numbers are tried, so that what grows with the samples in another way than they do is seen. */
void pass_samples(Graph *graph, const PassOptions *options) {
    if (graph->batch.name == NULL || graph->batch.most == 1) return;
    graph->samples_axes = arena_new_array(graph->arena, int, (size_t)graph->outputs.count);
    compare_with(graph, options, 2);
    if (graph->batch.most > 2) compare_with(graph, options, graph->batch.most);
}

void mark_batched_outputs(Graph *graph) {
    for (int i = 0; i < graph->outputs.count && graph->samples_axes != NULL; i++) {
        Value *output = graph->outputs.items[i];
        output->is_batched = graph->samples_axes[i] >= 0;
        output->samples_axis = graph->samples_axes[i];
    }
}
