/* Fusion of steps. A loop whose result one other loop reads, element by element, moves into that loop's body; a loop
 * over a kernel's output moves into the kernel. The fused step stands where the consumer stood: all it reads is ready
 * there. What a mean of channels adds up first, a kernel adds up while it makes the map. Gates of a linear layer's
 * inputs go into its weights, which are fewer. */
#include "passes/fuse.h"

#include "passes/aside.h"

#include <string.h>

const char *const FUSE_RULES[] = {"blocks", "batchnorm", "bias", "loops", "epilogue", "means", "gates", NULL};

bool fuse_allows(const PassOptions *options, const char *rule) {
    for (int i = 0; i < options->fuse.count; i++)
        if (strcmp(options->fuse.items[i], rule) == 0) return true;
    return options->fuse.count == 0;
}

/* Who touches a buffer, in a program. */
typedef struct {
    int readers, writers; /* steps */
    int writer;           /* the last one's number */
} Usage;

/* The buffers that a step reads, each once. */
typedef struct {
    const Buffer *items[MAX_ARGUMENTS + 2 * MAX_OPERANDS];
    int count;
} Reads;

static void add_read(Reads *reads, const Buffer *buffer) {
    for (int i = 0; i < reads->count; i++)
        if (reads->items[i] == buffer) return;
    if (buffer != NULL) reads->items[reads->count++] = buffer;
}

static void add_write(Usage *usage, const Buffer *buffer, int at, int change) {
    usage[buffer->number].writers += change;
    usage[buffer->number].writer = at;
}

static bool is_output(const Step *step, int parameter) {
    return step->kernel->parameters[parameter].kind == PARAMETER_OUTPUT && step->arguments[parameter].buffer != NULL;
}

static Reads reads_of(const Step *step) {
    Reads reads = {.count = 0};
    for (int k = 0; step->kind == STEP_KERNEL && k < step->kernel->parameter_count; k++)
        if (!is_output(step, k)) add_read(&reads, step->arguments[k].buffer);
    const Loop *loops[] = {step->loop, step->epilogue};
    for (int l = 0; l < 2; l++)
        for (int i = 0; loops[l] != NULL && i < loops[l]->input_count; i++)
            add_read(&reads, loops[l]->inputs[i].buffer);
    return reads;
}

/* Counts the step at a place of the program, or takes it out of the count (change -1): so a fusion costs two steps'
 * counting and not the program's. */
static void count_step(const Step *step, int at, int change, Usage *usage) {
    const Reads reads = reads_of(step);
    for (int k = 0; step->kind == STEP_KERNEL && k < step->kernel->parameter_count; k++)
        if (is_output(step, k)) add_write(usage, step->arguments[k].buffer, at, change);
    for (int i = 0; i < reads.count; i++) usage[reads.items[i]->number].readers += change;
    if (step->loop != NULL) add_write(usage, step->loop->output.buffer, at, change);
}

/* A buffer that lives between one writer and one reader alone. */
static bool is_private(const Buffer *buffer, const Usage *usage) {
    return buffer != NULL && buffer->kind == BUFFER_WORK && !buffer->is_probed && usage[buffer->number].readers == 1 &&
           usage[buffer->number].writers == 1;
}

/* Splits dimension d of a loop in two, the inner one of the given extent. */
static void split_dimension(Loop *loop, int d, int64_t inner) {
    for (int k = loop->rank; k > d + 1; k--) {
        loop->extent[k] = loop->extent[k - 1];
        loop->output.stride[k] = loop->output.stride[k - 1];
        for (int i = 0; i < loop->input_count; i++) loop->inputs[i].stride[k] = loop->inputs[i].stride[k - 1];
    }
    loop->extent[d + 1] = inner;
    loop->extent[d] /= inner;
    loop->output.stride[d + 1] = loop->output.stride[d];
    loop->output.stride[d] *= inner;
    for (int i = 0; i < loop->input_count; i++) {
        loop->inputs[i].stride[d + 1] = loop->inputs[i].stride[d];
        loop->inputs[i].stride[d] *= inner;
    }
    if (d >= loop->rank - loop->reduced) loop->reduced++;
    loop->rank++;
}

/* Splits dimensions of both until their extents are the same; false where they have no common refinement. */
static bool align(Loop *a, Loop *b) {
    int i = a->rank - 1, k = b->rank - 1;
    for (; i >= 0 && k >= 0; i--, k--) {
        if (a->extent[i] == b->extent[k]) continue;
        Loop *longer = a->extent[i] > b->extent[k] ? a : b;
        int *at = longer == a ? &i : &k;
        int64_t inner = longer == a ? b->extent[k] : a->extent[i];
        if (inner == 0 || longer->extent[*at] % inner != 0 || longer->rank == MAX_RANK) return false;
        split_dimension(longer, *at, inner);
        ++*at;
    }
    return i < 0 && k < 0;
}

static bool same_strides(const Loop *loop, const Operand *a, const Operand *b) {
    if (a->offset != b->offset) return false;
    for (int d = 0; d < loop->rank; d++)
        if (loop->extent[d] != 1 && a->stride[d] != b->stride[d]) return false;
    return true;
}

/* The number of an operand of merged that reads what `operand` reads, added where there is none; -1: no room. */
static int operand_number(Loop *merged, const Operand *operand, Type type) {
    for (int i = 0; i < merged->input_count; i++)
        if (merged->inputs[i].buffer == operand->buffer && same_strides(merged, &merged->inputs[i], operand)) return i;
    if (merged->input_count == MAX_OPERANDS) return -1;
    merged->inputs[merged->input_count] = *operand;
    merged->scalars[merged->input_count] = (Scalar){.type = type};
    return merged->input_count++;
}

/* Appends a body's scalars, renumbered by `number`, which holds the operands' numbers already. */
static bool append_body(Loop *merged, const Loop *from, int *number) {
    for (int i = from->input_count; i < from->scalar_count; i++) {
        if (merged->scalar_count == MAX_SCALARS) return false;
        Scalar scalar = from->scalars[i];
        for (int k = 0; k < scalar.argument_count; k++) scalar.arguments[k] = number[scalar.arguments[k]];
        number[i] = merged->scalar_count;
        merged->scalars[merged->scalar_count++] = scalar;
    }
    return true;
}

/* Makes the loop that computes producer and then consumer, both aligned; false where the limits of a loop forbid it. */
static bool merge_bodies(Loop *merged, const Loop *producer, const Loop *consumer) {
    *merged = *consumer;
    merged->input_count = merged->scalar_count = 0;
    int of_producer[MAX_SCALARS], of_consumer[MAX_SCALARS];
    const Buffer *between = producer->output.buffer;
    for (int i = 0; i < producer->input_count; i++)
        if ((of_producer[i] = operand_number(merged, &producer->inputs[i], producer->scalars[i].type)) < 0)
            return false;
    for (int i = 0; i < consumer->input_count; i++)
        if (consumer->inputs[i].buffer != between &&
            (of_consumer[i] = operand_number(merged, &consumer->inputs[i], consumer->scalars[i].type)) < 0)
            return false;
    merged->scalar_count = merged->input_count;
    if (!append_body(merged, producer, of_producer)) return false;
    int result = of_producer[producer->scalar_count - 1];
    for (int i = 0; i < consumer->input_count; i++)
        if (consumer->inputs[i].buffer == between) of_consumer[i] = result;
    if (!append_body(merged, consumer, of_consumer)) return false;
    /* The result is the last scalar: a body that is one operand alone needs a scalar of its own. */
    int last = of_consumer[consumer->scalar_count - 1];
    if (last == merged->scalar_count - 1 || merged->scalar_count == MAX_SCALARS)
        return last == merged->scalar_count - 1;
    merged->scalars[merged->scalar_count++] = (Scalar){.formula = formula_find("identity"),
                                                       .type = merged->scalars[last].type,
                                                       .operand_type = merged->scalars[last].type,
                                                       .argument_count = 1,
                                                       .arguments = {last}};
    return true;
}

/* The fusion of two loops, or NULL where the consumer does not read, in its order, just what the producer writes. */
static Loop *merge_loops(Arena *arena, const Loop *producer, const Loop *consumer) {
    if (producer->reduced > 0) return NULL;
    Loop first = *producer, second = *consumer, merged;
    if (!align(&first, &second)) return NULL;
    for (int i = 0; i < second.input_count; i++)
        if (second.inputs[i].buffer == first.output.buffer && !same_strides(&second, &second.inputs[i], &first.output))
            return NULL;
    if (!merge_bodies(&merged, &first, &second)) return NULL;
    loop_simplify(&merged);
    loop_drop_round_trips(&merged);
    Loop *kept = arena_new_object(arena, Loop);
    *kept = merged;
    return kept;
}

static bool does_node(const Step *step, const Node *node) {
    for (int i = 0; i < step->nodes.count; i++)
        if (step->nodes.items[i] == node) return true;
    return false;
}

/* The work of two steps is done by one from now on, in the order of the model; both may be steps of one node. */
static void join_nodes(Arena *arena, Step *step, const Step *first, const Step *second) {
    Step joined = {0};
    for (int i = 0; i < first->nodes.count; i++) list_add(arena, &joined.nodes, first->nodes.items[i]);
    for (int i = 0; i < second->nodes.count; i++)
        if (!does_node(first, second->nodes.items[i])) list_add(arena, &joined.nodes, second->nodes.items[i]);
    step->nodes.items = joined.nodes.items;
    step->nodes.count = joined.nodes.count;
    step->nodes.capacity = joined.nodes.capacity;
    step->node = step->nodes.items[0];
}

static bool fuse_loop_into(Program *program, int at, Usage *usage) {
    Step *consumer = program->steps.items[at];
    for (int i = 0; i < consumer->loop->input_count; i++) {
        const Buffer *between = consumer->loop->inputs[i].buffer;
        if (!is_private(between, usage)) continue;
        int from = usage[between->number].writer;
        const Step *producer = program->steps.items[from];
        if (producer == NULL || producer->kind != STEP_LOOP) continue;
        Loop *merged = merge_loops(program->arena, producer->loop, consumer->loop);
        if (merged == NULL) continue;
        count_step(producer, from, -1, usage), count_step(consumer, at, -1, usage);
        consumer->loop = merged;
        count_step(consumer, at, 1, usage);
        join_nodes(program->arena, consumer, producer, consumer);
        program->steps.items[from] = NULL;
        return true;
    }
    return false;
}

/* The parameter through which a kernel stores with OUT(y, ...) or OUT_VECTOR(y, ...); -1 where it does not, or has an
 * epilogue already. */
static int epilogue_parameter(const Step *step) {
    const char *store = strstr(step->kernel->body, "OUT(");
    if (store == NULL) store = strstr(step->kernel->body, "OUT_VECTOR(");
    if (store == NULL || step->epilogue != NULL) return -1;
    store = strchr(store, '(') + 1;
    size_t length = strcspn(store, ",");
    for (int i = 0; i < step->kernel->parameter_count; i++) {
        const char *name = step->kernel->parameters[i].name;
        if (strlen(name) == length && memcmp(name, store, length) == 0)
            return step->arguments[i].buffer != NULL && step->arguments[i].offset == 0 ? i : -1;
    }
    return -1;
}

/* A loop as an epilogue: over one dimension, operand 0 the value made, the others read at the same place or one element
 * throughout. NULL where it is none. */
static Loop *as_epilogue(Arena *arena, const Loop *loop, const Buffer *made) {
    if (loop->reduced > 0 || loop->rank > 1 || (loop_is_copy(loop) && loop->output.offset != 0)) return NULL;
    int64_t count = loop->rank == 0 ? 1 : loop->extent[0];
    if (count != made->count || (loop->rank == 1 && loop->output.stride[0] != 1)) return NULL;
    Loop *epilogue = arena_new_object(arena, Loop);
    *epilogue = *loop;
    int at = -1;
    for (int i = 0; i < loop->input_count; i++) {
        const Operand *operand = &loop->inputs[i];
        int64_t stride = loop->rank == 1 ? operand->stride[0] : 1;
        if (operand->buffer == made) {
            if (at >= 0 || stride != 1 || operand->offset != 0) return NULL;
            at = i;
        } else if (stride != 0 && stride != 1) {
            return NULL;
        }
    }
    if (at < 0) return NULL;
    if (epilogue->rank == 0) {
        epilogue->rank = 1, epilogue->extent[0] = 1, epilogue->output.stride[0] = 1;
        for (int i = 0; i < loop->input_count; i++) epilogue->inputs[i].stride[0] = i == at;
    }
    Operand swapped = epilogue->inputs[0];
    Scalar scalar = epilogue->scalars[0];
    epilogue->inputs[0] = epilogue->inputs[at], epilogue->scalars[0] = epilogue->scalars[at];
    epilogue->inputs[at] = swapped, epilogue->scalars[at] = scalar;
    for (int i = epilogue->input_count; i < epilogue->scalar_count; i++)
        for (int k = 0; k < epilogue->scalars[i].argument_count; k++) {
            int *argument = &epilogue->scalars[i].arguments[k];
            *argument = *argument == 0 ? at : *argument == at ? 0 : *argument;
        }
    epilogue->inputs[0].buffer = NULL; /* the value in hand, not one in memory */
    return epilogue;
}

static bool does_read(const Step *step, const Buffer *buffer) {
    const Reads reads = reads_of(step);
    for (int i = 0; i < reads.count; i++)
        if (reads.items[i] == buffer) return true;
    return false;
}

/* Whether the kernel at a place may do its work at a later one: nothing in between reads what it makes beside the
 * result of one parameter. */
static bool can_wait(const Program *program, int from, int to, int parameter) {
    const Step *kernel = program->steps.items[from];
    for (int k = 0; k < kernel->kernel->parameter_count; k++) {
        if (k == parameter || !is_output(kernel, k)) continue;
        for (int i = from + 1; i < to; i++) {
            const Step *step = program->steps.items[i];
            if (step != NULL && does_read(step, kernel->arguments[k].buffer)) return false;
        }
    }
    return true;
}

/* Of the kernels that a loop could follow, the latest: the other operands are then made already. */
static bool fuse_into_kernel(Program *program, int at, Usage *usage) {
    Step *consumer = program->steps.items[at];
    int best = -1, best_parameter = -1;
    Loop *best_epilogue = NULL;
    for (int i = 0; i < consumer->loop->input_count; i++) {
        const Buffer *between = consumer->loop->inputs[i].buffer;
        if (!is_private(between, usage) || usage[between->number].writer <= best) continue;
        const Step *producer = program->steps.items[usage[between->number].writer];
        if (producer == NULL || producer->kind != STEP_KERNEL) continue;
        int parameter = epilogue_parameter(producer);
        if (parameter >= 0 && producer->arguments[parameter].buffer != between) continue;
        if (parameter >= 0 && !can_wait(program, usage[between->number].writer, at, parameter)) continue;
        Loop *epilogue = parameter < 0 ? NULL : as_epilogue(program->arena, consumer->loop, between);
        if (epilogue == NULL || type_info(between->type)->compute != type_info(producer->type)->compute) continue;
        best = usage[between->number].writer, best_parameter = parameter, best_epilogue = epilogue;
    }
    if (best < 0) return false;
    Step *kernel = program->steps.items[best];
    if (best_epilogue->output.buffer->type != kernel->arguments[best_parameter].buffer->type) return false;
    count_step(kernel, best, -1, usage), count_step(consumer, at, -1, usage);
    kernel->epilogue = best_epilogue;
    kernel->arguments[best_parameter].buffer = best_epilogue->output.buffer;
    kernel->arguments[best_parameter].offset = best_epilogue->output.offset;
    count_step(kernel, at, 1, usage);
    program->steps.items[at] = kernel;
    program->steps.items[best] = NULL;
    join_nodes(program->arena, kernel, kernel, consumer);
    return true;
}

static int64_t size_of(const Step *step, const char *parameter) {
    return step->arguments[kernel_parameter(step->kernel, parameter, strlen(parameter))].size;
}

/* Lets the kernel that makes a map add up its rows, [N][OH][C], for the mean that step `at` makes of each channel: the
 * same sums as that step would begin with. */
static void fuse_mean(Program *program, int at, const Usage *usage) {
    Step *mean = program->steps.items[at];
    const Buffer *map = mean->arguments[kernel_parameter(mean->kernel, "x", 1)].buffer;
    if (map->kind == BUFFER_INPUT || map->kind == BUFFER_CONSTANT || usage[map->number].writers != 1) return;
    Step *maker = program->steps.items[usage[map->number].writer];
    const int sums = maker->kind == STEP_KERNEL ? kernel_parameter(maker->kernel, "sums", strlen("sums")) : -1;
    if (sums < 0 || maker->arguments[sums].buffer != NULL || size_of(maker, "OW") != size_of(mean, "PART")) return;
    const int64_t rows = size_of(maker, "OH"), channels = size_of(maker, "C");
    if (channels != size_of(mean, "C") || rows * size_of(maker, "OW") != size_of(mean, "SIZE")) return;
    Buffer *made = program_scratch(program, TYPE_FLOAT, size_of(maker, "N") * rows * channels);
    step_buffer(maker, "sums", made, 0);
    step_buffer(mean, "x", made, 0);
    step_size(mean, "SIZE", rows), step_size(mean, "PART", 1);
}

static Usage *count_usage(Program *program) {
    Usage *usage = arena_new_array(program->arena, Usage, (size_t)program->buffers.count);
    for (int i = 0; i < program->steps.count; i++) count_step(program->steps.items[i], i, 1, usage);
    return usage;
}

static void fuse_means(Program *program) {
    const Usage *usage = count_usage(program);
    for (int i = 0; i < program->steps.count; i++) {
        const Step *step = program->steps.items[i];
        if (step->kind == STEP_KERNEL && strcmp(step->kernel->name, "global_average_pool_last") == 0)
            fuse_mean(program, i, usage);
    }
}

/* Applies a rule to each loop until nothing changes; what the rule took in is a gap from then on. */
static void apply(Program *program, bool (*rule)(Program *program, int at, Usage *usage)) {
    Usage *usage = count_usage(program);
    for (int i = 0; i < program->steps.count; i++)
        while (program->steps.items[i] != NULL && program->steps.items[i]->kind == STEP_LOOP && rule(program, i, usage))
            continue;
    int kept = 0;
    for (int i = 0; i < program->steps.count; i++)
        if (program->steps.items[i] != NULL) program->steps.items[kept++] = program->steps.items[i];
    program->steps.count = kept;
}

/* Whether a loop multiplies each row of a map [rows][channels], operand `map`, by the gates that the other operand is.
 */
static bool is_gating(const Loop *loop, int *map) {
    if (loop->reduced > 0 || loop->rank != 2 || loop->input_count != 2 || loop->scalar_count != 3) return false;
    const int64_t channels = loop->extent[1];
    const Operand *y = &loop->output, *inputs = loop->inputs;
    *map = inputs[0].stride[0] == 0;
    const Operand *x = &inputs[*map], *gates = &inputs[!*map];
    return strcmp(loop->scalars[2].formula->name, "multiply") == 0 && x->buffer->type == TYPE_FLOAT &&
           gates->buffer->type == TYPE_FLOAT && y->buffer->type == TYPE_FLOAT && y->offset == 0 &&
           y->stride[0] == channels && y->stride[1] == 1 && x->stride[0] == channels && x->stride[1] == 1 &&
           gates->stride[0] == 0 && gates->stride[1] == 1 && y->buffer->count == loop->extent[0] * channels;
}

static Argument *argument_of(Step *step, const char *parameter) {
    return &step->arguments[kernel_parameter(step->kernel, parameter, strlen(parameter))];
}

/* Whether a step is a linear layer of the rows of a map with so many channels. */
static bool is_layer_of(Step *step, const Buffer *map, int64_t channels) {
    if (step->kind != STEP_KERNEL) return false;
    const char *name = step->kernel->name;
    if (strcmp(name, "linear") != 0 && strcmp(name, "linear_pipelined") != 0) return false;
    for (int i = 0; step->epilogue != NULL && i < step->epilogue->input_count; i++)
        if (step->epilogue->inputs[i].buffer == map) return false;
    return argument_of(step, "x")->buffer == map && argument_of(step, "x")->offset % channels == 0 &&
           size_of(step, "K") == channels && size_of(step, "X") == channels;
}

/* The layer with constant weights that, but for probes, alone reads a map, in one step or several, which have the same
 * weights; NULL: there is none. */
static Step *layer_of(const Program *program, int from, const Buffer *map, int64_t channels) {
    Step *layer = NULL;
    for (int i = from; i < program->steps.count; i++) {
        Step *step = program->steps.items[i];
        if (step->is_aside || !does_read(step, map)) continue;
        if (!is_layer_of(step, map, channels) || argument_of(step, "w")->buffer->kind != BUFFER_CONSTANT) return NULL;
        if (layer != NULL && argument_of(step, "w")->buffer != argument_of(layer, "w")->buffer) return NULL;
        layer = step;
    }
    return layer;
}

/* Puts the step that was made last at a place; what stood there comes behind it where it is kept. */
static void place_last(Program *program, int at, bool keeps) {
    Step **steps = program->steps.items, *last = steps[program->steps.count - 1];
    program->steps.count -= !keeps;
    if (keeps) memmove(steps + at + 1, steps + at, (size_t)(program->steps.count - 1 - at) * sizeof(Step *));
    steps[at] = last;
}

/* Whether a map would have been made inside the loop that alone reads it, were it not probed. */
static bool is_made_by_chance(const Program *program, const Buffer *map) {
    int readers = 0;
    bool is_from_loop = false;
    for (int i = 0; i < program->steps.count; i++) {
        const Step *step = program->steps.items[i];
        readers += !step->is_aside && does_read(step, map);
        is_from_loop |= step->kind == STEP_LOOP && step->loop->output.buffer == map;
    }
    return is_from_loop && readers == 1;
}

/* (x gates) w = x (gates w): where weights are few beside the map, they take the gates, and the map is not written.
 * Where the map has but twice as many elements, that takes longer (Zen 5). A probe may still show it: what is decided
 * does not depend on probes, so that outputs keep their bits. */
static void fuse_gates_of(Program *program, int at) {
    enum { TIMES = 4 };
    Step *gating = program->steps.items[at];
    int map;
    if (gating->kind != STEP_LOOP || !is_gating(gating->loop, &map)) return;
    const Operand *x = &gating->loop->inputs[map], *gates = &gating->loop->inputs[!map];
    Buffer *made = gating->loop->output.buffer;
    const int64_t rows = gating->loop->extent[0], channels = gating->loop->extent[1];
    if (made->kind != BUFFER_WORK || gating->is_aside || is_made_by_chance(program, x->buffer)) return;
    Step *layer = layer_of(program, at + 1, made, channels);
    if (layer == NULL) return;
    Buffer *weights = argument_of(layer, "w")->buffer;
    if (TIMES * weights->count > rows * channels) return;
    Buffer *gated = program_scratch(program, TYPE_FLOAT, weights->count);
    bool keeps = made->is_probed;
    for (int i = at + 1; i < program->steps.count; i++) {
        Step *step = program->steps.items[i];
        if (!does_read(step, made)) continue;
        if (step->is_aside) {
            keeps = true;
            continue;
        }
        step_buffer(step, "x", x->buffer, argument_of(step, "x")->offset + x->offset);
        step_buffer(step, "w", gated, 0);
    }
    Step *step = step_kernel(program, "gated_weights", TYPE_FLOAT);
    step_buffer(step, "w", weights, 0), step_buffer(step, "gate", gates->buffer, gates->offset);
    step_buffer(step, "y", gated, 0);
    step_size(step, "K", channels), step_size(step, "N", size_of(layer, "N"));
    step->node = gating->node, step->block = gating->block;
    for (int i = 0; i < gating->nodes.count; i++) list_add(program->arena, &step->nodes, gating->nodes.items[i]);
    place_last(program, at, keeps);
}

static void fuse_gates(Program *program) {
    aside_find(program);
    for (int i = 0; i < program->steps.count; i++) fuse_gates_of(program, i);
}

void fuse_program(Program *program, const PassOptions *options) {
    if (fuse_allows(options, "loops")) apply(program, fuse_loop_into);
    if (fuse_allows(options, "epilogue")) apply(program, fuse_into_kernel);
    if (fuse_allows(options, "means")) fuse_means(program);
    const bool is_small = options->stripes != 0 || program->target->is_small;
    if (fuse_allows(options, "gates") && !is_small) fuse_gates(program);
}
