/* Pad and CenterCropPad: a tensor is cut or framed.
 * The inside is one strided copy; a reflected, repeated or wrapped frame is copied from the output itself, one axis
 * after the other, so that corners follow from edges. */
#include "ops/carry.h"
#include "ops/movement.h"
#include "ops/window.h"

#include "base/checked.h"

#include <string.h>

/* What happens to one dimension: before and after may be negative, and then cut. */
typedef struct {
    int64_t before, after;
} Margin;

/* Cuts and frames in one: margins of all dimensions. */
typedef struct {
    Margin of[MAX_RANK];
} Margins;

/* Dimension d of the part of the input that is copied, and where it comes from and goes to. */
typedef struct {
    int64_t from, to, count;
} Inside;

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

static Inside inside_of(int64_t from_size, int64_t to_size, Margin margin) {
    int64_t from = larger(0, -margin.before), to = larger(0, margin.before);
    return (Inside){from, to, larger(0, smaller(from_size - from, to_size - to))};
}

/* Copies the inside, and says where it lies. */
static void move_inside(Program *program, const Value *from, const Value *to, const Margins *margins, Inside *inside) {
    int64_t from_strides[MAX_RANK], to_strides[MAX_RANK];
    strides_of(&from->shape, from_strides);
    strides_of(&to->shape, to_strides);
    Move move = {0};
    for (int d = 0; d < to->shape.rank; d++) {
        inside[d] = inside_of(from->shape.dims[d].size, to->shape.dims[d].size, margins->of[d]);
        if (inside[d].count > 0) move.from_offset += inside[d].from * from_strides[d];
        if (inside[d].count > 0) move.to_offset += inside[d].to * to_strides[d];
        move_dimension(&move, inside[d].count, from_strides[d], to_strides[d]);
    }
    move_buffers(program, &move, program_buffer(program, from), program_buffer(program, to));
}

static bool has_frame(const Shape *shape, const Margins *margins) {
    for (int d = 0; d < shape->rank; d++)
        if (margins->of[d].before > 0 || margins->of[d].after > 0) return true;
    return false;
}

static bool has_margins(const Shape *shape, const Margins *margins) {
    for (int d = 0; d < shape->rank; d++)
        if (margins->of[d].before != 0 || margins->of[d].after != 0) return true;
    return false;
}

/* Frames of other modes than constant */

/* One side of one axis of the output, whose elements are seen by their distance: those of the frame, from the border
 * outwards, 0 to depth - 1, and those inside, from the border inwards, 0 to size - 1. */
typedef struct {
    Program *program;
    const Value *output;
    const Inside *inside;
    int axis;
    int64_t border; /* index of the outermost element inside */
    int outwards;   /* +1 or -1 */
    int64_t depth;  /* of the frame */
    int64_t size;   /* of the inside */
} Side;

/* Copies to frame elements [first, first + count) and again every period, `times` times, from inside elements
 * source, source + step, ... Axes before this one are whole already, those after it have their inside only. */
static void move_run(const Side *side, int64_t first, int64_t count, int64_t period, int64_t times, int64_t source,
                     int step) {
    if (count <= 0 || times <= 0) return;
    const Shape *shape = &side->output->shape;
    int64_t strides[MAX_RANK];
    strides_of(shape, strides);
    int64_t outwards = side->outwards * strides[side->axis];
    Move move = {.from_offset = side->border * strides[side->axis] - source * outwards,
                 .to_offset = side->border * strides[side->axis] + (1 + first) * outwards};
    for (int d = 0; d < shape->rank; d++) {
        if (d == side->axis) {
            move_dimension(&move, times, 0, times > 1 ? period * outwards : 0);
            move_dimension(&move, count, -step * outwards, outwards);
        } else if (d < side->axis) {
            move_dimension(&move, shape->dims[d].size, strides[d], strides[d]);
        } else {
            move.from_offset += side->inside[d].to * strides[d];
            move.to_offset += side->inside[d].to * strides[d];
            move_dimension(&move, side->inside[d].count, strides[d], strides[d]);
        }
    }
    Buffer *buffer = program_buffer(side->program, side->output);
    move_buffers(side->program, &move, buffer, buffer);
}

/* A run that begins at `first` and comes back every period, as far as the frame goes: the last one may be cut off. */
static void move_runs(const Side *side, int64_t first, int64_t count, int64_t period, int64_t source, int step) {
    int64_t left = side->depth - first;
    if (left <= 0) return;
    int64_t times = left / period + (left % period >= count);
    move_run(side, first, count, period, times, source, step);
    if (left % period < count) move_run(side, first + times * period, left % period, period, 1, source, step);
}

static void frame_side(const Side *side, const char *mode) {
    int64_t size = side->size, back = size - 1;
    if (strcmp(mode, "wrap") == 0) move_runs(side, 0, size, size, back, -1);
    else if (strcmp(mode, "edge") == 0 || size == 1) move_run(side, 0, side->depth, 0, 1, 0, 0);
    else { /* inwards from the second element to the last, and back to the first */
        move_runs(side, 0, back, 2 * back, 1, 1);
        move_runs(side, back, back, 2 * back, back - 1, -1);
    }
}

static void frame_axis(Program *program, const Value *output, const Inside *inside, int axis, Margin margin,
                       const char *mode) {
    Side side = {program, output, inside, axis, inside[axis].to, -1, margin.before, inside[axis].count};
    if (margin.before > 0) frame_side(&side, mode);
    side.border = inside[axis].to + inside[axis].count - 1;
    side.outwards = 1;
    side.depth = margin.after;
    if (margin.after > 0) frame_side(&side, mode);
}

/* Pad */

static bool is_constant_mode(const Node *node) {
    const char *mode = attr_string(node, "mode");
    bool constant = strcmp(mode, "constant") == 0;
    bool wraps = strcmp(mode, "wrap") == 0 && node->version >= 19;
    if (!constant && !wraps && strcmp(mode, "reflect") != 0 && strcmp(mode, "edge") != 0)
        node_fail(node, STATUS_INVALID, "mode is %s, expected constant, reflect, edge or, from opset 19 on, wrap",
                  quoted(mode));
    return constant;
}

static Margins read_margins(const Node *node, int rank) {
    const int64_t *pads;
    int count, axes[MAX_RANK], named = node_axes(node, NULL, 3, rank, axes);
    node_ints(node, "pads", 1, &pads, &count);
    check_length(node, "pads", count, 2 * named);
    Margins margins = {0};
    for (int i = 0; i < named; i++) margins.of[axes[i]] = (Margin){pads[i], pads[named + i]};
    return margins;
}

/* A dimension with its margins. What repeats the inside needs an inside. */
static Dim pad_dim(const Node *node, Dim dim, Margin margin, bool is_constant) {
    if (dim.size < 0) return margin.before == 0 && margin.after == 0 ? dim : (Dim){-1, NULL};
    int64_t more = larger(margin.before, margin.after), less = smaller(margin.before, margin.after);
    Dim padded = dim_add(node, dim_add(node, dim, more), less);
    if (padded.size < 0)
        node_fail(node, STATUS_INVALID, "pads of %lld and %lld leave nothing of a dimension of %lld",
                  (long long)margin.before, (long long)margin.after, (long long)dim.size);
    bool framed = margin.before > 0 || margin.after > 0;
    int64_t cut = smaller(0, margin.before) < -dim.size ? -dim.size : smaller(0, margin.before);
    if (!is_constant && framed && dim.size + cut + larger(-dim.size, smaller(0, margin.after)) <= 0)
        node_fail(node, STATUS_INVALID, "nothing is left of a dimension of %lld that its frame could repeat",
                  (long long)dim.size);
    return padded;
}

static void infer_pad(Node *node) {
    const Shape *from = &node->inputs.items[0]->shape;
    bool is_constant = is_constant_mode(node);
    Shape shape = shape_open(from->rank);
    const Value *value = node_input(node, 2);
    if (value != NULL && shape_is_known(&value->shape) && shape_count(&value->shape) != 1)
        node_fail(node, STATUS_INVALID, "input 2 (constant_value) has %lld elements, expected 1",
                  (long long)shape_count(&value->shape));
    if (from->rank >= 0 && input_is_readable(node, 1) && input_is_readable(node, 3)) {
        Margins margins = read_margins(node, from->rank);
        for (int d = 0; d < from->rank; d++) shape.dims[d] = pad_dim(node, from->dims[d], margins.of[d], is_constant);
    }
    node->outputs.items[0]->shape = shape;
}

static void lower_pad(Program *program, Node *node) {
    const Value *from = node->inputs.items[0], *to = node->outputs.items[0], *value = node_input(node, 2);
    bool is_constant = is_constant_mode(node);
    Margins margins = read_margins(node, from->shape.rank);
    Inside inside[MAX_RANK];
    if (!has_margins(&to->shape, &margins)) {
        program_view(program, to, from);
        return;
    }
    program_buffer(program, to);
    if (is_constant && has_frame(&to->shape, &margins)) {
        if (value != NULL) fill_value(program, to, value);
        else fill_number(program, to, node->version < 11 ? (double)attr_float(node, "value") : 0);
    }
    move_inside(program, from, to, &margins, inside);
    for (int d = 0; d < to->shape.rank && !is_constant; d++)
        frame_axis(program, to, inside, d, margins.of[d], attr_string(node, "mode"));
}

/* A frame of a constant is what windows of one element see. */
static bool window_of_pad(const Node *node, Window *window) {
    const Shape *from = &node->inputs.items[0]->shape;
    if (!is_constant_mode(node) || node_input(node, 3) != NULL || from->rank < 3 || from->rank > MAX_SPATIAL + 2)
        return false;
    const Margins margins = read_margins(node, from->rank);
    window->rank = from->rank - 2;
    bool frames = true;
    for (int i = 0; i < window->rank; i++) {
        const Margin *margin = &margins.of[i + 2];
        frames = frames && margin->before >= 0 && margin->after >= 0;
        window->dims[i] = (WindowDim){.input = from->dims[i + 2].size,
                                      .output = node->outputs.items[0]->shape.dims[i + 2].size,
                                      .kernel = 1,
                                      .stride = 1,
                                      .dilation = 1,
                                      .before = margin->before,
                                      .after = margin->after};
    }
    return frames;
}

/* CenterCropPad */

static void infer_center_crop_pad(Node *node) {
    Shape shape = node->inputs.items[0]->shape;
    int axes[MAX_RANK], count;
    const int64_t *sizes;
    if (shape.rank >= 0) {
        int named = node_axes(node, "axes", -1, shape.rank, axes), length = input_length(node, 1);
        if (length >= 0) check_length(node, "sizes", length, named);
        bool readable = input_is_readable(node, 1);
        if (readable) node_ints(node, NULL, 1, &sizes, &count);
        for (int i = 0; i < named; i++) {
            if (readable && sizes[i] < 0)
                node_fail(node, STATUS_INVALID, "size %lld of axis %d is negative", (long long)sizes[i], axes[i]);
            shape.dims[axes[i]] = readable ? dim_known(sizes[i]) : (Dim){-1, NULL};
        }
    }
    node->outputs.items[0]->shape = shape;
}

static void lower_center_crop_pad(Program *program, Node *node) {
    const Value *from = node->inputs.items[0], *to = node->outputs.items[0];
    Margins margins = {0};
    Inside inside[MAX_RANK];
    for (int d = 0; d < to->shape.rank; d++) { /* of an odd difference the larger half comes after */
        int64_t grown = to->shape.dims[d].size - from->shape.dims[d].size;
        margins.of[d] = (Margin){grown / 2, grown - grown / 2};
    }
    if (!has_margins(&to->shape, &margins)) {
        program_view(program, to, from);
        return;
    }
    program_buffer(program, to);
    if (has_frame(&to->shape, &margins)) fill_number(program, to, 0);
    move_inside(program, from, to, &margins, inside);
}

/* Axes without margins. */
static int carry_pad(const Node *node, int input, int axis, int output) {
    (void)output;
    if (input != 0) return -1;
    const Margin margin = read_margins(node, node->inputs.items[0]->shape.rank).of[axis];
    return margin.before == 0 && margin.after == 0 ? axis : -1;
}

const Op OPS_pad[] = {
    {.name = "Pad",
     .versions = {2, 11, 13, 18, 19, 21, 23, 24, 25},
     .inputs = "data:T pads:int64@11 constant_value:T?@11 axes:I?@18",
     .outputs = "output:T",
     .types = "T: all; I: int32 int64",
     .attributes = "mode:string=constant pads:ints!@<11 value:float@<11=0",
     .infer = infer_pad,
     .carry = carry_pad,
     .layout = layout_any,
     .window = window_of_pad,
     .lower = lower_pad},
    {.name = "CenterCropPad",
     .versions = {18},
     .inputs = "input_data:T shape:I",
     .outputs = "output_data:T",
     .types = "T: numeric bool string complex; I: int32 int64",
     .attributes = "axes:ints",
     .infer = infer_center_crop_pad,
     .lower = lower_center_crop_pad},
    {0},
};
