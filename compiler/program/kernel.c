/* Kernels and formulas: finding one by its name.
 * The tables are generated: see tools/embed.c. */
#include "program/kernel.h"

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
