"""What tests of generated C share: compiling a model, building its testbench strictly, running it, comparing npz files.
The environment variable FOVEA names the program under test."""
import os
import pathlib
import subprocess

import numpy as np
import onnx
from onnx import numpy_helper

FOVEA = os.environ["FOVEA"]
SOURCE = pathlib.Path(os.environ["FOVEA_SOURCE_DIR"])
STRICT = "-std=c99 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror".split()
ALLOWED_SYMBOLS = {"memcpy", "memset", "memmove"}
MATHS = {f + suffix for suffix in ("", "f") for f in (
    "acos acosh asin asinh atan atanh cbrt ceil copysign cos cosh erf exp expm1 fabs floor fmod ldexp log log1p "
    "nearbyint pow rint round sin sinh sqrt tan tanh trunc").split()}


def compile_model(model, folder, *options):
    """Writes a model, called model, with its testbench into folder; returns fovea's peak memory in bytes."""
    process = subprocess.Popen([FOVEA, "compile", model, "-o", folder, "--name", "model", "--testbench", *options],
                               stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{process.args} ended with {process.returncode}"
    return usage.ru_maxrss * 1024


def sources(folder):
    """What is to be built of what was written into folder."""
    return [str(path) for kind in ("*.c", "*.S") for path in sorted(pathlib.Path(folder).glob(kind))]


def build(folder, compiler, *flags):
    """Builds the C in folder with warnings as errors; returns the testbench's path. Its main program, which reads and writes
    files, is not optimised."""
    folder = pathlib.Path(folder)
    binary, command = folder / f"model-{compiler}{''.join(flags)}", [compiler, *STRICT, *flags, "-I", folder]
    mains = [source for source in sources(folder) if source.endswith("_main.c")]
    made = [f"{binary}-{i}.o" for i in range(len(mains))]
    for source, target in zip(mains, made):
        subprocess.run([*command, "-O0", "-c", source, "-o", target], check=True)
    others = [source for source in sources(folder) if source not in mains]
    subprocess.run([*command, *others, *made, "-o", binary, "-lm"], check=True)
    return binary


def build_quickly(folder):
    """As build(), by the compiler that takes the least time, a twentieth of any other's, and without a warning: for what is
    run once. It knows no vectors and none of GCC's extensions, so it shows that plain C is enough."""
    binary = pathlib.Path(folder) / "model-tcc"
    subprocess.run(["tcc", "-std=c99", "-I", folder, *sources(folder), "-o", binary, "-lm"], check=True)
    return binary


def run(binary, inputs, output, probes=None, poison=0, options=()):
    """Runs a testbench; returns its outputs, and its probes if they are asked for. poison: what glibc fills fresh memory
    with, the workspace among it."""
    command = [binary, "--input", inputs, "--output", output, *options]
    if probes is not None:
        command += ["--probes", probes]
    subprocess.run(command, check=True, env=dict(os.environ, MALLOC_PERTURB_=str(poison)))
    return dict(np.load(output)), None if probes is None else dict(np.load(probes))


def worst_difference(expected, got):
    """The largest difference of any array, as a share of the range of the expected one."""
    assert list(expected) == list(got), f"keys {list(got)}, expected {list(expected)}"
    worst = 0.0
    for key, want in expected.items():
        assert want.shape == got[key].shape, f"{key}: shape {got[key].shape}, expected {want.shape}"
        spread = float(want.max() - want.min()) or 1.0
        worst = max(worst, float(np.abs(want - got[key]).max()) / spread)
    return worst


def last_step(model):
    """The step of a quantised model's only output: the scale of the DequantizeLinear that gives it; None of another model."""
    graph = onnx.load(model).graph
    last = next(node for node in graph.node if graph.output[0].name in node.output)
    if last.op_type != "DequantizeLinear":
        return None
    return float(next(numpy_helper.to_array(weight) for weight in graph.initializer if weight.name == last.input[1]))


def undefined_symbols(folder):
    """Symbols that the model's object file needs from elsewhere, its own weights left out."""
    target = pathlib.Path(folder) / "symbols.o"
    subprocess.run(["cc", "-std=c99", "-O2", "-c", pathlib.Path(folder) / "model.c", "-o", target], check=True)
    listed = subprocess.run(["nm", "-u", target], check=True, capture_output=True, text=True).stdout
    return {line.split()[-1] for line in listed.splitlines()} - {"model_weights", "_GLOBAL_OFFSET_TABLE_"}
