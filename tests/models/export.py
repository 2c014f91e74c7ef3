# Writes whole networks as ONNX from both of PyTorch's exporters: NAME.{ts,dynamo}.onnx, and for those that are run an
# input and PyTorch's output, .input.npz and .expect.npz. What is there already and newer than the sources is kept.
#
# A model's file, NAME.py, has build(), which makes the network; inputs(count), a batch of random inputs by name, in the
# order of the network's arguments; RUN, whether the network is run and its outputs are compared, or its blocks are only
# counted, for which the smallest inputs do that its strides and windows divide; and KEEP_BATCH_NORM. Both exporters
# fold BatchNorm into the convolutions unless told otherwise; where KEEP_BATCH_NORM is set, the TorchScript exporter is
# told otherwise, so that the folding is left to the compiler. Where inputs has a second parameter, --size gives it, and
# the network is run. A file may have quantise(path, inputs), which is done to what an exporter wrote: what is expected
# is then ONNX Runtime's output of that, every operator by itself.

import argparse
import copy
import importlib
import logging
import sys
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from exporting import export_quickly
from weights import randomise

HERE = Path(__file__).parent
MODELS = [
    "se_resnet50",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "efficientnet_b0",
    "regnet_y_400mf",
    "cbam_resnet18",
    "mobilenet_v3_qdq",
    "deit_tiny",
    "swin_tiny",
    "segformer_b0",
    "detr_small",
    "bert_small",
    "llama_260k",
    "t5_tiny",
    "lstm_tagger",
    "wav2vec2_small",
    "r3d_18",
]
EXPORTERS = ["ts", "dynamo"]
SEED = 20
OUTPUT = "logits"
TOLERANCE = 1e-4  # PyTorch against ONNX Runtime, of the output's range


def make_model(definition: ModuleType, size: int | None = None) -> tuple[nn.Module, dict[str, Tensor]]:
    """The model in eval mode with its random weights, and inputs of that size, or as its file has them."""
    sizes = [] if size is None else [size]
    torch.manual_seed(SEED)
    model = definition.build().eval().requires_grad_(False)
    randomise(model, *definition.inputs(4, *sizes).values())
    return model, definition.inputs(1, *sizes)


def export(definition: ModuleType, model: nn.Module, inputs: dict[str, Tensor], path: Path, exporter: str) -> None:
    tensors, names = tuple(inputs.values()), dict(input_names=list(inputs), output_names=[OUTPUT])
    training = torch.onnx.TrainingMode.PRESERVE if definition.KEEP_BATCH_NORM else torch.onnx.TrainingMode.EVAL
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporters warn that they are old, or of each other
        if exporter == "ts":
            torch.onnx.export(model, tensors, path, dynamo=False, opset_version=17, training=training, **names)
        else:
            torch.onnx.export(model, tensors, path, dynamo=True, external_data=False, verbose=False, **names)


def run(model: nn.Module, inputs: dict[str, Tensor]) -> np.ndarray:
    with torch.no_grad():
        output = model(*inputs.values())
    return (output if isinstance(output, Tensor) else output[0]).numpy()


def difference(path: Path, inputs: dict[str, Tensor], expected: np.ndarray) -> float:
    """Of ONNX Runtime from PyTorch, relative to the output's range."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (got,) = session.run([OUTPUT], {key: value.numpy() for key, value in inputs.items()})
    return float(np.abs(got - expected).max() / np.ptp(expected))


def quantised_output(path: Path, inputs: dict[str, Tensor]) -> np.ndarray:
    """ONNX Runtime's, which puts nothing together: its own kernels of integers round elsewhere than the model says."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return session.run([OUTPUT], {key: value.numpy() for key, value in inputs.items()})[0]


def is_current(path: Path) -> bool:
    """Newer than all sources: models share code."""
    return path.exists() and path.stat().st_mtime > max(source.stat().st_mtime for source in HERE.glob("*.py"))


def make(name: str, folder: Path, exporters: list[str], size: int | None = None, run_all: bool = False) -> None:
    """Writes the files of one model, as far as they are missing or older than the sources. run_all: it is run too."""
    wanted = [exporter for exporter in exporters if not is_current(folder / f"{name}.{exporter}.onnx")]
    if not wanted:
        return
    definition = importlib.import_module(name)
    model, inputs = make_model(definition, size)
    logits = run(model, inputs) if definition.RUN or size is not None or run_all else None
    for exporter in wanted:
        stem = folder / f"{name}.{exporter}"
        unchecked = Path(f"{stem}.unchecked")
        # A copy, since tracing can leave traced values in a network: Swin sets a window's size while it runs.
        export(definition, copy.deepcopy(model), inputs, unchecked, exporter)
        line = f"{stem.name}: {unchecked.stat().st_size:,} bytes"
        if logits is not None:
            worst = difference(unchecked, inputs, logits)
            line += f", logits {logits.min():.2f} to {logits.max():.2f}, "
            line += f"ONNX Runtime differs by {worst:.1e} of that range"
            assert worst < TOLERANCE, f"{stem.name}: ONNX Runtime differs from PyTorch by {worst}"
            expected = logits
            if hasattr(definition, "quantise"):
                definition.quantise(unchecked, inputs)
                expected = quantised_output(unchecked, inputs)
            np.savez(f"{stem}.input.npz", **{key: value.numpy() for key, value in inputs.items()})
            np.savez(f"{stem}.expect.npz", **{OUTPUT: expected})
        unchecked.rename(f"{stem}.onnx")  # last: where it is, the others are whole
        print(line, flush=True)


def print_ops(name: str, folder: Path, exporters: list[str]) -> None:
    for exporter in exporters:
        model = onnx.load(folder / f"{name}.{exporter}.onnx")
        opsets = ", ".join(f"{opset.domain or 'ai.onnx'} {opset.version}" for opset in model.opset_import)
        nodes = [node for graph in (model.graph, *model.functions) for node in graph.node]
        print(f"{name}.{exporter} ({opsets}, {len(nodes)} nodes): {' '.join(sorted({n.op_type for n in nodes}))}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Export whole networks, each from both of PyTorch's exporters.")
    parser.add_argument("folder", type=Path, metavar="OUTDIR")
    known = ", ".join(MODELS) + ", or another file beside this one"
    parser.add_argument("--only", action="append", metavar="NAME", help=known)
    parser.add_argument("--exporter", action="append", choices=EXPORTERS, help="by default each")
    parser.add_argument("--size", type=int, help="the side of images, or the number of tokens, in place of the file's own")
    parser.add_argument("--run", action="store_true", help="also those that are only counted in")
    parser.add_argument("--ops", action="store_true", help="print the operators that each file uses")
    arguments = parser.parse_args()

    logging.disable(logging.WARNING)
    torch.set_num_threads(2)
    export_quickly()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    exporters = arguments.exporter or EXPORTERS
    for name in arguments.only or MODELS:
        make(name, arguments.folder, exporters, arguments.size, arguments.run)
        if arguments.ops:
            print_ops(name, arguments.folder, exporters)


if __name__ == "__main__":
    main()
