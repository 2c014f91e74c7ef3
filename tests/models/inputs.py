# Random inputs for the networks, by kind.

import torch
from torch import Tensor
from torch.nn import functional as F


def images(count: int, side: int) -> Tensor:
    """[count,3,side,side], smooth shapes under noise: of noise alone a global mean would be the same everywhere."""
    shapes = F.interpolate(torch.randn(count, 3, side // 16, side // 16), size=side, mode="bilinear")
    return shapes + 0.3 * torch.randn(count, 3, side, side)


def words(count: int, length: int, vocabulary: int) -> Tensor:
    """[count,length]"""
    return torch.randint(vocabulary, (count, length))


def padded(count: int, length: int) -> Tensor:
    """[count,length], 1 where a text has words and 0 behind its end: the last quarter."""
    return (torch.arange(length) < length - length // 4).long().expand(count, length).contiguous()
