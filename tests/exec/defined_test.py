"""Numbers at their edges: constants keep every bit in each of the weight modes, and what C leaves undefined is defined.
Generated code runs under gcc's and clang's sanitizers, and the interpreter gives the same."""
import itertools
import os
import subprocess
import sys

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
from generated import build
from generated import run as run_testbench
from hostile import FOVEA, Checks, finish, model, node, tensor
from onnx import TensorProto, helper

checks = Checks()
SANITIZE = ["-O1", "-g", "-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all"]
MODES = ("inline", "object", "file")
NUMPY = {TensorProto.FLOAT: np.float32, TensorProto.DOUBLE: np.float64, TensorProto.FLOAT16: np.float16, TensorProto.INT8: np.int8,
         TensorProto.UINT8: np.uint8, TensorProto.INT16: np.int16, TensorProto.UINT16: np.uint16, TensorProto.INT32: np.int32,
         TensorProto.UINT32: np.uint32, TensorProto.INT64: np.int64, TensorProto.UINT64: np.uint64, TensorProto.BOOL: np.bool_}
INTEGERS = [t for t, numpy_type in NUMPY.items() if numpy_type(0).dtype.kind in "iu"]


def bits(array):
    return array.view(np.dtype(f"u{array.dtype.itemsize}"))


def same_bits(a, b):
    return a.shape == b.shape and a.dtype.itemsize == b.dtype.itemsize and np.array_equal(bits(a), bits(b))


def same(a, b):
    """Equal, where NaN is NaN whatever its payload, and zeros have their signs."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype.kind != "f":
        return np.array_equal(a, b)
    return np.array_equal(a, b, equal_nan=True) and np.array_equal(np.signbit(a[a == 0]), np.signbit(b[b == 0]))


def results(what, given, inputs, options=(), compilers=("gcc", "clang")):
    """What generated code gives, by each compiler, and the interpreter; all of it was checked to be the same."""
    folder = checks.accepted(what, given, ("--name", "model", "--testbench", *options))
    if folder is None:
        return None
    np.savez(folder / "in.npz", **inputs)
    os.chdir(folder)  # where model.weights lies
    found = {}
    for compiler in compilers:
        found[compiler], _ = run_testbench(build(folder, compiler, *SANITIZE), "in.npz", "out.npz")
    done = subprocess.run([FOVEA, "run", checks.path / "bad.onnx", "--interpret", "--input", "in.npz", "--output", "out.npz"],
                          capture_output=True, text=True)
    if checks.check(f"{what}: interpreted", done.returncode == 0, done.stderr):
        found["the interpreter"] = dict(np.load("out.npz"))
    first = found[compilers[0]]
    for by, arrays in found.items():
        for key, array in arrays.items():
            checks.check(f"{what}: {key} by {by}", same(array, first[key]), f"{array.ravel()[:8]} and {first[key].ravel()[:8]}")
    return first


def edge_bits(width):
    """Patterns of that many bits: of floats NaNs with payloads, quiet and signalling, infinities, zeros, denormals."""
    exponent, fraction = {16: (5, 10), 32: (8, 23), 64: (11, 52)}[width]
    top = ((1 << exponent) - 1) << fraction
    positive = [0, 1, 2, (1 << fraction) - 1, 1 << fraction, top - 1, top, top | 1, top | 1 << fraction - 1, top | (1 << fraction) - 1,
                top | 0x55 << 1, 0x3C << width - 8, 0x3F << width - 8, 12345]
    return np.array(positive + [p | 1 << width - 1 for p in positive], f"u{width // 8}")


def test_constants():
    arrays = {TensorProto.FLOAT: edge_bits(32), TensorProto.DOUBLE: edge_bits(64), TensorProto.FLOAT16: edge_bits(16),
              TensorProto.BFLOAT16: edge_bits(16), TensorProto.BOOL: np.array([0, 1, 1, 0], np.uint8),
              TensorProto.FLOAT8E4M3FN: np.arange(256, dtype=np.uint8), TensorProto.FLOAT8E5M2: np.arange(256, dtype=np.uint8)}
    for t in INTEGERS:
        limits = np.iinfo(NUMPY[t])
        arrays[t] = np.array([limits.min, limits.max, 0, 1, limits.max - 1, limits.min + 1, limits.max // 2], NUMPY[t])
    nodes, outputs, constants, expected = [], [], [], {}
    for t, array in arrays.items():
        name = TensorProto.DataType.Name(t).lower()
        constants.append(TensorProto(name=name, data_type=t, dims=array.shape, raw_data=array.tobytes()))
        constants.append(tensor(f"{name}_back", np.arange(array.size - 1, -1, -1, dtype=np.int64)))
        nodes += [node("Identity", name, f"{name}_copy")]
        outputs += [(f"{name}_copy", None)]
        expected[f"{name}_copy"] = array
        if "FLOAT8" not in name.upper():
            nodes += [node("Gather", f"{name} row", f"{name}_gathered"), node("Concat", f"{name} {name}", f"{name}_twice", axis=0)]
            outputs += [(f"{name}_gathered", None), (f"{name}_twice", None)]
            expected[f"{name}_gathered"], expected[f"{name}_twice"] = array[[0, 3, -1]], np.concatenate([array, array])
    given = model(nodes, inputs=(("row", [3], TensorProto.INT64),), outputs=outputs, initializers=constants, opset=19)
    for mode in MODES:
        got = results(f"constants, {mode}", given, {"row": np.array([0, 3, -1])}, ("--weights", mode))
        for key, array in expected.items() if got is not None else ():
            checks.check(f"constants, {mode}: {key}", same_bits(got[key], array), f"{bits(got[key])}, expected {bits(array)}")


def test_moves_keep_bits():
    """What only moves floats moves their bits."""
    x = edge_bits(32).view(np.float32).reshape(4, 7)
    nodes = [node("Transpose", "x", "turned", perm=[1, 0]), node("Reshape", "x shape", "shaped"), node("Slice", "x one two", "cut"),
             node("Where", "yes x x", "chosen"), node("Expand", "x wide", "wider"), node("Tile", "x twice", "tiled"),
             node("Flatten", "x", "flat", axis=0), node("Split", "x", "up down", axis=0)]
    ints = lambda name, *values: tensor(name, np.array(values, np.int64))
    given = model(nodes, inputs=(("x", [4, 7]), ("yes", [1], TensorProto.BOOL)),
                  outputs=[(n, None) for n in "turned shaped cut chosen wider tiled flat up down".split()],
                  initializers=[ints("shape", 2, 14), ints("one", 1), ints("two", 3), ints("wide", 2, 4, 7), ints("twice", 1, 2)])
    got = results("moves", given, {"x": x, "yes": np.array([True])})
    expected = {"turned": x.T, "shaped": x.reshape(2, 14), "cut": x[1:3], "chosen": x, "wider": np.stack([x, x]), "tiled": np.tile(x, (1, 2)),
                "flat": x.reshape(1, 28), "up": x[:2], "down": x[2:]}
    for key, array in expected.items() if got is not None else ():
        checks.check(f"moves: {key}", same_bits(got[key], np.ascontiguousarray(array)), bits(got[key]))


def test_integers():
    """Two's complement, as NumPy has it; division by zero gives 0, which the reference leaves open."""
    for t in INTEGERS:
        limits, numpy_type = np.iinfo(NUMPY[t]), NUMPY[t]
        edges = [limits.min, limits.max, 0, 1, 2, limits.max - 1, 7] + ([-1, -2] if limits.min < 0 else [3, 5])
        a, b = (np.array(side, numpy_type) for side in zip(*itertools.product(edges, edges)))
        name = TensorProto.DataType.Name(t)
        operators = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply}
        nodes = [node(o, "a b", o) for o in ("Add", "Sub", "Mul", "Div", "Mod", "BitShift_left", "BitShift_right", "Max", "Min", "Equal", "Less")]
        for n in nodes:
            if n.op_type.startswith("BitShift"):
                n.attribute.append(helper.make_attribute("direction", n.op_type[9:].upper()))
                n.op_type = "BitShift"
        nodes += [node("Mod", "a b", "fmod", fmod=1), node("Abs", "a", "Abs"), node("Sign", "a", "Sign"), node("BitwiseNot", "a", "BitwiseNot")]
        if limits.min < 0:
            nodes += [node("Neg", "a", "Neg")]
        if numpy_type in (np.int32, np.int64):
            nodes += [node("Pow", "a b", "Pow"), node("Cast", "a", "float", to=TensorProto.FLOAT)]
        if limits.bits >= 32:
            nodes += [node("ReduceSum", "a", "ReduceSum", keepdims=0), node("ReduceProd", "a", "ReduceProd", keepdims=0)]
            nodes += [node("CumSum", "a axis", "CumSum"), node("MatMul", "a b", "MatMul")]
        given = model(nodes, inputs=(("a", [a.size], t), ("b", [b.size], t)), outputs=[(n.output[0], None) for n in nodes],
                      initializers=[tensor("axis", np.int64(0))] if any("axis" in n.input for n in nodes) else [], opset=18)
        got = results(name, given, {"a": a, "b": b}, compilers=("gcc" if limits.min else "clang",))
        if got is None:
            continue
        with np.errstate(all="ignore"):
            expected = {o: f(a, b) for o, f in operators.items()}
            quotient = [0 if y == 0 else abs(int(x)) // abs(int(y)) * (1 if (x < 0) == (y < 0) else -1) for x, y in zip(a.tolist(), b.tolist())]
            expected["Div"] = np.array([q & (1 << limits.bits) - 1 for q in quotient], f"u{limits.bits // 8}").view(numpy_type)
            expected["Mod"] = np.array([0 if y == 0 else x % y for x, y in zip(a.tolist(), b.tolist())], numpy_type)
            expected["Abs"] = np.abs(a)
            if "CumSum" in got:
                expected["CumSum"] = np.cumsum(a, dtype=numpy_type)
            if "ReduceSum" in got:
                expected["ReduceSum"] = np.sum(a, dtype=numpy_type)
            if limits.min == 0:
                wide = np.array([0 if y >= limits.bits else (x << y) & limits.max for x, y in zip(a.tolist(), b.tolist())], numpy_type)
                expected["BitShift_left"] = wide
                expected["BitShift_right"] = np.array([0 if y >= limits.bits else x >> y for x, y in zip(a.tolist(), b.tolist())], numpy_type)
        for key, array in expected.items():
            checks.check(f"{name} {key}", same(got[key], np.asarray(array)), f"{got[key]}, expected {array}")


def test_casts():
    """Floats to integers: towards zero; out of range the nearest end, and NaN 0."""
    edges = [0, -0.0, 0.5, -0.5, 1.9, -1.9, 127, 128, -128, -129, 255, 256, 32767, 32768, -32769, 65535, 65536, 2147483647, 2147483648, -2147483648,
             -2147483649, 4294967295, 4294967296, 2**53, 2**63, -2**63, 2**64, 1e30, -1e30, 3e38, -3e38, np.inf, -np.inf, np.nan, 1e-45]
    for source in (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16):
        with np.errstate(all="ignore"):
            x = np.array(edges, np.float64).astype(NUMPY[source])
        name = TensorProto.DataType.Name(source)
        targets = INTEGERS + [TensorProto.BOOL, TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16]
        nodes = [node("Cast", "x", TensorProto.DataType.Name(t), to=t) for t in targets if t != source]
        given = model(nodes, inputs=(("x", [x.size], source),), outputs=[(n.output[0], None) for n in nodes])
        got = results(f"from {name}", given, {"x": x}, compilers=("clang",))
        if got is None:
            continue
        for t in INTEGERS:
            limits = np.iinfo(NUMPY[t])
            whole = [0 if v != v else limits.max if v >= limits.max else limits.min if v <= limits.min else int(v) for v in x.astype(np.float64).tolist()]
            array = np.array(whole, NUMPY[t])
            checks.check(f"from {name} to {t}", same(got[TensorProto.DataType.Name(t)], array), f"{got[TensorProto.DataType.Name(t)]}, expected {array}")
        checks.check(f"from {name} to bool", np.array_equal(got["BOOL"], x != 0), got["BOOL"])


def test_indices():
    """An index out of range is that of the nearest end; what is not there is not read or written."""
    i64 = TensorProto.INT64
    indices = np.array([0, 3, 4, -1, -4, -5, 1 << 40, -(1 << 63), (1 << 63) - 1])
    n = indices.size
    nodes = [node("Gather", "x i", "rows"), node("GatherElements", "x wide", "elements", axis=0), node("GatherND", "x pairs", "points"),
             node("ScatterElements", "x wide u", "scattered", axis=0), node("ScatterND", "x pairs v", "put"), node("OneHot", "i depth values", "hot"),
             node("Gather", "x i", "columns", axis=1), node("ScatterElements", "x wide u", "added", axis=0, reduction="add")]
    given = model(nodes, inputs=(("x", [4, 3]), ("i", [n], i64), ("wide", [n, 3], i64), ("pairs", [n, 2], i64), ("u", [n, 3]), ("v", [n]), ("values", [2])),
                  outputs=[(m.output[0], None) for m in nodes], initializers=[tensor("depth", np.int64(4))], opset=16)
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    wide = np.stack([indices] * 3, axis=1)
    got = results("indices", given, {"x": x, "i": indices, "wide": wide, "pairs": wide[:, :2], "u": np.ones((n, 3), np.float32),
                                     "v": np.ones(n, np.float32), "values": np.array([0, 1], np.float32)})
    if got is None:
        return
    clamped = [0, 3, 3, 3, 0, 0, 3, 0, 3]
    checks.check("indices: rows", np.array_equal(got["rows"], x[clamped]), got["rows"])
    checks.check("indices: elements", np.array_equal(got["elements"], x[clamped]), got["elements"])
    hot = np.zeros((n, 4), np.float32)
    for row, column in enumerate([0, 3, None, 3, 0, None, None, None, None]):
        if column is not None:
            hot[row, column] = 1
    checks.check("indices: hot", np.array_equal(got["hot"], hot), got["hot"])


def test_floats():
    """Softmax of rows of -inf and others, means of nothing, NaN in comparisons: as the ONNX reference gives them."""
    inf, nan = np.inf, np.nan
    x = np.array([[-inf, -inf, -inf], [inf, 0, 0], [inf, inf, 0], [nan, 0, 0], [3e38, 3e38, -3e38], [-inf, 0, -inf], [0, 0, 0], [1e-45, -1e-45, 0]], np.float32)
    unary = ("Softmax LogSoftmax Sqrt Log Exp Tanh Erf Sigmoid Softplus Floor Ceil Round Sign Abs Neg Relu Reciprocal Sin Cos Tan Atan Asin Acos Sinh Cosh "
             "Asinh Acosh Atanh Selu Elu Gelu HardSwish Mish HardSigmoid Softsign IsNaN").split()
    nodes = [node(o, "x", o) for o in unary]
    nodes += [node(o, "x y", o) for o in "Add Sub Mul Div Pow Max Min Less Greater Equal".split()] + [node("Mod", "x y", "Mod", fmod=1)]
    nodes += [node(o, "x", o, axis=1) for o in ("ArgMax", "ArgMin")]
    nodes += [node(o, "x one", o) for o in "ReduceMax ReduceMin ReduceSum ReduceMean ReduceProd ReduceL2 ReduceLogSumExp".split()]
    nodes += [node("TopK", "x k", "top where"), node("LayerNormalization", "x s", "LayerNormalization"), node("Clip", "x high low", "Clip"),
              node("IsInf", "x", "IsInf"), node("CumSum", "x axis", "CumSum"), node("Transpose", "y", "t", perm=[1, 0]), node("MatMul", "x t", "MatMul")]
    y = x[::-1].copy()
    given = model(nodes, inputs=(("x", list(x.shape)), ("y", list(x.shape))), outputs=[(o, None) for n in nodes for o in n.output],
                  initializers=[tensor("one", np.array([1])), tensor("k", np.array([3])), tensor("s", np.ones(3, np.float32)),
                                tensor("axis", np.int64(1)), tensor("high", np.float32(1)), tensor("low", np.float32(-1))], opset=20)
    got = results("floats", given, {"x": x, "y": y}) or {}
    if not got:
        return
    from onnx.reference import ReferenceEvaluator

    with np.errstate(all="ignore"):
        expected = dict(zip((o.name for o in given.graph.output), ReferenceEvaluator(given).run(None, {"x": x, "y": y})))
    for key in ("Softmax LogSoftmax Sqrt Log Exp Tanh Sigmoid Floor Ceil Round Abs Neg Add Sub Mul Div Max Min Less Greater Equal ReduceMax ReduceMin "
                "ReduceSum IsNaN IsInf").split():
        close = got[key].shape == expected[key].shape and np.allclose(got[key].astype(np.float64), expected[key].astype(np.float64), 1e-5, 1e-30, equal_nan=True)
        checks.check(f"floats: {key}", close, f"{got[key].tolist()}, expected {expected[key].tolist()}")
    checks.check("floats: a row of -inf", np.isnan(got["Softmax"][0]).all(), got["Softmax"][0])


def test_misuse():
    """Wrong memory is refused, with a status of its own."""
    folder = checks.accepted("misuse", model([node("Softmax", "x", "h"), node("MatMul", "h w", "y")],
                                             initializers=[tensor("w", np.ones((3, 2), np.float32))]), ("--name", "model", "--weights", "file"))
    if folder is None:
        return
    (folder / "main.c").write_text("""
#include "model.h"
#include <stdlib.h>
static _Alignas(64) unsigned char memory[MODEL_WORKSPACE + 64], weights[MODEL_WEIGHTS + 64];
int main(void) {
    float x[MODEL_X_SIZE] = {0}, y[MODEL_Y_SIZE];
    model_context context = {0};
    if (model_run(&context, x, y) != MODEL_NO_WORKSPACE) return 1;
    context.workspace = memory + 4;
    if (model_run(&context, x, y) != MODEL_UNALIGNED_WORKSPACE) return 2;
    context.workspace = memory;
    if (model_run(&context, x, y) != MODEL_NO_WEIGHTS) return 3;
    context.weights = weights + 4;
    if (model_run(&context, x, y) != MODEL_UNALIGNED_WEIGHTS) return 4;
    context.weights = weights;
    if (model_run(&context, x, y) != MODEL_OK) return 5;
    return model_check_weights(weights) == MODEL_WRONG_WEIGHTS ? 0 : 6;
}
""")
    subprocess.run(["gcc", "-std=c11", "-fsanitize=address,undefined", "-I", folder, folder / "main.c", folder / "model.c", "-o", folder / "main", "-lm"], check=True)
    done = subprocess.run([folder / "main"])
    checks.check("misuse", done.returncode == 0, f"status {done.returncode}")


test_constants()
test_moves_keep_bits()
test_integers()
test_casts()
test_indices()
test_floats()
test_misuse()
os.chdir("/")
finish(checks)
