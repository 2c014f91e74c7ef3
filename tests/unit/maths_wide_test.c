/* The test of maths once more, with the longest vectors, whatever registers there are: as AVX-512 computes, which takes
 * powers from a table and sums products in one step; not so where GCC does not optimise, which then rounds both.
 * GCC has something to say about passing vectors; nothing does. */
#if defined(__x86_64__) && !defined(__clang__) && defined(__OPTIMIZE__)
#define POWERS 1
#pragma GCC target("avx2,fma")
#endif
#define LANES 16
#pragma GCC diagnostic ignored "-Wpsabi"
#define main test_maths
#include "unit/maths_test.c"
#undef main

int main(void) {
#if POWERS
    if (!__builtin_cpu_supports("fma")) return 0; /* as on no machine with AVX-512 */
#endif
    return test_maths();
}
