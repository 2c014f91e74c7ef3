# PyTorch itself, layer by layer as written: the module that the ONNX file was exported from.

import sys
from pathlib import Path

import numpy as np

from peers.peer import Base

MODELS = Path(__file__).resolve().parents[3] / "tests/models"


class Peer(Base):
    TITLE = "PyTorch eager"
    DISTRIBUTION = "torch"
    NOTE = "the module as written, in inference mode"

    def prepare(self) -> None:
        sys.path.insert(0, str(MODELS))
        import importlib

        import torch

        from export import make_model

        torch.set_num_threads(self.task.threads)
        self.torch = torch
        self.module, _ = make_model(importlib.import_module(self.task.model), self.task.size)
        self.arguments = [torch.from_numpy(value) for value in self.task.inputs().values()]
        self.call = self.compiled()

    def compiled(self):
        return self.module

    def run(self) -> None:
        with self.torch.inference_mode():
            result = self.call(*self.arguments)
        self.result = result if isinstance(result, self.torch.Tensor) else result[0]

    def output(self) -> np.ndarray:
        return self.result.numpy()
