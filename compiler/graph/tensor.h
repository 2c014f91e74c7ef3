/* Shapes and tensors: what a value looks like, and the data of those that are known at compile time.
 * A dimension may be unknown; then it has a symbol (the model's "batch") or is anonymous. */
#ifndef FOVEA_GRAPH_TENSOR_H
#define FOVEA_GRAPH_TENSOR_H

#include "base/arena.h"
#include "graph/types.h"

enum { MAX_RANK = 8 };

typedef struct {
    int64_t size;       /* -1: unknown */
    const char *symbol; /* of an unknown one; NULL: anonymous */
} Dim;

typedef struct {
    int rank; /* -1: unknown */
    Dim dims[MAX_RANK];
    bool channels_last; /* dimension 1 is the innermost one in memory: what is [N C H W] lies as [N H W C] */
} Shape;

typedef struct {
    Type type;
    Shape shape; /* fully known */
    void *data;  /* row-major, shape_count() elements of type_info(type)->bytes; strings are const char * */
} Tensor;

static const Shape SHAPE_UNKNOWN = {.rank = -1};
static inline Dim dim_known(int64_t size) { return (Dim){size, NULL}; }
static inline bool dim_equal(Dim a, Dim b) {
    return a.size == b.size && (a.size >= 0 || (a.symbol != NULL && a.symbol == b.symbol));
}

Shape shape_of(int rank, const int64_t *dims);
bool shape_is_known(const Shape *shape);
bool shape_equal(const Shape *a, const Shape *b);     /* unknown dimensions are equal if they share a symbol */
bool shape_may_equal(const Shape *a, const Shape *b); /* the same rank, and no dimension that is known to differ */
/* Whether it makes a difference if a value of this shape lies with its channels last. */
bool shape_has_layout(const Shape *shape);
/* The number of elements of a known shape. Fails where it is above INT32_MAX: generated code counts in int. */
int64_t shape_count(const Shape *shape);
/* The product of dims [from, to) of a known shape. */
int64_t shape_product(const Shape *shape, int from, int to);
/* "[1,3,224,224]", "[batch,?]", "[...]" for an unknown rank. */
const char *shape_text(Arena *arena, const Shape *shape);

Tensor *tensor_new(Arena *arena, Type type, const Shape *shape); /* zeroed */
int64_t tensor_count(const Tensor *tensor);
size_t tensor_bytes(const Tensor *tensor);
/* Element i as a number. Any numeric or boolean type; int64 loses nothing in tensor_int. */
double tensor_number(const Tensor *tensor, int64_t i);
int64_t tensor_int(const Tensor *tensor, int64_t i);
/* Sets element i of a tensor of 16 bit floats, floats or doubles, rounded once. */
void tensor_set(Tensor *tensor, int64_t i, double number);
/* A one-dimensional int64 tensor, and a scalar of any type that tensor_set() takes. */
Tensor *tensor_ints(Arena *arena, const int64_t *values, int count);
Tensor *tensor_scalar(Arena *arena, Type type, double number);

#endif
