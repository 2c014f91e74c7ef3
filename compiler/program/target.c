/* Target: the table. The features of a variant are both what it is compiled with and what the processor is asked for,
 * so there are none in it that compilers cannot ask for. */
#include "program/target.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

const char *const TARGET_NAMES[TARGET_COUNT] = {"avx512", "avx2", "neon", "sse", "scalar"};
const int TARGET_LANES[TARGET_COUNT] = {16, 8, 4, 4, 1};

const Target TARGETS[] = {
    {"portable", "", TARGET_COUNT, false, NULL},
    {"native", "-march=native", TARGET_COUNT, false, NULL},
    {"x86-64-v2", "-march=x86-64-v2", TARGET_SSE, false, "sse4.2,popcnt"},
    {"x86-64-v3", "-march=x86-64-v3", TARGET_AVX2, false, "avx2,fma,bmi,bmi2"},
    {"x86-64-v4", "-march=x86-64-v4", TARGET_AVX512, false, "avx512f,avx512bw,avx512cd,avx512dq,avx512vl"},
    {"aarch64", "-march=armv8-a", TARGET_NEON, false, NULL},
    {"wasm32", "-msimd128", TARGET_SSE, false, NULL},
    {"cortex-m", "-DLANES=1", TARGET_SCALAR, true, NULL},
    {"scalar", "-DLANES=1", TARGET_SCALAR, false, NULL},
    {NULL, NULL, TARGET_COUNT, false, NULL},
};

/* Of this machine, as far as compilers tell. */
static int own_registers(void) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return TARGET_AVX512;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? TARGET_AVX2 : TARGET_SSE;
#elif defined(__ARM_NEON)
    return TARGET_NEON;
#else
    return TARGET_SCALAR;
#endif
}

/* A core of AMD's has the third-level cache near. */
static bool is_near(void) {
#if defined(__x86_64__)
    return __builtin_cpu_is("amd");
#else
    return false;
#endif
}

/* Whether it multiplies 64 bytes at once. Zen 4 takes two turns, and one for half of them. Processors tell by function
 * 8000001Ah (AMD's manual, volume 3), but virtual machines not always. */
static bool is_wide(void) {
#if defined(__x86_64__)
    return !__builtin_cpu_is("amdfam19h");
#else
    return true;
#endif
}

enum { SUPPOSED_SECOND = 1 << 18 };

/* Of this machine, as far as the C library tells. Where cores share a larger one, each has less of it. */
static int64_t own_second(void) {
#ifdef _SC_LEVEL2_CACHE_SIZE
    enum { MOST = 1 << 19 };
    const int64_t floats = sysconf(_SC_LEVEL2_CACHE_SIZE) / (int64_t)sizeof(float);
    if (floats > 0) return floats < MOST ? floats : MOST;
#endif
    return SUPPOSED_SECOND;
}

/* Measured, the cost of a weight was 6 on an EPYC of Zen 4, 14 of Zen 5, which multiplies twice as fast, and on a Xeon
 * (Sapphire Rapids) 24 in Winograd's products, 50 to 90 in Strassen's. Of an unknown machine Winograd's choice supposes
 * the first, since either would lose a fifth of the time on the other; Strassen's something between, as it gains a few
 * percent on one and loses more on the other. On Zen 5 it takes no less time to make left factors than on Zen 4. */
Machine target_machine(const Target *target) {
    enum { NEAR = 6, NEAR_WIDE = 14, FAR = 24, BETWEEN = 32, FARTHEST = 90 };
    Machine machine = {.registers = target->registers == TARGET_COUNT ? TARGET_AVX512 : target->registers,
                       .second = SUPPOSED_SECOND,
                       .far_weight = NEAR,
                       .farthest_weight = BETWEEN,
                       .left_factor = 8,
                       .result = 6};
    if (strcmp(target->name, "native") != 0) return machine;
    machine.registers = own_registers();
    machine.second = own_second();
    machine.far_weight = is_near() ? NEAR : FAR;
    machine.farthest_weight = !is_near() ? FARTHEST : is_wide() ? NEAR_WIDE : NEAR;
    machine.halves = !is_wide();
    if (is_wide() && is_near()) machine.left_factor = 24, machine.result = 4;
    return machine;
}

const Target *target_find(const char *name) {
    for (const Target *target = TARGETS; target->name != NULL; target++)
        if (strcmp(target->name, name) == 0) return target;
    return NULL;
}

const Target *target_variant(const Target *before) {
    const Target *target = before == NULL ? TARGETS : before + 1;
    while (target->name != NULL && target->features == NULL) target++;
    return target->name == NULL ? NULL : target;
}

const char *target_level(const Target *target) { return strrchr(target->name, '-') + 1; }
