# torch.compile: PyTorch's own compiler, inductor, with weights frozen so that it may lay them out anew.

import os

from peers import torch_peer


class Peer(torch_peer.Peer):
    TITLE = "torch.compile"
    NOTE = "inductor, weights frozen; a cold start finds its cache filled"

    def prepare(self) -> None:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = os.fspath(self.task.folder / "cache")
        os.environ["TORCHINDUCTOR_FREEZING"] = "1"
        super().prepare()

    def compiled(self):
        return self.torch.compile(self.module)

    def run(self) -> None:
        with self.torch.no_grad():  # freezing wants no_grad
            result = self.call(*self.arguments)
        self.result = result if isinstance(result, self.torch.Tensor) else result[0]
