# Writes whole networks as ONNX from both of PyTorch's exporters, with an input and PyTorch's output for each:
# NAME.{ts,dynamo}.onnx, .input.npz and .expect.npz. What is there already and newer than its sources is kept.
#
# A model's file, NAME.py, has build(), which makes the network; INPUT, the name of its input; and KEEP_BATCH_NORM.
# Both exporters fold BatchNorm into the convolutions unless told otherwise; where KEEP_BATCH_NORM is set, the
# TorchScript exporter is told otherwise, so that the folding is left to the compiler.

import argparse
import importlib
import logging
import warnings
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from weights import randomise

HERE = Path(__file__).parent
MODELS = ["se_resnet50", "mobilenet_v3_large", "deit_tiny"]
EXPORTERS = ["ts", "dynamo"]
SEED = 20
OUTPUT = "logits"
TOLERANCE = 1e-4  # PyTorch against ONNX Runtime, of the output's range


def random_images(count: int) -> Tensor:
    """[count,3,224,224], smooth shapes under noise: of noise alone a global mean would be the same everywhere."""
    shapes = F.interpolate(torch.randn(count, 3, 14, 14), size=224, mode="bilinear")
    return shapes + 0.3 * torch.randn(count, 3, 224, 224)


def make_model(definition: ModuleType) -> tuple[nn.Module, Tensor]:
    """The model in eval mode with its random weights, and an input."""
    torch.manual_seed(SEED)
    model = definition.build().eval()
    randomise(model, random_images(4))
    return model, random_images(1)


def export(definition: ModuleType, model: nn.Module, image: Tensor, path: Path, exporter: str) -> None:
    names = dict(input_names=[definition.INPUT], output_names=[OUTPUT])
    training = torch.onnx.TrainingMode.PRESERVE if definition.KEEP_BATCH_NORM else torch.onnx.TrainingMode.EVAL
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporters warn that they are old, or of each other
        if exporter == "ts":
            torch.onnx.export(model, (image,), path, dynamo=False, opset_version=17, training=training, **names)
        else:
            torch.onnx.export(model, (image,), path, dynamo=True, external_data=False, verbose=False, **names)


def files(folder: Path, name: str, exporter: str) -> tuple[Path, Path, Path]:
    return tuple(folder / f"{name}.{exporter}.{end}" for end in ("onnx", "input.npz", "expect.npz"))


def is_current(outputs: Iterable[Path], sources: Iterable[Path]) -> bool:
    if not all(path.exists() for path in outputs):
        return False
    return min(path.stat().st_mtime for path in outputs) > max(path.stat().st_mtime for path in sources)


def make(name: str, folder: Path) -> None:
    """Writes the files of one model, as far as they are missing or older than the model's sources."""
    sources = [HERE / f"{name}.py", HERE / "weights.py", Path(__file__)]
    wanted = [exporter for exporter in EXPORTERS if not is_current(files(folder, name, exporter), sources)]
    if not wanted:
        return
    definition = importlib.import_module(name)
    model, image = make_model(definition)
    with torch.no_grad():
        output = model(image)
    logits = (output if isinstance(output, Tensor) else output[0]).numpy()
    for exporter in wanted:
        onnx_path, input_path, expect_path = files(folder, name, exporter)
        expect_path.unlink(missing_ok=True)  # written last: where it is, the others are whole
        export(definition, model, image, onnx_path, exporter)
        session = onnxruntime.InferenceSession(onnx_path, providers=["CPUExecutionProvider"])
        (got,) = session.run([OUTPUT], {definition.INPUT: image.numpy()})
        difference = float(np.abs(got - logits).max() / np.ptp(logits))
        print(
            f"{name}.{exporter}: {onnx_path.stat().st_size:,} bytes, logits {logits.min():.2f} to {logits.max():.2f}, "
            f"ONNX Runtime differs by {difference:.1e} of that range",
            flush=True,
        )
        assert difference < TOLERANCE, f"{onnx_path.name}: ONNX Runtime differs from PyTorch by {difference}"
        np.savez(input_path, **{definition.INPUT: image.numpy()})
        np.savez(expect_path, **{OUTPUT: logits})


def print_ops(name: str, folder: Path) -> None:
    for exporter in EXPORTERS:
        model = onnx.load(files(folder, name, exporter)[0])
        opsets = ", ".join(f"{opset.domain or 'ai.onnx'} {opset.version}" for opset in model.opset_import)
        nodes = [node for graph in (model.graph, *model.functions) for node in graph.node]
        print(f"{name}.{exporter} ({opsets}, {len(nodes)} nodes): {' '.join(sorted({n.op_type for n in nodes}))}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Export whole networks, each from both of PyTorch's exporters.")
    parser.add_argument("folder", type=Path, metavar="OUTDIR")
    parser.add_argument("--only", action="append", choices=MODELS, metavar="NAME", help=", ".join(MODELS))
    parser.add_argument("--ops", action="store_true", help="print the operators that each file uses")
    arguments = parser.parse_args()

    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    torch.set_num_threads(2)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name in arguments.only or MODELS:
        make(name, arguments.folder)
        if arguments.ops:
            print_ops(name, arguments.folder)


if __name__ == "__main__":
    main()
