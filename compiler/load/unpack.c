/* Unpack: protobuf-c with an allocator that has a budget.
 * Small pieces come from the arena and stay; large ones are freed when protobuf-c has done with them. A failure may
 * unwind through protobuf-c, since nothing that it holds is lost thereby. */
#include "load/unpack.h"

#include "load/prescan.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>

enum { LARGE = 1 << 16, SMALL = 256, SMALL_ALIGNMENT = 16, ALIGNMENT = 64 };

/* Begins each large piece's block; the piece follows at ALIGNMENT. */
typedef struct Block {
    struct Block *next, *previous;
} Block;

typedef struct {
    Arena *arena;
    Block large; /* the head of a ring */
    size_t used, budget;
} Pool;

/* The size of a piece is kept right before it: it tells, when the piece is freed, where it came from. */
static size_t *size_of(void *piece) { return (size_t *)piece - 1; }

static void pool_release(void *object) {
    Pool *pool = object;
    for (Block *block = pool->large.next, *next; block != &pool->large; block = next) {
        next = block->next;
        free(block);
    }
}

static _Noreturn void fail_budget(size_t needed, size_t budget) {
    fail(
        STATUS_INVALID,
        "unpacking takes %zu bytes or more, where a file of its size may take %zu: it is malformed, or made to exhaust "
        "memory",
        needed, budget);
}

static void *allocate_large(Pool *pool, size_t size) {
    Block *block = aligned_alloc(ALIGNMENT, ALIGNMENT + (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    if (block == NULL) fail(STATUS_SYSTEM, "out of memory (%zu bytes asked for)", size);
    block->next = pool->large.next;
    block->previous = &pool->large;
    block->next->previous = block->previous->next = block;
    return (char *)block + ALIGNMENT;
}

static void *allocate(void *data, size_t size) {
    Pool *pool = data;
    if (size > pool->budget - pool->used) fail_budget(pool->used + size, pool->budget);
    pool->used += size;
    size_t front = size < SMALL ? SMALL_ALIGNMENT : ALIGNMENT;
    void *piece = size < LARGE ? (char *)arena_alloc(pool->arena, front + size) + front : allocate_large(pool, size);
    *size_of(piece) = size;
    return piece;
}

static void release(void *data, void *piece) {
    Pool *pool = data;
    if (piece == NULL || *size_of(piece) < LARGE) return;
    pool->used -= *size_of(piece);
    Block *block = (Block *)((char *)piece - ALIGNMENT);
    block->next->previous = block->previous;
    block->previous->next = block->next;
    free(block);
}

size_t load_budget(const LoadOptions *options, size_t size) {
    enum { MULTIPLE = 16, CONSTANT = 64 << 20 };
    size_t multiple = options != NULL && options->budget_multiple > 0 ? (size_t)options->budget_multiple : MULTIPLE;
    size_t constant = options != NULL && options->budget_constant > 0 ? options->budget_constant : CONSTANT;
    if (size > (SIZE_MAX - constant) / multiple) return SIZE_MAX;
    return size * multiple + constant;
}

ProtobufCMessage *unpack(Arena *arena, const uint8_t *bytes, size_t size, const ProtobufCMessageDescriptor *root,
                         const LoadOptions *options) {
    if (size == 0) fail(STATUS_INVALID, "byte 0: the file is empty");
    if (size > INT_MAX)
        fail(STATUS_INVALID,
             "%zu bytes: protobuf ends at 2 GiB; keep the weights as external data, in a file of their own", size);
    size_t budget = load_budget(options, size), needed = prescan(bytes, size, root);
    if (needed > budget) fail_budget(needed, budget);
    Pool *pool = arena_new_object(arena, Pool);
    pool->arena = arena;
    pool->large.next = pool->large.previous = &pool->large;
    pool->budget = budget;
    arena_defer(arena, pool_release, pool);
    ProtobufCAllocator allocator = {allocate, release, pool};
    ProtobufCMessage *message = protobuf_c_message_unpack(root, &allocator, size, bytes);
    if (message == NULL) fail(STATUS_INVALID, "byte 0: protobuf-c cannot read this as a %s", root->short_name);
    return message;
}
