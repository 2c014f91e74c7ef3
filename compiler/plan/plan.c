/* Plan: lifetimes, in-place pairs, and greedy packing in several orders, of which the best is kept.
 * Packing by decreasing size is the "greedy by size" of Pisarchyk and Lee, "Efficient Memory Management for Deep Neural
 * Net Inference", 2020. */
#include "plan/plan.h"

#include "base/checked.h"

#include <stdlib.h>
#include <string.h>

/* One or more buffers at one offset: a chain of in-place pairs is alive from its first to its last. */
typedef struct {
    int first, last;
    int span; /* how many steps of those at which an item begins that is not for probes alone */
    int64_t size, offset;
    int number; /* of one of the buffers */
    bool is_shown;
} Item;

static int64_t buffer_bytes(const Buffer *buffer) {
    int64_t bytes;
    if (!checked_multiply(buffer->count, type_info(buffer->type)->bytes, &bytes) || bytes > INT64_MAX / 4)
        fail(STATUS_UNSUPPORTED, "a tensor is too large to be planned");
    return bytes;
}

/* The room that a buffer takes: an empty one has an address too, as kernels are given one. */
static int64_t aligned(int64_t bytes) {
    if (bytes == 0) return WORKSPACE_ALIGNMENT;
    return (bytes + WORKSPACE_ALIGNMENT - 1) / WORKSPACE_ALIGNMENT * WORKSPACE_ALIGNMENT;
}

static void use(Buffer *buffer, int step) {
    if (buffer == NULL || buffer->kind != BUFFER_WORK) return;
    if (buffer->first < 0) buffer->first = step;
    buffer->last = step;
}

static void use_loop(const Loop *loop, int step) {
    for (int i = 0; i < loop->input_count; i++) use(loop->inputs[i].buffer, step);
    use(loop->output.buffer, step);
}

static void find_lifetimes(Program *program) {
    for (int i = 0; i < program->buffers.count; i++) {
        Buffer *buffer = program->buffers.items[i];
        buffer->first = buffer->last = -1;
        buffer->in_place_of = NULL;
        buffer->offset = 0;
    }
    for (int i = 0; i < program->steps.count; i++) {
        const Step *step = program->steps.items[i];
        if (step->kind == STEP_LOOP) use_loop(step->loop, i);
        else
            for (int k = 0; k < step->kernel->parameter_count; k++) use(step->arguments[k].buffer, i);
        if (step->epilogue != NULL) use_loop(step->epilogue, i);
    }
}

/* Whether a loop reads from this operand exactly the element that it writes next. */
static bool reads_what_it_writes(const Loop *loop, const Operand *input) {
    if (input->offset != loop->output.offset) return false;
    for (int d = 0; d < loop->rank; d++)
        if (loop->extent[d] > 1 && input->stride[d] != loop->output.stride[d]) return false;
    return true;
}

/* Whether the loop may write its output over this buffer: every read of it is of the element written next. */
static bool can_overwrite(const Loop *loop, const Buffer *buffer) {
    const Buffer *output = loop->output.buffer;
    if (loop->reduced > 0 || buffer->kind != BUFFER_WORK || buffer == output) return false;
    if (buffer->count != output->count) return false;
    /* Elements of one C type: the same memory seen as two types in one loop would break C's aliasing rules. */
    if (strcmp(type_info(buffer->type)->c_name, type_info(output->type)->c_name) != 0) return false;
    for (int i = 0; i < loop->input_count; i++)
        if (loop->inputs[i].buffer == buffer && !reads_what_it_writes(loop, &loop->inputs[i])) return false;
    return true;
}

static void find_in_place(Program *program) {
    for (int i = 0; i < program->steps.count; i++) {
        const Step *step = program->steps.items[i];
        if (step->kind != STEP_LOOP) continue;
        Buffer *output = step->loop->output.buffer;
        if (output->kind != BUFFER_WORK || output->first != i) continue;
        for (int k = 0; k < step->loop->input_count && output->in_place_of == NULL; k++) {
            Buffer *input = step->loop->inputs[k].buffer;
            if (input->kind == BUFFER_WORK && input->last == i && can_overwrite(step->loop, input))
                output->in_place_of = input;
        }
    }
}

/* Places items in the order given: each into the smallest gap among those already placed that are alive with it.
 * Returns where the highest ends. */
static int64_t place(Item *items, int count, Item **placed) {
    int64_t highest = 0;
    for (int i = 0; i < count; i++) {
        int64_t end = 0, best = -1, best_gap = INT64_MAX;
        for (int k = 0; k < i; k++) { /* placed ones, by offset */
            const Item *other = placed[k];
            if (other->last < items[i].first || other->first > items[i].last) continue;
            int64_t gap = other->offset - end;
            if (gap >= items[i].size && gap < best_gap) best = end, best_gap = gap;
            if (other->offset + other->size > end) end = other->offset + other->size;
        }
        items[i].offset = best >= 0 ? best : end;
        if (items[i].offset + items[i].size > highest) highest = items[i].offset + items[i].size;
        int at = i;
        for (; at > 0 && placed[at - 1]->offset > items[i].offset; at--) placed[at] = placed[at - 1];
        placed[at] = &items[i];
    }
    return highest;
}

/* The sum of where the highest item ends that is alive at a step, over the steps at which an item begins: others may be
 * there for probes alone. height: one a step, overwritten. */
static double sum_of_heights(const Item *items, int count, int64_t *height, int steps) {
    double sum = 0;
    for (int step = 0; step < steps; step++) height[step] = -1;
    for (int i = 0; i < count; i++) height[items[i].first] = 0;
    for (int i = 0; i < count; i++)
        for (int step = items[i].first; step <= items[i].last; step++)
            if (height[step] >= 0 && items[i].offset + items[i].size > height[step])
                height[step] = items[i].offset + items[i].size;
    for (int step = 0; step < steps; step++) sum += height[step] >= 0 ? (double)height[step] : 0;
    return sum;
}

#define COMPARE(a, b) ((a) < (b) ? -1 : (a) > (b) ? 1 : 0)

static int by_size(const void *a, const void *b) {
    const Item *x = a, *y = b;
    return x->size != y->size ? COMPARE(y->size, x->size) : COMPARE(x->number, y->number);
}

static int by_size_and_time(const void *a, const void *b) {
    const Item *x = a, *y = b;
    double area_x = (double)x->size * x->span, area_y = (double)y->size * y->span;
    return area_x != area_y ? COMPARE(area_y, area_x) : COMPARE(x->number, y->number);
}

static int by_time(const void *a, const void *b) {
    const Item *x = a, *y = b;
    return x->span != y->span ? COMPARE(y->span, x->span) : by_size(a, b);
}

static int by_start(const void *a, const void *b) {
    const Item *x = a, *y = b;
    return x->first != y->first ? COMPARE(x->first, y->first) : by_size(a, b);
}

static int (*const ORDERS[])(const void *, const void *) = {by_size, by_size_and_time, by_time, by_start};

/* Moves the item that ends highest to the front, so that it is placed before all others; or, to make room for it, the
 * one beside it that lives longest. */
static void move_forward(Item *items, int count, bool is_beside) {
    int highest = 0, longest = -1;
    for (int i = 1; i < count; i++)
        if (items[i].offset + items[i].size > items[highest].offset + items[highest].size) highest = i;
    for (int i = 0; i < count; i++) {
        if (i == highest || items[i].last < items[highest].first || items[i].first > items[highest].last) continue;
        if (longest < 0 || items[i].span > items[longest].span) longest = i;
    }
    const int at = is_beside && longest >= 0 ? longest : highest;
    const Item moved = items[at];
    memmove(items + 1, items, (size_t)at * sizeof *items);
    items[0] = moved;
}

/* The first of the chain of in-place pairs that a buffer belongs to. */
static const Buffer *chain_start(const Buffer *buffer) {
    while (buffer->in_place_of != NULL) buffer = buffer->in_place_of;
    return buffer;
}

/* Chains of in-place pairs become one item each; item_of is indexed by the number of a chain's first buffer. */
static int collect_items(const Program *program, Item *items, int *item_of) {
    int count = 0;
    for (int i = 0; i < program->buffers.count; i++) item_of[i] = -1;
    for (int i = 0; i < program->buffers.count; i++) {
        const Buffer *buffer = program->buffers.items[i];
        if (buffer->kind != BUFFER_WORK || buffer->first < 0) continue;
        int *at = &item_of[chain_start(buffer)->number];
        if (*at < 0) {
            *at = count++;
            items[*at] = (Item){.first = buffer->first,
                                .last = buffer->last,
                                .size = aligned(buffer_bytes(buffer)),
                                .number = i,
                                .is_shown = buffer->is_shown};
        }
        Item *item = &items[*at];
        if (buffer->first < item->first) item->first = buffer->first;
        if (buffer->last > item->last) item->last = buffer->last;
    }
    return count;
}

/* The largest sum of the bytes alive at one step. */
static int64_t largest_live_sum(const Program *program, const Item *items, int count) {
    int64_t *change = arena_new_array(program->arena, int64_t, (size_t)program->steps.count + 1);
    for (int i = 0; i < count; i++) {
        int64_t bytes = buffer_bytes(program->buffers.items[items[i].number]);
        change[items[i].first] += bytes;
        change[items[i].last + 1] -= bytes;
    }
    int64_t live = 0, largest = 0;
    for (int i = 0; i < program->steps.count; i++) {
        live += change[i];
        if (live > largest) largest = live;
    }
    return largest;
}

/* Brings the items that are not for probes alone to the front; returns how many there are. */
static int bring_unprobed_forward(Item *items, int count) {
    int unprobed = 0;
    for (int i = 0; i < count; i++) {
        if (items[i].is_shown) continue;
        const Item moved = items[i];
        items[i] = items[unprobed], items[unprobed++] = moved;
    }
    return unprobed;
}

/* Spans are the same with probes and without: steps that are there for probes alone do not count. */
static void find_spans(const Program *program, Item *items, int count) {
    const int steps = program->steps.count;
    int *begun = arena_new_array(program->arena, int, (size_t)steps + 1); /* before each step, how many that count */
    for (int i = 0; i < count; i++)
        if (!items[i].is_shown) begun[items[i].first + 1] = 1;
    for (int step = 0; step < steps; step++) begun[step + 1] += begun[step];
    for (int i = 0; i < count; i++) items[i].span = begun[items[i].last + 1] - begun[items[i].first];
}

enum { TRIES = 16 }; /* with each order, while there is a gap to the lower bound */

/* Places items in several orders, and leaves them in the order, and at the places, with which they need least; of those
 * that need as much, at most steps: so that much room is left for what is for probes alone. */
static void place_unprobed(const Program *program, Item *items, int count, Item **placed) {
    Item *best = arena_new_array(program->arena, Item, (size_t)count);
    int64_t *height = arena_new_array(program->arena, int64_t, (size_t)program->steps.count);
    const int64_t bound = largest_live_sum(program, items, count);
    int64_t least = INT64_MAX;
    double least_sum = 0;
    for (size_t k = 0; k < sizeof ORDERS / sizeof *ORDERS; k++) {
        qsort(items, (size_t)count, sizeof *items, ORDERS[k]);
        for (int i = 0; i == 0 || (i < TRIES && least > bound); i++) {
            if (i > 0) move_forward(items, count, i % 2 == 0);
            const int64_t bytes = place(items, count, placed);
            const double sum = sum_of_heights(items, count, height, program->steps.count);
            if (bytes > least || (bytes == least && sum >= least_sum)) continue;
            least = bytes, least_sum = sum;
            memcpy(best, items, (size_t)count * sizeof *items);
        }
    }
    memcpy(items, best, (size_t)count * sizeof *items);
}

/* Places those behind the first `unprobed` as well, of which the places stay; returns where the highest ends. */
static int64_t place_shown(const Program *program, Item *items, int unprobed, int count, Item **placed) {
    Item *shown = items + unprobed, *best = arena_new_array(program->arena, Item, (size_t)count);
    int64_t least = INT64_MAX;
    for (size_t k = 0; k < sizeof ORDERS / sizeof *ORDERS; k++) {
        qsort(shown, (size_t)(count - unprobed), sizeof *items, ORDERS[k]);
        for (int i = 0; i < TRIES && least > program->lower_bound_bytes; i++) {
            if (i > 0) move_forward(shown, count - unprobed, i % 2 == 0);
            const int64_t bytes = place(items, count, placed);
            if (bytes >= least) continue;
            least = bytes;
            memcpy(best, items, (size_t)count * sizeof *items);
        }
    }
    memcpy(items, best, (size_t)count * sizeof *items);
    return least;
}

static int64_t value_bytes(const Value *value) { return shape_count(&value->shape) * type_info(value->type)->bytes; }

/* Where those inputs and outputs end that lie apart and come before one; NULL: all. */
static int64_t end_of_staged(const Program *program, const Value *until) {
    const Graph *graph = program->graph;
    int64_t end = program->staged_offset;
    for (int i = 0; i < graph->inputs.count + graph->outputs.count; i++) {
        const bool is_input = i < graph->inputs.count;
        const Value *value = is_input ? graph->inputs.items[i] : graph->outputs.items[i - graph->inputs.count];
        if (value == until) break;
        if (sample_pieces(value) > 1) end += aligned(value_bytes(value));
    }
    return end;
}

int64_t plan_staged(const Program *program, const Value *value) {
    return sample_pieces(value) > 1 ? end_of_staged(program, value) : -1;
}

/* Memory behind that of all buffers, as steps reach these values at any time. */
static void add_staged(Program *program) {
    program->staged_offset = program->workspace_bytes;
    const int64_t end = end_of_staged(program, NULL), bytes = end - program->staged_offset;
    if (bytes == 0) return;
    program->workspace_bytes = program->unprobed_bytes = end;
    program->lower_bound_bytes += bytes;
}

void plan_memory(Program *program) {
    find_lifetimes(program);
    find_in_place(program);
    size_t room = (size_t)program->buffers.count;
    Item *items = arena_new_array(program->arena, Item, room);
    Item **placed = arena_new_array(program->arena, Item *, room);
    int *item_of = arena_new_array(program->arena, int, room);
    const int count = collect_items(program, items, item_of);
    program->lower_bound_bytes = largest_live_sum(program, items, count);
    program->unprobed_bytes = program->workspace_bytes = 0;
    if (count > 0) {
        /* Without what is for probes alone first, so that code without probes is the same. */
        const int unprobed = bring_unprobed_forward(items, count);
        find_spans(program, items, count);
        place_unprobed(program, items, unprobed, placed);
        program->unprobed_bytes = place(items, unprobed, placed);
        program->workspace_bytes =
            unprobed < count ? place_shown(program, items, unprobed, count, placed) : program->unprobed_bytes;
    }
    int64_t *offset_of = arena_new_array(program->arena, int64_t, room);
    for (int i = 0; i < count; i++)
        offset_of[chain_start(program->buffers.items[items[i].number])->number] = items[i].offset;
    for (int i = 0; i < program->buffers.count; i++) {
        Buffer *buffer = program->buffers.items[i];
        if (item_of[chain_start(buffer)->number] >= 0) buffer->offset = offset_of[chain_start(buffer)->number];
    }
    add_staged(program);
    plan_check(program);
}

/* The check: what each buffer's memory holds, step by step. */

typedef enum { NOTHING_YET, WHOLE, OVERWRITTEN } Content;

typedef struct {
    const Program *program;
    Content *contents;          /* by buffer number */
    LIST(const Buffer *) whole; /* those that hold their data now */
    int step;
} Walk;

static bool overlap(const Buffer *a, const Buffer *b) {
    return a->offset < b->offset + buffer_bytes(b) && b->offset < a->offset + buffer_bytes(a);
}

static bool is_planned(const Buffer *buffer) {
    return buffer != NULL && buffer->kind == BUFFER_WORK && buffer->count > 0;
}

static void check_read(const Walk *walk, const Buffer *buffer) {
    if (!is_planned(buffer)) return;
    if (walk->contents[buffer->number] != WHOLE)
        fail(STATUS_BUG, "step %d reads buffer %d, which %s", walk->step + 1, buffer->number,
             walk->contents[buffer->number] == OVERWRITTEN ? "another one has overwritten" : "nothing has written");
}

static void check_write(Walk *walk, const Buffer *buffer) {
    if (!is_planned(buffer)) return;
    if (walk->contents[buffer->number] == OVERWRITTEN)
        fail(STATUS_BUG, "step %d writes buffer %d again, which another one has overwritten", walk->step + 1,
             buffer->number);
    if (buffer->offset < 0 || buffer->offset % WORKSPACE_ALIGNMENT != 0 ||
        buffer->offset + buffer_bytes(buffer) > walk->program->workspace_bytes)
        fail(STATUS_BUG, "buffer %d has no proper place in the workspace", buffer->number);
    if (walk->contents[buffer->number] == WHOLE) return; /* a further part of it */
    int kept = 0;
    for (int i = 0; i < walk->whole.count; i++) {
        const Buffer *other = walk->whole.items[i];
        if (overlap(buffer, other)) walk->contents[other->number] = OVERWRITTEN;
        else walk->whole.items[kept++] = other;
    }
    walk->whole.count = kept;
    walk->contents[buffer->number] = WHOLE;
    list_add(walk->program->arena, &walk->whole, buffer);
}

static void check_apart(const Walk *walk, const Buffer *input, const Buffer *output) {
    if (is_planned(input) && is_planned(output) && input != output && overlap(input, output))
        fail(STATUS_BUG, "step %d reads and writes the same memory, as buffers %d and %d", walk->step + 1,
             input->number, output->number);
}

static void check_loop(Walk *walk, const Loop *loop) {
    for (int i = 0; i < loop->input_count; i++) {
        const Buffer *input = loop->inputs[i].buffer;
        if (input == loop->output.buffer) continue; /* updated in place, as the program itself says */
        check_read(walk, input);
        bool in_place = input != NULL && loop->output.buffer->in_place_of == input && can_overwrite(loop, input) &&
                        input->offset == loop->output.buffer->offset;
        if (!in_place) check_apart(walk, input, loop->output.buffer);
    }
    check_write(walk, loop->output.buffer);
}

static void check_kernel(Walk *walk, const Step *step) {
    const Kernel *kernel = step->kernel;
    for (int i = 0; i < kernel->parameter_count; i++)
        if (kernel->parameters[i].kind == PARAMETER_INPUT) check_read(walk, step->arguments[i].buffer);
    for (int i = 0; i < kernel->parameter_count; i++) {
        if (kernel->parameters[i].kind != PARAMETER_OUTPUT) continue;
        for (int k = 0; k < kernel->parameter_count; k++)
            if (kernel->parameters[k].kind == PARAMETER_INPUT ||
                (kernel->parameters[k].kind == PARAMETER_OUTPUT && k < i))
                check_apart(walk, step->arguments[k].buffer, step->arguments[i].buffer);
        check_write(walk, step->arguments[i].buffer);
    }
    if (step->epilogue == NULL) return;
    for (int i = 1; i < step->epilogue->input_count; i++) {
        check_read(walk, step->epilogue->inputs[i].buffer);
        check_apart(walk, step->epilogue->inputs[i].buffer, step->epilogue->output.buffer);
    }
}

void plan_check(const Program *program) {
    Walk walk = {.program = program};
    walk.contents = arena_new_array(program->arena, Content, (size_t)program->buffers.count);
    for (walk.step = 0; walk.step < program->steps.count; walk.step++) {
        const Step *step = program->steps.items[walk.step];
        if (step->kind == STEP_LOOP) check_loop(&walk, step->loop);
        else check_kernel(&walk, step);
    }
}
