/* LabelEncoder of numbers: places among the keys, by runtime/labels.c, and a Gather of the values there. */
#include "ops/carry.h"
#include "ops/gather.h"
#include "ops/movement.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The list that is there of those that the standard has for keys, or for values; exactly one has to be. */
static const Tensor *list_of(const Node *node, const char *what) {
    static const char *const kinds[] = {"floats", "int64s", "tensor", "strings"};
    Arena *arena = node->graph->arena;
    const Attribute *found = NULL;
    int count = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const Attribute *list = node_attribute(node, arena_printf(arena, "%s_%s", what, kinds[i]));
        if (list != NULL) found = list, count++;
    }
    if (count != 1) node_fail(node, STATUS_INVALID, "%d lists of %s, expected one", count, what);
    if (found->kind == ATTRIBUTE_TENSOR && found->tensor->type != TYPE_STRING) {
        if (found->tensor->shape.rank > 1)
            node_fail(node, STATUS_INVALID, "%s_tensor has %d dimensions, expected 1", what, found->tensor->shape.rank);
        return found->tensor;
    }
    if (found->kind == ATTRIBUTE_INTS) return tensor_ints(arena, found->integers, found->count);
    if (found->kind != ATTRIBUTE_FLOATS)
        node_fail(node, STATUS_UNSUPPORTED,
                  "its %s are strings, which fovea does not compute on; do that before the model, or after it", what);
    Shape shape = shape_of(1, (int64_t[]){found->count});
    Tensor *tensor = tensor_new(arena, TYPE_FLOAT, &shape);
    for (int i = 0; i < found->count; i++) tensor_set(tensor, i, (double)found->numbers[i]);
    return tensor;
}

static void infer_label_encoder(Node *node) {
    const Value *x = node->inputs.items[0];
    if (x->type == TYPE_STRING || node->version < 2)
        node_fail(node, STATUS_UNSUPPORTED,
                  "its labels are strings, which fovea does not compute on; do that before the model, or after it");
    const Tensor *keys = list_of(node, "keys"), *values = list_of(node, "values");
    const Attribute *preset = node_attribute(node, "default_tensor");
    if (tensor_count(keys) != tensor_count(values))
        node_fail(node, STATUS_INVALID, "%lld keys and %lld values", (long long)tensor_count(keys),
                  (long long)tensor_count(values));
    if (keys->type != x->type)
        node_fail(node, STATUS_INVALID, "the input has type %s, its keys %s", type_info(x->type)->name,
                  type_info(keys->type)->name);
    if (!(TYPE_BIT(values->type) & type_set_parse("float double int16 int32 int64")))
        node_fail(node, STATUS_INVALID, "values of type %s", type_info(values->type)->name);
    if (preset != NULL && (preset->tensor->type != values->type || tensor_count(preset->tensor) != 1))
        node_fail(node, STATUS_INVALID, "default_tensor has %lld elements of type %s, expected one of type %s",
                  (long long)tensor_count(preset->tensor), type_info(preset->tensor->type)->name,
                  type_info(values->type)->name);
    infer_same(node);
    node->outputs.items[0]->type = values->type;
}

/* A key, and where it stands in its list. */
typedef struct {
    const Tensor *keys;
    int64_t place;
} Key;

static int compare_keys(const Key *a, const Key *b) {
    if (type_is_float(a->keys->type)) { /* NaN behind all others */
        double x = tensor_number(a->keys, a->place), y = tensor_number(b->keys, b->place);
        return isnan(x) || isnan(y) ? (isnan(x) != 0) - (isnan(y) != 0) : (x > y) - (x < y);
    }
    int64_t x = tensor_int(a->keys, a->place), y = tensor_int(b->keys, b->place);
    return (x > y) - (x < y);
}

/* Of equal ones the last in the list, which holds, comes last. */
static int compare_places(const void *a, const void *b) {
    const Key *x = a, *y = b;
    int order = compare_keys(x, y);
    return order != 0 ? order : (x->place > y->place) - (x->place < y->place);
}

static void copy_element(Tensor *to, int64_t at, const Tensor *from, int64_t i) {
    size_t bytes = (size_t)type_info(to->type)->bytes;
    memcpy((char *)to->data + (size_t)at * bytes, (const char *)from->data + (size_t)i * bytes, bytes);
}

/* What stands for an element that is no key. */
static const Tensor *default_of(const Node *node, Type type) {
    Arena *arena = node->graph->arena;
    const Attribute *given = node_attribute(node, "default_tensor");
    if (given != NULL) return given->tensor;
    if (type_is_float(type)) return tensor_scalar(arena, type, (double)attr_float(node, "default_float"));
    int64_t number = attr_int(node, "default_int64");
    Tensor *tensor = tensor_new(arena, type, &(Shape){.rank = 0});
    if (type == TYPE_INT64) *(int64_t *)tensor->data = number;
    else if (type == TYPE_INT32) *(int32_t *)tensor->data = (int32_t)number;
    else *(int16_t *)tensor->data = (int16_t)number;
    if (tensor_int(tensor, 0) != number)
        node_fail(node, STATUS_INVALID, "default_int64 is %lld, the values are of type %s", (long long)number,
                  type_info(type)->name);
    return tensor;
}

/* Keys in ascending order, each once, without NaN: count of them; and a value for each, for a NaN and for what is no
 * key. */
typedef struct {
    Tensor *keys, *values;
    int64_t count;
} Table;

static Table table_of(const Node *node) {
    Arena *arena = node->graph->arena;
    const Tensor *keys = list_of(node, "keys"), *values = list_of(node, "values");
    const Tensor *preset = default_of(node, values->type);
    int64_t listed = tensor_count(keys);
    Shape shape = shape_of(1, (int64_t[]){listed + 2});
    Table table = {tensor_new(arena, keys->type, &shape), tensor_new(arena, values->type, &shape), 0};
    Key *sorted = arena_new_array(arena, Key, (size_t)listed);
    for (int64_t i = 0; i < listed; i++) sorted[i] = (Key){keys, i};
    qsort(sorted, (size_t)listed, sizeof *sorted, compare_places);
    const Tensor *nan_values = preset;
    int64_t nan_place = 0;
    for (int64_t i = 0; i < listed; i++) {
        if (i + 1 < listed && compare_keys(&sorted[i], &sorted[i + 1]) == 0) continue;
        if (type_is_float(keys->type) && isnan(tensor_number(keys, sorted[i].place))) {
            nan_values = values, nan_place = sorted[i].place;
            continue;
        }
        copy_element(table.keys, table.count, keys, sorted[i].place);
        copy_element(table.values, table.count++, values, sorted[i].place);
    }
    copy_element(table.values, table.count, nan_values, nan_place);
    copy_element(table.values, table.count + 1, preset, 0);
    return table;
}

static void lower_label_encoder(Program *program, Node *node) {
    const Value *x = node->inputs.items[0], *y = node->outputs.items[0];
    int64_t count = shape_count(&x->shape);
    if (is_empty(y)) return;
    Table table = table_of(node);
    Buffer *places = program_scratch(program, TYPE_INT64, count);
    Step *step = step_kernel(program, "label_places", x->type);
    step_value(program, step, "x", x);
    step_value(program, step, "keys", graph_constant(program->graph, "keys", table.keys));
    step_buffer(step, "places", places, 0);
    step_size(step, "COUNT", count);
    step_size(step, "KEYS", table.count);
    Buffer *values = program_buffer(program, graph_constant(program->graph, "values", table.values));
    gather_buffers(program, values, (Axis){1, table.count + 2, 1}, places, count, program_buffer(program, y));
}

const Op OPS_labels[] = {
    {.name = "LabelEncoder",
     .domain = "ai.onnx.ml",
     .versions = {1, 2, 4},
     .inputs = "X:T1",
     .outputs = "Y:T2",
     .types = "T1: string float double int16 int32 int64; T2: string float double int16 int32 int64",
     .attributes = "classes_strings:strings@<2 default_float:float@2=-0.0 default_int64:int=-1 "
                   "default_string:string=_Unused default_tensor:tensor@4 keys_floats:floats@2 keys_int64s:ints@2 "
                   "keys_strings:strings@2 keys_tensor:tensor@4 values_floats:floats@2 values_int64s:ints@2 "
                   "values_strings:strings@2 values_tensor:tensor@4",
     .infer = infer_label_encoder,
     .carry = carry_same,
     .lower = lower_label_encoder},
    {0},
};
