/* npz: named tensors in a file, as numpy.savez writes and numpy.load reads it: a zip archive of .npy arrays. */
#ifndef FOVEA_GRAPH_NPZ_H
#define FOVEA_GRAPH_NPZ_H

#include "graph/tensor.h"

typedef struct {
    const char *key; /* may hold anything: print it with quoted() */
    Tensor *tensor;
} NpzEntry;
typedef LIST(NpzEntry) Npz; /* in the order of the file; no key is there twice */

/* Fails with STATUS_INVALID for what is no npz or contradicts itself, STATUS_UNSUPPORTED for types as in
 * graph/npy.h, STATUS_SYSTEM for what cannot be read. Compressed archives are fine. */
Npz npz_read(Arena *arena, const char *path);

/* Writes the file whole or not at all (base/file.h): uncompressed, so that the simplest reader can read it, and always
 * the same bytes for the same tensors. npy_encode() says what becomes of types that numpy lacks. */
void npz_write(const char *path, const Npz *npz);

/* The bytes that npz_write() writes, for a FileSet. */
void *npz_encode(Arena *arena, const Npz *npz, size_t *size);

/* The tensor of a key, or NULL. */
Tensor *npz_find(const Npz *npz, const char *key);

#endif
