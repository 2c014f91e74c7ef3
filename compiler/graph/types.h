/* Types: ONNX's element types, by their numbers in TensorProto.DataType, and what is known of each.
 * Sub-byte types are kept one element a byte, in memory and in generated code. */
#ifndef FOVEA_GRAPH_TYPES_H
#define FOVEA_GRAPH_TYPES_H

#include <stdbool.h>
#include <stdint.h>

typedef enum {
    TYPE_NONE = 0,
    TYPE_FLOAT = 1,
    TYPE_UINT8 = 2,
    TYPE_INT8 = 3,
    TYPE_UINT16 = 4,
    TYPE_INT16 = 5,
    TYPE_INT32 = 6,
    TYPE_INT64 = 7,
    TYPE_STRING = 8,
    TYPE_BOOL = 9,
    TYPE_FLOAT16 = 10,
    TYPE_DOUBLE = 11,
    TYPE_UINT32 = 12,
    TYPE_UINT64 = 13,
    TYPE_COMPLEX64 = 14,
    TYPE_COMPLEX128 = 15,
    TYPE_BFLOAT16 = 16,
    TYPE_FLOAT8E4M3FN = 17,
    TYPE_FLOAT8E4M3FNUZ = 18,
    TYPE_FLOAT8E5M2 = 19,
    TYPE_FLOAT8E5M2FNUZ = 20,
    TYPE_UINT4 = 21,
    TYPE_INT4 = 22,
    TYPE_FLOAT4E2M1 = 23,
    TYPE_FLOAT8E8M0 = 24,
    TYPE_UINT2 = 25,
    TYPE_INT2 = 26,
    TYPE_COUNT
} Type;

/* Sets of types, as bits: 1u << type. */
typedef uint32_t TypeSet;
#define TYPE_BIT(type) ((TypeSet)1 << (type))

typedef enum {
    CLASS_NONE,
    CLASS_FLOAT,
    CLASS_SIGNED,
    CLASS_UNSIGNED,
    CLASS_BOOL,
    CLASS_STRING,
    CLASS_COMPLEX
} TypeClass;

typedef struct {
    const char *name;   /* as ONNX and numpy write it: "float", "int64" */
    const char *c_name; /* of one stored element: "float", "int64_t", "uint16_t" for float16 */
    const char *suffix; /* short, for names of generated functions: "f32", "i64" */
    const char *npy;    /* numpy's dtype string, little endian; NULL where numpy has none */
    Type compute;       /* what arithmetic on it is done in: TYPE_FLOAT for float16, itself for int32 */
    TypeClass class;
    int bits;  /* of one element as ONNX packs it */
    int bytes; /* of one element as fovea keeps it */
} TypeInfo;

const TypeInfo *type_info(Type type);  /* of TYPE_NONE for what is out of range */
Type type_from_name(const char *name); /* TYPE_NONE where there is none */
/* The set that words like "floats int32|int64" mean: names of types, and floats (16 bits and more), float8s, signed,
 * unsigned, integers, numeric (integers and floats), subbytes, complex, plain (all
 * but strings and complex), all. 0 where a word is not known. */
TypeSet type_set_parse(const char *words);
static inline bool type_is_float(Type type) { return type_info(type)->class == CLASS_FLOAT; }

#endif
