/* Import of tensors: from whichever field or file holds the data, checked against shape and type before anything is
 * allocated. Data that is laid out as fovea keeps it is used where it was unpacked; the rest is converted. */
#include "load/import.h"

#include <string.h>

/* TensorProto's data fields. */
typedef enum {
    FIELD_NONE,
    FIELD_FLOAT,
    FIELD_INT32,
    FIELD_INT64,
    FIELD_DOUBLE,
    FIELD_UINT64,
    FIELD_STRING,
    FIELD_RAW
} Field;

static const char *const field_names[] = {
    [FIELD_NONE] = "no data",       [FIELD_FLOAT] = "float_data",   [FIELD_INT32] = "int32_data",
    [FIELD_INT64] = "int64_data",   [FIELD_DOUBLE] = "double_data", [FIELD_UINT64] = "uint64_data",
    [FIELD_STRING] = "string_data", [FIELD_RAW] = "raw_data",
};

/* The field that ONNX stores a type in, if not in raw_data. */
static Field field_of_type(Type type) {
    switch (type) {
    case TYPE_FLOAT:
    case TYPE_COMPLEX64: return FIELD_FLOAT;
    case TYPE_DOUBLE:
    case TYPE_COMPLEX128: return FIELD_DOUBLE;
    case TYPE_INT64: return FIELD_INT64;
    case TYPE_UINT32:
    case TYPE_UINT64: return FIELD_UINT64;
    case TYPE_STRING: return FIELD_STRING;
    default: return FIELD_INT32;
    }
}

/* The elements that a field holds, as protobuf counts them. */
static size_t field_count(const Onnx__TensorProto *proto, Field field) {
    switch (field) {
    case FIELD_FLOAT: return proto->n_float_data;
    case FIELD_INT32: return proto->n_int32_data;
    case FIELD_INT64: return proto->n_int64_data;
    case FIELD_DOUBLE: return proto->n_double_data;
    case FIELD_UINT64: return proto->n_uint64_data;
    case FIELD_STRING: return proto->n_string_data;
    case FIELD_RAW: return proto->raw_data.len;
    default: return 0;
    }
}

/* The only field with data in it; FIELD_NONE where there is none. */
static Field find_field(Import *import, const Onnx__TensorProto *proto) {
    Field found = FIELD_NONE;
    for (Field field = FIELD_FLOAT; field <= FIELD_RAW; field++) {
        if (field_count(proto, field) == 0) continue;
        if (found != FIELD_NONE)
            import_fail(import, STATUS_INVALID, "it has data in two fields, %s and %s", field_names[found],
                        field_names[field]);
        found = field;
    }
    return found;
}

/* How many bytes ONNX packs count elements in. */
static size_t packed_bytes(Type type, size_t count) { return (count * (size_t)type_info(type)->bits + 7) / 8; }

/* How many elements of a field hold count elements of a type. */
static size_t expected_count(Type type, Field field, size_t count) {
    bool is_subbyte = type_info(type)->bits < 8;
    if (field == FIELD_RAW || (field == FIELD_INT32 && is_subbyte)) return packed_bytes(type, count);
    return type_info(type)->class == CLASS_COMPLEX ? 2 * count : count;
}

static void check_field(Import *import, Type type, Field field, size_t has, size_t count) {
    Field typed = field_of_type(type);
    if (field != typed && (field != FIELD_RAW || type == TYPE_STRING))
        import_fail(import, STATUS_INVALID, "its data is in %s; for %s it belongs in %s", field_names[field],
                    type_info(type)->name, field_names[typed]);
    size_t expected = expected_count(type, field, count);
    if (has != expected)
        import_fail(import, STATUS_INVALID, "%s has %zu %s; %zu elements of %s need %zu", field_names[field], has,
                    field == FIELD_RAW ? "bytes" : "elements", count, type_info(type)->name, expected);
}

static void *allocate(Import *import, size_t count, size_t width) {
    size_t size = checked_product(count, width);
    import_charge(import, size);
    return arena_alloc(import->arena, size);
}

/* Sub-byte elements, the first one in the lowest bits, to one a byte. */
static void unpack_subbyte(Type type, const uint8_t *packed, size_t count, uint8_t *to) {
    unsigned bits = (unsigned)type_info(type)->bits, sign = 1u << (bits - 1);
    size_t per_byte = 8 / bits;
    bool is_signed = type_info(type)->class == CLASS_SIGNED;
    for (size_t i = 0; i < count; i++) {
        unsigned code = packed[i / per_byte] >> (i % per_byte * bits) & ((1u << bits) - 1);
        to[i] = (uint8_t)(is_signed ? (code ^ sign) - sign : code);
    }
}

/* Data as raw_data has it, to data as fovea keeps it; in place where that is the same. */
static void *from_raw(Import *import, Type type, uint8_t *raw, size_t count) {
    if (type_info(type)->bits < 8) {
        uint8_t *to = allocate(import, count, 1);
        unpack_subbyte(type, raw, count, to);
        return to;
    }
    for (size_t i = 0; type == TYPE_BOOL && i < count; i++) raw[i] = raw[i] != 0; /* C's bool has no other values */
    return raw;
}

/* An element of int32_data as the bits of a narrower type; both signs are met with in unsigned and float types. */
static uint32_t narrow(Import *import, Type type, int32_t value, unsigned bits, size_t index) {
    if (value < -(1 << (bits - 1)) || value >= 1 << bits)
        import_fail(import, STATUS_INVALID, "element %zu of int32_data is %d, which is no %s", index, (int)value,
                    type_info(type)->name);
    return (uint32_t)value;
}

static void *from_int32(Import *import, Type type, int32_t *values, size_t has, size_t count) {
    int width = type_info(type)->bytes;
    if (width == 4) return values;
    if (width == 2) {
        uint16_t *to = allocate(import, has, sizeof *to);
        for (size_t i = 0; i < has; i++) to[i] = (uint16_t)narrow(import, type, values[i], 16, i);
        return to;
    }
    uint8_t *to = allocate(import, has, sizeof *to);
    for (size_t i = 0; i < has; i++) to[i] = (uint8_t)narrow(import, type, values[i], 8, i);
    return from_raw(import, type, to, count);
}

static void *from_uint64(Import *import, Type type, uint64_t *values, size_t count) {
    if (type == TYPE_UINT64) return values;
    uint32_t *to = allocate(import, count, sizeof *to);
    for (size_t i = 0; i < count; i++) {
        if (values[i] > UINT32_MAX)
            import_fail(import, STATUS_INVALID, "element %zu of uint64_data is too large for a uint32", i);
        to[i] = (uint32_t)values[i];
    }
    return to;
}

static void *from_strings(Import *import, const ProtobufCBinaryData *strings, size_t count) {
    const char **to = allocate(import, count, sizeof *to);
    for (size_t i = 0; i < count; i++) {
        if (strings[i].len > 0 && memchr(strings[i].data, 0, strings[i].len) != NULL) {
            import_unsupported(import, "element %zu is a string with a NUL in it", i);
            return to;
        }
        char *copy = allocate(import, strings[i].len + 1, 1);
        if (strings[i].len > 0) memcpy(copy, strings[i].data, strings[i].len);
        to[i] = copy;
    }
    return to;
}

static void *from_field(Import *import, const Onnx__TensorProto *proto, Type type, size_t count) {
    Field field = find_field(import, proto);
    if (field == FIELD_NONE && count > 0)
        import_fail(import, STATUS_INVALID, "it has no data for its %zu elements", count);
    if (field != FIELD_NONE) check_field(import, type, field, field_count(proto, field), count);
    switch (field) {
    case FIELD_FLOAT: return proto->float_data;
    case FIELD_DOUBLE: return proto->double_data;
    case FIELD_INT64: return proto->int64_data;
    case FIELD_INT32: return from_int32(import, type, proto->int32_data, proto->n_int32_data, count);
    case FIELD_UINT64: return from_uint64(import, type, proto->uint64_data, count);
    case FIELD_STRING: return from_strings(import, proto->string_data, count);
    case FIELD_RAW: return from_raw(import, type, proto->raw_data.data, count);
    default: return arena_alloc(import->arena, 0);
    }
}

/* A decimal number without a sign, or -1. */
static int64_t parse_number(const char *text) {
    int64_t value = 0;
    if (*text == '\0') return -1;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || value > (INT64_MAX - (*text - '0')) / 10) return -1;
        value = value * 10 + (*text - '0');
    }
    return value;
}

static ExternalRegion external_region(Import *import, const Onnx__TensorProto *proto) {
    static const char *const keys[] = {"location", "offset", "length", "checksum"};
    enum { LOCATION, OFFSET, LENGTH, CHECKSUM, KEYS };
    const char *values[KEYS] = {NULL};
    for (size_t i = 0; i < proto->n_external_data; i++) {
        const char *key = text_or_empty(proto->external_data[i]->key);
        int which = 0;
        while (which < KEYS && strcmp(keys[which], key) != 0) which++;
        if (which == KEYS) import_fail(import, STATUS_INVALID, "its external data has an unknown key %s", quoted(key));
        if (values[which] != NULL)
            import_fail(import, STATUS_INVALID, "its external data has two keys %s", quoted(key));
        values[which] = text_or_empty(proto->external_data[i]->value);
    }
    if (values[LOCATION] == NULL) import_fail(import, STATUS_INVALID, "its external data has no location");
    ExternalRegion region = {values[LOCATION], values[OFFSET] == NULL ? 0 : parse_number(values[OFFSET]),
                             values[LENGTH] == NULL ? -1 : parse_number(values[LENGTH])};
    if (region.offset < 0 || (values[LENGTH] != NULL && region.length < 0))
        import_fail(import, STATUS_INVALID, "%s is no %s of external data",
                    quoted(region.offset < 0 ? values[OFFSET] : values[LENGTH]),
                    region.offset < 0 ? "offset" : "length");
    if (values[CHECKSUM] != NULL && !import->warned_checksum) {
        import->warned_checksum = true;
        warn("checksums of external data are not checked");
    }
    return region;
}

static void *from_external(Import *import, const Onnx__TensorProto *proto, Type type, size_t count) {
    if (find_field(import, proto) != FIELD_NONE)
        import_fail(import, STATUS_INVALID, "it has data in the model, in %s, and external data",
                    field_names[find_field(import, proto)]);
    if (type == TYPE_STRING) import_fail(import, STATUS_INVALID, "strings cannot be external data");
    ExternalRegion region = external_region(import, proto);
    void *bytes;
    const char *fault = external_read(import->external, &region, packed_bytes(type, count), &bytes);
    if (fault != NULL) import_fail(import, STATUS_INVALID, "external data %s %s", quoted(region.location), fault);
    return from_raw(import, type, bytes, count);
}

Tensor *import_tensor(Import *import, const Onnx__TensorProto *proto) {
    Type type = import_element_type(import, proto->data_type);
    Shape shape = import_known_shape(import, proto->dims, proto->n_dims);
    if (proto->segment != NULL) import_unsupported(import, "it is a segment of a tensor");
    if (type == TYPE_NONE || proto->segment != NULL) return NULL;
    if (proto->has_data_location && proto->data_location != ONNX__TENSOR_PROTO__DATA_LOCATION__DEFAULT &&
        proto->data_location != ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
        import_fail(import, STATUS_INVALID, "its data_location is %d, which is none", (int)proto->data_location);
    bool is_external = proto->has_data_location && proto->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    if (!is_external && proto->n_external_data > 0)
        import_fail(import, STATUS_INVALID, "it names external data, but its data_location is not EXTERNAL");
    size_t count = (size_t)shape_count(&shape);
    void *data = is_external ? from_external(import, proto, type, count) : from_field(import, proto, type, count);
    import_charge(import, sizeof(Tensor));
    Tensor *tensor = arena_new_object(import->arena, Tensor);
    *tensor = (Tensor){type, shape, data};
    return tensor;
}
