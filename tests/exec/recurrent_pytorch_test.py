"""Recurrent networks of PyTorch, from both exporters, give what PyTorch gives: a tagger of words with a bidirectional
LSTM of two layers, and a GRU in front of a classifier, batch first. The seed is printed, and FOVEA_SEED repeats
it."""

import logging
import os
import sys
import warnings

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
import torch
from exporting import export_quickly
from hostile import Checks, finish, fovea
from torch import Tensor, nn
from random_seed import random_seed

SEED = random_seed()


class Tagger(nn.Module):
    """Words to scores of tags, as in Huang, Xu and Yu, Bidirectional LSTM-CRF Models for Sequence Tagging, 2015."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.tags = nn.Embedding(50, 12), nn.Linear(28, 5)
        self.lstm = nn.LSTM(12, 14, num_layers=2, bidirectional=True, batch_first=True, dropout=0.1)

    def forward(self, words: Tensor) -> Tensor:
        return self.tags(self.lstm(self.words(words))[0]).log_softmax(-1)


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru, self.out = nn.GRU(6, 17, num_layers=2, bidirectional=True, batch_first=True), nn.Linear(34, 3)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        y, last = self.gru(x, state)
        return self.out(y.mean(1)), last


def check(checks: Checks, model: nn.Module, inputs: dict[str, Tensor], dynamo: bool) -> None:
    what = f"{type(model).__name__} {'dynamo' if dynamo else 'TorchScript'}"
    path, given, made = (checks.path / name for name in ("model.onnx", "in.npz", "out.npz"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, tuple(inputs.values()), path, input_names=list(inputs), dynamo=dynamo, verbose=False)
    np.savez(given, **{name: tensor.numpy() for name, tensor in inputs.items()})
    with torch.no_grad():
        wants = model(*inputs.values())
    status, said = fovea("run", path, "--input", given, "--output", made)
    if not checks.check(what, status == 0, said):
        return
    for want, (name, got) in zip(wants if isinstance(wants, tuple) else (wants,), np.load(made).items(), strict=True):
        worst = float(np.abs(got - want.numpy()).max()) if got.shape == tuple(want.shape) else np.inf
        checks.check(f"{what} {name}", worst <= 1e-5, f"{got.shape} differs by {worst:.1e}")


def main() -> None:
    torch.manual_seed(SEED)
    export_quickly()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    checks = Checks()
    for dynamo in (False, True):
        check(checks, Tagger().eval(), {"words": torch.randint(0, 50, (3, 9))}, dynamo)
        check(checks, Classifier().eval(), {"x": torch.randn(2, 8, 6), "state": torch.randn(4, 2, 17)}, dynamo)
    finish(checks)


main()
