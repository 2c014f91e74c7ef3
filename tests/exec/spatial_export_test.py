"""Networks that sample, unpool or work on volumes, as PyTorch users write them, from both exporters: fovea gives what
PyTorch gives, interpreted. Weights are random; the seed is printed, and FOVEA_SEED repeats it."""

import logging
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
import onnx
import torch
import torch.nn.functional as F
from exporting import export_quickly
from hostile import Checks, finish
from torch import Tensor, nn
from random_seed import random_seed

FOVEA = os.environ["FOVEA"]
SEED = random_seed()
checks = Checks()


class SpatialTransformer(nn.Module):
    """Jaderberg et al., 2015: a network says how its input is turned before another one looks at it."""

    def __init__(self) -> None:
        super().__init__()
        self.localise = nn.Sequential(nn.Conv2d(1, 4, 5), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(144, 6))
        self.look = nn.Conv2d(1, 3, 3)

    def forward(self, x: Tensor) -> Tensor:
        grid = F.affine_grid(self.localise(x).view(-1, 2, 3), x.size(), align_corners=False)
        return self.look(F.grid_sample(x, grid, padding_mode="reflection", align_corners=False))


def block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv3d(inputs, outputs, 3, padding=1), nn.BatchNorm3d(outputs), nn.ReLU(),
                         nn.Conv3d(outputs, outputs, 3, padding=1), nn.InstanceNorm3d(outputs), nn.LeakyReLU())


class Volume(nn.Module):
    """A U-Net in three dimensions (Cicek et al., 2016): once up by a transposed convolution, once by interpolation."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([block(1, 4), block(4, 8), block(8, 8)])
        self.rise = nn.ConvTranspose3d(8, 8, 3, stride=2, padding=1, output_padding=1)
        self.up = nn.ModuleList([block(16, 4), block(8, 2)])

    def forward(self, x: Tensor) -> Tensor:
        a = self.down[0](x)
        b = self.down[1](F.max_pool3d(a, 2))
        c = self.rise(self.down[2](F.avg_pool3d(b, 2)))
        d = self.up[0](torch.cat([c, b], 1))
        d = F.interpolate(d, scale_factor=2.0, mode="trilinear", align_corners=False)
        return self.up[1](torch.cat([d, a], 1))


class Folded(nn.Module):
    """Blocks that overlap, out of a map and back into it; and nearest neighbours by a scale that is no round number."""

    def forward(self, x: Tensor) -> Tensor:
        blocks = F.unfold(x, 3, dilation=2, padding=2, stride=2)
        x = F.fold(blocks * 0.5, (9, 7), 3, dilation=2, padding=2, stride=2)
        return F.interpolate(x, scale_factor=0.6, mode="nearest")


class Unpooled(nn.Module):
    """A pool, and what undoes it, which the older exporter has not."""

    def __init__(self) -> None:
        super().__init__()
        self.pool, self.unpool = nn.MaxPool3d(2, return_indices=True), nn.MaxUnpool3d(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.unpool(*self.pool(x))


MODELS: list[tuple[nn.Module, tuple[int, ...], tuple[str, ...]]] = [
    (SpatialTransformer(), (2, 1, 16, 16), ("ts", "dynamo")),
    (Volume(), (1, 1, 8, 4, 12), ("ts", "dynamo")),
    (Folded(), (2, 3, 9, 7), ("ts", "dynamo")),
    (Unpooled(), (1, 2, 4, 6, 8), ("dynamo",)),
]


def export(model: nn.Module, x: Tensor, path: pathlib.Path, exporter: str) -> None:
    options = {"external_data": False, "verbose": False} if exporter == "dynamo" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporters warn that they are old, or of each other
        torch.onnx.export(model, (x,), path, dynamo=exporter == "dynamo", opset_version=20, **options)


def check(model: nn.Module, shape: tuple[int, ...], exporter: str, folder: pathlib.Path) -> None:
    what, x = f"{type(model).__name__} by {exporter}", torch.randn(shape)
    export(model, x, folder / "model.onnx", exporter)
    (given,) = onnx.load(folder / "model.onnx").graph.input
    np.savez(folder / "in.npz", **{given.name: x.numpy()})
    done = subprocess.run([FOVEA, "run", folder / "model.onnx", "-i", folder / "in.npz", "-o", folder / "out.npz",
                           "--interpret"], capture_output=True, text=True)
    if not checks.check(f"{what}: run", done.returncode == 0, done.stderr):
        return
    with torch.no_grad():
        expected = model(x).numpy()
    (got,) = np.load(folder / "out.npz").values()
    same = got.shape == expected.shape and np.allclose(got, expected, rtol=1e-4, atol=1e-4)
    checks.check(what, same, f"{got} instead of {expected}")


def main() -> None:
    torch.manual_seed(SEED)
    export_quickly()
    logging.disable(logging.WARNING)  # the exporters' own
    for model, shape, exporters in MODELS:
        for parameter in model.eval().parameters():
            nn.init.normal_(parameter, std=0.2)
        for exporter in exporters:
            with tempfile.TemporaryDirectory() as folder:
                check(model, shape, exporter, pathlib.Path(folder))
    finish(checks)


if __name__ == "__main__":
    main()
