/* Patterns: attention blocks as text (docs/patterns.md), read into small trees for the matcher.
 * Definitions are put in place of their uses while reading, so that what is left is operators, tensors and choices. */
#ifndef FOVEA_PATTERNS_PATTERN_H
#define FOVEA_PATTERNS_PATTERN_H

#include "base/map.h"

#include <stdbool.h>
#include <stdint.h>

enum { MAX_TERM_ARGUMENTS = 16, MAX_FACTORS = 4 };

/* One dimension of "[N C 1..]", or one element of a condition's list. */
typedef enum {
    DIM_SIZE,    /* 1 */
    DIM_NAME,    /* N: the same name is the same size */
    DIM_ANY,     /* _ */
    DIM_REST,    /* ..: the dimensions up to the end; each .. in a block or definition is the same number of them */
    DIM_ONES,    /* 1..: that many ones */
    DIM_PRODUCT, /* N*H: of sizes that have names */
} DimKind;

typedef struct {
    DimKind kind;
    int64_t size;
    const char *text;                      /* as written */
    int name;                              /* among the block's names of dimensions, of which ".." is one */
    const char *factor_texts[MAX_FACTORS]; /* of a product */
    int factors[MAX_FACTORS];              /* among the block's names */
    int factor_count;
} DimPattern;

typedef struct {
    LIST(DimPattern) dims;
    const char *text; /* as written, for messages */
} ShapePattern;

typedef enum {
    CONDITION_CONSTANT, /* the tensor is known at compile time */
    CONDITION_COMPUTED, /* it is not */
    CONDITION_SCALAR,   /* it is, and has one element */
    CONDITION_VARIED,   /* it is, and its rows (along the last dimension) are not all the same */
    CONDITION_UNMASKED, /* it is, and no element is so low that it hides what it is added to */
    CONDITION_OUTPUT,   /* it is an output of the model, or becomes one through views */
    CONDITION_VALUE,    /* attribute=-1 */
    CONDITION_LIST,     /* attribute=[1 H W]; for axes the order does not matter */
    CONDITION_SPATIAL,  /* axes=spatial: all but the first two */
    CONDITION_TENSOR,   /* epsilon=e: the number that a tensor of the match holds, or what it has to hold */
    CONDITION_DIM,      /* num_groups=G: a size of the match; for what is built only */
    CONDITION_STRING,   /* approximate="tanh" */
} ConditionKind;

typedef struct {
    ConditionKind kind;
    const char *attribute; /* NULL for those about tensors */
    ShapePattern list;     /* of a value: one element */
    double number;         /* of a value: it, which need not be whole in what is built */
    const char *string;
    int tensor;
    const char *text; /* as written, for messages */
} Condition;

typedef struct Term Term;
typedef LIST(Term *) TermList;

typedef enum {
    TERM_TENSOR, /* x: the same name is the same tensor; _ is any */
    TERM_NODE,   /* Mul(a, b) */
    TERM_NUMBER, /* 0.5: a constant, all of whose elements are that */
    TERM_CHOICE, /* a | b */
    TERM_LIST,   /* [2 3]: a constant of integers, an argument of what is built */
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
    ShapePattern list;         /* of a list */
    const ShapePattern *shape; /* NULL: any */
    LIST(Condition) conditions;
};

/* A name in a block. */
typedef struct {
    const char *name;
    const Term *equation;      /* NULL: any tensor */
    const ShapePattern *shape; /* NULL: any */
    bool is_used;
    bool is_named; /* in the block, not in a definition */
    bool is_seen;  /* the equation says how it is made, by nodes that stay outside the block */
} PatternTensor;

typedef struct {
    int tensor;         /* -1: there is none, it is built */
    const Term *made;   /* what is built for it while it is open, or NULL */
    const char *name;   /* "gate" */
    const char *kind;   /* what the map weighs: "channel", "spatial", "tokens"; "" where the pattern does not say */
    const char *axes;   /* "N C" */
    ShapePattern shape; /* the same, as sizes: DIM_ANY where the block has no size of that name */
    bool on_request;
} PatternProbe;

/* A block, or a rewrite rule, which is a block that becomes something else. */
typedef struct {
    const char *family; /* "se"; of a rule: its name */
    const char *file;   /* "compiler/patterns/se.pattern" */
    LIST(PatternTensor) tensors;
    LIST(const char *) dims; /* names of dimensions */
    LIST(PatternProbe) probes;
    int root;            /* the tensor of the last equation */
    const char *fuse;    /* the fused operator that can take its place, or NULL */
    const Term *becomes; /* of a rule */
    bool is_own;         /* from a file of the user's */
} BlockPattern;

typedef struct PatternSet {
    Arena *arena;
    Map definitions;
    LIST(BlockPattern *) blocks;
    LIST(BlockPattern *) rules;
} PatternSet;

PatternSet patterns_new(Arena *arena);

/* Adds the definitions and blocks of one file. Fails with STATUS_USAGE and "FILE:LINE:COLUMN: MESSAGE". */
void patterns_parse(PatternSet *set, const char *file, const char *text);

/* All patterns: the user's own files, tried first, since whoever writes one knows the model; then those that are
 * embedded in fovea, by name. All can use the definitions of common.pattern. */
PatternSet patterns_load(Arena *arena, const char *const *files, int count);

#endif
