/* Gemm and MatMul against sums over all indices: transposed operands, every way for C to broadcast, batches that
 * broadcast, vectors, sizes around those of the kernels' tiles, floats and integers. */
#include "support/folding.h"
#include "support/numbers.h"

/* Random integers that any of the types holds. */
static double *random_integers(Random *random, Arena *arena, int64_t count) {
    double *numbers = random_numbers(random, arena, count);
    for (int64_t i = 0; i < count; i++) numbers[i] *= 8;
    return numbers;
}

static Type random_type(Random *random) {
    static const Type types[] = {TYPE_INT32, TYPE_INT64, TYPE_UINT32, TYPE_UINT64};
    return random_below(random, 3) > 0 ? random_float_type(random) : types[random_below(random, 4)];
}

/* A product's result as the type holds it: unsigned ones wrap. */
static double wrapped(Type type, double value) {
    if (type == TYPE_UINT32) return (double)(uint32_t)(int64_t)value;
    if (type == TYPE_UINT64 && value < 0) return (double)(uint64_t)(int64_t)value;
    return value;
}

/* Sizes of one, a few, a tile, and more. */
static int64_t random_size(Random *random) {
    return random_below(random, 2) ? random_between(random, 1, 5) : random_between(random, 14, 70);
}

/* C's forms: left out, a scalar, one element, a row, a row with a dimension more, a column, all. */
typedef enum { NONE, SCALAR, ONE, ROW, WIDE_ROW, COLUMN, FULL, FORMS } Form;

static int form_dims(Form form, int64_t m, int64_t n, int64_t *dims) {
    int rank = form <= SCALAR ? 0 : form <= ROW ? 1 : 2;
    for (int i = 0; i < rank; i++) dims[i] = 1;
    if (form == ROW || form == WIDE_ROW || form == FULL) dims[rank - 1] = n;
    if (form == COLUMN || form == FULL) dims[0] = m;
    return rank;
}

static int64_t form_at(Form form, int64_t row, int64_t column, int64_t n) {
    int64_t across = form == ROW || form == WIDE_ROW || form == FULL ? column : 0;
    return form == FULL ? row * n + across : form == COLUMN ? row : across;
}

static void check_gemm(Random *random) {
    Folding *folding = folding_begin("Gemm", 13);
    Arena *arena = folding->arena;
    Type type = random_type(random);
    bool across_a = random_below(random, 2), across_b = random_below(random, 2), integers = !type_is_float(type);
    Form form = (Form)random_below(random, FORMS);
    int64_t m = random_size(random), k = random_size(random), n = random_size(random), c_dims[2];
    int64_t a_dims[] = {across_a ? k : m, across_a ? m : k}, b_dims[] = {across_b ? n : k, across_b ? k : n};
    int c_rank = form_dims(form, m, n, c_dims);
    double alpha = integers ? 1 : 0.5, beta = integers ? 1 : -2;
    double *a = random_integers(random, arena, m * k), *b = random_integers(random, arena, k * n);
    double *c = random_integers(random, arena, dims_count(c_rank, c_dims));
    folding_input(folding, type, dims_text(arena, 2, a_dims), a);
    folding_input(folding, type, dims_text(arena, 2, b_dims), b);
    if (form != NONE) folding_input(folding, type, dims_text(arena, c_rank, c_dims), c);
    node_set_int(folding->node, "transA", across_a);
    node_set_int(folding->node, "transB", across_b);
    node_set_float(folding->node, "alpha", (float)alpha);
    node_set_float(folding->node, "beta", (float)beta);
    double *y = arena_new_array(arena, double, (size_t)(m * n));
    for (int64_t i = 0; i < m * n; i++) {
        int64_t row = i / n, column = i % n;
        for (int64_t j = 0; j < k; j++)
            y[i] += a[across_a ? j * m + row : row * k + j] * b[across_b ? column * k + j : j * n + column];
        y[i] = wrapped(type, alpha * y[i] + (form == NONE ? 0 : beta * c[form_at(form, row, column, n)]));
    }
    assert_folds(folding, type, dims_text(arena, 2, (int64_t[]){m, n}), y, integers ? 0 : type_tolerance(type));
}

static void test_gemm(void **state) {
    (void)state;
    Random random = random_new();
    for (int i = 0; i < 400; i++) check_gemm(&random);
}

/* A MatMul operand: batch dimensions, some of them 1, and a matrix; or a vector, of rank 1. */
typedef struct {
    int rank;
    int64_t dims[5];
} Operand;

/* Where the matrix of a batch index of the result begins. */
static int64_t matrix_at(const Operand *operand, int batch_rank, const int64_t *index) {
    int own = operand->rank < 2 ? 0 : operand->rank - 2;
    int64_t at = 0;
    for (int i = 0; i < own; i++)
        at = at * operand->dims[i] + (operand->dims[i] == 1 ? 0 : index[i + batch_rank - own]);
    return at * (operand->rank < 2 ? 0 : operand->dims[own] * operand->dims[own + 1]);
}

static Operand random_operand(Random *random, int batch_rank, const int64_t *batch, int64_t rows, int64_t columns) {
    int own = random_between(random, 0, batch_rank);
    Operand operand = {.rank = own + 2};
    for (int i = 0; i < own; i++) operand.dims[i] = random_below(random, 3) ? batch[i + batch_rank - own] : 1;
    operand.dims[own] = rows, operand.dims[own + 1] = columns;
    return operand;
}

/* The dimensions of the result; the batch comes from the operands, as some of its dimensions may be 1 in both. */
static int result_dims(const Operand *a, const Operand *b, int64_t *dims) {
    int left = a->rank < 2 ? 0 : a->rank - 2, right = b->rank < 2 ? 0 : b->rank - 2;
    int rank = left > right ? left : right;
    for (int i = 0; i < rank; i++) {
        int64_t of_a = i < rank - left ? 1 : a->dims[i - rank + left];
        int64_t of_b = i < rank - right ? 1 : b->dims[i - rank + right];
        dims[i] = of_a == 1 ? of_b : of_a;
    }
    return rank;
}

static void check_matmul(Random *random) {
    Folding *folding = folding_begin("MatMul", 13);
    Arena *arena = folding->arena;
    Type type = random_type(random);
    int64_t m = random_size(random), k = random_size(random), n = random_size(random), dims[5], index[3];
    int64_t batch[3] = {random_between(random, 1, 3), random_between(random, 1, 3), random_between(random, 1, 3)};
    int most = random_between(random, 0, 3);
    Operand a = random_operand(random, most, batch, m, k), b = random_operand(random, most, batch, k, n);
    if (random_below(random, 5) == 0) a = (Operand){1, {k}}, m = 1;
    if (random_below(random, 5) == 0) b = (Operand){1, {k}}, n = 1;
    double *x = random_integers(random, arena, dims_count(a.rank, a.dims));
    double *w = random_integers(random, arena, dims_count(b.rank, b.dims));
    folding_input(folding, type, dims_text(arena, a.rank, a.dims), x);
    folding_input(folding, type, dims_text(arena, b.rank, b.dims), w);
    int rank = result_dims(&a, &b, dims), batch_rank = rank;
    int64_t batches = dims_count(rank, dims);
    double *y = arena_new_array(arena, double, (size_t)(batches * m * n));
    for (int64_t i = 0; i < batches * m * n; i++) {
        int64_t rest = i / (m * n), row = i / n % m, column = i % n;
        for (int d = batch_rank - 1; d >= 0; d--) index[d] = rest % dims[d], rest /= dims[d];
        const double *left = x + matrix_at(&a, batch_rank, index) + row * k,
                     *right = w + matrix_at(&b, batch_rank, index);
        for (int64_t j = 0; j < k; j++) y[i] += left[j] * right[j * n + column];
        y[i] = wrapped(type, y[i]);
    }
    if (a.rank > 1) dims[rank++] = m;
    if (b.rank > 1) dims[rank++] = n;
    assert_folds(folding, type, dims_text(arena, rank, dims), y, type_is_float(type) ? type_tolerance(type) : 0);
}

static void test_matmul(void **state) {
    (void)state;
    Random random = random_new();
    for (int i = 0; i < 600; i++) check_matmul(&random);
}

/* An inner dimension of nothing: zeros, and C. */
static void test_empty(void **state) {
    (void)state;
    Folding *folding = folding_begin("MatMul", 13);
    folding_input(folding, TYPE_FLOAT, "5x0", NULL);
    folding_input(folding, TYPE_FLOAT, "0x2", NULL);
    assert_folds(folding, TYPE_FLOAT, "5x2", (double[10]){0}, 0);
    folding = folding_begin("Gemm", 13);
    folding_input(folding, TYPE_FLOAT, "1x0", NULL);
    folding_input(folding, TYPE_FLOAT, "0x2", NULL);
    folding_input(folding, TYPE_FLOAT, "2", (double[]){3, 4});
    assert_folds(folding, TYPE_FLOAT, "1x2", (double[]){3, 4}, 0);
    folding = folding_begin("MatMul", 13);
    folding_input(folding, TYPE_FLOAT, "0x3", NULL);
    folding_input(folding, TYPE_FLOAT, "3x2", (double[6]){0});
    assert_folds(folding, TYPE_FLOAT, "0x2", NULL, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gemm),
        cmocka_unit_test(test_matmul),
        cmocka_unit_test(test_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
