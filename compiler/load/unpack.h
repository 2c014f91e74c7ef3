/* Unpack: bytes to protobuf-c's structs, prescanned and within a budget. */
#ifndef FOVEA_LOAD_UNPACK_H
#define FOVEA_LOAD_UNPACK_H

#include "base/arena.h"
#include "load/load.h"

#include <protobuf-c/protobuf-c.h>

/* The memory that a file of so many bytes may ask for. */
size_t load_budget(const LoadOptions *options, size_t size);

/* The message of type root that bytes hold. All of it lives in the arena; data of 256 bytes and more is aligned to 64.
 * Fails with STATUS_INVALID where the bytes are no such message or need more than the budget. */
ProtobufCMessage *unpack(Arena *arena, const uint8_t *bytes, size_t size, const ProtobufCMessageDescriptor *root,
                         const LoadOptions *options);

#endif
