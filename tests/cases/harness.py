"""Cases: PyTorch modules exported as ONNX, compiled and run, and compared with PyTorch: outputs, blocks, probes.
A file of cases ends with main(); run by hand it takes names of cases, `se_cases.py se_conv_sigmoid`, or runs all of them."""
import argparse
import contextlib
import copy
import json
import logging
import os
import sys
import tempfile
import time
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
os.environ.setdefault("FOVEA_SOURCE_DIR", str(ROOT))
os.environ.setdefault("FOVEA", str(ROOT / "build/release/fovea"))
sys.path.insert(0, str(ROOT / "tests/support"))

import numpy as np
import onnx
import torch
from exporting import export_quickly
from generated import build_quickly, compile_model, run
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

OUTPUT_TOLERANCE = 1e-5  # of an output's range
PROBABILITY_TOLERANCE = 1e-5  # absolute
PROBE_TOLERANCE = 1e-4  # of a probe's range
PROBABILITIES = ("probs",)  # the probes that are compared as probabilities


@dataclass
class Block:
    """A block to be found: its family, what its probes hold in the probes' shapes, and its name if that matters."""

    family: str
    probes: Mapping[str, Tensor] = field(default_factory=dict)
    name: str | None = None


@dataclass
class Built:
    """A module, its inputs, and the blocks to be found in it, all of them, in order of execution. blocks() is called after
    module(*inputs), so it may read what forward or hooks have kept. open: which probes are opened, as for `--probes`.
    apart: families that the case says nothing about. dynamic: names of axes whose sizes are left open, by input and axis;
    they are given when compiling. example: what it is exported with, if not its inputs."""

    module: nn.Module
    inputs: tuple[Tensor, ...]
    blocks: Callable[[], list[Block]] | list[Block]
    open: str = "auto"
    apart: Sequence[str] = ()
    dynamic: Mapping[int, Mapping[int, str]] = field(default_factory=dict)
    example: tuple[Tensor, ...] | None = None

    def sizes(self) -> dict[str, int]:
        """What the axes of open size are, by name."""
        return {name: self.inputs[i].shape[axis] for i, axes in self.dynamic.items() for axis, name in axes.items()}


@dataclass
class Case:
    """How one is built, and what it is exported with. skip says why an exporter cannot export it at an opset."""

    build: Callable[[], Built]
    exporters: Sequence[str]
    opsets: Mapping[str, Sequence[int]]
    skip: Mapping[tuple[str, int], str]

    def exports(self) -> Iterator[tuple[str, int]]:
        return ((exporter, opset) for exporter in self.exporters for opset in self.opsets[exporter])


CASES: dict[str, Case] = {}
EXPORTERS = ("ts", "dynamo")
OPSETS = {"ts": (11, 17), "dynamo": (18,)}


def case(exporters: Sequence[str] = EXPORTERS, opsets: Mapping[str, Sequence[int]] = OPSETS,
         skip: Mapping[tuple[str, int], str] = {}) -> Callable:
    """Makes a case of a function that builds one. Its name seeds the random numbers. opsets: where an exporter is left out,
    the usual ones."""

    def register(function: Callable[[], Built]) -> Callable[[], Built]:
        name = function.__name__
        assert name not in CASES, f"there are two cases called {name}"
        CASES[name] = Case(function, exporters, {**OPSETS, **opsets}, skip)
        assert set(skip) <= set(CASES[name].exports()), f"{name}: it skips what is not exported"
        return function

    return register


def keep(module: nn.Module, **tensors: Tensor) -> None:
    """Sets tensors as attributes of the module that makes them, but not while it is exported."""
    if torch.compiler.is_exporting() or torch.onnx.is_in_onnx_export():
        return
    for name, tensor in tensors.items():
        setattr(module, name, tensor)


@torch.no_grad()
def randomise(module: nn.Module) -> None:
    """Statistics, scales and biases are made to matter: PyTorch starts them at 0 and 1, where a mistake would not show."""
    for part in module.modules():
        for name, parameter in part.named_parameters(recurse=False):
            if "bias" in name:
                parameter.add_(0.1 * torch.randn_like(parameter))
            elif name == "weight" and parameter.dim() == 1:
                parameter.mul_(torch.empty_like(parameter).uniform_(0.7, 1.3))
        if isinstance(getattr(part, "running_var", None), Tensor):
            part.running_mean.add_(0.2 * torch.randn_like(part.running_mean))
            part.running_var.mul_(torch.empty_like(part.running_var).uniform_(0.6, 1.5))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Exporters warn that they are old, and on failure print whole graphs, from C++ too, before the line that says why."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with warnings.catch_warnings(), open(os.devnull, "w") as nowhere:
        warnings.simplefilter("ignore")
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for descriptor, copied in zip((1, 2), kept):
                os.dup2(copied, descriptor)
                os.close(copied)


def export(built: Built, outputs: int, exporter: str, opset: int, path: Path) -> dict[str, np.ndarray]:
    """Writes the module as ONNX, with outputs y0, y1, ...; returns the inputs that it reads."""
    arrays = {f"x{i}": tensor.numpy() for i, tensor in enumerate(built.inputs)}
    options = dict(opset_version=opset, input_names=list(arrays), output_names=[f"y{i}" for i in range(outputs)])
    if exporter == "dynamo":
        options |= dict(dynamo=True, external_data=False, verbose=False)
        if built.dynamic:
            options |= dict(dynamic_shapes=tuple(built.dynamic.get(i, {}) for i in range(len(built.inputs))))
    else:
        options |= dict(dynamo=False, dynamic_axes={f"x{i}": axes for i, axes in built.dynamic.items()})
    with quiet():
        module = copy.deepcopy(built.module)  # forward may change it while it is traced, as that of Swin does
        torch.onnx.export(module, built.example or built.inputs, path, **options)
    read = {value.name for value in onnx.load(path).graph.input}
    return {name: array for name, array in arrays.items() if name in read}


def spread(array: np.ndarray) -> float:
    return float(np.ptp(array.astype(np.float64))) or 1.0 if array.size else 1.0


def difference(what: str, want: np.ndarray, got: np.ndarray | None, tolerance: float) -> Iterator[str]:
    """Says how an array is not the one that is wanted."""
    if got is None:
        yield f"{what} is missing"
    elif got.shape != want.shape or got.dtype != want.dtype:
        yield f"{what} is {got.dtype}{list(got.shape)}, expected {want.dtype}{list(want.shape)}"
    elif not np.array_equal(np.isfinite(want), np.isfinite(got)):
        yield f"{what} is not finite in {np.sum(~np.isfinite(got))} places, expected {np.sum(~np.isfinite(want))}"
    elif want.size:
        finite = np.isfinite(want)
        worst = float(np.abs(np.where(finite, want, 0).astype(np.float64) - np.where(finite, got, 0)).max())
        if not worst <= tolerance:
            yield f"{what} differs by {worst:.2e}, allowed {tolerance:.2e}; it spans {spread(want[finite]):.2e}"


def listed(blocks: Sequence[dict]) -> str:
    """Blocks of a manifest in words."""
    said = [f"{block['family']} {block['name']}" for block in blocks]
    return ", ".join(said) if said else "none"


def block_differences(wanted: Sequence[Block], manifest: dict, apart: Sequence[str],
                      probes: Mapping[str, np.ndarray]) -> Iterator[str]:
    found = [block for block in manifest["blocks"] if block["family"] not in apart]
    if [block.family for block in wanted] != [block["family"] for block in found]:
        yield f"blocks: {listed(found)}; expected {len(wanted)}: {', '.join(b.family for b in wanted) or 'none'}"
        return
    for block, match in zip(wanted, found):
        if block.name is not None and block.name != match["name"]:
            yield f"{block.family} is called {match['name']}, expected {block.name}"
        for name, tensor in block.probes.items():
            key, want = f"{match['name']}.{name}", tensor.detach().numpy()
            tolerance = PROBABILITY_TOLERANCE if name in PROBABILITIES else PROBE_TOLERANCE * spread(want)
            yield from difference(f"probe {key}", want, probes.get(key), tolerance)


def check(built: Built, outputs: Mapping[str, np.ndarray], wanted: Sequence[Block], exporter: str, opset: int,
          folder: Path) -> list[str]:
    """Everything in which one export, compiled and run, is not as PyTorch has it."""
    inputs = export(built, len(outputs), exporter, opset, folder / "model.onnx")
    np.savez(folder / "in.npz", **inputs)
    sizes = [word for name, size in built.sizes().items() for word in ("--dim", f"{name}={size}")]
    compile_model(folder / "model.onnx", folder / "c", "--probes", built.open, *sizes)
    binary = build_quickly(folder / "c")  # there are hundreds, run once
    plain, _ = run(binary, folder / "in.npz", folder / "plain.npz")
    got, probes = run(binary, folder / "in.npz", folder / "out.npz", folder / "probes.npz")
    problems = [f"output {name} is not the same when probes are looked at" for name in plain
                if plain[name].tobytes() != got[name].tobytes()]
    for name, want in outputs.items():
        problems += difference(f"output {name}", want, got.get(name), OUTPUT_TOLERANCE * spread(want))
    manifest = json.loads((folder / "c/model.json").read_text())
    return problems + list(block_differences(wanted, manifest, built.apart, probes))


def reference(name: str) -> tuple[Built, dict[str, np.ndarray], list[Block]]:
    """A case with PyTorch's outputs and blocks."""
    torch.manual_seed(zlib.crc32(name.encode()))
    built = CASES[name].build()
    built.module.eval()
    randomise(built.module)
    with torch.no_grad():
        leaves = [leaf for leaf in tree_leaves(built.module(*built.inputs)) if isinstance(leaf, Tensor)]
    wanted = built.blocks() if callable(built.blocks) else built.blocks
    wanted = [Block(b.family, {k: t.detach().clone() for k, t in b.probes.items()}, b.name) for b in wanted]
    return built, {f"y{i}": leaf.numpy().copy() for i, leaf in enumerate(leaves)}, wanted


def message(error: Exception) -> str:
    """What an error says, and what caused it, without the advice that PyTorch's exporters add at length."""
    texts = []
    while error is not None:
        texts.append(f"{type(error).__name__}: {str(error)[:300].strip()}")
        error = error.__cause__
    return "\n       caused by ".join(texts)


def run_case(name: str, only: Callable[[str, int], bool]) -> tuple[int, int]:
    """Runs a case in each of its exports; prints a line for each; returns how many ran, and how many failed."""
    ran = failed = 0
    try:
        built, outputs, wanted = reference(name)
    except Exception as error:
        print(f"FAIL {name} in PyTorch: {message(error)}", flush=True)
        return 1, 1
    for exporter, opset in CASES[name].exports():
        if not only(exporter, opset):
            continue
        what, start = f"{name} {exporter} {opset}", time.monotonic()
        if (exporter, opset) in CASES[name].skip:
            print(f"skip {what}: {CASES[name].skip[exporter, opset]}", flush=True)
            continue
        with tempfile.TemporaryDirectory() as folder, torch.no_grad():
            try:
                problems = check(built, outputs, wanted, exporter, opset, Path(folder))
            except Exception as error:
                problems = [message(error)]
        ran, failed = ran + 1, failed + bool(problems)
        print(f"{'FAIL' if problems else 'ok  '} {what}, {time.monotonic() - start:.1f} s", flush=True)
        for problem in problems:
            print(f"       {problem}", flush=True)
    return ran, failed


def get_ready() -> None:
    """Before the first export."""
    logging.disable(logging.CRITICAL)
    torch.set_num_threads(1)
    export_quickly()


def main() -> None:
    parser = argparse.ArgumentParser(description="Exported cases against PyTorch.")
    parser.add_argument("names", nargs="*", metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--exporter", choices=EXPORTERS, help="only this one")
    parser.add_argument("--opset", type=int, help="only this one")
    arguments = parser.parse_args()
    for name in arguments.names:
        if name not in CASES:
            parser.error(f"there is no case {name}")
    get_ready()

    def only(exporter: str, opset: int) -> bool:
        return arguments.exporter in (None, exporter) and arguments.opset in (None, opset)

    counts = [run_case(name, only) for name in arguments.names or CASES]
    ran, failed = (sum(column) for column in zip(*counts))
    print(f"{ran} exports of {len(counts)} cases, {failed} failed")
    sys.exit(failed > 0 or ran == 0)
