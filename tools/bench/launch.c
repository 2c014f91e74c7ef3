/* Runs a command as a child of this small program, and prints the seconds that it took and the most bytes that it had
 * resident, on a line; nothing where it fails. Linux counts what a process had before exec() too, so that a child of
 * Python would begin with Python's.
 *   launch PROGRAM [ARGUMENT ...] */
#define _DEFAULT_SOURCE /* wait4 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int main(int argc, char **argv) {
    struct rusage usage;
    int status;
    if (argc < 2) return 2;
    const double start = seconds();
    const pid_t child = fork();
    if (child == 0) {
        execv(argv[1], argv + 1);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &usage) != child) {
        perror("launch");
        return 1;
    }
    const double taken = seconds() - start;
    if (WIFSIGNALED(status)) {
        fprintf(stderr, "%s was ended by signal %d\n", argv[1], WTERMSIG(status));
        return 1;
    }
    if (WEXITSTATUS(status) == 0) printf("%.6f %lld\n", taken, 1024LL * usage.ru_maxrss);
    return WEXITSTATUS(status);
}
