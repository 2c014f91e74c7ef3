/* The test of rows once more, with vectors of eight floats, whatever registers there are.
 * GCC has something to say about passing these; nothing does. */
#define LANES 8
#pragma GCC diagnostic ignored "-Wpsabi"
#include "kernel/rows_test.c"
