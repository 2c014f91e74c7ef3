/* The test of kernels over channels-last maps once more, with the longest vectors, whatever registers there are.
 * GCC has something to say about passing these; nothing does. */
#define LANES 16
#pragma GCC diagnostic ignored "-Wpsabi"
#include "kernel/channels_last_test.c"
