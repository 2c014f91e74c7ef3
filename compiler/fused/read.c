/* Reading forms off nodes: formulas of one operand, linear layers, pools over whole maps.
 * See fuser.h. */
#include "base/text.h"
#include "fused/fuser.h"
#include "patterns/view.h"

#include <string.h>

/* Formulas. */

/* The one computed input of a node whose others are constant numbers; -1 where it has another form. */
static int computed_input(const Node *node) {
    int found = -1;
    for (int i = 0; i < node->inputs.count; i++) {
        const Value *input = node->inputs.items[i];
        if (input == NULL) continue;
        if (input->constant != NULL) {
            if (tensor_count(input->constant) != 1) return -1;
            continue;
        }
        if (found >= 0) return -1;
        found = i;
    }
    return found;
}

static double number_of(const Value *value) { return tensor_number(value->constant, 0); }

/* Clip(x, low, high), of which either may be left out. */
static const char *clip_text(Arena *arena, const Node *node) {
    bool by_attributes = node->version < 11;
    const Value *low = node_input(node, 1), *high = node_input(node, 2);
    Text text = text_new(arena);
    if (by_attributes || low != NULL)
        text_printf(&text, "maximum %.17g", by_attributes ? (double)attr_float(node, "min") : number_of(low));
    if (by_attributes || high != NULL)
        text_printf(&text, "%sminimum %.17g", text.length > 0 ? " " : "",
                    by_attributes ? (double)attr_float(node, "max") : number_of(high));
    return text.length > 0 ? text.data : NULL;
}

/* A formula with the attributes that the operator's row names. */
static const char *row_text(Arena *arena, const Node *node) {
    Text text = text_new(arena);
    text_add(&text, node->op->formula);
    for (const char *at = node->op->formula_attributes; at != NULL && *at != '\0';) {
        size_t length = strcspn(at, " ");
        text_printf(&text, " %.17g", (double)attr_float(node, arena_printf(arena, "%.*s", (int)length, at)));
        at += length + strspn(at + length, " ");
    }
    return text.data;
}

/* What a node does with its one computed input, as text; NULL where that is no formula. */
static const char *node_formula(Arena *arena, const Node *node, int input) {
    static const char *const two_sided[] = {"Add", "Mul", "Max", "Min"}, *const left_only[] = {"Sub", "Div", "PRelu"};
    if (node->op == NULL || node->domain[0] != '\0') return NULL;
    if (is_node(node, "Clip")) return input == 0 ? clip_text(arena, node) : NULL;
    if (is_node(node, "Gelu")) return strcmp(attr_string(node, "approximate"), "tanh") == 0 ? "gelu_tanh" : "gelu";
    if (node->op->formula == NULL || formula_find(node->op->formula)->is_predicate) return NULL;
    if (node->inputs.count == 1) return row_text(arena, node);
    if (node->inputs.count != 2) return NULL;
    bool fits = false;
    for (size_t i = 0; i < sizeof two_sided / sizeof *two_sided; i++) fits |= is_node(node, two_sided[i]);
    for (size_t i = 0; i < sizeof left_only / sizeof *left_only; i++) fits |= is_node(node, left_only[i]) && input == 0;
    if (!fits) return NULL;
    return arena_printf(arena, "%s %.17g", node->op->formula, number_of(node->inputs.items[1 - input]));
}

const char *read_formula(Graph *graph, Value *value, Value **from) {
    const char *text = "";
    for (;;) {
        value = view_root(value);
        const Node *node = value->producer;
        int input = node == NULL || node->graph != graph ? -1 : computed_input(node);
        const char *first = input < 0 ? NULL : node_formula(graph->arena, node, input);
        *from = value;
        if (first == NULL || node->inputs.items[input]->type != value->type) return text;
        if (shape_count(&node->inputs.items[input]->shape) != shape_count(&value->shape)) return text;
        text = arena_printf(graph->arena, "%s%s%s", first, *text == '\0' ? "" : " ", text);
        value = node->inputs.items[input];
    }
}

/* Linear layers. */

/* Weights as the node has them: with a row for each output, or turned. */
typedef struct {
    Value *x, *weight, *bias;
    int64_t inputs, outputs;
    bool is_turned;
} Layer;

static bool is_matrix(const Value *value) { return value != NULL && value->constant != NULL && value->shape.rank == 2; }

static Layer matrix_layer(const Node *node, bool transposed) {
    Value *weight = node->inputs.items[1];
    int64_t rows = weight->shape.dims[0].size, columns = weight->shape.dims[1].size;
    return transposed ? (Layer){node->inputs.items[0], weight, NULL, columns, rows, false}
                      : (Layer){node->inputs.items[0], weight, NULL, rows, columns, true};
}

static bool gemm_layer(const Node *node, Layer *layer) {
    if (!is_matrix(node->inputs.items[1]) || attr_int(node, "transA") != 0) return false;
    *layer = matrix_layer(node, attr_int(node, "transB") != 0);
    layer->bias = node_input(node, 2);
    return attr_float(node, "alpha") == 1 && (layer->bias == NULL || attr_float(node, "beta") == 1);
}

/* The layer computes one vector for each image only where its input and output are maps of one pixel. */
static bool conv_layer(const Node *node, Layer *layer) {
    Value *x = node->inputs.items[0], *weight = node->inputs.items[1], *y = node->outputs.items[0];
    if (weight->constant == NULL || attr_int(node, "group") != 1 || !shape_is_known(&x->shape)) return false;
    int64_t outputs = weight->shape.dims[0].size, inputs = weight->shape.dims[1].size;
    *layer = (Layer){x, weight, node_input(node, 2), inputs, outputs, false};
    return shape_count(&weight->shape) == outputs * inputs &&
           shape_count(&x->shape) == x->shape.dims[0].size * inputs &&
           shape_count(&y->shape) == x->shape.dims[0].size * outputs;
}

static bool layer_of(const Graph *graph, Value *value, Layer *layer) {
    const Node *node = view_root(value)->producer;
    if (node == NULL || node->graph != graph) return false;
    if (is_node(node, "Gemm")) return gemm_layer(node, layer);
    if (is_node(node, "Conv")) return conv_layer(node, layer);
    if (is_node(node, "MatMul")) {
        bool fits = is_matrix(node->inputs.items[1]) && node->inputs.items[0]->constant == NULL;
        if (fits) *layer = matrix_layer(node, false);
        return fits;
    }
    if (!is_node(node, "Add")) return false;
    int constant = node->inputs.items[0]->constant != NULL ? 0 : 1;
    bool fits = node->inputs.items[constant]->constant != NULL &&
                layer_of(graph, node->inputs.items[1 - constant], layer) && layer->bias == NULL;
    if (fits) layer->bias = node->inputs.items[constant];
    return fits;
}

/* A constant with rows and columns exchanged. */
static Value *transposed(Graph *graph, const Value *value, int64_t rows, int64_t columns) {
    Shape shape = shape_of(2, (int64_t[]){columns, rows});
    Tensor *tensor = tensor_new(graph->arena, value->type, &shape);
    size_t bytes = (size_t)type_info(value->type)->bytes;
    for (int64_t row = 0; row < rows; row++)
        for (int64_t column = 0; column < columns; column++)
            memcpy((char *)tensor->data + (size_t)(column * rows + row) * bytes,
                   (const char *)value->constant->data + (size_t)(row * columns + column) * bytes, bytes);
    const char *name = arena_printf(graph->arena, "%s_transposed", value->name);
    return graph_constant(graph, graph_free_name(graph, name), tensor);
}

bool read_linear(Graph *graph, Value *value, Linear *linear) {
    Layer layer;
    if (!layer_of(graph, value, &layer)) return false;
    if (layer.bias != NULL && (layer.bias->constant == NULL || tensor_count(layer.bias->constant) != layer.outputs))
        return false;
    *linear = (Linear){view_root(layer.x), layer.weight, layer.bias, layer.inputs, layer.outputs};
    if (layer.is_turned) linear->weight = transposed(graph, layer.weight, layer.inputs, layer.outputs);
    return true;
}

/* Pools. */

/* Whether a reduction is over places only: over no axis before the third one. */
static bool reduces_places(const Node *node) {
    int count;
    const int64_t *axes = NULL;
    const Value *given = node_input(node, 1);
    if (given != NULL && given->constant == NULL) return false;
    if (!node_ints(node, "axes", 1, &axes, &count)) return false;
    for (int i = 0; i < count; i++)
        if (node_axis(node, axes[i], node->inputs.items[0]->shape.rank) < 2) return false;
    return true;
}

static bool is_pool(Value *value, Value *x, const char *global, const char *reduction) {
    if (!shape_is_known(&x->shape) || x->shape.rank < 3) return false;
    int64_t vectors = x->shape.dims[0].size * x->shape.dims[1].size;
    if (shape_count(&value->shape) != vectors) return false;
    for (Value *at = view_root(value);; at = view_root(at)) {
        const Node *node = at->producer;
        if (is_node(node, global)) return view_root(node->inputs.items[0]) == view_root(x);
        if (!is_node(node, reduction) || !reduces_places(node)) return false;
        at = node->inputs.items[0];
        if (view_root(at) == view_root(x)) return true;
    }
}

bool is_channel_mean(Value *value, Value *x) { return is_pool(value, x, "GlobalAveragePool", "ReduceMean"); }
bool is_channel_max(Value *value, Value *x) { return is_pool(value, x, "GlobalMaxPool", "ReduceMax"); }

static bool is_gate(Value *value, Value *gate) {
    const Node *node = view_root(value)->producer;
    if (view_root(value) == view_root(gate)) return true;
    return is_node(node, "Expand") && view_root(node->inputs.items[0]) == view_root(gate);
}

bool is_gated(const Value *out, Value *x, Value *gate) {
    const Node *node = out->producer;
    if (!is_node(node, "Mul") || !shape_equal(&out->shape, &x->shape)) return false;
    for (int i = 0; i < 2; i++)
        if (view_root(node->inputs.items[i]) == view_root(x) && is_gate(node->inputs.items[1 - i], gate)) return true;
    return false;
}
