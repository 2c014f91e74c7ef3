/* Patterns: attention blocks as text (docs/patterns.md), read into small trees for the matcher.
 * Definitions are put in place of their uses while reading, so that what is left is operators, tensors and choices. */
#ifndef FOVEA_PATTERNS_PATTERN_H
#define FOVEA_PATTERNS_PATTERN_H

#include "base/map.h"

#include <stdbool.h>
#include <stdint.h>

enum { MAX_TERM_ARGUMENTS = 16 };

/* One dimension of "[N C 1..]", or one element of a condition's list. */
typedef enum {
    DIM_SIZE, /* 1 */
    DIM_NAME, /* N: the same name is the same size */
    DIM_ANY,  /* _ */
    DIM_REST, /* ..: the dimensions up to the end; each .. in a block or definition is the same number of them */
    DIM_ONES, /* 1..: that many ones */
} DimKind;

typedef struct {
    DimKind kind;
    int64_t size;
    const char *text; /* as written */
    int name;         /* among the block's names of dimensions, of which ".." is one */
} DimPattern;

typedef struct {
    LIST(DimPattern) dims;
    const char *text; /* as written, for messages */
} ShapePattern;

typedef enum {
    CONDITION_CONSTANT, /* the tensor is known at compile time */
    CONDITION_COMPUTED, /* it is not */
    CONDITION_SCALAR,   /* it is, and has one element */
    CONDITION_VALUE,    /* attribute=-1 */
    CONDITION_LIST,     /* attribute=[1 H W]; for axes the order does not matter */
    CONDITION_SPATIAL,  /* axes=spatial: all but the first two */
} ConditionKind;

typedef struct {
    ConditionKind kind;
    const char *attribute; /* NULL for those about tensors */
    ShapePattern list;     /* of a value: one element */
    const char *text;      /* as written, for messages */
} Condition;

typedef struct Term Term;
typedef LIST(Term *) TermList;

typedef enum {
    TERM_TENSOR, /* x: the same name is the same tensor; _ is any */
    TERM_NODE,   /* Mul(a, b) */
    TERM_NUMBER, /* 0.5: a constant, all of whose elements are that */
    TERM_CHOICE, /* a | b */
} TermKind;

struct Term {
    TermKind kind;
    const char *file;
    int line, column;
    const char *name;   /* of the tensor or operator */
    const char *role;   /* of a node: the definition that it is a spelling of ("Gate"), or NULL */
    int tensor;         /* among the block's tensors; -1 for _ */
    int output;         /* of a node: which of its outputs this is */
    TermList arguments; /* of a node; of a choice: the alternatives */
    bool is_open;       /* of a node: there may be further inputs */
    bool is_optional;   /* of a tensor: the input may be left out; of a node: it may be missing (as read only) */
    double number;
    const ShapePattern *shape; /* NULL: any */
    LIST(Condition) conditions;
};

/* A name in a block. */
typedef struct {
    const char *name;
    const Term *equation;      /* NULL: any tensor */
    const ShapePattern *shape; /* NULL: any */
    bool is_used;
} PatternTensor;

typedef struct {
    int tensor;
    const char *name; /* "gate" */
    const char *kind; /* what the map weighs: "channel", "spatial", "tokens"; "" where the pattern does not say */
    const char *axes; /* "N C" */
    int axis_count;
    bool on_request;
} PatternProbe;

typedef struct {
    const char *family; /* "se" */
    const char *file;   /* "compiler/patterns/se.pattern" */
    LIST(PatternTensor) tensors;
    LIST(const char *) dims; /* names of dimensions */
    LIST(PatternProbe) probes;
    int root; /* the tensor of the last equation */
} BlockPattern;

typedef struct {
    Arena *arena;
    Map definitions;
    LIST(BlockPattern *) blocks;
} PatternSet;

PatternSet patterns_new(Arena *arena);

/* Adds the definitions and blocks of one file. Fails with STATUS_USAGE and "FILE:LINE:COLUMN: MESSAGE". */
void patterns_parse(PatternSet *set, const char *file, const char *text);

/* All patterns: the user's own files, tried first, since whoever writes one knows the model; then those that are
 * embedded in fovea, by name. All can use the definitions of common.pattern. */
PatternSet patterns_load(Arena *arena, const char *const *files, int count);

#endif
