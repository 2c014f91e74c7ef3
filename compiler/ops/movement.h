/* Moves: what the operators that only move elements are written with.
 * A move copies elements from where one tensor has them to where another wants them, by strides; it becomes one loop
 * nest, or none where the elements stay where they are. */
#ifndef FOVEA_OPS_MOVEMENT_H
#define FOVEA_OPS_MOVEMENT_H

#include "ops/op.h"

/* A dimension of a tensor may be two of a move, as in Tile. */
enum { MOVE_RANK = 2 * MAX_RANK };

/* For all indices: to[to_offset + sum(index * to)] = from[from_offset + sum(index * from)]; {0} moves one element. */
typedef struct {
    int rank;
    int64_t extent[MOVE_RANK], from[MOVE_RANK], to[MOVE_RANK];
    int64_t from_offset, to_offset;
} Move;

/* Adds a dimension inside those that are there. Neighbours that are one are merged, those of extent 1 left out. */
void move_dimension(Move *move, int64_t extent, int64_t from, int64_t to);
/* Appends the loop nest; none where there is no element. Fails where it needs more than MAX_RANK loops. */
void move_buffers(Program *program, const Move *move, Buffer *from, Buffer *to);
/* The same for the whole of one value, which becomes a view where the move leaves every element in its place. */
void move_value(Program *program, const Move *move, const Value *from, const Value *to);
/* Copies all elements of a value into another one's buffer, to be changed there. */
void move_all(Program *program, const Value *from, const Value *to);
/* Sets every element of an output: to a scalar value's element, or to a number. */
void fill_value(Program *program, const Value *to, const Value *scalar);
void fill_number(Program *program, const Value *to, double number);

/* Whether an output has no elements, so that nothing is left to do: its buffer is made. */
bool is_empty(const Value *output);

/* Whether input i can be read while compiling: it is constant, or left out. */
bool input_is_readable(const Node *node, int input);
/* The rank that a one-dimensional input of sizes, axes and the like gives; -1 where that is not known. Fails where the
 * input has another rank than 1, or states more than MAX_RANK. */
int input_length(const Node *node, int input);
/* The one integer of a constant input. */
int64_t input_int(const Node *node, int input);
/* A shape of so many unknown dimensions; rank -1 gives SHAPE_UNKNOWN. */
Shape shape_open(int rank);
/* Appends a dimension; fails above MAX_RANK. */
void shape_append(const Node *node, Shape *shape, Dim dim);
/* Axes from attribute or input (see node_ints), each in [0, rank) and none twice; all axes where the node names none.
 * Returns their count; axes has room for MAX_RANK. */
int node_axes(const Node *node, const char *attribute, int input, int rank, int *axes);
/* Fails where two lists that go together differ in length. */
void check_length(const Node *node, const char *what, int count, int expected);

/* Int64 indices, as kernels take them, from an input of any numeric type: its own buffer, a constant made of it, or
 * a scratch buffer that is filled by a cast. */
Buffer *index_buffer(Program *program, const Value *indices);
/* A constant's integers as a constant buffer of their own. */
Buffer *constant_ints(Program *program, const char *name, const int64_t *values, int count);
/* The same of floating-point numbers, of a type that tensor_set() takes. */
Buffer *constant_numbers(Program *program, const char *name, Type type, const double *values, int64_t count);

#endif
