/* Resize against its definition: each element of the result is a sum over all elements of the input, weighted by their
 * distances from its coordinate on every axis at once. */
#include "support/one_node.h"
#include "support/test.h"

#include <math.h>
#include <string.h>

enum { ROUNDS = 300, MOST = 4096, RANK = 3 };

typedef struct {
    const char *mode, *coordinates;
    bool antialias, exclude_outside;
    int64_t in[RANK], out[RANK];
    double x[RANK]; /* the coordinates of the element that is looked at */
} Problem;

static double coordinate(const char *how, double i, double in, double out) {
    if (strcmp(how, "align_corners") == 0) return out > 1 ? i * (in - 1) / (out - 1) : 0;
    if (strcmp(how, "asymmetric") == 0) return i / (out / in);
    return (i + 0.5) / (out / in) - 0.5;
}

static double bump(const Problem *p, double x) {
    x = fabs(x);
    if (strcmp(p->mode, "linear") == 0) return fmax(0, 1 - x);
    const double a = -0.75;
    return x <= 1  ? (a + 2) * x * x * x - (a + 3) * x * x + 1
           : x < 2 ? a * x * x * x - 5 * a * x * x + 8 * a * x - 4 * a
                   : 0;
}

/* What element k of an axis weighs: the bumps of all places, on and off the axis, that it stands for. */
static double weight(const Problem *p, int d, int64_t k) {
    if (strcmp(p->mode, "nearest") == 0) {
        double nearest = fmin(fmax(ceil(p->x[d] - 0.5), 0), (double)(p->in[d] - 1));
        return (double)k == nearest;
    }
    double squeeze = p->antialias ? fmin(1, (double)p->out[d] / (double)p->in[d]) : 1, own = 0, all = 0;
    int64_t reach = (int64_t)(3 / squeeze) + 3;
    for (int64_t place = -reach; place < p->in[d] + reach; place++) {
        bool outside = place < 0 || place >= p->in[d];
        if (outside && p->exclude_outside) continue;
        int64_t stands_for = place < 0 ? 0 : place >= p->in[d] ? p->in[d] - 1 : place;
        double part = bump(p, squeeze * ((double)place - p->x[d]));
        if (stands_for == k) own += part;
        all += part;
    }
    return own / all; /* all is 1, but for antialias and exclude_outside */
}

static double defined(Problem *p, const Tensor *x, int64_t element) {
    double sum = 0;
    for (int d = RANK - 1; d >= 0; d--) {
        p->x[d] = coordinate(p->coordinates, (double)(element % p->out[d]), (double)p->in[d], (double)p->out[d]);
        element /= p->out[d];
    }
    for (int64_t i = 0; i < p->in[0]; i++)
        for (int64_t j = 0; j < p->in[1]; j++)
            for (int64_t k = 0; k < p->in[2]; k++)
                sum += weight(p, 0, i) * weight(p, 1, j) * weight(p, 2, k) *
                       tensor_number(x, (i * p->in[1] + j) * p->in[2] + k);
    return sum;
}

static Problem random_problem(Random *random) {
    static const char *const modes[] = {"nearest", "linear", "cubic"};
    static const char *const coordinates[] = {"half_pixel", "align_corners", "asymmetric"};
    Problem p = {.mode = modes[random_below(random, 3)], .coordinates = coordinates[random_below(random, 3)]};
    if (strcmp(p.mode, "nearest") != 0) {
        p.antialias = random_below(random, 2);
        p.exclude_outside = strcmp(p.coordinates, "half_pixel") == 0 && random_below(random, 2);
    }
    for (int d = 0; d < RANK; d++) {
        p.in[d] = 1 + (int64_t)random_below(random, 6);
        p.out[d] = random_below(random, 4) == 0 ? p.in[d] : 1 + (int64_t)random_below(random, 9);
    }
    return p;
}

static OneNode *node_of(const Problem *p, Type type) {
    OneNode *one = one_node("Resize", 19, 1);
    one_input(one, type, "*")->shape = shape_of(RANK, p->in);
    one_left_out(one);
    one_left_out(one);
    one_ints(one, RANK, p->out);
    node_set_string(one->node, "mode", p->mode);
    node_set_string(one->node, "coordinate_transformation_mode", p->coordinates);
    node_set_int(one->node, "antialias", p->antialias);
    node_set_int(one->node, "exclude_outside", p->exclude_outside);
    return one;
}

static void resize_agrees_with_its_definition(void **state) {
    (void)state;
    Random random = random_new();
    for (int round = 0; round < ROUNDS; round++) {
        Problem p = random_problem(&random);
        Type type = random_below(&random, 2) ? TYPE_FLOAT : TYPE_DOUBLE;
        OneNode *one = node_of(&p, type);
        Shape shape = shape_of(RANK, p.in);
        Tensor *x = tensor_new(one->arena, type, &shape);
        for (int64_t i = 0; i < tensor_count(x); i++) {
            double number = (double)random_below(&random, 65) / 8 - 4;
            if (type == TYPE_FLOAT) ((float *)x->data)[i] = (float)number;
            else ((double *)x->data)[i] = number;
        }
        one_node_run(one, (const Tensor *[]){x, NULL, NULL, NULL});
        assert_string_equal(one->messages, "");
        const Tensor *y = one->node->outputs.items[0]->constant;
        for (int64_t i = 0; i < tensor_count(y); i++) {
            double expected = defined(&p, x, i), found = tensor_number(y, i);
            if (!(fabs(found - expected) <= 1e-5 * (1 + fabs(expected))))
                print_error("%s, %s: [%d,%d,%d] to [%d,%d,%d], element %d is %g, expected %g\n", p.mode, p.coordinates,
                            (int)p.in[0], (int)p.in[1], (int)p.in[2], (int)p.out[0], (int)p.out[1], (int)p.out[2],
                            (int)i, found, expected);
            assert_true(fabs(found - expected) <= 1e-5 * (1 + fabs(expected)));
        }
        one_node_free(one);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(resize_agrees_with_its_definition)};
    return cmocka_run_group_tests_name("resize", tests, NULL, NULL);
}
