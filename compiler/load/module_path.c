/* Module paths: where in PyTorch's tree of modules, or among Keras' layers, a node was made, as the exporters tell.
 * PyTorch's newer exporter (dynamo) says it in the node's metadata; its older one and tf2onnx put it in the node's
 * name.
 */
#include "load/import.h"

#include <string.h>

/* A string within a printed Python list, without its quotes, with its escapes. */
typedef struct {
    const char *text;
    size_t length;
} Item;

/* Reads the next string and goes past it; false where there is none. */
static bool next_item(const char **at, Item *item) {
    const char *p = *at;
    p += strspn(p, " ,[");
    char quote = *p;
    if (quote != '\'' && quote != '"') return false;
    const char *start = ++p;
    for (; *p != quote; p++) {
        if (*p == '\\') p++;
        if (*p == '\0') return false;
    }
    *item = (Item){start, (size_t)(p - start)};
    *at = p + 1;
    return true;
}

/* name_scopes is like "['', 'layer1', 'layer1.0', 'layer1.0.se', 'mul']": the modules from the outermost one on, each
 * by its whole path, and the operation. The last but one is wanted. What does not begin with the network itself, which
 * has the empty path, is in no module of it ("['_empty_nn_module_stack_from_metadata_hook', 'sym_size_int']"). */
static const char *from_name_scopes(Import *import, const char *scopes) {
    Item module = {"", 0}, operation = {"", 0}, item;
    if (!next_item(&scopes, &item) || item.length > 0) return "";
    while (next_item(&scopes, &item)) module = operation, operation = item;
    import_charge(import, module.length + 1);
    char *path = arena_alloc(import->arena, module.length + 1), *to = path;
    for (size_t i = 0; i < module.length; i++) {
        if (module.text[i] == '\\' && i + 1 < module.length) i++;
        *to++ = module.text[i];
    }
    return path;
}

/* "/layer1/layer1.0/se/Mul": each component is what the module is called in the one before; an element of a container
 * has the container's name in its own, and stands for both. So it is layer1.0.se. */
static const char *from_node_name(Import *import, const char *name) {
    import_charge(import, strlen(name) + 1);
    char *path = arena_alloc(import->arena, strlen(name) + 1);
    size_t used = 0, last = 0; /* last: where the component before begins */
    if (*name == '/') name++;
    for (const char *end; (end = strchr(name, '/')) != NULL; name = end + 1) {
        size_t length = (size_t)(end - name), container = used - last;
        bool is_element =
            container > 0 && length > container && name[container] == '.' && memcmp(path + last, name, container) == 0;
        if (is_element) used = last;
        else if (used > 0) path[used++] = '.';
        last = used;
        memcpy(path + used, name, length);
        used += length;
    }
    path[used] = '\0';
    return path;
}

const char *module_path(Import *import, const Onnx__NodeProto *node) {
    for (size_t i = 0; i < node->n_metadata_props; i++)
        if (strcmp(text_or_empty(node->metadata_props[i]->key), "pkg.torch.onnx.name_scopes") == 0)
            return from_name_scopes(import, text_or_empty(node->metadata_props[i]->value));
    const char *name = text_or_empty(node->name);
    return strchr(name, '/') != NULL ? from_node_name(import, name) : "";
}

/* Keras: what is said around the layers' names is taken away. */

static bool is_call(const char *component, size_t length) {
    static const char *const calls[] = {"StatefulPartitionedCall", "PartitionedCall"};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (length == strlen(calls[i]) && strncmp(component, calls[i], length) == 0) return true;
    return false;
}

/* A path without the calls of a SavedModel's functions that it begins with. */
static const char *without_calls(const char *path) {
    for (size_t length; length = strcspn(path, "."), is_call(path, length);) {
        path += length;
        if (*path == '.') path++;
    }
    return path;
}

/* The length of a component without the "_1" behind it; that of all of it where there is none. */
static size_t uncounted(const char *component, size_t length) {
    size_t end = length;
    while (end > 0 && component[end - 1] >= '0' && component[end - 1] <= '9') end--;
    return end < length && end > 1 && component[end - 1] == '_' ? end - 1 : length;
}

/* What the paths of a model have in common. */
typedef struct {
    const char *model; /* the first component of all of them; NULL: there is none yet */
    size_t length;     /* of that; 0 where they differ */
    bool counted;      /* whether in all of them that component and the layer's, behind it, end in a number */
} KerasPaths;

static void note_path(KerasPaths *paths, const char *path) {
    size_t length = strcspn(path, ".");
    if (paths->model == NULL) paths->model = path, paths->length = length;
    if (length != paths->length || strncmp(path, paths->model, length) != 0) paths->length = 0;
    paths->counted &= uncounted(path, length) < length;
    if (path[length] == '\0') return;
    const char *layer = path + length + 1;
    size_t end = strcspn(layer, ".");
    paths->counted &= uncounted(layer, end) < end;
}

/* Copies a path, component by component, without their numbers. */
static const char *without_numbers(Arena *arena, const char *path) {
    char *copy = arena_alloc(arena, strlen(path) + 1), *to = copy;
    for (size_t length; length = strcspn(path, "."), length > 0; path += path[length] == '.' ? length + 1 : length) {
        size_t kept = uncounted(path, length);
        if (to > copy) *to++ = '.';
        memcpy(to, path, kept);
        to += kept;
    }
    *to = '\0';
    return copy;
}

/* "StatefulPartitionedCall/net_1/se_1/pool_1/Mean": the model's own name says nothing, as all nodes have it; and where
 * a model is traced a second time, which is what tf2onnx does, TensorFlow puts a number behind each name, also behind
 * one that ends in a number already. So this is se.pool. */
void simplify_keras_paths(Graph *graph) {
    KerasPaths paths = {.counted = true};
    for (int i = 0; i < graph->nodes.count; i++) {
        Node *node = graph->nodes.items[i];
        node->scope = without_calls(node->scope);
        if (node->scope[0] != '\0') note_path(&paths, node->scope);
    }
    if (paths.model == NULL) return;
    for (int i = 0; i < graph->nodes.count; i++) {
        Node *node = graph->nodes.items[i];
        if (node->scope[0] == '\0') continue;
        node->scope += paths.length;
        if (node->scope[0] == '.') node->scope++;
        if (paths.counted) node->scope = without_numbers(graph->arena, node->scope);
    }
}
