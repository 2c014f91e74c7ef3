"""Small networks whose maps lie channels last: generated C, for each length of vectors that this machine and its compilers
have, agrees with ONNX Runtime. Random sizes, with tails of all kinds. The seed is printed; FOVEA_SEED repeats it."""
import os
import pathlib
import random
import re
import sys
import tempfile

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from generated import build, compile_model, run, worst_difference
from hostile import Checks, finish
from random_seed import random_seed

NETWORKS = int(os.environ.get("FOVEA_TEST_GRAPHS", 3))
FLAGS = [("gcc", "-O1"), ("clang", "-O1"), ("gcc", "-O1", "-DLANES=1")]
features = pathlib.Path("/proc/cpuinfo").read_text().split()
for feature, level in (("avx2", "-march=x86-64-v3"), ("avx512bw", "-march=x86-64-v4")):
    if feature in features:
        FLAGS += [("gcc", "-O1", level), ("clang", "-O1", level)]
seed = random_seed()
chance, numbers = random.Random(seed), np.random.default_rng(seed)
checks = Checks()


def weight(name, *shape):
    spread = float(np.sqrt(np.prod(shape[1:])))
    return numpy_helper.from_array(numbers.standard_normal(shape, dtype=np.float32) / spread, name)


def window(most):
    """A kernel, strides and pads that leave something of maps of 9 x 9."""
    kernel = [chance.randint(1, most), chance.randint(1, most)]
    pads = [chance.randint(0, size - 1) for size in kernel + kernel]
    return dict(kernel_shape=kernel, strides=[chance.randint(1, 2), chance.randint(1, 2)], pads=pads)


def gated(channels):
    """The nodes of squeeze and excitation and of CBAM over v3, and their weights."""
    hidden = chance.randint(1, 40)

    def layers(x, first, second):
        return [helper.make_node("Conv", [x, first, "reduced"], [f"{x}_1"]),
                helper.make_node("Relu", [f"{x}_1"], [f"{x}_2"]),
                helper.make_node("Conv", [f"{x}_2", second, "expanded"], [f"{x}_3"])]

    squeeze_and_excitation = [
        helper.make_node("GlobalAveragePool", ["v3"], ["squeeze"]), *layers("squeeze", "w2", "w3"),
        helper.make_node("Sigmoid", ["squeeze_3"], ["gate"]), helper.make_node("Mul", ["v3", "gate"], ["excited"]),
    ]
    cbam = [
        helper.make_node("GlobalAveragePool", ["v3"], ["low"]), *layers("low", "w2", "w3"),
        helper.make_node("GlobalMaxPool", ["v3"], ["high"]), *layers("high", "w2", "w3"),
        helper.make_node("Add", ["low_3", "high_3"], ["both"]), helper.make_node("Sigmoid", ["both"], ["of_channels"]),
        helper.make_node("Mul", ["v3", "of_channels"], ["refined"]),
        helper.make_node("ReduceMean", ["refined"], ["means"], axes=[1]),
        helper.make_node("ReduceMax", ["refined"], ["maxima"], axes=[1]),
        helper.make_node("Concat", ["maxima", "means"], ["planes"], axis=1),
        helper.make_node("Conv", ["planes", "w4"], ["plane"], pads=[3, 3, 3, 3]),
        helper.make_node("Sigmoid", ["plane"], ["of_places"]),
        helper.make_node("Mul", ["refined", "of_places"], ["cbam"]),
    ]
    weights = [weight("w2", hidden, channels, 1, 1), weight("reduced", hidden), weight("w3", channels, hidden, 1, 1),
               weight("expanded", channels), weight("w4", 1, 2, 7, 7)]
    return squeeze_and_excitation + cbam, weights


def network(path):
    """From an image: a convolution, a depthwise one, each with an activation, pools, the mean, and gates."""
    planes, channels = chance.randint(1, 4), chance.randint(8, 75)
    image = [chance.randint(1, 2), planes, chance.randint(18, 40), chance.randint(18, 40)]
    first, deep = window(5), window(5)
    kernels = [[channels, planes, *first["kernel_shape"]], [channels, 1, *deep["kernel_shape"]]]
    keep = chance.randint(0, 1)
    nodes = [
        helper.make_node("Conv", ["x", "w0", "b0"], ["v0"], **first),
        helper.make_node("Relu", ["v0"], ["v1"]),
        helper.make_node("Conv", ["v1", "w1"] + chance.choice([[], ["b1"]]), ["v2"], group=channels, **deep),
        helper.make_node("HardSwish", ["v2"], ["v3"]),
        helper.make_node("MaxPool", ["v3"], ["highest"], ceil_mode=chance.randint(0, 1), **window(3)),
        helper.make_node("AveragePool", ["v3"], ["average"], count_include_pad=chance.randint(0, 1), **window(3)),
        helper.make_node("GlobalAveragePool", ["v3"], ["mean"]),
        helper.make_node("ReduceMean", ["v3"], ["rows"], axes=[chance.choice([2, 3, -1])], keepdims=keep),
        helper.make_node("ReduceMax", ["v3"], ["columns"], axes=[chance.choice([2, 3, -2])], keepdims=keep),
    ]
    gates, weights = gated(channels)
    outputs = ("highest", "average", "mean", "rows", "columns", "excited", "cbam")
    graph = helper.make_graph(
        nodes + gates, "maps", [helper.make_tensor_value_info("x", TensorProto.FLOAT, image)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [weight("w0", *kernels[0]), weight("b0", channels), weight("w1", *kernels[1]), weight("b1", channels)] + weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return image


def in_groups(path, smallest=9, largest=30, sizes=(1, 3, 3, 5), strides=(1, 1, 2), plain=False):
    """Convolutions in groups, whose outputs fill a panel of 16, several, or a part of one, with kernels of all kinds; in the
    last ones groups are small, with as many outputs as inputs. plain: the first one has but one group, and no dilation."""
    nodes, weights, channels = [], [], 16 * chance.randint(1, 4)
    for number in range(8):
        outputs = chance.choice([4, 8, 12, 16, 24, 32] if number < 6 else [2, 4, 8])
        groups = chance.choice([1, 2, 4, 8, 16]) if number < 6 else channels // outputs * chance.choice([1, 1, 2])
        size, stride, dilation = chance.choice(sizes), chance.choice(strides), chance.choice([1, 1, 2])
        if number == 0 and plain:
            outputs, groups, size, dilation = 48, 1, 3, 1
        nodes.append(helper.make_node(
            "Conv", ["x", f"w{number}", f"b{number}"], [f"y{number}"], group=groups, strides=[stride, stride],
            dilations=[dilation, dilation], pads=[size // 2 * dilation] * 4))
        weights += [weight(f"w{number}", groups * outputs, channels // groups, size, size),
                    weight(f"b{number}", groups * outputs)]
    shape = [chance.randint(1, 2), channels, chance.randint(smallest, largest), chance.randint(smallest, largest)]
    graph = helper.make_graph(
        nodes, "groups", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(f"y{number}", TensorProto.FLOAT, None) for number in range(len(nodes))], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return shape


def short_rows(path):
    """The same where rows of 7 pixels do not make up whole tiles, so that these go on in the next row."""
    return in_groups(path, 13, 14, [3, 5], [2], plain=True)


KERNELS = (r"conv\dx\d_first", r"depthwise\dx\d_last", r"max_pool\dx\d_last", r"average_pool\dx\d_last",
           "global_average_pool_last", "global_max_pool_last", "pool_channels_last")
GROUPS = (r"conv\dx\dx\d_groups_of_\d",)
JOINED = (r"JOINED = (1|PICK\(\d, 1)",)  # with AVX2
with tempfile.TemporaryDirectory() as folder:
    for number, (make, kernels) in enumerate(
            NETWORKS * [(network, KERNELS), (in_groups, GROUPS)] + [(short_rows, JOINED)]):
        here = pathlib.Path(folder) / str(number)
        here.mkdir()
        inputs = {"x": numbers.standard_normal(make(here / "net.onnx"), dtype=np.float32)}
        np.savez(here / "in.npz", **inputs)
        session = onnxruntime.InferenceSession(here / "net.onnx")
        names = [output.name for output in session.get_outputs()]
        expected = dict(zip(names, session.run(names, inputs)))
        compile_model(here / "net.onnx", here / "out")
        code = (here / "out" / "model.c").read_text()
        for kernel in kernels:
            checks.check(number, re.search(kernel, code), f"no {kernel}")
        for compiler, *flags in FLAGS:
            got, _ = run(build(here / "out", compiler, *flags), here / "in.npz", here / "out.npz")
            difference = worst_difference(expected, got)
            checks.check(f"{number}: {compiler} {flags}", difference < 1e-5, f"differs by {difference}")
finish(checks)
