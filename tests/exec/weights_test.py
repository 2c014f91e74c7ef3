"""Products of several rows load each weight once, into a register that all rows share. GCC would rather read it anew for each row
where it has something else for the register, which makes Winograd's products and attention up to 1.6 times as slow."""
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
import onnx
from generated import compile_model
from hostile import Checks, finish
from onnx import TensorProto, helper, numpy_helper

checks = Checks()


def convolution():
    """Of so few tiles that Winograd's products have four rows."""
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])]
    return nodes, {"x": (1, 512, 7, 7)}, (1, 512, 7, 7), [numpy_helper.from_array(np.ones((512, 512, 3, 3), np.float32), "w")]


def attention():
    nodes = [helper.make_node("Transpose", ["k"], ["across"], perm=[0, 1, 3, 2]), helper.make_node("MatMul", ["q", "across"], ["scores"]),
             helper.make_node("Softmax", ["scores"], ["probabilities"], axis=-1), helper.make_node("MatMul", ["probabilities", "v"], ["y"])]
    return nodes, dict.fromkeys("qkv", (1, 3, 198, 64)), (1, 3, 198, 64), []


def loops(assembly):
    """The bodies of the innermost loops: from a label to a jump back to it, with nothing to jump to between."""
    label, body = None, []
    for line in assembly.splitlines():
        if found := re.match(r"(\.L\w+):", line):
            label, body = found[1], []
        elif label is not None and (found := re.match(r"\tj\w+\t(\.L\w+)", line)):
            if found[1] == label:
                yield body
            label = None
        else:
            body.append(line)


def check_loops(name, assembly):
    products = [body for body in loops(assembly) if sum("vbroadcastss" in line and "(" in line for line in body) > 1]
    again = [line.strip() for body in products for line in body if re.match(r"\tvfmadd\w+\t[^%]*\(", line)]
    checks.check(f"{name} has loops over rows", products)
    checks.check(f"{name} loads weights once", not again, again[:3])


def check_kernel(kernel, nodes, inputs, output, constants):
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()]
    graph = helper.make_graph(nodes, kernel, infos, [helper.make_tensor_value_info("y", TensorProto.FLOAT, output)], constants)
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), f"{folder}/model.onnx")
        compile_model(f"{folder}/model.onnx", f"{folder}/c")
        code = pathlib.Path(f"{folder}/c/model.c")
        checks.check(f"{kernel} is there", f" {kernel}_" in code.read_text())
        for machine in ("x86-64-v3", "znver3"):
            command = ["gcc", "-O3", "-march=" + machine, "-w", "-S", "-o", "-", code]
            check_loops(f"{kernel} for {machine}", subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if platform.machine() == "x86_64":
    check_kernel("winograd4x4", *convolution())
    check_kernel("attention", *attention())
finish(checks)
