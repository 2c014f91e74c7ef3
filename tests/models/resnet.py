# What residual networks have around their blocks: He et al. 2016. Not a network by itself, but what se_resnet50.py and
# cbam_resnet18.py fill with theirs.

from torch import Tensor, nn
from torch.nn import functional as F


def shortcut(inputs: int, outputs: int, stride: int) -> nn.Module | None:
    """What a block's input goes through before it is added; None where it fits as it is."""
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


class ResNet(nn.Module):
    """A stem, four layers of blocks, and a linear head on the mean of the last map's `features` channels."""

    def __init__(self, layers: list[nn.Module], features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1, self.layer2, self.layer3, self.layer4 = layers
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(features, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))
