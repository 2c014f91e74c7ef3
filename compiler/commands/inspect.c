/* inspect: what a model is made of, and what fovea finds in it.
 * Symbolic dimensions may stay open; memory is told when they do not. */
#include "commands/model.h"
#include "commands/model_options.h"

#include "emit/manifest.h"
#include "ops/op.h"
#include "patterns/block.h"
#include "patterns/probes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What is counted over a graph. */
typedef struct {
    Map operators;      /* name -> int * */
    int64_t parameters; /* elements of floating initializers that nodes read */
    int64_t macs;       /* multiply-adds; -1 where a shape is open */
    int64_t weights_bytes;
    Program *program; /* NULL where a shape is open or an operator cannot be compiled */
} Summary;

/* Counts the model's own operators: after inference, and before passes put others in their place. */
static void count_nodes(const Graph *graph, const char *pass, void *argument) {
    Summary *summary = argument;
    if (strcmp(pass, "infer") != 0) return;
    for (int i = 0; i < graph->nodes.count; i++) {
        const Node *node = graph->nodes.items[i];
        int *count = map_get(&summary->operators, node->op_type);
        if (count == NULL) map_set(&summary->operators, node->op_type, count = arena_new_object(graph->arena, int));
        ++*count;
        int64_t macs = node->op->macs == NULL ? 0 : node->op->macs(node);
        summary->macs = summary->macs < 0 || macs < 0 ? -1 : summary->macs + macs;
    }
}

static void count_parameters(const Graph *graph, Summary *summary) {
    for (int i = 0; i < graph->values.count; i++) {
        const Value *value = graph->values.items[i];
        if (value->constant == NULL || value->consumers.count == 0) continue;
        if (type_is_float(value->type)) summary->parameters += tensor_count(value->constant);
        summary->weights_bytes += (int64_t)tensor_bytes(value->constant);
    }
}

static bool is_closed(const Graph *graph) {
    for (int i = 0; i < graph->nodes.count; i++)
        for (int k = 0; k < graph->nodes.items[i]->outputs.count; k++) {
            const Value *output = graph->nodes.items[i]->outputs.items[k];
            if (output != NULL && !shape_is_known(&output->shape)) return false;
        }
    return true;
}

/* What is seen of the graph when the passes have run. */
static void summarise(Graph *graph, const PassOptions *options, Summary *summary) {
    count_parameters(graph, summary);
    if (is_closed(graph)) summary->program = model_steps(graph, options);
}

static void add_operator(const char *name, void *value, void *json) {
    json_t *key = manifest_name(name); /* made UTF-8, as JSON's keys have to be */
    json_object_set_new(json, json_string_value(key), json_integer(*(int *)value));
    json_decref(key);
}

static void print_json(Arena *arena, const Graph *graph, const Summary *summary) {
    json_t *operators = json_object();
    map_each(&summary->operators, add_operator, operators);
    const Program *program = summary->program;
    json_t *memory = json_pack(
        "{s:o, s:o, s:I}", "workspace_bytes", program == NULL ? json_null() : json_integer(program->workspace_bytes),
        "lower_bound_bytes", program == NULL ? json_null() : json_integer(program->lower_bound_bytes), "weights_bytes",
        (json_int_t)summary->weights_bytes);
    json_t *root = json_pack("{s:o, s:o, s:I, s:o, s:o}", "blocks", manifest_blocks(graph), "ops", operators,
                             "parameters", (json_int_t)summary->parameters, "macs",
                             summary->macs < 0 ? json_null() : json_integer(summary->macs), "memory", memory);
    printf("%s\n", manifest_text(arena, root));
}

static void print_values(const char *what, const ValueList *values, Arena *arena) {
    for (int i = 0; i < values->count; i++) {
        const Value *value = values->items[i];
        printf("%-8s %s  %s%s\n", what, quoted(value->name), type_info(value->type)->name,
               shape_text(arena, &value->shape));
    }
}

static void print_blocks(const Graph *graph, Arena *arena) {
    if (graph->blocks.count == 0) printf("no attention block was found\n");
    for (int i = 0; i < graph->blocks.count; i++) {
        const Block *block = graph->blocks.items[i];
        printf("%-8s %s  %s, %d nodes", i == 0 ? "blocks" : "", quoted(block->name), block->family, block->nodes.count);
        if (block->macs >= 0) printf(", %" PRId64 " multiply-adds", block->macs);
        printf("\n");
        for (int k = 0; k < block->probes.count; k++) {
            const BlockProbe *probe = block->probes.items[k];
            printf("%-8s   %s  %s %s%s\n", "", quoted(probe->id), probe->axes, shape_text(arena, &probe->shape),
                   probe->on_request ? "  on request" : "");
        }
    }
}

static void print_operator(const char *name, void *count, void *first) {
    const char *shown = quoted(name);
    printf("%s%.*s %d", *(bool *)first ? "" : ", ", (int)strlen(shown) - 2, shown + 1, *(int *)count);
    *(bool *)first = false;
}

static void print_summary(Arena *arena, const Graph *graph, const Summary *summary) {
    print_values("input", &graph->inputs, arena);
    print_values("output", &graph->outputs, arena);
    print_blocks(graph, arena);
    bool first = true;
    printf("ops      ");
    map_each(&summary->operators, print_operator, &first);
    printf("\n%" PRId64 " parameters", summary->parameters);
    if (summary->macs >= 0) printf(", %" PRId64 " multiply-adds", summary->macs);
    if (summary->program != NULL)
        printf(", %" PRId64 " bytes of workspace (lower bound %" PRId64 ")", summary->program->workspace_bytes,
               summary->program->lower_bound_bytes);
    printf("\n");
}

static void run(Arena *arena, int argc, char **argv) {
    ModelOptions model = {.pass = {.open_dimensions = true}};
    bool as_json = false;
    Option rows[2 + MODEL_OPTION_ROWS] = {
        {OPTION_FLAG, '\0', "json", NULL, "write JSON", &as_json},
        {OPTION_TEXT, '\0', "why", "FAMILY", "for what looks like a block of this family and is none: why not",
         &model.pass.explain},
    };
    if (!options_parse(arena, &COMMAND_INSPECT, rows, model_option_rows(arena, &model, rows, 2), argc, argv)) return;
    model_options_finish(arena, &model);
    Graph *graph = model_load(arena, model.path);
    Summary summary = {.operators = map_new(arena)};
    model.pass.observe = count_nodes;
    model.pass.observe_argument = &summary;
    if (!passes_run(graph, &model.pass) || model.pass.explain != NULL) return; /* the passes have said it */
    summarise(graph, &model.pass, &summary);
    if (summary.program == NULL && model.pass.dump_after != NULL) return;
    if (as_json) print_json(arena, graph, &summary);
    else print_summary(arena, graph, &summary);
}

const Command COMMAND_INSPECT = {"inspect", "show what a model is made of, and the attention in it", "", run};
