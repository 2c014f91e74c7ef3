/* Windows: the sliding windows of convolutions and pools along each spatial dimension.
 * Sizes, strides, dilations and pads are read and checked here once, for shape rules and lowering alike. */
#ifndef FOVEA_OPS_WINDOW_H
#define FOVEA_OPS_WINDOW_H

#include "ops/op.h"

enum { MAX_SPATIAL = 3 };

/* One spatial dimension. Output i reads inputs i * stride - before + k * dilation, 0 <= k < kernel. */
typedef struct {
    int64_t input, output; /* -1: unknown */
    int64_t kernel, stride, dilation;
    int64_t before, after; /* pads; after a window that ceil_mode adds, `after` is what the model says */
} WindowDim;

typedef struct Window {
    int rank; /* spatial dimensions: 1 to MAX_SPATIAL */
    WindowDim dims[MAX_SPATIAL];
} Window;

/* Reads strides, dilations, pads and, if the operator has them, auto_pad and ceil_mode, for a kernel of the given sizes
 * over the spatial dimensions of input, whose rank is known and which is [N][C][spatial...]. Sets outputs, too. */
Window window_read(const Node *node, const Shape *input, const int64_t *kernel);
/* The same for a transposed convolution, with output_padding and output_shape: input i is spread over the outputs
 * i * stride - before + k * dilation. */
Window window_read_transposed(const Node *node, const Shape *input, const int64_t *kernel);
/* The shape [N][channels][outputs...]. */
Shape window_shape(const Window *window, Dim batch, Dim channels);
/* Dimension i of a window spread to `rank` dimensions: those in front have size, kernel and stride 1. */
WindowDim window_dim(const Window *window, int rank, int i);

/* Gives a step the parameters H to PW, in two dimensions, and those of a third one, D to PD. */
void window_sizes(Step *step, const WindowDim *h, const WindowDim *w);
void window_planes(Step *step, const WindowDim *d);

/* An attribute with one positive number for each spatial dimension; ones where the node has none. */
void window_numbers(const Node *node, const char *attribute, int rank, int64_t *numbers);
/* Fails where the rank of a known shape is not that of [N][C] and 1 to MAX_SPATIAL dimensions. */
void window_check_rank(const Node *node, const Shape *input);

#endif
