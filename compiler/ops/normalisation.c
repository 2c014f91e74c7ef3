/* Normalisation: BatchNormalization, LayerNormalization, InstanceNormalization,
 * GroupNormalization, RMSNormalization, LpNormalization, MeanVarianceNormalization, LRN. */
#include "ops/carry.h"
#include "ops/expand.h"

/* A value as a buffer of a type and of the shape dims, converted and broadcast in scratch memory where it is not so. */
static Buffer *spread(Program *program, const Value *value, Type type, int rank, const Dim *dims) {
    Shape shape = {.rank = rank};
    for (int i = 0; i < rank; i++) shape.dims[i] = dims[i];
    if (value->type == type && shape_count(&value->shape) == shape_count(&shape)) return program_buffer(program, value);
    int64_t extents[MAX_RANK], strides[MAX_RANK];
    for (int i = 0; i < rank; i++) extents[i] = dims[i].size;
    Buffer *buffer = program_scratch(program, type, shape_count(&shape));
    Loop *loop = step_loop(program, rank, extents);
    strides_broadcast(&value->shape, rank, strides);
    loop_cast(loop, loop_input(loop, program_buffer(program, value), 0, strides), type);
    strides_of(&shape, strides);
    loop_output(loop, buffer, 0, strides);
    loop_simplify(loop);
    return buffer;
}

/* Input i has to be a vector with an element for each of something. */
static void check_vector(const Node *node, int i, Dim length) {
    const Value *value = node_input(node, i);
    if (value == NULL || value->shape.rank < 0) return;
    if (value->shape.rank != 1)
        node_fail(node, STATUS_INVALID, "input %d has %d dimensions, expected 1", i, value->shape.rank);
    dim_unify(node, value->shape.dims[0], length, "the number of channels");
}

/* Input 0 has to be [N][C][...]. Returns C. */
static Dim channels_of(const Node *node, int least) {
    const Shape *x = &node->inputs.items[0]->shape;
    if (x->rank < 0) return (Dim){-1, NULL};
    if (x->rank < least)
        node_fail(node, STATUS_INVALID, "the input has %d dimension%s, expected at least %d", x->rank,
                  x->rank == 1 ? "" : "s", least);
    return x->rank < 2 ? dim_known(1) : x->dims[1];
}

static Step *channel_step(Program *program, const Node *node, const char *kernel) {
    const Value *x = node->inputs.items[0];
    int rank = x->shape.rank;
    Step *step = step_kernel(program, kernel, x->type);
    step_value(program, step, "x", x);
    step_value(program, step, "y", node->outputs.items[0]);
    step_size(step, "N", rank < 1 ? 1 : x->shape.dims[0].size);
    step_size(step, "C", channels_of(node, 1).size);
    step_size(step, "SIZE", rank < 2 ? 1 : shape_product(&x->shape, 2, rank));
    return step;
}

static bool has_statistics(const Node *node) {
    bool more = false;
    for (int i = 1; i < node->outputs.count; i++) more |= node->outputs.items[i] != NULL;
    return more;
}

/* Before opset 14 the outputs say so, before opset 7 is_test. */
static bool trains(const Node *node) {
    if (node->version < 7) return attr_int(node, "is_test") == 0;
    return node->version >= 14 ? attr_int(node, "training_mode") != 0 : has_statistics(node);
}

static void infer_batch(Node *node) {
    if (node->version < 7 && trains(node) && !has_statistics(node))
        node_fail(node, STATUS_UNSUPPORTED,
                  "is_test=0 means training, but it has the one output of inference; set is_test=1, or export the "
                  "model with a newer opset_version");
    if (node->version < 9 && attr_int(node, "spatial") == 0)
        node_fail(node, STATUS_UNSUPPORTED, "spatial=0 is not supported");
    if (has_statistics(node) && !trains(node))
        node_fail(node, STATUS_UNSUPPORTED,
                  "it has outputs of training, but does not train; leave out all but the first");
    Dim channels = channels_of(node, trains(node) ? 2 : 1);
    for (int i = 1; i < 5; i++) check_vector(node, i, channels);
    infer_same(node);
}

/* The mean of each channel, where it stands: [1][C][1].... */
static Value *channel_mean(Expansion *e, Value *x) {
    int64_t axes[MAX_RANK] = {0};
    for (int d = 2; d < x->shape.rank; d++) axes[d - 1] = d;
    return expand_value(expand_node(e, "ReduceMean", x, expand_ints(e, x->shape.rank - 1, axes)));
}

/* A vector as the channels of x. */
static Value *along_channels(Expansion *e, Value *vector, const Value *x) {
    int64_t sizes[MAX_RANK] = {1, -1};
    for (int d = 2; d < x->shape.rank; d++) sizes[d] = 1;
    return expand_cast(e, expand_reshape_to(e, vector, x->shape.rank, sizes), x->type);
}

/* What was known of a statistic, an input of the original, moved towards what is new. */
static Value *running(Expansion *e, int input, Value *now) {
    double momentum = (double)attr_float(e->node, "momentum");
    Value *before = e->node->inputs.items[input];
    Value *step = expand_scale(e, expand_cast(e, expand_reshape(e, now, -1), before->type), 1 - momentum);
    return expand_op(e, "Add", expand_scale(e, before, momentum), step);
}

/* In training each channel is normalised by what it holds itself: so weights are standardised, as in NFNets. Sums of
 * 16-bit floats are kept in 32 bits, as the standard asks for (from version 15 on). */
static void expand_batch(Expansion *e) {
    Value *const *inputs = e->node->inputs.items;
    if (!trains(e->node)) return;
    Value *x = expand_cast(e, inputs[0], type_info(inputs[0]->type)->compute);
    Value *mean = channel_mean(e, x), *centred = expand_op(e, "Sub", x, mean);
    Value *variance = channel_mean(e, expand_op(e, "Mul", centred, centred));
    Value *epsilon = expand_number(e, x->type, (double)attr_float(e->node, "epsilon"));
    Value *scaled = expand_op(e, "Div", centred, expand_op(e, "Sqrt", expand_op(e, "Add", variance, epsilon)));
    scaled = expand_op(e, "Mul", scaled, along_channels(e, inputs[1], x));
    scaled = expand_op(e, "Add", scaled, along_channels(e, inputs[2], x));
    expand_output(e, 0, expand_cast(e, scaled, inputs[0]->type));
    expand_output(e, 1, running(e, 3, mean));
    expand_output(e, 2, running(e, 4, variance));
    expand_output(e, 3, expand_cast(e, expand_reshape(e, mean, -1), inputs[3]->type));
    expand_output(e, 4, expand_cast(e, expand_reshape(e, variance, -1), inputs[4]->type));
}

static void lower_batch(Program *program, Node *node) {
    static const char *const names[] = {NULL, "scale", "bias", "mean", "variance"};
    Type type = node->inputs.items[0]->type;
    Dim channels = channels_of(node, 1);
    Buffer *vectors[5];
    for (int i = 1; i < 5; i++) vectors[i] = spread(program, node->inputs.items[i], type, 1, &channels);
    Step *step = channel_step(program, node, "batch_normalization");
    for (int i = 1; i < 5; i++) step_buffer(step, names[i], vectors[i], 0);
    step_number(step, "epsilon", (double)attr_float(node, "epsilon"));
}

static void infer_instance(Node *node) {
    Dim channels = channels_of(node, 2);
    check_vector(node, 1, channels);
    check_vector(node, 2, channels);
    infer_same(node);
}

/* Whether scales are each channel's, and the maps lie so that it has a kernel on vectors; of few channels it is as fast
 * to give each a row first. */
static bool is_on_vectors(const Node *node) {
    enum { FEWEST_CHANNELS = 8 };
    const Value *x = node->inputs.items[0];
    const int64_t channels = x->shape.dims[1].size;
    return x->shape.channels_last && x->type == TYPE_FLOAT && channels >= FEWEST_CHANNELS &&
           channels == node->inputs.items[1]->shape.dims[0].size;
}

static MapLayout layout_group(const Node *node) {
    return is_on_vectors(node) ? (MapLayout){READS_CHANNELS_LAST, true} : (MapLayout){READS_ROWS, false};
}

/* Channels that are normalised at once: whole groups, about as many as a cache line or four have. */
static int64_t block_of(const Program *program, int64_t channels, int64_t group) {
    const int64_t enough = program->threads > 1 ? 16 : 64;
    int64_t block = group;
    while (block < channels && (block < enough || block % 16 != 0 || channels % block != 0)) block += group;
    return block;
}

static void lower_group_step(Program *program, const Node *node, int64_t groups, int64_t per) {
    const bool last = is_on_vectors(node);
    const int64_t channels = channels_of(node, 2).size;
    Step *step = channel_step(program, node, last ? "group_normalization_last" : "group_normalization");
    step_value(program, step, "scale", node->inputs.items[1]);
    step_value(program, step, "bias", node->inputs.items[2]);
    step_number(step, "epsilon", (double)attr_float(node, "epsilon"));
    step_size(step, "G", groups);
    if (last) step_size(step, "BLOCK", block_of(program, channels, channels / groups));
    else step_size(step, "PER", per);
}

static void lower_instance(Program *program, Node *node) {
    lower_group_step(program, node, channels_of(node, 2).size, 1);
}

static void infer_group(Node *node) {
    int64_t groups = attr_int(node, "num_groups");
    Dim channels = channels_of(node, 2);
    if (groups < 1) node_fail(node, STATUS_INVALID, "num_groups is %lld", (long long)groups);
    if (channels.size >= 0 && channels.size % groups != 0)
        node_fail(node, STATUS_INVALID, "%lld channels do not divide into %lld groups", (long long)channels.size,
                  (long long)groups);
    for (int i = 1; i < 3; i++) check_vector(node, i, node->version < 21 ? dim_known(groups) : channels);
    infer_same(node);
}

/* Version 18 has scale and bias for each group, version 21 for each channel. */
static void lower_group(Program *program, Node *node) {
    int64_t groups = attr_int(node, "num_groups"), channels = channels_of(node, 2).size;
    lower_group_step(program, node, groups, node->version < 21 ? channels / groups : 1);
}

/* The first axis that is normalised, checked, and that inputs 1 and 2 broadcast to the dimensions from there on. */
static int first_axis(const Node *node) {
    const Shape *x = &node->inputs.items[0]->shape;
    int axis = node_axis(node, attr_int(node, "axis"), x->rank);
    for (int i = 1; i < node->inputs.count; i++) {
        const Value *value = node->inputs.items[i];
        if (value == NULL || value->shape.rank < 0) continue;
        for (int from_end = 1; from_end <= value->shape.rank; from_end++) {
            Dim own = value->shape.dims[value->shape.rank - from_end];
            Dim of = from_end > x->rank ? dim_known(1) : x->dims[x->rank - from_end];
            if (own.size < 0 || own.size == 1) continue;
            if (of.size >= 0 && own.size != of.size)
                node_fail(node, STATUS_INVALID, "input %d has the shape %s, which does not broadcast to %s", i,
                          shape_text(node->graph->arena, &value->shape), shape_text(node->graph->arena, x));
            if (from_end > x->rank - axis)
                node_fail(node, STATUS_UNSUPPORTED, "input %d extends beyond the normalised dimensions", i);
        }
    }
    return axis;
}

static void check_stash(const Node *node) {
    int64_t type = attr_int(node, "stash_type");
    if (type != TYPE_FLOAT && type != TYPE_DOUBLE)
        node_fail(node, STATUS_UNSUPPORTED, "stash_type %lld is not supported", (long long)type);
}

static void infer_layer(Node *node) {
    check_stash(node);
    infer_same(node);
    const Shape *x = &node->inputs.items[0]->shape;
    int axis = x->rank < 0 ? 0 : first_axis(node);
    Shape statistics = *x;
    for (int i = axis; i < x->rank; i++) statistics.dims[i] = dim_known(1);
    for (int i = 1; i < node->outputs.count; i++)
        if (node->outputs.items[i] != NULL)
            node->outputs.items[i]->shape = statistics, node->outputs.items[i]->type = TYPE_FLOAT;
}

/* Input i, scale or bias, with an element for each one of a row; NULL where it is left out. */
static Buffer *row_vector(Program *program, const Node *node, int i, Type type) {
    const Shape *x = &node->inputs.items[0]->shape;
    int axis = first_axis(node);
    const Value *value = node_input(node, i);
    return value == NULL ? NULL : spread(program, value, type, x->rank - axis, x->dims + axis);
}

static void give_rows(Step *step, const Node *node) {
    const Shape *x = &node->inputs.items[0]->shape;
    int axis = first_axis(node);
    step_number(step, "epsilon", (double)attr_float(node, "epsilon"));
    step_size(step, "ROWS", shape_product(x, 0, axis));
    step_size(step, "N", shape_product(x, axis, x->rank));
}

static void lower_layer(Program *program, Node *node) {
    const Value *x = node->inputs.items[0];
    Buffer *scale = row_vector(program, node, 1, x->type), *bias = row_vector(program, node, 2, x->type);
    const char *kernel = x->type == TYPE_FLOAT ? "layer_normalization_rows" : "layer_normalization";
    Step *step = step_kernel(program, kernel, x->type);
    step_value(program, step, "x", x);
    step_value(program, step, "y", node->outputs.items[0]);
    step_buffer(step, "scale", scale, 0);
    step_buffer(step, "bias", bias, 0);
    step_value(program, step, "mean", node_output(node, 1));
    step_value(program, step, "deviation", node_output(node, 2));
    give_rows(step, node);
}

static void infer_rms(Node *node) {
    check_stash(node);
    infer_same(node);
    if (node->inputs.items[0]->shape.rank >= 0) first_axis(node);
}

/* Where x and scale have different types the work is done in the type that both are computed in. */
static void lower_rms(Program *program, Node *node) {
    const Value *x = node->inputs.items[0], *y = node->outputs.items[0];
    bool mixed = x->type != y->type;
    Type compute = x->type == TYPE_DOUBLE || y->type == TYPE_DOUBLE ? TYPE_DOUBLE : TYPE_FLOAT;
    Type type = mixed ? compute : x->type;
    Buffer *from = spread(program, x, type, x->shape.rank, x->shape.dims);
    Buffer *scale = row_vector(program, node, 1, type);
    Buffer *to = y->type == type ? program_buffer(program, y) : program_scratch(program, type, shape_count(&y->shape));
    Step *step = step_kernel(program, "rms_normalization", type);
    step_buffer(step, "x", from, 0), step_buffer(step, "y", to, 0), step_buffer(step, "scale", scale, 0);
    give_rows(step, node);
    if (y->type == type) return;
    int64_t count = shape_count(&y->shape);
    Loop *loop = step_loop(program, 1, &count);
    loop_cast(loop, loop_input(loop, to, 0, (int64_t[]){1}), y->type);
    loop_output(loop, program_buffer(program, y), 0, (int64_t[]){1});
}

static void infer_lp(Node *node) {
    int64_t p = attr_int(node, "p");
    if (p != 1 && p != 2) node_fail(node, STATUS_INVALID, "p is %lld, expected 1 or 2", (long long)p);
    infer_same(node);
    int rank = node->inputs.items[0]->shape.rank;
    if (rank >= 0) node_axis(node, attr_int(node, "axis"), rank);
}

static void lower_lp(Program *program, Node *node) {
    const Value *x = node->inputs.items[0];
    int rank = x->shape.rank, axis = node_axis(node, attr_int(node, "axis"), rank);
    Step *step = step_kernel(program, "lp_normalization", x->type);
    step_value(program, step, "x", x);
    step_value(program, step, "y", node->outputs.items[0]);
    step_size(step, "P", attr_int(node, "p"));
    step_size(step, "OUTER", shape_product(&x->shape, 0, axis));
    step_size(step, "N", x->shape.dims[axis].size);
    step_size(step, "INNER", shape_product(&x->shape, axis + 1, rank));
}

/* The dimensions of MeanVarianceNormalization, as bits. */
static unsigned normalised_axes(const Node *node, int rank) {
    int count;
    const int64_t *axes = attr_ints(node, "axes", &count);
    unsigned bits = 0;
    for (int i = 0; i < count; i++) bits |= 1u << node_axis(node, axes[i], rank);
    return bits;
}

static void infer_mean_variance(Node *node) {
    infer_same(node);
    int rank = node->inputs.items[0]->shape.rank;
    if (rank >= 0) normalised_axes(node, rank);
}

/* Neighbouring dimensions of one sort are one; the kernel takes kept and normalised ones in turns. */
static void lower_mean_variance(Program *program, Node *node) {
    static const char *const names[] = {"K0", "A0", "K1", "A1", "K2"};
    const Value *x = node->inputs.items[0];
    unsigned axes = normalised_axes(node, x->shape.rank);
    int64_t sizes[5] = {1, 1, 1, 1, 1};
    int at = 0;
    for (int i = 0; i < x->shape.rank; i++) {
        if (x->shape.dims[i].size == 1) continue;
        if ((axes >> i & 1) != (unsigned)(at % 2)) at++;
        if (at > 4) node_fail(node, STATUS_UNSUPPORTED, "axes in so many places are not supported");
        sizes[at] *= x->shape.dims[i].size;
    }
    Step *step = step_kernel(program, "mean_variance_normalization", x->type);
    step_value(program, step, "x", x);
    step_value(program, step, "y", node->outputs.items[0]);
    for (int i = 0; i < 5; i++) step_size(step, names[i], sizes[i]);
}

static void infer_lrn(Node *node) {
    int64_t size = attr_int(node, "size");
    if (size < 1) node_fail(node, STATUS_INVALID, "size is %lld", (long long)size);
    channels_of(node, 2);
    infer_same(node);
}

static void lower_lrn(Program *program, Node *node) {
    Step *step = channel_step(program, node, "local_response_normalization");
    step_number(step, "alpha", (double)attr_float(node, "alpha"));
    step_number(step, "beta", (double)attr_float(node, "beta"));
    step_number(step, "bias", (double)attr_float(node, "bias"));
    step_size(step, "WIDTH", attr_int(node, "size"));
}

static int carry_mean_variance(const Node *node, int input, int axis, int output) {
    (void)output;
    const int rank = node->inputs.items[0]->shape.rank;
    int count;
    const int64_t *axes = attr_ints(node, "axes", &count);
    for (int i = 0; i < count; i++)
        if (node_axis(node, axes[i], rank) == axis) return -1;
    return input == 0 ? axis : -1;
}

const Op OPS_normalisation[] = {
    {.name = "BatchNormalization",
     .versions = {1, 6, 7, 9, 14, 15},
     .inputs = "X:T scale:T1 B:T1 mean:T2@<14 var:T2@<14 input_mean:T2@14 input_var:T2@14",
     .outputs = "Y:T mean:T2?@<14 var:T2?@<14 saved_mean:T2?@<14 saved_var:T2?@<14 running_mean:T2?@14 "
                "running_var:T2?@14",
     .types = "T: floats; T1: floats; T2: floats",
     .attributes = "consumed_inputs:ints!@<6 is_test:int@<7=0 epsilon:float=1e-5 momentum:float=0.9 spatial:int@<9=1 "
                   "training_mode:int@14=0",
     .infer = infer_batch,
     .carry = carry_first,
     .expand = expand_batch,
     .lower = lower_batch},
    {.name = "InstanceNormalization",
     .versions = {1, 6, 22},
     .inputs = "input:T scale:T B:T",
     .outputs = "output:T",
     .types = "T: floats",
     .attributes = "consumed_inputs:ints@<6 epsilon:float=1e-5",
     .infer = infer_instance,
     .carry = carry_first,
     .layout = layout_group,
     .lower = lower_instance},
    {.name = "GroupNormalization",
     .versions = {18, 21},
     .inputs = "X:T scale:T bias:T",
     .outputs = "Y:T",
     .types = "T: floats",
     .attributes = "epsilon:float=1e-5 num_groups:int! stash_type:int=1",
     .infer = infer_group,
     .carry = carry_first,
     .layout = layout_group,
     .lower = lower_group},
    {.name = "LayerNormalization", /* ONNX Runtime has it in every opset */
     .versions = {1, 17},
     .inputs = "X:T Scale:T B:T?",
     .outputs = "Y:T Mean:U? InvStdDev:U?",
     .types = "T: floats; U: float bfloat16",
     .attributes = "axis:int=-1 epsilon:float=1e-5 stash_type:int=1",
     .infer = infer_layer,
     .carry = carry_outer_axes,
     .lower = lower_layer},
    {.name = "RMSNormalization",
     .versions = {23},
     .inputs = "X:T scale:S",
     .outputs = "Y:S",
     .types = "T: floats; S: floats",
     .attributes = "axis:int=-1 epsilon:float=1e-5 stash_type:int=1",
     .infer = infer_rms,
     .carry = carry_outer_axes,
     .lower = lower_rms},
    {.name = "LpNormalization",
     .versions = {1, 22},
     .inputs = "input:T",
     .outputs = "output:T",
     .types = "T: floats",
     .attributes = "axis:int=-1 p:int=2",
     .infer = infer_lp,
     .carry = carry_other_axes,
     .lower = lower_lp},
    {.name = "MeanVarianceNormalization",
     .versions = {9, 13},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = "T: floats",
     .attributes = "axes:ints=0,2,3",
     .infer = infer_mean_variance,
     .carry = carry_mean_variance,
     .lower = lower_mean_variance},
    {.name = "LRN",
     .versions = {1, 13},
     .inputs = "X:T",
     .outputs = "Y:T",
     .types = "T: floats",
     .attributes = "alpha:float=0.0001 beta:float=0.75 bias:float=1 size:int!",
     .infer = infer_lrn,
     .carry = carry_first,
     .lower = lower_lrn},
    {0},
};
