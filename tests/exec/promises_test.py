"""What docs/trust.md promises of generated code and a compiler or nm can see: no heap, no globals that can be written, no
symbols from elsewhere, no recursion, no arrays of variable length, a bounded stack."""
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
from generated import ALLOWED_SYMBOLS, MATHS, SOURCE, STRICT, undefined_symbols
from hostile import Checks, finish

FRAME = 32 << 10  # bytes of stack that one function may take
DIMS = {"trace": ("--dim", "batch=1")}
checks = Checks()


def check_symbols(what, folder):
    foreign = undefined_symbols(folder) - ALLOWED_SYMBOLS - MATHS
    checks.check(f"{what}: symbols from elsewhere", not foreign, foreign)
    # Without -fno-pie, constants that hold addresses are in a section that is written once, when the program is loaded.
    subprocess.run(["cc", "-std=c99", "-O2", "-fno-pie", "-c", folder / "model.c", "-o", folder / "fixed.o"], check=True)
    listed = subprocess.run(["nm", folder / "fixed.o"], check=True, capture_output=True, text=True).stdout
    for line in listed.splitlines():
        kind, name = line.split()[-2:]
        checks.check(f"{what}: {name} can be written", kind not in "bBdDCsSgG", line)
        checks.check(f"{what}: {name} is visible", not kind.isupper() or kind == "U" or name.startswith("model_"), line)


def check_calls(what, folder):
    """Functions call only those above them, so none can come back to itself."""
    text = re.sub(r"/\*.*?\*/|\"(?:\\.|[^\"\\])*\"", " ", (folder / "model.c").read_text(), flags=re.S)
    heads = list(re.finditer(r"^[A-Za-z][\w \*]*?\b(\w+)\([^;{}]*\)\s*\{", text, re.M))
    checks.check(f"{what}: functions", len(heads) > 3, [h.group(1) for h in heads])
    for i, head in enumerate(heads):
        end = heads[i + 1].start() if i + 1 < len(heads) else len(text)
        not_yet = {h.group(1) for h in heads[i:]}
        calls = set(re.findall(r"\b(\w+)\(", text[head.end(1):end])) & not_yet
        checks.check(f"{what}: {head.group(1)} calls what is not above it", not calls, calls)


def check_stack(what, folder):
    for compiler in ("gcc", "clang"):
        for level in ("-O0", "-O3"):
            done = subprocess.run([compiler, *STRICT, level, "-Wvla", f"-Wframe-larger-than={FRAME}", "-c", folder / "model.c", "-o", folder / "model.o"],
                                  capture_output=True, text=True)
            checks.check(f"{what}: {compiler} {level}", done.returncode == 0, done.stderr)


for model in sorted((SOURCE / "examples/digits").glob("*.onnx")) + [SOURCE / "tests/golden/trace.onnx"]:
    for weights in ("inline", "object", "file"):
        folder = checks.accepted(model.stem, model.read_bytes(), ("--name", "model", "--weights", weights, *DIMS.get(model.stem, ())))
        if folder is None:
            continue
        what = f"{model.stem}, weights {weights}"
        check_symbols(what, folder)
        check_calls(what, folder)
        if weights == "inline":
            check_stack(what, folder)
        text = (pathlib.Path(folder) / "model.c").read_text()
        checks.check(f"{what}: heap", not re.search(r"\b(malloc|calloc|realloc|free|alloca)\b", text), "it is used")
finish(checks)
