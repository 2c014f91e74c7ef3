/* Operators: finding rows, reading their schemas, and the shape rules that many share.
 * The families are found by the build: op_families.inc names every file of this folder that holds rows. */
#include "ops/op.h"

#include "base/checked.h"
#include "ops/fused.h"
#include "ops/legacy.h"

#include <stdlib.h>
#include <string.h>

#define FAMILY(name) extern const Op OPS_##name[];
#include "op_families.inc"
#undef FAMILY

static const Op *const families[] = {
#define FAMILY(name) OPS_##name,
#include "op_families.inc"
#undef FAMILY
};

static const char *domain_of(const Op *op) { return op->domain == NULL ? "" : op->domain; }

const Op *op_find(const char *domain, const char *name) {
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        for (const Op *op = families[i]; op->name != NULL; op++)
            if (strcmp(op->name, name) == 0 && strcmp(domain_of(op), domain) == 0) return op;
    return NULL;
}

void op_each(void (*visit)(const Op *op, void *argument), void *argument) {
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        for (const Op *op = families[i]; op->name != NULL; op++) visit(op, argument);
}

/* The schema's words, one after the other. */
typedef struct {
    const char *at;
    char word[160];
} Words;

static bool next_word(Words *words, const char *separators) {
    if (words->at == NULL) return false;
    words->at += strspn(words->at, separators);
    size_t length = strcspn(words->at, separators);
    fovea_assert(length < sizeof words->word);
    memcpy(words->word, words->at, length);
    words->word[length] = '\0';
    words->at += length;
    return length > 0;
}

enum { ANY_VERSION = -1 };

/* Cuts "@11" (from version 11 on), "@<13" (before it) or both off a declaration; whether `version` has it. */
static bool take_versions(char *declaration, int version) {
    bool has = true;
    for (char *at; (at = strrchr(declaration, '@')) != NULL; *at = '\0')
        has &= at[1] == '<' ? version < atoi(at + 2) : version >= atoi(at + 1);
    return has || version == ANY_VERSION;
}

typedef struct {
    char name[64], type[64];
    bool optional, variadic;
    bool takes_tensor, takes_list; /* list: a sequence; both: an optional value, too */
} Port;

/* Cuts "seq(T)" and "any(T)" down to "T". */
static void take_kind(Port *port) {
    bool is_sequence = strncmp(port->type, "seq(", 4) == 0, is_any = strncmp(port->type, "any(", 4) == 0;
    port->takes_tensor = !is_sequence, port->takes_list = is_sequence || is_any;
    if (!port->takes_list) return;
    size_t length = strlen(port->type) - strlen("any()");
    memmove(port->type, port->type + strlen("any("), length);
    port->type[length] = '\0';
}

/* Reads "X:T", "B:T?", "inputs:seq(T)*" or "axes:int64?@13", skipping what `version` does not have. */
static bool next_port(Words *words, int version, Port *port) {
    char *colon;
    do {
        if (!next_word(words, " ")) return false;
        colon = strchr(words->word, ':');
        fovea_assert(colon != NULL);
    } while (!take_versions(colon, version));
    size_t last = strlen(colon + 1);
    port->variadic = colon[last] == '*';
    if (port->variadic) colon[last--] = '\0';
    port->optional = colon[last] == '?';
    if (port->optional) colon[last] = '\0';
    *colon = '\0';
    strcpy(port->name, words->word);
    strcpy(port->type, colon + 1);
    take_kind(port);
    return true;
}

/* The types a variable may be, from "T: floats int32; I: int32 int64"; 0 where it is not declared. */
static TypeSet variable_types(const Op *op, const char *variable) {
    for (const char *p = op->types; p != NULL && *p != '\0';) {
        p += strspn(p, " ;");
        size_t length = strcspn(p, ":");
        const char *set = p + length + (p[length] == ':');
        size_t set_length = strcspn(set, ";");
        if (strlen(variable) == length && memcmp(variable, p, length) == 0) {
            char words[160];
            fovea_assert(set_length < sizeof words);
            memcpy(words, set, set_length);
            words[set_length] = '\0';
            return type_set_parse(words);
        }
        p = set + set_length;
    }
    return 0;
}

static void count_ports(const char *ports, int version, int *least, int *most) {
    Words words = {.at = ports};
    *least = *most = 0;
    for (Port port; next_port(&words, version, &port);) {
        ++*most;
        if (!port.optional) *least = *most;
        if (port.variadic) *most = INT32_MAX;
    }
}

static void check_count(const Node *node, const char *ports, const ValueList *given, const char *what) {
    int least, most;
    count_ports(ports, node->version, &least, &most);
    int count = given->count;
    if (count < least || count > most)
        node_fail(node, STATUS_INVALID, "%d %s%s, expected %s%d", count, what, count == 1 ? "" : "s",
                  least == most   ? ""
                  : count < least ? "at least "
                                  : "at most ",
                  count < least ? least : most);
    Words words = {.at = ports};
    Port port;
    for (int i = 0; i < least && next_port(&words, node->version, &port); i++)
        if (given->items[i] == NULL && !port.optional && !port.variadic)
            node_fail(node, STATUS_INVALID, "%s %d (%s) is left out", what, i, port.name);
}

/* Of a list as long as one likes each input has to be there. */
static void check_variadic(const Node *node) {
    Words words = {.at = node->op->inputs};
    Port port = {0};
    for (int i = 0; i < node->inputs.count; i++) {
        if (!port.variadic && !next_port(&words, node->version, &port)) return;
        if (port.variadic && node->inputs.items[i] == NULL)
            node_fail(node, STATUS_INVALID, "input %d (%s) is left out", i, port.name);
    }
}

/* Types that variables stand for in one node: at most a few, so a list serves. */
typedef struct {
    char name[8][64];
    Type type[8];
    int count;
} Binding;

static Type *bound(Binding *binding, const char *variable) {
    for (int i = 0; i < binding->count; i++)
        if (strcmp(binding->name[i], variable) == 0) return &binding->type[i];
    return NULL;
}

static void bind(Binding *binding, const char *variable, Type type) {
    fovea_assert(binding->count < 8);
    strcpy(binding->name[binding->count], variable);
    binding->type[binding->count++] = type;
}

static void check_input_kind(const Node *node, int i, const Port *port) {
    static const char *const names[] = {
        [VALUE_TENSOR] = "a tensor", [VALUE_SEQUENCE] = "a sequence", [VALUE_NOTHING] = "an empty optional value"};
    const ValueKind kind = node->inputs.items[i]->kind;
    if (kind == VALUE_TENSOR ? port->takes_tensor : port->takes_list && (port->takes_tensor || kind == VALUE_SEQUENCE))
        return;
    node_fail(node, STATUS_INVALID, "input %d (%s) is %s, which this operator does not take", i, port->name,
              names[kind]);
}

static void check_input_type(const Node *node, int i, const Port *port, Binding *binding) {
    Type type = node->inputs.items[i]->type;
    check_input_kind(node, i, port);
    if (node->inputs.items[i]->kind == VALUE_NOTHING) return;
    TypeSet set = variable_types(node->op, port->type);
    bool is_variable = set != 0;
    if (!is_variable) set = type_set_parse(port->type);
    fovea_assert(set != 0);
    if (!(set & TYPE_BIT(type)))
        node_fail(node, STATUS_INVALID, "input %d (%s) has type %s, which this operator does not take", i, port->name,
                  type_info(type)->name);
    if (!is_variable) return;
    Type *other = bound(binding, port->type);
    if (other == NULL) bind(binding, port->type, type);
    else if (*other != type && !(port->variadic && port->type[0] == 'V')) /* V: each its own */
        node_fail(node, STATUS_INVALID, "input %d (%s) has type %s, the one before it %s", i, port->name,
                  type_info(type)->name, type_info(*other)->name);
}

static void check_types(Node *node) {
    Binding binding = {0};
    Words words = {.at = node->op->inputs};
    Port port = {0};
    for (int i = 0; i < node->inputs.count; i++) {
        if (!port.variadic && !next_port(&words, node->version, &port)) break;
        if (node->inputs.items[i] != NULL) check_input_type(node, i, &port, &binding);
    }
    words = (Words){.at = node->op->outputs};
    port = (Port){0};
    for (int i = 0; i < node->outputs.count; i++) {
        if (!port.variadic && !next_port(&words, node->version, &port)) break;
        Value *output = node->outputs.items[i];
        if (output == NULL) continue;
        Type *type = bound(&binding, port.type);
        Type named = type_from_name(port.type);
        if (type != NULL) output->type = *type;
        else if (named != TYPE_NONE) output->type = named;
    }
}

static const char *const kind_names[] = {
    [ATTRIBUTE_INT] = "int",       [ATTRIBUTE_FLOAT] = "float",     [ATTRIBUTE_STRING] = "string",
    [ATTRIBUTE_TENSOR] = "tensor", [ATTRIBUTE_GRAPH] = "graph",     [ATTRIBUTE_INTS] = "ints",
    [ATTRIBUTE_FLOATS] = "floats", [ATTRIBUTE_STRINGS] = "strings", [ATTRIBUTE_TENSORS] = "tensors",
    [ATTRIBUTE_GRAPHS] = "graphs", [ATTRIBUTE_TYPE_PROTO] = "type",
};

/* An attribute of the schema: "alpha:float=0.01", "to:int!", "axes:ints@<13". */
typedef struct {
    char name[64], kind[16];
    const char *preset; /* the default's text, or NULL */
    bool required;
} Declared;

static bool next_declared(Words *words, int version, Declared *declared) {
    char *colon;
    do {
        if (!next_word(words, " ")) return false;
        colon = strchr(words->word, ':');
        fovea_assert(colon != NULL);
        char *equals = strchr(colon, '=');
        declared->preset = equals == NULL ? NULL : equals + 1;
        if (equals != NULL) *equals = '\0';
    } while (!take_versions(colon, version));
    size_t length = strlen(colon);
    declared->required = colon[length - 1] == '!';
    if (declared->required) colon[length - 1] = '\0';
    *colon = '\0';
    fovea_assert(strlen(words->word) < sizeof declared->name && strlen(colon + 1) < sizeof declared->kind);
    strcpy(declared->name, words->word);
    strcpy(declared->kind, colon + 1);
    return true;
}

static bool find_declared(const Op *op, int version, const char *name, Words *words, Declared *declared) {
    *words = (Words){.at = op->attributes};
    while (next_declared(words, version, declared))
        if (strcmp(declared->name, name) == 0) return true;
    return false;
}

int op_newest(const Op *op) {
    int version = 0;
    for (int i = 0; op->versions[i] != 0; i++) version = op->versions[i];
    return version;
}

int op_least_outputs(const Op *op, int version) {
    int least, most;
    count_ports(op->outputs, version, &least, &most);
    return least;
}

bool op_makes_sequences(const Op *op) { return strstr(op->outputs, "seq(") != NULL; }

const char *op_attribute_kind(const Op *op, int version, const char *name) {
    Words words;
    Declared declared;
    if (op->attributes == NULL || !find_declared(op, version, name, &words, &declared)) return NULL;
    for (size_t i = 0; i < sizeof kind_names / sizeof *kind_names; i++)
        if (strcmp(kind_names[i], declared.kind) == 0) return kind_names[i];
    return NULL;
}

const char *op_attribute_default(Arena *arena, const Op *op, int version, const char *name) {
    Words words;
    Declared declared;
    if (op->attributes == NULL || !find_declared(op, version, name, &words, &declared)) return NULL;
    return declared.preset == NULL ? NULL : arena_copy(arena, declared.preset);
}

static void check_attributes(const Node *node) {
    Words words;
    Declared declared;
    for (int i = 0; i < node->attributes.count; i++) {
        const Attribute *attribute = &node->attributes.items[i];
        if (!find_declared(node->op, node->version, attribute->name, &words, &declared))
            node_fail(node, STATUS_INVALID, "attribute %s is not one of this operator in version %d",
                      quoted(attribute->name), node->version);
        if (strcmp(declared.kind, kind_names[attribute->kind]) != 0)
            node_fail(node, STATUS_INVALID, "attribute %s is of kind %s, expected %s", quoted(attribute->name),
                      kind_names[attribute->kind], declared.kind);
    }
    words = (Words){.at = node->op->attributes};
    while (next_declared(&words, node->version, &declared))
        if (declared.required && node_attribute(node, declared.name) == NULL)
            node_fail(node, STATUS_INVALID, "attribute %s is missing", declared.name);
}

/* That generated code can count the elements of every value whose shape is known. */
static void check_sizes(const Node *node, const ValueList *values, const char *what) {
    for (int i = 0; i < values->count; i++) {
        const Shape *shape = values->items[i] == NULL ? &SHAPE_UNKNOWN : &values->items[i]->shape;
        int64_t count = 1;
        for (int d = 0; d < shape->rank; d++)
            if (shape->dims[d].size > 0 && (!checked_multiply(count, shape->dims[d].size, &count) || count > INT32_MAX))
                node_fail(node, STATUS_UNSUPPORTED, "%s %d would have the shape %s, at most %d elements are supported",
                          what, i, shape_text(node->graph->arena, shape), INT32_MAX);
    }
}

void op_infer(Node *node) {
    const Op *op = node->op;
    check_count(node, op->inputs, &node->inputs, "input");
    check_count(node, op->outputs, &node->outputs, "output");
    check_variadic(node);
    check_attributes(node);
    check_types(node);
    check_sizes(node, &node->inputs, "input");
    if (legacy_broadcasts(node)) legacy_infer(node);
    else if (op->infer != NULL) op->infer(node);
    else if (op->expand == NULL) infer_broadcast(node);
    check_sizes(node, &node->outputs, "output");
}

/* The newest version of an operator that an opset means; 0 where it is older than the operator. */
static int version_in(const Op *op, int opset) {
    int version = 0;
    for (int i = 0; op->versions[i] != 0; i++)
        if (op->versions[i] <= opset) version = op->versions[i];
    return version;
}

typedef struct {
    const char *what, *why;
    int count;
} Missing;

static void note_missing(Map *missing, const Node *node, const char *why) {
    Arena *arena = missing->arena;
    const char *what = node->domain[0] == '\0'
                           ? quoted(node->op_type)
                           : arena_printf(arena, "%s of domain %s", quoted(node->op_type), quoted(node->domain));
    const char *key = arena_printf(arena, "%s%s", what, why);
    Missing *entry = map_get(missing, key);
    if (entry == NULL) {
        entry = arena_new_object(arena, Missing);
        *entry = (Missing){arena_copy(arena, what), why, 0};
        map_set(missing, key, entry);
    }
    entry->count++;
}

/* The operators that attention blocks are fused into are fovea's own: no model has them. */
static bool is_misused(const Node *node) { return node->index >= 0 && strcmp(node->domain, FUSED_DOMAIN) == 0; }

/* Why there is no row for an operator. */
static const char *why_missing(const Node *node) {
    const char *name = node->domain[0] == '\0' ? node->op_type : "";
    if (strncmp(name, "String", 6) == 0 || strcmp(name, "RegexFullMatch") == 0)
        return "is not supported: fovea does not compute on strings; do that before the model, or after it";
    if (strcmp(node->domain, "com.microsoft.nchwc") == 0)
        return "is not supported: its weights are laid out for one machine; let ONNX Runtime optimise the model by "
               "ORT_ENABLE_EXTENDED, or not at all";
    if (strcmp(name, "ImageDecoder") == 0)
        return "is not supported: how large a picture is stands in its bytes alone; decode it before the model";
    return "is not supported";
}

/* Rows have all versions that opset 7 and newer ones mean, and of older ones those that differ little. */
static const char *why_not_in(Arena *arena, int opset) {
    if (opset >= 7) return arena_printf(arena, "does not exist in opset %d", opset);
    return arena_printf(arena,
                        "is not supported in opset %d; convert the model to opset 7 or newer with "
                        "onnx.version_converter, or export it with another opset_version",
                        opset);
}

static void resolve(Graph *graph, Map *missing) {
    for (int i = 0; i < graph->nodes.count; i++) {
        Node *node = graph->nodes.items[i];
        node->op = is_misused(node) ? NULL : op_find(node->domain, node->op_type);
        if (node->op == NULL) note_missing(missing, node, why_missing(node));
        else if ((node->version = version_in(node->op, node->opset)) == 0)
            note_missing(missing, node, why_not_in(missing->arena, node->opset));
        for (int k = 0; k < node->attributes.count; k++) {
            const Attribute *attribute = &node->attributes.items[k];
            if (attribute->kind == ATTRIBUTE_GRAPH) resolve(attribute->graph, missing);
            for (int g = 0; attribute->kind == ATTRIBUTE_GRAPHS && g < attribute->count; g++)
                resolve(attribute->graphs[g], missing);
        }
    }
}

static void report_missing(const char *name, void *value, void *argument) {
    (void)name, (void)argument;
    const Missing *missing = value;
    report(STATUS_UNSUPPORTED, "operator %s %s (%d node%s)", missing->what, missing->why, missing->count,
           missing->count == 1 ? "" : "s");
}

void ops_resolve(Graph *graph) {
    Map missing = map_new(graph->arena);
    resolve(graph, &missing);
    map_each(&missing, report_missing, NULL);
    fail_if_reported();
}

/* The schema's default of an attribute; one that the version does not have yet, or no longer, has that of another. */
static const char *preset(const Node *node, const char *name, Words *words) {
    Declared declared;
    if (!find_declared(node->op, node->version, name, words, &declared) &&
        !find_declared(node->op, ANY_VERSION, name, words, &declared))
        fail(STATUS_BUG, "the row of %s has no attribute %s", node->op->name, name);
    if (declared.preset == NULL) fail(STATUS_BUG, "attribute %s of %s has no default", name, node->op->name);
    return declared.preset;
}

int64_t attr_int(const Node *node, const char *name) {
    const Attribute *attribute = node_attribute(node, name);
    Words words;
    return attribute != NULL ? attribute->integer : strtoll(preset(node, name, &words), NULL, 10);
}

float attr_float(const Node *node, const char *name) {
    const Attribute *attribute = node_attribute(node, name);
    Words words;
    return attribute != NULL ? attribute->number : strtof(preset(node, name, &words), NULL);
}

const char *attr_string(const Node *node, const char *name) {
    const Attribute *attribute = node_attribute(node, name);
    Words words;
    return attribute != NULL ? attribute->string : arena_copy(node->graph->arena, preset(node, name, &words));
}

Type attr_type(const Node *node, const char *name, const char *set) {
    int64_t type = attr_int(node, name);
    if (type <= TYPE_NONE || type >= TYPE_COUNT || !(TYPE_BIT(type) & type_set_parse(set)))
        node_fail(node, STATUS_INVALID, "%s=%lld is no type that this operator makes", name, (long long)type);
    return (Type)type;
}

/* "0,2,3" as numbers. */
static const int64_t *parse_ints(Arena *arena, const char *text, int *count) {
    int64_t *numbers = arena_new_array(arena, int64_t, strlen(text) / 2 + 1);
    for (*count = 0; *text != '\0'; text += *text == ',') {
        char *end;
        numbers[(*count)++] = strtoll(text, &end, 10);
        fovea_assert(end != text);
        text = end;
    }
    return numbers;
}

const int64_t *attr_ints(const Node *node, const char *name, int *count) {
    const Attribute *attribute = node_attribute(node, name);
    Words words;
    Declared declared;
    bool has_preset = find_declared(node->op, node->version, name, &words, &declared) && declared.preset != NULL;
    if (attribute == NULL && has_preset) return parse_ints(node->graph->arena, declared.preset, count);
    *count = attribute == NULL ? 0 : attribute->count;
    return attribute == NULL ? NULL : attribute->integers;
}

bool node_ints(const Node *node, const char *attribute, int input, const int64_t **values, int *count) {
    *values = NULL, *count = 0;
    const Attribute *given = attribute == NULL ? NULL : node_attribute(node, attribute);
    if (given != NULL) {
        *values = given->integers, *count = given->count;
        return true;
    }
    const Value *value = input < 0 ? NULL : node_input(node, input);
    if (value == NULL) return false;
    if (value->constant == NULL)
        node_fail(
            node, STATUS_UNSUPPORTED,
            "input %d %s is computed at run time, but has to be known when compiling; if it depends on a dimension, "
            "give that with --dim or --shape",
            input, quoted(value->name));
    int64_t elements = tensor_count(value->constant);
    int64_t *copied = arena_new_array(node->graph->arena, int64_t, (size_t)elements);
    for (int64_t i = 0; i < elements; i++) copied[i] = tensor_int(value->constant, i);
    *values = copied, *count = (int)elements;
    return true;
}

int node_axis(const Node *node, int64_t axis, int rank) {
    if (axis < -rank || axis >= rank)
        node_fail(node, STATUS_INVALID, "axis %lld is out of range for %d dimension%s", (long long)axis, rank,
                  rank == 1 ? "" : "s");
    return (int)(axis < 0 ? axis + rank : axis);
}

Dim dim_add(const Node *node, Dim a, int64_t b) {
    if (a.size < 0) return b == 0 ? a : (Dim){-1, NULL};
    int64_t sum;
    if (!checked_add(a.size, b, &sum)) node_fail(node, STATUS_INVALID, "a dimension overflows");
    return dim_known(sum);
}

Dim dim_multiply(const Node *node, Dim a, Dim b) {
    if (a.size == 0 || b.size == 0) return dim_known(0);
    if (a.size == 1) return b;
    if (b.size == 1) return a;
    if (a.size < 0 || b.size < 0) return (Dim){-1, NULL};
    int64_t product;
    if (!checked_multiply(a.size, b.size, &product)) node_fail(node, STATUS_INVALID, "a dimension overflows");
    return dim_known(product);
}

Dim dim_unify(const Node *node, Dim a, Dim b, const char *what) {
    if (a.size < 0) return b.size < 0 && a.symbol != NULL ? a : b;
    if (b.size >= 0 && a.size != b.size)
        node_fail(node, STATUS_INVALID, "%s is %lld and %lld", what, (long long)a.size, (long long)b.size);
    return a;
}

Shape shape_broadcast(const Node *node, const Shape *a, const Shape *b) {
    if (a->rank < 0 || b->rank < 0) return SHAPE_UNKNOWN;
    const Shape *longer = a->rank >= b->rank ? a : b, *shorter = a->rank >= b->rank ? b : a;
    Shape shape = *longer;
    int lead = longer->rank - shorter->rank;
    for (int i = 0; i < shorter->rank; i++) {
        Dim x = longer->dims[lead + i], y = shorter->dims[i];
        Dim *out = &shape.dims[lead + i];
        if (x.size == 1) *out = y;
        else if (y.size == 1 || dim_equal(x, y)) *out = x;
        else if (x.size < 0 || y.size < 0) *out = x.size > 1 ? x : y.size > 1 ? y : (Dim){-1, NULL};
        else
            node_fail(node, STATUS_INVALID, "shapes %s and %s do not broadcast together",
                      shape_text(node->graph->arena, a), shape_text(node->graph->arena, b));
    }
    return shape;
}

void infer_same(Node *node) { node->outputs.items[0]->shape = node->inputs.items[0]->shape; }

void infer_broadcast(Node *node) {
    Shape shape = shape_of(0, NULL);
    for (int i = 0; i < node->inputs.count; i++)
        if (node->inputs.items[i] != NULL) shape = shape_broadcast(node, &shape, &node->inputs.items[i]->shape);
    node->outputs.items[0]->shape = shape;
}

MapLayout layout_any(const Node *node) {
    bool channels_last = false;
    int rank = -1;
    for (int i = 0; i < node->outputs.count && rank < 0; i++) /* any of them may be left out */
        if (node->outputs.items[i] != NULL) rank = node->outputs.items[i]->shape.rank;
    for (int i = 0; i < node->inputs.count; i++) {
        const Value *input = node->inputs.items[i];
        if (input != NULL && input->shape.rank == rank) channels_last |= input->shape.channels_last;
    }
    return (MapLayout){READS_ANY, channels_last};
}
