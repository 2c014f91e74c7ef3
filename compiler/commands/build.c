/* Build: the model is written with its testbench, and compiled in a folder that is removed at once.
 * Its weights are in the binary. */
#include "commands/build.h"

#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "emit/testbench.h"

#include <stdlib.h>
#include <string.h>

typedef LIST(const char *) Words;

const char *build_compiler(Arena *arena) {
    const char *chosen = getenv("CC");
    if (chosen != NULL && *chosen != '\0') return chosen;
    const char *const usual[] = {"cc", "clang", "gcc"};
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (process_exists(arena, usual[i])) return usual[i];
    return NULL;
}

/* Splits CC, which may hold options ("ccache gcc"), or CFLAGS into words. */
static void add_words(Arena *arena, Words *words, const char *text) {
    while (*text != '\0') {
        size_t length = strcspn(text, " \t\n");
        if (length > 0) list_add(arena, words, arena_printf(arena, "%.*s", (int)length, text));
        text += length + (text[length] != '\0');
    }
}

const char *build_compiler_version(Arena *arena) {
    enum { LARGEST = 1 << 16 };
    const char *compiler = build_compiler(arena), *path = arena_printf(arena, "%s/version", temporary_folder(arena));
    size_t size = 0;
    Words command = {0};
    add_words(arena, &command, compiler);
    list_add(arena, &command, "--version");
    list_add(arena, &command, NULL);
    if (process_run_to(command.items, path) != 0) return compiler;
    const char *text = file_read(arena, path, LARGEST, &size);
    return arena_printf(arena, "%.*s", (int)strcspn(text, "\n"), text);
}

/* Whether a compiler takes a target's flags: not all of them know -march=native. */
static bool takes_flags(Arena *arena, const char *folder, const char *compiler, const char *flags) {
    const char *source = arena_printf(arena, "%s/empty.c", folder);
    file_write_atomic(source, "\n", 1);
    Words command = {0};
    add_words(arena, &command, compiler);
    add_words(arena, &command, flags);
    const char *const rest[] = {"-w", "-c", source, "-o", arena_printf(arena, "%s/empty.o", folder), NULL};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) list_add(arena, &command, rest[i]);
    return process_run_quietly(command.items) == 0;
}

/* The compiler's words, and how it is to compile; CFLAGS comes last, so that it prevails. */
static Words command_for(Arena *arena, const Target *target, const char *folder, const char *binary) {
    const char *compiler = build_compiler(arena);
    Words command = {0};
    add_words(arena, &command, compiler);
    /* In strict C99 GCC would not compute a multiply-add as one. */
    const char *const flags[] = {"-std=gnu99", "-O3", "-w", "-I", folder, "-o", binary};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) list_add(arena, &command, flags[i]);
    const bool may_lack = target->registers == TARGET_COUNT; /* where it is not, the code insists */
    if (!may_lack || takes_flags(arena, folder, compiler, target->flags)) add_words(arena, &command, target->flags);
    const char *wished = getenv("CFLAGS");
    if (wished != NULL) add_words(arena, &command, wished);
    return command;
}

typedef struct {
    Program *program;
    const char *binary, *progressed;
    const EmittedModel *model;
} Job;

/* scratch has the folder. */
static void build(Arena *scratch, void *argument) {
    Job *job = argument;
    const char *folder = temporary_folder(scratch), *compiler = build_compiler(scratch);
    Output *output = output_new(scratch, folder);
    const EmitOptions options = {.name = "model", .weights = WEIGHTS_AUTO};
    job->model = emit_model(job->program, &options, output);
    emit_testbench(job->model, output);
    output_commit(output);
    progress("compiling with %s%s", compiler, job->progressed);
    Words command = command_for(scratch, job->program->target, folder, job->binary);
    for (int i = 0; i < job->model->files.count; i++) {
        const char *file = job->model->files.items[i], *dot = strrchr(file, '.');
        if (dot != NULL && (strcmp(dot, ".c") == 0 || strcmp(dot, ".S") == 0))
            list_add(scratch, &command, arena_printf(scratch, "%s/%s", folder, file));
    }
    list_add(scratch, &command, arena_printf(scratch, "%s/model_main.c", folder));
    list_add(scratch, &command, "-lm");
    if (job->model->threads > 1) list_add(scratch, &command, "-pthread");
    list_add(scratch, &command, NULL);
    int status = process_run(command.items);
    progress(NULL);
    const char *wished = getenv("CFLAGS");
    if (status != 0)
        fail(STATUS_SYSTEM, "%s%s%s failed on the generated code (status %d)", compiler,
             wished != NULL && *wished != '\0' ? " with CFLAGS=" : "", wished != NULL ? wished : "", status);
}

const EmittedModel *build_program(Program *program, const char *binary, const char *progressed) {
    Job job = {.program = program, .binary = binary, .progressed = progressed};
    arena_scope(build, &job);
    return job.model;
}

typedef struct {
    const Target *target;
    int registers;
} Question;

/* A program that ends with the number of its registers. */
static void ask_registers(Arena *scratch, void *argument) {
    Question *question = argument;
    const char *folder = temporary_folder(scratch), *compiler = build_compiler(scratch);
    const char *source = arena_printf(scratch, "%s/target.c", folder),
               *binary = arena_printf(scratch, "%s/target", folder);
    Text text = text_new(scratch);
    text_printf(&text, "#include <stdint.h>\n%s\nint main(void) { return PICK(%d, %d, %d, %d, %d); }\n",
                support_find("vf")->text, TARGET_AVX512, TARGET_AVX2, TARGET_NEON, TARGET_SSE, TARGET_SCALAR);
    file_write_atomic(source, text.data, text.length);
    Words command = command_for(scratch, question->target, folder, binary);
    list_add(scratch, &command, source);
    list_add(scratch, &command, NULL);
    const char *const run[] = {binary, NULL};
    question->registers = process_run(command.items) == 0 ? process_run(run) : -1;
    if (question->registers < 0 || question->registers >= TARGET_COUNT)
        fail(STATUS_SYSTEM, "%s makes no programs for %s that run on this machine", compiler, question->target->name);
}

int build_registers(const Target *target) {
    Question question = {.target = target};
    arena_scope(ask_registers, &question);
    return question.registers;
}
