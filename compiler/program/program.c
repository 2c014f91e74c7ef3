/* The program: buffers, steps and loops, as lowering makes them.
 * A step's parameters are given by name, so that a kernel and its binding can be read side by side. */
#include "program/program.h"

#include <string.h>

#define uthash_malloc(size) arena_alloc(arena, size)
#define uthash_free(memory, size) ((void)arena)
#define uthash_fatal(message) fail(STATUS_BUG, "%s", message)
#include <uthash.h>

struct ValueBuffer {
    const Value *value;
    Buffer *buffer;
    UT_hash_handle hh;
};

Program *program_new(Arena *arena, Graph *graph) {
    Program *program = arena_new_object(arena, Program);
    program->arena = arena;
    program->graph = graph;
    program->threads = 1;
    program->target = &TARGETS[0];
    return program;
}

static Buffer *buffer_new(Program *program, BufferKind kind, Type type, int64_t count) {
    Buffer *buffer = arena_new_object(program->arena, Buffer);
    *buffer = (Buffer){.kind = kind, .type = type, .count = count, .number = program->buffers.count};
    list_add(program->arena, &program->buffers, buffer);
    return buffer;
}

static struct ValueBuffer *entry_of(const Program *program, const Value *value) {
    struct ValueBuffer *entry = NULL;
    HASH_FIND_PTR(program->buffer_of, &value, entry);
    return entry;
}

static void bind(Program *program, const Value *value, Buffer *buffer) {
    Arena *arena = program->arena;
    struct ValueBuffer *entry = arena_new_object(arena, struct ValueBuffer);
    entry->value = value;
    entry->buffer = buffer;
    buffer->is_probed |= value->is_probed;
    HASH_ADD_PTR(program->buffer_of, value, entry);
}

static BufferKind kind_of(const Value *value) {
    if (value->constant != NULL) return BUFFER_CONSTANT;
    if (value->is_input) return BUFFER_INPUT;
    return value->is_output ? BUFFER_OUTPUT : BUFFER_WORK;
}

Buffer *program_buffer(Program *program, const Value *value) {
    struct ValueBuffer *entry = entry_of(program, value);
    if (entry != NULL) return entry->buffer;
    Buffer *buffer = buffer_new(program, kind_of(value), value->type, shape_count(&value->shape));
    buffer->value = value;
    buffer->constant = value->constant;
    bind(program, value, buffer);
    return buffer;
}

Buffer *program_constant(Program *program, const Value *value, const Tensor *constant) {
    Buffer *buffer = buffer_new(program, BUFFER_CONSTANT, constant->type, tensor_count(constant));
    buffer->value = value;
    buffer->constant = constant;
    return buffer;
}

Buffer *program_scratch(Program *program, Type type, int64_t count) {
    return buffer_new(program, BUFFER_WORK, type, count);
}

static void copy(Program *program, const Value *output, const Value *input) {
    int64_t count = shape_count(&output->shape);
    Loop *loop = step_loop(program, 1, &count);
    loop_input(loop, program_buffer(program, input), 0, (int64_t[]){1});
    loop_output(loop, program_buffer(program, output), 0, (int64_t[]){1});
    loop_simplify(loop);
}

/* The same elements in another order. */
static void reorder(Program *program, const Value *output, const Value *input) {
    int64_t extents[MAX_RANK], strides[MAX_RANK];
    for (int i = 0; i < output->shape.rank; i++) extents[i] = output->shape.dims[i].size;
    Loop *loop = step_loop(program, output->shape.rank, extents);
    strides_of(&input->shape, strides);
    loop_input(loop, program_buffer(program, input), 0, strides);
    strides_of(&output->shape, strides);
    loop_output(loop, program_buffer(program, output), 0, strides);
    loop_simplify(loop);
}

void program_view(Program *program, const Value *output, const Value *input) {
    Buffer *from = program_buffer(program, input);
    fovea_assert(entry_of(program, output) == NULL);
    fovea_assert(shape_count(&output->shape) == from->count);
    if (kind_of(output) != BUFFER_OUTPUT) {
        bind(program, output, from);
    } else if (from->kind == BUFFER_WORK &&
               from->type == output->type) { /* made in the caller's memory from the start */
        from->kind = BUFFER_OUTPUT;
        from->value = output;
        bind(program, output, from);
    } else {
        copy(program, output, input);
    }
}

void program_identity(Program *program, const Value *output, const Value *input) {
    if (output->shape.channels_last == input->shape.channels_last) program_view(program, output, input);
    else reorder(program, output, input);
}

static Step *step_new(Program *program, StepKind kind) {
    Step *step = arena_new_object(program->arena, Step);
    step->kind = kind;
    step->node = program->current;
    if (program->current != NULL) list_add(program->arena, &step->nodes, program->current);
    list_add(program->arena, &program->steps, step);
    return step;
}

/* An argument's slot before it is given. */
static const int64_t NOT_GIVEN = INT64_MIN;

Step *step_kernel(Program *program, const char *kernel, Type type) {
    const Kernel *found = kernel_find(kernel);
    if (found == NULL) fail(STATUS_BUG, "no kernel %s in runtime/", kernel);
    if (found->calls[type] == NULL) {
        const char *type_name = type_info(type)->name;
        if (program->current == NULL) fail(STATUS_UNSUPPORTED, "kernel %s has no form for type %s", kernel, type_name);
        node_fail(program->current, STATUS_UNSUPPORTED, "type %s is not supported", type_name);
    }
    fovea_assert(found->parameter_count <= MAX_ARGUMENTS);
    Step *step = step_new(program, STEP_KERNEL);
    step->kernel = found;
    step->type = type;
    for (int i = 0; i < found->parameter_count; i++) step->arguments[i].size = NOT_GIVEN;
    return step;
}

static Argument *argument(Step *step, const char *parameter, ParameterKind kind) {
    for (int i = 0; i < step->kernel->parameter_count; i++) {
        const Parameter *p = &step->kernel->parameters[i];
        bool pointer = kind == PARAMETER_INPUT && p->kind == PARAMETER_OUTPUT;
        if (strcmp(p->name, parameter) == 0 && (p->kind == kind || pointer)) {
            step->arguments[i].size = 0;
            return &step->arguments[i];
        }
    }
    fail(STATUS_BUG, "kernel %s has no such parameter %s", step->kernel->name, parameter);
}

void step_buffer(Step *step, const char *parameter, Buffer *buffer, int64_t offset) {
    Argument *slot = argument(step, parameter, PARAMETER_INPUT);
    slot->buffer = buffer;
    slot->offset = offset;
}

/* Whether a kernel makes a value that it could do without, and that nobody but its probe looks at. */
static bool is_for_show(const Step *step, const char *parameter, const Value *value) {
    if (!value->is_probed || value->is_output || value->consumers.count > 0) return false;
    for (int i = 0; i < step->kernel->parameter_count; i++)
        if (strcmp(step->kernel->parameters[i].name, parameter) == 0)
            return step->kernel->parameters[i].kind == PARAMETER_OUTPUT && kernel_takes_null(step->kernel, i);
    return false;
}

void step_value(Program *program, Step *step, const char *parameter, const Value *value) {
    Buffer *buffer = value == NULL ? NULL : program_buffer(program, value);
    if (buffer != NULL) buffer->is_shown = is_for_show(step, parameter, value);
    step_buffer(step, parameter, buffer, 0);
}

static _Noreturn void fail_size(const Step *step, int64_t size) {
    node_fail(step->node, STATUS_UNSUPPORTED, "a size of %lld is more than generated code can count", (long long)size);
}

void step_size(Step *step, const char *parameter, int64_t size) {
    if (size < INT32_MIN || size > INT32_MAX) fail_size(step, size);
    argument(step, parameter, PARAMETER_SIZE)->size = size;
}

void step_pick(Program *program, Step *step, const char *parameter, const int *picks) {
    int *copied = arena_new_array(program->arena, int, TARGET_COUNT);
    const int own = program->target->registers;
    for (int i = 0; i < TARGET_COUNT; i++) copied[i] = picks[own == TARGET_COUNT ? i : own];
    argument(step, parameter, PARAMETER_SIZE)->picks = copied;
}

void step_sizes(Program *program, Step *step, const char *parameter, const int64_t *sizes, int count) {
    Argument *slot = argument(step, parameter, PARAMETER_SIZES);
    int64_t *copied = arena_new_array(program->arena, int64_t, (size_t)count);
    for (int i = 0; i < count; i++) copied[i] = sizes[i];
    slot->sizes = copied;
    slot->size_count = count;
}

void step_number(Step *step, const char *parameter, double number) {
    argument(step, parameter, PARAMETER_NUMBER)->number = number;
}

static int64_t count_of(const Step *step, const char *expression, int registers) {
    int64_t sizes[MAX_ARGUMENTS];
    for (int i = 0; i < step->kernel->parameter_count; i++) {
        const Argument *given = &step->arguments[i];
        sizes[i] = given->picks == NULL ? given->size : given->picks[registers];
    }
    return kernel_count(step->kernel, expression, sizes, TARGET_LANES[registers]);
}

static int64_t most_of(const Program *program, const Step *step, const char *expression) {
    const int own = program->target->registers;
    int64_t most = 0;
    for (int registers = 0; registers < TARGET_COUNT; registers++) {
        int64_t count = own == TARGET_COUNT || own == registers ? count_of(step, expression, registers) : 0;
        if (count > most) most = count;
    }
    return most;
}

int64_t step_items(const Step *step, int registers) {
    return step->kernel->items == NULL ? 1 : count_of(step, step->kernel->items, registers);
}

int64_t step_most_items(const Program *program, const Step *step) {
    return step->kernel->items == NULL ? 1 : most_of(program, step, step->kernel->items);
}

Buffer *step_scratch(const Step *step) {
    if (step->kernel->scratch == NULL) return NULL;
    return step->arguments[kernel_parameter(step->kernel, "scratch", strlen("scratch"))].buffer;
}

static void give_scratch(Program *program, Step *step) {
    const Parameter *parameter =
        &step->kernel->parameters[kernel_parameter(step->kernel, "scratch", strlen("scratch"))];
    Type type = strcmp(parameter->type, "float") == 0 ? TYPE_FLOAT : type_info(step->type)->compute;
    int64_t count = most_of(program, step, step->kernel->scratch);
    if (count > INT32_MAX) fail_size(step, count);
    step_buffer(step, "scratch", count == 0 ? NULL : program_scratch(program, type, count), 0);
}

void step_check(Program *program, Step *step) {
    if (step->kind != STEP_KERNEL) return;
    if (step->kernel->scratch != NULL) give_scratch(program, step);
    if (step_most_items(program, step) > INT32_MAX) fail_size(step, step_most_items(program, step));
    for (int i = 0; i < step->kernel->parameter_count; i++) {
        const Parameter *parameter = &step->kernel->parameters[i];
        bool is_own = parameter->kind >= PARAMETER_FIRST;
        if (!is_own && step->arguments[i].size == NOT_GIVEN)
            fail(STATUS_BUG, "kernel %s was not given its parameter %s", step->kernel->name, parameter->name);
    }
}

Loop *step_loop(Program *program, int rank, const int64_t *extents) {
    Step *step = step_new(program, STEP_LOOP);
    Loop *loop = step->loop = arena_new_object(program->arena, Loop);
    fovea_assert(rank <= MAX_RANK);
    loop->rank = rank;
    for (int i = 0; i < rank; i++) loop->extent[i] = extents[i];
    return loop;
}

static Operand operand(const Loop *loop, Buffer *buffer, int64_t offset, const int64_t *strides) {
    Operand made = {.buffer = buffer, .offset = offset};
    for (int i = 0; i < loop->rank; i++) made.stride[i] = strides[i];
    return made;
}

static int add_scalar(Loop *loop, Scalar scalar) {
    if (loop->scalar_count == MAX_SCALARS) fail(STATUS_BUG, "a loop's body is too long");
    loop->scalars[loop->scalar_count] = scalar;
    return loop->scalar_count++;
}

Loop *step_formula(Program *program, Step *step, const char *parameter) {
    Loop *loop = arena_new_object(program->arena, Loop);
    loop->input_count = 1;
    add_scalar(loop, (Scalar){.type = type_info(step->type)->compute});
    argument(step, parameter, PARAMETER_FORMULA)->formula = loop;
    return loop;
}

int loop_input(Loop *loop, Buffer *buffer, int64_t offset, const int64_t *strides) {
    fovea_assert(loop->scalar_count == loop->input_count && loop->input_count < MAX_OPERANDS);
    loop->inputs[loop->input_count++] = operand(loop, buffer, offset, strides);
    return add_scalar(loop, (Scalar){.type = buffer->type});
}

void loop_output(Loop *loop, Buffer *buffer, int64_t offset, const int64_t *strides) {
    loop->output = operand(loop, buffer, offset, strides);
}

int loop_literal(Loop *loop, Type type, double number) {
    return add_scalar(loop, (Scalar){.type = type, .number = number, .integer = 0});
}

int loop_literal_int(Loop *loop, Type type, int64_t integer) {
    return add_scalar(loop, (Scalar){.type = type, .number = (double)integer, .integer = integer});
}

static bool is_identity(const Scalar *scalar) {
    return scalar->formula != NULL && strcmp(scalar->formula->name, "identity") == 0;
}

/* Whether two scalars are one number: the same scalar, or elements of the same place in memory. */
static bool is_same(const Loop *loop, int a, int b) {
    while (is_identity(&loop->scalars[a])) a = loop->scalars[a].arguments[0];
    while (is_identity(&loop->scalars[b])) b = loop->scalars[b].arguments[0];
    if (a == b) return true;
    if (a >= loop->input_count || b >= loop->input_count) return false;
    const Operand *one = &loop->inputs[a], *other = &loop->inputs[b];
    if (one->buffer != other->buffer || one->offset != other->offset) return false;
    return memcmp(one->stride, other->stride, (size_t)loop->rank * sizeof one->stride[0]) == 0;
}

/* What a formula gives of twice the same operand; C compilers warn of a comparison whose result is always the same. A
 * NaN is not equal to itself. */
typedef enum { OF_SAME_UNKNOWN, OF_SAME_FALSE, OF_SAME_TRUE, OF_SAME_OPERAND } OfSame;

static OfSame of_same(const Loop *loop, const char *formula, Type operand_type, int count, const int *arguments) {
    static const struct {
        const char *formula;
        OfSame result;
    } known[] = {{"equal", OF_SAME_TRUE},      {"less", OF_SAME_FALSE},     {"less_or_equal", OF_SAME_TRUE},
                 {"greater", OF_SAME_FALSE},   {"xor", OF_SAME_FALSE},      {"greater_or_equal", OF_SAME_TRUE},
                 {"maximum", OF_SAME_OPERAND}, {"minimum", OF_SAME_OPERAND}};
    if (count != 2 || type_is_float(operand_type) || !is_same(loop, arguments[0], arguments[1])) return OF_SAME_UNKNOWN;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].formula, formula) == 0) return known[i].result;
    return OF_SAME_UNKNOWN;
}

int loop_apply(Loop *loop, const char *formula, Type operand_type, Type result, int count, const int *arguments) {
    const OfSame known = of_same(loop, formula, operand_type, count, arguments);
    if (known == OF_SAME_OPERAND) formula = "identity", count = 1;
    else if (known != OF_SAME_UNKNOWN) return loop_literal_int(loop, result, known == OF_SAME_TRUE);
    const Formula *found = formula_find(formula);
    if (found == NULL) fail(STATUS_BUG, "no formula %s in runtime/formulas.txt", formula);
    if (found->texts[operand_type] == NULL)
        fail(STATUS_UNSUPPORTED, "%s of %s is not supported", formula, type_info(operand_type)->name);
    Scalar scalar = {.formula = found, .type = result, .operand_type = operand_type, .argument_count = count};
    for (int i = 0; i < count; i++) scalar.arguments[i] = arguments[i];
    return add_scalar(loop, scalar);
}

int loop_cast(Loop *loop, int scalar, Type to) {
    Type from = loop->scalars[scalar].type;
    if (from == to) return scalar;
    return add_scalar(loop, (Scalar){.formula = formula_find("cast"),
                                     .type = to,
                                     .operand_type = from,
                                     .argument_count = 1,
                                     .arguments = {scalar}});
}

/* Whether dimensions d and d + 1 are one for every operand. */
static bool can_merge(const Loop *loop, int d) {
    if (loop->reduced > 0 && d + 1 == loop->rank - loop->reduced) return false; /* the border of what is reduced */
    int64_t inner = loop->extent[d + 1];
    for (int i = 0; i < loop->input_count; i++)
        if (loop->inputs[i].stride[d] != loop->inputs[i].stride[d + 1] * inner) return false;
    return loop->output.stride[d] == loop->output.stride[d + 1] * inner;
}

/* Removes dimension d. */
static void drop_dimension(Loop *loop, int d) {
    for (int k = d; k + 1 < loop->rank; k++) {
        loop->extent[k] = loop->extent[k + 1];
        loop->output.stride[k] = loop->output.stride[k + 1];
        for (int i = 0; i < loop->input_count; i++) loop->inputs[i].stride[k] = loop->inputs[i].stride[k + 1];
    }
    if (d >= loop->rank - loop->reduced) loop->reduced--;
    loop->rank--;
}

static void swap_dimensions(Loop *loop, int d, int e) {
#define SWAP(of)                                                                                                       \
    do {                                                                                                               \
        int64_t kept = (of)[d];                                                                                        \
        (of)[d] = (of)[e], (of)[e] = kept;                                                                             \
    } while (0)
    SWAP(loop->extent);
    SWAP(loop->output.stride);
    for (int i = 0; i < loop->input_count; i++) SWAP(loop->inputs[i].stride);
#undef SWAP
}

/* Brings dimensions [from, to) in the order in which the elements of an operand lie in memory. */
static void sort_dimensions(Loop *loop, const Operand *operand, int from, int to) {
    for (int d = from + 1; d < to; d++)
        for (int e = d; e > from && operand->stride[e - 1] < operand->stride[e]; e--) swap_dimensions(loop, e - 1, e);
}

void loop_simplify(Loop *loop) {
    int kept = loop->rank - loop->reduced;
    sort_dimensions(loop, &loop->output, 0, kept);
    if (loop->input_count > 0) sort_dimensions(loop, &loop->inputs[0], kept, loop->rank);
    for (int d = loop->rank - 1; d >= 0; d--) {
        bool last_reduced = loop->reduced == 1 && d == loop->rank - 1;
        if (loop->extent[d] == 1 && !last_reduced) drop_dimension(loop, d);
    }
    for (int d = loop->rank - 2; d >= 0; d--) {
        if (!can_merge(loop, d)) continue;
        loop->extent[d + 1] *= loop->extent[d];
        drop_dimension(loop, d);
    }
}

bool loop_is_copy(const Loop *loop) {
    return loop->input_count == 1 && loop->scalar_count == 1 && loop->reduced == 0 && loop->inputs[0].buffer != NULL &&
           loop->inputs[0].buffer->type == loop->output.buffer->type;
}

void strides_of(const Shape *shape, int64_t *strides) {
    int64_t stride = 1;
    if (shape->channels_last) {
        strides[1] = stride;
        stride *= shape->dims[1].size;
    }
    for (int i = shape->rank - 1; i >= 0; i--) {
        if (i == 1 && shape->channels_last) continue;
        strides[i] = stride;
        stride *= shape->dims[i].size;
    }
}

void strides_broadcast(const Shape *shape, int rank, int64_t *strides) {
    int64_t own[MAX_RANK] = {0};
    strides_of(shape, own);
    for (int i = 0; i < rank; i++) {
        int at = i - (rank - shape->rank);
        strides[i] = at < 0 || shape->dims[at].size == 1 ? 0 : own[at];
    }
}
