/* Passes: one function over the graph each, in one table with what it is for, and the stages that follow them.
 * `--dump-after=NAME` prints what one of them has made. */
#ifndef FOVEA_PASSES_PASS_H
#define FOVEA_PASSES_PASS_H

#include "graph/graph.h"
#include "program/target.h"

/* Whether a method may be taken where it pays. */
typedef enum { METHOD_AUTO, METHOD_OFF } MethodMode;

enum { STRIPES_AUTO = -1 };

/* What the user has said of the model. */
typedef struct {
    StringList dims;             /* --dim: "batch=1", "batch=1..64" */
    StringList constants;        /* --constant: "sr=16000", "axes=in.npz" */
    StringList shapes;           /* --shape: "x=1x3x224x224", "list=[2x3],[4x5]" */
    StringList absent;           /* --absent: "mask" */
    StringList fuse;             /* --fuse: names of rules; empty: all */
    StringList patterns;         /* --patterns: files of the user's own blocks */
    const char *probes;          /* --probes: auto, all, none, or a glob over tensor names and probe ids */
    const char *explain;         /* --why: a family whose near misses are printed */
    MethodMode winograd;         /* --winograd, of convolutions */
    MethodMode strassen;         /* --strassen, of linear layers */
    const struct Tuning *tuning; /* --tuned: what overrules the cost model (program/choice.h); NULL: nothing */
    int stripes;                 /* --stripe: into how many maps are cut; 0: none are, STRIPES_AUTO: as it pays */
    Lengths resize_lengths;      /* --resize-lengths */
    const char *dump_after;      /* --dump-after: a pass */
    const Target *target;        /* --target; NULL: portable */
    int threads;                 /* --threads; 0: one */
    bool profile;                /* --profile: the host is told when a step is done */
    bool open_dimensions;        /* unknown dimensions may stay: for inspect */
    void (*observe)(const Graph *graph, const char *pass, void *argument); /* called after each pass; NULL: nobody */
    void *observe_argument;
} PassOptions;

typedef struct {
    const char *name;
    const char *description;
    void (*run)(Graph *graph,
                const PassOptions *options); /* NULL: a stage over the program; commands/model.c runs it */
} Pass;

extern const Pass PASSES[]; /* in their order, ended by a NULL name */

/* Runs those over the graph. Returns false where --dump-after ended the way: then nothing is left to do. */
bool passes_run(Graph *graph, const PassOptions *options);

/* Whether --dump-after names this pass or stage. */
bool dumps_after(const PassOptions *options, const char *pass);

/* The patterns of fovea and of the user's files; read when first asked for. */
const struct PatternSet *graph_patterns(Graph *graph, const PassOptions *options);

/* Decides which inputs there are: those of --constant and --absent are inputs no more, and the tensors of a sequence
 * take its place. Returns what of --shape is left, which is of tensors. */
StringList bind_inputs(Graph *graph, const PassOptions *options);

/* Puts so many tensors in the place of an input that is a sequence: NAME_0, NAME_1 and so on. */
void split_input(Graph *graph, int place, int count);
/* Likewise of the outputs that are sequences, once inferred; an output without a value is left out. Returns the nodes
 * that copy the elements, which are in no list yet. */
NodeList split_outputs(Graph *graph);
/* An Identity that makes one value a copy of another, in no list yet. */
Node *copying_node(Graph *graph, Value *from, Value *to);

/* A node that does the work of an original, or a part of it, in no list yet. */
Node *pass_node(Graph *graph, const char *domain, const char *op_type, const Node *original);
/* Such a Slice of a map x [N][C][spatial...]: along each of its dimensions what is below ends[i], every steps[i]-th. It
 * has no output yet. */
Node *pass_slice(Graph *graph, const Node *original, Value *x, const int64_t *ends, const int64_t *steps);

/* Sets .is_batched of the outputs, when all passes have run: they put other values in the place of these. */
void mark_batched_outputs(Graph *graph);

/* The passes, each in a file of its own: */
void pass_bind_dimensions(Graph *graph, const PassOptions *options);
void pass_infer(Graph *graph, const PassOptions *options);
void pass_samples(Graph *graph, const PassOptions *options);
void pass_normalise(Graph *graph, const PassOptions *options);
void pass_layout(Graph *graph, const PassOptions *options);
void pass_blocks(Graph *graph, const PassOptions *options);
void pass_fuse_blocks(Graph *graph, const PassOptions *options);
void pass_eliminate(Graph *graph, const PassOptions *options);
void pass_fold_batchnorm(Graph *graph, const PassOptions *options);
void pass_bias(Graph *graph, const PassOptions *options);
void pass_own_outputs(Graph *graph, const PassOptions *options);
void pass_stripe(Graph *graph, const PassOptions *options);
void pass_phases(Graph *graph, const PassOptions *options);
void pass_thin(Graph *graph, const PassOptions *options);
void pass_channels_last(Graph *graph, const PassOptions *options);

#endif
