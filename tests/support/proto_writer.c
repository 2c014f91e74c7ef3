/* Writes ONNX files byte by byte.
 * The field numbers are those of the ONNX standard. */
#include "support/proto_writer.h"

#include <string.h>

enum { VARINT = 0, LENGTH = 2, FIXED_32 = 5, TYPE_FLOAT_NUMBER = 1, ATTRIBUTE_TYPE_INT = 2, ATTRIBUTE_TYPE_GRAPH = 5 };

void proto_varint(Proto *proto, uint64_t value) {
    for (; value >= 0x80; value >>= 7) text_add_bytes(proto, &(uint8_t){(uint8_t)(value | 0x80)}, 1);
    text_add_bytes(proto, &(uint8_t){(uint8_t)value}, 1);
}

static void tag(Proto *proto, int field, int wire_type) { proto_varint(proto, (uint64_t)(field << 3 | wire_type)); }

void proto_int(Proto *proto, int field, int64_t value) {
    tag(proto, field, VARINT);
    proto_varint(proto, (uint64_t)value);
}

void proto_float(Proto *proto, int field, float value) {
    tag(proto, field, FIXED_32);
    text_add_bytes(proto, &value, sizeof value);
}

void proto_bytes(Proto *proto, int field, const void *bytes, size_t size) {
    tag(proto, field, LENGTH);
    proto_varint(proto, size);
    text_add_bytes(proto, bytes, size);
}

void proto_text(Proto *proto, int field, const char *text) { proto_bytes(proto, field, text, strlen(text)); }

void proto_message(Proto *proto, int field, const Proto *inner) {
    proto_bytes(proto, field, inner->data, inner->length);
}

void add_names(Proto *message, int field, const char *names) {
    if (*names == '\0') return;
    for (;;) {
        size_t length = strcspn(names, ",");
        proto_bytes(message, field, names, length);
        if (names[length] == '\0') return;
        names += length + 1;
    }
}

Proto onnx_node(Arena *arena, const char *op_type, const char *name, const char *inputs, const char *outputs) {
    Proto node = text_new(arena);
    add_names(&node, NODE_INPUT, inputs);
    add_names(&node, NODE_OUTPUT, outputs);
    proto_text(&node, NODE_NAME, name);
    proto_text(&node, NODE_OP_TYPE, op_type);
    return node;
}

Proto onnx_tensor(Arena *arena, const char *name, int type, int rank, const int64_t *dims) {
    Proto tensor = text_new(arena);
    for (int i = 0; i < rank; i++) proto_int(&tensor, TENSOR_DIMS, dims[i]);
    proto_int(&tensor, TENSOR_DATA_TYPE, type);
    proto_text(&tensor, TENSOR_NAME, name);
    return tensor;
}

Proto onnx_value(Arena *arena, const char *name, int type, int rank, const int64_t *dims) {
    Proto shape = text_new(arena), tensor = text_new(arena), outer = text_new(arena), value = text_new(arena);
    for (int i = 0; i < rank; i++) {
        Proto dim = text_new(arena);
        if (dims[i] >= 0) proto_int(&dim, 1, dims[i]);
        if (dims[i] == -1) proto_text(&dim, 2, "N");
        proto_message(&shape, 1, &dim);
    }
    proto_int(&tensor, 1, type);
    proto_message(&tensor, 2, &shape);
    proto_message(&outer, 1, &tensor);
    proto_text(&value, 1, name);
    proto_message(&value, 2, &outer);
    return value;
}

Proto onnx_pair(Arena *arena, const char *key, const char *text) {
    Proto pair = text_new(arena);
    proto_text(&pair, 1, key);
    proto_text(&pair, 2, text);
    return pair;
}

Proto onnx_opset(Arena *arena, const char *domain, int64_t version) {
    Proto opset = text_new(arena);
    proto_text(&opset, 1, domain);
    proto_int(&opset, 2, version);
    return opset;
}

Proto onnx_attribute(Arena *arena, const char *name, int type) {
    Proto attribute = text_new(arena);
    proto_text(&attribute, ATTRIBUTE_NAME, name);
    proto_int(&attribute, ATTRIBUTE_TYPE, type);
    return attribute;
}

Proto onnx_model(Arena *arena, int ir_version, int opset, const Proto *graph) {
    Proto model = text_new(arena), import = onnx_opset(arena, "", opset);
    proto_int(&model, MODEL_IR_VERSION, ir_version);
    proto_text(&model, MODEL_PRODUCER_NAME, "test");
    proto_message(&model, MODEL_OPSET_IMPORT, &import);
    proto_message(&model, MODEL_GRAPH, graph);
    return model;
}

Proto onnx_int_attribute(Arena *arena, const char *name, int64_t value) {
    Proto attribute = onnx_attribute(arena, name, ATTRIBUTE_TYPE_INT);
    proto_int(&attribute, ATTRIBUTE_I, value);
    return attribute;
}

Proto onnx_reference(Arena *arena, const char *name, int type, const char *to) {
    Proto attribute = onnx_attribute(arena, name, type);
    proto_text(&attribute, ATTRIBUTE_REF, to);
    return attribute;
}

Proto onnx_if(const Proto *then_branch, const Proto *else_branch, const char *outputs) {
    Arena *arena = then_branch->arena;
    Proto node = onnx_node(arena, "If", "if", "condition", outputs);
    Proto first = onnx_attribute(arena, "then_branch", ATTRIBUTE_TYPE_GRAPH);
    Proto second = onnx_attribute(arena, "else_branch", ATTRIBUTE_TYPE_GRAPH);
    proto_message(&first, ATTRIBUTE_G, then_branch);
    proto_message(&second, ATTRIBUTE_G, else_branch);
    add_attribute(&node, &first);
    add_attribute(&node, &second);
    return node;
}

Proto onnx_function(Arena *arena, const char *name, const char *inputs, const char *outputs) {
    Proto function = text_new(arena), import = onnx_opset(arena, "", 13);
    proto_text(&function, FUNCTION_NAME, name);
    proto_text(&function, FUNCTION_DOMAIN, "local");
    add_names(&function, FUNCTION_INPUT, inputs);
    add_names(&function, FUNCTION_OUTPUT, outputs);
    proto_message(&function, FUNCTION_OPSET_IMPORT, &import);
    return function;
}

Proto onnx_call(Arena *arena, const char *function, const char *name, const char *inputs, const char *outputs) {
    Proto node = onnx_node(arena, function, name, inputs, outputs);
    proto_text(&node, NODE_DOMAIN, "local");
    return node;
}

Proto onnx_function_model(const Proto *graph, int count, const Proto *functions) {
    Proto import = onnx_opset(graph->arena, "local", 1), model = onnx_model(graph->arena, 8, 17, graph);
    proto_message(&model, MODEL_OPSET_IMPORT, &import);
    for (int i = 0; i < count; i++) proto_message(&model, MODEL_FUNCTIONS, &functions[i]);
    return model;
}

void add_function_node(Proto *function, const Proto *node) { proto_message(function, FUNCTION_NODE, node); }

void add_attribute(Proto *node, const Proto *attribute) { proto_message(node, NODE_ATTRIBUTE, attribute); }

void add_node(Proto *graph, const char *op_type, const char *name, const char *inputs, const char *outputs) {
    Proto node = onnx_node(graph->arena, op_type, name, inputs, outputs);
    proto_message(graph, GRAPH_NODE, &node);
}

void add_input(Proto *graph, const char *name) {
    Proto value = onnx_value(graph->arena, name, TYPE_FLOAT_NUMBER, 1, (int64_t[]){2});
    proto_message(graph, GRAPH_INPUT, &value);
}

void add_output(Proto *graph, const char *name) {
    Proto value = onnx_value(graph->arena, name, TYPE_FLOAT_NUMBER, 1, (int64_t[]){2});
    proto_message(graph, GRAPH_OUTPUT, &value);
}

void add_float_initializer(Proto *graph, const char *name, int count, const float *values) {
    Proto tensor = onnx_tensor(graph->arena, name, TYPE_FLOAT_NUMBER, 1, (int64_t[]){count});
    proto_bytes(&tensor, TENSOR_RAW_DATA, values, (size_t)count * sizeof *values);
    proto_message(graph, GRAPH_INITIALIZER, &tensor);
}
