/* Resize and Upsample: interpolation, one axis after the other.
 * Every coordinate is known while compiling, so an axis is a table: for each element of the result, which elements of
 * the input weigh how much. Nearest neighbours are moved; where they repeat evenly, as strides say. */
#include "ops/carry.h"
#include "ops/gather.h"
#include "ops/movement.h"

#include <math.h>
#include <string.h>

/* How a node resizes; older versions have no attributes for what they do. */
typedef struct {
    const char *mode;        /* nearest, linear, cubic */
    const char *coordinates; /* coordinate_transformation_mode */
    const char *nearest;     /* nearest_mode; "simple": that of versions before 11 */
    double cubic_a;
    bool antialias, exclude_outside;
} Method;

static bool is_one_of(const char *word, const char *words) {
    size_t length = strlen(word);
    for (const char *p = words; *p != '\0'; p += strcspn(p, " "), p += strspn(p, " "))
        if (strcspn(p, " ") == length && memcmp(p, word, length) == 0) return true;
    return false;
}

static const char *choice(const Node *node, const char *attribute, const char *words) {
    const char *value = attr_string(node, attribute);
    if (!is_one_of(value, words))
        node_fail(node, STATUS_INVALID, "%s is %s, expected one of %s", attribute, quoted(value), words);
    return value;
}

static bool is_resize(const Node *node) { return strcmp(node->op_type, "Resize") == 0; }
static bool has_coordinates(const Node *node) { return is_resize(node) && node->version >= 11; }

static Method read_method(const Node *node) {
    const char *mode = choice(node, "mode", has_coordinates(node) ? "nearest linear cubic" : "nearest linear");
    if (!has_coordinates(node)) return (Method){.mode = mode, .coordinates = "asymmetric", .nearest = "simple"};
    Method method = {
        .mode = mode,
        .coordinates = choice(node, "coordinate_transformation_mode",
                              "half_pixel half_pixel_symmetric pytorch_half_pixel align_corners asymmetric "
                              "tf_half_pixel_for_nn tf_crop_and_resize"),
        .nearest = choice(node, "nearest_mode", "round_prefer_floor round_prefer_ceil floor ceil"),
        .cubic_a = (double)attr_float(node, "cubic_coeff_a"),
        .antialias = node->version >= 18 && attr_int(node, "antialias") != 0,
        .exclude_outside = attr_int(node, "exclude_outside") != 0,
    };
    if (method.antialias && strcmp(mode, "nearest") == 0)
        node_fail(node, STATUS_INVALID, "antialias goes with the modes linear and cubic");
    return method;
}

/* Shapes */

/* The input or attribute that gives scales, sizes or the region of interest; -1: none in this version. */
static int scales_input(const Node *node) {
    if (!is_resize(node)) return node->version < 9 ? -1 : 1;
    return node->version < 11 ? 1 : 2;
}
static int sizes_input(const Node *node) { return has_coordinates(node) ? 3 : -1; }

/* Whether an input is there: an empty tensor stands for one that is not. */
static bool is_given(const Node *node, int input) {
    const Value *value = input < 0 ? NULL : node_input(node, input);
    return value != NULL && !(shape_is_known(&value->shape) && shape_count(&value->shape) == 0);
}

static int resized_axes(const Node *node, int rank, int *axes) {
    return node_axes(node, has_coordinates(node) && node->version >= 18 ? "axes" : NULL, -1, rank, axes);
}

/* The scales, one for each resized axis; NULL where they are not given, or not known. */
static double *read_scales(const Node *node, int count) {
    const Attribute *attribute = scales_input(node) < 0 ? node_attribute(node, "scales") : NULL;
    const Tensor *tensor = is_given(node, scales_input(node)) ? node_input(node, scales_input(node))->constant : NULL;
    if (attribute == NULL && tensor == NULL) return NULL;
    double *scales = arena_new_array(node->graph->arena, double, (size_t)count);
    check_length(node, "scales", attribute != NULL ? attribute->count : (int)tensor_count(tensor), count);
    for (int i = 0; i < count; i++) {
        scales[i] = attribute != NULL ? (double)attribute->numbers[i] : tensor_number(tensor, i);
        if (!(scales[i] > 0 && scales[i] <= INT32_MAX))
            node_fail(node, STATUS_INVALID, "scale %g is out of range", scales[i]);
    }
    return scales;
}

/* The product is rounded to float before it is floored, as ONNX Runtime and PyTorch do: 10 * 0.7 is 7. */
static Dim scaled_dim(const Node *node, Dim dim, double scale) {
    if (dim.size < 0) return scale == 1 ? dim : (Dim){-1, NULL};
    float size = floorf((float)dim.size * (float)scale);
    if (size >= 2147483648.0f)
        node_fail(node, STATUS_UNSUPPORTED, "a dimension of %.0f elements, at most %d are supported", (double)size,
                  INT32_MAX);
    return dim_known((int64_t)size);
}

/* One scale for all axes, so that none gets larger, or none smaller, than asked for; 0 where sizes are not known. */
static double common_scale(const Node *node, const Shape *from, const int *axes, const int64_t *sizes, int count) {
    bool smallest = strcmp(attr_string(node, "keep_aspect_ratio_policy"), "not_larger") == 0;
    double common = 0;
    for (int i = 0; i < count; i++) {
        if (from->dims[axes[i]].size <= 0) return 0;
        double scale = (double)sizes[i] / (double)from->dims[axes[i]].size;
        if (i == 0 || (smallest ? scale < common : scale > common)) common = scale;
    }
    return common;
}

static bool keeps_aspect(const Node *node) {
    return node->version >= 18 &&
           strcmp(choice(node, "keep_aspect_ratio_policy", "stretch not_larger not_smaller"), "stretch") != 0;
}

static Dim sized_dim(const Node *node, Dim from, int64_t size, double common) {
    if (!keeps_aspect(node)) return dim_known(size);
    if (common == 0) return (Dim){-1, NULL};
    double rounded = floor(common * (double)from.size + 0.5);
    if (rounded > INT32_MAX) node_fail(node, STATUS_UNSUPPORTED, "a dimension of %.0f elements is too large", rounded);
    return dim_known((int64_t)rounded);
}

static Shape resize_by_sizes(const Node *node, Shape shape, const int *axes, int count) {
    const int64_t *sizes;
    int given;
    node_ints(node, NULL, sizes_input(node), &sizes, &given);
    check_length(node, "sizes", given, count);
    double common = keeps_aspect(node) ? common_scale(node, &node->inputs.items[0]->shape, axes, sizes, count) : 0;
    for (int i = 0; i < count; i++) {
        Dim *dim = &shape.dims[axes[i]];
        if (sizes[i] < 0)
            node_fail(node, STATUS_INVALID, "size %lld of axis %d is negative", (long long)sizes[i], axes[i]);
        if (dim->size == 0 && sizes[i] > 0)
            node_fail(node, STATUS_INVALID, "axis %d has no elements to make %lld of", axes[i], (long long)sizes[i]);
        *dim = sized_dim(node, *dim, sizes[i], common);
    }
    return shape;
}

static void infer_resize(Node *node) {
    Shape shape = node->inputs.items[0]->shape;
    int axes[MAX_RANK];
    bool by_sizes = is_given(node, sizes_input(node)), by_scales = is_given(node, scales_input(node));
    read_method(node);
    if (by_sizes && by_scales) node_fail(node, STATUS_INVALID, "both scales and sizes are given");
    if (!by_sizes && !by_scales && scales_input(node) >= 0)
        node_fail(node, STATUS_INVALID, "neither scales nor sizes are given");
    if (shape.rank >= 0) {
        int count = resized_axes(node, shape.rank, axes);
        const double *scales = read_scales(node, count);
        if (by_sizes && input_is_readable(node, sizes_input(node))) shape = resize_by_sizes(node, shape, axes, count);
        else
            for (int i = 0; i < count; i++)
                shape.dims[axes[i]] =
                    scales == NULL ? (Dim){-1, NULL} : scaled_dim(node, shape.dims[axes[i]], scales[i]);
    }
    node->outputs.items[0]->shape = shape;
}

/* Coordinates */

/* One axis, of the input and of the output. */
typedef struct {
    int64_t in, out;
    double scale;
    double length;     /* of the output, as formulas take it */
    double start, end; /* of the region of interest, in parts of the axis */
} Line;

static Lengths resize_lengths(const Node *node) {
    const Graph *graph = node->graph;
    while (graph->outer != NULL) graph = graph->outer;
    return graph->resize_lengths;
}

/* Rounded to float as sizes are. */
static double fractional_length(const Line *line) { return (double)((float)line->in * (float)line->scale); }

static bool crops(const Method *method) { return strcmp(method->coordinates, "tf_crop_and_resize") == 0; }

/* Regions are [starts..., ends...] over the resized axes. */
static void read_regions(const Node *node, Line *lines, const int *axes, int count) {
    const Value *regions = node_input(node, 1);
    if (regions == NULL || regions->constant == NULL)
        node_fail(node, STATUS_UNSUPPORTED,
                  "in mode tf_crop_and_resize its input 1 (roi) has to be known when compiling");
    check_length(node, "entries in roi", (int)tensor_count(regions->constant), 2 * count);
    for (int i = 0; i < count; i++) {
        Line *line = &lines[axes[i]];
        line->start = tensor_number(regions->constant, i);
        line->end = tensor_number(regions->constant, count + i);
        if (!(fabs(line->start) <= INT32_MAX && fabs(line->end) <= INT32_MAX))
            node_fail(node, STATUS_INVALID, "roi of axis %d is [%g, %g]", axes[i], line->start, line->end);
    }
}

static Line line_of(int64_t in, int64_t out) {
    return (Line){.in = in, .out = out, .scale = 1, .length = (double)out, .start = 0, .end = 1};
}

static void read_lines(const Node *node, const Method *method, Line *lines) {
    const Shape *from = &node->inputs.items[0]->shape, *to = &node->outputs.items[0]->shape;
    int axes[MAX_RANK], count = resized_axes(node, from->rank, axes);
    const double *scales = read_scales(node, count);
    for (int d = 0; d < from->rank; d++) lines[d] = line_of(from->dims[d].size, to->dims[d].size);
    for (int i = 0; i < count; i++) {
        Line *line = &lines[axes[i]];
        line->scale = scales != NULL ? scales[i] : (double)line->out / (double)line->in;
    }
    if (scales == NULL && keeps_aspect(node)) {
        const int64_t *sizes;
        int given;
        node_ints(node, NULL, sizes_input(node), &sizes, &given);
        double common = common_scale(node, from, axes, sizes, count);
        for (int i = 0; i < count; i++) lines[axes[i]].scale = common;
    }
    if (crops(method)) read_regions(node, lines, axes, count);
    const bool is_scaled = scales != NULL || keeps_aspect(node);
    for (int i = 0; i < count && is_scaled && resize_lengths(node) == LENGTHS_FRACTIONAL; i++)
        lines[axes[i]].length = fractional_length(&lines[axes[i]]);
}

static bool is_resized(const Line *line) {
    return line->in != line->out || fabs(line->scale - 1) > 1e-9 || line->start != 0 || line->end != 1;
}

/* x / scale: of nearest neighbours in single precision, as in ONNX Runtime and PyTorch, since which one is nearest may
 * hang on the last bit. */
static double unscaled(const Method *method, const Line *line, double x) {
    if (strcmp(method->mode, "nearest") != 0) return x / line->scale;
    return (double)((float)x / (float)line->scale);
}

/* Where element i of the output lies on the input's axis: the formulas of ONNX's coordinate_transformation_mode, of
 * which half_pixel_symmetric alone is for the input's length times the scale. */
static double coordinate(const Method *method, const Line *line, int64_t i) {
    double x = (double)i, last = (double)(line->in - 1), width = line->scale * (double)line->in;
    if (strcmp(method->coordinates, "align_corners") == 0) return line->length == 1 ? 0 : x * last / (line->length - 1);
    if (strcmp(method->coordinates, "asymmetric") == 0) return unscaled(method, line, x);
    if (strcmp(method->coordinates, "tf_half_pixel_for_nn") == 0) return unscaled(method, line, x + 0.5);
    if (strcmp(method->coordinates, "pytorch_half_pixel") == 0 && line->length == 1) return 0;
    if (strcmp(method->coordinates, "half_pixel_symmetric") == 0)
        return (double)line->in / 2 * (1 - (double)line->out / width) + unscaled(method, line, x + 0.5) - 0.5;
    if (crops(method)) {
        if (line->length == 1) return (line->start + line->end) * last / 2;
        return line->start * last + x * (line->end - line->start) * last / (line->length - 1);
    }
    return unscaled(method, line, x + 0.5) - 0.5;
}

/* The length of what is resized is that of the output in ONNX's text, ONNX Runtime and PyTorch, and the input's times
 * the scale in onnx.reference: says so where that puts an axis's last element elsewhere, unless the user has chosen. */
static void warn_of_lengths(const Node *node, const Method *method, const Line *lines, int rank) {
    for (int d = 0; d < rank && resize_lengths(node) == LENGTHS_UNSAID; d++) {
        Line other = lines[d];
        other.length = fractional_length(&lines[d]);
        double difference = coordinate(method, &other, other.out - 1) - coordinate(method, &lines[d], other.out - 1);
        if (!(fabs(difference) > 1e-6 * (double)other.in)) continue;
        node_warn(node,
                  "axis %d is resized to %g elements, of which there are %lld; %s takes that whole length, as ONNX "
                  "Runtime and PyTorch do; --resize-lengths fractional takes the other, as onnx.reference does",
                  d, other.length, (long long)other.out, method->coordinates);
        return;
    }
}

static int64_t clamp_to(double x, int64_t size) { return !(x > 0) ? 0 : x >= (double)size ? size - 1 : (int64_t)x; }

/* Nearest neighbours */

static int64_t nearest(const Method *method, const Line *line, int64_t i) {
    double x = coordinate(method, line, i), rounded = floor(x);
    if (strcmp(method->nearest, "ceil") == 0) rounded = ceil(x);
    if (strcmp(method->nearest, "round_prefer_floor") == 0) rounded = ceil(x - 0.5);
    if (strcmp(method->nearest, "round_prefer_ceil") == 0) rounded = floor(x + 0.5);
    if (strcmp(method->nearest, "simple") == 0 && line->scale < 1) rounded = ceil(x);
    return clamp_to(rounded, line->in);
}

/* Tables are held in memory while compiling, so what a small model may ask for is bounded. */
static void check_table(const Node *node, double entries) {
    enum { MOST = 1 << 24 };
    if (entries > MOST)
        node_fail(node, STATUS_UNSUPPORTED, "an axis that takes a table of %.0f entries, at most %d are supported",
                  entries, MOST);
}

static int64_t *nearest_table(Program *program, const Method *method, const Line *line) {
    check_table(program->current, (double)line->out);
    int64_t *table = arena_new_array(program->arena, int64_t, (size_t)line->out);
    for (int64_t i = 0; i < line->out; i++) table[i] = nearest(method, line, i);
    return table;
}

/* How often each entry comes, if all come equally often and lie in a row: 2 for 0 0 1 1 2 2; 0 if not. */
static int64_t repeats_of(const int64_t *table, int64_t count) {
    int64_t repeats = 1;
    while (repeats < count && table[repeats] == table[0]) repeats++;
    if (count % repeats != 0) return 0;
    int64_t step = repeats < count ? table[repeats] - table[0] : 0;
    for (int64_t i = 0; i < count; i++)
        if (table[i] != table[0] + i / repeats * step) return 0;
    return repeats;
}

/* All axes as one move; false where one of them is not even. */
static bool move_nearest(Program *program, const Value *from, const Value *to, int64_t *const *tables) {
    int64_t from_strides[MAX_RANK], to_strides[MAX_RANK];
    strides_of(&from->shape, from_strides);
    strides_of(&to->shape, to_strides);
    Move move = {0};
    for (int d = 0; d < to->shape.rank; d++) {
        int64_t count = to->shape.dims[d].size, repeats = repeats_of(tables[d], count);
        if (repeats == 0) return false;
        int64_t step = repeats < count ? tables[d][repeats] - tables[d][0] : 0;
        move.from_offset += tables[d][0] * from_strides[d];
        move_dimension(&move, count / repeats, step * from_strides[d], repeats * to_strides[d]);
        move_dimension(&move, repeats, 0, to_strides[d]);
    }
    if (move.rank > MAX_RANK) return false;
    move_value(program, &move, from, to);
    return true;
}

/* The axes to resize, those first that leave least to do for the others. */
static int order_lines(const Line *lines, int rank, int *order) {
    int count = 0;
    for (int d = 0; d < rank; d++) {
        if (!is_resized(&lines[d])) continue;
        int at = count++;
        for (; at > 0; at--) {
            const Line *before = &lines[order[at - 1]];
            if (before->out * lines[d].in <= lines[d].out * before->in) break;
            order[at] = order[at - 1];
        }
        order[at] = d;
    }
    return count;
}

/* The shape in which one axis has its new size already. */
static Axis resize_axis(Shape *shape, int d, int64_t size) {
    Axis axis = axis_of(shape, d);
    shape->dims[d] = dim_known(size);
    return axis;
}

static void gather_nearest(Program *program, const Value *from, const Value *to, const Line *lines,
                           int64_t *const *tables) {
    int order[MAX_RANK], count = order_lines(lines, to->shape.rank, order);
    Shape shape = from->shape;
    Buffer *x = program_buffer(program, from);
    for (int i = 0; i < count; i++) {
        int64_t size = lines[order[i]].out;
        Axis axis = resize_axis(&shape, order[i], size);
        Buffer *y =
            i == count - 1 ? program_buffer(program, to) : program_scratch(program, from->type, shape_count(&shape));
        Buffer *indices = constant_ints(program, "nearest", tables[order[i]], (int)size);
        gather_buffers(program, x, axis, indices, size, y);
        x = y;
    }
}

static void lower_nearest(Program *program, const Value *from, const Value *to, const Method *method,
                          const Line *lines) {
    int64_t *tables[MAX_RANK];
    for (int d = 0; d < to->shape.rank; d++) tables[d] = nearest_table(program, method, &lines[d]);
    if (!move_nearest(program, from, to, tables)) gather_nearest(program, from, to, lines, tables);
}

/* Linear and cubic interpolation */

/* The weight of an element at a distance: a triangle, or Keys' cubic convolution (IEEE ASSP 29, 1981, equation 4). */
static double weight_at(const Method *method, double distance) {
    double a = method->cubic_a, x = fabs(distance);
    if (strcmp(method->mode, "linear") == 0) return x < 1 ? 1 - x : 0;
    if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/* For each element of an axis: the elements that it is made of, and their weights. */
typedef struct {
    int64_t taps;
    int32_t *indices; /* [out][taps] */
    double *weights;  /* [out][taps] */
} Taps;

/* Fills the row of element i. Taps are first .. first + taps - 1 from the element at or below the coordinate; those
 * outside are the nearest end's, or count nothing. Weights that are not whole are made to sum up to 1. */
static void fill_taps(const Taps *taps, const Method *method, const Line *line, int64_t i, int64_t first,
                      double squeeze) {
    double x = coordinate(method, line, i), base = ceil(x) - 1, sum = 0, *weights = taps->weights + i * taps->taps;
    for (int64_t t = 0; t < taps->taps; t++) {
        double at = base + (double)(first + t);
        bool outside = at < 0 || at >= (double)line->in;
        weights[t] = outside && method->exclude_outside ? 0 : weight_at(method, squeeze * (at - x));
        taps->indices[i * taps->taps + t] = (int32_t)clamp_to(at, line->in);
        sum += weights[t];
    }
    if (!method->antialias && !method->exclude_outside) return;
    for (int64_t t = 0; t < taps->taps && sum != 0; t++) weights[t] /= sum;
}

static Taps make_taps(Program *program, const Method *method, const Line *line) {
    double squeeze = method->antialias && line->scale < 1 ? line->scale : 1;
    double support = strcmp(method->mode, "linear") == 0 ? 1 : 2, first = floor(-support / squeeze) + 1;
    double count = 2 - 2 * first;
    check_table(program->current, count * (double)line->out);
    size_t entries = (size_t)count * (size_t)line->out;
    Taps taps = {(int64_t)count, arena_new_array(program->arena, int32_t, entries),
                 arena_new_array(program->arena, double, entries)};
    for (int64_t i = 0; i < line->out; i++) fill_taps(&taps, method, line, i, (int64_t)first, squeeze);
    return taps;
}

/* A table as a constant buffer. */
static Buffer *table_buffer(Program *program, const char *name, Type type, const Taps *taps, int64_t out) {
    Shape shape = shape_of(2, (int64_t[]){out, taps->taps});
    Tensor *tensor = tensor_new(program->arena, type, &shape);
    for (int64_t i = 0; i < out * taps->taps; i++)
        if (type == TYPE_INT32) ((int32_t *)tensor->data)[i] = taps->indices[i];
        else if (type == TYPE_DOUBLE) ((double *)tensor->data)[i] = taps->weights[i];
        else ((float *)tensor->data)[i] = (float)taps->weights[i];
    return program_buffer(program, graph_constant(program->graph, name, tensor));
}

static void resample(Program *program, Buffer *x, Axis axis, const Taps *taps, int64_t out, Buffer *y) {
    enum { FEWEST = 4 }; /* neighbours that make a vector */
    const bool rows = x->type == TYPE_FLOAT && axis.inner >= FEWEST;
    Step *step = step_kernel(program, rows ? "resample_rows" : "resample", x->type);
    step_buffer(step, "x", x, 0);
    step_buffer(step, "indices", table_buffer(program, "taps", TYPE_INT32, taps, out), 0);
    step_buffer(step, "weights", table_buffer(program, "weights", x->type, taps, out), 0);
    step_buffer(step, "y", y, 0);
    step_size(step, "OUTER", axis.outer);
    step_size(step, "LENGTH", axis.size);
    step_size(step, "INNER", axis.inner);
    step_size(step, "RESIZED", out);
    step_size(step, "TAPS", taps->taps);
}

/* The type in which elements of a type are interpolated: it holds them exactly. */
static Type working_type(Type type) {
    const TypeInfo *info = type_info(type);
    return type == TYPE_DOUBLE || (info->class != CLASS_FLOAT && info->bits >= 32) ? TYPE_DOUBLE : TYPE_FLOAT;
}

/* Adds a conversion to a loop's body; a real number becomes the nearest integer, of two the even one. */
static void add_converted(Loop *loop, int scalar, Type to) {
    Type from = loop->scalars[scalar].type;
    if (type_is_float(from) && !type_is_float(to)) scalar = loop_apply(loop, "round", from, from, 1, &scalar);
    loop_cast(loop, scalar, to);
}

/* Appends a copy from one type to another. */
static void convert(Program *program, Buffer *from, Buffer *to) {
    Loop *loop = step_loop(program, 1, &from->count);
    add_converted(loop, loop_input(loop, from, 0, (int64_t[]){1}), to->type);
    loop_output(loop, to, 0, (int64_t[]){1});
}

static void lower_smooth(Program *program, const Value *from, const Value *to, const Method *method,
                         const Line *lines) {
    int order[MAX_RANK], count = order_lines(lines, to->shape.rank, order);
    Type working = working_type(from->type);
    Shape shape = from->shape;
    Buffer *x = program_buffer(program, from), *output = program_buffer(program, to);
    if (from->type != working) {
        Buffer *wide = program_scratch(program, working, x->count);
        convert(program, x, wide);
        x = wide;
    }
    for (int i = 0; i < count; i++) {
        const Line *line = &lines[order[i]];
        Taps taps = make_taps(program, method, line);
        Axis axis = resize_axis(&shape, order[i], line->out);
        bool is_last = i == count - 1 && from->type == working;
        Buffer *y = is_last ? output : program_scratch(program, working, shape_count(&shape));
        resample(program, x, axis, &taps, line->out, y);
        x = y;
    }
    if (from->type != working) convert(program, x, output);
}

/* Sets elements [from, to) of an axis of the output to a value. */
static void fill_part(Program *program, const Value *output, int axis, int64_t from, int64_t to, double value) {
    int64_t extents[MAX_RANK], strides[MAX_RANK];
    strides_of(&output->shape, strides);
    for (int d = 0; d < output->shape.rank; d++) extents[d] = d == axis ? to - from : output->shape.dims[d].size;
    Loop *loop = step_loop(program, output->shape.rank, extents);
    add_converted(loop, loop_literal(loop, working_type(output->type), value), output->type);
    loop_output(loop, program_buffer(program, output), from * strides[axis], strides);
    loop_simplify(loop);
}

/* What lies outside of the input gets the extrapolation value: on each axis at most a part at either end. */
static void fill_outside(Program *program, const Node *node, const Method *method, const Line *lines) {
    const Value *output = node->outputs.items[0];
    double value = (double)attr_float(node, "extrapolation_value");
    for (int d = 0; d < output->shape.rank; d++)
        for (int64_t from = 0, to; from < lines[d].out; from = to + (to == from)) {
            for (to = from; to < lines[d].out; to++) {
                double x = coordinate(method, &lines[d], to);
                if (x >= 0 && x <= (double)(lines[d].in - 1)) break;
            }
            if (to > from) fill_part(program, output, d, from, to, value);
        }
}

static void lower_resize(Program *program, Node *node) {
    const Value *from = node->inputs.items[0], *to = node->outputs.items[0];
    Method method = read_method(node);
    Line lines[MAX_RANK];
    int order[MAX_RANK];
    if (is_empty(to)) return;
    read_lines(node, &method, lines);
    if (order_lines(lines, to->shape.rank, order) == 0) {
        program_view(program, to, from);
        return;
    }
    warn_of_lengths(node, &method, lines, to->shape.rank);
    if (strcmp(method.mode, "nearest") == 0) lower_nearest(program, from, to, &method, lines);
    else lower_smooth(program, from, to, &method, lines);
    if (crops(&method)) fill_outside(program, node, &method, lines);
}

/* Axes that are not resized. */
static int carry_resize(const Node *node, int input, int axis, int output) {
    (void)output;
    if (input != 0) return -1;
    const Method method = read_method(node);
    Line lines[MAX_RANK];
    read_lines(node, &method, lines);
    return is_resized(&lines[axis]) ? -1 : axis;
}

const Op OPS_resize[] = {
    {.name = "Resize",
     .versions = {10, 11, 13, 18, 19},
     .inputs = "X:T scales:float@<11 roi:R@11@<13 roi:R?@13 scales:float@11@<13 scales:float?@13 sizes:int64?@11",
     .outputs = "Y:T",
     .types = "T: numeric bool string complex; R: float16 float double",
     .attributes =
         "mode:string=nearest coordinate_transformation_mode:string@11=half_pixel cubic_coeff_a:float@11=-0.75 "
         "exclude_outside:int@11=0 extrapolation_value:float@11=0 nearest_mode:string@11=round_prefer_floor "
         "antialias:int@18=0 axes:ints@18 keep_aspect_ratio_policy:string@18=stretch",
     .infer = infer_resize,
     .carry = carry_resize,
     .shape_input = 3,
     .layout = layout_any,
     .lower = lower_resize},
    {.name = "Upsample",
     .versions = {7, 9},
     .inputs = "X:T scales:float@9",
     .outputs = "Y:T",
     .types = "T: integers float16 float double bool string complex",
     .attributes = "mode:string=nearest scales:floats!@<9",
     .infer = infer_resize,
     .carry = carry_resize,
     .layout = layout_any,
     .lower = lower_resize},
    {0},
};
