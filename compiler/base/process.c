/* Processes: posix_spawn, waiting, and a folder that cleans up after itself.
 * The folder holds files only, so removing it is one level deep. */
#include "base/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int run(const char *const *argv, const posix_spawn_file_actions_t *actions) {
    pid_t process;
    if (posix_spawnp(&process, argv[0], actions, NULL, (char *const *)(uintptr_t)argv, environ) != 0) return -1;
    int status;
    while (waitpid(process, &status, 0) < 0)
        if (errno != EINTR) return -1;
    if (WIFSIGNALED(status)) return 128 + WTERMSIG(status);
    return WEXITSTATUS(status);
}

int process_run(const char *const *argv) { return run(argv, NULL); }

int process_run_quietly(const char *const *argv) {
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0) return -1;
    bool ready = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) == 0 &&
                 posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO) == 0;
    int status = ready ? run(argv, &actions) : -1;
    posix_spawn_file_actions_destroy(&actions);
    return status;
}

int process_run_to(const char *const *argv, const char *path) {
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0) return -1;
    int status = -1;
    if (posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, path, O_WRONLY | O_CREAT | O_TRUNC, 0600) == 0)
        status = run(argv, &actions);
    posix_spawn_file_actions_destroy(&actions);
    return status;
}

bool process_exists(Arena *arena, const char *program) {
    if (strchr(program, '/') != NULL) return access(program, X_OK) == 0;
    const char *path = getenv("PATH");
    while (path != NULL && *path != '\0') {
        size_t length = strcspn(path, ":");
        if (access(arena_printf(arena, "%.*s/%s", (int)length, path, program), X_OK) == 0) return true;
        path += length + (path[length] == ':');
    }
    return false;
}

static void remove_folder(void *object) {
    const char *folder = object;
    DIR *listing = opendir(folder);
    if (listing == NULL) return;
    for (const struct dirent *entry; (entry = readdir(listing)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(listing), entry->d_name, 0);
    closedir(listing);
    rmdir(folder);
}

const char *temporary_folder(Arena *arena) {
    const char *root = getenv("TMPDIR");
    char *folder = arena_printf(arena, "%s/fovea-XXXXXX", root == NULL || *root == '\0' ? "/tmp" : root);
    if (mkdtemp(folder) == NULL) fail(STATUS_SYSTEM, "no temporary folder %s: %s", quoted(folder), strerror(errno));
    arena_defer(arena, remove_folder, folder);
    return folder;
}
