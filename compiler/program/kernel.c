/* Kernels and formulas: finding one by its name.
 * The tables are generated: see tools/embed.c. */
#include "program/kernel.h"

#include "program/expression.h"

#include <ctype.h>
#include <string.h>

extern const Kernel KERNELS[];
extern const Formula FORMULAS[];

const Kernel *kernel_find(const char *name) {
    for (const Kernel *kernel = KERNELS; kernel->name != NULL; kernel++)
        if (strcmp(kernel->name, name) == 0) return kernel;
    return NULL;
}

bool kernel_takes_null(const Kernel *kernel, int parameter) {
    const char *name = kernel->parameters[parameter].name, *at = kernel->body;
    size_t length = strlen(name);
    for (; (at = strstr(at, name)) != NULL; at += length) {
        bool is_whole = at == kernel->body || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
        const char *rest = at + length;
        if (is_whole && (strncmp(rest, " != NULL", 8) == 0 || strncmp(rest, " == NULL", 8) == 0)) return true;
    }
    return false;
}

int kernel_parameter(const Kernel *kernel, const char *name, size_t length) {
    for (int i = 0; i < kernel->parameter_count; i++)
        if (strlen(kernel->parameters[i].name) == length && memcmp(kernel->parameters[i].name, name, length) == 0)
            return i;
    return -1;
}

bool kernel_keeps_scratch(const Kernel *kernel) { return kernel_parameter(kernel, "fresh", strlen("fresh")) >= 0; }

typedef struct {
    const Kernel *kernel;
    const int64_t *sizes;
    int lanes;
} Sizes;

static int64_t size_called(const char *name, size_t length, const void *argument) {
    const Sizes *given = argument;
    if (length == strlen("LANES") && memcmp(name, "LANES", length) == 0) return given->lanes;
    return given->sizes[kernel_parameter(given->kernel, name, length)]; /* tools/embed.c has looked for it */
}

int64_t kernel_count(const Kernel *kernel, const char *expression, const int64_t *sizes, int lanes) {
    const Sizes given = {kernel, sizes, lanes};
    return expression_value(expression, size_called, &given);
}

const Formula *formula_find(const char *name) {
    for (const Formula *formula = FORMULAS; formula->name != NULL; formula++)
        if (strcmp(formula->name, name) == 0) return formula;
    return NULL;
}

const Support *support_find(const char *name) {
    for (const Support *support = SUPPORTS; support->name != NULL; support++)
        if (strcmp(support->name, name) == 0) return support;
    return NULL;
}
