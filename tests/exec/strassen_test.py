"""Linear layers by Strassen's algorithm in generated code: on registers of every length they agree with sums in double as
docs/cli.md says, with the same bits for one thread and more, and --strassen off leaves them out."""
import os
import pathlib
import sys
import tempfile

import numpy as np
import onnx
from onnx import helper, numpy_helper

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
from generated import build, compile_model, run
from hostile import Checks, finish
from random_seed import random_seed

BOUND = 3e-6  # of the largest output
seed = random_seed()
random = np.random.default_rng(seed)
checks = Checks()


def model(folder, rows, depth, columns):
    """y = SiLU(x weights + bias) + x2: the model's path, its inputs, and y in double."""
    inputs = {"x": random.standard_normal((rows, depth)), "x2": random.standard_normal((rows, columns))}
    inputs = {name: value.astype(np.float32) for name, value in inputs.items()}
    weights = (random.standard_normal((depth, columns)) * np.sqrt(2 / depth)).astype(np.float32)
    bias = random.standard_normal(columns).astype(np.float32)
    nodes = [helper.make_node("Gemm", ["x", "weights", "bias"], ["sum"]), helper.make_node("Sigmoid", ["sum"], ["gate"]),
             helper.make_node("Mul", ["sum", "gate"], ["z"]), helper.make_node("Add", ["z", "x2"], ["y"])]
    infos = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, value.shape) for name, value in inputs.items()]
    output = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, (rows, columns))
    graph = helper.make_graph(nodes, "linear", infos, [output],
                              [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")])
    path = pathlib.Path(folder) / "linear.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    total = inputs["x"].astype(np.float64) @ weights.astype(np.float64) + bias
    return path, inputs, total / (1 + np.exp(-total)) + inputs["x2"]


def check(what, size):
    with tempfile.TemporaryDirectory() as folder:
        path, inputs, expected = model(folder, *size)
        np.savez(f"{folder}/in.npz", **inputs)
        outputs = {}
        for threads in ("1", "3"):
            compile_model(path, f"{folder}/{threads}", "--threads", threads)
            checks.check(f"{what}: chosen", "void strassen" in pathlib.Path(folder, threads, "model.c").read_text())
        for compiler, threads, flags in (("gcc", "1", ("-O1", "-DLANES=1")), ("gcc", "1", ("-O1", "-DLANES=4")),
                                         ("gcc", "3", ("-O1", "-DLANES=4")),
                                         ("clang", "1", ("-O1", "-DLANES=8", "-Wno-psabi")),
                                         ("gcc", "3", ("-O1", "-DLANES=16", "-Wno-psabi"))):
            binary = build(f"{folder}/{threads}", compiler, *flags, *(("-pthread",) if threads != "1" else ()))
            got, _ = run(binary, f"{folder}/in.npz", f"{folder}/out.npz")
            error = np.abs(got["y"] - expected).max() / np.abs(expected).max()
            checks.check(f"{what}: {compiler} {flags[1]}", error < BOUND, error)
            outputs[compiler, threads, flags] = got["y"]
        one, three = (outputs["gcc", threads, ("-O1", "-DLANES=4")] for threads in ("1", "3"))
        checks.check(f"{what}: the same bits on three threads", one.tobytes() == three.tobytes())
        compile_model(path, f"{folder}/off", "--strassen", "off")
        checks.check(f"{what}: off", "strassen" not in pathlib.Path(folder, "off", "model.c").read_text())


check("an odd number of rows", (531, 256, 384))
check("an even number of rows", (656, 512, 192))
check("quarters that end within a vector", (596, 480, 336))
finish(checks)
