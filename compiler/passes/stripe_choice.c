/* The choice of stripes: every segment that could be cut is weighed, in every number of stripes, and those are taken
 * with which the largest sum of live maps is least. See stripe_choice.h. */
#include "passes/stripe_choice.h"

#include "ops/fused.h"
#include "ops/window.h"

#include <string.h>

enum { MOST_STRIPES = 32, CALL_MACS = 1000 /* what a call of a kernel costs beside its work */ };

/* What costs as much as a quarter of the segment's work is too much, unless it was asked for. */
static bool is_cheap(int64_t macs, int64_t more) { return more <= macs / 4; }

static bool is_among(const char *op_type, const char *const *names) {
    for (; *names != NULL; names++)
        if (strcmp(op_type, *names) == 0) return true;
    return false;
}

/* Whether each output row is made of the same row of the maps among the inputs. */
static bool keeps_rows(const Node *node) {
    static const char *const others[] = {"BatchNormalization", "Clip", "Gelu", "Max", "Mean", "Min", "Sum", NULL};
    if (node->domain[0] != '\0') return false;
    if (strcmp(node->op_type, "Concat") == 0) return attr_int(node, "axis") == 1 || attr_int(node, "axis") == -3;
    return (node->op->lower == NULL && node->op->formula != NULL) || is_among(node->op_type, others);
}

static bool is_map(const Value *value) { return value->shape.rank == 4 && shape_is_known(&value->shape); }

/* Dimension H, from the back, as broadcasting counts; 1 where there is none. */
static int64_t rows_of(const Value *value) {
    return value->shape.rank < 2 ? 1 : value->shape.dims[value->shape.rank - 2].size;
}

bool reads_rows(const Node *node, const RowWindow *window, int k) {
    const Value *input = node->inputs.items[k];
    if (input == NULL) return false;
    return window->has_window ? k == 0 : rows_of(input) > 1;
}

bool node_stripes(const Node *node, RowWindow *window) {
    *window = (RowWindow){.stride = 1, .span = 1};
    if (node->outputs.count < 1 || !is_map(node->outputs.items[0]) || rows_of(node->outputs.items[0]) < 2) return false;
    for (int k = 1; k < node->outputs.count; k++)
        if (node->outputs.items[k] != NULL) return false;
    Window read;
    window->has_window = node->op->window != NULL && is_map(node->inputs.items[0]) && node->op->window(node, &read);
    if (window->has_window) {
        const WindowDim *h = &read.dims[0];
        window->before = h->before, window->stride = h->stride, window->span = (h->kernel - 1) * h->dilation + 1;
    } else if (!keeps_rows(node)) return false;
    for (int k = 0; k < node->inputs.count; k++) {
        if (!reads_rows(node, window, k)) continue;
        const Value *input = node->inputs.items[k];
        if (!is_map(input) || input->constant != NULL) return false;
        if (!window->has_window && rows_of(input) != rows_of(node->outputs.items[0])) return false;
    }
    return true;
}

Rows rows_behind(const RowWindow *window, Rows output, int64_t input_rows) {
    const int64_t first = output.first * window->stride - window->before;
    const int64_t end = (output.end - 1) * window->stride - window->before + window->span;
    return (Rows){first < 0 ? 0 : first, end > input_rows ? input_rows : end};
}

bool stripe_needs(const Graph *graph, const Segment *segment, Rows last, Rows *needs) {
    for (int i = segment->from; i < segment->to; i++)
        needs[graph->nodes.items[i]->outputs.items[0]->mark] = (Rows){INT64_MAX, -1};
    needs[graph->nodes.items[segment->to - 1]->outputs.items[0]->mark] = last;
    for (int i = segment->to - 1; i >= segment->from; i--) {
        const Node *node = graph->nodes.items[i];
        RowWindow window;
        fovea_assert(node_stripes(node, &window));
        const Rows made = needs[node->outputs.items[0]->mark];
        if ((made.end - made.first) * node->outputs.items[0]->shape.dims[3].size < 2) return false;
        for (int k = 0; k < node->inputs.count; k++) {
            if (!reads_rows(node, &window, k)) continue;
            const Value *input = node->inputs.items[k];
            const Rows rows = rows_behind(&window, made, rows_of(input));
            if (rows.first >= rows.end) return false;
            if (input->producer == NULL || input->producer->mark < segment->from) continue;
            Rows *all = &needs[input->mark];
            if (rows.first < all->first) all->first = rows.first;
            if (rows.end > all->end) all->end = rows.end;
        }
    }
    return true;
}

/* What is known of each node before anything is cut. */
typedef struct {
    bool stripes;
    RowWindow window;
    int64_t macs;
    int64_t live;  /* bytes while it runs */
    int64_t ahead; /* of values that are made before it and read by it or later */
    int last;      /* the last node that reads its output; the number of nodes where an inner graph does */
    bool is_seen;  /* its output is one of the graph's, or probed */
    int reused;    /* the input over which the output can be written, or -1 */
} Layer;

typedef struct {
    Segment segment;
    int64_t live; /* bytes, at most, while it runs */
    int64_t cost; /* multiply-adds that it repeats, and its calls */
} Candidate;

typedef struct {
    const Graph *graph;
    Arena *arena;
    Layer *layers;
    Rows *needs;
    int stripes;
    LIST(Candidate) candidates; /* those of one end after the other */
} Choice;

/* Bytes of so many rows of a value, all where it is no map; none where it is in the caller's memory or a constant. */
static int64_t bytes_of(const Value *value, int64_t rows) {
    if (value->producer == NULL || value->is_output || !shape_is_known(&value->shape)) return 0;
    const int64_t all = shape_count(&value->shape) * type_info(value->type)->bytes;
    return is_map(value) && rows_of(value) > 0 ? all / rows_of(value) * rows : all;
}

static int64_t whole_bytes(const Value *value) { return bytes_of(value, rows_of(value)); }

/* The number of the last node that reads a value. */
static int last_reader(const Graph *graph, const Value *value) {
    int last = value->producer->mark;
    for (int i = 0; i < value->consumers.count; i++) {
        const Node *reader = value->consumers.items[i];
        if (reader->graph != graph) return graph->nodes.count;
        if (reader->mark > last) last = reader->mark;
    }
    return last;
}

/* Loops may write over what they read; kernels do not, but for those that are a loop at the end. */
static bool can_reuse(const Node *node) {
    if (strcmp(node->domain, FUSED_DOMAIN) == 0) return true;
    return node->op->window == NULL && node->op->macs == NULL;
}

/* The input that is not read any more, and as large as the output. */
static int reused_input(const Choice *choice, const Node *node, int at) {
    for (int k = 0; can_reuse(node) && node->outputs.count > 0 && k < node->inputs.count; k++) {
        const Value *input = node->inputs.items[k];
        if (input == NULL || input->producer == NULL || input->producer->graph != choice->graph) continue;
        const Layer *made = &choice->layers[input->producer->mark];
        if (made->last == at && whole_bytes(input) == whole_bytes(node->outputs.items[0])) return k;
    }
    return -1;
}

static void number(const Graph *graph) {
    for (int i = 0; i < graph->nodes.count; i++) graph->nodes.items[i]->mark = i;
    for (int i = 0; i < graph->values.count; i++) graph->values.items[i]->mark = i;
}

static int64_t macs_of(const Node *node) {
    const int64_t macs = node->op->macs == NULL ? 0 : node->op->macs(node);
    return macs < 0 ? 0 : macs;
}

static void describe_layers(Choice *choice) {
    const NodeList *nodes = &choice->graph->nodes;
    int64_t *ends = arena_new_array(choice->arena, int64_t, (size_t)nodes->count + 1); /* bytes, by last reader */
    int64_t live = 0;
    for (int i = 0; i < nodes->count; i++) {
        const Node *node = nodes->items[i];
        Layer *layer = &choice->layers[i];
        layer->stripes = node_stripes(node, &layer->window);
        layer->macs = macs_of(node);
        layer->ahead = live;
        layer->last = i;
        for (int k = 0; k < node->outputs.count; k++) {
            const Value *output = node->outputs.items[k];
            if (output == NULL) continue;
            const int last = last_reader(choice->graph, output);
            if (last > layer->last) layer->last = last;
            layer->is_seen |= output->is_output || output->is_probed;
            ends[last < nodes->count ? last : nodes->count] += whole_bytes(output);
            live += whole_bytes(output);
        }
        layer->reused = reused_input(choice, node, i);
        layer->live = live - (layer->reused < 0 ? 0 : whole_bytes(node->inputs.items[layer->reused]));
        live -= ends[i];
    }
}

/* Whether a node of the segment makes a value. */
static bool is_inside(const Segment *segment, const Value *value) {
    return value->producer != NULL && value->producer->mark >= segment->from;
}

/* Bytes that are copied out of the inputs of a node with a window, when it reads fewer rows than there are. */
static int64_t cut_bytes(const Choice *choice, const Segment *segment, int at, Rows made) {
    const Node *node = choice->graph->nodes.items[at];
    const Layer *layer = &choice->layers[at];
    if (!layer->window.has_window) return 0;
    const Value *input = node->inputs.items[0];
    const Rows rows = rows_behind(&layer->window, made, rows_of(input));
    const Rows there = is_inside(segment, input) ? choice->needs[input->mark] : (Rows){0, rows_of(input)};
    if (rows.first == there.first && rows.end == there.end) return 0;
    return shape_count(&input->shape) / rows_of(input) * (rows.end - rows.first) * type_info(input->type)->bytes;
}

/* The first node of the step that makes the segment's output: it writes it to its place in the whole, where rows are
 * blocks of memory. */
static int last_step(const Choice *choice, const Segment *segment) {
    int at = segment->to - 1;
    if (choice->graph->nodes.items[at]->outputs.items[0]->shape.dims[0].size > 1) return segment->to;
    while (at > segment->from && !choice->layers[at].window.has_window) at--;
    return at;
}

/* The most bytes that live at once inside a stripe whose needs are known; adds its multiply-adds. */
static int64_t stripe_live(const Choice *choice, const Segment *segment, int64_t *macs) {
    const int placed = last_step(choice, segment);
    int64_t live = 0, most = 0;
    for (int i = segment->from; i < segment->to; i++) {
        const Node *node = choice->graph->nodes.items[i];
        const Layer *layer = &choice->layers[i];
        const Value *output = node->outputs.items[0];
        const Rows made = choice->needs[output->mark];
        const int64_t cut = cut_bytes(choice, segment, i, made);
        const int64_t own = i >= placed ? 0 : bytes_of(output, made.end - made.first);
        *macs += layer->macs / rows_of(output) * (made.end - made.first);
        live += own;
        int64_t spared = 0;
        if (layer->reused >= 0 && is_inside(segment, node->inputs.items[layer->reused])) {
            const Rows read = choice->needs[node->inputs.items[layer->reused]->mark];
            if (read.first == made.first && read.end == made.end) spared = own;
        }
        if (live + cut - spared > most) most = live + cut - spared;
        for (int k = 0; k < node->inputs.count; k++) {
            const Value *input = node->inputs.items[k];
            if (input == NULL || !is_inside(segment, input) || choice->layers[input->producer->mark].last != i)
                continue;
            bool again = false;
            for (int j = 0; j < k; j++) again |= node->inputs.items[j] == input;
            if (!again && input->producer->mark < placed)
                live -= bytes_of(input, choice->needs[input->mark].end - choice->needs[input->mark].first);
        }
    }
    return most;
}

/* Weighs a segment; false where it cannot be cut so. */
static bool weigh(const Choice *choice, const Segment *segment, Candidate *candidate, int64_t *macs) {
    const Value *output = choice->graph->nodes.items[segment->to - 1]->outputs.items[0];
    int64_t most = 0, calls = 0;
    *macs = 0;
    for (int64_t first = 0; first < rows_of(output); first += segment->rows) {
        const int64_t end = first + segment->rows < rows_of(output) ? first + segment->rows : rows_of(output);
        if (!stripe_needs(choice->graph, segment, (Rows){first, end}, choice->needs)) return false;
        const int64_t live = stripe_live(choice, segment, macs);
        if (live > most) most = live;
        for (int i = segment->from; i < segment->to; i++) calls += choice->layers[i].window.has_window;
    }
    *candidate = (Candidate){*segment, choice->layers[segment->from].ahead + whole_bytes(output) + most,
                             *macs + calls * CALL_MACS};
    return true;
}

/* Adds those of the ways to cut nodes [from, to) that gain; without, the most that lives there is `live`. */
static void add_candidates(Choice *choice, int from, int to, int64_t live) {
    const Value *output = choice->graph->nodes.items[to - 1]->outputs.items[0];
    if (choice->layers[from].ahead + whole_bytes(output) >= live) return;
    const int64_t all = rows_of(output), least = choice->stripes > 0 ? choice->stripes : 2;
    const int64_t most = choice->stripes > 0 ? choice->stripes : MOST_STRIPES;
    int64_t macs = 0, before = all;
    for (int i = from; i < to; i++) macs += choice->layers[i].macs;
    for (int64_t count = least; count <= most && count <= all; count++) {
        const Segment segment = {from, to, (all + count - 1) / count};
        if (segment.rows == before) continue;
        before = segment.rows;
        Candidate candidate;
        int64_t made;
        if (!weigh(choice, &segment, &candidate, &made)) continue;
        if (choice->stripes == 0 && !is_cheap(macs, made - macs)) break; /* more stripes repeat more */
        candidate.cost -= macs;
        if (candidate.live < live) list_add(choice->arena, &choice->candidates, candidate);
    }
}

/* Whether what elementwise nodes do with the output of a kernel stays in it: between nodes that are one step later on,
 * no segment begins or ends. */
static bool begins_step(const Choice *choice, int at) {
    const Node *node = choice->graph->nodes.items[at];
    bool begins = choice->layers[at].window.has_window;
    for (int k = 0; !begins && k < node->inputs.count; k++)
        begins = node->inputs.items[k] != NULL && node->inputs.items[k]->is_input;
    return begins;
}

static bool ends_step(const Choice *choice, int at) {
    const Value *output = choice->graph->nodes.items[at]->outputs.items[0];
    if (output->consumers.count != 1 || output->is_output || output->is_probed) return true;
    const Node *reader = output->consumers.items[0];
    if (reader->graph != choice->graph) return true;
    const Layer *layer = &choice->layers[reader->mark];
    return !layer->stripes || layer->window.has_window;
}

/* All segments: runs of nodes that stripe, of which only the last one's output is read elsewhere. */
static void find_candidates(Choice *choice) {
    for (int to = 2; to <= choice->graph->nodes.count; to++) {
        int64_t live = 0;
        if (!choice->layers[to - 1].stripes || !ends_step(choice, to - 1)) continue;
        for (int from = to - 1; from >= 0 && choice->layers[from].stripes; from--) {
            const Layer *layer = &choice->layers[from];
            if (from < to - 1 && (layer->last >= to || layer->is_seen)) break;
            if (layer->live > live) live = layer->live;
            if (begins_step(choice, from)) add_candidates(choice, from, to, live);
        }
    }
}

/* The best way to the end of the first nodes: what it is judged by, and the candidate that it ends with, or NULL. */
typedef struct {
    int64_t least;
    const Candidate *last;
} Way;

/* Fills ways, for 0, 1, ... nodes. bound < 0: the least is that of the largest sum of live bytes; otherwise that of the
 * costs, where no sum is above the bound. */
static void find_ways(const Choice *choice, Way *ways, int64_t bound) {
    int at = 0;
    ways[0] = (Way){0, NULL};
    for (int to = 1; to <= choice->graph->nodes.count; to++) {
        const int64_t live = choice->layers[to - 1].live, before = ways[to - 1].least;
        ways[to] = (Way){bound < 0 ? (live > before ? live : before) : live <= bound ? before : INT64_MAX, NULL};
        for (; at < choice->candidates.count && choice->candidates.items[at].segment.to == to; at++) {
            const Candidate *c = &choice->candidates.items[at];
            const int64_t start = ways[c->segment.from].least;
            int64_t least = c->live > start ? c->live : start;
            if (bound >= 0) least = c->live > bound || start == INT64_MAX ? INT64_MAX : start + c->cost;
            if (least < ways[to].least) ways[to] = (Way){least, c};
        }
    }
}

SegmentList stripe_choose(const Graph *graph, int stripes) {
    const int count = graph->nodes.count;
    Choice choice = {.graph = graph, .arena = graph->arena, .stripes = stripes};
    choice.layers = arena_new_array(graph->arena, Layer, (size_t)count);
    choice.needs = arena_new_array(graph->arena, Rows, (size_t)graph->values.count);
    number(graph);
    describe_layers(&choice);
    find_candidates(&choice);
    Way *ways = arena_new_array(graph->arena, Way, (size_t)count + 1);
    find_ways(&choice, ways, -1);
    find_ways(&choice, ways, ways[count].least);
    SegmentList backwards = {0}, segments = {0};
    for (int to = count; to > 0; to = ways[to].last == NULL ? to - 1 : ways[to].last->segment.from)
        if (ways[to].last != NULL) list_add(graph->arena, &backwards, ways[to].last->segment);
    for (int i = backwards.count - 1; i >= 0; i--) list_add(graph->arena, &segments, backwards.items[i]);
    return segments;
}
