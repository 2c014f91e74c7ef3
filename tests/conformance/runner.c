/* Runs generated models: runner FOLDER reads FOLDER/NAME.K.in for each model of the table and K = 0, 1, ... and writes
 * FOLDER/NAME.K.out. Each run is a process of its own, so that one that crashes or hangs is a line of the report:
 *   NAME K ok | NAME K status 1 | NAME K signal 11 */
#include "runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS = 20, CANNOT_RUN = 99 };

/* Memory that is full of what no model may rely on. */
static char *poisoned(size_t alignment, size_t bytes) {
    void *memory = NULL;
    size_t least = bytes == 0 ? 1 : bytes;
    if (posix_memalign(&memory, alignment, least) != 0) exit(CANNOT_RUN);
    memset(memory, 0xA5, least);
    return memory;
}

static int run(const RunnerModel *model, FILE *in, const char *out_path) {
    char *workspace = poisoned(model->alignment, model->workspace_bytes);
    char *inputs = poisoned(64, model->input_bytes), *outputs = poisoned(64, model->output_bytes);
    if (fread(inputs, 1, model->input_bytes, in) != model->input_bytes) return CANNOT_RUN;
    int status = model->run(workspace, inputs, outputs);
    FILE *out = fopen(out_path, "wb");
    if (out == NULL || fwrite(outputs, 1, model->output_bytes, out) != model->output_bytes || fclose(out) != 0)
        return CANNOT_RUN;
    free(workspace);
    free(inputs);
    free(outputs);
    return status;
}

static void report(const RunnerModel *model, int k, int status) {
    if (WIFSIGNALED(status)) printf("%s %d signal %d\n", model->name, k, WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0) printf("%s %d status %d\n", model->name, k, WEXITSTATUS(status));
    else printf("%s %d ok\n", model->name, k);
    fflush(stdout);
}

/* Runs a model on data set k; 0 where there is no such data set. */
static int run_data_set(const RunnerModel *model, const char *folder, int k) {
    char in_path[1024], out_path[1024];
    snprintf(in_path, sizeof in_path, "%s/%s.%d.in", folder, model->name, k);
    snprintf(out_path, sizeof out_path, "%s/%s.%d.out", folder, model->name, k);
    FILE *in = fopen(in_path, "rb");
    if (in == NULL) return 0;
    pid_t child = fork();
    if (child == 0) {
        alarm(SECONDS);
        exit(run(model, in, out_path));
    }
    fclose(in);
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("runner");
        exit(1);
    }
    report(model, k, status);
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: runner FOLDER\n");
        return 2;
    }
    for (const RunnerModel *model = RUNNER_MODELS; model->name != NULL; model++)
        for (int k = 0; run_data_set(model, argv[1], k); k++) continue;
    return 0;
}
