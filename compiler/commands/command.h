/* Commands: what stands after `fovea` on the command line. Each is defined in a file of its own and listed in main.c.
 */
#ifndef FOVEA_COMMANDS_COMMAND_H
#define FOVEA_COMMANDS_COMMAND_H

#include "base/arena.h"

typedef struct Command {
    const char *name;
    const char *summary; /* one line for `fovea --help` */
    const char *usage;   /* what `fovea NAME --help` says below the options; "" for nothing */
    /* Does the work. argv[0] is the first argument after the name. Fails where the exit status is not to be 0. */
    void (*run)(Arena *arena, int argc, char **argv);
} Command;

extern const Command COMMAND_COMPILE, COMMAND_RUN, COMMAND_INSPECT, COMMAND_VERIFY, COMMAND_DIFF, COMMAND_TUNE,
    COMMAND_VIEW;

#endif
