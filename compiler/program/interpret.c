/* The interpreter: runs a program with the linked kernels and formulas, for constant folding and `run --interpret`.
 * Loops are evaluated a block of elements at a time, so that a formula is a native loop and not a call an element. */
#include "program/program.h"
#include "runtime/support.h"
#include "runtime/vector.h"

#include <string.h>

enum { BLOCK = 256 };

/* Up to BLOCK elements of one scalar, in its compute type. */
typedef union {
    float f32[BLOCK];
    double f64[BLOCK];
    int8_t i8[BLOCK];
    int16_t i16[BLOCK];
    int32_t i32[BLOCK];
    int64_t i64[BLOCK];
    uint8_t u8[BLOCK];
    uint16_t u16[BLOCK];
    uint32_t u32[BLOCK];
    uint64_t u64[BLOCK];
} Block;

/* Calls handle(type constant, C type, member of Block) for every compute type. */
#define EACH_COMPUTE_TYPE(handle)                                                                                      \
    handle(TYPE_FLOAT, float, f32) handle(TYPE_DOUBLE, double, f64) handle(TYPE_INT8, int8_t, i8)                      \
        handle(TYPE_INT16, int16_t, i16) handle(TYPE_INT32, int32_t, i32) handle(TYPE_INT64, int64_t, i64)             \
            handle(TYPE_UINT8, uint8_t, u8) handle(TYPE_UINT16, uint16_t, u16) handle(TYPE_UINT32, uint32_t, u32)      \
                handle(TYPE_UINT64, uint64_t, u64) handle(TYPE_BOOL, uint8_t, u8)

/* Small floats as floats: their conversions by type. */
static float load_small(Type type, const void *data, int64_t i) {
    Tensor one = {.type = type, .data = (void *)(uintptr_t)data};
    return (float)tensor_number(&one, i);
}

static void store_small(Type type, void *data, int64_t i, float value) {
    switch (type) {
    case TYPE_FLOAT16: ((uint16_t *)data)[i] = f16_from_f32(value); break;
    case TYPE_BFLOAT16: ((uint16_t *)data)[i] = bf16_from_f32(value); break;
    case TYPE_FLOAT8E4M3FN: ((uint8_t *)data)[i] = f8e4m3fn_from_f32(value); break;
    case TYPE_FLOAT8E4M3FNUZ: ((uint8_t *)data)[i] = f8e4m3fnuz_from_f32(value); break;
    case TYPE_FLOAT8E5M2: ((uint8_t *)data)[i] = f8e5m2_from_f32(value); break;
    case TYPE_FLOAT8E5M2FNUZ: ((uint8_t *)data)[i] = f8e5m2fnuz_from_f32(value); break;
    case TYPE_FLOAT8E8M0: ((uint8_t *)data)[i] = f8e8m0_from_f32(value); break;
    case TYPE_FLOAT4E2M1: ((uint8_t *)data)[i] = f4e2m1_from_f32(value); break;
    default: fail(STATUS_BUG, "%s is no small float", type_info(type)->name);
    }
}

static bool is_small_float(Type type) { return type_info(type)->compute == TYPE_FLOAT && type != TYPE_FLOAT; }

/* Reads count elements, stride apart, into a block. */
static void load(Block *block, Type type, const void *data, int64_t at, int64_t stride, int count) {
    if (is_small_float(type)) {
        for (int i = 0; i < count; i++) block->f32[i] = load_small(type, data, at + i * stride);
        return;
    }
    switch (type_info(type)->compute) {
#define LOAD_TYPE(constant, c_type, member)                                                                            \
    case constant:                                                                                                     \
        for (int i = 0; i < count; i++) block->member[i] = ((const c_type *)data)[at + i * stride];                    \
        break;
        EACH_COMPUTE_TYPE(LOAD_TYPE)
#undef LOAD_TYPE
    default: fail(STATUS_UNSUPPORTED, "type %s cannot be interpreted", type_info(type)->name);
    }
}

static void store(const Block *block, Type type, void *data, int64_t at, int64_t stride, int count) {
    if (is_small_float(type)) {
        for (int i = 0; i < count; i++) store_small(type, data, at + i * stride, block->f32[i]);
        return;
    }
    switch (type_info(type)->compute) {
#define STORE_TYPE(constant, c_type, member)                                                                           \
    case constant:                                                                                                     \
        for (int i = 0; i < count; i++) ((c_type *)data)[at + i * stride] = block->member[i];                          \
        break;
        EACH_COMPUTE_TYPE(STORE_TYPE)
#undef STORE_TYPE
    default: fail(STATUS_BUG, "type %s cannot be stored", type_info(type)->name);
    }
}

static void fill(Block *block, const Scalar *literal) {
    switch (type_info(literal->type)->compute) {
    case TYPE_FLOAT:
        for (int i = 0; i < BLOCK; i++) block->f32[i] = (float)literal->number;
        break;
    case TYPE_DOUBLE:
        for (int i = 0; i < BLOCK; i++) block->f64[i] = literal->number;
        break;
    default:
        for (int i = 0; i < BLOCK; i++) block->i64[i] = 0;
        switch (type_info(literal->type)->compute) {
#define FILL_TYPE(constant, c_type, member)                                                                            \
    case constant:                                                                                                     \
        for (int i = 0; i < BLOCK; i++) block->member[i] = (c_type)literal->integer;                                   \
        break;
            EACH_COMPUTE_TYPE(FILL_TYPE)
#undef FILL_TYPE
        default: fail(STATUS_BUG, "a literal of type %s", type_info(literal->type)->name);
        }
    }
}

/* One operation's result is rounded to its type before the next one uses it. */
static void round_small(Block *block, Type type, int count) {
    if (!is_small_float(type)) return;
    uint16_t stored;
    for (int i = 0; i < count; i++) {
        store_small(type, &stored, 0, block->f32[i]);
        block->f32[i] = load_small(type, &stored, 0);
    }
}

/* Computes the body; blocks of inputs and literals are filled already. */
static void evaluate(const Loop *loop, Block *blocks, int count) {
    for (int i = loop->input_count; i < loop->scalar_count; i++) {
        const Scalar *scalar = &loop->scalars[i];
        if (scalar->formula == NULL) continue;
        const void *arguments[4] = {0};
        for (int k = 0; k < scalar->argument_count; k++) arguments[k] = &blocks[scalar->arguments[k]];
        bool is_cast = strcmp(scalar->formula->name, "cast") == 0;
        FormulaCall *call = is_cast ? CASTS[scalar->operand_type][scalar->type]
                                    : scalar->formula->calls[type_info(scalar->operand_type)->compute];
        fovea_assert(call != NULL);
        call(&blocks[i], arguments, count);
        round_small(&blocks[i], scalar->type, count);
    }
}

static Block *blocks_new(Arena *arena, const Loop *loop) {
    Block *blocks = arena_new_array(arena, Block, (size_t)loop->scalar_count + 1);
    for (int i = loop->input_count; i < loop->scalar_count; i++)
        if (loop->scalars[i].formula == NULL) fill(&blocks[i], &loop->scalars[i]);
    return blocks;
}

/* Element offsets of an operand at an index of the first `rank` dimensions. */
static int64_t offset_at(const Operand *operand, const int64_t *index, int rank) {
    int64_t at = operand->offset;
    for (int d = 0; d < rank; d++) at += index[d] * operand->stride[d];
    return at;
}

/* Advances index over dimensions [from, to); false when it has wrapped around. */
static bool advance(const Loop *loop, int64_t *index, int from, int to) {
    for (int d = to - 1; d >= from; d--) {
        if (++index[d] < loop->extent[d]) return true;
        index[d] = 0;
    }
    return false;
}

/* The integers as which small floats are moved, so that a copy keeps every bit of a NaN. */
static Type stored_type(Type type) {
    if (!is_small_float(type)) return type;
    return type_info(type)->bytes == 2 ? TYPE_UINT16 : TYPE_UINT8;
}

static void load_inputs(const Loop *loop, Block *blocks, void *const *memory, const int64_t *index, int64_t from,
                        int count) {
    int last = loop->rank - 1;
    for (int i = 0; i < loop->input_count; i++) {
        const Operand *input = &loop->inputs[i];
        if (input->buffer == NULL) continue; /* the value that a kernel has just made: loaded by the caller */
        int64_t stride = loop->rank > 0 ? input->stride[last] : 0;
        int64_t at = offset_at(input, index, last > 0 ? last : 0) + from * stride;
        Type type = loop_is_copy(loop) ? stored_type(input->buffer->type) : input->buffer->type;
        load(&blocks[i], type, memory[input->buffer->number], at, stride, count);
    }
}

static const Block *result_of(const Loop *loop, const Block *blocks) { return &blocks[loop->scalar_count - 1]; }

static void run_elementwise(const Loop *loop, Block *blocks, void *const *memory) {
    int64_t index[MAX_RANK] = {0}, length = loop->rank > 0 ? loop->extent[loop->rank - 1] : 1;
    int last = loop->rank - 1;
    Type type = loop_is_copy(loop) ? stored_type(loop->output.buffer->type) : loop->output.buffer->type;
    do {
        for (int64_t from = 0; from < length; from += BLOCK) {
            int count = length - from < BLOCK ? (int)(length - from) : BLOCK;
            load_inputs(loop, blocks, memory, index, from, count);
            evaluate(loop, blocks, count);
            int64_t stride = loop->rank > 0 ? loop->output.stride[last] : 0;
            int64_t at = offset_at(&loop->output, index, last > 0 ? last : 0) + from * stride;
            store(result_of(loop, blocks), type, memory[loop->output.buffer->number], at, stride, count);
        }
    } while (advance(loop, index, 0, last > 0 ? last : 0));
}

/* accumulator = combine(accumulator, value i of block), one after the other. */
static void combine(const Loop *loop, Block *accumulator, const Block *block, int count) {
    size_t bytes = (size_t)type_info(type_info(loop->combine_type)->compute)->bytes;
    FormulaCall *call = loop->combine->calls[type_info(loop->combine_type)->compute];
    fovea_assert(call != NULL);
    for (int i = 0; i < count; i++) {
        const void *arguments[2] = {accumulator, (const char *)block + (size_t)i * bytes};
        Block next;
        call(&next, arguments, 1);
        memcpy(accumulator, &next, bytes);
    }
}

static void run_reduction(Arena *arena, const Loop *loop, Block *blocks, void *const *memory) {
    int64_t index[MAX_RANK] = {0};
    int kept = loop->rank - loop->reduced, last = loop->rank - 1;
    Block *finish = loop->finish == NULL ? NULL : blocks_new(arena, loop->finish);
    Block *initial = arena_new_object(arena, Block), *accumulator = arena_new_object(arena, Block);
    fill(initial, &loop->initial);
    bool empty = false;
    for (int d = kept; d < loop->rank; d++) empty |= loop->extent[d] == 0;
    do {
        *accumulator = *initial;
        do {
            if (empty) break;
            for (int64_t from = 0; from < loop->extent[last]; from += BLOCK) {
                int count = loop->extent[last] - from < BLOCK ? (int)(loop->extent[last] - from) : BLOCK;
                load_inputs(loop, blocks, memory, index, from, count);
                evaluate(loop, blocks, count);
                combine(loop, accumulator, result_of(loop, blocks), count);
            }
        } while (advance(loop, index, kept, last));
        const Block *result = accumulator;
        if (finish != NULL) {
            finish[0] = *accumulator;
            evaluate(loop->finish, finish, 1);
            result = result_of(loop->finish, finish);
        }
        store(result, loop->output.buffer->type, memory[loop->output.buffer->number],
              offset_at(&loop->output, index, kept), 0, 1);
    } while (advance(loop, index, 0, kept));
}

static void run_loop(Arena *arena, const Loop *loop, void *const *memory) {
    for (int d = 0; d < loop->rank - loop->reduced; d++)
        if (loop->extent[d] == 0) return;
    Block *blocks = blocks_new(arena, loop);
    if (loop->reduced > 0) run_reduction(arena, loop, blocks, memory);
    else run_elementwise(loop, blocks, memory);
}

/* An epilogue runs over what the kernel has stored, which in generated code it does before the store. */
static void run_epilogue(Arena *arena, const Step *step, void *const *memory) {
    Loop loop = *step->epilogue;
    loop.inputs[0] = loop.output;
    run_loop(arena, &loop, memory);
}

/* A kernel's formula with the memory that it is evaluated in. */
typedef struct {
    const Loop *loop;
    Block *blocks;
} FormulaBody;

static void apply_formula(const void *argument, void *x) {
    const FormulaBody *body = argument;
    size_t bytes = (size_t)type_info(body->loop->scalars[0].type)->bytes;
    memcpy(&body->blocks[0], x, bytes);
    evaluate(body->loop, body->blocks, 1);
    memcpy(x, result_of(body->loop, body->blocks), bytes);
}

static FormulaArgument formula_argument(Arena *arena, const Loop *loop) {
    FormulaBody *body = arena_new_object(arena, FormulaBody);
    *body = (FormulaBody){loop, blocks_new(arena, loop)};
    return (FormulaArgument){apply_formula, body};
}

/* The target for which the linked kernels are compiled. */
enum { OWN_TARGET = PICK(TARGET_AVX512, TARGET_AVX2, TARGET_NEON, TARGET_SSE, TARGET_SCALAR) };

static void run_kernel(Arena *arena, const Step *step, void *const *memory) {
    KernelArgument arguments[MAX_ARGUMENTS] = {0};
    for (int i = 0; i < step->kernel->parameter_count; i++) {
        const Argument *given = &step->arguments[i];
        switch (step->kernel->parameters[i].kind) {
        case PARAMETER_INPUT:
        case PARAMETER_OUTPUT:
            if (given->buffer == NULL) break;
            arguments[i].pointer =
                (char *)memory[given->buffer->number] + given->offset * type_info(given->buffer->type)->bytes;
            break;
        case PARAMETER_SIZE: arguments[i].size = given->picks == NULL ? given->size : given->picks[OWN_TARGET]; break;
        case PARAMETER_NUMBER: arguments[i].number = given->number; break;
        case PARAMETER_FIRST:
        case PARAMETER_FRESH: arguments[i].size = 0; break;
        case PARAMETER_LAST: arguments[i].size = step_items(step, OWN_TARGET); break;
        case PARAMETER_FORMULA: arguments[i].formula = formula_argument(arena, given->formula); break;
        case PARAMETER_SIZES: {
            int *sizes = arena_new_array(arena, int, (size_t)given->size_count);
            for (int k = 0; k < given->size_count; k++) sizes[k] = (int)given->sizes[k];
            arguments[i].sizes = sizes;
        }
        }
    }
    step->kernel->calls[step->type](arguments);
}

void program_run(const Program *program, void *const *memory) { program_run_steps(program, memory, NULL, NULL); }

void program_run_steps(const Program *program, void *const *memory, void (*after_step)(int step, void *argument),
                       void *argument) {
    Arena *arena = program->arena;
    void **filled = arena_new_array(arena, void *, (size_t)program->buffers.count);
    for (int i = 0; i < program->buffers.count; i++) {
        const Buffer *buffer = program->buffers.items[i];
        filled[i] = memory[i] != NULL || buffer->constant == NULL ? memory[i] : buffer->constant->data;
    }
    for (int i = 0; i < program->steps.count; i++) {
        const Step *step = program->steps.items[i];
        if (step->kind == STEP_LOOP) run_loop(arena, step->loop, filled);
        else run_kernel(arena, step, filled);
        if (step->epilogue != NULL) run_epilogue(arena, step, filled);
        if (after_step != NULL) after_step(i, argument);
    }
}
