/* Options: a command's arguments as one table, from which they are parsed and `--help` is written. */
#ifndef FOVEA_COMMANDS_OPTIONS_H
#define FOVEA_COMMANDS_OPTIONS_H

#include "commands/command.h"

#include <stdio.h>

typedef enum {
    OPTION_ARGUMENT, /* a positional argument, required; in the table's order. target: const char ** */
    OPTION_FLAG,     /* --json                                                  target: bool * */
    OPTION_TEXT,     /* --name N or --name=N; the last one counts               target: const char ** */
    OPTION_NUMBER,   /* a finite number                                         target: double * */
    OPTION_COUNT,    /* a whole number of at least 1                            target: int * */
    OPTION_LIST,     /* may be given again and again                            target: StringList * */
} OptionKind;

typedef struct {
    OptionKind kind;
    char letter;             /* 'o' for -o; '\0' for none */
    const char *name;        /* "output" for --output; what help calls an argument */
    const char *placeholder; /* "DIR", for help; NULL for arguments and flags */
    const char *help;        /* lower case, without a full stop; the default is part of it. Lines are broken for it */
    void *target;            /* holds the default before parsing and is left alone if the option is not given */
} Option;

/* Fills the targets. Returns false after --help, which was written to stdout: then nothing is left to do. Fails with
 * STATUS_USAGE and a suggestion where the command line is wrong. "--" ends the options. */
bool options_parse(Arena *arena, const Command *command, const Option *options, int count, int argc, char **argv);

/* What --help writes: lines of 100 columns at most, if its words allow. */
void options_help(const Command *command, const Option *options, int count, FILE *out);

/* The one of several names (ended by NULL) that a mistyped word most likely meant; NULL where none is near. */
const char *nearest_name(Arena *arena, const char *word, const char *const *names);

#endif
