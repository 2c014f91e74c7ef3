/* Ways of computing a convolution of channels-last maps, and which of them is taken: by the cost model, or as it was
 * measured (program/choice.h). */
#ifndef FOVEA_OPS_CONV_WAYS_H
#define FOVEA_OPS_CONV_WAYS_H

#include "ops/window.h"
#include "program/choice.h"
#include "program/winograd.h"

/* A convolution in two dimensions, or a deep one, in three, of which each plane that is made is one of a batch. */
typedef struct {
    int64_t batch, channels, outputs;
    int64_t groups; /* as the kernel takes them: small ones are joined until their outputs fill a panel */
    WindowDim h, w;
    bool is_deep;
    int64_t planes;     /* that a window sees, 1 in two dimensions */
    double dead_planes; /* conv_dead_taps() along them */
} Planar;

/* One way of computing such a convolution. */
typedef struct {
    WinogradPlan winograd; /* no form: by the kernel conv_last, with these numbers: */
    int rows[TARGET_COUNT], vectors[TARGET_COUNT], band[TARGET_COUNT], joined[TARGET_COUNT], splits[TARGET_COUNT];
} ConvWay;

/* The part of a window's taps along a dimension that see pads alone, on average. */
double conv_dead_taps(const WindowDim *dim);

/* Whether the cost model computes it by Winograd's method. */
bool conv_gains_by_winograd(const Program *program, const Planar *conv);

/* Decides. *choice becomes what the step is to remember. */
ConvWay conv_choose(Program *program, const Planar *conv, const Choice **choice);

/* Decides on the tile of the convolution of an image, by target. */
const Choice *conv_choose_image(Program *program, const Planar *conv, int rows[TARGET_COUNT],
                                int vectors[TARGET_COUNT]);

/* Decides on the pixels of a tile of a convolution in small groups, of which depthwise is one, by target. */
const Choice *conv_choose_columns(Program *program, const Planar *conv, int columns[TARGET_COUNT]);

#endif
