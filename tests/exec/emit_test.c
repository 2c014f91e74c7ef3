/* emit: programs made by hand, as generated C: loops in many types, casts, reductions, kernels with epilogues, weights
 * in the three modes, probes, hostile names, empty tensors, two models in one C++ program. */
#include "runtime/support.h"
#include "tests/exec/generated.h"

#include <ctype.h>
#include <math.h>

/* What probes have shown, by their number. */
typedef struct {
    const char *id;
    char data[8192];
} Shown;

typedef struct {
    Shown shown[40];
    int count;
} Album;

static size_t element_bytes(const char *type) {
    for (int t = 1; t < TYPE_COUNT; t++)
        if (strcmp(type_info((Type)t)->name, type) == 0) return (size_t)type_info((Type)t)->bytes;
    return strcmp(type, "float64") == 0 ? 8 : 4;
}

static void keep(void *user, const GeneratedProbe *probe, const void *data) {
    Album *album = user;
    size_t bytes = element_bytes(probe->type) * (size_t)probe->dims[0];
    assert_true(album->count < 40 && bytes <= sizeof album->shown[0].data);
    album->shown[album->count].id = probe->id;
    memcpy(album->shown[album->count++].data, data, bytes);
}

/* Runs a model without inputs and outputs under both compilers, the second time with a trap at undefined behaviour;
 * check(album, argument) looks at its probes. */
static void run_and_check(Generated *generated, WeightMode mode, void (*check)(const Album *album, void *argument),
                          void *argument) {
    generated_emit(generated, "test", mode);
    for (int i = 0; i < COMPILERS_COUNT; i++) {
        const char *flags = i == 1 ? "-fsanitize=undefined -fsanitize-undefined-trap-on-error" : "";
        void *library = generated_load(generated, COMPILERS[i], flags);
        int (*run)(const GeneratedContext *) =
            (int (*)(const GeneratedContext *))generated_function(generated, library, "run");
        Album *album = arena_new_object(generated->arena, Album);
        void *workspace = workspace_new(generated->program);
        GeneratedContext context = {workspace, keep, album};
        assert_int_equal(run(&context), 0);
        check(album, argument);
        free(workspace);
        dlclose(library);
    }
}

static void assert_floats(const void *got, const float *expected, int count, float tolerance) {
    for (int i = 0; i < count; i++) {
        float value = ((const float *)got)[i];
        if (!(fabsf(value - expected[i]) <= tolerance))
            fail_msg("element %d: %.9g, expected %.9g", i, value, expected[i]);
    }
}

/* Interface: typed inputs and outputs, statuses, in place, broadcast, literals. */

static void check_interface(Generated *generated, void *library) {
    int (*run)(const GeneratedContext *, const float *, const uint8_t *, float *) =
        (int (*)(const GeneratedContext *, const float *, const uint8_t *, float *))generated_function(generated,
                                                                                                       library, "run");
    float image[6] = {1, -2, 3, -4, 5, -6}, out[6] = {0};
    const uint8_t mask[2] = {1, 0};
    char *workspace = workspace_new(generated->program);
    assert_int_equal(run(&(GeneratedContext){.workspace = NULL}, image, mask, out), 1);
    assert_int_equal(run(&(GeneratedContext){.workspace = workspace + 4}, image, mask, out), 2);
    assert_int_equal(run(&(GeneratedContext){.workspace = workspace}, image, mask, out), 0);
    /* relu((image * {10, 20, 30} + 0.5)) where mask, else -0.25 */
    assert_floats(out, (float[]){10.5f, 0, 90.5f, -0.25f, -0.25f, -0.25f}, 6, 0);
    free(workspace);
}

static void inputs_and_outputs(void **state) {
    (void)state;
    Generated generated = generated_new();
    Buffer *image = input_make(&generated, "image", TYPE_FLOAT, 6),
           *mask = input_make(&generated, "mask.1", TYPE_BOOL, 2);
    Buffer *scale = constant_make(&generated, "scale", TYPE_FLOAT, 3, (float[]){10, 20, 30});
    Buffer *half = constant_make(&generated, "half", TYPE_FLOAT, 1, (float[]){0.5f});
    Buffer *work = work_make(&generated, "/layer/Mul_output_0", TYPE_FLOAT, 6);
    Buffer *out = output_make(&generated, "out", TYPE_FLOAT, 6);
    Buffer *same = work_make(&generated, "same", TYPE_FLOAT, 6);
    Loop *loop = step_loop(generated.program, 2, (int64_t[]){2, 3});
    loop_input(loop, image, 0, (int64_t[]){3, 1});
    loop_input(loop, scale, 0, (int64_t[]){0, 1});
    loop_input(loop, half, 0, (int64_t[]){0, 0});
    loop_output(loop, work, 0, (int64_t[]){3, 1});
    int product = loop_apply(loop, "multiply", TYPE_FLOAT, TYPE_FLOAT, 2, (int[]){0, 1});
    loop_apply(loop, "add", TYPE_FLOAT, TYPE_FLOAT, 2, (int[]){product, 2});
    loop = flat_loop(&generated, 6, 1, &work, same);
    loop_apply(loop, "relu", TYPE_FLOAT, TYPE_FLOAT, 1, (int[]){0});
    loop = step_loop(generated.program, 2, (int64_t[]){2, 3});
    loop_input(loop, mask, 0, (int64_t[]){1, 0});
    loop_input(loop, same, 0, (int64_t[]){3, 1});
    loop_output(loop, out, 0, (int64_t[]){3, 1});
    int other = loop_literal(loop, TYPE_FLOAT, -0.25);
    loop_apply(loop, "where", TYPE_FLOAT, TYPE_FLOAT, 3, (int[]){0, 1, other});
    generated_emit(&generated, "interface", WEIGHTS_AUTO);
    assert_int_equal(generated.program->workspace_bytes, 64);
    assert_string_equal(generated.model->inputs.items[1].identifier, "mask_1");
    assert_string_equal(generated.model->inputs.items[1].size_macro, "INTERFACE_MASK_1_SIZE");
    for (int i = 0; i < COMPILERS_COUNT; i++) {
        void *library = generated_load(&generated, COMPILERS[i], "");
        check_interface(&generated, library);
        dlclose(library);
        library = generated_load(&generated, COMPILERS[i], "-DINTERFACE_PROBES=0 -O0");
        check_interface(&generated, library);
        dlclose(library);
    }
    generated_free(&generated);
}

/* Small float types: each operation's result is rounded. */

static void check_rounding(const Album *album, void *argument) {
    (void)argument;
    /* 2048 + 1 is 2048 in float16, twice; in float it would come to 2050 */
    assert_int_equal(((const uint16_t *)album->shown[0].data)[0], f16_from_f32(2048));
    assert_int_equal(((const uint16_t *)album->shown[0].data)[1], f16_from_f32(3));
    assert_int_equal(((const uint16_t *)album->shown[1].data)[0], bf16_from_f32(256));
    assert_int_equal(((const uint16_t *)album->shown[1].data)[1], bf16_from_f32(3));
}

static void small_floats_are_rounded(void **state) {
    (void)state;
    Generated generated = generated_new();
    const Type types[2] = {TYPE_FLOAT16, TYPE_BFLOAT16};
    const uint16_t data[2][2] = {{f16_from_f32(2048), f16_from_f32(1)}, {bf16_from_f32(256), bf16_from_f32(1)}};
    for (int i = 0; i < 2; i++) {
        Buffer *x = constant_make(&generated, "x", types[i], 2, data[i]), *y = work_make(&generated, "y", types[i], 2);
        Loop *loop = flat_loop(&generated, 2, 1, &x, y);
        int one = loop_literal(loop, types[i], 1),
            sum = loop_apply(loop, "add", types[i], types[i], 2, (int[]){0, one});
        loop_apply(loop, "add", types[i], types[i], 2, (int[]){sum, one});
        probe_make(&generated, "y", y);
    }
    run_and_check(&generated, WEIGHTS_AUTO, check_rounding, NULL);
    generated_free(&generated);
}

/* Casts: every pair of types compiles without a warning, and has the values that are defined for it. */

enum { CAST_COUNT = 12 };
static const double CAST_VALUES[CAST_COUNT] = {0, 1, -1, 2.75, -2.75, 7, 200, 70000, -70000, 3e9, 1e19, -1e19};

static bool is_castable(Type type) {
    TypeClass class = type_info(type)->class;
    bool small = type_info(type)->bits < 16 && class == CLASS_FLOAT;
    return class != CLASS_STRING && class != CLASS_COMPLEX && class != CLASS_NONE && !small;
}

/* What a value becomes in memory of a type, when it comes from a float64. */
static void store_value(Type type, double x, void *to) {
    int8_t whole = i8_from_f64(x);
    switch (type) {
    case TYPE_FLOAT: *(float *)to = (float)x; break;
    case TYPE_DOUBLE: *(double *)to = x; break;
    case TYPE_FLOAT16: *(uint16_t *)to = f16_from_f32((float)x); break;
    case TYPE_BFLOAT16: *(uint16_t *)to = bf16_from_f32((float)x); break;
    case TYPE_BOOL: *(uint8_t *)to = x != 0; break;
    case TYPE_INT8: *(int8_t *)to = i8_from_f64(x); break;
    case TYPE_INT16: *(int16_t *)to = i16_from_f64(x); break;
    case TYPE_INT32: *(int32_t *)to = i32_from_f64(x); break;
    case TYPE_INT64: *(int64_t *)to = i64_from_f64(x); break;
    case TYPE_UINT8: *(uint8_t *)to = u8_from_f64(x); break;
    case TYPE_UINT16: *(uint16_t *)to = u16_from_f64(x); break;
    case TYPE_UINT32: *(uint32_t *)to = u32_from_f64(x); break;
    case TYPE_UINT64: *(uint64_t *)to = u64_from_f64(x); break;
    case TYPE_UINT4: *(uint8_t *)to = (uint8_t)(whole & 15); break;
    case TYPE_INT4: *(int8_t *)to = (int8_t)((whole & 15) >= 8 ? (whole & 15) - 16 : whole & 15); break;
    case TYPE_UINT2: *(uint8_t *)to = (uint8_t)(whole & 3); break;
    case TYPE_INT2: *(int8_t *)to = (int8_t)((whole & 3) >= 2 ? (whole & 3) - 4 : whole & 3); break;
    default: fail_msg("no value of type %s", type_info(type)->name);
    }
}

typedef struct {
    Type from;
    Type to[TYPE_COUNT];
    const Tensor *data;
} CastCase;

/* From floats everything is defined; from integers what fits is, and the rest wraps. */
static void check_casts(const Album *album, void *argument) {
    const CastCase *cast = argument;
    for (int k = 0; k < album->count; k++) {
        Type to = cast->to[k];
        size_t bytes = (size_t)type_info(to)->bytes;
        for (int i = 0; i < CAST_COUNT; i++) {
            char expected[8] = {0};
            double x = tensor_number(cast->data, i);
            bool wraps = !type_is_float(cast->from) && !type_is_float(to) && to != TYPE_BOOL;
            store_value(to, x, expected);
            if (wraps) { /* the low bits, whatever the signs */
                uint64_t low = (uint64_t)tensor_int(cast->data, i), got = 0;
                memcpy(&got, album->shown[k].data + (size_t)i * bytes, bytes);
                int bits = type_info(to)->bits;
                uint64_t mask = bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
                assert_int_equal(got & mask, low & mask);
            } else if (memcmp(expected, album->shown[k].data + (size_t)i * bytes, bytes) != 0) {
                fail_msg("%s %.17g to %s", type_info(cast->from)->name, x, type_info(to)->name);
            }
        }
    }
}

static void casts_between_all_types(void **state) {
    (void)state;
    for (int from = 1; from < TYPE_COUNT; from++) {
        if (!is_castable((Type)from)) continue;
        Generated generated = generated_new();
        CastCase cast = {.from = (Type)from};
        char data[CAST_COUNT * 8];
        for (int i = 0; i < CAST_COUNT; i++)
            store_value((Type)from, CAST_VALUES[i], data + i * type_info((Type)from)->bytes);
        Buffer *x = constant_make(&generated, "x", (Type)from, CAST_COUNT, data);
        cast.data = x->constant;
        int count = 0;
        for (int to = 1; to < TYPE_COUNT; to++) {
            if (!is_castable((Type)to) || to == from) continue;
            Buffer *y = work_make(&generated, type_info((Type)to)->name, (Type)to, CAST_COUNT);
            loop_cast(flat_loop(&generated, CAST_COUNT, 1, &x, y), 0, (Type)to);
            probe_make(&generated, type_info((Type)to)->name, y);
            cast.to[count++] = (Type)to;
        }
        run_and_check(&generated, WEIGHTS_AUTO, check_casts, &cast);
        generated_free(&generated);
    }
}

/* Integers narrower than int, and wrapping arithmetic. */

static void check_integers(const Album *album, void *argument) {
    (void)argument;
    for (int k = 0; k < album->count; k++) {
        const char *data = album->shown[k].data;
        if (strcmp(album->shown[k].id, "int8") == 0) assert_memory_equal(data, ((int8_t[]){0, 0, 56}), 3);
        if (strcmp(album->shown[k].id, "uint8") == 0) assert_memory_equal(data, ((uint8_t[]){0, 6, 144}), 3);
        if (strcmp(album->shown[k].id, "int64") == 0) assert_memory_equal(data, ((int64_t[]){0, 0, 10000}), 24);
    }
    assert_int_equal(album->count, 4);
    assert_memory_equal(album->shown[3].data, ((uint8_t[]){0, 1, 0}), 3);
}

static void integers_wrap(void **state) {
    (void)state;
    Generated generated = generated_new();
    const Type types[3] = {TYPE_INT8, TYPE_UINT8, TYPE_INT64};
    const void *data[3] = {(int8_t[]){0, -3, 100}, (uint8_t[]){0, 3, 200}, (int64_t[]){0, -3, 100}};
    for (int i = 0; i < 3; i++) {
        Buffer *x = constant_make(&generated, "x", types[i], 3, data[i]), *y = work_make(&generated, "y", types[i], 3);
        Loop *loop = flat_loop(&generated, 3, 1, &x, y);
        int square = loop_apply(loop, "multiply", types[i], types[i], 2, (int[]){0, 0});
        if (types[i] == TYPE_INT8) { /* 100 * 100 wraps to 16; 16 - (-40) = 56; 9 - ... */
            int forty = loop_literal_int(loop, TYPE_INT8, 40);
            int sum = loop_apply(loop, "add", TYPE_INT8, TYPE_INT8, 2, (int[]){square, forty});
            int nought = loop_literal_int(loop, TYPE_INT8, 0);
            int is_low = loop_apply(loop, "less", TYPE_INT8, TYPE_BOOL, 2, (int[]){0, forty});
            loop_apply(loop, "where", TYPE_INT8, TYPE_INT8, 3, (int[]){is_low, nought, sum});
        } else if (types[i] == TYPE_UINT8) { /* 200 + 200 = 400 = 144 */
            loop_apply(loop, "add", TYPE_UINT8, TYPE_UINT8, 2, (int[]){0, 0});
        } else {
            int negative =
                loop_apply(loop, "less", TYPE_INT64, TYPE_BOOL, 2, (int[]){0, loop_literal_int(loop, TYPE_INT64, 0)});
            loop_apply(loop, "where", TYPE_INT64, TYPE_INT64, 3,
                       (int[]){negative, loop_literal_int(loop, TYPE_INT64, 0), square});
        }
        probe_make(&generated, type_info(types[i])->name, y);
    }
    Buffer *x = constant_make(&generated, "x", TYPE_UINT64, 3, (uint64_t[]){0, UINT64_MAX, 1});
    Buffer *y = work_make(&generated, "equal", TYPE_BOOL, 3);
    Loop *loop = flat_loop(&generated, 3, 1, &x, y);
    loop_apply(loop, "equal", TYPE_UINT64, TYPE_BOOL, 2, (int[]){0, loop_literal_int(loop, TYPE_UINT64, -1)});
    probe_make(&generated, "equal", y);
    run_and_check(&generated, WEIGHTS_AUTO, check_integers, NULL);
    generated_free(&generated);
}

/* Reductions. */

static void reduce(Loop *loop, int reduced, const char *combine, Type type) {
    loop->reduced = reduced;
    loop->combine = formula_find(combine);
    loop->combine_type = type;
    loop->initial.type = type;
}

/* result / divisor, for the end of a reduction. */
static Loop *division(Arena *arena, float divisor) {
    Loop *finish = arena_new_object(arena, Loop);
    finish->input_count = finish->scalar_count = 1;
    finish->scalars[0].type = TYPE_FLOAT;
    loop_apply(finish, "divide", TYPE_FLOAT, TYPE_FLOAT, 2,
               (int[]){0, loop_literal(finish, TYPE_FLOAT, (double)divisor)});
    return finish;
}

static void check_reductions(const Album *album, void *argument) {
    (void)argument;
    float rows[3], whole = 0;
    for (int i = 0; i < 3; i++) {
        rows[i] = 0;
        for (int j = 0; j < 107; j++) rows[i] += (float)(i * 107 + j);
        whole += rows[i];
    }
    assert_floats(album->shown[0].data, rows, 3, 0);
    assert_floats(album->shown[1].data, &(float){whole / 321}, 1, 0);
    assert_floats(album->shown[2].data, (float[]){0 + 107 + 214, 1 + 108 + 215}, 2, 0);
    assert_floats(album->shown[3].data, (float[]){0, 0}, 2, 0);
    assert_memory_equal(album->shown[4].data, ((int8_t[]){(int8_t)(5 + 5 + 120 + 1)}), 1);
    assert_floats(album->shown[5].data, (float[]){60000}, 1, 0);
    for (int i = 0; i < 40; i++) /* the mean of elements i, 40 + i, ..., 280 + i */
        assert_floats(album->shown[6].data + 4 * i, &(float){(float)i + 140}, 1, 1e-4f);
}

static void reductions(void **state) {
    (void)state;
    Generated generated = generated_new();
    float data[321];
    for (int i = 0; i < 321; i++) data[i] = (float)i;
    Buffer *x = constant_make(&generated, "x", TYPE_FLOAT, 321, data);

    Buffer *rows = work_make(&generated, "rows", TYPE_FLOAT, 3); /* with a rest beyond 16 lanes */
    Loop *loop = step_loop(generated.program, 2, (int64_t[]){3, 107});
    loop_input(loop, x, 0, (int64_t[]){107, 1});
    loop_output(loop, rows, 0, (int64_t[]){1, 0});
    reduce(loop, 1, "add", TYPE_FLOAT);

    Buffer *mean = work_make(&generated, "mean", TYPE_FLOAT, 1); /* two dimensions, backwards, then divided */
    loop = step_loop(generated.program, 2, (int64_t[]){3, 107});
    loop_input(loop, x, 320, (int64_t[]){-107, -1});
    loop_output(loop, mean, 0, (int64_t[]){0, 0});
    reduce(loop, 2, "add", TYPE_FLOAT);
    loop->finish = division(generated.arena, 321);

    Buffer *columns = work_make(&generated, "columns", TYPE_FLOAT, 2); /* few elements, far apart */
    loop = step_loop(generated.program, 2, (int64_t[]){2, 3});
    loop_input(loop, x, 0, (int64_t[]){1, 107});
    loop_output(loop, columns, 0, (int64_t[]){1, 0});
    reduce(loop, 1, "add", TYPE_FLOAT);

    Buffer *empty = work_make(&generated, "empty", TYPE_FLOAT, 2); /* sums of nothing */
    loop = step_loop(generated.program, 2, (int64_t[]){2, 0});
    loop_input(loop, x, 0, (int64_t[]){0, 1});
    loop_output(loop, empty, 0, (int64_t[]){1, 0});
    reduce(loop, 1, "add", TYPE_FLOAT);

    Buffer *bytes = constant_make(&generated, "bytes", TYPE_INT8, 4, (int8_t[]){5, 5, 120, 1});
    Buffer *byte = work_make(&generated, "byte", TYPE_INT8, 1);
    loop = step_loop(generated.program, 1, (int64_t[]){4});
    loop_input(loop, bytes, 0, (int64_t[]){1});
    loop_output(loop, byte, 0, (int64_t[]){0});
    reduce(loop, 1, "add", TYPE_INT8);

    uint16_t halves[60]; /* float16 is summed as float: 1000 * 60 is above 2048, where ones get lost, and below 65504 */
    for (int i = 0; i < 60; i++) halves[i] = f16_from_f32(1000);
    Buffer *half = constant_make(&generated, "halves", TYPE_FLOAT16, 60, halves);
    Buffer *sum = work_make(&generated, "sum", TYPE_FLOAT16, 1), *wide = work_make(&generated, "wide", TYPE_FLOAT, 1);
    loop = step_loop(generated.program, 1, (int64_t[]){60});
    loop_input(loop, half, 0, (int64_t[]){1});
    loop_output(loop, sum, 0, (int64_t[]){0});
    reduce(loop, 1, "add", TYPE_FLOAT16);
    loop_cast(flat_loop(&generated, 1, 1, &sum, wide), 0, TYPE_FLOAT);

    Buffer *side = work_make(&generated, "side", TYPE_FLOAT, 40); /* many results side by side */
    loop = step_loop(generated.program, 2, (int64_t[]){40, 8});
    loop_input(loop, x, 0, (int64_t[]){1, 40});
    loop_output(loop, side, 0, (int64_t[]){1, 0});
    reduce(loop, 1, "add", TYPE_FLOAT);
    loop->finish = division(generated.arena, 8);

    Buffer *probed[] = {rows, mean, columns, empty, byte, wide, side};
    for (int i = 0; i < 7; i++) probe_make(&generated, "sum", probed[i]);
    run_and_check(&generated, WEIGHTS_AUTO, check_reductions, NULL);
    generated_free(&generated);
}

/* Transposes: a few neighbours of the input at a time where these divide its rows; with a formula, and beside another
 * input. */

enum { TALL = 11 };

static void check_transposes(const Album *album, void *argument) {
    (void)argument;
    float copied[24 * TALL], negated[24 * TALL], added[24 * TALL];
    for (int i = 0; i < 24; i++)
        for (int j = 0; j < TALL; j++) {
            const float x = (float)(j * 24 + i);
            copied[i * TALL + j] = x, negated[i * TALL + j] = -x, added[i * TALL + j] = x + (float)(i * TALL + j);
        }
    assert_floats(album->shown[0].data, copied, 24 * TALL, 0);
    assert_floats(album->shown[1].data, negated, 24 * TALL, 0);
    assert_floats(album->shown[2].data, added, 24 * TALL, 0);
    for (int i = 0; i < 23; i++) /* a prime */
        assert_floats(album->shown[3].data + 4 * i * TALL, (float[]){(float)i, (float)(23 + i), (float)(46 + i)}, 3, 0);
}

static void transposes(void **state) {
    (void)state;
    Generated generated = generated_new();
    float data[24 * TALL];
    for (int i = 0; i < 24 * TALL; i++) data[i] = (float)i;
    Buffer *x = constant_make(&generated, "x", TYPE_FLOAT, 24 * TALL, data), *made[4];
    for (int i = 0; i < 4; i++) {
        const int wide = i == 3 ? 23 : 24;
        made[i] = work_make(&generated, "made", TYPE_FLOAT, wide * TALL);
        Loop *loop = step_loop(generated.program, 2, (int64_t[]){wide, TALL});
        loop_input(loop, x, 0, (int64_t[]){1, wide});
        if (i == 1) loop_apply(loop, "negate", TYPE_FLOAT, TYPE_FLOAT, 1, (int[]){0});
        if (i == 2) loop_input(loop, x, 0, (int64_t[]){TALL, 1});
        if (i == 2) loop_apply(loop, "add", TYPE_FLOAT, TYPE_FLOAT, 2, (int[]){0, 1});
        loop_output(loop, made[i], 0, (int64_t[]){TALL, 1});
        probe_make(&generated, "made", made[i]);
    }
    run_and_check(&generated, WEIGHTS_AUTO, check_transposes, NULL);
    Arena *arena = generated.arena;
    const char *search = "test $(grep -c 'transpose: .24..11., 8 neighbours at a time' %s/test.c) = 1 && "
                         "test $(grep -c '24..11., 8 neighbours' %s/test.c) = 2 && "
                         "test $(grep -c 'transpose: .23..11.\\. ' %s/test.c) = 1";
    run_or_fail(arena_printf(arena, search, generated.folder, generated.folder, generated.folder));
    generated_free(&generated);
}

/* Kernels: sizes, arrays of sizes, numbers, a pointer that is left out, an epilogue. */

static const Parameter LINEAR_PARAMETERS[] = {
    {"x", PARAMETER_INPUT, "T"},       {"w", PARAMETER_INPUT, "T"},      {"bias", PARAMETER_INPUT, "T"},
    {"y", PARAMETER_OUTPUT, "T"},      {"C", PARAMETER_SIZE, "int"},     {"K", PARAMETER_SIZE, "int"},
    {"ORDER", PARAMETER_SIZES, "int"}, {"alpha", PARAMETER_NUMBER, "A"},
};
static const Kernel LINEAR = {
    .name = "linear",
    .file = "test",
    .comment = "y = alpha * x w + bias, the rows of w being in ORDER.\nx [C]   w [C][K]   bias [K] or none   y [K]",
    .label = "linear_{C}_{K}",
    .body = "{\n"
            "    for (int k = 0; k < K; k++) {\n"
            "        A sum = 0.0;\n"
            "        for (int c = 0; c < C; c++) sum += LOAD(x[c]) * LOAD(w[ORDER[c] * K + k]);\n"
            "        sum *= alpha;\n"
            "        OUT(y, k, bias == NULL ? sum : sum + LOAD(bias[k]));\n"
            "    }\n"
            "}",
    .parameters = LINEAR_PARAMETERS,
    .parameter_count = 8,
};

static Step *linear(Generated *generated, Type type, Buffer *x, Buffer *w, Buffer *bias, Buffer *y) {
    static const int64_t order[] = {2, 0, 1};
    Step *step = arena_new_object(generated->arena, Step);
    *step = (Step){.kind = STEP_KERNEL, .kernel = &LINEAR, .type = type};
    Buffer *buffers[] = {x, w, bias, y};
    for (int i = 0; i < 4; i++) step->arguments[i].buffer = buffers[i];
    step->arguments[4].size = 3;
    step->arguments[5].size = 2;
    step->arguments[6].sizes = order;
    step->arguments[6].size_count = 3;
    step->arguments[7].number = 0.1;
    list_add(generated->arena, &generated->program->steps, step);
    return step;
}

static void check_linear(const Album *album, void *argument) {
    (void)argument;
    /* w's rows are taken as 2, 0, 1: x w = {1*5 + 2*1 + 3*3, 1*6 + 2*2 + 3*4} */
    assert_floats(album->shown[0].data, (float[]){1.6f, 2.2f}, 2, 1e-6f);
    assert_floats(album->shown[1].data, (float[]){0, 0.2f + 1.6f}, 2, 1e-6f); /* relu(0.1 x w + bias) + residual */
    assert_true(fabs(((const double *)album->shown[2].data)[0] - 1.6) < 1e-15);
    assert_int_equal(((const uint16_t *)album->shown[3].data)[0], f16_from_f32(1.6f));
}

static void kernels(void **state) {
    (void)state;
    Generated generated = generated_new();
    Buffer *x = constant_make(&generated, "x", TYPE_FLOAT, 3, (float[]){1, 2, 3});
    Buffer *w = constant_make(&generated, "fc.weight", TYPE_FLOAT, 6, (float[]){1, 2, 3, 4, 5, 6});
    Buffer *bias = constant_make(&generated, "fc.bias", TYPE_FLOAT, 2, (float[]){-5, -2});
    Buffer *plain = work_make(&generated, "plain", TYPE_FLOAT, 2), *y = work_make(&generated, "y", TYPE_FLOAT, 2);
    linear(&generated, TYPE_FLOAT, x, w, NULL, plain);
    Step *step = linear(&generated, TYPE_FLOAT, x, w, bias, y);
    Buffer *residual = constant_make(&generated, "residual", TYPE_FLOAT, 2, (float[]){0, 1.6f});
    Loop *epilogue = step->epilogue = arena_new_object(generated.arena, Loop);
    epilogue->rank = 1;
    epilogue->extent[0] = 2;
    loop_input(epilogue, y, 0, (int64_t[]){1});
    loop_input(epilogue, residual, 0, (int64_t[]){1});
    loop_output(epilogue, y, 0, (int64_t[]){1});
    int positive = loop_apply(epilogue, "relu", TYPE_FLOAT, TYPE_FLOAT, 1, (int[]){0});
    loop_apply(epilogue, "add", TYPE_FLOAT, TYPE_FLOAT, 2, (int[]){positive, 1});

    Buffer *x64 = constant_make(&generated, "x64", TYPE_DOUBLE, 3, (double[]){1, 2, 3});
    Buffer *w64 = constant_make(&generated, "w64", TYPE_DOUBLE, 6, (double[]){1, 2, 3, 4, 5, 6});
    Buffer *y64 = work_make(&generated, "y64", TYPE_DOUBLE, 2), *y16 = work_make(&generated, "y16", TYPE_FLOAT16, 2);
    linear(&generated, TYPE_DOUBLE, x64, w64, NULL, y64);
    uint16_t x16[3], w16[6];
    for (int i = 0; i < 6; i++) x16[i % 3] = f16_from_f32((float)(i % 3 + 1)), w16[i] = f16_from_f32((float)(i + 1));
    linear(&generated, TYPE_FLOAT16, constant_make(&generated, "x16", TYPE_FLOAT16, 3, x16),
           constant_make(&generated, "w16", TYPE_FLOAT16, 6, w16), NULL, y16);
    Buffer *probed[] = {plain, y, y64, y16};
    for (int i = 0; i < 4; i++) probe_make(&generated, "y", probed[i]);
    run_and_check(&generated, WEIGHTS_AUTO, check_linear, NULL);
    generated_free(&generated);
}

/* Weights: NaN payloads, infinities, -0 and denormals are kept bit for bit in all modes; equal ones are kept once. */

static const uint32_t ODD_BITS[6] = {0x7FC01234u, 0xFF800000u, 0x80000000u, 0x00000001u, 0x7F800000u, 0xFFC00000u};

static void check_weights(const Album *album, void *argument) {
    (void)argument;
    assert_memory_equal(album->shown[0].data, ODD_BITS, sizeof ODD_BITS);
    assert_memory_equal(album->shown[1].data, &ODD_BITS[2], 8);
    assert_memory_equal(album->shown[2].data, ((int64_t[]){INT64_MIN, INT64_MAX, -1}), 24);
    assert_memory_equal(album->shown[3].data, ((double[]){-0.1, 5e-324, 1.7976931348623157e308}), 24);
}

static void make_copies(Generated *generated) {
    Buffer *from[] = {
        constant_make(generated, "odd", TYPE_FLOAT, 6, ODD_BITS),
        constant_make(generated, "small", TYPE_FLOAT, 2, &ODD_BITS[2]),
        constant_make(generated, "long", TYPE_INT64, 3, (int64_t[]){INT64_MIN, INT64_MAX, -1}),
        constant_make(generated, "double", TYPE_DOUBLE, 3, (double[]){-0.1, 5e-324, 1.7976931348623157e308}),
        constant_make(generated, "odd again", TYPE_FLOAT, 6, ODD_BITS)};
    for (int i = 0; i < 5; i++) {
        Buffer *copy = work_make(generated, "copy", from[i]->type, from[i]->count);
        flat_loop(generated, from[i]->count, 1, &from[i], copy);
        if (i < 4) probe_make(generated, "copy", copy);
    }
}

static void weights_inline_and_object(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        Generated generated = generated_new();
        make_copies(&generated);
        run_and_check(&generated, i == 0 ? WEIGHTS_INLINE : WEIGHTS_OBJECT, check_weights, NULL);
        assert_int_equal(generated.model->weights_bytes, 24 + 8 + 24 + 24);
        generated_free(&generated);
    }
}

typedef struct {
    void *workspace;
    const void *weights;
    void (*on_probe)(void *user, const GeneratedProbe *probe, const void *data);
    void *on_probe_user;
} FileContext;

static void weights_from_a_file(void **state) {
    (void)state;
    Generated generated = generated_new();
    make_copies(&generated);
    generated_emit(&generated, "test", WEIGHTS_FILE);
    void *library = generated_load(&generated, COMPILERS[0], "");
    int (*run)(const FileContext *) = (int (*)(const FileContext *))generated_function(&generated, library, "run");
    int (*check)(const void *) = (int (*)(const void *))generated_function(&generated, library, "check_weights");
    FILE *file = fopen(arena_printf(generated.arena, "%s/test.weights", generated.folder), "rb");
    assert_non_null(file);
    unsigned char *weights = aligned_alloc(64, 1024), *workspace = workspace_new(generated.program);
    assert_int_equal(fread(weights, 1, 1024, file), 256);
    fclose(file);
    Album *album = arena_new_object(generated.arena, Album);
    assert_int_equal(run(&(FileContext){workspace, NULL, NULL, NULL}), 3);
    assert_int_equal(run(&(FileContext){workspace, weights + 8, NULL, NULL}), 4);
    assert_int_equal(run(&(FileContext){workspace, weights, keep, album}), 0);
    check_weights(album, NULL);
    assert_int_equal(check(NULL), 3);
    assert_int_equal(check(weights), 0);
    weights[255] ^= 1;
    assert_int_equal(check(weights), 5);
    free(weights);
    free(workspace);
    dlclose(library);
    generated_free(&generated);
}

/* Empty tensors. */

static void empty_tensors(void **state) {
    (void)state;
    Generated generated = generated_new();
    Buffer *x = input_make(&generated, "x", TYPE_FLOAT, 0), *y = output_make(&generated, "y", TYPE_FLOAT, 0);
    input_make(&generated, "unused", TYPE_INT64, 2);
    Buffer *none = constant_make(&generated, "none", TYPE_FLOAT, 0, NULL),
           *out = output_make(&generated, "out", TYPE_FLOAT, 1);
    flat_loop(&generated, 0, 1, &x, y);
    Loop *loop = step_loop(generated.program, 1, (int64_t[]){0});
    loop_input(loop, none, 0, (int64_t[]){1});
    loop_output(loop, out, 0, (int64_t[]){0});
    reduce(loop, 1, "add", TYPE_FLOAT);
    generated_emit(&generated, "empty", WEIGHTS_AUTO);
    for (int i = 0; i < COMPILERS_COUNT; i++) {
        void *library = generated_load(&generated, COMPILERS[i], "");
        int (*run)(const GeneratedContext *, const float *, const int64_t *, float *, float *) =
            (int (*)(const GeneratedContext *, const float *, const int64_t *, float *, float *))generated_function(
                &generated, library, "run");
        float result = 5;
        assert_int_equal(run(&(GeneratedContext){0}, NULL, (int64_t[]){1, 2}, NULL, &result), 0);
        assert_true(result == 0);
        dlclose(library);
    }
    generated_free(&generated);
}

/* Two models in one C++ program, and no symbols but their own. */

static void make_small_model(Generated *generated, const char *name, const char *node) {
    Buffer *x = input_make(generated, "class", TYPE_FLOAT, 4), *y = output_make(generated, "linux", TYPE_FLOAT, 4);
    Buffer *work = work_make(generated, "main", TYPE_FLOAT, 4);
    generated->program->current = graph_node(generated->program->graph, "Sigmoid", node);
    Loop *loop = flat_loop(generated, 4, 1, &x, work);
    loop_apply(loop, "sigmoid", TYPE_FLOAT, TYPE_FLOAT, 1, (int[]){0});
    Buffer *weight = constant_make(generated, name, TYPE_FLOAT, 4, (float[]){1, 2, 3, 4});
    loop = flat_loop(generated, 4, 2, (Buffer *[]){work, weight}, y);
    loop_apply(loop, "multiply", TYPE_FLOAT, TYPE_FLOAT, 2, (int[]){0, 1});
    probe_make(generated, node, work);
    generated_emit(generated, name, WEIGHTS_INLINE);
}

static void two_models_in_one_cpp_program(void **state) {
    (void)state;
    static const char MAIN[] =
        "#include \"first.h\"\n#include \"second.h\"\n"
        "alignas(64) static unsigned char memory[FIRST_WORKSPACE + SECOND_WORKSPACE];\n"
        "int main() {\n"
        "    float x[FIRST_CLASS_2_SIZE] = {}, y[FIRST_LINUX_2_SIZE], z[SECOND_LINUX_2_SIZE];\n"
        "    first_context a = {memory, nullptr, nullptr};\n"
        "    second_context b = {memory + FIRST_WORKSPACE, nullptr, nullptr};\n"
        "    if (first_run(&a, x, y) != FIRST_OK || second_run(&b, y, z) != SECOND_OK) return 1;\n"
        "    return y[3] == 2.0f && z[0] > 0.62f && z[0] < 0.63f ? 0 : 2;\n"
        "}\n";
    Generated first = generated_new(), second = generated_new();
    make_small_model(&first, "first", "a");
    make_small_model(&second, "second", "b");
    run_or_fail(arena_printf(first.arena, "cp %s/second.* %s", second.folder, first.folder));
    FILE *file = fopen(arena_printf(first.arena, "%s/main.cpp", first.folder), "w");
    fputs(MAIN, file);
    fclose(file);
    run_or_fail(
        arena_printf(first.arena,
                     "cd %s && gcc " STRICT " -O2 -c first.c second.c && "
                     "g++ -std=c++11 -Wall -Wextra -Wpedantic -Werror main.cpp first.o second.o -lm -o main && ./main",
                     first.folder));
    run_or_fail(
        arena_printf(first.arena, "cd %s && test \"$(nm -g --defined-only first.o | wc -l)\" = 1", first.folder));
    run_or_fail(arena_printf(first.arena,
                             "cd %s && ! nm -u first.o | grep -Ev ' (memcpy|memset|memmove|_GLOBAL_OFFSET_TABLE_)$'",
                             first.folder));
    generated_free(&first);
    generated_free(&second);
}

/* Hostile names: the code is the same whatever the names, but for identifiers and the contents of comments. */

static char *generated_text(Generated *generated, const char *suffix) {
    FILE *file =
        fopen(arena_printf(generated->arena, "%s/%s%s", generated->folder, generated->model->name, suffix), "rb");
    assert_non_null(file);
    Text text = text_new(generated->arena);
    char block[4096];
    for (size_t got; (got = fread(block, 1, sizeof block, file)) > 0;) text_add_bytes(&text, block, got);
    fclose(file);
    assert_int_equal(strlen(text.data), text.length);
    return text.data;
}

/* The text without comments and blanks, words as "w", strings as "s". */
static char *token_kinds(Arena *arena, const char *text) {
    Text out = text_new(arena);
    for (const char *p = text; *p != '\0'; p++) {
        if (strncmp(p, "/*", 2) == 0) p = strstr(p + 2, "*/") + 1;
        else if (*p == '"') {
            for (p++; *p != '"'; p++) p += *p == '\\';
            text_add(&out, "s");
        } else if (isalnum((unsigned char)*p) || *p == '_') {
            while (isalnum((unsigned char)p[1]) || p[1] == '_') p++;
            text_add(&out, "w");
        } else if (*p != ' ' && *p != '\n') text_add_bytes(&out, p, 1);
    }
    return out.data;
}

static void hostile_names(void **state) {
    (void)state;
    static const char *const NAMES[] = {
        "plain",
        "*/ int evil; /*",
        "a\nb",
        "a\\",
        "a\\\nb",
        "?\?/",
        "?\?=",
        "\"quote\"",
        "%s%n",
        "\xff\xfe",
        "\xe2\x80\xae"
        "abc",
        "",
        "//",
        "/",
        "*",
        "**/",
        "/*/",
        "int",
        "0",
        "__x__",
        "\x01",
        "#define X",
        "'",
        "\\u202e",
        "x_2",
        "y",
        "i",
        "expf",
        "f32_exp",
        "vf_exp",
        "?",
    };
    char *expected[2] = {NULL, NULL};
    Arena *arena = arena_new();
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        Generated generated = generated_new();
        Buffer *x = input_make(&generated, NAMES[i], TYPE_FLOAT, 4),
               *y = output_make(&generated, NAMES[i], TYPE_FLOAT, 4);
        generated.program->current = graph_node(generated.program->graph, NAMES[i], NAMES[i]);
        Buffer *weight = constant_make(&generated, NAMES[i], TYPE_FLOAT, 4, (float[]){1, 2, 3, 4});
        Buffer *work = work_make(&generated, NAMES[i], TYPE_FLOAT, 4);
        Loop *loop = flat_loop(&generated, 4, 2, (Buffer *[]){x, weight}, work);
        loop_apply(loop, "multiply", TYPE_FLOAT, TYPE_FLOAT, 2, (int[]){0, 1});
        generated.program->steps.items[0]->block = NAMES[i];
        loop = flat_loop(&generated, 4, 1, &work, y);
        loop_apply(loop, "sigmoid", TYPE_FLOAT, TYPE_FLOAT, 1, (int[]){0});
        probe_make(&generated, NAMES[i], work);
        generated_emit(&generated, NAMES[i], WEIGHTS_INLINE);
        dlclose(generated_load(&generated, COMPILERS[i % 2], "-trigraphs"));
        for (int k = 0; k < 2; k++) {
            char *text = generated_text(&generated, k == 0 ? ".h" : ".c");
            for (const char *p = text; *p != '\0'; p++) assert_true((*p >= ' ' && *p <= '~') || *p == '\n');
            char *kinds = token_kinds(arena, text);
            if (expected[k] == NULL) expected[k] = kinds;
            assert_string_equal(kinds, expected[k]);
        }
        generated_free(&generated);
    }
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inputs_and_outputs),
        cmocka_unit_test(small_floats_are_rounded),
        cmocka_unit_test(casts_between_all_types),
        cmocka_unit_test(integers_wrap),
        cmocka_unit_test(reductions),
        cmocka_unit_test(transposes),
        cmocka_unit_test(kernels),
        cmocka_unit_test(weights_inline_and_object),
        cmocka_unit_test(weights_from_a_file),
        cmocka_unit_test(empty_tensors),
        cmocka_unit_test(two_models_in_one_cpp_program),
        cmocka_unit_test(hostile_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
