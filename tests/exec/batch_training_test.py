"""BatchNormalization in training gives the standard's outputs, of every version that has them: the normalised tensor by
the statistics of its own, what is known of these moved towards them, and what old versions save. The seed is printed,
and FOVEA_SEED repeats it."""

import os
import sys

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
from hostile import INVALID, UNSUPPORTED, Checks, encoded, finish, fovea, model, node
from onnx.helper import np_dtype_to_tensor_dtype
from random_seed import random_seed

SEED = random_seed()
NAMES = ("x", "scale", "shift", "mean", "variance")
WITHIN = {"e": 4e-3, "f": 2e-5, "d": 1e-10}
OUTPUTS = "y new_mean new_variance saved_mean saved_variance"


def built(inputs: dict[str, np.ndarray], opset: int, outputs: str, **attributes: float) -> bytes:
    """A model of one BatchNormalization; in outputs "-" is one that is left out."""
    made = node("BatchNormalization", " ".join(NAMES), "", name="norm", **attributes)
    made.output.extend("" if name == "-" else name for name in outputs.split())
    types = {name: np_dtype_to_tensor_dtype(array.dtype) for name, array in inputs.items()}
    given = [(name, list(array.shape), types[name]) for name, array in inputs.items()]
    shown = [(n, None, types["x" if n == "y" else "mean"]) for n in made.output if n != ""]
    return encoded(model([made], given, shown, opset=opset))


def expected(inputs: dict[str, np.ndarray], epsilon: float, momentum: float) -> dict[str, np.ndarray]:
    """https://onnx.ai/onnx/operators/onnx__BatchNormalization.html, in float64: the variance is the population's."""
    x, scale, shift, mean, variance = (inputs[name].astype(np.float64) for name in NAMES)
    axes = (0, *range(2, x.ndim))
    along = (-1, *(1,) * (x.ndim - 2))
    now_mean, now_variance = x.mean(axes), x.var(axes)
    y = (x - now_mean.reshape(along)) / np.sqrt(now_variance.reshape(along) + epsilon)
    wants = (
        y * scale.reshape(along) + shift.reshape(along),
        mean * momentum + now_mean * (1 - momentum),
        variance * momentum + now_variance * (1 - momentum),
        now_mean,
        now_variance,
    )
    return dict(zip(OUTPUTS.split(), wants))


def check(checks: Checks, rng: np.random.Generator, opset: int, shape: tuple[int, ...], outputs: str, types: str,
          **attributes: float) -> None:  # fmt: skip
    what = f"opset {opset} {shape} {outputs} {types} {attributes}"
    path, given, made = (checks.path / name for name in ("model.onnx", "in.npz", "out.npz"))
    shapes = dict(zip(NAMES, (shape, *[shape[1:2]] * 4)))
    inputs = {name: rng.uniform(0.5, 2, shapes[name]).astype(t) for name, t in zip(NAMES, types)}
    path.write_bytes(built(inputs, opset, outputs, **attributes))
    np.savez(given, **inputs)
    wants = expected(inputs, attributes.get("epsilon", 1e-5), attributes.get("momentum", 0.9))
    status, said = fovea("run", path, "--interpret", "-i", given, "-o", made)
    if not checks.check(what, status == 0, said):
        return
    gots = np.load(made)
    checks.check(what, sorted(gots) == sorted(set(outputs.split()) - {"-"}), f"outputs {sorted(gots)}")
    for name, got in gots.items():
        # All is computed in the type of x, of 16 bits in 32.
        within = max(WITHIN[got.dtype.char], WITHIN[types[0].replace("e", "f")])
        fits = got.shape == wants[name].shape and np.allclose(got, wants[name], within, within)
        checks.check(f"{what} {name}", fits, f"{got}, expected {wants[name]}")


def check_refused(checks: Checks) -> None:
    inputs = {name: np.zeros(shape, np.float32) for name, shape in zip(NAMES, ((2, 3, 4), *[(3,)] * 4))}
    for opset, outputs, attributes, status, said in (
        (6, "y", {}, UNSUPPORTED, "is_test=0 means training, but it has the one output of inference"),
        (7, OUTPUTS, {"spatial": 0}, UNSUPPORTED, "spatial=0"),
        (14, OUTPUTS, {"training_mode": 1}, INVALID, "5 outputs, expected at most 3"),
        (15, "y new_mean", {}, UNSUPPORTED, "outputs of training, but does not train"),
    ):
        checks.refused(f"opset {opset}", built(inputs, opset, outputs, **attributes), status, f"'norm' .*{said}")


def main() -> None:
    checks, rng = Checks(), np.random.default_rng(SEED)
    three = "y new_mean new_variance"
    for opset in (14, 15, 22):
        check(checks, rng, opset, (4, 3, 5, 2), three, "fffff", training_mode=1)
    check(checks, rng, 15, (2, 3, 4), three, "ddddd", training_mode=1, epsilon=0.25, momentum=0.125)
    check(checks, rng, 15, (7, 5), "y", "fffff", training_mode=1)
    check(checks, rng, 15, (3, 2, 2, 2, 3), "y - new_variance", "fffff", training_mode=1, momentum=0.0)
    check(checks, rng, 15, (2, 2, 200, 200), three, "eeeff", training_mode=1, momentum=1.0)  # a sum beyond 16 bits
    check(checks, rng, 15, (2, 3, 8), three, "effdd", training_mode=1)
    for opset, attributes in ((6, {"is_test": 0}), (7, {}), (9, {"momentum": 0.5})):
        check(checks, rng, opset, (2, 3, 4), OUTPUTS, "fffff", **attributes)
    check(checks, rng, 9, (2, 3, 4), "y - - saved_mean", "fffff")
    check_refused(checks)
    finish(checks)


main()
