/* npy: a magic string, a Python dictionary that tells type, order and shape, then the elements.
 * The dictionary is parsed for what numpy writes and for nothing else: it is data, never an expression. */
#include "graph/npy.h"

#include "base/checked.h"
#include "base/text.h"

#include <inttypes.h>
#include <string.h>

enum { MAGIC_SIZE = 6, LONGEST_HEADER = 65535, DATA_ALIGNMENT = 64 };
static const unsigned char magic[MAGIC_SIZE] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

/* The dictionary, and where its parser stands. */
typedef struct {
    const char *name; /* of the array, as messages say it */
    const char *at, *end;
    char descr[24]; /* numpy's dtype string: "<f4" */
    bool has_descr, has_order, has_shape, is_fortran;
    int rank;
    int64_t dims[MAX_RANK];
} Header;

static _Noreturn void invalid(const char *name, const char *what) { fail(STATUS_INVALID, "%s: %s", name, what); }

static void skip_spaces(Header *header) {
    while (header->at < header->end && (*header->at == ' ' || *header->at == '\n')) header->at++;
}

static bool accept(Header *header, const char *word) {
    skip_spaces(header);
    size_t length = strlen(word);
    if ((size_t)(header->end - header->at) < length || memcmp(header->at, word, length) != 0) return false;
    header->at += length;
    return true;
}

static void expect(Header *header, const char *word) {
    if (!accept(header, word)) fail(STATUS_INVALID, "%s: its header lacks a \"%s\"", header->name, word);
}

/* A Python string without escapes; cut where it is longer than the room, which no string that is known is. */
static void parse_string(Header *header, char *text, size_t room) {
    const char *quote = accept(header, "'") ? "'" : "\"";
    if (*quote == '"') expect(header, quote);
    const char *close = memchr(header->at, *quote, (size_t)(header->end - header->at));
    if (close == NULL) invalid(header->name, "a string in its header does not end");
    size_t length = (size_t)(close - header->at);
    if (memchr(header->at, '\\', length) != NULL || memchr(header->at, '\0', length) != NULL)
        invalid(header->name, "a string in its header has an escape in it");
    if (length >= room) length = room - 1;
    memcpy(text, header->at, length);
    text[length] = '\0';
    header->at = close + 1;
}

static int64_t parse_size(Header *header) {
    int64_t size = 0;
    skip_spaces(header);
    const char *start = header->at;
    for (; header->at < header->end && *header->at >= '0' && *header->at <= '9'; header->at++)
        if (!checked_multiply(size, 10, &size) || !checked_add(size, *header->at - '0', &size))
            invalid(header->name, "a dimension of its shape is too large");
    if (header->at == start) invalid(header->name, "its shape is not a tuple of sizes");
    accept(header, "L"); /* of a Python 2 long */
    return size;
}

static void parse_shape(Header *header) {
    expect(header, "(");
    while (!accept(header, ")")) {
        if (header->rank == MAX_RANK)
            fail(STATUS_UNSUPPORTED, "%s has more than %d dimensions", header->name, MAX_RANK);
        header->dims[header->rank++] = parse_size(header);
        if (!accept(header, ",")) {
            expect(header, ")");
            return;
        }
    }
}

static void once(const Header *header, bool *seen) {
    if (*seen) invalid(header->name, "a key of its header is there twice");
    *seen = true;
}

static void parse_entry(Header *header) {
    char key[16];
    parse_string(header, key, sizeof key);
    expect(header, ":");
    if (strcmp(key, "descr") == 0) {
        once(header, &header->has_descr);
        if (accept(header, "[")) fail(STATUS_UNSUPPORTED, "%s: its elements are structures", header->name);
        parse_string(header, header->descr, sizeof header->descr);
    } else if (strcmp(key, "fortran_order") == 0) {
        once(header, &header->has_order);
        header->is_fortran = accept(header, "True");
        if (!header->is_fortran) expect(header, "False");
    } else if (strcmp(key, "shape") == 0) {
        once(header, &header->has_shape);
        parse_shape(header);
    } else fail(STATUS_INVALID, "%s: its header has an unknown key %s", header->name, quoted(key));
}

static void parse_dictionary(Header *header) {
    expect(header, "{");
    while (!accept(header, "}")) {
        parse_entry(header);
        if (accept(header, ",")) continue;
        expect(header, "}");
        break;
    }
    skip_spaces(header);
    if (header->at != header->end) invalid(header->name, "its header goes on after the dictionary");
    if (!header->has_descr || !header->has_order || !header->has_shape)
        invalid(header->name, "its header lacks descr, fortran_order or shape");
}

/* The bounds of the dictionary in the file; the elements begin at its end. */
static Header find_header(const char *name, const unsigned char *bytes, size_t size) {
    enum { VERSION_1_PREFIX = MAGIC_SIZE + 4, VERSION_2_PREFIX = MAGIC_SIZE + 6 };
    if (size < VERSION_2_PREFIX || memcmp(bytes, magic, MAGIC_SIZE) != 0) invalid(name, "it is not in .npy format");
    int version = bytes[MAGIC_SIZE];
    if (version < 1 || version > 3 || bytes[MAGIC_SIZE + 1] != 0)
        fail(STATUS_UNSUPPORTED, "%s: version %d.%d of the .npy format is not known", name, version,
             bytes[MAGIC_SIZE + 1]);
    const unsigned char *length_at = bytes + MAGIC_SIZE + 2;
    size_t prefix = version == 1 ? VERSION_1_PREFIX : VERSION_2_PREFIX,
           length = length_at[0] | (size_t)length_at[1] << 8;
    if (version > 1) length |= (size_t)length_at[2] << 16 | (size_t)length_at[3] << 24;
    if (length > LONGEST_HEADER) invalid(name, "its header is longer than any that numpy writes");
    if (length > size - prefix) invalid(name, "its header is cut off");
    const char *start = (const char *)bytes + prefix;
    return (Header){.name = name, .at = start, .end = start + length};
}

/* The type that a dtype string means. */
static Type parse_type(const Header *header) {
    const char *order = header->descr;
    for (int type = TYPE_NONE + 1; type < TYPE_COUNT; type++) {
        const TypeInfo *info = type_info((Type)type);
        if (info->npy != NULL && *order != '\0' && strchr(info->bytes == 1 ? "|<>=" : "<>", *order) != NULL &&
            strcmp(info->npy + 1, order + 1) == 0)
            return (Type)type;
    }
    report(STATUS_UNSUPPORTED, "%s: elements of dtype %s are not supported", header->name, quoted(header->descr));
    if (strcmp(order + (*order != '\0'), "V1") == 0 || strcmp(order + (*order != '\0'), "V2") == 0)
        note("numpy writes bfloat16, float8 and int4 arrays so, without the type's name: save x.astype(numpy.float32)");
    unwind(STATUS_UNSUPPORTED);
}

/* Copies elements whose first index runs fastest, as Fortran has them, into row-major order. */
static void copy_transposed(const Tensor *to, const unsigned char *from, size_t item) {
    const Shape *shape = &to->shape;
    unsigned char *out = to->data;
    int64_t strides[MAX_RANK], index[MAX_RANK] = {0}, source = 0;
    for (int k = 0; k < shape->rank; k++) strides[k] = k == 0 ? 1 : strides[k - 1] * shape->dims[k - 1].size;
    for (int64_t i = 0, count = tensor_count(to); i < count; i++) {
        memcpy(out + (size_t)i * item, from + (size_t)source * item, item);
        for (int k = shape->rank - 1; k >= 0; k--) {
            source += strides[k];
            if (++index[k] < shape->dims[k].size) break;
            source -= strides[k] * shape->dims[k].size;
            index[k] = 0;
        }
    }
}

static void swap_bytes(const Tensor *tensor) {
    const TypeInfo *info = type_info(tensor->type);
    size_t width = (size_t)info->bytes / (info->class == CLASS_COMPLEX ? 2 : 1);
    unsigned char *bytes = tensor->data;
    for (size_t start = 0; start < tensor_bytes(tensor); start += width)
        for (size_t i = 0; i < width / 2; i++) {
            unsigned char low = bytes[start + i];
            bytes[start + i] = bytes[start + width - 1 - i];
            bytes[start + width - 1 - i] = low;
        }
}

static bool host_is_big_endian(void) {
    const uint16_t one = 1;
    return *(const unsigned char *)&one == 0;
}

/* Checks that the elements are there, all of them and nothing else, and returns how many bytes they are. */
static size_t check_size(const Header *header, Type type, size_t available) {
    int64_t bytes = type_info(type)->bytes;
    bool empty = false;
    for (int k = 0; k < header->rank; k++) {
        if (header->dims[k] == 0) empty = true;
        else if (!checked_multiply(bytes, header->dims[k], &bytes))
            invalid(header->name, "its shape has more elements than can be counted");
    }
    if (empty) bytes = 0;
    if ((uint64_t)bytes != available)
        fail(STATUS_INVALID, "%s: its shape and type need %" PRId64 " bytes, %zu are there", header->name, bytes,
             available);
    return available;
}

Tensor *npy_decode(Arena *arena, const char *name, const void *bytes, size_t size) {
    Header header = find_header(name, bytes, size);
    const unsigned char *data = (const unsigned char *)header.end;
    parse_dictionary(&header);
    Type type = parse_type(&header);
    size_t data_size = check_size(&header, type, size - (size_t)(data - (const unsigned char *)bytes));
    Shape shape = shape_of(header.rank, header.dims);
    Tensor *tensor = tensor_new(arena, type, &shape);
    if (header.is_fortran && header.rank > 1) copy_transposed(tensor, data, (size_t)type_info(type)->bytes);
    else memcpy(tensor->data, data, data_size);
    if ((header.descr[0] == '>') != host_is_big_endian()) swap_bytes(tensor);
    if (type == TYPE_BOOL) /* what C takes a uint8_t for true for */
        for (size_t i = 0; i < data_size; i++) ((uint8_t *)tensor->data)[i] = ((uint8_t *)tensor->data)[i] != 0;
    return tensor;
}

/* numpy's dtype string of a type, or of the integers of its width where numpy lacks it. */
static const char *dtype_of(const TypeInfo *info) {
    if (info->npy != NULL) return info->npy;
    return type_info(info->bytes == 2 ? TYPE_UINT16 : info->class == CLASS_SIGNED ? TYPE_INT8 : TYPE_UINT8)->npy;
}

static Text header_text(Arena *arena, const Tensor *tensor) {
    Text text = text_new(arena);
    text_printf(&text, "{'descr': '%s', 'fortran_order': False, 'shape': (", dtype_of(type_info(tensor->type)));
    for (int k = 0; k < tensor->shape.rank; k++)
        text_printf(&text, "%s%" PRId64 "%s", k == 0 ? "" : " ", tensor->shape.dims[k].size,
                    k == tensor->shape.rank - 1 && k > 0 ? "" : ",");
    text_add(&text, "), }");
    while ((MAGIC_SIZE + 4 + text.length + 1) % DATA_ALIGNMENT != 0) text_add(&text, " ");
    text_add(&text, "\n");
    return text;
}

Npy npy_encode(Arena *arena, const char *name, const Tensor *tensor) {
    if (tensor->type == TYPE_STRING) fail(STATUS_UNSUPPORTED, "%s: strings cannot be written as .npy", name);
    if (host_is_big_endian()) {
        Tensor *swapped = tensor_new(arena, tensor->type, &tensor->shape);
        memcpy(swapped->data, tensor->data, tensor_bytes(tensor));
        swap_bytes(swapped);
        tensor = swapped;
    }
    Text dictionary = header_text(arena, tensor), header = text_new(arena);
    text_add_bytes(&header, magic, MAGIC_SIZE);
    text_add_bytes(&header, (const unsigned char[]){1, 0}, 2);
    text_add_bytes(&header, (const unsigned char[]){dictionary.length & 255, dictionary.length >> 8 & 255}, 2);
    text_add_bytes(&header, dictionary.data, dictionary.length);
    return (Npy){header.data, tensor->data, header.length, tensor_bytes(tensor)};
}
