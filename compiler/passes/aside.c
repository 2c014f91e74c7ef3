/* Aside: what outputs depend on is found from the last step to the first; the rest is there for probes.
 * See aside.h. */
#include "passes/aside.h"

#include <stdlib.h>

typedef struct {
    const Buffer *reads[MAX_ARGUMENTS + 2 * MAX_OPERANDS];
    Buffer *writes[MAX_ARGUMENTS + 1];
    int read_count, write_count;
} Uses;

static void add_reads(Uses *uses, const Loop *loop) {
    for (int i = 0; loop != NULL && i < loop->input_count; i++)
        if (loop->inputs[i].buffer != NULL) uses->reads[uses->read_count++] = loop->inputs[i].buffer;
}

static Uses uses_of(const Step *step) {
    Uses uses = {.read_count = 0};
    for (int k = 0; step->kind == STEP_KERNEL && k < step->kernel->parameter_count; k++) {
        Buffer *buffer = step->arguments[k].buffer;
        if (buffer == NULL) continue;
        if (step->kernel->parameters[k].kind == PARAMETER_OUTPUT) uses.writes[uses.write_count++] = buffer;
        else uses.reads[uses.read_count++] = buffer;
    }
    add_reads(&uses, step->loop);
    add_reads(&uses, step->epilogue);
    if (step->kind == STEP_LOOP) uses.writes[uses.write_count++] = step->loop->output.buffer;
    return uses;
}

void aside_find(Program *program) {
    bool *needed = arena_new_array(program->arena, bool, (size_t)program->buffers.count);
    for (int i = program->steps.count - 1; i >= 0; i--) {
        Step *step = program->steps.items[i];
        Uses uses = uses_of(step);
        step->is_aside = uses.write_count > 0;
        for (int k = 0; k < uses.write_count; k++)
            if (uses.writes[k]->kind == BUFFER_OUTPUT || needed[uses.writes[k]->number]) step->is_aside = false;
        for (int k = 0; k < uses.read_count && !step->is_aside; k++) needed[uses.reads[k]->number] = true;
    }
}

/* The buffers that only steps aside write. */
static void find_buffers(Program *program) {
    bool *kept = arena_new_array(program->arena, bool, (size_t)program->buffers.count);
    for (int i = 0; i < program->steps.count; i++) {
        Uses uses = uses_of(program->steps.items[i]);
        for (int k = 0; k < uses.write_count; k++)
            if (!program->steps.items[i]->is_aside) kept[uses.writes[k]->number] = true;
    }
    for (int i = 0; i < program->steps.count; i++) {
        Uses uses = uses_of(program->steps.items[i]);
        for (int k = 0; k < uses.write_count && program->steps.items[i]->is_aside; k++)
            if (!kept[uses.writes[k]->number]) uses.writes[k]->is_shown = true;
    }
}

/* A step, and the number of the one behind which it may stand. */
typedef struct {
    Step *step;
    int behind, number;
} Place;

static int by_place(const void *a, const void *b) {
    const Place *x = a, *y = b;
    return x->behind != y->behind ? (x->behind < y->behind ? -1 : 1)
                                  : (x->number > y->number) - (x->number < y->number);
}

static int later(int a, int b) { return a > b ? a : b; }

/* Lets steps aside stand behind the last that touches what they do. */
static void bring_forward(Program *program) {
    int count = program->steps.count;
    Place *places = arena_new_array(program->arena, Place, (size_t)count);
    int *written =
        arena_new_array(program->arena, int, (size_t)program->buffers.count); /* behind which step; -1: none */
    int *touched = arena_new_array(program->arena, int, (size_t)program->buffers.count);
    for (int i = 0; i < program->buffers.count; i++) written[i] = touched[i] = -1;
    for (int i = 0; i < count; i++) {
        Step *step = program->steps.items[i];
        Uses uses = uses_of(step);
        int behind = step->is_aside ? -1 : i;
        for (int k = 0; k < uses.read_count; k++) behind = later(behind, written[uses.reads[k]->number]);
        for (int k = 0; k < uses.write_count; k++) behind = later(behind, touched[uses.writes[k]->number]);
        places[i] = (Place){step, behind, i};
        for (int k = 0; k < uses.read_count; k++)
            touched[uses.reads[k]->number] = later(touched[uses.reads[k]->number], behind);
        for (int k = 0; k < uses.write_count; k++)
            written[uses.writes[k]->number] = touched[uses.writes[k]->number] = behind;
    }
    qsort(places, (size_t)count, sizeof *places, by_place);
    for (int i = 0; i < count; i++) program->steps.items[i] = places[i].step;
}

void aside_mark(Program *program) {
    bool any = false;
    aside_find(program);
    for (int i = 0; i < program->steps.count; i++) any |= program->steps.items[i]->is_aside;
    if (!any) return;
    find_buffers(program);
    bring_forward(program);
}
