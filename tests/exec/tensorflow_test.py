"""The Keras networks that tf2onnx exported: outputs and attention maps are Keras' own, in C by each compiler and
interpreted, and blocks are named by the layers. TensorFlow is not needed: examples/tensorflow has what it gave."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
from generated import FOVEA, SOURCE, build, compile_model, run, worst_difference

FOLDER = SOURCE / "examples/tensorflow"
NETWORKS = {
    "cnn": ["se se", "cbam cbam", "cam cam_0"],
    "functional": ["se se_dense", "se se_keep", "se se_conv", "cbam cbam", "cam cam_0"],
    "transformer": ["position positions", "attention block0.attention", "attention block1.attention"],
    "masked": [f"attention {name}{way}" for way in ("", "_at_once") for name in ("given", "causal", "cross")],
}


def load(network: str, what: str) -> dict[str, np.ndarray]:
    return dict(np.load(FOLDER / f"{network}_{what}.npz"))


def check(what: str, worst: float, bound: float) -> int:
    print(f"{what}: {worst:.1e}")
    return int(not worst <= bound)


def check_maps(what: str, expected: dict[str, np.ndarray], got: dict[str, np.ndarray]) -> int:
    """Probabilities within 1e-5, gates within 1e-4 of their range; the same keys, in the same order."""
    probabilities = all(key.endswith(".probs") for key in expected)
    worst = worst_difference(expected, got)
    if probabilities:
        worst = max(float(np.abs(expected[key] - got[key]).max()) for key in expected)
    return check(f"{what}: maps", worst, 1e-5 if probabilities else 1e-4)


def check_blocks(network: str) -> int:
    out = subprocess.run([FOVEA, "inspect", FOLDER / f"{network}.onnx", "--json"], check=True, capture_output=True, text=True)
    found = [f"{block['family']} {block['name']}" for block in json.loads(out.stdout)["blocks"]]
    print(f"{network}: {found}")
    return int(found != NETWORKS[network])


def main() -> int:
    failures = 0
    for network in NETWORKS:
        failures += check_blocks(network)
        inputs, outputs, maps = FOLDER / f"{network}_inputs.npz", load(network, "outputs"), load(network, "probes")
        with tempfile.TemporaryDirectory() as folder:
            compile_model(FOLDER / f"{network}.onnx", folder)
            for compiler in ("gcc", "clang"):
                got, seen = run(build(folder, compiler, "-O1"), inputs, f"{folder}/out.npz", f"{folder}/maps.npz")
                failures += check(f"{network}, {compiler}: outputs", worst_difference(outputs, got), 1e-5)
                failures += check_maps(f"{network}, {compiler}", maps, seen)
            subprocess.run([FOVEA, "run", FOLDER / f"{network}.onnx", "--interpret", "--input", inputs, "--output",
                            f"{folder}/out.npz", "--probe-output", f"{folder}/maps.npz"], check=True)
            got, seen = dict(np.load(f"{folder}/out.npz")), dict(np.load(f"{folder}/maps.npz"))
            failures += check(f"{network}, interpreted: outputs", worst_difference(outputs, got), 1e-5)
            failures += check_maps(f"{network}, interpreted", maps, seen)
    return failures != 0


sys.exit(main())
