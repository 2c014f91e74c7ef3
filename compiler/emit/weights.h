/* Weights: the constants of a program, each content once, and the three ways in which they reach the C program.
 * As arrays in NAME.c, as NAME.weights taken in by the assembler, or as NAME.weights that the host loads. */
#ifndef FOVEA_EMIT_WEIGHTS_H
#define FOVEA_EMIT_WEIGHTS_H

#include "base/text.h"
#include "emit/output.h"
#include "program/program.h"

typedef enum {
    WEIGHTS_AUTO,   /* inline up to WEIGHTS_INLINE_LIMIT bytes, else object */
    WEIGHTS_INLINE, /* static const arrays in NAME.c */
    WEIGHTS_OBJECT, /* NAME_weights.S, which includes NAME.weights */
    WEIGHTS_FILE,   /* NAME.weights, given in the context */
} WeightMode;

/* gcc 12 reads 1 MB of weights in 0.35 s, clang 14 in 0.4 s; the source takes 4 times their size. */
enum { WEIGHTS_INLINE_LIMIT = 1 << 20, WEIGHTS_ALIGNMENT = 64 };

typedef struct {
    const Tensor *tensor;
    const Buffer *first; /* the first buffer with this content, which names it */
    const char *name;    /* the identifier in generated code; set by the emitter */
    int64_t offset;      /* in NAME.weights */
    bool as_bits;        /* inline: written as bits, since not all of it is finite */
} Weight;

typedef struct {
    LIST(Weight *) items; /* in order of first use */
    Weight **by_buffer;   /* by buffer number; NULL: none */
    int64_t data_bytes;   /* of all items */
    int64_t blob_bytes;   /* of NAME.weights: data_bytes and the gaps between */
    WeightMode mode;
} Weights;

/* Collects the constants that used[buffer number] marks. Those with the same type and bytes become one. */
Weights weights_collect(const Program *program, const bool *used, WeightMode mode);

/* FNV-1a, 64 bits wide, over 8-byte little-endian words of the blob (the last one filled up with zeros). */
uint64_t weights_checksum(const Weights *weights);

/* Writes the blob, item by item; nothing is copied. */
void weights_write_blob(const Weights *weights, Output *output);

/* C for the inline mode, once the items have names: declarations for the top of a file, and what follows it. Static, or
 * for several files that share them. */
void weights_declare(const Weights *weights, bool is_shared, Text *out);
void weights_write_definitions(const Weights *weights, bool is_shared, Arena *arena, Output *output);

#endif
