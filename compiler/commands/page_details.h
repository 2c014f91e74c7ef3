/* Page details: what a page is told beside the manifest: how a picture becomes an input, what outputs mean, and inputs
 * to begin with. */
#ifndef FOVEA_COMMANDS_PAGE_DETAILS_H
#define FOVEA_COMMANDS_PAGE_DETAILS_H

#include "commands/execute.h"
#include "commands/options.h"
#include "graph/graph.h"

#include <jansson.h>

typedef struct {
    StringList pictures;    /* files */
    const char *samples;    /* an npz of inputs */
    const char *reference;  /* an npz of probes, of the first sample */
    const char *labels;     /* a file, a class on each line */
    const char *preprocess; /* a file of JSON, in which the following stand as well */
    const char *mean, *std; /* "0.485,0.456,0.406" */
    const char *colour;     /* "rgb", "bgr" or "gray" */
    const char *fit;        /* "crop" or "stretch" */
    double white;           /* what the lightest pixel is before mean and std */
} PageDetails;

enum { PAGE_DETAILS_ROWS = 10 };

/* Appends the rows of options; returns how many rows there are then. */
int page_details_rows(PageDetails *details, Option *rows, int count);

/* Reads the files, and checks them against the graph's inputs. A new reference; docs/page.md describes it. */
json_t *page_details(Arena *arena, const PageDetails *details, const Graph *graph);
/* Tells the page the file beside it that its weights are in. */
void page_details_name_weights(json_t *details, const char *file);
/* Runs all samples, and adds what comes out of each. Returns how many there were. */
int page_details_record(Arena *arena, json_t *json, const PageDetails *details, const Graph *graph,
                        Execution *execution);

#endif
