/* Views: nodes that hand their input on unchanged, but for dimensions of size 1, so that patterns look through them. */
#ifndef FOVEA_PATTERNS_VIEW_H
#define FOVEA_PATTERNS_VIEW_H

#include "graph/graph.h"

/* The value that this one is a view of: through Identity, Dropout as it is in inference, Cast to the same type, Expand
 * to the same shape, and through Reshape, Flatten, Squeeze, Unsqueeze and Transpose where they only add, drop or move
 * dimensions of size 1, and through a Gather of all elements in their order. NULL where it is none. */
Value *view_source(const Value *value);

/* The value that this one is a rounded copy of, as quantised networks have them between layers: DequantizeLinear of
 * QuantizeLinear by the same constants. NULL where it is none. */
Value *rounded_source(const Value *value);

/* Whether that rounding takes what is below 0 for 0, so that it is a ReLU too; quantisers leave out the one in front.
 */
bool rounding_is_relu(const Value *value);

/* The first value on the way up that is no view. */
Value *view_root(Value *value);

/* Whether the dimensions other than 1 are the same, in the same order. One unknown one on each side must be equal if
 * all others are, since both shapes have the same number of elements. */
bool shapes_differ_in_ones_only(const Shape *a, const Shape *b);

/* Whether two values are the same tensor: views of one value, or constants with the same type, shape and contents. */
bool is_same_tensor(Value *a, Value *b);

#endif
