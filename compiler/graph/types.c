/* Types: the one table of element types.
 * Every other place asks it. */
#include "graph/types.h"

#include <string.h>

static const TypeInfo types[TYPE_COUNT] = {
    [TYPE_NONE] = {"none", "void", "none", NULL, TYPE_NONE, CLASS_NONE, 0, 0},
    [TYPE_FLOAT] = {"float", "float", "f32", "<f4", TYPE_FLOAT, CLASS_FLOAT, 32, 4},
    [TYPE_UINT8] = {"uint8", "uint8_t", "u8", "|u1", TYPE_UINT8, CLASS_UNSIGNED, 8, 1},
    [TYPE_INT8] = {"int8", "int8_t", "i8", "|i1", TYPE_INT8, CLASS_SIGNED, 8, 1},
    [TYPE_UINT16] = {"uint16", "uint16_t", "u16", "<u2", TYPE_UINT16, CLASS_UNSIGNED, 16, 2},
    [TYPE_INT16] = {"int16", "int16_t", "i16", "<i2", TYPE_INT16, CLASS_SIGNED, 16, 2},
    [TYPE_INT32] = {"int32", "int32_t", "i32", "<i4", TYPE_INT32, CLASS_SIGNED, 32, 4},
    [TYPE_INT64] = {"int64", "int64_t", "i64", "<i8", TYPE_INT64, CLASS_SIGNED, 64, 8},
    [TYPE_STRING] = {"string", "const char *", "str", NULL, TYPE_STRING, CLASS_STRING, 64, 8},
    [TYPE_BOOL] = {"bool", "uint8_t", "b8", "|b1", TYPE_BOOL, CLASS_BOOL, 8, 1},
    [TYPE_FLOAT16] = {"float16", "uint16_t", "f16", "<f2", TYPE_FLOAT, CLASS_FLOAT, 16, 2},
    [TYPE_DOUBLE] = {"double", "double", "f64", "<f8", TYPE_DOUBLE, CLASS_FLOAT, 64, 8},
    [TYPE_UINT32] = {"uint32", "uint32_t", "u32", "<u4", TYPE_UINT32, CLASS_UNSIGNED, 32, 4},
    [TYPE_UINT64] = {"uint64", "uint64_t", "u64", "<u8", TYPE_UINT64, CLASS_UNSIGNED, 64, 8},
    [TYPE_COMPLEX64] = {"complex64", "float", "c64", "<c8", TYPE_COMPLEX64, CLASS_COMPLEX, 64, 8},
    [TYPE_COMPLEX128] = {"complex128", "double", "c128", "<c16", TYPE_COMPLEX128, CLASS_COMPLEX, 128, 16},
    [TYPE_BFLOAT16] = {"bfloat16", "uint16_t", "bf16", NULL, TYPE_FLOAT, CLASS_FLOAT, 16, 2},
    [TYPE_FLOAT8E4M3FN] = {"float8e4m3fn", "uint8_t", "f8e4m3fn", NULL, TYPE_FLOAT, CLASS_FLOAT, 8, 1},
    [TYPE_FLOAT8E4M3FNUZ] = {"float8e4m3fnuz", "uint8_t", "f8e4m3fnuz", NULL, TYPE_FLOAT, CLASS_FLOAT, 8, 1},
    [TYPE_FLOAT8E5M2] = {"float8e5m2", "uint8_t", "f8e5m2", NULL, TYPE_FLOAT, CLASS_FLOAT, 8, 1},
    [TYPE_FLOAT8E5M2FNUZ] = {"float8e5m2fnuz", "uint8_t", "f8e5m2fnuz", NULL, TYPE_FLOAT, CLASS_FLOAT, 8, 1},
    [TYPE_UINT4] = {"uint4", "uint8_t", "u4", NULL, TYPE_UINT8, CLASS_UNSIGNED, 4, 1},
    [TYPE_INT4] = {"int4", "int8_t", "i4", NULL, TYPE_INT8, CLASS_SIGNED, 4, 1},
    [TYPE_FLOAT4E2M1] = {"float4e2m1", "uint8_t", "f4e2m1", NULL, TYPE_FLOAT, CLASS_FLOAT, 4, 1},
    [TYPE_FLOAT8E8M0] = {"float8e8m0", "uint8_t", "f8e8m0", NULL, TYPE_FLOAT, CLASS_FLOAT, 8, 1},
    [TYPE_UINT2] = {"uint2", "uint8_t", "u2", NULL, TYPE_UINT8, CLASS_UNSIGNED, 2, 1},
    [TYPE_INT2] = {"int2", "int8_t", "i2", NULL, TYPE_INT8, CLASS_SIGNED, 2, 1},
};

const TypeInfo *type_info(Type type) { return &types[(unsigned)type < TYPE_COUNT ? type : TYPE_NONE]; }

Type type_from_name(const char *name) {
    for (int type = TYPE_NONE + 1; type < TYPE_COUNT; type++)
        if (strcmp(types[type].name, name) == 0) return (Type)type;
    return TYPE_NONE;
}

static const struct {
    const char *word;
    TypeSet set;
} type_words[] = {
    {"floats", TYPE_BIT(TYPE_FLOAT) | TYPE_BIT(TYPE_DOUBLE) | TYPE_BIT(TYPE_FLOAT16) | TYPE_BIT(TYPE_BFLOAT16)},
    {"float8s", TYPE_BIT(TYPE_FLOAT8E4M3FN) | TYPE_BIT(TYPE_FLOAT8E4M3FNUZ) | TYPE_BIT(TYPE_FLOAT8E5M2) |
                    TYPE_BIT(TYPE_FLOAT8E5M2FNUZ)},
    {"signed", TYPE_BIT(TYPE_INT8) | TYPE_BIT(TYPE_INT16) | TYPE_BIT(TYPE_INT32) | TYPE_BIT(TYPE_INT64)},
    {"unsigned", TYPE_BIT(TYPE_UINT8) | TYPE_BIT(TYPE_UINT16) | TYPE_BIT(TYPE_UINT32) | TYPE_BIT(TYPE_UINT64)},
    {"subbytes", TYPE_BIT(TYPE_INT4) | TYPE_BIT(TYPE_UINT4) | TYPE_BIT(TYPE_INT2) | TYPE_BIT(TYPE_UINT2) |
                     TYPE_BIT(TYPE_FLOAT4E2M1)},
    {"complex", TYPE_BIT(TYPE_COMPLEX64) | TYPE_BIT(TYPE_COMPLEX128)},
    {"plain", (TYPE_BIT(TYPE_COUNT) - 1) & ~(TYPE_BIT(TYPE_NONE) | TYPE_BIT(TYPE_STRING) | TYPE_BIT(TYPE_COMPLEX64) |
                                             TYPE_BIT(TYPE_COMPLEX128))},
    {"all", (TYPE_BIT(TYPE_COUNT) - 1) & ~TYPE_BIT(TYPE_NONE)},
};

TypeSet type_set_parse(const char *words) {
    TypeSet set = 0;
    while (*words != '\0') {
        size_t length = strcspn(words, " |");
        char word[32] = "";
        if (length < sizeof word) memcpy(word, words, length);
        TypeSet meant = type_from_name(word) != TYPE_NONE ? TYPE_BIT(type_from_name(word)) : 0;
        for (size_t i = 0; i < sizeof type_words / sizeof *type_words; i++)
            if (strcmp(type_words[i].word, word) == 0) meant = type_words[i].set;
        if (strcmp(word, "integers") == 0) meant = type_set_parse("signed unsigned");
        if (strcmp(word, "numeric") == 0) meant = type_set_parse("floats signed unsigned");
        if (meant == 0 && length > 0) return 0;
        set |= meant;
        words += length;
        words += strspn(words, " |");
    }
    return set;
}
