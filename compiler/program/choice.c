/* Choice: see choice.h.
 * Keys are few, a dozen or some, so they are looked for one after another. */
#include "program/choice.h"

#include "base/text.h"

#include <string.h>

int choice_target(const Program *program) {
    return program->tuning == NULL ? target_machine(program->target).registers : program->tuning->target;
}

static _Noreturn void fail_unknown(const Choice *choice, const char *name) {
    report(STATUS_INVALID, "the tuning has %s for %s, which cannot be chosen", quoted(name), quoted(choice->key));
    for (int i = 0; i < choice->count; i++) note("there is %s", choice->candidates[i]);
    unwind(STATUS_INVALID);
}

static bool same_candidates(const Choice *choice, const char *const *candidates, int count) {
    bool same = choice->count == count;
    for (int i = 0; same && i < count; i++) same = strcmp(choice->candidates[i], candidates[i]) == 0;
    return same;
}

static int take(const Tuning *tuning, const Choice *choice) {
    if (tuning == NULL) return 0;
    const char *name = map_get(&tuning->names, choice->key);
    if (name == NULL) return tuning->candidate < choice->count ? tuning->candidate : 0;
    for (int i = 0; i < choice->count; i++)
        if (strcmp(choice->candidates[i], name) == 0) return i;
    fail_unknown(choice, name);
}

const Choice *choice_take(Program *program, const char *key, const char *const *candidates, int count) {
    fovea_assert(count >= 1 && count <= MOST_CANDIDATES);
    if (program->threads > 1) key = arena_printf(program->arena, "%s threads %d", key, program->threads);
    for (int i = 0; i < program->choices.count; i++)
        if (strcmp(program->choices.items[i]->key, key) == 0) {
            fovea_assert(same_candidates(program->choices.items[i], candidates, count));
            return program->choices.items[i];
        }
    Choice *choice = arena_new_object(program->arena, Choice);
    *choice = (Choice){.key = key, .count = count};
    for (int i = 0; i < count; i++) choice->candidates[i] = candidates[i];
    choice->taken = take(program->tuning, choice);
    list_add(program->arena, &program->choices, choice);
    return choice;
}
