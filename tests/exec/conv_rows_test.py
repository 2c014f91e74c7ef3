"""Convolutions between few channels that lie in rows, with what rides in them: generated C, for vectors of each length, agrees
with ONNX Runtime. Random sizes; the seed is printed, and FOVEA_SEED repeats it."""
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

FLAGS = [("gcc", "-O1"), ("clang", "-O1"), ("gcc", "-O1", "-DLANES=1"), ("gcc", "-O1", "-DLANES=8"), ("gcc", "-O1", "-DLANES=16")]
seed = random_seed()
chance, numbers = random.Random(seed), np.random.default_rng(seed)
checks = Checks()


def constant(name, *shape):
    return numpy_helper.from_array(numbers.standard_normal(shape).astype(np.float32), name)


def network(path, rank, behind):
    """A convolution of a random map of `rank` dimensions, and behind it what can ride in it; the model's input."""
    channels, outputs = chance.randint(1, 4), chance.randint(1, 7)
    kernel, apart = [chance.choice([1, 3, 7]) for _ in range(rank)], chance.randint(1, 2)
    strides = [chance.randint(1, 2)] * (rank - 1) + [1]
    size = [chance.randint(5, 40 if rank < 3 else 12) for _ in range(rank)]
    x = numbers.standard_normal((chance.randint(1, 2), channels, *size)).astype(np.float32)
    pads = [apart * (taps // 2) for taps in kernel] * 2
    nodes = [helper.make_node("Conv", ["x", "w", "b"], ["v"], pads=pads, strides=strides, dilations=[apart] * rank)]
    weights = [constant("w", outputs, channels, *kernel), constant("b", outputs)]
    if behind == "sigmoid":
        nodes.append(helper.make_node("Sigmoid", ["v"], ["y"]))
    elif behind == "scales":
        weights.append(constant("s", outputs, *[1] * rank))
        nodes.append(helper.make_node("Mul", ["v", "s"], ["y"]))
    elif behind == "sum":
        weights.append(constant("s", len(x), outputs, *[-(-n // step) for n, step in zip(size, strides)]))
        nodes.append(helper.make_node("Add", ["v", "s"], ["y"]))
    else:
        nodes.append(helper.make_node("Identity", ["v"], ["y"]))
    infos = [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape),
             helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "rows", infos[:1], infos[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return x


for case, behind in enumerate(["sigmoid", "scales", "sum", "nothing"] * 2):
    rank = 1 if case == 3 else 2 + case % 2
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "rows.onnx"
        x = network(path, rank, behind)
        np.savez(f"{folder}/in.npz", x=x)
        expected = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
        compile_model(path, folder)
        text = pathlib.Path(folder, "model.c").read_text()
        checks.check(f"case {case}: in rows", "_rows_" in text)
        checks.check(f"case {case}: lines fit a page", max(map(len, text.splitlines())) <= 120)
        for compiler, *flags in FLAGS:
            found, _ = run(build(folder, compiler, *flags, "-Wno-psabi"), f"{folder}/in.npz", f"{folder}/out.npz")
            worst = worst_difference({"y": expected}, found)
            checks.check(f"case {case}, {behind} behind: {compiler} {flags}", worst < 2e-6, worst)
finish(checks)
