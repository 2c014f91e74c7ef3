"""Resize by scales that give no whole number of elements, the corners aligned: to the length of the output, as ONNX Runtime
and PyTorch do, or with --resize-lengths fractional to the input's times the scale, as the reference implementation of the
onnx package. Compared with each; and what is said where the two differ."""
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
from onnx.reference import ReferenceEvaluator

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
from node_cases import FOVEA, Cases  # noqa: E402
from random_seed import random_seed  # noqa: E402

SEED = random_seed()
RNG = np.random.default_rng(SEED)
TOLERANCE = 1e-5  # of the largest result
SCALES = (0.6, 0.45, 1.3, 2.6)  # none of which gives a whole number for either axis
FRACTIONAL = ["--resize-lengths", "fractional"]
MODES = ("linear", "cubic", "nearest")


def make_cases():
    cases = Cases(19)
    for mode in MODES:
        for scale in SCALES:
            x = RNG.standard_normal((1, 2, 6, 7)).astype(np.float32)
            cases.add(f"{mode} by {scale}", "Resize", {"x": x, "roi": None},
                      {"scales": np.array([1, 1, scale, scale], np.float32)}, None, TOLERANCE, mode=mode,
                      coordinate_transformation_mode="align_corners")
    x = RNG.standard_normal((1, 1, 7, 6)).astype(np.float32)
    cases.add("cropped", "Resize", {"x": x}, {"roi": np.array([0, 0, 0.2, 0.1, 1, 1, 0.8, 0.7], np.float32),
                                              "scales": np.array([1, 1, 0.6, 1.3], np.float32)}, None, TOLERANCE,
              mode="linear", coordinate_transformation_mode="tf_crop_and_resize")
    return cases


def expect_of_reference(cases):
    found = ReferenceEvaluator(cases.model()).run(None, cases.inputs)
    for name, array in zip(cases.types, found):
        cases.expected[name] = (cases.expected[name][0], array, TOLERANCE)


def expect_of_pytorch(cases):
    """Where it has the mode: its own results, which are those of ONNX Runtime."""
    for node in cases.nodes:
        label, of_runtime, _ = cases.expected[node.output[0]]
        mode, _, scale = label.partition(" by ")
        if mode in ("linear", "cubic"):
            x = torch.from_numpy(cases.inputs[node.input[0]])
            y = torch.nn.functional.interpolate(x, scale_factor=float(scale), mode=f"bi{mode}", align_corners=True)
            assert np.abs(y.numpy() - of_runtime).max() < 1e-4, f"{label}: PyTorch and ONNX Runtime differ"


def warnings(cases, folder, *how):
    (folder / "model.onnx").write_bytes(cases.model().SerializeToString())
    done = subprocess.run([FOVEA, "compile", folder / "model.onnx", "-o", folder / "out", *how], capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()


def check_warnings(cases, folder):
    lines = warnings(cases, folder, "--stripe", "auto")  # which goes through the model several times
    assert len(lines) == len(cases.nodes), lines
    for line, node in zip(lines, cases.nodes):
        assert f"'{node.name}' (Resize): axis 2 is resized to" in line and " ".join(FRACTIONAL) in line, line
    for how in (FRACTIONAL, ["--resize-lengths", "whole"]):
        assert warnings(cases, folder, *how) == []
    same = Cases(19)  # the readings do not differ: a whole number, one element, sizes, and another mode
    x = np.zeros((1, 1, 6, 10), np.float32)
    for scales, mode in (([1, 1, 2, 0.7], "align_corners"), ([1, 1, 0.2, 1], "align_corners"),
                         ([1, 1, 0.6, 0.33], "half_pixel")):
        same.add("", "Resize", {"x": x, "roi": None}, {"scales": np.array(scales, np.float32)}, None, 0, mode="linear",
                 coordinate_transformation_mode=mode)
    same.add("", "Resize", {"x": x, "roi": None, "scales": None}, {"sizes": np.array([1, 1, 7, 3])}, None, 0,
             mode="linear", coordinate_transformation_mode="align_corners")
    assert warnings(same, folder) == []


def main():
    cases = make_cases()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        cases.expect_of_runtime()
        expect_of_pytorch(cases)
        whole = dict(cases.expected)
        cases.check(folder)
        expect_of_reference(cases)
        for name, (label, array, _) in cases.expected.items():
            assert np.abs(array - whole[name][1]).max() > 0.01, f"{label}: the readings are the same"
        cases.check(folder, (FRACTIONAL, [*FRACTIONAL, "--interpret"]))
        check_warnings(cases, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
