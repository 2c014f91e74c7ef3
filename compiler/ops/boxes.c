/* Boxes: RoiAlign, MaxRoiPool and NonMaxSuppression, whose kernels are in runtime/boxes.c.
 * How many boxes NonMaxSuppression keeps depends on its data: see ops/found.h. */
#include "ops/found.h"
#include "ops/movement.h"

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

enum { BOXES, SCORES, MOST, OVERLAP, SCORE };

/* Whether all inputs are known, and few enough to be compared while compiling. */
static bool can_fold(const Node *node) {
    enum { MOST_PAIRS = 1 << 28 };
    for (int i = 0; i < node->inputs.count; i++)
        if (node->inputs.items[i] != NULL && node->inputs.items[i]->constant == NULL) return false;
    const Shape *scores = &node->inputs.items[1]->shape;
    const double boxes = (double)scores->dims[2].size;
    return boxes * boxes * (double)(scores->dims[0].size * scores->dims[1].size) <= MOST_PAIRS;
}

/* How many boxes of a class are taken at most, as far as that is known. */
static int64_t most_boxes(const Node *node) {
    const Value *most = node_input(node, MOST);
    const int64_t boxes = node->inputs.items[SCORES]->shape.dims[2].size;
    if (most == NULL) return 0;
    const int64_t asked = most->constant == NULL ? boxes : tensor_int(most->constant, 0);
    return asked < 0 ? 0 : asked < boxes ? asked : boxes;
}

static void bound_suppression(Node *node) {
    const Shape *scores = &node->inputs.items[SCORES]->shape;
    const Dim lists = dim_multiply(node, scores->dims[0], scores->dims[1]);
    node->outputs.items[0]->shape.dims[0] = dim_multiply(node, lists, dim_known(most_boxes(node)));
}

static void lower_suppression(Program *program, Node *node) {
    static const char *const names[] = {"boxes", "scores", "most", "overlap", "score"};
    const Shape *scores = &node->inputs.items[SCORES]->shape;
    const Value *y = node->outputs.items[0];
    if (is_empty(y)) return;
    Step *step = step_kernel(program, "suppress", TYPE_FLOAT);
    for (int i = BOXES; i <= SCORE; i++) step_value(program, step, names[i], node_input(node, i));
    step_buffer(step, "work", program_scratch(program, TYPE_INT32, scores->dims[2].size), 0);
    step_value(program, step, "y", y);
    step_size(step, "BATCH", scores->dims[0].size);
    step_size(step, "CLASSES", scores->dims[1].size);
    step_size(step, "BOXES", scores->dims[2].size);
    step_size(step, "CENTER", attr_int(node, "center_point_box") != 0);
    step_size(step, "ROWS", y->shape.dims[0].size);
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
    for (int i = MOST; i <= SCORE; i++)
        if (node_input(node, i) != NULL && shape_is_known(&node_input(node, i)->shape) &&
            shape_count(&node_input(node, i)->shape) != 1)
            node_fail(node, STATUS_INVALID, "input %d has %lld elements, expected 1", i,
                      (long long)shape_count(&node_input(node, i)->shape));
    if (can_fold(node)) fold_found(node, 0);
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
     .infer = infer_suppression,
     .bound = bound_suppression,
     .lower = lower_suppression},
    {0},
};
