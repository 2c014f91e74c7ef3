/* External data: tensors' bytes in files beside the model. The files' names are the model's, so they are hostile. */
#ifndef FOVEA_LOAD_EXTERNAL_H
#define FOVEA_LOAD_EXTERNAL_H

#include "base/arena.h"
#include "load/load.h"

#include <stdint.h>

typedef struct External External;

/* A region of a file, as the model states it. */
typedef struct {
    const char *location; /* relative to the model's directory */
    int64_t offset;
    int64_t length; /* -1: not said */
} ExternalRegion;

/* Files below directory; it is opened when first needed. NULL: there is none, and all external data is refused. */
External *external_new(Arena *arena, const char *directory, const LoadOptions *options);
/* Reads size bytes, the region's; returns NULL, or what is wrong, in words that follow the file's name. The memory is
 * taken from the arena only after the region was checked. */
const char *external_read(External *external, const ExternalRegion *region, size_t size, void **bytes);
/* Closes what is open; also done when the arena is freed. */
void external_close(External *external);

/* Opens location below a directory for reading, without following any link; -1 with errno. How the kernel is asked:
 * openat2() does it in one call; without it each component is opened from the one before. */
typedef enum { OPEN_BEST, OPEN_BY_COMPONENTS } OpenMethod;
int external_open(int directory, const char *location, OpenMethod method);

#endif
