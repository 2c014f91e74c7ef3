/* verify: runs a model on recorded inputs and compares what comes out with recorded outputs.
 * The recordings are npz files, or the folders of ONNX's own test data (test_data_set_0/input_0.pb, output_0.pb, ...).
 */
#include "commands/diff.h"
#include "commands/execute.h"
#include "commands/model.h"
#include "commands/model_options.h"
#include "commands/tuning.h"

#include "base/file.h"
#include "load/load.h"

#include <string.h>

/* One recording. */
typedef struct {
    const char *name;
    Npz inputs, outputs;
} Recording;
typedef LIST(Recording) Recordings;

/* The tensors of a folder, by their number, under the names that the model's values have: those in the files may be
 * missing. Reads "input_0.pb" and so on until there is no more. */
static Npz read_tensors(Arena *arena, const char *folder, const char *what, const ValueList *values) {
    Npz npz = {0};
    for (int i = 0; i < values->count; i++) {
        const char *path = arena_printf(arena, "%s/%s_%d.pb", folder, what, i);
        if (!file_exists(path)) break;
        NpzEntry entry = {values->items[i]->name, load_tensor_file(arena, path, NULL)};
        list_add(arena, &npz, entry);
    }
    return npz;
}

static void add_folder(Arena *arena, Recordings *recordings, const char *folder, const Graph *graph) {
    Recording recording = {folder, read_tensors(arena, folder, "input", &graph->inputs),
                           read_tensors(arena, folder, "output", &graph->outputs)};
    if (recording.outputs.count == 0) fail(STATUS_INVALID, "there is no output_0.pb in %s", quoted(folder));
    list_add(arena, recordings, recording);
}

/* A test_data_set_N, or a folder of such folders. */
static Recordings read_folder(Arena *arena, const char *folder, const Graph *graph) {
    Recordings recordings = {0};
    if (file_exists(arena_printf(arena, "%s/output_0.pb", folder))) {
        add_folder(arena, &recordings, folder, graph);
        return recordings;
    }
    for (int i = 0;; i++) {
        const char *inner = arena_printf(arena, "%s/test_data_set_%d", folder, i);
        if (!file_exists(inner)) break;
        add_folder(arena, &recordings, inner, graph);
    }
    if (recordings.count == 0)
        fail(STATUS_INVALID, "%s holds no test data (test_data_set_0, output_0.pb)", quoted(folder));
    return recordings;
}

static void run(Arena *arena, int argc, char **argv) {
    ModelOptions model = {.target = "native"};
    const char *data = NULL, *input = NULL, *expect = NULL;
    DiffOptions options = {.tolerance = TOLERANCE_USUAL};
    bool interpret = false;
    Option rows[9 + MODEL_OPTION_ROWS] = {
        {OPTION_TEXT, '\0', "data", "DIR", "a test_data_set_0 folder, or the folder that holds such folders", &data},
        {OPTION_TEXT, '\0', "input", "IN.npz", "recorded inputs, in place of --data", &input},
        {OPTION_TEXT, '\0', "expect", "OUT.npz", "the outputs that belong to them", &expect},
        {OPTION_NUMBER, '\0', "atol", "X", "absolute tolerance (1e-5)", &options.tolerance.atol},
        {OPTION_NUMBER, '\0', "rtol", "X", "relative tolerance (1e-4)", &options.tolerance.rtol},
        {OPTION_FLAG, '\0', "interpret", NULL, "without a C compiler: slower, the same steps", &interpret},
        target_option(arena, &model),
        tuned_option(&model),
        threads_option(&model),
    };
    if (!options_parse(arena, &COMMAND_VERIFY, rows, model_option_rows(arena, &model, rows, 9), argc, argv)) return;
    if ((data == NULL) == (expect == NULL))
        fail(STATUS_USAGE, "give --data DIR, or --input IN.npz and --expect OUT.npz");
    model_options_finish(arena, &model);
    model.pass.probes = "none";

    Graph *graph = model_load(arena, model.path);
    Recordings recordings = {0};
    if (data != NULL) recordings = read_folder(arena, data, graph);
    else {
        Recording recording = {expect, input == NULL ? (Npz){0} : npz_read(arena, input), npz_read(arena, expect)};
        list_add(arena, &recordings, recording);
    }
    model_shapes_from(graph, &recordings.items[0].inputs, &model.pass);
    Program *program = model_program(graph, &model.pass);
    if (program == NULL) return; /* --dump-after */
    tuning_warn_if_foreign(program);
    Execution *execution = execution_new(arena, program, interpret);
    int differing = 0;
    for (int i = 0; i < recordings.count; i++) {
        const Recording *recording = &recordings.items[i];
        Npz outputs = execution_run(execution, &recording->inputs, NULL);
        Diff diff = diff_npz(arena, &recording->outputs, &outputs, &options);
        printf("%s\n", recording->name);
        diff_print(arena, &diff, stdout);
        differing += diff_first(&diff) != NULL;
    }
    if (differing > 0) fail(STATUS_INVALID, "%d of %d recordings differ", differing, recordings.count);
}

const Command COMMAND_VERIFY = {"verify", "compare a model's outputs with recorded ones", "", run};
