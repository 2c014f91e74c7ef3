/* Slices: operators that cut a tensor along its axes, and Concat, which joins.
 * Each piece is one strided copy; one that is the whole tensor is a view. */
#include "ops/carry.h"
#include "ops/gradient.h"
#include "ops/movement.h"

#include "base/checked.h"

/* Slice */

/* What is taken of one dimension: elements start, start + step, ... */
typedef struct {
    int64_t start, step, count;
} Cut;

/* An index that counts from the back where negative, brought into [low, high]. */
static int64_t clamp_index(int64_t index, int64_t size, int64_t low, int64_t high) {
    if (index < 0) index = index < -size ? low : index + size;
    return index < low ? low : index > high ? high : index;
}

static Cut cut_of(int64_t start, int64_t end, int64_t step, int64_t size) {
    if (step > 0) {
        start = clamp_index(start, size, 0, size), end = clamp_index(end, size, 0, size);
        return (Cut){start, step, end > start ? (end - start - 1) / step + 1 : 0};
    }
    if (step == INT64_MIN) step++; /* so that it can be negated; more than any size all the same */
    start = clamp_index(start, size, size > 0 ? 0 : -1, size - 1), end = clamp_index(end, size, -1, size - 1);
    return (Cut){start, step, start > end ? (start - end - 1) / -step + 1 : 0};
}

/* The four lists of Slice, from attributes or inputs. */
typedef struct {
    int axes[MAX_RANK];
    int count;
    const int64_t *starts, *ends, *steps; /* steps NULL: all 1 */
} SliceLists;

static SliceLists read_slice(const Node *node, int rank) {
    SliceLists lists;
    int starts, ends, steps;
    node_ints(node, "starts", 1, &lists.starts, &starts);
    node_ints(node, "ends", 2, &lists.ends, &ends);
    bool has_steps = node_ints(node, NULL, 4, &lists.steps, &steps);
    check_length(node, "ends", ends, starts);
    if (has_steps) check_length(node, "steps", steps, starts);
    if (node_attribute(node, "axes") != NULL || node_input(node, 3) != NULL) {
        lists.count = node_axes(node, "axes", 3, rank, lists.axes);
        check_length(node, "axes", lists.count, starts);
        return lists;
    }
    if (starts > rank) node_fail(node, STATUS_INVALID, "%d starts, but the input has %d dimensions", starts, rank);
    lists.count = starts;
    for (int i = 0; i < starts; i++) lists.axes[i] = i;
    return lists;
}

static int64_t slice_step(const Node *node, const SliceLists *lists, int i) {
    if (lists->steps == NULL) return 1;
    if (lists->steps[i] == 0) node_fail(node, STATUS_INVALID, "the step along axis %d is 0", lists->axes[i]);
    return lists->steps[i];
}

/* Of an unknown dimension: what takes all of it leaves it as it is. */
static Dim slice_open(Dim dim, int64_t start, int64_t end, int64_t step) {
    bool all = (step == 1 && start == 0 && end >= INT32_MAX) || (step == -1 && start == -1 && end <= -INT32_MAX);
    return all ? dim : (Dim){-1, NULL};
}

/* Opens the axes that may change when where to cut is computed at run time. */
static void open_sliced(const Node *node, Shape *shape) {
    int axes[MAX_RANK], count = input_length(node, 1);
    if (node_input(node, 3) != NULL && input_is_readable(node, 3)) {
        count = node_axes(node, NULL, 3, shape->rank, axes);
    } else {
        if (node_input(node, 3) != NULL || count < 0 || count > shape->rank) count = shape->rank;
        for (int i = 0; i < count; i++) axes[i] = i;
    }
    for (int i = 0; i < count; i++) shape->dims[axes[i]] = (Dim){-1, NULL};
}

static void infer_slice(Node *node) {
    Shape shape = node->inputs.items[0]->shape;
    Value *output = node->outputs.items[0];
    bool readable = true;
    for (int i = 1; i < 5; i++) readable &= input_is_readable(node, i);
    if (shape.rank >= 0 && !readable) {
        open_sliced(node, &shape);
    } else if (shape.rank >= 0) {
        SliceLists lists = read_slice(node, shape.rank);
        for (int i = 0; i < lists.count; i++) {
            Dim *dim = &shape.dims[lists.axes[i]];
            int64_t step = slice_step(node, &lists, i), start = lists.starts[i], end = lists.ends[i];
            *dim = dim->size < 0 ? slice_open(*dim, start, end, step)
                                 : dim_known(cut_of(start, end, step, dim->size).count);
        }
    }
    output->shape = shape;
}

static void lower_slice(Program *program, Node *node) {
    const Value *from = node->inputs.items[0], *to = node->outputs.items[0];
    int rank = from->shape.rank;
    Cut cuts[MAX_RANK];
    for (int d = 0; d < rank; d++) cuts[d] = (Cut){0, 1, from->shape.dims[d].size};
    SliceLists lists = read_slice(node, rank);
    for (int i = 0; i < lists.count; i++) {
        int64_t size = from->shape.dims[lists.axes[i]].size;
        cuts[lists.axes[i]] = cut_of(lists.starts[i], lists.ends[i], slice_step(node, &lists, i), size);
    }
    int64_t from_strides[MAX_RANK], to_strides[MAX_RANK];
    strides_of(&from->shape, from_strides);
    strides_of(&to->shape, to_strides);
    Move move = {0};
    for (int d = 0; d < rank; d++) {
        if (cuts[d].count > 0) move.from_offset += cuts[d].start * from_strides[d];
        int64_t step = cuts[d].count > 1 ? cuts[d].step : 0; /* otherwise it may be anything */
        move_dimension(&move, cuts[d].count, step * from_strides[d], to_strides[d]);
    }
    move_value(program, &move, from, to);
}

/* Copies a piece of a tensor, elements [start, start + the piece's size) of one axis, out of the whole or into it. */
static void move_piece(Program *program, const Value *whole, const Value *piece, int axis, int64_t start, bool joins) {
    const Shape *shape = &piece->shape;
    int64_t whole_strides[MAX_RANK], piece_strides[MAX_RANK];
    strides_of(&whole->shape, whole_strides);
    strides_of(shape, piece_strides);
    Move move = {0};
    *(joins ? &move.to_offset : &move.from_offset) = shape_count(shape) > 0 ? start * whole_strides[axis] : 0;
    for (int d = 0; d < shape->rank; d++) {
        int64_t a = whole_strides[d], b = piece_strides[d];
        move_dimension(&move, shape->dims[d].size, joins ? b : a, joins ? a : b);
    }
    if (joins) move_buffers(program, &move, program_buffer(program, piece), program_buffer(program, whole));
    else move_value(program, &move, whole, piece);
}

/* Concat */

/* Shapes to join: the same but along the axis, where sizes add up. */
static Shape join_shapes(const Node *node, Shape joined, const Shape *shape, int axis) {
    if (shape->rank != joined.rank)
        node_fail(node, STATUS_INVALID, "inputs of %d and of %d dimensions cannot be joined", joined.rank, shape->rank);
    for (int d = 0; d < joined.rank; d++) {
        if (d != axis) joined.dims[d] = dim_unify(node, joined.dims[d], shape->dims[d], "a dimension off the axis");
        else if (shape->dims[d].size < 0) joined.dims[d] = joined.dims[d].size == 0 ? shape->dims[d] : (Dim){-1, NULL};
        else joined.dims[d] = dim_add(node, joined.dims[d], shape->dims[d].size);
    }
    return joined;
}

static void infer_concat(Node *node) {
    const ValueList *inputs = &node->inputs;
    bool ranked = true;
    for (int i = 0; i < inputs->count; i++) ranked &= inputs->items[i]->shape.rank >= 0;
    node->outputs.items[0]->shape = SHAPE_UNKNOWN;
    if (!ranked) return;
    Shape shape = inputs->items[0]->shape;
    int axis = node_axis(node, attr_int(node, "axis"), shape.rank);
    for (int i = 1; i < inputs->count; i++) shape = join_shapes(node, shape, &inputs->items[i]->shape, axis);
    node->outputs.items[0]->shape = shape;
}

static void lower_concat(Program *program, Node *node) {
    const Value *output = node->outputs.items[0];
    int axis = node_axis(node, attr_int(node, "axis"), output->shape.rank);
    if (node->inputs.count == 1) {
        program_view(program, output, node->inputs.items[0]);
        return;
    }
    program_buffer(program, output);
    int64_t start = 0;
    for (int i = 0; i < node->inputs.count; i++) {
        move_piece(program, output, node->inputs.items[i], axis, start, true);
        start += node->inputs.items[i]->shape.dims[axis].size;
    }
}

/* Split */

static void check_sizes(const Node *node, const int64_t *sizes, int count, Dim dim) {
    int64_t sum = 0;
    check_length(node, "sizes to split into", count, node->outputs.count);
    for (int i = 0; i < count; i++)
        if (sizes[i] < 0 || !checked_add(sum, sizes[i], &sum))
            node_fail(node, STATUS_INVALID, "size %lld of output %d is out of range", (long long)sizes[i], i);
    if (dim.size >= 0 && dim.size != sum)
        node_fail(node, STATUS_INVALID, "the sizes add up to %lld, but the dimension to split is %lld", (long long)sum,
                  (long long)dim.size);
}

/* Equal sizes; from version 18 on, where num_outputs is given, the last one may be smaller. */
static int64_t equal_size(const Node *node, int64_t size, int i) {
    int64_t count = node->outputs.count, each = size / count + (size % count != 0);
    bool uneven = node_attribute(node, "num_outputs") != NULL;
    if (size % count != 0 && (!uneven || each * (count - 1) > size))
        node_fail(node, STATUS_INVALID, "a dimension of %lld cannot be split into %lld equal parts", (long long)size,
                  (long long)count);
    return i < count - 1 ? each : size - each * (count - 1);
}

/* The size of output i along the axis. */
static Dim split_dim(const Node *node, Dim dim, int i) {
    const int64_t *sizes;
    int count;
    if (!input_is_readable(node, 1)) return (Dim){-1, NULL};
    if (node_ints(node, "split", 1, &sizes, &count)) {
        check_sizes(node, sizes, count, dim);
        return dim_known(sizes[i]);
    }
    if (node->outputs.count == 1) return dim;
    return dim.size < 0 ? (Dim){-1, NULL} : dim_known(equal_size(node, dim.size, i));
}

static void infer_split(Node *node) {
    const Shape *from = &node->inputs.items[0]->shape;
    int64_t count = node_attribute(node, "num_outputs") == NULL ? node->outputs.count : attr_int(node, "num_outputs");
    if (count != node->outputs.count)
        node_fail(node, STATUS_INVALID, "num_outputs is %lld, but there are %d", (long long)count, node->outputs.count);
    int axis = from->rank < 0 ? 0 : node_axis(node, attr_int(node, "axis"), from->rank);
    for (int i = 0; i < node->outputs.count; i++) {
        Value *output = node->outputs.items[i];
        if (output == NULL) continue;
        output->shape = *from;
        if (from->rank >= 0) output->shape.dims[axis] = split_dim(node, from->dims[axis], i);
    }
}

static void lower_split(Program *program, Node *node) {
    const Value *from = node->inputs.items[0];
    int axis = node_axis(node, attr_int(node, "axis"), from->shape.rank);
    int64_t start = 0;
    for (int i = 0; i < node->outputs.count; i++) {
        const Value *output = node->outputs.items[i];
        if (output != NULL) move_piece(program, from, output, axis, start, false);
        start += split_dim(node, from->shape.dims[axis], i).size;
    }
}

/* Axes that are taken whole and in order. */
static int carry_slice(const Node *node, int input, int axis, int output) {
    (void)output;
    if (input != 0) return -1;
    for (int i = 1; i < 5; i++)
        if (!input_is_readable(node, i)) return -1;
    const Shape *shape = &node->inputs.items[0]->shape;
    const SliceLists lists = read_slice(node, shape->rank);
    for (int i = 0; i < lists.count; i++) {
        if (lists.axes[i] != axis) continue;
        const int64_t step = slice_step(node, &lists, i), size = shape->dims[axis].size;
        const Cut cut = cut_of(lists.starts[i], lists.ends[i], step, size);
        if (step != 1 || cut.start != 0 || cut.count != size) return -1;
    }
    return axis;
}

static Value *gradient_of_concat(const Backward *b) {
    const int axis = node_axis(b->node, attr_int(b->node, "axis"), b->dy->shape.rank);
    int64_t from = 0;
    for (int i = 0; i < b->input; i++) from += size_of(b->x[i], axis);
    return expand_slice(b->e, b->dy, axis, from, from + size_of(b->x[b->input], axis), 1);
}

const Op OPS_slices[] = {
    {.name = "Slice",
     .versions = {1, 10, 11, 13},
     .inputs = "data:T starts:I@10 ends:I@10 axes:I?@10 steps:I?@10",
     .outputs = "output:T",
     .types = "T: numeric bool string complex; I: int32 int64",
     .attributes = "starts:ints!@<10 ends:ints!@<10 axes:ints@<10",
     .infer = infer_slice,
     .carry = carry_slice,
     .layout = layout_any,
     .lower = lower_slice},
    {.name = "Concat",
     .versions = {4, 11, 13},
     .inputs = "inputs:T*",
     .outputs = "concat_result:T",
     .types = "T: numeric bool string complex",
     .attributes = "axis:int!",
     .infer = infer_concat,
     .carry = carry_other_axes,
     .layout = layout_any,
     .lower = lower_concat,
     .gradient_of = gradient_of_concat},
    {.name = "Split",
     .versions = {2, 11, 13, 18},
     .inputs = "input:T split:int64?@13",
     .outputs = "outputs:T*",
     .types = "T: numeric bool string complex",
     .attributes = "axis:int=0 split:ints@<13 num_outputs:int@18",
     .infer = infer_split,
     .carry = carry_other_axes,
     .layout = layout_any,
     .lower = lower_split},
    {0},
};
