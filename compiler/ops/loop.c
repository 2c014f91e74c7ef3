/* Loop, Scan and SequenceMap, where it is known when compiling how often they run: their bodies follow one another,
 * once for each iteration. */
#include "graph/part.h"
#include "ops/expand.h"
#include "ops/fused.h"
#include "ops/movement.h"

#include <string.h>

enum { MOST_OPEN = 1 << 12 }; /* iterations after each of which the condition has to be computed */

/* Adds the nodes of one iteration. outputs gets what the body makes of the inputs. */
static void add_iteration(Expansion *e, int64_t iteration, Value *const *inputs, Value **outputs) {
    Graph *body = node_attribute(e->node, "body")->graph, *graph = e->node->graph;
    expand_charge(e, body->nodes.count + 1);
    Copy copy = {.arena = graph->arena};
    copy.prefix = arena_printf(graph->arena, "%s/%lld", e->node->name, (long long)iteration);
    for (int i = 0; i < body->inputs.count; i++) copy_put(&copy, body->inputs.items[i], inputs[i]);
    for (int i = 0; iteration == 0 && i < body->values.count; i++)
        if (is_initializer(body->values.items[i])) list_add(graph->arena, &graph->values, body->values.items[i]);
    for (int i = 0; i < body->nodes.count; i++)
        list_add(graph->arena, &e->nodes, copy_node(&copy, body->nodes.items[i], graph));
    for (int i = 0; i < body->outputs.count; i++) outputs[i] = copy_of(&copy, body->outputs.items[i]);
}

/* Results */

/* Values side by side, along a new axis; the last comes first where they are reversed. Of no values an empty tensor,
 * if the body says what it is made of. */
static Value *stack(Expansion *e, const ValueList *values, const Value *declared, int64_t axis, bool reversed) {
    Arena *arena = e->node->graph->arena;
    if (values->count == 0) {
        Shape shape = declared->shape;
        if (!shape_is_known(&shape) || declared->type == TYPE_NONE || shape.rank == MAX_RANK || axis != 0)
            node_fail(e->node, STATUS_UNSUPPORTED, "it has no iterations, and its output %s has no known shape",
                      quoted(declared->name));
        for (int d = shape.rank++; d > 0; d--) shape.dims[d] = shape.dims[d - 1];
        shape.dims[0] = dim_known(0);
        return graph_constant(e->node->graph, declared->name, tensor_new(arena, declared->type, &shape));
    }
    ValueList parts = {0};
    for (int i = 0; i < values->count; i++) {
        Value *value = values->items[reversed ? values->count - 1 - i : i];
        list_add(arena, &parts, expand_node(e, "Unsqueeze", value, expand_ints(e, 1, &axis))->outputs.items[0]);
    }
    Node *joined = expand_node_of(e, "Concat", parts.count, parts.items);
    node_set_int(joined, "axis", axis);
    return joined->outputs.items[0];
}

/* Loop */

enum { TRIPS, CONDITION, STATES };

/* A loop between two iterations. */
typedef struct {
    Graph *body;
    int states, results; /* results: outputs that are collected */
    int64_t iteration;
    Value *condition;
    ValueList values; /* the states, and the results of all iterations */
} Progress;

static Progress progress_of(const Node *node) {
    Progress p = {.body = node_attribute(node, "body")->graph, .condition = node_input(node, CONDITION)};
    p.states = p.body->inputs.count - STATES;
    p.results = p.body->outputs.count - 1 - p.states;
    if (strcmp(node->op_type, "Loop") != 0) p.iteration = attr_int(node, "iteration");
    if (p.states < 0 || p.results < 0 || p.body->outputs.count - 1 != node->outputs.count ||
        p.states + p.iteration * p.results != node->inputs.count - STATES)
        node_fail(node, STATUS_INVALID, "its body has %d inputs and %d outputs, which does not fit its own %d and %d",
                  p.body->inputs.count, p.body->outputs.count, node->inputs.count, node->outputs.count);
    for (int i = STATES; i < node->inputs.count; i++) list_add(node->graph->arena, &p.values, node->inputs.items[i]);
    return p;
}

/* Whether there is another iteration. */
static bool goes_on(const Node *node, const Progress *p) {
    const Value *trips = node_input(node, TRIPS);
    if (trips != NULL && trips->constant == NULL)
        node_fail(node, STATUS_UNSUPPORTED,
                  "how often it runs is not known when compiling; export the model with fixed shapes");
    if (trips != NULL && p->iteration >= input_int(node, TRIPS)) return false;
    if (p->condition->constant == NULL)
        node_fail(node, STATUS_UNSUPPORTED,
                  "whether it goes on after %lld iterations is not known when compiling; export the model without the "
                  "condition",
                  (long long)p->iteration);
    if (tensor_count(p->condition->constant) != 1)
        node_fail(node, STATUS_INVALID, "the condition has %lld elements, expected 1",
                  (long long)tensor_count(p->condition->constant));
    return tensor_number(p->condition->constant, 0) != 0;
}

/* Where the condition after an iteration is the one before, or a constant, that; NULL where it has to be computed. */
static Value *next_condition(const Progress *p) {
    Value *next = p->body->outputs.items[0];
    while (next->producer != NULL && strcmp(next->producer->op_type, "Identity") == 0) {
        next = node_input(next->producer, 0);
        if (next == NULL) return NULL; /* an Identity of nothing: inference says so */
    }
    return next == p->body->inputs.items[CONDITION] ? p->condition : next->constant != NULL ? next : NULL;
}

/* The number of an iteration, or true, in the shape that the body has it. */
static Value *body_number(Expansion *e, const Value *declared, Type type, int64_t number) {
    Graph *graph = e->node->graph;
    Shape shape = {.rank = declared->shape.rank == 1, .dims = {dim_known(1)}};
    Tensor *tensor = tensor_new(graph->arena, type, &shape);
    if (type == TYPE_INT64) *(int64_t *)tensor->data = number;
    else *(uint8_t *)tensor->data = (uint8_t)number;
    return graph_constant(graph, arena_printf(graph->arena, "%s/iteration", e->node->name), tensor);
}

/* Adds an iteration. known: the condition after it, where that is; else it is what the body makes. */
static void go_on(Expansion *e, Progress *p, Value *known) {
    Arena *arena = e->node->graph->arena;
    ValueList inputs = {0};
    Value **outputs = arena_new_array(arena, Value *, (size_t)p->body->outputs.count);
    list_add(arena, &inputs, body_number(e, p->body->inputs.items[TRIPS], TYPE_INT64, p->iteration));
    list_add(arena, &inputs, p->condition);
    for (int i = 0; i < p->states; i++) list_add(arena, &inputs, p->values.items[i]);
    add_iteration(e, p->iteration++, inputs.items, outputs);
    p->condition = known != NULL ? known : outputs[0];
    for (int i = 0; i < p->states; i++) p->values.items[i] = outputs[1 + i];
    for (int i = 0; i < p->results; i++) list_add(arena, &p->values, outputs[1 + p->states + i]);
}

static void finish(Expansion *e, const Progress *p) {
    for (int i = 0; i < p->states; i++) expand_later(e, i, p->values.items[i]);
    for (int k = 0; k < p->results; k++) {
        ValueList values = {0};
        for (int i = p->states + k; i < p->values.count; i += p->results)
            list_add(e->node->graph->arena, &values, p->values.items[i]);
        expand_later(e, p->states + k, stack(e, &values, p->body->outputs.items[1 + p->states + k], 0, false));
    }
}

/* A node that goes on once the condition is computed: nodes are inferred, and constants folded, in their order. */
static void postpone(Expansion *e, const Progress *p) {
    Arena *arena = e->node->graph->arena;
    if (p->iteration > MOST_OPEN)
        node_fail(e->node, STATUS_UNSUPPORTED, "its condition holds for more than %d iterations", MOST_OPEN);
    ValueList inputs = {0};
    list_add(arena, &inputs, node_input(e->node, TRIPS));
    list_add(arena, &inputs, p->condition);
    for (int i = 0; i < p->values.count; i++) list_add(arena, &inputs, p->values.items[i]);
    Node *rest = expand_own_node(e, "LoopRest", inputs.count, inputs.items, &e->node->outputs);
    rest->name = e->node->name;
    list_add(arena, &rest->attributes, *node_attribute(e->node, "body"));
    node_set_int(rest, "iteration", p->iteration);
}

static void expand_loop(Expansion *e) {
    Progress p = progress_of(e->node);
    if (p.condition == NULL) p.condition = body_number(e, p.body->inputs.items[CONDITION], TYPE_BOOL, 1);
    while (goes_on(e->node, &p)) {
        Value *known = next_condition(&p);
        go_on(e, &p, known);
        if (known != NULL) continue;
        postpone(e, &p);
        return;
    }
    finish(e, &p);
}

/* Scan */

/* An element of an optional list of integers, 0 where the node has none. */
static int64_t listed(const Node *node, const char *list, int i, int count) {
    int given;
    const int64_t *values = attr_ints(node, list, &given);
    if (values != NULL && given != count)
        node_fail(node, STATUS_INVALID, "%s has %d elements, expected %d", list, given, count);
    return values == NULL ? 0 : values[i];
}

/* A scan of one sequence: of states, and of inputs without their batch. */
typedef struct {
    Graph *body;
    int states, inputs, results;
    int64_t length;
} Scanned;

/* Version 8 has a batch in front of all, and one axis. */
static bool has_batch(const Node *node) { return node->version < 9; }

/* The axis of input i that is gone through. */
static int scan_axis(const Node *node, const Scanned *s, int i) {
    const Value *input = node->inputs.items[has_batch(node) + s->states + i];
    const int64_t axis = has_batch(node) ? 1 : listed(node, "scan_input_axes", i, s->inputs);
    return node_axis(node, axis, input->shape.rank);
}

static Scanned scanned_of(const Node *node) {
    const int64_t inputs = attr_int(node, "num_scan_inputs");
    Scanned s = {.body = node_attribute(node, "body")->graph, .length = -1};
    const int given = node->inputs.count - has_batch(node);
    if (inputs < 1 || inputs > given || s.body->inputs.count != given || s.body->outputs.count != node->outputs.count ||
        s.body->outputs.count < given - inputs)
        node_fail(node, STATUS_INVALID,
                  "its body has %d inputs and %d outputs, which does not fit its own %d and %d, %lld of them scanned",
                  s.body->inputs.count, s.body->outputs.count, given, node->outputs.count, (long long)inputs);
    s.inputs = (int)inputs, s.states = given - s.inputs, s.results = s.body->outputs.count - s.states;
    Dim length = {-1, NULL};
    for (int i = 0; i < s.inputs; i++) {
        const Shape *shape = &node->inputs.items[has_batch(node) + s.states + i]->shape;
        length = dim_unify(node, length, shape->dims[scan_axis(node, &s, i)], "the number of iterations");
    }
    if (length.size < 0) node_fail(node, STATUS_UNSUPPORTED, "how often it runs is not known when compiling");
    s.length = length.size;
    return s;
}

/* Runs the body along one sequence. inputs: the states before, and what is scanned; results: one list for each output
 * of the body, to which the last states and all other outputs are added. */
static void scan_sequence(Expansion *e, const Scanned *s, Value *const *inputs, int64_t batch, ValueList *results) {
    const Node *node = e->node;
    Arena *arena = node->graph->arena;
    const char *list = has_batch(node) ? "directions" : "scan_input_directions";
    Value **given = arena_new_array(arena, Value *, (size_t)(s->states + s->inputs));
    Value **made = arena_new_array(arena, Value *, (size_t)s->body->outputs.count);
    for (int i = 0; i < s->states; i++) given[i] = inputs[i];
    for (int64_t t = 0; t < s->length; t++) {
        for (int i = 0; i < s->inputs; i++) {
            const int64_t at = listed(node, list, i, s->inputs) != 0 ? s->length - 1 - t : t;
            given[s->states + i] = expand_pick(e, inputs[s->states + i], scan_axis(node, s, i) - has_batch(node), at);
        }
        add_iteration(e, batch * s->length + t, given, made);
        for (int i = 0; i < s->states; i++) given[i] = made[i];
        for (int k = 0; k < s->results; k++) list_add(arena, &results[s->states + k], made[s->states + k]);
    }
    for (int i = 0; i < s->states; i++) list_add(arena, &results[i], given[i]);
}

/* Each element of the batch is a sequence of its own. */
static void scan_batch(Expansion *e, const Scanned *s) {
    const Node *node = e->node;
    Arena *arena = node->graph->arena;
    const int count = s->states + s->inputs, outputs = s->body->outputs.count;
    refuse_input(node, 0, "sequence_lens");
    Dim batch = {-1, NULL};
    for (int i = 0; i < count; i++) {
        const Shape *shape = &node->inputs.items[1 + i]->shape;
        if (shape->rank < 1) node_fail(node, STATUS_INVALID, "input %d has no batch", 1 + i);
        batch = dim_unify(node, batch, shape->dims[0], "the batch");
    }
    if (batch.size < 0) node_fail(node, STATUS_UNSUPPORTED, "its batch is not known when compiling");
    ValueList *stacked = arena_new_array(arena, ValueList, (size_t)outputs);
    Value **inputs = arena_new_array(arena, Value *, (size_t)count);
    for (int64_t b = 0; b < batch.size; b++) {
        ValueList *results = arena_new_array(arena, ValueList, (size_t)outputs);
        for (int i = 0; i < count; i++) inputs[i] = expand_pick(e, node->inputs.items[1 + i], 0, b);
        scan_sequence(e, s, inputs, b, results);
        for (int i = 0; i < outputs; i++) {
            Value *one =
                i < s->states ? results[i].items[0] : stack(e, &results[i], s->body->outputs.items[i], 0, false);
            list_add(arena, &stacked[i], one);
        }
    }
    for (int i = 0; i < outputs; i++) expand_later(e, i, stack(e, &stacked[i], s->body->outputs.items[i], 0, false));
}

static void expand_scan(Expansion *e) {
    const Node *node = e->node;
    const Scanned s = scanned_of(node);
    if (has_batch(node)) {
        scan_batch(e, &s);
        return;
    }
    ValueList *results = arena_new_array(node->graph->arena, ValueList, (size_t)s.body->outputs.count);
    scan_sequence(e, &s, node->inputs.items, 0, results);
    for (int i = 0; i < s.states; i++) expand_later(e, i, results[i].items[0]);
    for (int k = 0; k < s.results; k++) {
        const int64_t axis = listed(node, "scan_output_axes", k, s.results);
        const bool reversed = listed(node, "scan_output_directions", k, s.results) != 0;
        expand_later(e, s.states + k,
                     stack(e, &results[s.states + k], s.body->outputs.items[s.states + k], axis, reversed));
    }
}

/* SequenceMap */

static void expand_sequence_map(Expansion *e) {
    const Node *node = e->node;
    Arena *arena = node->graph->arena;
    const Graph *body = node_attribute(node, "body")->graph;
    const int outputs = body->outputs.count, length = node->inputs.items[0]->elements.count;
    if (body->inputs.count != node->inputs.count || outputs != node->outputs.count)
        node_fail(node, STATUS_INVALID, "its body has %d inputs and %d outputs, which does not fit its own %d and %d",
                  body->inputs.count, outputs, node->inputs.count, node->outputs.count);
    Value **given = arena_new_array(arena, Value *, (size_t)node->inputs.count);
    Value **made = arena_new_array(arena, Value *, (size_t)outputs);
    ValueList *results = arena_new_array(arena, ValueList, (size_t)outputs);
    for (int i = 0; i < length; i++) {
        for (int k = 0; k < node->inputs.count; k++) {
            Value *input = given[k] = node->inputs.items[k];
            if (input->kind != VALUE_SEQUENCE) continue;
            if (input->elements.count != length)
                node_fail(node, STATUS_INVALID, "input %d has %d elements, input 0 has %d", k, input->elements.count,
                          length);
            given[k] = input->elements.items[i];
        }
        add_iteration(e, i, given, made);
        for (int k = 0; k < outputs; k++) list_add(arena, &results[k], made[k]);
    }
    for (int k = 0; k < outputs; k++) expand_sequence_later(e, k, &results[k], body->outputs.items[k]->type);
}

const Op OPS_loop[] = {
    {.name = "Loop",
     .versions = {1, 11, 13, 16, 19, 21, 23, 24, 25},
     .inputs = "M:int64? cond:bool? v_initial:any(V)?*",
     .outputs = "v_final_and_scan_outputs:any(V)*",
     .types = "V: all",
     .attributes = "body:graph!",
     .expand = expand_loop},
    {.name = "LoopRest",
     .domain = FUSED_DOMAIN,
     .versions = {1},
     .inputs = "M:int64? cond:bool? values:any(V)?*",
     .outputs = "v_final_and_scan_outputs:any(V)*",
     .types = "V: all",
     .attributes = "body:graph! iteration:int!",
     .expand = expand_loop},
    {.name = "Scan",
     .versions = {8, 9, 11, 16, 19, 21, 23, 24, 25},
     .inputs = "sequence_lens:int64?@<9 initial_state_and_scan_inputs:V*",
     .outputs = "final_state_and_scan_outputs:V*",
     .types = "V: all",
     .attributes = "body:graph! num_scan_inputs:int! directions:ints@<9 scan_input_axes:ints@9 "
                   "scan_input_directions:ints@9 scan_output_axes:ints@9 scan_output_directions:ints@9",
     .expand = expand_scan},
    {.name = "SequenceMap",
     .versions = {17},
     .inputs = "input_sequence:seq(S) additional_inputs:any(V)?*",
     .outputs = "out_sequence:seq(R)*",
     .types = "S: float double float16 integers bool string complex; V: float double float16 integers bool string "
              "complex",
     .attributes = "body:graph!",
     .expand = expand_sequence_map},
    {0},
};
