"""The digit networks: outputs and attention maps are PyTorch's, with sanitizers of GCC and Clang, in each of the weight
modes, and interpreted; outputs are the same bits with probes on, off, and compiled out, and whatever was in the workspace
before."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
from generated import FOVEA, SOURCE, build, compile_model, run, worst_difference

DIGITS = SOURCE / "examples/digits"
SANITIZE = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def check(what, expected, got, bound):
    worst = worst_difference(expected, got)
    print(f"{what}: {worst:.1e}")
    return not worst <= bound


def main():
    failures = 0
    for network in ["senet", "cbam", "vit"]:
        inputs = DIGITS / f"{network}_inputs.npz"
        outputs = dict(np.load(DIGITS / f"{network}_outputs.npz"))
        probes = dict(np.load(DIGITS / f"{network}_probes.npz"))
        for weights in ["inline", "object", "file"]:
            with tempfile.TemporaryDirectory() as folder:
                compile_model(DIGITS / f"{network}.onnx", folder, "--weights", weights)
                os.chdir(folder)  # where model.weights lies
                binary = build(folder, "gcc", "-O1")
                binaries = {"gcc": binary}
                if weights == "inline":
                    binaries = {compiler: build(folder, compiler, *SANITIZE) for compiler in ("gcc", "clang")}
                for compiler, program in binaries.items():
                    got, maps = run(program, inputs, "out.npz", "maps.npz")
                    failures += check(f"{network}, weights {weights}, {compiler}: outputs", outputs, got, 1e-5)
                    failures += check(f"{network}, weights {weights}, {compiler}: probes", probes, maps, 1e-5)
                silent, _ = run(binary, inputs, "out.npz")
                loud, _ = run(binary, inputs, "out.npz", "maps.npz")
                poisoned, _ = run(binary, inputs, "out.npz", poison=0x5A)
                without, _ = run(build(folder, "gcc", "-O1", "-DMODEL_PROBES=0"), inputs, "out.npz")
                for key in outputs:
                    same = all(np.array_equal(silent[key], other[key]) for other in (loud, without, poisoned))
                    failures += not same
                    print(f"{network}, weights {weights}: probes and old memory change {'nothing' if same else 'OUTPUTS'}")
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([FOVEA, "run", DIGITS / f"{network}.onnx", "--interpret", "--input", inputs, "--output",
                            f"{folder}/out.npz", "--probe-output", f"{folder}/maps.npz"], check=True)
            failures += check(f"{network}, interpreted: outputs", outputs, dict(np.load(f"{folder}/out.npz")), 1e-5)
            failures += check(f"{network}, interpreted: probes", probes, dict(np.load(f"{folder}/maps.npz")), 1e-5)
    return failures != 0


sys.exit(main())
