"""Losses, compiled and interpreted: reductions, weights, targets to ignore, types, ranks; against ONNX's reference.
The seed is printed, and FOVEA_SEED repeats it."""
import itertools
import os
import pathlib
import sys
import tempfile

import numpy as np
import onnx.reference

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
from node_cases import Cases  # noqa: E402
from random_seed import random_seed  # noqa: E402

SEED = random_seed()
rng = np.random.default_rng(SEED)
TOLERANCE = {np.float32: 2e-6, np.float64: 1e-13}


def add(cases, op_type, inputs, dtype, **attributes):
    one = Cases(cases.opset)
    one.add("", op_type, inputs, {}, None, 0, dtype, **attributes)
    expected, = onnx.reference.ReferenceEvaluator(one.model()).run(None, one.inputs)
    cases.add(f"{op_type} {inputs['x'].shape} {dtype.__name__} {attributes}", op_type, inputs, {}, np.asarray(expected),
              TOLERANCE[dtype], dtype, **attributes)


def losses(cases, op_type):
    for reduction, weighted, ignore in itertools.product(("none", "sum", "mean"), (False, True), (None, 2, -100)):
        dtype = np.float64 if rng.random() < 0.3 else np.float32
        classes, rest = int(rng.integers(3, 6)), [int(n) for n in rng.integers(1, 5, int(rng.integers(0, 4)))]
        x = rng.uniform(-3, -0.1, (3, classes, *rest)).astype(dtype)
        labels = rng.integers(0, classes, (3, *rest)).astype(np.int32 if rng.random() < 0.5 else np.int64)
        labels.flat[0] = 1  # so that something is left
        if ignore == -100 and labels.size > 1:
            labels.flat[1] = -100
        inputs = {"x": x, "labels": labels}
        if weighted:
            inputs["weights"] = rng.uniform(0.2, 2, classes).astype(dtype)
        add(cases, op_type, inputs, dtype, reduction=reduction, **({} if ignore is None else {"ignore_index": ignore}))


def ignored_infinity(cases):
    """What is ignored counts for nothing, whatever the first class's probability is."""
    x = np.array([[-np.inf, -1, -2], [-3, -1, -2]], np.float32)
    inputs = {"x": x, "labels": np.array([9, 1])}
    cases.add("ignored infinity", "NegativeLogLikelihoodLoss", inputs, {}, np.float32(1), 0, ignore_index=9)


def refused(folder, words, inputs, **attributes):
    cases = Cases(17)
    cases.add("", "NegativeLogLikelihoodLoss", inputs, {}, None, 0, **attributes)
    cases.refused(folder, 1, words)


def main():
    x, labels = np.zeros((2, 3, 4), np.float32), np.zeros((2, 4), np.int64)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for opset in (12, 13):
            cases = Cases(opset)
            losses(cases, "NegativeLogLikelihoodLoss")
            losses(cases, "SoftmaxCrossEntropyLoss")
            ignored_infinity(cases)
            cases.check(folder)
        refused(folder, "reduction='most'", {"x": x, "labels": labels}, reduction="most")
        refused(folder, "do not go with", {"x": x, "labels": labels[0]})
        refused(folder, "is 3 and 2", {"x": x, "labels": np.zeros((3, 4), np.int64)})
        refused(folder, "the number of classes", {"x": x, "labels": labels, "weights": np.zeros(4, np.float32)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
