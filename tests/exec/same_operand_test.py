"""Operators both of whose operands are one value: no compiler warns that a comparison is always true, or false; and
NaN is not equal to itself."""

import itertools
import os
import pathlib
import sys
import tempfile

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
import onnx
from generated import build, compile_model, run
from hostile import model, node
from onnx import helper

COMPARED = {
    "Equal": np.equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
}
CHOSEN = {"Max": np.maximum, "Min": np.minimum}
LOGICAL = {"And": np.logical_and, "Or": np.logical_or, "Xor": np.logical_xor}
INPUTS = {
    "float": np.array([0, -1.5, np.nan], np.float32),
    "whole": np.array([0, -3, 7], np.int64),
    "small": np.array([0, 255, 7], np.uint8),
    "truth": np.array([True, False, True]),
}


def main():
    nodes, outputs, expected = [], [], {}
    pairs = [
        *itertools.product({**COMPARED, **CHOSEN}.items(), ("float", "whole", "small")),
        *itertools.product(LOGICAL.items(), ("truth",)),
    ]
    for (op_type, function), kind in pairs:
        # of the input; of a value that the result can take the place of; and, where there may be any number, three
        sources = {kind: f"{kind} {kind}", f"{kind}.copied": f"{kind}.{op_type} {kind}.{op_type}"}
        if op_type in CHOSEN:
            sources[f"{kind}.thrice"] = f"{kind} {kind} {kind}"
        nodes.append(node("Where", f"truth {kind} {kind}.turned", f"{kind}.{op_type}"))
        for source, operands in sources.items():
            name = f"{source}.{op_type}.result"
            array = np.where(INPUTS["truth"], INPUTS[kind], INPUTS[kind][::-1]) if "copied" in source else INPUTS[kind]
            nodes.append(node(op_type, operands, name))
            expected[name] = function(array, array)
            outputs.append((name, [3], helper.np_dtype_to_tensor_dtype(expected[name].dtype)))
    turned = [node("Slice", f"{kind} last first axis back", f"{kind}.turned") for kind in INPUTS]
    numbers = [
        onnx.numpy_helper.from_array(np.array([value]), name)
        for name, value in (("last", 2), ("first", -4), ("axis", 0), ("back", -1))
    ]
    inputs = [(name, [3], helper.np_dtype_to_tensor_dtype(array.dtype)) for name, array in INPUTS.items()]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        onnx.save(model(turned + nodes, inputs, outputs, numbers), folder / "same.onnx")
        np.savez(folder / "in.npz", **INPUTS)
        compile_model(folder / "same.onnx", folder / "c")
        for compiler in ("gcc", "clang"):
            got, _ = run(build(folder / "c", compiler, "-O1"), folder / "in.npz", folder / "out.npz")
            for name, want in expected.items():
                assert np.array_equal(got[name].astype(want.dtype), want, equal_nan=want.dtype.kind == "f"), (
                    compiler,
                    name,
                    got[name],
                    want,
                )


main()
