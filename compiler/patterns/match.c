/* Match: a backtracking search. What is still to be matched is a list of goals, so that a choice made early is taken
 * back when something late fails, also when all is matched and only then a value turns out to be used elsewhere. */
#include "patterns/match.h"

#include "base/checked.h"
#include "base/text.h"
#include "ops/op.h"
#include "patterns/view.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A pattern with many ways to match is given up in a graph made to try them all; real blocks take a hundred steps at
 * most. */
enum { MAX_STEPS = 5000 };

typedef struct Goal {
    const Term *term;
    Value *value;     /* what it has to match; NULL: an input that is left out */
    const Node *node; /* not NULL: the node that matched; its attributes with names are left to check */
    bool is_seen;     /* the nodes that match stay outside the block */
    const struct Goal *next;
} Goal;

typedef struct {
    bool is_dim;
    int number;
} Binding;

/* A product of sizes of which more than one had no size yet. */
typedef struct {
    const DimPattern *pattern;
    Dim dim;
} Pending;

typedef struct {
    Graph *graph;
    const BlockPattern *pattern;
    Value *root;
    Value **tensors;
    Dim *dims;
    bool *has_dim;
    LIST(Binding) bindings; /* in the order in which they were made */
    LIST(Pending) pending;
    NodeList nodes;
    int operators; /* how many of the nodes are named in the pattern; the others are views */
    int steps;
    int depth; /* goals on the way to the one at hand */
    bool explain;
    int matched, matched_depth; /* operators and goals before the mismatch below */
    const char *reason;
} Search;

static Value LEFT_OUT; /* what the name of an input that is left out stands for */

/* Keeps the deepest mismatch, which is the one that the most operators precede, and of those the one that the most
 * goals do: where something optional is missing the search goes on, and what it then meets is what a person has to
 * read. Says where in the pattern it is. Returns false. To be called only where the search has to explain itself, since
 * the arguments cost memory. */
static bool PRINTF_LIKE(3, 4) miss(Search *search, const Term *term, const char *format, ...) {
    if (search->operators < search->matched) return false;
    if (search->operators == search->matched && search->depth <= search->matched_depth) return false;
    va_list args;
    va_start(args, format);
    const char *message = arena_vprintf(search->graph->arena, format, args);
    va_end(args);
    const char *file = strrchr(term->file, '/');
    search->matched = search->operators;
    search->matched_depth = search->depth;
    search->reason =
        arena_printf(search->graph->arena, "%s (%s:%d)", message, file != NULL ? file + 1 : term->file, term->line);
    return false;
}

/* "'relu_3', made by node 7 'relu' (Relu)" */
static const char *value_text(const Search *search, const Value *value) {
    Arena *arena = search->graph->arena;
    if (value == NULL || value == &LEFT_OUT) return "nothing";
    const char *name = quoted(value->name);
    if (value->constant != NULL) return arena_printf(arena, "%s, a constant", name);
    if (value->producer == NULL) return arena_printf(arena, "%s, an input", name);
    return arena_printf(arena, "%s, made by %s", name, node_text(value->producer));
}

/* "Gate (Sigmoid)": what a node should be. */
static const char *term_text(const Search *search, const Term *term) {
    if (term->role == NULL) return term->name;
    return arena_printf(search->graph->arena, "%s (%s)", term->role, term->name);
}

/* Going back to an earlier state. */

typedef struct {
    int bindings, pending, nodes, operators;
} State;

static State state_of(const Search *search) {
    return (State){search->bindings.count, search->pending.count, search->nodes.count, search->operators};
}

static void go_back(Search *search, State state) {
    while (search->bindings.count > state.bindings) {
        Binding binding = search->bindings.items[--search->bindings.count];
        if (binding.is_dim) search->has_dim[binding.number] = false;
        else search->tensors[binding.number] = NULL;
    }
    search->pending.count = state.pending;
    search->nodes.count = state.nodes;
    search->operators = state.operators;
}

static void bind_tensor(Search *search, int number, Value *value) {
    Binding binding = {false, number};
    search->tensors[number] = value;
    list_add(search->graph->arena, &search->bindings, binding);
}

static void bind_dim(Search *search, int number, Dim dim) {
    Binding binding = {true, number};
    search->dims[number] = dim;
    search->has_dim[number] = true;
    list_add(search->graph->arena, &search->bindings, binding);
}

/* Shapes. Two sizes, one of which is not known, may be the same. */

static bool may_be_equal(Dim a, Dim b) {
    if (a.size >= 0 && b.size >= 0) return a.size == b.size;
    return a.symbol == NULL || b.symbol == NULL || dim_equal(a, b);
}

/* Whether a name may stand for a size, which it does from then on. */
static bool name_fits(Search *search, int name, Dim dim) {
    if (search->has_dim[name]) return may_be_equal(dim, search->dims[name]);
    bind_dim(search, name, dim);
    return true;
}

typedef enum { PRODUCT_FITS, PRODUCT_DIFFERS, PRODUCT_OPEN } ProductFit;

/* Whether a size is the product of named ones; one name that has no size yet gets the size that is missing. */
static ProductFit product_fit(Search *search, const DimPattern *pattern, Dim dim) {
    int64_t known = 1;
    int unbound = -1;
    if (dim.size < 0) return PRODUCT_FITS;
    for (int i = 0; i < pattern->factor_count; i++) {
        int name = pattern->factors[i];
        if (!search->has_dim[name] && unbound >= 0) return PRODUCT_OPEN;
        if (!search->has_dim[name]) unbound = name;
        else if (search->dims[name].size < 0) return PRODUCT_FITS;
        else if (!checked_multiply(known, search->dims[name].size, &known)) return PRODUCT_DIFFERS;
    }
    if (unbound < 0) return known == dim.size ? PRODUCT_FITS : PRODUCT_DIFFERS;
    if (known == 0 || dim.size % known != 0) return PRODUCT_DIFFERS;
    bind_dim(search, unbound, dim_known(dim.size / known));
    return PRODUCT_FITS;
}

static bool product_fits(Search *search, const DimPattern *pattern, Dim dim) {
    ProductFit fit = product_fit(search, pattern, dim);
    Pending open = {pattern, dim};
    if (fit == PRODUCT_OPEN) list_add(search->graph->arena, &search->pending, open);
    return fit != PRODUCT_DIFFERS;
}

static bool dim_fits(Search *search, const DimPattern *pattern, Dim dim) {
    switch (pattern->kind) {
    case DIM_SIZE: return may_be_equal(dim, dim_known(pattern->size));
    case DIM_NAME: return name_fits(search, pattern->name, dim);
    case DIM_PRODUCT: return product_fits(search, pattern, dim);
    case DIM_ONES: return dim.size == 1;
    case DIM_ANY:
    case DIM_REST: break;
    }
    return true;
}

static bool dims_fit(Search *search, const ShapePattern *pattern, const Shape *shape) {
    int count = pattern->dims.count, rest = 0;
    const DimPattern *dims = pattern->dims.items;
    while (rest < count && dims[rest].kind != DIM_REST && dims[rest].kind != DIM_ONES) rest++;
    int named = rest < count ? count - 1 : count, open = shape->rank - named; /* how many dimensions the rest is */
    if (shape->rank < named || (rest == count && open > 0)) return false;
    for (int i = 0; i < shape->rank; i++) {
        int at = i < rest ? i : i < rest + open ? rest : i - open + 1;
        if (!dim_fits(search, &dims[at], shape->dims[i])) return false;
    }
    return rest == count || name_fits(search, dims[rest].name, dim_known(open));
}

/* " with N=1 C=64": what the names in a shape stand for so far. */
static const char *dims_text(const Search *search, const ShapePattern *pattern) {
    Text text = text_new(search->graph->arena);
    for (int i = 0; i < pattern->dims.count; i++) {
        const DimPattern *dim = &pattern->dims.items[i];
        if (dim->kind != DIM_NAME || !search->has_dim[dim->name]) continue;
        Dim known = search->dims[dim->name];
        text_printf(&text, text.length == 0 ? " with %s=" : " %s=", dim->text);
        if (known.size >= 0) text_printf(&text, "%" PRId64, known.size);
        else text_add(&text, known.symbol != NULL ? quoted(known.symbol) : "?");
    }
    return text.data;
}

static bool shape_fits(Search *search, const Term *term, const ShapePattern *pattern, const Value *value) {
    if (pattern == NULL || value == NULL) return true;
    if (dims_fit(search, pattern, &value->shape)) return true;
    return search->explain &&
           miss(search, term, "expected the shape %s%s, found %s of %s", pattern->text, dims_text(search, pattern),
                shape_text(search->graph->arena, &value->shape), value_text(search, value));
}

/* Attributes. */

/* The text of an attribute's default, NULL where it has none. */
static const char *default_of(const Node *node, const char *name) {
    return node->op == NULL ? NULL : op_attribute_default(node->graph->arena, node->op, node->version, name);
}

typedef struct {
    int64_t values[MAX_RANK];
    int count; /* -1: not known */
} Integers;

/* Lists that have a meaning where they are not given: windows are not padded, take steps of one and have no gaps, and
 * Transpose turns dimensions round. */
static Integers preset_list(const Node *node, const char *name) {
    const Value *input = node_input(node, 0);
    int rank = input == NULL ? -1 : input->shape.rank;
    bool is_pads = strcmp(name, "pads") == 0, is_perm = strcmp(name, "perm") == 0;
    bool is_steps = strcmp(name, "strides") == 0 || strcmp(name, "dilations") == 0;
    Integers integers = {.count = is_perm ? rank : is_pads ? 2 * (rank - 2) : rank - 2};
    if (!(is_pads || is_perm || is_steps) || integers.count < 0 || integers.count > MAX_RANK)
        return (Integers){.count = -1};
    for (int i = 0; i < integers.count; i++) integers.values[i] = is_perm ? rank - 1 - i : is_steps;
    return integers;
}

/* An integer or a list of them, from the attribute, from the constant input that took its place (axes, always the
 * second), or from the operator's default. */
static Integers integers_of(const Node *node, const char *name) {
    Integers integers = {.count = -1};
    const Attribute *attribute = node_attribute(node, name);
    const Value *input = strcmp(name, "axes") == 0 ? node_input(node, 1) : NULL;
    if (attribute != NULL && attribute->kind == ATTRIBUTE_INT) {
        integers.count = 1;
        integers.values[0] = attribute->integer;
    } else if (attribute != NULL && attribute->kind == ATTRIBUTE_INTS && attribute->count <= MAX_RANK) {
        integers.count = attribute->count;
        for (int i = 0; i < attribute->count; i++) integers.values[i] = attribute->integers[i];
    } else if (attribute == NULL && input != NULL && input->constant != NULL && input->type == TYPE_INT64 &&
               tensor_count(input->constant) <= MAX_RANK) {
        integers.count = (int)tensor_count(input->constant);
        for (int i = 0; i < integers.count; i++) integers.values[i] = tensor_int(input->constant, i);
    } else if (attribute == NULL && default_of(node, name) != NULL) {
        integers.count = 1;
        integers.values[0] = strtoll(default_of(node, name), NULL, 10);
    } else if (attribute == NULL) {
        return preset_list(node, name);
    }
    return integers;
}

static bool is_axis(const char *attribute) { return strcmp(attribute, "axis") == 0 || strcmp(attribute, "axes") == 0; }

static int64_t from_start(int64_t axis, int rank) { return axis < 0 ? axis + rank : axis; }

/* Whether the axes of a node are the expected ones, in any order; -1 is the last. */
static bool axes_agree(const Integers *found, const int64_t *expected, int count, int rank) {
    uint64_t of_found = 0, of_expected = 0;
    if (found->count != count || rank < 0) return false;
    for (int i = 0; i < count; i++) {
        int64_t a = from_start(found->values[i], rank), b = from_start(expected[i], rank);
        if (a < 0 || a >= rank || b < 0 || b >= rank) return false;
        of_found |= UINT64_C(1) << a;
        of_expected |= UINT64_C(1) << b;
    }
    return of_found == of_expected;
}

/* 1/6 is written in many ways, hence the tolerance. */
static bool is_close(double found, double expected) { return fabs(found - expected) <= 1e-5 * fmax(1, fabs(expected)); }

static bool number_holds(const Tensor *constant, double number) {
    TypeClass class = constant == NULL ? CLASS_NONE : type_info(constant->type)->class;
    if (class != CLASS_FLOAT && class != CLASS_SIGNED && class != CLASS_UNSIGNED) return false;
    int64_t count = tensor_count(constant);
    for (int64_t i = 0; i < count; i++)
        if (!is_close(tensor_number(constant, i), number)) return false;
    return count > 0;
}

static bool number_agrees(const Node *node, const char *name, double expected) {
    const Attribute *attribute = node_attribute(node, name);
    const char *preset = attribute == NULL ? default_of(node, name) : NULL;
    if (preset != NULL) return is_close(strtod(preset, NULL), expected);
    if (attribute == NULL) return false;
    if (attribute->kind == ATTRIBUTE_INT) return (double)attribute->integer == expected;
    return attribute->kind == ATTRIBUTE_FLOAT && is_close((double)attribute->number, expected);
}

/* Whether a name may stand for an attribute's number, which it does from then on: as a constant of one element. */
static bool number_is_bound(Search *search, const Condition *condition, const Node *node) {
    Arena *arena = search->graph->arena;
    const Attribute *attribute = node_attribute(node, condition->attribute);
    const char *preset = attribute == NULL ? default_of(node, condition->attribute) : NULL;
    if (preset == NULL && (attribute == NULL || attribute->kind != ATTRIBUTE_FLOAT)) return false;
    double number = preset != NULL ? strtod(preset, NULL) : (double)attribute->number;
    const Value *bound = search->tensors[condition->tensor];
    if (bound != NULL) return number_holds(bound->constant, number);
    Value *value = arena_new_object(arena, Value);
    value->name = condition->text;
    value->type = TYPE_FLOAT;
    value->constant = tensor_scalar(arena, TYPE_FLOAT, number);
    value->shape = value->constant->shape;
    bind_tensor(search, condition->tensor, value);
    return true;
}

static bool string_agrees(const Node *node, const char *name, const char *expected) {
    const Attribute *attribute = node_attribute(node, name);
    const char *found = attribute == NULL                     ? default_of(node, name)
                        : attribute->kind == ATTRIBUTE_STRING ? attribute->string
                                                              : NULL;
    return found != NULL && strcmp(found, expected) == 0;
}

/* Lists other than axes are of sizes, and of those none is negative. */
static bool list_agrees(Search *search, const Integers *found, const ShapePattern *list) {
    Shape shape = {.rank = found->count};
    for (int i = 0; i < found->count; i++) {
        if (found->values[i] < 0) return false;
        shape.dims[i] = dim_known(found->values[i]);
    }
    return dims_fit(search, list, &shape);
}

/* Softmax and its kin flattened all dimensions from the axis on before opset 13: only of the last one that is the same.
 */
static bool flattens(const Node *node, const char *attribute, int64_t axis, int rank) {
    static const char *const names[] = {"Softmax", "LogSoftmax", "Hardmax"};
    if (node->version >= 13 || strcmp(attribute, "axis") != 0 || from_start(axis, rank) == rank - 1) return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(node->op_type, names[i]) == 0) return true;
    return false;
}

static bool condition_holds(Search *search, const Condition *condition, const Node *node) {
    Integers found = integers_of(node, condition->attribute);
    const Value *input = node_input(node, 0);
    int rank = input == NULL ? -1 : input->shape.rank;
    int64_t axes[MAX_RANK];
    int count = 0;
    if (condition->kind == CONDITION_TENSOR) return number_is_bound(search, condition, node);
    if (condition->kind == CONDITION_STRING) return string_agrees(node, condition->attribute, condition->string);
    if (condition->kind == CONDITION_VALUE && !is_axis(condition->attribute))
        return number_agrees(node, condition->attribute, condition->number);
    if (found.count < 0 || flattens(node, condition->attribute, found.values[0], rank)) return false;
    if (condition->kind == CONDITION_SPATIAL) {
        for (int d = 2; d < rank; d++) axes[count++] = d;
        return count > 0 && axes_agree(&found, axes, count, rank);
    }
    if (!is_axis(condition->attribute)) return list_agrees(search, &found, &condition->list);
    for (; count < condition->list.dims.count && count < MAX_RANK; count++)
        axes[count] = condition->list.dims.items[count].size;
    return axes_agree(&found, axes, count, rank);
}

static const char *attribute_text(const Search *search, const Node *node, const char *name) {
    const Attribute *attribute = node_attribute(node, name);
    Integers found = integers_of(node, name);
    Text text = text_new(search->graph->arena);
    if (attribute != NULL && attribute->kind == ATTRIBUTE_STRING) return quoted(attribute->string);
    if (attribute != NULL && attribute->kind == ATTRIBUTE_FLOAT)
        return arena_printf(text.arena, "%g", (double)attribute->number);
    if (attribute == NULL && default_of(node, name) != NULL)
        return arena_printf(text.arena, "%s, the default", default_of(node, name));
    if (found.count < 0) return "not given, or not constant";
    for (int i = 0; i < found.count; i++) text_printf(&text, i == 0 ? "%" PRId64 : " %" PRId64, found.values[i]);
    return text.data;
}

/* Whether a condition has names, whose sizes or numbers the inputs may have to tell first. */
static bool has_names(const Condition *condition) {
    if (condition->kind == CONDITION_TENSOR) return true;
    for (int i = 0; i < condition->list.dims.count; i++)
        if (condition->list.dims.items[i].kind != DIM_SIZE) return true;
    return false;
}

/* The conditions with names, or those without: these are looked at first, as what does not hold there is what a person
 * has to read, and not what becomes of the inputs. */
static bool conditions_hold(Search *search, const Term *term, const Node *node, bool with_names) {
    for (int i = 0; i < term->conditions.count; i++) {
        const Condition *condition = &term->conditions.items[i];
        if (has_names(condition) != with_names || condition_holds(search, condition, node)) continue;
        return search->explain &&
               miss(search, term, "expected %s{%s}, found %s with %s %s", term->name, condition->text, node_text(node),
                    condition->attribute, attribute_text(search, node, condition->attribute));
    }
    return true;
}

/* Tensors and numbers. */

/* Whether a constant, added to logits, leaves all of them in sight: masks have -inf, the type's minimum, or -10000. */
static bool hides_nothing(const Tensor *constant) {
    if (!type_is_float(constant->type)) return false;
    int64_t count = tensor_count(constant);
    for (int64_t i = 0; i < count; i++)
        if (!(tensor_number(constant, i) > -1e4)) return false;
    return true;
}

/* Whether some row along the last dimension, of more than one element, differs from the first one. */
static bool has_different_rows(const Tensor *constant) {
    int rank = constant->shape.rank;
    size_t bytes = tensor_bytes(constant);
    if (rank < 2 || bytes == 0 || constant->shape.dims[rank - 1].size < 2 || constant->type == TYPE_STRING)
        return false;
    size_t row = bytes / (size_t)(tensor_count(constant) / constant->shape.dims[rank - 1].size);
    const char *data = constant->data;
    for (size_t at = row; at < bytes; at += row)
        if (memcmp(data, data + at, row) != 0) return true;
    return false;
}

/* Whether a value is an output of the model, or becomes one through views. */
static bool becomes_output(const Value *value) {
    if (value->is_output) return true;
    for (int i = 0; i < value->consumers.count; i++) {
        const Value *view = node_output(value->consumers.items[i], 0);
        if (view != NULL && view_source(view) == value && becomes_output(view)) return true;
    }
    return false;
}

static bool has_property(Value *value, ConditionKind kind) {
    if (kind == CONDITION_OUTPUT) return value != NULL && becomes_output(value);
    const Tensor *constant = value == NULL ? NULL : view_root(value)->constant;
    if (kind == CONDITION_COMPUTED) return constant == NULL;
    if (kind == CONDITION_VARIED) return constant != NULL && has_different_rows(constant);
    if (kind == CONDITION_UNMASKED) return constant != NULL && hides_nothing(constant);
    return constant != NULL && (kind == CONDITION_CONSTANT || tensor_count(constant) == 1);
}

static bool tensor_conditions_hold(Search *search, const Term *term, Value *value) {
    for (int i = 0; i < term->conditions.count; i++) {
        const Condition *condition = &term->conditions.items[i];
        if (has_property(value, condition->kind)) continue;
        return search->explain &&
               miss(search, term, "expected %s to be %s, found %s", term->name,
                    condition->kind == CONDITION_OUTPUT ? "an output" : condition->text, value_text(search, value));
    }
    return true;
}

/* The search. */

static bool solve(Search *search, const Goal *goal);

/* Whether the last dimensions of one shape may be those of the other, which has no more than ones in front of them. */
static bool may_be_aligned(const Shape *a, const Shape *b) {
    if (a->rank < 0 || b->rank < 0) return true;
    if (a->rank < b->rank) return may_be_aligned(b, a);
    for (int i = 1; i <= a->rank; i++)
        if (!may_be_equal(a->dims[a->rank - i], i <= b->rank ? b->dims[b->rank - i] : dim_known(1))) return false;
    return true;
}

/* Whether what a name is bound to is this value, too. In a rule, where axes count from the last one of what stands
 * there, its dimensions lie as they did: the mean over the last axis of x[..., None] is no mean of x. */
static bool is_bound_to(const Search *search, Value *bound, Value *value) {
    if (!is_same_tensor(bound, value)) return false;
    return search->pattern->becomes == NULL || view_root(value)->constant != NULL ||
           may_be_aligned(&bound->shape, &value->shape);
}

static bool solve_tensor(Search *search, const Goal *goal) {
    const Term *term = goal->term;
    if (goal->value == NULL && !term->is_optional)
        return search->explain && miss(search, term, "expected %s, found nothing", term->name);
    if (!tensor_conditions_hold(search, term, goal->value)) return false;
    if (term->tensor < 0) return solve(search, goal->next);

    const PatternTensor *tensor = &search->pattern->tensors.items[term->tensor];
    Value *value = goal->value != NULL ? goal->value : &LEFT_OUT, *bound = search->tensors[term->tensor];
    if (bound != NULL) {
        if (is_bound_to(search, bound, value)) return solve(search, goal->next);
        return search->explain && miss(search, term, "%s is %s in one place, and %s in another", tensor->name,
                                       value_text(search, bound), value_text(search, value));
    }
    bind_tensor(search, term->tensor, value);
    if (!shape_fits(search, term, tensor->shape, goal->value)) return false;
    if (tensor->equation == NULL) return solve(search, goal->next);
    bool is_seen = goal->is_seen || tensor->is_seen;
    Goal equation = {.term = tensor->equation, .value = goal->value, .is_seen = is_seen, .next = goal->next};
    return solve(search, &equation);
}

static bool solve_number(Search *search, const Goal *goal) {
    if (number_holds(goal->value == NULL ? NULL : view_root(goal->value)->constant, goal->term->number))
        return solve(search, goal->next);
    return search->explain &&
           miss(search, goal->term, "expected %g, found %s", goal->term->number, value_text(search, goal->value));
}

static bool solve_choice(Search *search, const Goal *goal) {
    State state = state_of(search);
    for (int i = 0; i < goal->term->arguments.count; i++) {
        Goal alternative = *goal;
        alternative.term = goal->term->arguments.items[i];
        if (solve(search, &alternative)) return true;
        go_back(search, state);
    }
    return false;
}

/* Operators of two inputs whose order does not matter. */
static bool is_commutative(const Term *term) {
    static const char *const names[] = {"Add", "Mul", "Max", "Min", "Equal", "And", "Or", "Xor"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(term->name, names[i]) == 0) return term->arguments.count == 2 && !term->is_open;
    return false;
}

/* Whether an elementwise node spreads its inputs over one another: x * x[:, None] is a table of products and no square,
 * though to a pattern, which looks through views, it is a tensor times itself. A constant that has a name may spread
 * what it meets (a scale of channels and the mean of each row make a table); one that is a mere number may not. */
static bool is_spread(const Term *term, const Node *node, bool swapped) {
    const Shape *made = &node_output(node, 0)->shape;
    if (node->op == NULL || node->op->formula == NULL || term->arguments.count < 2) return false;
    for (int i = 0; i < term->arguments.count; i++) {
        Value *input = node_input(node, i);
        const bool is_number = term->arguments.items[swapped && i < 2 ? 1 - i : i]->kind == TERM_NUMBER;
        if (input == NULL || is_number) continue;
        if (view_root(input)->constant != NULL) return false;
        if (shape_may_equal(&input->shape, made) || shapes_differ_in_ones_only(&input->shape, made)) return false;
    }
    return true;
}

/* Matches the inputs of a node, as they stand or the first two swapped, and then its attributes. */
static bool solve_inputs(Search *search, const Goal *goal, const Node *node, bool swapped) {
    const Term *term = goal->term;
    Goal goals[MAX_TERM_ARGUMENTS + 1];
    int count = term->arguments.count;
    if (search->pattern->becomes != NULL && is_spread(term, node, swapped))
        return search->explain &&
               miss(search, term, "expected an input of %s to have the shape of what it makes", node_text(node));
    goals[count] = (Goal){.term = term, .node = node, .next = goal->next};
    for (int i = 0; i < count; i++) {
        Value *input = node_input(node, swapped ? 1 - i : i);
        goals[i] = (Goal){term->arguments.items[i], input, NULL, goal->is_seen, &goals[i + 1]};
    }
    return solve(search, goals);
}

static bool is_named_so(const Node *node, const Term *term, const Value *value) {
    return strcmp(node->op_type, term->name) == 0 && node->domain[0] == '\0' &&
           node_output(node, term->output) == value;
}

/* Makes a node part of the block, unless it is only looked at. */
static void take_node(Search *search, const Goal *goal, Node *node) {
    if (!goal->is_seen) list_add(search->graph->arena, &search->nodes, node);
}

static bool solve_at(Search *search, const Goal *goal, Node *node) {
    const Term *term = goal->term;
    if (node->block != NULL && !goal->is_seen)
        return search->explain && miss(search, term, "%s is in another block", node_text(node));
    int given = node->inputs.count;
    while (given > 0 && node->inputs.items[given - 1] == NULL) given--;
    take_node(search, goal, node);
    search->operators++;
    if (given > term->arguments.count && !term->is_open)
        return search->explain && miss(search, term, "expected %s of %d inputs, found %s with %d", term->name,
                                       term->arguments.count, node_text(node), given);
    if (!conditions_hold(search, term, node, false)) return false;
    State state = state_of(search);
    if (solve_inputs(search, goal, node, false)) return true;
    go_back(search, state);
    return is_commutative(term) && solve_inputs(search, goal, node, true);
}

/* What a value is a rounded copy of, in a block: a rewrite rule must not lose the rounding. Takes the nodes that round.
 */
static Value *unrounded(Search *search, const Goal *goal, const Value *value) {
    Value *source = search->pattern->becomes == NULL ? rounded_source(value) : NULL;
    if (source == NULL) return NULL;
    take_node(search, goal, value->producer->inputs.items[0]->producer);
    take_node(search, goal, value->producer);
    return source;
}

/* What a value is a view of, or a rounded copy. Takes what is passed. */
static Value *look_through(Search *search, const Goal *goal, const Value *value) {
    Value *source = view_source(value);
    if (source == NULL) return unrounded(search, goal, value);
    take_node(search, goal, value->producer);
    return source;
}

/* Lets a rounding be the Relu that is looked for. */
static bool solve_rounding(Search *search, const Goal *goal, const Value *value) {
    const Term *term = goal->term;
    if (strcmp(term->name, "Relu") != 0 || term->arguments.count != 1 || !rounding_is_relu(value)) return false;
    Value *source = unrounded(search, goal, value);
    const Goal input = {
        .term = term->arguments.items[0], .value = source, .is_seen = goal->is_seen, .next = goal->next};
    return source != NULL && solve(search, &input);
}

/* Looks for the node at the value and, through views, above it. Views passed are part of the block. */
static bool solve_node(Search *search, const Goal *goal) {
    const Term *term = goal->term;
    State start = state_of(search);
    Value *value = goal->value;
    while (value != NULL) {
        Node *node = value->producer;
        State here = state_of(search);
        if (node != NULL && is_named_so(node, term, value)) {
            if (solve_at(search, goal, node)) return true;
            go_back(search, here);
        }
        if (solve_rounding(search, goal, value)) return true;
        go_back(search, here);
        Value *source = look_through(search, goal, value);
        if (source == NULL) break;
        value = source;
    }
    bool is_other = value == NULL || value->producer == NULL || !is_named_so(value->producer, term, value);
    if (search->explain && is_other)
        miss(search, term, "expected %s, found %s", term_text(search, term), value_text(search, value));
    go_back(search, start);
    return false;
}

static bool is_in(const NodeList *nodes, const Node *node) {
    for (int i = 0; i < nodes->count; i++)
        if (nodes->items[i] == node) return true;
    return false;
}

/* The value whose elements this one has, in their order. */
static Value *reshape_root(Value *value) {
    for (;;) {
        value = view_root(value);
        if (value->producer == NULL || strcmp(value->producer->op_type, "Reshape") != 0) return value;
        value = value->producer->inputs.items[0];
    }
}

/* Whether a value may be used outside the match too: the map of a probe, which is kept in any case, or one with
 * the same elements; in a rule a tensor that has a name, which then stays beside the new form. */
static bool is_free(const Search *search, Value *value) {
    for (int i = 0; search->pattern->becomes != NULL && i < search->pattern->tensors.count; i++) {
        const PatternTensor *tensor = &search->pattern->tensors.items[i];
        if (tensor->equation != NULL && search->tensors[i] == value) return true;
    }
    for (int i = 0; i < search->pattern->probes.count; i++) {
        const PatternProbe *probe = &search->pattern->probes.items[i];
        Value *map = probe->tensor < 0 ? NULL : search->tensors[probe->tensor];
        bool is_kept = !probe->on_request || value->is_output;
        if (is_kept && map != NULL && reshape_root(map) == reshape_root(value)) return true;
    }
    return false;
}

static const Term *root_term(const Search *search) {
    return search->pattern->tensors.items[search->pattern->root].equation;
}

/* Whether the values inside the block are used nowhere else; the last of the goals. */
static bool is_closed(Search *search) {
    for (int i = 0; i < search->nodes.count; i++) {
        const Node *node = search->nodes.items[i];
        for (int k = 0; k < node->outputs.count; k++) {
            Value *value = node->outputs.items[k];
            if (value == NULL || value == search->root || is_free(search, value)) continue;
            if (value->is_output)
                return search->explain && miss(search, root_term(search),
                                               "%s, inside the block, is an output of the model", quoted(value->name));
            for (int c = 0; c < value->consumers.count; c++)
                if (!is_in(&search->nodes, value->consumers.items[c]))
                    return search->explain &&
                           miss(search, root_term(search), "%s, inside the block, is used outside too, by %s",
                                quoted(value->name), node_text(value->consumers.items[c]));
        }
    }
    return true;
}

/* Whether the products hold that could not be computed when they were met; those that still cannot be may hold. */
static bool pending_hold(Search *search) {
    for (int i = 0; i < search->pending.count; i++) {
        const Pending *pending = &search->pending.items[i];
        if (product_fit(search, pending->pattern, pending->dim) != PRODUCT_DIFFERS) continue;
        return search->explain &&
               miss(search, root_term(search), "%" PRId64 " is not %s", pending->dim.size, pending->pattern->text);
    }
    return true;
}

static bool solve_first(Search *search, const Goal *goal) {
    if (goal == NULL) return pending_hold(search) && is_closed(search);
    if (goal->node != NULL) return conditions_hold(search, goal->term, goal->node, true) && solve(search, goal->next);
    if (!shape_fits(search, goal->term, goal->term->shape, goal->value)) return false;
    switch (goal->term->kind) {
    case TERM_TENSOR: return solve_tensor(search, goal);
    case TERM_NODE: return solve_node(search, goal);
    case TERM_NUMBER: return solve_number(search, goal);
    case TERM_CHOICE: return solve_choice(search, goal);
    case TERM_LIST: break; /* of what is built */
    }
    return false;
}

/* Whether all goals can be reached. */
static bool solve(Search *search, const Goal *goal) {
    if (++search->steps > MAX_STEPS) return false;
    search->depth++;
    bool solved = solve_first(search, goal);
    search->depth--;
    return solved;
}

/* The nodes found, each once. */
static NodeList distinct(Arena *arena, const NodeList *nodes) {
    NodeList result = {0};
    for (int i = 0; i < nodes->count; i++)
        if (!is_in(&result, nodes->items[i])) list_add(arena, &result, nodes->items[i]);
    return result;
}

/* Whether a term may match what a node makes, by the operator's name alone: a quick look that rules most nodes out. */
static bool may_match(const BlockPattern *pattern, const Term *term, const Node *node) {
    if (term->kind == TERM_NODE) return strcmp(term->name, node->op_type) == 0;
    if (term->kind == TERM_TENSOR && term->tensor >= 0 && pattern->tensors.items[term->tensor].equation != NULL)
        return may_match(pattern, pattern->tensors.items[term->tensor].equation, node);
    for (int i = 0; i < term->arguments.count; i++)
        if (may_match(pattern, term->arguments.items[i], node)) return true;
    return term->kind == TERM_TENSOR;
}

bool match_pattern(Graph *graph, const BlockPattern *pattern, Value *root, bool explain, Match *match) {
    *match = (Match){0};
    /* A view is no end of a block: what it is a view of would be an inner value, and is tried by itself. */
    if (root->producer == NULL || view_source(root) != NULL) return false;
    if (!may_match(pattern, pattern->tensors.items[pattern->root].equation, root->producer)) return false;
    Search search = {.graph = graph, .pattern = pattern, .root = root, .explain = explain};
    search.tensors = arena_new_array(graph->arena, Value *, (size_t)pattern->tensors.count);
    search.dims = arena_new_array(graph->arena, Dim, (size_t)pattern->dims.count);
    search.has_dim = arena_new_array(graph->arena, bool, (size_t)pattern->dims.count);
    Term last = {.kind = TERM_TENSOR,
                 .file = pattern->file,
                 .tensor = pattern->root,
                 .name = pattern->tensors.items[pattern->root].name};
    Goal goal = {.term = &last, .value = root};
    if (!solve(&search, &goal)) {
        match->matched = search.matched;
        match->reason = search.steps > MAX_STEPS ? "there are more ways to match it than are tried" : search.reason;
        return false;
    }
    for (int i = 0; i < pattern->tensors.count; i++)
        if (search.tensors[i] == &LEFT_OUT) search.tensors[i] = NULL;
    match->tensors = search.tensors;
    match->dims = search.dims;
    match->has_dim = search.has_dim;
    match->nodes = distinct(graph->arena, &search.nodes);
    return true;
}
