/* TfIdfVectorizer: how often n-grams of integers are found in rows of them.
 * The kernel, runtime/ngrams.c, looks them up in lists in ascending order, which are made here. */
#include "ops/movement.h"

#include <stdlib.h>
#include <string.h>

static int64_t count_of(const Node *node, const char *name) {
    const Attribute *list = node_attribute(node, name);
    return list == NULL ? 0 : list->count;
}

static void check_pool(const Node *node) {
    const Attribute *starts = node_attribute(node, "ngram_counts");
    int64_t total = count_of(node, "pool_int64s"), known = 0;
    for (int n = 1; n <= starts->count; n++) {
        int64_t start = starts->integers[n - 1], end = n < starts->count ? starts->integers[n] : total;
        if (start < 0 || end < start || end > total || (end - start) % n != 0)
            node_fail(node, STATUS_INVALID,
                      "ngram_counts puts the %d-grams from %lld to %lld of a pool of %lld integers", n,
                      (long long)start, (long long)end, (long long)total);
        known += (end - start) / n;
    }
    if (count_of(node, "ngram_indexes") != known)
        node_fail(node, STATUS_INVALID, "ngram_indexes has %lld columns for %lld n-grams",
                  (long long)count_of(node, "ngram_indexes"), (long long)known);
    if (node_attribute(node, "weights") != NULL && count_of(node, "weights") != known)
        node_fail(node, STATUS_INVALID, "%lld weights for %lld n-grams", (long long)count_of(node, "weights"),
                  (long long)known);
}

static void check_options(const Node *node) {
    const char *mode = attr_string(node, "mode");
    if (strcmp(mode, "TF") != 0 && strcmp(mode, "IDF") != 0 && strcmp(mode, "TFIDF") != 0)
        node_fail(node, STATUS_INVALID, "mode is %s, expected TF, IDF or TFIDF", quoted(mode));
    int64_t min = attr_int(node, "min_gram_length"), max = attr_int(node, "max_gram_length");
    int64_t skips = attr_int(node, "max_skip_count"), lengths = count_of(node, "ngram_counts");
    if (min < 1 || max < min || max > lengths)
        node_fail(node, STATUS_INVALID, "n-grams of %lld to %lld integers, where ngram_counts lists %lld lengths",
                  (long long)min, (long long)max, (long long)lengths);
    if (skips < 0) node_fail(node, STATUS_INVALID, "max_skip_count is %lld", (long long)skips);
}

/* One more than the largest column. */
static int64_t column_count(const Node *node) {
    const Attribute *columns = node_attribute(node, "ngram_indexes");
    int64_t most = -1;
    for (int i = 0; i < columns->count; i++) {
        if (columns->integers[i] < 0 || columns->integers[i] >= INT32_MAX)
            node_fail(node, STATUS_INVALID, "ngram_indexes has %lld, which is no column",
                      (long long)columns->integers[i]);
        if (columns->integers[i] > most) most = columns->integers[i];
    }
    if (most < 0) node_fail(node, STATUS_INVALID, "ngram_indexes is empty");
    return most + 1;
}

static void infer_ngrams(Node *node) {
    const Value *x = node->inputs.items[0];
    if (x->type == TYPE_STRING || node_attribute(node, "pool_strings") != NULL)
        node_fail(node, STATUS_UNSUPPORTED,
                  "its n-grams are strings, which fovea does not compute on; give words as numbers (pool_int64s)");
    check_options(node);
    check_pool(node);
    Shape shape = x->shape;
    if (shape.rank >= 0) {
        if (shape.rank != 1 && shape.rank != 2)
            node_fail(node, STATUS_INVALID, "the input has %d dimensions, expected 1 or 2", shape.rank);
        shape.dims[shape.rank - 1] = dim_known(column_count(node));
    }
    node->outputs.items[0]->shape = shape;
}

/* An n-gram and its place in the pool. */
typedef struct {
    const int64_t *items;
    int64_t size, place;
} Gram;

static int compare_grams(const void *a, const void *b) {
    const Gram *x = a, *y = b;
    for (int64_t i = 0; i < x->size; i++)
        if (x->items[i] != y->items[i]) return x->items[i] < y->items[i] ? -1 : 1;
    return 0;
}

/* What the kernel is given: tables over n-grams of lengths from min to max. */
typedef struct {
    int lengths;
    int64_t *starts, *counts, *orders; /* of each length */
    int64_t items, found;
    int64_t *grams, *columns; /* items and found of them */
    double *weights;
} Tables;

static void add_gram(Tables *tables, const Node *node, const Gram *gram, bool is_weighted) {
    memcpy(tables->grams + tables->items, gram->items, (size_t)gram->size * sizeof *gram->items);
    tables->items += gram->size;
    tables->columns[tables->found] = node_attribute(node, "ngram_indexes")->integers[gram->place];
    tables->weights[tables->found++] =
        is_weighted ? (double)node_attribute(node, "weights")->numbers[gram->place] : 1.0;
}

/* The n-grams of size integers in the pool, which are `count` from `start` on; `order` shorter ones are before them. */
static void add_length(Tables *tables, const Node *node, int64_t size, int64_t start, int64_t count, int64_t order) {
    bool is_weighted = node_attribute(node, "weights") != NULL && strcmp(attr_string(node, "mode"), "TF") != 0;
    Gram *sorted = arena_new_array(node->graph->arena, Gram, (size_t)count);
    tables->starts[tables->lengths] = tables->items;
    tables->counts[tables->lengths] = count;
    tables->orders[tables->lengths++] = tables->found;
    if (count == 0) return;
    const int64_t *pool = node_attribute(node, "pool_int64s")->integers + start;
    for (int64_t i = 0; i < count; i++) sorted[i] = (Gram){pool + i * size, size, order + i};
    qsort(sorted, (size_t)count, sizeof *sorted, compare_grams);
    for (int64_t i = 0; i < count; i++) {
        if (i > 0 && compare_grams(&sorted[i - 1], &sorted[i]) == 0)
            node_fail(node, STATUS_INVALID, "an n-gram of %lld integers is twice in the pool", (long long)size);
        add_gram(tables, node, &sorted[i], is_weighted);
    }
}

/* The n-grams of min to max integers. */
static Tables tables_of(const Node *node, int64_t min, int64_t max) {
    Arena *arena = node->graph->arena;
    size_t lengths = (size_t)(max - min + 1), items = (size_t)count_of(node, "pool_int64s");
    Tables tables = {.starts = arena_new_array(arena, int64_t, lengths),
                     .counts = arena_new_array(arena, int64_t, lengths),
                     .orders = arena_new_array(arena, int64_t, lengths),
                     .grams = arena_new_array(arena, int64_t, items),
                     .columns = arena_new_array(arena, int64_t, items),
                     .weights = arena_new_array(arena, double, items)};
    const Attribute *starts = node_attribute(node, "ngram_counts");
    int64_t order = 0;
    for (int64_t size = 1; size <= max; size++) {
        int64_t start = starts->integers[size - 1];
        int64_t count = ((size < starts->count ? starts->integers[size] : (int64_t)items) - start) / size;
        if (size >= min) add_length(&tables, node, size, start, count, order);
        order += count;
    }
    return tables;
}

static void lower_ngrams(Program *program, Node *node) {
    const Value *x = node->inputs.items[0], *y = node->outputs.items[0];
    const int64_t length = x->shape.dims[x->shape.rank - 1].size, min = attr_int(node, "min_gram_length");
    const int64_t longest = attr_int(node, "max_gram_length"), max = longest < length ? longest : length;
    const int64_t skips = attr_int(node, "max_skip_count");
    if (is_empty(y)) return;
    Tables tables = tables_of(node, min, max < min ? min : max);
    if (max < min || tables.found == 0) {
        fill_number(program, y, 0);
        return;
    }
    Step *step = step_kernel(program, "ngrams", x->type);
    step_value(program, step, "x", x);
    step_value(program, step, "y", y);
    step_buffer(step, "grams", constant_ints(program, "ngrams", tables.grams, (int)tables.items), 0);
    step_buffer(step, "columns", constant_ints(program, "columns", tables.columns, (int)tables.found), 0);
    step_buffer(step, "weights", constant_numbers(program, "weights", TYPE_FLOAT, tables.weights, (int)tables.found),
                0);
    step_size(step, "BATCH", x->shape.rank == 2 ? x->shape.dims[0].size : 1);
    step_size(step, "LENGTH", length);
    step_size(step, "COLUMNS", y->shape.dims[y->shape.rank - 1].size);
    step_size(step, "MIN", min);
    step_size(step, "MAX", max);
    step_size(step, "SKIPS", skips < length ? skips : length - 1);
    step_size(step, "SUM", strcmp(attr_string(node, "mode"), "IDF") != 0);
    step_sizes(program, step, "STARTS", tables.starts, tables.lengths);
    step_sizes(program, step, "COUNTS", tables.counts, tables.lengths);
    step_sizes(program, step, "ORDERS", tables.orders, tables.lengths);
}

/* Rows are apart, what is in a row is not. */
static int carry_ngrams(const Node *node, int input, int axis, int output) {
    (void)input, (void)output;
    return axis == 0 && node->inputs.items[0]->shape.rank == 2 ? 0 : -1;
}

const Op OPS_ngrams[] = {
    {.name = "TfIdfVectorizer",
     .versions = {9},
     .inputs = "X:T",
     .outputs = "Y:float",
     .types = "T: string int32 int64",
     .attributes = "max_gram_length:int! max_skip_count:int! min_gram_length:int! mode:string! ngram_counts:ints! "
                   "ngram_indexes:ints! pool_int64s:ints pool_strings:strings weights:floats",
     .infer = infer_ngrams,
     .carry = carry_ngrams,
     .lower = lower_ngrams},
    {0},
};
