"""Means of a map that a depthwise convolution makes: it adds up the rows on the way, and outputs keep their bits, whatever is
fused or probed and on any number of threads."""
import os
import pathlib
import sys
import tempfile

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
import onnx
import onnxruntime
from onnx import helper
from gate_model import squeeze_excitation, weight
from generated import build, compile_model, run, worst_difference
from hostile import Checks, finish
from random_seed import random_seed

seed = random_seed()
random = np.random.default_rng(seed)
checks = Checks()


def model(path, channels, height, width):
    """A depthwise convolution, SiLU, squeeze and excitation."""
    nodes = [helper.make_node("Conv", ["x", "taps"], ["sums"], group=channels, pads=[1, 1, 1, 1]),
             helper.make_node("Sigmoid", ["sums"], ["share"]), helper.make_node("Mul", ["sums", "share"], ["map"])]
    gated, weights = squeeze_excitation(random, channels, "y")
    infos = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, (2, channels, height, width)) for name in "xy"]
    weights.append(weight(random, "taps", channels, 1, 3, 3))
    graph = helper.make_graph(nodes + gated, "means", infos[:1], infos[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


WAYS = {"fused": (), "without": ("--fuse", "no-means,no-gates"), "probed": ("--probes", "sums,map,squeeze"),
        "threads": ("--threads", "3")}


def check(what, channels, height, width):
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/means.onnx"
        model(path, channels, height, width)
        inputs = {"x": random.standard_normal((2, channels, height, width)).astype(np.float32)}
        np.savez(f"{folder}/in.npz", **inputs)
        expected = dict(y=onnxruntime.InferenceSession(path).run(None, inputs)[0])
        outputs = {}
        for way, options in WAYS.items():
            compile_model(path, f"{folder}/{way}", *options)
            is_fused = "sums = NULL" not in pathlib.Path(folder, way, "model.c").read_text()
            checks.check(f"{what}: {way}", is_fused == (way in ("fused", "threads")), is_fused)
            binary = build(f"{folder}/{way}", "gcc", "-O1", "-DLANES=8", "-Wno-psabi", "-pthread")
            outputs[way] = run(binary, f"{folder}/in.npz", f"{folder}/out.npz")[0]
            checks.check(f"{what}: {way}: bits", outputs[way]["y"].tobytes() == outputs["fused"]["y"].tobytes())
        difference = worst_difference(expected, outputs["fused"])
        checks.check(f"{what}: right", difference < 1e-5, difference)


check("whole vectors", 48, 30, 21)
check("a part of a vector", 27, 7, 7)
finish(checks)
