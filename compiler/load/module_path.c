/* Module paths: where in PyTorch's tree of modules a node was made, as its exporters tell.
 * The newer exporter (dynamo) says it in the node's metadata; the older one (TorchScript) puts it in the node's name.
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
