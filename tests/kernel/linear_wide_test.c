/* The test of linear layers once more, with the longest vectors, whatever registers there are.
 * GCC has something to say about passing these; nothing does. */
#define LANES 16
#pragma GCC diagnostic ignored "-Wpsabi"
#include "kernel/linear_test.c"
