/* Testbench: a main around an emitted model that reads and writes npz files, with what builds it.
 * From templates/testbench.c, templates/npz.h and templates/testbench.cmake. */
#ifndef FOVEA_EMIT_TESTBENCH_H
#define FOVEA_EMIT_TESTBENCH_H

#include "emit/emit.h"

/* Adds NAME_main.c, npz.h and CMakeLists.txt to the files of a model. */
void emit_testbench(const EmittedModel *model, Output *output);

#endif
