# Random inputs for the networks, by kind.

import torch
from torch import Tensor
from torch.nn import functional as F


def images(count: int, side: int) -> Tensor:
    """[count,3,side,side], smooth shapes under noise: of noise alone a global mean would be the same everywhere."""
    shapes = F.interpolate(torch.randn(count, 3, side // 16, side // 16), size=side, mode="bilinear")
    return shapes + 0.3 * torch.randn(count, 3, side, side)


def films(count: int, length: int, side: int) -> Tensor:
    """[count,3,length,side,side], images that change slowly."""
    first, last = images(count, side), images(count, side)
    return torch.stack([torch.lerp(first, last, i / length) for i in range(length)], 2)


def waves(count: int, length: int) -> Tensor:
    """[count,length], a sum of tones, whose pitches differ, under noise."""
    time, pitches = torch.arange(length), torch.rand(count, 5, 1)
    return torch.sin(time * pitches).sum(1) + 0.3 * torch.randn(count, length)


def words(count: int, length: int, vocabulary: int) -> Tensor:
    """[count,length]"""
    return torch.randint(vocabulary, (count, length))


def padded(count: int, length: int) -> Tensor:
    """[count,length], 1 where a text has words and 0 behind its end: the last quarter."""
    return (torch.arange(length) < length - length // 4).long().expand(count, length).contiguous()
