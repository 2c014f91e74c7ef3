"""`fovea compile` on dimensions and shapes that do not fit: negative, symbolic, huge, contradicting, per operator.
What is empty, or large without being in the file, is accepted within bounds of memory and time."""
import os
import sys

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
from generated import build
from generated import run as run_testbench
from hostile import INVALID, UNSUPPORTED, USAGE, Checks, finish, model, node, tensor
from onnx import TensorProto

checks = Checks()
INT64_MIN, INT64_MAX = -(1 << 63), (1 << 63) - 1
REFUSED = (INVALID, UNSUPPORTED)


def ints(name, *values):
    return tensor(name, np.array(values, np.int64))


def test_dimensions():
    relu = [node("Relu", "x", "y", "relu")]
    shaped = lambda *dims: model(relu, inputs=(("x", list(dims)),))
    checks.refused("a negative dimension", shaped(2, -3), INVALID, "'x'", "-3")
    checks.refused("INT64_MIN", shaped(INT64_MIN), INVALID, "'x'", str(INT64_MIN))
    for dims in ([INT64_MAX], [INT64_MAX, INT64_MAX], [1 << 32, 1 << 32], [1 << 16, 1 << 16], [0, INT64_MAX, INT64_MAX],
                 [1 << 31]):
        checks.refused(f"dimensions {dims}", shaped(*dims), REFUSED, "'relu'|'x'")
    checks.refused("rank 9", shaped(*[1] * 9), REFUSED, "'x'", "9")
    checks.refused("rank 1000", shaped(*[1] * 1000), REFUSED, "'x'", "1000")
    checks.accepted("rank 8", shaped(*[2] * 8))
    checks.accepted("rank 0", shaped())


def test_symbols():
    relu = model([node("Relu", "x", "y")], inputs=(("x", ["N", 3, "height"]),))
    checks.refused("symbolic", relu, UNSUPPORTED, "'x'", r"--dim 'N'=N", r"--dim 'height'=N")
    checks.refused("one symbol given", relu, UNSUPPORTED, r"--dim 'height'=N", options=("--dim", "N=4"))
    checks.accepted("all symbols given", relu, options=("--dim", "N=4", "--dim", "height=2"))
    checks.accepted("the shape given", relu, options=("--shape", "x=4x3x2"))
    for option in ("N", "N=", "=4", "N=four", "N=-1", "N=4x", "N=99999999999999999999", "M=4"):
        checks.refused(f"--dim {option}", relu, (USAGE,) + REFUSED, options=("--dim", option, "--dim", "height=2"))
    for option in ("x", "x=", "x=4", "x=4x3x-2", "x=4x9x2", "x=1x1x1x1x1x1x1x1x1", "z=4x3x2", "x=4x3x2x"):
        checks.refused(f"--shape {option}", relu, USAGE, options=("--shape", option))
    checks.refused("a huge symbol", relu, REFUSED, options=("--dim", f"N={INT64_MAX}", "--dim", "height=2"))
    checks.refused("unknown", model([node("Relu", "x", "y")], inputs=(("x", [2, None]),)), UNSUPPORTED, "--shape 'x'")
    checks.refused("no shape at all", model([node("Relu", "x", "y")], inputs=(("x", None),)), UNSUPPORTED, "--shape 'x'")
    hostile = model([node("Relu", "x", "y")], inputs=(("x", ["\x1b[2J\n", "\u202eabc"]),))
    checks.refused("symbols that steer the terminal", hostile, UNSUPPORTED, "--dim")


def test_empty():
    """Loops do not run, and C has no empty arrays; a sum of nothing is 0."""
    nodes = [node("Relu", "x", "a"), node("Add", "a w", "y"), node("ReduceSum", "x axis", "sum", keepdims=0),
             node("Concat", "x x", "both", axis=0), node("MatMul", "x k", "product"), node("Concat", "full x", "whole", axis=0),
             node("Softmax", "x", "soft"), node("Identity", "nothing", "none")]
    given = model(nodes, inputs=(("x", [0, 3]), ("full", [2, 3])),
                  outputs=[(name, None) for name in "y sum both product whole soft none".split()],
                  initializers=[tensor("w", np.ones((1, 3), np.float32)), ints("axis", 0), tensor("nothing", np.zeros((4, 0), np.float32)),
                                tensor("k", np.ones((3, 5), np.float32))])
    folder = checks.accepted("empty tensors", given)
    if folder is None:
        return
    full = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.savez(folder / "in.npz", x=np.zeros((0, 3), np.float32), full=full)
    for compiler in ("gcc", "clang"):
        got, _ = run_testbench(build(folder, compiler, "-fsanitize=address,undefined"), folder / "in.npz", folder / "out.npz")
        shapes = {name: array.shape for name, array in got.items()}
        checks.check("empty tensors", shapes == {"y": (0, 3), "sum": (3,), "both": (0, 3), "product": (0, 5), "whole": (2, 3),
                                                 "soft": (0, 3), "none": (4, 0)}, shapes)
        checks.check("a sum of nothing", not got["sum"].any(), got["sum"])
        checks.check("with nothing before it", np.array_equal(got["whole"], full), got["whole"])
    channels = model([node("Conv", "x w b", "y")], inputs=(("x", [1, 0, 4, 4]), ("w", [2, 0, 3, 3]), ("b", [2])))
    no_channels = checks.accepted("a convolution of no channels", channels)
    if no_channels is not None:
        np.savez(no_channels / "in.npz", x=np.zeros((1, 0, 4, 4), np.float32), w=np.zeros((2, 0, 3, 3), np.float32),
                 b=np.array([1, 2], np.float32))
        got, _ = run_testbench(build(no_channels, "gcc", "-fsanitize=address,undefined"), no_channels / "in.npz",
                               no_channels / "out.npz")
        checks.check("a convolution of no channels", np.array_equal(got["y"][0, :, 0, 0], [1, 2]), got)
    all_empty = checks.accepted("nothing but an empty tensor", model([node("Neg", "x", "y")], inputs=(("x", [0]),)))
    if all_empty is not None:
        np.savez(all_empty / "in.npz", x=np.zeros(0, np.float32))
        got, _ = run_testbench(build(all_empty, "gcc"), all_empty / "in.npz", all_empty / "out.npz")
        checks.check("nothing but an empty tensor", got["y"].shape == (0,), got)


def test_operators():
    """Each names its node."""
    def bad(what, op_type, inputs, *initializers, shape=(2, 3), patterns=(), opset=17, **attributes):
        given = model([node(op_type, inputs, "y", "culprit", **attributes)], inputs=(("x", list(shape)),),
                      initializers=initializers, opset=opset)
        checks.refused(what, given, REFUSED, "'culprit'", *patterns)

    bad("Reshape with two -1", "Reshape", "x s", ints("s", -1, -1), patterns=["-1"])
    bad("Reshape to -2", "Reshape", "x s", ints("s", -2, 3))
    bad("Reshape that does not divide", "Reshape", "x s", ints("s", 4, -1))
    bad("Reshape to another count", "Reshape", "x s", ints("s", 7))
    bad("Reshape of 0 beyond the rank", "Reshape", "x s", ints("s", 2, 3, 0))
    bad("Reshape that overflows", "Reshape", "x s", ints("s", 1 << 62, 4, 6))
    bad("Reshape to rank 9", "Reshape", "x s", ints("s", 6, 1, 1, 1, 1, 1, 1, 1, 1))
    bad("Slice by steps of 0", "Slice", "x a b c d", ints("a", 0), ints("b", 1), ints("c", 0), ints("d", 0))
    bad("Slice along an axis beyond", "Slice", "x a b c", ints("a", 0), ints("b", 1), ints("c", 2))
    bad("Slice along an axis twice", "Slice", "x a b c", ints("a", 0, 0), ints("b", 1, 1), ints("c", 1, -1))
    bad("Slice with fewer ends", "Slice", "x a b", ints("a", 0, 0), ints("b", 1))
    bad("Slice along INT64_MIN", "Slice", "x a b c", ints("a", 0), ints("b", 1), ints("c", INT64_MIN))
    for axis in (2, -3, INT64_MAX, INT64_MIN):
        bad(f"Softmax along {axis}", "Softmax", "x", axis=axis, patterns=[str(axis)])
        bad(f"Concat along {axis}", "Concat", "x x", axis=axis, patterns=[str(axis)])
        bad(f"ReduceSum along {axis}", "ReduceSum", "x a", ints("a", axis), patterns=[str(axis)])
        bad(f"Gather along {axis}", "Gather", "x i", ints("i", 0), axis=axis)
        bad(f"Split along {axis}", "Split", "x", axis=axis)
        bad(f"Squeeze along {axis}", "Squeeze", "x a", ints("a", axis))
        bad(f"ArgMax along {axis}", "ArgMax", "x", axis=axis)
    for axis in (4, -5, INT64_MIN):
        bad(f"Unsqueeze at {axis}", "Unsqueeze", "x a", ints("a", axis))
        bad(f"Flatten at {axis}", "Flatten", "x", axis=axis)
    bad("Unsqueeze twice at one place", "Unsqueeze", "x a", ints("a", 0, 0))
    bad("Squeeze of what is not 1", "Squeeze", "x a", ints("a", 1))
    for perm in ([0, 0], [0, 2], [0], [0, 1, 2], [-1, 0], [INT64_MIN, 0]):
        bad(f"Transpose by {perm}", "Transpose", "x", perm=perm)
    bad("Concat of different shapes", "Concat", "x w", tensor("w", np.ones((2, 4), np.float32)), axis=0)
    bad("Add of shapes that do not fit", "Add", "x w", tensor("w", np.ones((2, 4), np.float32)))
    bad("MatMul of shapes that do not fit", "MatMul", "x w", tensor("w", np.ones((2, 4), np.float32)))
    bad("Gemm of shapes that do not fit", "Gemm", "x w", tensor("w", np.ones((2, 4), np.float32)))
    bad("types that differ", "Add", "x w", ints("w", 1), patterns=["int64", "float"])
    bad("a type that is not taken", "Not", "x", patterns=["float"])
    bad("Split into more than there is", "Split", "x s", ints("s", 2, 2), axis=1)
    bad("Split into negative parts", "Split", "x s", ints("s", 4, -1), axis=1)
    bad("Cast to no type", "Cast", "x", to=99)
    bad("Expand that does not fit", "Expand", "x s", ints("s", 2, 4))
    bad("Expand to a negative size", "Expand", "x s", ints("s", -2, 3))
    for huge in (1 << 31, 1 << 40, INT64_MAX):
        bad(f"Expand to {huge}", "Expand", "x s", ints("s", huge, 1, 1))
        bad(f"Tile by {huge}", "Tile", "x s", ints("s", huge, 1))
        bad(f"Pad by {huge}", "Pad", "x s", ints("s", 0, huge, 0, 0))
        bad(f"a constant of {huge}", "ConstantOfShape", "s", ints("s", huge))
        bad(f"a range of {huge}", "Range", "a b c", ints("s"), tensor("a", np.int64(0)), tensor("b", np.int64(huge)),
            tensor("c", np.int64(1)))
    bad("Pad by both ends of int64", "Pad", "x s", ints("s", INT64_MAX, 0, INT64_MIN, 0))
    bad("Pad by too little", "Pad", "x s", ints("s", -2, 0, -2, 0))
    bad("Pad in no mode", "Pad", "x s", ints("s", 0, 1, 0, 0), mode="*/")
    bad("Pad by too few numbers", "Pad", "x s", ints("s", 0, 1, 0))
    bad("Tile by too few numbers", "Tile", "x s", ints("s", 2))
    bad("Tile by a negative number", "Tile", "x s", ints("s", 2, -1))
    bad("a range in steps of 0", "Range", "a b c", tensor("a", np.int64(0)), tensor("b", np.int64(3)), tensor("c", np.int64(0)))
    bad("MaxPool of rank 2", "MaxPool", "x", kernel_shape=[2])
    bad("AveragePool of rank 2", "AveragePool", "x", kernel_shape=[2])
    bad("Conv of rank 2", "Conv", "x x")
    bad("GlobalAveragePool of rank 1", "GlobalAveragePool", "x", shape=(3,))
    image = (1, 4, 8, 8)
    w = tensor("w", np.ones((6, 4, 3, 3), np.float32))
    bad("Conv of other channels", "Conv", "x w", tensor("w", np.ones((6, 3, 3, 3), np.float32)), shape=image)
    bad("Conv in groups that do not divide", "Conv", "x w", w, shape=image, group=3)
    bad("Conv in no groups", "Conv", "x w", w, shape=image, group=0)
    bad("Conv in -1 groups", "Conv", "x w", w, shape=image, group=-1)
    bad("Conv in INT64_MIN groups", "Conv", "x w", w, shape=image, group=INT64_MIN)
    bad("Conv larger than its input", "Conv", "x w", tensor("w", np.ones((6, 4, 9, 9), np.float32)), shape=image)
    for numbers in ([0, 1], [-1, 1], [INT64_MIN, 1], [1], [1, 1, 1]):
        bad(f"Conv by strides {numbers}", "Conv", "x w", w, shape=image, strides=numbers)
        bad(f"Conv with dilations {numbers}", "Conv", "x w", w, shape=image, dilations=numbers)
        bad(f"MaxPool with kernel {numbers}", "MaxPool", "x", shape=image, kernel_shape=numbers)
    for pads in ([INT64_MAX, 0, 0, 0], [INT64_MIN, 0, 0, 0], [1 << 40, 0, 0, 0], [-9, 0, 0, 0], [1, 1]):
        bad(f"Conv with pads {pads}", "Conv", "x w", w, shape=image, pads=pads)
        bad(f"AveragePool with pads {pads}", "AveragePool", "x", shape=image, kernel_shape=[2, 2], pads=pads)
    bad("Conv with dilations of INT64_MAX", "Conv", "x w", w, shape=image, dilations=[INT64_MAX, INT64_MAX])
    bad("Conv with no auto_pad", "Conv", "x w", w, shape=image, auto_pad="SOMEHOW")
    bad("BatchNormalization of other channels", "BatchNormalization", "x s s s s", tensor("s", np.ones(3, np.float32)), shape=image)
    bad("LayerNormalization of other sizes", "LayerNormalization", "x s", tensor("s", np.ones(3, np.float32)), shape=image)
    bad("DepthToSpace by 0", "DepthToSpace", "x", shape=image, blocksize=0)
    bad("DepthToSpace by INT64_MAX", "DepthToSpace", "x", shape=image, blocksize=INT64_MAX)
    bad("Trilu of rank 1", "Trilu", "x", shape=(3,))


def test_extremes_that_are_valid():
    """Slices clamp, whatever the numbers; reflection goes back and forth."""
    slices = [node("Slice", "x low high axes", "a"), node("Slice", "x high low axes back", "b"),
              node("Slice", "x low high axes most", "c"), node("Slice", "x high low axes least", "d"),
              node("Trilu", "x k", "e"), node("Cast", "x", "f", to=TensorProto.INT64),
              node("Pad", "x far", "g", mode="reflect"), node("Pad", "x near", "h")]
    given = model(slices, outputs=[(name, None) for name in "abcdefgh"],
                  initializers=[ints("low", INT64_MIN), ints("high", INT64_MAX), ints("axes", 1), ints("back", -1),
                                ints("most", INT64_MAX), ints("least", INT64_MIN), tensor("k", np.int64(INT64_MIN)),
                                ints("far", 0, 9, 0, 7), ints("near", -1, 2, 0, -3)])
    folder = checks.accepted("extremes", given)
    if folder is None:
        return
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.savez(folder / "in.npz", x=x)
    got, _ = run_testbench(build(folder, "clang", "-fsanitize=address,undefined"), folder / "in.npz", folder / "out.npz")
    expected = {"a": x, "b": x[:, ::-1], "c": x[:, :1], "d": x[:, 2:], "e": x, "f": x,
                "g": np.pad(x, ((0, 0), (9, 7)), "reflect"), "h": np.pad(x, ((0, 0), (2, 0)))[1:, :-3]}
    for name, array in expected.items():
        checks.check(f"extremes: {name}", np.array_equal(got[name], array), got[name])


def test_small_models_of_large_constants():
    """What is large only when computed stays out of the compiler: generated code computes it."""
    checks.accepted("a constant of 2^31 - 1", model([node("ConstantOfShape", "s", "c"), node("ReduceSum", "c", "t"),
                                                     node("Add", "x t", "y")], initializers=[ints("s", INT64_MAX >> 32)]))
    side = [node("ConstantOfShape", "s", "c")]
    for i in range(100):
        side.append(node("MatMul", f"{'c' if i == 0 else f'm{i - 1}'} c", f"m{i}"))
    side += [node("ReduceMax", "m99", "t"), node("Add", "x t", "y")]
    checks.accepted("products of large constants", model(side, initializers=[ints("s", 2000, 2000)]))
    tiles = [node("Tile", f"t{i} two", f"t{i + 1}") for i in range(28)] + [node("ReduceSum", "t28", "t"), node("Add", "x t", "y")]
    checks.accepted("doubling 28 times", model(tiles, initializers=[ints("two", 2), tensor("t0", np.ones(4, np.float32))]))
    copies = [node("Expand", "one s", f"e{i}") for i in range(500)] + [node("Sum", " ".join(f"e{i}" for i in range(500)), "t"),
                                                                       node("ReduceMax", "t", "r"), node("Add", "x r", "y")]
    checks.accepted("500 times 4 MiB", model(copies, initializers=[ints("s", 1 << 20), tensor("one", np.ones(1, np.float32))]))
    pool = [node("ConstantOfShape", "s", "c"), node("AveragePool", "c", "p", kernel_shape=[1000, 1000]), node("ReduceMax", "p", "r"),
            node("Add", "x r", "y")]
    checks.accepted("pools of large constants", model(pool, initializers=[ints("s", 1, 1, 2000, 2000)]))
    checks.refused("a shape from a large constant", model([node("Expand", "one s", "e"), node("Cast", "e", "i", to=TensorProto.INT64),
                                                          node("Reshape", "x i", "y", "culprit")],
                                                         initializers=[ints("s", 1 << 30), tensor("one", np.ones(1, np.float32))]),
                   REFUSED, "'culprit'")


test_dimensions()
test_symbols()
test_empty()
test_operators()
test_extremes_that_are_valid()
test_small_models_of_large_constants()
finish(checks)
