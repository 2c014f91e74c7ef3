"""Elements that are chosen one by one, and their sums by rows and by columns: right at -O3 for every length of vector, where
some compilers mix up conditions under which memory is read. GCC makes no code that reads so."""
import itertools
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
import onnx
from generated import build, compile_model, run
from hostile import Checks, finish
from onnx import helper, numpy_helper
from random_seed import random_seed

ROWS, COLUMNS, SHORT = 9, 144, 8
TYPES = (np.float32, np.float64, np.int32, np.int64)
seed = random_seed()
random = np.random.default_rng(seed)
checks = Checks()


def tensor(name, dtype, shape):
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)


def model(path):
    """For each type of elements, and of what chooses: short rows of x or y, with a row added; sums of x or y, of x or nothing,
    and of nothing or -x; and a product of matrices, one of which is filled up with zeros."""
    inputs, nodes, constants, outputs, expected = {}, [], [], [], {}
    for dtype in TYPES:
        name = np.dtype(dtype).name
        for letter in "xy":
            inputs[letter + name] = random.integers(-9, 10, (ROWS, COLUMNS)).astype(dtype)
        constants.append(numpy_helper.from_array(np.zeros((), dtype), "zero" + name))
        constants.append(numpy_helper.from_array(np.arange(SHORT).astype(dtype), "row" + name))
        nodes.append(helper.make_node("Neg", ["x" + name], ["less" + name]))
        for letter in "xy":
            nodes.append(helper.make_node("Reshape", [letter + name, "short"], ["short_" + letter + name]))
    for condition in (bool, np.int32, np.float32, np.int64):
        name = "c" + np.dtype(condition).name
        inputs[name] = random.integers(0, 2, (ROWS, COLUMNS)).astype(condition)
        nodes.append(helper.make_node("Cast", [name], ["is" + name], to=onnx.TensorProto.BOOL))
        nodes.append(helper.make_node("Reshape", ["is" + name, "short"], ["short_is" + name]))
    conditions = [name for name in inputs if name[0] == "c"]
    constants += [numpy_helper.from_array(np.array([axis]), f"axis{axis}") for axis in (0, 1)]
    constants.append(numpy_helper.from_array(np.array([-1, SHORT]), "short"))
    for condition, dtype in itertools.product(conditions, TYPES):
        name, output = np.dtype(dtype).name, f"{condition}_{np.dtype(dtype).name}_short"
        value = np.where(inputs[condition] != 0, inputs["x" + name], inputs["y" + name])
        nodes.append(helper.make_node("Where", ["short_is" + condition, "short_x" + name, "short_y" + name], [output + "_chosen"]))
        nodes.append(helper.make_node("Add", [output + "_chosen", "row" + name], [output]))
        expected[output] = value.reshape(-1, SHORT) + np.arange(SHORT).astype(dtype)
        outputs.append(tensor(output, dtype, expected[output].shape))
    for condition, dtype, axis in itertools.product(conditions, TYPES, (0, 1)):
        name, chosen = np.dtype(dtype).name, inputs[condition] != 0
        x, y = inputs["x" + name], inputs["y" + name]
        for way, operands, value in (("both", ("x", "y"), np.where(chosen, x, y)), ("one", ("x", "zero"), np.where(chosen, x, 0)),
                                     ("other", ("zero", "less"), np.where(chosen, 0, -x))):
            output = f"{condition}_{name}_{axis}_{way}"
            operands = [operand + name for operand in operands]
            nodes.append(helper.make_node("Where", ["is" + condition, *operands], [output + "_chosen"]))
            nodes.append(helper.make_node("ReduceSum", [output + "_chosen", f"axis{axis}"], [output], keepdims=0))
            expected[output] = value.sum(axis).astype(dtype)
            outputs.append(tensor(output, dtype, expected[output].shape))
    nodes.append(helper.make_node("Reshape", ["yfloat32", "wide"], ["wide_y"]))
    nodes.append(helper.make_node("MatMul", ["short_xfloat32", "wide_y"], ["product"]))
    constants.append(numpy_helper.from_array(np.array([SHORT, -1]), "wide"))
    expected["product"] = inputs["xfloat32"].reshape(-1, SHORT) @ inputs["yfloat32"].reshape(SHORT, -1)
    outputs.append(tensor("product", np.float32, expected["product"].shape))
    infos = [tensor(name, value.dtype, value.shape) for name, value in inputs.items()]
    graph = helper.make_graph(nodes, "sums", infos, outputs, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return inputs, expected


flags = [("-O3",)]
features = pathlib.Path("/proc/cpuinfo").read_text().split()
flags += [("-O3", "-m" + name) for name in ("avx", "avx2", "avx512f") if name in features]
with tempfile.TemporaryDirectory() as folder:
    inputs, expected = model(f"{folder}/sums.onnx")
    np.savez(f"{folder}/in.npz", **inputs)
    compile_model(f"{folder}/sums.onnx", f"{folder}/c")
    if "avx2" in features:
        command = ["gcc", "-O3", "-mavx2", "-w", "-S", "-o", "-", f"{folder}/c/model.c"]
        assembly = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        masked = re.findall(r".*maskmov\w*\s+[^%\n]*\([^\n]*\), *%ymm\d+, *%.*", assembly)
        checks.check("no load under a mask", not masked, masked[:3])
    for compiler, options in itertools.product(("gcc", "clang"), flags):
        binary = build(f"{folder}/c", compiler, *options, "-Wno-psabi")
        got, _ = run(binary, f"{folder}/in.npz", f"{folder}/out.npz")
        wrong = [name for name in expected if not np.array_equal(got[name], expected[name])]
        checks.check(f"{compiler} {' '.join(options)}", not wrong, wrong[:3])
finish(checks)
