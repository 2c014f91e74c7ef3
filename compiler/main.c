/* fovea: the command line. Each command has a file of its own in commands/ and a line here.
 * What a command does to a model, stage by stage, is commands/model.c. */
#include "base/file.h"
#include "commands/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const Command *const commands[] = {
    &COMMAND_COMPILE, &COMMAND_RUN, &COMMAND_INSPECT, &COMMAND_VERIFY, &COMMAND_DIFF, &COMMAND_TUNE, &COMMAND_VIEW,
};
enum { COMMANDS = sizeof commands / sizeof *commands };

typedef struct {
    Arena *arena;
    int argc;
    char **argv;
} CommandLine;

static void print_help(FILE *out) {
    fprintf(out, "usage: fovea COMMAND [ARGUMENT]...\n"
                 "Compiles ONNX models to standalone C and shows what they attend to.\n\n");
    for (int i = 0; i < COMMANDS; i++) fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(out, "\n`fovea COMMAND --help` lists a command's options; `fovea --version` tells the version.\n");
}

static _Noreturn void fail_unknown_command(Arena *arena, const char *word) {
    const char *names[COMMANDS + 1] = {NULL};
    for (int i = 0; i < COMMANDS; i++) names[i] = commands[i]->name;
    const char *meant = nearest_name(arena, word, names);
    if (meant == NULL) report(STATUS_USAGE, "there is no command %s", quoted(word));
    else report(STATUS_USAGE, "there is no command %s; did you mean %s?", quoted(word), meant);
    note("`fovea --help` lists the commands");
    unwind(STATUS_USAGE);
}

static void run_command(void *argument) {
    const CommandLine *line = argument;
    const char *word = line->argc > 1 ? line->argv[1] : "";
    if (line->argc < 2) {
        print_help(stderr);
        unwind(STATUS_USAGE);
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        print_help(stdout);
        return;
    }
    if (strcmp(word, "--version") == 0) {
        printf("fovea %s\n", FOVEA_VERSION);
        return;
    }
    for (int i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i]->name, word) != 0) continue;
        commands[i]->run(line->arena, line->argc - 2, line->argv + 2);
        return;
    }
    fail_unknown_command(line->arena, word);
}

static void make_arena(void *argument) { ((CommandLine *)argument)->arena = arena_new(); }

/* What was printed has to arrive, too: a full disk is an error. */
static void flush_output(void *unused) {
    (void)unused;
    if (fflush(stdout) != 0 || ferror(stdout)) fail(STATUS_SYSTEM, "cannot write to stdout: %s", strerror(errno));
}

int main(int argc, char **argv) {
    CommandLine line = {NULL, argc, argv};
    file_install_signal_cleanup();
    Status status = guard(make_arena, &line);
    if (status == STATUS_OK) status = guard(run_command, &line);
    arena_free(line.arena);
    Status flushed = guard(flush_output, NULL);
    return status != STATUS_OK ? status : flushed;
}
