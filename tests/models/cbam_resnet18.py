# CBAM-ResNet-18 (Woo et al. 2018): ResNet-18 with a channel gate and then a spatial gate in every block, both written
# as in the authors' code: pools of the whole map and Linear layers, a 7x7 convolution and BatchNorm over maximum and
# mean.

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inputs import images
from resnet import ResNet, shortcut

RUN = False
KEEP_BATCH_NORM = False


class ChannelGate(nn.Module):
    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels, channels // reduction),
            nn.ReLU(),
            nn.Linear(channels // reduction, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        size = (x.size(2), x.size(3))
        mean = self.mlp(F.avg_pool2d(x, size, stride=size))
        maximum = self.mlp(F.max_pool2d(x, size, stride=size))
        return x * torch.sigmoid(mean + maximum).unsqueeze(2).unsqueeze(3).expand_as(x)


class SpatialGate(nn.Module):
    def __init__(self, kernel: int = 7) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(1)

    def forward(self, x: Tensor) -> Tensor:
        pooled = torch.cat((torch.max(x, 1)[0].unsqueeze(1), torch.mean(x, 1).unsqueeze(1)), dim=1)
        return x * torch.sigmoid(self.bn(self.conv(pooled)))


class BasicBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.cbam = nn.Sequential(ChannelGate(outputs), SpatialGate())
        self.downsample = shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.cbam(self.bn2(self.conv2(y)))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


def layer(inputs: int, outputs: int, stride: int) -> nn.Module:
    return nn.Sequential(BasicBlock(inputs, outputs, stride), BasicBlock(outputs, outputs, 1))


def build() -> nn.Module:
    return ResNet([layer(64, 64, 1), layer(64, 128, 2), layer(128, 256, 2), layer(256, 512, 2)], features=512)


def inputs(count: int, side: int = 64) -> dict[str, Tensor]:
    return {"image": images(count, side)}
