/* run: runs a model once on the arrays of an npz file.
 * Dimensions that the model leaves open are taken from them. */
#include "commands/execute.h"
#include "commands/model.h"
#include "commands/model_options.h"
#include "commands/tuning.h"

#include <string.h>

static void run(Arena *arena, int argc, char **argv) {
    ModelOptions model = {.target = "native"};
    const char *input = NULL, *output = NULL, *probe_output = NULL;
    bool interpret = false;
    Option rows[8 + MODEL_OPTION_ROWS] = {
        {OPTION_TEXT, 'i', "input", "IN.npz", "the inputs, named as in the model", &input},
        {OPTION_TEXT, 'o', "output", "OUT.npz", "where the outputs go", &output},
        {OPTION_TEXT, '\0', "probe-output", "PROBES.npz", "where the probes go, named by their ids", &probe_output},
        {OPTION_FLAG, '\0', "interpret", NULL, "without a C compiler: slower, the same steps", &interpret},
        target_option(arena, &model),
        tuned_option(&model),
        threads_option(&model),
        profile_option(&model),
    };
    if (!options_parse(arena, &COMMAND_RUN, rows, model_option_rows(arena, &model, rows, 8), argc, argv)) return;
    if (output == NULL && probe_output == NULL)
        fail(STATUS_USAGE, "give --output OUT.npz or --probe-output PROBES.npz");
    if (interpret && model.pass.profile) fail(STATUS_USAGE, "--profile measures compiled steps, not interpreted ones");
    model_options_finish(arena, &model);

    Npz inputs = {0}, probes = {0};
    if (input != NULL) inputs = npz_read(arena, input);
    Graph *graph = model_load(arena, model.path);
    model_shapes_from(graph, &inputs, &model.pass);
    Program *program = model_program(graph, &model.pass);
    if (program == NULL) return; /* --dump-after */
    tuning_warn_if_foreign(program);
    Execution *execution = execution_new(arena, program, interpret);
    Npz outputs = execution_run(execution, &inputs, probe_output == NULL ? NULL : &probes);
    if (output != NULL) npz_write(output, &outputs);
    if (probe_output != NULL) npz_write(probe_output, &probes);
}

const Command COMMAND_RUN = {"run", "run a model on the arrays of an npz file", "", run};
