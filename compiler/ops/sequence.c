/* Sequences and optional values: generated code has tensors only, so that what a sequence holds, and whether an
 * optional value is there, is found when compiling. What takes a tensor out of one becomes that tensor. */
#include "ops/expand.h"
#include "ops/fused.h"
#include "ops/movement.h"

#include "base/checked.h"

/* All types that a tensor could have when ONNX got sequences. */
#define TENSORS "float double float16 integers bool string complex"

/* Sequences */

/* Makes output 0 a sequence, of elements that are all of one type. */
static void give_sequence(Node *node, Type type, const ValueList *elements) {
    enum { MOST_LISTED = 1 << 24 }; /* a sequence that grows in a loop is there once for each iteration */
    Value *output = node->outputs.items[0];
    node->graph->listed += elements->count;
    if (node->graph->listed > MOST_LISTED)
        node_fail(node, STATUS_UNSUPPORTED, "the model's sequences have more than %d elements together", MOST_LISTED);
    output->kind = VALUE_SEQUENCE, output->type = type, output->elements = *elements;
}

static void infer_construct(Node *node) { give_sequence(node, node->inputs.items[0]->type, &node->inputs); }

static void infer_empty(Node *node) {
    const ValueList none = {0};
    give_sequence(node, node_attribute(node, "dtype") == NULL ? TYPE_FLOAT : attr_type(node, "dtype", TENSORS), &none);
}

static void infer_sequence(Node *node) {
    const bool is_empty = node->inputs.count == 0;
    give_sequence(node, is_empty ? attr_type(node, "dtype", "all") : node->inputs.items[0]->type, &node->inputs);
}

/* A position among those from 0 to last, from input i; one that is negative counts from the length of the sequence. */
static int position(const Node *node, int i, int last) {
    const int length = node->inputs.items[0]->elements.count;
    const int64_t given = input_int(node, i);
    if (given < -length || given > last)
        node_fail(node, STATUS_INVALID, "position %lld is out of range: the sequence has %d element%s",
                  (long long)given, length, length == 1 ? "" : "s");
    return (int)(given < 0 ? given + length : given);
}

static void infer_insert(Node *node) {
    const Value *sequence = node->inputs.items[0];
    const int length = sequence->elements.count, at = node_input(node, 2) == NULL ? length : position(node, 2, length);
    ValueList elements = {0};
    for (int i = 0; i <= length; i++) {
        if (i == at) list_add(node->graph->arena, &elements, node->inputs.items[1]);
        if (i < length) list_add(node->graph->arena, &elements, sequence->elements.items[i]);
    }
    give_sequence(node, sequence->type, &elements);
}

static void infer_erase(Node *node) {
    const Value *sequence = node->inputs.items[0];
    const int length = sequence->elements.count;
    if (length == 0) node_fail(node, STATUS_INVALID, "the sequence is empty: there is nothing to erase");
    const int at = node_input(node, 1) == NULL ? length - 1 : position(node, 1, length - 1);
    ValueList elements = {0};
    for (int i = 0; i < length; i++)
        if (i != at) list_add(node->graph->arena, &elements, sequence->elements.items[i]);
    give_sequence(node, sequence->type, &elements);
}

static void expand_at(Expansion *e) {
    const ValueList *elements = &e->node->inputs.items[0]->elements;
    expand_output(e, 0, elements->items[position(e->node, 1, elements->count - 1)]);
}

static void expand_length(Expansion *e) {
    expand_output(e, 0, expand_range(e, e->node->inputs.items[0]->elements.count, 1, 0, NULL));
}

static void expand_concat_from(Expansion *e) {
    const Node *node = e->node;
    const int64_t axis = attr_int(node, "axis"), is_new = attr_int(node, "new_axis");
    const ValueList *elements = &node->inputs.items[0]->elements;
    if (elements->count == 0) node_fail(node, STATUS_INVALID, "the sequence is empty: there is nothing to join");
    if (is_new != 0 && is_new != 1)
        node_fail(node, STATUS_INVALID, "new_axis is %lld, expected 0 or 1", (long long)is_new);
    expand_charge(e, elements->count);
    ValueList parts = {0};
    for (int i = 0; i < elements->count; i++) {
        Value *part = elements->items[i];
        list_add(node->graph->arena, &parts, is_new != 0 ? expand_unsqueeze(e, part, axis) : part);
    }
    Node *joined = expand_node_of(e, "Concat", parts.count, parts.items);
    node_set_int(joined, "axis", axis);
    expand_output(e, 0, expand_value(joined));
}

/* SplitToSequence */

/* Where a dimension is cut: pieces of one size, of which the last may be smaller, or those that are listed. */
typedef struct {
    int axis;
    int64_t size, count;
    int64_t each;          /* 0: listed */
    const int64_t *listed; /* sizes */
} Pieces;

static Pieces pieces_of(const Node *node) {
    const Value *x = node->inputs.items[0], *split = node_input(node, 1);
    const Shape *shape = &x->shape;
    Pieces pieces = {.each = 1};
    if (shape->rank >= 0) pieces.axis = node_axis(node, attr_int(node, "axis"), shape->rank);
    pieces.size = shape->rank < 0 ? -1 : shape->dims[pieces.axis].size;
    if (pieces.size < 0)
        node_fail(node, STATUS_UNSUPPORTED,
                  "how many tensors it makes is not known when compiling: the size of what is split is not; give that "
                  "with --dim or --shape, or export the model with fixed shapes");
    int listed = 0;
    if (split != NULL) node_ints(node, NULL, 1, &pieces.listed, &listed);
    if (split != NULL && split->shape.rank > 1)
        node_fail(node, STATUS_INVALID, "split has %d dimensions, expected 1 at most", split->shape.rank);
    if (split != NULL && split->shape.rank == 0) pieces.each = pieces.listed[0];
    if (pieces.each < 1)
        node_fail(node, STATUS_INVALID, "the size of a piece is %lld, expected at least 1", (long long)pieces.each);
    if (split == NULL || split->shape.rank == 0) {
        pieces.count = pieces.size / pieces.each + (pieces.size % pieces.each != 0);
        return pieces;
    }
    int64_t sum = 0;
    for (int i = 0; i < listed; i++)
        if (pieces.listed[i] < 0 || !checked_add(sum, pieces.listed[i], &sum))
            node_fail(node, STATUS_INVALID, "size %lld of piece %d is out of range", (long long)pieces.listed[i], i);
    if (sum != pieces.size)
        node_fail(node, STATUS_INVALID, "the sizes of the pieces add up to %lld, but the dimension to split is %lld",
                  (long long)sum, (long long)pieces.size);
    pieces.each = 0, pieces.count = listed;
    return pieces;
}

static void infer_split_to(Node *node) { pieces_of(node); }

/* The standard ignores keepdims where `split` is given. PyTorch writes unbind() as a scalar `split` of 1 with
 * keepdims=0, and means, as ONNX Runtime does, that the axis is gone. */
static bool drops_axis(const Node *node, const Pieces *pieces) {
    return attr_int(node, "keepdims") == 0 && pieces->each == 1;
}

static void expand_split_to(Expansion *e) {
    const Node *node = e->node;
    const Pieces pieces = pieces_of(node);
    const bool drops = drops_axis(node, &pieces);
    Value *x = node->inputs.items[0];
    expand_charge(e, pieces.count);
    ValueList parts = {0};
    for (int64_t i = 0, from = 0; i < pieces.count; i++) {
        const int64_t left = pieces.size - from, size = pieces.each == 0     ? pieces.listed[i]
                                                        : pieces.each < left ? pieces.each
                                                                             : left;
        Value *part =
            drops ? expand_pick(e, x, pieces.axis, from) : expand_slice(e, x, pieces.axis, from, from + size, 1);
        list_add(node->graph->arena, &parts, part);
        from += size;
    }
    expand_sequence_later(e, 0, &parts, x->type);
}

/* Optional values */

static bool has_element(const Node *node) {
    const Value *input = node_input(node, 0);
    return input != NULL && input->kind != VALUE_NOTHING;
}

static void infer_optional(Node *node) {
    if (node_input(node, 0) == NULL && node_attribute(node, "type") == NULL)
        node_fail(node, STATUS_INVALID, "it has neither an input nor a type");
    if (!has_element(node)) node->outputs.items[0]->kind = VALUE_NOTHING;
}

static void expand_optional(Expansion *e) {
    if (has_element(e->node)) expand_later(e, 0, e->node->inputs.items[0]);
}

static void expand_get(Expansion *e) {
    if (!has_element(e->node)) node_fail(e->node, STATUS_INVALID, "its input is an optional value without an element");
    expand_later(e, 0, e->node->inputs.items[0]);
}

static void infer_has(Node *node) { node->outputs.items[0]->shape = (Shape){.rank = 0}; }

static void expand_has(Expansion *e) {
    expand_output(e, 0, expand_cast(e, expand_range(e, has_element(e->node), 1, 0, NULL), TYPE_BOOL));
}

const Op OPS_sequence[] = {
    {.name = "SequenceConstruct",
     .versions = {11},
     .inputs = "inputs:T*",
     .outputs = "output_sequence:seq(T)",
     .types = "T: " TENSORS,
     .infer = infer_construct},
    {.name = "SequenceEmpty",
     .versions = {11},
     .inputs = "",
     .outputs = "output:seq(T)",
     .attributes = "dtype:int",
     .infer = infer_empty},
    {.name = "SequenceInsert",
     .versions = {11},
     .inputs = "input_sequence:seq(T) tensor:T position:I?",
     .outputs = "output_sequence:seq(T)",
     .types = "T: " TENSORS "; I: int32 int64",
     .infer = infer_insert},
    {.name = "SequenceErase",
     .versions = {11},
     .inputs = "input_sequence:seq(T) position:I?",
     .outputs = "output_sequence:seq(T)",
     .types = "T: " TENSORS "; I: int32 int64",
     .infer = infer_erase},
    {.name = "SequenceAt",
     .versions = {11},
     .inputs = "input_sequence:seq(T) position:I",
     .outputs = "tensor:T",
     .types = "T: " TENSORS "; I: int32 int64",
     .expand = expand_at},
    {.name = "SequenceLength",
     .versions = {11},
     .inputs = "input_sequence:seq(T)",
     .outputs = "length:int64",
     .types = "T: " TENSORS,
     .expand = expand_length},
    {.name = "ConcatFromSequence",
     .versions = {11},
     .inputs = "input_sequence:seq(T)",
     .outputs = "concat_result:T",
     .types = "T: " TENSORS,
     .attributes = "axis:int! new_axis:int=0",
     .expand = expand_concat_from},
    {.name = "SplitToSequence",
     .versions = {11, 24},
     .inputs = "input:T split:I?",
     .outputs = "output_sequence:seq(T)",
     .types = "T: numeric bool string complex; I: int32 int64",
     .attributes = "axis:int=0 keepdims:int=1",
     .infer = infer_split_to,
     .expand = expand_split_to},
    {.name = "Sequence", /* of what an expansion makes */
     .domain = FUSED_DOMAIN,
     .versions = {1},
     .inputs = "elements:T?*",
     .outputs = "sequence:seq(T)",
     .types = "T: all",
     .attributes = "dtype:int!",
     .infer = infer_sequence},
    {.name = "Optional",
     .versions = {15, 28},
     .inputs = "input:any(V)?",
     .outputs = "output:any(V)",
     .types = "V: all",
     .attributes = "type:type",
     .infer = infer_optional,
     .expand = expand_optional},
    {.name = "OptionalGetElement",
     .versions = {15, 18, 28},
     .inputs = "input:any(O)",
     .outputs = "output:any(O)",
     .types = "O: all",
     .expand = expand_get},
    {.name = "OptionalHasElement",
     .versions = {15, 18, 28},
     .inputs = "input:any(O)@<18 input:any(O)?@18",
     .outputs = "output:bool",
     .types = "O: all",
     .infer = infer_has,
     .expand = expand_has},
    {0},
};
