/* Probes: reading --probes, and handing what it opened to the program.
 * Names are the model's, so they are compared as bytes and printed with quoted(). */
#include "patterns/probes.h"

#include "base/text.h"
#include "patterns/build.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    Graph *graph;
    Map open; /* ids, to probes */
} Opening;

/* Computes a map that is no tensor of the block, behind the block's last node. */
static void make_map(BlockProbe *probe) {
    const Block *block = probe->block;
    Node *last = block->match.tensors[block->pattern->root]->producer;
    probe->value = build_term(block->pattern, probe->made, &block->match, last);
    graph_index(last->graph);
    if (probe->shape.rank < 0) probe->shape = probe->value->shape;
}

static void open_probe(Opening *opening, BlockProbe *probe) {
    if (map_get(&opening->open, probe->id) != NULL) return;
    map_set(&opening->open, probe->id, probe);
    if (probe->made != NULL && probe->value == NULL) make_map(probe);
    probe->value->is_probed = true;
    list_add(opening->graph->arena, &opening->graph->probes, probe);
}

static void open_value(Opening *opening, Value *value) {
    BlockProbe *probe = arena_new_object(opening->graph->arena, BlockProbe);
    *probe = (BlockProbe){.id = value->name,
                          .name = value->name,
                          .family = "tensor",
                          .kind = "",
                          .axes = "",
                          .value = value,
                          .maker = value->producer,
                          .shape = value->shape};
    open_probe(opening, probe);
}

/* Calls visit for every probe of the blocks. */
static void each_block_probe(const Graph *graph, void (*visit)(BlockProbe *probe, void *argument), void *argument) {
    for (int i = 0; i < graph->blocks.count; i++)
        for (int k = 0; k < graph->blocks.items[i]->probes.count; k++)
            visit(graph->blocks.items[i]->probes.items[k], argument);
}

static void open_default(BlockProbe *probe, void *argument) {
    if (!probe->on_request) open_probe(argument, probe);
}

/* The map that a block is about, which patterns call x. */
static void open_input(BlockProbe *probe, void *argument) {
    if (strcmp(probe->name, "x") == 0) open_probe(argument, probe);
}

static void open_any(BlockProbe *probe, void *argument) { open_probe(argument, probe); }

static bool is_computed(const Value *value) { return value->producer != NULL && value->constant == NULL; }

typedef struct {
    Opening *opening;
    const char *glob;
    int fits;
} Wanted;

static void open_fitting(BlockProbe *probe, void *argument) {
    Wanted *wanted = argument;
    if (!glob_fits(wanted->glob, probe->id)) return;
    open_probe(wanted->opening, probe);
    wanted->fits++;
}

/* What may have been meant. */

enum { SUGGESTIONS = 3, LONGEST_COMPARED = 200 };

typedef struct {
    const char *glob;
    const char *names[SUGGESTIONS];
    size_t distances[SUGGESTIONS];
    int count;
} Suggestions;

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* How many characters have to be changed, added or dropped to get from one name to the other (Levenshtein 1966). */
static size_t edit_distance(const char *a, const char *b) {
    size_t row[LONGEST_COMPARED + 1], length = strlen(b);
    for (size_t k = 0; k <= length; k++) row[k] = k;
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t corner = row[0];
        row[0] = i + 1;
        for (size_t k = 1; k <= length; k++) {
            size_t changed = corner + (a[i] != b[k - 1]);
            corner = row[k];
            row[k] = least(changed, least(row[k], row[k - 1]) + 1);
        }
    }
    return row[length];
}

static void suggest(Suggestions *suggestions, const char *name) {
    if (strlen(name) > LONGEST_COMPARED) return;
    size_t distance = strstr(name, suggestions->glob) != NULL ? 1 : edit_distance(suggestions->glob, name);
    if (distance > 1 + strlen(suggestions->glob) / 2) return;
    int at = suggestions->count < SUGGESTIONS ? suggestions->count++ : SUGGESTIONS - 1;
    if (suggestions->names[at] != NULL && distance >= suggestions->distances[at]) return;
    for (; at > 0 && suggestions->distances[at - 1] > distance; at--) {
        suggestions->names[at] = suggestions->names[at - 1];
        suggestions->distances[at] = suggestions->distances[at - 1];
    }
    suggestions->names[at] = name;
    suggestions->distances[at] = distance;
}

static void suggest_probe(BlockProbe *probe, void *argument) { suggest(argument, probe->id); }

static void report_no_fit(const Graph *graph, const char *glob) {
    report(STATUS_USAGE, "--probes %s: no attention map and no computed value has such a name", quoted(glob));
    if (strlen(glob) > LONGEST_COMPARED) return;
    Suggestions suggestions = {.glob = glob};
    each_block_probe(graph, suggest_probe, &suggestions);
    for (int i = 0; i < graph->values.count; i++)
        if (is_computed(graph->values.items[i])) suggest(&suggestions, graph->values.items[i]->name);
    for (int i = 0; i < suggestions.count; i++) note("there is %s", quoted(suggestions.names[i]));
    if (suggestions.count == 0) note("fovea inspect lists the maps");
}

/* Opening. */

static void open_glob(Opening *opening, const char *glob) {
    Wanted wanted = {opening, glob, 0};
    each_block_probe(opening->graph, open_fitting, &wanted);
    for (int i = 0; i < opening->graph->values.count; i++) {
        Value *value = opening->graph->values.items[i];
        if (!is_computed(value) || !glob_fits(glob, value->name)) continue;
        open_value(opening, value);
        wanted.fits++;
    }
    if (wanted.fits == 0) report_no_fit(opening->graph, glob);
}

/* The items of a list with commas, each handed on; "auto" where there is no list. */
static void each_wanted(Arena *arena, const char *wanted, void (*visit)(const char *item, void *argument),
                        void *argument) {
    const char *at = wanted != NULL ? wanted : "auto";
    for (;; at++) {
        size_t length = strcspn(at, ",");
        visit(arena_printf(arena, "%.*s", (int)length, at), argument);
        at += length;
        if (*at == '\0') return;
    }
}

static void keep_fitting(const char *glob, void *argument) {
    const Graph *graph = argument;
    for (int i = 0; i < graph->values.count; i++) {
        Value *value = graph->values.items[i];
        if (is_computed(value) && glob_fits(glob, value->name)) value->is_probed = true;
    }
}

void probes_keep(Graph *graph, const char *wanted) { each_wanted(graph->arena, wanted, keep_fitting, graph); }

static void open_item(const char *item, void *argument) {
    Opening *opening = argument;
    if (strcmp(item, "auto") == 0) each_block_probe(opening->graph, open_default, opening);
    else if (strcmp(item, "inputs") == 0) each_block_probe(opening->graph, open_input, opening);
    else if (strcmp(item, "all") == 0) each_block_probe(opening->graph, open_any, opening);
    else if (strcmp(item, "none") != 0) open_glob(opening, item);
}

void probes_open(Graph *graph, const char *wanted) {
    Opening opening = {graph, map_new(graph->arena)};
    each_wanted(graph->arena, wanted, open_item, &opening);
    fail_if_reported();
}

/* Collecting. */

typedef struct {
    Probe *probe;
    int step, order;
} Collected;

static int by_step(const void *a, const void *b) {
    const Collected *x = a, *y = b;
    return x->step != y->step ? (x->step < y->step ? -1 : 1) : (x->order > y->order) - (x->order < y->order);
}

/* The value that now stands for the one that was opened. */
static const Value *current_value(const Value *value) {
    while (value->replacement != NULL) value = value->replacement;
    return value;
}

static Probe *make_probe(Arena *arena, const BlockProbe *from) {
    const Value *value = current_value(from->value);
    fovea_assert(value->is_probed);
    Probe *probe = arena_new_object(arena, Probe);
    bool has_axes = from->axes[0] != '\0' && shape_is_known(&from->shape);
    const Shape *shape = has_axes ? &from->shape : &value->shape;
    *probe = (Probe){
        .id = from->id, .family = from->family, .axes = has_axes ? from->axes : "", .value = value, .origin = from};
    probe->rank = shape->rank;
    for (int d = 0; d < shape->rank; d++) probe->dims[d] = shape->dims[d].size;
    return probe;
}

void probes_collect(Graph *graph, Program *program) {
    int count = graph->probes.count;
    if (count == 0) return;
    for (int i = 0; i < graph->nodes.count; i++) graph->nodes.items[i]->mark = i;
    Collected *collected = arena_new_array(graph->arena, Collected, (size_t)count);
    for (int i = 0; i < count; i++) {
        Probe *probe = make_probe(program->arena, graph->probes.items[i]);
        const Node *producer = probe->value->producer;
        collected[i] = (Collected){probe, producer != NULL ? producer->mark : -1, i};
    }
    qsort(collected, (size_t)count, sizeof *collected, by_step);
    for (int i = 0; i < count; i++) {
        list_add(program->arena, &program->probes, collected[i].probe);
        program_buffer(program, collected[i].probe->value); /* a constant that no step reads has none yet */
    }
}
