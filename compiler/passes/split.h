/* Split: which steps are shared out among threads, and as how many tasks.
 * What decides is how much work there is; how it falls into tasks never changes a result. */
#ifndef FOVEA_PASSES_SPLIT_H
#define FOVEA_PASSES_SPLIT_H

#include "program/program.h"

/* The multiply-adds of the nodes that a step does, as their operators count them; 0 where there are none to count. */
int64_t step_macs(const Step *step);

/* Sets Step.tasks of a fused program, for up to program->threads threads, and makes scratch large enough for all of
 * them; before memory is planned. */
void split_program(Program *program);

#endif
