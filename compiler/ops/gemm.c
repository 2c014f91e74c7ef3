/* Products of matrices: Gemm, MatMul.
 * Both become one or more steps, whose kernel product_emit() chooses; with constant weights, linear_emit(). */
#include "ops/carry.h"
#include "ops/gradient.h"
#include "ops/product.h"

#include "base/checked.h"

static void give(Program *program, Step *step, const Product *p) {
    step_buffer(step, "a", program_buffer(program, p->a), p->a_offset);
    step_buffer(step, "b", program_buffer(program, p->b), p->b_offset);
    step_buffer(step, "y", program_buffer(program, p->y), p->y_offset);
    step_value(program, step, "c", p->c);
    step_size(step, "BATCH", p->batch);
    step_size(step, "M", p->m), step_size(step, "K", p->k), step_size(step, "N", p->n);
    step_size(step, "AB", p->a_batch), step_size(step, "AM", p->a_m);
    step_size(step, "BB", p->b_batch);
    step_size(step, "CM", p->c_m), step_size(step, "CN", p->c_n);
}

/* A single row, column or element in between has no stride of its own, so that it counts as contiguous. */
static void settle_strides(Product *p) {
    if (p->k == 1) p->a_k = 1, p->b_k = 1;
    if (p->n == 1 && p->b_k != 1) p->b_n = 1;
}

/* Kernels on vectors read a's rows as they lie, and c by rows or as one element each. */
static bool takes_vectors(const Product *p) {
    bool along = p->c == NULL || p->c_n == 0 || p->c_n == 1 || p->n == 1;
    return p->y->type == TYPE_FLOAT && p->a_k == 1 && along && p->m > 0 && p->k > 0 && p->n > 0;
}

/* A product with constant weights, and a bias that is a constant row, is a linear layer. */
static bool is_linear(const Product *p) {
    bool fits = p->c == NULL || (p->c->constant != NULL && (p->c_m == 0 || p->m == 1));
    return fits && takes_vectors(p) && p->batch == 1 && p->b->constant != NULL && p->a->constant == NULL;
}

TileProduct product_tile(const Product *p, TileRest rest) {
    return (TileProduct){.rows = p->m, .columns = p->n, .depth = p->k, .stride = p->a_m, .rest = rest};
}

void product_count_tiles(const Product *p, Tiles *tiles) {
    for (int i = 0; i < TARGET_COUNT; i++) {
        const int width = tiles->vectors[i] * TARGET_LANES[i];
        tiles->tiles[i] = (int)((p->m + tiles->rows[i] - 1) / tiles->rows[i]);
        tiles->groups[i] = (int)((p->n + width - 1) / width);
        tiles->panels[i] = width < PANEL_WIDTH ? 1 : width / PANEL_WIDTH;
    }
}

static void emit_product(Program *program, const Product *p) {
    Tiles tiles;
    const TileProduct product = product_tile(p, REST_IS_REPEATED);
    tile_choose(&product, tiles.rows, tiles.vectors);
    product_count_tiles(p, &tiles);
    for (int i = 0; i < TARGET_COUNT; i++) { /* whole panels are packed */
        const int64_t panels = (p->n + PANEL_WIDTH - 1) / PANEL_WIDTH;
        tiles.groups[i] = (int)((panels + tiles.panels[i] - 1) / tiles.panels[i]);
    }
    Step *step = step_kernel(program, "product", TYPE_FLOAT);
    give(program, step, p);
    step_number(step, "alpha", p->alpha), step_number(step, "beta", p->beta);
    step_size(step, "BK", p->b_k), step_size(step, "BN", p->b_n);
    step_pick(program, step, "ROWS", tiles.rows), step_pick(program, step, "VECTORS", tiles.vectors);
    step_pick(program, step, "PANELS", tiles.panels), step_pick(program, step, "GROUPS", tiles.groups);
}

static int64_t count_or_none(const Value *value) { return value == NULL ? 0 : shape_count(&value->shape); }

int64_t byte_flip(Type type) { return type == TYPE_INT8 ? 128 : 0; }

static void emit_bytes(Program *program, const Product *p) {
    const ByteScales *scales = p->scales;
    Step *step = step_kernel(program, p->m < 4 ? "product_bytes_row" : "product_bytes", p->y->type);
    step_buffer(step, "a", program_buffer(program, p->a), p->a_offset);
    step_buffer(step, "b", program_buffer(program, p->b), p->b_offset);
    step_buffer(step, "y", program_buffer(program, p->y), p->y_offset);
    step_value(program, step, "a_zero", scales->a_zero);
    step_value(program, step, "b_zero", scales->b_zero);
    step_value(program, step, "y_zero", scales->y_zero);
    step_buffer(step, "factor", scales->factor, 0);
    step_size(step, "BATCH", p->batch);
    step_size(step, "M", p->m), step_size(step, "K", p->k), step_size(step, "N", p->n);
    step_size(step, "AB", p->a_batch), step_size(step, "BB", p->b_batch);
    step_size(step, "AZ", count_or_none(scales->a_zero) > 1), step_size(step, "BZ", count_or_none(scales->b_zero) > 1);
    step_size(step, "FM", scales->factor_m), step_size(step, "FN", scales->factor_n);
    step_size(step, "AFLIP", byte_flip(p->a->type)), step_size(step, "BFLIP", byte_flip(p->b->type));
    step_size(step, "YFLIP", byte_flip(p->y->type));
}

/* A panel of b pays from about four rows on; below, b is read once and in its order. */
void product_emit(Program *program, Product product) {
    const Product *p = &product;
    if (p->scales != NULL) {
        emit_bytes(program, p);
        return;
    }
    settle_strides(&product);
    Type type = p->y->type;
    if (!type_is_float(type)) {
        Step *step = step_kernel(program, "gemm_integer", type);
        give(program, step, p);
        step_size(step, "AK", p->a_k), step_size(step, "BK", p->b_k), step_size(step, "BN", p->b_n);
        return;
    }
    if (is_linear(p)) {
        linear_emit(program, p);
        return;
    }
    bool inner = (p->m < 4 || p->n < 4) && p->a_k == 1 && p->b_k == 1, row = !inner && p->m < 4 && p->b_n == 1;
    if (!inner && !row && takes_vectors(p)) {
        emit_product(program, p);
        return;
    }
    Step *step = step_kernel(program, inner ? "gemm_inner" : row ? "gemm_row" : "gemm", type);
    give(program, step, p);
    step_number(step, "alpha", p->alpha), step_number(step, "beta", p->beta);
    if (!inner) step_size(step, "AK", p->a_k), step_size(step, "BK", p->b_k);
    if (!row) step_size(step, "BN", p->b_n);
}

/* The elements of the result, times the inner dimension. */
static int64_t macs(const Node *node, Dim inner) {
    const Shape *y = &node->outputs.items[0]->shape;
    int64_t count;
    bool known = shape_is_known(y) && inner.size >= 0 && checked_multiply(shape_count(y), inner.size, &count);
    return known ? count : -1;
}

static Dim dimension(const Shape *shape, int i) { return shape->rank < 0 ? (Dim){-1, NULL} : shape->dims[i]; }

static void infer_gemm(Node *node) {
    const Value *a = node->inputs.items[0], *b = node->inputs.items[1], *c = node_input(node, 2);
    Value *y = node->outputs.items[0];
    for (int i = 0; i < 2; i++) {
        int rank = node->inputs.items[i]->shape.rank;
        if (rank >= 0 && rank != 2) node_fail(node, STATUS_INVALID, "input %d has %d dimensions, expected 2", i, rank);
    }
    bool across_a = attr_int(node, "transA") != 0, across_b = attr_int(node, "transB") != 0;
    dim_unify(node, dimension(&a->shape, !across_a), dimension(&b->shape, across_b), "the inner dimension");
    y->shape = (Shape){.rank = 2, .dims = {dimension(&a->shape, across_a), dimension(&b->shape, !across_b)}};
    if (c == NULL || c->shape.rank < 0) return;
    Shape both = shape_broadcast(node, &c->shape, &y->shape);
    bool fits = both.rank == 2 && (node->version >= 7 || attr_int(node, "broadcast") != 0 || c->shape.rank == 2);
    for (int i = 0; fits && i < 2; i++) fits = y->shape.dims[i].size < 0 || both.dims[i].size == y->shape.dims[i].size;
    if (!fits)
        node_fail(node, STATUS_INVALID, "C has the shape %s, which does not broadcast to %s",
                  shape_text(node->graph->arena, &c->shape), shape_text(node->graph->arena, &y->shape));
}

static int64_t macs_gemm(const Node *node) {
    return macs(node, dimension(&node->inputs.items[0]->shape, attr_int(node, "transA") == 0));
}

static void lower_gemm(Program *program, Node *node) {
    const Value *a = node->inputs.items[0], *b = node->inputs.items[1], *y = node->outputs.items[0];
    bool across_a = attr_int(node, "transA") != 0, across_b = attr_int(node, "transB") != 0;
    int64_t c_strides[2] = {0, 0}, a_row = a->shape.dims[1].size, b_row = b->shape.dims[1].size;
    const Value *c = node_input(node, 2);
    if (c != NULL) strides_broadcast(&c->shape, 2, c_strides);
    Product product = {.a = a,
                       .b = b,
                       .c = c,
                       .y = y,
                       .batch = 1,
                       .m = y->shape.dims[0].size,
                       .k = a->shape.dims[!across_a].size,
                       .n = y->shape.dims[1].size,
                       .a_m = across_a ? 1 : a_row,
                       .a_k = across_a ? a_row : 1,
                       .b_k = across_b ? 1 : b_row,
                       .b_n = across_b ? b_row : 1,
                       .c_m = c_strides[0],
                       .c_n = c_strides[1],
                       .alpha = (double)attr_float(node, "alpha"),
                       .beta = (double)attr_float(node, "beta")};
    if (!type_is_float(y->type) && (product.alpha != 1 || (c != NULL && product.beta != 1)))
        node_fail(node, STATUS_UNSUPPORTED, "alpha and beta other than 1 are not supported for %s",
                  type_info(y->type)->name);
    product_emit(program, product);
}

/* A MatMul operand's batch dimensions. */
static Shape batch_of(const Shape *shape) {
    Shape batch = *shape;
    batch.rank = shape->rank < 2 ? 0 : shape->rank - 2;
    batch.channels_last = false; /* which are inside of what is left */
    return batch;
}

/* numpy.matmul: matrices in the last two dimensions, the others broadcast; one dimension is a row left, a column right,
 * and is absent from the result. */
Shape matmul_shape(const Node *node, const Value *left, const Value *right) {
    const Shape *a = &left->shape, *b = &right->shape;
    if (a->rank == 0 || b->rank == 0) node_fail(node, STATUS_INVALID, "an operand is a scalar");
    if (a->rank < 0 || b->rank < 0) return SHAPE_UNKNOWN;
    dim_unify(node, a->dims[a->rank - 1], b->dims[b->rank == 1 ? 0 : b->rank - 2], "the inner dimension");
    Shape of_a = batch_of(a), of_b = batch_of(b), y = shape_broadcast(node, &of_a, &of_b);
    if (a->rank > 1) y.dims[y.rank++] = a->dims[a->rank - 2];
    if (b->rank > 1) y.dims[y.rank++] = b->dims[b->rank - 1];
    return y;
}

static void infer_matmul(Node *node) {
    node->outputs.items[0]->shape = matmul_shape(node, node->inputs.items[0], node->inputs.items[1]);
}

static int64_t macs_matmul(const Node *node) {
    const Shape *a = &node->inputs.items[0]->shape;
    return macs(node, dimension(a, a->rank - 1));
}

void batch_add(ProductBatch *batch, int64_t extent, int64_t a, int64_t b) {
    int last = batch->rank - 1;
    if (extent == 1) return;
    if (last >= 0 && batch->a[last] == a * extent && batch->b[last] == b * extent) {
        batch->extent[last] *= extent;
        batch->a[last] = a, batch->b[last] = b;
        return;
    }
    batch->extent[batch->rank] = extent;
    batch->a[batch->rank] = a, batch->b[batch->rank++] = b;
}

static ProductBatch batch_read(const Shape *a, const Shape *b, int64_t a_matrix, int64_t b_matrix) {
    Shape left = batch_of(a), right = batch_of(b);
    int rank = left.rank > right.rank ? left.rank : right.rank;
    int64_t a_strides[MAX_RANK], b_strides[MAX_RANK];
    strides_broadcast(&left, rank, a_strides);
    strides_broadcast(&right, rank, b_strides);
    ProductBatch batch = {0};
    for (int i = 0; i < rank; i++) {
        int from_left = i - (rank - left.rank), from_right = i - (rank - right.rank);
        int64_t extent = from_left < 0 ? 1 : left.dims[from_left].size;
        if (from_right >= 0 && extent == 1) extent = right.dims[from_right].size;
        batch_add(&batch, extent, a_strides[i] * a_matrix, b_strides[i] * b_matrix);
    }
    return batch;
}

/* One step for each index of all batch dimensions but the last, which the kernel loops over. */
static void emit_batches(Program *program, Product product, const ProductBatch *batch, int level) {
    if (level >= batch->rank - 1) {
        if (batch->rank > 0) {
            product.batch = batch->extent[level];
            product.a_batch = batch->a[level], product.b_batch = batch->b[level];
        }
        product_emit(program, product);
        return;
    }
    int64_t inside = product.m * product.n;
    for (int i = level + 1; i < batch->rank; i++) inside *= batch->extent[i];
    Product one = product;
    for (int64_t i = 0; i < batch->extent[level]; i++) {
        emit_batches(program, one, batch, level + 1);
        one.a_offset += batch->a[level], one.b_offset += batch->b[level], one.y_offset += inside;
    }
}

void product_emit_batches(Program *program, Product product, const ProductBatch *batch) {
    emit_batches(program, product, batch, 0);
}

Product matmul_product(const Node *node, const Value *a, const Value *b, ProductBatch *batch) {
    int64_t k = a->shape.dims[a->shape.rank - 1].size;
    int64_t m = a->shape.rank == 1 ? 1 : a->shape.dims[a->shape.rank - 2].size;
    int64_t n = b->shape.rank == 1 ? 1 : b->shape.dims[b->shape.rank - 1].size;
    Product product = {.a = a,
                       .b = b,
                       .y = node->outputs.items[0],
                       .batch = 1,
                       .m = m,
                       .k = k,
                       .n = n,
                       .a_m = k,
                       .a_k = 1,
                       .b_k = n,
                       .b_n = 1,
                       .alpha = 1};
    *batch = batch_read(&a->shape, &b->shape, m * k, k * n);
    if (a->shape.channels_last) product.a_m = 1, product.a_k = m;
    if (b->shape.channels_last) product.b_k = 1, product.b_n = k;
    const bool has_rows = !a->shape.channels_last && batch->rank == 1 && batch->a[0] == m * k;
    if (has_rows && batch->b[0] == 0) { /* one b for all: their rows are one matrix */
        product.m *= batch->extent[0];
        batch->rank = 0;
    }
    return product;
}

/* What is a map [N][C][L] with its channels last, as tokens are to attention, is a matrix that is transposed. A left
 * one is read in its order where it meets a single column. */
static MapLayout layout_matmul(const Node *node) {
    const Shape *a = &node->inputs.items[0]->shape, *b = &node->inputs.items[1]->shape;
    const bool column = b->rank == 1 || b->dims[b->rank - 1].size == 1;
    const bool reads_any = (!a->channels_last || (a->rank == 3 && column)) && (!b->channels_last || b->rank == 3);
    return (MapLayout){reads_any ? READS_ANY : READS_ROWS, false};
}

/* y = a b of a column b is y^T = b^T a^T, whose elements lie as they did. */
static void turn(Product *product, ProductBatch *batch) {
    const Product p = *product;
    const ProductBatch was = *batch;
    product->a = p.b, product->b = p.a;
    product->m = 1, product->n = p.m;
    product->a_m = p.k, product->a_k = p.b_k;
    product->b_k = p.a_k, product->b_n = p.a_m;
    product->c_n = 0;
    for (int i = 0; i < was.rank; i++) batch->a[i] = was.b[i], batch->b[i] = was.a[i];
}

static void lower_matmul(Program *program, Node *node) {
    ProductBatch batch;
    Product product = matmul_product(node, node->inputs.items[0], node->inputs.items[1], &batch);
    if (node->inputs.count > 2) /* a row of biases, from the pass `bias` */
        product.c = node->inputs.items[2], product.c_n = 1, product.beta = 1;
    if (node->inputs.items[0]->shape.channels_last) turn(&product, &batch);
    product_emit_batches(program, product, &batch);
}

static int carry_gemm(const Node *node, int input, int axis, int output) {
    if (input == 2) return carry_broadcast(node, input, axis, output);
    const bool is_across = attr_int(node, input == 0 ? "transA" : "transB") != 0;
    const int kept = (input == 0) == is_across; /* rows of A, columns of B, as they are multiplied */
    return axis == kept ? input : -1;
}

static Value *gemm(const Backward *b, Value *left, bool left_across, Value *right, bool right_across) {
    Node *node = expand_node(b->e, "Gemm", left, right);
    node_set_int(node, "transA", left_across);
    node_set_int(node, "transB", right_across);
    node_set_float(node, "alpha", attr_float(b->node, "alpha"));
    return expand_value(node);
}

static Value *gradient_of_gemm(const Backward *b) {
    const bool across_a = attr_int(b->node, "transA") != 0, across_b = attr_int(b->node, "transB") != 0;
    if (b->input == 2) return expand_scale(b->e, b->dy, (double)attr_float(b->node, "beta"));
    if (b->input == 1)
        return across_b ? gemm(b, b->dy, true, b->x[0], across_a) : gemm(b, b->x[0], !across_a, b->dy, false);
    return across_a ? gemm(b, b->x[1], across_b, b->dy, true) : gemm(b, b->dy, false, b->x[1], !across_b);
}

/* A vector as the matrix that MatMul takes it for: on the left a row, on the right a column. */
static Shape matrices(const Shape *shape, bool is_column) {
    Shape result = *shape;
    if (shape->rank == 1)
        result.rank = 2, result.dims[is_column] = dim_known(1), result.dims[!is_column] = shape->dims[0];
    return result;
}

static Value *transposed(const Backward *b, Value *x) {
    const int rank = x->shape.rank;
    int64_t perm[MAX_RANK];
    for (int d = 0; d < rank; d++) perm[d] = d;
    perm[rank - 2] = rank - 1, perm[rank - 1] = rank - 2;
    return expand_transpose_to(b->e, x, rank, perm);
}

/* Of dy every matrix has rows and columns again, and so has the result, but for a vector. */
static Value *gradient_of_matmul(const Backward *b) {
    const Shape left = matrices(&b->x[0]->shape, false), right = matrices(&b->x[1]->shape, true);
    Shape out = left.rank > right.rank ? left : right;
    for (int d = 0; d < out.rank - 2; d++) out.dims[d] = b->dy->shape.dims[d];
    out.dims[out.rank - 2] = left.dims[left.rank - 2], out.dims[out.rank - 1] = right.dims[right.rank - 1];
    Value *dy = gradient_reshape(b, b->dy, &out);
    if (b->input == 0) return expand_op(b->e, "MatMul", dy, transposed(b, gradient_reshape(b, b->x[1], &right)));
    Value *product = expand_op(b->e, "MatMul", transposed(b, gradient_reshape(b, b->x[0], &left)), dy);
    Shape vectors = product->shape;
    if (b->x[1]->shape.rank == 1) vectors.rank--;
    return gradient_reshape(b, product, &vectors);
}

const Op OPS_gemm[] = {
    {.name = "Gemm",
     .versions = {1, 6, 7, 9, 11, 13},
     .inputs = "A:T B:T C:T@<11 C:T?@11",
     .outputs = "Y:T",
     .types = "T: floats int32 int64 uint32 uint64",
     .attributes = "broadcast:int@<7=0 alpha:float=1 beta:float=1 transA:int=0 transB:int=0",
     .infer = infer_gemm,
     .carry = carry_gemm,
     .macs = macs_gemm,
     .lower = lower_gemm,
     .gradient_of = gradient_of_gemm},
    {.name = "MatMul",
     .versions = {1, 9, 13},
     .inputs = "A:T B:T",
     .outputs = "Y:T",
     .types = "T: floats int32 int64 uint32 uint64",
     .infer = infer_matmul,
     .carry = carry_matmul,
     .macs = macs_matmul,
     .layout = layout_matmul,
     .lower = lower_matmul,
     .gradient_of = gradient_of_matmul},
    {0},
};
