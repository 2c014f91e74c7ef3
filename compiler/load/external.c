/* External data: tensors' bytes in files beside the model.
 * A path is followed only below the model's directory and through no link of any kind, as the model that names it may
 * be hostile. Files are read, not mapped: a file that is cut short by someone else would kill a process that has it
 * mapped (SIGBUS), and data that is checked could change after the check. */
#include "load/external.h"

#include "base/map.h"
#include "load/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/syscall.h>
#endif
#ifdef SYS_openat2
#include <linux/openat2.h>
#endif

enum { NONE = -1 };
/* Opening must neither wait (FIFO) nor take a terminal. */
enum { OPEN_FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW };

struct External {
    Arena *arena;
    const char *directory_path;
    const LoadOptions *options;
    int directory, file;  /* NONE: not open */
    const char *location; /* of file */
    int64_t file_size;
    Map counted;       /* locations whose size is part of known_size */
    size_t known_size; /* of all files seen */
    size_t used;       /* bytes read */
};

static void close_file(int *file) {
    if (*file != NONE) close(*file);
    *file = NONE;
}

void external_close(External *external) {
    close_file(&external->file);
    close_file(&external->directory);
}

static void external_release(void *object) { external_close(object); }

External *external_new(Arena *arena, const char *directory, const LoadOptions *options) {
    External *external = arena_new_object(arena, External);
    *external = (External){.arena = arena,
                           .directory_path = directory,
                           .options = options,
                           .directory = NONE,
                           .file = NONE,
                           .counted = map_new(arena)};
    arena_defer(arena, external_release, external);
    return external;
}

/* What is wrong with a location as a text, or NULL: it has to be a relative path that only goes down. */
static const char *location_fault(const char *location) {
    if (location[0] == '\0') return "has an empty name";
    if (location[0] == '/') return "has an absolute path; it has to be relative to the model's directory";
    for (const char *at = location; *at != '\0';) {
        size_t length = strcspn(at, "/");
        if (length == 0) return "has an empty component in its path";
        if (length == 2 && at[0] == '.' && at[1] == '.')
            return "has '..' in its path; it has to be below the model's directory";
        at += length;
        if (*at == '/' && *++at == '\0') return "is named as a directory";
    }
    return NULL;
}

static int open_by_components(int directory, const char *location) {
    int at = directory;
    for (;;) {
        char component[256]; /* NAME_MAX and the end */
        size_t length = strcspn(location, "/");
        bool last = location[length] == '\0';
        int next = -1;
        if (length < sizeof component) {
            memcpy(component, location, length);
            component[length] = '\0';
            next = openat(at, component, OPEN_FLAGS | (last ? 0 : O_DIRECTORY));
        } else {
            errno = ENAMETOOLONG;
        }
        int fault = errno;
        if (at != directory) close(at);
        errno = fault;
        if (last || next < 0) return next;
        at = next;
        location += length + 1;
    }
}

int external_open(int directory, const char *location, OpenMethod method) {
#ifdef SYS_openat2
    if (method == OPEN_BEST) {
        struct open_how how = {.flags = OPEN_FLAGS,
                               .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
        long file = syscall(SYS_openat2, directory, location, &how, sizeof how);
        if (file >= 0 || (errno != ENOSYS && errno != EPERM)) return (int)file; /* EPERM: a sandbox that forbids it */
    }
#else
    (void)method;
#endif
    return open_by_components(directory, location);
}

static const char *file_fault(const struct stat *info) {
    if (S_ISDIR(info->st_mode)) return "is a directory";
    if (!S_ISREG(info->st_mode)) return "is not a regular file";
    if (info->st_nlink > 1)
        return "has other names too (hard links), which may be outside of the model's directory; copy it";
    return NULL;
}

/* Makes location the open file. */
static const char *open_location(External *external, const char *location) {
    if (external->file != NONE && strcmp(external->location, location) == 0) return NULL;
    close_file(&external->file);
    if (external->directory == NONE)
        external->directory = open(external->directory_path, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    if (external->directory == NONE) return strerror(errno);
    external->file = external_open(external->directory, location, OPEN_BEST);
    if (external->file == NONE) return errno == ELOOP ? "is a symbolic link, or behind one" : strerror(errno);
    struct stat info;
    if (fstat(external->file, &info) != 0) return strerror(errno);
    const char *fault = file_fault(&info);
    if (fault != NULL) return fault;
    external->location = location;
    external->file_size = info.st_size;
    if (map_get(&external->counted, location) == NULL) {
        map_set(&external->counted, location, external);
        external->known_size += (size_t)info.st_size;
    }
    return NULL;
}

static const char *region_fault(External *external, const ExternalRegion *region, size_t size) {
    if (region->offset < 0) return "is to be read from a negative offset";
    if (region->length >= 0 && (uint64_t)region->length != size) return "has another length there than the tensor";
    if (region->offset > external->file_size || size > (uint64_t)(external->file_size - region->offset))
        return "ends before the tensor's data does";
    size_t budget = load_budget(external->options, external->known_size);
    if (size > budget - external->used) return "is used for so many tensors that memory may run out";
    external->used += size;
    return NULL;
}

const char *external_read(External *external, const ExternalRegion *region, size_t size, void **bytes) {
    if (external->directory_path == NULL) return "cannot be read: the model is not in a directory";
    const char *fault = location_fault(region->location);
    if (fault == NULL) fault = open_location(external, region->location);
    if (fault == NULL) fault = region_fault(external, region, size);
    if (fault != NULL) {
        close_file(&external->file);
        return fault;
    }
    char *at = *bytes = arena_alloc(external->arena, size);
    for (size_t done = 0; done < size;) {
        ssize_t got = pread(external->file, at + done, size - done, (off_t)(region->offset + (int64_t)done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return strerror(errno);
        if (got == 0) return "became shorter while it was read";
        done += (size_t)got;
    }
    return NULL;
}
