/* JoinRows: the stripes of a map, one below the other, in one. The steps that make the stripes write them to their
 * places in the whole at once where rows are whole blocks of memory; otherwise each is copied as soon as it is made. */
#include "ops/fused.h"

static void infer_join_rows(Node *node) {
    Shape shape = node->inputs.items[0]->shape;
    for (int i = 1; i < node->inputs.count; i++)
        shape.dims[2] = dim_add(node, shape.dims[2], node->inputs.items[i]->shape.dims[2].size);
    node->outputs.items[0]->shape = shape;
}

/* The number of a kernel's parameter by which it writes a buffer from its start; -1 where it does not. */
static int parameter_for(const Step *step, const Buffer *buffer) {
    for (int i = 0; i < step->kernel->parameter_count; i++)
        if (step->kernel->parameters[i].kind == PARAMETER_OUTPUT && step->arguments[i].buffer == buffer &&
            step->arguments[i].offset == 0)
            return i;
    return -1;
}

static bool writes(const Step *step, const Buffer *buffer) {
    return step->kind == STEP_LOOP ? step->loop->output.buffer == buffer : parameter_for(step, buffer) >= 0;
}

/* The last step that writes a buffer, and how many do. */
static int last_writer(const Program *program, const Buffer *buffer, int *count) {
    int last = -1;
    *count = 0;
    for (int i = 0; i < program->steps.count; i++)
        if (writes(program->steps.items[i], buffer)) last = i, ++*count;
    return last;
}

/* Lets a step write part of a whole in place of a buffer of its own. */
static void redirect(Step *step, const Buffer *buffer, Buffer *whole, int64_t offset) {
    if (step->kind == STEP_LOOP) {
        step->loop->output.buffer = whole;
        step->loop->output.offset += offset;
        return;
    }
    Argument *argument = &step->arguments[parameter_for(step, buffer)];
    argument->buffer = whole, argument->offset = offset;
}

/* Copies a stripe just after the step that has made it. */
static void copy_stripe(Program *program, const Value *stripe, Buffer *whole, const int64_t *strides, int64_t offset,
                        int after) {
    int64_t extents[MAX_RANK], own[MAX_RANK];
    for (int d = 0; d < stripe->shape.rank; d++) extents[d] = stripe->shape.dims[d].size;
    strides_of(&stripe->shape, own);
    Loop *loop = step_loop(program, stripe->shape.rank, extents);
    loop_input(loop, program_buffer(program, stripe), 0, own);
    loop_output(loop, whole, offset, strides);
    loop_simplify(loop);
    Step **steps = program->steps.items, *copy = steps[program->steps.count - 1];
    for (int i = program->steps.count - 1; i > after + 1; i--) steps[i] = steps[i - 1];
    steps[after + 1] = copy;
}

/* Whether rows of a map are one block of memory. */
static bool rows_are_blocks(const Shape *shape) { return shape_product(shape, 0, shape->channels_last ? 1 : 2) == 1; }

static void lower_join_rows(Program *program, Node *node) {
    const Value *output = node->outputs.items[0];
    Buffer *whole = program_buffer(program, output);
    int64_t strides[MAX_RANK], row = 0;
    strides_of(&output->shape, strides);
    for (int i = 0; i < node->inputs.count; i++) {
        const Value *stripe = node->inputs.items[i];
        Buffer *buffer = program_buffer(program, stripe);
        int writers;
        const int at = last_writer(program, buffer, &writers);
        const bool lies_alike = stripe->shape.channels_last == output->shape.channels_last;
        if (writers == 1 && buffer->value == stripe && lies_alike && rows_are_blocks(&output->shape))
            redirect(program->steps.items[at], buffer, whole, row * strides[2]);
        else copy_stripe(program, stripe, whole, strides, row * strides[2], at);
        row += stripe->shape.dims[2].size;
    }
}

const Op OPS_rows[] = {
    {.name = "JoinRows",
     .domain = FUSED_DOMAIN,
     .versions = {1},
     .inputs = "stripes:T*",
     .outputs = "map:T",
     .types = "T: all",
     .infer = infer_join_rows,
     .layout = layout_any,
     .lower = lower_join_rows},
    {0},
};
