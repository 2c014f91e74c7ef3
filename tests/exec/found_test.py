"""NonZero and NonMaxSuppression of data that come at run time: what numpy and ONNX Runtime find, and -1 behind it;
compiled and interpreted, and in the interface. What reads such a result, and what cannot be padded, is refused. Inputs
are random; the seed is printed, and FOVEA_SEED repeats it."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from onnx import helper

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
from node_cases import FOVEA, Cases  # noqa: E402
from random_seed import random_seed  # noqa: E402

SEED = random_seed()
rng = np.random.default_rng(SEED)
UNSUPPORTED = 3


def non_zero(cases):
    for dtype in (np.float32, np.float64, np.int32, np.int64, np.bool_, np.uint8):
        for shape in ([7], [3, 4], [2, 3, 1, 4]):
            x = (rng.integers(-3, 3, shape) * rng.integers(0, 2, shape)).astype(dtype)
            cases.add(f"NonZero {x.dtype} {shape}", "NonZero", {"x": x}, {}, np.array(np.nonzero(x)), 0, np.int64)
    for x in (np.zeros((2, 3), np.float32), np.array([np.nan, -0.0, np.inf], np.float32), np.ones((2, 2), np.int64)):
        cases.add(f"NonZero of {x}", "NonZero", {"x": x}, {}, np.array(np.nonzero(x)), 0, np.int64)


def suppression(cases):
    for center in (0, 1):
        for most in (np.int64(0), np.int64(2), np.int64(100), None):
            batch, classes, boxes = (int(n) for n in rng.integers(1, 4, 3))
            boxes *= 8
            # The corners lie on a grid, so that boxes touch, are equal and are empty too.
            data = {"boxes": rng.integers(0, 8, (batch, boxes, 4)).astype(np.float32),
                    "scores": (rng.integers(0, 20, (batch, classes, boxes)) / 16).astype(np.float32),
                    "most": None if most is None else np.array([most]),
                    "overlap": rng.choice([0, 0.25, 0.5], 1).astype(np.float32),
                    "score": np.float32([0.3])}
            for given in (5, 4, 3):
                inputs = dict(list(data.items())[:given])
                cases.add(f"NonMaxSuppression {batch}x{classes}x{boxes} most {most} {center} of {given} inputs",
                          "NonMaxSuppression", inputs, {}, None, 0, np.int64, center_point_box=center)


def pad(cases, manifest):
    """The expected arrays with -1 up to the shapes that the manifest gives."""
    for output in manifest["outputs"]:
        label, expected, tolerance = cases.expected[output["name"]]
        assert output.get("padded") is True, f"{label}: the manifest does not say that it is padded"
        behind = [(0, most - size) for most, size in zip(output["shape"], expected.shape)]
        assert sum(count > 0 for _, count in behind) <= 1, f"{label}: {output['shape']} is no bound of {expected.shape}"
        cases.expected[output["name"]] = label, np.pad(expected, behind, constant_values=-1), tolerance


def compile_model(model, folder):
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    command = [FOVEA, "compile", folder / "model.onnx", "-o", folder / "out"]
    return subprocess.run(command, capture_output=True, text=True)


def transposed(folder):
    """As torch.nonzero is exported."""
    cases = Cases(17)
    x = rng.integers(0, 2, (3, 5)).astype(np.float32)
    cases.add("", "NonZero", {"x": x}, {}, None, 0, np.int64)
    cases.nodes.append(helper.make_node("Transpose", ["output0"], ["turned"]))
    cases.types["turned"] = cases.types.pop("output0")
    found = np.argwhere(x)
    expected = np.pad(found, [(0, x.size - len(found)), (0, 0)], constant_values=-1)
    cases.expected = {"turned": ("transposed NonZero", expected, 0)}
    cases.check(folder)


def refusals(folder):
    x = {"x": np.ones((2, 3), np.float32)}
    for op_type, inputs, reader in (("NonZero", x, "Neg"), ("NonZero", x, "Shape"), ("Unique", x, None),
                                    ("Compress", {**x, "condition": np.array([True, False])}, None)):
        cases = Cases(17)
        cases.add("", op_type, inputs, {}, None, 0, np.int64 if op_type == "NonZero" else np.float32)
        if reader is not None:
            cases.nodes.append(helper.make_node(reader, ["output0"], ["read"]))
            cases.types["read"] = cases.types["output0"]
        cases.refused(folder, UNSUPPORTED, "is not known when compiling")
    cases = Cases(17)
    boxes = {"boxes": np.ones((1, 3, 4), np.float32), "scores": np.ones((1, 1, 3), np.float32)}
    cases.add("", "NonMaxSuppression", boxes | {"most": np.ones(2, np.int64)}, {}, None, 0, np.int64)
    cases.refused(folder, 1, "input 2 has 2 elements, expected 1")


def main():
    cases = Cases(17)
    suppression(cases)
    cases.expect_of_runtime()
    non_zero(cases)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        done = compile_model(cases.model(), folder)
        assert done.returncode == 0, done.stderr
        pad(cases, json.loads((folder / "out" / "model.json").read_text()))
        assert "-1 behind what was found" in (folder / "out" / "model.h").read_text()
        cases.check(folder)
        transposed(folder)
        refusals(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
