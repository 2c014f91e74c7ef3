/* Kernels and formulas: finding one by its name.
 * The tables are generated: see tools/embed.c. */
#include "program/kernel.h"

#include <string.h>

extern const Kernel KERNELS[];
extern const Formula FORMULAS[];

const Kernel *kernel_find(const char *name) {
    for (const Kernel *kernel = KERNELS; kernel->name != NULL; kernel++)
        if (strcmp(kernel->name, name) == 0) return kernel;
    return NULL;
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
