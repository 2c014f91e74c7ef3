/* The program: what a graph becomes when its nodes are lowered, a list of steps over buffers.
 * A step is either a call of a kernel of runtime/, with its sizes, or a loop nest over strided operands with formulas
 * in its body. Both the interpreter and the emitter read steps, so an operator is bound to its kernel once. */
#ifndef FOVEA_PROGRAM_PROGRAM_H
#define FOVEA_PROGRAM_PROGRAM_H

#include "graph/graph.h"
#include "program/kernel.h"
#include "program/tile.h"

enum { MAX_ARGUMENTS = 40, MAX_OPERANDS = 24, MAX_SCALARS = 96 };

typedef enum {
    BUFFER_WORK,     /* in the workspace, at .offset */
    BUFFER_INPUT,    /* the caller's */
    BUFFER_OUTPUT,   /* the caller's */
    BUFFER_CONSTANT, /* .constant */
} BufferKind;

/* Memory for one tensor. Views (Reshape and its like) share a buffer: several values, one buffer. */
typedef struct Buffer {
    BufferKind kind;
    Type type;
    int64_t count;
    const Value *value; /* the value it holds, for names; NULL: scratch of one step */
    const Tensor *constant;
    int number;     /* among the program's buffers */
    bool is_probed; /* a value in it is: it has to be written, whole */
    bool is_shown;  /* for probes alone: no output depends on it */
    /* Set by the planner, for BUFFER_WORK: */
    int64_t offset;             /* bytes */
    int first, last;            /* steps between which it is alive, both included; -1: no step uses it */
    struct Buffer *in_place_of; /* the buffer over which the loop that makes this one writes it, or NULL */
} Buffer;

/* One formula applied to scalars. Operands of a loop are scalars 0 .. inputs-1; the results of the body follow. */
typedef struct {
    const Formula *formula; /* NULL: the literal number below */
    Type type;              /* of the result */
    Type operand_type;      /* what T is in the formula */
    int arguments[4];       /* numbers of earlier scalars */
    int argument_count;
    double number;   /* a literal, for all types but 64-bit integers */
    int64_t integer; /* a literal of an integer type */
} Scalar;

/* Where a loop reads or writes: element offset + sum of index[d] * stride[d]. */
typedef struct {
    Buffer *buffer;
    int64_t offset;
    int64_t stride[MAX_RANK];
} Operand;

/* for index[0] < extent[0] ... for index[rank-1] < extent[rank-1]: output = body(inputs)
 * With reduced > 0 the innermost `reduced` dimensions are summed up, or whatever .combine does:
 *   for the outer ones: a = initial; for the inner ones: a = combine(a, body(inputs)); output = finish(a) */
typedef struct Loop {
    int rank;
    int64_t extent[MAX_RANK];
    int input_count;
    Operand inputs[MAX_OPERANDS];
    Operand output;
    int scalar_count;            /* of inputs and body together; the last one is the result */
    Scalar scalars[MAX_SCALARS]; /* [0, input_count): .type only, what is loaded */
    int reduced;
    Scalar initial;         /* a literal */
    const Formula *combine; /* of two T's */
    Type combine_type;
    const struct Loop *finish; /* a body of its own whose input 0 is the accumulated value; NULL: none */
} Loop;

typedef struct {
    const Loop *formula;  /* for formulas: a body of its own whose input 0 is what the formula is applied to */
    Buffer *buffer;       /* for pointers; NULL passes NULL */
    int64_t offset;       /* elements into the buffer */
    int64_t size;         /* for sizes */
    const int *picks;     /* for sizes that depend on the target: TARGET_COUNT of them, or NULL */
    double number;        /* for numbers */
    const int64_t *sizes; /* for arrays of sizes */
    int size_count;
} Argument;

typedef enum { STEP_KERNEL, STEP_LOOP } StepKind;

typedef struct Step {
    StepKind kind;
    const Kernel *kernel;
    Type type;                         /* what T is in the kernel */
    Argument arguments[MAX_ARGUMENTS]; /* one for each parameter of the kernel, in order */
    Loop *loop;
    /* For a kernel: elementwise work on each element it writes, before it is stored. A loop of rank 1 over the output
     * whose input 0 is what the kernel made. */
    Loop *epilogue;
    const Node *node;
    LIST(const Node *) nodes;    /* all whose work is done here, .node first */
    const char *block;           /* the attention block this belongs to, or NULL */
    int tasks;                   /* into how many its work is split, for threads; below 2: it is not */
    int ranges;                  /* of each task's work, so that others can take what a slow one has not begun */
    bool is_aside;               /* done for probes alone: no output depends on it */
    const struct Choice *choice; /* that made it what it is (program/choice.h), or NULL */
} Step;

/* A value to be shown as soon as it is made: an attention map, or any value that was asked for. */
typedef struct Probe {
    const char *id;                  /* "layer1.0.se.gate" */
    const char *family;              /* "se"; "" for values asked for by name */
    const char *axes;                /* "N C", as many words as dimensions; "" where unknown */
    const Value *value;              /* whole, in memory: value->is_probed */
    const struct BlockProbe *origin; /* what it was before the passes: patterns/block.h */
    int rank;
    int64_t dims[MAX_RANK]; /* its shape as the axes see it: value's, with dimensions split, merged or dropped */
} Probe;

typedef struct Program {
    Arena *arena;
    Graph *graph;
    LIST(Step *) steps;
    LIST(Buffer *) buffers;
    LIST(Probe *) probes;
    struct ValueBuffer *buffer_of; /* see program_buffer() */
    const struct Packed *packed;   /* see program/pack.h */
    bool is_direct;                /* no convolution by Winograd's method */
    bool is_plain;                 /* no linear layer by Strassen's algorithm */
    const struct Tuning *tuning;   /* what overrules the cost model, see program/choice.h; NULL: nothing */
    LIST(const struct Choice *) choices;
    const Node *current;  /* the node being lowered */
    const Target *target; /* what its C is for; the first of TARGETS unless lowering is told another */
    int threads;          /* that a run may use: passes/split.h */
    bool is_profiled;     /* a run tells its host when a step is done */
    /* Set by the planner: */
    int64_t workspace_bytes, lower_bound_bytes;
    int64_t staged_offset; /* behind all buffers: inputs and outputs of one sample that lie apart in the caller's arrays */
    int64_t unprobed_bytes; /* of the workspace, without the buffers that are for probes alone: they lie behind or
                               between */
} Program;

/* An empty program for a graph; passes/lower.h fills it. */
Program *program_new(Arena *arena, Graph *graph);

/* The buffer that holds a value (made when first asked for). */
Buffer *program_buffer(Program *program, const Value *value);
/* A further constant, made of a value's. */
Buffer *program_constant(Program *program, const Value *value, const Tensor *constant);
/* A buffer for use inside the current node. */
Buffer *program_scratch(Program *program, Type type, int64_t count);
/* Lets an output share its input's buffer: a Reshape and its like. Where both are fixed by the caller (a model input
 * that is also an output, an output under two names) it appends a copy. */
void program_view(Program *program, const Value *output, const Value *input);
/* The same where each element keeps its place in the shape: a copy where the two lie differently in memory. */
void program_identity(Program *program, const Value *output, const Value *input);

/* Appends a call of a kernel; every parameter must be given, by its name in the kernel's source.
 * but for first, last and the scratch of one with items. type is what T stands for. It is a bug to name a parameter
 * that the kernel does not have, or to leave one out. */
Step *step_kernel(Program *program, const char *kernel, Type type);
void step_buffer(Step *step, const char *parameter, Buffer *buffer, int64_t offset); /* buffer NULL passes NULL */
/* The buffer of a value; NULL passes NULL. What a kernel makes for a probe alone is marked as such. */
void step_value(Program *program, Step *step, const char *parameter, const Value *value);
void step_size(Step *step, const char *parameter, int64_t size);
/* A size that depends on the registers: picks has TARGET_COUNT of them. Where the program's target says which there
 * are, that one is taken for all, else all are copied. */
void step_pick(Program *program, Step *step, const char *parameter, const int *picks);
void step_sizes(Program *program, Step *step, const char *parameter, const int64_t *sizes, int count); /* copied */
void step_number(Step *step, const char *parameter, double number);
/* The body of a formula: a loop whose scalar 0 is the formula's operand, in compute type. Its further scalars are to be
 * appended, by loop_literal() and loop_apply(). */
Loop *step_formula(Program *program, Step *step, const char *parameter);
/* That nothing is left out; lowering calls it. Gives a kernel its scratch, for one thread. */
void step_check(Program *program, Step *step);
/* How many items a kernel's step has with some registers (program/target.h), and with those of the program's target
 * with which it has most; 1 where its kernel has none. */
int64_t step_items(const Step *step, int registers);
int64_t step_most_items(const Program *program, const Step *step);
/* What its kernel's parameter `scratch` points to; NULL where that is none of each thread's own. */
Buffer *step_scratch(const Step *step);

/* Appends a loop nest over the shape extents; operands and body follow. Dimensions of extent 1 are dropped and
 * neighbouring ones merged where all strides allow it, by loop_simplify(). */
Loop *step_loop(Program *program, int rank, const int64_t *extents);
/* Adds an input; strides has the loop's rank entries. Returns its scalar's number. All inputs before the body. */
int loop_input(Loop *loop, Buffer *buffer, int64_t offset, const int64_t *strides);
void loop_output(Loop *loop, Buffer *buffer, int64_t offset, const int64_t *strides);
int loop_literal(Loop *loop, Type type, double number);
int loop_literal_int(Loop *loop, Type type, int64_t integer);
/* Appends formula(arguments) with T = operand_type and a result of type result; returns its number. */
int loop_apply(Loop *loop, const char *formula, Type operand_type, Type result, int count, const int *arguments);
/* Appends a conversion, as ONNX Cast defines it; returns scalar itself where the types are equal. */
int loop_cast(Loop *loop, int scalar, Type to);
void loop_simplify(Loop *loop);
/* Takes conversions out of a body that change nothing: of a whole number that was kept within the bounds of an integer
 * type, to that type and back. */
void loop_drop_round_trips(Loop *loop);
/* Whether a loop has no body and changes no type: it moves elements as they are stored, bit by bit. */
bool loop_is_copy(const Loop *loop);

/* Strides of a shape as it lies in memory, and those with which it is read when broadcast to a loop of `rank`
 * dimensions. */
void strides_of(const Shape *shape, int64_t *strides);
void strides_broadcast(const Shape *shape, int rank, int64_t *strides);

/* Runs a program: memory has a pointer for each buffer, by number (constants' may be NULL: theirs is used). */
void program_run(const Program *program, void *const *memory);
/* The same; calls after_step(step's number, argument) when a step is done. */
void program_run_steps(const Program *program, void *const *memory, void (*after_step)(int step, void *argument),
                       void *argument);

/* One line a step, as --dump-after shows it: the kernel or formulas, and the buffers with their places. */
void program_print(const Program *program, FILE *out);

#endif
