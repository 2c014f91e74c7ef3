/* The test of rows once more, with no vectors.
 * It is what plain C runs. */
#define LANES 1
#include "kernel/rows_test.c"
