/* npy: numpy's format for one array (NEP 1, and numpy.lib.format for versions 2 and 3), to and from tensors. */
#ifndef FOVEA_GRAPH_NPY_H
#define FOVEA_GRAPH_NPY_H

#include "graph/tensor.h"

/* The tensor that size bytes of .npy hold: versions 1 to 3, C and Fortran order, both byte orders, the types of
 * graph/types.h that numpy has. Fails with STATUS_INVALID where the bytes contradict themselves, and with
 * STATUS_UNSUPPORTED for other types. name is what messages call the array, safe to print: "array 'x' of 'in.npz'". */
Tensor *npy_decode(Arena *arena, const char *name, const void *bytes, size_t size);

/* An array as .npy: its header, then its elements (the tensor's own memory where numpy has the type). */
typedef struct {
    const void *header, *data;
    size_t header_size, data_size;
} Npy;

/* A tensor as .npy of version 1, C order, little endian. Types that numpy lacks are written as they are kept, as the
 * integers of their width: bfloat16 as uint16, float8 and float4 as uint8, 2- and 4-bit integers as 8-bit ones. Strings
 * are refused. */
Npy npy_encode(Arena *arena, const char *name, const Tensor *tensor);

#endif
