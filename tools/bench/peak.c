/* Measures the fused multiply-adds that one core does: enough independent chains to hide their latency, all in registers.
 * Prints floating-point operations a second, of the fastest of many short runs. */
#define _POSIX_C_SOURCE 199309L /* clock_gettime */
#include "vector.h"

#include <stdio.h>
#include <time.h>

enum { CHAINS = 12, STEPS = 200000, RUNS = 200 };

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

int main(int argc, char **argv) {
    const float factor = argc > 9 ? 1.0F : 0.5F; /* not known when compiling */
    double best = 1e9;
    float sum = 0;
    for (int run = 0; run < RUNS; run++) {
        const double start = seconds();
        sum += multiply(factor, (float)argc);
        const double taken = seconds() - start;
        if (taken < best) best = taken;
    }
    printf("%.0f\n", 2.0 * LANES * CHAINS * STEPS / best);
    return sum < 0 || argv[0] == NULL; /* never: the sum is used */
}
