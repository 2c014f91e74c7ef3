/* Fourier transforms: DFT and STFT, which become an operator of fovea's own that has its table of roots as an input.
 * A length with a large prime factor is done by two transforms of another length (Bluestein 1970). */
#include "ops/expand.h"
#include "ops/fused.h"
#include "ops/movement.h"

#include <stdlib.h>
#include <string.h>

enum {
    MOST_LENGTH = 1 << 28, /* what fits the kernel's arithmetic */
    LARGE_PRIME = 64,      /* from here on Bluestein's algorithm takes less than a sum over the factor */
};
static const double pi = 3.14159265358979323846;

static Dim dim_of(int64_t size) { return size < 0 ? (Dim){-1, NULL} : dim_known(size); }

static int64_t transform_length(const Node *node, int64_t length) {
    if (length == 0 || length < -1) node_fail(node, STATUS_INVALID, "a transform of length %lld", (long long)length);
    if (length > MOST_LENGTH)
        node_fail(node, STATUS_UNSUPPORTED, "a transform of length %lld; at most %d is supported", (long long)length,
                  MOST_LENGTH);
    return length;
}

static int64_t kept(int64_t length, bool onesided) { return length < 0 || !onesided ? length : length / 2 + 1; }

/* Fourier: fovea's own.
 * Transforms `length` elements along an axis, behind which are the two parts (or one) of a complex number; or, with a
 * frame_step, frames of that many elements, a step apart: then x is [B L parts], y [B frames kept parts]. */

static void infer_fourier(Node *node) {
    const Shape *x = &node->inputs.items[0]->shape;
    Shape *y = &node->outputs.items[0]->shape;
    int axis = (int)attr_int(node, "axis");
    int64_t length = attr_int(node, "length"), step = attr_int(node, "frame_step");
    bool onesided = attr_int(node, "onesided") != 0, mirrored = onesided && attr_int(node, "inverse") != 0;
    *y = *x;
    if (step > 0) {
        y->rank = 4;
        y->dims[1] = dim_known((x->dims[1].size - length) / step + 1);
        axis = 2;
    }
    y->dims[axis] = dim_known(kept(length, onesided && !mirrored));
    y->dims[y->rank - 1] = dim_known(mirrored ? 1 : 2);
}

/* The factors of a length, fours first, and at least one; returns how many there are. */
static int factors_of(int64_t length, int64_t *factors) {
    int count = 0;
    for (; length % 4 == 0; length /= 4) factors[count++] = 4;
    for (int64_t factor = 2; length > 1; factor++) {
        if (factor * factor > length) factor = length; /* what is left is a prime */
        for (; length % factor == 0; length /= factor) factors[count++] = factor;
    }
    if (count == 0) factors[count++] = 1;
    return count;
}

static void give_places(Step *step, const Node *node, int64_t *transforms) {
    const Shape *x = &node->inputs.items[0]->shape, *y = &node->outputs.items[0]->shape;
    int axis = (int)attr_int(node, "axis");
    int64_t frame_step = attr_int(node, "frame_step"), parts = x->dims[x->rank - 1].size;
    int64_t inner = frame_step > 0 ? y->dims[1].size : shape_product(x, axis + 1, x->rank - 1);
    int64_t results = y->dims[y->rank - 1].size, count = y->dims[frame_step > 0 ? 2 : axis].size;
    step_size(step, "OUTER", shape_product(x, 0, axis));
    step_size(step, "INNER", inner);
    step_size(step, "X_OUTER", shape_product(x, axis, x->rank));
    step_size(step, "X_INNER", frame_step == 0 ? parts : inner < 2 ? 0 : frame_step * parts);
    step_size(step, "X_STEP", frame_step > 0 ? parts : inner * parts);
    step_size(step, "Y_OUTER", inner * count * results);
    step_size(step, "Y_INNER", frame_step > 0 ? count * results : results);
    step_size(step, "Y_STEP", frame_step > 0 ? results : inner * results);
    step_size(step, "PARTS", parts);
    step_size(step, "RESULTS", results);
    step_size(step, "COUNT", count);
    *transforms = shape_product(x, 0, axis) * inner;
}

static void lower_fourier(Program *program, Node *node) {
    const Value *x = node->inputs.items[0], *y = node->outputs.items[0];
    int64_t length = attr_int(node, "length"), read = length, factors[64], transforms;
    bool inverse = attr_int(node, "inverse") != 0, mirrored = inverse && attr_int(node, "onesided") != 0;
    if (is_empty(y)) return;
    if (attr_int(node, "frame_step") == 0) {
        int64_t given = x->shape.dims[attr_int(node, "axis")].size, most = kept(length, mirrored);
        read = given < most ? given : most;
    }
    int count = factors_of(length, factors);
    Step *step = step_kernel(program, "fourier", x->type);
    step_value(program, step, "x", x);
    step_value(program, step, "table", node->inputs.items[1]);
    step_value(program, step, "window", node_input(node, 2));
    step_value(program, step, "y", y);
    give_places(step, node, &transforms);
    step_size(step, "LENGTH", length);
    step_size(step, "READ", read);
    step_size(step, "MIRRORED", mirrored);
    step_size(step, "DIVISOR", inverse ? length : 1);
    step_size(step, "FACTOR_COUNT", count);
    step_sizes(program, step, "FACTORS", factors, count);
}

/* Building it. */

/* Numbers as a type in which the kernels compute on x's. */
static Value *computed(Expansion *e, Value *numbers, Type type) {
    return expand_cast(e, numbers, type_info(type)->compute);
}

/* Cosines and sines of the angles 2 pi times count / period, for a list of whole numbers: [count][2], double. */
static Value *circle(Expansion *e, Value *counts, double period) {
    Value *angle = expand_scale(e, expand_cast(e, counts, TYPE_DOUBLE), 2 * pi / period);
    Value *cosine = expand_op(e, "Cos", angle), *sine = expand_op(e, "Sin", angle);
    return expand_concat(e, expand_unsqueeze(e, cosine, 1), expand_unsqueeze(e, sine, 1), 1);
}

/* 0, 1, ...: count whole numbers, made by a Range, so that a long list takes no memory that the model's size has not
 * earned. */
static Value *whole_numbers(Expansion *e, int64_t count) {
    return expand_op(e, "Range", expand_range(e, 0, 1, 0, NULL), expand_range(e, count, 1, 0, NULL),
                     expand_range(e, 1, 1, 0, NULL));
}

typedef struct {
    int64_t axis, length, frame_step;
    bool inverse, onesided;
} Transform;

static Value *transform(Expansion *e, const Transform *t, Value *x, Value *window) {
    double period = (double)(t->inverse ? t->length : -t->length);
    Value *table = computed(e, circle(e, whole_numbers(e, t->length), period), x->type);
    Node *node = expand_own_node(e, "Fourier", 3, (Value *[]){x, table, window}, NULL);
    node_set_int(node, "axis", t->axis);
    node_set_int(node, "length", t->length);
    node_set_int(node, "frame_step", t->frame_step);
    node_set_int(node, "inverse", t->inverse);
    node_set_int(node, "onesided", t->onesided);
    return expand_value(node);
}

/* z * w, of complex numbers [... 2]; z may have one part, and w broadcasts to z. */
static Value *multiply(Expansion *e, Value *z, Value *w) {
    int64_t last = z->shape.rank - 1, w_last = w->shape.rank - 1;
    w = computed(e, w, z->type);
    if (size_of(z, (int)last) == 1) return expand_op(e, "Mul", z, w);
    Value *real = expand_slice(e, w, w_last, 0, 1, 1), *imaginary = expand_slice(e, w, w_last, 1, 2, 1);
    Value *across = expand_concat(e, expand_op(e, "Neg", imaginary), imaginary, w_last);
    Value *swapped = expand_concat(e, expand_slice(e, z, last, 1, 2, 1), expand_slice(e, z, last, 0, 1, 1), last);
    return expand_op(e, "Add", expand_op(e, "Mul", z, real), expand_op(e, "Mul", swapped, across));
}

/* Bluestein's factors exp(i pi count^2 / length), or their conjugates; as the elements of an axis `behind` others. */
static Value *chirp(Expansion *e, Value *counts, int64_t length, bool conjugate, int behind) {
    Value *square = expand_op(e, "Mod", expand_op(e, "Mul", counts, counts), expand_range(e, 2 * length, 1, 0, NULL));
    Value *factors = circle(e, square, (double)(conjugate ? -2 * length : 2 * length));
    int64_t sizes[MAX_RANK] = {size_of(counts, 0)};
    for (int i = 1; i <= behind; i++) sizes[i] = 1;
    sizes[behind + 1] = 2;
    return expand_reshape_to(e, factors, behind + 2, sizes);
}

/* The transform as a convolution with a chirp: k n = (k^2 + n^2 - (k - n)^2) / 2. The convolution is done by transforms
 * of a power of 2. */
static Value *bluestein(Expansion *e, const Transform *t, Value *x) {
    int64_t length = t->length, size = 1, axis = t->axis, given = size_of(x, (int)axis);
    int behind = x->shape.rank - 2 - (int)axis;
    while (size < 2 * length - 1) size *= 2;
    Value *counts = whole_numbers(e, length), *places = whole_numbers(e, size);
    Value *distance = expand_op(e, "Min", places, expand_op(e, "Sub", expand_range(e, size, 1, 0, NULL), places));
    Value *is_near = expand_op(e, "Less", distance, expand_range(e, length, 1, 0, NULL));
    int64_t column[MAX_RANK] = {size};
    for (int i = 1; i < behind + 2; i++) column[i] = 1;
    Value *filter = chirp(e, distance, length, t->inverse, behind);
    filter =
        expand_op(e, "Mul", filter, expand_cast(e, expand_reshape_to(e, is_near, behind + 2, column), TYPE_DOUBLE));
    Transform there = {.axis = 0, .length = size}, back = {.axis = axis, .length = size, .inverse = true};
    filter = transform(e, &there, filter, NULL);
    there.axis = axis;

    Value *turns = chirp(e, counts, length, !t->inverse, behind);
    Value *signal = computed(e, given > length ? expand_slice(e, x, axis, 0, length, 1) : x, x->type);
    Value *heads = given < length ? expand_slice(e, turns, 0, 0, given, 1) : turns;
    Value *product = multiply(e, transform(e, &there, multiply(e, signal, heads), NULL), filter);
    int64_t count = kept(length, t->onesided);
    product = expand_slice(e, transform(e, &back, product, NULL), axis, 0, count, 1);
    product = multiply(e, product, count < length ? expand_slice(e, turns, 0, 0, count, 1) : turns);
    return expand_cast(e, expand_scale(e, product, t->inverse ? 1 / (double)length : 1), x->type);
}

/* DFT */

enum { DFT_LENGTH = 1, DFT_AXIS = 2 };

static bool read_dft(const Node *node, Transform *t) {
    const Shape *x = &node->inputs.items[0]->shape;
    const Value *given = node_input(node, DFT_LENGTH), *axis = node_input(node, DFT_AXIS);
    *t = (Transform){
        .length = -1, .inverse = attr_int(node, "inverse") != 0, .onesided = attr_int(node, "onesided") != 0};
    if (x->rank < 0 || !input_is_readable(node, DFT_LENGTH) || !input_is_readable(node, DFT_AXIS)) return false;
    if (x->rank < 2) node_fail(node, STATUS_INVALID, "the input has %d dimensions, expected at least 2", x->rank);
    t->axis = node_axis(node,
                        axis != NULL         ? input_int(node, DFT_AXIS)
                        : node->version < 20 ? attr_int(node, "axis")
                                             : -2,
                        x->rank);
    if (t->axis == x->rank - 1)
        node_fail(node, STATUS_INVALID, "the last axis holds the parts of complex numbers, and cannot be transformed");
    int64_t parts = x->dims[x->rank - 1].size, size = x->dims[t->axis].size;
    if (parts >= 0 && parts != 1 && parts != 2)
        node_fail(node, STATUS_INVALID, "the last dimension is %lld; it is 1 of real numbers, 2 of complex ones",
                  (long long)parts);
    if (given != NULL) t->length = transform_length(node, input_int(node, DFT_LENGTH));
    else if (size >= 0) t->length = transform_length(node, t->inverse && t->onesided ? 2 * (size - 1) : size);
    return true;
}

static void infer_dft(Node *node) {
    Transform t;
    Shape *y = &node->outputs.items[0]->shape;
    bool is_read = read_dft(node, &t);
    infer_same(node);
    if (y->rank < 2) return;
    y->dims[y->rank - 1] = dim_known(t.inverse && t.onesided ? 1 : 2);
    for (int d = 0; !is_read && d < y->rank - 1; d++) y->dims[d] = dim_of(-1);
    if (is_read) y->dims[t.axis] = dim_of(kept(t.length, t.onesided && !t.inverse));
}

/* Whether a sum over a factor of the length would take longer than transforms of another length. */
static bool has_large_prime(int64_t length) {
    int64_t factors[64];
    return factors_of(length, factors) > 0 && factors[factors_of(length, factors) - 1] > LARGE_PRIME;
}

static void expand_dft(Expansion *e) {
    const Node *node = e->node;
    Value *x = node->inputs.items[0];
    Transform t;
    read_dft(node, &t);
    for (int i = DFT_LENGTH; i <= DFT_AXIS; i++)
        if (!input_is_readable(node, i)) input_int(node, i); /* says that it has to be known */
    if (t.length < 0)
        node_fail(node, STATUS_UNSUPPORTED, "the length of axis %lld is not known; give it with --dim or --shape",
                  (long long)t.axis);
    bool mirrors = t.inverse && t.onesided;
    Value *y = has_large_prime(t.length) && !mirrors ? bluestein(e, &t, x) : transform(e, &t, x, NULL);
    expand_output(e, 0, y);
}

/* STFT */

enum { STFT_STEP = 1, STFT_WINDOW, STFT_LENGTH };

/* The length of a frame; -1 where it is not known. */
static int64_t frame_length(const Node *node) {
    const Value *signal = node->inputs.items[0], *window = node_input(node, STFT_WINDOW);
    int64_t of_window = -1;
    if (window != NULL && window->shape.rank >= 0) {
        if (window->shape.rank != 1)
            node_fail(node, STATUS_INVALID, "the window has %d dimensions, expected 1", window->shape.rank);
        of_window = window->shape.dims[0].size;
    }
    if (node_input(node, STFT_LENGTH) == NULL) return window != NULL ? of_window : size_of(signal, 1);
    if (!input_is_readable(node, STFT_LENGTH)) return -1;
    int64_t length = input_int(node, STFT_LENGTH);
    if (of_window >= 0 && of_window != length)
        node_fail(node, STATUS_UNSUPPORTED, "the window has %lld elements, and frame_length is %lld; give one length",
                  (long long)of_window, (long long)length);
    return length;
}

static void infer_stft(Node *node) {
    const Shape *x = &node->inputs.items[0]->shape;
    Shape *y = &node->outputs.items[0]->shape;
    *y = shape_open(4);
    if (x->rank < 0) return;
    int64_t parts = x->rank == 2 ? 1 : x->dims[x->rank - 1].size;
    if (x->rank < 2 || x->rank > 3 || parts == 0 || parts > 2)
        node_fail(node, STATUS_INVALID, "the signal has the shape %s, expected [batch, length], or 1 or 2 behind that",
                  shape_text(node->graph->arena, x));
    int64_t length = transform_length(node, frame_length(node)), samples = x->dims[1].size, frames = -1;
    if (input_is_readable(node, STFT_STEP)) {
        int64_t step = input_int(node, STFT_STEP);
        if (step < 1) node_fail(node, STATUS_INVALID, "frame_step is %lld", (long long)step);
        if (samples >= 0 && length > samples)
            node_fail(node, STATUS_INVALID, "a frame has %lld samples, and the signal %lld", (long long)length,
                      (long long)samples);
        if (samples >= 0 && length >= 0) frames = (samples - length) / step + 1;
    }
    *y = (Shape){
        .rank = 4,
        .dims = {x->dims[0], dim_of(frames), dim_of(kept(length, attr_int(node, "onesided") != 0)), dim_known(2)}};
}

static void expand_stft(Expansion *e) {
    const Node *node = e->node;
    Value *signal = node->inputs.items[0];
    Transform t = {.axis = 1,
                   .length = frame_length(node),
                   .frame_step = input_int(node, STFT_STEP),
                   .onesided = attr_int(node, "onesided") != 0};
    if (t.length < 0) t.length = input_int(node, STFT_LENGTH); /* says that it has to be known */
    if (signal->shape.rank == 2) signal = expand_unsqueeze(e, signal, 2);
    expand_output(e, 0, transform(e, &t, signal, node_input(node, STFT_WINDOW)));
}

const Op OPS_fourier[] = {
    {.name = "DFT",
     .versions = {17, 20},
     .inputs = "input:T1 dft_length:T2? axis:int64?@20",
     .outputs = "output:T1",
     .types = "T1: floats; T2: int32 int64",
     .attributes = "axis:int@<20=1 inverse:int=0 onesided:int=0",
     .infer = infer_dft,
     .expand = expand_dft},
    {.name = "STFT",
     .versions = {17},
     .inputs = "signal:T1 frame_step:T2 window:T1? frame_length:T2?",
     .outputs = "output:T1",
     .types = "T1: floats; T2: int32 int64",
     .attributes = "onesided:int=1",
     .infer = infer_stft,
     .expand = expand_stft},
    {.name = "Fourier",
     .domain = FUSED_DOMAIN,
     .versions = {1},
     .inputs = "x:T table:A window:T?",
     .outputs = "y:T",
     .types = "T: floats; A: float double",
     .attributes = "axis:int! length:int! frame_step:int=0 inverse:int=0 onesided:int=0",
     .infer = infer_fourier,
     .lower = lower_fourier},
    {0},
};
