/* The test of Strassen's algorithm once more, with no vectors.
 * It is what plain C runs. */
#define LANES 1
#include "kernel/strassen_test.c"
