/* Import, the model as a whole: versions, opsets, messages, and the way through the rest.
 * The rest is in the other import_*.c and in functions.c. */
#include "load/import.h"

#include "base/text.h"

#include <limits.h>
#include <string.h>

const char *import_domain(const char *domain) {
    domain = text_or_empty(domain);
    return strcmp(domain, "ai.onnx") == 0 ? "" : domain;
}

const char *place_node_text(Arena *arena, const Onnx__NodeProto *node, int index) {
    const char *type = quoted(text_or_empty(node->op_type));
    return arena_printf(arena, "node %d %s (%.*s)", index, quoted(text_or_empty(node->name)), (int)strlen(type) - 2,
                        type + 1);
}

const char *node_label(Arena *arena, const Onnx__NodeProto *node, int index) {
    const char *name = text_or_empty(node->name);
    return name[0] != '\0' ? name : arena_printf(arena, "%s_%d", text_or_empty(node->op_type), index);
}

/* "node 3 'x' (If): attribute 'then_branch': ", what a place names of itself. */
static void add_place(Text *text, const Place *place) {
    if (place->node != NULL) text_printf(text, "%s: ", place_node_text(text->arena, place->node, place->node_index));
    if (place->kind != NULL) text_printf(text, "%s %s: ", place->kind, quoted(place->name));
}

/* The way to a scope, outermost first; of a long one only the end is shown. */
static void add_scope(Text *text, const Scope *scope) {
    enum { SHOWN = 4 };
    const Scope *shown[SHOWN];
    int count = 0;
    for (; scope != NULL && scope->parent != NULL; scope = scope->parent) {
        if (count == SHOWN) {
            text_add(text, "... ");
            break;
        }
        shown[count++] = scope;
    }
    while (count-- > 0) {
        add_place(text, &shown[count]->holder);
        if (shown[count]->is_body) text_printf(text, "function %s: ", quoted(shown[count]->frame->function->text));
    }
}

static const char *with_place(Import *import, const char *format, va_list args) {
    Text text = text_new(import->arena);
    add_scope(&text, import->scope);
    add_place(&text, &import->place);
    text_add(&text, arena_vprintf(import->arena, format, args));
    return text.data;
}

void import_fail(Import *import, Status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const char *message = with_place(import, format, args);
    va_end(args);
    fail(status, "%s", message);
}

void import_unsupported(Import *import, const char *format, ...) {
    enum { SHOWN = 50 };
    if (import->unsupported++ >= SHOWN) return;
    va_list args;
    va_start(args, format);
    report(STATUS_UNSUPPORTED, "%s", with_place(import, format, args));
    va_end(args);
    if (import->unsupported == SHOWN) note("there may be more of the kind, which are not listed");
}

void import_charge(Import *import, size_t bytes) {
    if (bytes > import->budget - import->used)
        import_fail(
            import, STATUS_INVALID,
            "here the model takes more than the %zu bytes of memory that a file of its size may take: it is made to "
            "exhaust memory",
            import->budget);
    import->used += bytes;
}

static void check_opset(Import *import, const char *domain, int64_t version) {
    if (version < 1 || version > INT_MAX)
        import_fail(import, STATUS_INVALID, "version %lld is none of an operator set", (long long)version);
    if (domain[0] == '\0' && version > NEWEST_OPSET)
        import_unsupported(import,
                           "version %lld; fovea has those up to %d: convert the model with onnx.version_converter, or "
                           "export it with another opset_version",
                           (long long)version, NEWEST_OPSET);
}

Opsets *import_opsets(Import *import, Onnx__OperatorSetIdProto **imports, size_t count, const Opsets *defaults) {
    Opsets *opsets = arena_new_object(import->arena, Opsets);
    *opsets = (Opsets){map_new(import->arena), defaults};
    Place outside = import->place;
    for (size_t i = 0; i < count; i++) {
        const char *domain = import_domain(imports[i]->domain);
        import->place.kind = "opset_import of domain";
        import->place.name = domain[0] != '\0' ? domain : "ai.onnx";
        check_opset(import, domain, imports[i]->version);
        const Onnx__OperatorSetIdProto *before = map_get(&opsets->versions, domain);
        if (before != NULL)
            import_fail(import, STATUS_INVALID, "it is there twice, with version %lld and with version %lld",
                        (long long)before->version, (long long)imports[i]->version);
        map_set(&opsets->versions, domain, imports[i]);
    }
    import->place = outside;
    return opsets;
}

int opset_version(const Opsets *opsets, const char *domain) {
    for (; opsets != NULL; opsets = opsets->defaults) {
        const Onnx__OperatorSetIdProto *found = map_get(&opsets->versions, domain);
        if (found != NULL) return (int)found->version;
    }
    return 0;
}

static void check_ir_version(Import *import, int64_t version) {
    if (version < 1)
        import_fail(import, STATUS_INVALID,
                    "byte 0: there is no ir_version: the file is cut off, or not an ONNX model");
    if (version < OLDEST_IR_VERSION || version > NEWEST_IR_VERSION)
        import_unsupported(
            import,
            "the model has IR version %lld; fovea reads %d to %d: save it again with another version of the "
            "onnx package, or set its ir_version if it uses nothing newer",
            (long long)version, OLDEST_IR_VERSION, NEWEST_IR_VERSION);
}

static Import import_new(Arena *arena, External *external, size_t budget) {
    return (Import){.arena = arena,
                    .external = external,
                    .symbols = map_new(arena),
                    .functions = map_new(arena),
                    .ordinals = map_new(arena),
                    .budget = budget};
}

/* Fails where something was reported as unsupported. */
static void fail_if_unsupported(const Import *import) {
    fail_if_reported();
    if (import->unsupported > 0) fail(STATUS_UNSUPPORTED, "the file needs what fovea does not support, see above");
}

Graph *import_model(Arena *arena, const Onnx__ModelProto *model, size_t size, External *external, size_t budget) {
    Import import = import_new(arena, external, budget);
    check_ir_version(&import, model->ir_version);
    if (model->graph == NULL)
        import_fail(&import, STATUS_INVALID,
                    "byte %zu: the file ends without a graph: it is cut off, or not an ONNX model", size);
    if (model->n_opset_import == 0)
        import_fail(&import, STATUS_INVALID,
                    "byte %zu: the file ends without saying which operator sets it uses (opset_import)", size);
    import.opsets = import_opsets(&import, model->opset_import, model->n_opset_import, NULL);
    import_functions(&import, model);
    Graph *graph = import_graph(&import, model->graph, NULL, import.opsets);
    fail_if_unsupported(&import);
    graph->ir_version = (int)model->ir_version;
    graph->producer = text_or_empty(model->producer_name);
    graph->producer_version = text_or_empty(model->producer_version);
    if (strcmp(graph->producer, "tf2onnx") == 0) simplify_keras_paths(graph);
    if (import.out_of_order) {
        graph_sort(graph);
        warn("nodes come before others that they need; they were brought in order");
    } else {
        graph_index(graph);
    }
    if (import.has_gradients) {
        separate_gradients(&import, graph);
        graph_index(graph);
    }
    return graph;
}

Tensor *import_single_tensor(Arena *arena, const Onnx__TensorProto *proto, External *external, size_t budget) {
    Import import = import_new(arena, external, budget);
    import.place = (Place){.kind = "tensor", .name = text_or_empty(proto->name)};
    Tensor *tensor = import_tensor(&import, proto);
    fail_if_unsupported(&import);
    return tensor;
}
