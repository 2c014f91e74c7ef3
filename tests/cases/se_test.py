"""Squeeze-and-excitation, and its single-layer form: every spelling that PyTorch code has for them.
Near misses among them: what is pooled is not what is multiplied."""
import torch
from harness import Block, Built, case, keep, main
from torch import Tensor, nn


class ConvSE(nn.Module):
    """Squeeze-and-excitation of 1x1 convolutions; the gate is kept as [N,C]."""

    def __init__(self, channels: int, act: nn.Module, gate: nn.Module):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, channels // 4, 1)
        self.act = act
        self.fc2 = nn.Conv2d(channels // 4, channels, 1)
        self.sigmoid = gate

    def forward(self, x: Tensor) -> Tensor:
        gate = self.sigmoid(self.fc2(self.act(self.fc1(self.pool(x)))))
        keep(self, gate=gate.flatten(1))
        return x * gate


class Net(nn.Module):
    """A convolution, the block under the name `se`, and a convolution."""

    def __init__(self, se: nn.Module, channels: int = 16):
        super().__init__()
        self.stem = nn.Conv2d(3, channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels)
        self.se = se
        self.head = nn.Conv2d(channels, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.se(torch.relu(self.norm(self.stem(x)))))


@case()
def se_conv_sigmoid() -> Built:
    net = Net(ConvSE(16, nn.ReLU(), nn.Sigmoid()))
    return Built(net, (torch.randn(2, 3, 8, 8),), lambda: [Block("se", {"gate": net.se.gate}, name="se")])


if __name__ == "__main__":
    main()
