/* Generated: test helpers that emit a program made by hand, compile it as strict C99 with every warning an error, by
 * gcc and by clang, and load it into the test. */
#ifndef FOVEA_TESTS_GENERATED_H
#define FOVEA_TESTS_GENERATED_H

#include "emit/emit.h"
#include "plan/plan.h"

#include <dirent.h>
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define STRICT "-std=c99 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wvla -Wframe-larger-than=16384 -Werror"

static const char *const COMPILERS[] = {"gcc", "clang"};
enum { COMPILERS_COUNT = 2 };

/* As in the headers that fovea writes. */
typedef struct {
    const char *id, *family, *axes, *type;
    int32_t rank, dims[8];
} GeneratedProbe;

typedef struct {
    void *workspace;
    void (*on_probe)(void *user, const GeneratedProbe *probe, const void *data);
    void *on_probe_user;
} GeneratedContext;

typedef struct {
    Arena *arena;
    Program *program;
    const EmittedModel *model;
    char *folder;
} Generated;

static inline Generated generated_new(void) {
    Generated generated = {.arena = arena_new()};
    generated.program = program_new(generated.arena, graph_new(generated.arena, "test"));
    generated.folder = arena_copy(generated.arena, "/tmp/fovea_test_XXXXXX");
    assert_non_null(mkdtemp(generated.folder));
    return generated;
}

static inline void run_or_fail(const char *command) {
    if (system(command) != 0) fail_msg("failed: %s", command);
}

static inline void generated_free(Generated *generated) {
    run_or_fail(arena_printf(generated->arena, "rm -r %s", generated->folder));
    arena_free(generated->arena);
}

static inline void generated_emit(Generated *generated, const char *name, WeightMode weights) {
    plan_memory(generated->program);
    Output *output = output_new(generated->arena, generated->folder);
    generated->model = emit_model(generated->program, &(EmitOptions){.name = name, .weights = weights}, output);
    output_commit(output);
}

/* Compiles the model's files to a shared library and opens it. */
static inline void *generated_load(Generated *generated, const char *compiler, const char *flags) {
    const char *name = generated->model->name;
    bool has_assembler = generated->model->weights == WEIGHTS_OBJECT;
    const char *library = arena_printf(generated->arena, "%s/%s_%s.so", generated->folder, name, compiler);
    run_or_fail(arena_printf(generated->arena, "cd %s && %s %s %s -O2 -fPIC -shared -o %s %s.c %s%s -lm",
                             generated->folder, compiler, STRICT, flags, library, name, has_assembler ? name : "",
                             has_assembler ? "_weights.S" : ""));
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) fail_msg("%s", dlerror());
    return handle;
}

typedef void AnyFunction(void);

static inline AnyFunction *generated_function(const Generated *generated, void *handle, const char *suffix) {
    void *object = dlsym(handle, arena_printf(generated->arena, "%s_%s", generated->model->name, suffix));
    AnyFunction *function;
    assert_non_null(object);
    memcpy(&function, &object, sizeof function); /* ISO C has no cast for this; POSIX has the meaning */
    return function;
}

/* A workspace full of signalling NaNs: what is read before it is written shows. */
static inline void *workspace_new(const Program *program) {
    size_t bytes = (size_t)program->workspace_bytes;
    void *workspace = aligned_alloc(64, bytes > 0 ? (bytes + 63) / 64 * 64 : 64);
    assert_non_null(workspace);
    memset(workspace, 0xA5, bytes);
    return workspace;
}

/* A value and its buffer. */
static inline Value *value_make(Generated *generated, const char *name, Type type, int rank, const int64_t *dims) {
    Value *value = graph_value(generated->program->graph, name);
    value->type = type;
    value->shape = shape_of(rank, dims);
    return value;
}

static inline Buffer *input_make(Generated *generated, const char *name, Type type, int64_t count) {
    Value *value = value_make(generated, name, type, 1, &count);
    value->is_input = true;
    list_add(generated->arena, &generated->program->graph->inputs, value);
    return program_buffer(generated->program, value);
}

static inline Buffer *output_make(Generated *generated, const char *name, Type type, int64_t count) {
    Value *value = value_make(generated, name, type, 1, &count);
    value->is_output = true;
    list_add(generated->arena, &generated->program->graph->outputs, value);
    return program_buffer(generated->program, value);
}

static inline Buffer *work_make(Generated *generated, const char *name, Type type, int64_t count) {
    return program_buffer(generated->program, value_make(generated, name, type, 1, &count));
}

static inline Buffer *constant_make(Generated *generated, const char *name, Type type, int64_t count,
                                    const void *data) {
    Value *value = value_make(generated, name, type, 1, &count);
    value->constant = tensor_new(generated->arena, type, &value->shape);
    if (data != NULL) memcpy(value->constant->data, data, tensor_bytes(value->constant));
    return program_buffer(generated->program, value);
}

static inline void probe_make(Generated *generated, const char *id, const Buffer *buffer) {
    Probe *probe = arena_new_object(generated->arena, Probe);
    *probe = (Probe){.id = id, .family = "", .axes = "", .value = buffer->value, .rank = 1, .dims = {buffer->count}};
    list_add(generated->arena, &generated->program->probes, probe);
}

/* A loop of one dimension over whole buffers. */
static inline Loop *flat_loop(Generated *generated, int64_t count, int inputs, Buffer *const *buffers, Buffer *output) {
    Loop *loop = step_loop(generated->program, 1, &count);
    for (int i = 0; i < inputs; i++) loop_input(loop, buffers[i], 0, (int64_t[]){buffers[i]->count == 1 ? 0 : 1});
    loop_output(loop, output, 0, (int64_t[]){1});
    return loop;
}

#endif
