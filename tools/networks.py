"""Whole networks of both exporters: generated C, built by two compilers at four levels, beside PyTorch; the blocks that
are found; the workspace beside its lower bound. Writes docs/networks.md. scripts/networks runs it."""

import argparse
import collections
import importlib.util
import itertools
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx

ROOT = Path(__file__).resolve().parents[1]
os.environ.setdefault("FOVEA", str(ROOT / "build/release/fovea"))
os.environ.setdefault("FOVEA_SOURCE_DIR", str(ROOT))
sys.path.insert(0, str(ROOT / "tests/support"))
from generated import build, compile_model, last_step, run, worst_difference

FOLDER = ROOT / "build/networks"
PAGE = ROOT / "docs/networks.md"
BUILDS = list(itertools.product(["gcc", "clang"], ["-O0", "-O1", "-O2", "-O3"]))
EXPORTERS = {"ts": "TorchScript", "dynamo": "dynamo"}
TOLERANCE = 1e-4  # of the output's range
SPARE = 1.1  # of the workspace's lower bound


@dataclass(frozen=True)
class Network:
    name: str  # of its file in tests/models
    title: str
    size: int | None = None  # in place of what its file has: less than 224, for what -O0 makes of it to end in time


@dataclass(frozen=True)
class Packaged:
    """A pretrained network that a Python package carries; tests/exec/packaged_models_test.py runs it on real inputs."""

    title: str
    package: str
    path: str
    shapes: dict[str, str]


NETWORKS = [
    Network("se_resnet50", "SE-ResNet-50", 64),
    Network("mobilenet_v3_large", "MobileNetV3-large", 64),
    Network("deit_tiny", "DeiT-tiny"),
    Network("cbam_resnet18", "CBAM-ResNet-18", 64),
    Network("efficientnet_b0", "EfficientNet-B0"),
    Network("regnet_y_400mf", "RegNet-Y-400MF"),
    Network("swin_tiny", "Swin-tiny"),
    Network("segformer_b0", "SegFormer-B0"),
    Network("detr_small", "DETR, small"),
    Network("bert_small", "BERT-small"),
    Network("distilbert", "DistilBERT"),
    Network("minilm", "MiniLM-L6", 32),
    Network("llama_260k", "Llama, 260K"),
    Network("t5_tiny", "T5-tiny"),
    Network("lstm_tagger", "LSTM tagger"),
    Network("wav2vec2_small", "wav2vec 2.0, small"),
    Network("r3d_18", "R3D-18, small"),
    Network("mobilenet_v3_qdq", "MobileNetV3-large, QDQ"),
]

OCR = "rapidocr_onnxruntime"
PACKAGED = [
    Packaged("PP-OCRv4, detection", OCR, "models/ch_PP-OCRv4_det_infer.onnx", {"x": "1x3x160x352"}),
    Packaged("PP-OCR, direction", OCR, "models/ch_ppocr_mobile_v2.0_cls_infer.onnx", {"x": "1x3x48x192"}),
    Packaged("PP-OCRv4, recognition", OCR, "models/ch_PP-OCRv4_rec_infer.onnx", {"x": "1x3x48x400"}),
    Packaged("Silero VAD", "silero_vad", "data/silero_vad_16k_op15.onnx", {"input": "1x576", "state": "2x1x128"}),
]

# What the page says of itself.
NOTES = """What the tables do not say:

- Weights are random: the numbers show that the arithmetic is PyTorch's, not that a task is done. The pretrained
  networks are there for that.
- Gates of the quantised MobileNet are found, and can be probed; they are not fused, as they round on their way.
- ONNX Runtime with its optimiser on, which puts kernels of integers in the place of quantised operators, differs by
  several steps from itself without, on TorchScript's file: the latter is what the standard says, and what is compared.
- Of Swin-tiny the class activation map is found in what dynamo writes, not in TorchScript's.
- DETR has a small residual network in front, not ResNet-50; vocabularies are of a thousand words or fewer but for
  MiniLM's.
"""


@dataclass
class Result:
    inputs: str
    opset: int
    nodes: int
    blocks: dict[str, int]
    workspace: int
    bound: int
    differences: dict[str, float]  # by build: shares of the output's range, or steps
    in_steps: bool = False

    @property
    def worst(self) -> float:
        return max(self.differences.values())

    @property
    def agrees(self) -> bool:
        return self.worst <= (1 if self.in_steps else TOLERANCE)


def described(path: Path, generated: Path, differences: dict[str, float], in_steps: bool = False) -> Result:
    """What the model's file and the manifest of its code say."""
    model = onnx.load(path)
    manifest = json.loads((generated / "model.json").read_text())
    inputs = ", ".join(
        f"{tensor['name']} {'x'.join(map(str, tensor['shape'])) or 'scalar'}" for tensor in manifest["inputs"]
    )
    opset = next(imported.version for imported in model.opset_import if imported.domain in ("", "ai.onnx"))
    blocks = collections.Counter(block["family"] for block in manifest["blocks"])
    memory = manifest["memory"]
    return Result(
        inputs,
        opset,
        len(model.graph.node),
        dict(sorted(blocks.items())),
        memory["workspace_bytes"],
        memory["lower_bound_bytes"],
        differences,
        in_steps,
    )


def measure(network: Network, exporter: str) -> Result:
    """Exports a network, compiles it, and runs what each of BUILDS makes of it."""
    size = [] if network.size is None else ["--size", str(network.size)]
    subprocess.run(
        [
            sys.executable,
            ROOT / "tests/models/export.py",
            FOLDER,
            "--only",
            network.name,
            "--exporter",
            exporter,
            "--run",
            *size,
        ],
        check=True,
    )
    stem = FOLDER / f"{network.name}.{exporter}"
    model, expected = Path(f"{stem}.onnx"), dict(np.load(f"{stem}.expect.npz"))
    step = last_step(model)
    with tempfile.TemporaryDirectory() as name:
        generated = Path(name)
        compile_model(model, generated)

        def difference(way: tuple[str, str]) -> float:
            binary = build(generated, *way)
            got, _ = run(binary, f"{stem}.input.npz", generated / f"{''.join(way)}.npz")
            binary.unlink()
            worst = worst_difference(expected, got)
            # Whole steps, which the division gives but for its own rounding.
            return worst if step is None else round(worst * float(np.ptp(expected["logits"])) / step)

        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            found = dict(zip((" ".join(way) for way in BUILDS), pool.map(difference, BUILDS)))
        return described(model, generated, found, step is not None)


def measure_packaged(network: Packaged) -> Result:
    path = Path(importlib.util.find_spec(network.package).submodule_search_locations[0]) / network.path
    shapes = [word for name, shape in network.shapes.items() for word in ("--shape", f"{name}={shape}")]
    with tempfile.TemporaryDirectory() as generated:
        compile_model(path, generated, *shapes)
        return described(path, Path(generated), {})


def cells(*columns: object) -> str:
    return "| " + " | ".join(map(str, columns)) + " |"


def memory_columns(result: Result) -> list[str]:
    return [f"{result.workspace:,}", f"{result.bound:,}", f"{result.workspace / result.bound:.3f}"]


def block_column(result: Result) -> str:
    return ", ".join(f"{count} {family}" for family, count in result.blocks.items()) or "none"


def row(network: Network, exporter: str, result: Result) -> str:
    steps = f"{result.worst:.0f} step{'' if round(result.worst) == 1 else 's'}"
    worst = steps if result.in_steps else f"{result.worst:.1e}"
    described = [EXPORTERS[exporter], result.inputs, result.opset, result.nodes, block_column(result)]
    return cells(network.title, *described, worst, *memory_columns(result))


def packaged_row(network: Packaged, result: Result) -> str:
    described = [result.inputs, result.opset, result.nodes, block_column(result)]
    return cells(network.title, *described, *memory_columns(result))


def shortfalls(results: dict[tuple[Network, str], Result]) -> list[str]:
    """What is not as it should be, in words."""
    said = []
    for network, exporter in itertools.product(NETWORKS, EXPORTERS):
        result = results.get((network, exporter))
        what = f"- {network.title}, {EXPORTERS[exporter]}: "
        if result is None:
            said.append(what + "it could not be run, or has not been.")
            continue
        if not result.agrees:
            said.append(what + f"differs by {result.worst:.1e}.")
        if result.workspace > SPARE * result.bound:
            said.append(what + f"the workspace is {result.workspace / result.bound:.2f} times its lower bound.")
    return said


def page(results: dict[tuple[Network, str], Result], packaged: list[tuple[Packaged, Result]]) -> str:
    rows = [row(network, exporter, result) for (network, exporter), result in results.items()]
    real = [packaged_row(*measured) for measured in packaged]
    failing = shortfalls(results) or ["Nothing: all are there, agree, and are within a tenth of the lower bound."]
    return f"""# Whole networks

Networks as both of PyTorch's exporters write them (`tests/models/`, with random weights that matter), through generated
C, beside PyTorch. Written by `scripts/networks`, which builds each in {len(BUILDS)} ways: gcc and clang, `-O0` to
`-O3`, as strict C99 with warnings as errors.

- **difference** is the worst of the {len(BUILDS)} builds, as a share of the range of PyTorch's output: at most
  {TOLERANCE} is asked for. Of the quantised network it is in steps of the output's quantisation, from ONNX Runtime's
  output, each operator by itself; at most one is asked for.
- **blocks** are the attention blocks that are found, by family ([docs/families.md](families.md)).
- **workspace** is what a run needs beside weights, inputs and outputs, in bytes, with the maps that are probed by
  default; **bound** is the most that has to be kept at any one step; **ratio** is the one by the other: at most {SPARE}
  is asked for.
- Images are smaller than usual where a network takes any size, so that `-O0` ends in time. "Small" and "tiny" networks
  have few channels or words, and all the structure.

| network | exporter | inputs | opset | nodes | blocks | difference | workspace | bound | ratio |
|---|---|---|---|---|---|---|---|---|---|
{chr(10).join(rows)}

## Pretrained networks that Python packages carry

Run on real inputs, and compared with ONNX Runtime, by `tests/exec/packaged_models_test.py`.

| network | inputs | opset | nodes | blocks | workspace | bound | ratio |
|---|---|---|---|---|---|---|---|
{chr(10).join(real)}

## What falls short

{chr(10).join(failing)}

{NOTES}"""


def kept(network: Network, exporter: str) -> Path:
    return FOLDER / f"{network.name}.{exporter}.result.json"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [network.name for network in NETWORKS]
    parser.add_argument("--only", metavar="A,B", help=", ".join(names) + "; all by default")
    parser.add_argument("--exporter", choices=EXPORTERS, help="by default each")
    arguments = parser.parse_args()
    only = arguments.only.split(",") if arguments.only else names
    unknown = [name for name in only if name not in names]
    if unknown:
        parser.error(f"{unknown[0]} is none of {', '.join(names)}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    for network, exporter in itertools.product(NETWORKS, [arguments.exporter] if arguments.exporter else EXPORTERS):
        if network.name in only:
            kept(network, exporter).unlink(missing_ok=True)
            try:
                result = measure(network, exporter)
            except (AssertionError, subprocess.CalledProcessError) as error:
                print(f"{network.name}, {exporter}: {error}", flush=True)
                continue
            kept(network, exporter).write_text(json.dumps(asdict(result)))
            print(row(network, exporter, result), flush=True)
    results = {
        (network, exporter): Result(**json.loads(kept(network, exporter).read_text()))
        for network, exporter in itertools.product(NETWORKS, EXPORTERS)
        if kept(network, exporter).exists()
    }
    PAGE.write_text(page(results, [(network, measure_packaged(network)) for network in PACKAGED]))
    everything = len(results) == len(NETWORKS) * len(EXPORTERS)
    return int(not everything or not all(result.agrees for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())
