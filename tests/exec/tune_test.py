"""fovea tune and --tuned: a small network is tuned and compiled with the file, and computes the same; a made-up file
changes the numbers in generated code, those of its target alone; what does not fit is refused or said."""
import json
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
from generated import FOVEA, build, compile_model, run
from hostile import Checks, finish

CONV = "conv 3x3 16 16/1 12x12 stride 1x1 dilation 1x1 batch 1"
DEPTHWISE = "depthwise 3x3 16 16/16 6x6 stride 2x2 dilation 1x1 batch 1"
LINEAR = "linear 36x16x24"
TARGETS = ["avx512", "avx2", "neon", "sse", "scalar"]
random = np.random.default_rng(5)
checks = Checks()


def network(path):
    """A convolution, a depthwise and a pointwise one, and an embedding of tokens: a step of each kind that is tuned."""
    def weight(name, *shape):
        return numpy_helper.from_array(random.standard_normal(shape, dtype=np.float32) / 4, name)

    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["map"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["map"], ["active"]),
        helper.make_node("Conv", ["active", "depthwise"], ["deep"], pads=[1, 1, 1, 1], strides=[2, 2], group=16),
        helper.make_node("Conv", ["deep", "pointwise"], ["y"]),
        helper.make_node("Gather", ["table", "tokens"], ["z"]),
    ]
    graph = helper.make_graph(
        nodes, "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 16, 12, 12]),
         helper.make_tensor_value_info("tokens", TensorProto.INT64, [3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 24, 6, 6]),
         helper.make_tensor_value_info("z", TensorProto.FLOAT, [3, 4])],
        [weight("w", 16, 16, 3, 3), weight("b", 16), weight("depthwise", 16, 1, 3, 3), weight("pointwise", 24, 16, 1, 1),
         weight("table", 2, 4)])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def fovea(*arguments):
    return subprocess.run([FOVEA, *arguments], capture_output=True, text=True)


def made_up(path, target, **choices):
    path.write_text(json.dumps({"format": "fovea tuning 1", "target": target, "choices": choices}))
    return path


def compiled(folder, *options):
    compile_model(folder / "small.onnx", folder / "out", "--dim", "batch=1", *options)
    return (folder / "out/model.c").read_text()


def picks(code, name):
    """The numbers of a size, by target, for each kernel that has it."""
    found = re.findall(rf"\b{name} = (?:(\d+)|PICK\(([\d, ]+)\))", code)
    return [[int(one)] * len(TARGETS) if one else [int(n) for n in many.split(",")] for one, many in found]


def candidates(folder, target, key):
    """What a refusal says can be chosen."""
    file = made_up(folder / "wrong.json", target, **{key: "x\n"})
    done = fovea("compile", folder / "small.onnx", "--dim", "batch=1", "-o", folder / "none", "--tuned", file)
    fits = done.returncode == 1 and f"'x\\x0a' for '{key}'" in done.stderr and not (folder / "none").exists()
    checks.check(f"{target}, {key}: an unknown candidate is refused", fits, done.stderr)
    return re.findall(r"there is (.*)", done.stderr)


def check_tune(folder, inputs):
    """Few rounds, at the cost of what they are worth: the file is what is looked at."""
    file = folder / "tuning.json"
    done = fovea("tune", folder / "small.onnx", "--dim", "batch=1", "-o", file, "--rounds", "1", "--threads", "2")
    checks.check("tune", done.returncode == 0 and "3 decisions" in done.stdout and not done.stderr, done)
    tuning = json.loads(file.read_text())
    checks.check("tune: what is kept", tuning["target"] in TARGETS and tuning["cpu"] and tuning["compiler"] and
                 set(tuning["choices"]) <= {f"{key} threads 2" for key in (CONV, DEPTHWISE, LINEAR)}, tuning)
    for kept in re.findall(r"written to .*: (\d) of 3", done.stdout):
        checks.check("tune: as many as it says", int(kept) == len(tuning["choices"]), done.stdout)
    (folder / "plain.npz").unlink(missing_ok=True)
    small = [folder / "small.onnx", "--input", inputs]
    first = fovea("run", *small, "-o", folder / "plain.npz", "--threads", "2")
    tuned = fovea("run", *small, "-o", folder / "tuned.npz", "--threads", "2", "--tuned", file)
    verified = fovea("verify", *small, "--expect", folder / "plain.npz", "--interpret", "--tuned", file)
    checks.check("run, verify --tuned", [first.returncode, tuned.returncode, verified.returncode] == [0, 0, 0],
                 [tuned.stderr, verified.stderr])
    with np.load(folder / "plain.npz") as a, np.load(folder / "tuned.npz") as b:
        same = all(np.allclose(a[key], b[key], atol=1e-5, rtol=1e-4) for key in a)
        checks.check("run --tuned computes the same", same, "it does not")


def check_made_up(folder, inputs):
    """Each candidate of each decision, on a target that needs no registers: the same results from other code."""
    plain = compiled(folder)
    expected, _ = run(build(folder / "out", "gcc", "-O1", "-DLANES=1"), inputs, folder / "out.npz")
    lists = {key: candidates(folder, "scalar", key) for key in (CONV, DEPTHWISE, LINEAR)}
    checks.check("kernels to choose from", {name.split()[0] for name in lists[CONV]} >= {"winograd4", "winograd6"}, lists)
    for i in range(max(map(len, lists.values()))):
        taken = {key: names[min(i, len(names) - 1)] for key, names in lists.items()}
        code = compiled(folder, "--tuned", made_up(folder / "made.json", "scalar", **taken))
        checks.check(f"candidates {i}: other code", (code == plain) == (i == 0), taken)
        got, _ = run(build(folder / "out", "gcc", "-O1", "-DLANES=1"), inputs, folder / "out.npz")
        same = all(np.allclose(expected[key], got[key], atol=1e-5, rtol=1e-4) for key in expected)
        checks.check(f"candidates {i}: the same results", same, taken)


def check_target(folder):
    """Numbers of one target, and no others."""
    plain = compiled(folder, "--winograd", "off")
    for at, target in enumerate(TARGETS):
        name = next(n for n in candidates(folder, target, LINEAR)[1:] if "weights" in n)
        rows, vectors = map(int, name.split()[0].split("x"))
        code = compiled(folder, "--winograd", "off", "--tuned", made_up(folder / "made.json", target, **{LINEAR: name}))
        for size, number in ("ROWS", rows), ("VECTORS", vectors):
            wanted = [numbers[:at] + [number] + numbers[at + 1:] for numbers in picks(plain, size)]
            checks.check(f"{target}: {size}", wanted[-1] == picks(code, size)[-1] and
                         picks(plain, size)[:-1] == picks(code, size)[:-1], [name, picks(code, size)])
    first, second = candidates(folder, "neon", DEPTHWISE)[:2]
    code = compiled(folder, "--winograd", "off", "--tuned", made_up(folder / "made.json", "neon", **{DEPTHWISE: second}))
    wanted = picks(plain, "COLUMNS")[0]
    checks.check("neon: COLUMNS", wanted[2] == int(first.split()[0]) and
                 picks(code, "COLUMNS") == [wanted[:2] + [int(second.split()[0])] + wanted[3:]], [wanted, picks(code, "COLUMNS")])
    joined = next(name for name in candidates(folder, "avx2", CONV) if "joined" in name)
    code = compiled(folder, "--tuned", made_up(folder / "made.json", "avx2", **{CONV: joined}))
    checks.check("avx2: JOINED", picks(code, "JOINED") == [[0, 1, 0, 0, 0]], [joined, picks(code, "JOINED")])


def check_fixed_target(folder):
    """Code for one target alone: its tuning counts, another's leaves it as it is."""
    plain = compiled(folder, "--target", "x86-64-v3")
    for registers in "avx2", "neon":
        second = candidates(folder, registers, LINEAR)[2]
        file = made_up(folder / "made.json", registers, **{LINEAR: second})
        code = compiled(folder, "--target", "x86-64-v3", "--tuned", file)
        checks.check(f"x86-64-v3 tuned for {registers}", (code == plain) == (registers == "neon"), second)


def check_foreign(folder):
    """Files that say nothing of this model, and files that are none."""
    file = made_up(folder / "foreign.json", "avx2", **{"linear 1x2x3": "?", f"{LINEAR} threads 2": "?"})
    small = ["compile", folder / "small.onnx", "--dim", "batch=1", "-o", folder / "foreign", "--tuned"]
    done = fovea(*small, file)
    checks.check("a foreign file is said", done.returncode == 0 and "warning: nothing in the tuning file" in done.stderr,
                 done.stderr)
    file.write_text("{")
    refused, missing = fovea(*small, file), fovea(*small, folder / "missing.json")
    checks.check("no tuning file", refused.returncode == 1 and "foreign.json" in refused.stderr, refused.stderr)
    checks.check("a missing file", missing.returncode == 4 and "missing.json" in missing.stderr, missing.stderr)
    silent = fovea("tune", folder / "small.onnx")
    checks.check("tune where to", silent.returncode == 2 and "give -o FILE" in silent.stderr, silent.stderr)
    unfit = fovea("tune", folder / "small.onnx", "--dim", "batch=1", "-o", folder / "none.json", "--input", folder / "out.npz")
    checks.check("tune with unfit inputs", unfit.returncode == 1 and "'x' is missing" in unfit.stderr, unfit.stderr)


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    network(folder / "small.onnx")
    (folder / "out").mkdir()
    inputs = folder / "in.npz"
    np.savez(inputs, x=random.standard_normal((1, 16, 12, 12), dtype=np.float32), tokens=np.array([1, 0, 1]))
    check_made_up(folder, inputs)
    check_target(folder)
    check_fixed_target(folder)
    check_foreign(folder)
    check_tune(folder, inputs)
finish(checks)
