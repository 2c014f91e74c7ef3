/* Arena: chunks that double in size; large requests get a chunk of their own.
 * Deferred releases are kept in a list, newest first. */
#include "base/arena.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64, SMALL = 256, SMALL_ALIGNMENT = 16, FIRST_CHUNK = 1 << 16, LARGEST_CHUNK = 1 << 24 };

typedef struct Chunk {
    struct Chunk *next;
    size_t size, used;
    unsigned char *data;
} Chunk;

typedef struct Deferred {
    struct Deferred *next;
    void (*release)(void *object);
    void *object;
} Deferred;

struct Arena {
    Chunk *chunks;
    Deferred *deferred;
    size_t next_size;
};

static _Noreturn void out_of_memory(size_t size) { fail(STATUS_SYSTEM, "out of memory (%zu bytes asked for)", size); }

Arena *arena_new(void) {
    Arena *arena = calloc(1, sizeof *arena);
    if (arena == NULL) out_of_memory(sizeof *arena);
    arena->next_size = FIRST_CHUNK;
    return arena;
}

void arena_free(Arena *arena) {
    if (arena == NULL) return;
    while (arena->deferred != NULL) {
        Deferred *deferred = arena->deferred;
        arena->deferred = deferred->next;
        deferred->release(deferred->object);
        free(deferred);
    }
    while (arena->chunks != NULL) {
        Chunk *next = arena->chunks->next;
        free(arena->chunks);
        arena->chunks = next;
    }
    free(arena);
}

/* Fresh zeroed memory (calloc: large chunks come from the system untouched, so unused pages cost nothing). */
static Chunk *chunk_new(size_t size) {
    if (size > SIZE_MAX - sizeof(Chunk) - ALIGNMENT) out_of_memory(size);
    Chunk *chunk = calloc(1, sizeof(Chunk) + ALIGNMENT + size);
    if (chunk == NULL) out_of_memory(size);
    chunk->data = (unsigned char *)(((uintptr_t)(chunk + 1) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    chunk->size = size;
    return chunk;
}

void *arena_alloc(Arena *arena, size_t size) {
    size_t alignment = size < SMALL ? SMALL_ALIGNMENT : ALIGNMENT;
    if (size > SIZE_MAX - 2 * ALIGNMENT) out_of_memory(size);
    size_t rounded = (size + alignment - (size != 0)) / alignment * alignment; /* at least one unit, also for none */
    Chunk *chunk = arena->chunks;
    size_t gap = chunk == NULL ? 0 : (alignment - chunk->used % alignment) % alignment;
    if (chunk == NULL || chunk->size - chunk->used < gap + rounded) {
        gap = 0;
        bool own = rounded > arena->next_size / 4;
        chunk = chunk_new(own ? rounded : arena->next_size);
        if (own && arena->chunks != NULL) { /* keep filling the current one */
            chunk->next = arena->chunks->next;
            arena->chunks->next = chunk;
        } else {
            chunk->next = arena->chunks;
            arena->chunks = chunk;
        }
        if (!own && arena->next_size < LARGEST_CHUNK) arena->next_size *= 2;
    }
    void *memory = chunk->data + chunk->used + gap;
    chunk->used += gap + rounded;
    return memory;
}

char *arena_copy(Arena *arena, const char *text) {
    size_t size = strlen(text) + 1;
    return memcpy(arena_alloc(arena, size), text, size);
}

char *arena_vprintf(Arena *arena, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    fovea_assert(length >= 0);
    char *text = arena_alloc(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

char *arena_printf(Arena *arena, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *text = arena_vprintf(arena, format, args);
    va_end(args);
    return text;
}

/* Not in the arena itself: when memory is out, the object still has to be released. */
void arena_defer(Arena *arena, void (*release)(void *object), void *object) {
    Deferred *deferred = malloc(sizeof *deferred);
    if (deferred == NULL) {
        release(object);
        out_of_memory(sizeof *deferred);
    }
    *deferred = (Deferred){arena->deferred, release, object};
    arena->deferred = deferred;
}

typedef struct {
    void (*body)(Arena *scratch, void *argument);
    Arena *scratch;
    void *argument;
} Scope;

static void run_scope(void *argument) {
    Scope *scope = argument;
    scope->body(scope->scratch, scope->argument);
}

void arena_scope(void (*body)(Arena *scratch, void *argument), void *argument) {
    Scope scope = {body, arena_new(), argument};
    Status status = guard(run_scope, &scope);
    arena_free(scope.scratch);
    if (status != STATUS_OK) unwind(status);
}

size_t checked_product(size_t a, size_t b) {
    if (b != 0 && a > SIZE_MAX / b) out_of_memory(SIZE_MAX);
    return a * b;
}

void *list_grow(Arena *arena, void *items, int *capacity, size_t item_size) {
    if (*capacity > INT_MAX / 2) out_of_memory(SIZE_MAX);
    int grown = *capacity == 0 ? 8 : *capacity * 2;
    void *bigger = arena_alloc(arena, checked_product((size_t)grown, item_size));
    if (*capacity != 0) memcpy(bigger, items, (size_t)*capacity * item_size);
    *capacity = grown;
    return bigger;
}
