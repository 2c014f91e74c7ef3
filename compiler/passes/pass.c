/* Passes: the table, and the loop that runs it.
 * The order matters where a line says so. */
#include "passes/pass.h"

#include <string.h>

const Pass PASSES[] = {
    {"bind", "give symbolic dimensions the sizes from --dim and --shape", pass_bind_dimensions},
    {"infer", "infer types and shapes; compute what depends on constants alone", pass_infer},
    {"samples", "see that the samples of a batch, where --dim leaves their number open, are computed apart", pass_samples},
    {"normalise", "bring the spellings of one idea to one form, by rewrite rules", pass_normalise},
    {"layout", "let maps have their channels first, as far as transposes can be moved", pass_layout},
    {"blocks", "find attention blocks and open their probes; before what rewrites their nodes", pass_blocks},
    {"fuse_blocks", "put one operator in the place of an attention block", pass_fuse_blocks},
    {"eliminate", "remove nodes that change nothing", pass_eliminate},
    {"fold_batchnorm", "let weights and biases take in what scales and shifts channels", pass_fold_batchnorm},
    {"bias", "let products take in the row that is added to them", pass_bias},
    {"own_outputs", "copy constants and inputs that are outputs", pass_own_outputs},
    {"stripe", "make large maps some rows at a time, where that saves memory", pass_stripe},
    {"phases", "let transposed convolutions be plain ones, of all phases of their strides", pass_phases},
    {"thin", "let convolutions that skip pixels read a copy of those they need", pass_thin},
    {"channels_last", "let maps lie with their channels last where kernels want it", pass_channels_last},
    {"lower", "turn nodes into steps over buffers", NULL},
    {"fuse", "compute inside a step what it alone reads", NULL},
    {"plan", "place the buffers in the workspace", NULL},
    {NULL, NULL, NULL},
};

bool dumps_after(const PassOptions *options, const char *pass) {
    return options->dump_after != NULL && strcmp(options->dump_after, pass) == 0;
}

static void check_dump_name(const PassOptions *options) {
    for (const Pass *pass = PASSES; pass->name != NULL; pass++)
        if (options->dump_after == NULL || dumps_after(options, pass->name)) return;
    report(STATUS_USAGE, "there is no pass %s", quoted(options->dump_after));
    for (const Pass *pass = PASSES; pass->name != NULL; pass++) note("%s: %s", pass->name, pass->description);
    fail_if_reported();
}

bool passes_run(Graph *graph, const PassOptions *options) {
    check_dump_name(options);
    for (const Pass *pass = PASSES; pass->run != NULL; pass++) {
        progress("%s", pass->name);
        pass->run(graph, options);
        progress(NULL);
        if (options->observe != NULL) options->observe(graph, pass->name, options->observe_argument);
#ifdef FOVEA_CHECK
        graph_check(graph, pass->name);
#endif
        if (!dumps_after(options, pass->name)) continue;
        graph_print(graph, stdout);
        return false;
    }
    return true;
}
