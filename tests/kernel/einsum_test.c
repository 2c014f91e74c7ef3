/* Einsum against a walk over all values of all labels. */
#include "support/folding.h"
#include "support/numbers.h"

#include <string.h>

/* What ONNX is given, and the same without "..." and with the result written out, for the reference. */
static const struct {
    const char *equation, *plain;
} cases[] = {
    {"bij,bjk->bik", NULL},
    {"bij, bkj -> bik", "bij,bkj->bik"},
    {"bhid,bhjd->bhij", NULL},
    {"bihd,bjhd->bhij", NULL}, /* batches that are not one dimension */
    {"bhij,bjhd->bihd", NULL}, /* a row before a batch: a loop */
    {"bcxy,bkxy->bck", NULL},
    {"bcxy,bkyx->bck", NULL}, /* summed in another order: a loop */
    {"ij,jk->ki", NULL},      /* the operands change places */
    {"ij,jk", "ij,jk->ik"},
    {"ij,kj", "ij,kj->ik"},
    {"ba,cb", "ba,cb->ac"},
    {"i,j->ij", NULL},
    {"i,i", "i,i->"},
    {"i,i->i", NULL},
    {"ij,ij->", NULL},
    {"ij,k->k", NULL},
    {"ij,jk->ik", NULL},
    {"ijk->kji", NULL},
    {"ijk->j", NULL},
    {"ii->i", NULL},
    {"ii", "ii->"},
    {"iij,jk->ik", NULL},
    {"ab,bc,cd->ad", NULL},
    {"a,b,c,d->dbca", NULL},
    {"...ij,...jk->...ik", "pqij,pqjk->pqik"},
    {"...ij,jk", "pqij,jk->pqik"},
    {"ij,...jk->...ik", "ij,pjk->pik"},
    {"...i->...", "pqi->pq"},
    {"i...->...i", "ipq->pqi"},
};

enum { CASES = sizeof cases / sizeof *cases };

static const Type types[] = {TYPE_FLOAT, TYPE_DOUBLE, TYPE_FLOAT16, TYPE_BFLOAT16, TYPE_INT32, TYPE_UINT64, TYPE_INT8};

/* The element of a term where each letter has a value. */
static int64_t element(const char *term, size_t count, const int64_t *sizes, const int64_t *values) {
    int64_t at = 0;
    for (size_t i = 0; i < count; i++) at = at * sizes[(int)term[i]] + values[(int)term[i]];
    return at;
}

static int term_dims(const char *term, size_t count, const int64_t *sizes, int64_t *dims) {
    for (size_t i = 0; i < count; i++) dims[i] = sizes[(int)term[i]];
    return (int)count;
}

/* Adds the products of all values of the letters that are in the equation. */
static void walk(const char *plain, double *const *inputs, double *y, const int64_t *sizes) {
    const char *arrow = strstr(plain, "->"), *output = arrow + 2;
    int64_t values[128] = {0};
    for (;;) {
        double product = 1;
        int input = 0;
        for (const char *at = plain; at <= arrow; input++) {
            size_t length = strcspn(at, ",-");
            product *= inputs[input][element(at, length, sizes, values)];
            at += length + 1;
        }
        y[element(output, strlen(output), sizes, values)] += product;
        int letter = 'a';
        for (; letter <= 'z'; letter++) {
            if (strchr(plain, letter) == NULL) continue;
            if (++values[letter] < sizes[letter]) break;
            values[letter] = 0;
        }
        if (letter > 'z') return;
    }
}

static void check(Random *random, int number) {
    const char *equation = cases[number].equation, *plain = cases[number].plain ? cases[number].plain : equation;
    Folding *folding = folding_begin("Einsum", 28);
    Type type = types[random_below(random, sizeof types / sizeof *types)];
    int64_t sizes[128], dims[8];
    double *inputs[4];
    for (int i = 0; i < 128; i++) sizes[i] = random_below(random, 6) ? random_between(random, 2, 6) : 1;
    int count = 0;
    const char *arrow = strstr(plain, "->");
    for (const char *at = plain; at <= arrow; count++) {
        size_t length = strcspn(at, ",-");
        int rank = term_dims(at, length, sizes, dims);
        inputs[count] = random_numbers(random, folding->arena, dims_count(rank, dims));
        for (int64_t i = 0; i < dims_count(rank, dims); i++) /* small numbers, that int8 and uint64 have too */
            if (!type_is_float(type)) inputs[count][i] = (double)random_below(random, 2);
        folding_input(folding, type, dims_text(folding->arena, rank, dims), inputs[count]);
        at += length + 1;
    }
    node_set_string(folding->node, "equation", equation);
    int rank = term_dims(arrow + 2, strlen(arrow + 2), sizes, dims);
    double *y = arena_new_array(folding->arena, double, (size_t)dims_count(rank, dims));
    walk(plain, inputs, y, sizes);
    for (int64_t i = 0; i < dims_count(rank, dims); i++)
        if (type == TYPE_INT8) y[i] = (double)(int8_t)(int64_t)y[i];
    assert_folds(folding, type, dims_text(folding->arena, rank, dims), y, 4 * type_tolerance(type));
}

static void test_random(void **state) {
    (void)state;
    Random random = random_new();
    for (int i = 0; i < CASES * 30; i++) check(&random, i % CASES);
}

/* A dimension of 1 is broadcast, below "..." and elsewhere. */
static void test_broadcast(void **state) {
    (void)state;
    Folding *folding = folding_begin("Einsum", 12);
    folding_input(folding, TYPE_FLOAT, "1x2x2", (double[]){1, 2, 3, 4});
    folding_input(folding, TYPE_FLOAT, "2x2x1", (double[]){1, 2, 3, 4});
    node_set_string(folding->node, "equation", "...ij,...jk");
    assert_folds(folding, TYPE_FLOAT, "2x2x1", (double[]){5, 11, 11, 25}, 0);
    folding = folding_begin("Einsum", 12);
    folding_input(folding, TYPE_FLOAT, "1x2", (double[]){1, 2});
    folding_input(folding, TYPE_FLOAT, "3x2", (double[]){1, 2, 3, 4, 5, 6});
    node_set_string(folding->node, "equation", "ij,ij->ij");
    assert_folds(folding, TYPE_FLOAT, "3x2", (double[]){1, 4, 3, 8, 5, 12}, 0);
}

static void test_refused(void **state) {
    (void)state;
    static const struct {
        const char *equation, *text;
    } refused[] = {
        {"ij->ij", "terms are not as many"},
        {"ij,jk,kl->il", "terms are not as many"},
        {"ij,jkl->il", "not as many as its input's dimensions"},
        {"ij,j->i", "not as many as its input's dimensions"},
        {"ij,jk->im", "a label that no input has"},
        {"ij,jk->ii", "a label twice"},
        {"i..,jk->ik", "not well formed"},
        {"...,......->", "not well formed"},
        {"i1,jk->ik", "not well formed"},
        {"...j,jk->k", "lacks the"},
        {"ij,ik->jk", "a label's dimension is 2 and 3"},
        {"", "terms are not as many"},
        {"->", "terms are not as many"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        Folding *folding = folding_begin("Einsum", 12);
        folding_input(folding, TYPE_FLOAT, "2x3", (double[6]){0});
        folding_input(folding, TYPE_FLOAT, "3x4", (double[12]){0});
        node_set_string(folding->node, "equation", refused[i].equation);
        assert_folding_fails(folding, STATUS_INVALID, refused[i].text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_broadcast),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
