/* The test of convolutions in rows once more, with no vectors.
 * It is what plain C runs. */
#define LANES 1
#include "kernel/conv_rows_test.c"
