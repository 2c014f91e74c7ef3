"""Maps that are matrices of channels and pixels to what reads them. Attention of pixels, as non-local blocks and position
attention have it: generated C reads queries, keys and values as the convolutions leave them, channels last, and copies none.
Products with maps, as means with weights are. Both agree with ONNX Runtime. Random sizes. The seed is printed; FOVEA_SEED
repeats it."""
import os
import pathlib
import random
import sys
import tempfile

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
import onnx
import onnxruntime
from generated import build, compile_model, run, worst_difference
from hostile import Checks, finish
from onnx import TensorProto, helper, numpy_helper
from random_seed import random_seed

FLAGS = [("gcc", "-O1"), ("clang", "-O1"), ("gcc", "-O1", "-DLANES=1")]
seed = random_seed()
chance, numbers = random.Random(seed), np.random.default_rng(seed)
checks = Checks()


class Network:
    """A convolution, and what reads the map that it makes; attention in so many heads."""

    def __init__(self, batch, heads):
        self.nodes, self.constants = [], []
        self.heads, self.depth, self.width = heads, 4 * chance.randint(2, 5), 4 * chance.randint(2, 5)
        self.high, self.wide = chance.randint(3, 8), chance.randint(3, 8)
        self.x = numbers.standard_normal((batch, 8, self.high, self.wide), dtype=np.float32)
        self.channels = 8 * chance.randint(1, 4)
        self.map = self.conv("x", 8, self.channels)

    def add(self, op_type, *inputs, **attributes):
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, list(inputs), [name], **attributes))
        return name

    def constant(self, array):
        self.constants.append(numpy_helper.from_array(array, f"c{len(self.constants)}"))
        return self.constants[-1].name

    def conv(self, x, channels, outputs):
        weights = numbers.standard_normal((outputs, channels, 1, 1), dtype=np.float32) / np.float32(np.sqrt(channels))
        return self.add("Conv", x, self.constant(weights))

    def reshape(self, x, *shape):
        return self.add("Reshape", x, self.constant(np.array(shape, np.int64)))

    def parts(self, is_packed):
        """Maps of queries, keys and values, each [batch, heads, channels of one, pixels]."""
        sizes = [self.heads * size for size in (self.depth, self.depth, self.width)]
        if is_packed:
            names = [f"part{i}" for i in range(3)]
            packed = self.conv(self.map, self.channels, sum(sizes))
            split = self.constant(np.array(sizes, np.int64))
            self.nodes.append(helper.make_node("Split", [packed, split], names, axis=1))
        else:
            names = [self.conv(self.map, self.channels, size) for size in sizes]
        batch, pixels = len(self.x), self.high * self.wide
        return [self.reshape(name, batch, self.heads, size // self.heads, pixels) for name, size in zip(names, sizes)]

    def attend(self, is_packed, is_turned):
        """y = softmax(q^T k) v^T, or its transpose v softmax(q^T k)^T."""
        q, k, v = self.parts(is_packed)
        turn = dict(perm=[0, 1, 3, 2])
        probs = self.add("Softmax", self.add("MatMul", self.add("Transpose", q, **turn), k), axis=-1)
        if is_turned:
            found = self.add("MatMul", v, self.add("Transpose", probs, **turn))
        else:
            found = self.add("Transpose", self.add("MatMul", probs, self.add("Transpose", v, **turn)), **turn)
        width = self.heads * self.width
        result = self.conv(self.reshape(found, len(self.x), width, self.high, self.wide), width, self.channels)
        self.y = self.add("Add", result, self.map)

    def multiply(self, kind):
        """y = a product with the map as a matrix of channels and pixels, on the side that `kind` says."""
        batch, pixels = len(self.x), self.high * self.wide
        matrix = self.reshape(self.map, batch, self.channels, pixels)
        weights = self.add("Softmax", self.reshape(self.conv(self.map, self.channels, 1), batch, 1, pixels), axis=-1)
        other = self.reshape(self.conv(self.map, self.channels, 5), batch, 5, pixels)
        if kind == "weighted mean":
            place, last = self.constant(np.array([1], np.int64)), self.constant(np.array([-1], np.int64))
            self.y = self.add("MatMul", self.add("Unsqueeze", matrix, place), self.add("Unsqueeze", weights, last))
        elif kind == "column":
            self.y = self.add("MatMul", matrix, self.reshape(weights, batch, pixels, 1))
        elif kind == "left":
            self.y = self.add("MatMul", matrix, self.add("Transpose", other, perm=[0, 2, 1]))
        elif kind == "right":
            rows = numbers.standard_normal((chance.randint(1, 9), self.channels)).astype(np.float32)
            self.y = self.add("MatMul", self.constant(rows), matrix)
        elif kind == "row":
            mean = self.reshape(self.add("GlobalAveragePool", self.map), batch, 1, self.channels)
            self.y = self.add("MatMul", mean, matrix)
        else:  # "both"
            self.y = self.add("MatMul", self.add("Transpose", matrix, perm=[0, 2, 1]), matrix)

    def save(self, path):
        infos = [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.x.shape),
                 helper.make_tensor_value_info(self.y, TensorProto.FLOAT, None)]
        graph = helper.make_graph(self.nodes, "attention", infos[:1], infos[1:], self.constants)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def check(what, network, is_copied):
    """is_copied: whether more may be copied than the model's input and output."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "attention.onnx"
        network.save(path)
        np.savez(f"{folder}/in.npz", x=network.x)
        expected = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": network.x})[0]
        compile_model(path, folder)
        copies = pathlib.Path(folder, "model.c").read_text().count("\n    transpose_")
        checks.check(f"{what}: input and output alone are copied", copies <= 2 or is_copied, f"{copies} copies")
        for compiler, *flags in FLAGS:
            binary = build(folder, compiler, *flags, "-Wno-psabi")
            found, probes = run(binary, f"{folder}/in.npz", f"{folder}/out.npz", f"{folder}/maps.npz")
            worst = worst_difference({network.y: expected}, found)
            checks.check(f"{what}: {compiler} {flags}", worst < 2e-6, worst)


for case in range(8):
    batch, heads, is_packed, is_turned = chance.choice((1, 1, 2)) if case else 1, 1 + case % 2, case // 2 % 2 == 1, case > 3
    network = Network(batch, heads)
    network.attend(is_packed, is_turned)
    what = f"batch {batch}, {heads} heads, {'packed' if is_packed else 'apart'}, {'turned' if is_turned else 'plain'}"
    check(what, network, batch > 1)  # then heads and samples are one dimension, of which channels last make two
for kind in ("weighted mean", "column", "left", "right", "row", "both"):
    network = Network(chance.randint(1, 2), 1)
    network.multiply(kind)
    check(kind, network, kind in ("left", "both"))
finish(checks)
