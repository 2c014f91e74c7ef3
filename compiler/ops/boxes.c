/* Boxes: RoiAlign and MaxRoiPool, whose kernels are in runtime/boxes.c, and NonMaxSuppression.
 * How many boxes NonMaxSuppression keeps depends on its data, so that it is computed while compiling, where these are
 * known, and cannot be at run time. */
#include "ops/movement.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* RoiAlign and MaxRoiPool */

/* Sets the output's shape [R C height width], and checks the boxes [R columns]. */
static void infer_regions(Node *node, int columns, int64_t height, int64_t width) {
    const Shape *x = &node->inputs.items[0]->shape, *boxes = &node->inputs.items[1]->shape;
    Shape *y = &node->outputs.items[0]->shape;
    if (height < 1 || width < 1 || height > INT32_MAX || width > INT32_MAX)
        node_fail(node, STATUS_INVALID, "an output of %lld x %lld elements", (long long)height, (long long)width);
    if (x->rank >= 0 && x->rank != 4)
        node_fail(node, STATUS_INVALID, "the input has %d dimensions, expected 4", x->rank);
    if (boxes->rank >= 0 && boxes->rank != 2)
        node_fail(node, STATUS_INVALID, "the boxes have %d dimensions, expected 2", boxes->rank);
    *y = (Shape){.rank = 4, .dims = {{-1, NULL}, {-1, NULL}, dim_known(height), dim_known(width)}};
    if (x->rank == 4) y->dims[1] = x->dims[1];
    if (boxes->rank != 2) return;
    dim_unify(node, boxes->dims[1], dim_known(columns), "the number of a box's columns");
    y->dims[0] = boxes->dims[0];
}

/* A step that all sizes, x, the boxes and y are given to; NULL where there is nothing to compute. */
static Step *regions_step(Program *program, const Node *node, const char *kernel) {
    const Value *x = node->inputs.items[0], *y = node->outputs.items[0];
    if (is_empty(y)) return NULL;
    if (shape_count(&x->shape) == 0) node_fail(node, STATUS_INVALID, "the input is empty");
    Step *step = step_kernel(program, kernel, x->type);
    step_value(program, step, "x", x);
    step_value(program, step, "boxes", node->inputs.items[1]);
    step_value(program, step, "y", y);
    step_number(step, "scale", (double)attr_float(node, "spatial_scale"));
    step_size(step, "N", x->shape.dims[0].size), step_size(step, "C", x->shape.dims[1].size);
    step_size(step, "H", x->shape.dims[2].size), step_size(step, "W", x->shape.dims[3].size);
    step_size(step, "R", y->shape.dims[0].size);
    step_size(step, "OH", y->shape.dims[2].size), step_size(step, "OW", y->shape.dims[3].size);
    return step;
}

static bool is_one_of(const Node *node, const char *attribute, const char *wanted, const char *other) {
    const char *given = attr_string(node, attribute);
    if (strcmp(given, wanted) != 0 && strcmp(given, other) != 0)
        node_fail(node, STATUS_INVALID, "%s is %s, expected %s or %s", attribute, quoted(given), wanted, other);
    return strcmp(given, wanted) == 0;
}

/* Before version 16 boxes lie half an element off. */
static bool is_half_pixel(const Node *node) {
    return node->version >= 16 && is_one_of(node, "coordinate_transformation_mode", "half_pixel", "output_half_pixel");
}

static void infer_roi_align(Node *node) {
    enum { MOST_RATIO = 4096 };
    const Shape *boxes = &node->inputs.items[1]->shape, *batch = &node->inputs.items[2]->shape;
    const int64_t ratio = attr_int(node, "sampling_ratio");
    infer_regions(node, 4, attr_int(node, "output_height"), attr_int(node, "output_width"));
    if (ratio < 0 || ratio > MOST_RATIO)
        node_fail(node, STATUS_INVALID, "sampling_ratio is %lld, expected 0 to %d", (long long)ratio, MOST_RATIO);
    (void)is_one_of(node, "mode", "max", "avg"), (void)is_half_pixel(node);
    if (batch->rank >= 0 && batch->rank != 1)
        node_fail(node, STATUS_INVALID, "batch_indices has %d dimensions, expected 1", batch->rank);
    if (batch->rank == 1 && boxes->rank == 2)
        node->outputs.items[0]->shape.dims[0] = dim_unify(node, boxes->dims[0], batch->dims[0], "the number of boxes");
}

static void lower_roi_align(Program *program, Node *node) {
    Step *step = regions_step(program, node, "roi_align");
    if (step == NULL) return;
    step_value(program, step, "batch", node->inputs.items[2]);
    step_number(step, "shift", is_half_pixel(node) ? 0.5 : 0);
    step_size(step, "RATIO", attr_int(node, "sampling_ratio"));
    step_size(step, "HALF", is_half_pixel(node));
    step_size(step, "MAX", is_one_of(node, "mode", "max", "avg"));
}

static void infer_max_roi_pool(Node *node) {
    int count;
    const int64_t *sizes = attr_ints(node, "pooled_shape", &count);
    check_length(node, "numbers in pooled_shape", count, 2);
    infer_regions(node, 5, sizes[0], sizes[1]);
}

static void lower_max_roi_pool(Program *program, Node *node) { (void)regions_step(program, node, "max_roi_pool"); }

/* NonMaxSuppression */

typedef struct {
    float low[2], high[2]; /* y and x, or x and y */
} Box;

/* Two corners in any order, or, where center_point_box is 1, the middle and the size. */
static Box box_at(const Tensor *boxes, int64_t i, bool is_center) {
    const float *at = (const float *)boxes->data + i * 4;
    Box box;
    for (int d = 0; d < 2; d++) {
        const float a = is_center ? at[d] - at[d + 2] / 2 : at[d], b = is_center ? at[d] + at[d + 2] / 2 : at[d + 2];
        box.low[d] = is_center || a < b ? a : b;
        box.high[d] = is_center || a < b ? b : a;
    }
    return box;
}

static float area_of(const Box *box) { return (box->high[0] - box->low[0]) * (box->high[1] - box->low[1]); }

/* The area that two boxes share, as a part of the area that either has. */
static float overlap(const Box *a, const Box *b) {
    Box shared;
    for (int d = 0; d < 2; d++) {
        shared.low[d] = fmaxf(a->low[d], b->low[d]), shared.high[d] = fminf(a->high[d], b->high[d]);
        if (!(shared.high[d] > shared.low[d])) return 0;
    }
    const float common = area_of(&shared), either = area_of(a) + area_of(b) - common;
    return area_of(a) > 0 && area_of(b) > 0 && either > 0 ? common / either : 0;
}

/* A box of one class. */
typedef struct {
    float score;
    int64_t index;
} Candidate;

static int compare_candidates(const void *a, const void *b) {
    const Candidate *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* The one number of an input, or what it is where it is left out. */
static double number_of(const Node *node, int input, double preset) {
    const Value *value = node_input(node, input);
    if (value == NULL) return preset;
    if (tensor_count(value->constant) != 1)
        node_fail(node, STATUS_INVALID, "input %d has %lld elements, expected 1", input,
                  (long long)tensor_count(value->constant));
    return tensor_number(value->constant, 0);
}

/* The largest scores first, those that are taken in front; returns how many: no one of them overlaps another by more
 * than the threshold. */
static int64_t suppress(const Node *node, Candidate *candidates, int64_t count, int64_t batch) {
    const Tensor *boxes = node->inputs.items[0]->constant;
    const double most = number_of(node, 2, 0);
    const float threshold = (float)number_of(node, 3, 0);
    const bool is_center = attr_int(node, "center_point_box") != 0;
    const int64_t first = batch * boxes->shape.dims[1].size;
    int64_t taken = 0;
    qsort(candidates, (size_t)count, sizeof *candidates, compare_candidates);
    for (int64_t i = 0; i < count && (double)taken < most; i++) {
        const Box box = box_at(boxes, first + candidates[i].index, is_center);
        bool keep = true;
        for (int64_t k = 0; k < taken && keep; k++) {
            const Box other = box_at(boxes, first + candidates[k].index, is_center);
            keep = !(overlap(&box, &other) > threshold);
        }
        if (keep) candidates[taken++] = candidates[i];
    }
    return taken;
}

/* The boxes of one class whose score is above the threshold; a score that is no number is not. */
static int64_t candidates_of(const Node *node, int64_t row, Candidate *candidates) {
    const Tensor *scores = node->inputs.items[1]->constant;
    const float threshold = (float)number_of(node, 4, -INFINITY);
    const bool all = node_input(node, 4) == NULL;
    const int64_t boxes = scores->shape.dims[2].size;
    int64_t count = 0;
    for (int64_t i = 0; i < boxes; i++) {
        const float score = ((const float *)scores->data)[row * boxes + i];
        if (score > threshold || (all && !isnan(score))) candidates[count++] = (Candidate){score, i};
    }
    return count;
}

/* Rows of batch, class and box, of all classes one after the other. */
static void fold_suppression(Node *node) {
    Arena *arena = node->graph->arena;
    const Shape *scores = &node->inputs.items[1]->shape;
    const int64_t classes = scores->dims[1].size, boxes = scores->dims[2].size, lists = scores->dims[0].size * classes;
    Candidate *candidates = arena_new_array(arena, Candidate, (size_t)(lists * boxes));
    int64_t *taken = arena_new_array(arena, int64_t, (size_t)lists), found = 0;
    for (int64_t i = 0; i < lists; i++) {
        const int64_t count = candidates_of(node, i, candidates + i * boxes);
        taken[i] = suppress(node, candidates + i * boxes, count, i / classes);
        found += taken[i];
    }
    Value *output = node->outputs.items[0];
    output->shape = shape_of(2, (int64_t[]){found, 3});
    output->constant = tensor_new(arena, TYPE_INT64, &output->shape);
    int64_t *row = output->constant->data;
    for (int64_t i = 0; i < lists; i++)
        for (int64_t k = 0; k < taken[i]; k++, row += 3)
            row[0] = i / classes, row[1] = i % classes, row[2] = candidates[i * boxes + k].index;
}

/* Whether all inputs are known, and few enough to be compared while compiling. */
static bool can_fold(const Node *node) {
    enum { MOST_PAIRS = 1 << 28 };
    for (int i = 0; i < node->inputs.count; i++)
        if (node->inputs.items[i] != NULL && node->inputs.items[i]->constant == NULL) return false;
    const Shape *scores = &node->inputs.items[1]->shape;
    const double boxes = (double)scores->dims[2].size;
    return boxes * boxes * (double)(scores->dims[0].size * scores->dims[1].size) <= MOST_PAIRS;
}

static void infer_suppression(Node *node) {
    const Shape *boxes = &node->inputs.items[0]->shape, *scores = &node->inputs.items[1]->shape;
    if ((boxes->rank >= 0 && boxes->rank != 3) || (scores->rank >= 0 && scores->rank != 3))
        node_fail(node, STATUS_INVALID, "boxes and scores have %d and %d dimensions, expected 3", boxes->rank,
                  scores->rank);
    Value *output = node->outputs.items[0];
    output->shape = shape_open(2);
    output->shape.dims[1] = dim_known(3);
    if (boxes->rank < 0 || scores->rank < 0) return;
    dim_unify(node, boxes->dims[0], scores->dims[0], "the batch of the boxes and of the scores");
    dim_unify(node, boxes->dims[1], scores->dims[2], "the number of boxes and of scores");
    dim_unify(node, boxes->dims[2], dim_known(4), "the number of a box's columns");
    if (can_fold(node)) fold_suppression(node);
}

const Op OPS_boxes[] = {
    {.name = "RoiAlign",
     .versions = {10, 16, 22},
     .inputs = "X:T rois:T batch_indices:int64",
     .outputs = "Y:T",
     .types = "T: floats",
     .attributes = "coordinate_transformation_mode:string@16=half_pixel mode:string=avg output_height:int=1 "
                   "output_width:int=1 sampling_ratio:int=0 spatial_scale:float=1",
     .infer = infer_roi_align,
     .lower = lower_roi_align},
    {.name = "MaxRoiPool",
     .versions = {1, 22},
     .inputs = "X:T rois:T",
     .outputs = "Y:T",
     .types = "T: floats",
     .attributes = "pooled_shape:ints! spatial_scale:float=1",
     .infer = infer_max_roi_pool,
     .lower = lower_max_roi_pool},
    {.name = "NonMaxSuppression",
     .versions = {10, 11},
     .inputs = "boxes:float scores:float max_output_boxes_per_class:int64? iou_threshold:float? score_threshold:float?",
     .outputs = "selected_indices:int64",
     .attributes = "center_point_box:int=0",
     .infer = infer_suppression},
    {0},
};
