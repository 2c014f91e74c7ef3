/* {{name}} for a web page: its memory, and the functions that the page calls.
 * Built without builtins, so that memcpy() is not made of itself. */
#include "{{name}}.h"

#include <string.h>

static _Alignas({{NAME}}_ALIGNMENT) unsigned char workspace[{{NAME}}_WORKSPACE + 1];
{{arrays}}

void *memcpy(void *to, const void *from, size_t count) { return __builtin_memcpy(to, from, count); }
void *memmove(void *to, const void *from, size_t count) { return __builtin_memmove(to, from, count); }
void *memset(void *to, int byte, size_t count) { return __builtin_memset(to, byte, count); }

__attribute__((import_module("page"), import_name("on_probe"))) void page_on_probe(const char *id, const void *data);

static void on_probe(void *user, const {{name}}_probe *probe, const void *data) {
    (void)user;
    page_on_probe(probe->id, data);
}

/* Where the weights, the inputs and the outputs lie, in this order. */
__attribute__((export_name("place"))) void *place(int number) {
    void *const places[] = {
        {{places}}
    };
    return places[number];
}

/* Runs the model on what lies there; returns its status. */
__attribute__((export_name("run"))) int run(int probed) {
    const {{name}}_context context = {
        .workspace = workspace,
{{weights}}
        .on_probe = probed ? on_probe : NULL,
    };
    return (int){{name}}_run(&context{{arguments}});
}
