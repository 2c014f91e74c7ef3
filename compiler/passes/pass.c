/* Passes: the table, and the loop that runs it.
 * The order matters where a line says so. */
#include "passes/pass.h"

#include <string.h>

const Pass PASSES[] = {
    {"bind", "give symbolic dimensions the sizes from --dim and --shape", pass_bind_dimensions},
    {"infer", "infer types and shapes; compute what depends on constants alone", pass_infer},
    {"blocks", "find attention blocks and open their probes; before what rewrites their nodes", pass_blocks},
    {"eliminate", "remove nodes that change nothing", pass_eliminate},
    {"fold_batchnorm", "let weights and biases take in what scales and shifts channels", pass_fold_batchnorm},
    {"own_outputs", "copy constants and inputs that are outputs", pass_own_outputs},
    {NULL, NULL, NULL},
};

void passes_run(Graph *graph, const PassOptions *options) {
    bool dumped = options->dump_after == NULL;
    for (const Pass *pass = PASSES; pass->name != NULL; pass++) {
        progress("%s", pass->name);
        pass->run(graph, options);
#ifdef FOVEA_CHECK
        graph_check(graph, pass->name);
#endif
        if (options->dump_after != NULL && strcmp(options->dump_after, pass->name) == 0) {
            graph_print(graph, stdout);
            dumped = true;
        }
    }
    progress(NULL);
    if (!dumped) {
        report(STATUS_USAGE, "there is no pass %s", quoted(options->dump_after));
        for (const Pass *pass = PASSES; pass->name != NULL; pass++) note("%s: %s", pass->name, pass->description);
        fail_if_reported();
    }
}
