/* Places: rows and columns are followed from the operators that make maps to the maps of blocks, axis by axis, through
 * what reshapes, transposes, joins and cuts. An axis that something unknown was done to counts nothing. */
#include "patterns/places.h"

#include "ops/op.h"
#include "patterns/block.h"

#include <string.h>

typedef enum { PLAIN, ROWS, COLUMNS, PLACES } AxisKind;
typedef enum { OF_MAP, OF_WINDOWS, IN_WINDOW } Extent; /* of the map, of its windows as wholes, of one window */

/* What an axis counts. ROWS has .rows alone, COLUMNS .columns. */
typedef struct {
    AxisKind kind;
    Extent extent;
    int64_t rows, columns, prefix, suffix, shift[2];
} Axis;

typedef struct {
    Axis axes[MAX_RANK];
} Layout;

typedef struct {
    Graph *graph;
    Layout **layouts; /* by value->mark; NULL: all axes are plain */
    Layout *made;     /* of the output at hand */
} Tracing;

static Axis axis_of(const Tracing *tracing, const Value *value, int d) {
    const Layout *layout = value == NULL ? NULL : tracing->layouts[value->mark];
    return layout == NULL || d < 0 || d >= value->shape.rank ? (Axis){0} : layout->axes[d];
}

static bool same_axis(const Axis *a, const Axis *b) {
    return a->kind == b->kind && a->extent == b->extent && a->rows == b->rows && a->columns == b->columns &&
           a->prefix == b->prefix && a->suffix == b->suffix && a->shift[0] == b->shift[0] && a->shift[1] == b->shift[1];
}

/* Lets an axis count what another one along it does; two that contradict each other count nothing. */
static void join(Axis *axis, Axis other) {
    if (axis->kind == PLAIN) *axis = other;
    else if (other.kind != PLAIN && !same_axis(axis, &other)) *axis = (Axis){0};
}

static Axis rows_of(int64_t rows) { return (Axis){.kind = ROWS, .rows = rows}; }
static Axis columns_of(int64_t columns) { return (Axis){.kind = COLUMNS, .columns = columns}; }

/* Operators. Each rule fills tracing->made from what the inputs' axes count. */

static void trace_broadcast(Tracing *tracing, const Node *node, const Value *output) {
    for (int i = 0; i < node->inputs.count; i++) {
        const Value *input = node->inputs.items[i];
        if (input == NULL) continue;
        for (int d = 0; d < input->shape.rank; d++) {
            int to = d + output->shape.rank - input->shape.rank;
            if (to >= 0 && input->shape.dims[d].size == output->shape.dims[to].size)
                join(&tracing->made->axes[to], axis_of(tracing, input, d));
        }
    }
}

static void trace_same(Tracing *tracing, const Node *node, const Value *output) {
    const Value *input = node->inputs.items[0];
    for (int d = 0; d < output->shape.rank && output->shape.rank == input->shape.rank; d++)
        if (input->shape.dims[d].size == output->shape.dims[d].size)
            tracing->made->axes[d] = axis_of(tracing, input, d);
}

/* A map [N C H W]. A convolution that looks at one place alone leaves the places as they are. */
static void trace_map(Tracing *tracing, const Node *node, const Value *output) {
    const Value *input = node->inputs.items[0];
    if (output->shape.rank != 4) return;
    bool followed = false;
    for (int d = 2; d < 4; d++) {
        bool same = input->shape.rank == 4 && input->shape.dims[d].size == output->shape.dims[d].size;
        if (same) tracing->made->axes[d] = axis_of(tracing, input, d);
        followed |= tracing->made->axes[d].kind != PLAIN;
    }
    const Value *kernel = node_input(node, 1);
    bool pointwise = strcmp(node->op_type, "Conv") == 0 && kernel != NULL && kernel->shape.rank == 4 &&
                     kernel->shape.dims[2].size == 1 && kernel->shape.dims[3].size == 1;
    if (pointwise && followed) return;
    tracing->made->axes[2] = rows_of(output->shape.dims[2].size);
    tracing->made->axes[3] = columns_of(output->shape.dims[3].size);
}

static void trace_transpose(Tracing *tracing, const Node *node, const Value *output) {
    int count;
    const int64_t *perm = attr_ints(node, "perm", &count);
    for (int d = 0; d < output->shape.rank; d++) {
        int from = perm == NULL ? output->shape.rank - 1 - d : (int)perm[d];
        tracing->made->axes[d] = axis_of(tracing, node->inputs.items[0], from);
    }
}

static void trace_product(Tracing *tracing, const Node *node, const Value *output) {
    const Value *a = node->inputs.items[0], *b = node->inputs.items[1];
    int rank = output->shape.rank;
    if (a->shape.rank < 2 || b->shape.rank < 2) return;
    for (int d = 0; d < rank - 2; d++) {
        tracing->made->axes[d] = axis_of(tracing, a, d + a->shape.rank - rank);
        join(&tracing->made->axes[d], axis_of(tracing, b, d + b->shape.rank - rank));
    }
    tracing->made->axes[rank - 2] = axis_of(tracing, a, a->shape.rank - 2);
    tracing->made->axes[rank - 1] = axis_of(tracing, b, b->shape.rank - 1);
}

/* Reshapes: groups of axes become groups of axes with as many elements. Axes of size 1 are left out. */

/* Two neighbouring axes as one. */
static Axis merge_two(Axis a, Axis b) {
    Axis merged = b;
    merged.kind = PLAIN;
    if (a.kind == ROWS && b.kind == COLUMNS && a.extent == b.extent) {
        merged.kind = PLACES;
        merged.rows = a.rows;
        merged.shift[0] = a.shift[0];
    } else if (a.kind == b.kind && (a.kind == ROWS || a.kind == COLUMNS) && a.extent == OF_WINDOWS &&
               b.extent == IN_WINDOW) {
        merged.kind = a.kind;
        merged.extent = OF_MAP;
        merged.rows *= a.rows;
        merged.columns *= a.columns;
    } else if (a.kind == PLAIN && b.kind == PLACES && b.extent == OF_WINDOWS) {
        return b; /* a batch of windows */
    }
    return merged.kind == PLAIN ? (Axis){0} : merged;
}

static Axis merge(const Axis *axes, int count) {
    Axis merged = axes[count - 1];
    for (int i = count - 2; i >= 0; i--) merged = merge_two(axes[i], merged);
    return merged;
}

/* Rows, or columns, in runs of a window's size. */
static void split_into_windows(Axis axis, const int64_t *sizes, Axis *axes) {
    for (int i = 0; i < 2; i++) {
        axes[i] = axis;
        axes[i].extent = i == 0 ? OF_WINDOWS : IN_WINDOW;
        if (axis.kind == ROWS) axes[i].rows = sizes[i];
        else axes[i].columns = sizes[i];
    }
}

/* One axis as several. */
static void split(Axis axis, const int64_t *sizes, Axis *axes, int count) {
    bool lines = axis.kind == ROWS || axis.kind == COLUMNS, bare = axis.prefix == 0 && axis.suffix == 0;
    if (lines && axis.extent == OF_MAP && count == 2) split_into_windows(axis, sizes, axes);
    if (axis.kind != PLACES || !bare) return;
    int64_t places = axis.rows * axis.columns;
    if (axis.extent == OF_WINDOWS && sizes[count - 1] == places) axes[count - 1] = axis; /* behind a batch */
    if (count < 2 || sizes[count - 2] != axis.rows || sizes[count - 1] != axis.columns) return;
    if (count > 2 && axis.extent != OF_WINDOWS) return;
    axes[count - 2] = axes[count - 1] = axis;
    axes[count - 2].kind = ROWS, axes[count - 2].columns = 0, axes[count - 2].shift[1] = 0;
    axes[count - 1].kind = COLUMNS, axes[count - 1].rows = 0, axes[count - 1].shift[0] = 0;
}

/* The axes of a shape that are not of size 1. */
static int long_axes(const Shape *shape, int *axes) {
    int count = 0;
    for (int d = 0; d < shape->rank; d++)
        if (shape->dims[d].size != 1) axes[count++] = d;
    return count;
}

static void regroup(Tracing *tracing, const Value *input, const int *from, int from_count, const Value *output,
                    const int *to, int to_count) {
    Axis before[MAX_RANK], after[MAX_RANK] = {{0}};
    int64_t sizes[MAX_RANK];
    for (int i = 0; i < from_count; i++) before[i] = axis_of(tracing, input, from[i]);
    for (int i = 0; i < to_count; i++) sizes[i] = output->shape.dims[to[i]].size;
    if (from_count == 1 && to_count == 1) after[0] = before[0];
    else if (to_count == 1) after[0] = merge(before, from_count);
    else if (from_count == 1) split(before[0], sizes, after, to_count);
    for (int i = 0; i < to_count; i++) tracing->made->axes[to[i]] = after[i];
}

static void trace_reshape(Tracing *tracing, const Node *node, const Value *output) {
    const Value *input = node->inputs.items[0];
    if (!shape_is_known(&input->shape) || shape_count(&input->shape) == 0) return;
    int from[MAX_RANK], to[MAX_RANK];
    int froms = long_axes(&input->shape, from), tos = long_axes(&output->shape, to);
    for (int i = 0, k = 0; i < froms && k < tos;) {
        int first_i = i, first_k = k;
        int64_t a = input->shape.dims[from[i++]].size, b = output->shape.dims[to[k++]].size;
        while (a != b) {
            if (a < b && i < froms) a *= input->shape.dims[from[i++]].size;
            else if (k < tos) b *= output->shape.dims[to[k++]].size;
            else return;
        }
        regroup(tracing, input, from + first_i, i - first_i, output, to + first_k, k - first_k);
    }
}

/* Joining and cutting. */

/* What Slice begins with along an axis; false where that is not known, or where it does not go on by ones to the end of
 * what it takes. */
static bool slice_start(const Node *node, int axis, int64_t *start) {
    const Value *starts = node_input(node, 1), *axes = node_input(node, 3), *steps = node_input(node, 4);
    if (strcmp(node->op_type, "Slice") != 0 || starts == NULL || starts->constant == NULL) return false;
    if ((axes != NULL && axes->constant == NULL) || (steps != NULL && steps->constant == NULL)) return false;
    const Shape *shape = &node->inputs.items[0]->shape;
    for (int64_t i = 0; i < tensor_count(starts->constant); i++) {
        int64_t at = axes == NULL ? i : tensor_int(axes->constant, i);
        if (at < 0) at += shape->rank;
        if (at != axis) continue;
        *start = tensor_int(starts->constant, i);
        if (*start < 0) *start += shape->dims[axis].size;
        return steps == NULL || tensor_int(steps->constant, i) == 1;
    }
    return false;
}

/* By how much a Concat of the two ends of one value moves it along an axis; 0 where it is something else. */
static int64_t roll_of(const Node *node, int axis) {
    if (node->inputs.count != 2) return 0;
    const Node *first = node->inputs.items[0]->producer, *second = node->inputs.items[1]->producer;
    int64_t start, rest;
    if (first == NULL || second == NULL || !slice_start(first, axis, &start) || !slice_start(second, axis, &rest))
        return 0;
    const Value *rolled = first->inputs.items[0];
    int64_t size = rolled->shape.rank > axis ? rolled->shape.dims[axis].size : -1;
    bool ends = second->inputs.items[0] == rolled && rest == 0 &&
                node->inputs.items[0]->shape.dims[axis].size == size - start &&
                node->inputs.items[1]->shape.dims[axis].size == start;
    return ends ? start : 0;
}

static void shift(Axis *axis, int64_t by) {
    int line = axis->kind == ROWS ? 0 : 1;
    int64_t size = line == 0 ? axis->rows : axis->columns;
    axis->shift[line] = (axis->shift[line] + by) % size;
}

/* Tokens before and behind those that are places. */
static Axis concatenated(const Tracing *tracing, const Node *node, int axis) {
    Axis joined = {0};
    int64_t before = 0;
    for (int i = 0; i < node->inputs.count; i++) {
        Axis own = axis_of(tracing, node->inputs.items[i], axis);
        int64_t size = node->inputs.items[i]->shape.dims[axis].size;
        if (own.kind != PLAIN && joined.kind != PLAIN) return (Axis){0};
        if (own.kind != PLAIN) {
            joined = own;
            joined.prefix += before;
        } else if (joined.kind != PLAIN) {
            joined.suffix += size;
        }
        before += size;
    }
    return joined.kind == PLACES && joined.extent == OF_MAP ? joined : (Axis){0};
}

static void trace_concat(Tracing *tracing, const Node *node, const Value *output) {
    int axis = (int)attr_int(node, "axis");
    if (axis < 0) axis += output->shape.rank;
    for (int i = 0; i < node->inputs.count; i++)
        for (int d = 0; d < output->shape.rank; d++)
            if (d != axis) join(&tracing->made->axes[d], axis_of(tracing, node->inputs.items[i], d));
    int64_t roll = roll_of(node, axis);
    Axis rolled = roll == 0 ? (Axis){0} : axis_of(tracing, node->inputs.items[0]->producer->inputs.items[0], axis);
    if (rolled.extent == OF_MAP && (rolled.kind == ROWS || rolled.kind == COLUMNS)) {
        shift(&rolled, roll);
        tracing->made->axes[axis] = rolled;
    } else {
        tracing->made->axes[axis] = concatenated(tracing, node, axis);
    }
}

/* Slice, Split, Pad: rows and columns of a map that is not moved are a map again; of tokens the places may be left. */
static void trace_cut(Tracing *tracing, const Node *node, const Value *output) {
    const Value *input = node->inputs.items[0];
    trace_same(tracing, node, output);
    for (int d = 0; d < output->shape.rank && input->shape.rank == output->shape.rank; d++) {
        Axis axis = axis_of(tracing, input, d);
        int64_t size = output->shape.dims[d].size, start = -1;
        if (axis.extent != OF_MAP || axis.shift[0] != 0 || axis.shift[1] != 0) continue;
        if (axis.kind == ROWS) tracing->made->axes[d] = rows_of(size);
        if (axis.kind == COLUMNS) tracing->made->axes[d] = columns_of(size);
        if (axis.kind != PLACES || size != axis.rows * axis.columns) continue;
        if (!slice_start(node, d, &start) || start != axis.prefix) continue;
        tracing->made->axes[d] = axis;
        tracing->made->axes[d].prefix = tracing->made->axes[d].suffix = 0;
    }
}

/* One element along an axis, which is then gone. */
static void trace_gather(Tracing *tracing, const Node *node, const Value *output) {
    const Value *input = node->inputs.items[0];
    int axis = (int)attr_int(node, "axis"), indices = node->inputs.items[1]->shape.rank;
    if (axis < 0) axis += input->shape.rank;
    for (int d = 0; d < output->shape.rank; d++)
        if (d < axis || d >= axis + indices)
            tracing->made->axes[d] = axis_of(tracing, input, d < axis ? d : d - indices + 1);
}

static const struct {
    const char *op_type;
    void (*trace)(Tracing *tracing, const Node *node, const Value *output);
} RULES[] = {
    {"Conv", trace_map},
    {"ConvTranspose", trace_map},
    {"MaxPool", trace_map},
    {"AveragePool", trace_map},
    {"Resize", trace_map},
    {"Upsample", trace_map},
    {"DepthToSpace", trace_map},
    {"SpaceToDepth", trace_map},
    {"Transpose", trace_transpose},
    {"MatMul", trace_product},
    {"Reshape", trace_reshape},
    {"Flatten", trace_reshape},
    {"Squeeze", trace_reshape},
    {"Unsqueeze", trace_reshape},
    {"Concat", trace_concat},
    {"Slice", trace_cut},
    {"Split", trace_cut},
    {"Pad", trace_cut},
    {"Gather", trace_gather},
    {"Expand", trace_broadcast},
    {"Softmax", trace_same},
    {"LayerNormalization", trace_same},
    {"RMSNormalization", trace_same},
    {"SimplifiedLayerNormalization", trace_same},
    {"GroupNormalization", trace_same},
    {"InstanceNormalization", trace_same},
    {"BatchNormalization", trace_same},
    {"Dropout", trace_same},
    {"Identity", trace_same},
    {"QuantizeLinear", trace_same},
    {"DequantizeLinear", trace_same},
    {"Cast", trace_same},
};

static void trace_node(Tracing *tracing, const Node *node) {
    if (node->domain[0] != '\0' || node->inputs.count == 0 || node->inputs.items[0] == NULL) return;
    void (*trace)(Tracing *, const Node *, const Value *) = NULL;
    for (size_t i = 0; i < sizeof RULES / sizeof *RULES; i++)
        if (strcmp(node->op_type, RULES[i].op_type) == 0) trace = RULES[i].trace;
    if (trace == NULL && node->op != NULL && node->op->formula != NULL) trace = trace_broadcast;
    for (int i = 0; trace != NULL && i < node->outputs.count; i++) {
        const Value *output = node->outputs.items[i];
        if (output == NULL || !shape_is_known(&output->shape)) continue;
        Layout made = {{{0}}};
        tracing->made = &made;
        trace(tracing, node, output);
        bool any = false;
        for (int d = 0; d < output->shape.rank; d++) any |= made.axes[d].kind != PLAIN;
        if (!any) continue;
        Layout *kept = tracing->layouts[output->mark] = arena_new_object(tracing->graph->arena, Layout);
        *kept = made;
    }
}

/* The windows that a value's first axis counts. */
static Axis windows_of(const Tracing *tracing, const Value *value) {
    Axis first = axis_of(tracing, value, 0);
    return first.kind == PLACES && first.extent == OF_WINDOWS ? first : (Axis){0};
}

/* What an axis of a map that a probe shows counts. size: as the probe sees it. */
static Places places_of(const Tracing *tracing, const Value *value, int d, int64_t size) {
    Axis axis = axis_of(tracing, value, d);
    if (axis.kind != PLACES || axis.rows * axis.columns + axis.prefix + axis.suffix != size) return (Places){0};
    Places places = {true,
                     false,
                     axis.rows,
                     axis.columns,
                     axis.prefix,
                     axis.suffix,
                     {axis.rows, axis.columns},
                     {axis.shift[0], axis.shift[1]}};
    if (axis.extent == OF_MAP) return places;
    Axis windows = windows_of(tracing, value);
    if (axis.extent != IN_WINDOW || windows.kind != PLACES) return (Places){0};
    places.has_windows = true;
    places.rows *= windows.rows;
    places.columns *= windows.columns;
    return places;
}

static void settle(const Tracing *tracing, BlockProbe *probe) {
    const Value *value = probe->value;
    int rank = probe->shape.rank;
    if (value == NULL || value->shape.rank < 2 || rank < 2) return;
    int last = value->shape.rank - 1;
    probe->keys = places_of(tracing, value, last, probe->shape.dims[rank - 1].size);
    probe->queries = places_of(tracing, value, last - 1, probe->shape.dims[rank - 2].size);
}

bool places_equal(const Places *a, const Places *b) {
    return a->is_known == b->is_known && a->has_windows == b->has_windows && a->rows == b->rows &&
           a->columns == b->columns && a->prefix == b->prefix && a->suffix == b->suffix &&
           memcmp(a->window, b->window, sizeof a->window) == 0 && memcmp(a->shift, b->shift, sizeof a->shift) == 0;
}

void places_find(Graph *graph) {
    if (graph->blocks.count == 0) return;
    Tracing tracing = {.graph = graph};
    tracing.layouts = arena_new_array(graph->arena, Layout *, (size_t)graph->values.count);
    for (int i = 0; i < graph->values.count; i++) graph->values.items[i]->mark = i;
    for (int i = 0; i < graph->nodes.count; i++) trace_node(&tracing, graph->nodes.items[i]);
    for (int i = 0; i < graph->blocks.count; i++)
        for (int k = 0; k < graph->blocks.items[i]->probes.count; k++)
            settle(&tracing, graph->blocks.items[i]->probes.items[k]);
}
