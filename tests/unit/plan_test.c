/* plan: lifetimes, in-place pairs, packing near the lower bound, and that plan_check finds plans that are wrong.
 * Programs are made by hand; the kernel in them is never run. */
#include "plan/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const Parameter PARAMETERS[] = {
    {"a", PARAMETER_INPUT, "T"}, {"b", PARAMETER_INPUT, "T"}, {"y", PARAMETER_OUTPUT, "T"}};
static const Kernel KERNEL = {.name = "join", .parameters = PARAMETERS, .parameter_count = 3};

static Program *program_make(Arena *arena) { return program_new(arena, graph_new(arena, "test")); }

static Buffer *input_make(Program *program, int64_t count) {
    Buffer *buffer = program_scratch(program, TYPE_FLOAT, count);
    buffer->kind = BUFFER_INPUT;
    return buffer;
}

/* y = join(a, b): whole buffers, in no particular order. */
static Buffer *join(Program *program, Buffer *a, Buffer *b, int64_t count) {
    Buffer *y = program_scratch(program, TYPE_FLOAT, count);
    Step *step = arena_new_object(program->arena, Step);
    *step = (Step){.kind = STEP_KERNEL, .kernel = &KERNEL, .type = TYPE_FLOAT};
    step->arguments[0].buffer = a;
    step->arguments[1].buffer = b;
    step->arguments[2].buffer = y;
    list_add(program->arena, &program->steps, step);
    return y;
}

/* y = relu(x), element by element, y being of another type where one is given. */
static Buffer *loop_over(Program *program, Buffer *x, Type type, int64_t stride) {
    Buffer *y = program_scratch(program, type, x->count);
    Loop *loop = step_loop(program, 1, &x->count);
    int value = loop_input(loop, x, stride < 0 ? x->count - 1 : 0, &stride);
    loop_output(loop, y, 0, (int64_t[]){1});
    loop_apply(loop, "relu", TYPE_FLOAT, type, 1, &value);
    return y;
}

static void chain_stays_in_place(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Program *program = program_make(arena);
    Buffer *a = loop_over(program, input_make(program, 100), TYPE_FLOAT, 1);
    Buffer *b = loop_over(program, a, TYPE_FLOAT, 1);
    Buffer *c = loop_over(program, b, TYPE_FLOAT, 1);
    plan_memory(program);
    assert_null(a->in_place_of);
    assert_ptr_equal(b->in_place_of, a);
    assert_ptr_equal(c->in_place_of, b);
    assert_int_equal(a->first, 0);
    assert_int_equal(a->last, 1);
    assert_int_equal(c->last, 2);
    assert_int_equal(program->lower_bound_bytes, 400);
    assert_int_equal(program->workspace_bytes, 448);
    arena_free(arena);
}

static void not_in_place_where_elements_move(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Program *program = program_make(arena);
    Buffer *a = loop_over(program, input_make(program, 100), TYPE_FLOAT, 1);
    Buffer *reversed = loop_over(program, a, TYPE_FLOAT, -1);
    Buffer *integers = loop_over(program, reversed, TYPE_INT32, 1); /* as large, but of another C type */
    plan_memory(program);
    assert_null(reversed->in_place_of);
    assert_null(integers->in_place_of);
    assert_int_equal(program->lower_bound_bytes, 800);
    arena_free(arena);
}

static void not_in_place_while_still_needed(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Program *program = program_make(arena);
    Buffer *a = loop_over(program, input_make(program, 16), TYPE_FLOAT, 1);
    Buffer *b = loop_over(program, a, TYPE_FLOAT, 1);
    join(program, a, b, 16);
    plan_memory(program);
    assert_null(b->in_place_of);
    assert_int_equal(program->workspace_bytes, 3 * 64);
    arena_free(arena);
}

static void unused_buffers_take_nothing_and_empty_ones_an_address(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Program *program = program_make(arena);
    program_scratch(program, TYPE_FLOAT, 1000);
    plan_memory(program);
    assert_int_equal(program->workspace_bytes, 0);
    loop_over(program, input_make(program, 0), TYPE_FLOAT, 1);
    plan_memory(program);
    assert_int_equal(program->workspace_bytes, WORKSPACE_ALIGNMENT);
    assert_int_equal(program->lower_bound_bytes, 0);
    arena_free(arena);
}

/* A small generator: the same numbers on every machine. */
static unsigned next_random(unsigned *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static Program *random_program(Arena *arena, unsigned *seed) {
    Program *program = program_make(arena);
    LIST(Buffer *) made = {0};
    list_add(arena, &made, input_make(program, 64));
    int steps = 20 + (int)(next_random(seed) % 100);
    for (int i = 0; i < steps; i++) {
        int recent = made.count < 6 ? made.count : 6;
        Buffer *a = made.items[made.count - 1 - (int)(next_random(seed) % (unsigned)recent)];
        Buffer *b = made.items[made.count - 1 - (int)(next_random(seed) % (unsigned)recent)];
        int64_t count = 1 << (4 + next_random(seed) % 10);
        list_add(arena, &made,
                 next_random(seed) % 3 == 0 ? loop_over(program, a, TYPE_FLOAT, 1) : join(program, a, b, count));
    }
    return program;
}

static void random_programs_are_near_the_bound(void **state) {
    (void)state;
    unsigned seed = 20240607;
    printf("seed %u\n", seed);
    double sum = 0;
    enum { PROGRAMS = 200 };
    for (int i = 0; i < PROGRAMS; i++) {
        Arena *arena = arena_new();
        Program *program = random_program(arena, &seed);
        plan_memory(program);
        assert_true(program->workspace_bytes >= program->lower_bound_bytes);
        sum += (double)program->workspace_bytes / (double)program->lower_bound_bytes;
        arena_free(arena);
    }
    printf("mean of workspace / lower bound: %.4f\n", sum / PROGRAMS);
    assert_true(sum / PROGRAMS < 1.1);
}

static void run_check(void *program) { plan_check(program); }

static void assert_check_says(Program *program, const char *expected) {
    char message[512];
    diag_capture(message, sizeof message);
    Status status = guard(run_check, program);
    diag_capture(NULL, 0);
    assert_int_equal(status, STATUS_BUG);
    if (strstr(message, expected) == NULL) fail_msg("expected \"%s\" in: %s", expected, message);
}

static void check_finds_wrong_plans(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Program *program = program_make(arena);
    Buffer *a = loop_over(program, input_make(program, 16), TYPE_FLOAT, 1);
    Buffer *b = loop_over(program, a, TYPE_FLOAT, 1);
    Buffer *c = join(program, b, b, 16);
    Buffer *d = join(program, b, c, 16);
    plan_memory(program);
    assert_int_equal(d->last, 3);
    int64_t right = c->offset;
    c->offset = b->offset;
    assert_check_says(program, "step 3 reads and writes the same memory");
    c->offset = right + 4;
    assert_check_says(program, "no proper place");
    c->offset = right;
    int64_t total = program->workspace_bytes;
    program->workspace_bytes -= 64;
    assert_check_says(program, "no proper place");
    program->workspace_bytes = total;
    plan_check(program);

    Buffer *late = join(program, a, d, 16); /* a was overwritten by b, in place */
    late->offset = total;
    program->workspace_bytes = total + 64;
    assert_check_says(program, "step 5 reads buffer 1, which another one has overwritten");
    program->steps.count--;
    join(program, late, d, 16);
    assert_check_says(program, "which nothing has written");
    arena_free(arena);
}

/* Where placements need as much, the one is taken that leaves more room for what is for probes alone. */
static void lies_low_below_probes(void **state) {
    (void)state;
    enum { LINE = 16 }; /* floats */
    Arena *arena = arena_new();
    Program *program = program_make(arena);
    Buffer *input = input_make(program, 1);
    Buffer *kept = join(program, input, input, 8 * LINE);
    Buffer *large = join(program, input, input, 16 * LINE);
    join(program, large, input, LINE);
    Buffer *shown = join(program, input, input, 20 * LINE);
    shown->is_shown = true;
    join(program, kept, shown, LINE);
    plan_memory(program);
    assert_int_equal(program->unprobed_bytes, 25 * 64);
    assert_int_equal(program->workspace_bytes, 29 * 64);
    assert_int_equal(program->lower_bound_bytes, 29 * 64);
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chain_stays_in_place),
        cmocka_unit_test(not_in_place_where_elements_move),
        cmocka_unit_test(not_in_place_while_still_needed),
        cmocka_unit_test(unused_buffers_take_nothing_and_empty_ones_an_address),
        cmocka_unit_test(random_programs_are_near_the_bound),
        cmocka_unit_test(check_finds_wrong_plans),
        cmocka_unit_test(lies_low_below_probes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
