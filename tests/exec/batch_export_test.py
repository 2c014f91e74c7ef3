"""Networks exported with a batch of any size, by both of PyTorch's exporters, compiled with --dim batch=1..4: outputs and
probes of three samples are PyTorch's, and the bits of each sample's own run, with threads, variants for processors and
weights in a file too. Other numbers of samples are refused. The seed is printed, and FOVEA_SEED repeats it."""

import logging
import os
import pathlib
import subprocess
import sys
import warnings

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
import torch
from exporting import export_quickly
from generated import STRICT, build, compile_model, run
from hostile import Checks, finish
from torch import Tensor, nn
from random_seed import random_seed

SEED = random_seed()
MOST, COUNT = 4, 3

WRONG_NUMBERS = """
#include "model.h"

static float in[5 * MODEL_X_SIZE], out[5 * MODEL_Y_SIZE], memory[MODEL_WORKSPACE / sizeof(float) + MODEL_ALIGNMENT];

int main(void) {
    model_context context = {0};
    unsigned char *const base = (unsigned char *)memory;
    context.workspace = base + (MODEL_ALIGNMENT - (uintptr_t)base % MODEL_ALIGNMENT);
    if (model_run(&context, MODEL_LEAST_SAMPLES - 1, in, out) != MODEL_WRONG_SAMPLES) return 1;
    if (model_run(&context, MODEL_MOST_SAMPLES + 1, in, out) != MODEL_WRONG_SAMPLES) return 2;
    return model_run(&context, MODEL_MOST_SAMPLES, in, out) != MODEL_OK;
}
"""


class Gated(nn.Module):
    """A residual network's block with squeeze-and-excitation (Hu et al., 2018), and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 16, 3, padding=1)
        self.fc1, self.fc2, self.out = nn.Linear(16, 4), nn.Linear(4, 16), nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        a = self.first(x).relu()
        b = self.second(a)
        gate = self.fc2(self.fc1(b.mean((2, 3))).relu()).sigmoid()
        return self.out((a + b * gate[:, :, None, None]).relu().mean((2, 3)))


class Transformer(nn.Module):
    """A vision transformer (Dosovitskiy et al., 2021) of one layer: a class token that is made as wide as the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.token = nn.Conv2d(3, 24, 4, stride=4), nn.Parameter(torch.randn(1, 1, 24))
        self.places = nn.Parameter(torch.randn(1, 17, 24))
        self.layer = nn.TransformerEncoderLayer(24, 4, 48, dropout=0.0, batch_first=True, norm_first=True)
        self.out = nn.Linear(24, 5)

    def forward(self, x: Tensor) -> Tensor:
        t = self.patches(x).flatten(2).transpose(1, 2)
        t = torch.cat([self.token.expand(x.shape[0], -1, -1), t], 1) + self.places
        return self.out(self.layer(t)[:, 0])


VARIANTS = {"as it is": (), "threads": ("--threads", "2"), "dispatch": ("--dispatch",), "weights in a file": ("--weights", "file")}


def export(model: nn.Module, path: pathlib.Path, dynamo: bool) -> None:
    example = torch.randn(2, 3, 16, 16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if dynamo:
            torch.onnx.export(model, (example,), path, input_names=["x"], output_names=["y"], dynamo=True, verbose=False,
                              dynamic_shapes={"x": {0: torch.export.Dim("batch", min=1, max=MOST)}})
        else:
            torch.onnx.export(model, (example,), path, input_names=["x"], output_names=["y"], dynamo=False,
                              dynamic_axes={"x": {0: "batch"}})


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return list(a) == list(b) and all(a[key].tobytes() == b[key].tobytes() for key in a)


def check(checks: Checks, model: nn.Module, dynamo: bool) -> None:
    what = f"{type(model).__name__} {'dynamo' if dynamo else 'TorchScript'}"
    path, out, maps = (checks.path / name for name in ("model.onnx", "out.npz", "maps.npz"))
    export(model, path, dynamo)
    x = torch.randn(COUNT, 3, 16, 16)
    np.savez(checks.path / "all.npz", x=x.numpy())
    for i in range(COUNT):
        np.savez(checks.path / f"{i}.npz", x=x[i:i + 1].numpy())
    with torch.no_grad():
        want = model(x).numpy()
    for variant, options in VARIANTS.items():
        folder = checks.path / variant.replace(" ", "-")
        compile_model(path, folder, "--dim", f"batch=1..{MOST}", *options)
        binary = build(folder, "cc", "-O1", "-pthread")
        beside = ("--weights", str(folder / "model.weights")) if "weights" in variant else ()
        got, probes = run(binary, checks.path / "all.npz", out, maps, poison=85, options=beside)
        worst = float(np.abs(got["y"] - want).max() / np.ptp(want))
        checks.check(f"{what}, {variant}", got["y"].shape == want.shape and worst <= 1e-5, f"differs by {worst:.1e}")
        checks.check(f"{what}, {variant}: probes", probes and all(len(p) == COUNT for p in probes.values()), list(probes))
        alone = [run(binary, checks.path / f"{i}.npz", out, maps, options=beside) for i in range(COUNT)]
        for kind, made in enumerate((got, probes)):
            each = {key: np.concatenate([one[kind][key] for one in alone]) for key in made}
            checks.check(f"{what}, {variant}: bits", same(made, each), "other bits than of each sample alone")


def check_numbers(checks: Checks) -> None:
    folder = checks.path / "numbers"
    compile_model(checks.path / "model.onnx", folder, "--dim", f"batch=1..{MOST}", "--weights", "inline")
    (folder / "model_main.c").write_text(WRONG_NUMBERS)
    binary = checks.path / "wrong"
    subprocess.run(["cc", *STRICT, "-O1", "-fsanitize=address,undefined", "-I", folder, *folder.glob("*.c"), "-o", binary, "-lm"],
                   check=True)
    status = subprocess.run([binary]).returncode
    checks.check("another number of samples", status == 0, f"status {status}")


def main() -> None:
    torch.manual_seed(SEED)
    export_quickly()
    logging.disable(logging.WARNING)
    checks = Checks()
    for network in (Gated, Transformer):
        model = network().eval()
        for dynamo in (False, True):
            check(checks, model, dynamo)
    check_numbers(checks)
    finish(checks)


if __name__ == "__main__":
    main()
