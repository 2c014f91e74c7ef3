/* Kernels and formulas: the sources in runtime/, embedded as text and linked as code, one table for both uses.
 * tools/embed.c reads runtime/ at build time and writes the table, thunks included; nothing is listed by hand. */
#ifndef FOVEA_PROGRAM_KERNEL_H
#define FOVEA_PROGRAM_KERNEL_H

#include "graph/types.h"

#include <stddef.h>

typedef enum {
    PARAMETER_INPUT,   /* const T *restrict x, const int64_t *restrict indices */
    PARAMETER_OUTPUT,  /* T *restrict y */
    PARAMETER_SIZE,    /* const int C: an upper-case name; an enum constant in generated code */
    PARAMETER_SIZES,   /* const int *AXES: upper-case too; a static const array in generated code */
    PARAMETER_NUMBER,  /* const float epsilon: a literal in the call */
    PARAMETER_FORMULA, /* FORMULA act: the expression that stands where the kernel says APPLY(act, ...) */
    PARAMETER_FIRST,   /* const int first: of the items that a call does, where the kernel has items */
    PARAMETER_LAST,    /* const int last: the one behind them */
    PARAMETER_FRESH,   /* const int fresh: first, or that of the earliest call in a row that used the same scratch */
} ParameterKind;

typedef struct {
    const char *name;
    ParameterKind kind;
    const char *type; /* of a pointer's elements, as written: "T", "int64_t", "uint8_t", "float" */
} Parameter;

/* A formula of one element that a kernel is given: apply(body, x) puts its result over *x, of the compute type. */
typedef struct {
    void (*apply)(const void *body, void *x);
    const void *body;
} FormulaArgument;

typedef union {
    void *pointer;
    int64_t size;
    const int *sizes;
    double number;
    FormulaArgument formula;
} KernelArgument;

typedef void KernelCall(const KernelArgument *arguments);

typedef struct Kernel {
    const char *name;
    const char *file;    /* "runtime/conv.c" */
    const char *comment; /* the comment above it, without its marks */
    const char *label;   /* of the specialised function: "conv_{KH}x{KW}_{C}_{K}"; from a line "name: ..." there */
    const char *items;   /* how many pieces its work has, none of which needs another: an expression over its sizes
                            (expression.h); from a line "items: ..."; NULL: it is done as a whole. The names
                            `task` and `items` are not for its body */
    const char *scratch; /* elements of its parameter `scratch`, of which each thread needs its own: the same, from a
                            line "scratch: ..." */
    const char *body;    /* from the opening brace to the closing one */
    const Parameter *parameters;
    int parameter_count;
    KernelCall *calls[TYPE_COUNT]; /* by what T is; NULL: not for this type */
} Kernel;

const Kernel *kernel_find(const char *name);
/* Whether a pointer may be NULL: the kernel compares it with that. */
bool kernel_takes_null(const Kernel *kernel, int parameter);

/* Whether it goes on with what an item before has put into scratch: its parameter `fresh` is where that begins anew. */
bool kernel_keeps_scratch(const Kernel *kernel);

/* The position of a parameter; -1 where there is none of this name. */
int kernel_parameter(const Kernel *kernel, const char *name, size_t length);
/* The value of an expression; sizes by the position of parameters. */
int64_t kernel_count(const Kernel *kernel, const char *expression, const int64_t *sizes, int lanes);

/* Applies a formula to count elements: result[i] = formula(arguments[0][i], ...), in compute types. */
typedef void FormulaCall(void *result, const void *const *arguments, int count);

/* Conversions by type, [from][to], over elements in compute types; NULL where one of the two is no number. */
extern FormulaCall *const CASTS[TYPE_COUNT][TYPE_COUNT];

/* An expression over scalars of one type T, such as `x < 0 ? 0 : x`. */
typedef struct Formula {
    const char *name;
    const char *parameters;         /* "x y" */
    const char *texts[TYPE_COUNT];  /* by T; NULL: not for this type. T, U (the unsigned type to wrap in) are in it */
    FormulaCall *calls[TYPE_COUNT]; /* by compute type */
    bool is_predicate;              /* the result is a bool, whatever T is */
} Formula;

const Formula *formula_find(const char *name);

/* Helper functions of runtime/support.h, emitted where a text mentions their name. */
typedef struct {
    const char *name;
    const char *text; /* comment and definition */
} Support;
extern const Support SUPPORTS[]; /* in the order of support.h, ended by a NULL name */
const Support *support_find(const char *name);

#endif
