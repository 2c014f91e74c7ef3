/* The test of kernels over channels-last maps once more, with no vectors.
 * It is what plain C runs. */
#define LANES 1
#include "kernel/channels_last_test.c"
