/* tune: measures on this machine what the cost model guesses, and keeps what was faster in a file.
 * The model is built once for each candidate, which is taken wherever there is a choice, and the builds are run in
 * turns. */
#include "commands/build.h"
#include "commands/model.h"
#include "commands/model_options.h"
#include "commands/tuning.h"

#include "base/file.h"
#include "base/process.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A decision of the model, with the milliseconds that its steps take with each candidate. */
typedef struct {
    const char *key;
    const char *candidates[MOST_CANDIDATES];
    double times[MOST_CANDIDATES];
    int count, best;
} Decision;

/* What stands under one heading of the profile. */
typedef struct {
    int number;         /* of its first step */
    int decision;       /* that it depends on; -1: none */
    LIST(double) times; /* milliseconds, one a round */
} TimedStep;

/* The model, built with one candidate for each decision. */
typedef struct {
    const char *binary;
    int *taken; /* by decision */
    LIST(TimedStep) steps;
} Variant;

typedef struct {
    Arena *arena;
    const ModelOptions *model;
    Npz inputs;                /* given ones, or else random ones */
    const char *folder, *data; /* for binaries; the inputs' file in it */
    int target, rounds;
    LIST(Decision) decisions;
} Tuner;

static void fill_random(Tensor *tensor, uint64_t *state) {
    const TypeInfo *info = type_info(tensor->type);
    for (int64_t i = 0; i < tensor_count(tensor); i++) {
        *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const uint32_t random = (uint32_t)(*state >> 33);
        const uint64_t bit = random & 1; /* a token and a truth value of every model, and some number in 8 bits */
        if (type_is_float(tensor->type) && info->bytes > 1) tensor_set(tensor, i, random / 0x1p30 - 1);
        else memcpy((char *)tensor->data + i * info->bytes, &bit, (size_t)info->bytes);
    }
}

/* Inputs for a model whose shapes are known. */
static Npz random_inputs(Arena *arena, const Graph *graph) {
    Npz inputs = {0};
    uint64_t state = 1; /* the same ones each time */
    for (int i = 0; i < graph->inputs.count; i++) {
        const Value *value = graph->inputs.items[i];
        NpzEntry entry = {arena_copy(arena, value->name), tensor_new(arena, value->type, &value->shape)};
        fill_random(entry.tensor, &state);
        list_add(arena, &inputs, entry);
    }
    return inputs;
}

static int find_decision(const Tuner *tuner, const char *key) {
    for (int i = 0; i < tuner->decisions.count; i++)
        if (strcmp(tuner->decisions.items[i].key, key) == 0) return i;
    return -1;
}

static void note_decisions(Tuner *tuner, const Program *program) {
    for (int i = 0; i < program->choices.count; i++) {
        const Choice *choice = program->choices.items[i];
        Decision decision = {.key = arena_copy(tuner->arena, choice->key), .count = choice->count};
        for (int k = 0; k < choice->count; k++) {
            decision.candidates[k] = arena_copy(tuner->arena, choice->candidates[k]);
            decision.times[k] = INFINITY;
        }
        list_add(tuner->arena, &tuner->decisions, decision);
    }
}

/* Of steps [first, last] of a program, counted from 1: they do the same nodes, so that one decision is theirs. */
static int decision_of(const Tuner *tuner, const Program *program, const EmittedStep *emitted) {
    for (int i = emitted->first - 1; i < emitted->last; i++) {
        const Choice *choice = program->steps.items[i]->choice;
        if (choice != NULL) return find_decision(tuner, choice->key);
    }
    return -1;
}

typedef struct {
    Tuner *tuner;
    const Tuning *tuning;
    const char *progressed;
    Variant *variant;
} VariantJob;

/* The model is loaded anew each time, so that its weights are in memory once. */
static void build_variant(Arena *scratch, void *argument) {
    const VariantJob *job = argument;
    Tuner *tuner = job->tuner;
    Variant *variant = job->variant;
    Graph *graph = model_load(scratch, tuner->model->path);
    PassOptions options = tuner->model->pass;
    options.shapes = (StringList){0}; /* what is added to them goes with the graph */
    for (int i = 0; i < tuner->model->pass.shapes.count; i++)
        list_add(scratch, &options.shapes, tuner->model->pass.shapes.items[i]);
    model_shapes_from(graph, &tuner->inputs, &options);
    options.tuning = job->tuning;
    options.profile = true;
    Program *program = model_program(graph, &options);
    if (program == NULL) return; /* --dump-after */
    if (tuner->inputs.count > 0) model_check_inputs(graph, &tuner->inputs);
    const EmittedModel *model = build_program(program, variant->binary, job->progressed);
    if (tuner->data == NULL) {
        if (tuner->inputs.count == 0) tuner->inputs = random_inputs(tuner->arena, graph);
        tuner->data = arena_printf(tuner->arena, "%s/in.npz", tuner->folder);
        npz_write(tuner->data, &tuner->inputs);
        note_decisions(tuner, program);
    }
    fovea_assert(program->choices.count == tuner->decisions.count);
    variant->taken = arena_new_array(tuner->arena, int, (size_t)tuner->decisions.count);
    for (int i = 0; i < program->choices.count; i++) variant->taken[i] = program->choices.items[i]->taken;
    for (int i = 0; i < model->steps.count; i++) {
        const EmittedStep *step = &model->steps.items[i];
        list_add(tuner->arena, &variant->steps, ((TimedStep){step->first, decision_of(tuner, program, step), {0}}));
    }
}

/* Adds a line of the profile, "12.34%  0.1234  56.78  3-4. NODES" with or without the rate, to the step's times. */
static void read_line(const Tuner *tuner, Variant *variant, const char *line) {
    const char *at = strchr(line, '%');
    char *end;
    if (at == NULL) return;
    const double time = strtod(at + 1, &end);
    const char *word = end + strspn(end, " ");
    if (strspn(word, "0123456789.") == strcspn(word, " ") && word[strcspn(word, " ") - 1] != '.')
        word += strcspn(word, " "); /* a rate; behind a step's number there is no digit */
    const int number = (int)strtol(word, &end, 10);
    for (int i = 0; end != word && i < variant->steps.count; i++)
        if (variant->steps.items[i].number == number) list_add(tuner->arena, &variant->steps.items[i].times, time);
}

static void read_profile(const Tuner *tuner, Variant *variant, const char *path) {
    enum { LARGEST = 1 << 26 };
    size_t size;
    char *text = file_read(tuner->arena, path, LARGEST, &size), *rest = text;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        read_line(tuner, variant, line);
}

/* Runs a variant so many times, of which the fastest time of each step counts. */
static void run_variant(const Tuner *tuner, Variant *variant, int runs) {
    const char *path = arena_printf(tuner->arena, "%s/profile", tuner->folder);
    const char *const command[] = {variant->binary, "--profile", arena_printf(tuner->arena, "%d", runs),
                                   "--input",       tuner->data, NULL};
    const int status = process_run_to(command, path);
    if (status != 0) fail(STATUS_SYSTEM, "the compiled model ended with status %d", status);
    read_profile(tuner, variant, path);
}

static int compare_times(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(TimedStep *step) {
    fovea_assert(step->times.count > 0);
    qsort(step->times.items, (size_t)step->times.count, sizeof *step->times.items, compare_times);
    return step->times.items[step->times.count / 2];
}

/* Of all steps, or of those of a decision. */
static double time_of(Variant *variant, int decision) {
    double sum = 0;
    for (int i = 0; i < variant->steps.count; i++)
        if (decision < 0 || variant->steps.items[i].decision == decision) sum += median(&variant->steps.items[i]);
    return sum;
}

/* Runs variants in turns. What disturbs the machine for a while then disturbs all of them. */
static void measure(const Tuner *tuner, Variant *variants, int count) {
    enum { FEWEST_RUNS = 3, MOST_RUNS = 50, MILLISECONDS = 1000 };
    run_variant(tuner, &variants[0], FEWEST_RUNS);
    const double runs = MILLISECONDS / fmax(time_of(&variants[0], -1), 1);
    for (int i = 0; i < variants[0].steps.count; i++) variants[0].steps.items[i].times.count = 0;
    for (int round = 0; round < tuner->rounds; round++)
        for (int v = 0; v < count; v++) {
            progress("round %d of %d: candidates %d of %d", round + 1, tuner->rounds, v + 1, count);
            run_variant(tuner, &variants[v], (int)fmax(FEWEST_RUNS, fmin(MOST_RUNS, runs)));
        }
    progress(NULL);
}

static bool make_variant(Tuner *tuner, Variant *variant, const char *name, const Tuning *tuning,
                         const char *progressed) {
    *variant = (Variant){.binary = arena_printf(tuner->arena, "%s/%s", tuner->folder, name)};
    VariantJob job = {tuner, tuning, progressed, variant};
    arena_scope(build_variant, &job);
    return tuner->data != NULL;
}

static int most_candidates(const Tuner *tuner) {
    int most = 1;
    for (int i = 0; i < tuner->decisions.count; i++)
        if (tuner->decisions.items[i].count > most) most = tuner->decisions.items[i].count;
    return most;
}

/* The fastest candidate of each decision. The first was timed again where others had more candidates: its least time
 * counts, so that it is not beaten by chance. */
static void decide(Tuner *tuner, Variant *variants, int count) {
    const double noise = 0.02;
    for (int i = 0; i < tuner->decisions.count; i++) {
        Decision *decision = &tuner->decisions.items[i];
        for (int v = 0; v < count; v++) {
            double *time = &decision->times[variants[v].taken[i]];
            *time = fmin(*time, time_of(&variants[v], i));
        }
        for (int k = 1; k < decision->count; k++)
            if (decision->times[k] < decision->times[decision->best]) decision->best = k;
        if (decision->times[decision->best] > (1 - noise) * decision->times[0]) decision->best = 0;
    }
}

static void set_names(const Tuner *tuner, Tuning *tuning) {
    tuning->names = map_new(tuner->arena);
    for (int i = 0; i < tuner->decisions.count; i++) {
        const Decision *decision = &tuner->decisions.items[i];
        if (decision->best > 0)
            map_set(&tuning->names, decision->key, arena_copy(tuner->arena, decision->candidates[decision->best]));
    }
}

static int changed(const Tuner *tuner) {
    int count = 0;
    for (int i = 0; i < tuner->decisions.count; i++) count += tuner->decisions.items[i].best > 0;
    return count;
}

static double gain(const Decision *decision) { return decision->times[0] - decision->times[decision->best]; }

/* Builds the model as it was decided and compares it with the cost model's, in turns again. What is not faster this
 * time was so by chance, and is taken back. */
static void confirm(Tuner *tuner, Variant *untuned, Tuning *tuning) {
    Variant variants[2] = {*untuned};
    double predicted = 0;
    make_variant(tuner, &variants[1], "tuned", tuning, ", tuned");
    for (int i = 0; i < variants[0].steps.count; i++) variants[0].steps.items[i].times.count = 0;
    measure(tuner, variants, 2);
    for (int i = 0; i < tuner->decisions.count; i++) predicted += gain(&tuner->decisions.items[i]);
    const double before = time_of(&variants[0], -1), after = time_of(&variants[1], -1);
    int withdrawn = 0;
    for (int i = 0; i < tuner->decisions.count; i++) {
        Decision *decision = &tuner->decisions.items[i];
        const double old = time_of(&variants[0], i), new = time_of(&variants[1], i);
        if (decision->best == 0) continue;
        printf("  %s: %s %.4f ms, %s %.4f ms%s\n", decision->key, decision->candidates[0], old,
               decision->candidates[decision->best], new, new < old ? "" : ": taken back");
        if (new < old) continue;
        decision->best = 0;
        withdrawn++;
    }
    printf("all steps: %.3f ms, predicted %.3f ms, measured %.3f ms", before, before - predicted, after);
    if (withdrawn > 0) printf(", with %d that were taken back", withdrawn);
    printf("\n");
    set_names(tuner, tuning);
}

/* What stands behind "model name" in /proc/cpuinfo, of systems that have it. */
static const char *cpu_name(Arena *arena) {
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256], name[128] = "unknown";
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "model name : %127[^\n]", name) == 1) break;
    if (file != NULL) fclose(file);
    return arena_copy(arena, name);
}

static void tune(Tuner *tuner, const char *output) {
    Variant variants[MOST_CANDIDATES];
    Tuning tuning = {.target = tuner->target, .names = map_new(tuner->arena)};
    int count = 1;
    for (int v = 0; v < count; v++) {
        tuning.candidate = v;
        const char *name = arena_printf(tuner->arena, "candidate%d", v);
        const char *progressed = v == 0 ? "" : arena_printf(tuner->arena, ", candidates %d of %d", v + 1, count);
        if (!make_variant(tuner, &variants[v], name, &tuning, progressed)) return; /* --dump-after */
        if (v == 0) count = most_candidates(tuner);
    }
    if (count > 1) measure(tuner, variants, count);
    decide(tuner, variants, count);
    printf("%d decisions, up to %d candidates, %s: %d are better taken otherwise\n", tuner->decisions.count, count,
           TARGET_NAMES[tuner->target], changed(tuner));
    tuning.candidate = 0;
    set_names(tuner, &tuning);
    if (changed(tuner) > 0) confirm(tuner, &variants[0], &tuning);
    tuning_write(tuner->arena, output, &tuning, cpu_name(tuner->arena), build_compiler_version(tuner->arena));
    printf("written to %s: %d of %d\n", output, changed(tuner), tuner->decisions.count);
}

static void run(Arena *arena, int argc, char **argv) {
    ModelOptions model = {.target = "native"};
    const char *input = NULL, *output = NULL;
    Tuner tuner = {.arena = arena, .model = &model, .rounds = 7};
    Option rows[5 + MODEL_OPTION_ROWS] = {
        {OPTION_TEXT, 'o', "output", "FILE", "where the choices go, for --tuned of other commands", &output},
        {OPTION_TEXT, 'i', "input", "IN.npz", "the inputs, named as in the model (default: random ones)", &input},
        {OPTION_COUNT, '\0', "rounds", "N", "how often each candidate has its turn (7)", &tuner.rounds},
        target_option(arena, &model),
        threads_option(&model),
    };
    if (!options_parse(arena, &COMMAND_TUNE, rows, model_option_rows(arena, &model, rows, 5), argc, argv)) return;
    if (output == NULL || *output == '\0') fail(STATUS_USAGE, "where to? give -o FILE");
    model_options_finish(arena, &model);
    if (build_compiler(arena) == NULL)
        fail(STATUS_SYSTEM, "no C compiler was found (CC, cc, clang, gcc), and what is interpreted cannot be tuned");
    if (input != NULL) tuner.inputs = npz_read(arena, input);
    tuner.folder = temporary_folder(arena);
    tuner.target = build_registers(model.pass.target);
    tune(&tuner, output);
}

const Command COMMAND_TUNE = {
    "tune", "measure which kernels and tiles are fastest on this machine",
    "It builds the model up to nine times and runs each build in turns: leave the machine alone meanwhile.\n"
    "Random inputs have integers of 0 and 1; give --input where a model does not take these.",
    run};
