"""What probes cost. Compiled out: nothing, the code is that of a model compiled without them, as `objdump -d` and
`size` show it. Compiled in, with nobody looking: a comparison with NULL. Outputs are the same bits in every case."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
import onnx
from generated import SOURCE, build, compile_model, run
from hostile import Checks, finish, node, tensor
from hostile import model as make_model

OFF = "-DMODEL_PROBES=0"
checks = Checks()


def disassembled(folder, compiler, level, *flags):
    """A model's code, and the sizes of its sections."""
    subprocess.run([compiler, "-std=c99", level, *flags, "-c", "model.c"], cwd=folder, check=True)
    shown = (["objdump", "-d", "--no-show-raw-insn", "model.o"], ["size", "model.o"])
    return [subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout for command in shown]


def check_code(what, probed, plain):
    """That two folders hold the same code when probes are compiled out, and not when they are compiled in."""
    for compiler, level in (("gcc", "-O0"), ("gcc", "-O2"), ("clang", "-O2")):
        expected = disassembled(plain, compiler, level)
        checks.check(
            f"{what}: {compiler} {level}", disassembled(probed, compiler, level, OFF) == expected, "other code"
        )
        checks.check(
            f"{what}: {compiler} {level}, compiled in", disassembled(probed, compiler, level) != expected, "no probes"
        )


def check_outputs(what, folders, inputs, scratch):
    """That outputs are the same bits without probes, with probes that are compiled out, unseen, and looked at."""
    plain, *probed = folders
    expected, _ = run(build(plain, "gcc", "-O1"), inputs, scratch / "out.npz")
    for folder in probed:
        for flags, looked_at in (((OFF,), False), ((), False), ((), True)):
            maps = scratch / "maps.npz" if looked_at else None
            outputs, shown = run(build(folder, "gcc", "-O1", *flags), inputs, scratch / "out.npz", maps)
            same = list(outputs) == list(expected) and all(
                outputs[k].tobytes() == expected[k].tobytes() for k in expected
            )
            checks.check(f"{what}, {folder.name}: outputs, {flags}, looked at: {looked_at}", same, "other bits")
            checks.check(f"{what}, {folder.name}: maps", not looked_at or len(shown) > 0, "there are none")


def check_one_comparison(what, folder):
    """Where a probe is called, there is one comparison, and what is made for probes alone is made if it holds."""
    text = (folder / "model.c").read_text()
    body = re.search(r"^#define MODEL_PROBE\(i, data\) \\\n((?:.*\\\n)*.*)\n", text, re.M).group(1)
    wanted = "do { if (context->on_probe != NULL) context->on_probe(context->on_probe_user, &model_probes[i], data); } while (0)"
    checks.check(f"{what}: the call", " ".join(body.replace("\\\n", " ").split()) == wanted, body)
    seen = re.sub(
        r"#define(?:.*\\\n)*.*\n|\w+ \*const \w+ = context->on_probe == NULL \? NULL : |if \(context->on_probe != NULL\) ",
        "",
        text,
    )
    checks.check(f"{what}: elsewhere", "on_probe" not in seen, seen.count("on_probe"))


def check_digits():
    for path in sorted((SOURCE / "examples/digits").glob("*.onnx")):
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            folders = [root / probes for probes in ("none", "auto", "all", "every")]
            for folder in folders:
                probes = "*" if folder.name == "every" else folder.name
                compile_model(path, folder, "--probes", probes, "--weights", "object")
            for folder in folders[1:3]:  # tensors opened by their name are kept whole, so that less is fused
                check_code(f"{path.stem}, {folder.name}", folder, folders[0])
            for folder in folders[1:]:
                check_one_comparison(f"{path.stem}, {folder.name}", folder)
            check_outputs(
                path.stem, [folders[0], folders[1], folders[3]], path.with_name(f"{path.stem}_inputs.npz"), root
            )


def check_made_for_probes():
    """Values that an operator makes only if they are asked for: of two layers one's are, and then neither's cost anything."""

    def layers(further):
        nodes = [
            node("LayerNormalization", "x s", f"h {further}", axis=-1),
            node("Relu", "h", "r"),
            node("LayerNormalization", "r s", "y", axis=-1),
            node("Softmax", "y", "z"),
        ]
        return make_model(
            nodes, [("x", [24, 40])], [("z", None)], [tensor("s", np.linspace(1, 2, 40, dtype=np.float32))]
        )

    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        for folder, given in (("plain", ""), ("probed", "mean deviation")):
            onnx.save(layers(given), root / "m.onnx")
            compile_model(root / "m.onnx", root / folder, *(("--probes", "mean,deviation") if given else ()))
        check_code("LayerNormalization", root / "probed", root / "plain")
        check_one_comparison("LayerNormalization", root / "probed")
        x = np.random.default_rng(5).standard_normal((24, 40), np.float32)
        np.savez(root / "in.npz", x=x)
        check_outputs("LayerNormalization", [root / "plain", root / "probed"], root / "in.npz", root)
        shown = dict(np.load(root / "maps.npz"))
        checks.check(
            "LayerNormalization: mean", np.allclose(shown["mean"], x.mean(1, keepdims=True), atol=1e-6), shown["mean"]
        )
        sizes = [
            int(re.search(r"WORKSPACE \(?(?:MODEL_PROBES \? \d+ : )?(\d+)", (root / folder / "model.h").read_text())[1])
            for folder in ("plain", "probed")
        ]
        checks.check("LayerNormalization: workspace", sizes[0] == sizes[1], sizes)


def check_computed_for_probes():
    """A map that is no tensor of the model is computed where it is shown: here attention of keys by queries, turned."""
    rng = np.random.default_rng(6)
    weights = [tensor(n, rng.standard_normal((c, 8, 1, 1), np.float32)) for n, c in (("wq", 4), ("wk", 4), ("wv", 8))]
    shapes = [
        tensor("flat", np.int64([1, 4, 24])),
        tensor("wide", np.int64([1, 8, 24])),
        tensor("map", np.int64([1, 8, 4, 6])),
    ]
    nodes = [
        node("Conv", "x wq", "q0"),
        node("Conv", "x wk", "k0"),
        node("Conv", "x wv", "v0"),
        node("Reshape", "q0 flat", "q"),
        node("Reshape", "k0 flat", "k"),
        node("Reshape", "v0 wide", "v"),
        node("Transpose", "k", "kt", perm=[0, 2, 1]),
        node("MatMul", "kt q", "scores"),
        node("Softmax", "scores", "columns", axis=1),
        node("MatMul", "v columns", "sums"),
        node("Reshape", "sums map", "y0"),
        node("Relu", "y0", "y"),
    ]
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        onnx.save(make_model(nodes, [("x", [1, 8, 4, 6])], [("y", None)], weights + shapes), root / "m.onnx")
        for probes in ("none", "auto"):
            compile_model(root / "m.onnx", root / probes, "--probes", probes)
        check_code("turned", root / "auto", root / "none")
        check_one_comparison("turned", root / "auto")
        np.savez(root / "in.npz", x=rng.standard_normal((1, 8, 4, 6), np.float32))
        check_outputs("turned", [root / "none", root / "auto"], root / "in.npz", root)
        (shown,) = dict(np.load(root / "maps.npz")).values()
        checks.check(
            "turned: rows", shown.shape == (1, 24, 24) and np.allclose(shown.sum(-1), 1, atol=1e-5), shown.sum(-1)
        )


check_digits()
check_computed_for_probes()
check_made_for_probes()
finish(checks)
