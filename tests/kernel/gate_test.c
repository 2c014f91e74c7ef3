/* The gates of squeeze and excitation, its kin and CBAM against sums over all indices: outputs, gates and means, with
 * and without biases, with formulas of one operator and of several. */
#include "support/folding.h"
#include "support/numbers.h"

#include "ops/fused.h"

#include <math.h>
#include <string.h>

static double relu(double x) { return x < 0 ? 0 : x; }
static double leaky(double x) { return x < 0 ? 0.25 * x : x; }
static double hard_swish(double x) { return x * fmin(fmax(x / 6 + 0.5, 0), 1); }
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double hard_sigmoid(double x) { return fmin(fmax(0.25 * x + 0.5, 0), 1); }
static double three_steps(double x) { return fmin(fmax(x + 3, 0), 6) / 6; }

typedef struct {
    const char *text;
    double (*function)(double x);
} Known;

static const Known acts[] = {{"relu", relu}, {"leaky_relu 0.25", leaky}, {"hard_swish", hard_swish}};
static const Known gates[] = {
    {"sigmoid", sigmoid}, {"hard_sigmoid 0.25 0.5", hard_sigmoid}, {"add 3 maximum 0 minimum 6 divide 6", three_steps}};

typedef struct {
    Folding *folding;
    Random *random;
    Arena *arena;
    Type type;
    int64_t dims[4]; /* n, c, h, w */
    int64_t n, c, r, size, height, width;
    const double *x;
    double *y, *gates, *means;
    Known act, gate;
} Case;

static double *zeros(const Case *c, int64_t count) { return arena_new_array(c->arena, double, (size_t)count); }

static Case begin(Random *random, const char *op) {
    Case c = {
        .random = random, .folding = folding_begin(op, 17), .type = random_below(random, 2) ? TYPE_FLOAT : TYPE_DOUBLE};
    c.arena = c.folding->arena;
    c.folding->node->domain = FUSED_DOMAIN;
    c.n = c.dims[0] = random_between(random, 1, 2);
    c.c = c.dims[1] = random_between(random, 1, 40);
    c.height = c.dims[2] = random_between(random, 1, 9);
    c.width = c.dims[3] = random_between(random, 1, 9);
    c.size = c.height * c.width;
    c.r = random_between(random, 1, 20);
    c.act = acts[random_below(random, 3)], c.gate = gates[random_below(random, 3)];
    c.x = random_numbers(random, c.arena, c.n * c.c * c.size);
    c.y = zeros(&c, c.n * c.c * c.size), c.gates = zeros(&c, c.n * c.c * c.size), c.means = zeros(&c, c.n * c.c);
    folding_input(c.folding, c.type, dims_text(c.arena, 4, c.dims), c.x);
    node_set_string(c.folding->node, "gate", c.gate.text);
    return c;
}

/* A constant input of small numbers, or, where it may be, of none: then zeros are returned. */
static const double *add_weights(Case *c, int rank, const int64_t *dims, bool may_lack) {
    int64_t count = dims_count(rank, dims);
    if (may_lack && random_below(c->random, 2)) {
        folding_left_out(c->folding);
        return zeros(c, count);
    }
    double *numbers = random_numbers(c->random, c->arena, count);
    for (int64_t i = 0; i < count; i++) numbers[i] /= 8;
    folding_input(c->folding, c->type, dims_text(c->arena, rank, dims), numbers);
    return numbers;
}

static void check_output(const Case *c, int output, const double *expected, int64_t count) {
    const Tensor *tensor = c->folding->node->outputs.items[output]->constant;
    assert_non_null(tensor);
    assert_int_equal(tensor_count(tensor), count);
    for (int64_t i = 0; i < count; i++) {
        double got = tensor_number(tensor, i), tolerance = 2 * type_tolerance(c->type) * fmax(1, fabs(expected[i]));
        if (!(fabs(got - expected[i]) <= tolerance))
            fail_test("%s of %s: element %d of output %d is %.17g, expected %.17g", c->folding->node->op_type,
                      type_info(c->type)->name, (int)i, output, got, expected[i]);
    }
}

/* Folds, and compares output 0, the gates, and the means where the operator has them. */
static void end(Case *c, int64_t gate_count, bool has_means) {
    Graph *graph = c->folding->node->graph;
    for (int i = 1; i < (has_means ? 3 : 2); i++)
        list_add(c->arena, &c->folding->node->outputs, graph_value(graph, i == 1 ? "gates" : "means"));
    folding_end(c->folding);
    if (c->folding->status != STATUS_OK) fail_test("%s", c->folding->messages);
    check_output(c, 0, c->y, c->n * c->c * c->size);
    check_output(c, 1, c->gates, gate_count);
    if (has_means) check_output(c, 2, c->means, c->n * c->c);
    folding_free(c->folding);
}

static void take_means(Case *c) {
    for (int64_t i = 0; i < c->n * c->c * c->size; i++) c->means[i / c->size] += c->x[i] / (double)c->size;
}

static void apply_channel_gates(Case *c) {
    for (int64_t i = 0; i < c->n * c->c * c->size; i++) c->y[i] = c->x[i] * c->gates[i / c->size];
}

/* sums[n][c] += w2 act(w1 pooled + b1) + b2 */
static void two_layers(const Case *c, const double *const *weights, const double *pooled, double *sums) {
    for (int64_t n = 0; n < c->n; n++) {
        for (int64_t k = 0; k < c->c; k++) sums[n * c->c + k] += weights[3][k];
        for (int64_t r = 0; r < c->r; r++) {
            double hidden = weights[1][r];
            for (int64_t k = 0; k < c->c; k++) hidden += weights[0][r * c->c + k] * pooled[n * c->c + k];
            hidden = c->act.function(hidden);
            for (int64_t k = 0; k < c->c; k++) sums[n * c->c + k] += weights[2][k * c->r + r] * hidden;
        }
    }
}

static void check_two_layers(Random *random, bool cbam) {
    Case c = begin(random, cbam ? "CbamChannel" : "SqueezeExcitation");
    const double *weights[4];
    node_set_string(c.folding->node, "act", c.act.text);
    for (int i = 0; i < 4; i++)
        weights[i] = i % 2 == 0 ? add_weights(&c, 2, i == 0 ? (int64_t[]){c.r, c.c} : (int64_t[]){c.c, c.r}, false)
                                : add_weights(&c, 1, i == 1 ? &c.r : &c.c, true);
    take_means(&c);
    two_layers(&c, weights, c.means, c.gates);
    if (cbam) {
        double *most = zeros(&c, c.n * c.c);
        for (int64_t i = 0; i < c.n * c.c; i++) most[i] = -INFINITY;
        for (int64_t i = 0; i < c.n * c.c * c.size; i++) most[i / c.size] = fmax(most[i / c.size], c.x[i]);
        two_layers(&c, weights, most, c.gates);
    }
    for (int64_t i = 0; i < c.n * c.c; i++) c.gates[i] = c.gate.function(c.gates[i]);
    apply_channel_gates(&c);
    end(&c, c.n * c.c, !cbam);
}

static void check_one_layer(Random *random) {
    Case c = begin(random, "ChannelGate");
    const double *w = add_weights(&c, 2, (int64_t[]){c.c, c.c}, false), *b = add_weights(&c, 1, &c.c, true);
    take_means(&c);
    for (int64_t i = 0; i < c.n * c.c; i++) {
        double sum = b[i % c.c];
        for (int64_t k = 0; k < c.c; k++) sum += w[i % c.c * c.c + k] * c.means[i / c.c * c.c + k];
        c.gates[i] = c.gate.function(sum);
    }
    apply_channel_gates(&c);
    end(&c, c.n * c.c, true);
}

static void check_conv(Random *random) {
    Case c = begin(random, "ChannelGateConv");
    int64_t length = random_between(random, 1, 4) * 2 - 1, pad = length / 2, one = 1;
    const double *w = add_weights(&c, 1, &length, false), *b = add_weights(&c, 1, &one, true);
    node_set_int(c.folding->node, "pad", pad);
    take_means(&c);
    for (int64_t i = 0; i < c.n * c.c; i++) {
        double sum = b[0];
        for (int64_t k = 0; k < length; k++) {
            int64_t at = i % c.c + k - pad;
            if (at >= 0 && at < c.c) sum += w[k] * c.means[i / c.c * c.c + at];
        }
        c.gates[i] = c.gate.function(sum);
    }
    apply_channel_gates(&c);
    end(&c, c.n * c.c, true);
}

/* The mean and the largest over the channels at a place, 0 where it is in the pads. */
static void pool(const Case *c, int64_t n, int64_t h, int64_t w, double *mean, double *most) {
    *mean = *most = 0;
    if (h < 0 || h >= c->height || w < 0 || w >= c->width) return;
    *most = -INFINITY;
    for (int64_t k = 0; k < c->c; k++) {
        double value = c->x[(n * c->c + k) * c->size + h * c->width + w];
        *mean += value / (double)c->c;
        *most = fmax(*most, value);
    }
}

static void check_spatial(Random *random) {
    Case c = begin(random, "CbamSpatial");
    int64_t kh = random_between(random, 1, 3), kw = random_between(random, 1, 4), dh = random_between(random, 1, 2);
    int64_t dw = random_between(random, 1, 2), mean_at = random_between(random, 0, 1), one = 1;
    int64_t top = random_between(random, 0, (int)((kh - 1) * dh)),
            left = random_between(random, 0, (int)((kw - 1) * dw));
    const double *w = add_weights(&c, 4, (int64_t[]){1, 2, kh, kw}, false), *b = add_weights(&c, 1, &one, true);
    node_set_int(c.folding->node, "mean", mean_at);
    node_set_ints(c.folding->node, "dilations", (int64_t[]){dh, dw}, 2);
    node_set_ints(c.folding->node, "pads", (int64_t[]){top, left}, 2);
    for (int64_t i = 0; i < c.n * c.size; i++) {
        double sum = b[0];
        for (int64_t k = 0; k < kh * kw; k++) {
            double planes[2];
            pool(&c, i / c.size, i % c.size / c.width - top + k / kw * dh, i % c.width - left + k % kw * dw,
                 &planes[mean_at], &planes[1 - mean_at]);
            sum += w[k] * planes[0] + w[kh * kw + k] * planes[1];
        }
        c.gates[i] = c.gate.function(sum);
    }
    for (int64_t i = 0; i < c.n * c.c * c.size; i++) c.y[i] = c.x[i] * c.gates[i / c.size / c.c * c.size + i % c.size];
    end(&c, c.n * c.size, false);
}

static void test_gates(void **state) {
    (void)state;
    Random random = random_new();
    for (int i = 0; i < 60; i++) {
        check_two_layers(&random, false);
        check_two_layers(&random, true);
        check_one_layer(&random);
        check_conv(&random);
        check_spatial(&random);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gates)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
