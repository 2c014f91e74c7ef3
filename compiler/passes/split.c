/* Split: tasks by cost.
 * Waking threads and waiting for the last of them takes some microseconds, so a task has to be worth more than that. */
#include "passes/split.h"

#include "ops/op.h"

/* The least that a task does: multiply-adds, or else elements times the operations on each. */
enum { LEAST_MACS = 100000, LEAST_OPERATIONS = 10000 };

int64_t step_macs(const Step *step) {
    int64_t macs = 0;
    for (int i = 0; i < step->nodes.count; i++) {
        const Node *node = step->nodes.items[i];
        int64_t own = node->op == NULL || node->op->macs == NULL ? 0 : node->op->macs(node);
        if (own > 0) macs += own;
    }
    return macs;
}

/* Of a loop, or of a kernel that touches each element once. */
static int64_t operations(const Step *step) {
    int64_t count = 0;
    if (step->kind == STEP_KERNEL) {
        for (int i = 0; i < step->kernel->parameter_count; i++)
            if (step->arguments[i].buffer != NULL) count += step->arguments[i].buffer->count;
        return count;
    }
    const Loop *loop = step->loop;
    count = loop->scalar_count - loop->input_count + 1;
    for (int d = 0; d < loop->rank; d++) count *= loop->extent[d];
    return count;
}

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t larger(int64_t a, int64_t b) { return a < b ? b : a; }

/* Ranges of a task: the more, the less one thread waits for another at the end. What keeps scratch fills it anew for
 * each. */
static int most_ranges(const Step *step) {
    enum { PLAIN = 12, KEEPING_SCRATCH = 4 };
    return step->kind == STEP_KERNEL && kernel_keeps_scratch(step->kernel) ? KEEPING_SCRATCH : PLAIN;
}

/* How many threads are worth being woken for it. The multiply-adds are those of a whole node: that of a gate has pools,
 * too, which have none. */
static void give_tasks(const Program *program, Step *step) {
    int64_t macs = step->kind == STEP_KERNEL ? step_macs(step) : 0;
    int64_t worth = larger(macs / LEAST_MACS, operations(step) / LEAST_OPERATIONS);
    if (step->kind == STEP_KERNEL) worth = smaller(worth, step_most_items(program, step));
    step->tasks = (int)smaller(worth, program->threads);
    step->ranges = step->tasks < 2 ? 1 : (int)smaller(worth / step->tasks, most_ranges(step));
}

/* A share of a step's scratch for each task, in cache lines of its own. */
static void widen_scratch(Step *step) {
    enum { CACHE_LINE = 64 };
    Buffer *scratch = step_scratch(step);
    if (scratch == NULL) return;
    int64_t line = CACHE_LINE / type_info(scratch->type)->bytes, count = (scratch->count + line - 1) / line * line;
    if (count > INT32_MAX / step->tasks) step->tasks = 1;
    else scratch->count = count * step->tasks;
}

void split_program(Program *program) {
    for (int i = 0; i < program->steps.count; i++) {
        Step *step = program->steps.items[i];
        give_tasks(program, step);
        if (step->kind == STEP_KERNEL && step->tasks > 1) widen_scratch(step);
    }
}
