/* Loop: loop nests over strided operands as functions.
 * An operand that shares the output's memory is read through the output's pointer, so all pointers can be `restrict`.
 * Sums of floats run over 16 partial sums, or many sums run side by side: that rounds less than one long sum, and can
 * be computed as vectors. */
#include "emit/function.h"
#include "emit/literal.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { LANES = 16, LEAST_FOR_LANES = 32 };

static const char *const INDEX_NAMES[MAX_RANK] = {"i", "j", "k", "m", "n", "p", "q", "r"};

typedef struct {
    Arena *arena;
    const Loop *loop;
    Call call;
    Words parameters;
    const char *pointers[MAX_OPERANDS]; /* by input: through which parameter it is read; NULL: see literals */
    const char *literals[MAX_OPERANDS];
    bool used[MAX_OPERANDS];
    bool in_place;
    bool overlaps; /* the output's buffer is read elsewhere than at the element that is written */
    bool is_empty; /* a reduction over nothing */
    int together;  /* results side by side along a dimension, so that memory is read in order; 0: one after the other */
    int side;      /* that dimension */
    int tasks;     /* above 1: the function does one range of the dimension `along` */
    int ranges;    /* that each task has */
    int along;
} LoopWriter;

/* An operand that is one number all over, as a literal; NULL where it is none. */
static const char *operand_literal(Arena *arena, const Loop *loop, const Operand *operand) {
    if (operand->buffer == NULL || operand->buffer->kind != BUFFER_CONSTANT) return NULL;
    for (int d = 0; d < loop->rank; d++)
        if (loop->extent[d] > 1 && operand->stride[d] != 0) return NULL;
    const Tensor *tensor = operand->buffer->constant;
    if (type_info(tensor->type)->class != CLASS_FLOAT)
        return literal_text(arena, tensor->type, 0, tensor_int(tensor, operand->offset));
    double number = tensor_number(tensor, operand->offset);
    return isnan(number) ? NULL : literal_text(arena, tensor->type, number, 0); /* a NaN's payload is kept in memory */
}

static int64_t magnitude(int64_t stride) { return stride < 0 ? -stride : stride; }

/* The dimensions in which an operand moves, the one with the largest stride first. */
static int moving_dimensions(const Loop *loop, const Operand *operand, int *order) {
    int count = 0;
    for (int d = 0; d < loop->rank; d++) {
        if (loop->extent[d] == 1 || operand->stride[d] == 0) continue;
        int at = count++;
        for (; at > 0 && magnitude(operand->stride[order[at - 1]]) < magnitude(operand->stride[d]); at--)
            order[at] = order[at - 1];
        order[at] = d;
    }
    return count;
}

/* "128 * i + j": where an operand is at these indices, from its offset on. */
static const char *index_text(Arena *arena, const Loop *loop, const Operand *operand, const char *const *indices) {
    Text out = text_new(arena);
    int order[MAX_RANK], count = moving_dimensions(loop, operand, order);
    for (int k = 0; k < count; k++) {
        int64_t stride = operand->stride[order[k]];
        const char *index = indices[order[k]];
        text_add(&out, stride < 0 ? (k > 0 ? " - " : "-") : (k > 0 ? " + " : ""));
        if (magnitude(stride) != 1) text_printf(&out, "%" PRId64 " * ", magnitude(stride));
        text_printf(&out, stride != 1 && strchr(index, ' ') != NULL ? "(%s)" : "%s", index);
    }
    return count > 0 ? out.data : "0";
}

static bool same_access(const Loop *loop, const Operand *a, const Operand *b) {
    for (int d = 0; d < loop->rank; d++)
        if (loop->extent[d] > 1 && a->stride[d] != b->stride[d]) return false;
    return a->offset == b->offset;
}

/* Whether an input's memory is the output's. */
static bool shares_output(const Loop *loop, const Operand *input) {
    const Buffer *output = loop->output.buffer;
    return input->buffer == output || (output->in_place_of != NULL && output->in_place_of == input->buffer);
}

static int find_argument(const LoopWriter *writer, const Operand *operand) {
    for (int i = 0; i < writer->call.arguments.count; i++)
        if (writer->call.arguments.items[i].buffer == operand->buffer &&
            writer->call.arguments.items[i].offset == operand->offset)
            return i;
    return -1;
}

/* Decides how each input is read, and collects the arguments of those that need one. */
static void find_arguments(LoopWriter *writer) {
    const Loop *loop = writer->loop;
    for (int i = 0; i < loop->input_count; i++) {
        const Operand *input = &loop->inputs[i];
        if (!writer->used[i] || writer->is_empty) continue;
        writer->literals[i] = operand_literal(writer->arena, loop, input);
        if (writer->literals[i] != NULL) continue;
        if (shares_output(loop, input) && loop->reduced == 0 && same_access(loop, input, &loop->output)) {
            writer->pointers[i] = "y";
            writer->in_place = true;
            continue;
        }
        if (shares_output(loop, input)) writer->overlaps = true;
        if (find_argument(writer, input) < 0)
            list_add(writer->arena, &writer->call.arguments,
                     ((CallArgument){input->buffer, input->offset, type_info(input->buffer->type)->c_name, NULL}));
    }
}

/* "x"; "a", "b", ...; from nine on "x0", "x1", ... */
static const char *argument_name(Arena *arena, int i, int count) {
    if (count == 1) return "x";
    return count <= 8 ? arena_printf(arena, "%c", 'a' + i) : arena_printf(arena, "x%d", i);
}

static void name_parameters(LoopWriter *writer) {
    Arena *arena = writer->arena;
    const Loop *loop = writer->loop;
    int count = writer->call.arguments.count;
    const char *qualifier = writer->overlaps ? "" : "restrict ";
    for (int i = 0; i < count; i++)
        list_add(arena, &writer->parameters,
                 (const char *)arena_printf(arena, "const %s *%s%s", writer->call.arguments.items[i].c_type, qualifier,
                                            argument_name(arena, i, count)));
    for (int i = 0; i < loop->input_count; i++)
        if (writer->used[i] && !writer->is_empty && writer->pointers[i] == NULL && writer->literals[i] == NULL)
            writer->pointers[i] = argument_name(arena, find_argument(writer, &loop->inputs[i]), count);
    const char *c_type = type_info(loop->output.buffer->type)->c_name;
    list_add(arena, &writer->parameters, (const char *)arena_printf(arena, "%s *%sy", c_type, qualifier));
    list_add(arena, &writer->call.arguments, ((CallArgument){loop->output.buffer, loop->output.offset, c_type, NULL}));
}

/* The inputs of the body as expressions at these indices. */
static void read_inputs(const LoopWriter *writer, const char *const *indices, const char **reads) {
    const Loop *loop = writer->loop;
    for (int i = 0; i < loop->input_count; i++) {
        reads[i] = writer->literals[i];
        if (writer->pointers[i] == NULL) continue;
        const char *index = index_text(writer->arena, loop, &loop->inputs[i], indices);
        const char *element = arena_printf(writer->arena, "%s[%s]", writer->pointers[i], index);
        reads[i] = loaded(writer->arena, loop->inputs[i].buffer->type, element);
    }
}

/* Whether memory is read in an arm of a choice. */
static bool reads_by_choice(const char *statements) {
    for (const char *at = statements; (at = strchr(at, '?')) != NULL; at++)
        if (memchr(at, '[', strcspn(at, ";")) != NULL) return true;
    return false;
}

/* Variables for what the body reads. */
static void read_always(Text *out, const LoopWriter *writer, const char *indent, const char **reads) {
    const Loop *loop = writer->loop;
    for (int i = 0; i < loop->input_count; i++) {
        if (writer->pointers[i] == NULL) continue;
        const char *c_type = type_info(type_info(loop->inputs[i].buffer->type)->compute)->c_name;
        const char *name = arena_printf(out->arena, "v%d", i); /* as body_statements() would name it */
        text_printf(out, "%sconst %s %s = %s;\n", indent, c_type, name, reads[i]);
        reads[i] = name;
    }
}

/* The body at these indices: statements, and the expression that is returned. What it would read only if a condition
 * holds is read in any case: GCC 12 and 13 mix up the conditions of neighbours at -O3 with AVX. */
static const char *body_at(Text *out, const LoopWriter *writer, const char *indent, const char *const *indices) {
    const char *reads[MAX_OPERANDS];
    Text body = text_new(out->arena);
    read_inputs(writer, indices, reads);
    const char *result = body_statements(&body, indent, writer->loop, reads, "v");
    if (reads_by_choice(body.data) || reads_by_choice(result)) {
        body = text_new(out->arena);
        read_always(&body, writer, indent, reads);
        result = body_statements(&body, indent, writer->loop, reads, "v");
    }
    text_add(out, body.data);
    return result;
}

static const char *indented(Arena *arena, int depth) { return arena_printf(arena, "%*s", 4 * depth, ""); }

static void open_loops(Text *out, const LoopWriter *writer, int from, int to, int depth, bool braces) {
    for (int d = from; d < to; d++) {
        const bool is_group = writer->together > 0 && writer->side == d;
        const char *i = INDEX_NAMES[d], *first = "0", *end = "last";
        const char *step = is_group ? arena_printf(out->arena, " += %d", writer->together) : "++";
        if (writer->tasks <= 1 || writer->along != d) {
            end = arena_printf(out->arena, "%" PRId64, writer->loop->extent[d]);
        } else if (is_group) {
            first = arena_printf(out->arena, "first * %d", writer->together);
            end = arena_printf(out->arena, "last * %d", writer->together);
        } else {
            first = "first";
        }
        text_printf(out, "%*sfor (int %s = %s; %s < %s; %s%s)%s\n", 4 * (depth + d - from), "", i, first, i, end, i,
                    step, braces && d + 1 == to ? " {" : "");
    }
}

/* "y[...] = e;", e being in the compute type of the output. */
static void add_store(Text *out, const LoopWriter *writer, const char *indent, const char *const *indices,
                      const char *e) {
    const Operand *output = &writer->loop->output;
    const char *place = arena_printf(out->arena, "y[%s]", index_text(out->arena, writer->loop, output, indices));
    const char *value = stored(out->arena, output->buffer->type, e);
    text_printf(out, "%s%s\n", indent, assignment(out->arena, indent, place, value));
}

/* "y[...] = x[...];", as stored: no conversion touches a bit. */
static void add_copy(Text *out, const LoopWriter *writer, const char *indent, const char *const *indices) {
    const Loop *loop = writer->loop;
    text_printf(out, "%sy[%s] = %s[%s];\n", indent, index_text(out->arena, loop, &loop->output, indices),
                writer->pointers[0], index_text(out->arena, loop, &loop->inputs[0], indices));
}

/* The index of each dimension; where results are made side by side, of the s-th of them. */
static void name_indices(const LoopWriter *writer, const char **indices) {
    memcpy(indices, INDEX_NAMES, sizeof INDEX_NAMES);
    if (writer->together > 0) indices[writer->side] = arena_printf(writer->arena, "%s + s", INDEX_NAMES[writer->side]);
}

static void write_elementwise(Text *out, const LoopWriter *writer) {
    const Loop *loop = writer->loop;
    const int depth = loop->rank + (writer->together > 0);
    const char *indent = indented(out->arena, depth + 1), *indices[MAX_RANK];
    Text body = text_new(out->arena);
    name_indices(writer, indices);
    const char *result = body_at(&body, writer, indent, indices);
    bool braces = body.length > 0 && loop->rank > 0;
    if (loop_is_copy(loop) && writer->pointers[0] != NULL) add_copy(&body, writer, indent, indices);
    else add_store(&body, writer, indent, indices, result);
    open_loops(out, writer, 0, loop->rank, 1, braces && writer->together == 0);
    if (writer->together > 0)
        text_printf(out, "%sfor (int s = 0; s < %d; s++)%s\n", indented(out->arena, depth), writer->together,
                    braces ? " {" : "");
    text_add(out, body.data);
    if (braces) text_printf(out, "%s}\n", indented(out->arena, depth));
}

/* "accumulator = combine(accumulator, value);", in the type of the reduction. */
static void add_combine(Text *out, const Loop *loop, const char *indent, const char *accumulator, const char *value) {
    Loop body = {.input_count = 2, .scalar_count = 3};
    body.scalars[0].type = body.scalars[1].type = loop->combine_type;
    body.scalars[2] = (Scalar){.formula = loop->combine,
                               .type = loop->combine_type,
                               .operand_type = loop->combine_type,
                               .argument_count = 2,
                               .arguments = {0, 1}};
    const char *inputs[] = {accumulator, value};
    const char *expression = body_statements(out, indent, &body, inputs, "term");
    text_printf(out, "%s%s = %s;\n", indent, accumulator, expression);
}

/* The body at these indices, combined into an accumulator; in braces where it takes more than one statement. */
static void add_accumulate(Text *out, const LoopWriter *writer, int depth, const char *const *indices,
                           const char *accumulator) {
    Arena *arena = out->arena;
    const char *indent = indented(arena, depth);
    Text body = text_new(arena);
    const char *value = body_at(&body, writer, indent, indices);
    add_combine(&body, writer->loop, indent, accumulator, value);
    bool several = strchr(body.data, '\n') != body.data + body.length - 1;
    if (!several) text_printf(out, "\n%s", body.data);
    else text_printf(out, " {\n%s%s}\n", body.data, indented(arena, depth - 1));
}

static bool has_lanes(const Loop *loop) {
    TypeClass class = type_info(loop->combine_type)->class;
    return class == CLASS_FLOAT && loop->rank > 0 && loop->extent[loop->rank - 1] >= LEAST_FOR_LANES;
}

/* Accumulates over the reduced dimensions into LANES partial results, then those into one. */
static void write_lanes(Text *out, const LoopWriter *writer, int depth, const char *c_type, const char *initial) {
    const Loop *loop = writer->loop;
    Arena *arena = out->arena;
    int kept = loop->rank - loop->reduced, last = loop->rank - 1, inner = depth + loop->reduced - 1;
    int64_t whole = loop->extent[last] / LANES * LANES, rest = loop->extent[last] - whole;
    const char *name = INDEX_NAMES[last], *indices[MAX_RANK];
    memcpy(indices, INDEX_NAMES, sizeof indices);
    indices[last] = arena_printf(arena, "%s + s", name);
    text_printf(out, "%*s%s part[%d];\n", 4 * depth, "", c_type, LANES);
    text_printf(out, "%*sfor (int s = 0; s < %d; s++) part[s] = %s;\n", 4 * depth, "", LANES, initial);
    open_loops(out, writer, kept, last, depth, rest > 0);
    text_printf(out, "%*sfor (int %s = 0; %s < %" PRId64 "; %s += %d)\n", 4 * inner, "", name, name, whole, name,
                LANES);
    text_printf(out, "%*sfor (int s = 0; s < %d; s++)", 4 * (inner + 1), "", LANES);
    add_accumulate(out, writer, inner + 2, indices, "part[s]");
    if (rest > 0) {
        indices[last] = arena_printf(arena, "%" PRId64 " + s", whole);
        text_printf(out, "%*sfor (int s = 0; s < %" PRId64 "; s++)", 4 * inner, "", rest);
        add_accumulate(out, writer, inner + 1, indices, "part[s]");
        if (last > kept) text_printf(out, "%*s}\n", 4 * (inner - 1), "");
    }
    text_printf(out, "%*s%s result = part[0];\n%*sfor (int s = 1; s < %d; s++)", 4 * depth, "", c_type, 4 * depth, "",
                LANES);
    Text body = text_new(arena);
    add_combine(&body, loop, indented(arena, depth + 1), "result", "part[s]");
    text_printf(out, "\n%s", body.data);
}

/* Accumulates over the reduced dimensions one after the other. */
static void write_plain(Text *out, const LoopWriter *writer, int depth, const char *c_type, const char *initial) {
    const Loop *loop = writer->loop;
    text_printf(out, "%*s%s%s result = %s;\n", 4 * depth, "", writer->is_empty ? "const " : "", c_type, initial);
    if (writer->is_empty) return;
    open_loops(out, writer, loop->rank - loop->reduced, loop->rank, depth, false);
    out->data[--out->length] = '\0'; /* the brace or line break after the last `for` is the body's */
    add_accumulate(out, writer, depth + loop->reduced, INDEX_NAMES, "result");
}

/* Results side by side, so that memory is read in order. */
static void write_together(Text *out, const LoopWriter *writer, const char *c_type, const char *initial) {
    const Loop *loop = writer->loop;
    Arena *arena = out->arena;
    int kept = loop->rank - loop->reduced, depth = kept + 1, together = writer->together;
    const char *indices[MAX_RANK], *result = "part[s]";
    name_indices(writer, indices);
    open_loops(out, writer, 0, kept, 1, true);
    text_printf(out, "%*s%s part[%d];\n", 4 * depth, "", c_type, together);
    text_printf(out, "%*sfor (int s = 0; s < %d; s++) part[s] = %s;\n", 4 * depth, "", together, initial);
    open_loops(out, writer, kept, loop->rank, depth, false);
    text_printf(out, "%*sfor (int s = 0; s < %d; s++)", 4 * (depth + loop->reduced), "", together);
    add_accumulate(out, writer, depth + loop->reduced + 1, indices, result);
    Text body = text_new(arena);
    const char *indent = indented(arena, depth + 1);
    if (loop->finish != NULL) result = body_statements(&body, indent, loop->finish, &result, "final");
    bool braces = body.length > 0;
    add_store(&body, writer, indent, indices, result);
    text_printf(out, "%*sfor (int s = 0; s < %d; s++)%s\n%s", 4 * depth, "", together, braces ? " {" : "", body.data);
    if (braces) text_printf(out, "%*s}\n", 4 * depth, "");
    text_printf(out, "%*s}\n", 4 * kept, "");
}

static void write_reduction(Text *out, const LoopWriter *writer) {
    const Loop *loop = writer->loop;
    int kept = loop->rank - loop->reduced, depth = kept + 1;
    const char *c_type = type_info(type_info(loop->combine_type)->compute)->c_name;
    const char *initial = literal_text(out->arena, loop->combine_type, loop->initial.number, loop->initial.integer);
    if (writer->together > 0) {
        write_together(out, writer, c_type, initial);
        return;
    }
    open_loops(out, writer, 0, kept, 1, true);
    if (has_lanes(loop) && !writer->is_empty) write_lanes(out, writer, depth, c_type, initial);
    else write_plain(out, writer, depth, c_type, initial);
    const char *indent = indented(out->arena, depth), *result = "result";
    if (loop->finish != NULL) result = body_statements(out, indent, loop->finish, &result, "final");
    add_store(out, writer, indent, INDEX_NAMES, result);
    if (kept > 0) text_printf(out, "%s}\n", indented(out->arena, kept));
}

/* "[128][784]", of dimensions [from, to). */
static const char *extents_text(Arena *arena, const Loop *loop, int from, int to) {
    Text out = text_new(arena);
    for (int d = from; d < to; d++) text_printf(&out, "[%" PRId64 "]", loop->extent[d]);
    return out.length > 0 ? out.data : "one element";
}

/* What a loop without formulas does: whether its input is read in the order in which it lies in memory. */
static const char *copy_name(const Loop *loop) {
    int64_t outer = INT64_MAX;
    for (int d = 0; d < loop->rank && loop->input_count == 1; d++) {
        int64_t stride = magnitude(loop->inputs[0].stride[d]);
        if (stride > outer) return "transpose";
        if (stride != 0) outer = stride;
    }
    return loop->input_count == 0 ? "fill" : "copy";
}

static const char *comment_of(const LoopWriter *writer) {
    const Loop *loop = writer->loop;
    Arena *arena = writer->arena;
    int kept = loop->rank - loop->reduced;
    const char *what = body_words(arena, loop, ", ");
    if (loop->reduced == 0)
        return arena_printf(arena, "%s: %s%s%s.", *what != '\0' ? what : copy_name(loop),
                            extents_text(arena, loop, 0, loop->rank), writer->in_place ? ", in place" : "",
                            writer->together == 0 ? ""
                                                  : arena_printf(arena, ", %d neighbours at a time", writer->together));
    const char *finish = loop->finish == NULL ? "" : body_words(arena, loop->finish, ", ");
    const char *each =
        kept == 0 ? "Over" : arena_printf(arena, "For each of %s, over", extents_text(arena, loop, 0, kept));
    return arena_printf(arena, "%s %s: %s%s%s%s%s.", each, extents_text(arena, loop, kept, loop->rank), what,
                        *what != '\0' ? ", " : "", loop->combine->name, *finish != '\0' ? "; then " : "", finish);
}

static const char *wish_of(const LoopWriter *writer) {
    const Loop *loop = writer->loop;
    Text out = text_new(writer->arena);
    const char *what = body_words(writer->arena, loop, "_");
    if (loop->reduced > 0) {
        text_printf(&out, "%s%sreduce_%s", what, *what != '\0' ? "_" : "", loop->combine->name);
        const char *finish = loop->finish == NULL ? "" : body_words(writer->arena, loop->finish, "_");
        if (*finish != '\0') text_printf(&out, "_%s", finish);
    } else text_add(&out, *what != '\0' ? what : copy_name(loop));
    for (int d = 0; d < loop->rank; d++) text_printf(&out, "%s%" PRId64, d > 0 ? "x" : "_", loop->extent[d]);
    return out.data;
}

/* Whether along the last dimension no input is read in order, but along this one some are. */
static bool is_across(const Loop *loop, int dimension) {
    bool is_along = false;
    for (int i = 0; i < loop->input_count; i++) {
        if (loop->inputs[i].stride[loop->rank - 1] == 1) return false;
        if (loop->inputs[i].stride[dimension] == 1) is_along = true;
    }
    return is_along;
}

/* The largest divisor of an extent that is in [least, most]; 0: there is none. */
static int divisor_within(int64_t extent, int least, int most) {
    int divisor = most;
    while (divisor >= least && extent % divisor != 0) divisor--;
    return divisor < least ? 0 : divisor;
}

/* Where neighbours in memory belong to different results: how many of these to make side by side. */
static void choose_together(LoopWriter *writer) {
    enum { LEAST_SUMS = 8, MOST_SUMS = 64 };
    enum { LEAST = 4, MOST = 8, SHORTEST = 8 }; /* more rows that are written meet in one set of the first cache */
    const Loop *loop = writer->loop;
    const int kept = loop->rank - loop->reduced;
    if (loop->reduced > 0) {
        writer->side = kept - 1;
        if (kept > 0 && !writer->is_empty && is_across(loop, kept - 1))
            writer->together = divisor_within(loop->extent[kept - 1], LEAST_SUMS, MOST_SUMS);
        return;
    }
    if (writer->overlaps || kept < 2 || loop->extent[kept - 1] < SHORTEST || loop->output.stride[kept - 1] != 1) return;
    for (int d = 0; d < kept - 1 && writer->together == 0; d++) {
        writer->side = d;
        if (is_across(loop, d)) writer->together = divisor_within(loop->extent[d], LEAST, MOST);
    }
}

/* What can be shared out along a dimension: its indices, or groups of results that are made side by side. */
static int64_t items_along(const LoopWriter *writer, int dimension) {
    const Loop *loop = writer->loop;
    int64_t extent = loop->extent[dimension];
    if (extent > 1 && loop->output.stride[dimension] == 0) return 1; /* they share an element */
    return writer->together > 0 && dimension == writer->side ? extent / writer->together : extent;
}

/* Shares the work out along the first dimension that has enough for all tasks, else along that which has most. */
static void choose_tasks(LoopWriter *writer, int tasks, int ranges) {
    if (writer->overlaps || writer->is_empty) return;
    int64_t most = 1;
    for (int d = 0; d < writer->loop->rank - writer->loop->reduced && most < tasks; d++) {
        int64_t items = items_along(writer, d);
        if (items > most) most = items, writer->along = d;
    }
    writer->tasks = most < tasks ? (int)most : tasks;
    if (writer->tasks > 1) writer->ranges = most / writer->tasks < ranges ? (int)(most / writer->tasks) : ranges;
}

Call loop_call(Functions *functions, const Step *step) {
    const Loop *loop = step->loop;
    LoopWriter writer = {.arena = functions->arena, .loop = loop};
    for (int d = 0; d < loop->rank; d++) {
        if (loop->extent[d] != 0) continue;
        if (d < loop->rank - loop->reduced) return (Call){0};
        writer.is_empty = true;
    }
    body_uses(loop, writer.used);
    find_arguments(&writer);
    choose_together(&writer);
    name_parameters(&writer);
    choose_tasks(&writer, step->tasks, step->ranges);
    Text body = text_new(functions->arena);
    if (writer.tasks > 1) {
        int64_t items = items_along(&writer, writer.along);
        add_range_of_items(&body, arena_printf(functions->arena, "%" PRId64, items), writer.tasks * writer.ranges);
    }
    if (loop->reduced > 0) write_reduction(&body, &writer);
    else write_elementwise(&body, &writer);
    const FunctionDraft draft = {.wish = wish_of(&writer),
                                 .comment = comment_of(&writer),
                                 .parameters = writer.parameters,
                                 .body = body.data,
                                 .tasks = writer.tasks,
                                 .ranges = writer.ranges};
    writer.call.function = functions_add(functions, &draft);
    return writer.call;
}
