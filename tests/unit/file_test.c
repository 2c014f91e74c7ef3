/* Tests of base/file.h, with system calls that fail when they are told to: whatever happens, the target is the old file
 * or the new one, and nothing else is left in the folder. */
#include "support/test.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* These stand in for the C library's. A countdown of n makes the n-th call fail; 0: none does. */
static int fail_rename, fail_fsync, fail_write, fail_link, raise_in_fsync;

static bool fails(int *countdown, int error) {
    if (*countdown == 0 || --*countdown > 0) return false;
    errno = error;
    return true;
}

int rename(const char *from, const char *to) {
    return fails(&fail_rename, EPERM) ? -1 : renameat(AT_FDCWD, from, AT_FDCWD, to);
}
int link(const char *from, const char *to) {
    return fails(&fail_link, EOPNOTSUPP) ? -1 : linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}
int fsync(int descriptor) {
    if (fails(&raise_in_fsync, 0)) raise(SIGINT);
    return fails(&fail_fsync, EIO) ? -1 : (int)syscall(SYS_fsync, descriptor);
}
ssize_t write(int descriptor, const void *bytes, size_t size) {
    if (descriptor > STDERR_FILENO && fails(&fail_write, ENOSPC)) return -1;
    size_t part = descriptor > STDERR_FILENO && size > 1000 ? size / 2 + 1 : size; /* short writes are allowed */
    return syscall(SYS_write, descriptor, bytes, part);
}

typedef struct {
    Arena *arena;
    const char *folder;
} Place;

static int enter(void **state) {
    Arena *arena = arena_new();
    Place *place = arena_new_object(arena, Place);
    *place = (Place){arena, test_folder(arena)};
    fail_rename = fail_fsync = fail_write = fail_link = raise_in_fsync = 0;
    *state = place;
    return 0;
}

static int leave(void **state) {
    arena_free(((Place *)*state)->arena);
    return 0;
}

static const char *in(const Place *place, const char *name) { return test_path(place->arena, place->folder, name); }

static void assert_holds(const Place *place, const char *name, const char *expected) {
    size_t size;
    const char *text = file_read(place->arena, in(place, name), 1 << 20, &size);
    assert_int_equal(size, strlen(expected));
    assert_string_equal(text, expected);
}

typedef struct {
    Arena *arena;
    const char *path;
} ReadRequest;

static void read_at_most_8(void *argument) {
    const ReadRequest *request = argument;
    size_t size;
    file_read(request->arena, request->path, 8, &size);
}

static void expect_unreadable(const Place *place, Status status, const char *part, const char *path) {
    expect_failure(status, part, read_at_most_8, &(ReadRequest){place->arena, path});
}

static void files_are_read_whole(void **state) {
    const Place *place = *state;
    write_bytes(in(place, "a"), "one\0two", 7);
    size_t size;
    char *bytes = file_read(place->arena, in(place, "a"), 7, &size);
    assert_int_equal(size, 7);
    assert_memory_equal(bytes, "one\0two", 8); /* and a NUL */
    write_bytes(in(place, "empty"), "", 0);
    assert_string_equal(file_read(place->arena, in(place, "empty"), 0, &size), "");
    assert_int_equal(size, 0);
    assert_true(file_exists(in(place, "a")));
    assert_false(file_exists(in(place, "b")));
}

static void only_files_are_read(void **state) {
    const Place *place = *state;
    write_bytes(in(place, "large"), "123456789", 9);
    assert_int_equal(mkfifo(in(place, "pipe"), 0600), 0);
    expect_unreadable(place, STATUS_INVALID, "holds 9 bytes, which is more than the 8", in(place, "large"));
    expect_unreadable(place, STATUS_SYSTEM, "it is a pipe", in(place, "pipe")); /* and does not hang */
    expect_unreadable(place, STATUS_SYSTEM, "it is a folder", place->folder);
    expect_unreadable(place, STATUS_SYSTEM, "it is a device", "/dev/null");
    expect_unreadable(place, STATUS_SYSTEM, "No such file", in(place, "none"));
    expect_unreadable(place, STATUS_SYSTEM, "No such file", "");
}

static void make_directory(void *path) { directory_make(path); }

static void folders_are_made_with_those_above(void **state) {
    const Place *place = *state;
    directory_make(in(place, "a/b//c/"));
    directory_make(in(place, "a/b"));
    directory_make("/");
    assert_true(file_exists(in(place, "a/b/c")));
    write_bytes(in(place, "file"), "", 0);
    expect_failure(STATUS_SYSTEM, "there is a file of that name", make_directory, (void *)in(place, "file"));
    expect_failure(STATUS_SYSTEM, "cannot make the folder", make_directory, (void *)in(place, "file/x"));
}

static void write_small(void *path) { file_write_atomic(path, "small", 5); }

static void files_are_written_and_replaced(void **state) {
    const Place *place = *state;
    write_small((void *)in(place, "a"));
    assert_holds(place, "a", "small");
    char *large = arena_alloc(place->arena, 100001);
    memset(large, 'x', 100000);
    file_write_atomic(in(place, "a"), large, 100000);
    assert_holds(place, "a", large);
    file_write_atomic(in(place, "empty"), NULL, 0);
    assert_holds(place, "empty", "");
    assert_int_equal(count_files(place->folder), 2);
    struct stat status;
    mode_t mask = umask(0);
    umask(mask);
    assert_int_equal(stat(in(place, "a"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0666 & ~mask);
}

static void expect_unwritable(const Place *place, const char *part, const char *name) {
    expect_failure(STATUS_SYSTEM, part, write_small, (void *)in(place, name));
}

static void what_is_no_plain_file_is_not_replaced(void **state) {
    const Place *place = *state;
    write_bytes(in(place, "old"), "old", 3);
    assert_int_equal(symlink("old", in(place, "link")), 0);
    assert_int_equal(symlink("nowhere", in(place, "dangling")), 0);
    assert_int_equal(mkfifo(in(place, "pipe"), 0600), 0);
    assert_int_equal(mkdir(in(place, "folder"), 0700), 0);
    write_bytes(in(place, "locked"), "old", 3);
    assert_int_equal(chmod(in(place, "locked"), 0444), 0);
    expect_unwritable(place, "it is a symbolic link", "link");
    expect_unwritable(place, "it is a symbolic link", "dangling");
    expect_unwritable(place, "it is a pipe", "pipe");
    expect_unwritable(place, "it is a folder", "folder");
    expect_unwritable(place, "it is a folder", "folder/");
    expect_unwritable(place, "it is read-only", "locked");
    expect_unwritable(place, "No such file", "missing/x");
    expect_unwritable(place, "Not a directory", "old/x");
    assert_holds(place, "old", "old");
    assert_int_equal(count_files(place->folder), 6);
    assert_int_equal(count_files(in(place, "folder")), 0);
}

static void a_failure_leaves_the_old_file(void **state) {
    const Place *place = *state;
    int *const failures[] = {&fail_rename, &fail_fsync, &fail_write};
    static const char *const reasons[] = {"not permitted", "Input/output", "No space left"};
    write_bytes(in(place, "a"), "old", 3);
    for (int i = 0; i < 3; i++) {
        *failures[i] = 1;
        expect_unwritable(place, reasons[i], "a");
        *failures[i] = 1;
        expect_unwritable(place, reasons[i], "b");
        assert_holds(place, "a", "old");
        assert_int_equal(count_files(place->folder), 1);
    }
}

/* Three files, of which "b" is there already. */
static FileSet three_files(const Place *place) {
    FileSet set = file_set_new(place->arena);
    file_set_add(&set, in(place, "a"), "new a", 5);
    file_set_add(&set, in(place, "b"), "new b", 5);
    file_set_add(&set, in(place, "c"), "new c", 5);
    return set;
}

static void commit(void *set) { file_set_commit(set); }

static void a_set_is_written_together(void **state) {
    const Place *place = *state;
    write_bytes(in(place, "b"), "old b", 5);
    FileSet set = three_files(place), nothing = file_set_new(place->arena);
    file_set_commit(&set);
    file_set_commit(&nothing);
    assert_holds(place, "a", "new a");
    assert_holds(place, "b", "new b");
    assert_holds(place, "c", "new c");
    assert_int_equal(count_files(place->folder), 3);
}

static void a_set_is_undone_together(void **state) {
    const Place *place = *state;
    write_bytes(in(place, "b"), "old b", 5);
    FileSet set = three_files(place);
    int *const failures[] = {&fail_rename, &fail_fsync, &fail_write};
    for (int i = 0; i < 3; i++)
        for (int call = 1; call <= 3; call++) {
            *failures[i] = call;
            expect_failure(STATUS_SYSTEM, "cannot write", commit, &set);
            assert_int_equal(*failures[i], 0);
            assert_holds(place, "b", "old b");
            assert_int_equal(count_files(place->folder), 1);
        }
}

static void a_set_can_do_without_hard_links(void **state) {
    const Place *place = *state;
    write_bytes(in(place, "b"), "old b", 5);
    FileSet set = three_files(place);
    fail_link = 1;
    file_set_commit(&set);
    assert_holds(place, "b", "new b");
    assert_int_equal(count_files(place->folder), 3);
}

static void a_folder_in_the_way_stops_the_set(void **state) {
    const Place *place = *state;
    FileSet set = three_files(place);
    assert_int_equal(mkdir(in(place, "c"), 0700), 0);
    expect_failure(STATUS_SYSTEM, "it is a folder", commit, &set);
    assert_int_equal(count_files(place->folder), 1);
}

static void the_input_is_not_written_over(void **state) {
    const Place *place = *state;
    write_bytes(in(place, "b"), "model", 5);
    assert_int_equal(linkat(AT_FDCWD, in(place, "b"), AT_FDCWD, in(place, "hard"), 0), 0);
    assert_int_equal(symlink("b", in(place, "soft")), 0);
    static const char *const names[] = {"b", "./b", "hard", "soft"};
    for (int i = 0; i < 4; i++) {
        FileSet set = three_files(place);
        file_set_protect(&set, in(place, "nothing"));
        file_set_protect(&set, in(place, names[i]));
        expect_failure(STATUS_USAGE, "would be written over the input", commit, &set);
        assert_holds(place, "b", "model");
        assert_int_equal(count_files(place->folder), 3);
    }
}

static void add_twice(void *set) { file_set_add(set, ((FileSet *)set)->files.items[0].path, "", 0); }

static void a_path_is_there_once(void **state) {
    FileSet set = three_files(*state);
    expect_failure(STATUS_BUG, "internal check failed", add_twice, &set);
}

/* In a child process: SIGINT arrives when some of the temporary files are complete. */
static void a_signal_removes_temporary_files(void **state) {
    const Place *place = *state;
    write_bytes(in(place, "b"), "old b", 5);
    FileSet set = three_files(place);
    fflush(NULL);
    for (int call = 1; call <= 3; call++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            signal(SIGINT, SIG_DFL);
            file_install_signal_cleanup();
            raise_in_fsync = call;
            guard(commit, &set);
            _exit(0); /* not reached */
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
        assert_holds(place, "b", "old b");
        assert_int_equal(count_files(place->folder), 1);
    }
}

static void an_ignored_signal_stays_ignored(void **state) {
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGHUP, SIG_IGN); /* as nohup does */
        file_install_signal_cleanup();
        raise(SIGHUP);
        _exit(7);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter, leave)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(files_are_read_whole),
        IN_FOLDER(only_files_are_read),
        IN_FOLDER(folders_are_made_with_those_above),
        IN_FOLDER(files_are_written_and_replaced),
        IN_FOLDER(what_is_no_plain_file_is_not_replaced),
        IN_FOLDER(a_failure_leaves_the_old_file),
        IN_FOLDER(a_set_is_written_together),
        IN_FOLDER(a_set_is_undone_together),
        IN_FOLDER(a_set_can_do_without_hard_links),
        IN_FOLDER(a_folder_in_the_way_stops_the_set),
        IN_FOLDER(the_input_is_not_written_over),
        IN_FOLDER(a_path_is_there_once),
        IN_FOLDER(a_signal_removes_temporary_files),
        cmocka_unit_test(an_ignored_signal_stays_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
