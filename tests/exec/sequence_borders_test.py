"""Sequences and optional values that are a model's inputs and outputs: the tensors that they hold take their place, and
give what ONNX Runtime does. How long a sequence is, is given or refused."""

import os
import sys

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
import onnxruntime
from hostile import INVALID, UNSUPPORTED, USAGE, Checks, encoded, finish, fovea, model, node, tensor
from onnx import ModelProto, NodeProto, TensorProto, TypeProto, helper
from random_seed import random_seed

onnxruntime.set_default_logger_severity(3)

SEED = random_seed()
RANDOM = np.random.default_rng(SEED)
FLOATS = helper.make_tensor_type_proto(TensorProto.FLOAT, ["n", 3])
PAIRS = helper.make_tensor_type_proto(TensorProto.FLOAT, [2])
LIST, MAYBE = helper.make_sequence_type_proto(FLOATS), helper.make_optional_type_proto(PAIRS)
MAYBE_LIST = helper.make_optional_type_proto(LIST)
NUMBERS = [tensor("zero", np.int64(0)), tensor("one", np.int64(1))]


def given(nodes: list[NodeProto], inputs: dict[str, TypeProto], outputs: dict[str, TypeProto]) -> ModelProto:
    made = model(nodes, [], [], initializers=NUMBERS, opset=18)
    made.graph.input.extend(helper.make_value_info(*item) for item in inputs.items())
    made.graph.output.extend(helper.make_value_info(*item) for item in outputs.items())
    return made


def uniform(*shape: int) -> np.ndarray:
    return RANDOM.uniform(-1, 1, shape).astype(np.float32)


def check_run(checks: Checks, what: str, made: ModelProto, feeds: dict, wanted: dict, *options: str) -> str:
    """That a run gives these arrays, and no others; what fovea said."""
    path = checks.path / "model.onnx"
    path.write_bytes(encoded(made))
    np.savez(checks.path / "in.npz", **feeds)
    status, said = fovea("run", path, *options, "-i", checks.path / "in.npz", "-o", checks.path / "out.npz")
    if not checks.check(what, status == 0, said):
        return said
    with np.load(checks.path / "out.npz") as got:
        checks.check(what, sorted(got) == sorted(wanted), f"outputs {sorted(got)}, expected {sorted(wanted)}")
        for name in set(got) & set(wanted):
            fits = got[name].shape == wanted[name].shape and np.allclose(got[name], wanted[name], 1e-5, 1e-6)
            checks.check(what, fits, f"{name}: {got[name]}, expected {wanted[name]}")
    return said


def runtime(made: ModelProto, feeds: dict) -> list:
    return onnxruntime.InferenceSession(encoded(made), providers=["CPUExecutionProvider"]).run(None, feeds)


MAPPED = helper.make_graph(
    [node("Exp", "e", "r"), node("ReduceSum", "e", "t", keepdims=0)], "body",
    [helper.make_value_info("e", FLOATS)],
    [helper.make_value_info("r", FLOATS), helper.make_tensor_value_info("t", TensorProto.FLOAT, [])],
)  # fmt: skip
SCALARS = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, []))


def check_sequences(checks: Checks) -> None:
    """A list of two shapes comes in, two lists and a tensor go out; an element is an input as it is."""
    nodes = [node("SequenceMap", "q", "rows sums", body=MAPPED), node("SequenceInsert", "rows x zero", "y"),
             node("SequenceAt", "q zero", "first")]  # fmt: skip
    made = given(nodes, {"q": LIST, "x": FLOATS}, {"y": LIST, "first": FLOATS, "sums": SCALARS})
    q, x = [uniform(2, 3), uniform(4, 3)], uniform(1, 3)
    y, first, sums = runtime(made, {"q": q, "x": x})
    feeds = {"q_0": q[0], "q_1": q[1], "x": x}
    wanted = {"first": first} | {f"y_{i}": a for i, a in enumerate(y)} | {f"sums_{i}": a for i, a in enumerate(sums)}
    check_run(checks, "lists", made, feeds, wanted, "--shape", "q=[2x3],[4x3]", "--shape", "x=1x3")
    check_run(checks, "lists, lengths from the arrays", made, feeds, wanted, "--interpret")
    nodes[2] = node("SequenceLength", "q", "first")
    made = given(nodes, {"q": LIST, "x": FLOATS}, {"y": LIST, "first": FLOATS, "sums": SCALARS})
    wanted = {"y_0": x, "first": np.int64(0)}
    check_run(checks, "an empty list", made, {"x": x}, wanted, "--interpret", "--shape", "q=none")


def check_batch(checks: Checks) -> None:
    """Lists beside a batch whose size is given at each run; no list may be as long as that."""
    nodes = [node("SequenceAt", "q zero", "a"), node("Add", "a x", "y"), node("SequenceConstruct", "a y", "s")]
    made = given(nodes, {"q": LIST, "x": FLOATS}, {"y": FLOATS, "s": LIST})
    q, x = uniform(1, 3), uniform(3, 3)
    options = ("--dim", "n=1..4", "--shape", "q=[1x3]")
    check_run(checks, "a batch", made, {"q_0": q, "x": x}, {"y": x + q, "s_0": q, "s_1": x + q}, *options)
    nodes = [node("Shape", "x", "n", end=1), node("Squeeze", "n", "m"), node("Range", "zero m one", "r"),
             node("SplitToSequence", "r", "s"), node("Neg", "x", "y")]  # fmt: skip
    numbers = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.INT64, [1]))
    made = given(nodes, {"x": FLOATS}, {"y": FLOATS, "s": numbers})
    checks.refused("as many numbers as samples", made, UNSUPPORTED, "how many tensors the outputs are depends on",
                   options=("--dim", "n=1..4"))  # fmt: skip


def check_names(checks: Checks) -> None:
    """Elements make way for names that are there: of an input, an output, and within."""
    nodes = [node("SequenceConstruct", "q_0 q_0", "y"), node("Neg", "q_0", "y_0"), node("Abs", "q_0", "y_0_2"),
             node("ConcatFromSequence", "q", "y_1", axis=0), node("Relu", "y_0_2", "z")]  # fmt: skip
    made = given(nodes, {"q_0": PAIRS, "q": helper.make_sequence_type_proto(PAIRS)},
                 {"y": LIST, "y_0": PAIRS, "y_1": PAIRS, "z": PAIRS})  # fmt: skip
    x, one = uniform(2), uniform(2)
    wanted = {"y_0": -x, "y_1": one, "z": np.abs(x), "y_0_3": x, "y_1_2": x}
    check_run(checks, "names", made, {"q_0": x, "q_0_2": one}, wanted, "--interpret", "--shape", "q=[2]")


def check_optional(checks: Checks) -> None:
    none, some = (helper.make_graph([n], "branch", [], [helper.make_value_info("b", PAIRS)]) for n in (
        node("Identity", "x", "b"), node("OptionalGetElement", "o", "b")))  # fmt: skip
    nodes = [node("OptionalHasElement", "o", "has"), node("If", "has", "y", then_branch=some, else_branch=none),
             node("Identity", "o", "p")]  # fmt: skip
    made = given(nodes, {"x": PAIRS, "o": MAYBE}, {"y": PAIRS, "p": MAYBE})
    x, o = uniform(2), uniform(2)
    said = check_run(checks, "given", made, {"x": x, "o": o}, {"y": o, "p": o}, "--interpret")
    checks.check("given", "'o' is optional, and is taken as given; --absent 'o'" in said, said)
    said = check_run(checks, "absent", made, {"x": x}, {"y": x}, "--absent", "o")
    checks.check("absent", "optional" not in said, said)
    checks.refused("what is not optional", made, USAGE, "'x': the input is not optional", options=("--absent", "x"))
    checks.refused("no input", made, USAGE, "--absent 'z': the model has no input", options=("--absent", "z"))
    listed = given([node("OptionalHasElement", "o", "y"), node("Identity", "o", "p")], {"o": MAYBE_LIST},
                   {"y": helper.make_tensor_type_proto(TensorProto.BOOL, []), "p": MAYBE_LIST})  # fmt: skip
    rows = uniform(1, 3)
    check_run(checks, "a list that is given", listed, {"o_0": rows}, {"y": np.True_, "p_0": rows}, "--interpret")
    check_run(checks, "a list that is absent", listed, {}, {"y": np.False_}, "--interpret", "--absent", "o")
    checks.refused("a list or none", listed, UNSUPPORTED, "'o' is a sequence: how many", "note: .*--absent 'o'")
    gone = given([node("Identity", "o", "p")], {"o": MAYBE}, {"p": MAYBE})
    checks.refused("nothing", gone, UNSUPPORTED, "nothing is left of the outputs: 'p'", options=("--absent", "o"))


def check_refused(checks: Checks) -> None:
    made = given([node("Identity", "q", "y")], {"q": LIST}, {"y": LIST})
    for what, shapes, status, said in (
        ("a length that is not given", None, UNSUPPORTED, "'q' is a sequence: how many .*\n.*--shape 'q'=none"),
        ("a shape", "q=2x3", USAGE, "expected the shape of each"),
        ("an open list", "q=[2x3],[2x3", USAGE, "expected the shape of each"),
        ("an end without another", "q=[2x3],", USAGE, "expected the shape of each"),
        ("a list within", "q=[[2x3]]", USAGE, "expected"),
        ("an empty text", "q=", USAGE, "expected the shape of each"),
        ("a range", "q=[1..4x3]", USAGE, "expected the shape of each"),
        ("another rank", "q=[2x3],[3]", USAGE, "'q_1'=3 does not fit the model's"),
        ("another size", "q=[2x4]", USAGE, "'q_0'=2x4 does not fit the model's"),
        ("a size that cannot be", "q=[-2x3]", USAGE, "is no size"),
        ("more than can be counted", "q=[999999999999x3]", (USAGE, UNSUPPORTED), "at most"),
        ("too many", "q=" + ",".join(["[1x3]"] * 1025), UNSUPPORTED, "input 'q' holds, there are 1025; at most 1024"),
        ("none is left", "q=none", UNSUPPORTED, "nothing is left of the outputs: 'y'"),
    ):  # fmt: skip
        checks.refused(what, made, status, said, options=() if shapes is None else ("--shape", shapes))
    checks.refused("a constant", made, UNSUPPORTED, "it is a sequence", options=("--constant", "q=1"))
    typed = given([node("Identity", "q", "y")], {"q": LIST}, {"y": LIST})
    inner = typed.graph.input[0].type.sequence_type.elem_type
    for what, put, status, said in (
        ("a list of lists", LIST, UNSUPPORTED, "input 'q': it holds what are no tensors"),
        ("a list of nothing", TypeProto(), INVALID, "input 'q': it does not say the type of what it holds"),
        ("a list of no elements", helper.make_tensor_type_proto(0, [1]), INVALID, "input 'q': it has no element type"),
        ("a list of texts", helper.make_tensor_type_proto(TensorProto.STRING, [1]), UNSUPPORTED, "string"),
        ("a list of what nobody knows", helper.make_tensor_type_proto(99, [1]), UNSUPPORTED, "99"),
    ):  # fmt: skip
        inner.CopyFrom(put)
        checks.refused(what, typed, status, said, options=("--shape", "q=[1]"))
    for kind in ("sequence_type", "optional_type"):
        empty = TypeProto()
        getattr(empty, kind).SetInParent()
        checks.refused(kind, given([node("Identity", "q", "y")], {"q": empty}, {"y": LIST}), INVALID, "does not say")
    stated = given([node("Identity", "zero", "y")], {"zero": LIST}, {"y": FLOATS})
    checks.refused("an initializer", stated, INVALID, "stated as a sequence, but its initializer is a tensor")
    many = given([node("SplitToSequence", "x", "y")], {"x": helper.make_tensor_type_proto(1, [1025])}, {"y": LIST})
    checks.refused("too many outputs", many, UNSUPPORTED, "output 'y' holds, there are 1025; at most 1024 outputs")
    opened = given([node("SplitToSequence", "x", "y")], {"x": FLOATS}, {"y": LIST})
    checks.refused("as many as there are samples", opened, UNSUPPORTED, "samples", options=("--dim", "n=1..4"))


def main() -> None:
    checks = Checks()
    check_sequences(checks)
    check_batch(checks)
    check_names(checks)
    check_optional(checks)
    check_refused(checks)
    finish(checks)


main()
