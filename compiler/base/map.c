/* Map: names to pointers, over uthash with its memory from the arena.
 * Nothing is ever removed: maps live as long as the pass that made them. */
#include "base/map.h"

#include <string.h>

#define uthash_malloc(size) arena_alloc(arena, size)
#define uthash_free(memory, size) ((void)arena)
#define uthash_fatal(message) fail(STATUS_BUG, "%s", message)
#include <uthash.h>

struct MapEntry {
    const char *name;
    void *value;
    UT_hash_handle hh;
};

Map map_new(Arena *arena) { return (Map){arena, NULL}; }

static struct MapEntry *find(const Map *map, const char *name) {
    struct MapEntry *entry = NULL;
    HASH_FIND_STR(map->entries, name, entry);
    return entry;
}

void *map_get(const Map *map, const char *name) {
    struct MapEntry *entry = find(map, name);
    return entry == NULL ? NULL : entry->value;
}

void map_set(Map *map, const char *name, void *value) {
    struct MapEntry *entry = find(map, name);
    if (entry == NULL) {
        Arena *arena = map->arena;
        entry = arena_new_object(arena, struct MapEntry);
        entry->name = arena_copy(arena, name);
        HASH_ADD_KEYPTR(hh, map->entries, entry->name, strlen(entry->name), entry);
    }
    entry->value = value;
}

void map_each(const Map *map, void (*visit)(const char *name, void *value, void *argument), void *argument) {
    for (const struct MapEntry *entry = map->entries; entry != NULL; entry = entry->hh.next)
        visit(entry->name, entry->value, argument);
}
