/* Attention against sums over all indices: heads packed, transposed, repeated, masks broadcast and of both sorts,
 * probabilities and logits; and that copying these out does not change the result by a bit. */
#include "support/folding.h"
#include "support/numbers.h"

#include "ops/fused.h"

#include <math.h>
#include <string.h>

enum { Q, K, V, MASK, BIAS, KEEP, OPERANDS };

static const char *const names[OPERANDS] = {"q", "k", "v", "mask", "bias", "keep"};

/* An operand: the strides of two batch dimensions, rows and columns in the numbers of an input. */
typedef struct {
    double *numbers;
    int64_t strides[4], count;
    bool given;
} Given;

typedef struct {
    Random *random;
    Folding *folding;
    Type type;
    int64_t sizes[6]; /* two batch dimensions, LQ, LK, D, DV */
    int64_t y[4], y_count;
    Given operands[OPERANDS];
    bool kept, guarded;
    double scale, fill;
} Case;

static double at(const Given *given, const int64_t *index) {
    int64_t place = 0;
    for (int d = 0; d < 4; d++) place += index[d] * given->strides[d];
    return given->numbers[place];
}

/* Strides of four extents that lie in memory in a random order, those that are dropped with 0. Returns the count. */
static int64_t lay_out(Random *random, const int64_t *extents, bool may_drop, int64_t *strides) {
    int order[4] = {0, 1, 2, 3};
    for (int i = 3; i > 0; i--) {
        int k = (int)random_below(random, (uint64_t)i + 1), kept = order[i];
        order[i] = order[k], order[k] = kept;
    }
    int64_t count = 1;
    for (int i = 0; i < 4; i++) {
        bool dropped = may_drop && random_below(random, 3) == 0;
        strides[order[i]] = dropped ? 0 : count;
        if (!dropped) count *= extents[order[i]];
    }
    return count;
}

static void add_operand(Case *c, int which, int64_t rows, int64_t columns) {
    Given *given = &c->operands[which];
    Arena *arena = c->folding->arena;
    given->given = which < MASK || random_below(c->random, 2);
    if (!given->given) {
        folding_left_out(c->folding);
        return;
    }
    const int64_t extents[4] = {c->sizes[0], c->sizes[1], rows, columns};
    given->count = lay_out(c->random, extents, which >= MASK, given->strides);
    if (which == K || which == V) given->strides[random_below(c->random, 2)] = 0; /* a group shares them */
    given->numbers = random_numbers(c->random, arena, given->count);
    for (int64_t i = 0; which == KEEP && i < given->count; i++) given->numbers[i] = given->numbers[i] > -1;
    const char *shape = dims_text(arena, 1, &given->count);
    folding_input(c->folding, which == KEEP ? TYPE_BOOL : c->type, shape, given->numbers);
    node_set_ints(c->folding->node, names[which], given->strides, 4);
}

static Case begin(Random *random) {
    Case c = {.random = random, .folding = folding_begin("Attention", 17), .type = random_float_type(random)};
    Node *node = c.folding->node;
    Arena *arena = c.folding->arena;
    node->domain = FUSED_DOMAIN;
    for (int i = 0; i < 6; i++) c.sizes[i] = random_between(random, 1, i < 2 ? 3 : i < 4 ? 37 : 20);
    int64_t *s = c.sizes;
    add_operand(&c, Q, s[2], s[4]), add_operand(&c, K, s[3], s[4]), add_operand(&c, V, s[3], s[5]);
    for (int i = MASK; i < OPERANDS; i++) add_operand(&c, i, s[2], s[3]);
    c.y_count = lay_out(random, (int64_t[]){s[0], s[1], s[2], s[5]}, false, c.y);
    c.scale = random_below(random, 2) ? 0.25 : 1, c.fill = random_below(random, 2) ? -INFINITY : -3;
    c.kept = random_below(random, 2), c.guarded = random_below(random, 2);
    node_set_ints(node, "sizes", c.sizes, 6);
    node_set_ints(node, "shape", &c.y_count, 1);
    node_set_ints(node, "y", c.y, 4);
    node_set_string(node, "scale", arena_printf(arena, "%g", c.scale));
    node_set_string(node, "fill", arena_printf(arena, "%g", c.fill));
    node_set_int(node, "kept", c.kept);
    node_set_int(node, "guarded", c.guarded);
    return c;
}

/* One row: the logits, the probabilities, and the result. */
static void attend(const Case *c, const int64_t *index, double *logits, double *probs, double *y) {
    int64_t i[4] = {index[0], index[1], index[2], 0}, l[4] = {index[0], index[1], 0, 0};
    double largest = -INFINITY, sum = 0;
    for (i[3] = 0; i[3] < c->sizes[3]; i[3]++) {
        double score = 0;
        for (int64_t d = 0; d < c->sizes[4]; d++)
            score += at(&c->operands[Q], (int64_t[]){index[0], index[1], index[2], d}) *
                     at(&c->operands[K], (int64_t[]){index[0], index[1], i[3], d});
        score *= c->scale;
        if (c->operands[MASK].given) score += at(&c->operands[MASK], i);
        if (c->operands[BIAS].given) score += at(&c->operands[BIAS], i);
        if (c->operands[KEEP].given && (at(&c->operands[KEEP], i) != 0) != c->kept) score = c->fill;
        logits[i[3]] = score;
        largest = fmax(largest, score);
    }
    for (int64_t j = 0; j < c->sizes[3]; j++) sum += exp(logits[j] - largest);
    for (int64_t j = 0; j < c->sizes[3]; j++) {
        probs[j] = exp(logits[j] - largest) / sum;
        if (c->guarded && isnan(probs[j])) probs[j] = 0;
    }
    for (int64_t e = 0; e < c->sizes[5]; e++) {
        double result = 0;
        for (l[2] = 0, l[3] = e; l[2] < c->sizes[3]; l[2]++) result += probs[l[2]] * at(&c->operands[V], l);
        y[index[0] * c->y[0] + index[1] * c->y[1] + index[2] * c->y[2] + e * c->y[3]] = result;
    }
}

static void check_output(const Case *c, int output, const double *expected, int64_t count) {
    const Tensor *tensor = c->folding->node->outputs.items[output]->constant;
    double tolerance = 4 * type_tolerance(c->type);
    assert_int_equal(tensor_count(tensor), count);
    for (int64_t i = 0; i < count; i++) {
        double got = tensor_number(tensor, i), want = expected[i];
        if (!((isnan(got) && isnan(want)) || got == want || fabs(got - want) <= tolerance * fmax(1, fabs(want))))
            fail_test("%s: element %d of output %d is %.17g, expected %.17g", type_info(c->type)->name, (int)i, output,
                      got, want);
    }
}

static void fold(const Case *c) {
    folding_end(c->folding);
    if (c->folding->status != STATUS_OK) fail_test("%s", c->folding->messages);
}

static void check(Random *random) {
    Case c = begin(random);
    Arena *arena = c.folding->arena;
    Node *node = c.folding->node;
    int64_t rows = c.sizes[0] * c.sizes[1] * c.sizes[2], keys = c.sizes[3];
    double *logits = arena_new_array(arena, double, (size_t)(rows * keys));
    double *probs = arena_new_array(arena, double, (size_t)(rows * keys));
    double *y = arena_new_array(arena, double, (size_t)c.y_count);
    for (int64_t row = 0; row < rows; row++) {
        const int64_t index[3] = {row / c.sizes[2] / c.sizes[1], row / c.sizes[2] % c.sizes[1], row % c.sizes[2]};
        attend(&c, index, logits + row * keys, probs + row * keys, y);
    }
    fold(&c);
    check_output(&c, 0, y, c.y_count);
    const Tensor *alone = node->outputs.items[0]->constant;
    node->outputs.items[0]->constant = NULL;
    list_add(arena, &node->outputs, graph_value(node->graph, "probs"));
    list_add(arena, &node->outputs, graph_value(node->graph, "logits"));
    fold(&c);
    check_output(&c, 1, probs, rows * keys);
    check_output(&c, 2, logits, rows * keys);
    assert_memory_equal(alone->data, node->outputs.items[0]->constant->data, tensor_bytes(alone));
    folding_free(c.folding);
}

static void test_random(void **state) {
    (void)state;
    Random random = random_new();
    for (int i = 0; i < 150; i++) check(&random);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
