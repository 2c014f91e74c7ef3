/* Model-local functions: operators that the model defines by nodes. Each call is replaced by these nodes, under names
 * of their own, with the call's inputs, outputs and attributes in place of the function's. */
#include "load/import.h"

#include <string.h>

enum { FUNCTION_COST = 1024, BINDING_COST = 256 };

/* What functions are found by. Lengths keep ("a", "b::c") from being ("a::b", "c"). */
static const char *function_key(Import *import, const char *domain, const char *name, const char *overload) {
    domain = import_domain(domain), name = text_or_empty(name), overload = text_or_empty(overload);
    import_charge(import, strlen(domain) + strlen(name) + strlen(overload) + 48);
    return arena_printf(import->arena, "%zu:%zu:%s%s%s", strlen(domain), strlen(name), domain, name, overload);
}

static const char *function_text(Import *import, const Onnx__FunctionProto *proto) {
    const char *domain = import_domain(proto->domain), *overload = text_or_empty(proto->overload);
    return arena_printf(import->arena, "%s%s%s%s%s", domain, domain[0] != '\0' ? "::" : "", text_or_empty(proto->name),
                        overload[0] != '\0' ? ":" : "", overload);
}

void import_functions(Import *import, const Onnx__ModelProto *model) {
    for (size_t i = 0; i < model->n_functions; i++) {
        const Onnx__FunctionProto *proto = model->functions[i];
        import_charge(import, FUNCTION_COST);
        Function *function = arena_new_object(import->arena, Function);
        *function = (Function){.proto = proto, .text = function_text(import, proto), .index = (int)i};
        import->place = (Place){.kind = "function", .name = function->text};
        if (text_or_empty(proto->name)[0] == '\0') import_fail(import, STATUS_INVALID, "function %zu has no name", i);
        const char *key = function_key(import, proto->domain, proto->name, proto->overload);
        const Function *before = map_get(&import->functions, key);
        if (before != NULL)
            import_fail(import, STATUS_INVALID, "it is defined twice, by function %d and by function %zu",
                        before->index, i);
        function->opsets = import_opsets(import, proto->opset_import, proto->n_opset_import, import->opsets);
        map_set(&import->functions, key, function);
    }
    import->place = (Place){0};
}

const Function *find_function(Import *import, const Onnx__NodeProto *node) {
    if (import->functions.entries == NULL) return NULL;
    return map_get(&import->functions, function_key(import, node->domain, node->op_type, node->overload));
}

/* Fails where function is being inlined already, or too many are within each other; prints the calls. */
static void check_calls(Import *import, const Function *function) {
    const Scope *scope = import->scope, *again = NULL;
    if (scope->frame == NULL) return;
    for (const Scope *at = scope; at != NULL && again == NULL; at = at->parent)
        if (at->is_body && at->frame->function == function) again = at;
    if (again == NULL && scope->call_depth < MAX_CALL_DEPTH) return;
    if (again != NULL) report(STATUS_INVALID, "function %s calls itself:", quoted(function->text));
    else report(STATUS_INVALID, "functions call each other more than %d deep:", MAX_CALL_DEPTH);
    note("function %s is called by", quoted(function->text));
    for (const Scope *at = scope; at != NULL; at = at->parent) {
        if (!at->is_body) continue;
        bool last = at == again || at->call_depth == 1;
        note("function %s%s", quoted(at->frame->function->text), last ? "" : ", which is called by");
        if (last) break;
    }
    fail_if_reported();
    fail(STATUS_INVALID, "functions cannot be inlined");
}

/* Gives the call's attributes to the function; they are understood where the call stands. */
static void bind_attributes(Import *import, Frame *frame, const Onnx__NodeProto *call) {
    check_attribute_names(import, call->attribute, call->n_attribute);
    import_charge(import, call->n_attribute * BINDING_COST);
    for (size_t i = 0; i < call->n_attribute; i++) {
        Argument *argument = arena_new_object(import->arena, Argument);
        *argument = resolve_attribute(import, call->attribute[i]);
        if (argument->proto != NULL) map_set(&frame->arguments, call->attribute[i]->name, argument);
    }
}

/* Adds the defaults of what the call leaves out, in the function's body. */
static void bind_defaults(Import *import, Frame *frame) {
    const Onnx__FunctionProto *function = frame->function->proto;
    check_attribute_names(import, function->attribute_proto, function->n_attribute_proto);
    import_charge(import, function->n_attribute_proto * BINDING_COST);
    for (size_t i = 0; i < function->n_attribute_proto; i++) {
        const char *name = function->attribute_proto[i]->name;
        if (map_get(&frame->arguments, name) != NULL) continue;
        Argument *argument = arena_new_object(import->arena, Argument);
        *argument = (Argument){function->attribute_proto[i], import->scope};
        map_set(&frame->arguments, name, argument);
    }
}

static void bind_outputs(Import *import, Frame *frame, const Onnx__NodeProto *call) {
    const Onnx__FunctionProto *function = frame->function->proto;
    if (call->n_output > function->n_output)
        import_fail(import, STATUS_INVALID, "it has %zu outputs; the function has %zu", call->n_output,
                    function->n_output);
    import_charge(import, call->n_output * BINDING_COST);
    for (size_t i = 0; i < call->n_output; i++) {
        const Name *name = map_get(&import->scope->names, call->output[i]);
        if (name != NULL && map_get(&frame->outputs, function->output[i]) == NULL)
            map_set(&frame->outputs, function->output[i], name->value);
    }
}

/* The function's inputs become names for the call's. */
static void bind_inputs(Import *import, const Onnx__FunctionProto *function, Value *const *values, size_t count) {
    for (size_t i = 0; i < function->n_input; i++) {
        if (function->input[i][0] == '\0') import_fail(import, STATUS_INVALID, "input %zu has no name", i);
        Name entry = {.name = function->input[i], .kind = NAME_INPUT, .index = (int)i, .made = true};
        Name *declared = declare_name(import, entry);
        declared->value = i < count ? values[i] : NULL;
    }
}

static Value **call_inputs(Import *import, const Onnx__NodeProto *call, const Onnx__FunctionProto *function) {
    if (call->n_input > function->n_input)
        import_fail(import, STATUS_INVALID, "it has %zu inputs; the function has %zu", call->n_input,
                    function->n_input);
    import_charge(import, call->n_input * sizeof(Value *));
    Value **values = arena_new_array(import->arena, Value *, call->n_input);
    for (size_t i = 0; i < call->n_input; i++) values[i] = import_use(import, call->input[i], "input", i);
    return values;
}

/* An output that is one of the function's inputs, or there twice, has no node of its own: it is copied. */
static void copy_outputs(Import *import, const Onnx__FunctionProto *function, Value *const *outputs, size_t count) {
    for (size_t i = 0; i < count; i++) {
        Value *value = import_use(import, function->output[i], "the function's output", i);
        if (outputs[i] == NULL || value == outputs[i]) continue;
        if (value == NULL)
            import_fail(import, STATUS_INVALID, "the function's output %zu is an input that the call leaves out", i);
        import_copy(import, value, outputs[i]);
    }
}

static Value **call_outputs(Import *import, const Onnx__NodeProto *call) {
    import_charge(import, call->n_output * sizeof(Value *));
    Value **values = arena_new_array(import->arena, Value *, call->n_output);
    for (size_t i = 0; i < call->n_output; i++) {
        const Name *name = map_get(&import->scope->names, call->output[i]);
        values[i] = name == NULL ? NULL : name->value;
    }
    return values;
}

static Frame *new_frame(Import *import, const Onnx__NodeProto *call, int index, const Function *function) {
    const Scope *scope = import->scope;
    const char *outer_prefix = scope->is_body ? scope->frame->prefix : "";
    const char *label = node_label(import->arena, call, index), *module = module_path(import, call);
    import_charge(import, sizeof(Frame) + strlen(outer_prefix) + strlen(label) + strlen(module) + FUNCTION_COST);
    Frame *frame = arena_new_object(import->arena, Frame);
    frame->function = function;
    frame->prefix = arena_printf(import->arena, "%s%s/", outer_prefix, label);
    frame->call_index = scope->frame != NULL ? scope->frame->call_index : index;
    frame->module = module[0] == '\0' && scope->frame != NULL ? scope->frame->module : module;
    frame->arguments = map_new(import->arena);
    frame->outputs = map_new(import->arena);
    return frame;
}

void import_call(Import *import, const Onnx__NodeProto *call, int index, const Function *function) {
    const Onnx__FunctionProto *proto = function->proto;
    check_calls(import, function);
    Scope *caller = import->scope;
    Frame *frame = new_frame(import, call, index, function);
    Value **inputs = call_inputs(import, call, proto), **outputs = call_outputs(import, call);
    bind_outputs(import, frame, call);
    bind_attributes(import, frame, call);

    Scope *body = enter_scope(import);
    body->is_body = true;
    body->frame = frame;
    body->owner = caller->owner;
    body->graph = caller->graph;
    body->opsets = function->opsets;
    body->call_depth++;
    bind_defaults(import, frame);
    bind_inputs(import, proto, inputs, call->n_input);
    declare_outputs(import, proto->node, proto->n_node);
    import_nodes(import, proto->node, proto->n_node);
    copy_outputs(import, proto, outputs, call->n_output);
    leave_scope(import);
}
