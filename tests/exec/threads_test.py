"""--threads and --profile: outputs and probes are the same bits for any number of threads, and those of code without threads, which has
no trace of them; the testbench's pool has no race that ThreadSanitizer sees; what is too small to share out is not."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from generated import ALLOWED_SYMBOLS, FOVEA, MATHS, build, compile_model, run, undefined_symbols
from hostile import Checks, finish

MODELS = pathlib.Path(os.environ["FOVEA_MODELS"])
THREADS = 8
random = np.random.default_rng(7)
checks = Checks()


def many_forms(path):
    """Kernels with scratch and without, and loops of all forms: elementwise and copying, along their first dimension or
    a later one, reductions whose results are made one by one and side by side."""
    def weight(name, *shape):
        return numpy_helper.from_array(random.standard_normal(shape, dtype=np.float32) / 4, name)

    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["map"], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["map", "depthwise"], ["deep"], pads=[1, 1, 1, 1], group=16),
        helper.make_node("Softmax", ["deep"], ["weights"], axis=-1),
        helper.make_node("ReduceMean", ["x"], ["channels"], axes=[1], keepdims=0),
        helper.make_node("ReduceMax", ["map"], ["rows"], axes=[3], keepdims=0),
        helper.make_node("Transpose", ["weights"], ["turned"], perm=[0, 2, 3, 1]),
        helper.make_node("Add", ["turned", "offsets"], ["moved"]),
        helper.make_node("Erf", ["moved"], ["bent"]),
        helper.make_node("MatMul", ["weights", "matrix"], ["product"]),
        helper.make_node("Gemm", ["row", "wide"], ["long"]),
        helper.make_node("MatMul", ["tokens", "square"], ["mixed"]),  # by Strassen's algorithm; fewer items than ranges
    ]
    outputs = {"channels": [1, 64, 64], "rows": [1, 16, 64], "bent": [1, 64, 64, 16], "product": [1, 16, 64, 48],
               "long": [1, 700], "mixed": [796, 192]}
    graph = helper.make_graph(
        nodes, "forms",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8, 64, 64]),
         helper.make_tensor_value_info("row", TensorProto.FLOAT, [1, 300]),
         helper.make_tensor_value_info("tokens", TensorProto.FLOAT, [796, 192])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [weight("w", 16, 8, 3, 3), weight("b", 16), weight("depthwise", 16, 1, 3, 3), weight("offsets", 16),
         weight("matrix", 64, 48), weight("square", 192, 192), weight("wide", 300, 700)])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def random_inputs(model, path):
    graph = onnx.load(model, load_external_data=False).graph
    known = {tensor.name for tensor in graph.initializer}
    shapes = {value.name: [d.dim_value for d in value.type.tensor_type.shape.dim]
              for value in graph.input if value.name not in known}
    np.savez(path, **{name: random.standard_normal(shape, dtype=np.float32) for name, shape in shapes.items()})


def same_bits(a, b):
    return list(a) == list(b) and all(a[key].tobytes() == b[key].tobytes() for key in a)


def check_model(name, model, folder):
    inputs, alone, shared = folder / "in.npz", folder / "alone", folder / "shared"
    random_inputs(model, inputs)
    compile_model(model, alone)
    compile_model(model, shared, "--threads", str(THREADS))
    traces = re.findall(r"(?i)parallel|thread|share_start", (alone / "model.c").read_text() + (alone / "model.h").read_text())
    checks.check(f"{name}: no trace of threads without --threads", not traces, traces)
    code = (shared / "model.c").read_text()
    checks.check(f"{name}: work is shared out", code.count("in_parallel(context") >= 5, code.count("in_parallel(context"))
    foreign = undefined_symbols(shared) - ALLOWED_SYMBOLS - MATHS
    checks.check(f"{name}: symbols from elsewhere", not foreign, foreign)
    for compiler in ("gcc", "clang"):
        wanted = run(build(alone, compiler, "-O2"), inputs, folder / "out.npz", folder / "maps.npz")
        binary = build(shared, compiler, "-O2", "-pthread")
        for threads in range(1, THREADS + 1):
            got = run(binary, inputs, folder / "out.npz", folder / "maps.npz", options=("--threads", str(threads)))
            for what, expected, made in zip(("outputs", "probes"), wanted, got):
                checks.check(f"{name}, {compiler}, {threads} threads: {what}", same_bits(expected, made), "other bits")
    return shared, inputs


def check_races(folder, inputs):
    binary = build(folder, "clang", "-O1", "-g", "-fsanitize=thread", "-pthread")
    for threads in (2, THREADS):
        done = subprocess.run([binary, "--input", inputs, "--repeat", "20", "--threads", str(threads)],
                              capture_output=True, text=True)
        checks.check(f"races, {threads} threads", done.returncode == 0 and "WARNING" not in done.stderr, done.stderr)


def check_profile(model, folder, inputs):
    """Each step is listed once, the slowest first, and rates are there where multiply-adds are."""
    folder.mkdir()
    compile_model(model, folder, "--profile")
    steps = (folder / "model.c").read_text().count("MODEL_STEP(") - 2
    command = [build(folder, "gcc", "-O2"), "--input", inputs, "--profile", "3"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[1:-1]
    times = [float(line.split()[1]) for line in lines]
    checks.check("profile: every step", len(lines) == steps > 5, lines)
    checks.check("profile: sorted", times == sorted(times, reverse=True), times)
    checks.check("profile: a rate", all((len(line[:27].split()) == 3) == ("Conv" in line or "MatMul" in line or "Gemm" in line)
                                        for line in lines if float(line.split()[1]) > 0), lines)
    silent = build(folder, "gcc", "-O2", "-DMODEL_PROFILE=0")
    refused = subprocess.run([silent, "--input", inputs, "--profile", "3"], capture_output=True)
    checks.check("profile: compiled out", refused.returncode == 2, refused)


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    many_forms(folder / "forms.onnx")
    (folder / "forms").mkdir()
    shared, inputs = check_model("forms", folder / "forms.onnx", folder / "forms")
    check_races(shared, inputs)
    check_profile(folder / "forms.onnx", folder / "profiled", inputs)
    text = (shared / "model.c").read_text()
    checks.check("results side by side are shared out in groups", "= first * " in text, "no such loop")
    (folder / "mobilenet").mkdir()
    check_model("mobilenet", MODELS / "mobilenet_v3_small.dynamo.onnx", folder / "mobilenet")
    run_threads = [FOVEA, "run", folder / "forms.onnx", "--input", inputs, "--output", folder / "run.npz", "--threads"]
    checks.check("fovea run --threads 3", subprocess.run([*run_threads, "3"]).returncode == 0, "failed")
    verify = [FOVEA, "verify", folder / "forms.onnx", "--input", inputs, "--expect", folder / "run.npz"]
    for threads in "13":  # run.npz has what three made: the same bits
        exact = [*verify, "--threads", threads, "--atol", "0", "--rtol", "0"]
        checks.check(f"fovea verify --threads {threads}", subprocess.run(exact).returncode == 0, "it differs")
    refused = subprocess.run([*verify, "--threads", "65"], capture_output=True)
    checks.check("verify --threads 65 is refused", refused.returncode == 2, refused.stderr)
    refused = subprocess.run([*run_threads, "65"], capture_output=True, text=True)
    checks.check("--threads 65 is refused", refused.returncode == 2 and "at most 64" in refused.stderr, refused.stderr)
finish(checks)
