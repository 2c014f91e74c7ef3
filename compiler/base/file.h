/* Files: reading them whole, and writing them so that they are either there, complete, or as they were before.
 * What cannot be done fails with STATUS_SYSTEM and the system's reason. */
#ifndef FOVEA_BASE_FILE_H
#define FOVEA_BASE_FILE_H

#include "base/arena.h"

#include <stdbool.h>

bool file_exists(const char *path);

/* "path/to/senet.onnx" without folder and ending: "senet". */
const char *path_stem(Arena *arena, const char *path);

/* A descriptor to read a regular file with. Folders, pipes and devices are refused, not waited for. */
int file_open(const char *path);

/* The whole of a regular file, with a NUL after it that *size does not count. Files of more than limit bytes are
 * refused with STATUS_INVALID. */
char *file_read(Arena *arena, const char *path, size_t limit, size_t *size);

/* Makes a folder, and those above it, where they are missing. */
void directory_make(const char *path);

/* Writes a file: into a temporary one beside it, which then takes its name. On any failure nothing is left over and the
 * old file, if there was one, is untouched. Symbolic links, folders, devices and read-only files are refused. */
void file_write_atomic(const char *path, const void *bytes, size_t size);

typedef struct {
    const void *bytes;
    size_t size;
} FilePiece;

typedef struct {
    const char *path;
    LIST(FilePiece) pieces;
} OutputFile;

/* Several files that are written all or not at all. */
typedef struct {
    Arena *arena;
    LIST(OutputFile) files;
    StringList inputs;
} FileSet;

FileSet file_set_new(Arena *arena);
/* Names a file that must not be written over, under whatever name: the input. Doing so fails with STATUS_USAGE. */
void file_set_protect(FileSet *set, const char *path);
/* Adds a file. The bytes are not copied: they have to stay until the commit. */
void file_set_add(FileSet *set, const char *path, const void *bytes, size_t size);
/* More bytes for the file that was added last; not copied either. */
void file_set_append(FileSet *set, const void *bytes, size_t size);
/* Writes all of them, then gives all their names; a failure, or a signal, undoes everything. */
void file_set_commit(const FileSet *set);

/* Lets SIGINT, SIGTERM and SIGHUP remove the temporary files before they end the program. For main, once. */
void file_install_signal_cleanup(void);

#endif
