/* Aside: the steps that are done for probes alone, which are left out where probes are compiled out. */
#ifndef FOVEA_PASSES_ASIDE_H
#define FOVEA_PASSES_ASIDE_H

#include "program/program.h"

/* Marks the steps that no output depends on, and nothing else. */
void aside_find(Program *program);

/* Marks the steps that no output depends on, and the buffers that only they write; lets them follow what they read at
 * once, so that nothing else has to stay in memory for them. After fusion. */
void aside_mark(Program *program);

#endif
