/* The test of Strassen's algorithm once more, with the longest vectors, whatever registers there are.
 * GCC has something to say about passing these; nothing does. */
#define LANES 16
#pragma GCC diagnostic ignored "-Wpsabi"
#include "kernel/strassen_test.c"
