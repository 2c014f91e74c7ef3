/* What the loader makes of right models: types and data fields, names, graphs within nodes, functions, module paths.
 * Models are written by tests/support/proto_writer. */
#include "support/test.h"

#include "support/loading.h"

#include <string.h>
#include <sys/stat.h>

static Arena *arena; /* of what is written; one for each test */

static int setup(void **state) {
    (void)state;
    arena = arena_new();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    arena_free(arena);
    return 0;
}

/* Loads a graph, which has to be fine. */
static Loading *load_fine(const Proto *graph) {
    Loading *loading = loading_graph(graph);
    if (loading->status != STATUS_OK) fail_test("%s", loading->messages);
    return loading;
}

/* y = Identity(w), w being an initializer. */
static Loading *load_tensor_fine(const Proto *tensor) {
    Proto graph = text_new(arena);
    proto_message(&graph, GRAPH_INITIALIZER, tensor);
    add_node(&graph, "Identity", "", "w", "y");
    add_output(&graph, "y");
    return load_fine(&graph);
}

static void assert_data(const Proto *tensor, Type type, const void *expected, size_t size) {
    Loading *loading = load_tensor_fine(tensor);
    const Value *value = graph_find_value(loading->graph, "w");
    assert_non_null(value->constant);
    assert_int_equal(value->type, type);
    assert_int_equal(value->constant->type, type);
    assert_int_equal(tensor_bytes(value->constant), size);
    assert_memory_equal(value->constant->data, expected, size);
    loading_free(loading);
}

/* A tensor w of four elements with packed varints in a field. */
static Proto packed_tensor(Type type, int field, int count, const int64_t *values) {
    Proto tensor = onnx_tensor(arena, "w", (int)type, 1, (int64_t[]){4}), packed = text_new(arena);
    for (int i = 0; i < count; i++) proto_varint(&packed, (uint64_t)values[i]);
    proto_message(&tensor, field, &packed);
    return tensor;
}

static Proto bytes_tensor(Type type, int field, const void *bytes, size_t size) {
    Proto tensor = onnx_tensor(arena, "w", (int)type, 1, (int64_t[]){4});
    proto_bytes(&tensor, field, bytes, size);
    return tensor;
}

static void test_raw_data_of_every_type(void **state) {
    (void)state;
    uint8_t bytes[64];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 37 + 1);
    for (Type type = TYPE_FLOAT; type < TYPE_COUNT; type++) {
        const TypeInfo *info = type_info(type);
        if (type == TYPE_STRING || type == TYPE_BOOL || info->bits < 8) continue;
        Proto tensor = bytes_tensor(type, TENSOR_RAW_DATA, bytes, 4 * (size_t)info->bytes);
        assert_data(&tensor, type, bytes, 4 * (size_t)info->bytes);
    }
}

static void test_bools_become_0_and_1(void **state) {
    (void)state;
    Proto raw = bytes_tensor(TYPE_BOOL, TENSOR_RAW_DATA, (uint8_t[]){0, 1, 2, 255}, 4);
    assert_data(&raw, TYPE_BOOL, (uint8_t[]){0, 1, 1, 1}, 4);
    Proto typed = packed_tensor(TYPE_BOOL, TENSOR_INT32_DATA, 4, (int64_t[]){1, 0, 0, 1});
    assert_data(&typed, TYPE_BOOL, (uint8_t[]){1, 0, 0, 1}, 4);
}

static void test_subbyte_types_get_a_byte_each(void **state) {
    (void)state;
    static const uint8_t nibbles[] = {0x81, 0x7F}; /* 1, 8, 15, 7 */
    static const uint8_t pairs[] = {0xE4};         /* 0, 1, 2, 3 */
    for (int raw = 0; raw < 2; raw++) {
        Proto int4 = raw ? bytes_tensor(TYPE_INT4, TENSOR_RAW_DATA, nibbles, 2)
                         : packed_tensor(TYPE_INT4, TENSOR_INT32_DATA, 2, (int64_t[]){0x81, 0x7F});
        assert_data(&int4, TYPE_INT4, (int8_t[]){1, -8, -1, 7}, 4);
        Proto int2 = raw ? bytes_tensor(TYPE_INT2, TENSOR_RAW_DATA, pairs, 1)
                         : packed_tensor(TYPE_INT2, TENSOR_INT32_DATA, 1, (int64_t[]){0xE4});
        assert_data(&int2, TYPE_INT2, (int8_t[]){0, 1, -2, -1}, 4);
    }
    Proto uint4 = bytes_tensor(TYPE_UINT4, TENSOR_RAW_DATA, nibbles, 2);
    assert_data(&uint4, TYPE_UINT4, (uint8_t[]){1, 8, 15, 7}, 4);
    Proto float4 = bytes_tensor(TYPE_FLOAT4E2M1, TENSOR_RAW_DATA, nibbles, 2);
    assert_data(&float4, TYPE_FLOAT4E2M1, (uint8_t[]){1, 8, 15, 7}, 4);
    Proto uint2 = bytes_tensor(TYPE_UINT2, TENSOR_RAW_DATA, pairs, 1);
    assert_data(&uint2, TYPE_UINT2, (uint8_t[]){0, 1, 2, 3}, 4);
}

static void test_odd_count_of_subbyte_elements(void **state) {
    (void)state;
    Proto tensor = onnx_tensor(arena, "w", TYPE_UINT4, 1, (int64_t[]){3});
    proto_bytes(&tensor, TENSOR_RAW_DATA, (uint8_t[]){0x21, 0x03}, 2);
    assert_data(&tensor, TYPE_UINT4, (uint8_t[]){1, 2, 3}, 3);
}

static void test_int32_data(void **state) {
    (void)state;
    static const int64_t small[] = {-1, 0, 1, 127}, large[] = {-2147483648LL, -1, 0, 2147483647};
    Proto int32 = packed_tensor(TYPE_INT32, TENSOR_INT32_DATA, 4, large);
    assert_data(&int32, TYPE_INT32, (int32_t[]){INT32_MIN, -1, 0, INT32_MAX}, 16);
    Proto int16 = packed_tensor(TYPE_INT16, TENSOR_INT32_DATA, 4, small);
    assert_data(&int16, TYPE_INT16, (int16_t[]){-1, 0, 1, 127}, 8);
    Proto int8 = packed_tensor(TYPE_INT8, TENSOR_INT32_DATA, 4, small);
    assert_data(&int8, TYPE_INT8, (int8_t[]){-1, 0, 1, 127}, 4);
    static const int64_t words[] = {0, 1, 0x7E01, 0xFFFF}, bytes[] = {0, 1, 0x7E, 0xFF};
    static const Type word_types[] = {TYPE_UINT16, TYPE_FLOAT16, TYPE_BFLOAT16};
    static const Type byte_types[] = {TYPE_UINT8,      TYPE_FLOAT8E4M3FN,   TYPE_FLOAT8E4M3FNUZ,
                                      TYPE_FLOAT8E5M2, TYPE_FLOAT8E5M2FNUZ, TYPE_FLOAT8E8M0};
    for (size_t i = 0; i < sizeof word_types / sizeof *word_types; i++) {
        Proto tensor = packed_tensor(word_types[i], TENSOR_INT32_DATA, 4, words);
        assert_data(&tensor, word_types[i], (uint16_t[]){0, 1, 0x7E01, 0xFFFF}, 8);
    }
    for (size_t i = 0; i < sizeof byte_types / sizeof *byte_types; i++) {
        Proto tensor = packed_tensor(byte_types[i], TENSOR_INT32_DATA, 4, bytes);
        assert_data(&tensor, byte_types[i], (uint8_t[]){0, 1, 0x7E, 0xFF}, 4);
    }
}

static void test_wide_data_fields(void **state) {
    (void)state;
    static const int64_t values[] = {INT64_MIN, -1, 0, INT64_MAX};
    Proto int64 = packed_tensor(TYPE_INT64, TENSOR_INT64_DATA, 4, values);
    assert_data(&int64, TYPE_INT64, values, 32);
    Proto uint64 = packed_tensor(TYPE_UINT64, TENSOR_UINT64_DATA, 4, values);
    assert_data(&uint64, TYPE_UINT64, values, 32);
    Proto uint32 = packed_tensor(TYPE_UINT32, TENSOR_UINT64_DATA, 4, (int64_t[]){0, 1, 2, 0xFFFFFFFFLL});
    assert_data(&uint32, TYPE_UINT32, (uint32_t[]){0, 1, 2, 0xFFFFFFFFu}, 16);
}

static void test_float_data_fields(void **state) {
    (void)state;
    uint32_t bits[8] = {0x7FC01234u, 0x80000000u, 0x00000001u, 0x7F800000u, 1, 2, 3, 4}; /* NaN payload, -0, denormal */
    double doubles[8] = {1.5, -0.0, 3, 4, 5, 6, 7, 8};
    Proto float_ = bytes_tensor(TYPE_FLOAT, TENSOR_FLOAT_DATA, bits, 16);
    assert_data(&float_, TYPE_FLOAT, bits, 16);
    Proto complex64 = bytes_tensor(TYPE_COMPLEX64, TENSOR_FLOAT_DATA, bits, 32);
    assert_data(&complex64, TYPE_COMPLEX64, bits, 32);
    Proto double_ = bytes_tensor(TYPE_DOUBLE, TENSOR_DOUBLE_DATA, doubles, 32);
    assert_data(&double_, TYPE_DOUBLE, doubles, 32);
    Proto complex128 = bytes_tensor(TYPE_COMPLEX128, TENSOR_DOUBLE_DATA, doubles, 64);
    assert_data(&complex128, TYPE_COMPLEX128, doubles, 64);
    Proto unpacked = onnx_tensor(arena, "w", TYPE_FLOAT, 1, (int64_t[]){2}); /* as proto2 writes without [packed] */
    proto_float(&unpacked, TENSOR_FLOAT_DATA, 1.5f);
    proto_float(&unpacked, TENSOR_FLOAT_DATA, -2.0f);
    assert_data(&unpacked, TYPE_FLOAT, (float[]){1.5f, -2.0f}, 8);
}

static void test_string_data(void **state) {
    (void)state;
    Proto tensor = onnx_tensor(arena, "w", TYPE_STRING, 1, (int64_t[]){3});
    add_names(&tensor, TENSOR_STRING_DATA, "one,,t\xFFhree");
    Loading *loading = load_tensor_fine(&tensor);
    const char **strings = graph_find_value(loading->graph, "w")->constant->data;
    assert_string_equal(strings[0], "one");
    assert_string_equal(strings[1], "");
    assert_string_equal(strings[2], "t\xFFhree");
    loading_free(loading);
}

static void test_scalars_and_empty_tensors(void **state) {
    (void)state;
    Proto scalar = onnx_tensor(arena, "w", TYPE_FLOAT, 0, NULL);
    proto_bytes(&scalar, TENSOR_RAW_DATA, (float[]){2.5f}, 4);
    assert_data(&scalar, TYPE_FLOAT, (float[]){2.5f}, 4);
    Proto empty = onnx_tensor(arena, "w", TYPE_INT64, 3, (int64_t[]){2, 0, 3});
    Loading *loading = load_tensor_fine(&empty);
    const Tensor *tensor = graph_find_value(loading->graph, "w")->constant;
    assert_int_equal(tensor_count(tensor), 0);
    assert_non_null(tensor->data);
    loading_free(loading);
}

static void test_large_tensors_are_aligned(void **state) {
    (void)state;
    enum { COUNT = 100000 };
    float *values = arena_new_array(arena, float, COUNT);
    Proto graph = text_new(arena);
    add_float_initializer(&graph, "small", 1, values);
    add_float_initializer(&graph, "middle", 70, values);
    add_float_initializer(&graph, "large", COUNT, values);
    add_node(&graph, "Concat", "", "small,middle,large", "y");
    add_output(&graph, "y");
    Loading *loading = load_fine(&graph);
    assert_int_equal((uintptr_t)graph_find_value(loading->graph, "small")->constant->data % 16, 0);
    assert_int_equal((uintptr_t)graph_find_value(loading->graph, "middle")->constant->data % 64, 0);
    assert_int_equal((uintptr_t)graph_find_value(loading->graph, "large")->constant->data % 64, 0);
    loading_free(loading);
}

static void test_nodes_and_values(void **state) {
    (void)state;
    Proto graph = text_new(arena);
    proto_text(&graph, GRAPH_NAME, "main");
    add_input(&graph, "x");
    add_node(&graph, "Clip", "enc/Clip_1", "x,,high", "y,");
    add_float_initializer(&graph, "high", 1, (float[]){6});
    add_float_initializer(&graph, "unused", 1, (float[]){6});
    add_output(&graph, "y");
    Loading *loading = load_fine(&graph);
    const Graph *loaded = loading->graph;
    assert_int_equal(loaded->ir_version, 8);
    assert_int_equal(loaded->opset, 17);
    assert_string_equal(loaded->producer, "test");
    assert_int_equal(loaded->inputs.count, 1);
    assert_true(loaded->inputs.items[0]->is_input);
    assert_int_equal(loaded->inputs.items[0]->type, TYPE_FLOAT);
    assert_int_equal(loaded->inputs.items[0]->shape.dims[0].size, 2);
    assert_int_equal(loaded->values.count, 3); /* what nothing reads is dropped */
    const Node *node = graph_find_node(loaded, "enc/Clip_1");
    assert_string_equal(node->op_type, "Clip");
    assert_string_equal(node->sources.items[0], "enc/Clip_1");
    assert_string_equal(node->scope, "enc");
    assert_int_equal(node->opset, 17);
    assert_int_equal(node->index, 0);
    assert_int_equal(node->inputs.count, 3);
    assert_null(node->inputs.items[1]);
    assert_ptr_equal(node->inputs.items[2], graph_find_value(loaded, "high"));
    assert_null(node->outputs.items[1]);
    assert_true(loaded->outputs.items[0]->is_output);
    assert_ptr_equal(loaded->outputs.items[0]->producer, node);
    loading_free(loading);
}

static void test_symbols_are_shared(void **state) {
    (void)state;
    Proto graph = text_new(arena);
    Proto x = onnx_value(arena, "x", TYPE_FLOAT, 3, (int64_t[]){-1, -2, 0});
    Proto y = onnx_value(arena, "y", TYPE_INT4, 1, (int64_t[]){-1});
    proto_message(&graph, GRAPH_INPUT, &x);
    proto_message(&graph, GRAPH_INPUT, &y);
    add_node(&graph, "Op", "", "x,y", "z");
    add_output(&graph, "z");
    Loading *loading = load_fine(&graph);
    const Shape *first = &loading->graph->inputs.items[0]->shape, *second = &loading->graph->inputs.items[1]->shape;
    assert_int_equal(first->rank, 3);
    assert_int_equal(first->dims[0].size, -1);
    assert_string_equal(first->dims[0].symbol, "N");
    assert_true(dim_equal(first->dims[0], second->dims[0]));
    assert_int_equal(first->dims[1].size, -1);
    assert_null(first->dims[1].symbol);
    assert_int_equal(first->dims[2].size, 0);
    loading_free(loading);
}

/* IR version 3 has every initializer among the inputs. */
static void test_initializers_that_are_inputs_are_constants(void **state) {
    (void)state;
    Proto graph = text_new(arena);
    add_input(&graph, "w");
    add_input(&graph, "x");
    add_float_initializer(&graph, "w", 2, (float[]){1, 2});
    add_node(&graph, "Add", "", "x,w", "y");
    add_output(&graph, "y");
    Proto model = onnx_model(arena, 3, 7, &graph);
    Loading *loading = loading_model(&model);
    assert_int_equal(loading->status, STATUS_OK);
    assert_int_equal(loading->graph->inputs.count, 1);
    assert_string_equal(loading->graph->inputs.items[0]->name, "x");
    assert_false(graph_find_value(loading->graph, "w")->is_input);
    loading_free(loading);
}

static void test_outputs_may_be_inputs_and_constants(void **state) {
    (void)state;
    Proto graph = text_new(arena);
    add_input(&graph, "x");
    add_float_initializer(&graph, "w", 2, (float[]){1, 2});
    add_output(&graph, "x");
    add_output(&graph, "w");
    Loading *loading = load_fine(&graph);
    assert_ptr_equal(loading->graph->outputs.items[0], loading->graph->inputs.items[0]);
    assert_non_null(loading->graph->outputs.items[1]->constant);
    loading_free(loading);
}

static void test_nodes_in_any_order(void **state) {
    (void)state;
    Proto graph = text_new(arena);
    add_input(&graph, "x");
    add_node(&graph, "Relu", "second", "h", "y");
    add_node(&graph, "Neg", "first", "x", "h");
    add_output(&graph, "y");
    Loading *loading = load_fine(&graph);
    assert_string_equal(loading->graph->nodes.items[0]->name, "first");
    assert_non_null(strstr(loading->messages, "brought in order"));
    loading_free(loading);
}

static void test_domains_and_opsets(void **state) {
    (void)state;
    Proto graph = text_new(arena), spelt = onnx_node(arena, "Relu", "spelt", "x", "y");
    Proto other = onnx_node(arena, "Gelu", "other", "y", "z"), import = onnx_opset(arena, "com.microsoft", 1);
    proto_text(&spelt, NODE_DOMAIN, "ai.onnx");
    proto_text(&other, NODE_DOMAIN, "com.microsoft");
    add_input(&graph, "x");
    proto_message(&graph, GRAPH_NODE, &spelt);
    proto_message(&graph, GRAPH_NODE, &other);
    add_output(&graph, "z");
    Proto model = onnx_model(arena, 8, 17, &graph);
    proto_message(&model, MODEL_OPSET_IMPORT, &import);
    Loading *loading = loading_model(&model);
    assert_int_equal(loading->status, STATUS_OK);
    assert_string_equal(graph_find_node(loading->graph, "spelt")->domain, "");
    assert_int_equal(graph_find_node(loading->graph, "spelt")->opset, 17);
    assert_string_equal(graph_find_node(loading->graph, "other")->domain, "com.microsoft");
    assert_int_equal(graph_find_node(loading->graph, "other")->opset, 1);
    loading_free(loading);
}

/* ---- attributes ---- */

static void test_attributes_of_every_kind(void **state) {
    (void)state;
    Proto graph = text_new(arena), node = onnx_node(arena, "Op", "op", "x", "y");
    Proto f = onnx_attribute(arena, "f", 1), i = onnx_attribute(arena, "i", 2), s = onnx_attribute(arena, "s", 3);
    Proto t = onnx_attribute(arena, "t", 4), fs = onnx_attribute(arena, "fs", 6), is = onnx_attribute(arena, "is", 7);
    Proto ss = onnx_attribute(arena, "ss", 8), ts = onnx_attribute(arena, "ts", 9);
    Proto zero = onnx_attribute(arena, "zero", 2); /* proto3 writers leave a zero out */
    Proto untyped = text_new(arena), tensor = onnx_tensor(arena, "", TYPE_INT64, 1, (int64_t[]){1});
    proto_int(&tensor, TENSOR_INT64_DATA, 42);
    proto_float(&f, ATTRIBUTE_F, 0.5f);
    proto_int(&i, ATTRIBUTE_I, -3);
    proto_text(&s, ATTRIBUTE_S, "SAME");
    proto_message(&t, ATTRIBUTE_T, &tensor);
    proto_float(&fs, ATTRIBUTE_FLOATS_FIELD, 1);
    proto_float(&fs, ATTRIBUTE_FLOATS_FIELD, 2);
    proto_int(&is, ATTRIBUTE_INTS_FIELD, 7);
    add_names(&ss, ATTRIBUTE_STRINGS_FIELD, "a,b");
    proto_message(&ts, ATTRIBUTE_TENSORS_FIELD, &tensor);
    proto_text(&untyped, ATTRIBUTE_NAME, "untyped");
    proto_int(&untyped, ATTRIBUTE_INTS_FIELD, 9);
    const Proto *all[] = {&f, &i, &s, &t, &fs, &is, &ss, &ts, &zero, &untyped};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) add_attribute(&node, all[k]);
    add_input(&graph, "x");
    proto_message(&graph, GRAPH_NODE, &node);
    add_output(&graph, "y");

    Loading *loading = load_fine(&graph);
    const Node *loaded = graph_find_node(loading->graph, "op");
    assert_true(node_attribute(loaded, "f")->number == 0.5f);
    assert_int_equal(node_attribute(loaded, "i")->integer, -3);
    assert_string_equal(node_attribute(loaded, "s")->string, "SAME");
    assert_int_equal(tensor_int(node_attribute(loaded, "t")->tensor, 0), 42);
    assert_int_equal(node_attribute(loaded, "fs")->count, 2);
    assert_true(node_attribute(loaded, "fs")->numbers[1] == 2.0f);
    assert_int_equal(node_attribute(loaded, "is")->integers[0], 7);
    assert_int_equal(node_attribute(loaded, "ss")->count, 2);
    assert_string_equal(node_attribute(loaded, "ss")->strings[1], "b");
    assert_int_equal(node_attribute(loaded, "ts")->kind, ATTRIBUTE_TENSORS);
    assert_int_equal(tensor_int(node_attribute(loaded, "ts")->tensors[0], 0), 42);
    assert_int_equal(node_attribute(loaded, "zero")->kind, ATTRIBUTE_INT);
    assert_int_equal(node_attribute(loaded, "zero")->integer, 0);
    assert_int_equal(node_attribute(loaded, "untyped")->kind, ATTRIBUTE_INTS);
    loading_free(loading);
}

static void test_graphs_within_nodes(void **state) {
    (void)state;
    Proto graph = text_new(arena), branch = text_new(arena), outer = text_new(arena);
    add_node(&branch, "Neg", "negate", "h", "y"); /* both branches may call theirs like the output of the If */
    add_output(&branch, "y");
    add_output(&outer, "h"); /* a value of the graph outside, twice */
    add_output(&outer, "h");
    Proto node = onnx_if(&branch, &outer, "y");
    add_input(&graph, "x");
    add_input(&graph, "condition");
    add_node(&graph, "Relu", "", "x", "h");
    proto_message(&graph, GRAPH_NODE, &node);
    add_output(&graph, "y");

    Loading *loading = load_fine(&graph);
    const Node *loaded = graph_find_node(loading->graph, "if");
    const Graph *then_branch = node_attribute(loaded, "then_branch")->graph;
    const Graph *else_branch = node_attribute(loaded, "else_branch")->graph;
    const Value *h = graph_find_value(loading->graph, "h");
    assert_ptr_equal(then_branch->outer, loading->graph);
    assert_int_equal(then_branch->opset, 17);
    assert_ptr_equal(graph_find_node(then_branch, "negate")->inputs.items[0], h);
    assert_int_equal(h->consumers.count, 3);
    assert_ptr_not_equal(else_branch->outputs.items[0], h);
    assert_string_not_equal(else_branch->outputs.items[0]->name, else_branch->outputs.items[1]->name);
    assert_string_equal(else_branch->nodes.items[0]->op_type, "Identity");
    assert_ptr_equal(else_branch->nodes.items[0]->inputs.items[0], h);
    loading_free(loading);
}

/* ---- functions ---- */

static Loading *load_model_fine(const Proto *model) {
    Loading *loading = loading_model(model);
    if (loading->status != STATUS_OK) fail_test("%s", loading->messages);
    return loading;
}

/* outer(a) = inner(a, axis = outer's axis); inner(p, axis = 1, keep) = Neg(Softmax(p, axis, keep)) */
static void test_nested_functions_and_attributes(void **state) {
    (void)state;
    Proto functions[2] = {onnx_function(arena, "inner", "p", "q"), onnx_function(arena, "outer", "a", "b")};
    Proto softmax = onnx_node(arena, "Softmax", "softmax", "p", "t"), negate = onnx_node(arena, "Neg", "", "t", "q");
    Proto axis = onnx_reference(arena, "axis", 2, "axis"), keep = onnx_reference(arena, "keep", 2, "keep"),
          fixed = onnx_int_attribute(arena, "axis", 1);
    add_attribute(&softmax, &axis);
    add_attribute(&softmax, &keep);
    add_function_node(&functions[0], &softmax);
    add_function_node(&functions[0], &negate);
    proto_message(&functions[0], FUNCTION_ATTRIBUTE_PROTO, &fixed);
    Proto inner_call = onnx_call(arena, "inner", "in", "a", "b"), passed = onnx_reference(arena, "axis", 2, "ax");
    add_attribute(&inner_call, &passed);
    add_function_node(&functions[1], &inner_call);

    Proto graph = text_new(arena);
    Proto first = onnx_call(arena, "outer", "one", "x", "h"), second = onnx_call(arena, "outer", "", "h", "y");
    Proto minus = onnx_int_attribute(arena, "ax", -1);
    add_attribute(&first, &minus);
    add_input(&graph, "x");
    proto_message(&graph, GRAPH_NODE, &first);
    proto_message(&graph, GRAPH_NODE, &second);
    add_output(&graph, "y");
    Proto model = onnx_function_model(&graph, 2, functions);

    Loading *loading = load_model_fine(&model);
    assert_int_equal(loading->graph->nodes.count, 4);
    const Node *given = graph_find_node(loading->graph, "one/in/softmax");
    const Node *missing = graph_find_node(loading->graph, "outer_1/in/softmax");
    assert_int_equal(node_attribute(given, "axis")->integer, -1);
    assert_null(node_attribute(given, "keep"));
    assert_int_equal(node_attribute(missing, "axis")->integer, 1); /* no ax, so inner's default */
    assert_int_equal(given->opset, 13);
    assert_int_equal(missing->index, 1); /* of the call in the file */
    assert_string_equal(given->outputs.items[0]->name, "one/in/t");
    assert_ptr_equal(given->inputs.items[0], loading->graph->inputs.items[0]);
    assert_string_equal(graph_find_node(loading->graph, "outer_1/in/Neg_1")->outputs.items[0]->name, "y");
    loading_free(loading);
}

static void test_function_outputs_without_a_node(void **state) {
    (void)state;
    Proto function = onnx_function(arena, "f", "a,b", "a,c,c,d"), graph = text_new(arena);
    Proto negate = onnx_node(arena, "Neg", "", "a", "c"), add = onnx_node(arena, "Op", "op", "c,b", "d");
    Proto call = onnx_call(arena, "f", "call", "x", "p,q,r");
    add_function_node(&function, &negate);
    add_function_node(&function, &add);
    add_input(&graph, "x");
    proto_message(&graph, GRAPH_NODE, &call);
    add_output(&graph, "p");
    add_output(&graph, "q");
    add_output(&graph, "r");
    Proto model = onnx_function_model(&graph, 1, &function);
    Loading *loading = load_model_fine(&model);
    assert_null(graph_find_node(loading->graph, "call/op")->inputs.items[1]);
    assert_string_equal(loading->graph->outputs.items[0]->producer->op_type, "Identity");
    assert_string_equal(loading->graph->outputs.items[1]->producer->op_type, "Neg");
    assert_string_equal(loading->graph->outputs.items[2]->producer->op_type, "Identity");
    loading_free(loading);
}

static void test_inlined_names_stay_unique(void **state) {
    (void)state;
    Proto function = onnx_function(arena, "f", "a", "c"), graph = text_new(arena);
    Proto one = onnx_node(arena, "Neg", "", "a", "b"), two = onnx_node(arena, "Neg", "", "b", "c");
    Proto call = onnx_call(arena, "f", "call", "h", "y");
    add_function_node(&function, &one);
    add_function_node(&function, &two);
    add_input(&graph, "x");
    add_node(&graph, "Relu", "", "x", "call/b");
    add_node(&graph, "Relu", "", "call/b", "h");
    proto_message(&graph, GRAPH_NODE, &call);
    add_output(&graph, "y");
    Proto model = onnx_function_model(&graph, 1, &function);
    Loading *loading = load_model_fine(&model);
    const Graph *loaded = loading->graph;
    for (int i = 0; i < loaded->values.count; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(loaded->values.items[i]->name, loaded->values.items[k]->name);
    loading_free(loading);
}

/* A graph handed to a function is understood where the call stands: "h" is the caller's. */
static void test_graph_as_argument_of_a_function(void **state) {
    (void)state;
    Proto function = onnx_function(arena, "f", "condition", "r"), graph = text_new(arena), branch = text_new(arena);
    Proto inner = onnx_node(arena, "If", "if", "condition", "r");
    Proto first = onnx_reference(arena, "then_branch", 5, "body"),
          second = onnx_reference(arena, "else_branch", 5, "body");
    add_attribute(&inner, &first);
    add_attribute(&inner, &second);
    add_function_node(&function, &inner);
    add_node(&branch, "Neg", "negate", "h", "o");
    add_output(&branch, "o");
    Proto call = onnx_call(arena, "f", "call", "c", "y"), body = onnx_attribute(arena, "body", 5);
    proto_message(&body, ATTRIBUTE_G, &branch);
    add_attribute(&call, &body);
    add_input(&graph, "h");
    add_input(&graph, "c");
    proto_message(&graph, GRAPH_NODE, &call);
    add_output(&graph, "y");
    Proto model = onnx_function_model(&graph, 1, &function);
    Loading *loading = load_model_fine(&model);
    const Node *node = graph_find_node(loading->graph, "call/if");
    const Graph *then_branch = node_attribute(node, "then_branch")->graph;
    assert_ptr_equal(then_branch->outer, loading->graph);
    assert_ptr_equal(then_branch->nodes.items[0]->inputs.items[0], loading->graph->inputs.items[0]);
    assert_ptr_not_equal(then_branch, node_attribute(node, "else_branch")->graph);
    loading_free(loading);
}

/* ---- module paths ---- */

static void assert_scope(const char *node_name, const char *name_scopes, const char *expected) {
    Proto graph = text_new(arena), node = onnx_node(arena, "Relu", node_name, "x", "y");
    if (name_scopes != NULL) {
        Proto pair = onnx_pair(arena, "pkg.torch.onnx.name_scopes", name_scopes);
        proto_message(&node, NODE_METADATA, &pair);
    }
    add_input(&graph, "x");
    proto_message(&graph, GRAPH_NODE, &node);
    add_output(&graph, "y");
    Loading *loading = load_fine(&graph);
    assert_string_equal(loading->graph->nodes.items[0]->scope, expected);
    loading_free(loading);
}

static void test_module_paths(void **state) {
    (void)state;
    /* as PyTorch's TorchScript exporter names nodes */
    assert_scope("/layer1/layer1.0/se/Sigmoid", NULL, "layer1.0.se");
    assert_scope("/layer1/layer1.0/seq/seq.1/seq.1.0/Relu", NULL, "layer1.0.seq.1.0");
    assert_scope("/stages.1.0/se/fc1/Conv", NULL, "stages.1.0.se.fc1");
    assert_scope("/a/a/Relu", NULL, "a.a");
    assert_scope("/layer1/layer10/Relu", NULL, "layer1.layer10");
    assert_scope("/Relu", NULL, "");
    assert_scope("Relu_3", NULL, "");
    assert_scope("", NULL, "");
    assert_scope("/", NULL, "");
    assert_scope("//", NULL, "");
    /* as the dynamo exporter does */
    assert_scope("node_mul", "['', 'layer1', 'layer1.0', 'layer1.0.se', 'mul']", "layer1.0.se");
    assert_scope("node_add", "['', 'add']", "");
    assert_scope("/from/Name", "['add']", "");
    assert_scope("n", "['', \"it's\", 'x']", "it's");
    assert_scope("n", "['', 'a\\'b\\\\', 'x']", "a'b\\");
    assert_scope("n", "['_empty_nn_module_stack_from_metadata_hook', 'sym_size_int']", "");
    assert_scope("n", "['', 'a', 'unfinished", "");
    assert_scope("n", "", "");
}

/* Models from tf2onnx: the names of their nodes, and the scopes that these become, one for each, up to a NULL. */
static void assert_keras_scopes(const char *const *names, const char *const *expected) {
    Proto graph = text_new(arena);
    add_input(&graph, "y0");
    int count = 0;
    for (; names[count] != NULL; count++) {
        const char *from = arena_printf(arena, "y%d", count), *to = arena_printf(arena, "y%d", count + 1);
        Proto node = onnx_node(arena, "Relu", names[count], from, to);
        proto_message(&graph, GRAPH_NODE, &node);
    }
    add_output(&graph, arena_printf(arena, "y%d", count));
    Proto model = text_new(arena), import = onnx_opset(arena, "", 17);
    proto_int(&model, MODEL_IR_VERSION, 8);
    proto_text(&model, MODEL_PRODUCER_NAME, "tf2onnx");
    proto_message(&model, MODEL_OPSET_IMPORT, &import);
    proto_message(&model, MODEL_GRAPH, &graph);
    Loading *loading = loading_model(&model);
    if (loading->status != STATUS_OK) print_error("%s", loading->messages);
    assert_int_equal(loading->status, STATUS_OK);
    for (int i = 0; i < count; i++) assert_string_equal(loading->graph->nodes.items[i]->scope, expected[i]);
    loading_free(loading);
}

#define ASSERT_KERAS(names, ...)                                                                                       \
    assert_keras_scopes((const char *const[]){names, NULL}, (const char *const[]){__VA_ARGS__})
#define NAMES(...) __VA_ARGS__

static void test_keras_paths(void **state) {
    (void)state;
    /* traced once more: all names are numbered, "se_2" has become "se_2_1" */
    ASSERT_KERAS(NAMES("net_1/se_1/pool_1/Mean", "net_1/se_2_1/Tensordot/MatMul", "Transpose__21", "net_1/Mean",
                       "net_1/softmax_1/Softmax"),
                 "se.pool", "se_2.Tensordot", "", "", "softmax");
    /* a SavedModel */
    ASSERT_KERAS(NAMES("StatefulPartitionedCall/net_1/se_1/mul", "StatefulPartitionedCall/net_1/fc_3/MatMul"), "se",
                 "fc");
    ASSERT_KERAS(NAMES("PartitionedCall/StatefulPartitionedCall/net/se/mul", "PartitionedCall"), "se", "");
    /* traced once: numbers are of the layers' own names */
    ASSERT_KERAS(NAMES("model/conv2d/Conv2D", "model/conv2d_1/Conv2D"), "conv2d", "conv2d_1");
    ASSERT_KERAS(NAMES("model_1/conv2d/Conv2D", "model_1/conv2d_1/Conv2D"), "conv2d", "conv2d_1");
    /* no model around the layers; nothing but a model; what is no number */
    ASSERT_KERAS(NAMES("conv/Conv2D", "se/mul"), "conv", "se");
    ASSERT_KERAS(NAMES("net/Relu", "net/Mean"), "", "");
    ASSERT_KERAS(NAMES("net_1/_1/a_1/x", "net_1/b_/_/x"), "_1.a_1", "b_._");
    ASSERT_KERAS(NAMES("a", "", "/"), "", "", "");
}

/* ---- files ---- */

/* Writes folder/name and returns its path. */
static const char *write_file(const char *folder, const char *name, const void *bytes, size_t size) {
    const char *path = test_path(arena, folder, name);
    write_bytes(path, bytes, size);
    return path;
}

static void test_external_data(void **state) {
    (void)state;
    const char *directory = test_folder(arena), *below = arena_printf(arena, "%s/below", directory);
    assert_int_equal(mkdir(below, 0700), 0);
    static const float values[4] = {0, 1, 2, 3};
    write_file(below, "weights.bin", values, sizeof values);
    Proto graph = text_new(arena), tensor = onnx_tensor(arena, "w", TYPE_FLOAT, 1, (int64_t[]){2});
    Proto location = onnx_pair(arena, "location", "below/weights.bin"), offset = onnx_pair(arena, "offset", "8");
    Proto length = onnx_pair(arena, "length", "8"), checksum = onnx_pair(arena, "checksum", "0");
    const Proto *pairs[] = {&location, &offset, &length, &checksum};
    for (int i = 0; i < 4; i++) proto_message(&tensor, TENSOR_EXTERNAL_DATA, pairs[i]);
    proto_int(&tensor, TENSOR_DATA_LOCATION, 1);
    proto_message(&graph, GRAPH_INITIALIZER, &tensor);
    add_node(&graph, "Identity", "", "w", "y");
    add_output(&graph, "y");
    Proto model = onnx_model(arena, 8, 17, &graph);
    const char *path = write_file(directory, "model.onnx", model.data, model.length);
    Loading *loading = loading_file(path);
    if (loading->status != STATUS_OK) fail_test("%s", loading->messages);
    assert_memory_equal(graph_find_value(loading->graph, "w")->constant->data, values + 2, 8);
    assert_non_null(strstr(loading->messages, "checksum"));
    loading_free(loading);
}

static void test_tensor_files(void **state) {
    (void)state;
    const char *directory = test_folder(arena);
    Proto tensor = bytes_tensor(TYPE_FLOAT, TENSOR_FLOAT_DATA, (float[]){1, 2, 3, 4}, 16);
    const char *path = write_file(directory, "input_0.pb", tensor.data, tensor.length), *name = NULL;
    Arena *own = arena_new();
    Tensor *loaded = load_tensor_file(own, path, &name);
    assert_string_equal(name, "w");
    assert_int_equal(loaded->shape.dims[0].size, 4);
    assert_true(tensor_number(loaded, 3) == 4);
    arena_free(own);
    /* dimensions packed, as proto3 does it */
    Proto packed = text_new(arena);
    proto_bytes(&packed, TENSOR_DIMS, (uint8_t[]){2, 1}, 2);
    proto_int(&packed, TENSOR_DATA_TYPE, TYPE_FLOAT);
    proto_bytes(&packed, TENSOR_RAW_DATA, (float[]){1, 2}, 8);
    write_file(directory, "input_0.pb", packed.data, packed.length);
    Loading *loading = loading_tensor_file(path);
    assert_int_equal(loading->status, STATUS_OK);
    assert_int_equal(loading->tensor->shape.rank, 2);
    loading_free(loading);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_raw_data_of_every_type),
        TEST(test_bools_become_0_and_1),
        TEST(test_subbyte_types_get_a_byte_each),
        TEST(test_odd_count_of_subbyte_elements),
        TEST(test_int32_data),
        TEST(test_wide_data_fields),
        TEST(test_float_data_fields),
        TEST(test_string_data),
        TEST(test_scalars_and_empty_tensors),
        TEST(test_large_tensors_are_aligned),
        TEST(test_nodes_and_values),
        TEST(test_symbols_are_shared),
        TEST(test_initializers_that_are_inputs_are_constants),
        TEST(test_outputs_may_be_inputs_and_constants),
        TEST(test_nodes_in_any_order),
        TEST(test_domains_and_opsets),
        TEST(test_attributes_of_every_kind),
        TEST(test_graphs_within_nodes),
        TEST(test_nested_functions_and_attributes),
        TEST(test_function_outputs_without_a_node),
        TEST(test_inlined_names_stay_unique),
        TEST(test_graph_as_argument_of_a_function),
        TEST(test_module_paths),
        TEST(test_keras_paths),
        TEST(test_external_data),
        TEST(test_tensor_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
