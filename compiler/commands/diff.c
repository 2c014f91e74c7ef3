/* diff: compares the arrays of two npz files and shows it as a table or as JSON.
 * The order of the first file is the order of execution, so the first array that diverges is where to look. */
#include "commands/diff.h"

#include "base/map.h"
#include "base/text.h"
#include "commands/options.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Lets the last of the tolerances of their own that fits an array's key stand in for the common one. */
static void settle_tolerance(DiffEntry *entry, const DiffOptions *options) {
    entry->tolerance = options->tolerance;
    for (int i = 0; i < options->own.count; i++) {
        const OwnTolerance *own = &options->own.items[i];
        if (!glob_fits(own->glob, entry->key)) continue;
        entry->tolerance.atol = own->bound;
        entry->tolerance.rtol = options->tolerance.statistic != NULL ? own->bound : 0;
        entry->has_own = true;
    }
}

static DiffEntry compare_entry(const NpzEntry *expected, const Tensor *actual, const DiffOptions *options) {
    DiffEntry entry = {.key = expected->key, .expected = expected->tensor, .actual = actual};
    settle_tolerance(&entry, options);
    if (actual == NULL) entry.verdict = VERDICT_MISSING;
    else if (!shape_equal(&expected->tensor->shape, &actual->shape)) entry.verdict = VERDICT_MISSHAPEN;
    else {
        entry.comparison = compare_tensors(expected->tensor, actual, &entry.tolerance);
        entry.verdict = comparison_agrees(&entry.comparison, &entry.tolerance) ? VERDICT_AGREES : VERDICT_DIVERGES;
    }
    return entry;
}

static Map index_keys(Arena *arena, const Npz *npz) {
    Map map = map_new(arena);
    for (int i = 0; i < npz->count; i++) map_set(&map, npz->items[i].key, npz->items[i].tensor);
    return map;
}

Diff diff_npz(Arena *arena, const Npz *expected, const Npz *actual, const DiffOptions *options) {
    Diff diff = {0};
    Map expected_keys = index_keys(arena, expected), actual_keys = index_keys(arena, actual);
    for (int i = 0; i < expected->count; i++) {
        const NpzEntry *entry = &expected->items[i];
        list_add(arena, &diff, compare_entry(entry, map_get(&actual_keys, entry->key), options));
        if (options->fail_fast && diff.items[diff.count - 1].verdict != VERDICT_AGREES) return diff;
    }
    for (int i = 0; i < actual->count; i++) {
        const NpzEntry *entry = &actual->items[i];
        if (map_get(&expected_keys, entry->key) != NULL) continue;
        DiffEntry extra = {.key = entry->key, .actual = entry->tensor, .verdict = VERDICT_EXTRA};
        list_add(arena, &diff, extra);
        if (options->fail_fast) break;
    }
    return diff;
}

const DiffEntry *diff_first(const Diff *diff) {
    for (int i = 0; i < diff->count; i++)
        if (diff->items[i].verdict != VERDICT_AGREES) return &diff->items[i];
    return NULL;
}

static int count_diverging(const Diff *diff) {
    int count = 0;
    for (int i = 0; i < diff->count; i++) count += diff->items[i].verdict != VERDICT_AGREES;
    return count;
}

/* A key as it can be shown: quoted(), without the quotes. */
static const char *shown(Arena *arena, const char *key) {
    const char *safe = quoted(key);
    return arena_printf(arena, "%.*s", (int)strlen(safe) - 2, safe + 1);
}

static const char *tensor_text(Arena *arena, const Tensor *tensor) {
    return arena_printf(arena, "%s%s", type_info(tensor->type)->name, shape_text(arena, &tensor->shape));
}

static const char *verdict_text(Arena *arena, const DiffEntry *entry) {
    const char *aside = ""; /* other types are fine, but worth knowing */
    if (entry->expected != NULL && entry->actual != NULL && entry->expected->type != entry->actual->type)
        aside = arena_printf(arena, ", got %s", type_info(entry->actual->type)->name);
    if (entry->has_own) aside = arena_printf(arena, "%s, tolerance %g", aside, entry->tolerance.atol);
    switch (entry->verdict) {
    case VERDICT_AGREES: return arena_printf(arena, "ok%s", aside);
    case VERDICT_DIVERGES:
        if (entry->comparison.beyond == 0) return arena_printf(arena, "DIVERGES%s", aside); /* by a statistic */
        return arena_printf(arena, "DIVERGES: %lld of %lld%s", (long long)entry->comparison.beyond,
                            (long long)entry->comparison.count, aside);
    case VERDICT_MISSHAPEN: return arena_printf(arena, "MISSHAPEN: got %s", tensor_text(arena, entry->actual));
    case VERDICT_MISSING: return "MISSING";
    case VERDICT_EXTRA: return "EXTRA";
    }
    return "";
}

/* How many columns a text takes on a terminal: its characters, in UTF-8. */
static int columns(const char *text) {
    int count = 0;
    for (; *text != '\0'; text++) count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

enum { KEY_COLUMN, TENSOR_COLUMN, FIRST_STATISTIC, MAX_COLUMNS = 16 };
typedef struct {
    const char *cells[MAX_COLUMNS];
} Row;

static Row make_row(Arena *arena, const DiffEntry *entry) {
    Row row;
    row.cells[KEY_COLUMN] = shown(arena, entry->key);
    row.cells[TENSOR_COLUMN] = tensor_text(arena, entry->expected != NULL ? entry->expected : entry->actual);
    bool compared = entry->verdict == VERDICT_AGREES || entry->verdict == VERDICT_DIVERGES;
    int column = FIRST_STATISTIC;
    for (const Statistic *statistic = STATISTICS; statistic->name != NULL; statistic++)
        row.cells[column++] = compared ? statistic->text(arena, &entry->comparison) : "-";
    row.cells[column] = verdict_text(arena, entry);
    return row;
}

/* Names to the left, numbers to the right, the verdict last. */
static void print_row(const Row *row, const int *widths, int verdict, FILE *out) {
    for (int i = 0; i < verdict; i++) {
        int room = widths[i] - columns(row->cells[i]);
        if (i < FIRST_STATISTIC) fprintf(out, "%s%*s  ", row->cells[i], room, "");
        else fprintf(out, "%*s%s  ", room, "", row->cells[i]);
    }
    fprintf(out, "%s\n", row->cells[verdict]);
}

static void print_table(Arena *arena, const Diff *diff, FILE *out) {
    Row *rows = arena_new_array(arena, Row, (size_t)diff->count + 1);
    int verdict = FIRST_STATISTIC, widths[MAX_COLUMNS] = {0};
    rows[0] = (Row){{"key", "tensor"}};
    for (const Statistic *statistic = STATISTICS; statistic->name != NULL; statistic++)
        rows[0].cells[verdict++] = statistic->name;
    rows[0].cells[verdict] = "verdict";
    for (int i = 0; i < diff->count; i++) rows[i + 1] = make_row(arena, &diff->items[i]);
    for (int i = 0; i <= diff->count; i++)
        for (int k = 0; k < verdict; k++)
            if (columns(rows[i].cells[k]) > widths[k]) widths[k] = columns(rows[i].cells[k]);
    for (int i = 0; i <= diff->count; i++) print_row(&rows[i], widths, verdict, out);
}

void diff_print(Arena *arena, const Diff *diff, FILE *out) {
    print_table(arena, diff, out);
    const DiffEntry *first = diff_first(diff);
    if (first != NULL) fprintf(out, "first diverging: %s\n", shown(arena, first->key));
    else fprintf(out, "all %d agree\n", diff->count);
}

/* JSON has no infinities and no NaN: null. */
static json_t *json_number(double value) { return isfinite(value) ? json_real(value) : json_null(); }

static json_t *json_name(Arena *arena, const char *name) {
    json_t *string = json_string(name);
    return string != NULL ? string : json_string(shown(arena, name)); /* it was not UTF-8 */
}

static json_t *json_tensor(const Tensor *tensor) {
    if (tensor == NULL) return json_null();
    json_t *shape = json_array();
    for (int k = 0; k < tensor->shape.rank; k++) json_array_append_new(shape, json_integer(tensor->shape.dims[k].size));
    return json_pack("{s:s, s:o}", "type", type_info(tensor->type)->name, "shape", shape);
}

/* A row-major position as an index into the tensor. */
static json_t *json_position(const Tensor *tensor, int64_t position) {
    if (position < 0) return json_null();
    json_t *index = json_array();
    for (int k = tensor->shape.rank - 1; k >= 0; k--) {
        json_array_insert_new(index, 0, json_integer(position % tensor->shape.dims[k].size));
        position /= tensor->shape.dims[k].size;
    }
    return index;
}

static json_t *json_comparison(const DiffEntry *entry) {
    const Comparison *c = &entry->comparison;
    return json_pack("{s:f, s:f, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "atol", entry->tolerance.atol, "rtol",
                     entry->tolerance.rtol, "count", (json_int_t)c->count, "beyond", (json_int_t)c->beyond, "max_abs",
                     json_number(c->max_abs), "mean_abs", json_number(c->mean_abs), "max_rel", json_number(c->max_rel),
                     "cosine", json_number(c->cosine), "argmax_expected",
                     json_position(entry->expected, c->argmax_expected), "argmax_actual",
                     json_position(entry->actual, c->argmax_actual), "row_sum",
                     c->is_probability ? json_number(c->row_sum) : json_null());
}

static json_t *json_entry(Arena *arena, const DiffEntry *entry) {
    static const char *const verdicts[] = {"agrees", "diverges", "misshapen", "missing", "extra"};
    json_t *object =
        json_pack("{s:o, s:s, s:o, s:o}", "key", json_name(arena, entry->key), "verdict", verdicts[entry->verdict],
                  "expected", json_tensor(entry->expected), "actual", json_tensor(entry->actual));
    if (object != NULL && (entry->verdict == VERDICT_AGREES || entry->verdict == VERDICT_DIVERGES))
        json_object_update_new(object, json_comparison(entry));
    return object;
}

static void release_json(void *json) { json_decref(json); }

static void print_json(Arena *arena, const Diff *diff, const Tolerance *tolerance, FILE *out) {
    const DiffEntry *first = diff_first(diff);
    json_t *entries = json_array();
    for (int i = 0; i < diff->count; i++) json_array_append_new(entries, json_entry(arena, &diff->items[i]));
    json_t *root =
        json_pack("{s:f, s:f, s:s?, s:b, s:o, s:o}", "atol", tolerance->atol, "rtol", tolerance->rtol, "stat",
                  tolerance->statistic == NULL ? NULL : tolerance->statistic->name, "agrees", first == NULL,
                  "first_diverging", first == NULL ? json_null() : json_name(arena, first->key), "arrays", entries);
    if (root == NULL) fail(STATUS_SYSTEM, "out of memory for JSON");
    arena_defer(arena, release_json, root);
    if (json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) != 0) fail(STATUS_SYSTEM, "cannot write JSON");
    fprintf(out, "\n");
}

/* The statistic that --stat names. */
static const Statistic *find_statistic(Arena *arena, const char *name) {
    const char *names[MAX_COLUMNS] = {NULL};
    for (int i = 0; STATISTICS[i].name != NULL; i++) {
        if (strcmp(STATISTICS[i].name, name) == 0) return &STATISTICS[i];
        names[i] = STATISTICS[i].name;
    }
    const char *meant = nearest_name(arena, name, names);
    if (meant == NULL) fail(STATUS_USAGE, "--stat: there is no statistic %s", quoted(name));
    fail(STATUS_USAGE, "--stat: there is no statistic %s; did you mean %s?", quoted(name), meant);
}

static bool any_key_fits(const Npz *npz, const char *glob) {
    for (int i = 0; i < npz->count; i++)
        if (glob_fits(glob, npz->items[i].key)) return true;
    return false;
}

static _Noreturn void fail_unfitting(Arena *arena, const char *glob, const Npz *expected) {
    const char **keys = arena_new_array(arena, const char *, (size_t)expected->count + 1);
    for (int i = 0; i < expected->count; i++) keys[i] = expected->items[i].key;
    const char *meant = nearest_name(arena, glob, keys);
    if (meant == NULL) fail(STATUS_USAGE, "--tol: no array is called %s", quoted(glob));
    fail(STATUS_USAGE, "--tol: no array is called %s; did you mean %s?", quoted(glob), quoted(meant));
}

/* "se.gate:1e-3"; keys may have colons in them, so the last one counts. */
static OwnTolerance read_own_tolerance(Arena *arena, const char *text) {
    const char *colon = strrchr(text, ':');
    char *end = NULL;
    OwnTolerance own = {.bound = colon == NULL ? -1 : strtod(colon + 1, &end)};
    if (colon == NULL || colon == text || end == colon + 1 || *end != '\0' || !isfinite(own.bound))
        fail(STATUS_USAGE, "--tol takes KEY:X, a key or glob and a number, not %s", quoted(text));
    if (own.bound < 0) fail(STATUS_USAGE, "a tolerance cannot be negative");
    own.glob = arena_printf(arena, "%.*s", (int)(colon - text), text);
    return own;
}

static void run(Arena *arena, int argc, char **argv) {
    const char *expected_path = NULL, *actual_path = NULL, *statistic = NULL;
    DiffOptions diff_options = {.tolerance = TOLERANCE_USUAL};
    Tolerance *tolerance = &diff_options.tolerance;
    StringList own = {0};
    bool as_json = false;
    const Option options[] = {
        {OPTION_ARGUMENT, 0, "REF.npz", NULL, "what is expected", &expected_path},
        {OPTION_ARGUMENT, 0, "GOT.npz", NULL, "what is compared with it", &actual_path},
        {OPTION_NUMBER, 0, "atol", "X", "absolute tolerance (1e-5)", &tolerance->atol},
        {OPTION_NUMBER, 0, "rtol", "X", "relative tolerance (1e-4)", &tolerance->rtol},
        {OPTION_LIST, 0, "tol", "KEY:X", "another tolerance for the arrays that a key or glob fits; may be repeated",
         &own},
        {OPTION_TEXT, 0, "stat", "NAME", "let one statistic decide, not each element", &statistic},
        {OPTION_FLAG, 0, "json", NULL, "write JSON in place of the table", &as_json},
        {OPTION_FLAG, 0, "fail-fast", NULL, "stop at the first array that diverges", &diff_options.fail_fast},
    };
    if (!options_parse(arena, &COMMAND_DIFF, options, sizeof options / sizeof *options, argc, argv)) return;
    if (tolerance->atol < 0 || tolerance->rtol < 0) fail(STATUS_USAGE, "a tolerance cannot be negative");
    if (statistic != NULL) tolerance->statistic = find_statistic(arena, statistic);
    for (int i = 0; i < own.count; i++) list_add(arena, &diff_options.own, read_own_tolerance(arena, own.items[i]));
    const Npz expected = npz_read(arena, expected_path), actual = npz_read(arena, actual_path);
    if (expected.count == 0) fail(STATUS_INVALID, "%s holds no arrays to compare with", quoted(expected_path));
    for (int i = 0; i < diff_options.own.count; i++)
        if (!any_key_fits(&expected, diff_options.own.items[i].glob))
            fail_unfitting(arena, diff_options.own.items[i].glob, &expected);
    const Diff diff = diff_npz(arena, &expected, &actual, &diff_options);
    if (as_json) print_json(arena, &diff, tolerance, stdout);
    else diff_print(arena, &diff, stdout);
    const DiffEntry *first = diff_first(&diff);
    if (first == NULL) return;
    diag_file(actual_path);
    fail(STATUS_INVALID, "%d of %d arrays differ from %s, first %s", count_diverging(&diff), diff.count,
         quoted(expected_path), quoted(first->key));
}

const Command COMMAND_DIFF = {
    "diff",
    "compare two npz files, array by array, in the order of the first",
    "Two elements agree if |got - ref| <= atol + rtol * |ref|; two integers or booleans if |got - ref| <= atol. NaN\n"
    "agrees with NaN and an infinity with itself. Arrays of different types are compared as numbers. Arrays that are\n"
    "missing, extra or of another shape differ. With --tol KEY:X the arrays that KEY fits agree if |got - ref| <= X,\n"
    "or with --stat if the statistic is within X; the last that fits counts.\n"
    "\n"
    "statistics:\n"
    "  max_abs, mean_abs         of |got - ref|; with --stat: at most atol\n"
    "  max_rel                   of |got - ref| / max(|ref|, floor), where the floor is a thousandth of the array's\n"
    "                            largest |ref|; with --stat: at most rtol\n"
    "  cosine                    of the angle between the arrays as vectors; with --stat: at least 1 - rtol\n"
    "  argmax                    whether the largest element is at the same place; with --stat: it must be\n"
    "  row_sum                   where the rows of REF (along the last axis) are probabilities, the largest "
    "difference\n"
    "                            between the sums of two rows; with --stat: at most atol\n"
    "\n"
    "exit status: 0 if all arrays agree, 1 if not",
    run,
};
