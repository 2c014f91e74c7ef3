/* The test of Winograd's convolution once more, with the longest vectors, whatever registers there are.
 * GCC has something to say about passing these; nothing does. */
#define LANES 16
#pragma GCC diagnostic ignored "-Wpsabi"
#include "kernel/winograd_test.c"
