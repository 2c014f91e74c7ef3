/* Winograd: what the compiler knows of the kernel in runtime/winograd.c: when it pays, its sizes and its weights.
 * Of 3 x 3 taps F(4, 3) is tile 6, 36 products for 16 outputs; F(2, 3) is tile 4, 16 products for 4; a direct
 * convolution takes 9 for one. F(2, 5), of 5 taps, is tile 6. */
#ifndef FOVEA_PROGRAM_WINOGRAD_H
#define FOVEA_PROGRAM_WINOGRAD_H

#include "program/program.h"

/* Of a window: 1, 3 or 5 along rows and columns, not 1 along both, and any number of planes. */
typedef struct {
    int64_t planes, high, wide;
} WinogradTaps;

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
} WinogradShape;

typedef struct {
    int tile;      /* 4 or 6; 0: a direct convolution takes less time */
    int64_t tiles; /* of all maps */
    int chunk;     /* tiles that are transformed at once */
    int splits;
    int rows[TARGET_COUNT], vectors[TARGET_COUNT];
} WinogradPlan;

/* Whether there is such a tile, 4 or 6, for the taps, and sizes are such that generated code can count in them. */
bool winograd_is_possible(const WinogradShape *shape, int tile);
/* The sizes with which the kernel takes least time. All of the shape's numbers >= 1. Tile 0 where none is possible. */
WinogradPlan winograd_plan(const WinogradShape *shape);
/* The same for a given tile that is possible. */
WinogradPlan winograd_plan_tile(const WinogradShape *shape, int tile);
/* And for so many tiles at once; fewer than one, or more than there are, become one, or all. */
WinogradPlan winograd_plan_chunk(const WinogradShape *shape, int tile, int64_t chunk);

/* Inputs of a tile along a dimension with so many taps: itself, or 1. */
int winograd_along(int tile, int64_t taps);
/* Floats of the transformed weights. */
int64_t winograd_weights_count(int64_t outputs, int64_t channels, const WinogradTaps *taps, int tile);
/* Transforms weights [outputs][channels][planes][high][wide], in double and rounded once, to
 * [points][outputs/16][planes][channels][16], with zeros in the place of outputs that do not exist. */
void winograd_transform(const float *weights, int64_t outputs, int64_t channels, const WinogradTaps *taps, int tile,
                        float *transformed);

#endif
