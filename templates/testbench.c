/* Runs {{name}} on the arrays of an npz file, and times it. Made by fovea beside {{name}}.c; change it as you like.
 *   {{name}}_main --input IN.npz [--output OUT.npz] [--probes PROBES.npz] [--repeat N] [--weights FILE]{{further_usage}}
 * Arrays are named as in the model, probes by their ids. Types that numpy lacks are kept as unsigned integers. */
#define _DEFAULT_SOURCE /* clock_gettime, threads, madvise */
#include "{{name}}.h"
#include "npz.h"
{{pool_include}}

#include <time.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

typedef struct {
    const char *name, *type; /* type: numpy's descr */
    int rank;
    int64_t dims[NPZ_MAX_RANK];
    size_t bytes;
    int axis; /* that samples lie along, dims and bytes being those of one; -1: there is one array for all */
} tensor;

enum { INPUTS = {{input_count}}, OUTPUTS = {{output_count}} };
static const tensor inputs[INPUTS + 1] = {
{{inputs}}    {"", "", 0, {0}, 0, -1},
};
static const tensor outputs[OUTPUTS + 1] = {
{{outputs}}    {"", "", 0, {0}, 0, -1},
};

static int usage(void) {
    fprintf(stderr, "usage: {{name}}_main --input IN.npz [--output OUT.npz] [--probes PROBES.npz] [--repeat N]"
                    " [--weights FILE]{{further_usage}}\n");
    return 2;
}

static int fail(const char *path, const char *what) {
    fprintf(stderr, "{{name}}_main: %s: %s\n", path, what);
    return 4;
}

/* Memory aligned to {{NAME}}_ALIGNMENT, or NULL. What malloc gave stands in front of it, for release(). Linux gives a
 * lot of it in large pages, which a first run touches sooner. */
static void *allocate(size_t bytes) {
    const size_t large = (size_t)2 << 20, alignment = bytes < large / 2 ? {{NAME}}_ALIGNMENT : large;
    const size_t whole = (bytes + alignment - 1) / alignment * alignment;
    unsigned char *const memory = (unsigned char *)malloc(whole + sizeof(void *) + alignment);
    if (memory == NULL) return NULL;
    unsigned char *aligned = memory + sizeof(void *);
    aligned += alignment - (uintptr_t)aligned % alignment;
    memcpy(aligned - sizeof(void *), &memory, sizeof memory);
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (alignment == large) madvise(aligned, whole, MADV_HUGEPAGE);
#endif
    return aligned;
}

static void release(void *aligned) {
    void *memory;
    if (aligned == NULL) return;
    memcpy(&memory, (unsigned char *)aligned - sizeof memory, sizeof memory);
    free(memory);
}

static double milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

static int compare_times(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The array of an input, in aligned memory: the file's, or a copy. NULL, with a message, where it does not fit. The first
 * array with samples says how many there are. */
static const void *take(const npz_file *file, const tensor *wanted, int64_t *samples, void **copy) {
    const npz_array *const array = npz_find(file, wanted->name);
    int fits = array != NULL && array->rank == wanted->rank && strcmp(array->type, wanted->type) == 0;
    for (int d = 0; fits && d < wanted->rank; d++) {
        if (d == wanted->axis && *samples == 0) *samples = array->dims[d] / wanted->dims[d];
        fits = array->dims[d] == wanted->dims[d] * (d == wanted->axis ? *samples : 1);
    }
    if (!fits) {
        fprintf(stderr, "{{name}}_main: input '%s' %s: expected %s [", wanted->name,
                array == NULL ? "is missing" : "has another type or shape", wanted->type);
        for (int d = 0; d < wanted->rank; d++) fprintf(stderr, d == 0 ? "%lld" : ",%lld", (long long)wanted->dims[d]);
        fprintf(stderr, "]\n");
        return NULL;
    }
    if ((uintptr_t)array->data % {{NAME}}_ALIGNMENT == 0) return array->data;
    *copy = allocate(array->bytes);
    return *copy == NULL ? NULL : memcpy(*copy, array->data, array->bytes);
}

#if {{NAME}}_PROBES
/* A probe's map, of all samples so far, and the maps of all probes in the order in which they came. */
typedef struct {
    const {{name}}_probe *probe;
    const char *type; /* numpy's descr */
    unsigned char *data;
    size_t bytes; /* of one sample */
    int64_t samples;
} map;

typedef struct {
    map *items;
    int count, failed;
} maps;

static map *find_map(maps *all, const {{name}}_probe *probe) {
    static const char *const types[][2] = {
{{probe_types}}    };
    for (int i = 0; i < all->count; i++)
        if (all->items[i].probe == probe) return &all->items[i];
    map *const grown = (map *)realloc(all->items, ((size_t)all->count + 1) * sizeof *grown);
    if (grown == NULL) return NULL;
    all->items = grown;
    map *const found = &grown[all->count++];
    memset(found, 0, sizeof *found);
    found->probe = probe;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(probe->type, types[i][0]) == 0) found->type = types[i][1];
    found->bytes = (size_t)strtol(found->type + 2, NULL, 10);
    for (int d = 0; d < probe->rank; d++) found->bytes *= (size_t)probe->dims[d];
    return found;
}

static void keep_probe(void *user, const {{name}}_probe *probe, const void *data) {
    maps *const all = (maps *)user;
    map *const own = find_map(all, probe);
    const size_t at = own == NULL ? 0 : own->bytes * (size_t)own->samples;
    unsigned char *const grown = own == NULL ? NULL : (unsigned char *)realloc(own->data, at + own->bytes + 1);
    if (grown == NULL) {
        all->failed = 1;
        return;
    }
    own->data = grown;
    memcpy(grown + at, data, own->bytes);
    own->samples++;
}

/* Samples lie along the first dimension, which a single number does not have. */
static void save_maps(npz_writer *writer, maps *all) {
    for (int i = 0; i < all->count; i++) {
        const map *const own = &all->items[i];
        int64_t dims[8] = {1};
        int rank = own->probe->rank;
        for (int d = 0; d < rank; d++) dims[d] = own->probe->dims[d];
        if (own->samples > 1 && rank == 0) rank = 1;
        dims[0] *= own->samples;
        npz_add(writer, own->probe->id, own->type, rank, dims, own->data);
        free(own->data);
    }
    free(all->items);
}
#endif

#ifdef {{NAME}}_WEIGHTS
/* The weights' file, whole, in aligned memory; NULL where it cannot be read. */
static void *load_weights(const char *path) {
    unsigned char *const memory = (unsigned char *)allocate({{NAME}}_WEIGHTS);
    FILE *const in = fopen(path, "rb");
    const int whole = memory != NULL && in != NULL && fread(memory, 1, {{NAME}}_WEIGHTS, in) == {{NAME}}_WEIGHTS;
    if (in != NULL) fclose(in);
    return whole && {{name}}_check_weights(memory) == {{NAME}}_OK ? memory : NULL;
}
#endif

typedef struct {
    const char *input, *output, *probes, *weights;
    long repeat;
#ifdef {{NAME}}_THREADS
    long threads;
#endif
#if {{NAME}}_PROFILE
    long profile;
#endif
} options;

typedef struct {
    {{name}}_context context;
    npz_file file; /* that inputs are in */
    const void *in[INPUTS + 1];
    void *copies[INPUTS + 1], *out[OUTPUTS + 1], *weights;
    int64_t samples;
#ifdef {{NAME}}_THREADS
    pool threads;
#endif
} bench;

static int64_t times(const bench *b, const tensor *of) { return of->axis < 0 ? 1 : b->samples; }

static {{name}}_status run(const bench *b) {
    return {{name}}_run(&b->context{{arguments}});
}

static int parse_options(int argc, char **argv, options *given) {
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--input") == 0) given->input = argv[i + 1];
        else if (strcmp(argv[i], "--output") == 0) given->output = argv[i + 1];
        else if (strcmp(argv[i], "--probes") == 0) given->probes = argv[i + 1];
        else if (strcmp(argv[i], "--weights") == 0) given->weights = argv[i + 1];
        else if (strcmp(argv[i], "--repeat") == 0) given->repeat = strtol(argv[i + 1], NULL, 10);
#ifdef {{NAME}}_THREADS
        else if (strcmp(argv[i], "--threads") == 0) given->threads = strtol(argv[i + 1], NULL, 10);
#endif
#if {{NAME}}_PROFILE
        else if (strcmp(argv[i], "--profile") == 0) given->profile = strtol(argv[i + 1], NULL, 10);
#endif
        else return 0;
    }
#ifdef {{NAME}}_THREADS
    if (given->threads < 1 || given->threads > {{NAME}}_THREADS) return 0;
#endif
    return argc % 2 == 1 && (given->input != NULL || INPUTS == 0);
}

/* Reads the inputs and takes the memory that a run needs. */
static int prepare(bench *b, const options *given) {
    const char *const wrong = given->input == NULL ? NULL : npz_read(given->input, &b->file);
    int status = wrong == NULL ? 0 : fail(given->input, wrong);
    for (int i = 0; status == 0 && i < INPUTS; i++)
        if ((b->in[i] = take(&b->file, &inputs[i], &b->samples, &b->copies[i])) == NULL) status = 4;
    for (int i = 0; status == 0 && i < OUTPUTS; i++)
        if ((b->out[i] = allocate(outputs[i].bytes * (size_t)times(b, &outputs[i]))) == NULL)
            status = fail("memory", "not enough");
    if (status == 0 && (b->context.workspace = allocate({{NAME}}_WORKSPACE)) == NULL)
        status = fail("memory", "not enough");
#ifdef {{NAME}}_WEIGHTS
    if (status == 0 && (b->weights = load_weights(given->weights)) == NULL)
        status = fail(given->weights, "these are not the model's weights");
    b->context.weights = b->weights;
#endif
#ifdef {{NAME}}_THREADS
    if (status == 0 && given->threads > 1) {
        if (!pool_start(&b->threads, (uint32_t)given->threads)) return fail("threads", "the system has not so many");
        b->context.parallel_for = pool_run;
        b->context.parallel_user = &b->threads;
    }
#endif
    return status;
}

/* Runs once, and writes outputs and probes where they are wanted. */
static int run_and_save(bench *b, const options *given) {
    npz_writer writer;
    if (given->probes != NULL && !npz_create(&writer, given->probes)) return fail(given->probes, "it cannot be written");
#if {{NAME}}_PROBES
    maps all;
    memset(&all, 0, sizeof all);
    b->context.on_probe = given->probes == NULL ? NULL : keep_probe;
    b->context.on_probe_user = &all;
#endif
    const {{name}}_status status = run(b);
#if {{NAME}}_PROBES
    b->context.on_probe = NULL;
    if (given->probes != NULL) save_maps(&writer, &all);
    if (all.failed) return fail("memory", "not enough");
#endif
    if (given->probes != NULL && !npz_close(&writer)) return fail(given->probes, "it cannot be written");
    if (status != {{NAME}}_OK) {
        fprintf(stderr, "{{name}}_main: the model refused, with status %d\n", (int)status);
        return 1;
    }
    if (given->output == NULL) return 0;
    if (npz_create(&writer, given->output))
        for (int i = 0; i < OUTPUTS; i++) {
            int64_t dims[NPZ_MAX_RANK];
            for (int d = 0; d < outputs[i].rank; d++)
                dims[d] = outputs[i].dims[d] * (d == outputs[i].axis ? b->samples : 1);
            npz_add(&writer, outputs[i].name, outputs[i].type, outputs[i].rank, dims, b->out[i]);
        }
    return npz_close(&writer) ? 0 : fail(given->output, "it cannot be written");
}

static int measure(const bench *b, long repeat) {
    double *const times = (double *)malloc((size_t)repeat * sizeof *times);
    if (times == NULL) return fail("memory", "not enough");
    for (long i = 0; i < repeat; i++) {
        const double start = milliseconds();
        (void)run(b);
        times[i] = milliseconds() - start;
    }
    qsort(times, (size_t)repeat, sizeof *times, compare_times);
    printf("median %.3f ms, fastest %.3f ms, of %ld runs\n", times[repeat / 2], times[0], repeat);
    free(times);
    return 0;
}

{{profile}}

int {{name}}_testbench(int argc, char **argv);

/* Exit status: 0 fine, 1 the model refused, 2 usage, 4 files or memory. */
int {{name}}_testbench(int argc, char **argv) {
    options given;
    memset(&given, 0, sizeof given);
    given.weights = "{{name}}.weights";
#ifdef {{NAME}}_THREADS
    given.threads = {{NAME}}_THREADS;
#endif
    if (!parse_options(argc, argv, &given)) return usage();
    bench b;
    memset(&b, 0, sizeof b);
    int status = prepare(&b, &given);
    if (status == 0) status = run_and_save(&b, &given);
    if (status == 0 && given.repeat > 0) status = measure(&b, given.repeat);
#if {{NAME}}_PROFILE
    if (status == 0 && given.profile > 0) status = profile(&b, given.profile);
#endif
    for (int i = 0; i < INPUTS; i++) release(b.copies[i]);
    for (int i = 0; i < OUTPUTS; i++) release(b.out[i]);
    release(b.context.workspace);
    release(b.weights);
    npz_free(&b.file);
#ifdef {{NAME}}_THREADS
    if (b.context.parallel_for != NULL) pool_stop(&b.threads);
#endif
    return status;
}

#ifndef {{NAME}}_NO_MAIN
int main(int argc, char **argv) { return {{name}}_testbench(argc, argv); }
#endif
