/* Options that every command with a model takes.
 * One table, so that they mean the same everywhere. */
#include "commands/model_options.h"

#include "base/text.h"
#include "commands/tuning.h"
#include "passes/fuse.h"

#include <stdlib.h>
#include <string.h>

/* "blocks, batchnorm, ..., gates". */
static const char *fuse_rules(Arena *arena) {
    Text rules = text_new(arena);
    for (int i = 0; FUSE_RULES[i] != NULL; i++) text_printf(&rules, "%s%s", i == 0 ? "" : ", ", FUSE_RULES[i]);
    return rules.data;
}

int model_option_rows(Arena *arena, ModelOptions *model, Option *rows, int count) {
    const Option own[MODEL_OPTION_ROWS] = {
        {OPTION_ARGUMENT, '\0', "MODEL.onnx", NULL, "the model", &model->path},
        {OPTION_LIST, '\0', "dim", "NAME=N",
         "the size of a symbolic dimension; may be repeated. NAME=1..64: how many samples there are is said at each "
         "run",
         &model->pass.dims},
        {OPTION_LIST, '\0', "constant", "INPUT=NUMBERS",
         "an input that is given now, once and for all: 16000, or 0,2,3, or FILE.npz with an array of its name; may be "
         "repeated",
         &model->pass.constants},
        {OPTION_LIST, '\0', "shape", "INPUT=1x3x224x224",
         "the shape of an input; may be repeated. A dimension without a name has a range here: INPUT=1..64x3x224x224.\n"
         "Of a sequence, the shape of each tensor that it holds: INPUT=[2x3],[4x5], or INPUT=none",
         &model->pass.shapes},
        {OPTION_LIST, '\0', "absent", "INPUT", "an optional input that is not given; may be repeated",
         &model->pass.absent},
        {OPTION_TEXT, '\0', "probes", "WHICH",
         "auto (the attention maps, the default), inputs (the maps that gates are for), all, none, or globs over probe "
         "ids and tensor names, with commas between",
         &model->pass.probes},
        {OPTION_LIST, '\0', "patterns", "FILE", "also look for the blocks described in this file; may be repeated",
         &model->pass.patterns},
        {OPTION_TEXT, '\0', "fuse", "RULES",
         arena_printf(arena, "%s, with commas between; no-RULE: all but that one; none; all by default",
                      fuse_rules(arena)),
         &model->fuse},
        {OPTION_TEXT, '\0', "winograd", "MODE",
         "auto (convolutions without strides by Winograd's method where that pays, the default) or off",
         &model->winograd},
        {OPTION_TEXT, '\0', "strassen", "MODE",
         "auto (linear layers by Strassen's algorithm where that pays, the default) or off", &model->strassen},
        {OPTION_TEXT, '\0', "stripe", "N",
         "make large maps in N stripes of rows where that saves memory; auto: in as many as do best for at most a "
         "quarter more multiply-adds in those layers; off (the default)",
         &model->stripe},
        {OPTION_TEXT, '\0', "resize-lengths", "WHICH",
         "whole: Resize aligns corners to the length of its output (the default, and ONNX's text); fractional: to that "
         "of its input times the scale (onnx.reference)",
         &model->lengths},
        {OPTION_TEXT, '\0', "dump-after", "PASS", "print what this pass has made, and stop", &model->pass.dump_after},
    };
    memcpy(rows + count, own, sizeof own);
    return count + MODEL_OPTION_ROWS;
}

/* Fails unless there is a rule of that name: a mistyped one would be taken for one that is left out. */
static void check_rule(Arena *arena, const char *rule) {
    for (int i = 0; FUSE_RULES[i] != NULL; i++)
        if (strcmp(FUSE_RULES[i], rule) == 0) return;
    const char *meant = nearest_name(arena, rule, FUSE_RULES);
    if (meant == NULL) report(STATUS_USAGE, "--fuse: there is no rule %s", quoted(rule));
    else report(STATUS_USAGE, "--fuse: there is no rule %s; did you mean %s?", quoted(rule), meant);
    note("the rules are %s; no-RULE allows all others, none allows none", fuse_rules(arena));
    unwind(STATUS_USAGE);
}

/* "RULE,...": those alone; "no-RULE,...": all others; "none"; "": all. */
static StringList read_fuse(Arena *arena, const char *words) {
    static const char NOT[] = "no-";
    StringList named = {0}, others = {0};
    bool is_not = strncmp(words, NOT, strlen(NOT)) == 0;
    for (const char *at = words; *at != '\0';) {
        const int length = (int)strcspn(at, ",");
        const char *rule = arena_printf(arena, "%.*s", length, at);
        if ((strncmp(rule, NOT, strlen(NOT)) == 0) != is_not)
            fail(STATUS_USAGE, "--fuse %s: give rules, or rules with no- before each", quoted(words));
        if (is_not) rule += strlen(NOT);
        if (is_not || strcmp(rule, "none") != 0) check_rule(arena, rule);
        list_add(arena, &named, rule);
        at += length + (at[length] == ',');
    }
    if (!is_not) return named;
    list_add(arena, &others, "none"); /* an empty list would be all */
    for (int i = 0; FUSE_RULES[i] != NULL; i++)
        if (!fuse_allows(&(PassOptions){.fuse = named}, FUSE_RULES[i])) list_add(arena, &others, FUSE_RULES[i]);
    return others;
}

/* "portable, native, ... or scalar". */
static const char *target_names(Arena *arena) {
    Text names = text_new(arena);
    for (const Target *target = TARGETS; target->name != NULL; target++)
        text_printf(&names, "%s%s", target == TARGETS ? "" : target[1].name == NULL ? " or " : ", ", target->name);
    return names.data;
}

static const Target *read_target(Arena *arena, const char *name) {
    const Target *target = target_find(name);
    if (target == NULL) fail(STATUS_USAGE, "--target %s: expected %s", quoted(name), target_names(arena));
    return target;
}

Option target_option(Arena *arena, ModelOptions *model) {
    const char *help =
        arena_printf(arena, "what the C is compiled for (native: this machine): %s", target_names(arena));
    return (Option){OPTION_TEXT, '\0', "target", "TARGET", help, &model->target};
}

Option tuned_option(ModelOptions *model) {
    return (Option){OPTION_TEXT,  '\0', "tuned", "FILE", "choose kernels and tiles as `fovea tune` has measured them",
                    &model->tuned};
}

enum { MOST_THREADS = 64 };

Option threads_option(ModelOptions *model) {
    return (Option){OPTION_COUNT,
                    '\0',
                    "threads",
                    "N",
                    "up to so many threads share the work of a run, 1 (the default) to 64",
                    &model->pass.threads};
}

Option profile_option(ModelOptions *model) {
    return (Option){OPTION_FLAG, '\0', "profile", NULL, "also measure the time of each step", &model->pass.profile};
}

/* Which of an option's two words is given. */
static int which_word(Arena *arena, const char *option, const char *word, const char *const words[3]) {
    for (int i = 0; words[i] != NULL; i++)
        if (strcmp(words[i], word) == 0) return i;
    const char *meant = nearest_name(arena, word, words);
    fail(STATUS_USAGE, "--%s %s: expected %s or %s%s%s", option, quoted(word), words[0], words[1],
         meant == NULL ? "" : "; did you mean ", meant == NULL ? "" : meant);
}

static MethodMode method_mode(Arena *arena, const char *option, const char *word) {
    static const char *const words[] = {"auto", "off", NULL};
    return word != NULL && which_word(arena, option, word, words) == 1 ? METHOD_OFF : METHOD_AUTO;
}

static Lengths resize_lengths(Arena *arena, const char *word) {
    static const char *const words[] = {"whole", "fractional", NULL};
    if (word == NULL) return LENGTHS_UNSAID;
    return which_word(arena, "resize-lengths", word, words) == 1 ? LENGTHS_FRACTIONAL : LENGTHS_WHOLE;
}

enum { MOST_STRIPES = 1024 };

static int stripes_of(const char *word) {
    if (strcmp(word, "off") == 0) return 0;
    if (strcmp(word, "auto") == 0) return STRIPES_AUTO;
    char *end;
    const long count = strtol(word, &end, 10);
    if (word[0] < '0' || word[0] > '9' || *end != '\0' || count < 2 || count > MOST_STRIPES)
        fail(STATUS_USAGE, "--stripe %s: expected auto, off or a number from 2 to %d", quoted(word), MOST_STRIPES);
    return (int)count;
}

void model_options_finish(Arena *arena, ModelOptions *model) {
    diag_file(model->path);
    if (model->pass.threads > MOST_THREADS) fail(STATUS_USAGE, "--threads %d: at most 64", model->pass.threads);
    if (model->target != NULL) model->pass.target = read_target(arena, model->target);
    if (model->pass.probes == NULL) model->pass.probes = "auto";
    if (model->tuned != NULL) model->pass.tuning = tuning_read(arena, model->tuned);
    model->pass.winograd = method_mode(arena, "winograd", model->winograd);
    model->pass.strassen = method_mode(arena, "strassen", model->strassen);
    model->pass.resize_lengths = resize_lengths(arena, model->lengths);
    if (model->stripe != NULL) model->pass.stripes = stripes_of(model->stripe);
    if (model->fuse != NULL) model->pass.fuse = read_fuse(arena, model->fuse);
}
