/* Output: the files of one compilation, in one folder, which appear together or not at all (base/file.h).
 * Text is copied as it is written; weights are only referred to, so that a large model is not in memory twice. */
#ifndef FOVEA_EMIT_OUTPUT_H
#define FOVEA_EMIT_OUTPUT_H

#include "base/arena.h"

typedef struct Output Output;

/* Nothing happens to the folder before output_commit(). */
Output *output_new(Arena *arena, const char *directory);
/* Names a file that must not be written over: the model. */
void output_keep(Output *output, const char *path);
/* Begins a file; what is written next goes there. */
void output_begin(Output *output, const char *name);
void output_write(Output *output, const void *bytes, size_t count);
/* A whole file of text. */
void output_text(Output *output, const char *name, const char *text);
/* As output_write(), but the bytes are not copied: they have to stay until the commit. */
void output_refer(Output *output, const void *bytes, size_t count);
/* Makes the folder where it is missing, and writes all files. */
void output_commit(Output *output);

#endif
