"""--target and --dispatch: for every target the C is compiled without a warning and right, and for no other vectors than
the target's; what the variants of --dispatch are compiled with, and that each is right."""
import itertools
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
import onnx
import onnxruntime
from generated import FOVEA, MATHS, SOURCE, STRICT, build, compile_model, worst_difference
from hostile import Checks, finish, model, node, tensor
from wasm import imported_functions

onnxruntime.set_default_logger_severity(3)
DIGITS = SOURCE / "examples/digits"
COMPILERS = ("gcc", "clang")
HAS = {"x86-64-v2": "sse4_2", "x86-64-v3": "avx2", "x86-64-v4": "avx512vl"}  # what /proc/cpuinfo calls it
SCALAR = ["-march=x86-64", "-fno-tree-vectorize", "-DLANES=1"]
checks = Checks()


def on_this_machine():
    """The x86-64 targets that the processor can do."""
    if platform.machine() != "x86_64":
        return []
    flags = set(re.search(r"^flags\s*:(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M).group(1).split())
    return [target for target, flag in HAS.items() if flag in flags]


def mobile():
    """First, depthwise, pointwise and dense convolutions, a gate, a residual, and channels that no vector divides."""
    random = np.random.default_rng(11)
    tensors = []

    def weight(name, *shape):
        tensors.append(tensor(name, random.standard_normal(shape, dtype=np.float32) * np.float32(1.5 / np.sqrt(np.prod(shape[1:])))))
        return name

    def conv(x, y, k, c, size, **attributes):
        return node("Conv", f"{x} {weight(y + '_w', k, c, size, size)} {weight(y + '_b', k)}", y, pads=[size // 2] * 4, **attributes)

    nodes = [conv("x", "stem", 20, 3, 3, strides=[2, 2]), node("HardSwish", "stem", "stem_act"),
             conv("stem_act", "wide", 40, 20, 1), node("HardSwish", "wide", "wide_act"),
             conv("wide_act", "deep", 40, 1, 5, group=40), node("Relu", "deep", "deep_act"),
             node("GlobalAveragePool", "deep_act", "mean"), conv("mean", "squeezed", 10, 40, 1), node("Relu", "squeezed", "few"),
             conv("few", "excited", 40, 10, 1), node("HardSigmoid", "excited", "gate"), node("Mul", "deep_act gate", "gated"),
             conv("gated", "narrow", 20, 40, 1), node("Add", "narrow stem_act", "sum"),
             conv("sum", "dense", 36, 20, 3, strides=[2, 2]), node("Sigmoid", "dense", "s"), node("Mul", "dense s", "silu"),
             node("GlobalAveragePool", "silu", "pooled"), node("Flatten", "pooled", "row"),
             node("Gemm", f"row {weight('head_w', 10, 36)} {weight('head_b', 10)}", "y", transB=1)]
    return model(nodes, [("x", [1, 3, 36, 36])], [("y", [1, 10])], tensors)


def networks(folder):
    """Name, model, inputs and outputs: PyTorch's, or those of ONNX Runtime."""
    for name in ("senet", "cbam", "vit"):
        yield name, DIGITS / f"{name}.onnx", DIGITS / f"{name}_inputs.npz", dict(np.load(DIGITS / f"{name}_outputs.npz"))
    path, inputs = folder / "mobile.onnx", folder / "mobile.npz"
    x = np.random.default_rng(12).standard_normal((1, 3, 36, 36), dtype=np.float32)
    onnx.save(mobile(), path)
    np.savez(inputs, x=x)
    (y,) = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": x})
    yield "mobile", path, inputs, {"y": y}


def check_outputs(what, expected, binary, inputs, *options, runner=()):
    out = binary.parent / "out.npz"
    subprocess.run([*runner, binary, "--input", inputs, "--output", out, *options], check=True, stdout=subprocess.DEVNULL)
    worst = worst_difference(expected, dict(np.load(out)))
    checks.check(f"{what}: outputs", worst <= 1e-5, worst)


def check_portable(name, path, inputs, expected, folder, targets):
    """One C file, for each kind of registers."""
    compile_model(path, folder)
    for compiler, flags in itertools.product(COMPILERS, [*([f"-march={target}"] for target in targets), SCALAR]):
        if platform.machine() == "x86_64":
            what = f"{name}, {compiler} {' '.join(flags)}"
            subprocess.run([compiler, *STRICT, "-O0", *flags, "-c", folder / "model.c", "-o", folder / "model.o"], check=True)
            check_outputs(what, expected, build(folder, compiler, "-O3", *flags), inputs)


def check_aarch64(what, expected, folder, inputs):
    binary = build(folder, "aarch64-linux-gnu-gcc", "-O3", "-static")
    check_outputs(f"{what}, aarch64", expected, binary, inputs, runner=["qemu-aarch64"])


def check_wasm(name, folder):
    """There is no C library for this target here: of its headers the names that generated code may use are enough."""
    headers = folder / "headers"
    headers.mkdir(exist_ok=True)
    (headers / "string.h").write_text(
        "#include <stddef.h>\nvoid *memcpy(void *restrict, const void *restrict, size_t);\n"
        "void *memset(void *, int, size_t);\nvoid *memmove(void *, const void *, size_t);\n")
    (headers / "math.h").write_text(
        "#define INFINITY __builtin_inff()\n#define NAN __builtin_nanf(\"\")\n" + "".join(
            f"{'float' if f.endswith('f') and f != 'erf' else 'double'} {f}({'float' if f.endswith('f') and f != 'erf' else 'double'});\n"
            for f in ("sqrt", "sqrtf", "exp", "expf")))
    made = folder / "model.wasm.o"
    subprocess.run(["clang", "--target=wasm32", "-msimd128", "-ffreestanding", *STRICT, "-O3", "-I", headers, "-c",
                    folder / "model.c", "-o", made], check=True)
    foreign = imported_functions(made.read_bytes()) - {"memcpy", "memset", "memmove"} - MATHS
    checks.check(f"{name}, wasm32: symbols from elsewhere", not foreign, foreign)
    # A loop over vectors has SIMD's prefix, 0xfd, and f32x4.mul, 230, as a number of two bytes.
    checks.check(f"{name}, wasm32: vectors", b"\xfd\xe6\x01" in made.read_bytes(), "there is no f32x4.mul")


def check_definite(name, path, inputs, expected, folder, targets):
    """Code for one target has no choice left, and refuses other vectors."""
    for target, flags, other in (("x86-64-v3", "-march=x86-64-v3", "-march=x86-64-v2"), ("scalar", "-DLANES=1", "-DLANES=4")):
        if target in HAS and target not in targets:
            continue
        made = folder / target
        compile_model(path, made, "--target", target)
        code = (made / "model.c").read_text()
        checks.check(f"{name}, {target}: one number for each tile", "= PICK(" not in code, "PICK")
        checks.check(f"{name}, {target}: manifest", json.loads((made / "model.json").read_text())["target"] == target, "")
        checks.check(f"{name}, {target}: CMake", flags in (made / "CMakeLists.txt").read_text(), "")
        for compiler in COMPILERS:
            check_outputs(f"{name}, {target}, {compiler}", expected, build(made, compiler, "-O2", flags), inputs)
            refused = subprocess.run([compiler, other, "-c", made / "model.c", "-o", made / "model.o"], capture_output=True, text=True)
            checks.check(f"{name}, {target}: {compiler} {other} is refused", refused.returncode != 0, "")
            checks.check(f"{name}, {target}: what {compiler} should be told", f"compile it with {flags}" in refused.stderr, refused.stderr)


def check_verify(name, path, inputs, expected, folder, targets):
    """The targets for which this machine can build and run by itself."""
    np.savez(folder / "expected.npz", **expected)
    for target in ["portable", "native", "scalar", *targets[:1]]:
        command = [FOVEA, "verify", path, "--input", inputs, "--expect", folder / "expected.npz", "--target", target]
        done = subprocess.run(command, capture_output=True, text=True)
        checks.check(f"{name}: verify --target {target}", done.returncode == 0, done.stdout + done.stderr)


def registers(folder, compiler, file):
    """The widest vector registers that the code of a file mentions."""
    made = folder / f"{file}.o"
    subprocess.run([compiler, "-std=c99", "-O3", "-c", folder / file, "-o", made], check=True)
    code = subprocess.run(["objdump", "-d", made], check=True, capture_output=True, text=True).stdout
    return max(set(re.findall(r"%([xyz])mm", code)), default="")


def symbols(made):
    listed = subprocess.run(["nm", "-u", made], check=True, capture_output=True, text=True).stdout
    return {line.split()[-1] for line in listed.splitlines()} - {"_GLOBAL_OFFSET_TABLE_"}


def check_dispatch(name, path, inputs, expected, folder, targets, *options, compilers=COMPILERS, flags=()):
    """As the processor says, and whatever it pretends it can do of what it can."""
    compile_model(path, folder, "--dispatch", *options)
    os.chdir(folder)  # where model.weights lies
    answers = {"x86-64-v2": "0", "x86-64-v3": "((x)[3]!='5')", "x86-64-v4": "1"}  # "avx512..." or not
    for compiler in compilers:
        check_outputs(f"{name}, {compiler}", expected, build(folder, compiler, "-O2", *flags), inputs)
        for target in targets:
            pretended = f"-D__builtin_cpu_supports(x)={answers[target]}"
            check_outputs(f"{name}, {compiler}, {target}", expected, build(folder, compiler, "-O2", pretended, *flags), inputs)


def check_variants(folder):
    """What one of the folders above is compiled to."""
    for compiler in COMPILERS:
        widest = [registers(folder, compiler, f"model_{level}.c") for level in ("v2", "v3", "v4")]
        checks.check(f"dispatch, {compiler}: registers", widest == ["x", "y", "z"], widest)
        checks.check(f"dispatch, {compiler}: the choice is for all", registers(folder, compiler, "model.c") in ("", "x"), "")
        foreign = symbols(folder / "model.c.o") - {"__cpu_model", "model_run_v2", "model_run_v3", "model_run_v4"}
        checks.check(f"dispatch, {compiler}: symbols from elsewhere", not foreign, foreign)
    manifest = json.loads((folder / "model.json").read_text())
    checks.check("dispatch: manifest", manifest["dispatch"] == list(HAS), manifest["dispatch"])


def check_usage(folder):
    inputs, senet = DIGITS / "senet_inputs.npz", DIGITS / "senet.onnx"
    for words, message in (
            (["compile", senet, "-o", folder / "no", "--target", "x86-64-v9"], "expected portable, native, x86-64-v2"),
            (["compile", senet, "-o", folder / "no", "--dispatch", "--target", "native"], "--dispatch has targets of its own"),
            (["run", senet, "--input", inputs, "--output", folder / "no.npz", "--interpret", "--target", "scalar"], "takes a C compiler")):
        done = subprocess.run([FOVEA, *words], capture_output=True, text=True)
        checks.check(f"{words[-3:]}: refused", done.returncode == 2 and message in done.stderr, done.stderr)
    checks.check("what is refused writes nothing", not (folder / "no").exists(), "")


def check_native_option(folder):
    """The CMakeLists.txt of portable code: native where it is asked to be."""
    compile_model(DIGITS / "senet.onnx", folder)
    subprocess.run(["cmake", "-S", folder, "-B", folder / "build", "-DMODEL_NATIVE=ON", "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON"],
                   check=True, stdout=subprocess.DEVNULL)
    commands = json.loads((folder / "build/compile_commands.json").read_text())
    checks.check("MODEL_NATIVE", any("-march=native" in c["command"] and c["file"].endswith("model.c") for c in commands), commands)


def main():
    targets = on_this_machine()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        senet, cbam, vit, small = networks(folder)
        for network in (vit, small):
            check_portable(*network, folder / network[0], targets)
            check_aarch64(network[0], network[3], folder / network[0], network[2])
            check_wasm(network[0], folder / network[0])
        check_definite(*small, folder / "definite", targets)
        check_verify(*small, folder, targets)
        check_usage(folder)
        check_native_option(folder / "native")
        check_dispatch("dispatch, inline", *senet[1:], folder / "inline", targets, "--weights", "inline")
        check_aarch64("dispatch", senet[3], folder / "inline", senet[2])
        check_dispatch("dispatch, object", *senet[1:], folder / "object", [], "--weights", "object")
        check_dispatch("dispatch, file", *senet[1:], folder / "file", [], "--weights", "file", compilers=("gcc",))
        check_dispatch("dispatch, threads, profile", *small[1:], folder / "threads", targets[:1], "--threads", "2", "--profile",
                       compilers=("gcc",), flags=("-pthread",))
        check_dispatch("dispatch without probes", *cbam[1:], folder / "unprobed", [], compilers=("clang",), flags=("-DMODEL_PROBES=0",))
        if targets:
            check_variants(folder / "inline")
        os.chdir("/")
    finish(checks)


main()
