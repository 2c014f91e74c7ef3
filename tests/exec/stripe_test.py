"""MobileNetV3-large at 224 x 224 and the digit network in stripes: less workspace, PyTorch's outputs, and
the bits of the code without stripes, on one thread and more. The network is in FOVEA_MODELS."""
import os
import pathlib
import re
import sys
import tempfile

import numpy as np

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
from generated import SOURCE, build, compile_model, run, worst_difference
from hostile import Checks, finish

checks = Checks()


def built(model, folder, *options):
    """Compiles and builds a model; returns the binary and the bytes of its workspace."""
    exact = ("--winograd", "off", "--strassen", "off", "--fuse", "no-gates")
    compile_model(model, folder, *exact, *options)
    header = pathlib.Path(folder, "model.h").read_text()
    return build(folder, "gcc", "-O1", "-march=native", "-pthread"), int(re.search(r"MODEL_WORKSPACE (\d+)", header)[1])


def check(name, model, inputs, expected, saving):
    with tempfile.TemporaryDirectory() as folder:
        plain, before = built(model, f"{folder}/plain")
        whole, _ = run(plain, inputs, f"{folder}/out.npz")
        for threads in ("1", "3"):
            striped, after = built(model, f"{folder}/{threads}", "--stripe", "auto", "--threads", threads)
            got, _ = run(striped, inputs, f"{folder}/out.npz", poison=0xA5)
            checks.check(f"{name}: as PyTorch", worst_difference(expected, got) <= 1e-4)
            same = all(np.array_equal(whole[key], got[key]) for key in whole)
            checks.check(f"{name}: the same bits, {threads} threads", same)
            checks.check(f"{name}: workspace, {threads} threads", after <= (1 - saving) * before, (before, after))


models = pathlib.Path(os.environ["FOVEA_MODELS"])
stem = models / "mobilenet_v3_large.ts"
check("mobilenet", f"{stem}.onnx", f"{stem}.input.npz", dict(np.load(f"{stem}.expect.npz")), 0.7)
digits = SOURCE / "examples/digits"
check("senet", digits / "senet.onnx", digits / "senet_inputs.npz", dict(np.load(digits / "senet_outputs.npz")), 0.2)
finish(checks)
