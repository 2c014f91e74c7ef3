/* Runs the three digit networks over the held-out digits and draws their attention maps, as text and as PNG files.
 *   digits FOLDER [PNG_FOLDER]      FOLDER: where test_images.npz lies */
#include "cbam.h"
#include "senet.h"
#include "vit.h"

#include "npz.h"

#include <stdalign.h>
#include <string.h>

#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#endif
#include <stb/stb_image_write.h>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

enum { SIDE = 8, PIXELS = SIDE * SIDE, CLASSES = 10, SHOWN = 21 /* the digit whose maps are drawn */ };

/* Where PNG files go, and which network is at work; what a probe's callback is given. */
typedef struct {
    const char *folder, *network;
} drawing;

/* Draws rows x columns values, scaled to the largest, as text and, enlarged, as a PNG file. */
static void draw(const drawing *to, const char *id, const char *part, const float *map, int rows, int columns) {
    static const char shades[] = " .:-=+*#%@";
    float least = map[0], most = map[0];
    for (int i = 1; i < rows * columns; i++) {
        if (map[i] < least) least = map[i];
        if (map[i] > most) most = map[i];
    }
    const float scale = most > least ? 1.0f / (most - least) : 0.0f;
    printf("  %s%s, %d x %d, from %.4f to %.4f\n", id, part, rows, columns, (double)least, (double)most);
    for (int y = 0; y < rows; y++) {
        printf("    |");
        for (int x = 0; x < columns; x++) {
            const char shade = shades[(int)((map[y * columns + x] - least) * scale * 9.0f + 0.5f)];
            printf("%c%c", shade, shade);
        }
        printf("|\n");
    }
    if (to->folder == NULL) return;
    enum { ZOOM = 12, LARGEST = 64 };
    static unsigned char pixels[LARGEST * ZOOM * LARGEST * ZOOM];
    if (rows > LARGEST || columns > LARGEST) return;
    for (int y = 0; y < rows * ZOOM; y++)
        for (int x = 0; x < columns * ZOOM; x++)
            pixels[y * columns * ZOOM + x] =
                (unsigned char)((map[y / ZOOM * columns + x / ZOOM] - least) * scale * 255.0f + 0.5f);
    char path[1024];
    snprintf(path, sizeof path, "%s/%s_%s%s.png", to->folder, to->network, id, part);
    if (!stbi_write_png(path, columns * ZOOM, rows * ZOOM, 1, pixels, columns * ZOOM)) perror(path);
}

/* A map by the number of its axes: gates [N C] as rows of 16, maps [N H W] and [N 1 H W] as they are, attention
 * [N H Lq Lk] by the first query (the class token), the other tokens laid out on their grid, a head at a time. */
static void show(const drawing *to, const char *id, int rank, const int32_t *dims, const float *data) {
    if (rank == 2) {
        const int columns = dims[1] % 16 == 0 ? 16 : 10;
        draw(to, id, "", data, dims[1] / columns, columns);
    } else if (rank == 3) {
        draw(to, id, "", data, dims[1], dims[2]);
    } else if (rank == 4 && dims[1] == 1) {
        draw(to, id, "", data, dims[2], dims[3]);
    } else if (rank == 4) {
        int side = 1;
        while ((side + 1) * (side + 1) <= dims[3] - 1) side++;
        for (int head = 0; head < dims[1]; head++) {
            char part[32];
            snprintf(part, sizeof part, "_head%d", head);
            draw(to, id, part, data + head * dims[2] * dims[3] + 1, side, side);
        }
    }
}

/* What the generated functions of each network have in common, under one face. */
#define NETWORK(name, NAME)                                                                                            \
    static void name##_on_probe(void *user, const name##_probe *probe, const void *data) {                             \
        show((const drawing *)user, probe->id, probe->rank, probe->dims, (const float *)data);                         \
    }                                                                                                                  \
    static int name##_classify(const float *image, drawing *to, float *logits) {                                       \
        static alignas(NAME##_ALIGNMENT) unsigned char workspace[NAME##_WORKSPACE];                                    \
        name##_context context = {.workspace = workspace};                                                             \
        if (to != NULL) {                                                                                              \
            context.on_probe = name##_on_probe;                                                                        \
            context.on_probe_user = to;                                                                                \
        }                                                                                                              \
        return name##_run(&context, image, logits) == NAME##_OK;                                                       \
    }
NETWORK(senet, SENET)
NETWORK(cbam, CBAM)
NETWORK(vit, VIT)

static const struct {
    const char *name;
    long workspace;
    int (*classify)(const float *image, drawing *to, float *logits);
} networks[] = {
    {"senet", SENET_WORKSPACE, senet_classify},
    {"cbam", CBAM_WORKSPACE, cbam_classify},
    {"vit", VIT_WORKSPACE, vit_classify},
};

static int best(const float *logits) {
    int found = 0;
    for (int i = 1; i < CLASSES; i++)
        if (logits[i] > logits[found]) found = i;
    return found;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: digits FOLDER [PNG_FOLDER]\n");
        return 2;
    }
    char path[1024];
    snprintf(path, sizeof path, "%s/test_images.npz", argv[1]);
    npz_file file;
    const char *const wrong = npz_read(path, &file);
    const npz_array *const images = wrong != NULL ? NULL : npz_find(&file, "images");
    const npz_array *const labels = wrong != NULL ? NULL : npz_find(&file, "labels");
    if (images == NULL || labels == NULL || images->count != labels->count * PIXELS || labels->count <= SHOWN) {
        fprintf(stderr, "%s: %s\n", path, wrong != NULL ? wrong : "it holds no digits");
        return 1;
    }
    const int count = (int)labels->count;
    for (size_t n = 0; n < sizeof networks / sizeof *networks; n++) {
        int right = 0;
        float image[PIXELS], logits[CLASSES];
        for (int i = 0; i < count; i++) {
            int64_t label;
            memcpy(image, images->data + (size_t)i * sizeof image, sizeof image);
            memcpy(&label, labels->data + (size_t)i * sizeof label, sizeof label);
            if (!networks[n].classify(image, NULL, logits)) return 1;
            right += best(logits) == label;
        }
        printf("%s: %d of %d held-out digits right, %.2f %%; workspace %ld bytes\n", networks[n].name, right, count,
               100.0 * right / count, networks[n].workspace);
        drawing to = {argc > 2 ? argv[2] : NULL, networks[n].name};
        memcpy(image, images->data + (size_t)SHOWN * sizeof image, sizeof image);
        if (n == 0) draw(&to, "digit", "", image, SIDE, SIDE);
        if (!networks[n].classify(image, &to, logits)) return 1;
        printf("  %s says %d\n", networks[n].name, best(logits));
    }
    npz_free(&file);
    return 0;
}
