/* Run: the body of NAME_run(): pointers into the workspace, then one call a step, headed by the nodes it does.
 * A probe is called right after the step that completes its buffer. */
#include "emit/emitter.h"
#include "passes/split.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

enum { COMMENT_WIDTH = 110 };

/* A comment at run()'s indentation, broken between words. */
static void add_wrapped_comment(Text *out, const char *text) {
    Text lines = text_new(out->arena);
    size_t column = 0;
    for (const char *p = text; *p != '\0';) {
        size_t length = strcspn(p, " ");
        if (column > 0 && column + 1 + length > COMMENT_WIDTH) {
            text_add(&lines, "\n");
            column = 0;
        } else if (column > 0) {
            text_add(&lines, " ");
            column++;
        }
        text_add_bytes(&lines, p, length);
        column += length;
        p += length + strspn(p + length, " ");
    }
    add_comment(out, "    ", lines.data);
}

const char *checks_text(Emitter *emitter) {
    Text out = text_new(emitter->arena);
    const char *macro = emitter->model->macro;
    bool has_workspace = emitter->program->workspace_bytes > 0, has_file = emitter->model->weights == WEIGHTS_FILE;
    if (has_workspace)
        text_printf(&out,
                    "    unsigned char *const base = context->workspace;\n"
                    "    if (base == NULL) return %s_NO_WORKSPACE;\n"
                    "    if ((uintptr_t)base %% %s_ALIGNMENT != 0) return %s_UNALIGNED_WORKSPACE;\n",
                    macro, macro, macro);
    if (has_file)
        text_printf(&out,
                    "    const unsigned char *const weights = context->weights;\n"
                    "    if (weights == NULL) return %s_NO_WEIGHTS;\n"
                    "    if ((uintptr_t)weights %% %s_ALIGNMENT != 0) return %s_UNALIGNED_WEIGHTS;\n",
                    macro, macro, macro);
    if (!has_workspace && !has_file) text_add(&out, "    (void)context;\n");
    const EmittedModel *model = emitter->model;
    for (int side = 0; side < 2; side++)
        for (int i = 0; i < (side == 0 ? model->inputs.count : model->outputs.count); i++) {
            const EmittedTensor *tensor = side == 0 ? &model->inputs.items[i] : &model->outputs.items[i];
            if (!tensor->is_used) text_printf(&out, "    (void)%s;\n", tensor->identifier);
        }
    return out.data;
}

/* "[28][28][64]" of the value that a buffer holds. */
static const char *extents_text(Arena *arena, const Buffer *buffer) {
    Text out = text_new(arena);
    const Shape *shape = &buffer->value->shape;
    for (int d = 0; d < shape->rank; d++) text_printf(&out, "[%" PRId64 "]", shape->dims[d].size);
    return shape->rank > 0 ? out.data : "one element";
}

/* "float *const gate = (float *)(base + 512);"; of what is for a probe alone NULL while nobody looks. */
static const char *work_declaration(const Emitter *emitter, const Buffer *buffer) {
    const char *nobody = buffer->is_shown ? "context->on_probe == NULL ? NULL : " : "";
    const char *c_type = type_info(buffer->type)->c_name, *name = emitter->expressions[buffer->number];
    return arena_printf(emitter->arena, "    %s *const %s = %s(%s *)(base + %" PRId64 ");", c_type, name, nobody,
                        c_type, buffer->offset);
}

/* "[28][28][64], steps 2-4, in place of map1", with or without the name. */
static const char *work_comment(const Emitter *emitter, const Buffer *buffer, bool with_name) {
    Text out = text_new(emitter->arena);
    text_printf(&out, "%s, step", extents_text(emitter->arena, buffer));
    if (buffer->first == buffer->last) text_printf(&out, " %d", buffer->first + 1);
    else text_printf(&out, "s %d-%d", buffer->first + 1, buffer->last + 1);
    const Buffer *old = buffer->in_place_of;
    if (old != NULL && emitter->used[old->number]) text_add(&out, ", in place");
    if (old != NULL && emitter->used[old->number] && with_name)
        text_printf(&out, " of %s", emitter->expressions[old->number]);
    return out.data;
}

/* Pointers to values in the workspace, their comments in one column unless that is too far to the right. */
static void add_work_pointers(Text *out, const Emitter *emitter, bool for_probes) {
    enum { RIGHTMOST = 72 };
    int width = 0;
    const Program *program = emitter->program;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < program->buffers.count; i++) {
            const Buffer *buffer = program->buffers.items[i];
            if (!emitter->used[i] || buffer->kind != BUFFER_WORK || buffer->value == NULL) continue;
            if (buffer->is_shown != for_probes) continue;
            const char *declaration = work_declaration(emitter, buffer), *comment = work_comment(emitter, buffer, true);
            int length = (int)strlen(declaration);
            if (pass == 0 && length > width && length <= RIGHTMOST) width = length;
            if (pass == 0) continue;
            bool fits = (length > width ? length : width) + (int)strlen(" /*  */") + (int)strlen(comment) <= LINE_WIDTH;
            if (!fits) comment = work_comment(emitter, buffer, false);
            text_printf(out, "%-*s /* %s */\n", width, declaration, comment);
        }
}

/* The names of the weights that are not read for probes alone. */
static Map needed_weights(const Emitter *emitter, Arena *arena) {
    Map needed = map_new(arena);
    for (int i = 0; i < emitter->program->buffers.count; i++)
        if (emitter->weights.by_buffer[i] != NULL && emitter->needed[i])
            map_set(&needed, emitter->weights.by_buffer[i]->name, emitter->weights.by_buffer[i]);
    return needed;
}

/* Weights in the C file that are read for probes alone are nothing to warn of where these are compiled out. */
static void add_unneeded_weights(Text *out, const Emitter *emitter) {
    Map needed = needed_weights(emitter, out->arena), listed = map_new(out->arena);
    for (int i = 0; i < emitter->program->buffers.count; i++) {
        Weight *weight = emitter->weights.by_buffer[i];
        if (weight == NULL || map_get(&needed, weight->name) != NULL || map_get(&listed, weight->name) != NULL)
            continue;
        map_set(&listed, weight->name, weight);
        text_printf(out, "    (void)%s; /* for probes alone */\n", weight->name);
    }
}

/* Pointers into the weights, those for probes alone apart. */
static void add_weight_pointers(Text *out, Text *for_probes, const Emitter *emitter) {
    const Weights *weights = &emitter->weights;
    const char *blob =
        weights->mode == WEIGHTS_FILE ? "weights" : arena_printf(emitter->arena, "%s_weights", emitter->model->name);
    Map needed = needed_weights(emitter, out->arena);
    for (int i = 0; i < weights->items.count; i++) {
        const Weight *weight = weights->items.items[i];
        const char *c_type = type_info(weight->tensor->type)->c_name;
        text_printf(map_get(&needed, weight->name) != NULL ? out : for_probes,
                    "    const %s *const %s = (const %s *)(%s + %" PRId64 ");\n", c_type, weight->name, c_type, blob,
                    weight->offset);
    }
    if (out->length > 0) text_add(out, "\n");
}

const char *pointers_text(Emitter *emitter) {
    Text out = text_new(emitter->arena), for_probes = text_new(emitter->arena);
    bool is_inline = emitter->weights.mode == WEIGHTS_INLINE;
    if (!is_inline) add_weight_pointers(&out, &for_probes, emitter);
    add_work_pointers(&out, emitter, false);
    add_work_pointers(&for_probes, emitter, true);
    if (is_inline) add_unneeded_weights(&out, emitter);
    if (for_probes.length > 0) text_printf(&out, "#if %s_PROBES\n%s#endif\n", emitter->model->macro, for_probes.data);
    return out.data;
}

static bool contains_word(const char *text, const char *word) {
    for (; *text != '\0'; text++)
        if (strncasecmp(text, word, strlen(word)) == 0) return true;
    return false;
}

/* The model's nodes that steps do the work of: "/conv1/Conv + /relu/Relu"; the operator too where a name hides it. */
static void add_nodes(Text *out, const Step *step) {
    enum { SHOWN = 8 };
    Words words = {0};
    for (int i = 0; i < step->nodes.count; i++) {
        const Node *node = step->nodes.items[i];
        for (int k = 0; node->sources.count > 1 && k < node->sources.count; k++)
            list_add(out->arena, &words, (const char *)comment_text(out->arena, node->sources.items[k]));
        if (node->sources.count > 1) continue;
        const char *own = node->sources.count == 1 ? node->sources.items[0] : node->name;
        const char *kind = node->stands_for != NULL ? node->stands_for : node->op_type;
        const char *name = comment_text(out->arena, own), *op = comment_text(out->arena, kind);
        const char *word = arena_printf(out->arena, "%s (%s)", name, op);
        if (*name == '\0') word = op;
        else if (contains_word(name, op)) word = name;
        const char *last = words.count == 0 ? "" : words.items[words.count - 1];
        if (node->stands_for == NULL || strcmp(last, word) != 0) list_add(out->arena, &words, word);
    }
    for (int i = 0; i < words.count && i < SHOWN; i++) text_printf(out, "%s%s", i > 0 ? " + " : "", words.items[i]);
    if (words.count > SHOWN) text_printf(out, " and %d more", words.count - SHOWN);
}

/* "[1,64,28,28] -> [1,128,28,28]": what the first node reads that is not constant, and what the last one makes. */
static void add_shapes(Text *out, const Step *step) {
    if (step->nodes.count == 0) return;
    const Node *first = step->nodes.items[0], *last = step->nodes.items[step->nodes.count - 1];
    const char *separator = ": ";
    for (int i = 0; i < first->inputs.count; i++) {
        const Value *input = first->inputs.items[i];
        if (input == NULL || input->constant != NULL) continue;
        text_printf(out, "%s%s", separator, shape_text(out->arena, &input->shape));
        separator = ", ";
    }
    separator = " -> ";
    for (int i = 0; i < last->outputs.count; i++) {
        if (last->outputs.items[i] == NULL) continue;
        text_printf(out, "%s%s", separator, shape_text(out->arena, &last->outputs.items[i]->shape));
        separator = ", ";
    }
}

static bool same_nodes(const Step *a, const Step *b) {
    if (a->nodes.count == 0 || a->nodes.count != b->nodes.count || a->is_aside != b->is_aside) return false;
    return memcmp(a->nodes.items, b->nodes.items, (size_t)a->nodes.count * sizeof *a->nodes.items) == 0;
}

/* The comment above steps [from, to), which do the same nodes. */
static void add_heading(Text *out, const Step *step, int from, int to) {
    Text heading = text_new(out->arena);
    if (to - from == 1) text_printf(&heading, "%d. ", from + 1);
    else text_printf(&heading, "%d-%d. ", from + 1, to);
    if (step->block != NULL) text_printf(&heading, "block %s: ", comment_text(out->arena, step->block));
    add_nodes(&heading, step);
    add_shapes(&heading, step);
    add_wrapped_comment(out, heading.data);
}

static const char *argument_text(const Emitter *emitter, const CallArgument *argument) {
    if (argument->buffer == NULL) return argument->literal;
    Arena *arena = emitter->arena;
    const char *pointer = emitter->expressions[argument->buffer->number];
    if (argument->offset != 0) pointer = arena_printf(arena, "%s + %" PRId64, pointer, argument->offset);
    if (strcmp(argument->c_type, type_info(argument->buffer->type)->c_name) == 0) return pointer;
    bool constant = argument->buffer->kind == BUFFER_CONSTANT || argument->buffer->kind == BUFFER_INPUT;
    return arena_printf(arena, "(%s%s *)%s%s%s", constant ? "const " : "", argument->c_type,
                        argument->offset != 0 ? "(" : "", pointer, argument->offset != 0 ? ")" : "");
}

static void add_call(Text *out, const Emitter *emitter, const Call *call, bool is_aside) {
    if (call->function == NULL) {
        text_add(out, "    /* nothing to do: what it makes is empty */\n");
        return;
    }
    Words arguments = {0}, shown = {0};
    if (call->function->tasks > 1) list_add(out->arena, &arguments, (const char *)"context");
    for (int i = 0; i < call->arguments.count; i++)
        list_add(out->arena, &arguments, argument_text(emitter, &call->arguments.items[i]));
    for (int i = 0; i < call->shown.count; i++)
        list_add(out->arena, &shown, argument_text(emitter, &call->shown.items[i]));
    add_shown(&arguments, &shown, out->arena, emitter->model->macro);
    const char *condition = is_aside ? "if (context->on_probe != NULL) " : "";
    add_list(out, arena_printf(out->arena, "    %s%s(", condition, call->function->name), &arguments, ");\n");
}

static void add_probe_calls(Text *out, const Emitter *emitter, int step) {
    for (int i = 0; i < emitter->program->probes.count; i++)
        if (emitter->probe_steps[i] == step)
            text_printf(out, "    %s_PROBE(%d, %s);\n", emitter->model->macro, i,
                        emitter->expressions[emitter->probed[i]->number]);
}

/* Tells the host that what stands under the heading of steps [from, to) is done, and notes what that is. */
static void add_profile_call(Text *out, Emitter *emitter, const Step *step, int from, int to) {
    EmittedModel *model = emitter->model;
    Text nodes = text_new(out->arena);
    add_nodes(&nodes, step);
    if (model->is_profiled) text_printf(out, "    %s_STEP(%d);\n", model->macro, model->steps.count);
    list_add(out->arena, &model->steps, ((EmittedStep){from + 1, to, nodes.data, step_macs(step)}));
}

const char *profile_text(Emitter *emitter) {
    const char *macro = emitter->model->macro;
    if (!emitter->model->is_profiled) return "";
    return arena_printf(emitter->arena,
                        "#if %s_PROFILE\n"
                        "#define %s_STEP(i) \\\n"
                        "    do { \\\n"
                        "        if (context->on_step != NULL) context->on_step(context->on_step_user, i); \\\n"
                        "    } while (0)\n"
                        "#else\n"
                        "#define %s_STEP(i) ((void)0)\n"
                        "#endif\n",
                        macro, macro, macro);
}

const char *steps_text(Emitter *emitter) {
    const Program *program = emitter->program;
    Text out = text_new(emitter->arena);
    add_probe_calls(&out, emitter, -1);
    for (int from = 0; from < program->steps.count;) {
        const Step *first = program->steps.items[from];
        int to = from + 1;
        while (to < program->steps.count && same_nodes(first, program->steps.items[to])) to++;
        text_add(&out, "\n");
        if (first->is_aside) text_printf(&out, "#if %s_PROBES\n", emitter->model->macro);
        add_heading(&out, first, from, to);
        for (int i = from; i < to; i++) {
            add_call(&out, emitter, &emitter->calls[i], first->is_aside);
            add_probe_calls(&out, emitter, i);
        }
        add_profile_call(&out, emitter, first, from, to);
        from = to;
        if (first->is_aside) text_add(&out, "#endif\n");
    }
    return out.data;
}

static void add_probe(Text *out, const Probe *probe) {
    Arena *arena = out->arena;
    Words dims = {0};
    for (int d = 0; d < probe->rank; d++)
        list_add(arena, &dims, (const char *)arena_printf(arena, "%" PRId64, probe->dims[d]));
    if (dims.count == 0) list_add(arena, &dims, (const char *)"0");
    text_printf(out, "    {%s, %s, %s, \"%s\", %d, ", string_literal(arena, probe->id),
                string_literal(arena, probe->family), string_literal(arena, probe->axes),
                emitted_type(probe->value->type), probe->rank);
    add_list(out, "{", &dims, "}},\n");
}

const char *probes_text(Emitter *emitter) {
    const Program *program = emitter->program;
    const char *name = emitter->model->name, *macro = emitter->model->macro;
    Text out = text_new(emitter->arena);
    if (program->probes.count == 0) return "";
    text_printf(&out, "#if %s_PROBES\nstatic const %s_probe %s_probes[%d] = {\n", macro, name, name,
                program->probes.count);
    for (int i = 0; i < program->probes.count; i++) add_probe(&out, program->probes.items[i]);
    const char *with = "", *without = "";
    if (emitter->functions.shown.entries != NULL) {
        with = arena_printf(out.arena, "#define %s_SHOWN(argument) , argument /* for probes alone */\n", macro);
        without = arena_printf(out.arena, "#define %s_SHOWN(argument)\n", macro);
    }
    text_printf(
        &out,
        "};\n"
        "#define %s_PROBE(i, data) \\\n"
        "    do { \\\n"
        "        if (context->on_probe != NULL) context->on_probe(context->on_probe_user, &%s_probes[i], data); \\\n"
        "    } while (0)\n"
        "%s"
        "#else\n"
        "#define %s_PROBE(i, data) ((void)0)\n"
        "%s"
        "#endif\n",
        macro, name, with, macro, without);
    return out.data;
}
