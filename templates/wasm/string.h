/* What generated code takes of string.h, for WebAssembly without a C library: instructions of its own. */
#ifndef FOVEA_STRING_H
#define FOVEA_STRING_H

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int byte, size_t count);

#endif
