/* Random tensors for tests of kernels. See numbers.h. */
#include "support/numbers.h"

#include "base/text.h"

double *random_numbers(Random *random, Arena *arena, int64_t count) {
    double *numbers = arena_new_array(arena, double, (size_t)count);
    for (int64_t i = 0; i < count; i++) numbers[i] = ((double)random_below(random, 32) - 16) / 8;
    return numbers;
}

float *random_floats(Random *random, Arena *arena, int64_t count) {
    const double *numbers = random_numbers(random, arena, count);
    float *floats = arena_new_array(arena, float, (size_t)count);
    for (int64_t i = 0; i < count; i++) floats[i] = (float)numbers[i];
    return floats;
}

int random_between(Random *random, int from, int to) {
    return from + (int)random_below(random, (uint64_t)(to - from + 1));
}

Type random_float_type(Random *random) {
    static const Type types[] = {TYPE_FLOAT, TYPE_DOUBLE, TYPE_FLOAT16, TYPE_BFLOAT16};
    return types[random_below(random, 4)];
}

double type_tolerance(Type type) {
    return type == TYPE_DOUBLE ? 1e-12 : type == TYPE_FLOAT ? 1e-5 : type == TYPE_FLOAT16 ? 2e-3 : 1e-2;
}

const char *dims_text(Arena *arena, int rank, const int64_t *dims) {
    Text text = text_new(arena);
    for (int i = 0; i < rank; i++) text_printf(&text, "%s%lld", i == 0 ? "" : "x", (long long)dims[i]);
    return text.data;
}

int64_t dims_count(int rank, const int64_t *dims) {
    int64_t count = 1;
    for (int i = 0; i < rank; i++) count *= dims[i];
    return count;
}
