"""Loop and Scan, written out iteration by iteration, give ONNX Runtime's outputs: states, results, axes, directions,
values from outside, graphs within bodies, conditions that end a loop. What is not known when compiling, and what would
be too many nodes, is refused."""

import os
import sys

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
import onnxruntime
from hostile import INVALID, UNSUPPORTED, Checks, encoded, finish, fovea, model, node, tensor
from onnx import GraphProto, NodeProto, TensorProto, helper

onnxruntime.set_default_logger_severity(3)

X = np.random.default_rng(7).uniform(-1, 1, (2, 3)).astype(np.float32)
CONSTANTS = [
    tensor("zero", np.int64(0)),
    tensor("one", np.int64(1)),
    tensor("three", np.int64(3)),
    tensor("half", np.float32(0.5)),
    tensor("true", np.bool_(True)),
    tensor("false", np.bool_(False)),
    tensor("most", np.int64(2**62)),
]
TYPES = {"i": TensorProto.INT64, "c": TensorProto.BOOL, "d": TensorProto.BOOL}  # by name, the others are floats
TYPES |= {f"{name}2": element for name, element in TYPES.items()}


def body(nodes: list[NodeProto], inputs: str, outputs: str, shape: list[int] | None = None, **more: list) -> GraphProto:
    """A graph within a node; its inputs and outputs by name. shape: what is said of floats."""
    infos = [
        [helper.make_tensor_value_info(n, TYPES.get(n, 1), shape if n not in TYPES else []) for n in names.split()]
        for names in (inputs, outputs)
    ]
    return helper.make_graph(nodes, "body", *infos, **more)


def loop(given: str, outputs: str, graph: GraphProto, op_type: str = "Loop", **attributes: object) -> NodeProto:
    return helper.make_node(
        op_type, [n if n != "-" else "" for n in given.split(" ")], outputs.split(), name="l", body=graph, **attributes
    )


GROW = [node("Identity", "c", "d"), node("Mul", "s half", "a"), node("Add", "a x", "t")]
TRACE = body(GROW + [node("Cast", "i", "f", to=1), node("Add", "t f", "r")], "i c s", "d t r")
SHAPED = body(GROW + [node("Neg", "t", "r")], "i c s", "d t r", [2, 3])
UNTIL = body([node("Less", "i one", "d"), node("Add", "s x", "t"), node("Neg", "t", "r")], "i c s", "d t r")
SWAP = body([node("Identity", "c", "d"), node("Identity", "s", "p"), node("Add", "s q", "t")], "i c s q", "d t p")
INNER = body([node("Identity", "c2", "d2"), node("Add", "s2 s", "t2")], "i2 c2 s2", "d2 t2")
NESTED = body([node("Identity", "c", "d"), loop("three true s", "t", INNER)], "i c s", "d t")
BRANCH = [
    body([node("Neg", "s", "u")], "", "u"),
    body([node("Mul", "s w", "v")], "", "v", initializer=[tensor("w", np.float32([2, 3, 4]))]),
]
CHOICE = body(
    [
        node("Identity", "c", "d"),
        node("Equal", "i one", "e"),
        node("If", "e", "t", then_branch=BRANCH[0], else_branch=BRANCH[1]),
    ],
    "i c s",
    "d t",
)
STEP = body([node("Add", "s q", "t"), node("Mul", "t half", "r")], "s q", "t r")
LOOPS = {
    "states and results": [loop("three true x", "y z", TRACE)],
    "no condition": [loop("three - x", "y z", TRACE)],
    "a condition that is false": [loop("three false x", "y z", SHAPED)],
    "a condition that ends it": [loop("most true x", "y z", UNTIL)],
    "a condition alone": [loop("- true x", "y z", UNTIL)],
    "states that change places": [loop("three true x x", "y z", SWAP)],
    "a loop in a loop": [loop("three true x", "y", NESTED), node("Neg", "y", "z")],
    "a branch in a loop": [loop("three true x", "y", CHOICE), node("Neg", "y", "z")],
    "scan": [node("ReduceMean", "x", "b", axes=[0], keepdims=0), loop("b x", "y z", STEP, "Scan", num_scan_inputs=1)],
    "scan of columns, backwards": [node("ReduceMean", "x", "b", axes=[1], keepdims=0),
        loop("b x", "y z", STEP, "Scan", num_scan_inputs=1, scan_input_axes=[-1], scan_input_directions=[1],
             scan_output_axes=[1], scan_output_directions=[1])],
}  # fmt: skip


def check_loop(checks: Checks, what: str, nodes: list[NodeProto]) -> None:
    path = checks.path / "model.onnx"
    path.write_bytes(encoded(model(nodes, outputs=(("y", None), ("z", None)), initializers=CONSTANTS)))
    np.savez(checks.path / "in.npz", x=X)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    wants = dict(zip(("y", "z"), session.run(["y", "z"], {"x": X})))
    status, said = fovea("run", path, "--interpret", "-i", checks.path / "in.npz", "-o", checks.path / "out.npz")
    if checks.check(what, status == 0, said):
        for name, got in np.load(checks.path / "out.npz").items():
            want = wants[name]
            checks.check(
                f"{what} {name}",
                got.shape == want.shape and np.allclose(got, want, 1e-5, 1e-6),
                f"{got}, expected {want}",
            )


def check_refused(checks: Checks) -> None:
    counted = [node("ReduceSum", "x", "sum", keepdims=0), node("Cast", "sum", "n", to=TensorProto.INT64)]
    judged = body(
        [node("ReduceMax", "s", "a", keepdims=0), node("Less", "a half", "d"), node("Add", "s x", "t")], "i c s", "d t"
    )
    forever = body([node("Identity", "c", "d"), node("Add", "s x", "t")], "i c s", "d t")
    folded = body([node("Less", "i most", "d"), node("Add", "s half", "t")], "i c s", "d t")
    empty = body([node("Identity", "", "d"), node("Add", "s x", "t")], "i c s", "d t")
    for what, nodes, statuses, said in (
        ("how often", [*counted, loop("n true x", "y z", TRACE)], UNSUPPORTED, "how often it runs is not known"),
        (
            "whether",
            [loop("three true x", "y", judged), node("Neg", "y", "z")],
            UNSUPPORTED,
            "whether it goes on after 1 iterations",
        ),
        ("forever", [loop("most true x", "y", forever), node("Neg", "y", "z")], UNSUPPORTED, "more than 131072 nodes"),
        (
            "forever, of constants",
            [loop("most true half", "y", folded), node("Neg", "y", "z")],
            UNSUPPORTED,
            "more than 4096 iterations",
        ),
        ("an Identity of nothing", [loop("three true x", "y", empty), node("Neg", "y", "z")], INVALID, "Identity"),
        ("a state too few", [loop("three true x x", "y z", TRACE)], INVALID, "does not fit"),
        (
            "no iteration, no shape",
            [loop("zero true x", "y z", TRACE)],
            UNSUPPORTED,
            "no iterations, and its output 'r' has no",
        ),
        ("more scanned than given", [loop("x x", "y z", STEP, "Scan", num_scan_inputs=3)], INVALID, "does not fit"),
        ("an axis", [loop("x x", "y z", STEP, "Scan", num_scan_inputs=1, scan_input_axes=[2])], INVALID, "axis"),
        (
            "axes",
            [loop("x x", "y z", STEP, "Scan", num_scan_inputs=1, scan_input_axes=[0, 0])],
            INVALID,
            "2 elements, expected 1",
        ),
    ):
        checks.refused(what, model(nodes, outputs=(("y", None), ("z", None)), initializers=CONSTANTS), statuses, said)


def main() -> None:
    checks = Checks()
    for what, nodes in LOOPS.items():
        check_loop(checks, what, nodes)
    check_refused(checks)
    finish(checks)


main()
