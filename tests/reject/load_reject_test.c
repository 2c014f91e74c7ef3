/* What the loader does with wrong and hostile files: a message that says where, the right status, nothing leaked.
 * The tests follow the rows of the table "Bad input" in docs/trust.md. */
#include "support/test.h"

#include "support/loading.h"

#include "load/external.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* A graph with an input x and an output y, to which a test adds what is wrong. */
static Proto new_graph(void) {
    Proto graph = text_new(arena);
    add_input(&graph, "x");
    add_output(&graph, "y");
    return graph;
}

static void assert_bytes_refused(const void *bytes, size_t size, const char *text) {
    assert_refused(loading_bytes(bytes, size, NULL, NULL), STATUS_INVALID, text);
}

/* Writes folder/name and returns its path. */
static const char *write_file(const char *folder, const char *name, const void *bytes, size_t size) {
    const char *path = test_path(arena, folder, name);
    write_bytes(path, bytes, size);
    return path;
}

/* ---- damaged files ---- */

/* A model with some of everything in it. */
static Proto rich_model(void) {
    Proto graph = new_graph(), branch = text_new(arena), function = onnx_function(arena, "f", "a", "b");
    Proto negate = onnx_node(arena, "Neg", "", "a", "b"), alpha = onnx_attribute(arena, "alpha", 1);
    Proto strings = onnx_tensor(arena, "s", 8, 1, (int64_t[]){2}),
          open = onnx_value(arena, "condition", 9, 1, (int64_t[]){-1});
    proto_float(&alpha, ATTRIBUTE_F, 0.25f);
    add_attribute(&negate, &alpha);
    add_function_node(&function, &negate);
    add_names(&strings, TENSOR_STRING_DATA, "one,two");
    add_node(&branch, "Neg", "n", "h", "o");
    add_output(&branch, "o");
    Proto call = onnx_call(arena, "f", "call", "x", "h"), node = onnx_if(&branch, &branch, "y");
    proto_message(&graph, GRAPH_INPUT, &open);
    proto_message(&graph, GRAPH_INITIALIZER, &strings);
    add_float_initializer(&graph, "w", 3, (float[]){1, 2, 3});
    proto_message(&graph, GRAPH_NODE, &call);
    proto_message(&graph, GRAPH_NODE, &node);
    Proto import = onnx_opset(arena, "local", 1), model = text_new(arena), onnx = onnx_opset(arena, "", 17);
    proto_int(&model, MODEL_IR_VERSION, 8);
    proto_message(&model, MODEL_OPSET_IMPORT, &onnx);
    proto_message(&model, MODEL_OPSET_IMPORT, &import);
    proto_message(&model, MODEL_FUNCTIONS, &function);
    proto_message(&model, MODEL_GRAPH, &graph); /* last, so that no part of the file is a model */
    return model;
}

static void test_cut_off_at_every_byte(void **state) {
    (void)state;
    Proto model = rich_model();
    Loading *whole = loading_model(&model);
    assert_int_equal(whole->status, STATUS_OK);
    loading_free(whole);
    for (size_t size = 0; size < model.length; size++) {
        uint8_t *bytes = malloc(size + 1); /* of its own, so that a read past the end is seen */
        assert_non_null(bytes);
        memcpy(bytes, model.data, size);
        uint8_t *exact = realloc(bytes, size > 0 ? size : 1);
        assert_bytes_refused(exact, size, "byte ");
        free(exact);
    }
}

/* A flipped bit may leave a model that is fine; it may not do harm, or be called a bug. */
static void test_bit_flips(void **state) {
    (void)state;
    enum { ROUNDS = 4000, MOST_FLIPS = 4 };
    Random random = random_new();
    Proto model = rich_model();
    uint8_t *bytes = malloc(model.length);
    assert_non_null(bytes);
    for (int round = 0; round < ROUNDS; round++) {
        memcpy(bytes, model.data, model.length);
        int flips = 1 + (int)random_below(&random, MOST_FLIPS);
        while (flips-- > 0) bytes[random_below(&random, model.length)] ^= (uint8_t)(1u << random_below(&random, 8));
        Loading *loading = loading_bytes(bytes, model.length, NULL, NULL);
        if (loading->status != STATUS_OK && loading->status != STATUS_INVALID && loading->status != STATUS_UNSUPPORTED)
            fail_test("round %d: status %d: %s", round, loading->status, loading->messages);
        if (loading->status != STATUS_OK) assert_non_null(strstr(loading->messages, "error: "));
        loading_free(loading);
    }
    free(bytes);
}

static void test_not_onnx(void **state) {
    (void)state;
    static const char png[] = "\x89PNG\r\n\x1a\n", json[] = "{\"model\": 1}", text[] = "hello, this is no model";
    assert_bytes_refused("", 0, "byte 0: the file is empty");
    assert_bytes_refused(png, sizeof png - 1, "byte ");
    assert_bytes_refused(json, sizeof json - 1, "byte ");
    assert_bytes_refused(text, sizeof text - 1, "byte ");
    assert_bytes_refused("\x08\x08", 2, "byte 2: the file ends without a graph");
    assert_bytes_refused("\x12\x01t", 3, "byte 0: there is no ir_version");
}

static void test_wire_format(void **state) {
    (void)state;
    assert_bytes_refused("\x08", 1, "byte 1, in ModelProto.ir_version: the file ends within a number");
    assert_bytes_refused("\x0D\0\0\0\0", 5,
                         "byte 0, in ModelProto.ir_version: 4 bytes is written where a varint belongs");
    assert_bytes_refused("\x38\x01", 2, "a varint is written where a length belongs");
    assert_bytes_refused("\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 12, "a number has more than 10 bytes");
    assert_bytes_refused("\xFF\xFF\xFF\xFF\xFF\x01", 6, "a field's tag has more than 5 bytes");
    assert_bytes_refused("\x02\x00", 2, "there is no field number 0");
    assert_bytes_refused("\x0B", 1, "field 1 has wire type 3");
    assert_bytes_refused("\x0E", 1, "field 1 has wire type 6");
    assert_bytes_refused("\x08\x08\x08\x08", 4, "byte 2, in ModelProto.ir_version: is given twice");
    assert_bytes_refused("\x3A\x05\x0A\x00", 4, "a length of 5, where 2 bytes are left");
    assert_bytes_refused("\x3A\x03\x0A\x05\x00", 5, "in ModelProto.graph.node: a length of 5, where 1 bytes are left");
    assert_bytes_refused("\x12\x03"
                         "a\0b",
                         5, "byte 3, in ModelProto.producer_name: a NUL inside a name");
    assert_bytes_refused("\x3A\x80\x80\x80\x80\x08", 6, "2 GiB and more need external data");
    assert_bytes_refused("\x3A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 11, "2 GiB and more need external data");
}

static void test_packed_fields(void **state) {
    (void)state;
    Proto graph = new_graph(), tensor = onnx_tensor(arena, "w", 1, 1, (int64_t[]){1});
    proto_bytes(&tensor, TENSOR_FLOAT_DATA, "\0\0\0\0\0", 5);
    proto_message(&graph, GRAPH_INITIALIZER, &tensor);
    assert_graph_refused(&graph, STATUS_INVALID,
                         "initializer.float_data: 5 bytes are no whole number of 4-byte elements");
    Proto again = new_graph(), numbers = onnx_tensor(arena, "w", 7, 1, (int64_t[]){1});
    proto_bytes(&numbers, TENSOR_INT64_DATA, "\x80", 1);
    proto_message(&again, GRAPH_INITIALIZER, &numbers);
    assert_graph_refused(&again, STATUS_INVALID, "ends within a packed number");
}

static void test_oneof_given_twice(void **state) {
    (void)state;
    Proto graph = text_new(arena), value = text_new(arena), type = text_new(arena), empty = text_new(arena);
    proto_message(&type, 1, &empty);
    proto_message(&type, 4, &empty);
    proto_text(&value, 1, "x");
    proto_message(&value, 2, &type);
    proto_message(&graph, GRAPH_INPUT, &value);
    assert_graph_refused(&graph, STATUS_INVALID, "input.type.sequence_type: is given beside tensor_type");
}

/* ---- nesting, amplification, size ---- */

/* A graph in an attribute of a node of a graph ..., so many messages deep with the model. */
static Proto nested_model(int depth) {
    Proto message = text_new(arena);
    int levels = depth - 2; /* below the model's graph */
    if (levels % 3 == 1) message = onnx_node(arena, "If", "", "", "");
    if (levels % 3 == 2) message = text_new(arena);
    for (int level = levels; level > 0; level--) {
        Proto outer = text_new(arena);
        proto_message(&outer, level % 3 == 0 ? ATTRIBUTE_G : level % 3 == 1 ? GRAPH_NODE : NODE_ATTRIBUTE, &message);
        message = outer;
    }
    return onnx_model(arena, 8, 17, &message);
}

static void test_nesting(void **state) {
    (void)state;
    Proto most = nested_model(100), more = nested_model(101), far = nested_model(10000);
    Loading *loading = loading_model(&most);
    assert_int_equal(loading->status, STATUS_INVALID); /* it says nothing sensible, but may be unpacked */
    assert_null(strstr(loading->messages, "nested"));
    loading_free(loading);
    assert_model_refused(&more, STATUS_INVALID, "messages are nested more than 100 deep");
    assert_model_refused(&far, STATUS_INVALID, "messages are nested more than 100 deep");
}

static void test_amplification(void **state) {
    (void)state;
    enum { SIZE = 4 << 20 };
    Proto graph = text_new(arena);
    for (int i = 0; i < SIZE / 2; i++) text_add_bytes(&graph, "\x0A\x00", 2); /* a node with nothing in it */
    Proto model = onnx_model(arena, 8, 17, &graph);
    assert_model_refused(&model, STATUS_INVALID, "unpacking takes");
    LoadOptions options = {.budget_multiple = 1000};
    Loading *loading = loading_bytes(model.data, model.length, NULL, &options);
    assert_refused(loading, STATUS_INVALID, "node 0 '' (): it has no op_type");
}

/* Each function calls the one before ten times. */
static void test_functions_that_multiply(void **state) {
    (void)state;
    enum { COUNT = 12, CALLS = 10 };
    Proto functions[COUNT];
    for (int i = 0; i < COUNT; i++) {
        functions[i] = onnx_function(arena, arena_printf(arena, "f%d", i), "a", "b");
        for (int k = 0; k < CALLS; k++) {
            const char *output = k == 0 ? "b" : arena_printf(arena, "b%d", k);
            Proto node = i == 0 ? onnx_node(arena, "Neg", "", "a", output)
                                : onnx_call(arena, arena_printf(arena, "f%d", i - 1), "", "a", output);
            add_function_node(&functions[i], &node);
        }
    }
    Proto graph = new_graph(), call = onnx_call(arena, "f11", "", "x", "y");
    proto_message(&graph, GRAPH_NODE, &call);
    Proto model = onnx_function_model(&graph, COUNT, functions);
    LoadOptions options = {.budget_constant = 1 << 20};
    assert_refused(loading_bytes(model.data, model.length, NULL, &options), STATUS_INVALID, "made to exhaust memory");
}

static void test_two_gigabytes(void **state) {
    (void)state;
    const char *directory = test_folder(arena), *path = write_file(directory, "model.onnx", "", 0);
    assert_int_equal(truncate(path, (off_t)INT_MAX + 1), 0); /* sparse */
    assert_refused(loading_file(path), STATUS_INVALID, "external data");
}

static void test_files_that_cannot_be_read(void **state) {
    (void)state;
    const char *directory = test_folder(arena), *pipe = arena_printf(arena, "%s/pipe", directory);
    assert_refused(loading_file(arena_printf(arena, "%s/none", directory)), STATUS_SYSTEM, "No such file");
    assert_refused(loading_file(directory), STATUS_SYSTEM, "directory");
    assert_refused(loading_file("/dev/null"), STATUS_SYSTEM, "not a regular file");
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_refused(loading_file(pipe), STATUS_SYSTEM, "not a regular file");
}

/* ---- cycles and recursion ---- */

static void test_cycles(void **state) {
    (void)state;
    Proto graph = new_graph();
    add_node(&graph, "Add", "one", "x,c", "a");
    add_node(&graph, "Neg", "two", "a", "b");
    add_node(&graph, "Neg", "three", "b", "c");
    add_node(&graph, "Neg", "last", "c", "y");
    Loading *loading = loading_graph(&graph);
    assert_non_null(strstr(loading->messages, "node 0 'one' (Add)"));
    assert_non_null(strstr(loading->messages, "node 1 'two' (Neg)"));
    assert_non_null(strstr(loading->messages, "node 2 'three' (Neg)"));
    assert_null(strstr(loading->messages, "'last'"));
    assert_refused(loading, STATUS_INVALID, "cycle of 3 nodes");
    Proto alone = new_graph();
    add_node(&alone, "Add", "own", "x,y", "y");
    assert_graph_refused(&alone, STATUS_INVALID, "cycle of 1 node");
}

static void test_cycles_through_and_within_branches(void **state) {
    (void)state;
    Proto through = new_graph(), branch = text_new(arena);
    add_input(&through, "condition");
    add_node(&branch, "Neg", "", "y", "o");
    add_output(&branch, "o");
    Proto node = onnx_if(&branch, &branch, "h");
    proto_message(&through, GRAPH_NODE, &node);
    add_node(&through, "Neg", "", "h", "y");
    assert_graph_refused(&through, STATUS_INVALID, "cycle of 2 nodes");
    Proto outside = new_graph(), looped = text_new(arena);
    add_input(&outside, "condition");
    add_node(&looped, "Add", "p", "x,b", "a");
    add_node(&looped, "Neg", "q", "a", "b");
    add_output(&looped, "b");
    Proto holder = onnx_if(&looped, &looped, "y");
    proto_message(&outside, GRAPH_NODE, &holder);
    assert_graph_refused(&outside, STATUS_INVALID, "cycle of 2 nodes");
}

static void test_function_recursion(void **state) {
    (void)state;
    Proto functions[2] = {onnx_function(arena, "f", "a", "b"), onnx_function(arena, "g", "a", "b")};
    Proto to_g = onnx_call(arena, "g", "", "a", "b"), to_f = onnx_call(arena, "f", "", "a", "b");
    add_function_node(&functions[0], &to_g);
    add_function_node(&functions[1], &to_f);
    Proto graph = new_graph(), call = onnx_call(arena, "f", "call", "x", "y");
    proto_message(&graph, GRAPH_NODE, &call);
    Proto model = onnx_function_model(&graph, 2, functions);
    Loading *loading = loading_model(&model);
    assert_non_null(strstr(loading->messages, "function 'local::g', which is called by"));
    assert_refused(loading, STATUS_INVALID, "function 'local::f' calls itself");
}

static Proto function_chain(int count) {
    Proto *functions = arena_new_array(arena, Proto, (size_t)count);
    for (int i = 0; i < count; i++) {
        functions[i] = onnx_function(arena, arena_printf(arena, "f%d", i), "a", "b");
        Proto node = i == 0 ? onnx_node(arena, "Neg", "", "a", "b")
                            : onnx_call(arena, arena_printf(arena, "f%d", i - 1), "", "a", "b");
        add_function_node(&functions[i], &node);
    }
    Proto graph = new_graph(), call = onnx_call(arena, arena_printf(arena, "f%d", count - 1), "", "x", "y");
    proto_message(&graph, GRAPH_NODE, &call);
    return onnx_function_model(&graph, count, functions);
}

static void test_function_chains(void **state) {
    (void)state;
    Proto most = function_chain(100), more = function_chain(101);
    Loading *loading = loading_model(&most);
    assert_int_equal(loading->status, STATUS_OK);
    loading_free(loading);
    assert_model_refused(&more, STATUS_INVALID, "functions call each other more than 100 deep");
}

/* ---- names ---- */

static void test_duplicates_name_both_places(void **state) {
    (void)state;
    Proto nodes = new_graph();
    add_node(&nodes, "Neg", "first", "x", "y");
    add_node(&nodes, "Relu", "second", "x", "y");
    assert_graph_refused(&nodes, STATUS_INVALID,
                         "'y' comes from two places: node 0 'first' (Neg), and node 1 'second' (Relu)");
    Proto node = new_graph();
    add_node(&node, "Split", "split", "x", "y,y");
    assert_graph_refused(&node, STATUS_INVALID, "'y' comes from two places: node 0 'split' (Split), and node 0");
    Proto input = new_graph();
    add_node(&input, "Neg", "", "x", "x");
    assert_graph_refused(&input, STATUS_INVALID, "'x' comes from two places: input 0, and node 0 '' (Neg)");
    Proto inputs = new_graph();
    add_input(&inputs, "x");
    assert_graph_refused(&inputs, STATUS_INVALID, "'x' comes from two places: input 0, and input 1");
    Proto initializers = new_graph();
    add_float_initializer(&initializers, "w", 1, (float[]){1});
    add_float_initializer(&initializers, "w", 1, (float[]){1});
    assert_graph_refused(&initializers, STATUS_INVALID, "'w' comes from two places: initializer 0, and initializer 1");
    Proto both = new_graph();
    add_input(&both, "w");
    add_input(&both, "w");
    add_float_initializer(&both, "w", 2, (float[]){1, 2});
    assert_graph_refused(&both, STATUS_INVALID, "'w' comes from two places: initializer 0, and input 2");
    Proto outputs = new_graph();
    add_node(&outputs, "Neg", "", "x", "y");
    add_output(&outputs, "y");
    assert_graph_refused(&outputs, STATUS_INVALID, "output 'y': it is there twice, as output 0 and as output 1");
}

static void test_missing_names(void **state) {
    (void)state;
    Proto input = new_graph();
    add_node(&input, "Add", "sum", "x,nowhere", "y");
    assert_graph_refused(&input, STATUS_INVALID, "node 0 'sum' (Add): input 1 is 'nowhere', which nothing makes");
    Proto output = new_graph();
    assert_graph_refused(&output, STATUS_INVALID, "output 'y': output 0 is 'y', which nothing makes");
    Proto none = text_new(arena);
    add_input(&none, "x");
    assert_graph_refused(&none, STATUS_INVALID, "no outputs");
    Proto unnamed = text_new(arena);
    add_input(&unnamed, "");
    assert_graph_refused(&unnamed, STATUS_INVALID, "input 0 has no name");
    Proto initializer = new_graph();
    add_float_initializer(&initializer, "", 1, (float[]){1});
    assert_graph_refused(&initializer, STATUS_INVALID, "initializer 0 has no name");
    Proto operator_ = new_graph();
    add_node(&operator_, "", "n", "x", "y");
    assert_graph_refused(&operator_, STATUS_INVALID, "node 0 'n' (): it has no op_type");
}

static void test_shadowed_names(void **state) {
    (void)state;
    Proto graph = new_graph(), branch = text_new(arena);
    add_input(&graph, "condition");
    add_node(&graph, "Relu", "outside", "x", "h");
    add_node(&branch, "Neg", "inside", "x", "h");
    add_output(&branch, "h");
    Proto node = onnx_if(&branch, &branch, "y");
    proto_message(&graph, GRAPH_NODE, &node);
    assert_graph_refused(
        &graph, STATUS_INVALID,
        "node 1 'if' (If): attribute 'then_branch': node 0 'inside' (Neg): 'h' comes from node 0 'inside' "
        "(Neg), but hides the one of the graph outside, which comes from node 0 'outside' (Relu)");
}

static void test_attributes(void **state) {
    (void)state;
    Proto graph = new_graph(), node = onnx_node(arena, "Op", "op", "x", "y"),
          axis = onnx_int_attribute(arena, "axis", 1);
    Proto other = onnx_int_attribute(arena, "keep", 1);
    add_attribute(&node, &axis);
    add_attribute(&node, &other);
    add_attribute(&node, &axis);
    proto_message(&graph, GRAPH_NODE, &node);
    assert_graph_refused(&graph, STATUS_INVALID,
                         "node 0 'op' (Op): the attribute 'axis' is there twice, as attribute 0 and as "
                         "attribute 2");
}

static void assert_attribute_refused(const Proto *attribute, Status status, const char *text) {
    Proto graph = new_graph(), node = onnx_node(arena, "Op", "op", "x", "y");
    add_attribute(&node, attribute);
    proto_message(&graph, GRAPH_NODE, &node);
    assert_graph_refused(&graph, status, text);
}

static void test_attribute_values(void **state) {
    (void)state;
    Proto two = onnx_int_attribute(arena, "a", 1), wrong = onnx_attribute(arena, "a", 1),
          none = onnx_attribute(arena, "a", 4);
    Proto unknown = onnx_attribute(arena, "a", 99), reference = onnx_reference(arena, "a", 2, "b"),
          nul = onnx_attribute(arena, "a", 3);
    Proto sparse = onnx_attribute(arena, "a", 11), empty = text_new(arena), unnamed = onnx_int_attribute(arena, "", 1);
    Proto nothing = text_new(arena);
    proto_float(&two, ATTRIBUTE_F, 1);
    proto_int(&wrong, ATTRIBUTE_I, 1);
    proto_bytes(&nul, ATTRIBUTE_S, "a\0b", 3);
    proto_message(&sparse, ATTRIBUTE_SPARSE_TENSOR, &empty);
    proto_text(&nothing, ATTRIBUTE_NAME, "a");
    assert_attribute_refused(&two, STATUS_INVALID, "attribute 'a': it has two values, FLOAT and INT");
    assert_attribute_refused(&wrong, STATUS_INVALID, "its type is FLOAT, but it holds INT");
    assert_attribute_refused(&none, STATUS_INVALID, "its type is TENSOR, but it holds none");
    assert_attribute_refused(&unknown, STATUS_INVALID, "there is no attribute type 99");
    assert_attribute_refused(&reference, STATUS_INVALID, "in no function");
    assert_attribute_refused(&nul, STATUS_UNSUPPORTED, "NUL");
    assert_attribute_refused(&sparse, STATUS_UNSUPPORTED, "it holds SPARSE_TENSOR");
    assert_attribute_refused(&unnamed, STATUS_INVALID, "an attribute has no name");
    assert_attribute_refused(&nothing, STATUS_INVALID, "it has no type and no value");
}

static void assert_function_refused(const Proto *function, const Proto *call, const char *text) {
    Proto graph = new_graph();
    proto_message(&graph, GRAPH_NODE, call);
    Proto model = onnx_function_model(&graph, 1, function);
    assert_model_refused(&model, STATUS_INVALID, text);
}

static void test_functions(void **state) {
    (void)state;
    Proto function = onnx_function(arena, "f", "a", "b"), negate = onnx_node(arena, "Neg", "", "a", "b");
    Proto good = onnx_call(arena, "f", "call", "x", "y"), inputs = onnx_call(arena, "f", "call", "x,x", "y");
    Proto outputs = onnx_call(arena, "f", "call", "x", "y,z"), missing = onnx_call(arena, "f", "call", "", "y");
    Proto unmade = onnx_function(arena, "f", "a", "b"), through = onnx_function(arena, "f", "a", "a");
    Proto outside = onnx_function(arena, "f", "a", "b"), uses_x = onnx_node(arena, "Neg", "n", "x", "b");
    add_function_node(&function, &negate);
    add_function_node(&outside, &uses_x);
    assert_function_refused(&function, &inputs, "it has 2 inputs; the function has 1");
    assert_function_refused(&function, &outputs, "it has 2 outputs; the function has 1");
    assert_function_refused(&unmade, &good, "function 'local::f': the function's output 0 is 'b', which nothing makes");
    assert_function_refused(&through, &missing, "is an input that the call leaves out");
    assert_function_refused(&outside, &good,
                            "node 0 'call' (f): function 'local::f': node 0 'n' (Neg): input 0 is 'x', which");
    Proto graph = new_graph(), twice[2] = {function, function};
    proto_message(&graph, GRAPH_NODE, &good);
    Proto model = onnx_function_model(&graph, 2, twice);
    assert_model_refused(&model, STATUS_INVALID,
                         "function 'local::f': it is defined twice, by function 0 and by function 1");
}

/* ---- versions ---- */

static void test_versions(void **state) {
    (void)state;
    Proto graph = new_graph();
    add_node(&graph, "Neg", "", "x", "y");
    Proto newer = onnx_model(arena, 8, NEWEST_OPSET + 1, &graph);
    Proto both = onnx_model(arena, NEWEST_IR_VERSION + 1, NEWEST_OPSET + 1, &graph),
          oldest = onnx_model(arena, 2, 7, &graph);
    Proto wrong = onnx_model(arena, 8, -1, &graph), twice = onnx_model(arena, 8, 17, &graph);
    Proto again = onnx_opset(arena, "ai.onnx", 18);
    proto_message(&twice, MODEL_OPSET_IMPORT, &again);
    assert_model_refused(&newer, STATUS_UNSUPPORTED, "opset_import of domain 'ai.onnx'");
    assert_model_refused(&oldest, STATUS_UNSUPPORTED, "IR version 2");
    assert_model_refused(&wrong, STATUS_INVALID, "version -1 is none");
    assert_model_refused(&twice, STATUS_INVALID, "it is there twice, with version 17 and with version 18");
    Loading *loading = loading_model(&both); /* all that is not supported is listed */
    assert_non_null(strstr(loading->messages, "IR version"));
    assert_refused(loading, STATUS_UNSUPPORTED, "opset_import");
    Proto foreign = new_graph(), node = onnx_node(arena, "Gelu", "g", "x", "y");
    proto_text(&node, NODE_DOMAIN, "com.microsoft");
    proto_message(&foreign, GRAPH_NODE, &node);
    assert_graph_refused(&foreign, STATUS_INVALID, "its domain 'com.microsoft' is not imported");
}

/* ---- shapes and types ---- */

static void assert_shape_refused(int rank, const int64_t *dims, Status status, const char *text) {
    Proto input = new_graph(), value = onnx_value(arena, "z", 1, rank, dims);
    proto_message(&input, GRAPH_INPUT, &value);
    assert_graph_refused(&input, status, text);
    Proto constant = new_graph(), tensor = onnx_tensor(arena, "z", 1, rank, dims);
    proto_message(&constant, GRAPH_INITIALIZER, &tensor);
    assert_graph_refused(&constant, status, text);
}

static void test_dimensions(void **state) {
    (void)state;
    assert_shape_refused(2, (int64_t[]){INT64_MAX, INT64_MAX}, STATUS_INVALID, "more than 64 bits can hold");
    assert_shape_refused(1, (int64_t[]){INT64_MAX}, STATUS_UNSUPPORTED, "generated code can count to 2147483647");
    assert_shape_refused(3, (int64_t[]){65536, 65536, 2}, STATUS_UNSUPPORTED, "it has 8589934592 elements");
    assert_shape_refused(9, (int64_t[]){1, 1, 1, 1, 1, 1, 1, 1, 1}, STATUS_UNSUPPORTED, "it has 9 dimensions");
    Proto constant = new_graph(), tensor = onnx_tensor(arena, "w", 1, 1, (int64_t[]){-1});
    proto_message(&constant, GRAPH_INITIALIZER, &tensor);
    assert_graph_refused(&constant, STATUS_INVALID, "initializer 'w': dimension 0 is -1");
    Proto input = new_graph(), dim = text_new(arena), shape = text_new(arena), type = text_new(arena);
    Proto outer = text_new(arena), value = text_new(arena);
    proto_int(&dim, 1, INT64_MIN);
    proto_message(&shape, 1, &dim);
    proto_int(&type, 1, 1);
    proto_message(&type, 2, &shape);
    proto_message(&outer, 1, &type);
    proto_text(&value, 1, "z");
    proto_message(&value, 2, &outer);
    proto_message(&input, GRAPH_INPUT, &value);
    assert_graph_refused(&input, STATUS_INVALID, "input 'z': dimension 0 is -9223372036854775808");
}

/* An input whose TypeProto has this field. */
static Proto graph_with_type(int field, const Proto *inner) {
    Proto graph = new_graph(), type = text_new(arena), value = text_new(arena);
    if (inner != NULL) proto_message(&type, field, inner);
    proto_text(&value, 1, "z");
    proto_message(&value, 2, &type);
    proto_message(&graph, GRAPH_INPUT, &value);
    add_node(&graph, "Neg", "", "x", "y");
    return graph;
}

static void test_types(void **state) {
    (void)state;
    static const struct {
        int field;
        const char *text;
    } others[] = {{5, "input 'z': it is a map"}, {7, "it is of an opaque type"}, {8, "it is a sparse tensor"}};
    Proto empty = text_new(arena), unknown = text_new(arena), value = text_new(arena);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        Proto graph = graph_with_type(others[i].field, &empty);
        assert_graph_refused(&graph, STATUS_UNSUPPORTED, others[i].text);
    }
    Proto none = graph_with_type(0, NULL), no_element = graph_with_type(1, &empty), untyped = new_graph();
    assert_graph_refused(&none, STATUS_INVALID, "input 'z': it has no type");
    assert_graph_refused(&no_element, STATUS_INVALID, "it has no element type");
    proto_int(&unknown, 1, 99);
    Proto element = graph_with_type(1, &unknown);
    assert_graph_refused(&element, STATUS_UNSUPPORTED, "element type has the number 99");
    proto_text(&value, 1, "z");
    proto_message(&untyped, GRAPH_INPUT, &value);
    assert_graph_refused(&untyped, STATUS_INVALID, "input 'z': it has no type");
    Proto sparse = new_graph();
    proto_message(&sparse, GRAPH_SPARSE_INITIALIZER, &empty);
    add_node(&sparse, "Neg", "", "x", "y");
    assert_graph_refused(&sparse, STATUS_UNSUPPORTED, "sparse_initializer '': fovea has no sparse tensors");
    Proto disagree = new_graph();
    add_input(&disagree, "w"); /* float [2] */
    add_float_initializer(&disagree, "w", 3, (float[]){1, 2, 3});
    assert_graph_refused(&disagree, STATUS_INVALID,
                         "input 'w': it is stated as float[2], but its initializer is float[3]");
}

/* Sequences and optional values: what they hold. */
static void test_holding_types(void **state) {
    (void)state;
    enum { ELEMENT_TYPE = 1, SEQUENCE = 4, OPTIONAL = 9 };
    const int holders[] = {SEQUENCE, OPTIONAL};
    Proto empty = text_new(arena);
    for (size_t i = 0; i < sizeof holders / sizeof *holders; i++) {
        Proto graph = graph_with_type(holders[i], &empty), untyped = text_new(arena), of_map = text_new(arena);
        Proto map = text_new(arena), nothing = text_new(arena);
        assert_graph_refused(&graph, STATUS_INVALID, "input 'z': it does not say the type of what it holds");
        proto_message(&untyped, ELEMENT_TYPE, &nothing);
        graph = graph_with_type(holders[i], &untyped);
        assert_graph_refused(&graph, STATUS_INVALID, "input 'z': it does not say the type of what it holds");
        proto_message(&map, 5, &empty);
        proto_message(&of_map, ELEMENT_TYPE, &map);
        graph = graph_with_type(holders[i], &of_map);
        assert_graph_refused(&graph, STATUS_UNSUPPORTED, "input 'z': it holds what are no tensors");
    }
}

/* ---- data of tensors ---- */

static void assert_tensor_refused(const Proto *tensor, Status status, const char *text) {
    Proto graph = new_graph();
    proto_message(&graph, GRAPH_INITIALIZER, tensor);
    add_node(&graph, "Neg", "", "x", "y");
    assert_graph_refused(&graph, status, text);
}

static Proto tensor_of(int type, int field, const void *bytes, size_t size) {
    Proto tensor = onnx_tensor(arena, "w", type, 1, (int64_t[]){2});
    proto_bytes(&tensor, field, bytes, size);
    return tensor;
}

static void test_tensor_data(void **state) {
    (void)state;
    static const char zeros[64];
    Proto shorter = tensor_of(1, TENSOR_RAW_DATA, zeros, 7), longer = tensor_of(1, TENSOR_RAW_DATA, zeros, 9);
    Proto none = onnx_tensor(arena, "w", 1, 1, (int64_t[]){2}), two = tensor_of(1, TENSOR_RAW_DATA, zeros, 8);
    Proto wrong = tensor_of(1, TENSOR_INT32_DATA, zeros, 2), strings = tensor_of(8, TENSOR_RAW_DATA, zeros, 16);
    Proto few = tensor_of(7, TENSOR_INT64_DATA, zeros, 1), nibbles = tensor_of(22, TENSOR_RAW_DATA, zeros, 2);
    Proto range = tensor_of(2, TENSOR_INT32_DATA, "\x80\x02\x00", 3),
          huge = onnx_tensor(arena, "w", 1, 1, (int64_t[]){2147483647});
    Proto large = tensor_of(12, TENSOR_UINT64_DATA, "\xFF\xFF\xFF\xFF\x7F\x00", 6),
          segment = tensor_of(1, TENSOR_RAW_DATA, zeros, 8);
    Proto nul = onnx_tensor(arena, "w", 8, 1, (int64_t[]){1}), some = tensor_of(1, TENSOR_RAW_DATA, zeros, 8),
          empty = text_new(arena);
    proto_bytes(&two, TENSOR_FLOAT_DATA, zeros, 8);
    proto_bytes(&huge, TENSOR_RAW_DATA, zeros, 8);
    proto_message(&segment, TENSOR_SEGMENT, &empty);
    proto_bytes(&nul, TENSOR_STRING_DATA, "a\0b", 3);
    Proto pair = onnx_pair(arena, "location", "file");
    proto_message(&some, TENSOR_EXTERNAL_DATA, &pair);
    Proto nowhere = onnx_tensor(arena, "w", 99, 1, (int64_t[]){2}), location = tensor_of(1, TENSOR_RAW_DATA, zeros, 8);
    proto_int(&location, TENSOR_DATA_LOCATION, 7);
    assert_tensor_refused(&shorter, STATUS_INVALID,
                          "initializer 'w': raw_data has 7 bytes; 2 elements of float need 8");
    assert_tensor_refused(&longer, STATUS_INVALID, "raw_data has 9 bytes");
    assert_tensor_refused(&huge, STATUS_INVALID, "2147483647 elements of float need 8589934588");
    assert_tensor_refused(&none, STATUS_INVALID, "it has no data for its 2 elements");
    assert_tensor_refused(&two, STATUS_INVALID, "it has data in two fields, float_data and raw_data");
    assert_tensor_refused(&wrong, STATUS_INVALID, "its data is in int32_data; for float it belongs in float_data");
    assert_tensor_refused(&strings, STATUS_INVALID, "its data is in raw_data; for string it belongs in string_data");
    assert_tensor_refused(&few, STATUS_INVALID, "int64_data has 1 elements; 2 elements of int64 need 2");
    assert_tensor_refused(&nibbles, STATUS_INVALID, "raw_data has 2 bytes; 2 elements of int4 need 1");
    assert_tensor_refused(&range, STATUS_INVALID, "element 0 of int32_data is 256, which is no uint8");
    assert_tensor_refused(&large, STATUS_INVALID, "element 0 of uint64_data is too large for a uint32");
    assert_tensor_refused(&segment, STATUS_UNSUPPORTED, "it is a segment of a tensor");
    assert_tensor_refused(&nul, STATUS_UNSUPPORTED, "element 0 is a string with a NUL in it");
    assert_tensor_refused(&some, STATUS_INVALID, "data_location is not EXTERNAL");
    assert_tensor_refused(&nowhere, STATUS_UNSUPPORTED, "element type has the number 99");
    assert_tensor_refused(&location, STATUS_INVALID, "its data_location is 7");
}

static void test_sequence_files(void **state) {
    (void)state;
    const char *directory = test_folder(arena), *path;
    Proto tensor = tensor_of(1, TENSOR_RAW_DATA, "\0\0\0\0\0\0\0\0", 8), sequence = text_new(arena);
    proto_text(&sequence, 1, "x");
    proto_int(&sequence, 2, 1);
    path = write_file(directory, "empty.pb", sequence.data, sequence.length);
    assert_refused(loading_tensor_file(path), STATUS_UNSUPPORTED, "a sequence or an optional value");
    proto_message(&sequence, 3, &tensor);
    path = write_file(directory, "one.pb", sequence.data, sequence.length);
    assert_refused(loading_tensor_file(path), STATUS_UNSUPPORTED, "a sequence or an optional value");
    path = write_file(directory, "cut.pb", tensor.data, tensor.length - 1);
    assert_refused(loading_tensor_file(path), STATUS_INVALID,
                   "in TensorProto.raw_data: a length of 8, where 7 bytes are left");
    assert_refused(loading_tensor_file(write_file(directory, "none.pb", "", 0)), STATUS_INVALID, "empty");
}

/* ---- external data ---- */

/* Loads a model whose w is 16 bytes of external data under these keys ("location", "file", ...), from a directory. */
static Loading *load_external(const char *directory, int pairs, const char *const *keys_and_values) {
    Proto graph = new_graph(), tensor = onnx_tensor(arena, "w", 1, 1, (int64_t[]){4});
    for (int i = 0; i < pairs; i++) {
        Proto pair = onnx_pair(arena, keys_and_values[2 * i], keys_and_values[2 * i + 1]);
        proto_message(&tensor, TENSOR_EXTERNAL_DATA, &pair);
    }
    proto_int(&tensor, TENSOR_DATA_LOCATION, 1);
    proto_message(&graph, GRAPH_INITIALIZER, &tensor);
    add_node(&graph, "Add", "", "x,w", "y");
    Proto model = onnx_model(arena, 8, 17, &graph);
    return loading_bytes(model.data, model.length, directory, NULL);
}

static void assert_location_refused(const char *directory, const char *location, const char *text) {
    assert_refused(load_external(directory, 1, (const char *[]){"location", location}), STATUS_INVALID, text);
}

static void test_external_locations(void **state) {
    (void)state;
    const char *top = test_folder(arena), *directory = arena_printf(arena, "%s/model", top);
    static const char data[64];
    assert_int_equal(mkdir(directory, 0700), 0);
    const char *secret = write_file(top, "secret", data, sizeof data);
    const char *file = write_file(directory, "file", data, sizeof data);
    const char *linked = write_file(directory, "linked", data, sizeof data);
    assert_int_equal(symlink(secret, arena_printf(arena, "%s/symlink", directory)), 0);
    assert_int_equal(symlink("file", arena_printf(arena, "%s/inner_symlink", directory)), 0);
    assert_int_equal(symlink(top, arena_printf(arena, "%s/up", directory)), 0);
    assert_int_equal(link(linked, arena_printf(arena, "%s/hardlink", directory)), 0);
    assert_int_equal(mkdir(arena_printf(arena, "%s/folder", directory), 0700), 0);
    assert_int_equal(mkfifo(arena_printf(arena, "%s/fifo", directory), 0600), 0);
    Loading *fine = load_external(directory, 1, (const char *[]){"location", "file"});
    if (fine->status != STATUS_OK) fail_test("%s", fine->messages);
    loading_free(fine);
    assert_location_refused(directory, "../secret", "initializer 'w': external data '../secret' has '..' in its path");
    assert_location_refused(directory, "folder/../../secret", "has '..' in its path");
    assert_location_refused(directory, "..", "has '..' in its path");
    assert_location_refused(directory, secret, "has an absolute path");
    assert_location_refused(directory, file, "has an absolute path");
    assert_location_refused(directory, "symlink", "symbolic link");
    assert_location_refused(directory, "inner_symlink", "symbolic link");
    assert_location_refused(directory, "up/secret", "symbolic link");
    assert_location_refused(directory, "hardlink", "hard links");
    assert_location_refused(directory, "folder", "is a directory");
    assert_location_refused(directory, ".", "is a directory");
    assert_location_refused(directory, "folder/", "is named as a directory");
    assert_location_refused(directory, "folder//file", "empty component");
    assert_location_refused(directory, "fifo", "is not a regular file");
    assert_location_refused(directory, "none", "No such file");
    assert_location_refused(directory, "", "has an empty name");
    assert_location_refused("/dev", "null", "is not a regular file");
    assert_location_refused("/proc/self", "exe", "symbolic link");
    assert_location_refused(NULL, "file", "the model is not in a directory");
    assert_location_refused(arena_printf(arena, "%s/gone", top), "file", "No such file");
}

static void assert_keys_refused(const char *directory, int pairs, const char *const *keys_and_values,
                                const char *text) {
    assert_refused(load_external(directory, pairs, keys_and_values), STATUS_INVALID, text);
}

static void test_external_regions(void **state) {
    (void)state;
    static const char data[64];
    const char *directory = test_folder(arena);
    write_file(directory, "f", data, sizeof data);
#define KEYS(...) (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *) / 2), (const char *[]){__VA_ARGS__}
    Loading *fine = load_external(directory, KEYS("location", "f", "offset", "48", "length", "16"));
    assert_int_equal(fine->status, STATUS_OK);
    loading_free(fine);
    assert_keys_refused(directory, KEYS("location", "f", "offset", "49"),
                        "external data 'f' ends before the tensor's data");
    assert_keys_refused(directory, KEYS("location", "f", "offset", "65"), "ends before");
    assert_keys_refused(directory, KEYS("location", "f", "offset", "9223372036854775807", "length", "16"),
                        "ends before");
    assert_keys_refused(directory, KEYS("location", "f", "offset", "18446744073709551608"), "is no offset");
    assert_keys_refused(directory, KEYS("location", "f", "offset", "-8"), "'-8' is no offset of external data");
    assert_keys_refused(directory, KEYS("location", "f", "offset", "0x10"), "is no offset");
    assert_keys_refused(directory, KEYS("location", "f", "offset", ""), "is no offset");
    assert_keys_refused(directory, KEYS("location", "f", "length", "15"), "another length");
    assert_keys_refused(directory, KEYS("location", "f", "length", "17"), "another length");
    assert_keys_refused(directory, KEYS("location", "f", "length", "18446744073709551632"), "is no length");
    assert_keys_refused(directory, KEYS("location", "f", "secret", "1"), "an unknown key 'secret'");
    assert_keys_refused(directory, KEYS("location", "f", "location", "f"), "two keys 'location'");
    assert_keys_refused(directory, KEYS("offset", "0"), "has no location");
    assert_refused(load_external(directory, 0, NULL), STATUS_INVALID, "has no location");
#undef KEYS
}

/* One file that is used for so many tensors that it becomes many times its size. */
static void test_external_amplification(void **state) {
    (void)state;
    enum { SIZE = 1 << 16, TENSORS = 64 };
    const char *directory = test_folder(arena);
    write_file(directory, "file", arena_alloc(arena, SIZE), SIZE);
    Proto graph = new_graph();
    for (int i = 0; i < TENSORS; i++) {
        Proto tensor = onnx_tensor(arena, arena_printf(arena, "w%d", i), 2, 1, (int64_t[]){SIZE});
        Proto pair = onnx_pair(arena, "location", "file");
        proto_message(&tensor, TENSOR_EXTERNAL_DATA, &pair);
        proto_int(&tensor, TENSOR_DATA_LOCATION, 1);
        proto_message(&graph, GRAPH_INITIALIZER, &tensor);
    }
    add_node(&graph, "Neg", "", "x", "y");
    Proto model = onnx_model(arena, 8, 17, &graph);
    LoadOptions options = {.budget_multiple = 8, .budget_constant = 1 << 18};
    assert_refused(loading_bytes(model.data, model.length, directory, &options), STATUS_INVALID, "memory may run out");
}

/* Where there is no openat2(), each component is opened by itself: to the same effect. */
static void test_opening_by_components(void **state) {
    (void)state;
    const char *top = test_folder(arena), *folder = arena_printf(arena, "%s/folder", top);
    assert_int_equal(mkdir(folder, 0700), 0);
    write_file(folder, "file", "data", 4);
    assert_int_equal(symlink("folder", arena_printf(arena, "%s/link", top)), 0);
    assert_int_equal(symlink("file", arena_printf(arena, "%s/link", folder)), 0);
    int directory = open(top, O_RDONLY | O_DIRECTORY);
    assert_true(directory >= 0);
    for (OpenMethod method = OPEN_BEST; method <= OPEN_BY_COMPONENTS; method++) {
        int file = external_open(directory, "folder/file", method);
        assert_true(file >= 0);
        close(file);
        assert_int_equal(external_open(directory, "link/file", method), -1);
        assert_int_equal(external_open(directory, "folder/link", method), -1);
        assert_int_equal(external_open(directory, "folder/none", method), -1);
        assert_int_equal(errno, ENOENT);
        char *name = arena_alloc(arena, 302);
        memset(name, 'n', 300);
        assert_int_equal(external_open(directory, name, method), -1);
        assert_int_equal(errno, ENAMETOOLONG);
    }
    close(directory);
}

/* ---- names that are weapons ---- */

static void test_messages_are_safe_to_print(void **state) {
    (void)state;
    Proto graph = new_graph();
    char *long_name = arena_alloc(arena, 1 << 20);
    memset(long_name, 'x', (1 << 20) - 1);
    add_node(&graph, "Neg\n%s%n", "a\x1b[2J\xe2\x80\xae*/\xff", long_name, "y");
    Loading *loading = loading_graph(&graph);
    assert_null(strchr(loading->messages, '\x1b'));
    assert_null(strstr(loading->messages, "\xe2\x80\xae"));
    assert_null(strchr(loading->messages, '\xff'));
    assert_ptr_equal(strchr(loading->messages, '\n'), loading->messages + strlen(loading->messages) - 1);
    assert_true(strlen(loading->messages) < 2000);
    assert_refused(loading, STATUS_INVALID, "which nothing makes");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_cut_off_at_every_byte),
        TEST(test_bit_flips),
        TEST(test_not_onnx),
        TEST(test_wire_format),
        TEST(test_packed_fields),
        TEST(test_oneof_given_twice),
        TEST(test_nesting),
        TEST(test_amplification),
        TEST(test_functions_that_multiply),
        TEST(test_two_gigabytes),
        TEST(test_files_that_cannot_be_read),
        TEST(test_cycles),
        TEST(test_cycles_through_and_within_branches),
        TEST(test_function_recursion),
        TEST(test_function_chains),
        TEST(test_duplicates_name_both_places),
        TEST(test_missing_names),
        TEST(test_shadowed_names),
        TEST(test_attributes),
        TEST(test_attribute_values),
        TEST(test_functions),
        TEST(test_versions),
        TEST(test_dimensions),
        TEST(test_types),
        TEST(test_holding_types),
        TEST(test_tensor_data),
        TEST(test_sequence_files),
        TEST(test_external_locations),
        TEST(test_external_regions),
        TEST(test_external_amplification),
        TEST(test_opening_by_components),
        TEST(test_messages_are_safe_to_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
