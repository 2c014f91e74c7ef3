/* Blocks: finding them, and naming them by the modules that the exporter says their nodes come from.
 * Of matches that share nodes the larger one is a block. */
#include "patterns/block.h"

#include "base/text.h"
#include "ops/op.h"
#include "patterns/build.h"
#include "patterns/view.h"

#include <stdlib.h>
#include <string.h>

/* Finding. */

static int by_mark(const void *a, const void *b) { return (*(Node *const *)a)->mark - (*(Node *const *)b)->mark; }

/* The shape of a map as its axes see it: dimensions of size 1 are dropped from the end on where there are too many, and
 * put behind the first one where there are too few. Of unknown rank where that does not do. */
static Shape shape_for(const Shape *shape, int rank) {
    Shape result = *shape;
    for (int d = result.rank - 1; d >= 0 && result.rank > rank; d--) {
        if (result.dims[d].size != 1) continue;
        memmove(&result.dims[d], &result.dims[d + 1], (size_t)(result.rank - d - 1) * sizeof result.dims[0]);
        result.rank--;
    }
    while (result.rank > 0 && result.rank < rank && rank <= MAX_RANK) {
        memmove(&result.dims[2], &result.dims[1], (size_t)(result.rank - 1) * sizeof result.dims[0]);
        result.dims[1] = dim_known(1);
        result.rank++;
    }
    return result.rank == rank ? result : SHAPE_UNKNOWN;
}

/* The sizes that a probe's axes stand for; of unknown rank where the match does not tell them all, or where they are
 * not all that the value holds. */
static Shape shape_named(const PatternProbe *probe, const Match *match, const Value *value) {
    Shape shape = {.rank = probe->shape.dims.count};
    for (int i = 0; i < shape.rank; i++) {
        const DimPattern *axis = &probe->shape.dims.items[i];
        bool is_bound = axis->kind == DIM_NAME && match->has_dim[axis->name];
        if (axis->kind != DIM_SIZE && !is_bound) return SHAPE_UNKNOWN;
        shape.dims[i] = is_bound ? match->dims[axis->name] : dim_known(axis->size);
    }
    if (value == NULL || !shape_is_known(&shape) || !shape_is_known(&value->shape)) return shape;
    return shape_count(&shape) == shape_count(&value->shape) ? shape : SHAPE_UNKNOWN;
}

static void add_probes(Graph *graph, Block *block) {
    const BlockPattern *pattern = block->pattern;
    for (int i = 0; i < pattern->probes.count; i++) {
        const PatternProbe *from = &pattern->probes.items[i];
        Value *value = from->tensor < 0 ? NULL : block->match.tensors[from->tensor];
        if (value == NULL && from->made == NULL) continue; /* of the half that is not there */
        if (value != NULL) value = view_root(value);
        BlockProbe *probe = arena_new_object(graph->arena, BlockProbe);
        *probe = (BlockProbe){.name = from->name,
                              .family = block->family,
                              .kind = from->kind,
                              .axes = from->axes,
                              .value = value,
                              .maker = value == NULL ? NULL : value->producer,
                              .made = from->made,
                              .block = block,
                              .shape = shape_named(from, &block->match, value),
                              .on_request = from->on_request};
        if (from->axes[0] == '\0' && value != NULL) probe->shape = value->shape;
        if (probe->shape.rank < 0 && value != NULL) probe->shape = shape_for(&value->shape, from->shape.dims.count);
        list_add(graph->arena, &block->probes, probe);
    }
}

static int64_t count_macs(const NodeList *nodes) {
    int64_t sum = 0;
    for (int i = 0; i < nodes->count; i++) {
        const Node *node = nodes->items[i];
        int64_t macs = node->op == NULL || node->op->macs == NULL ? 0 : node->op->macs(node);
        if (macs < 0) return -1;
        sum += macs;
    }
    return sum;
}

static void add_block(Graph *graph, const BlockPattern *pattern, const Match *match) {
    Block *block = arena_new_object(graph->arena, Block);
    block->family = pattern->family;
    block->pattern = pattern;
    block->match = *match;
    block->nodes = match->nodes;
    qsort(block->nodes.items, (size_t)block->nodes.count, sizeof(Node *), by_mark);
    for (int i = 0; i < block->nodes.count; i++) block->nodes.items[i]->block = block;
    block->macs = count_macs(&block->nodes);
    add_probes(graph, block);
    list_add(graph->arena, &graph->blocks, block);
}

static void number_nodes(Graph *graph) {
    for (int i = 0; i < graph->nodes.count; i++) graph->nodes.items[i]->mark = i;
}

static int by_last_node(const void *a, const void *b) {
    const NodeList *x = &(*(Block *const *)a)->nodes, *y = &(*(Block *const *)b)->nodes;
    return by_mark(&x->items[x->count - 1], &y->items[y->count - 1]);
}

/* Naming. */

/* A module named as one of the probes in it ("cbam.channel") would say it twice ("cbam.channel.channel"): the block is
 * then named after the module around. */
static const char *without_probe_name(Arena *arena, const char *scope, const Block *block) {
    const char *dot = strrchr(scope, '.'), *last = dot != NULL ? dot + 1 : scope;
    for (int i = 0; i < block->probes.count; i++)
        if (strcmp(block->probes.items[i]->name, last) == 0)
            return dot == NULL ? "" : arena_printf(arena, "%.*s", (int)(dot - scope), scope);
    return scope;
}

/* The number kept under a name, 0 at first. */
static int *counter(Map *map, const char *name) {
    int *count = map_get(map, name);
    if (count == NULL) map_set(map, name, count = arena_new_object(map->arena, int));
    return count;
}

/* Where blocks of more than one family have a name, the family whose blocks compute the most keeps it, and the others
 * put theirs behind it: the rotations of an attention's q and k are "attn.position". */
static void tell_families_apart(Graph *graph) {
    Arena *arena = graph->arena;
    Map first = map_new(arena); /* names, to the block that computes the most */
    for (int i = 0; i < graph->blocks.count; i++) {
        Block *block = graph->blocks.items[i];
        const Block *most = map_get(&first, block->name);
        if (most == NULL || block->macs > most->macs) map_set(&first, block->name, block);
    }
    for (int i = 0; i < graph->blocks.count; i++) {
        Block *block = graph->blocks.items[i];
        const Block *most = map_get(&first, block->name);
        if (block->name[0] != '\0' && strcmp(block->family, most->family) != 0)
            block->name = arena_printf(arena, "%s.%s", block->name, block->family);
    }
}

/* Names all blocks. Those of one name get an index, and so do those without any, by family. */
static void name_blocks(Graph *graph) {
    Arena *arena = graph->arena;
    Map uses = map_new(arena), next = map_new(arena);
    for (int i = 0; i < graph->blocks.count; i++) {
        Block *block = graph->blocks.items[i];
        block->scope = common_scope(arena, &block->nodes);
        block->name = without_probe_name(arena, block->scope, block);
    }
    tell_families_apart(graph);
    for (int i = 0; i < graph->blocks.count; i++) ++*counter(&uses, graph->blocks.items[i]->name);
    for (int i = 0; i < graph->blocks.count; i++) {
        Block *block = graph->blocks.items[i];
        bool has_name = block->name[0] != '\0';
        if (has_name && *counter(&uses, block->name) == 1) continue;
        const char *stem = has_name ? block->name : block->family;
        do block->name = arena_printf(arena, "%s_%d", stem, (*counter(&next, stem))++);
        while (*counter(&uses, block->name) > 0);
        *counter(&uses, block->name) = 1;
    }
}

static void name_probes(Graph *graph) {
    for (int i = 0; i < graph->blocks.count; i++) {
        const Block *block = graph->blocks.items[i];
        for (int k = 0; k < block->probes.count; k++) {
            BlockProbe *probe = block->probes.items[k];
            probe->id = arena_printf(graph->arena, "%s.%s", block->name, probe->name);
        }
    }
}

/* What may be a block: a pattern, and the node at which it matched. */
typedef struct {
    const BlockPattern *pattern;
    Node *last;
    int nodes;
} Candidate;

typedef LIST(Candidate) CandidateList;

/* The user's own before fovea's; the larger before the smaller; what comes later in the graph before what comes
 * earlier, and what comes first among the patterns. */
static bool is_better(const Candidate *a, const Candidate *b) {
    if (a->pattern->is_own != b->pattern->is_own) return a->pattern->is_own;
    if (a->nodes != b->nodes) return a->nodes > b->nodes;
    return a->last->mark > b->last->mark;
}

static bool match_at(Graph *graph, const BlockPattern *pattern, const Node *last, Match *match) {
    Value *root = node_output(last, 0);
    return root != NULL && last->block == NULL && match_pattern(graph, pattern, root, false, match);
}

static CandidateList find_candidates(Graph *graph, const PatternSet *patterns) {
    CandidateList candidates = {0};
    for (int p = 0; p < patterns->blocks.count; p++)
        for (int i = 0; i < graph->nodes.count; i++) {
            Match match;
            if (!match_at(graph, patterns->blocks.items[p], graph->nodes.items[i], &match)) continue;
            Candidate candidate = {patterns->blocks.items[p], graph->nodes.items[i], match.nodes.count};
            list_add(graph->arena, &candidates, candidate);
        }
    return candidates;
}

/* Takes the best candidate out of the list. */
static Candidate take_best(CandidateList *candidates) {
    int best = 0;
    for (int i = 1; i < candidates->count; i++)
        if (is_better(&candidates->items[i], &candidates->items[best])) best = i;
    Candidate taken = candidates->items[best];
    memmove(&candidates->items[best], &candidates->items[best + 1],
            (size_t)(--candidates->count - best) * sizeof taken);
    return taken;
}

void blocks_find(Graph *graph, const PatternSet *patterns) {
    number_nodes(graph);
    CandidateList candidates = find_candidates(graph, patterns);
    while (candidates.count > 0) {
        Candidate best = take_best(&candidates);
        Match match; /* again: others may have taken some of its nodes, and then it may match with fewer */
        if (!match_at(graph, best.pattern, best.last, &match)) continue;
        bool shrank = match.nodes.count < best.nodes;
        best.nodes = match.nodes.count;
        if (shrank) list_add(graph->arena, &candidates, best);
        else add_block(graph, best.pattern, &match);
    }
    if (graph->blocks.count == 0) return;
    qsort(graph->blocks.items, (size_t)graph->blocks.count, sizeof(Block *), by_last_node);
    for (int i = 0; i < graph->blocks.count; i++) graph->blocks.items[i]->layer = i;
    name_blocks(graph);
    name_probes(graph);
}

Value *block_tensor(const Block *block, const char *name) {
    const BlockPattern *pattern = block->pattern;
    for (int i = 0; i < pattern->tensors.count; i++)
        if (pattern->tensors.items[i].is_named && strcmp(pattern->tensors.items[i].name, name) == 0)
            return block->match.tensors[i];
    return NULL;
}

/* Explaining. */

static void check_family(Arena *arena, const PatternSet *patterns, const char *family) {
    Text known = text_new(arena);
    for (int i = 0; i < patterns->blocks.count; i++) {
        const char *name = patterns->blocks.items[i]->family;
        if (strcmp(name, family) == 0) return;
        bool is_listed = false; /* a family may have several patterns, and files */
        for (int k = 0; k < i; k++) is_listed |= strcmp(name, patterns->blocks.items[k]->family) == 0;
        if (!is_listed) text_printf(&known, "%s%s", i == 0 ? "" : ", ", name);
    }
    fail(STATUS_USAGE, "there is no family %s; there are %s", quoted(family), known.data);
}

/* The deepest mismatch of a family's patterns at one node. */
static Match deepest_mismatch(Graph *graph, const PatternSet *patterns, const char *family, Value *root) {
    Match deepest = {0};
    for (int i = 0; i < patterns->blocks.count; i++) {
        Match match;
        if (strcmp(patterns->blocks.items[i]->family, family) != 0) continue;
        match_pattern(graph, patterns->blocks.items[i], root, true, &match);
        if (match.matched > deepest.matched) deepest = match;
    }
    return deepest;
}

void blocks_explain(Graph *graph, const PatternSet *patterns, const char *family, FILE *out) {
    check_family(graph->arena, patterns, family);
    int found = 0, missed = 0;
    for (int i = 0; i < graph->blocks.count; i++) {
        const Block *block = graph->blocks.items[i];
        if (strcmp(block->family, family) != 0) continue;
        fprintf(out, "%s is %s of %d nodes\n", quoted(block->name), family, block->nodes.count);
        found++;
    }
    for (int i = 0; i < graph->nodes.count; i++) {
        const Node *node = graph->nodes.items[i];
        Value *root = node_output(node, 0);
        if (node->block != NULL || root == NULL) continue;
        Match deepest = deepest_mismatch(graph, patterns, family, root);
        if (deepest.matched < 2) continue;
        fprintf(out, "%s ends no %s: %d operators match, then: %s\n", node_text(node), family, deepest.matched,
                deepest.reason);
        missed++;
    }
    fprintf(out, "%s: %d found, %d other candidate%s\n", family, found, missed, missed == 1 ? "" : "s");
}
