/* Winograd: what the compiler knows of the kernel in runtime/winograd.c: when it pays, its sizes and its weights.
 * Of 3 x 3 taps F(4, 3) takes 36 products for 16 outputs, F(2, 3) 16 for 4; a direct convolution takes 9 for one.
 * Longer windows are parts of 3 or 5 taps. */
#ifndef FOVEA_PROGRAM_WINOGRAD_H
#define FOVEA_PROGRAM_WINOGRAD_H

#include "program/program.h"

/* Of a window: any number, but not 1 along both rows and columns. */
typedef struct {
    int64_t planes, high, wide;
} WinogradTaps;

/* F(tile - taps + 1, taps), along each dimension with more than one tap. */
typedef struct {
    int tile, taps;
} WinogradForm;

enum { WINOGRAD_FORMS_COUNT = 3 };
extern const WinogradForm WINOGRAD_FORMS[WINOGRAD_FORMS_COUNT];

/* A convolution without strides along rows and columns, in one plane or over several. Of a dilated one, the outputs
 * that are a dilation apart are maps of a batch. */
typedef struct {
    int64_t batch, channels, outputs; /* outputs: of channels, of all groups */
    int64_t groups;
    WinogradTaps taps;
    int64_t high, wide; /* of an output map */
    int threads;        /* that share the work; 0: one */
    Machine machine;    /* that it is supposed to run on */
    double dead;        /* the part of the taps that see pads alone, which a direct convolution leaves out */
    double dead_planes; /* the same of planes, which a chunk of one map leaves out, too */
} WinogradShape;

typedef struct {
    WinogradForm form; /* tile 0: a direct convolution takes less time */
    int64_t tiles;     /* of all maps */
    int chunk;         /* tiles that are transformed at once */
    int splits;
    int rows[TARGET_COUNT], vectors[TARGET_COUNT];
} WinogradPlan;

/* Whether sizes are such that generated code can count in them, and scratch memory is no more than 8 MB for a tile; and
 * a part is not longer than the window. */
bool winograd_is_possible(const WinogradShape *shape, WinogradForm form);
/* The form and sizes with which the kernel takes least time; tile 0 where none is possible, or a direct one takes less.
 * All of the shape's numbers >= 1. */
WinogradPlan winograd_plan(const WinogradShape *shape);
/* The same for a given form that is possible. */
WinogradPlan winograd_plan_form(const WinogradShape *shape, WinogradForm form);
/* And for so many tiles at once; fewer than one, or more than there are, become one, or all. */
WinogradPlan winograd_plan_chunk(const WinogradShape *shape, WinogradForm form, int64_t chunk);

/* What becomes of a form along a dimension with so many taps: itself, or {1, 1}. */
WinogradForm winograd_along(WinogradForm form, int64_t taps);
/* How many parts so many taps make. */
int64_t winograd_parts(WinogradForm form, int64_t taps);
/* Floats of the transformed weights. */
int64_t winograd_weights_count(int64_t outputs, int64_t channels, const WinogradTaps *taps, WinogradForm form);
/* Transforms weights [outputs][channels][planes][high][wide], in double and rounded once, to
 * [points][outputs/16][planes][parts of high][parts of wide][channels][16], with zeros in the place of taps and outputs
 * that do not exist. */
void winograd_transform(const float *weights, int64_t outputs, int64_t channels, const WinogradTaps *taps,
                        WinogradForm form, float *transformed);

#endif
