"""Scripted models of PyTorch that keep tensors in lists, from the TorchScript exporter, give what PyTorch gives: a list
that is split, appended to in loops and branches, changed, joined and stacked. The seed is printed, and FOVEA_SEED
repeats it."""

import logging
import os
import sys
import warnings
from typing import List

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
import numpy as np
import onnx
import torch
from hostile import Checks, finish, fovea
from torch import Tensor, nn
from random_seed import random_seed

SEED = random_seed()


class Recurrent(nn.Module):
    """A cell that goes along the tokens, as recurrent layers are written by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        state = torch.zeros_like(x[:, 0])
        states: List[Tensor] = []
        for token in x.unbind(1):
            state = torch.tanh(self.cell(token) + state)
            states.append(state)
        return torch.stack(states, 1)


class Appended(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        rows: List[Tensor] = []
        for i in range(x.size(0)):
            rows.append(x[i] * i)
        return torch.cat(rows, 0)


class Uneven(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        parts = x.split([1, 4, 3], dim=1)
        y = parts[0]
        for part in parts:
            y = y + part.mean(1, keepdim=True)
        return torch.cat([y, x.chunk(3, 1)[-1], parts[1]], 1)


class Changed(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        rows = list(x.unbind(0))
        rows.insert(1, x[0] * 2)
        last = rows.pop()
        rows.append(last.relu())
        return torch.stack(rows) * len(rows)


class Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        maps = [x]
        if x.size(0) > 2:
            maps.append(x * 2)
        else:
            maps.append(x * 3)
        for _ in range(2):
            maps = [maps[-1], maps[0] + 1]
        return torch.cat(maps, 1)


def operators(graph: onnx.GraphProto) -> set[str]:
    inner = (a.g for node in graph.node for a in node.attribute if a.HasField("g"))
    return {node.op_type for node in graph.node}.union(*map(operators, inner))


def check(checks: Checks, model: nn.Module, opset: int) -> None:
    what = f"{type(model).__name__} opset {opset}"
    path, given, made = (checks.path / name for name in ("model.onnx", "in.npz", "out.npz"))
    x = torch.randn(3, 8, 6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(torch.jit.script(model), (x,), path, input_names=["x"], dynamo=False, opset_version=opset)
    lists = sorted(name for name in operators(onnx.load(path).graph) if "Sequence" in name)
    checks.check(what, lists, "the exporter writes no sequences any more")
    np.savez(given, x=x.numpy())
    with torch.no_grad():
        want = model(x).numpy()
    status, said = fovea("run", path, "--input", given, "--output", made)
    if not checks.check(what, status == 0, f"{lists}: {said}"):
        return
    (got,) = np.load(made).values()
    worst = float(np.abs(got - want).max()) if got.shape == want.shape else np.inf
    checks.check(what, worst <= 1e-5, f"{got.shape} differs by {worst:.1e}")


def main() -> None:
    torch.manual_seed(SEED)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    checks = Checks()
    for model in (Recurrent(), Appended(), Uneven(), Changed(), Branching()):
        for opset in (11, 17):  # before 13 a Loop collects tensors, and its result is split
            check(checks, model.eval(), opset)
    finish(checks)


main()
