"""Inputs that are given when compiling (--constant): what they decide is decided then, they are inputs no more, and
outputs are ONNX Runtime's with the same values; values that do not fit are refused."""
import os
import subprocess
import sys

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
import onnxruntime
from hostile import FOVEA, USAGE, Checks, encoded, finish, model, node
from onnx import TensorProto

onnxruntime.set_default_logger_severity(3)
X = np.random.default_rng(5).standard_normal((2, 6)).astype(np.float32)
TAKEN = {
    "a list": (node("Slice", "x v w axes", "y"), {"v": [1], "w": [5], "axes": [1]}, ["v=1", "w=5", "axes=1"]),
    "a list of an open length": (node("ReduceSum", "x axes", "y"), {"axes": [0, -1]}, ["axes=0,-1"]),
    "an array of a file": (node("Tile", "x v", "y"), {"v": [2, 3]}, ["v={file}"]),
    "a number": (node("Clip", "x low high", "y"), {"low": np.float32(-0.5), "high": np.float32(0.25)}, ["low=-0.5", "high=2.5e-1"]),
    "a truth value, and one left as it is": (node("Where", "c x low", "y"), {"c": np.bool_(False), "low": np.float32(3)}, ["c=0"]),
}
SHAPES = {"v": [None], "w": [None], "axes": [None], "low": [], "high": [], "c": []}
TYPES = {"low": TensorProto.FLOAT, "high": TensorProto.FLOAT, "c": TensorProto.BOOL, "b": TensorProto.INT8}
REFUSED = {
    "no input of that name": ("z=1", USAGE, "no input of that name"),
    "no value": ("axes", USAGE, "NAME=VALUE"),
    "a word": ("axes=one", USAGE, "expected numbers of type int64"),
    "a number behind nothing": ("axes=1,,2", USAGE, "expected numbers"),
    "a fraction": ("axes=1.5", USAGE, "expected numbers of type int64"),
    "too many numbers": ("b=1,2", USAGE, "2 numbers, but the input is"),
    "a number beyond the type": ("b=200", USAGE, "expected numbers of type int8"),
    "a file without the array": ("b={file}", USAGE, "has no array of that name"),
    "an array of another type": ("axes={file}", USAGE, "the array is float"),
}


def made(computed, names):
    shapes = {**SHAPES, "b": []}
    inputs = [("x", [2, 6])] + [(n, shapes[n], TYPES.get(n, TensorProto.INT64)) for n in names]
    return model([computed], inputs, opset=18)


def check(checks, what, computed, given, options):
    path, file, out = (checks.path / name for name in ("m.onnx", "given.npz", "out.npz"))
    onnx = made(computed, given)
    path.write_bytes(encoded(onnx))
    arrays = {name: np.array(value, np.int64 if isinstance(value, list) else None) for name, value in given.items()}
    fixed = {option.split("=")[0] for option in options}
    np.savez(file, **arrays)
    np.savez(checks.path / "in.npz", x=X, **{name: array for name, array in arrays.items() if name not in fixed})
    words = [word for option in options for word in ("--constant", option.format(file=file))]
    done = subprocess.run([FOVEA, "run", path, *words, "-i", checks.path / "in.npz", "-o", out], capture_output=True, text=True)
    if not checks.check(what, done.returncode == 0, done.stderr):
        return
    expected = onnxruntime.InferenceSession(encoded(onnx)).run(None, {"x": X, **arrays})[0]
    got = np.load(out)["y"]
    checks.check(what, got.shape == expected.shape and np.allclose(got, expected, rtol=1e-6), "other results")


def main():
    checks = Checks()
    for what, case in TAKEN.items():
        check(checks, what, *case)
    file = checks.path / "other.npz"
    np.savez(file, axes=np.float32([1]))
    computed = node("ReduceSum", "x axes", "y")
    for what, (option, status, words) in REFUSED.items():
        checks.refused(what, made(computed, ["axes", "b"]), status, words, options=("--constant", option.format(file=file)))
    finish(checks)


if __name__ == "__main__":
    main()
