/* Emitter: what the parts of emit/ share while one model is written. Internal to emit/.
 * Names and functions are settled before anything is written, so the order of writing is free. */
#ifndef FOVEA_EMIT_EMITTER_H
#define FOVEA_EMIT_EMITTER_H

#include "emit/emit.h"
#include "emit/function.h"

typedef struct {
    Arena *arena;
    Program *program;
    EmittedModel *model;
    Names file; /* file scope; the names of run()'s scope are in it too, so that these shadow nothing */
    Names run;  /* parameters and variables of run() */
    Functions functions;
    Weights weights;
    Call *calls;              /* by step */
    const char **expressions; /* by buffer number: how run() writes a pointer to it */
    bool *used;               /* by buffer number: whether a call or probe mentions it */
    bool *needed;             /* by buffer number: whether a call does that is made for more than probes */
    Buffer **probed;          /* by probe: the buffer that it shows */
    int *probe_steps;         /* by probe: the last step that writes that buffer; -1: it is there from the start */
} Emitter;

/* interface.c: the parts of NAME.h, and the prototype of run(). */
const char *summary_text(Emitter *emitter);
const char *sizes_text(Emitter *emitter);
const char *workspace_text(Emitter *emitter);
/* "senet_status senet_run(...)", of a function of that name. */
const char *prototype_text(Emitter *emitter, const char *function);
/* "const float image[SENET_IMAGE_SIZE]", as prototypes have it. */
const char *parameter_text(Arena *arena, const EmittedTensor *tensor, const char *qualifier);
const char *target_text(Emitter *emitter);
const char *threads_macro_text(Emitter *emitter);
const char *threads_members_text(Emitter *emitter);
const char *profile_macro_text(Emitter *emitter);
const char *profile_members_text(Emitter *emitter);

/* run.c: the parts of run(), and the table of probes. */
const char *probes_text(Emitter *emitter);
const char *profile_text(Emitter *emitter);
const char *checks_text(Emitter *emitter);
const char *pointers_text(Emitter *emitter);
const char *steps_text(Emitter *emitter);

/* batch.c: what a model has whose runs take as many samples as the caller says; empty for others. */
const char *samples_macros_text(Emitter *emitter);
const char *samples_status_text(Emitter *emitter);
const char *samples_comment_text(Emitter *emitter);
/* The prototype of NAME_run(), and its definition where it calls another function for each sample. */
const char *outer_prototype_text(Emitter *emitter);
const char *outer_run_text(Emitter *emitter);
/* The name of what runs one sample: NAME_run, or else NAME_run_sample. */
const char *entry_name(const Emitter *emitter);

/* dispatch.c: the parts of what chooses a variant, and the features that one is compiled with. */
const char *variant_prototypes_text(Emitter *emitter);
const char *choice_text(Emitter *emitter);
const char *features_text(Arena *arena, const Target *variant);

#endif
