/* Loads models that tests have written, and keeps what came of it. */
#include "support/loading.h"

#include "support/test.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    Loading *loading;
    const void *bytes;
    size_t size;
    const char *directory;
    const LoadOptions *options;
    const char *path;
} Request;

static void load_bytes_body(void *argument) {
    const Request *request = argument;
    Loading *loading = request->loading;
    loading->graph =
        load_model_bytes(loading->arena, request->bytes, request->size, request->directory, request->options);
    graph_check(loading->graph, "load");
}

static void load_file_body(void *argument) {
    const Request *request = argument;
    request->loading->graph = load_model(request->loading->arena, request->path, NULL);
    graph_check(request->loading->graph, "load");
}

static void load_tensor_body(void *argument) {
    const Request *request = argument;
    const char *name;
    request->loading->tensor = load_tensor_file(request->loading->arena, request->path, &name);
}

static Loading *run(void (*body)(void *argument), Request request) {
    Loading *loading = calloc(1, sizeof *loading);
    assert_non_null(loading);
    request.loading = loading;
    loading->arena = arena_new();
    diag_capture(loading->messages, sizeof loading->messages);
    loading->status = guard(body, &request);
    diag_capture(NULL, 0);
    if (loading->status != STATUS_OK) loading->graph = NULL;
    return loading;
}

Loading *loading_bytes(const void *bytes, size_t size, const char *directory, const LoadOptions *options) {
    return run(load_bytes_body, (Request){.bytes = bytes, .size = size, .directory = directory, .options = options});
}

Loading *loading_model(const Proto *model) { return loading_bytes(model->data, model->length, NULL, NULL); }

Loading *loading_graph(const Proto *graph) {
    Proto model = onnx_model(graph->arena, 8, 17, graph);
    return loading_model(&model);
}

Loading *loading_file(const char *path) { return run(load_file_body, (Request){.path = path}); }

Loading *loading_tensor_file(const char *path) { return run(load_tensor_body, (Request){.path = path}); }

void loading_free(Loading *loading) {
    arena_free(loading->arena);
    free(loading);
}

void assert_refused(Loading *loading, Status status, const char *text) {
    if (loading->status != status || strstr(loading->messages, text) == NULL) {
        fail_test("wanted status %d and '%s', got status %d and: %s", status, text, loading->status, loading->messages);
    }
    loading_free(loading);
}

void assert_model_refused(const Proto *model, Status status, const char *text) {
    assert_refused(loading_model(model), status, text);
}

void assert_graph_refused(const Proto *graph, Status status, const char *text) {
    assert_refused(loading_graph(graph), status, text);
}

Value *graph_find_value(const Graph *graph, const char *name) {
    for (int i = 0; i < graph->values.count; i++)
        if (strcmp(graph->values.items[i]->name, name) == 0) return graph->values.items[i];
    fail_test("no value %s", name);
    return NULL;
}

Node *graph_find_node(const Graph *graph, const char *name) {
    for (int i = 0; i < graph->nodes.count; i++)
        if (strcmp(graph->nodes.items[i]->name, name) == 0) return graph->nodes.items[i];
    fail_test("no node %s", name);
    return NULL;
}
