/* The way of a model, in the order of the folders.
 * Everything here is a call; the work is in the stages. */
#include "commands/model.h"

#include "load/load.h"
#include "passes/fuse.h"
#include "passes/lower.h"
#include "patterns/probes.h"
#include "plan/plan.h"

Graph *model_graph(Arena *arena, const char *path, const PassOptions *options) {
    Graph *graph = load_model(arena, path, NULL);
    passes_run(graph, options);
    return graph;
}

Program *model_program(Arena *arena, const char *path, const PassOptions *options) {
    Graph *graph = model_graph(arena, path, options);
    Program *program = lower_graph(graph);
    fuse_program(program, options);
    probes_collect(graph, program);
    plan_memory(program);
    return program;
}
