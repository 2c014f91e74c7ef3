/* Comparison: element by element in double precision, 64-bit integers exactly.
 * The statistics that can be shown and asked for are one table. */
#include "commands/compare.h"

#include <math.h>
#include <string.h>

static bool is_complex(const Tensor *tensor) { return type_info(tensor->type)->class == CLASS_COMPLEX; }

static bool is_integer(const Tensor *tensor) {
    TypeClass class = type_info(tensor->type)->class;
    return class == CLASS_SIGNED || class == CLASS_UNSIGNED || class == CLASS_BOOL;
}

/* Number i of a tensor; a complex element is two, its real part first. */
static double number(const Tensor *tensor, int64_t i) {
    switch (tensor->type) {
    case TYPE_COMPLEX64: return ((const float *)tensor->data)[i];
    case TYPE_COMPLEX128: return ((const double *)tensor->data)[i];
    case TYPE_STRING: return 0;
    default: return tensor_number(tensor, i);
    }
}

static double difference_of_strings(const Tensor *a, const Tensor *b, int64_t i) {
    return strcmp(((const char *const *)a->data)[i], ((const char *const *)b->data)[i]) == 0 ? 0 : INFINITY;
}

/* |a - b| at i, without the rounding that 64-bit integers would suffer as doubles. */
static double difference(const Tensor *a, const Tensor *b, int64_t i) {
    if (is_complex(a) != is_complex(b) || (a->type == TYPE_STRING) != (b->type == TYPE_STRING)) return INFINITY;
    if (a->type == TYPE_STRING) return difference_of_strings(a, b, i);
    if (a->type == TYPE_INT64 && b->type == TYPE_INT64) {
        int64_t x = tensor_int(a, i), y = tensor_int(b, i);
        return (double)(x > y ? (uint64_t)x - (uint64_t)y : (uint64_t)y - (uint64_t)x);
    }
    if (a->type == TYPE_UINT64 && b->type == TYPE_UINT64) {
        uint64_t x = ((const uint64_t *)a->data)[i], y = ((const uint64_t *)b->data)[i];
        return (double)(x > y ? x - y : y - x);
    }
    double x = number(a, i), y = number(b, i);
    if (x == y || (isnan(x) && isnan(y))) return 0;
    return isnan(x) || isnan(y) ? INFINITY : fabs(x - y);
}

/* The largest finite magnitude. */
static double largest(const Tensor *tensor, int64_t count) {
    double most = 0;
    for (int64_t i = 0; i < count; i++) {
        double magnitude = fabs(number(tensor, i));
        if (isfinite(magnitude) && magnitude > most) most = magnitude;
    }
    return most;
}

static void compare_errors(Comparison *c, const Tensor *expected, const Tensor *actual, const Tolerance *tolerance) {
    const double floor = RELATIVE_FLOOR * largest(expected, c->count);
    const double rtol = is_integer(expected) && is_integer(actual) ? 0 : tolerance->rtol;
    double sum = 0;
    for (int64_t i = 0; i < c->count; i++) {
        double error = difference(expected, actual, i), size = fabs(number(expected, i));
        if (error == 0) continue;
        if (!isfinite(error) || error > tolerance->atol + rtol * size) c->beyond++;
        double relative = error / (size > floor ? size : floor);
        if (isnan(relative)) relative = INFINITY; /* an infinity where another number is expected */
        if (error > c->max_abs) c->max_abs = error;
        if (relative > c->max_rel) c->max_rel = relative;
        sum += error;
    }
    c->mean_abs = c->count == 0 ? 0 : sum / (double)c->count;
}

/* Both are scaled by their largest element, so that no square overflows or vanishes. */
static double cosine(const Tensor *expected, const Tensor *actual, int64_t count) {
    const double scale_e = largest(expected, count), scale_a = largest(actual, count);
    if (scale_e == 0 || scale_a == 0) return scale_e == scale_a;
    double dot = 0, square_e = 0, square_a = 0;
    for (int64_t i = 0; i < count; i++) {
        double e = number(expected, i) / scale_e, a = number(actual, i) / scale_a;
        if (!isfinite(e) || !isfinite(a)) continue;
        dot += e * a;
        square_e += e * e;
        square_a += a * a;
    }
    if (square_e == 0 || square_a == 0) return square_e == square_a;
    return fmax(-1, fmin(1, dot / (sqrt(square_e) * sqrt(square_a))));
}

static int64_t argmax(const Tensor *tensor, int64_t count) {
    if (is_complex(tensor) || tensor->type == TYPE_STRING) return -1;
    int64_t most = -1;
    for (int64_t i = 0; i < count; i++) {
        double value = number(tensor, i);
        if (!isnan(value) && (most < 0 || value > number(tensor, most))) most = i;
    }
    return most;
}

static double row_sum(const Tensor *tensor, int64_t row, int64_t length) {
    double sum = 0;
    for (int64_t i = row * length; i < (row + 1) * length; i++) sum += number(tensor, i);
    return sum;
}

static bool has_negative(const Tensor *tensor, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (!(number(tensor, i) >= 0)) return true;
    return false;
}

static void compare_rows(Comparison *c, const Tensor *expected, const Tensor *actual) {
    const double tolerance = 1e-3; /* of a softmax in half precision */
    const Shape *shape = &expected->shape;
    int64_t length = shape->rank == 0 ? 0 : shape->dims[shape->rank - 1].size;
    if (length < 2 || !type_is_float(expected->type) || has_negative(expected, c->count)) return;
    double most = 0;
    bool any = false;
    for (int64_t row = 0; row < c->count / length; row++) {
        double sum = row_sum(expected, row, length);
        if (sum != 0 && fabs(sum - 1) > tolerance) return;
        any |= sum != 0;
        double error = fabs(row_sum(actual, row, length) - sum);
        if (!(error <= most)) most = isnan(error) ? INFINITY : error;
    }
    c->is_probability = any;
    c->row_sum = any ? most : 0;
}

Comparison compare_tensors(const Tensor *expected, const Tensor *actual, const Tolerance *tolerance) {
    fovea_assert(shape_equal(&expected->shape, &actual->shape));
    Comparison c = {.argmax_expected = -1, .argmax_actual = -1};
    c.count = tensor_count(expected) * (is_complex(expected) && is_complex(actual) ? 2 : 1);
    compare_errors(&c, expected, actual, tolerance);
    c.cosine = cosine(expected, actual, c.count);
    c.argmax_expected = argmax(expected, c.count);
    c.argmax_actual = argmax(actual, c.count);
    compare_rows(&c, expected, actual);
    return c;
}

static const char *max_abs_text(Arena *arena, const Comparison *c) { return arena_printf(arena, "%.3g", c->max_abs); }
static const char *mean_abs_text(Arena *arena, const Comparison *c) { return arena_printf(arena, "%.3g", c->mean_abs); }
static const char *max_rel_text(Arena *arena, const Comparison *c) { return arena_printf(arena, "%.3g", c->max_rel); }
static const char *cosine_text(Arena *arena, const Comparison *c) { return arena_printf(arena, "%.7f", c->cosine); }
static const char *argmax_text(Arena *arena, const Comparison *c) {
    (void)arena;
    return c->argmax_expected < 0 && c->argmax_actual < 0 ? "-"
           : c->argmax_expected == c->argmax_actual       ? "same"
                                                          : "moved";
}
static const char *row_sum_text(Arena *arena, const Comparison *c) {
    return c->is_probability ? arena_printf(arena, "%.3g", c->row_sum) : "-";
}

static bool max_abs_agrees(const Comparison *c, const Tolerance *t) { return c->max_abs <= t->atol; }
static bool mean_abs_agrees(const Comparison *c, const Tolerance *t) { return c->mean_abs <= t->atol; }
static bool max_rel_agrees(const Comparison *c, const Tolerance *t) { return c->max_rel <= t->rtol; }
static bool cosine_agrees(const Comparison *c, const Tolerance *t) { return 1 - c->cosine <= t->rtol; }
static bool row_sum_agrees(const Comparison *c, const Tolerance *t) { return c->row_sum <= t->atol; }
static bool argmax_agrees(const Comparison *c, const Tolerance *t) {
    (void)t;
    return c->argmax_expected == c->argmax_actual;
}

const Statistic STATISTICS[] = {
    {"max_abs", max_abs_text, max_abs_agrees},
    {"mean_abs", mean_abs_text, mean_abs_agrees},
    {"max_rel", max_rel_text, max_rel_agrees},
    {"cosine", cosine_text, cosine_agrees},
    {"argmax", argmax_text, argmax_agrees},
    {"row_sum", row_sum_text, row_sum_agrees},
    {NULL, NULL, NULL},
};

bool comparison_agrees(const Comparison *comparison, const Tolerance *tolerance) {
    if (tolerance->statistic != NULL) return tolerance->statistic->agrees(comparison, tolerance);
    return comparison->beyond == 0;
}
