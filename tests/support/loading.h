/* Loads models that tests have written, and keeps what came of it: the graph, or the status and the messages. */
#ifndef FOVEA_TESTS_SUPPORT_LOADING_H
#define FOVEA_TESTS_SUPPORT_LOADING_H

#include "load/load.h"
#include "support/proto_writer.h"

typedef struct {
    Arena *arena; /* of the graph; freed by loading_free() */
    Graph *graph; /* NULL where status is not STATUS_OK */
    Tensor *tensor;
    Status status;
    char messages[16384];
} Loading;

/* Each of them gives a Loading to be freed. directory and options may be NULL. */
Loading *loading_bytes(const void *bytes, size_t size, const char *directory, const LoadOptions *options);
Loading *loading_model(const Proto *model);
Loading *loading_graph(const Proto *graph); /* in a model of IR version 8, opset 17 */
Loading *loading_file(const char *path);
Loading *loading_tensor_file(const char *path);
void loading_free(Loading *loading);

/* Loads a model or graph and checks that it is refused with this status and with words that have this text in them. */
void assert_model_refused(const Proto *model, Status status, const char *text);
void assert_graph_refused(const Proto *graph, Status status, const char *text);
/* The same for what was loaded already, which is freed. */
void assert_refused(Loading *loading, Status status, const char *text);

/* The value or node of that name; fails the test where there is none. */
Value *graph_find_value(const Graph *graph, const char *name);
Node *graph_find_node(const Graph *graph, const char *name);

#endif
