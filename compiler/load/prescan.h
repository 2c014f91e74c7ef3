/* Prescan: looks a protobuf message over before anything is unpacked from it. */
#ifndef FOVEA_LOAD_PRESCAN_H
#define FOVEA_LOAD_PRESCAN_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

enum { MAX_NESTING = 100 }; /* messages within messages; If and Loop need three levels for a graph in a graph */

/* Walks over bytes as a message of type root and fails with STATUS_INVALID, naming the offset, where protobuf-c could
 * not, or should not, be trusted with them. Returns how much memory the unpacked message will take, without what
 * protobuf-c needs in passing. */
size_t prescan(const uint8_t *bytes, size_t size, const ProtobufCMessageDescriptor *root);

/* The numbers below 64 of the fields at the top level, as bits, whatever they are. root is for messages. */
uint64_t prescan_top_fields(const uint8_t *bytes, size_t size, const ProtobufCMessageDescriptor *root);

#endif
