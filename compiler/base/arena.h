/* Arena: memory that is freed all at once, and other things (files, library handles) that are released with it.
 * Allocation never returns NULL: it fails with STATUS_SYSTEM. */
#ifndef FOVEA_BASE_ARENA_H
#define FOVEA_BASE_ARENA_H

#include "base/diag.h"

#include <stdarg.h>
#include <stddef.h>

typedef struct Arena Arena;

Arena *arena_new(void);
void arena_free(Arena *arena); /* runs the deferred releases, last first; NULL is fine */

/* size zeroed bytes, aligned to 16, and to 64 from 256 bytes on (so that tensors can be read as vectors). */
void *arena_alloc(Arena *arena, size_t size);
char *arena_copy(Arena *arena, const char *text);
char *arena_printf(Arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);
char *arena_vprintf(Arena *arena, const char *format, va_list args);

/* Calls release(object) when the arena is freed; at once where there is no memory to remember it in. */
void arena_defer(Arena *arena, void (*release)(void *object), void *object);

/* Runs body with an arena of its own that is freed afterwards, also after a failure, which then goes on outwards. */
void arena_scope(void (*body)(Arena *scratch, void *argument), void *argument);

#define arena_new_object(arena, type) ((type *)arena_alloc(arena, sizeof(type)))
#define arena_new_array(arena, type, count) ((type *)arena_alloc(arena, checked_product(count, sizeof(type))))

/* a * b as a size; fails with STATUS_SYSTEM where it does not fit. */
size_t checked_product(size_t a, size_t b);

/* A growing array in an arena: LIST(Node *) nodes; list_add(arena, &nodes, node); nodes.items[i], nodes.count. */
#define LIST(type)                                                                                                     \
    struct {                                                                                                           \
        type *items;                                                                                                   \
        int count, capacity;                                                                                           \
    }
#define list_add(arena, list, value)                                                                                   \
    do {                                                                                                               \
        if ((list)->count == (list)->capacity)                                                                         \
            (list)->items = list_grow(arena, (list)->items, &(list)->capacity, sizeof *(list)->items);                 \
        (list)->items[(list)->count++] = (value);                                                                      \
    } while (0)
typedef LIST(const char *) StringList;
void *list_grow(Arena *arena, void *items, int *capacity, size_t item_size);

#endif
