"""Opsets before 7: inputs broadcast by attributes, hints of that time, what trained then; against numpy. Compiled and
interpreted. Shapes are random; the seed is printed, and FOVEA_SEED repeats it."""
import os
import pathlib
import sys
import tempfile

import numpy as np

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
from node_cases import Cases  # noqa: E402
from random_seed import random_seed  # noqa: E402

SEED = random_seed()
rng = np.random.default_rng(SEED)


def floats(*shape):
    return rng.uniform(0.5, 2, shape).astype(np.float32)


def broadcast(cases, op_type, function, hint=None):
    """The second input from each axis on, at the end, as one element, and as large as the first."""
    shape = [int(n) for n in rng.integers(2, 5, 4)]
    x = floats(*shape)
    more = {} if hint is None else {"consumed_inputs": [0, 0]}
    for axis in range(4):
        y = floats(*shape[axis:axis + 2])
        laid = y.reshape(y.shape + (1,) * (4 - axis - y.ndim))
        for given in (axis, axis - 4):
            cases.add(f"{op_type} axis {given}", op_type, {"x": x, "y": y}, {}, function(x, laid), 1e-6, broadcast=1,
                      axis=given, **more)
    for y in (floats(*shape[2:]), floats(), floats(1), floats(1, 1)):
        cases.add(f"{op_type} {y.shape}", op_type, {"x": x, "y": y}, {}, function(x, y), 1e-6, broadcast=1, **more)
    y = floats(*shape)
    cases.add(f"{op_type} alike", op_type, {"x": x, "y": y}, {}, function(x, y), 1e-6, **more)


def norm(cases):
    x, scale, shift, mean, variance = floats(2, 3, 4), *(floats(3) for _ in range(4))
    expected = (x - mean[:, None]) / np.sqrt(variance[:, None] + 1e-5) * scale[:, None] + shift[:, None]
    more = {"consumed_inputs": [0, 0, 0, 1, 1]} if cases.opset < 6 else {}
    inputs = dict(x=x, scale=scale, shift=shift, mean=mean, variance=variance)
    cases.add("norm", "BatchNormalization", inputs, {}, expected, 1e-5, is_test=1, epsilon=1e-5, **more)
    cases.add("Dropout", "Dropout", {"x": x}, {}, x, 0, is_test=1)
    return inputs


def others(cases):
    x = floats(2, 3, 4) - 1
    for slope in (floats(3), floats(1)):
        expected = np.where(x < 0, x * slope[:, None], x)
        cases.add(f"PRelu {slope.shape}", "PRelu", {"x": x, "slope": slope}, {}, expected, 1e-6)
    a, b, c = floats(3, 4), floats(4, 5), floats(5)
    cases.add("Gemm", "Gemm", {"a": a, "b": b, "c": c}, {}, a @ b + c, 1e-5, broadcast=1)
    cases.add("Not", "Not", {"x": x < 0}, {}, x >= 0, 0, dtype=np.bool_)
    cases.add("And", "And", {"x": x < 0, "y": x[0, :, 0] < 0.3}, {}, (x < 0) & (x[0, :, 0] < 0.3)[:, None], 0, np.bool_,
              broadcast=1, axis=1)
    cases.add("Less", "Less", {"x": x, "y": x[0]}, {}, x < x[0], 0, np.bool_, broadcast=1)


def oldest(cases):
    x = floats(2, 3)
    for op_type, function in (("Relu", lambda x: np.maximum(x, 0)), ("Exp", np.exp), ("Sqrt", np.sqrt)):
        cases.add(op_type, op_type, {"x": x}, {}, function(x), 1e-6, consumed_inputs=[0])
    cases.add("Sum", "Sum", {"x": x, "y": x}, {}, 2 * x, 1e-6, consumed_inputs=[0, 0])
    selu = np.where(x - 1 > 0, 1.0507 * (x - 1), 1.0507 * 1.6732 * np.expm1(x - 1))
    cases.add("Selu", "Selu", {"x": x - 1}, {}, selu, 1e-6)


def refusals(folder):
    x = floats(2, 3, 4)

    def refused(opset, status, words, op_type, inputs, **attributes):
        cases = Cases(opset)
        cases.add("", op_type, inputs, {}, None, 0, **attributes)
        cases.refused(folder, status, words)

    refused(6, 1, "without broadcast=1", "Add", {"x": x, "y": x[0]})
    refused(6, 1, "does not lie along", "Add", {"x": x, "y": x[0]}, broadcast=1, axis=2)
    refused(6, 1, "does not lie along", "Add", {"x": x, "y": x[0]}, broadcast=1, axis=-9)
    refused(6, 1, "do not broadcast", "Add", {"x": x, "y": floats(3)}, broadcast=1, axis=0)
    refused(6, 1, "does not broadcast to the first", "Add", {"x": floats(1, 3), "y": floats(2, 3)}, broadcast=1)
    refused(6, 1, "does not broadcast", "Gemm", {"a": floats(3, 4), "b": floats(4, 5), "c": floats(5)})
    refused(7, 1, "attribute 'axis' is not one", "Add", {"x": x, "y": x}, axis=0)
    refused(6, 3, "is_test=0", "Dropout", {"x": x})
    refused(6, 3, "is_test=0", "BatchNormalization", norm(Cases(6)))
    refused(5, 3, "is not supported in opset 5; convert", "Clip", {"x": x})


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for opset in (6, 4):
            cases = Cases(opset)
            for op_type, function in (("Add", np.add), ("Sub", np.subtract), ("Mul", np.multiply), ("Div", np.divide)):
                broadcast(cases, op_type, function, None if opset == 6 else "hint")
            broadcast(cases, "Pow", np.power)
            norm(cases)
            others(cases)
            if opset == 4:
                oldest(cases)
            cases.check(folder)
        refusals(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
