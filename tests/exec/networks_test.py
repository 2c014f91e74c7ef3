"""Small networks of all kinds, from both of PyTorch's exporters, against PyTorch: within 1e-4 of the outputs' range;
the quantised one against ONNX Runtime, within a step. Of the TorchScript exporter under gcc, of the other under clang:
scripts/networks runs more networks in every way. The workspace is at most a tenth over its lower bound."""

import json
import os
import pathlib
import sys
import tempfile

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
from generated import build, compile_model, last_step, run, worst_difference

NETWORKS = ["segformer_b0", "detr_small", "bert_small", "llama_260k", "t5_tiny", "lstm_tagger", "mobilenet_v3_qdq"]
NETWORKS += ["wav2vec2_small", "r3d_18"]
COMPILERS = {"ts": "gcc", "dynamo": "clang"}


def check(stem, compiler, folder):
    """Runs one file; returns what is not as it should be."""
    expected = dict(np.load(f"{stem}.expect.npz"))
    compile_model(f"{stem}.onnx", folder)
    got, _ = run(build(folder, compiler, "-O2"), f"{stem}.input.npz", f"{folder}/out.npz")
    worst, allowed, step = worst_difference(expected, got), 1e-4, last_step(f"{stem}.onnx")
    if step is not None:
        allowed = 1.01 * step / float(np.ptp(expected["logits"]))
    memory = json.loads(pathlib.Path(folder, "model.json").read_text())["memory"]
    ratio = memory["workspace_bytes"] / memory["lower_bound_bytes"]
    print(f"{stem.name}, {compiler}: {worst:.1e} of the range, workspace {ratio:.3f} of its bound", flush=True)
    return [f"differs by {worst:.1e}"] * (not worst <= allowed) + [f"workspace {ratio:.3f}"] * (not ratio <= 1.1)


def main():
    failures = []
    for name in NETWORKS:
        for exporter, compiler in COMPILERS.items():
            stem = pathlib.Path(os.environ["FOVEA_MODELS"], f"{name}.{exporter}")
            with tempfile.TemporaryDirectory() as folder:
                failures += [f"{stem.name}: {what}" for what in check(stem, compiler, folder)]
    print(*failures, sep="\n")
    return failures != []


sys.exit(main())
