/* Runs {{name}} on the arrays of an npz file, and times it. Made by fovea beside {{name}}.c; change it as you like.
 *   {{name}}_main --input IN.npz [--output OUT.npz] [--probes PROBES.npz] [--repeat N] [--weights FILE]
 * Arrays are named as in the model, probes by their ids. Types that numpy lacks are kept as unsigned integers. */
#define _POSIX_C_SOURCE 199309L /* clock_gettime */
#include "{{name}}.h"
#include "npz.h"

#include <time.h>

typedef struct {
    const char *name, *type; /* type: numpy's descr */
    int rank;
    int64_t dims[NPZ_MAX_RANK];
    size_t bytes;
} tensor;

enum { INPUTS = {{input_count}}, OUTPUTS = {{output_count}} };
static const tensor inputs[INPUTS + 1] = {
{{inputs}}    {"", "", 0, {0}, 0},
};
static const tensor outputs[OUTPUTS + 1] = {
{{outputs}}    {"", "", 0, {0}, 0},
};

static int usage(void) {
    fprintf(stderr, "usage: {{name}}_main --input IN.npz [--output OUT.npz] [--probes PROBES.npz] [--repeat N]"
                    " [--weights FILE]\n");
    return 2;
}

static int fail(const char *path, const char *what) {
    fprintf(stderr, "{{name}}_main: %s: %s\n", path, what);
    return 4;
}

/* Memory aligned to {{NAME}}_ALIGNMENT; kept until the program ends. */
static void *allocate(size_t bytes) {
    unsigned char *const memory = (unsigned char *)malloc(bytes + {{NAME}}_ALIGNMENT);
    if (memory == NULL) return NULL;
    return memory + ({{NAME}}_ALIGNMENT - (uintptr_t)memory % {{NAME}}_ALIGNMENT);
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

/* The array of an input, copied to aligned memory; NULL, with a message, where it does not fit. */
static void *take(const npz_file *file, const tensor *wanted) {
    const npz_array *const array = npz_find(file, wanted->name);
    int fits = array != NULL && array->rank == wanted->rank && strcmp(array->type, wanted->type) == 0;
    for (int d = 0; fits && d < wanted->rank; d++) fits = array->dims[d] == wanted->dims[d];
    if (!fits) {
        fprintf(stderr, "{{name}}_main: input '%s' %s: expected %s [", wanted->name,
                array == NULL ? "is missing" : "has another type or shape", wanted->type);
        for (int d = 0; d < wanted->rank; d++) fprintf(stderr, d == 0 ? "%lld" : ",%lld", (long long)wanted->dims[d]);
        fprintf(stderr, "]\n");
        return NULL;
    }
    void *const memory = allocate(wanted->bytes);
    if (memory != NULL) memcpy(memory, array->data, array->bytes);
    return memory;
}

#if {{NAME}}_PROBES
/* Adds a probe's map to the npz file that is being written. */
static void save_probe(void *user, const {{name}}_probe *probe, const void *data) {
    static const char *const types[][2] = {
{{probe_types}}    };
    int64_t dims[8];
    for (int d = 0; d < probe->rank; d++) dims[d] = probe->dims[d];
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(probe->type, types[i][0]) == 0)
            npz_add((npz_writer *)user, probe->id, types[i][1], probe->rank, dims, data);
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

static {{name}}_status run(const {{name}}_context *context, void *const *in, void *const *out) {
    (void)in, (void)out;
    return {{name}}_run(context{{arguments}});
}

int {{name}}_testbench(int argc, char **argv);

/* Exit status: 0 fine, 1 the model refused, 2 usage, 4 files or memory. */
int {{name}}_testbench(int argc, char **argv) {
    const char *input = NULL, *output = NULL, *probes = NULL, *weights = "{{name}}.weights";
    long repeat = 0;
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc) return usage();
        if (strcmp(argv[i], "--input") == 0) input = argv[i + 1];
        else if (strcmp(argv[i], "--output") == 0) output = argv[i + 1];
        else if (strcmp(argv[i], "--probes") == 0) probes = argv[i + 1];
        else if (strcmp(argv[i], "--repeat") == 0) repeat = strtol(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--weights") == 0) weights = argv[i + 1];
        else return usage();
    }
    if (input == NULL && INPUTS > 0) return usage();

    npz_file file;
    memset(&file, 0, sizeof file);
    const char *const wrong = input == NULL ? NULL : npz_read(input, &file);
    if (wrong != NULL) return fail(input, wrong);
    void *in[INPUTS + 1] = {NULL}, *out[OUTPUTS + 1] = {NULL};
    for (int i = 0; i < INPUTS; i++)
        if ((in[i] = take(&file, &inputs[i])) == NULL) return 4;
    for (int i = 0; i < OUTPUTS; i++)
        if ((out[i] = allocate(outputs[i].bytes)) == NULL) return fail("memory", "not enough");
    npz_free(&file);

    {{name}}_context context;
    memset(&context, 0, sizeof context);
    if ((context.workspace = allocate({{NAME}}_WORKSPACE)) == NULL) return fail("memory", "not enough");
#ifdef {{NAME}}_WEIGHTS
    if ((context.weights = load_weights(weights)) == NULL) return fail(weights, "these are not the model's weights");
#else
    (void)weights; /* they are linked in */
#endif
    npz_writer writer;
#if {{NAME}}_PROBES
    if (probes != NULL && npz_create(&writer, probes)) {
        context.on_probe = save_probe;
        context.on_probe_user = &writer;
    }
#endif
    const {{name}}_status status = run(&context, in, out);
    if (probes != NULL && (context.on_probe == NULL || !npz_close(&writer))) return fail(probes, "it cannot be written");
    context.on_probe = NULL;
    if (status != {{NAME}}_OK) {
        fprintf(stderr, "{{name}}_main: the model refused, with status %d\n", (int)status);
        return 1;
    }
    if (output != NULL) {
        if (npz_create(&writer, output))
            for (int i = 0; i < OUTPUTS; i++)
                npz_add(&writer, outputs[i].name, outputs[i].type, outputs[i].rank, outputs[i].dims, out[i]);
        if (!npz_close(&writer)) return fail(output, "it cannot be written");
    }
    if (repeat > 0) {
        double *const times = (double *)malloc((size_t)repeat * sizeof *times);
        if (times == NULL) return fail("memory", "not enough");
        for (long i = 0; i < repeat; i++) {
            const double start = milliseconds();
            (void)run(&context, in, out);
            times[i] = milliseconds() - start;
        }
        qsort(times, (size_t)repeat, sizeof *times, compare_times);
        printf("median %.3f ms, fastest %.3f ms, of %ld runs\n", times[repeat / 2], times[0], repeat);
        free(times);
    }
    return 0;
}

#ifndef {{NAME}}_NO_MAIN
int main(int argc, char **argv) { return {{name}}_testbench(argc, argv); }
#endif
