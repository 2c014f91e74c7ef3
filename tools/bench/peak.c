/* Measures the fused multiply-adds that cores do: enough independent chains to hide their latency, all in registers.
 *     peak      floating-point operations a second of one core, in the fastest of many short runs
 *     peak N    those of N threads all together, which meet as often as the threads of a small network do: whoever is
 *               put aside meanwhile holds up the others */
#define _POSIX_C_SOURCE 199309L /* clock_gettime */
#include "vector.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { CHAINS = 12, STEPS = 8000, RUNS = 5000, MOST = 64 };

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* x = x * factor + term in each chain, STEPS times; the sum of all, so that nothing is left out. */
static float multiply(float factor, float term) {
    vf chain[CHAINS], all = {0};
    UNROLL
    for (int i = 0; i < CHAINS; i++) chain[i] = vf_all((float)i);
    for (int step = 0; step < STEPS; step++) {
        UNROLL
        for (int i = 0; i < CHAINS; i++) chain[i] = chain[i] * vf_all(factor) + vf_all(term);
    }
    UNROLL
    for (int i = 0; i < CHAINS; i++) all += chain[i];
    return vf_sum(all);
}

/* What a thread is given, and what it finds. */
typedef struct {
    int threads;
    float factor, term, sum;
    double fastest, all; /* seconds of the fastest run, and of all */
} measured;

/* Waits until so many threads have come here that often. Not by sleeping, which would take longer than a run. */
static void meet(int threads, int times) {
    static int arrived;
    __atomic_add_fetch(&arrived, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) < threads * times) {
    }
}

static void *measure(void *argument) {
    measured *const m = argument;
    meet(m->threads, 1);
    const double start = seconds();
    for (int run = 0; run < RUNS; run++) {
        const double before = seconds();
        m->sum += multiply(m->factor, m->term);
        const double taken = seconds() - before;
        if (run == 0 || taken < m->fastest) m->fastest = taken;
        meet(m->threads, run + 2);
    }
    m->all = seconds() - start;
    return NULL;
}

int main(int argc, char **argv) {
    const double operations = 2.0 * LANES * CHAINS * STEPS;
    const int count = argc > 1 ? atoi(argv[1]) : 1;
    pthread_t threads[MOST];
    measured found[MOST];
    double together = 0;
    if (count < 1 || count > MOST) return 2;
    for (int i = 0; i < count; i++)
        found[i] = (measured){.threads = count, .factor = argc > 9 ? 1.0F : 0.5F, .term = (float)argc};
    for (int i = 1; i < count; i++)
        if (pthread_create(&threads[i], NULL, measure, &found[i]) != 0) return 1;
    measure(&found[0]);
    for (int i = 1; i < count; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < count; i++) together += operations * RUNS / found[i].all;
    printf("%.0f\n", count == 1 ? operations / found[0].fastest : together);
    return found[0].sum < 0 || argv[0] == NULL; /* never: the sum is used */
}
