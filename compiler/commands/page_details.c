/* Page details: options and small files become JSON.
 * An input is taken for a picture where its shape says so: one or three channels, in front or behind. */
#include "commands/page_details.h"

#include "base/file.h"
#include "base/text.h"
#include "commands/model.h"
#include "emit/manifest.h"
#include "graph/npz.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const COLOURS[] = {"rgb", "bgr", "gray", NULL}, *const FITS[] = {"crop", "stretch", NULL};

int page_details_rows(PageDetails *details, Option *rows, int count) {
    const Option own[PAGE_DETAILS_ROWS] = {
        {OPTION_LIST, '\0', "image", "FILE", "a picture to choose in the page: PNG, JPEG, WebP or GIF; may be repeated",
         &details->pictures},
        {OPTION_TEXT, '\0', "samples", "IN.npz",
         "inputs to choose in the page, named as in the model; the first dimension may count several",
         &details->samples},
        {OPTION_TEXT, '\0', "reference", "PROBES.npz",
         "what PyTorch has of the first sample; the page tells how near its own maps are", &details->reference},
        {OPTION_TEXT, '\0', "labels", "FILE", "what classes are called, one on each line", &details->labels},
        {OPTION_TEXT, '\0', "preprocess", "FILE.json", "mean, std, colour, fit and white, as below",
         &details->preprocess},
        {OPTION_TEXT, '\0', "mean", "A,B,C", "subtracted from each channel (0)", &details->mean},
        {OPTION_TEXT, '\0', "std", "A,B,C", "what each channel is then divided by (1)", &details->std},
        {OPTION_TEXT, '\0', "colour", "ORDER", "rgb (of three channels the default), bgr or gray (of one)",
         &details->colour},
        {OPTION_TEXT, '\0', "fit", "HOW", "crop the middle of a picture (default), or stretch it", &details->fit},
        {OPTION_NUMBER, '\0', "white", "N", "what white is before mean and std (1)", &details->white},
    };
    memcpy(rows + count, own, sizeof own);
    return count + PAGE_DETAILS_ROWS;
}

static json_t *base64(Arena *arena, const void *bytes, size_t size) {
    Text text = text_new(arena);
    text_add_base64(&text, bytes, size);
    return json_stringn(text.data, text.length);
}

static json_t *array(Arena *arena, const Tensor *tensor) {
    return json_pack("{s:s, s:o, s:o}", "type", type_info(tensor->type)->name, "shape", manifest_shape(&tensor->shape),
                     "data", base64(arena, tensor->data, tensor_bytes(tensor)));
}

/* Adds an array under its name, as the manifest has it. */
static void add_array(Arena *arena, json_t *object, const char *name, const Tensor *tensor) {
    json_t *key = manifest_name(name); /* made UTF-8, as JSON's keys have to be */
    json_object_set_new(object, json_string_value(key), array(arena, tensor));
    json_decref(key);
}

static const char *media_type(const char *path, const unsigned char *bytes, size_t size) {
    if (size >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0) return "image/png";
    if (size >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0) return "image/jpeg";
    if (size >= 6 && (memcmp(bytes, "GIF87a", 6) == 0 || memcmp(bytes, "GIF89a", 6) == 0)) return "image/gif";
    if (size >= 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0) return "image/webp";
    fail(STATUS_INVALID, "--image %s: this is no PNG, JPEG, GIF or WebP file", quoted(path));
}

static json_t *pictures(Arena *arena, const StringList *paths) {
    enum { LARGEST = 64 << 20 };
    json_t *list = json_array();
    for (int i = 0; i < paths->count; i++) {
        size_t size;
        const char *bytes = file_read(arena, paths->items[i], LARGEST, &size);
        const char *type = media_type(paths->items[i], (const unsigned char *)bytes, size);
        json_array_append_new(list,
                              json_pack("{s:o, s:s, s:o}", "name", manifest_name(path_stem(arena, paths->items[i])),
                                        "type", type, "data", base64(arena, bytes, size)));
    }
    return list;
}

static json_t *labels(Arena *arena, const char *path) {
    enum { LARGEST = 16 << 20 };
    size_t size;
    const char *text = path == NULL ? "" : file_read(arena, path, LARGEST, &size);
    json_t *list = json_array();
    while (*text != '\0') {
        const size_t length = strcspn(text, "\r\n");
        if (length > 0) json_array_append_new(list, manifest_name(arena_printf(arena, "%.*s", (int)length, text)));
        text += length + (text[length] != '\0');
    }
    return list;
}

/* How many samples an array holds of an input, which has to fit: its shape, or that with another first dimension. */
static int64_t samples_of(Arena *arena, const Value *input, const Tensor *tensor) {
    const Shape *want = &input->shape, *got = &tensor->shape;
    bool fits = tensor->type == input->type && got->rank == want->rank;
    for (int d = 1; fits && d < want->rank; d++) fits = got->dims[d].size == want->dims[d].size;
    if (fits && want->rank == 0) return 1;
    if (fits && want->dims[0].size > 0 && got->dims[0].size % want->dims[0].size == 0)
        return got->dims[0].size / want->dims[0].size;
    fail(STATUS_INVALID, "--samples: the array %s is %s %s, the input %s %s", quoted(input->name),
         type_info(tensor->type)->name, shape_text(arena, got), type_info(input->type)->name, shape_text(arena, want));
}

/* A sample's array for an input. */
static Tensor sample_of(const Value *input, const Npz *arrays, int64_t number) {
    Tensor one = {.type = input->type, .shape = input->shape};
    one.data = (char *)npz_find(arrays, input->name)->data + (size_t)number * tensor_bytes(&one);
    return one;
}

static json_t *sample(Arena *arena, const Graph *graph, const Npz *arrays, int64_t number) {
    json_t *inputs = json_object();
    for (int i = 0; i < graph->inputs.count; i++) {
        const Value *input = graph->inputs.items[i];
        const Tensor one = sample_of(input, arrays, number);
        add_array(arena, inputs, input->name, &one);
    }
    return inputs;
}

static json_t *samples(Arena *arena, const char *path, const Graph *graph) {
    json_t *list = json_array();
    if (path == NULL) return list;
    const Npz arrays = npz_read(arena, path);
    int64_t count = -1;
    for (int i = 0; i < graph->inputs.count; i++) {
        const Value *input = graph->inputs.items[i];
        const Tensor *tensor = npz_find(&arrays, input->name);
        if (tensor == NULL) fail(STATUS_INVALID, "--samples: there is no array %s", quoted(input->name));
        const int64_t own = samples_of(arena, input, tensor);
        if (count >= 0 && own != count) fail(STATUS_INVALID, "--samples: the inputs have different numbers of samples");
        count = own;
    }
    for (int64_t i = 0; i < count; i++) json_array_append_new(list, sample(arena, graph, &arrays, i));
    return list;
}

static json_t *encoded(Arena *arena, const Npz *arrays) {
    json_t *object = json_object();
    for (int i = 0; i < arrays->count; i++) add_array(arena, object, arrays->items[i].key, arrays->items[i].tensor);
    return object;
}

static json_t *arrays_of(Arena *arena, const char *path) {
    if (path == NULL) return json_null();
    const Npz arrays = npz_read(arena, path);
    return encoded(arena, &arrays);
}

static bool one_of(const char *word, const char *const *words) {
    for (; *words != NULL; words++)
        if (strcmp(word, *words) == 0) return true;
    return false;
}

/* "0.5" or one number for each channel, separated by commas. */
static json_t *numbers(const char *option, const char *text) {
    json_t *list = json_array();
    for (const char *at = text;;) {
        char *end;
        const double number = strtod(at, &end);
        if (end == at || !isfinite(number) || (*end != '\0' && *end != ','))
            fail(STATUS_USAGE, "--%s %s: expected numbers with commas between", option, quoted(text));
        json_array_append_new(list, json_real(number));
        if (*end == '\0') break;
        at = end + 1;
    }
    return list;
}

/* What a picture is for a model: its one input of floats that has the shape of a picture. */
typedef struct {
    const Value *input;
    bool channels_last;
    int64_t channels, height, width;
} Picture;

static Picture picture_of(const Graph *graph) {
    Picture found = {0};
    for (int i = 0; i < graph->inputs.count; i++) {
        const Value *input = graph->inputs.items[i];
        const Dim *dims = input->shape.dims;
        if (input->shape.rank != 4 || dims[0].size != 1 || input->type != TYPE_FLOAT) continue;
        const bool in_front = dims[1].size == 1 || dims[1].size == 3, behind = dims[3].size == 1 || dims[3].size == 3;
        if (!in_front && !behind) continue;
        if (found.input != NULL) return (Picture){0}; /* which is it? */
        found = in_front ? (Picture){input, false, dims[1].size, dims[2].size, dims[3].size}
                         : (Picture){input, true, dims[3].size, dims[1].size, dims[2].size};
    }
    return found;
}

static void set_numbers(json_t *object, const char *name, const char *given, double otherwise, int64_t channels) {
    if (given != NULL) json_object_set_new(object, name, numbers(name, given));
    else if (json_object_get(object, name) == NULL) json_object_set_new(object, name, json_pack("[f]", otherwise));
    const json_t *list = json_object_get(object, name);
    const size_t count = json_array_size(list);
    if (count != 1 && count != (size_t)channels)
        fail(STATUS_USAGE, "%s: expected one number, or one for each of %lld channels", name, (long long)channels);
    for (size_t i = 0; i < count; i++)
        if (!json_is_number(json_array_get(list, i))) fail(STATUS_USAGE, "%s: expected numbers", name);
}

static void set_word(json_t *object, const char *name, const char *given, const char *otherwise,
                     const char *const *words) {
    if (given != NULL) json_object_set_new(object, name, manifest_name(given));
    else if (json_object_get(object, name) == NULL) json_object_set_new(object, name, json_string(otherwise));
    const char *word = json_string_value(json_object_get(object, name));
    if (word != NULL && one_of(word, words)) return;
    report(STATUS_USAGE, "--%s %s: that is none", name, quoted(word == NULL ? "" : word));
    for (; *words != NULL; words++) note("there is %s", *words);
    unwind(STATUS_USAGE);
}

static json_t *preprocessing(Arena *arena, const PageDetails *details) {
    enum { LARGEST = 1 << 20 };
    if (details->preprocess == NULL) return json_object();
    size_t size;
    json_error_t error;
    const char *text = file_read(arena, details->preprocess, LARGEST, &size);
    json_t *object = json_loadb(text, size, 0, &error);
    if (!json_is_object(object))
        fail(STATUS_INVALID, "--preprocess %s: %s", quoted(details->preprocess),
             object == NULL ? error.text : "expected an object");
    return object;
}

static json_t *picture(Arena *arena, const PageDetails *details, const Graph *graph) {
    const Picture it = picture_of(graph);
    if (it.input == NULL) return json_null();
    json_t *object = preprocessing(arena, details);
    set_numbers(object, "mean", details->mean, 0, it.channels);
    set_numbers(object, "std", details->std, 1, it.channels);
    set_word(object, "colour", details->colour, it.channels == 1 ? "gray" : "rgb", COLOURS);
    set_word(object, "fit", details->fit, "crop", FITS);
    if (details->white != 0) json_object_set_new(object, "white", json_real(details->white));
    else if (json_object_get(object, "white") == NULL) json_object_set_new(object, "white", json_real(1));
    json_object_set_new(object, "input", manifest_name(it.input->name));
    json_object_set_new(object, "layout", json_string(it.channels_last ? "NHWC" : "NCHW"));
    json_object_set_new(object, "channels", json_integer(it.channels));
    json_object_set_new(object, "height", json_integer(it.height));
    json_object_set_new(object, "width", json_integer(it.width));
    return object;
}

json_t *page_details(Arena *arena, const PageDetails *details, const Graph *graph) {
    if (details->reference != NULL && details->samples == NULL)
        fail(STATUS_USAGE, "--reference is of the first sample: give --samples too");
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "picture", picture(arena, details, graph), "pictures",
                     pictures(arena, &details->pictures), "labels", labels(arena, details->labels), "samples",
                     samples(arena, details->samples, graph), "reference", arrays_of(arena, details->reference));
}

void page_details_name_weights(json_t *details, const char *file) {
    json_object_set_new(details, "weights", manifest_name(file));
}

/* The inputs of a sample, back from what the page gets. */
static Npz inputs_of(Arena *arena, const PageDetails *details, const Graph *graph, int64_t number) {
    const Npz all = npz_read(arena, details->samples);
    Npz inputs = {0};
    for (int i = 0; i < graph->inputs.count; i++) {
        Tensor *one = arena_new_object(arena, Tensor);
        *one = sample_of(graph->inputs.items[i], &all, number);
        list_add(arena, &inputs, ((NpzEntry){graph->inputs.items[i]->name, one}));
    }
    return inputs;
}

int page_details_record(Arena *arena, json_t *json, const PageDetails *details, const Graph *graph,
                        Execution *execution) {
    json_t *recorded = json_array();
    const int count = (int)json_array_size(json_object_get(json, "samples"));
    for (int i = 0; i < count; i++) {
        const Npz inputs = inputs_of(arena, details, graph, i);
        Npz probes = {0};
        const Npz outputs = execution_run(execution, &inputs, &probes);
        json_array_append_new(
            recorded, json_pack("{s:o, s:o}", "outputs", encoded(arena, &outputs), "probes", encoded(arena, &probes)));
    }
    json_object_set_new(json, "recorded", recorded);
    return count;
}
