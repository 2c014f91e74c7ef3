"""Convolutions by Winograd's method in generated code: on registers of every length they agree with sums in double as
docs/cli.md says, with one thread and more, and --winograd off leaves them out."""
import itertools
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import helper, numpy_helper

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
from generated import FOVEA, build, compile_model, run
from hostile import Checks, finish
from random_seed import random_seed

BOUNDS = {4: 5e-6, 6: 1e-5}  # of the largest output
seed = random_seed()
random = np.random.default_rng(seed)
checks = Checks()


def model(folder, channels, outputs, *size, window=None, apart=1, groups=1, padded=True):
    """y = SiLU(Conv(x)) of maps of some size, with the taps of a window, three along each dimension unless it is given,
    so many pixels apart, and pads or none: the model's path, x, and y in double."""
    rank = len(size)
    window = window or (3,) * rank
    x = random.standard_normal((1 if rank == 1 else 2, channels, *size)).astype(np.float32)
    weights = random.standard_normal((outputs, channels // groups, *window)) * np.sqrt(2 / (np.prod(window) * channels))
    weights = weights.astype(np.float32)
    pads = [taps // 2 * apart if padded else 0 for taps in window]
    bias = random.standard_normal(outputs).astype(np.float32)
    constants = {"onnx::Conv_7": weights, "onnx::Conv_8": bias}  # as torch names them
    nodes = [helper.make_node("Conv", ["x", *constants], ["sum"], "/stem/conv1/Conv", pads=pads * 2,
                              dilations=[apart] * rank, group=groups),
             helper.make_node("Sigmoid", ["sum"], ["gate"]), helper.make_node("Mul", ["sum", "gate"], ["y"])]
    size = [length + 2 * pad - (taps - 1) * apart for length, pad, taps in zip(size, pads, window)]
    shapes = {"x": x.shape, "y": (len(x), outputs, *size)}
    infos = {name: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in shapes.items()}
    graph = helper.make_graph(nodes, "conv", [infos["x"]], [infos["y"]],
                              [numpy_helper.from_array(array, name) for name, array in constants.items()])
    path = pathlib.Path(folder) / "conv.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    x_padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), *[(pad, pad) for pad in pads]))
    x_padded = x_padded.reshape(len(x), groups, channels // groups, *x_padded.shape[2:])
    weights = weights.reshape(groups, outputs // groups, *weights.shape[1:]).astype(np.float64)
    seen = {taps: tuple(slice(apart * tap, apart * tap + length) for tap, length in zip(taps, size))
            for taps in itertools.product(*map(range, window))}
    total = sum(np.einsum("ngc...,gkc->ngk...", x_padded[(..., *pixels)], weights[(..., *taps)])
                for taps, pixels in seen.items())
    total = total.reshape(shapes["y"]) + bias.reshape(-1, *[1] * rank)
    return path, x, total / (1 + np.exp(-total))


def check(what, tile, *sizes, **how):
    with tempfile.TemporaryDirectory() as folder:
        path, x, expected = model(folder, *sizes, **how)
        np.savez(f"{folder}/in.npz", x=x)
        for threads in ("1", "3"):
            compile_model(path, f"{folder}/{threads}", "--threads", threads)
            text = pathlib.Path(folder, threads, "model.c").read_text()
            checks.check(f"{what}: tile {tile}", f"winograd{tile}_" in text, re.findall(r"\w*(?:winograd|conv)\w*\(", text))
            checks.check(f"{what}: lines fit a page", max(map(len, text.splitlines())) <= 120)
            checks.check(f"{what}: names", ", stem_conv1_weight, stem_conv1_bias, " in text)
        for compiler, threads, flags in (("gcc", "1", ("-O1", "-DLANES=1")), ("gcc", "3", ("-O1", "-DLANES=4")),
                                         ("clang", "1", ("-O1", "-DLANES=8", "-Wno-psabi")),
                                         ("gcc", "3", ("-O1", "-DLANES=16", "-Wno-psabi"))):
            binary = build(f"{folder}/{threads}", compiler, *flags, *(("-pthread",) if threads != "1" else ()))
            got, _ = run(binary, f"{folder}/in.npz", f"{folder}/out.npz")
            error = np.abs(got["y"] - expected).max() / np.abs(expected).max()
            checks.check(f"{what}: {compiler} {flags[1]}", error < BOUNDS[max(map(int, tile.split('x')))], error)
        made = [run(build(f"{folder}/{threads}", "gcc", "-O3", "-march=native", "-Wno-psabi", "-pthread"), f"{folder}/in.npz",
                    f"{folder}/out.npz")[0]["y"] for threads in ("1", "3")]
        checks.check(f"{what}: the same bits with three threads", np.array_equal(made[0].view("u4"), made[1].view("u4")))
        compile_model(path, f"{folder}/off", "--winograd", "off")
        checks.check(f"{what}: off", "winograd" not in pathlib.Path(folder, "off", "model.c").read_text())


check("a large map", "6x6", 37, 50, 27, 21)
check("a small map", "4x4", 70, 64, 6, 7)
check("a dilated map", "6x6", 37, 50, 27, 21, apart=2)
check("groups", "6x6", 48, 60, 27, 21, groups=3)
check("groups that are joined", "6x6", 60, 48, 27, 21, groups=4)
check("three dimensions", "6x6", 37, 50, 4, 17, 11)
check("groups in three dimensions", "6x6", 60, 48, 3, 17, 11, groups=4)
check("a dilated volume", "6x6", 37, 50, 5, 15, 13, apart=2)
check("a line", "6x1", 70, 64, 150)
check("a line without pads", "6x1", 70, 64, 150, padded=False)
check("rows", "1x6", 70, 64, 9, 50, window=(1, 3))
check("columns", "6x1", 70, 64, 50, 9, window=(3, 1))
check("a long line", "6x1", 64, 64, 1250)
check("along the planes", "6x1", 70, 64, 8, 9, 10, window=(3, 1, 1))
check("five taps", "6x6", 37, 50, 27, 21, window=(5, 5))
check("parts", "6x6", 37, 50, 27, 21, window=(7, 4))
check("five taps of a line", "6x1", 70, 64, 150, window=(5,))
check("parts of a dilated line", "6x1", 70, 64, 150, window=(9,), apart=3)
check("three taps by five", "6x6", 37, 50, 27, 21, window=(3, 5))
with tempfile.TemporaryDirectory() as folder:  # how much of the pads windows see is a part of what is decided by
    weights = numpy_helper.from_array(random.standard_normal((16, 8, 3, 3)).astype(np.float32), "w")
    nodes = [helper.make_node("Conv", ["x", "w"], [y], pads=pads, dilations=[4, 4])
             for y, pads in (("y", [4, 4, 4, 4]), ("z", [8, 4, 0, 4]))]
    infos = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, (1, channels, 14, 14))
             for name, channels in (("x", 8), ("y", 16), ("z", 16))]
    graph = helper.make_graph(nodes, "pads", infos[:1], infos[1:], [weights])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), f"{folder}/pads.onnx")
    compile_model(f"{folder}/pads.onnx", folder)
done = subprocess.run([FOVEA, "inspect", "none.onnx", "--winograd", "of"], capture_output=True, text=True)
checks.check("a word that does not exist", done.returncode == 2 and "did you mean off" in done.stderr, done.stderr)
finish(checks)
