/* Prescan: one flat pass over the wire format, with a stack of its own, driven by protobuf-c's descriptors.
 * protobuf-c recurses without a bound, cuts strings at a NUL, and merges messages that are given twice. */
#include "load/prescan.h"

#include "base/diag.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_LENGTH = 2, WIRE_GROUP_START = 3, WIRE_GROUP_END = 4, WIRE_32 = 5 };

typedef struct {
    const ProtobufCMessageDescriptor *message;
    const ProtobufCFieldDescriptor *field; /* the one being read */
    size_t end;
    uint64_t seen; /* fields that were read, a bit each, by their index in the descriptor */
} Level;

typedef struct {
    const uint8_t *bytes;
    size_t size, at, memory;
    int depth;
    Level stack[MAX_NESTING];
} Scan;

static Level *top(Scan *scan) { return &scan->stack[scan->depth - 1]; }

/* "ModelProto.graph.node.attribute", the way to where the scan is; the middle of a long one is left out. */
static const char *way(const Scan *scan) {
    enum { SHOWN = 6 };
    static char text[512];
    size_t used = (size_t)snprintf(text, sizeof text, "%s", scan->stack[0].message->short_name);
    for (int i = 0; i < scan->depth && used < sizeof text; i++) {
        if (scan->stack[i].field == NULL) break;
        if (i >= SHOWN && i < scan->depth - SHOWN) continue;
        if (i == scan->depth - SHOWN && i > SHOWN) used += (size_t)snprintf(text + used, sizeof text - used, "...");
        used += (size_t)snprintf(text + used, sizeof text - used, ".%s", scan->stack[i].field->name);
    }
    return text;
}

static _Noreturn void PRINTF_LIKE(3, 4) fault(const Scan *scan, size_t offset, const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fail(STATUS_INVALID, "byte %zu, in %s: %s; the file is damaged, or not of this kind", offset, way(scan), text);
}

/* Something does not end before end does, which is the end of a message, of a packed field, or of the file. */
static _Noreturn void fault_cut_off(const Scan *scan, size_t offset, size_t end, const char *what) {
    if (end == scan->size) fault(scan, offset, "the file ends within %s", what);
    fault(scan, offset, "what holds it ends, at byte %zu, within %s", end, what);
}

/* A number of up to most bytes, seven bits in each, the last one without the top bit. */
static uint64_t read_varint(Scan *scan, size_t end, int most, const char *what) {
    uint64_t value = 0;
    size_t start = scan->at;
    for (int i = 0; i < most; i++) {
        if (scan->at == end) fault_cut_off(scan, start, end, what);
        uint8_t byte = scan->bytes[scan->at++];
        value |= (uint64_t)(byte & 0x7F) << (7 * i);
        if (byte < 0x80) return value;
    }
    fault(scan, start, "%s has more than %d bytes", what, most);
}

/* Bytes of one element when packed; 0 for varints, -1 for what cannot be packed. */
static int packed_width(ProtobufCType type) {
    switch (type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE: return -1;
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32: return 4;
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64: return 8;
    default: return 0;
    }
}

/* Bytes of one element once unpacked. */
static size_t unpacked_width(ProtobufCType type) {
    switch (type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE: return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE: return 8;
    default: return 4;
    }
}

static bool is_repeated(const ProtobufCFieldDescriptor *field) { return field->label == PROTOBUF_C_LABEL_REPEATED; }

static void check_wire_type(Scan *scan, size_t start, const ProtobufCFieldDescriptor *field, int wire) {
    static const char *const names[] = {"a varint", "8 bytes", "a length", "a group", "the end of a group", "4 bytes"};
    int width = packed_width(field->type);
    int expected = width < 0 ? WIRE_LENGTH : width == 0 ? WIRE_VARINT : width == 4 ? WIRE_32 : WIRE_64;
    if (wire == expected || (wire == WIRE_LENGTH && is_repeated(field))) return;
    fault(scan, start, "%s is written where %s belongs", names[wire], names[expected]);
}

/* protobuf lets a later field replace, or be merged with, an earlier one. Nobody writes that, and two readers could
 * disagree about it. */
static void check_given_once(Scan *scan, size_t start, const ProtobufCFieldDescriptor *field) {
    Level *level = top(scan);
    const ProtobufCMessageDescriptor *message = level->message;
    for (unsigned i = 0; i < message->n_fields; i++) {
        const ProtobufCFieldDescriptor *other = &message->fields[i];
        bool excludes = other == field || ((field->flags & other->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 &&
                                           field->quantifier_offset == other->quantifier_offset);
        if (excludes && (level->seen >> i & 1) != 0)
            fault(scan, start, other == field ? "is given twice" : "is given beside %s", other->name);
    }
    level->seen |= (uint64_t)1 << (field - message->fields);
}

static void scan_packed(Scan *scan, size_t length, const ProtobufCFieldDescriptor *field) {
    size_t start = scan->at, end = start + length, count = 0;
    int width = packed_width(field->type);
    if (width > 0) {
        if (length % (size_t)width != 0)
            fault(scan, start, "%zu bytes are no whole number of %d-byte elements", length, width);
        scan->at = end;
        count = length / (size_t)width;
    } else {
        for (; scan->at < end; count++) read_varint(scan, end, 10, "a packed number");
    }
    scan->memory += count * unpacked_width(field->type);
}

static void enter(Scan *scan, size_t start, size_t length, const ProtobufCFieldDescriptor *field) {
    if (scan->depth == MAX_NESTING) fault(scan, start, "messages are nested more than %d deep", MAX_NESTING);
    const ProtobufCMessageDescriptor *message = field->descriptor;
    scan->stack[scan->depth++] = (Level){.message = message, .end = scan->at + length};
    scan->memory += message->sizeof_message;
}

static size_t read_length(Scan *scan, size_t start) {
    uint64_t length = read_varint(scan, top(scan)->end, 10, "a length");
    size_t left = top(scan)->end - scan->at;
    if (length > INT_MAX)
        fault(scan, start, "a length of %llu: 2 GiB and more need external data", (unsigned long long)length);
    if (length > left)
        fault(scan, start, "a length of %llu, where %zu bytes are left", (unsigned long long)length, left);
    return (size_t)length;
}

static void scan_length(Scan *scan, size_t start, const ProtobufCFieldDescriptor *field) {
    size_t length = read_length(scan, start);
    if (field != NULL && field->type == PROTOBUF_C_TYPE_MESSAGE) enter(scan, start, length, field);
    else if (field != NULL && packed_width(field->type) >= 0) scan_packed(scan, length, field);
    else {
        bool is_string = field != NULL && field->type == PROTOBUF_C_TYPE_STRING;
        const uint8_t *nul = is_string ? memchr(scan->bytes + scan->at, 0, length) : NULL;
        if (nul != NULL) fault(scan, (size_t)(nul - scan->bytes), "a NUL inside a name");
        scan->memory += length + (field == NULL ? sizeof(ProtobufCMessageUnknownField) : 1);
        scan->at += length;
    }
}

static void skip_fixed(Scan *scan, size_t start, size_t width) {
    if (top(scan)->end - scan->at < width) fault_cut_off(scan, start, top(scan)->end, "a number");
    scan->at += width;
}

/* Reads the head of a field: its number, and its wire type, which is returned. */
static int read_tag(Scan *scan, unsigned *number) {
    size_t start = scan->at;
    uint64_t tag = read_varint(scan, top(scan)->end, 5, "a field's tag");
    int wire = (int)(tag & 7);
    if (tag > UINT32_MAX || tag >> 3 == 0)
        fault(scan, start, "there is no field number %llu", (unsigned long long)tag >> 3);
    *number = (unsigned)(tag >> 3);
    if (wire == WIRE_GROUP_START || wire == WIRE_GROUP_END || wire > WIRE_32)
        fault(scan, start, "field %u has wire type %d, which ONNX does not use", *number, wire);
    return wire;
}

/* A field of the innermost message; one that is a message itself is entered. */
static void scan_field(Scan *scan) {
    Level *level = top(scan);
    size_t start = scan->at;
    level->field = NULL;
    unsigned number;
    int wire = read_tag(scan, &number);
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(level->message, number);
    level->field = field;
    if (field != NULL) {
        check_wire_type(scan, start, field, wire);
        bool packed = wire == WIRE_LENGTH && packed_width(field->type) >= 0;
        if (!is_repeated(field)) check_given_once(scan, start, field);
        else if (!packed) scan->memory += unpacked_width(field->type);
    }
    if (wire == WIRE_LENGTH) scan_length(scan, start, field);
    else if (wire == WIRE_VARINT) read_varint(scan, level->end, 10, "a number");
    else skip_fixed(scan, start, wire == WIRE_64 ? 8 : 4);
    if (field == NULL && wire != WIRE_LENGTH) scan->memory += sizeof(ProtobufCMessageUnknownField) + (scan->at - start);
}

size_t prescan(const uint8_t *bytes, size_t size, const ProtobufCMessageDescriptor *root) {
    Scan scan = {.bytes = bytes, .size = size, .memory = root->sizeof_message, .depth = 1};
    scan.stack[0] = (Level){.message = root, .end = size};
    while (scan.depth > 0) {
        if (scan.at == top(&scan)->end) scan.depth--;
        else scan_field(&scan);
    }
    return scan.memory;
}

uint64_t prescan_top_fields(const uint8_t *bytes, size_t size, const ProtobufCMessageDescriptor *root) {
    Scan scan = {.bytes = bytes, .size = size, .depth = 1};
    scan.stack[0] = (Level){.message = root, .end = size};
    uint64_t fields = 0;
    while (scan.at < size) {
        size_t start = scan.at;
        unsigned number;
        int wire = read_tag(&scan, &number);
        if (number < 64) fields |= (uint64_t)1 << number;
        if (wire == WIRE_VARINT) read_varint(&scan, size, 10, "a number");
        else skip_fixed(&scan, start, wire == WIRE_LENGTH ? read_length(&scan, start) : wire == WIRE_64 ? 8 : 4);
    }
    return fields;
}
