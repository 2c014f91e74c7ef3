"""Whole networks at 224 x 224, from both of PyTorch's exporters, against PyTorch: within 1e-4 of the outputs' range, under
gcc and clang, -O2 and -O3, each with each for one of the exporters, without a warning and with no symbol from elsewhere but
the maths library's. fovea itself takes less than three times a large model's size in memory. The networks are in
FOVEA_MODELS, where tests/models/export.py wrote them."""
import itertools
import os
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
from generated import ALLOWED_SYMBOLS, MATHS, build, compile_model, run, undefined_symbols, worst_difference

MODELS = ["se_resnet50", "mobilenet_v3_large", "deit_tiny"]
BUILDS = {"ts": [("gcc", "-O2"), ("clang", "-O3")], "dynamo": [("gcc", "-O3"), ("clang", "-O2")]}


def main():
    models = pathlib.Path(os.environ["FOVEA_MODELS"])
    failures = 0
    for name, exporter in itertools.product(MODELS, BUILDS):
        model = models / f"{name}.{exporter}.onnx"
        expected = dict(np.load(models / f"{name}.{exporter}.expect.npz"))
        print(model.name)
        with tempfile.TemporaryDirectory() as folder:
            start = time.monotonic()
            peak = compile_model(model, folder) / model.stat().st_size
            print(f"  compiled to C in {time.monotonic() - start:.2f} s, at most {peak:.2f} times the file in memory")
            failures += model.stat().st_size > 100e6 and not peak < 3
            foreign = undefined_symbols(folder) - ALLOWED_SYMBOLS - MATHS
            if foreign:
                print(f"  undefined symbols: {sorted(foreign)}")
                failures += 1
            for compiler, level in BUILDS[exporter]:
                binary = build(folder, compiler, level)
                outputs, _ = run(binary, models / f"{name}.{exporter}.input.npz", f"{folder}/out.npz")
                worst = worst_difference(expected, outputs)
                print(f"  {compiler} {level}: {worst:.1e} of the range")
                failures += not worst <= 1e-4
    return failures != 0


sys.exit(main())
