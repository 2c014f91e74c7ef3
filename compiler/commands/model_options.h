/* Options that every command with a model takes: dimensions, probes, fusion, the dump after a pass.
 * A command puts model_option_rows() behind rows of its own. */
#ifndef FOVEA_COMMANDS_MODEL_OPTIONS_H
#define FOVEA_COMMANDS_MODEL_OPTIONS_H

#include "commands/options.h"
#include "passes/pass.h"

typedef struct {
    const char *path;     /* of the model */
    const char *fuse;     /* "loops,epilogue", "no-gates" or "none" */
    const char *winograd; /* "auto" or "off" */
    const char *strassen; /* the same */
    const char *target;   /* a name of program/target.h, of commands that make C */
    const char *stripe;   /* "auto", "off" or a number */
    const char *lengths;  /* "whole" or "fractional" */
    const char *tuned;    /* a file that `fovea tune` has written */
    PassOptions pass;
} ModelOptions;

enum { MODEL_OPTION_ROWS = 13 };

/* Appends the rows to a command's own, of which there are count; returns how many there are then. */
int model_option_rows(Arena *arena, ModelOptions *model, Option *rows, int count);

/* The rows --target, --tuned, --threads and --profile, of commands that make C. */
Option target_option(Arena *arena, ModelOptions *model);
Option tuned_option(ModelOptions *model);
Option threads_option(ModelOptions *model);
Option profile_option(ModelOptions *model);

/* Once parsed: makes the model's file the one that messages begin with, and reads --fuse, --winograd, --strassen,
 * --target, --stripe, --resize-lengths and --tuned. */
void model_options_finish(Arena *arena, ModelOptions *model);

#endif
