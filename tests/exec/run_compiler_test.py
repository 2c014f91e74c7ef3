"""`fovea run` compiles with what CC names, its options among it, at -O3; the options in CFLAGS come last, so they prevail."""
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
from generated import FOVEA, SOURCE
from hostile import Checks, finish

MODEL = SOURCE / "examples/digits/senet"
checks = Checks()


def levels(folder, **environment):
    """The compiler's levels of optimisation, in the order in which it reads them, and what `fovea run` says."""
    calls, compiler = folder / "calls", folder / "compiler"
    compiler.write_text(f'#!/bin/sh\necho "$@" >>{calls}\nexec cc "$@"\n')
    compiler.chmod(0o755)
    calls.write_text("")
    done = subprocess.run([FOVEA, "run", f"{MODEL}.onnx", "--input", f"{MODEL}_inputs.npz", "--output", folder / "out.npz"],
                          env={**os.environ, "CC": f"{compiler} -g", **environment}, capture_output=True, text=True)
    last = calls.read_text().splitlines()[-1].split()
    checks.check(f"{environment}: CC's options come first", last[0] == "-g", last)
    return [word for word in last if word.startswith("-O")], done


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    for flags, wanted in (("", ["-O3"]), (" -O1\t-g\n", ["-O3", "-O1"])):
        found, done = levels(folder, CFLAGS=flags)
        checks.check(f"CFLAGS={flags!r}", found == wanted and done.returncode == 0, (found, done.stderr))
    _, done = levels(folder, CFLAGS="--no-such-option")
    said = "with CFLAGS=--no-such-option failed on the generated code" in done.stderr
    checks.check("options that the compiler does not have", done.returncode == 4 and said, done)
finish(checks)
