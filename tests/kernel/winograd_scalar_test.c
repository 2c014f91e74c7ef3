/* The test of Winograd's convolution once more, with no vectors.
 * It is what plain C runs. */
#define LANES 1
#include "kernel/winograd_test.c"
