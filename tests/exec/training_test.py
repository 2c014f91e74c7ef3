"""Adagrad, Adam and Momentum against the standard's formulas: of floats and doubles, of one tensor and of several,
before the first step and after; what does not go together is refused. Compiled and interpreted. Inputs are random; the
seed is printed, and FOVEA_SEED repeats it."""
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
SMALL, TENTHS, THOUSANDTHS = (float(np.float32(number)) for number in (1e-6, 0.9, 0.999))  # attributes are floats
TRAINING = "ai.onnx.preview.training"


def adagrad(rate, count, x, gradient, squares, norm_coefficient=0.0, decay_factor=0.0, epsilon=SMALL):
    gradient = norm_coefficient * x + gradient
    squares = squares + gradient * gradient
    return x - rate / (1 + count * decay_factor) * gradient / (np.sqrt(squares) + epsilon), squares


def adam(rate, count, x, gradient, mean, squares, alpha=TENTHS, beta=THOUSANDTHS, epsilon=SMALL,
         norm_coefficient=0.0, norm_coefficient_post=0.0):
    gradient = norm_coefficient * x + gradient
    mean = alpha * mean + (1 - alpha) * gradient
    squares = beta * squares + (1 - beta) * gradient * gradient
    rate = rate * np.sqrt(1 - beta**count) / (1 - alpha**count) if count > 0 else rate
    return (1 - norm_coefficient_post) * (x - rate * mean / (np.sqrt(squares) + epsilon)), mean, squares


def momentum(rate, count, x, gradient, mean, alpha, beta, norm_coefficient, mode):
    gradient = norm_coefficient * x + gradient
    mean = alpha * mean + (beta if count > 0 else 1) * gradient
    return x - rate * (gradient + alpha * mean if mode == "nesterov" else mean), mean


def add(cases, op_type, step, lists, dtype, shapes, count, **options):
    """lists: how many tensors belong to each that is trained, with itself and its gradient."""
    tensors = [[np.abs(rng.standard_normal(shape)).astype(dtype) for shape in shapes] for _ in range(lists)]
    tensors[0] = [x + dtype(8) for x in tensors[0]]  # nothing cancels: a single number is judged by itself
    inputs = {"rate": np.asarray(rng.uniform(0.1, 1), dtype), "count": np.asarray(count, np.int64)}
    inputs |= {f"t{k}_{i}_": tensor for k, of_kind in enumerate(tensors) for i, tensor in enumerate(of_kind)}
    each = [step(inputs["rate"].astype(np.float64), count, *(t.astype(np.float64) for t in own), **options)
            for own in zip(*tensors)]
    expected = [array for of_kind in zip(*each) for array in of_kind]
    cases.add(f"{op_type} {np.dtype(dtype)} {shapes} {count}", op_type, inputs, {}, expected,
              1e-5 if dtype == np.float32 else 1e-13, [dtype] * len(expected), domain=TRAINING, **options)


def make_cases():
    cases = Cases(17, [(TRAINING, 1)])
    for dtype in (np.float32, np.float64):
        for shapes in ([[3, 2]], [[4], [], [2, 1, 3]]):
            for count in (0, 3):
                add(cases, "Adagrad", adagrad, 3, dtype, shapes, count, norm_coefficient=0.25, decay_factor=0.5)
                add(cases, "Adam", adam, 4, dtype, shapes, count, norm_coefficient=0.25, norm_coefficient_post=0.5)
                for mode in ("standard", "nesterov"):
                    add(cases, "Momentum", momentum, 3, dtype, shapes, count, alpha=0.75, beta=0.5,
                        norm_coefficient=0.125, mode=mode)
    return cases


def refusals(folder):
    for words, count, shapes, options in (("mode is", 3, [2, 2, 2], {"mode": "x"}),
                                          ("2 tensors", 2, [2, 2], {}), ("the shape [2]", 3, [2, 3, 2], {})):
        cases = Cases(17, [(TRAINING, 1)])
        inputs = {"rate": np.float32(1), "count": np.int64(1)}
        inputs |= {f"t{i}_": np.ones(shapes[i], np.float32) for i in range(count)}
        given = {"alpha": 0.5, "beta": 0.5, "norm_coefficient": 0.5, "mode": "standard"} | options
        cases.add("", "Momentum", inputs, {}, None, 0, domain=TRAINING, **given)
        cases.refused(folder, 1, words)


def main():
    cases = make_cases()
    with tempfile.TemporaryDirectory() as folder:
        cases.check(pathlib.Path(folder))
        refusals(pathlib.Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
