/* Manifest: a model in JSON.
 * What jansson cannot allocate shows when the text is made, which checks for it. */
#include "emit/manifest.h"

#include "patterns/block.h"

#include <stdlib.h>
#include <string.h>

json_t *manifest_name(const char *name) {
    json_t *string = json_string(name);
    return string != NULL ? string : json_string(quoted(name)); /* it is not UTF-8 */
}

json_t *manifest_shape(const Shape *shape) {
    if (shape->rank < 0) return json_null();
    json_t *dims = json_array();
    for (int i = 0; i < shape->rank; i++) {
        const Dim *dim = &shape->dims[i];
        json_array_append_new(dims, dim->size >= 0        ? json_integer(dim->size)
                                    : dim->symbol != NULL ? manifest_name(dim->symbol)
                                                          : json_null());
    }
    return dims;
}

/* The model's nodes that a block stands for: where a pass has made one of several, all of them. */
static json_t *node_names(const NodeList *nodes) {
    json_t *names = json_array();
    for (int i = 0; i < nodes->count; i++) {
        const Node *node = nodes->items[i];
        if (node->sources.count == 0) json_array_append_new(names, manifest_name(node->name));
        for (int k = 0; k < node->sources.count; k++)
            json_array_append_new(names, manifest_name(node->sources.items[k]));
    }
    return names;
}

static json_t *block_probes(const Block *block) {
    json_t *probes = json_array();
    for (int i = 0; i < block->probes.count; i++) {
        const BlockProbe *probe = block->probes.items[i];
        json_t *object =
            json_pack("{s:o, s:o, s:s, s:o, s:b}", "id", manifest_name(probe->id), "tensor",
                      probe->value == NULL ? json_null() : manifest_name(probe->value->name), "axes", probe->axes,
                      "shape", manifest_shape(&probe->shape), "on_request", probe->on_request);
        json_array_append_new(probes, object);
    }
    return probes;
}

json_t *manifest_blocks(const Graph *graph) {
    json_t *blocks = json_array();
    for (int i = 0; i < graph->blocks.count; i++) {
        const Block *block = graph->blocks.items[i];
        json_array_append_new(blocks, json_pack("{s:s, s:o, s:o, s:o, s:o}", "family", block->family, "name",
                                                manifest_name(block->name), "nodes", node_names(&block->nodes), "macs",
                                                block->macs < 0 ? json_null() : json_integer(block->macs), "probes",
                                                block_probes(block)));
    }
    return blocks;
}

static json_t *tensors(const Graph *graph, const EmittedTensor *items, int count) {
    json_t *list = json_array();
    for (int i = 0; i < count; i++) {
        const Value *value = items[i].value;
        const Shape shape = graph_outer_shape(graph, value);
        json_t *tensor =
            json_pack("{s:o, s:s, s:s, s:o, s:s, s:s}", "name", manifest_name(value->name), "identifier",
                      items[i].identifier, "type", type_info(value->type)->name, "shape", manifest_shape(&shape),
                      "c_type", items[i].c_type, "size_macro", items[i].size_macro);
        if (value->is_padded) json_object_set_new(tensor, "padded", json_true());
        json_array_append_new(list, tensor);
    }
    return list;
}

/* Where in the model a probed value comes from. Of a constant, as a table of positions is, the module is its block's.
 */
static json_t *probe_source(const BlockProbe *probe) {
    const Node *maker = probe->maker;
    const char *scope = maker != NULL ? maker->scope : probe->block != NULL ? probe->block->scope : "";
    return json_pack("{s:o, s:o, s:o, s:o, s:i}", "tensor", manifest_name(probe->value->name), "node",
                     manifest_name(maker == NULL ? "" : maker->name), "operator",
                     manifest_name(maker == NULL ? "" : maker->op_type), "scope", manifest_name(scope), "ordinal",
                     maker == NULL ? -1 : maker->ordinal);
}

/* What an axis of tokens counts, null where that is not known. */
static json_t *places_object(const Places *places) {
    if (!places->is_known) return json_null();
    json_t *object = json_pack("{s:[I, I], s:I, s:I}", "grid", (json_int_t)places->rows, (json_int_t)places->columns,
                               "prefix", (json_int_t)places->prefix, "suffix", (json_int_t)places->suffix);
    if (object == NULL || !places->has_windows) return object;
    json_object_set_new(object, "window",
                        json_pack("[I, I]", (json_int_t)places->window[0], (json_int_t)places->window[1]));
    json_object_set_new(object, "shift",
                        json_pack("[I, I]", (json_int_t)places->shift[0], (json_int_t)places->shift[1]));
    return object;
}

static json_t *open_probes(const Program *program) {
    json_t *list = json_array();
    for (int i = 0; i < program->probes.count; i++) {
        const Probe *probe = program->probes.items[i];
        const Block *block = probe->origin->block;
        Shape shape = shape_of(probe->rank, probe->dims);
        json_t *object =
            json_pack("{s:o, s:o, s:s, s:o?, s:o, s:s, s:s, s:s, s:o}", "id", manifest_name(probe->id), "name",
                      manifest_name(probe->origin->name), "family", probe->family, "block",
                      block == NULL ? NULL : manifest_name(block->name), "layer",
                      block == NULL ? json_null() : json_integer(block->layer), "kind", probe->origin->kind, "axes",
                      probe->axes, "type", type_info(probe->value->type)->name, "shape", manifest_shape(&shape));
        if (object != NULL) json_object_update_new(object, probe_source(probe->origin));
        if (object != NULL && probe->origin->keys.is_known)
            json_object_update_new(object, places_object(&probe->origin->keys));
        if (object != NULL && strcmp(probe->origin->kind, "tokens") == 0 &&
            !places_equal(&probe->origin->keys, &probe->origin->queries))
            json_object_set_new(object, "queries", places_object(&probe->origin->queries));
        json_array_append_new(list, object);
    }
    return list;
}

static void release_text(void *text) { free(text); }
static void release_json(void *json) { json_decref(json); }

const char *manifest_text(Arena *arena, json_t *json) {
    if (json == NULL) fail(STATUS_SYSTEM, "out of memory for JSON");
    arena_defer(arena, release_json, json);
    char *text = json_dumps(json, JSON_INDENT(2) | JSON_ENSURE_ASCII); /* nothing in it steers a terminal */
    if (text == NULL) fail(STATUS_SYSTEM, "out of memory for JSON");
    arena_defer(arena, release_text, text);
    return text;
}

/* The targets of the variants; none without --dispatch. */
static json_t *variants(const EmittedModel *model) {
    json_t *names = json_array();
    for (const Target *at = target_variant(NULL); model->is_dispatched && at != NULL; at = target_variant(at))
        json_array_append_new(names, json_string(at->name));
    return names;
}

const char *manifest_of(const Program *program, const EmittedModel *model) {
    json_t *memory =
        json_pack("{s:I, s:I, s:I, s:I}", "workspace_bytes", (json_int_t)program->workspace_bytes, "unprobed_bytes",
                  (json_int_t)program->unprobed_bytes, "lower_bound_bytes", (json_int_t)program->lower_bound_bytes,
                  "weights_bytes", (json_int_t)model->weights_bytes);
    json_t *files = json_array();
    for (int i = 0; i < model->files.count; i++) json_array_append_new(files, json_string(model->files.items[i]));
    json_t *root =
        json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", model->name, "fovea", FOVEA_VERSION,
                  "target", model->target->name, "dispatch", variants(model), "inputs",
                  tensors(program->graph, model->inputs.items, model->inputs.count), "outputs",
                  tensors(program->graph, model->outputs.items, model->outputs.count), "blocks",
                  manifest_blocks(program->graph), "probes", open_probes(program), "memory", memory, "files", files);
    if (model->batch != NULL && root != NULL)
        json_object_set_new(root, "samples",
                            json_pack("{s:s, s:I, s:I}", "parameter", model->samples, "least",
                                      (json_int_t)model->batch->least, "most", (json_int_t)model->batch->most));
    return manifest_text(program->arena, root);
}

void emit_manifest(const Program *program, const EmittedModel *model, Output *output) {
    const char *text = manifest_of(program, model);
    output_begin(output, arena_printf(program->arena, "%s.json", model->name));
    output_write(output, text, strlen(text));
    output_write(output, "\n", 1);
}
