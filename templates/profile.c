#if {{NAME}}_PROFILE
/* Steps of {{name}}_run(): by which numbers and nodes {{name}}.c heads them, and their multiply-adds. */
enum { STEPS = {{step_count}} };
static const struct {
    const char *number, *nodes;
    double macs;
} steps[STEPS + 1] = {
{{steps}}    {"", "", 0},
};

typedef struct {
    double last;              /* when the step before was done */
    double fastest[STEPS + 1]; /* milliseconds */
} profile_times;

static void note_step(void *user, int32_t step) {
    profile_times *const times = (profile_times *)user;
    const double now = milliseconds(), taken = now - times->last;
    if (times->fastest[step] < 0 || taken < times->fastest[step]) times->fastest[step] = taken;
    times->last = now;
}

/* Prints the fastest of so many runs of each step, the slowest step first. */
static int profile(bench *b, long runs) {
    profile_times times;
    double sum = 0;
    for (int i = 0; i < STEPS; i++) times.fastest[i] = -1;
    b->context.on_step = note_step;
    b->context.on_step_user = &times;
    for (long i = 0; i < runs; i++) {
        times.last = milliseconds();
        (void)run(b);
    }
    b->context.on_step = NULL;
    for (int i = 0; i < STEPS; i++) sum += times.fastest[i];
    printf("%7s %9s %9s  step\n", "share", "ms", "GFLOP/s");
    for (int printed = 0; printed < STEPS; printed++) {
        int slowest = 0;
        for (int i = 1; i < STEPS; i++)
            if (times.fastest[i] > times.fastest[slowest]) slowest = i;
        const double taken = times.fastest[slowest];
        printf("%6.2f%% %9.4f ", sum > 0 ? 100 * taken / sum : 0, taken);
        if (steps[slowest].macs > 0 && taken > 0) printf("%9.2f", 2e-6 * steps[slowest].macs / taken);
        else printf("%9s", "");
        printf("  %s. %s\n", steps[slowest].number, steps[slowest].nodes);
        times.fastest[slowest] = -1;
    }
    printf("%6.2f%% %9.4f            all steps, the fastest of %ld runs\n", 100.0, sum, runs);
    return 0;
}
#endif
