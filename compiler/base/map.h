/* Map: names to pointers, in an arena. A thin face over uthash. */
#ifndef FOVEA_BASE_MAP_H
#define FOVEA_BASE_MAP_H

#include "base/arena.h"

typedef struct {
    Arena *arena;
    struct MapEntry *entries;
} Map;

Map map_new(Arena *arena);
void *map_get(const Map *map, const char *name);       /* NULL where there is none */
void map_set(Map *map, const char *name, void *value); /* the name is copied; replaces an earlier value */
/* Calls visit for every entry, in the order in which the names were first set. */
void map_each(const Map *map, void (*visit)(const char *name, void *value, void *argument), void *argument);

#endif
