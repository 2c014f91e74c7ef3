"""Maps in one and in three dimensions, as sound, series, films and volumes have: convolutions, plain and transposed, pools,
norms and resizing, of which most lie channels last. Generated C agrees with ONNX Runtime, on one thread and on two. Random
sizes; the seed is printed, FOVEA_SEED repeats it."""
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
seed = random_seed()
chance, numbers = random.Random(seed), np.random.default_rng(seed)
checks = Checks()


def weight(name, *shape):
    spread = float(np.sqrt(np.prod(shape[1:])))
    return numpy_helper.from_array(numbers.standard_normal(shape, dtype=np.float32) / np.float32(spread), name)


class Network:
    """From a map of a few channels: one convolution, and several nodes that read what it makes, each an output."""

    def __init__(self, rank):
        self.rank, self.nodes, self.weights, self.outputs = rank, [], [], []
        self.channels = 2 * chance.randint(5, 20)
        sizes = [chance.randint(60, 200)] if rank == 1 else [chance.randint(6, 10) for _ in range(rank)]
        self.shape = [chance.randint(1, 2), chance.choice([1, 3, 8]), *sizes]
        self.constant("w", self.channels, self.shape[1], *[3] * rank)
        self.nodes = [helper.make_node("Conv", ["x", "w"], ["sums"], pads=[1] * 2 * rank),
                      helper.make_node("LeakyRelu", ["sums"], ["map"], alpha=0.1)]

    def constant(self, name, *shape):
        self.weights.append(weight(name, *shape))
        return name

    def each(self, most, least=1):
        return [chance.randint(least, most) for _ in range(self.rank)]

    def add(self, op, *inputs, **attributes):
        self.outputs.append(f"y{len(self.outputs)}")
        self.nodes.append(helper.make_node(op, ["map", *inputs], [self.outputs[-1]], **attributes))

    def name(self, kind):
        return f"{kind}{len(self.outputs)}"

    def convolution(self, kernel, groups=1, transposed=False, **attributes):
        outputs = groups * chance.randint(1, 20) if groups < self.channels else groups * chance.choice([1, 2])
        shape = [self.channels, outputs // groups] if transposed else [outputs, self.channels // groups]
        inputs = [self.constant(self.name("w"), *shape, *kernel)]
        if chance.randint(0, 1):
            inputs.append(self.constant(self.name("b"), outputs))
        self.add("ConvTranspose" if transposed else "Conv", *inputs, group=groups, **attributes)

    def drawn(self):
        """A kernel that some windows of lie in the map, or a smaller one along some dimensions."""
        kernel = [size if chance.randint(0, 2) else 1 for size in self.each(3)]
        strides, dilations = self.each(2), self.each(2)
        pads = [chance.randint(0, size - 1) for size in kernel * 2]
        return kernel, dict(strides=strides, dilations=dilations, pads=pads)

    def fill(self):
        half = self.channels // 2
        for groups in 1, 1, 1, 2, half, self.channels:
            kernel, attributes = self.drawn()
            self.convolution(kernel, groups, **attributes)
        still = [[1] * self.rank, [1] * (self.rank - 1) + [3], [3] + [1] * (self.rank - 1), [3, 3, 1][:self.rank]]
        for kernel in still:  # what becomes a convolution of fewer dimensions
            self.convolution(kernel, pads=[size // 2 for size in kernel * 2])
        self.convolution([3] * self.rank, strides=[chance.randint(1, 3)] * self.rank)
        self.convolution([1] * self.rank, strides=[2] * self.rank)
        for groups in 1, 2, self.channels:
            kernel, attributes = self.drawn()
            attributes["output_padding"] = [chance.randint(0, stride - 1) for stride in attributes["strides"]]
            self.convolution(kernel, groups, True, **attributes)
        self.convolution([2] * self.rank, transposed=True, strides=[2] * self.rank)
        self.convolution([4] * self.rank, transposed=True, strides=[2] * self.rank, pads=[1] * 2 * self.rank)
        for op in "MaxPool", "AveragePool":
            kernel = self.each(3)
            pads = [chance.randint(0, size - 1) for size in kernel * 2]
            self.add(op, kernel_shape=kernel, strides=self.each(2), pads=pads, ceil_mode=chance.randint(0, 1))
        self.add("GlobalAveragePool")
        vectors = [self.constant(self.name(kind), self.channels) for kind in ("scale", "shift")]
        self.add("InstanceNormalization", *vectors)
        for attributes in dict(mode="nearest"), dict(mode="linear"), dict(mode="linear", coordinate_transformation_mode="align_corners"):
            scales = numpy_helper.from_array(np.float32([1, 1, *[chance.choice([2, 0.5, 1.5]) for _ in range(self.rank)]]), self.name("r"))
            self.weights.append(scales)
            self.add("Resize", "", scales.name, **attributes)

    def save(self, path):
        graph = helper.make_graph(
            self.nodes, "dimensions", [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in self.outputs], self.weights)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


# Of these all that the networks have in common has kernels on vectors.
KERNELS = {1: (r"conv\d+x1_last", r"conv1x3_first|conv3x1_last|winograd\dx1", "global_average_pool_last", "group_normalization_last"),
           3: (r"conv3x3x3_last|winograd\dx\d", "global_average_pool_last", "group_normalization_last")}
with tempfile.TemporaryDirectory() as root:
    for number, rank in enumerate(NETWORKS * [1, 3]):
        here = pathlib.Path(root) / str(number)
        here.mkdir()
        network = Network(rank)
        network.fill()
        network.save(here / "net.onnx")
        inputs = {"x": numbers.standard_normal(network.shape, dtype=np.float32)}
        np.savez(here / "in.npz", **inputs)
        session = onnxruntime.InferenceSession(here / "net.onnx")
        names = [output.name for output in session.get_outputs()]
        expected = dict(zip(names, session.run(names, inputs)))
        for threads in 1, 2:
            folder = here / f"threads{threads}"
            compile_model(here / "net.onnx", folder, "--threads", str(threads))
            code = (folder / "model.c").read_text()
            for kernel in KERNELS[rank]:
                checks.check(number, re.search(kernel, code), f"no {kernel}")
            for compiler in "gcc", "clang":
                got, _ = run(build(folder, compiler, "-O1", "-pthread"), here / "in.npz", here / "out.npz")
                difference = worst_difference(expected, got)
                checks.check(f"{number}: {compiler}, {threads} threads", difference < 1e-5, f"differs by {difference}")
finish(checks)
