/* Printing a program: for people who follow a model through fovea.
 * Buffers are called after the value they hold, with a place once they have one. */
#include "program/program.h"

#include <inttypes.h>

static void print_buffer(const Program *program, const Buffer *buffer, FILE *out) {
    if (buffer == NULL) fprintf(out, "none");
    else if (buffer->value == NULL) fprintf(out, "scratch[%" PRId64 "]", buffer->count);
    else fprintf(out, "%s[%" PRId64 "]", quoted(buffer->value->name), buffer->count);
    if (buffer != NULL && buffer->kind == BUFFER_WORK && program->workspace_bytes > 0)
        fprintf(out, "@%" PRId64, buffer->offset);
}

static void print_formulas(const Loop *loop, FILE *out) {
    for (int i = loop->input_count; i < loop->scalar_count; i++)
        if (loop->scalars[i].formula != NULL) fprintf(out, " %s", loop->scalars[i].formula->name);
}

/* The operands of a loop; NULL is the value that the kernel has just made. */
static void print_operands(const Program *program, const Loop *loop, FILE *out) {
    const char *separator = "";
    for (int i = 0; i < loop->input_count; i++) {
        if (loop->inputs[i].buffer == NULL) continue;
        fprintf(out, "%s", separator);
        print_buffer(program, loop->inputs[i].buffer, out);
        separator = ", ";
    }
}

static void print_loop(const Program *program, const Loop *loop, FILE *out) {
    fprintf(out, "loop");
    for (int d = 0; d < loop->rank; d++) fprintf(out, "%s%" PRId64, d == 0 ? " " : "x", loop->extent[d]);
    if (loop->reduced > 0) fprintf(out, ", the last %d by %s", loop->reduced, loop->combine->name);
    fprintf(out, ":");
    print_formulas(loop, out);
    fprintf(out, "(");
    print_operands(program, loop, out);
    fprintf(out, ") -> ");
    print_buffer(program, loop->output.buffer, out);
}

/* A size that depends on the target has one number for each. */
static void print_size(const Argument *size, FILE *out) {
    if (size->picks == NULL) fprintf(out, "%" PRId64, size->size);
    for (int i = 0; size->picks != NULL && i < TARGET_COUNT; i++)
        fprintf(out, "%s%d", i > 0 ? "|" : "", size->picks[i]);
}

static void print_kernel(const Program *program, const Step *step, FILE *out) {
    const Kernel *kernel = step->kernel;
    fprintf(out, "%s(", kernel->name);
    for (int i = 0; i < kernel->parameter_count; i++) {
        const Argument *given = &step->arguments[i];
        fprintf(out, "%s%s=", i > 0 ? ", " : "", kernel->parameters[i].name);
        switch (kernel->parameters[i].kind) {
        case PARAMETER_INPUT:
        case PARAMETER_OUTPUT: print_buffer(program, given->buffer, out); break;
        case PARAMETER_SIZE: print_size(given, out); break;
        case PARAMETER_FIRST:
        case PARAMETER_FRESH: fprintf(out, "0"); break;
        case PARAMETER_LAST: fprintf(out, "%" PRId64, step_most_items(program, step)); break;
        case PARAMETER_NUMBER: fprintf(out, "%g", given->number); break;
        case PARAMETER_FORMULA: print_formulas(given->formula, out); break;
        case PARAMETER_SIZES:
            for (int k = 0; k < given->size_count; k++) fprintf(out, "%s%" PRId64, k > 0 ? " " : "", given->sizes[k]);
        }
    }
    fprintf(out, ")");
    if (step->epilogue == NULL) return;
    fprintf(out, " then");
    print_formulas(step->epilogue, out);
    fprintf(out, "(");
    print_operands(program, step->epilogue, out);
    fprintf(out, ")");
}

void program_print(const Program *program, FILE *out) {
    if (program->workspace_bytes > 0)
        fprintf(out, "program, %" PRId64 " bytes of workspace (lower bound %" PRId64 ")\n", program->workspace_bytes,
                program->lower_bound_bytes);
    else fprintf(out, "program\n");
    for (int i = 0; i < program->steps.count; i++) {
        const Step *step = program->steps.items[i];
        fprintf(out, "  %3d  ", i + 1);
        if (step->kind == STEP_LOOP) print_loop(program, step->loop, out);
        else print_kernel(program, step, out);
        fprintf(out, "\n");
    }
}
