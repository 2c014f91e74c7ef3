/* Tuning: what `fovea tune` has measured, as a file.
 * JSON: {"format": "fovea tuning 1", "target": "avx512", "cpu": ..., "compiler": ..., "choices": {KEY: CANDIDATE}}. */
#ifndef FOVEA_COMMANDS_TUNING_H
#define FOVEA_COMMANDS_TUNING_H

#include "program/choice.h"

/* Reads a file, whoever may have made it. Fails with STATUS_INVALID for what is no such file, STATUS_SYSTEM for what
 * cannot be read. Whether its candidates exist shows when a model is lowered. */
const Tuning *tuning_read(Arena *arena, const char *path);

/* Warns where a program has a tuning which says nothing of it: for another model, or another number of threads. */
void tuning_warn_if_foreign(const Program *program);

/* Writes the names of a tuning in the order in which they were set. cpu and compiler are for whoever reads the file. */
void tuning_write(Arena *arena, const char *path, const Tuning *tuning, const char *cpu, const char *compiler);

#endif
