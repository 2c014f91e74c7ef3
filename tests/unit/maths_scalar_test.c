/* The test of maths once more, with no vectors.
 * It is what plain C runs. */
#define LANES 1
#include "unit/maths_test.c"
