"""A block between two convolutions, as networks have it: what cases about maps are built on.
The block is called `block` in it, so that is its name where all of its nodes are its module's."""
from collections.abc import Callable, Sequence

import torch
from harness import Block, Built
from torch import Tensor, nn


class Between(nn.Module):
    def __init__(self, block: nn.Module, channels: int, kind: type[nn.Module] = nn.Conv2d):
        super().__init__()
        self.stem = kind(3, channels, 3, padding=1)
        self.block = block
        self.head = kind(channels, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.block(self.stem(x)))


def between(block: nn.Module, blocks: Callable[[], list[Block]] | list[Block], channels: int = 16,
            size: Sequence[int] = (8, 6)) -> Built:
    """The block in a network for images of a size; blocks: as Built has them. One dimension or three are fine as well."""
    kind = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}[len(size)]
    return Built(Between(block, channels, kind), (torch.randn(2, 3, *size),), blocks)


def one(family: str, block: nn.Module, *probes: str, **options: int | Sequence[int]) -> Built:
    """A network with one block, whose module has kept its probes under their names."""
    return between(block, lambda: [Block(family, {name: getattr(block, name) for name in probes}, "block")], **options)
