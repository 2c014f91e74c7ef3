/* The loops and kernels that move elements, against walks over indices as ONNX writes them down: random shapes, types,
 * axes and indices, those out of range among them. */
#include "support/one_node.h"
#include "support/test.h"

#include "runtime/support.h"

#include <math.h>
#include <string.h>

enum { NEWEST = 28, ROUNDS = 150, MOST = 20000 };

typedef struct {
    Random *random;
    OneNode *one;
    const Tensor *given[4]; /* the run-time inputs, in order */
    int count;
} Trial;

static int between(Random *random, int least, int most) {
    return least + (int)random_below(random, (uint64_t)(most - least + 1));
}

static Trial trial_new(Random *random, const char *op, int outputs) {
    return (Trial){.random = random, .one = one_node(op, NEWEST, outputs)};
}

static Shape random_shape(Random *random, int least_rank, int most_rank, int least_size) {
    Shape shape = {.rank = between(random, least_rank, most_rank)};
    for (int d = 0; d < shape.rank; d++) shape.dims[d] = dim_known(between(random, least_size, 4));
    return shape;
}

static Type random_type(Random *random) {
    static const Type types[] = {TYPE_FLOAT, TYPE_DOUBLE, TYPE_FLOAT16, TYPE_BFLOAT16,
                                 TYPE_INT8,  TYPE_UINT8,  TYPE_INT32,   TYPE_INT64};
    return types[random_below(random, sizeof types / sizeof *types)];
}

static void set(Tensor *tensor, int64_t i, int64_t number) {
    switch (tensor->type) {
    case TYPE_FLOAT: ((float *)tensor->data)[i] = (float)number; break;
    case TYPE_DOUBLE: ((double *)tensor->data)[i] = (double)number; break;
    case TYPE_FLOAT16: ((uint16_t *)tensor->data)[i] = f16_from_f32((float)number); break;
    case TYPE_BFLOAT16: ((uint16_t *)tensor->data)[i] = bf16_from_f32((float)number); break;
    default: { /* little endian */
        int bytes = type_info(tensor->type)->bytes;
        memcpy((char *)tensor->data + i * bytes, &number, (size_t)bytes);
    }
    }
}

/* A run-time input of random whole numbers in [least, most]. */
static Tensor *give(Trial *trial, Type type, const Shape *shape, int least, int most) {
    Arena *arena = trial->one->arena;
    Tensor *tensor = tensor_new(arena, type, shape);
    for (int64_t i = 0; i < tensor_count(tensor); i++) set(tensor, i, between(trial->random, least, most));
    one_input(trial->one, type, "*")->shape = *shape;
    trial->given[trial->count++] = tensor;
    return tensor;
}

static const Tensor *run(Trial *trial) {
    one_node_run(trial->one, trial->given);
    assert_string_equal(trial->one->messages, "");
    return trial->one->node->outputs.items[0]->constant;
}

/* Checks the result against numbers, and frees. */
static void check(Trial *trial, const Tensor *result, const double *expected) {
    for (int64_t i = 0; i < tensor_count(result); i++) {
        if (tensor_number(result, i) != expected[i])
            print_error("%s of %s: element %d is %g, expected %g\n", trial->one->node->op_type,
                        type_info(result->type)->name, (int)i, tensor_number(result, i), expected[i]);
        assert_true(tensor_number(result, i) == expected[i]);
    }
    one_node_free(trial->one);
}

/* The index in each dimension of element i, and the element at such indices. */
static void indices_of(const Shape *shape, int64_t i, int64_t *at) {
    for (int d = shape->rank - 1; d >= 0; d--) {
        at[d] = i % shape->dims[d].size;
        i /= shape->dims[d].size;
    }
}

static int64_t element_at(const Shape *shape, const int64_t *at) {
    int64_t i = 0;
    for (int d = 0; d < shape->rank; d++) i = i * shape->dims[d].size + at[d];
    return i;
}

static int64_t bounded(int64_t index, int64_t size) {
    if (index < 0) index += size;
    return index < 0 ? 0 : index >= size ? size - 1 : index;
}

static void transpose_agrees(void **state) {
    (void)state;
    Random random = random_new();
    for (int round = 0; round < ROUNDS; round++) {
        Trial trial = trial_new(&random, "Transpose", 1);
        Shape shape = random_shape(&random, 1, 6, 0);
        int64_t permutation[MAX_RANK], at[MAX_RANK], from[MAX_RANK];
        for (int d = 0; d < shape.rank; d++) {
            int other = between(&random, 0, d);
            permutation[d] = permutation[other], permutation[other] = d;
        }
        const Tensor *x = give(&trial, random_type(&random), &shape, -9, 99);
        node_set_ints(trial.one->node, "perm", permutation, shape.rank);
        const Tensor *y = run(&trial);
        double expected[MOST];
        for (int64_t i = 0; i < tensor_count(y); i++) {
            indices_of(&y->shape, i, at);
            for (int d = 0; d < shape.rank; d++) from[permutation[d]] = at[d];
            expected[i] = tensor_number(x, element_at(&shape, from));
        }
        check(&trial, y, expected);
    }
}

static void tile_and_expand_agree(void **state) {
    (void)state;
    Random random = random_new();
    for (int round = 0; round < ROUNDS; round++) {
        bool tiles = round % 2;
        Trial trial = trial_new(&random, tiles ? "Tile" : "Expand", 1);
        Shape shape = random_shape(&random, 1, 4, 1);
        int64_t sizes[MAX_RANK], at[MAX_RANK];
        for (int d = 0; d < shape.rank; d++) {
            sizes[d] = between(&random, tiles ? 0 : 1, 3);
            if (!tiles && shape.dims[d].size != 1) sizes[d] = random_below(&random, 2) ? 1 : shape.dims[d].size;
        }
        const Tensor *x = give(&trial, random_type(&random), &shape, -9, 99);
        one_ints(trial.one, shape.rank, sizes);
        const Tensor *y = run(&trial);
        double expected[MOST];
        for (int64_t i = 0; i < tensor_count(y); i++) {
            indices_of(&y->shape, i, at);
            for (int d = 0; d < shape.rank; d++) at[d] %= shape.dims[d].size;
            expected[i] = tensor_number(x, element_at(&shape, at));
        }
        check(&trial, y, expected);
    }
}

/* The indices that python's range() gives, once start and end are clamped as Slice does. */
static void slice_agrees(void **state) {
    (void)state;
    Random random = random_new();
    for (int round = 0; round < ROUNDS; round++) {
        Trial trial = trial_new(&random, "Slice", 1);
        Shape shape = random_shape(&random, 1, 4, 1);
        const Tensor *x = give(&trial, random_type(&random), &shape, -9, 99);
        int64_t starts[MAX_RANK], ends[MAX_RANK], steps[MAX_RANK], first[MAX_RANK], at[MAX_RANK];
        for (int d = 0; d < shape.rank; d++) {
            int64_t size = shape.dims[d].size;
            starts[d] = between(&random, -6, 6), ends[d] = between(&random, -6, 6);
            steps[d] = between(&random, 1, 3) * (random_below(&random, 2) ? 1 : -1);
            first[d] = starts[d] < 0 ? starts[d] + size : starts[d];
            int64_t last = steps[d] > 0 ? size : size - 1;
            first[d] = first[d] < 0 ? 0 : first[d] > last ? last : first[d];
        }
        one_ints(trial.one, shape.rank, starts);
        one_ints(trial.one, shape.rank, ends);
        one_left_out(trial.one);
        one_ints(trial.one, shape.rank, steps);
        const Tensor *y = run(&trial);
        for (int d = 0; d < shape.rank; d++) {
            int64_t count = 0, end = ends[d] < 0 ? ends[d] + shape.dims[d].size : ends[d];
            for (int64_t i = first[d]; i >= 0 && i < shape.dims[d].size && (steps[d] > 0 ? i < end : i > end);
                 i += steps[d])
                count++;
            assert_int_equal(y->shape.dims[d].size, count);
        }
        double expected[MOST];
        for (int64_t i = 0; i < tensor_count(y); i++) {
            indices_of(&y->shape, i, at);
            for (int d = 0; d < shape.rank; d++) at[d] = first[d] + at[d] * steps[d];
            expected[i] = tensor_number(x, element_at(&shape, at));
        }
        check(&trial, y, expected);
    }
}

static void gather_agrees(void **state) {
    (void)state;
    Random random = random_new();
    for (int round = 0; round < ROUNDS; round++) {
        Trial trial = trial_new(&random, "Gather", 1);
        Shape shape = random_shape(&random, 1, 4, 1), places = random_shape(&random, 0, 3, 0);
        int axis = between(&random, 0, shape.rank - 1);
        const Tensor *x = give(&trial, random_type(&random), &shape, -9, 99);
        const Tensor *indices = give(&trial, round % 2 ? TYPE_INT32 : TYPE_INT64, &places, -6, 6);
        node_set_int(trial.one->node, "axis", axis - shape.rank);
        const Tensor *y = run(&trial);
        double expected[MOST];
        for (int64_t i = 0; i < tensor_count(y); i++) {
            int64_t at[MAX_RANK], from[MAX_RANK];
            indices_of(&y->shape, i, at);
            for (int d = 0; d < shape.rank; d++)
                if (d != axis) from[d] = at[d < axis ? d : d + places.rank - 1];
            from[axis] = bounded(tensor_int(indices, element_at(&places, at + axis)), shape.dims[axis].size);
            expected[i] = tensor_number(x, element_at(&shape, from));
        }
        check(&trial, y, expected);
    }
}

/* A shape that is no larger than another one off the axis. */
static Shape smaller_shape(Random *random, const Shape *shape, int axis) {
    Shape smaller = *shape;
    for (int d = 0; d < shape->rank; d++)
        if (d == axis) smaller.dims[d] = dim_known(between(random, 0, 5));
        else if (random_below(random, 2)) smaller.dims[d] = dim_known(between(random, 1, (int)shape->dims[d].size));
    return smaller;
}

static void gather_elements_agrees(void **state) {
    (void)state;
    Random random = random_new();
    for (int round = 0; round < ROUNDS; round++) {
        Trial trial = trial_new(&random, "GatherElements", 1);
        Shape shape = random_shape(&random, 1, 4, 1);
        int axis = between(&random, 0, shape.rank - 1);
        Shape places = smaller_shape(&random, &shape, axis);
        const Tensor *x = give(&trial, random_type(&random), &shape, -9, 99);
        const Tensor *indices = give(&trial, round % 2 ? TYPE_INT32 : TYPE_INT64, &places, -6, 6);
        node_set_int(trial.one->node, "axis", axis);
        const Tensor *y = run(&trial);
        double expected[MOST];
        for (int64_t i = 0; i < tensor_count(y); i++) {
            int64_t at[MAX_RANK];
            indices_of(&places, i, at);
            at[axis] = bounded(tensor_int(indices, i), shape.dims[axis].size);
            expected[i] = tensor_number(x, element_at(&shape, at));
        }
        check(&trial, y, expected);
    }
}

static void gather_nd_agrees(void **state) {
    (void)state;
    Random random = random_new();
    for (int round = 0; round < ROUNDS; round++) {
        Trial trial = trial_new(&random, "GatherND", 1);
        Shape shape = random_shape(&random, 1, 4, 1);
        int batch = between(&random, 0, shape.rank - 1), depth = between(&random, 1, shape.rank - batch);
        Shape places = {.rank = batch};
        for (int d = 0; d < batch; d++) places.dims[d] = shape.dims[d];
        for (int more = between(&random, 0, 2); more > 0; more--)
            places.dims[places.rank++] = dim_known(between(&random, 0, 3));
        places.dims[places.rank++] = dim_known(depth);
        const Tensor *x = give(&trial, random_type(&random), &shape, -9, 99);
        const Tensor *indices = give(&trial, TYPE_INT64, &places, -6, 6);
        node_set_int(trial.one->node, "batch_dims", batch);
        const Tensor *y = run(&trial);
        double expected[MOST];
        for (int64_t i = 0; i < tensor_count(y); i++) {
            int64_t at[MAX_RANK], from[MAX_RANK], tuple;
            indices_of(&y->shape, i, at);
            Shape outer = places;
            outer.rank--;
            tuple = element_at(&outer, at) * depth;
            for (int d = 0; d < batch; d++) from[d] = at[d];
            for (int d = 0; d < depth; d++)
                from[batch + d] = bounded(tensor_int(indices, tuple + d), shape.dims[batch + d].size);
            for (int d = batch + depth; d < shape.rank; d++) from[d] = at[outer.rank + d - batch - depth];
            expected[i] = tensor_number(x, element_at(&shape, from));
        }
        check(&trial, y, expected);
    }
}

static const char *const reductions[] = {"none", "add", "mul", "max", "min"};

static double reduced(const char *reduction, double old, double update) {
    switch (reduction[1]) {
    case 'd': return old + update;
    case 'u': return old * update;
    case 'a': return fmax(old, update);
    case 'i': return fmin(old, update);
    default: return update;
    }
}

static void scatter_elements_agrees(void **state) {
    (void)state;
    Random random = random_new();
    for (int round = 0; round < ROUNDS; round++) {
        const char *reduction = reductions[round % 5];
        Trial trial = trial_new(&random, "ScatterElements", 1);
        Shape shape = random_shape(&random, 1, 4, 1);
        int axis = between(&random, 0, shape.rank - 1);
        Shape places = smaller_shape(&random, &shape, axis);
        Type type = random_type(&random);
        const Tensor *x = give(&trial, type, &shape, 0, 1);
        const Tensor *indices = give(&trial, round % 2 ? TYPE_INT32 : TYPE_INT64, &places, -6, 6);
        const Tensor *updates = give(&trial, type, &places, 0, 1); /* so that no product or sum is rounded or wraps */
        node_set_int(trial.one->node, "axis", axis);
        node_set_string(trial.one->node, "reduction", reduction);
        const Tensor *y = run(&trial);
        double expected[MOST];
        for (int64_t i = 0; i < tensor_count(x); i++) expected[i] = tensor_number(x, i);
        for (int64_t i = 0; i < tensor_count(updates); i++) {
            int64_t at[MAX_RANK];
            indices_of(&places, i, at);
            at[axis] = bounded(tensor_int(indices, i), shape.dims[axis].size);
            double *place = &expected[element_at(&shape, at)];
            *place = reduced(reduction, *place, tensor_number(updates, i));
        }
        check(&trial, y, expected);
    }
}

static void scatter_nd_agrees(void **state) {
    (void)state;
    Random random = random_new();
    for (int round = 0; round < ROUNDS; round++) {
        const char *reduction = reductions[round % 5];
        Trial trial = trial_new(&random, "ScatterND", 1);
        Shape shape = random_shape(&random, 1, 4, 1), places = random_shape(&random, 1, 3, 0), update_shape = places;
        int depth = between(&random, 1, shape.rank);
        places.dims[places.rank - 1] = dim_known(depth);
        update_shape.rank--;
        for (int d = depth; d < shape.rank; d++) update_shape.dims[update_shape.rank++] = shape.dims[d];
        Type type = random_type(&random);
        const Tensor *x = give(&trial, type, &shape, 0, 1);
        const Tensor *indices = give(&trial, TYPE_INT64, &places, -6, 6);
        const Tensor *updates = give(&trial, type, &update_shape, 0, 1);
        node_set_string(trial.one->node, "reduction", reduction);
        const Tensor *y = run(&trial);
        double expected[MOST];
        int64_t block = shape_product(&shape, depth, shape.rank);
        for (int64_t i = 0; i < tensor_count(x); i++) expected[i] = tensor_number(x, i);
        for (int64_t i = 0; i < tensor_count(updates); i++) {
            int64_t at = 0;
            for (int d = 0; d < depth; d++)
                at = at * shape.dims[d].size + bounded(tensor_int(indices, i / block * depth + d), shape.dims[d].size);
            double *place = &expected[at * block + i % block];
            *place = reduced(reduction, *place, tensor_number(updates, i));
        }
        check(&trial, y, expected);
    }
}

static void one_hot_agrees(void **state) {
    (void)state;
    Random random = random_new();
    for (int round = 0; round < ROUNDS; round++) {
        Trial trial = trial_new(&random, "OneHot", 1);
        Shape places = random_shape(&random, 0, 3, 1), pair = shape_of(1, (int64_t[]){2});
        int axis = between(&random, 0, places.rank), depth = between(&random, 1, 5);
        static const Type types[] = {TYPE_INT64, TYPE_INT32, TYPE_FLOAT, TYPE_INT8, TYPE_DOUBLE};
        const Tensor *indices = give(&trial, types[round % 5], &places, -8, 8);
        one_ints(trial.one, 1, (int64_t[]){depth});
        trial.count++;
        const Tensor *values = give(&trial, random_type(&random), &pair, 0, 9);
        node_set_int(trial.one->node, "axis", axis);
        const Tensor *y = run(&trial);
        double expected[MOST];
        for (int64_t i = 0; i < tensor_count(y); i++) {
            int64_t at[MAX_RANK], class;
            indices_of(&y->shape, i, at);
            class = at[axis];
            for (int d = axis; d < places.rank; d++) at[d] = at[d + 1];
            double index = tensor_number(indices, element_at(&places, at));
            expected[i] = tensor_number(values, index == (double)class || index + depth == (double)class);
        }
        check(&trial, y, expected);
    }
}

static void triangles_agree(void **state) {
    (void)state;
    Random random = random_new();
    for (int round = 0; round < ROUNDS; round++) {
        Trial trial = trial_new(&random, "Trilu", 1);
        Shape shape = random_shape(&random, 2, 4, 0), scalar = {0};
        bool upper = round % 2;
        const Tensor *x = give(&trial, random_type(&random), &shape, 1, 99),
                     *k = give(&trial, TYPE_INT64, &scalar, -5, 5);
        node_set_int(trial.one->node, "upper", upper);
        const Tensor *y = run(&trial);
        double expected[MOST];
        for (int64_t i = 0; i < tensor_count(y); i++) {
            int64_t at[MAX_RANK];
            indices_of(&shape, i, at);
            int64_t right = at[shape.rank - 1] - at[shape.rank - 2] - tensor_int(k, 0);
            expected[i] = (upper ? right >= 0 : right <= 0) ? tensor_number(x, i) : 0;
        }
        check(&trial, y, expected);
    }
}

static void reverse_sequence_agrees(void **state) {
    (void)state;
    Random random = random_new();
    for (int round = 0; round < ROUNDS; round++) {
        Trial trial = trial_new(&random, "ReverseSequence", 1);
        Shape shape = random_shape(&random, 2, 4, 1);
        int batch = round % 2, time = 1 - batch;
        Shape sequences = {.rank = 1, .dims = {shape.dims[batch]}};
        const Tensor *x = give(&trial, random_type(&random), &shape, -9, 99);
        const Tensor *lengths = give(&trial, TYPE_INT64, &sequences, -2, 6);
        node_set_int(trial.one->node, "batch_axis", batch);
        node_set_int(trial.one->node, "time_axis", time);
        const Tensor *y = run(&trial);
        double expected[MOST];
        for (int64_t i = 0; i < tensor_count(y); i++) {
            int64_t at[MAX_RANK];
            indices_of(&shape, i, at);
            int64_t length = tensor_int(lengths, at[batch]), steps = shape.dims[time].size;
            length = length > steps ? steps : length;
            if (at[time] < length) at[time] = length - 1 - at[time];
            expected[i] = tensor_number(x, element_at(&shape, at));
        }
        check(&trial, y, expected);
    }
}

/* By rank: element i comes after all that are better, or equal and before it. NaN is better than all others where
 * large numbers are wanted, worse where small ones are. */
static bool better(double a, double b, bool largest) {
    if (isnan(a) || isnan(b)) return largest ? isnan(a) && !isnan(b) : isnan(b) && !isnan(a);
    return largest ? a > b : a < b;
}

static void top_k_agrees(void **state) {
    (void)state;
    Random random = random_new();
    for (int round = 0; round < ROUNDS; round++) {
        Trial trial = trial_new(&random, "TopK", 2);
        Shape shape = random_shape(&random, 1, 4, 1);
        int axis = between(&random, 0, shape.rank - 1), size = (int)shape.dims[axis].size,
            k = between(&random, 0, size);
        bool largest = round % 2;
        Tensor *x = give(&trial, random_type(&random), &shape, 0, 3);
        if (x->type == TYPE_FLOAT) ((float *)x->data)[random_below(&random, (uint64_t)tensor_count(x))] = NAN;
        one_ints(trial.one, 1, (int64_t[]){k});
        node_set_int(trial.one->node, "axis", axis);
        node_set_int(trial.one->node, "largest", largest);
        const Tensor *y = run(&trial), *indices = trial.one->node->outputs.items[1]->constant;
        for (int64_t i = 0; i < tensor_count(x); i++) {
            int64_t at[MAX_RANK], rank = 0;
            indices_of(&shape, i, at);
            int64_t mine = at[axis];
            double value = tensor_number(x, i);
            for (int64_t other = 0; other < size; other++) {
                at[axis] = other;
                double its = tensor_number(x, element_at(&shape, at));
                rank += better(its, value, largest) || (other < mine && !better(value, its, largest));
            }
            if (rank >= k) continue;
            at[axis] = rank;
            int64_t place = element_at(&y->shape, at);
            assert_int_equal(tensor_int(indices, place), mine);
            double found = tensor_number(y, place);
            assert_true(found == value || (isnan(found) && isnan(value)));
        }
        one_node_free(trial.one);
    }
}

static void cache_update_agrees(void **state) {
    (void)state;
    Random random = random_new();
    for (int round = 0; round < ROUNDS; round++) {
        Trial trial = trial_new(&random, "TensorScatter", 1);
        Shape shape = random_shape(&random, 2, 4, 1), update_shape = shape;
        int axis = between(&random, 1, shape.rank - 1), capacity = (int)shape.dims[axis].size;
        int length = between(&random, 0, capacity);
        bool circular = round % 2;
        update_shape.dims[axis] = dim_known(length);
        Shape starts_shape = {.rank = 1, .dims = {shape.dims[0]}};
        Type type = random_type(&random);
        const Tensor *cache = give(&trial, type, &shape, 0, 9), *update = give(&trial, type, &update_shape, 10, 99);
        const Tensor *starts = give(&trial, TYPE_INT64, &starts_shape, -9, 9);
        node_set_int(trial.one->node, "axis", axis);
        node_set_string(trial.one->node, "mode", circular ? "circular" : "linear");
        const Tensor *y = run(&trial);
        double expected[MOST];
        for (int64_t i = 0; i < tensor_count(cache); i++) expected[i] = tensor_number(cache, i);
        for (int64_t i = 0; i < tensor_count(update); i++) {
            int64_t at[MAX_RANK], start;
            indices_of(&update_shape, i, at);
            start = tensor_int(starts, at[0]);
            if (!circular) start = start < 0 ? 0 : start > capacity - length ? capacity - length : start;
            at[axis] = ((start + at[axis]) % capacity + capacity) % capacity;
            expected[element_at(&shape, at)] = tensor_number(update, i);
        }
        check(&trial, y, expected);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transpose_agrees),
        cmocka_unit_test(tile_and_expand_agree),
        cmocka_unit_test(slice_agrees),
        cmocka_unit_test(gather_agrees),
        cmocka_unit_test(gather_elements_agrees),
        cmocka_unit_test(gather_nd_agrees),
        cmocka_unit_test(scatter_elements_agrees),
        cmocka_unit_test(scatter_nd_agrees),
        cmocka_unit_test(one_hot_agrees),
        cmocka_unit_test(triangles_agree),
        cmocka_unit_test(reverse_sequence_agrees),
        cmocka_unit_test(top_k_agrees),
        cmocka_unit_test(cache_update_agrees),
    };
    return cmocka_run_group_tests_name("movement", tests, NULL, NULL);
}
