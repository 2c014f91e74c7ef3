/* Tuning: see tuning.h.
 * Keys and candidates stay words here; a program that is lowered compares them with its own. */
#include "commands/tuning.h"

#include "base/file.h"
#include "emit/manifest.h"

#include <string.h>

static const char FORMAT[] = "fovea tuning 1";

typedef struct {
    Arena *arena;
    const char *path;
} Source;

static _Noreturn void refuse(const Source *source, const char *why) {
    fail(STATUS_INVALID, "tuning file %s: %s", quoted(source->path), why);
}

static const char *member(const Source *source, const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    if (text == NULL) refuse(source, arena_printf(source->arena, "it has no \"%s\" that is a string", name));
    return text;
}

static int read_target(const Source *source, const json_t *root) {
    const char *name = member(source, root, "target");
    for (int i = 0; i < TARGET_COUNT; i++)
        if (strcmp(TARGET_NAMES[i], name) == 0) return i;
    refuse(source, arena_printf(source->arena, "there is no target %s", quoted(name)));
}

static void release_json(void *object) { json_decref(object); }

const Tuning *tuning_read(Arena *arena, const char *path) {
    enum { LARGEST = 1 << 24 };
    const Source source = {arena, path};
    size_t size;
    const char *bytes = file_read(arena, path, LARGEST, &size);
    json_error_t error;
    json_t *root = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) refuse(&source, arena_printf(arena, "line %d is no JSON: %s", error.line, quoted(error.text)));
    arena_defer(arena, release_json, root);
    if (strcmp(member(&source, root, "format"), FORMAT) != 0)
        refuse(&source, arena_printf(arena, "its format is not \"%s\"", FORMAT));
    json_t *const choices = json_object_get(root, "choices");
    if (!json_is_object(choices)) refuse(&source, "it has no \"choices\" that is an object");
    Tuning *tuning = arena_new_object(arena, Tuning);
    *tuning = (Tuning){.target = read_target(&source, root), .names = map_new(arena)};
    const char *key;
    json_t *name;
    json_object_foreach(choices, key, name) {
        if (!json_is_string(name)) refuse(&source, arena_printf(arena, "the choice for %s is no string", quoted(key)));
        map_set(&tuning->names, key, arena_copy(arena, json_string_value(name)));
    }
    return tuning;
}

void tuning_warn_if_foreign(const Program *program) {
    const Tuning *tuning = program->tuning;
    if (tuning == NULL || tuning->names.entries == NULL) return;
    for (int i = 0; i < program->choices.count; i++)
        if (map_get(&tuning->names, program->choices.items[i]->key) != NULL) return;
    warn("nothing in the tuning file is for this model and so many threads");
}

static void add_choice(const char *key, void *name, void *choices) {
    json_object_set_new(choices, key, json_string(name));
}

void tuning_write(Arena *arena, const char *path, const Tuning *tuning, const char *cpu, const char *compiler) {
    json_t *choices = json_object();
    map_each(&tuning->names, add_choice, choices);
    json_t *root = json_pack("{s:s, s:s, s:o, s:o, s:o}", "format", FORMAT, "target", TARGET_NAMES[tuning->target],
                             "cpu", manifest_name(cpu), "compiler", manifest_name(compiler), "choices", choices);
    const char *text = arena_printf(arena, "%s\n", manifest_text(arena, root));
    file_write_atomic(path, text, strlen(text));
}
