"""Sequences and optional values within a model give ONNX Runtime's outputs: lists that are made, changed and taken
apart, in loops and branches too. What is not known when compiling, or is out of range, is refused."""

import os
import sys

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
import onnxruntime
from hostile import INVALID, UNSUPPORTED, Checks, encoded, finish, fovea, model, node, tensor
from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper
from random_seed import random_seed

onnxruntime.set_default_logger_severity(3)

SEED = random_seed()
X = np.random.default_rng(SEED).uniform(-1, 1, (6, 3)).astype(np.float32)
CONSTANTS = [tensor(f"i{n}".replace("-", "m"), np.int64(n)) for n in (-7, -3, -1, 0, 1, 2, 3, 6, 7)]
CONSTANTS += [
    tensor("short", np.int32(-2)),
    tensor("two", np.int64(2)),
    tensor("four", np.int64(4)),
    tensor("sizes", np.int64([1, 0, 2, 3])),
    tensor("fewer", np.int64([1, 0, 2])),
    tensor("square", np.int64([[3, 3]])),
    tensor("negative", np.int64([7, -1])),
    tensor("many", np.int64(2**62)),
    tensor("long", np.int64(8192)),
    tensor("true", np.bool_(True)),
    tensor("false", np.bool_(False)),
]
FLOATS = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
LIST = helper.make_sequence_type_proto(FLOATS)
MAYBE = helper.make_optional_type_proto(FLOATS)


def info(name: str) -> ValueInfoProto:
    """What is said of a value, by its name: q... is a sequence, o... is optional, i... a number, c... a condition."""
    kinds = {"q": LIST, "o": MAYBE, "i": helper.make_tensor_type_proto(TensorProto.INT64, [])}
    kinds["c"] = helper.make_tensor_type_proto(TensorProto.BOOL, [])
    return helper.make_value_info(name, kinds.get(name[0], FLOATS))


def body(nodes: list[NodeProto], inputs: str, outputs: str) -> GraphProto:
    return helper.make_graph(nodes, "body", *([info(n) for n in names.split()] for names in (inputs, outputs)))


def split(*more: str, **attributes: int) -> NodeProto:
    return node("SplitToSequence", " ".join(["x", *more]), "q", name="split", **attributes)


def at(position: str, of: str = "q", to: str = "y") -> NodeProto:
    return node("SequenceAt", f"{of} {position}", to, name="at")


def joined(of: str = "q", **attributes: int) -> NodeProto:
    return node("ConcatFromSequence", of, "y", name="joined", axis=attributes.pop("axis", 0), **attributes)


def length(of: str = "q") -> list[NodeProto]:
    return [node("SequenceLength", of, "l"), node("Cast", "l", "y", to=TensorProto.FLOAT)]


PARTS = [node("Neg", "x", "a"), node("Mul", "x x", "b"), node("SequenceConstruct", "x a b", "q")]
APPEND = body(
    [node("Identity", "c", "cc"), at("i", "p", "t"), node("Add", "t s", "ss"), node("SequenceInsert", "qs ss", "qt")],
    "i c s qs",
    "cc ss qt",
)
UNTIL = body(
    [node("SequenceErase", "qs i0", "qt"), node("SequenceLength", "qt", "il"), node("Greater", "il i2", "cc")],
    "i c qs",
    "cc qt",
)
TAKEN, OTHER = (body([node("SequenceInsert", f"q {n}", "qb")], "", "qb") for n in "xa")
FIRST, SUM = body([node("Identity", "x", "f")], "", "f"), body([node("OptionalGetElement", "os", "g"),
                                                                 node("Add", "g x", "f")], "", "f")  # fmt: skip
REMEMBER = body(
    [
        node("Identity", "c", "cc"),
        node("OptionalHasElement", "os", "has"),
        node("If", "has", "f", then_branch=SUM, else_branch=FIRST),
        node("Optional", "f", "ot"),
    ],
    "i c os",
    "cc ot",
)
MAPPED = body([node("Mul", "e f", "m"), node("Add", "m x", "r"), node("ReduceSum", "m", "t", keepdims=0)], "e f", "r t")
STACKED = body([node("Exp", "e", "r")], "e", "r")
CASES = {
    "pieces of 1": [split(), at("im1")],
    "pieces of 1 without their axis": [split(axis=1, keepdims=0), joined(new_axis=1, axis=-1)],
    "pieces of 4, the last smaller": [split("four", axis=-2), at("i1")],
    "listed pieces": [split("sizes"), at("i2")],
    "an empty piece": [split("sizes"), joined()],
    "at a position of 32 bits": [*PARTS, at("short")],
    "inserted": [*PARTS, node("SequenceInsert", "q a i1", "p"), joined("p")],
    "inserted, counted from the end": [*PARTS, node("SequenceInsert", "q a im3", "p"), joined("p", new_axis=1)],
    "inserted at the end": [*PARTS, node("SequenceInsert", "q a i3", "p"), node("SequenceInsert", "p x", "r"),
                            joined("r")],
    "erased": [*PARTS, node("SequenceErase", "q im3", "p"), node("SequenceErase", "p", "r"), joined("r")],
    "from nothing": [node("SequenceEmpty", "", "e"), node("SequenceInsert", "e x", "q"), node("Identity", "q", "p"),
                     joined("p")],
    "integers": [node("SequenceEmpty", "", "e", dtype=TensorProto.INT64), node("SequenceInsert", "e sizes", "q"),
                 at("i0", to="z"), node("Cast", "z", "y", to=TensorProto.FLOAT)],
    "how many": [split("four"), *length()],
    "how many of none": [node("SequenceEmpty", "", "q"), *length()],
    "a loop that takes and appends": [split(keepdims=0), node("Identity", "q", "p"), node("ReduceSum", "x", "z"),
        node("SequenceEmpty", "", "e"), node("SequenceLength", "p", "n"),
        node("Loop", "n true z e", "s qq", body=APPEND), joined("qq", new_axis=1)],
    "a loop that ends by a length": [split(), node("Loop", "many true q", "qq", body=UNTIL), joined("qq")],
    "a loop of no iterations": [split(), node("Loop", "many false q", "qq", body=UNTIL), joined("qq")],
    "a branch": [*PARTS, node("If", "true", "qq", then_branch=TAKEN, else_branch=OTHER), joined("qq")],
    "a loop that remembers": [node("Optional", "", "o", type=FLOATS), node("Loop", "i3 true o", "oo", body=REMEMBER),
                              node("OptionalGetElement", "oo", "y")],
    "an optional sequence": [*PARTS, node("Optional", "q", "o"), node("OptionalGetElement", "o", "p"), joined("p")],
    "a map": [split(keepdims=0), node("SequenceMap", "q q", "rows sums", body=MAPPED),
              node("SequenceMap", "rows", "v", body=STACKED),
              node("ConcatFromSequence", "sums", "k", axis=0, new_axis=1), node("ReduceSum", "k", "z"),
              node("ConcatFromSequence", "v", "u", axis=0, new_axis=1), node("Add", "u z", "y")],
    "a map with a tensor": [split(), node("ReduceMax", "x", "z", keepdims=0),
                            node("SequenceMap", "q z", "rows sums", body=MAPPED), joined("rows")],
}  # fmt: skip


def check_case(checks: Checks, what: str, nodes: list[NodeProto], *options: str) -> None:
    path, made = checks.path / "model.onnx", checks.path / "out.npz"
    path.write_bytes(encoded(model(nodes, [("x", list(X.shape))], initializers=CONSTANTS)))
    np.savez(checks.path / "in.npz", x=X)
    want = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": X})[0]
    status, said = fovea("run", path, *options, "-i", checks.path / "in.npz", "-o", made)
    if checks.check(what, status == 0, said):
        got = np.load(made)["y"]
        fits = got.shape == want.shape and np.allclose(got, want, 1e-5, 1e-6)
        checks.check(what, fits, f"{got}, expected {want}")


def check_standard(checks: Checks) -> None:
    """What ONNX Runtime refuses: keepdims, which counts for nothing where sizes are given, and what is newer."""
    path, made = checks.path / "model.onnx", checks.path / "out.npz"
    np.savez(checks.path / "in.npz", x=X)
    for what, nodes, want in (
        ("pieces of 4, keepdims ignored", [split("four", keepdims=0), at("i1")], X[4:]),
        ("listed pieces, keepdims ignored", [split("sizes", keepdims=0), at("i0")], X[:1]),
        ("a tensor has an element", [node("OptionalHasElement", "x", "h"), node("Cast", "h", "y", to=1)], 1),
        ("nothing has none", [node("Optional", "", "o", type=FLOATS), node("OptionalHasElement", "o", "h"),
                              node("Cast", "h", "y", to=1)], 0),
        ("a map of nothing", [node("SequenceEmpty", "", "q"), node("SequenceMap", "q", "r", body=STACKED),
                              *length("r")], 0),
    ):  # fmt: skip
        path.write_bytes(encoded(model(nodes, [("x", list(X.shape))], initializers=CONSTANTS, opset=18)))
        status, said = fovea("run", path, "--interpret", "-i", checks.path / "in.npz", "-o", made)
        if checks.check(what, status == 0, said):
            checks.check(what, np.array_equal(np.load(made)["y"], want), f"{np.load(made)['y']}, expected {want}")


def check_refused(checks: Checks) -> None:
    computed = [node("ReduceSum", "x", "z", keepdims=0), node("Cast", "z", "n", to=TensorProto.INT64)]
    open_choice = [*PARTS, node("ReduceSum", "x", "z", keepdims=0), node("Less", "z z", "c"),
                   node("If", "c", "qq", then_branch=TAKEN, else_branch=OTHER), joined("qq")]  # fmt: skip
    grow = body([node("Identity", "c", "cc"), node("SequenceInsert", "qs i", "qt")], "i c qs", "cc qt")
    growing = [node("SequenceEmpty", "", "e", dtype=TensorProto.INT64), node("Loop", "long true e", "q", body=grow)]
    untyped = body([node("Exp", "e", "r")], "e", "r")
    untyped.output[0].ClearField("type")
    nothing = [node("Optional", "", "o", type=FLOATS), node("OptionalGetElement", "o", "y")]
    for what, nodes, status, said in (
        ("a position that is computed", [*PARTS, *computed, at("n")], UNSUPPORTED, "'at' .*has to be known"),
        ("sizes that are computed", [*computed, split("n"), at("i0")], UNSUPPORTED, "'split' .*has to be known"),
        ("a position too high", [*PARTS, at("i3")], INVALID, "'at' .*position 3 is out of range: the sequence has 3"),
        ("a position too low", [*PARTS, at("im7")], INVALID, "position -7 is out of range"),
        ("a place too high", [*PARTS, node("SequenceInsert", "q a i6", "p"), joined("p")], INVALID, "position 6"),
        ("nothing to erase", [node("SequenceEmpty", "", "q"), node("SequenceErase", "q", "p"), *length("p")], INVALID,
         "nothing to erase"),
        ("nothing to join", [node("SequenceEmpty", "", "q"), joined()], INVALID, "nothing to join"),
        ("an axis", [*PARTS, joined(axis=2)], INVALID, "axis 2 is out of range"),
        ("a new axis", [*PARTS, joined(axis=4, new_axis=1)], INVALID, "axis"),
        ("new_axis", [*PARTS, joined(new_axis=2)], INVALID, "new_axis is 2"),
        ("two types", [node("SequenceConstruct", "x i1", "q"), at("i0")], INVALID, "has type int64, the one before it"),
        ("another type", [*PARTS, node("SequenceInsert", "q i1", "p"), at("i0", "p")], INVALID, "has type int64"),
        ("sizes that do not add up", [split("fewer"), at("i0")], INVALID, "add up to 3, but the dimension to split is 6"),
        ("a negative size", [split("negative"), at("i0")], INVALID, "size -1 of piece 1"),
        ("sizes of two dimensions", [split("square"), at("i0")], INVALID, "split has 2 dimensions"),
        ("a size of 0", [split("i0"), at("i0")], INVALID, "the size of a piece is 0"),
        ("a tensor in place of a sequence", [at("i0", "x")], INVALID, "is a tensor, which this operator does not take"),
        ("a sequence in place of a tensor", [*PARTS, node("Neg", "q", "y")], INVALID, "is a sequence, which"),
        ("nothing in place of a tensor", [*nothing[:1], node("Neg", "o", "y")], INVALID, "is an empty optional value"),
        ("nothing in place of a sequence", [*nothing[:1], at("i0", "o")], INVALID, "is an empty optional value"),
        ("an element of nothing", nothing, INVALID, "without an element"),
        ("nothing of no type", [node("Optional", "", "o"), node("OptionalHasElement", "o", "y")], INVALID, "a type"),
        ("a type for a number", [node("SequenceEmpty", "", "q", dtype=99), *length()], INVALID, "dtype=99"),
        ("a branch that is not known", open_choice, UNSUPPORTED, "which branch is taken .* they give a sequence"),
        ("a list without end", [*growing, *length()], UNSUPPORTED, "more than 16777216 elements together"),
        ("pieces without end", [node("ConstantOfShape", "large", "w"), node("SplitToSequence", "w", "q"), *length()],
         UNSUPPORTED, "more than 131072 nodes"),
        ("lists of two lengths", [split(), node("SequenceConstruct", "x x", "p"),
                                  node("SequenceMap", "q p", "r t", body=MAPPED), joined("r")], INVALID, "has 6"),
        ("a map of too little", [split(), node("SequenceMap", "q", "r t", body=MAPPED), joined("r")], INVALID,
         "does not fit"),
        ("a map of nothing, of no type", [node("SequenceEmpty", "", "q"), node("SequenceMap", "q", "r", body=untyped),
                                          *length("r")], UNSUPPORTED, "empty sequence of an unknown type"),
    ):  # fmt: skip
        given = model(nodes, [("x", list(X.shape))], initializers=[*CONSTANTS, tensor("large", np.int64([1 << 20]))])
        checks.refused(what, given, status, said)


def check_borders(checks: Checks) -> None:
    """The shapes of a model's inputs decide how long a list is."""
    opened = model([split(), joined()], [("x", ["n", 3])])
    path, _ = checks.place(opened)
    status, said = fovea("inspect", path)
    checks.check("an open list", status == UNSUPPORTED and "how many tensors it makes is not known" in said, said)
    status, said = fovea("inspect", path, "--dim", "n=4")
    checks.check("a list of known length", status == 0, said)
    path, _ = checks.place(model([split(axis=1), joined(axis=1)], [("x", ["n", 3, "m"])]))
    status, said = fovea("inspect", path)
    checks.check("open tensors in a list", status == 0, said)


def main() -> None:
    checks = Checks()
    for what, nodes in CASES.items():
        check_case(checks, what, nodes, "--interpret")
    check_case(checks, "generated code", CASES["a loop that takes and appends"])
    check_standard(checks)
    check_refused(checks)
    check_borders(checks)
    finish(checks)


main()
