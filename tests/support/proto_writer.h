/* Writes ONNX files byte by byte, right ones and wrong ones, without a library that would refuse the wrong ones.
 * Lists of names are written with commas: "x,w,,b" has its third left out. */
#ifndef FOVEA_TESTS_SUPPORT_PROTO_WRITER_H
#define FOVEA_TESTS_SUPPORT_PROTO_WRITER_H

#include "base/text.h"

#include <stdint.h>

/* A message being written; its bytes are .data, .length of them. */
typedef Text Proto;

/* The wire format. A field is (number << 3 | wire type). */
void proto_varint(Proto *proto, uint64_t value);
void proto_int(Proto *proto, int field, int64_t value);
void proto_float(Proto *proto, int field, float value);
void proto_bytes(Proto *proto, int field, const void *bytes, size_t size);
void proto_text(Proto *proto, int field, const char *text);
void proto_message(Proto *proto, int field, const Proto *inner);

/* Field numbers of the ONNX standard that the tests use by name. */
enum {
    MODEL_IR_VERSION = 1,
    MODEL_PRODUCER_NAME = 2,
    MODEL_GRAPH = 7,
    MODEL_OPSET_IMPORT = 8,
    MODEL_FUNCTIONS = 25,

    GRAPH_NODE = 1,
    GRAPH_NAME = 2,
    GRAPH_INITIALIZER = 5,
    GRAPH_INPUT = 11,
    GRAPH_OUTPUT = 12,
    GRAPH_SPARSE_INITIALIZER = 15,

    NODE_INPUT = 1,
    NODE_OUTPUT = 2,
    NODE_NAME = 3,
    NODE_OP_TYPE = 4,
    NODE_ATTRIBUTE = 5,
    NODE_DOMAIN = 7,
    NODE_METADATA = 9,

    ATTRIBUTE_NAME = 1,
    ATTRIBUTE_F = 2,
    ATTRIBUTE_I = 3,
    ATTRIBUTE_S = 4,
    ATTRIBUTE_T = 5,
    ATTRIBUTE_G = 6,
    ATTRIBUTE_FLOATS_FIELD = 7,
    ATTRIBUTE_INTS_FIELD = 8,
    ATTRIBUTE_STRINGS_FIELD = 9,
    ATTRIBUTE_TENSORS_FIELD = 10,
    ATTRIBUTE_GRAPHS_FIELD = 11,
    ATTRIBUTE_TYPE = 20,
    ATTRIBUTE_REF = 21,
    ATTRIBUTE_SPARSE_TENSOR = 22,

    TENSOR_DIMS = 1,
    TENSOR_DATA_TYPE = 2,
    TENSOR_SEGMENT = 3,
    TENSOR_FLOAT_DATA = 4,
    TENSOR_INT32_DATA = 5,
    TENSOR_STRING_DATA = 6,
    TENSOR_INT64_DATA = 7,
    TENSOR_NAME = 8,
    TENSOR_RAW_DATA = 9,
    TENSOR_DOUBLE_DATA = 10,
    TENSOR_UINT64_DATA = 11,
    TENSOR_EXTERNAL_DATA = 13,
    TENSOR_DATA_LOCATION = 14,

    FUNCTION_NAME = 1,
    FUNCTION_INPUT = 4,
    FUNCTION_OUTPUT = 5,
    FUNCTION_ATTRIBUTE = 6,
    FUNCTION_NODE = 7,
    FUNCTION_OPSET_IMPORT = 9,
    FUNCTION_DOMAIN = 10,
    FUNCTION_ATTRIBUTE_PROTO = 11,
};

/* Whole messages. */
Proto onnx_node(Arena *arena, const char *op_type, const char *name, const char *inputs, const char *outputs);
Proto onnx_tensor(Arena *arena, const char *name, int type, int rank, const int64_t *dims); /* without data */
/* A ValueInfoProto of a tensor type. A dimension below -1 is left out, one of -1 is called "N". */
Proto onnx_value(Arena *arena, const char *name, int type, int rank, const int64_t *dims);
Proto onnx_pair(Arena *arena, const char *key, const char *value); /* StringStringEntryProto */
Proto onnx_opset(Arena *arena, const char *domain, int64_t version);
Proto onnx_attribute(Arena *arena, const char *name, int type); /* without a value */
Proto onnx_int_attribute(Arena *arena, const char *name, int64_t value);
Proto onnx_reference(Arena *arena, const char *name, int type, const char *to); /* to a function's attribute */
/* An If, called "if", on the value "condition". */
Proto onnx_if(const Proto *then_branch, const Proto *else_branch, const char *outputs);
/* A function of domain "local" that uses opset 13, and a node that calls it. */
Proto onnx_function(Arena *arena, const char *name, const char *inputs, const char *outputs);
Proto onnx_call(Arena *arena, const char *function, const char *name, const char *inputs, const char *outputs);
/* The graph comes last, so that a model that is cut off is never whole. */
Proto onnx_model(Arena *arena, int ir_version, int opset, const Proto *graph);

/* As onnx_model(), IR version 8 and opset 17, with functions of domain "local". */
Proto onnx_function_model(const Proto *graph, int count, const Proto *functions);

/* Adding to a graph, a function, a node. */
void add_function_node(Proto *function, const Proto *node);
void add_attribute(Proto *node, const Proto *attribute);
void add_node(Proto *graph, const char *op_type, const char *name, const char *inputs, const char *outputs);
void add_input(Proto *graph, const char *name); /* float [2] */
void add_output(Proto *graph, const char *name);
void add_float_initializer(Proto *graph, const char *name, int count, const float *values); /* [count] */
void add_names(Proto *message, int field, const char *names);

#endif
