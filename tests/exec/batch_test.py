"""A number of samples that is said at each run: --dim N=1..64. For any number of them generated C and interpreter agree
with ONNX Runtime on all of them together; a model that mixes samples is refused, with the node that does."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
import onnxruntime
from generated import build, compile_model
from generated import run as run_testbench
from hostile import FOVEA, UNSUPPORTED, Checks, encoded, finish, model, node, tensor
from onnx import TensorProto

onnxruntime.set_default_logger_severity(3)
RNG = np.random.default_rng(11)
MOST = 5
COUNTS = (1, 2, 5)


def weight(name, *shape):
    return tensor(name, RNG.standard_normal(shape).astype(np.float32) * 0.4)


def ints(name, *values):
    return tensor(name, np.array(values, np.int64))


SIZE_OF_BATCH = [node("Shape", "x", "sizes"), node("Slice", "sizes at0 at1", "batch")]  # [N]
AT = [ints("at0", 0), ints("at1", 1)]

# By name: nodes, input shape, initializers.
APART = {
    "convolutions": ([
        node("Conv", "x w", "c", pads=[1, 1, 1, 1]), node("Relu", "c", "r"), node("MaxPool", "r", "m", kernel_shape=[2, 2]),
        node("GlobalAveragePool", "m", "g"), node("Flatten", "g", "f"), node("Gemm", "f v b", "l", transB=1),
        node("Softmax", "l", "y", axis=1)], ["N", 3, 6, 6], [weight("w", 4, 3, 3, 3), weight("v", 5, 4), weight("b", 5)]),
    "a class token, as wide as the batch": (SIZE_OF_BATCH + [
        node("Concat", "batch rest", "wide", axis=0), node("Expand", "token wide", "tokens"),
        node("Concat", "tokens x", "t", axis=1), node("Add", "t places", "p"), node("LayerNormalization", "p s", "y", axis=-1)],
        ["N", 6, 8], AT + [ints("rest", 1, 8), weight("token", 1, 1, 8), weight("places", 1, 7, 8), weight("s", 8)]),
    "heads": (SIZE_OF_BATCH + [
        node("Concat", "batch apart", "split", axis=0), node("Reshape", "x split", "h"),
        node("Transpose", "h", "q", perm=[0, 2, 1, 3]), node("Transpose", "h", "k", perm=[0, 2, 3, 1]),
        node("MatMul", "q k", "s"), node("Softmax", "s", "a"), node("MatMul", "a q", "o"),
        node("Transpose", "o", "t", perm=[0, 2, 1, 3]), node("Concat", "batch whole", "joined", axis=0),
        node("Reshape", "t joined", "y")], ["N", 6, 8], AT + [ints("apart", 6, 2, 4), ints("whole", 6, 8)]),
    "tokens before samples, in one dimension": ([
        node("Transpose", "x", "t", perm=[1, 0, 2]), node("Reshape", "t flat", "f"), node("Gemm", "f v b", "g"),
        node("Reshape", "g apart", "a"), node("Softmax", "a", "p", axis=2), node("Transpose", "p", "y", perm=[1, 0, 2])],
        ["N", 6, 8], [ints("flat", -1, 8), weight("v", 8, 4), weight("b", 4), ints("apart", 6, -1, 4)]),
    "samples behind": ([node("Add", "x c", "s"), node("Softmax", "s", "y", axis=0)], [3, "N", 2], [weight("c", 3, 1, 2)]),
    "samples behind, and before": ([node("MatMul", "v x", "p"), node("Transpose", "p", "y")], [3, "N"], [weight("v", 2, 3)]),
    "windows, more of them than samples": ([
        node("Reshape", "x cut", "c"), node("Transpose", "c", "t", perm=[0, 1, 3, 2, 4, 5]), node("Reshape", "t flat", "w"),
        node("Softmax", "w", "y", axis=1)], ["N", 4, 4, 3], [ints("cut", -1, 2, 2, 2, 2, 3), ints("flat", -1, 4, 3)]),
    "sequences": ([
        node("Transpose", "x", "t", perm=[1, 0, 2]), node("LSTM", "t w r", "o h", hidden_size=3),
        node("Squeeze", "o one", "s"), node("Transpose", "s", "z", perm=[1, 0, 2]), node("Squeeze", "h zero", "last"),
        node("Unsqueeze", "last one", "u"), node("Add", "z u", "y")], ["N", 5, 4],
        [weight("w", 1, 12, 4), weight("r", 1, 12, 3), ints("one", 1), ints("zero", 0)]),
    "a size from the shape": (SIZE_OF_BATCH + [
        node("Concat", "batch rest", "to", axis=0),
        node("Resize", "x none none to", "y", mode="linear")], ["N", 2, 3, 4],
        AT + [ints("rest", 2, 6, 5), tensor("none", np.zeros(0, np.float32))]),
    "samples of a map, where each says": ([
        node("Reshape", "x at", "g"), node("Conv", "x w", "c"), node("GridSample", "c g", "y")], ["N", 2, 3, 4],
        [ints("at", 0, 3, 4, 2), weight("w", 3, 2, 1, 1)]),
    "zeros, one row a sample": (SIZE_OF_BATCH + [
        node("Concat", "batch four", "to", axis=0), node("ConstantOfShape", "to", "z"), node("Concat", "x z", "y", axis=1)],
        ["N", 3], AT + [ints("four", 4)]),
    "parts": ([
        node("Split", "x", "p q", axis=1), node("Slice", "p from to along", "s"), node("Pad", "s pads", "d"),
        node("CumSum", "d axis", "u"), node("ReduceMean", "u", "m", axes=[1], keepdims=0), node("TopK", "q k", "v i", axis=1),
        node("Cast", "i", "f", to=TensorProto.FLOAT), node("Mul", "v f", "w"), node("ReduceSum", "w along", "e", keepdims=0),
        node("Sub", "m e", "y")], ["N", 6, 4],
        [ints("from", 1), ints("to", 3), ints("along", 1), ints("pads", 0, 1, 0, 0, 0, 0), ints("axis", 1), ints("k", 2)]),
    "sums by labels": ([node("Einsum", "x w", "e", equation="bij,jk->kbi"), node("Transpose", "e", "y", perm=[1, 0, 2])],
                       ["N", 3, 4], [weight("w", 4, 2)]),
    "blocks of pixels": ([node("SpaceToDepth", "x", "s", blocksize=2), node("Tile", "s twice", "y")], ["N", 2, 4, 4],
                         [ints("twice", 1, 2, 1, 1)]),
    "tokens and their numbers": ([
        node("ArgMax", "x", "i", axis=2, keepdims=0), node("Gather", "table i", "g"), node("OneHot", "i depth values", "h"),
        node("MatMul", "h v", "m"), node("Add", "g m", "y")], ["N", 3, 4],
        [weight("table", 4, 5), weight("v", 4, 5), ints("depth", 4), tensor("values", np.float32([0, 1]))]),
}

MIXED = {
    "a mean of all samples": ([node("ReduceMean", "x", "m", axes=[0], keepdims=1), node("Sub", "x m", "y")], ["N", 3], [], "ReduceMean"),
    "probabilities of samples": ([node("Softmax", "x", "y", axis=0)], ["N", 3], [], "Softmax"),
    "samples with each other": ([node("Transpose", "x", "t"), node("MatMul", "x t", "y")], ["N", 3], [], "MatMul"),
    "places before samples, cut elsewhere": ([
        node("Transpose", "x", "t", perm=[1, 0, 2]), node("Reshape", "t flat", "f"), node("Softmax", "f", "y")],
        ["N", 3, 4], [ints("flat", 4, -1)], "Reshape"),
    "places of samples that lie otherwise": ([
        node("Transpose", "x", "t", perm=[1, 0, 2]), node("Reshape", "t flat", "f"), node("Reshape", "x flat", "g"),
        node("Add", "f g", "y")], ["N", 3, 4], [ints("flat", -1, 4)], "Add"),
    "how many there are": (SIZE_OF_BATCH + [node("Cast", "batch", "n", to=TensorProto.FLOAT), node("Div", "x n", "y")],
                           ["N", 3], AT, "Div"),
    "a batch that is resized": ([node("Resize", "x none larger", "y", mode="linear")], ["N", 2, 3, 4],
                                [tensor("none", np.zeros(0, np.float32)), tensor("larger", np.float32([1.1, 1, 2, 1]))], "Resize"),
    "which one it is": ([node("Shape", "x", "sizes"), node("Gather", "sizes zero", "n"), node("Range", "zero n one", "i"),
                         node("Cast", "i", "f", to=TensorProto.FLOAT), node("Reshape", "f column", "c"), node("Add", "x c", "y")],
                        ["N", 3], [tensor("zero", np.int64(0)), tensor("one", np.int64(1)), ints("column", -1, 1)], "Add"),
    "the largest samples": ([node("TopK", "x k", "y i", axis=0)], ["N", 3], [ints("k", 1)], "TopK"),
    "a dimension that goes with the last sample": ([node("Squeeze", "x", "y")], ["N", 3], [], "Squeeze"),
    "indices of all pixels": ([node("MaxPool", "x", "m i", kernel_shape=[2, 2]), node("Cast", "i", "f", to=TensorProto.FLOAT),
                               node("Add", "m f", "y")], ["N", 2, 4, 4], [], "MaxPool"),
    "an input with samples twice": ([node("Relu", "x", "y")], ["N", "N"], [], "input 'x' has samples along two"),
    "an output with samples in groups": ([node("Transpose", "x", "t", perm=[1, 0, 2]), node("Reshape", "t flat", "y")],
                                         ["N", 3, 4], [ints("flat", -1, 4)], "output 'y'"),
}


def made(nodes, shape, initializers):
    return model(nodes, [("x", shape)], [("y", None)], initializers)


def samples(shape, count):
    return RNG.standard_normal([count if d == "N" else d for d in shape]).astype(np.float32)


def expected_of(onnx, x):
    session = onnxruntime.InferenceSession(encoded(onnx), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def agrees(got, expected):
    return got.shape == expected.shape and np.allclose(got, expected, rtol=1e-4, atol=1e-5)


def check_apart(checks, name, nodes, shape, initializers, folder):
    onnx = made(nodes, shape, initializers)
    path = folder / "m.onnx"
    path.write_bytes(encoded(onnx))
    target = folder / "c"
    compile_model(path, target, "--dim", f"N=1..{MOST}")
    binary = build(target, "cc", "-O1")
    for count in COUNTS:
        x = samples(shape, count)
        np.savez(folder / "in.npz", x=x)
        expected = expected_of(onnx, x)
        got, _ = run_testbench(binary, folder / "in.npz", folder / "out.npz", poison=85)
        checks.check(f"{name}: {count} samples, compiled", agrees(got["y"], expected))
        subprocess.run([FOVEA, "run", path, "--input", folder / "in.npz", "--output", folder / "out.npz", "--interpret",
                        "--dim", f"N=1..{MOST}"], check=True)
        checks.check(f"{name}: {count} samples, interpreted", agrees(np.load(folder / "out.npz")["y"], expected))


def check_mixed(checks, name, nodes, shape, initializers, culprit):
    checks.refused(name, made(nodes, shape, initializers), UNSUPPORTED, re.escape(culprit), "give --dim 'N'=N",
                   options=("--dim", f"N=1..{MOST}"))


def run():
    checks = Checks()
    for name, case in APART.items():
        with tempfile.TemporaryDirectory() as folder:
            check_apart(checks, name, *case, pathlib.Path(folder))
    for name, case in MIXED.items():
        check_mixed(checks, name, *case)
    finish(checks)


if __name__ == "__main__":
    run()
