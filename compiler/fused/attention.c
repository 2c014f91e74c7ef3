/* The fuser of attention: reads scale, masks and guard off the nodes around the softmax, and operands as they lie in
 * memory before heads are split off, transposed or repeated. */
#include "fused/fuser.h"
#include "fused/strided.h"
#include "patterns/view.h"

#include <string.h>

/* With fewer queries than the kernel works on at a time, what it packs is read too seldom to pay. */
enum { LEAST_QUERIES = 4, MOST_NODES_BEFORE = 32, MOST_NODES_BEHIND = 6 };

/* The operands in the order of the operator's inputs, and its output. */
enum { Q, K, V, MASK, BIAS, KEEP, Y, OPERANDS };
static const char *const attributes[OPERANDS] = {"q", "k", "v", "mask", "bias", "keep", "y"};

typedef struct {
    Graph *graph;
    Value *scores, *logits, *probs, *out;
    const Node *product, *last;     /* the MatMul of queries and keys, and that of probabilities and values */
    bool guarded, kept, is_swapped; /* swapped: values are the left operand, and all is transposed */
    double scale, fill;
    Value *used[OPERANDS];     /* as the nodes read them; NULL where there is none */
    const Shape *at[OPERANDS]; /* the shape to which an operand is broadcast where it is used */
    Strided views[OPERANDS];   /* over the batch dimensions of the logits, rows and columns */
} Attention;

static bool is_all(const Value *value, double number) {
    if (value == NULL || value->constant == NULL) return false;
    for (int64_t i = 0; i < tensor_count(value->constant); i++)
        if (tensor_number(value->constant, i) != number) return false;
    return true;
}

/* Where(IsNaN(p), 0, p): p, else NULL. */
static Value *guarded_value(const Node *node) {
    if (!is_node(node, "Where") || !is_all(node->inputs.items[1], 0)) return NULL;
    const Node *test = view_root(node->inputs.items[0])->producer;
    Value *p = view_root(node->inputs.items[2]);
    return is_node(test, "IsNaN") && view_root(test->inputs.items[0]) == p ? p : NULL;
}

static bool read_softmax(Attention *a) {
    Value *softmax = guarded_value(a->probs->producer);
    a->guarded = softmax != NULL;
    const Node *node = (softmax != NULL ? softmax : a->probs)->producer;
    if (!is_node(node, "Softmax") || node->graph != a->graph) return false;
    a->logits = view_root(node->inputs.items[0]);
    int rank = node->inputs.items[0]->shape.rank;
    int64_t axis = node_attribute(node, "axis") == NULL && node->version < 13 ? 1 : attr_int(node, "axis");
    const Shape *logits = &a->logits->shape, *probs = &a->probs->shape;
    return rank >= 2 && node_axis(node, axis, rank) == rank - 1 && logits->rank >= 2 && probs->rank >= 2 &&
           logits->dims[logits->rank - 1].size == probs->dims[probs->rank - 1].size &&
           logits->dims[logits->rank - 2].size == probs->dims[probs->rank - 2].size;
}

/* Whether a value is made of the scores by steps that read_logits() knows. */
static bool leads_to_scores(const Attention *a, Value *value, int depth) {
    value = view_root(value);
    if (value == a->scores) return true;
    const Node *node = value->producer;
    if (node == NULL || depth == 0) return false;
    bool choice = is_node(node, "Where");
    if (!choice && !is_node(node, "Add") && !is_node(node, "Mul") && !is_node(node, "Div") && !is_node(node, "Reshape"))
        return false;
    for (int i = choice ? 1 : 0; i < node->inputs.count && (i < 2 || choice); i++)
        if (node->inputs.items[i] != NULL && leads_to_scores(a, node->inputs.items[i], depth - 1)) return true;
    return false;
}

/* Which input of a node is made of the scores; -1: none. */
static int scores_side(const Attention *a, const Node *node, int from) {
    for (int i = from; i < from + 2 && i < node->inputs.count; i++)
        if (node->inputs.items[i]->constant == NULL && leads_to_scores(a, node->inputs.items[i], 8)) return i;
    return -1;
}

static bool use(Attention *a, int operand, Value *value, const Shape *at) {
    if (a->used[operand] != NULL || !is_fusible_shape(&value->shape)) return false;
    a->used[operand] = value, a->at[operand] = at;
    return true;
}

/* What a node adds, unless that is nothing. Above it nothing may be multiplied; masks are added in their order, the
 * lower one first. */
static bool read_sum(Attention *a, const Node *node, int side) {
    Value *added = node->inputs.items[1 - side];
    if (is_all(added, 0)) return true;
    if (a->scale != 1 || added->type != a->probs->type) return false;
    if (a->used[MASK] == NULL) return use(a, MASK, added, &node->outputs.items[0]->shape);
    if (!use(a, BIAS, added, &node->outputs.items[0]->shape)) return false;
    Value *value = a->used[MASK];
    const Shape *at = a->at[MASK];
    a->used[MASK] = a->used[BIAS], a->at[MASK] = a->at[BIAS];
    a->used[BIAS] = value, a->at[BIAS] = at;
    return true;
}

/* Where(keep, scores, fill), or with the two exchanged; nothing may be added or multiplied above it. */
static bool read_choice(Attention *a, const Node *node, int side) {
    const Value *fill = node->inputs.items[3 - side];
    if (a->scale != 1 || a->used[MASK] != NULL || fill->constant == NULL) return false;
    a->kept = side == 1;
    a->fill = tensor_number(fill->constant, 0);
    return is_all(fill, a->fill) && use(a, KEEP, node->inputs.items[0], &node->outputs.items[0]->shape);
}

static bool read_factor(Attention *a, const Node *node, int side) {
    const Value *factor = node->inputs.items[1 - side];
    if (factor->constant == NULL || tensor_count(factor->constant) != 1) return false;
    double number = tensor_number(factor->constant, 0);
    if (is_node(node, "Div") && side != 0) return false;
    a->scale *= is_node(node, "Div") ? 1 / number : number;
    return true;
}

/* What is between the scores and the softmax, from the softmax on. */
static bool read_logits(Attention *a) {
    for (Value *value = a->logits; value != a->scores;) {
        const Node *node = value->producer;
        if (node == NULL || node->graph != a->graph) return false;
        bool choice = is_node(node, "Where"), reshape = is_node(node, "Reshape");
        int side = reshape ? 0 : scores_side(a, node, choice ? 1 : 0);
        if (side < 0) return false;
        bool known = reshape || (choice && read_choice(a, node, side)) ||
                     (is_node(node, "Add") && read_sum(a, node, side)) ||
                     ((is_node(node, "Mul") || is_node(node, "Div")) && read_factor(a, node, side));
        if (!known) return false;
        value = view_root(node->inputs.items[side]);
    }
    a->product = a->scores->producer;
    return is_node(a->product, "MatMul") && a->product->inputs.count == 2;
}

static void swap_last(Strided *view) {
    StridedDim kept = view->dims[view->rank - 1];
    view->dims[view->rank - 1] = view->dims[view->rank - 2];
    view->dims[view->rank - 2] = kept;
}

/* Whether an operand of the last product is the probabilities, row by row in memory; swapped: with rows and columns
 * exchanged. */
static bool is_probs(const Attention *a, Value *operand, bool swapped) {
    if (operand->shape.rank < 2 || !is_fusible_shape(&operand->shape)) return false;
    Strided view = strided_trace(operand, a->probs, MOST_NODES_BEFORE, NULL);
    if (view.base != a->probs) return false;
    if (swapped) swap_last(&view);
    const Shape *shape = &a->probs->shape;
    for (int d = 1; d <= 2; d++)
        if (strided_extent(&view.dims[view.rank - d]) != shape->dims[shape->rank - d].size) return false;
    Dim all = dim_known(shape_count(shape));
    int64_t stride;
    return strided_reshape(&view, 1, &all) && view.offset == 0 && strided_stride(&view.dims[0], &stride) && stride == 1;
}

static bool read_last(Attention *a) {
    a->last = a->out->producer;
    if (!is_node(a->last, "MatMul") || a->last->inputs.count != 2 || a->last->graph != a->graph) return false;
    int side = is_probs(a, a->last->inputs.items[0], false) ? 0 : 1;
    a->is_swapped = side == 1;
    if (side == 1 && !is_probs(a, a->last->inputs.items[1], true)) return false;
    Value *values = a->last->inputs.items[1 - side];
    const Shape *probs = &a->last->inputs.items[side]->shape, *out = &a->out->shape;
    return values->shape.rank >= 2 && out->rank >= 2 &&
           shape_product(probs, 0, probs->rank - 2) == shape_product(out, 0, out->rank - 2) && use(a, V, values, out);
}

static bool read_attention(Attention *a, const Block *block) {
    Value *scores = block_tensor(block, "scores"), *probs = block_tensor(block, "probs");
    a->out = block_tensor(block, "out");
    if (scores == NULL || probs == NULL || a->out == NULL) return false;
    a->scores = view_root(scores), a->probs = view_root(probs);
    if (!is_fusible_type(a->probs->type) || !is_fusible_shape(&a->probs->shape)) return false;
    if (!read_softmax(a) || !is_fusible_shape(&a->logits->shape) || !read_logits(a) || !read_last(a)) return false;
    for (int i = 0; i < 2; i++) {
        Value *operand = a->product->inputs.items[i];
        if (operand->shape.rank < 2 || operand->type != a->probs->type) return false;
        if (!use(a, i == 0 ? Q : K, operand, &a->scores->shape)) return false;
    }
    const Shape *logits = &a->logits->shape;
    return logits->dims[logits->rank - 2].size >= LEAST_QUERIES;
}

/* Operands over the dimensions of the logits. */

/* Turns the batch dimensions of a view, as they are where it is used, into those of the logits. */
static bool fit(const Attention *a, Strided *view) {
    const Shape *logits = &a->logits->shape;
    Strided batch = *view;
    batch.rank = view->rank - 2;
    StridedDim rows = view->dims[view->rank - 2], columns = view->dims[view->rank - 1];
    if (!strided_reshape(&batch, logits->rank - 2, logits->dims)) return false;
    *view = batch;
    view->dims[view->rank++] = rows, view->dims[view->rank++] = columns;
    return true;
}

/* An operand of a product: only its batch dimensions are broadcast. */
static bool place_factor(Attention *a, int operand, int most, double *factor) {
    Strided *view = &a->views[operand];
    const Value *used = a->used[operand];
    Shape shape = *a->at[operand];
    *view = strided_trace(a->used[operand], a->probs, most, factor);
    for (int d = 1; d <= 2; d++) shape.dims[shape.rank - d] = used->shape.dims[used->shape.rank - d];
    if (!strided_broadcast(view, shape.rank, shape.dims)) return false;
    if (operand == K || (operand == V && a->is_swapped)) swap_last(view);
    return fit(a, view);
}

static bool place_mask(Attention *a, int operand, int most) {
    if (a->used[operand] == NULL) return true;
    const Shape *at = a->at[operand], *logits = &a->logits->shape;
    for (int d = 1; d <= 2; d++)
        if (at->dims[at->rank - d].size != logits->dims[logits->rank - d].size) return false;
    a->views[operand] = strided_trace(a->used[operand], a->probs, most, NULL);
    return strided_broadcast(&a->views[operand], at->rank, at->dims) && fit(a, &a->views[operand]);
}

/* What alone reads a value and only moves its elements: the value that it makes; NULL where there is no such node. */
static Value *moved(const Attention *a, const Value *value) {
    if (value->consumers.count != 1 || value->is_output || value->is_probed) return NULL;
    const Node *node = value->consumers.items[0];
    bool moves = node->graph == a->graph && (is_node(node, "Transpose") || is_reshaping(node));
    return moves && node->inputs.items[0] == value ? node->outputs.items[0] : NULL;
}

/* Lets the output be written as what is made of it, `last` nodes behind. */
static bool place_behind(Attention *a, Value *const *chain, int last) {
    Strided *view = &a->views[Y];
    *view = strided_plain(chain[last]);
    for (int i = last; i > 0; i--) {
        const Shape *shape = &chain[i - 1]->shape;
        if (is_node(chain[i]->producer, "Transpose")) strided_untranspose(view, chain[i]->producer);
        else if (!strided_reshape(view, shape->rank, shape->dims)) return false;
    }
    a->used[Y] = chain[last];
    if (a->is_swapped) swap_last(view);
    return fit(a, view);
}

/* Whether the features of a result lie apart, as they do in a map with its channels first. */
static bool is_turned(const Strided *view) {
    int64_t stride;
    return !strided_stride(&view->dims[view->rank - 1], &stride) || stride > 1;
}

/* Up to the last Transpose behind it, or as it is; then up to the map that it becomes, whose channels can lie last. */
static bool place_output(Attention *a, bool with_moves) {
    Value *chain[MOST_NODES_BEHIND + 1] = {a->out};
    int last = 0, map = 0;
    for (int i = 0; with_moves && i < MOST_NODES_BEHIND; i++) {
        chain[i + 1] = moved(a, chain[i]);
        if (chain[i + 1] == NULL || !is_fusible_shape(&chain[i + 1]->shape)) break;
        if (is_node(chain[i + 1]->producer, "Transpose")) last = i + 1;
        if (shape_has_layout(&chain[i + 1]->shape)) map = i + 1;
    }
    if (!place_behind(a, chain, last)) return false;
    return map <= last || !is_turned(&a->views[Y]) || place_behind(a, chain, map) || place_behind(a, chain, last);
}

/* The operator's attributes. */

typedef struct {
    int rank;
    int64_t sizes[MAX_RANK + 4]; /* the batch dimensions; then LQ, LK, D, DV */
    int64_t strides[OPERANDS][MAX_RANK + 2];
} Form;

/* Lets all operands have the same axes in the batch dimensions. */
static bool refine(Attention *a) {
    for (int d = 0; d < a->logits->shape.rank - 2; d++) {
        StridedDim *dims[OPERANDS];
        int count = 0;
        for (int i = 0; i < OPERANDS; i++)
            if (a->used[i] != NULL) dims[count++] = &a->views[i].dims[d];
        if (!strided_refine(dims, count)) return false;
    }
    return true;
}

/* Appends a batch dimension, or lengthens the last one where all operands allow it. */
static bool add_batch(const Attention *a, Form *form, int d, int axis) {
    int64_t extent = a->views[Q].dims[d].extent[axis];
    bool joins = form->rank > 0;
    for (int i = 0; i < OPERANDS; i++)
        if (a->used[i] != NULL && joins)
            joins = form->strides[i][form->rank - 1] == a->views[i].dims[d].stride[axis] * extent;
    if (!joins && form->rank == MAX_RANK) return false;
    int at = joins ? form->rank - 1 : form->rank++;
    form->sizes[at] = joins ? form->sizes[at] * extent : extent;
    for (int i = 0; i < OPERANDS; i++)
        if (a->used[i] != NULL) form->strides[i][at] = a->views[i].dims[d].stride[axis];
    return true;
}

static bool make_form(Attention *a, Form *form) {
    *form = (Form){0};
    if (!refine(a)) return false;
    for (int d = 0; d < a->logits->shape.rank - 2; d++)
        for (int axis = 0; axis < a->views[Q].dims[d].count; axis++)
            if (!add_batch(a, form, d, axis)) return false;
    if (form->rank == 0) form->sizes[form->rank++] = 1; /* one pair */
    int rank = form->rank, last = a->logits->shape.rank - 1;
    for (int i = 0; i < OPERANDS; i++)
        for (int k = 0; k < 2 && a->used[i] != NULL; k++)
            if (!strided_stride(&a->views[i].dims[last - 1 + k], &form->strides[i][rank + k])) return false;
    form->sizes[rank] = strided_extent(&a->views[Q].dims[last - 1]);
    form->sizes[rank + 1] = strided_extent(&a->views[K].dims[last - 1]);
    form->sizes[rank + 2] = strided_extent(&a->views[Q].dims[last]);
    form->sizes[rank + 3] = strided_extent(&a->views[V].dims[last]);
    return true;
}

/* Takes in as much of what surrounds the products as `most` and `with_moves` say. */
static bool place_all(Attention *a, int most, bool with_moves, Form *form) {
    double scale = a->scale;
    bool placed = place_factor(a, Q, most, &scale) && place_factor(a, K, most, &scale) &&
                  place_factor(a, V, most, NULL) && place_output(a, with_moves);
    for (int i = MASK; i <= KEEP && placed; i++) placed = place_mask(a, i, most);
    if (!placed || !make_form(a, form)) return false;
    a->scale = scale;
    return true;
}

static bool apply(Attention *a, const Block *block, const Form *form) {
    Fusion fusion = {.op = "Attention", .output = a->used[Y], .extras = {a->probs, a->logits}, .extra_count = 2};
    int64_t offsets[KEEP + 1] = {0};
    for (int i = Q; i <= KEEP; i++) {
        fusion.inputs[i] = a->used[i] == NULL ? NULL : a->views[i].base;
        if (a->used[i] == NULL) continue;
        fusion.input_count = i + 1;
        offsets[i] = a->views[i].offset;
    }
    Node *node = fusion_apply(a->graph, block, &fusion);
    if (node == NULL) return false;
    Arena *arena = a->graph->arena;
    node_set_ints(node, "sizes", form->sizes, form->rank + 4);
    node_set_ints(node, "offsets", offsets, KEEP + 1);
    for (int i = 0; i < OPERANDS; i++)
        if (a->used[i] != NULL) node_set_ints(node, attributes[i], form->strides[i], form->rank + 2);
    node_set_string(node, "scale", arena_printf(arena, "%.17g", a->scale));
    node_set_string(node, "fill", arena_printf(arena, "%.17g", a->fill));
    node_set_int(node, "kept", a->kept);
    node_set_int(node, "guarded", a->guarded);
    return true;
}

static bool fuse_attention(Graph *graph, Block *block) {
    Attention a = {.graph = graph, .scale = 1, .kept = true};
    Form form;
    if (!read_attention(&a, block)) return false;
    bool placed = place_all(&a, MOST_NODES_BEFORE, true, &form) || place_all(&a, MOST_NODES_BEFORE, false, &form) ||
                  place_all(&a, 0, false, &form);
    return placed && apply(&a, block, &form);
}

const Fuser FUSERS_attention[] = {{"attention", fuse_attention}, {0}};
