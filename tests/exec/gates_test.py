"""Gates of a map that a linear layer reads: they go into its weights where these are fewer than the map, and outputs keep
their bits whatever is probed and on any number of threads."""
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


def model(path, batch, channels, outputs, size):
    """A convolution, squeeze and excitation, and a convolution of 1x1."""
    gated, weights = squeeze_excitation(random, channels, "gated")
    nodes = [helper.make_node("Conv", ["x", "taps"], ["map"], group=channels, pads=[1, 1, 1, 1]), *gated,
             helper.make_node("Conv", ["gated", "project"], ["sums"]), helper.make_node("Relu", ["sums"], ["y"])]
    infos = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, (batch, count, size, size))
             for name, count in (("x", channels), ("y", outputs))]
    weights += [weight(random, "taps", channels, 1, 3, 3), weight(random, "project", outputs, channels, 1, 1)]
    graph = helper.make_graph(nodes, "gates", infos[:1], infos[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


WAYS = {"fused": (), "blocks": ("--fuse", "no-blocks"),
        "without": ("--fuse", "no-gates"), "probed": ("--probes", "map,gates,gated"),
        "threads": ("--threads", "3")}


def check(what, expected, batch, channels, outputs, size):
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/gates.onnx"
        model(path, batch, channels, outputs, size)
        inputs = {"x": random.standard_normal((batch, channels, size, size)).astype(np.float32)}
        np.savez(f"{folder}/in.npz", **inputs)
        right = dict(y=onnxruntime.InferenceSession(path).run(None, inputs)[0])
        for lanes in (1, 16) if expected else (8,):
            results = {}
            for way, options in WAYS.items():
                compile_model(path, f"{folder}/{way}", *options)
                is_fused = "void gated_weights" in pathlib.Path(folder, way, "model.c").read_text()
                checks.check(f"{what}: {way}", is_fused == (expected and way != "without"), is_fused)
                binary = build(f"{folder}/{way}", "gcc", "-O1", f"-DLANES={lanes}", "-Wno-psabi", "-pthread")
                probes = f"{folder}/probes.npz" if way == "probed" else None
                results[way] = run(binary, f"{folder}/in.npz", f"{folder}/out.npz", probes)[0]
                difference = worst_difference(right, results[way])
                checks.check(f"{what}, {lanes} lanes: {way}: right", difference < 1e-5, difference)
            for way in "probed", "threads":
                same = results[way]["y"].tobytes() == results["fused"]["y"].tobytes()
                checks.check(f"{what}, {lanes} lanes: {way}: bits", same)


check("whole panels", True, 1, 48, 32, 14)
check("a panel in pairs", True, 1, 48, 24, 14)
check("an odd number of inputs", True, 1, 27, 24, 14)
check("more weights than places", False, 1, 48, 64, 7)
check("gates of each image", False, 2, 48, 32, 14)
finish(checks)
