/* compile: writes a model as C.
 * What was written, and how much memory it needs, goes to stdout. */
#include "base/file.h"
#include "commands/model.h"
#include "commands/model_options.h"
#include "commands/tuning.h"

#include "emit/emit.h"
#include "emit/manifest.h"
#include "emit/testbench.h"
#include "ops/op.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const weight_words[] = {"auto", "inline", "object", "file", NULL};

static WeightMode weight_mode(Arena *arena, const char *word) {
    for (int i = 0; weight_words[i] != NULL; i++)
        if (strcmp(weight_words[i], word) == 0) return (WeightMode)i;
    const char *meant = nearest_name(arena, word, weight_words);
    fail(STATUS_USAGE, "--weights %s: expected auto, inline, object or file%s%s", quoted(word),
         meant == NULL ? "" : "; did you mean ", meant == NULL ? "" : meant);
}

static void print_summary(const Program *program, const EmittedModel *model, bool testbench, const char *folder) {
    printf("%s: %" PRId64 " bytes of workspace (lower bound %" PRId64 "), %" PRId64 " of weights\n", model->name,
           program->workspace_bytes, program->lower_bound_bytes, model->weights_bytes);
    for (int i = 0; i < program->probes.count; i++) printf("  probe %s\n", quoted(program->probes.items[i]->id));
    printf("  written to %s:", folder);
    for (int i = 0; i < model->files.count; i++) printf(" %s", model->files.items[i]);
    printf(" %s.json", model->name);
    if (testbench) printf(" %s_main.c npz.h%s CMakeLists.txt", model->name, model->threads > 1 ? " pool.h" : "");
    printf("\n");
}

static int64_t graph_macs(const Graph *graph) {
    int64_t macs = 0;
    for (int i = 0; i < graph->nodes.count; i++) {
        const Node *node = graph->nodes.items[i];
        const int64_t own = node->op->macs == NULL ? 0 : node->op->macs(node);
        if (own > 0) macs += own;
    }
    return macs;
}

/* What a model needs in memory and work. */
typedef struct {
    const ModelOptions *model;
    int64_t workspace_bytes, macs;
} Need;

/* The whole way once more, without stripes and with an arena of its own: passes change a graph for good. */
static void plan_plain(Arena *scratch, void *argument) {
    Need *need = argument;
    PassOptions options = need->model->pass;
    options.stripes = 0;
    const Program *program = model_program(model_load(scratch, need->model->path), &options);
    need->workspace_bytes = program->workspace_bytes;
    need->macs = graph_macs(program->graph);
}

static void print_stripes(const Need *striped, const Need *plain) {
    if (striped->workspace_bytes >= plain->workspace_bytes) {
        printf("  no stripes: they would save no workspace\n");
        return;
    }
    printf("  stripes: %" PRId64 " bytes of workspace in place of %" PRId64 ", %" PRId64
           " multiply-adds in place of %" PRId64 "\n",
           striped->workspace_bytes, plain->workspace_bytes, striped->macs, plain->macs);
}

/* "x86-64-v2, x86-64-v3, x86-64-v4". */
static const char *variant_names(Arena *arena) {
    Text names = text_new(arena);
    for (const Target *target = target_variant(NULL); target != NULL; target = target_variant(target))
        text_printf(&names, "%s%s", names.length == 0 ? "" : ", ", target->name);
    return names.data;
}

static void run(Arena *arena, int argc, char **argv) {
    ModelOptions model = {.target = "portable"};
    const char *folder = NULL, *name = NULL, *weights = "auto";
    bool testbench = false, dispatch = false;
    Option rows[9 + MODEL_OPTION_ROWS] = {
        {OPTION_TEXT, 'o', "output", "DIR", "the folder to write into; made where it is missing", &folder},
        {OPTION_TEXT, '\0', "name", "NAME", "the prefix of all files and symbols (default: the file's name)", &name},
        {OPTION_TEXT, '\0', "weights", "HOW",
         "inline: in the C file; object: a blob taken in by the assembler; file: a blob that the host loads; auto: "
         "inline up to 1 MB, else object (default)",
         &weights},
        {OPTION_FLAG, '\0', "testbench", NULL,
         "also write a main that reads and writes npz files, and a CMakeLists.txt", &testbench},
        target_option(arena, &model),
        {OPTION_FLAG, '\0', "dispatch", NULL,
         arena_printf(arena, "variants of which a run takes what the processor can do: %s", variant_names(arena)),
         &dispatch},
        tuned_option(&model),
        threads_option(&model),
        profile_option(&model),
    };
    if (!options_parse(arena, &COMMAND_COMPILE, rows, model_option_rows(arena, &model, rows, 9), argc, argv)) return;
    if (folder == NULL || *folder == '\0') fail(STATUS_USAGE, "where to? give -o DIR");
    WeightMode mode = weight_mode(arena, weights);
    model_options_finish(arena, &model);
    if (dispatch && model.pass.target != TARGETS)
        fail(STATUS_USAGE, "--dispatch has targets of its own; give no --target %s", model.target);

    Program *program = model_program(model_load(arena, model.path), &model.pass);
    if (program == NULL) return; /* --dump-after */
    tuning_warn_if_foreign(program);
    const bool stripes = model.pass.stripes != 0;
    const Need striped = {&model, program->workspace_bytes, graph_macs(program->graph)};
    Need plain = {.model = &model};
    if (stripes) arena_scope(plan_plain, &plain);
    if (stripes && striped.workspace_bytes >= plain.workspace_bytes) {
        model.pass.stripes = 0;
        program = model_program(model_load(arena, model.path), &model.pass);
    }
    Output *output = output_new(arena, folder);
    output_keep(output, model.path);
    const EmitOptions options = {
        .name = name != NULL ? name : path_stem(arena, model.path), .weights = mode, .dispatch = dispatch};
    const EmittedModel *emitted = emit_model(program, &options, output);
    emit_manifest(program, emitted, output);
    if (testbench) emit_testbench(emitted, output);
    output_commit(output);
    print_summary(program, emitted, testbench, folder);
    if (stripes) print_stripes(&striped, &plain);
}

const Command COMMAND_COMPILE = {"compile", "write a model as C", "", run};
