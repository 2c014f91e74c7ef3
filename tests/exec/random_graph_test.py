"""Random graphs, with attention in them and with what only looks like attention: generated C, built at -O3 for this machine,
and the interpreter agree with ONNX Runtime; of some also what is made without fusion, with probes and under sanitizers. The
seed is printed, and that of a graph that fails: FOVEA_SEED repeats it, with FOVEA_TEST_GRAPHS=1 it alone, checked in every
way."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path[:0] = [os.environ["FOVEA_SOURCE_DIR"] + "/tests/" + folder for folder in ("support", "conformance")]
import arrays
import building
import numpy as np
import onnxruntime
from cases import Case
from conformance_test import write_inputs
from generated import build, compile_model
from generated import run as run_testbench
from hostile import FOVEA, Checks, finish
from random_graphs import FLOAT, NEAR_MISSES, Maker
from random_seed import random_seed

GRAPHS = int(os.environ.get("FOVEA_TEST_GRAPHS", 120))
EVERY = 10  # of so many graphs one is checked in every way
TOLERANCE = 2e-4  # of the range of an output: float32, sums in different orders
OPTIMISED = ["-O3", "-march=native"]  # as people build: compilers make mistakes there
SANITIZED = ("cc", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
WAYS = {
    "interpreted": [],
    "interpreted, nothing fused": ["--fuse", "none"],
    "interpreted, all probes": ["--probes", "all"],
}


class Graph:
    """A graph with its inputs and ONNX Runtime's outputs; case is what the conformance tests' builder takes."""

    def __init__(self, seed, maker, folder):
        self.given, self.feeds = maker.model(), maker.feeds
        self.what = f"graph {seed} ({len(self.given.graph.node)} nodes)"
        self.path, self.inputs = folder / f"{seed}.onnx", folder / f"{seed}.npz"
        self.path.write_bytes(self.given.SerializeToString())
        np.savez(self.inputs, **self.feeds)
        options = onnxruntime.SessionOptions()
        options.log_severity_level, options.intra_op_num_threads = 3, 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(self.path, options, providers=["CPUExecutionProvider"])
        names = [output.name for output in self.given.graph.output]
        self.expected = dict(zip(names, session.run(None, self.feeds)))
        self.case = Case(str(seed), "random", 0, 0, [(self.feeds, self.expected)], prefix=f"graph_{seed}")

    def compare(self, checks, way, found):
        for name, expected in self.expected.items():
            worst = difference(expected, found[name])
            checks.check(f"{self.what}, {way}: {name}", worst <= TOLERANCE, f"{worst:.1e} of the range")


def difference(expected, got):
    """The largest as a share of the range, of whole numbers as it is; infinite where types or shapes differ."""
    if expected.shape != got.shape or expected.dtype != got.dtype:
        return np.inf
    if expected.size == 0:
        return 0.0
    if expected.dtype.kind != "f":
        return float(np.abs(expected.astype(np.int64) - got.astype(np.int64)).max())
    expected, got = expected.astype(np.float64), got.astype(np.float64)
    spread = max(float(np.ptp(expected)), float(np.abs(expected).max()), 1e-3)
    return float(np.abs(expected - got).max()) / spread


def grown(seed):
    maker = Maker(seed)
    maker.grow()
    return maker


def interpret(checks, graph, folder, way="interpreted"):
    """Runs a graph in one of the WAYS, and compares."""
    out = folder / "interpreted.npz"
    probes = ["--probe-output", folder / "maps.npz"] if "probes" in way else []
    done = subprocess.run(
        [FOVEA, "run", graph.path, "--interpret", "--input", graph.inputs, "--output", out, *probes, *WAYS[way]],
        capture_output=True,
        text=True,
    )
    if checks.check(f"{graph.what}, {way}", done.returncode == 0, done.stderr):
        graph.compare(checks, way, dict(np.load(out)))


def check_every_way(checks, graph):
    """Under sanitizers, with probes and without, and interpreted in all ways."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=checks.path))
    try:
        compile_model(graph.path, folder)
        binary = build(folder, *SANITIZED)
        plain, _ = run_testbench(binary, graph.inputs, folder / "out.npz")
        probed, _ = run_testbench(binary, graph.inputs, folder / "out.npz", folder / "maps.npz")
    except (AssertionError, subprocess.CalledProcessError) as error:
        checks.check(f"{graph.what}, C under sanitizers", False, error)
        return
    graph.compare(checks, "C under sanitizers", plain)
    same = all(np.array_equal(plain[name], probed[name], equal_nan=True) for name in plain)
    checks.check(f"{graph.what}: probes change nothing", same, "they do")
    for way in WAYS:
        interpret(checks, graph, folder, way)


def check_together(checks, graphs, folder):
    """All graphs as one program, compared with ONNX Runtime, and each interpreted."""
    compiled = building.Build(str(folder / "c"), str(folder), FOVEA, "cc", OPTIMISED, follows_reference=False)
    outcomes = building.parallel(compiled.compile_case, [graph.case for graph in graphs])
    for graph, outcome in zip(graphs, outcomes):
        checks.check(f"{graph.what} compiles", not outcome.reason, outcome.reason)
    ready = [(graph, outcome.manifest) for graph, outcome in zip(graphs, outcomes) if not outcome.reason]
    said = compiled.compile_sources([graph.case.prefix for graph, _ in ready])
    for graph, _ in ready:
        checks.check(f"{graph.what}, the C compiler", graph.case.prefix not in said, said.get(graph.case.prefix))
    ready = [(graph, manifest) for graph, manifest in ready if graph.case.prefix not in said]
    for graph, manifest in ready:
        write_inputs(compiled, graph.case, manifest)
    adapters = compiled.write_adapters([manifest for _, manifest in ready])
    said = compiled.compile_sources(adapters)
    assert not said, said
    sources = [graph.case.prefix for graph, _ in ready] + adapters
    ran = subprocess.run([compiled.link(sources), compiled.data], check=True, capture_output=True, text=True).stdout
    for graph, manifest in ready:
        if checks.check(graph.what, f"{graph.case.prefix} 0 ok\n" in ran, "the program did not end well"):
            graph.compare(checks, "C", written(compiled, graph, manifest))
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        for graph, _ in ready:
            interpret(checks, graph, pathlib.Path(scratch))


def written(compiled, graph, manifest):
    """The outputs that the program has written."""
    data = pathlib.Path(compiled.data, f"{graph.case.prefix}.0.out").read_bytes()
    found = {}
    for tensor, place in zip(manifest["outputs"], building.offsets(manifest["outputs"])[0]):
        expected = graph.expected[tensor["name"]]
        found[tensor["name"]] = np.frombuffer(
            data, arrays.stored(expected).dtype, int(np.prod(tensor["shape"], dtype=np.int64)), place
        )
        found[tensor["name"]] = found[tensor["name"]].view(expected.dtype).reshape(tensor["shape"])
    return found


def map_read_early(seed):
    """A graph that once failed: a map is read before the loop that its block's result goes into."""
    maker = Maker(seed)
    maker.opset = 17
    x = maker.input((2, 6, 8))
    values = maker.add("MatMul", [x, maker.weight(8, 8)])
    maker.step_attention((None,))
    attended = list(maker.values)[-1]
    maker.reduce_map(next(made.output[0] for made in maker.nodes if made.op_type == "Softmax"))
    mask = maker.constant(maker.rng.integers(0, 2, (2, 6, 8)).astype(bool))
    maker.add("Where", [mask, attended, values])
    return maker


def attention_blocks(path):
    described = json.loads(subprocess.run([FOVEA, "inspect", "--json", path], check=True, capture_output=True).stdout)
    return [block["name"] for block in described["blocks"] if block["family"] == "attention"]


def check_near_misses(checks, seed):
    """They are no attention, and a reason is given where one is near; attention is found, whatever its keys are."""
    for miss in (None,) + NEAR_MISSES:
        maker = Maker(seed)
        maker.input((2, 8, 8), FLOAT)
        maker.step_attention((miss,))
        path, _ = checks.place(maker.model())
        checks.check(
            f"near miss {miss}", len(attention_blocks(path)) == (miss in (None, "unturned")), attention_blocks(path)
        )
        why = subprocess.run([FOVEA, "inspect", "--why", "attention", path], check=True, capture_output=True, text=True)
        checks.check(f"near miss {miss}", miss != "axis" or "expected Softmax{axis=-1}" in why.stdout, why.stdout)


def main():
    seed = random_seed()
    start = time.monotonic()
    checks = Checks()
    check_near_misses(checks, seed)
    makers = {number: grown(number) for number in range(seed, seed + GRAPHS)}
    graphs = [Graph(number, maker, checks.path) for number, maker in makers.items()]
    check_together(checks, graphs, checks.path)
    chosen = [Graph("early", map_read_early(seed), checks.path), *graphs[::EVERY]]
    building.parallel(lambda graph: check_every_way(checks, graph), chosen)
    print(
        f"{len(graphs)} graphs, {sum(len(g.given.graph.node) for g in graphs)} nodes, {time.monotonic() - start:.0f} s"
    )
    finish(checks)


main()
