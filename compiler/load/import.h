/* Import: unpacked messages to graphs, nodes and tensors. Internal to compiler/load.
 * A name is looked for in the scopes that it is visible in; a scope is a graph, or the body of a function that is being
 * inlined. Each message says where it is about: see import_fail(). */
#ifndef FOVEA_LOAD_IMPORT_H
#define FOVEA_LOAD_IMPORT_H

#include "base/map.h"
#include "graph/graph.h"
#include "load/external.h"
#include "load/load.h"

#include "onnx.pb-c.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "ONNX data is little endian and is used in place: fovea needs a little-endian machine"
#endif

enum { MAX_GRAPH_DEPTH = 100, MAX_CALL_DEPTH = 100 };

typedef struct Scope Scope;

/* Which version of which domain's operators is meant. */
typedef struct Opsets {
    Map versions;                  /* Onnx__OperatorSetIdProto, by domain */
    const struct Opsets *defaults; /* for the domains that are not in it; NULL: none */
} Opsets;

/* What a message is about, beyond the scope. */
typedef struct {
    const Onnx__NodeProto *node; /* NULL: none */
    int node_index;              /* in its graph or function */
    const char *kind, *name;     /* "initializer", "w"; kind NULL: none */
} Place;

typedef struct Import {
    Arena *arena;
    External *external;
    Scope *scope; /* that is being imported */
    Place place;
    const Opsets *opsets; /* the model's */
    Map symbols;          /* of dimensions: each one once, so that equal ones are one pointer */
    Map functions;        /* Function, by function_key() */
    Map ordinals;         /* int, by scope and operator: nodes so far */
    int unsupported;      /* things reported as such */
    bool out_of_order, warned_checksum, has_gradients;
    size_t used, budget;    /* bytes of memory that the import takes beyond what is unpacked */
    int64_t numbered_names; /* how many names were made unique with a number */
} Import;

/* Where a name comes from. */
typedef enum { NAME_INPUT, NAME_INITIALIZER, NAME_NODE_OUTPUT } NameKind;

typedef struct {
    const char *name;
    NameKind kind;
    int index; /* of the input, initializer or node */
    const Onnx__NodeProto *node;
    Value *value;                  /* NULL: a function's input that the call leaves out */
    bool made;                     /* its node was imported, or it has none */
    int input_index, output_index; /* where it is an input or output of its graph; -1: it is not */
} Name;

/* A model-local function. */
typedef struct {
    const Onnx__FunctionProto *proto;
    const char *text; /* "pkg.onnxscript::Rank", to be quoted */
    int index;
    const Opsets *opsets;
} Function;

/* An attribute of a function call, and the scope in which what it holds is to be understood. */
typedef struct {
    const Onnx__AttributeProto *proto; /* NULL: none was given */
    Scope *scope;
} Argument;

/* The body of a function, being inlined for one call. */
typedef struct {
    const Function *function;
    const char *prefix; /* of the names of its values and nodes: "encoder/norm/" */
    int call_index;     /* the outermost call's position in the file */
    const char *module; /* the call's Node.scope */
    Map arguments;      /* Argument */
    Map outputs;        /* Value: what the call calls the function's outputs */
} Frame;

struct Scope {
    Scope *outer;       /* whose names are visible too; NULL: none (the model's graph, functions) */
    Scope *parent;      /* that holds this one; NULL: the model's graph */
    Place holder;       /* the node in parent that holds it, and its attribute; or the call */
    const Frame *frame; /* the function that it is in; NULL: none */
    bool is_body;       /* of that function; else it is a graph */
    Scope *owner;       /* of the graph that nodes are added to: itself, unless it is a function's body */
    Graph *graph;
    int graph_depth, call_depth;
    Map names;      /* Name */
    Map made_names; /* of values that are in the graph under other names than the model gives them */
    const Opsets *opsets;
};

/* import.c: the model as a whole. */
Graph *import_model(Arena *arena, const Onnx__ModelProto *model, size_t size, External *external, size_t budget);
/* A tensor that stands in a file of its own. */
Tensor *import_single_tensor(Arena *arena, const Onnx__TensorProto *proto, External *external, size_t budget);
/* Fails, with where it is: "function 'f' of node 3 'x' (F): node 1 '' (Add): attribute 'axis': MESSAGE". */
_Noreturn void import_fail(Import *import, Status status, const char *format, ...) PRINTF_LIKE(3, 4);
/* Reports something that fovea does not support, with where it is, and goes on; import_model() fails at the end. */
void import_unsupported(Import *import, const char *format, ...) PRINTF_LIKE(2, 3);
/* Counts memory that is about to be taken; fails with STATUS_INVALID where it becomes more than the budget. */
void import_charge(Import *import, size_t bytes);
/* A text of the file's, "" where it has none. */
static inline const char *text_or_empty(const char *text) { return text != NULL ? text : ""; }
/* A domain; "ai.onnx" is spelt "". */
const char *import_domain(const char *domain);
/* Which version of which domain is imported. Fails where a domain is there twice. */
Opsets *import_opsets(Import *import, Onnx__OperatorSetIdProto **imports, size_t count, const Opsets *defaults);
/* The version of a domain, 0 where it is not imported. */
int opset_version(const Opsets *opsets, const char *domain);
/* "node 3 'x' (Conv)" */
const char *place_node_text(Arena *arena, const Onnx__NodeProto *node, int index);
/* What a node is called in the names that are derived from it: its name, or "Conv_3". */
const char *node_label(Arena *arena, const Onnx__NodeProto *node, int index);

/* import_graph.c: graphs and their nodes. */
/* The graph that a node in import->scope holds (or the model's), in which the names of outer are visible. */
Graph *import_graph(Import *import, const Onnx__GraphProto *proto, Scope *outer, const Opsets *opsets);
/* Enters what nodes make, so that it is known wherever it is used; then the nodes. For import->scope. */
void declare_outputs(Import *import, Onnx__NodeProto **nodes, size_t count);
void import_nodes(Import *import, Onnx__NodeProto **nodes, size_t count);
/* Enters a name; fails with both places where it is taken, or hides one of an outer graph. */
Name *declare_name(Import *import, Name name);
/* The name, from the innermost scope that has it; NULL where none has. */
Name *find_name(const Scope *scope, const char *name);
/* The value of that name, NULL for "". what and index: "input", 2. Fails where nothing makes it. */
Value *import_use(Import *import, const char *name, const char *what, size_t index);
/* Appends a node that copies a value. */
void import_copy(Import *import, Value *from, Value *to);
/* A new scope within import->scope, which it becomes; leave_scope() goes back. */
Scope *enter_scope(Import *import);
void leave_scope(Import *import);

/* import_type.c */
void import_type(Import *import, const Onnx__TypeProto *type, Value *value);
/* Checks the dimensions of a tensor and makes them a shape. */
Shape import_known_shape(Import *import, const int64_t *dims, size_t rank);
/* An element type by its number; reports those that fovea does not have, and returns TYPE_NONE. */
Type import_element_type(Import *import, int32_t number);

/* import_tensor.c: NULL where fovea does not support it, which was reported. */
Tensor *import_tensor(Import *import, const Onnx__TensorProto *proto);

/* import_attribute.c */
void import_attributes(Import *import, const Onnx__NodeProto *proto, Node *node);
/* What an attribute of a node in import->scope stands for: itself, or the argument that it refers to. */
Argument resolve_attribute(Import *import, const Onnx__AttributeProto *proto);
/* Fails where an attribute has no name, or the name of another one. */
void check_attribute_names(Import *import, Onnx__AttributeProto *const *attributes, size_t count);

/* functions.c */
void import_functions(Import *import, const Onnx__ModelProto *model);
/* The function that a node calls, NULL where it is an operator. */
const Function *find_function(Import *import, const Onnx__NodeProto *node);
/* Adds the function's nodes in place of the call. */
void import_call(Import *import, const Onnx__NodeProto *call, int index, const Function *function);

/* gradients.c */
/* Lets a node that is a Gradient read the tensors that it names, behind its inputs. */
void import_gradient(Import *import, Node *node);
/* Gives each Gradient of a graph, once its nodes are in order, what it differentiates: its inputs are then the tensors
 * differentiated by, those held fixed, and the one that is differentiated, which is computed from these. */
void separate_gradients(Import *import, Graph *graph);

/* module_path.c: where in the exporter's module tree a node was made, "" where that is not said. */
const char *module_path(Import *import, const Onnx__NodeProto *node);
/* Reduces the scopes of a graph from tf2onnx to the paths of Keras' layers. */
void simplify_keras_paths(Graph *graph);

#endif
