"""If: where shapes say which branch is taken, it stands in place of the If, with ONNX Runtime's outputs; where only the
input can say it, both are computed, and one is chosen, unless their shapes differ: then fovea refuses and names the
node."""
import os
import sys

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
import onnxruntime
from hostile import INVALID, UNSUPPORTED, Checks, encoded, finish, fovea, model, node, tensor
from onnx import helper

onnxruntime.set_default_logger_severity(3)

X = np.arange(6, dtype=np.float32).reshape(2, 3) - 2


def branch(nodes, *outputs, initializers=()):
    """A graph within a node: it has no inputs, and reads what is outside."""
    return helper.make_graph(nodes, "branch", [], [helper.make_tensor_value_info(o, 1, None) for o in outputs],
                             initializer=list(initializers))


def choose(condition, output, then_branch, else_branch):
    return node("If", condition, output, f"if_{output}", then_branch=then_branch, else_branch=else_branch)


def is_rows(number, output):
    """Whether x has so many rows, by way of its shape."""
    return [node("Shape", "x", f"{output}_shape"), node("Gather", f"{output}_shape zero", f"{output}_rows", axis=0),
            node("Equal", f"{output}_rows {number}", output)]


CONSTANTS = [tensor("zero", np.int64(0)), tensor("zeros", np.int64([0])), tensor("two", np.int64(2)),
             tensor("five", np.int64(5)),
             tensor("half", np.float32(0.5))]
NEGATED, HALVED = branch([node("Neg", "x", "a")], "a"), branch([node("Mul", "x half", "a"), node("Abs", "a", "b")], "b")
UNTYPED = branch([node("Neg", "x", "a")])
UNTYPED.output.add(name="a").type.SetInParent()  # as PyTorch writes it: a type that says nothing
OUTSIDE = branch([node("Identity", "x", "a")], "a")
WEIGHTED = branch([node("Mul", "x w", "a")], "a", initializers=[tensor("w", np.float32([1, 2, 3]))])
ROW = branch([node("ReduceSum", "x rows", "a", keepdims=0)], "a", initializers=[tensor("rows", np.int64([0]))])
NESTED = branch(is_rows("two", "inner") + [choose("inner", "n", HALVED, NEGATED), node("Add", "n half", "m")], "m")
READS_OUTPUT = branch([node("Neg", "m", "k")], "k")
SHARED = branch(
    is_rows("two", "inner") + [node("Exp", "x", "m"), choose("inner", "n", READS_OUTPUT, NEGATED)], "m", "n")

IS_POSITIVE = [node("ReduceMax", "x", "most", keepdims=0), node("Greater", "most half", "c")]
INNER = branch([choose("c", "a", NEGATED, HALVED), node("Add", "a x", "b")], "b")

TAKEN = {
    "then": is_rows("two", "c") + [choose("c", "y", NEGATED, HALVED)],
    "else": is_rows("five", "c") + [choose("c", "y", NEGATED, HALVED)],
    "two with the same names in them": is_rows("two", "c") + is_rows("five", "d") +
    [choose("c", "p", HALVED, NEGATED), choose("d", "q", NEGATED, HALVED), node("Sub", "p q", "y")],
    "a value from outside": is_rows("two", "c") + [choose("c", "y", OUTSIDE, NEGATED)],
    "its own weights": is_rows("two", "c") + [choose("c", "y", WEIGHTED, NEGATED)],
    "an output without a type": is_rows("two", "c") + [choose("c", "y", UNTYPED, HALVED)],
    "another shape": is_rows("two", "c") + [choose("c", "y", ROW, NEGATED)],
    "an output that one within it reads": is_rows("two", "c") +
    [node("If", "c", "p q", "if", then_branch=SHARED, else_branch=SHARED), node("Sub", "p q", "y")],
    "one in another": is_rows("two", "c") + [choose("c", "y", NESTED, NEGATED)],
    "by the input, then": IS_POSITIVE + [choose("c", "y", NEGATED, HALVED)],
    "by the input, else": IS_POSITIVE + [node("Not", "c", "d"), choose("d", "y", NEGATED, HALVED)],
    "by the input, one in another": IS_POSITIVE + [choose("c", "y", NESTED, NEGATED)],
    "by the input, in one that is known": is_rows("two", "d") + IS_POSITIVE + [choose("d", "y", INNER, NEGATED)],
    "by the input, one element": IS_POSITIVE + [node("Unsqueeze", "c zeros", "d"), choose("d", "y", NEGATED, HALVED)],
}


def check_taken(checks, what, nodes):
    path = checks.path / "model.onnx"
    path.write_bytes(encoded(model(nodes, initializers=CONSTANTS)))
    np.savez(checks.path / "in.npz", x=X)
    (want,) = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": X})
    status, said = fovea("run", path, "--interpret", "-i", checks.path / "in.npz", "-o", checks.path / "out.npz")
    if checks.check(what, status == 0, said):
        got = np.load(checks.path / "out.npz")["y"]
        checks.check(what, got.shape == want.shape and np.allclose(got, want, 1e-6, 1e-6), f"{got}, expected {want}")


def check_refused(checks):
    nodes = IS_POSITIVE + [choose("c", "y", NEGATED, ROW)]
    checks.refused("a condition on the input, and two shapes", model(nodes, initializers=CONSTANTS), UNSUPPORTED,
                   r"'if_y.*which branch is taken is not known when compiling, and they give the shapes")
    nodes = [node("Greater", "x half", "c"), choose("c", "y", NEGATED, HALVED)]
    checks.refused("many conditions", model(nodes, initializers=CONSTANTS), INVALID, "6 elements, expected 1")
    nodes = [choose("x", "y", NEGATED, HALVED)]
    checks.refused("a condition that is no bool", model(nodes, initializers=CONSTANTS), INVALID, "cond")
    nodes = is_rows("two", "c") + [node("If", "c", "y z", "if_y", then_branch=NEGATED, else_branch=HALVED)]
    checks.refused("an output too many", model(nodes, initializers=CONSTANTS), INVALID,
                   "2 outputs, and its then_branch 1")
    nodes = is_rows("two", "c") + [node("If", "c", "y", "if_y", then_branch=NEGATED)]
    checks.refused("one branch alone", model(nodes, initializers=CONSTANTS), INVALID, "else_branch")
    nodes = [node("Unsqueeze", "x_shape zeros", "s"), node("Greater", "s two", "c"), choose("c", "y", NEGATED, HALVED)]
    nodes.insert(0, node("Shape", "x", "x_shape"))
    checks.refused("two conditions", model(nodes, initializers=CONSTANTS), INVALID, "2 elements, expected 1")


def main():
    checks = Checks()
    for what, nodes in TAKEN.items():
        check_taken(checks, what, nodes)
    check_refused(checks)
    finish(checks)


main()
