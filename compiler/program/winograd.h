/* Winograd: what the compiler knows of the kernel in runtime/winograd.c: when it pays, its sizes and its weights.
 * F(4, 3) is tile 6, 36 products for 16 outputs; F(2, 3) is tile 4, 16 products for 4; a direct convolution takes 9 for
 * one. */
#ifndef FOVEA_PROGRAM_WINOGRAD_H
#define FOVEA_PROGRAM_WINOGRAD_H

#include "program/program.h"

/* A convolution of 3 x 3 taps without strides, in one plane or over several. Of a dilated one, the outputs that are a
 * dilation apart are maps of a batch. */
typedef struct {
    int64_t batch, channels, outputs; /* outputs: of channels, of all groups */
    int64_t groups;
    int64_t planes;     /* that a window sees */
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

/* Whether sizes are such that generated code can count in them. */
bool winograd_is_possible(const WinogradShape *shape);
/* The sizes with which the kernel takes least time. All of the shape's numbers >= 1. */
WinogradPlan winograd_plan(const WinogradShape *shape);
/* The same for a given tile, 4 or 6. */
WinogradPlan winograd_plan_tile(const WinogradShape *shape, int tile);
/* And for so many tiles at once; fewer than one, or more than there are, become one, or all. */
WinogradPlan winograd_plan_chunk(const WinogradShape *shape, int tile, int64_t chunk);

/* Floats of the transformed weights, with the channels of all planes. */
int64_t winograd_weights_count(int64_t outputs, int64_t channels, int tile);
/* Transforms weights [outputs][channels][planes][3][3], in double and rounded once, to
 * [tile*tile][outputs/16][planes][channels][16], with zeros in the place of outputs that do not exist. */
void winograd_transform(const float *weights, int64_t outputs, int64_t channels, int64_t planes, int tile,
                        float *transformed);

#endif
