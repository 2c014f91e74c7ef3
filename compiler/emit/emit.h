/* Emit: writes a planned program as C: NAME.h, NAME.c and its weights.
 * What is returned says how the interface came out, for whoever writes a manifest or a main around it. */
#ifndef FOVEA_EMIT_EMIT_H
#define FOVEA_EMIT_EMIT_H

#include "emit/output.h"
#include "emit/weights.h"
#include "program/program.h"

typedef struct {
    const char *name;   /* wished for; model_name() of it is the prefix of all files and symbols */
    const char *origin; /* for the header comment: "an ONNX model (opset 18)"; NULL: "an ONNX model" */
    WeightMode weights;
    bool dispatch; /* variants for x86-64 processors, in NAME_v3.c and its like; NAME_run() chooses one */
} EmitOptions;

/* What stands under one heading in NAME_run(): one step, or several that do the same nodes. */
typedef struct {
    int first, last;   /* numbers, from 1 */
    const char *nodes; /* safe in a comment: "/conv1/Conv + /relu/Relu" */
    int64_t macs;      /* 0: none to count */
} EmittedStep;

/* An input or output as the C program sees it. */
typedef struct {
    const Value *value;
    const Buffer *buffer;
    const char *identifier; /* "image": the parameter */
    const char *staged;     /* "state_of_one": what of one sample lies apart in the caller's array; NULL: it does not */
    const char *size_macro; /* "SENET_IMAGE_SIZE": its number of elements; defined also where that is 0 */
    const char *c_type;     /* "float", "uint16_t" for float16, "uint8_t" for bool */
    int64_t count;
    bool is_used; /* by some step */
} EmittedTensor;

typedef struct {
    const char *name;  /* "senet": functions are senet_run, senet_check_weights; files senet.h, senet.c */
    const char *macro; /* "SENET": macros are SENET_WORKSPACE, SENET_ALIGNMENT, SENET_PROBES, SENET_WEIGHTS */
    LIST(EmittedTensor) inputs, outputs; /* in the order of the graph's */
    WeightMode weights;                  /* never WEIGHTS_AUTO */
    const Target *target;
    bool is_dispatched;                  /* there is a variant for each target that has one */
    int threads;                         /* that a run may use */
    const Batch *batch;                  /* how many samples a run takes; NULL: one, or what the model says */
    const char *samples;                 /* the parameter that says how many */
    int64_t weights_bytes;               /* of distinct constants; NAME.weights is this and some padding */
    bool is_profiled;                    /* the host is told when a step is done, of those: */
    LIST(EmittedStep) steps;
    LIST(const char *) files;            /* names in the output's folder, in the order written */
} EmittedModel;

/* "float32", "int64": how generated code names an element type, in comments and in probes. */
const char *emitted_type(Type type);

/* Writes the files of a program that plan_memory() has seen into output; the caller commits. Fails with
 * STATUS_UNSUPPORTED where a tensor has a type that C cannot hold (strings, complex numbers). */
const EmittedModel *emit_model(Program *program, const EmitOptions *options, Output *output);

#endif
