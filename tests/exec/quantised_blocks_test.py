"""Attention in networks that onnxruntime.quantization has quantised (QDQ): the blocks of the network of floats are found,
under the same names and with the same probes, though pairs of QuantizeLinear and DequantizeLinear stand within them; maps and
outputs are those of ONNX Runtime. The seed is printed, and FOVEA_SEED repeats it."""

import json
import logging
import os
import subprocess
import sys
import warnings

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
import onnx
import onnxruntime
import torch
from hostile import FOVEA, Checks, finish
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from torch import Tensor, nn
from random_seed import random_seed

SEED = random_seed()
SHAPE = (1, 3, 16, 16)


class Gated(nn.Module):
    """Squeeze-and-excitation (Hu et al., 2018), with convolutions of one pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 8, 1)
        self.fc1, self.fc2 = nn.Conv2d(16, 4, 1), nn.Conv2d(4, 16, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x).relu()
        return self.last(x * self.fc2(self.fc1(x.mean((2, 3), keepdim=True)).relu()).sigmoid())


class Transformer(nn.Module):
    """Self-attention over the places of a map."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.qkv, self.out = nn.Conv2d(3, 24, 4, stride=4), nn.Linear(24, 72), nn.Linear(24, 24)

    def forward(self, x: Tensor) -> Tensor:
        t = self.patches(x).flatten(2).transpose(1, 2)
        q, k, v = self.qkv(t).reshape(1, 16, 3, 4, 6).permute(2, 0, 3, 1, 4).unbind(0)
        a = (q @ k.transpose(-2, -1) * 6**-0.5).softmax(-1)
        return t + self.out((a @ v).transpose(1, 2).reshape(1, 16, 24))


class Calibration(CalibrationDataReader):
    def __init__(self) -> None:
        self.left = 8

    def get_next(self) -> dict[str, np.ndarray] | None:
        self.left -= 1
        return None if self.left < 0 else {"x": torch.randn(SHAPE).numpy()}


def blocks_of(path: str) -> list[tuple]:
    told = json.loads(subprocess.run([FOVEA, "inspect", path, "--json"], check=True, capture_output=True).stdout)
    return [(b["family"], b["name"], [p["id"] for p in b["probes"]]) for b in told["blocks"]]


def reference(model: onnx.ModelProto, x: np.ndarray) -> dict[str, np.ndarray]:
    """ONNX Runtime's output and map: what the only Softmax gives, or the only Sigmoid, and the pair behind it rounds. Every
    operator by itself, as some that it puts together round elsewhere than the model says."""
    (map_,) = (n.output[0] for n in model.graph.node if n.op_type in ("Softmax", "Sigmoid"))
    for pair in ("QuantizeLinear", "DequantizeLinear"):
        (map_,) = (n.output[0] for n in model.graph.node if n.op_type == pair and n.input[0] == map_)
    seen = onnx.ModelProto()
    seen.CopyFrom(model)
    seen.graph.output.append(onnx.ValueInfoProto(name=map_))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(seen.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip(("y", map_), session.run(["y", map_], {"x": x})))


def run(checks: Checks, path, x: np.ndarray) -> tuple[dict, dict]:
    given, out, maps = (checks.path / name for name in ("in.npz", "out.npz", "maps.npz"))
    np.savez(given, x=x)
    subprocess.run([FOVEA, "run", path, "--input", given, "--output", out, "--probe-output", maps], check=True)
    return dict(np.load(out)), dict(np.load(maps))


def steps_between(a: np.ndarray, b: np.ndarray, model: onnx.ModelProto, tensor: str) -> float:
    """The largest difference, in steps by which the tensor is rounded: a sum that is another in its last bits can fall on
    the other side of a border."""
    (rounded,) = (n for n in model.graph.node if tensor in n.output)
    (step,) = (numpy_helper.to_array(i) for i in model.graph.initializer if i.name == rounded.input[1])
    return float(np.abs(a.ravel() - b.ravel()).max() / step)


def check(checks: Checks, module: nn.Module) -> None:
    what = type(module).__name__
    plain, quantised = checks.path / "plain.onnx", checks.path / "quantised.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module.eval(), (torch.randn(SHAPE),), plain, input_names=["x"], output_names=["y"], dynamo=False)
    quantize_static(plain, quantised, Calibration(), quant_format=QuantFormat.QDQ, activation_type=QuantType.QUInt8,
                    weight_type=QuantType.QInt8, reduce_range=True)
    want, found = blocks_of(plain), blocks_of(quantised)
    checks.check(f"{what}: blocks", want and want == found, f"{found}, expected {want}")
    x = torch.randn(SHAPE).numpy()
    got, maps = run(checks, quantised, x)
    checks.check(f"{what}: probes", len(maps) == 1, list(maps))
    model = onnx.load(quantised)
    for (tensor, wanted), seen in zip(reference(model, x).items(), (got["y"], *maps.values())):
        steps = steps_between(wanted, seen, model, tensor)
        checks.check(f"{what}: {tensor}", steps <= 1.01, f"{steps:.2f} steps from ONNX Runtime's")


def main() -> None:
    torch.manual_seed(SEED)
    logging.disable(logging.WARNING)
    onnxruntime.set_default_logger_severity(3)
    checks = Checks()
    for network in (Gated, Transformer):
        check(checks, network())
    finish(checks)


if __name__ == "__main__":
    main()
